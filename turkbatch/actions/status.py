"""``status-batch``: how far a batch is."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from turkbatch.actions import hits, pinned, tally
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.tally import Tally
from turkbatch.batch import results
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch


@dataclasses.dataclass(frozen=True)
class AssignmentCounts:
    """How many assignments are where.

    Parameters
    ----------
    available : int
        Can still be accepted.
    pending : int
        Accepted, and not yet submitted.
    submitted : int
        Submitted, and not yet reviewed.
    reviewed : int
        Approved or rejected.
    """

    available: int = 0
    pending: int = 0
    submitted: int = 0
    reviewed: int = 0


@dataclasses.dataclass(frozen=True)
class BatchStatus:
    """How far a batch is.

    Parameters
    ----------
    batch_id : str
        The batch's id.
    rows : int
        How many HITs it shall have.
    hit_count : int
        How many it has.
    hit_status_counts : dict of str to int
        HITs by MTurk's status; deleted ones count as ``Disposed``.
    assignments : AssignmentCounts
        Over all HITs that the service still knows.
    expires : datetime or None
        When the last HIT that is still open expires.
    unknown : dict of str to str
        HITs that could not be read, or were deleted before they were saved, and why.
    unsettled : int
        Rows that were asked for and whose outcome is not known: resume settles them.
    saved : int
        HITs of which results are saved.
    incomplete : bool
        Whether results are still to be saved.
    pin : dict of str to str
        Where the batch is; empty for a batch of amti's.
    tally : Tally
        Decisions, money and times.
    """

    batch_id: str
    rows: int
    hit_count: int
    hit_status_counts: Mapping[str, int]
    assignments: AssignmentCounts
    expires: datetime | None
    unknown: Mapping[str, str]
    unsettled: int
    saved: int
    incomplete: bool
    pin: Mapping[str, str]
    tally: Tally

    @property
    def over(self) -> bool:
        """Whether neither workers nor time will change it any more."""
        counts = self.assignments
        return not (counts.available or counts.pending or counts.submitted or self.unknown)

    def as_json(self) -> dict[str, Any]:
        """Give the documented JSON form: the fields, times as ISO 8601, amounts as texts."""
        return results.as_json(dataclasses.asdict(self)) | {"tally": self.tally.as_json()}


def status_batch(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    most_fetched: int = 0,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> BatchStatus:
    """Tell how far a batch is, in about one request for a hundred HITs.

    What the HITs do not tell, such as the money, comes from the saved results and the
    batch's own journal of reviews.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    most_fetched : int
        Of so many HITs whose saved results are out of date at most the assignments are
        fetched, a request for each; of more, none.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the HITs read.

    Returns
    -------
    BatchStatus

    Raises
    ------
    BatchError
        If it is no batch, or is somewhere else.
    ServiceError
        If the service can't be reached.
    """
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    return summary(batch, service, most_fetched, progress)


def summary(
    batch: Batch, service: calls.Calls, most_fetched: int, progress: Progress
) -> BatchStatus:
    """Read a batch's HITs and count them."""
    hit_ids = batch.hit_ids()
    deleted = batch.deleted()
    found = hits.read_batch(batch, service, progress)
    statuses = collections.Counter(hit["HITStatus"] for hit in found.hits.values())
    unknown = {
        subject.removeprefix("HIT "): str(error) for subject, error in hits.missing(batch, found)
    }
    gone = deleted.union(one for one in found.failures if one not in unknown)
    statuses["Disposed"] += sum(1 for one in hit_ids if one in gone)
    known = [hit for hit in found.hits.values() if hit["HITStatus"] != "Disposed"]
    open_until = [hit["Expiration"] for hit in known if hit["HITStatus"] in results.OPEN]
    info = batch.info
    return BatchStatus(
        batch_id=batch.batch_id,
        rows=len(hit_ids) if info is None else info.rows,
        hit_count=len(hit_ids),
        hit_status_counts={name: count for name, count in sorted(statuses.items()) if count},
        assignments=_count(known),
        expires=max(open_until, default=None),
        unknown=unknown,
        unsettled=0 if info is None else len(batch.uploads().open),
        saved=len(batch.results.hit_ids()),
        incomplete=batch.incomplete,
        pin={} if info is None else info.pin,
        tally=tally.count(
            _work(batch, service, found, most_fetched), now=hits.service_now(service)
        ),
    )


def _work(
    batch: Batch, service: calls.Calls, found: hits.Found, most_fetched: int
) -> list[tally.Work]:
    """Give each HIT with what is known of its assignments."""
    done = batch.reviews().done
    known: dict[str, tally.Work] = {}
    for hit_id in batch.hit_ids():
        saved = batch.results.load(hit_id)
        hit = found.hits.get(hit_id)
        if hit is not None and hit["HITStatus"] == "Disposed":
            hit = None  # its assignments are no longer shown, whatever its counters say
        if hit is None and saved is None:
            continue
        assignments = tally.reviewed_since(() if saved is None else saved.assignments, done)
        known[hit_id] = _counted(hit, saved, assignments)
    stale = [hit_id for hit_id, one in known.items() if not one.known and hit_id in found.hits]
    if len(stale) <= most_fetched:
        read = functools.partial(hits.read_assignments, service)
        for outcome in service.each(read, [found.hits[hit_id] for hit_id in stale]):
            if outcome.value is not None:
                hit_id = outcome.item["HITId"]
                one = known[hit_id]
                known[hit_id] = dataclasses.replace(one, assignments=outcome.value)
    return list(known.values())


def _counted(
    hit: hits.Json | None, saved: results.Saved | None, assignments: list[hits.Json]
) -> tally.Work:
    if hit is not None:
        return tally.Work(hit, assignments, submitted_of(hit), hit["NumberOfAssignmentsCompleted"])
    assert saved is not None, "one of the two is there"
    reviewed = sum(1 for one in assignments if one["AssignmentStatus"] in results.REVIEWED)
    closed = {**saved.hit, "HITStatus": "Disposed", "NumberOfAssignmentsPending": 0}
    return tally.Work(closed, assignments, len(assignments) - reviewed, reviewed)


def _count(known: list[hits.Json]) -> AssignmentCounts:
    available = pending = submitted = reviewed = 0
    for hit in known:
        available += hit["NumberOfAssignmentsAvailable"]
        pending += hit["NumberOfAssignmentsPending"]
        reviewed += hit["NumberOfAssignmentsCompleted"]
        submitted += submitted_of(hit)
    return AssignmentCounts(available, pending, submitted, reviewed)


def submitted_of(hit: hits.Json) -> int:
    """Compute how many assignments of a HIT wait for review; the API does not count them.

    A service that forgets the unused assignments of an expired HIT makes this an upper
    bound: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_HITDataStructureArticle.html
    """
    taken: int = (
        hit["NumberOfAssignmentsAvailable"]
        + hit["NumberOfAssignmentsPending"]
        + hit["NumberOfAssignmentsCompleted"]
    )
    most: int = hit["MaxAssignments"]
    return max(0, most - taken)
