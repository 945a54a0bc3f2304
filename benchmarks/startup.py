"""How long a command takes before it does anything."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.figures import Figure

ROUNDS = 8


def measure() -> Iterator[Figure]:
    """Hold ``--help`` against importing click."""
    ours, click = [], []
    for _ in range(ROUNDS):
        ours.append(_seconds("-m", "turkbatch", "--help"))
        click.append(_seconds("-c", "import click"))
    detail = f"{1000 * min(ours):.0f} ms, import click {1000 * min(click):.0f} ms"
    yield Figure("--help / import click", 1.5, min(ours) / min(click), "at most", detail=detail)


def _seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
