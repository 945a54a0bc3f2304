from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from turkbatch import errors
from turkbatch.actions import decisions
from turkbatch.batch.journal import Decision

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


def held(status: str, *, days_ago: float = 1) -> decisions.Held:
    submitted = NOW - datetime.timedelta(days=days_ago)
    return decisions.Held(status, submitted, Decimal("0.10"), Decimal("0.02"))


def mark(assignment_id: str, approve: str = "", reject: str = "", line: int = 2) -> decisions.Mark:
    return decisions.Mark("d.csv", line, assignment_id, "", approve, reject)


def problems(
    marks: list[decisions.Mark], there: dict[str, decisions.Held], *, undo: bool = False
) -> list[tuple[str, int | None]]:
    found = decisions.plan(marks, there, now=NOW, undo=undo).problems
    return [(one.rule, one.line) for one in found]


def test_csv_of_the_website_is_read(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(
        '"AssignmentId","HITId","Answer.a","Approve","Reject"\r\n'
        '"1","h","a"\r\n"2","h","b","x"\r\n"3","h","c",""," too short "\r\n'
    )
    assert decisions.read(path) == [
        decisions.Mark(str(path), 3, "2", "h", "x", ""),
        decisions.Mark(str(path), 4, "3", "h", "", "too short"),
    ]
    assert decisions.hit_ids(decisions.read(path)) == {"h"}


def test_json_lines_are_read_in_both_spellings(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(
        '{"AssignmentId": "1", "Approve": true}\n\n{"AssignmentId": "2", "Reject": "why"}\n'
        '{"assignment_id": "3", "action": "reject", "reason": "so"}\n'
        '{"assignment_id": "4", "action": "mark", "reason": "look again"}\n'
        '{"assignment_id": "5", "action": "Accept"}\n'
    )
    read = decisions.read(path)
    assert [(one.line, one.assignment_id, one.approve, one.reject) for one in read] == [
        (1, "1", "x", ""),
        (3, "2", "", "why"),
        (4, "3", "", "so"),
        (6, "5", "x", ""),
    ]
    assert decisions.hit_ids(read) is None


def test_every_bad_line_of_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"Approve": "x"}\n{"AssignmentId": "1", "action": "pay"}\n{]\n[]\n')
    with pytest.raises(errors.DataError) as raised:
        decisions.read(path)
    assert [one.line for one in raised.value.findings] == [1, 2, 3, 4]


def test_plan_counts_what_is_sent_and_what_it_costs() -> None:
    there = {
        "1": held("Submitted"),
        "2": held("Submitted"),
        "3": held("Approved"),
        "4": held("Rejected"),
        "5": held("Submitted"),
        "6": held("Submitted"),
    }
    marks = [
        mark("1", "X"),
        mark("2", reject="no answer"),
        mark("3", "x"),
        mark("4", reject="x"),
        mark("5", "thank you"),
        mark("1", "X", line=9),
    ]
    made = decisions.plan(marks, there, now=NOW, feedback="because")
    assert made == decisions.DecisionPlan(
        (
            Decision("1", "approve"),
            Decision("2", "reject", "no answer"),
            Decision("5", "approve", "thank you"),
        ),
        already=2,
        untouched=1,
        rewards=Decimal("0.20"),
        fees=Decimal("0.04"),
    )
    assert (made.count("approve"), made.count("reject")) == (2, 1)


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        pytest.param([mark("9", "x")], [("unknown-assignment", 2)], id="unknown"),
        pytest.param([mark("", "x")], [("no-assignment-id", 2)], id="no id"),
        pytest.param([mark("1", "x", "why")], [("contradictory-decision", 2)], id="both"),
        pytest.param(
            [mark("1", "x"), mark("1", reject="why", line=5)],
            [("contradictory-decision", 5)],
            id="two lines",
        ),
        pytest.param([mark("1", reject="x")], [("no-feedback", 2)], id="no feedback"),
        pytest.param([mark("1", reject="y" * 1025)], [("long-feedback", 2)], id="long feedback"),
        pytest.param([mark("1", "no")], [("unclear-decision", 2)], id="unclear"),
        pytest.param([mark("2", reject="why")], [("already-approved", 2)], id="approved"),
        pytest.param([mark("3", "x")], [("already-rejected", 2)], id="rejected"),
    ],
)
def test_what_is_not_clear_is_named_with_its_line(
    marks: list[decisions.Mark], expected: list[tuple[str, int]]
) -> None:
    there = {"1": held("Submitted"), "2": held("Approved"), "3": held("Rejected")}
    assert problems(marks, there) == expected


def test_rejection_is_turned_back_for_thirty_days_when_that_is_asked_for() -> None:
    there = {"1": held("Rejected", days_ago=29.9), "2": held("Rejected", days_ago=30.1)}
    made = decisions.plan([mark("1", "sorry")], there, now=NOW, undo=True)
    assert (made.decisions, made.rewards) == (
        (Decision("1", "override", "sorry"),),
        Decimal("0.10"),
    )
    assert problems([mark("2", "x")], there, undo=True) == [("late-undo", 2)]


def test_undo_of_a_whole_batch_leaves_what_is_too_old() -> None:
    there = {
        "1": held("Rejected"),
        "2": held("Rejected", days_ago=31),
        "3": held("Approved"),
        "4": held("Submitted"),
    }
    made = decisions.plan_undo(there, now=NOW)
    assert made == decisions.DecisionPlan(
        (Decision("1", "override"),), late=1, rewards=Decimal("0.10"), fees=Decimal("0.02")
    )
