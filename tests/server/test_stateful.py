"""A whole platform as random histories: requester and workers, people and money.

Every operation and every worker's action may come at any moment; after each step what is
stored is counted anew and must add up.
"""

from __future__ import annotations

import contextlib
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

from turkbatch.server import (
    documents,
    lifecycle,
    notifying,
    qualifying,
    requirements,
    schema,
    service,
    store,
    worker,
    workforce,
)

PREFIX = "MTurkRequesterServiceV20170117."
QUESTION = (
    f'<ExternalQuestion xmlns="{documents.SCHEMAS}2006-07-14/ExternalQuestion.xsd">'
    "<ExternalURL>https://example.com/</ExternalURL><FrameHeight>0</FrameHeight></ExternalQuestion>"
)
TEST = (
    f'<QuestionForm xmlns="{documents.SCHEMAS}2017-11-06/QuestionForm.xsd"><Question>'
    "<QuestionIdentifier>q</QuestionIdentifier><QuestionContent><Text>?</Text></QuestionContent>"
    "<AnswerSpecification><SelectionAnswer><Selections>"
    "<Selection><SelectionIdentifier>y</SelectionIdentifier><Text>y</Text></Selection>"
    "<Selection><SelectionIdentifier>n</SelectionIdentifier><Text>n</Text></Selection>"
    "</Selections></SelectionAnswer></AnswerSpecification></Question></QuestionForm>"
)
KEY = (
    f'<AnswerKey xmlns="{documents.SCHEMAS}2005-10-01/AnswerKey.xsd"><Question>'
    "<QuestionIdentifier>q</QuestionIdentifier><AnswerOption>"
    "<SelectionIdentifier>y</SelectionIdentifier><AnswerScore>9</AnswerScore></AnswerOption>"
    "</Question></AnswerKey>"
)
KINDS: dict[str, dict[str, Any]] = {
    "bare": {},
    "again": {"RetryDelayInSeconds": 600},
    "automatic": {"AutoGranted": True, "AutoGrantedValue": 3},
    "tested": {"Test": TEST, "TestDurationInSeconds": 600, "RetryDelayInSeconds": 0},
    "graded": {"Test": TEST, "AnswerKey": KEY, "TestDurationInSeconds": 600},
}
KNOWN = {
    "PolicyName": "ScoreMyKnownAnswers/2011-09-01",
    "Parameters": [
        {"Key": "AnswerKey", "MapEntries": [{"Key": "q", "Values": ["y"]}]},
        {"Key": "ApproveIfKnownAnswerScoreIsAtLeast", "Values": ["100"]},
        {"Key": "ExtendIfKnownAnswerScoreIsLessThan", "Values": ["100"]},
    ],
}
PLURALITY = {
    "PolicyName": "SimplePlurality/2011-09-01",
    "Parameters": [
        {"Key": "QuestionIds", "Values": ["q"]},
        {"Key": "QuestionAgreementThreshold", "Values": ["50"]},
        {"Key": "RejectIfWorkerAgreementScoreIsLessThan", "Values": ["50"]},
        {"Key": "ExtendIfHITAgreementScoreIsLessThan", "Values": ["100"]},
        {"Key": "ExtendMaximumAssignments", "Values": ["4"]},
        {"Key": "ExtendMinimumTimeInSeconds", "Values": ["600"]},
    ],
}
EVENTS = [
    "AssignmentAccepted", "AssignmentAbandoned", "AssignmentReturned", "AssignmentSubmitted",
    "AssignmentRejected", "AssignmentApproved", "HITCreated", "HITExtended", "HITDisposed",
    "HITReviewable", "HITExpired",
]  # fmt: skip
WORKERS = ["A1", "A2", "A3"]
SOMEBODY = st.sampled_from(WORKERS)
ANSWER = st.sampled_from(["y", "n"])
GUARDS = st.sampled_from(["Accept", "PreviewAndAccept", "DiscoverPreviewAndAccept"])
KEPT = ("Accepted", "Submitted", "Approved", "Rejected")
# What an assignment may become, by what it was.
NEXT = {
    "Accepted": {"Accepted", "Returned", "Abandoned", "Submitted", "Approved", "Rejected"},
    "Submitted": {"Submitted", "Approved", "Rejected"},
    "Rejected": {"Rejected", "Approved"},
    "Approved": {"Approved"},
    "Returned": {"Returned"},
    "Abandoned": {"Abandoned"},
}


