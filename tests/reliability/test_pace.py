"""The pace of requests against services that throttle, on a clock of the test's own."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from turkbatch.mturk import calls

CONCURRENCY = 16
LATENCY_SECONDS = 0.05


def limit_of(rate: float) -> Callable[[float], bool]:
    """Make a service that serves so many requests a second, and a second's worth at once."""
    level, filled = rate, 0.0

    def serves(now: float) -> bool:
        nonlocal level, filled
        level, filled = min(rate, level + (now - filled) * rate), now
        if level < 1:
            return False
        level -= 1
        return True

    return serves


def run(serves: Callable[[float], bool], seconds: float) -> tuple[list[float], int]:
    """Send requests for some seconds; give when one got through, and how many did not.

    It is what `calls.Calls` does with sixteen threads, but that waiting takes no time.
    """
    now = 0.0
    pace = calls.Pace(lambda: now)
    chance = random.Random(1)
    passed: list[float] = []
    throttled = 0
    # (when, which thread, whether a request is to be sent then, tries that were throttled)
    queue = [(0.0, thread, False, 0) for thread in range(CONCURRENCY)]
    while queue[0][0] < seconds:
        now, thread, sends, tries = heapq.heappop(queue)
        if not sends:
            taken, wait = pace.slot()
            heapq.heappush(queue, (now + wait, thread, taken, tries))
        elif serves(now):
            pace.succeeded()
            passed.append(now)
            heapq.heappush(queue, (now + LATENCY_SECONDS, thread, False, 0))
        else:
            pace.throttled(now)
            throttled += 1
            wait = LATENCY_SECONDS + chance.uniform(0.75, 1) * min(3.0, 0.1 * 2**tries)
            heapq.heappush(queue, (now + wait, thread, False, tries + 1))
    return passed, throttled


@pytest.mark.parametrize("rate", [3, 20, 100])
def test_nine_tenths_of_a_limit_are_used_and_few_requests_are_in_vain(rate: float) -> None:
    passed, throttled = run(limit_of(rate), 120)
    assert len(passed) >= 0.9 * 120 * rate
    assert throttled <= 0.12 * len(passed) + 4 * CONCURRENCY


def test_replies_throttled_at_random_do_not_slow_a_service_that_has_no_limit() -> None:
    chance = random.Random(2)
    passed, _ = run(lambda _: chance.random() >= 0.05, 60)
    unthrottled, _ = run(lambda _: True, 60)
    assert len(passed) >= 0.6 * len(unthrottled)


def test_one_throttled_reply_slows_nothing_down() -> None:
    asked = iter(range(10**9))
    passed, _ = run(lambda _: next(asked) != 3, 10)
    unthrottled, _ = run(lambda _: True, 10)
    assert len(passed) >= 0.95 * len(unthrottled)


def test_after_minutes_of_throttling_the_old_speed_is_back_within_a_minute() -> None:
    passed, throttled = run(lambda now: not 10 <= now < 190, 300)
    assert throttled < 400, "a service in need is asked far less often"
    last_seconds = sum(1 for moment in passed if 250 <= moment < 260)
    assert last_seconds >= 0.9 * 10 * CONCURRENCY / LATENCY_SECONDS
