from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from turkbatch.server import (
    groups,
    links,
    people,
    recruiting,
    schema,
    service,
    store,
    sweep,
    worker,
)

PASSWORD = "correct horse battery"
OTHER = "staple battery horse"


@pytest.fixture
def anna(database: store.Store) -> people.Person:
    """Somebody with a password."""
    people.add(database, groups.DEFAULT, ["anna"])
    return people.redeem(database, people.invite(database, "anna"), PASSWORD)


def row(database: store.Store, worker_id: str) -> Any:
    with database.read() as connection:
        table = schema.people
        return connection.execute(table.select().where(table.c.worker_id == worker_id)).one()


def change(database: store.Store, worker_id: str, **values: object) -> None:
    table = schema.people
    with database.write() as connection:
        connection.execute(table.update().where(table.c.worker_id == worker_id), values)


def arrive(
    database: store.Store, participant: str, *, group: str = "study", provider: str = "prolific"
) -> people.Person:
    with sweep.writing(database) as (connection, now):
        groups.ensure(connection, group)
        return people.arrive(
            connection, now, group=group, provider=provider, participant_id=participant
        )


def test_an_account_begins_without_a_password_and_an_invitation_gives_it_one(
    database: store.Store,
) -> None:
    (added,) = people.add(database, groups.DEFAULT, ["anna"])
    assert (added.worker_id, added.group, added.origin) == ("anna", "everyone", "invited")
    assert (added.participant_id, added.has_password, added.disabled) == (None, False, False)
    token = people.invite(database, "anna")
    assert re.fullmatch("[A-Za-z0-9_-]{32}", token)
    assert people.invited(database, token) == added
    assert people.check_password(database, "anna", PASSWORD) is None
    redeemed = people.redeem(database, token, PASSWORD)
    assert redeemed.has_password
    assert redeemed.generation > added.generation
    assert people.check_password(database, "anna", PASSWORD) == redeemed
    assert people.check_password(database, "anna", OTHER) is None


@pytest.mark.usefixtures("anna")
def test_an_invitation_works_once(database: store.Store) -> None:
    token = people.invite(database, "anna")
    people.redeem(database, token, OTHER)
    assert people.invited(database, token) is None
    with pytest.raises(people.PeopleError, match="does not work any more"):
        people.redeem(database, token, PASSWORD)
    assert people.check_password(database, "anna", OTHER) is not None


def test_of_many_who_use_an_invitation_at_once_one_does(database: store.Store) -> None:
    people.add(database, groups.DEFAULT, ["anna"])
    token = people.invite(database, "anna")
    words = [f"password number {number}" for number in range(6)]
    outcomes: dict[str, str] = {}
    barrier = threading.Barrier(len(words))

    def use(word: str) -> None:
        barrier.wait()
        try:
            people.redeem(database, token, word)
            outcomes[word] = "done"
        except people.PeopleError:
            outcomes[word] = "refused"

    threads = [threading.Thread(target=use, args=[word]) for word in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes.values()) == ["done"] + ["refused"] * 5
    (winner,) = [word for word, outcome in outcomes.items() if outcome == "done"]
    assert people.check_password(database, "anna", winner) is not None


def test_a_new_invitation_ends_the_one_before(database: store.Store) -> None:
    people.add(database, groups.DEFAULT, ["anna"])
    first, second = people.invite(database, "anna"), people.invite(database, "anna")
    assert people.invited(database, first) is None
    assert people.invited(database, second) is not None


def test_an_invitation_expires_by_the_machines_clock(
    database: store.Store, served: service.Service
) -> None:
    people.add(database, groups.DEFAULT, ["anna"])
    token = people.invite(database, "anna", valid_seconds=3600)
    served.clock.advance(40 * 86_400)
    assert people.invited(database, token) is not None
    with database.write() as connection:
        connection.execute(schema.invitations.update(), {"expires_at": int(time.time())})
    assert people.invited(database, token) is None
    with pytest.raises(people.PeopleError, match="does not work any more"):
        people.redeem(database, token, PASSWORD)


