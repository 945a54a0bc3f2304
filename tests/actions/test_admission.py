from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from turkbatch.actions import admission
from turkbatch.batch import definition as batch_definition

LOCALE = "00000000000000000071"
APPROVED = "00000000000000000040"


def requires(type_id: str, comparator: str, *values: Any) -> dict[str, Any]:
    key = "LocaleValues" if values and isinstance(values[0], dict) else "IntegerValues"
    given = {key: list(values)} if values else {}
    return {"QualificationTypeId": type_id, "Comparator": comparator, **given}


US, CALIFORNIA, FRANCE = (
    {"Country": "US"},
    {"Country": "US", "Subdivision": "CA"},
    {"Country": "FR"},
)


@pytest.mark.parametrize(
    ("requirements", "met"),
    [
        pytest.param([requires(APPROVED, "GreaterThan", 5000)], True, id="much experience"),
        pytest.param(
            [requires(APPROVED, "GreaterThan", 5), requires("@NumberHITsApproved", "LessThan", 7)],
            True,
            id="a number between, once by id and once by name",
        ),
        pytest.param(
            [requires(APPROVED, "GreaterThan", 5), requires(APPROVED, "LessThan", 6)],
            False,
            id="no number between",
        ),
        pytest.param([requires(APPROVED, "LessThan", 0)], False, id="fewer than none"),
        pytest.param(
            [requires("@PercentAssignmentsApproved", "GreaterThanOrEqualTo", 98)], True, id="rate"
        ),
        pytest.param(
            [requires("@PercentAssignmentsApproved", "GreaterThan", 100)], False, id="over 100 %"
        ),
        pytest.param([requires("@Masters", "Exists")], True, id="Masters"),
        pytest.param(
            [requires("@Masters", "Exists"), requires("@Masters", "DoesNotExist")],
            False,
            id="Masters and not",
        ),
        pytest.param([requires("@Adult", "EqualTo", 1)], True, id="adult"),
        pytest.param([requires("@Adult", "EqualTo", 2)], False, id="adult is 0 or 1"),
        pytest.param(
            [requires(LOCALE, "In", US, FRANCE), requires(LOCALE, "NotEqualTo", CALIFORNIA)],
            True,
            id="elsewhere in the country",
        ),
        pytest.param(
            [requires(LOCALE, "EqualTo", US), requires(LOCALE, "EqualTo", FRANCE)],
            False,
            id="two countries at once",
        ),
        pytest.param([requires(LOCALE, "NotIn", US, FRANCE)], True, id="a country not named"),
        pytest.param([requires("@Mine", "GreaterThan", 7)], True, id="one's own, with a value"),
        pytest.param([requires("@Mine", "DoesNotExist")], True, id="one's own, not held"),
        pytest.param(
            [requires("@Mine", "EqualTo", 1), requires("@Mine", "DoesNotExist")],
            False,
            id="one's own, held and not",
        ),
        pytest.param(
            [requires("@Mine", "EqualTo", 1), requires("@Other", "EqualTo", 2)],
            True,
            id="two types",
        ),
    ],
)
def test_what_nobody_can_meet_is_told(
    definition: Path, requirements: list[dict[str, Any]], met: bool
) -> None:
    path = definition / "hittypeproperties.json"
    properties = json.loads(path.read_text()) | {"QualificationRequirements": requirements}
    path.write_text(json.dumps(properties))
    found = admission.unmeetable(batch_definition.read(definition))

    assert [one.rule for one in found] == ([] if met else ["unmeetable-requirements"])


def test_the_finding_names_the_line_and_what_is_asked(definition: Path) -> None:
    path = definition / "hittypeproperties.json"
    properties = json.loads(path.read_text()) | {
        "QualificationRequirements": [
            requires("@Masters", "Exists"),
            requires("@Locale", "EqualTo", CALIFORNIA),
            requires("@Locale", "In", FRANCE),
        ]
    }
    path.write_text(json.dumps(properties, indent=1))
    [found] = admission.unmeetable(batch_definition.read(definition))

    assert path.read_text().splitlines()[(found.line or 0) - 1].strip() == "{"
    assert found.found == "nobody can have a @Locale that is EqualTo US-CA and In FR"
