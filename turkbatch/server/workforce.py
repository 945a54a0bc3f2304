"""What is known about workers: facts, history, qualifications, blocks, and what they are told.

A worker's approval rate and counts follow from the history on this server, to which work done
elsewhere before can be added. Locale, Masters and adult content are facts that are set, since
nothing here could find them out.

Any id of MTurk's form is taken for a worker who exists, unless the service is told to know
its workers; then those exist who were registered, or have a history here. Ids of another form
are those of people who have an account here, or came by a recruiting link.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_QualificationRequirementDataStructureArticle.html.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import sqlalchemy
from sqlalchemy import bindparam, exists, func, select

from turkbatch.server import lifecycle, refusals, requirements, schema

# As MTurk's own, for whom nothing more is asked.
_MTURK_ID: Final = re.compile(r"A[A-Z0-9]{1,63}\Z", re.ASCII)
# What platforms call their participants, and labs their annotators.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")
_SUBDIVISION: Final = re.compile(r"[A-Z0-9]{2}\Z")


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is set about a worker.

    Parameters
    ----------
    country : str or None
        ISO 3166, two capital letters.
    subdivision : str or None
        ISO 3166-2 without the country, such as ``CA``.
    masters, adult : bool
        Whether the worker is a Master, and has agreed to adult content.
    approved_before, rejected_before : int
        Assignments elsewhere, before this server.

    Raises
    ------
    ValueError
        If a country or subdivision has another form, or a count is negative.
    """

    country: str | None = None
    subdivision: str | None = None
    masters: bool = False
    adult: bool = False
    approved_before: int = 0
    rejected_before: int = 0

    def __post_init__(self) -> None:
        if self.country is not None and not _COUNTRY.match(self.country):
            raise ValueError(f'"{self.country}" is no country: two capital letters are needed')
        if self.subdivision is not None and not _SUBDIVISION.match(self.subdivision):
            raise ValueError(f'"{self.subdivision}" is no subdivision: two characters are needed')
        if self.subdivision is not None and self.country is None:
            raise ValueError("a subdivision needs its country")
        if min(self.approved_before, self.rejected_before) < 0:
            raise ValueError("a count of assignments cannot be negative")


_FACTS = schema.workers.select().where(schema.workers.c.worker_id == bindparam("worker"))


def facts(connection: sqlalchemy.Connection, worker_id: str) -> Facts | None:
    """Read what is set about a worker.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        The worker.

    Returns
    -------
    Facts or None
        None for one who was never registered.
    """
    row = connection.execute(_FACTS, {"worker": worker_id}).mappings().one_or_none()
    if row is None:
        return None
    values = {field.name: row[field.name] for field in dataclasses.fields(Facts)}
    return Facts(**values | {"masters": bool(row["masters"]), "adult": bool(row["adult"])})


def register(connection: sqlalchemy.Connection, worker_id: str, known: Facts) -> None:
    """Set what is known about a worker, who exists from now on.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    worker_id : str
        The worker.
    known : Facts
        In place of what was set before.
    """
    table = schema.workers
    values = dataclasses.asdict(known)
    values |= {"masters": int(known.masters), "adult": int(known.adult)}
    update = table.update().where(table.c.worker_id == worker_id).values(**values)
    if not connection.execute(update).rowcount:
        connection.execute(table.insert(), {"worker_id": worker_id, **values})


_COUNTS = select(
    *[
        func.count().filter(schema.assignments.c.state == state).label(state.lower())
        for state in lifecycle.VISIBLE_STATES
    ]
).where(schema.assignments.c.worker_id == bindparam("worker"))
_GRANTED = select(
    schema.qualifications.c.qualification_type_id, schema.qualifications.c.value
).where(
    schema.qualifications.c.worker_id == bindparam("worker"),
    schema.qualifications.c.status == "Granted",
)


def standing(
    connection: sqlalchemy.Connection, worker_id: str, *, trusted: Collection[str] = ()
) -> requirements.Standing:
    """Work out what requirements may ask about a worker.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        The worker.
    trusted : collection of str
        Types of which any requirement passes for met.

    Returns
    -------
    requirements.Standing
        As of now.
    """
    known = facts(connection, worker_id) or Facts()
    counts = connection.execute(_COUNTS, {"worker": worker_id}).one()
    approved = known.approved_before + counts.approved
    rejected = known.rejected_before + counts.rejected
    locale = requirements.Locale(known.country, known.subdivision) if known.country else None
    rows = connection.execute(_GRANTED, {"worker": worker_id})
    return requirements.Standing(
        locale=locale,
        masters=known.masters,
        adult=known.adult,
        approved=approved,
        rejected=rejected,
        submitted=approved + rejected + counts.submitted,
        granted={row.qualification_type_id: row.value for row in rows},
        trusted=trusted,
    )


