"""The server's database: opening it, reading and writing it safely, emptying it.

Several processes and threads work on one database at a time (the command line in process,
the server over HTTP, simulated workers). :meth:`Store.write` gives each writer the database
to itself from its first read on, so that no two of them decide on the same old state.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import exc

from turkbatch.server import copies, schema

_logger = logging.getLogger(__name__)

_VERSION_SETTING = "schema_version"
# How long a writer waits for another before it gives up. Writes take milliseconds; only a
# sweep after a long jump of the clock takes seconds.
_BUSY_TIMEOUT_MS = 60_000
# Any number, as long as every process uses the same one.
_POSTGRESQL_LOCK = 7_283_645_101
_WRITES = "turkbatch_writes"
_KEPT_BY_RESET = frozenset(
    {
        schema.requester_keys,
        schema.groups,
        schema.consent_texts,
        schema.people,
        schema.invitations,
        schema.consents,
    }
)


class StoreError(Exception):
    """The database cannot be used: not ours, of a later version, not reachable."""


class Store:
    """The database of one server.

    Use :meth:`open`.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Connected to the database.
    path : Path, optional
        The database's file, if it is a file.
    """

    def __init__(self, engine: sqlalchemy.Engine, path: Path | None) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self.path = path

    @classmethod
    def open(cls, database: str | Path) -> Store:
        """Open a database, and create its tables if it has none.

        Parameters
        ----------
        database : str or Path
            Path of an SQLite file, or an SQLAlchemy URL.

        Returns
        -------
        Store
            Ready for use from any thread. Close it, or use it in a ``with`` block.

        Raises
        ------
        StoreError
            If the database cannot be opened, holds something else, or was written by a
            later turkbatch.
        """
        url = _url(database)
        path = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make_private_file(path)
        store = cls(_engine(url), path)
        try:
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    @property
    def database(self) -> str:
        """Where the data is: a path or a URL, without password."""
        if self.path is not None:
            return str(self.path.resolve())
        # As it was given: which driver was taken for it is of no interest.
        plain = self._engine.url.set(drivername=self._engine.url.get_backend_name())
        return plain.render_as_string(hide_password=True)

    def make_private(self) -> None:
        """See to it that nobody but its owner can read a database that is a file.

        New ones are so from the beginning; it is for those that someone opened to others.
        """
        if self.path is not None:
            # What SQLite puts beside it has the same mode as the file when it is made.
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + suffix).chmod(0o600)

    def close(self) -> None:
        """Close all connections; using the store afterwards opens new ones."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlalchemy.Connection]:
        """Give a connection that sees one unchanging state of the database.

        Yields
        ------
        sqlalchemy.Connection
            For reading only.
        """
        with self._engine.connect() as connection, _see_one_state(connection).begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlalchemy.Connection]:
        """Give a connection that nobody else writes beside; committed unless it raises.

        Yields
        ------
        sqlalchemy.Connection
            What it reads stays true until the block ends.
        """
        # The lock spares threads of one process SQLite's polling for its own lock.
        with self._writing, self._engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            with connection.begin():
                _exclude_other_writers(connection)
                yield connection

    def reset(self) -> Path:
        """Empty all tables but those of keys and people, after a backup has been written.

        People keep their accounts and what they agreed to; links, which lead to HITs, go.

        Returns
        -------
        Path
            The backup: beside a database that is a file, else in the current directory.

        Raises
        ------
        StoreError
            If the backup can't be written; nothing is changed then.
        """
        # Held from before the copy until after the emptying, so that nothing written in
        # between is in neither.
        with self.write() as connection:
            backup = self.backup(self._free_name())
            copies.empty(connection, keep=_KEPT_BY_RESET)
            _write_version(connection)
        return backup

    def backup(self, target: Path) -> Path:
        """Write a copy of the database as it is at this moment, while it is in use.

        Parameters
        ----------
        target : Path
            A file that does not exist. It will be an SQLite database, whatever this one is.

        Returns
        -------
        Path
            The same.

        Raises
        ------
        StoreError
            If the copy cannot be written; there is no file then.
        """
        try:
            with copies.new_file(target) as unfinished:
                if self.path is not None:
                    copies.copy_file(self.path, unfinished)
                else:
                    with self.read() as connection:
                        copies.write(connection, unfinished)
        except copies.CopyError as error:
            raise StoreError(str(error)) from error
        return target

    def restore(self, source: Path) -> Path:
        """Replace all that is in the database by a backup, after a backup of its own.

        Others may use the database meanwhile: they see all of the old state, or of the new.

        Parameters
        ----------
        source : Path
            What :meth:`backup` wrote, from this database or another, of any kind.

        Returns
        -------
        Path
            The backup of what was there before, where :meth:`reset` would put it.

        Raises
        ------
        StoreError
            If the source is no backup, is damaged, or was written by a later turkbatch;
            nothing is changed then.
        """
        try:
            with copies.reading(source) as copied:
                if _version(copied, str(source)) is None:
                    raise StoreError(f"{source}: is empty, and no backup")
                with self.write() as connection:
                    backup = self.backup(self._free_name())
                    copies.read_back(copied, connection)
                    _write_version(connection)
        except copies.CopyError as error:
            raise StoreError(str(error)) from error
        return backup

    def overwrite_deleted(self) -> bool:
        """See to it that the database's files hold nothing that was deleted or replaced.

        An SQLite file is written anew, with its write-ahead log emptied; writers wait
        meanwhile. PostgreSQL frees the places of old rows.

        Returns
        -------
        bool
            False if it could not be done, or somebody still reads an old state.
        """
        try:
            if self.path is not None:
                return _rewrite(self.path)
            with self._engine.connect() as connection:
                # Outside of a transaction, where alone it can be done.
                apart = connection.execution_options(isolation_level="AUTOCOMMIT")
                apart.exec_driver_sql("VACUUM")
        except (sqlite3.Error, exc.DBAPIError) as error:
            # No room, or another process that is at it, too: it is tried again.
            _logger.warning("%s: old contents stay for now: %s", self.database, error)
            return False
        return True

    def _free_name(self) -> Path:
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self.path or Path("turkbatch-server.db")
        return path.with_name(f"{path.stem}-backup-{moment}{path.suffix}")

    def _prepare(self) -> None:
        try:
            with self.read() as connection:
                current = _version(connection, self.database) == schema.VERSION
            if current:
                return
            with self.write() as connection:
                # Another process may have been faster.
                if _version(connection, self.database) != schema.VERSION:
                    # Later versions have added tables, and changed none.
                    schema.metadata.create_all(connection)
                    _write_version(connection)
        except exc.DBAPIError as error:
            raise StoreError(f"{self.database}: cannot be opened: {error.orig}") from error


