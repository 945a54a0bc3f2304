"""Bonuses: paying workers beyond the reward."""

from __future__ import annotations

import sqlalchemy

from turkbatch.server import (
    bounds,
    ledger,
    lifecycle,
    paging,
    protocol,
    refusals,
    schema,
    sweep,
    workforce,
)
from turkbatch.server.operations import hits, tokens
from turkbatch.server.operations.call import Call


def send_bonus(call: Call) -> dict[str, object]:
    """Pay a worker a bonus for an assignment.

    Parameters
    ----------
    call : Call
        SendBonus.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        DuplicateCall for a token used within 24 hours, naming the first request;
        AssignmentDoesNotExist; ParameterValidationError for a worker who did not do the
        assignment (unconfirmed) and for less than a cent (unconfirmed);
        InvalidAssignmentState before the assignment is submitted (unconfirmed);
        InsufficientFunds unless bonus and fee are available.

    Notes
    -----
    The fee is a fifth of the bonus, a cent at least, whatever the number of assignments. A
    deleted HIT is no obstacle, nor is a worker who has done nothing for six months.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_SendBonusOperation.html
    """
    parameters = call.parameters
    assignment = _own_assignment(call, parameters["AssignmentId"])
    first = tokens.use(call, assignment.hit_id)
    if first is not None:
        raise refusals.duplicate_call(first.request_id)
    amount = bounds.cents("BonusAmount", parameters["BonusAmount"])
    if not amount:
        raise refusals.invalid_value("BonusAmount", parameters["BonusAmount"])
    bounds.length("Reason", parameters["Reason"], 1, _LONGEST_REASON)
    workforce.check_exists(
        call.connection, parameters["WorkerId"], known_only=call.known_workers_only
    )
    if assignment.worker_id != parameters["WorkerId"]:
        raise refusals.invalid_value("WorkerId", parameters["WorkerId"])
    if assignment.state not in lifecycle.VISIBLE_STATES:
        raise refusals.invalid_assignment_state(*lifecycle.VISIBLE_STATES)
    _pay(call, assignment, amount)
    return {}


def list_bonus_payments(call: Call) -> dict[str, object]:
    """List the bonuses that were paid for a HIT or an assignment, oldest first.

    Parameters
    ----------
    call : Call
        ListBonusPayments.

    Returns
    -------
    dict
        NumResults, BonusPayments, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        ParameterValidationError if neither HITId nor AssignmentId is given;
        HITDoesNotExist; AssignmentDoesNotExist.

    Notes
    -----
    With both, the payments must fit both (unconfirmed). The order is unconfirmed.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListBonusPaymentsOperation.html
    """
    parameters, table = call.parameters, schema.bonuses
    query = table.select().where(table.c.requester == call.requester)
    if "HITId" not in parameters and "AssignmentId" not in parameters:
        raise refusals.missing_parameters("HITId or AssignmentId")
    if "HITId" in parameters:
        query = query.where(table.c.hit_id == hits.find(call, parameters["HITId"]).hit_id)
    if "AssignmentId" in parameters:
        assignment = _own_assignment(call, parameters["AssignmentId"])
        query = query.where(table.c.assignment_id == assignment.assignment_id)
    rows, token = paging.by_sequence(call.connection, call.operation, parameters, query, table)
    return {
        "NumResults": len(rows),
        "NextToken": token,
        "BonusPayments": [
            {
                "WorkerId": row.worker_id,
                "BonusAmount": hits.dollars(row.amount_cents),
                "AssignmentId": row.assignment_id,
                "Reason": row.reason,
                "GrantTime": protocol.time(row.granted_at),
            }
            for row in rows
        ],
    }


# Nobody knows the service's own limit; the longest of its other texts for workers.
_LONGEST_REASON = 4_096


def _own_assignment(call: Call, assignment_id: str) -> lifecycle.Assignment:
    found = sweep.find_assignment(call.connection, assignment_id)
    hit = None if found is None else sweep.find_hit(call.connection, found.hit_id)
    if found is None or hit is None or hit.requester != call.requester:
        raise refusals.assignment_does_not_exist(assignment_id)
    return found


def _pay(call: Call, assignment: lifecycle.Assignment, amount: int) -> None:
    fee = lifecycle.bonus_fee_cents(amount) if call.fees == "mturk" else 0
    move = lifecycle.Move(
        at=call.now,
        kind="bonus",
        hit_id=assignment.hit_id,
        assignment_id=assignment.assignment_id,
        available_cents=-amount - fee,
        held_cents=0,
        paid_cents=amount,
        fees_cents=fee,
    )
    ledger.post(call.connection, call.requester, [move])
    reason = call.parameters["Reason"]
    values = {
        "requester": call.requester,
        "hit_id": assignment.hit_id,
        "assignment_id": assignment.assignment_id,
        "worker_id": assignment.worker_id,
        "amount_cents": amount,
        "fee_cents": fee,
        "reason": reason,
        "granted_at": call.now,
    }
    insert: sqlalchemy.Insert = schema.bonuses.insert()
    call.connection.execute(insert, values)
    workforce.tell(
        call.connection,
        assignment.worker_id,
        requester=call.requester,
        at=call.now,
        subject=f"You were paid a bonus of ${hits.dollars(amount)}",
        text=reason,
    )
