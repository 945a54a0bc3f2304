from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turkbatch import errors, files
from turkbatch.batch import journal
from turkbatch.batch.journal import Decision, Intent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def merged(draw: st.DrawFn, sequences: Sequence[Sequence[Any]]) -> list[Any]:
    """Interleave sequences, each in its own order, and cut the result off somewhere."""
    turns = [number for number, events in enumerate(sequences) for _ in events]
    streams = [iter(events) for events in sequences]
    order = draw(st.permutations(turns))
    return [next(streams[number]) for number in order][: draw(st.integers(0, len(turns)))]


# Uploads

OUTCOMES = st.lists(st.sampled_from(["created", "adopted", "refused", "nothing"]), max_size=5)


@st.composite
def uploads(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Lines of a journal: each row is asked for again and again, with any outcomes."""
    seconds = itertools.count()
    ids = itertools.count()
    rows: list[list[dict[str, Any]]] = []
    for row in range(draw(st.integers(1, 4))):
        events: list[dict[str, Any]] = []
        for outcome in draw(OUTCOMES):
            events.append({"event": "intent", "row": row, "service": draw(st.booleans())})
            if outcome != "nothing":
                events.append({"event": outcome, "row": row, "hit_id": f"3{next(ids)}"})
        rows.append(events)
    records = merged(draw, rows)
    for record in records:
        moment = NOON + timedelta(seconds=next(seconds))
        record["time"] = journal.timestamp(moment)
        if record["event"] == "intent":
            told = journal.timestamp(moment + timedelta(hours=1))
            record["service_time"] = told if record.pop("service") else None
    return records


def expected_intent(events: Sequence[dict[str, Any]]) -> Intent | None:
    """Tell from one row's lines what is open: a refusal answers the request before it."""
    hits = [event for event in events if event["event"] in {"created", "adopted"}]
    unanswered: list[dict[str, Any]] = []
    chain: list[dict[str, Any]] = []
    for event in events:
        if event["event"] == "intent":
            chain = [*chain, event] if unanswered else [event]
            unanswered.append(event)
        elif event["event"] == "refused":
            unanswered.pop()
    if hits or not unanswered:
        return None
    times = [datetime.fromisoformat(event["time"]) for event in chain]
    told = [datetime.fromisoformat(one["service_time"]) for one in chain if one["service_time"]]
    return Intent(
        row=chain[0]["row"],
        first=times[0],
        last=times[-1],
        service_first=told[0] if told else None,
        service_last=told[-1] if told else None,
        unanswered=len(unanswered),
    )


@given(uploads())
def test_any_beginning_of_any_interleaving_gives_the_state_of_each_row(
    records: list[dict[str, Any]],
) -> None:
    state = journal.replay_uploads(records)
    hits: dict[int, str] = {}
    intents: dict[int, Intent] = {}
    for row in range(4):
        events = [record for record in records if record["row"] == row]
        made = [one["hit_id"] for one in events if one["event"] in {"created", "adopted"}]
        if made:
            hits[row] = made[0]
        intent = expected_intent(events)
        if intent is not None:
            intents[row] = intent
    assert state == journal.UploadState(hits, intents)
    assert state.hit_ids(4) == [hits.get(row) for row in range(4)]
    assert [state.complete(rows) for rows in range(6)] == [len(hits) >= rows for rows in range(6)]


@given(uploads())
def test_a_row_that_may_have_a_hit_is_never_taken_for_untouched(
    records: list[dict[str, Any]],
) -> None:
    state = journal.replay_uploads(records)
    for row in range(4):
        kinds = [record["event"] for record in records if record["row"] == row]
        answered = sum(kinds.count(kind) for kind in ("created", "adopted", "refused"))
        if kinds.count("intent") > answered:
            assert row in state.hits or row in state.open
        assert not (row in state.hits and row in state.open)


@pytest.mark.parametrize(
    ("events", "hit", "unanswered"),
    [
        pytest.param("", None, 0, id="nothing asked"),
        pytest.param("i", None, 1, id="no outcome"),
        pytest.param("ic", "1", 0, id="created"),
        pytest.param("ir", None, 0, id="refused"),
        pytest.param("iria", "3", 0, id="refused, then adopted"),
        pytest.param("iir", None, 1, id="no outcome, then refused: the first may be done"),
        pytest.param("iirr", None, 0, id="both refused"),
        pytest.param("iii", None, 3, id="three without outcome"),
        pytest.param("iia", "2", 0, id="found after two"),
        pytest.param("icc", "1", 0, id="the first HIT stays"),
        pytest.param("ici", "1", 0, id="asked for again although it is there"),
        pytest.param("iiarr", "2", 0, id="refusals after the HIT"),
        pytest.param("ra", "1", 0, id="outcomes without an intent"),
    ],
)
def test_what_one_row_comes_to(events: str, hit: str | None, unanswered: int) -> None:
    kinds = {"i": "intent", "c": "created", "a": "adopted", "r": "refused"}
    time = journal.timestamp(NOON)
    state = journal.replay_uploads(
        {"event": kinds[kind], "row": 7, "time": time, "service_time": None, "hit_id": str(number)}
        for number, kind in enumerate(events)
    )
    assert state.hits == ({} if hit is None else {7: hit})
    assert {row: one.unanswered for row, one in state.open.items()} == (
        {7: unanswered} if unanswered else {}
    )


def test_what_is_written_of_an_upload_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "uploads.jsonl"
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    log = journal.Uploads(path)
    log.intend(0, "n-0", None)
    log.created(0, "3A")
    log.intend(1, "n-1", NOON.astimezone(timezone(timedelta(hours=-8))))
    log.adopted(1, "3B")
    log.intend(2, "n-2", NOON)
    log.refused(2, errors.FundsError("no funds"))
    log.intend(3, "n-3", NOON)
    log.close()
    after = datetime.now(UTC)

    records = files.read_log(path)
    times = [datetime.fromisoformat(record.pop("time")) for record in records]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= after
    noon = "2026-03-01T12:00:00.000+00:00"
    assert records == [
        {"event": "intent", "row": 0, "token": "n-0", "service_time": None},
        {"event": "created", "row": 0, "hit_id": "3A"},
        {"event": "intent", "row": 1, "token": "n-1", "service_time": noon},
        {"event": "adopted", "row": 1, "hit_id": "3B"},
        {"event": "intent", "row": 2, "token": "n-2", "service_time": noon},
        {"event": "refused", "row": 2, "error": "no funds"},
        {"event": "intent", "row": 3, "token": "n-3", "service_time": noon},
    ]
    state = journal.replay_uploads(files.read_log(path))
    assert state == journal.UploadState(
        {0: "3A", 1: "3B"}, {3: Intent(3, times[-1], times[-1], NOON, NOON)}
    )


@given(st.datetimes(datetime(2005, 11, 2), datetime(2100, 1, 1), timezones=st.timezones()))
def test_a_timestamp_is_the_same_moment_to_the_millisecond(moment: datetime) -> None:
    text = journal.timestamp(moment)
    back = datetime.fromisoformat(text)
    assert text.endswith("+00:00")
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)


