from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import ledger, service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]

NO_FUNDS = (
    "RequestError",
    "AWS.MechanicalTurk.InsufficientFunds",
    "This Requester has insufficient funds in their account to complete this transaction. "
    "Please visit https://requester.mturk.com/prepayments/new to purchase Prepaid HITs.",
)
# As many scripts write it; boto3's stubs know dates alone.
PAST: Any = 0


def balance(client: MTurkClient) -> tuple[str, str]:
    reply = client.get_account_balance()
    return reply["AvailableBalance"], reply["OnHoldBalance"]


def test_a_new_account_has_what_the_sandbox_gives(client: MTurkClient) -> None:
    assert balance(client) == ("10000.00", "0.00")


@pytest.mark.parametrize(
    ("reward", "assignments", "held"),
    [
        pytest.param("0.05", 9, "0.54", id="nine assignments cost a fifth"),
        pytest.param("0.05", 10, "0.70", id="ten assignments cost double fee"),
        pytest.param("0.01", 1, "0.02", id="the least fee is a cent"),
        pytest.param("0.13", 1, "0.16", id="2.6 cents round up"),
        pytest.param("0.12", 1, "0.14", id="2.4 cents round down"),
        pytest.param("1", 1, "1.20", id="a whole dollar"),
        pytest.param("0.00", 1, "0.01", id="no reward"),
    ],
)
def test_a_hit_holds_reward_and_fee_of_every_assignment(
    inside: MTurkClient, make_hit: Callable[..., str], reward: str, assignments: int, held: str
) -> None:
    make_hit(reward=reward, MaxAssignments=assignments)

    assert balance(inside)[1] == held


def test_masters_cost_a_twentieth_more(
    inside: MTurkClient, properties: dict[str, Any], question: Callable[[], str]
) -> None:
    masters: Any = {"QualificationTypeId": "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "Comparator": "Exists"}
    inside.create_hit(
        **properties | {"Reward": "1.00"},
        LifetimeInSeconds=60,
        Question=question(),
        QualificationRequirements=[masters],
    )

    assert balance(inside)[1] == "1.25"


def test_one_s_own_crowd_costs_no_fee(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    served.fees = "none"
    make_hit(reward="0.10", MaxAssignments=3)

    assert balance(inside) == ("9999.70", "0.30")


def test_approval_pays_and_rejection_and_expiry_free_the_money(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(reward="0.10", MaxAssignments=3)
    for worker_id in ("A1", "A2"):
        worker.submit(served, worker.accept(served, hit_id, worker_id), worker_id, [("x", "1")])
    first, second = inside.list_assignments_for_hit(HITId=hit_id)["Assignments"]

    inside.approve_assignment(AssignmentId=first["AssignmentId"])
    approved = served.balance()
    inside.reject_assignment(AssignmentId=second["AssignmentId"], RequesterFeedback="empty")
    rejected = served.balance()
    inside.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    expired = served.balance()

    assert approved == ledger.Account("default", 999_964, 24, 10, 2, 1_000_000)
    assert rejected == ledger.Account("default", 999_976, 12, 10, 2, 1_000_000)
    assert expired == ledger.Account("default", 999_988, 0, 10, 2, 1_000_000)


def test_overriding_a_rejection_pays_from_what_is_available(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_id = make_hit(reward="0.10")
    assignment_id = worker.accept(served, hit_id, "A1")
    worker.submit(served, assignment_id, "A1", [("x", "1")])
    inside.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="")
    served.set_balance(11)
    override = {"AssignmentId": assignment_id, "OverrideRejection": True}

    assert refused(inside.approve_assignment, **override) == NO_FUNDS
    assert inside.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"] == (
        "Rejected"
    )
    served.set_balance(12)
    inside.approve_assignment(AssignmentId=assignment_id, OverrideRejection=True)
    assert served.balance() == ledger.Account("default", 0, 0, 10, 2, 12)


def test_a_hit_that_cannot_be_paid_is_not_made(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_type_id = client.get_hit(HITId=make_hit())["HIT"]["HITTypeId"]
    text = client.list_hits()["HITs"][0]["Question"]
    served.set_balance(17)
    wanted = {
        "HITTypeId": hit_type_id,
        "LifetimeInSeconds": 60,
        "Question": text,
        "MaxAssignments": 3,
        "UniqueRequestToken": "first",
    }

    assert refused(client.create_hit_with_hit_type, **wanted) == NO_FUNDS
    assert client.list_hits()["NumResults"] == 1
    served.set_balance(18)
    client.create_hit_with_hit_type(**wanted)  # type: ignore[arg-type]
    assert balance(client) == ("0.00", "0.24")


def test_more_assignments_hold_more_money(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_id = make_hit()
    served.set_balance(6)
    more = {"HITId": hit_id, "UniqueRequestToken": "t"}

    assert (
        refused(
            inside.create_additional_assignments_for_hit, **more, NumberOfAdditionalAssignments=2
        )
        == NO_FUNDS
    )
    inside.create_additional_assignments_for_hit(
        HITId=hit_id, UniqueRequestToken="t", NumberOfAdditionalAssignments=1
    )
    assert balance(inside) == ("0.00", "0.12")


def test_reviving_an_expired_hit_holds_its_money_again(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_id = make_hit()
    inside.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    later = served.clock.now().timestamp() + 600
    served.set_balance(5)

    assert refused(inside.update_expiration_for_hit, HITId=hit_id, ExpireAt=later) == NO_FUNDS
    assert inside.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Reviewable"


def test_a_balance_cannot_be_negative(served: service.Service) -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        served.set_balance(-1)


def test_other_fees_than_there_are_are_refused(served: service.Service) -> None:
    fees: Any = "some"
    with pytest.raises(ValueError, match='no fees "some"; there are mturk, none'):
        service.Service(served.store, fees=fees)
