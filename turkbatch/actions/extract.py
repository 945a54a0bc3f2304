"""``extract``: results as a table, or as the answers' own XML.

They are those that a batch has saved, or a results file of the requester website.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

from turkbatch import answers, errors, files, tables, website
from turkbatch.actions import pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import directory
from turkbatch.batch.directory import Batch

Format = Literal["jsonl", "json", "csv"]
FORMATS: tuple[Format, ...] = ("jsonl", "json", "csv")
STDOUT = "-"


@dataclasses.dataclass(frozen=True)
class Extracted:
    """What was written.

    Parameters
    ----------
    path : Path
        The file, or the directory of XML files.
    assignments : int
        How many assignments it holds.
    """

    path: Path
    assignments: int


def format_of(path: pinned.PathLike) -> Format:
    """Tell a format by a file's name; JSON Lines where that names none."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    return next((one for one in FORMATS if one == suffix), "jsonl")


def extract_tabular(
    source: pinned.PathLike,
    output_path: pinned.PathLike,
    *,
    format: Format | None = None,
    style: tables.Style = "amti",
    inputs: bool = False,
    excel_safe: bool = False,
    note: Callable[[str], None] | None = None,
    now: datetime | None = None,
    progress: Progress = silent,
) -> Extracted:
    """Write one row for each assignment, in the order of the data.

    Parameters
    ----------
    source : path
        A batch of which something is saved, or a results file of the requester website.
    output_path : path
        The file to write; ``-`` is standard output.
    format : {"jsonl", "json", "csv"}, optional
        By the name of the file unless given; CSV where that names none and the style is
        the website's.
    style : {"amti", "requester"}
        amti's columns, or those of the requester website, whose inputs are always there.
    inputs : bool
        Add the fields of the data row, as ``Input.NAME``.
    excel_safe : bool
        Keep a spreadsheet from taking cells for formulas.
    note : callable, optional
        Given each note, such as a dropped field.
    now : datetime, optional
        From when workers' approval rates of the last days are counted back.
    progress : Progress
        Told of the HITs read.

    Returns
    -------
    Extracted

    Raises
    ------
    BatchError
        If nothing is saved, or the output can't be written.
    AnswerError
        If an answer can't be read; the file is then not written.
    DataError
        If a results file can't be read.
    """
    path = Path(source)
    if path.is_file():
        found: _Source = _ResultsFile(path, style, inputs, progress)
    else:
        batch = directory.open_batch(path)
        found = _BatchResults(batch, style, inputs, now or datetime.now(UTC), progress)
    notes = note or _ignored
    passes = itertools.count()

    def rows() -> Iterator[dict[str, Any]]:
        # A CSV is gone through twice; what is worth a note is said the first time.
        return found.rows(notes if next(passes) == 0 else _ignored)

    chosen = format or _format(output_path, style)
    with _output(output_path) as out:
        count = tables.write(rows, out, chosen, style=style, excel_safe=excel_safe)
    return Extracted(Path(output_path), count)


def _ignored(note: str) -> None:
    """Tell nobody."""


def _format(path: pinned.PathLike, style: tables.Style) -> Format:
    named = Path(path).suffix.lower().removeprefix(".") in FORMATS
    return "csv" if style == "requester" and not named else format_of(path)


