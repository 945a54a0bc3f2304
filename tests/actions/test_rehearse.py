from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from turkbatch import actions, errors

PAGE = """<!DOCTYPE html><html><head><title>Sort</title></head><body>
<form name="mturk_form" id="mturk_form" method="post">
<input type="hidden" name="assignmentId" id="assignmentId" value="">
<p>{{ text }}</p>
<input type="radio" name="sort" value="cat" required><input type="radio" name="sort" value="dog">
<input name="why" required>
<input type="submit" id="submitButton" value="Submit"></form>
<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script>
<script>turkSetAssignmentID();</script></body></html>"""
TELLING = ("WorkerId", "Input.text", "sort", "why")


@pytest.fixture(autouse=True)
def _own_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))


@pytest.fixture
def sorting(definition: Path) -> Path:
    (definition / "question.html.j2").write_text(PAGE)
    (definition / "hitproperties.json").write_text(
        '{"MaxAssignments": 3, "LifetimeInSeconds": 86400}'
    )
    return definition


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    path = tmp_path / "animals.csv"
    path.write_text("text,kind\nIt purrs.,cat\nIt barks.,dog\nIt swims.,fish\nIt naps.,\n")
    return path


def changed(definition: Path, name: str, **properties: Any) -> Path:
    path = definition / name
    path.write_text(json.dumps(json.loads(path.read_text()) | properties, indent=1))
    return definition


def rules(done: actions.Rehearsal) -> list[str]:
    return [one.rule for one in done.findings]


def telling(rows: tuple[Mapping[str, Any], ...]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in TELLING) for row in rows]


