"""Qualification requirements by name: ``@Masters`` in place of an id that differs by site.

``@`` stands before a system qualification, the name of a type of the requester's own, or
the path of a qualification type's directory.

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


Owned = Callable[[], Mapping[str, str]]
InDirectory = Callable[[str], str | None]


def _no_directory(path: str) -> str | None:  # noqa: ARG001 - as InDirectory is called
    """Know no directory."""
    return None


def resolve_names(
    asked: Iterable[str],
    *,
    sandbox: bool,
    owned: Owned,
    in_directory: InDirectory = _no_directory,
) -> dict[str, str]:
    """Give the ids that names stand for.

    Parameters
    ----------
    asked : iterable of str
        Names and paths, each with its ``@``.
    sandbox : bool
        Whether the ids are those of MTurk's sandbox.
    owned : callable
        Gives the requester's own qualification types, id by name; called only if a
        name is neither the system's nor a path.
    in_directory : callable
        Given what stands behind the ``@``; gives the id of the type in that directory, or
        None if there is no such directory.

    Returns
    -------
    dict of str to str
        Id by name.

    Raises
    ------
    DefinitionError
        If a name is unknown; the nearest ones are given.
    """
    asked = list(asked)
    # The system's names come first, whatever a requester calls a type of their own.
    ids: dict[str, str] = {**SYSTEM, **({"@Masters": MASTERS_IN_SANDBOX} if sandbox else {})}
    for name in asked:
        if name not in ids and (found := in_directory(name[1:])) is not None:
            ids[name] = found
    if any(name not in ids for name in asked):
        ids = {f"@{name}": type_id for name, type_id in owned().items()} | ids
    unknown = [_unknown(name, ids) for name in asked if name not in ids]
    if unknown:
        raise errors.DefinitionError(*unknown)
    return {name: ids[name] for name in asked}


def resolve(
    properties: Mapping[str, Any],
    *,
    sandbox: bool,
    owned: Owned,
    in_directory: InDirectory = _no_directory,
) -> dict[str, Any]:
    """Put ids in place of names.

    Parameters
    ----------
    properties : mapping
        Parameters of ``CreateHITType``.
    sandbox, owned, in_directory
        As for :func:`resolve_names`.

    Returns
    -------
    dict
        The properties, with ids throughout.

    Raises
    ------
    DefinitionError
        If a name is unknown; the nearest ones are given.
    """
    asked = names(properties.get("QualificationRequirements", []))
    ids = resolve_names(asked, sandbox=sandbox, owned=owned, in_directory=in_directory)
    return replaced(properties, ids)


def replaced(properties: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """Put ids that are known already in place of names.

    Parameters
    ----------
    properties : mapping
        Parameters of ``CreateHITType``.
    ids : mapping of str to str
        Id by name.
    """
    if "QualificationRequirements" not in properties:
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
            for one in properties["QualificationRequirements"]
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
