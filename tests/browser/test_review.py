"""Reviewing in a browser: tasks with their answers, keys, marks, and what is sent."""

from __future__ import annotations

import base64
import json
import struct
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reviews import Running
from turkbatch import actions
from turkbatch.batch import directory
from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient
    from playwright.sync_api import FrameLocator, Locator, Page

Fields = list[tuple[str, str]]
Make = Callable[..., Path]
Start = Callable[..., Running]

CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
PICTURE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='200' height='100'%3E"
    "%3Crect width='200' height='100' fill='%23ccc'/%3E%3C/svg%3E"
)
COLOUR = "<!DOCTYPE html><p>{{ word }}</p><form><textarea name='colour'></textarea></form>"


def assert_shows(these: Locator, count: int = 1) -> None:
    """Wait for so many elements, since a page may still be on its way; there are no more."""
    these.nth(count - 1).wait_for(state="attached")
    assert these.count() == count


@pytest.fixture
def make(client: MTurkClient, served: service.Service, definition: Path, tmp_path: Path) -> Make:
    """Publish a batch and have workers submit: for each row, the fields of each worker."""

    def build(submissions: list[dict[str, Fields]], question: str = COLOUR, name: str = "") -> Path:
        kind = "question.xml.j2" if question.lstrip().startswith("<?xml") else "question.html.j2"
        (definition / "question.html.j2").unlink(missing_ok=True)
        (definition / "question.xml.j2").unlink(missing_ok=True)
        (definition / kind).write_text(question.removeprefix("<?xml?>"), encoding="utf-8")
        most = max(map(len, submissions))
        (definition / "hitproperties.json").write_text(
            json.dumps({"MaxAssignments": most, "LifetimeInSeconds": 3600})
        )
        data = tmp_path / "words.jsonl"
        words = ["sky", "grass", "snow", "coal", "rose"]
        data.write_text("".join(f'{{"word": "{words[n % 5]}"}}\n' for n in range(len(submissions))))
        batch = actions.create_batch(client, definition, data, tmp_path, batch_id=name or None)
        hit_ids = directory.open_batch(batch.batch_dir).hit_ids()
        for hit_id, by_worker in zip(hit_ids, submissions, strict=True):
            for worker_id, fields in by_worker.items():
                assignment_id = worker.accept(served, hit_id, worker_id)
                worker.submit(served, assignment_id, worker_id, fields)
        return batch.batch_dir

    return build


@pytest.fixture
def start(client: MTurkClient) -> Iterator[Start]:
    """Review batches, in a thread each; ended with the test."""
    running: list[Running] = []

    def begin(batch: Path, **options: Any) -> Running:
        running.append(Running(client, batch, **options))
        return running[-1]

    yield begin
    for one in running:
        one.end()


@pytest.fixture
def opened(make: Make, start: Start, page: Page) -> Callable[..., FrameLocator]:
    """Publish one task, answer it, and open it in the reviewer's browser; give its frame."""

    def show(question: str, fields: Fields) -> FrameLocator:
        running = start(make([{"A1WORKER": fields}], question))
        page.goto(running.url)
        begin(page)
        page.locator("iframe[data-filled]").wait_for()
        return page.frame_locator("iframe")

    return show


def begin(page: Page) -> None:
    """Open the first open assignment."""
    page.get_by_role("link", name="Begin with the first open one").click()
    page.locator(".judge").wait_for()


def statuses(client: MTurkClient, batch: Path) -> list[tuple[str, str]]:
    """Tell status and feedback of every assignment, in the order of rows and submission."""
    found: list[tuple[str, str]] = []
    for hit_id in directory.open_batch(batch).hit_ids():
        reply = client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
        for one in sorted(reply, key=lambda one: one["WorkerId"]):
            found.append((one["AssignmentStatus"], one.get("RequesterFeedback", "")))
    return found


def answered(colour: str) -> Fields:
    return [("colour", colour)]


PLAIN = """<!DOCTYPE html><html lang="en"><head><title>All fields</title></head><body><form>
<input type="hidden" name="when" value="">
<input name="text"><input name="twice"><input name="twice"><input type="number" name="number">
<input type="range" name="range" min="0" max="10"><input type="date" name="date">
<textarea name="long"></textarea>
<select name="one"><option value="">-<option value="a">A<option value="b">B</select>
<select name="many" multiple><option>x<option>y<option>z</select>
<input type="radio" name="radio" value="yes"><input type="radio" name="radio" value="no" checked>
<input type="checkbox" name="boxes" value="p"><input type="checkbox" name="boxes" value="q">
<input type="checkbox" name="boxes" value="r"><input type="checkbox" name="lone" checked>
<button name="press" value="left">Left</button><button name="press" value="right">Right</button>
<input type="submit" value="Submit"></form></body></html>"""

