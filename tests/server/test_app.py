from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import app, origins, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Ask = Callable[..., tuple[int, dict[str, str], str]]
TARGET = {"X-Amz-Target": "MTurkRequesterServiceV20170117.ListHITs"}
PAGE = "<form><input name=assignmentId type=hidden><input name=colour></form>"


@pytest.fixture
def ask(url: str) -> Ask:
    """Send a request as a browser or a script does; no redirect is followed."""

    def send(
        method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)
        try:
            connection.request(method, path, body, headers)  # type: ignore[arg-type]
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read().decode()
        finally:
            connection.close()

    return send


def test_info_names_version_database_and_clock(
    ask: Ask, served: service.Service, database: store.Store
) -> None:
    served.clock.advance(60)
    status, _, body = ask("GET", "/turkbatch/info")

    found = json.loads(body)
    assert status == 200
    assert found.pop("clock").startswith(served.clock.now().isoformat()[:13])
    assert re.match(r"[0-9]+\.[0-9]+", found.pop("version"))
    assert found == {"database": database.database, "clock_offset_seconds": 60.0}


def test_faults_are_loaded_shown_and_cleared(ask: Ask, outside: MTurkClient) -> None:
    plan = {"plan": "ListHITs:500@1 lag=30"}
    assert json.loads(ask("PUT", "/turkbatch/faults", json.dumps(plan))[2]) == plan
    assert json.loads(ask("GET", "/turkbatch/faults")[2]) == plan
    with pytest.raises(outside.exceptions.ServiceFault, match="temporarily unable"):
        outside.list_hits()
    assert json.loads(ask("DELETE", "/turkbatch/faults")[2]) == {"plan": ""}
    assert outside.list_hits()["NumResults"] == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "send {"),
        ('{"plan": 3}', "send {"),
        ('{"plan": "GetHIT:explode"}', 'no kind "explode"'),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(ask: Ask, body: str, reason: str) -> None:
    status, _, reply = ask("PUT", "/turkbatch/faults", body)

    assert status == 400
    assert reason in json.loads(reply)["error"]


def test_calls_are_counted_and_the_count_reset(ask: Ask, outside: MTurkClient) -> None:
    outside.list_hits()
    outside.list_hits()
    outside.get_account_balance()

    assert json.loads(ask("GET", "/turkbatch/calls")[2]) == {"GetAccountBalance": 1, "ListHITs": 2}
    assert json.loads(ask("DELETE", "/turkbatch/calls")[2]) == {}


def test_only_loopback_names_are_answered(ask: Ask) -> None:
    answered = [
        ask("GET", "/turkbatch/info", Host=host)[0]
        for host in ("localhost:80", "127.0.0.1", "[::1]:99", "evil.example.com", "", "[x")
    ]

    assert answered == [200, 200, 200, 403, 403, 403]


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip"],
)
def test_an_open_server_refuses_to_be_behind_a_proxy(ask: Ask, header: str) -> None:
    """It would be open to everybody who reaches the proxy."""
    for method, path in (("GET", "/turkbatch/info"), ("POST", "/"), ("GET", "/hits")):
        status, _, body = ask(method, path, b"{}", **{header: "192.0.2.1", **TARGET})
        assert status == 403
        assert f"through a proxy ({header})" in body
        assert "--require-keys, --public-url and --trusted-proxy" in body
    assert ask("GET", "/turkbatch/health", **{header: "192.0.2.1"})[0] == 200


def test_a_proxy_that_says_nothing_is_known_by_its_old_protocol(url: str) -> None:
    """As nginx is, unless told otherwise: it names the server's own address as Host, too."""
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"GET /turkbatch/info HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert reply.startswith(b"HTTP/1.0 403")
    assert b"through a proxy (HTTP/1.0)" in reply


def test_health_tells_whether_the_database_answers(ask: Ask, database: store.Store) -> None:
    assert ask("GET", "/turkbatch/health")[0] == 200
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE settings RENAME TO settings_elsewhere")
    status, _, body = ask("GET", "/turkbatch/health")
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE settings_elsewhere RENAME TO settings")

    assert (status, json.loads(body)) == (503, {"status": "database out of reach"})


def task_port(assignment_page: str) -> int:
    found = re.search(r'src="http://localhost:(\d+)/dynamic/hit', assignment_page)
    assert found is not None
    return int(found[1])


