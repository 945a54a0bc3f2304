"""The only place that writes: atomic replacement, durable appending, and reading with file:line.

What holds when the power fails: a file that was replaced is either the old one or
the new one, whole; a line that :meth:`Log.append` returned from is on disk; a
directory made by :func:`directory` is complete or not there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from turkbatch import errors

Json = Mapping[str, Any]
"""A JSON object as Python reads it."""


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, after a rename or a new file."""
    sync(path)


def sync(path: Path | str) -> None:
    """Make the content of a file, or the names in a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path, *, newline: str | None = "", private: bool = False) -> Iterator[TextIO]:
    """Write a file so that readers see the old or the new one, never half of it.

    Parameters
    ----------
    path : Path
        The file to write; its directory must exist.
    newline : str or None
        As for :func:`open`. The default writes line ends as they are given.
    private : bool
        Whether nobody but its owner may read it, also if others could read the old one.

    Yields
    ------
    file object
        A UTF-8 text file. If the block raises, ``path`` stays as it was.
    """
    work = _beside(path)
    try:
        # Not mkstemp, whose files nobody else can read: a shared results folder would lose
        # its group's access at every save. The umask is left to the system, because it can't
        # be read without being changed for all threads.
        work.touch(mode=0o600 if private else 0o666, exist_ok=False)
        with work.open("w", encoding="utf-8", newline=newline) as file:
            yield file
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                if not private:
                    os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            os.fsync(file.fileno())
        # The rename must not come before the content is on disk, nor be lost after it.
        work.replace(path)
        sync_directory(path.parent)
    except BaseException:
        work.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> Path:
    """Name something that is not there, in the same directory."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def replace_text(path: Path, text: str) -> None:
    """Replace a file's content by ``text``, atomically and durably."""
    with replacing(path) as file:
        file.write(text)


def replace_json(
    path: Path, value: object, *, indent: int | None = 2, private: bool = False
) -> None:
    """Replace a file's content by one JSON document and a line end."""
    with replacing(path, private=private) as file:
        file.write(_dump(value, indent=indent) + "\n")


def replace_json_lines(path: Path, values: Sequence[object]) -> None:
    """Replace a file's content by one JSON document a line."""
    with replacing(path) as file:
        for value in values:
            file.write(_dump(value) + "\n")


