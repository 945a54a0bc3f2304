"""Pages of a listing, cut by keys: a page costs the same at any depth.

As on the service, every page that is not empty comes with a token, even the last one; the
listing ends with an empty page. A token has the recorded form, ``p1:`` and 64 characters of
base64: where the page ended, and which listing it belongs to.

Source: recorded replies of psiTurk; ``MaxResults`` is 10 unless given, as in the API before.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import struct
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy

from turkbatch.server import protocol, refusals

_DEFAULT_SIZE: Final = 10
_PREFIX = "p1:"
_KEYS = struct.Struct(">qq")


@dataclasses.dataclass(frozen=True)
class Page:
    """Which part of a listing is asked for.

    Parameters
    ----------
    size : int
        How many items at most.
    after : tuple of (int, int), optional
        The keys of the last item of the page before; None for the first page.
    listing : str
        Operation and filters, so that no token is used for another listing.
    """

    size: int
    after: tuple[int, int] | None
    listing: str

    def token(self, *keys: int) -> str:
        """Make the token that comes with this page.

        Parameters
        ----------
        *keys : int
            One or two keys of the page's last item.

        Returns
        -------
        str
            67 characters.
        """
        packed = _KEYS.pack(keys[0], keys[1] if len(keys) > 1 else 0)
        signed = packed + _seal(self.listing, packed)
        return _PREFIX + base64.b64encode(signed).decode()


def asked(
    operation: str, parameters: protocol.Parameters, *, default_size: int = _DEFAULT_SIZE
) -> Page:
    """Read which page a request asks for.

    Parameters
    ----------
    operation : str
        The listing.
    parameters : Mapping
        Of the request; all but NextToken and MaxResults are filters.
    default_size : int
        How many items there are unless MaxResults says so.

    Returns
    -------
    Page
        With the default size, unless given.

    Raises
    ------
    Refusal
        ParameterValidationError, if the token is not one of this listing.
    """
    filters = sorted(
        (name, protocol.dump(value))
        for name, value in parameters.items()
        if name not in ("NextToken", "MaxResults")
    )
    listing = f"{operation} {filters}"
    size = parameters.get("MaxResults", default_size)
    token = parameters.get("NextToken")
    return Page(size, None if token is None else _keys(token, listing), listing)


def by_sequence(
    connection: sqlalchemy.Connection,
    operation: str,
    parameters: protocol.Parameters,
    query: sqlalchemy.Select[Any],
    table: sqlalchemy.Table,
    *,
    default_size: int = _DEFAULT_SIZE,
) -> tuple[Sequence[sqlalchemy.Row[Any]], str | None]:
    """Read a page of rows that are listed in the order in which they were stored.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    operation, parameters, default_size
        As of :func:`asked`.
    query : sqlalchemy.Select
        All rows that the filters leave.
    table : sqlalchemy.Table
        Whose sequence gives the order.

    Returns
    -------
    tuple of (sequence of sqlalchemy.Row, str or None)
        The page, and the token that comes with it.

    Raises
    ------
    Refusal
        ParameterValidationError, if the token is not one of this listing.
    """
    page = asked(operation, parameters, default_size=default_size)
    if page.after is not None:
        query = query.where(table.c.sequence > page.after[0])
    rows = connection.execute(query.order_by(table.c.sequence).limit(page.size)).all()
    return rows, page.token(rows[-1].sequence) if rows else None


def _keys(token: str, listing: str) -> tuple[int, int]:
    try:
        signed = base64.b64decode(token.removeprefix(_PREFIX).encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        signed = b""
    packed, seal = signed[: _KEYS.size], signed[_KEYS.size :]
    if not token.startswith(_PREFIX) or seal != _seal(listing, packed):
        raise refusals.invalid_value("NextToken", token)
    first, second = _KEYS.unpack(packed)
    return first, second


def _seal(listing: str, packed: bytes) -> bytes:
    # No secret: it finds mistakes. What a token can reach, its holder can list anyway.
    return hashlib.sha256(listing.encode() + packed).digest()
