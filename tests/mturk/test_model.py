from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.model
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch.mturk import model
from turkbatch.mturk.model import Fault

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "amti_definitions"

TYPE: dict[str, Any] = {
    "Title": "Name the colour",
    "Description": "One word.",
    "Reward": "0.10",
    "AssignmentDurationInSeconds": 600,
    "AutoApprovalDelayInSeconds": 86400,
    "Keywords": "colour, word",
}
HIT: dict[str, Any] = {"MaxAssignments": 2, "LifetimeInSeconds": 3600}
NOT_THEIRS = {"HITTypeId", "Question", "UniqueRequestToken"}
MONEY = 'dollars with at most two decimals, no sign or symbol, such as "0.25"'
OWN = "3" + "A" * 29


def type_faults(**changes: Any) -> list[Fault]:
    return model.check("CreateHITType", TYPE | changes)


def requirement_faults(*requirements: Any) -> list[Fault]:
    return type_faults(QualificationRequirements=list(requirements))


def test_good_properties_have_no_fault() -> None:
    assert model.check("CreateHITType", TYPE) == []
    assert model.check("CreateHITWithHITType", HIT, without=NOT_THEIRS) == []


def test_every_fault_is_found_at_once() -> None:
    parameters = {"Title": 5, "Reward": 0.1, "Keyword": "a", "AssignmentDurationInSeconds": "600"}
    assert model.check("CreateHITType", parameters) == [
        Fault("missing-property", ("Description",), "no Description", "it is required"),
        Fault("wrong-type", ("Title",), "5", "a string is expected"),
        Fault("wrong-type", ("Reward",), "0.1", "a string is expected"),
        Fault("unknown-property", ("Keyword",), "unknown", "did you mean Keywords?"),
        Fault(
            "wrong-type",
            ("AssignmentDurationInSeconds",),
            "'600'",
            "a whole number is expected",
        ),
    ]


@pytest.mark.parametrize("name", ["Title", "Description", "Reward", "AssignmentDurationInSeconds"])
def test_a_missing_property_is_named(name: str) -> None:
    given = {key: value for key, value in TYPE.items() if key != name}
    assert model.check("CreateHITType", given) == [
        Fault("missing-property", (name,), f"no {name}", "it is required")
    ]


@pytest.mark.parametrize("name", sorted(NOT_THEIRS))
def test_what_is_not_the_users_to_give_is_unknown(name: str) -> None:
    (fault,) = model.check("CreateHITWithHITType", HIT | {name: "x"}, without=NOT_THEIRS)
    assert (fault.rule, fault.path, fault.found) == ("unknown-property", (name,), "unknown")
    assert name not in fault.expected


def test_a_name_like_no_other_lists_what_there_is() -> None:
    (fault,) = type_faults(Zzz=1)
    assert fault.expected == (
        "there are AssignmentDurationInSeconds, AutoApprovalDelayInSeconds, Description, Keywords,"
        " QualificationRequirements, Reward, Title"
    )


@pytest.mark.parametrize(
    ("name", "value", "found", "expected"),
    [
        ("Title", None, "null", "a string is expected"),
        ("Title", True, "true", "a string is expected"),
        ("Title", ["a"], "['a']", "a string is expected"),
        ("Title", list(range(50)), str(list(range(50)))[:57] + "...", "a string is expected"),
        ("Reward", 1, "1", "a string is expected"),
        ("AssignmentDurationInSeconds", True, "true", "a whole number is expected"),
        ("AssignmentDurationInSeconds", 600.0, "600.0", "a whole number is expected"),
        ("AssignmentDurationInSeconds", None, "null", "a whole number is expected"),
        ("AutoApprovalDelayInSeconds", {}, "{}", "a whole number is expected"),
        ("QualificationRequirements", {}, "{}", "a list is expected"),
        ("QualificationRequirements", "[]", "'[]'", "a list is expected"),
    ],
)
def test_a_wrong_type_is_shown(name: str, value: object, found: str, expected: str) -> None:
    assert type_faults(**{name: value}) == [Fault("wrong-type", (name,), found, expected)]


