"""The data of a batch: JSON Lines or CSV, one HIT a row.

Rows are read as they are needed, and the file is never held in memory whole. JSON Lines
are one object a line; CSV is RFC 4180 with a header line. Blank lines are skipped.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from turkbatch import errors, files
from turkbatch.batch import layout

LONGEST_CELL = 10_000_000
"""Characters; far above what a question may hold, so that the size check speaks first."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: what one HIT is made of.

    Parameters
    ----------
    index : int
        Number of the row, from 0; blank lines and the header do not count.
    line : int
        Line of the file on which it begins, from 1.
    fields : mapping of str to object
        Its values by name; texts for CSV, any JSON value for JSON Lines.
    """

    index: int
    line: int
    fields: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Data:
    """A data file that has been read through once and found good.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"jsonl", "csv"}
        How it is written.
    columns : tuple of str
        The names of all rows: the header, or the union in order of first appearance.
    count : int
        How many rows.
    digest : str
        SHA-256 of the file's bytes.
    """

    path: Path
    kind: Literal["jsonl", "csv"]
    columns: tuple[str, ...]
    count: int
    digest: str

    def __iter__(self) -> Iterator[Row]:
        """Read the rows again from the file."""
        return _rows(self.path, self.kind)

    def where(self, row: Row) -> str:
        """Say where a row is: ``data.jsonl:7``."""
        return f"{self.path}:{row.line}"


def read(path: Path) -> Data:
    """Read a data file through, checking every row.

    Parameters
    ----------
    path : Path
        CSV if its name ends in ``.csv``, else JSON Lines.

    Raises
    ------
    DataError
        If the file is missing, not UTF-8, empty, or a row can't be read. Faults of all
        rows of a JSON Lines file are gathered (the first twenty).
    """
    kind: Literal["jsonl", "csv"] = "csv" if path.suffix.lower() == ".csv" else "jsonl"
    summary = files.digest(path, errors.DataError)
    columns: dict[str, None] = {}
    count = 0
    for row in _rows(path, kind):
        columns.update(dict.fromkeys(row.fields))
        count += 1
    if not count:
        raise errors.DataError(
            errors.Finding(
                "no-data",
                str(path),
                "there is no row" if kind == "jsonl" else "there is no row below the header",
                "give one line for each HIT",
            )
        )
    return Data(path, kind, tuple(columns), count, summary)


def _rows(path: Path, kind: str) -> Iterator[Row]:
    return _csv_rows(path) if kind == "csv" else _json_rows(path)


def _text(path: Path) -> str:
    return files.read_text(path, errors.DataError)


MOST_FINDINGS = 20
"""Rows named before a file is given up on; a wrong file would name them all."""


def _json_rows(path: Path) -> Iterator[Row]:
    findings: list[errors.Finding] = []
    index = 0
    with path.open("rb") as file:
        for number, content in enumerate(file, 1):
            if not _without_mark(content, number).strip():
                continue
            try:
                fields = _json_row(content, path, number)
            except errors.DataError as error:
                findings += error.findings
                if len(findings) >= MOST_FINDINGS:
                    break
                continue
            if not findings:
                yield Row(index, number, fields)
            index += 1
    if findings:
        raise errors.DataError(*findings)


def _without_mark(content: bytes, number: int) -> bytes:
    return content.removeprefix(_BYTE_ORDER_MARK) if number == 1 else content


def _json_row(content: bytes, path: Path, number: int) -> dict[str, Any]:
    def fault(rule: str, found: str, fix: str) -> errors.DataError:
        return errors.DataError(errors.Finding(rule, str(path), found, fix, line=number))

    content = _without_mark(content, number)
    try:
        text = content.decode()
    except UnicodeDecodeError as problem:
        wrong = content[problem.start]
        raise fault("not-utf-8", f"byte 0x{wrong:02x} is not UTF-8", "save as UTF-8") from problem
    try:
        value = files.parse_json(text)
    except (ValueError, RecursionError) as problem:
        message = problem.msg if isinstance(problem, json.JSONDecodeError) else str(problem)
        raise fault(
            "not-json", f"not JSON: {message}", "give one JSON object a line, as JSON Lines does"
        ) from problem
    if not isinstance(value, dict):
        raise fault(
            "not-an-object",
            f"holds {files.json_kind(value)}",
            'each line must be a JSON object, such as {"word": "blue"}',
        )
    if _ESCAPED_SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as problem:
            raise fault(
                "not-text", "half of a surrogate pair, which is no character", "remove it"
            ) from problem
    return value


def _csv_rows(path: Path) -> Iterator[Row]:
    def fault(rule: str, line: int, found: str, fix: str) -> errors.DataError:
        return errors.DataError(errors.Finding(rule, str(path), found, fix, line=line))

    _text_check(path)
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header: list[str] | None = None
        index, begin = 0, 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as problem:
                raise fault(
                    "broken-csv",
                    begin,
                    f"not CSV: {problem}",
                    'put a cell that holds quotes in quotes, and double them: "say ""hi"""',
                ) from problem
            line, begin = begin, reader.line_num + 1
            if _blank(cells, header):
                continue
            if header is None:
                header = _header(cells, path, line)
                continue
            if len(cells) != len(header):
                raise fault("wrong-number-of-cells", line, *_cells(cells, header))
            fields = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            yield Row(index, line, fields)
            index += 1


