"""``server run``, ``work``, ``clock`` and ``reset``: our own MTurk, and a crowd for it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from turkbatch import connect, errors
from turkbatch.actions import pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import directory

WORKERS = 10


@contextlib.contextmanager
def _served() -> Iterator[None]:
    """Raise our errors in place of the server's own, which knows nothing of ours."""
    from turkbatch.server import app, store

    try:
        yield
    except (store.StoreError, app.BindError) as error:
        raise errors.ServiceError(str(error)) from error


def run_server(
    database: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Sequence[str] = (),
    on_ready: Callable[[str], None],
) -> None:
    """Serve MTurk's API over HTTP until interrupted.

    Parameters
    ----------
    database : str
        Path or SQLAlchemy URL.
    host : str
        A loopback address.
    port : int
        0 for any that is free.
    faults : sequence of str
        What is to go wrong, as in :mod:`turkbatch.server.faults`.
    on_ready : callable
        Given the URL once it answers.

    Raises
    ------
    ServiceError
        If the address can't be listened on, or the database not opened.
    InputError
        If a fault is not written as it should be.
    """
    from turkbatch.server import app

    served = connect.open_service(database)
    try:
        served.faults.load(faults)
    except ValueError as error:
        raise errors.RefusedError(f"--fault: {error}") from error
    with _served():
        app.serve(served, host, port, on_ready=on_ready)


@dataclasses.dataclass(frozen=True)
class WorkDone:
    """What simulated workers did.

    Parameters
    ----------
    submitted : int
        Assignments they submitted.
    left : int
        Assignments of the HITs that could still be accepted.
    unfilled : tuple of str
        Fields for which no value was found that the page would take.
    without_form : tuple of str
        HITs whose page asks for nothing.
    """

    submitted: int
    left: int
    unfilled: tuple[str, ...]
    without_form: tuple[str, ...]


def work_batch(
    database: str,
    batch_dir: pinned.PathLike | None = None,
    *,
    workers: int = WORKERS,
    assignments: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> WorkDone:
    """Have simulated workers answer the forms of HITs on our own server.

    Parameters
    ----------
    database : str
        The server's database; a batch that is pinned to another is worked there.
    batch_dir : path, optional
        The batch whose HITs to work on; all open HITs unless given.
    workers : int
        How many workers there are. Each does a HIT once.
    assignments : int, optional
        Most assignments of each HIT to submit now.
    seed : int
        The same seed gives the same answers to the same HITs.
    progress : Progress
        Told of each HIT that is done.

    Returns
    -------
    WorkDone

    Raises
    ------
    BatchError
        If the batch is on MTurk's own site, or its HITs are not on this server.
    """
    from turkbatch.server import crowd, worker

    hit_ids = None
    if batch_dir is not None:
        batch = directory.open_batch(Path(batch_dir))
        database = _database_of(batch, database)
        hit_ids = batch.hit_ids()
    with _served():
        served = connect.open_service(database)
        try:
            report = crowd.work(
                served,
                hit_ids=hit_ids,
                workers=workers,
                seed=seed,
                assignments=assignments,
                progress=lambda done, total: progress("answering forms", done, total),
            )
        except worker.WorkerError as error:
            raise errors.BatchError(
                f"{batch_dir}: its HITs are not in {database} ({error});"
                " give --database as the server that holds them has it"
            ) from error
    return WorkDone(report.assignments, report.left, report.unfilled, report.without_form)


def _database_of(batch: directory.Batch, database: str) -> str:
    pin = {} if batch.info is None else batch.info.pin
    if pin.get("environment") in {"live", "sandbox"}:
        raise errors.BatchError(
            f"{batch.path}: is on MTurk's {pin['environment']} site, where people work;"
            " simulated workers are for batches made with --local or on a server of your own"
        )
    return pin.get("database", database)


@dataclasses.dataclass(frozen=True)
class ServerClock:
    """The time on our own server.

    Parameters
    ----------
    now : datetime
        What its clock shows.
    ahead_seconds : float
        How far it is ahead of this machine's.
    """

    now: datetime
    ahead_seconds: float


def move_clock(database: str, seconds: float = 0) -> ServerClock:
    """Move our own server's clock forward, and tell the time.

    What comes due on the way (expiry, auto-approval, abandonment) happens.

    Parameters
    ----------
    database : str
        The server's database.
    seconds : float
        How far; 0 only tells the time.
    """
    with _served():
        served = connect.open_service(database)
        now = served.clock.advance(seconds) if seconds else served.clock.now()
        return ServerClock(now, served.clock.offset().total_seconds())


def reset_server(database: str) -> Path:
    """Empty our own server, after saving a copy of its database.

    Returns
    -------
    Path
        The copy.

    Raises
    ------
    ServiceError
        If the database is no file that could be copied; nothing is changed then.
    """
    with _served():
        return connect.open_service(database).store.reset()
