"""``review-qualificationrequests``: grant or refuse what workers ask for.

A request that was decided on is gone from the list, so a decision that is sent again after
a lost reply is answered by "no such request": then the worker's own qualification tells
what holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import answers, errors
from turkbatch.actions import pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.qualification_status import pending
from turkbatch.batch import data as batch_data
from turkbatch.mturk import calls
from turkbatch.qualification import directory

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

MARKS = frozenset({"x", "yes", "y", "true", "1"})


@dataclasses.dataclass(frozen=True)
class Request:
    """A worker's request for a qualification.

    Parameters
    ----------
    request_id, worker_id : str
        The request, and whose it is.
    submitted : str
        When, ISO 8601.
    answers : dict
        What the worker answered in the test, by question; empty without a test.
    """

    request_id: str
    worker_id: str
    submitted: str
    answers: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is to become of a request.

    Parameters
    ----------
    request_id : str
        The request.
    grant : bool
        Whether it is granted.
    value : int, optional
        The score that is granted; without one, a requirement can only ask whether the
        worker holds the qualification.
    reason : str
        What a worker who is refused is told.
    """

    request_id: str
    grant: bool
    value: int | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class ReviewedRequests:
    """What came of reviewing requests.

    Parameters
    ----------
    granted, refused : int
        Requests that this run decided on.
    already : int
        Requests that were decided on before.
    """

    granted: int
    refused: int
    already: int


def qualification_requests(client: MTurkClient, type_dir: pinned.PathLike) -> tuple[Request, ...]:
    """List the requests that wait, with the answers to the test.

    Raises
    ------
    BatchError
        If it is no qualification type's directory, or the type is not in this environment.
    """
    service = calls.Calls(client)
    return tuple(
        Request(
            one["QualificationRequestId"],
            one["WorkerId"],
            one["SubmitTime"].isoformat(),
            _readable(one.get("Answer") or ""),
        )
        for one in pending(service, _type_id(service, type_dir))
    )


def _type_id(service: calls.Calls, type_dir: pinned.PathLike) -> str:
    opened = directory.open_directory(Path(type_dir))
    return opened.type_id(service.environment.pin(), service.environment.place)


def _readable(text: str) -> Mapping[str, Any]:
    try:
        return answers.fields(text)
    except errors.AnswerError:
        return {"(unreadable answer)": text}


def read_verdicts(path: pinned.PathLike, waiting: Iterable[Request]) -> tuple[Verdict, ...]:
    """Read verdicts from a CSV or JSON Lines file.

    Parameters
    ----------
    path : path
        Columns: ``WorkerId`` or ``QualificationRequestId``; ``Approve`` (an x, or the score
        that is granted) and ``Reject`` (an x, or what the worker is told). ``IntegerValue``
        may hold the score. Lines with neither are left waiting.
    waiting : iterable of Request
        The requests that there are.

    Raises
    ------
    DataError
        With every line that is not clear. Lines about requests that do not wait any more
        are none of them.
    """
    data = batch_data.read(Path(path))
    by_worker = {one.worker_id: one.request_id for one in waiting}
    made: dict[str, Verdict] = {}
    findings: list[errors.Finding] = []
    for row in data:
        cells = {
            name: str(value).strip() for name, value in row.fields.items() if value is not None
        }
        try:
            verdict = _verdict(cells, by_worker)
        except ValueError as error:
            findings.append(
                errors.Finding("unclear-decision", str(path), str(error), "mend it", line=row.line)
            )
            continue
        if verdict is not None:
            made[verdict.request_id] = verdict
    if findings:
        raise errors.DataError(*findings)
    return tuple(made.values())


def _verdict(cells: Mapping[str, str], by_worker: Mapping[str, str]) -> Verdict | None:
    approve, reject = cells.get("Approve", ""), cells.get("Reject", "")
    key = cells.get("QualificationRequestId", "")
    worker = cells.get("WorkerId", "")
    if not key and not worker:
        raise ValueError("names neither a QualificationRequestId nor a WorkerId")
    if approve and reject:
        raise ValueError("is both approved and rejected")
    request_id = key or by_worker.get(worker)
    if request_id is None or not (approve or reject):
        return None
    if reject:
        return Verdict(request_id, False, reason="" if reject.lower() in MARKS else reject)
    # A 1 is a score and no mark: whoever means "yes" writes x.
    number = cells.get("IntegerValue") or approve
    if number.lower() in MARKS - {"1"}:
        return Verdict(request_id, True)
    try:
        return Verdict(request_id, True, int(number))
    except ValueError as error:
        raise ValueError(f'Approve is "{number}", which is neither x nor a score') from error


def review_qualification_requests(
    client: MTurkClient,
    type_dir: pinned.PathLike,
    verdicts: Iterable[Verdict],
    *,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> ReviewedRequests:
    """Grant and refuse requests.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    type_dir : path
        The type's directory.
    verdicts : iterable of Verdict
        What is to become of which request.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the verdicts sent.

    Returns
    -------
    ReviewedRequests

    Raises
    ------
    PartialError
        If some verdicts were refused; the others hold.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_AcceptQualificationRequestOperation.html
    """
    service = calls.Calls(client, concurrency=concurrency)
    _type_id(service, type_dir)
    chosen = list(verdicts)
    granted = refused = already = 0
    failures: list[tuple[str, Exception]] = []
    for outcome in service.each(lambda one: _send(service, one), chosen):
        if outcome.error is not None:
            failures.append((f"request {outcome.item.request_id}", outcome.error))
        elif not outcome.value:
            already += 1
        elif outcome.item.grant:
            granted += 1
        else:
            refused += 1
        progress("reviewing requests", granted + refused + already, len(chosen))
    if failures:
        raise errors.PartialError(
            f"{granted} requests granted, {refused} refused; {len(failures)} of {len(chosen)}"
            " verdicts were not taken:",
            failures,
        )
    return ReviewedRequests(granted, refused, already)


def _send(service: calls.Calls, verdict: Verdict) -> bool:
    """Send a verdict; say whether it took effect now."""
    try:
        if verdict.grant:
            value = {} if verdict.value is None else {"IntegerValue": verdict.value}
            service.call(
                "accept_qualification_request",
                QualificationRequestId=verdict.request_id,
                **value,
            )
        else:
            told = {"Reason": verdict.reason} if verdict.reason else {}
            service.call(
                "reject_qualification_request",
                QualificationRequestId=verdict.request_id,
                **told,
            )
    except (errors.NotFoundError, errors.StateError):
        # Decided on before: by an earlier run, or by a request whose reply was lost.
        return False
    return True
