"""People with accounts, in a real browser, on a server that was started by its command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import guarded, test_hostile
from turkbatch.server import groups, people, worker

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

CheckAccess = Callable[..., None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[guarded.Guarded]:
    with guarded.running(tmp_path_factory.mktemp("people"), tasks_apart=True) as running:
        yield running


@pytest.fixture(scope="module")
def place(server: guarded.Guarded) -> test_hostile.Place:
    return test_hostile.Place(server.url, server.served, server.client, server)


def test_an_invited_person_sets_a_password_agrees_and_works(
    server: guarded.Guarded, place: test_hostile.Place, page: Page, check_access: CheckAccess
) -> None:
    place.publish(test_hostile.PAGE % "", Title="For Anna")
    groups.put(server.served, "lab", consent="We keep what you write.\n\nFor ten years.")
    people.add(server.served, "lab", ["anna"])
    page.goto(f"{server.url}/invitations/{people.invite(server.served, 'anna')}")
    check_access(page)
    page.get_by_label("New password").fill("too short")
    page.get_by_label("The same again").fill("too short")
    page.get_by_role("button", name="Set the password").click()
    # The browser itself does not send it.
    assert "/invitations/" in page.url
    page.get_by_label("New password").fill(guarded.PASSWORD)
    page.get_by_label("The same again").fill("something else")
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("alert").filter(has_text="The two passwords differ.").wait_for()
    check_access(page)
    page.get_by_label("New password").fill(guarded.PASSWORD)
    page.get_by_label("The same again").fill(guarded.PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url(re.compile("/consent"))
    assert "For ten years." in page.locator("main").inner_text()
    check_access(page)
    page.get_by_role("button", name="I agree").click()
    page.wait_for_url("**/hits")
    page.get_by_role("link", name="For Anna").click()
    page.get_by_role("button", name="Accept", exact=True).click()
    task = page.frame_locator("iframe.task")
    task.get_by_label("Colour").fill("red")
    task.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/hits")

    assert page.get_by_role("status").inner_text() == "The HIT was submitted."
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.get_by_label("Worker id").fill("anna")
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").filter(has_text="not the id and the password").wait_for()
    check_access(page)
    page.get_by_label("Password").fill(guarded.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/hits")


def test_who_does_not_agree_is_thanked_and_signed_out(
    server: guarded.Guarded, context: BrowserContext, check_access: CheckAccess
) -> None:
    groups.put(server.served, "strict", consent="All of it.")
    tab = server.sign_in(context, server.add("ben", "strict"))
    tab.wait_for_url(re.compile("/consent"))
    tab.get_by_role("button", name="I do not agree").click()
    tab.get_by_role("heading", name="Thank you").wait_for()
    check_access(tab)

    tab.goto(f"{server.url}/hits")
    assert "/sign-in" in tab.url


def test_the_account_changes_its_password_tells_its_data_and_is_withdrawn(
    server: guarded.Guarded, context: BrowserContext, check_access: CheckAccess
) -> None:
    tab = server.sign_in(context, server.add("carla"))
    tab.get_by_role("link", name="carla").click()
    tab.wait_for_url("**/account")
    check_access(tab)
    tab.get_by_label("Password now").fill(guarded.PASSWORD)
    tab.get_by_label("New password").fill("another one entirely")
    tab.get_by_label("The same again").fill("another one entirely")
    tab.get_by_role("button", name="Change it").click()
    tab.get_by_role("status").filter(has_text="The password is changed").wait_for()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "carla.json"
    tab.get_by_label("I am sure").check()
    tab.get_by_role("button", name="Withdraw").click()
    tab.get_by_role("heading", name="You have withdrawn").wait_for()
    check_access(tab)

    assert people.find(server.served, "carla") is None


def test_a_session_ends_at_the_next_click_when_somebody_is_disabled(
    server: guarded.Guarded, place: test_hostile.Place, context: BrowserContext
) -> None:
    tab = server.sign_in(context, server.add("dora"))
    tab.goto(f"{server.url}/hits/{place.publish(test_hostile.PAGE % '')}")
    tab.get_by_role("button", name="Accept", exact=True).click()
    tab.wait_for_url("**/assignments/*")
    assignment_id = tab.url.rsplit("/", 1)[1]
    people.set_disabled(server.served, "dora", True)
    assert worker.task(server.served, assignment_id).state == "Returned"
    tab.get_by_role("link", name="History").click()

    tab.wait_for_url(re.compile("/sign-in"))


def test_answers_from_a_window_of_its_own_are_sent_by_a_click(
    server: guarded.Guarded,
    place: test_hostile.Place,
    context: BrowserContext,
    check_access: CheckAccess,
) -> None:
    """A page that opens a window has no page around that could tell the token."""
    tab = server.sign_in(context, server.add("emil"))
    script = "document.getElementById('mturk_form').target = '_blank';"
    tab.goto(f"{server.url}/hits/{place.publish(test_hostile.PAGE % script, Title='In a window')}")
    tab.get_by_role("button", name="Accept", exact=True).click()
    tab.wait_for_url("**/assignments/*")
    assignment_id = tab.url.rsplit("/", 1)[1]
    task = tab.frame_locator("iframe.task")
    task.get_by_label("Colour").fill("red")
    with tab.expect_popup() as opened:
        task.get_by_role("button", name="Submit").click()
    window = opened.value
    window.get_by_role("button", name="Send these answers").wait_for()
    assert "In a window" in window.locator("main").inner_text()
    check_access(window)
    assert worker.task(server.served, assignment_id).state == "Accepted"
    window.get_by_role("button", name="Send these answers").click()
    window.wait_for_url("**/hits")

    assert worker.task(server.served, assignment_id).state == "Submitted"
    assert "red" in place.answer(assignment_id)
    assert context.cookies(server.url)


def test_the_next_hit_is_accepted_by_itself_where_forms_carry_a_secret(
    server: guarded.Guarded, place: test_hostile.Place, context: BrowserContext
) -> None:
    """The site's script posts, too: the box, and the step after a submission."""
    for _ in range(2):
        place.publish(test_hostile.PAGE % "", Title="A series")
    tab = server.sign_in(context, server.add("fay"))
    tab.get_by_role("link", name="A series").first.click()
    tab.get_by_role("button", name="Accept", exact=True).click()
    tab.wait_for_url("**/assignments/*")
    first = tab.url
    with tab.expect_response("**/auto-accept") as answered:
        tab.get_by_label("Auto-accept next HIT").check()
    assert answered.value.status in (200, 303)
    tab.frame_locator("iframe.task").get_by_role("button", name="Submit").click()
    tab.wait_for_url(lambda url: url != first and "/assignments/" in url)


def test_a_phone_in_the_dark_shows_the_new_pages_as_well(
    server: guarded.Guarded, page: Page, check_access: CheckAccess
) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.emulate_media(color_scheme="dark")
    people.add(server.served, groups.DEFAULT, ["gil"])
    for path in ("/sign-in", f"/invitations/{people.invite(server.served, 'gil')}"):
        page.goto(f"{server.url}{path}")
        check_access(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
