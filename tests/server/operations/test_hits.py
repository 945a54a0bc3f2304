from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]

DAY = 86_400
SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
UNKNOWN = ("RequestError", "AWS.MechanicalTurk.HITDoesNotExist", "Hit ABC does not exist.")
# As many scripts write it; boto3's stubs know dates alone.
PAST: Any = 0


def invalid_state(status: str, allowed: str) -> tuple[str, str, str]:
    return (
        "RequestError",
        "AWS.MechanicalTurk.InvalidHITState",
        f"This HIT is currently in the state '{status}'.  "
        f"This operation can be called with a status of: {allowed}",
    )


def xml_error(details: str) -> str:
    return (
        "There was an error parsing the XML question or answer data in your request. Please make "
        "sure the data is well-formed and validates against the appropriate schema. "
        f"Details: {details}"
    )


def submit(served: service.Service, hit_id: str, worker_id: str) -> str:
    assignment_id = worker.accept(served, hit_id, worker_id)
    worker.submit(served, assignment_id, worker_id, [("comment", "red")])
    return assignment_id


def state(client: MTurkClient, hit_id: str) -> tuple[str, int, int, int]:
    hit = client.get_hit(HITId=hit_id)["HIT"]
    return (
        hit["HITStatus"],
        hit["NumberOfAssignmentsAvailable"],
        hit["NumberOfAssignmentsPending"],
        hit["NumberOfAssignmentsCompleted"],
    )


@pytest.fixture
def wanted(
    inside: MTurkClient, properties: dict[str, Any], question: Callable[[], str]
) -> dict[str, Any]:
    return {
        "HITTypeId": inside.create_hit_type(**properties)["HITTypeId"],
        "LifetimeInSeconds": 3600,
        "Question": question(),
    }


def test_a_new_hit_has_the_recorded_members(
    client: MTurkClient, wanted: dict[str, Any], served: service.Service
) -> None:
    before = int(served.clock.now().timestamp())
    hit: dict[str, Any] = dict(client.create_hit_with_hit_type(**wanted)["HIT"])

    created = hit.pop("CreationTime")
    assert before <= created.timestamp() <= before + 5
    assert hit.pop("Expiration") == created + datetime.timedelta(hours=1)
    ids = [hit.pop(name) for name in ("HITId", "HITGroupId")]
    assert all(re.fullmatch("3[A-Z0-9]{29}", one) for one in [*ids, wanted["HITTypeId"]])
    assert len({*ids, wanted["HITTypeId"]}) == 3
    assert hit == {
        "HITTypeId": wanted["HITTypeId"],
        "Title": "Name the colour",
        "Description": "Look at a picture and name its colour.",
        "Question": wanted["Question"],
        "HITStatus": "Assignable",
        "MaxAssignments": 1,
        "Reward": "0.05",
        "AutoApprovalDelayInSeconds": 2592000,
        "AssignmentDurationInSeconds": 600,
        "QualificationRequirements": [],
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": 0,
        "NumberOfAssignmentsAvailable": 1,
        "NumberOfAssignmentsCompleted": 0,
    }


def test_optional_members_come_back_as_they_were_sent(
    client: MTurkClient, properties: dict[str, Any], question: Callable[[str], str]
) -> None:
    text = question("<p>Line one\r\nline two & \N{SNOWMAN} <textarea name=a></textarea></p>")
    requirement = {
        "QualificationTypeId": "000000000000000000L0",
        "Comparator": "GreaterThan",
        "IntegerValues": [95],
    }
    made = client.create_hit(
        **properties,
        Keywords="colour, picture",
        LifetimeInSeconds=60,
        MaxAssignments=4,
        Question=text,
        RequesterAnnotation='row "7" \N{SNOWMAN}',
        QualificationRequirements=[requirement],  # type: ignore[list-item]
    )["HIT"]

    found = client.get_hit(HITId=made["HITId"])["HIT"]
    assert found == made
    assert client.list_hits()["HITs"] == [made]
    shown = {name: found.get(name) for name in ("Keywords", "RequesterAnnotation", "Question")}
    assert shown == {
        "Keywords": "colour, picture",
        "RequesterAnnotation": 'row "7" \N{SNOWMAN}',
        "Question": text,
    }
    assert found["QualificationRequirements"] == [
        requirement | {"RequiredToPreview": False, "ActionsGuarded": "Accept"}
    ]


