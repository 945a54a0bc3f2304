"""Who came by a recruiting link, what they did and are owed, and what was written to pay by.

The paying is done on the platform, by files that it takes. What goes into a file is written
into the database first, under the file's number, and then into the file. If the power fails in
between, there is a number and no file: the same lines can be written again under their number.
What is in the database is in no second file, so that nobody is paid twice because a command
ran twice; and it is listed, so that nothing is lost in silence.
"""

from __future__ import annotations

import collections
import dataclasses
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import sqlalchemy
from sqlalchemy import func, select

from turkbatch.server import lifecycle, links, recruiting, schema, service, store, sweep, visits

Kind = Literal["approval", "bonus"]

_HANDED_IN: Final = ("AWAITING REVIEW", "APPROVED", "PARTIALLY APPROVED", "Pending", "Approved")
_NOT_PAID: Final = ("RETURNED", "TIMED-OUT", "REJECTED", "Rejected", "SCREENED OUT")
_DECIDED: Final = ("APPROVED", "PARTIALLY APPROVED", "Approved")
_visits, _did, _payouts = schema.visits, schema.visit_assignments, schema.payouts


class PayoutError(ValueError):
    """What was asked of a file to pay by can't be done; the message is for who asked."""


@dataclasses.dataclass(frozen=True)
class LateAnswer:
    """Answers that came when the place was another's.

    Parameters
    ----------
    assignment_id, hit_id : str
        What they answer.
    at : int
        Seconds since 1970.
    answer : str
        QuestionFormAnswers XML.
    """

    assignment_id: str
    hit_id: str
    at: int
    answer: str


@dataclasses.dataclass(frozen=True)
class Line:
    """One visit, and what came of it.

    Parameters
    ----------
    visit : visits.Visit
        Whose.
    waiting, approved, rejected : int
        Assignments handed in, by what their requesters have decided.
    late : tuple of LateAnswer
        What came too late.
    rewards_cents, bonus_cents : int
        For approved assignments, and bonuses for any of them, as granted here.
    unwritten_cents : int
        Of the bonuses, what is in no file yet.
    approval_file : str or None
        Number of the file of approvals that has it.
    platform_status : str or None
        What the platform last said, in its words.
    notes : tuple of str
        What does not fit together, one clause each.
    """

    visit: visits.Visit
    waiting: int
    approved: int
    rejected: int
    late: tuple[LateAnswer, ...]
    rewards_cents: int
    bonus_cents: int
    unwritten_cents: int
    approval_file: str | None
    platform_status: str | None
    notes: tuple[str, ...]

    @property
    def done(self) -> int:
        """HITs that were handed in, late ones included."""
        return self.waiting + self.approved + self.rejected + len(self.late)


@dataclasses.dataclass(frozen=True)
class PaidLine:
    """One line of a file to pay by.

    Parameters
    ----------
    participant_id, session_id : str
        As the platform calls them.
    amount_cents : int
        To be paid; of an approval, what it earned here.
    """

    participant_id: str
    session_id: str
    amount_cents: int


@dataclasses.dataclass(frozen=True)
class Payout:
    """What goes, or went, into one file.

    Parameters
    ----------
    file_id : str
        Its number.
    kind : {"approval", "bonus"}
        What it is for.
    written_at : int
        Seconds since 1970.
    lines : tuple of PaidLine
        One for each session.
    """

    file_id: str
    kind: str
    written_at: int
    lines: tuple[PaidLine, ...]

    @property
    def amount_cents(self) -> int:
        """All of it."""
        return sum(line.amount_cents for line in self.lines)


@dataclasses.dataclass(frozen=True)
class Report:
    """All that is known about a link.

    Parameters
    ----------
    lines : tuple of Line
        One for each visit, in the order of arrival.
    strangers : tuple of links.Submission
        What the platform has, and nobody came here with.
    payouts : tuple of Payout
        Files that were written, the oldest first.
    """

    lines: tuple[Line, ...]
    strangers: tuple[links.Submission, ...]
    payouts: tuple[Payout, ...]


