"""Our own server under load, and with many HITs: what a lab's server must stand.

Requests are raw HTTP, so that no client's own time is in the figures: wrk for the load, one
kept connection for the rest.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import statistics
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import figures, server
from turkbatch.server import schema, store

REQUESTS_A_SECOND = 300
CONNECTIONS = 16
FEW, MANY = 1_000, 100_000
FEW_LISTED, MANY_LISTED = 100, 10_000
TIMES_AS_LONG = 2
_PREFIX = "MTurkRequesterServiceV20170117."
_PAGE = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>'
    '<form name="mturk_form" method="post" id="mturk_form">'
    '<input type="hidden" value="" name="assignmentId" id="assignmentId"/>'
    + "<p>Read this sentence, and say whether it is about the weather.</p>" * 20
    + '<textarea name="answer" required></textarea><input type="submit"/></form></body></html>'
)
_QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/'
    'AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">'
    f"<HTMLContent><![CDATA[{_PAGE}]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"
)
# One request for a HIT, one that makes a HIT, and so on, on each connection.
_SCRIPT = """
local turn = 0
local bodies = {{GetHIT = [==[{get}]==], CreateHITWithHITType = [==[{create}]==]}}
request = function()
  turn = turn + 1
  local operation = turn % 2 == 0 and "GetHIT" or "CreateHITWithHITType"
  return wrk.format("POST", "/", {{
    ["Content-Type"] = "application/x-amz-json-1.1",
    ["X-Amz-Target"] = "{prefix}" .. operation,
  }}, bodies[operation])
end
"""


def measure(folder: Path, *, quick: bool) -> Iterator[figures.Figure]:
    """Give the figures of load and growth."""
    yield _load(folder / "load", seconds=8 if quick else 20)
    yield from _growth(folder / "growth", FEW * 20 if quick else MANY, calls=60 if quick else 200)
    yield from _site(
        folder / "site", FEW_LISTED * 20 if quick else MANY_LISTED, calls=20 if quick else 60
    )


def _load(folder: Path, *, seconds: int) -> figures.Figure:
    work = f"requests a second, {CONNECTIONS} connections, half of them creations"
    if shutil.which("wrk") is None:
        return figures.Figure(
            work, REQUESTS_A_SECOND, 0, unit="/s", detail="wrk is missing; install it"
        )
    folder.mkdir()
    with server.running(folder, latency=0) as served:
        client = _Client(served.url)
        creation = client.creation()
        hit_id = client.call("CreateHITWithHITType", creation)["HIT"]["HITId"]
        script = folder / "load.lua"
        script.write_text(
            _SCRIPT.format(
                get=json.dumps({"HITId": hit_id}), create=json.dumps(creation), prefix=_PREFIX
            )
        )
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
        done = subprocess.run(
            [*command, "-s", str(script), served.url], capture_output=True, text=True, check=True
        )
        client.close()
    rate = float(_found(r"Requests/sec:\s+([0-9.]+)", done.stdout))
    slow = _found(r"99%\s+(\S+)", done.stdout)
    failed = "Non-2xx" in done.stdout or "Socket errors" in done.stdout
    detail = f"{seconds} s, 99 % of replies within {slow}"
    return figures.Figure(
        work,
        REQUESTS_A_SECOND,
        0 if failed else rate,
        unit="/s",
        detail=f"{detail}; some failed" if failed else detail,
    )


def _growth(folder: Path, many: int, *, calls: int) -> Iterator[figures.Figure]:
    folder.mkdir()
    with server.running(folder, latency=0) as served:
        client = _Client(served.url)
        creation = client.creation()
        template = client.call("CreateHITWithHITType", creation)["HIT"]["HITId"]
        medians = {}
        for number in (FEW, many):
            hit_ids = _fill(served.database, template, number)
            medians[number] = _medians(client, creation, hit_ids, calls)
        client.close()
    for work, few_seconds in medians[FEW].items():
        seconds = medians[many][work]
        yield figures.Figure(
            f"{work}, {many:,} HITs against {FEW:,}",
            TIMES_AS_LONG,
            seconds / few_seconds,
            "at most",
            detail=f"{few_seconds * 1000:.1f} ms, {seconds * 1000:.1f} ms",
        )


def _site(folder: Path, many: int, *, calls: int) -> Iterator[figures.Figure]:
    """Hold the worker site's list of many HITs against that of few."""
    folder.mkdir()
    works = {"list of HITs": "/hits", "search among HITs": "/hits?search=weather"}
    with server.running(folder, latency=0) as served:
        client = _Client(served.url)
        template = client.call("CreateHITWithHITType", client.creation())["HIT"]["HITId"]
        client.sign_in("A1BENCH")
        medians = {}
        for number in (FEW_LISTED, many):
            _fill(served.database, template, number)
            medians[number] = {work: _median_page(client, works[work], calls) for work in works}
        client.close()
    for work, few_seconds in medians[FEW_LISTED].items():
        seconds = medians[many][work]
        yield figures.Figure(
            f"{work}, {many:,} against {FEW_LISTED:,}",
            TIMES_AS_LONG,
            seconds / few_seconds,
            "at most",
            detail=f"{few_seconds * 1000:.1f} ms, {seconds * 1000:.1f} ms",
        )


