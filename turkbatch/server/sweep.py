"""Reading and changing HITs and assignments at a moment, with all that was due applied.

Nothing here waits for a timer: whoever looks first at the database after something fell due
lets it happen, at its own moment. :func:`reading` and :func:`writing` are therefore the only
ways in which operations and workers reach the tables.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy
from sqlalchemy import bindparam, select

from turkbatch.server import (
    clock,
    courier,
    ledger,
    lifecycle,
    notifying,
    reviewing,
    schema,
    store,
)

# What can change; the rest is never written again, which spares its indexes.
_FIXED = {"sequence", "hit_id", "requester", "annotation", "created_at"}
_FIXED |= {"assignment_id", "worker_id"}
_HIT_CHANGES = [f.name for f in dataclasses.fields(lifecycle.Hit) if f.name not in _FIXED]
_ASSIGNMENT_CHANGES = [
    f.name for f in dataclasses.fields(lifecycle.Assignment) if f.name not in _FIXED
]

# So many HITs are brought up to date at a time, to bound the memory after a long jump.
_CHUNK = 500

_MOMENT = select(
    clock.STORED_OFFSET.label("offset"),
    select(sqlalchemy.func.min(schema.hits.c.due_at)).scalar_subquery().label("hit_due"),
    select(sqlalchemy.func.min(schema.assignments.c.due_at))
    .scalar_subquery()
    .label("assignment_due"),
    select(sqlalchemy.func.min(schema.request_tokens.c.used_at) + lifecycle.TOKEN_SECONDS)
    .scalar_subquery()
    .label("token_due"),
)
_FORGET_TOKENS = schema.request_tokens.delete().where(
    schema.request_tokens.c.used_at <= bindparam("until")
)
_HIT = select(schema.hits).where(schema.hits.c.hit_id == bindparam("id"))
_ASSIGNMENT = select(schema.assignments).where(
    schema.assignments.c.assignment_id == bindparam("id")
)


@contextlib.contextmanager
def reading(database: store.Store) -> Iterator[tuple[sqlalchemy.Connection, int]]:
    """Read the database as it is now.

    Parameters
    ----------
    database : Store
        Of the server.

    Yields
    ------
    tuple of (sqlalchemy.Connection, int)
        The connection, and the server's time in seconds since 1970.
    """
    while True:
        with database.read() as connection:
            now, due = _moment(connection)
            if not due:
                yield connection, now
                return
        with writing(database):
            pass  # entering it applies what is due


@contextlib.contextmanager
def writing(database: store.Store) -> Iterator[tuple[sqlalchemy.Connection, int]]:
    """Change the database as it is now, or leave it as it was if the block raises.

    Parameters
    ----------
    database : Store
        Of the server.

    Yields
    ------
    tuple of (sqlalchemy.Connection, int)
        The connection, and the server's time in seconds since 1970.
    """
    while True:
        with database.write() as connection:
            now, due = _moment(connection)
            if due:
                # In a transaction of its own: it has happened, whatever becomes of the block.
                catch_up(connection, now)
            else:
                yield connection, now
            news = notifying.take_news(connection)
        if news:
            courier.wake(database)
        if not due:
            return


def catch_up(connection: sqlalchemy.Connection, now: int) -> None:
    """Let everything happen that is due.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    now : int
        Seconds since 1970.
    """
    connection.execute(_FORGET_TOKENS, {"until": now - lifecycle.TOKEN_SECONDS})
    while due := _due_hits(connection, now):
        steps: list[lifecycle.Step] = []
        waiting = _due_assignments(connection, [hit.hit_id for hit in due], now)
        with_policies = reviewing.having_policies(connection, [hit.hit_id for hit in due])
        for hit in due:
            happened = lifecycle.replay(hit, waiting.get(hit.hit_id, []), now)
            # What a policy does at one step may change what comes next.
            steps.extend(itertools.islice(happened, 1 if hit.hit_id in with_policies else None))
        save(connection, steps)


def find_hit(connection: sqlalchemy.Connection, hit_id: str) -> lifecycle.Hit | None:
    """Look up a HIT.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    hit_id : str
        Its id.

    Returns
    -------
    lifecycle.Hit or None
        None if there never was one; a deleted one is found.
    """
    row = connection.execute(_HIT, {"id": hit_id}).one_or_none()
    return None if row is None else lifecycle.Hit(*row)


def find_assignment(
    connection: sqlalchemy.Connection, assignment_id: str
) -> lifecycle.Assignment | None:
    """Look up an assignment.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    assignment_id : str
        Its id.

    Returns
    -------
    lifecycle.Assignment or None
        In whatever state.
    """
    row = connection.execute(_ASSIGNMENT, {"id": assignment_id}).one_or_none()
    return None if row is None else lifecycle.Assignment(*row)


def add(
    connection: sqlalchemy.Connection,
    step: lifecycle.Step,
    question: str,
    *,
    layout_id: str | None = None,
    policies: Mapping[str, str] | None = None,
) -> None:
    """Store a new HIT.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    step : lifecycle.Step
        That made it.
    question : str
        Its XML.
    layout_id : str, optional
        The layout that it was made from.
    policies : Mapping, optional
        Its review policies in JSON, by level.

    Raises
    ------
    Refusal
        InsufficientFunds, if the requester's account can't bear it.
    """
    ledger.post(connection, step.hit.requester, [step.move])
    values = {name: value for name, value in vars(step.hit).items() if name != "sequence"}
    # Values beside the statement, here and elsewhere: SQLAlchemy then compiles it but once.
    connection.execute(schema.hits.insert(), values)
    connection.execute(
        schema.questions.insert(),
        {"hit_id": step.hit.hit_id, "question": question, "layout_id": layout_id},
    )
    for level, policy in (policies or {}).items():
        connection.execute(
            schema.review_policies.insert(),
            {"hit_id": step.hit.hit_id, "level": level, "policy": policy},
        )
    notifying.record(connection, [step])


def save(connection: sqlalchemy.Connection, steps: Sequence[lifecycle.Step]) -> None:
    """Store what happened.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    steps : sequence of lifecycle.Step
        In the order in which they happened; of a HIT the last one holds.

    Raises
    ------
    Refusal
        InsufficientFunds, if the requester's account can't bear it.
    """
    hits = {step.hit.sequence: step.hit for step in steps}
    assignments = {step.assignment.sequence: step.assignment for step in steps if step.assignment}
    for requester in {hit.requester for hit in hits.values()}:
        moves = [step.move for step in steps if step.hit.requester == requester]
        ledger.post(connection, requester, moves)
    _update(connection, _UPDATE_HIT, list(hits.values()), _HIT_CHANGES)
    _update(connection, _UPDATE_ASSIGNMENT, list(assignments.values()), _ASSIGNMENT_CHANGES)
    notifying.record(connection, steps)
    reviewing.follow(connection, steps, save)


def _moment(connection: sqlalchemy.Connection) -> tuple[int, bool]:
    offset, *moments = connection.execute(_MOMENT).one()
    now = clock.epoch_seconds(int(offset or 0))
    return now, any(moment is not None and moment <= now for moment in moments)


def _due_hits(connection: sqlalchemy.Connection, now: int) -> list[lifecycle.Hit]:
    hits, assignments = schema.hits, schema.assignments
    own = select(hits).where(hits.c.due_at <= now).limit(_CHUNK)
    found = {row.hit_id: lifecycle.Hit(*row) for row in connection.execute(own)}
    through_assignments = select(hits).where(
        hits.c.hit_id.in_(
            select(assignments.c.hit_id).where(assignments.c.due_at <= now).limit(_CHUNK)
        )
    )
    for row in connection.execute(through_assignments):
        found.setdefault(row.hit_id, lifecycle.Hit(*row))
    return list(found.values())


def _due_assignments(
    connection: sqlalchemy.Connection, hit_ids: list[str], now: int
) -> dict[str, list[lifecycle.Assignment]]:
    table = schema.assignments
    found: dict[str, list[lifecycle.Assignment]] = {}
    rows = connection.execute(
        select(table).where(table.c.hit_id.in_(hit_ids), table.c.due_at <= now)
    )
    for row in rows:
        found.setdefault(row.hit_id, []).append(lifecycle.Assignment(*row))
    return found


_Record = lifecycle.Hit | lifecycle.Assignment


def _update_statement(table: sqlalchemy.Table, fields: Sequence[str]) -> sqlalchemy.Update:
    return (
        table.update()
        .where(table.c.sequence == bindparam("at_sequence"))
        .values({name: bindparam(f"new_{name}") for name in fields})
    )


_UPDATE_HIT = _update_statement(schema.hits, _HIT_CHANGES)
_UPDATE_ASSIGNMENT = _update_statement(schema.assignments, _ASSIGNMENT_CHANGES)


def _update(
    connection: sqlalchemy.Connection,
    statement: sqlalchemy.Update,
    records: Sequence[_Record],
    fields: Sequence[str],
) -> None:
    if not records:
        return
    connection.execute(
        statement,
        [
            {"at_sequence": record.sequence}
            | {f"new_{name}": getattr(record, name) for name in fields}
            for record in records
        ],
    )
