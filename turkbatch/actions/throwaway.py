"""A server of our own that is thrown away afterwards: nothing of the user's is touched."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.mturk import client as clients
from turkbatch.mturk import environments

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.server import service

DATABASE = "server.db"


@dataclasses.dataclass(frozen=True)
class Throwaway:
    """An empty MTurk, and a client of it.

    Parameters
    ----------
    directory : Path
        Where its database is, and where other things can be put.
    client : MTurkClient
        Its requests are answered in this process.
    served : Service
        The server, for those who are its workers.
    """

    directory: Path
    client: MTurkClient
    served: service.Service


@contextlib.contextmanager
def throwaway(keep: Path | None = None) -> Iterator[Throwaway]:
    """Make a server for as long as the block lasts.

    Parameters
    ----------
    keep : Path, optional
        An empty or a new directory that stays; a temporary one, unless given.

    Yields
    ------
    Throwaway

    Raises
    ------
    BatchError
        If the directory holds anything already, or can't be made.
    """
    with contextlib.ExitStack() as end:
        end.enter_context(_terminated_in_order())
        if keep is None:
            made = tempfile.TemporaryDirectory(prefix="turkbatch-", ignore_cleanup_errors=True)
            directory = Path(end.enter_context(made))
        else:
            directory = _empty(keep)
        yield _serve(directory.absolute(), end)


def _empty(directory: Path) -> Path:
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise errors.BatchError(
                f"{directory}: is there already; name an empty or a new directory"
            )
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.BatchError(f"{directory}: can't be made ({error.strerror})") from error
    return directory


def _serve(directory: Path, end: contextlib.ExitStack) -> Throwaway:
    from turkbatch.server import inprocess, service, store

    database = str(directory / DATABASE)
    opened = end.enter_context(store.Store.open(database))
    # Types of others are required as they are: nobody here could know more about them.
    served = service.Service(opened, foreign_types=True)
    client = clients.create(environments.local(database))
    inprocess.attach(client, served)
    return Throwaway(directory, client, served)


@contextlib.contextmanager
def _terminated_in_order() -> Iterator[None]:
    """Let a SIGTERM unwind the blocks that it ends, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    previous = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
