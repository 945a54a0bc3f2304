"""A secret key that would be recognized anywhere, and is to be found nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MARK = "MARKEDxSECRETx0123456789"
ID = "AKIAMARKEDID00000000"


@pytest.fixture
def profile() -> str:
    """A profile whose key, secret and token are marked."""
    path = Path(os.environ["HOME"]) / ".aws" / "credentials"
    path.parent.mkdir()
    path.write_text(
        f"[marked]\naws_access_key_id = {ID}\naws_secret_access_key = {MARK}\n"
        f"aws_session_token = {MARK}\n"
    )
    return "marked"


def _run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "turkbatch", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDEVMODE": ""},
    )


def test_no_secret_is_in_a_log_or_a_file(
    tmp_path: Path, mturk: str, profile: str, definition: Path, rows: Path
) -> None:
    url = mturk.replace("://", f"://someone:{MARK}@")
    there = ("--profile", profile, "--endpoint-url", url)
    work = tmp_path / "work"
    work.mkdir()
    made = _run(work, "-v", "create-batch", definition, rows, ".", "--yes", *there)
    assert made.returncode == 0, made.stderr
    assert "DEBUG turkbatch.mturk.calls: CreateHITType" in made.stderr
    batch = made.stdout.strip()
    outputs = [made]
    for arguments in (
        ("-v", "associate-qual", "A1", "--qual", "3NONE", *there),
        ("-v", "block-workers", "A1", *there),
        ("-v", "notify-workers", "A1", "-s", "Hello", "-m", "Text", *there),
        ("-v", "save-batch", batch, "--profile", profile),
    ):
        outputs.append(_run(work, *arguments))
    for done in outputs:
        assert "DEBUG turkbatch.mturk.calls" in done.stderr
        assert MARK not in done.stdout + done.stderr
        assert ID not in done.stdout + done.stderr
    secrets = Path(os.environ["HOME"]) / ".aws" / "credentials"
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != secrets:
            assert MARK.encode() not in path.read_bytes(), path


def test_keys_are_asked_for_with_every_way_to_give_them(tmp_path: Path) -> None:
    done = _run(tmp_path, "list-blocks")
    assert done.returncode == 1
    for way in ("AWS_ACCESS_KEY_ID", ".envrc.example", "--profile", "--local"):
        assert way in done.stderr