def obstacles(
    connection: sqlalchemy.Connection,
    worker_id: str,
    required: str,
    action: requirements.Action,
    *,
    veteran: bool = False,
) -> list[Mapping[str, Any]]:
    """List the requirements that keep a worker from a HIT type's HITs.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        The worker.
    required : str
        The type's requirements as stored, in JSON.
    action : {"Accept", "Preview", "Discover"}
        What the worker wants to do.
    veteran : bool
        Whether the worker passes for whatever system types, and types that this server
        doesn't have, ask.

    Returns
    -------
    list of Mapping
        Empty if nothing is in the way.
    """
    if required == "[]":
        return []
    wanted = json.loads(required)
    trusted: Collection[str] = ()
    if veteran:
        ids = {one["QualificationTypeId"] for one in wanted}
        trusted = ids - _own_types(connection, ids)
        if trusted == ids:
            return []
    return requirements.unmet(standing(connection, worker_id, trusted=trusted), wanted, action)


_BLOCKED = select(
    exists().where(
        schema.worker_blocks.c.requester == bindparam("requester"),
        schema.worker_blocks.c.worker_id == bindparam("worker"),
    )
)


def is_blocked(connection: sqlalchemy.Connection, requester: str, worker_id: str) -> bool:
    """Tell whether a requester has blocked a worker.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    requester, worker_id : str
        Who.

    Returns
    -------
    bool
        True if so.
    """
    return bool(connection.scalar(_BLOCKED, {"requester": requester, "worker": worker_id}))


def exists_here(connection: sqlalchemy.Connection, worker_id: str) -> bool:
    """Tell whether a worker was registered here or has a history.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        The worker.

    Returns
    -------
    bool
        False for an id that is only well formed.
    """
    return any(
        connection.scalar(select(exists().where(table.c.worker_id == worker_id)))
        for table in (
            schema.workers,
            schema.assignments,
            schema.qualification_requests,
            schema.people,
        )
    )


def is_of_form(worker_id: str) -> bool:
    """Tell whether an id could be somebody's here.

    Parameters
    ----------
    worker_id : str
        As sent.

    Returns
    -------
    bool
        True for up to 64 letters, digits and ``._-``, beginning with a letter or digit.
    """
    return _ID.match(worker_id) is not None


def is_worker(connection: sqlalchemy.Connection, worker_id: str) -> bool:
    """Tell whether an id is a worker's: of MTurk's form, or that of a person who is here.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        As sent.

    Returns
    -------
    bool
        False for an id of another form that nobody has.
    """
    if _MTURK_ID.match(worker_id):
        return True
    people = schema.people
    return is_of_form(worker_id) and bool(
        connection.scalar(select(exists().where(people.c.worker_id == worker_id)))
    )


_TAKEN = select(
    sqlalchemy.or_(
        *[
            exists().where(table.c.worker_id == bindparam("worker"))
            for table in schema.metadata.sorted_tables
            if "worker_id" in table.c
        ]
    )
)


def is_taken(connection: sqlalchemy.Connection, worker_id: str) -> bool:
    """Tell whether anything here is already somebody's of this id.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        As sent.

    Returns
    -------
    bool
        True for people, and for ids that any record names.
    """
    return bool(connection.scalar(_TAKEN, {"worker": worker_id}))


def tell(
    connection: sqlalchemy.Connection,
    worker_id: str,
    *,
    requester: str,
    at: int,
    subject: str,
    text: str,
) -> None:
    """Write to a worker.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    worker_id, requester : str
        To whom, and from whom.
    at : int
        Seconds since 1970.
    subject, text : str
        The message.
    """
    values = {"worker_id": worker_id, "requester": requester, "at": at}
    connection.execute(schema.messages.insert(), values | {"subject": subject, "text": text})


def check_exists(connection: sqlalchemy.Connection, worker_id: str, *, known_only: bool) -> None:
    """Refuse a worker who doesn't exist.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    worker_id : str
        Of a worker's form.
    known_only : bool
        Whether the form is not enough.

    Raises
    ------
    Refusal
        ParameterValidationError, in the recorded wording for a worker of the other site.
    """
    if known_only and not exists_here(connection, worker_id):
        raise refusals.invalid_value("WorkerId", worker_id)


def _own_types(connection: sqlalchemy.Connection, ids: Collection[str]) -> set[str]:
    table = schema.qualification_types.c.qualification_type_id
    return set(connection.scalars(select(table).where(table.in_(ids))))
