from __future__ import annotations

import inspect

import pytest

from turkbatch import errors

CLASSES: list[type[errors.TurkbatchError]] = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.TurkbatchError)
]


def test_every_error_is_in_the_tree_at_the_top_of_the_module() -> None:
    assert errors.__doc__ is not None
    tree = errors.__doc__.split("::\n", 1)[1].split("\n\nEach class", 1)[0]
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in tree.strip("\n").splitlines():
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        while above and above[-1][0] >= depth:
            above.pop()
        drawn[name] = above[-1][1] if above else "Exception"
        above.append((depth, name))
    assert drawn == {one.__name__: one.__base__.__name__ for one in CLASSES if one.__base__}


def test_exit_codes_are_those_of_the_contract() -> None:
    codes = {one.__name__: one.exit_code for one in CLASSES}
    sent = {one.__name__ for one in CLASSES if issubclass(one, errors.ServiceError)}
    assert codes == {name: 4 if name in sent | {"PartialError"} else 1 for name in codes}


def test_an_outcome_is_unknown_where_the_work_may_be_done() -> None:
    unknown = {
        one.__name__
        for one in CLASSES
        if issubclass(one, errors.ServiceError) and one.outcome_unknown
    }
    assert unknown == {"FaultError", "UnreachableError"}


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        pytest.param(
            errors.Finding("rule", "data.jsonl", "no row", "add one", line=7),
            "data.jsonl:7: no row; add one",
            id="line",
        ),
        pytest.param(
            errors.Finding("rule", "data.jsonl", "no row", "add one"),
            "data.jsonl: no row; add one",
            id="file",
        ),
        pytest.param(
            errors.Finding("rule", "data.jsonl", "no row", ""), "data.jsonl: no row", id="no fix"
        ),
    ],
)
def test_a_finding_says_where_what_and_what_to_do(finding: errors.Finding, text: str) -> None:
    assert str(finding) == text


def test_an_input_error_says_every_finding() -> None:
    findings = [errors.Finding("a", "file", f"fault {n}", "mend it", line=n) for n in (1, 2)]
    error = errors.DataError(*findings)
    assert error.findings == tuple(findings)
    assert str(error) == "file:1: fault 1; mend it\nfile:2: fault 2; mend it"


def test_a_partial_error_lists_what_failed() -> None:
    failures = [("HIT A", ValueError("no")), ("HIT B", errors.NotFoundError("gone"))]
    error = errors.PartialError("2 of 5 failed", iter(failures))
    assert error.failures == tuple(failures)
    assert str(error) == "2 of 5 failed\n  HIT A: no\n  HIT B: gone"


def test_a_service_error_keeps_operation_and_code() -> None:
    error = errors.DuplicateError("m", operation="CreateHIT", code="C", existing_id="3A")
    assert (str(error), error.operation, error.code, error.existing_id) == (
        "m",
        "CreateHIT",
        "C",
        "3A",
    )
