"""The life of qualification types, through boto3 and the workers' side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import (
    crowd,
    documents,
    requirements,
    service,
    uploads,
    worker,
    workforce,
)

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]
HOURS_48 = 48 * 3_600

SELECTION = """<SelectionAnswer><Selections>
<Selection><SelectionIdentifier>yes</SelectionIdentifier><Text>Yes</Text></Selection>
<Selection><SelectionIdentifier>no</SelectionIdentifier><Text>No</Text></Selection>
</Selections></SelectionAnswer>"""
TEST = f"""<QuestionForm xmlns="{documents.SCHEMAS}2017-11-06/QuestionForm.xsd"><Question>
<QuestionIdentifier>q</QuestionIdentifier><QuestionContent><Text>?</Text></QuestionContent>
<AnswerSpecification>{SELECTION}</AnswerSpecification></Question></QuestionForm>"""
FREE_TEST = TEST.replace(SELECTION, "<FreeTextAnswer/>")
FILE = (
    "<FileUploadAnswer><MaxFileSizeInBytes>9</MaxFileSizeInBytes>"
    "<MinFileSizeInBytes>2</MinFileSizeInBytes></FileUploadAnswer>"
)
KEY = f"""<AnswerKey xmlns="{documents.SCHEMAS}2005-10-01/AnswerKey.xsd"><Question>
<QuestionIdentifier>q</QuestionIdentifier><AnswerOption><SelectionIdentifier>yes
</SelectionIdentifier><AnswerScore>90</AnswerScore></AnswerOption></Question></AnswerKey>""".replace(
    "\n</SelectionIdentifier>", "</SelectionIdentifier>"
)
TESTED: dict[str, Any] = {"Test": TEST, "AnswerKey": KEY, "TestDurationInSeconds": 600}


@pytest.fixture
def make_type(inside: MTurkClient) -> Callable[..., str]:
    def make(name: str = "Knows colours", **more: Any) -> str:
        wanted = {
            "Name": name,
            "Description": "Can name them.",
            "QualificationTypeStatus": "Active",
        }
        made = inside.create_qualification_type(**wanted | more)
        return made["QualificationType"]["QualificationTypeId"]

    return make


def requirement(type_id: str, comparator: str = "Exists", **more: Any) -> dict[str, Any]:
    return {"QualificationTypeId": type_id, "Comparator": comparator} | more


def code_of(refusal: tuple[str, str | None, str]) -> str:
    return (refusal[1] or "").removeprefix("AWS.MechanicalTurk.")


def test_a_type_is_shown_as_it_was_made(client: MTurkClient) -> None:
    made = client.create_qualification_type(
        Name="Knows colours",
        Description="Can name them.",
        Keywords="colour, sight",
        QualificationTypeStatus="Active",
        RetryDelayInSeconds=60,
        **TESTED,
    )["QualificationType"]
    shown = client.get_qualification_type(QualificationTypeId=made["QualificationTypeId"])

    assert shown["QualificationType"] == made
    assert len(made.pop("QualificationTypeId")) == 30
    del made["CreationTime"]
    assert made == {
        "Name": "Knows colours",
        "Description": "Can name them.",
        "Keywords": "colour, sight",
        "QualificationTypeStatus": "Active",
        "RetryDelayInSeconds": 60,
        "IsRequestable": True,
        "AutoGranted": False,
        **TESTED,
    }


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({"Name": ""}, "Name  has a minimum length of 1", id="no name"),
        pytest.param(
            {"Description": "x" * 2001}, "Description  has a maximum length of 2000", id="too long"
        ),
        pytest.param({"Test": TEST}, "include TestDurationInSeconds.", id="a test needs its time"),
        pytest.param({"AnswerKey": KEY}, "include Test.", id="a key needs its test"),
        pytest.param(
            TESTED | {"Test": FREE_TEST},
            "which an AnswerKey cannot grade",
            id="key and test differ",
        ),
        pytest.param(
            TESTED | {"TestDurationInSeconds": 0}, "parameter TestDurationInSeconds", id="no time"
        ),
        pytest.param({"RetryDelayInSeconds": -1}, "parameter RetryDelayInSeconds", id="before"),
    ],
)
def test_what_a_type_cannot_be_is_refused(
    client: MTurkClient, refused: Refused, changes: dict[str, Any], found: str
) -> None:
    wanted = {"Name": "n", "Description": "d", "QualificationTypeStatus": "Active"}

    kind, _, message = refused(client.create_qualification_type, **wanted | changes)
    assert kind == "ParameterValidationError"
    assert found in message
    listed = client.list_qualification_types(MustBeRequestable=True)
    assert listed["QualificationTypes"] == []


def test_a_test_excludes_granting_automatically(
    client: MTurkClient, refused: Refused, make_type: Callable[..., str]
) -> None:
    wanted = {"Name": "n", "Description": "d", "QualificationTypeStatus": "Active"}
    error = (
        "InvalidParameterCombinationError",
        None,
        "The combination of parameters supplied to the request is invalid: AutoGranted, Test.",
    )
    tested = make_type("tested", **TESTED)
    automatic = make_type("automatic", AutoGranted=True)

    create, update = client.create_qualification_type, client.update_qualification_type
    assert refused(create, **wanted, **TESTED, AutoGranted=True) == error
    assert refused(update, QualificationTypeId=tested, AutoGranted=True) == error
    assert refused(update, QualificationTypeId=automatic, **TESTED) == error


def test_names_are_unique_until_a_deletion_is_over(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    make_type: Callable[..., str],
) -> None:
    type_id = make_type()
    again = {"Name": "Knows colours", "Description": "d", "QualificationTypeStatus": "Active"}
    taken = (
        "RequestError",
        "AWS.MechanicalTurk.QualificationTypeAlreadyExists",
        "You have already created a QualificationType with this name. A QualificationType's name "
        "must be unique among all of the QualificationTypes created by the same user.",
    )
    assert refused(client.create_qualification_type, **again) == taken
    client.delete_qualification_type(QualificationTypeId=type_id)
    assert refused(client.delete_qualification_type, QualificationTypeId=type_id) == (
        "RequestError",
        "AWS.MechanicalTurk.InvalidQualificationTypeState",
        "This operation can be called with a status of: Active,Inactive",
    )
    assert refused(client.create_qualification_type, **again) == taken
    served.clock.advance(HOURS_48)
    gone = refused(client.get_qualification_type, QualificationTypeId=type_id)
    assert code_of(gone) == "QualificationTypeDoesNotExist"
    client.create_qualification_type(**again)  # type: ignore[arg-type]


def test_a_deletion_waits_for_the_hits_and_keeps_what_workers_hold(
    served: service.Service,
    inside: MTurkClient,
    refused: Refused,
    make_type: Callable[..., str],
    properties: dict[str, Any],
    question: Callable[[], str],
) -> None:
    type_id = make_type()
    inside.associate_qualification_with_worker(QualificationTypeId=type_id, WorkerId="A1")
    worker.request_qualification(served, type_id, "A2")
    wanted = {**properties, "QualificationRequirements": [requirement(type_id)]}
    hit = inside.create_hit(**wanted, LifetimeInSeconds=HOURS_48 * 2, Question=question())["HIT"]
    inside.delete_qualification_type(QualificationTypeId=type_id)

    assert inside.list_qualification_requests()["QualificationRequests"] == []
    assert inside.list_qualification_types(MustBeRequestable=True)["QualificationTypes"] == []
    shown = inside.get_qualification_type(QualificationTypeId=type_id)["QualificationType"]
    assert shown["QualificationTypeStatus"] == "Inactive"
    listed = inside.list_hits_for_qualification_type(QualificationTypeId=type_id)
    assert [one["HITId"] for one in listed["HITs"]] == [hit["HITId"]]
    new = {"LifetimeInSeconds": 60, "Question": question()}
    assert code_of(refused(inside.create_hit, **wanted, **new)) == "InvalidQualificationTypeState"
    assert (
        code_of(refused(inside.create_hit_with_hit_type, HITTypeId=hit["HITTypeId"], **new))
        == "HITTypeDoesNotExist"
    )
    served.clock.advance(HOURS_48)
    inside.get_qualification_type(QualificationTypeId=type_id)
    assert [one.hit_id for one in worker.offers(served, "A1")] == [hit["HITId"]]
    past: Any = 0
    inside.update_expiration_for_hit(HITId=hit["HITId"], ExpireAt=past)
    inside.delete_hit(HITId=hit["HITId"])
    gone = refused(inside.get_qualification_type, QualificationTypeId=type_id)
    assert code_of(gone) == "QualificationTypeDoesNotExist"


def test_an_update_changes_what_is_sent_and_the_test_as_a_whole(
    client: MTurkClient, refused: Refused, make_type: Callable[..., str]
) -> None:
    type_id = make_type(RetryDelayInSeconds=5)
    update = client.update_qualification_type
    made = update(QualificationTypeId=type_id, Description="new")["QualificationType"]
    assert (made["Description"], made["RetryDelayInSeconds"]) == ("new", 5)
    made = update(QualificationTypeId=type_id, **TESTED)["QualificationType"]
    assert {name: made[name] for name in TESTED} == TESTED  # type: ignore[literal-required]
    alone = refused(update, QualificationTypeId=type_id, AnswerKey=KEY)
    assert alone[0] == "ParameterValidationError"
    made = update(QualificationTypeId=type_id, Test=FREE_TEST, TestDurationInSeconds=5)[
        "QualificationType"
    ]
    assert (made["TestDurationInSeconds"], "AnswerKey" in made) == (5, False)
    off = update(QualificationTypeId=type_id, QualificationTypeStatus="Inactive")
    assert off["QualificationType"]["QualificationTypeStatus"] == "Inactive"


def test_types_are_searched_by_words_and_paged_by_name(
    client: MTurkClient, make_type: Callable[..., str]
) -> None:
    for name in ("Zebra", "Apple red", "apple green", "Banana"):
        make_type(name, Keywords="FRUIT" if name != "Zebra" else "animal")

    def names(**filters: Any) -> list[str]:
        pages = client.get_paginator("list_qualification_types").paginate(
            **{"MustBeRequestable": True} | filters, PaginationConfig={"PageSize": 2}
        )
        return [one["Name"] for page in pages for one in page["QualificationTypes"]]

    assert names() == ["Apple red", "Banana", "Zebra", "apple green"]
    assert names(Query="fruit APPLE") == ["Apple red", "apple green"]
    assert len(names(MustBeRequestable=False)) == 4 + len(requirements.SYSTEM_TYPES)
    assert len(names(MustBeRequestable=False, MustBeOwnedByCaller=True)) == 4


def test_a_test_is_graded_when_it_is_handed_in(
    served: service.Service, client: MTurkClient, make_type: Callable[..., str]
) -> None:
    type_id = make_type(**TESTED)
    taken = worker.take_test(served, type_id, "A1")
    assert worker.take_test(served, type_id, "A1") == taken
    assert (taken.question, taken.name) == (TEST, "Knows colours")
    assert client.list_qualification_requests()["QualificationRequests"] == []
    done = worker.submit_test(served, taken.request_id, "A1", [("q", "yes")])

    assert done == worker.Request(taken.request_id, type_id, "Granted", 90)
    score = client.get_qualification_score(QualificationTypeId=type_id, WorkerId="A1")
    assert score["Qualification"]["IntegerValue"] == 90
    assert score["Qualification"]["Status"] == "Granted"
    with pytest.raises(worker.WorkerError, match="handed in before"):
        worker.submit_test(served, taken.request_id, "A1", [("q", "no")])
    with pytest.raises(worker.WorkerError, match="only once"):
        worker.take_test(served, type_id, "A1")


def test_a_file_is_handed_in_with_a_test(
    served: service.Service, client: MTurkClient, make_type: Callable[..., str]
) -> None:
    # The newer schema has no files.
    asked = FREE_TEST.replace("<FreeTextAnswer/>", FILE).replace("2017-11-06", "2005-10-01")
    type_id = make_type(Test=asked, TestDurationInSeconds=60)
    taken = worker.take_test(served, type_id, "A1")
    with pytest.raises(worker.WorkerError, match="must have 2 to 9 bytes"):
        worker.submit_test(served, taken.request_id, "A1", [], {"q": ("a.txt", b"far too large")})
    with pytest.raises(worker.WorkerError, match="must have 1 to 0 bytes"):
        worker.submit_test(served, taken.request_id, "A1", [], {"other": ("a.txt", b"file")})
    worker.submit_test(served, taken.request_id, "A1", [], {"q": ("a.txt", b"file")})

    [request] = client.list_qualification_requests()["QualificationRequests"]
    with served.store.read() as connection:
        [file] = uploads.of_assignment(connection, taken.request_id)
        owned = [str(one) for one in connection.scalars(uploads.owners("A1"))]
    assert (file.name, file.content, owned) == ("a.txt", b"file", [taken.request_id])
    assert (
        "<QuestionIdentifier>q</QuestionIdentifier>"
        "<UploadedFileSizeInBytes>4</UploadedFileSizeInBytes>"
        f"<UploadedFileKey>{file.key}</UploadedFileKey>"
    ) in request["Answer"]


def test_a_test_can_be_taken_again_after_its_delay(
    served: service.Service, inside: MTurkClient, make_type: Callable[..., str]
) -> None:
    type_id = make_type(RetryDelayInSeconds=3_600, **TESTED)
    first = worker.take_test(served, type_id, "A1")
    worker.submit_test(served, first.request_id, "A1", [("q", "no")])
    with pytest.raises(worker.WorkerError, match=r"again in [0-9]+ seconds"):
        worker.take_test(served, type_id, "A1")
    served.clock.advance(3_600)
    second = worker.take_test(served, type_id, "A1")
    served.clock.advance(600)
    with pytest.raises(worker.WorkerError, match="time for this test is over"):
        worker.submit_test(served, second.request_id, "A1", [("q", "yes")])
    score = inside.get_qualification_score(QualificationTypeId=type_id, WorkerId="A1")
    assert score["Qualification"]["IntegerValue"] == 0


def test_requests_wait_for_their_owner(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    make_type: Callable[..., str],
) -> None:
    tested = make_type("tested", Test=FREE_TEST, TestDurationInSeconds=60)
    bare = make_type("bare")
    taken = worker.take_test(served, tested, "A1")
    worker.submit_test(served, taken.request_id, "A1", [("q", "red")])
    asked = [worker.request_qualification(served, bare, one) for one in ("A1", "A2")]
    with pytest.raises(worker.WorkerError, match="has not decided"):
        worker.request_qualification(served, bare, "A1")
    listed = client.list_qualification_requests()["QualificationRequests"]
    of_bare = client.list_qualification_requests(QualificationTypeId=bare, MaxResults=1)

    assert [one["WorkerId"] for one in listed] == ["A1", "A1", "A2"]
    assert listed[0]["Test"] == FREE_TEST
    assert "<FreeText>red</FreeText>" in listed[0]["Answer"]
    assert "Answer" not in listed[1]
    assert of_bare["QualificationRequests"] == [listed[1]]

    client.accept_qualification_request(QualificationRequestId=taken.request_id, IntegerValue=7)
    client.accept_qualification_request(QualificationRequestId=asked[0].request_id)
    client.reject_qualification_request(QualificationRequestId=asked[1].request_id, Reason="no")
    for decide in (client.accept_qualification_request, client.reject_qualification_request):
        again = refused(decide, QualificationRequestId=asked[0].request_id)
        assert code_of(again) == "InvalidQualificationRequestState"
        missing = refused(decide, QualificationRequestId="nothing")
        assert code_of(missing) == "QualificationRequestDoesNotExist"
    held = client.list_workers_with_qualification_type(QualificationTypeId=tested)
    assert [one["IntegerValue"] for one in held["Qualifications"]] == [7]
    valueless = client.get_qualification_score(QualificationTypeId=bare, WorkerId="A1")
    assert "IntegerValue" not in valueless["Qualification"]
    assert worker.messages(served, "A2")[0].text == "no"


def test_automatic_types_grant_at_once_and_inactive_ones_never(
    served: service.Service, make_type: Callable[..., str]
) -> None:
    automatic = make_type("a", AutoGranted=True, AutoGrantedValue=4)
    inactive = make_type("b", QualificationTypeStatus="Inactive")

    assert worker.request_qualification(served, automatic, "A1").value == 4
    for type_id in (inactive, requirements.ADULT):
        with pytest.raises(worker.WorkerError, match="cannot be requested"):
            worker.request_qualification(served, type_id, "A1")
    with pytest.raises(worker.WorkerError, match="no qualification type 3NONE"):
        worker.request_qualification(served, "3NONE", "A1")
    with pytest.raises(worker.WorkerError, match="has no test"):
        worker.take_test(served, automatic, "A2")
    seen = worker.qualifications(served, "A1")
    assert [(one.name, one.status, one.value) for one in seen] == [("a", "Granted", 4)]


def test_qualifications_are_given_changed_and_revoked(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    make_type: Callable[..., str],
) -> None:
    type_id = make_type()
    key: Any = {"QualificationTypeId": type_id, "WorkerId": "A1"}
    score, revoke = client.get_qualification_score, client.disassociate_qualification_from_worker
    missing = (
        "RequestError",
        "AWS.MechanicalTurk.QualificationDoesNotExist",
        "You requested a Qualification that does not exist.",
    )
    assert refused(score, **key) == missing
    assert refused(revoke, **key) == missing
    client.associate_qualification_with_worker(**key, SendNotification=False)
    assert score(**key)["Qualification"]["IntegerValue"] == 1
    client.associate_qualification_with_worker(**key, IntegerValue=0)
    assert score(**key)["Qualification"]["IntegerValue"] == 0
    revoke(**key, Reason="late")
    revoked = (
        "RequestError",
        "AWS.MechanicalTurk.InvalidQualificationState",
        "This operation can be called with a status of: Granted",
    )
    assert refused(score, **key) == revoked
    assert refused(revoke, **key) == revoked
    listed: Any = client.list_workers_with_qualification_type
    assert listed(QualificationTypeId=type_id)["NumResults"] == 0
    assert listed(QualificationTypeId=type_id, Status="Revoked")["NumResults"] == 1
    client.associate_qualification_with_worker(**key)
    assert score(**key)["Qualification"]["Status"] == "Granted"
    assert [one.text for one in worker.messages(served, "A1")][1:] == [
        "late",
        "You were given the qualification Knows colours with the value 0.",
    ]


def test_system_types_can_be_seen_and_nothing_else(client: MTurkClient, refused: Refused) -> None:
    for type_id in requirements.SYSTEM_TYPES:
        shown = client.get_qualification_type(QualificationTypeId=type_id)["QualificationType"]
        assert (shown["IsRequestable"], shown["QualificationTypeStatus"]) == (False, "Active")
        key = {"QualificationTypeId": type_id, "WorkerId": "A1"}
        score = refused(client.get_qualification_score, **key)
        assert code_of(score) == "QualificationDoesNotExist"
        given = refused(client.associate_qualification_with_worker, **key)
        assert code_of(given) == "PermissionDenied"
        deleted = refused(client.delete_qualification_type, QualificationTypeId=type_id)
        assert code_of(deleted) == "PermissionDenied"


@pytest.mark.parametrize("known_only", [False, True])
def test_workers_exist_by_their_form_or_by_being_known(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    make_type: Callable[..., str],
    known_only: bool,
) -> None:
    type_id = make_type()
    served.known_workers_only = known_only
    worker.register(served, "AKNOWN")
    give = client.associate_qualification_with_worker
    give(QualificationTypeId=type_id, WorkerId="AKNOWN")
    if known_only:
        assert refused(give, QualificationTypeId=type_id, WorkerId="AOTHER") == (
            "ParameterValidationError",
            None,
            'The value "AOTHER" is not valid for the parameter WorkerId.',
        )
    else:
        give(QualificationTypeId=type_id, WorkerId="AOTHER")


def test_hits_are_for_workers_who_meet_every_guard(
    served: service.Service,
    inside: MTurkClient,
    make_type: Callable[..., str],
    make_hit: Callable[..., str],
    properties: dict[str, Any],
    question: Callable[[], str],
) -> None:
    type_id = make_type()
    anyone = make_hit()
    made = {"open": anyone}
    for guard in ("Accept", "PreviewAndAccept", "DiscoverPreviewAndAccept"):
        wanted = requirement(
            type_id, "GreaterThanOrEqualTo", IntegerValues=[80], ActionsGuarded=guard
        )
        american = requirement(requirements.LOCALE, "EqualTo", LocaleValues=[{"Country": "US"}])
        made[guard] = inside.create_hit(
            **properties,
            LifetimeInSeconds=3600,
            Question=question(),
            QualificationRequirements=[wanted, american],  # type: ignore[list-item]
        )["HIT"]["HITId"]
    worker.register(served, "AGOOD", workforce.Facts(country="US"))
    worker.register(served, "AFAR", workforce.Facts(country="FR"))
    for worker_id, value in (("AGOOD", 80), ("AFAR", 99), ("ALOW", 79)):
        inside.associate_qualification_with_worker(
            QualificationTypeId=type_id, WorkerId=worker_id, IntegerValue=value
        )

    def seen(worker_id: str, action: requirements.Action = "Accept") -> set[str]:
        ids = {one.hit_id for one in worker.offers(served, worker_id, action=action)}
        for name, hit_id in made.items():
            assert worker.may(served, hit_id, worker_id, action) is (hit_id in ids), name
        return {name for name, hit_id in made.items() if hit_id in ids}

    assert seen("AGOOD") == set(made)
    assert seen("AFAR") == {"open"}
    assert seen("AFAR", "Preview") == set(made)
    assert seen("ALOW", "Preview") == {"open", "Accept"}
    assert seen("ALOW", "Discover") == {"open", "Accept", "PreviewAndAccept"}
    with pytest.raises(worker.WorkerError, match="do not meet the qualification requirements"):
        worker.accept(served, made["Accept"], "AFAR")
    worker.accept(served, made["Accept"], "AGOOD")
    listed = worker.requirements_of(served, made["Accept"], "AFAR")
    assert [(one.name, one.values, one.met) for one in listed] == [
        ("Knows colours", ("80",), True),
        ("Worker_Locale", ("US",), False),
    ]


def test_the_approval_rate_follows_from_history(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    worker.register(served, "A1", workforce.Facts(approved_before=97))
    for reject in (True, True, False):
        hit_id = make_hit()
        assignment_id = worker.accept(served, hit_id, "A1")
        worker.submit(served, assignment_id, "A1", [("x", "1")])
        assert worker.standing(served, "A1").percent_approved == 100 - 3 * (not reject)
        if reject:
            inside.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="no")
        else:
            inside.approve_assignment(AssignmentId=assignment_id)
    standing = worker.standing(served, "A1")
    assert (standing.approved, standing.rejected, standing.submitted) == (98, 2, 100)
    assert standing.percent_approved == 98


@pytest.mark.parametrize(
    ("type_id", "code"),
    [
        pytest.param("3NONE", "QualificationTypeDoesNotExist", id="unknown"),
        pytest.param("3" + "X" * 29, "QualificationTypeDoesNotExist", id="of another requester"),
        pytest.param("inactive", "InvalidQualificationTypeState", id="inactive"),
    ],
)
def test_hit_types_need_types_that_are_there(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    make_type: Callable[..., str],
    properties: dict[str, Any],
    type_id: str,
    code: str,
) -> None:
    if type_id == "inactive":
        type_id = make_type(QualificationTypeStatus="Inactive")
    wanted = {**properties, "QualificationRequirements": [requirement(type_id)]}

    assert code_of(refused(client.create_hit_type, **wanted)) == code
    served.foreign_types = True
    if type_id == "3" + "X" * 29:
        client.create_hit_type(**wanted)
    else:
        assert code_of(refused(client.create_hit_type, **wanted)) == code


def test_simulated_workers_are_veterans_unless_told_otherwise(
    served: service.Service,
    inside: MTurkClient,
    make_type: Callable[..., str],
    properties: dict[str, Any],
    question: Callable[[], str],
) -> None:
    served.foreign_types = True
    own = make_type()
    strict = [
        requirement(requirements.HITS_APPROVED, "GreaterThan", IntegerValues=[5_000]),
        requirement(requirements.LOCALE, "In", LocaleValues=[{"Country": "GB"}]),
        requirement("3" + "X" * 29, "EqualTo", IntegerValues=[1]),
    ]

    def left(wanted: list[dict[str, Any]], *, veterans: bool = True) -> int:
        made = inside.create_hit(
            **properties,
            LifetimeInSeconds=3600,
            Question=question(),
            MaxAssignments=2,
            QualificationRequirements=wanted,  # type: ignore[arg-type]
        )
        hit_id = made["HIT"]["HITId"]
        return crowd.work(served, hit_ids=[hit_id], workers=3, veterans=veterans).left

    assert left(strict, veterans=False) == 2
    assert left(strict) == 0
    assert left([requirement(own)]) == 2
    inside.associate_qualification_with_worker(QualificationTypeId=own, WorkerId=crowd.worker_id(1))
    assert left([*strict, requirement(own)]) == 1


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"country": "usa"}, '"usa" is no country'),
        ({"country": "US", "subdivision": "California"}, "is no subdivision"),
        ({"subdivision": "CA"}, "needs its country"),
        ({"approved_before": -1}, "cannot be negative"),
    ],
)
def test_facts_that_cannot_be_are_refused(facts: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        workforce.Facts(**facts)


def test_the_whole_life_of_a_qualification_test(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    properties: dict[str, Any],
    question: Callable[[], str],
) -> None:
    type_id = client.create_qualification_type(
        Name="Classifies crowds",
        Description="d",
        QualificationTypeStatus="Active",
        RetryDelayInSeconds=0,
        **TESTED,
    )["QualificationType"]["QualificationTypeId"]
    doubled = KEY.replace("<AnswerScore>90<", "<AnswerScore>100<")
    client.update_qualification_type(QualificationTypeId=type_id, **TESTED | {"AnswerKey": doubled})
    client.associate_qualification_with_worker(
        QualificationTypeId=type_id, WorkerId="A1", IntegerValue=0, SendNotification=True
    )
    assert "Classifies crowds" in worker.messages(served, "A1")[0].subject
    wanted: Any = requirement(type_id, "GreaterThanOrEqualTo", IntegerValues=[100])
    hit_id = client.create_hit(
        **properties,
        LifetimeInSeconds=3600,
        Question=question(),
        QualificationRequirements=[wanted],
    )["HIT"]["HITId"]
    listed = client.list_hits_for_qualification_type(QualificationTypeId=type_id)
    assert [one["HITId"] for one in listed["HITs"]] == [hit_id]
    assert worker.offers(served, "A1") == []
    for answer, offered in (("no", []), ("yes", [hit_id])):
        taken = worker.take_test(served, type_id, "A1")
        worker.submit_test(served, taken.request_id, "A1", [("q", answer)])
        assert [one.hit_id for one in worker.offers(served, "A1")] == offered
    held = client.list_workers_with_qualification_type(
        QualificationTypeId=type_id, Status="Granted"
    )
    assert [(one["WorkerId"], one["IntegerValue"]) for one in held["Qualifications"]] == [
        ("A1", 100)
    ]
    assignment_id = worker.accept(served, hit_id, "A1")
    worker.submit(served, assignment_id, "A1", [("x", "1")])
    client.approve_assignment(AssignmentId=assignment_id)
    client.delete_hit(HITId=hit_id)
    client.delete_qualification_type(QualificationTypeId=type_id)
    served.clock.advance(HOURS_48)
    gone = refused(client.list_workers_with_qualification_type, QualificationTypeId=type_id)
    assert code_of(gone) == "QualificationTypeDoesNotExist"