def test_a_rehearsal_is_the_whole_life_and_leaves_nothing_behind(
    definition: Path, rows: Path, tmp_path: Path, database: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    steps: dict[str, tuple[int, int | None]] = {}
    done = actions.rehearse_batch(
        definition, rows, progress=lambda step, *how_far: steps.update({step: how_far})
    )

    assert (done.hits, done.assignments, done.left, done.spammers) == (3, 6, 0, ())
    assert [row["Input.word"] for row in done.rows] == [
        word for word in ("sky", "grass", "snow") for _ in range(2)
    ]
    assert {row["AssignmentStatus"] for row in done.rows} == {"Approved"}
    assert all(row["colour"] for row in done.rows)
    assert (done.cost.total, done.paid) == (Decimal("0.72"), Decimal("0.72"))
    assert done.median_work_seconds is not None
    assert 20 < done.median_work_seconds < 300
    assert (done.findings, done.kept) == ((), None)
    assert steps["answering forms"] == (3, 3)
    assert steps["saving HITs"] == (3, 3)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path(database).exists()


def test_the_same_seed_gives_the_same_table_and_another_one_another(
    sorting: Path, animals: Path
) -> None:
    first, again, other = (
        telling(actions.rehearse_batch(sorting, animals, seed=seed).rows) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_answers_follow_the_truth_of_a_column(sorting: Path, animals: Path) -> None:
    done = actions.rehearse_batch(sorting, animals, accuracy=1.0, truth={"sort": "kind"})
    answered = [(row["Input.kind"], row["sort"]) for row in done.rows]

    assert answered[:6] == [("cat", "cat")] * 3 + [("dog", "dog")] * 3
    [fish] = [one for one in done.findings if one.rule == "truth-not-an-answer"]
    assert str(fish) == (
        f'{animals}:4: what is right for "sort" is nothing that could be answered there;'
        " write it as an answer has it: the value of an option, several joined with |"
    )


def test_spammers_are_named_and_quick(sorting: Path, animals: Path) -> None:
    changed(sorting, "hitproperties.json", MaxAssignments=8)
    done = actions.rehearse_batch(sorting, animals, workers=8, spam=0.5, speed=2)
    times: dict[bool, list[int]] = {True: [], False: []}
    for row in done.rows:
        times[row["WorkerId"] in done.spammers].append(row["WorkTimeInSeconds"])

    assert len(done.spammers) == 4
    assert sum(times[True]) * 2 < sum(times[False])


def test_what_is_kept_is_the_batch_with_its_table(
    sorting: Path, animals: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "new" / "kept"
    done = actions.rehearse_batch(sorting, animals, keep=kept)

    assert sorted(path.name for path in kept.iterdir() if "server.db" not in path.name) == [
        "batch-rehearsal",
        "results.csv",
    ]
    with (kept / "results.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [tuple(row[name] for name in TELLING) for row in table] == telling(done.rows)
    extracted = actions.extract_tabular(kept / "batch-rehearsal", tmp_path / "again.csv")
    assert (extracted.assignments, done.kept) == (12, kept)
    with pytest.raises(errors.BatchError, match="kept: is there already"):
        actions.rehearse_batch(sorting, animals, keep=kept)


def test_rows_whose_page_asks_for_nothing_are_named(sorting: Path, animals: Path) -> None:
    page = PAGE.replace('<input type="radio"', '{% if kind %}<input type="radio"', 1)
    page = page.replace('<input name="why" required>', '<input name="why" required>{% endif %}')
    (sorting / "question.html.j2").write_text(page)
    done = actions.rehearse_batch(sorting, animals)

    assert [one.where for one in done.findings if one.rule == "empty-form"] == [f"{animals}:5"]


def test_fields_that_collide_hold_nothing_or_cannot_be_filled_are_named(
    sorting: Path, animals: Path
) -> None:
    more = '<input name="WorkerId" required><input name="code" required pattern="(?=a)b">'
    page = PAGE.replace("<p>", f'{more}<input type="hidden" name="clicks" value=""><p>')
    (sorting / "question.html.j2").write_text(page)
    done = actions.rehearse_batch(sorting, animals)
    found = {one.rule: one.found for one in done.findings}

    assert found["colliding-field"] == (
        'the field "WorkerId" is named like a column of the results'
    )
    assert found["unfillable-field"] == 'nothing was found that the field "code" takes'
    assert found["always-empty"] == 'nobody had anything in the field "clicks"'
    assert all(row["Answer.WorkerId"] for row in done.rows)


def test_too_little_time_and_too_few_workers_are_told(sorting: Path, animals: Path) -> None:
    changed(sorting, "hittypeproperties.json", AssignmentDurationInSeconds=30)
    done = actions.rehearse_batch(sorting, animals, workers=2)

    assert {"short-duration", "few-workers"} <= set(rules(done))
    assert (done.assignments, done.left) == (8, 4)


def test_requirements_that_can_be_met_are_and_others_are_told(sorting: Path, animals: Path) -> None:
    def requires(type_id: str, comparator: str, *values: int) -> dict[str, Any]:
        given = {"IntegerValues": list(values)} if values else {}
        return {"QualificationTypeId": type_id, "Comparator": comparator, **given}

    changed(
        sorting,
        "hittypeproperties.json",
        QualificationRequirements=[
            requires("@Masters", "Exists"),
            requires("@Trained", "GreaterThan", 7),
            requires("3ABCDEFGHIJKLMNOPQRSTUVWXYZ123", "EqualTo", 1),
        ],
    )
    done = actions.rehearse_batch(sorting, animals)
    assert (done.assignments, done.left) == (12, 0)
    assert "own-qualification" in rules(done)

    changed(
        sorting,
        "hittypeproperties.json",
        QualificationRequirements=[
            requires("@Trained", "GreaterThan", 7),
            requires("@Trained", "LessThan", 8),
        ],
    )
    done = actions.rehearse_batch(sorting, animals)
    assert (done.rows, done.left) == ((), 12)
    assert "unmeetable-requirements" in rules(done)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truth": {"sort": "kinds"}}, 'has no column "kinds"; did you mean "kind"'),
        ({"truth": {"sorts": "kind"}}, 'no page has a field "sorts".*did you mean "sort"'),
        ({"accuracy": 1.5}, "accuracy 1.5 is no share"),
        ({"speed": 0}, "speed 0 is none"),
    ],
)
def test_what_makes_no_sense_is_refused(
    sorting: Path, animals: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(errors.RefusedError, match=message):
        actions.rehearse_batch(sorting, animals, **options)
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_inputs_that_create_batch_refuses_are_refused(definition: Path, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"other": 1}\n')
    with pytest.raises(errors.InputError, match="word"):
        actions.rehearse_batch(definition, tmp_path / "data.jsonl")
