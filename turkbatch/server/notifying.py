"""Events that requesters are told of: written down with what happened, delivered afterwards.

A message is written into a table in the very transaction in which its events happen, so that
none is lost and none is told of something that was undone. The table is the log, too; what
waits in it is the outbox that :mod:`turkbatch.server.courier` empties.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMechanicalTurkRequester/
Concepts_NotificationsArticle.html,
https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_NotificationDataStructureArticle.html. Choices where they leave room:

- Events that happen together to HITs of one type share a message, ten at most.
- Email has gone from the documentation: such messages are logged and not sent.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy

from turkbatch.server import ids, lifecycle, refusals, schema, store

VERSIONS: Final = ("2014-08-15", "2006-05-05")
"""The documentation has the first, the API's model and several clients the other."""
_DOCUMENT_VERSION: Final = "2014-08-15"
_EVENTS_A_MESSAGE: Final = 10
_NEWS: Final = "turkbatch_news"
_EVENT_TYPES: Final = {
    "create": "HITCreated",
    "extend": "HITExtended",
    "dispose": "HITDisposed",
    "accept": "AssignmentAccepted",
    "returned": "AssignmentReturned",
    "abandoned": "AssignmentAbandoned",
    "submit": "AssignmentSubmitted",
    "approve": "AssignmentApproved",
    "override": "AssignmentApproved",
    "reject": "AssignmentRejected",
}
_DESTINATIONS: Final = {
    "SQS": re.compile(r"https?://[^/\s]+/(?P<account>[^/\s]+)/[^/\s]+\Z"),
    "SNS": re.compile(r"arn:aws[\w-]*:sns:[\w-]+:(?P<account>[0-9]+):[\w.-]+\Z"),
    "Email": re.compile(r"[^@\s]+@[^@\s]+\Z"),
}


@dataclasses.dataclass(frozen=True)
class Specification:
    """Where a HIT type's events go.

    Parameters
    ----------
    transport : str
        SQS, SNS or Email.
    destination : str
        Queue URL, topic ARN or address.
    event_types : frozenset of str
        Which.
    """

    transport: str
    destination: str
    event_types: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Message:
    """A line of the log.

    Parameters
    ----------
    sequence : int
        Its number.
    created_at : int
        Seconds since 1970, by the server's clock.
    transport, destination : str
        Where it goes.
    body : Mapping
        The JSON document.
    state : str
        waiting, delivered, failed, or logged, which is never sent.
    attempts : int
        How often its delivery was tried.
    error : str or None
        Why the last attempt failed.
    """

    sequence: int
    created_at: int
    transport: str
    destination: str
    body: Mapping[str, Any]
    state: str
    attempts: int
    error: str | None


def log(
    database: store.Store, *, after: int = 0, limit: int = 100, state: str | None = None
) -> list[Message]:
    """Read the log of messages about events.

    Parameters
    ----------
    database : Store
        Of the server.
    after : int
        The number of the last one that is known already.
    limit : int
        How many at most.
    state : str, optional
        Only those in this state.

    Returns
    -------
    list of Message
        In the order in which they were written.
    """
    table = schema.notifications
    query = table.select().where(table.c.sequence > after)
    if state is not None:
        query = query.where(table.c.state == state)
    with database.read() as connection:
        rows = connection.execute(query.order_by(table.c.sequence).limit(limit)).all()
    return [
        Message(
            row.sequence,
            row.created_at,
            row.transport,
            row.destination,
            json.loads(row.body),
            row.state,
            row.attempts,
            row.error,
        )
        for row in rows
    ]


def specification(sent: Mapping[str, Any]) -> Specification:
    """Read a notification specification.

    Parameters
    ----------
    sent : Mapping
        Notification of a request.

    Returns
    -------
    Specification
        What it asks for.

    Raises
    ------
    Refusal
        ParameterValidationError for an unknown version or no event types;
        InvalidTransportEndpoint for a destination that can't be one of the transport.
    """
    if sent["Version"] not in VERSIONS:
        raise refusals.invalid_value("Version", sent["Version"])
    if not sent["EventTypes"]:
        raise refusals.missing_parameters("EventTypes")
    if not _DESTINATIONS[sent["Transport"]].match(sent["Destination"]):
        raise refusals.invalid_transport_endpoint(sent["Destination"])
    return Specification(sent["Transport"], sent["Destination"], frozenset(sent["EventTypes"]))


