"""Our own server in a process of its own, with latency, and plain clients of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.config

from turkbatch import connect

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

CONNECTIONS = 32


@dataclasses.dataclass(frozen=True)
class Server:
    """A running server.

    Parameters
    ----------
    url : str
        Where it is.
    database : Path
        What it is on; simulated workers submit there directly.
    """

    url: str
    database: Path

    def plan(self, text: str) -> None:
        """Put a plan of faults in force."""
        self._ask("PUT", "/turkbatch/faults", {"plan": text})

    def count_anew(self) -> None:
        """Count calls from 0."""
        self._ask("DELETE", "/turkbatch/calls")

    def calls(self) -> dict[str, int]:
        """Tell how many calls there were of each operation."""
        return self._ask("GET", "/turkbatch/calls")

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=content, method=method)
        with urllib.request.urlopen(request) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer

    def ours(self) -> MTurkClient:
        """Make a client as the commands do."""
        return connect.client(endpoint_url=self.url)

    def bare(self, *, adaptive: bool = False) -> MTurkClient:
        """Make a client as boto3 alone does, with its own adaptive pacing or without."""
        return boto3.client(
            "mturk",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
            config=botocore.config.Config(
                max_pool_connections=CONNECTIONS,
                retries={"mode": "adaptive", "max_attempts": 10}
                if adaptive
                else {"total_max_attempts": 1},
            ),
        )


@contextlib.contextmanager
def running(folder: Path, *, latency: float) -> Iterator[Server]:
    """Run a server on a new database for as long as the block lasts."""
    database = folder / "server.db"
    command = [sys.executable, "-m", "turkbatch", "server", "run", "--port", "0"]
    command += ["--database", str(database), "--fault", f"latency={latency}"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ
    )
    try:
        assert process.stdout is not None, "it is a pipe"
        url = process.stdout.readline().strip()
        assert url, "the server did not start"
        yield Server(url, database)
    finally:
        process.terminate()
        process.wait()
