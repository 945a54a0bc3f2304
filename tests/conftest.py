"""What every test has: a home of its own, only loopback, our own server, plain boto3."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import botocore.config
import click.testing
import pytest
import sqlalchemy

from turkbatch import connect
from turkbatch.cli import main
from turkbatch.server import app, service

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

# Read here, since tests run without the variables that turkbatch knows.
POSTGRESQL = os.environ.get("TURKBATCH_TEST_POSTGRESQL")
ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., click.testing.Result]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's files, keys and settings out of every test, and the tests out of them."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("AWS_", "TURKBATCH_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("TURKBATCH_SERVER_DB", str(tmp_path / "server.db"))


@pytest.fixture
def new_database(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Name a database that has nothing in it yet: a file, or a URL on PostgreSQL."""
    numbers = itertools.count(1)
    if POSTGRESQL is None:
        yield lambda: str(tmp_path / f"mturk-{next(numbers)}.db")
        return
    url, unique = sqlalchemy.make_url(POSTGRESQL), uuid.uuid4().hex
    engine = sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        poolclass=sqlalchemy.NullPool,
    )
    made = []

    def make() -> str:
        made.append(f"test_{unique}_{next(numbers)}")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {made[-1]}")
        return url.set(database=made[-1]).render_as_string(hide_password=False)

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The database of the server that ``--local`` uses."""
    return str(tmp_path / "server.db")


@pytest.fixture
def served(database: str) -> Iterator[service.Service]:
    """Our own server, on the database."""
    made = connect.open_service(database)
    yield made
    made.store.close()


@pytest.fixture
def mturk(served: service.Service) -> Iterator[str]:
    """The server's address over HTTP."""
    with app.running(served) as url:
        yield url


def plain_client(url: str) -> MTurkClient:
    """Make a boto3 client as a program that knows nothing of turkbatch would."""
    return boto3.client(
        "mturk",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(
            retries={"total_max_attempts": 1}, read_timeout=5, max_pool_connections=32
        ),
    )


@pytest.fixture
def client(mturk: str) -> Iterator[MTurkClient]:
    """A plain boto3 client of the server over HTTP."""
    made = plain_client(mturk)
    yield made
    made.close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a turkbatch command in ``tmp_path``, in this process."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object, stdin: str = "", code: int | None = 0) -> click.testing.Result:
        result = click.testing.CliRunner().invoke(
            main.turkbatch, [str(one) for one in arguments], input=stdin
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        shown = f"{result.exit_code} from {arguments}:\n{result.stdout}\n{result.stderr}"
        assert code is None or result.exit_code == code, shown
        return result

    return invoke


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    """A small definition: an HTML question with one field, two assignments a HIT."""
    path = tmp_path / "definition"
    path.mkdir()
    (path / "hittypeproperties.json").write_text(
        '{"Title": "Name the colour", "Description": "One word.", "Reward": "0.10",'
        ' "AssignmentDurationInSeconds": 600, "AutoApprovalDelayInSeconds": 86400}'
    )
    (path / "hitproperties.json").write_text('{"MaxAssignments": 2, "LifetimeInSeconds": 3600}')
    (path / "question.html.j2").write_text(
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Colour</title>'
        '<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script></head>'
        '<body><form name="mturk_form" id="mturk_form" method="post">'
        '<input type="hidden" name="assignmentId" id="assignmentId" value="">'
        "<p>{{ word }}</p>"
        '<textarea name="colour" required></textarea>'
        '<input type="submit" id="submitButton" value="Submit"></form>'
        "<script>turkSetAssignmentID();</script></body></html>"
    )
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Three rows of data."""
    path = tmp_path / "data.jsonl"
    path.write_text('{"word": "sky"}\n{"word": "grass"}\n{"word": "snow"}\n')
    return path