ANSWERS = [
    ("when", "1234"),
    ("text", 'a "quoted" <b> & é 🙂'),
    ("twice", "first"),
    ("twice", "second"),
    ("number", "3.5"),
    ("range", "7"),
    ("date", "2026-03-01"),
    ("long", "two\r\nlines"),
    ("one", "b"),
    ("many", "x"),
    ("many", "z"),
    ("radio", "yes"),
    ("boxes", "p"),
    ("boxes", "r"),
    ("press", "right"),
    ("nowhere", "made by a script"),
    ("empty", ""),
]
STATE = """() => Object.fromEntries([...document.querySelectorAll("form [name]")].map((one, n) => [
  `${n} ${one.name}`,
  one.type === "radio" || one.type === "checkbox" ? one.checked
    : one.multiple ? [...one.selectedOptions].map((option) => option.value) : one.value,
]))"""


def test_every_kind_of_field_is_filled_in(page: Page, opened: Callable[..., FrameLocator]) -> None:
    frame = opened(PLAIN, ANSWERS)

    expected = {
        "0 when": "",
        "1 text": 'a "quoted" <b> & é 🙂',
        "2 twice": "first",
        "3 twice": "second",
        "4 number": "3.5",
        "5 range": "7",
        "6 date": "2026-03-01",
        "7 long": "two\nlines",
        "8 one": "b",
        "9 many": ["x", "z"],
        "10 radio": True,
        "11 radio": False,
        "12 boxes": True,
        "13 boxes": False,
        "14 boxes": True,
        "15 lone": False,
        "16 press": "left",
        "17 press": "right",
    }
    assert frame.locator("html").evaluate(STATE) == expected
    outlined = frame.locator("button").evaluate_all(
        "all => all.map(one => one.style.outline !== '')"
    )
    assert outlined == [False, True]
    told = page.locator("#answers tr[data-field]").all_inner_texts()
    assert [" ".join(row.split()) for row in told if "(" in row] == [
        "when (in a hidden field) 1234",
        "nowhere (not in the page) made by a script",
    ]


def test_what_was_answered_cannot_be_changed_by_a_slip(opened: Callable[..., FrameLocator]) -> None:
    frame = opened(PLAIN, ANSWERS)
    before = frame.locator("html").evaluate(STATE)
    frame.locator("[name=text]").press_sequentially("more")
    frame.locator("[name=boxes]").nth(1).click()
    frame.locator("[name=radio]").nth(1).click()
    frame.locator("[name=one]").select_option("a")
    frame.locator("[name=range]").press("ArrowLeft")
    frame.locator("html").evaluate("() => new Promise(done => setTimeout(done, 50))")
    assert frame.locator("html").evaluate(STATE) == before


CROWD_PAGE = (
    CROWD
    + """<crowd-form{format}>
<crowd-input name="name" label="Name"></crowd-input>
<crowd-text-area name="remarks" label="Remarks"></crowd-text-area>
<crowd-checkbox name="agree" value="yes">Agree</crowd-checkbox>
<crowd-checkbox name="agree" value="no" checked>Disagree</crowd-checkbox>
<crowd-toggle-button name="switch">Switch</crowd-toggle-button>
<crowd-radio-group><crowd-radio-button name="mood" value="good">Good</crowd-radio-button>
<crowd-radio-button name="mood" value="bad">Bad</crowd-radio-button></crowd-radio-group>
<crowd-slider name="score" min="0" max="10"></crowd-slider>
<input type="checkbox" name="plain" value="v">
<select name="list" multiple><option>m<option>n</select>
<crowd-classifier name="topic" header="Topic" categories="['sports', 'music']">
<classification-target>Text</classification-target><worker-comment></worker-comment>
</crowd-classifier>
<crowd-classifier-multi-select name="tags" header="Tags" categories="['t1', 't2', 't3']">
<classification-target>Text</classification-target></crowd-classifier-multi-select>
<crowd-entity-annotation name="names" text="Ada met Bob" labels="['person']">
</crowd-entity-annotation>
<crowd-bounding-box name="boxes" src="{picture}" labels="['cat']"></crowd-bounding-box>
</crowd-form>"""
)
CROWD_ANSWERS: dict[str, Any] = {
    "agree": {"no": False, "yes": True},
    "boxes": {
        "boundingBoxes": [{"height": 20, "label": "cat", "left": 10, "top": 5, "width": 30}],
        "inputImageProperties": {"height": 100, "width": 200},
    },
    "list": ["m", "n"],
    "mood": {"bad": True, "good": False},
    "name": "Eve",
    "names": {"entities": [{"endOffset": 3, "label": "person", "startOffset": 0}]},
    "plain": {"v": True},
    "remarks": "none\nat all",
    "score": 7,
    "switch": {"on": True},
    "tags": {"labels": ["t1", "t3"]},
    "topic": {"label": "music", "workerComment": "loud"},
    "unknown": {"deep": "x"},
}


