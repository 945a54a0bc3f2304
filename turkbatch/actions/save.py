"""``save-batch``: fetch what workers submitted, HIT by HIT, whenever one likes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.actions import hits, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import results
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch


@dataclasses.dataclass(frozen=True)
class SavedBatch:
    """What is saved of a batch now.

    Parameters
    ----------
    batch_dir : Path
        The batch.
    hits : int
        HITs that are saved.
    assignments : int
        Assignments that are saved.
    open_hits : int
        HITs that workers can still work on.
    unreviewed : int
        Saved assignments that are neither approved nor rejected.
    missing_rows : int
        Rows that have no HIT yet.
    """

    batch_dir: Path
    hits: int
    assignments: int
    open_hits: int
    unreviewed: int
    missing_rows: int

    @property
    def final(self) -> bool:
        """Whether nothing more can come."""
        return not (self.open_hits or self.unreviewed or self.missing_rows)


def save_batch(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> SavedBatch:
    """Save every HIT and assignment that there is, and say what may still come.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the HITs saved.

    Returns
    -------
    SavedBatch

    Raises
    ------
    BatchError
        If it is no batch, is somewhere else, or another process writes to it.
    PartialError
        If some HITs could not be read; the others are saved.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListAssignmentsForHITOperation.html
    """
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    # Late, because screening saves earlier batches.
    from turkbatch.actions import screening

    with batch.locked(), service.finishing():
        try:
            saved = save(batch, service, progress)
        except errors.PartialError:
            screening.keep(batch, service, progress)
            raise
        screening.keep(batch, service, progress)
        return saved


def save(batch: Batch, service: calls.Calls, progress: Progress) -> SavedBatch:
    """Save a batch whose lock the caller holds."""
    hit_ids = batch.hit_ids()
    found = hits.read_batch(batch, service, progress)
    failures = hits.missing(batch, found)
    changed = [hit for hit in found.hits.values() if _may_have_changed(batch, hit)]
    done = len(hit_ids) - len(changed) - len(failures)
    fetched: dict[str, _Saved] = {}
    progress("saving HITs", done, len(hit_ids))
    # Durable only after nothing is in flight any more, so that Ctrl-C loses none of it.
    with batch.results.saving() as saving, service.finishing():
        for outcome in service.each(lambda hit: _save_hit(saving, service, hit), changed):
            if outcome.value is not None:
                fetched[outcome.item["HITId"]] = outcome.value
                done += 1
                progress("saving HITs", done, len(hit_ids))
            elif outcome.error is not None and not (
                hits.is_gone(outcome.error) and batch.results.is_final(outcome.item["HITId"])
            ):
                failures.append((f"HIT {outcome.item['HITId']}", outcome.error))
    for hit_id, error in saving.failed.items():
        fetched.pop(hit_id, None)
        failures.append((f"HIT {hit_id}", error))
    report = _report(batch, hit_ids, fetched)
    if failures:
        raise errors.PartialError(
            f"{report.hits} of {len(hit_ids)} HITs are saved in {batch.path};"
            f" {len(failures)} could not be read:",
            failures,
        )
    if report.final and batch.incomplete:
        batch.remove_marker()
    return report


def _may_have_changed(batch: Batch, hit: hits.Json) -> bool:
    """Whether a HIT can differ from what is saved of it.

    Its counters and status tell of every submission and review but one: overriding a
    rejection changes no counter, so HITs with rejected work are always fetched again.
    """
    if hits.is_lost(batch, hit):
        return False
    saved = batch.results.load(hit["HITId"])
    if saved is None:
        return True
    if hit["HITStatus"] == "Disposed":
        return not saved.final
    if any(one["AssignmentStatus"] == "Rejected" for one in saved.assignments):
        return True
    return saved.hit != results.as_json(hit)


def _save_hit(saving: results.Saving, service: calls.Calls, hit: hits.Json) -> _Saved:
    """Fetch a HIT's assignments and save both; a deleted one had none."""
    gone = hit["HITStatus"] == "Disposed"
    assignments = [] if gone else hits.read_assignments(service, hit)
    saving.save(hit, assignments)
    return _saved(hit, assignments)


@dataclasses.dataclass(frozen=True)
class _Saved:
    """What the report says of a HIT; the results themselves would fill the memory."""

    open: bool
    assignments: int
    unreviewed: int


def _saved(hit: hits.Json, assignments: Sequence[hits.Json]) -> _Saved:
    return _Saved(
        hit["HITStatus"] in results.OPEN or bool(hit.get("NumberOfAssignmentsPending")),
        len(assignments),
        sum(1 for one in assignments if one["AssignmentStatus"] not in results.REVIEWED),
    )


def _report(batch: Batch, hit_ids: list[str], fetched: dict[str, _Saved]) -> SavedBatch:
    every = []
    for hit_id in hit_ids:
        one = fetched.get(hit_id)
        if one is None and (on_disk := batch.results.load(hit_id)) is not None:
            one = _saved(on_disk.hit, on_disk.assignments)
        if one is not None:
            every.append(one)
    rows = len(hit_ids) if batch.info is None else batch.info.rows
    return SavedBatch(
        batch_dir=batch.path,
        hits=len(every),
        assignments=sum(one.assignments for one in every),
        open_hits=sum(1 for one in every if one.open),
        unreviewed=sum(one.unreviewed for one in every),
        missing_rows=rows - len(hit_ids),
    )
