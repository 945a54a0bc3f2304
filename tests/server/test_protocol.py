from __future__ import annotations

import email.utils
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turkbatch.server import operations, protocol, service

Call = Callable[..., tuple[int, dict[str, str], dict[str, Any]]]
PREFIX = "MTurkRequesterServiceV20170117."


@pytest.fixture
def call(served: service.Service) -> Call:
    """Send a body to an operation, past botocore's own checks."""

    def send(operation: str, body: object) -> tuple[int, dict[str, str], dict[str, Any]]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = served.handle({"x-amz-target": PREFIX + operation}, content)
        return reply.status, dict(reply.headers), json.loads(reply.body)

    return send


def plain(message: str) -> str:
    return re.sub(r" \([0-9]{13}\)$", "", message)


@pytest.mark.parametrize(
    ("operation", "body", "constraints"),
    [
        (
            "GetHIT",
            {},
            "Value null at 'hITId' failed to satisfy constraint: Member must not be null",
        ),
        (
            "RejectAssignment",
            {"AssignmentId": "3A", "RequesterFeedback": None},
            "Value null at 'requesterFeedback' failed to satisfy constraint: Member must not be "
            "null",
        ),
        (
            "GetHIT",
            {"HITId": "3a"},
            "Value '3a' at 'hITId' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: ^[A-Z0-9]+$",
        ),
        (
            "GetHIT",
            {"HITId": "3A\n"},
            "Value '3A\n' at 'hITId' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: ^[A-Z0-9]+$",
        ),
        (
            "GetHIT",
            {"HITId": "A" * 65},
            f"Value '{'A' * 65}' at 'hITId' failed to satisfy constraint: Member must have length "
            "less than or equal to 64",
        ),
        (
            "ListHITs",
            {"MaxResults": 101},
            "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less "
            "than or equal to 100",
        ),
        (
            "ListHITs",
            {"MaxResults": 0},
            "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value "
            "greater than or equal to 1",
        ),
        (
            "ListHITs",
            {"MaxResults": True},
            "Value 'true' at 'maxResults' failed to satisfy constraint: Member must be a whole "
            "number",
        ),
        (
            "ListHITs",
            {"MaxResults": 2**31},
            "Value '2147483648' at 'maxResults' failed to satisfy constraint: Member must be "
            "between -2147483648 and 2147483647",
        ),
        (
            "ListReviewableHITs",
            {"Status": "Done"},
            "Value 'Done' at 'status' failed to satisfy constraint: Member must satisfy enum value "
            "set: [Reviewable, Reviewing]",
        ),
        (
            "ListAssignmentsForHIT",
            {"HITId": "3A", "AssignmentStatuses": "Submitted"},
            "Value 'Submitted' at 'assignmentStatuses' failed to satisfy constraint: Member must "
            "be a list",
        ),
        (
            "ListAssignmentsForHIT",
            {"HITId": "3A", "AssignmentStatuses": ["Done"]},
            "Value 'Done' at 'assignmentStatuses.1.member' failed to satisfy constraint: Member "
            "must satisfy enum value set: [Submitted, Approved, Rejected]",
        ),
        (
            "UpdateExpirationForHIT",
            {"HITId": "3A", "ExpireAt": "soon"},
            "Value 'soon' at 'expireAt' failed to satisfy constraint: Member must be a timestamp",
        ),
        (
            "UpdateExpirationForHIT",
            {"HITId": "3A", "ExpireAt": 1e300},
            "Value '1e+300' at 'expireAt' failed to satisfy constraint: Member must be a timestamp",
        ),
        (
            "UpdateHITReviewStatus",
            {"HITId": "3A", "Revert": "true"},
            "Value 'true' at 'revert' failed to satisfy constraint: Member must be a boolean",
        ),
        (
            "CreateHITType",
            {
                "Title": "t\0",
                "Description": 3,
                "Reward": "1.234",
                "AssignmentDurationInSeconds": 60,
                "QualificationRequirements": [{"Comparator": "Exists"}],
            },
            "Value '1.234' at 'reward' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: ^[0-9]+(\\.)?[0-9]{0,2}$; "
            "Value 't\0' at 'title' failed to satisfy constraint: Member must hold Unicode "
            "characters other than null; "
            "Value '3' at 'description' failed to satisfy constraint: Member must be a string; "
            "Value null at 'qualificationRequirements.1.member.qualificationTypeId' failed to "
            "satisfy constraint: Member must not be null",
        ),
        (
            "CreateHITType",
            {
                "Title": "t",
                "Description": "d",
                "Reward": "1",
                "AssignmentDurationInSeconds": 60,
                "QualificationRequirements": ["x"],
            },
            "Value 'x' at 'qualificationRequirements.1.member' failed to satisfy constraint: "
            "Member must be a structure",
        ),
    ],
)
def test_what_breaks_the_model_is_refused(
    call: Call, operation: str, body: object, constraints: str
) -> None:
    count = len(constraints.split("; "))
    status, _, reply = call(operation, body)

    assert (status, reply["__type"], plain(reply["Message"])) == (
        400,
        "ValidationException",
        f"{count} validation error{'s' * (count > 1)} detected: {constraints}",
    )
    assert "TurkErrorCode" not in reply


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The request's body is not valid JSON."),
        (b"\xff", "The request's body is not valid JSON."),
        (b'{"MaxResults": NaN}', "The request's body is not valid JSON."),
        (b"[" * 100_000, "The request's body is not valid JSON."),
        (b'{"MaxResults": ' + b"9" * 5_000 + b"}", "The request's body is not valid JSON."),
        (b"[]", "The request's body is not a JSON object."),
        (b"null", "The request's body is not a JSON object."),
    ],
    ids=["torn", "not UTF-8", "NaN", "deep", "long number", "list", "null"],
)
def test_a_body_that_is_no_json_object_is_refused(call: Call, body: bytes, message: str) -> None:
    status, _, reply = call("ListHITs", body)

    assert (status, reply["__type"], plain(reply["Message"])) == (
        400,
        "SerializationException",
        message,
    )


