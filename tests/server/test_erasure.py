from __future__ import annotations

import json
import re
import sqlite3
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import POSTGRESQL
from tests.reliability import harness
from turkbatch.server import (
    answers,
    erasure,
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

DAY = 86_400
PSEUDONYM = re.compile("A[A-Z0-9]{13}")
PROLIFIC = "5f0c1e2d3a4b5c6d7e8f9a0b"
OTHER = "60aa1e2d3a4b5c6d7e8f9a0b"
SESSION = "650000000000000000000001"
Rows = dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]


def rows(database: store.Store) -> Rows:
    """Read everything, each row under its key."""
    with database.read() as connection:
        return {
            table.name: {
                tuple(row[column.name] for column in table.primary_key): tuple(row.values())
                for row in connection.execute(table.select()).mappings()
            }
            for table in schema.metadata.sorted_tables
        }


def text_of(database: store.Store) -> str:
    return repr(rows(database))


def state(database: store.Store, assignment_id: str) -> str:
    return worker.task(database, assignment_id).state


def answer(database: store.Store, assignment_id: str) -> str:
    with database.read() as connection:
        table = schema.assignments
        return str(
            connection.scalar(
                sqlalchemy.select(table.c.answer).where(table.c.assignment_id == assignment_id)
            )
        )


class World:
    """Participants of a recruiting link, with a trace in every table that can have one."""

    def __init__(self, database: store.Store, make_hit: Callable[[], str]) -> None:
        self.database, self._make_hit = database, make_hit
        with sweep.writing(database) as (connection, _):
            groups.ensure(connection, "study")
        groups.put(database, "study", consent="I agree.", records_addresses=True)
        self.link = recruiting.add(
            database,
            "study",
            "generic",
            recruiting.settings_for("generic"),
            work=[recruiting.Work("hit", make_hit())],
        )

    def visit(self, participant: str, session: str = "", **more: Any) -> tuple[str, str]:
        """Let a participant arrive; give the visit's id and the worker's."""
        arrival = links.Arrival(participant, "study-1", session, **more)
        visit, person = links.arrive(self.database, self.link.link_id, arrival)
        return visit.visit_id, person.worker_id

    def live(self, participant: str, session: str = "") -> str:
        """Have a participant leave traces everywhere; give the worker's id."""
        visit_id, me = self.visit(
            participant,
            session,
            extras={"pid": participant},
            address="192.0.2.7",
            browser="Firefox",
        )
        groups.record(self.database, me, 1, True, address="192.0.2.7", browser="Firefox")
        step = links.proceed(self.database, visit_id)
        assert step.assignment_id is not None
        fields = [
            ("workerId", me),
            ("PROLIFIC_PID", participant),
            ("session", session),
            ("data", json.dumps({"subject": participant, "url": f"/?w={me}&s={session}"})),
            ("colour", "blue"),
            ("address", f"https://x.example/?p={urllib.parse.quote(participant, safe='')}"),
        ]
        worker.submit(self.database, step.assignment_id, me, fields)
        self._note(me, participant, session, visit_id, step.assignment_id)
        return me

    def _note(
        self, me: str, participant: str, session: str, visit_id: str, assignment_id: str
    ) -> None:
        hit_id = worker.task(self.database, assignment_id).hit_id
        named = {"worker_id": me, "requester": "default"}
        of_link = {"link_id": self.link.link_id}
        with sweep.writing(self.database) as (connection, now):
            work = schema.assignments
            connection.execute(
                work.update().where(work.c.assignment_id == assignment_id),
                {"feedback": f"Thank you, {me}."},
            )
            for table, row in (
                (
                    schema.bonuses,
                    {
                        **named,
                        "hit_id": hit_id,
                        "assignment_id": assignment_id,
                        "amount_cents": 5,
                        "fee_cents": 1,
                        "reason": f"Well done, {me}!",
                        "granted_at": now,
                    },
                ),
                (schema.messages, {**named, "at": now, "subject": "News", "text": "Hello."}),
                (schema.worker_blocks, {**named, "reason": f"{me} is slow", "blocked_at": now}),
                (
                    schema.qualifications,
                    {
                        "worker_id": me,
                        "qualification_type_id": "3Q",
                        "status": "Granted",
                        "granted_at": now,
                    },
                ),
                (
                    schema.qualification_requests,
                    {
                        "worker_id": me,
                        "request_id": f"R{assignment_id[:20]}",
                        "qualification_type_id": "3Q",
                        "state": "Granted",
                        "asked_at": now,
                        "answer": answers_naming(participant),
                    },
                ),
                (
                    schema.workers,
                    {
                        "worker_id": me,
                        "country": "NZ",
                        "masters": 0,
                        "adult": 0,
                        "approved_before": 3,
                        "rejected_before": 0,
                    },
                ),
                (
                    schema.review_records,
                    {
                        "hit_id": hit_id,
                        "level": "HIT",
                        "kind": "result",
                        "assignment_id": assignment_id,
                        "at": now,
                        "record": json.dumps({"Key": "AgreedAnswer", "Value": me}),
                    },
                ),
                (
                    schema.notifications,
                    {
                        "created_at": now,
                        "transport": "Email",
                        "destination": "x@example.org",
                        "body": json.dumps({"Events": [{"Worker": me}]}),
                        "state": "logged",
                        "attempts": 0,
                    },
                ),
                (
                    schema.uploads,
                    {
                        "assignment_id": assignment_id,
                        "question_identifier": "q",
                        "file_key": f"F{assignment_id[:20]}",
                        "file_name": f"{participant}.pdf",
                        "content": b"%PDF",
                    },
                ),
                (
                    schema.late_answers,
                    {
                        "assignment_id": f"L{assignment_id[:20]}",
                        "visit_id": visit_id,
                        "worker_id": me,
                        "hit_id": hit_id,
                        "at": now,
                        "answer": answers_naming(me),
                    },
                ),
                (
                    schema.platform_submissions,
                    {
                        **of_link,
                        "session_id": session,
                        "participant_id": participant,
                        "study_id": "study-1",
                        "status": "APPROVED",
                    },
                ),
                (
                    schema.payouts,
                    {
                        **of_link,
                        "worker_id": me,
                        "kind": "approval",
                        "subject": visit_id,
                        "amount_cents": 5,
                        "written_at": now,
                        "file_id": "file-1",
                    },
                ),
            ):
                connection.execute(table.insert(), row)


