"""Each example, and amti's and zest's own definitions, through a whole life."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run
from turkbatch.server import crowd as crowds

QUALIFIED = "html-question-with-qualification"
"""Needs a qualification type first; see tests/cli/test_second_seed.py for another such."""
EXAMPLES = sorted(
    path.parent.parent.name
    for path in (ROOT / "examples").glob("*/definition/hittypeproperties.json")
    if path.parent.parent.name != QUALIFIED
)
TYPES = sorted(
    path.parent.parent.name
    for path in (ROOT / "examples").glob("*/definition/qualificationtypeproperties.json")
)
CORPUS = ROOT.parent / "shared" / "corpus" / "amti_definitions"

TOO_LARGE = {
    "allenai+zest/mturk-templates/labels/classification",
    "allenai+zest/mturk-templates/tasks/output-structure",
}
"""Published definitions whose every row is over MTurk's 65,535 bytes."""


def _live(run: Run, definition: Path, data: Path) -> list[dict[str, object]]:
    batch = run("create-batch", definition, data, ".", "--local", "--yes").stdout.strip()
    run("server", "work", batch)
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    run("delete-batch", batch)
    run("extract", "tabular", batch, "out.jsonl", "--inputs")
    return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_lives(run: Run, name: str) -> None:
    path = ROOT / "examples" / name
    [data] = path.glob("data.*")
    rows = _live(run, path / "definition", data)
    properties = json.loads((path / "definition" / "hitproperties.json").read_text())
    count = len(data.read_text().splitlines()) - (data.suffix == ".csv")
    assert len(rows) == count * properties["MaxAssignments"]
    assert all(row["AssignmentStatus"] == "Approved" for row in rows)
    answers = {
        key for row in rows for key in row if key[0].islower() and not key.startswith("Input")
    }
    assert answers


@pytest.mark.parametrize("name", TYPES)
def test_every_qualification_type_lives(run: Run, name: str) -> None:
    made = run("create-qualificationtype", ROOT / "examples" / name / "definition", "--local")
    assert "Warning" not in made.stderr
    path = made.stdout.strip()
    assert "Nothing differs" in run("update-qualificationtype", path).stderr
    run("status-qualificationtype", path)
    run("delete-qualificationtype", path)


def test_an_example_with_a_qualification_lives(run: Run) -> None:
    examples = ROOT / "examples"
    batch = (examples / QUALIFIED / "definition", examples / QUALIFIED / "data.jsonl")
    refused = run("create-batch", *batch, "--local", "--yes", code=1)
    assert 'no qualification type is called "@Names of colours (example)"' in refused.stderr
    definition = examples / "qualification-type" / "definition"
    made = run("create-qualificationtype", definition, "--local")
    run("create-batch", *batch, "--local", "--yes", "--batch-id", "words")
    crowd = [crowds.worker_id(number) for number in (1, 2)]
    run("associate-qual", *crowd, "-q", made.stdout.strip(), "-i", 100, "--local")
    run("server", "work", "batch-words")
    run("save-batch", "batch-words", code=3)
    assignments = [
        json.loads(line)
        for path in Path("batch-words", "results").glob("*/assignments.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert {one["WorkerId"] for one in assignments} == set(crowd)


def _definitions() -> list[object]:
    if not CORPUS.is_dir():
        skip = pytest.mark.skip(reason=f"the corpus of published definitions is not at {CORPUS}")
        return [pytest.param(None, marks=skip)]
    found = sorted(CORPUS.glob("**/definition/hittypeproperties.json"))
    return [
        pytest.param(path.parent.parent, id=str(path.parent.parent.relative_to(CORPUS)))
        for path in found
        if (path.parent.parent / "data.jsonl").is_file()
    ]


@pytest.mark.parametrize("path", _definitions())
def test_published_definitions_live_unchanged(run: Run, path: Path) -> None:
    definition, data = path / "definition", path / "data.jsonl"
    if str(path.relative_to(CORPUS)) in TOO_LARGE:
        result = run("create-batch", definition, data, ".", "--local", "--yes", code=1)
        assert "more than MTurk's limit of 65,535" in result.stderr
        return
    qualification = "html-question-with-qualification"
    if path.name == qualification:
        checked = run("check-batch", definition, data)
        assert "[qualification-placeholder]" in checked.stdout
        return
    rows = _live(run, definition, data)
    assert len(rows) >= len(data.read_text().splitlines())
    assert all(row["AssignmentStatus"] == "Approved" for row in rows)
