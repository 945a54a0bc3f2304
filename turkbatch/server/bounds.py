"""Bounds of parameters that the service's documentation gives and its model does not.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_CreateHITOperation.html, ApiReference_CreateHITTypeOperation.html,
ApiReference_ApproveAssignmentOperation.html,
ApiReference_QualificationRequirementDataStructureArticle.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from turkbatch.server import protocol, refusals

YEAR_SECONDS: Final = 31_536_000
"""The longest that a HIT or an assignment may last, in seconds."""
# Nobody knows the service's own limit; beyond a century dates leave the calendar.
_LONGEST_SECONDS: Final = 100 * YEAR_SECONDS
_NUMBERS: Final = {
    "AssignmentDurationInSeconds": (30, YEAR_SECONDS),
    "LifetimeInSeconds": (30, YEAR_SECONDS),
    "AutoApprovalDelayInSeconds": (0, 2_592_000),
    "MaxAssignments": (1, 1_000_000_000),
    "NumberOfAdditionalAssignments": (1, 1_000_000_000),
    "RetryDelayInSeconds": (0, _LONGEST_SECONDS),
    "TestDurationInSeconds": (1, _LONGEST_SECONDS),
}
_ANY_LENGTH: Final = 65_535
_TEXTS: Final = {
    # Of a HIT the documentation names 128 and 2,000 characters; whether more is refused is
    # recorded nowhere, and a program that was served before shall be served here.
    "Title": (1, _ANY_LENGTH),
    "Description": (1, _ANY_LENGTH),
    "Keywords": (0, 1_000),
    "RequesterAnnotation": (0, 255),
    "RequesterFeedback": (0, 1_024),
}
_CONTROL_CHARACTERS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MAX_REQUIREMENTS = 10
# Above it, rewards times the greatest number of assignments would overflow 64 bits; nobody
# knows MTurk's own limit.
MAX_REWARD_CENTS = 10_000_000

_INTEGER_COMPARATORS: Final = {
    "LessThan",
    "LessThanOrEqualTo",
    "GreaterThan",
    "GreaterThanOrEqualTo",
    "EqualTo",
    "NotEqualTo",
}
_LOCALE_COMPARATORS: Final = {"EqualTo", "NotEqualTo"}
_SET_COMPARATORS: Final = {"In": (15, 30), "NotIn": (15, 30)}


def check(parameters: protocol.Parameters) -> None:
    """Hold a request's numbers and texts against their documented bounds.

    Parameters
    ----------
    parameters : Mapping
        Of any operation.

    Raises
    ------
    Refusal
        ParameterValidationError for the first that is out of bounds.
    """
    for name, (least, most) in _NUMBERS.items():
        if name in parameters and not least <= parameters[name] <= most:
            raise refusals.invalid_value(name, parameters[name])
    for name, (shortest, longest) in _TEXTS.items():
        if name in parameters:
            length(name, parameters[name], shortest, longest)
    if _CONTROL_CHARACTERS.search(parameters.get("RequesterFeedback", "")):
        raise refusals.invalid_value("RequesterFeedback", parameters["RequesterFeedback"])


def length(name: str, text: str, shortest: int, longest: int) -> None:
    """Hold a text against bounds.

    Parameters
    ----------
    name : str
        The parameter.
    text : str
        Its value.
    shortest, longest : int
        In characters.

    Raises
    ------
    Refusal
        ParameterValidationError, if it is shorter or longer.
    """
    if len(text) < shortest:
        raise refusals.too_short(name, shortest)
    if len(text) > longest:
        raise refusals.too_long(name, longest)


def cents(name: str, amount: str) -> int:
    """Read an amount of money.

    Parameters
    ----------
    name : str
        The parameter.
    amount : str
        US dollars, in the form that the model's pattern allows.

    Returns
    -------
    int
        Cents, exactly.

    Raises
    ------
    Refusal
        ParameterValidationError, if it is beyond any reward.
    """
    dollars, _, part = amount.partition(".")
    # "1.5" is a dollar and fifty; "150" may match the pattern's optional point, too
    value = int(dollars[:20]) * 100 + int(part.ljust(2, "0") or "0")
    if value > MAX_REWARD_CENTS or len(dollars) > 20:
        raise refusals.invalid_value(name, amount)
    return value


def requirements(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Check qualification requirements and write them as replies do.

    Parameters
    ----------
    sent : list of dict
        QualificationRequirements of a request.

    Returns
    -------
    list of dict
        Each with both ActionsGuarded and RequiredToPreview: recorded replies carry
        "Accept" and false where neither was sent.

    Raises
    ------
    Refusal
        If there are more than ten, or one contradicts itself.
    """
    if len(sent) > _MAX_REQUIREMENTS:
        raise refusals.invalid_value("QualificationRequirements", f"{len(sent)} requirements")
    return [_requirement(one) for one in sent]


def _requirement(sent: Mapping[str, Any]) -> dict[str, Any]:
    if "ActionsGuarded" in sent and "RequiredToPreview" in sent:
        raise refusals.invalid_combination("ActionsGuarded", "RequiredToPreview")
    if not sent["QualificationTypeId"]:
        raise refusals.too_short("QualificationTypeId", 1)
    comparator = sent["Comparator"]
    integers, locales = sent.get("IntegerValues", []), sent.get("LocaleValues", [])
    if integers and locales:
        raise refusals.invalid_combination("IntegerValues", "LocaleValues")
    if comparator in _SET_COMPARATORS:
        most_integers, most_locales = _SET_COMPARATORS[comparator]
        fits = 1 <= len(integers) <= most_integers or 1 <= len(locales) <= most_locales
    elif comparator in _INTEGER_COMPARATORS:
        fits = len(integers) == 1 or (len(locales) == 1 and comparator in _LOCALE_COMPARATORS)
    else:
        fits = not integers and not locales
    if not fits:
        values = integers or [protocol.dump(locale) for locale in locales]
        shown = ", ".join(str(value) for value in values) or "no value"
        raise refusals.invalid_value("Comparator", f"{comparator} with {shown}")
    # RequiredToPreview guards the preview, too, by its description.
    guarded = "PreviewAndAccept" if sent.get("RequiredToPreview") else "Accept"
    return {
        **{key: value for key, value in sent.items() if value != []},
        "RequiredToPreview": sent.get("RequiredToPreview", False),
        "ActionsGuarded": sent.get("ActionsGuarded", guarded),
    }
