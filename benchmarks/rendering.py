"""Rendering and checking many rows of a large layout, against replace and one parse a row."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.figures import Figure
from turkbatch import actions

COLUMNS = ("title", "text", "image_url")
LAYOUTS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "requester_templates"
LARGEST_BYTES = 60_000
"""Of a layout, so that the rows' own text still fits under MTurk's 65,535 bytes."""
FEW = 1_000
QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
    '2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[{}]]></HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)


def layout() -> str:
    """Give the largest published layout that fits, or one of that size of our own."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in LAYOUTS.rglob("*.html"))
    fitting = [text for text in texts if len(text.encode()) <= LARGEST_BYTES]
    own = "<p>A line of a long page, with <code>`${script}`</code> in it.</p>\n" * 700
    page = max(fitting, key=len, default=own)
    shown = "".join(f"<p>${{{name}}}</p>" for name in COLUMNS)
    return f'{page}<form><input name="answer">{shown}<input type="submit"></form>'


def write(folder: Path, rows: int) -> Path:
    """Write a definition and its CSV; return their directory."""
    target = folder / f"rendering-{rows}"
    (target / "definition").mkdir(parents=True)
    (target / "definition" / "question.html").write_text(layout(), encoding="utf-8")
    (target / "definition" / "hittypeproperties.json").write_text(
        '{"Title": "T", "Description": "D", "Reward": "0.01", "AssignmentDurationInSeconds": 600}'
    )
    (target / "definition" / "hitproperties.json").write_text('{"LifetimeInSeconds": 86400}')
    with (target / "data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            (f"Title {number}", "some words, as they come " * 4, f"https://example.com/{number}")
            for number in range(rows)
        )
    return target


def check(target: Path) -> None:
    """Render and check every row as ``create-batch`` does."""
    actions.plan_batch(target / "definition", target / "data.csv")


def loop(target: Path) -> None:
    """Replace each placeholder and parse the question once, a row after the other."""
    page = (target / "definition" / "question.html").read_text(encoding="utf-8")
    with (target / "data.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            made = page
            for name, value in row.items():
                made = made.replace(f"${{{name}}}", value)
            ElementTree.fromstring(QUESTION.format(made.replace("]]>", "]]&gt;")))


def measure(folder: Path, *, rows: int) -> Iterator[Figure]:
    """Time both on the same rows, each in a process of its own, and compare the memory."""
    many, few = write(folder, rows), write(folder, FEW)
    plain, _ = _run("loop", many)
    ours, large = _run("check", many)
    _, small = _run("check", few)
    work = f"check {rows:,} rows"
    detail = f"{ours:.1f} s, loop {plain:.1f} s"
    yield Figure(f"{work} / replace and parse", 3.0, ours / plain, "at most", detail=detail)
    detail = f"{large / 1024:.0f} MiB, {small / 1024:.0f} MiB for {FEW:,}"
    yield Figure(f"peak memory of {work}", 1.2, large / small, "at most", detail=detail)


def _run(which: str, target: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.rendering", which, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kibibytes = json.loads(done.stdout)
    return seconds, kibibytes


if __name__ == "__main__":
    _which, _target = sys.argv[1:]
    _begun = time.perf_counter()
    {"check": check, "loop": loop}[_which](Path(_target))
    _seconds = time.perf_counter() - _begun
    print(json.dumps([_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))  # noqa: T201
