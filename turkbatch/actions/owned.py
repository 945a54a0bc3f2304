"""The requester's own qualification types, by name; and what a name or path stands for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turkbatch import errors
from turkbatch.mturk import calls
from turkbatch.qualification import directory

Json = Mapping[str, Any]


def types_by_name(service: calls.Calls) -> dict[str, Json]:
    """List the requester's own qualification types, all pages.

    Notes
    -----
    ``Query`` is a fuzzy search, so names are compared here:
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListQualificationTypesOperation.html
    """
    pages = service.pages(
        "list_qualification_types",
        "QualificationTypes",
        MustBeRequestable=False,
        MustBeOwnedByCaller=True,
    )
    return {one["Name"]: one for page in pages for one in page}


def ids_by_name(service: calls.Calls) -> dict[str, str]:
    """List the ids of the requester's own qualification types."""
    return {name: one["QualificationTypeId"] for name, one in types_by_name(service).items()}


def id_in_directory(service: calls.Calls, path: Path) -> str | None:
    """Give the id that a qualification type's directory has here; None if it is none.

    Raises
    ------
    BatchError
        If the type is not in this environment.
    """
    if not directory.is_one(path):
        return None
    opened = directory.open_directory(path)
    return opened.type_id(service.environment.pin(), service.environment.place)


def is_missing_type(error: Exception) -> bool:
    """Whether an error says that a qualification type is not there, or not any more."""
    if isinstance(error, errors.NotFoundError):
        return not error.code.endswith(".QualificationDoesNotExist")
    return isinstance(error, errors.StateError) and "Active,Inactive" in str(error)
