"""One template of a definition, and a row of data rendered with it.

A definition directory has one of three question files, which name the form:

``question.xml.j2``
    Jinja2 that renders to question XML, verbatim; amti's form.
``question.html.j2``
    Jinja2, autoescaped, that renders to a page; the page is wrapped in an HTMLQuestion.
``question.html``
    A layout of the requester website with ``${name}`` placeholders; wrapped likewise.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import jinja2

from turkbatch import errors
from turkbatch.question import check, complete, placeholders, wrap
from turkbatch.question import jinja as sandbox

QUESTION_FILES = ("question.xml.j2", "question.html.j2", "question.html")


@dataclasses.dataclass(frozen=True)
class Question:
    """What MTurk receives for one row.

    Parameters
    ----------
    xml : str
        The question, as `CreateHIT` takes it.
    html : str or None
        The page in it, where it is an HTMLQuestion.
    kind : {"HTMLQuestion", "ExternalQuestion", "QuestionForm"}
        Which of MTurk's three documents it is.
    undefined : tuple of str
        Names that were rendered empty, where that was allowed.
    size : int
        Bytes of `xml` in UTF-8, which is what MTurk's limit counts.
    """

    xml: str
    html: str | None
    kind: check.Kind
    undefined: tuple[str, ...]
    size: int


class Template(Protocol):
    """A question file of a definition, ready for rows; made by `load`."""

    @property
    def file(self) -> str:
        """The question file, as the user knows it."""

    @property
    def text(self) -> str:
        """The question file's text."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of the data that the template was loaded for."""

    @property
    def notes(self) -> tuple[errors.Finding, ...]:
        """What was added to the layout, and other things worth knowing."""

    def names(self) -> dict[str, sandbox.Use]:
        """Find the names that are taken from a row, each with the place of its first use."""

    def unfilled(self, columns: Sequence[str]) -> list[errors.Finding]:
        """Warn of each name that the template uses, or seems to, and no column fills."""

    def render(
        self, row: Mapping[str, object], *, where: str, allow_undefined: bool = False
    ) -> Question:
        """Render a row to the question that MTurk receives.

        Parameters
        ----------
        row : mapping
            Field names to JSON values.
        where : str
            Where the row is from, such as ``data.jsonl:7``; errors point there.
        allow_undefined : bool
            Render names that the row does not have as nothing, instead of refusing.

        Returns
        -------
        Question
            The question, checked.

        Raises
        ------
        DataError
            When a field is missing, or holds a character that XML can't.
        QuestionError
            When the template fails on this row, or what it makes is no question that
            MTurk would take: not well-formed, of the wrong structure, too large.
        """


def load(definition_dir: Path, *, columns: Sequence[str]) -> Template:
    """Load the one question file of a definition.

    Parameters
    ----------
    definition_dir : Path
        The definition directory.
    columns : sequence of str
        Every field name of the data; what ``${...}`` stands for depends on them.

    Returns
    -------
    Template
        What renders rows.

    Raises
    ------
    DefinitionError
        When there is no question file, or several, or it can't be read.
    QuestionError
        When the template is not valid Jinja2.
    """
    name = _question_file(definition_dir)
    file = str(definition_dir / name)
    try:
        text = sandbox.read(definition_dir, name)
        if name.endswith(".j2"):
            return _Jinja(definition_dir, name, text, tuple(columns))
    except jinja2.TemplateSyntaxError as error:
        raise errors.QuestionError(_syntax(definition_dir, error, name)) from error
    except jinja2.TemplateNotFound as error:
        raise errors.DefinitionError(
            errors.Finding(
                rule="unreadable-template",
                file=file,
                found=error.message or "it can't be read",
                fix="give a readable file in UTF-8, inside the definition directory",
            )
        ) from error
    return _Layout(file, text, tuple(columns))


def _question_file(definition_dir: Path) -> str:
    """Name the one question file of a definition directory."""
    if not definition_dir.is_dir():
        raise errors.DefinitionError(
            errors.Finding(
                rule="no-definition",
                file=str(definition_dir),
                found="there is no such directory",
                fix="give the directory that holds the question file and the properties",
            )
        )
    # A link that leads nowhere is there, and is reported as unreadable.
    found = [
        name
        for name in QUESTION_FILES
        if (definition_dir / name).exists() or (definition_dir / name).is_symlink()
    ]
    if len(found) == 1:
        return found[0]
    raise errors.DefinitionError(
        errors.Finding(
            rule="several-question-files" if found else "no-question-file",
            file=str(definition_dir),
            found=f"it has {' and '.join(found)}" if found else "it has no question file",
            fix="keep one of them" if found else f"add one of {', '.join(QUESTION_FILES)}",
            why="each batch is made from one template",
        )
    )


