"""What is known of one person: told as one document, and taken away.

Who is erased leaves a pseudonym, a worker's id in MTurk's form that was never anybody's: what
they did stays, so that results can still be read and counted, and nothing tells any more whose
it was. In one transaction

- every row that names the worker names the pseudonym instead;
- participant and session ids of platforms become the pseudonym, numbered; further parameters,
  addresses and browsers are emptied, and names of uploaded files replaced;
- in what they wrote, and what was written about them (answers, feedback, reasons, results of
  review policies), their ids are replaced, too: many pages post the worker's id along;
- the account, its password and invitations, and messages to the person are deleted.

What requesters wrote about others, and files' contents, are not looked into. An id of fewer
than six characters is replaced only where a whole field holds it and its name says that it is
an id: "7" is more often an answer than a person.

Databases keep old contents for a while after they were changed, so there is a second step,
:func:`overwrite`. That it is due is written down with the erasure itself, and whoever
comes next does it.

A group may have a term, after which people who did nothing more are erased by themselves.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import logging
import mimetypes
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import bindparam, exc, func, select

from turkbatch.server import (
    aliases,
    people,
    policies,
    schema,
    service,
    store,
    sweep,
    uploads,
    workforce,
)

_logger = logging.getLogger(__name__)

_DAY: Final = 86_400
_PENDING_SETTING: Final = "overwrite_due"
_LOOK_SECONDS: Final = 60.0
"""How often a running server looks whether there is something to be overwritten."""
_OWN_TEXTS: Final[Mapping[sqlalchemy.Table, Sequence[str]]] = {
    schema.assignments: ("answer", "feedback"),
    schema.late_answers: ("answer",),
    schema.qualification_requests: ("answer",),
    schema.bonuses: ("reason",),
    schema.worker_blocks: ("reason",),
    schema.visits: ("credit",),
}
"""Columns of rows about a worker that may hold an id within a text."""
_TEXTS: Final = [
    column
    for table in schema.metadata.sorted_tables
    for column in table.c
    if isinstance(column.type, sqlalchemy.Text)
]
"""What somebody may have written an id into; shorter columns hold ids, names and numbers."""
_DELETED: Final = (schema.messages, schema.invitations, schema.people)
"""Tables that a pseudonym has no rows in."""
_SECRET: Final = frozenset({"password_hash", "token_hash", "generation", "sequence"})
"""Columns that are no information about a person, or open an account."""
_MOMENTS: Final = frozenset({"at", "deadline", "holds_until", "locked_until"})


class ErasureError(ValueError):
    """What was asked can't be done; the message is for who asked."""


@dataclasses.dataclass(frozen=True)
class Erasure:
    """What became of people who were erased.

    Parameters
    ----------
    pseudonyms : Mapping
        The pseudonym of each worker id. It is not kept anywhere else.
    elsewhere : Mapping
        How many rows still name one of the ids, by table and column: what requesters wrote
        themselves. Empty unless it was asked for.
    """

    pseudonyms: Mapping[str, str]
    elsewhere: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class File:
    """A file that somebody handed in.

    Parameters
    ----------
    key : str
        As in the answer.
    name : str
        As it was called.
    content : bytes
        What it holds.
    """

    key: str
    name: str
    content: bytes


# Telling


def export(served: service.Service | store.Store, worker_id: str) -> dict[str, Any]:
    """Give all that is stored about one person.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who: a person, or any worker who has done something here.

    Returns
    -------
    dict
        For JSON: times as ISO 8601 in UTC, amounts in USD as strings. Without what opens
        their account.

    Raises
    ------
    ErasureError
        If nothing here is anybody's of this id.
    """
    with sweep.reading(service.store_of(served)) as (connection, now):
        _check_known(connection, worker_id)
        own = {
            table.name: _rows(connection, table, table.c.worker_id == worker_id)
            for table in schema.metadata.sorted_tables
            if "worker_id" in table.c and table is not schema.invitations
        }
        account = own.pop("people")
        for assignment in own["assignments"]:
            assignment.update(_about(connection, assignment))
        for asked in own["qualification_requests"]:
            asked["files"] = _files(connection, asked["request_id"])
        for consent in own["consents"]:
            consent["text"] = _consent_text(connection, consent)
        return {
            "worker_id": worker_id,
            "exported_at": _iso(now),
            "account": account[0] if account else None,
            **own,
        }