def answers_naming(name: str) -> str:
    return (
        '<?xml version="1.0" encoding="ASCII"?><QuestionFormAnswers xmlns="x"><Answer>'
        f"<QuestionIdentifier>worker</QuestionIdentifier><FreeText>{name}</FreeText>"
        "</Answer></QuestionFormAnswers>"
    )


@pytest.fixture
def world(database: store.Store, make_hit: Callable[..., str]) -> World:
    return World(database, lambda: make_hit(MaxAssignments=99))


def test_nothing_names_who_was_erased_and_nothing_of_others_changes(world: World) -> None:
    me, other = world.live(PROLIFIC, SESSION), world.live(OTHER, SESSION.replace("1", "2"))
    before = rows(world.database)
    done = erasure.erase(world.database, me, look_elsewhere=True)
    pseudonym = done.pseudonyms[me]
    assert PSEUDONYM.fullmatch(pseudonym)
    assert done == erasure.Erasure({me: pseudonym}, {})
    after = rows(world.database)
    assert [name for name in (PROLIFIC, SESSION) if name in repr(after)] == []
    for name, found in before.items():
        kept = {key: row for key, row in found.items() if OTHER in repr(row) or other in repr(row)}
        assert kept.items() <= after[name].items(), name
    named = {name for name, found in after.items() if pseudonym in repr(found)}
    assert named == {
        name
        for name, found in before.items()
        if PROLIFIC in repr(found) and name not in ("people", "messages", "uploads")
    } | {"settings"}
    assert len(after["assignments"]) == len(before["assignments"])


