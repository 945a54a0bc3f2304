"""What workers do: find HITs, accept, return and submit them.

A HIT is never given to more workers than it has assignments, nor twice to one worker who
kept it, from however many processes: each of these functions decides and writes in one
transaction that nobody else writes beside.

Qualification requirements are not looked at yet.
"""

from __future__ import annotations

import dataclasses
import re

import sqlalchemy
from sqlalchemy import bindparam, select

from turkbatch.server import answers, ids, lifecycle, questions, schema, service, store, sweep

_WORKER_ID = re.compile(r"A[A-Z0-9]{1,63}\Z", re.ASCII)


class WorkerError(Exception):
    """The site does not let the worker do this; the message is for the worker."""


@dataclasses.dataclass(frozen=True)
class Offer:
    """A HIT that a worker may accept.

    Parameters
    ----------
    hit_id, hit_type_id, hit_group_id : str
        As in the API.
    title, description : str
        Of its type.
    reward_cents : int
        For one assignment.
    assignment_duration_seconds : int
        Time that a worker has.
    available : int
        Assignments left.
    expires_at : int
        Seconds since 1970.
    """

    hit_id: str
    hit_type_id: str
    hit_group_id: str
    title: str
    description: str
    reward_cents: int
    assignment_duration_seconds: int
    available: int
    expires_at: int


@dataclasses.dataclass(frozen=True)
class Task:
    """An assignment as its worker sees it.

    Parameters
    ----------
    assignment_id, hit_id, worker_id : str
        As in the API.
    state : str
        Accepted, Returned, Abandoned, Submitted, Approved or Rejected.
    deadline : int
        Seconds since 1970.
    question : str
        The HIT's XML.
    """

    assignment_id: str
    hit_id: str
    worker_id: str
    state: str
    deadline: int
    question: str


def offers(
    served: service.Service | store.Store, worker_id: str, *, limit: int = 100, after: int = 0
) -> list[Offer]:
    """List HITs that a worker may accept, oldest first.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who asks; HITs that this worker has had are left out.
    limit : int
        How many at most.
    after : int
        Leave out so many of the oldest.

    Returns
    -------
    list of Offer
        Empty if there is no work.
    """
    check_worker_id(worker_id)
    hits, types, taken = schema.hits, schema.hit_types, schema.assignments
    had = select(taken.c.hit_id).where(
        taken.c.hit_id == hits.c.hit_id,
        taken.c.worker_id == worker_id,
        taken.c.state.not_in(["Returned", "Abandoned"]),
    )
    query = (
        select(hits, types)
        .join(types, types.c.hit_type_id == hits.c.hit_type_id)
        .where(hits.c.status == "Assignable", ~had.exists())
        .order_by(hits.c.sequence)
        .limit(limit)
        .offset(after)
    )
    with sweep.reading(_store(served)) as (connection, _):
        return [_offer(row) for row in connection.execute(query).mappings()]


def accept(
    served: service.Service | store.Store,
    hit_id: str,
    worker_id: str,
    *,
    seconds_ago: int = 0,
) -> str:
    """Accept a HIT.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_id : str
        The HIT.
    worker_id : str
        Who accepts it.
    seconds_ago : int
        Give out that it was accepted so long ago, though not before the HIT was made and
        not so long that its time is over. For simulated workers, who take no time.

    Returns
    -------
    str
        The assignment's id; the same one again if this worker has it already.

    Raises
    ------
    WorkerError
        If there is no such HIT, no assignment is left, or the worker has done it.
    """
    check_worker_id(worker_id)
    with sweep.writing(_store(served)) as (connection, now):
        return accept_in(connection, now, hit_id, worker_id, seconds_ago=seconds_ago)


def accept_in(
    connection: sqlalchemy.Connection,
    now: int,
    hit_id: str,
    worker_id: str,
    *,
    seconds_ago: int = 0,
) -> str:
    """Accept a HIT within a transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        From :func:`sweep.writing`.
    now : int
        From there, too.
    hit_id, worker_id, seconds_ago
        As of :func:`accept`.

    Returns
    -------
    str
        The assignment's id.

    Raises
    ------
    WorkerError
        As of :func:`accept`.
    """
    hit = sweep.find_hit(connection, hit_id)
    if hit is None or hit.deleted_at is not None:
        raise WorkerError(f"There is no HIT {hit_id}.")
    kept = _kept(connection, hit_id, worker_id)
    if kept is not None:
        if kept.state == "Accepted":
            return kept.assignment_id
        raise WorkerError(f"Worker {worker_id} has already submitted HIT {hit_id}.")
    if not lifecycle.is_open(hit, now):
        raise WorkerError(f"HIT {hit_id} has no assignment left, or has expired.")
    duration, _ = _times(connection, hit)
    accepted_at = max(hit.created_at, now - min(seconds_ago, duration - 1))
    assignment = _insert(connection, hit, worker_id, accepted_at, accepted_at + duration)
    step = lifecycle.change(hit, now, "accept", assignment=assignment, pending=hit.pending + 1)
    sweep.save(connection, [step])
    return assignment.assignment_id