def test_task_pages_have_a_port_and_a_name_of_their_own(
    ask: Ask, url: str, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(page=PAGE)
    port = task_port(ask("GET", f"/mturk/preview?hitId={hit_id}")[2])
    site_port = urllib.parse.urlsplit(url).port

    def fetch(
        path: str, host: str = "localhost", method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, path, headers={"Host": f"{host}:{port}", **headers})
            reply = connection.getresponse()
            reply.read()
            return reply.status, dict(reply.getheaders())
        finally:
            connection.close()

    page = f"/dynamic/hit?hitId={hit_id}"
    in_frame = fetch(page, **{"Sec-Fetch-Dest": "iframe"})[1]
    assert in_frame["Content-Security-Policy"] == f"frame-ancestors http://127.0.0.1:{site_port}"
    assert in_frame["Referrer-Policy"] == "no-referrer"
    assert in_frame["Cache-Control"] == "no-store"
    alone = fetch(page, **{"Sec-Fetch-Dest": "document"})[1]
    assert alone["Content-Security-Policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in alone["Content-Security-Policy"]
    assert "top-navigation" not in alone["Content-Security-Policy"]
    assert "allow-modals" not in alone["Content-Security-Policy"]
    assert [fetch(path)[0] for path in ("/hits", "/turkbatch/info", "/sign-in")] == [404] * 3
    assert fetch("/", method="POST", **TARGET)[0] == 404
    assert fetch("/crowd-html-elements.js")[0] == 200
    assert fetch("/crowd-html-elements.js", **{"Service-Worker": "script"})[0] == 403
    assert fetch(page, "evil.example")[0] == 403


def test_pages_of_the_site_are_in_nobody_s_frame(ask: Ask) -> None:
    policies = [
        ask(method, path)[1]["Content-Security-Policy"]
        for method, path in (("GET", "/sign-in"), ("POST", "/mturk/externalSubmit"))
    ]

    assert [policy.rpartition("frame-ancestors ")[2] for policy in policies] == ["'none'", "'self'"]


def test_a_task_port_that_was_named_must_be_free(served: service.Service, url: str) -> None:
    taken = urllib.parse.urlsplit(url).port
    with (
        pytest.raises(app.BindError, match=f"127.0.0.1:{taken} can't be listened on"),
        app.running(served, exposure=origins.Exposure(tasks_port=taken)),
    ):
        pass


def test_a_connection_serves_many_requests(url: str) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)
    try:
        sockets = set()
        for _ in range(3):
            connection.request("POST", "/", b"{}", TARGET)
            sockets.add(connection.sock.getsockname())
            assert json.loads(connection.getresponse().read()) == {"NumResults": 0, "HITs": []}
    finally:
        connection.close()

    assert len(sockets) == 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n", b"501"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /turkbatch/health HTTP/1.0\r\nHost: localhost\r\n\r\n", b"200"),
        (b"GET /turkbatch/%ff%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"404"),
        (b"DELETE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"405"),
        (b"HEAD /turkbatch/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"200"),
    ],
)
def test_odd_requests_are_answered_and_the_connection_ends(
    url: str, head: bytes, status: bytes
) -> None:
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(head)
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert status in reply.split(b"\r\n")[0]


def test_a_client_that_leaves_in_the_middle_harms_nobody(url: str, outside: MTurkClient) -> None:
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")

    assert outside.list_hits()["NumResults"] == 0


def test_a_huge_body_is_refused_in_the_api_s_form(ask: Ask) -> None:
    status, headers, body = ask("POST", "/", b" " * 9_000_000, **TARGET)

    assert (status, headers["Content-Type"]) == (413, "application/x-amz-json-1.1")
    assert json.loads(body)["__type"] == "RequestEntityTooLargeException"


def test_a_worker_previews_accepts_and_submits_through_the_pages(
    ask: Ask, url: str, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(page=PAGE)
    group = inside.get_hit(HITId=hit_id)["HIT"]["HITGroupId"]
    preview = ask("GET", f"/mturk/preview?groupId={group}")[2]
    assert f"assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&amp;hitId={hit_id}&amp;turkSub" in preview

    status, headers, _ = ask("POST", "/mturk/accept", {"hitId": hit_id, "workerId": "A1"})
    location = urllib.parse.urlsplit(headers["Location"])
    query = dict(urllib.parse.parse_qsl(location.query))
    assert (status, location.path, list(query)) == (
        303,
        "/dynamic/hit",
        ["assignmentId", "hitId", "workerId", "turkSubmitTo"],
    )
    assert (query["hitId"], query["workerId"], query["turkSubmitTo"]) == (hit_id, "A1", url)

    status, headers, page = ask("GET", f"{location.path}?{location.query}")
    assert (status, page) == (200, PAGE)
    assert headers["Content-Security-Policy"].startswith("sandbox allow-scripts")

    fields = {"assignmentId": query["assignmentId"], "colour": "red & \N{SNOWMAN}"}
    assert ask("POST", "/mturk/externalSubmit", fields)[0] == 200
    answer = inside.get_assignment(AssignmentId=query["assignmentId"])["Assignment"]["Answer"]
    assert "<FreeText>red &amp; &#9731;</FreeText>" in answer


def test_an_external_question_leads_to_its_own_page(
    ask: Ask, inside: MTurkClient, properties: dict[str, Any]
) -> None:
    question = (
        '<ExternalQuestion xmlns="http://mechanicalturk.amazonaws.com/'
        'AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd">'
        "<ExternalURL>https://example.com/task?row=7</ExternalURL><FrameHeight>0</FrameHeight>"
        "</ExternalQuestion>"
    )
    hit = inside.create_hit(**properties, LifetimeInSeconds=60, Question=question)["HIT"]
    headers = ask("POST", "/mturk/accept", {"hitId": hit["HITId"], "workerId": "A1"})[1]

    assert headers["Location"].startswith("https://example.com/task?row=7&assignmentId=3")
    assert ask("GET", f"/dynamic/hit?hitId={hit['HITId']}")[0] == 400


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"colour": "red"}, "There was a problem submitting your results for this HIT."),
        (
            {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "colour": "red"},
            "There was a problem submitting your results for this HIT.",
        ),
        ({"assignmentId": "3<b>"}, "There is no assignment 3&lt;b&gt;."),
    ],
)
def test_a_submission_without_an_accepted_assignment_is_refused(
    ask: Ask, fields: dict[str, str], reason: str
) -> None:
    status, _, body = ask("POST", "/mturk/externalSubmit", fields)

    assert status == 400
    assert reason in body


