from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from turkbatch.server import answers, questions

SCHEMAS = questions.SCHEMAS
EXTERNAL = questions.parse(
    f'<ExternalQuestion xmlns="{SCHEMAS}2006-07-14/ExternalQuestion.xsd">'
    "<ExternalURL>https://example.com/</ExternalURL><FrameHeight>0</FrameHeight></ExternalQuestion>"
)
FORM = questions.parse(
    f"""<QuestionForm xmlns="{SCHEMAS}2005-10-01/QuestionForm.xsd">
    <Question><QuestionIdentifier>colour</QuestionIdentifier>
      <QuestionContent><Text>Which?</Text></QuestionContent>
      <AnswerSpecification><SelectionAnswer><Selections>
        <Selection><SelectionIdentifier>r</SelectionIdentifier><Text>red</Text></Selection>
        <Selection><SelectionIdentifier>g</SelectionIdentifier><Text>green</Text></Selection>
        <OtherSelection/></Selections></SelectionAnswer></AnswerSpecification></Question>
    <Question><QuestionIdentifier>why</QuestionIdentifier>
      <QuestionContent><Text>Why?</Text></QuestionContent>
      <AnswerSpecification><FreeTextAnswer/></AnswerSpecification></Question>
    </QuestionForm>"""
)


def read(document: str) -> list[list[tuple[str, str]]]:
    root = etree.fromstring(document.encode())
    return [[(etree.QName(leaf).localname, leaf.text or "") for leaf in answer] for answer in root]


def test_fields_become_answers_in_the_recorded_form() -> None:
    fields = [
        ("assignmentId", "3A"),
        ("colour", "caf\N{LATIN SMALL LETTER E WITH ACUTE} & <co>"),
        ("empty", ""),
        ("workerId", "A1"),
        ("hitId", "3H"),
        ("turkSubmitTo", "http://x"),
        ("lines", "a\r\nb"),
    ]

    assert answers.document(fields, EXTERNAL) == (
        '<?xml version="1.0" encoding="ASCII"?>'
        f'<QuestionFormAnswers xmlns="{SCHEMAS}2005-10-01/QuestionFormAnswers.xsd">'
        "<Answer><QuestionIdentifier>colour</QuestionIdentifier>"
        "<FreeText>caf&#233; &amp; &lt;co&gt;</FreeText></Answer>"
        "<Answer><QuestionIdentifier>empty</QuestionIdentifier><FreeText/></Answer>"
        "<Answer><QuestionIdentifier>workerId</QuestionIdentifier><FreeText>A1</FreeText></Answer>"
        "<Answer><QuestionIdentifier>lines</QuestionIdentifier>"
        "<FreeText>a&#13;\nb</FreeText></Answer></QuestionFormAnswers>"
    )


def test_values_of_one_name_are_joined_in_their_order() -> None:
    fields = [("box", "3"), ("other", "x"), ("box", "1")]

    assert read(answers.document(fields, EXTERNAL)) == [
        [("QuestionIdentifier", "box"), ("FreeText", "3|1")],
        [("QuestionIdentifier", "other"), ("FreeText", "x")],
    ]


def test_nothing_answered_is_an_empty_document() -> None:
    assert answers.document([("assignmentId", "3A")], EXTERNAL) == ""


@pytest.mark.parametrize(
    ("fields", "selection"),
    [
        ([("colour", "g")], [("SelectionIdentifier", "g")]),
        (
            [("colour", "g"), ("colour", "r")],
            [("SelectionIdentifier", "g"), ("SelectionIdentifier", "r")],
        ),
        ([("colour", "blue")], [("OtherSelectionText", "blue")]),
        (
            [("colour", "r"), ("colour", "blue")],
            [("SelectionIdentifier", "r"), ("OtherSelectionText", "blue")],
        ),
        ([("colour", "")], []),
        ([], []),
    ],
)
def test_selections_of_a_question_form_have_elements_of_their_own(
    fields: list[tuple[str, str]], selection: list[tuple[str, str]]
) -> None:
    found = read(answers.document([*fields, ("why", "so")], FORM))

    assert sorted(found) == sorted(
        [
            [("QuestionIdentifier", "colour"), *selection],
            [("QuestionIdentifier", "why"), ("FreeText", "so")],
        ]
    )


TEXTS = st.text(st.characters(), max_size=20)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5, unique_by=lambda pair: pair[0]))
def test_any_text_gives_a_document_that_reads_as_the_same(fields: Any) -> None:
    document = answers.document(fields, EXTERNAL)
    kept = [(n, v) for n, v in fields if n not in ("assignmentId", "hitId", "turkSubmitTo")]

    def in_xml(one: str) -> bool:
        surrogate = "\ud800" <= one <= "\udfff"
        return one in "\t\n\r" or (one >= " " and not surrogate and one not in "\ufffe\uffff")

    def storable(text: str) -> str:
        return "".join(one if in_xml(one) else "\N{REPLACEMENT CHARACTER}" for one in text)

    if kept:
        assert read(document) == [
            [("QuestionIdentifier", storable(n)), ("FreeText", storable(v))] for n, v in kept
        ]
    else:
        assert document == ""
