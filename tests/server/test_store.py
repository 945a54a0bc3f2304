from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    engine = sqlalchemy.create_engine("postgresql+psycopg://someone:secret@host/x")

    assert store.Store(engine, None).database == "postgresql://someone:***@host/x"


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
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # where the backup goes if the database is no file
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
    assert backup.resolve().parent == tmp_path
    with store.Store.open(backup) as kept:
        assert worker.question(kept, hit_id).startswith("<HTMLQuestion")


def test_a_backup_overwrites_nothing(database: store.Store, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    assert database.backup(target) == target

    with pytest.raises(store.StoreError, match="exists already"):
        database.backup(target)
    with pytest.raises(store.StoreError, match="the backup could not be written"):
        database.backup(tmp_path / "missing" / "backup.db")
    assert (target.stat().st_mode & 0o777, list(tmp_path.glob(".*"))) == (0o600, [])


def rows(opened: store.Store) -> dict[str, list[tuple[Any, ...]]]:
    with opened.read() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(table.select()))
            for table in schema.metadata.sorted_tables
        }


def test_a_restore_brings_back_all_that_was_there(
    database: store.Store,
    served: service.Service,
    inside: MTurkClient,
    make_hit: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assignment_id = worker.accept(served, make_hit(UniqueRequestToken="t"), "A1")
    worker.submit(served, assignment_id, "A1", [("colour", "\N{SNOWMAN} & <b>")])
    before = rows(database)
    backup = database.backup(tmp_path / "backup.db")
    inside.approve_assignment(AssignmentId=assignment_id)
    make_hit()
    after = rows(database)
    replaced = database.restore(backup)

    assert rows(database) == before != after
    with store.Store.open(replaced) as kept:
        assert rows(kept) == after
    newest = make_hit()  # its number in the table is one that was not taken
    assert inside.list_hits()["HITs"][0]["HITId"] == newest


def test_a_backup_is_restored_into_a_database_of_another_kind(
    database: store.Store,
    served: service.Service,
    make_hit: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_hit()
    backup = database.backup(tmp_path / "backup.db")
    with store.Store.open(tmp_path / "another.db") as other:
        other.restore(backup)
        assert rows(other) == rows(database)
        again = other.backup(tmp_path / "again.db")
    served.set_balance(0)
    database.restore(again)
    assert served.balance().held_cents == 6


def test_a_backup_taken_during_writes_is_one_state(
    database: store.Store, make_hit: Callable[..., str], tmp_path: Path
) -> None:
    """Whatever moment is copied, the account and the HITs that it pays for agree."""
    make_hit()
    ends = threading.Event()

    def create() -> None:
        while not ends.is_set():
            make_hit()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(create) for _ in range(2)]
        backups = [database.backup(tmp_path / f"{number}.db") for number in range(3)]
        ends.set()
        for writer in writers:
            writer.result()

    for backup in backups:
        with store.Store.open(backup) as kept:
            hits = rows(kept)["hits"]
            assert service.Service(kept).balance().held_cents == 6 * len(hits)


def test_what_is_no_backup_is_not_restored(
    database: store.Store, make_hit: Callable[..., str], tmp_path: Path
) -> None:
    make_hit()
    before = rows(database)
    good = database.backup(tmp_path / "good.db").read_bytes()
    (tmp_path / "notes.db").write_text("not a database at all, but long enough to be seen" * 40)
    (tmp_path / "torn.db").write_bytes(good[: len(good) // 2])
    (tmp_path / "empty.db").touch()
    for name, reason in [
        ("missing.db", "there is no such file"),
        ("notes.db", "cannot be read: file is not a database"),
        ("torn.db", "is damaged|cannot be read"),
        ("empty.db", "is empty, and no backup"),
    ]:
        with pytest.raises(store.StoreError, match=f"{name}: {reason}"):
            database.restore(tmp_path / name)
    assert rows(database) == before


_WRITE_AND_DIE = """
import os, signal, sys
from turkbatch.server import service, store
opened = store.Store.open(sys.argv[1])
service.Service(opened).set_balance(7)
with opened.write() as connection:
    connection.exec_driver_sql("UPDATE accounts SET available_cents = 99")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_what_it_committed_and_no_lock(database_name: str) -> None:
    died = subprocess.run([sys.executable, "-c", _WRITE_AND_DIE, database_name], check=False)

    assert died.returncode == -9
    with store.Store.open(database_name) as opened:
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


def test_processes_that_open_a_new_database_at_once_share_it(database_name: str) -> None:
    command = [sys.executable, "-c", _OPEN, database_name]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    assert [process.communicate()[0] for process in processes] == ["1000000\n"] * 4


def of_version_1(path: Path) -> Path:
    """Make a database that the first version wrote: a HIT with one approved assignment."""
    written = (Path(__file__).parents[1] / "data" / "server-v1.sql").read_text("utf-8")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(written)
    return path


def answers_in(opened: store.Store) -> list[tuple[str, str]]:
    table = schema.assignments
    with opened.read() as connection:
        return [
            tuple(row)
            for row in connection.execute(sqlalchemy.select(table.c.worker_id, table.c.state))
        ]


def test_a_database_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = of_version_1(tmp_path / "old.db")
    for _ in range(2):  # the second time it is up to date
        with store.Store.open(path) as opened:
            assert answers_in(opened) == [("A1WORKER", "Approved")]
            with opened.read() as connection:
                assert connection.execute(schema.people.select()).all() == []
                version = connection.scalar(
                    sqlalchemy.select(schema.settings.c.value).where(
                        schema.settings.c.name == "schema_version"
                    )
                )
            assert version == str(schema.VERSION)


def test_a_backup_of_an_earlier_version_is_restored(
    database: store.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database.restore(of_version_1(tmp_path / "old.db"))

    assert answers_in(database) == [("A1WORKER", "Approved")]
    with store.Store.open(database.backup(tmp_path / "new.db")) as opened:
        assert answers_in(opened) == [("A1WORKER", "Approved")]
