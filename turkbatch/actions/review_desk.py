"""What lies on a reviewer's desk: a batch's assignments, the marks on them, and their sending.

HITs are read at once, a hundred a request; their assignments arrive in the background, in the
order of the rows, so that reviewing can begin before a large batch is read. What is judged is
a mark (see :mod:`turkbatch.batch.marks`), and nothing is sent until the marks have been held
against the service, as the decisions of a file are, and the reviewer has agreed.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import statistics
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from turkbatch import answers, errors
from turkbatch.actions import decisions as decisions_file
from turkbatch.actions import hits, review, tally
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.status import submitted_of
from turkbatch.batch import marks as batch_marks
from turkbatch.batch.marks import DECIDING, Mark, Marks
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch
    from turkbatch.batch.journal import Decision

STATES = ("open", "approve", "reject", "skip", "again", "approved", "rejected")
"""Where an assignment can be: undecided, marked, or decided at the service."""

MARKS_FILE = "marks"
"""What findings call the marks; their line is the number of the mark."""


@dataclasses.dataclass(frozen=True)
class Item:
    """An assignment on the desk.

    Parameters
    ----------
    submission : Submission
        The assignment, and the row that its HIT was made from.
    row : int or None
        Number of that row, from 1.
    fee : Decimal
        USD that MTurk takes for it.
    there : bool
        Whether the service still has it; else it is what was saved.
    """

    submission: review.Submission
    row: int | None
    fee: Decimal
    there: bool

    @property
    def assignment_id(self) -> str:
        """The assignment's id."""
        return self.submission.assignment_id

    @property
    def hit_id(self) -> str:
        """Its HIT."""
        return self.submission.hit_id

    @property
    def worker_id(self) -> str:
        """Who submitted it."""
        return str(self.submission.assignment["WorkerId"])

    @property
    def status(self) -> str:
        """Submitted, Approved or Rejected, as the service said last."""
        return str(self.submission.assignment["AssignmentStatus"])

    @property
    def feedback(self) -> str:
        """What the worker was told when it was decided."""
        return str(self.submission.assignment.get("RequesterFeedback") or "")

    @property
    def reward(self) -> str:
        """USD that approving it pays."""
        return self.submission.reward

    @property
    def fields(self) -> Mapping[str, object]:
        """The data row; empty where the files don't tell it."""
        return self.submission.row or {}

    @property
    def answers(self) -> Mapping[str, object]:
        """The answers, by field, as extract gives them."""
        return self.submission.answers

    @functools.cached_property
    def form_values(self) -> Mapping[str, Sequence[str]]:
        """The answers as a QuestionForm posts them, by QuestionIdentifier."""
        try:
            found = answers.parse(self.submission.assignment.get("Answer", ""))
        except errors.AnswerError:
            return {}
        return {
            one.name: [*one.values, *([] if one.other_text is None else [one.other_text])]
            for one in found
        }

    @property
    def submitted(self) -> datetime:
        """When it was submitted."""
        return tally.moment(self.submission.assignment["SubmitTime"])

    @property
    def work_seconds(self) -> float:
        """From accepting to submitting."""
        accepted = tally.moment(self.submission.assignment["AcceptTime"])
        return (self.submitted - accepted).total_seconds()

    @property
    def auto_approval(self) -> datetime | None:
        """When it is approved by itself; None if it waits no more."""
        told = self.submission.assignment.get("AutoApprovalTime")
        return tally.moment(told) if told and self.status == "Submitted" else None

    def held(self) -> Item:
        """Give it as what was saved of an assignment that is not there any more."""
        return dataclasses.replace(self, there=False)

    def decided(self, decision: Decision) -> Item:
        """Give it with a decision that holds now."""
        told = {"RequesterFeedback": decision.feedback} if decision.feedback else {}
        status = {"AssignmentStatus": review.HOLDS[decision.action]}
        assignment = {**self.submission.assignment, **status, **told}
        changed = dataclasses.replace(self.submission, assignment=assignment)
        return dataclasses.replace(self, submission=changed)


@dataclasses.dataclass(frozen=True)
class Task:
    """What the workers of a HIT were shown.

    Parameters
    ----------
    hit_id, title : str
        The HIT.
    question : str
        Its question's XML.
    """

    hit_id: str
    title: str
    question: str


