"""Journals of a batch: what was asked for, what came of it, and the state that follows.

A journal is an append-only file of JSON lines. Before a request one line says what is
about to be asked; after it one line says what came back. The state is derived from the
lines and from nothing else, so it is right after a crash between any two of them: an
intent without an outcome is exactly a request of which nobody knows whether it was done.

So an intent is on disk before its request is sent, while an outcome is written at once and
reaches the disk with the next intent: should the power fail before that, the outcome is
asked for again.

``uploads.jsonl``, one HIT a row of the data::

    {"event": "intent", "row": 0, "token": "...", "time": "...", "service_time": "..."}
    {"event": "created", "row": 0, "hit_id": "...", "time": "..."}
    {"event": "adopted", "row": 0, "hit_id": "...", "time": "..."}    made by an earlier intent
    {"event": "refused", "row": 0, "error": "...", "time": "..."}     nothing was made

``reviews.jsonl``, one decision an assignment::

    {"event": "intent", "assignment_id": "...", "action": "approve", "feedback": "...", ...}
    {"event": "done", "assignment_id": "...", "action": "approve", "time": "..."}
    {"event": "refused", "assignment_id": "...", "action": "approve", "error": "...", ...}

``changes.jsonl``, expiries, extensions and deletions of HITs::

    {"event": "done", "action": "delete", "hit_id": "...", "time": "..."}
    {"event": "extension", "id": "...", "assignments": 2, "hours": 24, "time": "..."}
    {"event": "intent", "action": "extend", "extension": "...", "hit_id": "...",
     "assignments_before": 3, "expire_at": "...", "time": "..."}
    {"event": "done", "action": "extend", "extension": "...", "hit_id": "...", "time": "..."}
    {"event": "extended", "id": "...", "time": "..."}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from turkbatch import files

Record = Mapping[str, Any]
Action = Literal["approve", "reject", "override"]
"""``override`` approves what was rejected."""


def timestamp(moment: datetime | None = None) -> str:
    """Write a moment (now, unless given) as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.now(UTC) if moment is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")


@dataclasses.dataclass(frozen=True)
class Intent:
    """A HIT that was asked for, and perhaps made.

    Parameters
    ----------
    row : int
        The row it is for.
    first, last : datetime
        When it was first and last asked for, by our clock.
    service_first, service_last : datetime, optional
        The same by the clock of the service, as far as its replies had told it.
    unanswered : int
        How many of the requests have no known outcome.
    """

    row: int
    first: datetime
    last: datetime
    service_first: datetime | None
    service_last: datetime | None
    unanswered: int = 1


@dataclasses.dataclass(frozen=True)
class UploadState:
    """What has become of the rows of a batch.

    Parameters
    ----------
    hits : dict of int to str
        The HIT of each row that has one.
    open : dict of int to Intent
        Rows that were asked for and whose outcome is not known.
    """

    hits: Mapping[int, str]
    open: Mapping[int, Intent]

    def hit_ids(self, rows: int) -> list[str | None]:
        """Give the HIT ids in the order of the rows; None where there is none yet."""
        return [self.hits.get(row) for row in range(rows)]

    def complete(self, rows: int) -> bool:
        """Whether every row has its HIT."""
        return len(self.hits) >= rows


def replay_uploads(records: Iterable[Record]) -> UploadState:
    """Derive the state of an upload from its journal.

    Parameters
    ----------
    records : iterable of dict
        The journal's lines, in order.

    Returns
    -------
    UploadState
    """
    hits: dict[int, str] = {}
    intents: dict[int, Intent] = {}
    for record in records:
        row = record["row"]
        if record["event"] == "intent":
            intents[row] = _asked(record, intents.get(row))
        elif record["event"] in {"created", "adopted"}:
            # Should a row ever be given two HITs, the first one stays the row's.
            hits.setdefault(row, record["hit_id"])
            intents.pop(row, None)
        elif record["event"] == "refused" and row in intents:
            # It answers the last request only; an earlier, unanswered one stays open.
            intent = intents.pop(row)
            if intent.unanswered > 1:
                intents[row] = dataclasses.replace(intent, unanswered=intent.unanswered - 1)
    return UploadState(hits, {row: one for row, one in intents.items() if row not in hits})


