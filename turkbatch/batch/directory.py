"""A batch directory: made by one rename, opened in one order, written by one process.

Opening checks that the directory exists, that it is ours (or amti's), that its format is
known, and then takes the lock. The lock is the system's and goes when the process does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import secrets
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from turkbatch import __version__, errors, files
from turkbatch.batch import data as batch_data
from turkbatch.batch import definition as batch_definition
from turkbatch.batch import journal, layout, results

T = TypeVar("T")

GIT_SECONDS = 10
"""How long git may take to name a commit."""


@dataclasses.dataclass(frozen=True)
class Info:
    """What ``batch.json`` says.

    Parameters
    ----------
    batch_id, nonce : str
        The id, and what tokens and annotations are made from.
    pin : dict of str to str
        Where the batch lives; see :class:`turkbatch.mturk.environments.Environment`.
    rows : int
        How many HITs it shall have.
    digests : dict of str to str
        SHA-256 of ``definition`` and ``data``, as they were given.
    created : str
        When it was made, ISO 8601.
    allow_undefined : bool
        Whether undefined names render empty.
    hit_type_id : str, optional
        Set once the HIT type is registered.
    turkbatch : str
        The version that made it.
    qualifications : dict of str to str
        What the names in its requirements (``@Masters``) stand for, by name.
    screening : dict
        Who may take part, beside its requirements; see
        :mod:`turkbatch.actions.screening`.
    """

    batch_id: str
    nonce: str
    pin: Mapping[str, str]
    rows: int
    digests: Mapping[str, str]
    created: str
    allow_undefined: bool = False
    hit_type_id: str | None = None
    turkbatch: str = __version__
    qualifications: Mapping[str, str] = dataclasses.field(default_factory=dict)
    screening: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give the content of ``batch.json``."""
        return {"format": layout.FORMAT, **dataclasses.asdict(self)}


def new_batch_id() -> str:
    """Make an id that no other batch has."""
    return str(uuid.uuid4())


def check_batch_id(batch_id: str) -> None:
    """Refuse an id that can't be part of a directory's name.

    Raises
    ------
    BatchError
        If it holds anything but letters, digits, dots, underlines and hyphens.
    """
    if not layout.BATCH_ID.fullmatch(batch_id):
        raise errors.BatchError(
            f"--batch-id {batch_id!r}: an id has 1 to 64 letters, digits, '.', '_' or '-',"
            " and begins with a letter or digit"
        )


def create(
    save_dir: Path,
    batch_id: str,
    definition: batch_definition.Definition,
    data: batch_data.Data,
    *,
    pin: Mapping[str, str],
    allow_undefined: bool = False,
    qualifications: Mapping[str, str] | None = None,
    screening: Mapping[str, Any] | None = None,
) -> Batch:
    """Make a batch directory, complete but for its HITs.

    Parameters
    ----------
    save_dir : Path
        Where to put it; made if missing.
    batch_id : str
        Its id; the directory is ``batch-`` and the id.
    definition, data
        What goes in, already checked. What changed since is refused.
    pin : mapping
        Where its HITs will be made.
    allow_undefined : bool
        Whether undefined names render empty.
    qualifications, screening : mapping, optional
        As in :class:`Info`.

    Returns
    -------
    Batch

    Raises
    ------
    BatchError
        If the directory is there already, or ``save_dir`` can't be written.
    """
    check_batch_id(batch_id)
    target = save_dir / f"{layout.PREFIX}{batch_id}"
    info = Info(
        batch_id=batch_id,
        # Random, never derived from the id: a batch deleted and made again under the same
        # id must not be taken for the old one by the service's tokens or annotations.
        nonce=secrets.token_hex(16),
        pin=pin,
        rows=data.count,
        digests={"definition": definition.digest, "data": data.digest},
        created=journal.timestamp(),
        allow_undefined=allow_undefined,
        qualifications=qualifications or {},
        screening=screening or {},
    )
    try:
        save_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.BatchError(
            f"{save_dir}: is no directory and can't be made one ({error.strerror});"
            " name another SAVE_DIR"
        ) from error
    try:
        with files.directory(target) as work:
            (work / layout.README).write_text(layout.README_TEXT, encoding="utf-8")
            (work / layout.COMMIT).write_text(commit_of(definition.path) + "\n", encoding="utf-8")
            (work / layout.BATCHID).write_text(batch_id + "\n", encoding="utf-8")
            batch_definition.copy(definition, work / layout.DEFINITION)
            batch_data.write_rows(data, work)
            files.replace_json(work / layout.BATCH, info.as_json())
    except FileExistsError as error:
        raise errors.BatchError(f"{target}: is there already; choose another --batch-id") from error
    except OSError as error:
        raise errors.BatchError(
            f"{target}: can't be made ({error.strerror}); check SAVE_DIR and the disk"
        ) from error
    return Batch(target, batch_id, info)


