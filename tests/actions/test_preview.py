"""The preview over real HTTP, as its own frames and scripts ask it."""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from turkbatch import actions, errors, tables
from turkbatch.actions import draft, throwaway
from turkbatch.preview import site
from turkbatch.server import listener

CROWD = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-input name="colour" required></crowd-input>{{ word }}</crowd-form>"""
FORM = """<QuestionForm xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/\
2017-11-06/QuestionForm.xsd"><Question><QuestionIdentifier>shade</QuestionIdentifier>
<IsRequired>true</IsRequired><QuestionContent><Text>Shade of {{ word }}?</Text></QuestionContent>
<AnswerSpecification><SelectionAnswer><StyleSuggestion>radiobutton</StyleSuggestion><Selections>
<Selection><SelectionIdentifier>l</SelectionIdentifier><Text>light</Text></Selection>
<Selection><SelectionIdentifier>d</SelectionIdentifier><Text>dark</Text></Selection>
</Selections></SelectionAnswer></AnswerSpecification></Question></QuestionForm>"""
EXTERNAL = """<ExternalQuestion xmlns="http://mechanicalturk.amazonaws.com/\
AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd">
<ExternalURL>https://example.com/task?word={{ word }}</ExternalURL>
<FrameHeight>400</FrameHeight></ExternalQuestion>"""


class Browser:
    """What a browser asks for, and where a page's frame leads it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, *, code: int = 200, host: str | None = None) -> str:
        return self.ask(urllib.request.Request(self._address(path)), code, host)

    def post(self, path: str, fields: list[tuple[str, str]], *, code: int = 200) -> str:
        body = urllib.parse.urlencode(fields).encode()
        return self.ask(urllib.request.Request(self._address(path), data=body), code)

    def ask(self, request: urllib.request.Request, code: int, host: str | None = None) -> str:
        if host is not None:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request) as reply:
                status, text = reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        assert isinstance(text, str)
        assert status == code, text
        return text

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def frame(self, path: str) -> str:
        """The address of the task that a page shows."""
        [address] = re.findall(r'<iframe[^>]* src="([^"]+)"', self.get(path))
        return str(address).replace("&amp;", "&")

    def parameters(self, path: str) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.frame(path)).query))

    def _address(self, path: str) -> str:
        return path if path.startswith("http") else self.url + path


@pytest.fixture(autouse=True)
def _own_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))


@pytest.fixture
def browser(definition: Path, rows: Path) -> Iterator[Browser]:
    with throwaway.throwaway() as server:
        made = draft.Draft(definition, rows, server, allow_undefined=False)
        app = site.create_app(made, "A batch")
        with listener.Listener("127.0.0.1", 0, app) as served:
            thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            yield Browser(served.url)
            served.shutdown()
            thread.join()


def write(definition: Path, name: str, text: str) -> None:
    for path in definition.glob("question.*"):
        path.unlink()
    (definition / name).write_text(text, encoding="utf-8")


def test_the_index_lists_the_rows_and_a_page_leads_to_its_neighbours(browser: Browser) -> None:
    index, middle = browser.get("/"), browser.get("/rows/2")

    listed = re.findall(r'<a href="(/rows/\d)">\d</a></th><td>(\w+)</td>', index)
    assert listed == [("/rows/1", "sky"), ("/rows/2", "grass"), ("/rows/3", "snow")]
    assert re.findall(r'<a rel="(\w+)" href="(\S+)"', middle) == [
        ("prev", "/rows/1"),
        ("next", "/rows/3"),
    ]
    assert 'rel="prev"' not in browser.get("/rows/1")
    assert 'rel="next"' not in browser.get("/rows/3")
    assert "There is no row 4" in browser.get("/rows/4", code=404)


def test_the_frame_shows_what_would_be_sent_with_the_parameters_of_the_service(
    browser: Browser, definition: Path
) -> None:
    preview, accepted = browser.parameters("/rows/2"), browser.parameters("/rows/2?mode=accepted")
    origin = browser.url.replace("127.0.0.1", "localhost")

    assert list(preview) == ["assignmentId", "hitId", "turkSubmitTo"]
    assert preview["assignmentId"] == "ASSIGNMENT_ID_NOT_AVAILABLE"
    assert list(accepted) == ["assignmentId", "hitId", "workerId", "turkSubmitTo"]
    assert (preview["turkSubmitTo"], accepted["turkSubmitTo"]) == (origin, origin)
    assert browser.parameters("/rows/2?mode=accepted") == accepted
    page = (definition / "question.html.j2").read_text().replace("{{ word }}", "grass")
    script = "https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"
    shown = browser.get(browser.frame("/rows/2"))
    assert shown == page.replace(script, "/stand-ins/externalHIT_v1.js")
    assert "turkGetSubmitToHost" in browser.get("/stand-ins/externalHIT_v1.js")
    assert "There is no HIT" in browser.get("/dynamic/hit?hitId=3XYZ", code=404)


