"""The whole life of a batch, as commands."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Run


def test_a_batch_lives_from_creation_to_deletion(run: Run, definition: Path, rows: Path) -> None:
    batch = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    assert run("server", "work", batch, "--seed", "1").exit_code == 0
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    run("expire-batch", batch)
    run("delete-batch", batch)
    run("extract", "tabular", batch, "out.jsonl", "--inputs")

    table = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["Input.word"] for row in table] == ["sky", "sky", "grass", "grass", "snow", "snow"]
    assert {row["AssignmentStatus"] for row in table} == {"Approved"}
    assert all(row["colour"] for row in table)
