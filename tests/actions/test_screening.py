from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Run
from turkbatch.batch import directory
from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient


@pytest.fixture
def pilot(run: Run, mturk: str, definition: Path, rows: Path) -> str:
    """A batch on which six workers have worked."""
    made = run(
        "create-batch",
        definition,
        rows,
        ".",
        "--yes",
        "--batch-id",
        "pilot",
        "--endpoint-url",
        mturk,
    )
    path: str = made.stdout.strip()
    run("server", "work", path, "--workers", 6)
    return path


def _workers(client: MTurkClient, batch: str) -> collections.Counter[str]:
    return collections.Counter(
        one["WorkerId"]
        for hit_id in directory.open_batch(Path(batch)).hit_ids()
        for one in client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    )


def _requirements(client: MTurkClient, batch: str) -> list[tuple[str, str]]:
    hit_id = directory.open_batch(Path(batch)).hit_ids()[0]
    return [
        (one["Comparator"], one["ActionsGuarded"])
        for one in client.get_hit(HITId=hit_id)["HIT"]["QualificationRequirements"]
    ]


def _create(run: Run, mturk: str, definition: Path, rows: Path, *options: Any) -> str:
    made = run("create-batch", definition, rows, ".", "--yes", "--endpoint-url", mturk, *options)
    path: str = made.stdout.strip()
    return path


def test_workers_of_an_earlier_batch_are_kept_out(
    run: Run, mturk: str, definition: Path, rows: Path, client: MTurkClient, pilot: str
) -> None:
    batch = _create(run, mturk, definition, rows, "--exclude", pilot)
    assert _requirements(client, batch) == [("DoesNotExist", "DiscoverPreviewAndAccept")]
    run("server", "work", batch, "--workers", 12)
    assert _workers(client, batch)
    assert not set(_workers(client, batch)) & set(_workers(client, pilot))


def test_only_workers_of_an_earlier_batch_are_let_in(
    run: Run, mturk: str, definition: Path, rows: Path, client: MTurkClient, pilot: str
) -> None:
    batch = _create(run, mturk, definition, rows, "--only", pilot)
    assert _requirements(client, batch) == [("Exists", "DiscoverPreviewAndAccept")]
    run("server", "work", batch, "--workers", 12)
    assert _workers(client, batch)
    assert set(_workers(client, batch)) <= set(_workers(client, pilot))


def test_whoever_has_done_enough_is_kept_out_once_it_is_saved(
    run: Run, mturk: str, definition: Path, rows: Path, served: service.Service
) -> None:
    batch = _create(run, mturk, definition, rows, "--max-hits-per-worker", 2)
    hit_ids = directory.open_batch(Path(batch)).hit_ids()
    for hit_id in hit_ids[:2]:
        assignment_id = worker.accept(served, hit_id, "AKEEN")
        worker.submit(served, assignment_id, "AKEEN", [("colour", "blue")])
    run("save-batch", batch, code=3)
    with pytest.raises(worker.WorkerError, match="ualification"):
        worker.accept(served, hit_ids[2], "AKEEN")
    worker.accept(served, hit_ids[2], "AOTHER")
    assert worker.messages(served, "AKEEN") == []


def test_who_comes_to_an_earlier_batch_later_is_kept_out_too(
    run: Run, mturk: str, definition: Path, rows: Path, served: service.Service, pilot: str
) -> None:
    late = _create(run, mturk, definition, rows, "--batch-id", "late")
    batch = _create(run, mturk, definition, rows, "--exclude", pilot, "--exclude", late)
    [hit_id, *_] = directory.open_batch(Path(late)).hit_ids()
    assignment_id = worker.accept(served, hit_id, "ALATE")
    worker.submit(served, assignment_id, "ALATE", [("colour", "blue")])
    run("save-batch", batch, code=3)
    with pytest.raises(worker.WorkerError, match="ualification"):
        worker.accept(served, directory.open_batch(Path(batch)).hit_ids()[0], "ALATE")


