from __future__ import annotations

import datetime

import pytest

from turkbatch.server import clock, service, store


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("+2d", 172_800),
        ("+2d 3h", 183_600),
        ("1h30m", 5_400),
        ("90s", 90),
        (" + 1.5h ", 5_400),
        ("1w1d1h1m1s", 694_861),
    ],
)
def test_a_shift_adds_its_parts_up(text: str, seconds: float) -> None:
    assert clock.parse_shift(text) == seconds


@pytest.mark.parametrize("text", ["", "+", "2", "-2d", "2 days", "+2d -1h", "0s", "d", "1e9d"])
def test_what_is_no_shift_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no shift of the clock"):
        clock.parse_shift(text)


def test_the_clock_is_the_machine_s_until_it_is_moved(served: service.Service) -> None:
    ahead = served.clock.now() - datetime.datetime.now(datetime.UTC)

    assert abs(ahead.total_seconds()) < 5


def test_advances_add_up_for_everyone_on_the_database(
    served: service.Service, database_name: str
) -> None:
    served.clock.advance(3600)
    served.clock.advance(0.5)

    with store.Store.open(database_name) as other:
        assert clock.Clock(other).offset() == datetime.timedelta(seconds=3600.5)


def test_a_reset_puts_the_clock_back(served: service.Service) -> None:
    served.clock.advance(3600)
    served.clock.reset()

    assert served.clock.offset() == datetime.timedelta(0)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (-1, "moves forward only"),
        (float("nan"), "moves forward only"),
        (float("inf"), "a hundred years ahead"),
        (1e10, "a hundred years ahead"),
    ],
)
def test_an_impossible_move_changes_nothing(
    served: service.Service, seconds: float, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        served.clock.advance(seconds)
    assert served.clock.offset() == datetime.timedelta(0)
