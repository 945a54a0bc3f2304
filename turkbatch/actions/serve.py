"""``server run`` and the other commands of our own MTurk: its life, copies, accounts, crowd."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from turkbatch import connect, errors, files
from turkbatch.actions import pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import directory

if TYPE_CHECKING:
    from turkbatch.server import keys, task_pages

WORKERS = 10
Fees = Literal["mturk", "none"]


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
    require_keys: bool = False,
    known_workers_only: bool = False,
    fees: Fees = "mturk",
    processes: int = 1,
    public_url: str | None = None,
    tasks_url: str | None = None,
    tasks_port: int | None = None,
    trusted_proxy: str | None = None,
    sign_ins_per_minute: int = 60,
    crowd_elements: task_pages.CrowdElements = "local",
    on_ready: Callable[[str], None],
) -> None:
    """Serve MTurk's API and the worker site over HTTP until interrupted.

    Parameters
    ----------
    database : str
        Path or SQLAlchemy URL.
    host : str
        An address of this machine. Any but loopback ones require keys.
    port : int
        0 for any that is free.
    faults : sequence of str
        What is to go wrong, as in :mod:`turkbatch.server.faults`.
    require_keys : bool
        Whether requests must be signed with a requester's key on a loopback address, too:
        behind a proxy that others reach.
    known_workers_only : bool
        Whether a worker's id must have been seen before to be named in a request, as on
        MTurk; otherwise any id of a worker's form is one.
    fees : {"mturk", "none"}
        Which fees HITs made from now on cost; one's own crowd costs none.
    processes : int
        How many processes serve.
    public_url : str, optional
        How others reach the server: scheme and host. The address, if not given.
    tasks_url : str, optional
        How others reach the port of task pages, by another host.
    tasks_port : int, optional
        That port; the one after ``port``, if not given.
    trusted_proxy : str, optional
        Numeric address of the proxy that is believed who asks.
    sign_ins_per_minute : int
        From one address, where people need accounts.
    crowd_elements : {"local", "cdn"}
        Where task pages get the Crowd HTML Elements from: the server's own, or AWS.
    on_ready : callable
        Given the URL once it answers.

    Raises
    ------
    ServiceError
        If the address can't be listened on, there is no key where one is needed, or the
        database can't be opened.
    RefusedError
        If a fault is not written as it should be, or is to be shared by processes, or an
        address is none, or not where it could be.
    """
    from turkbatch.server import app, origins, questions

    if faults and processes > 1:
        raise errors.RefusedError(
            "--fault: is counted by each process for itself; leave out --processes"
        )
    if trusted_proxy is not None and not require_keys and questions.is_loopback(host):
        raise errors.RefusedError(
            "--trusted-proxy: through a proxy anybody reaches this server; add --require-keys"
        )
    try:
        exposure = origins.exposure(
            public_url=public_url,
            tasks_url=tasks_url,
            tasks_port=tasks_port,
            trusted_proxy=trusted_proxy,
            sign_ins_per_minute=sign_ins_per_minute,
        )
    except ValueError as error:
        raise errors.RefusedError(str(error)) from error
    served = connect.open_service(database)
    served.keys_demanded = require_keys
    served.known_workers_only = known_workers_only
    served.fees = fees
    try:
        served.faults.load(faults)
    except ValueError as error:
        raise errors.RefusedError(f"--fault: {error}") from error
    with _served():
        app.serve(
            served,
            host,
            port,
            crowd_elements=crowd_elements,
            processes=processes,
            exposure=exposure,
            on_ready=on_ready,
        )


@dataclasses.dataclass(frozen=True)
class NewServerKey:
    """A requester's key at the one moment at which its secret is told.

    Parameters
    ----------
    requester : str
        Whose it is.
    access_key, secret : str
        As ``aws_access_key_id`` and ``aws_secret_access_key`` of a client.
    """

    requester: str
    access_key: str
    secret: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class ServerKey:
    """A requester's key without its secret.

    Parameters
    ----------
    requester : str
        Whose it is.
    access_key : str
        What requests name.
    created : datetime
        In UTC.
    """

    requester: str
    access_key: str
    created: datetime


def add_server_key(database: str, requester: str) -> NewServerKey:
    """Make a key for a requester of our own server, who may have others.

    Parameters
    ----------
    database : str
        The server's database.
    requester : str
        A name; what is made with any of its keys is the requester's. ``default`` is whoever
        asks without a key on a loopback address.

    Returns
    -------
    NewServerKey

    Raises
    ------
    RefusedError
        If the name can't be one.
    """
    from turkbatch.server import keys

    with _served(), _named():
        made = keys.add(connect.open_service(database).store, requester)
    return NewServerKey(made.requester, made.access_key, made.secret)


def list_server_keys(database: str) -> list[ServerKey]:
    """List the keys of our own server, without their secrets.

    Parameters
    ----------
    database : str
        The server's database.

    Returns
    -------
    list of ServerKey
        By requester and age.
    """
    from turkbatch.server import keys

    with _served():
        return [_server_key(key) for key in keys.listed(connect.open_service(database).store)]


def remove_server_key(database: str, name: str) -> list[ServerKey]:
    """Remove keys of our own server; what their requester has stays.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        A requester, for all keys of that name, or one access key.

    Returns
    -------
    list of ServerKey
        Those that were removed.

    Raises
    ------
    RefusedError
        If there is none.
    """
    from turkbatch.server import keys

    with _served(), _named():
        removed = keys.remove(connect.open_service(database).store, name)
    return [_server_key(key) for key in removed]


@contextlib.contextmanager
def _named() -> Iterator[None]:
    from turkbatch.server import keys

    try:
        yield
    except keys.KeyNameError as error:
        raise errors.RefusedError(str(error)) from error


def _server_key(key: keys.Key) -> ServerKey:
    return ServerKey(key.requester, key.access_key, datetime.fromtimestamp(key.created_at, UTC))


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
    spammers : tuple of str
        Ids of the workers who answered by chance.
    """

    submitted: int
    left: int
    unfilled: tuple[str, ...]
    without_form: tuple[str, ...]
    spammers: tuple[str, ...] = ()


