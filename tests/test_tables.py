from __future__ import annotations

import csv
import datetime
import io
import json
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import tables

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"

HIT = {
    "HITId": "3HIT",
    "HITTypeId": "3TYPE",
    "HITGroupId": "3GROUP",
    "CreationTime": "2021-03-01T20:00:00-08:00",
    "Title": "Title",
    "Description": "Description",
    "Question": "<HTMLQuestion/>",
    "Keywords": "a, b",
    "HITStatus": "Reviewable",
    "MaxAssignments": 3,
    "Reward": "0.05",
    "AutoApprovalDelayInSeconds": 259200,
    "Expiration": "2021-07-02T04:00:00+00:00",
    "AssignmentDurationInSeconds": 600,
    "RequesterAnnotation": "mine",
}
APPROVED = {
    "AssignmentId": "3ASSIGNMENT",
    "WorkerId": "A1",
    "HITId": "3HIT",
    "AssignmentStatus": "Approved",
    "AutoApprovalTime": "2021-03-05T04:49:24+00:00",
    "AcceptTime": "2021-03-02T04:48:54+00:00",
    "SubmitTime": "2021-03-02T04:49:24.500000+00:00",
    "ApprovalTime": "2021-03-03T04:49:24Z",
}
REJECTED = {
    **{key: value for key, value in APPROVED.items() if key != "ApprovalTime"},
    "AssignmentStatus": "Rejected",
    "RejectionTime": "2021-03-03T04:49:24+00:00",
    "RequesterFeedback": "no",
}


def written(*rows: Mapping[str, object], format: tables.Format = "csv", **options: object) -> str:
    out = io.StringIO(newline="")
    count = tables.write(lambda: iter(rows), out, format, **options)  # type: ignore[arg-type]
    assert count == len(rows)
    return out.getvalue()


def test_amti_row_has_amtis_columns_then_ours_then_inputs_then_answers() -> None:
    row = tables.amti_row(
        HIT,
        APPROVED,
        fields={"comment": "nice", "WorkerId": "me", "again": ["1", "2"], "none": None},
        row={"word": "foo", "list": [1]},
        inputs=True,
    )
    assert list(row.items()) == [
        ("HITId", "3HIT"),
        ("AssignmentDurationInSeconds", 600),
        ("AutoApprovalDelayInSeconds", 259200),
        ("Expiration", "2021-07-02T04:00:00+00:00"),
        ("CreationTime", "2021-03-01T20:00:00-08:00"),
        ("AssignmentId", "3ASSIGNMENT"),
        ("WorkerId", "A1"),
        ("AssignmentStatus", "Approved"),
        ("AutoApprovalTime", "2021-03-05T04:49:24+00:00"),
        ("AcceptTime", "2021-03-02T04:48:54+00:00"),
        ("SubmitTime", "2021-03-02T04:49:24.500000+00:00"),
        ("ApprovalTime", "2021-03-03T04:49:24Z"),
        ("HITTypeId", "3TYPE"),
        ("Reward", "0.05"),
        ("RejectionTime", None),
        ("RequesterFeedback", None),
        ("WorkTimeInSeconds", 30),
        ("Input.word", "foo"),
        ("Input.list", [1]),
        ("comment", "nice"),
        ("Answer.WorkerId", "me"),
        ("again", ["1", "2"]),
        ("none", None),
    ]


def test_rejected_assignment_has_its_time_and_feedback() -> None:
    row = tables.amti_row(HIT, REJECTED, fields={})
    assert {name: row[name] for name in ("ApprovalTime", "RejectionTime", "RequesterFeedback")} == {
        "ApprovalTime": None,
        "RejectionTime": "2021-03-03T04:49:24+00:00",
        "RequesterFeedback": "no",
    }


def test_answers_named_like_inputs_and_metadata_replace_nothing() -> None:
    fields = {"Input.word": "a", "HITId": "b", "Answer.HITId": "c"}
    row = tables.amti_row(HIT, APPROVED, fields=fields, row={"word": "foo"}, inputs=True)
    assert list(row.items())[-4:] == [
        ("Input.word", "foo"),
        ("Answer.Input.word", "a"),
        ("Answer.HITId", "b"),
        ("Answer.Answer.HITId", "c"),
    ]
    assert row["HITId"] == "3HIT"


def test_json_keeps_lists_and_tells_empty_from_missing() -> None:
    rows: list[tables.Row] = [{"a": "", "b": ["1", "é"]}, {"b": None}]
    assert written(*rows, format="jsonl") == '{"a": "", "b": ["1", "é"]}\n{"b": null}\n'
    assert written(*rows, format="json") == '[\n{"a": "", "b": ["1", "é"]},\n{"b": null}\n]\n'


def test_no_rows_are_still_a_file_of_their_format() -> None:
    assert written(format="jsonl") == ""
    assert written(format="json") == "[]\n"
    assert written() == ",".join((*tables.AMTI_COLUMNS, *tables.MORE_COLUMNS)) + "\n"


