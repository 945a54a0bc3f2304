"""Reading a batch's HITs from the service in as few requests as it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from turkbatch import errors
from turkbatch.actions.progress import Progress
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from turkbatch.batch.directory import Batch

Json = Mapping[str, Any]

FEW = 2
"""So few HITs are asked for one by one; a listing could not be cheaper."""
LISTED_WITHIN = timedelta(minutes=2)
"""How late a new HIT may appear in ListHITs."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What the service says of a batch's HITs.

    Parameters
    ----------
    hits : dict of str to dict
        MTurk's HIT by its id, in the order that was asked for. Deleted ones that the
        service still shows have ``HITStatus`` ``Disposed``.
    failures : dict of str to Exception
        Why a HIT could not be read.
    """

    hits: Mapping[str, Json]
    failures: Mapping[str, Exception]


def read_batch(
    batch: Batch,
    service: calls.Calls,
    progress: Progress,
    *,
    only: Collection[str] | None = None,
) -> Found:
    """Read the HITs of a batch that were not deleted.

    Parameters
    ----------
    batch : Batch
        The batch.
    service : Calls
        Where to ask.
    progress : Progress
        Told of the HITs read.
    only : collection of str, optional
        The HITs that are wanted, of the batch's; all unless given.

    Returns
    -------
    Found

    Raises
    ------
    ServiceError
        As :func:`read_hits`.
    """
    deleted = batch.deleted()
    wanted = [
        hit_id
        for hit_id in batch.hit_ids()
        if hit_id not in deleted and (only is None or hit_id in only)
    ]
    return read_hits(service, wanted, progress, young=batch.published_within(LISTED_WITHIN))


def read_hits(
    service: calls.Calls, hit_ids: Sequence[str], progress: Progress, *, young: bool = False
) -> Found:
    """Read HITs, a hundred a request as long as that is cheaper than one by one.

    ListHITs gives all of a requester's HITs and knows no filter. Paging goes on while the
    pages read are fewer than the HITs still missing; what is missing then (deleted, too
    new for the listing, or deep in a large account) is asked for by GetHIT.

    Parameters
    ----------
    service : Calls
        Where to ask.
    hit_ids : sequence of str
        The HITs.
    progress : Progress
        Told of the HITs read.
    young : bool
        Whether some are so new that they may not be listed yet; then the listing is
        read once more before the missing ones are asked for one by one.

    Returns
    -------
    Found

    Raises
    ------
    ServiceError
        If the service can't be reached at all; a HIT that fails alone is in the result.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListHITsOperation.html
    """
    found: dict[str, Json] = {}
    failures: dict[str, Exception] = {}
    missing = dict.fromkeys(hit_ids)
    for _ in range(2 if young else 1):
        if len(missing) <= FEW:
            break
        ended = _read_pages(service, missing, found, len(hit_ids), progress)
        if not ended:
            break
    for outcome in service.each(lambda hit_id: _get_hit(service, hit_id), missing):
        if outcome.value is not None:
            found[outcome.item] = outcome.value
        elif outcome.error is not None:
            _raise_if_unreachable(outcome.error)
            failures[outcome.item] = outcome.error
        progress("reading HITs", len(found), len(hit_ids))
    return Found({one: found[one] for one in hit_ids if one in found}, failures)


def _read_pages(
    service: calls.Calls,
    missing: dict[str, None],
    found: dict[str, Json],
    total: int,
    progress: Progress,
) -> bool:
    """Take what is listed out of ``missing``; say whether the listing came to its end."""
    for number, page in enumerate(service.pages("list_hits", "HITs"), 1):
        for hit in page:
            if hit["HITId"] in missing:
                del missing[hit["HITId"]]
                found[hit["HITId"]] = hit
        progress("reading HITs", len(found), total)
        if number >= len(missing):
            return False
    return True


def _get_hit(service: calls.Calls, hit_id: str) -> Json:
    hit: Json = service.call("get_hit", HITId=hit_id)["HIT"]
    return hit


def _raise_if_unreachable(error: Exception) -> None:
    """Stop where every further request would fail the same way."""
    if isinstance(error, errors.UnreachableError | errors.CredentialsError):
        raise error


def service_now(service: calls.Calls) -> datetime:
    """Tell the time by the service's clock, which decides what has expired.

    Ours may be wrong, and an embedded server's may have been moved.
    """
    return service.service_time or datetime.now(UTC)


def expired(hit: Json, now: datetime) -> bool:
    """Whether a HIT's lifetime is over; whole seconds, as the service counts them."""
    expiration: datetime = hit["Expiration"]
    return expiration <= now + timedelta(seconds=1)


def is_gone(error: Exception) -> bool:
    """Whether an error says that a HIT was deleted, or is not there at all."""
    return isinstance(error, errors.NotFoundError) or (
        isinstance(error, errors.StateError) and "'Disposed'" in str(error)
    )


def is_lost(batch: Batch, hit: Json) -> bool:
    """Whether a HIT was deleted, by someone else, before its work was saved."""
    return (
        hit["HITStatus"] == "Disposed"
        and hit["MaxAssignments"] > hit["NumberOfAssignmentsAvailable"]
        and not batch.results.is_final(hit["HITId"])
    )


def missing(batch: Batch, found: Found) -> list[tuple[str, Exception]]:
    """List the HITs that could not be read, and those that were lost.

    What was deleted after everything of it had been saved is none of them.

    Returns
    -------
    list of (str, Exception)
        What each is, and why.
    """
    failed = [
        (f"HIT {hit_id}", error)
        for hit_id, error in found.failures.items()
        if not (is_gone(error) and batch.results.is_final(hit_id))
    ]
    lost = errors.NotFoundError("was deleted at the service before its results were saved")
    return failed + [
        (f"HIT {hit_id}", lost) for hit_id, hit in found.hits.items() if is_lost(batch, hit)
    ]


def read_assignments(
    service: calls.Calls, hit: Json, *, submitted_only: bool = False
) -> list[Json]:
    """Read a HIT's assignments, in the order of their submission.

    A page's token comes with the last page too. Reading stops early once as many came as
    the HIT had when it was listed; should more have come since, its counters will tell.

    Parameters
    ----------
    service : Calls
        Where to ask.
    hit : dict
        MTurk's HIT.
    submitted_only : bool
        Leave out what is reviewed.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListAssignmentsForHITOperation.html
    """
    unsubmitted = hit["NumberOfAssignmentsPending"] + hit["NumberOfAssignmentsAvailable"]
    most = hit["MaxAssignments"] - unsubmitted
    only = {}
    if submitted_only:
        most -= hit["NumberOfAssignmentsCompleted"]
        only = {"AssignmentStatuses": ["Submitted"]}
    found: list[Json] = []
    for page in service.pages(
        "list_assignments_for_hit", "Assignments", HITId=hit["HITId"], **only
    ):
        found += page
        if len(found) >= most:
            break
    # Stable: among equal times, whole seconds as they are, the service's own order stays.
    return sorted(found, key=lambda one: one["SubmitTime"])
