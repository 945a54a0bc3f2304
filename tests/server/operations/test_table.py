from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from turkbatch.server import operations, protocol
from turkbatch.server.operations import table

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient


def test_every_operation_of_the_model_is_there() -> None:
    assert list(operations.TABLE) == sorted(protocol.service_model().operation_names)


def test_the_table_that_is_checked_in_says_what_the_code_says() -> None:
    assert table.FILE.read_text(encoding="utf-8") == table.text(), (
        "run: python -m turkbatch.server.operations.table"
    )


@pytest.mark.parametrize("name", operations.TABLE)
def test_every_operation_names_its_source_and_what_it_refuses(name: str) -> None:
    text = inspect.getdoc(operations.TABLE[name].carry_out) or ""
    page = (
        "https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/"
        f"ApiReference_{name}Operation.html"
    )

    assert text.endswith(page)
    assert ("Raises\n------\nRefusal\n" in text) == (name != "GetAccountBalance")


def test_every_operation_answers_boto3(client: MTurkClient) -> None:
    values = {"string": "X", "integer": 1, "long": 60, "timestamp": 0, "boolean": False}
    of_members: dict[str, Any] = {
        "WorkerId": "A1",
        "WorkerIds": ["A1"],
        "Reward": "0.05",
        "BonusAmount": "0.05",
        "QualificationTypeStatus": "Active",
        "Notification": {
            "Destination": "me@example.org",
            "Transport": "Email",
            "Version": "2006-05-05",
            "EventTypes": ["Ping"],
        },
        "TestEventType": "Ping",
    }
    answered = {}
    for name in operations.TABLE:
        shape: Any = protocol.service_model().operation_model(name).input_shape
        parameters = {
            member: of_members.get(member, values.get(shape.members[member].type_name))
            for member in shape.required_members
        }
        operation = getattr(client, xform_name(name))
        try:
            operation(**parameters)
            answered[name] = "done"
        except ClientError as error:
            answered[name] = error.response["Error"]["Code"]
    assert set(answered.values()) == {"done", "RequestError", "ParameterValidationError"}
    assert {name for name, code in answered.items() if code == "ParameterValidationError"} == {
        "CreateHIT",  # neither Question nor layout
        "ListBonusPayments",  # neither HIT nor assignment
    }
