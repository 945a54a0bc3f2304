from __future__ import annotations

from turkbatch.question import placeholders
from turkbatch.question.placeholders import Placeholder

LAYOUT = """<p>${ image }</p> ${imgae} ${}
<script>
  const text = `${count} of ${items.map(i => `<b>${image}</b>`)}`;
</script>
$image {image} ${image ${a}b} ${imgae}"""


def test_scan_says_what_was_taken_and_why_the_rest_was_not() -> None:
    assert placeholders.scan(LAYOUT, ["image", "a}b"]) == [
        Placeholder("image", 1, True, "a column of the data"),
        Placeholder("imgae", 1, False, "no column has this name"),
        Placeholder("", 1, False, "an expression, not a name"),
        Placeholder("count", 3, False, "no column has this name, and it is in a script"),
        Placeholder("image", 3, True, "a column of the data"),
        Placeholder("a}b", 5, True, "a column of the data"),
        Placeholder("imgae", 5, False, "no column has this name"),
    ]


def test_only_placeholders_of_columns_are_filled() -> None:
    layout = placeholders.Layout(LAYOUT, ["image", "a}b"])
    assert layout.names == ("image", "a}b")
    assert layout.fill({"image": "\\1${a}b}", "a}b": "${image}"}) == (
        "<p>\\1${a}b}</p> ${imgae} ${}\n<script>\n"
        "  const text = `${count} of ${items.map(i => `<b>\\1${a}b}</b>`)}`;\n</script>\n"
        "$image {image} ${image ${image} ${imgae}"
    )


def test_layout_without_columns_stays_as_it_is() -> None:
    assert placeholders.Layout(LAYOUT, []).fill({}) == LAYOUT


def test_name_without_a_column_is_warned_of_once_with_the_nearest() -> None:
    findings = placeholders.findings(LAYOUT, ["image"], file="question.html")
    assert [(finding.where, finding.found, finding.fix) for finding in findings] == [
        (
            "question.html:1",
            "${imgae} is no column of the data (2 times)",
            'did you mean "image"?',
        ),
        (
            "question.html:3",
            "${count} is no column of the data",
            "add the column, or leave it if it is JavaScript",
        ),
        (
            "question.html:5",
            "${a} is no column of the data",
            "add the column, or leave it if it is JavaScript",
        ),
    ]
    assert {(finding.rule, finding.severity) for finding in findings} == {
        ("unfilled-name", "warning")
    }


def test_values_that_are_no_text_are_written_as_json() -> None:
    values = ["a", None, True, 1, 1.5, ["é", 1], {"a": None}]
    assert [placeholders.text_of(value) for value in values] == [
        "a",
        "",
        "true",
        "1",
        "1.5",
        '["é", 1]',
        '{"a": null}',
    ]
