"""How many requests a command takes, however large the account is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Run
from tests.reliability import harness
from tests.reliability.conftest import Make
from turkbatch.batch import directory
from turkbatch.mturk import calls

Count = Callable[..., dict[str, int]]

PAGE = 10
HITS = 24


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show with tens of HITs what holds for thousands."""
    monkeypatch.setattr(calls, "PAGE_SIZE", PAGE)


@pytest.fixture
def count(served: harness.KillingService, run: Run) -> Count:
    """Run a command and count its requests."""

    def counted(*arguments: object, code: int = 0) -> dict[str, int]:
        served.faults.reset_calls()
        run(*arguments, code=code)
        return served.faults.calls()

    return counted


def test_a_status_reads_pages_alone(published: Make, count: Count) -> None:
    batch = published("b", rows=HITS)
    assert count("status-batch", batch) == {"ListHITs": 3}


def test_a_save_asks_once_for_each_full_hit_and_not_again_for_what_is_final(
    published: Make, count: Count
) -> None:
    batch = published("b", rows=HITS, state="approved")
    assert count("save-batch", batch) == {"ListAssignmentsForHIT": HITS, "ListHITs": 3}
    assert count("save-batch", batch) == {"ListHITs": 3}


def test_a_save_asks_only_for_what_can_have_changed(
    published: Make, served: harness.KillingService, count: Count
) -> None:
    batch = published("b", rows=HITS)
    harness.work(served, directory.open_batch(batch).hit_ids()[:4])
    count("save-batch", batch, code=3)
    harness.work(served, directory.open_batch(batch).hit_ids()[4:5])
    asked = count("save-batch", batch, code=3)
    assert asked["ListHITs"] == 3
    assert asked["ListAssignmentsForHIT"] == 1


def test_a_small_batch_below_many_others_is_asked_for_hit_by_hit(
    published: Make, count: Count
) -> None:
    batch = published("b", rows=5)
    published("others", rows=100)
    asked = count("status-batch", batch)
    assert asked["GetHIT"] == 5
    assert asked["ListHITs"] <= 5


def test_hits_that_are_not_listed_yet_are_asked_for_one_by_one(
    published: Make, served: harness.KillingService, count: Count, run: Run
) -> None:
    batch = published("b", rows=5)
    served.faults.load("lag=120")
    asked = count("status-batch", batch)
    assert asked["GetHIT"] == 5
    assert '"Assignable": 5' in run("status-batch", batch, "--json").stdout


def test_a_batch_is_told_from_an_equal_one_of_the_same_type(published: Make, run: Run) -> None:
    first, second = published("a", rows=5), published("b", rows=5)
    one, other = (directory.open_batch(path) for path in (first, second))
    assert one.hit_type_id == other.hit_type_id
    run("expire-batch", first)
    run("delete-batch", first)
    assert '"Assignable": 5' in run("status-batch", second, "--json").stdout