@dataclasses.dataclass(frozen=True)
class Reading:
    """How much has been read.

    Parameters
    ----------
    done, total : int
        HITs.
    running : bool
        Whether more will come.
    failures : tuple of (str, Exception)
        What could not be read, and why.
    gone : int
        HITs that the service has no more.
    """

    done: int = 0
    total: int = 0
    running: bool = True
    failures: tuple[tuple[str, Exception], ...] = ()
    gone: int = 0


@dataclasses.dataclass(frozen=True)
class WorkerSummary:
    """A worker's part in the batch.

    Parameters
    ----------
    worker_id : str
        Who.
    counts : dict of str to int
        Assignments by state, for each of :data:`STATES`.
    median_work_seconds : float
        Over all of them.
    """

    worker_id: str
    counts: Mapping[str, int]
    median_work_seconds: float

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one decision.

    Parameters
    ----------
    decision : Decision
        What was sent.
    result : {"done", "contradicted", "failed", "unsent"}
        Whether it holds; contradicted if the opposite does, for good.
    text : str
        What the service says, if it does not hold.
    """

    decision: Decision
    result: Literal["done", "contradicted", "failed", "unsent"]
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Job:
    """Marks being held against the service, or decisions being sent.

    Parameters
    ----------
    kind : {"plan", "send"}
        Which of the two.
    running : bool
        Whether it goes on.
    step, done, total
        How far it is, as an action's progress.
    version : int
        Of the marks that it is about.
    marks : tuple of Mark
        These, approvals and rejections alone.
    unsettled : int
        Decisions of an interrupted run whose outcome is not known; sending settles them.
    plan : DecisionPlan, optional
        Once it is made.
    outcomes : tuple of Outcome
        Once they are sent.
    error : str
        Why it ended early.
    """

    kind: Literal["plan", "send"]
    running: bool = True
    step: str = ""
    done: int = 0
    total: int | None = None
    version: int = 0
    marks: tuple[Mark, ...] = ()
    unsettled: int = 0
    plan: decisions_file.DecisionPlan | None = None
    outcomes: tuple[Outcome, ...] = ()
    error: str = ""

    @property
    def problems(self) -> list[tuple[Mark, errors.Finding]]:
        """The marks that can't be sent, each with the reason."""
        found = () if self.plan is None else self.plan.problems
        return [(self.marks[(one.line or 1) - 1], one) for one in found]

    @property
    def sendable(self) -> bool:
        """Whether the plan is made, clear, and does anything."""
        plan = self.plan
        ready = self.kind == "plan" and not self.running and plan is not None
        return ready and plan is not None and not plan.problems and bool(self.worth)

    @property
    def worth(self) -> int:
        """How many decisions sending it would settle."""
        return self.unsettled + (0 if self.plan is None else len(self.plan.decisions))


class _StoppedError(Exception):
    """The reviewer has ended the program in the middle of a job."""


