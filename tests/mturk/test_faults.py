from __future__ import annotations

import inspect
import re
from typing import Any

import botocore.exceptions
import botocore.parsers
import pytest

from turkbatch import errors
from turkbatch.mturk import environments, faults, model

HERE = environments.at("http://127.0.0.1:8000")


def translated(error: Exception, environment: environments.Environment = HERE) -> Exception:
    """Give what comes of an error of botocore's."""
    with (
        pytest.raises(errors.TurkbatchError, match=r"\w") as caught,
        faults.translated("CreateHIT", environment),
    ):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def reply(kind: str, text: str = "", *, turk: str | None = None, status: int = 400) -> Exception:
    """Make the error that botocore makes of a reply."""
    response: Any = {
        "Error": {"Code": kind, "Message": text},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if turk is not None:
        response["TurkErrorCode"] = turk
    return botocore.exceptions.ClientError(response, "CreateHIT")


MTURK = "AWS.MechanicalTurk."


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("HITDoesNotExist", "Hit ABC does not exist. (1558393704000)", errors.NotFoundError),
        ("AssignmentDoesNotExist", "Assignment 123 does not exist.", errors.NotFoundError),
        (
            "QualificationDoesNotExist",
            "You requested a Qualification that does not exist.",
            errors.NotFoundError,
        ),
        ("QualificationTypeDoesNotExist", "text", errors.NotFoundError),
        ("QualificationRequestDoesNotExist", "text", errors.NotFoundError),
        (
            "InvalidAssignmentState",
            "This operation can be called with a status of: Submitted",
            errors.StateError,
        ),
        ("InvalidQualificationState", "text", errors.StateError),
        ("InvalidQualificationTypeState", "text", errors.StateError),
        ("InvalidQualificationRequestState", "text", errors.StateError),
        (
            "InvalidHITState",
            "This HIT is currently in the state 'Reviewable'.  This operation can be called with"
            " a status of: Reviewing, Reviewable",
            errors.StateError,
        ),
        ("HITAlreadyPassedReview", "text", errors.StateError),
        ("HitAlreadyExists", 'The HIT with ID "3ABC" already exists.', errors.DuplicateError),
        ("HITAlreadyExists", 'The HIT with ID "3ABC" already exists.', errors.DuplicateError),
        ("DuplicateCall", "text", errors.DuplicateError),
        (
            "InsufficientFunds",
            "This Requester has insufficient funds in their account to complete this transaction."
            " Please visit https://requester.mturk.com/prepayments/new",
            errors.FundsError,
        ),
        *(
            (code, "text", errors.ServiceError)
            for code in (
                "AssignmentAlreadyExists",
                "DoesNotMeetRequirements",
                "ExceedsMaxAssignmentsPerWorker",
                "HITTooOldForExtension",
                "InvalidMaximumAssignmentsIncrease",
                "InvalidParameterValue",
                "InvalidTransportEndpoint",
                "NoHITsAvailableForIterator",
                "NoHITsAvailableInGroupException",
                "NoMoreWorkableHITsInGroupException",
                "PermissionDenied",
                "QualificationAlreadyExists",
                "QualificationTypeAlreadyExists",
                "QualificationTypeDoesNotAllowRetake",
                "QualificationTypeRetryDelayNotElapsed",
                "XHTMLParseError",
                "XMLParseError",
            )
        ),
    ],
)
def test_codes_of_mturks_own(code: str, text: str, expected: type[errors.ServiceError]) -> None:
    found = translated(reply("RequestError", text, turk=MTURK + code))
    assert isinstance(found, errors.ServiceError)
    without_time = text.removesuffix(" (1558393704000)")
    assert (type(found), found.operation, found.code, str(found)) == (
        expected,
        "CreateHIT",
        MTURK + code,
        f"CreateHIT: {without_time} [{MTURK}{code}]",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hit ABC does not exist. (1558393704000 s)", errors.NotFoundError),
        ("This operation can be called with a status of: null", errors.StateError),
        ("The request failed the idempotency check", errors.DuplicateError),
        ('The HIT with ID "3ABC" already exists.', errors.DuplicateError),
        ("This Requester has insufficient funds in their account.", errors.FundsError),
        ("There was an error with this request.", errors.ServiceError),
        ("", errors.ServiceError),
    ],
)
@pytest.mark.parametrize("kind", ["RequestError", "ParameterValidationError"])
def test_texts_where_the_code_is_lost(
    kind: str, text: str, expected: type[errors.ServiceError]
) -> None:
    assert type(translated(reply(kind, text))) is expected


@pytest.mark.parametrize(
    ("text", "existing"),
    [
        ('The HIT with ID "3ABC" already exists. (1)', "3ABC"),
        ("The HIT with ID 3ABC already exists.", "3ABC"),
        ("There is one already.", None),
    ],
)
def test_a_duplicate_names_the_hit_that_is_there(text: str, existing: str | None) -> None:
    found = translated(reply("RequestError", text, turk=MTURK + "HitAlreadyExists"))
    assert isinstance(found, errors.DuplicateError)
    assert found.existing_id == existing


@pytest.mark.parametrize("kind", sorted(faults.THROTTLING))
def test_throttling_is_told_from_other_refusals(kind: str) -> None:
    found = translated(reply(kind, "Rate exceeded"))
    assert (type(found), str(found)) == (
        errors.ThrottledError,
        f"CreateHIT: Rate exceeded [{kind}]",
    )


def test_a_status_of_429_is_throttling_whatever_the_body() -> None:
    assert type(translated(reply("Nonsense", status=429))) is errors.ThrottledError


