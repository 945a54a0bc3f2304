"""``python -m benchmarks [--quick]``: every figure as a ratio within one run.

The server runs in a process of its own and adds 50 ms to each reply. Starting up is not
counted. Nothing here fails: the table says which figures are short.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import batches, extraction, figures, rendering, server, service, startup, workers

LATENCY_SECONDS = 0.05


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller batch, for CI")
    parser.add_argument(
        "only",
        nargs="*",
        choices=[
            [],
            "batches",
            "limit",
            "extraction",
            "rendering",
            "service",
            "startup",
            "workers",
        ],
    )
    options = parser.parse_args()
    os.environ.pop("AWS_ENDPOINT_URL_MTURK", None)
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for figure in measure(Path(folder), quick=options.quick, only=options.only):
            print(*figure.cells(), sep="  ", file=sys.stderr, flush=True)  # noqa: T201
            found.append(figure)
    print(figures.table(found))  # noqa: T201


def measure(folder: Path, *, quick: bool, only: list[str]) -> Iterator[figures.Figure]:
    """Give the figures one by one."""
    hits, sample, rounds = (200, 20, 3) if quick else (1000, 60, 3)
    with server.running(folder, latency=LATENCY_SECONDS) as served:
        if not only or "batches" in only:
            yield from batches.measure(served, folder, hits=hits, sample=sample, rounds=rounds)
        if not only or "limit" in only:
            yield from batches.measure_limit(served, folder, hits=200 if quick else 600)
        if not only or "workers" in only:
            yield from workers.measure(
                served, folder, associated=200 if quick else 1000, notified=10_000
            )
    if not only or "extraction" in only:
        yield from extraction.measure(folder, assignments=10_000 if quick else 100_000)
    if not only or "rendering" in only:
        yield from rendering.measure(folder, rows=2_000 if quick else 10_000)
    if not only or "service" in only:
        yield from service.measure(folder, quick=quick)
    if not only or "startup" in only:
        yield from startup.measure()


if __name__ == "__main__":
    main()
