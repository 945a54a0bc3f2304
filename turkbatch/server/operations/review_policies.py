"""What review policies found and did."""

from __future__ import annotations

import json
from typing import Any, Final

import sqlalchemy

from turkbatch.server import paging, protocol, schema
from turkbatch.server.operations import hits
from turkbatch.server.operations.call import Call

_PAGE: Final = 100
_LEVELS: Final = ("Assignment", "HIT")


def list_review_policy_results_for_hit(call: Call) -> dict[str, object]:
    """List what a HIT's review policies found and did, in the order in which they did.

    Parameters
    ----------
    call : Call
        ListReviewPolicyResultsForHIT.

    Returns
    -------
    dict
        HITId, AssignmentReviewPolicy and HITReviewPolicy by name, AssignmentReviewReport and
        HITReviewReport with their part of the page, and NextToken with every page that is not
        empty.

    Raises
    ------
    Refusal
        HITDoesNotExist; ParameterValidationError for a token of another listing.

    Notes
    -----
    A page counts the results and actions of both levels together, 100 unless MaxResults says
    so (unconfirmed; 400 in the API before). Both are retrieved unless switched off. Deleted
    HITs keep theirs. SimplePlurality approves, rejects and extends in one run, each time that
    the HIT becomes Reviewable.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListReviewPolicyResultsForHITOperation.html
    """
    hit_id = hits.find(call, call.parameters["HITId"]).hit_id
    levels = call.parameters.get("PolicyLevels") or list(_LEVELS)
    table = schema.review_records
    query = table.select().where(
        table.c.hit_id == hit_id, table.c.level.in_(levels), table.c.kind.in_(_kinds(call))
    )
    rows, token = paging.by_sequence(
        call.connection, call.operation, call.parameters, query, table, default_size=_PAGE
    )
    output: dict[str, object] = {"HITId": hit_id, "NextToken": token}
    for level, name in _policies(call, hit_id).items():
        output[f"{level}ReviewPolicy"] = {"PolicyName": name}
        if level in levels:
            output[f"{level}ReviewReport"] = _report([one for one in rows if one.level == level])
    return output


def _kinds(call: Call) -> list[str]:
    switches = {"result": "RetrieveResults", "action": "RetrieveActions"}
    return [kind for kind, name in switches.items() if call.parameters.get(name, True)]


def _policies(call: Call, hit_id: str) -> dict[str, str]:
    table = schema.review_policies
    rows = call.connection.execute(table.select().where(table.c.hit_id == hit_id))
    return {row.level: json.loads(row.policy)["PolicyName"] for row in rows}


def _report(rows: list[sqlalchemy.Row[Any]]) -> dict[str, object]:
    return {
        "ReviewResults": [json.loads(row.record) for row in rows if row.kind == "result"],
        "ReviewActions": [
            json.loads(row.record) | {"CompleteTime": protocol.time(row.at)}
            for row in rows
            if row.kind == "action"
        ],
    }