def work_batch(
    database: str,
    batch_dir: pinned.PathLike | None = None,
    *,
    workers: int = WORKERS,
    assignments: int | None = None,
    seed: int = 0,
    accuracy: float | None = None,
    spam: float = 0.0,
    speed: float = 1.0,
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
    accuracy : float, optional
        How often workers agree on an option, from 0 to 1; without it each chooses for itself.
    spam : float
        Share of workers who answer by chance within seconds, from 0 to 1.
    speed : float
        How many times as fast as usual they seem to work.
    progress : Progress
        Told of each HIT that is done.

    Returns
    -------
    WorkDone

    Raises
    ------
    BatchError
        If the batch is on MTurk's own site, or its HITs are not on this server.
    RefusedError
        If a share is none, or nobody could work at that speed.
    """
    from turkbatch.server import crowd, worker

    try:
        manner = crowd.Manner(accuracy=accuracy, spam=spam, speed=speed)
    except ValueError as error:
        raise errors.RefusedError(f"{error}") from error
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
                manner=manner,
                progress=lambda done, total: progress("answering forms", done, total),
            )
        except worker.WorkerError as error:
            raise errors.BatchError(
                f"{batch_dir}: its HITs are not in {database} ({error});"
                " give --database as the server that holds them has it"
            ) from error
    return WorkDone(
        report.assignments, report.left, report.unfilled, report.without_form, report.spammers
    )


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
        If the copy can't be written; nothing is changed then.
    """
    with _served():
        return connect.open_service(database).store.reset()


def backup_server(database: str, target: pinned.PathLike) -> Path:
    """Copy our own server's database into a file, while it is in use.

    Parameters
    ----------
    database : str
        The server's database: SQLite or PostgreSQL.
    target : path
        A file that does not exist. It will be an SQLite database, readable by its owner alone.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    ServiceError
        If it exists or can't be written; nothing is left of it then.
    """
    with _served():
        return connect.open_service(database).store.backup(Path(target))


def restore_server(database: str, source: pinned.PathLike) -> Path:
    """Replace all that is on our own server by a backup, after saving a copy of it.

    Parameters
    ----------
    database : str
        The server's database, of the same kind as the one that was copied or another.
    source : path
        What :func:`backup_server` wrote.

    Returns
    -------
    Path
        The copy of what was there before.

    Raises
    ------
    ServiceError
        If it is no backup, is damaged, or was written by a later turkbatch; nothing is
        changed then.
    """
    with _served():
        return connect.open_service(database).store.restore(Path(source))


@dataclasses.dataclass(frozen=True)
class AccountLine:
    """A requester's account on our own server, in USD.

    Parameters
    ----------
    requester : str
        Whose it is.
    available : Decimal
        To be spent.
    held : Decimal
        For open HITs and work that is not reviewed.
    paid, fees : Decimal
        Gone to workers, and to the service.
    deposited : Decimal
        All of these together.
    """

    requester: str
    available: Decimal
    held: Decimal
    paid: Decimal
    fees: Decimal
    deposited: Decimal


@dataclasses.dataclass(frozen=True)
class OwedLine:
    """What a requester owes a worker, in USD.

    Parameters
    ----------
    requester, worker_id : str
        Who owes whom.
    assignments : int
        Approved ones.
    rewards : Decimal
        For them.
    bonuses : Decimal
        All that were granted.
    total : Decimal
        Rewards and bonuses.
    fees : Decimal
        What the service took from the requester for both.
    """

    requester: str
    worker_id: str
    assignments: int
    rewards: Decimal
    bonuses: Decimal
    total: Decimal
    fees: Decimal


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Who is owed what on our own server.

    Parameters
    ----------
    accounts : tuple of AccountLine
        Of all time, whatever the period.
    workers : tuple of OwedLine
        Those who are owed something for the period.
    """

    accounts: tuple[AccountLine, ...]
    workers: tuple[OwedLine, ...]

    def as_json(self) -> dict[str, object]:
        """Give it as one JSON object, with amounts as strings."""

        def shown(line: AccountLine | OwedLine) -> dict[str, object]:
            return {
                name: f"{value:.2f}" if isinstance(value, Decimal) else value
                for name, value in dataclasses.asdict(line).items()
            }

        return {
            "accounts": [shown(line) for line in self.accounts],
            "workers": [shown(line) for line in self.workers],
        }


def server_ledger(
    database: str, *, since: datetime | None = None, until: datetime | None = None
) -> Ledger:
    """Tell who is owed what on our own server, where the paying is done elsewhere.

    Parameters
    ----------
    database : str
        The server's database.
    since, until : datetime, optional
        Count what was approved or granted from the one moment on, and before the other.
        Without a zone they are in this machine's.

    Returns
    -------
    Ledger
    """
    from turkbatch.server import owed

    def seconds(moment: datetime | None) -> int | None:
        return None if moment is None else int(moment.timestamp())

    with _served():
        store = connect.open_service(database).store
        accounts = owed.accounts(store)
        workers = owed.workers(store, since=seconds(since), until=seconds(until))
    return Ledger(
        tuple(
            AccountLine(
                one.requester,
                _dollars(one.available_cents),
                _dollars(one.held_cents),
                _dollars(one.paid_cents),
                _dollars(one.fees_cents),
                _dollars(one.deposited_cents),
            )
            for one in accounts
        ),
        tuple(
            OwedLine(
                one.requester,
                one.worker_id,
                one.assignments,
                _dollars(one.rewards_cents),
                _dollars(one.bonus_cents),
                _dollars(one.total_cents),
                _dollars(one.fees_cents),
            )
            for one in workers
        ),
    )


LEDGER_COLUMNS = ("Requester", "WorkerId", "Assignments", "Rewards", "Bonuses", "Total", "Fees")
"""Of the file that :func:`write_ledger` writes, amounts in USD."""


def write_ledger(ledger: Ledger, target: pinned.PathLike) -> Path:
    """Write what workers are owed into a CSV file, one worker a line.

    Parameters
    ----------
    ledger : Ledger
        From :func:`server_ledger`.
    target : path
        Replaced, if it exists.

    Returns
    -------
    Path
        The same.
    """
    path = Path(target)
    with files.replacing(path) as file:
        writer = csv.writer(file)
        writer.writerow(LEDGER_COLUMNS)
        for line in ledger.workers:
            writer.writerow(dataclasses.astuple(line))
    return path


def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
