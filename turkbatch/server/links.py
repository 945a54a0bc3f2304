"""What participants of a recruiting link do: arrive, work, leave, and end with a code.

A visit is one participant's way through one session of a link. Each of these functions
decides and writes in one transaction that nobody else writes beside, so that no more
participants than there are places are at work or done, and no HIT's assignment is given twice,
from however many processes.

States of visits, and what they mean, are in :mod:`turkbatch.server.visits`.

What was done is read from the assignments, never from what a page says. Times are by the
server's own clock. A place that is due to be given back is given back by whoever looks next at
the link; nothing has to be polled.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

import sqlalchemy
from sqlalchemy import func, select

from turkbatch.server import (
    answers,
    groups,
    lifecycle,
    next_hit,
    people,
    questions,
    recruiting,
    schema,
    service,
    store,
    sweep,
    uploads,
    visits,
    worker,
)

_visits = schema.visits
_did = schema.visit_assignments


class NotAdmitted(Exception):  # noqa: N818, the visitor is told why
    """The visitor is not let in; the message is for the visitor. Nothing is stored."""


@dataclasses.dataclass(frozen=True)
class Arrival:
    """Who came to a link's address, as far as it is known.

    Parameters
    ----------
    participant_id, study_id, session_id : str
        As the platform gave them; empty where the link has no such parameter.
    verified : str
        What proves them: ``nothing``, ``api`` or ``token``.
    extras : Mapping
        Further parameters that the link keeps.
    address, browser : str or None
        Forgotten unless the group records them.
    """

    participant_id: str
    study_id: str = ""
    session_id: str = ""
    verified: str = visits.UNPROVEN
    extras: Mapping[str, str] = dataclasses.field(default_factory=dict)
    address: str | None = None
    browser: str | None = None


@dataclasses.dataclass(frozen=True)
class Step:
    """What comes next in a visit.

    Parameters
    ----------
    visit : Visit
        As it is now.
    assignment_id : str or None
        A HIT that the participant holds now.
    wanted : tuple of Wanted
        Qualifications without which there is no HIT.
    waiting : bool
        Whether a requester has to decide about a qualification first.
    done : int
        HITs that were handed in.
    has_begun : bool
        Whether the participant was ever given a HIT, or asked for what the HITs require.
    out_of_work : bool
        Whether there is no HIT now, for which reason the visit would end.
    """

    visit: visits.Visit
    assignment_id: str | None = None
    wanted: tuple[next_hit.Wanted, ...] = ()
    waiting: bool = False
    done: int = 0
    has_begun: bool = True
    out_of_work: bool = False


def arrive(
    served: service.Service | store.Store, link_id: str, arrival: Arrival
) -> tuple[visits.Visit, people.Person]:
    """Let somebody in at a link, or go on with the visit that they have.

    Parameters
    ----------
    served : Service or Store
        Where.
    link_id : str
        The link.
    arrival : Arrival
        Who, and what proves it.

    Returns
    -------
    tuple of (Visit, Person)
        The visit, working or over, and whose it is.

    Raises
    ------
    NotAdmitted
        If the person is disabled, or their ids were proven before and are not now.
    LinkError
        If there is no such link.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        link = recruiting.find_in(connection, link_id)
        if link is None:
            raise recruiting.LinkError(f"there is no link {link_id}")
        _lapse(connection, now, link_id)
        person = people.arrive(
            connection,
            now,
            group=link.group,
            provider=link.provider.name,
            participant_id=arrival.participant_id,
        )
        _check_admitted(connection, person, arrival)
        _end_unproven_sessions(connection, person, arrival)
        found = visits.of_session(connection, link_id, arrival.participant_id, arrival.session_id)
        if found is not None:
            visit = _continue(connection, now, link, found, arrival)
        else:
            visit = _begin(connection, now, link, person, arrival)
    known = people.find(served, person.worker_id)
    if known is None:
        raise NotAdmitted("Your data was erased just now. Open the study on the platform again.")
    return visit, known


