"""Workers: blocking them, and writing to them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy
from sqlalchemy import select

from turkbatch.server import bounds, paging, refusals, schema, workforce
from turkbatch.server.operations.call import Call

_MOST_RECIPIENTS: Final = 100


def create_worker_block(call: Call) -> dict[str, object]:
    """Keep a worker from the requester's HITs and qualifications.

    Parameters
    ----------
    call : Call
        CreateWorkerBlock.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        ParameterValidationError for an unknown worker.

    Notes
    -----
    Blocking again replaces the reason (unconfirmed). The worker is told of the block, not of
    the reason; what was accepted before may still be finished (unconfirmed). The limit of
    100,000 blocks is not kept.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateWorkerBlockOperation.html
    """
    worker_id, reason = call.parameters["WorkerId"], call.parameters["Reason"]
    workforce.check_exists(call.connection, worker_id, known_only=call.known_workers_only)
    table = schema.worker_blocks
    values = {"reason": reason, "blocked_at": call.now}
    update = table.update().where(*_key(call, worker_id)).values(values)
    if call.connection.execute(update).rowcount:
        return {}
    key = {"requester": call.requester, "worker_id": worker_id}
    call.connection.execute(table.insert(), key | values)
    _tell(
        call, worker_id, "A requester has blocked you", "You cannot accept this requester's HITs."
    )
    return {}


def delete_worker_block(call: Call) -> dict[str, object]:
    """Let a blocked worker work for the requester again.

    Parameters
    ----------
    call : Call
        DeleteWorkerBlock.

    Returns
    -------
    dict
        Empty, also if the worker was not blocked.

    Raises
    ------
    Refusal
        InvalidParameterValue for an unknown worker, with the text of the API's model.

    Notes
    -----
    The reason is not shown to the worker, nor kept.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DeleteWorkerBlockOperation.html
    """
    worker_id = call.parameters["WorkerId"]
    known = not call.known_workers_only or workforce.exists_here(call.connection, worker_id)
    if not known:
        raise refusals.invalid_worker_id()
    call.connection.execute(schema.worker_blocks.delete().where(*_key(call, worker_id)))
    return {}


def list_worker_blocks(call: Call) -> dict[str, object]:
    """List the workers whom the requester has blocked, in the order of blocking.

    Parameters
    ----------
    call : Call
        ListWorkerBlocks.

    Returns
    -------
    dict
        NumResults, WorkerBlocks, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        ParameterValidationError for a token of another listing.

    Notes
    -----
    The order is unconfirmed.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListWorkerBlocksOperation.html
    """
    table = schema.worker_blocks
    query = table.select().where(table.c.requester == call.requester)
    rows, token = paging.by_sequence(call.connection, call.operation, call.parameters, query, table)
    blocks = [{"WorkerId": row.worker_id, "Reason": row.reason} for row in rows]
    return {"NumResults": len(rows), "NextToken": token, "WorkerBlocks": blocks}


def notify_workers(call: Call) -> dict[str, object]:
    """Write to workers whose work the requester has approved or rejected before.

    Parameters
    ----------
    call : Call
        NotifyWorkers.

    Returns
    -------
    dict
        NotifyWorkersFailureStatuses: a HardFailure for everybody else, in a reply that is a
        success.

    Raises
    ------
    Refusal
        ParameterValidationError for more than 100 workers (unconfirmed) or none, and for
        texts out of bounds.

    Notes
    -----
    Somebody named twice is written to once. The texts of failures are unconfirmed; there is
    no daily limit. Messages are for the worker's site; no mail is sent.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_NotifyWorkersOperation.html
    """
    subject, text = call.parameters["Subject"], call.parameters["MessageText"]
    bounds.length("Subject", subject, 1, 200)
    bounds.length("MessageText", text, 1, 4_096)
    wanted = list(dict.fromkeys(call.parameters["WorkerIds"]))
    if not 1 <= len(call.parameters["WorkerIds"]) <= _MOST_RECIPIENTS:
        count = len(call.parameters["WorkerIds"])
        raise refusals.invalid_value("WorkerIds", f"{count} workers")
    known = _reviewed(call, wanted)
    for worker_id in wanted:
        if worker_id in known:
            _tell(call, worker_id, subject, text)
    failures = [_failure(worker_id) for worker_id in wanted if worker_id not in known]
    return {"NotifyWorkersFailureStatuses": failures}


def _reviewed(call: Call, worker_ids: list[str]) -> set[str]:
    assignments, hits = schema.assignments, schema.hits
    query = (
        select(assignments.c.worker_id)
        .join(hits, hits.c.hit_id == assignments.c.hit_id)
        .where(
            hits.c.requester == call.requester,
            assignments.c.worker_id.in_(worker_ids),
            assignments.c.state.in_(["Approved", "Rejected"]),
        )
    )
    return set(call.connection.scalars(query.distinct()))


def _failure(worker_id: str) -> dict[str, Any]:
    return {
        "NotifyWorkersFailureCode": "HardFailure",
        "NotifyWorkersFailureMessage": (
            f"Worker {worker_id} cannot be notified: you have not approved or rejected work of "
            "this Worker."
        ),
        "WorkerId": worker_id,
    }


def _tell(call: Call, worker_id: str, subject: str, text: str) -> None:
    workforce.tell(
        call.connection,
        worker_id,
        requester=call.requester,
        at=call.now,
        subject=subject,
        text=text,
    )


def _key(call: Call, worker_id: str) -> tuple[sqlalchemy.ColumnElement[bool], ...]:
    table = schema.worker_blocks
    return (table.c.requester == call.requester, table.c.worker_id == worker_id)
