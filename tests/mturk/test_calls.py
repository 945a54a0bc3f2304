from __future__ import annotations

import heapq
import http.server
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turkbatch import errors
from turkbatch.mturk import calls, environments
from turkbatch.mturk import client as clients
from turkbatch.server import service


@pytest.fixture
def service_calls(mturk: str) -> Iterator[calls.Calls]:
    """Calls of the server over HTTP, with a reply awaited for half a second."""
    made = clients.create(environments.at(mturk), timeout_seconds=0.5)
    yield calls.Calls(made, concurrency=8)
    made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let repeats follow each other at once."""
    monkeypatch.setattr(calls, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(calls, "THROTTLED_BACKOFF_SECONDS", 0.001)


def balance(made: calls.Calls) -> object:
    return made.call("get_account_balance")["AvailableBalance"]


# Repeating


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["throttle", "500", "503", "reset-before", "reset-after"])
def test_what_may_pass_is_tried_again(
    served: service.Service, service_calls: calls.Calls, kind: str
) -> None:
    served.faults.load(f"GetAccountBalance:{kind}@1-2")
    assert balance(service_calls) == "10000.00"
    assert served.faults.calls() == {"GetAccountBalance": 3}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["hang-before", "hang-after"])
def test_a_reply_that_never_comes_is_asked_for_again(
    served: service.Service, service_calls: calls.Calls, kind: str
) -> None:
    served.faults.load(f"GetAccountBalance:{kind}@1")
    assert balance(service_calls) == "10000.00"
    assert served.faults.calls() == {"GetAccountBalance": 2}


@pytest.mark.usefixtures("quick")
def test_throttling_does_not_use_up_the_patience_with_faults(
    served: service.Service, service_calls: calls.Calls
) -> None:
    throttled = " ".join(f"GetAccountBalance:throttle@{number}" for number in (1, 3, 5, 6))
    served.faults.load(f"{throttled} GetAccountBalance:500@2-8")
    assert balance(service_calls) == "10000.00"
    assert served.faults.calls() == {"GetAccountBalance": 9}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("kind", "error"), [("500", errors.FaultError), ("reset-before", errors.UnreachableError)]
)
def test_a_service_that_never_answers_well_is_given_up_on(
    served: service.Service,
    service_calls: calls.Calls,
    kind: str,
    error: type[errors.ServiceError],
) -> None:
    served.faults.load(f"GetAccountBalance:{kind}")
    with pytest.raises(error, match=r"^GetAccountBalance: "):
        balance(service_calls)
    made = served.faults.calls()["GetAccountBalance"]
    # A reply, be it a 500, says that the address is right; a reset does not.
    assert made == (calls.ATTEMPTS if kind == "500" else calls.FIRST_ATTEMPTS)


@pytest.mark.parametrize(
    ("method", "parameters", "error"),
    [
        pytest.param("get_hit", {"HITId": "3NONE"}, errors.NotFoundError, id="not found"),
        pytest.param("get_account_balance", {}, errors.FundsError, id="no funds"),
        pytest.param("get_hit", {"HITId": 5}, errors.ServiceError, id="botocore refuses"),
        pytest.param("create_hit_type", {}, errors.ServiceError, id="parameters are missing"),
    ],
)
def test_what_is_refused_for_good_is_sent_once(
    served: service.Service,
    service_calls: calls.Calls,
    method: str,
    parameters: dict[str, Any],
    error: type[errors.ServiceError],
) -> None:
    served.faults.load("GetAccountBalance:funds")
    with pytest.raises(error, match=r"^(GetHIT|GetAccountBalance|CreateHITType): ") as caught:
        service_calls.call(method, **parameters)
    assert type(caught.value) is error
    assert sum(served.faults.calls().values()) <= 1


def test_the_date_of_a_reply_is_the_services_time(service_calls: calls.Calls) -> None:
    before = service_calls.service_time
    balance(service_calls)
    found = service_calls.service_time
    assert before is None
    assert found is not None
    assert found.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - found) < timedelta(seconds=5)


def test_a_refusal_tells_the_time_too(service_calls: calls.Calls) -> None:
    with pytest.raises(errors.NotFoundError, match="3NONE"):
        service_calls.call("get_hit", HITId="3NONE")
    assert service_calls.service_time is not None


def test_concurrency_has_bounds(service_calls: calls.Calls) -> None:
    made = service_calls.client
    assert [calls.Calls(made, concurrency=n).concurrency for n in (-1, 0, 1, 32, 500)] == [
        1,
        1,
        1,
        32,
        32,
    ]


# What is no reply of MTurk's


class Page(http.server.BaseHTTPRequestHandler):
    """Somebody's web server, which answers everything alike."""

    reply: tuple[str, bytes, str] = ("", b"", "")

    def do_POST(self) -> None:
        kind, body, date = self.reply
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Date", date)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[Callable[..., calls.Calls]]:
    """Calls of a web server that is not MTurk's, and what it replies."""

    class Replies(Page):
        pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Replies) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()

        def reply(kind: str, body: bytes, date: str = "") -> calls.Calls:
            Replies.reply = (kind, body, date)
            url = f"http://127.0.0.1:{server.server_port}"
            return calls.Calls(clients.create(environments.at(url)))

        yield reply
        server.shutdown()
        thread.join()