@pytest.mark.usefixtures("anna")
def test_neither_token_nor_password_is_in_the_database(database: store.Store) -> None:
    token = people.invite(database, "anna")
    with database.read() as connection:
        text = "".join(
            repr(connection.execute(table.select()).all())
            for table in schema.metadata.tables.values()
        )
    assert token not in text
    assert PASSWORD not in text
    assert row(database, "anna").password_hash.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("password", "message"),
    [
        pytest.param("ninechars", "has 9 characters; 10 are the fewest", id="short"),
        pytest.param("", "has 0 characters", id="empty"),
        pytest.param("ä" * 501, "1,000 bytes are the most", id="long"),
    ],
)
def test_a_password_has_a_length_and_the_invitation_stays(
    database: store.Store, password: str, message: str
) -> None:
    people.add(database, groups.DEFAULT, ["anna"])
    token = people.invite(database, "anna")
    with pytest.raises(people.PeopleError, match=message):
        people.redeem(database, token, password)
    assert people.invited(database, token) is not None


@pytest.mark.parametrize(
    "password", ["          ", "ä" * 500, "passwort mit 🔑", "aaaaaaaaaa", "a\0b" * 4]
)
def test_any_characters_make_a_password(database: store.Store, password: str) -> None:
    people.add(database, groups.DEFAULT, ["anna"])
    people.redeem(database, people.invite(database, "anna"), password)
    assert people.check_password(database, "anna", password) is not None
    assert people.check_password(database, "anna", password + " ") is None


def test_ten_failures_lock_an_account_for_a_quarter_of_an_hour(
    database: store.Store, anna: people.Person
) -> None:
    for _ in range(10):
        assert people.check_password(database, "anna", OTHER) is None
    before = int(time.time())
    assert people.check_password(database, "anna", PASSWORD) is None
    assert row(database, "anna").locked_until == pytest.approx(before + 900, abs=60)
    assert [one.state for one in people.listed(database)] == ["locked"]
    change(database, "anna", locked_until=before - 1)
    assert people.check_password(database, "anna", PASSWORD) == anna
    assert row(database, "anna").failed_sign_ins == 0


def test_enabling_ends_a_lock(database: store.Store, anna: people.Person) -> None:
    change(database, "anna", failed_sign_ins=10, locked_until=int(time.time()) + 900)
    assert people.set_disabled(database, "anna", False) == anna
    assert people.check_password(database, "anna", PASSWORD) == anna


def test_a_success_begins_the_count_anew(database: store.Store, anna: people.Person) -> None:
    for _ in range(2):
        for _ in range(9):
            people.check_password(database, "anna", OTHER)
        assert people.check_password(database, "anna", PASSWORD) == anna


@pytest.mark.usefixtures("anna")
def test_a_lock_that_has_passed_leaves_ten_more_attempts(database: store.Store) -> None:
    change(database, "anna", failed_sign_ins=10, locked_until=int(time.time()) - 1)
    assert people.check_password(database, "anna", OTHER) is None
    assert (row(database, "anna").failed_sign_ins, row(database, "anna").locked_until) == (1, None)


@pytest.mark.usefixtures("anna")
def test_attempts_at_one_time_are_all_counted(database: store.Store) -> None:
    barrier = threading.Barrier(12)

    def guess() -> None:
        barrier.wait()
        people.check_password(database, "anna", OTHER)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Two found it locked, and were not tried.
    assert row(database, "anna").failed_sign_ins == 10
    assert row(database, "anna").locked_until is not None


def test_a_password_is_hashed_anew_when_the_parameters_are_raised(
    database: store.Store, anna: people.Person
) -> None:
    import argon2

    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    change(database, "anna", password_hash=weak)
    assert people.check_password(database, "anna", PASSWORD) == anna
    renewed = row(database, "anna").password_hash
    assert argon2.extract_parameters(renewed).memory_cost == 19 * 1024
    assert people.check_password(database, "anna", PASSWORD) == anna
    assert row(database, "anna").password_hash == renewed


@pytest.mark.usefixtures("anna")
def test_a_hash_that_cannot_be_read_lets_nobody_in(database: store.Store) -> None:
    change(database, "anna", password_hash="broken")
    assert people.check_password(database, "anna", PASSWORD) is None


def test_nobody_unknown_or_of_a_recruiting_link_signs_in_by_password(
    database: store.Store,
) -> None:
    arrive(database, "5f0c1e2d3a4b5c6d7e8f9a0b")
    assert people.check_password(database, "nobody", PASSWORD) is None
    assert people.check_password(database, "5f0c1e2d3a4b5c6d7e8f9a0b", PASSWORD) is None
    assert row(database, "5f0c1e2d3a4b5c6d7e8f9a0b").failed_sign_ins == 0
    with pytest.raises(people.PeopleError, match="came by a recruiting link of prolific"):
        people.invite(database, "5f0c1e2d3a4b5c6d7e8f9a0b")


