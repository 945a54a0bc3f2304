"""Requests that are made once: what a UniqueRequestToken did is remembered for a day.

The scope of a token is not documented: per requester and operation, here.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITOperation.html
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy
from sqlalchemy import bindparam

from turkbatch.server import schema
from turkbatch.server.operations.call import Call

REMEMBERED_SECONDS: Final = 24 * 3_600
"""How long a UniqueRequestToken is remembered (API model, CreateHIT)."""

_TOKENS = schema.request_tokens
# Built once: making a statement anew costs more than carrying it out.
_USED = _TOKENS.select().where(
    _TOKENS.c.requester == bindparam("whose"),
    _TOKENS.c.operation == bindparam("what"),
    _TOKENS.c.token == bindparam("by"),
    _TOKENS.c.used_at > bindparam("after"),
)
_FORGET = _TOKENS.delete().where(_TOKENS.c.used_at <= bindparam("until"))


def first_use(call: Call) -> sqlalchemy.Row[Any] | None:
    """Look up the request that used this one's token before.

    Parameters
    ----------
    call : Call
        With or without UniqueRequestToken.

    Returns
    -------
    sqlalchemy.Row or None
        With its id and the HIT that it was about; None within no 24 hours.
    """
    token = call.parameters.get("UniqueRequestToken")
    if token is None:
        return None
    given = {"whose": call.requester, "what": call.operation, "by": token}
    after = {"after": call.now - REMEMBERED_SECONDS}
    return call.connection.execute(_USED, given | after).one_or_none()


def remember(call: Call, hit_id: str) -> None:
    """Remember that a request's token was used.

    Parameters
    ----------
    call : Call
        With or without UniqueRequestToken.
    hit_id : str
        The HIT that it made, or was about.
    """
    token = call.parameters.get("UniqueRequestToken")
    if token is None:
        return
    # Those older than 24 hours mean nothing any more, this one among them.
    call.connection.execute(_FORGET, {"until": call.now - REMEMBERED_SECONDS})
    call.connection.execute(
        _TOKENS.insert(),
        {
            "requester": call.requester,
            "operation": call.operation,
            "token": token,
            "used_at": call.now,
            "request_id": call.request_id,
            "hit_id": hit_id,
        },
    )
