"""Notifications through boto3, delivered to moto's queues and topics."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from turkbatch.server import courier, notifying, schema, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]
QUEUE = "http://127.0.0.1:9/123456789012/events"
EVERY = sorted(
    f"{kind}"
    for kind in [
        "AssignmentAccepted",
        "AssignmentAbandoned",
        "AssignmentReturned",
        "AssignmentSubmitted",
        "AssignmentRejected",
        "AssignmentApproved",
        "HITCreated",
        "HITExtended",
        "HITDisposed",
        "HITReviewable",
        "HITExpired",
    ]
)


def wanted(destination: str = QUEUE, transport: str = "SQS", *events: str) -> Any:
    return {
        "Destination": destination,
        "Transport": transport,
        "Version": "2006-05-05",
        "EventTypes": list(events) or EVERY,
    }


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def amazon(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Have the courier deliver to moto; give clients of its services."""
    for name, value in {
        "AWS_ENDPOINT_URL_SQS": moto_url,
        "AWS_ENDPOINT_URL_SNS": moto_url,
        "AWS_ACCESS_KEY_ID": "dummy",
        "AWS_SECRET_ACCESS_KEY": "dummy",
    }.items():
        monkeypatch.setenv(name, value)
    courier.forget_clients()
    session: Any = boto3.session.Session()
    yield lambda name: session.client(name, region_name="us-east-1", endpoint_url=moto_url)
    courier.forget_clients()


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have every delivery fail at once, without a connection."""
    with socket.socket() as taken:  # bound and not listening: refuses
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
        courier.forget_clients()
        yield
    courier.forget_clients()


def received(sqs: Any, queue: str) -> list[dict[str, Any]]:
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for one in messages:
            found.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
    return found


def kinds(bodies: list[Any]) -> list[str]:
    return [event["EventType"] for body in bodies for event in body["Events"]]


def test_events_arrive_in_a_queue_in_the_service_s_form(
    served: service.Service,
    client: MTurkClient,
    amazon: Callable[[str], Any],
    make_hit: Callable[..., str],
    properties: dict[str, Any],
) -> None:
    sqs = amazon("sqs")
    queue = sqs.create_queue(QueueName=f"events-{time.monotonic_ns()}")["QueueUrl"]
    hit_type = client.create_hit_type(**properties)["HITTypeId"]
    client.update_notification_settings(HITTypeId=hit_type, Notification=wanted(queue), Active=True)
    hit_id = make_hit()
    assignment_id = worker.accept(served, hit_id, "A1")
    worker.submit(served, assignment_id, "A1", [("x", "1")])
    client.approve_assignment(AssignmentId=assignment_id)
    assert courier.flush(served.store)
    bodies = received(sqs, queue)

    by_kind = {event["EventType"]: event for body in bodies for event in body["Events"]}
    assert sorted(by_kind) == [
        "AssignmentAccepted",
        "AssignmentApproved",
        "AssignmentSubmitted",
        "HITCreated",
        "HITReviewable",
    ]
    for body in bodies:
        assert sorted(body) == [
            "CustomerId",
            "EventDocId",
            "EventDocVersion",
            "Events",
            "SourceAccount",
        ]
        assert body["EventDocVersion"] == "2014-08-15"
        assert body["SourceAccount"] == "123456789012"
        assert re.fullmatch("A[A-Z0-9]+", body["CustomerId"])
    assert len({body["EventDocId"] for body in bodies}) == len(bodies)
    for kind, event in by_kind.items():
        moment = event.pop("EventTimestamp")
        assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", moment)
        about = {"AssignmentId": assignment_id} if kind.startswith("Assignment") else {}
        assert event == {"EventType": kind, "HITId": hit_id, "HITTypeId": hit_type} | about
    log = notifying.log(served.store)
    assert [one.state for one in log] == ["delivered"] * len(bodies)
    assert kinds([one.body for one in log]).count("HITReviewable") == 1


def test_a_topic_gets_the_body_as_its_message(
    served: service.Service, client: MTurkClient, amazon: Callable[[str], Any]
) -> None:
    sqs, sns = amazon("sqs"), amazon("sns")
    name = f"events-{time.monotonic_ns()}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    client.send_test_event_notification(
        Notification=wanted(topic, "SNS", "HITExpired"), TestEventType="AssignmentSubmitted"
    )
    assert courier.flush(served.store)
    [envelope] = received(sqs, queue)

    assert kinds([json.loads(envelope["Message"])]) == ["AssignmentSubmitted"]


def test_every_event_of_a_hit_s_life_is_told_and_none_while_switched_off(
    served: service.Service,
    inside: MTurkClient,
    make_hit: Callable[..., str],
    properties: dict[str, Any],
) -> None:
    hit_type = inside.create_hit_type(**properties)["HITTypeId"]
    email = wanted("me@example.org", "Email")
    inside.update_notification_settings(HITTypeId=hit_type, Notification=email)
    hit_id = make_hit(MaxAssignments=3)
    returned = worker.accept(served, hit_id, "A1")
    worker.return_hit(served, returned, "A1")
    worker.accept(served, hit_id, "A2")
    served.clock.advance(700)
    rejected = worker.accept(served, hit_id, "A3")
    worker.submit(served, rejected, "A3", [])
    inside.reject_assignment(AssignmentId=rejected, RequesterFeedback="")
    inside.create_additional_assignments_for_hit(HITId=hit_id, NumberOfAdditionalAssignments=1)
    served.clock.advance(3_600)
    inside.delete_hit(HITId=hit_id)
    log = notifying.log(served.store)

    assert kinds([one.body for one in log]) == [
        "HITCreated",
        "AssignmentAccepted",
        "AssignmentReturned",
        "AssignmentAccepted",
        "AssignmentAbandoned",
        "AssignmentAccepted",
        "AssignmentSubmitted",
        "AssignmentRejected",
        "HITExtended",
        "HITExpired",
        "HITReviewable",
        "HITDisposed",
    ]
    assert {one.state for one in log} == {"logged"}
    inside.update_notification_settings(HITTypeId=hit_type, Active=False)
    make_hit()
    assert len(notifying.log(served.store)) == len(log)
    few = wanted("me@example.org", "Email", "HITCreated")
    inside.update_notification_settings(HITTypeId=hit_type, Notification=few)
    make_hit()
    assert len(notifying.log(served.store)) == len(log)
    inside.update_notification_settings(HITTypeId=hit_type, Active=True)
    worker.accept(served, make_hit(), "A1")
    assert kinds([one.body for one in notifying.log(served.store, after=len(log))]) == [
        "HITCreated"
    ]


@pytest.mark.usefixtures("nowhere")
def test_what_cannot_be_delivered_waits_in_the_outbox(database: store.Store) -> None:
    event = notifying.event("Ping", 0, "3HIT", "3TYPE")
    with database.write() as connection:
        spec = notifying.specification(wanted())
        notifying.send(connection, spec, [event], requester="default", at=0)
    for attempt in range(1, 9):
        [message] = notifying.log(database, state="waiting")
        assert message.attempts == attempt - 1
        assert courier.deliver_next(database)
        assert not courier.deliver_next(database)
        with database.write() as connection:
            waiting = schema.notifications.c.state == "waiting"
            connection.execute(
                schema.notifications.update().where(waiting).values(next_attempt_at=0)
            )
    [message] = notifying.log(database)

    assert (message.state, message.attempts) == ("failed", 8)
    assert "EndpointConnectionError" in (message.error or "")
    assert not courier.deliver_next(database)


def test_what_a_request_undoes_is_not_told(
    served: service.Service,
    inside: MTurkClient,
    refused: Refused,
    make_hit: Callable[..., str],
    properties: dict[str, Any],
) -> None:
    hit_type = inside.create_hit_type(**properties)["HITTypeId"]
    email = wanted("me@example.org", "Email")
    inside.update_notification_settings(HITTypeId=hit_type, Notification=email)
    hit_id = make_hit()
    served.set_balance(0)
    more = {"HITId": hit_id, "NumberOfAdditionalAssignments": 1}

    refused(inside.create_additional_assignments_for_hit, **more)
    assert kinds([one.body for one in notifying.log(served.store)]) == ["HITCreated"]


@pytest.mark.parametrize(
    ("changes", "code", "found"),
    [
        ({"Destination": "arn:aws:sqs:us-east-1:1:q"}, "InvalidTransportEndpoint", "arn:aws:sqs"),
        ({"Transport": "SNS"}, "InvalidTransportEndpoint", QUEUE),
        ({"Transport": "Email"}, "InvalidTransportEndpoint", QUEUE),
        ({"Version": "2000-01-01"}, None, "parameter Version"),
        ({"EventTypes": []}, None, "include EventTypes"),
        ({"Transport": "Pigeon"}, None, "enum value set"),
    ],
)
def test_specifications_that_are_not_right_are_refused(
    client: MTurkClient,
    refused: Refused,
    properties: dict[str, Any],
    changes: dict[str, Any],
    code: str | None,
    found: str,
) -> None:
    hit_type = client.create_hit_type(**properties)["HITTypeId"]
    for operation, more in (
        (client.update_notification_settings, {"HITTypeId": hit_type}),
        (client.send_test_event_notification, {"TestEventType": "Ping"}),
    ):
        refusal = refused(operation, Notification=wanted() | changes, **more)
        assert refusal[1] == (code and f"AWS.MechanicalTurk.{code}")
        assert found in refusal[2]


def test_settings_need_a_specification(
    client: MTurkClient, refused: Refused, properties: dict[str, Any]
) -> None:
    hit_type = client.create_hit_type(**properties)["HITTypeId"]
    update = client.update_notification_settings

    assert "include Notification or Active" in refused(update, HITTypeId=hit_type)[2]
    assert "include Notification." in refused(update, HITTypeId=hit_type, Active=True)[2]
    unknown = refused(update, HITTypeId="3NONE", Notification=wanted())
    assert unknown[1] == "AWS.MechanicalTurk.HITTypeDoesNotExist"


def test_the_log_is_on_the_control_page(url: str, outside: MTurkClient) -> None:
    for kind in ("Ping", "HITCreated"):
        notification = wanted("me@example.org", "Email")
        outside.send_test_event_notification(Notification=notification, TestEventType=kind)
    with urllib.request.urlopen(f"{url}/turkbatch/notifications?after=1") as reply:
        [message] = json.loads(reply.read())["notifications"]

    assert kinds([message["body"]]) == ["HITCreated"]
    assert (message["sequence"], message["state"]) == (2, "logged")


def test_a_server_that_starts_delivers_what_was_left(
    served: service.Service, amazon: Callable[[str], Any]
) -> None:
    sqs = amazon("sqs")
    queue = sqs.create_queue(QueueName=f"left-{time.monotonic_ns()}")["QueueUrl"]
    with served.store.write() as connection:
        event = notifying.event("Ping", 0, "3HIT", "3TYPE")
        spec = notifying.specification(wanted(queue))
        notifying.send(connection, spec, [event], requester="default", at=0)
    courier.wake(served.store)
    assert courier.flush(served.store)

    assert kinds(received(sqs, queue)) == ["Ping"]
