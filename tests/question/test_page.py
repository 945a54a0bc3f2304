from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turkbatch.question import complete, lint
from turkbatch.question.page import Fault, Page

MARKS = ["<", ">", "<!", "<![", "<![foo", "<![CDATA[", "]]>", "<!--", "-->", "<?", "</", "/>", "&#"]
TAGS = [
    "<form",
    "<form>",
    "</form>",
    "<body>",
    "<script>",
    "</script>",
    "<p class='",
    "<svg/>",
    "=",
]
REST = [
    " name=a",
    "<input type=submit>",
    "<!doctype html>",
    "<textarea>",
    "${a}",
    '"',
    "'",
    "\n",
    "]",
]
PIECES = st.sampled_from([*MARKS, *TAGS, *REST])


def test_tags_know_their_places() -> None:
    html = '<p>\n<INPUT Name="a" name=b\nREQUIRED><!-- <br> --><script>"<b>"</script>'
    page = Page(html)
    tag = next(page.named("input"))
    assert (tag.line, html[tag.start : tag.end], tag.within) == (
        2,
        '<INPUT Name="a" name=b\nREQUIRED>',
        ("p",),
    )
    assert dict(tag.attributes) == {"name": "a", "required": ""}
    assert [tag.name for tag in page.tags] == ["p", "input", "script"]
    assert page.script == '"<b>"'


def test_faults_come_in_the_order_of_the_page() -> None:
    page = Page("<div>\n<b>\n<i></b>\n</em><a/>")
    assert page.faults == [
        Fault(1, "<div> is not closed"),
        Fault(3, "<i> is not closed"),
        Fault(4, "</em> ends nothing that is open"),
        Fault(4, "<a/> does not close itself in HTML"),
    ]


@given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_any_page_is_linted_and_completed(html: str) -> None:
    lint.page(html, file="question.html", environment="sandbox")
    completed, notes = complete.complete(html, file="question.html")
    assert (completed == html) == (notes == ())
