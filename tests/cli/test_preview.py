from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 0, id="Ctrl-C"), pytest.param(signal.SIGTERM, 143, id="kill")],
)
def test_the_address_is_printed_and_nothing_stays(
    definition: Path, rows: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    command = ("preview-batch", str(definition), str(rows), "--port", "0")
    started = subprocess.Popen(
        [sys.executable, "-m", "turkbatch", *command],
        cwd=ROOT,
        env={"TMPDIR": str(place), "PATH": "", "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with started:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/rows/2") as reply:
            assert "grass" in reply.read().decode()
        assert len(list(place.iterdir())) == 1
        started.send_signal(number)
        rest, said = started.communicate(timeout=60)
    assert (started.returncode, rest) == (code, ""), said
    assert said.splitlines() == [f"The pages of {rows} are at {url}; Ctrl-C ends it."]
    assert list(place.iterdir()) == []


def test_an_export_prints_its_index(run: Run, definition: Path, rows: Path) -> None:
    done = run("preview-batch", definition, rows, "--export", "pages")

    assert done.stdout == "pages/index.html\n"
    assert Path("pages/row-3.html").is_file()
    refused = run("preview-batch", definition, rows, "--export", "pages", code=1)
    assert "pages: is there already" in refused.stderr


@pytest.mark.parametrize(("chosen", "kept"), [("local", False), ("cdn", True)])
def test_crowd_elements_are_ours_or_aws_s(
    run: Run, definition: Path, rows: Path, chosen: str, kept: bool
) -> None:
    address = "https://assets.crowd.aws/crowd-html-elements.js"
    (definition / "question.html.j2").write_text(
        f'<script src="{address}"></script><crowd-form><crowd-input name="x"></crowd-form>'
    )
    run("preview-batch", definition, rows, "--export", "pages", "--crowd-elements", chosen)
    page = Path("pages/pages/row-1.html").read_text(encoding="utf-8")
    assert (address in page, "data:text/javascript" in page) == (kept, not kept)


def test_what_is_not_there_is_named(run: Run, definition: Path) -> None:
    refused = run("preview-batch", definition, "nothing.csv", "--port", "0", code=1)
    assert refused.stderr.startswith("Error: nothing.csv: there is no such file")
    assert run("preview-batch", definition, definition, "--port", "70000", code=2).stdout == ""
