"""Any text that a row can hold reaches the page, and comes back through an answer unchanged."""

from __future__ import annotations

import csv
import html
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from turkbatch import actions, connect
from turkbatch.mturk import environments
from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

PAGE = '<form><p id="shown">{}</p><textarea name="echo"></textarea><input type="submit"></form>'
XML = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
    '2011-11-11/HTMLQuestion.xsd"><HTMLContent>{}</HTMLContent><FrameHeight>0</FrameHeight>'
    "</HTMLQuestion>"
)
FORMS = {
    "question.xml.j2": XML.format(html.escape(PAGE.format("{{ text | e }}"))),
    "question.html.j2": PAGE.format("{{ text }}"),
    "question.html": PAGE.format("${text}"),
}

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
        lambda one: ord(one) >= 32 or one in "\t\n\r"
    ),
    max_size=60,
)
"""What XML 1.0 can hold (https://www.w3.org/TR/xml/#charsets), as far as JSON can write it."""


@pytest.fixture
def local(database: str) -> Iterator[MTurkClient]:
    made = connect.client_for(environments.local(database))
    yield made
    made.close()


@pytest.fixture
def definitions(tmp_path: Path) -> dict[str, Path]:
    made = {}
    for number, (name, text) in enumerate(FORMS.items()):
        path = tmp_path / f"definition-{number}"
        path.mkdir()
        (path / "hittypeproperties.json").write_text(
            '{"Title": "T", "Description": "D", "Reward": "0.01",'
            ' "AssignmentDurationInSeconds": 600}'
        )
        (path / "hitproperties.json").write_text('{"LifetimeInSeconds": 3600}')
        (path / name).write_text(text)
        made[name] = path
    return made


def _page(question: str) -> str:
    """The page's source, as the worker's browser would get it."""
    root = etree.fromstring(question.encode())
    [content] = root.findall("{*}HTMLContent")
    return content.text or ""


@pytest.mark.parametrize("form", FORMS)
@given(text=TEXTS)
@example(text="]]>").via("the end of a CDATA section")
@example(text="${text} {{ text }} {% raw %}").via("what looks like a template")
@example(text="&amp; &lt; <b>\r\n\t ' \"").via("markup and white space")
@example(text="=1+1|🙂").via("a formula, the mark of repetition, an emoji")
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_text_goes_to_the_page_and_back(
    local: MTurkClient,
    served: service.Service,
    definitions: dict[str, Path],
    tmp_path: Path,
    form: str,
    text: str,
) -> None:
    number = next(NUMBERS)
    data = tmp_path / f"{number}.jsonl"
    data.write_text(json.dumps({"text": text}) + "\n")
    made = actions.create_batch(local, definitions[form], data, tmp_path / "out")
    [hit_id] = made.hit_ids

    page = _page(local.get_hit(HITId=hit_id)["HIT"]["Question"])
    shown = page.split('<p id="shown">', 1)[1].split("</p><textarea", 1)[0]
    # XML and HTML both read every line end as one line feed
    # (https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream).
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert (html.unescape(shown) if form == "question.html.j2" else shown) == expected

    assignment = worker.accept(served, hit_id, "AWORKER1")
    worker.submit(served, assignment, "AWORKER1", [("assignmentId", assignment), ("echo", text)])
    actions.save_batch(local, made.batch_dir)
    for suffix in ("jsonl", "json", "csv"):
        out = tmp_path / f"{number}-out.{suffix}"
        actions.extract_tabular(made.batch_dir, out, inputs=True)
        [row] = _rows(out)
        assert (row["Input.text"], row["echo"]) == (text, text), suffix


NUMBERS = itertools.count()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return list(csv.DictReader(file))
        return json.load(file) if path.suffix == ".json" else [json.loads(line) for line in file]