class _Source(Protocol):
    """Where rows come from."""

    def rows(self, note: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        """Give the rows, each time anew."""


@dataclasses.dataclass(frozen=True)
class _BatchResults:
    """The saved results of a batch."""

    batch: Batch
    style: tables.Style
    inputs: bool
    now: datetime
    progress: Progress

    def rows(self, note: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        hit_ids = _saved(self.batch)
        rates = self._rates(hit_ids) if self.style == "requester" else None
        with_rows = self.inputs or self.style == "requester"
        for number, (hit, row) in enumerate(_hits(self.batch, hit_ids, with_rows=with_rows), 1):
            for assignment in self.batch.results.assignments(hit["HITId"]):
                fields = answers.fields(
                    assignment.get("Answer", ""),
                    notes=note,
                    where=f"assignment {assignment['AssignmentId']}",
                    take_apart=rates is None,
                )
                if rates is None:
                    yield tables.amti_row(
                        hit, assignment, fields=fields, row=row, inputs=self.inputs
                    )
                else:
                    of_worker = rates.of(assignment.get("WorkerId"))
                    yield tables.requester_row(
                        hit, assignment, fields=fields, row=row, approval_rates=of_worker
                    )
            self.progress("extracting HITs", number, len(hit_ids))

    def _rates(self, hit_ids: list[str]) -> tables.ApprovalRates:
        """Count reviews in this batch: of a requester's others nothing is known here."""
        rates = tables.ApprovalRates(self.now)
        for hit_id in hit_ids:
            for assignment in self.batch.results.assignments(hit_id):
                rates.add(assignment)
        return rates


@dataclasses.dataclass(frozen=True)
class _ResultsFile:
    """A results file of the requester website."""

    path: Path
    style: tables.Style
    inputs: bool
    progress: Progress

    def rows(self, note: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        for number, one in enumerate(website.results(self.path, note=note), 1):
            if self.style == "requester":
                yield tables.requester_row(
                    one.hit,
                    one.assignment,
                    fields=one.answers,
                    row=one.inputs,
                    approval_rates=one.approval_rates,
                ) | {"Approve": one.approve, "Reject": one.reject}
            else:
                given = {name: text for name, text in one.answers.items() if text is not None}
                yield tables.amti_row(
                    one.hit,
                    one.assignment,
                    fields=answers.flattened(given),
                    row=one.inputs,
                    inputs=self.inputs,
                )
            self.progress("extracting assignments", number, None)


def _saved(batch: Batch) -> list[str]:
    """List the saved HITs in the order of the rows."""
    saved = set(batch.results.hit_ids())
    ordered = [hit_id for hit_id in batch.rows_of_hits() if hit_id in saved]
    if not ordered:
        raise errors.BatchError(
            f"{batch.path}: no results are saved yet; run `turkbatch save-batch {batch.path}`"
        )
    return ordered


def _hits(
    batch: Batch, hit_ids: list[str], *, with_rows: bool
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Give each saved HIT beside the row that it was made from, in the order of the rows.

    The row is None where it is not wanted, or where the files no longer tell it; no
    result is left out for that.
    """
    indices = batch.rows_of_hits()
    data = iter(batch.data) if with_rows else iter(())
    row = next(data, None)
    for hit_id in hit_ids:
        index = indices[hit_id]
        while row is not None and index is not None and row.index < index:
            row = next(data, None)
        yield _hit(batch, hit_id), row.fields if row and row.index == index else None


def _hit(batch: Batch, hit_id: str) -> Mapping[str, Any]:
    hit = batch.results.load_hit(hit_id)
    assert hit is not None, f"{hit_id} was listed as saved"
    return hit


@contextlib.contextmanager
def _output(path: pinned.PathLike) -> Iterator[TextIO]:
    if str(path) == STDOUT:
        yield sys.stdout
        return
    try:
        with files.replacing(Path(path)) as out:
            yield out
    except OSError as error:
        raise errors.BatchError(
            f"{path}: can't be written ({error.strerror}); check the path and the disk"
        ) from error


def extract_xml(
    batch_dir: pinned.PathLike, output_dir: pinned.PathLike, *, progress: Progress = silent
) -> Extracted:
    """Write each saved assignment's answer document to a file of its own.

    They are ``OUTPUT_DIR/batch-$ID-xml/hit-$HITID/assignment-$ASSIGNMENTID.xml``, with the
    document exactly as MTurk gave it.

    Raises
    ------
    BatchError
        If nothing is saved, or the directory can't be written.
    """
    batch = directory.open_batch(Path(batch_dir))
    hit_ids = _saved(batch)
    target = Path(output_dir) / f"batch-{batch.batch_id}-xml"
    count = 0
    try:
        for number, hit_id in enumerate(hit_ids, 1):
            folder = target / f"hit-{hit_id}"
            folder.mkdir(parents=True, exist_ok=True)
            for assignment in batch.results.assignments(hit_id):
                name = f"assignment-{assignment['AssignmentId']}.xml"
                (folder / name).write_bytes(assignment.get("Answer", "").encode())
                count += 1
            progress("extracting HITs", number, len(hit_ids))
    except OSError as error:
        raise errors.BatchError(f"{target}: can't be written ({error.strerror})") from error
    return Extracted(target, count)