JSON = "application/x-amz-json-1.1"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("kind", "body", "method", "parameters"),
    [
        pytest.param("text/html", b"<html>", "get_account_balance", {}, id="a page"),
        pytest.param("text/html", b"<html>\xe9", "get_account_balance", {}, id="a Latin-1 page"),
        pytest.param(JSON, b'{"AvailableBal', "get_account_balance", {}, id="cut off"),
        pytest.param(JSON, b"", "get_account_balance", {}, id="nothing"),
        pytest.param(JSON, b'{"ok": true}', "get_hit", {"HITId": "3A"}, id="other JSON"),
        pytest.param(
            "text/html", b"<html>", "delete_hit", {"HITId": "3A"}, id="a page for an empty reply"
        ),
    ],
)
def test_a_page_of_somebodys_is_never_taken_for_success(
    page: Callable[..., calls.Calls], kind: str, body: bytes, method: str, parameters: Any
) -> None:
    with pytest.raises(errors.UnreachableError, match=r"check (the address|that the server)"):
        page(kind, body).call(method, **parameters)


@pytest.mark.parametrize(
    ("kind", "body", "method", "parameters"),
    [
        (JSON, b"{}", "delete_hit", {"HITId": "3A"}),
        (JSON, b"", "delete_hit", {"HITId": "3A"}),
        ("application/json", b'{"AvailableBalance": "1.00"}', "get_account_balance", {}),
        (JSON, b"{}", "notify_workers", {"Subject": "a", "MessageText": "b", "WorkerIds": ["A1"]}),
    ],
)
def test_a_short_reply_that_says_all_is_a_success(
    page: Callable[..., calls.Calls], kind: str, body: bytes, method: str, parameters: Any
) -> None:
    page(kind, body).call(method, **parameters)


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun, 06 Nov 1994 08:49:37 -0000", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_is_read_with_its_zone_or_not_at_all(
    page: Callable[..., calls.Calls], date: str, moment: datetime | None
) -> None:
    made = page(JSON, b'{"AvailableBalance": "1.00"}', date)
    balance(made)
    assert made.service_time == moment


# Pages


@pytest.fixture
def hits(service_calls: calls.Calls, served: service.Service) -> list[str]:
    """As many HITs as two full pages, and the calls counted anew."""
    hit_type = service_calls.call(
        "create_hit_type",
        Title="t",
        Description="d",
        Reward="0.01",
        AssignmentDurationInSeconds=60,
    )["HITTypeId"]
    question = (
        '<ExternalQuestion xmlns="http://mechanicalturk.amazonaws.com/'
        'AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd">'
        "<ExternalURL>https://example.org/</ExternalURL><FrameHeight>0</FrameHeight>"
        "</ExternalQuestion>"
    )

    def create(number: int) -> str:
        reply = service_calls.call(
            "create_hit_with_hit_type",
            HITTypeId=hit_type,
            LifetimeInSeconds=3600,
            Question=question,
            UniqueRequestToken=str(number),
        )
        hit_id: str = reply["HIT"]["HITId"]
        return hit_id

    outcomes = list(service_calls.each(create, range(200)))
    assert [outcome.error for outcome in outcomes] == [None] * 200
    served.faults.reset_calls()
    return [str(outcome.value) for outcome in outcomes]


def test_a_listing_is_read_to_its_end_a_hundred_at_a_time(
    served: service.Service, service_calls: calls.Calls, hits: list[str]
) -> None:
    pages = list(service_calls.pages("list_hits", "HITs"))
    assert [len(one) for one in pages] == [100, 100]
    assert sorted(hit["HITId"] for one in pages for hit in one) == sorted(hits)
    # Every page that is not empty has a token, so that the end is an empty one.
    assert served.faults.calls() == {"ListHITs": 3}


def test_a_listing_can_be_left_early(
    served: service.Service, service_calls: calls.Calls, hits: list[str]
) -> None:
    assert len(hits) == 200
    first = next(service_calls.pages("list_hits", "HITs"))
    assert len(first) == 100
    assert served.faults.calls() == {"ListHITs": 1}
    assert balance(service_calls) is not None


