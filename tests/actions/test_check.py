"""``check-batch``: each rule of issue and of habit, by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch import actions


def _merge(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2))


def _type(**changes: object) -> Callable[[Path, Path], None]:
    return lambda definition, _: _merge(definition / "hittypeproperties.json", **changes)


def _hit(**changes: object) -> Callable[[Path, Path], None]:
    return lambda definition, _: _merge(definition / "hitproperties.json", **changes)


def _page(old: str, new: str) -> Callable[[Path, Path], None]:
    def change(definition: Path, _: Path) -> None:
        path = definition / "question.html.j2"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def _posting_to(url: str) -> Callable[[Path, Path], None]:
    """Post to an address of the page's own, without the script that would replace it."""

    def change(definition: Path, rows: Path) -> None:
        _page("turkSetAssignmentID();", "")(definition, rows)
        _page('method="post"', f'method="post" action="{url}"')(definition, rows)

    return change


def _data(text: str) -> Callable[[Path, Path], None]:
    def change(_: Path, rows: Path) -> None:
        rows.write_text(text)

    return change


REQUIRED = {"Comparator": "Exists"}
WARNINGS = [
    pytest.param(_data('{"word": "a", "more": 1}'), "unused-field", "data", id="unused field"),
    pytest.param(_hit(LifetimeInSeconds=60), "short-lifetime", "hitproperties", id="lifetime"),
    pytest.param(
        _type(AutoApprovalDelayInSeconds=3600), "early-auto-approval", "hittype", id="approval"
    ),
    pytest.param(_hit(MaxAssignments=10), "many-assignments", "hitproperties", id="fee tier"),
    pytest.param(_type(Title="x" * 129), "long-title", "hittype", id="title"),
    pytest.param(_type(Description="x" * 2001), "long-description", "hittype", id="description"),
    pytest.param(
        _type(QualificationRequirements=[{"QualificationTypeId": "$ID", **REQUIRED}]),
        "qualification-placeholder",
        "hittype",
        id="dollar placeholder",
    ),
    pytest.param(
        _type(QualificationRequirements=[{"QualificationTypeId": "MY_TYPE_ID", **REQUIRED}]),
        "qualification-placeholder",
        "hittype",
        id="named placeholder",
    ),
    pytest.param(
        _page('name="colour"', 'id="colour"'), "no-named-field", "question", id="no named field"
    ),
    pytest.param(
        _page("</textarea>", '</textarea><input name="colour">'),
        "repeated-field",
        "question",
        id="repeated field",
    ),
    pytest.param(
        _page('<input type="submit" id="submitButton" value="Submit">', ""),
        "no-submit",
        "question",
        id="no submit",
    ),
    pytest.param(
        _page('<input type="hidden" name="assignmentId" id="assignmentId" value="">', ""),
        "no-assignment-id",
        "question",
        id="no assignmentId",
    ),
    pytest.param(_page("</p>", "</b>"), "ill-formed-html", "question", id="ill-formed"),
    pytest.param(
        _page("<p>", '<img src="http://example.com/a.png" alt=""><p>'),
        "insecure-resource",
        "question",
        id="http",
    ),
    pytest.param(
        _posting_to("https://www.mturk.com/mturk/externalSubmit"),
        "wrong-submit-site",
        "question",
        id="production from the sandbox",
    ),
    pytest.param(_data(json.dumps({"word": "x" * 62_000})), "near-size-limit", "data", id="size"),
]


@pytest.mark.parametrize(("change", "rule", "file"), WARNINGS)
def test_what_is_regretted_is_warned_of(
    definition: Path, rows: Path, change: Callable[[Path, Path], None], rule: str, file: str
) -> None:
    change(definition, rows)
    checked = actions.check_batch(definition, rows)
    [found] = [one for one in checked.findings if one.rule == rule]
    assert found.severity == "warning"
    assert file in found.file or rule == "unused-field"
    assert found.why
    assert found.fix
    assert checked.ok
    ignored = actions.check_batch(definition, rows, ignore=[rule])
    assert rule not in {one.rule for one in ignored.findings}


def test_a_good_batch_has_no_finding(definition: Path, rows: Path) -> None:
    checked = actions.check_batch(definition, rows)
    assert checked.findings == ()
    assert checked.rows == 3
    assert checked.cost is not None
    assert str(checked.cost.total) == "0.72"


def test_a_misspelt_field_is_named_with_the_nearest(definition: Path, rows: Path) -> None:
    rows.write_text('{"wrod": "a"}\n')
    checked = actions.check_batch(definition, rows)
    texts = [str(one) for one in checked.findings]
    assert any('no "word"' in text and 'did you mean "wrod"' in text for text in texts)


def test_ten_assignments_are_compared_with_nine(definition: Path, rows: Path) -> None:
    _hit(MaxAssignments=10)(definition, rows)
    [found] = actions.check_batch(definition, rows).findings
    assert "$0.04 of fee each, $4.20 in all" in found.found
    assert "with 9 the fee is $0.02 each and the batch costs $3.24" in found.fix


def test_findings_come_as_json(run: Run, definition: Path, rows: Path) -> None:
    _hit(LifetimeInSeconds=60, MaxAssignments=0)(definition, rows)
    value = json.loads(run("check-batch", definition, rows, "--json", code=1).stdout)
    assert value["ok"] is False
    assert value["rows"] == 3
    [finding] = value["findings"]
    assert finding["rule"] == "wrong-value"
    assert finding["file"].endswith("hitproperties.json")
    assert finding["line"] == 2


def test_errors_can_not_be_ignored(run: Run, definition: Path, rows: Path) -> None:
    _hit(MaxAssignments=0)(definition, rows)
    run("check-batch", definition, rows, "--ignore", "wrong-value", code=1)


def test_a_dry_run_sends_and_writes_nothing(run: Run, definition: Path, rows: Path) -> None:
    before = set(Path().iterdir())
    result = run("create-batch", definition, rows, "--dry-run", "--live")
    assert "$0.72" in result.stdout
    assert set(Path().iterdir()) == before
    run("create-batch", definition, rows, "--dry-run", "--max-cost", "0.5", code=1)


def test_creation_shows_warnings(run: Run, definition: Path, rows: Path) -> None:
    _hit(LifetimeInSeconds=60)(definition, rows)
    result = run("create-batch", definition, rows, ".", "--local", "-y")
    assert "[short-lifetime]" in result.stderr
    result = run(
        "create-batch", definition, rows, ".", "--local", "-y", "--ignore", "short-lifetime"
    )
    assert "Warning" not in result.stderr