def flattened(value: Any, path: str = "") -> Fields:
    if not isinstance(value, dict):
        return [(path, value if isinstance(value, str) else json.dumps(value))]
    return [
        leaf
        for key, part in value.items()
        for leaf in flattened(part, f"{path}.{key}" if path else key)
    ]


@pytest.mark.parametrize("flat", [False, True], ids=["taskAnswers", "flatten-objects"])
def test_crowd_elements_are_filled_in(
    page: Page, opened: Callable[..., FrameLocator], flat: bool
) -> None:
    answer = flattened(CROWD_ANSWERS) if flat else [("taskAnswers", json.dumps([CROWD_ANSWERS]))]
    question = CROWD_PAGE.replace("{picture}", PICTURE).replace(
        "{format}", ' answer-format="flatten-objects"' if flat else ""
    )
    frame = opened("{% raw %}" + question + "{% endraw %}", answer)

    # What the form would post is what the worker has posted, but for what it has no place for.
    frame.locator(".crowd-drawn").wait_for()
    expected = {key: value for key, value in CROWD_ANSWERS.items() if key != "unknown"}
    assert frame.locator("crowd-form").first.evaluate("form => form.answers") == expected
    assert_shows(frame.locator(".crowd-drawn").get_by_text("cat"))
    assert frame.locator("mark").inner_text() == "Ada"
    told = page.locator("#answers .place").all_inner_texts()
    assert [text.strip() for text in told if text] == ["(not in the page)"]
    # Nothing is added to the worker's boxes.
    frame.get_by_role("button", name="Add a box").click()
    assert_shows(frame.locator(".crowd-drawn"))


def painted(*left: int) -> str:
    """Paint a picture of 200 by 100 pixels, the colour on its left half alone; Base64."""
    row = b"\0" + (bytes([*left, 255]) * 100) + bytes(400)
    header = struct.pack(">IIBBBBB", 200, 100, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * 100)), (b"IEND", b""))
    made = b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + made).decode()


SIZE = {"height": 100, "width": 200}
CORNERS = [{"x": 10, "y": 10}, {"x": 90, "y": 10}, {"x": 50, "y": 80}]
DRAWN: dict[str, Any] = {
    "polygon": {"polygons": [{"label": "cat", "vertices": CORNERS}]},
    "polyline": {"polylines": [{"label": "dog", "vertices": CORNERS}]},
    "line": {"lines": [{"label": "cat", "vertices": CORNERS[:2]}]},
    "keypoint": {"keypoints": [{"label": "cat", "x": 5, "y": 6}, {"label": "dog", "x": 7, "y": 8}]},
    "semantic-segmentation": {
        "labelMappings": {"cat": {"color": "#ff0000"}, "dog": {"color": "#00ff00"}},
        "labeledImage": {"pngImageData": painted(255, 0, 0)},
    },
    "instance-segmentation": {
        "instances": [{"color": "#00ff00", "label": "dog"}],
        "labeledImage": {"pngImageData": painted(0, 255, 0)},
    },
}