class Together:
    """Files of many directories, put in place together; shared by threads.

    What is given to :meth:`replace` is written beside the old files. When enough has come,
    and at :meth:`commit`, all of it is made durable, then renamed, then the directories
    are made durable. The system writes the files down meanwhile, and the first that is
    waited for takes the disk's time for most of the others.

    Whenever the process dies or the power fails, each file is the old or the new one,
    whole: its content is on disk before it is renamed. A later one of a directory is new
    only if those before it are: file systems write down the renames in a directory in
    their order. What was given since the last commit may be lost.
    """

    GROUP = 32
    """Directories whose files are put in place at once; more spare the disk no more."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._waiting: list[tuple[str, tuple[str, ...]]] = []
        self.failed: dict[str, OSError] = {}
        """Directories whose files may not be in place after all, and why."""

    def replace(self, directory: str, contents: Mapping[str, bytes]) -> None:
        """Replace files of one directory, in this order; the directory is made if missing.

        Only one thread may write to a directory at a time.

        Raises
        ------
        OSError
            If the disk is full or gone; the files stay as they were.
        """
        old = _made_or_there(directory)
        try:
            for name, content in contents.items():
                replaced = Path(directory, name) if old else None
                _write(_work(directory, name), content, mode_of=replaced)
        except OSError:
            _drop(directory, contents)
            raise
        full = []
        with self._adding:
            self._waiting.append((directory, tuple(contents)))
            if len(self._waiting) >= self.GROUP:
                full, self._waiting = self._waiting, []
        self._commit(full)

    def commit(self) -> None:
        """Put everything in place; see ``failed`` for what could not be."""
        with self._adding:
            rest, self._waiting = self._waiting, []
        self._commit(rest)

    def _commit(self, group: list[tuple[str, tuple[str, ...]]]) -> None:
        try:
            for directory, names in group:
                for name in names:
                    sync(_work(directory, name))
            for directory, names in group:
                for name in names:
                    # As strings: of a Path, there would be thousands more.
                    os.replace(_work(directory, name), f"{directory}/{name}")  # noqa: PTH105
            for directory, _ in group:
                sync(directory)
        except OSError as error:
            for directory, names in group:
                _drop(directory, names)
                self.failed[directory] = error


def _work(directory: str, name: str) -> str:
    # Always the same: what a killed process left is overwritten, not added to.
    return f"{directory}/.{name}.tmp"


def _drop(directory: str, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(OSError):
            Path(_work(directory, name)).unlink()


def _made_or_there(directory: str) -> bool:
    """Make a directory, and tell whether it was there."""
    try:
        os.mkdir(directory)  # noqa: PTH102 - as above
    except FileExistsError:
        return True
    except FileNotFoundError:
        Path(directory).mkdir(parents=True, exist_ok=True)
    return False


def _write(path: str, content: bytes, *, mode_of: Path | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
        if mode_of is not None:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(descriptor, mode_of.stat().st_mode & 0o777)
        if hasattr(os, "posix_fadvise"):
            # Linux begins at once to write what it is told nobody will read soon.
            with contextlib.suppress(OSError):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def json_lines(
    values: Iterable[object], *, default: Callable[[Any], object] | None = None
) -> bytes:
    """Write one JSON document a line.

    Parameters
    ----------
    values : iterable
        What to write.
    default : callable, optional
        Gives what JSON can hold in place of what it can't.
    """
    encoder = json.JSONEncoder(ensure_ascii=False, default=default)
    return b"".join(_encode(encoder.encode(value)) + b"\n" for value in values)


def _encode(text: str) -> bytes:
    """Encode JSON: half of a surrogate pair stays an escape.

    A reply of the service may hold one, and what it says must be on disk all the same.
    """
    return text.encode("utf-8", "backslashreplace")


def _dump(value: object, *, indent: int | None = None) -> str:
    return _encode(json.dumps(value, ensure_ascii=False, indent=indent)).decode()


def sweep(path: Path) -> None:
    """Remove the temporary files that a killed process left in a directory.

    Only for who alone writes there: another's file in the making would be lost.
    """
    for left in path.glob(".*.tmp"):
        if left.is_file():
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def directory(path: Path) -> Iterator[Path]:
    """Build a directory that appears whole, by one rename.

    Parameters
    ----------
    path : Path
        Where it shall be; nothing may be there yet.

    Yields
    ------
    Path
        An empty working directory beside it. If the block raises, it is removed
        and ``path`` does not exist.

    Raises
    ------
    FileExistsError
        If something came to be at ``path`` meanwhile.
    """
    work = _beside(path)
    work.mkdir()
    try:
        yield work
        for folder, _, names in os.walk(work):
            for name in names:
                with (Path(folder) / name).open("rb") as file:
                    os.fsync(file.fileno())
            sync_directory(Path(folder))
        if path.exists():
            raise FileExistsError(path)
        # rename() refuses a non-empty directory at the target, so a race loses loudly.
        work.rename(path)
        sync_directory(path.parent)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


class Log:
    """An append-only file of JSON lines, shared by threads.

    A line is on disk when :meth:`append` returns. Threads that append at the same
    time share one fsync: the first to get there syncs for all that wrote before it.

    Parameters
    ----------
    path : Path
        The file; made if missing. A torn last line, left by a crash, is cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        new = not path.exists()
        self._file = path.open("ab", buffering=0)
        self._cut_torn_line()
        if new:
            sync_directory(path.parent)
        self._writing = threading.Lock()
        self._syncing = threading.Lock()
        self._written = 0
        self._synced = 0
        self._broken: OSError | None = None

    def _cut_torn_line(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file.fileno(), whole)
            os.fsync(self._file.fileno())

    def append(self, *records: Mapping[str, object]) -> None:
        """Write records and return when they are on disk.

        Raises
        ------
        OSError
            If the disk is full or gone. A part of a line that got written is
            taken back, so that the next line does not run into it.
        """
        self._sync(self._append(records))

    def note(self, *records: Mapping[str, object]) -> None:
        """Write records without waiting for the disk; they are there after the next append.

        For what is no loss if the power fails, since what was appended before it says
        enough to find it out again. A process that dies loses nothing.

        Raises
        ------
        OSError
            As :meth:`append`.
        """
        self._append(records)

    def _append(self, records: Iterable[Mapping[str, object]]) -> int:
        data = json_lines(records)
        with self._writing:
            self._write_whole(data)
            self._written += 1
            return self._written

    def _write_whole(self, data: bytes) -> None:
        start = os.fstat(self._file.fileno()).st_size
        try:
            view = memoryview(data)
            while view:
                written = self._file.write(view)
                view = view[written:]
        except OSError:
            os.ftruncate(self._file.fileno(), start)
            raise

    def _sync(self, upto: int) -> None:
        with self._syncing:
            if self._synced >= upto:
                return
            if self._broken is not None:
                raise OSError(errno.EIO, "an earlier line could not be made durable", self.path)
            covered = self._written
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                # The system may have dropped the lines and would report success next time.
                self._broken = error
                raise
            self._synced = covered

    def close(self) -> None:
        """Close the file; all of it is on disk then."""
        try:
            self._sync(self._written)
        finally:
            self._file.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def read_bytes(path: Path, error: type[errors.InputError]) -> bytes:
    """Read a file of the user's, or say why that can't be done.

    Raises
    ------
    InputError
        Of the class ``error``, if the file is missing or unreadable.
    """
    with _readable(path, error):
        return path.read_bytes()


