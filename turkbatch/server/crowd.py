"""Simulated workers: they read the form that they are shown, and fill it in.

Answers are repeatable: they follow from the seed, the question's text, how many HITs with
the same text came before, and the worker's number. Ids of HITs, which differ each time,
play no part. The crowd is the same whatever the seed: worker 1 always has the same id.

Each worker seems to have worked for a plausible time: an assignment is accepted so long
before it is submitted, but not before its HIT was made. On a HIT made a moment ago that
leaves no time; move the clock first where it matters.

How well they work is their :class:`Manner`. Without one each answers by chance, for itself.

The crowd is there to work, so unless told otherwise its workers are veterans: they pass for
whatever a requirement on a system type asks (locale, counts, rates, Masters), and for types
that this server doesn't have. Qualifications that were created here they must be given like
anybody, and who is blocked stays out.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import sqlalchemy
from sqlalchemy import select

from turkbatch.server import forms, lifecycle, questions, schema, service, store, sweep, worker

_TYPICAL_WORK_SECONDS: Final = 75.0
_SPAM_SECONDS: Final = 6.0
_CHUNK: Final = 500


@dataclasses.dataclass(frozen=True)
class Manner:
    """How well simulated workers work, and how fast.

    Parameters
    ----------
    accuracy : float, optional
        How often a field is answered right, from 0 to 1, where it is known what is right. If
        it is given, workers who don't know agree so often on the options of a field.
    spam : float
        Share of the workers, from 0 to 1, who answer by chance, within seconds. Who they are
        follows from the seed; with a larger share, the same ones are among them.
    speed : float
        How many times as fast as usual they work.

    Raises
    ------
    ValueError
        If one is out of its bounds.
    """

    accuracy: float | None = None
    spam: float = 0.0
    speed: float = 1.0

    def __post_init__(self) -> None:
        for name, share in (("accuracy", self.accuracy or 0.0), ("spam", self.spam)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} {share:g} is no share: give a number from 0 to 1")
        if not 0 < self.speed < float("inf"):
            raise ValueError(f"speed {self.speed:g} is none: give a number above 0")


@dataclasses.dataclass(frozen=True)
class Errand:
    """An assignment that a worker does at a place of their own, such as a browser.

    What is answered there is what the worker would have answered here.

    Parameters
    ----------
    hit_id, worker_id : str
        Who does what.
    question : questions.Question
        The HIT's.
    answer : callable
        Takes a form, or the part of it that has come to light; tells what to do with each of
        its fields.
    accept : callable
        Accepts the HIT as the crowd does, whatever is required of a worker who comes by
        themself; gives the assignment's id.
    """

    hit_id: str
    worker_id: str
    question: questions.Question
    answer: Callable[[forms.Form], forms.Answers]
    accept: Callable[[], str]


class Place(Protocol):
    """Where workers do some HITs, instead of reading their pages here."""

    def has(self, hit_id: str) -> bool:
        """Tell whether a HIT is done there."""

    def do(self, errand: Errand) -> str | None:
        """Accept, fill in, submit.

        Parameters
        ----------
        errand : Errand
            What to do.

        Returns
        -------
        str or None
            The assignment that was submitted; None if that could not be done, and the
            assignment was given back.

        Raises
        ------
        worker.WorkerError
            If the worker may not accept it.
        """


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
    spammers : tuple of str
        Workers who submitted something and answered by chance.
    untold : tuple of (str, str)
        HITs and fields whose right answer is nothing that could be answered there.
    out_of_time : int
        Assignments that took longer than a worker has; they were submitted at the last moment.
    """

    hits: int
    assignments: int
    workers: int
    left: int
    unfilled: tuple[str, ...] = ()
    without_form: tuple[str, ...] = ()
    spammers: tuple[str, ...] = ()
    untold: tuple[tuple[str, str], ...] = ()
    out_of_time: int = 0