def find(served: service.Service | store.Store, visit_id: str) -> visits.Visit | None:
    """Look up a visit.

    Parameters
    ----------
    served : Service or Store
        Where.
    visit_id : str
        Its id.

    Returns
    -------
    Visit or None
        None if there is none.
    """
    with sweep.reading(service.store_of(served)) as (connection, _):
        return visits.find(connection, visit_id)


def of_session(
    served: service.Service | store.Store, link_id: str, participant_id: str, session_id: str
) -> visits.Visit | None:
    """Look up the visit of a session.

    Parameters
    ----------
    served : Service or Store
        Where.
    link_id, participant_id, session_id : str
        Which.

    Returns
    -------
    Visit or None
        None if nobody came with it.
    """
    with sweep.reading(service.store_of(served)) as (connection, _):
        return visits.of_session(connection, link_id, participant_id, session_id)


def look(served: service.Service | store.Store, visit_id: str) -> Step:
    """Tell how far a visit is, without giving a HIT.

    Parameters
    ----------
    served : Service or Store
        Where.
    visit_id : str
        Which.

    Returns
    -------
    Step
        With a HIT if the participant holds one.

    Raises
    ------
    NotAdmitted
        If there is no such visit.
    """
    database = service.store_of(served)
    with sweep.reading(database) as (connection, now):
        found = visits.find(connection, visit_id)
        if found is not None and (found.holds_until is None or found.holds_until > now):
            return _looked(connection, found)
    # Its time is over, which is written down first.
    with sweep.writing(database) as (connection, now):
        _, found = _at(connection, now, visit_id)
        return _looked(connection, found)


def _looked(connection: sqlalchemy.Connection, found: visits.Visit) -> Step:
    held = _held(connection, found.visit_id)
    given = select(_did.c.assignment_id).where(_did.c.visit_id == found.visit_id).limit(1)
    table = schema.qualification_requests
    asked = (
        select(table.c.request_id)
        .where(table.c.worker_id == found.worker_id, table.c.asked_at >= found.arrived_at)
        .limit(1)
    )
    return Step(
        found,
        held[0] if held else None,
        done=_done(connection, found.visit_id),
        has_begun=any(connection.scalar(query) is not None for query in (given, asked)),
    )


def proceed(
    served: service.Service | store.Store, visit_id: str, *, may_run_out: bool = True
) -> Step:
    """Give a participant the next HIT, or end the visit if there is nothing left to do.

    The HIT is chosen and accepted at once. Those whose requirements ask nothing of a
    newcomer come first, the oldest first, and those that the participant gave back last.

    Parameters
    ----------
    served : Service or Store
        Where.
    visit_id : str
        Whose.
    may_run_out : bool
        Whether the visit ends if all HITs are done or taken; else the step says that they are.

    Returns
    -------
    Step
        What to show.

    Raises
    ------
    NotAdmitted
        If there is no such visit.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        link, visit = _at(connection, now, visit_id)
        done = _done(connection, visit_id)
        if not visit.is_open:
            return Step(visit, done=done)
        held = _held(connection, visit_id)
        if held:
            return Step(visit, held[0], done=done)
        if done >= link.hits_each:
            return Step(_end(connection, now, visit, "completed"), done=done)
        choice = next_hit.Choice(connection, now, link, visit.worker_id)
        hit_id = choice.hit()
        if hit_id is not None:
            assignment_id = worker.accept_in(connection, now, hit_id, visit.worker_id)
            row = {"assignment_id": assignment_id, "visit_id": visit_id}
            connection.execute(_did.insert(), row)
            _end_with_place(connection, assignment_id, visit)
            return Step(visit, assignment_id, done=done)
        if choice.wanted:
            return Step(visit, wanted=choice.wanted, done=done)
        if choice.waiting and not done:
            return Step(visit, waiting=True)
        if not (may_run_out or choice.is_closed):
            return Step(visit, done=done, out_of_work=True)
        state: visits.State = (
            "completed" if done else "screened_out" if choice.is_closed else "full"
        )
        return Step(_end(connection, now, visit, state), done=done)


def leave(served: service.Service | store.Store, visit_id: str) -> visits.Visit:
    """Give a participant's place and HIT back, at the participant's wish.

    Parameters
    ----------
    served : Service or Store
        Where.
    visit_id : str
        Which visit.

    Returns
    -------
    Visit
        As it was if it was over before.

    Raises
    ------
    NotAdmitted
        If there is no such visit.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        _, visit = _at(connection, now, visit_id)
        return _end(connection, now, visit, "left") if visit.is_open else visit