def test_shapes_and_masks_are_drawn(page: Page, opened: Callable[..., FrameLocator]) -> None:
    elements = "".join(
        f"""<crowd-{name} name="{name}" src="{PICTURE}" labels="['cat', 'dog']"></crowd-{name}>"""
        for name in DRAWN
    )
    answer = {name: {**output, "inputImageProperties": SIZE} for name, output in DRAWN.items()}
    page_text = f"{{% raw %}}{CROWD}<crowd-form>{elements}</crowd-form>{{% endraw %}}"
    frame = opened(page_text, [("taskAnswers", json.dumps([answer]))])

    form = frame.locator("crowd-form")
    for name in ("semantic", "instance"):
        # As soon as it is painted: nothing of the colour is there before.
        form.evaluate(
            """(form, name) => new Promise((done) => {
              const mask = form.querySelector(`crowd-${name}-segmentation`);
              const painted = () => mask.pixels.getImageData(50, 50, 1, 1).data[3] === 255;
              const look = () => mask.canvas.width && painted() ? done() : setTimeout(look, 20);
              look();
            })""",
            name,
        )
    found = form.evaluate("form => form.answers")
    masks = {name: found.pop(f"{name}-segmentation") for name in ("semantic", "instance")}
    assert found == {name: answer[name] for name in found}
    assert set(found) == {"polygon", "polyline", "line", "keypoint"}
    assert masks["semantic"]["labelMappings"] == DRAWN["semantic-segmentation"]["labelMappings"]
    assert masks["instance"]["instances"] == DRAWN["instance-segmentation"]["instances"]
    pixel = "mask => [...mask.pixels.getImageData(50, 50, 1, 1).data]"
    assert frame.locator("crowd-semantic-segmentation").evaluate(pixel) == [255, 0, 0, 255]
    assert frame.locator("crowd-instance-segmentation").evaluate(pixel) == [0, 255, 0, 255]
    page.wait_for_function(
        "[...document.querySelectorAll('#answers .place')].every(one => !one.textContent)"
    )
    # It is the worker's: a click draws nothing, a tool does nothing.
    for stage in frame.locator(".crowd-stage").all():
        stage.click(position={"x": 30, "y": 30})
    for tool in frame.locator("[data-crowd-tool=add]").all():
        tool.click()
    again = form.evaluate("form => form.answers")
    assert {name: again[name] for name in found} == found
    assert again["instance-segmentation"] == masks["instance"]


MADE_LATE = """<!DOCTYPE html><html><body><form id="form"></form><script>
function grow() {
  const field = document.createElement("input");
  field.name = "colour";
  document.getElementById("form").append(field);
  const more = document.createElement("div");
  more.hidden = true;
  more.innerHTML = '<label>Why <input name="why"></label>';
  field.addEventListener("input", () => { more.hidden = field.value !== "blue"; });
  document.getElementById("form").append(more);
}
addEventListener("load", () => setTimeout(grow, 150));
setTimeout(() => { document.querySelector("[name=colour]").value = "preset"; }, 400);
</script></body></html>"""


def test_fields_that_scripts_make_are_filled_in_and_scripts_hear_of_it(
    page: Page, opened: Callable[..., FrameLocator]
) -> None:
    frame = opened(MADE_LATE, [("colour", "blue"), ("why", "it is")])
    frame.get_by_label("Why").wait_for(state="visible")
    assert frame.get_by_label("Why").input_value() == "it is"
    # Set back without any trace, it is filled in again.
    frame.locator("html").evaluate(
        "() => new Promise(done => { const look = () => "
        "document.querySelector('[name=colour]').value === 'blue' "
        "&& performance.now() > 1500 ? done() : setTimeout(look, 20); look(); })"
    )
    assert page.locator("#answers .place").all_inner_texts() == ["", ""]


SENDING = (
    CROWD
    + """<form id="f" action="https://example.com/"><input name="colour">
<button>Send</button></form>
<crowd-form><crowd-input name="more"></crowd-input></crowd-form><p id="told"></p>
<script>
document.getElementById("f").submit();
fetch("/mturk/externalSubmit", {method: "POST"}).catch(() => told.textContent += " fetch refused");
const request = new XMLHttpRequest();
request.addEventListener("error", () => told.textContent += " request refused");
request.open("POST", "/mturk/externalSubmit");
request.send("a=b");
navigator.sendBeacon("/mturk/externalSubmit", "c=d");
</script>"""
)


def test_nothing_can_be_submitted(page: Page, opened: Callable[..., FrameLocator]) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.method))
    frame = opened(SENDING, [("colour", "blue")])
    frame.get_by_text("fetch refused").wait_for()
    frame.get_by_text("request refused").wait_for()
    frame.get_by_role("button", name="Send").click()
    frame.get_by_role("button", name="Submit").click()
    frame.locator("[name=colour]").press("Enter")
    assert frame.locator("[name=colour]").input_value() == "blue"
    assert set(asked) == {"GET"}


