from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import answers, errors
from turkbatch.answers import Answer

NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
    "2005-10-01/QuestionFormAnswers.xsd"
)
CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


def text(name: str, *values: str) -> Answer:
    return Answer(name, values, "text")


def elements(answer: Answer) -> Iterator[tuple[str, str]]:
    tags = {"text": "FreeText", "selection": "SelectionIdentifier", "file": "UploadedFileKey"}
    yield "QuestionIdentifier", answer.name
    if answer.size_bytes is not None:
        yield "UploadedFileSizeInBytes", str(answer.size_bytes)
    yield from ((tags[answer.kind], value) for value in answer.values)
    if answer.other_text is not None:
        yield "OtherSelectionText", answer.other_text


def referenced(value: str, *, ascii_only: bool) -> str:
    """Escape as MTurk does; a carriage return has to be a reference to be kept at all."""
    escaped = escape(value, {"\r": "&#13;"})
    return escaped.encode("ascii", "xmlcharrefreplace").decode() if ascii_only else escaped


def document_of_2017(*given: Answer, prefix: str = "") -> str:
    """UTF-8, a line an element, empty elements closed at once; as recorded in 2017."""
    declared = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    lines = ['<?xml version="1.0" encoding="UTF-8" standalone="no"?>']
    lines.append(f'<{prefix}QuestionFormAnswers {declared}="{NAMESPACE}">')
    for answer in given:
        lines.append(f"<{prefix}Answer>")
        for tag, value in elements(answer):
            content = referenced(value, ascii_only=False)
            lines.append(
                f"<{prefix}{tag}>{content}</{prefix}{tag}>" if value else f"<{prefix}{tag}/>"
            )
        lines.append(f"</{prefix}Answer>")
    return "\n".join([*lines, f"</{prefix}QuestionFormAnswers>", ""])


def document_of_2019(*given: Answer) -> str:
    """ASCII with references, on one line; as recorded in 2019."""
    content = "".join(
        "<Answer>"
        + "".join(
            f"<{tag}>{referenced(value, ascii_only=True)}</{tag}>"
            for tag, value in elements(answer)
        )
        + "</Answer>"
        for answer in given
    )
    return (
        '<?xml version="1.0" encoding="ASCII"?>'
        f'<QuestionFormAnswers xmlns="{NAMESPACE}">{content}</QuestionFormAnswers>'
    )


GIVEN = (
    text("comment", "  AT&T &amp; &eacute; caf\u00e9 \U0001f99c\n<b>\n"),
    text("empty", ""),
    text("again", "1"),
    Answer("colour", ("red", "blue"), "selection", other_text=" green "),
    Answer("nothing", (), "selection"),
    text("again", "", "3"),
    Answer("photo", ("key",), "file", size_bytes=100),
)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(document_of_2017(*GIVEN), id="2017"),
        pytest.param(document_of_2017(*GIVEN, prefix="q:"), id="2017 with a prefix"),
        pytest.param(document_of_2019(*GIVEN), id="2019"),
        pytest.param("\n  " + document_of_2019(*GIVEN), id="indented"),
        pytest.param(document_of_2019(*GIVEN).replace(NAMESPACE, "urn:older"), id="namespace"),
        pytest.param(document_of_2019(*GIVEN).replace(f' xmlns="{NAMESPACE}"', ""), id="none"),
    ],
)
def test_answers_come_out_as_they_went_in(document: str) -> None:
    assert answers.parse(document) == GIVEN


def test_columns_keep_lists_and_tell_empty_from_nothing() -> None:
    assert answers.fields(document_of_2017(*GIVEN)) == {
        "comment": "  AT&T &amp; &eacute; caf\u00e9 \U0001f99c\n<b>\n",
        "empty": "",
        "again": ["1", "", "3"],
        "colour": ["red", "blue"],
        "colour.OtherSelectionText": " green ",
        "nothing": None,
        "photo": "key",
        "photo.UploadedFileSizeInBytes": "100",
    }


