"""Parameters of an operation, held against botocore's own model of MTurk before a request.

botocore's validator takes a boolean for a number and leaves lengths, patterns and
enumerations to the service; a batch shall not find out with its first HIT. Bounds that
the model lacks are those of MTurk's API reference
(https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_HITDataStructureArticle.html).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import botocore.loaders
import botocore.model

BOUNDS: Mapping[str, tuple[int, int]] = {
    "AssignmentDurationInSeconds": (30, 31_536_000),
    "LifetimeInSeconds": (30, 31_536_000),
    "AutoApprovalDelayInSeconds": (0, 2_592_000),
    "MaxAssignments": (1, 1_000_000_000),
    "NumberOfAdditionalAssignments": (1, 1_000_000_000),
}
"""Smallest and largest value of a number."""

LENGTHS: Mapping[str, int] = {"RequesterAnnotation": 255, "Keywords": 1000}
"""Most characters of a text that the service takes."""
NOT_EMPTY = frozenset({"Title", "Description"})
"""Texts that must have one character, of which the model says nothing."""

MOST_REQUIREMENTS = 10
NO_VALUE = frozenset({"Exists", "DoesNotExist"})
SETS = frozenset({"In", "NotIn"})
MOST_INTEGERS = 15
MOST_LOCALES = 30

_KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "long": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "list": (list, "a list"),
    "structure": (dict, "an object"),
    "timestamp": ((str, int, float), "a time"),
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a parameter.

    Parameters
    ----------
    rule : str
        ``unknown-property``, ``missing-property``, ``wrong-type`` or ``wrong-value``.
    path : tuple of (str or int)
        Where it is: ``("QualificationRequirements", 0, "Comparator")``.
    found, expected : str
        What is there, and what should be.
    """

    rule: str
    path: tuple[str | int, ...]
    found: str
    expected: str

    @property
    def name(self) -> str:
        """The path as people write it: ``QualificationRequirements[0].Comparator``."""
        text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path)
        return text.lstrip(".")


@functools.cache
def service() -> botocore.model.ServiceModel:
    """Load botocore's model of MTurk, version 2017-01-17."""
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model("mturk", "service-2"), "mturk")


def check(
    operation: str, parameters: Mapping[str, Any], *, without: Collection[str] = ()
) -> list[Fault]:
    """Check parameters of an operation.

    Parameters
    ----------
    operation : str
        Such as ``CreateHITType``.
    parameters : mapping
        As read from a properties file.
    without : collection of str
        Members that are not the user's to give; named as unknown if they are there.

    Returns
    -------
    list of Fault
        All of them; empty if the service would take the parameters as they are.
    """
    shape = service().operation_model(operation).input_shape
    assert shape is not None, f"{operation} has parameters"
    faults = list(_structure(shape, parameters, (), frozenset(without)))
    requirements = parameters.get("QualificationRequirements")
    if not faults and requirements:
        faults += _requirements(requirements)
    return faults


def _structure(
    shape: botocore.model.Shape,
    value: Mapping[str, Any],
    path: tuple[str | int, ...],
    without: frozenset[str] = frozenset(),
) -> Iterator[Fault]:
    assert isinstance(shape, botocore.model.StructureShape), shape
    members = {name: member for name, member in shape.members.items() if name not in without}
    for name in shape.required_members:
        if name not in value and name not in without:
            yield Fault("missing-property", (*path, name), f"no {name}", "it is required")
    for name, item in value.items():
        if name in members:
            yield from _value(members[name], item, (*path, name))
        else:
            yield Fault("unknown-property", (*path, name), "unknown", _nearest(name, members))


def _nearest(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(names))}"


def _value(
    shape: botocore.model.Shape,
    value: Any,  # noqa: ANN401 - any JSON value
    path: tuple[str | int, ...],
) -> Iterator[Fault]:
    kind, name = _KINDS[shape.type_name]
    if not _fits(value, kind):
        yield Fault("wrong-type", path, _shown(value), f"{name} is expected")
    elif isinstance(shape, botocore.model.StructureShape):
        yield from _structure(shape, value, path)
    elif isinstance(shape, botocore.model.ListShape):
        for index, item in enumerate(value):
            yield from _value(shape.member, item, (*path, index))
    elif isinstance(shape, botocore.model.StringShape):
        yield from _text(shape, value, path)
    elif isinstance(value, int) and path[-1] in BOUNDS:
        low, high = BOUNDS[str(path[-1])]
        if not low <= value <= high:
            yield Fault("wrong-value", path, str(value), f"{low:,} to {high:,} is allowed")


def _fits(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _text(
    shape: botocore.model.StringShape, value: str, path: tuple[str | int, ...]
) -> Iterator[Fault]:
    most = shape.metadata.get("max") or LENGTHS.get(str(path[-1]))
    pattern = shape.metadata.get("pattern")
    if shape.enum and value not in shape.enum:
        yield Fault("wrong-value", path, _shown(value), f"one of {', '.join(shape.enum)}")
    elif pattern and not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value):
        yield Fault("wrong-value", path, _shown(value), _pattern(shape, pattern))
    elif len(value) < shape.metadata.get("min", path[-1] in NOT_EMPTY):
        yield Fault("wrong-value", path, "empty", "it must not be empty")
    elif most and len(value) > most:
        yield Fault("wrong-value", path, f"{len(value):,} characters", f"at most {most:,}")


def _pattern(shape: botocore.model.Shape, pattern: str) -> str:
    if shape.name == "CurrencyAmount":
        return 'dollars with at most two decimals, no sign or symbol, such as "0.25"'
    return f"it must match {pattern}"


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    if value is None:
        text = "null"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _requirements(requirements: list[Mapping[str, Any]]) -> Iterator[Fault]:
    """Check what a comparator takes.

    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_QualificationRequirementDataStructureArticle.html
    """
    if len(requirements) > MOST_REQUIREMENTS:
        yield Fault(
            "wrong-value",
            ("QualificationRequirements",),
            f"{len(requirements)} requirements",
            f"at most {MOST_REQUIREMENTS} are allowed",
        )
    for index, requirement in enumerate(requirements):
        path = ("QualificationRequirements", index)
        if "ActionsGuarded" in requirement and "RequiredToPreview" in requirement:
            yield Fault(
                "wrong-value",
                (*path, "RequiredToPreview"),
                "given beside ActionsGuarded",
                "MTurk takes one of the two; keep ActionsGuarded",
            )
        yield from _comparator(requirement, path)


def _comparator(requirement: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Fault]:
    comparator = requirement["Comparator"]
    integers = requirement.get("IntegerValues") or []
    locales = requirement.get("LocaleValues") or []
    if integers and locales:
        yield Fault(
            "wrong-value",
            (*path, "LocaleValues"),
            "given beside IntegerValues",
            "a requirement compares with one of the two",
        )
        return
    most = 0 if comparator in NO_VALUE else 1
    if comparator in SETS:
        most = MOST_LOCALES if locales else MOST_INTEGERS
    least = min(1, most)
    count = len(integers) + len(locales)
    if not least <= count <= most:
        expected = "no value" if most == 0 else "one value" if most == 1 else f"1 to {most} values"
        yield Fault(
            "wrong-value", (*path, "Comparator"), f"{comparator} with {count}", f"takes {expected}"
        )
    elif locales and comparator not in {"EqualTo", "NotEqualTo", *SETS}:
        yield Fault(
            "wrong-value",
            (*path, "Comparator"),
            f"{comparator} with a locale",
            "EqualTo, NotEqualTo, In or NotIn is expected",
        )
