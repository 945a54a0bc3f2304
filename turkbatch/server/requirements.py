"""Whether a worker meets qualification requirements. Pure.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_QualificationRequirementDataStructureArticle.html. Choices where it leaves room:

- A qualification that the worker does not have, or one without a value, meets no comparison:
  "NotEqualTo 5" is false, too. Only DoesNotExist is true for a missing one.
- A locale without subdivision in a requirement takes any subdivision; one with a subdivision
  takes that one alone.
- The approval rate is approved work as a share of reviewed work, cut to whole percents.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Literal

MASTERS: Final = ("2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6")
"""Of the live site and of the sandbox; here they are the same people."""
HITS_APPROVED: Final = "00000000000000000040"
LOCALE: Final = "00000000000000000071"
ADULT: Final = "00000000000000000060"
PERCENT_APPROVED: Final = "000000000000000000L0"
SYSTEM_TYPES: Final = frozenset({*MASTERS, HITS_APPROVED, LOCALE, ADULT, PERCENT_APPROVED})
"""Types that MTurk keeps by itself."""
UNTIL_ASSIGNMENTS: Final = 100
"""The approval rate counts as 100 until so many assignments are submitted."""

Action = Literal["Accept", "Preview", "Discover"]
"""What a worker wants to do with a HIT."""
_GUARDS: Final[Mapping[str, frozenset[Action]]] = {
    "Accept": frozenset({"Accept"}),
    "PreviewAndAccept": frozenset({"Accept", "Preview"}),
    "DiscoverPreviewAndAccept": frozenset({"Accept", "Preview", "Discover"}),
}
_INTEGER: Final[Mapping[str, Callable[[int, list[int]], bool]]] = {
    "LessThan": lambda value, given: value < given[0],
    "LessThanOrEqualTo": lambda value, given: value <= given[0],
    "GreaterThan": lambda value, given: value > given[0],
    "GreaterThanOrEqualTo": lambda value, given: value >= given[0],
    "EqualTo": lambda value, given: value == given[0],
    "NotEqualTo": lambda value, given: value != given[0],
    "In": lambda value, given: value in given,
    "NotIn": lambda value, given: value not in given,
}


@dataclasses.dataclass(frozen=True)
class Locale:
    """Where a worker lives.

    Parameters
    ----------
    country : str
        ISO 3166, two letters.
    subdivision : str, optional
        ISO 3166-2 without the country, two letters.
    """

    country: str
    subdivision: str | None = None


@dataclasses.dataclass(frozen=True)
class Standing:
    """What a worker is, as requirements ask.

    Parameters
    ----------
    locale : Locale or None
        None if it isn't known: no requirement on it is met then.
    masters, adult : bool
        Whether the worker is a Master, and has agreed to adult content.
    approved, rejected, submitted : int
        Assignments; those that wait for a review are submitted alone.
    granted : Mapping
        Values of qualifications that are held, by type; None for one without value.
    trusted : collection of str
        Types of which any requirement passes for met.
    """

    locale: Locale | None = None
    masters: bool = False
    adult: bool = False
    approved: int = 0
    rejected: int = 0
    submitted: int = 0
    granted: Mapping[str, int | None] = dataclasses.field(default_factory=dict)
    trusted: Collection[str] = frozenset()

    @property
    def percent_approved(self) -> int:
        """The approval rate."""
        reviewed = self.approved + self.rejected
        if self.submitted < UNTIL_ASSIGNMENTS or not reviewed:
            return 100
        return 100 * self.approved // reviewed


def unmet(
    standing: Standing, requirements: Iterable[Mapping[str, Any]], action: Action
) -> list[Mapping[str, Any]]:
    """List the requirements that keep a worker from doing something with a HIT.

    Parameters
    ----------
    standing : Standing
        The worker's.
    requirements : iterable of Mapping
        As replies have them.
    action : {"Accept", "Preview", "Discover"}
        What the worker wants to do.

    Returns
    -------
    list of Mapping
        Empty if nothing is in the way.
    """
    return [
        one
        for one in requirements
        if action in _GUARDS[one["ActionsGuarded"]] and not is_met(standing, one)
    ]


def is_met(standing: Standing, requirement: Mapping[str, Any]) -> bool:
    """Tell whether a worker meets one requirement, whatever it guards.

    Parameters
    ----------
    standing : Standing
        The worker's.
    requirement : Mapping
        As replies have it.

    Returns
    -------
    bool
        As the comparator says.
    """
    type_id, comparator = requirement["QualificationTypeId"], requirement["Comparator"]
    if type_id in standing.trusted:
        return True
    if comparator in ("Exists", "DoesNotExist"):
        return _has(standing, type_id) is bool(comparator == "Exists")
    if type_id == LOCALE:
        return _locale_fits(standing.locale, comparator, requirement.get("LocaleValues", []))
    value, given = _value(standing, type_id), requirement.get("IntegerValues", [])
    if value is None or not given:
        return False
    return _INTEGER[comparator](value, given)


def _has(standing: Standing, type_id: str) -> bool:
    if type_id in MASTERS:
        return standing.masters
    if type_id == LOCALE:
        return standing.locale is not None
    return type_id in SYSTEM_TYPES or type_id in standing.granted


def _value(standing: Standing, type_id: str) -> int | None:
    match type_id:
        case "00000000000000000040":
            return standing.approved
        case "000000000000000000L0":
            return standing.percent_approved
        case "00000000000000000060":
            return int(standing.adult)
        case _:
            return standing.granted.get(type_id)


def _locale_fits(locale: Locale | None, comparator: str, given: list[Mapping[str, str]]) -> bool:
    if locale is None or not given:
        return False
    found: bool = any(
        one["Country"] == locale.country
        and one.get("Subdivision", locale.subdivision) == locale.subdivision
        for one in given
    )
    return found == (comparator in ("EqualTo", "In"))