def test_a_body_beyond_any_valid_request_is_refused(call: Call) -> None:
    status, _, reply = call("ListHITs", b" " * (2 * 1024 * 1024 + 1))

    assert (status, reply["__type"], plain(reply["Message"])) == (
        413,
        "RequestEntityTooLargeException",
        "The request is larger than 2097152 bytes.",
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Amz-Target": ""},
        {"X-Amz-Target": "ListHITs"},
        {"X-Amz-Target": PREFIX + "ListHits"},
        {"X-Amz-Target": "MTurkRequesterServiceV20140815.ListHITs"},
    ],
    ids=["no header", "empty", "no prefix", "other case", "other version"],
)
def test_an_unknown_target_is_refused(served: service.Service, headers: dict[str, str]) -> None:
    reply = served.handle(headers, b"{}")
    body = json.loads(reply.body)

    assert (reply.status, body["__type"], plain(body["Message"])) == (
        400,
        "UnknownOperationException",
        f'There is no operation "{headers.get("X-Amz-Target", "")}".',
    )


def test_every_operation_of_the_table_is_in_the_model() -> None:
    assert set(operations.TABLE) <= set(protocol.service_model().operation_names)


def test_a_reply_has_the_service_s_headers_and_compact_json(
    served: service.Service, call: Call
) -> None:
    served.clock.advance(86_400)
    status, headers, reply = call("GetAccountBalance", b"")

    assert (status, reply) == (200, {"AvailableBalance": "10000.00", "OnHoldBalance": "0.00"})
    assert sorted(headers) == ["Content-Length", "Content-Type", "Date", "x-amzn-RequestId"]
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert headers["Content-Length"] == str(len(protocol.dump(reply)))
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-amzn-RequestId"])
    date = email.utils.parsedate_to_datetime(headers["Date"])
    assert abs((date - served.clock.now()).total_seconds()) < 5


def test_errors_carry_type_message_code_and_a_time_stamp(call: Call) -> None:
    status, _, reply = call("GetHIT", {"HITId": "ABC"})

    assert status == 400
    assert re.fullmatch(r"Hit ABC does not exist\. \([0-9]{13}\)", reply.pop("Message"))
    assert reply == {
        "__type": "RequestError",
        "TurkErrorCode": "AWS.MechanicalTurk.HITDoesNotExist",
    }


def test_unknown_members_and_nulls_are_passed_over(call: Call) -> None:
    status, _, reply = call("ListHITs", {"MaxResults": None, "Sort": "newest"})

    assert (status, reply) == (200, {"NumResults": 0, "HITs": []})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(1_558_393_704, "1.558393704E9", id="recorded"),
        (1_600_000_000, "1.6E9"),
        (1_000_000_000, "1.0E9"),
        (10_000_000, "1.0E7"),
        (9_999_999, "9999999.0"),
        (0, "0.0"),
        (-62_135_596_800, "-6.21355968E10"),
    ],
)
def test_times_are_written_as_java_writes_a_double(number: int, text: str) -> None:
    assert protocol.java_double(number) == text


@given(st.integers(-(2**53), 2**53))
def test_a_written_time_reads_as_the_same_number(number: int) -> None:
    assert float(protocol.java_double(number)) == number


_SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="utf-8"))
)


@given(
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
        ),
        max_leaves=20,
    )
)
def test_what_is_written_reads_as_the_same_json(value: Any) -> None:
    def without_absent(one: Any) -> Any:
        if isinstance(one, dict):
            return {k: without_absent(v) for k, v in one.items() if v is not None}
        return (
            [without_absent(item) for item in one if item is not None]
            if isinstance(one, list)
            else one
        )

    def listed(one: Any) -> Any:
        # only members are left out; a list of the API never holds null
        if isinstance(one, dict):
            return {k: listed(v) for k, v in one.items()}
        return [listed(item) for item in one if item is not None] if isinstance(one, list) else one

    if value is not None:
        assert json.loads(protocol.dump(listed(value))) == without_absent(value)


_WILD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["3A", "Submitted", "0.05", "US", "Exists", "a\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["HITId", "QualificationTypeId", "Comparator", "Country", "Key"]), inner
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_brings_more_than_a_refusal(
    served: service.Service, data: st.DataObject
) -> None:
    model = protocol.service_model()
    operation = data.draw(st.sampled_from(sorted(operations.TABLE)))
    shape = model.operation_model(operation).input_shape
    names = sorted(shape.members) if shape else []
    body = data.draw(st.dictionaries(st.sampled_from([*names, "Other"]), _WILD))
    reply = served.handle({"X-Amz-Target": PREFIX + operation}, json.dumps(body).encode())

    assert reply.status in (200, 400)
    assert isinstance(json.loads(reply.body), dict)


def test_a_plain_http_client_gets_the_same_wire_form(url: str) -> None:
    request = urllib.request.Request(
        url, b'{"HITId": "ABC"}', {"X-Amz-Target": PREFIX + "GetHIT"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        urllib.request.urlopen(request)
    with caught.value as reply:
        body = json.loads(reply.read())

    assert body["__type"] == "RequestError"
    assert reply.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert reply.headers.get_all("Date") is not None
    assert len(reply.headers.get_all("Date") or []) == 1
