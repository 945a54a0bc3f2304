"""The example of a server for real people: what can be tried of it without systemd and a proxy."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import click
import pytest

from tests.conftest import ROOT
from turkbatch.cli import main
from turkbatch.server import keys, origins, store

EXAMPLE = ROOT / "docs" / "deployment"
PROGRAM = "/opt/turkbatch/bin/turkbatch"


def text(name: str) -> str:
    return (EXAMPLE / name).read_text(encoding="utf-8")


def settings() -> dict[str, str]:
    """Read the file that the units read, as systemd does."""
    return dict(re.findall(r"^(\w+)=(.*)$", text("turkbatch.env"), re.MULTILINE))


def command_of(unit: str, directive: str = "ExecStart") -> str:
    joined = text(unit).replace("\\\n", " ")
    (found,) = re.findall(rf"^{directive}=(.*)$", joined, re.MULTILINE)
    return str(found)


def arguments() -> list[str]:
    """Give what the unit starts the server with, its variables filled in."""
    command = re.sub(
        r"\$\{(\w+)\}", lambda name: settings()[name[1]], command_of("turkbatch.service")
    )
    program, *given = shlex.split(command)
    assert program == PROGRAM
    return given


def parsed(words: list[str]) -> dict[str, object]:
    """Have click read a command without running it; give its options."""
    command: click.Command = main.turkbatch
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words
        command, words = found, words[1:]
        context = click.Context(command, context)
    return command.make_context("x", words).params


def option(given: list[str], name: str) -> str:
    return given[given.index(name) + 1]


def test_the_unit_s_options_are_the_command_s() -> None:
    found = parsed(arguments())

    assert found["require_keys"] is True
    exposure = origins.exposure(
        public_url=str(found["public_url"]),
        tasks_url=str(found["tasks_url"]),
        tasks_port=8766,
        trusted_proxy=str(found["trusted_proxy"]),
        sign_ins_per_minute=60,
    )
    assert exposure.trusted_proxy == "127.0.0.1"


def test_the_proxy_leads_each_host_to_its_port() -> None:
    sites = dict(
        re.findall(
            r"^(\S+) \{\n.*?reverse_proxy (\S+)$", text("Caddyfile"), re.MULTILINE | re.DOTALL
        )
    )
    given = arguments()

    assert {f"https://{host}": to for host, to in sites.items()} == {
        option(given, "--public-url"): f"127.0.0.1:{option(given, '--port')}",
        option(given, "--tasks-url"): f"127.0.0.1:{option(given, '--tasks-port')}",
    }


def test_the_unit_s_command_serves_and_ends_in_order(tmp_path: Path) -> None:
    database = tmp_path / "server.db"
    with store.Store.open(database) as opened:
        keys.add(opened, "lab")
    given = arguments()
    for name in ("--port", "--tasks-port"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            given[given.index(name) + 1] = str(free.getsockname()[1])
    command = [sys.executable, "-m", "turkbatch", *given]
    environment = {**os.environ, **settings(), "TURKBATCH_SERVER_DB": str(database)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/turkbatch/health") as reply:
            assert reply.status == 200
        as_proxy = urllib.request.Request(
            f"{url}/sign-in",
            headers={
                "Host": "work.example.org",
                "X-Forwarded-For": "192.0.2.1",
                "X-Forwarded-Proto": "https",
            },
        )
        with urllib.request.urlopen(as_proxy) as reply:
            assert reply.headers["Set-Cookie"].startswith("__Host-turkbatch=")
        process.send_signal(signal.SIGTERM)

    assert process.returncode == 0


def test_the_backup_s_command_makes_one_and_deletes_those_that_are_too_old(tmp_path: Path) -> None:
    database, target = tmp_path / "server.db", tmp_path / "backups"
    store.Store.open(database).close()
    target.mkdir()
    old, recent = target / "20200101T000000Z.db", target / "20200102T000000Z.db"
    for path, days in ((old, 16), (recent, 13)):
        path.touch()
        os.utime(path, times=(time.time() - days * 86_400,) * 2)
    program = tmp_path / "turkbatch"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m turkbatch "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        **settings(),
        "TURKBATCH_SERVER_DB": str(database),
        "STATE_DIRECTORY": str(target),
        "PYTHONPATH": str(ROOT),
    }
    for directive in ("ExecStart", "ExecStartPost"):
        # What systemd does with percent signs and variables, before it starts a command.
        command = command_of("turkbatch-backup.service", directive).replace("%%", "%")
        command = command.replace("${STATE_DIRECTORY}", str(target)).replace(PROGRAM, str(program))
        subprocess.run(shlex.split(command), env=environment, check=True)
    kept = {path.name for path in target.iterdir()}

    assert old.name not in kept
    assert recent.name in kept
    (made,) = kept - {recent.name}
    assert re.fullmatch(r"\d{8}T\d{6}Z\.db", made)
    with store.Store.open(target / made) as opened:
        assert opened.database


def shell_lines() -> list[str]:
    blocks = re.findall(r"```shell\n(.*?)```", text("README.md"), re.DOTALL)
    lines = "".join(blocks).splitlines()
    return [line for line in lines if line.startswith(("turkbatch ", "turkbatch-admin "))]


@pytest.mark.parametrize("line", shell_lines())
def test_the_commands_of_the_guide_are_there(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("definition").mkdir()
    Path("data.jsonl").touch()
    words = [str(tmp_path / "data.jsonl") if "/" in word else word for word in shlex.split(line)]

    assert parsed(words[1:])


def test_the_administrator_s_script_can_be_read_by_a_shell() -> None:
    subprocess.run(["sh", "-n", EXAMPLE / "turkbatch-admin"], check=True)
    assert os.access(EXAMPLE / "turkbatch-admin", os.X_OK)


def test_the_guide_tells_of_every_file() -> None:
    guide = text("README.md")
    linked = set(re.findall(r"\]\(([^)/]+)\)", guide)) - {"README.md"}

    assert linked == {path.name for path in EXAMPLE.iterdir()} - {"README.md"}
    for unit in ("turkbatch.service", "turkbatch-backup.service"):
        assert set(re.findall(r"\$\{(\w+)\}", text(unit))) <= {*settings(), "STATE_DIRECTORY"}
