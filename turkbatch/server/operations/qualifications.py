"""Who holds a qualification, and who asks for it."""

from __future__ import annotations

from typing import Any

import sqlalchemy

from turkbatch.server import paging, protocol, qualifying, refusals, schema, workforce
from turkbatch.server.operations import qualification_types
from turkbatch.server.operations.call import Call


def list_qualification_requests(call: Call) -> dict[str, object]:
    """List the requests that wait for their owner, oldest first.

    Parameters
    ----------
    call : Call
        ListQualificationRequests.

    Returns
    -------
    dict
        NumResults, QualificationRequests, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; PermissionDenied for a system type;
        ParameterValidationError for a token of another listing.

    Notes
    -----
    Those of all the requester's types, unless one is named. Requests whose test is still
    being taken, or was graded, are not among them.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListQualificationRequestsOperation.html
    """
    requests, types = schema.qualification_requests, schema.qualification_types
    query = (
        sqlalchemy.select(requests)
        .join(types, types.c.qualification_type_id == requests.c.qualification_type_id)
        .where(requests.c.state == "Submitted", types.c.requester == call.requester)
    )
    if "QualificationTypeId" in call.parameters:
        known = qualification_types.find_own(call, call.parameters["QualificationTypeId"])
        query = query.where(requests.c.qualification_type_id == known.qualification_type_id)
    return _page(call, query, requests, "QualificationRequests", _request)


def accept_qualification_request(call: Call) -> dict[str, object]:
    """Grant what a worker asked for.

    Parameters
    ----------
    call : Call
        AcceptQualificationRequest.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        QualificationRequestDoesNotExist; InvalidQualificationRequestState (unconfirmed) for
        one that is decided, or whose test is not handed in.

    Notes
    -----
    Without IntegerValue the qualification has no value, and meets Exists alone.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_AcceptQualificationRequestOperation.html
    """
    found = _decide(call, "Granted")
    value = call.parameters.get("IntegerValue")
    qualifying.grant(call.connection, call.now, found.qualification_type_id, found.worker_id, value)
    return {}


def reject_qualification_request(call: Call) -> dict[str, object]:
    """Refuse what a worker asked for; what the worker holds already stays.

    Parameters
    ----------
    call : Call
        RejectQualificationRequest.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        As of :func:`accept_qualification_request`.

    Notes
    -----
    The worker is told the reason.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_RejectQualificationRequestOperation.html
    """
    found = _decide(call, "Rejected")
    name = qualification_types.find(call, found.qualification_type_id).name
    _tell(
        call,
        found.worker_id,
        f"Your request for the qualification {name} was rejected",
        call.parameters.get("Reason", ""),
    )
    return {}


def associate_qualification_with_worker(call: Call) -> dict[str, object]:
    """Give a worker a qualification, or change its value.

    Parameters
    ----------
    call : Call
        AssociateQualificationWithWorker.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; PermissionDenied for a system type;
        InvalidQualificationTypeState (unconfirmed) for one that is being deleted;
        ParameterValidationError for an unknown worker.

    Notes
    -----
    The value is 1 unless given. The worker is told, unless SendNotification is false.
    Requests stay as they are.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_AssociateQualificationWithWorkerOperation.html
    """
    known = qualification_types.find_own(call, call.parameters["QualificationTypeId"])
    if known.deleted_at is not None:
        raise refusals.invalid_qualification_type_state()
    worker_id = call.parameters["WorkerId"]
    workforce.check_exists(call.connection, worker_id, known_only=call.known_workers_only)
    value = call.parameters.get("IntegerValue", 1)
    qualifying.grant(call.connection, call.now, known.qualification_type_id, worker_id, value)
    if call.parameters.get("SendNotification", True):
        _tell(
            call,
            worker_id,
            f"You have the qualification {known.name}",
            f"You were given the qualification {known.name} with the value {value}.",
        )
    return {}


def disassociate_qualification_from_worker(call: Call) -> dict[str, object]:
    """Revoke a worker's qualification.

    Parameters
    ----------
    call : Call
        DisassociateQualificationFromWorker.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; PermissionDenied for a system type;
        QualificationDoesNotExist (unconfirmed) if the worker never held it;
        InvalidQualificationState if it is revoked.

    Notes
    -----
    The worker is told the reason, if there is one.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DisassociateQualificationFromWorkerOperation.html
    """
    known = qualification_types.find_own(call, call.parameters["QualificationTypeId"])
    held = _held(call, known.qualification_type_id)
    table = schema.qualifications
    call.connection.execute(
        table.update().where(table.c.sequence == held.sequence).values(status="Revoked")
    )
    if call.parameters.get("Reason"):
        subject = f"You no longer have the qualification {known.name}"
        _tell(call, held.worker_id, subject, call.parameters["Reason"])
    return {}


