"""Requests that are made once: what a UniqueRequestToken did is remembered for a day.

The scope of a token is not documented: per requester and operation, here.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITOperation.html
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy

from turkbatch.server import schema
from turkbatch.server.operations.call import Call

REMEMBERED_SECONDS: Final = 24 * 3_600
"""How long a UniqueRequestToken is remembered (API model, CreateHIT)."""


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
    table = schema.request_tokens
    return call.connection.execute(
        table.select().where(
            table.c.requester == call.requester,
            table.c.operation == call.operation,
            table.c.token == token,
            table.c.used_at > call.now - REMEMBERED_SECONDS,
        )
    ).one_or_none()


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
    table = schema.request_tokens
    # Those older than 24 hours mean nothing any more, this one among them.
    forgotten = table.c.used_at <= call.now - REMEMBERED_SECONDS
    call.connection.execute(table.delete().where(forgotten))
    call.connection.execute(
        table.insert(),
        {
            "requester": call.requester,
            "operation": call.operation,
            "token": token,
            "used_at": call.now,
            "request_id": call.request_id,
            "hit_id": hit_id,
        },
    )
