from __future__ import annotations

import pytest

from turkbatch.question import check

BASE = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"
HTML = f"{BASE}/2011-11-11/HTMLQuestion.xsd"
EXTERNAL = f"{BASE}/2006-07-14/ExternalQuestion.xsd"
FORM_2005 = f"{BASE}/2005-10-01/QuestionForm.xsd"
FORM_2017 = f"{BASE}/2017-11-06/QuestionForm.xsd"


def html_question(content: str, *, namespace: str = HTML, height: str = "0") -> str:
    return (
        f'<HTMLQuestion xmlns="{namespace}">\n<HTMLContent>{content}</HTMLContent>\n'
        f"<FrameHeight>{height}</FrameHeight></HTMLQuestion>"
    )


def external(url: str) -> str:
    return (
        f'<ExternalQuestion xmlns="{EXTERNAL}"><ExternalURL>{url}</ExternalURL>'
        "<FrameHeight>900</FrameHeight></ExternalQuestion>"
    )


def form(
    answer: str, *, content: str = "<Text>t</Text>", namespace: str = FORM_2005, extra: str = ""
) -> str:
    return (
        f'<QuestionForm xmlns="{namespace}"><Question><QuestionIdentifier>q</QuestionIdentifier>'
        f"<QuestionContent>{content}</QuestionContent>"
        f"<AnswerSpecification>{answer}</AnswerSpecification></Question>{extra}</QuestionForm>"
    )


def selection(counts: str = "", *, identifiers: str = "ab", after: str = "") -> str:
    choices = "".join(
        f"<Selection><SelectionIdentifier>{identifier}</SelectionIdentifier><Text>t</Text>"
        "</Selection>"
        for identifier in identifiers
    )
    return f"<SelectionAnswer>{counts}<Selections>{choices}{after}</Selections></SelectionAnswer>"


FREE_TEXT = "<FreeTextAnswer/>"
UPLOAD = (
    "<FileUploadAnswer><MaxFileSizeInBytes>2</MaxFileSizeInBytes>"
    "<MinFileSizeInBytes>1</MinFileSizeInBytes></FileUploadAnswer>"
)
FLASH = (
    "<Application><Flash><FlashMovieURL>https://x/y</FlashMovieURL><Width>1</Width>"
    "<Height>1</Height></Flash></Application>"
)


def faults(xml: str) -> list[tuple[str, str]]:
    checked = check.question(xml, file="data.jsonl", line=7, template="question.xml.j2")
    return [(finding.rule, finding.found) for finding in checked.findings]


