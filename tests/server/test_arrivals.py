"""Participants of recruiting platforms over plain HTTP: they come, work, and go back."""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.server import platforms
from tests.server.visitors import Page, Visitor
from turkbatch.server import (
    app,
    clock,
    groups,
    keys,
    links,
    people,
    provider_calls,
    questions,
    recruiting,
    schema,
    service,
    store,
    visits,
    worker,
)

PID, STUDY, SESSION = "b" * 24, "a" * 24, "c" * 24
MakeHit = Callable[..., str]
MakeLink = Callable[..., recruiting.Link]


@pytest.fixture(params=["open", "guarded"])
def served(request: pytest.FixtureRequest, database: store.Store) -> service.Service:
    if request.param == "guarded":
        keys.add(database, "lab")
    return service.Service(database, keys_demanded=request.param == "guarded")


@pytest.fixture
def platform() -> Iterator[platforms.Platform]:
    provider_calls.forget_keys()
    with platforms.running() as made:
        yield made


@pytest.fixture
def make_link(served: service.Service, make_hit: MakeHit) -> MakeLink:
    def make(provider: str = "prolific", *, name: str = "study", hits: int = 1, **more: Any) -> Any:
        options = {
            name: more.pop(name)
            for name in list(more)
            if name not in ("group", "hits_each", "places", "lease_seconds")
        }
        work = [recruiting.Work("hit", make_hit()) for _ in range(hits)]
        settings = recruiting.settings_for(provider, **options)
        return recruiting.add(served, name, provider, settings, work=work, **more)

    return make


def address(link: recruiting.Link, pid: str = PID, session: str = SESSION, **more: str) -> str:
    """Fill the address in as the platform does."""
    filled = recruiting.address(link, "")
    for placeholder, value in zip(link.provider.placeholders, (pid, STUDY, session), strict=True):
        if placeholder:
            filled = filled.replace(placeholder, value)
    return filled + "".join(f"&{name}={value}" for name, value in more.items())


def begin(visitor: Visitor, page: Page) -> Page:
    """Press the welcome page's button."""
    assert "<h1>Welcome</h1>" in page.text
    return press(visitor, page, f"{page.path}/begin")


def press(visitor: Visitor, page: Page, to: str) -> Page:
    secret = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    return visitor.post(to, {"csrf_token": secret[1]} if secret else {}, Origin=visitor.url)


def hand_in(visitor: Visitor, page: Page) -> Page:
    """Hand the HIT of an assignment's page in, and go on as the site's script does."""
    found = re.fullmatch("/assignments/([A-Z0-9]+)", page.path)
    assert found is not None, page
    token = re.search(r'name="?turkbatchToken"? value="([^"]+)"|data-token="([^"]+)"', page.text)
    fields = {"assignmentId": found[1], "comment": "blue"}
    if token is not None:
        fields["turkbatchToken"] = token[1] or token[2]
    done = visitor.post("/mturk/externalSubmit", fields, Origin=visitor.url)
    assert done.status == 200, done.text
    return press(visitor, page, f"/assignments/{found[1]}/go-on")


def visit_of(
    served: service.Service, link: recruiting.Link, session: str = SESSION
) -> visits.Visit:
    found = links.of_session(served, link.link_id, PID, session)
    assert found is not None
    return found


