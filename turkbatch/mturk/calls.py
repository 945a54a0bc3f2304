"""Requests: paced, repeated where that is safe, many in flight, results in order.

Nearly every operation that turkbatch calls may be sent again after an unknown outcome: reads
change nothing, creations carry a unique request token, and approvals, rejections and
deletions are refused the second time by the state that the first one made. What such a
refusal means is for the caller to compare; nothing is decided here. What mails a worker is
the exception: it is sent again only if it surely has not reached the service.

Botocore's own ``adaptive`` mode paces a single client as well, but after some fifty
throttled calls its retry quota is used up and it raises; a batch of thousands can't live
with that.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import email.utils
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import botocore.exceptions

from turkbatch import errors
from turkbatch.mturk import client as clients
from turkbatch.mturk import faults

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
Reply = Mapping[str, Any]

DEFAULT_CONCURRENCY = 16
PAGE_SIZE = 100
"""The most that a listing gives at once."""
FIRST_ATTEMPTS = 4
"""Tries of a call while the service has not answered once: an address may be wrong."""
ATTEMPTS = 8
"""Tries of a call to a service that has answered before: some 30 seconds in all."""
BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 30.0
THROTTLED_BACKOFF_SECONDS = 0.1
LONGEST_THROTTLED_BACKOFF_SECONDS = 3.0
THROTTLED_PATIENCE_SECONDS = 900.0
"""How long every single call may be throttled before we give up."""
MAY_BE_EMPTY = frozenset({"NotifyWorkers"})
"""Operations whose reply may leave out all it could hold."""
READY_BUT_UNREAD = 64
"""Results that may wait for an earlier one, as a multiple of the concurrency."""


class StoppedError(Exception):
    """The caller wants no more calls; this one was not sent."""


class Pace:
    """How many requests a second go out, learnt from what the service lets through.

    Nothing is held back until the service throttles more than a small share of the
    requests. From then on they go out at a rate: just under what got through in the last
    second, cut again at most twice a second while throttling goes on, and raised again,
    slowly near the limit and faster once nothing has been throttled for some seconds.

    A limit shows as a share of throttled replies that grows with the rate, so a small
    share is the place to be: there, the service gives all that it has to give. Replies
    that are throttled now and then, whatever the rate, are let be.
    """

    TOLERATED = 0.05
    """Share of throttled replies that changes nothing."""
    FEW = 3
    """Fewer throttled replies are no sign of anything."""
    UNDER = 0.9
    """The new rate, as a share of what got through."""
    DEEPEST_CUT = 0.5
    SLOWEST = 0.2
    FIRST = 4.0
    """Requests a second if nothing has got through yet."""
    CUTS_APART_SECONDS = 0.5
    RISE = 0.02
    """Share by which the rate is raised in a second, near the limit."""
    FASTER_RISE = 0.3
    NEAR_SECONDS = 20.0
    """The limit is near for so long after a cut."""
    RISES_APART_SECONDS = 0.25
    FAR_SECONDS = 1.0
    """Slots further off are not taken: the rate may be another by then."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._lock = threading.Lock()
        self._passed: collections.deque[float] = collections.deque(maxlen=1000)
        self._replies = 0
        self._throttled = 0
        self._next_slot = 0.0
        self._last_cut = float("-inf")
        self._begun = self._last_rise = self._last_success = monotonic()
        self.rate: float | None = None

    def slot(self) -> tuple[bool, float]:
        """Take the next slot; say whether there is one, and in how many seconds.

        Without one, ask again after these seconds.
        """
        if self.rate is None:
            return True, 0.0
        with self._lock:
            now = self._now()
            start = max(now, self._next_slot)
            if start - now > self.FAR_SECONDS:
                return False, self.FAR_SECONDS
            self._next_slot = start + 1 / self.rate
            return True, start - now

    def succeeded(self) -> None:
        """Note a request that got through."""
        with self._lock:
            now = self._last_success = self._now()
            self._passed.append(now)
            self._count()
            if self.rate is not None and now - self._last_rise >= self.RISES_APART_SECONDS:
                self._raise(now, self.rate)

    def throttled(self, since: float) -> float:
        """Note a throttled request.

        Parameters
        ----------
        since : float
            When it was first sent.

        Returns
        -------
        float
            Seconds since a request got through, or since it was sent if that is less.
        """
        with self._lock:
            now = self._now()
            self._throttled += 1
            self._count()
            if now - self._last_cut >= self.CUTS_APART_SECONDS and self._too_many():
                self._cut(now)
            return now - max(self._last_success, since)

    def _count(self) -> None:
        self._replies += 1
        if self._replies > 400:  # so much is remembered that what was long ago fades
            self._replies, self._throttled = self._replies // 2, self._throttled // 2

    def _too_many(self) -> bool:
        """Whether more are throttled than a tolerated share can be by chance."""
        expected = self.TOLERATED * self._replies
        return self._throttled >= max(self.FEW, expected + 2 * math.sqrt(expected))

    def _got_through(self, now: float) -> float:
        """Count what got through in a second, the last one."""
        count = sum(1 for moment in self._passed if now - moment <= 1.0)
        return count / max(0.25, min(1.0, now - self._begun))

    def _cut(self, now: float) -> None:
        before = self.FIRST / self.DEEPEST_CUT if self.rate is None else self.rate
        rate = max(self._got_through(now) * self.UNDER, before * self.DEEPEST_CUT)
        if self.rate is not None:
            rate = min(rate, self.rate * self.UNDER)
        self.rate = max(self.SLOWEST, rate)
        self._last_cut = self._last_rise = now
        self._replies = self._throttled = 0
        logger.info("throttled: %.1f requests a second from now on", self.rate)

    def _raise(self, now: float, rate: float) -> None:
        near = now - self._last_cut < self.NEAR_SECONDS
        seconds = min(1.0, now - self._last_rise)
        raised = rate * (1 + (self.RISE if near else self.FASTER_RISE) * seconds)
        # More than twice what is asked for says nothing about what would be let through.
        self.rate = max(rate, min(raised, 2 * self._got_through(now) + 1))
        self._last_rise = now


