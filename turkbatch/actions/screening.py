"""Who may take part: workers kept out of a batch, or let in alone, without a block.

``create-batch --exclude``, ``--only`` and ``--max-hits-per-worker`` make at most two
qualification types for the batch: one that keeps out whoever holds it, and one without which
nobody gets in. Their names carry the batch's nonce, so an interrupted run finds what it
made. Nobody is written to. While the batch runs, ``save-batch`` and ``status-batch --watch``
grant them to workers who have come to fall under the rules; between two such moments a
worker can go past ``--max-hits-per-worker``.

What was granted is in the batch's ``screening.jsonl``::

    {"event": "granted", "kind": "barred", "worker_ids": [...], "time": "..."}
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import errors, files
from turkbatch.actions import associate, owned, pinned, qualification_types
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.save import save
from turkbatch.batch import directory, journal, layout
from turkbatch.mturk import calls, model

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch

BARRED, INVITED = "barred", "invited"
COMPARATORS = {BARRED: "DoesNotExist", INVITED: "Exists"}
GUARDED = "DiscoverPreviewAndAccept"
"""Who may not take part does not see the HITs either."""
DESCRIPTION = "Given by the requester; there is nothing to apply for."


@dataclasses.dataclass(frozen=True)
class Screening:
    """Who may take part in a batch.

    Parameters
    ----------
    exclude : tuple of Path
        Batches whose workers are kept out.
    only : tuple of Path
        Batches whose workers alone are let in.
    workers : tuple of str
        Workers who are let in, beside those of ``only``.
    max_hits_per_worker : int, optional
        Whoever has done so many HITs of this batch is kept out of the rest.
    """

    exclude: tuple[Path, ...] = ()
    only: tuple[Path, ...] = ()
    workers: tuple[str, ...] = ()
    max_hits_per_worker: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The qualification types that it takes."""
        barred = (BARRED,) if self.exclude or self.max_hits_per_worker is not None else ()
        return (*barred, *((INVITED,) if self.only or self.workers else ()))

    def as_json(self) -> dict[str, Any]:
        """Give what ``batch.json`` records; empty where everyone may take part."""
        if not self.kinds:
            return {}
        return {
            "exclude": [str(path.resolve()) for path in self.exclude],
            "only": [str(path.resolve()) for path in self.only],
            "workers": list(self.workers),
            "max_hits_per_worker": self.max_hits_per_worker,
        }


def read(recorded: Mapping[str, Any]) -> Screening:
    """Read what ``batch.json`` records."""
    return Screening(
        tuple(Path(one) for one in recorded.get("exclude", ())),
        tuple(Path(one) for one in recorded.get("only", ())),
        tuple(recorded.get("workers", ())),
        recorded.get("max_hits_per_worker"),
    )


def check(rules: Screening, requirements: int, service: calls.Calls) -> None:
    """Refuse rules that can't be followed, before anything is made.

    Raises
    ------
    BatchError
        If an earlier batch is none, or is somewhere else.
    RefusedError
        If the HIT type would have more requirements than MTurk takes.
    """
    for path in (*rules.exclude, *rules.only):
        _earlier(path, service)
    if requirements + len(rules.kinds) > model.MOST_REQUIREMENTS:
        raise errors.RefusedError(
            f"the definition has {requirements} QualificationRequirements, and --exclude, --only"
            f" and --max-hits-per-worker add {len(rules.kinds)}; MTurk takes"
            f" {model.MOST_REQUIREMENTS}: take some out"
        )


def _earlier(path: Path, service: calls.Calls) -> Batch:
    batch = directory.open_batch(path)
    if batch.info is not None and not service.environment.same_place(batch.info.pin):
        pin = batch.info.pin
        raise errors.BatchError(
            f"{path}: was created in {pin['environment']}"
            f" ({pin.get('endpoint_url') or pin.get('database')}), and this batch is for"
            f" {service.environment.place}: workers have other ids elsewhere"
        )
    return batch


def prepare(
    batch: Batch, service: calls.Calls, properties: Mapping[str, Any], progress: Progress
) -> Mapping[str, Any]:
    """Make a batch's qualification types, grant them, and require them.

    Parameters
    ----------
    batch : Batch
        The batch; its lock is held.
    service : Calls
        Where to.
    properties : mapping
        Parameters of ``CreateHITType``.
    progress : Progress
        Told of the workers.

    Returns
    -------
    dict
        The parameters, with the requirements.
    """
    assert batch.info is not None, "only a batch of ours is uploaded"
    rules = read(batch.info.screening)
    if not rules.kinds:
        return properties
    types: dict[str, str] = dict(batch.info.screening.get("types", {}))
    for kind in rules.kinds:
        if kind not in types:
            types[kind] = _made(batch, service, kind, progress)
            batch.update(screening={**batch.info.screening, "types": dict(types)})
    # Before the HITs are there: nobody shall slip in between.
    _grant(batch, service, progress)
    return {
        **properties,
        "QualificationRequirements": [
            *properties.get("QualificationRequirements", []),
            *(
                {
                    "QualificationTypeId": types[kind],
                    "Comparator": COMPARATORS[kind],
                    "ActionsGuarded": GUARDED,
                }
                for kind in rules.kinds
            ),
        ],
    }