def commit_of(path: Path) -> str:
    """Name the commit of the repository that holds a path, or ``<none>``.

    `` (dirty)`` is added where files below the path differ from that commit.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit} (dirty)" if git("status", "--porcelain", "--", ".") else commit
    except (OSError, subprocess.SubprocessError):
        return "<none>"


def open_batch(path: Path) -> Batch:
    """Open a batch directory, made by turkbatch or by amti.

    Raises
    ------
    BatchError
        If there is none, or it was written by a later turkbatch.
    """
    if not path.is_dir():
        found = "is a file" if path.exists() else "no such directory"
        raise errors.BatchError(f"{path}: {found}; name a batch directory, such as batch-*")
    if not (path / layout.BATCHID).is_file():
        raise errors.BatchError(
            f"{path}: not a batch (it has no file {layout.BATCHID});"
            " name a directory that create-batch has made"
        )
    batch_id = (path / layout.BATCHID).read_text(encoding="utf-8", errors="replace").strip()
    if not (path / layout.BATCH).is_file():
        return Batch(path, batch_id, None)
    return Batch(path, batch_id, _read_info(path / layout.BATCH))


def _read_info(path: Path) -> Info:
    try:
        value = files.read_object(path, errors.DataError)
    except errors.DataError as error:
        raise errors.BatchError(f"{error}; restore it from a copy") from error
    number = value.pop("format", None)
    if not isinstance(number, int):
        raise errors.BatchError(f"{path}: names no format; restore it from a copy")
    if number > layout.FORMAT:
        raise errors.BatchError(
            f"{path}: format {number} was written by a later turkbatch (this is {__version__},"
            f" which knows format {layout.FORMAT}); install that one"
        )
    names = {field.name for field in dataclasses.fields(Info)}
    try:
        return Info(**{name: item for name, item in value.items() if name in names})
    except TypeError as error:
        raise errors.BatchError(f"{path}: incomplete ({error}); restore it from a copy") from error


class Batch:
    """A batch directory.

    Parameters
    ----------
    path : Path
        The directory.
    batch_id : str
        The batch's id.
    info : Info, optional
        What ``batch.json`` says; None for a batch made by amti.
    """

    def __init__(self, path: Path, batch_id: str, info: Info | None) -> None:
        self.path = path
        self.batch_id = batch_id
        self.info = info
        self.results = results.Results(path / layout.RESULTS)

    @property
    def definition_dir(self) -> Path:
        """The copy of the definition."""
        return self.path / layout.DEFINITION

    @functools.cached_property
    def definition(self) -> batch_definition.Definition:
        """What the copy of the definition says."""
        return batch_definition.read(self.definition_dir)

    @functools.cached_property
    def data(self) -> batch_data.Data:
        """The rows, in the order of their HITs."""
        return batch_data.read(self.path / layout.DATA)

    def uploads(self) -> journal.UploadState:
        """Derive which rows have their HIT."""
        return self._replayed(layout.UPLOADS, journal.replay_uploads)

    def reviews(self) -> journal.ReviewState:
        """Derive which assignments were decided on."""
        return self._replayed(layout.REVIEWS, journal.replay_reviews)

    def deleted(self) -> set[str]:
        """Derive which HITs were deleted."""
        return self._replayed(
            layout.CHANGES, lambda records: journal.replay_changes(records, "delete")
        )

    def extension(self) -> journal.Extension | None:
        """Derive the extension that was begun and not finished, if there is one."""
        return self._replayed(layout.CHANGES, journal.replay_extension)

    def _replayed(self, name: str, replay: Callable[[list[dict[str, Any]]], T]) -> T:
        records = files.read_log(self.path / name)
        try:
            return replay(records)
        except (KeyError, TypeError, ValueError) as error:
            raise errors.BatchError(
                f"{self.path / name}: a line lacks what it should say ({error!r});"
                " restore the file from a copy"
            ) from error

    def hit_ids(self) -> list[str]:
        """List the HITs that the batch has so far, in the order of their rows.

        A batch that amti saved names them by the directories of its results alone.
        """
        return list(self.rows_of_hits())

    def rows_of_hits(self) -> dict[str, int | None]:
        """Map each HIT to the row that it was made for, in the order of the rows.

        The row is None where amti's files no longer tell it.
        """
        if self.info is not None:
            hits = self.uploads().hits
            return {hits[row]: row for row in sorted(hits)}
        marker = self._read_marker()
        if marker is not None:
            return {hit_id: row for row, hit_id in enumerate(marker["hit_ids"])}
        return dict.fromkeys(self.results.hit_ids())

    def published_within(self, span: timedelta) -> bool:
        """Whether a HIT may have been made within a span of time up to now."""
        path = self.path / (layout.UPLOADS if self.info is not None else layout.INCOMPLETE)
        try:
            age = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            return False
        return age < span.total_seconds()

    @property
    def hit_type_id(self) -> str | None:
        """The HIT type of all its HITs, as far as it is known."""
        if self.info is not None:
            return self.info.hit_type_id
        marker = self._read_marker()
        return None if marker is None else marker.get("hittype_id")

    @property
    def incomplete(self) -> bool:
        """Whether ``_INCOMPLETE`` says that results are still to be saved."""
        return (self.path / layout.INCOMPLETE).is_file()

    def _read_marker(self) -> Mapping[str, Any] | None:
        path = self.path / layout.INCOMPLETE
        if not path.is_file():
            path = self.path / layout.HITS
        if not path.is_file():
            return None
        try:
            marker = files.read_object(path, errors.DataError)
        except errors.DataError as error:
            raise errors.BatchError(str(error)) from error
        ids = marker.get("hit_ids")
        if not isinstance(ids, list) or not all(isinstance(hit_id, str) for hit_id in ids):
            raise errors.BatchError(f'{path}: names no list "hit_ids"; restore it from a copy')
        return marker

    def write_marker(self, hit_ids: list[str]) -> None:
        """Write ``_INCOMPLETE``: published, and not yet wholly saved."""
        files.replace_json(
            self.path / layout.INCOMPLETE,
            {"hittype_id": self.hit_type_id, "hit_ids": hit_ids},
            indent=None,
        )

    def remove_marker(self) -> None:
        """Remove ``_INCOMPLETE``: everything is saved.

        A batch of amti's would lose the order of its HITs with it, so that is kept.
        """
        marker = self._read_marker()
        if self.info is None and marker is not None:
            files.replace_json(self.path / layout.HITS, marker, indent=None)
        (self.path / layout.INCOMPLETE).unlink(missing_ok=True)
        files.sync_directory(self.path)

    def update(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Info
        """Change what ``batch.json`` says."""
        assert self.info is not None, "a batch of amti's has no batch.json"
        self.info = dataclasses.replace(self.info, **changes)
        files.replace_json(self.path / layout.BATCH, self.info.as_json())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that writes to the batch.

        Raises
        ------
        BatchError
            If another process is; its process id is named.
        """
        import fcntl

        try:
            descriptor = os.open(self.path / layout.LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise errors.BatchError(
                f"{self.path}: can't be written ({error.strerror}); check its permissions"
            ) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                raise errors.BatchError(
                    f"{self.path}: process {owner or '(unknown)'} is working on this batch;"
                    " wait for it to end, or end it"
                ) from error
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            files.sweep(self.path)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
