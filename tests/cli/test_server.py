"""The commands of a server of one's own, as they are typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

QUESTION = (
    '<ExternalQuestion xmlns="http://mechanicalturk.amazonaws.com/'
    'AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd">'
    "<ExternalURL>https://example.com/</ExternalURL><FrameHeight>0</FrameHeight></ExternalQuestion>"
)


@pytest.fixture
def paid(served: service.Service, client: MTurkClient) -> None:
    """A worker whose work was approved, with a bonus."""
    hit = client.create_hit(
        Title="Name the colour",
        Description="One word.",
        Reward="0.50",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        MaxAssignments=2,
        Question=QUESTION,
    )["HIT"]
    assignment_id = worker.accept(served, hit["HITId"], "A1")
    worker.submit(served, assignment_id, "A1", [])
    client.approve_assignment(AssignmentId=assignment_id)
    client.send_bonus(WorkerId="A1", AssignmentId=assignment_id, BonusAmount="1.00", Reason="good")


@pytest.mark.usefixtures("paid")
def test_ledger_tells_who_is_owed_what(run: Run, tmp_path: Path) -> None:
    table = run("server", "ledger").stdout
    assert [line.split() for line in table.splitlines() if "default" in line] == [
        ["default", "A1", "1", "0.50", "1.00", "1.50", "0.30"],
        ["default", "9997.60", "0.60", "1.50", "0.30", "10000.00"],
    ]
    worker_line = {
        "requester": "default",
        "worker_id": "A1",
        "assignments": 1,
        "rewards": "0.50",
        "bonuses": "1.00",
        "total": "1.50",
        "fees": "0.30",
    }
    found = json.loads(run("server", "ledger", "--json").stdout)
    assert found["workers"] == [worker_line]
    assert found["accounts"][0]["available"] == "9997.60"
    earlier = json.loads(run("server", "ledger", "--json", "--until", "2020-01-01").stdout)
    assert earlier["workers"] == []

    assert run("server", "ledger", "--csv", "owed.csv").stdout == ""
    assert (tmp_path / "owed.csv").read_text().splitlines() == [
        "Requester,WorkerId,Assignments,Rewards,Bonuses,Total,Fees",
        "default,A1,1,0.50,1.00,1.50,0.30",
    ]


@pytest.mark.usefixtures("paid")
def test_a_backup_is_restored(run: Run, client: MTurkClient, tmp_path: Path) -> None:
    assert run("server", "backup", "kept.db").stdout == "kept.db\n"
    assert "exists already" in run("server", "backup", "kept.db", code=4).stderr
    run("server", "reset")
    assert client.list_hits()["HITs"] == []
    told = run("server", "restore", "kept.db")

    assert len(client.list_hits()["HITs"]) == 1
    assert told.stdout == ""
    assert "what it held before is in" in told.stderr
    assert len(list(tmp_path.glob("server-backup-*.db"))) == 2
    assert "there is no such file" in run("server", "restore", "lost.db", code=4).stderr


def test_keys_are_made_listed_and_removed(run: Run) -> None:
    made = run("server", "key", "add", "lab-a")
    again = json.loads(run("server", "key", "add", "lab-a", "--json").stdout)
    shown = re.fullmatch(
        r"\[lab-a\]\naws_access_key_id = (TURK\w{16})\naws_secret_access_key = (\S{40})\n",
        made.stdout,
    )
    assert shown is not None
    found = json.loads(run("server", "key", "list", "--json").stdout)["keys"]
    assert [one["requester"] for one in found] == ["lab-a", "lab-a"]
    assert {one["access_key"] for one in found} == {shown[1], again["access_key"]}
    table = run("server", "key", "list").stdout
    assert shown[1] in table
    assert shown[2] not in table
    run("server", "key", "remove", again["access_key"])
    run("server", "key", "remove", "lab-a")
    assert json.loads(run("server", "key", "list", "--json").stdout) == {"keys": []}
    assert 'no key of "lab-a"' in run("server", "key", "remove", "lab-a", code=1).stderr
    assert "can't name a requester" in run("server", "key", "add", "a b", code=1).stderr


def test_run_needs_a_key_where_others_can_reach_it(run: Run) -> None:
    for arguments in (["--host", "0.0.0.0"], ["--require-keys"]):
        told = run("server", "run", "--port", "0", *arguments, code=4)
        assert "make one with: turkbatch server key add NAME" in told.stderr
    told = run("server", "run", "--processes", "2", "--fault", "GetHIT:500", code=1)
    assert "--fault: is counted by each process for itself" in told.stderr


def test_simulated_workers_agree_spam_and_hurry_as_asked(
    run: Run, definition: Path, rows: Path
) -> None:
    page = definition / "question.html.j2"
    options = "".join(f'<input type="radio" name="tone" value="{n}">' for n in range(9))
    page.write_text(page.read_text().replace("<textarea", f"{options}<textarea"))
    (definition / "hitproperties.json").write_text(
        '{"MaxAssignments": 9, "LifetimeInSeconds": 86400}'
    )
    answers: dict[str, set[tuple[str, str]]] = {}
    seconds: dict[str, float] = {}
    for name, more in (("slow", ()), ("quick", ("--speed", 10))):
        batch = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
        run("server", "clock", "+1h")
        done = run("server", "work", batch, "--accuracy", 1, "--spam", 0.3, *more)
        spammers = re.findall(r"A[A-Z0-9]{13}", done.stderr)
        assert f"Workers who answered by chance: {', '.join(spammers)}." in done.stderr
        assert len(spammers) == 3
        run("save-batch", batch, code=None)
        run("extract", "tabular", batch, f"{name}.jsonl", "--inputs")
        table = [json.loads(line) for line in Path(f"{name}.jsonl").read_text().splitlines()]
        careful = [row for row in table if row["WorkerId"] not in spammers]
        answers[name] = {(row["Input.word"], row["tone"]) for row in careful}
        seconds[name] = sum(row["WorkTimeInSeconds"] for row in careful)

    assert [len(one) for one in answers.values()] == [3, 3]
    assert seconds["quick"] * 5 < seconds["slow"]


def test_a_share_that_is_none_is_refused(run: Run, definition: Path, rows: Path) -> None:
    batch = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    assert "0<=x<=1" in run("server", "work", batch, "--spam", 2, code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--public-url", "work.example.org"], '--public-url: "work.example.org" is no address'),
        (
            ["--public-url", "https://x.example", "--tasks-url", "https://x.example:8443"],
            "--tasks-url: x.example is the site's own host",
        ),
        (["--require-keys", "--trusted-proxy", "proxy"], '--trusted-proxy: "proxy" is no numeric'),
        (
            ["--trusted-proxy", "127.0.0.1"],
            "through a proxy anybody reaches this server; add --req",
        ),
    ],
)
def test_run_refuses_what_would_let_strangers_in(
    run: Run, arguments: list[str], reason: str
) -> None:
    assert reason in run("server", "run", "--port", "0", *arguments, code=1).stderr