def resume(served: service.Service | store.Store, visit_id: str) -> visits.Visit:
    """Go on with a visit that was left or timed out, if there is a place.

    Parameters
    ----------
    served : Service or Store
        Where.
    visit_id : str
        Which visit.

    Returns
    -------
    Visit
        As it was if there is none, or it can't be gone on with.

    Raises
    ------
    NotAdmitted
        If there is no such visit.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        link, visit = _at(connection, now, visit_id)
        return _resumed(connection, now, link, visit)


def release(
    served: service.Service | store.Store, link_id: str, participant_id: str
) -> list[visits.Visit]:
    """Take a participant's place and HIT back, at the requester's wish.

    Parameters
    ----------
    served : Service or Store
        Where.
    link_id, participant_id : str
        Who, and where.

    Returns
    -------
    list of Visit
        Those that were ended; empty if none was at work.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        _lapse(connection, now, link_id)
        return [
            _end(connection, now, visit, "returned")
            for visit in visits.of_participant(connection, link_id, participant_id)
            if visit.is_open
        ]


def declined(served: service.Service | store.Store, worker_id: str) -> str | None:
    """End somebody's open visits, since they do not agree to their group's text.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who.

    Returns
    -------
    str or None
        Address on this site of where the latest of them ended; None if there was none.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        found = visits.open_of_worker(connection, now, worker_id)
        for visit in found:
            _end(connection, now, visit, "no_consent")
        return f"/visits/{found[0].visit_id}" if found else None


def visit_of(
    served: service.Service | store.Store, worker_id: str, assignment_id: str | None = None
) -> str | None:
    """Tell which visit somebody goes on with.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who.
    assignment_id : str, optional
        What they have just done: the visit that it belongs to comes first.

    Returns
    -------
    str or None
        The open visit that began last; of somebody who came by a link, and has none that is
        open, the last one. None for those who were invited.
    """
    with sweep.reading(service.store_of(served)) as (connection, now):
        if assignment_id is not None:
            through = (
                select(_visits.c.visit_id)
                .join(_did)
                .where(_did.c.assignment_id == assignment_id, _visits.c.worker_id == worker_id)
            )
            found = connection.scalar(through)
            if found is not None:
                return str(found)
        opened = visits.open_of_worker(connection, now, worker_id)
        if opened:
            return opened[0].visit_id
        if not _came_by_link(connection, worker_id):
            return None
        last = (
            select(_visits.c.visit_id)
            .where(_visits.c.worker_id == worker_id)
            .order_by(_visits.c.sequence.desc())
            .limit(1)
        )
        return connection.scalar(last)


def may_accept(connection: sqlalchemy.Connection, now: int, worker_id: str) -> str | None:
    """Tell why somebody can't accept HITs of their own choice.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    now : int
        Seconds since 1970.
    worker_id : str
        Who.

    Returns
    -------
    str or None
        A sentence for them; None if they can.
    """
    if visits.open_of_worker(connection, now, worker_id):
        return "You are taking part in a study, which gives you its HITs itself."
    if _came_by_link(connection, worker_id):
        return "You came here for a study; open it again on the platform that led you here."
    return None


def accept(served: service.Service | store.Store, hit_id: str, worker_id: str) -> str:
    """Accept a HIT of one's own choice.

    Parameters
    ----------
    served : Service or Store
        Where.
    hit_id, worker_id : str
        As of :func:`turkbatch.server.worker.accept`.

    Returns
    -------
    str
        The assignment's id.

    Raises
    ------
    WorkerError
        As there, and if the worker came by a link, which gives out its HITs itself.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        worker.check_worker_id(connection, worker_id)
        reason = may_accept(connection, now, worker_id)
        if reason is not None:
            raise worker.WorkerError(reason)
        return worker.accept_in(connection, now, hit_id, worker_id)


