"""Every fault at every operation that a command sends.

A fault that passes must not be noticed but for the time it takes; one that stays must end
in exit 4, with what is done on disk and what is left named; once it is mended, the same
command finishes the work. Whatever happens, each row has one HIT, each payment is made once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from tests.reliability import harness
from turkbatch import connect
from turkbatch.batch import directory
from turkbatch.mturk import calls
from turkbatch.server import faults, service

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet
    from mypy_boto3_mturk.client import MTurkClient

ROWS = 3
OPERATIONS = {
    "create-batch": ("GetAccountBalance", "CreateHITType", "CreateHITWithHITType"),
    "resume-batch": ("ListHITs", "CreateHITWithHITType"),
    "status-batch": ("ListHITs",),
    "review-batch": ("ListHITs", "ListAssignmentsForHIT", "ApproveAssignment"),
    "save-batch": ("ListHITs", "ListAssignmentsForHIT"),
    "expire-batch": ("ListHITs", "UpdateExpirationForHIT"),
    "delete-batch": ("ListHITs", "DeleteHIT"),
}
"""What each command sends."""
PASSING = tuple(kind for kind in faults.KINDS if kind != "funds")
CASES = [(command, one) for command, operations in OPERATIONS.items() for one in operations]
CHANGING = (
    ("create-batch", "CreateHITWithHITType"),
    ("review-batch", "ApproveAssignment"),
    ("save-batch", "ListAssignmentsForHIT"),
    ("expire-batch", "UpdateExpirationForHIT"),
    ("delete-batch", "DeleteHIT"),
)
HANGS = ("hang-before", "hang-after")


def every(cases: Sequence[tuple[str, str]], kinds: Sequence[str]) -> list[ParameterSet]:
    """Pair cases with kinds; what costs money meets each kind always, the rest in the soak.

    Outside the soak each case still meets one kind, and each kind some cases.
    """
    return [
        pytest.param(
            command,
            operation,
            kind,
            marks=()
            if (command, operation) == CHANGING[0] or (number + turn) % len(kinds) == 0
            else pytest.mark.soak,
        )
        for number, (command, operation) in enumerate(cases)
        for turn, kind in enumerate(kinds)
    ]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as often as ever between tries, but less long."""
    monkeypatch.setattr(calls, "BACKOFF_SECONDS", 0.002)
    monkeypatch.setattr(calls, "THROTTLED_BACKOFF_SECONDS", 0.002)
    monkeypatch.setattr(calls, "THROTTLED_PATIENCE_SECONDS", 0.2)


@pytest.fixture
def client(served: harness.KillingService, monkeypatch: pytest.MonkeyPatch) -> MTurkClient:
    """A client of the embedded server; commands meet the same one, with its faults."""
    monkeypatch.setattr(connect, "open_service", lambda *_, **__: served)
    return connect.client(local=True)


class Life:
    """A batch on the embedded server, brought to where a command has something to do."""

    def __init__(
        self, run: Run, served: service.Service, client: MTurkClient, definition: Path, path: Path
    ) -> None:
        self.run, self.served, self.client = run, served, client
        self.definition = definition
        self.data = harness.write_rows(path / "rows.jsonl", ROWS)
        self.batch = path / "batch-b"

    def arguments(self, command: str) -> tuple[object, ...]:
        if command == "create-batch":
            where = (self.definition, self.data, self.batch.parent)
            return (command, *where, "--local", "--batch-id", "b", "--yes")
        if command == "review-batch":
            return (command, self.batch, "--approve-all", "--yes")
        return (command, self.batch)

    def prepare(self, command: str) -> None:
        if command == "create-batch":
            return
        if command == "resume-batch":
            self.served.faults.load("CreateHITWithHITType:reset-before@2+")
            self.run(*self.arguments("create-batch"), code=4)
            self.served.faults.clear()
            return
        self.run(*self.arguments("create-batch"))
        if command in {"review-batch", "save-batch", "delete-batch"}:
            harness.work(self.served, directory.open_batch(self.batch).hit_ids())
        if command in {"save-batch", "delete-batch"}:
            self.run(*self.arguments("review-batch"))
        if command == "delete-batch":
            self.run(*self.arguments("save-batch"))

    def check(self, command: str) -> None:
        if command in {"create-batch", "resume-batch"}:
            harness.check_created(self.served, self.client, self.batch, self.data)
        elif command == "review-batch":
            harness.check_approved(self.served, self.client, self.batch)
        elif command == "save-batch":
            harness.check_saved(self.client, self.batch)
        elif command == "expire-batch":
            harness.check_expired(self.client, self.batch)
        elif command == "delete-batch":
            harness.check_deleted(self.client, self.batch)


@pytest.fixture
def life(
    run: Run, served: harness.KillingService, client: MTurkClient, definition: Path, tmp_path: Path
) -> Life:
    return Life(run, served, client, definition, tmp_path)


