"""``repin-batch``: a server of one's own has moved, and the batch follows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from turkbatch import errors
from turkbatch.actions import pinned
from turkbatch.batch import directory
from turkbatch.mturk import environments

MOVABLE = frozenset({"custom", "local"})


@dataclasses.dataclass(frozen=True)
class RepinnedBatch:
    """Where a batch was, and where it is now."""

    batch_dir: Path
    before: Mapping[str, str]
    now: Mapping[str, str]


def repin_batch(batch_dir: pinned.PathLike, environment: environments.Environment) -> RepinnedBatch:
    """Pin a batch to another address or database of the server that holds it.

    Parameters
    ----------
    batch_dir : path
        A batch on a server of one's own.
    environment : Environment
        Where that server is now: ``custom`` or ``local``.

    Returns
    -------
    RepinnedBatch

    Raises
    ------
    BatchError
        If the batch, or the environment, is one of MTurk's own: its HITs are there and
        nowhere else.
    """
    batch = directory.open_batch(Path(batch_dir))
    if batch.info is None:
        raise errors.BatchError(
            f"{batch.path}: amti made this batch, and it has no pin; give the flag each time"
        )
    for name in (batch.info.pin["environment"], environment.name):
        if name not in MOVABLE:
            raise errors.BatchError(
                f"{batch.path}: a pin moves between servers of one's own, never to or from"
                f" {name}; create a new batch there"
            )
    before = batch.info.pin
    with batch.locked():
        batch.update(pin=environment.pin())
    return RepinnedBatch(batch.path, before, environment.pin())
