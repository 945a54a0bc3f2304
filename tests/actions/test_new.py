from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch import actions, errors

NAMES = [one.name for one in actions.starters()]


def test_starters_are_those_of_the_website_that_matter() -> None:
    assert NAMES == [
        "data-collection",
        "emotion-detection",
        "image-classification",
        "image-transcription",
        "moderation",
        "pairwise-comparison",
        "semantic-similarity",
        "sentiment",
        "survey-link",
        "text-classification",
        "utterance-collection",
    ]
    assert all(one.description.endswith(".") for one in actions.starters())


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_nothing_to_say(name: str, tmp_path: Path) -> None:
    made = actions.new_definition(name, tmp_path / "new")
    checked = actions.check_batch(made.definition_dir, made.data_path)
    assert (checked.findings, checked.rows) == ((), 3)


@pytest.mark.parametrize("name", NAMES)
def test_notes_explain_every_property_column_and_answer(name: str, tmp_path: Path) -> None:
    made = actions.new_definition(name, tmp_path / "new")
    notes = (made.definition_dir / "NOTES").read_text(encoding="utf-8")
    properties = [
        key
        for file in ("hittypeproperties.json", "hitproperties.json")
        for key in json.loads((made.definition_dir / file).read_text(encoding="utf-8"))
    ]
    columns = made.data_path.read_text(encoding="utf-8").splitlines()[0].split(",")
    page = (made.definition_dir / "question.html.j2").read_text(encoding="utf-8")
    for word in [*columns, *re.findall(r'name="(\w+)"', page)]:
        assert re.search(rf"\b{word}\b", notes), word
    for key in properties:
        assert re.search(rf"^  {key}: ", notes, re.MULTILINE), key


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_label(name: str) -> None:
    """A field is inside its label, or a label names it."""
    root = Path(actions.__file__).parents[1] / "starters" / name / "definition"
    page = (root / "question.html.j2").read_text(encoding="utf-8")
    labelled = set(re.findall(r'<label for="(\w+)"', page))
    inside = re.sub(r"<label>.*?</label>", "", page, flags=re.DOTALL)
    fields = re.findall(r"<(?:input|select|textarea)\b[^>]*", inside)
    assert {re.search(r'id="(\w+)"', field)[1] for field in fields} == labelled  # type: ignore[index]
    assert page.count("<fieldset>") == page.count("<legend>")
    assert all("alt=" in image for image in re.findall(r"<img[^>]*>", page))


@pytest.mark.parametrize("name", NAMES)
def test_starter_lives_a_whole_life(name: str, run: Run) -> None:
    run("new-definition", name, "new")
    batch = run("create-batch", "new/definition", "new/data.csv", "--local", "-y").stdout.strip()
    worked = run("server", "work", batch, "--seed", "1")
    assert "no value" not in worked.stderr
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch)
    run("extract", "tabular", batch, "out.csv", "--style", "requester")
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    with Path("new/data.csv").open(encoding="utf-8", newline="") as file:
        data = list(csv.DictReader(file))
    each = len(table) // 3
    assert [{key: row[f"Input.{key}"] for key in data[0]} for row in table[::each]] == data
    page = Path("new/definition/question.html.j2").read_text(encoding="utf-8")
    asked = {f"Answer.{field}" for field in re.findall(r'name="(\w+)"', page)}
    assert {column for column in table[0] if column.startswith("Answer.")} == asked
    assert all(any(row[column] for row in table) for column in asked)


def test_directory_that_is_empty_is_filled_in_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("new-definition", "sentiment", "empty")
    assert result.stdout == "empty\n"
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == [
        "data.csv",
        "definition",
    ]
    refused = run("new-definition", "sentiment", "empty", code=1)
    assert "empty: is there already" in refused.stderr


def test_unknown_starter_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(errors.RefusedError, match='did you mean "sentiment"'):
        actions.new_definition("sentiments", tmp_path / "new")


def test_list_writes_nothing(run: Run) -> None:
    listed = run("new-definition", "--list").stdout
    assert [line.split()[0] for line in listed.splitlines() if line.strip()] == NAMES