@pytest.mark.parametrize(
    "error",
    [
        *(reply("ServiceFault", "Try again", status=status) for status in (400, 500)),
        *(reply(str(status), "Service Unavailable", status=status) for status in range(500, 506)),
        reply("RequestError", "Hit A does not exist.", turk=MTURK + "HITDoesNotExist", status=500),
        reply("RequestError", "text", turk="AWS.ServiceUnavailable"),
        reply("RequestTimeout", "Your socket connection was not read from in time."),
        reply("InternalFailure", "text"),
        reply("", status=503),
    ],
)
def test_faults_of_the_service_leave_the_outcome_unknown(error: Exception) -> None:
    found = translated(error)
    assert isinstance(found, errors.FaultError)
    assert found.outcome_unknown


@pytest.mark.parametrize("kind", sorted(faults.CREDENTIALS))
@pytest.mark.parametrize("as_code", [False, True])
def test_credentials_that_are_not_accepted(kind: str, as_code: bool) -> None:
    error = reply("RequestError", "No.", turk=kind) if as_code else reply(kind, "No.")
    found = translated(error, environments.LIVE)
    assert (type(found), str(found)) == (
        errors.ServiceError,
        f"CreateHIT: No. [{kind}]: live does not accept these credentials;"
        " check the key, or --profile",
    )


def test_a_server_on_this_machine_that_wants_a_key_is_told_of_the_profile() -> None:
    found = translated(
        reply("UnrecognizedClientException", "No."), environments.at("http://127.0.0.1:8765")
    )
    assert str(found).endswith("name a profile that holds one by --profile")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            reply("RequestError", "Your AWS account must be linked to your Amazon Mechanical Turk"),
            True,
            id="recorded",
        ),
        pytest.param(
            reply("RequestError", "To link\nyour account, visit", turk="AWS.NotLinked"),
            True,
            id="with a code",
        ),
        pytest.param(
            reply("ParameterValidationError", "Details: <link href='account'> is not allowed"),
            False,
            id="a question that is quoted",
        ),
        pytest.param(reply("RequestError", "unlinked accountancy"), False, id="other words"),
    ],
)
def test_an_account_that_is_not_linked_is_told_where_to_link(
    error: Exception, expected: bool
) -> None:
    assert (faults.LINK_PAGES in str(translated(error))) is expected


@pytest.mark.parametrize(
    ("environment", "named"),
    [(environments.LIVE, True), (environments.SANDBOX, True), (HERE, False)],
)
@pytest.mark.parametrize(
    "error",
    [
        *(reply(kind, "Gone.") for kind in sorted(faults.GONE)),
        reply("Nonsense", status=410),
        botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="https://x"),
        botocore.exceptions.NoCredentialsError(),
        botocore.exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET"),
    ],
    ids=lambda error: str(getattr(error, "fmt", error))[:40],
)
def test_where_aws_is_gone_or_asks_for_an_account_the_two_ways_on_are_named(
    error: Exception, environment: environments.Environment, named: bool
) -> None:
    text = str(translated(error, environment))
    assert ("--local" in text and "--endpoint-url URL" in text) is named


def test_a_server_of_ones_own_that_does_not_answer_is_named() -> None:
    error = botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:8000/")
    found = translated(error)
    assert (type(found), str(found)) == (
        errors.UnreachableError,
        "CreateHIT: no reply from custom (http://127.0.0.1:8000): Could not connect to the"
        ' endpoint URL: "http://127.0.0.1:8000/"; check that the server runs and that the'
        " address is right",
    )


def test_parameters_that_botocore_refuses_are_no_success() -> None:
    found = translated(botocore.exceptions.ParamValidationError(report="Missing required: X"))
    assert type(found) is errors.ServiceError
    assert "Missing required: X" in str(found)
    assert not found.outcome_unknown


def made(kind: type[Exception]) -> Exception:
    """Make an error of a class of botocore's with whatever its message needs."""
    if issubclass(kind, botocore.exceptions.ClientError):
        return kind({"Error": {}}, "CreateHIT")
    names = re.findall(r"{([a-z0-9_]+)", getattr(kind, "fmt", ""))
    if kind is botocore.exceptions.WaiterError:
        names.append("last_response")
    return kind(**dict.fromkeys(names, "x"))


EVERY = sorted(
    {
        kind
        for kind in vars(botocore.exceptions).values()
        if inspect.isclass(kind)
        and issubclass(kind, botocore.exceptions.BotoCoreError | botocore.exceptions.ClientError)
    },
    key=lambda kind: str(kind.__name__),
)
NO_REPLY = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.IncompleteReadError,
)


@pytest.mark.parametrize("kind", EVERY)
def test_no_error_of_botocore_is_unmapped(kind: type[Exception]) -> None:
    found = translated(made(kind))
    assert isinstance(found, errors.ServiceError | errors.CredentialsError)
    assert isinstance(found, errors.UnreachableError) == issubclass(kind, NO_REPLY)


@pytest.mark.parametrize(
    "error",
    [
        botocore.parsers.ResponseParserError("not JSON"),
        UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "no"),
    ],
)
def test_a_reply_that_can_not_be_read_leaves_the_outcome_unknown(error: Exception) -> None:
    assert type(translated(error)) is errors.UnreachableError


@pytest.mark.parametrize("shape", [shape.name for shape in model.service().error_shapes])
def test_no_error_of_mturks_model_is_unmapped(shape: str) -> None:
    expected = {"RequestError": errors.ServiceError, "ServiceFault": errors.FaultError}
    assert type(translated(reply(shape, "text"))) is expected[shape]


def test_errors_of_our_own_pass() -> None:
    with (
        pytest.raises(KeyError, match="HIT"),
        faults.translated("CreateHIT", HERE),
    ):
        raise KeyError("HIT")
