"""Task pages that attack the worker, the site and each other, in a real browser.

Each test is done on an open server, whose task pages are under the machine's other name, on a
guarded one whose task pages have a host of their own, and on one where they have none.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import guarded
from tests.browser.conftest import plain_client
from turkbatch.server import app, service, store, worker

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Frame, Page

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
PAGE = """<!DOCTYPE html><html lang="en"><head><title>Task</title></head><body>
<form id="mturk_form" method="post"><input type="hidden" name="assignmentId" id="assignmentId">
<label>Colour <input name="colour"></label><button>Submit</button></form>
<script>
const given = new URLSearchParams(location.search);
const site = given.get("turkSubmitTo");
document.getElementById("mturk_form").action = site + "/mturk/externalSubmit";
document.getElementById("assignmentId").value = given.get("assignmentId");
%s
</script></body></html>"""

# What is tried: by name, what came of it, as the page sees it.
ATTACK = """
const found = {};
const attempt = async (name, act) => {
  try { found[name] = String(await act()); } catch (error) { found[name] = error.name; }
};
const read = async (path, options) => {
  const reply = await fetch(site + path, {credentials: "include", ...options});
  return reply.type + ":" + (await reply.text()).length;
};
const blind = (path, fields, headers) => fetch(site + path, {
  method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams(fields),
});
const framed = (make) => new Promise((resolve) => {
  const frame = document.createElement("iframe");
  frame.name = "hole" + document.querySelectorAll("iframe").length;
  frame.onload = () => resolve("loaded");
  setTimeout(() => resolve("nothing"), 3000);
  make(frame);
});
const posted = (path, fields, enctype) => framed((frame) => {
  document.body.append(frame);
  const form = document.createElement("form");
  Object.assign(form, {method: "post", action: site + path, target: frame.name});
  if (enctype) form.enctype = enctype;
  for (const [name, value] of Object.entries(fields)) {
    form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
  }
  document.body.append(form);
  form.submit();
});
const heard = [];
addEventListener("message", (event) => heard.push(JSON.stringify(event.data)));
addEventListener("beforeunload", (event) => {
  event.preventDefault();
  event.returnValue = "Stay";
});
onbeforeunload = () => "Stay";
const attack = async ({own, other, hit, cookie}) => {
  const target = {"X-Amz-Target": "MTurkRequesterServiceV20170117.GetAccountBalance"};
  const answer = {assignmentId: other, colour: "forged"};
  await attempt("own cookies", () => document.cookie || "none");
  await attempt("page around", () => parent.document.body.innerText);
  await attempt("token", () => parent.document.querySelector("iframe").dataset.token);
  await attempt("storage around", () => parent.localStorage.length);
  await attempt("history", () => read("/history"));
  await attempt("history blindly", () => read("/history", {mode: "no-cors"}));
  await attempt("account", () => read("/account"));
  await attempt("API", () => read("/", {method: "POST", headers: target, body: "{}"}));
  await attempt("API blindly", () => blind("/", {}));
  await attempt("API by form", () => posted("/", {"{\\"x": "\\"}"}, "text/plain"));
  await attempt("answers for another", () => blind("/mturk/externalSubmit", answer));
  await attempt("answers by form", () => posted("/mturk/externalSubmit", answer));
  for (const path of [`/hits/${hit}/accept`, `/assignments/${own}/return`, "/sign-out",
                      "/account/withdraw", "/mturk/accept", "/mturk/return"]) {
    const fields = {hitId: hit, workerId: "AVICTIM", assignmentId: own, sure: "yes"};
    await attempt("blindly " + path, () => blind(path, fields));
    await attempt("by form " + path, () => posted(path, fields));
  }
  await attempt("frame of the site", () => framed((frame) => {
    frame.src = site + "/history"; document.body.append(frame);
  }));
  await attempt("lead away", () => { top.location = site + "/away"; });
  await attempt("lead away, parent", () => { parent.location.href = site + "/away"; });
  await attempt("dialogs", () => { alert("1"); confirm("2"); prompt("3"); return "none"; });
  await attempt("service worker", () =>
    navigator.serviceWorker.register("/crowd-html-elements.js"));
  for (const domain of ["", "; domain=127.0.0.1", "; domain=localhost"]) {
    await attempt("set cookie" + domain, () => {
      document.cookie = cookie + "=evil; path=/" + domain;
    });
  }
  for (const id of [own, other]) {
    parent.postMessage({goOn: `${site}/assignments/${id}/go-on`}, "*");
    parent.postMessage({tokenFor: id}, "*");
    parent.postMessage({token: "x"}, "*");
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  found["heard"] = heard.join() || "nothing";
  return found;
};
"""


# A window that a page opens, and that tries what the page itself may not. Where pages have an
# origin that nobody else has, they can't even write into it.
POPUP = """
const lead = `try { opener.top.location = "${site}/away"; } catch {}
  try { opener.parent.location = "${site}/away"; } catch {}
  document.title = "tried";`;
const inject = (popup) => {
  try { popup.document.write(`<script>${lead}</${"script"}>`); }
  catch { popup.location = location.href + "#popup"; }
};
if (location.hash === "#popup") eval(lead);
"""


class Place:
    """A server of one kind, and what the tests need of it."""

    def __init__(
        self, url: str, served: service.Service, client: Any, people: guarded.Guarded | None
    ) -> None:
        self.url, self.served, self.client, self.people = url, served, client, people

    def publish(self, page: str, **changes: Any) -> str:
        question = (
            f'<HTMLQuestion xmlns="{SCHEMAS}2011-11-11/HTMLQuestion.xsd">'
            f"<HTMLContent><![CDATA[{page}]]></HTMLContent><FrameHeight>0</FrameHeight>"
            "</HTMLQuestion>"
        )
        properties: dict[str, Any] = {
            "Title": "Name the colour",
            "Description": "Look at a picture.",
            "Reward": "0.05",
            "AssignmentDurationInSeconds": 600,
            "LifetimeInSeconds": 3600,
            "MaxAssignments": 3,
            **changes,
        }
        return str(self.client.create_hit(**properties, Question=question)["HIT"]["HITId"])

    def sign_in(self, context: BrowserContext, worker_id: str) -> Page:
        if self.people is not None:
            self.people.add(worker_id)
            return self.people.sign_in(context, worker_id)
        tab = context.new_page()
        tab.goto(f"{self.url}/sign-in")
        tab.get_by_label("Worker id").fill(worker_id)
        tab.get_by_role("button", name="Sign in").click()
        tab.wait_for_url("**/hits")
        return tab

    def answer(self, assignment_id: str) -> str:
        found = self.client.get_assignment(AssignmentId=assignment_id)["Assignment"]
        return str(found["Answer"])


@contextlib.contextmanager
def opened(directory: Any) -> Iterator[Place]:
    with store.Store.open(directory / "server.db") as database:
        served = service.Service(database)
        with app.running(served) as url:
            client = plain_client(url)
            yield Place(url, served, client, None)
            client.close()


@pytest.fixture(scope="module", params=["open", "apart", "without a host"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("hostile")
    if request.param == "open":
        with opened(directory) as found:
            yield found
        return
    with guarded.running(directory, tasks_apart=request.param == "apart") as server:
        yield Place(server.url, server.served, server.client, server)


@pytest.fixture
def dialogs(context: BrowserContext) -> list[str]:
    """What the browser asked, and was told to agree to as little as it can."""
    shown: list[str] = []

    def dismiss(dialog: Any) -> None:
        shown.append(dialog.type)
        dialog.dismiss()

    context.on("dialog", dismiss)
    return shown


Begin = Callable[..., tuple["Page", "Frame", str, str]]


@pytest.fixture
def begin(context: BrowserContext, place: Place, request: pytest.FixtureRequest) -> Begin:
    """Accept a HIT with a page of a script; give the tab, the task's frame, HIT and assignment."""

    def accept(script: str, **changes: Any) -> tuple[Page, Frame, str, str]:
        hit_id = place.publish(PAGE % script, **changes)
        # A worker of each test's own.
        tab = place.sign_in(context, f"A{abs(hash(request.node.nodeid)) % 10**9}")
        tab.goto(f"{place.url}/hits/{hit_id}")
        tab.get_by_role("button", name="Accept", exact=True).click()
        tab.wait_for_url("**/assignments/*")
        frame = tab.locator("iframe.task").element_handle().content_frame()
        assert frame is not None
        frame.wait_for_selector("#mturk_form")
        return tab, frame, hit_id, tab.url.rsplit("/", 1)[1]

    return accept


def state(place: Place, assignment_id: str) -> str:
    return worker.task(place.served, assignment_id).state


def give_back(tab: Page, place: Place, assignment_id: str) -> None:
    """Do what no page may keep a worker from."""
    tab.get_by_role("button", name="Return").click()
    tab.wait_for_url("**/hits")
    assert state(place, assignment_id) == "Returned"
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/sign-in")


def test_an_honest_page_s_answers_are_recorded(begin: Begin, place: Place) -> None:
    tab, frame, _, assignment_id = begin("")
    frame.get_by_label("Colour").fill("red & \N{SNOWMAN}")
    frame.get_by_role("button", name="Submit").click()
    tab.wait_for_url("**/hits")

    assert tab.get_by_role("status").inner_text() == "The HIT was submitted."
    assert "<FreeText>red &amp; &#9731;</FreeText>" in place.answer(assignment_id)


def test_fields_named_as_what_a_form_has_are_recorded(begin: Begin, place: Place) -> None:
    names = ("append", "submit", "action", "dataset", "method", "target", "elements")
    fields = "".join(f'<input name="{name}" value="my {name}">' for name in names)
    tab, frame, _, assignment_id = begin("")
    frame.evaluate("html => mturk_form.insertAdjacentHTML('afterbegin', html)", fields)
    # As the browser's own button does, and no script could with such names.
    frame.evaluate("mturk_form.setAttribute('action', site + '/mturk/externalSubmit')")
    frame.get_by_role("button", name="Submit").click()
    tab.wait_for_url("**/hits")

    assert [name for name in names if f"my {name}<" not in place.answer(assignment_id)] == []


def test_a_hostile_page_gets_nothing_and_does_nothing(
    begin: Begin, place: Place, context: BrowserContext, dialogs: list[str]
) -> None:
    tab, frame, _, own = begin(ATTACK)
    victim = "AVICTIM" if place.people is None else place.people.add("a.victim")
    other_hit = place.publish(PAGE % "")
    other = worker.accept(place.served, other_hit, victim)
    before = {one["name"]: one["value"] for one in context.cookies(place.url)}
    (session,) = before
    found = frame.evaluate(
        "given => attack(given)",
        {
            "own": own,
            # An open server takes answers by the assignment's id, which nobody else knows.
            "other": other if place.people is not None else "3GUESSED",
            "hit": other_hit,
            "cookie": session,
        },
    )

    assert set(found) >= {"history", "API", "heard", "frame of the site", "set cookie"}
    reads = {"page around", "token", "storage around", "history", "account", "API"}
    assert {name: found[name] for name in reads if "Error" not in found[name]} == {}
    assert found["own cookies"] in ("none", "SecurityError")
    assert found["history blindly"] == "opaque:0"
    assert found["service worker"] in ("SecurityError", "TypeError", "NotSupportedError")
    assert found["dialogs"] == "none"
    assert found["heard"] == "nothing"
    assert dialogs == []
    assert tab.url == f"{place.url}/assignments/{own}"
    assert not any("History and earnings" in one.content() for one in tab.frames[1:])
    # Nothing was done in the worker's name, nor anybody else's.
    assert (state(place, own), state(place, other)) == ("Accepted", "Accepted")
    assert worker_hits(place, own) == [own]
    assert {one["name"]: one["value"] for one in context.cookies(place.url)} == before
    tab.goto(f"{place.url}/history")
    assert "History and earnings" in tab.locator("main").inner_text()
    tab.go_back()
    give_back(tab, place, own)
    assert dialogs == []


def worker_hits(place: Place, assignment_id: str) -> list[str]:
    """List what the assignment's worker holds."""
    from turkbatch.server import listings

    me = worker.task(place.served, assignment_id).worker_id
    return [one.assignment_id for one in listings.history(place.served, me, state="Accepted")[0]]


@pytest.mark.parametrize(
    ("html", "name"),
    [
        ('<a href="{site}/away" target="_top">Go</a>', "link"),
        ('<form method="post" action="{site}/away" target="_top"><button>Go</button></form>', "b"),
        ('<form action="{site}/away" target="_parent"><button>Go</button></form>', "button"),
        ("<button onclick=\"top.location = '{site}/away'\">Go</button>", "button"),
        ("<button onclick=\"window.open(location.href + '#popup')\">Go</button>", "popup"),
        ("<button onclick=\"inject(window.open('', 'x'))\">Go</button>", "popup"),
    ],
    ids=["link", "form", "parent form", "script", "popup", "written popup"],
)
def test_not_even_a_click_leads_the_worker_away(
    begin: Begin, place: Place, dialogs: list[str], html: str, name: str
) -> None:
    tab, frame, _, own = begin(POPUP)
    frame.evaluate(
        "html => document.body.insertAdjacentHTML('beforeend', html)",
        html.replace("{site}", place.url),
    )
    visited: list[str] = []
    tab.on("framenavigated", lambda one: visited.append(one.url) if one == tab.main_frame else None)
    go = frame.get_by_text("Go", exact=True)
    if name == "popup":
        with tab.expect_popup() as opened_popup:
            go.click()
        opened_popup.value.wait_for_function("document.title === 'tried'")
        opened_popup.value.close()
    else:
        go.click()
    # The browser has answered each click before what comes after it.
    tab.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")

    assert visited == []
    give_back(tab, place, own)
    assert dialogs == []


def test_a_page_that_never_rests_does_not_hold_the_worker(begin: Begin, place: Place) -> None:
    tab, frame, _, own = begin(
        'addEventListener("message", () => { for (;;) { try { alert("Stay"); } catch {} } });'
    )
    frame.evaluate("setTimeout(() => { for (;;) {} }, 0); undefined")

    give_back(tab, place, own)


def test_a_page_that_is_gone_elsewhere_does_not_hold_the_worker(
    begin: Begin, place: Place, dialogs: list[str]
) -> None:
    """Leaving the task's page by itself, over and over, is its own affair."""
    tab, _, _, own = begin(
        "addEventListener('beforeunload', (event) => event.preventDefault());"
        "setInterval(() => { location.hash = Math.random(); history.pushState({}, ''); }, 20);"
    )

    give_back(tab, place, own)
    assert dialogs == []


def test_a_page_of_one_assignment_can_not_hand_in_another_of_the_same_worker(
    begin: Begin, place: Place
) -> None:
    """It may know the other's id, and it is the right worker's browser."""
    if place.people is None:
        # There the id alone is enough, and nothing more is asked.
        return
    tab, frame, _, own = begin("")
    me = worker.task(place.served, own).worker_id
    other = worker.accept(place.served, place.publish(PAGE % ""), me)
    frame.evaluate("id => { assignmentId.value = id; }", other)
    frame.get_by_role("button", name="Submit").click()
    refused = tab.frame_locator("iframe.task").get_by_role("alert")
    refused.filter(has_text="not for the HIT of this page").wait_for()

    assert (state(place, own), state(place, other)) == ("Accepted", "Accepted")
    give_back(tab, place, own)


def test_pages_on_the_task_pages_host_are_limited_outside_of_the_frame_too(
    begin: Begin, context: BrowserContext
) -> None:
    """A popup has no frame around it, but the policy of the page itself."""
    _, frame, _, _ = begin("")
    alone = context.new_page()
    alone.goto(frame.url)

    assert alone.evaluate("self.origin") == "null"
    told = alone.evaluate("() => { try { return document.cookie; } catch (e) { return e.name; } }")
    assert told == "SecurityError"


def test_the_api_is_closed_to_what_a_page_can_post(place: Place) -> None:
    """As a form with text/plain posts it: no header but those of a form."""
    request = urllib.request.Request(f"{place.url}/", b'{"x=":"y"}', {"Content-Type": "text/plain"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as error:
        assert error.code == 400
        assert json.loads(error.read())["__type"] in (
            "UnknownOperationException",
            "MissingAuthenticationTokenException",
        )
