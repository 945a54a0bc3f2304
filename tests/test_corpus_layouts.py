"""Layouts of the requester website that nobody here wrote, each through a whole life.

Every layout is uploaded with rows of its own CSV, worked on by simulated workers, saved and
extracted in the website's columns, unless a rule that is named here refuses it.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from turkbatch import actions, connect, errors, question
from turkbatch.batch import data as batch_data
from turkbatch.question import placeholders
from turkbatch.question.page import Page
from turkbatch.server import crowd, service

CORPUS = ROOT.parent / "shared" / "corpus" / "requester_templates"

ROWS = 2
ASSIGNMENTS = 4


def layouts() -> list[Path]:
    return sorted([*CORPUS.rglob("*.html"), *CORPUS.rglob("*.html.template")])


def data_of(layout: Path, target: Path) -> Path:
    """Write the first rows of the CSV that belongs to a layout, or a row of its names."""
    beside = ("batch.csv", "input.csv", "tasks.csv", f"{layout.stem}.csv")
    names = (*beside, f"{layout.stem}_example_input.csv")
    source = next((layout.parent / name for name in names if (layout.parent / name).exists()), None)
    path = target / "data.jsonl"
    if source is None:
        text = layout.read_text(encoding="utf-8-sig")
        columns = [one.name for one in placeholders.scan(text, []) if one.name.isidentifier()]
        path.write_text(json.dumps(dict.fromkeys(columns, "x")) + "\n")
        return path
    read = batch_data.read(source)
    rows = [row.fields for row, _ in zip(read, range(ROWS), strict=False)]
    path = path.with_suffix(".csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, read.columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


TOO_LARGE = {
    "ACRHR_template.html",
    "ACR_template.html",
    "ANES 2008 open-ended survey",
    "ATOMIC - Required Objects",
    "ATOMIC - Required Objects (Sequence)",
    "ATOMIC Validate GL",
    "DCR_template.html",
    "ESNLI Rationale Generation",
    "Ethics_sbic Dialogue",
    "Goal feasibility",
    "Human evaluation - gentle vs canary",
    "Rationale Generation",
    "Script KD eval",
    "VQA Rationale Generation",
    "avatar_template.html",
}
"""Refused by ``question-too-large``: MTurk's limit is 65,535 bytes."""

FILLED_BY_SCRIPTS = {
    "BiSECT Multilingual Evaluation": {"start_timestamp", "end_timestamp"},
}
"""Hidden fields of a crowd-form that are empty as served, which it leaves out."""

WITHOUT_FIELDS = {"Scalar Adjectives Identification", "empty-template.html", "index.html"}
"""Pages that have no field as served; scripts make them, or nobody does."""


def name_of(layout: Path) -> str:
    return layout.parent.name if layout.name == "template.html" else layout.name


def fields_of(page: Page) -> tuple[set[str], set[str]]:
    """Name the fields that a browser would post, and the buttons that it might."""
    form = "crowd-form" if any(page.named("crowd-form")) else "form"
    tags = [
        tag
        for tag in page.tags
        if tag.get("name") not in {"", "assignmentId"}
        and "disabled" not in tag.attributes
        and form in tag.within
    ]
    widgets = question.lint.CROWD_INPUTS | question.lint.CROWD_WIDGETS
    fields = {tag.get("name") for tag in tags if tag.is_field or tag.name in widgets}
    return fields, {tag.get("name") for tag in tags if tag.submits}


def published(layout: Path, target: Path) -> tuple[actions.CreatedBatch, Path]:
    (target / "definition").mkdir()
    shutil.copy(layout, target / "definition" / "question.html")
    properties = {
        "hittypeproperties.json": {
            "Title": "From the website",
            "Description": "As it is.",
            "Reward": "0.05",
            "AssignmentDurationInSeconds": 3600,
        },
        "hitproperties.json": {"MaxAssignments": ASSIGNMENTS, "LifetimeInSeconds": 86400},
    }
    for name, values in properties.items():
        (target / "definition" / name).write_text(json.dumps(values))
    data = data_of(layout, target)
    client = connect.client(local=True)
    return actions.create_batch(client, target / "definition", data, target), data


def answered(table: list[dict[str, str]]) -> set[str]:
    """Name the answers; of a crowd-form's leaves, the field that they belong to."""
    columns = {name for row in table for name in row if name.startswith("Answer.")}
    return {name.removeprefix("Answer.") for name in columns}


def field(answer: str, names: set[str]) -> str:
    owners = [name for name in names if answer == name or answer.startswith(f"{name}.")]
    return max(owners, key=len, default=answer)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real layouts is not here")
@pytest.mark.parametrize("layout", layouts(), ids=name_of)
def test_layout_of_the_website_runs_unchanged(
    layout: Path, tmp_path: Path, served: service.Service
) -> None:
    name = name_of(layout)
    try:
        batch, data = published(layout, tmp_path)
    except errors.InputError as error:
        refused_by = {one.rule for one in error.findings}
        assert (refused_by, name in TOO_LARGE) == ({"question-too-large"}, True)
        return
    assert name not in TOO_LARGE
    crowd.work(served, hit_ids=batch.hit_ids, seed=1)
    client = connect.client(local=True)
    actions.save_batch(client, batch.batch_dir)
    actions.extract_tabular(batch.batch_dir, tmp_path / "site.csv", style="requester")

    with (tmp_path / "site.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    read = batch_data.read(data)
    rows = [row.fields for row in read]
    inputs = [{column: row[f"Input.{column}"] for column in read.columns} for row in table]
    assert inputs == [row for row in rows for _ in range(ASSIGNMENTS)]

    question_xml = client.get_hit(HITId=batch.hit_ids[0])["HIT"]["Question"]
    html = question.check.question(question_xml, file="", line=None, template="").html or ""
    fields, buttons = fields_of(Page(html))
    found = {field(answer, fields | buttons) for answer in answered(table)}
    assert found - buttons == fields - FILLED_BY_SCRIPTS.get(name, set())
    assert (not fields) == (name in WITHOUT_FIELDS)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real layouts is not here")
def test_fields_that_only_scripts_make_are_named_in_a_note() -> None:
    named: dict[str, dict[str, str]] = {}
    for layout in layouts():
        page = layout.read_text(encoding="utf-8-sig")
        found = question.lint.page(page, file="question.html", environment="sandbox")
        for one in found:
            if (
                one.rule in {"scripted-fields", "no-named-field"}
                and name_of(layout) not in TOO_LARGE
            ):
                named.setdefault(name_of(layout), {})[one.rule] = one.found
    some = "fields whose names are computed"
    computed = {"scripted-fields": f"scripts make {some}"}
    nothing = {"no-named-field": "no field of the form has a name"}
    edits = '"edit1", "edit10", "edit11", "edit12", "edit13" and 10 more'
    assert named == {
        "Gun violence structured extraction": computed,
        "HTER": {"scripted-fields": f"scripts make {edits}"},
        "Paraphrase Clustering with Merge": {
            "scripted-fields": f'scripts make "trash", "unsorted" and {some}'
        },
        "Passive voice Parents 1st-2nd Person Persuasiveness Comparison": computed,
        "Scalar Adjectives Identification": computed
        | {"no-named-field": "no field has a name as the page stands; its scripts may make them"},
        "Sentence Compression": computed,
        "empty-template.html": nothing,
        "index.html": nothing,
        "neural-pop (PLAN evaluation) t5-human-test b": {
            "scripted-fields": f'scripts make "checkboxes" and {some}'
        },
    }
