from __future__ import annotations

import csv
import os
import shutil
import statistics
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Run
from turkbatch import actions, errors
from turkbatch.batch import directory
from turkbatch.server import service

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Work = Sequence[dict[str, Any]]


@pytest.fixture
def batch(run: Run, mturk: str, definition: Path, rows: Path) -> str:
    """A batch of six assignments, all of them approved."""
    path: str = run(
        "create-batch", definition, rows, ".", "--yes", "--endpoint-url", mturk
    ).stdout.strip()
    run("server", "clock", "+30m")  # so that work can have taken some time
    run("server", "work", path)
    run("review-batch", path, "--approve-all", "--yes")
    return path


@pytest.fixture
def work(batch: str, client: MTurkClient) -> Work:
    """The assignments of the batch."""
    hit_ids = directory.open_batch(Path(batch)).hit_ids()
    return [
        dict(assignment)
        for hit_id in hit_ids
        for assignment in client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    ]


def _write(path: Path, work: Work, amount: str = "0.50", reason: str = "Well done") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Note", "WorkerId", "AssignmentId", "BonusAmount", "Reason"])
        for one in work:
            writer.writerow(["", one["WorkerId"], one["AssignmentId"], amount, reason])
    return path


@pytest.fixture
def paid(client: MTurkClient) -> Callable[[Work], list[tuple[str, str]]]:
    """Tell which bonuses the service has paid: amount and reason."""

    def list_all(work: Work) -> list[tuple[str, str]]:
        return sorted(
            (bonus["BonusAmount"], bonus["Reason"])
            for one in work
            for bonus in client.list_bonus_payments(
                AssignmentId=one["AssignmentId"], MaxResults=100
            )["BonusPayments"]
        )

    return list_all


Paid = Callable[[Work], list[tuple[str, str]]]


def test_each_line_is_paid_once_however_often_it_is_run(
    run: Run, mturk: str, work: Work, paid: Paid
) -> None:
    file = _write(Path("bonuses.csv"), work)
    command = ("bonus-workers", file, "--endpoint-url", mturk)
    first = run(*command, stdin="y\n")
    assert "Pay 6 bonuses" in first.stderr
    assert "$3.60?" in first.stderr
    assert "6 bonuses paid now, $3.00 to workers; 0 were paid before." in first.stderr
    again = run(*command)
    assert "0 bonuses paid now, $0.00 to workers; 6 were paid before." in again.stderr
    assert paid(work) == [("0.50", "Well done")] * 6


def test_without_a_yes_nothing_is_paid(run: Run, mturk: str, work: Work, paid: Paid) -> None:
    file = _write(Path("bonuses.csv"), work)
    refused = run("bonus-workers", file, "--endpoint-url", mturk, stdin="n\n", code=1)
    assert "not agreed to; nothing was sent" in refused.stderr
    ended = run("bonus-workers", file, "--endpoint-url", mturk, code=1)
    assert "--yes" in ended.stderr
    run("bonus-workers", file, "--endpoint-url", mturk, "--dry-run")
    assert paid(work) == []


def test_another_machine_days_later_pays_nothing_twice(
    run: Run, mturk: str, work: Work, paid: Paid
) -> None:
    file = _write(Path("bonuses.csv"), work)
    run("bonus-workers", file, "--yes", "--endpoint-url", mturk)
    shutil.rmtree(Path(os.environ["HOME"]) / ".local")
    run("server", "clock", "+3d")
    again = run("bonus-workers", file, "--yes", "--endpoint-url", mturk)
    assert "6 were paid before" in again.stderr
    assert paid(work) == [("0.50", "Well done")] * 6


@pytest.mark.parametrize("fault", ["reset-after", "500", "throttle", "reset-before"])
def test_a_lost_reply_pays_nothing_twice(
    run: Run, mturk: str, served: service.Service, work: Work, paid: Paid, fault: str
) -> None:
    file = _write(Path("bonuses.csv"), work)
    served.faults.load(f"SendBonus:{fault}@1-3")
    run("bonus-workers", file, "--yes", "--endpoint-url", mturk)
    assert paid(work) == [("0.50", "Well done")] * 6


def test_repeated_lines_are_refused_unless_meant(
    run: Run, mturk: str, work: Work, paid: Paid
) -> None:
    file = _write(Path("bonuses.csv"), [work[0], work[1], work[0]])
    command = ("bonus-workers", file, "--yes", "--endpoint-url", mturk)
    refused = run(*command, code=1)
    assert "bonuses.csv:4: is the same bonus as line 2" in refused.stderr
    run(*command, "--allow-repeats")
    run(*command, "--allow-repeats")
    assert paid(work) == [("0.50", "Well done")] * 3


