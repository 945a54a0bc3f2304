"""HIT types: what the HITs of one group have in common."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import sqlalchemy
from sqlalchemy import bindparam

from turkbatch.server import bounds, ids, protocol, qualifying, refusals, requirements, schema
from turkbatch.server.operations.call import Call

_DEFAULT_AUTO_APPROVAL_SECONDS: Final = 2_592_000
"""30 days, recorded in replies where it was not given."""


def create_hit_type(call: Call) -> dict[str, object]:
    """Register the properties of HITs, or find the type that has them already.

    Parameters
    ----------
    call : Call
        CreateHITType.

    Returns
    -------
    dict
        HITTypeId.

    Raises
    ------
    Refusal
        ParameterValidationError or InvalidParameterCombinationError for values out of
        bounds; QualificationTypeDoesNotExist and InvalidQualificationTypeState (unconfirmed)
        for a requirement of an unknown, Inactive or deleted type.

    Notes
    -----
    What makes types equal is not documented. Here it is the normalised properties: the
    reward as an amount ("0.5" is "0.50"), the default delay as if it were sent, the
    requirements in any order.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITTypeOperation.html
    """
    return {"HITTypeId": register(call).hit_type_id}


def register(call: Call) -> sqlalchemy.Row[Any]:
    """Find or create the HIT type that a request's properties describe.

    Parameters
    ----------
    call : Call
        CreateHITType or CreateHIT.

    Returns
    -------
    sqlalchemy.Row
        Of the table of HIT types.

    Raises
    ------
    Refusal
        If a property is out of bounds.
    """
    bounds.check(call.parameters)
    properties = _properties(call.parameters)
    required = json.loads(properties["requirements"])
    _check_required(call, required)
    fingerprint = _fingerprint(properties)
    table = schema.hit_types
    query = table.select().where(
        table.c.requester == call.requester, table.c.fingerprint == fingerprint
    )
    found = call.connection.execute(query).one_or_none()
    if found is not None:
        return found
    hit_type_id = ids.new_entity_id()
    call.connection.execute(
        table.insert().values(
            hit_type_id=hit_type_id,
            hit_group_id=ids.new_entity_id(),
            requester=call.requester,
            fingerprint=fingerprint,
            created_at=call.now,
            **properties,
        )
    )
    named = {one["QualificationTypeId"] for one in required}
    if named:
        call.connection.execute(
            schema.hit_type_requirements.insert(),
            [{"hit_type_id": hit_type_id, "qualification_type_id": one} for one in sorted(named)],
        )
    return call.connection.execute(query).one()


def find(call: Call, hit_type_id: str) -> sqlalchemy.Row[Any]:
    """Look up a HIT type of the requester's.

    Parameters
    ----------
    call : Call
        Any operation.
    hit_type_id : str
        Its id.

    Returns
    -------
    sqlalchemy.Row
        Of the table of HIT types.

    Raises
    ------
    Refusal
        HITTypeDoesNotExist, also for one that was deleted with a qualification type.
    """
    given = {"id": hit_type_id, "whose": call.requester}
    row = call.connection.execute(_FOUND, given).one_or_none()
    if row is None:
        raise refusals.hit_type_does_not_exist(hit_type_id)
    return row


def _check_required(call: Call, required: list[dict[str, Any]]) -> None:
    for one in required:
        type_id = one["QualificationTypeId"]
        if type_id in requirements.SYSTEM_TYPES:
            continue
        found = qualifying.find_type(call.connection, call.now, type_id)
        if found is None:
            if call.foreign_types and ids.is_of_the_service(type_id):
                continue
            raise refusals.qualification_type_does_not_exist(type_id)
        if found.deleted_at is not None or found.status != "Active":
            raise refusals.inactive_qualification_type()


_FOUND = schema.hit_types.select().where(
    schema.hit_types.c.hit_type_id == bindparam("id"),
    schema.hit_types.c.requester == bindparam("whose"),
    schema.hit_types.c.deleted_at.is_(None),
)


def needs_masters(hit_type: sqlalchemy.Row[Any]) -> bool:
    """Tell whether only Masters may work on a type's HITs, which costs more.

    Parameters
    ----------
    hit_type : sqlalchemy.Row
        Of the table of HIT types.

    Returns
    -------
    bool
        True if it requires either Masters type.
    """
    return any(
        requirement["QualificationTypeId"] in requirements.MASTERS
        and requirement["Comparator"] == "Exists"
        for requirement in json.loads(hit_type.requirements)
    )


def _properties(parameters: protocol.Parameters) -> dict[str, Any]:
    return {
        "title": parameters["Title"],
        "description": parameters["Description"],
        "keywords": parameters.get("Keywords"),
        "reward_cents": bounds.cents("Reward", parameters["Reward"]),
        "assignment_duration_seconds": parameters["AssignmentDurationInSeconds"],
        "auto_approval_delay_seconds": parameters.get(
            "AutoApprovalDelayInSeconds", _DEFAULT_AUTO_APPROVAL_SECONDS
        ),
        "requirements": json.dumps(
            bounds.requirements(parameters.get("QualificationRequirements", []))
        ),
    }


def _fingerprint(properties: dict[str, Any]) -> str:
    requirements = json.loads(properties["requirements"])
    unordered = sorted(json.dumps(requirement, sort_keys=True) for requirement in requirements)
    normalised = properties | {"requirements": unordered, "keywords": properties["keywords"] or ""}
    return hashlib.sha256(json.dumps(normalised, sort_keys=True).encode()).hexdigest()
