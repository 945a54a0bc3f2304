"""``notify-workers``: write to workers, each message once to each of them.

A message that was sent can't be taken back and the service keeps no list of it, so what was
sent is in a journal of ours: one file for each message (its subject and text) and
environment, in the user's data folder, whatever list of workers it goes to::

    notifications/$DIGEST.jsonl
      {"event": "intent", "worker_ids": [...], "time": "..."}
      {"event": "sent", "worker_ids": [...], "time": "..."}
      {"event": "refused", "worker_ids": [...], "time": "..."}      nothing was sent

An intent without an outcome may have been sent: those workers are not written to again,
and are named.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors, files
from turkbatch.actions import own_journals, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.worker_ids import WorkersDone
from turkbatch.batch import journal
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.mturk.environments import Environment

MOST_WORKERS = 100
"""Of one request."""
MOST_SUBJECT_CHARACTERS = 200
MOST_MESSAGE_CHARACTERS = 4096
"""https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_NotifyWorkersOperation.html"""
FOLDER = "notifications"


@dataclasses.dataclass(frozen=True)
class Message:
    """What workers are told.

    Parameters
    ----------
    subject, text : str
        As they are sent.
    """

    subject: str
    text: str


@dataclasses.dataclass(frozen=True)
class _Sent:
    """What a journal says: who has the message, and who may have it."""

    sent: frozenset[str]
    unknown: frozenset[str]


def read_message(path: pinned.PathLike, subject: str | None = None) -> Message:
    """Read a message from a file: its text, or amti's JSON object.

    Parameters
    ----------
    path : path
        The text; or ``{"Subject": "...", "MessageText": "..."}``.
    subject : str, optional
        The subject, if the file does not say it.

    Raises
    ------
    DataError
        If it can't be read.
    RefusedError
        If there is no subject.
    """
    text = files.read_text(Path(path), errors.DataError)
    with contextlib.suppress(ValueError):
        value = json.loads(text)
        if isinstance(value, dict) and isinstance(value.get("MessageText"), str):
            return message(value.get("Subject", subject), value["MessageText"])
    return message(subject, text)


def message(subject: str | None, text: str | None) -> Message:
    """Make a message of a subject and a text.

    Raises
    ------
    RefusedError
        If one is missing, or longer than MTurk takes.
    """
    for name, value, most in (
        ("--subject", subject, MOST_SUBJECT_CHARACTERS),
        ("--message", text, MOST_MESSAGE_CHARACTERS),
    ):
        if value is None or not value.strip():
            raise errors.RefusedError(f"{name} is missing or empty; nothing was sent")
        if len(value) > most:
            raise errors.RefusedError(
                f"{name} has {len(value):,} characters, and MTurk takes {most:,}; shorten it"
            )
    assert subject is not None, "checked above"
    assert text is not None, "checked above"
    return Message(subject, text)


def notify_workers(
    client: MTurkClient,
    ids: Iterable[str],
    what: Message,
    *,
    again: bool = False,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> WorkersDone:
    """Send a message to workers, a hundred a request.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    ids : iterable of str
        The workers.
    what : Message
        The message.
    again : bool
        Send it also to those who have it, or may have it, from an earlier run.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the workers written to.

    Returns
    -------
    WorkersDone

    Raises
    ------
    PartialError
        With each worker who was not reached, and why; and each of whom that is not known.

    Notes
    -----
    Only workers whose work the requester reviewed can be written to; failures come inside a
    reply that says success:
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_NotifyWorkersOperation.html
    """
    service = calls.Calls(client, concurrency=concurrency)
    path = _journal(service.environment, what)
    wanted = tuple(dict.fromkeys(ids))
    with own_journals.opened(path) as log, service.finishing():
        before = _replayed(path)
        skipped = frozenset() if again else before.sent | before.unknown
        todo = [one for one in wanted if one not in skipped]
        failures: dict[str, Exception] = {}
        done: list[str] = []
        if not again:
            failures |= {one: _doubt() for one in wanted if one in before.unknown}

        def send(chunk: tuple[str, ...]) -> dict[str, Exception]:
            return _send(service, log, what, chunk)

        for outcome in service.each(send, _chunks(todo)):
            failed = outcome.value if outcome.error is None else None
            if failed is None:
                assert outcome.error is not None, "there is a value or an error"
                failed = dict.fromkeys(outcome.item, outcome.error)
            done += [one for one in outcome.item if one not in failed]
            failures |= failed
            progress("writing to workers", len(done), len(todo))
    already = tuple(one for one in wanted if not again and one in before.sent)
    if failures:
        raise errors.PartialError(
            f"{len(done)} of {len(wanted)} workers were written to, {len(already)} were before;"
            f" {len(failures)} were not reached:",
            [(f"worker {one}", error) for one, error in failures.items()],
        )
    return WorkersDone(tuple(done), already)


def _chunks(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    rest = iter(ids)
    while chunk := tuple(itertools.islice(rest, MOST_WORKERS)):
        yield chunk


def _journal(environment: Environment, what: Message) -> Path:
    """Name the journal of a message in an environment; neither can be read from the name."""
    content = json.dumps([environment.pin(), what.subject, what.text], sort_keys=True)
    digest = hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()
    return own_journals.path_of(FOLDER, digest)


def _replayed(path: Path) -> _Sent:
    sent: set[str] = set()
    unknown: set[str] = set()
    for record in files.read_log(path):
        named = set(record["worker_ids"])
        if record["event"] == "intent":
            unknown |= named
        else:
            unknown -= named
            if record["event"] == "sent":
                sent |= named
    return _Sent(frozenset(sent), frozenset(unknown - sent))


def _doubt() -> errors.ServiceError:
    return errors.UnreachableError(
        "an earlier run sent this message and got no reply, so the worker may have it;"
        " --again sends it all the same",
        operation="NotifyWorkers",
    )


def _send(
    service: calls.Calls, log: files.Log, what: Message, chunk: tuple[str, ...]
) -> dict[str, Exception]:
    """Send one request; give the workers whom it did not reach, and why."""

    def note(event: str, ids: Iterable[str]) -> None:
        if named := list(ids):
            log.append({"event": event, "worker_ids": named, "time": journal.timestamp()})

    note("intent", chunk)
    try:
        reply = service.call(
            "notify_workers", Subject=what.subject, MessageText=what.text, WorkerIds=list(chunk)
        )
    except errors.ServiceError as error:
        if not error.outcome_unknown:
            note("refused", chunk)
            if len(chunk) > 1 and not isinstance(error, errors.ThrottledError):
                # One id that the service does not take must not keep the others from it.
                return _one_by_one(service, log, what, chunk)
        raise
    failed: dict[str, Exception] = {
        one["WorkerId"]: _failure(one) for one in reply.get("NotifyWorkersFailureStatuses", [])
    }
    note("sent", (one for one in chunk if one not in failed))
    note("refused", (one for one in chunk if one in failed))
    return failed


def _one_by_one(
    service: calls.Calls, log: files.Log, what: Message, chunk: tuple[str, ...]
) -> dict[str, Exception]:
    """Halve a refused request until the ids that it is refused for are alone."""
    failed: dict[str, Exception] = {}
    middle = len(chunk) // 2
    for part in (chunk[:middle], chunk[middle:]):
        try:
            failed |= _send(service, log, what, part)
        except errors.ServiceError as error:
            failed |= dict.fromkeys(part, error)
    return failed


def _failure(status: Mapping[str, str]) -> errors.ServiceError:
    code = status.get("NotifyWorkersFailureCode", "failed")
    text = status.get("NotifyWorkersFailureMessage") or "no explanation"
    return errors.ServiceError(f"{text.rstrip('.')} [{code}]", operation="NotifyWorkers", code=code)
