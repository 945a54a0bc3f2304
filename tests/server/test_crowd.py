from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import crowd, forms, inprocess, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

PAGE = """<form><input name="colour" required><input type="radio" name="sure" value="yes">
<input type="radio" name="sure" value="no"></form>"""
NEVER = '<form><input name="code" required pattern="(?=a)b"></form>'


def answers(client: MTurkClient, hit_id: str) -> list[tuple[str, str]]:
    listed = client.list_assignments_for_hit(HITId=hit_id, MaxResults=100)["Assignments"]
    return [(one["WorkerId"], one["Answer"]) for one in listed]


def test_every_open_assignment_is_done_once_a_worker(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    first, second = make_hit(page=PAGE, MaxAssignments=3), make_hit(page=PAGE, MaxAssignments=5)
    told: list[tuple[int, int]] = []
    report = crowd.work(served, workers=4, progress=lambda *done: told.append(done))

    assert report == crowd.WorkReport(hits=2, assignments=7, workers=4, left=1)
    assert told == [(1, 2), (2, 2)]
    for hit_id, count in ((first, 3), (second, 4)):
        workers = [worker_id for worker_id, _ in answers(inside, hit_id)]
        assert len(set(workers)) == len(workers) == count
    assert crowd.work(served, workers=4) == crowd.WorkReport(0, 0, 0, 1)


def test_only_the_hits_that_are_named_are_done(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    named, other = make_hit(), make_hit()
    report = crowd.work(served.store, hit_ids=[named], workers=1)

    assert (report.hits, report.assignments) == (1, 1)
    assert answers(inside, other) == []


def test_hits_are_done_in_the_order_in_which_they_are_named(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    pairs = [[make_hit(page=PAGE), make_hit(page=PAGE)] for _ in range(2)]
    for pair, named in zip(pairs, (pairs[0], pairs[1][::-1]), strict=True):
        crowd.work(served, hit_ids=[*named, pair[0]])

    first, second = ([answers(inside, hit_id) for hit_id in pair] for pair in pairs)
    assert first == second[::-1]
    assert first != second


def test_some_assignments_of_each_hit_can_be_left_for_later(
    served: service.Service, make_hit: Callable[..., str]
) -> None:
    for _ in range(2):
        make_hit(MaxAssignments=3)

    assert crowd.work(served, assignments=1) == crowd.WorkReport(2, 2, 2, 4)
    later = crowd.work(served)
    assert (later.assignments, later.left) == (4, 0)


def test_the_same_seed_gives_the_same_answers_whatever_the_ids(
    inside: MTurkClient, make_hit: Callable[..., str], new_database: Callable[[], str]
) -> None:
    def history(seed: int) -> list[Any]:
        with store.Store.open(new_database()) as opened:
            served = service.Service(opened)
            inprocess.attach(inside, served)
            pages = [PAGE, PAGE, PAGE.replace("colour", "shape")]
            made = [make_hit(page=page, MaxAssignments=2) for page in pages]
            crowd.work(served, seed=seed)
            return [answers(inside, hit_id) for hit_id in made]

    first, second, other = history(0), history(0), history(1)
    assert first == second
    assert first != other
    assert first[0] != first[1]  # two HITs with the same text are not answered alike


def test_work_takes_a_plausible_time_but_not_longer_than_the_hit_exists(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    make_hit(MaxAssignments=9, LifetimeInSeconds=86_400)
    served.clock.advance(3_600)
    crowd.work(served, assignments=8)
    fresh = make_hit(MaxAssignments=9)
    crowd.work(served, hit_ids=[fresh])

    times = []
    for hit in inside.list_hits()["HITs"]:
        for one in inside.list_assignments_for_hit(HITId=hit["HITId"])["Assignments"]:
            assert hit["CreationTime"] <= one["AcceptTime"] <= one["SubmitTime"] < one["Deadline"]
            times.append((one["SubmitTime"] - one["AcceptTime"]).total_seconds())
    assert len(set(times)) > 5
    assert max(times) < 600


def test_pages_that_cannot_be_answered_are_reported(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    empty, never = make_hit(page="<p>Nothing</p>"), make_hit(page=NEVER)
    report = crowd.work(served, workers=1)

    assert report == crowd.WorkReport(2, 2, 1, 0, ("code",), (empty,))
    assert answers(inside, empty)[0][1] == ""
    assert "<FreeText/>" in answers(inside, never)[0][1]


CHOICE = """<form><input type="radio" name="sort" value="cat" required>
<input type="radio" name="sort" value="dog" required><input name="why" required></form>"""


def sorts(client: MTurkClient, hit_id: str) -> list[str]:
    return [re.findall("cat|dog", answer)[0] for _, answer in answers(client, hit_id)]


def test_truth_is_answered_as_often_as_the_manner_says(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hits = {truth: make_hit(page=CHOICE, MaxAssignments=40) for truth in ("dog", "cat", "fox")}
    report = crowd.work(
        served,
        workers=40,
        manner=crowd.Manner(accuracy=0.8),
        truth={hit_id: {"sort": truth} for truth, hit_id in hits.items()},
    )

    found = {truth: sorts(inside, hit_id).count(truth) for truth, hit_id in hits.items()}
    assert 24 <= found["dog"] <= 38
    assert 24 <= found["cat"] <= 38
    assert report.untold == ((hits["fox"], "sort"),)


def test_workers_agree_on_options_where_nothing_is_known(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(page=CHOICE, MaxAssignments=9)
    crowd.work(served, manner=crowd.Manner(accuracy=1.0))

    assert len(set(sorts(inside, hit_id))) == 1


def test_spammers_are_quick_and_know_nothing_and_stay_the_same(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    few = make_hit(page=CHOICE, MaxAssignments=40)
    many = make_hit(page=CHOICE, MaxAssignments=40)
    served.clock.advance(1800)
    reports = [
        crowd.work(
            served,
            hit_ids=[hit_id],
            workers=40,
            manner=crowd.Manner(accuracy=1.0, spam=spam),
            truth={hit_id: {"sort": "dog"}},
        )
        for hit_id, spam in ((few, 0.25), (many, 0.5))
    ]

    assert [len(one.spammers) for one in reports] == [10, 20]
    assert set(reports[0].spammers) < set(reports[1].spammers)
    wrong = {name for name, answer in answers(inside, many) if "dog" not in answer}
    assert wrong
    assert wrong < set(reports[1].spammers)
    listed = inside.list_assignments_for_hit(HITId=many, MaxResults=100)["Assignments"]
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for one in listed:
        took = (one["SubmitTime"] - one["AcceptTime"]).total_seconds()
        seconds[one["WorkerId"] in reports[1].spammers].append(took)
    assert 5 * max(1, statistics.median(seconds[True])) < statistics.median(seconds[False])


def test_speed_shortens_the_work_and_too_little_time_is_told(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    hits = [make_hit(MaxAssignments=9) for _ in range(2)]
    served.clock.advance(1800)
    reports = [
        crowd.work(served, hit_ids=[hit_id], manner=crowd.Manner(speed=speed))
        for hit_id, speed in zip(hits, (10, 0.01), strict=True)
    ]

    assert [one.out_of_time for one in reports] == [0, 9]
    for one in inside.list_assignments_for_hit(HITId=hits[0])["Assignments"]:
        assert (one["SubmitTime"] - one["AcceptTime"]).total_seconds() < 60


@pytest.mark.parametrize(
    "values", [{"accuracy": 1.1}, {"accuracy": -0.1}, {"spam": 2}, {"speed": 0}]
)
def test_a_manner_out_of_bounds_is_refused(values: dict[str, float]) -> None:
    [name] = values
    with pytest.raises(ValueError, match=name):
        crowd.Manner(**values)


def test_the_fields_of_a_page_are_told(
    served: service.Service, make_hit: Callable[..., str]
) -> None:
    assert crowd.fields(served, make_hit(page=CHOICE)) == ("sort", "why")


def test_an_unknown_hit_is_named(served: service.Service) -> None:
    with pytest.raises(worker.WorkerError, match="There is no HIT 3XYZ"):
        crowd.work(served, hit_ids=["3XYZ"])


def test_workers_have_real_ids_that_stay_the_same(database: store.Store) -> None:
    ids = [crowd.worker_id(number) for number in range(1, 200)]

    assert len(set(ids)) == len(ids)
    with database.read() as connection:
        for worker_id in ids:
            worker.check_worker_id(connection, worker_id)
    assert crowd.worker_id(1) == ids[0]


class Elsewhere:
    """Does some HITs by itself, with the answers that it is told."""

    def __init__(self, served: service.Service, hit_id: str, *, fails: bool = False) -> None:
        self._served = served
        self._hit_id = hit_id
        self._fails = fails

    def has(self, hit_id: str) -> bool:
        return hit_id == self._hit_id

    def do(self, errand: crowd.Errand) -> str | None:
        assignment_id = errand.accept()
        form = forms.read(errand.question)
        drawn = errand.answer(form).drawn
        if self._fails:
            worker.return_hit(self._served, assignment_id, errand.worker_id)
            return None
        fields = [pair for one in drawn for pair in one.posted]
        worker.submit(self._served, assignment_id, errand.worker_id, fields)
        return assignment_id


def test_work_done_elsewhere_is_what_would_have_been_done_here(
    served: service.Service, inside: MTurkClient, make_hit: Callable[..., str]
) -> None:
    here, there = (make_hit(page=PAGE, MaxAssignments=3) for _ in range(2))
    served.clock.advance(3_000)
    for hit_id in (here, there):
        report = crowd.work(
            served, hit_ids=[hit_id], workers=4, place=Elsewhere(served, there), seed=5
        )
        assert (report.assignments, report.left, report.workers) == (3, 0, 3)

    assert answers(inside, here) == answers(inside, there)
    spans = []
    for hit_id in (here, there):
        listed = inside.list_assignments_for_hit(HITId=hit_id)["Assignments"]
        spans.append(
            sorted((one["SubmitTime"] - one["AcceptTime"]).total_seconds() for one in listed)
        )
    assert spans[0] == spans[1]
    assert spans[0][0] > 5


def test_what_fails_elsewhere_is_tried_once_for_each_assignment(
    served: service.Service, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit(page=PAGE, MaxAssignments=2)
    report = crowd.work(served, workers=5, place=Elsewhere(served, hit_id, fails=True))

    assert (report.assignments, report.left, report.hits) == (0, 2, 0)
