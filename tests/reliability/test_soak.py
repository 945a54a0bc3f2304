"""Two thousand HITs while every kind of fault falls on one call in twenty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reliability import harness
from turkbatch import actions, errors
from turkbatch.batch import directory
from turkbatch.mturk import client as clients
from turkbatch.mturk import environments
from turkbatch.server import service

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_mturk.client import MTurkClient

HITS = 2000
SHARES = " ".join(
    f"*:{kind}%0.05" for kind in ("throttle", "500", "503", "reset-before", "reset-after")
)
HANGS = " *:hang-before%0.01 *:hang-after%0.01"
TIMEOUT_SECONDS = 0.5
MOST_RUNS = 5


def until_done(command: Callable[[], object]) -> int:
    """Run a command again as long as some of its calls fail; give how often it ran.

    With a quarter of the calls failing, one in sixty thousand fails eight times in a row.
    """
    for number in range(1, MOST_RUNS + 1):
        try:
            command()
        except errors.PartialError:
            continue
        return number
    raise AssertionError(f"not done after {MOST_RUNS} runs")


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_two_thousand_hits_survive_all_faults_at_once(
    served: service.Service, mturk: str, definition: Path, client: MTurkClient, tmp_path: Path
) -> None:
    rows = harness.write_rows(tmp_path / "rows.jsonl", HITS)
    patient = clients.create(environments.at(mturk), timeout_seconds=TIMEOUT_SECONDS)
    batch = tmp_path / "batch-b"

    served.faults.load(SHARES + HANGS)
    until_done(lambda: actions.create_batch(patient, definition, rows, tmp_path, batch_id="b"))
    served.faults.clear()
    harness.check_created(served, client, batch, rows)
    harness.work(served, directory.open_batch(batch).hit_ids())

    served.faults.load(SHARES + HANGS)
    until_done(lambda: actions.review_batch(patient, batch, approve_all=True))
    until_done(lambda: actions.save_batch(patient, batch))
    served.faults.clear()
    harness.check_approved(served, client, batch)
    harness.check_saved(client, batch)

    served.faults.load(SHARES + HANGS)
    until_done(lambda: actions.expire_batch(patient, batch))
    until_done(lambda: actions.delete_batch(patient, batch))
    served.faults.clear()
    harness.check_deleted(client, batch)