def _made(batch: Batch, service: calls.Calls, kind: str, progress: Progress) -> str:
    assert batch.info is not None, "only a batch of ours is uploaded"
    made, _ = qualification_types.made_once(
        service,
        {
            "Name": f"turkbatch {kind} {batch.info.nonce}",
            "Description": DESCRIPTION,
            "QualificationTypeStatus": "Active",
        },
        progress,
    )
    type_id: str = made["QualificationTypeId"]
    return type_id


def keep_screening(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> int:
    """Bring a batch's qualifications up to date; save its results on the way.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of what is read and granted.

    Returns
    -------
    int
        How many workers were granted one; 0 where the batch has no rules.

    Raises
    ------
    PartialError
        If something could not be read or granted.
    """
    batch = pinned.opened(client, batch_dir)
    if batch.info is None or not batch.info.screening:
        return 0
    service = calls.Calls(client, concurrency=concurrency)
    with batch.locked(), service.finishing():
        save(batch, service, progress)
        return keep(batch, service, progress)


def keep(batch: Batch, service: calls.Calls, progress: Progress) -> int:
    """Grant what has become due, from the saved results; the caller holds the lock."""
    if batch.info is None or not batch.info.screening.get("types"):
        return 0
    hit_ids = batch.hit_ids()
    if hit_ids and len(hit_ids) == batch.info.rows and batch.results.all_final(hit_ids):
        return 0  # nobody can take part any more
    return _grant(batch, service, progress)


def _grant(batch: Batch, service: calls.Calls, progress: Progress) -> int:
    assert batch.info is not None, "only a batch of ours is screened"
    rules, types = read(batch.info.screening), batch.info.screening["types"]
    path = batch.path / layout.SCREENING
    granted = _granted(path)
    count = 0
    for kind in rules.kinds:
        due = dict.fromkeys(_due(rules, kind, batch, service, progress))
        todo = [one for one in due if one not in granted[kind]]
        if not todo:
            continue
        associate.associate(service, todo, types[kind], progress=progress)
        with contextlib.closing(files.Log(path)) as log:
            log.append(
                {
                    "event": "granted",
                    "kind": kind,
                    "worker_ids": todo,
                    "time": journal.timestamp(),
                }
            )
        count += len(todo)
    return count


def _granted(path: Path) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = collections.defaultdict(set)
    for record in files.read_log(path):
        found[record["kind"]].update(record["worker_ids"])
    return found


def _due(
    rules: Screening, kind: str, batch: Batch, service: calls.Calls, progress: Progress
) -> Iterator[str]:
    """Name the workers who shall hold a qualification by now."""
    if kind == INVITED:
        yield from rules.workers
        yield from _workers_of_all(rules.only, service, progress)
        return
    yield from _workers_of_all(rules.exclude, service, progress)
    if rules.max_hits_per_worker is not None:
        counts = collections.Counter(_saved_workers(batch))
        yield from (one for one, done in counts.items() if done >= rules.max_hits_per_worker)


def _workers_of_all(
    paths: Iterable[Path], service: calls.Calls, progress: Progress
) -> Iterator[str]:
    for path in paths:
        yield from workers_of(path, service, progress)


def workers_of(path: Path, service: calls.Calls, progress: Progress) -> list[str]:
    """List who has submitted work for a batch; what is not saved of it yet is saved.

    Raises
    ------
    BatchError
        If it is no batch, is somewhere else, or another process writes to it.
    PartialError
        If some of it can't be read.
    """
    batch = _earlier(path, service)
    hit_ids = batch.hit_ids()
    if batch.incomplete or not batch.results.all_final(hit_ids):
        with batch.locked():
            save(batch, service, progress)
    return list(dict.fromkeys(_saved_workers(batch)))


def _saved_workers(batch: Batch) -> Iterator[str]:
    for hit_id in batch.results.hit_ids():
        for one in batch.results.assignments(hit_id):
            yield one["WorkerId"]


def remove(batch: Batch, service: calls.Calls) -> None:
    """Delete a batch's qualification types, once its HITs are; the caller holds the lock."""
    if batch.info is None:
        return
    types = batch.info.screening.get("types", {})
    for type_id in types.values():
        try:
            service.call("delete_qualification_type", QualificationTypeId=type_id)
        except errors.ServiceError as error:
            if not owned.is_missing_type(error):
                raise
    if types:
        batch.update(screening={**batch.info.screening, "types": {}})
