"""Batches of Mechanical Turk HITs as directories.

A definition and data become HITs, and a self-describing ``batch-$ID`` directory
from which every later step works. The verbs are in :mod:`turkbatch.actions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

__all__ = ["__version__", "client"]

__version__ = "0.1.0"


def client(
    *,
    live: bool = False,
    local: bool = False,
    endpoint_url: str | None = None,
    profile: str | None = None,
    batch_dir: str | None = None,
) -> MTurkClient:
    """Make a boto3 client as the commands do; see :func:`turkbatch.connect.client`."""
    # Late, so that `turkbatch --help` and the version need no boto3.
    from turkbatch import connect

    return connect.client(
        live=live,
        local=local,
        endpoint_url=endpoint_url,
        profile=profile,
        batch_dir=batch_dir,
    )
