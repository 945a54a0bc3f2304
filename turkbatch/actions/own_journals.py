"""Journals of what belongs to no batch: in the user's data folder, one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from turkbatch import connect, errors, files


def path_of(folder: str, name: str) -> Path:
    """Name a journal; its folder lies beside the embedded server's database."""
    # Without variables, so that another database does not bring other journals.
    return Path(connect.default_database({})).parent / folder / f"{name}.jsonl"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[files.Log]:
    """Open a journal for writing, alone.

    Raises
    ------
    RefusedError
        If another process has it, or its folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise errors.RefusedError(
            f"{path.parent}: can't be written ({error.strerror}), and what is sent has to be"
            " written down there; nothing was sent"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.RefusedError(
                f"{path}: another turkbatch is writing there; wait for it to end"
            ) from error
        with contextlib.closing(files.Log(path)) as log:
            yield log
    finally:
        os.close(descriptor)
