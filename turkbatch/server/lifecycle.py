"""What becomes of HITs and assignments: pure functions of what is stored and the time.

States and counters are those of the API: *Available* can still be accepted, *Pending* is
accepted and not yet handed in, *Completed* is approved or rejected; submitted and not yet
reviewed is in none of the three. ``Hit.submitted`` counts the latter alone.

Sources: "HIT life cycle" in the developer guide
(https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMechanicalTurkRequester/RetrievingHitStatus.html),
the API pages of UpdateExpirationForHIT and DeleteHIT, and
https://www.mturk.com/pricing for fees. Choices where they leave room:

- An expired HIT keeps its unused assignments in Available, and they are no longer held
  money. Clients recognise expiry by that (Mephisto) or derive the submitted ones from the
  counters (psiTurk); the guide's "0" would break both.
- An expired HIT that workers still hold is Unassignable.
- An extended HIT that was Reviewing is Assignable, no longer marked.
- Work approved by itself is approved at AutoApprovalTime exactly.
- The 120 days after which a HIT is disposed of begin when it last became Reviewable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final, Literal

DISPOSAL_SECONDS: Final = 120 * 86_400
"""HITs are disposed of by themselves after 120 days (API model, DeleteHIT)."""
OVERRIDE_SECONDS: Final = 30 * 86_400
"""A rejection may be overridden for 30 days after submission (API model, ApproveAssignment)."""
TOKEN_SECONDS: Final = 86_400
"""A UniqueRequestToken is remembered for 24 hours (API model, CreateHIT)."""
MANY_ASSIGNMENTS: Final = 10
"""From ten assignments on the fee is higher, and no HIT may be extended across this line."""

HitStatus = Literal["Assignable", "Unassignable", "Reviewable", "Reviewing", "Disposed"]
AssignmentState = Literal["Accepted", "Returned", "Abandoned", "Submitted", "Approved", "Rejected"]
VISIBLE_STATES: Final = ("Submitted", "Approved", "Rejected")
"""The assignments that the API shows."""


@dataclasses.dataclass(frozen=True)
class Hit:
    """A HIT as stored, without its question. Times are seconds since 1970, money is cents.

    Parameters
    ----------
    sequence : int
        Number in the order of creation; 0 before it is stored.
    hit_id, requester, hit_type_id : str
        What it is, whose, and of which type.
    annotation : str or None
        RequesterAnnotation.
    created_at, expires_at : int
        CreationTime and Expiration.
    max_assignments : int
        How many are wanted.
    reward_cents, fee_cents : int
        For one assignment, fixed when the HIT is made.
    pending, submitted, approved, rejected : int
        Assignments in each state; `submitted` are those not yet reviewed.
    reviewing : int
        1 if marked by UpdateHITReviewStatus.
    reviewable_since, deleted_at : int or None
        When it last became Reviewable, and when it was deleted.
    held_cents : int
        Money that waits for what may still be approved.
    status : str
        HITStatus at the last change.
    due_at : int or None
        When it next changes by itself.
    """

    sequence: int
    hit_id: str
    requester: str
    hit_type_id: str
    annotation: str | None
    created_at: int
    expires_at: int
    max_assignments: int
    reward_cents: int
    fee_cents: int
    pending: int = 0
    submitted: int = 0
    approved: int = 0
    rejected: int = 0
    reviewing: int = 0
    reviewable_since: int | None = None
    deleted_at: int | None = None
    held_cents: int = 0
    status: str = "Assignable"
    due_at: int | None = None

    @property
    def available(self) -> int:
        """Assignments that nobody has taken, whether or not the HIT has expired."""
        return self.max_assignments - self.pending - self.submitted - self.completed

    @property
    def completed(self) -> int:
        """Assignments that are approved or rejected."""
        return self.approved + self.rejected

    @property
    def cost_cents(self) -> int:
        """Reward and fee of one assignment."""
        return self.reward_cents + self.fee_cents


@dataclasses.dataclass(frozen=True)
class Assignment:
    """An assignment as stored. Times are seconds since 1970.

    Parameters
    ----------
    sequence : int
        Number in the order of acceptance.
    assignment_id, hit_id, worker_id : str
        What it is, of which HIT, and whose.
    state : str
        One of AssignmentState.
    accepted_at, deadline : int
        AcceptTime, and when it is abandoned.
    submitted_at, auto_approval_at, approved_at, rejected_at : int or None
        As in the API.
    answer, feedback : str or None
        Answer and RequesterFeedback.
    due_at : int or None
        When it next changes by itself.
    """

    sequence: int
    assignment_id: str
    hit_id: str
    worker_id: str
    state: str
    accepted_at: int
    deadline: int
    submitted_at: int | None = None
    auto_approval_at: int | None = None
    approved_at: int | None = None
    rejected_at: int | None = None
    answer: str | None = None
    feedback: str | None = None
    due_at: int | None = None


@dataclasses.dataclass(frozen=True)
class Move:
    """Money that changes hands; the four parts always add up to zero.

    Parameters
    ----------
    at : int
        Seconds since 1970.
    kind : str
        What happened, such as ``create`` or ``approve``.
    hit_id, assignment_id : str or None
        To which.
    available_cents, held_cents, paid_cents, fees_cents : int
        What each part of the account gains, or loses if negative.
    """

    at: int
    kind: str
    hit_id: str | None
    assignment_id: str | None
    available_cents: int
    held_cents: int
    paid_cents: int
    fees_cents: int


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing that happened.

    Parameters
    ----------
    hit : Hit
        After it.
    assignment : Assignment or None
        The one that changed, after it.
    move : Move
        The money.
    status_before : str
        The HIT's, before it.
    """

    hit: Hit
    assignment: Assignment | None
    move: Move
    status_before: str

    @property
    def is_submission(self) -> bool:
        """Whether work was handed in by it."""
        return self.move.kind == "submit"

    @property
    def is_now_reviewable(self) -> bool:
        """Whether the HIT became Reviewable by it; taking back a mark doesn't count."""
        return self.hit.status == "Reviewable" and self.status_before in (
            "Assignable",
            "Unassignable",
        )


