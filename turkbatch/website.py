"""The requester website's results file: reading ``Batch_..._batch_results.csv``, however kept.

The website quotes every cell, names 27 columns of MTurk's own before those that begin with
``Input.`` and ``Answer.``, and ends in ``Approve`` and ``Reject``; its rows are two cells
shorter than its header. People move and add columns, and spreadsheets save the file with
semicolons or tabs, a byte order mark and other quotes. All of that is read::

    HITId;AssignmentId;WorkerId;Answer.colour;Approve;Reject
    3HIT...;3ASG...;A1...;blue;x

A time is ``Mon Mar 01 20:48:54 PST 2021``, or ``2021-03-02 04:48:54 UTC`` where approved by
itself. An answer of ``{}`` or nothing is no answer.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from turkbatch import errors, files

Value = str | int | None

HIT_COLUMNS = (
    "HITId",
    "HITTypeId",
    "Title",
    "Description",
    "Keywords",
    "Reward",
    "CreationTime",
    "MaxAssignments",
    "RequesterAnnotation",
    "AssignmentDurationInSeconds",
    "AutoApprovalDelayInSeconds",
    "Expiration",
)
ASSIGNMENT_COLUMNS = (
    "AssignmentId",
    "WorkerId",
    "AssignmentStatus",
    "AcceptTime",
    "SubmitTime",
    "AutoApprovalTime",
    "ApprovalTime",
    "RejectionTime",
    "RequesterFeedback",
    "WorkTimeInSeconds",
)
RATE_COLUMNS = ("LifetimeApprovalRate", "Last30DaysApprovalRate", "Last7DaysApprovalRate")
EMPTY_COLUMNS = ("NumberOfSimilarHITs", "LifetimeInSeconds")
REVIEW_COLUMNS = ("Approve", "Reject")
INPUT_PREFIX = "Input."
ANSWER_PREFIX = "Answer."

_KNOWN = {
    name.casefold(): name
    for name in (
        *HIT_COLUMNS,
        *ASSIGNMENT_COLUMNS,
        *RATE_COLUMNS,
        *EMPTY_COLUMNS,
        *REVIEW_COLUMNS,
    )
}
_OURS = frozenset(_KNOWN.values())
_NO_ANSWER = frozenset({"", "{}"})
_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line by which spreadsheets are told the delimiter."""
_LONGEST_CELL = 10_000_000
"""Characters; far above what a form can post."""

_ZONES = {"PST": -8, "PDT": -7, "UTC": 0, "GMT": 0}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEBSITE_TIME = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) ([A-Z]{3}) (\d{4})"
)


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a table.

    Parameters
    ----------
    line : int
        Line of the file on which it begins, from 1.
    cells : dict of str to str
        By the column's name; what a short row lacks is empty.
    """

    line: int
    cells: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Result:
    """One assignment of a results file.

    Parameters
    ----------
    line : int
        Line of the file on which it begins, from 1.
    hit, assignment : dict of str to str, int or None
        MTurk's own columns, times as ISO 8601 in UTC and the reward as the API gives it;
        None where the cell is empty.
    inputs : dict of str to str
        The fields of the data, in their order.
    answers : dict of str to str or None
        The answers by field; None where there is none.
    approval_rates : tuple of str
        Of the worker: ever, in the last 30 days, in the last 7.
    approve, reject : str
        What the requester wrote there.
    """

    line: int
    hit: Mapping[str, Value]
    assignment: Mapping[str, Value]
    inputs: Mapping[str, str]
    answers: Mapping[str, str | None]
    approval_rates: tuple[str, str, str]
    approve: str
    reject: str


def lines(path: Path) -> Iterator[Line]:
    """Read a table that names assignments, a line at a time.

    Parameters
    ----------
    path : Path
        A CSV with a column ``AssignmentId``, as the website or a spreadsheet saves it.

    Yields
    ------
    Line

    Raises
    ------
    DataError
        If the file is missing, in no known encoding, no such table, or a row has more
        cells than the header has names.
    """
    encoding = _encoding(path)
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding=encoding, newline="") as file, _decoded(path):
        first = file.readline()
        separator = _SEPARATOR_LINE.fullmatch(first)
        header_line = file.readline() if separator else first
        delimiter = separator[1] if separator else _delimiter(header_line)
        file.seek(0)
        if separator:
            file.readline()
        reader = csv.reader(file, delimiter=delimiter)
        yield from _lines(reader, path, skipped=1 if separator else 0)


def _lines(reader: Iterator[list[str]], path: Path, *, skipped: int) -> Iterator[Line]:
    header: list[str] | None = None
    begin = 1 + skipped
    for cells in reader:
        line, begin = begin, reader.line_num + 1 + skipped  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = _header(cells, path, line)
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            raise _fault(
                path,
                line,
                f"{len(cells)} cells, and the header names {len(header)}",
                "a cell that holds the delimiter needs quotes around it",
            )
        row = [*cells, *("" for _ in header)]
        yield Line(line, {name: cell for name, cell in zip(header, row, strict=False) if name})
    if header is None:
        raise _fault(path, None, "the file is empty", "name a results file")


def _header(cells: Sequence[str], path: Path, line: int) -> list[str]:
    names = [_KNOWN.get(cell.strip().casefold(), cell.strip()) for cell in cells]
    if "AssignmentId" not in names:
        raise _fault(
            path,
            line,
            'there is no column "AssignmentId"',
            "name a results file as the requester website gives it, its first line the header",
        )
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise _fault(path, line, f'several columns are called "{twice[0]}"', "keep one of them")
    return names


def _fault(path: Path, line: int | None, found: str, fix: str) -> errors.DataError:
    return errors.DataError(errors.Finding("bad-results-file", str(path), found, fix, line=line))


def _encoding(path: Path) -> str:
    """Tell UTF-8 from the UTF-16 in which spreadsheets save "Unicode text"."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError:
        files.read_bytes(path, errors.DataError)  # says what is wrong with it
        raise
    return "utf-16" if start in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"


