"""``extend-batch``: more assignments for every HIT of a batch, or more time, or both.

An extension is one step of its own in the journal. Each HIT's ``MaxAssignments`` is
written down before the request, so that after a lost reply the HIT itself tells whether it
was extended. Run again, an unfinished extension is finished, and nothing is added twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors, money
from turkbatch.actions import create, hits, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import journal, layout
from turkbatch.mturk import calls, environments

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch


@dataclasses.dataclass(frozen=True)
class ExtensionQuote:
    """What an extension adds, and what that costs: what a person is asked about.

    Parameters
    ----------
    environment : Environment
        Where the batch is.
    hits : int
        HITs that are still to be extended.
    assignments : int
        More assignments for each of them.
    hours : float
        Longer lifetime for each of them.
    cost : Decimal
        USD, if all new assignments are approved.
    balance : Decimal or None
        USD that the account has; None if the service does not tell.
    """

    environment: environments.Environment
    hits: int
    assignments: int
    hours: float
    cost: Decimal
    balance: Decimal | None


@dataclasses.dataclass(frozen=True)
class ExtendedBatch:
    """What was extended.

    Parameters
    ----------
    batch_dir : Path
        The batch.
    extended : int
        HITs that this run extended.
    already : int
        HITs that an interrupted run had extended.
    deleted : int
        HITs that are deleted and can't be extended.
    """

    batch_dir: Path
    extended: int
    already: int
    deleted: int


def agree(quote: ExtensionQuote) -> None:
    """Agree to a quote without asking anyone."""


def extend_batch(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    assignments: int = 0,
    hours: float = 0,
    confirm: Callable[[ExtensionQuote], None] = agree,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> ExtendedBatch:
    """Give every HIT of a batch more assignments, more time, or both.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    assignments : int
        More assignments for each HIT.
    hours : float
        Hours added to each HIT's expiration, or to now where that is past.
    confirm : callable
        Given the quote before anything is sent; raises to refuse it.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the HITs extended.

    Returns
    -------
    ExtendedBatch

    Raises
    ------
    BatchError
        If MTurk would refuse: from under ten assignments to ten or more; if the HITs have
        expired and get no more time; or another extension is not finished.
    RefusedError
        If the balance is too small.
    PartialError
        If some HITs could not be extended; run it again for those.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateAdditionalAssignmentsForHITOperation.html
    """
    if assignments < 0 or hours < 0 or not (assignments or hours):
        raise errors.BatchError("nothing to add: give more assignments, more hours, or both")
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    with batch.locked():
        extension = _unfinished(batch, assignments, hours)
        found = _read(batch, service, progress)
        there = {hit_id: hit for hit_id, hit in found.items() if hit["HITStatus"] != "Disposed"}
        todo = {key: hit for key, hit in there.items() if key not in extension.done}
        _check_allowed(batch, extension, todo, service)
        _check_money(extension, todo, service, confirm)
        deleted = len(batch.hit_ids()) - len(there)
        return _extend(batch, service, extension, todo, deleted, progress)


def _unfinished(batch: Batch, assignments: int, hours: float) -> journal.Extension:
    """Give the extension to go on with, or a new one."""
    begun = batch.extension()
    if begun is None:
        return journal.Extension(secrets.token_hex(16), assignments, hours, {}, frozenset())
    if (begun.assignments, begun.hours) != (assignments, hours):
        raise errors.BatchError(
            f"{batch.path}: an extension by {begun.assignments} assignments and"
            f" {begun.hours:g} hours was interrupted; run that one again first"
        )
    return begun


def _read(batch: Batch, service: calls.Calls, progress: Progress) -> Mapping[str, hits.Json]:
    found = hits.read_batch(batch, service, progress)
    for error in found.failures.values():
        if not hits.is_gone(error):
            raise error
    if not found.hits:
        raise errors.BatchError(f"{batch.path}: all its HITs are deleted; create a new batch")
    return found.hits


def _check_allowed(
    batch: Batch,
    extension: journal.Extension,
    todo: Mapping[str, hits.Json],
    service: calls.Calls,
) -> None:
    """Explain what MTurk would refuse, before anything is sent."""
    fresh = [hit for hit_id, hit in todo.items() if hit_id not in extension.intents]
    few = [one for one in fresh if one["MaxAssignments"] < money.MANY_ASSIGNMENTS]
    most = max((one["MaxAssignments"] for one in few), default=0)
    if extension.assignments and few and most + extension.assignments >= money.MANY_ASSIGNMENTS:
        raise errors.BatchError(
            f"{batch.path}: its HITs have {most} assignments, and {extension.assignments} more"
            f" make {most + extension.assignments}; MTurk never lets a HIT grow from under"
            f" {money.MANY_ASSIGNMENTS} to {money.MANY_ASSIGNMENTS} or more, because its fee"
            f" doubles there. At most {money.MANY_ASSIGNMENTS - 1 - most} can be added; for more,"
            " create a second batch of the same data"
        )
    now = hits.service_now(service)
    expired = [one for one in fresh if hits.expired(one, now)]
    if expired and not extension.hours:
        raise errors.BatchError(
            f"{batch.path}: {len(expired)} of its HITs have expired, and nobody could accept the"
            " new assignments; give --hours as well"
        )


def _check_money(
    extension: journal.Extension,
    todo: Mapping[str, hits.Json],
    service: calls.Calls,
    confirm: Callable[[ExtensionQuote], None],
) -> None:
    cost = Decimal(0)
    for hit_id, hit in todo.items():
        if extension.assignments and hit_id not in extension.intents:
            reward = money.amount(hit["Reward"])
            after = hit["MaxAssignments"] + extension.assignments
            ids = {one["QualificationTypeId"] for one in hit.get("QualificationRequirements", [])}
            fee = money.fee(reward, assignments=after, masters=bool(money.MASTERS & ids))
            cost += (reward + fee) * extension.assignments
    balance = create.balance(service) if cost else None
    if balance is not None and balance < cost and service.environment.name != "sandbox":
        raise errors.RefusedError(
            f"the new assignments cost {money.dollars(cost)}, and the account in"
            f" {service.environment.place} has {money.dollars(balance)}; add funds"
        )
    confirm(
        ExtensionQuote(
            service.environment, len(todo), extension.assignments, extension.hours, cost, balance
        )
    )


def _extend(
    batch: Batch,
    service: calls.Calls,
    extension: journal.Extension,
    todo: Mapping[str, hits.Json],
    deleted: int,
    progress: Progress,
) -> ExtendedBatch:
    # Results are missing again from here on; the marker says so before the first request.
    batch.write_marker(batch.hit_ids())
    with contextlib.closing(journal.Changes(batch.path / layout.CHANGES)) as log:
        if not extension.intents:
            log.begin(extension)
        extender = _Extender(service, log, extension)
        failures: list[tuple[str, Exception]] = []
        done = 0
        for outcome in service.each(extender.extend, todo.values()):
            if outcome.error is None:
                done += 1
                progress("extending HITs", done, len(todo))
            else:
                failures.append((f"HIT {outcome.item['HITId']}", outcome.error))
        if failures:
            raise errors.PartialError(
                f"{done} of {len(todo)} HITs are extended; run the same command again for the"
                f" other {len(failures)}:",
                failures,
            )
        log.finish(extension)
    return ExtendedBatch(batch.path, done, len(extension.done), deleted)


class _Extender:
    """Extends one HIT; called from many threads."""

    def __init__(
        self, service: calls.Calls, log: journal.Changes, extension: journal.Extension
    ) -> None:
        self._service = service
        self._log = log
        self._extension = extension
        self._now = hits.service_now(service)

    def extend(self, hit: hits.Json) -> None:
        """Add assignments and time to a HIT, and write down that it is done."""
        hit_id: str = hit["HITId"]
        intent = self._extension.intents.get(hit_id)
        if intent is None:
            intent = self._intended(hit)
            self._log.intend(self._extension, intent)
        if self._extension.assignments:
            self._add_assignments(hit, intent)
        if intent.expire_at is not None:
            self._service.call("update_expiration_for_hit", HITId=hit_id, ExpireAt=intent.expire_at)
        self._log.extended(self._extension, hit_id)

    def _intended(self, hit: hits.Json) -> journal.ExtensionIntent:
        until = None
        if self._extension.hours:
            since = max(hit["Expiration"], self._now)
            until = since + timedelta(hours=self._extension.hours)
        return journal.ExtensionIntent(hit["HITId"], hit["MaxAssignments"], until)

    def _add_assignments(self, hit: hits.Json, intent: journal.ExtensionIntent) -> None:
        wanted = intent.assignments_before + self._extension.assignments
        if hit["MaxAssignments"] == wanted:
            return  # an earlier run's request was done; only its reply was lost
        if hit["MaxAssignments"] != intent.assignments_before:
            raise errors.StateError(
                f"has {hit['MaxAssignments']} assignments, neither the"
                f" {intent.assignments_before} from before nor {wanted}: someone else changed it"
            )
        with contextlib.suppress(errors.DuplicateError):
            self._service.call(
                "create_additional_assignments_for_hit",
                HITId=hit["HITId"],
                NumberOfAdditionalAssignments=self._extension.assignments,
                UniqueRequestToken=f"{self._extension.id}-{hit['HITId']}"[:64],
            )
