"""The account: what is available, held, paid out and gone in fees.

Whole cents, written down move by move; ``available + held + paid + fees = deposited`` after
each. An account begins with 10,000.00 dollars as in MTurk's sandbox, but unlike there the
money is really spent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import sqlalchemy
from sqlalchemy import bindparam

from turkbatch.server import lifecycle, refusals, schema

OPENING_CENTS: Final = 1_000_000
REQUESTER: Final = "default"
"""The one requester there is until access keys tell several apart."""


@dataclasses.dataclass(frozen=True)
class Account:
    """What an account holds.

    Parameters
    ----------
    requester : str
        Whose it is.
    available_cents : int
        To be spent.
    held_cents : int
        For open HITs and work that is not reviewed.
    paid_cents, fees_cents : int
        Gone to workers, and to the service.
    deposited_cents : int
        All of these together.
    """

    requester: str
    available_cents: int
    held_cents: int
    paid_cents: int
    fees_cents: int
    deposited_cents: int


def read(connection: sqlalchemy.Connection, requester: str) -> Account:
    """Read an account.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    requester : str
        Whose.

    Returns
    -------
    Account
        An opening one, if nothing has moved yet.
    """
    row = connection.execute(_ACCOUNT, {"whose": requester}).one_or_none()
    if row is None:
        return Account(requester, OPENING_CENTS, 0, 0, 0, OPENING_CENTS)
    return Account(*row)


def post(
    connection: sqlalchemy.Connection, requester: str, moves: Sequence[lifecycle.Move]
) -> None:
    """Write down moves of money and change the account by them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    requester : str
        Whose account.
    moves : sequence of lifecycle.Move
        In the order in which they happened.

    Raises
    ------
    Refusal
        InsufficientFunds, if less than nothing would be available.
    """
    moves = [move for move in moves if _moves_money(move)]
    if not moves:
        return
    changes = {
        "whose": requester,
        "more_available": sum(move.available_cents for move in moves),
        "more_held": sum(move.held_cents for move in moves),
        "more_paid": sum(move.paid_cents for move in moves),
        "more_fees": sum(move.fees_cents for move in moves),
    }
    if not connection.execute(_MOVE, changes).rowcount:
        # Too little is there, or no account yet.
        _write(connection, read(connection, requester))
        if not connection.execute(_MOVE, changes).rowcount:
            raise refusals.insufficient_funds()
    connection.execute(
        schema.ledger.insert(), [{"requester": requester} | vars(move) for move in moves]
    )


def set_available(
    connection: sqlalchemy.Connection, requester: str, cents: int, *, at: int
) -> None:
    """Deposit or withdraw so much that this is available.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    requester : str
        Whose account.
    cents : int
        What is to be available, 0 or more.
    at : int
        Seconds since 1970, for the ledger.

    Raises
    ------
    ValueError
        If it is negative.
    """
    if cents < 0:
        raise ValueError("a balance cannot be negative")
    account = read(connection, requester)
    difference = cents - account.available_cents
    _write(
        connection,
        dataclasses.replace(
            account,
            available_cents=cents,
            deposited_cents=account.deposited_cents + difference,
        ),
    )
    connection.execute(
        schema.ledger.insert().values(
            requester=requester,
            at=at,
            kind="deposit",
            available_cents=difference,
            held_cents=0,
            paid_cents=0,
            fees_cents=0,
        )
    )


def _moves_money(move: lifecycle.Move) -> bool:
    return bool(move.available_cents or move.held_cents or move.paid_cents or move.fees_cents)


_ACCOUNT = schema.accounts.select().where(schema.accounts.c.requester == bindparam("whose"))
_MOVE = (
    schema.accounts.update()
    .where(
        schema.accounts.c.requester == bindparam("whose"),
        schema.accounts.c.available_cents + bindparam("more_available") >= 0,
    )
    .values(
        {
            f"{kind}_cents": schema.accounts.c[f"{kind}_cents"] + bindparam(f"more_{kind}")
            for kind in ("available", "held", "paid", "fees")
        }
    )
)
_UPDATE = (
    schema.accounts.update()
    .where(schema.accounts.c.requester == bindparam("whose"))
    .values(
        {
            field.name: bindparam(f"new_{field.name}")
            for field in dataclasses.fields(Account)
            if field.name != "requester"
        }
    )
)


def _write(connection: sqlalchemy.Connection, account: Account) -> None:
    values = vars(account)
    changed = connection.execute(
        _UPDATE,
        {"whose": account.requester} | {f"new_{name}": value for name, value in values.items()},
    )
    if not changed.rowcount:
        connection.execute(schema.accounts.insert(), values)
