"""A definition directory: the properties of the HIT type and of its HITs, and the template.

Read once, whole; what was checked is what is copied, byte for byte, or the copy is
refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from turkbatch import errors, files
from turkbatch.batch import layout

SKIPPED = frozenset({".git", ".hg", ".svn", "__pycache__", ".DS_Store", ".ipynb_checkpoints"})
"""Never part of a definition, though they may lie in its directory."""


@dataclasses.dataclass(frozen=True)
class Definition:
    """What a definition directory says.

    Parameters
    ----------
    path : Path
        The directory.
    hit_type_properties : dict
        Parameters of ``CreateHITType``.
    hit_properties : dict
        Parameters of ``CreateHITWithHITType`` that are the user's to give.
    digest : str
        SHA-256 over the names and contents of all files.
    """

    path: Path
    hit_type_properties: Mapping[str, Any]
    hit_properties: Mapping[str, Any]
    digest: str

    @property
    def max_assignments(self) -> int:
        """Assignments a HIT; MTurk's default is 1."""
        value: int = self.hit_properties.get("MaxAssignments", 1)
        return value


_BLANKS = re.compile(r"[ \t\r\n]*")


def read(path: Path) -> Definition:
    """Read a definition directory.

    Raises
    ------
    DefinitionError
        If the directory or one of its two property files is missing, unreadable, not
        UTF-8, or not one JSON object. Faults of both files are gathered.
    """
    if not path.is_dir():
        found = "this is a file" if path.exists() else "no such directory"
        raise errors.DefinitionError(
            errors.Finding(
                "no-definition", str(path), found, "name a directory that holds a definition"
            )
        )
    properties: dict[str, dict[str, Any]] = {}
    findings: list[errors.Finding] = []
    for name in (layout.HIT_TYPE_PROPERTIES, layout.HIT_PROPERTIES):
        try:
            properties[name] = files.read_object(path / name, errors.DefinitionError)
        except errors.DefinitionError as error:
            findings += error.findings
    if findings:
        raise errors.DefinitionError(*findings)
    return Definition(
        path,
        properties[layout.HIT_TYPE_PROPERTIES],
        properties[layout.HIT_PROPERTIES],
        digest(path),
    )


def _files(path: Path) -> Iterator[Path]:
    """Give the files of a definition, relative to it, sorted."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        # A link that leads back up would be followed for ever.
        here = os.path.realpath(folder)
        if here in seen:
            folders[:] = []
            continue
        seen.add(here)
        folders[:] = sorted(name for name in folders if not _skipped(name))
        for name in sorted(names):
            if not _skipped(name):
                yield Path(folder, name).relative_to(path)


def _skipped(name: str) -> bool:
    # A definition that lies where batches are saved must not copy them into itself.
    return name in SKIPPED or name.startswith((layout.PREFIX, f".{layout.PREFIX}"))


def digest(path: Path) -> str:
    """Compute the SHA-256 over all files of a definition, names included."""
    summary = hashlib.sha256()
    for name in _files(path):
        content = files.read_bytes(path / name, errors.DefinitionError)
        summary.update(os.fsencode(f"{name.as_posix()}\0{len(content)}\0"))
        summary.update(content)
    return summary.hexdigest()


def copy(definition: Definition, target: Path) -> None:
    """Copy a definition, whole, into a new directory.

    Raises
    ------
    DefinitionError
        If a file changed since the definition was read: what was checked, and whose
        cost was agreed to, would not be what is published.
    """
    target.mkdir()
    for name in _files(definition.path):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(definition.path / name, target / name)
    if digest(target) != definition.digest:
        raise errors.DefinitionError(
            errors.Finding(
                "changed-meanwhile",
                str(definition.path),
                "a file changed while the batch was being made",
                "run the command again",
            )
        )


def line_of(path: Path, keys: tuple[str | int, ...]) -> int | None:
    """Find the line of a property in a JSON file, for a message.

    Parameters
    ----------
    path : Path
        A file that :func:`read` has read.
    keys : tuple of (str or int)
        The way to the property: ``("QualificationRequirements", 0, "Comparator")``.

    Returns
    -------
    int or None
        The line on which the innermost key that is there stands; None if there is none.
    """
    text = path.read_text(encoding="utf-8-sig")
    position, line = _after_blanks(text, 0), None
    for key in keys:
        items = {name: (begin, value) for name, begin, value in _items(text, position)}
        if key not in items:
            break
        begin, position = items[key]
        line = text.count("\n", 0, begin) + 1
    return line


def _items(text: str, position: int) -> Iterator[tuple[str | int, int, int]]:
    """Give key, beginning and value's position of each item of an object or a list."""
    kind = text[position]
    if kind not in "{[":
        return
    decode = json.JSONDecoder(strict=False).raw_decode
    position = _after_blanks(text, position + 1)
    number = 0
    while text[position] not in "}]":
        begin, key = position, number
        if kind == "{":
            key, end = decode(text, position)
            position = _after_blanks(text, _after_blanks(text, end) + 1)
        yield key, begin, position
        _, end = decode(text, position)
        position = _after_blanks(text, end)
        if text[position] == ",":
            position = _after_blanks(text, position + 1)
        number += 1


def _after_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    assert blanks is not None, "nothing is a match too"
    return blanks.end()