def test_a_second_submission_and_a_huge_one_record_nothing(
    ask: Ask, served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    assignment_id = worker.accept(served, make_hit(), "A1")
    fields = {"assignmentId": assignment_id, "colour": "red"}
    huge = ask("POST", "/mturk/externalSubmit", fields | {"colour": "x" * 10_000_000})
    first = ask("POST", "/mturk/externalSubmit", fields)
    second = ask("POST", "/mturk/externalSubmit", fields | {"colour": "blue"})

    assert [huge[0], first[0], second[0]] == [413, 200, 400]
    assert "it is submitted" in second[2]
    answer = inside.get_assignment(AssignmentId=assignment_id)["Assignment"]["Answer"]
    assert "<FreeText>red</FreeText>" in answer


def test_a_hit_is_returned_through_the_page(
    ask: Ask, served: service.Service, make_hit: Callable[..., str]
) -> None:
    assignment_id = worker.accept(served, make_hit(), "A1")
    status, _, _ = ask("POST", "/mturk/return", {"assignmentId": assignment_id})

    assert (status, worker.task(served, assignment_id).state) == (200, "Returned")


def test_nothing_but_loopback_can_be_bound_without_a_key(served: service.Service) -> None:
    with pytest.raises(app.BindError, match="there is none yet; make one with: turkbatch server"):
        app.serve(served, "0.0.0.0", 0)


def test_a_taken_port_is_said_to_be_so(served: service.Service, url: str) -> None:
    port = urllib.parse.urlsplit(url).port or 0
    with pytest.raises(app.BindError, match=f"127.0.0.1:{port} can't be listened on"):
        app.serve(served, "127.0.0.1", port)


def test_a_store_alone_can_be_served(database: store.Store) -> None:
    with app.running(database) as url:
        request = urllib.request.Request(url, b"{}", TARGET)
        with urllib.request.urlopen(request) as reply:
            assert json.loads(reply.read()) == {"NumResults": 0, "HITs": []}
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(url)


def test_the_end_of_the_server_ends_a_reply_that_hangs(
    served: service.Service,
) -> None:
    served.faults.load("*:hang-before")
    failed = threading.Event()

    def ask_in_vain(url: str) -> None:
        request = urllib.request.Request(url, b"{}", TARGET)
        try:
            urllib.request.urlopen(request, timeout=30)
        except (OSError, http.client.HTTPException):
            failed.set()

    with app.running(served) as url:
        thread = threading.Thread(target=ask_in_vain, args=(url,))
        thread.start()
        while not served.faults.calls():
            thread.join(0.01)
    thread.join(10)

    assert failed.is_set()


_SERVE = """
import sys
from turkbatch.server import app, service, store
with store.Store.open(sys.argv[1]) as opened:
    app.serve(service.Service(opened), on_ready=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_in_order(database_name: str, number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-c", _SERVE, database_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/turkbatch/info") as reply:
            assert reply.status == 200
        os.kill(process.pid, number)
        assert process.stdout.read() == "stopped\n"
    assert process.returncode == 0
