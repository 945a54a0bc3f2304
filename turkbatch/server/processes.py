"""Several processes that serve one socket, and one that watches over them.

Python computes in one thread at a time, so one process uses little more than one processor.
They share nothing but the socket and the database; what a process holds in memory (the fault
plan and its counts) would differ from process to process, so there is none of it then.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

_logger = logging.getLogger(__name__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class ProcessError(Exception):
    """The processes can't be started, or don't stay."""


def serve(count: int, work: Callable[[], None], *, too_short_seconds: float = 2) -> None:
    """Do the same work in several processes, until interrupted or terminated.

    Parameters
    ----------
    count : int
        How many there are at any time; one that dies gets a successor.
    work : callable
        Done by each, until it gets SIGTERM or SIGINT. It must open all that it uses beside
        sockets by itself.
    too_short_seconds : float
        One that lives shorter than this gets no successor: it would go on for ever.

    Raises
    ------
    ProcessError
        If one ends at once, or the system has no fork.
    """
    if not hasattr(os, "fork"):
        raise ProcessError("this system can't have several processes serve one socket; take one")
    # Its end tells the others that this process is gone, however that came about.
    alive, held = os.pipe()
    try:
        with _terminating() as running:
            for _ in range(count):
                _start(work, running, alive, held)
            _watch(running, lambda: _start(work, running, alive, held), too_short_seconds)
    finally:
        os.close(alive)
        os.close(held)


class _Running:
    """The processes that there are."""

    def __init__(self) -> None:
        self.started: dict[int, float] = {}
        self.stopping = False

    def stop(self, _number: int = 0, _frame: object = None) -> None:
        self.stopping = True
        for process in list(self.started):
            os.kill(process, signal.SIGTERM)


@contextmanager
def _terminating() -> Iterator[_Running]:
    running = _Running()
    previous = {number: signal.signal(number, running.stop) for number in _SIGNALS}
    try:
        yield running
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _watch(running: _Running, start: Callable[[], None], too_short_seconds: float) -> None:
    failed = None
    while running.started:
        process, status = os.wait()
        began = running.started.pop(process, None)
        if began is None or running.stopping:
            continue
        code = os.waitstatus_to_exitcode(status)
        if time.monotonic() - began < too_short_seconds:
            failed = f"a process ended with {code} as soon as it was started"
            running.stop()
        else:
            _logger.error("process %d ended with %d; another takes its place", process, code)
            start()
    if failed is not None:
        raise ProcessError(failed)


def _start(work: Callable[[], None], running: _Running, alive: int, held: int) -> None:
    # A signal between the two lines would miss the new process.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        process = 0 if running.stopping else os.fork()
        if process:
            running.started[process] = time.monotonic()
        elif not running.stopping:
            _become_one(work, alive, held)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _become_one(work: Callable[[], None], alive: int, held: int) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(held)
        threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
        work()
        code = 0
    except KeyboardInterrupt:
        code = 0
    except BaseException:
        _logger.exception("process %d failed", os.getpid())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Without the parent's clean-up, which is the parent's.
        os._exit(code)


def _end_with_parent(alive: int) -> None:
    os.read(alive, 1)  # returns when the other end is closed by the system
    os.kill(os.getpid(), signal.SIGTERM)