def test_a_submission_becomes_the_row_that_extract_gives(browser: Browser) -> None:
    parameters = browser.parameters("/rows/1?mode=accepted")
    fields = [
        ("assignmentId", parameters["assignmentId"]),
        ("colour", "bl\u00fce & <white>"),
        ("doNotRedirect", "1"),
    ]
    page = browser.post("/mturk/externalSubmit", fields)
    told = browser.json("/submissions/1")

    assert "Submitted: row 1" in page
    assert told["row"] == 1
    assert re.findall("<Answer>.*?</Answer>", told["answer"])[0] == (
        "<Answer><QuestionIdentifier>colour</QuestionIdentifier>"
        "<FreeText>bl&#252;e &amp; &lt;white&gt;</FreeText></Answer>"
    )
    result = told["result"]
    assert list(result) == [*tables.AMTI_COLUMNS, *tables.MORE_COLUMNS, "Input.word", "colour"]
    assert told["own"] == ["Input.word", "colour"]
    assert (result["colour"], result["Input.word"]) == ("bl\u00fce & <white>", "sky")
    assert result["AssignmentStatus"] == "Submitted"
    assert result["HITId"] == parameters["hitId"]
    assert [note.split()[0] for note in told["notes"]] == ['"doNotRedirect"']
    assert browser.json("/state")["submissions"] == 1
    assert browser.parameters("/rows/1?mode=accepted")["assignmentId"] != fields[0][1]
    assert "There is no submission 2" in browser.get("/submissions/2", code=404)


def test_what_the_service_refuses_is_refused_and_not_recorded(browser: Browser) -> None:
    parameters = browser.parameters("/rows/1?mode=accepted")
    fields = [("assignmentId", parameters["assignmentId"]), ("colour", "blue")]
    browser.post("/mturk/externalSubmit", fields)

    twice = browser.post("/mturk/externalSubmit", fields, code=400)
    assert "can&#39;t be submitted" in twice
    for nobody in ([], [("assignmentId", "ASSIGNMENT_ID_NOT_AVAILABLE"), ("colour", "x")]):
        refused = browser.post("/mturk/externalSubmit", nobody, code=400)
        assert "There was a problem submitting your results" in refused
    large = [("assignmentId", parameters["assignmentId"]), ("colour", "x" * 9_000_000)]
    browser.post("/mturk/externalSubmit", large, code=413)
    assert browser.json("/state")["submissions"] == 1


def test_a_change_is_seen_at_once(browser: Browser, definition: Path, rows: Path) -> None:
    before = browser.json("/state")
    assert browser.json("/state") == before
    assert browser.json("/findings") == {"ok": True, "findings": []}

    write(definition, "question.html.j2", CROWD)
    changed = browser.json("/state")["version"]
    assert changed != before["version"]
    shown = browser.get(browser.frame("/rows/1"))
    assert shown == CROWD.replace("{{ word }}", "sky").replace(
        "https://assets.crowd.aws", "/stand-ins"
    )
    assert "customElements" in browser.get("/stand-ins/crowd-html-elements.js")

    rows.write_text('{"word": "sea"}\n{"other": 1}\n')
    assert browser.json("/state")["version"] != changed
    found = browser.json("/findings")
    assert not found["ok"]
    assert found["findings"][0]["where"] == f"{rows}:2"
    assert ">sea</td>" in browser.get("/")


def test_a_row_that_cannot_be_rendered_says_why_and_others_are_shown(
    browser: Browser, rows: Path
) -> None:
    rows.write_text('{"word": "sea"}\n{"other": 1}\n')

    assert f"{rows}:2" in browser.get("/rows/2")
    assert "<iframe" not in browser.get("/rows/2")
    assert "sea" in browser.get(browser.frame("/rows/1"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hittypeproperties.json", "{"),
        ("hittypeproperties.json", '{"Title": "x"}'),
        ("hitproperties.json", '{"LifetimeInSeconds": "soon"}'),
    ],
)
def test_pages_are_shown_before_the_properties_are_right(
    browser: Browser, definition: Path, name: str, text: str
) -> None:
    (definition / name).write_text(text)

    assert "snow" in browser.get(browser.frame("/rows/3"))
    assert not browser.json("/findings")["ok"]


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("definition/question.html.j2", "{% if %}", "not valid Jinja2"),
        ("data.jsonl", "[1]\n", "holds a list"),
        ("data.jsonl", None, "no such file"),
    ],
)
def test_files_that_cannot_be_read_are_named_until_they_can(
    browser: Browser, tmp_path: Path, path: str, text: str | None, fault: str
) -> None:
    file = tmp_path / path
    good = file.read_text()
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert fault in browser.get("/")

    file.write_text(good)
    assert "sky" in browser.get(browser.frame("/rows/1"))


def test_requirements_keep_nobody_from_looking(browser: Browser, definition: Path) -> None:
    path = definition / "hittypeproperties.json"
    required = [{"QualificationTypeId": "@Trained", "Comparator": "Exists"}]
    properties = json.loads(path.read_text()) | {"QualificationRequirements": required}
    path.write_text(json.dumps(properties))

    assert "workerId" in browser.parameters("/rows/1?mode=accepted")
    assert "@Trained" in browser.get("/rows/1")