def report(served: service.Service | store.Store, link: recruiting.Link) -> Report:
    """Match who came, what they finished and are owed, and what the platform says.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Of what.

    Returns
    -------
    Report
        As of now.
    """
    links.lapse(served, link)
    with sweep.reading(service.store_of(served)) as (connection, _):
        known = _submissions(connection, link)
        found = _visits_of(connection, link)
        lines = tuple(_lines(connection, link, found, known))
        here = {one.session_id for one in found}
        here |= {str(s) for one in found for s in one.extras.get("earlier_sessions", [])}
        strangers = tuple(one for one in known.values() if one.session_id not in here)
        return Report(lines, strangers, tuple(_payouts_of(connection, link)))


def approve(served: service.Service | store.Store, link: recruiting.Link) -> Payout | None:
    """Put those who are done and approved into a new file.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Of what.

    Returns
    -------
    Payout or None
        Visits that are completed, with nothing left to review and something approved, which
        are in no file and not decided on the platform. None if there is nobody new.
    """
    lines = [line for line in report(served, link).lines if is_to_approve(line)]
    rows = [(one.visit.worker_id, one.visit.visit_id, one.rewards_cents) for one in lines]
    return _write(served, link, "approval", rows)


def pay(
    served: service.Service | store.Store, link: recruiting.Link, *, with_rewards: bool = False
) -> Payout | None:
    """Put bonuses that are in no file into a new one.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Of what.
    with_rewards : bool
        Whether rewards of approved assignments go in as well: for platforms that pay little
        or nothing by themselves.

    Returns
    -------
    Payout or None
        None if there is nothing new.
    """
    with sweep.reading(service.store_of(served)) as (connection, _):
        rows = _bonuses(connection, link)
        if with_rewards:
            rows += _rewards(connection, link)
    return _write(served, link, "bonus", rows)


def again(served: service.Service | store.Store, link: recruiting.Link, file_id: str) -> Payout:
    """Give the lines of a file once more, for a file that was lost.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Of what.
    file_id : str
        The file's number.

    Returns
    -------
    Payout
        The same lines, except that erased participants have their pseudonyms.

    Raises
    ------
    PayoutError
        If the link has no such file.
    """
    with sweep.reading(service.store_of(served)) as (connection, _):
        found = {one.file_id: one for one in _payouts_of(connection, link)}
    if file_id not in found:
        listed = ", ".join(found) or "none"
        raise PayoutError(f'{link.name} has no file "{file_id}"; its files are {listed}')
    return found[file_id]


def is_to_approve(line: Line) -> bool:
    """Tell whether a visit belongs into the next file of approvals.

    Parameters
    ----------
    line : Line
        Of a report.

    Returns
    -------
    bool
    """
    return (
        line.visit.state == "completed"
        and not line.waiting
        and line.approved > 0
        and line.approval_file is None
        and line.platform_status not in (*_NOT_PAID, *_DECIDED)
    )


_Row = tuple[str, str, int]
"""Worker, subject, cents."""


def _write(
    served: service.Service | store.Store, link: recruiting.Link, kind: Kind, rows: Sequence[_Row]
) -> Payout | None:
    file_id = secrets.token_hex(4)
    with sweep.writing(service.store_of(served)) as (connection, now):
        # What another command wrote meanwhile is not written again.
        taken = set(
            connection.scalars(
                select(_payouts.c.subject).where(
                    _payouts.c.link_id == link.link_id, _payouts.c.kind == kind
                )
            )
        )
        # Nor does the platform know the pseudonyms of those who are erased.
        here = set(connection.scalars(select(schema.people.c.worker_id)))
        fresh = [row for row in rows if row[1] not in taken and row[0] in here]
        if not fresh:
            return None
        for worker_id, subject, cents in fresh:
            values = {"worker_id": worker_id, "subject": subject, "amount_cents": cents}
            key = {"link_id": link.link_id, "kind": kind, "file_id": file_id, "written_at": now}
            connection.execute(_payouts.insert(), key | values)
        (made,) = (one for one in _payouts_of(connection, link) if one.file_id == file_id)
        return made


def _bonuses(connection: sqlalchemy.Connection, link: recruiting.Link) -> list[_Row]:
    table = schema.bonuses
    query = (
        select(table.c.worker_id, table.c.sequence, table.c.amount_cents)
        .join(_did, _did.c.assignment_id == table.c.assignment_id)
        .join(_visits, _visits.c.visit_id == _did.c.visit_id)
        .where(_visits.c.link_id == link.link_id, table.c.amount_cents > 0)
        .order_by(table.c.sequence)
    )
    rows = connection.execute(query)
    return [(row.worker_id, f"bonus:{row.sequence}", row.amount_cents) for row in rows]


