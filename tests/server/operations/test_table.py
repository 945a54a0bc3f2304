from __future__ import annotations

import inspect

import pytest

from turkbatch.server import operations, protocol
from turkbatch.server.operations import table


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
