"""Two hundred people at once on a server whose processes are killed under them.

``TURKBATCH_TEST_LOAD_SECONDS`` shortens the ten minutes. It has the machine to itself, since
it tells how much slower a page is for two hundred than for one.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.conftest import POSTGRESQL
from tests.reliability import harness, people
from tests.reliability.conftest import FIGURES
from turkbatch import answers, connect
from turkbatch.server import groups, inprocess, keys, schema, service
from turkbatch.server import people as accounts

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

SECONDS = float(os.environ.get("TURKBATCH_TEST_LOAD_SECONDS", "600"))
PEOPLE = 200
PROCESSES = 2
ASSIGNMENTS = 3
ALONE_SECONDS = 15.0
ALONE_PAUSE_SECONDS = (0.1, 0.2)
COMING_SECONDS = 30.0
PAUSE_SECONDS = (5.0, 25.0)
SECONDS_EACH = sum(PAUSE_SECONDS)  # a person thinks twice for an assignment
MOST_TIMES_SLOWER = 10
QUESTION = """<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/\
AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[
<!DOCTYPE html><html><body><form method="post"><p>What is {number} in words?</p>
<input name="answer" required></form></body></html>]]></HTMLContent>
<FrameHeight>300</FrameHeight></HTMLQuestion>"""


class Server:
    """``turkbatch server run`` as a user would start it behind a proxy."""

    def __init__(self, database: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._database = database
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = harness.start(
            *("server", "run", "--port", self.port, "--database", self._database),
            *("--processes", PROCESSES, "--require-keys", "--public-url", self.url),
            *("--trusted-proxy", "127.0.0.1"),
        )
        harness.until(self._answers)

    def kill_one(self) -> None:
        """Kill one of the processes that serve."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        assert len(children) == PROCESSES, children
        os.kill(int(children[0]), signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill the process that the others belong to, and wait until all are gone."""
        self._process.kill()
        self._process.communicate()  # until nobody holds its pipes any more
        harness.until(lambda: not self._listens())

    def stop(self) -> None:
        self._process.terminate()
        _, err = self._process.communicate(timeout=harness.PATIENCE_SECONDS)
        assert self._process.returncode == 0, err

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(self._process.communicate()[1])
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{self.url}/turkbatch/health", timeout=5).close()
            return True
        return False

    def _listens(self) -> bool:
        with contextlib.suppress(ConnectionError):
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        return False


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "load.db")
    if POSTGRESQL is None:
        pytest.skip("no PostgreSQL: .ci/with-postgresql starts one")
    new: Callable[[], str] = request.getfixturevalue("new_database")
    return new()


def add_people(served: service.Service, count: int) -> list[str]:
    made = [one.worker_id for one in accounts.add(served, groups.DEFAULT, count=count)]

    def let_in(worker_id: str) -> None:
        token = accounts.invite(served, worker_id, valid_seconds=3600)
        accounts.redeem(served, token, people.PASSWORD)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # Argon2 is slow on purpose
        list(pool.map(let_in, made))
    return made


def publish(served: service.Service, count: int) -> None:
    client: MTurkClient = boto3.client(
        "mturk", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    inprocess.attach(client, served)
    hit_type = client.create_hit_type(
        Title="Write a number in words",
        Description="One number",
        Reward="0.05",
        AssignmentDurationInSeconds=3600,
    )["HITTypeId"]
    for number in range(count):
        client.create_hit_with_hit_type(
            HITTypeId=hit_type,
            LifetimeInSeconds=86_400,
            MaxAssignments=ASSIGNMENTS,
            Question=QUESTION.replace("{number}", str(number)),
        )


async def disturb(server: Server, seconds: float) -> None:
    """Kill a process at a quarter and at three quarters of the time, all of them in between."""
    await asyncio.sleep(seconds / 4)
    server.kill_one()
    await asyncio.sleep(seconds / 4)
    await asyncio.to_thread(server.kill_all)
    await asyncio.to_thread(server.start)
    await asyncio.sleep(seconds / 4)
    server.kill_one()


def check(served: service.Service, record: people.Record) -> None:
    """Hold what the site told people against what the database has."""
    table = schema.assignments
    with served.store.read() as connection:
        rows = {row["assignment_id"]: row for row in connection.execute(table.select()).mappings()}
    told = set(record.accepted)
    given = {(name, row["hit_id"], row["worker_id"]) for name, row in rows.items()}
    assert not told - given, "an assignment was given to somebody whose it is not"
    kept = [row for row in rows.values() if row["state"] not in {"Returned", "Abandoned"}]
    pairs = collections.Counter((row["hit_id"], row["worker_id"]) for row in kept)
    assert max(pairs.values()) == 1, "one HIT given twice to one worker"
    assert max(collections.Counter(row["hit_id"] for row in kept).values()) <= ASSIGNMENTS
    submitted = {name: row for name, row in rows.items() if row["state"] == "Submitted"}
    lost = record.answers.keys() - submitted.keys()
    assert not lost, f"{len(lost)} answers lost"
    for name, (hit, worker, answer) in record.answers.items():
        row = submitted[name]
        assert (row["hit_id"], row["worker_id"]) == (hit, worker)
        assert answers.fields(row["answer"])["answer"] == answer
    assert {rows[name]["state"] for name in record.returned} <= {"Returned"}


@pytest.fixture
def served(database: str) -> Iterator[service.Service]:
    made = connect.open_service(database)
    keys.add(made.store, "lab")
    yield made
    made.store.close()


@pytest.fixture
def server(served: service.Service, database: str) -> Iterator[Server]:
    del served  # it has made the key that the server demands
    made = Server(database)
    yield made
    made.stop()


@pytest.mark.load
@pytest.mark.timeout(SECONDS + 600)
def test_two_hundred_people_work_while_processes_are_killed(
    served: service.Service, server: Server, record_property: Callable[[str, object], None]
) -> None:
    # More than they can do.
    publish(served, 100 + int(SECONDS * PEOPLE / SECONDS_EACH / ASSIGNMENTS * 1.2))
    first, *others = add_people(served, PEOPLE)

    alone = people.Record()
    one = people.Person(server.url, first, 0, alone, ALONE_PAUSE_SECONDS)
    asyncio.run(people.crowd([one], ALONE_SECONDS))
    check(served, alone)

    record = people.Record()
    everybody = [
        people.Person(server.url, worker_id, number, record, PAUSE_SECONDS)
        for number, worker_id in enumerate([first, *others])
    ]
    asyncio.run(_work(everybody, server))
    check(served, record)

    assert record.breaks > 0, "nobody noticed that processes were killed"
    slower = record.slow_seconds() / alone.slow_seconds()
    record_property(
        FIGURES,
        f"{PEOPLE} people, {SECONDS:.0f} s: {len(record.seconds):,} pages, "
        f"{len(record.answers):,} assignments submitted, {len(record.returned):,} returned, "
        f"{record.breaks} broken requests; 95th percentile of a page "
        f"{record.slow_seconds():.3f} s, {slower:.1f} times that of one person alone",
    )
    assert slower < MOST_TIMES_SLOWER


async def _work(everybody: list[people.Person], server: Server) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(people.crowd(everybody, SECONDS, coming_seconds=COMING_SECONDS))
        group.create_task(disturb(server, SECONDS))
