"""What an operation is given."""

from __future__ import annotations

import dataclasses
from typing import Literal

import sqlalchemy

from turkbatch.server import protocol

Fees = Literal["mturk", "none"]
"""Whether MTurk's fees are charged, or none, for a crowd of one's own."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One request that is being carried out.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction: a writing one if the operation changes anything.
    now : int
        The server's time, in seconds since 1970.
    operation : str
        Its name in the API.
    parameters : Mapping
        Held against the model.
    requester : str
        Who asks.
    request_id : str
        Of this request.
    fees : {"mturk", "none"}
        Which fees are charged.
    listing_lag_seconds : float
        HITs younger than this are not listed yet.
    known_workers_only : bool
        Whether a worker's id must be known, not only have the form of one.
    public_url : str
        Where the server is reached over HTTP.
    foreign_types : bool
        Whether ids in the form of the service's pass for qualification types of another
        requester's, though this server never made them.
    """

    connection: sqlalchemy.Connection
    now: int
    operation: str
    parameters: protocol.Parameters
    requester: str
    request_id: str
    fees: Fees
    listing_lag_seconds: float
    known_workers_only: bool
    foreign_types: bool
    public_url: str
