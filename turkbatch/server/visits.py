"""Visits as they are stored: one participant's way through one session of a recruiting link.

=============  ===========================================================================
state          meaning
=============  ===========================================================================
working        holds a place until a moment, and HITs of the link
completed      has done the link's number of HITs, or all that there were; keeps the place
screened_out   does not meet what the HITs require
full           came when there was no place or no HIT
no_consent     did not agree to the group's text
left           went by the button; may arrive again and go on, if there is a place
timed_out      the time of the place ran out; likewise
late           then handed in answers when their place was another's: kept, and payable
returned       the platform, or the requester, took the participant back
repeated       a new session of a person who had taken part before
=============  ===========================================================================

What makes them change is in :mod:`turkbatch.server.links`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final, Literal

import sqlalchemy

from turkbatch.server import schema

State = Literal[
    "working",
    "completed",
    "screened_out",
    "full",
    "no_consent",
    "left",
    "timed_out",
    "late",
    "returned",
    "repeated",
]
FINISHED: Final = ("completed", "screened_out", "no_consent", "late")
"""After these, a person has taken part."""
RESUMABLE: Final = ("left", "timed_out")
"""From these, the same session can go on if there is a place."""
UNPROVEN: Final = "nothing"
"""What proves the ids of a visit that nothing does; else ``api`` or ``token``."""

_visits = schema.visits


@dataclasses.dataclass(frozen=True)
class Visit:
    """One participant's way through one session of a link.

    Parameters
    ----------
    visit_id, link_id, worker_id : str
        Which, of what, and as whom.
    participant_id, study_id, session_id : str
        As the platform gave them.
    extras : Mapping
        Further parameters that were kept.
    verified : str
        What proves the ids.
    state : str
        As the module says.
    arrived_at : int
        Seconds since 1970.
    holds_until, ended_at : int or None
        Until when a place is kept, and when the visit was over.
    credit : str or None
        What came of asking the platform for credit: ``asked``, ``granted``, or why not.
    """

    visit_id: str
    link_id: str
    worker_id: str
    participant_id: str
    study_id: str
    session_id: str
    extras: Mapping[str, Any]
    verified: str
    state: str
    arrived_at: int
    holds_until: int | None
    ended_at: int | None
    credit: str | None

    @property
    def is_open(self) -> bool:
        """Whether the participant is at work."""
        return self.state == "working"


def from_row(row: sqlalchemy.Row[Any]) -> Visit:
    """Read a visit.

    Parameters
    ----------
    row : sqlalchemy.Row
        Of the table.

    Returns
    -------
    Visit
    """
    names = [field.name for field in dataclasses.fields(Visit)]
    values = {name: getattr(row, name) for name in names}
    return Visit(**values | {"extras": json.loads(row.extras)})


def find(connection: sqlalchemy.Connection, visit_id: str) -> Visit | None:
    """Look up a visit; None if there is none of that id."""
    row = connection.execute(_visits.select().where(_visits.c.visit_id == visit_id)).one_or_none()
    return None if row is None else from_row(row)


def of_session(
    connection: sqlalchemy.Connection, link_id: str, participant_id: str, session_id: str
) -> Visit | None:
    """Look up a participant's visit by the platform's session; None if it is the first."""
    query = _visits.select().where(
        _visits.c.link_id == link_id,
        _visits.c.participant_id == participant_id,
        _visits.c.session_id == session_id,
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else from_row(row)


def of_participant(
    connection: sqlalchemy.Connection, link_id: str, participant_id: str
) -> list[Visit]:
    """List the visits of a participant, the latest first."""
    query = (
        _visits.select()
        .where(_visits.c.link_id == link_id, _visits.c.participant_id == participant_id)
        .order_by(_visits.c.sequence.desc())
    )
    return [from_row(row) for row in connection.execute(query)]


def open_of_worker(connection: sqlalchemy.Connection, now: int, worker_id: str) -> list[Visit]:
    """List somebody's visits that are not over, the latest first."""
    query = (
        _visits.select()
        .where(
            _visits.c.worker_id == worker_id,
            _visits.c.state == "working",
            _visits.c.holds_until > now,
        )
        .order_by(_visits.c.sequence.desc())
    )
    return [from_row(row) for row in connection.execute(query)]


def change(connection: sqlalchemy.Connection, changed: Visit, **values: Any) -> Visit:  # noqa: ANN401, columns
    """Change columns of a visit, in a writing transaction; give it as it is then."""
    connection.execute(
        _visits.update().where(_visits.c.visit_id == changed.visit_id).values(**values)
    )
    found = find(connection, changed.visit_id)
    assert found is not None, "it was found before"
    return found