def _asked(record: Record, before: Intent | None) -> Intent:
    asked = datetime.fromisoformat(record["time"])
    told = record.get("service_time")
    service = datetime.fromisoformat(told) if told else None
    if before is None:
        return Intent(record["row"], asked, asked, service, service)
    return Intent(
        record["row"],
        before.first,
        asked,
        before.service_first or service,
        service or before.service_last,
        before.unanswered + 1,
    )


class Uploads:
    """The journal of an upload, open for writing."""

    def __init__(self, path: Path) -> None:
        self._log = files.Log(path)

    def intend(self, row: int, token: str, service_time: datetime | None) -> None:
        """Write down that a HIT is about to be asked for."""
        told = None if service_time is None else timestamp(service_time)
        self._log.append(
            {
                "event": "intent",
                "row": row,
                "token": token,
                "time": timestamp(),
                "service_time": told,
            }
        )

    def created(self, row: int, hit_id: str) -> None:
        """Write down the HIT that a reply named."""
        self._log.note({"event": "created", "row": row, "hit_id": hit_id, "time": timestamp()})

    def adopted(self, row: int, hit_id: str) -> None:
        """Write down the HIT that an earlier request turned out to have made."""
        self._log.note({"event": "adopted", "row": row, "hit_id": hit_id, "time": timestamp()})

    def refused(self, row: int, error: Exception) -> None:
        """Write down that the service refused, and so made nothing."""
        self._log.note({"event": "refused", "row": row, "error": str(error), "time": timestamp()})

    def close(self) -> None:
        """Close the file."""
        self._log.close()


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is to become of an assignment.

    Parameters
    ----------
    assignment_id : str
        The assignment.
    action : {"approve", "reject", "override"}
        What to do; ``override`` turns a rejection back.
    feedback : str
        What the worker is told; required by MTurk for a rejection.
    """

    assignment_id: str
    action: Action
    feedback: str = ""


@dataclasses.dataclass(frozen=True)
class ReviewState:
    """What is known of the decisions on a batch.

    Parameters
    ----------
    done : dict of str to str
        The action that took effect, by assignment id.
    open : dict of str to Decision
        Decisions that were sent and whose outcome is not known.
    """

    done: Mapping[str, str]
    open: Mapping[str, Decision]


def replay_reviews(records: Iterable[Record]) -> ReviewState:
    """Derive what is known of a batch's reviews from their journal."""
    done: dict[str, str] = {}
    intents: dict[str, Decision] = {}
    for record in records:
        key = record["assignment_id"]
        if record["event"] == "intent":
            intents[key] = Decision(key, record["action"], record.get("feedback", ""))
        else:
            intents.pop(key, None)
            if record["event"] == "done":
                done[key] = record["action"]
    return ReviewState(done, intents)


class Reviews:
    """The journal of a batch's reviews, open for writing."""

    def __init__(self, path: Path) -> None:
        self._log = files.Log(path)

    def intend(self, decision: Decision) -> None:
        """Write down that a decision is about to be sent."""
        self._log.append(_decided("intent", decision))

    def done(self, decision: Decision) -> None:
        """Write down that a decision holds at the service."""
        self._log.note(_decided("done", decision))

    def refused(self, decision: Decision, error: Exception) -> None:
        """Write down that the service refused, and so changed nothing."""
        self._log.note({**_decided("refused", decision), "error": str(error)})

    def close(self) -> None:
        """Close the file."""
        self._log.close()