def test_a_participant_comes_works_and_goes_back_with_the_code(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link(hits=3, hits_each=2)
    code, participant = link.settings.codes["completed"], Visitor(url)
    welcome = participant.get(address(link))
    # The ids have left the address.
    assert (welcome.status, welcome.path) == (200, f"/visits/{visit_of(served, link).visit_id}")
    assert "nothing proves that it is yours" in welcome.text
    assert "up to 2 tasks" in welcome.text
    first = begin(participant, welcome)
    second = hand_in(participant, first)
    assert second.path not in (first.path, welcome.path)
    assert code not in first.text + second.text + participant.get(second.path).text
    end = hand_in(participant, second)

    assert (end.status, end.path) == (200, welcome.path)
    assert f'<code class="code" id="code">{code}</code>' in end.text
    assert f'href="https://app.prolific.com/submissions/complete?cc={code}"' in end.text
    others = [one for name, one in link.settings.codes.items() if name != "completed"]
    assert [one for one in others if one in end.text] == []
    assert visit_of(served, link).state == "completed"


def test_a_reload_at_any_time_continues_in_the_same_browser_and_in_another(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link(hits=2, hits_each=1)
    participant = Visitor(url)
    task = begin(participant, participant.get(address(link)))
    elsewhere = Visitor(url)
    assert participant.get(address(link)).path == task.path
    assert elsewhere.get(address(link)).path == task.path
    end = hand_in(participant, task)
    again = [participant.get(address(link)), participant.get(end.path), elsewhere.get(end.path)]
    assert {(one.path, link.settings.codes["completed"] in one.text) for one in again} == {
        (end.path, True)
    }
    assert [one.state for one in [visit_of(served, link)]] == ["completed"]


def test_pages_with_ids_are_not_cached_nor_told_to_others(url: str, make_link: MakeLink) -> None:
    participant = Visitor(url)
    link = make_link()
    page = participant.get(address(link))
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("", 400, "Your id is missing"),
        ("PROLIFIC_PID=&SESSION_ID=" + SESSION, 400, "Your id is missing"),
        ("PROLIFIC_PID={{%25PROLIFIC_PID%25}}", 200, "This is a preview"),
        ("PROLIFIC_PID=preview&STUDY_ID=x&SESSION_ID=y", 200, "This is a preview"),
        (f"PROLIFIC_PID={PID}&SESSION_ID=%3Cscript%3E", 200, "This is a preview"),
        (f"PROLIFIC_PID={'b' * 900}", 200, "This is a preview"),
    ],
)
def test_no_id_or_an_odd_one_gets_a_friendly_page_and_stores_nothing(
    url: str, database: store.Store, make_link: MakeLink, query: str, status: int, told: str
) -> None:
    page = Visitor(url).get(f"/join/{make_link().link_id}?{query}")
    assert (page.status, told in page.text) == (status, True)
    assert "<script>" not in page.text
    with database.read() as connection:
        assert connection.execute(schema.visits.select()).all() == []
        assert connection.execute(schema.people.select()).all() == []


@pytest.mark.parametrize("name", ["study", "nothing", "../x", "%00"])
def test_an_unknown_link_is_a_friendly_404(url: str, make_link: MakeLink, name: str) -> None:
    make_link()
    page = Visitor(url).get(f"/join/{name}?PROLIFIC_PID={PID}")
    assert page.status == 404
    assert "There is no study here" in page.text or name == "../x"


def test_looking_ahead_takes_no_place(url: str, database: store.Store, make_link: MakeLink) -> None:
    import urllib.request

    link = make_link()
    head = urllib.request.Request(url + address(link), method="HEAD")
    with urllib.request.urlopen(head) as reply:
        assert reply.status == 200
    assert Visitor(url).get(address(link), Sec_Purpose="prefetch;prerender").status == 503
    with database.read() as connection:
        assert connection.execute(schema.visits.select()).all() == []


