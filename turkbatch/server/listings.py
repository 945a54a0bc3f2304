"""What the worker site lists: HITs that can be found, a worker's history and earnings.

Lists are read a page at a time from where the last one ended, so that a page of ten thousand
HITs costs what a page of a hundred does.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

import sqlalchemy
from sqlalchemy import func, select

from turkbatch.server import (
    lifecycle,
    requirements,
    schema,
    service,
    store,
    sweep,
    worker,
    workforce,
)

PAGE_ROWS: Final = 25
"""HITs or assignments on one page."""
_MOST_LOOKED_AT: Final = 5_000


@dataclasses.dataclass(frozen=True)
class Hit:
    """A HIT as workers see it.

    Parameters
    ----------
    sequence : int
        Its place in the list.
    hit_id, hit_type_id, hit_group_id, requester : str
        As in the API.
    title, description, keywords : str
        Of its type.
    reward_cents, assignment_duration_seconds, auto_approval_delay_seconds : int
        Of its type.
    available : int
        Assignments left; 0 if it can't be accepted any more.
    created_at, expires_at : int
        Seconds since 1970.
    qualified : bool
        Whether the worker who looks may accept it.
    guards_preview : bool
        Whether it is shown to qualified workers alone.
    """

    sequence: int
    hit_id: str
    hit_type_id: str
    hit_group_id: str
    requester: str
    title: str
    description: str
    keywords: str
    reward_cents: int
    assignment_duration_seconds: int
    auto_approval_delay_seconds: int
    available: int
    created_at: int
    expires_at: int
    qualified: bool = True
    guards_preview: bool = False


@dataclasses.dataclass(frozen=True)
class Page:
    """Some HITs of a list.

    Parameters
    ----------
    hits : tuple of Hit
        Oldest first.
    after : int or None
        Where the next page begins; None if there is none.
    """

    hits: tuple[Hit, ...]
    after: int | None


@dataclasses.dataclass(frozen=True)
class Work:
    """An assignment in a worker's history. Times are seconds since 1970.

    Parameters
    ----------
    sequence : int
        Its place in the history.
    assignment_id, hit_id, state, title : str
        What it is and what became of it.
    reward_cents, bonus_cents : int
        What it pays, and what was added.
    accepted_at : int
        When it was accepted.
    deadline : int
        By when it must be submitted.
    submitted_at : int or None
        When it was.
    feedback : str or None
        The requester's.
    """

    sequence: int
    assignment_id: str
    hit_id: str
    state: str
    title: str
    reward_cents: int
    bonus_cents: int
    accepted_at: int
    deadline: int
    submitted_at: int | None
    feedback: str | None


@dataclasses.dataclass(frozen=True)
class Earnings:
    """What a worker has earned, in cents.

    Parameters
    ----------
    approved, pending, bonuses : int
        Rewards of approved work, of work that waits for a review, and bonuses.
    """

    approved: int
    pending: int
    bonuses: int


def open_hits(
    served: service.Service | store.Store,
    worker_id: str,
    *,
    search: str = "",
    least_cents: int = 0,
    qualified_only: bool = False,
    after: int = 0,
    rows: int = PAGE_ROWS,
) -> Page:
    """List the HITs that a worker can find, oldest first.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who looks. HITs that this worker has or had are left out, and those that may not be
        found without a qualification.
    search : str
        Words that title, description or keywords must all contain; case plays no part.
    least_cents : int
        Lowest reward.
    qualified_only : bool
        Whether to leave out what the worker may not accept.
    after : int
        :attr:`Page.after` of the page before.
    rows : int
        How many at most.

    Returns
    -------
    Page
        Empty if there is no work.
    """
    found: list[Hit] = []
    looked_at = 0
    with sweep.reading(_store(served)) as (connection, now):
        worker.check_worker_id(connection, worker_id)
        guard = _Guard(connection, worker_id)
        # Requirements are read in Python: what is not to be found is skipped, up to a bound
        # that keeps one page from reading through everything.
        while looked_at < _MOST_LOOKED_AT:
            query = _open(worker_id, search, least_cents).where(schema.hits.c.sequence > after)
            chunk = connection.execute(query.limit(rows + 1)).mappings().all()
            for row in chunk:
                if len(found) == rows:
                    return Page(tuple(found), after)
                after = row["sequence"]
                looked_at += 1
                if guard.lets(row, "Discover"):
                    hit = _hit(row, now, qualified=guard.lets(row, "Accept"))
                    if hit.qualified or not qualified_only:
                        found.append(hit)
            if len(chunk) <= rows:
                return Page(tuple(found), None)
    return Page(tuple(found), after)


def next_hit(served: service.Service | store.Store, worker_id: str, hit_id: str) -> str | None:
    """Find the HIT of the same group that comes next for a worker.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Whose work it would be.
    hit_id : str
        The HIT that was looked at.

    Returns
    -------
    str or None
        HITId of the next that can be accepted, or of the first behind the last one; None if
        there is no other.
    """
    hits = schema.hits
    with sweep.reading(_store(served)) as (connection, _):
        hit = sweep.find_hit(connection, hit_id)
        if hit is None:
            return None
        guard = _Guard(connection, worker_id)
        same = _open(worker_id, "", 0).where(
            hits.c.hit_type_id == hit.hit_type_id, hits.c.hit_id != hit_id
        )
        for beyond in (hits.c.sequence > hit.sequence, hits.c.sequence < hit.sequence):
            row = connection.execute(same.where(beyond).limit(1)).mappings().one_or_none()
            if row is not None:
                # One type has one set of requirements: if this one is closed, all are.
                return str(row["hit_id"]) if guard.lets(row, "Accept") else None
    return None


def hit(served: service.Service | store.Store, hit_id: str, worker_id: str | None = None) -> Hit:
    """Describe a HIT.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_id : str
        The HIT.
    worker_id : str, optional
        Who looks.

    Returns
    -------
    Hit
        Whether or not it can still be accepted.

    Raises
    ------
    worker.WorkerError
        If there is no such HIT, or it is deleted.
    """
    hits, types = schema.hits, schema.hit_types
    query = (
        select(hits, *_TYPE_COLUMNS)
        .join(types, types.c.hit_type_id == hits.c.hit_type_id)
        .where(hits.c.hit_id == hit_id, hits.c.deleted_at.is_(None))
    )
    with sweep.reading(_store(served)) as (connection, now):
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise worker.WorkerError(f"There is no HIT {hit_id}.")
        qualified = worker_id is None or _Guard(connection, worker_id).lets(row, "Accept")
        return _hit(row, now, qualified=qualified)


def history(
    served: service.Service | store.Store,
    worker_id: str,
    *,
    before: int | None = None,
    state: str = "",
    rows: int = PAGE_ROWS,
) -> tuple[list[Work], int | None]:
    """List a worker's assignments, newest first.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Whose.
    before : int, optional
        Where the page before ended.
    state : str
        These alone, if it is given: Accepted, Returned, Abandoned, Submitted, Approved or
        Rejected.
    rows : int
        How many at most.

    Returns
    -------
    tuple of (list of Work, int or None)
        The assignments, and where the next page begins; None if there is none.
    """
    table, hits, types = schema.assignments, schema.hits, schema.hit_types
    bonuses = schema.bonuses
    bonus = (
        select(func.coalesce(func.sum(bonuses.c.amount_cents), 0))
        .where(bonuses.c.assignment_id == table.c.assignment_id)
        .scalar_subquery()
    )
    query = (
        select(table, hits.c.reward_cents, types.c.title, bonus.label("bonus_cents"))
        .join(hits, hits.c.hit_id == table.c.hit_id)
        .join(types, types.c.hit_type_id == hits.c.hit_type_id)
        .where(table.c.worker_id == worker_id)
        .order_by(table.c.sequence.desc())
        .limit(rows + 1)
    )
    if before is not None:
        query = query.where(table.c.sequence < before)
    if state:
        query = query.where(table.c.state == state)
    names = [field.name for field in dataclasses.fields(Work)]
    with sweep.reading(_store(served)) as (connection, _):
        found = [
            Work(**{name: row[name] for name in names})
            for row in connection.execute(query).mappings()
        ]
    return found[:rows], found[rows - 1].sequence if len(found) > rows else None


def earnings(served: service.Service | store.Store, worker_id: str) -> Earnings:
    """Add up what a worker has earned.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Whose.

    Returns
    -------
    Earnings
        As of now.
    """
    table, hits, bonuses = schema.assignments, schema.hits, schema.bonuses
    rewards = (
        select(table.c.state, func.sum(hits.c.reward_cents))
        .join(hits, hits.c.hit_id == table.c.hit_id)
        .where(table.c.worker_id == worker_id, table.c.state.in_(["Submitted", "Approved"]))
        .group_by(table.c.state)
    )
    granted = select(func.sum(bonuses.c.amount_cents)).where(bonuses.c.worker_id == worker_id)
    with sweep.reading(_store(served)) as (connection, _):
        sums = {state: int(cents) for state, cents in connection.execute(rewards)}
        added = int(connection.scalar(granted) or 0)
    return Earnings(sums.get("Approved", 0), sums.get("Submitted", 0), added)


def running_test(
    served: service.Service | store.Store, type_id: str, worker_id: str
) -> worker.Test | None:
    """Look up the qualification test that a worker is taking.

    Parameters
    ----------
    served : Service or Store
        Where.
    type_id : str
        Of which qualification.
    worker_id : str
        Whose.

    Returns
    -------
    worker.Test or None
        None if it was not begun, was handed in, or its time is over.
    """
    requests, types = schema.qualification_requests, schema.qualification_types
    query = (
        select(requests, types.c.name)
        .join(types, types.c.qualification_type_id == requests.c.qualification_type_id)
        .where(
            requests.c.worker_id == worker_id,
            requests.c.qualification_type_id == type_id,
            requests.c.state == "Testing",
        )
        .order_by(requests.c.sequence.desc())
        .limit(1)
    )
    with sweep.reading(_store(served)) as (connection, now):
        row = connection.execute(query).one_or_none()
    if row is None or now >= row.deadline:
        return None
    return worker.Test(row.request_id, type_id, row.name, row.test, row.deadline)


def current_time(served: service.Service | store.Store) -> int:
    """Tell the server's time.

    Parameters
    ----------
    served : Service or Store
        Where.

    Returns
    -------
    int
        Seconds since 1970.
    """
    with sweep.reading(_store(served)) as (_, now):
        return now


class _Guard:
    """What a worker may do with HITs, each type looked at once."""

    def __init__(self, connection: sqlalchemy.Connection, worker_id: str) -> None:
        self._connection = connection
        self._worker_id = worker_id
        self._standing: requirements.Standing | None = None
        self._known: dict[tuple[str, str], bool] = {}

    def lets(self, row: sqlalchemy.RowMapping, action: requirements.Action) -> bool:
        required = row["requirements"]
        if required == "[]":
            return True
        key = (row["hit_type_id"], action)
        if key not in self._known:
            if self._standing is None:
                self._standing = workforce.standing(self._connection, self._worker_id)
            self._known[key] = not requirements.unmet(self._standing, json.loads(required), action)
        return self._known[key]


_TYPE_COLUMNS = [
    column
    for column in schema.hit_types.c
    if column.name
    in {
        "hit_group_id",
        "title",
        "description",
        "keywords",
        "assignment_duration_seconds",
        "auto_approval_delay_seconds",
        "requirements",
    }
]


def _open(worker_id: str, search: str, least_cents: int) -> sqlalchemy.Select[Any]:
    hits, types, taken = schema.hits, schema.hit_types, schema.assignments
    had = select(taken.c.hit_id).where(
        taken.c.hit_id == hits.c.hit_id,
        taken.c.worker_id == worker_id,
        taken.c.state.not_in(["Returned", "Abandoned"]),
    )
    blocks = schema.worker_blocks
    blocked = select(blocks.c.requester).where(blocks.c.worker_id == worker_id)
    query = (
        select(hits, *_TYPE_COLUMNS)
        .join(types, types.c.hit_type_id == hits.c.hit_type_id)
        .where(hits.c.status == "Assignable", ~had.exists(), hits.c.requester.not_in(blocked))
        .order_by(hits.c.sequence)
    )
    if least_cents > 0:
        query = query.where(hits.c.reward_cents >= least_cents)
    for word in search.lower().split():
        columns = (types.c.title, types.c.description, types.c.keywords)
        query = query.where(
            sqlalchemy.or_(*(func.lower(one).contains(word, autoescape=True) for one in columns))
        )
    return query


def _hit(row: sqlalchemy.RowMapping, now: int, *, qualified: bool) -> Hit:
    found = lifecycle.Hit(*(row[field.name] for field in dataclasses.fields(lifecycle.Hit)))
    return Hit(
        sequence=found.sequence,
        hit_id=found.hit_id,
        hit_type_id=found.hit_type_id,
        hit_group_id=row["hit_group_id"],
        requester=found.requester,
        title=row["title"],
        description=row["description"],
        keywords=row["keywords"] or "",
        reward_cents=found.reward_cents,
        assignment_duration_seconds=row["assignment_duration_seconds"],
        auto_approval_delay_seconds=row["auto_approval_delay_seconds"],
        available=found.available if lifecycle.is_open(found, now) else 0,
        created_at=found.created_at,
        expires_at=found.expires_at,
        qualified=qualified,
        guards_preview=any(
            one["ActionsGuarded"] != "Accept" for one in json.loads(row["requirements"])
        ),
    )


def _store(served: service.Service | store.Store) -> store.Store:
    return served.store if isinstance(served, service.Service) else served
