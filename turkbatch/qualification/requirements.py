"""Qualification requirements by name: ``@Masters`` in place of an id that differs by site.

Ids of the system qualifications:
https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_QualificationRequirementDataStructureArticle.html
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from turkbatch import errors

SYSTEM: Mapping[str, str] = {
    "@Masters": "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH",
    "@NumberHITsApproved": "00000000000000000040",
    "@Locale": "00000000000000000071",
    "@Adult": "00000000000000000060",
    "@PercentAssignmentsApproved": "000000000000000000L0",
}
MASTERS_IN_SANDBOX = "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6"


def names(requirements: Iterable[Mapping[str, Any]]) -> list[str]:
    """List the names that are to be resolved, in order, each once."""
    ids = (str(requirement["QualificationTypeId"]) for requirement in requirements)
    return list(dict.fromkeys(one for one in ids if one.startswith("@")))


def resolve(
    properties: Mapping[str, Any],
    *,
    sandbox: bool,
    owned: Callable[[], Mapping[str, str]],
) -> dict[str, Any]:
    """Put ids in place of names.

    Parameters
    ----------
    properties : mapping
        Parameters of ``CreateHITType``.
    sandbox : bool
        Whether the ids are those of MTurk's sandbox.
    owned : callable
        Gives the requester's own qualification types, id by name; called only if a
        name is none of the system's.

    Returns
    -------
    dict
        The properties, with ids throughout.

    Raises
    ------
    DefinitionError
        If a name is unknown; the nearest ones are given.
    """
    requirements = properties.get("QualificationRequirements", [])
    ids: dict[str, str] = dict(SYSTEM)
    if sandbox:
        ids["@Masters"] = MASTERS_IN_SANDBOX
    asked = names(requirements)
    if any(name not in ids for name in asked):
        # The system's names come first, whatever a requester calls a type of their own.
        ids = {f"@{name}": type_id for name, type_id in owned().items()} | ids
    unknown = [_unknown(name, ids) for name in asked if name not in ids]
    if unknown:
        raise errors.DefinitionError(*unknown)
    if not asked:
        return dict(properties)
    return {
        **properties,
        "QualificationRequirements": [
            {
                **one,
                "QualificationTypeId": ids.get(
                    one["QualificationTypeId"], one["QualificationTypeId"]
                ),
            }
            for one in requirements
        ],
    }


def _unknown(name: str, known: Iterable[str]) -> errors.Finding:
    close = difflib.get_close_matches(name, list(known), 3)
    fix = (
        f"did you mean {' or '.join(close)}?" if close else "name one of your own, or a system one"
    )
    return errors.Finding(
        "unknown-qualification",
        "hittypeproperties.json",
        f'no qualification type is called "{name}"',
        fix,
        why="a HIT type can't be made with a qualification that does not exist",
    )
