"""HITs: creating, listing, expiring, extending, marking and deleting them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy
from sqlalchemy import bindparam, select

from turkbatch.server import (
    bounds,
    ids,
    layouts,
    lifecycle,
    paging,
    protocol,
    questions,
    refusals,
    reviewing,
    schema,
    sweep,
)
from turkbatch.server.operations import hit_types, tokens
from turkbatch.server.operations.call import Call

_ALIVE: Final = ("Assignable", "Unassignable", "Reviewable", "Reviewing")

_LISTED = (
    select(
        schema.hits,
        schema.hit_types.c.hit_group_id,
        schema.hit_types.c.title,
        schema.hit_types.c.description,
        schema.hit_types.c.keywords,
        schema.hit_types.c.assignment_duration_seconds,
        schema.hit_types.c.auto_approval_delay_seconds,
        schema.hit_types.c.requirements,
        schema.questions.c.question,
        schema.questions.c.layout_id,
    )
    .join(schema.hit_types, schema.hit_types.c.hit_type_id == schema.hits.c.hit_type_id)
    .join(schema.questions, schema.questions.c.hit_id == schema.hits.c.hit_id)
)
_LISTED_ONE = _LISTED.where(schema.hits.c.hit_id == bindparam("id"))


def create_hit(call: Call) -> dict[str, object]:
    """Create a HIT with properties of its own.

    Parameters
    ----------
    call : Call
        CreateHIT.

    Returns
    -------
    dict
        HIT.

    Raises
    ------
    Refusal
        HitAlreadyExists for a token used within 24 hours; InsufficientFunds unless reward
        and fee of every assignment are available; ParameterValidationError for values out
        of bounds, question XML that is wrong, neither Question nor HITLayoutId, and layout
        parameters that are missing or not in the layout; InvalidParameterCombinationError
        for both; HITLayoutDoesNotExist; errors of CreateHITType.

    Notes
    -----
    A HIT type with equal properties is re-used, as the developer guide says.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITOperation.html
    """
    hit_id = _new_id(call)
    return _create(call, hit_id, hit_types.register(call))


def create_hit_with_hit_type(call: Call) -> dict[str, object]:
    """Create a HIT of a registered type.

    Parameters
    ----------
    call : Call
        CreateHITWithHITType.

    Returns
    -------
    dict
        HIT.

    Raises
    ------
    Refusal
        As :func:`create_hit`, and HITTypeDoesNotExist.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITWithHITTypeOperation.html
    """
    hit_id = _new_id(call)
    return _create(call, hit_id, hit_types.find(call, call.parameters["HITTypeId"]))


def get_hit(call: Call) -> dict[str, object]:
    """Show a HIT.

    Parameters
    ----------
    call : Call
        GetHIT.

    Returns
    -------
    dict
        HIT.

    Raises
    ------
    Refusal
        HITDoesNotExist.

    Notes
    -----
    A deleted HIT is shown as Disposed: clients (Mephisto, Dallinger) rely on it, though the
    developer guide says that it can't be retrieved.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_GetHITOperation.html
    """
    hit_id = call.parameters["HITId"]
    row = call.connection.execute(_LISTED_ONE, {"id": hit_id}).one_or_none()
    if row is None or row.requester != call.requester:
        raise refusals.hit_does_not_exist(hit_id)
    return {"HIT": _hit(row)}


def list_hits(call: Call) -> dict[str, object]:
    """List the requester's HITs of any status but Disposed, newest first.

    Parameters
    ----------
    call : Call
        ListHITs.

    Returns
    -------
    dict
        NumResults, HITs, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        ParameterValidationError for a token of another listing.

    Notes
    -----
    The order was seen in recorded replies. HITs appear late if the fault plan says so.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListHITsOperation.html
    """
    return listing(call, schema.hits.c.deleted_at.is_(None))


def list_reviewable_hits(call: Call) -> dict[str, object]:
    """List the requester's HITs that are Reviewable or Reviewing, newest first.

    Parameters
    ----------
    call : Call
        ListReviewableHITs.

    Returns
    -------
    dict
        As of :func:`list_hits`.

    Raises
    ------
    Refusal
        ParameterValidationError for a token of another listing; HITTypeDoesNotExist.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListReviewableHITsOperation.html
    """
    conditions = [schema.hits.c.status == call.parameters.get("Status", "Reviewable")]
    if "HITTypeId" in call.parameters:
        hit_types.find(call, call.parameters["HITTypeId"])
        conditions.append(schema.hits.c.hit_type_id == call.parameters["HITTypeId"])
    return listing(call, *conditions)


def update_expiration_for_hit(call: Call) -> dict[str, object]:
    """Let a HIT expire at another moment; one that has passed expires it now.

    Parameters
    ----------
    call : Call
        UpdateExpirationForHIT.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        HITDoesNotExist; InvalidHITState for a deleted HIT; ParameterValidationError for a
        time more than a year ahead; InsufficientFunds if unused assignments come to life
        again and can't be paid.

    Notes
    -----
    The API page allows no shortening other than to now, the developer guide does; here any
    time is taken. A moment in the past is stored as now, since no HIT has expired before it
    was told so.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateExpirationForHITOperation.html
    """
    hit = _alive(call)
    wanted = call.parameters["ExpireAt"]
    if wanted > call.now + bounds.YEAR_SECONDS:
        raise refusals.invalid_value("ExpireAt", wanted)
    if wanted <= call.now and hit.expires_at <= call.now:
        return {}  # it is expired; its expiration stays what it was
    expires_at = max(wanted, call.now)
    sweep.save(call.connection, [lifecycle.change(hit, call.now, "expire", expires_at=expires_at)])
    return {}


def create_additional_assignments_for_hit(call: Call) -> dict[str, object]:
    """Ask for more assignments of a HIT.

    Parameters
    ----------
    call : Call
        CreateAdditionalAssignmentsForHIT.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        HITDoesNotExist; InvalidHITState for a deleted HIT; DuplicateCall for a token used
        within 24 hours, naming the first request; InvalidMaximumAssignmentsIncrease from
        fewer than ten to ten or more; InsufficientFunds.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateAdditionalAssignmentsForHITOperation.html
    """
    bounds.check(call.parameters)
    first = tokens.use(call, call.parameters["HITId"])
    if first is not None:
        raise refusals.duplicate_call(first.request_id)
    hit = _alive(call)
    total = hit.max_assignments + call.parameters["NumberOfAdditionalAssignments"]
    if hit.max_assignments < lifecycle.MANY_ASSIGNMENTS <= total:
        raise refusals.invalid_maximum_assignments_increase()
    bounds.check({"MaxAssignments": total})
    sweep.save(call.connection, [lifecycle.change(hit, call.now, "extend", max_assignments=total)])
    return {}


def update_hit_type_of_hit(call: Call) -> dict[str, object]:
    """Give a HIT all properties of another HIT type.

    Parameters
    ----------
    call : Call
        UpdateHITTypeOfHIT.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        HITDoesNotExist; HITTypeDoesNotExist; InvalidHITState for a deleted HIT, and once
        assignments have been accepted or submitted (text unconfirmed); InsufficientFunds if
        the new reward can't be paid.

    Notes
    -----
    Assignments that were returned or abandoned don't count. Its fee is worked out anew.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateHITTypeOfHITOperation.html
    """
    hit = _alive(call)
    hit_type = hit_types.find(call, call.parameters["HITTypeId"])
    if hit.pending or hit.submitted or hit.completed:
        raise refusals.assignments_taken(hit.status)
    fee = _fee_cents(call, hit_type, hit.max_assignments)
    step = lifecycle.retype(
        hit, call.now, hit_type.hit_type_id, reward_cents=hit_type.reward_cents, fee_cents=fee
    )
    sweep.save(call.connection, [step])
    return {}


def update_hit_review_status(call: Call) -> dict[str, object]:
    """Mark a Reviewable HIT as Reviewing, or take the mark back.

    Parameters
    ----------
    call : Call
        UpdateHITReviewStatus.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        HITDoesNotExist; InvalidHITState unless it is Reviewable (with Revert: Reviewing).

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateHITReviewStatusOperation.html
    """
    hit = find(call, call.parameters["HITId"])
    revert = call.parameters.get("Revert", False)
    needed = "Reviewing" if revert else "Reviewable"
    if hit.status != needed:
        raise refusals.invalid_hit_state(hit.status, needed)
    step = lifecycle.change(hit, call.now, "mark", reviewing=int(not revert))
    sweep.save(call.connection, [step])
    return {}


def delete_hit(call: Call) -> dict[str, object]:
    """Delete a HIT whose work has all been reviewed.

    Parameters
    ----------
    call : Call
        DeleteHIT.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        HITDoesNotExist; InvalidHITState unless it is Reviewable or Reviewing and every
        submitted assignment is approved or rejected. The text names the state even where
        the assignments are the trouble, as the service's does.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DeleteHITOperation.html
    """
    hit = find(call, call.parameters["HITId"])
    if hit.status not in ("Reviewable", "Reviewing") or hit.submitted:
        raise refusals.invalid_hit_state(hit.status, "Reviewing", "Reviewable")
    sweep.save(call.connection, [lifecycle.dispose(hit, call.now)])
    return {}


def find(call: Call, hit_id: str) -> lifecycle.Hit:
    """Look up a HIT of the requester's, deleted or not.

    Parameters
    ----------
    call : Call
        Any operation.
    hit_id : str
        Its id.

    Returns
    -------
    lifecycle.Hit
        As stored.

    Raises
    ------
    Refusal
        HITDoesNotExist, also for another requester's.
    """
    hit = sweep.find_hit(call.connection, hit_id)
    if hit is None or hit.requester != call.requester:
        raise refusals.hit_does_not_exist(hit_id)
    return hit


def show(call: Call, hit_id: str) -> dict[str, object]:
    """Write a HIT as replies have it.

    Parameters
    ----------
    call : Call
        Any operation.
    hit_id : str
        Of a HIT that exists.

    Returns
    -------
    dict
        The structure HIT of the API.
    """
    return _hit(call.connection.execute(_LISTED_ONE, {"id": hit_id}).one())


def _new_id(call: Call) -> str:
    hit_id = ids.new_entity_id()
    first = tokens.use(call, hit_id)
    if first is not None:
        raise refusals.hit_already_exists(first.hit_id)
    return hit_id


def _create(call: Call, hit_id: str, hit_type: sqlalchemy.Row[Any]) -> dict[str, object]:
    parameters = call.parameters
    bounds.check(parameters)
    question = _question(call)
    count = parameters.get("MaxAssignments", 1)
    hit = lifecycle.Hit(
        sequence=0,
        hit_id=hit_id,
        requester=call.requester,
        hit_type_id=hit_type.hit_type_id,
        annotation=parameters.get("RequesterAnnotation"),
        created_at=call.now,
        expires_at=call.now + parameters["LifetimeInSeconds"],
        max_assignments=0,
        reward_cents=hit_type.reward_cents,
        fee_cents=_fee_cents(call, hit_type, count),
    )
    # It begins without assignments and is then given them: the same move of money as when
    # it is extended later.
    made = lifecycle.change(hit, call.now, "create", max_assignments=count)
    layout_id = parameters.get("HITLayoutId")
    policies = reviewing.check(parameters)
    sweep.add(call.connection, made, question, layout_id=layout_id, policies=policies)
    return {"HIT": _shown(made.hit, hit_type, question, layout_id)}


def _fee_cents(call: Call, hit_type: sqlalchemy.Row[Any], count: int) -> int:
    if call.fees != "mturk":
        return 0
    masters = hit_types.needs_masters(hit_type)
    return lifecycle.fee_cents(hit_type.reward_cents, count, masters=masters)


def _question(call: Call) -> str:
    parameters = call.parameters
    layout = [name for name in ("HITLayoutId", "HITLayoutParameters") if name in parameters]
    if "Question" in parameters and layout:
        raise refusals.invalid_combination("Question", *layout)
    if "HITLayoutId" in parameters:
        question = layouts.question(call.connection, call.requester, parameters)
    elif "Question" in parameters:
        question = parameters["Question"]
    else:
        raise refusals.missing_parameters("Question or HITLayoutId")
    questions.parse(question)
    return question


def _alive(call: Call) -> lifecycle.Hit:
    hit = find(call, call.parameters["HITId"])
    if hit.deleted_at is not None:
        raise refusals.invalid_hit_state(hit.status, *_ALIVE)
    return hit


def listing(call: Call, *conditions: sqlalchemy.ColumnElement[bool]) -> dict[str, object]:
    """List those of the requester's HITs that meet conditions, newest first.

    Parameters
    ----------
    call : Call
        A listing.
    *conditions : sqlalchemy.ColumnElement
        On the tables of HITs and HIT types.

    Returns
    -------
    dict
        NumResults, HITs, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        ParameterValidationError for a token of another listing.
    """
    page = paging.asked(call.operation, call.parameters)
    hits = schema.hits
    query = _LISTED.where(hits.c.requester == call.requester, *conditions)
    if call.listing_lag_seconds:
        query = query.where(hits.c.created_at <= call.now - call.listing_lag_seconds)
    if page.after is not None:
        query = query.where(hits.c.sequence < page.after[0])
    query = query.order_by(hits.c.sequence.desc()).limit(page.size)
    rows = call.connection.execute(query).all()
    return {
        "NumResults": len(rows),
        "NextToken": page.token(rows[-1].sequence) if rows else None,
        "HITs": _hits(rows),
    }


def _hits(rows: Sequence[sqlalchemy.Row[Any]]) -> list[dict[str, object]]:
    return [_hit(row) for row in rows]


def _hit(row: sqlalchemy.Row[Any]) -> dict[str, object]:
    return _shown(row, row, row.question, row.layout_id)


def _shown(
    hit: lifecycle.Hit | sqlalchemy.Row[Any],
    hit_type: sqlalchemy.Row[Any],
    question: str,
    layout_id: str | None,
) -> dict[str, object]:
    completed = hit.approved + hit.rejected
    return {
        "HITId": hit.hit_id,
        "HITTypeId": hit.hit_type_id,
        "HITGroupId": hit_type.hit_group_id,
        "CreationTime": protocol.time(hit.created_at),
        "Title": hit_type.title,
        "Description": hit_type.description,
        "Question": question,
        "HITLayoutId": layout_id,
        "Keywords": hit_type.keywords,
        "HITStatus": hit.status,
        "MaxAssignments": hit.max_assignments,
        "Reward": dollars(hit.reward_cents),
        "AutoApprovalDelayInSeconds": hit_type.auto_approval_delay_seconds,
        "Expiration": protocol.time(hit.expires_at),
        "AssignmentDurationInSeconds": hit_type.assignment_duration_seconds,
        "RequesterAnnotation": hit.annotation,
        "QualificationRequirements": json.loads(hit_type.requirements),
        # The API has other values, and no operation that sets them.
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": hit.pending,
        "NumberOfAssignmentsAvailable": (
            hit.max_assignments - hit.pending - hit.submitted - completed
        ),
        "NumberOfAssignmentsCompleted": completed,
    }


def dollars(cents: int) -> str:
    """Write an amount as replies have it.

    Parameters
    ----------
    cents : int
        Not negative.

    Returns
    -------
    str
        US dollars with two decimals.
    """
    return f"{cents // 100}.{cents % 100:02}"
