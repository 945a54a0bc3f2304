"""``server worker`` and ``server group``, as they are typed."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.reliability import harness
from turkbatch.server import groups, people, service, worker

PASSWORD = "correct horse battery"
LINK = re.compile(r"http://127\.0\.0\.1:8765/invitations/([A-Za-z0-9_-]{32})")


@pytest.fixture
def anna(served: service.Service) -> people.Person:
    """Somebody with a password."""
    people.add(served, groups.DEFAULT, ["anna.schmidt"])
    return people.redeem(served, people.invite(served, "anna.schmidt"), PASSWORD)


def links(stdout: str) -> dict[str, str]:
    """Read the printed lines: token by worker id."""
    found = {}
    for line in stdout.splitlines():
        worker_id, link = line.split()
        match = LINK.fullmatch(link)
        assert match, line
        found[worker_id] = match.group(1)
    return found


def test_an_added_worker_sets_a_password_by_the_printed_link(
    run: Run, served: service.Service
) -> None:
    done = run("server", "worker", "add", "anna", "ben", "--count", 2)
    tokens = links(done.stdout)
    assert list(tokens)[:2] == ["anna", "ben"]
    assert len(tokens) == 4
    assert "works once, until 20" in done.stderr
    people.redeem(served, tokens["anna"], PASSWORD)
    assert people.check_password(served, "anna", PASSWORD) is not None


def test_adding_again_gives_new_links_to_those_without_a_password(
    run: Run, served: service.Service
) -> None:
    first = links(run("server", "worker", "add", "anna", "ben").stdout)
    people.redeem(served, first["anna"], PASSWORD)
    again = run("server", "worker", "add", "anna", "ben", code=1)
    assert "anna has a password already; a new one: server worker invite anna" in again.stderr
    assert people.invited(served, first["ben"]) is not None
    second = links(run("server", "worker", "add", "ben").stdout)
    assert people.invited(served, first["ben"]) is None
    assert people.invited(served, second["ben"]) is not None
    forgotten = links(run("server", "worker", "invite", "anna").stdout)
    people.redeem(served, forgotten["anna"], PASSWORD + "!")
    assert people.check_password(served, "anna", PASSWORD) is None


def test_ids_come_from_a_file_and_links_go_to_one(run: Run, served: service.Service) -> None:
    run("server", "group", "set", "lab")
    Path("ids.csv").write_text("Name,WorkerId\nAnna,anna\nBen,ben\n")
    arguments = ("--file", "ids.csv", "--group", "lab", "--valid", "2d", "--csv", "links.csv")
    done = run("server", "worker", "add", *arguments)
    assert done.stdout == ""
    assert "2 links are in links.csv." in done.stderr
    assert Path("links.csv").stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(Path("links.csv").read_text().splitlines()))
    assert [row["WorkerId"] for row in rows] == ["anna", "ben"]
    match = LINK.fullmatch(rows[1]["Invitation"])
    assert match is not None
    invited = people.invited(served, match.group(1))
    assert invited is not None
    assert (invited.worker_id, invited.group) == ("ben", "lab")


@pytest.mark.parametrize(
    ("option", "variable", "stored", "expected"),
    [
        pytest.param("https://a.example/", "https://b.example", "x", "https://a.example", id="it"),
        pytest.param(None, "https://b.example", "x", "https://b.example", id="the variable"),
        pytest.param(None, None, "https://c.example", "https://c.example", id="the server's"),
        pytest.param(None, None, None, "http://127.0.0.1:8765", id="none"),
    ],
)
def test_links_lead_where_people_reach_the_server(
    run: Run,
    served: service.Service,
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    variable: str | None,
    stored: str | None,
    expected: str,
) -> None:
    if variable:
        monkeypatch.setenv("TURKBATCH_PUBLIC_URL", variable)
    if stored:
        with served.store.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO settings (name, value) VALUES ('public_url', ?)", (stored,)
            )
    given = ("--public-url", option) if option else ()
    done = run("server", "worker", "add", "anna", *given, "--json")
    (invitation,) = json.loads(done.stdout)["invitations"]
    assert ("lead to this machine alone" in done.stderr) == ("127.0.0.1" in expected)
    assert invitation["link"].startswith(f"{expected}/invitations/")
    assert invitation["worker_id"] == "anna"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("add",), "give IDS, --file or --count", id="nobody"),
        pytest.param(("invite",), "give IDS or --file", id="nobody invited"),
        pytest.param(("add", "x", "--valid", "soon"), "--valid", id="no time"),
        pytest.param(("erase",), "give IDS or --file", id="nobody erased"),
        pytest.param(("erase", "x", "--idle-days", "3"), "either IDS or", id="both"),
        pytest.param(("erase", "x", "--group", "g"), "goes with --idle-days", id="group alone"),
    ],
)
def test_a_command_line_that_says_nobody_is_wrong(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    assert message in run("server", "worker", *arguments, code=2).stderr


def test_what_cannot_be_is_refused(run: Run, served: service.Service) -> None:
    refused = run("server", "worker", "add", "a b", "ä", code=1).stderr
    assert refused.count("can't be a worker's id") == 2
    assert "no group" in run("server", "worker", "add", "x", "--group", "lab", code=1).stderr
    assert "nobody of the id" in run("server", "worker", "invite", "x", code=1).stderr
    assert (
        "up to 365 days"
        in run("server", "worker", "invite", "x", "--valid", "9999d", code=1).stderr
    )
    assert "nobody of the id" in run("server", "worker", "disable", "x", code=1).stderr
    assert "anybody called" in run("server", "worker", "export", "x", code=1).stderr
    assert "anybody called" in run("server", "worker", "erase", "x", "--yes", code=1).stderr
    assert 'no group "lab"' in run("server", "group", "show", "lab", code=1).stderr
    assert people.listed(served) == []


@pytest.mark.usefixtures("anna")
def test_the_list_tells_who_is_there(run: Run) -> None:
    run("server", "group", "set", "lab")
    run("server", "worker", "add", "ben", "--group", "lab")
    run("server", "worker", "disable", "ben")
    found = json.loads(run("server", "worker", "list", "--json").stdout)["workers"]
    assert [(one["worker_id"], one["group"], one["state"]) for one in found] == [
        ("anna.schmidt", "everyone", "active"),
        ("ben", "lab", "disabled"),
    ]
    table = run("server", "worker", "list", "--group", "lab").stdout
    assert "anna" not in table
    assert re.search(r"ben +lab +invited +disabled +20\d\d-\d\d-\d\d +0 +0", table)
    run("server", "worker", "enable", "ben")
    assert "disabled" not in run("server", "worker", "list").stdout


def work_of(served: service.Service, run: Run, definition: Path, rows: Path) -> str:
    """Have the one person do a HIT of a batch; give the batch's directory."""
    batch = run("create-batch", definition, rows, ".", "--yes", "--local").stdout.strip()
    hit_id = worker.offers(served, "anna.schmidt")[0].hit_id
    assignment_id = worker.accept(served, hit_id, "anna.schmidt")
    fields = [("workerId", "anna.schmidt"), ("colour", "blue")]
    worker.submit(served, assignment_id, "anna.schmidt", fields)
    return batch


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    monkeypatch.setenv("TURKBATCH_SERVER_DB", database)


