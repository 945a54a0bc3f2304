"""A server that kills its client, and what must be true of a batch afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from turkbatch.batch import directory, layout, results
from turkbatch.server import crowd, protocol, service

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")
Json = Mapping[str, Any]

STARTUP = Path(__file__).parent / "startup"
"""Holds a ``sitecustomize.py`` that ends the process at a chosen fsync, or a full disk."""
PATIENCE_SECONDS = 60
REWARD_CENTS, FEE_CENTS = 10, 2
"""Of an assignment of the test's definition."""


class KillingService(service.Service):
    """A service that can kill the process whose requests it answers.

    Nothing of the service is replaced: it only ends the client before it begins, or
    after it has finished, the work of a chosen request.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lock = threading.Lock()
        self._armed = threading.Event()
        self.disarm()

    def disarm(self) -> None:
        """Kill nobody."""
        self._number, self._pid, self.seen = 0, 0, 0
        self._signal = signal.SIGKILL
        self._armed.set()

    def arm(self, number: int, moment: Moment, signal_number: int = signal.SIGKILL) -> None:
        """Send a signal at the n-th request from now on, to the process named later."""
        self._number, self._moment, self.seen = number, moment, 0
        self._signal = signal.Signals(signal_number)
        self._armed.clear()

    def target(self, process: subprocess.Popen[str]) -> None:
        """Name the process; requests wait until it is known."""
        self._pid = process.pid
        self._armed.set()

    def handle(
        self, headers: Mapping[str, str], body: bytes, *, from_network: bool = False
    ) -> protocol.Reply:
        """Answer a request, or kill who sent it."""
        self._armed.wait(PATIENCE_SECONDS)
        with self._lock:
            self.seen += 1
            chosen = self.seen == self._number
        if chosen and self._moment == "before":
            self._kill()
        reply = super().handle(headers, body, from_network=from_network)
        if chosen and self._moment == "after":
            self._kill()
        return reply

    def _kill(self) -> None:
        os.kill(self._pid, self._signal)
        if self._signal == signal.SIGKILL:
            raise service.Lost


def start(*arguments: object, **variables: str) -> subprocess.Popen[str]:
    """Start a turkbatch command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "turkbatch", *map(str, arguments)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; give its exit code and what it wrote."""
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def killed_at_request(
    served: KillingService, number: int, moment: Moment, *arguments: object
) -> bool:
    """Run a command that is killed at its n-th request; tell whether there was one."""
    served.arm(number, moment)
    process = start(*arguments)
    served.target(process)
    code, _, err = finish(process)
    served.disarm()
    assert code in {0, -signal.SIGKILL}, err
    return code != 0


def killed_at_fsync(number: int, moment: Moment, *arguments: object) -> bool:
    """Run a command that is killed at its n-th fsync; tell whether there was one."""
    code, _, err = finish(
        start(
            *arguments,
            PYTHONPATH=str(STARTUP),
            DIE_AT_FSYNC=str(number),
            DIE_WHEN=moment,
        )
    )
    assert code in {0, -signal.SIGKILL}, err
    return code != 0


def until(condition: Callable[[], bool]) -> None:
    """Wait until something has happened that tells nobody."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def write_rows(path: Path, count: int) -> Path:
    """Write rows whose words tell them apart."""
    path.write_text("".join(f'{{"word": "word{number}."}}\n' for number in range(count)))
    return path


def words(path: Path) -> list[str]:
    """Read the words of a data file."""
    return [json.loads(line)["word"] for line in path.read_text().splitlines()]


def listed(client: MTurkClient) -> list[Any]:
    """List every HIT of the requester."""
    found: list[Any] = []
    token: dict[str, Any] = {}
    while (reply := client.list_hits(MaxResults=100, **token))["HITs"]:
        found += reply["HITs"]
        token = {"NextToken": reply["NextToken"]}
    return found


def check_created(
    served: service.Service,
    client: MTurkClient,
    batch_dir: Path,
    rows: Path,
    *,
    others: int = 0,
    money: bool = True,
) -> None:
    """Hold the service's HITs against the rows: none lost, none doubled, money right.

    So many ``others`` are there besides. Expired ones hold no ``money`` any more.
    """
    batch = directory.open_batch(batch_dir)
    assert batch.info is not None
    at_service = listed(client)
    made = [
        (row, hit)
        for hit in at_service
        if (row := layout.row_of(hit["RequesterAnnotation"], batch.info.nonce)) is not None
    ]
    expected = words(rows)
    assert len(at_service) == len(expected) + others
    assert sorted(row for row, _ in made) == list(range(len(expected)))
    assert all(f"<p>{expected[row]}</p>" in hit["Question"] for row, hit in made)
    of_row = {row: hit["HITId"] for row, hit in made}
    in_order = [of_row[row] for row in range(len(expected))]
    assert batch.hit_ids() == in_order
    marker = json.loads((batch_dir / layout.INCOMPLETE).read_text())
    assert marker == {"hittype_id": batch.hit_type_id, "hit_ids": in_order}
    most = sum(hit["MaxAssignments"] for hit in at_service)
    assert not money or served.balance().held_cents == most * (REWARD_CENTS + FEE_CENTS)


def check_approved(served: service.Service, client: MTurkClient, batch_dir: Path) -> None:
    """Everything is approved and paid once."""
    batch = directory.open_batch(batch_dir)
    found = [one for hit_id in batch.hit_ids() for one in assignments(client, hit_id)]
    assert {one["AssignmentStatus"] for one in found} == {"Approved"}
    account = served.balance()
    assert account.paid_cents == len(found) * REWARD_CENTS
    assert account.fees_cents == len(found) * FEE_CENTS
    state = batch.reviews()
    assert state.done == {one["AssignmentId"]: "approve" for one in found}
    assert not state.open


def check_saved(client: MTurkClient, batch_dir: Path) -> None:
    """What is on disk is what the service has."""
    batch = directory.open_batch(batch_dir)
    for hit_id in batch.hit_ids():
        saved = batch.results.load(hit_id)
        assert saved is not None, hit_id
        assert saved.hit == results.as_json(client.get_hit(HITId=hit_id)["HIT"])
        there = [results.as_json(one) for one in assignments(client, hit_id)]
        assert sorted(saved.assignments, key=_id) == sorted(there, key=_id)
    assert not batch.incomplete


def check_expired(client: MTurkClient, batch_dir: Path) -> None:
    """Nobody can accept any of the HITs."""
    hit_ids = directory.open_batch(batch_dir).hit_ids()
    statuses = {client.get_hit(HITId=hit_id)["HIT"]["HITStatus"] for hit_id in hit_ids}
    assert statuses == {"Reviewable"}


def check_deleted(client: MTurkClient, batch_dir: Path) -> None:
    """None of the HITs is left, all of them are on record, and the results are kept."""
    batch = directory.open_batch(batch_dir)
    assert listed(client) == []
    assert batch.deleted() == set(batch.hit_ids())
    assert batch.results.all_final(batch.hit_ids())


def _id(assignment: Json) -> str:
    return str(assignment["AssignmentId"])


def assignments(client: MTurkClient, hit_id: str) -> list[Any]:
    """List a HIT's assignments, of which there are few."""
    return list(client.list_assignments_for_hit(HITId=hit_id, MaxResults=100)["Assignments"])


def work(served: service.Service, hit_ids: Iterable[str]) -> None:
    """Have simulated workers do every assignment of some HITs."""
    crowd.work(served, hit_ids=list(hit_ids), workers=10)
