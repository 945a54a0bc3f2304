"""``associate-qual`` and ``disassociate-qual``: who holds a qualification, and its value.

What a worker holds already is asked first, so that nobody is written to twice about the
same thing, and running again does only what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.actions import owned, worker_ids
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.qualification_status import holders
from turkbatch.actions.worker_ids import WorkersDone
from turkbatch.mturk import calls
from turkbatch.qualification import requirements

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

FEW = 20
"""So many workers are asked for one by one; for more, all who hold the type are listed."""
DEFAULT_VALUE = 1
"""What the service grants where no value is given.

https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_AssociateQualificationWithWorkerOperation.html
"""


def qualification_type_id(client: MTurkClient, qual: str, *, is_name: bool = False) -> str:
    """Find the id of a qualification type.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    qual : str
        An id; ``@NAME`` of a type of one's own; ``@`` and the path of a qualification type's
        directory, or that path; with ``is_name``, a name.
    is_name : bool
        Whether it is a name.

    Raises
    ------
    DefinitionError
        If there is no type of that name; the nearest ones are given.
    """
    service = calls.Calls(client)
    if is_name:
        qual = f"@{qual}"
    elif not qual.startswith("@"):
        return owned.id_in_directory(service, Path(qual)) or qual
    return requirements.resolve_names(
        [qual],
        sandbox=service.environment.name == "sandbox",
        owned=lambda: owned.ids_by_name(service),
        in_directory=lambda path: None if is_name else owned.id_in_directory(service, Path(path)),
    )[qual]


def associate_workers(
    client: MTurkClient,
    ids: Iterable[str],
    type_id: str,
    *,
    value: int | None = None,
    notify: bool = False,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> WorkersDone:
    """Grant workers a qualification, or change its value.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    ids : iterable of str
        The workers.
    type_id : str
        The qualification type; one of the requester's own.
    value : int, optional
        The value; 1 unless given.
    notify : bool
        Whether the service writes to them.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the workers done.

    Returns
    -------
    WorkersDone
        Who holds it with this value already is not written to again.

    Raises
    ------
    PartialError
        With each worker who failed, and why.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_AssociateQualificationWithWorkerOperation.html
    """
    service = calls.Calls(client, concurrency=concurrency)
    return associate(
        service,
        list(ids),
        type_id,
        value=DEFAULT_VALUE if value is None else value,
        notify=notify,
        progress=progress,
    )


def associate(
    service: calls.Calls,
    ids: Sequence[str],
    type_id: str,
    *,
    value: int = DEFAULT_VALUE,
    notify: bool = False,
    progress: Progress = silent,
) -> WorkersDone:
    """Grant a qualification; see :func:`associate_workers`."""
    few = len(ids) <= FEW
    # With the first request, a type that is not there is one error and not one a worker.
    held = {} if few else _values(service, type_id, progress)

    def grant(worker_id: str) -> bool:
        before = _value(service, type_id, worker_id) if few else held.get(worker_id)
        if before == value:
            return False
        try:
            service.call(
                "associate_qualification_with_worker",
                QualificationTypeId=type_id,
                WorkerId=worker_id,
                IntegerValue=value,
                SendNotification=notify,
            )
        except errors.ServiceError as error:
            # What mails is not sent again blindly; whether it was done can be asked.
            if not (error.outcome_unknown and _value(service, type_id, worker_id) == value):
                raise
        return True

    return worker_ids.for_each(
        service,
        grant,
        ids,
        step="granting the qualification",
        verb="were granted it",
        progress=progress,
    )


def _values(service: calls.Calls, type_id: str, progress: Progress) -> dict[str, int | None]:
    found = holders(service, type_id, progress=progress)
    return {one["WorkerId"]: one.get("IntegerValue") for one in found}


def _value(service: calls.Calls, type_id: str, worker_id: str) -> int | None:
    """Ask for a worker's value; None if the worker holds none."""
    try:
        reply = service.call(
            "get_qualification_score", QualificationTypeId=type_id, WorkerId=worker_id
        )
    except (errors.NotFoundError, errors.StateError) as error:
        if owned.is_missing_type(error):
            raise
        return None
    value: int | None = reply["Qualification"].get("IntegerValue")
    return value


def disassociate_workers(
    client: MTurkClient,
    ids: Iterable[str],
    type_id: str,
    *,
    reason: str | None = None,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> WorkersDone:
    """Take a qualification from workers.

    Parameters
    ----------
    client, ids, type_id, concurrency, progress
        As for :func:`associate_workers`.
    reason : str, optional
        What the workers are told.

    Returns
    -------
    WorkersDone
        Who does not hold it counts as done before.

    Raises
    ------
    PartialError
        With each worker who failed, and why.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_DisassociateQualificationFromWorkerOperation.html
    """
    service = calls.Calls(client, concurrency=concurrency)
    return disassociate(service, list(ids), type_id, reason=reason, progress=progress)


def disassociate(
    service: calls.Calls,
    ids: Sequence[str],
    type_id: str,
    *,
    reason: str | None = None,
    progress: Progress = silent,
) -> WorkersDone:
    """Take a qualification away; see :func:`disassociate_workers`."""
    told = {"Reason": reason} if reason else {}

    def take(worker_id: str) -> bool:
        try:
            service.call(
                "disassociate_qualification_from_worker",
                QualificationTypeId=type_id,
                WorkerId=worker_id,
                **told,
            )
        except (errors.NotFoundError, errors.StateError) as error:
            if owned.is_missing_type(error):
                raise
            return False
        return True

    return worker_ids.for_each(
        service,
        take,
        ids,
        step="taking the qualification away",
        verb="no longer hold it",
        progress=progress,
    )
