"""The README tells the truth: its commands, options, variables, exit codes and sessions."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.conftest import ROOT
from turkbatch.actions import people
from turkbatch.browser import chromium
from turkbatch.cli import main, presenter
from turkbatch.mturk import environments

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


COMMANDS = list(_commands(main.turkbatch))


def test_what_help_shows_is_what_the_commands_say() -> None:
    context = click.Context(main.turkbatch)
    for name, (module, text) in main.COMMANDS.items():
        command = main.turkbatch.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=200) == text
        assert module in main.SECTIONS
    modules = [importlib.import_module(f"turkbatch.cli.{module}") for module in main.SECTIONS]
    assert {name for module in modules for name in module.commands.commands} == set(main.COMMANDS)


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_has_a_line_in_the_readme(name: str) -> None:
    assert re.search(rf"^\| `{re.escape(name)}[ `]", README, re.MULTILINE)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_option_is_in_the_readme(name: str, command: click.Command) -> None:
    options = [
        option
        for param in command.params
        if isinstance(param, click.Option)
        for option in (*param.opts, *param.secondary_opts)
        if option.startswith("--")
    ]
    missing = [option for option in options if not re.search(rf"{option}(?![a-z-])", README)]
    assert missing == [], name


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_help_has_an_example(name: str, command: click.Command) -> None:
    assert f"turkbatch {name}" in (command.help or "")


@pytest.mark.parametrize(
    "variable",
    [
        environments.ENDPOINT_VARIABLE,
        environments.ENVIRONMENT_VARIABLE,
        environments.DATABASE_VARIABLE,
        people.PUBLIC_URL_VARIABLE,
        chromium.VARIABLE,
    ],
)
def test_every_variable_is_in_the_readme_and_the_example(variable: str) -> None:
    assert f"| `{variable}` |" in README
    assert variable in (ROOT / ".envrc.example").read_text(encoding="utf-8")


@pytest.mark.parametrize(("code", "meaning"), presenter.EXIT_CODES.items())
def test_every_exit_code_is_in_the_readme(code: int, meaning: str) -> None:
    assert f"| {code} | {meaning} |" in README


def _masked(text: str) -> str:
    """Take out what differs from run to run: times, ids, and the width of a table's lines."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+", "TIME", text)
    return "\n".join(re.sub(r"  +", "  ", line).strip() for line in text.splitlines()).strip()


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "turkbatch", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    shown = README.split("Installing into .venv ...\n", 1)[1].split("```", 1)[0]
    assert _masked(done.stdout) == _masked(shown)


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = blocks[0].replace('"examples/', f'"{ROOT}/examples/')
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'Assignable': 3}\n"
