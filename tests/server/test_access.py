"""Accounts: what people with one can do, and nobody else, over plain HTTP."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.visitors import Visitor
from turkbatch.server import app, groups, keys, origins, people, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

PASSWORD = "correct horse battery"
MakeHit = Callable[..., str]
TEMPLATES = Path(app.__file__).parent / "templates"


@pytest.fixture
def guarded(database: store.Store) -> service.Service:
    keys.add(database, "lab")
    return service.Service(database, keys_demanded=True)


@pytest.fixture
def site(guarded: service.Service) -> Iterator[str]:
    with app.running(guarded) as url:
        yield url


def add(served: service.Service, worker_id: str, group: str = groups.DEFAULT) -> str:
    """Add somebody with a password; give the id."""
    people.add(served, group, [worker_id])
    people.redeem(served, people.invite(served, worker_id), PASSWORD)
    return worker_id


def signed_in(url: str, worker_id: str) -> Visitor:
    visitor = Visitor(url)
    assert visitor.sign_in(worker_id, PASSWORD).status == 200
    assert visitor.get("/history").path == "/history"
    return visitor


# Signing in


def test_a_password_signs_in_and_leads_to_what_was_wanted(
    guarded: service.Service, site: str
) -> None:
    add(guarded, "ann.lee")
    visitor = Visitor(site)
    assert visitor.get("/history").path == "/sign-in"
    found = visitor.sign_in("ann.lee", PASSWORD, "/history?state=Approved")

    assert (found.status, found.path) == (200, "/history")
    assert "ann.lee" in found.text


@pytest.mark.parametrize("worker_id", ["ann.lee", "A1NOBODY", "", "<b>", "A" * 5000])
def test_a_wrong_password_says_the_same_whoever_it_is(
    guarded: service.Service, site: str, worker_id: str
) -> None:
    add(guarded, "ann.lee")
    visitor = Visitor(site)
    found = visitor.sign_in(worker_id, "not the password")

    assert found.status == 422
    assert "That is not the id and the password of an account that is open." in found.text
    assert visitor.get("/hits").path == "/sign-in"


def test_any_id_signs_in_on_loopback_but_none_that_has_a_password(
    served: service.Service, url: str
) -> None:
    add(served, "A1OWNED")
    visitor = Visitor(url)

    assert visitor.post("/sign-in", {"workerId": "A1FREE"}).path == "/hits"
    refused = visitor.post("/sign-in", {"workerId": "A1OWNED"})
    assert refused.status == 422
    assert "A1OWNED has a password" in refused.text


def test_a_disabled_person_s_id_does_not_sign_in_on_loopback(
    served: service.Service, url: str
) -> None:
    people.add(served, groups.DEFAULT, ["A1GONE"])
    people.set_disabled(served, "A1GONE", True)

    assert Visitor(url).post("/sign-in", {"workerId": "A1GONE"}).status == 422


def test_an_id_alone_does_not_sign_in_where_accounts_are_needed(site: str) -> None:
    visitor = Visitor(site)

    assert visitor.fill_in("/sign-in", {"workerId": "A1FREE"}).status == 422
    assert visitor.get("/hits").path == "/sign-in"


def test_signing_in_makes_a_new_session(guarded: service.Service, site: str) -> None:
    """What somebody else may have planted before is worth nothing afterwards."""
    add(guarded, "ann.lee")
    visitor = Visitor(site)
    visitor.get("/sign-in")
    planted = {one.name: one.value for one in visitor.cookies}
    visitor.sign_in("ann.lee", PASSWORD)

    assert planted
    assert all(one.value != planted[one.name] for one in visitor.cookies)


def test_sessions_outlive_the_server(guarded: service.Service) -> None:
    add(guarded, "ann.lee")
    with app.running(guarded) as url:
        visitor = signed_in(url, "ann.lee")
        port = urllib.parse.urlsplit(url).port or 0
    with app.running(service.Service(guarded.store, keys_demanded=True), port):
        assert visitor.get("/history").path == "/history"


def test_a_session_ends_after_its_term(
    guarded: service.Service, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from turkbatch.server import access

    add(guarded, "ann.lee")
    monkeypatch.setattr(access, "_INVITED_SECONDS", -1)
    visitor = Visitor(site)
    visitor.sign_in("ann.lee", PASSWORD)

    assert visitor.get("/history").path == "/sign-in"


def test_sessions_end_when_the_person_is_disabled_and_with_the_password(
    guarded: service.Service, site: str
) -> None:
    add(guarded, "ann.lee")
    here, there = signed_in(site, "ann.lee"), signed_in(site, "ann.lee")
    fields = {"old": PASSWORD, "password": "another one entirely", "again": "another one entirely"}
    assert here.fill_in("/account", fields, "/account/password").path == "/account"
    assert here.get("/history").path == "/history"
    assert there.get("/history").path == "/sign-in"
    people.set_disabled(guarded, "ann.lee", True)

    assert here.get("/history").path == "/sign-in"
    assert here.sign_in("ann.lee", "another one entirely").status == 422


def test_signing_out_ends_the_session(guarded: service.Service, site: str) -> None:
    add(guarded, "ann.lee")
    visitor = signed_in(site, "ann.lee")
    assert visitor.fill_in("/hits", {}, "/sign-out").path == "/sign-in"

    assert visitor.get("/history").path == "/sign-in"


def test_a_forged_session_is_none(guarded: service.Service, site: str) -> None:
    add(guarded, "ann.lee")
    visitor = signed_in(site, "ann.lee")
    for cookie in visitor.cookies:
        head, _, tail = (cookie.value or "").rpartition(".")
        cookie.value = f"{head}.{tail[:-2]}{'AA' if tail[-2:] != 'AA' else 'BB'}"

    assert visitor.get("/history").path == "/sign-in"


def test_the_cookie_is_the_site_s_alone_and_of_https_behind_a_proxy(
    guarded: service.Service,
) -> None:
    exposure = origins.Exposure(
        public_url="https://work.example.org", tasks_url="https://tasks.example.net", tasks_port=0
    )
    with app.running(guarded, exposure=exposure) as url:
        reply = Visitor(url).get("/sign-in", Host="work.example.org")
    name, *rest = reply.headers["Set-Cookie"].split("; ")

    assert name.startswith("__Host-turkbatch=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(rest)
    assert not any(one.startswith("Domain") for one in rest)


def test_no_address_nor_browser_is_kept_in_the_session(guarded: service.Service, site: str) -> None:
    import itsdangerous
    from flask.json.tag import TaggedJSONSerializer

    add(guarded, "ann.lee")
    visitor = signed_in(site, "ann.lee")
    value = next(iter(visitor.cookies)).value or ""
    held = itsdangerous.URLSafeTimedSerializer(
        "", salt="cookie-session", serializer=TaggedJSONSerializer()
    ).loads_unsafe(value)[1]

    assert set(held) - {"csrf_token"} == {"_user_id", "_fresh", "_permanent", "until"}


_WITHOUT_LIBRARIES = """
import sys
sys.modules["flask_login"] = None  # as if it was not installed
import urllib.error, urllib.request
from turkbatch.server import app, keys, service, store
with store.Store.open(sys.argv[1]) as opened:
    keys.add(opened, "lab")
    with app.running(service.Service(opened, keys_demanded=True)) as url:
        print(urllib.request.urlopen(url + "/turkbatch/health").status)
        try:
            urllib.request.urlopen(url + "/sign-in")
        except urllib.error.HTTPError as error:
            print(error.code, error.read().decode())