def test_results_stay_usable_under_the_pseudonym(world: World) -> None:
    me = world.live(PROLIFIC, SESSION)
    (assignment_id,) = {key[0] for key in rows(world.database)["visit_assignments"]}
    pseudonym = erasure.erase(world.database, me).pseudonyms[me]
    assert worker.task(world.database, assignment_id).worker_id == pseudonym
    document = answer(world.database, assignment_id)
    shown = re.findall("<FreeText>(.*?)</FreeText>", document)
    assert shown[:3] == [pseudonym, pseudonym, f"{pseudonym}.1"]
    assert json.loads(shown[3].replace("&amp;", "&")) == {
        "subject": pseudonym,
        "url": f"/?w={pseudonym}&s={pseudonym}.1",
    }
    assert shown[4] == "blue"
    assert worker.standing(world.database, pseudonym).submitted == 3 + 1
    with world.database.read() as connection:
        files = schema.uploads
        (name,) = connection.scalars(sqlalchemy.select(files.c.file_name))
    assert name == f"F{assignment_id[:20]}.pdf"


def test_a_new_arrival_after_erasure_is_somebody_new(world: World) -> None:
    me = world.live(PROLIFIC, SESSION)
    erasure.erase(world.database, me)
    again = world.live(PROLIFIC, SESSION)
    assert again == me
    assert len(people.listed(world.database)) == 1
    assert len(rows(world.database)["visits"]) == 2


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    participants=st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=6, max_size=40
        ).filter(lambda text: text.strip() == text and "|" not in text),
        min_size=2,
        max_size=3,
        unique_by=str.lower,
    )
)
def test_no_id_of_any_form_is_left(
    new_database: Callable[[], str], participants: list[str]
) -> None:
    # Marked at both ends, so that one that is left can't be part of another.
    participants = [f"q{number}{one}q{number}" for number, one in enumerate(participants, 11)]
    with store.Store.open(new_database()) as database:
        world = World(database, lambda: make_plain_hit(database))
        workers = [world.live(one, f"session-of-{one}") for one in participants]
        before = rows(database)
        erasure.erase(database, workers[0])
        after = rows(database)
        left = "\n".join(strings(after))
        for name in (participants[0], workers[0], f"session-of-{participants[0]}"):
            in_json = json.dumps(name)[1:-1]
            for form in (name, in_json, urllib.parse.quote(name, safe="")):
                assert form not in left
                assert answers.escaped(form) not in left
        for other, other_id in zip(participants[1:], workers[1:], strict=True):
            for name, found in before.items():
                kept = {key: row for key, row in found.items() if {other, other_id} & set(row)}
                assert kept.items() <= after[name].items()


def strings(found: Rows) -> list[str]:
    return [
        value
        for table in found.values()
        for row in table.values()
        for value in row
        if isinstance(value, str)
    ]