def test_keys_judge_and_lead(page: Page, make: Make, start: Start, client: MTurkClient) -> None:
    batch = make([{"A1": answered("blue"), "A2": answered("red")}, {"A1": answered("green")}])
    running = start(batch)
    page.goto(running.url)
    begin(page)
    first = page.url

    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(first)
    page.keyboard.press("a")
    page.wait_for_url(lambda url: url != first)
    second = page.url
    page.keyboard.press("r")
    page.keyboard.type("Not a colour of the sky.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != second)
    third = page.url
    assert_shows(page.get_by_role("link", name="To send: 2"))
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.wait_for_url("**/?done=1")
    assert_shows(page.get_by_text("Nothing more is open"))

    for back in (third, second):
        page.keyboard.press("u")
        page.wait_for_url(back)
        assert page.locator(".judge .state").inner_text() == "open"
    # A reason that was given is remembered, even one that was taken back.
    page.keyboard.press("1")
    assert page.get_by_label("Reason to reject").input_value() == "Not a colour of the sky."
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    page.wait_for_url("**/workers/A2")
    page.keyboard.press("i")
    page.wait_for_url(lambda url: urllib.parse.urlsplit(url).path == "/")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.get_by_label("Hear these keys").uncheck()
    page.keyboard.press("Escape")
    page.goto(third)
    page.keyboard.press("a")
    page.keyboard.press("?")
    assert not page.get_by_role("dialog", name="Keys").is_visible()
    page.reload()
    assert page.locator(".judge .state").inner_text() == "open"
    page.get_by_role("button", name="Keys").click()
    assert not page.get_by_label("Hear these keys").is_checked()
    assert statuses(client, batch) == [("Submitted", "")] * 3


def test_a_key_that_is_held_down_judges_once(page: Page, make: Make, start: Start) -> None:
    running = start(make([{f"A{n}": answered("blue") for n in range(5)}]))
    page.goto(running.url)
    begin(page)
    first = page.url
    page.keyboard.down("a")
    for _ in range(5):
        page.keyboard.down("a")
    page.wait_for_url(lambda url: url != first)
    page.locator(".judge").wait_for()
    page.keyboard.down("a")  # still held down
    page.keyboard.up("a")
    page.reload()
    assert_shows(page.get_by_role("link", name="To send: 1"))


def test_a_rejection_needs_a_reason(page: Page, make: Make, start: Start) -> None:
    running = start(make([{"A1": answered("blue")}]))
    page.goto(running.url)
    begin(page)
    page.get_by_role("button", name="Reject", exact=True).click()
    assert_shows(page.locator("textarea:invalid"))
    # Nor is it taken from who goes past the browser.
    page.get_by_label("Reason to reject").evaluate("field => field.required = false")
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_text("a rejection needs a reason").wait_for()
    page.go_back()
    page.get_by_label("Reason to reject").fill("x")
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_text("tells the worker nothing").wait_for()
    assert_shows(page.get_by_role("link", name="To send: 0"))


def send(page: Page) -> None:
    """Sum up, and send."""
    page.get_by_role("link", name="To send").click()
    page.get_by_role("button", name="Sum up").click()
    page.get_by_role("button", name="Send").click()
    page.get_by_role("heading", name="decisions hold").wait_for()


def test_decisions_are_summed_up_and_sent(
    page: Page, make: Make, start: Start, client: MTurkClient
) -> None:
    batch = make([{"A1": answered("blue"), "A2": answered("red")}, {"A1": answered("green")}])
    running = start(batch)
    page.goto(running.url)
    begin(page)
    page.get_by_role("button", name="Approve").click()
    page.get_by_label("Reason to reject").fill("The sky is not red.")
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_role("link", name="To send: 2").click()
    page.get_by_role("button", name="Sum up").click()
    page.get_by_role("heading", name="What it comes to").wait_for()
    told = [" ".join(row.split()) for row in page.locator("main tr").all_inner_texts()]
    assert told[:5] == [
        "to approve 1",
        "to reject 1",
        "rewards $0.10",
        "MTurk's fees $0.02",
        "total $0.12",
    ]
    assert_shows(page.get_by_role("cell", name="The sky is not red."))
    assert statuses(client, batch) == [("Submitted", "")] * 3

    page.get_by_role("button", name="Send 2 decisions").click()
    page.get_by_role("heading", name="2 of 2 decisions hold").wait_for()
    assert statuses(client, batch) == [
        ("Approved", ""),
        ("Rejected", "The sky is not red."),
        ("Submitted", ""),
    ]
    # What is approved stays; what is rejected can be turned back.
    page.goto(f"{running.site}/?state=approved")
    page.locator("main tbody a").first.click()
    page.get_by_text("Approved is final").wait_for()
    assert page.get_by_role("button", name="Approve").count() == 0
    page.goto(f"{running.site}/?state=rejected")
    page.locator("main tbody a").first.click()
    page.get_by_text("The worker was told: The sky is not red.").wait_for()
    page.get_by_role("button", name="Approve after all").click()
    send(page)
    assert statuses(client, batch)[1][0] == "Approved"

    page.get_by_role("button", name="Finish").click()
    page.get_by_role("heading", name="Finished").wait_for()
    assert running.result() == actions.BrowserReview(batch, 1, 0, 1, {}, 0, 1, ())


def test_what_fails_is_listed_and_can_be_sent_again(
    page: Page, make: Make, start: Start, client: MTurkClient, served: service.Service
) -> None:
    batch = make([{f"A{n}": answered("blue") for n in range(3)}])
    running = start(batch, concurrency=1)
    page.goto(running.url)
    begin(page)
    page.keyboard.press("h")
    page.get_by_role("button", name="Approve the 3 open ones").click()
    served.faults.load("ApproveAssignment:funds@2")
    page.get_by_role("link", name="To send: 3").click()
    page.get_by_role("button", name="Sum up").click()
    page.get_by_role("button", name="Send 3 decisions").click()
    page.get_by_role("heading", name="2 of 3 decisions hold").wait_for()
    assert_shows(page.locator(".fault li"))
    served.faults.clear()
    assert_shows(page.get_by_role("link", name="To send: 1"))
    page.get_by_role("button", name="Sum up again").click()
    page.get_by_role("button", name="Send 1 decision").click()
    page.get_by_role("heading", name="1 of 1 decisions hold").wait_for()
    assert [status for status, _ in statuses(client, batch)] == ["Approved"] * 3


def test_what_was_approved_meanwhile_is_in_the_way_until_its_mark_is_cleared(
    page: Page, make: Make, start: Start, client: MTurkClient
) -> None:
    batch = make([{"A1": answered("blue"), "A2": answered("red")}])
    running = start(batch)
    page.goto(running.url)
    begin(page)
    gone = page.url.rpartition("/")[2]
    page.get_by_label("Reason to reject").fill("No colour.")
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_role("button", name="Approve").click()
    client.approve_assignment(AssignmentId=gone)
    page.get_by_role("link", name="To send").click()
    page.get_by_role("button", name="Sum up").click()
    page.get_by_text(f"{gone}, marked to reject: {gone} is approved already").wait_for()
    assert page.get_by_role("button", name="Send").count() == 0
    page.get_by_role("button", name="Clear these marks").click()
    page.get_by_role("button", name="Send 1 decision").click()
    page.get_by_role("heading", name="1 of 1 decisions hold").wait_for()
    assert [status for status, _ in statuses(client, batch)] == ["Approved"] * 2


def test_assignments_of_a_hit_are_compared_side_by_side(
    page: Page, make: Make, start: Start
) -> None:
    running = start(make([{"A1": answered("blue"), "A2": answered("red"), "A3": answered("blue")}]))
    page.goto(running.url)
    begin(page)
    page.keyboard.press("h")
    page.get_by_role("heading", name="Answers, compared").wait_for()
    cells = page.locator("table.compared td")
    assert cells.all_inner_texts() == ["blue (2 of 3)", "red", "blue (2 of 3)"]
    assert_shows(page.locator("table.compared td.agree"), 2)
    for number, colour in enumerate(("blue", "red", "blue")):
        frame = page.frame_locator("iframe").nth(number)
        page.locator("iframe").nth(number).scroll_into_view_if_needed()
        page.locator(".column").nth(number).locator("iframe[data-filled]").wait_for()
        assert frame.locator("textarea").input_value() == colour
    # Keys are of the column that is chosen.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("s")
    page.locator(".column").nth(1).get_by_text("skipped").wait_for()
    states = [one.inner_text() for one in page.locator(".column .judge .state").all()]
    assert states == ["open", "skipped", "open"]
    assert page.locator(".column[aria-current] h3").inner_text() == "A3"


def test_a_workers_other_answers_are_listed_and_judged_alike(
    page: Page, make: Make, start: Start, client: MTurkClient
) -> None:
    batch = make([{"A1": answered("x"), "A2": answered("blue")}, {"A1": answered("x")}])
    running = start(batch, worker="A1")
    page.goto(running.url)
    page.get_by_role("textbox", name="Worker").wait_for()
    assert page.get_by_role("textbox", name="Worker").input_value() == "A1"
    assert_shows(page.locator("main tbody tr"), 2)
    begin(page)
    page.keyboard.press("w")
    page.get_by_text("2 assignments; work time, median").wait_for()
    page.get_by_text("Judge the 2 open ones all alike").click()
    page.get_by_label("Reason to reject").fill("The same x everywhere.")
    page.get_by_role("button", name="Reject all 2").click()
    assert page.locator(".counts div", has_text="to reject").inner_text().split()[-1] == "2"
    page.wait_for_load_state()
    page.keyboard.press("u")
    page.get_by_text("Judge the 2 open ones all alike").click()
    page.get_by_role("button", name="Approve all 2").click()
    send(page)
    assert [status for status, _ in statuses(client, batch)] == [
        "Approved",
        "Submitted",
        "Approved",
    ]


def test_marks_and_filters_are_in_the_list(page: Page, make: Make, start: Start) -> None:
    batch = make([{"A1": answered("blue"), "A2": answered("red")}, {"A1": answered("green")}])
    running = start(batch)
    page.goto(running.url)
    begin(page)
    first = page.url
    page.keyboard.press("l")
    page.wait_for_url(lambda url: url != first)
    page.locator(".judge").wait_for()
    page.goto(f"{running.site}/")
    page.get_by_label("State").select_option("look again")
    page.get_by_role("button", name="Show").click()
    assert_shows(page.locator("main tbody tr"))
    page.locator("main tbody a").first.click()
    page.get_by_role("button", name="Clear the mark").click()
    page.locator(".judge").get_by_text("open", exact=True).wait_for()


FORM = """<?xml?><QuestionForm xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/\
2017-11-06/QuestionForm.xsd"><Question><QuestionIdentifier>shade</QuestionIdentifier>
<QuestionContent><Text>Shade of {{ word }}?</Text></QuestionContent>
<AnswerSpecification><SelectionAnswer><StyleSuggestion>radiobutton</StyleSuggestion><Selections>
<Selection><SelectionIdentifier>l</SelectionIdentifier><Text>light</Text></Selection>
<Selection><SelectionIdentifier>d</SelectionIdentifier><Text>dark</Text></Selection>
</Selections></SelectionAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>why</QuestionIdentifier>
<QuestionContent><Text>Why?</Text></QuestionContent>
<AnswerSpecification><FreeTextAnswer/></AnswerSpecification></Question></QuestionForm>"""
EXTERNAL = """<?xml?><ExternalQuestion xmlns="http://mechanicalturk.amazonaws.com/\
AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd">
<ExternalURL>https://example.com/task?word={{ word }}</ExternalURL>
<FrameHeight>400</FrameHeight></ExternalQuestion>"""


def test_a_question_form_is_drawn_with_its_answers(page: Page, make: Make, start: Start) -> None:
    running = start(make([{"A1": [("shade", "d"), ("why", "because")]}], FORM))
    page.goto(running.url)
    begin(page)
    assert page.get_by_label("dark").is_checked()
    assert page.get_by_label("dark").is_disabled()
    assert page.get_by_label("Why?").input_value() == "because"
    assert_shows(page.locator("#answers tr[data-field]"), 2)


def test_the_page_of_an_external_question_is_linked_to(
    page: Page, make: Make, start: Start
) -> None:
    running = start(make([{"A1": answered("blue")}], EXTERNAL))
    page.goto(running.url)
    begin(page)
    address = page.get_by_role("link", name="https://example.com/task").get_attribute("href")
    assert address is not None
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)
    assert query["word"] == ["sky"]
    assert query["assignmentId"] == ["ASSIGNMENT_ID_NOT_AVAILABLE"]
    assert page.locator("#answers tr[data-field]").inner_text().split() == ["colour", "blue"]


