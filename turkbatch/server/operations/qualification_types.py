"""Qualification types: creating, changing, finding and deleting them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from turkbatch.server import (
    bounds,
    grading,
    ids,
    paging,
    protocol,
    qualifying,
    refusals,
    schema,
)
from turkbatch.server.operations import hits
from turkbatch.server.operations.call import Call
from turkbatch.server.qualifying import Type


def create_qualification_type(call: Call) -> dict[str, object]:
    """Create a qualification type.

    Parameters
    ----------
    call : Call
        CreateQualificationType.

    Returns
    -------
    dict
        QualificationType.

    Raises
    ------
    Refusal
        QualificationTypeAlreadyExists for a name that the requester has used, also of a type
        that is being deleted; ParameterValidationError for values out of bounds, a test or
        key that is wrong or that contradict each other, a test without its duration, a key
        without a test; InvalidParameterCombinationError for a test of a type that is granted
        automatically.

    Notes
    -----
    The longest name is unconfirmed: 200 characters here.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateQualificationTypeOperation.html
    """
    bounds.check(call.parameters)
    if "Description" in call.parameters:
        bounds.length("Description", call.parameters["Description"], 1, 2_000)
    name = call.parameters["Name"]
    bounds.length("Name", name, 1, 200)
    properties = _properties(call.parameters) | _test(call.parameters)
    if properties.get("auto_granted") and properties["test"] is not None:
        raise refusals.invalid_combination("AutoGranted", "Test")
    table = schema.qualification_types
    same_name = table.select().where(table.c.requester == call.requester, table.c.name == name)
    for row in call.connection.execute(same_name):
        if not qualifying.is_gone(call.connection, call.now, Type(*row)):
            raise refusals.qualification_type_already_exists()
    type_id = ids.new_entity_id()
    defaults = {"auto_granted": 0, "auto_granted_value": 1}
    values = {
        "qualification_type_id": type_id,
        "requester": call.requester,
        "created_at": call.now,
        "name": name,
        "keywords": call.parameters.get("Keywords"),
    }
    call.connection.execute(table.insert(), defaults | values | properties)
    return {"QualificationType": _shown(find(call, type_id))}


def update_qualification_type(call: Call) -> dict[str, object]:
    """Change a qualification type; what is not sent stays as it is.

    Parameters
    ----------
    call : Call
        UpdateQualificationType.

    Returns
    -------
    dict
        QualificationType.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; PermissionDenied for a system type;
        InvalidQualificationTypeState for one that is being deleted; errors of
        :func:`create_qualification_type`.

    Notes
    -----
    A test is replaced as a whole, with its duration and its key: sent without a key, the new
    one has none. A key or a duration alone is refused. A test can't be removed, and a type
    with a test can't be granted automatically. Tests that are being taken stay as they were.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateQualificationTypeOperation.html
    """
    bounds.check(call.parameters)
    if "Description" in call.parameters:
        bounds.length("Description", call.parameters["Description"], 1, 2_000)
    known = find_own(call, call.parameters["QualificationTypeId"])
    if known.deleted_at is not None:
        raise refusals.invalid_qualification_type_state()
    properties = _properties(call.parameters)
    if "Test" in call.parameters:
        properties |= _test(call.parameters)
    elif "AnswerKey" in call.parameters or "TestDurationInSeconds" in call.parameters:
        raise refusals.missing_parameters("Test")
    automatic = properties.get("auto_granted", known.auto_granted)
    if automatic and (properties.get("test") or known.test) is not None:
        raise refusals.invalid_combination("AutoGranted", "Test")
    table = schema.qualification_types
    if properties:
        call.connection.execute(
            table.update().where(table.c.sequence == known.sequence).values(properties)
        )
    return {"QualificationType": _shown(find(call, known.qualification_type_id))}


def get_qualification_type(call: Call) -> dict[str, object]:
    """Show a qualification type.

    Parameters
    ----------
    call : Call
        GetQualificationType.

    Returns
    -------
    dict
        QualificationType.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist.

    Notes
    -----
    System types are shown, too (unconfirmed), those of another requester without test and
    key. One that is being deleted is shown as Inactive (unconfirmed).
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_GetQualificationTypeOperation.html
    """
    found = find(call, call.parameters["QualificationTypeId"])
    return {"QualificationType": _shown(found, own=found.requester == call.requester)}


def list_qualification_types(call: Call) -> dict[str, object]:
    """Search qualification types, sorted by name.

    Parameters
    ----------
    call : Call
        ListQualificationTypes.

    Returns
    -------
    dict
        NumResults, QualificationTypes, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        ParameterValidationError for a token of another listing.

    Notes
    -----
    How fuzzy the service's search is, is not documented: here every word of the query must
    stand somewhere in name, description or keywords, in capitals or not. MustBeRequestable
    hides system types. Types appear late if the fault plan says so.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListQualificationTypesOperation.html
    """
    page = paging.asked(call.operation, call.parameters)
    found = sorted(_matching(call), key=lambda one: (one.name, one.sequence))
    if page.after is not None:
        places = [number for number, one in enumerate(found) if one.sequence == page.after[0]]
        # One that was deleted since has no place; what came before it isn't known any more.
        found = found[places[0] + 1 :] if places else []
    found = found[: page.size]
    return {
        "NumResults": len(found),
        "NextToken": page.token(found[-1].sequence) if found else None,
        "QualificationTypes": [_shown(one, own=one.requester == call.requester) for one in found],
    }


def delete_qualification_type(call: Call) -> dict[str, object]:
    """Delete a qualification type, which takes until its HITs are gone, and 48 hours.

    Parameters
    ----------
    call : Call
        DeleteQualificationType.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; PermissionDenied for a system type;
        InvalidQualificationTypeState for the second time.

    Notes
    -----
    Its requests are rejected and the HIT types that require it deleted at once; what workers
    hold is not revoked, since its HITs need it.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DeleteQualificationTypeOperation.html
    """
    known = find_own(call, call.parameters["QualificationTypeId"])
    if known.deleted_at is not None:
        raise refusals.invalid_qualification_type_state()
    types, requests = schema.qualification_types, schema.qualification_requests
    hit_types, required = schema.hit_types, schema.hit_type_requirements
    run = call.connection.execute
    run(types.update().where(types.c.sequence == known.sequence).values(deleted_at=call.now))
    run(
        requests.update()
        .where(
            requests.c.qualification_type_id == known.qualification_type_id,
            requests.c.state.in_(["Testing", "Submitted"]),
        )
        .values(state="Rejected")
    )
    users = required.select().with_only_columns(required.c.hit_type_id)
    users = users.where(required.c.qualification_type_id == known.qualification_type_id)
    run(
        hit_types.update()
        .where(hit_types.c.hit_type_id.in_(users), hit_types.c.deleted_at.is_(None))
        .values(deleted_at=call.now)
    )
    return {}


def list_hits_for_qualification_type(call: Call) -> dict[str, object]:
    """List the requester's HITs that require a qualification type, newest first.

    Parameters
    ----------
    call : Call
        ListHITsForQualificationType.

    Returns
    -------
    dict
        NumResults, HITs, and NextToken with every page that is not empty.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; ParameterValidationError for a token of another
        listing.

    Notes
    -----
    Deleted HITs are left out. The order is that of ListHITs (unconfirmed).
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListHITsForQualificationTypeOperation.html
    """
    type_id = find(call, call.parameters["QualificationTypeId"]).qualification_type_id
    required = schema.hit_type_requirements
    users = required.select().with_only_columns(required.c.hit_type_id)
    users = users.where(required.c.qualification_type_id == type_id)
    return hits.listing(
        call, schema.hits.c.deleted_at.is_(None), schema.hits.c.hit_type_id.in_(users)
    )


def find(call: Call, type_id: str) -> Type:
    """Look up a qualification type, whosever it is.

    Parameters
    ----------
    call : Call
        Any operation.
    type_id : str
        Its id.

    Returns
    -------
    Type
        Perhaps one that is being deleted.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist.
    """
    found = qualifying.find_type(call.connection, call.now, type_id)
    if found is None:
        raise refusals.qualification_type_does_not_exist(type_id)
    return found


def find_own(call: Call, type_id: str) -> Type:
    """Look up a qualification type of the requester's.

    Parameters
    ----------
    call : Call
        Any operation.
    type_id : str
        Its id.

    Returns
    -------
    Type
        Perhaps one that is being deleted.

    Raises
    ------
    Refusal
        QualificationTypeDoesNotExist; PermissionDenied for somebody else's (unconfirmed).
    """
    found = find(call, type_id)
    if found.requester != call.requester:
        raise refusals.permission_denied()
    return found


def _properties(parameters: protocol.Parameters) -> dict[str, Any]:
    names = {
        "Description": "description",
        "QualificationTypeStatus": "status",
        "RetryDelayInSeconds": "retry_delay_seconds",
        "AutoGranted": "auto_granted",
        "AutoGrantedValue": "auto_granted_value",
    }
    found = {column: parameters[name] for name, column in names.items() if name in parameters}
    if "auto_granted" in found:
        found["auto_granted"] = int(found["auto_granted"])
    return found


def _test(parameters: protocol.Parameters) -> dict[str, Any]:
    test, key = parameters.get("Test"), parameters.get("AnswerKey")
    duration = parameters.get("TestDurationInSeconds")
    if test is None and key is not None:
        raise refusals.missing_parameters("Test")
    if test is not None:
        if duration is None:
            raise refusals.missing_parameters("TestDurationInSeconds")
        asked = grading.check_test(test)
        if key is not None:
            grading.check_key(key, asked)
    return {
        "test": test,
        "answer_key": key,
        "test_duration_seconds": duration if test is not None else None,
    }


def _matching(call: Call) -> list[Type]:
    table = schema.qualification_types
    query = table.select().where(table.c.deleted_at.is_(None))
    if call.parameters.get("MustBeOwnedByCaller", False):
        query = query.where(table.c.requester == call.requester)
    if call.listing_lag_seconds:
        query = query.where(table.c.created_at <= call.now - call.listing_lag_seconds)
    found = [Type(*row) for row in call.connection.execute(query)]
    if not (call.parameters["MustBeRequestable"] or call.parameters.get("MustBeOwnedByCaller")):
        found += qualifying.system_types()
    if call.parameters["MustBeRequestable"]:
        found = [one for one in found if one.status == "Active" or one.requester == call.requester]
    return _having(found, call.parameters.get("Query", "").lower().split())


def _having(found: Iterable[Type], words: Sequence[str]) -> list[Type]:
    return [
        one
        for one in found
        if all(
            word in f"{one.name}\n{one.description}\n{one.keywords or ''}".lower() for word in words
        )
    ]


def _shown(found: Type, *, own: bool = True) -> dict[str, object]:
    return {
        "QualificationTypeId": found.qualification_type_id,
        "CreationTime": protocol.time(found.created_at),
        "Name": found.name,
        "Description": found.description,
        "Keywords": found.keywords,
        "QualificationTypeStatus": "Inactive" if found.deleted_at is not None else found.status,
        "Test": found.test if own else None,
        "TestDurationInSeconds": found.test_duration_seconds,
        "AnswerKey": found.answer_key if own else None,
        "RetryDelayInSeconds": found.retry_delay_seconds,
        "IsRequestable": not found.is_system,
        "AutoGranted": bool(found.auto_granted),
        "AutoGrantedValue": found.auto_granted_value if found.auto_granted else None,
    }