def get_qualification_score(call: Call) -> dict[str, object]:
    """Show a worker's qualification.

    Parameters
    ----------
    call : Call
        GetQualificationScore.

    Returns
    -------
    dict
        Qualification.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; QualificationDoesNotExist if the worker never held it,
        and for system types, as the sandbox answers; InvalidQualificationState if it is
        revoked.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_GetQualificationScoreOperation.html
    """
    known = qualification_types.find(call, call.parameters["QualificationTypeId"])
    if known.is_system:
        raise refusals.qualification_does_not_exist()
    qualification_types.find_own(call, known.qualification_type_id)
    return {"Qualification": _qualification(_held(call, known.qualification_type_id))}


def list_workers_with_qualification_type(call: Call) -> dict[str, object]:
    """List who holds a qualification, or held it.

    Parameters
    ----------
    call : Call
        ListWorkersWithQualificationType.

    Returns
    -------
    dict
        NumResults, Qualifications, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; PermissionDenied for a system type;
        ParameterValidationError for a token of another listing.

    Notes
    -----
    Without Status those who hold it (the default of the API before). In the order in which
    workers first held it (unconfirmed).
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListWorkersWithQualificationTypeOperation.html
    """
    known = qualification_types.find_own(call, call.parameters["QualificationTypeId"])
    table = schema.qualifications
    query = table.select().where(
        table.c.qualification_type_id == known.qualification_type_id,
        table.c.status == call.parameters.get("Status", "Granted"),
    )
    return _page(call, query, table, "Qualifications", _qualification)


def _page(
    call: Call,
    query: sqlalchemy.Select[Any],
    table: sqlalchemy.Table,
    name: str,
    shown: Any,  # noqa: ANN401, a function of this module
) -> dict[str, object]:
    rows, token = paging.by_sequence(call.connection, call.operation, call.parameters, query, table)
    return {"NumResults": len(rows), "NextToken": token, name: [shown(row) for row in rows]}


def _decide(call: Call, state: str) -> sqlalchemy.Row[Any]:
    request_id = call.parameters["QualificationRequestId"]
    found = qualifying.find_request(call.connection, request_id)
    if found is None:
        raise refusals.qualification_request_does_not_exist(request_id)
    owner = qualifying.find_type(call.connection, call.now, found.qualification_type_id)
    if owner is None or owner.requester != call.requester:
        raise refusals.qualification_request_does_not_exist(request_id)
    if found.state != "Submitted":
        raise refusals.invalid_qualification_request_state()
    table = schema.qualification_requests
    call.connection.execute(
        table.update().where(table.c.request_id == request_id).values(state=state)
    )
    return found


def _held(call: Call, type_id: str) -> sqlalchemy.Row[Any]:
    worker_id = call.parameters["WorkerId"]
    workforce.check_exists(call.connection, worker_id, known_only=call.known_workers_only)
    table = schema.qualifications
    query = table.select().where(
        table.c.qualification_type_id == type_id, table.c.worker_id == worker_id
    )
    found = call.connection.execute(query).one_or_none()
    if found is None:
        raise refusals.qualification_does_not_exist()
    if found.status != "Granted":
        raise refusals.invalid_qualification_state()
    return found


def _tell(call: Call, worker_id: str, subject: str, text: str) -> None:
    workforce.tell(
        call.connection,
        worker_id,
        requester=call.requester,
        at=call.now,
        subject=subject,
        text=text,
    )


def _request(row: sqlalchemy.Row[Any]) -> dict[str, object]:
    return {
        "QualificationRequestId": row.request_id,
        "QualificationTypeId": row.qualification_type_id,
        "WorkerId": row.worker_id,
        "Test": row.test,
        "Answer": row.answer,
        "SubmitTime": protocol.time(row.submitted_at),
    }


def _qualification(row: sqlalchemy.Row[Any]) -> dict[str, object]:
    return {
        "QualificationTypeId": row.qualification_type_id,
        "WorkerId": row.worker_id,
        "GrantTime": protocol.time(row.granted_at),
        "IntegerValue": row.value,
        "Status": row.status,
    }
