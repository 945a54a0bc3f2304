"""Rehearsals in a real browser: what scripts make is filled in, and what they break is told."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.test_crowd_elements import PICTURE, SCRIPT, SEEDS
from tests.browser.test_site import CHOICES, FORM
from turkbatch import actions, errors

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HEAD = (
    '<!DOCTYPE html><html lang="en"><head><title>Task</title>'
    '<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script></head><body>'
)
START = (
    '<form name="mturk_form" id="mturk_form" method="post">'
    '<input type="hidden" name="assignmentId" id="assignmentId" value="">'
)
END = '<input type="submit" id="submitButton"></form><script>turkSetAssignmentID();</script>'
PATIENCE = 3.0


@pytest.fixture(scope="module", autouse=True)
def _browser_there(chromium: Browser) -> None:
    assert chromium.is_connected()


@pytest.fixture
def one_worker(definition: Path) -> Path:
    (definition / "hitproperties.json").write_text(
        '{"MaxAssignments": 1, "LifetimeInSeconds": 86400}'
    )
    return definition


def rehearse(
    definition: Path, rows: Path, question: str | None = None, **options: Any
) -> actions.Rehearsal:
    if question is not None:
        (definition / "question.html.j2").write_text(question)
    browser = actions.Browser(options.pop("browser_rows", 0), options.pop("patience", PATIENCE))
    return actions.rehearse_batch(definition, rows, browser=browser, **options)


def found(done: actions.Rehearsal) -> dict[str, str]:
    return {one.rule: str(one) for one in done.findings}


def test_a_browser_gives_the_answers_that_the_crowd_gives_by_itself(
    definition: Path, rows: Path
) -> None:
    page = (
        f"{HEAD}{START}<p>{{{{ word }}}}</p><textarea name=colour required></textarea>"
        "<input type=radio name=tone value=warm required><input type=radio name=tone value=cold>"
        "<input type=checkbox name=tags value=1><input type=checkbox name=tags value=2>"
        "<select name=size><option value=''>?<option>S<option value=L>large</select>"
        "<input type=number name=many min=3 max=9 required><input type=range name=much required>"
        "<input type=date name=day required><input type=email name=mail required>"
        "<input type=color name=shade required>"
        "<input name=code required pattern='[A-Z]{2}-[0-9]{3}'>"
        "<label style='display: block'>Agreed <input type=checkbox name=agreed required"
        " style='display: none'></label>"
        f"{END}"
    )
    browsed = rehearse(definition, rows, page, spam=0.3)
    read = actions.rehearse_batch(definition, rows, spam=0.3)

    answers = [
        [
            {
                name: row[name]
                for name in row
                if name in ("WorkerId", "Input.word") or name in FIELDS
            }
            for row in done.rows
        ]
        for done in (browsed, read)
    ]
    assert answers[0] == answers[1]
    assert {name for row in answers[0] for name in row} >= set(FIELDS)
    assert browsed.browsed == actions.Browsed(rows=3, assignments=6, unsubmitted=())
    assert [row["WorkTimeInSeconds"] for row in browsed.rows] == [
        row["WorkTimeInSeconds"] for row in read.rows
    ]
    assert found(browsed) == found(read)


FIELDS = (
    "colour",
    "tone",
    "tags",
    "size",
    "many",
    "much",
    "day",
    "mail",
    "shade",
    "code",
    "agreed",
)


def test_fields_that_a_script_makes_are_found_later_ones_too(one_worker: Path, rows: Path) -> None:
    page = f"""{HEAD}{START}<div id=here></div>{END}<script>
      setTimeout(() => {{
        document.querySelector('#here').innerHTML =
          '<select name=seen><option value="">?<option value=yes>Yes</select><p id=more></p>';
        document.querySelector('select').onchange = () => {{
          document.querySelector('#more').innerHTML = '<input name=why required>';
        }};
      }}, 700);</script>"""
    done = rehearse(one_worker, rows, page, truth={"seen": "answer"})
    plain = actions.rehearse_batch(one_worker, rows)

    assert "empty-form" in found(plain)
    assert not any(row.get("seen") for row in plain.rows)
    assert "empty-form" not in found(done)
    assert [row["seen"] for row in done.rows] == ["yes"] * 3
    assert all(row["why"] for row in done.rows)
    made = [one.found for one in done.findings if one.rule == "script-made-field"]
    assert made == [f'the field "{name}" is made by a script' for name in ("seen", "why")]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text(
        "".join(
            json.dumps({"word": word, "answer": "yes"}) + "\n" for word in ("sky", "grass", "snow")
        )
    )
    return path


def test_a_part_of_a_page_is_followed_by_the_next(one_worker: Path, rows: Path) -> None:
    page = f"""{HEAD}{START}<div id=one><input name=first required><button type=button
      onclick="one.hidden = true; two.hidden = false">Next</button></div>
      <div id=two hidden><input name=second required>{END.replace("</form>", "</div></form>", 1)}
      <script>[one, two] = document.querySelectorAll('#one, #two');</script>"""
    done = rehearse(one_worker, rows, page)

    assert all(row["first"] and row["second"] for row in done.rows)
    assert done.browsed == actions.Browsed(rows=3, assignments=3, unsubmitted=())


def test_what_a_script_breaks_and_what_does_not_load_is_told(one_worker: Path, rows: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}/picture.png"
    page = f"""{HEAD}<script>console.error('it is', 7); alert('Read this!');
      {{% if word != 'grass' %}}missing.name = 1;{{% endif %}}</script>
      {START}<img src="{nowhere}" alt=""><input name=word required>{END}"""
    done = rehearse(one_worker, rows, page)
    told = found(done)

    assert done.assignments == 3
    assert told["script-error"].startswith(
        f"{rows}:1: a script failed: ReferenceError: missing is not defined,"
        " and the same in row 3; look"
    )
    assert "the page told the console: it is 7, and the same in rows 2, 3" in told["console-error"]
    assert f"{nowhere} could not be loaded (" in told["not-loaded"]
    assert "alert" in told["dialog"]


@pytest.mark.parametrize(
    ("page", "rule", "why"),
    [
        pytest.param(
            f"{HEAD}{START}<input name=word>{END}"
            "<script>document.forms[0].onsubmit = () => false;</script>",
            "submit-not-posted",
            "nothing was posted within 3 s",
            id="a handler keeps it",
        ),
        pytest.param(
            f"{HEAD}{START}<input name=code required pattern='(?=a)b'>{END}",
            "submit-not-posted",
            "code: Please ",
            id="a field can't be filled in",
        ),
        pytest.param(
            f"{HEAD}{START}<input name=word>{END.replace('<input', '<input disabled')}"
            "<script>setInterval(() => submitButton.disabled = true, 10)</script>",
            "submit-disabled",
            "stays disabled",
            id="the button is disabled",
        ),
        pytest.param(
            "<!DOCTYPE html><title>Task</title><form method=post action=/mturk/externalSubmit>"
            "<input name=word><a href='#'>Hand over</a></form>",
            "no-submit-button",
            "there is no button",
            id="there is no button",
        ),
        pytest.param(
            f"{HEAD}{START}<input name=word>{END}<script>addEventListener('submit', () =>"
            " assignmentId.remove());</script>",
            "submit-refused",
            "was refused (status 400): There was a problem submitting",
            id="the assignment's id is lost",
        ),
    ],
)
def test_a_page_that_cannot_be_handed_in_stays_unsubmitted_and_is_listed(
    one_worker: Path, rows: Path, page: str, rule: str, why: str
) -> None:
    done = rehearse(one_worker, rows, page, browser_rows=1)

    assert done.browsed is not None
    [left] = done.browsed.unsubmitted
    assert (left.row, why in left.why) == (1, True), left
    assert why in found(done)[rule]
    # The other rows are read as text, where nothing of this is seen.
    assert (done.assignments, done.left) == (2, 1)


def test_when_nothing_can_be_done_the_rest_is_not_tried(definition: Path, rows: Path) -> None:
    page = f"{HEAD}{START}<input name=word></form>"
    done = rehearse(definition, rows, page)

    assert done.browsed is not None
    assert [one.why.startswith("not tried") for one in done.browsed.unsubmitted] == (
        [False] * 3 + [True] * 3
    )
    assert (done.assignments, done.left, done.rows) == (0, 6, ())


def test_a_page_that_takes_long_to_load_is_done_and_told(one_worker: Path, rows: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/picture.png"
        page = f'{HEAD}{START}<input name=word required>{END}<img src="{address}" alt="">'
        done = rehearse(one_worker, rows, page, browser_rows=1, patience=1.0)

    assert done.assignments == 3
    assert "the page took longer than 1 s to load" in found(done)["slow-page"]


WIDGETS = f"""{SCRIPT}<crowd-form>
<crowd-input name="word" label="Word" required></crowd-input>
<crowd-text-area name="text" label="Text" required></crowd-text-area>
<crowd-checkbox name="seen" value="dog">A dog</crowd-checkbox>
<crowd-toggle-button name="on" required>On</crowd-toggle-button>
<crowd-radio-group><crowd-radio-button name="up">U</crowd-radio-button>
<crowd-radio-button name="down">D</crowd-radio-button></crowd-radio-group>
<crowd-slider name="much" min="1" max="5"></crowd-slider>
<crowd-classifier name="kind" header="Which?" categories="['cat', 'dog']"></crowd-classifier>
<crowd-image-classifier-multi-select name="kinds" header="Which?" src="{PICTURE}"
 categories="['cat', 'dog', 'owl']"></crowd-image-classifier-multi-select>