def files_of(served: service.Service | store.Store, worker_id: str) -> list[File]:
    """Give the files that somebody handed in.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who.

    Returns
    -------
    list of File
        In the order of uploading.
    """
    files = schema.uploads
    query = (
        select(files.c.file_key, files.c.file_name, files.c.content)
        .where(files.c.assignment_id.in_(uploads.owners(worker_id)))
        .order_by(files.c.sequence)
    )
    with service.store_of(served).read() as connection:
        return [File(row[0], row[1], bytes(row[2])) for row in connection.execute(query)]


# Taking away


def erase(
    served: service.Service | store.Store,
    *worker_ids: str,
    look_elsewhere: bool = False,
    on_erased: Callable[[str, str], None] = lambda _, __: None,
) -> Erasure:
    """Replace people by pseudonyms; what they hold is returned, and their sessions end.

    Each is erased in a transaction of its own, so that the site goes on meanwhile.

    Parameters
    ----------
    served : Service or Store
        Where.
    *worker_ids : str
        Who: people, or workers who have done something here.
    look_elsewhere : bool
        Whether to look through all other texts, too, and count those that name one of them.
    on_erased : callable
        Told each worker id and its pseudonym, once that is done.

    Returns
    -------
    Erasure
        The only time that the pseudonyms are told.

    Raises
    ------
    ErasureError
        If one of the ids is nobody's here; nobody is erased then.
    """
    done: dict[str, str] = {}
    names: set[str] = set()
    database, wanted = service.store_of(served), tuple(dict.fromkeys(worker_ids))
    with database.read() as connection:
        for worker_id in wanted:
            _check_known(connection, worker_id)
    for worker_id in wanted:
        with sweep.writing(database) as (connection, now):
            _check_known(connection, worker_id)
            person = _Leaving(connection, now, worker_id)
            person.leave()
        done[worker_id] = person.pseudonym
        names |= person.names.keys()
        on_erased(worker_id, person.pseudonym)
    return Erasure(done, _mentions(database, names) if look_elsewhere else {})


def idle(
    served: service.Service | store.Store, days: int, *, group: str | None = None
) -> list[str]:
    """List those who have done nothing for so many days, and have no work that is open.

    Parameters
    ----------
    served : Service or Store
        Where.
    days : int
        By the server's own clock.
    group : str, optional
        Of this group alone.

    Returns
    -------
    list of str
        Worker ids of people. Neither who has accepted something nor whose work waits for
        review is among them: they could no longer be paid.
    """
    with sweep.reading(service.store_of(served)) as (connection, now):
        return _idle(connection, now, days, group)


def apply_retention(database: store.Store) -> list[str]:
    """Erase those whose group's term is over, and overwrite what is due.

    Parameters
    ----------
    database : Store
        Of the server.

    Returns
    -------
    list of str
        Their pseudonyms.
    """
    terms = select(schema.groups.c.name, schema.groups.c.retention_days)
    terms = terms.where(schema.groups.c.retention_days.is_not(None))
    with sweep.reading(database) as (connection, now):
        over = [
            (worker_id, days, name)
            for name, days in connection.execute(terms).all()
            for worker_id in _idle(connection, now, days, name)
        ]
    made = []
    for worker_id, days, name in over:
        # One at a time, so that the site goes on meanwhile; who came back in between stays.
        with sweep.writing(database) as (connection, now):
            if worker_id in _idle(connection, now, days, name, worker_id):
                person = _Leaving(connection, now, worker_id)
                person.leave()
                made.append(person.pseudonym)
    overwrite(database)
    return made


