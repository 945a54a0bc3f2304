"""``bonus-workers --hourly-wage``: top assignments up to a wage, from the time they took.

The wage is compared with the reward and all that was topped up before, so running again
pays what is missing: nothing, or the difference to a higher wage, or what was approved
since. Work that took very long (a tab left open) is counted up to three times the batch's
median, unless a cap in dollars is given.
"""

from __future__ import annotations

import collections
import dataclasses
import statistics
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from turkbatch import errors, files, money
from turkbatch.actions import bonus, create, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.save import save
from turkbatch.batch import bonuses, layout, results
from turkbatch.batch.bonuses import Bonus
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch

SECONDS_AN_HOUR = 3600
MEDIANS_COUNTED = 3
REASON = "A top-up of your pay, by the time that your work took. Thank you!"
"""The same for every top-up: what was paid before is found by it."""


@dataclasses.dataclass(frozen=True)
class _Work:
    """An approved assignment, as far as its pay is concerned."""

    worker_id: str
    assignment_id: str
    reward: Decimal
    seconds: float


def plan_hourly_wage(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    wage: Decimal | str,
    *,
    cap: Decimal | str | None = None,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> bonus.BonusPlan:
    """Compute the bonuses that bring every approved assignment to an hourly wage.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch; its results are saved on the way.
    wage : Decimal or str
        USD an hour.
    cap : Decimal or str, optional
        USD that one assignment is topped up by at most, all top-ups together. Without it,
        time beyond three times the batch's median is not counted.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of what is read.

    Returns
    -------
    BonusPlan

    Raises
    ------
    RefusedError
        If the wage or the cap is no amount.
    BatchError
        If it is no batch, or is somewhere else.
    PartialError
        If results, or what was paid before, can't be read.
    """
    hourly, most = _amount("--hourly-wage", wage), None if cap is None else _amount("--cap", cap)
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    with batch.locked():
        saved = save(batch, service, progress)
    work = list(_approved(batch))
    there = bonus.listed(
        service, [{"HITId": one} for one in sorted({hit_id for hit_id, _ in work})], progress
    )
    pin = service.environment.pin()
    state = bonuses.replay(files.read_log(batch.path / layout.BONUSES))
    paid = {one: max(there[one], state.paid.get(one, 0)) for one in {*there, *state.paid}}
    longest = _longest_seconds([one for _, one in work]) if most is None else None
    payments: list[bonus.Payment] = []
    already = capped = 0
    open_bonuses = {one.assignment_id: one for one in state.open.values() if not paid.get(one)}
    before = _topped_up(paid)
    for _, one in work:
        owed, less = _owed(one, hourly, before[one.assignment_id], most, longest)
        made = open_bonuses.get(one.assignment_id)
        if made is None and owed > 0:
            made = Bonus(one.worker_id, one.assignment_id, owed, REASON)
        if made is None:
            already += bool(before[one.assignment_id])
            continue
        capped += less
        # What an interrupted run sent is sent again as it was, under the same token.
        number = paid.get(made, 0)
        payments.append(bonus.Payment(made, number, made.token(pin, number)))
    return bonus.BonusPlan(
        tuple(payments),
        already,
        service.environment,
        create.balance(service),
        batch_dir=batch.path,
        unreviewed=saved.unreviewed,
        capped=capped,
    )


def _amount(option: str, value: Decimal | str) -> Decimal:
    try:
        made = money.amount(str(value))
    except ValueError as error:
        raise errors.RefusedError(f"{option}: {error}") from error
    if not made:
        raise errors.RefusedError(f"{option}: must be above 0")
    return made


def _approved(batch: Batch) -> Iterator[tuple[str, _Work]]:
    """Give the HIT and the work of each approved assignment that is saved."""
    for hit_id in batch.hit_ids():
        saved = batch.results.load(hit_id)
        if saved is None:
            continue
        reward = money.amount(str(saved.hit["Reward"]))
        for one in map(results.as_json, saved.assignments):
            if one["AssignmentStatus"] == "Approved":
                begun, ended = (
                    datetime.fromisoformat(one[name]) for name in ("AcceptTime", "SubmitTime")
                )
                seconds = (ended - begun).total_seconds()
                yield hit_id, _Work(one["WorkerId"], one["AssignmentId"], reward, seconds)


def _longest_seconds(work: list[_Work]) -> float | None:
    if not work:
        return None
    return MEDIANS_COUNTED * statistics.median(one.seconds for one in work)


def _topped_up(paid: Mapping[Bonus, int]) -> collections.Counter[str]:
    """Add up, in cents, what each assignment was topped up by."""
    cents: collections.Counter[str] = collections.Counter()
    for one, count in paid.items():
        if one.reason == REASON:
            cents[one.assignment_id] += int(one.amount * 100) * count
    return cents


def _owed(
    work: _Work, wage: Decimal, before_cents: int, cap: Decimal | None, longest: float | None
) -> tuple[Decimal, bool]:
    """Compute what is missing, in USD; and whether it is less than the wage."""
    counted = work.seconds if longest is None else min(work.seconds, longest)
    target = wage * Decimal(counted) / SECONDS_AN_HOUR - work.reward
    top_up = target if cap is None else min(target, cap)
    less = counted < work.seconds or top_up < target
    missing = top_up.quantize(money.CENT, ROUND_HALF_UP) - Decimal(before_cents) / 100
    return missing, less
