"""``server link`` from the address that a platform is given to the files that it takes."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Run
from tests.server import platforms
from turkbatch.server import clock, links, recruiting, service, visits, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

STUDY = "a" * 24
Take = Callable[..., visits.Visit]


def pid(number: int) -> str:
    return f"{number:024x}"


def sid(number: int) -> str:
    return f"{number + 0xC0FFEE000:024x}"


@pytest.fixture
def batch(run: Run, definition: Path, rows: Path) -> str:
    """Three HITs of two assignments, ten cents each."""
    return run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()


@pytest.fixture
def take(served: service.Service) -> Take:
    """Have a participant take part up to some HITs."""

    def take_part(number: int, hits: int = 99, name: str = "colours") -> visits.Visit:
        link = recruiting.find(served, name)
        arrival = links.Arrival(pid(number), STUDY, sid(number))
        visit, _ = links.arrive(served, link.link_id, arrival)
        for _ in range(hits):
            step = links.proceed(served, visit.visit_id)
            if step.assignment_id is None:
                break
            links.submit(served, step.assignment_id, visit.worker_id, [("colour", "blue")])
        return links.proceed(served, visit.visit_id).visit if hits else visit

    return take_part


@pytest.fixture
def platform() -> Iterator[platforms.Platform]:
    with platforms.running() as made:
        yield made


def add(run: Run, batch: str, *more: object, name: str = "colours") -> Any:
    return run("server", "link", "add", name, "--provider", "prolific", "--batch", batch, *more)


def report(run: Run, *more: object, name: str = "colours") -> Any:
    return json.loads(run("server", "link", "report", name, "--json", *more).stdout)


def test_the_address_is_for_the_platform_and_what_to_set_there_is_told_apart(
    run: Run, batch: str
) -> None:
    made = add(run, batch, "--public-url", "https://work.example.org", "--hits", 2)
    assert re.fullmatch(
        r"https://work\.example\.org/join/[0-9a-f]{32}\?PROLIFIC_PID=\{\{%PROLIFIC_PID%\}\}"
        r"&STUDY_ID=\{\{%STUDY_ID%\}\}&SESSION_ID=\{\{%SESSION_ID%\}\}\n",
        made.stdout,
    )
    codes = re.findall(r"Prolific: (C\w{8}) is the code of who .* \((\w+)\)\.", made.stderr)
    assert [outcome for _, outcome in codes] == ["completed", "screened_out", "full", "no_consent"]
    assert len({code for code, _ in codes}) == 4
    assert "Nothing proves that who arrives is the participant" in made.stderr
    shown = run("server", "link", "show", "colours", "--public-url", "https://work.example.org")
    assert (shown.stdout, shown.stderr) == (made.stdout, made.stderr)
    listed = json.loads(run("server", "link", "list", "--json").stdout)["links"]
    assert [(one["name"], one["hits"], one["hits_each"]) for one in listed] == [("colours", 3, 2)]
    assert "colours" in run("server", "link", "list").stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--code", "X1", "--full-code", "x1"], "the code of completed and of full"),
        (["--code", "a b"], '"a b" is no code'),
        (["--return-url", "https://x.example/{cod}"], "nothing is known of {cod}"),
        (["--return-url", "https://x.example/{code!r}"], "is no name in braces"),
        (["--return-url", "x.example"], "is no address to return to"),
        (["--verify", "api"], "give the file that holds it"),
        (["--id-parameter", "STUDY_ID"], "STUDY_ID is named twice"),
        (["--id-parameter", ""], "nobody could be told apart"),
        (["--keep", "a-b"], '"a-b" names no parameter'),
        (["--keep", "prolific_token"], "is a proof"),
        (["--hit", "3NOTHERE"], "this server has no HIT 3NOTHERE"),
        (["--hit-type", "3NOTHERE"], "this server has no HIT type 3NOTHERE"),
        (["--group", "a b"], '"a b" can\'t name a group'),
        (["--provider-url", "api"], "is no address of an API"),
    ],
)
def test_settings_that_can_not_work_are_refused_and_nothing_is_made(
    run: Run, batch: str, options: list[str], told: str
) -> None:
    arguments = ["server", "link", "add", "colours", "--provider", "prolific", "--batch", batch]
    assert told in run(*arguments, *options, code=1).stderr
    assert json.loads(run("server", "link", "list", "--json").stdout) == {"links": []}


def test_a_link_needs_work_and_a_name_of_its_own(run: Run, batch: str) -> None:
    bare = ["server", "link", "add", "colours", "--provider", "generic"]
    assert "a link needs work" in run(*bare, code=1).stderr
    add(run, batch)
    again = run(*bare, "--batch", batch, code=1)
    assert 'there is a link "colours" already' in again.stderr
    for command in ("show", "close", "open", "sync", "report"):
        assert 'no link "other"' in run("server", "link", command, "other", code=1).stderr


def test_each_platform_has_its_own_address(run: Run, batch: str) -> None:
    def address(*options: object) -> str:
        name = f"link{len(made)}"
        url = ("--public-url", "https://w.example", "--batch", batch)
        made.append(run("server", "link", "add", name, *url, *options).stdout.strip())
        return re.sub("[0-9a-f]{32}", "ID", made[-1])

    made: list[str] = []
    assert address("--provider", "connect") == "https://w.example/join/ID"
    credit = "https://school.example/webstudy_credit.aspx?experiment_id=1&credit_token=t&x=1"
    sona = address("--provider", "sona", "--credit-url", credit)
    assert sona == "https://w.example/join/ID?sona_id=%SURVEY_CODE%"
    bare = run("server", "link", "add", "bare", "--provider", "sona", "--batch", batch)
    assert "Without --credit-url nobody is credited by itself" in bare.stderr
    generic = address("--provider", "generic", "--id-parameter", "user_id")
    assert generic == "https://w.example/join/ID"
    refused = ["server", "link", "add", "x", "--provider", "sona", "--batch", batch]
    told = run(*refused, "--credit-url", "https://school.example/x", code=1).stderr
    assert "it has no experiment_id and no credit_token" in told


def test_requirements_that_newcomers_lack_are_warned_of(
    run: Run, definition: Path, rows: Path
) -> None:
    properties = json.loads((definition / "hittypeproperties.json").read_text())
    properties["QualificationRequirements"] = [
        {
            "QualificationTypeId": "@NumberHITsApproved",
            "Comparator": "GreaterThan",
            "IntegerValues": [100],
        }
    ]
    (definition / "hittypeproperties.json").write_text(json.dumps(properties))
    made = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    assert "00000000000000000040, which newcomers lack" in add(run, made).stderr


def test_who_came_and_is_owed_what_and_the_files_for_the_platform(
    run: Run, batch: str, served: service.Service, take: Take, client: MTurkClient, tmp_path: Path
) -> None:
    add(run, batch, "--hits", 2)
    done, half = take(1), take(2, 1)
    links.leave(served, half.visit_id)
    waiting = take(3)
    work: dict[str, list[str]] = {}
    for hit_id in (hit["HITId"] for hit in client.list_hits()["HITs"]):
        for one in client.list_assignments_for_hit(HITId=hit_id)["Assignments"]:
            work.setdefault(one["WorkerId"], []).append(one["AssignmentId"])
    for assignment_id in work[done.worker_id]:
        client.approve_assignment(AssignmentId=assignment_id)
    for number, amount in enumerate(("0.50", "1.25")):
        client.send_bonus(
            WorkerId=done.worker_id,
            AssignmentId=work[done.worker_id][0],
            BonusAmount=amount,
            Reason="good",
            UniqueRequestToken=str(number),
        )

    found = report(run)
    lines = {line["participant"]: line for line in found["participants"]}
    assert {
        who: (line["state"], line["done"], line["waiting"], line["approved"])
        for who, line in lines.items()
    } == {
        pid(1): ("completed", 2, 0, 2),
        pid(2): ("left", 1, 1, 0),
        pid(3): ("completed", 2, 2, 0),
    }
    assert waiting.state == "completed"
    assert (lines[pid(1)]["rewards"], lines[pid(1)]["bonuses"]) == ("0.20", "1.75")
    assert lines[pid(2)]["notes"] == ["left after 1 of the HITs"]
    assert {line["verified"] for line in lines.values()} == {"nothing"}

    told = run("server", "link", "report", "colours", "--approvals", "a.txt", "--bonuses", "b.csv")
    assert (tmp_path / "a.txt").read_text() == f"{sid(1)}\n"
    assert (tmp_path / "b.csv").read_text() == f"{sid(1)},1.75\n"
    assert "Nothing proves the participants' ids" in told.stderr
    # What is new goes into the next file, and nothing twice.
    again = run(
        "server", "link", "report", "colours", "--approvals", "a2.txt", "--bonuses", "b2.csv"
    )
    assert "There is nothing new; a2.txt was not written." in again.stderr
    assert "There is nothing new; b2.csv was not written." in again.stderr
    assert not (tmp_path / "a2.txt").exists()
    for assignment_id in work[waiting.worker_id]:
        client.approve_assignment(AssignmentId=assignment_id)
    client.send_bonus(
        WorkerId=waiting.worker_id,
        AssignmentId=work[waiting.worker_id][0],
        BonusAmount="0.07",
        Reason="good",
        UniqueRequestToken="3",
    )
    more = ("--approvals", "a2.txt", "--bonuses", "b2.csv", "--with-rewards")
    run("server", "link", "report", "colours", *more)
    assert (tmp_path / "a2.txt").read_text() == f"{sid(3)}\n"
    assert sorted((tmp_path / "b2.csv").read_text().split()) == [f"{sid(1)},0.20", f"{sid(3)},0.27"]
    files = report(run)["files"]
    assert [(one["kind"], one["lines"], one["amount"]) for one in files] == [
        ("approval", 1, "0.20"),
        ("bonus", 1, "1.75"),
        ("approval", 1, "0.20"),
        ("bonus", 2, "0.47"),
    ]


def test_a_lost_file_is_written_again_by_its_number_and_none_is_overwritten(
    run: Run, batch: str, take: Take, client: MTurkClient, tmp_path: Path
) -> None:
    add(run, batch, "--hits", 1)
    visit = take(1)
    for hit in client.list_hits()["HITs"]:
        for one in client.list_assignments_for_hit(HITId=hit["HITId"])["Assignments"]:
            client.approve_assignment(AssignmentId=one["AssignmentId"])
    assert visit.state == "completed"
    command = ("server", "link", "report", "colours", "--approvals")
    run(*command, "a.txt")
    assert "a.txt: is there already" in run(*command, "a.txt", code=1).stderr
    (tmp_path / "a.txt").unlink()
    (file,) = report(run)["files"]
    run(*command, "a.txt", "--again", file["file_id"])
    assert (tmp_path / "a.txt").read_text() == f"{sid(1)}\n"
    assert 'has no file "other"' in run(*command, "b.txt", "--again", "other", code=1).stderr
    assert "--again writes one file" in run(*command[:4], "--again", "x", code=2).stderr
    assert "--with-rewards goes with" in run(*command[:4], "--with-rewards", code=2).stderr
    missing = run(*command, "nowhere/a.txt", code=1)
    assert "there is no directory nowhere" in missing.stderr


def test_what_was_recorded_and_not_written_is_listed_and_can_be_written(
    run: Run, batch: str, take: Take, client: MTurkClient, tmp_path: Path
) -> None:
    add(run, batch)
    take(1)
    for hit in client.list_hits()["HITs"]:
        for one in client.list_assignments_for_hit(HITId=hit["HITId"])["Assignments"]:
            client.approve_assignment(AssignmentId=one["AssignmentId"])
    # The disk fails between the two: the name is too long for it.
    with pytest.raises(OSError, match="too long"):
        run("server", "link", "report", "colours", "--approvals", "x" * 245)
    (file,) = report(run)["files"]
    command = ("server", "link", "report", "colours", "--approvals", "a.txt")
    assert "There is nothing new" in run(*command).stderr
    run(*command, "--again", file["file_id"])
    assert (tmp_path / "a.txt").read_text() == f"{sid(1)}\n"


def test_what_the_platform_exported_is_held_against_the_visits(
    run: Run, batch: str, served: service.Service, take: Take, tmp_path: Path
) -> None:
    codes = ("--code", "DONE1", "--full-code", "FULL1")
    add(run, batch, "--places", 9, *codes)
    take(1)
    take(2)
    take(3, 0)
    take(5, 0)
    with (tmp_path / "export.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Submission id", "Participant id", "Status", "Completion code"])
        writer.writerow([sid(1), pid(1), "AWAITING REVIEW", "DONE1"])
        writer.writerow([sid(2), pid(2), "RETURNED", "NOCODE"])
        writer.writerow([sid(3), pid(3), "AWAITING REVIEW", "DONE1"])
        writer.writerow([sid(4), pid(4), "TIMED-OUT", ""])
        writer.writerow([sid(5), pid(5), "RETURNED", ""])
    found = report(run, "--platform", "export.csv")
    notes = {one["participant"]: (one["state"], one["notes"]) for one in found["participants"]}
    assert notes == {
        pid(1): ("completed", []),
        pid(2): ("completed", ["finished here, and RETURNED on the platform"]),
        pid(3): (
            "working",
            ["AWAITING REVIEW on the platform, and working here", "gave the code DONE1"],
        ),
        pid(5): ("returned", []),
    }
    assert found["never_came"] == [
        {"session": sid(4), "participant": pid(4), "status": "TIMED-OUT", "code": ""}
    ]
    plain = run("server", "link", "report", "colours")
    assert f"{pid(4)} ({sid(4)}) is TIMED-OUT on the platform and never came here." in plain.stderr
    assert links.places_taken(served, recruiting.find(served, "colours")) == 3
    (tmp_path / "export.csv").write_text("Participant id,Status\nx,y\n")
    refused = run("server", "link", "report", "colours", "--platform", "export.csv", code=1)
    assert "export.csv:1: has no column Submission id" in refused.stderr


def test_late_answers_are_in_the_report(
    run: Run, batch: str, served: service.Service, take: Take
) -> None:
    add(run, batch, "--places", 1, "--max-minutes", 5)
    slow = take(1, 0)
    step = links.proceed(served, slow.visit_id)
    assert step.assignment_id is not None
    clock.Clock(served.store).advance(301)
    take(2)
    links.submit(served, step.assignment_id, slow.worker_id, [("colour", "green")])
    found = report(run)
    states = {one["participant"]: (one["state"], one["late"]) for one in found["participants"]}
    assert states == {pid(1): ("late", 1), pid(2): ("completed", 0)}
    (late,) = found["late_answers"]
    assert late["participant"] == pid(1)
    assert "<FreeText>green</FreeText>" in late["answer"]
    assert late["hit_id"] == worker.task(served, step.assignment_id).hit_id


def test_the_report_as_a_csv(
    run: Run, batch: str, served: service.Service, take: Take, tmp_path: Path
) -> None:
    add(run, batch, "--keep", "wave")
    link = recruiting.find(served, "colours")
    arrival = links.Arrival(pid(1), STUDY, sid(1), extras={"wave": "zwölf"})
    links.arrive(served, link.link_id, arrival)
    take(1)
    run("server", "link", "report", "colours", "--csv", "who.csv")
    with (tmp_path / "who.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["Participant"], line["State"], line["Done"]) == (pid(1), "completed", "1")
    assert (line["Session"], line["Study"], line["Rewards"]) == (sid(1), STUDY, "0.00")
    assert json.loads(line["Kept"]) == {"wave": "zwölf"}
    assert report(run)["participants"][0]["kept"] == {"wave": "zwölf"}


def test_a_link_is_closed_and_opened_and_a_participant_released(
    run: Run, batch: str, take: Take
) -> None:
    add(run, batch, "--places", 1)
    run("server", "link", "close", "colours")
    assert take(1, 0).state == "full"
    run("server", "link", "open", "colours")
    assert take(2, 0).state == "working"
    assert take(3, 0).state == "full"
    run("server", "link", "release", "colours", pid(2).upper())
    assert take(4, 0).state == "working"
    refused = run("server", "link", "release", "colours", pid(2), code=1)
    assert f"the participant {pid(2)} is not at work" in refused.stderr


def test_sync_asks_all_pages_and_gives_places_back(
    run: Run, batch: str, take: Take, platform: platforms.Platform, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{platform.token}\n")
    options = ("--api-token-file", "token", "--provider-url", platform.url)
    made = add(run, batch, "--places", 2, *options, "--json")
    assert platform.token not in made.stdout + made.stderr
    take(1, 0)
    take(2, 0)
    assert take(3, 0).state == "full"
    platform.page_size = 1
    for number, status in ((1, "RETURNED"), (2, "ACTIVE"), (9, "AWAITING REVIEW")):
        platform.submit(sid(number), pid(number), status)
    synced = run("server", "link", "sync", "colours", "--json")
    assert json.loads(synced.stdout) == {"submissions": 3, "ended": [pid(1)], "credited": 0}
    assert len(platform.asked) == 3
    assert take(4, 0).state == "working"
    assert [one["participant"] for one in report(run)["never_came"]] == [pid(9)]
    platform.failures = [503, 503, 503]
    failed = run("server", "link", "sync", "colours", code=4)
    assert "could not be asked: HTTP 503; nothing was changed" in failed.stderr
    platform.token = "another"
    failed = run("server", "link", "sync", "colours", code=4)
    assert "does not take the API token" in failed.stderr


@pytest.mark.parametrize("before", ["refused", "asked"], ids=["refused", "killed while it asked"])
def test_credit_that_was_not_granted_is_asked_for_again_by_sync(
    run: Run,
    batch: str,
    served: service.Service,
    platform: platforms.Platform,
    before: str,
) -> None:
    url = f"{platform.url}/webstudy_credit.aspx?experiment_id=7&credit_token=t0"
    options = ("--provider", "sona", "--batch", batch, "--credit-url", url)
    made = run("server", "link", "add", "pool", *options)
    assert "t0" not in made.stdout + made.stderr
    link = recruiting.find(served, "pool")
    visit, _ = links.arrive(served, link.link_id, links.Arrival("4711"))
    step = links.proceed(served, visit.visit_id)
    assert step.assignment_id is not None
    links.submit(served, step.assignment_id, visit.worker_id, [("colour", "blue")])
    links.proceed(served, visit.visit_id)
    links.note_credit(served, visit.visit_id, before, before=None)
    noted = f"credit was not granted by the server: {before}"
    assert report(run, name="pool")["participants"][0]["notes"] == [noted]
    assert "Credit was granted to 1 participants." in run("server", "link", "sync", "pool").stderr
    assert report(run, name="pool")["participants"][0]["notes"] == []
    run("server", "link", "sync", "pool")
    assert len(platform.asked) == 1


def test_a_link_without_a_token_can_t_be_synced_and_a_bad_token_file_is_told(
    run: Run, batch: str, tmp_path: Path
) -> None:
    add(run, batch)
    assert "there is no API token" in run("server", "link", "sync", "colours", code=1).stderr
    for text, told in (("", "holds no API token"), ("a b", "holds more than an API token")):
        (tmp_path / "token").write_text(text)
        arguments = ["server", "link", "add", "x", "--provider", "prolific", "--batch", batch]
        refused = run(*arguments, "--api-token-file", "token", code=1)
        assert told in refused.stderr


def test_files_for_connect_and_for_sona(
    run: Run, batch: str, served: service.Service, client: MTurkClient, tmp_path: Path
) -> None:
    run("server", "link", "add", "c", "--provider", "connect", "--batch", batch)
    run("server", "link", "add", "s", "--provider", "sona", "--batch", batch)
    for name, arrival in (
        ("c", links.Arrival("P1", "project", "A1")),
        ("s", links.Arrival("4711")),
    ):
        link = recruiting.find(served, name)
        visit, _ = links.arrive(served, link.link_id, arrival)
        step = links.proceed(served, visit.visit_id)
        assert step.assignment_id is not None
        links.submit(served, step.assignment_id, visit.worker_id, [("colour", "blue")])
        assert links.proceed(served, visit.visit_id).visit.state == "completed"
        client.approve_assignment(AssignmentId=step.assignment_id)
        client.send_bonus(
            WorkerId=visit.worker_id,
            AssignmentId=step.assignment_id,
            BonusAmount="0.30",
            Reason="r",
        )
        run("server", "link", "report", name, "--approvals", f"{name}.a", "--bonuses", f"{name}.b")
    texts = {path.name: path.read_text() for path in tmp_path.glob("[cs].[ab]")}
    assert texts == {
        "c.a": "participantId,assignmentId,message\nP1,A1,\n",
        "c.b": "id,amount\nP1,0.30\n",
        "s.a": "4711\n",
        "s.b": "id,amount\n4711,0.30\n",
    }
