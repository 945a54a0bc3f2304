from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from turkbatch.batch import directory
from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient


def test_a_worker_who_could_not_submit_is_paid_once(
    run: Run, mturk: str, client: MTurkClient, served: service.Service
) -> None:
    command: tuple[str, ...] = (
        "compensate-workers",
        "AUNLUCKY",
        "--amount",
        "2.50",
        "-r",
        "The page & all broke.",
    )
    command += ("--endpoint-url", mturk)
    refused = run(*command, stdin="n\n", code=1)
    assert "Make 1 HIT of $2.50 in custom" in refused.stderr
    assert "for $3.00 with MTurk's fees?" in refused.stderr
    made = run(*command, stdin="y\n")
    again = run(*command)
    assert again.stdout == made.stdout
    assert "0 HITs made now, 1 before." in again.stderr
    [hit_id] = directory.open_batch(Path(made.stdout.strip())).hit_ids()
    with pytest.raises(worker.WorkerError):
        worker.accept(served, hit_id, "AOTHER")
    assignment_id = worker.accept(served, hit_id, "AUNLUCKY")
    worker.submit(served, assignment_id, "AUNLUCKY", [("received", "yes")])
    run("server", "clock", "+1m")
    assignment = client.get_assignment(AssignmentId=assignment_id)["Assignment"]
    assert assignment["AssignmentStatus"] == "Approved"
    run("save-batch", made.stdout.strip())


def test_each_worker_has_a_batch_of_their_own(run: Run) -> None:
    command = ("compensate-workers", "--amount", "1", "-r", "Sorry", "--local", "--yes")
    first = run(*command, "A1").stdout.split()
    both = run(*command, "A1", "A2").stdout.split()
    assert both[0] == first[0]
    assert len(set(both)) == 2


def test_an_amount_that_is_none_is_refused(run: Run) -> None:
    failed = run("compensate-workers", "A1", "--amount", "x", "-r", "Sorry", "--local", code=1)
    assert "--amount: 'x' is no amount" in failed.stderr
