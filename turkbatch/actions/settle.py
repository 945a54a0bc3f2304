"""After a crash, find out which of the HITs that were asked for have been made.

A row with an intent and no outcome is first looked for among the requester's HITs, by
the annotation that carries the batch's nonce and the row's number, whatever the clocks
say. If it is there it is adopted. If not, the same token is sent again, and within 24
hours the service answers a HIT that exists with its id.

After those 24 hours the token protects no more, and the listing alone must tell. New
HITs are listed late, so a row whose first request is near or past that age (by our
clock, or by the service's) waits until its last request is old enough to be listed.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.actions.progress import Progress
from turkbatch.batch import journal, layout
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from turkbatch.batch.directory import Batch

TOKEN_TRUSTED = timedelta(hours=23)
"""How long we rely on a token; the service keeps it 24 hours.

https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITWithHITTypeOperation.html
"""
LISTING_LAG = timedelta(minutes=2)
"""How late a new HIT may appear in ListHITs."""


def settle(
    batch: Batch,
    state: journal.UploadState,
    service: calls.Calls,
    log: journal.Uploads,
    progress: Progress,
) -> int:
    """Adopt the HITs that earlier requests made.

    Parameters
    ----------
    batch : Batch
        The batch; its lock is held.
    state : UploadState
        What its journal says.
    service : Calls
        Where to look.
    log : Uploads
        The journal, open.
    progress : Progress
        Told of the looking, and of a wait.

    Returns
    -------
    int
        How many HITs were adopted.
    """
    waiting = dict(state.open)
    if not waiting:
        return 0
    adopted = _adopt(batch, waiting, service, log, progress)
    doubtful = [one for one in waiting.values() if not _token_holds(one, service)]
    pause = max((_until_listed(one, service) for one in doubtful), default=timedelta(0))
    if pause > timedelta(0):
        progress("waiting until new HITs are listed", 0, None)
        # Nothing can tell us sooner: the wait is for the service's own listing to catch up.
        threading.Event().wait(pause.total_seconds())
        adopted += _adopt(batch, waiting, service, log, progress)
    return adopted


def _adopt(
    batch: Batch,
    waiting: dict[int, journal.Intent],
    service: calls.Calls,
    log: journal.Uploads,
    progress: Progress,
) -> int:
    """Look through the listing; take what is found out of ``waiting``."""
    assert batch.info is not None, "only a batch of ours has a journal"
    found = find_hits(service, batch.info.nonce, waiting.keys(), progress)
    for row, hit_id in sorted(found.items()):
        log.adopted(row, hit_id)
        del waiting[row]
    return len(found)


def find_hits(
    service: calls.Calls, nonce: str, rows: Collection[int], progress: Progress
) -> dict[int, str]:
    """Find the HITs of rows among all of the requester's, by their annotation.

    Returns
    -------
    dict of int to str
        HIT id by row, for the rows that have one.

    Raises
    ------
    BatchError
        If two HITs carry the mark of one row: nothing may be guessed then.
    """
    wanted = set(rows)
    found: dict[int, str] = {}
    seen = 0
    for page in service.pages("list_hits", "HITs"):
        seen += len(page)
        progress("looking for HITs already made", seen, None)
        for hit in page:
            row = layout.row_of(hit.get("RequesterAnnotation", ""), nonce)
            if row not in wanted:
                continue
            if found.get(row, hit["HITId"]) != hit["HITId"]:
                raise errors.BatchError(
                    f"row {row + 1} has two HITs, {found[row]} and {hit['HITId']};"
                    " delete one of them by hand"
                )
            found[row] = hit["HITId"]
        if len(found) == len(wanted):
            break
    return found


def _token_holds(intent: journal.Intent, service: calls.Calls) -> bool:
    """Whether the service surely still knows the token of a row's first request."""
    age = datetime.now(UTC) - intent.first
    if intent.service_first is not None and service.service_time is not None:
        age = max(age, service.service_time - intent.service_first)
    return timedelta(0) <= age < TOKEN_TRUSTED


def _until_listed(intent: journal.Intent, service: calls.Calls) -> timedelta:
    """Compute how long the last request's HIT may still be missing from the listing.

    The service's clock decides where it is known, for it is the service that lists late.
    """
    age = datetime.now(UTC) - intent.last
    if intent.service_last is not None and service.service_time is not None:
        age = service.service_time - intent.service_last
    # A clock that was set back tells nothing: then the whole lag is waited out.
    return LISTING_LAG - max(timedelta(0), age)
