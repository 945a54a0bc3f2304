"""What workers do: find HITs, accept, return and submit them, and ask for qualifications.

A HIT is never given to more workers than it has assignments, nor twice to one worker who
kept it, from however many processes: each of these functions decides and writes in one
transaction that nobody else writes beside.

Only workers who meet a HIT's requirements can do with it what those guard, and nobody can
accept work of a requester who has blocked them. What they accepted before, they may finish.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_QualificationRequirementDataStructureArticle.html,
ApiReference_CreateWorkerBlockOperation.html.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from turkbatch.server import (
    answers,
    ids,
    lifecycle,
    qualifying,
    questions,
    requirements,
    schema,
    service,
    store,
    sweep,
    uploads,
    workforce,
)


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


@dataclasses.dataclass(frozen=True)
class Test:
    """A qualification test that a worker is taking.

    Parameters
    ----------
    request_id : str
        For :func:`submit_test`.
    qualification_type_id, name : str
        Of what.
    question : str
        QuestionForm XML.
    deadline : int
        Seconds since 1970.
    """

    request_id: str
    qualification_type_id: str
    name: str
    question: str
    deadline: int


@dataclasses.dataclass(frozen=True)
class Request:
    """What became of a request for a qualification.

    Parameters
    ----------
    request_id, qualification_type_id : str
        Which.
    state : str
        Granted, or Submitted, which waits for the owner.
    value : int or None
        The qualification's, if it was granted.
    """

    request_id: str
    qualification_type_id: str
    state: str
    value: int | None


@dataclasses.dataclass(frozen=True)
class Qualification:
    """A qualification type as a worker sees it.

    Parameters
    ----------
    qualification_type_id, name, description : str
        As in the API.
    has_test, auto_granted : bool
        How it is given to those who ask.
    test_duration_seconds : int or None
        Time for the test.
    status : str or None
        Granted or Revoked; None if the worker never held it.
    value : int or None
        The worker's, if it is held and has one.
    why_not : str or None
        Why the worker can't ask for it now, as a sentence; None if nothing is in the way.
    """

    qualification_type_id: str
    name: str
    description: str
    has_test: bool
    auto_granted: bool
    test_duration_seconds: int | None
    status: str | None
    value: int | None
    why_not: str | None


@dataclasses.dataclass(frozen=True)
class Requirement:
    """A HIT's requirement as a worker sees it.

    Parameters
    ----------
    qualification_type_id, name : str
        Which qualification; its id again if this server does not have it.
    comparator : str
        As in the API.
    values : tuple of str
        Numbers, or places such as ``US`` and ``US-CA``.
    guards : str
        ActionsGuarded.
    met : bool
        Whether the worker meets it.
    """

    qualification_type_id: str
    name: str
    comparator: str
    values: tuple[str, ...]
    guards: str
    met: bool


@dataclasses.dataclass(frozen=True)
class Message:
    """What a worker was told.

    Parameters
    ----------
    at : int
        Seconds since 1970.
    subject, text : str
        The message.
    """

    at: int
    subject: str
    text: str


def offers(
    served: service.Service | store.Store,
    worker_id: str,
    *,
    limit: int = 100,
    after: int = 0,
    action: requirements.Action = "Accept",
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
    action : {"Accept", "Preview", "Discover"}
        List instead what the worker may see the page of, or find in a list.

    Returns
    -------
    list of Offer
        Empty if there is no work, or none for which the worker is qualified.
    """
    hits, types, taken = schema.hits, schema.hit_types, schema.assignments
    had = select(taken.c.hit_id).where(
        taken.c.hit_id == hits.c.hit_id,
        taken.c.worker_id == worker_id,
        taken.c.state.not_in(["Returned", "Abandoned"]),
    )
    blocks = schema.worker_blocks
    blocked = select(blocks.c.requester).where(blocks.c.worker_id == worker_id)
    query = (
        select(hits, types)
        .join(types, types.c.hit_type_id == hits.c.hit_type_id)
        .where(hits.c.status == "Assignable", ~had.exists(), hits.c.requester.not_in(blocked))
        .order_by(hits.c.sequence)
        .limit(limit)
        .offset(after)
    )
    with sweep.reading(_store(served)) as (connection, _):
        check_worker_id(connection, worker_id)
        closed = _closed_types(connection, worker_id, action)
        if closed:
            query = query.where(hits.c.hit_type_id.not_in(closed))
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
        If there is no such HIT, no assignment is left, the worker has done it, is blocked, or
        does not meet the requirements.
    """
    with sweep.writing(_store(served)) as (connection, now):
        check_worker_id(connection, worker_id)
        return accept_in(connection, now, hit_id, worker_id, seconds_ago=seconds_ago)


def accept_in(
    connection: sqlalchemy.Connection,
    now: int,
    hit_id: str,
    worker_id: str,
    *,
    seconds_ago: int = 0,
    veteran: bool = False,
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
    veteran : bool
        Whether the worker passes for whatever is required of system types, and of types that
        this server doesn't have.

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
    duration, _, required = _terms(connection, hit)
    _check_admitted(connection, hit, worker_id, required, "Accept", veteran=veteran)
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
    files = uploads.of_assignment(connection, assignment_id) if asked.may_have_files else []
    answer = answers.document(fields, asked, files)
    _, delay, _ = _terms(connection, hit)
    step = lifecycle.submit(hit, assignment, now, answer, delay)
    sweep.save(connection, [step])


def upload(
    served: service.Service | store.Store,
    assignment_id: str,
    worker_id: str,
    question_identifier: str,
    file_name: str,
    content: bytes,
) -> None:
    """Hand in a file, before the assignment itself is.

    Parameters
    ----------
    served : Service or Store
        Where.
    assignment_id : str
        An accepted assignment.
    worker_id : str
        Whose it is.
    question_identifier : str
        Of a FileUploadAnswer in the HIT's QuestionForm; a file given before is replaced.
    file_name : str
        As it is called.
    content : bytes
        What it holds.

    Raises
    ------
    WorkerError
        If the assignment is not this worker's or no longer accepted, the HIT doesn't ask for
        such a file, or it is too small or too large.
    """
    with sweep.writing(_store(served)) as (connection, _):
        assignment, hit = _accepted(connection, assignment_id, worker_id)
        asked = questions.parse(question_of(connection, hit.hit_id))
        least, most = answers.file_bounds(asked, question_identifier)
        if not least <= len(content) <= most:
            raise WorkerError(f"The file must have {least} to {most} bytes.")
        uploads.add(connection, assignment.assignment_id, question_identifier, file_name, content)


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


def request_qualification(
    served: service.Service | store.Store, qualification_type_id: str, worker_id: str
) -> Request:
    """Ask for a qualification that has no test.

    Parameters
    ----------
    served : Service or Store
        Where.
    qualification_type_id : str
        Which.
    worker_id : str
        Who asks.

    Returns
    -------
    Request
        Granted at once, or Submitted, which waits for the owner.

    Raises
    ------
    WorkerError
        If the type can't be asked for, has a test, or was asked for before and its retry
        delay has not passed.
    """
    with sweep.writing(_store(served)) as (connection, now), _told():
        check_worker_id(connection, worker_id)
        row = qualifying.request(connection, now, qualification_type_id, worker_id)
        return _outcome(connection, row)


def take_test(
    served: service.Service | store.Store, qualification_type_id: str, worker_id: str
) -> Test:
    """Begin a qualification test, or go on with one.

    Parameters
    ----------
    served : Service or Store
        Where.
    qualification_type_id : str
        Which.
    worker_id : str
        Who takes it.

    Returns
    -------
    Test
        The same one again until its time is over.

    Raises
    ------
    WorkerError
        As of :func:`request_qualification`, and if the type has no test.
    """
    with sweep.writing(_store(served)) as (connection, now), _told():
        check_worker_id(connection, worker_id)
        row = qualifying.start_test(connection, now, qualification_type_id, worker_id)
        known = qualifying.find_type(connection, now, qualification_type_id)
        assert known is not None, "its test was begun a line above"
        return Test(row.request_id, qualification_type_id, known.name, row.test, row.deadline)


def submit_test(
    served: service.Service | store.Store,
    request_id: str,
    worker_id: str,
    fields: answers.Fields,
    files: uploads.Given | None = None,
) -> Request:
    """Hand in a qualification test.

    Parameters
    ----------
    served : Service or Store
        Where.
    request_id : str
        From :func:`take_test`.
    worker_id : str
        Who took it.
    fields : sequence of (str, str)
        Names and values as the page posts them: of a selection, QuestionIdentifier and
        SelectionIdentifier.
    files : mapping of str to (str, bytes), optional
        By QuestionIdentifier of a FileUploadAnswer, names and contents of files.

    Returns
    -------
    Request
        Granted with its value if the test has an answer key, else Submitted.

    Raises
    ------
    WorkerError
        If it is not this worker's, was handed in before, its time is over, or a file is not
        asked for, too small or too large.
    """
    with sweep.writing(_store(served)) as (connection, now), _told():
        row = qualifying.submit_test(connection, now, request_id, worker_id, fields, files or {})
        return _outcome(connection, row)


def qualifications(
    served: service.Service | store.Store, worker_id: str, *, qualification_type_id: str = ""
) -> list[Qualification]:
    """List the qualification types that a worker can ask for, or has held.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who looks.
    qualification_type_id : str
        This type alone, if it is given.

    Returns
    -------
    list of Qualification
        Sorted by name; those that are Inactive or deleted only if the worker holds them.
    """
    types, held = schema.qualification_types, schema.qualifications
    query = select(types).order_by(types.c.name, types.c.sequence)
    if qualification_type_id:
        query = query.where(types.c.qualification_type_id == qualification_type_id)
    own = held.select().where(held.c.worker_id == worker_id)
    with sweep.reading(_store(served)) as (connection, now):
        check_worker_id(connection, worker_id)
        mine = {row.qualification_type_id: row for row in connection.execute(own)}
        found = [qualifying.Type(*row) for row in connection.execute(query)]
        return [
            Qualification(
                qualification_type_id=one.qualification_type_id,
                name=one.name,
                description=one.description,
                has_test=one.test is not None,
                auto_granted=bool(one.auto_granted),
                test_duration_seconds=one.test_duration_seconds,
                status=None if (row := mine.get(one.qualification_type_id)) is None else row.status,
                value=None if row is None or row.status != "Granted" else row.value,
                why_not=qualifying.why_not(connection, now, one, worker_id),
            )
            for one in found
            if one.qualification_type_id in mine
            or (one.deleted_at is None and one.status == "Active")
        ]


def requirements_of(
    served: service.Service | store.Store, hit_id: str, worker_id: str
) -> list[Requirement]:
    """List what a HIT requires of its workers, and whether this one has it.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_id : str
        The HIT.
    worker_id : str
        Who looks.

    Returns
    -------
    list of Requirement
        In the requester's order.

    Raises
    ------
    WorkerError
        If there is no such HIT.
    """
    with sweep.reading(_store(served)) as (connection, now):
        check_worker_id(connection, worker_id)
        hit = sweep.find_hit(connection, hit_id)
        if hit is None or hit.deleted_at is not None:
            raise WorkerError(f"There is no HIT {hit_id}.")
        _, _, required = _terms(connection, hit)
        standing = workforce.standing(connection, worker_id)
        return [_requirement(connection, now, one, standing) for one in json.loads(required)]


def may(
    served: service.Service | store.Store,
    hit_id: str,
    worker_id: str,
    action: requirements.Action,
) -> bool:
    """Tell whether a worker is admitted to a HIT, whether or not assignments are left.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_id : str
        The HIT.
    worker_id : str
        Who asks.
    action : {"Accept", "Preview", "Discover"}
        What for.

    Returns
    -------
    bool
        False if the worker is blocked, or lacks what guards it.

    Raises
    ------
    WorkerError
        If there is no such HIT.
    """
    with sweep.reading(_store(served)) as (connection, _):
        check_worker_id(connection, worker_id)
        hit = sweep.find_hit(connection, hit_id)
        if hit is None or hit.deleted_at is not None:
            raise WorkerError(f"There is no HIT {hit_id}.")
        _, _, required = _terms(connection, hit)
        try:
            _check_admitted(connection, hit, worker_id, required, action)
        except WorkerError:
            return False
        return True


def register(
    served: service.Service | store.Store,
    worker_id: str,
    facts: workforce.Facts | None = None,
) -> None:
    """Make a worker known, and set what can't be found out from history.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        The worker.
    facts : workforce.Facts, optional
        Locale, Masters, adult content and work done elsewhere; they replace what was set
        before, which stays without them.
    """
    with sweep.writing(_store(served)) as (connection, _):
        check_worker_id(connection, worker_id)
        known = workforce.facts(connection, worker_id)
        workforce.register(connection, worker_id, facts or known or workforce.Facts())


def standing(served: service.Service | store.Store, worker_id: str) -> requirements.Standing:
    """Tell what requirements may ask about a worker.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        The worker.

    Returns
    -------
    requirements.Standing
        Locale, counts, approval rate and qualifications as of now.
    """
    with sweep.reading(_store(served)) as (connection, _):
        return workforce.standing(connection, worker_id)


def messages(served: service.Service | store.Store, worker_id: str) -> list[Message]:
    """List what a worker was told: by requesters, and about qualifications and bonuses.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        The worker.

    Returns
    -------
    list of Message
        Newest first.
    """
    table = schema.messages
    query = table.select().where(table.c.worker_id == worker_id).order_by(table.c.sequence.desc())
    with sweep.reading(_store(served)) as (connection, _):
        return [Message(row.at, row.subject, row.text) for row in connection.execute(query)]


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


def check_worker_id(connection: sqlalchemy.Connection, worker_id: str) -> None:
    """Refuse what can't be a worker's id.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        ``A`` and up to 63 capital letters and digits, or the id of a person who is here.

    Raises
    ------
    WorkerError
        If it has another form, and nobody has it.
    """
    if not workforce.is_worker(connection, worker_id):
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


_TERMS = select(
    schema.hit_types.c.assignment_duration_seconds,
    schema.hit_types.c.auto_approval_delay_seconds,
    schema.hit_types.c.requirements,
).where(schema.hit_types.c.hit_type_id == bindparam("id"))


def _terms(connection: sqlalchemy.Connection, hit: lifecycle.Hit) -> tuple[int, int, str]:
    """Read how long an assignment lasts, when it is approved by itself, what is required."""
    duration, delay, required = connection.execute(_TERMS, {"id": hit.hit_type_id}).one()
    return duration, delay, required


def _check_admitted(
    connection: sqlalchemy.Connection,
    hit: lifecycle.Hit,
    worker_id: str,
    required: str,
    action: requirements.Action,
    *,
    veteran: bool = False,
) -> None:
    if workforce.is_blocked(connection, hit.requester, worker_id):
        raise WorkerError(f"The requester of HIT {hit.hit_id} does not work with you.")
    if workforce.obstacles(connection, worker_id, required, action, veteran=veteran):
        raise WorkerError(f"You do not meet the qualification requirements of HIT {hit.hit_id}.")


def _closed_types(
    connection: sqlalchemy.Connection, worker_id: str, action: requirements.Action
) -> list[str]:
    """List the HIT types with open HITs whose requirements the worker does not meet."""
    types, hits = schema.hit_types, schema.hits
    is_open = (
        select(hits.c.hit_id)
        .where(hits.c.hit_type_id == types.c.hit_type_id, hits.c.status == "Assignable")
        .exists()
    )
    query = select(types.c.hit_type_id, types.c.requirements)
    rows = connection.execute(query.where(types.c.requirements != "[]", is_open)).all()
    if not rows:
        return []
    standing = workforce.standing(connection, worker_id)
    return [
        row.hit_type_id
        for row in rows
        if requirements.unmet(standing, json.loads(row.requirements), action)
    ]


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except qualifying.Unwilling as reason:
        raise WorkerError(str(reason)) from None


def _outcome(connection: sqlalchemy.Connection, row: sqlalchemy.Row[Any]) -> Request:
    value = None
    if row.state == "Granted":
        value = workforce.standing(connection, row.worker_id).granted.get(row.qualification_type_id)
    return Request(row.request_id, row.qualification_type_id, row.state, value)


def _requirement(
    connection: sqlalchemy.Connection,
    now: int,
    required: dict[str, Any],
    standing: requirements.Standing,
) -> Requirement:
    type_id = required["QualificationTypeId"]
    known = qualifying.find_type(connection, now, type_id)
    return Requirement(
        qualification_type_id=type_id,
        name=type_id if known is None else known.name,
        comparator=required["Comparator"],
        values=(
            *map(str, required.get("IntegerValues", [])),
            *map(_place, required.get("LocaleValues", [])),
        ),
        guards=required["ActionsGuarded"],
        met=requirements.is_met(standing, required),
    )


def _place(locale: dict[str, str]) -> str:
    return "-".join([locale["Country"], *filter(None, [locale.get("Subdivision")])])


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
