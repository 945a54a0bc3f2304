from __future__ import annotations

import pytest

from turkbatch.server import questions, refusals

SCHEMAS = questions.SCHEMAS
HTML = f"{SCHEMAS}2011-11-11/HTMLQuestion.xsd"
EXTERNAL = f"{SCHEMAS}2006-07-14/ExternalQuestion.xsd"
PREFIX = (
    "There was an error parsing the XML question or answer data in your request. Please make sure "
    "the data is well-formed and validates against the appropriate schema. Details: "
)


def html(inner: str) -> str:
    return f'<HTMLQuestion xmlns="{HTML}">{inner}</HTMLQuestion>'


def external(address: str, height: str = "400") -> str:
    return (
        f'<ExternalQuestion xmlns="{EXTERNAL}"><ExternalURL>{address}</ExternalURL>'
        f"<FrameHeight>{height}</FrameHeight></ExternalQuestion>"
    )


def test_an_html_question_gives_its_page() -> None:
    parsed = questions.parse(
        '<?xml version="1.0" encoding="ISO-8859-1"?><!-- mine -->'
        + html(
            "\n <HTMLContent><![CDATA[<p>\N{SNOWMAN} &amp;</p>]]></HTMLContent>"
            "<FrameHeight> 450 </FrameHeight>"
        )
    )

    assert (parsed.kind, parsed.content, parsed.frame_height) == (
        questions.Kind.HTML,
        "<p>\N{SNOWMAN} &amp;</p>",
        450,
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/task?a=1&amp;b=2",
        "http://localhost:8000/task",
        "http://127.0.0.1:8000/task",
        "http://[::1]/task",
    ],
)
def test_an_external_question_gives_its_address(address: str) -> None:
    parsed = questions.parse(external(f"\n  {address}\n"))

    assert (parsed.kind, parsed.content) == (
        questions.Kind.EXTERNAL,
        address.replace("&amp;", "&"),
    )


@pytest.mark.parametrize(
    ("question", "details"),
    [
        pytest.param("no XML", "Start tag expected", id="no XML"),
        pytest.param(external("https://x.org/?a=1&b=2"), "EntityRef: expecting", id="bare &"),
        pytest.param(
            "<HTMLQuestion><HTMLContent/></HTMLQuestion>",
            "the root element 'HTMLQuestion' without a namespace is none of",
            id="no namespace",
        ),
        pytest.param(
            f'<QuestionForm xmlns="{HTML}"/>',
            f"the root element 'QuestionForm' in the namespace '{HTML}' is none of",
            id="another's namespace",
        ),
        pytest.param(
            html("<HTMLContent>x</HTMLContent>"),
            "HTMLQuestion must hold exactly HTMLContent and FrameHeight",
            id="no height",
        ),
        pytest.param(
            html("<FrameHeight>0</FrameHeight><HTMLContent>x</HTMLContent>"),
            "HTMLQuestion must hold exactly HTMLContent and FrameHeight",
            id="wrong order",
        ),
        pytest.param(
            html("x<HTMLContent>x</HTMLContent><FrameHeight>0</FrameHeight>"),
            "HTMLQuestion must hold exactly HTMLContent and FrameHeight",
            id="stray text",
        ),
        pytest.param(
            html("<HTMLContent><p>x</p></HTMLContent><FrameHeight>0</FrameHeight>"),
            "HTMLContent must hold text alone; put HTML in a CDATA section",
            id="no CDATA",
        ),
        pytest.param(
            html("<HTMLContent>x</HTMLContent><FrameHeight>tall</FrameHeight>"),
            "'tall' is no FrameHeight",
            id="height no number",
        ),
        pytest.param(external("http://example.com/"), "must use https", id="http"),
        pytest.param(external("example.com"), "a full address is needed", id="no scheme"),
        pytest.param(external("https://[x/"), "is no ExternalURL", id="broken address"),
        pytest.param(
            external("https://example.com/a b"), "a full address is needed", id="blank in address"
        ),
        pytest.param(
            f'<QuestionForm xmlns="{SCHEMAS}2005-10-01/QuestionForm.xsd"/>',
            "QuestionForm must hold Overview and Question elements alone",
            id="empty form",
        ),
        pytest.param(
            f'<!DOCTYPE x [<!ENTITY a "b">]>{external("https://example.com/&a;")}',
            "a document type declaration is not allowed",
            id="entity",
        ),
        pytest.param(
            f'<!DOCTYPE x SYSTEM "file:///etc/passwd">{external("https://example.com/")}',
            "a document type declaration is not allowed",
            id="external DTD",
        ),
        pytest.param(
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
            + html("<HTMLContent>&a;</HTMLContent><FrameHeight>0</FrameHeight>"),
            "a document type declaration is not allowed",
            id="external entity",
        ),
        pytest.param(external("https://example.com/\x01"), "PCDATA invalid Char", id="control"),
    ],
)
def test_a_question_against_its_structure_is_refused(question: str, details: str) -> None:
    with pytest.raises(refusals.Refusal, match="There was an error parsing") as caught:
        questions.parse(question)

    assert caught.value.kind == "ParameterValidationError"
    assert caught.value.turk_error_code == "AWS.MechanicalTurk.XMLParseError"
    assert caught.value.message.startswith(PREFIX)
    assert details in caught.value.message


def test_a_bomb_of_entities_is_refused_at_once() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]>' + html(
        "<HTMLContent>&e11;</HTMLContent><FrameHeight>0</FrameHeight>"
    )

    with pytest.raises(refusals.Refusal, match="There was an error parsing"):
        questions.parse(bomb)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("Task.LocalHost.", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.1.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, ours: bool) -> None:
    assert questions.is_loopback(host) is ours
