from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import errors, files
from turkbatch.batch import results

MOMENT = datetime(2026, 7, 1, 12, 30, 15, tzinfo=UTC)
HIT = {
    "HITId": "3HIT",
    "HITTypeId": "3TYPE",
    "CreationTime": parse_timestamp("1.782909015E9"),
    "Expiration": MOMENT.astimezone(ZoneInfo("America/Los_Angeles")),
    "HITStatus": "Reviewable",
    "NumberOfAssignmentsPending": 0,
    "QualificationRequirements": [
        {"QualificationTypeId": "00000000000000000071", "LocaleValues": [{"Country": "US"}]}
    ],
    "Question": "<a>\r\né😀</a>",
}
SAVED_HIT = HIT | {
    "CreationTime": "2026-07-01T12:30:15+00:00",
    "Expiration": "2026-07-01T12:30:15+00:00",
}
ASSIGNMENT = {
    "AssignmentId": "3A",
    "HITId": "3HIT",
    "AssignmentStatus": "Approved",
    "SubmitTime": MOMENT.astimezone(timezone(timedelta(hours=9))) + timedelta(milliseconds=500),
    "Answer": '<?xml version="1.0"?>\n<QuestionFormAnswers>\u2028]]></QuestionFormAnswers>',
}
SAVED_ASSIGNMENT = ASSIGNMENT | {"SubmitTime": "2026-07-01T12:30:15.500000+00:00"}


def save(path: Path, hit: results.Json, assignments: list[results.Json]) -> results.Results:
    """Save one HIT."""
    made = results.Results(path)
    with made.saving() as saving:
        saving.save(hit, assignments)
    assert saving.failed == {}
    return made


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    made = save(tmp_path / "results", HIT, [ASSIGNMENT, ASSIGNMENT | {"AssignmentId": "3B"}])
    assignments = (SAVED_ASSIGNMENT, SAVED_ASSIGNMENT | {"AssignmentId": "3B"})
    assert made.load("3HIT") == results.Saved(SAVED_HIT, assignments)
    assert made.load_hit("3HIT") == SAVED_HIT
    assert list(made.assignments("3HIT")) == list(assignments)
    assert made.hit_ids() == ["3HIT"]


def test_the_files_are_amtis(tmp_path: Path) -> None:
    save(tmp_path, HIT, [ASSIGNMENT, ASSIGNMENT])
    hit = (tmp_path / "hit-3HIT" / "hit.jsonl").read_text(encoding="utf-8")
    assignments = (tmp_path / "hit-3HIT" / "assignments.jsonl").read_text(encoding="utf-8")
    assert json.loads(hit) == {"HIT": SAVED_HIT}
    lines = assignments.removesuffix("\n").split("\n")
    assert [json.loads(line) for line in lines] == [SAVED_ASSIGNMENT] * 2


def test_saving_again_replaces_what_was_saved(tmp_path: Path) -> None:
    save(tmp_path, HIT, [ASSIGNMENT])
    made = save(tmp_path, HIT | {"HITStatus": "Reviewing"}, [])
    assert made.load("3HIT") == results.Saved(SAVED_HIT | {"HITStatus": "Reviewing"}, ())
    assert sorted(one.name for one in (tmp_path / "hit-3HIT").iterdir()) == [
        "assignments.jsonl",
        "hit.jsonl",
    ]


def test_a_hit_that_is_not_saved_has_nothing(tmp_path: Path) -> None:
    saving = results.Results(tmp_path / "results")
    assert (saving.load("3X"), saving.load_hit("3X"), list(saving.assignments("3X"))) == (
        None,
        None,
        [],
    )
    assert saving.hit_ids() == []


def test_a_hit_saved_half_is_none(tmp_path: Path) -> None:
    saving = save(tmp_path, HIT, [ASSIGNMENT])
    (tmp_path / "hit-3HIT" / "hit.jsonl").unlink()
    assert (saving.hit_ids(), saving.load("3HIT")) == ([], None)


@pytest.mark.parametrize(
    "content", ["", '{"HIT": null}\n', "{}\n", '{"HIT": {"HITId": "3OTHER"}}\n', '{"HIT": []}\n']
)
def test_a_file_of_another_hit_is_damage(tmp_path: Path, content: str) -> None:
    saving = save(tmp_path, HIT, [])
    (tmp_path / "hit-3HIT" / "hit.jsonl").write_text(content)
    message = r'/hit-3HIT/hit\.jsonl: expected one line \{"HIT": \{\.\.\.\}\} of 3HIT$'
    with pytest.raises(errors.BatchError, match=message):
        saving.load("3HIT")


