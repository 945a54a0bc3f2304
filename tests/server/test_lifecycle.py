"""The life of HITs as random histories, against counts taken anew after each step."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from turkbatch.server import lifecycle, schema, service, store, worker

PREFIX = "MTurkRequesterServiceV20170117."
QUESTION = (
    '<ExternalQuestion xmlns="http://mechanicalturk.amazonaws.com/'
    'AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd">'
    "<ExternalURL>https://example.com/</ExternalURL><FrameHeight>0</FrameHeight></ExternalQuestion>"
)
WORKERS = st.sampled_from(["A1", "A2", "A3"])


class Market(RuleBasedStateMachine):
    """A requester with little money, three workers, and a clock that jumps."""

    hits: Bundle[str] = Bundle("hits")
    assignments: Bundle[tuple[str, str]] = Bundle("assignments")

    def __init__(self, database: str) -> None:
        super().__init__()
        self.store = store.Store.open(database)
        self.served = service.Service(self.store)
        self.served.set_balance(100)

    def teardown(self) -> None:
        self.store.close()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        reply = self.served.handle(
            {"X-Amz-Target": PREFIX + operation}, json.dumps(parameters).encode()
        )
        assert reply.status in (200, 400)
        body: dict[str, Any] = json.loads(reply.body)
        return body

    @initialize()
    def register(self) -> None:
        self.types = [
            self.call(
                "CreateHITType",
                Title=f"delay {delay}",
                Description="d",
                Reward=reward,
                AssignmentDurationInSeconds=600,
                AutoApprovalDelayInSeconds=delay,
            )["HITTypeId"]
            for delay, reward in ((0, "0.01"), (3600, "0.05"), (2592000, "0.10"))
        ]

    @rule(target=hits, kind=st.integers(0, 2), count=st.integers(1, 12), data=st.data())
    def create(self, kind: int, count: int, data: st.DataObject) -> Any:
        lifetime = data.draw(st.sampled_from([60, 3600, 86400]))
        made = self.call(
            "CreateHITWithHITType",
            HITTypeId=self.types[kind],
            LifetimeInSeconds=lifetime,
            MaxAssignments=count,
            Question=QUESTION,
        )
        return made["HIT"]["HITId"] if "HIT" in made else multiple()

    @rule(target=assignments, hit_id=hits, worker_id=WORKERS)
    def accept(self, hit_id: str, worker_id: str) -> Any:
        try:
            return worker.accept(self.served, hit_id, worker_id), worker_id
        except worker.WorkerError:
            return multiple()

    @rule(assignment=assignments, submits=st.booleans())
    def finish(self, assignment: tuple[str, str], submits: bool) -> None:
        try:
            if submits:
                worker.submit(self.served, *assignment, [("answer", "yes")])
            else:
                worker.return_hit(self.served, *assignment)
        except worker.WorkerError:
            pass

    @rule(assignment=assignments, override=st.booleans())
    def approve(self, assignment: tuple[str, str], override: bool) -> None:
        self.call("ApproveAssignment", AssignmentId=assignment[0], OverrideRejection=override)

    @rule(assignment=assignments)
    def reject(self, assignment: tuple[str, str]) -> None:
        self.call("RejectAssignment", AssignmentId=assignment[0], RequesterFeedback="no")

    @rule(hit_id=hits, seconds=st.sampled_from([-10, 60, 100_000]))
    def expire(self, hit_id: str, seconds: int) -> None:
        moment = self.served.clock.now().timestamp() + seconds
        self.call("UpdateExpirationForHIT", HITId=hit_id, ExpireAt=moment)

    @rule(hit_id=hits, count=st.integers(1, 3))
    def extend(self, hit_id: str, count: int) -> None:
        self.call(
            "CreateAdditionalAssignmentsForHIT", HITId=hit_id, NumberOfAdditionalAssignments=count
        )

    @rule(hit_id=hits, revert=st.booleans())
    def mark(self, hit_id: str, revert: bool) -> None:
        self.call("UpdateHITReviewStatus", HITId=hit_id, Revert=revert)

    @rule(hit_id=hits)
    def delete(self, hit_id: str) -> None:
        self.call("DeleteHIT", HITId=hit_id)

    @rule(seconds=st.sampled_from([30, 700, 4_000, 90_000, 2_700_000, 11_000_000]))
    def wait(self, seconds: int) -> None:
        self.served.clock.advance(seconds)

    @invariant()
    def the_ledger_adds_up(self) -> None:
        account = self.served.balance()
        assert account.available_cents >= 0
        assert account.held_cents >= 0
        parts = (
            account.available_cents + account.held_cents + account.paid_cents + account.fees_cents
        )
        assert parts == account.deposited_cents
        names = ("available_cents", "held_cents", "paid_cents", "fees_cents")
        columns = [sqlalchemy.func.sum(schema.ledger.c[name]) for name in names]
        with self.store.read() as connection:
            sums = connection.execute(sqlalchemy.select(*columns)).one()
            of_hits = sqlalchemy.select(sqlalchemy.func.sum(schema.hits.c.held_cents))
            held = connection.scalar(of_hits)
        # the ledger begins with the deposit that takes the opening balance away
        assert [sums[0] + 1_000_000, *sums[1:]] == [getattr(account, name) for name in names]
        assert (held or 0) == account.held_cents

    @invariant()
    def each_hit_counts_its_assignments(self) -> None:
        now = int(self.served.clock.now().timestamp())
        self.call("GetAccountBalance")  # applies what is due
        with self.store.read() as connection:
            hits = [lifecycle.Hit(*row) for row in connection.execute(schema.hits.select())]
            rows = connection.execute(schema.assignments.select())
            assignments = [lifecycle.Assignment(*row) for row in rows]
        for hit in hits:
            own = [one for one in assignments if one.hit_id == hit.hit_id]
            states = [one.state for one in own]
            assert (hit.pending, hit.submitted, hit.approved, hit.rejected) == tuple(
                states.count(state) for state in ("Accepted", "Submitted", "Approved", "Rejected")
            )
            assert hit.available >= 0
            assert lifecycle.settled(hit, max(now, hit.created_at)).status == hit.status
            kept = [one.worker_id for one in own if one.state not in ("Returned", "Abandoned")]
            assert len(kept) == len(set(kept))


def test_random_histories_leave_nothing_amiss(new_database: Callable[[], str]) -> None:
    class FreshMarket(Market):
        def __init__(self) -> None:
            super().__init__(new_database())

    run_state_machine_as_test(
        FreshMarket,
        settings=settings(max_examples=20, stateful_step_count=25, deadline=None),
    )


def hit(**changes: Any) -> lifecycle.Hit:
    values: dict[str, Any] = {
        "sequence": 1,
        "hit_id": "3H",
        "requester": "default",
        "hit_type_id": "3T",
        "annotation": None,
        "created_at": 0,
        "expires_at": 100,
        "max_assignments": 1,
        "reward_cents": 5,
        "fee_cents": 1,
    }
    return lifecycle.settled(lifecycle.Hit(**values | changes), 0)


def accepted(sequence: int, deadline: int) -> lifecycle.Assignment:
    return lifecycle.Assignment(
        sequence, f"3A{sequence}", "3H", f"A{sequence}", "Accepted", 0, deadline, due_at=deadline
    )


def test_what_is_due_happens_in_the_order_of_time() -> None:
    held = hit(max_assignments=3, pending=2)
    steps = list(lifecycle.replay(held, [accepted(1, 150), accepted(2, 50)], now=10**9))

    assert [(step.move.at, step.move.kind, step.hit.status) for step in steps] == [
        (50, "abandoned", "Assignable"),
        (100, "expire", "Unassignable"),
        (150, "abandoned", "Reviewable"),
        (150 + lifecycle.DISPOSAL_SECONDS, "dispose", "Disposed"),
    ]
    # the expiry frees what nobody holds, the last return frees the rest
    assert [step.move.available_cents for step in steps] == [0, 12, 6, 0]


def test_disposal_waits_for_work_that_is_not_reviewed() -> None:
    day = 86_400
    late = lifecycle.Assignment(
        1, "3A", "3H", "A1", "Submitted", 0, 9, 5, 130 * day, due_at=130 * day
    )
    steps = list(lifecycle.replay(hit(submitted=1), [late], now=10**9))

    assert [(step.move.at, step.move.kind) for step in steps] == [
        (100, "expire"),
        (130 * day, "approve"),
        (130 * day, "dispose"),
    ]
