"""Batches that amti made: no ``batch.json``, the HITs' ids in ``_INCOMPLETE`` alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from tests.reliability import harness
from turkbatch.batch import directory

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

BATCH_ID = "0f0e9c5c-4a5c-4bc5-a6a6-6c5cf1e6d6ae"
QUESTION = """\
<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/\
2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[<!DOCTYPE html><html><body>
<form method="post"><input name="colour" required><input type="submit"></form>
</body></html>]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>
"""


@pytest.fixture
def batch(client: MTurkClient, at_server: str, tmp_path: Path) -> Path:
    """A batch as amti leaves it after its upload."""
    del at_server
    hit_type_id = client.create_hit_type(
        Title="Name the colour",
        Description="One word.",
        Reward="0.10",
        AssignmentDurationInSeconds=600,
        AutoApprovalDelayInSeconds=86400,
    )["HITTypeId"]
    hit_ids = [
        client.create_hit_with_hit_type(
            HITTypeId=hit_type_id,
            MaxAssignments=2,
            LifetimeInSeconds=3600,
            Question=QUESTION,
            UniqueRequestToken=f"token{number}",
            RequesterAnnotation=f"batch={BATCH_ID}",
        )["HIT"]["HITId"]
        for number in range(3)
    ]
    path = tmp_path / f"batch-{BATCH_ID}"
    (path / "definition").mkdir(parents=True)
    (path / "README").write_text("amti's\n")
    (path / "COMMIT").write_text("<none>")
    (path / "BATCHID").write_text(BATCH_ID)
    (path / "data.jsonl").write_text('{"word": "sky"}\n{"word": "grass"}\n{"word": "snow"}\n')
    (path / "definition" / "NOTES").write_text("")
    (path / "definition" / "hittypeproperties.json").write_text("{}")
    (path / "definition" / "hitproperties.json").write_text("{}")
    (path / "definition" / "question.xml.j2").write_text(QUESTION)
    marker = {"hittype_id": hit_type_id, "hit_ids": hit_ids}
    (path / "_INCOMPLETE").write_text(json.dumps(marker))
    return path


def test_a_batch_of_amtis_is_carried_to_its_end(
    batch: Path, served: harness.KillingService, client: MTurkClient, run: Run, tmp_path: Path
) -> None:
    hit_ids = directory.open_batch(batch).hit_ids()
    status = json.loads(run("status-batch", batch, "--json").stdout)
    assert status["hit_status_counts"] == {"Assignable": 3}
    run("save-batch", batch, code=3)

    harness.work(served, hit_ids)
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    harness.check_approved(served, client, batch)
    harness.check_saved(client, batch)

    out = tmp_path / "out.jsonl"
    run("extract", "tabular", batch, out, "--inputs")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["Input.word"] for row in rows] == ["sky", "sky", "grass", "grass", "snow", "snow"]
    run("extract", "xml", batch, tmp_path / "xml")

    run("expire-batch", batch)
    run("delete-batch", batch)
    harness.check_deleted(client, batch)
    assert directory.open_batch(batch).hit_ids() == hit_ids


def test_an_open_batch_of_amtis_is_expired_and_deleted(
    batch: Path, client: MTurkClient, run: Run
) -> None:
    run("delete-batch", batch, code=1)
    run("expire-batch", batch)
    harness.check_expired(client, batch)
    run("delete-batch", batch)
    harness.check_deleted(client, batch)


@pytest.mark.parametrize("command", ["review-batch", "save-batch", "delete-batch"])
@pytest.mark.parametrize("moment", harness.MOMENTS)
def test_a_command_killed_on_a_batch_of_amtis_is_finished_by_the_same_command(
    batch: Path,
    served: harness.KillingService,
    client: MTurkClient,
    run: Run,
    command: str,
    moment: harness.Moment,
) -> None:
    harness.work(served, directory.open_batch(batch).hit_ids())
    life = {
        "review-batch": ("review-batch", batch, "--approve-all", "--yes"),
        "save-batch": ("save-batch", batch),
        "delete-batch": ("delete-batch", batch),
    }
    for name, arguments in life.items():
        if name == command:
            assert harness.killed_at_request(served, 3, moment, *arguments)
        run(*arguments)
        if name == command:
            break
    if command == "delete-batch":
        harness.check_deleted(client, batch)
    else:
        harness.check_approved(served, client, batch)


def test_an_upload_of_amtis_cannot_be_resumed(batch: Path, run: Run) -> None:
    said = run("resume-batch", batch, code=1)
    assert "amti made this batch" in said.stderr