"""


def test_the_api_is_served_without_what_accounts_need(database_name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_LIBRARIES, database_name],
        capture_output=True,
        text=True,
        check=True,
    )
    reason = "people's accounts need flask_login, so there is no worker site; install what they"

    assert done.stdout.startswith(f"200\n403 {reason}")
    assert f"{reason} need with: pip install 'turkbatch[people]'" in done.stderr


def test_names_that_are_not_the_server_s_lead_to_nothing(guarded: service.Service) -> None:
    """Behind a proxy, too: one that passes on whatever name it is asked by."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        tasks_port = free.getsockname()[1]
    exposure = origins.Exposure(
        public_url="https://work.example.org",
        tasks_url="https://tasks.example.net",
        tasks_port=tasks_port,
    )
    names = ("work.example.org", "127.0.0.1", "tasks.example.net", "evil.example")
    paths = ("/sign-in", "/join/x", "/site/site.css", "/crowd-html-elements.js", "/nowhere")
    with app.running(guarded, exposure=exposure) as url:
        found = {
            name: [Visitor(url).get(path, Host=name).status for path in paths] for name in names
        }
        door = Visitor(f"http://127.0.0.1:{tasks_port}")
        at_door = [door.get("/crowd-html-elements.js", Host=name).status for name in names]
        signed = [Visitor(url).post("/", {}, Host=name).status for name in names]
        health = Visitor(url).get("/turkbatch/health", Host="evil.example").status

    assert found["work.example.org"] == found["127.0.0.1"] == [200, 404, 200, 200, 404]
    assert found["tasks.example.net"] == found["evil.example"] == [403] * 5
    assert at_door == [403, 200, 200, 403]
    # The API wants a signature, whatever its name; and a look at its health tells nothing.
    assert (signed, health) == ([400] * 4, 200)