<crowd-bounding-box name="boxes" header="Box" src="{PICTURE}" labels="['cat', 'dog']">
</crowd-bounding-box></crowd-form>"""
SHAPES = ("polygon", "polyline", "line", "keypoint")
MASKS = ("semantic-segmentation", "instance-segmentation")


def test_crowd_elements_are_filled_in_as_the_crowd_answers_them(
    definition: Path, rows: Path
) -> None:
    page = f"<!DOCTYPE html><title>Task</title>{WIDGETS}"
    done = rehearse(definition, rows, page)
    read = actions.rehearse_batch(definition, rows)

    assert done.browsed == actions.Browsed(rows=3, assignments=6, unsubmitted=())
    assert found(done) == found(read)
    for one, other in zip(done.rows, read.rows, strict=True):
        # Here the picture has been seen, and has its own size.
        assert (one["boxes.inputImageProperties.height"], other["kind.label"]) == (
            "100",
            one["kind.label"],
        )
        boxes, expected = (json.loads(row["boxes.boundingBoxes"]) for row in (one, other))
        assert len(boxes) == len(expected) > 0
        assert all(box["left"] + box["width"] <= 200 for box in boxes)
        assert all(box["top"] + box["height"] <= 100 for box in boxes)
        for name in (
            "word",
            "text",
            "seen.dog",
            "on.on",
            "up.on",
            "down.on",
            "much",
            "kinds.labels",
        ):
            assert (name, one[name]) == (name, other[name])


def test_shapes_and_masks_are_drawn(one_worker: Path, rows: Path) -> None:
    labels = "['cat', 'dog']"
    # As large as the crowd takes a picture to be that it has not seen.
    picture = PICTURE.replace("%22200%22", "%22640%22").replace("%22100%22", "%22480%22")
    widgets = "".join(
        f'<crowd-{kind} name="{kind}" header="{kind}" src="{picture}" labels="{labels}">'
        f"</crowd-{kind}>"
        for kind in (*SHAPES, *MASKS)
    )
    page = f"<!DOCTYPE html><title>Task</title>{SCRIPT}<crowd-form>{widgets}</crowd-form>"
    done = rehearse(one_worker, rows, page)
    read = actions.rehearse_batch(one_worker, rows)

    assert done.browsed == actions.Browsed(rows=3, assignments=3, unsubmitted=())
    assert found(done) == found(read)
    for one, other in zip(done.rows, read.rows, strict=True):
        for kind in SHAPES:
            drawn, expected = (json.loads(row[f"{kind}.{kind}s"]) for row in (one, other))
            assert drawn == expected != []
        painted = json.loads(one["instance-segmentation.instances"])
        assert [instance["label"] for instance in painted] == ["cat", "dog"]
        for kind in MASKS:
            mask = base64.b64decode(one[f"{kind}.labeledImage.pngImageData"])
            # Width and height of a PNG.
            assert (mask[16:20].hex(), mask[20:24].hex()) == ("00000280", "000001e0")


def test_entities_are_marked_in_the_text(one_worker: Path, rows: Path) -> None:
    page = f"""<!DOCTYPE html><title>Task</title>{SCRIPT}<crowd-entity-annotation name="people"
      text="Anna lives in Vienna." labels="[{{'label': 'person'}}, {{'label': 'place'}}]">
      </crowd-entity-annotation>"""
    done = rehearse(one_worker, rows, page)
    read = actions.rehearse_batch(one_worker, rows)

    assert done.assignments == 3
    marked = [json.loads(row["people.entities"]) for row in done.rows]
    assert marked == [json.loads(row["people.entities"]) for row in read.rows]


@pytest.mark.parametrize("name", SEEDS)
def test_published_layouts_are_handed_in(one_worker: Path, rows: Path, name: str) -> None:
    layout, _, answers = SEEDS[name]
    done = rehearse(one_worker, rows, f"<!DOCTYPE html><title>Task</title>{layout}")

    assert done.browsed == actions.Browsed(rows=3, assignments=3, unsubmitted=())
    assert all(row[field] for row in done.rows for field in answers)


def test_a_question_form_is_filled_in_with_a_file(one_worker: Path, rows: Path) -> None:
    (one_worker / "question.html.j2").unlink()
    (one_worker / "question.xml.j2").write_text(FORM % CHOICES)
    done = rehearse(one_worker, rows)

    assert done.browsed == actions.Browsed(rows=3, assignments=3, unsubmitted=())
    for row in done.rows:
        assert row["word"].islower()
        assert row["drop"] in ("a", "b", "c")
        assert len(row["boxes"]) >= 2
        assert row["file"]
    assert not {"submit-not-posted", "unfilled-field"} & set(found(done))


def test_requirements_are_passed_as_the_crowd_passes_them(one_worker: Path, rows: Path) -> None:
    path = one_worker / "hittypeproperties.json"
    requirement = {"QualificationTypeId": "@Masters", "Comparator": "Exists"}
    requirement["ActionsGuarded"] = "DiscoverPreviewAndAccept"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"QualificationRequirements": [requirement]})
    )
    done = rehearse(one_worker, rows)

    assert done.browsed == actions.Browsed(rows=3, assignments=3, unsubmitted=())


def test_a_sample_of_rows_is_spread_over_the_data(one_worker: Path, tmp_path: Path) -> None:
    data = tmp_path / "many.jsonl"
    data.write_text("".join(f'{{"word": "w{number}"}}\n' for number in range(9)))
    page = f"""{HEAD}{START}<input name=word required><input type=hidden name=by value=nobody>
      {END}<script>document.querySelector('[name=by]').value = 'a script'</script>"""
    done = rehearse(one_worker, data, page, browser_rows=3)

    by_script = [row["Input.word"] for row in done.rows if row["by"] == "a script"]
    assert by_script == ["w0", "w4", "w8"]
    assert done.browsed == actions.Browsed(rows=3, assignments=3, unsubmitted=())


def test_a_page_that_posts_to_mturk_itself_is_taken_here(one_worker: Path, rows: Path) -> None:
    page = (
        f"{HEAD}"
        '<form method="post" action="https://www.mturk.com/mturk/externalSubmit">'
        '<input type="hidden" name="assignmentId" id="assignmentId" value="">'
        f'<input name="word" required>{END}'
        "<script>assignmentId.value ="
        " new URLSearchParams(location.search).get('assignmentId');</script>"
    )
    done = rehearse(one_worker, rows, page, browser_rows=1)

    assert done.browsed == actions.Browsed(rows=1, assignments=1, unsubmitted=())


def test_a_truth_for_a_field_that_no_page_shows_is_told(one_worker: Path, rows: Path) -> None:
    done = rehearse(one_worker, rows, truth={"color": "answer"}, browser_rows=1)

    assert (
        'no page has a field "color", to which answer is the right answer; did you mean "colour"'
    ) in found(done)["truth-without-field"]


def test_a_browser_that_is_not_there_is_told_before_anything_is_done(
    definition: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURKBATCH_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(errors.RefusedError, match="/nowhere/chromium is no program"):
        rehearse(definition, rows)
    with pytest.raises(errors.RefusedError, match="-1 rows in a browser"):
        actions.Browser(rows=-1)


def test_the_command_says_what_was_done_in_the_browser(
    one_worker: Path, rows: Path, tmp_path: Path
) -> None:
    """In a process of its own, as it is typed: no event loop is there already."""
    page = f"{HEAD}{START}<input name=word required><script>missing()</script>{END}"
    (one_worker / "question.html.j2").write_text(page)
    command = [sys.executable, "-m", "turkbatch", "rehearse-batch", str(one_worker), str(rows)]
    done = subprocess.run(
        [*command, "--browser", "--browser-rows", "2", "--patience", "20"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.search(r"done in a browser +2", done.stderr)
    assert (
        f"Warning: {rows}:1: a script failed: ReferenceError: missing is not defined,"
        " and the same in row 3;"
    ) in done.stderr
    assert "[script-error]" in done.stderr
    assert all(word in done.stdout for word in ("sky", "grass", "snow"))
