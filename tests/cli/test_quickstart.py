"""amti's quickstart, with only the program's name changed and ``--local`` at creation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run

EXAMPLE = ROOT / "examples" / "html-question"

AMTI_COLUMNS = [
    "HITId",
    "AssignmentDurationInSeconds",
    "AutoApprovalDelayInSeconds",
    "Expiration",
    "CreationTime",
    "AssignmentId",
    "WorkerId",
    "AssignmentStatus",
    "AutoApprovalTime",
    "AcceptTime",
    "SubmitTime",
    "ApprovalTime",
]


@pytest.fixture
def batch(run: Run) -> str:
    made = run("create-batch", EXAMPLE / "definition", EXAMPLE / "data.jsonl", ".", "--local", "-y")
    return made.stdout.strip()


def test_the_quickstart_ends_with_amtis_columns(run: Run, batch: str) -> None:
    assert [str(path) for path in Path().glob("batch-*")] == [batch]
    run("status-batch", batch)
    run("server", "work", batch)
    run("status-batch", batch)
    run("expire-batch", batch)
    run("review-batch", batch, stdin="a\n" * 6)
    run("save-batch", batch)
    assert (Path(batch) / "results").is_dir()
    run("delete-batch", batch)
    run("extract", "tabular", batch, "batch-data.jsonl")
    rows = [json.loads(line) for line in Path("batch-data.jsonl").read_text().splitlines()]
    assert len(rows) == 6
    assert list(rows[0])[: len(AMTI_COLUMNS)] == AMTI_COLUMNS
    assert {"association", "familiarity"} <= set(rows[0])


def test_the_files_are_those_of_amti(run: Run, batch: str) -> None:
    path = Path(batch)
    marker = json.loads((path / "_INCOMPLETE").read_text())
    assert sorted(marker) == ["hit_ids", "hittype_id"]
    assert len(marker["hit_ids"]) == 3
    assert (path / "BATCHID").read_text().strip() == path.name.removeprefix("batch-")
    for name in ("README", "COMMIT", "data.jsonl", "definition/NOTES"):
        assert (path / name).is_file()
    run("server", "work", batch)
    run("review-batch", batch, "-a", "-y")
    run("save-batch", batch)
    assert not (path / "_INCOMPLETE").exists()
    hit_id = marker["hit_ids"][0]
    hit = json.loads((path / "results" / f"hit-{hit_id}" / "hit.jsonl").read_text())
    assert hit["HIT"]["HITId"] == hit_id
    assignments = (path / "results" / f"hit-{hit_id}" / "assignments.jsonl").read_text()
    assert len(assignments.splitlines()) == 2


def test_review_takes_accept_reject_skip_and_mark(run: Run, batch: str) -> None:
    run("server", "work", batch)
    typed = "a\nr\ntoo short\ns\nm\nlook again\nwhat\nq\n"
    result = run("review-batch", batch, "-m", "marks.jsonl", stdin=typed, code=3)
    marks = [json.loads(line) for line in Path("marks.jsonl").read_text().splitlines()]
    assert [(mark["action"], mark["reason"]) for mark in marks] == [("mark", "look again")]
    assert "4 of 6 submissions are left" in result.stderr
    assert "data: word" in result.stderr
    assert "answer: association" in result.stderr
    status = json.loads(run("status-batch", batch, "--json").stdout)
    assert status["assignments"]["submitted"] == 4
    assert status["assignments"]["reviewed"] == 2


def test_marks_go_to_standard_output_unless_a_file_is_named(run: Run, batch: str) -> None:
    run("server", "work", batch)
    result = run("review-batch", batch, stdin="m\nodd\nq\n", code=3)
    assert json.loads(result.stdout)["reason"] == "odd"


def test_the_end_of_the_input_stops_a_review(run: Run, batch: str) -> None:
    run("server", "work", batch)
    assert "--approve-all" in run("review-batch", batch, stdin="a\n", code=1).stderr
    assert "--yes" in run("review-batch", batch, "--approve-all", code=1).stderr


def test_work_on_open_hits_can_be_reviewed_and_saved(run: Run, batch: str) -> None:
    run("server", "work", batch, "--assignments", "1")
    run("review-batch", batch, "--approve-all", "--yes")
    assert "3 HITs are open" in run("save-batch", batch, code=3).stderr
    run("extract", "tabular", batch, "early.json")
    assert len(json.loads(Path("early.json").read_text())) == 3
    assert "still open" in run("delete-batch", batch, code=1).stderr


def test_a_batch_that_nobody_worked_on_can_be_deleted_at_once(run: Run, batch: str) -> None:
    run("delete-batch", batch, "--expire")
    run("delete-batch", batch)
    status = json.loads(run("status-batch", batch, "--json").stdout)
    assert status["hit_status_counts"] == {"Disposed": 3}


def test_results_that_are_not_saved_are_never_deleted(run: Run, batch: str) -> None:
    run("server", "work", batch)
    assert "not saved" in run("delete-batch", batch, "--expire", code=1).stderr
    run("review-batch", batch, "-a", "-y")
    assert "not saved" in run("delete-batch", batch, code=1).stderr
    run("save-batch", batch)
    run("delete-batch", batch)
    run("save-batch", batch)


def test_a_named_batch_is_made_once(run: Run) -> None:
    inputs = (EXAMPLE / "definition", EXAMPLE / "data.jsonl", ".", "--local", "-y")
    first = run("create-batch", *inputs, "--batch-id", "one")
    again = run("create-batch", *inputs, "--batch-id", "one")
    assert first.stdout == again.stdout == "batch-one\n"
    assert "there already" in again.stderr
    Path("other.jsonl").write_text('{"word": "other"}\n')
    other = run(
        "create-batch", EXAMPLE / "definition", "other.jsonl", ".", "--local", "-y",
        "--batch-id", "one", code=1,
    )  # fmt: skip
    assert "another data" in other.stderr


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "UTC", "America/Los_Angeles"])
def test_expiry_is_the_same_moment_in_every_time_zone(
    run: Run, batch: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        run("expire-batch", batch)
        status = json.loads(run("status-batch", batch, "--json").stdout)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert status["hit_status_counts"] == {"Reviewable": 3}


def test_auto_approval_comes_with_the_clock(run: Run, batch: str) -> None:
    run("server", "work", batch)
    run("save-batch", batch, code=3)
    run("server", "clock", "+4d")
    run("save-batch", batch)


def test_extension_reopens_a_batch_and_is_refused_at_ten(run: Run, batch: str) -> None:
    run("server", "work", batch)
    run("review-batch", batch, "-a", "-y")
    run("save-batch", batch)
    assert (
        "grow from under 10"
        in run("extend-batch", batch, "--assignments", "8", "-y", code=1).stderr
    )
    assert "for $0.36?" in run("extend-batch", batch, "--assignments", "1", code=1).stderr
    run("extend-batch", batch, "--assignments", "1", "--hours", "2", "--yes")
    assert (Path(batch) / "_INCOMPLETE").exists()
    run("save-batch", batch, code=3)
    run("server", "work", batch)
    run("review-batch", batch, "-a", "-y")
    run("save-batch", batch)
    run("extract", "tabular", batch, "out.csv")
    assert len(Path("out.csv").read_text().splitlines()) == 1 + 9


def test_a_batch_follows_its_server_to_another_port(run: Run, batch: str, mturk: str) -> None:
    run("repin-batch", batch, "--endpoint-url", mturk)
    status = json.loads(run("status-batch", batch, "--json").stdout)
    assert status["pin"] == {"environment": "custom", "endpoint_url": mturk}
    assert status["hit_count"] == 3
    assert "never to or from live" in run("repin-batch", batch, "--live", code=1).stderr


def test_extraction_goes_to_standard_output(run: Run, batch: str) -> None:
    run("server", "work", batch)
    run("save-batch", batch, code=3)
    result = run("extract", "tabular", batch, "-", "--format", "csv")
    assert len(result.stdout.splitlines()) == 1 + 6


def test_answers_are_extracted_as_xml(run: Run, batch: str) -> None:
    run("server", "work", batch)
    run("save-batch", batch, code=3)
    for _ in range(2):
        run("extract", "xml", batch, "answers")
    found = list(Path("answers").glob(f"{batch}-xml/hit-*/assignment-*.xml"))
    assert len(found) == 6
    assert all("<QuestionFormAnswers" in path.read_text() for path in found)