def overwrite(database: store.Store) -> bool:
    """Overwrite what erased people have left in the database's files, if anything is due.

    An SQLite file is written anew, for which there must be room beside it; on PostgreSQL
    the old rows' places are freed, and written over as time goes on.

    Parameters
    ----------
    database : Store
        Of the server, which may be in use.

    Returns
    -------
    bool
        False if it could not be done now; it stays due then.
    """
    table = schema.settings
    due = select(table.c.value).where(table.c.name == _PENDING_SETTING)
    with database.read() as connection:
        mark = connection.scalar(due)
    if mark is None:
        return True
    if not database.overwrite_deleted():
        return False
    with database.write() as connection:
        # Of an erasure since then there is another mark, which stays.
        connection.execute(
            table.delete().where(table.c.name == _PENDING_SETTING, table.c.value == mark)
        )
    return True


@contextlib.contextmanager
def keeping_terms(database: store.Store) -> Iterator[None]:
    """Keep groups' terms while a server runs: at once, and each day.

    Parameters
    ----------
    database : Store
        Of the server.

    Yields
    ------
    None
        While a thread looks after it.
    """
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=[database, over], daemon=True, name="terms")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _keep(database: store.Store, over: threading.Event) -> None:
    looks = round(_DAY / _LOOK_SECONDS)
    look = 0
    while True:
        try:
            if look % looks == 0:
                made = apply_retention(database)
                if made:
                    _logger.info("%d people were erased, as their groups' terms say", len(made))
            else:
                overwrite(database)
        except (exc.SQLAlchemyError, store.StoreError):
            _logger.exception("groups' terms could not be kept; it is tried again")
            look -= 1
        look += 1
        if over.wait(_LOOK_SECONDS):
            return


