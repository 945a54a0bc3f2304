"""Creating, approving, saving and status, against the same calls through boto3 alone.

What each is held against, with the same number of requests in flight, on the same server:

- *bare*: a ThreadPoolExecutor on one boto3 client that sends the same requests, checks
  nothing and writes nothing;
- *serial*: the loop that amti runs, one request at a time, on a sample of the HITs.

Ours is the whole command but for the start of Python: every row checked, the balance asked
for, every write. Of several rounds, one of each kind in turn, the best of each counts.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.exceptions

from benchmarks.figures import Figure
from benchmarks.server import Server
from turkbatch import actions
from turkbatch.mturk import calls
from turkbatch.server import crowd, store

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

T = TypeVar("T")
R = TypeVar("R")

CONCURRENCY = calls.DEFAULT_CONCURRENCY
ASSIGNMENTS = 3
LATENCY = "latency=0.05"
LIMIT = 20
"""Requests a second, in the run under a limit."""
TYPE = {
    "Title": "Name the colour",
    "Description": "One word.",
    "Reward": "0.01",
    "AssignmentDurationInSeconds": 600,
    "AutoApprovalDelayInSeconds": 604800,
}
HIT = {"MaxAssignments": ASSIGNMENTS, "LifetimeInSeconds": 86400}
PAGE = """\
<!DOCTYPE html><html><head><meta charset="utf-8"><title>Colour</title>
<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script></head>
<body><form name="mturk_form" id="mturk_form" method="post">
<input type="hidden" name="assignmentId" id="assignmentId" value="">
<p>{{ word }}</p><textarea name="colour" required></textarea>
<input type="submit" id="submitButton" value="Submit"></form>
<script>turkSetAssignmentID();</script></body></html>
"""
QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
    f'2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[{PAGE}]]></HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)


@dataclasses.dataclass(frozen=True)
class Time:
    """How long something took.

    Parameters
    ----------
    seconds : float
        By the clock on the wall.
    cpu_seconds : float
        Of this process.
    """

    seconds: float
    cpu_seconds: float


def timed(work: Callable[..., object], *arguments: object, **named: object) -> Time:
    """Call something and tell how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    work(*arguments, **named)
    return Time(time.perf_counter() - wall, time.process_time() - cpu)


def best(times: list[Time]) -> Time:
    """Take the least of several: what else the machine did only ever adds."""
    return Time(min(one.seconds for one in times), min(one.cpu_seconds for one in times))


class Bare:
    """The requests alone, from a plain client.

    Parameters
    ----------
    client : MTurkClient
        As boto3 makes it.
    concurrency : int
        1 is the serial loop.
    """

    def __init__(self, client: MTurkClient, concurrency: int) -> None:
        self.client = client
        self.concurrency = concurrency
        self.failed = 0

    def create(self, hits: int, name: str) -> list[str]:
        """Create HITs; give their ids."""
        hit_type_id = self.client.create_hit_type(**TYPE)["HITTypeId"]  # type: ignore[arg-type]

        def create_one(number: int) -> str:
            reply = self.client.create_hit_with_hit_type(
                HITTypeId=hit_type_id,
                Question=QUESTION.replace("{{ word }}", f"word{number}"),
                UniqueRequestToken=f"{name}-{number}",
                RequesterAnnotation=f"batch={name}:{number}",
                **HIT,  # type: ignore[arg-type]
            )
            return reply["HIT"]["HITId"]

        return [one for one in self._each(create_one, range(hits)) if one is not None]

    def approve(self, hit_ids: list[str]) -> None:
        """Approve everything that is submitted."""
        self._find(hit_ids)
        found = self._each(lambda one: self._assignments(one, ["Submitted"]), hit_ids)
        ids = [one["AssignmentId"] for page in found if page for one in page]
        self._each(lambda one: self.client.approve_assignment(AssignmentId=one), ids)

    def save(self, hit_ids: list[str]) -> None:
        """Fetch every HIT and assignment."""
        self._find(hit_ids)
        self._each(lambda one: self._assignments(one, []), hit_ids)

    def status(self, hit_ids: list[str]) -> None:
        """Fetch every HIT by itself, as amti does."""
        self._each(lambda one: self.client.get_hit(HITId=one), hit_ids)

    def _find(self, hit_ids: list[str]) -> None:
        """Fetch HITs: one by one in the serial loop, else by as many pages as hold them."""
        if self.concurrency == 1:
            self.status(hit_ids)
            return
        token: dict[str, Any] = {}
        for _ in range(-(-len(hit_ids) // 100)):
            token = {"NextToken": self.client.list_hits(MaxResults=100, **token)["NextToken"]}

    def _assignments(self, hit_id: str, statuses: list[Any]) -> list[Any]:
        only: dict[str, Any] = {"AssignmentStatuses": statuses} if statuses else {}
        reply = self.client.list_assignments_for_hit(HITId=hit_id, MaxResults=100, **only)
        return list(reply["Assignments"])

    def _each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R | None]:
        def tried(item: T) -> R | None:
            try:
                return work(item)
            except botocore.exceptions.ClientError:
                self.failed += 1
                return None

        if self.concurrency == 1:
            return [tried(item) for item in items]
        with concurrent.futures.ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(tried, items))