# Limits


def test_who_tries_too_often_waits(guarded: service.Service) -> None:
    exposure = origins.Exposure(sign_ins_per_minute=3)
    add(guarded, "ann.lee")
    with app.running(guarded, exposure=exposure) as url:
        visitor = Visitor(url)
        statuses = [visitor.sign_in("ann.lee", f"wrong {number}").status for number in range(3)]
        late = visitor.sign_in("ann.lee", PASSWORD)
        looking = visitor.get("/sign-in").status
        invitation = visitor.get("/invitations/none").status

    assert (statuses, late.status) == ([422] * 3, 429)
    assert "Wait a minute" in late.text
    assert 0 < int(late.headers["Retry-After"]) <= 61
    assert (looking, invitation) == (200, 404)


def test_limits_count_for_each_address_that_a_trusted_proxy_names(
    guarded: service.Service,
) -> None:
    exposure = origins.Exposure(sign_ins_per_minute=1, trusted_proxy="127.0.0.1")
    add(guarded, "ann.lee")
    with app.running(guarded, exposure=exposure) as url:

        def try_from(address: str) -> int:
            visitor = Visitor(url)
            fields = {"workerId": "ann.lee", "password": "wrong"}
            return visitor.fill_in("/sign-in", fields, X_Forwarded_For=address).status

        one = [try_from("192.0.2.1"), try_from("192.0.2.1"), try_from("9.9.9.9, 192.0.2.1")]
        other = try_from("192.0.2.2")
        network = [try_from("2001:db8::1"), try_from("2001:db8::ffff:2")]

    assert (one, other, network) == ([422, 429, 429], 422, [422, 429])


def test_what_others_say_of_addresses_is_not_believed(
    guarded: service.Service, caplog: pytest.LogCaptureFixture
) -> None:
    exposure = origins.Exposure(sign_ins_per_minute=1, trusted_proxy="192.0.2.9")
    with app.running(guarded, exposure=exposure) as url:
        statuses = [
            Visitor(url)
            .fill_in("/sign-in", {"workerId": "x"}, X_Forwarded_For=f"192.0.2.{number}")
            .status
            for number in range(2)
        ]

    assert statuses == [422, 429]
    assert "--trusted-proxy ADDRESS" in caplog.text


# Invitations


def test_an_invitation_is_looked_at_as_often_as_one_likes_and_used_once(
    guarded: service.Service, site: str
) -> None:
    people.add(guarded, groups.DEFAULT, ["ann.lee"])
    path = f"/invitations/{people.invite(guarded, 'ann.lee')}"
    scanner, visitor = Visitor(site), Visitor(site)
    assert [scanner.get(path).status for _ in range(3)] == [200] * 3
    differing = visitor.fill_in(path, {"password": PASSWORD, "again": "x" + PASSWORD})
    short = visitor.fill_in(path, {"password": "x", "again": "x"})
    assert (differing.status, short.status) == (422, 422)
    assert "The two passwords differ." in differing.text
    assert "The password has 1 characters" in short.text
    done = visitor.fill_in(path, {"password": PASSWORD, "again": PASSWORD})

    assert (done.status, done.path) == (200, "/hits")
    assert "ann.lee" in done.text
    again = scanner.get(path)
    assert again.status == 404
    assert "This invitation is used up" in again.text


def test_redeeming_again_says_that_it_is_used_up(guarded: service.Service, site: str) -> None:
    people.add(guarded, groups.DEFAULT, ["ann.lee"])
    path = f"/invitations/{people.invite(guarded, 'ann.lee')}"
    fields = {"password": PASSWORD, "again": PASSWORD}
    slow = Visitor(site)
    secret = re.search(r'name="csrf_token" value="([^"]+)"', slow.get(path).text)
    assert secret is not None
    Visitor(site).fill_in(path, fields)

    assert slow.post(path, {"csrf_token": secret[1], **fields}).status == 404


