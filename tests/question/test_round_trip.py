"""Any text that a data row can hold reaches the worker's page unchanged, in all three forms."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from turkbatch import question
from turkbatch.question import check, wrap

NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
)
XML = (
    f'<HTMLQuestion xmlns="{NAMESPACE}"><HTMLContent>%s</HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)
ESCAPED = "<crowd-form>{{ text }}</crowd-form>"
VERBATIM = "<crowd-form>${text}</crowd-form>"

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda character: character >= " " or character in "\t\n\r"
)
MARKS = ["]]>", "]]", "<![CDATA[", "${text}", "${other}", "{{ text }}", "{%", "#}", "&amp;", "</p>"]
PIECES = st.sampled_from([*MARKS, "\U0001f99c", "\r\n", "\n", "\\1", "'", '"', "&", "<", "\u2028"])
TEXT = st.lists(CHARACTERS | PIECES, max_size=20).map("".join)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], question.Template]:
    def write(name: str, text: str) -> question.Template:
        directory: Path = tmp_path_factory.mktemp("definition")
        (directory / name).write_text(text, encoding="utf-8")
        return question.load(directory, columns=["text", "other"])

    return write


Load = Callable[[str, str], question.Template]


def page(template: question.Template, text: str) -> str:
    """Render as we do, and read the page as MTurk would, with a parser of its own."""
    rendered = template.render({"text": text, "other": "x"}, where="data.jsonl:1")
    content = etree.fromstring(rendered.xml.encode()).findtext("{*}HTMLContent")
    assert content is not None
    return content.removeprefix("<crowd-form>").removesuffix("</crowd-form>")


def as_lines(text: str) -> str:
    """End lines as a parser of XML or HTML does, whatever the text has them end in."""
    return re.sub("\r\n?", "\n", text)


def test_any_text_reaches_the_page_of_a_layout(load: Load) -> None:
    template = load("question.html", VERBATIM)

    @given(TEXT)
    def reaches(text: str) -> None:
        assert page(template, text) == as_lines(text)

    reaches()


def test_any_text_reaches_the_page_of_an_html_template(load: Load) -> None:
    template = load("question.html.j2", ESCAPED)

    @given(TEXT)
    def reaches(text: str) -> None:
        assert html.unescape(page(template, text)) == as_lines(text)

    reaches()


def test_any_text_reaches_the_page_in_the_cdata_of_an_xml_template(load: Load) -> None:
    template = load("question.xml.j2", XML % "<![CDATA[<crowd-form>{{ text|e }}</crowd-form>]]>")

    @given(TEXT)
    def reaches(text: str) -> None:
        assert html.unescape(page(template, text)) == as_lines(text)

    reaches()


def test_any_text_reaches_the_page_of_an_xml_template_without_cdata(load: Load) -> None:
    template = load("question.xml.j2", XML % "{{ text|e }}")

    @given(TEXT)
    def reaches(text: str) -> None:
        assert page(template, f"<crowd-form>{text}</crowd-form>") == as_lines(text)

    reaches()


@given(TEXT)
def test_wrapped_page_is_well_formed_and_follows_its_schema(text: str) -> None:
    checked = check.question(wrap.html_question(text), file="f", line=1, template="t")
    assert (checked.kind, checked.html, checked.findings) == ("HTMLQuestion", as_lines(text), ())


@given(st.text(st.characters() | st.sampled_from("\x00\x0b\ufffe\ud800"), max_size=20))
def test_what_the_parser_refuses_is_what_is_found_invalid(text: str) -> None:
    try:
        etree.fromstring(wrap.html_question(text).encode())
        refused = False
    except (etree.XMLSyntaxError, UnicodeEncodeError):
        refused = True
    assert (wrap.invalid_character(text) is not None) == refused
