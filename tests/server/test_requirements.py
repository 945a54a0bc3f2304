from __future__ import annotations

from typing import Any

import pytest

from turkbatch.server import requirements

OWN = "3OWN"
STANDING = requirements.Standing(
    locale=requirements.Locale("US", "CA"),
    masters=True,
    approved=990,
    rejected=13,
    submitted=1100,
    granted={OWN: 5, "3BARE": None},
)
US: dict[str, Any] = {"Country": "US"}
CALIFORNIA: dict[str, Any] = {"Country": "US", "Subdivision": "CA"}
TEXAS: dict[str, Any] = {"Country": "US", "Subdivision": "TX"}


def met(type_id: str, comparator: str, *integers: int, locales: list[Any] | None = None) -> bool:
    return requirements.is_met(
        STANDING,
        {
            "QualificationTypeId": type_id,
            "Comparator": comparator,
            "IntegerValues": list(integers),
            "LocaleValues": locales or [],
        },
    )


@pytest.mark.parametrize(
    ("comparator", "yes", "no"),
    [
        ("LessThan", 6, 5),
        ("LessThanOrEqualTo", 5, 4),
        ("GreaterThan", 4, 5),
        ("GreaterThanOrEqualTo", 5, 6),
        ("EqualTo", 5, 6),
        ("NotEqualTo", 6, 5),
        ("In", 5, 6),
        ("NotIn", 6, 5),
    ],
)
def test_numbers_are_compared(comparator: str, yes: int, no: int) -> None:
    assert met(OWN, comparator, yes)
    assert not met(OWN, comparator, no)
    assert not met("3NONE", comparator, yes)  # a missing qualification meets no comparison
    assert not met("3BARE", comparator, yes)  # nor one without value


def test_sets_hold_several_values() -> None:
    assert met(OWN, "In", 1, 5)
    assert not met(OWN, "NotIn", 1, 5)


@pytest.mark.parametrize(
    ("comparator", "locales", "expected"),
    [
        ("EqualTo", [US], True),
        ("EqualTo", [CALIFORNIA], True),
        ("EqualTo", [TEXAS], False),
        ("NotEqualTo", [TEXAS], True),
        ("NotEqualTo", [US], False),
        ("In", [TEXAS, CALIFORNIA], True),
        ("In", [{"Country": "GB"}, TEXAS], False),
        ("NotIn", [{"Country": "GB"}, TEXAS], True),
        ("NotIn", [US], False),
    ],
)
def test_places_are_compared(comparator: str, locales: list[Any], expected: bool) -> None:
    assert met(requirements.LOCALE, comparator, locales=locales) is expected


def test_somebody_from_nowhere_meets_no_place() -> None:
    for comparator in ("EqualTo", "NotEqualTo", "In", "NotIn"):
        one = {
            "QualificationTypeId": requirements.LOCALE,
            "Comparator": comparator,
            "LocaleValues": [US],
        }
        assert not requirements.is_met(requirements.Standing(), one)


def test_what_exists_is_told_from_what_does_not() -> None:
    for held in (OWN, "3BARE", *requirements.SYSTEM_TYPES):
        assert met(held, "Exists")
        assert not met(held, "DoesNotExist")
    assert met("3NONE", "DoesNotExist")
    assert not met("3NONE", "Exists")


def test_system_types_follow_the_standing() -> None:
    assert met(requirements.HITS_APPROVED, "EqualTo", 990)
    assert met(requirements.PERCENT_APPROVED, "EqualTo", 98)
    assert met(requirements.ADULT, "EqualTo", 0)


@pytest.mark.parametrize(
    ("approved", "rejected", "submitted", "percent"),
    [
        pytest.param(0, 0, 0, 100, id="nobody has a bad record from the start"),
        pytest.param(1, 98, 99, 100, id="nor before a hundred assignments"),
        pytest.param(1, 99, 100, 1, id="then it counts"),
        pytest.param(0, 0, 200, 100, id="what waits for a review counts neither way"),
        pytest.param(199, 1, 200, 99, id="cut, not rounded"),
    ],
)
def test_the_approval_rate(approved: int, rejected: int, submitted: int, percent: int) -> None:
    standing = requirements.Standing(approved=approved, rejected=rejected, submitted=submitted)

    assert standing.percent_approved == percent


def test_each_guard_keeps_from_what_it_guards() -> None:
    wanted = [
        {"QualificationTypeId": "3A", "Comparator": "Exists", "ActionsGuarded": "Accept"},
        {"QualificationTypeId": "3B", "Comparator": "Exists", "ActionsGuarded": "PreviewAndAccept"},
        {
            "QualificationTypeId": "3C",
            "Comparator": "Exists",
            "ActionsGuarded": "DiscoverPreviewAndAccept",
        },
    ]

    def kept(action: requirements.Action) -> list[str]:
        found = requirements.unmet(STANDING, wanted, action)
        return [one["QualificationTypeId"] for one in found]

    assert kept("Accept") == ["3A", "3B", "3C"]
    assert kept("Preview") == ["3B", "3C"]
    assert kept("Discover") == ["3C"]
    trusting = requirements.Standing(trusted={"3A", "3B", "3C"})
    assert requirements.unmet(trusting, wanted, "Accept") == []