@pytest.mark.parametrize(
    ("name", "value", "found", "expected"),
    [
        ("Title", "", "empty", "it must not be empty"),
        ("Description", "", "empty", "it must not be empty"),
        ("Keywords", "x" * 1001, "1,001 characters", "at most 1,000"),
        ("Reward", "$0.10", "'$0.10'", MONEY),
        ("Reward", "-0.10", "'-0.10'", MONEY),
        ("Reward", "0.105", "'0.105'", MONEY),
        ("Reward", ".10", "'.10'", MONEY),
        ("Reward", "0.10\n", "'0.10\\n'", MONEY),
        ("Reward", "", "''", MONEY),
        ("AssignmentDurationInSeconds", 29, "29", "30 to 31,536,000 is allowed"),
        ("AssignmentDurationInSeconds", 31_536_001, "31536001", "30 to 31,536,000 is allowed"),
        ("AutoApprovalDelayInSeconds", -1, "-1", "0 to 2,592,000 is allowed"),
        ("AutoApprovalDelayInSeconds", 2_592_001, "2592001", "0 to 2,592,000 is allowed"),
    ],
)
def test_a_wrong_value_of_a_type_is_shown(
    name: str, value: object, found: str, expected: str
) -> None:
    assert type_faults(**{name: value}) == [Fault("wrong-value", (name,), found, expected)]


@pytest.mark.parametrize(
    ("name", "value", "found", "expected"),
    [
        ("MaxAssignments", 0, "0", "1 to 1,000,000,000 is allowed"),
        ("LifetimeInSeconds", 29, "29", "30 to 31,536,000 is allowed"),
        ("RequesterAnnotation", "x" * 256, "256 characters", "at most 255"),
    ],
)
def test_a_wrong_value_of_a_hit_is_shown(
    name: str, value: object, found: str, expected: str
) -> None:
    faults = model.check("CreateHITWithHITType", HIT | {name: value}, without=NOT_THEIRS)
    assert faults == [Fault("wrong-value", (name,), found, expected)]


@pytest.mark.parametrize(
    "changes",
    [
        {"Title": "x" * 128, "Description": "x" * 2000, "Keywords": "x" * 1000},
        {"Keywords": ""},
        {"Reward": "0"},
        {"Reward": "5."},
        {"AssignmentDurationInSeconds": 30, "AutoApprovalDelayInSeconds": 0},
        {"AssignmentDurationInSeconds": 31_536_000, "AutoApprovalDelayInSeconds": 2_592_000},
        {"QualificationRequirements": []},
    ],
)
def test_values_at_their_bounds_have_no_fault(changes: dict[str, Any]) -> None:
    assert type_faults(**changes) == []


def needs(comparator: str, **values: Any) -> dict[str, Any]:
    return {"QualificationTypeId": OWN, "Comparator": comparator, **values}


US = {"Country": "US"}
COMPARATORS = (
    "one of LessThan, LessThanOrEqualTo, GreaterThan, GreaterThanOrEqualTo, EqualTo, NotEqualTo,"
    " Exists, DoesNotExist, In, NotIn"
)


@pytest.mark.parametrize(
    "requirement",
    [
        *(
            needs(comparator, IntegerValues=[90])
            for comparator in (
                "LessThan",
                "LessThanOrEqualTo",
                "GreaterThan",
                "GreaterThanOrEqualTo",
                "EqualTo",
                "NotEqualTo",
                "In",
                "NotIn",
            )
        ),
        *(
            needs(comparator, LocaleValues=[US])
            for comparator in ("EqualTo", "NotEqualTo", "In", "NotIn")
        ),
        needs("In", IntegerValues=list(range(15))),
        needs("NotIn", LocaleValues=[US] * 30),
        needs("In", LocaleValues=[US | {"Subdivision": "CA"}]),
        needs("Exists"),
        needs("DoesNotExist", ActionsGuarded="DiscoverPreviewAndAccept"),
        needs("Exists", IntegerValues=[], LocaleValues=[]),
        needs("Exists", RequiredToPreview=True),
        needs("Exists") | {"QualificationTypeId": "@Masters"},
    ],
    ids=str,
)
def test_a_good_requirement_has_no_fault(requirement: dict[str, Any]) -> None:
    assert requirement_faults(requirement) == []


