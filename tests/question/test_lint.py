from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from turkbatch import question
from turkbatch.question import lint

Define = Callable[[dict[str, str]], Path]

FIELDS = """<form method="post">
<input type="hidden" name="assignmentId" id="assignmentId">
<input name="a">%s
<input type="submit"></form>
<script>turkSetAssignmentID()</script>"""
CROWD = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
<crowd-input name="a"></crowd-input>%s
</crowd-form>"""


def rules(html: str, environment: str = "sandbox") -> list[tuple[str, int | None]]:
    found = lint.page(html, file="question.html", environment=environment)
    return [(finding.rule, finding.line) for finding in found]


@pytest.mark.parametrize(
    "html",
    [
        pytest.param(FIELDS % "", id="form"),
        pytest.param(CROWD % "", id="crowd-form"),
        pytest.param(FIELDS % '<input type=radio name="b"><input type=radio name="b">', id="group"),
        pytest.param(
            FIELDS % "<p><ul><li>1<li>2</ul><table><tr><td>3</table><br/>", id="open tags"
        ),
        pytest.param(FIELDS % '<svg><path d=""/></svg>', id="drawing"),
        pytest.param(FIELDS % '<a href="http://example.com/">link</a>', id="link to http"),
        pytest.param(
            FIELDS.replace('<input type="submit">', '<div onclick="form.submit()"></div>') % "",
            id="submitted by a script",
        ),
        pytest.param(
            '<form><input name="a"><button>Go</button></form>'
            "<script>add('assignmentId'); form.action = turkSubmitTo</script>",
            id="assignment id by a script",
        ),
    ],
)
def test_page_that_works_is_not_warned_of(html: str) -> None:
    assert rules(html) == []


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        pytest.param((FIELDS % "").replace('name="a"', ""), ("no-named-field", None), id="no name"),
        pytest.param(
            FIELDS % '\n<textarea name="a"></textarea>', ("repeated-field", 4), id="twice"
        ),
        pytest.param(
            FIELDS % '\n<input type=radio name="b"><input name="b">',
            ("repeated-field", 4),
            id="mix",
        ),
        pytest.param(
            FIELDS.replace('<input type="submit">', '<button type="button">Go</button>') % "",
            ("no-submit", None),
            id="no submit button",
        ),
        pytest.param(
            FIELDS.replace('name="assignmentId" id="assignmentId"', "") % "",
            ("no-assignment-id", None),
            id="no assignment id",
        ),
        pytest.param(
            FIELDS.replace('id="assignmentId"', "") % "",
            ("no-assignment-id", None),
            id="no element with that id",
        ),
        pytest.param(FIELDS % "\n<div><b></div>", ("ill-formed-html", 4), id="not closed"),
        pytest.param(FIELDS % "\n</div>", ("ill-formed-html", 4), id="not open"),
        pytest.param(FIELDS % "\n<div/></div>", ("ill-formed-html", 4), id="not self-closing"),
        pytest.param(FIELDS % "\n<img src='http://a/b'>", ("insecure-resource", 4), id="http"),
        pytest.param(
            FIELDS % "\n<link rel=stylesheet href='http://a/b'>", ("insecure-resource", 4), id="css"
        ),
        pytest.param(
            CROWD % "\n<crowd-inputs></crowd-inputs>", ("unknown-crowd-element", 4), id="unknown"
        ),
        pytest.param(
            CROWD % "\n<crowd-entity-annotation name=b></crowd-entity-annotation>",
            ("entity-annotation-in-form", 4),
            id="form in a form",
        ),
        pytest.param(
            (CROWD % "").replace("crowd-html-elements", "x"), ("no-crowd-script", 2), id="no loader"
        ),
    ],
)
def test_page_that_does_not_work_is_warned_of(html: str, expected: tuple[str, int | None]) -> None:
    assert rules(html) == [expected]


@pytest.mark.parametrize(
    ("action", "environment", "expected"),
    [
        ("https://www.mturk.com/mturk/externalSubmit", "live", []),
        ("https://workersandbox.mturk.com/mturk/externalSubmit", "sandbox", []),
        ("https://www.mturk.com/mturk/externalSubmit", "sandbox", [("wrong-submit-site", 1)]),
        (
            "https://workersandbox.mturk.com/mturk/externalSubmit",
            "live",
            [("wrong-submit-site", 1)],
        ),
        ("https://www.mturk.com/mturk/externalSubmit", "local", [("wrong-submit-site", 1)]),
        ("/mturk/externalSubmit", "live", [("wrong-submit-site", 1)]),
        ("https://[", "live", [("wrong-submit-site", 1)]),
    ],
)
def test_form_has_to_post_to_the_site_of_its_environment(
    action: str, environment: str, expected: list[tuple[str, int | None]]
) -> None:
    html = (FIELDS % "").replace('method="post"', f'method="post" action="{action}"')
    assert rules(html.replace("turkSetAssignmentID()", ""), environment) == expected
    assert rules(html, environment) == []


def test_fields_that_scripts_may_make_are_a_note() -> None:
    html = (FIELDS % "").replace('name="a"', "") + "<script>div.innerHTML = fields</script>"
    found = lint.page(html, file="question.html", environment="sandbox")
    assert [(finding.rule, finding.severity) for finding in found] == [("no-named-field", "note")]


def test_layout_that_was_completed_is_warned_of_fields_alone(define: Define) -> None:
    template = question.load(define({"question.html": "<p>Nothing to fill in"}), columns=[])
    page = template.render({}, where="data.csv:2").html or ""
    found = lint.page(page, file="question.html", environment="sandbox")
    assert [(finding.rule, finding.severity) for finding in found] == [
        ("no-named-field", "warning")
    ]


def test_every_finding_says_why_and_what_to_do() -> None:
    html = "<crowd-x><img src='http://a'><b><form action='https://a/'>"
    found = lint.page(html, file="question.html", environment="sandbox")
    assert len(found) > 5
    assert [finding for finding in found if not (finding.why and finding.fix)] == []


def test_names_of_layout_and_data_are_held_against_each_other(define: Define) -> None:
    text = "<p>${image}\n${imgae_url} ${weather}"
    columns = ["image", "image_url", "zone", "age of worker"]
    template = question.load(define({"question.html": text}), columns=columns)
    found = lint.names(template, columns)
    assert [(finding.rule, finding.line, finding.found, finding.fix) for finding in found] == [
        (
            "unfilled-name",
            2,
            "${imgae_url} is no column of the data",
            'did you mean "image_url"?',
        ),
        (
            "unfilled-name",
            2,
            "${weather} is no column of the data",
            "add the column, or leave it if it is JavaScript",
        ),
        (
            "unused-field",
            None,
            'nothing uses 3 fields: "image_url", "zone", "age of worker"',
            "nothing to do, if they are there for the results alone",
        ),
    ]


def test_names_of_template_and_data_are_held_against_each_other(define: Define) -> None:
    text = "<p>{{ image }}\n{{ imgae_url }}{{ note|default('') }}{{ weather }}"
    columns = ["image", "image_url", "zone", "age of worker"]
    template = question.load(define({"question.html.j2": text}), columns=columns)
    found = lint.names(template, columns)
    assert [(finding.rule, finding.line, finding.found, finding.fix) for finding in found] == [
        (
            "unfilled-name",
            2,
            'no field of the data is called "imgae_url"',
            'did you mean "image_url"?',
        ),
        (
            "unfilled-name",
            2,
            'no field of the data is called "weather"',
            "add the field to the data",
        ),
        (
            "unused-field",
            None,
            'nothing uses the field "image_url"',
            'the template uses another name: did you mean "imgae_url"?',
        ),
        (
            "unused-field",
            None,
            'nothing uses 2 fields: "zone", "age of worker"',
            "nothing to do, if they are there for the results alone; Jinja2 finds names of"
            " letters, digits and _ alone",
        ),
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("a += '<input name=\"made\" type=text>'", '"made"', id="markup"),
        pytest.param("field.name = 'made'", '"made"', id="property"),
        pytest.param("field.setAttribute('name', 'made')", '"made"', id="attribute"),
        pytest.param(
            "a += '<select name=\"x' + i + '\">'", "fields whose names are computed", id="sum"
        ),
        pytest.param("field.name = `x${i}`", "fields whose names are computed", id="literal"),
        pytest.param("if (field.name == 'made') {}", None, id="comparison"),
        pytest.param("a += '<input name=\"a\">'", None, id="a field that is there"),
    ],
)
def test_fields_that_scripts_make_are_named(script: str, expected: str | None) -> None:
    page = f'<form><input name="a"></form><script>{script}</script>'
    found = lint.page(page, file="question.html", environment="sandbox")
    notes = [one.found for one in found if one.rule == "scripted-fields"]
    assert notes == ([f"scripts make {expected}"] if expected else [])


def test_disabled_field_is_no_answer() -> None:
    page = '<form><input name="a" disabled></form>'
    found = lint.page(page, file="question.html", environment="sandbox")
    assert "no-named-field" in {one.rule for one in found}


def test_the_stand_in_draws_every_crowd_element() -> None:
    script = Path(lint.__file__).parents[1] / "server" / "static" / "crowd-html-elements.js"
    drawn = re.findall(r'^ {4}"(crowd-[a-z-]+)": Crowd', script.read_text("utf-8"), re.MULTILINE)
    assert set(drawn) == lint.CROWD_ELEMENTS
