from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]

MASTERS = "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH"
APPROVED: Any = {
    "QualificationTypeId": "00000000000000000040",
    "Comparator": "GreaterThan",
    "IntegerValues": [100],
}
IN_US: Any = {
    "QualificationTypeId": "00000000000000000071",
    "Comparator": "EqualTo",
    "LocaleValues": [{"Country": "US"}],
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="sent twice"),
        pytest.param({"Reward": "0.050"[:4]}, id="the same reward"),
        pytest.param({"AutoApprovalDelayInSeconds": 2592000}, id="the default delay sent"),
        pytest.param({"Keywords": ""}, id="no keywords sent"),
        pytest.param({"QualificationRequirements": []}, id="no requirements sent"),
    ],
)
def test_equal_properties_are_one_hit_type(
    client: MTurkClient, properties: dict[str, Any], changes: dict[str, Any]
) -> None:
    first = client.create_hit_type(**properties)
    second = client.create_hit_type(**properties | changes)

    assert second["HITTypeId"] == first["HITTypeId"]


def test_the_order_of_requirements_makes_no_other_hit_type(
    inside: MTurkClient, properties: dict[str, Any]
) -> None:
    first = inside.create_hit_type(**properties, QualificationRequirements=[APPROVED, IN_US])
    second = inside.create_hit_type(**properties, QualificationRequirements=[IN_US, APPROVED])

    assert second["HITTypeId"] == first["HITTypeId"]


@pytest.mark.parametrize(
    "changes",
    [
        {"Title": "Name the shape"},
        {"Description": "Another."},
        {"Reward": "0.06"},
        {"Keywords": "colour"},
        {"AssignmentDurationInSeconds": 601},
        {"AutoApprovalDelayInSeconds": 0},
        {"QualificationRequirements": [APPROVED]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_property_makes_another_hit_type(
    inside: MTurkClient, properties: dict[str, Any], changes: dict[str, Any]
) -> None:
    first = inside.create_hit_type(**properties)
    second = inside.create_hit_type(**properties | changes)

    assert second["HITTypeId"] != first["HITTypeId"]


def test_a_reply_is_compact_like_the_recorded_one(
    inside: MTurkClient, properties: dict[str, Any]
) -> None:
    reply = inside.create_hit_type(**properties)

    assert reply["ResponseMetadata"]["HTTPHeaders"]["content-length"] == "46"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Title": ""}, "Your request parameter Title  has a minimum length of 1."),
        (
            {"Keywords": "x" * 1001},
            "Your request parameter Keywords  has a maximum length of 1000.",
        ),
        (
            {"AssignmentDurationInSeconds": 29},
            'The value "29" is not valid for the parameter AssignmentDurationInSeconds.',
        ),
        (
            {"AutoApprovalDelayInSeconds": 2592001},
            'The value "2592001" is not valid for the parameter AutoApprovalDelayInSeconds.',
        ),
        (
            {"Reward": "99999999"},
            'The value "99999999" is not valid for the parameter Reward.',
        ),
        (
            {"QualificationRequirements": [APPROVED] * 11},
            'The value "11 requirements" is not valid for the parameter QualificationRequirements.',
        ),
        (
            {"QualificationRequirements": [APPROVED | {"Comparator": "Exists"}]},
            'The value "Exists with 100" is not valid for the parameter Comparator.',
        ),
        (
            {"QualificationRequirements": [APPROVED | {"IntegerValues": []}]},
            'The value "GreaterThan with no value" is not valid for the parameter Comparator.',
        ),
        (
            {"QualificationRequirements": [IN_US | {"Comparator": "LessThan"}]},
            'The value "LessThan with {"Country":"US"}" is not valid for the parameter Comparator.',
        ),
        (
            {
                "QualificationRequirements": [
                    APPROVED | {"Comparator": "In", "IntegerValues": list(range(16))}
                ]
            },
            'The value "In with 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15" is not valid '
            "for the parameter Comparator.",
        ),
        (
            {"QualificationRequirements": [APPROVED | {"QualificationTypeId": ""}]},
            "Your request parameter QualificationTypeId  has a minimum length of 1.",
        ),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_a_property_out_of_bounds_is_refused(
    inside: MTurkClient,
    properties: dict[str, Any],
    refused: Refused,
    changes: dict[str, Any],
    message: str,
) -> None:
    code, _, text = refused(inside.create_hit_type, **properties | changes)

    assert (code, text) == ("ParameterValidationError", message)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        (
            {"ActionsGuarded": "Accept", "RequiredToPreview": False},
            "ActionsGuarded, RequiredToPreview",
        ),
        ({"LocaleValues": [{"Country": "US"}]}, "IntegerValues, LocaleValues"),
    ],
)
def test_parameters_that_exclude_each_other_are_refused(
    inside: MTurkClient,
    properties: dict[str, Any],
    refused: Refused,
    changes: dict[str, Any],
    names: str,
) -> None:
    requirements = [APPROVED | changes]

    assert refused(
        inside.create_hit_type, **properties, QualificationRequirements=requirements
    ) == (
        "InvalidParameterCombinationError",
        None,
        f"The combination of parameters supplied to the request is invalid: {names}.",
    )


def test_a_long_title_and_description_are_taken(
    inside: MTurkClient, properties: dict[str, Any]
) -> None:
    long = {"Title": "x" * 129, "Description": "x" * 2001}
    assert inside.create_hit_type(**{**properties, **long})["HITTypeId"]