def make_plain_hit(database: store.Store) -> str:
    import boto3

    from turkbatch.server import inprocess

    client = boto3.client(
        "mturk",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    inprocess.attach(client, service.Service(database))
    return client.create_hit(
        Title="t",
        Description="d",
        Reward="0.05",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        MaxAssignments=9,
        Question='<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/'
        'AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA['
        "<form><input name='x'></form>]]></HTMLContent><FrameHeight>0</FrameHeight>"
        "</HTMLQuestion>",
    )["HIT"]["HITId"]


@pytest.mark.skipif(POSTGRESQL is not None, reason="PostgreSQL's files are its own affair")
def test_the_files_hold_nothing_of_who_was_erased(world: World) -> None:
    # As SQLite is by itself; Debian's build overwrites what is deleted at once.
    sqlalchemy.event.listen(
        world.database._engine, "connect", lambda one, _: one.execute("PRAGMA secure_delete = OFF")
    )
    world.database.close()
    me = world.live(PROLIFIC, SESSION)
    for number in range(50):
        world.live(f"{number:024}", f"{number:023}s")
    path = world.database.path
    assert path is not None
    files = [path, path.with_name(f"{path.name}-wal")]
    assert PROLIFIC.encode() in b"".join(file.read_bytes() for file in files)
    erasure.erase(world.database, me)
    assert erasure.overwrite(world.database)
    content = b"".join(file.read_bytes() for file in files if file.exists())
    assert [name for name in (PROLIFIC, SESSION) if name.encode() in content] == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_overwriting_is_due_until_it_is_done(world: World) -> None:
    def due() -> bool:
        return ("overwrite_due",) in rows(world.database)["settings"]

    assert erasure.overwrite(world.database)
    me = world.live(PROLIFIC, SESSION)
    erasure.erase(world.database, me)
    assert due()
    assert erasure.overwrite(world.database)
    assert not due()


@pytest.mark.skipif(POSTGRESQL is not None, reason="PostgreSQL waits for nobody who reads")
def test_who_still_reads_an_old_state_keeps_it_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_BUSY_TIMEOUT_MS", 200)
    me = world.live(PROLIFIC, SESSION)
    with world.database.read() as connection:
        connection.execute(schema.people.select()).all()
        erasure.erase(world.database, me)
        assert not erasure.overwrite(world.database)
    assert erasure.overwrite(world.database)


def test_what_is_held_is_returned_and_a_place_given_back(world: World) -> None:
    visit_id, me = world.visit(PROLIFIC)
    step = links.proceed(world.database, visit_id)
    assert step.assignment_id is not None
    assert links.places_taken(world.database, world.link) == 1
    erasure.erase(world.database, me)
    assert state(world.database, step.assignment_id) == "Returned"
    assert links.places_taken(world.database, world.link) == 0


def test_an_account_goes_with_its_password_and_invitation(database: store.Store) -> None:
    people.add(database, groups.DEFAULT, ["anna.schmidt"])
    people.redeem(database, people.invite(database, "anna.schmidt"), "correct horse battery")
    token = people.invite(database, "anna.schmidt")
    erasure.erase(database, "anna.schmidt")
    assert people.find(database, "anna.schmidt") is None
    assert people.invited(database, token) is None
    assert people.check_password(database, "anna.schmidt", "correct horse battery") is None
    assert "anna" not in text_of(database)


def test_workers_without_an_account_can_be_erased(
    database: store.Store, make_hit: Callable[..., str]
) -> None:
    assignment_id = worker.accept(database, make_hit(), "A1SOMEBODY")
    worker.submit(database, assignment_id, "A1SOMEBODY", [("x", "1")])
    pseudonym = erasure.erase(database, "A1SOMEBODY").pseudonyms["A1SOMEBODY"]
    assert worker.task(database, assignment_id).worker_id == pseudonym
    assert "A1SOMEBODY" not in text_of(database)


def test_nobody_is_erased_if_one_is_unknown(world: World) -> None:
    me = world.live(PROLIFIC)
    with pytest.raises(erasure.ErasureError, match='anybody called "nobody"'):
        erasure.erase(world.database, me, "nobody")
    assert people.find(world.database, me) is not None


def test_a_short_id_is_replaced_only_where_it_is_one(world: World) -> None:
    visit_id, me = world.visit("77")
    assert me == "77"
    step = links.proceed(world.database, visit_id)
    assert step.assignment_id is not None
    fields = [("survey_code", "77"), ("age", "77"), ("text", "77 of 77"), ("77", "x")]
    worker.submit(world.database, step.assignment_id, me, fields)
    pseudonym = erasure.erase(world.database, me).pseudonyms[me]
    document = answer(world.database, step.assignment_id)
    assert re.findall("<FreeText>(.*?)</FreeText>", document) == [pseudonym, "77", "77 of 77", "x"]
    assert re.findall("<QuestionIdentifier>(.*?)<", document)[-1] == "77"
    found = rows(world.database)
    assert [row for row in found["visits"].values() if "77" in row] == []


def test_a_file_named_after_somebody_is_named_anew(world: World) -> None:
    visit_id, me = world.visit(PROLIFIC)
    step = links.proceed(world.database, visit_id)
    assert step.assignment_id is not None
    with world.database.write() as connection:
        for number, name in enumerate(["anna.schmidt", "cv.of.anna.pdf", "anna", "ann\u00e4.PNG"]):
            connection.execute(
                schema.uploads.insert(),
                {
                    "assignment_id": step.assignment_id,
                    "question_identifier": str(number),
                    "file_key": f"F{number}",
                    "file_name": name,
                    "content": b"",
                },
            )
    erasure.erase(world.database, me)
    names = sorted(row[4] for row in rows(world.database)["uploads"].values())
    assert names == ["F0", "F1.pdf", "F2", "F3.PNG"]


def test_what_requesters_wrote_themselves_is_counted(world: World) -> None:
    me = world.live(PROLIFIC, SESSION)
    with world.database.write() as connection:
        connection.execute(schema.hits.update(), {"annotation": f"for {PROLIFIC.upper()}"})
    found = erasure.erase(world.database, me, look_elsewhere=True)
    assert found.elsewhere == {"hits.annotation": 1}


def test_what_only_resembles_an_id_is_not_counted(
    database: store.Store, make_hit: Callable[..., str]
) -> None:
    people.add(database, groups.DEFAULT, ["anna_schmidt"])
    make_hit(RequesterAnnotation="annaXschmidt")
    assert erasure.erase(database, "anna_schmidt", look_elsewhere=True).elsewhere == {}


def test_many_are_erased_at_once(database: store.Store) -> None:
    people.add(database, groups.DEFAULT, [f"annotator-{number}" for number in range(130)])
    ids = [one.person.worker_id for one in people.listed(database)]
    done = erasure.erase(database, *ids, look_elsewhere=True)
    assert (len(set(done.pseudonyms.values())), done.elsewhere) == (130, {})
    assert "annotator-" not in text_of(database)


def test_every_table_was_thought_of() -> None:
    """A new table that may tell of a person needs a place here, and in the module."""
    assert {
        table.name
        for table in schema.metadata.sorted_tables
        if {"worker_id", "participant_id", "assignment_id", "visit_id", "session_id"}
        & {column.name for column in table.c}
    } == {
        # Renamed, and their texts looked through
        *(table.name for table in erasure._OWN_TEXTS),
        # Renamed
        "consents",
        "payouts",
        "qualifications",
        "workers",
        # Deleted
        "invitations",
        "messages",
        "people",
        # Changed by themselves
        "platform_submissions",
        "review_records",
        "uploads",
        # They name nobody
        "ledger",
        "visit_assignments",
    }


# Terms


def test_who_did_nothing_for_a_term_is_erased(
    database: store.Store, served: service.Service, make_hit: Callable[..., str]
) -> None:
    groups.put(database, "lab", retention_days=30)
    people.add(database, "lab", ["gone-away", "still-here", "just-left", "at-work-now"])
    people.add(database, groups.DEFAULT, ["without-term"])
    hit_id = make_hit(LifetimeInSeconds=100 * DAY)
    served.clock.advance(2 * DAY)
    assignment_id = worker.accept(database, hit_id, "just-left")
    worker.return_hit(database, assignment_id, "just-left")
    served.clock.advance(28 * DAY)
    people.seen(database, "still-here")
    worker.accept(database, make_hit(), "at-work-now")
    assert erasure.apply_retention(database) == []
    served.clock.advance(DAY)
    (pseudonym,) = erasure.apply_retention(database)
    assert PSEUDONYM.fullmatch(pseudonym)
    assert [one.person.worker_id for one in people.listed(database)] == [
        "without-term",
        "at-work-now",
        "just-left",
        "still-here",
    ]
    assert erasure.apply_retention(database) == []
    assert "gone-away" not in text_of(database)


def test_work_that_waits_for_review_keeps_its_worker(
    database: store.Store, served: service.Service, make_hit: Callable[..., str], inside: Any
) -> None:
    groups.put(database, "lab", retention_days=1)
    people.add(database, "lab", ["annotator-1"])
    hit_id = make_hit(AutoApprovalDelayInSeconds=20 * DAY)
    assignment_id = worker.accept(database, hit_id, "annotator-1")
    worker.submit(database, assignment_id, "annotator-1", [("x", "1")])
    served.clock.advance(10 * DAY)
    assert erasure.apply_retention(database) == []
    inside.approve_assignment(AssignmentId=assignment_id)
    assert len(erasure.apply_retention(database)) == 1


def test_visits_and_consents_are_activity(world: World, served: service.Service) -> None:
    groups.put(world.database, "study", retention_days=10)
    _, early = world.visit(PROLIFIC)
    _, late = world.visit(OTHER)
    served.clock.advance(8 * DAY)
    groups.record(world.database, late, 1, True)
    with world.database.write() as connection:
        connection.execute(schema.people.update(), {"seen_at": 0})
    served.clock.advance(3 * DAY)
    assert erasure.idle(world.database, 10) == [early]
    assert erasure.idle(world.database, 2) == [early, late]
    assert erasure.idle(world.database, 10, group=groups.DEFAULT) == []


def test_a_running_server_keeps_terms(database: store.Store, served: service.Service) -> None:
    groups.put(database, "lab", retention_days=1)
    people.add(database, "lab", ["annotator-1"])
    served.clock.advance(3 * DAY)
    with erasure.keeping_terms(database):
        harness.until(lambda: people.find(database, "annotator-1") is None)
    assert [one.name for one in threading.enumerate() if one.name == "terms"] == []
    assert ("overwrite_due",) not in rows(database)["settings"]


# Telling


def test_all_that_is_stored_is_told(world: World) -> None:
    me, _ = world.live(PROLIFIC, SESSION), world.live(OTHER, SESSION.replace("1", "2"))
    told = erasure.export(world.database, me)
    assert json.loads(json.dumps(told)) == told
    assert OTHER not in json.dumps(told)
    assert told["worker_id"] == me
    assert told["account"]["participant_id"] == PROLIFIC
    assert told["account"]["seen_at"].endswith("T00:00:00+00:00")
    (consent,) = told["consents"]
    assert (consent["text"], consent["agreed"], consent["address"]) == ("I agree.", 1, "192.0.2.7")
    (visit,) = told["visits"]
    assert (visit["session_id"], visit["extras"]) == (SESSION, {"pid": PROLIFIC})
    (assignment,) = told["assignments"]
    assert assignment["answers"]["colour"] == ["blue"]
    assert (assignment["title"], assignment["reward"]) == ("Name the colour", "0.05")
    assert assignment["visit_id"] == visit["visit_id"]
    assert [file["file_name"] for file in assignment["files"]] == [f"{PROLIFIC}.pdf"]
    assert [one["amount"] for one in told["bonuses"]] == ["0.05"]
    assert [len(told[name]) for name in ("messages", "payouts", "qualifications")] == [1, 1, 1]
    assert [file.content for file in erasure.files_of(world.database, me)] == [b"%PDF"]


def test_every_row_about_somebody_is_told(world: World) -> None:
    me = world.live(PROLIFIC, SESSION)
    told = erasure.export(world.database, me)
    before = rows(world.database)
    named = {
        table.name
        for table in schema.metadata.sorted_tables
        if "worker_id" in table.c and before[table.name]
    }
    assert named - set(told) == {"people"}
    assert all(told[name] for name in named - {"people"})


def test_what_opens_an_account_is_not_told(database: store.Store) -> None:
    people.add(database, groups.DEFAULT, ["anna"])
    people.redeem(database, people.invite(database, "anna"), "correct horse battery")
    people.invite(database, "anna")
    told = json.dumps(erasure.export(database, "anna"))
    assert "argon2" not in told
    with database.read() as connection:
        for digest in connection.scalars(sqlalchemy.select(schema.invitations.c.token_hash)):
            assert digest not in told
    with pytest.raises(erasure.ErasureError, match='anybody called "ben"'):
        erasure.export(database, "ben")
