"""Blocks, messages and bonuses, through boto3."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import crowd, groups, ledger, people, service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]


@pytest.fixture
def submit(served: service.Service, make_hit: Callable[..., str]) -> Callable[..., tuple[str, str]]:
    """Have a worker do a new HIT; give its id and the assignment's."""

    def do(worker_id: str, **changes: Any) -> tuple[str, str]:
        hit_id = make_hit(**changes)
        assignment_id = worker.accept(served, hit_id, worker_id)
        worker.submit(served, assignment_id, worker_id, [("x", "1")])
        return hit_id, assignment_id

    return do


def blocks(client: MTurkClient) -> list[tuple[str, str]]:
    pages = client.get_paginator("list_worker_blocks").paginate(PaginationConfig={"PageSize": 1})
    return [(one["WorkerId"], one["Reason"]) for page in pages for one in page["WorkerBlocks"]]


def test_blocks_are_made_changed_listed_and_lifted(client: MTurkClient) -> None:
    for worker_id in ("A2", "A1"):
        client.create_worker_block(WorkerId=worker_id, Reason="spam")
    client.create_worker_block(WorkerId="A2", Reason="worse")

    assert blocks(client) == [("A2", "worse"), ("A1", "spam")]
    for _ in range(2):
        client.delete_worker_block(WorkerId="A2", Reason="sorry")
    assert blocks(client) == [("A1", "spam")]


def test_a_blocked_worker_is_offered_nothing_and_may_finish(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    begun, other = make_hit(), make_hit()
    assignment_id = worker.accept(served, begun, "A1")
    inside.create_worker_block(WorkerId="A1", Reason="spam")

    assert worker.offers(served, "A1") == []
    assert not worker.may(served, other, "A1", "Preview")
    with pytest.raises(worker.WorkerError, match="does not work with you"):
        worker.accept(served, other, "A1")
    worker.submit(served, assignment_id, "A1", [("x", "1")])
    assert [one.subject for one in worker.messages(served, "A1")] == ["A requester has blocked you"]
    inside.create_worker_block(WorkerId=crowd.worker_id(1), Reason="spam")
    assert crowd.work(served, workers=1).assignments == 0
    inside.delete_worker_block(WorkerId="A1")
    assert [one.hit_id for one in worker.offers(served, "A1")] == [other]


def test_unknown_workers_are_refused_where_workers_are_known(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    submit: Callable[..., tuple[str, str]],
) -> None:
    _, assignment_id = submit("A1")
    served.known_workers_only = True
    unknown = (
        "ParameterValidationError",
        None,
        'The value "AX" is not valid for the parameter WorkerId.',
    )
    bonus = {"BonusAmount": "1", "AssignmentId": assignment_id, "Reason": "r"}

    assert refused(client.create_worker_block, WorkerId="AX", Reason="r") == unknown
    assert refused(client.send_bonus, WorkerId="AX", **bonus) == unknown
    assert refused(client.delete_worker_block, WorkerId="AX") == (
        "RequestError",
        "AWS.MechanicalTurk.InvalidParameterValue",
        "WorkerId is invalid.",
    )
    client.create_worker_block(WorkerId="A1", Reason="r")


def test_messages_reach_those_whose_work_was_reviewed(
    served: service.Service, client: MTurkClient, submit: Callable[..., tuple[str, str]]
) -> None:
    _, approved = submit("A1")
    _, rejected = submit("A2")
    submit("A3")
    client.approve_assignment(AssignmentId=approved)
    client.reject_assignment(AssignmentId=rejected, RequesterFeedback="")
    reply = client.notify_workers(
        Subject="New work", MessageText="Come!", WorkerIds=["A1", "A2", "A3", "A4", "A1"]
    )

    failures = reply["NotifyWorkersFailureStatuses"]
    assert [(one["WorkerId"], one["NotifyWorkersFailureCode"]) for one in failures] == [
        ("A3", "HardFailure"),
        ("A4", "HardFailure"),
    ]
    told = {name: worker.messages(served, name) for name in ("A1", "A2", "A3", "A4")}
    assert {name: len(got) for name, got in told.items()} == {"A1": 1, "A2": 1, "A3": 0, "A4": 0}
    assert (told["A1"][0].subject, told["A1"][0].text) == ("New work", "Come!")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"Subject": ""}, "Subject  has a minimum length of 1."),
        ({"Subject": "x" * 201}, "Subject  has a maximum length of 200."),
        ({"MessageText": "x" * 4097}, "MessageText  has a maximum length of 4096."),
        ({"WorkerIds": [f"A{n}" for n in range(101)]}, '"101 workers" is not valid'),
        ({"WorkerIds": []}, '"0 workers" is not valid'),
    ],
)
def test_messages_out_of_bounds_are_refused(
    client: MTurkClient, refused: Refused, changes: dict[str, Any], found: str
) -> None:
    sent = {"Subject": "s", "MessageText": "m", "WorkerIds": ["A1"]} | changes
    kind, _, message = refused(client.notify_workers, **sent)

    assert kind == "ParameterValidationError"
    assert found in message


