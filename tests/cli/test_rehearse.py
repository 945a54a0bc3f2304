from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch import tables


def test_the_results_are_printed_and_the_rest_is_said(
    run: Run, definition: Path, rows: Path
) -> None:
    done = run("rehearse-batch", definition, rows, "--seed", 3)
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]

    assert lines[0] == ["WorkerId", "WorkTimeInSeconds", "Input.word", "colour"]
    assert [line[2] for line in lines[2:]] == ["sky", "sky", "grass", "grass", "snow", "snow"]
    for said in ("HITs", "work time, median", "cost of the batch", "$0.72"):
        assert said in done.stderr
        assert said not in done.stdout
    assert run("rehearse-batch", definition, rows, "--seed", 3).stdout == done.stdout


def test_the_results_can_be_what_extract_writes(run: Run, definition: Path, rows: Path) -> None:
    kept = run("rehearse-batch", definition, rows, "-f", "csv", "--keep", "kept")
    assert kept.stdout == Path("kept/results.csv").read_text(encoding="utf-8")
    assert "The batch and its results are in kept." in kept.stderr

    header = next(csv.reader(io.StringIO(kept.stdout)))
    assert header == [*tables.AMTI_COLUMNS, *tables.MORE_COLUMNS, "Input.word", "colour"]
    lines = run("rehearse-batch", definition, rows, "-f", "jsonl").stdout.splitlines()
    assert [json.loads(line)["Input.word"] for line in lines[::2]] == ["sky", "grass", "snow"]


def test_json_is_one_document(run: Run, definition: Path, rows: Path) -> None:
    told = json.loads(run("rehearse-batch", definition, rows, "--json", "--spam", 1).stdout)

    assert told["cost"] == {"total": "0.72", "exact": True}
    assert (told["hits"], told["assignments"], told["paid"]) == (3, 6, "0.72")
    assert {row["WorkerId"] for row in told["rows"]} == set(told["spammers"])
    assert (told["findings"], told["kept"]) == ([], None)


def test_truth_is_a_column_and_a_field(run: Run, definition: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("word,colour\nsky,blue\ngrass,green\n")
    for truth in ("colour", "colour=colour"):
        told = json.loads(
            run(
                "rehearse-batch", definition, data, "--json", "--truth", truth, "--accuracy", 1
            ).stdout
        )
        assert [row["colour"] for row in told["rows"]] == ["blue", "blue", "green", "green"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--truth", "=colour"), 2, "give COLUMN=FIELD"),
        (("--truth", "word=colour", "--truth", "word=colour"), 2, "one right answer"),
        (("--truth", "shade=colour"), 1, 'has no column "shade"; it has word'),
        (("--accuracy", "2"), 2, "0<=x<=1"),
        (("--workers", "0"), 2, "x>=1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Run, definition: Path, rows: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    refused = run("rehearse-batch", definition, rows, *options, code=code)
    assert message in refused.stderr
    assert refused.stdout == ""


def test_it_ignores_accounts_and_servers(
    run: Run, definition: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_MTURK", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("TURKBATCH_SERVER_DB", "/nowhere/at/all.db")
    assert run("rehearse-batch", definition, rows).stdout


def test_a_slip_in_the_definition_is_named(run: Run, definition: Path, rows: Path) -> None:
    (definition / "hitproperties.json").write_text('{"MaxAssignments": 2}')
    refused = run("rehearse-batch", definition, rows, code=1)
    assert "hitproperties.json" in refused.stderr
    assert "LifetimeInSeconds" in refused.stderr


def test_without_a_browser_it_says_how_to_get_one(
    run: Run, definition: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "playwright", None)
    refused = run("rehearse-batch", definition, rows, "--browser", code=1)
    assert "pip install 'turkbatch[browser]'" in refused.stderr
    monkeypatch.undo()
    monkeypatch.setenv("TURKBATCH_CHROMIUM", "no-such-chromium")
    refused = run("rehearse-batch", definition, rows, "--browser", code=1)
    assert "TURKBATCH_CHROMIUM: no-such-chromium is no program" in refused.stderr
    assert refused.stdout == ""