HOSTILE = """<!DOCTYPE html><p id="told">trying</p><input name="colour"><script>
const site = location.origin.replace("localhost", "127.0.0.1");
const id = new URLSearchParams(location.search).get("assignmentId");
const body = new URLSearchParams({of: "assignment", id, action: "approve"});
const done = [];
(async () => {
  // Without what was put before it: a frame of its own has the browser's own functions.
  const fresh = document.createElement("iframe");
  document.body.append(fresh);
  const fetch = fresh.contentWindow.fetch;
  for (const [name, options] of [
    ["post", {method: "POST", body, credentials: "include", mode: "no-cors"}],
    ["read", {credentials: "include"}],
  ]) {
    await fetch(name === "post" ? site + "/marks" : site + "/", options).then(
      (reply) => done.push(name + " " + reply.type), () => done.push(name + " refused"));
  }
  const form = document.createElement("form");
  form.method = "post";
  form.action = site + "/marks";
  form.innerHTML = [...body].map(([name, value]) => `<input name=${name} value=${value}>`).join();
  document.body.append(form);
  fresh.contentWindow.HTMLFormElement.prototype.submit.call(form);
  for (const key of ["a", "A"]) {
    parent.postMessage({turkbatch: "key", key}, "*");
    parent.postMessage({turkbatch: "filled", missing: "everything", hidden: {}}, "*");
  }
  try { parent.document.querySelector("[data-key=a]").click(); }
  catch { done.push("parent refused"); }
  try { top.location = site + "/"; } catch { done.push("top refused"); }
  const popup = window.open(site + "/");
  done.push(popup ? "popup" : "no popup");
  document.getElementById("told").textContent = done.join(", ");
})();
</script>"""


