"""The reviewer's pages over real HTTP: who may come in, what is marked, what is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reviews import Asker, Running
from turkbatch import actions, errors
from turkbatch.batch import directory, layout
from turkbatch.server import crowd, service, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Start = Callable[..., Running]


@pytest.fixture
def batch(
    client: MTurkClient, served: service.Service, definition: Path, rows: Path, tmp_path: Path
) -> Path:
    """Three HITs, the first two with two submissions each, one of them by the same worker."""
    made = actions.create_batch(client, definition, rows, tmp_path, batch_id="b").batch_dir
    for hit_id in directory.open_batch(made).hit_ids()[:2]:
        for worker_id, colour in (("A1", "blue"), ("A2", "red")):
            assignment_id = worker.accept(served, hit_id, worker_id)
            worker.submit(served, assignment_id, worker_id, [("colour", colour)])
    return made


@pytest.fixture
def start(client: MTurkClient) -> Iterator[Start]:
    """Review batches, in a thread each; ended with the test."""
    running: list[Running] = []

    def begin(batch: Path, **options: Any) -> Running:
        running.append(Running(client, batch, **options))
        running[-1].enter()
        return running[-1]

    yield begin
    for one in running:
        one.end()


def submitted(client: MTurkClient, batch: Path) -> list[str]:
    """Name the assignments in the order of rows and workers."""
    return [
        one["AssignmentId"]
        for hit_id in directory.open_batch(batch).hit_ids()
        for one in sorted(
            client.list_assignments_for_hit(HITId=hit_id)["Assignments"],
            key=lambda one: one["WorkerId"],
        )
    ]


def status(client: MTurkClient, assignment_id: str) -> str:
    return client.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"]


def settled(asker: Asker, path: str = "/job") -> None:
    """Wait until what goes on in the background is done."""
    while json.loads(asker.ask(path)[1])["running"]:
        pass


def send(asker: Asker) -> str:
    """Sum up, and send; give the page that tells what became of it."""
    asker.ask("/plan", {})
    settled(asker)
    code, text = asker.ask("/send", {})
    assert code == 200, text
    settled(asker)
    return asker.ask("/send")[1]


def test_who_brings_no_key_sees_nothing_and_does_nothing(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one = submitted(client, batch)[0]
    stranger = Asker(running.url)
    for path in (
        "/",
        f"/assignments/{one}",
        "/workers",
        "/send",
        "/job",
        "/assets/review.js",
        "/no",
    ):
        code, text = stranger.ask(path)
        assert (code, "holds the key" in text) == (403, True), path
    for path in ("/marks", "/undo", "/plan", "/send", "/finish", "/finished", "/read"):
        assert stranger.ask(path, {"of": "assignment", "id": one, "action": "approve"})[0] == 403
    assert stranger.ask("/enter?key=wrong")[0] == 403
    assert stranger.ask("/enter")[0] == 403
    assert "To send: 0" in running.ask("/")[1]


def test_a_ticket_opens_once_and_the_key_again_and_again(start: Start, batch: Path) -> None:
    running = start(batch)
    first, second, third = (Asker(running.url) for _ in range(3))
    assert first.ask(running.once)[0] == 200
    assert first.ask("/")[0] == 200
    assert second.ask(running.once)[0] == 403
    assert second.ask("/")[0] == 403
    third.enter()
    assert third.ask("/")[0] == 200


@pytest.mark.parametrize(
    "host", ["example.com", "example.com:80", "localhost.example.com", "127.0.0.1.nip.io", "[::1]"]
)
def test_a_name_of_someone_elses_is_refused(start: Start, batch: Path, host: str) -> None:
    running = start(batch)
    for path in ("/", running.url):
        assert running.ask(path, headers={"Host": host})[0] == 403


def test_what_another_origin_posts_is_refused(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one = submitted(client, batch)[0]
    fields = {"of": "assignment", "id": one, "action": "approve"}
    for origin in (f"http://localhost:{running.port}", "https://example.com", "null", ""):
        code, text = running.ask("/marks", fields, headers={"Origin": origin})
        assert (code, "nothing was done" in text) == (403, True), origin
    assert running.mark(one, "approve") == 200


def frame(running: Asker, assignment_id: str) -> str:
    found = re.search(
        r'<iframe[^>]* src="([^"]+)"', running.ask(f"/assignments/{assignment_id}")[1]
    )
    assert found is not None
    return found[1].replace("&amp;", "&")


def test_a_task_is_there_under_its_own_name_and_with_its_own_key_alone(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one, other = submitted(client, batch)[:2]
    address = frame(running, one)
    stranger = Asker(running.url)
    assert address.startswith(f"http://localhost:{running.port}/tasks/{one}/")
    code, text = stranger.ask(address)
    assert (code, '<textarea name="colour"' in text) == (200, True)
    assert (
        '"values": [["colour", ["blue"]]]'
        in stranger.ask(address.split("page?")[0] + "answers.js")[1]
    )
    # Under the pages' own name its scripts would be the reviewer's.
    assert running.ask(address.replace("localhost", "127.0.0.1"))[0] == 403
    # Its key opens no other task, and no page.
    assert stranger.ask(address.replace(one, other))[0] == 404
    assert stranger.ask(f"http://localhost:{running.port}/")[0] == 403
    assert stranger.ask(f"http://localhost:{running.port}/marks", {"id": one})[0] == 403


def test_only_the_script_before_it_is_added_to_a_page(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    page = running.ask(frame(running, submitted(client, batch)[0]))[1]
    assert page.startswith('<!DOCTYPE html><script src="answers.js"></script><html><head>')
    assert 'src="/stand-ins/externalHIT_v1.js"' in page


def test_marks_are_kept_and_sent_as_decisions_of_a_file_are(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one, two, three, four = submitted(client, batch)
    assert running.mark(one, "approve") == 200
    assert running.mark(two, "reject", "Not the sky.") == 200
    assert running.mark(three, "skip") == 200
    assert running.mark(four, "again") == 200
    assert "2 of 2 decisions hold" in send(running)
    assert [status(client, key) for key in (one, two, three, four)] == [
        "Approved",
        "Rejected",
        "Submitted",
        "Submitted",
    ]
    done = directory.open_batch(batch).reviews().done
    assert done == {one: "approve", two: "reject"}
    # Final is final; a rejection can be turned back.
    assert running.mark(one, "reject", "Changed my mind.") == 409
    assert running.mark(two, "reject", "Still.") == 409
    assert running.mark(two, "approve") == 200
    assert "1 of 1 decisions hold" in send(running)
    assert directory.open_batch(batch).reviews().done == {one: "approve", two: "override"}
    running.finish()
    assert running.result() == actions.BrowserReview(batch, 1, 0, 1, {}, 0, 2, ())


@pytest.mark.parametrize(
    ("feedback", "told"),
    [
        pytest.param("", "a rejection needs a reason", id="none"),
        pytest.param(" \n ", "a rejection needs a reason", id="blank"),
        pytest.param("x", "tells the worker nothing", id="a mark of files"),
        pytest.param("e" * 1025, "1,024 are allowed", id="too long"),
    ],
)
def test_a_rejection_says_why(
    start: Start, batch: Path, client: MTurkClient, feedback: str, told: str
) -> None:
    running = start(batch)
    one = submitted(client, batch)[0]
    fields = {"of": "assignment", "id": one, "action": "reject", "feedback": feedback}
    code, text = running.ask("/marks", fields)
    assert (code, told in text) == (409, True)
    assert "To send: 0" in text


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"of": "assignment", "id": "3NO", "action": "approve"}, 404),
        ({"of": "assignment", "action": "pay"}, 400),
        ({"of": "batch", "action": "approve"}, 400),
        ({"of": "worker", "id": "ANOBODY", "action": "approve"}, 409),
        ({}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(
    start: Start, batch: Path, fields: dict[str, str], code: int
) -> None:
    assert start(batch).ask("/marks", fields)[0] == code


def test_marks_that_changed_since_they_were_summed_up_are_not_sent(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one, two, *_ = submitted(client, batch)
    running.mark(one, "approve")
    running.ask("/plan", {})
    settled(running)
    running.mark(two, "approve")
    code, text = running.ask("/send", {})
    assert (code, "have changed since" in text) == (409, True)
    assert "Sum up again" in running.ask("/send")[1]
    assert status(client, one) == "Submitted"


def test_a_batch_is_reviewed_in_one_browser_process_at_a_time(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    start(batch)
    with pytest.raises(errors.BatchError, match="is being reviewed in a browser already"):
        Running(client, batch)


def test_a_batch_that_another_command_works_on_keeps_its_marks(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one = submitted(client, batch)[0]
    running.mark(one, "approve")
    with directory.open_batch(batch).locked():
        text = send(running)
    assert "Not everything was sent" in text
    assert "is working on this batch" in text
    assert "To send: 1" in text
    assert "1 of 1 decisions hold" in send(running)


def test_a_lost_reply_is_settled(
    start: Start, batch: Path, client: MTurkClient, served: service.Service
) -> None:
    running = start(batch)
    one = submitted(client, batch)[0]
    running.mark(one, "approve")
    served.faults.load("ApproveAssignment:reset-after@1")
    assert "1 of 1 decisions hold" in send(running)
    assert status(client, one) == "Approved"


def test_what_was_decided_otherwise_meanwhile_is_told(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one = submitted(client, batch)[0]
    running.mark(one, "reject", "No.\nReally not.")
    running.ask("/plan", {})
    settled(running)
    client.approve_assignment(AssignmentId=one)
    running.ask("/send", {})
    settled(running)
    assert "it is Approved, and stays so" in running.ask("/send")[1]
    running.finish()
    done = running.result()
    assert (dict(done.contradicted), done.rejected, done.marked) == (
        {one: "it is Approved, and stays so"},
        0,
        0,
    )


def test_a_hit_that_vanished_is_shown_as_saved_and_the_others_are_judged(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    one, two, three, _ = submitted(client, batch)
    actions.save_batch(client, batch)
    gone = directory.open_batch(batch).hit_ids()[0]
    client.update_expiration_for_hit(HITId=gone, ExpireAt="0")
    for assignment_id in (one, two):
        client.approve_assignment(AssignmentId=assignment_id)
    client.delete_hit(HITId=gone)

    running = start(batch)
    settled(running, "/reading")
    assert "1 of the HITs the service has no more" in running.ask("/")[1]
    page = running.ask(f"/assignments/{one}")[1]
    assert "nothing can be decided" in page
    assert "blue" in page
    assert running.mark(one, "approve") == 409
    assert running.ask("/marks", {"of": "worker", "id": "A1", "action": "approve"})[0] == 200
    assert "1 of 1 decisions hold" in send(running)
    assert status(client, three) == "Approved"


def test_a_mark_on_a_hit_that_vanished_is_in_the_way_until_it_is_cleared(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    running = start(batch)
    one, two, three, _ = submitted(client, batch)
    running.mark(one, "approve")
    running.mark(three, "approve")
    gone = directory.open_batch(batch).hit_ids()[0]
    client.update_expiration_for_hit(HITId=gone, ExpireAt="0")
    for assignment_id in (one, two):
        client.approve_assignment(AssignmentId=assignment_id)
    client.delete_hit(HITId=gone)
    running.ask("/plan", {})
    settled(running)
    assert f"{one} is none of this batch" in running.ask("/send")[1]
    assert running.ask("/send", {})[0] == 409
    running.ask("/problems/clear", {})
    settled(running)
    assert "1 of 1 decisions hold" in send(running)
    assert status(client, three) == "Approved"


def test_a_hit_that_cannot_be_read_is_named_and_read_again(
    start: Start, batch: Path, served: service.Service
) -> None:
    served.faults.load("ListAssignmentsForHIT:funds@1")
    running = start(batch, concurrency=1)
    settled(running, "/reading")
    assert "1 could not be read" in running.ask("/")[1]
    served.faults.clear()
    running.ask("/read", {})
    settled(running, "/reading")
    text = running.ask("/")[1]
    assert "could not be read" not in text
    assert len(re.findall(r'<tr><td class="number">', text)) == 4


def test_a_rejection_of_long_ago_stays(
    start: Start, batch: Path, client: MTurkClient, served: service.Service
) -> None:
    one = submitted(client, batch)[0]
    client.reject_assignment(AssignmentId=one, RequesterFeedback="No.")
    served.clock.advance(31 * 86400)
    running = start(batch)
    assert "more than 30 days ago" in running.ask(f"/assignments/{one}")[1]
    assert running.mark(one, "approve") == 409


def test_nothing_is_written_to_a_batch_but_the_marks(
    start: Start, batch: Path, client: MTurkClient
) -> None:
    before = {path: path.read_bytes() for path in batch.rglob("*") if path.is_file()}
    running = start(batch)
    running.mark(submitted(client, batch)[0], "approve")
    running.end()
    after = {path: path.read_bytes() for path in batch.rglob("*") if path.is_file()}
    marks = batch / layout.MARKS
    assert {path: text for path, text in after.items() if path != marks} == before
    key = running.url.rpartition("=")[2]
    assert key.encode() not in after[marks]


def test_thousands_of_assignments_stay_quick(
    client: MTurkClient,
    served: service.Service,
    definition: Path,
    tmp_path: Path,
    start: Start,
) -> None:
    data = tmp_path / "many.jsonl"
    data.write_text("".join(f'{{"word": "w{n}"}}\n' for n in range(1000)))
    made = actions.create_batch(client, definition, data, tmp_path, batch_id="many").batch_dir
    crowd.work(served)
    running = start(made)
    settled(running, "/reading")
    text = running.ask("/?page=19")[1]
    assert "1,901 to 2,000 of 2,000" in text
    # The same work for a page, however many there are: one page's answers are read.
    assert text.count('<tr><td class="number">') == 100