def _median_page(client: _Client, path: str, calls: int) -> float:
    """Take the median seconds of a page of the worker site."""
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        page = client.page(path)
        taken.append(time.perf_counter() - began)
        assert page.count("<h2>") >= FEW_LISTED // 10, "a full page is measured"
    return statistics.median(taken)


def _medians(
    client: _Client, creation: dict[str, Any], hit_ids: list[str], calls: int
) -> dict[str, float]:
    """Take the median seconds of each operation, on HITs spread over all there are."""
    spread = hit_ids[:: max(len(hit_ids) // calls, 1)][:calls]
    page = client.call("ListHITs", {"MaxResults": 100})["NextToken"]
    works: dict[str, Callable[[str], object]] = {
        "CreateHITWithHITType": lambda _: client.call("CreateHITWithHITType", creation),
        "GetHIT": lambda hit_id: client.call("GetHIT", {"HITId": hit_id}),
        "page of ListHITs": lambda _: client.call(
            "ListHITs", {"MaxResults": 100, "NextToken": page}
        ),
        "accepting a HIT": client.accept,
    }
    taken: dict[str, list[float]] = {work: [] for work in works}
    # Taking turns, so that what else the machine does falls on all alike.
    for hit_id in spread:
        for work, do in works.items():
            began = time.perf_counter()
            do(hit_id)
            taken[work].append(time.perf_counter() - began)
    return {work: statistics.median(times) for work, times in taken.items()}


def _fill(database: Path, template: str, number: int) -> list[str]:
    """Copy a HIT in the database until there are so many, and name those that nobody had."""
    with store.Store.open(database) as opened, opened.write() as connection:
        hits, questions, ledger = schema.hits, schema.questions, schema.ledger
        (hit,) = connection.execute(hits.select().where(hits.c.hit_id == template)).mappings()
        (question,) = connection.execute(
            questions.select().where(questions.c.hit_id == template)
        ).mappings()
        (move,) = connection.execute(ledger.select().where(ledger.c.hit_id == template)).mappings()
        rows = [(hits, hit), (questions, question), (ledger, move)]
        made = [f"3FILLED{number:09}{one:014}" for one in range(number)]
        present = len(connection.execute(hits.select().with_only_columns(hits.c.hit_id)).all())
        made = made[present:]
        for table, row in rows:
            kept = {name: value for name, value in row.items() if name != "sequence"}
            connection.execute(table.insert(), [kept | {"hit_id": one} for one in made])
    return made


class _Client:
    """One connection that is kept."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
        self._workers = 0
        self._cookie = ""

    def creation(self) -> dict[str, Any]:
        """Register a HIT type, and give what CreateHITWithHITType needs."""
        hit_type = self.call(
            "CreateHITType",
            {
                "Title": "Is it about the weather?",
                "Description": "Read a sentence.",
                "Reward": "0.01",
                "AssignmentDurationInSeconds": 600,
            },
        )
        return {**hit_type, "LifetimeInSeconds": 864_000, "Question": _QUESTION}

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Call an operation of the API."""
        self._connection.request(
            "POST", "/", json.dumps(parameters), {"X-Amz-Target": _PREFIX + operation}
        )
        reply = self._connection.getresponse()
        body = reply.read()
        assert reply.status == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def accept(self, hit_id: str) -> None:
        """Accept a HIT as a worker who never was there before."""
        self._workers += 1
        form = urllib.parse.urlencode({"hitId": hit_id, "workerId": f"A{self._workers:09}"})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/mturk/accept", form, kind)
        reply = self._connection.getresponse()
        body = reply.read()
        assert reply.status == 303, body

    def sign_in(self, worker_id: str) -> None:
        """Sign in to the worker site, for :meth:`page`."""
        form = urllib.parse.urlencode({"workerId": worker_id})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/sign-in", form, kind)
        reply = self._connection.getresponse()
        body = reply.read()
        assert reply.status == 303, body
        self._cookie = (reply.getheader("Set-Cookie") or "").partition(";")[0]

    def page(self, path: str) -> str:
        """Fetch a page of the worker site."""
        self._connection.request("GET", path, headers={"Cookie": self._cookie})
        reply = self._connection.getresponse()
        body = reply.read()
        assert reply.status == 200, body
        return body.decode()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]
