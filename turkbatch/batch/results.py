"""``results/``: what came back, a directory a HIT, as MTurk gave it.

``hit.jsonl`` holds ``{"HIT": {...}}``, ``assignments.jsonl`` one assignment a line; times
are ISO 8601 with offset. amti writes and reads the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from turkbatch import errors, files
from turkbatch.batch import layout

Json = Mapping[str, Any]

OPEN = frozenset({"Assignable", "Unassignable"})
"""States in which workers can still submit."""
REVIEWED = frozenset({"Approved", "Rejected"})


def as_json(value: Json) -> dict[str, Any]:
    """Turn a boto3 structure into a JSON object, times into ISO 8601 in UTC."""
    return {key: _as_json(item) for key, item in value.items()}


def _as_json(value: Any) -> Any:  # noqa: ANN401 - any member of a boto3 structure
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return as_json(value)
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return value


@dataclasses.dataclass(frozen=True)
class Saved:
    """What is saved of one HIT.

    Parameters
    ----------
    hit : dict
        MTurk's HIT, times as ISO 8601.
    assignments : tuple of dict
        MTurk's assignments, likewise.
    """

    hit: Json
    assignments: tuple[Json, ...]

    @property
    def final(self) -> bool:
        """Whether nothing more can come: nobody can submit, everything is reviewed."""
        return (
            self.hit.get("HITStatus") not in OPEN
            and not self.hit.get("NumberOfAssignmentsPending")
            and all(one.get("AssignmentStatus") in REVIEWED for one in self.assignments)
        )


class Saving:
    """Saves HITs of a batch; called from many threads. See :meth:`Results.saving`."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._files = files.Together()

    def save(self, hit: Json, assignments: Iterable[Json]) -> None:
        """Save a HIT and its assignments, replacing what was saved of it before.

        Parameters
        ----------
        hit : dict
            MTurk's HIT, as boto3 gives it.
        assignments : iterable of dict
            MTurk's assignments, in the order of their submission.

        Raises
        ------
        OSError
            If the disk is full or gone; what was saved before is kept.
        """
        # The assignments first: if the power fails between the two, hit.jsonl still says
        # what it said before, so the HIT is not taken for final and is fetched again.
        self._files.replace(
            f"{self._path}/{layout.HIT_PREFIX}{hit['HITId']}",
            {
                layout.ASSIGNMENTS: files.json_lines(assignments, default=_text),
                layout.HIT: files.json_lines([{"HIT": hit}], default=_text),
            },
        )

    def commit(self) -> None:
        """Make everything durable that was saved."""
        self._files.commit()

    @property
    def failed(self) -> dict[str, OSError]:
        """The HITs that are not saved after all, and why."""
        return {
            Path(directory).name.removeprefix(layout.HIT_PREFIX): error
            for directory, error in self._files.failed.items()
        }


def _text(value: object) -> str:
    """Write down a time, all that a boto3 structure holds and JSON can't."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} is no part of a reply of MTurk's")


class Results:
    """The results of a batch.

    Parameters
    ----------
    path : Path
        The directory ``results``; it may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def directory(self, hit_id: str) -> Path:
        """Give the directory of a HIT's results."""
        return self.path / f"{layout.HIT_PREFIX}{hit_id}"

    def hit_ids(self) -> list[str]:
        """List the HITs of which something is saved, sorted."""
        if not self.path.is_dir():
            return []
        return sorted(
            entry.name.removeprefix(layout.HIT_PREFIX)
            for entry in self.path.iterdir()
            if entry.name.startswith(layout.HIT_PREFIX) and (entry / layout.HIT).is_file()
        )

    @contextlib.contextmanager
    def saving(self) -> Iterator[Saving]:
        """Save HITs from many threads; what was saved is durable when the block ends.

        Yields
        ------
        Saving
            What to save with. Its ``failed`` is to be looked at after the block.
        """
        saving = Saving(self.path)
        try:
            yield saving
        finally:
            # Whatever ends the block: what was fetched shall not be fetched again.
            saving.commit()
            self.sync()

    def sync(self, hit_id: str | None = None) -> None:
        """Make what is saved of a HIT durable, whoever wrote it; or the list of HITs.

        To be called for both before a deletion relies on them. A process may have been
        killed between a rename and its becoming durable, and a batch may be a copy, or
        written by amti, which waits for no disk.
        """
        names = [".", ".."]
        directory = self.path
        if hit_id is not None:
            names = [layout.ASSIGNMENTS, layout.HIT, "."]
            directory = self.directory(hit_id)
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # where nothing was saved yet
                files.sync(directory / name)

    def load(self, hit_id: str) -> Saved | None:
        """Read what is saved of a HIT; None if nothing is.

        Raises
        ------
        BatchError
            If a file of it is damaged.
        """
        hit = self.load_hit(hit_id)
        return None if hit is None else Saved(hit, tuple(self.assignments(hit_id)))

    def load_hit(self, hit_id: str) -> Json | None:
        """Read a saved HIT without its assignments; None if nothing is saved."""
        path = self._file(hit_id, layout.HIT)
        try:
            for record in files.read_json_lines(path):
                hit = record.get("HIT")
                if isinstance(hit, dict) and hit.get("HITId") == hit_id:
                    return hit
        except FileNotFoundError:
            return None
        raise errors.BatchError(f'{path}: expected one line {{"HIT": {{...}}}} of {hit_id}')

    def assignments(self, hit_id: str) -> Iterator[Json]:
        """Read the saved assignments of a HIT, one at a time."""
        with contextlib.suppress(FileNotFoundError):
            yield from files.read_json_lines(self._file(hit_id, layout.ASSIGNMENTS))

    def _file(self, hit_id: str, name: str) -> Path:
        # Joined once: there are two for each HIT of a large batch.
        return self.path / f"{layout.HIT_PREFIX}{hit_id}/{name}"

    def is_final(self, hit_id: str) -> bool:
        """Whether everything that will ever come of a HIT is saved."""
        saved = self.load(hit_id)
        return saved is not None and saved.final

    def all_final(self, hit_ids: Sequence[str]) -> bool:
        """Whether everything that will ever come of these HITs is saved."""
        return all(self.is_final(hit_id) for hit_id in hit_ids)
