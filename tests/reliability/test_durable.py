"""What is on disk, and not only in the system's memory, when the power may fail."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.conftest import Make
from turkbatch import actions, connect, files
from turkbatch.batch import directory

ROWS = files.Together.GROUP + 2
"""More than are put in place at once."""


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """What was made durable so far: the inode, and when it had last been changed."""
    seen: list[tuple[int, float]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        found = os.fstat(descriptor)
        fsync(descriptor)
        seen.append(_state(found))

    monkeypatch.setattr(os, "fsync", noted)
    return seen


def _state(found: os.stat_result) -> tuple[int, float]:
    """Tell a state of a file from every other: a directory's by its names' last change."""
    return found.st_ino, found.st_mtime_ns if stat.S_ISDIR(found.st_mode) else found.st_size


def durable(path: Path, synced: list[tuple[int, float]]) -> bool:
    return _state(path.stat()) in synced


def test_everything_is_durable_when_a_save_ends(
    published: Make, at_server: str, synced: list[tuple[int, float]]
) -> None:
    batch = published("b", rows=ROWS, state="approved")
    actions.save_batch(connect.client(endpoint_url=at_server), batch)
    results = directory.open_batch(batch).results
    expected = [batch, results.path]
    for hit_id in results.hit_ids():
        folder = results.directory(hit_id)
        expected += [folder, folder / "hit.jsonl", folder / "assignments.jsonl"]
    assert len(expected) == 2 + 3 * ROWS
    assert [path for path in expected if not durable(path, synced)] == []


def test_a_hit_is_deleted_only_after_its_results_are_durable_whoever_wrote_them(
    published: Make, at_server: str, synced: list[tuple[int, float]]
) -> None:
    batch = published("b", rows=5, state="saved")
    # Of who saved it, and of how that ended, nothing is known: as in a copy.
    synced.clear()
    results = directory.open_batch(batch).results
    client = connect.client(endpoint_url=at_server)
    before: dict[str, list[bool]] = {}

    def about_to_delete(params: dict[str, Any], **_: object) -> None:
        folder = results.directory(params["HITId"])
        needed = [folder, folder / "hit.jsonl", folder / "assignments.jsonl", results.path, batch]
        before[params["HITId"]] = [durable(path, synced) for path in needed]

    client.meta.events.register("provide-client-params.mturk.DeleteHIT", about_to_delete)
    actions.delete_batch(client, batch)
    assert before == dict.fromkeys(results.hit_ids(), [True] * 5)