@pytest.mark.parametrize("document", ["", " \n", document_of_2017(), document_of_2019()])
def test_assignment_without_answers_has_none(document: str) -> None:
    assert (answers.parse(document), answers.fields(document)) == ((), {})


def test_text_in_sections_and_around_comments_is_one_text() -> None:
    document = document_of_2019(text("a", "X")).replace(
        "X", "1<!-- no --><![CDATA[<!DOCTYPE html>&amp;]]>2"
    )
    assert answers.fields(document) == {"a": "1<!DOCTYPE html>&amp;2"}


def test_field_that_browser_scripts_add_is_dropped_with_a_note() -> None:
    notes: list[str] = []
    document = document_of_2017(text("doNotRedirect", "true"), text("a", "1"))
    assert answers.fields(document, notes=notes.append) == {"a": "1"}
    assert notes == [
        '"doNotRedirect" is no answer and was left out: browser scripts of some workers add it'
    ]


@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        pytest.param(
            '[{"category":{"label":"Cat"},"ok":{"on":true},"n":1.50,"none":null,"deep":{"a":{"b":0}}}]',
            {
                "category.label": "Cat",
                "ok.on": "true",
                "n": "1.50",
                "none": None,
                "deep.a.b": "0",
            },
            id="leaves by their paths",
        ),
        pytest.param(
            '[{"r": {"boxes": [{"left": 1e2, "label": "\\u00e9 \\"x\\""}], "size": {}}}]',
            {"r.boxes": '[{"left":1e2,"label":"\u00e9 \\"x\\""}]', "r.size": "{}"},
            id="arrays as JSON",
        ),
        pytest.param('[{"a": "1"}, {"a": "2", "b": ""}]', {"a": ["1", "2"], "b": ""}, id="several"),
        pytest.param('{"a": "1"}', {"a": "1"}, id="object alone"),
        pytest.param("[{}]", {}, id="nothing answered"),
        pytest.param('[{"a": 1}', {"taskAnswers": '[{"a": 1}'}, id="not JSON"),
        pytest.param("[]", {"taskAnswers": "[]"}, id="no object"),
        pytest.param('["a"]', {"taskAnswers": '["a"]'}, id="no objects"),
        pytest.param("[{a: NaN}]", {"taskAnswers": "[{a: NaN}]"}, id="JavaScript"),
        pytest.param("[" * 9_999, {"taskAnswers": "[" * 9_999}, id="too deep"),
        pytest.param("", {"taskAnswers": ""}, id="empty"),
    ],
)
def test_crowd_form_is_taken_apart(posted: str, expected: answers.Fields) -> None:
    assert answers.fields(document_of_2019(text("taskAnswers", posted))) == expected


def test_both_shapes_of_crowd_form_give_the_same_columns() -> None:
    posted = {"category": {"label": "Cat"}, "colour": {"on": True}}
    flat = document_of_2019(text("category.label", "Cat"), text("colour.on", "true"))
    whole = document_of_2019(text("taskAnswers", json.dumps([posted])))
    assert answers.fields(whole) == answers.fields(flat)


def test_long_numbers_of_a_crowd_form_keep_their_digits() -> None:
    posted = '[{"id":12345678901234567890.10,"list":[0.1000]}]'
    assert answers.fields(document_of_2019(text("taskAnswers", posted))) == {
        "id": "12345678901234567890.10",
        "list": "[0.1000]",
    }


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 9}">' for n in range(1, 9))


