"""Results as rows: in amti's columns, or in those of the requester website.

The formats are JSON Lines (one object a line), JSON (one array, one object a line) and CSV
(UTF-8, no BOM). JSON keeps what CSV can't: a field that came several times is a list there
and joined with ``|`` in CSV, and a missing answer is no key there and an empty cell in CSV.

Writing streams. The rows come from a function that can be called twice, since the header
of a CSV is the union of the columns and has to be known first.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import decimal
import functools
import json
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TextIO

Format = Literal["jsonl", "json", "csv"]
Style = Literal["amti", "requester"]
Row = dict[str, object]

_HIT_COLUMNS = (
    "HITId",
    "AssignmentDurationInSeconds",
    "AutoApprovalDelayInSeconds",
    "Expiration",
    "CreationTime",
)
_ASSIGNMENT_COLUMNS = (
    "AssignmentId",
    "WorkerId",
    "AssignmentStatus",
    "AutoApprovalTime",
    "AcceptTime",
    "SubmitTime",
    "ApprovalTime",
)
AMTI_COLUMNS = (*_HIT_COLUMNS, *_ASSIGNMENT_COLUMNS)
"""What ``amti extract tabular`` writes before the answers, in its order."""

_MORE_HIT_COLUMNS = ("HITTypeId", "Reward")
_MORE_ASSIGNMENT_COLUMNS = ("RejectionTime", "RequesterFeedback")
_WORK_TIME = "WorkTimeInSeconds"
MORE_COLUMNS = (*_MORE_HIT_COLUMNS, *_MORE_ASSIGNMENT_COLUMNS, _WORK_TIME)
"""What we add to amti's columns."""

REQUESTER_COLUMNS = (
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
    "NumberOfSimilarHITs",
    "LifetimeInSeconds",
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
    "LifetimeApprovalRate",
    "Last30DaysApprovalRate",
    "Last7DaysApprovalRate",
)
"""The fixed columns of a ``Batch_..._batch_results.csv``, as in every file seen."""

REVIEW_COLUMNS = ("Approve", "Reject")
"""Its last two, which the requester fills in."""

_ALWAYS_EMPTY = frozenset({"NumberOfSimilarHITs", "LifetimeInSeconds"})
_TIMES = frozenset(name for name in REQUESTER_COLUMNS if name.endswith("Time")) | {"Expiration"}

