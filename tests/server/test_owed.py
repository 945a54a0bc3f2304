from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from turkbatch.server import owed, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient


def test_each_worker_is_owed_what_was_approved_and_granted(
    database: store.Store,
    served: service.Service,
    inside: MTurkClient,
    make_hit: Callable[..., str],
) -> None:
    def submit(worker_id: str) -> str:
        assignment_id = worker.accept(served, make_hit(reward="0.50"), worker_id)
        worker.submit(served, assignment_id, worker_id, [])
        return assignment_id

    first, second, waiting, rejected = (submit(name) for name in ("A1", "A2", "A2", "A3"))
    for assignment_id in (first, second):
        inside.approve_assignment(AssignmentId=assignment_id)
    inside.reject_assignment(AssignmentId=rejected, RequesterFeedback="")
    inside.approve_assignment(AssignmentId=rejected, OverrideRejection=True)
    for amount in ("1.00", "0.25"):
        inside.send_bonus(
            WorkerId="A2", AssignmentId=second, BonusAmount=amount, Reason="well done"
        )

    assert owed.workers(database) == [
        owed.Owed("default", "A1", 1, 50, 0, 0, 10),
        owed.Owed("default", "A2", 1, 50, 2, 125, 35),
        owed.Owed("default", "A3", 1, 50, 0, 0, 10),
    ]
    (account,) = owed.accounts(database)
    assert account == served.balance()
    assert account.paid_cents == sum(one.total_cents for one in owed.workers(database)) == 275
    assert (account.fees_cents, account.held_cents) == (55, 60)
    assert worker.task(served, waiting).state == "Submitted"


def test_a_period_counts_what_happened_in_it(
    database: store.Store,
    served: service.Service,
    inside: MTurkClient,
    make_hit: Callable[..., str],
) -> None:
    moments = []
    for worker_id in ("A1", "A2"):
        assignment_id = worker.accept(served, make_hit(), worker_id)
        worker.submit(served, assignment_id, worker_id, [])
        inside.approve_assignment(AssignmentId=assignment_id)
        served.clock.advance(86_400)
        moments.append(int(served.clock.now().timestamp()))

    def names(since: int | None, until: int | None) -> list[str]:
        return [one.worker_id for one in owed.workers(database, since=since, until=until)]

    assert names(None, moments[0]) == ["A1"]
    assert names(moments[0] - 1, None) == ["A2"]
    assert names(moments[1], None) == []


def test_work_that_is_approved_by_itself_counts(
    database: store.Store, served: service.Service, make_hit: Callable[..., str]
) -> None:
    assignment_id = worker.accept(served, make_hit(AutoApprovalDelayInSeconds=60), "A1")
    worker.submit(served, assignment_id, "A1", [])
    assert owed.workers(database) == []
    served.clock.advance(60)
    assert owed.workers(database) == [owed.Owed("default", "A1", 1, 5, 0, 0, 1)]
