"""Real definitions, layouts and forms that nobody here wrote, where they are at hand."""

from __future__ import annotations

import collections
import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from turkbatch import errors, question
from turkbatch.question import check, lint, placeholders

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the collection of real definitions is not here"
)

TOO_LARGE_DEFINITIONS = {
    "allenai+zest/mturk-templates/labels/classification/definition",
    "allenai+zest/mturk-templates/tasks/output-structure/definition",
}
TOO_LARGE_LAYOUTS = {
    "ANES 2008 open-ended survey/template.html",
    "ATOMIC - Required Objects (Sequence)/template.html",
    "ATOMIC - Required Objects/template.html",
    "ATOMIC Validate GL/template.html",
    "ESNLI Rationale Generation/template.html",
    "Ethics_sbic Dialogue/template.html",
    "Goal feasibility/template.html",
    "Human evaluation - gentle vs canary/template.html",
    "Rationale Generation/template.html",
    "Script KD eval/template.html",
    "VQA Rationale Generation/template.html",
    "template/ACRHR_template.html",
    "template/ACR_template.html",
    "template/DCR_template.html",
    "template/avatar_template.html",
}


def outcomes(template: question.Template, rows: list[dict[str, object]]) -> set[str]:
    """Render every row; name the kinds of question, or the rules that refused them."""
    found: set[str] = set()
    for number, row in enumerate(rows, 1):
        try:
            found.add(template.render(row, where=f"data:{number}").kind)
        except errors.InputError as error:
            found.update(finding.rule for finding in error.findings)
    return found


def test_every_definition_of_amti_renders_with_its_data() -> None:
    results = {}
    root = CORPUS / "amti_definitions"
    for file in sorted(root.rglob("question.xml.j2")):
        lines = (file.parents[1] / "data.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        template = question.load(file.parent, columns=list({name for row in rows for name in row}))
        assert [finding.rule for finding in template.unfilled(template.columns)] == []
        results[file.parent.relative_to(root).as_posix()] = outcomes(template, rows)
    assert len(results) > 10
    assert {name for name, found in results.items() if found == {"question-too-large"}} == (
        TOO_LARGE_DEFINITIONS
    )
    assert set().union(*(results[name] for name in results.keys() - TOO_LARGE_DEFINITIONS)) == {
        "HTMLQuestion",
        "ExternalQuestion",
    }


def layouts() -> Iterator[tuple[Path, list[str], list[dict[str, object]]]]:
    """Yield each layout with the columns and rows of its CSV, where it has one."""
    root = CORPUS / "requester_templates"
    for file in sorted([*root.rglob("*.html"), *root.rglob("*.html.template")]):
        beside = ("batch.csv", "input.csv", "tasks.csv", f"{file.stem}.csv")
        names = [*beside, f"{file.stem}_example_input.csv"]
        data = next((file.parent / name for name in names if (file.parent / name).exists()), None)
        if data is None:
            text = file.read_text(encoding="utf-8")
            columns = [
                item.name for item in placeholders.scan(text, []) if item.name.isidentifier()
            ]
            yield file, columns, [dict.fromkeys(columns, "x")]
            continue
        with data.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            rows: list[dict[str, object]] = [dict(row) for row in reader]
            yield file, list(reader.fieldnames or []), rows


def test_every_layout_is_filled_and_wrapped_unless_it_is_too_large(tmp_path: Path) -> None:
    results = {}
    for file, columns, rows in layouts():
        shutil.copy(file, tmp_path / "question.html")
        template = question.load(tmp_path, columns=columns)
        results[f"{file.parent.name}/{file.name}"] = outcomes(template, rows)
    assert len(results) > 80
    too_large = {name for name, found in results.items() if found == {"question-too-large"}}
    assert too_large == TOO_LARGE_LAYOUTS
    rest = [found for name, found in results.items() if name not in too_large]
    assert [found for found in rest if found != {"HTMLQuestion"}] == []


def test_every_layout_can_be_submitted_once_it_is_completed(tmp_path: Path) -> None:
    impossible = {"no-submit", "no-assignment-id", "unknown-crowd-element", "no-crowd-script"}
    counts: collections.Counter[str] = collections.Counter()
    for file, columns, rows in layouts():
        shutil.copy(file, tmp_path / "question.html")
        template = question.load(tmp_path, columns=columns)
        counts.update(note.rule for note in template.notes)
        try:
            page = template.render(rows[0], where="data:1").html or ""
        except errors.QuestionError:
            continue
        found = lint.page(page, file="question.html", environment="sandbox")
        assert impossible.intersection(finding.rule for finding in found) == set(), file
    assert counts["completed-layout"] > 100


def test_javascript_of_real_layouts_is_not_taken_for_placeholders() -> None:
    left = collections.Counter(
        (file.name, item.reason)
        for file, columns, _ in layouts()
        for item in placeholders.scan(file.read_text(encoding="utf-8-sig"), columns)
        if not item.taken
    )
    assert left == {
        (f"{name}_template.html", "an expression, not a name"): 5
        for name in ("ACR", "ACRHR", "DCR", "avatar")
    }


def test_every_form_and_key_follows_our_schemas() -> None:
    files = [*(CORPUS / "questionforms").rglob("*"), *(CORPUS / "amti_definitions").rglob("*.xml")]
    kinds: collections.Counter[str] = collections.Counter()
    for file in sorted(file for file in files if file.is_file()):
        root = etree.parse(str(file)).getroot()
        namespace, kind = etree.QName(root).namespace or "", etree.QName(root).localname
        if not namespace.endswith(f"/{kind}.xsd"):
            continue  # a part of a form, to be put into one
        kinds[kind] += 1
        check._schema(namespace).assertValid(root)
        if kind == "QuestionForm":
            text = file.read_text(encoding="utf-8")
            checked = check.question(text, file=file.name, line=None, template=file.name)
            assert checked.findings == ()
    assert kinds == {"QuestionForm": 9, "AnswerKey": 6, "HTMLQuestion": 3} | {
        "ExternalQuestion": 1,
        "QuestionFormAnswers": 1,
    }
