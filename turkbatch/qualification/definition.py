"""The definition of a qualification type: its properties, its test and its answer key."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from turkbatch import errors, files
from turkbatch.qualification import layout

SKIPPED = frozenset({".git", ".hg", ".svn", "__pycache__", ".DS_Store", ".ipynb_checkpoints"})


@dataclasses.dataclass(frozen=True)
class Definition:
    """What the definition directory of a qualification type holds.

    Parameters
    ----------
    path : Path
        The directory.
    properties : dict
        Parameters of ``CreateQualificationType``, but for the test and the key.
    test, answer_key : Path or None
        Their files, templates or not; None where there is none.
    data : Path or None
        What the templates are filled with.
    digest : str
        SHA-256 over the names and contents of all files.
    """

    path: Path
    properties: Mapping[str, Any]
    test: Path | None
    answer_key: Path | None
    data: Path | None
    digest: str

    @property
    def name(self) -> str:
        """The type's name."""
        return str(self.properties.get("Name", ""))

    @property
    def properties_path(self) -> Path:
        """The file of the properties."""
        return self.path / layout.PROPERTIES


def read_properties(path: Path) -> dict[str, Any]:
    """Read the properties file of a definition directory.

    Raises
    ------
    DefinitionError
        If it is missing, unreadable or not one JSON object.
    """
    return files.read_object(path / layout.PROPERTIES, errors.DefinitionError)


def read(path: Path) -> Definition:
    """Read a definition directory; what the test says is not looked at yet.

    Raises
    ------
    DefinitionError
        If there is none, its properties can't be read, or the test, the key or the data
        are there twice.
    """
    if not path.is_dir():
        found = "this is a file" if path.exists() else "no such directory"
        raise errors.DefinitionError(
            errors.Finding(
                "no-definition",
                str(path),
                found,
                f"name a directory that holds {layout.PROPERTIES}",
            )
        )
    properties = read_properties(path)
    findings: list[errors.Finding] = []
    test = _one(path, (layout.TEST, layout.TEST + layout.TEMPLATE_SUFFIX), findings)
    key = _one(path, (layout.ANSWER_KEY, layout.ANSWER_KEY + layout.TEMPLATE_SUFFIX), findings)
    data = _one(path, layout.DATA_FILES, findings)
    if findings:
        raise errors.DefinitionError(*findings)
    return Definition(path, properties, test, key, data, digest(path))


def _one(path: Path, names: tuple[str, ...], findings: list[errors.Finding]) -> Path | None:
    there = [path / name for name in names if (path / name).is_file()]
    if len(there) > 1:
        both = " and ".join(one.name for one in there)
        findings.append(
            errors.Finding("two-files", str(path), f"holds {both}", "remove one of the two")
        )
    return there[0] if there else None


def _files(path: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not _skipped(name))
        for name in sorted(names):
            if not _skipped(name):
                yield Path(folder, name).relative_to(path)


def _skipped(name: str) -> bool:
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
    """Copy a definition, whole, into a new directory."""
    target.mkdir()
    for name in _files(definition.path):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(definition.path / name, target / name)


def faults(definition: Definition, *, test: bool, answer_key: bool) -> Iterator[errors.Finding]:
    """Find what MTurk refuses and its API's model does not tell.

    Parameters
    ----------
    definition : Definition
        Its properties hold against the model.
    test, answer_key : bool
        Whether there is one.
    """
    properties = definition.properties
    where = str(definition.properties_path)

    def fault(rule: str, found: str, fix: str, why: str = "") -> errors.Finding:
        return errors.Finding(rule, where, found, fix, why=why)

    if not definition.name.strip():
        yield fault("wrong-value", "Name: empty", "give the type a name of its own")
    if properties.get("RetryDelayInSeconds", 0) < 0:
        yield fault("wrong-value", "RetryDelayInSeconds: negative", "0 or more is allowed")
    if properties.get("TestDurationInSeconds", 1) <= 0:
        yield fault("wrong-value", "TestDurationInSeconds: not above 0", "1 or more is allowed")
    if test and "TestDurationInSeconds" not in properties:
        yield fault(
            "missing-property",
            "no TestDurationInSeconds, and there is a test",
            "say how many seconds a worker has for the test, such as 3600",
            "MTurk takes no test without its duration",
        )
    if test and properties.get("AutoGranted"):
        yield fault(
            "wrong-value",
            "AutoGranted is true, and there is a test",
            "take AutoGranted out, or the test",
            "a test is graded; MTurk takes one of the two",
        )
    if answer_key and not test:
        yield errors.Finding(
            "no-test",
            str(definition.answer_key),
            "there is an answer key and no test",
            f"add {layout.TEST}, or remove the key",
        )
    if properties.get("AutoGrantedValue") is not None and not properties.get("AutoGranted"):
        yield fault(
            "wrong-value",
            "AutoGrantedValue is given, and AutoGranted is not true",
            "take it out, or set AutoGranted to true",
        )
