"""What ends an upload besides a kill, and going on from there."""

from __future__ import annotations

import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from tests.reliability import harness
from tests.reliability.conftest import Make
from turkbatch.actions import settle
from turkbatch.batch import directory, layout

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

DAY_AND_MORE_SECONDS = 25 * 3600
MANY = 60


@pytest.fixture
def create(at_server: str, definition: Path, tmp_path: Path) -> tuple[object, ...]:
    """The command; the data file is to be written yet."""
    del at_server
    data = tmp_path / "rows.jsonl"
    return ("create-batch", definition, data, tmp_path, "--batch-id", "b", "--yes")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return harness.write_rows(tmp_path / "rows.jsonl", 5)


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    return tmp_path / "batch-b"


@pytest.mark.parametrize("lag", ["", "lag=30"], ids=["listed at once", "listed late"])
@pytest.mark.parametrize("number", [3, 5, 7])
def test_an_upload_is_resumed_when_its_tokens_have_run_out(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    rows: Path,
    batch: Path,
    number: int,
    lag: str,
) -> None:
    served.faults.load(lag)
    assert harness.killed_at_request(served, number, "after", *create)
    served.clock.advance(DAY_AND_MORE_SECONDS)
    run(*create)
    served.faults.clear()
    harness.check_created(served, client, batch, rows, money=False)


def test_a_request_too_new_to_be_listed_is_waited_for_when_its_token_is_old(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    rows: Path,
    batch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert harness.killed_at_request(served, 3, "before", *create)
    served.clock.advance(DAY_AND_MORE_SECONDS)
    served.faults.load("lag=2")
    # The HIT type is known by now: the first listing and the balance come before.
    assert harness.killed_at_request(served, 3, "after", "resume-batch", batch)
    monkeypatch.setattr(settle, "LISTING_LAG", timedelta(seconds=4))
    run("resume-batch", batch)
    served.faults.clear()
    harness.check_created(served, client, batch, rows, money=False)


@pytest.mark.parametrize("killed", [False, True], ids=["complete", "killed half-way"])
def test_a_batch_made_anew_under_the_same_id_adopts_nobodys_hits(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    rows: Path,
    batch: Path,
    killed: bool,
) -> None:
    if killed:
        assert harness.killed_at_request(served, 7, "after", *create)
    else:
        run(*create)
    others = len(harness.listed(client))
    assert others >= 1
    shutil.rmtree(batch)
    rows.write_text("".join(f'{{"word": "another{number}."}}\n' for number in range(5)))
    run(*create)
    harness.check_created(served, client, batch, rows, others=others)


def test_a_journal_may_end_at_any_byte(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    rows: Path,
    batch: Path,
) -> None:
    run(*create)
    journal = batch / layout.UPLOADS
    whole = journal.read_bytes()
    ends = [number + 1 for number, byte in enumerate(whole) if byte == ord("\n")]
    for end in ends:
        for cut in (end, end - 1, end - 30):
            journal.write_bytes(whole[:cut])
            (batch / layout.INCOMPLETE).unlink(missing_ok=True)
            run("resume-batch", batch)
            harness.check_created(served, client, batch, rows)


def test_a_torn_last_line_is_followed_by_whole_ones(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    rows: Path,
    batch: Path,
) -> None:
    assert harness.killed_at_request(served, 4, "after", *create)
    with (batch / layout.UPLOADS).open("ab") as file:
        file.write(b'{"event": "created", "row": 1, "hit_id": "3TORN')
    run(*create)
    harness.check_created(served, client, batch, rows)


@pytest.mark.parametrize("disk_bytes", [100, 3000, 4500])
def test_a_full_disk_loses_and_doubles_nothing(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    batch: Path,
    tmp_path: Path,
    disk_bytes: int,
) -> None:
    rows = harness.write_rows(tmp_path / "rows.jsonl", 30)
    code, _, err = harness.finish(
        harness.start(*create, PYTHONPATH=str(harness.STARTUP), DISK_BYTES=str(disk_bytes))
    )
    assert code == (1 if disk_bytes == 100 else 4), err
    assert "File too large" in err
    assert "Traceback" not in err
    if disk_bytes == 100:
        assert not batch.exists()
        assert harness.listed(client) == []
    run(*create)
    harness.check_created(served, client, batch, rows)


def test_a_full_disk_while_saving_loses_nothing(
    client: MTurkClient, published: Make, run: Run
) -> None:
    batch = published("b", state="approved")
    code, _, err = harness.finish(
        harness.start("save-batch", batch, PYTHONPATH=str(harness.STARTUP), DISK_BYTES="1000")
    )
    assert code == 4, err
    run("save-batch", batch)
    harness.check_saved(client, batch)


@pytest.mark.parametrize("moment", harness.MOMENTS)
def test_an_interrupt_records_what_was_in_flight(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    batch: Path,
    tmp_path: Path,
    moment: harness.Moment,
) -> None:
    rows = harness.write_rows(tmp_path / "rows.jsonl", MANY)
    served.faults.load("latency=0.05")
    served.arm(20, moment, signal.SIGINT)
    process = harness.start(*create)
    served.target(process)
    code, _, err = harness.finish(process)
    served.disarm()
    served.faults.clear()
    assert code == 130, err
    assert "Interrupted" in err
    so_far = directory.open_batch(batch)
    assert not so_far.uploads().open
    assert 0 < len(so_far.hit_ids()) < MANY
    assert sorted(so_far.hit_ids()) == sorted(one["HITId"] for one in harness.listed(client))
    run(*create)
    harness.check_created(served, client, batch, rows)


def test_a_second_command_on_a_batch_is_refused_until_the_first_has_died(
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    create: tuple[object, ...],
    rows: Path,
    batch: Path,
) -> None:
    served.faults.load("CreateHITWithHITType:hang-before")
    first = harness.start(*create)
    try:
        harness.until(lambda: served.faults.calls().get("CreateHITWithHITType", 0) > 0)
        for command in (create, ("resume-batch", batch), ("save-batch", batch)):
            said = run(*command, code=1)
            assert f"process {first.pid} is working on this batch" in said.stderr
        run("status-batch", batch)
    finally:
        first.kill()
        harness.finish(first)
    served.faults.clear()
    run(*create)
    harness.check_created(served, client, batch, rows)