# Reviews

ACTIONS: list[journal.Action] = ["approve", "reject"]
DECISIONS = st.tuples(st.sampled_from(ACTIONS), st.text(max_size=3))


@st.composite
def reviews(draw: st.DrawFn) -> list[tuple[str, Decision]]:
    assignments = []
    for number in range(draw(st.integers(1, 4))):
        events = []
        for action, feedback in draw(st.lists(DECISIONS, max_size=3)):
            decision = Decision(f"3A{number}", action, feedback)
            events.append(("intend", decision))
            outcome = draw(st.sampled_from(["done", "refused", "nothing"]))
            if outcome != "nothing":
                events.append((outcome, decision))
        assignments.append(events)
    return merged(draw, assignments)


@settings(max_examples=50)
@given(reviews())
def test_any_beginning_of_any_interleaving_of_reviews_gives_each_decision(
    events: list[tuple[str, Decision]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.jsonl"
        log = journal.Reviews(path)
        for kind, decision in events:
            if kind == "intend":
                log.intend(decision)
            elif kind == "done":
                log.done(decision)
            else:
                log.refused(decision, errors.StateError("no"))
        log.close()
        state = journal.replay_reviews(files.read_log(path))
    done: dict[str, str] = {}
    open_: dict[str, Decision] = {}
    for key in {decision.assignment_id for _, decision in events}:
        mine = [(kind, one) for kind, one in events if one.assignment_id == key]
        effects = [one.action for kind, one in mine if kind == "done"]
        if effects:
            done[key] = effects[-1]
        if mine[-1][0] == "intend":
            open_[key] = mine[-1][1]
    assert state == journal.ReviewState(done, open_)


def test_what_is_written_of_a_review_says_why_it_was_refused(tmp_path: Path) -> None:
    log = journal.Reviews(tmp_path / "reviews.jsonl")
    log.refused(Decision("3A", "reject", "bad\n😀"), errors.StateError("not Submitted"))
    log.close()
    (record,) = files.read_log(tmp_path / "reviews.jsonl")
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "event": "refused",
        "assignment_id": "3A",
        "action": "reject",
        "feedback": "bad\n😀",
        "error": "not Submitted",
    }


# Changes

CHANGES: list[journal.Change] = ["expire", "delete"]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.sampled_from(["3A", "3B", "3C"]))))
def test_changes_are_told_apart_by_action_and_hit(
    changes: list[tuple[journal.Change, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "changes.jsonl"
        log = journal.Changes(path)
        for action, hit_id in changes:
            log.done(action, hit_id)
        log.close()
        records = files.read_log(path)
    for action in CHANGES:
        found = journal.replay_changes(records, action)
        assert found == {hit_id for done, hit_id in changes if done == action}


def test_an_extension_is_open_until_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "changes.jsonl"
    first = journal.Extension("a" * 32, 2, 24, {}, frozenset())
    second = journal.Extension("b" * 32, 0, 1.5, {}, frozenset())
    one = journal.ExtensionIntent("3A", 3, NOON)
    two = journal.ExtensionIntent("3B", 3, None)

    def replayed() -> journal.Extension | None:
        return journal.replay_extension(files.read_log(path))

    assert replayed() is None
    log = journal.Changes(path)
    log.begin(first)
    assert replayed() == first
    log.intend(first, one)
    log.done("expire", "3A")
    log.extended(first, "3A")
    log.intend(first, two)
    assert replayed() == journal.Extension(
        "a" * 32, 2, 24, {"3A": one, "3B": two}, frozenset({"3A"})
    )
    log.extended(first, "3B")
    log.finish(first)
    assert replayed() is None
    log.begin(second)
    log.extended(first, "3C")
    log.close()
    assert replayed() == second
    assert journal.replay_changes(files.read_log(path), "expire") == {"3A"}
    assert journal.replay_changes(files.read_log(path), "delete") == set()