def _url(database: str | Path) -> sqlalchemy.URL:
    text = str(database)
    if "://" not in text:
        return sqlalchemy.URL.create("sqlite", database=text)
    try:
        url = sqlalchemy.make_url(text)
        url.get_dialect()
    except exc.ArgumentError as error:
        raise StoreError(f"not a path nor an SQLAlchemy URL: {error}") from error
    if url.get_backend_name() == "postgresql":
        return _postgresql_url(url)
    if url.get_backend_name() == "sqlite" and (url.database or ":memory:") == ":memory:":
        raise StoreError("an SQLite database in memory can't be shared; name a file instead")
    return url


def _version(connection: sqlalchemy.Connection, name: str) -> int | None:
    """Read the version of the tables, None if there are none; refuse tables that are not ours."""
    tables = set(sqlalchemy.inspect(connection).get_table_names())
    if not tables:
        return None
    if schema.settings.name not in tables:
        raise StoreError(f"{name}: is not the database of a turkbatch server")
    version = connection.scalar(
        sqlalchemy.select(schema.settings.c.value).where(schema.settings.c.name == _VERSION_SETTING)
    )
    if version is None or not version.isdigit():
        raise StoreError(f"{name}: is not the database of a turkbatch server")
    if int(version) > schema.VERSION:
        raise StoreError(
            f"{name}: was written by a later turkbatch (database version {version}, this one "
            f"knows {schema.VERSION}); upgrade turkbatch"
        )
    return int(version)


def _write_version(connection: sqlalchemy.Connection) -> None:
    table = schema.settings
    connection.execute(table.delete().where(table.c.name == _VERSION_SETTING))
    connection.execute(table.insert().values(name=_VERSION_SETTING, value=str(schema.VERSION)))


# All that one kind of database needs and another does not is below this line.


def _postgresql_url(url: sqlalchemy.URL) -> sqlalchemy.URL:
    # One driver, whatever the URL says and SQLAlchemy's release would take.
    if importlib.util.find_spec("psycopg") is None:
        raise StoreError(
            "a database on PostgreSQL needs psycopg; install it with: "
            "pip install 'turkbatch[postgres]'"
        )
    return url.set(drivername="postgresql+psycopg")


def _engine(url: sqlalchemy.URL) -> sqlalchemy.Engine:
    # More threads than this wait for a connection instead of failing.
    pool: Any = {"pool_size": 20, "max_overflow": 40, "pool_timeout": _BUSY_TIMEOUT_MS / 1000}
    if url.get_backend_name() != "sqlite":
        return sqlalchemy.create_engine(
            url,
            # A writer must see what was committed while it waited for its lock.
            isolation_level="READ COMMITTED",
            connect_args={"options": f"-c lock_timeout={_BUSY_TIMEOUT_MS}"},
            **pool,
        )
    engine = sqlalchemy.create_engine(url, **pool)
    sqlalchemy.event.listen(engine, "connect", _prepare_sqlite_connection)
    sqlalchemy.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private_file(path: Path) -> None:
    # SQLite itself would let everybody read it. An empty file is a database without tables.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite_connection(connection: sqlite3.Connection, _record: object) -> None:
    # Python's own transaction handling is off: it would begin late, and never IMMEDIATE.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    _switch_to_wal(connection)
    # FULL: what was answered is on disk before the answer leaves, even if the power fails.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait by itself for this lock, which is taken when a database is new.
    deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # there is no event to wait for: the lock is another process's
        else:
            return


def _rewrite(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        _prepare_sqlite_connection(connection, None)
        # What replaces the file's pages has none of the old contents; the log still has.
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def _begin_sqlite(connection: sqlalchemy.Connection) -> None:
    # IMMEDIATE takes the write lock before the first read. A transaction that reads first and
    # asks for the lock later fails at once if another has written in between.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _see_one_state(connection: sqlalchemy.Connection) -> sqlalchemy.Connection:
    # SQLite shows one state to a transaction anyway.
    if connection.dialect.name == "sqlite":
        return connection
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _exclude_other_writers(connection: sqlalchemy.Connection) -> None:
    # The same promise as BEGIN IMMEDIATE, on PostgreSQL; freed with the transaction.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})")