def digest(path: Path, error: type[errors.InputError]) -> str:
    """Compute the SHA-256 of a file of the user's, a piece at a time.

    Raises
    ------
    InputError
        Of the class ``error``, if the file is missing or unreadable, or a pipe: what is
        read once to be checked could not be read again to be used.
    """
    if path.is_fifo():
        raise error(
            errors.Finding(
                "unreadable-file",
                str(path),
                "this is a pipe, which can be read only once",
                "save it to a file",
            )
        )
    with _readable(path, error), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _readable(path: Path, error: type[errors.InputError]) -> Iterator[None]:
    try:
        yield
        return
    except FileNotFoundError:
        found, fix = "no such file", "check the path"
    except IsADirectoryError:
        found, fix = "this is a directory", "name a file"
    except OSError as problem:
        found, fix = f"can't be read ({problem.strerror})", "check its permissions"
    raise error(errors.Finding("unreadable-file", str(path), found, fix))


def decode(content: bytes, path: Path, error: type[errors.InputError]) -> str:
    """Decode a file of the user's as UTF-8, ignoring a byte order mark.

    Raises
    ------
    InputError
        Of the class ``error``, naming the line and byte that are not UTF-8 and
        the encoding that the file seems to have.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(
            errors.Finding(
                "not-utf-8",
                str(path),
                f"byte 0x{content[problem.start]:02x} is not UTF-8"
                f" (the file may be {_likely_encoding(content)})",
                "save the file as UTF-8",
                line=content.count(b"\n", 0, problem.start) + 1,
            )
        ) from problem


def _likely_encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    return "Windows-1252 or Latin-1"


def read_text(path: Path, error: type[errors.InputError]) -> str:
    """Read a UTF-8 file of the user's; see :func:`read_bytes` and :func:`decode`."""
    return decode(read_bytes(path, error), path, error)


def read_object(path: Path, error: type[errors.InputError]) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises
    ------
    InputError
        Of the class ``error``, with the line at which JSON ends to be JSON, or
        saying what is there in place of an object.
    """
    text = read_text(path, error)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as problem:
        raise error(
            errors.Finding("not-json", str(path), "JSON nested too deep", "flatten it")
        ) from problem
    except ValueError as problem:
        line = problem.lineno if isinstance(problem, json.JSONDecodeError) else None
        raise error(
            errors.Finding("not-json", str(path), f"not JSON: {problem}", "correct it", line=line)
        ) from problem
    if not isinstance(value, dict):
        raise error(
            errors.Finding(
                "not-an-object",
                str(path),
                f"holds {json_kind(value)}",
                'it must hold one JSON object, such as {"Title": "..."}',
            )
        )
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value")


def json_kind(value: object) -> str:
    """Name the JSON kind of a value as a reader would: "a string", "a number"..."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = ((dict, "an object"), (list, "a list"), (str, "a string"), ((int, float), "a number"))
    return next(name for kind, name in kinds if isinstance(value, kind))


def parse_json(text: str) -> Any:  # noqa: ANN401 - a JSON document can be anything
    """Parse strict JSON: ``NaN`` and ``Infinity`` are refused, as MTurk would."""
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("a byte order mark stands before it", text, 0)
    return _STRICT.decode(text)


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant)
"""Made once: :func:`json.loads` would make one for each text."""


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read a journal: every whole line; a torn last line is dropped.

    Raises
    ------
    BatchError
        If a line before the last is not a JSON object: that is no crash but
        damage, and guessing could pay twice.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    *lines, _torn = content.split(b"\n")
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise errors.BatchError(
                f"{path}:{number}: this line of the journal is damaged;"
                " restore the file from a copy, or correct the line by hand"
            )
        records.append(record)
    return records


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file that turkbatch or amti wrote, one JSON object a line.

    Raises
    ------
    BatchError
        If a line is not a JSON object.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line.decode())
            except ValueError as problem:
                raise errors.BatchError(
                    f"{path}:{number}: not JSON: {problem}; restore the file from a copy"
                ) from problem
            if not isinstance(record, dict):
                raise errors.BatchError(
                    f"{path}:{number}: holds {json_kind(record)}, not an object;"
                    " restore the file from a copy"
                )
            yield record