def test_a_bonus_is_paid_with_its_fee_and_listed(
    served: service.Service, client: MTurkClient, submit: Callable[..., tuple[str, str]]
) -> None:
    hit_id, assignment_id = submit("A1", reward="0.00")
    before = served.balance()
    for amount, reason in (("1.5", "good"), ("0.01", "better")):
        client.send_bonus(
            WorkerId="A1", BonusAmount=amount, AssignmentId=assignment_id, Reason=reason
        )
    after = served.balance()

    assert before.available_cents - after.available_cents == 150 + 30 + 1 + 1
    assert (after.paid_cents, after.fees_cents, after.held_cents) == (151, 31, before.held_cents)
    for key in ({"HITId": hit_id}, {"AssignmentId": assignment_id}):
        pages = client.get_paginator("list_bonus_payments").paginate(
            **key, PaginationConfig={"PageSize": 1}
        )
        listed = [one for page in pages for one in page["BonusPayments"]]
        now = datetime.datetime.now(datetime.UTC)
        assert all(now - one.pop("GrantTime") < datetime.timedelta(60) for one in listed)
        both = {"WorkerId": "A1", "AssignmentId": assignment_id}
        assert listed == [
            {**both, "BonusAmount": "1.50", "Reason": "good"},
            {**both, "BonusAmount": "0.01", "Reason": "better"},
        ]
    assert worker.messages(served, "A1")[1].subject == "You were paid a bonus of $1.50"


def test_one_s_own_crowd_gets_bonuses_without_fee(
    served: service.Service, inside: MTurkClient, submit: Callable[..., tuple[str, str]]
) -> None:
    served.fees = "none"
    _, assignment_id = submit("A1", reward="0.00")
    inside.send_bonus(WorkerId="A1", BonusAmount="2", AssignmentId=assignment_id, Reason="r")

    assert served.balance() == ledger.Account("default", 999_800, 0, 200, 0, 1_000_000)


def test_a_token_pays_once_and_names_its_first_request(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    submit: Callable[..., tuple[str, str]],
) -> None:
    _, assignment_id = submit("A1")
    sent: Any = {
        "WorkerId": "A1",
        "BonusAmount": "1",
        "AssignmentId": assignment_id,
        "Reason": "r",
        "UniqueRequestToken": "t",
    }
    first = client.send_bonus(**sent)["ResponseMetadata"]["RequestId"]
    kind, code, message = refused(client.send_bonus, **sent)

    assert (kind, code) == ("RequestError", "AWS.MechanicalTurk.DuplicateCall")
    assert first in message
    served.clock.advance(24 * 3_600)
    client.send_bonus(**sent)
    assert client.list_bonus_payments(AssignmentId=assignment_id)["NumResults"] == 2