def is_open(hit: Hit, now: int) -> bool:
    """Tell whether a worker may accept the HIT.

    Parameters
    ----------
    hit : Hit
        As stored.
    now : int
        Seconds since 1970.

    Returns
    -------
    bool
        False once it is expired, full or deleted.
    """
    return hit.deleted_at is None and now < hit.expires_at and hit.available > 0


def status(hit: Hit, now: int) -> HitStatus:
    """Tell a HIT's status.

    Parameters
    ----------
    hit : Hit
        As stored.
    now : int
        Seconds since 1970.

    Returns
    -------
    str
        HITStatus of the API.
    """
    if hit.deleted_at is not None:
        return "Disposed"
    if is_open(hit, now):
        return "Assignable"
    if hit.pending:
        return "Unassignable"
    return "Reviewing" if hit.reviewing else "Reviewable"


def held_cents(hit: Hit, now: int) -> int:
    """Tell how much money waits for what may still be approved.

    Parameters
    ----------
    hit : Hit
        As stored.
    now : int
        Seconds since 1970.

    Returns
    -------
    int
        Reward and fee of each assignment that is pending, submitted, or can be accepted.
    """
    if hit.deleted_at is not None:
        return 0
    waiting = hit.pending + hit.submitted
    if now < hit.expires_at:
        waiting += hit.available
    return waiting * hit.cost_cents


def settled(hit: Hit, now: int) -> Hit:
    """Bring what is derived from counters and time up to date.

    Parameters
    ----------
    hit : Hit
        After a change of counters, expiration, deletion or time.
    now : int
        Seconds since 1970.

    Returns
    -------
    Hit
        With status, held money, review mark and next moment as they must be.
    """
    current = status(hit, now)
    reviewable = current in ("Reviewable", "Reviewing")
    since = hit.reviewable_since if hit.reviewable_since is not None else now
    hit = dataclasses.replace(
        hit,
        status=current,
        held_cents=held_cents(hit, now),
        reviewing=int(current == "Reviewing"),
        reviewable_since=since if reviewable else None,
    )
    return dataclasses.replace(hit, due_at=_next_moment(hit, now))