def work(
    served: service.Service | store.Store,
    *,
    hit_ids: Sequence[str] | None = None,
    workers: int = 10,
    seed: int = 0,
    assignments: int | None = None,
    veterans: bool = True,
    manner: Manner | None = None,
    truth: Mapping[str, Mapping[str, str]] | None = None,
    place: Place | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WorkReport:
    """Have simulated workers do the HITs that are open.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_ids : sequence of str, optional
        Which HITs, in the order in which they are done; all that are open, if not given.
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
    manner : Manner, optional
        How they work.
    truth : mapping, optional
        What is right: by HIT id and name of the field.
    place : Place, optional
        Where some of the HITs are done; what is wrong with their pages it keeps itself.
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
    crew = _Crew(
        database,
        workers,
        seed,
        assignments,
        veterans=veterans,
        manner=manner or Manner(),
        truth=truth or {},
        place=place,
    )
    chosen = _chosen(database, hit_ids)
    for number, hit_id in enumerate(chosen, start=1):
        crew.do(hit_id)
        if progress is not None:
            progress(number, len(chosen))
    return crew.report()


def fields(served: service.Service | store.Store, hit_id: str) -> tuple[str, ...]:
    """Tell what simulated workers find to fill in on a HIT's page.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_id : str
        The HIT.

    Returns
    -------
    tuple of str
        Names of fields, in the order of the page.

    Raises
    ------
    worker.WorkerError
        If there is no such HIT.
    """
    form = forms.read(questions.parse(worker.question(served, hit_id)))
    return tuple(field.name for field in form.fields if field.asks)


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
    duration_seconds: int


class _Crew:
    def __init__(
        self,
        database: store.Store,
        workers: int,
        seed: int,
        assignments: int | None,
        *,
        veterans: bool,
        manner: Manner,
        truth: Mapping[str, Mapping[str, str]],
        place: Place | None,
    ) -> None:
        self._store = database
        self._place = place
        self._workers = [worker_id(number) for number in range(1, workers + 1)]
        self._seed = seed
        self._most = assignments
        self._veterans = veterans
        self._manner = manner
        self._truth = truth
        order = _chance(f"{seed}\nspammers").sample(self._workers, workers)
        self._spammers = frozenset(order[: round(manner.spam * workers)])
        self._durations: dict[str, int] = {}
        self._copies: collections.Counter[str] = collections.Counter()
        self._hits = self._assignments = self._left = 0
        self._active: set[str] = set()
        self._unfilled: dict[str, None] = {}
        self._without_form: list[str] = []
        self._untold: dict[tuple[str, str], None] = {}
        self._out_of_time = 0

    def do(self, hit_id: str) -> None:
        if self._place is not None and self._place.has(hit_id):
            done, left = self._do_there(self._place, hit_id)
        else:
            done, left = self._do_here(hit_id)
        self._hits += bool(done)
        self._assignments += done
        self._left += max(left - done, 0)

    def _do_here(self, hit_id: str) -> tuple[int, int]:
        # One transaction for all workers on a HIT: writing to disk is what takes time here.
        with sweep.writing(self._store) as (connection, now):
            task, left = self._look_at(connection, now, hit_id)
            if task.form.asks_nothing:
                self._without_form.append(hit_id)
            wanted = left if self._most is None else min(left, self._most)
            done = 0
            for name in self._order(task.key):
                # Nobody else takes any of them before this transaction ends.
                if done >= wanted:
                    break
                done += self._submit(connection, now, dataclasses.replace(task, worker_id=name))
        return done, left

    def _do_there(self, place: Place, hit_id: str) -> tuple[int, int]:
        with sweep.reading(self._store) as (connection, now):
            task, left = self._look_at(connection, now, hit_id)
        wanted = left if self._most is None else min(left, self._most)
        done = tried = 0
        for name in self._order(task.key):
            # Who fails there fails because of the page: another worker would, too.
            if tried >= wanted:
                break
            with contextlib.suppress(worker.WorkerError):
                done += self._send(place, dataclasses.replace(task, worker_id=name))
                tried += 1
        return done, left

    def _look_at(
        self, connection: sqlalchemy.Connection, now: int, hit_id: str
    ) -> tuple[_Task, int]:
        """Read a HIT; tell how many of its assignments are left."""
        text = worker.question_of(connection, hit_id)
        key = f"{self._seed}\n{self._copy(text)}\n{text}"
        question = questions.parse(text)
        hit = sweep.find_hit(connection, hit_id)
        left = hit.available if hit is not None and lifecycle.is_open(hit, now) else 0
        duration = 0 if hit is None else self._duration(connection, hit.hit_type_id)
        return _Task(hit_id, "", question, forms.read(question), key, duration), left

    def report(self) -> WorkReport:
        return WorkReport(
            hits=self._hits,
            assignments=self._assignments,
            workers=len(self._active),
            left=self._left,
            unfilled=tuple(self._unfilled),
            without_form=tuple(self._without_form),
            spammers=tuple(one for one in self._workers if one in self._active & self._spammers),
            untold=tuple(self._untold),
            out_of_time=self._out_of_time,
        )

    def _duration(self, connection: sqlalchemy.Connection, hit_type_id: str) -> int:
        if hit_type_id not in self._durations:
            table = schema.hit_types.c
            query = select(table.assignment_duration_seconds).where(
                table.hit_type_id == hit_type_id
            )
            self._durations[hit_type_id] = connection.execute(query).scalar_one()
        return self._durations[hit_type_id]

    def _copy(self, text: str) -> int:
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._copies[digest] += 1
        return self._copies[digest]

    def _order(self, key: str) -> Iterator[str]:
        return iter(_chance(key).sample(self._workers, len(self._workers)))

    def _submit(self, connection: sqlalchemy.Connection, now: int, task: _Task) -> bool:
        chance, seconds = self._begin(task)
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
        filled = forms.fill(task.form, chance, knowledge=self._knowledge(task))
        worker.submit_in(
            connection, now, assignment_id, task.worker_id, filled.fields, asked=task.question
        )
        self._note(task, filled)
        self._finish(task, seconds)
        return True

    def _send(self, place: Place, task: _Task) -> bool:
        chance, seconds = self._begin(task)
        knowledge = self._knowledge(task)

        def answer(form: forms.Form) -> forms.Answers:
            answers = forms.answer(form, chance, knowledge=knowledge)
            self._note(task, answers)
            return answers

        def accept() -> str:
            with sweep.writing(self._store) as (connection, now):
                return worker.accept_in(
                    connection, now, task.hit_id, task.worker_id, veteran=self._veterans
                )

        errand = Errand(task.hit_id, task.worker_id, task.question, answer, accept)
        assignment_id = place.do(errand)
        if assignment_id is None:
            return False
        self._backdate(assignment_id, seconds, task.duration_seconds)
        self._finish(task, seconds)
        return True

    def _begin(self, task: _Task) -> tuple[random.Random, int]:
        """Give a worker's chance on a HIT, and how many seconds the work takes."""
        chance = _chance(f"{task.worker_id}\n{task.key}")
        typical = _SPAM_SECONDS if task.worker_id in self._spammers else _TYPICAL_WORK_SECONDS
        return chance, round(typical * chance.lognormvariate(0, 0.6) / self._manner.speed)

    def _note(self, task: _Task, done: forms.Filled | forms.Answers) -> None:
        self._unfilled.update(dict.fromkeys(done.unfilled))
        self._untold.update(dict.fromkeys((task.hit_id, name) for name in done.untold))

    def _finish(self, task: _Task, seconds: int) -> None:
        self._active.add(task.worker_id)
        self._out_of_time += seconds >= task.duration_seconds

    def _backdate(self, assignment_id: str, seconds: int, duration: int) -> None:
        """Have work begun as long before its submission as it took by the worker's own pace."""
        table, hits = schema.assignments, schema.hits
        with sweep.writing(self._store) as (connection, _):
            row = connection.execute(
                select(table.c.submitted_at, hits.c.created_at)
                .join(hits, hits.c.hit_id == table.c.hit_id)
                .where(table.c.assignment_id == assignment_id)
            ).one()
            begun = max(row.created_at, row.submitted_at - min(seconds, duration - 1))
            connection.execute(
                table.update()
                .where(table.c.assignment_id == assignment_id)
                .values(accepted_at=begun, deadline=begun + duration)
            )

    def _knowledge(self, task: _Task) -> forms.Knowledge | None:
        if task.worker_id in self._spammers:
            return None
        accuracy = self._manner.accuracy
        return forms.Knowledge(
            truth=self._truth.get(task.hit_id, {}),
            accuracy=1.0 if accuracy is None else accuracy,
            opinion=None if accuracy is None else task.key,
        )


def _chance(key: str) -> random.Random:
    return random.Random(hashlib.sha256(key.encode()).digest())


def _chosen(database: store.Store, hit_ids: Sequence[str] | None) -> list[str]:
    """Give the HITs in an order that does not depend on their ids: as named, or as made."""
    hits = schema.hits
    with sweep.reading(database) as (connection, _):
        if hit_ids is None:
            query = select(hits.c.hit_id).where(hits.c.status == "Assignable")
            return list(connection.scalars(query.order_by(hits.c.sequence)))
        found: set[str] = set()
        for start in range(0, len(hit_ids), _CHUNK):
            some = list(hit_ids[start : start + _CHUNK])
            found.update(connection.scalars(select(hits.c.hit_id).where(hits.c.hit_id.in_(some))))
    for hit_id in hit_ids:
        if hit_id not in found:
            raise worker.WorkerError(f"There is no HIT {hit_id}.")
    return list(dict.fromkeys(hit_ids))