INPUT_PREFIX = "Input."
ANSWER_PREFIX = "Answer."
REPETITION_MARK = "|"

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What has a spreadsheet take a cell for a formula
(https://owasp.org/www-community/attacks/CSV_Injection)."""

_UNESCAPED = json.JSONEncoder(ensure_ascii=False)
"""Made once: :func:`json.dumps` would make one for each row."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def amti_row(
    hit: Mapping[str, object],
    assignment: Mapping[str, object],
    *,
    fields: Mapping[str, object],
    row: Mapping[str, object] | None = None,
    inputs: bool = False,
) -> Row:
    """Make the row of an assignment in amti's columns.

    Parameters
    ----------
    hit : mapping
        MTurk's HIT, times as ISO 8601.
    assignment : mapping
        MTurk's Assignment, times as ISO 8601; its ``WorkTimeInSeconds`` too, if it is known.
    fields : mapping of str to str, list of str or None
        Its answers by name, as `answers.fields` gives them.
    row : mapping, optional
        The data row that the HIT was made from.
    inputs : bool
        Whether to add the data row's fields, as ``Input.NAME``.

    Returns
    -------
    dict
        amti's columns and ours, None where MTurk gave nothing; then the inputs; then the
        answers by their bare names. An answer that is named like another column is called
        ``Answer.NAME``.
    """
    result: Row = {name: hit.get(name) for name in _HIT_COLUMNS}
    for name in _ASSIGNMENT_COLUMNS:
        result[name] = assignment.get(name)
    for name in _MORE_HIT_COLUMNS:
        result[name] = hit.get(name)
    for name in _MORE_ASSIGNMENT_COLUMNS:
        result[name] = assignment.get(name)
    result[_WORK_TIME] = _work_seconds(assignment)
    if inputs:
        result.update(_inputs(row))
    for name, value in fields.items():
        result[name if name not in result else _free_name(name, result)] = value
    return result


def requester_row(
    hit: Mapping[str, object],
    assignment: Mapping[str, object],
    *,
    fields: Mapping[str, object],
    row: Mapping[str, object] | None = None,
    approval_rates: Sequence[str] = ("", "", ""),
) -> Row:
    """Make the row of an assignment in the requester website's columns.

    Parameters
    ----------
    hit, assignment, fields, row
        As for `amti_row`.
    approval_rates : sequence of three str
        The worker's approval rates with this requester, such as ``100% (3/3)``: ever, of
        the last 30 days, of the last 7. The API does not give them; see `ApprovalRates`.

    Returns
    -------
    dict
        The 27 fixed columns, ``Input.NAME`` for the data row's fields and ``Answer.NAME``
        for the answers, times and reward as on the website.
    """
    known = {**assignment, **hit, _WORK_TIME: _work_seconds(assignment)}
    known.update(zip(REQUESTER_COLUMNS[-3:], approval_rates, strict=True))
    result: Row = {name: _as_on_website(name, known.get(name)) for name in REQUESTER_COLUMNS}
    result.update(_inputs(row))
    result.update((ANSWER_PREFIX + name, value) for name, value in fields.items())
    return result


class ApprovalRates:
    """How much of each worker's work was approved, in the words of the website.

    Parameters
    ----------
    now : datetime
        From which the last 30 and the last 7 days are counted back.
    """

    def __init__(self, now: datetime.datetime) -> None:
        self._since = (None, now - datetime.timedelta(days=30), now - datetime.timedelta(days=7))
        self._counts: dict[object, list[list[int]]] = {}

    def add(self, assignment: Mapping[str, object]) -> None:
        """Count an assignment, if it is reviewed."""
        status = assignment.get("AssignmentStatus")
        if status not in {"Approved", "Rejected"}:
            return
        at = assignment.get("ApprovalTime" if status == "Approved" else "RejectionTime")
        reviewed = _moment(at) if isinstance(at, str) else None
        counts = self._counts.setdefault(assignment.get("WorkerId"), [[0, 0], [0, 0], [0, 0]])
        for since, count in zip(self._since, counts, strict=True):
            if since is None or (reviewed is not None and reviewed >= since):
                count[0] += status == "Approved"
                count[1] += 1

    def of(self, worker_id: object) -> tuple[str, ...]:
        """Give a worker's three rates, such as ``67% (2/3)``; ``0% (0/0)`` without a review."""
        return tuple(
            f"{(200 * approved + all_) // (2 * all_) if all_ else 0}% ({approved}/{all_})"
            for approved, all_ in self._counts.get(worker_id, [[0, 0]] * 3)
        )


def write(
    rows: Callable[[], Iterable[Mapping[str, object]]],
    out: TextIO,
    format: Format,
    *,
    style: Style = "amti",
    excel_safe: bool = False,
) -> int:
    r"""Write rows as they come; the memory used does not grow with their number.

    Parameters
    ----------
    rows : callable
        Gives the rows anew at each call; for CSV it is called twice.
    out : text file
        Where to; opened with ``newline=""`` and UTF-8.
    format : {"jsonl", "json", "csv"}
        How to write them.
    style : {"amti", "requester"}
        Of a CSV. amti's has ``\n`` line ends and quotes where needed; the website's has
        CRLF, quotes every cell, sorts the answers and ends in Approve and Reject.
    excel_safe : bool
        Put an apostrophe before each CSV cell that a spreadsheet would take for a formula.
        Negative numbers get one too.

    Returns
    -------
    int
        The number of rows written.
    """
    if format == "csv":
        return _write_csv(rows, out, style, excel_safe)
    if format == "json":
        return _write_json(rows(), out)
    return _write_json_lines(rows(), out)


def _inputs(row: Mapping[str, object] | None) -> Row:
    return {INPUT_PREFIX + name: value for name, value in (row or {}).items()}


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name = ANSWER_PREFIX + name
    return name


def _work_seconds(assignment: Mapping[str, object]) -> int | None:
    """Seconds from accepting to submitting, which the API, unlike the website, does not give."""
    given = assignment.get(_WORK_TIME)
    if isinstance(given, int):
        return given
    accepted, submitted = assignment.get("AcceptTime"), assignment.get("SubmitTime")
    if not (isinstance(accepted, str) and isinstance(submitted, str)):
        return None
    try:
        return int((_moment(submitted) - _moment(accepted)).total_seconds())
    except ValueError:  # of a results file that someone has edited
        return None


def _moment(text: str) -> datetime.datetime:
    """Read a saved time; one without an offset is UTC, as MTurk's own are."""
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _as_on_website(name: str, value: object) -> object:
    if value is None or name in _ALWAYS_EMPTY:
        return ""
    # What is no time and no amount, in a results file that someone has edited, stays as it is.
    if name in _TIMES and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return website_time(value)
    if name == "Reward":
        with contextlib.suppress(decimal.InvalidOperation):
            return f"${decimal.Decimal(str(value)):.2f}"
    return value


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@functools.cache
def _website_zone() -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo("America/Los_Angeles")


def website_time(text: str) -> str:
    """Write an ISO 8601 time as the requester website does: ``Mon Mar 01 20:48:54 PST 2021``."""
    moment = _moment(text).astimezone(_website_zone())
    # Not strftime's %a and %b, which follow the user's locale.
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day} {month} {moment:%d %H:%M:%S %Z} {moment.year:04d}"


