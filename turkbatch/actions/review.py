"""``review-batch``: approve or reject what workers submitted, each decision once.

Submitted work on a HIT that is still open can be reviewed like any other. A decision is
written down before it is sent and after; if no reply came, the next run asks the service
what holds, and says so where it is the opposite of what was decided.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import answers, errors
from turkbatch.actions import decisions as decisions_file
from turkbatch.actions import hits, pinned, tally
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.status import submitted_of
from turkbatch.batch import journal, layout
from turkbatch.batch.journal import Decision
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch

MOST_FEEDBACK_CHARACTERS = decisions_file.MOST_FEEDBACK_CHARACTERS

HOLDS = {"approve": "Approved", "reject": "Rejected", "override": "Approved"}
"""The status that an action leads to."""


@dataclasses.dataclass(frozen=True)
class Submission:
    """An assignment that waits for review, and what it belongs to.

    Parameters
    ----------
    assignment : dict
        MTurk's assignment, as boto3 gives it.
    hit_id : str
        Its HIT.
    reward : str
        USD that approving it pays, as MTurk writes it.
    row : dict or None
        The data that its HIT was made from; None where amti's files don't tell.
    """

    assignment: Mapping[str, Any]
    hit_id: str
    reward: str
    row: Mapping[str, Any] | None

    @functools.cached_property
    def answers(self) -> Mapping[str, Any]:
        """The worker's answers, by field; lists where a field was repeated.

        Read when they are asked for: who approves everything never looks.
        """
        return _readable(self.assignment)

    @property
    def assignment_id(self) -> str:
        """The assignment's id."""
        value: str = self.assignment["AssignmentId"]
        return value


@dataclasses.dataclass(frozen=True)
class ReviewedBatch:
    """What came of reviewing.

    Parameters
    ----------
    batch_dir : Path
        The batch.
    approved, rejected : int
        Decisions that this run made hold.
    already : int
        Decisions that held before: made by an earlier run, or by auto-approval.
    contradicted : dict of str to str
        Assignments that hold the opposite of what was decided, and their status.
    overridden : int
        Rejections that this run turned back.
    """

    batch_dir: Path
    approved: int
    rejected: int
    already: int
    contradicted: Mapping[str, str]
    overridden: int = 0


@dataclasses.dataclass(frozen=True)
class Waiting:
    """What waits for review.

    Parameters
    ----------
    submissions : tuple of Submission
        In the order of rows and submission.
    failures : tuple of (str, Exception)
        HITs that could not be read, and why.
    """

    submissions: tuple[Submission, ...]
    failures: tuple[tuple[str, Exception], ...]

    def raise_failures(self) -> None:
        """Raise what could not be read, once the rest is done.

        Raises
        ------
        PartialError
            If there is any.
        """
        if self.failures:
            raise errors.PartialError(
                f"{len(self.failures)} HITs could not be read:", self.failures
            )