@pytest.mark.usefixtures("anna")
def test_all_about_somebody_is_written_down(
    run: Run, served: service.Service, definition: Path, rows: Path
) -> None:
    work_of(served, run, definition, rows)
    printed = json.loads(run("server", "worker", "export", "anna.schmidt").stdout)
    assert printed["assignments"][0]["answers"]["colour"] == ["blue"]
    told = run(
        "server", "worker", "export", "anna.schmidt", "--output", "anna.json", "--files", "files"
    )
    assert "0 files are in files." in told.stderr
    assert Path("anna.json").stat().st_mode & 0o777 == 0o600
    written = json.loads(Path("anna.json").read_text())
    assert printed | {"exported_at": ""} == written | {"exported_at": ""}


@pytest.mark.usefixtures("anna")
def test_erasing_asks_first_and_tells_the_pseudonym_once(
    run: Run, served: service.Service, definition: Path, rows: Path
) -> None:
    batch = work_of(served, run, definition, rows)
    run("save-batch", batch, code=3)
    no = run("server", "worker", "erase", "anna.schmidt", stdin="n\n", code=1)
    assert "Erase anna.schmidt for good? [y/N]" in no.stderr
    assert "nobody was erased" in no.stderr
    assert "nobody was erased" in run("server", "worker", "erase", "anna.schmidt", code=1).stderr
    assert people.find(served, "anna.schmidt") is not None
    done = run("server", "worker", "erase", "anna.schmidt", stdin="y\n")
    (line,) = done.stdout.splitlines()
    old, pseudonym = line.split()
    assert old == "anna.schmidt"
    assert re.fullmatch("A[A-Z0-9]{13}", pseudonym)
    assert "still hold the old ids" in done.stderr
    assert "Warning" not in done.stderr
    # What the message says of batch directories is what there is to do.
    for path in Path(batch).rglob("*.jsonl"):
        path.write_text(path.read_text().replace(old, pseudonym))
    run("review-batch", batch, "--approve-all", "--yes")
    run("save-batch", batch, code=3)
    run("extract", "tabular", batch, "results.csv")
    (row,) = csv.DictReader(Path("results.csv").read_text().splitlines())
    assert (row["WorkerId"], row["colour"]) == (pseudonym, "blue")


