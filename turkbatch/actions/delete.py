"""``delete-batch``: take the batch's HITs off the service, once their results are saved."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.actions import hits, pinned, screening
from turkbatch.actions.expire import expire
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import journal, layout, results
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch


@dataclasses.dataclass(frozen=True)
class DeletedBatch:
    """What was deleted.

    Parameters
    ----------
    batch_dir : Path
        The batch; the directory itself is never deleted.
    deleted : int
        HITs that this run deleted.
    already : int
        HITs that were gone before.
    still_worked_on : int
        Expired HITs that a worker has accepted and may still submit.
    """

    batch_dir: Path
    deleted: int
    already: int
    still_worked_on: int

    @property
    def final(self) -> bool:
        """Whether no HIT is left."""
        return not self.still_worked_on


def delete_batch(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    expire_open: bool = False,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> DeletedBatch:
    """Delete the HITs of a batch from the service; the directory stays as it is.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    expire_open : bool
        Expire first what is still open.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the HITs deleted.

    Returns
    -------
    DeletedBatch

    Raises
    ------
    BatchError
        If HITs are open and are not to be expired, or results are not saved. Nothing
        was deleted then.
    PartialError
        If some HITs could not be deleted; the others are.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DeleteHITOperation.html
    """
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    with batch.locked():
        if expire_open:
            # What stays open is refused below, what is gone is listed there.
            with contextlib.suppress(errors.PartialError):
                expire(batch, service, progress)
        return _delete(batch, service, progress)


def _delete(batch: Batch, service: calls.Calls, progress: Progress) -> DeletedBatch:
    hit_ids = batch.hit_ids()
    _check_settled(batch)
    found = hits.read_batch(batch, service, progress)
    there = {hit_id: hit for hit_id, hit in found.hits.items() if hit["HITStatus"] != "Disposed"}
    _check_closed(batch, there)
    worked_on = {hit_id for hit_id, hit in there.items() if hit["NumberOfAssignmentsPending"]}
    doubtful = _save_unworked(batch, service, there)
    failures = hits.missing(batch, found)
    failures += [(f"HIT {hit_id}", error) for hit_id, error in doubtful.items()]
    todo = [hit_id for hit_id in there if hit_id not in worked_on and hit_id not in doubtful]
    done = 0

    def delete_hit(hit_id: str) -> None:
        # From here on there is no other copy: whoever wrote it, and however that ended, it is
        # on disk before the service is told to forget it.
        batch.results.sync(hit_id)
        try:
            service.call("delete_hit", HITId=hit_id)
        except (errors.NotFoundError, errors.StateError) as error:
            if not hits.is_gone(error):
                raise
        log.done("delete", hit_id)

    journal_path = batch.path / layout.CHANGES
    with contextlib.closing(journal.Changes(journal_path)) as log, service.finishing():
        for hit_id in _deleted_before(batch, found):
            log.done("delete", hit_id)
        for outcome in service.each(delete_hit, todo):
            if outcome.error is not None:
                failures.append((f"HIT {outcome.item}", outcome.error))
                continue
            done += 1
            progress("deleting HITs", done, len(todo))
    if failures:
        raise errors.PartialError(
            f"{done} HITs of {batch.path} are deleted; {len(failures)} are not:", failures
        )
    rows = len(hit_ids) if batch.info is None else batch.info.rows
    if batch.incomplete and len(hit_ids) == rows and batch.results.all_final(hit_ids):
        batch.remove_marker()
    if not worked_on and len(hit_ids) == rows:
        screening.remove(batch, service)
    return DeletedBatch(batch.path, done, len(hit_ids) - len(todo) - len(worked_on), len(worked_on))


def _deleted_before(batch: Batch, found: hits.Found) -> list[str]:
    """List what the service says is deleted, as after a reply that never came."""
    gone = [hit_id for hit_id, hit in found.hits.items() if hit["HITStatus"] == "Disposed"]
    gone += [hit_id for hit_id, error in found.failures.items() if hits.is_gone(error)]
    return [hit_id for hit_id in gone if batch.results.is_final(hit_id)]


def _check_settled(batch: Batch) -> None:
    if batch.info is not None and batch.uploads().open:
        raise errors.BatchError(
            f"{batch.path}: the upload was interrupted, and HITs may exist that are not on"
            f" record yet; run `turkbatch resume-batch {batch.path}` first"
        )


def _check_closed(batch: Batch, there: Mapping[str, hits.Json]) -> None:
    """Refuse while workers can still accept; an expired HIT with someone at work may wait."""
    open_hits = [
        hit_id
        for hit_id, hit in there.items()
        if hit["HITStatus"] == "Assignable"
        or (hit["HITStatus"] in results.OPEN and not hit["NumberOfAssignmentsPending"])
    ]
    if open_hits:
        raise errors.BatchError(
            f"{batch.path}: {len(open_hits)} of {len(there)} HITs are still open;"
            " wait until they are done, or give --expire to close them first"
        )


def _save_unworked(
    batch: Batch, service: calls.Calls, there: Mapping[str, hits.Json]
) -> dict[str, Exception]:
    """Refuse while the service holds a result that is not on disk as it is there.

    What nobody worked on needs no saving by hand. HITs of which that can't be found out
    are returned, with the reason.
    """
    unsaved = [hit for hit in there.values() if not _is_saved(batch, hit)]
    doubtful: dict[str, Exception] = {}
    held = 0
    with batch.results.saving() as saving, service.finishing():
        for outcome in service.each(
            lambda hit: _save_if_unworked(batch, saving, service, hit), unsaved
        ):
            if outcome.error is not None:
                doubtful[outcome.item["HITId"]] = outcome.error
            elif not outcome.value:
                held += 1
    doubtful |= saving.failed
    if held:
        raise errors.BatchError(
            f"{batch.path}: {held} of {len(there)} HITs hold results that are not saved"
            f" as reviewed; run `turkbatch review-batch {batch.path}` if some are not reviewed,"
            f" then `turkbatch save-batch {batch.path}`; nothing was deleted"
        )
    return doubtful


def _is_saved(batch: Batch, hit: hits.Json) -> bool:
    saved = batch.results.load(hit["HITId"])
    return saved is not None and saved.final and saved.hit == results.as_json(hit)


def _save_if_unworked(
    batch: Batch, saving: results.Saving, service: calls.Calls, hit: hits.Json
) -> bool:
    """Save a HIT if that adds nothing to its saved results; tell whether."""
    saved = {one["AssignmentId"]: one for one in batch.results.assignments(hit["HITId"])}
    assignments = hits.read_assignments(service, hit)
    for assignment in assignments:
        kept = saved.get(assignment["AssignmentId"])
        status = assignment["AssignmentStatus"]
        if kept is None or kept["AssignmentStatus"] != status or status == "Submitted":
            return False
    saving.save(hit, assignments)
    return True