def test_an_id_in_capitals_is_the_same_participant(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link()
    page = Visitor(url).get(address(link, PID.upper(), SESSION.upper()))
    assert page.path == f"/visits/{visit_of(served, link).visit_id}"


def test_the_one_who_finds_no_place_is_told_so_with_the_code_for_it(
    url: str, make_link: MakeLink
) -> None:
    link = make_link(places=1)
    Visitor(url).get(address(link))
    late = Visitor(url)
    page = late.get(address(link, "d" * 24, "e" * 24))
    assert "There is no place left" in page.text
    assert link.settings.codes["full"] in page.text
    assert link.settings.codes["completed"] not in page.text
    assert late.get(page.path).text.count(link.settings.codes["full"]) == page.text.count(
        link.settings.codes["full"]
    )


def test_who_leaves_gets_no_code_and_may_go_on(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link(places=1)
    participant = Visitor(url)
    task = begin(participant, participant.get(address(link)))
    assert "Leave the study" in task.text
    way = f"/visits/{visit_of(served, link).visit_id}"
    sure = participant.get(f"{way}/leave")
    assert "Leave the study?" in sure.text
    assert visit_of(served, link).state == "working"
    left = press(participant, sure, f"{way}/leave")
    assert "You have left the study" in left.text
    assert [code for code in link.settings.codes.values() if code in left.text] == []
    assert "/submissions/complete" not in left.text
    again = press(participant, left, f"{way}/resume")
    assert again.path.startswith("/assignments/")


def test_returning_a_hit_leads_on_in_the_study(url: str, make_link: MakeLink) -> None:
    link = make_link(hits=2)
    participant = Visitor(url)
    task = begin(participant, participant.get(address(link)))
    following = press(participant, task, f"{task.path}/return")
    assert following.path.startswith("/assignments/")
    assert following.path != task.path
    assert participant.get("/hits").path == following.path


def test_a_participant_whose_time_is_over_is_told_so(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link(lease_seconds=60, places=1)
    participant = Visitor(url)
    participant.get(address(link))
    clock.Clock(served.store).advance(61)
    page = participant.get(f"/visits/{visit_of(served, link).visit_id}")
    assert "Your time is over" in page.text
    assert [code for code in link.settings.codes.values() if code in page.text] == []
    other = Visitor(url).get(address(link, "d" * 24, "e" * 24))
    assert "Welcome" in other.text
    refused = press(participant, page, f"{page.path}/resume")
    assert "There is no place any more" in refused.text


def test_late_answers_are_recorded_or_kept_and_the_page_says_which(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link(lease_seconds=60, places=1)
    participant = Visitor(url)
    task = begin(participant, participant.get(address(link)))
    clock.Clock(served.store).advance(61)
    Visitor(url).get(address(link, "d" * 24, "e" * 24))
    end = hand_in(participant, task)
    assert "Your answers came late" in end.text
    assert [code for code in link.settings.codes.values() if code in end.text] == []


def test_others_do_not_see_a_participant_s_visit(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link()
    Visitor(url).get(address(link))
    visit_id = visit_of(served, link).visit_id
    other = Visitor(url)
    other.get(address(link, "d" * 24, "e" * 24))
    for visitor in (other, Visitor(url)):
        for path in (visit_id, f"{visit_id}/leave", "0" * 32, "%00"):
            page = visitor.get(f"/visits/{path}")
            assert page.status == 403
            assert "This page is for the participant whose visit it is" in page.text
        assert visitor.post(f"/visits/{visit_id}/begin", {}, Origin=url).status in (400, 403)
    assert visit_of(served, link).state == "working"


def test_a_page_of_another_site_can_neither_begin_nor_leave(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link()
    participant = Visitor(url)
    way = participant.get(address(link)).path
    for action in ("begin", "leave", "resume"):
        page = participant.post(f"{way}/{action}", {}, Origin="https://evil.example")
        assert page.status in (400, 403)
    assert visit_of(served, link).state == "working"


def test_consent_comes_first_and_declining_ends_with_its_own_code(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link(places=1)
    groups.put(served, link.group, consent="You may stop at any time.")
    participant = Visitor(url)
    asked = participant.get(address(link))
    assert asked.path == "/consent"
    assert "You may stop at any time." in asked.text
    secret = re.search(r'name="csrf_token" value="([^"]+)"', asked.text)
    fields = {"version": "1", "answer": "decline"}
    if secret:
        fields["csrf_token"] = secret[1]
    end = participant.post("/consent", fields, Origin=url)
    assert "You did not agree" in end.text
    assert link.settings.codes["no_consent"] in end.text
    assert participant.get(end.path).text.count(link.settings.codes["no_consent"]) >= 1
    assert visit_of(served, link).state == "no_consent"
    assert "Before you begin" in Visitor(url).get(address(link, "d" * 24, "e" * 24)).text


def test_agreeing_leads_to_the_study(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link()
    groups.put(served, link.group, consent="You may stop at any time.")
    participant = Visitor(url)
    asked = participant.get(address(link))
    secret = re.search(r'name="csrf_token" value="([^"]+)"', asked.text)
    wanted = re.search(r'name="next" value="([^"]+)"', asked.text)
    assert wanted is not None
    fields = {"version": "1", "answer": "agree", "next": wanted[1]}
    if secret:
        fields["csrf_token"] = secret[1]
    assert "Welcome" in participant.post("/consent", fields, Origin=url).text


def test_a_platform_whose_parameters_are_named_otherwise_and_extras(
    url: str, make_link: MakeLink
) -> None:
    link = make_link(
        "generic",
        participant_parameter="user_id",
        session_parameter="run",
        keep=("wave",),
        return_url="https://crowd.example/done?u={participant}&r={session}&w={wave}&c={code}",
        codes={"completed": "DONE-1"},
    )
    participant = Visitor(url)
    query = urllib.parse.urlencode({"user_id": "x.7", "run": "r1", "wave": "a b&c", "spare": "1"})
    task = begin(participant, participant.get(f"/join/{link.link_id}?{query}"))
    end = hand_in(participant, task)
    assert (
        'href="https://crowd.example/done?u=x.7&amp;r=r1&amp;w=a%20b%26c&amp;c=DONE-1"' in end.text
    )


# Proofs


def proving(make_link: MakeLink, platform: platforms.Platform, verify: str, **more: Any) -> Any:
    given = {"api_url": platform.url, "api_token": platform.token, "verify": verify}
    return make_link(**{**given, **more})


def test_ids_are_looked_up_with_the_api(
    url: str, served: service.Service, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "api")
    platform.submit(SESSION, PID)
    page = Visitor(url).get(address(link))
    assert "Welcome" in page.text
    assert "nothing proves" not in page.text
    assert visit_of(served, link).verified == "api"
    assert platform.asked == [f"/api/v1/submissions/{SESSION}/"]
    assert platform.credentials == ["Token secret-token"]


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({}, "knows of no such session"),
        ({"participant": "d" * 24}, "another participant&#39;s"),
        ({"participant": PID, "study_id": "f" * 24}, "belongs to another study"),
        ({"participant": PID, "status": "RETURNED"}, "is over (RETURNED)"),
        ({"participant": PID, "status": "APPROVED"}, "is over (APPROVED)"),
    ],
)
def test_forged_ids_are_not_let_in(
    url: str,
    database: store.Store,
    make_link: MakeLink,
    platform: platforms.Platform,
    known: dict[str, str],
    told: str,
) -> None:
    link = proving(make_link, platform, "api")
    if known:
        platform.submit(SESSION, **known)
    page = Visitor(url).get(address(link))
    assert (page.status, told in page.text) == (403, True)
    with database.read() as connection:
        assert connection.execute(schema.people.select()).all() == []


def test_who_has_handed_in_on_the_platform_comes_back_to_the_end_page(
    url: str, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "api")
    platform.submit(SESSION, PID)
    participant = Visitor(url)
    end = hand_in(participant, begin(participant, participant.get(address(link))))
    platform.submit(SESSION, PID, "AWAITING REVIEW")
    again = Visitor(url).get(address(link))
    assert (again.path, link.settings.codes["completed"] in again.text) == (end.path, True)


@pytest.mark.parametrize("trouble", [[500, 503, 0], [401], [302]])
@pytest.mark.parametrize("admitted", [False, True])
def test_while_the_platform_cannot_be_asked_the_link_says_who_is_let_in(
    url: str,
    served: service.Service,
    make_link: MakeLink,
    platform: platforms.Platform,
    trouble: list[int],
    admitted: bool,
) -> None:
    link = proving(make_link, platform, "api", admit_unproven=admitted)
    platform.failures, platform.location = list(trouble), f"{platform.url}/elsewhere"
    page = Visitor(url).get(address(link))
    # The token went nowhere else.
    assert not any("elsewhere" in one for one in platform.asked)
    if admitted:
        assert (page.status, visit_of(served, link).verified) == (200, "nothing")
        assert "nothing proves" in page.text
    else:
        assert page.status == 503
        assert links.of_session(served, link.link_id, PID, SESSION) is None


def test_a_platform_that_stumbles_is_asked_again(
    url: str, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "api")
    platform.submit(SESSION, PID)
    platform.failures = [429, 0]
    assert "Welcome" in Visitor(url).get(address(link)).text
    assert len(platform.asked) == 3


def signed_address(
    platform: platforms.Platform, link: recruiting.Link, url: str, **changes: Any
) -> str:
    own = {"PROLIFIC_PID": PID, "STUDY_ID": STUDY, "SESSION_ID": SESSION, "workspace_id": "1"}
    claims = {"aud": f"{url}/join/{link.link_id}", "sub": SESSION, "prolific": own}
    return address(link, prolific_token=platform.signed(**{**claims, **changes}))


def test_ids_are_proven_by_the_platform_s_signature(
    url: str, served: service.Service, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "token", api_token=None)
    page = Visitor(url).get(signed_address(platform, link, url))
    assert "Welcome" in page.text
    assert visit_of(served, link).verified == "token"
    # Keys are kept.
    Visitor(url).get(signed_address(platform, link, url))
    assert platform.asked == ["/.well-known/study/jwks.json"]


def test_a_reload_with_an_old_token_goes_on_in_the_browser_that_was_proven_and_in_no_other(
    url: str, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "token", api_token=None)
    now = int(time.time())
    participant = Visitor(url)
    fresh = participant.get(signed_address(platform, link, url))
    old = signed_address(platform, link, url, iat=now - 600, exp=now - 480)
    assert participant.get(old).path == fresh.path
    elsewhere = Visitor(url).get(old)
    assert (elsewhere.status, "is too old" in elsewhere.text) == (403, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"key": "hidden"}, "not genuine"),
        ({"kid": "hidden-too"}, "not genuine"),
        ({"iss": "https://evil.example"}, "not genuine"),
        ({"aud": "https://evil.example/join"}, "for another site"),
        ({"sub": "d" * 24}, "for another session"),
        ({"prolific": {"PROLIFIC_PID": "d" * 24}}, "does not fit"),
        ({"prolific": None}, "names no parameters"),
        ({"exp": None}, "not genuine"),
    ],
)
def test_a_token_that_proves_something_else_is_refused(
    url: str,
    served: service.Service,
    make_link: MakeLink,
    platform: platforms.Platform,
    changes: dict[str, Any],
    told: str,
) -> None:
    link = proving(make_link, platform, "token", api_token=None)
    platform.key("first")
    page = Visitor(url).get(signed_address(platform, link, url, **changes))
    assert (page.status, told in page.text) == (403, True)
    assert links.of_session(served, link.link_id, PID, SESSION) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_without_a_real_token_nobody_is_let_in(
    url: str, make_link: MakeLink, platform: platforms.Platform, token: str
) -> None:
    link = proving(make_link, platform, "token", api_token=None)
    assert Visitor(url).get(address(link, prolific_token=token)).status == 403


def test_an_unknown_key_is_looked_for_once_a_minute_at_most(
    url: str, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "token", api_token=None)
    platform.key("first")
    for number in range(4):
        forged = signed_address(platform, link, url, kid=f"hidden{number}", key="hidden")
        assert Visitor(url).get(forged).status == 403
    assert len(platform.asked) == 1


def test_connect_is_asked_for_the_assignment(
    url: str, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "api", provider="connect")
    participant = "F00DF00DF00DF00DF00DF00DF00DF00D"
    platform.submit("assignment1", participant, "Pending", study_id="project1")
    query = f"participantId={participant}&assignmentId=assignment1&projectId=project1"
    visitor = Visitor(url)
    end = hand_in(visitor, begin(visitor, visitor.get(f"/join/{link.link_id}?{query}")))
    code = link.settings.codes["completed"]
    assert f"https://connect.cloudresearch.com/participant/project/{code}/complete" in end.text
    assert platform.credentials[0] == "secret-token"
    forged = query.replace(participant, "E" + participant[1:])
    assert Visitor(url).get(f"/join/{link.link_id}?{forged}").status == 403


def test_a_full_link_asks_the_platform_who_has_gone_and_lets_the_next_one_in(
    url: str, served: service.Service, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = proving(make_link, platform, "api", places=1)
    platform.submit(SESSION, PID)
    platform.submit("e" * 24, "d" * 24)
    Visitor(url).get(address(link))
    platform.submit(SESSION, PID, "RETURNED")
    assert "Welcome" in Visitor(url).get(address(link, "d" * 24, "e" * 24)).text
    assert visit_of(served, link).state == "returned"


# Credit


def sona(make_link: MakeLink, platform: platforms.Platform) -> recruiting.Link:
    given = f"{platform.url}/webstudy_credit.aspx?experiment_id=7&credit_token=t0&survey_code=XXXX"
    return make_link("sona", credit_url=given)


def test_sona_is_asked_for_credit_once_when_the_answers_are_stored(
    url: str, make_link: MakeLink, platform: platforms.Platform
) -> None:
    link = sona(make_link, platform)
    participant = Visitor(url)
    task = begin(participant, participant.get(f"/join/{link.link_id}?sona_id=4711"))
    assert platform.asked == []
    end = hand_in(participant, task)
    assert "SONA has credited you" in end.text
    assert "webstudy_credit" not in end.text
    participant.get(end.path)
    assert platform.asked == [
        "/services/SonaAPI.svc/WebstudyCredit?experiment_id=7&credit_token=t0&survey_code=4711"
    ]


@pytest.mark.parametrize("trouble", [platforms.REFUSED, "<html>", "", "breaks"])
def test_without_sona_s_word_the_participant_goes_by_the_address_that_credits(
    url: str, make_link: MakeLink, platform: platforms.Platform, trouble: str
) -> None:
    link = sona(make_link, platform)
    platform.credit = trouble
    if trouble == "breaks":
        platform.failures = [0]
    participant = Visitor(url)
    task = begin(participant, participant.get(f"/join/{link.link_id}?sona_id=4711"))
    end = hand_in(participant, task)
    assert "has credited you" not in end.text
    assert (
        f"{platform.url}/webstudy_credit.aspx?experiment_id=7&amp;credit_token=t0"
        "&amp;survey_code=4711" in end.text
    )
    participant.get(end.path)
    assert len(platform.asked) == 1


# In the guarded site


def test_a_disabled_participant_is_told_so(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    link = make_link()
    Visitor(url).get(address(link))
    people.set_disabled(served, visit_of(served, link).worker_id, True)
    page = Visitor(url).get(address(link))
    assert (page.status, "You can&#39;t take part here any more" in page.text) == (403, True)


def test_an_invited_worker_s_account_is_not_entered_by_an_address(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    people.add(served, groups.DEFAULT, [PID])
    people.redeem(served, people.invite(served, PID), "correct horse battery")
    link = make_link()
    Visitor(url).get(address(link))
    assert visit_of(served, link).worker_id != PID


@pytest.mark.parametrize("served", ["guarded"], indirect=True)
def test_an_address_signs_nobody_out_of_an_account_without_asking(
    url: str, served: service.Service, make_link: MakeLink
) -> None:
    people.add(served, groups.DEFAULT, ["anna"])
    people.redeem(served, people.invite(served, "anna"), "correct horse battery")
    link, anna = make_link(), Visitor(url)
    anna.sign_in("anna", "correct horse battery")
    asked = anna.get(address(link))
    assert "You are signed in with an account" in asked.text
    assert links.of_session(served, link.link_id, PID, SESSION) is None
    assert anna.get("/history").path == "/history"
    assert anna.post(address(link), {}, Origin="https://evil.example").status in (400, 403)
    assert "Welcome" in press(anna, asked, address(link)).text
    assert visit_of(served, link).worker_id == PID


def test_a_participant_asks_for_the_qualification_on_the_way(
    url: str, served: service.Service, inside: Any, question: Callable[[], str]
) -> None:
    made = inside.create_qualification_type(
        Name="Colours",
        Description="Knows colours.",
        QualificationTypeStatus="Active",
        AutoGranted=True,
    )
    type_id = made["QualificationType"]["QualificationTypeId"]
    hit_id = inside.create_hit(
        Title="t",
        Description="d",
        Reward="0.01",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        Question=question(),
        QualificationRequirements=[{"QualificationTypeId": type_id, "Comparator": "Exists"}],
    )["HIT"]["HITId"]
    settings = recruiting.settings_for("prolific")
    work = [recruiting.Work("hit", hit_id)]
    link = recruiting.add(served, "study", "prolific", settings, work=work)
    participant = Visitor(url)
    wanted = begin(participant, participant.get(address(link)))
    assert "Colours" in wanted.text
    way = f"/visits/{visit_of(served, link).visit_id}"
    task = press(participant, wanted, f"{way}/qualifications/{type_id}")
    assert task.path.startswith("/assignments/")
    assert worker.task(served, task.path.rsplit("/", 1)[1]).hit_id == hit_id


TEST = (
    f'<QuestionForm xmlns="{questions.SCHEMAS}2017-11-06/QuestionForm.xsd"><Question>'
    "<QuestionIdentifier>q</QuestionIdentifier><QuestionContent><Text>Sky?</Text></QuestionContent>"
    "<AnswerSpecification><SelectionAnswer><Selections>"
    "<Selection><SelectionIdentifier>blue</SelectionIdentifier><Text>Blue</Text></Selection>"
    "<Selection><SelectionIdentifier>red</SelectionIdentifier><Text>Red</Text></Selection>"
    "</Selections></SelectionAnswer></AnswerSpecification></Question></QuestionForm>"
)
KEY = (
    f'<AnswerKey xmlns="{questions.SCHEMAS}2005-10-01/AnswerKey.xsd"><Question>'
    "<QuestionIdentifier>q</QuestionIdentifier><AnswerOption>"
    "<SelectionIdentifier>blue</SelectionIdentifier><AnswerScore>9</AnswerScore></AnswerOption>"
    "</Question></AnswerKey>"
)


@pytest.mark.parametrize(
    ("answer", "leads_to"), [("blue", "/assignments/"), ("red", "/visits/")], ids=["right", "wrong"]
)
def test_a_test_on_the_way_admits_or_screens_out_with_its_own_code(
    url: str,
    served: service.Service,
    inside: Any,
    question: Callable[[], str],
    answer: str,
    leads_to: str,
) -> None:
    made = inside.create_qualification_type(
        Name="Colours",
        Description="Knows colours.",
        QualificationTypeStatus="Active",
        Test=TEST,
        AnswerKey=KEY,
        TestDurationInSeconds=600,
    )
    type_id = made["QualificationType"]["QualificationTypeId"]
    required = {
        "QualificationTypeId": type_id,
        "Comparator": "GreaterThan",
        "IntegerValues": [5],
    }
    hit_id = inside.create_hit(
        Title="t",
        Description="d",
        Reward="0.01",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        Question=question(),
        QualificationRequirements=[required],
    )["HIT"]["HITId"]
    settings = recruiting.settings_for("prolific")
    work = [recruiting.Work("hit", hit_id)]
    link = recruiting.add(served, "study", "prolific", settings, work=work)
    participant = Visitor(url)
    wanted = begin(participant, participant.get(address(link)))
    way = f"/visits/{visit_of(served, link).visit_id}"
    test = press(participant, wanted, f"{way}/qualifications/{type_id}")
    assert (test.path, "Sky?" in test.text) == (f"/tests/{type_id}", True)
    assert participant.get(f"{way}/begin").status == 405
    action = re.search(r'action="(/tests/[^"]+)"', test.text)
    secret = re.search(r'name="csrf_token" value="([^"]+)"', test.text)
    assert action is not None
    fields = {"q": answer} | ({"csrf_token": secret[1]} if secret else {})
    after = participant.post(action[1].replace("&amp;", "&"), fields, Origin=url)
    assert after.path.startswith(leads_to), after.text
    if answer == "red":
        assert "This study is not for you" in after.text
        assert link.settings.codes["screened_out"] in after.text
        assert link.settings.codes["completed"] not in after.text


def test_the_application_has_the_pages(served: service.Service) -> None:
    made = app.create_app(served)
    rules = {str(rule) for rule in made.url_map.iter_rules() if rule.endpoint[:10] == "recruiting"}
    assert rules == {
        "/join/<link_id>",
        "/visits/<visit_id>",
        "/visits/<visit_id>/begin",
        "/visits/<visit_id>/leave",
        "/visits/<visit_id>/resume",
        "/visits/<visit_id>/qualifications/<type_id>",
    }
