from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import turkbatch
from turkbatch import connect, errors
from turkbatch.batch import data as batch_data
from turkbatch.batch import definition as definitions
from turkbatch.batch import directory
from turkbatch.mturk import client as clients
from turkbatch.mturk import environments


@pytest.fixture
def batch(tmp_path: Path, definition: Path, rows: Path) -> Callable[..., Path]:
    """Make the directory of a batch that is pinned somewhere."""

    def make(environment: environments.Environment) -> Path:
        return directory.create(
            tmp_path,
            environment.name,
            definitions.read(definition),
            batch_data.read(rows),
            pin=environment.pin(),
        ).path

    return make


@pytest.mark.parametrize(
    ("named", "database"),
    [
        (None, "{home}/.local/share/turkbatch/server.db"),
        ("", "{home}/.local/share/turkbatch/server.db"),
        ("some/where.db", "{here}/some/where.db"),
        ("~/mturk.db", "{home}/mturk.db"),
        ("/var/lib/mturk.db", "/var/lib/mturk.db"),
        ("postgresql://db/mturk", "postgresql://db/mturk"),
    ],
)
def test_the_embedded_servers_database_is_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, database: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    variables = {} if named is None else {"TURKBATCH_SERVER_DB": named}
    expected = database.format(home=tmp_path / "home", here=tmp_path)
    assert connect.default_database(variables) == expected


def test_a_database_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "server.db"
    connect.open_service(str(path)).store.close()
    assert path.is_file()


@pytest.mark.parametrize("kind", ["directory", "other database", "no database", "below a file"])
def test_what_is_no_database_of_ours_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "server.db"
    match kind:
        case "directory":
            path.mkdir()
        case "other database":
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE mine (name TEXT)")
            other.close()
        case "no database":
            path.write_bytes(b"This is a letter to my aunt.\n" * 100)
        case _:
            path.touch()
            path /= "below"
    with pytest.raises(errors.ServiceError, match=r"^the server's database can't be opened: "):
        connect.open_service(str(path))


@pytest.mark.parametrize("url", ["nosuch://host/db", "postgresql+nosuch://host/db", "sqlite://"])
def test_a_url_of_no_database_is_refused(url: str) -> None:
    with pytest.raises(errors.ServiceError, match=r"^the server's database can't be opened: "):
        connect.open_service(url)


def test_the_embedded_server_and_the_one_over_http_are_one(mturk: str) -> None:
    """Both are on the database that the fixtures name."""
    inside = turkbatch.client(local=True)
    outside = turkbatch.client(endpoint_url=mturk)
    made = inside.create_hit_type(
        Title="t", Description="d", Reward="0.01", AssignmentDurationInSeconds=60
    )
    again = outside.create_hit_type(
        Title="t", Description="d", Reward="0.01", AssignmentDurationInSeconds=60
    )
    assert made["HITTypeId"] == again["HITTypeId"]


def test_a_client_goes_where_variables_say(monkeypatch: pytest.MonkeyPatch, mturk: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_MTURK", mturk)
    assert turkbatch.client().meta.endpoint_url == mturk
    monkeypatch.delenv("AWS_ENDPOINT_URL_MTURK")
    monkeypatch.setenv("TURKBATCH_ENVIRONMENT", "local")
    assert clients.environment_of(turkbatch.client()).name == "local"


def test_a_client_without_anything_is_the_sandboxs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://example.org")
    assert clients.environment_of(turkbatch.client()) == environments.SANDBOX
    assert turkbatch.client().meta.endpoint_url == environments.SANDBOX.endpoint_url
    assert clients.environment_of(turkbatch.client(live=True)) == environments.LIVE


def test_a_client_follows_the_pin_of_a_batch(
    batch: Callable[..., Path], tmp_path: Path, mturk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURKBATCH_ENVIRONMENT", "sandbox")
    local = environments.local(str(tmp_path / "other.db"))
    pinned = environments.at(mturk)
    found = [turkbatch.client(batch_dir=str(batch(one))) for one in (local, pinned)]
    assert [clients.environment_of(one) for one in found] == [local, pinned]
    assert (tmp_path / "other.db").is_file()


def test_a_live_batch_needs_its_flag_in_a_notebook_too(batch: Callable[..., Path]) -> None:
    path = batch(environments.LIVE)
    with pytest.raises(errors.BatchError, match="give --live to mean it"):
        turkbatch.client(batch_dir=str(path))


def test_a_batch_of_amtis_has_no_pin_to_follow(tmp_path: Path, mturk: str) -> None:
    (tmp_path / "batch-1").mkdir()
    (tmp_path / "batch-1" / "BATCHID").write_text("1")
    marker = json.dumps({"hittype_id": "3TYPE", "hit_ids": []})
    (tmp_path / "batch-1" / "_INCOMPLETE").write_text(marker)
    made = turkbatch.client(batch_dir=str(tmp_path / "batch-1"), endpoint_url=mturk)
    assert made.meta.endpoint_url == mturk