def submit(
    served: service.Service | store.Store,
    assignment_id: str,
    worker_id: str,
    fields: answers.Fields,
) -> None:
    """Hand in an assignment, even if its time or its visit's is over.

    Late answers of a participant are taken as if in time as long as nobody else has the
    assignment, and there is a place; else they are kept apart, and the report tells of them.

    Parameters
    ----------
    served : Service or Store
        Where.
    assignment_id, worker_id, fields
        As of :func:`turkbatch.server.worker.submit`.

    Raises
    ------
    WorkerError
        As there; in a visit not for lateness.
    """
    try:
        worker.submit(served, assignment_id, worker_id, fields)
    except worker.WorkerError:
        with sweep.writing(service.store_of(served)) as (connection, now):
            if not _submit_late(connection, now, assignment_id, worker_id, fields):
                raise


def has_place(served: service.Service | store.Store, link: recruiting.Link) -> bool:
    """Tell whether somebody new would be let in.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Of what.

    Returns
    -------
    bool
        Whether the number of places is not reached.
    """
    with sweep.reading(service.store_of(served)) as (connection, now):
        return _has_place(connection, now, link)


def places_taken(served: service.Service | store.Store, link: recruiting.Link) -> int:
    """Count who is at work or done.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Of what.

    Returns
    -------
    int
        How many places are taken.
    """
    with sweep.reading(service.store_of(served)) as (connection, now):
        return _taken(connection, now, link.link_id)


def note_credit(
    served: service.Service | store.Store, visit_id: str, outcome: str, *, before: str | None
) -> bool:
    """Write down what came of asking a platform for credit.

    Parameters
    ----------
    served : Service or Store
        Where.
    visit_id : str
        For which visit.
    outcome : str
        ``asked``, ``granted``, or why it was not.
    before : str or None
        What it was; otherwise nothing is changed, so that it is asked for once at a time.

    Returns
    -------
    bool
        Whether it was so.
    """
    change = _visits.update().where(
        _visits.c.visit_id == visit_id,
        _visits.c.credit.is_(None) if before is None else _visits.c.credit == before,
    )
    with service.store_of(served).write() as connection:
        return bool(connection.execute(change.values(credit=outcome)).rowcount)


@dataclasses.dataclass(frozen=True)
class Submission:
    """A submission as the platform has it.

    Parameters
    ----------
    session_id, participant_id, study_id : str
        As the platform calls them.
    status : str
        In the platform's words.
    code : str
        That the participant gave; empty if none.
    """

    session_id: str
    participant_id: str
    study_id: str
    status: str
    code: str = ""


def reconcile(
    served: service.Service | store.Store,
    link: recruiting.Link,
    submissions: Sequence[Submission],
    *,
    proves: bool,
) -> list[visits.Visit]:
    """Take over what the platform says of its submissions; places of those who went come back.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Whose.
    submissions : sequence of Submission
        All that the platform told.
    proves : bool
        Whether they come from the platform itself, and so prove the ids of visits.

    Returns
    -------
    list of Visit
        Those that were ended by it.
    """
    ended = []
    with sweep.writing(service.store_of(served)) as (connection, now):
        _lapse(connection, now, link.link_id)
        for one in submissions:
            _note_submission(connection, link, one)
            visit = visits.of_session(connection, link.link_id, one.participant_id, one.session_id)
            if visit is None:
                continue
            # Where nobody can prove an id, one that was must stay good without proof.
            if proves and visit.verified == visits.UNPROVEN and link.settings.verify == "api":
                visits.change(connection, visit, verified="api")
            if visit.is_open and one.status in link.provider.gone:
                state: visits.State = "timed_out" if one.status == "TIMED-OUT" else "returned"
                ended.append(_end(connection, now, visit, state))
    return ended


