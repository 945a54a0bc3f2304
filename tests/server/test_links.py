"""Visits of recruiting links: places, HITs and ends, decided in the database."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from turkbatch.server import (
    clock,
    groups,
    inprocess,
    links,
    people,
    recruiting,
    schema,
    service,
    store,
    sweep,
    visits,
    worker,
)

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

MakeHit = Callable[..., str]
MakeLink = Callable[..., recruiting.Link]
ANSWER = [("comment", "blue")]
LEASE = 600


@pytest.fixture
def make_link(database: store.Store) -> MakeLink:
    def make(*hit_ids: str, name: str = "study", types: tuple[str, ...] = (), **more: Any) -> Any:
        work = [recruiting.Work("hit", one) for one in hit_ids]
        work += [recruiting.Work("hit_type", one) for one in types]
        options = {name: more.pop(name) for name in ("codes", "once") if name in more}
        return recruiting.add(
            database,
            name,
            "prolific",
            recruiting.settings_for("prolific", **options),
            work=work,
            **{"lease_seconds": LEASE, **more},
        )

    return make


def pid(number: int) -> str:
    return f"{number:024x}"


def come(
    database: store.Store, link: recruiting.Link, number: int = 1, session: str = "", **more: Any
) -> visits.Visit:
    session = session or f"{number + 1000:024x}"
    arrival = links.Arrival(pid(number), "a" * 24, session, **more)
    return links.arrive(database, link.link_id, arrival)[0]


def do_all(database: store.Store, visit: visits.Visit) -> links.Step:
    """Do one HIT after the other until there is none."""
    while True:
        step = links.proceed(database, visit.visit_id)
        if step.assignment_id is None:
            return step
        links.submit(database, step.assignment_id, visit.worker_id, ANSWER)


def state_of(database: store.Store, visit: visits.Visit) -> str:
    found = links.look(database, visit.visit_id).visit
    return found.state


def later(database: store.Store, seconds: int) -> None:
    clock.Clock(database).advance(seconds)


def test_a_participant_becomes_a_worker_of_the_link_s_group_and_does_its_hits(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), make_hit(), make_hit(), hits_each=2, group="lab")
    visit = come(database, link)
    person = people.find(database, visit.worker_id)
    assert person is not None
    assert (person.worker_id, person.group, person.origin) == (pid(1), "lab", "prolific")
    assert not person.has_password
    step = do_all(database, visit)
    assert (step.visit.state, step.done, step.visit.holds_until) == ("completed", 2, None)


def test_hits_of_a_type_that_are_made_later_are_done_too(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink, inside: MTurkClient
) -> None:
    first = make_hit()
    type_id = inside.get_hit(HITId=first)["HIT"]["HITTypeId"]
    link = make_link(types=(type_id,), hits_each=5)
    make_hit()
    assert do_all(database, come(database, link)).done == 2


def test_a_second_arrival_of_the_same_session_continues_the_visit_and_its_hit(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), make_hit())
    visit = come(database, link)
    step = links.proceed(database, visit.visit_id)
    again = come(database, link)
    assert again == visit
    assert links.proceed(database, again.visit_id) == step


def test_a_new_session_goes_on_with_what_the_person_did_not_finish(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), places=1)
    visit = come(database, link, session="b" * 24)
    step = links.proceed(database, visit.visit_id)
    again = come(database, link, session="c" * 24)
    assert (again.visit_id, again.session_id) == (visit.visit_id, "c" * 24)
    assert again.extras["earlier_sessions"] == ["b" * 24]
    assert links.proceed(database, again.visit_id).assignment_id == step.assignment_id
    assert links.places_taken(database, link) == 1


def test_a_person_takes_part_once_whatever_sessions_they_come_with(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), make_hit())
    do_all(database, come(database, link, session="b" * 24))
    again = come(database, link, session="c" * 24)
    assert again.state == "repeated"
    assert recruiting.code_after(link, again.state) == ""


def test_each_session_is_a_visit_of_its_own_where_the_link_says_so(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), make_hit(), once=False)
    states = [do_all(database, come(database, link, session=one * 24)).visit.state for one in "bcd"]
    assert states == ["completed", "completed", "full"]


def test_there_are_no_more_participants_than_places_and_leaving_frees_one(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(MaxAssignments=9), places=2)
    first, second, third = (come(database, link, number) for number in (1, 2, 3))
    assert [one.state for one in (first, second, third)] == ["working", "working", "full"]
    do_all(database, first)
    links.leave(database, second.visit_id)
    assert come(database, link, 4).state == "working"
    assert come(database, link, 5).state == "full"


def test_the_hit_of_who_leaves_goes_to_the_next(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(MaxAssignments=1))
    first, second = come(database, link, 1), come(database, link, 2)
    held = links.proceed(database, first.visit_id)
    assert held.assignment_id is not None
    links.leave(database, first.visit_id)
    assert worker.task(database, held.assignment_id).state == "Returned"
    assert do_all(database, second).visit.state == "completed"


def test_a_place_whose_time_is_over_comes_back_with_its_hit(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(MaxAssignments=1, LifetimeInSeconds=86_400), places=1)
    slow = come(database, link, 1)
    links.proceed(database, slow.visit_id)
    later(database, LEASE - 60)
    assert come(database, link, 2).state == "full"
    later(database, 60)
    quick = come(database, link, 3)
    assert (quick.state, state_of(database, slow)) == ("working", "timed_out")
    assert do_all(database, quick).visit.state == "completed"


def test_a_hit_ends_with_the_place_even_if_nobody_looks_at_the_link(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    hit_id = make_hit(MaxAssignments=1, LifetimeInSeconds=86_400)
    visit = come(database, make_link(hit_id, lease_seconds=120))
    step = links.proceed(database, visit.visit_id)
    assert step.assignment_id is not None
    assert worker.task(database, step.assignment_id).deadline == visit.holds_until
    later(database, 120)
    assert [one.hit_id for one in worker.offers(database, "A1")] == [hit_id]


def test_who_left_or_was_too_slow_goes_on_if_there_is_a_place(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), make_hit(), places=1)
    slow = come(database, link)
    later(database, LEASE)
    assert state_of(database, slow) == "timed_out"
    assert come(database, link).state == "working"
    links.leave(database, slow.visit_id)
    other = come(database, link, 2)
    assert come(database, link).state == "left"
    links.leave(database, other.visit_id)
    assert links.resume(database, slow.visit_id).state == "working"
    assert do_all(database, slow).visit.state == "completed"


def test_late_answers_count_if_nobody_else_has_the_hit_and_there_is_a_place(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), places=1)
    slow = come(database, link)
    step = links.proceed(database, slow.visit_id)
    assert step.assignment_id is not None
    later(database, LEASE)
    assert state_of(database, slow) == "timed_out"
    links.submit(database, step.assignment_id, slow.worker_id, ANSWER)
    assert worker.task(database, step.assignment_id).state == "Submitted"
    assert links.proceed(database, slow.visit_id).visit.state == "completed"


def test_late_answers_of_who_lost_the_place_are_kept_and_not_counted(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(MaxAssignments=1, LifetimeInSeconds=86_400), places=1)
    slow = come(database, link, 1)
    step = links.proceed(database, slow.visit_id)
    assert step.assignment_id is not None
    later(database, LEASE)
    quick = come(database, link, 2)
    do_all(database, quick)
    links.submit(database, step.assignment_id, slow.worker_id, ANSWER)

    assert state_of(database, slow) == "late"
    assert recruiting.code_after(link, "late") == ""
    assert links.places_taken(database, link) == 1
    with database.read() as connection:
        (kept,) = connection.execute(schema.late_answers.select()).all()
    assert (kept.visit_id, kept.worker_id) == (slow.visit_id, slow.worker_id)
    assert "<FreeText>blue</FreeText>" in kept.answer
    with pytest.raises(worker.WorkerError, match="can't be submitted"):
        links.submit(database, step.assignment_id, slow.worker_id, ANSWER)


def test_an_assignment_whose_own_time_ends_first_is_taken_late_within_the_visit(
    database: store.Store, inside: MTurkClient, question: Callable[[], str], make_link: MakeLink
) -> None:
    hit_id = inside.create_hit(
        Title="t",
        Description="d",
        Reward="0.01",
        AssignmentDurationInSeconds=60,
        LifetimeInSeconds=3600,
        MaxAssignments=1,
        Question=question(),
    )["HIT"]["HITId"]
    visit = come(database, make_link(hit_id))
    step = links.proceed(database, visit.visit_id)
    assert step.assignment_id is not None
    later(database, 61)
    assert worker.task(database, step.assignment_id).state == "Abandoned"
    links.submit(database, step.assignment_id, visit.worker_id, ANSWER)
    assert links.proceed(database, visit.visit_id).visit.state == "completed"


def test_answers_of_who_left_on_purpose_are_refused(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    visit = come(database, make_link(make_hit()))
    step = links.proceed(database, visit.visit_id)
    assert step.assignment_id is not None
    links.leave(database, visit.visit_id)
    with pytest.raises(worker.WorkerError, match="it is returned"):
        links.submit(database, step.assignment_id, visit.worker_id, ANSWER)


def test_the_requester_takes_a_participant_s_place_back(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(), places=1)
    visit = come(database, link)
    (ended,) = links.release(database, link.link_id, pid(1))
    assert (ended.visit_id, ended.state) == (visit.visit_id, "returned")
    assert links.release(database, link.link_id, pid(1)) == []
    assert come(database, link).state == "returned"
    assert come(database, link, 2).state == "working"


@pytest.mark.parametrize(
    ("status", "state"), [("RETURNED", "returned"), ("TIMED-OUT", "timed_out")]
)
def test_who_went_on_the_platform_gives_the_place_back(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink, status: str, state: str
) -> None:
    link = make_link(make_hit(MaxAssignments=1), places=2)
    visit, other = come(database, link, 1), come(database, link, 2)
    links.proceed(database, visit.visit_id)
    told = [
        links.Submission(visit.session_id, visit.participant_id, "a" * 24, status),
        links.Submission(other.session_id, other.participant_id, "a" * 24, "ACTIVE"),
        links.Submission("e" * 24, "f" * 24, "a" * 24, status),
    ]
    ended = links.reconcile(database, link, told, proves=True)
    assert [(one.visit_id, one.state) for one in ended] == [(visit.visit_id, state)]
    assert do_all(database, other).visit.state == "completed"
    assert links.reconcile(database, link, told, proves=True) == []


def test_a_closed_link_lets_nobody_new_in_and_those_at_work_finish(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit())
    visit = come(database, link, 1)
    recruiting.set_open(database, link.name, False)
    assert come(database, link, 2).state == "full"
    assert do_all(database, visit).visit.state == "completed"
    recruiting.set_open(database, link.name, True)
    assert come(database, link, 3).state == "working"


def test_without_any_hit_left_a_newcomer_s_visit_is_full_and_another_s_completed(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit(MaxAssignments=1), make_hit(MaxAssignments=2), hits_each=3)
    first, second, third = (come(database, link, number) for number in (1, 2, 3))
    done = [do_all(database, one) for one in (first, second, third)]
    assert [(one.visit.state, one.done) for one in done] == [
        ("completed", 2),
        ("completed", 1),
        ("full", 0),
    ]


def test_a_hit_that_was_given_back_comes_again_only_after_the_others(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    first, second = make_hit(), make_hit()
    visit = come(database, make_link(first, second, hits_each=2))
    given = []
    for _ in range(3):
        step = links.proceed(database, visit.visit_id)
        assert step.assignment_id is not None
        given.append(worker.task(database, step.assignment_id).hit_id)
        worker.return_hit(database, step.assignment_id, visit.worker_id)
    assert given == [first, second, first]


# Requirements


def qualification(inside: MTurkClient, **more: Any) -> str:
    made = inside.create_qualification_type(
        Name="Colours", Description="Knows colours.", QualificationTypeStatus="Active", **more
    )
    return made["QualificationType"]["QualificationTypeId"]


def guarded(inside: MTurkClient, question: str, type_id: str, *values: int) -> str:
    required: Any = {"QualificationTypeId": type_id, "Comparator": "Exists"}
    if values:
        required |= {"Comparator": "GreaterThanOrEqualTo", "IntegerValues": list(values)}
    return inside.create_hit(
        Title="t",
        Description="d",
        Reward="0.01",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        Question=question,
        QualificationRequirements=[required],
    )["HIT"]["HITId"]


def test_a_participant_is_offered_the_qualification_that_the_hits_need(
    database: store.Store, inside: MTurkClient, question: Callable[[], str], make_link: MakeLink
) -> None:
    type_id = qualification(inside, AutoGranted=True, AutoGrantedValue=1)
    visit = come(database, make_link(guarded(inside, question(), type_id)))
    step = links.proceed(database, visit.visit_id)
    assert [one.qualification_type_id for one in step.wanted] == [type_id]
    assert (step.wanted[0].name, step.wanted[0].has_test) == ("Colours", False)
    worker.request_qualification(database, type_id, visit.worker_id)
    assert do_all(database, visit).visit.state == "completed"


def test_who_waits_for_the_owner_keeps_the_place_and_a_refusal_screens_out(
    database: store.Store, inside: MTurkClient, question: Callable[[], str], make_link: MakeLink
) -> None:
    type_id = qualification(inside)
    visit = come(database, make_link(guarded(inside, question(), type_id)))
    asked = worker.request_qualification(database, type_id, visit.worker_id)
    step = links.proceed(database, visit.visit_id)
    assert (step.visit.state, step.waiting, step.wanted) == ("working", True, ())
    inside.reject_qualification_request(QualificationRequestId=asked.request_id)
    assert links.proceed(database, visit.visit_id).visit.state == "screened_out"


@pytest.mark.parametrize(
    "obstacle", ["a system type", "too high for what is granted", "a foreign type", "a block"]
)
def test_who_can_never_meet_the_requirements_is_screened_out(
    database: store.Store,
    inside: MTurkClient,
    question: Callable[[], str],
    make_link: MakeLink,
    obstacle: str,
) -> None:
    match obstacle:
        case "a system type":
            hit_id = guarded(inside, question(), "00000000000000000040", 95)
        case "a block":
            hit_id = guarded(inside, question(), qualification(inside, AutoGranted=True))
            inside.create_worker_block(WorkerId="A1", Reason="r")
        case "a foreign type":
            type_id = qualification(inside)
            hit_id = guarded(inside, question(), type_id)
            inside.update_qualification_type(
                QualificationTypeId=type_id, QualificationTypeStatus="Inactive"
            )
        case _:
            type_id = qualification(inside, AutoGranted=True, AutoGrantedValue=1)
            hit_id = guarded(inside, question(), type_id, 50)
    visit = come(database, make_link(hit_id))
    if obstacle == "a block":
        inside.create_worker_block(WorkerId=visit.worker_id, Reason="r")
    step = links.proceed(database, visit.visit_id)
    assert (step.visit.state, step.done) == ("screened_out", 0)


def test_hits_without_requirements_are_done_and_then_what_else_is_needed_is_offered(
    database: store.Store,
    inside: MTurkClient,
    question: Callable[[], str],
    make_hit: MakeHit,
    make_link: MakeLink,
) -> None:
    closed = guarded(inside, question(), "00000000000000000040", 95)
    link = make_link(closed, make_hit(), hits_each=2)
    step = do_all(database, come(database, link))
    assert (step.visit.state, step.done) == ("completed", 1)


# Who it is


def test_an_unproven_arrival_never_comes_into_a_proven_account(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    open_to_all = make_link(make_hit(), name="open", group="lab")
    proving = make_link(make_hit(), name="proving", group="lab")
    come(database, proving, verified="token")
    with pytest.raises(links.NotAdmitted, match="proven when you came before"):
        come(database, open_to_all)
    with pytest.raises(links.NotAdmitted, match="proven when you came before"):
        come(database, proving)


def test_a_proof_ends_the_sessions_of_whoever_came_before_without_one(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit())
    visit = come(database, link)
    before = people.find(database, visit.worker_id)
    again = come(database, link, verified="api")
    after = people.find(database, visit.worker_id)
    assert before is not None
    assert after is not None
    assert (again.visit_id, again.verified) == (visit.visit_id, "api")
    assert after.generation == before.generation + 1


def test_a_participant_never_becomes_an_invited_worker_of_the_same_id(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    people.add(database, groups.DEFAULT, [pid(1)])
    visit = come(database, make_link(make_hit()))
    assert visit.worker_id != pid(1)
    assert people.find(database, visit.worker_id) is not None


def test_who_is_disabled_is_not_let_in(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    link = make_link(make_hit())
    visit = come(database, link)
    people.set_disabled(database, visit.worker_id, True)
    with pytest.raises(links.NotAdmitted, match="can't take part"):
        come(database, link)


def test_participants_accept_no_hits_of_their_own_choice_and_others_do(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    hit_id = make_hit()
    visit = come(database, make_link(make_hit()))
    with pytest.raises(worker.WorkerError, match="gives you its HITs itself"):
        links.accept(database, hit_id, visit.worker_id)
    do_all(database, visit)
    with pytest.raises(worker.WorkerError, match="came here for a study"):
        links.accept(database, hit_id, visit.worker_id)
    assert worker.task(database, links.accept(database, hit_id, "A1")).state == "Accepted"


def test_declining_ends_the_visit_and_tells_where(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    visit = come(database, make_link(make_hit(), places=1))
    assert links.declined(database, visit.worker_id) == f"/visits/{visit.visit_id}"
    assert state_of(database, visit) == "no_consent"
    assert links.declined(database, visit.worker_id) is None
    assert links.declined(database, "A1") is None


def test_which_visit_somebody_goes_on_with(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink
) -> None:
    first = come(database, make_link(make_hit(), name="one", group="lab"))
    held = links.proceed(database, first.visit_id).assignment_id
    second = come(database, make_link(make_hit(), name="two", group="lab"))
    assert links.visit_of(database, first.worker_id) == second.visit_id
    assert links.visit_of(database, first.worker_id, held) == first.visit_id
    assert links.visit_of(database, "A1") is None
    for visit in (first, second):
        links.leave(database, visit.visit_id)
    assert links.visit_of(database, first.worker_id) == second.visit_id


@pytest.mark.parametrize("noted", [False, True])
def test_addresses_and_browsers_are_kept_only_where_the_group_says_so(
    database: store.Store, make_hit: MakeHit, make_link: MakeLink, noted: bool
) -> None:
    link = make_link(make_hit())
    groups.put(database, link.group, records_addresses=noted)
    visit = come(database, link, address="192.0.2.1", browser="Lynx")
    with database.read() as connection:
        row = connection.execute(
            schema.visits.select().where(schema.visits.c.visit_id == visit.visit_id)
        ).one()
    assert (row.address, row.browser) == (("192.0.2.1", "Lynx") if noted else (None, None))


# Many at once


_RUSH = """
import sys
from turkbatch.server import links, store

