"""Commands for workers, and actions, on people whose ids are unlike MTurk's."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from turkbatch import actions, errors
from turkbatch.server import groups, people, service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

IDS = ("5f0c1e2d3a4b5c6d7e8f9a0b", "anna.schmidt", "77")


@pytest.fixture
def batch(run: Run, mturk: str, served: service.Service, definition: Path, rows: Path) -> str:
    """A batch on which people have worked, and which is approved."""
    people.add(served, groups.DEFAULT, IDS)
    (definition / "hitproperties.json").write_text(
        '{"MaxAssignments": 3, "LifetimeInSeconds": 3600}'
    )
    made = run("create-batch", definition, rows, ".", "--yes", "--endpoint-url", mturk)
    for me in IDS:
        for offer in worker.offers(served, me):
            assignment_id = worker.accept(served, offer.hit_id, me)
            worker.submit(served, assignment_id, me, [("colour", "blue")])
    batch = made.stdout.strip()
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    return batch


def test_bonuses_reach_people_by_their_ids(
    run: Run, mturk: str, batch: str, client: MTurkClient
) -> None:
    run("extract", "tabular", batch, "results.csv")
    done = list(csv.DictReader(Path("results.csv").read_text().splitlines()))
    assert sorted({row["WorkerId"] for row in done}) == sorted(IDS)
    with Path("bonuses.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["WorkerId", "AssignmentId", "BonusAmount", "Reason"])
        writer.writerows([row["WorkerId"], row["AssignmentId"], "0.10", "Thanks"] for row in done)
    run("bonus-workers", "bonuses.csv", "--yes", "--endpoint-url", mturk)
    paid = [
        one["WorkerId"]
        for hit in client.list_hits()["HITs"]
        for one in client.list_bonus_payments(HITId=hit["HITId"])["BonusPayments"]
    ]
    assert sorted(paid) == sorted(IDS * 3)


@pytest.mark.usefixtures("batch")
def test_people_are_written_to_blocked_and_qualified_by_their_ids(
    run: Run, mturk: str, served: service.Service, client: MTurkClient
) -> None:
    Path("ids.csv").write_text("WorkerId\n" + "\n".join(IDS))
    at = ("--file", "ids.csv", "--endpoint-url", mturk)
    run("notify-workers", "-s", "News", "-m", "More work.", *at)
    assert ["News" in [one.subject for one in worker.messages(served, me)] for me in IDS] == [
        True
    ] * len(IDS)
    type_id = client.create_qualification_type(
        Name="Known", Description="Known.", QualificationTypeStatus="Active"
    )["QualificationType"]["QualificationTypeId"]
    run("associate-qual", "--qual", type_id, *at)
    holders = client.list_workers_with_qualification_type(QualificationTypeId=type_id)
    assert sorted(one["WorkerId"] for one in holders["Qualifications"]) == sorted(IDS)
    run("disassociate-qual", "--qual", type_id, *at)
    run("block-workers", *at)
    blocked = json.loads(run("list-blocks", "--endpoint-url", mturk, "--json").stdout)
    assert sorted(one["WorkerId"] for one in blocked["WorkerBlocks"]) == sorted(IDS)
    run("unblock-workers", *at)
    assert "1 failed" in run("block-workers", "nobody", "--endpoint-url", mturk, code=4).stderr


def test_the_life_of_an_account_in_python(database: str, tmp_path: Path) -> None:
    (invitation,) = actions.add_server_workers(
        database, ["anna"], public_url="https://work.example.org"
    )
    assert invitation.link.startswith("https://work.example.org/invitations/")
    assert invitation.link not in repr(invitation)
    (again,) = actions.invite_server_workers(database, ["anna", "anna"])
    assert again.link != invitation.link
    assert actions.list_server_workers(database)[0].state == "invited"
    assert actions.disable_server_workers(database, ["anna"]) == ("anna",)
    with pytest.raises(errors.RefusedError, match="enable the account first"):
        actions.invite_server_workers(database, ["anna"])
    assert actions.enable_server_workers(database, ["anna"]) == ("anna",)
    told = actions.export_server_worker(database, "anna", files_dir=tmp_path / "files")
    assert told.document["worker_id"] == "anna"
    assert told.files == ()
    erased = actions.erase_server_workers(database, ["anna"])
    assert list(erased.pseudonyms) == ["anna"]
    assert erased.overwritten
    assert actions.list_server_workers(database) == ()
    assert actions.idle_server_workers(database, 1) == ()


def test_uploaded_files_are_written_by_their_keys(
    database: str, served: service.Service, client: MTurkClient, tmp_path: Path
) -> None:
    people.add(served, groups.DEFAULT, ["anna"])
    form = (
        '<QuestionForm xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
        '2005-10-01/QuestionForm.xsd"><Question><QuestionIdentifier>cv</QuestionIdentifier>'
        "<QuestionContent><Text>Your file.</Text></QuestionContent><AnswerSpecification>"
        "<FileUploadAnswer><MaxFileSizeInBytes>1000</MaxFileSizeInBytes><MinFileSizeInBytes>1"
        "</MinFileSizeInBytes></FileUploadAnswer></AnswerSpecification></Question></QuestionForm>"
    )
    hit = client.create_hit(
        Title="t",
        Description="d",
        Reward="0.10",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        Question=form,
    )["HIT"]
    assignment_id = worker.accept(served, hit["HITId"], "anna")
    worker.upload(served, assignment_id, "anna", "cv", "../../cv.pdf", b"%PDF")
    worker.submit(served, assignment_id, "anna", [])
    told = actions.export_server_worker(database, "anna", files_dir=tmp_path / "files")
    (path,) = told.files
    assert path.parent == tmp_path / "files"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"%PDF", 0o600)
    assert "../../cv.pdf" in json.dumps(told.document)


def test_a_group_in_python(database: str) -> None:
    made = actions.set_server_group(database, "lab", consent="I agree.", retention_days=30)
    assert actions.show_server_group(database, "lab") == made
    assert actions.list_server_groups(database) == (made,)
    with pytest.raises(errors.RefusedError, match='no group "other"'):
        actions.show_server_group(database, "other")
