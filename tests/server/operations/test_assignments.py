from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]

DAY = 86_400
UNKNOWN = (
    "RequestError",
    "AWS.MechanicalTurk.AssignmentDoesNotExist",
    "Assignment 123 does not exist.",
)
NOT_SUBMITTED = (
    "RequestError",
    "AWS.MechanicalTurk.InvalidAssignmentState",
    "This operation can be called with a status of: Submitted",
)
Submit = Callable[..., str]


@pytest.fixture
def submit(served: service.Service) -> Submit:
    def act(hit_id: str, worker_id: str = "A1") -> str:
        assignment_id = worker.accept(served, hit_id, worker_id)
        worker.submit(served, assignment_id, worker_id, [("comment", "red")])
        return assignment_id

    return act


def assignment(client: MTurkClient, assignment_id: str) -> Any:
    return client.get_assignment(AssignmentId=assignment_id)["Assignment"]


def test_a_submitted_assignment_has_the_members_of_the_api(
    client: MTurkClient, served: service.Service, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(AutoApprovalDelayInSeconds=3 * DAY)
    accepted = worker.accept(served, hit_id, "A1")
    served.clock.advance(90)
    worker.submit(served, accepted, "A1", [("comment", "red")])

    reply: Any = client.get_assignment(AssignmentId=accepted)
    found = reply["Assignment"]
    accept_time = found.pop("AcceptTime")
    submit_time = found.pop("SubmitTime")
    assert 90 <= (submit_time - accept_time).total_seconds() <= 92
    assert found.pop("AutoApprovalTime") == submit_time + datetime.timedelta(days=3)
    assert found.pop("Deadline") == accept_time + datetime.timedelta(minutes=10)
    assert found == {
        "AssignmentId": accepted,
        "WorkerId": "A1",
        "HITId": hit_id,
        "AssignmentStatus": "Submitted",
        "Answer": (
            '<?xml version="1.0" encoding="ASCII"?><QuestionFormAnswers xmlns="'
            "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/"
            'QuestionFormAnswers.xsd"><Answer><QuestionIdentifier>comment</QuestionIdentifier>'
            "<FreeText>red</FreeText></Answer></QuestionFormAnswers>"
        ),
    }
    assert reply["HIT"] == client.get_hit(HITId=hit_id)["HIT"]


def test_approval_shows_its_time_and_feedback(
    client: MTurkClient, make_hit: Callable[..., str], submit: Submit
) -> None:
    assignment_id = submit(make_hit())
    client.approve_assignment(AssignmentId=assignment_id, RequesterFeedback="well done")

    found = assignment(client, assignment_id)
    assert (found["AssignmentStatus"], found["RequesterFeedback"]) == ("Approved", "well done")
    assert found["ApprovalTime"] >= found["SubmitTime"]
    assert "RejectionTime" not in found


def test_rejection_shows_its_time_and_feedback_which_may_be_empty(
    client: MTurkClient, make_hit: Callable[..., str], submit: Submit
) -> None:
    assignment_id = submit(make_hit())
    client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="")

    found = assignment(client, assignment_id)
    assert (found["AssignmentStatus"], found["RequesterFeedback"]) == ("Rejected", "")
    assert found["RejectionTime"] >= found["SubmitTime"]
    assert "ApprovalTime" not in found


