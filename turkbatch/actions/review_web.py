"""``review-batch --web``: judge what workers submitted on a page of this machine's own."""

from __future__ import annotations

import contextlib
import dataclasses
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors
from turkbatch.actions import pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.review_desk import Desk
from turkbatch.batch import layout
from turkbatch.batch.marks import Marks
from turkbatch.mturk import calls
from turkbatch.mturk import client as clients

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch
    from turkbatch.mturk import environments


@dataclasses.dataclass(frozen=True)
class BrowserReview:
    """What came of a review in the browser.

    Parameters
    ----------
    batch_dir : Path
        The batch.
    approved, rejected, overridden : int
        Decisions that were sent and hold.
    contradicted : dict of str to str
        Assignments that hold the opposite of what was decided, and what they are.
    marked : int
        Approvals and rejections that are kept and not sent.
    open : int
        Submitted assignments that are not decided on, with such a mark or without.
    failures : tuple of (str, Exception)
        HITs that could not be read, and decisions that were refused; they can be sent again.
    """

    batch_dir: Path
    approved: int
    rejected: int
    overridden: int
    contradicted: Mapping[str, str]
    marked: int
    open: int
    failures: tuple[tuple[str, Exception], ...]


@dataclasses.dataclass(frozen=True)
class ReviewAddress:
    """Where the pages are.

    Parameters
    ----------
    url : str
        For the reviewer alone: the key that is in it opens the pages.
    once : str
        The same, good for one browser: to be given to a program as an argument, which
        everybody on the machine can read.
    """

    url: str
    once: str


def review_in_browser(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    port: int = 0,
    worker: str = "",
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    on_ready: Callable[[ReviewAddress], None],
    progress: Progress = silent,
) -> BrowserReview:
    """Serve pages to review a batch on, until the reviewer finishes or interrupts.

    What is judged there is kept in the batch's directory at once, and sent when the reviewer
    says so, as the decisions of a file are: held against the service first, and each written
    down before it is sent and after.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch_dir : path
        The batch.
    port : int
        Where to serve on this machine; 0 for any that is free.
    worker : str
        Begin with the work of this worker.
    concurrency : int
        Requests in flight at most.
    on_ready : callable
        Given the address once it answers.
    progress : Progress
        Told of the HITs read before that.

    Returns
    -------
    BrowserReview

    Raises
    ------
    BatchError
        If another process reviews the batch in a browser.
    ServiceError
        If the service can't be reached at all, or the port can't be listened on.
    """
    batch = pinned.opened(client, batch_dir)
    place = _place(clients.environment_of(client))
    with _desk(client, batch, concurrency) as desk:
        desk.read(progress)
        _serve(desk, place, port, worker, on_ready)
    return _result(batch, desk)


def _place(environment: environments.Environment) -> str:
    """Name the place where decisions go; nobody shall take live for another."""
    return {
        "live": "MTurk's LIVE site, for REAL MONEY",
        "sandbox": "MTurk's sandbox, where nothing is charged",
        "local": "the embedded server",
    }.get(environment.name, f"the server at {environment.endpoint_url}")


@contextlib.contextmanager
def _desk(client: MTurkClient, batch: Batch, concurrency: int) -> Iterator[Desk]:
    marks = Marks(batch.path / layout.MARKS)
    with contextlib.closing(marks):
        desk = Desk(client, batch, marks, concurrency=concurrency)
        # What goes on is ended first: it writes to the marks.
        with contextlib.closing(desk):
            yield desk


def _serve(
    desk: Desk, place: str, port: int, worker: str, on_ready: Callable[[ReviewAddress], None]
) -> None:
    from turkbatch.reviewing import guard, site

    keys = guard.Guard()

    def ready(url: str) -> None:
        def address(key: str) -> str:
            query = {"key": key} | ({"worker": worker} if worker else {})
            return f"{url}{guard.ENTRANCE}?{urllib.parse.urlencode(query)}"

        on_ready(ReviewAddress(address(keys.key), address(keys.ticket())))

    site.serve(lambda end: site.create_app(site.Site(desk, keys, place, finish=end)), port, ready)


def _result(batch: Batch, desk: Desk) -> BrowserReview:
    latest = {one.decision.assignment_id: one for one in desk.decided}
    held = [one.decision.action for one in latest.values() if one.result == "done"]
    kept = {one.assignment_id for one in desk.to_send()}
    refused = [
        (f"assignment {key}", errors.ServiceError(one.text))
        for key, one in latest.items()
        if one.result == "failed" and key in kept
    ]
    return BrowserReview(
        batch.path,
        held.count("approve"),
        held.count("reject"),
        held.count("override"),
        {key: one.text for key, one in latest.items() if one.result == "contradicted"},
        len(kept),
        sum(1 for one in desk.items() if one.there and one.status == "Submitted"),
        (*desk.reading.failures, *refused),
    )
