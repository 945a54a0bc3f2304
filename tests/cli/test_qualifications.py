from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from tests.qualification.conftest import Define, form, key, keyed, question
from tests.qualification.conftest import define as define
from turkbatch import actions
from turkbatch.actions import qualification_types
from turkbatch.server import service

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

TEST = form(question("q1"), question("q2"))
KEY = key(keyed("q1", a=1), keyed("q2", b=2))


def _names(client: MTurkClient) -> list[str]:
    reply = client.list_qualification_types(MustBeRequestable=False, MustBeOwnedByCaller=True)
    return [one["Name"] for one in reply["QualificationTypes"]]


def test_a_type_is_made_once_and_kept_in_amtis_layout(run: Run, define: Define) -> None:
    definition = define(test=TEST, answer_key=KEY)
    made = run("create-qualificationtype", definition, "types", "--local")
    path = Path(made.stdout.strip())
    type_id = path.name.removeprefix("qualification-type-")
    assert path.parent == Path("types")
    assert sorted(one.name for one in path.iterdir()) == [
        "definition",
        f"qualificationtype-{type_id}.jsonl",
        "qualificationtype.json",
    ]
    [reply] = (path / f"qualificationtype-{type_id}.jsonl").read_text().splitlines()
    assert json.loads(reply)["QualificationType"]["QualificationTypeId"] == type_id
    assert "a score from 0 to 3" in made.stderr
    again = run("create-qualificationtype", definition, "types", "--local")
    assert again.stdout == made.stdout
    assert "nothing was done" in again.stderr


def test_a_type_is_adopted_where_its_directory_is_lost(
    run: Run, define: Define, client: MTurkClient, mturk: str
) -> None:
    definition = define()
    first = run("create-qualificationtype", definition, "one", "--endpoint-url", mturk)
    second = run("create-qualificationtype", definition, "two", "--endpoint-url", mturk)
    assert Path(first.stdout.strip()).name == Path(second.stdout.strip()).name
    assert "Adopted" in second.stderr
    assert _names(client) == ["Colours"]


def test_a_lost_reply_makes_no_second_type(
    run: Run, define: Define, client: MTurkClient, served: service.Service, mturk: str
) -> None:
    served.faults.load("CreateQualificationType:reset-after@1")
    made = run("create-qualificationtype", define(), ".", "--endpoint-url", mturk)
    assert _names(client) == ["Colours"]
    assert Path(made.stdout.strip()).is_dir()


def test_an_adopted_type_that_differs_is_shown_and_can_be_updated(run: Run, define: Define) -> None:
    run("create-qualificationtype", define(), "one", "--local")
    other = define("other", test=TEST, answer_key=KEY, Description="Others.")
    made = run("create-qualificationtype", other, "two", "--local")
    assert "it differs from the definition" in made.stderr
    path = made.stdout.strip()
    updated = run("update-qualificationtype", path)
    assert "4 properties changed" in updated.stderr
    assert "Nothing differs" in run("update-qualificationtype", path).stderr


def test_one_directory_serves_several_environments(
    run: Run, define: Define, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run("create-qualificationtype", define(), ".", "--local").stdout.strip()
    run("associate-qual", "A1", "--qual", path, "--local")
    monkeypatch.setenv("TURKBATCH_SERVER_DB", str(tmp_path / "other.db"))
    same = run("create-qualificationtype", path, "--local")
    assert same.stdout.strip() == path
    assert len(json.loads((Path(path) / "qualificationtype.json").read_text())["types"]) == 2
    status = json.loads(run("status-qualificationtype", path, "--local", "--json").stdout)
    assert status["holders"] == []
    found = run("status-qualificationtype", path, "--endpoint-url", "http://127.0.0.1:9", code=1)
    assert "is not in custom (http://127.0.0.1:9), but in local" in found.stderr


def test_what_changed_is_sent_whole_where_the_test_is_replaced_whole(
    run: Run, define: Define, client: MTurkClient, mturk: str
) -> None:
    made = run(
        "create-qualificationtype",
        define(test=TEST, answer_key=KEY),
        ".",
        "--endpoint-url",
        mturk,
    )
    path = Path(made.stdout.strip())
    key_path = path / "definition" / "answerkey.xml"
    key_path.write_text(KEY.replace(">2<", ">5<"))
    dry = run("update-qualificationtype", path, "--dry-run")
    assert "1 properties differ; nothing was sent" in dry.stderr
    run("update-qualificationtype", path)
    type_id = path.name.removeprefix("qualification-type-")
    there = client.get_qualification_type(QualificationTypeId=type_id)["QualificationType"]
    assert (there["Test"], there["AnswerKey"]) == (TEST, key_path.read_text())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"Name": "Other"}, "Name is 'Other', and the type has 'Colours'", id="name"),
        pytest.param({"Keywords": "new"}, "Keywords is 'new'", id="keywords"),
        pytest.param({"RetryDelayInSeconds": None}, "RetryDelayInSeconds is gone", id="delay"),
    ],
)
def test_what_mturk_never_changes_is_refused(
    run: Run, define: Define, changes: dict[str, object], message: str
) -> None:
    path = run(
        "create-qualificationtype", define(RetryDelayInSeconds=60), ".", "--local"
    ).stdout.strip()
    other = define("other", **{"RetryDelayInSeconds": 60, **changes})
    refused = run("update-qualificationtype", path, "--definition", other, code=1)
    assert message in refused.stderr
    assert "delete the type and create another" in refused.stderr


