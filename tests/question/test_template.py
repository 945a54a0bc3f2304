from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from turkbatch import errors, question

HTML_NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
)
EXTERNAL_NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
    "2006-07-14/ExternalQuestion.xsd"
)

Define = Callable[[dict[str, str]], Path]


def html_question(page: str) -> str:
    return (
        f'<HTMLQuestion xmlns="{HTML_NAMESPACE}"><HTMLContent><![CDATA[{page}]]></HTMLContent>'
        "<FrameHeight>0</FrameHeight></HTMLQuestion>"
    )


def render(
    directory: Path, row: dict[str, object], *, allow_undefined: bool = False
) -> question.Question:
    template = question.load(directory, columns=list(row))
    return template.render(row, where="data.jsonl:7", allow_undefined=allow_undefined)


def said(error: pytest.ExceptionInfo[errors.InputError]) -> list[tuple[str, str]]:
    return [(finding.rule, str(finding)) for finding in error.value.findings]


def test_xml_template_renders_verbatim_as_amti_did(define: Define) -> None:
    directory = define({"question.xml.j2": html_question("<p>{{ word }}</p>\r\n{{ n }}") + "\n"})
    xml = html_question("<p>a <b>c</b></p>\n1")
    assert render(directory, {"word": "a <b>c</b>", "n": 1}) == question.Question(
        xml=xml, html="<p>a <b>c</b></p>\n1", kind="HTMLQuestion", undefined=(), size=len(xml)
    )


def test_html_template_is_escaped_and_wrapped(define: Define) -> None:
    directory = define({"question.html.j2": "<p>{{ word }}</p>]]>é"})
    xml = html_question("<p>&lt;&amp;</p>]]]]><![CDATA[>é")
    assert render(directory, {"word": "<&"}) == question.Question(
        xml=xml,
        html="<p>&lt;&amp;</p>]]>é",
        kind="HTMLQuestion",
        undefined=(),
        size=len(xml) + 1,
    )


def test_layout_is_filled_verbatim_and_wrapped(define: Define) -> None:
    layout = "\ufeff<crowd-form>${ a }\r\n${b} ${nothing} `${a + b}` $${c}</crowd-form>"
    page = "<crowd-form>${b} <\r\n1.5 ${nothing} `${a + b}` $[1, {}]</crowd-form>"
    directory = define({"question.html": layout})
    xml = html_question(page)
    assert render(directory, {"a": "${b} <", "b": 1.5, "c": [1, {}]}) == question.Question(
        xml=xml, html=page, kind="HTMLQuestion", undefined=(), size=len(xml)
    )


def test_external_question_has_no_page(define: Define) -> None:
    xml = (
        f'<ExternalQuestion xmlns="{EXTERNAL_NAMESPACE}"><ExternalURL>{{{{ url|e }}}}</ExternalURL>'
        "<FrameHeight>900</FrameHeight></ExternalQuestion>"
    )
    result = render(define({"question.xml.j2": xml}), {"url": "https://example.com/?a=1&b=2"})
    assert (result.kind, result.html) == ("ExternalQuestion", None)


def test_declared_encoding_of_a_text_means_nothing(define: Define) -> None:
    declaration = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    directory = define({"question.xml.j2": declaration + html_question("é 🦜")})
    assert render(directory, {}).html == "é 🦜"


@pytest.mark.parametrize(
    ("files", "rule", "match"),
    [
        pytest.param({"NOTES": ""}, "no-question-file", "add one of question.xml.j2", id="none"),
        pytest.param(
            {"question.html": "", "question.xml.j2": ""},
            "several-question-files",
            "it has question.xml.j2 and question.html; keep one",
            id="several",
        ),
    ],
)
def test_definition_has_one_question_file(
    define: Define, files: dict[str, str], rule: str, match: str
) -> None:
    with pytest.raises(errors.DefinitionError, match=match) as error:
        question.load(define(files), columns=[])
    assert [finding.rule for finding in error.value.findings] == [rule]


def test_missing_definition_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(errors.DefinitionError, match="nowhere: there is no such directory"):
        question.load(tmp_path / "nowhere", columns=[])


def test_template_that_is_not_utf_8_is_refused(define: Define) -> None:
    directory = define({"question.html": ""})
    (directory / "question.html").write_bytes(b"caf\xe9")
    with pytest.raises(errors.DefinitionError, match="not UTF-8: byte 4 is 0xe9"):
        question.load(directory, columns=[])


def test_syntax_error_names_the_line(define: Define) -> None:
    directory = define({"question.xml.j2": "\n{% if %}"})
    with pytest.raises(errors.QuestionError, match=r"question\.xml\.j2:2: not valid Jinja2"):
        question.load(directory, columns=[])