def test_those_without_activity_are_erased_together(run: Run, served: service.Service) -> None:
    run("server", "group", "set", "lab")
    run("server", "worker", "add", "anna.schmidt", "--group", "lab")
    run("server", "worker", "add", "ben.becker")
    assert "nobody to erase" in run("server", "worker", "erase", "--idle-days", 3).stderr
    run("server", "clock", "+5d")
    done = run("server", "worker", "erase", "--idle-days", 3, "--group", "lab", "--json", "-y")
    told = json.loads(done.stdout)
    assert list(told["pseudonyms"]) == ["anna.schmidt"]
    assert (told["elsewhere"], told["overwritten"]) == ({}, True)
    asked = run("server", "worker", "erase", "--idle-days", 3, stdin="y\n")
    assert "ben.becker" in asked.stderr
    assert people.listed(served) == []


def test_texts_of_requesters_that_name_somebody_are_told_of(
    run: Run, served: service.Service, definition: Path, rows: Path
) -> None:
    run("server", "worker", "add", "anna.schmidt")
    rows.write_text('{"word": "for anna.schmidt alone"}\n')
    run("create-batch", definition, rows, ".", "--yes", "--local")
    done = run("server", "worker", "erase", "anna.schmidt", "--yes")
    assert "Warning: 1 rows of questions.question name one of them still" in done.stderr
    assert people.listed(served) == []


@contextlib.contextmanager
def running(*options: str) -> Iterator[str]:
    """Run the server as people do, in a process of its own; give its address."""
    command = [sys.executable, "-m", "turkbatch", "server", "run", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait()


def test_a_link_that_is_made_while_the_server_runs_leads_to_it(run: Run) -> None:
    run("server", "key", "add", "lab")
    with running("--require-keys") as url:
        link = run("server", "worker", "add", "anna").stdout.split()[1]
        assert link.startswith(f"{url}/invitations/")
        with urllib.request.urlopen(link) as reply:
            page = reply.read().decode()
    assert "anna" in page
    assert 'type="password"' in page


def test_a_server_that_runs_keeps_the_terms_of_groups(run: Run, served: service.Service) -> None:
    run("server", "group", "set", "lab", "--retention-days", 3)
    run("server", "worker", "add", "anna.schmidt", "--group", "lab")
    run("server", "clock", "+5d")
    with running():
        harness.until(lambda: people.find(served, "anna.schmidt") is None)


def test_a_group_has_a_text_a_term_and_addresses(run: Run) -> None:
    Path("consent.md").write_text("# Consent\n\nI agree.\n")
    run("server", "group", "set", "lab", "--consent", "consent.md", "--retention-days", 365)
    run("server", "group", "set", "lab", "--record-addresses")
    found = json.loads(run("server", "group", "show", "lab", "--json").stdout)
    assert found == {
        "name": "lab",
        "people": 0,
        "retention_days": 365,
        "records_addresses": True,
        "consent_version": 1,
        "consent": "# Consent\n\nI agree.",
    }
    shown = run("server", "group", "show", "lab").stdout
    assert "version 1" in shown
    assert shown.endswith("# Consent\n\nI agree.\n")
    run("server", "group", "set", "lab", "--no-consent", "--no-record-addresses")
    run("server", "group", "set", "lab", "--retention-days", 0)
    (row,) = [line for line in run("server", "group", "list").stdout.splitlines() if "lab" in line]
    assert row.split() == ["lab", "0", "none", "ever", "not", "recorded"]
    assert json.loads(run("server", "group", "list", "--json").stdout)["groups"][0]["name"] == "lab"


def test_a_text_that_is_none_is_refused(run: Run) -> None:
    Path("empty.md").write_text(" \n")
    wrong = run("server", "group", "set", "lab", "--consent", "empty.md", code=2)
    assert "give --no-consent" in wrong.stderr
    both = ("--consent", "empty.md", "--no-consent")
    assert "give one of" in run("server", "group", "set", "lab", *both, code=2).stderr
    assert "no.md" in run("server", "group", "set", "lab", "--consent", "no.md", code=1).stderr
    assert "can't name a group" in run("server", "group", "set", "a b", code=1).stderr
