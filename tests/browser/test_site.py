"""The worker site in a real browser, from signing in to the answer that a requester reads."""

from __future__ import annotations

import http.server
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient
    from playwright.sync_api import Browser, Page

Publish = Callable[..., str]
SignedIn = Callable[..., "Page"]
Answers = Callable[[str], dict[str, str]]
CheckAccess = Callable[..., None]

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
PAGE = """<!DOCTYPE html><html lang="en"><head><title>Task</title>
<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script></head><body><main>
<h1>Colour</h1><form name="mturk_form" id="mturk_form" method="post">
<input type="hidden" name="assignmentId" id="assignmentId">
<label>Colour <input name="colour"></label>
<input type="submit" id="submitButton" value="Submit"></form></main>
<script>turkSetAssignmentID();</script></body></html>"""
FORM = f"""<QuestionForm xmlns="{SCHEMAS}2005-10-01/QuestionForm.xsd">
<Overview><Title>About you</Title><Text>A few questions.</Text>
<List><ListItem>one</ListItem></List>
<FormattedContent><![CDATA[<p><b>Bold</b> <a href="https://example.com/">link</a></p>]]>
</FormattedContent></Overview>
<Question><QuestionIdentifier>word</QuestionIdentifier><DisplayName>A word</DisplayName>
<IsRequired>true</IsRequired><QuestionContent><Text>Say a word.</Text></QuestionContent>
<AnswerSpecification><FreeTextAnswer><Constraints><Length minLength="2" maxLength="10"/>
<AnswerFormatRegex regex="^[a-z]+$" errorText="Small letters alone."/></Constraints>
</FreeTextAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>number</QuestionIdentifier><DisplayName>A number</DisplayName>
<QuestionContent><Text>Say a number.</Text></QuestionContent>
<AnswerSpecification><FreeTextAnswer><Constraints><IsNumeric minValue="1" maxValue="9"/>
</Constraints></FreeTextAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>text</QuestionIdentifier><DisplayName>A text</DisplayName>
<QuestionContent><Text>Say more.</Text></QuestionContent>
<AnswerSpecification><FreeTextAnswer><DefaultText>Once</DefaultText>
<NumberOfLinesSuggestion>3</NumberOfLinesSuggestion></FreeTextAnswer></AnswerSpecification>
</Question>
%s
<Question><QuestionIdentifier>file</QuestionIdentifier><DisplayName>A file</DisplayName>
<QuestionContent><Text>Hand in a file.</Text></QuestionContent>
<AnswerSpecification><FileUploadAnswer><MaxFileSizeInBytes>100</MaxFileSizeInBytes>
<MinFileSizeInBytes>2</MinFileSizeInBytes></FileUploadAnswer></AnswerSpecification></Question>
</QuestionForm>"""


def choice(name: str, style: str, least: int = 1, most: int = 1, other: str = "") -> str:
    selections = "".join(
        f"<Selection><SelectionIdentifier>{one}</SelectionIdentifier><Text>{one} of {name}</Text>"
        "</Selection>"
        for one in ("a", "b", "c")
    )
    return (
        f"<Question><QuestionIdentifier>{name}</QuestionIdentifier>"
        f"<DisplayName>{name}</DisplayName><QuestionContent><Text>Choose.</Text></QuestionContent>"
        f"<AnswerSpecification><SelectionAnswer><MinSelectionCount>{least}</MinSelectionCount>"
        f"<MaxSelectionCount>{most}</MaxSelectionCount><StyleSuggestion>{style}</StyleSuggestion>"
        f"<Selections>{selections}{other}</Selections></SelectionAnswer></AnswerSpecification>"
        "</Question>"
    )


CHOICES = "".join(
    [
        choice("radio", "radiobutton"),
        choice("boxes", "checkbox", 2, 3),
        choice("list", "list", 1, 2),
        choice("drop", "dropdown"),
        choice("combo", "combobox", other="<OtherSelection/>"),
        choice("multi", "multichooser", 1, 3),
    ]
)


