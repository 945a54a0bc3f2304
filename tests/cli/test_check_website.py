"""``check-batch`` of a layout of the website: placeholders, what is added, and the wage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Run

LAYOUT = """\
<p>${word}, ${ word } and ${wrod}</p>
<crowd-inputt name="x"></crowd-inputt>
<input name="answer">
<script>
const text = `${word.length} ${1 + 1}`;
</script>
"""


@pytest.fixture
def layout(definition: Path) -> Path:
    (definition / "question.html.j2").unlink()
    (definition / "question.html").write_text(LAYOUT)
    return definition


def test_layout_is_told_what_was_taken_for_what(run: Run, layout: Path, rows: Path) -> None:
    told = run("check-batch", layout, rows).stdout
    assert "${word}: a column of the data, lines 1, 1\n" in told
    assert "left as it is: no column has this name, line 1\n" in told
    assert "left as it is: an expression, not a name, in a script, line 5\n" in told
    for found in (
        "question.html:1: warning [unfilled-name] ${wrod} is no column of the data",
        "[unknown-crowd-element] there is no <crowd-inputt>",
        "[completed-layout] the layout has no form",
        "[completed-layout] the layout has no submit button",
    ):
        assert found in told

    checked = json.loads(run("check-batch", layout, rows, "--json").stdout)
    assert [(one["name"], one["line"], one["taken"]) for one in checked["placeholders"]] == [
        ("word", 1, True),
        ("word", 1, True),
        ("wrod", 1, False),
        ("word.length", 5, False),
        ("1 + 1", 5, False),
    ]


def test_many_lines_are_summed_up(run: Run, layout: Path, rows: Path) -> None:
    (layout / "question.html").write_text("<input name='a'>" + "${word}\n" * 8)
    assert "${word}: a column of the data, lines 1, 2, 3, 4, 5 and 3 more" in (
        run("check-batch", layout, rows).stdout
    )


def test_unquoted_comma_is_reported_with_its_line(run: Run, layout: Path, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("word,intent\nsky,ask\nImagine, if you will,ask\n")
    told = run("check-batch", layout, "data.csv", code=1).stdout
    assert "data.csv:3: error [wrong-number-of-cells] 3 cells, and the header names 2" in told
    assert "a comma inside a cell needs quotes" in told


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param("0.4", None, id="fair"),
        pytest.param(
            "2", "$0.10 for 2.0 minutes (--minutes) is $3.00 an hour\n", id="a fifth of it"
        ),
    ],
)
def test_reward_under_an_hourly_wage_is_warned_of(
    run: Run, definition: Path, rows: Path, minutes: str, expected: str | None
) -> None:
    options = ("--hourly-wage", "15", "--minutes", minutes)
    told = run("check-batch", definition, rows, *options).stdout
    assert ("[low-wage]" in told) == (expected is not None)
    assert (expected or "") in told
    if expected:
        assert "hittypeproperties.json:1: warning" in told
        assert "$0.50 makes $15.00 an hour" in told


def test_time_can_be_taken_from_a_saved_pilot(run: Run, definition: Path, rows: Path) -> None:
    batch = run("create-batch", definition, rows, "--local", "--yes").stdout.strip()
    options = ("--hourly-wage", "60", "--pilot", batch)
    assert (
        "no assignments are saved" in run("check-batch", definition, rows, *options, code=1).stderr
    )
    run("server", "clock", "+30m")
    run("server", "work", batch)
    run("save-batch", batch, code=3)
    told = run("check-batch", definition, rows, *options).stdout
    assert f"(the median of 6 assignments in {batch})" in told


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--hourly-wage", "15"), id="no time"),
        pytest.param(("--minutes", "1"), id="no wage"),
        pytest.param(("--hourly-wage", "15", "--minutes", "1", "--pilot", "x"), id="two times"),
    ],
)
def test_wage_needs_one_time(
    run: Run, definition: Path, rows: Path, options: tuple[str, ...]
) -> None:
    run("check-batch", definition, rows, *options, code=2)
