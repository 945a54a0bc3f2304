"""``screen-workers``: turn a pilot's results into a pool of workers.

A worker's score is the mean of a column over all of the worker's assignments; whoever
reaches the least score is granted a qualification type of the requester's own, which is
made if there is none of that name. Running again grants it to those who have come to reach
it, and takes it from nobody.
"""

from __future__ import annotations

import collections
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import errors
from turkbatch.actions import associate, pinned, qualification_types
from turkbatch.actions.extract import extract_tabular
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import data as batch_data
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

WORKER = "WorkerId"
TRUTHS: Mapping[str, float] = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


@dataclasses.dataclass(frozen=True)
class WorkerScore:
    """How a worker did in a pilot.

    Parameters
    ----------
    worker_id : str
        The worker.
    score : float
        The mean over the worker's assignments.
    assignments : int
        How many there are.
    """

    worker_id: str
    score: float
    assignments: int


@dataclasses.dataclass(frozen=True)
class Pool:
    """Who was let into a pool.

    Parameters
    ----------
    qualification_type_id : str
        The type that the pool holds.
    granted, already : int
        Workers who were granted it by this run, and before.
    """

    qualification_type_id: str
    granted: int
    already: int


def score_workers(path: pinned.PathLike, column: str) -> tuple[WorkerScore, ...]:
    """Compute each worker's score, best first.

    Parameters
    ----------
    path : path
        A batch whose results are saved; or a table of results with ``WorkerId`` (CSV or
        JSON Lines), for scores that were computed elsewhere.
    column : str
        A column of numbers, or of true and false, as ``extract tabular --inputs`` names it.

    Returns
    -------
    tuple of WorkerScore

    Raises
    ------
    BatchError
        If nothing is saved of the batch.
    DataError
        If there is no such column, or a cell of it is no number.
    """
    values: dict[str, list[float]] = collections.defaultdict(list)
    for where, row in _rows(Path(path)):
        if column not in row or WORKER not in row:
            missing = WORKER if WORKER not in row else column
            found, fix = f'has no "{missing}"', f"there are {', '.join(row)}"
            raise errors.DataError(errors.Finding("no-column", where, found, fix))
        value = _number(row[column])
        if value is None:
            found, fix = f'"{column}" is {row[column]!r}', "a number, or true or false, is expected"
            raise errors.DataError(errors.Finding("no-number", where, found, fix))
        values[str(row[WORKER])].append(value)
    scores = [WorkerScore(one, sum(all_) / len(all_), len(all_)) for one, all_ in values.items()]
    return tuple(sorted(scores, key=lambda one: (-one.score, one.worker_id)))


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.is_file():
        data = batch_data.read(path)
        for row in data:
            yield data.where(row), row.fields
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.jsonl"
        extract_tabular(path, table, inputs=True)
        for number, row in enumerate(batch_data.read(table), 1):
            yield f"{path}: assignment {row.fields.get('AssignmentId', number)}", row.fields


def _number(value: object) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value)
    text = str(value).strip().lower()
    if text in TRUTHS:
        return TRUTHS[text]
    try:
        return float(text)
    except ValueError:
        return None


def screen_workers(
    client: MTurkClient,
    worker_ids: list[str],
    name: str,
    *,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> Pool:
    """Let workers into a pool: grant a qualification type, made if there is none.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    worker_ids : list of str
        Who is let in.
    name : str
        The type's name; batches then require ``@NAME``.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the workers.

    Returns
    -------
    Pool

    Raises
    ------
    PartialError
        With each worker who failed, and why.
    """
    service = calls.Calls(client, concurrency=concurrency)
    made, _ = qualification_types.made_once(
        service,
        {
            "Name": name,
            "Description": "Given by the requester for good work in an earlier study.",
            "QualificationTypeStatus": "Active",
        },
        progress,
    )
    type_id: str = made["QualificationTypeId"]
    done = associate.associate(service, worker_ids, type_id, progress=progress)
    return Pool(type_id, len(done.done), len(done.already))
