"""Assignments: listing, showing, approving and rejecting what workers submitted."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import and_, or_

from turkbatch.server import bounds, lifecycle, paging, protocol, refusals, schema, sweep, uploads
from turkbatch.server.operations import hits
from turkbatch.server.operations.call import Call


def list_assignments_for_hit(call: Call) -> dict[str, object]:
    """List what was submitted for a HIT, oldest submission first.

    Parameters
    ----------
    call : Call
        ListAssignmentsForHIT.

    Returns
    -------
    dict
        NumResults, Assignments, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        HITDoesNotExist, also once the HIT is deleted (unconfirmed: GetAssignment is
        documented to know assignments of undeleted HITs alone); ParameterValidationError
        for a token of another listing.

    Notes
    -----
    Works while the HIT is still open. Accepted, returned and abandoned assignments are
    never shown.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListAssignmentsForHITOperation.html
    """
    hit = hits.find(call, call.parameters["HITId"])
    if hit.deleted_at is not None:
        raise refusals.hit_does_not_exist(hit.hit_id)
    page = paging.asked(call.operation, call.parameters)
    table = schema.assignments
    states = call.parameters.get("AssignmentStatuses") or lifecycle.VISIBLE_STATES
    query = table.select().where(table.c.hit_id == hit.hit_id, table.c.state.in_(states))
    if page.after is not None:
        query = query.where(_submitted_after(*page.after))
    rows = call.connection.execute(
        query.order_by(table.c.submitted_at, table.c.sequence).limit(page.size)
    ).all()
    found = [lifecycle.Assignment(*row) for row in rows]
    token = page.token(found[-1].submitted_at or 0, found[-1].sequence) if found else None
    return {
        "NumResults": len(found),
        "NextToken": token,
        "Assignments": [_assignment(one) for one in found],
    }


def get_assignment(call: Call) -> dict[str, object]:
    """Show an assignment that was submitted, and its HIT.

    Parameters
    ----------
    call : Call
        GetAssignment.

    Returns
    -------
    dict
        Assignment and HIT.

    Raises
    ------
    Refusal
        AssignmentDoesNotExist, also once the HIT is deleted; InvalidAssignmentState before
        it is submitted.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_GetAssignmentOperation.html
    """
    assignment, hit = _find(call)
    if assignment.state not in lifecycle.VISIBLE_STATES:
        raise refusals.invalid_assignment_state("Reviewable", "Approved", "Rejected")
    return {"Assignment": _assignment(assignment), "HIT": hits.show(call, hit.hit_id)}


def approve_assignment(call: Call) -> dict[str, object]:
    """Approve submitted work and pay for it.

    Parameters
    ----------
    call : Call
        ApproveAssignment.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        AssignmentDoesNotExist; InvalidAssignmentState unless it is Submitted, or, with
        OverrideRejection, was rejected and submitted within 30 days; InsufficientFunds for
        an override that can't be paid; ParameterValidationError for control characters in
        the feedback.

    Notes
    -----
    A second approval is an error, although the model marks the operation as idempotent.
    The flag does no harm on a submitted assignment.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ApproveAssignmentOperation.html
    """
    bounds.check(call.parameters)
    assignment, hit = _find(call)
    overrides = (
        bool(call.parameters.get("OverrideRejection"))
        and assignment.state == "Rejected"
        and call.now <= (assignment.submitted_at or 0) + lifecycle.OVERRIDE_SECONDS
    )
    if assignment.state != "Submitted" and not overrides:
        raise refusals.invalid_assignment_state("Submitted")
    feedback = call.parameters.get("RequesterFeedback")
    sweep.save(call.connection, [lifecycle.approve(hit, assignment, call.now, feedback)])
    return {}


def reject_assignment(call: Call) -> dict[str, object]:
    """Reject submitted work; what was held for it comes free.

    Parameters
    ----------
    call : Call
        RejectAssignment.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        AssignmentDoesNotExist; InvalidAssignmentState unless it is Submitted;
        ParameterValidationError for control characters in the feedback.

    Notes
    -----
    The feedback must be there, and may be empty, as psiTurk sends it.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_RejectAssignmentOperation.html
    """
    bounds.check(call.parameters)
    assignment, hit = _find(call)
    if assignment.state != "Submitted":
        raise refusals.invalid_assignment_state("Submitted")
    feedback = call.parameters["RequesterFeedback"]
    sweep.save(call.connection, [lifecycle.reject(hit, assignment, call.now, feedback)])
    return {}


def get_file_upload_url(call: Call) -> dict[str, object]:
    """Give a link to a file that a worker handed in.

    Parameters
    ----------
    call : Call
        GetFileUploadURL.

    Returns
    -------
    dict
        FileUploadURL, good for 60 seconds.

    Raises
    ------
    Refusal
        AssignmentDoesNotExist, also once the HIT is deleted; InvalidAssignmentState before
        it is submitted; ParameterValidationError (unconfirmed) if no file answers the
        question.

    Notes
    -----
    The link leads to this server over HTTP; in process alone nobody answers it.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_GetFileUploadURLOperation.html
    """
    assignment, _ = _find(call)
    if assignment.state not in lifecycle.VISIBLE_STATES:
        raise refusals.invalid_assignment_state("Reviewable", "Approved", "Rejected")
    wanted = call.parameters["QuestionIdentifier"]
    for file in uploads.of_assignment(call.connection, assignment.assignment_id):
        if file.question_identifier == wanted:
            token = uploads.new_link(call.connection, call.now, file.key)
            return {"FileUploadURL": f"{call.public_url}/mturk/files/{token}"}
    raise refusals.invalid_value("QuestionIdentifier", wanted)


def _find(call: Call) -> tuple[lifecycle.Assignment, lifecycle.Hit]:
    assignment_id = call.parameters["AssignmentId"]
    assignment = sweep.find_assignment(call.connection, assignment_id)
    hit = sweep.find_hit(call.connection, assignment.hit_id) if assignment else None
    if (
        assignment is None
        or hit is None
        or hit.requester != call.requester
        or hit.deleted_at is not None
    ):
        raise refusals.assignment_does_not_exist(assignment_id)
    return assignment, hit


def _submitted_after(submitted_at: int, sequence: int) -> sqlalchemy.ColumnElement[bool]:
    table = schema.assignments
    return or_(
        table.c.submitted_at > submitted_at,
        and_(table.c.submitted_at == submitted_at, table.c.sequence > sequence),
    )


def _assignment(assignment: lifecycle.Assignment) -> dict[str, object]:
    return {
        "AssignmentId": assignment.assignment_id,
        "WorkerId": assignment.worker_id,
        "HITId": assignment.hit_id,
        "AssignmentStatus": assignment.state,
        "AutoApprovalTime": protocol.time(assignment.auto_approval_at),
        "AcceptTime": protocol.time(assignment.accepted_at),
        "SubmitTime": protocol.time(assignment.submitted_at),
        "ApprovalTime": protocol.time(assignment.approved_at),
        "RejectionTime": protocol.time(assignment.rejected_at),
        # Whether the service still sends it after submission is not known; it is in the model.
        "Deadline": protocol.time(assignment.deadline),
        "Answer": assignment.answer,
        "RequesterFeedback": assignment.feedback,
    }
