"""Copies of a whole database: an SQLite file, whatever the database is that was copied.

A copy can therefore be read back into a database of another kind: that is how a server moves
from SQLite to PostgreSQL. It holds the requesters' keys, so nobody but the owner may read it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import sqlalchemy
from sqlalchemy import exc

from turkbatch.server import schema

# So many rows are in memory at a time. A question has up to 65,535 bytes.
_CHUNK: Final = 500


class CopyError(Exception):
    """A copy cannot be written or read; the message says why."""


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Make a file that appears complete or not at all, for its owner alone.

    Parameters
    ----------
    target : Path
        A file that does not exist.

    Yields
    ------
    Path
        An empty file beside it, which takes its name in the end.

    Raises
    ------
    CopyError
        If the target exists, or can't be written.
    """
    if target.exists():
        raise CopyError(f"{target}: exists already; a backup never overwrites")
    try:
        # It can be read by its owner alone from the start, as mkstemp makes it.
        number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    except OSError as error:
        raise CopyError(f"{target}: the backup could not be written: {error.strerror}") from error
    os.close(number)
    unfinished = Path(name)
    try:
        yield unfinished
        _make_durable(unfinished)
        unfinished.rename(target)
        _make_durable(target.parent)
    except (OSError, sqlite3.Error, exc.SQLAlchemyError) as error:
        raise CopyError(f"{target}: the backup could not be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy an SQLite database, while it is in use, into an empty file.

    Parameters
    ----------
    source : Path
        The database.
    target : Path
        From :func:`new_file`.
    """
    # A connection of its own: VACUUM INTO must stand outside a transaction, and reads
    # happily beside whoever writes.
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def write(connection: sqlalchemy.Connection, target: Path) -> None:
    """Copy what a connection sees into an empty file.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that sees one state of the database.
    target : Path
        From :func:`new_file`.
    """
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite", database=str(target)), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as into:
        schema.metadata.create_all(into)
        _copy_rows(connection, into)


@contextlib.contextmanager
def reading(source: Path) -> Iterator[sqlalchemy.Connection]:
    """Open a copy, without changing it.

    Parameters
    ----------
    source : Path
        The file.

    Yields
    ------
    sqlalchemy.Connection
        In a transaction.

    Raises
    ------
    CopyError
        If there is no such file, or it is damaged.
    """
    if not source.is_file():
        raise CopyError(f"{source}: there is no such file")
    address = f"{source.resolve().as_uri()}?mode=ro"
    engine = sqlalchemy.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True),
        poolclass=sqlalchemy.NullPool,
    )
    try:
        with engine.connect() as connection, connection.begin():
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
            if found != "ok":
                raise CopyError(f"{source}: is damaged: {found}")
            yield connection
    except exc.DBAPIError as error:
        raise CopyError(f"{source}: cannot be read: {error.orig}") from error


def read_back(source: sqlalchemy.Connection, connection: sqlalchemy.Connection) -> None:
    """Put a copy's rows in the place of all that is in a database.

    Parameters
    ----------
    source : sqlalchemy.Connection
        From :func:`reading`.
    connection : sqlalchemy.Connection
        In a writing transaction.
    """
    empty(connection)
    _copy_rows(source, connection)
    if connection.dialect.name == "postgresql":
        _count_on(connection)


def empty(
    connection: sqlalchemy.Connection, *, keep: Collection[sqlalchemy.Table] = frozenset()
) -> None:
    """Delete every row of every table.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    keep : collection of sqlalchemy.Table
        All tables but these.
    """
    for table in reversed(schema.metadata.sorted_tables):
        if table not in keep:
            connection.execute(table.delete())


def _copy_rows(source: sqlalchemy.Connection, target: sqlalchemy.Connection) -> None:
    # One that an earlier version wrote has fewer tables.
    known = set(sqlalchemy.inspect(source).get_table_names())
    for table in (table for table in schema.metadata.sorted_tables if table.name in known):
        rows = source.execution_options(yield_per=_CHUNK).execute(table.select())
        for chunk in rows.mappings().partitions():
            target.execute(table.insert(), [dict(row) for row in chunk])


def _count_on(connection: sqlalchemy.Connection) -> None:
    # PostgreSQL doesn't notice numbers that were given instead of taken from its counter.
    for table in schema.metadata.sorted_tables:
        for column in table.primary_key:
            if column is table.autoincrement_column:
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'),"
                    f" coalesce((SELECT max({column.name}) FROM {table.name}), 0) + 1, false)"
                )


def _make_durable(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
