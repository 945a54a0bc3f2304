"""Files to pay by: each payment in one of them, whoever asks at the same time."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import erasure, link_reports, links, recruiting, store, visits

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Paid = Callable[..., visits.Visit]


@pytest.fixture
def link(database: store.Store, make_hit: Callable[..., str]) -> recruiting.Link:
    work = [recruiting.Work("hit", make_hit(MaxAssignments=9)) for _ in range(2)]
    settings = recruiting.settings_for("prolific")
    return recruiting.add(database, "study", "prolific", settings, work=work, hits_each=2)


@pytest.fixture
def finish(database: store.Store, inside: MTurkClient, link: recruiting.Link) -> Paid:
    """Have a participant finish, and approve and reward it."""

    def take_part(number: int, *bonuses: str, approve: bool = True) -> visits.Visit:
        arrival = links.Arrival(f"{number:024x}", "a" * 24, f"{number + 4096:024x}")
        visit, _ = links.arrive(database, link.link_id, arrival)
        step = links.proceed(database, visit.visit_id)
        done = []
        while step.assignment_id is not None:
            done.append(step.assignment_id)
            links.submit(database, step.assignment_id, visit.worker_id, [("comment", "x")])
            step = links.proceed(database, visit.visit_id)
        for one in done if approve else ():
            inside.approve_assignment(AssignmentId=one)
        for amount in bonuses:
            inside.send_bonus(
                WorkerId=visit.worker_id, AssignmentId=done[0], BonusAmount=amount, Reason="r"
            )
        return step.visit

    return take_part


def lines(payout: link_reports.Payout | None) -> dict[str, int]:
    assert payout is not None
    return {line.session_id: line.amount_cents for line in payout.lines}


def test_a_payment_is_in_one_file_and_the_next_has_what_is_new(
    database: store.Store, link: recruiting.Link, finish: Paid
) -> None:
    one, two = finish(1, "0.50", "0.25"), finish(2, approve=False)
    first = link_reports.approve(database, link)
    assert lines(first) == {one.session_id: 10}
    assert lines(link_reports.pay(database, link)) == {one.session_id: 75}
    assert link_reports.approve(database, link) is None
    assert link_reports.pay(database, link) is None
    assert lines(link_reports.pay(database, link, with_rewards=True)) == {one.session_id: 10}
    three = finish(3, "1.00")
    assert lines(link_reports.approve(database, link)) == {three.session_id: 10}
    assert lines(link_reports.pay(database, link)) == {three.session_id: 100}
    assert first is not None
    assert link_reports.again(database, link, first.file_id) == first
    found = link_reports.report(database, link)
    waiting = {one.visit.session_id: (one.waiting, one.unwritten_cents) for one in found.lines}
    assert waiting[two.session_id] == (2, 0)
    assert [payout.kind for payout in found.payouts] == [
        "approval",
        "bonus",
        "bonus",
        "approval",
        "bonus",
    ]


@pytest.mark.parametrize("act", [link_reports.approve, link_reports.pay])
def test_two_who_write_files_at_once_write_each_payment_once(
    database: store.Store, link: recruiting.Link, finish: Paid, act: Any
) -> None:
    done = [finish(number, "0.10") for number in range(5)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = [job.result() for job in [pool.submit(act, database, link) for _ in range(4)]]
    written = [line.session_id for one in made if one is not None for line in one.lines]
    assert sorted(written) == sorted(visit.session_id for visit in done)


def test_who_was_erased_is_in_no_new_file_and_the_old_ones_can_still_be_read(
    database: store.Store, link: recruiting.Link, finish: Paid
) -> None:
    gone, here = finish(1, "0.10"), finish(2, "0.20")
    first = link_reports.approve(database, link)
    erasure.erase(database, gone.worker_id)
    assert lines(link_reports.pay(database, link)) == {here.session_id: 20}
    assert first is not None
    again = link_reports.again(database, link, first.file_id)
    assert [line.amount_cents for line in again.lines] == [10, 10]
    assert gone.session_id not in {line.session_id for line in again.lines}


@pytest.mark.parametrize(
    ("status", "is_in"),
    [("AWAITING REVIEW", True), ("ACTIVE", True), ("RETURNED", False), ("APPROVED", False)],
)
def test_what_the_platform_has_decided_is_left_out_of_approvals(
    database: store.Store, link: recruiting.Link, finish: Paid, status: str, is_in: bool
) -> None:
    visit = finish(1)
    told = links.Submission(visit.session_id, visit.participant_id, "a" * 24, status)
    links.reconcile(database, link, [told], proves=True)
    assert (link_reports.approve(database, link) is not None) is is_in