def test_an_empty_listing_has_no_pages(served: service.Service, service_calls: calls.Calls) -> None:
    assert list(service_calls.pages("list_hits", "HITs")) == []
    assert served.faults.calls() == {"ListHITs": 1}


@pytest.mark.usefixtures("quick")
def test_a_page_that_fails_is_asked_for_again_and_none_is_lost(
    served: service.Service, service_calls: calls.Calls, hits: list[str]
) -> None:
    served.faults.load("ListHITs:reset-after@1 ListHITs:503@3")
    found = [hit["HITId"] for one in service_calls.pages("list_hits", "HITs") for hit in one]
    assert sorted(found) == sorted(hits)


# Many at once


@pytest.fixture
def idle(mturk: str) -> calls.Calls:
    """Calls with eight in flight at most."""
    return calls.Calls(clients.create(environments.at(mturk)), concurrency=8)


def test_outcomes_are_in_the_order_of_the_items(idle: calls.Calls) -> None:
    gate = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert gate.wait(30)
        if number == 7:
            gate.set()
        if number % 5 == 3:
            raise ValueError(number)
        return number * 2

    outcomes = list(idle.each(work, range(40)))
    assert [outcome.item for outcome in outcomes] == list(range(40))
    assert [outcome.value for outcome in outcomes] == [
        None if number % 5 == 3 else number * 2 for number in range(40)
    ]
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == [
        str(number) for number in range(40) if number % 5 == 3
    ]


def test_as_many_are_in_flight_as_are_allowed_and_no_more(idle: calls.Calls) -> None:
    lock = threading.Lock()
    together = threading.Barrier(8, timeout=30)
    now, most = 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait()  # until eight are in flight
        with lock:
            now -= 1

    assert [outcome.error for outcome in idle.each(work, range(80))] == [None] * 80
    assert most == 8


def test_items_are_taken_only_as_they_are_needed(idle: calls.Calls) -> None:
    taken: list[int] = []
    started: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100_000):
            taken.append(number)
            yield number

    outcomes = idle.each(started.append, items())
    assert next(outcomes).item == 0
    assert len(taken) <= 8 * calls.READY_BUT_UNREAD + 8
    outcomes.close()  # type: ignore[attr-defined]
    assert len(taken) - len(started) <= 1


def test_an_error_stops_new_items_and_those_in_flight_are_finished(idle: calls.Calls) -> None:
    together = threading.Barrier(8, timeout=30)
    failed = threading.Event()
    done: list[int] = []

    def work(number: int) -> int:
        if number < 8:
            together.wait()  # until eight are in flight
        if number == 5:
            failed.set()
            raise ValueError("no")
        assert failed.wait(30)
        done.append(number)
        return number

    outcomes = list(idle.each(work, range(1000), stop_at_error=True))
    items = [outcome.item for outcome in outcomes]
    assert items == list(range(len(items)))
    assert 8 <= len(items) < 1000
    assert sorted([*done, 5]) == items
    assert [outcome.item for outcome in outcomes if outcome.error is not None] == [5]


def test_without_stopping_at_errors_every_item_is_done(idle: calls.Calls) -> None:
    def work(number: int) -> None:
        raise ValueError(number)

    outcomes = list(idle.each(work, range(100)))
    assert [str(outcome.error) for outcome in outcomes] == [str(number) for number in range(100)]


