from __future__ import annotations

import csv
import datetime
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import errors, tables, website

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "results_csv"
HEADER = (*tables.REQUESTER_COLUMNS, "Input.b", "Input.a", "Answer.x", "Answer.y", "Approve")
CELLS = {
    "HITId": "3HIT",
    "Title": "Colours, named",
    "Reward": "$0.05",
    "CreationTime": "Mon Mar 01 20:00:00 PST 2021",
    "MaxAssignments": "3",
    "AssignmentId": "3ASG",
    "WorkerId": "A1",
    "AssignmentStatus": "Approved",
    "AcceptTime": "Thu Jul 01 21:00:00 PDT 2021",
    "ApprovalTime": "2021-07-03 12:09:07 UTC",
    "WorkTimeInSeconds": "7",
    "LifetimeApprovalRate": "67% (2/3)",
    "Input.b": "second, first",
    "Input.a": "",
    "Answer.x": 'say "hi"\nagain',
    "Answer.y": "{}",
}


def saved(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def as_downloaded(columns: list[str], delimiter: str = ",", quoting: int = csv.QUOTE_ALL) -> str:
    """Write the one row two cells short of the header, as the website does."""
    out = io.StringIO(newline="")
    # No line break is quoted for: the delimiter and the dialect are the spreadsheet's.
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(columns)
    writer.writerow([CELLS.get(name, "") for name in columns][:-2])
    return out.getvalue()


def test_row_two_cells_short_is_read_as_the_api_would_have_given_it(tmp_path: Path) -> None:
    (result,) = website.results(saved(tmp_path / "r.csv", as_downloaded([*HEADER, "Reject"])))
    assert {name: value for name, value in result.hit.items() if value is not None} == {
        "HITId": "3HIT",
        "Title": "Colours, named",
        "Reward": "0.05",
        "CreationTime": "2021-03-02T04:00:00+00:00",
        "MaxAssignments": 3,
    }
    assert {name: value for name, value in result.assignment.items() if value is not None} == {
        "AssignmentId": "3ASG",
        "WorkerId": "A1",
        "AssignmentStatus": "Approved",
        "AcceptTime": "2021-07-02T04:00:00+00:00",
        "ApprovalTime": "2021-07-03T12:09:07+00:00",
        "WorkTimeInSeconds": 7,
    }
    assert result.inputs == {"b": "second, first", "a": ""}
    assert result.answers == {"x": 'say "hi"\nagain', "y": None}
    assert (result.line, result.approval_rates, result.approve, result.reject) == (
        2,
        ("67% (2/3)", "", ""),
        "",
        "",
    )


@pytest.mark.parametrize(
    ("delimiter", "quoting", "encoding", "before"),
    [
        pytest.param(",", csv.QUOTE_MINIMAL, "utf-8-sig", "", id="byte order mark"),
        pytest.param(";", csv.QUOTE_MINIMAL, "utf-8", "", id="semicolons"),
        pytest.param(";", csv.QUOTE_MINIMAL, "utf-8", "sep=;\r\n", id="a line that names them"),
        pytest.param("\t", csv.QUOTE_MINIMAL, "utf-16", "", id="Unicode text"),
    ],
)
def test_what_a_spreadsheet_saves_is_read(
    tmp_path: Path, delimiter: str, quoting: int, encoding: str, before: str
) -> None:
    plain = saved(tmp_path / "plain.csv", as_downloaded([*HEADER, "Reject"]))
    text = before + as_downloaded([*HEADER, "Reject"], delimiter, quoting) + delimiter * 30 + "\r\n"
    again = saved(tmp_path / "again.csv", text, encoding)
    (expected,), (found,) = website.results(plain), website.results(again)
    assert (found.hit, found.assignment) == (expected.hit, expected.assignment)
    assert (found.inputs, found.answers) == (expected.inputs, expected.answers)


def test_columns_may_be_moved_added_and_left_out(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "r.csv",
        "mine,Answer.x, assignmentid ,Reject,SubmitTime,\r\nok,blue,3ASG, too short ,01/02/21,\r\n",
    )
    notes: list[str] = []
    (result,) = website.results(path, note=notes.append)
    assert (result.assignment["AssignmentId"], result.answers) == ("3ASG", {"x": "blue"})
    assert (result.reject, result.assignment["SubmitTime"]) == ("too short", "01/02/21")
    assert notes == [
        'the column "mine" is none of the website\'s and is left out',
        "SubmitTime holds '01/02/21', which is no time that we know; it is left as it is",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(
            b"HITId,WorkerId\r\n1,2\r\n", r':1: there is no column "AssignmentId"', id="no"
        ),
        pytest.param(
            b"AssignmentId,a,a\r\n1,2,3\r\n", r':1: several columns are called "a"', id="two"
        ),
        pytest.param(
            b"AssignmentId,a\r\n1,2\r\n1,2,3\r\n", r":3: 3 cells, and the header names 2", id="c"
        ),
        pytest.param(
            b"AssignmentId\r\n1\r\n\xe9\r\n", r":3: byte 0xe9 is not UTF-8", id="encoding"
        ),
    ],
)
def test_what_is_no_results_file_is_refused_with_the_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(errors.DataError, match=message):
        list(website.results(path))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.DataError, match="no such file"):
        list(website.results(tmp_path / "r.csv"))


@given(st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2100, 1, 1)))
def test_every_time_of_the_website_is_read(moment: datetime.datetime) -> None:
    exact = moment.replace(microsecond=0, tzinfo=datetime.UTC)
    assert website.time(tables.website_time(exact.isoformat())) == exact


@pytest.mark.parametrize(
    "text", ["Mon Foo 01 20:48:54 PST 2021", "Mon Feb 31 20:48:54 PST 2021", "x"]
)
def test_text_that_is_no_time_is_none(text: str) -> None:
    assert website.time(text) is None


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real results is not here")
def test_real_results_come_back_cell_by_cell() -> None:
    files = sorted(CORPUS.rglob("*.csv"))
    assert len(files) > 20
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as file:
            given_rows = list(csv.DictReader(file))
        out = io.StringIO(newline="")
        tables.write(
            lambda path=path: (  # type: ignore[misc]
                tables.requester_row(
                    one.hit,
                    one.assignment,
                    fields=one.answers,
                    row=one.inputs,
                    approval_rates=one.approval_rates,
                )
                for one in website.results(path)
            ),
            out,
            "csv",
            style="requester",
        )
        rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
        for before, after in zip(given_rows, rows, strict=True):
            normal = {name: _normal(name, cell or "") for name, cell in before.items()}
            assert {name: after[name] for name in normal} == normal, path


def _normal(name: str, cell: str) -> str:
    """Take away the two ways in which the website says one thing."""
    if name.startswith("Answer.") and cell == "{}":
        return ""
    moment = website.time(cell) if cell.endswith(" UTC") else None
    return cell if moment is None else tables.website_time(moment.isoformat())
