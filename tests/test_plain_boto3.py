"""A boto3 program that knows nothing of turkbatch, on ``turkbatch server run``."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import plain_client

SCRIPT = """
import boto3

mturk = boto3.client("mturk", region_name="us-east-1", aws_access_key_id="a",
                     aws_secret_access_key="b")
question = open("question.xml").read()
hits = [
    mturk.create_hit(Title="T", Description="D", Reward="0.05", LifetimeInSeconds=3600,
                     AssignmentDurationInSeconds=600, Question=question)["HIT"]["HITId"]
    for _ in range(2)
]
listed = [hit["HITId"] for hit in mturk.list_hits()["HITs"]]
assert sorted(listed) == sorted(hits), listed
import subprocess, sys
subprocess.run([sys.executable, "-m", "turkbatch", "server", "work"], check=True)
for hit in hits:
    for one in mturk.list_assignments_for_hit(HITId=hit)["Assignments"]:
        mturk.approve_assignment(AssignmentId=one["AssignmentId"])
    mturk.delete_hit(HITId=hit)
assert mturk.list_hits()["NumResults"] == 0
print(mturk.get_account_balance()["AvailableBalance"])
"""

QUESTION = """<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/\
AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[
<form><input name="word" required><input type="submit"></form>
]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"""


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run ``turkbatch server run``, and give the address that it prints."""
    command = [sys.executable, "-m", "turkbatch", "server", "run", "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def test_a_plain_boto3_program_runs_on_our_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "question.xml").write_text(QUESTION)
    command = [sys.executable, "-c", SCRIPT]
    with serving(tmp_path) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_MTURK", url)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "9999.88\n"


def test_a_server_told_so_refuses_workers_it_has_never_seen(tmp_path: Path) -> None:
    with serving(tmp_path, "--known-workers-only") as url:
        client = plain_client(url)
        with pytest.raises(client.exceptions.ClientError, match='The value "A2STRANGER"'):
            client.create_worker_block(WorkerId="A2STRANGER", Reason="x")
        client.close()


def test_a_crowd_of_ones_own_costs_no_fees(tmp_path: Path) -> None:
    with serving(tmp_path, "--fees", "none") as url:
        client = plain_client(url)
        client.create_hit(
            Title="T",
            Description="D",
            Reward="0.50",
            LifetimeInSeconds=60,
            AssignmentDurationInSeconds=60,
            Question=QUESTION,
        )
        assert client.get_account_balance()["AvailableBalance"] == "9999.50"
        client.close()
