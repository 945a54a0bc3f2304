from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server import visitors
from turkbatch.server import service, store

_SERVE = """
import sys
from turkbatch.server import app, service, store
opened = store.Store.open(sys.argv[1])
app.serve(service.Service(opened), processes=2, on_ready=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""
TARGET = {"X-Amz-Target": "MTurkRequesterServiceV20170117.GetAccountBalance"}


@pytest.fixture
def process(database_name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", _SERVE, database_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_processes_serve_one_database_and_stop_together(
    process: subprocess.Popen[str], database_name: str
) -> None:
    url = url_of(process)
    with store.Store.open(database_name) as opened:
        service.Service(opened).set_balance(700)
    for _ in range(10):
        with urllib.request.urlopen(urllib.request.Request(url, b"{}", TARGET)) as reply:
            assert json.load(reply)["AvailableBalance"] == "7.00"
    with pytest.raises(urllib.error.HTTPError, match="409"):
        urllib.request.urlopen(f"{url}/turkbatch/faults")
    process.send_signal(signal.SIGTERM)

    assert process.stdout is not None
    assert process.stdout.read() == "stopped\n"
    assert process.wait() == 0


def is_stopped(process: str) -> bool:
    threads = Path(f"/proc/{process}/task").iterdir()
    return all(" T " in (thread / "stat").read_text().rpartition(")")[2] for thread in threads)


def test_two_processes_serve_one_port_of_task_pages(
    process: subprocess.Popen[str], make_hit: Callable[..., str]
) -> None:
    url, hit_id = url_of(process), make_hit()
    with urllib.request.urlopen(f"{url}/mturk/preview?hitId={hit_id}") as reply:
        found = re.search(r'src="http://localhost:(\d+)/dynamic/hit', reply.read().decode())
    assert found is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    pages = []
    for child in children:
        # Whoever is stopped takes no connection, so the other one answers.
        os.kill(int(child), signal.SIGSTOP)
        while not is_stopped(child):
            pass
        try:
            address = f"http://127.0.0.1:{found[1]}/dynamic/hit?hitId={hit_id}"
            with urllib.request.urlopen(address, timeout=10) as reply:
                pages.append(b"mturk_form" in reply.read())
        finally:
            os.kill(int(child), signal.SIGCONT)

    assert pages == [True, True]


def test_sessions_are_the_same_in_all_processes(process: subprocess.Popen[str]) -> None:
    visitor = visitors.Visitor(url_of(process))
    visitor.post("/sign-in", {"workerId": "A1"})

    assert {visitor.get("/history").path for _ in range(40)} == {"/history"}


def test_the_processes_end_when_their_parent_is_killed(process: subprocess.Popen[str]) -> None:
    url = url_of(process)
    with urllib.request.urlopen(f"{url}/turkbatch/info"):
        process.kill()
    assert process.stdout is not None
    assert process.stdout.read() == ""  # its end: nobody holds it any more

    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(url)


_REPLACE = """
import os, signal, sys
from turkbatch.server import processes

def work():
    os.write(1, b"%d\\n" % os.getpid())  # in one piece: several write at once
    signal.pause()

processes.serve(2, work, too_short_seconds=0)
"""


def test_a_process_that_dies_gets_a_successor() -> None:
    command = [sys.executable, "-c", _REPLACE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        try:
            numbers = [int(parent.stdout.readline()) for _ in range(2)]
            os.kill(numbers[0], signal.SIGKILL)
            numbers.append(int(parent.stdout.readline()))
            parent.send_signal(signal.SIGINT)
            told = parent.stderr.read().decode()
        except BaseException:
            parent.kill()
            raise

    assert (len(set(numbers)), parent.returncode) == (3, 0)
    assert told == f"process {numbers[0]} ended with -9; another takes its place\n"


_FAIL = """
from turkbatch.server import processes

try:
    processes.serve(3, lambda: 1 / 0)
except processes.ProcessError as error:
    print(error)
"""


def test_processes_that_fail_at_once_are_not_started_for_ever() -> None:
    done = subprocess.run([sys.executable, "-c", _FAIL], capture_output=True, text=True, check=True)

    assert done.stdout == "a process ended with 1 as soon as it was started\n"
    assert "ZeroDivisionError" in done.stderr