def lapse(served: service.Service | store.Store, link: recruiting.Link) -> None:
    """Give back the places whose time is over, before somebody looks at the link.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Which.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        _lapse(connection, now, link.link_id)


# Arriving


def _check_admitted(
    connection: sqlalchemy.Connection, person: people.Person, arrival: Arrival
) -> None:
    if person.disabled:
        raise NotAdmitted("You can't take part here any more. Write to the researchers.")
    if arrival.verified == visits.UNPROVEN and _is_proven(connection, person):
        # Who made the id up would come into another's account.
        raise NotAdmitted(
            "Your id was proven when you came before, and is not now. Open the study on the "
            "platform again, and follow its link."
        )


def _end_unproven_sessions(
    connection: sqlalchemy.Connection, person: people.Person, arrival: Arrival
) -> None:
    """Sign out whoever came before with an id that is proven now for the first time."""
    if arrival.verified == visits.UNPROVEN or _is_proven(connection, person):
        return
    table = schema.people
    connection.execute(
        table.update()
        .where(table.c.worker_id == person.worker_id)
        .values(generation=table.c.generation + 1)
    )


def _is_proven(connection: sqlalchemy.Connection, person: people.Person) -> bool:
    query = select(_visits.c.visit_id).where(
        _visits.c.worker_id == person.worker_id, _visits.c.verified != visits.UNPROVEN
    )
    return connection.scalar(query.limit(1)) is not None


def _continue(
    connection: sqlalchemy.Connection,
    now: int,
    link: recruiting.Link,
    found: visits.Visit,
    arrival: Arrival,
) -> visits.Visit:
    if found.verified == visits.UNPROVEN and arrival.verified != visits.UNPROVEN:
        found = visits.change(connection, found, verified=arrival.verified)
    return _resumed(connection, now, link, found)


def _begin(
    connection: sqlalchemy.Connection,
    now: int,
    link: recruiting.Link,
    person: people.Person,
    arrival: Arrival,
) -> visits.Visit:
    earlier = visits.of_participant(connection, link.link_id, arrival.participant_id)
    if link.settings.once:
        if any(one.state in visits.FINISHED for one in earlier):
            return _insert(connection, now, link, person, arrival, "repeated")
        unfinished = [one for one in earlier if one.state not in ("full", "repeated")]
        if unfinished:
            taken_over = _take_over(connection, now, link, unfinished[0], arrival)
            if taken_over is not None:
                return taken_over
    is_free = link.closed_at is None and _has_place(connection, now, link)
    return _insert(connection, now, link, person, arrival, "working" if is_free else "full")


def _take_over(
    connection: sqlalchemy.Connection,
    now: int,
    link: recruiting.Link,
    earlier: visits.Visit,
    arrival: Arrival,
) -> visits.Visit | None:
    """Let a new session go on with a person's unfinished visit; None if there is no place."""
    if not earlier.is_open and (link.closed_at or not _has_place(connection, now, link)):
        return None
    sessions = [*earlier.extras.get("earlier_sessions", []), earlier.session_id]
    return visits.change(
        connection,
        earlier,
        session_id=arrival.session_id,
        study_id=arrival.study_id,
        verified=max(earlier.verified, arrival.verified, key=lambda one: one != visits.UNPROVEN),
        extras=json.dumps({**arrival.extras, "earlier_sessions": sessions}),
        state="working",
        holds_until=now + link.lease_seconds,
        ended_at=None,
    )


def _resumed(
    connection: sqlalchemy.Connection, now: int, link: recruiting.Link, found: visits.Visit
) -> visits.Visit:
    if found.state not in visits.RESUMABLE or not _has_place(connection, now, link):
        return found
    until = now + link.lease_seconds
    return visits.change(connection, found, state="working", holds_until=until, ended_at=None)