# Consent


def test_consent_comes_before_all_else_and_can_be_declined(
    guarded: service.Service, site: str
) -> None:
    groups.put(guarded, "study", consent="We keep what you write.")
    add(guarded, "ann.lee", "study")
    visitor = Visitor(site)
    asked = visitor.sign_in("ann.lee", PASSWORD, "/history")
    assert asked.path == "/consent"
    assert "We keep what you write." in asked.text
    declined = visitor.fill_in("/consent", {"version": "1", "answer": "decline"})
    assert "You did not agree" in declined.text
    assert visitor.get("/history").path == "/sign-in"
    visitor.sign_in("ann.lee", PASSWORD, "/history")
    fields = {"version": "1", "answer": "agree", "next": "/history"}
    assert visitor.fill_in("/consent", fields).path == "/history"

    assert visitor.get("/hits").path == "/hits"
    assert groups.pending_consent(guarded, "ann.lee") is None


def test_what_is_agreed_to_is_what_was_shown(guarded: service.Service, site: str) -> None:
    groups.put(guarded, "study", consent="One thing.")
    add(guarded, "ann.lee", "study")
    visitor = Visitor(site)
    visitor.sign_in("ann.lee", PASSWORD)
    groups.put(guarded, "study", consent="Another thing.")
    shown = visitor.fill_in("/consent", {"version": "1", "answer": "agree"})

    assert "Another thing." in shown.text
    assert groups.pending_consent(guarded, "ann.lee") is not None


def test_answers_that_were_begun_are_recorded_before_a_new_text_is_agreed_to(
    guarded: service.Service, site: str, make_hit: MakeHit
) -> None:
    groups.put(guarded, "study", consent="")
    add(guarded, "ann.lee", "study")
    visitor = signed_in(site, "ann.lee")
    assignment_id = worker.accept(guarded, make_hit(), "ann.lee")
    groups.put(guarded, "study", consent="New.")
    done = visitor.post("/mturk/externalSubmit", {"assignmentId": assignment_id}, Origin=site)

    assert done.status == 200
    assert worker.task(guarded, assignment_id).state == "Submitted"


# The account


def test_one_s_own_data_are_a_file_and_withdrawing_erases(
    guarded: service.Service, site: str, make_hit: MakeHit, inside: MTurkClient
) -> None:
    add(guarded, "ann.lee")
    assignment_id = worker.accept(guarded, make_hit(), "ann.lee")
    visitor = signed_in(site, "ann.lee")
    fields = {"assignmentId": assignment_id, "colour": "red"}
    visitor.post("/mturk/externalSubmit", fields, Origin=site)
    file = visitor.get("/account/data")
    assert file.headers["Content-Disposition"] == 'attachment; filename="ann.lee.json"'
    assert assignment_id in json.dumps(json.loads(file.text))
    unsure = visitor.fill_in("/account", {}, "/account/withdraw")
    assert unsure.status == 422
    gone = visitor.fill_in("/account", {"sure": "yes"}, "/account/withdraw")

    assert "You have withdrawn" in gone.text
    assert people.find(guarded, "ann.lee") is None
    assert visitor.get("/account").path == "/sign-in"
    kept = inside.get_assignment(AssignmentId=assignment_id)["Assignment"]
    assert kept["WorkerId"] != "ann.lee"
    assert "red" in kept["Answer"]


def test_the_old_password_is_needed_for_a_new_one(guarded: service.Service, site: str) -> None:
    add(guarded, "ann.lee")
    visitor = signed_in(site, "ann.lee")
    fields = {"old": "wrong", "password": "another one entirely", "again": "another one entirely"}
    refused = visitor.fill_in("/account", fields, "/account/password")

    assert refused.status == 422
    assert people.check_password(guarded, "ann.lee", PASSWORD) is not None


# What pages elsewhere may have a browser send


# What each form of the site posts to.
POSTS = [
    *("/sign-in", "/sign-out", "/consent", "/account/password", "/account/withdraw"),
    *("/invitations/x", "/hits/3X/accept", "/assignments/3X/return", "/auto-accept"),
    *("/assignments/3X/submit", "/assignments/3X/go-on", "/qualifications/3X", "/tests/3X"),
    *("/visits/3X/qualifications/3X", "/visits/3X/begin", "/visits/3X/leave"),
    *("/visits/3X/resume", "/join/3X"),
]


