"""A server with accounts, started by its command, and people who work on it in a browser."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from turkbatch.server import groups, keys, people, service, store

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient
    from playwright.sync_api import BrowserContext, Page

PASSWORD = "correct horse battery"


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A server that runs, and its database."""

    url: str
    served: service.Service
    client: MTurkClient

    def add(self, worker_id: str, group: str = groups.DEFAULT) -> str:
        """Add somebody with a password; give the id."""
        people.add(self.served, group, [worker_id])
        people.redeem(self.served, people.invite(self.served, worker_id), PASSWORD)
        return worker_id

    def sign_in(self, context: BrowserContext, worker_id: str) -> Page:
        """Sign in by the page; give the tab."""
        tab = context.new_page()
        tab.goto(f"{self.url}/sign-in")
        tab.get_by_label("Worker id").fill(worker_id)
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Sign in").click()
        tab.wait_for_url(lambda url: not url.endswith("/sign-in"))
        return tab


@contextlib.contextmanager
def running(directory: Path, *, tasks_apart: bool) -> Iterator[Guarded]:
    """Run the command, with task pages on a host of their own or where the site is."""
    database = directory / "server.db"
    with store.Store.open(database) as opened:
        key = keys.add(opened, "lab")
        port = _free_port()
        command = [sys.executable, "-W", "error", "-m", "turkbatch", "server", "run"]
        command += ["--database", str(database), "--require-keys", "--port", str(port)]
        command += ["--public-url", f"http://127.0.0.1:{port}"]
        if tasks_apart:
            tasks_port = _free_port()
            command += ["--tasks-port", str(tasks_port)]
            command += ["--tasks-url", f"http://localhost:{tasks_port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().strip()
                client: MTurkClient = boto3.client(
                    "mturk",
                    endpoint_url=url,
                    region_name="us-east-1",
                    aws_access_key_id=key.access_key,
                    aws_secret_access_key=key.secret,
                )
                yield Guarded(url, service.Service(opened, keys_demanded=True), client)
                client.close()
            finally:
                process.terminate()
    assert process.returncode == 0


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
