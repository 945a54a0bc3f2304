"""Extraction leaves no saved result out, whatever became of the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Run


@pytest.fixture
def batch(run: Run, definition: Path, rows: Path) -> Path:
    path = run("create-batch", definition, rows, ".", "--local", "-y").stdout.strip()
    run("server", "work", path)
    run("save-batch", path, code=3)
    return Path(path)


def _words(run: Run, batch: Path) -> list[str | None]:
    run("extract", "tabular", batch, "out.jsonl", "--inputs")
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    return [row.get("Input.word") for row in rows]


def test_rows_come_in_the_order_of_the_data(run: Run, batch: Path) -> None:
    assert _words(run, batch) == ["sky", "sky", "grass", "grass", "snow", "snow"]


def test_a_hit_whose_row_is_gone_is_still_extracted(run: Run, batch: Path) -> None:
    (batch / "data.jsonl").write_text('{"word": "sky"}\n')
    assert _words(run, batch) == ["sky", "sky", None, None, None, None]


def test_data_that_can_not_be_read_hinders_only_what_needs_it(run: Run, batch: Path) -> None:
    (batch / "data.jsonl").write_text("no JSON")
    run("extract", "tabular", batch, "out.csv")
    assert len(Path("out.csv").read_text().splitlines()) == 1 + 6
    assert "data.jsonl:1" in run("extract", "tabular", batch, "x.csv", "--inputs", code=1).stderr
    assert not Path("x.csv").exists()


def test_hits_that_are_only_partly_saved_are_extracted(run: Run, batch: Path) -> None:
    first = sorted((batch / "results").iterdir())[0]
    (first / "hit.jsonl").unlink()
    assert len(_words(run, batch)) == 4