def test_a_bonus_of_the_same_amount_for_another_reason_is_another(
    run: Run, mturk: str, work: Work, paid: Paid
) -> None:
    for reason in ("One", "Two", "One"):
        file = _write(Path("bonuses.csv"), work[:1], reason=reason)
        run("bonus-workers", file, "--yes", "--endpoint-url", mturk)
    assert paid(work) == [("0.50", "One"), ("0.50", "Two")]


def test_failures_are_listed_and_the_rest_is_paid(
    run: Run, mturk: str, work: Work, paid: Paid
) -> None:
    wrong = {**work[0], "WorkerId": "AOTHER"}
    file = _write(Path("bonuses.csv"), [wrong, *work[1:]])
    failed = run("bonus-workers", file, "--yes", "--endpoint-url", mturk, code=4)
    assert "5 of 6 bonuses are paid, 0 were before; 1 failed" in failed.stderr
    assert f"AOTHER, {wrong['AssignmentId']}: SendBonus" in failed.stderr
    assert paid(work) == [("0.50", "Well done")] * 5


def test_every_unclear_line_is_named(run: Run, mturk: str) -> None:
    Path("bonuses.csv").write_text(
        "WorkerId,AssignmentId,BonusAmount,Reason\nA1,3A,1.234,x\nB 1,3A,1,x\nA1,3A,0,\n"
    )
    refused = run("bonus-workers", "bonuses.csv", "--endpoint-url", mturk, code=1)
    assert [line.split(";")[0] for line in refused.stderr.splitlines()] == [
        'Error: bonuses.csv:2: BonusAmount is "1.234"',
        'Error: bonuses.csv:3: WorkerId is "B 1"',
        "Error: bonuses.csv:4: Reason is empty",
        'Error: bonuses.csv:4: BonusAmount is "0"',
    ]
    Path("bonuses.csv").write_text("WorkerId,BonusAmount\nA1,1\n")
    refused = run("bonus-workers", "bonuses.csv", "--endpoint-url", mturk, code=1)
    assert "has no column AssignmentId and no column Reason" in refused.stderr


def test_what_the_balance_does_not_cover_is_refused(
    run: Run, mturk: str, work: Work, paid: Paid
) -> None:
    file = _write(Path("bonuses.csv"), work, amount="9999.00")
    refused = run("bonus-workers", file, "--yes", "--endpoint-url", mturk, code=1)
    assert "add funds, or pay fewer lines" in refused.stderr
    assert paid(work) == []


def _owed(work: Work, wage: int) -> list[Decimal]:
    """Compute what each assignment is short of a wage, to the cent."""
    short = [
        Decimal((one["SubmitTime"] - one["AcceptTime"]).total_seconds()) * wage / 3600
        - Decimal("0.10")
        for one in work
    ]
    return sorted(one.quantize(Decimal("0.01"), ROUND_HALF_UP) for one in short)


def test_work_is_topped_up_to_a_wage_once(run: Run, batch: str, work: Work, paid: Paid) -> None:
    command = ("bonus-workers", "--hourly-wage", "60", batch, "--cap", "100")
    run(*command, "--yes")
    assert sorted(Decimal(amount) for amount, _ in paid(work)) == _owed(work, 60)
    assert "0 bonuses paid now, $0.00 to workers; 6 were paid before." in run(*command).stderr
    run("bonus-workers", "--hourly-wage", "120", batch, "--cap", "100", "--yes")
    assert sum(Decimal(amount) for amount, _ in paid(work)) == sum(_owed(work, 120))


def test_work_that_took_very_long_is_counted_to_three_medians(
    run: Run, batch: str, work: Work
) -> None:
    shown = run("bonus-workers", "--hourly-wage", "60", batch, "--dry-run").stderr
    seconds = [(one["SubmitTime"] - one["AcceptTime"]).total_seconds() for one in work]
    longer = sum(1 for one in seconds if one > 3 * statistics.median(seconds))
    assert ("by the cap" in shown) == bool(longer)


def test_a_cap_holds_over_all_runs(run: Run, batch: str, work: Work, paid: Paid) -> None:
    for wage in ("500", "900"):
        run("bonus-workers", "--hourly-wage", wage, batch, "--cap", "0.30", "--yes")
    assert max(Decimal(amount) for amount, _ in paid(work)) <= Decimal("0.30")
    assert len(paid(work)) == len({one["AssignmentId"] for one in work})


def test_an_amount_that_is_none_is_refused(client: MTurkClient, batch: str) -> None:
    with pytest.raises(errors.RefusedError, match="--hourly-wage: 'much' is no amount"):
        actions.plan_hourly_wage(client, batch, "much")