@contextlib.contextmanager
def _decoded(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        files.read_text(path, errors.DataError)  # names the line, the byte and the encoding
        raise
    except csv.Error as error:
        raise _fault(path, None, f"not CSV: {error}", "save it again as CSV") from error


def _delimiter(header: str) -> str:
    """Choose the delimiter that gives most of the names we know."""

    def known(delimiter: str) -> int:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        return sum(cell.strip().casefold() in _KNOWN for cell in cells)

    return max(_DELIMITERS, key=known)


def results(path: Path, *, note: Callable[[str], None] | None = None) -> Iterator[Result]:
    """Read a results file, an assignment at a time.

    Parameters
    ----------
    path : Path
        As for :func:`lines`.
    note : callable, optional
        Told of columns that are none of the website's, and of times that can't be read.

    Yields
    ------
    Result

    Raises
    ------
    DataError
        As :func:`lines`.
    """
    told: set[str] = set()

    def tell(text: str) -> None:
        if note is not None and text not in told:
            told.add(text)
            note(text)

    for line in lines(path):
        for name in line.cells:
            if name not in _OURS and not name.startswith((INPUT_PREFIX, ANSWER_PREFIX)):
                tell(f'the column "{name}" is none of the website\'s and is left out')
        yield _result(line, tell)


def _result(line: Line, tell: Callable[[str], None]) -> Result:
    cells = line.cells
    ever, month, week = (cells.get(name, "").strip() for name in RATE_COLUMNS)
    return Result(
        line=line.line,
        hit={name: _value(name, cells.get(name, ""), tell) for name in HIT_COLUMNS},
        assignment={name: _value(name, cells.get(name, ""), tell) for name in ASSIGNMENT_COLUMNS},
        inputs={
            name.removeprefix(INPUT_PREFIX): cell
            for name, cell in cells.items()
            if name.startswith(INPUT_PREFIX)
        },
        answers={
            name.removeprefix(ANSWER_PREFIX): None if cell in _NO_ANSWER else cell
            for name, cell in cells.items()
            if name.startswith(ANSWER_PREFIX)
        },
        approval_rates=(ever, month, week),
        approve=cells.get("Approve", "").strip(),
        reject=cells.get("Reject", "").strip(),
    )


def _value(name: str, cell: str, tell: Callable[[str], None]) -> Value:
    """Read a cell of MTurk's own columns as the API would have given it."""
    text = cell.strip()
    if not text:
        return None
    if name.endswith("Time") or name == "Expiration":
        moment = time(text)
        if moment is None:
            tell(f"{name} holds {text!r}, which is no time that we know; it is left as it is")
        return text if moment is None else moment.isoformat()
    if name == "Reward":
        return text.removeprefix("$").strip()
    if name.endswith(("InSeconds", "MaxAssignments")) and text.isascii() and text.isdigit():
        return int(text)
    return text


def time(text: str) -> datetime.datetime | None:
    """Read a time in any form that the website writes, or ISO 8601.

    Returns
    -------
    datetime or None
        In UTC; None for any other text.
    """
    found = _WEBSITE_TIME.fullmatch(text)
    if found is None:
        return _iso_time(text)
    month, day, hour, minute, second, zone, year = found.groups()
    if month not in _MONTHS or zone not in _ZONES:
        return None
    offset = datetime.timezone(datetime.timedelta(hours=_ZONES[zone]))
    numbers = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    try:
        return datetime.datetime(*numbers, tzinfo=offset).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None


def _iso_time(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(re.sub(r"\s*(UTC|GMT)$", "+00:00", text))
        # One without an offset is UTC, as the website's second form is.
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return zoned.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None