@pytest.mark.parametrize(
    "fault",
    [
        "CreateQualificationType:reset-after@1",
        "AssociateQualificationWithWorker:reset-after%0.5",
        "CreateHITType:reset-after@1",
    ],
)
def test_a_lost_reply_makes_no_second_type(
    run: Run,
    mturk: str,
    definition: Path,
    rows: Path,
    client: MTurkClient,
    served: service.Service,
    pilot: str,
    fault: str,
) -> None:
    served.faults.load(fault)
    _create(run, mturk, definition, rows, "--exclude", pilot)
    listed = client.list_qualification_types(MustBeRequestable=False, MustBeOwnedByCaller=True)
    assert len(listed["QualificationTypes"]) == 1


def test_the_same_rules_resume_and_others_are_refused(
    run: Run, mturk: str, definition: Path, rows: Path, pilot: str
) -> None:
    named = ("--batch-id", "main", "--exclude", pilot)
    first = _create(run, mturk, definition, rows, *named)
    assert _create(run, mturk, definition, rows, *named) == first
    refused = run(
        *("create-batch", definition, rows, ".", "--yes", "--endpoint-url", mturk),
        *("--batch-id", "main", "--only", pilot),
        code=1,
    )
    assert "was made with another --exclude, --only" in refused.stderr


def test_a_batch_of_elsewhere_says_nothing_about_workers_here(
    run: Run, definition: Path, rows: Path, pilot: str
) -> None:
    refused = run("create-batch", definition, rows, "--yes", "--local", "--only", pilot, code=1)
    assert "workers have other ids elsewhere" in refused.stderr


def test_rules_that_would_be_too_many_are_refused(
    run: Run, mturk: str, definition: Path, rows: Path, pilot: str
) -> None:
    path = definition / "hittypeproperties.json"
    properties = json.loads(path.read_text())
    properties["QualificationRequirements"] = [
        {"QualificationTypeId": "@Adult", "Comparator": "EqualTo", "IntegerValues": [1]}
    ] * 10
    path.write_text(json.dumps(properties))
    refused = run(
        *("create-batch", definition, rows, "--yes", "--endpoint-url", mturk, "--only", pilot),
        code=1,
    )
    assert "MTurk takes 10: take some out" in refused.stderr


def test_deleting_a_batch_deletes_its_types(
    run: Run, mturk: str, definition: Path, rows: Path, client: MTurkClient, pilot: str
) -> None:
    batch = _create(run, mturk, definition, rows, "--exclude", pilot)
    run("expire-batch", batch)
    run("save-batch", batch)
    run("delete-batch", batch)
    listed = client.list_qualification_types(MustBeRequestable=False, MustBeOwnedByCaller=True)
    assert listed["QualificationTypes"] == []


def test_names_are_resolved_once_and_recorded(
    run: Run, mturk: str, definition: Path, rows: Path, tmp_path: Path, client: MTurkClient
) -> None:
    quality = tmp_path / "quality"
    quality.mkdir()
    (quality / "qualificationtypeproperties.json").write_text(
        '{"Name": "Eyes", "Description": "Sees.", "QualificationTypeStatus": "Active"}'
    )
    made = run("create-qualificationtype", quality, "types", "--endpoint-url", mturk)
    type_dir = made.stdout.strip()
    type_id = Path(type_dir).name.removeprefix("qualification-type-")
    path = definition / "hittypeproperties.json"
    properties = json.loads(path.read_text())
    properties["QualificationRequirements"] = [
        {"QualificationTypeId": name, "Comparator": "GreaterThan", "IntegerValues": [1]}
        for name in ("@Eyes", f"@{type_dir}", f"@../{type_dir}", "@NumberHITsApproved")
    ]
    path.write_text(json.dumps(properties))
    batch = _create(run, mturk, definition, rows)
    assert json.loads(Path(batch, "batch.json").read_text())["qualifications"] == {
        "@Eyes": type_id,
        f"@{type_dir}": type_id,
        f"@../{type_dir}": type_id,
        "@NumberHITsApproved": "00000000000000000040",
    }
    [hit, *_] = client.list_hits()["HITs"]
    ids = [one["QualificationTypeId"] for one in hit["QualificationRequirements"]]
    assert ids == [type_id, type_id, type_id, "00000000000000000040"]
