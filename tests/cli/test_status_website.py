"""``status-batch`` as the website's batch page: decisions, money, times."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch import actions, connect
from turkbatch.cli import status
from turkbatch.server import crowd, service


@pytest.fixture
def batch(run: Run, definition: Path, rows: Path) -> str:
    """Three HITs for two workers each, published half an hour ago."""
    made = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    run("server", "clock", "+30m")
    return made


def tally(run: Run, batch: str) -> dict[str, object]:
    document: dict[str, dict[str, object]] = json.loads(run("status-batch", batch, "--json").stdout)
    return document["tally"]


def cells(text: str) -> dict[str, str]:
    lines = [line.split("  ") for line in text.splitlines() if line.strip()]
    parts = [[part.strip() for part in line if part.strip()] for line in lines]
    return {line[0]: line[1] for line in parts}


def test_new_batch_has_everything_to_come(run: Run, batch: str) -> None:
    shown = cells(run("status-batch", batch).stdout)
    assert {name: shown[name] for name in ("assignments", "available", "approved")} == {
        "assignments": "6",
        "available": "6",
        "approved": "0",
    }
    assert (shown["paid, with fees"], shown["still to come, at most"]) == ("$0.00", "$0.72")
    assert "average work time" not in shown


def test_money_times_and_decisions_are_told_before_anything_is_saved(run: Run, batch: str) -> None:
    run("server", "work", batch, "--assignments", "1")
    half = tally(run, batch)
    assert (half["approved"], half["paid"], half["to_come"]) == (0, "0.00", "0.72")
    assert half["next_auto_approval"] is not None
    assert half["estimated_completion"] is not None
    run("review-batch", batch, "--approve-all", "--yes")
    run("server", "work", batch)
    run("save-batch", batch, code=3)
    Path("no.jsonl").write_text("\n".join(_rejections(run, batch)))
    run("review-batch", batch, "--decisions", "no.jsonl", "--yes")

    whole = tally(run, batch)
    assert (whole["approved"], whole["rejected"], whole["undistinguished"]) == (3, 3, 0)
    assert (whole["paid"], whole["to_come"]) == ("0.36", "0.00")
    seconds, wage = whole["average_work_seconds"], whole["hourly_wage"]
    assert isinstance(seconds, float)
    assert float(str(wage)) == pytest.approx(0.10 * 3600 / seconds, abs=0.01)
    assert (whole["next_auto_approval"], whole["estimated_completion"]) == (None, None)

    shown = run("status-batch", batch)
    assert cells(shown.stdout)["rejected"] == "3"
    assert "█" * 10 in shown.stdout


def _rejections(run: Run, batch: str) -> list[str]:
    run("extract", "tabular", batch, "all.jsonl")
    rows = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    return [
        json.dumps({"AssignmentId": row["AssignmentId"], "Reject": "empty"})
        for row in rows
        if row["AssignmentStatus"] == "Submitted"
    ]


def test_large_batch_costs_no_request_for_each_hit(
    run: Run, definition: Path, rows: Path, mturk: str, served: service.Service
) -> None:
    there = ("--endpoint-url", mturk)
    batch = run("create-batch", definition, rows, ".", *there, "--yes").stdout.strip()
    crowd.work(served)
    run("review-batch", batch, "--approve-all", "--yes")
    served.faults.reset_calls()
    status = actions.status_batch(connect.client(batch_dir=batch), batch, most_fetched=2)
    assert "ListAssignmentsForHIT" not in served.faults.calls()
    assert (status.tally.approved, status.tally.undistinguished) == (0, 6)
    assert (status.assignments.reviewed, status.tally.paid) == (6, Decimal(0))

    run("save-batch", batch)
    saved = actions.status_batch(connect.client(batch_dir=batch), batch)
    assert (saved.tally.approved, saved.tally.undistinguished) == (6, 0)


def test_decisions_of_deleted_hits_are_known_from_what_was_saved(run: Run, batch: str) -> None:
    run("server", "work", batch)
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    run("delete-batch", batch)
    assert (tally(run, batch)["approved"], tally(run, batch)["to_come"]) == (6, "0.00")


def test_watching_ends_when_all_is_reviewed(run: Run, batch: str) -> None:
    run("server", "work", batch)
    review = threading.Timer(0.3, lambda: _review(batch))
    review.start()
    watched = run("status-batch", batch, "--watch", "--every", "0.05")
    review.join()
    assert watched.stdout.count("waiting for review") >= 2
    last = cells(watched.stdout[watched.stdout.rindex("batch   ") :])
    assert (last["approved"], last["waiting for review"]) == ("6", "0")


def _review(batch: str) -> None:
    actions.review_batch(connect.client(batch_dir=batch), batch, approve_all=True)


def test_watching_as_json_is_refused(run: Run, batch: str) -> None:
    run("status-batch", batch, "--watch", "--json", code=2)


def test_small_share_still_has_a_bar() -> None:
    assert (status._bar(1, 1000), status._bar(0, 5), status._bar(0, 0)) == ("█", "", "")
    assert status._bar(5, 5) == "█" * 20
