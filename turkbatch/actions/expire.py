"""``expire-batch``: nobody new can accept the batch's HITs; who is at work may finish."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.actions import hits, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import journal, layout
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""A moment that is past in every time zone.

botocore takes a naive time for UTC, so that a local "now" would lie hours ahead east of
Greenwich and expire nothing.
"""


@dataclasses.dataclass(frozen=True)
class ExpiredBatch:
    """What was expired.

    Parameters
    ----------
    batch_dir : Path
        The batch.
    expired : int
        HITs that this run expired.
    already : int
        HITs that had expired, were done, or are deleted.
    """

    batch_dir: Path
    expired: int
    already: int


def expire_batch(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> ExpiredBatch:
    """Expire every HIT of a batch that is still open.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the HITs expired.

    Returns
    -------
    ExpiredBatch

    Raises
    ------
    PartialError
        If some HITs could not be expired; the others are.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateExpirationForHITOperation.html
    """
    batch = pinned.opened(client, batch_dir)
    service = calls.Calls(client, concurrency=concurrency)
    with batch.locked():
        return expire(batch, service, progress)


def expire(batch: Batch, service: calls.Calls, progress: Progress) -> ExpiredBatch:
    """Expire a batch whose lock the caller holds."""
    hit_ids = batch.hit_ids()
    found = hits.read_batch(batch, service, progress)
    now = hits.service_now(service)
    todo = [
        hit_id
        for hit_id, hit in found.hits.items()
        if hit["HITStatus"] != "Disposed" and not hits.expired(hit, now)
    ]
    failures = hits.missing(batch, found)
    done = 0

    def expire_hit(hit_id: str) -> None:
        service.call("update_expiration_for_hit", HITId=hit_id, ExpireAt=AT_ONCE)
        log.done("expire", hit_id)

    journal_path = batch.path / layout.CHANGES
    with contextlib.closing(journal.Changes(journal_path)) as log, service.finishing():
        for outcome in service.each(expire_hit, todo):
            if outcome.error is None or hits.is_gone(outcome.error):
                done += 1
                progress("expiring HITs", done, len(todo))
            else:
                failures.append((f"HIT {outcome.item}", outcome.error))
    if failures:
        raise errors.PartialError(
            f"{done} HITs of {batch.path} are expired; {len(failures)} are not:", failures
        )
    return ExpiredBatch(batch.path, done, len(hit_ids) - done)