def _rewards(connection: sqlalchemy.Connection, link: recruiting.Link) -> list[_Row]:
    work, hits = schema.assignments, schema.hits
    query = (
        select(work.c.worker_id, work.c.assignment_id, hits.c.reward_cents)
        .join(hits, hits.c.hit_id == work.c.hit_id)
        .join(_did, _did.c.assignment_id == work.c.assignment_id)
        .join(_visits, _visits.c.visit_id == _did.c.visit_id)
        .where(
            _visits.c.link_id == link.link_id,
            work.c.state == "Approved",
            hits.c.reward_cents > 0,
        )
        .order_by(work.c.sequence)
    )
    rows = connection.execute(query)
    return [(row.worker_id, f"reward:{row.assignment_id}", row.reward_cents) for row in rows]


def _payouts_of(connection: sqlalchemy.Connection, link: recruiting.Link) -> list[Payout]:
    query = (
        _payouts.select().where(_payouts.c.link_id == link.link_id).order_by(_payouts.c.sequence)
    )
    rows = connection.execute(query).all()
    whose = _visits_by_subject(connection, link, rows)
    files: dict[str, list[Any]] = {}
    for row in rows:
        files.setdefault(row.file_id, []).append(row)
    return [
        Payout(file_id, some[0].kind, some[0].written_at, tuple(_added_up(some, whose)))
        for file_id, some in files.items()
    ]


def _added_up(rows: Iterable[Any], whose: dict[str, visits.Visit]) -> Iterable[PaidLine]:
    """Give one line a session: some platforms take the last of several amounts."""
    cents: collections.Counter[tuple[str, str]] = collections.Counter()
    for row in rows:
        one = whose[row.subject]
        cents[one.participant_id, one.session_id] += row.amount_cents
    return [PaidLine(*key, amount) for key, amount in cents.items()]


def _visits_by_subject(
    connection: sqlalchemy.Connection, link: recruiting.Link, rows: Iterable[Any]
) -> dict[str, visits.Visit]:
    own = {one.visit_id: one for one in _visits_of(connection, link)}
    query = select(_did).where(
        _did.c.visit_id.in_(select(_visits.c.visit_id).where(_visits.c.link_id == link.link_id))
    )
    through = {row.assignment_id: own[row.visit_id] for row in connection.execute(query)}
    table = schema.bonuses
    named = select(table.c.sequence, table.c.assignment_id).where(
        table.c.assignment_id.in_(select(query.subquery().c.assignment_id))
    )
    of_bonus = {row.sequence: row.assignment_id for row in connection.execute(named)}
    found = {}
    for row in rows:
        kind, _, key = row.subject.partition(":")
        if kind == "bonus":
            found[row.subject] = through[of_bonus[int(key)]]
        elif kind == "reward":
            found[row.subject] = through[key]
        else:
            found[row.subject] = own[row.subject]
    return found


def _visits_of(connection: sqlalchemy.Connection, link: recruiting.Link) -> list[visits.Visit]:
    query = _visits.select().where(_visits.c.link_id == link.link_id).order_by(_visits.c.sequence)
    return [visits.from_row(row) for row in connection.execute(query)]


def _submissions(
    connection: sqlalchemy.Connection, link: recruiting.Link
) -> dict[str, links.Submission]:
    table = schema.platform_submissions
    query = table.select().where(table.c.link_id == link.link_id).order_by(table.c.session_id)
    return {
        row.session_id: links.Submission(
            row.session_id, row.participant_id, row.study_id, row.status, row.code or ""
        )
        for row in connection.execute(query)
    }


@dataclasses.dataclass
class _Sums:
    """What is counted for one visit."""

    states: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    rewards: int = 0
    bonuses: int = 0
    unwritten: int = 0
    late: list[LateAnswer] = dataclasses.field(default_factory=list)
    approval_file: str | None = None