def test_create_hit_uses_a_type_with_equal_properties(
    inside: MTurkClient, properties: dict[str, Any], wanted: dict[str, Any]
) -> None:
    with_type = inside.create_hit_with_hit_type(**wanted)["HIT"]
    del wanted["HITTypeId"]
    without = inside.create_hit(**properties, **wanted)["HIT"]

    assert (without["HITTypeId"], without["HITGroupId"]) == (
        with_type["HITTypeId"],
        with_type["HITGroupId"],
    )


def test_a_token_makes_one_hit_in_24_hours(
    client: MTurkClient, wanted: dict[str, Any], served: service.Service, refused: Refused
) -> None:
    wanted["UniqueRequestToken"] = "row-1"
    first = client.create_hit_with_hit_type(**wanted)["HIT"]["HITId"]
    duplicate = (
        "RequestError",
        "AWS.MechanicalTurk.HitAlreadyExists",
        f'The HIT with ID "{first}" already exists.',
    )

    assert refused(client.create_hit_with_hit_type, **wanted) == duplicate
    served.clock.advance(DAY - 60)
    assert refused(client.create_hit_with_hit_type, **wanted) == duplicate
    served.clock.advance(120)
    second = client.create_hit_with_hit_type(**wanted)["HIT"]["HITId"]
    assert [hit["HITId"] for hit in client.list_hits()["HITs"]] == [second, first]


def test_a_token_of_another_operation_is_another_token(
    inside: MTurkClient, wanted: dict[str, Any], properties: dict[str, Any]
) -> None:
    inside.create_hit_with_hit_type(**wanted, UniqueRequestToken="t")
    del wanted["HITTypeId"]
    inside.create_hit(**properties, **wanted, UniqueRequestToken="t")

    assert inside.list_hits()["NumResults"] == 2


def test_a_refused_request_does_not_use_its_token_up(
    inside: MTurkClient, wanted: dict[str, Any], refused: Refused
) -> None:
    wanted["UniqueRequestToken"] = "t"
    refused(inside.create_hit_with_hit_type, **wanted | {"MaxAssignments": 0})

    inside.create_hit_with_hit_type(**wanted)
    assert inside.list_hits()["NumResults"] == 1


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        (
            {"HITTypeId": "3XYZ"},
            (
                "RequestError",
                "AWS.MechanicalTurk.HITTypeDoesNotExist",
                "HIT type 3XYZ does not exist.",
            ),
        ),
        (
            {"LifetimeInSeconds": 29},
            (
                "ParameterValidationError",
                None,
                'The value "29" is not valid for the parameter LifetimeInSeconds.',
            ),
        ),
        (
            {"MaxAssignments": 1_000_000_001},
            (
                "ParameterValidationError",
                None,
                'The value "1000000001" is not valid for the parameter MaxAssignments.',
            ),
        ),
        (
            {"RequesterAnnotation": "x" * 256},
            (
                "ParameterValidationError",
                None,
                "Your request parameter RequesterAnnotation  has a maximum length of 255.",
            ),
        ),
        (
            {"Question": ""},
            (
                "ParameterValidationError",
                None,
                "Your request parameter Question  has a minimum length of 1.",
            ),
        ),
        (
            {"Question": "\N{SNOWMAN}" * 21_846},
            (
                "ParameterValidationError",
                None,
                "Your request parameter Question  has a maximum length of 65535.",
            ),
        ),
        (
            {"HITLayoutId": "3LAYOUT"},
            (
                "InvalidParameterCombinationError",
                None,
                "The combination of parameters supplied to the request is invalid: "
                "Question, HITLayoutId.",
            ),
        ),
        (
            {"HITReviewPolicy": {"PolicyName": "SimplePlurality/2011-09-01"}},
            (
                "ParameterValidationError",
                None,
                "Your request is missing required parameters. Required parameters include "
                "QuestionIds.",
            ),
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_hit_that_cannot_be_made_is_refused(
    client: MTurkClient,
    wanted: dict[str, Any],
    refused: Refused,
    changes: dict[str, Any],
    refusal: tuple[str, str | None, str],
) -> None:
    assert refused(client.create_hit_with_hit_type, **wanted | changes) == refusal
    assert client.list_hits()["HITs"] == []


def test_listing_pages_go_back_in_time_and_end_with_an_empty_one(
    client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    made = [make_hit() for _ in range(5)]
    pages = list(client.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 2}))

    found = [[hit["HITId"] for hit in page["HITs"]] for page in pages]
    assert found == [[made[4], made[3]], [made[2], made[1]], [made[0]], []]
    assert [page["NumResults"] for page in pages] == [2, 2, 1, 0]
    tokens = [page.get("NextToken", "") for page in pages]
    assert [len(token) for token in tokens] == [67, 67, 67, 0]