@pytest.mark.parametrize(
    "xml",
    [
        pytest.param(html_question("<![CDATA[<p>]]>"), id="page in CDATA"),
        pytest.param(html_question("&lt;p>"), id="page escaped"),
        pytest.param(
            f'<q:HTMLQuestion xmlns:q="{HTML}"><q:HTMLContent/><q:FrameHeight>1</q:FrameHeight>'
            "</q:HTMLQuestion>",
            id="namespace with a prefix",
        ),
        pytest.param(external("https://example.com/?a=1&amp;b=2"), id="external"),
        pytest.param(external("http://127.0.0.1:8000/"), id="external on this machine"),
        pytest.param(external("http://localhost/"), id="external on localhost"),
        pytest.param(form(FREE_TEXT), id="free text"),
        pytest.param(form(FREE_TEXT, namespace=FORM_2017), id="newer form"),
        pytest.param(form(UPLOAD, content=FLASH), id="upload and flash in the older form"),
        pytest.param(
            form(
                selection(
                    "<MinSelectionCount>0</MinSelectionCount><MaxSelectionCount>3"
                    "</MaxSelectionCount><StyleSuggestion>checkbox</StyleSuggestion>",
                    after="<OtherSelection/>",
                )
            ),
            id="selection with another",
        ),
        pytest.param(
            form(
                "<FreeTextAnswer><Constraints><IsNumeric minValue='1'/><Length maxLength='2'/>"
                "<AnswerFormatRegex regex='a' flags='i'/></Constraints><DefaultText>d</DefaultText>"
                "<NumberOfLinesSuggestion>3</NumberOfLinesSuggestion></FreeTextAnswer>"
            ),
            id="free text with constraints",
        ),
        pytest.param(
            form(
                FREE_TEXT,
                content="<Title>t</Title><FormattedContent><![CDATA[<p>a <b>b</b><br/></p>]]>"
                "</FormattedContent><List><ListItem>i</ListItem></List>",
            ),
            id="formatted content",
        ),
    ],
)
def test_question_that_mturk_takes_has_no_faults(xml: str) -> None:
    assert faults(xml) == []


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        pytest.param(
            html_question("a & b"),
            (
                "ill-formed-xml",
                "line 2 of the rendered question: not well-formed XML: xmlParseEntityRef: no name"
                " at `<HTMLContent>a & b</HTMLContent>`",
            ),
            id="ampersand",
        ),
        pytest.param(
            html_question("&nbsp;"),
            (
                "ill-formed-xml",
                "line 2 of the rendered question: not well-formed XML: Entity 'nbsp' not defined"
                " at `<HTMLContent>&nbsp;</HTMLContent>`",
            ),
            id="entity of HTML",
        ),
        pytest.param(
            "",
            (
                "ill-formed-xml",
                "line 1 of the rendered question: not well-formed XML: Document is empty",
            ),
            id="nothing",
        ),
        pytest.param(
            "<html/>",
            ("wrong-root", "line 1 of the rendered question: the outermost element is <html>"),
            id="page",
        ),
        pytest.param(
            html_question("", namespace="http://a"),
            (
                "wrong-namespace",
                'line 1 of the rendered question: <HTMLQuestion> is in "http://a"',
            ),
            id="namespace",
        ),
        pytest.param(
            "<QuestionForm/>",
            (
                "wrong-namespace",
                "line 1 of the rendered question: <QuestionForm> is in no namespace",
            ),
            id="no namespace",
        ),
        pytest.param(
            "<!DOCTYPE a [<!ENTITY b 'c'>]>" + html_question(""),
            ("doctype-in-question", "the question has a document type declaration of its own"),
            id="document type",
        ),
        pytest.param(
            html_question("<p/>"),
            (
                "wrong-structure",
                "line 2 of the rendered question: <HTMLContent> holds elements,"
                " but takes text alone",
            ),
            id="page outside of CDATA",
        ),
        pytest.param(
            html_question("", height="10px"),
            (
                "wrong-structure",
                'line 3 of the rendered question: <FrameHeight> is "10px", which is no integer',
            ),
            id="height",
        ),
        pytest.param(
            html_question("").replace("FrameHeight", "Height"),
            (
                "wrong-structure",
                "line 3 of the rendered question: <Height> stands where <FrameHeight> has to",
            ),
            id="wrong element",
        ),
        pytest.param(
            html_question("").replace("<FrameHeight>0</FrameHeight>", ""),
            (
                "wrong-structure",
                "line 1 of the rendered question: <HTMLQuestion> lacks a <FrameHeight>",
            ),
            id="missing element",
        ),
        pytest.param(
            external("http://example.com/"),
            ("insecure-url", 'the ExternalURL is "http://example.com/"'),
            id="http",
        ),
        pytest.param(
            external("example.com"), ("insecure-url", 'the ExternalURL is "example.com"'), id="host"
        ),
        pytest.param(
            external("https://example.com/?hitId=1"),
            ("reserved-parameter", 'the ExternalURL has a parameter "hitId"'),
            id="reserved parameter",
        ),
        pytest.param(
            form(UPLOAD, namespace=FORM_2017),
            (
                "wrong-structure",
                "line 1 of the rendered question: <FileUploadAnswer> stands where one of"
                " FreeTextAnswer, SelectionAnswer has to",
            ),
            id="upload in the newer form",
        ),
        pytest.param(
            form(selection("<StyleSuggestion>buttons</StyleSuggestion>")),
            (
                "wrong-structure",
                'line 1 of the rendered question: <StyleSuggestion> is "buttons", which is none of'
                " 'radiobutton', 'checkbox', 'list', 'dropdown', 'combobox', 'multichooser'",
            ),
            id="style",
        ),
        pytest.param(
            form(selection("<MaxSelectionCount>3</MaxSelectionCount>")),
            (
                "wrong-structure",
                "line 1 of the rendered question: MaxSelectionCount is 3,"
                " but there are 2 selections",
            ),
            id="more than there are",
        ),
        pytest.param(
            form(
                selection(
                    "<MaxSelectionCount>2</MaxSelectionCount>"
                    "<StyleSuggestion>dropdown</StyleSuggestion>"
                )
            ),
            (
                "wrong-structure",
                "line 1 of the rendered question: MaxSelectionCount is 2, but a dropdown takes one",
            ),
            id="several in a dropdown",
        ),
        pytest.param(
            form(selection("<MinSelectionCount>2</MinSelectionCount>")),
            (
                "wrong-structure",
                "line 1 of the rendered question: MinSelectionCount is 2,"
                " above MaxSelectionCount, which is 1",
            ),
            id="more at least than at most",
        ),
        pytest.param(
            form(selection(identifiers="aa")),
            (
                "wrong-structure",
                "line 1 of the rendered question: several selections of one question have the same"
                " SelectionIdentifier",
            ),
            id="equal selections",
        ),
        pytest.param(
            form(FREE_TEXT, extra=form(FREE_TEXT).split(">", 1)[1].rsplit("<", 1)[0]),
            (
                "wrong-structure",
                'line 1 of the rendered question: the identifier "q" is used for several questions',
            ),
            id="equal questions",
        ),
        pytest.param(
            form(FREE_TEXT, content="<FormattedContent>&lt;p></FormattedContent>"),
            (
                "wrong-structure",
                "line 1 of the rendered question: FormattedContent is not well-formed XHTML:"
                " Opening and ending tag mismatch: p line 1 and FormattedContent",
            ),
            id="formatted content not well-formed",
        ),
        pytest.param(
            form(FREE_TEXT, content="<FormattedContent>&lt;script/></FormattedContent>"),
            (
                "wrong-structure",
                "line 1 of the rendered question: FormattedContent holds <script>,"
                " which its XHTML subset does not have",
            ),
            id="script in formatted content",
        ),
        pytest.param(
            form(
                FREE_TEXT,
                content="<Binary><MimeType><Type>image</Type></MimeType><DataURL>ftp://a</DataURL>"
                "<AltText/></Binary>",
            ),
            (
                "wrong-structure",
                'line 1 of the rendered question: <DataURL> is "ftp://a", which does not begin with'
                " http:// or https://",
            ),
            id="address of an image",
        ),
    ],
)
def test_fault_is_said_in_words_with_its_line(xml: str, expected: tuple[str, str]) -> None:
    assert faults(xml)[:1] == [expected]


def test_advice_names_the_template_and_a_field_that_holds_markup() -> None:
    checked = check.question(
        html_question("a & b"),
        file="data.jsonl",
        line=7,
        template="question.xml.j2",
        suspects=["caption"],
    )
    assert [(finding.where, finding.fix) for finding in checked.findings] == [
        (
            "data.jsonl:7",
            "in question.xml.j2, write & as &amp; outside of CDATA, and {{ caption|e }} where a"
            " field may hold & or <",
        )
    ]


def test_entities_are_neither_expanded_nor_fetched() -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    xml = f'<!DOCTYPE a [<!ENTITY e0 "x">{bomb}]>' + html_question("&e11;")
    assert [rule for rule, _ in faults(xml)] in (["doctype-in-question"], ["ill-formed-xml"])
    file = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + html_question("&e;")
    assert [rule for rule, _ in faults(file)] == ["doctype-in-question"]
