from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from turkbatch.server import faults, service

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("", faults.Plan()),
        ("*:throttle", faults.Plan((faults.Rule("*", "throttle"),))),
        ("GetHIT:500@3", faults.Plan((faults.Rule("GetHIT", "500", 3, 3),))),
        ("GetHIT:503@2-4", faults.Plan((faults.Rule("GetHIT", "503", 2, 4),))),
        ("GetHIT:funds@10+", faults.Plan((faults.Rule("GetHIT", "funds", 10, None),))),
        (
            "*:reset-after%0.05",
            faults.Plan((faults.Rule("*", "reset-after", share=0.05),)),
        ),
        (
            "*:hang-before@1,\nGetHIT:hang-after@2 lag=30 latency=0.05; rate=20 seed=7",
            faults.Plan(
                (
                    faults.Rule("*", "hang-before", 1, 1),
                    faults.Rule("GetHIT", "hang-after", 2, 2),
                ),
                lag=30,
                latency=0.05,
                rate=20,
                seed=7,
            ),
        ),
    ],
)
def test_a_plan_reads_back_as_it_was_written(text: str, plan: faults.Plan) -> None:
    assert faults.parse(text) == plan
    assert faults.parse(str(plan)) == plan


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("GetHIT", '"GetHIT" is no fault'),
        ("GetHIT:explode", 'no kind "explode"'),
        ("GetHIT:500@0", "counted from 1 upwards"),
        ("GetHIT:500@4-2", "counted from 1 upwards"),
        ("GetHIT:500%1.5", "a number from 0 to 1"),
        ("GetHIT:500%1.2.3", "a number from 0 to 1"),
        ("lag=long", '"lag=long" is no fault'),
    ],
)
def test_a_part_that_cannot_be_read_is_named(
    served: service.Service, text: str, reason: str
) -> None:
    served.faults.load("*:throttle")

    with pytest.raises(ValueError, match=reason):
        served.faults.load(text)
    assert str(served.faults.plan) == "*:throttle"


def test_a_throttled_call_is_not_done(
    served: service.Service, client: MTurkClient, properties: dict[str, Any], refused: Refused
) -> None:
    served.faults.load("CreateHITType:throttle@2")
    client.create_hit_type(**properties)

    assert refused(client.create_hit_type, **properties) == (
        "ThrottlingException",
        None,
        "Rate exceeded",
    )
    client.create_hit_type(**properties)


def test_a_fault_of_the_service_has_its_form(
    served: service.Service, client: MTurkClient, refused: Refused
) -> None:
    served.faults.load("*:500@1")

    assert refused(client.list_hits) == (
        "ServiceFault",
        "AWS.ServiceUnavailable",
        "Amazon Mechanical Turk is temporarily unable to process your request. Try your call "
        "again.",
    )


def test_a_503_has_no_body(served: service.Service, client: MTurkClient) -> None:
    served.faults.load("*:503@1")

    with pytest.raises(ClientError, match=r"An error occurred .503.*Service Unavailable") as caught:
        client.list_hits()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_money_can_run_out_half_way(
    served: service.Service, make_hit: Callable[..., str], inside: MTurkClient
) -> None:
    served.faults.load("CreateHITWithHITType:funds@3+")
    make_hit()
    make_hit()

    with pytest.raises(inside.exceptions.RequestError, match="insufficient funds"):
        make_hit()
    assert inside.list_hits()["NumResults"] == 2


@pytest.mark.parametrize(
    ("kind", "made", "error"),
    [
        ("reset-before", 0, ConnectionClosedError),
        ("reset-after", 1, ConnectionClosedError),
        ("hang-before", 0, ReadTimeoutError),
        ("hang-after", 1, ReadTimeoutError),
    ],
)
def test_a_lost_reply_leaves_the_work_done_or_not(
    served: service.Service,
    client: MTurkClient,
    make_hit: Callable[..., str],
    kind: str,
    made: int,
    error: type[Exception],
) -> None:
    hit = client.get_hit(HITId=make_hit())["HIT"]
    served.faults.load(f"CreateHITWithHITType:{kind}@1")

    with pytest.raises(error, match="endpoint URL"):
        client.create_hit_with_hit_type(
            HITTypeId=hit["HITTypeId"], LifetimeInSeconds=60, Question=hit["Question"]
        )
    assert client.list_hits()["NumResults"] == 1 + made


def test_a_share_of_the_calls_falls_the_same_for_the_same_seed() -> None:
    def fallen(seed: int) -> list[bool]:
        plan = faults.Faults(f"*:500%0.3 seed={seed}")
        return [plan.befalls("GetHIT") is not None for _ in range(200)]

    assert fallen(1) == fallen(1) != fallen(2)
    assert 30 < sum(fallen(1)) < 90


def test_calls_are_counted_for_each_rule_since_the_plan_was_loaded() -> None:
    plan = faults.Faults()
    plan.befalls("GetHIT")
    plan.load("GetHIT:500@2 *:503@3")

    assert [plan.befalls(name) for name in ("GetHIT", "GetHIT", "ListHITs", "GetHIT")] == [
        None,
        "500",
        "503",
        None,
    ]
    assert plan.calls() == {"GetHIT": 4, "ListHITs": 1}
    plan.reset_calls()
    assert plan.calls() == {}


def test_a_rate_lets_a_second_s_worth_through_and_throttles_the_rest() -> None:
    plan = faults.Faults("rate=5")
    answers = [plan.befalls("GetHIT") for _ in range(8)]

    assert answers[:5] == [None] * 5
    assert answers[6:] == ["throttle"] * 2


def test_latency_is_added_to_each_reply(served: service.Service, client: MTurkClient) -> None:
    client.list_hits()
    served.faults.load("latency=0.2")
    begin = time.monotonic()
    client.list_hits()

    assert time.monotonic() - begin >= 0.2


def test_a_cleared_plan_does_nothing(served: service.Service, client: MTurkClient) -> None:
    served.faults.load("*:500 lag=3")
    served.faults.clear()

    assert client.list_hits()["NumResults"] == 0
    assert served.faults.plan == faults.Plan()


def test_a_service_may_begin_with_a_plan(served: service.Service) -> None:
    assert service.Service(served.store, faults="lag=3").faults.plan == faults.Plan(lag=3)
