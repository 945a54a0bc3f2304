"""The preview of a batch as one looks at it: keys, widths, changes, submissions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_site import FORM
from turkbatch import actions
from turkbatch.actions import draft, throwaway
from turkbatch.preview import site
from turkbatch.server import listener

if TYPE_CHECKING:
    from playwright.sync_api import Page

CROWD = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><p>{{ word }}</p><crowd-input name="colour" label="Colour" required></crowd-input>
<crowd-button form-action="submit">Send</crowd-button></crowd-form>"""


@pytest.fixture
def url(definition: Path, rows: Path) -> Iterator[str]:
    with throwaway.throwaway() as server:
        made = draft.Draft(definition, rows, server, allow_undefined=False)
        app = site.create_app(made, "A batch")
        with listener.Listener("127.0.0.1", 0, app) as served:
            thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            yield served.url
            served.shutdown()
            thread.join()


def test_keys_lead_from_row_to_row_but_not_while_one_writes(page: Page, url: str) -> None:
    page.goto(f"{url}/")
    page.get_by_role("link", name="1", exact=True).click()
    page.wait_for_url("**/rows/1")
    for key, number in (("ArrowRight", 2), ("n", 3), ("ArrowLeft", 2), ("p", 1)):
        page.keyboard.press(key)
        page.wait_for_url(f"**/rows/{number}")
    page.goto(f"{url}/rows/2?mode=accepted")
    page.frame_locator("#task").locator("textarea").press("ArrowRight")
    page.get_by_role("link", name="Next").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/rows/3?mode=accepted")


def test_the_width_is_a_phone_s_or_a_desktop_s_and_stays(page: Page, url: str) -> None:
    def width() -> int:
        return int(page.evaluate("document.getElementById('sheet').offsetWidth"))

    page.goto(f"{url}/rows/1")
    all_there_is = width()
    page.get_by_role("button", name="Phone").click()
    assert width() == 390
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/rows/2")
    assert width() == 390
    page.get_by_role("button", name="Desktop").click()
    assert width() == 1280
    page.get_by_role("button", name="All there is").click()
    assert width() == all_there_is


def test_a_page_in_preview_can_be_seen_and_not_submitted(page: Page, url: str) -> None:
    page.goto(f"{url}/rows/1")
    button = page.frame_locator("#task").locator("#submitButton")

    button.wait_for()
    assert button.is_disabled()
    assert "must ACCEPT" in (button.get_attribute("value") or "")
    page.get_by_role("link", name="Accepted").click()
    assert button.is_enabled()


@pytest.mark.parametrize(
    ("question", "button"), [(None, "Submit"), (CROWD, "Send")], ids=["plain", "crowd"]
)
def test_what_is_submitted_is_shown_beside_the_page(
    page: Page, url: str, definition: Path, question: str | None, button: str
) -> None:
    if question is not None:
        (definition / "question.html.j2").write_text(question)
    page.goto(f"{url}/rows/2?mode=accepted")
    task = page.frame_locator("#task")
    task.locator("textarea, input:not([type=hidden]):not([type=submit])").first.fill("dark green")
    task.get_by_role("button", name=button).click()

    became = page.locator("#became")
    became.get_by_text("Submission 1, of row 2").wait_for()
    assert "dark green" in became.locator("pre").inner_text()
    shown = [
        (pair.locator("dt").inner_text(), pair.locator("dd").inner_text())
        for pair in became.locator("> dl > div").all()
    ]
    assert shown == [("Input.word", "grass"), ("colour", "dark green")]


def test_a_page_that_changed_is_loaded_anew(
    page: Page, url: str, definition: Path, rows: Path
) -> None:
    page.goto(f"{url}/rows/1")
    file = definition / "question.html.j2"
    file.write_text(file.read_text().replace("<p>", "<h2>New</h2><p>"))
    page.frame_locator("#task").get_by_role("heading", name="New").wait_for()

    rows.write_text('{"word": "sea"}\n{"wrong": 1}\n')
    page.frame_locator("#task").get_by_text("sea").wait_for()
    page.locator("#findings").get_by_text(f"{rows}:2").first.wait_for()


def test_a_task_reaches_neither_the_page_around_it_nor_what_it_knows(
    page: Page, url: str, definition: Path
) -> None:
    (definition / "question.html.j2").write_text(
        "<p id='told'></p><script>const told = document.getElementById('told');"
        "try { parent.document.title = 'mine'; told.textContent = 'reached'; }"
        f"catch {{ fetch('{url}/findings').then(() => {{ told.textContent = 'reached'; }},"
        "() => { told.textContent = 'kept out'; }); }</script>"
    )
    page.goto(f"{url}/rows/1?mode=accepted")
    page.frame_locator("#task").get_by_text("kept out").wait_for()


def test_pages_can_be_used_by_everyone(
    page: Page, url: str, definition: Path, check_access: Callable[..., None]
) -> None:
    (definition / "hitproperties.json").write_text('{"MaxAssignments": 2}')
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for path in ("/", "/rows/2", "/rows/2?mode=accepted"):
            page.goto(f"{url}{path}")
            page.locator("#findings li").first.wait_for()
            check_access(page)
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_an_export_works_from_files(
    page: Page, definition: Path, rows: Path, tmp_path: Path
) -> None:
    (definition / "question.html.j2").write_text(CROWD)
    index = actions.export_preview(definition, rows, tmp_path / "pages")
    page.goto(index.as_uri())
    page.get_by_role("link", name="2", exact=True).click()
    page.frame_locator("#task").get_by_text("grass").wait_for()
    page.frame_locator("#task").get_by_label("Colour").wait_for()
    page.keyboard.press("ArrowRight")
    page.frame_locator("#task").get_by_text("snow").wait_for()


def test_a_question_form_s_file_becomes_part_of_the_answer(
    page: Page, url: str, definition: Path, tmp_path: Path
) -> None:
    (definition / "question.html.j2").unlink()
    (definition / "question.xml.j2").write_text(FORM % "")
    file = tmp_path / "notes.txt"
    file.write_text("x")
    page.goto(f"{url}/rows/2?mode=accepted")
    page.get_by_label("A word").fill("grass")
    page.get_by_label("A file").set_input_files(file)
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("file: The file must have 2 to 100 bytes; it has 1.").wait_for()
    page.go_back()
    file.write_text("notes")
    page.get_by_label("A word").fill("grass")
    page.get_by_label("A file").set_input_files(file)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("heading", name="Submitted: row 2").wait_for()

    answer = page.locator("pre").first.inner_text()
    assert "<UploadedFileSizeInBytes>5</UploadedFileSizeInBytes><UploadedFileKey>" in answer
    assert "<FreeText>grass</FreeText>" in answer
