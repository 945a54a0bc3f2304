"""``extract``: the saved results as a table, or as the answers' own XML."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO

from turkbatch import answers, errors, files, tables
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
    batch_dir: pinned.PathLike,
    output_path: pinned.PathLike,
    *,
    format: Format | None = None,
    inputs: bool = False,
    excel_safe: bool = False,
    note: Callable[[str], None] | None = None,
    progress: Progress = silent,
) -> Extracted:
    """Write one row for each saved assignment, in the order of the data.

    Parameters
    ----------
    batch_dir : path
        A batch of which something is saved.
    output_path : path
        The file to write; ``-`` is standard output.
    format : {"jsonl", "json", "csv"}, optional
        By the name of the file unless given.
    inputs : bool
        Add the fields of the data row, as ``Input.NAME``.
    excel_safe : bool
        Keep a spreadsheet from taking cells for formulas.
    note : callable, optional
        Given each note, such as a dropped field.
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
    """
    batch = directory.open_batch(Path(batch_dir))
    hit_ids = _saved(batch)

    def rows() -> Iterator[dict[str, Any]]:
        for number, (hit, row) in enumerate(_hits(batch, hit_ids), 1):
            for assignment in batch.results.assignments(hit["HITId"]):
                fields = answers.fields(
                    assignment.get("Answer", ""),
                    notes=note,
                    where=f"assignment {assignment['AssignmentId']}",
                )
                yield tables.amti_row(hit, assignment, fields=fields, row=row, inputs=inputs)
            progress("extracting HITs", number, len(hit_ids))

    with _output(output_path) as out:
        count = tables.write(rows, out, format or format_of(output_path), excel_safe=excel_safe)
    return Extracted(Path(output_path), count)


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
    batch: Batch, hit_ids: list[str]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Give each saved HIT beside the row that it was made from, in the order of the rows."""
    wanted = set(hit_ids)
    rows = batch.rows_of_hits()
    if any(rows[hit_id] is None for hit_id in hit_ids):
        for hit_id in hit_ids:
            yield _hit(batch, hit_id), None
        return
    by_row = {row: hit_id for hit_id, row in rows.items() if hit_id in wanted}
    for row in batch.data:
        if row.index in by_row:
            yield _hit(batch, by_row[row.index]), row.fields


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
