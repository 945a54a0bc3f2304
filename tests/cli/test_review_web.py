"""``review-batch --web`` as a process: its address, its end, and what a crash leaves."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from tests.reviews import Asker
from turkbatch.batch import directory
from turkbatch.server import crowd, service

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Process = subprocess.Popen[str]
Start = Callable[..., tuple[Process, Asker]]


@pytest.fixture
def batch(run: Run, definition: Path, rows: Path, served: service.Service, mturk: str) -> str:
    """Three HITs with two submitted assignments each."""
    made = run("create-batch", definition, rows, ".", "--endpoint-url", mturk, "--yes")
    crowd.work(served)
    return made.stdout.strip()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command; give the process, and a browser that has come in."""
    started: list[Process] = []

    def begin(*arguments: str) -> tuple[Process, Asker]:
        process = subprocess.Popen(
            [sys.executable, "-m", "turkbatch", "review-batch", "--web", *arguments],
            env=dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("http://127.0.0.1:"), process.communicate()[1]
        asker = Asker(line)
        asker.enter()
        return process, asker

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def ended(process: Process) -> tuple[int, str]:
    out, said = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, said


def wait(asker: Asker, path: str) -> None:
    """Wait until what goes on in the background is done."""
    while json.loads(asker.ask(path)[1])["running"]:
        pass


def status(client: MTurkClient, assignment_id: str) -> str:
    return client.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"]


def ids(asker: Asker) -> list[str]:
    """Name the assignments that are listed, once all are."""
    wait(asker, "/reading")
    return re.findall(r'<th scope="row"><a href="/assignments/(\w+)', asker.ask("/")[1])


def test_marks_outlive_a_killed_process_and_are_sent_by_the_next(
    batch: str, start: Start, client: MTurkClient
) -> None:
    process, asker = start(batch)
    one, two, three, *_ = ids(asker)
    assert asker.mark(one, "approve") == 200
    assert asker.mark(two, "reject", "Not a colour.") == 200
    assert asker.mark(three, "approve") == 200
    asker.ask("/undo", {})
    process.kill()
    process.wait()

    process, asker = start(batch)
    text = asker.ask("/")[1]
    assert "To send: 2" in text
    assert ids(asker)
    assert "Not a colour." in asker.ask(f"/assignments/{two}")[1]
    asker.ask("/plan", {})
    wait(asker, "/job")
    asker.ask("/send", {})
    wait(asker, "/job")
    asker.finish()
    code, said = ended(process)
    assert code == 3, said
    assert "1 approved, 1 rejected." in said
    assert "4 submissions are left to review." in said
    reply = client.get_assignment(AssignmentId=two)["Assignment"]
    assert (reply["AssignmentStatus"], reply["RequesterFeedback"]) == ("Rejected", "Not a colour.")
    assert (
        client.get_assignment(AssignmentId=three)["Assignment"]["AssignmentStatus"] == "Submitted"
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 3, id="Ctrl-C"), pytest.param(signal.SIGKILL, -9, id="kill -9")],
)
def test_a_sending_that_was_cut_off_is_finished_by_the_next(
    batch: str,
    start: Start,
    client: MTurkClient,
    served: service.Service,
    number: signal.Signals,
    code: int,
) -> None:
    process, asker = start(batch, "--concurrency", "1")
    found = ids(asker)
    for one in found:
        asker.mark(one, "approve")
    asker.ask("/plan", {})
    wait(asker, "/job")
    served.faults.load("latency=0.2")
    asker.ask("/send", {})
    while json.loads(asker.ask("/job")[1])["done"] < 2:
        pass
    process.send_signal(number)
    assert ended(process)[0] == code
    served.faults.clear()

    process, asker = start(batch)
    ids(asker)
    asker.ask("/plan", {})
    wait(asker, "/job")
    # Only now: what was on its way when the process died has arrived since.
    left = [status(client, one) for one in found].count("Submitted")
    assert 1 <= left <= 4
    assert f"To send: {left}" in asker.ask("/send")[1]
    asker.ask("/send", {})
    wait(asker, "/job")
    assert f"{left} of {left} decisions hold" in asker.ask("/send")[1]
    asker.finish()
    assert ended(process)[0] == 0
    assert [status(client, one) for one in found] == ["Approved"] * 6
    journal = [json.loads(line) for line in Path(batch, "reviews.jsonl").read_text().splitlines()]
    sent = [one["assignment_id"] for one in journal if one["event"] == "intent"]
    # At most the one that was on its way is asked for twice, which settles it.
    assert len(sent) - len(set(sent)) <= 1