class Platform(RuleBasedStateMachine):
    """A requester with some money, three workers, and a clock that jumps."""

    hits: Bundle[str] = Bundle("hits")
    hit_types: Bundle[str] = Bundle("hit_types")
    qualification_types: Bundle[str] = Bundle("qualification_types")
    assignments: Bundle[tuple[str, str]] = Bundle("assignments")
    requests: Bundle[tuple[str, str]] = Bundle("requests")

    def __init__(self, database: str) -> None:
        super().__init__()
        self.store = store.Store.open(database)
        self.served = service.Service(self.store)
        self.served.set_balance(400)
        self.states: dict[str, str] = {}
        self.names = 0

    def teardown(self) -> None:
        self.store.close()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        reply = self.served.handle(
            {"X-Amz-Target": PREFIX + operation}, json.dumps(parameters).encode()
        )
        assert reply.status in (200, 400)
        body: dict[str, Any] = json.loads(reply.body)
        return body

    @initialize(target=qualification_types)
    def begin(self) -> Any:
        worker.register(self.served, "A1", workforce.Facts(country="US", approved_before=99))
        return multiple(*(self.create_type(kind) for kind in ("graded", "automatic")))

    def create_type(self, kind: str) -> str:
        self.names += 1
        made = self.call(
            "CreateQualificationType",
            Name=f"{kind} {self.names}",
            Description="d",
            QualificationTypeStatus="Active",
            **KINDS[kind],
        )
        type_id: str = made["QualificationType"]["QualificationTypeId"]
        return type_id

    @rule(target=qualification_types, kind=st.sampled_from(sorted(KINDS)))
    def add_qualification_type(self, kind: str) -> str:
        return self.create_type(kind)

    @rule(type_id=qualification_types, status=st.sampled_from(["Active", "Inactive"]))
    def switch_qualification_type(self, type_id: str, status: str) -> None:
        self.call(
            "UpdateQualificationType", QualificationTypeId=type_id, QualificationTypeStatus=status
        )

    @rule(type_id=qualification_types)
    def delete_qualification_type(self, type_id: str) -> None:
        self.call("DeleteQualificationType", QualificationTypeId=type_id)

    @rule(target=requests, type_id=qualification_types, worker_id=SOMEBODY)
    def request(self, type_id: str, worker_id: str) -> Any:
        try:
            made = worker.request_qualification(self.served, type_id, worker_id)
        except worker.WorkerError:
            return multiple()
        return made.request_id, worker_id

    @rule(target=requests, type_id=qualification_types, worker_id=SOMEBODY)
    def take_test(self, type_id: str, worker_id: str) -> Any:
        try:
            made = worker.take_test(self.served, type_id, worker_id)
        except worker.WorkerError:
            return multiple()
        return made.request_id, worker_id

    @rule(request=requests, answer=ANSWER)
    def submit_test(self, request: tuple[str, str], answer: str) -> None:
        with contextlib.suppress(worker.WorkerError):
            worker.submit_test(self.served, *request, [("q", answer)])

    @rule(request=requests, accepts=st.booleans())
    def decide(self, request: tuple[str, str], accepts: bool) -> None:
        name = "AcceptQualificationRequest" if accepts else "RejectQualificationRequest"
        self.call(name, QualificationRequestId=request[0])

    @rule(type_id=qualification_types, worker_id=SOMEBODY, value=st.integers(0, 9))
    def associate(self, type_id: str, worker_id: str, value: int) -> None:
        self.call(
            "AssociateQualificationWithWorker",
            QualificationTypeId=type_id,
            WorkerId=worker_id,
            IntegerValue=value,
        )

    @rule(type_id=qualification_types, worker_id=SOMEBODY)
    def disassociate(self, type_id: str, worker_id: str) -> None:
        self.call(
            "DisassociateQualificationFromWorker", QualificationTypeId=type_id, WorkerId=worker_id
        )

    @rule(
        target=hit_types,
        type_id=qualification_types,
        requires=st.sampled_from(["nothing", "Exists", "DoesNotExist", "GreaterThan", "US"]),
        guard=GUARDS,
        delay=st.sampled_from([0, 3600, 2592000]),
        reward=st.sampled_from(["0.01", "0.05"]),
    )
    def add_hit_type(self, type_id: str, requires: str, guard: str, delay: int, reward: str) -> Any:
        wanted: dict[str, Any] = {"QualificationTypeId": type_id, "Comparator": requires}
        if requires == "GreaterThan":
            wanted["IntegerValues"] = [2]
        if requires == "US":
            wanted = {"QualificationTypeId": requirements.LOCALE, "Comparator": "EqualTo"}
            wanted["LocaleValues"] = [{"Country": "US"}]
        made = self.call(
            "CreateHITType",
            Title="t",
            Description="d",
            Reward=reward,
            AssignmentDurationInSeconds=600,
            AutoApprovalDelayInSeconds=delay,
            QualificationRequirements=(
                [] if requires == "nothing" else [wanted | {"ActionsGuarded": guard}]
            ),
        )
        if "HITTypeId" not in made:
            return multiple()
        self.call(
            "UpdateNotificationSettings",
            HITTypeId=made["HITTypeId"],
            Notification={
                "Destination": "me@example.org",
                "Transport": "Email",
                "Version": "2014-08-15",
                "EventTypes": EVENTS,
            },
        )
        return made["HITTypeId"]

    @rule(
        target=hits,
        hit_type=hit_types,
        count=st.integers(1, 3),
        lifetime=st.sampled_from([60, 3600, 86400]),
        policies=st.sampled_from(
            [
                {},
                {"AssignmentReviewPolicy": KNOWN},
                {"HITReviewPolicy": PLURALITY},
                {"AssignmentReviewPolicy": KNOWN, "HITReviewPolicy": PLURALITY},
            ]
        ),
    )
    def create(self, hit_type: str, count: int, lifetime: int, policies: dict[str, Any]) -> Any:
        made = self.call(
            "CreateHITWithHITType",
            HITTypeId=hit_type,
            LifetimeInSeconds=lifetime,
            MaxAssignments=count,
            Question=QUESTION,
            **policies,
        )
        return made["HIT"]["HITId"] if "HIT" in made else multiple()

    @rule(target=assignments, worker_id=SOMEBODY, number=st.integers(0, 2))
    def accept_an_offer(self, worker_id: str, number: int) -> Any:
        offered = worker.offers(self.served, worker_id)
        if not offered:
            return multiple()
        one = offered[number % len(offered)]
        return worker.accept(self.served, one.hit_id, worker_id), worker_id

    @rule(hit_id=hits, worker_id=SOMEBODY)
    def accept_what_is_not_offered(self, hit_id: str, worker_id: str) -> None:
        offered = {one.hit_id for one in worker.offers(self.served, worker_id)}
        held = {
            row.hit_id
            for row in self._rows(schema.assignments)
            if row.worker_id == worker_id and row.state == "Accepted"
        }
        if hit_id in offered | held:
            return
        try:
            worker.accept(self.served, hit_id, worker_id)
        except worker.WorkerError:
            return
        raise AssertionError("a HIT was given to somebody whom it was not offered to")

    @rule(assignment=assignments, answer=ANSWER)
    def submit(self, assignment: tuple[str, str], answer: str) -> None:
        with contextlib.suppress(worker.WorkerError):
            worker.submit(self.served, *assignment, [("q", answer)])

    @rule(assignment=assignments)
    def give_back(self, assignment: tuple[str, str]) -> None:
        with contextlib.suppress(worker.WorkerError):
            worker.return_hit(self.served, *assignment)

    @rule(assignment=assignments, override=st.booleans())
    def approve(self, assignment: tuple[str, str], override: bool) -> None:
        self.call("ApproveAssignment", AssignmentId=assignment[0], OverrideRejection=override)

    @rule(assignment=assignments)
    def reject(self, assignment: tuple[str, str]) -> None:
        self.call("RejectAssignment", AssignmentId=assignment[0], RequesterFeedback="no")

    @rule(assignment=assignments, token=st.sampled_from([None, "t1", "t2"]))
    def pay_a_bonus(self, assignment: tuple[str, str], token: str | None) -> None:
        self.call(
            "SendBonus",
            AssignmentId=assignment[0],
            WorkerId=assignment[1],
            BonusAmount="0.07",
            Reason="r",
            UniqueRequestToken=token,
        )

    @rule(worker_id=SOMEBODY, blocks=st.booleans())
    def block(self, worker_id: str, blocks: bool) -> None:
        if blocks:
            self.call("CreateWorkerBlock", WorkerId=worker_id, Reason="r")
        else:
            self.call("DeleteWorkerBlock", WorkerId=worker_id)

    @rule()
    def notify(self) -> None:
        self.call("NotifyWorkers", Subject="s", MessageText="m", WorkerIds=WORKERS)

    @rule(hit_id=hits, hit_type=hit_types)
    def change_type(self, hit_id: str, hit_type: str) -> None:
        self.call("UpdateHITTypeOfHIT", HITId=hit_id, HITTypeId=hit_type)

    @rule(hit_id=hits, seconds=st.sampled_from([-10, 60, 100_000]))
    def expire(self, hit_id: str, seconds: int) -> None:
        moment = self.served.clock.now().timestamp() + seconds
        self.call("UpdateExpirationForHIT", HITId=hit_id, ExpireAt=moment)

    @rule(hit_id=hits)
    def extend(self, hit_id: str) -> None:
        self.call(
            "CreateAdditionalAssignmentsForHIT", HITId=hit_id, NumberOfAdditionalAssignments=1
        )

    @rule(hit_id=hits, revert=st.booleans())
    def mark(self, hit_id: str, revert: bool) -> None:
        self.call("UpdateHITReviewStatus", HITId=hit_id, Revert=revert)

    @rule(hit_id=hits)
    def delete(self, hit_id: str) -> None:
        self.call("DeleteHIT", HITId=hit_id)

    @rule(seconds=st.sampled_from([30, 700, 4_000, 180_000, 2_700_000, 11_000_000]))
    def wait(self, seconds: int) -> None:
        self.served.clock.advance(seconds)

    @invariant()
    def money_adds_up(self) -> None:
        account = self.served.balance()
        assert min(account.available_cents, account.held_cents) >= 0
        parts = (
            account.available_cents + account.held_cents + account.paid_cents + account.fees_cents
        )
        assert parts == account.deposited_cents == 400
        bonuses = self._rows(schema.bonuses)
        approved = [row for row in self._rows(schema.hits) for _ in range(row.approved)]
        assert account.held_cents == sum(row.held_cents for row in self._rows(schema.hits))
        assert account.paid_cents == sum(row.amount_cents for row in bonuses) + sum(
            row.reward_cents for row in approved
        )
        assert account.fees_cents == sum(row.fee_cents for row in [*bonuses, *approved])

    @invariant()
    def each_hit_counts_its_assignments(self) -> None:
        self.call("GetAccountBalance")  # applies what is due
        assignments = self._rows(schema.assignments)
        for row in self._rows(schema.hits):
            hit = lifecycle.Hit(*row)
            own = [one for one in assignments if one.hit_id == hit.hit_id]
            states = [one.state for one in own]
            assert (hit.pending, hit.submitted, hit.approved, hit.rejected) == tuple(
                states.count(state) for state in KEPT
            )
            assert hit.available >= 0
            shown = self.call("GetHIT", HITId=hit.hit_id)["HIT"]
            assert shown["NumberOfAssignmentsAvailable"] == hit.available
            assert shown["HITStatus"] == hit.status
            kept = [one.worker_id for one in own if one.state in KEPT]
            assert len(kept) == len(set(kept))

    @invariant()
    def assignments_change_as_they_may(self) -> None:
        for row in self._rows(schema.assignments):
            before = self.states.get(row.assignment_id, "Accepted")
            assert row.state in NEXT[before]
            self.states[row.assignment_id] = row.state
            assert (row.submitted_at is not None) == (row.state in lifecycle.VISIBLE_STATES)
            assert (row.approved_at is not None) == (row.state == "Approved")
            assert (row.rejected_at is not None) == (row.state == "Rejected")

    @invariant()
    def nobody_is_offered_what_they_had_or_may_not_do(self) -> None:
        taken = {
            (row.hit_id, row.worker_id)
            for row in self._rows(schema.assignments)
            if row.state in KEPT
        }
        blocked = {row.worker_id for row in self._rows(schema.worker_blocks)}
        for worker_id in WORKERS:
            offered = worker.offers(self.served, worker_id)
            assert not (worker_id in blocked and offered)
            for one in offered:
                assert (one.hit_id, worker_id) not in taken
                listed = worker.requirements_of(self.served, one.hit_id, worker_id)
                assert all(required.met for required in listed)

    @invariant()
    def requests_and_qualifications_fit(self) -> None:
        held = {
            (row.qualification_type_id, row.worker_id): row
            for row in self._rows(schema.qualifications)
        }
        waiting = set()
        for row in self._rows(schema.qualification_requests):
            assert row.state in ("Testing", "Submitted", "Granted", "Rejected")
            key = (row.qualification_type_id, row.worker_id)
            if row.state == "Granted":
                assert key in held
            if row.state == "Submitted":
                assert key not in waiting
                waiting.add(key)
        listed = self.call("ListQualificationRequests", MaxResults=100)
        assert listed["NumResults"] == len(waiting)
        assert {row.status for row in held.values()} <= {"Granted", "Revoked"}

    @invariant()
    def names_are_unique_and_deletions_end(self) -> None:
        now = int(self.served.clock.now().timestamp())
        names = []
        with self.store.read() as connection:
            for row in self._rows(schema.qualification_types):
                found = qualifying.Type(*row)
                if not qualifying.is_gone(connection, now, found):
                    names.append(found.name)
        assert len(names) == len(set(names))

    @invariant()
    def every_event_is_told_once(self) -> None:
        told = [
            (event["EventType"], event.get("AssignmentId"))
            for message in notifying.log(self.store, limit=10_000)
            for event in message.body["Events"]
        ]
        assert all(1 <= len(m.body["Events"]) <= 10 for m in notifying.log(self.store))
        states = [row.state for row in self._rows(schema.assignments)]
        counts = {kind: sum(one == kind for one, _ in told) for kind in EVENTS}
        assert counts["HITCreated"] == len(self._rows(schema.hits))
        assert counts["AssignmentAccepted"] == len(states)
        assert counts["AssignmentApproved"] == states.count("Approved")
        assert counts["AssignmentReturned"] == states.count("Returned")
        assert counts["AssignmentAbandoned"] == states.count("Abandoned")
        assert counts["AssignmentSubmitted"] == sum(
            state in lifecycle.VISIBLE_STATES for state in states
        )
        assert counts["AssignmentRejected"] >= states.count("Rejected")

    def _rows(self, table: sqlalchemy.Table) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(table.select()))


def test_random_histories_of_people_and_money_add_up(new_database: Callable[[], str]) -> None:
    class FreshPlatform(Platform):
        def __init__(self) -> None:
            super().__init__(new_database())

    run_state_machine_as_test(
        FreshPlatform,
        settings=settings(max_examples=8, stateful_step_count=40, deadline=None),
    )
