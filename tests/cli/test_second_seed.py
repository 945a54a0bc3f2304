"""A batch with a qualification test, from beginning to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT, Run
from turkbatch.batch import directory
from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

EXAMPLE = ROOT / "examples" / "qualification-test"
RIGHT = {"pair_0": "3", "pair_1": "1", "pair_2": "4", "pair_3": "2"}


def _take_test(served: service.Service, type_id: str, worker_id: str, **changed: str) -> int | None:
    test = worker.take_test(served, type_id, worker_id)
    answers = list({**RIGHT, **changed}.items())
    return worker.submit_test(served, test.request_id, worker_id, answers).value


def test_a_batch_is_worked_on_by_those_who_pass_a_test(
    run: Run, mturk: str, client: MTurkClient, served: service.Service
) -> None:
    shutil.copytree(EXAMPLE / "definition", "definition")
    made = run("create-qualificationtype", "definition", ".", "--endpoint-url", mturk)
    assert "The test grades 4 questions, to a score from -4 to 4." in made.stderr
    path = Path(made.stdout.strip())
    type_id = path.name.removeprefix("qualification-type-")

    properties = path / "definition" / "qualificationtypeproperties.json"
    changed = json.loads(properties.read_text()) | {"TestDurationInSeconds": 3600}
    properties.write_text(json.dumps(changed))
    updated = run("update-qualificationtype", path)
    assert "TestDurationInSeconds   5400   3600" in updated.stderr
    there = client.get_qualification_type(QualificationTypeId=type_id)["QualificationType"]
    assert there["TestDurationInSeconds"] == 3600
    assert "pair_3" in there["Test"]
    assert "pair_3" in there["AnswerKey"]

    run("associate-qual", "AGUEST", "-q", path, "-i", 0, "--notify", "--endpoint-url", mturk)
    assert len(worker.messages(served, "AGUEST")) == 1
    assert _take_test(served, type_id, "AREADER") == 4
    assert _take_test(served, type_id, "ANEARLY", pair_1="2") == 3
    assert _take_test(served, type_id, "AGUESSER", pair_0="1", pair_2="1") == 0
    status = json.loads(run("status-qualificationtype", path, "--json").stdout)
    held = {one["worker_id"]: one["value"] for one in status["holders"]}
    assert held == {"AGUEST": 0, "AREADER": 4, "ANEARLY": 3, "AGUESSER": 0}
    assert status["histogram"] == {"0": 2, "3": 1, "4": 1}

    batch = run(
        *("create-batch", EXAMPLE / "pairs-definition", EXAMPLE / "pairs.csv", ".", "--yes"),
        *("--endpoint-url", mturk),
    ).stdout.strip()
    assert json.loads(Path(batch, "batch.json").read_text())["qualifications"] == {
        "@English and French sentences (example)": type_id
    }
    [hit_id, *_] = directory.open_batch(Path(batch)).hit_ids()
    for worker_id in ("AREADER", "ANEARLY"):
        worker.accept(served, hit_id, worker_id)
    for worker_id in ("AGUEST", "AGUESSER", "ASTRANGER"):
        with pytest.raises(worker.WorkerError, match="ualification"):
            worker.accept(served, hit_id, worker_id)

    run("delete-qualificationtype", path)
    with pytest.raises(worker.WorkerError):
        worker.take_test(served, type_id, "ALATE")


def test_requests_without_a_key_are_granted_and_refused_by_hand_and_by_file(
    run: Run, mturk: str, served: service.Service
) -> None:
    shutil.copytree(EXAMPLE / "definition", "definition")
    Path("definition/answerkey.xml.j2").unlink()
    made = run("create-qualificationtype", "definition", ".", "--endpoint-url", mturk)
    path = made.stdout.strip()
    type_id = Path(path).name.removeprefix("qualification-type-")
    for worker_id in ("A1", "A2", "A3", "A4", "A5"):
        assert _take_test(served, type_id, worker_id) is None
    assert "Requests wait" in run("status-qualificationtype", path).stderr
    by_hand = run(
        "review-qualificationrequests", path, stdin="g\nlots\ng\n70\nr\nToo slow.\nq\n", code=3
    )
    assert "A score is a whole number." in by_hand.stderr
    assert "3 requests are left to review." in by_hand.stderr
    waiting = sorted(json.loads(run("status-qualificationtype", path, "--json").stdout).items())
    assert ("requests", 3) in waiting
    Path("decisions.csv").write_text(
        "WorkerId,Approve,Reject\nA3,40,\nA4,x,\nA5,,Not this time\nAOTHER,x,\n"
    )
    command = ("review-qualificationrequests", path, "--decisions", "decisions.csv")
    assert "2 granted, 1 refused." in run(*command).stderr
    assert "0 granted, 0 refused." in run(*command).stderr
    holders = json.loads(run("status-qualificationtype", path, "--json").stdout)["holders"]
    values = {one["worker_id"]: one["value"] for one in holders}
    assert values == {"A1": 70, "A3": 40, "A4": None}


def test_an_unclear_verdict_stops_all(run: Run, mturk: str, served: service.Service) -> None:
    shutil.copytree(ROOT / "examples" / "qualification-type-without-test" / "definition", "d")
    path = run("create-qualificationtype", "d", ".", "--endpoint-url", mturk).stdout.strip()
    worker.request_qualification(served, Path(path).name.removeprefix("qualification-type-"), "A1")
    Path("decisions.csv").write_text("WorkerId,Approve,Reject\nA1,maybe,\n")
    refused = run("review-qualificationrequests", path, "--decisions", "decisions.csv", code=1)
    assert 'Approve is "maybe", which is neither x nor a score' in refused.stderr
