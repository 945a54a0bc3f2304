"""Requests that are made once: what a UniqueRequestToken did is remembered for a day.

The scope of a token is not documented: per requester and operation, here. It is forgotten when
that falls due, in :mod:`turkbatch.server.sweep`.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITOperation.html
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import bindparam

from turkbatch.server import schema
from turkbatch.server.operations.call import Call

_TOKENS = schema.request_tokens
_USED = _TOKENS.select().where(
    *(_TOKENS.c[name] == bindparam(f"its_{name}") for name in ("requester", "operation", "token"))
)
# Looks and writes at once: this is in the way of every HIT that is made.
_USE = (
    _TOKENS.insert()
    .from_select(
        _TOKENS.c.keys(),
        sqlalchemy.select(
            *(bindparam(f"its_{column.name}", type_=column.type) for column in _TOKENS.c)
        ).where(~_USED.exists()),
    )
    # Without it, there is none of an insertion on PostgreSQL.
    .execution_options(preserve_rowcount=True)
)


def use(call: Call, hit_id: str) -> sqlalchemy.Row[Any] | None:
    """Use a request's token, if it has one, unless another request has used it.

    Parameters
    ----------
    call : Call
        With or without UniqueRequestToken.
    hit_id : str
        The HIT that it makes, or is about.

    Returns
    -------
    sqlalchemy.Row or None
        The request that used the token within the last 24 hours, with its id and HIT.
    """
    token = call.parameters.get("UniqueRequestToken")
    if token is None:
        return None
    given = {
        "its_requester": call.requester,
        "its_operation": call.operation,
        "its_token": token,
        "its_used_at": call.now,
        "its_request_id": call.request_id,
        "its_hit_id": hit_id,
    }
    if call.connection.execute(_USE, given).rowcount:
        return None
    return call.connection.execute(_USED, given).one()