def change(
    hit: Hit,
    now: int,
    kind: str,
    *,
    assignment: Assignment | None = None,
    paid: bool = False,
    **changes: int | None,
) -> Step:
    """Change a HIT and work out what that means for status and money.

    Parameters
    ----------
    hit : Hit
        Before the change.
    now : int
        Seconds since 1970.
    kind : str
        What the ledger calls it.
    assignment : Assignment, optional
        The one that changed, as it is afterwards.
    paid : bool
        Whether one assignment's reward and fee are paid by it.
    **changes : int or None
        New values of the HIT's fields.

    Returns
    -------
    Step
        The money moves from held or available to paid, and between held and available.
    """
    # mypy takes the values for candidates of every field; the callers name whole numbers alone
    after = settled(dataclasses.replace(hit, **changes), now)  # type: ignore[arg-type]
    reward, fee = (hit.reward_cents, hit.fee_cents) if paid else (0, 0)
    held = after.held_cents - hit.held_cents
    move = Move(
        at=now,
        kind=kind,
        hit_id=hit.hit_id,
        assignment_id=assignment.assignment_id if assignment else None,
        available_cents=-held - reward - fee,
        held_cents=held,
        paid_cents=reward,
        fees_cents=fee,
    )
    return Step(after, assignment, move, status_before=hit.status)


def retype(hit: Hit, now: int, hit_type_id: str, *, reward_cents: int, fee_cents: int) -> Step:
    """Make a HIT one of another type, with another reward.

    Parameters
    ----------
    hit : Hit
        One that nobody has taken.
    now : int
        Seconds since 1970.
    hit_type_id : str
        The new type.
    reward_cents, fee_cents : int
        For one assignment.

    Returns
    -------
    Step
        More money is held, or less.
    """
    step = change(hit, now, "retype", reward_cents=reward_cents, fee_cents=fee_cents)
    return dataclasses.replace(step, hit=dataclasses.replace(step.hit, hit_type_id=hit_type_id))


def submit(hit: Hit, assignment: Assignment, now: int, answer: str, delay_seconds: int) -> Step:
    """Hand in an assignment's answer.

    Parameters
    ----------
    hit : Hit
        The assignment's.
    assignment : Assignment
        An accepted one.
    now : int
        Seconds since 1970.
    answer : str
        QuestionFormAnswers XML.
    delay_seconds : int
        AutoApprovalDelayInSeconds; 0 approves in the next step.

    Returns
    -------
    Step
        No money moves: it stays held.
    """
    after = dataclasses.replace(
        assignment,
        state="Submitted",
        submitted_at=now,
        auto_approval_at=now + delay_seconds,
        due_at=now + delay_seconds,
        answer=answer,
    )
    return change(
        hit,
        now,
        "submit",
        assignment=after,
        pending=hit.pending - 1,
        submitted=hit.submitted + 1,
    )


def give_up(hit: Hit, assignment: Assignment, now: int, state: AssignmentState) -> Step:
    """Return or abandon an accepted assignment, so that somebody else can have it.

    Parameters
    ----------
    hit : Hit
        The assignment's.
    assignment : Assignment
        An accepted one.
    now : int
        Seconds since 1970.
    state : str
        Returned or Abandoned.

    Returns
    -------
    Step
        Frees the money if the HIT has expired meanwhile.
    """
    after = dataclasses.replace(assignment, state=state, due_at=None)
    return change(hit, now, state.lower(), assignment=after, pending=hit.pending - 1)


def approve(hit: Hit, assignment: Assignment, now: int, feedback: str | None = None) -> Step:
    """Approve submitted work, or override its rejection.

    Parameters
    ----------
    hit : Hit
        The assignment's.
    assignment : Assignment
        Submitted or rejected.
    now : int
        Seconds since 1970.
    feedback : str, optional
        For the worker; what was said before is kept without it.

    Returns
    -------
    Step
        Pays from the held money; an override pays from what is available, since the
        rejection gave the held money back.
    """
    was_rejected = assignment.state == "Rejected"
    after = dataclasses.replace(
        assignment,
        state="Approved",
        approved_at=now,
        rejected_at=None,
        feedback=feedback if feedback is not None else assignment.feedback,
        due_at=None,
    )
    return change(
        hit,
        now,
        "override" if was_rejected else "approve",
        assignment=after,
        paid=True,
        submitted=hit.submitted - (not was_rejected),
        rejected=hit.rejected - was_rejected,
        approved=hit.approved + 1,
    )