def test_who_is_disabled_is_out_until_enabled(database: store.Store, anna: people.Person) -> None:
    token = people.invite(database, "anna")
    disabled = people.set_disabled(database, "anna", True)
    assert disabled.disabled
    assert disabled.generation > anna.generation
    assert people.check_password(database, "anna", PASSWORD) is None
    assert people.invited(database, token) is None
    with pytest.raises(people.PeopleError, match="enable the account first"):
        people.invite(database, "anna")
    assert people.set_disabled(database, "anna", True) == disabled
    enabled = people.set_disabled(database, "anna", False)
    assert enabled.generation == disabled.generation
    assert people.check_password(database, "anna", PASSWORD) == enabled
    assert people.invited(database, token) is None


def test_what_somebody_disabled_had_accepted_is_free_again(
    database: store.Store, make_hit: Callable[..., str]
) -> None:
    people.add(database, groups.DEFAULT, ["anna", "ben"])
    hits = [make_hit(MaxAssignments=1), make_hit(MaxAssignments=1)]
    held = [worker.accept(database, hit_id, "anna") for hit_id in hits]
    people.set_disabled(database, "anna", True)
    assert [worker.task(database, one).state for one in held] == ["Returned", "Returned"]
    assert worker.accept(database, hits[0], "ben")


def test_the_place_of_a_participant_who_is_disabled_is_free_again(
    database: store.Store, make_hit: Callable[..., str]
) -> None:
    work = [recruiting.Work("hit", make_hit(MaxAssignments=2))]
    chosen = recruiting.settings_for("generic")
    link = recruiting.add(database, "study", "generic", chosen, work=work, places=1)
    visit, person = links.arrive(database, link.link_id, links.Arrival("p-1", session_id="s-1"))
    assignment_id = links.proceed(database, visit.visit_id).assignment_id
    assert assignment_id is not None
    people.set_disabled(database, person.worker_id, True)
    assert worker.task(database, assignment_id).state == "Returned"
    assert links.places_taken(database, link) == 0
    with pytest.raises(links.NotAdmitted):
        links.arrive(database, link.link_id, links.Arrival("p-1", session_id="s-1"))
    again, _ = links.arrive(database, link.link_id, links.Arrival("p-2", session_id="s-2"))
    assert again.state == "working"


def test_a_password_can_be_changed_and_sessions_end(
    database: store.Store, anna: people.Person
) -> None:
    changed = people.set_password(database, "anna", OTHER)
    assert changed.generation > anna.generation
    assert people.check_password(database, "anna", PASSWORD) is None
    assert people.check_password(database, "anna", OTHER) == changed
    with pytest.raises(people.PeopleError, match="10 are the fewest"):
        people.set_password(database, "anna", "short")
    people.add(database, groups.DEFAULT, ["ben"])
    with pytest.raises(people.PeopleError, match="ben has no password"):
        people.set_password(database, "ben", OTHER)


def test_ids_are_made_in_mturks_form(database: store.Store) -> None:
    made = people.add(database, groups.DEFAULT, ["anna"], count=20)
    assert made[0].worker_id == "anna"
    assert len({one.worker_id for one in made}) == 21
    assert all(re.fullmatch("A[A-Z0-9]{13}", one.worker_id) for one in made[1:])


@pytest.mark.usefixtures("anna")
def test_adding_again_adds_nobody_and_names_all_who_cannot_be(database: store.Store) -> None:
    groups.put(database, "lab")
    people.add(database, "lab", ["ben"])
    (carl,) = people.add(database, groups.DEFAULT, ["carl", "carl"])
    assert people.add(database, groups.DEFAULT, ["carl"]) == [carl]
    arrive(database, "dora")
    with pytest.raises(people.PeopleError) as caught:
        people.add(database, groups.DEFAULT, ["eve", "anna", "ben", "dora", "a b", "-x"])
    assert [line.split()[0] for line in str(caught.value).splitlines()] == [
        "anna",
        "ben",
        "dora",
        '"a',
        '"-x"',
    ]
    assert people.find(database, "eve") is None


def test_a_group_must_be_there_except_the_default_one(database: store.Store) -> None:
    with pytest.raises(people.PeopleError, match='no group "lab"; make it with: server group set'):
        people.add(database, "lab", ["anna"])
    with pytest.raises(people.PeopleError, match='no group "lab"'):
        people.listed(database, group="lab")
    people.add(database, groups.DEFAULT, ["anna"])
    assert [one.name for one in groups.listed(database)] == ["everyone"]