def test_a_page_holds_ten_hits_unless_asked(
    inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    for _ in range(11):
        make_hit()

    assert inside.list_hits()["NumResults"] == 10
    assert inside.list_hits(MaxResults=100)["NumResults"] == 11


@pytest.mark.parametrize("token", ["p1:AAAA", "x", "p1:\N{SNOWMAN}", "p1:" + "A" * 64])
def test_a_token_that_no_page_gave_is_refused(
    inside: MTurkClient, refused: Refused, token: str
) -> None:
    code, _, message = refused(inside.list_hits, NextToken=token)

    assert (code, message) == (
        "ParameterValidationError",
        f'The value "{token}" is not valid for the parameter NextToken.',
    )


def test_a_token_of_another_listing_is_refused(
    inside: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    make_hit()
    token = inside.list_hits()["NextToken"]

    assert refused(inside.list_reviewable_hits, NextToken=token)[0] == "ParameterValidationError"


def test_new_hits_are_listed_late_if_the_plan_says_so(
    client: MTurkClient, make_hit: Callable[..., str], served: service.Service
) -> None:
    hit_id = make_hit()
    served.faults.load("lag=30")

    early = client.list_hits()["NumResults"]
    got = client.get_hit(HITId=hit_id)["HIT"]["HITId"]
    served.clock.advance(30)

    assert (early, got, client.list_hits()["NumResults"]) == (0, hit_id, 1)


def test_the_counters_follow_the_guide_s_example(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    """The table of the developer guide, a HIT with five assignments."""
    hit_id = make_hit(MaxAssignments=5)
    assert state(client, hit_id) == ("Assignable", 5, 0, 0)
    taken = {f"A{n}": worker.accept(served, hit_id, f"A{n}") for n in (1, 2, 3)}
    assert state(client, hit_id) == ("Assignable", 2, 3, 0)
    taken |= {f"A{n}": worker.accept(served, hit_id, f"A{n}") for n in (4, 5)}
    for worker_id in ("A1", "A2"):
        worker.submit(served, taken[worker_id], worker_id, [])
    assert state(client, hit_id) == ("Unassignable", 0, 3, 0)
    worker.return_hit(served, taken["A3"], "A3")
    assert state(client, hit_id) == ("Assignable", 1, 2, 0)
    taken["A6"] = worker.accept(served, hit_id, "A6")
    for worker_id in ("A4", "A5", "A6"):
        worker.submit(served, taken[worker_id], worker_id, [])
    assert state(client, hit_id) == ("Reviewable", 0, 0, 0)
    for assignment in client.list_assignments_for_hit(HITId=hit_id)["Assignments"]:
        client.approve_assignment(AssignmentId=assignment["AssignmentId"])
    assert state(client, hit_id) == ("Reviewable", 0, 0, 5)


def test_an_expired_hit_keeps_its_unused_assignments(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    served.clock.advance(3600)

    assert state(client, hit_id) == ("Reviewable", 2, 0, 0)


def test_a_worker_who_accepted_before_the_expiry_may_still_submit(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    assignment_id = worker.accept(served, hit_id, "A1")
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=datetime.datetime(2020, 1, 1))

    assert state(client, hit_id) == ("Unassignable", 1, 1, 0)
    worker.submit(served, assignment_id, "A1", [])
    assert state(client, hit_id) == ("Reviewable", 1, 0, 0)


def test_a_hit_expired_by_hand_says_when(
    client: MTurkClient, make_hit: Callable[..., str], served: service.Service
) -> None:
    hit_id = make_hit()
    before = int(served.clock.now().timestamp())
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    first = client.get_hit(HITId=hit_id)["HIT"]["Expiration"]
    served.clock.advance(60)
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)

    assert before <= first.timestamp() <= before + 5
    assert client.get_hit(HITId=hit_id)["HIT"]["Expiration"] == first


def test_a_later_expiration_makes_a_reviewable_hit_assignable_again(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    client.update_hit_review_status(HITId=hit_id)
    assert state(client, hit_id)[0] == "Reviewing"
    later = served.clock.now() + datetime.timedelta(days=2)

    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=later)

    assert state(client, hit_id) == ("Assignable", 2, 0, 0)
    assert client.get_hit(HITId=hit_id)["HIT"]["Expiration"] == later.replace(microsecond=0)
    served.clock.advance(2 * DAY)
    assert state(client, hit_id) == ("Reviewable", 2, 0, 0)


def test_an_expiration_more_than_a_year_ahead_is_refused(
    inside: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    code, _, message = refused(
        inside.update_expiration_for_hit, HITId=make_hit(), ExpireAt=9_999_999_999
    )

    assert (code, message) == (
        "ParameterValidationError",
        'The value "9999999999" is not valid for the parameter ExpireAt.',
    )


def test_abandoned_work_can_be_accepted_by_somebody_else(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit()
    late = worker.accept(served, hit_id, "A1")
    served.clock.advance(600)

    assert state(client, hit_id) == ("Assignable", 1, 0, 0)
    with pytest.raises(worker.WorkerError, match="it is abandoned"):
        worker.submit(served, late, "A1", [])
    submit(served, hit_id, "A2")
    assert state(client, hit_id) == ("Reviewable", 0, 0, 0)


def test_more_assignments_make_a_full_hit_assignable_again(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit()
    submit(served, hit_id, "A1")
    client.create_additional_assignments_for_hit(HITId=hit_id, NumberOfAdditionalAssignments=2)

    assert state(client, hit_id) == ("Assignable", 2, 0, 0)


def test_a_hit_is_extended_once_for_a_token(
    client: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    wanted: dict[str, Any] = {
        "HITId": make_hit(),
        "NumberOfAdditionalAssignments": 2,
        "UniqueRequestToken": "t",
    }
    reply: Any = client.create_additional_assignments_for_hit(**wanted)
    first = reply["ResponseMetadata"]["RequestId"]

    assert refused(client.create_additional_assignments_for_hit, **wanted) == (
        "RequestError",
        "AWS.MechanicalTurk.DuplicateCall",
        "The idempotency token of this request was used before, by the request with the ID "
        f'"{first}".',
    )
    assert state(client, wanted["HITId"]) == ("Assignable", 3, 0, 0)


def test_fewer_than_ten_assignments_never_become_ten(
    inside: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    small, large = make_hit(MaxAssignments=9), make_hit(MaxAssignments=10)

    assert refused(
        inside.create_additional_assignments_for_hit, HITId=small, NumberOfAdditionalAssignments=1
    ) == (
        "RequestError",
        "AWS.MechanicalTurk.InvalidMaximumAssignmentsIncrease",
        "HITs created with fewer than 10 assignments cannot be extended to have 10 or more "
        "assignments.",
    )
    inside.create_additional_assignments_for_hit(HITId=large, NumberOfAdditionalAssignments=1)
    assert state(inside, large) == ("Assignable", 11, 0, 0)


def test_reviewing_is_a_mark_that_can_be_taken_back(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_id = make_hit()
    assert refused(client.update_hit_review_status, HITId=hit_id) == invalid_state(
        "Assignable", "Reviewable"
    )
    submit(served, hit_id, "A1")
    client.update_hit_review_status(HITId=hit_id)

    assert refused(client.update_hit_review_status, HITId=hit_id) == invalid_state(
        "Reviewing", "Reviewable"
    )
    listed = client.list_reviewable_hits(Status="Reviewing")["HITs"]
    assert [hit["HITId"] for hit in listed] == [hit_id]
    client.update_hit_review_status(HITId=hit_id, Revert=True)
    assert state(client, hit_id)[0] == "Reviewable"
    assert refused(client.update_hit_review_status, HITId=hit_id, Revert=True) == invalid_state(
        "Reviewable", "Reviewing"
    )


def test_reviewable_hits_are_listed_by_type(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    first, _open, second = make_hit(), make_hit(), make_hit(Title="Another")
    for hit_id in (first, second):
        submit(served, hit_id, "A1")
    hit_type_id = client.get_hit(HITId=second)["HIT"]["HITTypeId"]

    listed = client.list_reviewable_hits()["HITs"]
    of_type = client.list_reviewable_hits(HITTypeId=hit_type_id)["HITs"]

    assert [hit["HITId"] for hit in listed] == [second, first]
    assert [hit["HITId"] for hit in of_type] == [second]
    assert refused(client.list_reviewable_hits, HITTypeId="3XYZ")[1] == (
        "AWS.MechanicalTurk.HITTypeDoesNotExist"
    )


def test_a_hit_is_deleted_when_all_its_work_is_reviewed(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    assignment_id = submit(served, hit_id, "A1")
    deletable = "Reviewing, Reviewable"

    assert refused(client.delete_hit, HITId=hit_id) == invalid_state("Assignable", deletable)
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    assert refused(client.delete_hit, HITId=hit_id) == invalid_state("Reviewable", deletable)
    client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="no")
    client.delete_hit(HITId=hit_id)

    assert refused(client.delete_hit, HITId=hit_id) == invalid_state("Disposed", deletable)
    assert state(client, hit_id) == ("Disposed", 1, 0, 1)
    assert client.list_hits()["HITs"] == []
    assert client.list_reviewable_hits()["HITs"] == []


def test_a_deleted_hit_allows_nothing_more(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_id = make_hit()
    inside.update_expiration_for_hit(HITId=hit_id, ExpireAt=PAST)
    inside.delete_hit(HITId=hit_id)
    alive = "Assignable, Unassignable, Reviewable, Reviewing"
    disposed = invalid_state("Disposed", alive)

    assert refused(inside.update_expiration_for_hit, HITId=hit_id, ExpireAt=PAST) == disposed
    assert (
        refused(
            inside.create_additional_assignments_for_hit,
            HITId=hit_id,
            NumberOfAdditionalAssignments=1,
        )
        == disposed
    )
    assert refused(inside.list_assignments_for_hit, HITId=hit_id)[1] == (
        "AWS.MechanicalTurk.HITDoesNotExist"
    )
    with pytest.raises(worker.WorkerError, match=f"There is no HIT {hit_id}"):
        worker.accept(served, hit_id, "A1")


def test_a_hit_is_disposed_of_120_days_after_it_became_reviewable(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    submit(served, hit_id, "A1")
    served.clock.advance(120 * DAY + 3590)
    before = state(client, hit_id)
    served.clock.advance(20)

    assert before == ("Reviewable", 1, 0, 1)
    assert state(client, hit_id) == ("Disposed", 1, 0, 1)
    assert client.list_hits()["HITs"] == []
    assert served.balance().held_cents == 0


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_hit", {}),
        ("delete_hit", {}),
        ("update_expiration_for_hit", {"ExpireAt": 0}),
        ("create_additional_assignments_for_hit", {"NumberOfAdditionalAssignments": 1}),
        ("update_hit_review_status", {}),
        ("list_assignments_for_hit", {}),
    ],
)
def test_an_unknown_hit_is_refused(
    client: MTurkClient, refused: Refused, operation: str, parameters: dict[str, Any]
) -> None:
    assert refused(getattr(client, operation), HITId="ABC", **parameters) == UNKNOWN