def return_hit(served: service.Service | store.Store, assignment_id: str, worker_id: str) -> None:
    """Give an accepted assignment back.

    Parameters
    ----------
    served : Service or Store
        Where.
    assignment_id : str
        The assignment.
    worker_id : str
        Whose it is.

    Raises
    ------
    WorkerError
        If it is not this worker's, or no longer accepted.
    """
    with sweep.writing(_store(served)) as (connection, now):
        assignment, hit = _accepted(connection, assignment_id, worker_id)
        sweep.save(connection, [lifecycle.give_up(hit, assignment, now, "Returned")])


def submit(
    served: service.Service | store.Store,
    assignment_id: str,
    worker_id: str,
    fields: answers.Fields,
) -> None:
    """Hand in an accepted assignment.

    Parameters
    ----------
    served : Service or Store
        Where.
    assignment_id : str
        The assignment.
    worker_id : str
        Whose it is.
    fields : sequence of (str, str)
        Names and values as the page posts them.

    Raises
    ------
    WorkerError
        If it is not this worker's, was submitted before, or its time is over; nothing is
        recorded then.
    """
    with sweep.writing(_store(served)) as (connection, now):
        submit_in(connection, now, assignment_id, worker_id, fields)


def submit_in(
    connection: sqlalchemy.Connection,
    now: int,
    assignment_id: str,
    worker_id: str,
    fields: answers.Fields,
    *,
    asked: questions.Question | None = None,
) -> None:
    """Hand in an accepted assignment within a transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        From :func:`sweep.writing`.
    now : int
        From there, too.
    assignment_id, worker_id, fields
        As of :func:`submit`.
    asked : questions.Question, optional
        The HIT's question, from whoever has it at hand.

    Raises
    ------
    WorkerError
        As of :func:`submit`.
    """
    assignment, hit = _accepted(connection, assignment_id, worker_id)
    if asked is None:
        asked = questions.parse(question_of(connection, hit.hit_id))
    answer = answers.document(fields, asked)
    _, delay = _times(connection, hit)
    step = lifecycle.submit(hit, assignment, now, answer, delay)
    sweep.save(connection, [step])


def task(served: service.Service | store.Store, assignment_id: str) -> Task:
    """Look up an assignment as its worker sees it.

    Parameters
    ----------
    served : Service or Store
        Where.
    assignment_id : str
        The assignment.

    Returns
    -------
    Task
        In whatever state.

    Raises
    ------
    WorkerError
        If there is none.
    """
    with sweep.reading(_store(served)) as (connection, _):
        found = sweep.find_assignment(connection, assignment_id)
        if found is None:
            raise WorkerError(f"There is no assignment {assignment_id}.")
        return Task(
            found.assignment_id,
            found.hit_id,
            found.worker_id,
            found.state,
            found.deadline,
            question_of(connection, found.hit_id),
        )


def question(served: service.Service | store.Store, hit_id: str) -> str:
    """Read the question of a HIT.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_id : str
        The HIT.

    Returns
    -------
    str
        Its XML.

    Raises
    ------
    WorkerError
        If there is no such HIT, or it is deleted.
    """
    with sweep.reading(_store(served)) as (connection, _):
        hit = sweep.find_hit(connection, hit_id)
        if hit is None or hit.deleted_at is not None:
            raise WorkerError(f"There is no HIT {hit_id}.")
        return question_of(connection, hit_id)