def _blank(cells: list[str], header: list[str] | None) -> bool:
    # Two quotes alone are no blank line: so is an empty cell of a single column written.
    if header is not None and (cells == [""] or len(cells) > 1):
        return False
    return not any(cell.strip() for cell in cells)


def _text_check(path: Path) -> None:
    """Refuse a file that is not UTF-8 with the line, before csv stumbles over it."""
    with contextlib.suppress(UnicodeDecodeError), path.open(encoding="utf-8-sig") as file:
        for _ in file:
            pass
        return
    _text(path)


def _header(cells: list[str], path: Path, line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    findings = []
    for number, name in enumerate(names, 1):
        if not name:
            found = f"column {number} has no name"
        elif name in names[: number - 1]:
            found = f'column {number} is a second "{name}"'
        else:
            continue
        fix = "give each column a name of its own: answers are matched to it"
        findings.append(errors.Finding("bad-header", str(path), found, fix, line=line))
    if findings:
        raise errors.DataError(*findings)
    return names


def _cells(cells: list[str], header: list[str]) -> tuple[str, str]:
    found = f"{len(cells)} cells, and the header names {len(header)}"
    if len(cells) > len(header):
        return (
            f"{found} ({cells[len(header)].strip()[:40]!r} has no column)",
            'a comma inside a cell needs quotes around the cell: "like this, quoted"',
        )
    return found, "give every row a cell for each column, empty ones too"


def write_rows(data: Data, target: Path) -> None:
    """Write a batch's ``data.jsonl``: one row a line, JSON Lines kept as they are.

    Raises
    ------
    DataError
        If the file changed since it was read.
    """
    if files.digest(data.path, errors.DataError) != data.digest:
        raise errors.DataError(
            errors.Finding(
                "changed-meanwhile",
                str(data.path),
                "the file changed while the batch was being made",
                "run the command again",
            )
        )
    lines: Iterator[bytes]
    if data.kind == "csv":
        shutil.copyfile(data.path, target / layout.DATA_CSV)
        lines = (json.dumps(row.fields, ensure_ascii=False).encode() for row in data)
    else:
        lines = _json_lines(data.path)
    with (target / layout.DATA).open("wb") as file:
        for line in lines:
            file.write(line + b"\n")


def _json_lines(path: Path) -> Iterator[bytes]:
    """Give the lines that hold a row, as they are."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            content = line.removeprefix(_BYTE_ORDER_MARK) if number == 0 else line
            if content.strip():
                yield content.rstrip(b"\r\n")
