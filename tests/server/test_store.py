from __future__ import annotations

import datetime
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy

from turkbatch.server import schema, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient


def test_a_path_and_a_url_open_the_same_database(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mturk.db"
    with store.Store.open(path) as first:
        service.Service(first).set_balance(5)
    with store.Store.open(f"sqlite:///{path}") as second:
        assert service.Service(second).balance().available_cents == 5
        assert (second.path, second.database) == (path, str(path))


def test_a_later_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mturk.db"
    store.Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE settings SET value = '99' WHERE name = 'schema_version'")
    connection.close()

    with pytest.raises(store.StoreError, match=r"was written by a later turkbatch .*version 99"):
        store.Store.open(path)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()

    with pytest.raises(store.StoreError, match="is not the database of a turkbatch server"):
        store.Store.open(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to be looked at" * 40)

    with pytest.raises(store.StoreError, match="cannot be opened: file is not a database"):
        store.Store.open(path)


@pytest.mark.parametrize(
    ("database", "reason"),
    [
        ("sqlite://", "in memory can't be shared"),
        ("sqlite:///:memory:", "in memory can't be shared"),
        ("nonsense://x", "not a path nor an SQLAlchemy URL"),
    ],
)
def test_a_database_that_cannot_serve_is_refused(database: str, reason: str) -> None:
    with pytest.raises(store.StoreError, match=reason):
        store.Store.open(database)


def test_a_password_is_not_shown() -> None:
    url = sqlalchemy.make_url("sqlite://someone:secret@host/x.db")
    shown = store.Store(sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.NullPool), None)

    assert "secret" not in url.render_as_string(hide_password=True)
    assert shown.database == "sqlite://"


def test_a_write_that_fails_leaves_nothing(database: store.Store) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            connection.execute(schema.settings.insert().values(name="x", value="1"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_and_fail()

    with database.read() as connection:
        names = connection.scalars(sqlalchemy.select(schema.settings.c.name)).all()
    assert names == ["schema_version"]


def test_a_reset_empties_everything_and_leaves_a_backup(
    database: store.Store,
    served: service.Service,
    inside: MTurkClient,
    make_hit: Callable[..., str],
) -> None:
    hit_id = make_hit()
    worker.accept(served, hit_id, "A1")
    served.clock.advance(3600)
    backup = database.reset()

    with database.read() as connection:
        left = {
            table.name: connection.scalar(
                sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
            )
            for table in schema.metadata.sorted_tables
        }
    assert left == dict.fromkeys(left, 0) | {"settings": 1}
    assert served.clock.offset() == datetime.timedelta(0)
    assert inside.list_hits()["HITs"] == []
    assert database.path is not None
    assert backup.parent == database.path.parent
    with store.Store.open(backup) as kept:
        assert worker.question(kept, hit_id).startswith("<HTMLQuestion")


def test_a_backup_overwrites_nothing(database: store.Store, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    assert database.backup(target) == target

    with pytest.raises(store.StoreError, match="exists already"):
        database.backup(target)
    with pytest.raises(store.StoreError, match="the backup could not be written"):
        database.backup(tmp_path / "missing" / "backup.db")


_WRITE_AND_DIE = """
import os, signal, sys
from turkbatch.server import service, store
opened = store.Store.open(sys.argv[1])
service.Service(opened).set_balance(7)
with opened.write() as connection:
    connection.exec_driver_sql("UPDATE accounts SET available_cents = 99")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_what_it_committed_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "mturk.db"
    died = subprocess.run([sys.executable, "-c", _WRITE_AND_DIE, str(path)], check=False)

    assert died.returncode == -9
    with store.Store.open(path) as opened:
        served = service.Service(opened)
        assert served.balance().available_cents == 7
        served.set_balance(8)
        assert served.balance().available_cents == 8


_OPEN = """
import sys
from turkbatch.server import service, store
with store.Store.open(sys.argv[1]) as opened:
    print(service.Service(opened).balance().available_cents)
"""


def test_processes_that_open_a_new_database_at_once_share_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tmp_path / "mturk.db")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    assert [process.communicate()[0] for process in processes] == ["1000000\n"] * 4
