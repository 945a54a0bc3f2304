"""``new-definition``: a definition to begin from, with data to try it on.

The starters are package data: ``starters/NAME/definition`` and ``starters/NAME/data.csv``,
and around all of their questions ``starters/page.html.j2``.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import shutil
from importlib.resources.abc import Traversable
from pathlib import Path

from turkbatch import errors, files
from turkbatch.actions import pinned
from turkbatch.batch import layout
from turkbatch.question import placeholders

PAGE = "page.html.j2"
DEFINITION = "definition"
DATA = "data.csv"


@dataclasses.dataclass(frozen=True)
class Starter:
    """A definition to begin from.

    Parameters
    ----------
    name : str
        What ``new-definition`` takes.
    description : str
        What it is for, in one sentence.
    """

    name: str
    description: str


@dataclasses.dataclass(frozen=True)
class NewDefinition:
    """What was written.

    Parameters
    ----------
    definition_dir : Path
        The definition.
    data_path : Path
        Three rows of data for it.
    """

    definition_dir: Path
    data_path: Path


def _starters() -> Traversable:
    return importlib.resources.files("turkbatch") / "starters"


def starters() -> tuple[Starter, ...]:
    """List the starters, sorted by name."""
    found = [one for one in _starters().iterdir() if one.joinpath(DEFINITION).is_dir()]
    return tuple(
        Starter(one.name, _first_line(one / DEFINITION / layout.NOTES))
        for one in sorted(found, key=lambda one: one.name)
    )


def _first_line(notes: Traversable) -> str:
    return notes.read_text(encoding="utf-8").partition("\n")[0]


def new_definition(template: str, directory: pinned.PathLike) -> NewDefinition:
    """Write a starter into a directory: ``definition/`` and ``data.csv``.

    Parameters
    ----------
    template : str
        Name of a starter; see :func:`starters`.
    directory : path
        Where to; made if missing, and empty.

    Returns
    -------
    NewDefinition

    Raises
    ------
    RefusedError
        If there is no such starter.
    BatchError
        If the directory holds anything already, or can't be written.
    """
    names = [one.name for one in starters()]
    if template not in names:
        near = placeholders.did_you_mean(template, names)
        raise errors.RefusedError(
            f"there is no template {template!r}; {near + ' ' if near else ''}"
            "`turkbatch new-definition --list` names them all"
        )
    target = Path(directory)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise errors.BatchError(f"{target}: is there already; name an empty or a new directory")
    try:
        target.mkdir(parents=True, exist_ok=True)
        with importlib.resources.as_file(_starters()) as source:
            _write(source, template, target)
    except OSError as error:
        raise errors.BatchError(f"{target}: can't be made ({error.strerror})") from error
    return NewDefinition(target / DEFINITION, target / DATA)


def _write(source: Path, template: str, target: Path) -> None:
    files.replace_text(target / DATA, (source / template / DATA).read_text(encoding="utf-8"))
    with files.directory(target / DEFINITION) as work:
        for file in (*(source / template / DEFINITION).iterdir(), source / PAGE):
            shutil.copyfile(file, work / file.name)
