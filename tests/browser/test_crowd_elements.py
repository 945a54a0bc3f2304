"""What Crowd HTML Elements post, drawn by the stand-in, filled in by a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import service, task_pages, worker

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., str]
Answers = Callable[[str], dict[str, str]]
Act = Callable[["Page"], Any]

SCRIPT = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
# A picture of 200 by 100, shown half as large.
PICTURE = (
    "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 width=%22200%22"
    " height=%22100%22%3E%3Crect width=%22200%22 height=%22100%22 fill=%22%23ccd%22/%3E%3C/svg%3E"
)
REGIONS = (
    "<full-instructions header='All of it'><p>Long.</p></full-instructions>"
    "<short-instructions>Short.</short-instructions>"
)


def form(inner: str, attributes: str = "") -> str:
    return (
        f"<!DOCTYPE html><title>Task</title>{SCRIPT}<crowd-form {attributes}>{inner}</crowd-form>"
    )


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("heading", name="Submitted").wait_for()


def draw_box(page: Page) -> None:
    page.get_by_label("Dog", exact=True).check()
    area = page.locator(".crowd-stage img").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 10, area["y"] + 5)
    page.mouse.down()
    page.mouse.move(area["x"] + 60, area["y"] + 25, steps=3)
    page.mouse.up()


def annotate(page: Page) -> None:
    text = page.get_by_label("Text to annotate")
    text.evaluate("text => { text.focus(); text.setSelectionRange(0, 4); }")
    page.get_by_role("button", name="Person").click()
    text.evaluate("text => { text.focus(); text.setSelectionRange(14, 20); }")
    page.keyboard.press("2")


def click_at(page: Page, *points: tuple[int, int]) -> Page:
    """Click on points of a picture that is shown half as large."""
    stage = page.locator(".crowd-stage img")
    stage.scroll_into_view_if_needed()
    area = stage.bounding_box()
    assert area is not None
    for x, y in points:
        page.mouse.click(area["x"] + x / 2, area["y"] + y / 2)
    return page


def draw_line(page: Page) -> Page:
    draw_box(page)
    return page


def drag_corner(page: Page) -> None:
    click_at(page, (20, 20), (120, 20), (60, 80), (20, 20))
    area = page.locator(".crowd-stage img").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 60, area["y"] + 10)
    page.mouse.down()
    page.mouse.move(area["x"] + 90, area["y"] + 20, steps=3)
    page.mouse.up()


SMALL = "<style>.crowd-stage img { width: 100px }</style>"
SIZE = {"height": 100, "width": 200}


def outline(kind: str, more: str = "") -> str:
    return (
        f'<crowd-{kind} name="shapes" header="Mark" src="{PICTURE}"'
        f""" labels="['Cat', 'Dog']" {more}>{REGIONS}</crowd-{kind}>{SMALL}"""
    )


def vertices(*points: tuple[int, int]) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in points]


OUTLINES = [
    pytest.param(
        outline("polygon"),
        drag_corner,
        {
            "polygons": [{"label": "Cat", "vertices": vertices((20, 20), (180, 40), (60, 80))}],
            "inputImageProperties": SIZE,
        },
        id="polygon, closed at its first corner, then a corner dragged",
    ),
    pytest.param(
        outline("polygon"),
        lambda page: (
            page.get_by_label("Dog", exact=True).check(),
            page.get_by_role("button", name="Add a polygon").press("Enter"),
            page.keyboard.type("7"),
            page.get_by_role("button", name="Add a point to polygon 1, Dog").press("Enter"),
            page.get_by_role("button", name="Remove point 2 of polygon 1, Dog").press("Enter"),
            page.get_by_label("y of point 1 of polygon 1, Dog").fill("9"),
            page.get_by_label("y of point 1 of polygon 1, Dog").press("Tab"),
        ),
        {
            "polygons": [{"label": "Dog", "vertices": vertices((7, 9), (50, 75), (29, 50))}],
            "inputImageProperties": SIZE,
        },
        id="polygon by its numbers",
    ),
    pytest.param(
        outline("polyline", "label-colors=\"['#336699', '#996633']\""),
        lambda page: (
            click_at(page, (20, 20), (60, 40), (90, 90)),
            page.keyboard.press("Backspace"),
            click_at(page, (120, 60)),
            page.keyboard.press("Enter"),
            click_at(page, (10, 90), (40, 90)),
            page.get_by_role("button", name="Finish the polyline").click(),
            page.get_by_role("button", name="Remove polyline 2, Cat").click(),
        ),
        {
            "polylines": [{"label": "Cat", "vertices": vertices((20, 20), (60, 40), (120, 60))}],
            "inputImageProperties": SIZE,
        },
        id="polyline, a point undone, one removed",
    ),
    pytest.param(
        outline("line"),
        lambda page: (draw_line(page), click_at(page, (100, 90), (180, 90))),
        {
            "lines": [
                {"label": "Dog", "vertices": vertices((20, 10), (120, 50))},
                {"label": "Dog", "vertices": vertices((100, 90), (180, 90))},
            ],
            "inputImageProperties": SIZE,
        },
        id="lines, one drawn and one clicked",
    ),
    pytest.param(
        outline(
            "line",
            'initial-value="{ lines: ['
            " { label: 'Cat', vertices: [{ x: 1, y: 2 }, { x: 3, y: 4 }] },"
            " { label: 'Owl', vertices: [{ x: 1, y: 2 }, { x: 3, y: 4 }] } ] }\"",
        ),
        lambda page: (
            page.get_by_label("x of point 2 of line 1, Cat").fill("900"),
            page.get_by_label("x of point 2 of line 1, Cat").press("Tab"),
        ),
        {
            "lines": [{"label": "Cat", "vertices": vertices((1, 2), (200, 4))}],
            "inputImageProperties": SIZE,
            "initialValueModified": True,
        },
        id="line to begin with, mended",
    ),
    pytest.param(
        outline("keypoint", "initial-value=\"[{ 'label': 'Cat', 'x': 5, 'y': 6 }]\""),
        lambda page: (
            click_at(page, (40, 20)),
            page.get_by_label("Dog", exact=True).check(),
            page.locator(".crowd-stage").press("ArrowUp"),
            page.keyboard.press("Shift+ArrowLeft"),
            page.keyboard.press("Space"),
        ),
        {
            "keypoints": [
                {"label": "Cat", "x": 5, "y": 6},
                {"label": "Cat", "x": 40, "y": 20},
                {"label": "Dog", "x": 90, "y": 49},
            ],
            "inputImageProperties": SIZE,
            "initialValueModified": True,
        },
        id="keypoints by mouse and by keys",
    ),
]

CASES = [
    pytest.param(
        '<crowd-input name="utterance" label="Say it" required></crowd-input>'
        '<crowd-input name="empty"></crowd-input>',
        lambda page: page.get_by_label("Say it").fill('a "b" \N{SNOWMAN}'),
        {"utterance": 'a "b" \N{SNOWMAN}'},
        id="input, and an empty one left out",
    ),
    pytest.param(
        '<crowd-text-area name="text" placeholder="Long text"></crowd-text-area>',
        lambda page: page.get_by_label("Long text").fill("one\ntwo"),
        {"text": "one\ntwo"},
        id="text-area",
    ),
    pytest.param(
        '<crowd-checkbox name="seen" value="dog">A dog</crowd-checkbox>'
        '<crowd-checkbox name="seen" value="cat" checked>A cat</crowd-checkbox>'
        '<crowd-checkbox name="sure">Sure</crowd-checkbox>',
        lambda page: page.get_by_label("A dog").check(),
        {"seen": {"cat": True, "dog": True}, "sure": {"on": False}},
        id="checkboxes",
    ),
    pytest.param(
        '<crowd-radio-group><crowd-radio-button name="good" value="yes">Good</crowd-radio-button>'
        '<crowd-radio-button name="bad" value="no">Bad</crowd-radio-button></crowd-radio-group>',
        lambda page: (page.get_by_label("Good").check(), page.get_by_label("Bad").check()),
        {"bad": {"no": True}, "good": {"yes": False}},
        id="radio-group of two names",
    ),
    pytest.param(
        "<crowd-radio-group><crowd-radio-button name='a' value='1'>One"
        "<crowd-radio-button name='a' value='2'>Two</crowd-radio-group>"
        "<crowd-input name='b' label='Behind' /><crowd-input name='c' label='Further' />",
        lambda page: (
            page.get_by_label("Two", exact=True).check(),
            page.get_by_label("Behind").fill("x"),
            page.get_by_label("Further").fill("y"),
        ),
        {"a": {"1": False, "2": True}, "b": "x", "c": "y"},
        id="elements left open or closed by a slash",
    ),
    pytest.param(
        '<crowd-slider name="much" min="0" max="10" step="2" label="How much"></crowd-slider>',
        lambda page: page.get_by_role("slider").press("ArrowRight"),
        {"much": 2},
        id="slider",
    ),
    pytest.param(
        '<crowd-slider name="much" editable value="5"></crowd-slider>',
        lambda page: page.get_by_role("spinbutton").fill("70"),
        {"much": 70},
        id="editable slider",
    ),
    pytest.param(
        '<crowd-toggle-button name="on"></crowd-toggle-button>',
        lambda page: page.get_by_role("switch").click(),
        {"on": {"on": True}},
        id="toggle-button",
    ),
    pytest.param(
        "<crowd-classifier name='kind' header='Which one?' categories=\"['don't know',"
        f" 'one, two',\n  'exact same']\"><classification-target>It</classification-target>"
        f"{REGIONS}</crowd-classifier>",
        lambda page: page.get_by_label("one, two").check(),
        {"kind": {"label": "one, two"}},
        id="classifier with single quotes",
    ),
    pytest.param(
        "<crowd-classifier-multi-select name='kinds' header='Which?' categories='[\"a\", \"b\"]'"
        " exclusion-category=\"{ text: 'None of them' }\"><classification-target>It"
        "</classification-target></crowd-classifier-multi-select>",
        lambda page: (
            page.get_by_label("None of them").check(),
            page.get_by_label("b", exact=True).check(),
            page.get_by_label("a", exact=True).check(),
        ),
        {"kinds": {"labels": ["a", "b"]}},
        id="classifier-multi-select",
    ),
    pytest.param(
        "<crowd-classifier-multi-select name='kinds' header='Which?' categories='[\"a\"]'"
        " exclusion-category=\"{ text: 'None of them' }\"></crowd-classifier-multi-select>",
        lambda page: (
            page.get_by_label("a", exact=True).check(),
            page.get_by_label("None of them").check(),
        ),
        {"kinds": {"labels": ["None of them"]}},
        id="exclusion category",
    ),
    pytest.param(
        f'<crowd-image-classifier name="image" header="What?" src="{PICTURE}" overlay="Over it"'
        """ categories="['cat', 'dog']">"""
        '<worker-comment header="Your comment" link-text="Comment">'
        f"Why?</worker-comment>{REGIONS}</crowd-image-classifier>",
        lambda page: (
            page.get_by_label("dog").check(),
            page.get_by_text("Comment", exact=True).click(),
            page.get_by_label("Your comment").fill("It barks."),
        ),
        {"image": {"label": "dog", "workerComment": "It barks."}},
        id="image-classifier with a comment",
    ),
    pytest.param(
        f'<crowd-image-classifier-multi-select name="images" header="What?" src="{PICTURE}"'
        """ categories="['cat', 'dog', 'owl']"></crowd-image-classifier-multi-select>""",
        lambda page: (page.get_by_label("owl").check(), page.get_by_label("cat").check()),
        {"images": {"labels": ["cat", "owl"]}},
        id="image-classifier-multi-select",
    ),
    pytest.param(
        f'<crowd-bounding-box name="boxes" header="Mark" src="{PICTURE}"'
        f""" labels="['Cat', 'Dog']">{REGIONS}</crowd-bounding-box>"""
        "<style>.crowd-stage img { width: 100px }</style>",
        draw_box,
        {
            "boxes": {
                "boundingBoxes": [
                    {"height": 40, "label": "Dog", "left": 20, "top": 10, "width": 100}
                ],
                "inputImageProperties": {"height": 100, "width": 200},
            }
        },
        id="bounding-box, drawn on a picture shown smaller",
    ),
    pytest.param(
        f'<crowd-bounding-box name="boxes" src="{PICTURE}" labels=\'["Cat"]\''
        """ initial-value="[{'height': 5, 'label': 'Cat', 'left': 1, 'top': 2, 'width': 6}]">"""
        "</crowd-bounding-box>",
        lambda page: (
            page.get_by_role("button", name="Remove box 1, Cat").press("Enter"),
            page.get_by_role("button", name="Add a box").press("Enter"),
            page.keyboard.type("7"),
            page.get_by_label("top of box 1, Cat").fill("9"),
        ),
        {
            "boxes": {
                "boundingBoxes": [
                    {"height": 50, "label": "Cat", "left": 7, "top": 9, "width": 100}
                ],
                "initialValueModified": True,
                "inputImageProperties": {"height": 100, "width": 200},
            }
        },
        id="bounding-box by keys alone",
    ),
    pytest.param(
        "<input name='plain' value='x'><input type='hidden' name='nothing' value=''>"
        "<input type='radio' name='r' value='1'><input type='radio' name='r' value='2' checked>"
        "<input type='checkbox' name='c'><select name='s'><option>one<option selected>two</select>"
        "<textarea name='t'>text</textarea>",
        lambda page: page.locator("[name=c]").check(),
        {"c": {"on": True}, "plain": "x", "r": {"1": False, "2": True}, "s": "two", "t": "text"},
        id="plain controls in a crowd-form",
    ),
]


@pytest.mark.parametrize(("inner", "act", "expected"), CASES)
def test_an_element_posts_its_json(
    open_task: Open, page: Page, answers: Answers, inner: str, act: Act, expected: dict[str, Any]
) -> None:
    faults: list[object] = []
    page.on("pageerror", lambda error: faults.append(error))
    assignment_id = open_task(form(inner))
    act(page)
    submit(page)

    recorded = answers(assignment_id)
    assert list(recorded) == ["taskAnswers"]
    assert recorded["taskAnswers"] == json.dumps(
        [expected], ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )
    assert faults == []


@pytest.mark.parametrize(("inner", "act", "expected"), OUTLINES)
def test_shapes_are_drawn_on_a_picture(
    open_task: Open, page: Page, answers: Answers, inner: str, act: Act, expected: dict[str, Any]
) -> None:
    faults: list[object] = []
    page.on("pageerror", lambda error: faults.append(error))
    assignment_id = open_task(form(inner))
    page.wait_for_function("document.querySelector('.crowd-stage img').naturalWidth > 0")
    act(page)
    submit(page)

    assert json.loads(answers(assignment_id)["taskAnswers"]) == [{"shapes": expected}]
    assert faults == []


def test_a_shape_that_is_not_finished_is_asked_about(
    open_task: Open, page: Page, answers: Answers
) -> None:
    assignment_id = open_task(form(outline("polygon")))
    page.wait_for_function("document.querySelector('.crowd-stage img').naturalWidth > 0")
    click_at(page, (20, 20), (120, 20))
    page.keyboard.press("Enter")
    assert "at least 3 points; this one has 2" in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Submit").click()
    assert "Finish the polygon" in page.locator("#errors-box").inner_text()
    page.locator(".crowd-stage").press("Escape")
    submit(page)

    assert json.loads(answers(assignment_id)["taskAnswers"])[0]["shapes"]["polygons"] == []


def colours(page: Page, mask: dict[str, Any]) -> dict[str, int]:
    """Count the pixels of a mask by their colours; "" is what nobody painted."""
    found: dict[str, int] = page.evaluate(
        """async (data) => {
          const image = new Image();
          image.src = `data:image/png;base64,${data}`;
          await image.decode();
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [image.width, image.height];
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const { data: bytes } = context.getImageData(0, 0, image.width, image.height);
          const found = { size: image.width * 1000 + image.height };
          for (let at = 0; at < bytes.length; at += 4) {
            const hex = (one) => one.toString(16).padStart(2, "0");
            const name = bytes[at + 3] ? `#${[...bytes.slice(at, at + 3)].map(hex).join("")}` : "";
            found[name] = (found[name] ?? 0) + 1;
          }
          return found;
        }""",
        mask["pngImageData"],
    )
    assert found.pop("size") == 200_100
    return found


def brush(page: Page, *points: tuple[int, int]) -> None:
    area = page.locator(".crowd-stage img").bounding_box()
    assert area is not None
    for number, (x, y) in enumerate(points):
        page.mouse.move(area["x"] + x / 2, area["y"] + y / 2, steps=2)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def test_a_mask_is_painted_a_colour_for_each_label(
    open_task: Open, page: Page, answers: Answers
) -> None:
    assignment_id = open_task(form(outline("semantic-segmentation")))
    page.wait_for_function("document.querySelector('.crowd-stage img').naturalWidth > 0")
    brush(page, (20, 20), (100, 20))
    page.get_by_label("Dog", exact=True).check()
    page.locator(".crowd-stage").press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Undo").click()
    page.get_by_label("Erase").check()
    brush(page, (100, 20), (100, 20))
    submit(page)

    [answer] = json.loads(answers(assignment_id)["taskAnswers"])
    labels = answer["shapes"]["labelMappings"]
    assert (list(labels), answer["shapes"]["inputImageProperties"]) == (["Cat", "Dog"], SIZE)
    painted = colours(page, answer["shapes"]["labeledImage"])
    assert set(painted) == {"", labels["Cat"]["color"], labels["Dog"]["color"]}
    # The brush is a disc of radius 10: once where a key was pressed, along 80 pixels else.
    disc = painted[labels["Dog"]["color"]]
    assert 300 < disc < 360
    assert 80 * 21 + disc - 2 * disc < painted[labels["Cat"]["color"]] < 80 * 21 + disc


def test_instances_of_a_label_have_colours_of_their_own(
    open_task: Open, page: Page, answers: Answers
) -> None:
    assignment_id = open_task(form(outline("instance-segmentation")))
    page.wait_for_function("document.querySelector('.crowd-stage img').naturalWidth > 0")
    brush(page, (20, 20), (40, 20))
    page.get_by_role("button", name="Add an instance").click()
    brush(page, (100, 20), (120, 20))
    page.get_by_label("Dog", exact=True).check()
    page.get_by_role("button", name="Add an instance").click()
    brush(page, (20, 80), (40, 80))
    page.get_by_label("Paint 1 Cat").check()
    brush(page, (100, 80), (100, 80))
    page.get_by_role("button", name="Remove 2 Cat").click()
    submit(page)

    [answer] = json.loads(answers(assignment_id)["taskAnswers"])
    instances = answer["shapes"]["instances"]
    assert [one["label"] for one in instances] == ["Cat", "Dog"]
    painted = colours(page, answer["shapes"]["labeledImage"])
    assert set(painted) == {"", *(one["color"] for one in instances)}


def test_a_mask_to_begin_with_is_gone_on_with(
    open_task: Open, page: Page, answers: Answers
) -> None:
    mask = (
        "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 width=%22200%22"
        " height=%22100%22%3E%3Crect width=%22100%22 height=%22100%22 fill=%22%23ff7f0e%22/%3E"
        "%3C/svg%3E"
    )
    labels = "{'Cat': {'color': '#ff7f0e'}}"
    initial = f"initial-value=\"{{'labelMappings': {labels}, 'src': '{mask}'}}\""
    assignment_id = open_task(form(outline("semantic-segmentation", initial)))
    page.wait_for_function(
        "document.querySelector('canvas').width > 0"
        " && document.querySelector('canvas').getContext('2d').getImageData(5, 5, 1, 1).data[3] > 0"
    )
    submit(page)

    [answer] = json.loads(answers(assignment_id)["taskAnswers"])
    assert answer["shapes"]["labelMappings"]["Cat"] == {"color": "#ff7f0e"}
    assert answer["shapes"]["initialValueModified"] is False
    assert colours(page, answer["shapes"]["labeledImage"]) == {"#ff7f0e": 10_000, "": 10_000}


def test_entities_are_marked_by_mouse_and_by_keys_without_a_form_around(
    open_task: Open, page: Page, answers: Answers
) -> None:
    assignment_id = open_task(
        f"<!DOCTYPE html><title>Task</title>{SCRIPT}"
        '<crowd-entity-annotation name="people" header="Who?" text="Anna lives in Vienna."'
        """ labels="[{'label': 'person', 'fullDisplayName': 'Person'}, {'label': 'place'}]">"""
        f"{REGIONS}</crowd-entity-annotation>"
    )
    annotate(page)
    submit(page)

    assert json.loads(answers(assignment_id)["taskAnswers"]) == [
        {
            "people": {
                "entities": [
                    {"endOffset": 4, "label": "person", "startOffset": 0},
                    {"endOffset": 20, "label": "place", "startOffset": 14},
                ]
            }
        }
    ]


def test_flattened_answers_are_a_field_for_each_leaf(
    open_task: Open, page: Page, answers: Answers
) -> None:
    assignment_id = open_task(
        form(
            "<crowd-checkbox name='seen' value='dog'>Dog</crowd-checkbox>"
            "<crowd-slider name='much' value='3'></crowd-slider>"
            "<crowd-input name='word'></crowd-input>"
            f'<crowd-bounding-box name="annotatedResult" src="{PICTURE}" labels="[\'Cat\']">'
            "</crowd-bounding-box>",
            'answer-format="flatten-objects"',
        )
    )
    submit(page)

    assert answers(assignment_id) == {
        "annotatedResult.boundingBoxes": "[]",
        "annotatedResult.inputImageProperties.height": "100",
        "annotatedResult.inputImageProperties.width": "200",
        "much": "3",
        "seen.dog": "false",
    }


def test_elements_without_an_answer_show_what_they_hold(open_task: Open, page: Page) -> None:
    open_task(
        form(
            "<crowd-alert type='error' dismissible>Careful</crowd-alert>"
            "<crowd-badge label='7'></crowd-badge><crowd-card heading='Title'>Inside</crowd-card>"
            "<crowd-modal link-text='Open it' link-type='button'>In the modal</crowd-modal>"
            "<crowd-instructions link-text='View instructions' link-type='button'>"
            "<short-summary>Sum</short-summary><detailed-instructions>Detail</detailed-instructions>"
            "<positive-example>Do</positive-example><negative-example>Don't</negative-example>"
            "</crowd-instructions>"
            "<crowd-tabs><crowd-tab header='First'>one</crowd-tab>"
            "<crowd-tab header='Second'>two</crowd-tab></crowd-tabs>"
            "<crowd-hologram name='shape'>Inner</crowd-hologram>"
            "<crowd-button form-action='submit'>Send</crowd-button>"
        )
    )
    assert page.get_by_role("alert").filter(has_text="Careful").is_visible()
    page.get_by_role("button", name="Dismiss").click()
    assert not page.get_by_text("Careful").is_visible()
    assert page.get_by_text("7", exact=True).is_visible()
    assert page.get_by_text("Title").is_visible()
    page.get_by_role("button", name="Open it").press("Enter")
    assert page.get_by_role("dialog", name="Open it").get_by_text("In the modal").is_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="View instructions").click()
    shown = page.get_by_role("dialog", name="View instructions")
    for text in ("Sum", "Detail", "Do", "Don't"):
        assert shown.get_by_text(text, exact=True).is_visible()
    shown.get_by_role("button", name="Close").click()
    page.get_by_role("tab", name="First").press("ArrowRight")
    assert page.get_by_role("tabpanel", name="Second").get_by_text("two").is_visible()
    assert not page.get_by_text("one", exact=True).is_visible()
    assert "<crowd-hologram> “shape” is not drawn here" in page.get_by_role("note").inner_text()
    assert page.get_by_role("button").filter(has_text="Submit").count() == 0


@pytest.mark.parametrize(
    ("inner", "wrong", "right", "message"),
    [
        ("<crowd-input name=a label=A required></crowd-input>", None, "x", "A is required."),
        (
            "<crowd-input name=a label=A allowed-pattern='[a-z]{3}' error-message='Three letters!'>"
            "</crowd-input>",
            "ab1",
            "abc",
            "Three letters!",
        ),
        (
            "<crowd-input name=a label=A allowed-pattern='[0-9]'></crowd-input>",
            "12a",
            "123",
            "format",
        ),
        ("<crowd-input name=a label=A type=number min=3 max=5></crowd-input>", "6", "4", "A: "),
        ("<crowd-input name=a label=A type=email></crowd-input>", "me", "me@example.org", "A: "),
        ("<crowd-input name=a label=A min-length=3></crowd-input>", "ab", "abc", "at least 3"),
        (
            "<crowd-text-area name=a label=A required></crowd-text-area>",
            None,
            "x",
            "A is required.",
        ),
    ],
)
def test_what_is_wrong_is_said_and_not_submitted(
    open_task: Open,
    page: Page,
    answers: Answers,
    served: service.Service,
    inner: str,
    wrong: str | None,
    right: str,
    message: str,
) -> None:
    assignment_id = open_task(form(inner))
    if wrong is not None:
        page.get_by_label("A", exact=True).fill(wrong)
    page.get_by_role("button", name="Submit").click()
    assert message in page.locator("#errors-box").inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert worker.task(served, assignment_id).state == "Accepted"
    page.get_by_label("A", exact=True).fill(right)
    submit(page)

    assert json.loads(answers(assignment_id)["taskAnswers"]) == [{"a": right}]


@pytest.mark.parametrize(
    ("inner", "act"),
    [
        (
            "<crowd-checkbox name=a required>Agree</crowd-checkbox>",
            lambda page: page.get_by_label("Agree").check(),
        ),
        (
            "<crowd-classifier name=a categories='[1, 2]' header='Which?'></crowd-classifier>",
            lambda page: page.get_by_label("2").check(),
        ),
        (
            "<input name=a required aria-label='Native'>",
            lambda page: page.get_by_label("Native").fill("x"),
        ),
    ],
    ids=["checkbox", "classifier", "plain input"],
)
def test_what_must_be_chosen_is_asked_for(
    open_task: Open, page: Page, served: service.Service, inner: str, act: Act
) -> None:
    assignment_id = open_task(form(inner))
    page.get_by_role("button", name="Submit").click()
    assert page.locator("#errors-box").inner_text() != ""
    assert worker.task(served, assignment_id).state == "Accepted"
    act(page)
    submit(page)


def test_a_page_s_own_handlers_are_asked_and_can_submit_later(
    open_task: Open, page: Page, answers: Answers
) -> None:
    assignment_id = open_task(
        form("<crowd-input name='word' label='Word'></crowd-input>")
        + """<script>
        const form = document.querySelector("crowd-form");
        document.querySelector("crowd-input").value = "early";
        document.addEventListener("all-crowd-elements-ready", () => {
          document.querySelector("crowd-input").value += " and ready";
        });
        form.onsubmit = (event) => {
          event.preventDefault();
          document.querySelector("crowd-input").value += " and asked";
          form.onsubmit = null;
          form.submit();
        };
        </script>"""
    )
    page.wait_for_function("document.querySelector('crowd-input').value.endsWith('ready')")
    submit(page)

    assert json.loads(answers(assignment_id)["taskAnswers"]) == [
        {"word": "early and ready and asked"}
    ]


def test_elements_added_later_and_a_reset_work(
    open_task: Open, page: Page, answers: Answers
) -> None:
    assignment_id = open_task(
        form(
            "<div id=more></div><crowd-input name=a label=A value=first></crowd-input>"
            f"<crowd-bounding-box name=b src='{PICTURE}' labels='[\"Cat\"]'></crowd-bounding-box>"
            "<crowd-button form-action=reset>Reset</crowd-button>"
        )
    )
    page.get_by_label("A", exact=True).fill("second")
    page.get_by_role("button", name="Add a box").click()
    page.get_by_role("button", name="Reset").click()
    page.evaluate(
        "document.querySelector('#more').innerHTML ="
        " '<crowd-input name=later label=Later></crowd-input>'"
    )
    page.get_by_label("Later").fill("x")
    submit(page)

    assert json.loads(answers(assignment_id)["taskAnswers"]) == [
        {
            "a": "first",
            "b": {"boundingBoxes": [], "inputImageProperties": {"height": 100, "width": 200}},
            "later": "x",
        }
    ]


def test_a_preview_posts_nothing_and_a_page_elsewhere_shows_its_answers(
    page: Page, mturk: str, publish: Callable[..., str]
) -> None:
    hit_id = publish(form("<crowd-input name=a label=A value=x></crowd-input>"))
    preview = task_pages.query(hit_id, mturk)
    page.goto(f"{mturk}/dynamic/hit?{preview}")
    page.get_by_role("button", name="Submit").click()
    assert "You must ACCEPT the HIT" in page.locator("#errors-box").inner_text()

    page.goto(f"{mturk}/dynamic/hit?hitId={hit_id}")
    page.get_by_role("button", name="Submit").click()
    assert json.loads(page.locator("#answers-box").inner_text()) == {"a": "x"}


def compare(page: Page) -> None:
    page.get_by_role("button", name="View full instructions").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_label("mostly the same meaning, except for some details").check()


SEEDS: dict[str, tuple[str, Act, dict[str, str]]] = {
    # As in two tutorials that people publish from.
    "utterances": (
        f"""{SCRIPT}<crowd-form answer-format="flatten-objects">
        <crowd-instructions link-text="View instructions" link-type="button">
        <short-summary><p>Imagine you are talking about your feelings.</p></short-summary>
        <detailed-instructions><h3>Talk about your feelings.</h3></detailed-instructions>
        </crowd-instructions>
        <p>What would you say?: <b>Please be natural. </b></p>
        <p><strong>Context: </strong>weather</p>
        <crowd-input name="utterance" placeholder="Type what you would say here..." required>
        </crowd-input>
        </crowd-form>""",
        lambda page: page.get_by_role("textbox", name="Type what").fill("Will it rain?"),
        {"utterance": "Will it rain?"},
    ),
    "sentence pairs": (
        f"""{SCRIPT}<crowd-form answer-format="flatten-objects">
        <crowd-classifier header="Choose the option that best describes the relation."
          name="divergent"
          categories="['completely unrelated',
                       'a few words in common but convey unrelated information about them',
                       'mostly the same meaning, except for some details',
                       'exact same meaning']"
        >
        <classification-target>
        <p><img alt="" src="{PICTURE}" style="max-width: 100%; max-height: 250px" /></p>
        </classification-target>
        <full-instructions header="Guidelines for comparing English and French text">
            Rate how <strong>close the meaning</strong> is.
            <p><i><u> Example </i></u> <br><font color="blue"> <i> English </i></font></p>
          </full-instructions>
        <short-instructions>
        You are asked to rate how close the meaning of the French and English text are.
        </short-instructions>
        </crowd-form>""",
        compare,
        {"divergent.label": "mostly the same meaning, except for some details"},
    ),
}


@pytest.mark.parametrize("name", SEEDS)
def test_a_published_layout_can_be_filled_in(
    open_task: Open, page: Page, answers: Answers, name: str
) -> None:
    layout, act, expected = SEEDS[name]
    assignment_id = open_task(layout)
    act(page)
    submit(page)

    assert answers(assignment_id) == expected


def test_the_elements_are_accessible(
    open_task: Open, page: Page, check_access: Callable[..., None]
) -> None:
    parts = [str(case.values[0]) for case in [*CASES, *OUTLINES]]
    parts += [outline("semantic-segmentation"), outline("instance-segmentation")]
    # Landmarks of one page are to have names of their own.
    inner = "".join(
        part.replace('header="Mark"', f'header="Mark {number}"')
        for number, part in enumerate(parts)
    )
    open_task(form(inner + "<crowd-alert>Note</crowd-alert><crowd-badge label=7></crowd-badge>"))
    page.get_by_role("button", name="Add an instance").click()
    page.get_by_role("button", name="Submit").click()
    # Of the page, not of the elements; and the plain controls of one case have no labels.
    check_access(
        page,
        without=(
            "html-has-lang",
            "landmark-one-main",
            "page-has-heading-one",
            "region",
            "label",
            "select-name",
            "image-alt",
        ),
    )


def test_the_external_hit_script_s_functions_work(
    open_task: Open, page: Page, mturk: str, answers: Answers
) -> None:
    content = (
        "<!DOCTYPE html><title>Task</title>"
        '<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script>'
        '<form name="mturk_form" id="mturk_form" method="post">'
        '<input type="hidden" id="assignmentId" name="assignmentId">'
        '<input name="colour" value="red">'
        '<input type="submit" id="submitButton" value="Submit"></form>'
        "<script>turkSetAssignmentID();</script>"
    )
    assignment_id = open_task(content)
    called = (
        "[turkGetParam('turkSubmitTo', 'none'), turkGetParam('x', 'none'), turkGetSubmitToHost()]"
    )
    assert page.evaluate(called) == [mturk, "none", mturk]
    hit_id = page.url.split("hitId=")[1].split("&")[0]
    submit(page)
    assert answers(assignment_id) == {"colour": "red"}

    page.goto(f"{mturk}/dynamic/hit?{task_pages.query(hit_id, mturk)}")
    button = page.locator("#submitButton")
    assert button.is_disabled()
    assert button.input_value().startswith("You must ACCEPT the HIT")
    assert page.evaluate(called)[0] == mturk.replace(":", "%3A").replace("/", "%2F")


def test_scripts_are_exchanged_in_script_tags_alone() -> None:
    page = (
        "<p>https://assets.crowd.aws/crowd-html-elements.js</p>"
        "<script async src='//assets.crowd.aws/crowd-html-elements.js'></script>"
        '<SCRIPT SRC="http://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></SCRIPT>'
    )
    here = task_pages.rewritten(page)
    there = task_pages.rewritten(page, "cdn")

    assert here == (
        "<p>https://assets.crowd.aws/crowd-html-elements.js</p>"
        "<script async src='/crowd-html-elements.js'></script>"
        '<SCRIPT SRC="/externalHIT_v1.js"></SCRIPT>'
    )
    assert "'//assets.crowd.aws/" in there
    assert Path(worker.__file__).with_name("static").joinpath("externalHIT_v1.js").exists()
