"""Decisions from a file: what it says, held against what the service holds, before any is sent.

A file is a results CSV with ``Approve`` and ``Reject`` filled in, as the requester website
takes it back, or JSON Lines with the same names or those of the marks that review-batch
writes::

    {"AssignmentId": "3ASG...", "Approve": "x"}
    {"AssignmentId": "3ASG...", "Reject": "The answer is empty."}
    {"assignment_id": "3ASG...", "action": "reject", "reason": "The answer is empty."}

An ``x`` marks, and any other text marks as well and is what the worker is told. Lines that
say nothing are passed over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from turkbatch import errors, files, website
from turkbatch.batch.journal import Decision

MOST_FEEDBACK_CHARACTERS = 1024
OVERRIDE_LIMIT = timedelta(days=30)
"""From submission; both from
https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ApproveAssignmentOperation.html."""

MARKS = frozenset({"x", "true", "yes", "1"})
"""What marks, and says nothing to the worker."""
UNCLEAR = frozenset({"false", "no", "0"})
"""What can't be meant as words for the worker."""

_COLUMNS = website.REVIEW_COLUMNS
_ACTIONS = {"approve": "Approve", "accept": "Approve", "reject": "Reject", "mark": "", "skip": ""}


@dataclasses.dataclass(frozen=True)
class Mark:
    """What one line of a file says.

    Parameters
    ----------
    file, line : str, int
        Where it stands.
    assignment_id, hit_id : str
        What it is about; the HIT is empty where the file does not name it.
    approve, reject : str
        What stands there, trimmed.
    """

    file: str
    line: int
    assignment_id: str
    hit_id: str
    approve: str
    reject: str

    def finding(self, rule: str, found: str, fix: str) -> errors.Finding:
        """Report the line."""
        subject = self.assignment_id or "the assignment's id"
        return errors.Finding(rule, self.file, f"{subject} {found}", fix, line=self.line)


@dataclasses.dataclass(frozen=True)
class Held:
    """An assignment of the batch, as the service holds it.

    Parameters
    ----------
    status : {"Submitted", "Approved", "Rejected"}
        Its status.
    submitted : datetime
        When it was submitted.
    reward, fee : Decimal
        USD that approving it costs.
    """

    status: str
    submitted: datetime
    reward: Decimal
    fee: Decimal


@dataclasses.dataclass(frozen=True)
class DecisionPlan:
    """What would be sent, what it costs, and what stands in the way.

    Parameters
    ----------
    decisions : tuple of Decision
        What is to be sent, in the order of the file.
    already : int
        Assignments that hold already what the file says.
    untouched : int
        Submitted assignments of the HITs looked at that the file says nothing about.
    late : int
        Rejections that can't be turned back any more.
    rewards, fees : Decimal
        USD that the approvals cost.
    problems : tuple of Finding
        What is not clear; nothing may be sent while there is any.
    """

    decisions: tuple[Decision, ...]
    already: int = 0
    untouched: int = 0
    late: int = 0
    rewards: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    problems: tuple[errors.Finding, ...] = ()

    def count(self, action: str) -> int:
        """Count the decisions of one kind."""
        return sum(1 for one in self.decisions if one.action == action)


def read(path: Path) -> list[Mark]:
    """Read what a file decides.

    Parameters
    ----------
    path : Path
        CSV or JSON Lines.

    Returns
    -------
    list of Mark
        One for each line that says anything.

    Raises
    ------
    DataError
        If the file can't be read.
    """
    content = files.read_bytes(path, errors.DataError)
    is_json = content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    marks = _json_marks(path) if is_json else _csv_marks(path)
    return [mark for mark in marks if mark.approve or mark.reject]


def _csv_marks(path: Path) -> Iterator[Mark]:
    for line in website.lines(path):
        named = (line.cells.get(name, "") for name in ("AssignmentId", "HITId", *_COLUMNS))
        yield Mark(str(path), line.line, *(cell.strip() for cell in named))


def _json_marks(path: Path) -> Iterator[Mark]:
    findings = []
    # A line break is all that ends a line of JSON Lines; splitlines() knows more of them.
    for number, text in enumerate(files.read_text(path, errors.DataError).split("\n"), 1):
        if not text.strip():
            continue
        try:
            yield _json_mark(path, number, files.parse_json(text))
        except (ValueError, RecursionError) as error:
            fix = 'give one object a line, such as {"AssignmentId": "3ASG...", "Approve": "x"}'
            found = f"can't be used: {error}"
            findings.append(errors.Finding("bad-decision", str(path), found, fix, line=number))
    if findings:
        raise errors.DataError(*findings)


def _json_mark(path: Path, number: int, value: Any) -> Mark:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        raise ValueError(f"the line holds {files.json_kind(value)}")
    assignment_id = value.get("AssignmentId", value.get("assignment_id"))
    if not isinstance(assignment_id, str):
        raise ValueError('there is no text "AssignmentId"')
    cells = {name: _cell(value.get(name)) for name in _COLUMNS}
    if "action" in value:
        action = str(value["action"]).lower()
        if action not in _ACTIONS:
            raise ValueError(f'"action" is {action!r}, not approve, reject or mark')
        if _ACTIONS[action]:
            told = value.get("reason", value.get("feedback"))
            cells[_ACTIONS[action]] = _cell(told) or "x"
    hit_id = value.get("HITId", "")
    return Mark(str(path), number, assignment_id.strip(), str(hit_id), *cells.values())


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "x" if value else ""
    return str(value).strip()


