"""``status-qualificationtype``: who holds a qualification, with which score, and who asks."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch.actions import pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import results
from turkbatch.mturk import calls
from turkbatch.qualification import directory

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Json = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Holder:
    """A worker who holds a qualification.

    Parameters
    ----------
    worker_id : str
        The worker.
    value : int or None
        The score; None where it was granted without one.
    granted : str
        When it was granted last, ISO 8601.
    """

    worker_id: str
    value: int | None
    granted: str


@dataclasses.dataclass(frozen=True)
class TypeStatus:
    """How a qualification type stands in one environment.

    Parameters
    ----------
    qualification_type_id, name : str
        The type.
    status : str
        ``Active`` or ``Inactive``.
    environment : str
        Where it is.
    holders : tuple of Holder
        Who holds it, in the service's order.
    revoked : int
        Workers who held it once.
    requests : int
        Requests that wait for the requester.
    """

    qualification_type_id: str
    name: str
    status: str
    environment: str
    holders: tuple[Holder, ...]
    revoked: int
    requests: int

    @property
    def histogram(self) -> dict[str, int]:
        """Holders by score, lowest first; ``none`` for those without one."""
        counts = collections.Counter(one.value for one in self.holders)
        scores = sorted(value for value in counts if value is not None)
        listed = {str(value): counts[value] for value in scores}
        return listed | ({"none": counts[None]} if counts[None] else {})

    def as_json(self) -> dict[str, Any]:
        """Give the documented JSON form: the fields, and the histogram."""
        return {**results.as_json(dataclasses.asdict(self)), "histogram": self.histogram}


def status_qualification_type(
    client: MTurkClient, type_dir: pinned.PathLike, *, progress: Progress = silent
) -> TypeStatus:
    """Tell who holds a qualification type, and who asks for it.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    type_dir : path
        The type's directory.
    progress : Progress
        Told of the workers read.

    Returns
    -------
    TypeStatus

    Raises
    ------
    BatchError
        If it is no such directory, or the type is not in this environment.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListWorkersWithQualificationTypeOperation.html
    """
    opened = directory.open_directory(Path(type_dir))
    service = calls.Calls(client)
    type_id = opened.type_id(service.environment.pin(), service.environment.place)
    found: Json = service.call("get_qualification_type", QualificationTypeId=type_id)[
        "QualificationType"
    ]
    held = [
        Holder(one["WorkerId"], one.get("IntegerValue"), one["GrantTime"].isoformat())
        for one in holders(service, type_id, progress=progress)
    ]
    return TypeStatus(
        type_id,
        found.get("Name", opened.name),
        found["QualificationTypeStatus"],
        service.environment.place,
        tuple(held),
        revoked=len(holders(service, type_id, status="Revoked")),
        requests=len(pending(service, type_id)),
    )


def holders(
    service: calls.Calls, type_id: str, *, status: str = "Granted", progress: Progress = silent
) -> list[Json]:
    """List the qualifications of a type, all pages, as boto3 gives them."""
    found: list[Json] = []
    for page in service.pages(
        "list_workers_with_qualification_type",
        "Qualifications",
        QualificationTypeId=type_id,
        Status=status,
    ):
        found += page
        progress("reading workers", len(found), None)
    return found


def pending(service: calls.Calls, type_id: str) -> list[Json]:
    """List the requests for a type that wait for the requester, all pages."""
    pages = service.pages(
        "list_qualification_requests", "QualificationRequests", QualificationTypeId=type_id
    )
    return [one for page in pages for one in page]