def submissions(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> Waiting:
    """Read the assignments that wait for review.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the HITs read.

    Returns
    -------
    Waiting
    """
    batch = pinned.opened(client, batch_dir)
    return _waiting(batch, calls.Calls(client, concurrency=concurrency), progress)


def _waiting(batch: Batch, service: calls.Calls, progress: Progress) -> Waiting:
    rows = batch.rows_of_hits()
    found = hits.read_batch(batch, service, progress)
    failures: list[tuple[str, Exception]] = [
        (f"HIT {hit_id}", error)
        for hit_id, error in found.failures.items()
        if not hits.is_gone(error)
    ]
    holding = [
        hit for hit in found.hits.values() if submitted_of(hit) and hit["HITStatus"] != "Disposed"
    ]
    data = _rows(batch, {rows[hit["HITId"]] for hit in holding})
    submitted: list[Submission] = []
    for outcome in service.each(
        lambda hit: hits.read_assignments(service, hit, submitted_only=True), holding
    ):
        hit_id = outcome.item["HITId"]
        if outcome.error is not None:
            failures.append((f"HIT {hit_id}", outcome.error))
        row, reward = data.get(rows[hit_id]), outcome.item["Reward"]
        submitted += [
            Submission(assignment, hit_id, reward, row) for assignment in outcome.value or []
        ]
    return Waiting(tuple(submitted), tuple(failures))


def _rows(batch: Batch, wanted: set[int | None]) -> dict[int | None, Mapping[str, Any]]:
    """Read the rows of some HITs; none where the data is gone or unreadable."""
    if wanted <= {None}:
        return {}
    try:
        return {row.index: row.fields for row in batch.data if row.index in wanted}
    except errors.InputError:
        return {}


def _readable(assignment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read an assignment's answers; an unreadable document is shown as it is."""
    text = assignment.get("Answer", "")
    try:
        return answers.fields(text)
    except errors.AnswerError:
        return {"(unreadable answer)": text}


def plan_decisions(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    decisions_path: pinned.PathLike | None = None,
    *,
    undo: bool = False,
    feedback: str = "",
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> decisions_file.DecisionPlan:
    """Hold decisions from a file against what the service holds; send nothing.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    decisions_path : path, optional
        A results CSV with Approve and Reject filled in, or JSON Lines; see
        :mod:`turkbatch.actions.decisions`.
    undo : bool
        Turn rejections back: all of the batch, or those that the file approves.
    feedback : str
        What workers are told where the file rejects with an ``x`` alone.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the HITs read.

    Returns
    -------
    DecisionPlan
        If it has no problems, its decisions are for :func:`review_batch`.

    Raises
    ------
    DataError
        If the file can't be read.
    PartialError
        If some HITs could not be read, so that what they hold is not known.
    """
    if decisions_path is not None:
        marks = decisions_file.read(Path(decisions_path))
        return plan_marks(
            client,
            batch_dir,
            marks,
            undo=undo,
            feedback=feedback,
            concurrency=concurrency,
            progress=progress,
        )
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    held = _held(batch, service, None, progress)
    return decisions_file.plan_undo(held, now=hits.service_now(service))


def plan_marks(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    marks: Sequence[decisions_file.Mark],
    *,
    undo: bool = False,
    feedback: str = "",
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> decisions_file.DecisionPlan:
    """Hold marks, wherever they come from, against what the service holds; send nothing.

    As :func:`plan_decisions`, which reads them from a file.
    """
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    held = _held(batch, service, decisions_file.hit_ids(marks), progress)
    now = hits.service_now(service)
    return decisions_file.plan(marks, held, now=now, undo=undo, feedback=feedback)


def _held(
    batch: Batch, service: calls.Calls, named: set[str] | None, progress: Progress
) -> dict[str, decisions_file.Held]:
    """Read every assignment of the HITs that are named, or of all; saved ones of deleted HITs."""
    wanted = [one for one in batch.hit_ids() if named is None or one in named]
    found = hits.read_batch(batch, service, progress, only=wanted)
    failures = [
        (f"HIT {hit_id}", error)
        for hit_id, error in found.failures.items()
        if not hits.is_gone(error)
    ]
    there = {key: hit for key, hit in found.hits.items() if hit["HITStatus"] != "Disposed"}
    held: dict[str, decisions_file.Held] = {}
    for hit_id in wanted:
        saved = None if hit_id in there else batch.results.load(hit_id)
        if saved is not None:
            held.update(_holdings(saved.hit, saved.assignments))
    taken = [
        hit for hit in there.values() if hit["NumberOfAssignmentsCompleted"] or submitted_of(hit)
    ]
    for outcome in service.each(lambda hit: hits.read_assignments(service, hit), taken):
        if outcome.error is not None:
            failures.append((f"HIT {outcome.item['HITId']}", outcome.error))
        held.update(_holdings(outcome.item, outcome.value or []))
        progress("reading assignments", len(held), None)
    if failures:
        raise errors.PartialError(
            f"{len(failures)} HITs could not be read, and nothing was sent:", failures
        )
    return held


def _holdings(hit: hits.Json, assignments: Iterable[hits.Json]) -> dict[str, decisions_file.Held]:
    reward, fee = tally.price(hit)
    return {
        one["AssignmentId"]: decisions_file.Held(
            one["AssignmentStatus"], tally.moment(one["SubmitTime"]), reward, fee
        )
        for one in assignments
    }


def review_batch(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    decisions: Iterable[Decision] | None = None,
    approve_all: bool = False,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> ReviewedBatch:
    """Approve and reject assignments, each exactly once.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    decisions : iterable of Decision, optional
        What is to be approved and rejected.
    approve_all : bool
        Approve everything that is submitted and not reviewed.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the decisions sent.

    Returns
    -------
    ReviewedBatch

    Raises
    ------
    InputError
        If a rejection has no feedback, or feedback is too long; nothing was sent.
    PartialError
        If some decisions were refused for good; the others hold.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ApproveAssignmentOperation.html
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_RejectAssignmentOperation.html
    """
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    with batch.locked():
        chosen = list(decisions or ())
        waiting = _waiting(batch, service, progress) if approve_all else Waiting((), ())
        chosen += [Decision(one.assignment_id, "approve") for one in waiting.submissions]
        check_decisions(chosen)
        done = _decide(batch, service, chosen, progress)
        waiting.raise_failures()
        return done


def check_decisions(decisions: Iterable[Decision]) -> None:
    """Refuse what MTurk would refuse: a rejection needs a reason that the worker is told.

    Raises
    ------
    InputError
        Naming every such decision.
    """
    findings = []
    for one in decisions:
        if one.action == "reject" and not one.feedback.strip():
            found, fix = "rejected without a reason", "say why; the worker is told"
        elif len(one.feedback) > MOST_FEEDBACK_CHARACTERS:
            found = f"feedback of {len(one.feedback):,} characters"
            fix = f"at most {MOST_FEEDBACK_CHARACTERS:,} are allowed"
        else:
            continue
        findings.append(errors.Finding("bad-feedback", one.assignment_id, found, fix))
    if findings:
        raise errors.InputError(*findings)


def _decide(
    batch: Batch, service: calls.Calls, decisions: list[Decision], progress: Progress
) -> ReviewedBatch:
    """Send decisions; the caller holds the lock."""
    state = batch.reviews()
    # What an interrupted run sent and heard nothing of is settled first, whether it is
    # asked for again or not.
    again = {one.assignment_id for one in decisions}
    decisions += [one for key, one in state.open.items() if key not in again]
    todo = [one for one in decisions if state.done.get(one.assignment_id) != one.action]
    counts = {"approve": 0, "reject": 0, "override": 0, "already": len(decisions) - len(todo)}
    contradicted: dict[str, str] = {}
    failures: list[tuple[str, Exception]] = []
    journal_path = batch.path / layout.REVIEWS
    with contextlib.closing(journal.Reviews(journal_path)) as log, service.finishing():
        sender = _Sender(service, log)
        for outcome in service.each(sender.send, todo):
            decision = outcome.item
            if outcome.error is not None:
                failures.append((f"assignment {decision.assignment_id}", outcome.error))
            elif outcome.value is None:
                counts[decision.action] += 1
            elif outcome.value == HOLDS[decision.action]:
                counts["already"] += 1
            else:
                contradicted[decision.assignment_id] = outcome.value
            progress("reviewing assignments", sum(counts.values()), len(decisions))
    if failures:
        raise errors.PartialError(
            f"{counts['approve']} assignments approved, {counts['reject']} rejected;"
            f" {len(failures)} of {len(decisions)} decisions were refused:",
            failures,
        )
    return ReviewedBatch(
        batch.path,
        counts["approve"],
        counts["reject"],
        counts["already"],
        contradicted,
        counts["override"],
    )


class _Sender:
    """Sends one decision; called from many threads."""

    def __init__(self, service: calls.Calls, log: journal.Reviews) -> None:
        self._service = service
        self._log = log

    def send(self, decision: Decision) -> str | None:
        """Send a decision; return the status that held before it, None if it took effect."""
        self._log.intend(decision)
        try:
            if decision.action == "reject":
                self._service.call(
                    "reject_assignment",
                    AssignmentId=decision.assignment_id,
                    RequesterFeedback=decision.feedback,
                )
            else:
                # The flag is given alone where a rejection is meant to be turned back: it
                # must not happen by an approval that came too late.
                told = {"RequesterFeedback": decision.feedback} if decision.feedback else {}
                flag = {"OverrideRejection": True} if decision.action == "override" else {}
                self._service.call(
                    "approve_assignment", AssignmentId=decision.assignment_id, **told, **flag
                )
        except errors.StateError as error:
            return self._compare(decision, error)
        except errors.ServiceError as error:
            if not error.outcome_unknown:
                self._log.refused(decision, error)
            raise
        self._log.done(decision)
        return None

    def _compare(self, decision: Decision, error: errors.StateError) -> str:
        """Ask what holds: the refusal alone does not tell approved from rejected."""
        reply = self._service.call("get_assignment", AssignmentId=decision.assignment_id)
        status: str = reply["Assignment"]["AssignmentStatus"]
        if status == HOLDS[decision.action]:
            self._log.done(decision)
        elif status in HOLDS.values():
            self._log.refused(decision, error)
        else:
            # Straight after submission the sandbox refuses for some minutes; not for good.
            self._log.refused(decision, error)
            raise error
        return status
