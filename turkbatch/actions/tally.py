"""What a batch's work comes to: decisions, money, times, and when it may be done.

Computed from the counters of the HITs and from what is known of single assignments: the
saved ones, and the reviews that the batch's journal tells of.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from turkbatch import money
from turkbatch.batch import results

Json = Mapping[str, Any]

AFTER_REVIEW = {"approve": "Approved", "override": "Approved", "reject": "Rejected"}
"""The status that a journaled action leads to."""


@dataclasses.dataclass(frozen=True)
class Work:
    """One HIT, and what is known of its assignments.

    Parameters
    ----------
    hit : dict
        MTurk's HIT.
    assignments : sequence of dict
        MTurk's assignments, as far as they are known; times as datetime or ISO 8601.
    submitted, reviewed : int
        How many there are, by the HIT's counters.
    """

    hit: Json
    assignments: Sequence[Json]
    submitted: int
    reviewed: int

    @property
    def known(self) -> bool:
        """Whether every assignment is known with its present status."""
        decided = sum(1 for one in self.assignments if one["AssignmentStatus"] in results.REVIEWED)
        waiting = len(self.assignments) - decided
        return (decided, waiting) == (self.reviewed, self.submitted)


@dataclasses.dataclass(frozen=True)
class Tally:
    """What a batch's work comes to.

    Parameters
    ----------
    approved, rejected : int
        Decisions that are known.
    undistinguished : int
        Reviewed assignments of which it is not known whether they were approved; save-batch
        tells.
    paid : Decimal
        USD for what is known to be approved, MTurk's fees included.
    to_come : Decimal
        USD at most for what is submitted, in work or still offered, fees included.
    average_work_seconds, median_work_seconds : float or None
        From accepting to submitting, over the assignments that are known.
    hourly_wage : Decimal or None
        USD an hour that the average worker earns.
    next_auto_approval : datetime or None
        When the next submitted assignment that is known is approved by itself.
    estimated_completion : datetime or None
        When everything will be submitted, if it goes on as it has; None if nothing is open,
        or nothing was submitted yet.
    """

    approved: int
    rejected: int
    undistinguished: int
    paid: Decimal
    to_come: Decimal
    average_work_seconds: float | None
    median_work_seconds: float | None
    hourly_wage: Decimal | None
    next_auto_approval: datetime | None
    estimated_completion: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Give the documented JSON form: amounts as texts in USD, times as ISO 8601."""
        values = dataclasses.asdict(self).items()
        plain = {name: str(one) if isinstance(one, Decimal) else one for name, one in values}
        return results.as_json(plain)


def price(hit: Json) -> tuple[Decimal, Decimal]:
    """Tell what an assignment of a HIT costs: the reward and MTurk's fee, in USD."""
    reward = money.amount(hit["Reward"])
    required = hit.get("QualificationRequirements", [])
    masters = any(one["QualificationTypeId"] in money.MASTERS for one in required)
    return reward, money.fee(reward, assignments=hit["MaxAssignments"], masters=masters)


def reviewed_since(assignments: Iterable[Json], done: Mapping[str, str]) -> list[Json]:
    """Bring saved assignments up to date with the reviews of the batch's journal.

    Parameters
    ----------
    assignments : iterable of dict
        As they were saved.
    done : dict of str to str
        The action that took effect, by assignment id.
    """
    return [
        {**one, "AssignmentStatus": AFTER_REVIEW[done[one["AssignmentId"]]]}
        if one["AssignmentId"] in done
        else one
        for one in assignments
    ]


def count(work: Sequence[Work], *, now: datetime) -> Tally:
    """Add everything up.

    Parameters
    ----------
    work : sequence of Work
        One for each HIT.
    now : datetime
        The service's time.
    """
    approved = rejected = 0
    paid = to_come = earned = Decimal(0)
    seconds: list[float] = []
    due: list[datetime] = []
    for one in work:
        reward, fee = price(one.hit)
        statuses = [each["AssignmentStatus"] for each in one.assignments]
        approved += statuses.count("Approved")
        rejected += statuses.count("Rejected")
        paid += (reward + fee) * statuses.count("Approved")
        to_come += (reward + fee) * (one.submitted + _offered(one.hit))
        earned += reward * len(statuses)
        seconds += [_seconds(each) for each in one.assignments]
        due += [
            moment(each["AutoApprovalTime"])
            for each in one.assignments
            if each["AssignmentStatus"] == "Submitted" and each.get("AutoApprovalTime")
        ]
    return Tally(
        approved,
        rejected,
        max(0, sum(one.reviewed for one in work) - approved - rejected),
        paid,
        to_come,
        statistics.fmean(seconds) if seconds else None,
        statistics.median(seconds) if seconds else None,
        _hourly(earned, sum(seconds)),
        min(due, default=None),
        _completion(work, now),
    )


def _offered(hit: Json) -> int:
    """Count the assignments that may still be submitted."""
    available = hit["NumberOfAssignmentsAvailable"] if hit["HITStatus"] in results.OPEN else 0
    pending: int = hit["NumberOfAssignmentsPending"]
    return int(available) + pending


def _seconds(assignment: Json) -> float:
    return (moment(assignment["SubmitTime"]) - moment(assignment["AcceptTime"])).total_seconds()


def moment(value: datetime | str) -> datetime:
    """Read a time of the service, as it came or as it was saved."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _hourly(earned: Decimal, seconds: float) -> Decimal | None:
    if not seconds:
        return None
    return (earned * 3600 / Decimal(seconds)).quantize(money.CENT, ROUND_HALF_UP)


def _completion(work: Sequence[Work], now: datetime) -> datetime | None:
    done = sum(one.submitted + one.reviewed for one in work)
    left = sum(_offered(one.hit) for one in work)
    if not (done and left):
        return None
    began = min(moment(one.hit["CreationTime"]) for one in work)
    return now + (now - began) * left / done