@pytest.mark.usefixtures("anna")
def test_the_list_tells_state_and_work(database: store.Store, make_hit: Callable[..., str]) -> None:
    groups.put(database, "lab")
    people.add(database, "lab", ["ben", "carl"])
    arrive(database, "dora")
    people.set_disabled(database, "carl", True)
    for number in range(3):
        assignment = worker.accept(database, make_hit(), "anna")
        if number:
            worker.submit(database, assignment, "anna", [("comment", "blue")])
    found = people.listed(database)
    assert [
        (one.person.worker_id, one.state, one.open_assignments, one.finished_assignments)
        for one in found
    ] == [
        ("anna", "active", 1, 2),
        ("ben", "invited", 0, 0),
        ("carl", "disabled", 0, 0),
        ("dora", "active", 0, 0),
    ]
    assert people.listed(database, group="lab") == found[1:3]


def test_a_participant_is_the_same_person_at_each_arrival(database: store.Store) -> None:
    first = arrive(database, "5f0c1e2d3a4b5c6d7e8f9a0b")
    assert (first.worker_id, first.origin, first.group) == (
        "5f0c1e2d3a4b5c6d7e8f9a0b",
        "prolific",
        "study",
    )
    assert arrive(database, "5f0c1e2d3a4b5c6d7e8f9a0b") == first


def test_a_participant_never_gets_what_is_somebody_elses(
    database: store.Store, anna: people.Person, make_hit: Callable[..., str]
) -> None:
    worker.accept(database, make_hit(), "A1OLD")
    ids = [
        arrive(database, "anna").worker_id,
        arrive(database, "A1OLD").worker_id,
        arrive(database, "77").worker_id,
        arrive(database, "77", provider="sona").worker_id,
        arrive(database, "77", group="second").worker_id,
    ]
    assert ids == ["study.anna", "study.A1OLD", "77", "study.77", "second.77"]
    assert arrive(database, "anna").worker_id == "study.anna"
    assert people.find(database, "anna") == anna


@pytest.mark.parametrize(
    "participant", ["someone@example.org", "a b", "ä", "x" * 128, "../x", "'; DROP", "<b>"]
)
def test_an_id_that_no_worker_can_have_gets_one_in_its_place(
    database: store.Store, participant: str
) -> None:
    person = arrive(database, participant)
    assert re.fullmatch(r"study\.prolific\.[0-9a-f]{20}", person.worker_id)
    assert person.participant_id == participant
    assert arrive(database, participant) == person


@pytest.mark.parametrize("participant", ["", "x" * 129, "a\nb", "\0"])
def test_what_is_no_participants_id_is_refused(database: store.Store, participant: str) -> None:
    with pytest.raises(people.PeopleError, match="no participant's id"):
        arrive(database, participant)
    assert people.listed(database) == []


def test_who_was_here_is_noted_to_the_day(
    database: store.Store, served: service.Service, anna: people.Person
) -> None:
    assert anna.seen_at % 86_400 == 0
    served.clock.advance(3 * 86_400)
    people.seen(served, "anna")
    after = people.find(database, "anna")
    assert after is not None
    assert after.seen_at == anna.seen_at + 3 * 86_400
    people.seen(served, "anna")
    people.seen(served, "nobody")
    assert people.find(database, "anna") == after


def test_the_address_of_an_invitation_is_under_the_servers() -> None:
    assert people.token_url("https://hits.example.org/", "T0") == (
        "https://hits.example.org/invitations/T0"
    )


_GUESS = """
import sys
from turkbatch.server import people, store
with store.Store.open(sys.argv[1]) as opened:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(8):
        people.check_password(opened, "anna", f"wrong password {number}")
"""


@pytest.mark.usefixtures("anna")
def test_failures_in_several_processes_are_counted_together(
    database: store.Store, database_name: str
) -> None:
    command = [sys.executable, "-c", _GUESS, database_name]
    pipe = subprocess.PIPE
    with contextlib.ExitStack() as end:
        started = [
            end.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
            for _ in range(2)
        ]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait() for process in started] == [0, 0]
    # Six of the sixteen found the account locked.
    assert row(database, "anna").failed_sign_ins == 10
    assert people.check_password(database, "anna", PASSWORD) is None
