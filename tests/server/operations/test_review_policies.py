"""Review policies through boto3: what they find, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]


def known(answers: dict[str, list[str]], **more: str) -> dict[str, Any]:
    entries = [{"Key": key, "Values": values} for key, values in answers.items()]
    return {
        "PolicyName": "ScoreMyKnownAnswers/2011-09-01",
        "Parameters": [{"Key": "AnswerKey", "MapEntries": entries}, *plain(more)],
    }


def plurality(*questions: str, **more: str) -> dict[str, Any]:
    more = {"QuestionAgreementThreshold": "50"} | more
    return {
        "PolicyName": "SimplePlurality/2011-09-01",
        "Parameters": [{"Key": "QuestionIds", "Values": list(questions)}, *plain(more)],
    }


def plain(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Values": [value]} for key, value in values.items()]


def submit(served: service.Service, hit_id: str, worker_id: str, **answers: str) -> str:
    assignment_id = worker.accept(served, hit_id, worker_id)
    worker.submit(served, assignment_id, worker_id, list(answers.items()))
    return assignment_id


def states(client: MTurkClient, hit_id: str) -> dict[str, str]:
    listed = client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    return {one["WorkerId"]: one["AssignmentStatus"] for one in listed}


def results(client: MTurkClient, hit_id: str, level: str) -> set[tuple[str, str | None, str, str]]:
    reply: Any = client.list_review_policy_results_for_hit(HITId=hit_id)
    return {
        (one["SubjectId"], one.get("QuestionId"), one["Key"], one["Value"])
        for one in reply[f"{level}ReviewReport"]["ReviewResults"]
    }


def actions(client: MTurkClient, hit_id: str, level: str) -> list[tuple[str, str, str, str]]:
    reply: Any = client.list_review_policy_results_for_hit(HITId=hit_id, RetrieveResults=False)
    return [
        (one["ActionName"], one["TargetId"], one["Status"], one.get("ErrorCode", one["Result"]))
        for one in reply[f"{level}ReviewReport"]["ReviewActions"]
    ]


def test_known_answers_approve_and_reject_at_submission(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    policy = known(
        {"colour": ["red"], "shapes": ["round", "flat"]},
        ApproveIfKnownAnswerScoreIsAtLeast="100",
        ApproveReason="well done",
        RejectIfKnownAnswerScoreIsLessThan="50",
        RejectReason="wrong",
    )
    hit_id = make_hit(MaxAssignments=4, AssignmentReviewPolicy=policy)
    good = submit(served, hit_id, "A1", colour=" red ", shapes="flat|round")
    half = submit(served, hit_id, "A2", colour="red", shapes="round")
    bad = submit(served, hit_id, "A3", colour="Red")

    assert states(client, hit_id) == {"A1": "Approved", "A2": "Submitted", "A3": "Rejected"}
    found = client.get_assignment(AssignmentId=bad)["Assignment"]
    assert found["RequesterFeedback"] == "wrong"
    assert results(client, hit_id, "Assignment") == {
        (good, "colour", "KnownAnswerCorrect", "1"),
        (good, "shapes", "KnownAnswerCorrect", "1"),
        (good, None, "KnownAnswerScore", "100"),
        (half, "colour", "KnownAnswerCorrect", "1"),
        (half, "shapes", "KnownAnswerCorrect", "0"),
        (half, None, "KnownAnswerScore", "50"),
        (bad, "colour", "KnownAnswerCorrect", "0"),
        (bad, "shapes", "KnownAnswerCorrect", "0"),
        (bad, None, "KnownAnswerScore", "0"),
    }
    assert actions(client, hit_id, "Assignment") == [
        ("review", good, "Succeeded", "Reviewed 2 known answers; 2/2 correct"),
        ("approve", good, "Succeeded", "Approved"),
        ("review", half, "Succeeded", "Reviewed 2 known answers; 1/2 correct"),
        ("review", bad, "Succeeded", "Reviewed 2 known answers; 0/2 correct"),
        ("reject", bad, "Succeeded", "Rejected"),
    ]
    assert served.balance().paid_cents == 5


def test_known_answers_extend_up_to_a_ceiling(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    policy = known(
        {"q": ["x"]},
        ExtendIfKnownAnswerScoreIsLessThan="100",
        ExtendMaximumAssignments="2",
        ExtendMinimumTimeInSeconds="7200",
    )
    hit_id = make_hit(AssignmentReviewPolicy=policy)
    submit(served, hit_id, "A1", q="y")
    extended = inside.get_hit(HITId=hit_id)["HIT"]
    submit(served, hit_id, "A2", q="y")
    after = inside.get_hit(HITId=hit_id)["HIT"]

    assert (extended["HITStatus"], extended["MaxAssignments"]) == ("Assignable", 2)
    lasts = extended["Expiration"] - extended["CreationTime"]
    assert 7200 <= lasts.total_seconds() < 7260
    assert (after["HITStatus"], after["MaxAssignments"]) == ("Reviewable", 2)
    assert [name for name, *_ in actions(inside, hit_id, "Assignment")] == [
        "review",
        "extend",
        "review",
    ]


def test_an_extension_that_cannot_be_paid_is_written_down_as_failed(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    policy = known({"q": ["x"]}, ExtendIfKnownAnswerScoreIsLessThan="100")
    hit_id = make_hit(AssignmentReviewPolicy=policy)
    served.set_balance(0)
    submit(served, hit_id, "A1", q="y")

    assert actions(inside, hit_id, "Assignment")[-1] == (
        "extend",
        hit_id,
        "Failed",
        "AWS.MechanicalTurk.InsufficientFunds",
    )
    assert inside.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Reviewable"


def test_the_plurality_is_worked_out_as_in_the_documentation(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    policy = plurality(
        "q1",
        "q2",
        "q3",
        "q4",
        ApproveIfWorkerAgreementScoreIsAtLeast="100",
        RejectIfWorkerAgreementScoreIsLessThan="67",
        RejectReason="alone",
    )
    hit_id = make_hit(MaxAssignments=3, HITReviewPolicy=policy)
    one = submit(served, hit_id, "A1", q1="a", q2="b", q3="c", q4="d")
    two = submit(served, hit_id, "A2", q1="a", q2="b", q3="x", q4="e")
    assert client.list_review_policy_results_for_hit(HITId=hit_id)["HITReviewReport"] == {
        "ReviewResults": [],
        "ReviewActions": [],
    }
    three = submit(served, hit_id, "A3", q1="a", q2="y", q3="c", q4="x" * 257)

    found = results(client, hit_id, "HIT")
    scores = {(subject, key): value for subject, question, key, value in found if not question}
    assert scores == {
        (hit_id, "HitAgreementScore"): "75",
        (one, "WorkerAgreementScore"): "100",
        (one, "PluralityAnswersCorrect"): "3",
        (one, "PluralityAnswersIncorrect"): "0",
        (two, "WorkerAgreementScore"): "66",
        (two, "PluralityAnswersCorrect"): "2",
        (two, "PluralityAnswersIncorrect"): "1",
        (three, "WorkerAgreementScore"): "66",
        (three, "PluralityAnswersCorrect"): "2",
        (three, "PluralityAnswersIncorrect"): "1",
    }
    of_questions = {(question, key): value for _, question, key, value in found if question}
    assert of_questions == {
        ("q1", "AgreedAnswerFound"): "1",
        ("q1", "AgreedAnswer"): "a",
        ("q1", "AnswerAgreementScore"): "100",
        ("q2", "AgreedAnswerFound"): "1",
        ("q2", "AgreedAnswer"): "b",
        ("q2", "AnswerAgreementScore"): "66",
        ("q3", "AgreedAnswerFound"): "1",
        ("q3", "AgreedAnswer"): "c",
        ("q3", "AnswerAgreementScore"): "66",
        ("q4", "AgreedAnswerFound"): "0",
        ("q4", "AnswerAgreementScore"): "33",
    }
    assert states(client, hit_id) == {"A1": "Approved", "A2": "Rejected", "A3": "Rejected"}


def test_the_plurality_runs_again_after_an_extension_and_meets_what_is_decided(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    policy = plurality(
        "q",
        ApproveIfWorkerAgreementScoreIsAtLeast="1",
        RejectIfWorkerAgreementScoreIsLessThan="1",
        ExtendIfHITAgreementScoreIsLessThan="100",
        ExtendMaximumAssignments="3",
        ExtendMinimumTimeInSeconds="60",
    )
    hit_id = make_hit(MaxAssignments=2, HITReviewPolicy=policy)
    first, second = (submit(served, hit_id, name, q=name) for name in ("A1", "A2"))
    assert inside.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Assignable"
    third = submit(served, hit_id, "A3", q="A1")

    assert actions(inside, hit_id, "HIT") == [
        ("review", hit_id, "Succeeded", "Compared 2 assignments"),
        ("approve", first, "Succeeded", "Approved"),
        ("approve", second, "Succeeded", "Approved"),
        ("extend", hit_id, "Succeeded", "Extended to 3 assignments"),
        ("review", hit_id, "Succeeded", "Compared 3 assignments"),
        ("approve", first, "Succeeded", "Already approved"),
        ("reject", second, "Failed", "AWS.MechanicalTurk.InvalidAssignmentState"),
        ("approve", third, "Succeeded", "Approved"),
    ]


def test_a_hit_that_expires_is_compared_at_that_moment(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    policy = plurality("q", ApproveIfWorkerAgreementScoreIsAtLeast="100")
    hit_id = make_hit(MaxAssignments=3, HITReviewPolicy=policy, AutoApprovalDelayInSeconds=4_000)
    submit(served, hit_id, "A1", q="x")
    served.clock.advance(90 * 86_400)
    hit = inside.get_hit(HITId=hit_id)["HIT"]
    [assignment] = inside.list_assignments_for_hit(HITId=hit_id)["Assignments"]

    assert assignment["ApprovalTime"] == hit["Expiration"]
    reply = inside.list_review_policy_results_for_hit(HITId=hit_id)
    assert reply["HITReviewReport"]["ReviewActions"][0]["CompleteTime"] == hit["Expiration"]


def test_work_is_left_out_by_rejection_and_by_known_answers(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(
        MaxAssignments=3,
        AssignmentReviewPolicy=known({"k": ["1"]}),
        HITReviewPolicy=plurality(
            "q",
            DisregardAssignmentIfRejected="T",
            DisregardAssignmentIfKnownAnswerScoreIsLessThan="100",
        ),
    )
    rejected = submit(served, hit_id, "A1", k="1", q="a")
    inside.reject_assignment(AssignmentId=rejected, RequesterFeedback="no")
    submit(served, hit_id, "A2", k="2", q="a")
    submit(served, hit_id, "A3", k="1", q="b")

    found = results(inside, hit_id, "HIT")
    assert (hit_id, "q", "AgreedAnswer", "b") in found
    assert (hit_id, "q", "AnswerAgreementScore", "100") in found


def test_results_are_paged_and_chosen(
    served: service.Service, client: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(AssignmentReviewPolicy=known({"k": ["1"]}), HITReviewPolicy=plurality("q"))
    submit(served, hit_id, "A1", k="1", q="a")
    ask: Any = client.list_review_policy_results_for_hit
    whole = ask(HITId=hit_id)
    assert whole["AssignmentReviewPolicy"] == {"PolicyName": "ScoreMyKnownAnswers/2011-09-01"}
    assert whole["HITReviewPolicy"] == {"PolicyName": "SimplePlurality/2011-09-01"}
    assert "HITReviewReport" not in ask(HITId=hit_id, PolicyLevels=["Assignment"])
    only = ask(HITId=hit_id, RetrieveActions=False)["AssignmentReviewReport"]
    assert (len(only["ReviewResults"]), only["ReviewActions"]) == (2, [])

    seen: list[Any] = []
    token: dict[str, str] = {}
    while "NextToken" in (page := ask(HITId=hit_id, MaxResults=2, **token)):
        token = {"NextToken": page["NextToken"]}
        for level in ("Assignment", "HIT"):
            report = page[f"{level}ReviewReport"]
            seen += report["ReviewResults"] + report["ReviewActions"]
    every = [
        one
        for level in ("Assignment", "HIT")
        for one in (
            *whole[f"{level}ReviewReport"]["ReviewResults"],
            *whole[f"{level}ReviewReport"]["ReviewActions"],
        )
    ]
    assert sorted(seen, key=repr) == sorted(every, key=repr)


@pytest.mark.parametrize(
    ("policies", "found"),
    [
        ({"HITReviewPolicy": known({"q": ["x"]})}, "parameter PolicyName"),
        ({"AssignmentReviewPolicy": plurality("q")}, "parameter PolicyName"),
        ({"AssignmentReviewPolicy": known({})}, "include AnswerKey"),
        ({"AssignmentReviewPolicy": known({"q": ["x"]}, Colour="red")}, '"Colour" is not valid'),
        (
            {"AssignmentReviewPolicy": known({"q": ["x"]}, ApproveIfKnownAnswerScoreIsAtLeast="x")},
            '"x" is not valid for the parameter ApproveIfKnownAnswerScoreIsAtLeast',
        ),
        ({"HITReviewPolicy": plurality()}, "include QuestionIds"),
        ({"HITReviewPolicy": plurality(*map(str, range(16)))}, '"16 questions" is not valid'),
        ({"HITReviewPolicy": plurality("q", QuestionAgreementThreshold="101")}, '"101" is not'),
        (
            {"HITReviewPolicy": plurality("q", ExtendIfHITAgreementScoreIsLessThan="50")},
            "include ExtendMaximumAssignments",
        ),
        (
            {"HITReviewPolicy": plurality("q", DisregardAssignmentIfRejected="maybe")},
            '"maybe" is not valid',
        ),
    ],
)
def test_policies_that_are_not_right_are_refused(
    client: MTurkClient,
    refused: Refused,
    properties: dict[str, Any],
    question: Callable[[], str],
    policies: dict[str, Any],
    found: str,
) -> None:
    wanted = {**properties, "LifetimeInSeconds": 60, "Question": question()}
    kind, _, message = refused(client.create_hit, **wanted, **policies)

    assert kind == "ParameterValidationError"
    assert found in message
    assert client.list_hits()["HITs"] == []


def test_a_hit_without_policies_has_no_report(
    client: MTurkClient, refused: Refused, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit()
    reply: Any = client.list_review_policy_results_for_hit(HITId=hit_id)

    assert {key for key in reply if key != "ResponseMetadata"} == {"HITId"}
    unknown = refused(client.list_review_policy_results_for_hit, HITId="3NONE")
    assert unknown[1] == "AWS.MechanicalTurk.HITDoesNotExist"
