"""Who is owed what: on a server of one's own, workers are paid elsewhere.

All of it is read from the ledger, which has every move of money, so that it adds up to the
accounts by itself.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import sqlalchemy
from sqlalchemy import case, func, select

from turkbatch.server import ledger, schema, store, sweep


@dataclasses.dataclass(frozen=True)
class Owed:
    """What one requester owes one worker.

    Parameters
    ----------
    requester : str
        Who owes.
    worker_id : str
        Whom.
    assignments : int
        Approved ones.
    rewards_cents : int
        For them.
    bonuses : int
        How many were granted.
    bonus_cents : int
        All of them together.
    fees_cents : int
        What the service charged the requester for both.
    """

    requester: str
    worker_id: str
    assignments: int
    rewards_cents: int
    bonuses: int
    bonus_cents: int
    fees_cents: int

    @property
    def total_cents(self) -> int:
        """Rewards and bonuses."""
        return self.rewards_cents + self.bonus_cents


def accounts(database: store.Store) -> list[ledger.Account]:
    """List the accounts of all requesters.

    Parameters
    ----------
    database : Store
        Of the server.

    Returns
    -------
    list of ledger.Account
        By the requester's name; those alone whose money has moved.
    """
    query = schema.accounts.select().order_by(schema.accounts.c.requester)
    with sweep.reading(database) as (connection, _):
        return [ledger.Account(*row) for row in connection.execute(query)]


def workers(
    database: store.Store, *, since: int | None = None, until: int | None = None
) -> list[Owed]:
    """List what each requester owes each worker.

    Parameters
    ----------
    database : Store
        Of the server.
    since, until : int, optional
        Count what was approved or granted from the one moment on, and before the other;
        seconds since 1970 by the server's clock.

    Returns
    -------
    list of Owed
        By requester and worker; those alone who are owed something.
    """
    moves, assignments = schema.ledger, schema.assignments
    is_bonus = moves.c.kind == "bonus"

    def total(of: sqlalchemy.ColumnElement[bool], amount: Any) -> sqlalchemy.Function[Any]:  # noqa: ANN401, a column or a number
        return func.sum(case((of, amount), else_=0))

    query = (
        select(
            moves.c.requester,
            assignments.c.worker_id,
            total(~is_bonus, 1),
            total(~is_bonus, moves.c.paid_cents),
            total(is_bonus, 1),
            total(is_bonus, moves.c.paid_cents),
            func.sum(moves.c.fees_cents),
        )
        .join(assignments, assignments.c.assignment_id == moves.c.assignment_id)
        .where(moves.c.paid_cents > 0)
        .group_by(moves.c.requester, assignments.c.worker_id)
        .order_by(moves.c.requester, assignments.c.worker_id)
    )
    if since is not None:
        query = query.where(moves.c.at >= since)
    if until is not None:
        query = query.where(moves.c.at < until)
    with sweep.reading(database) as (connection, _):
        # PostgreSQL adds whole numbers up to a Decimal.
        rows = connection.execute(query).all()
    return [Owed(row[0], row[1], *(int(value) for value in row[2:])) for row in rows]