class Desk:
    """A batch on a reviewer's desk; shared by threads.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client that goes to where the batch is.
    batch : Batch
        The batch.
    marks : Marks
        Its marks, open.
    concurrency : int
        Requests in flight at most.
    """

    def __init__(
        self, client: MTurkClient, batch: Batch, marks: Marks, *, concurrency: int
    ) -> None:
        self._client = client
        self._batch = batch
        self._marks = marks
        self._concurrency = concurrency
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._hits: dict[str, hits.Json] = {}
        self._by_hit: dict[str, list[Item]] = {}
        self._items: dict[str, Item] = {}
        self._rows: Mapping[int | None, Mapping[str, object]] = {}
        self._ahead = timedelta(0)
        self._reading = Reading(running=False)
        self._job: Job | None = None
        self.decided: list[Outcome] = []
        """What became of everything that was sent, the latest of each assignment last."""

    @property
    def title(self) -> str:
        """What to call the batch."""
        return self._batch.path.resolve().name

    @property
    def now(self) -> datetime:
        """The service's time, which may be ahead of ours."""
        return datetime.now(UTC) + self._ahead

    # Reading

    def read(self, progress: Progress = silent) -> None:
        """Read the HITs now, and their assignments in the background.

        Called again, it brings the desk up to date; nothing happens while it reads.

        Raises
        ------
        ServiceError
            If the service can't be reached at all.
        """
        with self._lock:
            before = self._reading
            if before.running:
                return
            self._reading = dataclasses.replace(before, running=True)
        service = calls.Calls(self._client, concurrency=self._concurrency)
        try:
            found = hits.read_batch(self._batch, service, progress)
        except BaseException:
            self._reading = before
            raise
        self._ahead = hits.service_now(service) - datetime.now(UTC)
        rows = self._batch.rows_of_hits()
        there = {key: hit for key, hit in found.hits.items() if hit["HITStatus"] != "Disposed"}
        failures = {
            hit_id: error for hit_id, error in found.failures.items() if not hits.is_gone(error)
        }
        with self._lock:
            self._hits = there
            self._by_hit = {key: self._by_hit.get(key, []) for key in rows}
            self._reading = Reading(
                total=len(rows) - len(failures),
                failures=tuple((f"HIT {key}", error) for key, error in failures.items()),
                gone=len(rows) - len(there) - len(failures),
            )
        self._start(lambda: self._read_assignments([key for key in rows if key not in failures]))

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _read_assignments(self, hit_ids: Sequence[str]) -> None:
        try:
            rows = self._batch.rows_of_hits()
            if any(row is not None for row in rows.values()):
                self._rows = _rows(self._batch)
            done = self._batch.reviews().done
            service = calls.Calls(self._client, concurrency=self._concurrency)
            for outcome in service.each(
                lambda hit_id: self._items_of(service, hit_id, rows[hit_id], done), hit_ids
            ):
                if self._stop.is_set():
                    return
                self._take(outcome.item, outcome.value, outcome.error)
        except errors.TurkbatchError as error:
            self._note(self._batch.path.name, error)
        finally:
            with self._lock:
                self._reading = dataclasses.replace(self._reading, running=False)

    def _note(self, subject: str, error: Exception) -> None:
        """Write down what could not be read."""
        with self._lock:
            failures = (*self._reading.failures, (subject, error))
            self._reading = dataclasses.replace(self._reading, failures=failures)

    def _take(self, hit_id: str, items: list[Item] | None, error: Exception | None) -> None:
        """Put what was read of a HIT on the desk."""
        if error is not None:
            self._note(f"HIT {hit_id}", error)
        with self._lock:
            if items is not None:
                self._put(hit_id, items)
            self._reading = dataclasses.replace(self._reading, done=self._reading.done + 1)

    def _put(self, hit_id: str, items: list[Item]) -> None:
        with self._lock:
            for one in self._by_hit.get(hit_id, []):
                self._items.pop(one.assignment_id, None)
            self._by_hit[hit_id] = items
            self._items.update((one.assignment_id, one) for one in items)

    def _items_of(
        self, service: calls.Calls, hit_id: str, row: int | None, done: Mapping[str, str]
    ) -> list[Item]:
        """Read a HIT's assignments: from the service, or what was saved before it was deleted."""
        hit = self._hits.get(hit_id)
        if hit is not None:
            taken = hit["NumberOfAssignmentsCompleted"] or submitted_of(hit)
            found = hits.read_assignments(service, hit) if taken else []
            return [self._item(hit, one, row) for one in found]
        saved = self._batch.results.load(hit_id)
        if saved is None:
            return []
        reviewed = tally.reviewed_since(saved.assignments, done)
        return [self._item(saved.hit, one, row).held() for one in reviewed]

    def _item(self, hit: hits.Json, assignment: hits.Json, row: int | None) -> Item:
        _, fee = tally.price(hit)
        submission = review.Submission(assignment, hit["HITId"], hit["Reward"], self._rows.get(row))
        return Item(submission, None if row is None else row + 1, fee, there=True)

    @property
    def reading(self) -> Reading:
        """How much has been read."""
        return self._reading

    def task(self, hit_id: str) -> Task | None:
        """Tell what the workers of a HIT were shown; None if that is not known any more.

        Raises
        ------
        ServiceError
            If it has to be asked for, and the service does not tell.
        """
        hit = self._hits.get(hit_id)
        if hit is None and hit_id in self._by_hit:
            hit = self._batch.results.load_hit(hit_id)
        if hit is not None and "Question" not in hit:
            service = calls.Calls(self._client, concurrency=1)
            hit = service.call("get_hit", HITId=hit_id)["HIT"]
        if hit is None:
            return None
        return Task(hit_id, str(hit.get("Title", "")), str(hit["Question"]))

    # Looking

    def items(self, *, worker: str = "", state: str = "") -> list[Item]:
        """List assignments in the order of rows and submission.

        Parameters
        ----------
        worker : str
            Of this worker alone.
        state : str
            In this one of :data:`STATES` alone; "marked" for those to be sent.
        """
        with self._lock:
            everything = list(itertools.chain.from_iterable(self._by_hit.values()))
        return [
            one
            for one in everything
            if (not worker or one.worker_id == worker) and self._is_in(one, state)
        ]

    def _is_in(self, item: Item, state: str) -> bool:
        if not state:
            return True
        found = self.state(item)
        return found in DECIDING if state == "marked" else found == state

    def item(self, assignment_id: str) -> Item | None:
        """Give an assignment; None if it is not on the desk."""
        return self._items.get(assignment_id)

    def of_hit(self, hit_id: str) -> list[Item]:
        """List a HIT's assignments in the order of their submission."""
        return self._by_hit.get(hit_id, [])

    def hit_ids(self) -> list[str]:
        """List the HITs that have any assignments, in the order of the rows."""
        with self._lock:
            return [hit_id for hit_id, items in self._by_hit.items() if items]

    def state(self, item: Item) -> str:
        """Tell where an assignment is: one of :data:`STATES`."""
        mark = self._marks.get(item.assignment_id)
        if mark is not None and item.there and item.status != "Approved":
            return mark.action
        return "open" if item.status == "Submitted" else item.status.lower()

    def mark_of(self, item: Item) -> Mark | None:
        """Tell the mark that an assignment has."""
        return self._marks.get(item.assignment_id)

    def may(self, item: Item) -> frozenset[str]:
        """Tell what can be decided on an assignment: to approve it, to reject it."""
        if not item.there or item.status == "Approved":
            return frozenset()
        if item.status == "Submitted":
            return DECIDING
        in_time = self.now <= item.submitted + decisions_file.OVERRIDE_LIMIT
        return frozenset({"approve"} if in_time else ())

    def counts(self, items: Iterable[Item]) -> dict[str, int]:
        """Count assignments by state, for each of :data:`STATES`."""
        found = collections.Counter(self.state(one) for one in items)
        return {state: found[state] for state in STATES}

    def workers(self) -> list[WorkerSummary]:
        """List who worked on the batch, who did most first."""
        by_worker: dict[str, list[Item]] = {}
        for item in self.items():
            by_worker.setdefault(item.worker_id, []).append(item)
        found = [self._summary(worker_id, items) for worker_id, items in by_worker.items()]
        return sorted(found, key=lambda one: (-one.total, one.worker_id))

    def worker(self, worker_id: str) -> WorkerSummary | None:
        """Sum up a worker's part; None if there is none."""
        items = self.items(worker=worker_id)
        return self._summary(worker_id, items) if items else None

    def _summary(self, worker_id: str, items: list[Item]) -> WorkerSummary:
        median = statistics.median(one.work_seconds for one in items)
        return WorkerSummary(worker_id, self.counts(items), median)

    # Marking

    def mark(
        self, items: Sequence[Item], action: batch_marks.Action, feedback: str = ""
    ) -> list[Item]:
        """Mark assignments, as far as they can be decided so; taken back together.

        Parameters
        ----------
        items : sequence of Item
            Which.
        action : {"approve", "reject", "skip", "again", "clear"}
            What is to become of them.
        feedback : str
            What the workers will be told; a rejection needs it.

        Returns
        -------
        list of Item
            Those that were marked.

        Raises
        ------
        RefusedError
            If a rejection says nothing to the worker, the text is too long, or decisions are
            being sent at the moment.
        """
        feedback = feedback.strip().replace("\r\n", "\n")
        _check_feedback(action, feedback)
        with self._lock:
            self._refuse_while_sending()
            possible = [one for one in items if self._can_be(one, action)]
            self._marks.mark({one.assignment_id: one.hit_id for one in possible}, action, feedback)
        return possible

    def _can_be(self, item: Item, action: str) -> bool:
        if action == "clear":
            return self._marks.get(item.assignment_id) is not None
        may = self.may(item)
        return action in may if action in DECIDING else bool(may)

    def undo(self) -> list[str]:
        """Take back what was marked last; give the assignments that it was about.

        Raises
        ------
        RefusedError
            If decisions are being sent at the moment.
        """
        with self._lock:
            self._refuse_while_sending()
            return self._marks.undo()

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to take back."""
        return self._marks.can_undo

    def recent_feedback(self, most: int) -> list[str]:
        """List what workers were told lately, the latest first."""
        return self._marks.feedback(most)

    def to_send(self) -> list[Mark]:
        """List the marks that sending would make decisions of."""
        return [one for one in self._marks.all() if one.action in DECIDING]

    def _refuse_while_sending(self) -> None:
        if self._job is not None and self._job.kind == "send" and self._job.running:
            raise errors.RefusedError(
                "decisions are being sent at the moment; mark again once that is done"
            )

    # Sending

    @property
    def job(self) -> Job | None:
        """What goes on, or went on last; None if nothing has."""
        return self._job

    @property
    def stale(self) -> bool:
        """Whether marks have changed since the plan was made."""
        job = self._job
        return job is None or job.version != self._marks.version

    def plan(self) -> None:
        """Begin to hold the marks against what the service holds.

        Raises
        ------
        RefusedError
            If decisions are being sent at the moment.
        """
        with self._lock:
            self._refuse_while_sending()
            if self._job is not None and self._job.running:
                return
            self._job = Job(
                "plan",
                version=self._marks.version,
                marks=tuple(self.to_send()),
                unsettled=len(self._batch.reviews().open),
            )
            self._start(functools.partial(self._make_plan, self._job))

    def _make_plan(self, job: Job) -> None:
        lines = [_as_line(mark, number) for number, mark in enumerate(job.marks, 1)]
        plan: decisions_file.DecisionPlan | None = None
        error = ""
        try:
            plan = review.plan_marks(
                self._client,
                self._batch.path,
                lines,
                # To approve what was rejected is asked for on a page that says so.
                undo=True,
                concurrency=self._concurrency,
                progress=self._tell,
            )
        except errors.TurkbatchError as problem:
            error = str(problem)
        except _StoppedError:
            error = "ended"
        version = job.version if plan is None else self._drop_moot(job, plan)
        with self._lock:
            self._job = dataclasses.replace(
                job, running=False, plan=plan, error=error, version=version
            )

    def _drop_moot(self, job: Job, plan: decisions_file.DecisionPlan) -> int:
        """Drop the marks of what is decided so already; tell the version of those that stay.

        What the plan knows better than the desk, the desk reads again.
        """
        decided = {one.assignment_id for one in plan.decisions}
        wrong = {job.marks[(one.line or 1) - 1].assignment_id for one in plan.problems}
        moot = {one.assignment_id for one in job.marks} - decided - wrong
        self._read_again({one.hit_id for one in job.marks if one.assignment_id in moot | wrong})
        with self._lock:
            before = self._marks.version
            self._marks.sent(sorted(moot))
            return self._marks.version if before == job.version else job.version

    def clear_problems(self) -> None:
        """Take away the marks that the plan has found can't be sent.

        Raises
        ------
        RefusedError
            If decisions are being sent at the moment.
        """
        with self._lock:
            self._refuse_while_sending()
            found = [] if self._job is None else [mark for mark, _ in self._job.problems]
            self._marks.mark({one.assignment_id: one.hit_id for one in found}, "clear")

    def send(self) -> None:
        """Begin to send what the plan says.

        Raises
        ------
        RefusedError
            If there is no plan, it is not clear, or marks have changed since.
        """
        with self._lock:
            job = self._job
            if job is None or not job.sendable or self.stale:
                raise errors.RefusedError(
                    "the marks have changed since they were summed up; look at the sum again"
                )
            self._job = dataclasses.replace(job, kind="send", running=True, done=0, total=None)
            self._start(functools.partial(self._send, self._job))

    def _send(self, job: Job) -> None:
        assert job.plan is not None, "it is sendable"
        failures: dict[str, str] = {}
        error = ""
        try:
            review.review_batch(
                self._client,
                self._batch.path,
                decisions=job.plan.decisions,
                concurrency=self._concurrency,
                progress=self._tell,
            )
        except errors.PartialError as problem:
            failures = {
                subject.removeprefix("assignment "): str(why) for subject, why in problem.failures
            }
        except (errors.TurkbatchError, OSError) as problem:
            error = str(problem)
        except _StoppedError:
            error = "ended before everything was sent"
        outcomes = self._settled(job, failures)
        with self._lock:
            unsent = {one.decision.assignment_id for one in outcomes if one.result in _UNSENT}
            self._marks.sent(
                [one.assignment_id for one in job.marks if one.assignment_id not in unsent]
            )
            self.decided += outcomes
            self._job = dataclasses.replace(
                job, running=False, outcomes=tuple(outcomes), error=error
            )

    def _settled(self, job: Job, failures: Mapping[str, str]) -> list[Outcome]:
        """Find out what became of each decision: by the journal, or by asking again."""
        assert job.plan is not None, "it was sent"
        decisions = job.plan.decisions
        done = self._batch.reviews().done
        held = [one for one in decisions if done.get(one.assignment_id) == one.action]
        for one in held:
            self._change(one)
        certain = {one.assignment_id for one in held}
        if not self._stop.is_set():
            unsure = {one.assignment_id for one in decisions} - certain
            self._read_again({one.hit_id for one in job.marks if one.assignment_id in unsure})
        return [
            Outcome(one, "done")
            if one.assignment_id in certain
            else self._outcome(one, failures.get(one.assignment_id))
            for one in decisions
        ]

    def _change(self, decision: Decision) -> None:
        """Show a decision that holds now."""
        with self._lock:
            before = self._items.get(decision.assignment_id)
            if before is not None:
                after = before.decided(decision)
                same = self._by_hit[before.hit_id]
                self._put(before.hit_id, [after if one is before else one for one in same])

    def _read_again(self, hit_ids: Iterable[str]) -> None:
        rows = self._batch.rows_of_hits()
        service = calls.Calls(self._client, concurrency=self._concurrency)
        for outcome in service.each(
            lambda hit_id: self._items_of(service, hit_id, rows[hit_id], {}),
            [one for one in hit_ids if one in rows],
        ):
            if outcome.value is not None:
                self._put(outcome.item, outcome.value)

    def _outcome(self, decision: Decision, failure: str | None) -> Outcome:
        item = self._items.get(decision.assignment_id)
        status = "" if item is None else item.status
        if status == review.HOLDS[decision.action]:
            return Outcome(decision, "done")
        if failure is not None:
            return Outcome(decision, "failed", failure)
        if status in review.HOLDS.values() and decision.action != "override":
            return Outcome(decision, "contradicted", f"it is {status}, and stays so")
        return Outcome(decision, "unsent", "it was not sent")

    def _tell(self, step: str, done: int, total: int | None) -> None:
        if self._stop.is_set():
            # What is in flight is finished and written down before this gets out.
            raise _StoppedError
        with self._lock:
            if self._job is not None and self._job.running:
                self._job = dataclasses.replace(self._job, step=step, done=done, total=total)

    def close(self) -> None:
        """End what goes on; what is in flight is finished and written down first."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


