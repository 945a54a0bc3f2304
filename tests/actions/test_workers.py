from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from turkbatch import actions
from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient


@pytest.fixture
def reviewed(run: Run, mturk: str, client: MTurkClient, definition: Path, rows: Path) -> list[str]:
    """Workers who can be written to: their work was reviewed."""
    (definition / "hitproperties.json").write_text(
        '{"MaxAssignments": 60, "LifetimeInSeconds": 3600}'
    )
    path = run("create-batch", definition, rows, ".", "--yes", "--endpoint-url", mturk)
    batch = path.stdout.strip()
    run("server", "work", batch, "--workers", 180)
    run("review-batch", batch, "--approve-all", "--yes")
    found = {
        one["WorkerId"]
        for hit in client.list_hits(MaxResults=100)["HITs"]
        for one in client.list_assignments_for_hit(HITId=hit["HITId"], MaxResults=100)[
            "Assignments"
        ]
    }
    return sorted(found)


def _inbox(served: service.Service, worker_id: str) -> list[str]:
    return [one.subject for one in worker.messages(served, worker_id)]


def test_blocks_are_made_listed_and_taken_back(run: Run) -> None:
    Path("bad.csv").write_text("WorkerId,Why\nA1,x\nA2,y\n")
    assert "2 workers blocked now." in run("block-workers", "-f", "bad.csv", "--local").stderr
    again = run("block-workers", "A1", "A2", "A3", "-r", "Spam, again", "--local")
    assert "1 worker blocked now, 2 were before." in again.stderr
    listed = run("list-blocks", "--local").stdout
    reason = '"Low-quality work, or suspected of spam."'
    assert sorted(listed.splitlines()) == [
        f"A1,{reason}",
        f"A2,{reason}",
        'A3,"Spam, again"',
        "WorkerId,Reason",
    ]
    Path("blocked.csv").write_text(listed)
    assert len(json.loads(run("list-blocks", "--local", "--json").stdout)["WorkerBlocks"]) == 3
    freed = run("unblock-workers", "-f", "blocked.csv", "A4", "--local")
    assert "3 workers unblocked now, 1 were before." in freed.stderr
    assert run("list-blocks", "--local").stdout == "WorkerId,Reason\n"


def test_every_block_of_many_pages_is_listed(run: Run) -> None:
    Path("ids.txt").write_text("".join(f"AB{number}\n" for number in range(250)))
    run("block-workers", "-f", "ids.txt", "--local")
    assert len(run("list-blocks", "--local").stdout.splitlines()) == 251


def test_a_worker_who_can_not_be_blocked_stops_no_other(run: Run) -> None:
    failed = run("block-workers", "A1", "nobody", "A2", "--local", code=4)
    assert "2 of 3 workers are blocked, 0 were before; 1 failed" in failed.stderr
    assert "worker nobody: CreateWorkerBlock" in failed.stderr


def test_a_message_reaches_each_worker_once(
    run: Run, mturk: str, served: service.Service, reviewed: list[str]
) -> None:
    assert len(reviewed) > 100
    Path("ids.txt").write_text("\n".join(reviewed))
    letter = ("-s", "News", "-m", "A new study.", "--endpoint-url", mturk)
    served.faults.reset_calls()
    first = run("notify-workers", "-f", "ids.txt", *letter)
    assert f"{len(reviewed)} workers written to now." in first.stderr
    assert served.faults.calls()["NotifyWorkers"] == 2
    again = run("notify-workers", *reviewed[:3], *letter)
    assert "0 workers written to now, 3 were before." in again.stderr
    assert {tuple(_inbox(served, one)) for one in reviewed} == {("News",)}
    run("notify-workers", reviewed[0], *letter, "--again")
    assert _inbox(served, reviewed[0]) == ["News", "News"]


def test_failures_inside_a_success_are_failures(
    run: Run, mturk: str, served: service.Service, reviewed: list[str]
) -> None:
    letter = ("-s", "News", "-m", "A new study.", "--endpoint-url", mturk)
    failed = run("notify-workers", "ASTRANGER", reviewed[0], *letter, code=4)
    assert "1 of 2 workers were written to" in failed.stderr
    assert "worker ASTRANGER: " in failed.stderr
    assert "[HardFailure]" in failed.stderr
    assert _inbox(served, reviewed[0]) == ["News"]
    again = run("notify-workers", "ASTRANGER", reviewed[0], *letter, code=4)
    assert "0 of 2 workers were written to, 1 were before" in again.stderr
    assert _inbox(served, reviewed[0]) == ["News"]


def test_an_id_that_is_none_keeps_nobody_from_the_message(
    run: Run, mturk: str, served: service.Service, reviewed: list[str]
) -> None:
    ids = [*reviewed[:5], "no-id", *reviewed[5:9]]
    letter = ("-s", "News", "-m", "Text", "--endpoint-url", mturk)
    failed = run("notify-workers", *ids, *letter, code=4)
    assert "9 of 10 workers were written to" in failed.stderr
    assert {tuple(_inbox(served, one)) for one in reviewed[:9]} == {("News",)}


@pytest.mark.parametrize(
    ("fault", "got"),
    [
        pytest.param("reset-after@1", ["News"], id="the reply was lost"),
        pytest.param("reset-before@1", [], id="the request was lost"),
    ],
)
def test_a_message_of_unknown_outcome_is_not_sent_again(
    run: Run, mturk: str, served: service.Service, reviewed: list[str], fault: str, got: list[str]
) -> None:
    letter = ("notify-workers", reviewed[0], "-s", "News", "-m", "x", "--endpoint-url", mturk)
    served.faults.load(f"NotifyWorkers:{fault}")
    run(*letter, code=4)
    again = run(*letter, code=4)
    assert "so the worker may have it; --again sends it all the same" in again.stderr
    assert _inbox(served, reviewed[0]) == got
    run(*letter, "--again")
    assert _inbox(served, reviewed[0]) == [*got, "News"]


def test_a_throttled_message_is_sent_when_it_may(
    run: Run, mturk: str, served: service.Service, reviewed: list[str]
) -> None:
    served.faults.load("NotifyWorkers:throttle@1-2")
    run("notify-workers", reviewed[0], "-s", "News", "-m", "x", "--endpoint-url", mturk)
    assert _inbox(served, reviewed[0]) == ["News"]


def test_a_message_comes_from_a_file_as_text_or_as_amtis(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear worker,\nthank you.\n")
    assert actions.read_message(path, "Thanks") == actions.Message(
        "Thanks", "Dear worker,\nthank you.\n"
    )
    path.write_text('{"Subject": "Hello", "MessageText": "Text"}')
    assert actions.read_message(path) == actions.Message("Hello", "Text")
    refused = run("notify-workers", "A1", "--message_file", path, "-m", "x", code=2)
    assert "give one of --message and --message-file" in refused.stderr
    path.write_text("No subject")
    refused = run("notify-workers", "A1", "--message_file", path, "--local", code=1)
    assert "--subject is missing" in refused.stderr


def test_nothing_that_was_written_to_workers_is_kept(run: Run, mturk: str) -> None:
    run("notify-workers", "A1", "-s", "Subj", "-m", "Private", "--endpoint-url", mturk, code=4)
    [journal] = Path(os.environ["HOME"]).rglob("notifications/*.jsonl")
    assert "Private" not in journal.read_text()
    assert "A1" in journal.read_text()


def test_without_workers_the_command_line_is_wrong(run: Run) -> None:
    assert "name workers" in run("block-workers", "--local", code=2).stderr
