"""A participant's whole way in a real browser, on a server started by its command."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import guarded
from tests.server import platforms
from turkbatch.server import groups, links, recruiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Colour</title>
<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script></head><body>
<form name="mturk_form" id="mturk_form" method="post">
<input type="hidden" name="assignmentId" id="assignmentId" value="">
<label>Colour <input name="colour" required></label>
<input type="submit" id="submitButton" value="Submit"></form>
<script>turkSetAssignmentID();</script></body></html>"""
CheckAccess = Callable[..., None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[guarded.Guarded]:
    with guarded.running(tmp_path_factory.mktemp("links"), tasks_apart=True) as running:
        yield running


@pytest.fixture(scope="module")
def platform() -> Iterator[platforms.Platform]:
    with platforms.running() as made:
        yield made


def make_link(
    site: guarded.Guarded, platform: platforms.Platform, name: str, *, hits: int = 2
) -> recruiting.Link:
    work = []
    for _ in range(hits):
        made = site.client.create_hit(
            Title="Name the colour",
            Description="One word.",
            Reward="0.05",
            AssignmentDurationInSeconds=600,
            LifetimeInSeconds=3600,
            MaxAssignments=3,
            Question=(
                f'<HTMLQuestion xmlns="{SCHEMAS}2011-11-11/HTMLQuestion.xsd"><HTMLContent>'
                f"<![CDATA[{PAGE}]]></HTMLContent><FrameHeight>400</FrameHeight></HTMLQuestion>"
            ),
        )
        work.append(recruiting.Work("hit", made["HIT"]["HITId"]))
    settings = recruiting.settings_for(
        "generic",
        return_url=f"{platform.url}/done?cc={{code}}&who={{participant}}",
        session_parameter="session",
    )
    return recruiting.add(site.served, name, "generic", settings, work=work, hits_each=2, places=1)


def address(site: guarded.Guarded, link: recruiting.Link, who: str) -> str:
    return f"{site.url}/join/{link.link_id}?participant={who}&session=s-{who}"


def do_hit(page: Page) -> None:
    page.wait_for_url("**/assignments/*")
    before = page.url
    frame = page.frame_locator("iframe.task")
    frame.get_by_label("Colour").fill("blue")
    frame.get_by_role("button", name="Submit").click()
    page.wait_for_url(lambda url: url != before)


def test_a_participant_agrees_does_two_hits_and_goes_back_with_the_code(
    page: Page,
    site: guarded.Guarded,
    platform: platforms.Platform,
    check_access: CheckAccess,
) -> None:
    link = make_link(site, platform, "whole")
    groups.put(site.served, link.group, consent="You may stop at any time.")
    page.clock.install()
    page.goto(address(site, link, "p.1"))
    page.get_by_text("You may stop at any time.").wait_for()
    assert "p.1" not in page.url.partition("?")[2]
    page.get_by_role("button", name="I agree").click()
    page.get_by_role("heading", name="Welcome").wait_for()
    assert page.get_by_text("nothing proves that it is yours").is_visible()
    check_access(page)
    page.get_by_role("button", name="Begin").click()
    do_hit(page)
    check_access(page, without=("frame-tested",))
    do_hit(page)
    page.get_by_role("heading", name="Thank you, you are done").wait_for()
    code = link.settings.codes["completed"]
    assert page.locator("#code").inner_text() == code
    check_access(page)
    page.reload()
    assert page.locator("#code").inner_text() == code
    # The ids and the way here are told to nobody.
    with page.expect_request("**/done?*") as asked:
        page.clock.run_for(20_000)
    assert asked.value.url == f"{platform.url}/done?cc={code}&who=p.1"
    assert "referer" not in asked.value.all_headers()
    visit = links.of_session(site.served, link.link_id, "p.1", "s-p.1")
    assert visit is not None
    assert visit.state == "completed"
    page.wait_for_url("**/done?*")
    page.go_back()
    assert page.locator("#code").inner_text() == code


def test_a_participant_stays_at_the_end_copies_the_code_and_goes_by_hand(
    context: BrowserContext, page: Page, site: guarded.Guarded, platform: platforms.Platform
) -> None:
    link = make_link(site, platform, "stays", hits=1)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page.clock.install()
    page.goto(address(site, link, "p.2"))
    page.get_by_role("button", name="Begin").click()
    do_hit(page)
    page.get_by_role("button", name="Stay here").click()
    page.clock.run_for(60_000)
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("The code is copied.").wait_for()
    code = link.settings.codes["completed"]
    assert page.evaluate("navigator.clipboard.readText()") == code
    page.get_by_role("link", name="Go back to the platform").click()
    page.wait_for_url(f"{platform.url}/done?cc={code}&who=p.2")


@contextlib.contextmanager
def without_scripts(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def test_who_finds_no_place_goes_back_without_any_script_and_who_leaves_makes_room(
    chromium: Browser,
    page: Page,
    site: guarded.Guarded,
    platform: platforms.Platform,
    check_access: CheckAccess,
) -> None:
    link = make_link(site, platform, "room")
    page.goto(address(site, link, "p.3"))
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/assignments/*")
    with without_scripts(chromium) as other:
        other.goto(address(site, link, "p.4"))
        code = link.settings.codes["full"]
        assert other.locator("#code").inner_text() == code
        other.get_by_role("link", name="Go back to the platform").click()
        other.wait_for_url(f"{platform.url}/done?cc={code}&who=p.4")
    page.get_by_role("link", name="Leave the study").click()
    page.get_by_role("heading", name="Leave the study?").wait_for()
    check_access(page)
    page.get_by_role("button", name="Leave the study").click()
    page.get_by_role("heading", name="You have left the study").wait_for()
    check_access(page)
    assert page.locator("#code").count() == 0
    with without_scripts(chromium) as third:
        third.goto(address(site, link, "p.5"))
        assert third.get_by_role("heading", name="Welcome").is_visible()
