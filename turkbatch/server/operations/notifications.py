"""Telling requesters of events."""

from __future__ import annotations

import json

from turkbatch.server import notifying, refusals, schema
from turkbatch.server.operations import hit_types
from turkbatch.server.operations.call import Call


def update_notification_settings(call: Call) -> dict[str, object]:
    """Say where the events of a HIT type's HITs go, or switch that on and off.

    Parameters
    ----------
    call : Call
        UpdateNotificationSettings.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        HITTypeDoesNotExist; ParameterValidationError for neither Notification nor Active, for
        Active alone where there is no specification, an unknown version, no event types;
        InvalidTransportEndpoint for a destination that can't be one of the transport.

    Notes
    -----
    A new specification replaces the old one. The first one is active unless Active says
    otherwise; a later one leaves the switch as it was (unconfirmed). Both versions that are
    documented are taken.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateNotificationSettingsOperation.html
    """
    parameters, table = call.parameters, schema.notification_settings
    hit_type = hit_types.find(call, parameters["HITTypeId"])
    if "Notification" not in parameters and "Active" not in parameters:
        raise refusals.missing_parameters("Notification or Active")
    values: dict[str, object] = {}
    if "Notification" in parameters:
        sent = parameters["Notification"]
        spec = notifying.specification(sent)
        values = {
            "transport": spec.transport,
            "destination": spec.destination,
            "version": sent["Version"],
            "event_types": json.dumps(sorted(spec.event_types)),
        }
    if "Active" in parameters:
        values["active"] = int(parameters["Active"])
    update = table.update().where(table.c.hit_type_id == hit_type.hit_type_id)
    if call.connection.execute(update.values(values)).rowcount:
        return {}
    if "Notification" not in parameters:
        raise refusals.missing_parameters("Notification")
    key = {"hit_type_id": hit_type.hit_type_id, "active": 1}
    call.connection.execute(table.insert(), key | values)
    return {}


def send_test_event_notification(call: Call) -> dict[str, object]:
    """Send an event that did not happen, to try out a specification.

    Parameters
    ----------
    call : Call
        SendTestEventNotification.

    Returns
    -------
    dict
        Empty.

    Raises
    ------
    Refusal
        ParameterValidationError and InvalidTransportEndpoint as of
        :func:`update_notification_settings`.

    Notes
    -----
    It is sent whatever EventTypes lists. Whether it arrives is seen in the log of
    notifications, not in the reply (unconfirmed). Its ids are made up.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_SendTestEventNotificationOperation.html
    """
    spec = notifying.specification(call.parameters["Notification"])
    kind = call.parameters["TestEventType"]
    made_up = "3TEST" + 25 * "0"
    assignment_id = made_up if kind.startswith("Assignment") else None
    event = notifying.event(kind, call.now, made_up, made_up, assignment_id)
    notifying.send(call.connection, spec, [event], requester=call.requester, at=call.now)
    return {}