def test_another_definition_of_the_same_name_is_refused(run: Run, define: Define) -> None:
    run("create-qualificationtype", define(), ".", "--local")
    other = define("other", Description="Others.")
    refused = run("create-qualificationtype", other, ".", "--local", code=1)
    assert "made from another definition" in refused.stderr


def test_a_deleted_type_keeps_its_name_for_a_while(
    run: Run, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qualification_types, "LISTING_WAITS_SECONDS", (0.0,))
    path = run("create-qualificationtype", define(), ".", "--local").stdout.strip()
    assert "is deleted" in run("delete-qualificationtype", path).stderr
    assert "was deleted before" in run("delete-qualificationtype", path).stderr
    refused = run("create-qualificationtype", path, "--local", code=4)
    assert "keeps its name for up to 48 hours" in refused.stderr


def test_status_shows_holders_and_a_histogram(run: Run, define: Define) -> None:
    path = run("create-qualificationtype", define(), ".", "--local").stdout.strip()
    run("associate-qual", "A1", "A2", "--qual", "Colours", "--name", "-i", "80", "--local")
    run("associate-qual", "A3", "--qual", "@Colours", "-i", "5", "--local")
    run("disassociate-qual", "A2", "--qual", path)  # which says where it is
    status = json.loads(run("status-qualificationtype", path, "--json").stdout)
    assert {one["worker_id"]: one["value"] for one in status["holders"]} == {"A1": 80, "A3": 5}
    assert status["histogram"] == {"5": 1, "80": 1}
    assert (status["revoked"], status["requests"]) == (1, 0)
    assert "A1" in run("status-qualificationtype", path).stdout


def test_grading_offline_sends_nothing(run: Run, define: Define) -> None:
    definition = define(test=TEST, answer_key=KEY)
    Path("answers.csv").write_text("WorkerId,q1,q2\nA1,a,b\nA2,c,b\n")
    shown = run("create-qualificationtype", definition, "--grade", "answers.csv").stdout
    assert [line.split() for line in shown.splitlines() if line.strip().startswith("A")] == [
        ["A1", "3", "1", "2"],
        ["A2", "2", "0", "2"],
    ]
    assert not list(Path().glob("qualification-type-*"))


def test_associating_again_does_only_what_is_left(
    run: Run, define: Define, mturk: str, served: service.Service
) -> None:
    path = run("create-qualificationtype", define(), ".", "--endpoint-url", mturk).stdout.strip()
    with Path("workers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Note", "WorkerId"])
        writer.writerows(["x, y", f"AW{number}"] for number in range(150))
    command = ("associate-qual", "-f", "workers.csv", "-q", path, "-i", 7, "--endpoint-url", mturk)
    assert "150 workers granted the qualification now." in run(*command).stderr
    served.faults.reset_calls()
    assert "0 workers granted the qualification now, 150 were before." in run(*command).stderr
    assert "AssociateQualificationWithWorker" not in served.faults.calls()


def test_every_worker_is_tried_and_failures_are_listed(run: Run, define: Define) -> None:
    path = run("create-qualificationtype", define(), ".", "--local").stdout.strip()
    Path("ids.txt").write_text("A1\nnobody\n\nA2\n")
    failed = run("associate-qual", "-f", "ids.txt", "-q", path, "--local", code=4)
    assert "2 of 3 workers were granted it" in failed.stderr
    assert "worker nobody: " in failed.stderr


def test_a_name_that_is_not_there_names_the_nearest(run: Run, define: Define) -> None:
    run("create-qualificationtype", define(), ".", "--local")
    failed = run("associate-qual", "A1", "-q", "Colors", "-n", "--local", code=1)
    assert 'no qualification type is called "@Colors"' in failed.stderr
    assert "did you mean @Colours?" in failed.stderr


def test_a_table_without_the_column_is_refused(run: Run) -> None:
    Path("ids.csv").write_text("id,name\nA1,x\n")
    failed = run("associate-qual", "-f", "ids.csv", "-q", "3ABC", "--local", code=1)
    assert "ids.csv:1: has 2 columns, and none is called WorkerId" in failed.stderr


def test_a_file_of_workers_is_read_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "workers.csv"
    path.write_text("\ufeffWorker ID,Number\r\n A1 ,3\r\n,4\r\nA2,5\r\nA1,6\r\n")
    assert actions.read_worker_ids(path) == ("A1", "A2")
    path.write_text("A1\nA2\n")
    assert actions.read_worker_ids(path) == ("A1", "A2")