def any_of_group(served: service.Service | store.Store, group_id: str) -> str:
    """Find a HIT that can be accepted in a group.

    Parameters
    ----------
    served : Service or Store
        Where.
    group_id : str
        HITGroupId, or HITTypeId: links with either work on the service.

    Returns
    -------
    str
        HITId of the oldest.

    Raises
    ------
    WorkerError
        If there is none.
    """
    hits, types = schema.hits, schema.hit_types
    query = (
        select(hits.c.hit_id)
        .join(types, types.c.hit_type_id == hits.c.hit_type_id)
        .where(
            (types.c.hit_group_id == group_id) | (types.c.hit_type_id == group_id),
            hits.c.status == "Assignable",
        )
        .order_by(hits.c.sequence)
        .limit(1)
    )
    with sweep.reading(_store(served)) as (connection, _):
        hit_id = connection.scalar(query)
    if hit_id is None:
        raise WorkerError("There are no more available HITs in this group.")
    return str(hit_id)


def question_of(connection: sqlalchemy.Connection, hit_id: str) -> str:
    """Read a HIT's question.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    hit_id : str
        Of a HIT that exists.

    Returns
    -------
    str
        Its XML.
    """
    table = schema.questions
    return str(
        connection.execute(select(table.c.question).where(table.c.hit_id == hit_id)).scalar_one()
    )


def check_worker_id(worker_id: str) -> None:
    """Refuse what can't be a worker's id.

    Parameters
    ----------
    worker_id : str
        ``A`` and up to 63 capital letters and digits.

    Raises
    ------
    WorkerError
        If it has another form.
    """
    if not _WORKER_ID.match(worker_id):
        raise WorkerError(
            f'"{worker_id}" is no worker id: A and capital letters or digits are needed.'
        )


def _store(served: service.Service | store.Store) -> store.Store:
    return served.store if isinstance(served, service.Service) else served


def _offer(row: sqlalchemy.RowMapping) -> Offer:
    taken = row["pending"] + row["submitted"] + row["approved"] + row["rejected"]
    return Offer(
        hit_id=row["hit_id"],
        hit_type_id=row[schema.hits.c.hit_type_id],
        hit_group_id=row["hit_group_id"],
        title=row["title"],
        description=row["description"],
        reward_cents=row[schema.hits.c.reward_cents],
        assignment_duration_seconds=row["assignment_duration_seconds"],
        available=row["max_assignments"] - taken,
        expires_at=row["expires_at"],
    )


_KEPT = schema.assignments.select().where(
    schema.assignments.c.hit_id == bindparam("hit"),
    schema.assignments.c.worker_id == bindparam("worker"),
    schema.assignments.c.state.in_(["Accepted", *lifecycle.VISIBLE_STATES]),
)


def _kept(
    connection: sqlalchemy.Connection, hit_id: str, worker_id: str
) -> lifecycle.Assignment | None:
    row = connection.execute(_KEPT, {"hit": hit_id, "worker": worker_id}).one_or_none()
    return None if row is None else lifecycle.Assignment(*row)


def _accepted(
    connection: sqlalchemy.Connection, assignment_id: str, worker_id: str
) -> tuple[lifecycle.Assignment, lifecycle.Hit]:
    assignment = sweep.find_assignment(connection, assignment_id)
    if assignment is None or assignment.worker_id != worker_id:
        raise WorkerError(f"Worker {worker_id} has no assignment {assignment_id}.")
    if assignment.state != "Accepted":
        raise WorkerError(
            f"Assignment {assignment_id} can't be submitted or returned any more: "
            f"it is {assignment.state.lower()}."
        )
    hit = sweep.find_hit(connection, assignment.hit_id)
    assert hit is not None  # the database holds assignments of HITs alone
    return assignment, hit


_TIMES = select(
    schema.hit_types.c.assignment_duration_seconds,
    schema.hit_types.c.auto_approval_delay_seconds,
).where(schema.hit_types.c.hit_type_id == bindparam("id"))


def _times(connection: sqlalchemy.Connection, hit: lifecycle.Hit) -> tuple[int, int]:
    """Read how long an assignment lasts, and after how long it is approved by itself."""
    duration, delay = connection.execute(_TIMES, {"id": hit.hit_type_id}).one()
    return duration, delay


def _insert(
    connection: sqlalchemy.Connection,
    hit: lifecycle.Hit,
    worker_id: str,
    accepted_at: int,
    deadline: int,
) -> lifecycle.Assignment:
    assignment_id = ids.new_entity_id()
    connection.execute(
        schema.assignments.insert(),
        {
            "assignment_id": assignment_id,
            "hit_id": hit.hit_id,
            "worker_id": worker_id,
            "state": "Accepted",
            "accepted_at": accepted_at,
            "deadline": deadline,
            "due_at": deadline,
        },
    )
    found = sweep.find_assignment(connection, assignment_id)
    assert found is not None  # it was put there a line above
    return found