def definition(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write a definition and its data."""
    path = folder / "definition"
    if not path.exists():
        path.mkdir()
        (path / "hittypeproperties.json").write_text(json.dumps(TYPE))
        (path / "hitproperties.json").write_text(json.dumps(HIT))
        (path / "question.html.j2").write_text(PAGE)
    data = folder / f"rows-{rows}.jsonl"
    data.write_text("".join(f'{{"word": "word{number}"}}\n' for number in range(rows)))
    return path, data


def measure(
    server: Server, folder: Path, *, hits: int, sample: int, rounds: int
) -> Iterator[Figure]:
    """Measure a batch's life, against both kinds of loop."""
    bare = Bare(server.bare(), CONCURRENCY)
    serial = Bare(server.bare(), 1)
    ours = server.ours()
    source, data = definition(folder, hits)
    submitted = hits * ASSIGNMENTS

    alone: list[str] = []
    bare_ids: list[list[str]] = [[] for _ in range(rounds)]
    batches = [folder / f"batch-b{number}" for number in range(rounds)]

    alone_time = timed(lambda: alone.extend(serial.create(sample, "serial")))
    bare_times, our_times = [], []
    for number, ids in enumerate(bare_ids):
        bare_times.append(
            timed(lambda into, name: into.extend(bare.create(hits, name)), ids, f"bare{number}")
        )
        our_times.append(
            timed(actions.create_batch, ours, source, data, folder, batch_id=f"b{number}")
        )
    yield from _three("create", hits, best(our_times), best(bare_times), alone_time, sample)
    yield _cpu("create", hits, best(our_times), best(bare_times))

    server.count_anew()
    status = timed(actions.status_batch, ours, batches[-1])
    asked = sum(server.calls().values())
    alone_time = timed(serial.status, alone)
    ratio = alone_time.seconds / sample * hits / status.seconds
    yield Figure("status / serial", 40, ratio, detail=f"{status.seconds:.2f} s")
    detail = f"{hits} HITs, just made"
    yield Figure("requests of a status", hits / 100 + 2, asked, "at most", "", detail)

    with store.Store.open(server.database) as opened:
        crowd.work(opened, workers=ASSIGNMENTS)
    alone_time = timed(serial.approve, alone)
    bare_times, our_times = [], []
    for batch, ids in zip(batches, bare_ids, strict=True):
        bare_times.append(timed(bare.approve, ids))
        our_times.append(timed(actions.review_batch, ours, batch, approve_all=True))
    each = sample * ASSIGNMENTS
    yield from _three("approve all", submitted, best(our_times), best(bare_times), alone_time, each)
    yield _cpu("approve all", submitted + hits, best(our_times), best(bare_times))

    alone_time = timed(serial.save, alone)
    bare_times, our_times, counts = [], [], []
    for batch, ids in zip(batches, bare_ids, strict=True):
        bare_times.append(timed(bare.save, ids))
        server.count_anew()
        our_times.append(timed(actions.save_batch, ours, batch))
        counts.append(sum(server.calls().values()))
    yield from _three("save", hits, best(our_times), best(bare_times), alone_time, sample)
    yield _cpu("save", hits, best(our_times), best(bare_times))
    detail = f"{hits} full HITs"
    most = hits + hits / 100 + 5
    # The newest batch is listed first; before an older one, pages of others are read.
    yield Figure("requests of a save", most, counts[-1], "at most", "", detail)


def _three(
    work: str, items: int, ours: Time, bare: Time, serial: Time, sample: int
) -> Iterator[Figure]:
    serially = serial.seconds / sample * items
    detail = f"{items / ours.seconds:.0f}/s, bare {items / bare.seconds:.0f}/s"
    yield Figure(f"{work} / bare pool", 0.8, bare.seconds / ours.seconds, detail=detail)
    detail = f"serial {items / serially:.1f}/s, on a sample of {sample}"
    yield Figure(f"{work} / serial", 12, serially / ours.seconds, detail=detail)


def _cpu(work: str, requests: int, ours: Time, bare: Time) -> Figure:
    each, alone = (1000 * one.cpu_seconds / requests for one in (ours, bare))
    detail = f"{each:.2f} ms, bare {alone:.2f} ms"
    return Figure(f"CPU a request, {work}", 1.25, each / alone, "at most", detail=detail)


def measure_limit(server: Server, folder: Path, *, hits: int) -> Iterator[Figure]:
    """Create under a limit of requests, with our pacing and with botocore's own."""
    source, data = definition(folder, hits)
    ours = server.ours()
    burst = LIMIT  # a second's worth is let through at once
    server.plan(f"{LATENCY} rate={LIMIT}")
    server.count_anew()
    begun = time.perf_counter()
    made = actions.create_batch(ours, source, data, folder, batch_id="limited")
    seconds = time.perf_counter() - begun
    failed = hits - len(made.hit_ids)
    rate = (hits - burst) / seconds
    sent = server.calls()["CreateHITWithHITType"]
    detail = f"{rate:.1f}/s, {failed} failed, {sent} requests for {hits} HITs"
    yield Figure(f"create under {LIMIT}/s", 0.9, rate / LIMIT, detail=detail)

    server.plan(f"{LATENCY} rate={LIMIT}")
    adaptive = Bare(server.bare(adaptive=True), CONCURRENCY)
    begun = time.perf_counter()
    with contextlib.suppress(botocore.exceptions.ClientError):
        adaptive.create(hits, "adaptive")
    seconds = time.perf_counter() - begun
    rate = (hits - adaptive.failed - burst) / seconds
    detail = f"{rate:.1f}/s, {adaptive.failed} failed"
    yield Figure("the same, botocore adaptive", None, rate / LIMIT, detail=detail)
    server.plan(LATENCY)