_UNSENT = frozenset({"failed", "unsent"})


def _rows(batch: Batch) -> Mapping[int | None, Mapping[str, object]]:
    """Read the data; none where it is gone or unreadable."""
    try:
        return {row.index: row.fields for row in batch.data}
    except errors.InputError:
        return {}


def _check_feedback(action: str, feedback: str) -> None:
    if action == "reject" and not feedback:
        raise errors.RefusedError("a rejection needs a reason; the worker is told")
    if feedback.lower() in decisions_file.MARKS | decisions_file.UNCLEAR:
        raise errors.RefusedError(f'"{feedback}" tells the worker nothing; say why in a few words')
    if len(feedback) > decisions_file.MOST_FEEDBACK_CHARACTERS:
        raise errors.RefusedError(
            f"the reason has {len(feedback):,} characters;"
            f" {decisions_file.MOST_FEEDBACK_CHARACTERS:,} are allowed"
        )


def _as_line(mark: Mark, number: int) -> decisions_file.Mark:
    """Write a mark as a line of a file of decisions would have it."""
    approve, reject = (
        (mark.feedback or "x", "") if mark.action == "approve" else ("", mark.feedback)
    )
    return decisions_file.Mark(MARKS_FILE, number, mark.assignment_id, mark.hit_id, approve, reject)