class _Leaving:
    """Somebody who is being erased, in one transaction."""

    def __init__(self, connection: sqlalchemy.Connection, now: int, worker_id: str) -> None:
        self._connection = connection
        self._now = now
        self._worker_id = worker_id
        self.pseudonym = people.new_worker_id(connection)
        self._account = connection.execute(
            schema.people.select().where(schema.people.c.worker_id == worker_id)
        ).one_or_none()
        self._visits = connection.execute(
            schema.visits.select()
            .where(schema.visits.c.worker_id == worker_id)
            .order_by(schema.visits.c.sequence)
        ).all()
        self._participants = {row.participant_id for row in self._visits}
        if self._account is not None and self._account.participant_id is not None:
            self._participants.add(self._account.participant_id)
        self.names = self._all_names()
        self._texts = aliases.Aliases(self.names)

    def leave(self) -> None:
        """Do all of it."""
        people.give_back(self._connection, self._now, self._worker_id)
        self._clean_own_texts()
        self._clean_reviews()
        self._clean_notifications()
        self._clean_uploads()
        self._clean_submissions()
        self._clean_visits()
        for table in _DELETED:
            self._connection.execute(table.delete().where(table.c.worker_id == self._worker_id))
        for table in schema.metadata.sorted_tables:
            if "worker_id" in table.c and table not in _DELETED:
                self._connection.execute(
                    table.update().where(table.c.worker_id == self._worker_id),
                    {"worker_id": self.pseudonym},
                )
        _note_due(self._connection, self.pseudonym)

    def _all_names(self) -> dict[str, str]:
        """Pair each of their ids with what takes its place."""
        sessions = dict.fromkeys(row.session_id for row in self._visits if row.session_id)
        names = {one: f"{self.pseudonym}.{number}" for number, one in enumerate(sessions, 1)}
        # Last: where a session has the person's id for its own, it is the person's.
        return names | dict.fromkeys([self._worker_id, *self._participants], self.pseudonym)

    def _clean_own_texts(self) -> None:
        for table, columns in _OWN_TEXTS.items():
            rows = self._connection.execute(
                table.select().where(table.c.worker_id == self._worker_id)
            )
            for row in rows.mappings().all():
                changes = {
                    name: self._texts.in_column(name, row[name])
                    for name in columns
                    if row[name] is not None
                }
                self._change(table, row, changes)

    def _clean_reviews(self) -> None:
        table, work = schema.review_records, schema.assignments
        mine = select(work.c.hit_id).where(work.c.worker_id == self._worker_id)
        rows = self._connection.execute(table.select().where(table.c.hit_id.in_(mine)))
        for row in rows.mappings().all():
            new = self._texts.in_json(row["record"])
            self._change(table, row, {} if new == row["record"] else {"record": new})

    def _clean_notifications(self) -> None:
        table = schema.notifications
        for name in self._texts.distinct:
            named = table.select().where(table.c.body.contains(name, autoescape=True))
            for row in self._connection.execute(named).mappings().all():
                self._change(table, row, {"body": self._texts.in_json(row["body"])})

    def _clean_uploads(self) -> None:
        table, mine = schema.uploads, uploads.owners(self._worker_id)
        query = select(table.c.sequence, table.c.file_name, table.c.file_key)
        rows = self._connection.execute(query.where(table.c.assignment_id.in_(mine)))
        for row in rows.mappings().all():
            # What kind of file it is tells nothing of whose it is; another ending may.
            given = Path(row["file_name"])
            suffix = given.suffix if mimetypes.guess_type(given.name)[0] else ""
            self._change(table, row, {"file_name": row["file_key"] + suffix})

    def _clean_submissions(self) -> None:
        """Rewrite what the platform said of their sessions, also of those that never came."""
        table, links = schema.platform_submissions, schema.links
        visited = {row.link_id for row in self._visits}
        if self._account is not None:
            own = select(links.c.link_id).where(
                links.c.group_name == self._account.group_name,
                links.c.provider == self._account.origin,
            )
            visited |= set(self._connection.scalars(own))
        rows = self._connection.execute(
            table.select().where(
                table.c.link_id.in_(visited), table.c.participant_id.in_(self._participants)
            )
        )
        for number, row in enumerate(rows.mappings().all(), len(self._visits) + 1):
            session = self.names.get(row["session_id"], f"{self.pseudonym}.{number}")
            self._change(table, row, {"session_id": session, "participant_id": self.pseudonym})

    def _clean_visits(self) -> None:
        table = schema.visits
        for row in self._visits:
            changes: dict[str, Any] = {
                "participant_id": self.pseudonym,
                "session_id": self.names.get(row.session_id, ""),
                "extras": "{}",
                "address": None,
                "browser": None,
            }
            if row.state == "working":
                changes |= {"state": "left", "holds_until": None, "ended_at": self._now}
            self._change(table, row._mapping, changes)
        self._connection.execute(
            schema.consents.update().where(schema.consents.c.worker_id == self._worker_id),
            {"address": None, "browser": None},
        )

    def _change(
        self, table: sqlalchemy.Table, row: sqlalchemy.RowMapping, changes: Mapping[str, Any]
    ) -> None:
        if not changes:
            return
        statement = table.update().values(**changes)
        for column in table.primary_key:
            statement = statement.where(column == row[column.name])
        self._connection.execute(statement)


def _check_known(connection: sqlalchemy.Connection, worker_id: str) -> None:
    if not workforce.is_taken(connection, worker_id):
        raise ErasureError(f'nothing here is of anybody called "{worker_id}"')


def _note_due(connection: sqlalchemy.Connection, mark: str) -> None:
    table = schema.settings
    connection.execute(table.delete().where(table.c.name == _PENDING_SETTING))
    connection.execute(table.insert(), {"name": _PENDING_SETTING, "value": mark})