@pytest.mark.parametrize("operation", ["approve_assignment", "reject_assignment"])
def test_what_was_reviewed_is_not_reviewed_again(
    client: MTurkClient,
    make_hit: Callable[..., str],
    submit: Submit,
    refused: Refused,
    operation: str,
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    approved, rejected = submit(hit_id, "A1"), submit(hit_id, "A2")
    client.approve_assignment(AssignmentId=approved)
    client.reject_assignment(AssignmentId=rejected, RequesterFeedback="no")

    for assignment_id in (approved, rejected):
        parameters = {"AssignmentId": assignment_id, "RequesterFeedback": "again"}
        assert refused(getattr(client, operation), **parameters) == NOT_SUBMITTED
    assert assignment(client, rejected)["RequesterFeedback"] == "no"


def test_a_rejection_can_be_overridden_for_30_days(
    client: MTurkClient,
    served: service.Service,
    make_hit: Callable[..., str],
    submit: Submit,
    refused: Refused,
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    first, second = submit(hit_id, "A1"), submit(hit_id, "A2")
    for assignment_id in (first, second):
        client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="no")
    served.clock.advance(30 * DAY - 60)
    client.approve_assignment(AssignmentId=first, OverrideRejection=True)
    served.clock.advance(120)

    found = assignment(client, first)
    assert (found["AssignmentStatus"], found["RequesterFeedback"]) == ("Approved", "no")
    assert "RejectionTime" not in found
    override = {"AssignmentId": second, "OverrideRejection": True}
    assert refused(client.approve_assignment, **override) == NOT_SUBMITTED
    hit = client.get_hit(HITId=hit_id)["HIT"]
    assert hit["NumberOfAssignmentsCompleted"] == 2


def test_the_override_does_no_harm_on_submitted_work_and_none_on_approved(
    inside: MTurkClient, make_hit: Callable[..., str], submit: Submit, refused: Refused
) -> None:
    override = {"AssignmentId": submit(make_hit()), "OverrideRejection": True}
    inside.approve_assignment(**override)  # type: ignore[arg-type]

    assert refused(inside.approve_assignment, **override) == NOT_SUBMITTED


def test_work_that_nobody_reviews_is_approved_by_itself(
    client: MTurkClient,
    served: service.Service,
    make_hit: Callable[..., str],
    submit: Submit,
    refused: Refused,
) -> None:
    assignment_id = submit(make_hit(AutoApprovalDelayInSeconds=3600))
    served.clock.advance(3500)
    before = assignment(client, assignment_id)["AssignmentStatus"]
    served.clock.advance(7 * DAY)

    found = assignment(client, assignment_id)
    assert (before, found["AssignmentStatus"]) == ("Submitted", "Approved")
    assert found["ApprovalTime"] == found["AutoApprovalTime"]
    assert refused(client.approve_assignment, AssignmentId=assignment_id) == NOT_SUBMITTED
    assert served.balance().paid_cents == 5


def test_no_delay_approves_on_submission(
    client: MTurkClient, make_hit: Callable[..., str], submit: Submit
) -> None:
    assignment_id = submit(make_hit(AutoApprovalDelayInSeconds=0))

    found = assignment(client, assignment_id)
    assert (found["AssignmentStatus"], found["ApprovalTime"]) == ("Approved", found["SubmitTime"])


def test_assignments_are_listed_in_the_order_of_submission(
    client: MTurkClient, make_hit: Callable[..., str], submit: Submit
) -> None:
    hit_id = make_hit(MaxAssignments=6)
    submitted = [submit(hit_id, f"A{number}") for number in range(5)]
    client.approve_assignment(AssignmentId=submitted[1])
    client.reject_assignment(AssignmentId=submitted[3], RequesterFeedback="no")
    pages = client.get_paginator("list_assignments_for_hit").paginate(
        HITId=hit_id, PaginationConfig={"PageSize": 2}
    )
    listed = [[one["AssignmentId"] for one in page["Assignments"]] for page in pages]

    assert listed == [submitted[:2], submitted[2:4], submitted[4:], []]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["Submitted"], [0]),
        (["Approved"], [1]),
        (["Rejected"], [2]),
        (["Rejected", "Submitted"], [0, 2]),
        ([], [0, 1, 2]),
    ],
)
def test_assignments_are_listed_by_status(
    inside: MTurkClient,
    make_hit: Callable[..., str],
    submit: Submit,
    statuses: list[Any],
    expected: list[int],
) -> None:
    hit_id = make_hit(MaxAssignments=3)
    submitted = [submit(hit_id, f"A{number}") for number in range(3)]
    inside.approve_assignment(AssignmentId=submitted[1])
    inside.reject_assignment(AssignmentId=submitted[2], RequesterFeedback="no")

    found = inside.list_assignments_for_hit(HITId=hit_id, AssignmentStatuses=statuses)

    assert [one["AssignmentId"] for one in found["Assignments"]] == [
        submitted[number] for number in expected
    ]


def test_accepted_and_returned_assignments_are_not_shown(
    client: MTurkClient, served: service.Service, make_hit: Callable[..., str], refused: Refused
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    accepted, returned = (worker.accept(served, hit_id, name) for name in ("A1", "A2"))
    worker.return_hit(served, returned, "A2")
    reply: Any = client.list_assignments_for_hit(HITId=hit_id)
    del reply["ResponseMetadata"]

    assert reply == {"NumResults": 0, "Assignments": []}
    for assignment_id in (accepted, returned):
        assert refused(client.get_assignment, AssignmentId=assignment_id) == (
            "RequestError",
            "AWS.MechanicalTurk.InvalidAssignmentState",
            "This operation can be called with a status of: Reviewable,Approved,Rejected",
        )
        assert refused(client.approve_assignment, AssignmentId=assignment_id) == NOT_SUBMITTED


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        ("x" * 1025, "Your request parameter RequesterFeedback  has a maximum length of 1024."),
        ("a\x0bb", 'The value "a\x0bb" is not valid for the parameter RequesterFeedback.'),
    ],
)
@pytest.mark.parametrize("operation", ["approve_assignment", "reject_assignment"])
def test_feedback_out_of_bounds_is_refused(
    inside: MTurkClient,
    make_hit: Callable[..., str],
    submit: Submit,
    refused: Refused,
    operation: str,
    feedback: str,
    message: str,
) -> None:
    assignment_id = submit(make_hit())
    parameters = {"AssignmentId": assignment_id, "RequesterFeedback": feedback}
    code, _, text = refused(getattr(inside, operation), **parameters)

    assert (code, text) == ("ParameterValidationError", message)
    assert assignment(inside, assignment_id)["AssignmentStatus"] == "Submitted"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_assignment", {}),
        ("approve_assignment", {}),
        ("reject_assignment", {"RequesterFeedback": "no"}),
    ],
)
def test_an_unknown_assignment_is_refused(
    client: MTurkClient, refused: Refused, operation: str, parameters: dict[str, Any]
) -> None:
    assert refused(getattr(client, operation), AssignmentId="123", **parameters) == UNKNOWN


def test_assignments_of_a_deleted_hit_are_gone(
    inside: MTurkClient, make_hit: Callable[..., str], submit: Submit, refused: Refused
) -> None:
    hit_id = make_hit()
    assignment_id = submit(hit_id)
    inside.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="no")
    inside.delete_hit(HITId=hit_id)
    override = {"AssignmentId": assignment_id, "OverrideRejection": True}

    gone = (*UNKNOWN[:2], f"Assignment {assignment_id} does not exist.")
    assert refused(inside.get_assignment, AssignmentId=assignment_id) == gone
    assert refused(inside.approve_assignment, **override) == gone
