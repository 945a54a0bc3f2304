from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch import actions, errors


def test_a_pilots_results_become_a_pool(run: Run, definition: Path, rows: Path) -> None:
    batch = run("create-batch", definition, rows, "--yes", "--local").stdout.strip()
    run("server", "work", batch)
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    run("extract", "tabular", batch, "table.csv")
    table = list(csv.DictReader(io.StringIO(Path("table.csv").read_text())))
    words = sorted({row["WorkerId"] for row in table})
    with Path("scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["WorkerId", "correct"])
        for row in table:
            writer.writerow([row["WorkerId"], row["WorkerId"] == words[0]])
    command: tuple[str, ...] = (
        "screen-workers",
        "scores.csv",
        "--score",
        "correct",
        "--at-least",
        "0.5",
    )
    command += ("--grant", "Good eyes", "--local")
    dry = run(*command, "--dry-run")
    assert f"1 of {len(words)} workers have 0.5 or more." in dry.stderr
    chosen = [row["WorkerId"] for row in csv.DictReader(io.StringIO(dry.stdout)) if row["Chosen"]]
    assert chosen == [words[0]]
    assert "1 were granted 'Good eyes' now, 0 were before." in run(*command).stderr
    assert "0 were granted 'Good eyes' now, 1 were before." in run(*command).stderr
    path = definition / "hittypeproperties.json"
    required = [{"QualificationTypeId": "@Good eyes", "Comparator": "Exists"}]
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "QualificationRequirements": required})
    )
    run("create-batch", definition, rows, "--yes", "--local")


def test_a_batchs_own_column_is_scored(run: Run, definition: Path, tmp_path: Path) -> None:
    data = tmp_path / "gold.jsonl"
    data.write_text('{"word": "sky", "difficulty": 2}\n{"word": "sea", "difficulty": 4}\n')
    batch = run("create-batch", definition, data, "--yes", "--local").stdout.strip()
    run("server", "work", batch, "--workers", 2)
    run("save-batch", batch, code=3)
    run("extract", "tabular", batch, "table.jsonl", "--inputs")
    [column] = [
        name
        for name in json.loads(Path("table.jsonl").read_text().splitlines()[0])
        if name.endswith("difficulty")
    ]
    scores = actions.score_workers(batch, column)
    assert [(one.score, one.assignments) for one in scores] == [(3.0, 2), (3.0, 2)]
    with pytest.raises(errors.DataError, match='has no "nothing"; there are'):
        actions.score_workers(batch, "nothing")
    with pytest.raises(errors.DataError, match="a number, or true or false, is expected"):
        actions.score_workers(batch, "colour")
