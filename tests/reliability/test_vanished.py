"""One HIT that is gone, or that fails alone, never stops the work on the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from tests.reliability import harness
from tests.reliability.conftest import Make
from turkbatch import actions, connect
from turkbatch.batch import directory

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Vanish = Callable[[Path], str]


@pytest.fixture
def vanish(client: MTurkClient) -> Vanish:
    """Delete the second HIT of a batch behind its back, work and all."""

    def delete(batch: Path) -> str:
        hit_id = directory.open_batch(batch).hit_ids()[1]
        client.update_expiration_for_hit(HITId=hit_id, ExpireAt="0")
        for one in harness.assignments(client, hit_id):
            if one["AssignmentStatus"] == "Submitted":
                client.approve_assignment(AssignmentId=one["AssignmentId"])
        client.delete_hit(HITId=hit_id)
        return hit_id

    return delete


def test_a_vanished_hit_is_counted_by_status(published: Make, vanish: Vanish, run: Run) -> None:
    batch = published("b")
    vanish(batch)
    status = actions.status_batch(connect.client(batch_dir=batch), batch)
    assert status.hit_status_counts == {"Assignable": 2, "Disposed": 1}
    run("status-batch", batch)


def test_a_hit_that_vanished_with_its_work_is_listed_by_status(
    published: Make, vanish: Vanish, run: Run
) -> None:
    batch = published("b", state="worked")
    gone = vanish(batch)
    said = run("status-batch", batch, code=4)
    assert f"HIT {gone}: was deleted at the service before" in said.stderr
    assert "b" in said.stdout


def test_a_vanished_hit_stops_no_saving_of_the_others(
    published: Make, vanish: Vanish, run: Run
) -> None:
    batch = published("b", state="worked")
    gone = vanish(batch)
    said = run("save-batch", batch, code=4)
    first, _, third = directory.open_batch(batch).hit_ids()
    assert gone in said.stderr
    assert directory.open_batch(batch).results.hit_ids() == sorted([first, third])
    assert directory.open_batch(batch).incomplete


def test_a_hit_that_vanished_after_it_was_saved_for_good_is_no_loss(
    published: Make, vanish: Vanish, run: Run
) -> None:
    batch = published("b", state="saved")
    gone = vanish(batch)
    before = directory.open_batch(batch).results.load(gone)
    run("save-batch", batch)
    assert directory.open_batch(batch).results.load(gone) == before
    run("expire-batch", batch)
    run("delete-batch", batch)
    assert directory.open_batch(batch).deleted() == set(directory.open_batch(batch).hit_ids())


def test_a_hit_that_vanished_unworked_is_no_loss(published: Make, vanish: Vanish, run: Run) -> None:
    batch = published("b")
    vanish(batch)
    run("expire-batch", batch)
    run("save-batch", batch)
    run("delete-batch", batch)


def test_a_vanished_hit_stops_no_expiring_of_the_others(
    published: Make,
    served: harness.KillingService,
    vanish: Vanish,
    run: Run,
    client: MTurkClient,
) -> None:
    batch = published("b", rows=4)
    harness.work(served, directory.open_batch(batch).hit_ids()[:2])
    gone = vanish(batch)
    said = run("expire-batch", batch, code=4)
    assert gone in said.stderr
    statuses = [
        client.get_hit(HITId=one)["HIT"]["HITStatus"]
        for one in directory.open_batch(batch).hit_ids()
    ]
    assert statuses == ["Reviewable", "Disposed", "Reviewable", "Reviewable"]


def test_a_vanished_hit_stops_no_deleting_of_the_others(
    published: Make, vanish: Vanish, run: Run, client: MTurkClient
) -> None:
    batch = published("b", state="approved")
    gone = vanish(batch)
    run("save-batch", batch, code=4)
    said = run("delete-batch", batch, code=4)
    assert gone in said.stderr
    assert harness.listed(client) == []


def test_a_vanished_hit_stops_no_review_of_the_others(
    published: Make, vanish: Vanish, run: Run, client: MTurkClient
) -> None:
    batch = published("b", state="worked")
    vanish(batch)
    run("review-batch", batch, "--approve-all", "--yes", code=None)
    left = directory.open_batch(batch).hit_ids()
    statuses = {
        one["AssignmentStatus"]
        for hit_id in (left[0], left[2])
        for one in harness.assignments(client, hit_id)
    }
    assert statuses == {"Approved"}


@pytest.mark.parametrize(
    ("state", "command", "operation"),
    [
        ("approved", "save-batch", "ListAssignmentsForHIT"),
        ("published", "expire-batch", "UpdateExpirationForHIT"),
        ("saved", "delete-batch", "DeleteHIT"),
    ],
)
def test_a_hit_that_fails_alone_stops_no_other(
    published: Make,
    served: harness.KillingService,
    run: Run,
    state: str,
    command: str,
    operation: str,
) -> None:
    batch = published("b", rows=4, state=state)
    # With one request at a time, all tries of the first HIT fail and no others.
    served.faults.load(f"{operation}:funds@1")
    said = run(command, batch, "--concurrency", "1", code=4)
    first = directory.open_batch(batch).hit_ids()[0]
    assert first in said.stderr
    assert served.faults.calls()[operation] >= 4
    run(command, batch)


def test_a_hit_whose_work_cannot_be_read_stops_no_deleting_of_the_others(
    published: Make, served: harness.KillingService, run: Run, client: MTurkClient
) -> None:
    batch = published("b", rows=4)
    run("expire-batch", batch)
    served.faults.load("ListAssignmentsForHIT:funds@1")
    said = run("delete-batch", batch, "--concurrency", "1", code=4)
    first = directory.open_batch(batch).hit_ids()[0]
    assert first in said.stderr
    assert [hit["HITId"] for hit in harness.listed(client)] == [first]
    run("delete-batch", batch)
    assert not directory.open_batch(batch).incomplete


def test_a_vanished_hit_stops_no_expiring_and_deleting_of_the_others(
    published: Make, served: harness.KillingService, vanish: Vanish, run: Run, client: MTurkClient
) -> None:
    batch = published("b", rows=4)
    harness.work(served, directory.open_batch(batch).hit_ids()[1:2])
    gone = vanish(batch)
    said = run("delete-batch", batch, "--expire", code=4)
    assert gone in said.stderr
    assert harness.listed(client) == []


def test_a_page_that_holds_all_that_was_submitted_is_the_last_one_read(
    published: Make, served: harness.KillingService, run: Run
) -> None:
    batch = published("b", rows=3, state="worked")
    served.faults.reset_calls()
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    assert served.faults.calls()["ListAssignmentsForHIT"] == 3 + 3