def _syntax(definition_dir: Path, error: jinja2.TemplateSyntaxError, name: str) -> errors.Finding:
    return errors.Finding(
        rule="template-syntax",
        file=str(definition_dir / (error.filename or error.name or name)),
        line=error.lineno,
        found=f"not valid Jinja2: {(error.message or '').rstrip('.')}",
        fix="mend the template; {% raw %} ... {% endraw %} keeps text that looks like Jinja2",
    )


def _place(where: str) -> tuple[str, int | None]:
    """Take ``data.jsonl:7`` apart."""
    file, colon, line = where.rpartition(":")
    return (file, int(line)) if colon and line.isdecimal() else (where, None)


@dataclasses.dataclass(frozen=True)
class _Row:
    """A row being rendered, and the findings that point to it."""

    values: Mapping[str, object]
    file: str
    line: int | None
    template: str

    def missing(self, name: str, used_at: str) -> errors.Finding:
        near = placeholders.did_you_mean(name, self.values)
        return errors.Finding(
            rule="undefined-name",
            file=self.file,
            line=self.line,
            found=f'no "{name}", which {used_at} uses',
            why="the worker would see a page with a gap in it",
            fix=near or "add it to this line",
        )

    def failed(self, used_at: str, message: str) -> errors.Finding:
        return errors.Finding(
            rule="template-error",
            file=self.file,
            line=self.line,
            found=f"{used_at} fails on this row: {message}",
            fix="mend the template or the row",
        )

    def suspects(self) -> list[str]:
        """List the fields that hold what XML takes for markup."""
        marks = ("&", "<", "]]>")
        return [
            name
            for name, value in self.values.items()
            if any(_holds(value, mark) for mark in marks)
        ]

    def invalid(self, text: str) -> errors.Finding | None:
        """Find a character of a rendered text that XML can't hold, and whose it is."""
        fault = wrap.invalid_character(text)
        if fault is None:
            return None
        position, code_point = fault
        character = text[position]
        fields = [name for name, value in self.values.items() if _holds(value, character)]
        culprit = f'"{fields[0]}"' if fields else self.template
        return errors.Finding(
            rule="invalid-character",
            file=self.file,
            line=self.line,
            found=f"{culprit} holds {code_point}, a character that XML can't hold",
            why="a question is XML, where not even an escape can stand for it",
            fix="remove it",
        )


def _holds(value: object, text: str) -> bool:
    if isinstance(value, str):
        return text in value
    if isinstance(value, Mapping):
        return any(_holds(part, text) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_holds(part, text) for part in value)


def _wrapped(html: str, row: _Row, undefined: tuple[str, ...]) -> Question:
    """Wrap a page; what is in CDATA and valid needs no parser to be known well-formed."""
    xml = wrap.html_question(html)
    oversize = tuple(check.size(xml, file=row.file, line=row.line))
    if oversize:
        raise errors.QuestionError(*oversize)
    return Question(xml, html, "HTMLQuestion", undefined, len(xml.encode()))


