"""``review-batch --decisions`` and ``--undo``: the website's results file goes back and forth."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch.server import crowd, service


@pytest.fixture
def batch(run: Run, definition: Path, rows: Path) -> str:
    """Three HITs with two submitted assignments each."""
    made = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    run("server", "work", made)
    run("save-batch", made, code=3)
    return made


def table(run: Run, batch: str) -> list[dict[str, str]]:
    run("save-batch", batch, code=None)
    run("extract", "tabular", batch, "site.csv", "--style", "requester")
    with Path("site.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(rows: list[dict[str, str]]) -> None:
    with Path("decided.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def statuses(run: Run, batch: str) -> list[str]:
    return [row["AssignmentStatus"] for row in table(run, batch)]


def test_file_that_was_filled_in_is_carried_out_once(run: Run, batch: str) -> None:
    rows = table(run, batch)
    for row in rows[:4]:
        row["Approve"] = "x"
    rows[4]["Reject"] = "The answer is, sadly, empty."
    write(rows)
    asked = run("review-batch", batch, "--decisions", "decided.csv", stdin="n\n", code=1)
    assert (
        "Approve 4 and reject 1 on the embedded server, which costs $0.48 with MTurk's fees? [y/N]"
        in asked.stderr
    )
    assert set(statuses(run, batch)) == {"Submitted"}

    done = run("review-batch", batch, "--decisions", "decided.csv", "--yes")
    assert "4 approved, 1 rejected." in done.stderr
    reviewed = table(run, batch)
    assert [row["AssignmentStatus"] for row in reviewed] == (
        ["Approved"] * 4 + ["Rejected", "Submitted"]
    )
    assert reviewed[4]["RequesterFeedback"] == "The answer is, sadly, empty."

    again = run("review-batch", batch, "--decisions", "decided.csv")
    assert "0 approved, 0 rejected." in again.stderr


def test_nothing_is_sent_while_anything_is_unclear(run: Run, batch: str) -> None:
    rows = table(run, batch)
    rows[0]["Approve"] = "x"
    rows[1]["Reject"] = "x"
    rows[2]["AssignmentId"], rows[2]["Approve"] = "3NOT_OF_THIS_BATCH", "x"
    write(rows)
    refused = run("review-batch", batch, "--decisions", "decided.csv", "--yes", code=1)
    assert (
        f"decided.csv:3: {rows[1]['AssignmentId']} is rejected without a reason" in refused.stderr
    )
    assert "decided.csv:4: 3NOT_OF_THIS_BATCH is none of this batch" in refused.stderr
    assert set(statuses(run, batch)) == {"Submitted"}


def test_reasons_can_be_given_for_all_and_rejections_turned_back(run: Run, batch: str) -> None:
    rows = table(run, batch)
    for row in rows[:3]:
        row["Reject"] = "X"
    write(rows)
    options = ("--decisions", "decided.csv", "--yes", "--feedback", "All answers are alike.")
    run("review-batch", batch, *options)
    assert statuses(run, batch) == ["Rejected"] * 3 + ["Submitted"] * 3

    rows = table(run, batch)
    rows[0]["Approve"] = "sorry, that was our mistake"
    write(rows)
    run("review-batch", batch, "--decisions", "decided.csv", "--yes", code=1)
    turned = run("review-batch", batch, "--decisions", "decided.csv", "--undo", "--yes")
    assert "1 rejections turned back" in turned.stderr
    assert statuses(run, batch) == ["Approved"] + ["Rejected"] * 2 + ["Submitted"] * 3

    asked = run("review-batch", batch, "--undo", stdin="y\n")
    assert (
        "Turn back 2 rejections on the embedded server, which costs $0.24 with MTurk's fees?"
        in asked.stderr
    )
    assert statuses(run, batch) == ["Approved"] * 3 + ["Submitted"] * 3
    assert "0 approved, 0 rejected." in run("review-batch", batch, "--undo").stderr


def test_rejections_older_than_thirty_days_stay(run: Run, batch: str) -> None:
    rows = table(run, batch)
    rows[0]["Reject"] = "empty"
    write(rows)
    run("review-batch", batch, "--decisions", "decided.csv", "--yes")
    run("server", "clock", "+31d")
    undone = run("review-batch", batch, "--undo", "--yes")
    assert "rejections too old to turn back" in undone.stderr


def test_turning_back_survives_a_lost_reply(
    run: Run, definition: Path, rows: Path, mturk: str, served: service.Service
) -> None:
    there = ("--endpoint-url", mturk)
    batch = run("create-batch", definition, rows, ".", *there, "--yes").stdout.strip()
    crowd.work(served)
    decisions = [{**row, "Reject": "empty"} for row in table(run, batch)]
    write(decisions)
    run("review-batch", batch, "--decisions", "decided.csv", "--yes")

    served.faults.load("ApproveAssignment:reset-after@1")
    done = run("review-batch", batch, "--undo", "--yes")
    assert "5 rejections turned back, 1 were decided before." in done.stderr
    assert statuses(run, batch) == ["Approved"] * 6
    lines = Path(batch, "reviews.jsonl").read_text(encoding="utf-8").splitlines()
    journal = [json.loads(line) for line in lines]
    overrides = [one["assignment_id"] for one in journal if one["action"] == "override"]
    assert len(overrides) == 2 * len(set(overrides)) == 12


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--approve-all", "--undo"), id="all and undo"),
        pytest.param(("--feedback", "why"), id="feedback alone"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    run: Run, batch: str, options: tuple[str, ...]
) -> None:
    run("review-batch", batch, *options, code=2)