def plan(
    marks: Sequence[Mark],
    held: Mapping[str, Held],
    *,
    now: datetime,
    undo: bool = False,
    feedback: str = "",
) -> DecisionPlan:
    """Hold what a file decides against what the service holds.

    Parameters
    ----------
    marks : sequence of Mark
        What the file says.
    held : mapping of str to Held
        Every assignment of the HITs concerned, by id.
    now : datetime
        The service's time.
    undo : bool
        Whether a rejected assignment that the file approves is turned back.
    feedback : str
        What the worker is told where a rejection is marked by an ``x`` alone.

    Returns
    -------
    DecisionPlan
        With a problem for each assignment that is unknown, decided otherwise already or
        contradictory, or rejected without feedback.
    """
    by_id: dict[str, list[Mark]] = {}
    for mark in marks:
        by_id.setdefault(mark.assignment_id, []).append(mark)
    decisions: list[Decision] = []
    problems: list[errors.Finding] = []
    already = 0
    for assignment_id, same in by_id.items():
        meant = _decision(same, feedback)
        left: Decision | errors.Finding | None = meant
        if isinstance(meant, Decision):
            left = _against(meant, same[0], held.get(assignment_id), now, undo)
        if isinstance(left, errors.Finding):
            problems.append(left)
        elif left is None:
            already += 1
        else:
            decisions.append(left)
    untouched = sum(
        1 for key, one in held.items() if one.status == "Submitted" and key not in by_id
    )
    return _priced(
        DecisionPlan(tuple(decisions), already, untouched, problems=tuple(problems)), held
    )


def plan_undo(held: Mapping[str, Held], *, now: datetime) -> DecisionPlan:
    """Plan to turn every rejection back that can be.

    Parameters
    ----------
    held, now
        As for :func:`plan`.
    """
    rejected = [key for key, one in held.items() if one.status == "Rejected"]
    decisions = [
        Decision(key, "override") for key in rejected if now <= held[key].submitted + OVERRIDE_LIMIT
    ]
    late = len(rejected) - len(decisions)
    return _priced(DecisionPlan(tuple(decisions), late=late), held)


def _priced(made: DecisionPlan, held: Mapping[str, Held]) -> DecisionPlan:
    paid = [held[one.assignment_id] for one in made.decisions if one.action != "reject"]
    return dataclasses.replace(
        made,
        rewards=sum((one.reward for one in paid), start=Decimal(0)),
        fees=sum((one.fee for one in paid), start=Decimal(0)),
    )


def _decision(same: Sequence[Mark], feedback: str) -> Decision | errors.Finding:
    """Make one decision of all that a file says about an assignment."""
    first = same[0]
    if not first.assignment_id:
        return first.finding("no-assignment-id", "is missing", "name the assignment")
    for mark in same:
        fault = _unclear(mark)
        if fault is not None:
            return fault
        if (mark.approve, mark.reject) != (first.approve, first.reject):
            found = f"is decided otherwise on line {first.line}"
            return mark.finding("contradictory-decision", found, "keep one of the two lines")
    return _checked(first, feedback)


def _unclear(mark: Mark) -> errors.Finding | None:
    if mark.approve and mark.reject:
        found = "is both approved and rejected"
        return mark.finding("contradictory-decision", found, "empty one of the two cells")
    text = mark.approve or mark.reject
    if text.lower() in UNCLEAR:
        fix = "write x in the column that holds, and leave the other empty"
        return mark.finding("unclear-decision", f'is marked "{text}"', fix)
    return None


def _checked(mark: Mark, feedback: str) -> Decision | errors.Finding:
    text = mark.approve or mark.reject
    told = "" if text.lower() in MARKS else text
    if mark.approve:
        decision = Decision(mark.assignment_id, "approve", told)
    else:
        decision = Decision(mark.assignment_id, "reject", told or feedback)
        if not decision.feedback.strip():
            fix = "write the reason in place of the x, or give --feedback for all of them"
            return mark.finding("no-feedback", "is rejected without a reason", fix)
    if len(decision.feedback) > MOST_FEEDBACK_CHARACTERS:
        found = f"has feedback of {len(decision.feedback):,} characters"
        return mark.finding("long-feedback", found, f"{MOST_FEEDBACK_CHARACTERS:,} are allowed")
    return decision


def _against(
    decision: Decision, mark: Mark, held: Held | None, now: datetime, undo: bool
) -> Decision | errors.Finding | None:
    """Hold a decision against what is; None where that is the same."""
    if held is None:
        fix = "take the line out, or name the batch that it belongs to"
        return mark.finding("unknown-assignment", "is none of this batch", fix)
    if held.status == "Submitted":
        return decision
    if held.status == {"approve": "Approved", "reject": "Rejected"}[decision.action]:
        return None
    if decision.action == "reject":
        fix = "take the line out: what is approved is paid and can't be rejected"
        return mark.finding("already-approved", "is approved already", fix)
    if not undo:
        fix = "take the line out, or give --undo to turn the rejection back"
        return mark.finding("already-rejected", "is rejected already", fix)
    if now > held.submitted + OVERRIDE_LIMIT:
        found = f"was submitted more than {OVERRIDE_LIMIT.days} days ago"
        fix = "take the line out: the rejection can't be turned back any more"
        return mark.finding("late-undo", found, fix)
    return Decision(decision.assignment_id, "override", decision.feedback)


def hit_ids(marks: Iterable[Mark]) -> set[str] | None:
    """Name the HITs that a file speaks of; None unless every line names one."""
    named = {mark.hit_id for mark in marks}
    return None if "" in named else named