@pytest.mark.parametrize(
    ("requirement", "rule", "path", "found", "expected"),
    [
        (
            {"Comparator": "Exists"},
            "missing-property",
            ("QualificationTypeId",),
            "no QualificationTypeId",
            "it is required",
        ),
        (
            {"QualificationTypeId": OWN},
            "missing-property",
            ("Comparator",),
            "no Comparator",
            "it is required",
        ),
        (needs("exists"), "wrong-value", ("Comparator",), "'exists'", COMPARATORS),
        (
            needs("Exists", ActionsGuarded="Preview"),
            "wrong-value",
            ("ActionsGuarded",),
            "'Preview'",
            "one of Accept, PreviewAndAccept, DiscoverPreviewAndAccept",
        ),
        (
            needs("Exists", RequiredToPreview="true"),
            "wrong-type",
            ("RequiredToPreview",),
            "'true'",
            "true or false is expected",
        ),
        (
            needs("EqualTo", IntegerValues=["90"]),
            "wrong-type",
            ("IntegerValues", 0),
            "'90'",
            "a whole number is expected",
        ),
        (
            needs("EqualTo", IntegerValues=[1, True]),
            "wrong-type",
            ("IntegerValues", 1),
            "true",
            "a whole number is expected",
        ),
        (
            needs("EqualTo", LocaleValues=["US"]),
            "wrong-type",
            ("LocaleValues", 0),
            "'US'",
            "an object is expected",
        ),
        (
            needs("EqualTo", LocaleValues=[{"Country": "USA"}]),
            "wrong-value",
            ("LocaleValues", 0, "Country"),
            "3 characters",
            "at most 2",
        ),
        (
            needs("EqualTo", LocaleValues=[{}]),
            "missing-property",
            ("LocaleValues", 0, "Country"),
            "no Country",
            "it is required",
        ),
        (needs("EqualTo"), "wrong-value", ("Comparator",), "EqualTo with 0", "takes one value"),
        (
            needs("EqualTo", IntegerValues=[1, 2]),
            "wrong-value",
            ("Comparator",),
            "EqualTo with 2",
            "takes one value",
        ),
        (
            needs("Exists", IntegerValues=[1]),
            "wrong-value",
            ("Comparator",),
            "Exists with 1",
            "takes no value",
        ),
        (needs("In"), "wrong-value", ("Comparator",), "In with 0", "takes 1 to 15 values"),
        (
            needs("In", IntegerValues=[1] * 16),
            "wrong-value",
            ("Comparator",),
            "In with 16",
            "takes 1 to 15 values",
        ),
        (
            needs("NotIn", LocaleValues=[US] * 31),
            "wrong-value",
            ("Comparator",),
            "NotIn with 31",
            "takes 1 to 30 values",
        ),
        (
            needs("LessThan", LocaleValues=[US]),
            "wrong-value",
            ("Comparator",),
            "LessThan with a locale",
            "EqualTo, NotEqualTo, In or NotIn is expected",
        ),
        (
            needs("In", IntegerValues=[1], LocaleValues=[US]),
            "wrong-value",
            ("LocaleValues",),
            "given beside IntegerValues",
            "a requirement compares with one of the two",
        ),
        (
            needs("Exists", ActionsGuarded="Accept", RequiredToPreview=False),
            "wrong-value",
            ("RequiredToPreview",),
            "given beside ActionsGuarded",
            "MTurk takes one of the two; keep ActionsGuarded",
        ),
    ],
)
def test_a_bad_requirement_is_shown_with_its_place(
    requirement: dict[str, Any],
    rule: str,
    path: tuple[str | int, ...],
    found: str,
    expected: str,
) -> None:
    place = ("QualificationRequirements", 1, *path)
    assert requirement_faults(needs("Exists"), requirement) == [Fault(rule, place, found, expected)]


def test_ten_requirements_are_the_most() -> None:
    assert requirement_faults(*[needs("Exists")] * 10) == []
    assert requirement_faults(*[needs("Exists")] * 11) == [
        Fault(
            "wrong-value",
            ("QualificationRequirements",),
            "11 requirements",
            "at most 10 are allowed",
        )
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("Reward",), "Reward"),
        (("QualificationRequirements", 0, "Comparator"), "QualificationRequirements[0].Comparator"),
        (("A", 1, 2, "B"), "A[1][2].B"),
    ],
)
def test_a_path_is_written_as_people_write_it(path: tuple[str | int, ...], name: str) -> None:
    assert Fault("wrong-value", path, "", "").name == name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.sampled_from(model.service().operation_names), st.data())
def test_no_parameters_of_any_operation_break_the_check(
    operation: str, data: st.DataObject
) -> None:
    shape = model.service().operation_model(operation).input_shape
    assert isinstance(shape, botocore.model.StructureShape)
    names = st.sampled_from([*shape.members, "Unknown"])
    model.check(operation, data.draw(st.dictionaries(names, JSON, max_size=4)))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the published definitions are not here")
def test_published_properties_have_no_fault() -> None:
    paths = sorted(CORPUS.rglob("hittypeproperties.json"))
    assert paths != []
    for path in paths:
        assert model.check("CreateHITType", json.loads(path.read_text("utf-8-sig"))) == [], path
    for path in sorted(CORPUS.rglob("hitproperties.json")):
        properties = json.loads(path.read_text("utf-8-sig"))
        assert model.check("CreateHITWithHITType", properties, without=NOT_THEIRS) == [], path