def reject(hit: Hit, assignment: Assignment, now: int, feedback: str) -> Step:
    """Reject submitted work: neither reward nor fee, and the held money comes free.

    Parameters
    ----------
    hit : Hit
        The assignment's.
    assignment : Assignment
        A submitted one.
    now : int
        Seconds since 1970.
    feedback : str
        For the worker.

    Returns
    -------
    Step
        Moves held money to available.
    """
    after = dataclasses.replace(
        assignment, state="Rejected", rejected_at=now, feedback=feedback, due_at=None
    )
    return change(
        hit,
        now,
        "reject",
        assignment=after,
        submitted=hit.submitted - 1,
        rejected=hit.rejected + 1,
    )


def replay(hit: Hit, assignments: Iterable[Assignment], now: int) -> Iterator[Step]:
    """Let everything happen that is due, each at its own moment, in the order of time.

    Parameters
    ----------
    hit : Hit
        As stored.
    assignments : iterable of Assignment
        At least those of the HIT that are due.
    now : int
        Seconds since 1970.

    Yields
    ------
    Step
        One thing that happened; the last one has the HIT as it is at `now`.
    """
    due = sorted(
        (a for a in assignments if a.due_at is not None and a.due_at <= now),
        # at one moment, work counts before the HIT's own expiry or disposal
        key=lambda assignment: (assignment.due_at, assignment.sequence),
    )
    for assignment in due:
        at = assignment.due_at or 0
        for step in _own_moments(hit, before=at):
            hit = step.hit
            yield step
        if assignment.state == "Submitted":
            step = approve(hit, assignment, at)
        else:
            step = give_up(hit, assignment, at, "Abandoned")
        hit = step.hit
        yield step
    yield from _own_moments(hit, before=now + 1)


def _own_moments(hit: Hit, before: int) -> Iterator[Step]:
    while hit.due_at is not None and hit.due_at < before:
        at = hit.due_at
        step = dispose(hit, at) if _is_disposal(hit, at) else change(hit, at, "expire")
        hit = step.hit
        yield step


def dispose(hit: Hit, now: int) -> Step:
    """Delete a HIT.

    Parameters
    ----------
    hit : Hit
        Any.
    now : int
        Seconds since 1970.

    Returns
    -------
    Step
        Frees what may still be held.
    """
    return change(hit, now, "dispose", deleted_at=now)


def fee_cents(reward_cents: int, max_assignments: int, *, masters: bool) -> int:
    """Work out MTurk's fee for one assignment.

    20 % of the reward, a further 20 % for HITs of ten or more assignments and 5 % for
    Masters, at least one cent; the parts are added and rounded half up to the cent.
    Source: https://www.mturk.com/pricing

    Parameters
    ----------
    reward_cents : int
        For one assignment.
    max_assignments : int
        Of the HIT.
    masters : bool
        Whether Masters are required.

    Returns
    -------
    int
        Cents.
    """
    percent = 20 + 20 * (max_assignments >= MANY_ASSIGNMENTS) + 5 * masters
    return max(1, (reward_cents * percent + 50) // 100)


def bonus_fee_cents(amount_cents: int) -> int:
    """Work out MTurk's fee for a bonus: a fifth, rounded half up, at least one cent.

    Parameters
    ----------
    amount_cents : int
        The bonus.

    Returns
    -------
    int
        Cents.
    """
    return fee_cents(amount_cents, 1, masters=False)


def _is_disposal(hit: Hit, at: int) -> bool:
    return hit.reviewable_since is not None and at >= hit.reviewable_since + DISPOSAL_SECONDS


def _next_moment(hit: Hit, now: int) -> int | None:
    if hit.deleted_at is not None:
        return None
    moments = []
    if now < hit.expires_at:
        moments.append(hit.expires_at)
    # Unreviewed work delays disposal; it is approved by itself within 30 days anyway.
    if hit.reviewable_since is not None and not hit.submitted:
        moments.append(max(hit.reviewable_since + DISPOSAL_SECONDS, now))
    return min(moments, default=None)