def _insert(
    connection: sqlalchemy.Connection,
    now: int,
    link: recruiting.Link,
    person: people.Person,
    arrival: Arrival,
    state: visits.State,
) -> visits.Visit:
    noted = groups.records_addresses(connection, link.group)
    visit_id = recruiting.new_visit_id()
    is_open = state == "working"
    connection.execute(
        _visits.insert(),
        {
            "visit_id": visit_id,
            "link_id": link.link_id,
            "worker_id": person.worker_id,
            "participant_id": arrival.participant_id,
            "study_id": arrival.study_id,
            "session_id": arrival.session_id,
            "extras": json.dumps(dict(arrival.extras)),
            "verified": arrival.verified,
            "state": state,
            "arrived_at": now,
            "holds_until": now + link.lease_seconds if is_open else None,
            "ended_at": None if is_open else now,
            "address": arrival.address if noted else None,
            "browser": arrival.browser if noted else None,
        },
    )
    found = visits.find(connection, visit_id)
    assert found is not None, "it was put there a line above"
    return found


# Places


def _taken(connection: sqlalchemy.Connection, now: int, link_id: str) -> int:
    at_work = (_visits.c.state == "working") & (_visits.c.holds_until > now)
    query = select(func.count()).where(
        _visits.c.link_id == link_id, at_work | (_visits.c.state == "completed")
    )
    return connection.execute(query).scalar_one()


def _has_place(connection: sqlalchemy.Connection, now: int, link: recruiting.Link) -> bool:
    return link.places is None or _taken(connection, now, link.link_id) < link.places


def _lapse(connection: sqlalchemy.Connection, now: int, link_id: str) -> None:
    due = _visits.select().where(
        _visits.c.link_id == link_id, _visits.c.state == "working", _visits.c.holds_until <= now
    )
    for row in connection.execute(due).all():
        found = visits.from_row(row)
        ended = _end(connection, now, found, "timed_out")
        # Whoever has handed in what came too late stays who came too late.
        state = "late" if _late(connection, found.visit_id) else "timed_out"
        visits.change(connection, ended, ended_at=found.holds_until, state=state)


def _end(
    connection: sqlalchemy.Connection, now: int, ending: visits.Visit, state: visits.State
) -> visits.Visit:
    for assignment_id in _held(connection, ending.visit_id):
        assignment, hit = _with_hit(connection, assignment_id)
        sweep.save(connection, [lifecycle.give_up(hit, assignment, now, "Returned")])
    return visits.change(connection, ending, state=state, holds_until=None, ended_at=now)


# What was done


def _done(connection: sqlalchemy.Connection, visit_id: str) -> int:
    table = schema.assignments
    query = (
        select(func.count())
        .select_from(_did.join(table, table.c.assignment_id == _did.c.assignment_id))
        .where(_did.c.visit_id == visit_id, table.c.state.in_(lifecycle.VISIBLE_STATES))
    )
    return connection.execute(query).scalar_one() + _late(connection, visit_id)


def _late(connection: sqlalchemy.Connection, visit_id: str) -> int:
    query = select(func.count()).where(schema.late_answers.c.visit_id == visit_id)
    return connection.execute(query).scalar_one()


def _held(connection: sqlalchemy.Connection, visit_id: str) -> list[str]:
    table = schema.assignments
    query = (
        select(table.c.assignment_id)
        .join(_did, _did.c.assignment_id == table.c.assignment_id)
        .where(_did.c.visit_id == visit_id, table.c.state == "Accepted")
        .order_by(table.c.sequence)
    )
    return list(connection.scalars(query))


def _submit_late(
    connection: sqlalchemy.Connection,
    now: int,
    assignment_id: str,
    worker_id: str,
    fields: answers.Fields,
) -> bool:
    """Take late answers of a participant; False if they are none, or were handed in before."""
    query = select(_did.c.visit_id).where(_did.c.assignment_id == assignment_id)
    visit_id = connection.scalar(query)
    kept = select(schema.late_answers.c.at).where(
        schema.late_answers.c.assignment_id == assignment_id
    )
    if visit_id is None or connection.scalar(kept) is not None:
        return False
    link, found = _at(connection, now, visit_id)
    assignment, hit = _with_hit(connection, assignment_id)
    is_given_up = assignment.state in ("Returned", "Abandoned")
    # Who left, or was taken back, did not mean to hand anything in.
    meant = found.state in ("working", "timed_out", "late")
    if not (is_given_up and meant and found.worker_id == worker_id):
        return False
    found = _resumed(connection, now, link, found)
    if found.is_open and _is_free_again(connection, now, hit, worker_id):
        again = dataclasses.replace(
            assignment, state="Accepted", deadline=now + 1, due_at=now + 1, submitted_at=None
        )
        step = lifecycle.change(hit, now, "accept", assignment=again, pending=hit.pending + 1)
        sweep.save(connection, [step])
        worker.submit_in(connection, now, assignment_id, worker_id, fields)
    else:
        _keep(connection, now, found, assignment, fields)
    return True