def assignment_of(tab: Page) -> str:
    tab.wait_for_url(re.compile(r"/assignments/"))
    return tab.url.rsplit("/", 1)[1]


def accept(tab: Page, mturk: str, hit_id: str) -> str:
    tab.goto(f"{mturk}/hits/{hit_id}")
    tab.get_by_role("button", name="Accept", exact=True).click()
    return assignment_of(tab)


def test_a_worker_finds_previews_accepts_and_submits(
    signed_in: SignedIn, publish: Publish, answers: Answers, client: MTurkClient
) -> None:
    publish(PAGE, Title="Something else", Keywords="other")
    hit_id = publish(PAGE, Title="Rare birds", Reward="1.50")
    tab = signed_in("AFINDER")
    tab.get_by_label("Search").fill("rare")
    tab.get_by_role("button", name="Search").click()
    assert tab.locator(".hits h2").all_inner_texts() == ["Rare birds"]
    assert "$1.50" in tab.locator(".hits").inner_text()
    tab.get_by_role("link", name="Rare birds").click()
    preview = tab.frame_locator("iframe.task")
    assert preview.locator("#submitButton").is_disabled()
    tab.get_by_role("button", name="Accept").click()
    assignment_id = assignment_of(tab)
    task = tab.frame_locator("iframe.task")
    task.get_by_label("Colour").fill("red & \N{SNOWMAN}")
    address = tab.locator("iframe.task").get_attribute("src") or ""
    assert re.findall(r"[?&](\w+)=", address) == [
        "assignmentId",
        "hitId",
        "workerId",
        "turkSubmitTo",
    ]
    task.get_by_role("button", name="Submit").click()
    tab.wait_for_url("**/hits")

    assert tab.get_by_role("status").inner_text() == "The HIT was submitted."
    assert answers(assignment_id) == {"colour": "red & \N{SNOWMAN}"}
    found = client.get_assignment(AssignmentId=assignment_id)["Assignment"]
    assert (found["WorkerId"], found["HITId"]) == ("AFINDER", hit_id)
    tab.get_by_role("link", name="History").click()
    assert "Rare birds\tSubmitted" in tab.locator("table").inner_text()
    assert "Waiting for review\n$1.50" in tab.locator(".facts").inner_text()