def test_bonuses_that_cannot_be_are_refused(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    make_hit: Callable[..., str],
    submit: Callable[..., tuple[str, str]],
) -> None:
    _, assignment_id = submit("A1")
    sent = {"WorkerId": "A1", "BonusAmount": "1", "AssignmentId": assignment_id, "Reason": "r"}
    held = worker.accept(served, make_hit(), "A1")
    code = "AWS.MechanicalTurk."

    def refusal(**changes: str) -> tuple[str, str | None, str]:
        return refused(client.send_bonus, **sent | changes)

    assert "parameter WorkerId" in refusal(WorkerId="A2")[2]
    assert "parameter BonusAmount" in refusal(BonusAmount="0.00")[2]
    assert "Reason  has a minimum length" in refusal(Reason="")[2]
    assert refusal(AssignmentId="3NONE")[1] == code + "AssignmentDoesNotExist"
    assert refusal(AssignmentId=held)[1] == code + "InvalidAssignmentState"
    assert refusal(BonusAmount="99999")[1] == code + "InsufficientFunds"
    assert refused(client.list_bonus_payments)[0] == "ParameterValidationError"
    unknown = refused(client.list_bonus_payments, HITId="3NONE")
    assert unknown[1] == code + "HITDoesNotExist"
    assert client.list_bonus_payments(AssignmentId=assignment_id)["BonusPayments"] == []


PARTICIPANT = "5f0c1e2d3a4b5c6d7e8f9a0b"


@pytest.mark.parametrize("worker_id", [PARTICIPANT, "anna.b_c-1", "77"])
def test_people_who_are_here_are_workers_whatever_their_id_looks_like(
    served: service.Service,
    client: MTurkClient,
    submit: Callable[..., tuple[str, str]],
    worker_id: str,
) -> None:
    people.add(served, groups.DEFAULT, [worker_id])
    type_id = client.create_qualification_type(
        Name="Known", Description="Known.", QualificationTypeStatus="Active"
    )["QualificationType"]["QualificationTypeId"]
    client.associate_qualification_with_worker(
        QualificationTypeId=type_id, WorkerId=worker_id, IntegerValue=3
    )
    score = client.get_qualification_score(QualificationTypeId=type_id, WorkerId=worker_id)
    assert (score["Qualification"]["WorkerId"], score["Qualification"]["IntegerValue"]) == (
        worker_id,
        3,
    )
    client.disassociate_qualification_from_worker(QualificationTypeId=type_id, WorkerId=worker_id)
    _, assignment_id = submit(worker_id)
    client.approve_assignment(AssignmentId=assignment_id)
    client.send_bonus(
        WorkerId=worker_id, BonusAmount="0.10", AssignmentId=assignment_id, Reason="Thanks."
    )
    told = client.notify_workers(Subject="News", MessageText="More work.", WorkerIds=[worker_id])
    assert told["NotifyWorkersFailureStatuses"] == []
    client.create_worker_block(WorkerId=worker_id, Reason="spam")
    assert blocks(client) == [(worker_id, "spam")]


def test_an_id_of_another_form_is_nobodys_without_a_person(
    served: service.Service, client: MTurkClient, refused: Refused
) -> None:
    people.add(served, groups.DEFAULT, [PARTICIPANT])
    code, _, message = refused(
        client.create_worker_block, WorkerId=PARTICIPANT[:-1] + "c", Reason="spam"
    )
    assert code == "ValidationException"
    assert "expression pattern: ^A[A-Z0-9]+$" in message
    assert blocks(client) == []


def test_people_exist_where_workers_are_known(served: service.Service, client: MTurkClient) -> None:
    served.known_workers_only = True
    people.add(served, groups.DEFAULT, ["A1NEW", "anna"])
    for worker_id in ("A1NEW", "anna"):
        client.create_worker_block(WorkerId=worker_id, Reason="spam")
    assert len(blocks(client)) == 2
