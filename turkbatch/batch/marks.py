"""``marks.jsonl``: what a reviewer has judged in the browser, and not sent yet.

A mark is on disk before the page says that it is made, so that neither a crash nor a closed
laptop loses a judgement. The file is a journal like the others; the marks that hold follow
from its lines alone::

    {"event": "mark", "action": "reject", "feedback": "...", "time": "...",
     "assignments": [{"assignment_id": "...", "hit_id": "..."}]}
    {"event": "undo", "time": "..."}         takes back the latest line that marked
    {"event": "sent", "assignment_ids": ["..."], "time": "..."}

``approve`` and ``reject`` are what will be sent, ``skip`` and ``again`` (look again) are
notes to oneself, ``clear`` takes a mark away. What was sent can't be undone, nor anything
that was marked before it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from turkbatch import errors, files
from turkbatch.batch import journal

Action = Literal["approve", "reject", "skip", "again", "clear"]
ACTIONS: tuple[Action, ...] = ("approve", "reject", "skip", "again", "clear")
DECIDING = frozenset({"approve", "reject"})
"""What will be sent; the rest is for the reviewer alone."""

Replaced = Mapping[str, "Mark | None"]
"""What held before a line, by assignment; None where there was no mark."""


class Mark(NamedTuple):
    """What a reviewer thinks of an assignment.

    Parameters
    ----------
    assignment_id, hit_id : str
        The assignment, and its HIT.
    action : {"approve", "reject", "skip", "again"}
        What is to become of it.
    feedback : str
        What the worker will be told.
    """

    assignment_id: str
    hit_id: str
    action: Action
    feedback: str = ""


class Marks:
    """The marks of a batch, open for writing; shared by threads.

    Parameters
    ----------
    path : Path
        The file; made if missing.

    Raises
    ------
    BatchError
        If another process has it open, or a line of it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._held = _taken(path)
        try:
            self._marks: dict[str, Mark] = {}
            self._undoable: list[Replaced] = []
            self._feedback: dict[str, None] = {}
            self.version = 0
            """Raised by each change."""
            self._replay()
            self._log = files.Log(path)
        except BaseException:
            os.close(self._held)
            raise

    def _replay(self) -> None:
        for number, record in enumerate(files.read_log(self._path), 1):
            try:
                self._apply(record)
            except (KeyError, TypeError) as error:
                raise errors.BatchError(
                    f"{self._path}:{number}: lacks what a mark should say ({error!r});"
                    " restore the file from a copy, or remove the line"
                ) from error

    def get(self, assignment_id: str) -> Mark | None:
        """Tell the mark that an assignment has."""
        return self._marks.get(assignment_id)

    def all(self) -> list[Mark]:
        """List the marks that hold, oldest first."""
        with self._lock:
            return list(self._marks.values())

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to take back."""
        return bool(self._undoable)

    def feedback(self, most: int) -> list[str]:
        """List what workers were told lately, the latest first."""
        with self._lock:
            return list(reversed(self._feedback))[:most]

    def mark(self, hit_ids: Mapping[str, str], action: Action, feedback: str = "") -> None:
        """Mark assignments, all alike; taken back together.

        Parameters
        ----------
        hit_ids : mapping of str to str
            The HIT of each assignment.
        action : {"approve", "reject", "skip", "again", "clear"}
            What is to become of them.
        feedback : str
            What the workers will be told.
        """
        named = [{"assignment_id": key, "hit_id": hit_id} for key, hit_id in hit_ids.items()]
        if named:
            self._add(event="mark", action=action, feedback=feedback, assignments=named)

    def undo(self) -> list[str]:
        """Take back the latest line that marked; give the assignments that it was about."""
        with self._lock:
            if not self._undoable:
                return []
            changed = list(self._undoable[-1])
            self._add(event="undo")
            return changed

    def sent(self, assignment_ids: Collection[str]) -> None:
        """Drop the marks of what was sent."""
        if assignment_ids:
            self._add(event="sent", assignment_ids=list(assignment_ids))

    def close(self) -> None:
        """Close the file, and let others have it."""
        with self._lock:
            self._log.close()
            os.close(self._held)

    def _add(self, **record: object) -> None:
        with self._lock:
            complete = {**record, "time": journal.timestamp()}
            # On disk before it is shown: what a reviewer has seen is never lost.
            self._log.append(complete)
            self._apply(complete)

    def _apply(self, record: Mapping[str, Any]) -> None:
        match record["event"]:
            case "mark":
                self._apply_mark(record)
            case "undo" if self._undoable:
                for key, before in self._undoable.pop().items():
                    self._set(key, before)
            case "sent":
                for key in record["assignment_ids"]:
                    self._marks.pop(key, None)
                self._undoable.clear()
        self.version += 1

    def _apply_mark(self, record: Mapping[str, Any]) -> None:
        action = cast(Action, record["action"])
        feedback: str = record["feedback"]
        named = {one["assignment_id"]: one["hit_id"] for one in record["assignments"]}
        self._undoable.append({key: self._marks.get(key) for key in named})
        for key, hit_id in named.items():
            made = None if action == "clear" else Mark(key, hit_id, action, feedback)
            self._set(key, made)
        if feedback:
            # To the end, where the latest are.
            self._feedback.pop(feedback, None)
            self._feedback[feedback] = None

    def _set(self, assignment_id: str, mark: Mark | None) -> None:
        if mark is None:
            self._marks.pop(assignment_id, None)
        else:
            self._marks[assignment_id] = mark


def _taken(path: Path) -> int:
    """Keep every other process from marking in the same batch, until this one ends."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise errors.BatchError(
            f"{path.parent}: is being reviewed in a browser already; finish that, or end its"
            " process, which loses no mark"
        ) from error
    return descriptor