def test_csv_columns_are_the_union_with_inputs_together() -> None:
    text = written(
        {"HITId": "1", "a": "x"},
        {"HITId": "2", "Input.i": [1, "|"], "b": ["y", "z"], "c": None, "d": True},
    )
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    fixed = len(tables.AMTI_COLUMNS) + len(tables.MORE_COLUMNS)
    assert [header[0], *header[fixed:]] == ["HITId", "Input.i", "a", "b", "c", "d"]
    assert [[row[0], *row[fixed:]] for row in rows] == [
        ["1", "", "x", "", "", ""],
        ["2", '[1, "|"]', "", "y|z", "", "true"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_are_neutralised_when_asked_and_only_then(start: str) -> None:
    rows = {f"{start}name": f"{start}1+1", "plain": "1=1"}
    (name, plain), values = (
        line[-2:] for line in csv.reader(io.StringIO(written(rows, excel_safe=True), newline=""))
    )
    assert (name, plain, values) == (f"'{start}name", "plain", [f"'{start}1+1", "1=1"])
    (name, plain), values = (
        line[-2:] for line in csv.reader(io.StringIO(written(rows), newline=""))
    )
    assert (name, plain, values) == (f"{start}name", "plain", [f"{start}1+1", "1=1"])


def test_requester_row_is_what_the_website_gives() -> None:
    fields = {"zeta": "z", "Alpha": ["1", "2"], "none": None}
    row = tables.requester_row(
        HIT, APPROVED, fields=fields, row={"b": 1, "a": "é"}, approval_rates=("100% (3/3)", "", "")
    )
    assert written(row, style="requester") == (
        '"HITId","HITTypeId","Title","Description","Keywords","Reward","CreationTime",'
        '"MaxAssignments","RequesterAnnotation","AssignmentDurationInSeconds",'
        '"AutoApprovalDelayInSeconds","Expiration","NumberOfSimilarHITs","LifetimeInSeconds",'
        '"AssignmentId","WorkerId","AssignmentStatus","AcceptTime","SubmitTime","AutoApprovalTime",'
        '"ApprovalTime","RejectionTime","RequesterFeedback","WorkTimeInSeconds",'
        '"LifetimeApprovalRate","Last30DaysApprovalRate","Last7DaysApprovalRate","Input.b",'
        '"Input.a","Answer.Alpha","Answer.none","Answer.zeta","Approve","Reject"\r\n'
        '"3HIT","3TYPE","Title","Description","a, b","$0.05","Mon Mar 01 20:00:00 PST 2021","3",'
        '"mine","600","259200","Thu Jul 01 21:00:00 PDT 2021","","","3ASSIGNMENT","A1","Approved",'
        '"Mon Mar 01 20:48:54 PST 2021","Mon Mar 01 20:49:24 PST 2021",'
        '"Thu Mar 04 20:49:24 PST 2021","Tue Mar 02 20:49:24 PST 2021","","","30","100% (3/3)","",'
        '"","1","é","1|2","","z","",""\r\n'
    )


def test_saved_time_without_an_offset_is_utc() -> None:
    assert tables.website_time("2017-03-27T13:27:43") == "Mon Mar 27 06:27:43 PDT 2017"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "\r", "\n", "\r\n", '"', "a,b", "|", "=1", " a ", "'", "\ufeff"]
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["HITId", "Input.a", "b", "c"]), TEXT, min_size=1), max_size=4
)


@given(ROWS)
def test_any_text_comes_back_from_csv(rows: list[dict[str, str]]) -> None:
    read = list(csv.DictReader(io.StringIO(written(*rows), newline="")))
    assert [{name: value for name, value in row.items() if value} for row in read] == [
        {name: value for name, value in row.items() if value} for row in rows
    ]


@given(TEXT, TEXT)
def test_any_text_comes_back_from_the_websites_csv(given_input: str, answer: str) -> None:
    row = tables.requester_row(HIT, APPROVED, fields={"a": answer}, row={"i": given_input})
    text = written(row, style="requester")
    (read,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (read["Input.i"], read["Answer.a"], read["Reject"]) == (given_input, answer, "")


@given(ROWS)
def test_any_text_comes_back_from_json(rows: list[dict[str, str]]) -> None:
    assert json.loads(written(*rows, format="json")) == rows
    lines = written(*rows, format="jsonl").split("\n")
    assert [json.loads(line) for line in lines if line] == rows


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_half_a_character_in_the_data_can_be_encoded(format: tables.Format) -> None:
    text = written({"Input.a": "\ud83d", "b": ["\udc00"]}, format=format)
    assert "\\ud83d" in text.encode().decode()


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_memory_does_not_grow_with_the_rows(format: tables.Format, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        def rows() -> Iterator[tables.Row]:
            return ({"HITId": str(number), "a": "x" * 100} for number in range(count))

        with (tmp_path / "out").open("w", encoding="utf-8", newline="") as out:
            tracemalloc.start()
            tables.write(rows, out, format)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return most

    peak(10)
    assert peak(3_000) < peak(300) + 50_000


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real results is not here")
def test_columns_and_dates_are_those_of_real_results() -> None:
    files = sorted((CORPUS / "results_csv").rglob("Batch_*_batch_results*.csv"))
    assert files != []
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            names = list(rows.fieldnames or [])
            assert (tuple(names[:27]), tuple(names[-2:])) == (
                tables.REQUESTER_COLUMNS,
                tables.REVIEW_COLUMNS,
            )
            answers = [name for name in names if name.startswith("Answer.")]
            assert answers == sorted(answers)
            for row in rows:
                assert tables.website_time(iso(row["SubmitTime"])) == row["SubmitTime"]


def iso(website_time: str) -> str:
    zone = "PST" if "PST" in website_time else "PDT"
    moment = datetime.datetime.strptime(
        website_time.replace(f" {zone}", {"PST": " -0800", "PDT": " -0700"}[zone]),
        "%a %b %d %H:%M:%S %z %Y",
    )
    return moment.isoformat()