@pytest.mark.parametrize(
    ("document", "match"),
    [
        pytest.param("<a", "not well-formed XML: unclosed token", id="cut off"),
        pytest.param("<a/>", "the outermost element is <a>", id="another document"),
        pytest.param(
            "<QuestionFormAnswers><Answer><FreeText/></Answer></QuestionFormAnswers>",
            "<Answer> number 1 has 0 <QuestionIdentifier>, not one",
            id="no name",
        ),
        pytest.param(
            document_of_2019(text("a", "1")).replace("FreeText", "Text"),
            "<Answer> number 1 holds <Text>, which is no kind of answer",
            id="unknown kind",
        ),
        pytest.param(
            document_of_2019(text("a", "X")).replace("X", "<b/>"),
            "an answer's text holds elements: b",
            id="elements",
        ),
        pytest.param(
            document_of_2019(Answer("a", ("k",), "file", size_bytes=1)).replace(">1<", ">x<"),
            "<UploadedFileSizeInBytes> is 'x', which is no number",
            id="size",
        ),
        pytest.param(
            f'<!DOCTYPE a [<!ENTITY e0 "x">{BOMB}]><QuestionFormAnswers>&e8;</QuestionFormAnswers>',
            "it has a document type declaration",
            id="entity bomb",
        ),
        pytest.param(
            '<!DOCTYPE a SYSTEM "file:///etc/hostname"><QuestionFormAnswers/>',
            "it has a document type declaration",
            id="document type elsewhere",
        ),
        pytest.param("<a>\ud800</a>", "it can't be read", id="half a character"),
    ],
)
def test_document_that_can_not_be_read_says_where(document: str, match: str) -> None:
    with pytest.raises(errors.AnswerError, match=f"^assignments.jsonl:3: .*{match}") as error:
        answers.parse(document, where="assignments.jsonl:3")
    assert [(finding.file, finding.line) for finding in error.value.findings] == [
        ("assignments.jsonl", 3)
    ]


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda character: character >= " " or character in "\t\n\r"
)
PIECES = st.sampled_from(["]]>", "&amp;", "<", "&#1;", "${a}", "\U0001f99c", "\r\n"])
XML_TEXT = st.lists(CHARACTERS | PIECES, max_size=20).map("".join)
NAMES = st.text(string.printable[:95], min_size=1, max_size=8)
ANSWERS = st.one_of(
    st.builds(text, NAMES, XML_TEXT),
    st.builds(
        Answer,
        NAMES,
        st.lists(XML_TEXT, max_size=3).map(tuple),
        st.just("selection"),
        other_text=st.none() | XML_TEXT,
    ),
    st.builds(
        Answer,
        NAMES,
        st.tuples(XML_TEXT),
        st.just("file"),
        size_bytes=st.integers(1, 10**12),
    ),
)


@given(st.lists(ANSWERS, max_size=4).map(tuple))
def test_any_answers_come_out_of_either_notation_as_they_went_in(
    given_answers: tuple[Answer, ...],
) -> None:
    assert answers.parse(document_of_2017(*given_answers)) == given_answers
    assert answers.parse(document_of_2019(*given_answers)) == given_answers


@pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the collection of real answer documents is not here"
)
def test_every_real_answer_document_is_read() -> None:
    documents = sorted((CORPUS / "answers_xml").rglob("*.xml"))
    read = {path: answers.fields(path.read_text(encoding="utf-8")) for path in documents}
    assert [str(path) for path, columns in read.items() if not columns] == []
    every_kind = next(columns for columns in read.values() if "url" in columns)
    assert every_kind == {
        "freeText": "freeText_answer",
        "otherSelection": None,
        "otherSelection.OtherSelectionText": "otherSelection_answer",
        "url": "uploadedFileKey",
        "url.UploadedFileSizeInBytes": "100",
        "selectionIdentifier": ["selection_answer", "selection_answer2"],
    }


@given(st.lists(st.tuples(NAMES, XML_TEXT), max_size=4))
def test_the_short_way_reads_what_the_long_way_reads(given: list[tuple[str, str]]) -> None:
    document = document_of_2017(*(text(name, value) for name, value in given))
    long_way = answers.parse(document.replace("<Answer>", "<!-- one --><Answer>"))
    assert answers.parse(document) == long_way