def _is_free_again(
    connection: sqlalchemy.Connection, now: int, hit: lifecycle.Hit, worker_id: str
) -> bool:
    table = schema.assignments
    kept = select(table.c.assignment_id).where(
        table.c.hit_id == hit.hit_id,
        table.c.worker_id == worker_id,
        table.c.state.in_(["Accepted", *lifecycle.VISIBLE_STATES]),
    )
    return lifecycle.is_open(hit, now) and connection.scalar(kept) is None


def _keep(
    connection: sqlalchemy.Connection,
    now: int,
    found: visits.Visit,
    assignment: lifecycle.Assignment,
    fields: answers.Fields,
) -> None:
    asked = questions.parse(worker.question_of(connection, assignment.hit_id))
    id_ = assignment.assignment_id
    files = uploads.of_assignment(connection, id_) if asked.may_have_files else []
    connection.execute(
        schema.late_answers.insert(),
        {
            "assignment_id": id_,
            "visit_id": found.visit_id,
            "worker_id": found.worker_id,
            "hit_id": assignment.hit_id,
            "at": now,
            "answer": answers.document(fields, asked, files),
        },
    )
    if not found.is_open:
        visits.change(connection, found, state="late")


# Reading and changing


def _at(
    connection: sqlalchemy.Connection, now: int, visit_id: str
) -> tuple[recruiting.Link, visits.Visit]:
    """Look up a visit and its link, after all that was due there has happened."""
    found = visits.find(connection, visit_id)
    link = None if found is None else recruiting.find_in(connection, found.link_id)
    if link is None:
        raise NotAdmitted("There is no such visit. Open the study on the platform again.")
    _lapse(connection, now, link.link_id)
    found = visits.find(connection, visit_id)
    assert found is not None, "no visit is deleted"
    return link, found


def _came_by_link(connection: sqlalchemy.Connection, worker_id: str) -> bool:
    table = schema.people
    query = select(table.c.origin).where(table.c.worker_id == worker_id)
    return connection.scalar(query) not in (None, people.INVITED)


def _end_with_place(
    connection: sqlalchemy.Connection, assignment_id: str, visit: visits.Visit
) -> None:
    """Let an assignment last no longer than the place: its page counts down to that.

    So the HIT is free again when the place is, whether or not anybody looks at the link.
    """
    table = schema.assignments
    connection.execute(
        table.update()
        .where(table.c.assignment_id == assignment_id, table.c.deadline > visit.holds_until)
        .values(deadline=visit.holds_until, due_at=visit.holds_until)
    )


def _with_hit(
    connection: sqlalchemy.Connection, assignment_id: str
) -> tuple[lifecycle.Assignment, lifecycle.Hit]:
    assignment = sweep.find_assignment(connection, assignment_id)
    assert assignment is not None, "only assignments that were made are in visits"
    hit = sweep.find_hit(connection, assignment.hit_id)
    assert hit is not None, "the database holds assignments of HITs alone"
    return assignment, hit


def _note_submission(
    connection: sqlalchemy.Connection, link: recruiting.Link, one: Submission
) -> None:
    table = schema.platform_submissions
    own = (table.c.link_id == link.link_id) & (table.c.session_id == one.session_id)
    values = {
        "participant_id": one.participant_id,
        "study_id": one.study_id,
        "status": one.status,
        "code": one.code or None,
    }
    if not connection.execute(table.update().where(own).values(**values)).rowcount:
        key = {"link_id": link.link_id, "session_id": one.session_id}
        connection.execute(table.insert(), key | values)
