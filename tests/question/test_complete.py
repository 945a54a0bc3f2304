from __future__ import annotations

import pytest

from turkbatch.question import complete
from turkbatch.question.complete import (
    FORM_CLOSING,
    FORM_OPENING,
    HIDDEN_FIELD,
    SCRIPT,
    SUBMIT_BUTTON,
)

NO_FORM = "the layout has no form"
NO_FIELD = "the layout has no field for the assignment's id"
NO_SUBMIT = "the layout has no submit button"
NO_SCRIPT = "no script fills in the assignment's id"


def completed(html: str) -> tuple[str, list[str]]:
    text, notes = complete.complete(html, file="question.html")
    assert {(note.rule, note.severity) for note in notes} <= {("completed-layout", "note")}
    return text, [note.found for note in notes]


def test_inside_of_a_form_gets_all_that_the_website_adds() -> None:
    assert completed("<p><input name=a>") == (
        f"{FORM_OPENING}{HIDDEN_FIELD}<p><input name=a>{SUBMIT_BUTTON}{FORM_CLOSING}{SCRIPT}",
        [NO_FORM, NO_FIELD, NO_SUBMIT, NO_SCRIPT],
    )


def test_form_goes_inside_the_body_whatever_comments_and_scripts_hold() -> None:
    before = "<!DOCTYPE html><html><head><!-- <body> --><script>'</body>'</script></head><body>"
    assert completed(f"{before}<button>Go</button></body></html>") == (
        f"{before}{FORM_OPENING}{HIDDEN_FIELD}<button>Go</button>{FORM_CLOSING}{SCRIPT}"
        "</body></html>",
        [NO_FORM, NO_FIELD, NO_SCRIPT],
    )


@pytest.mark.parametrize(
    "before",
    ["<!doctype html>\n<html><head></head>", "<html>", " <!DOCTYPE html>", ""],
)
def test_form_goes_where_a_body_without_tags_begins(before: str) -> None:
    assert completed(f"{before}<p>a</p>")[0] == (
        f"{before}{FORM_OPENING}{HIDDEN_FIELD}<p>a</p>{SUBMIT_BUTTON}{FORM_CLOSING}{SCRIPT}"
    )


def test_own_form_gets_what_it_lacks_and_nothing_else() -> None:
    assert completed('<body><FORM action="x"><input type=submit></FORM></body>') == (
        f'<body><FORM action="x">{HIDDEN_FIELD}<input type=submit></FORM>{SCRIPT}</body>',
        [NO_FIELD, NO_SCRIPT],
    )


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<crowd-form><crowd-input name=a></crowd-input></crowd-form>", id="crowd"),
        pytest.param("<crowd-entity-annotation name=a>", id="widget with its own form"),
        pytest.param(
            '<form><input type="hidden" name="assignmentId" id="assignmentId">'
            "<input type=submit></form><script>turkSetAssignmentID()</script>",
            id="complete",
        ),
        pytest.param(
            "<div></div><script>document.createElement('form')</script>", id="made by a script"
        ),
    ],
)
def test_layout_that_lacks_nothing_is_left_alone(html: str) -> None:
    assert completed(html) == (html, [])


def test_completing_a_second_time_changes_nothing() -> None:
    once, _ = completed("<p><input name=a>")
    assert completed(once) == (once, [])