def test_a_question_form_is_drawn_and_held_against_its_constraints(
    browser: Browser, definition: Path
) -> None:
    write(definition, "question.xml.j2", FORM)
    preview, accepted = browser.get("/rows/1"), browser.get("/rows/1?mode=accepted")

    assert "Shade of sky?" in preview
    assert 'action="' not in preview
    [action] = re.findall(r'action="([^"]+)"', accepted)
    action = action.replace("&amp;", "&")
    assert "shade: Choose one." in browser.post(action, [], code=400)
    browser.post(action, [("shade", "d")])
    assert browser.json("/submissions/1")["result"]["shade"] == "d"


def test_an_external_question_is_framed_with_its_own_query_first(
    browser: Browser, definition: Path
) -> None:
    write(definition, "question.xml.j2", EXTERNAL)
    address = browser.frame("/rows/1?mode=accepted")

    assert address.startswith("https://example.com/task?word=sky&assignmentId=3")
    assert browser.parameters("/rows/1")["turkSubmitTo"].startswith("http://localhost:")
    hit_id = browser.parameters("/rows/1")["hitId"]
    assert "Only an HTMLQuestion" in browser.get(f"/dynamic/hit?hitId={hit_id}", code=404)


def test_only_loopback_names_are_answered_and_pages_run_nothing_foreign(
    browser: Browser,
) -> None:
    assert "loopback" in browser.get("/", code=403, host="example.com")
    assert "loopback" in browser.get("/state", code=403, host="127.0.0.1.example.com:80")
    browser.get("/", host="localhost:1")
    address = f"{browser.url}/rows/1"
    with urllib.request.urlopen(address) as reply:
        policy = reply.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    port = browser.url.rpartition(":")[2]
    request = urllib.request.Request(address, headers={"Host": f"localhost:{port}"})
    with urllib.request.urlopen(request) as reply:
        assert f'src="http://127.0.0.1:{port}/dynamic/hit' in reply.read().decode()
    browser.get("/stand-ins/site.css", code=404)


def test_values_are_text_on_our_pages(browser: Browser, rows: Path) -> None:
    rows.write_text(json.dumps({"word": "<script>alert(1)</script>"}) + "\n")

    for path in ("/", "/rows/1"):
        page = browser.get(path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_long_index_has_pages(browser: Browser, rows: Path) -> None:
    rows.write_text("".join(f'{{"word": "w{number}"}}\n' for number in range(1, 451)))

    def shown(path: str) -> tuple[list[str], dict[str, str]]:
        page = browser.get(path)
        links = dict(re.findall(r'<a rel="(prev|next)" href="([^"]+)"', page))
        return re.findall(r"<td>(w\d+)</td>", page), links

    words, links = shown("/")
    assert (len(words), words[0], links) == (200, "w1", {"next": "/?from=201"})
    words, links = shown("/?from=401")
    assert (words[0], words[-1], links) == ("w401", "w450", {"prev": "/?from=201"})
    assert shown("/?from=x") == shown("/")


def test_an_export_is_files_that_lead_to_one_another(
    definition: Path, rows: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int | None]] = []
    index = actions.export_preview(
        definition, rows, tmp_path / "pages", progress=lambda _, *done: told.append(done)
    )

    target = tmp_path / "pages"
    assert index == target / "index.html"
    assert told == [(1, 3), (2, 3), (3, 3)]
    addresses = set()
    for page in target.glob("*.html"):
        for address in re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8")):
            addresses.add(address)
            if address == "data:,":  # no icon
                continue
            assert (target / address.partition("?")[0]).is_file(), address
    assert {"row-1.html", "assets/preview.css", "assets/preview.js"} <= addresses
    task = (target / "pages" / "row-2.html").read_text(encoding="utf-8")
    assert "<p>grass</p>" in task
    [script] = re.findall(r'src="data:text/javascript;base64,([^"]+)"', task)
    assert b"function turkSetAssignmentID" in base64.b64decode(script)
    with pytest.raises(errors.BatchError, match="pages: is there already"):
        actions.export_preview(definition, rows, target)


def test_an_export_of_what_cannot_be_read_leaves_nothing(definition: Path, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("")
    with pytest.raises(errors.InputError, match="there is no row"):
        actions.export_preview(definition, tmp_path / "data.jsonl", tmp_path / "pages")
    with pytest.raises(errors.InputError, match=r"no such directory[^$]*no such file"):
        actions.export_preview("nowhere", "nothing.csv", tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


def test_serving_ends_with_nothing_left_and_a_taken_port_is_named(
    definition: Path, rows: Path
) -> None:
    seen: list[str] = []

    def look(url: str) -> None:
        seen.append(url)
        with pytest.raises(errors.ServiceError, match=f"port {url.rpartition(':')[2]} can't be"):
            actions.preview_batch(
                definition, rows, port=int(url.rpartition(":")[2]), on_ready=seen.append
            )
        raise KeyboardInterrupt

    actions.preview_batch(definition, rows, port=0, on_ready=look)
    assert len(seen) == 1
    assert os.listdir(tempfile.gettempdir()) == []  # noqa: PTH208