def test_two_browsers_are_two_workers(
    chromium: Browser, signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    hit_id = publish(PAGE)
    other = chromium.new_context()
    try:
        ids = [
            accept(signed_in("AONE"), mturk, hit_id),
            accept(signed_in("ATWO", other), mturk, hit_id),
        ]
        mine = other.new_page()
        mine.goto(f"{mturk}/assignments/{ids[0]}")
        assert "Worker ATWO has no assignment" in mine.get_by_role("alert").inner_text()
    finally:
        other.close()

    assert [worker.task(served, one).worker_id for one in ids] == ["AONE", "ATWO"]


def test_hits_are_returned_skipped_and_accepted_one_after_another(
    signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    hits = [publish(PAGE, Title="A series") for _ in range(3)]
    tab = signed_in("ASERIES")
    first = accept(tab, mturk, hits[0])
    tab.get_by_role("button", name="Return").click()
    tab.wait_for_url("**/hits")
    again = accept(tab, mturk, hits[0])
    tab.get_by_role("button", name="Skip").click()
    tab.wait_for_url(lambda url: again not in url)
    second = assignment_of(tab)
    with tab.expect_response("**/auto-accept"):
        tab.get_by_label("Auto-accept next HIT").check()
    tab.frame_locator("iframe.task").get_by_role("button", name="Submit").click()
    tab.wait_for_url(lambda url: second not in url)
    third = assignment_of(tab)

    tasks = [worker.task(served, one) for one in (first, again, second, third)]
    assert [task.state for task in tasks] == ["Returned", "Returned", "Submitted", "Accepted"]
    assert [task.hit_id for task in tasks] == [hits[0], hits[0], hits[1], hits[2]]
    assert tab.get_by_label("Auto-accept next HIT").is_checked()


def test_time_that_runs_out_abandons_the_hit(
    signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    tab = signed_in("ALATE")
    assignment_id = accept(tab, mturk, publish(PAGE, AssignmentDurationInSeconds=600))
    assert re.match(r"(10:00|09:5\d)", tab.get_by_role("timer").inner_text())
    served.clock.advance(500)
    tab.evaluate("dispatchEvent(new Event('focus'))")
    tab.get_by_role("timer").filter(has_text=re.compile("^01:")).wait_for()
    served.clock.advance(100)
    tab.evaluate("dispatchEvent(new Event('focus'))")
    tab.get_by_text("the HIT was abandoned").wait_for()

    assert worker.task(served, assignment_id).state == "Abandoned"


def test_a_submission_after_abandonment_gets_a_clear_page(
    signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    tab = signed_in("ALATER")
    assignment_id = accept(tab, mturk, publish(PAGE, AssignmentDurationInSeconds=60))
    task = tab.frame_locator("iframe.task")
    task.get_by_label("Colour").fill("red")
    served.clock.advance(61)
    task.get_by_role("button", name="Submit").click()
    task.get_by_text("it is abandoned").or_(tab.get_by_text("the HIT was abandoned")).wait_for()

    assert worker.task(served, assignment_id).state == "Abandoned"


def test_every_answer_of_a_question_form_is_drawn_checked_and_recorded(
    signed_in: SignedIn,
    mturk: str,
    publish: Publish,
    client: MTurkClient,
    check_access: CheckAccess,
    tmp_path: Path,
) -> None:
    hit_id = publish(question=FORM % CHOICES, Title="A form")
    tab = signed_in("AFORM")
    tab.goto(f"{mturk}/hits/{hit_id}")
    assert tab.get_by_label("A word").is_disabled()
    assignment_id = accept(tab, mturk, hit_id)
    assert tab.get_by_label("A text").input_value() == "Once"
    assert tab.get_by_role("link", name="link").get_attribute("target") == "_blank"
    check_access(tab)

    file = tmp_path / "notes.txt"
    file.write_text("x")
    tab.get_by_label("A word").fill("Word")
    tab.get_by_label("A file").set_input_files(file)
    tab.get_by_label("a of boxes").check()
    tab.get_by_role("button", name="Submit").click()
    tab.get_by_text("Nothing was submitted.").wait_for()
    faults = tab.locator(".question .fault").all_inner_texts()
    assert faults == [
        "Small letters alone.",
        "Choose 2 to 3; 1 are chosen.",
        "The file must have 2 to 100 bytes; it has 1.",
    ]
    check_access(tab)

    file.write_text("notes")
    tab.get_by_label("A word").fill("word")
    tab.get_by_label("A number").fill("7")
    tab.get_by_label("A text").fill("one\ntwo")
    tab.get_by_label("b of radio").check()
    tab.get_by_label("c of boxes").check()
    tab.get_by_label("list", exact=True).select_option(["a", "b"])
    tab.get_by_label("drop", exact=True).select_option("c")
    tab.get_by_label("combo: other").fill("mine")
    tab.get_by_label("multi", exact=True).select_option(["b"])
    tab.get_by_label("A file").set_input_files(file)
    tab.get_by_role("button", name="Submit").click()
    tab.wait_for_url("**/hits")

    answer = client.get_assignment(AssignmentId=assignment_id)["Assignment"]["Answer"]
    pattern = r"<Answer><QuestionIdentifier>(\w+)</QuestionIdentifier>(.*?)</Answer>"
    found = re.findall(pattern, answer, re.DOTALL)
    selected = "<SelectionIdentifier>{}</SelectionIdentifier>".format
    assert found[:-1] == [
        ("word", "<FreeText>word</FreeText>"),
        ("number", "<FreeText>7</FreeText>"),
        ("text", "<FreeText>one&#13;\ntwo</FreeText>"),
        ("radio", selected("b")),
        ("boxes", selected("a") + selected("c")),
        ("list", selected("a") + selected("b")),
        ("drop", selected("c")),
        ("combo", "<OtherSelectionText>mine</OtherSelectionText>"),
        ("multi", selected("b")),
    ]
    assert found[-1][0] == "file"
    assert found[-1][1].startswith("<UploadedFileSizeInBytes>5</UploadedFileSizeInBytes>")


def test_a_test_is_taken_and_graded(
    signed_in: SignedIn,
    mturk: str,
    publish: Publish,
    client: MTurkClient,
    check_access: CheckAccess,
) -> None:
    test = (
        f'<QuestionForm xmlns="{SCHEMAS}2005-10-01/QuestionForm.xsd">{choice("q", "radiobutton")}'
    )
    key = (
        f'<AnswerKey xmlns="{SCHEMAS}2005-10-01/AnswerKey.xsd"><Question>'
        "<QuestionIdentifier>q</QuestionIdentifier><AnswerOption>"
        "<SelectionIdentifier>b</SelectionIdentifier><AnswerScore>5</AnswerScore></AnswerOption>"
        "</Question></AnswerKey>"
    )
    type_id = client.create_qualification_type(
        Name="Reading",
        Description="Read well.",
        QualificationTypeStatus="Active",
        Test=f"{test}</QuestionForm>",
        AnswerKey=key,
        TestDurationInSeconds=60,
    )["QualificationType"]["QualificationTypeId"]
    hit_id = publish(
        PAGE,
        Title="For readers",
        QualificationRequirements=[
            {
                "QualificationTypeId": type_id,
                "Comparator": "GreaterThan",
                "IntegerValues": [3],
                "ActionsGuarded": "PreviewAndAccept",
            }
        ],
    )
    tab = signed_in("AREADER")
    tab.goto(f"{mturk}/hits/{hit_id}")
    assert "You do not meet the qualification requirements" in tab.get_by_role("alert").inner_text()
    tab.goto(f"{mturk}/qualifications")
    tab.get_by_role("button", name="Take the test of Reading").click()
    tab.get_by_label("b of q").check()
    check_access(tab)
    tab.get_by_role("button", name="Submit").click()
    tab.get_by_text("The qualification was granted. Its value is 5.").wait_for()

    assert accept(tab, mturk, hit_id)


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A requester's own server, which answers any address with one page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PAGE.replace(
                "https://s3.amazonaws.com/mturk-public", "data:text/javascript,"
            ).encode()
            body = re.sub(b"<script.*?</script>", b"", body)
            script = (
                b"<script>const given = new URLSearchParams(location.search);"
                b"document.getElementById('assignmentId').value = given.get('assignmentId');"
                b"document.forms[0].action = given.get('turkSubmitTo') + '/mturk/externalSubmit';"
                b"</script>"
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body + script)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_external_question_posts_its_form_back(
    signed_in: SignedIn, mturk: str, publish: Publish, answers: Answers, elsewhere: str
) -> None:
    question = (
        f'<ExternalQuestion xmlns="{SCHEMAS}2006-07-14/ExternalQuestion.xsd">'
        f"<ExternalURL>{elsewhere}/task?row=7</ExternalURL><FrameHeight>400</FrameHeight>"
        "</ExternalQuestion>"
    )
    tab = signed_in("AEXTERN")
    assignment_id = accept(tab, mturk, publish(question=question))
    frame = tab.locator("iframe.task")
    assert frame.get_attribute("height") == "400"
    assert (frame.get_attribute("src") or "").startswith(f"{elsewhere}/task?row=7&assignmentId=")
    task = tab.frame_locator("iframe.task")
    task.get_by_label("Colour").fill("blue")
    task.get_by_role("button", name="Submit").click()
    tab.wait_for_url("**/hits")

    assert answers(assignment_id) == {"colour": "blue"}


def test_a_task_page_that_throws_leaves_the_site_as_it_is(
    signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    tab = signed_in("ATHROWN")
    page = "<!DOCTYPE html><script>localStorage.x = 1; throw new Error('mine')</script><p>Here</p>"
    assignment_id = accept(tab, mturk, publish(page))
    tab.frame_locator("iframe.task").get_by_text("Here").wait_for()
    tab.get_by_role("button", name="Return").click()
    tab.wait_for_url("**/hits")

    assert worker.task(served, assignment_id).state == "Returned"


def test_a_task_page_that_never_loads_is_told_and_can_be_returned(
    signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        question = (
            f'<ExternalQuestion xmlns="{SCHEMAS}2006-07-14/ExternalQuestion.xsd">'
            f"<ExternalURL>http://127.0.0.1:{silent.getsockname()[1]}/</ExternalURL>"
            "<FrameHeight>0</FrameHeight></ExternalQuestion>"
        )
        hit_id = publish(question=question)
        assignment_id = worker.accept(served, hit_id, "AWAITS")
        tab = signed_in("AWAITS")
        tab.clock.install()
        tab.goto(f"{mturk}/assignments/{assignment_id}", wait_until="domcontentloaded")
        hint = tab.get_by_text("has not loaded yet")
        assert not hint.is_visible()
        tab.clock.fast_forward(11_000)
        hint.wait_for()
        tab.get_by_role("button", name="Return").click()
        tab.wait_for_url("**/hits")

    assert worker.task(served, assignment_id).state == "Returned"


def test_a_task_s_script_reaches_neither_site_nor_api(
    signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    tab = signed_in("ASAFE")
    other = publish(PAGE)
    accept(tab, mturk, publish("<!DOCTYPE html><p>Here</p>"))
    frame = next(one for one in tab.frames if "/dynamic/hit" in one.url)
    tried = frame.evaluate(
        """async ([site, hit]) => {
          const attempts = {
            page: () => parent.document.title,
            list: () => fetch(site + "/hits", {credentials: "include"}),
            api: () => fetch(site + "/", {method: "POST", body: "{}", headers:
              {"X-Amz-Target": "MTurkRequesterServiceV20170117.ListHITs"}}),
            own: async () => (await fetch("/hits")).status,
            accept: async () => (await fetch(`${site}/hits/${hit}/accept`,
              {method: "POST", mode: "no-cors", credentials: "include"})).type,
          };
          const found = {};
          for (const [name, attempt] of Object.entries(attempts)) {
            try { found[name] = await attempt(); } catch (error) { found[name] = error.name; }
          }
          return found;
        }""",
        [mturk, other],
    )

    assert tried == {
        "page": "SecurityError",
        "list": "TypeError",
        "api": "TypeError",
        "own": 404,
        "accept": "opaque",
    }
    assert [one.hit_id for one in worker.offers(served, "ASAFE") if one.hit_id == other] == [other]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit_a_phone(
    chromium: Browser,
    signed_in: SignedIn,
    mturk: str,
    publish: Publish,
    check_access: CheckAccess,
    scheme: Any,
) -> None:
    hit_id = publish(PAGE)
    context = chromium.new_context(
        color_scheme=scheme, viewport={"width": 360, "height": 740}, bypass_csp=False
    )
    try:
        context.set_default_timeout(10_000)
        visitor = context.new_page()
        visitor.goto(f"{mturk}/sign-in")
        check_access(visitor)
        tab = signed_in(f"APHONE{scheme.upper()}", context)
        accept(tab, mturk, hit_id)
        check_access(tab)
        for path in ("/hits", f"/hits/{publish(PAGE)}", "/history", "/qualifications", "/messages"):
            tab.goto(mturk + path)
            check_access(tab)
            widths = "[document.documentElement.scrollWidth, innerWidth]"
            needed, there = tab.evaluate(widths)
            assert needed <= there, path
    finally:
        context.close()


def test_the_site_is_worked_by_keys_alone(
    signed_in: SignedIn, mturk: str, publish: Publish, served: service.Service
) -> None:
    hit_id = publish(PAGE)
    tab = signed_in("AKEYS")
    tab.goto(f"{mturk}/hits/{hit_id}")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab.get_by_role("button", name="Accept").focus()
    tab.keyboard.press("Enter")
    assignment_id = assignment_of(tab)
    tab.frame_locator("iframe.task").get_by_label("Colour").focus()
    tab.keyboard.type("red")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/hits")

    assert worker.task(served, assignment_id).state == "Submitted"
