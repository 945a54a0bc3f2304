"""A server that can kill its client, batches in every state, and when the soak runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.reliability import harness
from turkbatch.batch import directory
from turkbatch.server import store

CRASH_POINTS = "crash points"
FIGURES = "figures"

Make = Callable[..., Path]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out unless ``-m`` speaks of them; then begin with the longest."""
    wanted = config.option.markexpr.split()
    long = [marker for marker in ("soak", "load") if marker not in wanted]
    left = [one for one in items if any(one.get_closest_marker(marker) for marker in long)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [one for one in items if one not in left]
    if "soak" in wanted:
        items.sort(key=_patience, reverse=True)


def _patience(item: pytest.Item) -> float:
    own = item.get_closest_marker("timeout")
    return float(own.args[0]) if own else 0.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at how many points a process was killed."""
    points = sum(
        int(str(value))
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == CRASH_POINTS
    )
    if points:
        terminalreporter.write_line(f"{points} crash points: no HIT lost, none doubled")
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == FIGURES and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")


@pytest.fixture
def served(database: str) -> Iterator[harness.KillingService]:
    """Our own server, which can kill the process that asks it."""
    with store.Store.open(database) as opened:
        yield harness.KillingService(opened)


@pytest.fixture
def at_server(mturk: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have every command, in this process or another, go to the server over HTTP."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_MTURK", mturk)
    return mturk


@pytest.fixture
def published(
    run: Run, served: harness.KillingService, definition: Path, at_server: str, tmp_path: Path
) -> Make:
    """Make batches: published, worked on, approved, saved or expired."""
    del at_server

    def make(name: str, *, rows: int = 3, state: str = "published") -> Path:
        data = harness.write_rows(tmp_path / f"{name}.jsonl", rows)
        run("create-batch", definition, data, ".", "--batch-id", name, "--yes")
        path = tmp_path / f"batch-{name}"
        steps = ("published", "worked", "approved", "saved").index(state)
        if steps >= 1:
            harness.work(served, directory.open_batch(path).hit_ids())
        if steps >= 2:
            run("review-batch", path, "--approve-all", "--yes")
        if steps >= 3:
            run("save-batch", path)
        return path

    return make


@pytest.fixture
def count_points(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Write down how many crash points a test went through."""

    def count(points: int) -> None:
        record_property(CRASH_POINTS, points)

    return count
