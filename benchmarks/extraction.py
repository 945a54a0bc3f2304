"""Extracting a large batch, against a loop over minidom that builds dicts."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.dom import minidom

from benchmarks.figures import Figure
from turkbatch import actions

PER_HIT = 10
FEW = 1_000
ROUNDS = 2
ANSWER = (
    '<?xml version="1.0" encoding="ASCII"?><QuestionFormAnswers xmlns="http://mechanicalturk.'
    'amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd">'
    + "".join(
        f"<Answer><QuestionIdentifier>{name}</QuestionIdentifier>"
        f"<FreeText>{{{name}}}</FreeText></Answer>"
        for name in ("colour", "certainty", "comment")
    )
    + "</QuestionFormAnswers>"
)
TIMES = {"AcceptTime": "2026-01-02T03:04:05+00:00", "SubmitTime": "2026-01-02T03:05:06+00:00"}


def write(folder: Path, assignments: int) -> Path:
    """Write a batch of saved results, as amti leaves one."""
    batch = folder / f"batch-{assignments}"
    batch.mkdir()
    (batch / "BATCHID").write_text(str(assignments))
    hits = -(-assignments // PER_HIT)
    ids = [f"3HIT{number:026d}" for number in range(hits)]
    marker = {"hittype_id": "3TYPE", "hit_ids": ids}
    (batch / "_INCOMPLETE").write_text(json.dumps(marker))
    (batch / "data.jsonl").write_text(
        "".join(f'{{"word": "word{number}"}}\n' for number in range(hits))
    )
    for number, hit_id in enumerate(ids):
        directory = batch / "results" / f"hit-{hit_id}"
        directory.mkdir(parents=True)
        hit = {"HITId": hit_id, "HITTypeId": "3TYPE", "Reward": "0.01", "MaxAssignments": PER_HIT}
        (directory / "hit.jsonl").write_text(json.dumps({"HIT": hit}) + "\n")
        (directory / "assignments.jsonl").write_text(
            "".join(
                json.dumps(
                    {
                        "AssignmentId": f"3ASG{number:020d}{one:06d}",
                        "WorkerId": f"A{one:013d}",
                        "HITId": hit_id,
                        "AssignmentStatus": "Approved",
                        **TIMES,
                        "Answer": ANSWER.format(
                            colour=f"colour {number}", certainty=one, comment="as it seems " * 5
                        ),
                    }
                )
                + "\n"
                for one in range(PER_HIT)
            )
        )
    return batch


def extract(batch: Path, out: Path) -> None:
    """Extract as the command does."""
    actions.extract_tabular(batch, out)


def loop(batch: Path, out: Path) -> None:
    """Extract as a script would: minidom, a dict a row, one file after the other."""
    marker = json.loads((batch / "_INCOMPLETE").read_text())
    with out.open("w", encoding="utf-8") as file:
        for hit_id in marker["hit_ids"]:
            directory = batch / "results" / f"hit-{hit_id}"
            hit = json.loads((directory / "hit.jsonl").read_text())["HIT"]
            for line in (directory / "assignments.jsonl").read_text().splitlines():
                assignment = json.loads(line)
                row = {**hit, **assignment}
                document = minidom.parseString(row.pop("Answer"))
                for answer in document.getElementsByTagName("Answer"):
                    name = answer.getElementsByTagName("QuestionIdentifier")[0]
                    text = answer.getElementsByTagName("FreeText")[0]
                    row[_text(name)] = _text(text)
                file.write(json.dumps(row) + "\n")


def _text(element: minidom.Element) -> str:
    return "".join(child.data for child in element.childNodes if isinstance(child, minidom.Text))


def measure(folder: Path, *, assignments: int) -> Iterator[Figure]:
    """Time both on the same batch, each in a process of its own, and compare the memory."""
    many, few = write(folder, assignments), write(folder, FEW)
    loops, ours = [], []
    for _ in range(ROUNDS):
        loops.append(_run("loop", many, folder))
        ours.append(_run("extract", many, folder))
    slow, _ = min(loops)
    fast, large = min(ours)
    _, small = _run("extract", few, folder)
    work = f"extract {assignments:,}"
    detail = f"{fast:.1f} s, loop {slow:.1f} s"
    yield Figure(f"{work} / minidom loop", 2.5, slow / fast, detail=detail)
    detail = f"{large / 1024:.0f} MiB, {small / 1024:.0f} MiB for {FEW:,}"
    yield Figure(f"peak memory of {work}", 1.5, large / small, "at most", detail=detail)


def _run(which: str, batch: Path, folder: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.extraction", which, str(batch)]
    done = subprocess.run(
        [*command, str(folder / "out.jsonl")], capture_output=True, text=True, check=True
    )
    seconds, kibibytes = json.loads(done.stdout)
    return seconds, kibibytes


if __name__ == "__main__":
    _which, _batch, _out = sys.argv[1:]
    _begun = time.perf_counter()
    {"extract": extract, "loop": loop}[_which](Path(_batch), Path(_out))
    _seconds = time.perf_counter() - _begun
    print(json.dumps([_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))  # noqa: T201