def _write_json_lines(rows: Iterable[Mapping[str, object]], out: TextIO) -> int:
    count = 0
    for row in rows:
        out.write(_json(row) + "\n")
        count += 1
    return count


def _write_json(rows: Iterable[Mapping[str, object]], out: TextIO) -> int:
    count = 0
    for row in rows:
        out.write(("[\n" if count == 0 else ",\n") + _json(row))
        count += 1
    out.write("\n]\n" if count else "[]\n")
    return count


def _json(row: Mapping[str, object]) -> str:
    text = _UNESCAPED.encode(row)
    # Half of a surrogate pair, which a data row can hold, is no character that UTF-8 has;
    # only an escape can stand for it.
    return text if text.isascii() or not _SURROGATE.search(text) else json.dumps(row)


class _LineFeeds:
    r"""Has csv.writer end lines in ``\n`` although it quotes as if they ended in CRLF.

    With ``\n`` as its line end it leaves a lone carriage return unquoted (until Python 3.13),
    which readers then take for the end of a line.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, line: str) -> int:
        return self._out.write(line.removesuffix("\r\n") + "\n")


def _write_csv(
    rows: Callable[[], Iterable[Mapping[str, object]]],
    out: TextIO,
    style: Style,
    excel_safe: bool,
) -> int:
    if style == "requester":
        columns = _requester_header(rows())
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    else:
        columns = _amti_header(rows())
        writer = csv.writer(_LineFeeds(out), lineterminator="\r\n")
    made_safe = _defused if excel_safe else str
    writer.writerow([made_safe(_encodable(name)) for name in columns])
    count = 0
    for row in rows():
        writer.writerow([made_safe(cell(name, row.get(name))) for name in columns])
        count += 1
    return count


def _amti_header(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """List the columns of all rows: MTurk's, inputs, answers, each as first met."""
    fixed = dict.fromkeys((*AMTI_COLUMNS, *MORE_COLUMNS))
    found = dict.fromkeys(name for row in rows for name in row if name not in fixed)
    # A stable sort, so that inputs stand together even if the first row has none.
    return [*fixed, *sorted(found, key=lambda name: not name.startswith(INPUT_PREFIX))]


def _requester_header(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """List the columns of all rows as the website orders them."""
    fixed = dict.fromkeys(REQUESTER_COLUMNS)
    found = dict.fromkeys(name for row in rows for name in row if name not in fixed)
    inputs = [name for name in found if name.startswith(INPUT_PREFIX)]
    answers = sorted(name for name in found if name.startswith(ANSWER_PREFIX))
    return [*fixed, *inputs, *answers, *REVIEW_COLUMNS]


def cell(name: str, value: object) -> str:
    """Write a value as the cell of a table.

    Parameters
    ----------
    name : str
        Its column; what came several times is joined with a bar, unless it is an input.
    value : object
        Of a row.

    Returns
    -------
    str
        Empty for None.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, list) and not name.startswith(INPUT_PREFIX):
        return _encodable(REPETITION_MARK.join(map(str, value)))
    return _encodable(json.dumps(value, ensure_ascii=False))


def _encodable(text: str) -> str:
    r"""Write half of a surrogate pair as ``\ud83d``, since UTF-8 has no other way."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _defused(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
