r"""Jinja2, shut in: a definition from elsewhere can neither read files nor run code.

Templates run in Jinja2's own sandbox, which keeps them from Python's internals, and
are loaded from the definition directory alone. amti rendered with ``jinja2.Template``
and its defaults, so those are kept: one trailing newline of the template is dropped and
line ends become ``\n``. Two things differ: an undefined name is an error unless the
caller allows it, and HTML forms are autoescaped.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes
import jinja2.sandbox
from jinja2.runtime import Undefined
from jinja2.utils import missing

OUTPUT_LIMIT_CHARACTERS = 16 * 1024 * 1024
"""Where rendering stops: 256 times what MTurk takes, so that a loop can't fill the memory."""

REPETITION_LIMIT = 1_000_000
"""Longest text or list that ``*`` may make in a template, and largest exponent of ``**``."""


@dataclasses.dataclass(frozen=True)
class Use:
    """Where a template uses a name of the data.

    Parameters
    ----------
    file : str
        The template, or the file that it includes.
    line : int
        Line of the first use, counted from 1.
    guarded : bool
        Whether the template is ready for its absence: it asks whether the name is defined,
        or gives it a default.
    """

    file: str
    line: int
    guarded: bool = False


class UndefinedNameError(jinja2.UndefinedError):
    """A template used a name that the row does not have; ``name`` is that name.

    ``name`` is None where not a field itself was missing but an attribute or item of one.
    """

    def __init__(self, name: str | None, message: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class TooMuchError(jinja2.TemplateRuntimeError):
    """A template made more than any question can hold."""


class OutsideError(jinja2.TemplateNotFound):
    """A template asked for a file that is not in its definition directory."""


class UnreadableError(jinja2.TemplateNotFound):
    """An included file is there but can't be read as UTF-8 text."""


def inside(directory: Path, name: str) -> Path:
    """Resolve a template's name to a file of its definition directory.

    Parameters
    ----------
    directory : Path
        The definition directory.
    name : str
        Path relative to it, as in ``{% include "head.html" %}``.

    Returns
    -------
    Path
        The real path of the file; it need not exist.

    Raises
    ------
    OutsideError
        When the name, or a symbolic link on its way, leaves the directory.
    """
    if "\x00" in name:
        raise OutsideError(name, f"{name!r} is no file name")
    root = directory.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise OutsideError(name, f'"{name}" is outside the definition directory')
    return path


def read(directory: Path, name: str) -> str:
    """Read a file of the definition directory as text; a BOM is ignored.

    Raises
    ------
    OutsideError
        When the file is not in the directory.
    UnreadableError
        When it can't be read, or is not UTF-8.
    jinja2.TemplateNotFound
        When it does not exist.
    """
    path = inside(directory, name)
    try:
        # newline="" keeps CRLF: a layout is passed on byte for byte.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except FileNotFoundError as error:
        raise jinja2.TemplateNotFound(
            name, f'there is no "{name}" in the definition directory'
        ) from error
    except UnicodeDecodeError as error:
        found = f"byte {error.start + 1} is {error.object[error.start]:#04x}"
        raise UnreadableError(name, f'"{name}" is not UTF-8: {found}') from error
    except OSError as error:
        raise UnreadableError(name, f'"{name}" can\'t be read: {error.strerror}') from error


class _Loader(jinja2.BaseLoader):
    """Loads from one directory; unlike FileSystemLoader, follows no link out of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get_source(
        self,
        environment: jinja2.Environment,  # noqa: ARG002 - the base class's
        template: str,
    ) -> tuple[str, str, Callable[[], bool]]:
        # The name stands for the path, so that messages and tracebacks show it as written.
        return read(self.directory, template), template, lambda: True


class _Strict(jinja2.StrictUndefined):
    """An undefined name that says which it was."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        super().__init__(hint, obj, name, exc)
        # The sandbox gives exc=SecurityError, which has to stay.
        if exc is jinja2.UndefinedError:
            field = name if obj is missing else None
            self._undefined_exception = functools.partial(UndefinedNameError, field)  # type: ignore[assignment]


def _lenient(note: Callable[[str], None]) -> type[Undefined]:
    """Make an undefined type that renders empty and notes each name it stood for."""

    class Lenient(jinja2.ChainableUndefined):
        __slots__ = ()

        def _noted(self) -> None:
            if self._undefined_exception is not jinja2.UndefinedError:
                self._fail_with_undefined_error()
            note(self._undefined_name or "?")

        def __str__(self) -> str:
            self._noted()
            return ""

        def __iter__(self) -> Iterator[Any]:
            self._noted()
            return iter(())

        def __bool__(self) -> bool:
            self._noted()
            return False

        def __len__(self) -> int:
            self._noted()
            return 0

        def __html__(self) -> str:
            return str(self)

        def __getattr__(self, name: str) -> jinja2.ChainableUndefined:
            # Chained: {{ a.b }} is empty where "a" is not there, and "a" is what is noted.
            if self._undefined_exception is not jinja2.UndefinedError:
                self._fail_with_undefined_error()
            return super().__getattr__(name)

    return Lenient


class _Environment(jinja2.sandbox.SandboxedEnvironment):
    """The sandbox, with a bound on what one multiplication may make."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: object, right: object
    ) -> object:
        """Evaluate ``*`` and ``**``, unless the result would fill the memory."""
        if operator == "**" and _too_large_a_power(left, right):
            raise TooMuchError(f"{operator} with {right!r} is more than a template may compute")
        if operator == "*" and _repeated_length(left, right) > REPETITION_LIMIT:
            raise TooMuchError(f"* would make more than {REPETITION_LIMIT:,} items")
        return super().call_binop(context, operator, left, right)


def _too_large_a_power(base: object, exponent: object) -> bool:
    return (
        isinstance(base, int)
        and isinstance(exponent, int)
        and exponent * base.bit_length() > REPETITION_LIMIT
    )


def _repeated_length(left: object, right: object) -> int:
    """Length of what ``left * right`` makes, 0 for numbers."""
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(count, int):
            return len(sequence) * count
    return 0


class JinjaTemplate:
    """A Jinja2 template of a definition directory, compiled once.

    Parameters
    ----------
    directory : Path
        The definition directory; includes and imports come from here alone.
    name : str
        File name of the template in it.
    autoescape : bool
        Whether values are escaped for HTML.

    Raises
    ------
    jinja2.TemplateSyntaxError
        When the template is not valid Jinja2.
    jinja2.TemplateNotFound
        When it is not there, can't be read or leaves the directory.
    """

    def __init__(self, directory: Path, name: str, *, autoescape: bool) -> None:
        self.name = name
        self._noted: list[str] = []
        self._noting = threading.Lock()
        loader = _Loader(directory)
        self._strict = _Environment(loader=loader, autoescape=autoescape, undefined=_Strict)
        self._lenient = self._strict.overlay(undefined=_lenient(self._noted.append))
        self._template = self._strict.get_template(name)

    def fill(self, row: Mapping[str, object]) -> str:
        """Render a row; an undefined name raises.

        Raises
        ------
        UndefinedNameError
            When the template uses a name that the row does not have.
        Exception
            Whatever else the template's own expressions raise.
        """
        return _rendered(self._template, row)

    def fill_leniently(self, row: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
        """Render a row with undefined names empty, and say which those were, in order."""
        # Rows are rendered by many threads, and the names noted are one row's.
        with self._noting:
            self._noted.clear()
            text = _rendered(self._lenient.get_template(self.name), row)
            return text, tuple(dict.fromkeys(self._noted))

    def names(self) -> dict[str, Use]:
        """Find the names that this template and what it includes take from a row."""
        found: dict[str, Use] = {}
        self._collect_names(self.name, found, set(), frozenset(self._strict.globals))
        return found

    def _collect_names(
        self,
        name: str,
        found: dict[str, Use],
        seen: set[str],
        given: frozenset[str],
    ) -> None:
        if name in seen:
            return
        seen.add(name)
        source = read_source(self._strict, name)
        if source is None:
            return
        tree = self._strict.parse(source, name, name)
        guarded = _guarded(tree)
        undeclared = jinja2.meta.find_undeclared_variables(tree) - given
        for node in tree.find_all(jinja2.nodes.Name):
            if node.name in undeclared:
                use = Use(name, node.lineno, node.name in guarded)
                found.setdefault(node.name, use)
        # An included file sees what the including one has set.
        assigned = {node.name for node in tree.find_all(jinja2.nodes.Name) if node.ctx != "load"}
        for referenced in _referenced_with_context(tree):
            self._collect_names(referenced, found, seen, given | assigned)


def read_source(environment: jinja2.Environment, name: str) -> str | None:
    """Read a template's source, or None where it is not there."""
    assert environment.loader is not None
    try:
        return environment.loader.get_source(environment, name)[0]
    except jinja2.TemplateNotFound:
        return None


def template_line(error: BaseException, template: JinjaTemplate) -> tuple[str, int | None]:
    """Find where in which template an error was raised.

    Returns
    -------
    (str, int or None)
        File name, relative to the definition directory, and line counted from 1.
    """
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.filename or error.name or template.name, error.lineno
    place: tuple[str, int | None] = (template.name, None)
    for frame in traceback.extract_tb(error.__traceback__):
        # Jinja2 rewrites the frames of its templates to the file name that the loader
        # gave; those names are relative, and those of Python's modules never are.
        if not Path(frame.filename).is_absolute() and not frame.filename.startswith("<"):
            place = (frame.filename, frame.lineno)
    return place


def _rendered(template: jinja2.Template, row: Mapping[str, object]) -> str:
    chunks: list[str] = []
    length = 0
    for chunk in template.generate(_detached(row)):
        length += len(chunk)
        if length > OUTPUT_LIMIT_CHARACTERS:
            raise TooMuchError(f"it makes more than {OUTPUT_LIMIT_CHARACTERS:,} characters")
        chunks.append(chunk)
    return "".join(chunks)


def _detached(row: Mapping[str, object]) -> dict[str, object]:
    """Copy a row's lists and objects: a template that appends to one must not change the data."""
    return {
        name: copy.deepcopy(value) if isinstance(value, (list, dict)) else value
        for name, value in row.items()
    }


def _guarded(tree: jinja2.nodes.Template) -> frozenset[str]:
    """Find the names that are tested for being defined, or given a default."""
    asking = {"defined", "undefined", "default", "d"}
    nodes = tree.find_all((jinja2.nodes.Test, jinja2.nodes.Filter))
    subjects = (node.node for node in nodes if node.name in asking)
    return frozenset(node.name for node in subjects if isinstance(node, jinja2.nodes.Name))


def _referenced_with_context(tree: jinja2.nodes.Template) -> list[str]:
    """List the templates, by constant name, that are given the row when they are used."""
    kinds = (
        jinja2.nodes.Include,
        jinja2.nodes.Extends,
        jinja2.nodes.Import,
        jinja2.nodes.FromImport,
    )
    names: list[str] = []
    for node in tree.find_all(kinds):
        if not getattr(node, "with_context", True):
            continue  # an import sees no row unless it says "with context"
        names.extend(_constant_names(node.template))  # type: ignore[attr-defined]
    return names


def _constant_names(expression: jinja2.nodes.Expr) -> list[str]:
    if isinstance(expression, jinja2.nodes.Const) and isinstance(expression.value, str):
        return [expression.value]
    if isinstance(expression, (jinja2.nodes.List, jinja2.nodes.Tuple)):
        return [name for item in expression.items for name in _constant_names(item)]
    return []