name, link_id, share = sys.argv[1:]
with store.Store.open(name) as database:
    for number in range(int(share), 40, 4):
        arrival = links.Arrival(f"{number:024x}", "a" * 24, f"{number + 1000:024x}")
        visit, _ = links.arrive(database, link_id, arrival)
        while visit.is_open:
            step = links.proceed(database, visit.visit_id)
            visit = step.visit
            if step.assignment_id is not None:
                answer = [("comment", "blue")]
                links.submit(database, step.assignment_id, visit.worker_id, answer)
        print(visit.state)
"""


def _by_threads(database: store.Store, link: recruiting.Link) -> list[str]:
    def rush(share: int) -> list[str]:
        came = [come(database, link, number) for number in range(share, 40, 4)]
        for visit in came:
            if visit.is_open:
                do_all(database, visit)
        return [state_of(database, visit) for visit in came]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return [state for states in pool.map(rush, range(4)) for state in states]


def _by_processes(name: str, link: recruiting.Link) -> list[str]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _RUSH, name, link.link_id, str(share)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for share in range(4)
    ]
    outputs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    return " ".join(outputs).split()


def assert_sound(database: store.Store, places: int) -> None:
    """Count anew: places, and assignments of each HIT."""
    with sweep.reading(database) as (connection, now):
        rows = connection.execute(schema.visits.select()).all()
        taken = [
            row
            for row in rows
            if row.state == "completed" or (row.state == "working" and row.holds_until > now)
        ]
        assert len(taken) <= places
        hits = {row.hit_id: row for row in connection.execute(schema.hits.select())}
        kept: dict[str, list[str]] = {}
        for row in connection.execute(schema.assignments.select()):
            if row.state not in ("Returned", "Abandoned"):
                kept.setdefault(row.hit_id, []).append(row.worker_id)
        for hit_id, workers in kept.items():
            assert len(workers) <= hits[hit_id].max_assignments
            assert len(set(workers)) == len(workers)


@pytest.mark.parametrize("by", ["threads", "processes"])
def test_a_rush_fills_the_places_and_gives_no_hit_twice(
    database: store.Store, database_name: str, make_hit: MakeHit, make_link: MakeLink, by: str
) -> None:
    link = make_link(*(make_hit(MaxAssignments=1) for _ in range(12)), hits_each=2, places=6)
    states = _by_threads(database, link) if by == "threads" else _by_processes(database_name, link)
    assert (states.count("completed"), states.count("full")) == (6, 34)
    assert_sound(database, 6)
    with sweep.reading(database) as (connection, _):
        rows = connection.execute(schema.hits.select()).all()
    assert [row.submitted for row in rows] == [1] * 12


class Study(RuleBasedStateMachine):
    """A link with three places, and participants who do whatever they can at any time."""

    new_database: Callable[[], str]
    question: str

    @initialize()
    def open(self) -> None:
        self.database = store.Store.open(type(self).new_database())
        served = service.Service(self.database)
        self.client = _client(served)
        ids = [
            self.client.create_hit(
                Title=f"t{number}",
                Description="d",
                Reward="0.01",
                AssignmentDurationInSeconds=300,
                LifetimeInSeconds=86_400,
                MaxAssignments=2,
                Question=type(self).question,
            )["HIT"]["HITId"]
            for number in range(3)
        ]
        self.link = recruiting.add(
            self.database,
            "study",
            "prolific",
            recruiting.settings_for("prolific"),
            work=[recruiting.Work("hit", one) for one in ids],
            hits_each=2,
            places=3,
            lease_seconds=LEASE,
        )
        self.finished: dict[str, str] = {}
        self.pages: dict[int, str] = {}

    def _visit(self, number: int) -> visits.Visit | None:
        return links.of_session(
            self.database, self.link.link_id, pid(number), f"{number + 1000:024x}"
        )

    @rule(number=st.integers(0, 4))
    def arrive(self, number: int) -> None:
        come(self.database, self.link, number)

    @rule(number=st.integers(0, 4))
    def go_on(self, number: int) -> None:
        visit = self._visit(number)
        if visit is not None:
            step = links.proceed(self.database, visit.visit_id)
            if step.assignment_id is not None:
                self.pages[number] = step.assignment_id

    @rule(number=st.integers(0, 4))
    def submit(self, number: int) -> None:
        """Hand in what the page shows that was opened last, however old it is."""
        if number in self.pages:
            with contextlib.suppress(worker.WorkerError):
                links.submit(self.database, self.pages[number], pid(number), ANSWER)

    @rule(number=st.integers(0, 4))
    def leave(self, number: int) -> None:
        visit = self._visit(number)
        if visit is not None:
            links.leave(self.database, visit.visit_id)

    @rule(number=st.integers(0, 4), status=st.sampled_from(["RETURNED", "TIMED-OUT", "ACTIVE"]))
    def hear(self, number: int, status: str) -> None:
        told = links.Submission(f"{number + 1000:024x}", pid(number), "a" * 24, status)
        links.reconcile(self.database, self.link, [told], proves=True)

    @rule(number=st.integers(0, 4))
    def release(self, number: int) -> None:
        links.release(self.database, self.link.link_id, pid(number))

    @rule(seconds=st.sampled_from([1, 299, 301, LEASE]))
    def wait(self, seconds: int) -> None:
        later(self.database, seconds)

    @invariant()
    def adds_up(self) -> None:
        if not hasattr(self, "link"):
            return
        assert_sound(self.database, 3)
        with sweep.reading(self.database) as (connection, _):
            for row in connection.execute(schema.visits.select()).all():
                held = links._held(connection, row.visit_id)
                # Who is not at work holds nothing, and nobody holds two.
                assert len(held) <= (row.state == "working")
                assert (row.holds_until is None) is (row.state != "working")
                # What is completed, or otherwise final, stays so.
                before = self.finished.setdefault(row.visit_id, row.state)
                if before in ("completed", "screened_out", "full", "returned", "late"):
                    assert row.state == before
                self.finished[row.visit_id] = row.state
                done = links._done(connection, row.visit_id)
                assert done <= 2
                if row.state == "completed":
                    assert done >= 1

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()


def _client(served: service.Service) -> MTurkClient:
    from tests.server import conftest

    client: MTurkClient = conftest._client("http://127.0.0.1:9")
    inprocess.attach(client, served)
    return client


def test_places_and_assignments_add_up_whatever_participants_do(
    new_database: Callable[[], str], question: Callable[[], str]
) -> None:
    machine = type(
        "OneStudy", (Study,), {"new_database": staticmethod(new_database), "question": question()}
    )
    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(max_examples=25, stateful_step_count=30, deadline=None),
    )


def test_every_state_of_a_visit_is_explained() -> None:
    states = get_args(visits.State)
    assert visits.__doc__ is not None
    assert [one for one in states if f"\n{one} " not in visits.__doc__] == []
    assert {*visits.FINISHED, *visits.RESUMABLE} <= set(states)
    assert dataclasses.is_dataclass(visits.Visit)