class _Jinja:
    """A ``question.xml.j2`` or ``question.html.j2``."""

    def __init__(
        self, definition_dir: Path, name: str, text: str, columns: tuple[str, ...]
    ) -> None:
        self.file = str(definition_dir / name)
        self.text = text
        self.columns = columns
        self.notes: tuple[errors.Finding, ...] = ()
        self._is_page = name.endswith(".html.j2")
        self._directory = definition_dir
        self._template = sandbox.JinjaTemplate(definition_dir, name, autoescape=self._is_page)

    def names(self) -> dict[str, sandbox.Use]:
        return {
            name: dataclasses.replace(use, file=str(self._directory / use.file))
            for name, use in self._template.names().items()
        }

    def unfilled(self, columns: Sequence[str]) -> list[errors.Finding]:
        return [
            errors.Finding(
                rule="unfilled-name",
                file=use.file,
                line=use.line,
                found=f'no field of the data is called "{name}"',
                why="a row that lacks a name which its template uses is refused",
                fix=placeholders.did_you_mean(name, columns) or "add the field to the data",
                severity="warning",
            )
            for name, use in self.names().items()
            if name not in columns and not use.guarded
        ]

    def render(
        self, row: Mapping[str, object], *, where: str, allow_undefined: bool = False
    ) -> Question:
        place = _Row(row, *_place(where), self._template.name)
        text, undefined = self._filled(place, allow_undefined)
        invalid = place.invalid(text)
        if invalid is not None:
            raise errors.DataError(invalid)
        if self._is_page:
            return _wrapped(text, place, undefined)
        checked = check.question(
            text,
            file=place.file,
            line=place.line,
            template=self._template.name,
            suspects=place.suspects(),
        )
        if checked.findings or checked.kind is None:
            raise errors.QuestionError(*checked.findings)
        return Question(text, checked.html, checked.kind, undefined, len(text.encode()))

    def _filled(self, row: _Row, allow_undefined: bool) -> tuple[str, tuple[str, ...]]:
        try:
            if allow_undefined:
                return self._template.fill_leniently(row.values)
            return self._template.fill(row.values), ()
        except sandbox.UndefinedNameError as error:
            raise errors.DataError(*self._undefined(error, row)) from error
        except jinja2.TemplateSyntaxError as error:
            raise errors.QuestionError(
                _syntax(self._directory, error, self._template.name)
            ) from error
        # A template is a program of the user's: its expressions can raise anything, and
        # whatever it is, the row and the line of the template are what they need to know.
        except Exception as error:
            message = str(error).rstrip(".") or type(error).__name__
            finding = row.failed(self._used_at(error), message)
            raise errors.QuestionError(finding) from error

    def _undefined(self, error: sandbox.UndefinedNameError, row: _Row) -> Iterator[errors.Finding]:
        """Report every name that this row lacks, not only the first that was met."""
        if error.name is None:
            yield row.failed(self._used_at(error), str(error).rstrip("."))
            return
        yield row.missing(error.name, self._used_at(error))
        places = self._template.names()
        for name in self._all_undefined(row.values):
            if name != error.name and name in places:
                yield row.missing(name, f"{places[name].file}:{places[name].line}")

    def _all_undefined(self, row: Mapping[str, object]) -> tuple[str, ...]:
        try:
            return self._template.fill_leniently(row)[1]
        except Exception:  # the first name is known already; the rest is a courtesy
            return ()

    def _used_at(self, error: BaseException) -> str:
        file, line = sandbox.template_line(error, self._template)
        return file if line is None else f"{file}:{line}"


class _Layout:
    """A ``question.html`` of the requester website."""

    def __init__(self, file: str, text: str, columns: tuple[str, ...]) -> None:
        self.file = file
        self.text = text
        self.columns = columns
        completed, self.notes = complete.complete(text, file=file)
        self._name = Path(file).name
        self._layout = placeholders.Layout(completed, columns)
        # Checked once here, so that of each row only the values are left to check.
        self._has_invalid = wrap.invalid_character(text) is not None

    def names(self) -> dict[str, sandbox.Use]:
        return {name: sandbox.Use(self.file, line) for name, line in self._lines.items()}

    def unfilled(self, columns: Sequence[str]) -> list[errors.Finding]:
        return placeholders.findings(self.text, columns, file=self.file)

    @functools.cached_property
    def _lines(self) -> dict[str, int]:
        found = placeholders.scan(self.text, self.columns)
        return {item.name: item.line for item in reversed(found) if item.taken}

    def render(
        self, row: Mapping[str, object], *, where: str, allow_undefined: bool = False
    ) -> Question:
        place = _Row(row, *_place(where), self._name)
        undefined = tuple(name for name in self._layout.names if name not in row)
        if undefined and not allow_undefined:
            raise errors.DataError(
                *(place.missing(name, f"{self._name}:{self._lines[name]}") for name in undefined)
            )
        values = {name: placeholders.text_of(row.get(name)) for name in self._layout.names}
        html = self._layout.fill(values)
        # The values alone are checked: a layout is often a hundred times their length.
        invalid = place.invalid(html if self._has_invalid else "".join(values.values()))
        if invalid is not None:
            raise errors.DataError(invalid)
        return _wrapped(html, place, undefined)
