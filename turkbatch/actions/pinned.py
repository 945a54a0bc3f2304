"""Opening a batch for a client: the batch's pin and the client must name the same place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.batch import directory
from turkbatch.mturk import client as clients

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch

PathLike = str | os.PathLike[str]


def opened(client: MTurkClient, batch_dir: PathLike) -> Batch:
    """Open a batch for use with a client.

    Raises
    ------
    BatchError
        If it is no batch, or was created somewhere else than the client goes.
    """
    batch = directory.open_batch(Path(batch_dir))
    check(client, batch)
    return batch


def check(client: MTurkClient, batch: Batch) -> None:
    """Refuse a client that goes elsewhere than the batch is. amti's batches have no pin."""
    environment = clients.environment_of(client)
    if batch.info is not None and not environment.same_place(batch.info.pin):
        pinned = batch.info.pin
        place = pinned.get("endpoint_url") or pinned.get("database")
        raise errors.BatchError(
            f"{batch.path}: was created in {pinned['environment']} ({place}), and this client"
            f" goes to {environment.place}; use turkbatch.client(batch_dir=...)"
        )