def test_a_hostile_page_cannot_approve_itself(
    page: Page, make: Make, start: Start, client: MTurkClient
) -> None:
    batch = make([{"A1": answered("blue"), "A2": answered("red")}], HOSTILE)
    running = start(batch)
    page.goto(running.url)
    begin(page)
    here = page.url
    told = page.frame_locator("iframe").first.locator("#told")
    told.get_by_text("popup").wait_for()
    said = told.inner_text()
    assert "parent refused" in said
    assert "read refused" in said
    assert page.url == here
    page.reload()
    assert_shows(page.get_by_role("link", name="To send: 0"))
    for popup in page.context.pages[1:]:
        popup.wait_for_load_state()
        assert "holds the key" in popup.content() or popup.url == "about:blank"
    assert [status for status, _ in statuses(client, batch)] == ["Submitted"] * 2


def test_the_pages_can_be_used_by_everyone(
    page: Page, make: Make, start: Start, check_access: Callable[..., None]
) -> None:
    batch = make(
        [{"A1": answered("blue"), "A2": answered("red"), "A3": answered("blue")}],
        COLOUR.replace("<p>", "<html lang='en'><title>Colour</title><label for='c'>").replace(
            "</p><form><textarea", "</label><form><textarea id='c'"
        ),
    )
    running = start(batch)
    page.goto(running.url)
    begin(page)
    page.get_by_label("Reason to reject").fill("Not so.")
    page.get_by_role("button", name="Reject", exact=True).click()
    item = page.url.removeprefix(running.site)
    hit_id = directory.open_batch(batch).hit_ids()[0]
    page.goto(f"{running.site}/send")
    page.get_by_role("button", name="Sum up").click()
    page.get_by_role("heading", name="What it comes to").wait_for()
    paths = ["/", item, f"/hits/{hit_id}", "/workers", "/workers/A1", "/send", "/nowhere"]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for path in paths:
            page.goto(f"{running.site}{path}")
            check_access(page)
    page.keyboard.press("?")
    check_access(page)
    page.set_viewport_size({"width": 360, "height": 700})
    for path in paths:
        page.goto(f"{running.site}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path


def test_a_form_can_be_read_by_everyone(
    page: Page, make: Make, start: Start, check_access: Callable[..., None]
) -> None:
    running = start(make([{"A1": [("shade", "d"), ("why", "because")]}], FORM))
    page.goto(running.url)
    begin(page)
    check_access(page)


def test_many_assignments_are_shown_page_by_page(page: Page, make: Make, start: Start) -> None:
    running = start(make([{f"A{n:03}": answered(str(n)) for n in range(120)}]))
    page.goto(running.url)
    page.get_by_text("1 to 100 of 120").wait_for()
    assert_shows(page.locator("main tbody tr"), 100)
    page.keyboard.press("j")
    page.get_by_text("101 to 120 of 120").wait_for()
    assert_shows(page.locator("main tbody tr"), 20)


def test_a_task_is_read_while_others_are_still_on_their_way(
    page: Page, make: Make, start: Start, served: service.Service
) -> None:
    batch = make([{"A1": answered("blue")} for _ in range(8)])
    served.faults.load("latency=0.5")
    running = start(batch, concurrency=1)
    page.goto(running.url)
    page.get_by_text("HITs are read").wait_for()
    begin(page)
    page.frame_locator("iframe").locator("textarea").wait_for()
    served.faults.clear()
    page.goto(f"{running.site}/")
    page.locator("main tbody tr").nth(7).wait_for()
