"""Chromium, driven by Playwright, on the server of the other tests.

Without Chromium these tests are skipped; with ``TURKBATCH_TEST_BROWSER=required`` they fail
then, so that nobody takes a skip for a pass. ``TURKBATCH_TEST_AXE`` names axe-core's script,
by which pages are held against the rules of accessibility.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from turkbatch.server import app, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient
    from playwright.sync_api import Browser, BrowserContext, Page

# Read here, since tests run without the variables that turkbatch knows.
REQUIRED = os.environ.get("TURKBATCH_TEST_BROWSER") == "required"
AXE = os.environ.get("TURKBATCH_TEST_AXE", "build/axe-core/package/axe.min.js")

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing beyond this machine is looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
_SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
_SECONDS = 10

Publish = Callable[..., str]
SignedIn = Callable[..., "Page"]

# One server for all tests of a module: starting one takes longer than what they do with it.


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[service.Service]:
    with store.Store.open(tmp_path_factory.mktemp("browser") / "server.db") as opened:
        yield service.Service(opened)


@pytest.fixture(scope="module")
def mturk(served: service.Service) -> Iterator[str]:
    with app.running(served) as url:
        yield url


@pytest.fixture(scope="module")
def client(mturk: str) -> Iterator[MTurkClient]:
    made = plain_client(mturk)
    yield made
    made.close()


def plain_client(url: str) -> MTurkClient:
    """Make a boto3 client as any program would."""
    return boto3.client(
        "mturk",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def missing(reason: str) -> None:
    """Skip a test, or fail it where all must run."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; each gets windows and cookies of its own."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("Chromium is not installed")
    try:
        from playwright import sync_api
    except ImportError:
        missing("Playwright's Python package is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser that has never been anywhere."""
    made = chromium.new_context(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(_SECONDS * 1000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab."""
    return context.new_page()


@pytest.fixture
def signed_in(context: BrowserContext, mturk: str) -> SignedIn:
    """Sign in as a worker; give the tab."""

    def sign_in(worker_id: str = "A1WORKER", of: BrowserContext = context) -> Page:
        tab = of.new_page()
        tab.goto(f"{mturk}/sign-in")
        tab.get_by_label("Worker id").fill(worker_id)
        tab.get_by_role("button", name="Sign in").click()
        tab.wait_for_url("**/hits")
        return tab

    return sign_in


@pytest.fixture
def publish(client: MTurkClient) -> Publish:
    """Make a HIT from a page, or from a whole question; give its id."""

    def make(page: str = "", *, question: str = "", height: int = 0, **changes: Any) -> str:
        inside = page.replace("]]>", "]]]]><![CDATA[>")
        html = (
            f'<HTMLQuestion xmlns="{_SCHEMAS}2011-11-11/HTMLQuestion.xsd">'
            f"<HTMLContent><![CDATA[{inside}]]></HTMLContent>"
            f"<FrameHeight>{height}</FrameHeight></HTMLQuestion>"
        )
        properties = {
            "Title": "Name the colour",
            "Description": "Look at a picture and name its colour.",
            "Keywords": "colour, picture",
            "Reward": "0.05",
            "AssignmentDurationInSeconds": 600,
            "LifetimeInSeconds": 3600,
            "MaxAssignments": 3,
            **changes,
        }
        return client.create_hit(**properties, Question=question or html)["HIT"]["HITId"]

    return make


@pytest.fixture
def open_task(
    page: Page, mturk: str, served: service.Service, publish: Publish
) -> Callable[..., str]:
    """Accept a HIT and open its page in the tab, without the site around it; give its id."""

    def open_page(content: str, **changes: Any) -> str:
        hit_id = publish(content, **changes)
        assignment_id = worker.accept(served, hit_id, "A1WORKER")
        page.goto(
            f"{mturk}/dynamic/hit?assignmentId={assignment_id}&hitId={hit_id}"
            f"&workerId=A1WORKER&turkSubmitTo={mturk}"
        )
        return assignment_id

    return open_page


@pytest.fixture
def answers(client: MTurkClient) -> Callable[[str], dict[str, str]]:
    """Read the free texts that were recorded for an assignment, by name."""
    import xmltodict

    def read(assignment_id: str) -> dict[str, str]:
        answer = client.get_assignment(AssignmentId=assignment_id)["Assignment"]["Answer"]
        found = xmltodict.parse(answer, force_list=["Answer"])["QuestionFormAnswers"]["Answer"]
        return {one["QuestionIdentifier"]: one["FreeText"] or "" for one in found}

    return read


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    path = Path(AXE)
    if not path.exists():
        missing(f"axe-core is not at {path}; .ci/run puts it there")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def check_access(axe: str) -> Callable[..., None]:
    """Hold a tab's page against axe-core's rules."""

    def check(tab: Page, *, without: tuple[str, ...] = ()) -> None:
        # As the page's own Content-Security-Policy has no say in what a debugger evaluates.
        tab.evaluate(f"{axe}; undefined")
        rules = {rule: {"enabled": False} for rule in without}
        found = tab.evaluate("(rules) => axe.run(document, {rules})", rules)
        faults = [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found["violations"]
        ]
        assert faults == []

    return check