@pytest.mark.parametrize("path", POSTS)
def test_a_post_without_the_secret_of_a_form_is_refused(
    guarded: service.Service, site: str, path: str
) -> None:
    add(guarded, "ann.lee")
    visitor = signed_in(site, "ann.lee")
    refused = [
        visitor.post(path, {}),
        visitor.post(path, {}, Origin=site),
        visitor.post(path, {"csrf_token": "x"}, Origin=site),
        visitor.post(path, {}, Origin="https://evil.example"),
    ]

    assert [one.status for one in refused] == [400, 400, 400, 403]
    assert "load the page anew" in refused[0].text
    assert visitor.get("/history").path == "/history"


def test_every_path_that_people_post_to_is_among_those(guarded: service.Service) -> None:
    own = [
        rule
        for rule in app.create_app(guarded).url_map.iter_rules()
        if rule.endpoint.startswith(("site.", "recruiting."))
        and "POST" in (rule.methods or ())
        and rule.endpoint != "site.external_submit"
    ]
    patterns = [re.sub(r"<[^>]+>", "[^/]+", rule.rule) for rule in own]

    assert [one for one in patterns if not any(re.fullmatch(one, path) for path in POSTS)] == []


def test_every_form_that_is_posted_carries_the_secret() -> None:
    """Where it may be filled in; what answers a post from elsewhere has none on purpose."""
    without = re.compile(r"<form[^>]*post[^>]*>(?!\{\{ csrf_field\(\) \}\})")
    names = [path.name for path in TEMPLATES.glob("*.html") if without.search(path.read_text())]

    assert sorted(names) == ["_question_form.html", "resend.html", "submitted.html"]


# What task pages post


@pytest.fixture
def held(guarded: service.Service, make_hit: MakeHit) -> str:
    """An assignment that Ann has accepted."""
    add(guarded, "ann.lee")
    return worker.accept(guarded, make_hit(), "ann.lee")


def post_as_a_task_page(visitor: Visitor, assignment_id: str, **fields: str) -> int:
    sent = {"assignmentId": assignment_id, "colour": "red", **fields}
    return visitor.post("/mturk/externalSubmit", sent, Origin="null").status


def test_an_assignment_s_id_alone_submits_nothing(
    guarded: service.Service, site: str, held: str
) -> None:
    add(guarded, "bob")
    strangers = [Visitor(site), signed_in(site, "bob")]
    refused = [post_as_a_task_page(one, held) for one in strangers]
    refused += [post_as_a_task_page(one, held, turkbatchToken="0" * 64) for one in strangers]
    refused += [post_as_a_task_page(strangers[0], held, turkbatchToken="\N{SNOWMAN}")]
    # With her cookie, but by a page elsewhere: SameSite keeps browsers from it, old ones not.
    refused += [post_as_a_task_page(signed_in(site, "ann.lee"), held)]

    assert refused == [403] * 6
    assert worker.task(guarded, held).state == "Accepted"


def test_the_token_of_the_page_around_the_frame_submits(
    site: str, held: str, inside: MTurkClient
) -> None:
    page = signed_in(site, "ann.lee").get(f"/assignments/{held}").text
    token = re.search(r'data-token="([0-9a-f]{64})"', page)
    assert token is not None
    stranger = Visitor(site)
    other = {"assignmentId": held, "turkbatchToken": token[1][::-1]}
    assert stranger.post("/mturk/externalSubmit", other).status == 403

    assert post_as_a_task_page(stranger, held, turkbatchToken=token[1]) == 200
    answer = inside.get_assignment(AssignmentId=held)["Assignment"]["Answer"]
    assert "turkbatchToken" not in answer
    assert "<FreeText>red</FreeText>" in answer


def test_a_post_without_the_session_does_not_replace_it(site: str, held: str) -> None:
    reply = Visitor(site).post("/mturk/externalSubmit", {"assignmentId": held}, Origin="null")

    assert reply.status == 403
    assert reply.headers["Set-Cookie"] is None


def test_the_page_that_sends_again_carries_all_that_was_posted(site: str, held: str) -> None:
    fields = {"assignmentId": held, "a": '"><script>', "append": "\r\n x\ty "}
    text = Visitor(site).post("/mturk/externalSubmit?b=1", fields, Origin="null").text
    sent = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text)

    assert sent == [
        ("b", "1"),
        ("assignmentId", held),
        ("a", "&#34;&gt;&lt;script&gt;"),
        ("append", "\r\n x\ty "),
    ]
