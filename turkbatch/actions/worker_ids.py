"""Workers' ids, from arguments and files, and one request for each of them.

A file is CSV with a ``WorkerId`` column, whose other columns are not looked at; without
that header, one id a line. ``Worker ID`` is what the requester website's own file of
workers says, and is understood too.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from turkbatch import errors, files
from turkbatch.actions import pinned
from turkbatch.actions.progress import Progress
from turkbatch.mturk import calls

HEADERS = frozenset({"workerid", "worker id", "worker_id"})


@dataclasses.dataclass(frozen=True)
class WorkersDone:
    """What came of a request for each of many workers.

    Parameters
    ----------
    done : tuple of str
        Workers for whom this run did something.
    already : tuple of str
        Workers for whom it was so before.
    """

    done: tuple[str, ...]
    already: tuple[str, ...]


def read_worker_ids(path: pinned.PathLike) -> tuple[str, ...]:
    """Read workers' ids from a file, each once, in its order.

    Raises
    ------
    DataError
        If it can't be read, holds no id, or has several columns and none is ``WorkerId``.
    """
    path = Path(path)
    text = files.read_text(path, errors.DataError)
    try:
        rows = list(csv.reader(text.splitlines(keepends=True)))
    except csv.Error as error:
        raise _fault(path, None, f"is no CSV: {error}", "give one id a line") from error
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((index for index, name in enumerate(header) if name in HEADERS), None)
    if column is None:
        ids = _bare(path, rows)
    else:
        ids = [row[column].strip() for row in rows[1:] if len(row) > column]
    found = tuple(dict.fromkeys(one for one in ids if one))
    if not found:
        raise _fault(path, None, "holds no worker's id", "give one id a line")
    return found


def _bare(path: Path, rows: list[list[str]]) -> list[str]:
    for number, row in enumerate(rows, 1):
        if len([cell for cell in row if cell.strip()]) > 1:
            found = f"has {len(row)} columns, and none is called WorkerId"
            raise _fault(path, number, found, "call the column of the ids WorkerId")
    return [cell.strip() for row in rows for cell in row]


def _fault(path: Path, line: int | None, found: str, fix: str) -> errors.DataError:
    return errors.DataError(errors.Finding("no-worker-ids", str(path), found, fix, line=line))


def for_each(
    service: calls.Calls,
    work: Callable[[str], bool],
    worker_ids: Iterable[str],
    *,
    step: str,
    verb: str,
    progress: Progress,
) -> WorkersDone:
    """Do the same for every worker; one who fails keeps no other from being tried.

    Parameters
    ----------
    service : Calls
        Where to.
    work : callable
        Given an id; says whether it changed anything.
    worker_ids : iterable of str
        The workers; each is tried once.
    step, verb : str
        What is being done, for the progress and for the message: ``blocking workers``,
        ``blocked``.
    progress : Progress
        Told of the workers done.

    Returns
    -------
    WorkersDone

    Raises
    ------
    PartialError
        With each worker who failed, and why. If the service can't be reached, the rest
        is not tried, and counted.
    """
    ids = tuple(dict.fromkeys(worker_ids))
    done: list[str] = []
    already: list[str] = []
    failures: list[tuple[str, Exception]] = []
    for outcome in service.each(work, ids):
        if outcome.error is None:
            (done if outcome.value else already).append(outcome.item)
        else:
            failures.append((f"worker {outcome.item}", outcome.error))
            if isinstance(outcome.error, errors.UnreachableError | errors.CredentialsError):
                break
        progress(step, len(done) + len(already), len(ids))
    if failures:
        left = len(ids) - len(done) - len(already) - len(failures)
        untried = f", {left} were not waited for" if left else ""
        raise errors.PartialError(
            f"{len(done)} of {len(ids)} workers {verb}, {len(already)} were before{untried};"
            f" {len(failures)} failed, and the same command tries them again:",
            failures,
        )
    return WorkersDone(tuple(done), tuple(already))
