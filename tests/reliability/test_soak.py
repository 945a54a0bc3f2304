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
from turkbatch.server import faults, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_mturk.client import MTurkClient

HITS = 2000
EACH = " ".join(f"*:{kind}%0.05" for kind in faults.KINDS if kind != "funds") + " lag=2"
"""A third of the calls fail."""
WITHOUT_FUNDS = f"CreateHITWithHITType:funds%0.05 {EACH}"
TIMEOUT_SECONDS = 0.5
MOST_RUNS = 10
"""One call in two thousand fails eight times in a row, and is left to the next run."""
MOST_REFUSED_RUNS = 400
"""An upload stops at the first refusal: after some twenty HITs, where one in twenty is refused."""


def until_done(command: Callable[[], object], most_runs: int = MOST_RUNS) -> None:
    """Run a command again as long as some of its calls fail."""
    for _ in range(most_runs):
        try:
            command()
        except errors.PartialError:
            continue
        return
    raise AssertionError(f"not done after {most_runs} runs")


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_two_thousand_hits_survive_all_faults_at_once(
    served: service.Service, mturk: str, definition: Path, client: MTurkClient, tmp_path: Path
) -> None:
    rows = harness.write_rows(tmp_path / "rows.jsonl", HITS)
    patient = clients.create(environments.at(mturk), timeout_seconds=TIMEOUT_SECONDS)
    batch = tmp_path / "batch-b"
    # A second assignment of each would be nothing but more of the same approvals.
    (definition / "hitproperties.json").write_text('{"LifetimeInSeconds": 3600}')

    served.faults.load(WITHOUT_FUNDS)
    until_done(
        lambda: actions.create_batch(patient, definition, rows, tmp_path, batch_id="b"),
        MOST_REFUSED_RUNS,
    )
    served.faults.clear()
    harness.check_created(served, client, batch, rows)
    harness.work(served, directory.open_batch(batch).hit_ids())

    served.faults.load(EACH)
    until_done(lambda: actions.review_batch(patient, batch, approve_all=True))
    until_done(lambda: actions.save_batch(patient, batch))
    served.faults.clear()
    harness.check_approved(served, client, batch)
    harness.check_saved(client, batch)

    served.faults.load(EACH)
    until_done(lambda: actions.expire_batch(patient, batch))
    until_done(lambda: actions.delete_batch(patient, batch))
    served.faults.clear()
    harness.check_deleted(client, batch)
