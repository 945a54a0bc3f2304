"""A qualification type's directory: one definition, and the type's id in each environment.

``qualificationtype.json``::

    {"format": 1, "name": "...", "turkbatch": "...", "types": [
      {"pin": {"environment": "sandbox", ...}, "qualification_type_id": "...",
       "created": "...", "deleted": null}]}

The pin says where, as a batch's does. A type that was deleted keeps its line, so that
old batches can still be read. amti's directories have no such file: their one id is read
from the name of ``qualificationtype-$ID.jsonl``, and the flag says each time where it is.
"""

from __future__ import annotations

import dataclasses
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from turkbatch import __version__, errors, files
from turkbatch.qualification import definition as definitions
from turkbatch.qualification import layout


@dataclasses.dataclass(frozen=True)
class Entry:
    """The type in one environment.

    Parameters
    ----------
    pin : dict of str to str
        Where it is; see :class:`turkbatch.mturk.environments.Environment`.
    qualification_type_id : str
        Its id there.
    created : str
        When it was made or found there, ISO 8601.
    deleted : str, optional
        When it was deleted.
    """

    pin: Mapping[str, str]
    qualification_type_id: str
    created: str
    deleted: str | None = None


class TypeDirectory:
    """A qualification type's directory.

    Parameters
    ----------
    path : Path
        The directory.
    name : str
        The type's name.
    entries : tuple of Entry
        The type in each environment, the deleted ones too.
    amti_id : str, optional
        The one id of a directory that amti made.
    """

    def __init__(
        self, path: Path, name: str, entries: Iterable[Entry], amti_id: str | None = None
    ) -> None:
        self.path = path
        self.name = name
        self.entries = tuple(entries)
        self.amti_id = amti_id

    @property
    def definition_dir(self) -> Path:
        """What the type is made from."""
        return self.path / layout.DEFINITION

    @property
    def pins(self) -> tuple[Mapping[str, str], ...]:
        """The environments that have the type."""
        return tuple(one.pin for one in self.entries if one.deleted is None)

    def entry(self, pin: Mapping[str, str]) -> Entry | None:
        """Find the type in an environment, unless it was deleted there."""
        for one in reversed(self.entries):
            if dict(one.pin) == dict(pin) and one.deleted is None:
                return one
        return None

    def type_id(self, pin: Mapping[str, str], place: str) -> str:
        """Give the type's id in an environment.

        Raises
        ------
        BatchError
            If it is not there; where it is, is said.
        """
        found = self.entry(pin)
        if found is not None:
            return found.qualification_type_id
        if self.amti_id is not None:
            return self.amti_id
        known = ", ".join(sorted({_said(one) for one in self.pins})) or "no environment"
        raise errors.BatchError(
            f"{self.path}: is not in {place}, but in {known}; give the flag that goes there, or"
            f" run `turkbatch create-qualificationtype {self.path}` with the flags of this command"
        )

    def add(self, entry: Entry) -> None:
        """Record the type in an environment."""
        self._write((*self.entries, entry))

    def mark_deleted(self, type_id: str, moment: str) -> None:
        """Record that a type was deleted."""
        self._write(
            dataclasses.replace(one, deleted=moment)
            if one.qualification_type_id == type_id and one.deleted is None
            else one
            for one in self.entries
        )

    def _write(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        files.replace_json(self.path / layout.TYPE, _as_json(self.name, self.entries))

    def write_reply(self, type_id: str, value: Mapping[str, Any]) -> None:
        """Write the type as the service gave it, in amti's file."""
        files.replace_json_lines(
            self.path / layout.reply(type_id), [{"QualificationType": dict(value)}]
        )

    def replace_definition(self, source: definitions.Definition) -> None:
        """Put another definition in the place of this directory's."""
        if source.path.resolve() == self.definition_dir.resolve():
            return
        mark = secrets.token_hex(8)
        fresh, old = self.path / f".new-{mark}", self.path / f".old-{mark}"
        definitions.copy(source, fresh)
        # Between the two renames there is no definition, which any command says plainly.
        self.definition_dir.rename(old)
        fresh.rename(self.definition_dir)
        files.sync_directory(self.path)
        shutil.rmtree(old, ignore_errors=True)


def _as_json(name: str, entries: Iterable[Entry]) -> dict[str, Any]:
    return {
        "format": layout.FORMAT,
        "name": name,
        "turkbatch": __version__,
        "types": [dataclasses.asdict(one) for one in entries],
    }


def _said(pin: Mapping[str, str]) -> str:
    place = pin.get("endpoint_url") if pin["environment"] == "custom" else pin.get("database")
    return f"{pin['environment']} ({place})" if place else pin["environment"]


def create(
    save_dir: Path, source: definitions.Definition, entry: Entry, value: Mapping[str, Any]
) -> TypeDirectory:
    """Make the directory of a type that the service has.

    Parameters
    ----------
    save_dir : Path
        Where to put it; made if missing.
    source : Definition
        What the type was made from.
    entry : Entry
        Its id, which names the directory, and where it is.
    value : mapping
        The type as the service gave it, as JSON.

    Raises
    ------
    BatchError
        If ``save_dir`` can't be written.
    """
    target = save_dir / f"{layout.PREFIX}{entry.qualification_type_id}"
    try:
        save_dir.mkdir(parents=True, exist_ok=True)
        with files.directory(target) as work:
            definitions.copy(source, work / layout.DEFINITION)
            files.replace_json(work / layout.TYPE, _as_json(source.name, [entry]))
            files.replace_json_lines(
                work / layout.reply(entry.qualification_type_id),
                [{"QualificationType": dict(value)}],
            )
    except OSError as error:
        raise errors.BatchError(
            f"{target}: can't be made ({error.strerror or 'something is there'}); check SAVE_DIR."
            " The qualification type is made: the same command adopts it"
        ) from error
    return TypeDirectory(target, source.name, [entry])


def is_one(path: Path) -> bool:
    """Whether a path is a qualification type's directory, ours or amti's."""
    return (path / layout.DEFINITION / layout.PROPERTIES).is_file() and (
        (path / layout.TYPE).is_file() or _amti_id(path) is not None
    )


def open_directory(path: Path) -> TypeDirectory:
    """Open a qualification type's directory, made by turkbatch or by amti.

    Raises
    ------
    BatchError
        If it is none, or was written by a later turkbatch.
    """
    if not is_one(path):
        found = "not a qualification type's directory" if path.exists() else "no such directory"
        raise errors.BatchError(
            f"{path}: {found}; name one that create-qualificationtype has made,"
            f" such as {layout.PREFIX}*"
        )
    if not (path / layout.TYPE).is_file():
        name = definitions.read_properties(path / layout.DEFINITION).get("Name", "")
        return TypeDirectory(path, str(name), [], _amti_id(path))
    try:
        value = files.read_object(path / layout.TYPE, errors.DataError)
        number = value["format"]
        if isinstance(number, int) and number <= layout.FORMAT:
            entries = [
                Entry(one["pin"], one["qualification_type_id"], one["created"], one.get("deleted"))
                for one in value["types"]
            ]
            return TypeDirectory(path, value["name"], entries)
    except errors.DataError as error:
        raise errors.BatchError(f"{error}; restore it from a copy") from error
    except (KeyError, TypeError) as error:
        raise errors.BatchError(
            f"{path / layout.TYPE}: incomplete ({error}); restore it from a copy"
        ) from error
    raise errors.BatchError(
        f"{path / layout.TYPE}: format {number} was written by a later turkbatch"
        f" (this is {__version__}); install that one"
    )


def _amti_id(path: Path) -> str | None:
    found = [one for file in path.glob("*.jsonl") if (one := layout.type_id_of(file.name))]
    return found[0] if len(found) == 1 else None


def find(save_dir: Path, name: str) -> TypeDirectory | None:
    """Find the directory of a type of this name among those of turkbatch's in a directory."""
    for path in sorted(save_dir.glob(f"{layout.PREFIX}*")):
        if (path / layout.TYPE).is_file() and is_one(path):
            found = open_directory(path)
            if found.name == name:
                return found
    return None
