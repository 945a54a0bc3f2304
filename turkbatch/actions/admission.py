"""Whether there can be a worker who meets what a HIT type requires, and what such a one is.

Each requirement asks about one qualification type, so the types can be looked at one by one:
of every type those standings are tried that the requirements tell apart. It is our own
server that judges them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from turkbatch import errors
from turkbatch.batch import definition as batch_definition
from turkbatch.batch import layout
from turkbatch.qualification import requirements

if TYPE_CHECKING:
    from turkbatch.server.requirements import Standing

Json = Mapping[str, Any]

MASTERS = frozenset({requirements.SYSTEM["@Masters"], requirements.MASTERS_IN_SANDBOX})
_ELSEWHERE = "AQ"
"""A country that nobody requires: Antarctica."""


def by_type(properties: Json) -> dict[str, list[Json]]:
    """Sort a HIT type's requirements by qualification type, system names as ids."""
    found: dict[str, list[Json]] = {}
    for one in properties.get("QualificationRequirements", []):
        name = str(one["QualificationTypeId"])
        found.setdefault(requirements.SYSTEM.get(name, name), []).append(one)
    return found


def fitting(type_id: str, required: Sequence[Json]) -> Standing | None:
    """Find a worker who meets all requirements on one qualification type.

    Parameters
    ----------
    type_id : str
        The type's id, or our name for a type of the requester's own.
    required : sequence of dict
        What is required of it.

    Returns
    -------
    Standing or None
        None if there can't be one.
    """
    from turkbatch.server import requirements as judge

    asked = [{**one, "QualificationTypeId": type_id} for one in required]
    for standing in _standings(type_id, asked):
        if all(judge.is_met(standing, one) for one in asked):
            return standing
    return None


def unmeetable(definition: batch_definition.Definition) -> list[errors.Finding]:
    """Warn of each qualification type of which something is required that nobody can have."""
    path = definition.path / layout.HIT_TYPE_PROPERTIES
    given: list[Json] = definition.hit_type_properties.get("QualificationRequirements", [])
    return [
        errors.Finding(
            "unmeetable-requirements",
            str(path),
            f"nobody can have a {required[0]['QualificationTypeId']} that is"
            f" {' and '.join(map(_in_words, required))}",
            "correct the comparators or the values",
            line=batch_definition.line_of(
                path, ("QualificationRequirements", given.index(required[0]))
            ),
            why="no worker could accept the HITs",
            severity="warning",
        )
        for type_id, required in by_type(definition.hit_type_properties).items()
        if fitting(type_id, required) is None
    ]


def _in_words(required: Json) -> str:
    places = [
        "-".join(filter(None, (one.get("Country"), one.get("Subdivision"))))
        for one in required.get("LocaleValues", [])
    ]
    values = ", ".join([*map(str, required.get("IntegerValues", [])), *places])
    return f"{required['Comparator']} {values}".strip()


def _standings(type_id: str, required: Sequence[Json]) -> Iterator[Standing]:
    """Give a worker of each kind that the requirements can tell from the others."""
    from turkbatch.server import requirements as judge

    numbers = sorted(_numbers(required))
    if type_id in MASTERS:
        yield from (judge.Standing(masters=one) for one in (True, False))
    elif type_id == requirements.SYSTEM["@Locale"]:
        yield from (judge.Standing(locale=one) for one in (*_places(required), None))
    elif type_id == requirements.SYSTEM["@Adult"]:
        yield from (judge.Standing(adult=one) for one in (True, False))
    elif type_id == requirements.SYSTEM["@NumberHITsApproved"]:
        yield from (judge.Standing(approved=max(0, one), submitted=one) for one in numbers)
    elif type_id == requirements.SYSTEM["@PercentAssignmentsApproved"]:
        for one in range(100, -1, -1):
            yield judge.Standing(approved=one * 10, rejected=1000 - one * 10, submitted=1000)
    else:
        yield from (judge.Standing(granted={type_id: one}) for one in (*numbers, None))
        yield judge.Standing()


def _numbers(required: Iterable[Json]) -> set[int]:
    """Give the numbers beside and between which the requirements change their minds."""
    given = {int(value) for one in required for value in one.get("IntegerValues", [])}
    return {value + step for value in given for step in (-1, 0, 1)} | {0, 1, 100}


def _places(required: Iterable[Json]) -> list[Any]:
    from turkbatch.server import requirements as judge

    places = [
        judge.Locale(place["Country"], place.get("Subdivision"))
        for one in required
        for place in one.get("LocaleValues", [])
    ]
    countries = {place.country for place in places}
    return [*places, *map(judge.Locale, sorted(countries)), judge.Locale(_ELSEWHERE)]