def record(connection: sqlalchemy.Connection, steps: Sequence[lifecycle.Step]) -> None:
    """Write down the messages that what happened gives rise to.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    steps : sequence of lifecycle.Step
        In the order in which they happened.
    """
    wanted = _specifications(connection, {step.hit.hit_type_id for step in steps})
    if not wanted:
        return
    owners = {step.hit.hit_type_id: step.hit.requester for step in steps}
    events: dict[str, list[dict[str, str]]] = {}
    for step in steps:
        spec = wanted.get(step.hit.hit_type_id)
        if spec is not None:
            events.setdefault(step.hit.hit_type_id, []).extend(
                _event(step, kind) for kind in _kinds(step) if kind in spec.event_types
            )
    for hit_type_id, found in events.items():
        for start in range(0, len(found), _EVENTS_A_MESSAGE):
            some = found[start : start + _EVENTS_A_MESSAGE]
            at = steps[-1].move.at
            send(connection, wanted[hit_type_id], some, requester=owners[hit_type_id], at=at)


def send(
    connection: sqlalchemy.Connection,
    spec: Specification,
    events: Sequence[Mapping[str, str]],
    *,
    requester: str,
    at: int,
) -> None:
    """Write a message into the log, to be delivered when this transaction is over.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    spec : Specification
        Where it goes.
    events : sequence of Mapping
        From :func:`event`.
    requester : str
        To whom.
    at : int
        Seconds since 1970.
    """
    match = _DESTINATIONS[spec.transport].match(spec.destination)
    account = match.groupdict().get("account", "") if match else ""
    body = {
        "Events": list(events),
        "EventDocId": ids.new_request_id(),
        "SourceAccount": account,
        "CustomerId": f"A{re.sub('[^A-Z0-9]', '', requester.upper())}",
        "EventDocVersion": _DOCUMENT_VERSION,
    }
    is_sent = spec.transport != "Email"
    connection.execute(
        schema.notifications.insert(),
        {
            "created_at": at,
            "transport": spec.transport,
            "destination": spec.destination,
            "body": json.dumps(body, separators=(",", ":")),
            "state": "waiting" if is_sent else "logged",
            "attempts": 0,
            "next_attempt_at": 0 if is_sent else None,
        },
    )
    connection.info[_NEWS] = True


def take_news(connection: sqlalchemy.Connection) -> bool:
    """Tell whether messages were written in this transaction, once.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.

    Returns
    -------
    bool
        True if the courier must be woken when it is over.
    """
    return bool(connection.info.pop(_NEWS, False))


def event(
    kind: str, at: int, hit_id: str, hit_type_id: str, assignment_id: str | None = None
) -> dict[str, str]:
    """Describe an event.

    Parameters
    ----------
    kind : str
        Its EventType.
    at : int
        Seconds since 1970.
    hit_id, hit_type_id : str
        To which HIT it happened.
    assignment_id : str, optional
        To which assignment, if to any.

    Returns
    -------
    dict
        As in a message.
    """
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    described = {"EventType": kind, "EventTimestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    described |= {"HITId": hit_id}
    if assignment_id is not None:
        described["AssignmentId"] = assignment_id
    return described | {"HITTypeId": hit_type_id}


def _event(step: lifecycle.Step, kind: str) -> dict[str, str]:
    of_assignment = kind.startswith("Assignment") and step.assignment is not None
    assignment_id = step.assignment.assignment_id if of_assignment and step.assignment else None
    hit = step.hit
    return event(kind, step.move.at, hit.hit_id, hit.hit_type_id, assignment_id)


def _kinds(step: lifecycle.Step) -> Iterator[str]:
    if step.move.kind in _EVENT_TYPES:
        yield _EVENT_TYPES[step.move.kind]
    if step.move.kind == "expire" and step.hit.expires_at <= step.move.at:
        yield "HITExpired"
    if step.is_now_reviewable:
        yield "HITReviewable"


def _specifications(
    connection: sqlalchemy.Connection, hit_type_ids: set[str]
) -> dict[str, Specification]:
    rows = connection.execute(_SPECIFICATIONS, {"types": list(hit_type_ids)})
    return {
        row.hit_type_id: Specification(
            row.transport, row.destination, frozenset(json.loads(row.event_types))
        )
        for row in rows
    }


_SPECIFICATIONS = schema.notification_settings.select().where(
    schema.notification_settings.c.active == 1,
    schema.notification_settings.c.hit_type_id.in_(sqlalchemy.bindparam("types", expanding=True)),
)