def test_a_browser_is_opened_with_a_key_that_is_used_up(
    batch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}.part\nmv {told}.part {told}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "turkbatch", "review-batch", "--web", batch],
        stdout=slave,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(slave)
        with os.fdopen(master, encoding="utf-8") as terminal:
            printed = terminal.readline().strip()
            while not told.exists():
                assert process.poll() is None
            opened = told.read_text().strip()
            assert opened != printed
            assert opened.partition("?")[0] == printed.partition("?")[0]
            assert Asker(printed).ask(opened)[0] == 200
            assert Asker(printed).ask(opened)[0] == 403
            asker = Asker(printed)
            asker.enter()
            asker.finish()
            process.communicate(timeout=60)


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 3, id="Ctrl-C"), pytest.param(signal.SIGTERM, -15, id="kill")],
)
def test_the_end_by_a_signal_keeps_the_marks(
    batch: str, start: Start, number: signal.Signals, code: int
) -> None:
    process, asker = start(batch, "--no-open", "--port", "0", "--worker", "A1")
    assert "worker=A1" in asker.url
    asker.mark(ids(asker)[0], "approve")
    process.send_signal(number)
    found, said = ended(process)
    assert found == code, said
    assert ("1 decisions are marked and not sent" in said) == (number == signal.SIGINT)
    assert "To send: 1" in start(batch)[1].ask("/")[1]


def test_a_port_that_is_taken_is_refused(batch: str, start: Start, run: Run) -> None:
    _, asker = start(batch)
    # Another batch's review can't have it, either; the marks' file is free by then.
    other = Path("batch-other")
    Path(batch).rename(other)
    Path(other, "marks.jsonl").unlink()
    refused = run("review-batch", other, "--web", "--port", asker.port, code=4)
    assert f"port {asker.port} can't be listened on" in refused.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--web", "--approve-all"),
        ("--web", "--undo"),
        ("--web", "--yes"),
        ("--web", "--decisions", "d.csv"),
        ("--port", "80"),
        ("--worker", "A1"),
        ("--no-open",),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    run: Run, batch: str, options: tuple[str, ...]
) -> None:
    run("review-batch", batch, *options, code=2)


def test_a_batch_of_amtis_is_reviewed(batch: str, start: Start, mturk: str) -> None:
    path = Path(batch)
    hit_ids = directory.open_batch(path).hit_ids()
    for name in ("batch.json", "uploads.jsonl"):
        (path / name).unlink()
    (path / "_INCOMPLETE").write_text(json.dumps({"hittype_id": "3T", "hit_ids": hit_ids}))
    process, asker = start(batch, "--endpoint-url", mturk)
    found = ids(asker)
    assert len(found) == 6
    assert "grass" in asker.ask(f"/assignments/{found[2]}")[1]
    # Where the rows are not known, neither are the data; the work is.
    asker.finish()
    assert ended(process)[0] == 3
    (path / "_INCOMPLETE").unlink()
    process, asker = start(batch, "--endpoint-url", mturk)
    assert ids(asker) == []
    asker.finish()
    assert ended(process)[0] == 0


def test_it_goes_to_the_embedded_server_too(
    run: Run, definition: Path, rows: Path, start: Start
) -> None:
    made = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    run("server", "work", made)
    process, asker = start(made)
    first = ids(asker)[0]
    asker.mark(first, "approve")
    asker.ask("/plan", {})
    wait(asker, "/job")
    assert "They go to the embedded server." in asker.ask("/send")[1]
    asker.ask("/send", {})
    wait(asker, "/job")
    process.send_signal(signal.SIGINT)
    assert "1 approved, 0 rejected." in ended(process)[1]
