"""``block-workers``, ``unblock-workers`` and ``list-blocks``.

A block is MTurk's own and for good reasons alone: the worker is told, and accounts that
are blocked often are closed. To keep workers out of a batch there is ``--exclude``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from turkbatch.actions import worker_ids
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.worker_ids import WorkersDone
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient


@dataclasses.dataclass(frozen=True)
class Block:
    """A worker who is blocked.

    Parameters
    ----------
    worker_id : str
        The worker.
    reason : str
        Why, for the requester alone.
    """

    worker_id: str
    reason: str


def list_blocks(client: MTurkClient, *, progress: Progress = silent) -> tuple[Block, ...]:
    """List every worker who is blocked, all pages.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListWorkerBlocksOperation.html
    """
    return _blocks(calls.Calls(client), progress)


def _blocks(service: calls.Calls, progress: Progress) -> tuple[Block, ...]:
    found: list[Block] = []
    for page in service.pages("list_worker_blocks", "WorkerBlocks"):
        found += [Block(one["WorkerId"], one.get("Reason", "")) for one in page]
        progress("reading blocks", len(found), None)
    return tuple(found)


def block_workers(
    client: MTurkClient,
    ids: Iterable[str],
    *,
    reason: str,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> WorkersDone:
    """Keep workers from all of the requester's HITs.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    ids : iterable of str
        The workers.
    reason : str
        Why, for the requester alone.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the workers done.

    Returns
    -------
    WorkersDone
        Who is blocked already is left as is, with the reason that was given then.

    Raises
    ------
    PartialError
        With each worker who failed, and why.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateWorkerBlockOperation.html
    """
    service = calls.Calls(client, concurrency=concurrency)
    blocked = {one.worker_id for one in _blocks(service, progress)}

    def block(worker_id: str) -> bool:
        if worker_id in blocked:
            return False
        service.call("create_worker_block", WorkerId=worker_id, Reason=reason)
        return True

    return worker_ids.for_each(
        service, block, ids, step="blocking workers", verb="are blocked", progress=progress
    )


def unblock_workers(
    client: MTurkClient,
    ids: Iterable[str],
    *,
    reason: str | None = None,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> WorkersDone:
    """Let workers in again.

    Parameters
    ----------
    client, ids, concurrency, progress
        As for :func:`block_workers`.
    reason : str, optional
        Why, for the requester alone.

    Returns
    -------
    WorkersDone
        Who is not blocked counts as done before.

    Raises
    ------
    PartialError
        With each worker who failed, and why.

    Notes
    -----
    The service takes the unblocking of somebody who is not blocked for a success:
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DeleteWorkerBlockOperation.html
    """
    service = calls.Calls(client, concurrency=concurrency)
    blocked = {one.worker_id for one in _blocks(service, progress)}
    told = {"Reason": reason} if reason else {}

    def unblock(worker_id: str) -> bool:
        # Sent all the same: an id that no worker has shall be told.
        service.call("delete_worker_block", WorkerId=worker_id, **told)
        return worker_id in blocked

    return worker_ids.for_each(
        service, unblock, ids, step="unblocking workers", verb="are unblocked", progress=progress
    )
