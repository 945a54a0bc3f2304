"""Qualification types and who holds them: found, requested, tested, granted, revoked.

Choices where the documentation leaves room:

- A deleted type is being disposed of for 48 hours, and until the HITs that require it are
  deleted, whichever is later. Meanwhile its name is taken, it is in no listing, and
  GetQualificationType shows it as Inactive.
- A request counts as one from the moment when the test is shown; a test whose time is over
  was a request without success. The retry delay runs from that moment, too.
- Someone with a request that waits for its owner can't ask again.
- Workers may ask again for what was revoked, if the type has a retry delay that has passed.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_CreateQualificationTypeOperation.html,
ApiReference_DeleteQualificationTypeOperation.html.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import sqlalchemy
from sqlalchemy import bindparam, exists, select

from turkbatch.server import (
    answers,
    grading,
    ids,
    questions,
    requirements,
    schema,
    uploads,
    workforce,
)

DISPOSAL_SECONDS: Final = 48 * 3_600
"""The name of a deleted type may be blocked for so long (API model, DeleteQualificationType)."""
SYSTEM_OWNER: Final = "Amazon Mechanical Turk"

_SYSTEM_NAMES: Final = {
    requirements.MASTERS[0]: ("Masters", "Masters of the live site."),
    requirements.MASTERS[1]: ("Masters", "Masters of the sandbox."),
    requirements.HITS_APPROVED: (
        "Worker_NumberHITsApproved",
        "The number of HITs submitted by a Worker that have been approved.",
    ),
    requirements.LOCALE: ("Worker_Locale", "The location of the Worker."),
    requirements.ADULT: (
        "Worker_Adult",
        "Whether the Worker has acknowledged that HITs may have adult content.",
    ),
    requirements.PERCENT_APPROVED: (
        "Worker_PercentAssignmentsApproved",
        "The percentage of assignments submitted by a Worker that were approved.",
    ),
}


class Unwilling(Exception):  # noqa: N818, the worker is told why
    """The service does not let a worker ask for a qualification; the message is for the worker."""


@dataclasses.dataclass(frozen=True)
class Type:
    """A qualification type as stored. Times are seconds.

    Parameters
    ----------
    sequence : int
        Number in the order of creation; negative for system types.
    qualification_type_id, requester : str
        What it is and whose.
    created_at : int
        CreationTime.
    name, description : str
        As in the API.
    keywords : str or None
        As in the API.
    status : str
        Active or Inactive.
    test : str or None
        QuestionForm XML.
    test_duration_seconds : int or None
        Time for the test.
    answer_key : str or None
        AnswerKey XML.
    retry_delay_seconds : int or None
        None: one request ever.
    auto_granted : int
        1 if whoever asks is given it at once.
    auto_granted_value : int
        With this value.
    deleted_at : int or None
        When its deletion was asked for.
    """

    sequence: int
    qualification_type_id: str
    requester: str
    created_at: int
    name: str
    description: str
    keywords: str | None
    status: str
    test: str | None
    test_duration_seconds: int | None
    answer_key: str | None
    retry_delay_seconds: int | None
    auto_granted: int
    auto_granted_value: int
    deleted_at: int | None

    @property
    def is_system(self) -> bool:
        """Whether MTurk keeps it by itself."""
        return self.qualification_type_id in requirements.SYSTEM_TYPES


def system_types() -> list[Type]:
    """List the types that MTurk keeps by itself.

    Returns
    -------
    list of Type
        Active; nobody can request them.
    """
    return [
        Type(
            sequence=number - len(_SYSTEM_NAMES),
            qualification_type_id=type_id,
            requester=SYSTEM_OWNER,
            created_at=0,
            name=name,
            description=description,
            keywords=None,
            status="Active",
            test=None,
            test_duration_seconds=None,
            answer_key=None,
            retry_delay_seconds=None,
            auto_granted=0,
            auto_granted_value=1,
            deleted_at=None,
        )
        for number, (type_id, (name, description)) in enumerate(_SYSTEM_NAMES.items())
    ]


_TYPE = schema.qualification_types.select().where(
    schema.qualification_types.c.qualification_type_id == bindparam("id")
)


def find_type(connection: sqlalchemy.Connection, now: int, type_id: str) -> Type | None:
    """Look up a qualification type.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    now : int
        Seconds since 1970.
    type_id : str
        Its id.

    Returns
    -------
    Type or None
        None if there never was one, or its deletion is over.
    """
    if type_id in requirements.SYSTEM_TYPES:
        return next(one for one in system_types() if one.qualification_type_id == type_id)
    row = connection.execute(_TYPE, {"id": type_id}).one_or_none()
    found = None if row is None else Type(*row)
    return None if found is None or is_gone(connection, now, found) else found


def is_gone(connection: sqlalchemy.Connection, now: int, found: Type) -> bool:
    """Tell whether the deletion of a type is over.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    now : int
        Seconds since 1970.
    found : Type
        As stored.

    Returns
    -------
    bool
        False while it is not deleted, or being disposed of.
    """
    if found.deleted_at is None or now < found.deleted_at + DISPOSAL_SECONDS:
        return False
    return not connection.scalar(_IN_USE, {"id": found.qualification_type_id})


_IN_USE = select(
    exists().where(
        schema.hits.c.hit_type_id == schema.hit_type_requirements.c.hit_type_id,
        schema.hits.c.deleted_at.is_(None),
        schema.hit_type_requirements.c.qualification_type_id == bindparam("id"),
    )
)


def grant(
    connection: sqlalchemy.Connection, now: int, type_id: str, worker_id: str, value: int | None
) -> None:
    """Give a worker a qualification, or change its value.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    now : int
        Seconds since 1970.
    type_id, worker_id : str
        Which, and to whom.
    value : int or None
        Its value; None for one that only Exists asks about.
    """
    table = schema.qualifications
    values = {"status": "Granted", "value": value, "granted_at": now}
    key = (table.c.qualification_type_id == type_id, table.c.worker_id == worker_id)
    if not connection.execute(table.update().where(*key).values(values)).rowcount:
        names = {"qualification_type_id": type_id, "worker_id": worker_id}
        connection.execute(table.insert(), names | values)


def request(
    connection: sqlalchemy.Connection, now: int, type_id: str, worker_id: str
) -> sqlalchemy.Row[Any]:
    """Ask for a qualification that has no test.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    now : int
        Seconds since 1970.
    type_id, worker_id : str
        Which, and who asks.

    Returns
    -------
    sqlalchemy.Row
        The request: Granted at once, or Submitted, which waits for the owner.

    Raises
    ------
    Unwilling
        If the type can't be asked for, has a test, or was asked for before and the retry
        delay has not passed.
    """
    wanted = _requestable(connection, now, type_id, worker_id)
    if wanted.test is not None:
        raise Unwilling("This qualification has a test, which must be taken.")
    state = "Granted" if wanted.auto_granted else "Submitted"
    made = _insert(connection, wanted, worker_id, state, now, submitted_at=now)
    if wanted.auto_granted:
        grant(connection, now, type_id, worker_id, wanted.auto_granted_value)
    return made


def start_test(
    connection: sqlalchemy.Connection, now: int, type_id: str, worker_id: str
) -> sqlalchemy.Row[Any]:
    """Begin a test, or go on with one whose time is not over.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    now : int
        Seconds since 1970.
    type_id, worker_id : str
        Which, and who takes it.

    Returns
    -------
    sqlalchemy.Row
        The request, Testing, with the test and its deadline.

    Raises
    ------
    Unwilling
        As of :func:`request`, and if the type has no test.
    """
    latest = latest_request(connection, type_id, worker_id)
    if latest is not None and is_test_running(latest, now):
        return latest
    wanted = _requestable(connection, now, type_id, worker_id)
    if wanted.test is None:
        raise Unwilling("This qualification has no test; it is asked for as it is.")
    return _insert(
        connection,
        wanted,
        worker_id,
        "Testing",
        now,
        deadline=now + (wanted.test_duration_seconds or 0),
        test=wanted.test,
        answer_key=wanted.answer_key,
    )


def submit_test(
    connection: sqlalchemy.Connection,
    now: int,
    request_id: str,
    worker_id: str,
    fields: answers.Fields,
    files: uploads.Given,
) -> sqlalchemy.Row[Any]:
    """Hand in a test: graded at once if it has a key, else left to its owner.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    now : int
        Seconds since 1970.
    request_id, worker_id : str
        From :func:`start_test`.
    fields : sequence of (str, str)
        Names and values as the page posts them.
    files : mapping of str to (str, bytes)
        By QuestionIdentifier, names and contents of files.

    Returns
    -------
    sqlalchemy.Row
        The request, Granted or Submitted.

    Raises
    ------
    Unwilling
        If it is not this worker's, was handed in before, its time is over, or the type was
        deleted meanwhile.
    """
    table = schema.qualification_requests
    taken = find_request(connection, request_id)
    if taken is None or taken.worker_id != worker_id or taken.test is None:
        raise Unwilling("You are not taking this test.")
    if taken.state != "Testing":
        raise Unwilling("This test was handed in before.")
    if now >= taken.deadline:
        raise Unwilling("The time for this test is over.")
    asked = questions.parse(taken.test)
    for identifier, (name, content) in files.items():
        least, most = answers.file_bounds(asked, identifier)
        if not least <= len(content) <= most:
            raise Unwilling(f"The file must have {least} to {most} bytes.")
        uploads.add(connection, request_id, identifier, name, content)
    answer = answers.document(fields, asked, uploads.of_assignment(connection, request_id))
    graded = taken.answer_key is not None
    if graded:
        grade = grading.grade(grading.read_key(taken.answer_key), grading.chosen(answer))
        grant(connection, now, taken.qualification_type_id, worker_id, grade.value)
    state = "Granted" if graded else "Submitted"
    update = table.update().where(table.c.request_id == request_id)
    connection.execute(update.values(state=state, submitted_at=now, answer=answer))
    made = find_request(connection, request_id)
    assert made is not None, "it was changed a line above"
    return made


def find_request(connection: sqlalchemy.Connection, request_id: str) -> sqlalchemy.Row[Any] | None:
    """Look up a request.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    request_id : str
        Its id.

    Returns
    -------
    sqlalchemy.Row or None
        In whatever state: Testing, Submitted, Granted or Rejected.
    """
    table = schema.qualification_requests
    return connection.execute(table.select().where(table.c.request_id == request_id)).one_or_none()


def why_not(
    connection: sqlalchemy.Connection, now: int, wanted: Type, worker_id: str
) -> str | None:
    """Tell why a worker can't ask for a qualification.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    now : int
        Seconds since 1970.
    wanted : Type
        Which.
    worker_id : str
        Who asks.

    Returns
    -------
    str or None
        A sentence for the worker; None if nothing is in the way.
    """
    if wanted.is_system or wanted.deleted_at is not None or wanted.status != "Active":
        return "This qualification cannot be requested."
    if workforce.is_blocked(connection, wanted.requester, worker_id):
        return "The requester of this qualification does not work with you."
    latest = latest_request(connection, wanted.qualification_type_id, worker_id)
    if latest is None:
        return None
    if latest.state == "Submitted":
        return "You have asked for this qualification; its requester has not decided yet."
    if wanted.retry_delay_seconds is None:
        return "You have asked for this qualification before, and it can be asked for only once."
    if now < latest.asked_at + wanted.retry_delay_seconds:
        seconds = latest.asked_at + wanted.retry_delay_seconds - now
        return f"You can ask for this qualification again in {seconds} seconds."
    return None


def latest_request(
    connection: sqlalchemy.Connection, type_id: str, worker_id: str
) -> sqlalchemy.Row[Any] | None:
    """Look up the latest request of a worker's for a type.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    type_id, worker_id : str
        For which type, and whose.

    Returns
    -------
    sqlalchemy.Row or None
        The request, in whatever state; None if there was never one.
    """
    table = schema.qualification_requests
    query = table.select().where(
        table.c.worker_id == worker_id, table.c.qualification_type_id == type_id
    )
    return connection.execute(query.order_by(table.c.sequence.desc()).limit(1)).one_or_none()


def is_test_running(request: sqlalchemy.Row[Any], now: int) -> bool:
    """Tell whether a request is for a test that can still be handed in.

    Parameters
    ----------
    request : sqlalchemy.Row
        For a qualification.
    now : int
        Seconds since 1970.

    Returns
    -------
    bool
    """
    return request.state == "Testing" and bool(now < request.deadline)


def _requestable(connection: sqlalchemy.Connection, now: int, type_id: str, worker_id: str) -> Type:
    wanted = find_type(connection, now, type_id)
    if wanted is None:
        raise Unwilling(f"There is no qualification type {type_id}.")
    reason = why_not(connection, now, wanted, worker_id)
    if reason is not None:
        raise Unwilling(reason)
    return wanted


def _insert(
    connection: sqlalchemy.Connection,
    wanted: Type,
    worker_id: str,
    state: str,
    now: int,
    **more: object,
) -> sqlalchemy.Row[Any]:
    request_id = ids.new_entity_id()
    values = {
        "request_id": request_id,
        "qualification_type_id": wanted.qualification_type_id,
        "worker_id": worker_id,
        "state": state,
        "asked_at": now,
        **more,
    }
    connection.execute(schema.qualification_requests.insert(), values)
    made = find_request(connection, request_id)
    assert made is not None, "it was put there a line above"
    return made
