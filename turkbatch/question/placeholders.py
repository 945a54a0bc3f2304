"""``${name}``, as in the layouts of MTurk's requester website.

``${X}`` is a placeholder where X, trimmed of white space, is a column of the data.
Everything else that looks like one (JavaScript's template literals, a dollar before other
braces) is left byte for byte. Values go in literally, once: a value that holds ``${other}``
stays as it is.
"""

from __future__ import annotations

import bisect
import dataclasses
import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping

from turkbatch import errors

_CANDIDATE = re.compile(r"\$\{((?:(?!\$\{)[^}])*)\}")
"""Anything between ``${`` and the next ``}``; of nested ones the inner."""

_IDENTIFIER = re.compile(r"[^\W\d][\w.-]*")
"""A name such as a column might have: letters, digits, ``_``, ``.`` and ``-``."""

_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)(?:</script\s*>|\Z)", re.IGNORECASE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Placeholder:
    """Something in a layout that looks like a placeholder, and what was made of it.

    Parameters
    ----------
    name : str
        What stands between the braces, trimmed.
    line : int
        Line of the layout, counted from 1.
    taken : bool
        Whether a value of the data goes there.
    reason : str
        Why, in a few words.
    """

    name: str
    line: int
    taken: bool
    reason: str


class Layout:
    """A layout, split once at its placeholders.

    Parameters
    ----------
    text : str
        The layout.
    columns : collection of str
        The columns of the data.
    """

    def __init__(self, text: str, columns: Collection[str]) -> None:
        # re.split with one group alternates: text, name, text, name, ..., text.
        parts = _taken(columns).split(text) if any(columns) else [text]
        self._texts = parts[0::2]
        self._names = parts[1::2]
        self.names: tuple[str, ...] = tuple(dict.fromkeys(self._names))
        """The columns that the layout uses, in order of first use."""

    def fill(self, values: Mapping[str, str]) -> str:
        """Put the values in; every name of `names` has to be there."""
        parts = self._texts * 2
        parts[0::2] = self._texts
        parts[1::2] = [*(values[name] for name in self._names), ""]
        return "".join(parts)


def scan(text: str, columns: Collection[str]) -> list[Placeholder]:
    """List everything in a layout that looks like a placeholder.

    Parameters
    ----------
    text : str
        The layout.
    columns : collection of str
        The columns of the data.

    Returns
    -------
    list of Placeholder
        In the order of the layout, taken or not, each with the reason.
    """
    taken = {match.start(): match[1] for match in _taken(columns).finditer(text)}
    others = {match.start(): match[1].strip() for match in _CANDIDATE.finditer(text)}
    scripts = [match.span(1) for match in _SCRIPT.finditer(text)]
    line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return [
        Placeholder(
            name=taken.get(start, others.get(start, "")),
            line=bisect.bisect_right(line_starts, start),
            taken=start in taken,
            reason=_reason(start, taken, others, scripts),
        )
        for start in sorted({**others, **taken})
    ]


def findings(text: str, columns: Collection[str], *, file: str) -> list[errors.Finding]:
    """Warn of each name in a layout that looks meant for a column but has none.

    Parameters
    ----------
    text : str
        The layout.
    columns : collection of str
        The columns of the data.
    file : str
        The layout's file, as the user knows it.

    Returns
    -------
    list of Finding
        One ``unfilled-name`` warning a name, at the line where it is first met.
    """
    first: dict[str, Placeholder] = {}
    counts: dict[str, int] = {}
    for placeholder in scan(text, columns):
        if not placeholder.taken and _IDENTIFIER.fullmatch(placeholder.name):
            first.setdefault(placeholder.name, placeholder)
            counts[placeholder.name] = counts.get(placeholder.name, 0) + 1
    return [
        errors.Finding(
            rule="unfilled-name",
            file=file,
            line=placeholder.line,
            found=f"${{{name}}} is no column of the data"
            + (f" ({counts[name]} times)" if counts[name] > 1 else ""),
            why=f"{placeholder.reason}; it stays as it is, which is right for JavaScript",
            fix=did_you_mean(name, columns) or "add the column, or leave it if it is JavaScript",
            severity="warning",
        )
        for name, placeholder in first.items()
    ]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Ask for the nearest of some names, or say nothing where none is near."""
    near = difflib.get_close_matches(name, list(candidates), n=1)
    return f'did you mean "{near[0]}"?' if near else ""


def text_of(value: object) -> str:
    """Write a value of a data row as text for a layout.

    Text stays as it is and null is empty. Everything else is written as JSON: numbers in
    digits, ``true`` and ``false``, lists and objects whole, so that a script in the page
    can read them.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)


def _taken(columns: Collection[str]) -> re.Pattern[str]:
    """Build the pattern of what is a placeholder for these columns, the name as its group."""
    # Longest first, so that of "a" and "a}b" the second can win.
    names = sorted(filter(None, columns), key=len, reverse=True)
    if not names:
        return re.compile(r"(?!)")
    return re.compile(r"\$\{\s*(" + "|".join(map(re.escape, names)) + r")\s*\}")


def _reason(
    start: int, taken: Mapping[int, str], others: Mapping[int, str], scripts: list[tuple[int, int]]
) -> str:
    if start in taken:
        return "a column of the data"
    inside_script = any(begin <= start < end for begin, end in scripts)
    if not _IDENTIFIER.fullmatch(others[start]):
        return "an expression, not a name" + (", in a script" if inside_script else "")
    return "no column has this name" + (", and it is in a script" if inside_script else "")