@pytest.mark.parametrize(("command", "operation", "kind"), every(CASES, PASSING))
def test_a_fault_that_passes_does_no_harm(
    life: Life, command: str, operation: str, kind: str
) -> None:
    life.prepare(command)
    life.served.faults.load(f"{operation}:{kind}@1-2")
    life.served.faults.reset_calls()
    life.run(*life.arguments(command))
    assert life.served.faults.calls()[operation] > 2
    life.served.faults.clear()
    life.check(command)


@pytest.mark.parametrize(("command", "operation", "kind"), every(CASES, faults.KINDS))
def test_a_fault_that_stays_ends_in_exit_4_and_the_command_can_be_run_again(
    life: Life, command: str, operation: str, kind: str
) -> None:
    life.prepare(command)
    life.served.faults.load(f"{operation}:{kind}")
    # An account that can't tell its balance may still pay.
    unasked = operation == "GetAccountBalance" and kind == "funds"
    said = life.run(*life.arguments(command), code=0 if unasked else 4)
    assert unasked or operation in said.stderr
    life.served.faults.clear()
    life.run(*life.arguments(command))
    life.check(command)


@pytest.mark.parametrize(("command", "operation", "kind"), every(CHANGING, faults.KINDS))
def test_a_fault_that_sets_in_half_way_leaves_the_first_half_on_disk(
    life: Life, command: str, operation: str, kind: str
) -> None:
    life.prepare(command)
    life.served.faults.load(f"{operation}:{kind}@2+")
    said = life.run(*life.arguments(command), "--concurrency", "1", code=4)
    batch = directory.open_batch(life.batch)
    if command == "create-batch":
        assert len(batch.hit_ids()) == 1
        assert "rows left: 2-3" in said.stderr
    elif command == "review-batch":
        assert len(batch.reviews().done) == 1
    elif command == "delete-batch":
        assert len(batch.deleted()) == 1
    elif command == "save-batch":
        assert sum(batch.results.is_final(one) for one in batch.hit_ids()) == 1
    life.served.faults.clear()
    life.run(*life.arguments(command))
    life.check(command)


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=pytest.mark.soak if one in HANGS else ()) for one in PASSING]
)
def test_a_real_process_gets_over_a_fault(
    kind: str,
    served: harness.KillingService,
    mturk: str,
    definition: Path,
    tmp_path: Path,
) -> None:
    rows = harness.write_rows(tmp_path / "rows.jsonl", ROWS)
    # The process waits half a minute for a reply that does not come: once is enough.
    tries = "1" if kind in HANGS else "1-2"
    served.faults.load(f"CreateHITWithHITType:{kind}@{tries}")
    code, out, err = harness.finish(
        harness.start(
            *("create-batch", definition, rows, tmp_path, "--yes", "--batch-id", "b"),
            AWS_ENDPOINT_URL_MTURK=mturk,
        )
    )
    assert (code, out.strip()) == (0, str(tmp_path / "batch-b")), err
    harness.check_created(served, _plain(mturk), tmp_path / "batch-b", rows)


def test_a_real_process_whose_money_runs_out_goes_on_when_there_is_more(
    served: harness.KillingService, mturk: str, definition: Path, tmp_path: Path
) -> None:
    rows = harness.write_rows(tmp_path / "rows.jsonl", ROWS)
    batch = tmp_path / "batch-b"
    served.faults.load("CreateHITWithHITType:funds@2+")
    create = ("create-batch", definition, rows, tmp_path, "--yes", "--batch-id", "b")
    code, _, err = harness.finish(harness.start(*create, AWS_ENDPOINT_URL_MTURK=mturk))
    assert code == 4
    assert "insufficient funds" in err
    assert f"turkbatch resume-batch {batch}" in err
    assert len(directory.open_batch(batch).hit_ids()) == 1
    served.faults.clear()
    resumed = harness.start("resume-batch", batch, AWS_ENDPOINT_URL_MTURK=mturk)
    code, _, err = harness.finish(resumed)
    assert code == 0, err
    harness.check_created(served, _plain(mturk), batch, rows)


def test_a_real_process_finds_hits_that_are_not_listed_yet(
    served: harness.KillingService, mturk: str, definition: Path, tmp_path: Path
) -> None:
    rows = harness.write_rows(tmp_path / "rows.jsonl", ROWS)
    served.faults.load("lag=3600")
    create = ("create-batch", definition, rows, tmp_path, "--yes", "--batch-id", "b")
    code, _, err = harness.finish(harness.start(*create, AWS_ENDPOINT_URL_MTURK=mturk))
    assert code == 0, err
    status = ("status-batch", tmp_path / "batch-b", "--json")
    code, out, err = harness.finish(harness.start(*status, AWS_ENDPOINT_URL_MTURK=mturk))
    assert code == 0, err
    assert json.loads(out)["hit_status_counts"]["Assignable"] == ROWS
    assert served.faults.calls()["GetHIT"] == ROWS


def _plain(url: str) -> MTurkClient:
    return connect.client(endpoint_url=url)
