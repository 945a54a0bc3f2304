"""The server's one clock: the machine's, moved forward by an offset in the database.

Every process that uses the database sees the same time. A jump of a month makes everything
that falls due in it happen at its own moment, before the next answer is given.

A shift is written ``+2d``, ``90m`` or ``1h 30m``: numbers with a unit, of ``w`` weeks,
``d`` days, ``h`` hours, ``m`` minutes and ``s`` seconds, added up.
"""

from __future__ import annotations

import datetime
import re
import time

import sqlalchemy

from turkbatch.server import schema, store

_OFFSET_SETTING = "clock_offset_ms"
_UNIT_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([wdhms])\s*")
# A jump beyond this would take dates past the year 9999, which no client can read.
_FURTHEST_SECONDS = 100 * 365 * 86_400

STORED_OFFSET = (
    sqlalchemy.select(schema.settings.c.value)
    .where(schema.settings.c.name == _OFFSET_SETTING)
    .scalar_subquery()
)
"""The offset as a subquery, so that a request can fetch it along with other things."""


class Clock:
    """The clock of a database.

    Parameters
    ----------
    database : Store
        Holds the offset.
    """

    def __init__(self, database: store.Store) -> None:
        self._store = database

    def now(self) -> datetime.datetime:
        """Tell the server's time.

        Returns
        -------
        datetime.datetime
            In UTC, aware.
        """
        with self._store.read() as connection:
            offset_ms = read_offset_ms(connection)
        return datetime.datetime.fromtimestamp(time.time() + offset_ms / 1000, datetime.UTC)

    def offset(self) -> datetime.timedelta:
        """Tell how far the server's time is ahead of the machine's.

        Returns
        -------
        datetime.timedelta
            Zero unless it was moved.
        """
        with self._store.read() as connection:
            return datetime.timedelta(milliseconds=read_offset_ms(connection))

    def advance(self, seconds: float) -> datetime.datetime:
        """Move the clock forward.

        Parameters
        ----------
        seconds : float
            How far; several calls add up.

        Returns
        -------
        datetime.datetime
            The time after it.

        Raises
        ------
        ValueError
            If it is negative, or reaches more than a hundred years ahead.
        """
        if not seconds >= 0:
            raise ValueError("the clock moves forward only; a reset puts it back to the real time")
        with self._store.write() as connection:
            offset_ms = read_offset_ms(connection) + min(seconds, 1e12) * 1000
            if offset_ms > _FURTHEST_SECONDS * 1000:
                raise ValueError("the clock cannot be more than a hundred years ahead")
            _write_offset_ms(connection, round(offset_ms))
        return self.now()

    def reset(self) -> datetime.datetime:
        """Put the clock back to the machine's time; what has happened stays so.

        Returns
        -------
        datetime.datetime
            The time after it.
        """
        with self._store.write() as connection:
            _write_offset_ms(connection, 0)
        return self.now()


def parse_shift(text: str) -> float:
    """Read how far to move the clock.

    Parameters
    ----------
    text : str
        Such as ``+2d``, ``1h 30m`` or ``90s``.

    Returns
    -------
    float
        Seconds, above 0.

    Raises
    ------
    ValueError
        If it is not of that form.
    """
    rest = text.strip().removeprefix("+").strip()
    seconds = 0.0
    while match := _PART.match(rest):
        seconds += float(match[1]) * _UNIT_SECONDS[match[2]]
        rest = rest[match.end() :]
    if rest or seconds <= 0:
        raise ValueError(
            f'"{text}" is no shift of the clock; write numbers with units forward in time, '
            "such as +2d or 1h 30m (w, d, h, m, s)"
        )
    return seconds


def read_offset_ms(connection: sqlalchemy.Connection) -> int:
    """Read the clock's offset.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.

    Returns
    -------
    int
        Milliseconds.
    """
    return int(connection.scalar(sqlalchemy.select(STORED_OFFSET)) or 0)


def epoch_seconds(offset_ms: int) -> int:
    """Tell the server's time in the form that the tables use.

    Parameters
    ----------
    offset_ms : int
        The clock's offset.

    Returns
    -------
    int
        Whole seconds since 1970: MTurk's own times have no fractions.
    """
    return int(time.time() + offset_ms / 1000)


def _write_offset_ms(connection: sqlalchemy.Connection, offset_ms: int) -> None:
    table = schema.settings
    connection.execute(table.delete().where(table.c.name == _OFFSET_SETTING))
    connection.execute(table.insert().values(name=_OFFSET_SETTING, value=str(offset_ms)))