def _lines(
    connection: sqlalchemy.Connection,
    link: recruiting.Link,
    found: Sequence[visits.Visit],
    known: dict[str, links.Submission],
) -> Iterable[Line]:
    sums = _sums(connection, link)
    for visit in found:
        own = sums[visit.visit_id]
        said = known.get(visit.session_id)
        yield Line(
            visit=visit,
            waiting=own.states["Submitted"],
            approved=own.states["Approved"],
            rejected=own.states["Rejected"],
            late=tuple(own.late),
            rewards_cents=own.rewards,
            bonus_cents=own.bonuses,
            unwritten_cents=own.unwritten,
            approval_file=own.approval_file,
            platform_status=None if said is None else said.status,
            notes=tuple(_notes(link, visit, own, said, is_told=bool(known))),
        )


def _sums(
    connection: sqlalchemy.Connection, link: recruiting.Link
) -> collections.defaultdict[str, _Sums]:
    sums: collections.defaultdict[str, _Sums] = collections.defaultdict(_Sums)
    work, hits = schema.assignments, schema.hits
    own = _did.join(_visits, _visits.c.visit_id == _did.c.visit_id)
    here = _visits.c.link_id == link.link_id
    done = (
        select(_did.c.visit_id, work.c.state, func.count(), func.sum(hits.c.reward_cents))
        .select_from(own)
        .join(work, work.c.assignment_id == _did.c.assignment_id)
        .join(hits, hits.c.hit_id == work.c.hit_id)
        .where(here, work.c.state.in_(lifecycle.VISIBLE_STATES))
        .group_by(_did.c.visit_id, work.c.state)
    )
    for visit_id, state, count, cents in connection.execute(done):
        sums[visit_id].states[state] = count
        if state == "Approved":
            sums[visit_id].rewards = int(cents)  # PostgreSQL adds up to a Decimal
    _add_bonuses(connection, link, sums)
    table = schema.late_answers
    late = select(table).join(_visits, _visits.c.visit_id == table.c.visit_id).where(here)
    for row in connection.execute(late.order_by(table.c.at)):
        answer = LateAnswer(row.assignment_id, row.hit_id, row.at, row.answer)
        sums[row.visit_id].late.append(answer)
    written = _payouts.select().where(
        _payouts.c.link_id == link.link_id, _payouts.c.kind == "approval"
    )
    for row in connection.execute(written):
        sums[row.subject].approval_file = row.file_id
    return sums


def _add_bonuses(
    connection: sqlalchemy.Connection,
    link: recruiting.Link,
    sums: collections.defaultdict[str, _Sums],
) -> None:
    table = schema.bonuses
    query = (
        select(_did.c.visit_id, table.c.sequence, table.c.amount_cents)
        .join(_visits, _visits.c.visit_id == _did.c.visit_id)
        .join(table, table.c.assignment_id == _did.c.assignment_id)
        .where(_visits.c.link_id == link.link_id)
    )
    written = select(_payouts.c.subject).where(_payouts.c.link_id == link.link_id)
    in_files = set(connection.scalars(written))
    for visit_id, sequence, cents in connection.execute(query):
        sums[visit_id].bonuses += cents
        if f"bonus:{sequence}" not in in_files:
            sums[visit_id].unwritten += cents


def _notes(
    link: recruiting.Link,
    visit: visits.Visit,
    own: _Sums,
    said: links.Submission | None,
    *,
    is_told: bool,
) -> Iterable[str]:
    """Say what does not fit together; each is for a person to look into."""
    if own.late:
        yield f"{len(own.late)} answers came late and are kept; pay them as you think right"
    if visit.state in ("left", "timed_out", "returned") and own.states.total():
        yield f"{visit.state.replace('_', ' ')} after {own.states.total()} of the HITs"
    if link.settings.credit_url and visit.state == "completed" and visit.credit != "granted":
        yield f"credit was not granted by the server: {visit.credit or 'not asked yet'}"
    if said is None:
        if is_told and visit.state not in ("full", "repeated"):
            yield "the platform does not list this session"
        return
    if said.participant_id and said.participant_id != visit.participant_id:
        yield f"the platform says that the session is {said.participant_id}'s"
    is_done = visit.state in ("completed", "late")
    if is_done and said.status in _NOT_PAID:
        yield f"finished here, and {said.status} on the platform"
    if not is_done and said.status in _HANDED_IN and visit.state in ("working", "left"):
        yield f"{said.status} on the platform, and {visit.state} here"
    expected = recruiting.code_after(link, visit.state)
    if said.code and said.code != expected:
        yield f"gave the code {said.code}" + (f" instead of {expected}" if expected else "")
