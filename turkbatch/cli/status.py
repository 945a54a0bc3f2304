"""``status-batch`` for people: what the website's batch page shows, as a table with bars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import money
from turkbatch.cli import output

if TYPE_CHECKING:
    from turkbatch import actions

MOST_FETCHED = 50
"""HITs whose assignments are asked for because the saved ones are out of date; watching a
large batch must not cost a request for each of its HITs."""

BAR_WIDTH = 20

NUMBER_WIDTH = 7
"""Of a number that a bar follows, so that the bars begin below one another."""

Row = tuple[str, str]


def show(status: actions.BatchStatus, batch_dir: Path) -> None:
    """Show a batch's status: the table is data, warnings and what to do next are talk."""
    output.table(rows(status))
    for hit_id, why in status.unknown.items():
        output.say(f"Warning: HIT {hit_id}: {why}")
    if hint := _next_step(status, batch_dir):
        output.say(hint)


def rows(status: actions.BatchStatus) -> list[Row]:
    """Give the table's rows: what, and how many (with a bar of its share), how much or when."""
    place = status.pin.get("environment", "made by amti: the flag decides")
    return [
        ("batch", status.batch_id),
        ("environment", place),
        ("HITs", f"{status.hit_count} of {status.rows}"),
        *(
            (f"  {name}", _share(count, status.hit_count))
            for name, count in status.hit_status_counts.items()
        ),
        ("  saved", _share(status.saved, status.hit_count)),
        *_assignments(status),
        *_money_and_times(status),
    ]


def _assignments(status: actions.BatchStatus) -> Iterator[Row]:
    counts, tally = status.assignments, status.tally
    rows = [
        ("available", counts.available),
        ("being worked on", counts.pending),
        ("waiting for review", counts.submitted),
        ("approved", tally.approved),
        ("rejected", tally.rejected),
        ("reviewed, and not saved", tally.undistinguished),
    ]
    total = sum(count for _, count in rows)
    yield "assignments", f"{total:,}"
    for name, count in rows:
        if count or name != "reviewed, and not saved":
            yield f"  {name}", _share(count, total)


def _share(count: int, total: int) -> str:
    return f"{count:<{NUMBER_WIDTH},}{_bar(count, total)}".rstrip()


def _bar(count: int, total: int) -> str:
    # What is there shows, however small its share.
    width = max(1, round(BAR_WIDTH * count / total)) if count and total else 0
    return "█" * width


def _money_and_times(status: actions.BatchStatus) -> Iterator[Row]:
    tally = status.tally
    yield "paid, with fees", money.dollars(tally.paid)
    yield "still to come, at most", money.dollars(tally.to_come)
    if tally.average_work_seconds is not None:
        average = timedelta(seconds=round(tally.average_work_seconds))
        yield "average work time", str(average)
    if tally.hourly_wage is not None:
        yield "effective hourly wage", money.dollars(tally.hourly_wage)
    for name, moment in (
        ("next approved by itself", tally.next_auto_approval),
        ("open until", status.expires),
        ("all submitted, at this rate", tally.estimated_completion),
    ):
        if moment is not None:
            yield name, _time(moment)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _next_step(status: actions.BatchStatus, batch_dir: Path) -> str | None:
    if status.unsettled or status.hit_count < status.rows:
        return f"The upload was interrupted: run `turkbatch resume-batch {batch_dir}`."
    if status.assignments.submitted:
        return f"Work waits for review: run `turkbatch review-batch {batch_dir}`."
    closed = not (status.assignments.available or status.assignments.pending)
    if status.incomplete and closed:
        return f"All is reviewed: run `turkbatch save-batch {batch_dir}`."
    return None
