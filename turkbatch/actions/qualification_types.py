"""``create-``, ``update-`` and ``delete-qualificationtype``: a type is a directory.

A type's name is unique among the requester's own, so the name is what tells whether it is
there: what a lost reply made is found by it and adopted. The order of writes: the type is
made, then its directory appears by one rename. If the process dies in between, the same
command finds the type by its name and writes the directory.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import errors
from turkbatch.actions import owned, pinned, type_definitions
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.type_definitions import CheckedType
from turkbatch.batch import journal, results
from turkbatch.mturk import calls
from turkbatch.qualification import definition as definitions
from turkbatch.qualification import directory

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Json = Mapping[str, Any]

LISTING_WAITS_SECONDS = (0.0, 1.0, 3.0, 6.0)
"""How long to wait before each look for a type that the service says is there."""
NEVER_CHANGED = ("Name", "Keywords")
"""What UpdateQualificationType does not take."""
CHANGEABLE = (
    "Description",
    "QualificationTypeStatus",
    "RetryDelayInSeconds",
    "AutoGranted",
    "AutoGrantedValue",
)
TEST_MEMBERS = ("Test", "AnswerKey", "TestDurationInSeconds")
"""Sent together: a test is replaced as a whole.

https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateQualificationTypeOperation.html
"""


@dataclasses.dataclass(frozen=True)
class Change:
    """One property that differs.

    Parameters
    ----------
    name : str
        The property, in MTurk's spelling.
    before, after : object
        What the service has, and what the definition says; None where there is nothing.
    """

    name: str
    before: object
    after: object


@dataclasses.dataclass(frozen=True)
class CreatedType:
    """A qualification type that is there, and its directory.

    Parameters
    ----------
    type_dir : Path
        The directory.
    qualification_type_id : str
        The type's id in this environment.
    name : str
        Its name.
    created : bool
        Whether this run made it.
    adopted : bool
        Whether it was there before this directory knew of it.
    differences : tuple of Change
        Where an adopted type differs from the definition.
    checked : CheckedType
        The definition: its warnings, and the scores that its test can give.
    """

    type_dir: Path
    qualification_type_id: str
    name: str
    created: bool
    adopted: bool
    differences: tuple[Change, ...]
    checked: CheckedType


@dataclasses.dataclass(frozen=True)
class UpdatedType:
    """What an update changed.

    Parameters
    ----------
    type_dir : Path
        The directory.
    qualification_type_id : str
        The type.
    changes : tuple of Change
        What was sent; empty if nothing differed.
    """

    type_dir: Path
    qualification_type_id: str
    changes: tuple[Change, ...]


@dataclasses.dataclass(frozen=True)
class DeletedType:
    """What a deletion did.

    Parameters
    ----------
    type_dir : Path
        The directory, which stays.
    qualification_type_id : str
        The type.
    deleted : bool
        Whether this run deleted it; it was gone before otherwise.
    """

    type_dir: Path
    qualification_type_id: str
    deleted: bool


def unannounced(changes: tuple[Change, ...]) -> None:
    """Tell nobody what is about to be changed."""


def qualification_type_pins(type_dir: pinned.PathLike) -> tuple[Mapping[str, str], ...]:
    """Tell in which environments a directory has its type; if in none, where it had it last.

    Raises
    ------
    BatchError
        If it is no such directory.
    """
    opened = directory.open_directory(Path(type_dir))
    return opened.pins or tuple(one.pin for one in opened.entries[-1:])


def create_qualification_type(
    client: MTurkClient,
    definition_dir: pinned.PathLike,
    save_dir: pinned.PathLike = ".",
    *,
    progress: Progress = silent,
) -> CreatedType:
    """Make a qualification type, once in each environment, and its directory.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    definition_dir : path
        The definition; or a qualification type's directory, to have its type in one more
        environment.
    save_dir : path
        Where the directory is put. One that is there for this type is used.
    progress : Progress
        Told of a wait.

    Returns
    -------
    CreatedType

    Raises
    ------
    InputError
        If the definition can't be used; nothing was sent.
    BatchError
        If a directory of a type of this name was made from another definition.
    ServiceError
        If the service refuses, for example because a deleted type still holds the name.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateQualificationTypeOperation.html
    """
    checked = type_definitions.check_qualification_type(definition_dir)
    there = _directory_for(Path(definition_dir), Path(save_dir), checked.definition)
    service = calls.Calls(client)
    known = None if there is None else there.entry(service.environment.pin())
    if there is not None and known is not None:
        if _is_there(service, known.qualification_type_id, there.name):
            return CreatedType(
                there.path, known.qualification_type_id, there.name, False, False, (), checked
            )
        there.mark_deleted(known.qualification_type_id, journal.timestamp())
    made, created = made_once(service, checked.parameters, progress)
    entry = directory.Entry(
        service.environment.pin(), made["QualificationTypeId"], journal.timestamp()
    )
    if there is None:
        there = directory.create(Path(save_dir), checked.definition, entry, results.as_json(made))
    else:
        there.write_reply(entry.qualification_type_id, results.as_json(made))
        there.add(entry)
    differences = () if created else differing(made, checked.parameters)
    return CreatedType(
        there.path,
        entry.qualification_type_id,
        there.name,
        created,
        not created,
        differences,
        checked,
    )


def _directory_for(
    definition_dir: Path, save_dir: Path, definition: definitions.Definition
) -> directory.TypeDirectory | None:
    """Find the directory that shall have the type in one more environment."""
    if directory.is_one(definition_dir):
        return directory.open_directory(definition_dir)
    there = directory.find(save_dir, definition.name)
    if there is not None and definitions.digest(there.definition_dir) != definition.digest:
        raise errors.BatchError(
            f"{there.path}: holds the type {definition.name!r}, made from another definition; run"
            f" `turkbatch update-qualificationtype {there.path} --definition {definition_dir}`,"
            " or give the type another Name"
        )
    return there


def made_once(service: calls.Calls, parameters: Json, progress: Progress) -> tuple[Json, bool]:
    """Make a type, or find the one that has its name; say whether this made it."""
    name = parameters["Name"]
    found = owned.types_by_name(service).get(name)
    if found is not None:
        return _whole(service, found), False
    try:
        reply = service.call("create_qualification_type", **parameters)
    except errors.ServiceError as error:
        if not _name_taken(error):
            raise
        # An earlier request, perhaps one whose reply was lost a moment ago, made it.
        return _whole(service, _listed(service, name, error, progress)), False
    made: Json = reply["QualificationType"]
    return made, True


def _name_taken(error: errors.ServiceError) -> bool:
    return error.code.endswith("QualificationTypeAlreadyExists") or (
        "already created a QualificationType with this name" in str(error)
    )


def _listed(
    service: calls.Calls, name: str, error: errors.ServiceError, progress: Progress
) -> Json:
    """Look for a type that the service says is there: new ones are listed late."""
    for seconds in LISTING_WAITS_SECONDS:
        if seconds:
            progress("waiting until the qualification type is listed", 0, None)
            # Nothing can tell us sooner: the wait is for the service's listing to catch up.
            threading.Event().wait(seconds)
        found = owned.types_by_name(service).get(name)
        if found is not None:
            return found
    raise errors.ServiceError(
        f"{error}: the name {name!r} is taken, and no type of it is listed. A deleted type keeps"
        " its name for up to 48 hours; run this again later, or choose another Name",
        operation=error.operation,
        code=error.code,
    ) from error


def _whole(service: calls.Calls, found: Json) -> Json:
    """Read a type whole: a listing need not hold its test."""
    return _read(service, found["QualificationTypeId"]) or found


def _read(service: calls.Calls, type_id: str) -> Json | None:
    """Read a type; None if it is not there any more."""
    try:
        reply = service.call("get_qualification_type", QualificationTypeId=type_id)
    except errors.ServiceError as error:
        if owned.is_missing_type(error):
            return None
        raise
    found: Json = reply["QualificationType"]
    return found


def _is_there(service: calls.Calls, type_id: str, name: str) -> bool:
    """Whether a type is there and not deleted; one that is being deleted reads as inactive."""
    found = _read(service, type_id)
    if found is None or found["QualificationTypeStatus"] == "Active":
        return found is not None
    listed = owned.types_by_name(service).get(name)
    return listed is not None and listed["QualificationTypeId"] == type_id


def differing(there: Json, parameters: Json) -> tuple[Change, ...]:
    """Compare a type of the service's with a definition.

    Parameters
    ----------
    there : dict
        MTurk's QualificationType.
    parameters : dict
        Parameters of ``CreateQualificationType``.

    Returns
    -------
    tuple of Change
        What differs; a document that differs in line ends alone does not.
    """
    names = (*NEVER_CHANGED, *CHANGEABLE, *TEST_MEMBERS)
    changes = []
    for name in names:
        before, after = there.get(name), parameters.get(name)
        if name == "TestDurationInSeconds" and not (there.get("Test") or parameters.get("Test")):
            continue  # it says nothing without a test, and need not be kept
        if name == "AutoGrantedValue" and not parameters.get("AutoGranted"):
            continue
        if name == "AutoGrantedValue" and after is None:
            after = 1  # the service's default
        if _comparable(before) != _comparable(after):
            changes.append(Change(name, before, after))
    return tuple(changes)


def _comparable(value: object) -> object:
    if isinstance(value, str):
        return "\n".join(value.strip().splitlines()) or None
    return None if value is False else value


def update_qualification_type(
    client: MTurkClient,
    type_dir: pinned.PathLike,
    definition_dir: pinned.PathLike | None = None,
    *,
    announce: Callable[[tuple[Change, ...]], None] = unannounced,
    send: bool = True,
) -> UpdatedType:
    """Bring a qualification type to what its definition says.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    type_dir : path
        The type's directory; its own ``definition/`` may have been edited.
    definition_dir : path, optional
        A definition that takes the place of the directory's own.
    announce : callable
        Given what differs before it is sent; raises to refuse it.
    send : bool
        Whether to send it; otherwise it is only compared.

    Returns
    -------
    UpdatedType

    Raises
    ------
    InputError
        If the definition can't be used, or asks for what MTurk never changes.
    BatchError
        If the type is not in this environment.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_UpdateQualificationTypeOperation.html
    """
    opened = directory.open_directory(Path(type_dir))
    checked = type_definitions.check_qualification_type(definition_dir or opened.definition_dir)
    service = calls.Calls(client)
    type_id = opened.type_id(service.environment.pin(), service.environment.place)
    reply = service.call("get_qualification_type", QualificationTypeId=type_id)
    there: Json = reply["QualificationType"]
    changes = differing(there, checked.parameters)
    faults = list(_unchangeable(there, changes, checked))
    if faults:
        raise errors.DefinitionError(*faults)
    announce(changes)
    if changes and send:
        reply = service.call(
            "update_qualification_type",
            QualificationTypeId=type_id,
            **_to_send(changes, checked.parameters),
        )
        opened.write_reply(type_id, results.as_json(reply["QualificationType"]))
    if send:
        opened.replace_definition(checked.definition)
    return UpdatedType(opened.path, type_id, changes)


def _unchangeable(
    there: Json, changes: tuple[Change, ...], checked: CheckedType
) -> list[errors.Finding]:
    """Find what MTurk never changes in a type."""
    where = str(checked.definition.properties_path)
    anew = "; delete the type and create another to change it"
    found = [
        errors.Finding(
            "never-changed",
            where,
            f"{one.name} is {one.after!r}, and the type has {one.before!r}",
            f"MTurk never changes it{anew}",
        )
        for one in changes
        if one.name in NEVER_CHANGED
    ]
    for one in changes:
        if one.after is None and one.name in {"Test", "RetryDelayInSeconds"}:
            found.append(
                errors.Finding(
                    "never-changed",
                    where,
                    f"{one.name} is gone, and the type has one",
                    f"MTurk never takes it away{anew}",
                )
            )
    if there.get("Test") and checked.parameters.get("AutoGranted"):
        found.append(
            errors.Finding(
                "never-changed", where, "AutoGranted is true, and the type has a test", anew[2:]
            )
        )
    return found


def _to_send(changes: tuple[Change, ...], parameters: Json) -> dict[str, object]:
    names = {one.name for one in changes}
    sent: dict[str, object] = {
        name: parameters.get(name, False) for name in CHANGEABLE if name in names
    }
    if "AutoGrantedValue" in sent or sent.get("AutoGranted"):
        sent["AutoGranted"] = True
        sent["AutoGrantedValue"] = parameters.get("AutoGrantedValue", 1)
    if names.intersection(TEST_MEMBERS):
        sent |= {name: parameters[name] for name in TEST_MEMBERS if name in parameters}
    return sent


def delete_qualification_type(client: MTurkClient, type_dir: pinned.PathLike) -> DeletedType:
    """Delete a qualification type in one environment; the directory stays.

    Raises
    ------
    BatchError
        If the type is not in this environment.

    Notes
    -----
    MTurk deletes it once no HIT uses it, and keeps its name for up to 48 hours:
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DeleteQualificationTypeOperation.html
    """
    opened = directory.open_directory(Path(type_dir))
    service = calls.Calls(client)
    pin = service.environment.pin()
    if opened.entry(pin) is None and opened.amti_id is None:
        gone = [one for one in opened.entries if dict(one.pin) == pin]
        if gone:
            return DeletedType(opened.path, gone[-1].qualification_type_id, False)
    type_id = opened.type_id(pin, service.environment.place)
    deleted = True
    try:
        service.call("delete_qualification_type", QualificationTypeId=type_id)
    except errors.ServiceError as error:
        if not owned.is_missing_type(error):
            raise
        deleted = False
    if opened.amti_id is None:
        opened.mark_deleted(type_id, journal.timestamp())
    return DeletedType(opened.path, type_id, deleted)
