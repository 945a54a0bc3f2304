"""HITs from layouts, HITs that change their type, and files of workers, through boto3."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from turkbatch.server import documents, layouts, questions, service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]
PAGE = "<p>${greeting}, ${name who}! ${greeting}</p><script>a[b[0]]>1; `${}`</script>"
FILE_FORM = f"""<QuestionForm xmlns="{documents.SCHEMAS}2005-10-01/QuestionForm.xsd"><Question>
<QuestionIdentifier>picture</QuestionIdentifier><QuestionContent><Text>?</Text></QuestionContent>
<AnswerSpecification><FileUploadAnswer><MaxFileSizeInBytes>9</MaxFileSizeInBytes>
<MinFileSizeInBytes>2</MinFileSizeInBytes></FileUploadAnswer></AnswerSpecification></Question>
</QuestionForm>"""


def test_a_layout_becomes_the_hit_s_page(
    served: service.Service, client: MTurkClient, properties: dict[str, Any]
) -> None:
    layout_id = layouts.add(served.store, PAGE, frame_height=400)
    hit = client.create_hit(
        **properties,
        LifetimeInSeconds=60,
        HITLayoutId=layout_id,
        HITLayoutParameters=[
            {"Name": "greeting", "Value": "H&i"},
            {"Name": "name who", "Value": "<b>]]></b>"},
        ],
    )["HIT"]
    made = questions.parse(hit["Question"])

    assert hit["HITLayoutId"] == layout_id
    assert made.frame_height == 400
    assert made.content == ("<p>H&i, <b>]]></b>! H&i</p><script>a[b[0]]>1; `${}`</script>")
    assert client.get_hit(HITId=hit["HITId"])["HIT"] == hit


@pytest.mark.parametrize(
    ("given", "error"),
    [
        pytest.param(
            {"greeting": "Hi"},
            "Your request is missing required parameters. Required parameters include "
            "HITLayoutParameter. You have not provided all required HITLayout parameters. "
            "Missing parameter names: name who",
            id="missing",
        ),
        pytest.param(
            {"greeting": "Hi", "name who": "x", "more": "y"},
            'The value "more" is not valid for the parameter HITLayoutParameter.',
            id="too many",
        ),
    ],
)
def test_layout_parameters_must_fit(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    properties: dict[str, Any],
    given: dict[str, str],
    error: str,
) -> None:
    sent = [{"Name": name, "Value": value} for name, value in given.items()]
    layout_id = layouts.add(served.store, PAGE)
    wanted = {**properties, "LifetimeInSeconds": 60, "HITLayoutId": layout_id}

    found = refused(client.create_hit, **wanted, HITLayoutParameters=sent)
    assert found == ("ParameterValidationError", None, error)
    assert client.list_hits()["HITs"] == []


def test_an_unknown_layout_is_refused(
    client: MTurkClient, refused: Refused, properties: dict[str, Any]
) -> None:
    wanted = {**properties, "LifetimeInSeconds": 60, "HITLayoutId": "3LAYOUT"}

    assert refused(client.create_hit, **wanted) == (
        "RequestError",
        "AWS.MechanicalTurk.HITLayoutDoesNotExist",
        "HIT layout 3LAYOUT does not exist.",
    )


def test_a_hit_takes_all_properties_of_another_type(
    served: service.Service,
    client: MTurkClient,
    properties: dict[str, Any],
    make_hit: Callable[..., str],
) -> None:
    hit_id = make_hit(MaxAssignments=2)
    dearer = client.create_hit_type(**properties | {"Title": "Other", "Reward": "0.10"})
    client.update_hit_type_of_hit(HITId=hit_id, HITTypeId=dearer["HITTypeId"])
    hit = client.get_hit(HITId=hit_id)["HIT"]

    assert (hit["HITTypeId"], hit["Title"], hit["Reward"]) == (
        dearer["HITTypeId"],
        "Other",
        "0.10",
    )
    assert served.balance().held_cents == 24
    assert worker.offers(served, "A1")[0].reward_cents == 10


def test_a_hit_that_was_taken_keeps_its_type(
    served: service.Service,
    client: MTurkClient,
    refused: Refused,
    properties: dict[str, Any],
    make_hit: Callable[..., str],
) -> None:
    hit_id = make_hit()
    other = client.create_hit_type(**properties | {"Title": "Other", "Reward": "1.00"})
    key = {"HITId": hit_id, "HITTypeId": other["HITTypeId"]}
    change = client.update_hit_type_of_hit
    code = "AWS.MechanicalTurk."

    assert refused(change, **key | {"HITTypeId": "3NONE"})[1] == code + "HITTypeDoesNotExist"
    assert refused(change, **key | {"HITId": "3NONE"})[1] == code + "HITDoesNotExist"
    assignment_id = worker.accept(served, hit_id, "A1")
    assert refused(change, **key)[1] == code + "InvalidHITState"
    worker.return_hit(served, assignment_id, "A1")
    served.set_balance(100)
    assert refused(change, **key)[1] == code + "InsufficientFunds"
    served.set_balance(120)
    change(**key)


def test_a_worker_s_file_can_be_fetched_for_a_minute(
    served: service.Service,
    outside: MTurkClient,
    refused: Refused,
    make_hit: Callable[..., str],
) -> None:
    assignment_id = worker.accept(served, make_hit(Question=FILE_FORM), "A1")
    key = {"AssignmentId": assignment_id, "QuestionIdentifier": "picture"}
    early = refused(outside.get_file_upload_url, **key)
    for content, name in ((b"x", "picture"), (b"0123456789", "picture"), (b"abc", "sound")):
        with pytest.raises(worker.WorkerError, match=r"The file must have [0-9]+ to [0-9]+ bytes"):
            worker.upload(served, assignment_id, "A1", name, "a.png", content)
    for content in (b"first", b"second"):
        worker.upload(served, assignment_id, "A1", "picture", "a.png", content)
    worker.submit(served, assignment_id, "A1", [])
    assignment = outside.get_assignment(AssignmentId=assignment_id)["Assignment"]
    link = outside.get_file_upload_url(AssignmentId=assignment_id, QuestionIdentifier="picture")

    assert early[1] == "AWS.MechanicalTurk.InvalidAssignmentState"
    assert "<UploadedFileSizeInBytes>6</UploadedFileSizeInBytes>" in assignment["Answer"]
    with urllib.request.urlopen(link["FileUploadURL"]) as reply:
        assert reply.read() == b"second"
    other = refused(outside.get_file_upload_url, **key | {"QuestionIdentifier": "sound"})
    assert "parameter QuestionIdentifier" in other[2]
    served.clock.advance(60)
    with pytest.raises(HTTPError, match="404") as caught:
        urllib.request.urlopen(link["FileUploadURL"])
    caught.value.close()


def test_a_question_comes_from_one_place(
    client: MTurkClient,
    refused: Refused,
    properties: dict[str, Any],
    question: Callable[[], str],
) -> None:
    wanted = {**properties, "LifetimeInSeconds": 60}

    assert refused(client.create_hit, **wanted) == (
        "ParameterValidationError",
        None,
        "Your request is missing required parameters. Required parameters include "
        "Question or HITLayoutId.",
    )
    both = refused(client.create_hit, **wanted, Question=question(), HITLayoutId="3LAYOUT")
    assert both[0] == "InvalidParameterCombinationError"