def _idle(
    connection: sqlalchemy.Connection,
    now: int,
    days: int,
    group: str | None,
    worker_id: str | None = None,
) -> list[str]:
    limit = now - days * _DAY
    who, work, visits = schema.people, schema.assignments, schema.visits
    asked, said = schema.qualification_requests, schema.consents
    worked = select(work.c.sequence).where(
        work.c.worker_id == who.c.worker_id,
        work.c.state.in_(["Accepted", "Submitted"])
        | (work.c.accepted_at > limit)
        | (work.c.submitted_at > limit),
    )
    came = select(visits.c.sequence).where(
        visits.c.worker_id == who.c.worker_id,
        (visits.c.arrived_at > limit) | (visits.c.ended_at > limit) | (visits.c.holds_until > now),
    )
    applied = select(asked.c.sequence).where(
        asked.c.worker_id == who.c.worker_id,
        (asked.c.asked_at > limit) | (asked.c.submitted_at > limit),
    )
    spoke = select(said.c.sequence).where(said.c.worker_id == who.c.worker_id, said.c.at > limit)
    query = select(who.c.worker_id).where(
        # Only the day is known: they may have been here at its end.
        who.c.seen_at <= limit - _DAY,
        ~worked.exists(),
        ~came.exists(),
        ~applied.exists(),
        ~spoke.exists(),
    )
    if group is not None:
        query = query.where(who.c.group_name == group)
    if worker_id is not None:
        query = query.where(who.c.worker_id == worker_id)
    return list(connection.scalars(query.order_by(who.c.worker_id)))


def _mentions(database: store.Store, names: set[str]) -> dict[str, int]:
    """Count the rows that hold one of some ids, in any text of any table."""
    patterns = [f"%{_literally(name.lower())}%" for name in names if len(name) >= aliases.DISTINCT]
    found = {}
    with database.read() as connection:
        for column in _TEXTS:
            # One id at a time: the statement stays the same, and short.
            named = func.lower(column).like(bindparam("pattern"), escape="\\")
            count = select(func.count()).select_from(column.table).where(named)
            rows = sum(connection.scalar(count, {"pattern": one}) or 0 for one in patterns)
            if rows:
                found[f"{column.table.name}.{column.name}"] = rows
    return found


def _literally(name: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", name)


def _rows(
    connection: sqlalchemy.Connection,
    table: sqlalchemy.Table,
    which: sqlalchemy.ColumnElement[bool],
) -> list[dict[str, Any]]:
    columns = [one for one in table.c if one.name not in _SECRET and one.name != "content"]
    query = select(*columns).where(which).order_by(*table.primary_key)
    return [
        dict(_shown(name, value) for name, value in row.items())
        for row in connection.execute(query).mappings()
    ]


def _shown(name: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401, of any column
    if value is not None and (name in _MOMENTS or name.endswith("_at")):
        return name, _iso(value)
    if name.endswith("_cents"):
        return name.removesuffix("_cents"), None if value is None else f"{value / 100:.2f}"
    if name == "extras":
        return name, json.loads(value)
    return name, value


def _about(connection: sqlalchemy.Connection, assignment: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what an assignment was, and what was handed in with it."""
    hits, types = schema.hits, schema.hit_types
    task = connection.execute(
        select(types.c.title, types.c.description, hits.c.reward_cents, hits.c.requester)
        .join(types, types.c.hit_type_id == hits.c.hit_type_id)
        .where(hits.c.hit_id == assignment["hit_id"])
    ).one()
    assignment_id = assignment["assignment_id"]
    did = schema.visit_assignments
    return {
        "answers": {
            name: list(values) for name, values in policies.answers_of(assignment["answer"]).items()
        },
        "title": task.title,
        "description": task.description,
        "reward": f"{task.reward_cents / 100:.2f}",
        "requester": task.requester,
        "visit_id": connection.scalar(
            select(did.c.visit_id).where(did.c.assignment_id == assignment_id)
        ),
        "files": _files(connection, assignment_id),
    }


def _files(connection: sqlalchemy.Connection, owner: str) -> list[dict[str, Any]]:
    table = schema.uploads
    return _rows(connection, table, table.c.assignment_id == owner)


def _consent_text(connection: sqlalchemy.Connection, consent: Mapping[str, Any]) -> str | None:
    table = schema.consent_texts
    return connection.scalar(
        select(table.c.text).where(
            table.c.group_name == consent["group_name"], table.c.version == consent["version"]
        )
    )


def _iso(moment: int) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat()