def _decided(event: str, decision: Decision) -> Record:
    return {
        "event": event,
        "assignment_id": decision.assignment_id,
        "action": decision.action,
        "feedback": decision.feedback,
        "time": timestamp(),
    }


Change = Literal["expire", "delete"]


@dataclasses.dataclass(frozen=True)
class ExtensionIntent:
    """What was about to be asked for one HIT of an extension.

    Parameters
    ----------
    hit_id : str
        The HIT.
    assignments_before : int
        Its ``MaxAssignments`` before the request, by which the outcome is told.
    expire_at : datetime or None
        The expiration that it is to have; None leaves it.
    """

    hit_id: str
    assignments_before: int
    expire_at: datetime | None


@dataclasses.dataclass(frozen=True)
class Extension:
    """An extension of a batch that was begun and not finished.

    Parameters
    ----------
    id : str
        32 hexadecimal digits, from which the requests' tokens are made.
    assignments : int
        More assignments for each HIT.
    hours : float
        Longer lifetime for each HIT.
    intents : dict of str to ExtensionIntent
        HITs that were about to be extended, by id.
    done : frozenset of str
        HITs that surely are.
    """

    id: str
    assignments: int
    hours: float
    intents: Mapping[str, ExtensionIntent]
    done: frozenset[str]


def replay_extension(records: Iterable[Record]) -> Extension | None:
    """Derive the extension that was begun last, if it is not finished."""
    begun: Record | None = None
    intents: dict[str, ExtensionIntent] = {}
    done: set[str] = set()
    for record in records:
        if record["event"] == "extension":
            begun, intents, done = record, {}, set()
        elif record["event"] == "extended":
            begun = None
        elif begun is None or record.get("extension") != begun["id"]:
            continue
        elif record["event"] == "intent":
            until = record["expire_at"]
            intents[record["hit_id"]] = ExtensionIntent(
                record["hit_id"],
                record["assignments_before"],
                datetime.fromisoformat(until) if until else None,
            )
        else:
            done.add(record["hit_id"])
    if begun is None:
        return None
    return Extension(begun["id"], begun["assignments"], begun["hours"], intents, frozenset(done))


def replay_changes(records: Iterable[Record], action: Change) -> set[str]:
    """Give the ids of the HITs to which an action was done."""
    return {
        record["hit_id"]
        for record in records
        if record["event"] == "done" and record["action"] == action
    }


class Changes:
    """The journal of what was done to a batch's HITs, open for writing."""

    def __init__(self, path: Path) -> None:
        self._log = files.Log(path)

    def done(self, action: Change, hit_id: str) -> None:
        """Write down that an action was done to a HIT."""
        self._log.note({"event": "done", "action": action, "hit_id": hit_id, "time": timestamp()})

    def begin(self, extension: Extension) -> None:
        """Write down that an extension begins."""
        self._log.append(
            {
                "event": "extension",
                "id": extension.id,
                "assignments": extension.assignments,
                "hours": extension.hours,
                "time": timestamp(),
            }
        )

    def intend(self, extension: Extension, intent: ExtensionIntent) -> None:
        """Write down that a HIT is about to be extended."""
        until = intent.expire_at
        self._append(
            "intent",
            extension,
            intent.hit_id,
            assignments_before=intent.assignments_before,
            expire_at=None if until is None else timestamp(until),
        )

    def extended(self, extension: Extension, hit_id: str) -> None:
        """Write down that a HIT is extended."""
        self._append("done", extension, hit_id)

    def finish(self, extension: Extension) -> None:
        """Write down that every HIT of an extension is extended."""
        self._log.append({"event": "extended", "id": extension.id, "time": timestamp()})

    def _append(self, event: str, extension: Extension, hit_id: str, **more: object) -> None:
        self._log.append(
            {
                "event": event,
                "action": "extend",
                "extension": extension.id,
                "hit_id": hit_id,
                **more,
                "time": timestamp(),
            }
        )

    def close(self) -> None:
        """Close the file."""
        self._log.close()
