"""Requests of every kind of wrongness, made from botocore's own model of the API.

Whatever comes, the answer is a success or the service's kind of error: never a 500, never a
traceback, and nothing outside the database is looked at.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.model
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turkbatch.server import documents, operations, protocol, service, worker

PREFIX = "MTurkRequesterServiceV20170117."
KINDS = {
    "RequestError",
    "ParameterValidationError",
    "InvalidParameterCombinationError",
    "ValidationException",
    "SerializationException",
    "UnknownOperationException",
    "RequestEntityTooLargeException",
}
OPERATIONS = sorted(operations.TABLE)
BASE = documents.SCHEMAS
FORM = (
    f'<QuestionForm xmlns="{BASE}2017-11-06/QuestionForm.xsd"><Question>'
    "<QuestionIdentifier>q</QuestionIdentifier><QuestionContent><Text>?</Text></QuestionContent>"
    "<AnswerSpecification><SelectionAnswer><Selections><Selection>"
    "<SelectionIdentifier>y</SelectionIdentifier><Text>y</Text></Selection></Selections>"
    "</SelectionAnswer></AnswerSpecification></Question></QuestionForm>"
)
KEY = (
    f'<AnswerKey xmlns="{BASE}2005-10-01/AnswerKey.xsd"><Question>'
    "<QuestionIdentifier>q</QuestionIdentifier><AnswerOption>"
    "<SelectionIdentifier>y</SelectionIdentifier><AnswerScore>9</AnswerScore></AnswerOption>"
    "</Question></AnswerKey>"
)
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
XML = [
    FORM,
    KEY,
    FORM.replace("<Text>?</Text>", "<FormattedContent>&lt;b&gt;x&lt;/b&gt;</FormattedContent>"),
    FORM.replace("<Text>?</Text>", "<FormattedContent>&lt;script/&gt;</FormattedContent>"),
    FORM.replace(">q<", ">\u00e9\U0001f600<"),
    BOMB + FORM.replace("?", "&i;"),
    FORM.replace("<Text>?", "<Text>&undefined;"),
    FORM[:100],
    f'<HTMLQuestion xmlns="{BASE}2011-11-11/HTMLQuestion.xsd"><HTMLContent>x</HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>",
    "<a>" * 5_000,
    '<?xml version="1.0" encoding="UTF-16"?><a/>',
    KEY.replace("</Question>", "</Question><QualificationValueMapping><ScaleMapping>"
    "<SummedScoreMultiplier>NaN</SummedScoreMultiplier></ScaleMapping>"
    "</QualificationValueMapping>"),
]  # fmt: skip
POLICY_KEYS = [
    "AnswerKey", "ApproveIfKnownAnswerScoreIsAtLeast", "ExtendIfKnownAnswerScoreIsLessThan",
    "QuestionIds", "QuestionIDs", "QuestionAgreementThreshold", "RejectReason", "nothing",
]  # fmt: skip
# By the name of the member that they are for; ids of what exists are added by the fixture.
TEXTS: dict[str, list[str]] = {
    "Question": XML,
    "Test": XML,
    "AnswerKey": XML,
    "WorkerId": ["A1", "A2", "AX", "B", ""],
    "Reward": ["0.05", "1", "1.", "99999999999999999999999.99", "-1", "$1"],
    "BonusAmount": ["0.05", "0", "0.001"],
    "Destination": ["me@example.org", "https://sqs", "arn:aws:sns"],
    "Transport": ["Email", "SQS", "SNS"],
    "Version": ["2014-08-15", "2006-05-05"],
    "PolicyName": ["SimplePlurality/2011-09-01", "ScoreMyKnownAnswers/2011-09-01"],
    "Key": POLICY_KEYS,
    "Comparator": ["Exists", "EqualTo", "In"],
    "UniqueRequestToken": ["t", "u" * 65],
    "NextToken": ["p1:AAAA", "p1:" + "A" * 64, "\u00e9"],
}
WILD: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "a\ud800", "\0", 10**30, -1, "x" * 70_000]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture
def ids(served: service.Service, inside: Any, make_hit: Callable[..., str]) -> dict[str, list[str]]:
    """Ids of things that are there, by the member that takes them."""
    hit_id = make_hit(MaxAssignments=9)
    submitted = worker.accept(served, hit_id, "A1")
    worker.submit(served, submitted, "A1", [("q", "y")])
    held = worker.accept(served, hit_id, "A2")
    made = inside.create_qualification_type(
        Name="n", Description="d", QualificationTypeStatus="Active"
    )["QualificationType"]["QualificationTypeId"]
    asked = worker.request_qualification(served, made, "A1")
    return {
        "HITId": [hit_id, "3NONE"],
        "HITTypeId": [inside.get_hit(HITId=hit_id)["HIT"]["HITTypeId"], "3NONE"],
        "AssignmentId": [submitted, held, "3NONE"],
        "QualificationTypeId": [made, "00000000000000000071", "3NONE"],
        "QualificationRequestId": [asked.request_id, "3NONE"],
        "HITLayoutId": ["3NONE"],
    }


def value_of(
    name: str, shape: botocore.model.Shape, known: dict[str, list[str]], wildness: int
) -> st.SearchStrategy[Any]:
    """Make values for a member: right ones, and with some wildness anything instead."""
    right: st.SearchStrategy[Any]
    match shape:
        case botocore.model.StructureShape():
            right = structure_of(shape, known, wildness)
        case botocore.model.ListShape():
            right = st.lists(value_of(name, shape.member, known, wildness), max_size=3)
        case _:
            right = scalar_of(name, shape, known)
    if not wildness:
        return right
    return st.integers(1, wildness).flatmap(lambda number: WILD if number == 1 else right)


def scalar_of(
    name: str, shape: botocore.model.Shape, known: dict[str, list[str]]
) -> st.SearchStrategy[Any]:
    name = name.removesuffix("s") if name == "WorkerIds" else name
    match shape.type_name:
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            return st.sampled_from([0, 1, 2, 30, 60, 100, 600, 3_600, 2**31 - 1])
        case "timestamp":
            return st.sampled_from([0, 1.5, 4e9, "2030-01-01T00:00:00Z", 1e300])
        case _:
            choices = known.get(name) or shape.metadata.get("enum") or TEXTS.get(name)
            return st.sampled_from(choices) if choices else st.text(max_size=30)


def structure_of(
    shape: botocore.model.StructureShape, known: dict[str, list[str]], wildness: int
) -> st.SearchStrategy[Any]:
    members = {
        name: value_of(name, member, known, wildness) for name, member in shape.members.items()
    }
    required = {name: members[name] for name in shape.required_members}
    optional = {name: made for name, made in members.items() if name not in required}
    if wildness:
        optional = {**members, "Unknown": WILD}
        required = {} if wildness == 1 else required
        optional = {name: made for name, made in optional.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def check(reply: protocol.Reply) -> None:
    body = json.loads(reply.body)
    assert reply.status in (200, 400), body
    if reply.status == 400:
        assert body["__type"] in KINDS
        assert re.search(r" \([0-9]{13}\)\Z", body["Message"])
        assert "Traceback" not in body["Message"]


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_parameters_bring_more_than_a_refusal(
    served: service.Service, ids: dict[str, list[str]], operation: str, data: st.DataObject
) -> None:
    shape = protocol.service_model().operation_model(operation).input_shape
    wildness = data.draw(st.sampled_from([0, 0, 1, 6, 12]))
    body = {} if shape is None else data.draw(structure_of(shape, ids, wildness))

    check(served.handle({"X-Amz-Target": PREFIX + operation}, json.dumps(body).encode()))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    operation=st.sampled_from([*OPERATIONS, "", "GetHit", "\u00e9"]),
    body=st.binary(max_size=40)
    | st.sampled_from([b"[" * 100_000, b'{"HITId":', b'{"a":NaN}', b'"\\ud800"', b"\xff\xfe{}"]),
)
def test_no_body_brings_more_than_a_refusal(
    served: service.Service, operation: str, body: bytes
) -> None:
    check(served.handle({"X-Amz-Target": PREFIX + operation}, body))


@pytest.fixture
def lure(tmp_path: Path) -> Iterator[tuple[str, str, socket.socket]]:
    """Addresses of a file and of a server that nobody may look at."""
    secret = tmp_path / "secret.txt"
    secret.write_text("this must stay here")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield secret.as_uri(), f"http://127.0.0.1:{listening.getsockname()[1]}/x", listening


@pytest.mark.parametrize("operation", ["CreateHIT", "CreateQualificationType"])
def test_nothing_outside_a_document_is_looked_at(
    served: service.Service,
    lure: tuple[str, str, socket.socket],
    properties: dict[str, Any],
    operation: str,
) -> None:
    *addresses, listening = lure
    for address in addresses:
        for document in (
            f'<!DOCTYPE x [<!ENTITY e SYSTEM "{address}">]>' + FORM.replace("?", "&e;"),
            f'<!DOCTYPE x SYSTEM "{address}">' + FORM,
            f'<!DOCTYPE x [<!ENTITY % e SYSTEM "{address}"> %e;]>' + FORM,
            f'<?xml-stylesheet href="{address}"?>' + FORM,
            FORM.replace("<Question>", f'<Question xmlns:i="http://www.w3.org/2001/XInclude">'
                         f'<i:include href="{address}"/>'),
            FORM.replace(
                "<QuestionForm ",
                '<QuestionForm xmlns:s="http://www.w3.org/2001/XMLSchema-instance" '
                f'''s:schemaLocation="{BASE}2017-11-06/QuestionForm.xsd {address}" ''',
            ),
        ):  # fmt: skip
            sent = {
                "CreateHIT": {**properties, "LifetimeInSeconds": 60, "Question": document},
                "CreateQualificationType": {
                    "Name": f"n{hash(document)}",
                    "Description": "d",
                    "QualificationTypeStatus": "Active",
                    "Test": document,
                    "TestDurationInSeconds": 60,
                },
            }[operation]
            reply = served.handle({"X-Amz-Target": PREFIX + operation}, json.dumps(sent).encode())
            check(reply)
            assert b"must stay here" not in reply.body
    with pytest.raises(BlockingIOError):
        listening.accept()


LIST = PREFIX + "ListHITs"
UNKNOWN = "UnknownOperationException"


@pytest.mark.parametrize(
    ("target", "more", "body", "status", "kind"),
    [
        pytest.param(None, {}, b"{}", 400, UNKNOWN, id="no target"),
        pytest.param("x" * 5_000, {}, b"{}", 400, UNKNOWN, id="long"),
        pytest.param(PREFIX + "GetHIT\u00e9", {}, b"{}", 400, UNKNOWN, id="not ASCII"),
        pytest.param(LIST, {"Content-Type": "text/html"}, b"{}", 200, None, id="another type"),
        pytest.param(LIST, {"Authorization": "x"}, b"{", 400, "SerializationException", id="cut"),
        pytest.param(LIST, {}, b" " * 3 * 2**20, 413, "RequestEntityTooLargeException", id="3 MB"),
    ],
)
def test_over_http_the_answer_is_of_the_same_kind(
    url: str, target: str | None, more: dict[str, str], body: bytes, status: int, kind: str | None
) -> None:
    parts = urllib.parse.urlsplit(url)
    headers = more if target is None else {"X-Amz-Target": target, **more}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("POST", "/", body, headers)
    reply = connection.getresponse()
    answered = json.loads(reply.read())
    connection.close()

    assert (reply.status, answered.get("__type")) == (status, kind)