@dataclasses.dataclass(frozen=True)
class Outcome(Generic[T, R]):
    """What became of one item: a value, or the error that ended it."""

    item: T
    value: R | None = None
    error: Exception | None = None


class Calls:
    """A client's calls: the one scheduler that every action uses.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    concurrency : int
        Requests in flight at most.
    """

    def __init__(self, client: MTurkClient, *, concurrency: int = DEFAULT_CONCURRENCY) -> None:
        self.client = client
        self.environment = clients.environment_of(client)
        self.concurrency = max(1, min(concurrency, clients.CONNECTIONS))
        self.pace = Pace()
        self.service_time: datetime | None = None
        """The ``Date`` of the service's last reply."""
        self._stop = threading.Event()
        self._idle = threading.Condition()
        self._running = 0

    def call(self, method: str, **parameters: object) -> Reply:
        """Send one request, again and again as far as that is wise.

        Parameters
        ----------
        method : str
            boto3's name of the operation, such as ``get_hit``.
        **parameters
            The operation's parameters, in MTurk's spelling.

        Returns
        -------
        dict
            The reply, as boto3 gives it.

        Raises
        ------
        ServiceError
            When the service refuses for good, or does not answer. With
            ``outcome_unknown``, the work may have been done all the same.
        """
        attempt = throttled = 0
        begun = time.monotonic()
        while True:
            self._wait_for_slot()
            try:
                reply = self._send(method, parameters)
            except errors.ThrottledError:
                throttled += 1
                if self.pace.throttled(begun) > THROTTLED_PATIENCE_SECONDS:
                    raise
                self._wait(
                    _backoff(
                        throttled, THROTTLED_BACKOFF_SECONDS, LONGEST_THROTTLED_BACKOFF_SECONDS
                    )
                )
            except (errors.FaultError, errors.UnreachableError) as error:
                attempt += 1
                if _mails(method, parameters) and not _never_sent(error):
                    raise
                if attempt >= (ATTEMPTS if self.service_time else FIRST_ATTEMPTS):
                    raise
                logger.info("%s; trying again (%d)", error, attempt)
                self._wait(_backoff(attempt, BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS))
            else:
                self.pace.succeeded()
                return reply

    def _wait_for_slot(self) -> None:
        taken = False
        while not taken:
            taken, seconds = self.pace.slot()
            self._wait(seconds)

    def _send(self, method: str, parameters: Mapping[str, object]) -> Reply:
        operation = self.client.meta.method_to_api_mapping[method]
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %s", operation, _without_questions(parameters))
        with faults.translated(operation, self.environment):
            try:
                reply: Reply = getattr(self.client, method)(**parameters)
            except botocore.exceptions.ClientError as error:
                self._read_date(error.response)
                raise
        self._check_reply(operation, reply)
        self._read_date(reply)
        return reply

    def _check_reply(self, operation: str, reply: Reply) -> None:
        """Refuse what botocore takes for an empty reply: a proxy's page, or a reply cut off.

        A page of somebody's taken for a success would be written down as work done.
        """
        headers = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        shape = self.client.meta.service_model.operation_model(operation).output_shape
        members = set() if shape is None or operation in MAY_BE_EMPTY else set(shape.members)
        if (members and members.isdisjoint(reply)) or "json" not in headers.get(
            "content-type", "json"
        ):
            raise errors.UnreachableError(
                f"{operation}: what {self.environment.place} replied is no reply of MTurk's API;"
                " check the address, and whether a proxy is in between",
                operation=operation,
            )

    def _read_date(self, reply: Mapping[str, Any]) -> None:
        headers = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        with contextlib.suppress(KeyError, ValueError):
            told = email.utils.parsedate_to_datetime(headers["date"])
            # Without a zone, which "-0000" means, it is UTC: HTTP knows no other.
            self.service_time = told if told.tzinfo else told.replace(tzinfo=UTC)

    def _wait(self, seconds: float) -> None:
        # What need not wait is sent even now: its intent is on disk, so its outcome shall be.
        if seconds > 0 and self._stop.wait(seconds):
            raise StoppedError

    def pages(self, method: str, key: str, **parameters: object) -> Iterator[list[Reply]]:
        """Read a listing to its last page.

        A token comes with every page that is not empty, even the last; the end is a
        page without a token, or an empty one.

        Parameters
        ----------
        method : str
            boto3's name of the listing, such as ``list_hits``.
        key : str
            The member that holds the items, such as ``HITs``.
        **parameters
            The listing's parameters.

        Yields
        ------
        list of dict
            The items of one page, as boto3 gives them.
        """
        token: dict[str, object] = {}
        while True:
            reply = self.call(method, MaxResults=PAGE_SIZE, **token, **parameters)
            items: list[Reply] = reply.get(key, [])
            if items:
                yield items
            if not items or not reply.get("NextToken"):
                return
            token = {"NextToken": reply["NextToken"]}

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Leave a block only when nothing is in flight any more, whatever ends it.

        Around the use of :meth:`each`, inside of what the work writes to: on Ctrl-C the
        outcomes of what is in flight are still written down, and the lock still held.
        """
        try:
            yield
        except BaseException:
            self._stop.set()
            raise
        finally:
            with self._idle:
                self._idle.wait_for(lambda: self._running == 0)

    @contextlib.contextmanager
    def _in_flight(self) -> Iterator[None]:
        with self._idle:
            if self._stop.is_set():
                raise StoppedError
            self._running += 1
        try:
            yield
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def each(
        self, work: Callable[[T], R], items: Iterable[T], *, stop_at_error: bool = False
    ) -> Iterator[Outcome[T, R]]:
        """Do the same for many items, several at a time; give the outcomes in order.

        Parameters
        ----------
        work : callable
            Called with one item, in a thread.
        items : iterable
            Read as far as is needed.
        stop_at_error : bool
            Take no more items once one has failed. Those in flight are finished, and
            their outcomes given.

        Yields
        ------
        Outcome
            One for each item that was taken, in the order of the items. When the
            caller stops reading (Ctrl-C too), what is in flight is finished first.
        """
        slots = threading.Semaphore(self.concurrency)
        failed = threading.Event()

        def run(item: T) -> Outcome[T, R]:
            try:
                with self._in_flight():
                    return Outcome(item, value=work(item))
            except Exception as error:
                failed.set()
                return Outcome(item, error=error)
            finally:
                slots.release()

        waiting: collections.deque[concurrent.futures.Future[Outcome[T, R]]] = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(self.concurrency) as pool:
            try:
                for item in items:
                    slots.acquire()
                    if stop_at_error and failed.is_set():
                        break
                    waiting.append(pool.submit(run, item))
                    while waiting and (
                        waiting[0].done() or len(waiting) >= READY_BUT_UNREAD * self.concurrency
                    ):
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                # Leaving the pool waits for what is in flight; nobody shall wait in a backoff.
                self._stop.set()
                raise


def _mails(method: str, parameters: Mapping[str, object]) -> bool:
    """Whether a request makes the service write to workers, each time it is done."""
    return method == "notify_workers" or parameters.get("SendNotification") is True


def _never_sent(error: errors.ServiceError) -> bool:
    """Whether there was not even a connection to send a request on."""
    return isinstance(
        error.__cause__,
        botocore.exceptions.EndpointConnectionError | botocore.exceptions.ConnectTimeoutError,
    )


def _backoff(attempt: int, first: float, longest: float) -> float:
    seconds: float = min(longest, first * 2 ** min(attempt - 1, 20))
    return seconds * random.uniform(0.75, 1.0)


def _without_questions(parameters: Mapping[str, object]) -> Mapping[str, object]:
    return {
        name: f"<{len(value)} characters>"
        if isinstance(value, str) and name in {"Question", "Test", "AnswerKey"}
        else value
        for name, value in parameters.items()
    }