@pytest.mark.parametrize("held", [False, True])
def test_an_interrupt_waits_for_what_is_in_flight_before_anything_is_closed(
    idle: calls.Calls, held: bool
) -> None:
    together = threading.Barrier(8, timeout=30)
    interrupted = threading.Event()
    begun: list[str] = []
    journal: list[str] = []

    def work(number: int) -> int:
        begun.append(f"done {number}")
        if number < 8:
            together.wait()  # until eight are in flight
        if number:
            assert interrupted.wait(30)
        journal.append(f"done {number}")
        return number

    def interrupt(_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt("Ctrl-C")

    def consume() -> None:
        try:
            if held:  # a variable that keeps the outcomes must make no difference
                with idle.finishing():
                    outcomes = idle.each(work, range(100))
                    interrupt(next(outcomes))
            for outcome in idle.each(work, range(100)):
                interrupt(outcome)
        finally:
            journal.append("closed")

    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        consume()
    assert journal[-1] == "closed"
    assert sorted(journal[:-1]) == sorted(begun)
    assert 8 <= len(begun) < 100


def test_an_interrupt_ends_the_waiting_between_repeats(
    served: service.Service, service_calls: calls.Calls
) -> None:
    served.faults.load("GetAccountBalance:500")
    outcomes = service_calls.each(lambda item: balance(service_calls) if item else 0, range(1000))
    assert next(outcomes).value == 0
    begun = time.monotonic()
    outcomes.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begun < 10  # the repeats would take three times as long


def test_an_item_that_can_not_be_made_is_raised_after_those_in_flight(idle: calls.Calls) -> None:
    together = threading.Barrier(6, timeout=30)
    done: list[int] = []

    def work(number: int) -> None:
        together.wait()
        done.append(number)

    def items() -> Iterator[int]:
        yield from range(5)
        together.wait()  # until five are in flight
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(idle.each(work, items()))
    assert sorted(done) == list(range(5))


# Pace


class Bucket:
    """A service that lets so many requests a second through, and throttles the others."""

    def __init__(self, rate: float) -> None:
        self.rate = self.tokens = rate
        self.filled = 0.0

    def takes(self, now: float) -> bool:
        self.tokens = min(max(self.rate, 1.0), self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def simulated(
    rate: float, *, workers: int, latency: float, seconds: float
) -> tuple[float, list[float]]:
    """Run a pace against a bucket in simulated time; give its rate and when what got through."""
    now = 0.0
    pace = calls.Pace(lambda: now)
    bucket = Bucket(rate)
    chance = random.Random(0)
    passed: list[float] = []
    # When which worker does what next: ask for a slot, be served, or hear the reply.
    events = [(0.0, worker, "ask", 0) for worker in range(workers)]
    while events:
        now, worker, what, tries = heapq.heappop(events)
        if now > seconds:
            break
        if what == "ask":
            granted, delay = pace.slot()
            following = "serve" if granted else "ask"
            arrival = delay + (latency / 2 if granted else 0)
            heapq.heappush(events, (now + arrival, worker, following, tries))
        elif what == "serve":
            reply = "passed" if bucket.takes(now) else "throttled"
            heapq.heappush(events, (now + latency / 2, worker, reply, tries))
        elif what == "passed":
            pace.succeeded()
            passed.append(now)
            heapq.heappush(events, (now, worker, "ask", 0))
        else:
            pace.throttled(0.0)
            longest = min(
                calls.LONGEST_THROTTLED_BACKOFF_SECONDS,
                calls.THROTTLED_BACKOFF_SECONDS * 2**tries,
            )
            wait = longest * chance.uniform(0.75, 1.0)
            heapq.heappush(events, (now + wait, worker, "ask", tries + 1))
    return pace.rate or float("inf"), passed


@settings(max_examples=40, deadline=None)
@given(st.floats(3, 150), st.integers(8, 32), st.floats(0.01, 0.1))
def test_the_pace_finds_what_the_service_lets_through(
    rate: float, workers: int, latency: float
) -> None:
    begin, end = 30.0, 150.0
    _, passed = simulated(rate, workers=workers, latency=latency, seconds=end)
    through = sum(1 for moment in passed if moment >= begin) / (end - begin)
    assert through >= 0.9 * min(rate, workers / latency)


def test_without_throttling_nothing_is_held_back() -> None:
    now = 0.0
    pace = calls.Pace(lambda: now)
    for _ in range(1000):
        assert pace.slot() == (True, 0.0)
        now += 0.001
        pace.succeeded()
    assert pace.rate is None


def test_a_throttled_reply_now_and_then_is_let_be() -> None:
    now = 0.0
    pace = calls.Pace(lambda: now)
    for number in range(1000):
        now += 0.01
        if number % 50 == 25:
            pace.throttled(0.0)
        else:
            pace.succeeded()
    assert pace.rate is None


def test_patience_counts_from_the_request_or_from_what_got_through_last() -> None:
    now = 1_000.0
    pace = calls.Pace(lambda: now)
    now = 5_000.0  # somebody thought at a prompt
    assert pace.throttled(5_000.0) == 0
    now = 5_010.0
    assert pace.throttled(5_000.0) == 10
    pace.succeeded()
    now = 5_013.0
    assert pace.throttled(5_000.0) == 3


@given(st.lists(st.sampled_from(["slot", "passed", "throttled", "wait"]), max_size=300))
def test_slots_come_no_faster_than_the_rate_and_none_is_in_the_past(events: list[str]) -> None:
    now = 0.0
    pace = calls.Pace(lambda: now)
    last: float | None = None
    for event in events:
        if event == "slot":
            granted, delay = pace.slot()
            assert delay >= 0
            if pace.rate is None:
                assert (granted, delay) == (True, 0.0)
            elif granted:
                assert delay <= pace.FAR_SECONDS
                assert last is None or now + delay > last
                last = now + delay
        elif event == "passed":
            pace.succeeded()
        elif event == "throttled":
            assert pace.throttled(now) == 0
        else:
            now += 0.1
        assert pace.rate is None or pace.rate >= pace.SLOWEST
