"""Review policies at work: when they run, what they write down, and what they do.

The assignment's policy runs when it is submitted, the HIT's whenever the HIT becomes
Reviewable, in the same transaction and at the same moment. An action that fails, for want of
money or because somebody was faster, is written down as failed and keeps nothing else back.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_ReviewPoliciesArticle.html.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy

from turkbatch.server import ids, lifecycle, policies, protocol, refusals, schema

Save = Callable[[sqlalchemy.Connection, Sequence[lifecycle.Step]], None]
"""Stores what happened, in its turn with what follows from it."""

_TOO_LATE = "Assignment was in an invalid state for this operation."
_POLICIES = {"Assignment": "AssignmentReviewPolicy", "HIT": "HITReviewPolicy"}


def check(parameters: protocol.Parameters) -> dict[str, str]:
    """Read the policies of a request for a HIT.

    Parameters
    ----------
    parameters : Mapping
        Of CreateHIT or CreateHITWithHITType.

    Returns
    -------
    dict
        For :func:`sweep.add`: JSON by level.

    Raises
    ------
    Refusal
        ParameterValidationError for a policy that is not right.
    """
    found = {}
    for level, name in _POLICIES.items():
        if name in parameters:
            policies.parse(level, parameters[name])
            found[level] = json.dumps(parameters[name])
    return found


def having_policies(connection: sqlalchemy.Connection, hit_ids: Iterable[str]) -> set[str]:
    """Tell which HITs have a policy.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    hit_ids : iterable of str
        The HITs.

    Returns
    -------
    set of str
        Those that do.
    """
    table = schema.review_policies
    query = sqlalchemy.select(table.c.hit_id).where(table.c.hit_id.in_(list(hit_ids)))
    return set(connection.scalars(query.distinct()))


def follow(connection: sqlalchemy.Connection, steps: Sequence[lifecycle.Step], save: Save) -> None:
    """Run the policies that what happened calls for.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    steps : sequence of lifecycle.Step
        Stored already.
    save : callable
        Stores what the policies do.
    """
    called = [step for step in steps if step.is_submission or step.is_now_reviewable]
    if not called:
        return
    with_policies = having_policies(connection, {step.hit.hit_id for step in called})
    for step in called:
        if step.hit.hit_id not in with_policies:
            continue
        review = _Review(connection, step.hit.hit_id, step.move.at, save)
        if step.is_submission and step.assignment is not None:
            review.score(step.assignment.assignment_id)
        if step.is_now_reviewable:
            review.compare()


@dataclasses.dataclass(frozen=True)
class _Review:
    connection: sqlalchemy.Connection
    hit_id: str
    now: int
    save: Save

    def score(self, assignment_id: str) -> None:
        policy = self._policy("Assignment")
        if not isinstance(policy, policies.KnownAnswers):
            return
        assignment = next(a for a in self._assignments() if a.assignment_id == assignment_id)
        right = policies.known(policy, policies.answers_of(assignment.answer))
        total = policies.score(right)
        report = _Report(self, "Assignment", assignment_id)
        action = report.action(
            "review",
            assignment_id,
            "Assignment",
            f"Reviewed {len(right)} known answers; {sum(right.values())}/{len(right)} correct",
        )
        for question, is_right in right.items():
            report.result(action, assignment_id, "KnownAnswerCorrect", int(is_right), question)
        report.result(action, assignment_id, "KnownAnswerScore", total)
        if total >= policy.approve_at:
            self._approve(report, assignment_id, policy.approve_reason)
        elif total < policy.reject_below:
            self._reject(report, assignment_id, policy.reject_reason)
        self._extend(report, policy.extension, total)

    def compare(self) -> None:
        policy = self._policy("HIT")
        # The assignment's own policy may have asked for more work a moment ago.
        if not isinstance(policy, policies.Plurality) or self._hit().status != "Reviewable":
            return
        counted = self._counted(policy)
        found = policies.compare(
            policy, {a.assignment_id: policies.answers_of(a.answer) for a in counted}
        )
        report = _Report(self, "HIT", None)
        action = report.action("review", self.hit_id, "HIT", f"Compared {len(counted)} assignments")
        self._report_agreement(report, action, found)
        for one in counted:
            agreement = found.worker_score(one.assignment_id)
            if agreement >= policy.approve_at:
                self._approve(report, one.assignment_id, None)
            elif agreement < policy.reject_below:
                self._reject(report, one.assignment_id, policy.reject_reason)
        self._extend(report, policy.extension, found.score)

    def _report_agreement(self, report: _Report, action: str, found: policies.Agreement) -> None:
        for question, answer in found.answers.items():
            agreed = question in found.agreed
            report.result(action, self.hit_id, "AgreedAnswerFound", int(agreed), question)
            if agreed:
                report.result(action, self.hit_id, "AgreedAnswer", answer or "", question)
            share = found.shares[question]
            report.result(action, self.hit_id, "AnswerAgreementScore", share, question)
        report.result(action, self.hit_id, "HitAgreementScore", found.score)
        for assignment_id, correct in found.correct.items():
            wrong = len(found.agreed) - correct
            agreement = found.worker_score(assignment_id)
            report.result(action, assignment_id, "WorkerAgreementScore", agreement)
            report.result(action, assignment_id, "PluralityAnswersCorrect", correct)
            report.result(action, assignment_id, "PluralityAnswersIncorrect", wrong)

    def _counted(self, policy: policies.Plurality) -> list[lifecycle.Assignment]:
        known = self._policy("Assignment")
        counted = []
        for one in self._assignments():
            if policy.disregards_rejected and one.state == "Rejected":
                continue
            if isinstance(known, policies.KnownAnswers):
                right = policies.known(known, policies.answers_of(one.answer))
                if policies.score(right) < policy.disregard_below:
                    continue
            counted.append(one)
        return counted

    def _approve(self, report: _Report, assignment_id: str, reason: str | None) -> None:
        one = self._assignment(assignment_id)
        if one.state == "Approved":
            report.action("approve", assignment_id, "Assignment", "Already approved")
        elif one.state == "Rejected":
            report.failed("approve", assignment_id, "Assignment", "InvalidAssignmentState")
        else:
            self._save(lifecycle.approve(self._hit(), one, self.now, reason))
            report.action("approve", assignment_id, "Assignment", "Approved")

    def _reject(self, report: _Report, assignment_id: str, reason: str | None) -> None:
        one = self._assignment(assignment_id)
        if one.state == "Rejected":
            report.action("reject", assignment_id, "Assignment", "Already rejected")
        elif one.state == "Approved":
            report.failed("reject", assignment_id, "Assignment", "InvalidAssignmentState")
        else:
            self._save(lifecycle.reject(self._hit(), one, self.now, reason or ""))
            report.action("reject", assignment_id, "Assignment", "Rejected")

    def _extend(self, report: _Report, extension: policies.Extension | None, total: int) -> None:
        hit = self._hit()
        if extension is None or total >= extension.below:
            return
        if hit.max_assignments >= extension.maximum:
            return
        wanted = hit.max_assignments + 1
        if hit.max_assignments < lifecycle.MANY_ASSIGNMENTS <= wanted:
            report.failed("extend", hit.hit_id, "HIT", "InvalidMaximumAssignmentsIncrease")
            return
        expires_at = hit.expires_at
        if extension.seconds:
            expires_at = max(expires_at, self.now + extension.seconds)
        step = lifecycle.change(
            hit, self.now, "extend", max_assignments=wanted, expires_at=expires_at
        )
        try:
            self._save(step)
        except refusals.Refusal as refusal:
            code = (refusal.turk_error_code or "").rpartition(".")[2]
            report.failed("extend", hit.hit_id, "HIT", code)
        else:
            report.action("extend", hit.hit_id, "HIT", f"Extended to {wanted} assignments")

    def _save(self, step: lifecycle.Step) -> None:
        self.save(self.connection, [step])

    def _policy(self, level: str) -> policies.KnownAnswers | policies.Plurality | None:
        table = schema.review_policies
        query = sqlalchemy.select(table.c.policy).where(
            table.c.hit_id == self.hit_id, table.c.level == level
        )
        sent = self.connection.scalar(query)
        return None if sent is None else policies.parse(level, json.loads(sent))

    def _hit(self) -> lifecycle.Hit:
        table = schema.hits
        query = table.select().where(table.c.hit_id == self.hit_id)
        return lifecycle.Hit(*self.connection.execute(query).one())

    def _assignment(self, assignment_id: str) -> lifecycle.Assignment:
        table = schema.assignments
        query = table.select().where(table.c.assignment_id == assignment_id)
        return lifecycle.Assignment(*self.connection.execute(query).one())

    def _assignments(self) -> list[lifecycle.Assignment]:
        table = schema.assignments
        query = table.select().where(
            table.c.hit_id == self.hit_id, table.c.state.in_(lifecycle.VISIBLE_STATES)
        )
        rows = self.connection.execute(query.order_by(table.c.submitted_at, table.c.sequence))
        return [lifecycle.Assignment(*row) for row in rows]


@dataclasses.dataclass(frozen=True)
class _Report:
    review: _Review
    level: str
    assignment_id: str | None

    def action(self, name: str, target: str, kind: str, result: str) -> str:
        return self._action(name, target, kind, {"Status": "Succeeded", "Result": result})

    def failed(self, name: str, target: str, kind: str, code: str) -> None:
        text = _TOO_LATE if code == "InvalidAssignmentState" else code
        outcome = {"Status": "Failed", "Result": text}
        self._action(name, target, kind, outcome | {"ErrorCode": f"AWS.MechanicalTurk.{code}"})

    def result(
        self, action: str, subject: str, key: str, value: object, question: str | None = None
    ) -> None:
        record = {
            "ActionId": action,
            "SubjectId": subject,
            "SubjectType": "HIT" if subject == self.review.hit_id else "Assignment",
            "QuestionId": question,
            "Key": key,
            "Value": str(value),
        }
        self._write("result", record)

    def _action(self, name: str, target: str, kind: str, outcome: dict[str, Any]) -> str:
        action_id = ids.new_entity_id()
        record = {"ActionId": action_id, "ActionName": name, "TargetId": target}
        self._write("action", record | {"TargetType": kind} | outcome)
        return action_id

    def _write(self, kind: str, record: dict[str, Any]) -> None:
        self.review.connection.execute(
            schema.review_records.insert(),
            {
                "hit_id": self.review.hit_id,
                "level": self.level,
                "kind": kind,
                "assignment_id": self.assignment_id,
                "at": self.review.now,
                "record": json.dumps({k: v for k, v in record.items() if v is not None}),
            },
        )