def test_syntax_error_in_an_include_names_that_file(define: Define) -> None:
    directory = define({"question.html.j2": "{% include 'head.html' %}", "head.html": "\n{{ a"})
    with pytest.raises(errors.QuestionError, match=r"head\.html:2: not valid Jinja2"):
        render(directory, {})


def test_every_undefined_name_of_a_row_is_reported(define: Define) -> None:
    page = "{{ imge_url }}\n{{ word }}{% if maybe is defined %}{{ maybe }}{% endif %}\n{{ wrod }}"
    with pytest.raises(errors.DataError) as error:
        render(define({"question.html.j2": page}), {"image_url": "", "word": ""})
    assert said(error) == [
        (
            "undefined-name",
            'data.jsonl:7: no "imge_url", which question.html.j2:1 uses; did you mean "image_url"?',
        ),
        (
            "undefined-name",
            'data.jsonl:7: no "wrod", which question.html.j2:3 uses; did you mean "word"?',
        ),
    ]


def test_undefined_name_in_an_include_names_that_file(define: Define) -> None:
    directory = define({"question.html.j2": "{% include 'a.html' %}", "a.html": "\n{{ zebra }}"})
    with pytest.raises(errors.DataError, match=r'no "zebra", which a\.html:2 uses; add it'):
        render(directory, {})


def test_layout_reports_a_field_that_this_row_lacks(define: Define) -> None:
    template = question.load(define({"question.html": "\n${word}"}), columns=["word"])
    with pytest.raises(errors.DataError, match=r'jsonl:2: no "word", which question\.html:2'):
        template.render({}, where="data.jsonl:2")


def test_allowed_undefined_names_render_empty_and_are_listed(define: Define) -> None:
    page = "<p>{{ a }}{{ b.c }}{% for x in d %}{{ x }}{% endfor %}{{ word }}{{ a }}</p>"
    result = render(define({"question.html.j2": page}), {"word": "w"}, allow_undefined=True)
    assert (result.html, result.undefined) == ("<p>w</p>", ("a", "b", "d"))


def test_layout_lists_the_undefined_names_that_were_allowed(define: Define) -> None:
    directory = define({"question.html": "<crowd-form>${a}|${b}</crowd-form>"})
    template = question.load(directory, columns=["a", "b"])
    result = template.render({"b": None}, where="data.jsonl:1", allow_undefined=True)
    assert (result.html, result.undefined) == ("<crowd-form>|</crowd-form>", ("a",))


@pytest.mark.parametrize(
    ("page", "row", "match"),
    [
        pytest.param(
            "{{ a + 1 }}", {"a": "x"}, "question.html.j2:1 fails on this row: can only", id="types"
        ),
        pytest.param("{{ a.b }}", {"a": {}}, "'dict object' has no attribute 'b'", id="attribute"),
        pytest.param("{{ 1 / a }}", {"a": 0}, "division by zero", id="arithmetic"),
        pytest.param(
            "{% include 'gone.html' %}", {}, 'there is no "gone.html"', id="missing include"
        ),
    ],
)
def test_template_that_fails_on_a_row_names_the_row(
    define: Define, page: str, row: dict[str, object], match: str
) -> None:
    with pytest.raises(errors.InputError, match=match) as error:
        render(define({"question.html.j2": page}), row)
    assert [(finding.rule, finding.where) for finding in error.value.findings] == [
        ("template-error", "data.jsonl:7")
    ]


@pytest.mark.parametrize("name", ["question.xml.j2", "question.html.j2", "question.html"])
@pytest.mark.parametrize(
    ("character", "code_point"),
    [("\x00", "U+0000"), ("\x0b", "U+000B"), ("\ufffe", "U+FFFE"), ("\ud83d", "U+D83D")],
)
def test_character_that_xml_can_not_hold_names_the_field(
    define: Define, name: str, character: str, code_point: str
) -> None:
    page = "{{ word }}{{ text }}" if name.endswith("j2") else "${word}${text}"
    text = html_question(page) if name == "question.xml.j2" else page
    with pytest.raises(errors.DataError, match=f'"text" holds U\\{code_point[1:]}, a character'):
        render(define({name: text}), {"word": "fine", "text": f"a{character}b"})


def test_character_that_xml_can_not_hold_may_be_the_templates(define: Define) -> None:
    with pytest.raises(errors.DataError, match=r"question\.html holds U\+000C"):
        render(define({"question.html": "a\x0cb"}), {})


def test_character_in_a_field_that_nothing_uses_does_no_harm(define: Define) -> None:
    directory = define({"question.html": "<crowd-form></crowd-form>"})
    assert render(directory, {"a": "\x00"}).html == "<crowd-form></crowd-form>"