def test_a_torn_file_is_damage(tmp_path: Path) -> None:
    saving = save(tmp_path, HIT, [ASSIGNMENT])
    path = tmp_path / "hit-3HIT" / "assignments.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(errors.BatchError, match=r"/assignments\.jsonl:1: not JSON: "):
        saving.load("3HIT")


def test_a_time_is_saved_as_it_is_compared(tmp_path: Path) -> None:
    odd = HIT | {"Expiration": MOMENT.astimezone(timezone(timedelta(minutes=-210)))}
    assert save(tmp_path, odd, []).load_hit("3HIT") == results.as_json(odd)


def test_what_is_no_reply_of_the_services_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^set is no part of a reply of MTurk's$"):
        save(tmp_path, HIT | {"Question": {"a"}}, [])
    assert not (tmp_path / "hit-3HIT").exists()


def test_many_hits_saved_by_threads_are_all_there(tmp_path: Path) -> None:
    made = results.Results(tmp_path / "results")
    ids = [f"3H{number:03}" for number in range(3 * files.Together.GROUP + 1)]
    with made.saving() as saving, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: saving.save(HIT | {"HITId": one}, [ASSIGNMENT]), ids))
    assert made.hit_ids() == ids
    assert [list(made.assignments(one)) for one in ids] == [[SAVED_ASSIGNMENT]] * len(ids)
    assert saving.failed == {}


def test_what_was_saved_before_a_block_was_left_by_an_error_is_kept(tmp_path: Path) -> None:
    made = results.Results(tmp_path)

    def interrupted() -> None:
        with made.saving() as saving:
            saving.save(HIT, [])
            raise KeyboardInterrupt("no")

    with pytest.raises(KeyboardInterrupt, match="no"):
        interrupted()
    assert made.hit_ids() == ["3HIT"]


def test_a_hit_whose_directory_is_lost_meanwhile_has_failed(tmp_path: Path) -> None:
    made = results.Results(tmp_path)
    with made.saving() as saving:
        saving.save(HIT, [])
        shutil.rmtree(made.directory("3HIT"))
    assert list(saving.failed) == ["3HIT"]
    assert isinstance(saving.failed["3HIT"], FileNotFoundError)


def test_what_was_not_saved_needs_no_disk(tmp_path: Path) -> None:
    made = results.Results(tmp_path / "results")
    made.sync()
    made.sync("3HIT")
    assert not made.path.exists()


@given(
    st.datetimes(datetime(2005, 11, 2), datetime(2100, 1, 1), timezones=st.timezones()),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_time_is_the_same_moment_in_every_zone(moment: datetime, zone: timezone) -> None:
    found = results.as_json({"Time": moment, "Deep": [{"Time": moment.astimezone(zone)}]})
    assert found == {
        "Time": moment.astimezone(UTC).isoformat(),
        "Deep": [{"Time": moment.astimezone(UTC).isoformat()}],
    }
    assert datetime.fromisoformat(found["Time"]) == moment.astimezone(UTC)


@pytest.mark.parametrize(
    ("status", "pending", "assignments", "final"),
    [
        pytest.param("Assignable", 0, [], False, id="workers can accept"),
        pytest.param("Assignable", 0, ["Approved"], False, id="more can come"),
        pytest.param("Unassignable", 0, ["Approved"], False, id="accepted by a worker"),
        pytest.param("Unassignable", 1, [], False, id="being worked on"),
        pytest.param("Reviewable", 0, [], True, id="expired without work"),
        pytest.param("Reviewable", 1, [], False, id="expired, and being worked on"),
        pytest.param("Reviewable", 0, ["Approved", "Submitted"], False, id="to be reviewed"),
        pytest.param("Reviewable", 0, ["Approved", "Rejected"], True, id="all reviewed"),
        pytest.param("Reviewing", 0, ["Submitted"], False, id="reviewing"),
        pytest.param("Reviewing", 0, ["Rejected"], True, id="reviewing, all reviewed"),
        pytest.param("Disposed", 0, ["Approved"], True, id="deleted"),
    ],
)
def test_a_hit_is_final_when_nothing_more_can_come(
    status: str, pending: int, assignments: list[str], final: bool, tmp_path: Path
) -> None:
    hit: dict[str, Any] = {
        "HITId": "3A",
        "HITStatus": status,
        "NumberOfAssignmentsPending": pending,
    }
    saving = save(tmp_path, hit, [{"AssignmentStatus": one} for one in assignments])
    assert saving.is_final("3A") == final
    assert saving.all_final(["3A"]) == final
    assert not saving.all_final(["3A", "3NEVER"])


def test_of_no_hits_all_are_final(tmp_path: Path) -> None:
    assert results.Results(tmp_path).all_final([])
