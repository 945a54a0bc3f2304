"""Which HIT a link has next for a participant, and what the participant would need for one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import select

from turkbatch.server import qualifying, recruiting, requirements, schema, workforce


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A qualification that a participant can ask for, to go on.

    Parameters
    ----------
    qualification_type_id, name, description : str
        As in the API.
    has_test : bool
        Whether it is asked for by a test.
    """

    qualification_type_id: str
    name: str
    description: str
    has_test: bool


class Choice:
    """What a link has for a participant, in a transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        From :func:`sweep.writing`.
    now : int
        From there, too.
    link : Link
        Whose HITs.
    worker_id : str
        For whom.
    """

    def __init__(
        self, connection: sqlalchemy.Connection, now: int, link: recruiting.Link, worker_id: str
    ) -> None:
        self._connection = connection
        self._now = now
        self._worker_id = worker_id
        self.is_closed = False
        self.wanted: tuple[Wanted, ...] = ()
        self.waiting = False
        hits, types, work = schema.hits, schema.hit_types, schema.link_work
        named = select(work.c.id).where(work.c.link_id == link.link_id)
        taken = schema.assignments
        had = select(taken.c.hit_id).where(
            taken.c.hit_id == hits.c.hit_id, taken.c.worker_id == worker_id
        )
        kept = had.where(taken.c.state.not_in(["Returned", "Abandoned"]))
        blocks = schema.worker_blocks
        blocked = select(blocks.c.requester).where(blocks.c.worker_id == worker_id)
        self._open = (
            select(hits.c.hit_id)
            .join(types, types.c.hit_type_id == hits.c.hit_type_id)
            .where(
                hits.c.status == "Assignable",
                hits.c.hit_type_id.in_(named.where(work.c.kind == "hit_type"))
                | named.where(work.c.kind == "hit", work.c.id == hits.c.hit_id).exists(),
                ~kept.exists(),
            )
        )
        self._fresh = ~had.exists()
        self._welcome = hits.c.requester.not_in(blocked)

    def hit(self) -> str | None:
        """Choose a HIT; if there is none, find out what could be done about it."""
        types = schema.hit_types
        found = self._oldest(types.c.requirements == "[]")
        if found is not None:
            return found
        admitted = self._admitted_types()
        return self._oldest(types.c.hit_type_id.in_(admitted)) if admitted else None

    def _oldest(self, which: sqlalchemy.ColumnElement[bool]) -> str | None:
        query = self._open.where(which, self._welcome).order_by(schema.hits.c.sequence).limit(1)
        return self._connection.scalar(query.where(self._fresh)) or self._connection.scalar(query)

    def _admitted_types(self) -> list[str]:
        hits, types = schema.hits, schema.hit_types
        query = self._open.with_only_columns(
            types.c.hit_type_id, types.c.requirements, hits.c.requester
        ).distinct()
        rows = self._connection.execute(query).all()
        self.is_closed = bool(rows)
        if not rows:
            return []
        standing = workforce.standing(self._connection, self._worker_id)
        admitted, wanted = [], {}
        for row in rows:
            unmet = requirements.unmet(standing, json.loads(row.requirements), "Accept")
            if not unmet:
                admitted.append(row.hit_type_id)
            elif not workforce.is_blocked(self._connection, row.requester, self._worker_id):
                for one in self._obtainable(standing, unmet):
                    wanted[one.qualification_type_id] = one
        self.wanted = tuple(wanted.values())
        return admitted

    def _obtainable(
        self, standing: requirements.Standing, unmet: Sequence[Mapping[str, Any]]
    ) -> list[Wanted]:
        """List what can be asked for now, if all that is missing can be had in the end."""
        found, waits = [], False
        for one in unmet:
            type_id = one["QualificationTypeId"]
            known = qualifying.find_type(self._connection, self._now, type_id)
            if known is None or one["Comparator"] == "DoesNotExist":
                return []
            latest = qualifying.latest_request(self._connection, type_id, self._worker_id)
            if latest is not None and latest.state == "Submitted":
                waits = True
                continue
            is_testing = latest is not None and qualifying.is_test_running(latest, self._now)
            if not is_testing and qualifying.why_not(
                self._connection, self._now, known, self._worker_id
            ):
                return []
            if known.auto_granted and not _would_do(standing, known, one):
                return []
            has_test = known.test is not None
            found.append(Wanted(type_id, known.name, known.description, has_test))
        self.waiting = self.waiting or (waits and not found)
        return found


def _would_do(
    standing: requirements.Standing, known: qualifying.Type, required: Mapping[str, Any]
) -> bool:
    granted = {**standing.granted, known.qualification_type_id: known.auto_granted_value}
    return requirements.is_met(dataclasses.replace(standing, granted=granted), required)