@pytest.mark.parametrize("name", ["question.xml.j2", "question.html.j2", "question.html"])
def test_size_counts_bytes_after_wrapping(define: Define, name: str) -> None:
    inside = {"question.html": "<crowd-form>${a}</crowd-form>"}.get(name, "{{ a }}")
    text = html_question(inside) if name == "question.xml.j2" else inside
    directory = define({name: text})
    room = 65_535 - render(directory, {"a": ""}).size
    assert render(directory, {"a": "é" * (room // 2) + "x" * (room % 2)}).size == 65_535
    with pytest.raises(errors.QuestionError) as error:
        render(directory, {"a": "x" * (room + 1_000)})
    assert said(error) == [
        (
            "question-too-large",
            "data.jsonl:7: the question has 66,535 bytes, 1,000 more than MTurk's limit of 65,535; "
            "shorten the page or this row, or move scripts and images to https addresses",
        )
    ]


def test_fields_that_are_no_names_are_left_alone(define: Define) -> None:
    row: dict[str, object] = {"a b": 1, "self": 2, "1": 3, "range": 4}
    assert render(define({"question.html.j2": "<p>{{ range }}</p>"}), row).html == "<p>4</p>"


def test_template_that_changes_a_list_leaves_the_data_as_it_was(define: Define) -> None:
    row: dict[str, object] = {"words": ["a"]}
    directory = define({"question.html.j2": "{% set _ = words.append('b') %}{{ words|length }}"})
    assert (render(directory, row).html, row) == ("2", {"words": ["a"]})


def test_names_know_includes_defaults_and_what_the_template_sets(define: Define) -> None:
    directory = define(
        {
            "question.html.j2": (
                "{% set title = word %}\n{% include 'a.html' %}{{ range(2) }}\n"
                "{{ note|default('') }}{% from 'm.html' import field with context %}"
            ),
            "a.html": "\n\n{{ title }}{{ image }}",
            "m.html": "{% macro field(kind) %}{{ kind }}{{ unit }}{% endmacro %}",
        }
    )
    names = question.load(directory, columns=[]).names()
    assert {name: (Path(use.file).name, use.line, use.guarded) for name, use in names.items()} == {
        "word": ("question.html.j2", 1, False),
        "note": ("question.html.j2", 3, True),
        "image": ("a.html", 3, False),
        "unit": ("m.html", 1, False),
    }


def outside(directory: Path) -> Iterable[str]:
    secret = directory.parent / "secret.html"
    secret.write_text("secret", encoding="utf-8")
    (directory / "link.html").symlink_to(secret)
    yield from ("../secret.html", str(secret), "link.html", "sub/../../secret.html")


def test_nothing_outside_the_definition_can_be_included(define: Define) -> None:
    directory = define({"question.html.j2": "", "sub/x": ""})
    for name in outside(directory):
        for tag in ("include", "import", "extends"):
            alias = " as x" if tag == "import" else ""
            text = f"{{% {tag} {name!r}{alias} %}}"
            (directory / "question.html.j2").write_text(text, encoding="utf-8")
            with pytest.raises(errors.QuestionError, match="outside the definition directory"):
                render(directory, {})


@pytest.mark.parametrize("name", ["question.html", "question.html.j2", "question.xml.j2"])
def test_question_file_that_is_a_link_to_elsewhere_is_refused(define: Define, name: str) -> None:
    directory = define({"NOTES": ""})
    (directory.parent / "secret").write_text("secret", encoding="utf-8")
    (directory / name).symlink_to("../secret")
    with pytest.raises(errors.DefinitionError, match="outside the definition directory"):
        question.load(directory, columns=[])


def test_include_from_a_subdirectory_works(define: Define) -> None:
    directory = define({"question.html.j2": "{% include 'sub/a.html' %}", "sub/a.html": "{{ b }}"})
    assert render(directory, {"b": "<"}).html == "&lt;"


@pytest.mark.parametrize(
    "expression",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ word.__init_subclass__ }}",
        "{{ '{0.__class__}'.format(word) }}",
        "{{ (word|attr('__class__')) }}",
        "{{ lipsum.__globals__['os'].popen('true') }}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ [0] * 99999999 }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% for i in range(99999) %}{{ 'a' * 999 }}{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% include 'question.html.j2' %}",
    ],
)
def test_template_can_neither_run_code_nor_fill_the_memory(define: Define, expression: str) -> None:
    with pytest.raises(errors.InputError, match=r"data\.jsonl:7: question\.html\.j2"):
        render(define({"question.html.j2": expression}), {"word": "w"})
