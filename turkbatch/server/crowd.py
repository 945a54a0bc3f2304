"""Simulated workers: they read the form that they are shown, and fill it in.

Answers are repeatable: they follow from the seed, the question's text, how many HITs with
the same text came before, and the worker's number. Ids of HITs, which differ each time,
play no part. The crowd is the same whatever the seed: worker 1 always has the same id.

Each worker seems to have worked for a plausible time: an assignment is accepted so long
before it is submitted, but not before its HIT was made. On a HIT made a moment ago that
leaves no time; move the clock first where it matters.

The crowd is there to work, so unless told otherwise its workers are veterans: they pass for
whatever a requirement on a system type asks (locale, counts, rates, Masters), and for types
that this server doesn't have. Qualifications that were created here they must be given like
anybody, and who is blocked stays out.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import sqlalchemy
from sqlalchemy import select

from turkbatch.server import forms, lifecycle, questions, schema, service, store, sweep, worker

_TYPICAL_WORK_SECONDS: Final = 75.0
_CHUNK: Final = 500


@dataclasses.dataclass(frozen=True)
class WorkReport:
    """What simulated workers did.

    Parameters
    ----------
    hits : int
        HITs that were worked on.
    assignments : int
        Assignments that were submitted.
    workers : int
        Workers who submitted any.
    left : int
        Assignments that are still available in the HITs looked at.
    unfilled : tuple of str
        Names of fields for which no value was found that the page would take.
    without_form : tuple of str
        HITs whose page asks for nothing that could be filled in.
    """

    hits: int
    assignments: int
    workers: int
    left: int
    unfilled: tuple[str, ...] = ()
    without_form: tuple[str, ...] = ()


def work(
    served: service.Service | store.Store,
    *,
    hit_ids: Sequence[str] | None = None,
    workers: int = 10,
    seed: int = 0,
    assignments: int | None = None,
    veterans: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> WorkReport:
    """Have simulated workers do the HITs that are open.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_ids : sequence of str, optional
        Which HITs; all that are open, if not given.
    workers : int
        How many there are. Each does a HIT at most once, so a HIT with more assignments
        than workers stays open.
    seed : int
        The same one gives the same answers to the same questions.
    assignments : int, optional
        How many assignments of each HIT to do now; all, if not given.
    veterans : bool
        Whether they pass for whatever is required of system types; else they must meet it,
        by what was set about them and what they did here.
    progress : callable, optional
        Told how many HITs are done, and of how many, after each.

    Returns
    -------
    WorkReport
        What was done.

    Raises
    ------
    worker.WorkerError
        If one of the HITs doesn't exist.
    """
    database = served.store if isinstance(served, service.Service) else served
    crew = _Crew(database, workers, seed, assignments, veterans=veterans)
    chosen = _chosen(database, hit_ids)
    for number, hit_id in enumerate(chosen, start=1):
        crew.do(hit_id)
        if progress is not None:
            progress(number, len(chosen))
    return crew.report()


def worker_id(number: int) -> str:
    """Tell the id of a simulated worker.

    Parameters
    ----------
    number : int
        From 1 upwards.

    Returns
    -------
    str
        14 characters, as real ids have; always the same for a number.
    """
    digest = hashlib.sha256(f"simulated worker {number}".encode()).digest()
    return f"A{base64.b32encode(digest).decode()[:13]}"


@dataclasses.dataclass(frozen=True)
class _Task:
    hit_id: str
    worker_id: str
    question: questions.Question
    form: forms.Form
    key: str


class _Crew:
    def __init__(
        self,
        database: store.Store,
        workers: int,
        seed: int,
        assignments: int | None,
        *,
        veterans: bool,
    ) -> None:
        self._store = database
        self._workers = [worker_id(number) for number in range(1, workers + 1)]
        self._seed = seed
        self._most = assignments
        self._veterans = veterans
        self._copies: collections.Counter[str] = collections.Counter()
        self._hits = self._assignments = self._left = 0
        self._active: set[str] = set()
        self._unfilled: dict[str, None] = {}
        self._without_form: list[str] = []

    def do(self, hit_id: str) -> None:
        # One transaction for all workers on a HIT: writing to disk is what takes time here.
        with sweep.writing(self._store) as (connection, now):
            text = worker.question_of(connection, hit_id)
            key = f"{self._seed}\n{self._copy(text)}\n{text}"
            question = questions.parse(text)
            form = forms.read(question)
            if form.asks_nothing:
                self._without_form.append(hit_id)
            hit = sweep.find_hit(connection, hit_id)
            # Nobody else takes any of them before this transaction ends.
            left = hit.available if hit is not None and lifecycle.is_open(hit, now) else 0
            wanted = left if self._most is None else min(left, self._most)
            done = 0
            for name in self._order(key):
                if done >= wanted:
                    break
                task = _Task(hit_id, name, question, form, key)
                done += self._submit(connection, now, task)
        self._hits += bool(done)
        self._assignments += done
        self._left += max(left - done, 0)

    def report(self) -> WorkReport:
        return WorkReport(
            hits=self._hits,
            assignments=self._assignments,
            workers=len(self._active),
            left=self._left,
            unfilled=tuple(self._unfilled),
            without_form=tuple(self._without_form),
        )

    def _copy(self, text: str) -> int:
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._copies[digest] += 1
        return self._copies[digest]

    def _order(self, key: str) -> Iterator[str]:
        return iter(_chance(key).sample(self._workers, len(self._workers)))

    def _submit(self, connection: sqlalchemy.Connection, now: int, task: _Task) -> bool:
        chance = _chance(f"{task.worker_id}\n{task.key}")
        seconds = round(_TYPICAL_WORK_SECONDS * chance.lognormvariate(0, 0.6))
        try:
            assignment_id = worker.accept_in(
                connection,
                now,
                task.hit_id,
                task.worker_id,
                seconds_ago=seconds,
                veteran=self._veterans,
            )
        except worker.WorkerError:
            return False  # has done it before, or is not admitted
        filled = forms.fill(task.form, chance)
        worker.submit_in(
            connection, now, assignment_id, task.worker_id, filled.fields, asked=task.question
        )
        self._active.add(task.worker_id)
        self._unfilled.update(dict.fromkeys(filled.unfilled))
        return True


def _chance(key: str) -> random.Random:
    return random.Random(hashlib.sha256(key.encode()).digest())


def _chosen(database: store.Store, hit_ids: Sequence[str] | None) -> list[str]:
    """Give the HITs in the order of their creation, which does not depend on their ids."""
    hits = schema.hits
    with sweep.reading(database) as (connection, _):
        if hit_ids is None:
            query = select(hits.c.hit_id).where(hits.c.status == "Assignable")
            return list(connection.scalars(query.order_by(hits.c.sequence)))
        found: dict[str, int] = {}
        for start in range(0, len(hit_ids), _CHUNK):
            some = list(hit_ids[start : start + _CHUNK])
            rows = connection.execute(
                select(hits.c.hit_id, hits.c.sequence).where(hits.c.hit_id.in_(some))
            )
            found.update((row.hit_id, row.sequence) for row in rows)
    for hit_id in hit_ids:
        if hit_id not in found:
            raise worker.WorkerError(f"There is no HIT {hit_id}.")
    return sorted(found, key=found.__getitem__)
