from __future__ import annotations

import concurrent.futures
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from turkbatch.server import service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

_ACCEPT = """
import sys
from turkbatch.server import store, worker
path, hit_id, prefix, count = sys.argv[1:]
with store.Store.open(path) as opened:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        try:
            print(worker.accept(opened, hit_id, f"{prefix}{number}"), flush=True)
        except worker.WorkerError:
            pass
"""


def test_offers_are_open_hits_that_the_worker_has_not_had(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    done, held, free, expired, returned = (make_hit(MaxAssignments=2) for _ in range(5))
    worker.submit(served, worker.accept(served, done, "A1"), "A1", [])
    worker.accept(served, held, "A1")
    worker.return_hit(served, worker.accept(served, returned, "A1"), "A1")
    inside.update_expiration_for_hit(HITId=expired, ExpireAt="1970-01-01")

    assert [offer.hit_id for offer in worker.offers(served, "A1")] == [free, returned]
    assert [offer.hit_id for offer in worker.offers(served, "A2")] == [done, held, free, returned]
    hit = inside.get_hit(HITId=free)["HIT"]
    assert worker.offers(served, "A1")[0] == worker.Offer(
        hit_id=free,
        hit_type_id=hit["HITTypeId"],
        hit_group_id=hit["HITGroupId"],
        title="Name the colour",
        description="Look at a picture and name its colour.",
        reward_cents=5,
        assignment_duration_seconds=600,
        available=2,
        expires_at=int(hit["Expiration"].timestamp()),
    )


def test_accepting_again_gives_the_same_assignment(
    served: service.Service, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit()

    assert worker.accept(served, hit_id, "A1") == worker.accept(served, hit_id, "A1")


def test_a_returned_hit_may_be_accepted_again(
    served: service.Service, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit()
    first = worker.accept(served, hit_id, "A1")
    worker.return_hit(served, first, "A1")

    assert worker.accept(served, hit_id, "A1") != first


def test_a_hit_that_cannot_be_accepted_is_refused(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    done, full, expired = make_hit(MaxAssignments=2), make_hit(), make_hit()
    worker.submit(served, worker.accept(served, done, "A1"), "A1", [])
    worker.accept(served, full, "A2")
    inside.update_expiration_for_hit(HITId=expired, ExpireAt="1970-01-01")

    with pytest.raises(worker.WorkerError, match=f"A1 has already submitted HIT {done}"):
        worker.accept(served, done, "A1")
    with pytest.raises(worker.WorkerError, match=f"HIT {full} has no assignment left"):
        worker.accept(served, full, "A1")
    with pytest.raises(worker.WorkerError, match=f"HIT {expired} .* has expired"):
        worker.accept(served, expired, "A1")
    with pytest.raises(worker.WorkerError, match="There is no HIT 3XYZ"):
        worker.accept(served, "3XYZ", "A1")
    with pytest.raises(worker.WorkerError, match='"worker 1" is no worker id'):
        worker.accept(served, make_hit(), "worker 1")


def test_work_is_submitted_once_and_by_its_worker(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit()
    assignment_id = worker.accept(served, hit_id, "A1")

    with pytest.raises(worker.WorkerError, match=f"A2 has no assignment {assignment_id}"):
        worker.submit(served, assignment_id, "A2", [("x", "theirs")])
    worker.submit(served, assignment_id, "A1", [("x", "first")])
    with pytest.raises(worker.WorkerError, match="any more: it is submitted"):
        worker.submit(served, assignment_id, "A1", [("x", "second")])
    with pytest.raises(worker.WorkerError, match="any more: it is submitted"):
        worker.return_hit(served, assignment_id, "A1")
    answer = inside.get_assignment(AssignmentId=assignment_id)["Assignment"]["Answer"]
    assert "<FreeText>first</FreeText>" in answer


def test_work_counts_until_its_deadline(
    served: service.Service, make_hit: Callable[..., str]
) -> None:
    in_time = worker.accept(served, make_hit(), "A1")
    served.clock.advance(590)
    worker.submit(served, in_time, "A1", [])
    late = worker.accept(served, make_hit(), "A1")
    served.clock.advance(600)

    with pytest.raises(worker.WorkerError, match="it is abandoned"):
        worker.submit(served, late, "A1", [])
    states = [worker.task(served, one).state for one in (in_time, late)]
    assert states == ["Submitted", "Abandoned"]


def test_a_hit_is_never_accepted_more_often_than_it_has_assignments(
    database: store.Store,
    database_name: str,
    make_hit: Callable[..., str],
    inside: MTurkClient,
) -> None:
    """Eight threads here and two processes beside them want twelve assignments."""
    hit_id = make_hit(MaxAssignments=12)
    command = [sys.executable, "-c", _ACCEPT, database_name, hit_id]
    others = [
        subprocess.Popen(
            [*command, prefix, "10"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for prefix in ("AX", "AY")
    ]
    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"

    def accept(number: int) -> str | None:
        try:
            return worker.accept(database, hit_id, f"A{number}")
        except worker.WorkerError:
            return None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for other in others:
            assert other.stdin is not None
            other.stdin.write("go\n")
            other.stdin.flush()
        taken = [one for one in pool.map(accept, range(16)) if one]
    for other in others:
        output, _ = other.communicate()
        assert other.returncode == 0
        taken += output.split()

    assert len(set(taken)) == len(taken) == 12
    hit = inside.get_hit(HITId=hit_id)["HIT"]
    assert (hit["HITStatus"], hit["NumberOfAssignmentsPending"]) == ("Unassignable", 12)


def test_simultaneous_requests_with_one_token_make_one_hit(
    make_hit: Callable[..., str], inside: MTurkClient
) -> None:
    def create(_: int) -> str | None:
        try:
            return make_hit(UniqueRequestToken="t")
        except inside.exceptions.RequestError:
            return None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = [one for one in pool.map(create, range(16)) if one]

    assert [hit["HITId"] for hit in inside.list_hits()["HITs"]] == made
