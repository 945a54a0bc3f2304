"""The README's "A task with a qualification test", run as typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

HEADING = "## A task with a qualification test"
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split(HEADING, 1)[1].split("\n## ", 1)[0]
SESSIONS = re.findall(r"```shell\n(.*?)```", SECTION, re.DOTALL)


def test_the_way_to_a_qualification_test_works_as_it_is_told(tmp_path: Path) -> None:
    command = tmp_path / "turkbatch"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m turkbatch "$@"\n')
    command.chmod(0o755)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    script = "set -eu\n" + "".join(SESSIONS).replace(
        "turkbatch create-batch", "echo y | turkbatch create-batch"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [batch] = tmp_path.glob("batch-*")
    assert batch.name in done.stdout
    assert list(tmp_path.glob("qualification-type-*"))
