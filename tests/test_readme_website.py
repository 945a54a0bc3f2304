"""The page for people who come from the requester website: its files and commands, run as typed.

They are those of the README, read from it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

HEADING = "## Coming from the requester website"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.split(HEADING, 1)[1].split("\n## ", 1)[0]

FILE = re.compile(r"In\s+`([^`\n]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
SESSION = re.compile(r"```console\n(.*?)```", re.DOTALL)


def _masked(text: str) -> str:
    """Take out times, and the width of a table's lines."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+", "TIME", text)
    lines = (re.sub(r"  +", "  ", line).strip() for line in text.splitlines())
    return "\n".join(filter(None, lines))


def _turkbatch_in(directory: Path) -> str:
    """Put the command on the path, as an installation does."""
    command = directory / "turkbatch"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m turkbatch "$@"\n')
    command.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


def test_the_way_from_the_website_is_as_it_is_told(tmp_path: Path) -> None:
    for name, content in FILE.findall(SECTION):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    variables = {**os.environ, "PATH": _turkbatch_in(tmp_path), "PYTHONPATH": str(ROOT)}
    for session in SESSION.findall(SECTION):
        for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                check=False,
            )
            assert _masked(done.stdout) == _masked(shown), command
