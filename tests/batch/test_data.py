from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import errors
from turkbatch.batch import data
from turkbatch.batch.data import Row


def rows(path: Path, content: str | bytes) -> list[Row]:
    """Write a file, read it through, and give its rows."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(data.read(path))


def refused(path: Path, content: str | bytes) -> str:
    """Write a file, and give what is said against it."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(errors.DataError, match=re.escape(str(path))) as caught:
        data.read(path)
    return str(caught.value).replace(str(path), path.name)


# JSON Lines


def test_json_lines_are_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    content = '{"b": 1}\n{"a": "x", "b": null}\n{"c": []}\n'
    path.write_text(content)
    assert data.read(path) == data.Data(
        path, "jsonl", ("b", "a", "c"), 3, hashlib.sha256(content.encode()).hexdigest()
    )


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.txt", "data"])
def test_what_is_not_named_csv_is_json_lines(tmp_path: Path, name: str) -> None:
    assert rows(tmp_path / name, '{"a": 1}\n') == [Row(0, 1, {"a": 1})]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param('{"a": 1}\n{"a": 2}\n', [(1, {"a": 1}), (2, {"a": 2})], id="plain"),
        pytest.param('{"a": 1}\n{"a": 2}', [(1, {"a": 1}), (2, {"a": 2})], id="no last line end"),
        pytest.param('{"a": 1}\r\n{"a": 2}\r\n', [(1, {"a": 1}), (2, {"a": 2})], id="CRLF"),
        pytest.param(
            '\n \t\n{"a": 1}\n\r\n\n{"a": 2}\n', [(3, {"a": 1}), (6, {"a": 2})], id="blank"
        ),
        pytest.param('\ufeff{"a": 1}\n', [(1, {"a": 1})], id="byte order mark"),
        pytest.param('\ufeff\n{"a": 1}\n', [(2, {"a": 1})], id="byte order mark alone"),
        pytest.param('\ufeff\r\n{"a": 1}\n', [(2, {"a": 1})], id="byte order mark and CRLF"),
        pytest.param("{}\n{}\n", [(1, {}), (2, {})], id="empty objects"),
        pytest.param('{"a": 1}\n{"a": 1}\n', [(1, {"a": 1}), (2, {"a": 1})], id="alike"),
        pytest.param('{"a": "\u2028\x85"}\n', [(1, {"a": "\u2028\x85"})], id="separators"),
        pytest.param('{"a": "\\ud83d\\ude00"}\n', [(1, {"a": "😀"})], id="whole pair"),
        pytest.param('{"a": "\\\\ud83d"}\n', [(1, {"a": "\\ud83d"})], id="escaped backslash"),
        pytest.param('{"a": {"b": [1.5, true]}}\n', [(1, {"a": {"b": [1.5, True]}})], id="nested"),
    ],
)
def test_json_lines_are_read(
    tmp_path: Path, content: str, expected: list[tuple[int, dict[str, Any]]]
) -> None:
    assert rows(tmp_path / "data.jsonl", content) == [
        Row(index, line, fields) for index, (line, fields) in enumerate(expected)
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            '{"a": 1}\n{"a": 1,}\n',
            "data.jsonl:2: not JSON: Expecting property name enclosed in double quotes;"
            " give one JSON object a line, as JSON Lines does",
            id="not JSON",
        ),
        pytest.param(
            '{"a": 1}\n\ufeff\n',
            "data.jsonl:2: not JSON: a byte order mark stands before it;"
            " give one JSON object a line, as JSON Lines does",
            id="byte order mark in the middle",
        ),
        pytest.param(
            '{"a": NaN}\n',
            "data.jsonl:1: not JSON: NaN is no JSON value;"
            " give one JSON object a line, as JSON Lines does",
            id="NaN",
        ),
        pytest.param(
            b'{"a": 1}\n{"a": "\xe9"}\n',
            "data.jsonl:2: byte 0xe9 is not UTF-8; save as UTF-8",
            id="not UTF-8",
        ),
        pytest.param(
            b'\xef\xbb\xbf{"a": "\xe8"}\n',
            "data.jsonl:1: byte 0xe8 is not UTF-8; save as UTF-8",
            id="not UTF-8 behind a byte order mark",
        ),
        *(
            pytest.param(
                f"\n{text}\n",
                f"data.jsonl:2: holds {kind}; each line must be a JSON object,"
                ' such as {"word": "blue"}',
                id=kind,
            )
            for text, kind in {
                "[{}]": "a list",
                '"a"': "a string",
                "1": "a number",
                "null": "null",
                "true": "true",
            }.items()
        ),
        pytest.param(
            '{"a": "\\ud83d"}\n',
            "data.jsonl:1: half of a surrogate pair, which is no character; remove it",
            id="half a pair",
        ),
        pytest.param(
            '{"\\udc00": 1}\n',
            "data.jsonl:1: half of a surrogate pair, which is no character; remove it",
            id="half a pair in a name",
        ),
        pytest.param("", "data.jsonl: there is no row; give one line for each HIT", id="empty"),
        pytest.param(
            "\ufeff", "data.jsonl: there is no row; give one line for each HIT", id="mark alone"
        ),
        pytest.param(
            "\n \n", "data.jsonl: there is no row; give one line for each HIT", id="blank lines"
        ),
        pytest.param(
            "[\n{}\n]\n",
            "data.jsonl:1: not JSON: Expecting value;"
            " give one JSON object a line, as JSON Lines does\n"
            "data.jsonl:3: not JSON: Expecting value;"
            " give one JSON object a line, as JSON Lines does",
            id="a JSON list, every line named",
        ),
    ],
)
def test_what_is_wrong_with_json_lines_is_said(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    assert refused(tmp_path / "data.jsonl", content) == message


def test_deep_nesting_is_no_traceback(tmp_path: Path) -> None:
    said = refused(tmp_path / "data.jsonl", '{"a": ' + "[" * 200_000)
    assert said.startswith("data.jsonl:1: not JSON: ")


def test_a_wrong_file_is_given_up_on_after_twenty_faults(tmp_path: Path) -> None:
    said = refused(tmp_path / "data.jsonl", "a,b\n" * 1_000)
    assert len(said.splitlines()) == data.MOST_FINDINGS


# CSV

NO_ROW = "there is no row below the header; give one line for each HIT"
OWN_NAME = "give each column a name of its own: answers are matched to it"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("a,b\n1,2\n3,4\n", [(2, "1", "2"), (3, "3", "4")], id="plain"),
        pytest.param("a,b\n1,2", [(2, "1", "2")], id="no last line end"),
        pytest.param("a,b\r\n1,2\r\n3,4\r\n", [(2, "1", "2"), (3, "3", "4")], id="CRLF"),
        pytest.param("a,b\r1,2\r3,4\r", [(2, "1", "2"), (3, "3", "4")], id="CR only"),
        pytest.param("\ufeffa,b\n1,2\n", [(2, "1", "2")], id="byte order mark"),
        pytest.param('\ufeff"a",b\n1,2\n', [(2, "1", "2")], id="byte order mark and quotes"),
        pytest.param('a,b\n"1,2","3""4"\n', [(2, "1,2", '3"4')], id="quoted comma and quotes"),
        pytest.param('a,b\n"1\n2\r\n3",4\n', [(2, "1\n2\r\n3", "4")], id="line breaks"),
        pytest.param('a,b\n"1\n",2\n3,4\n', [(2, "1", "2"), (4, "3", "4")], id="lines go on"),
        pytest.param("\n \n,\na,b\n\n1,2\n  \n\r\n", [(6, "1", "2")], id="blank lines"),
        pytest.param("a,b\n,\n\n, \n", [(2, "", ""), (4, "", "")], id="empty cells alone"),
        pytest.param(" a ,b\t\n 1 ,\t2\xa0\n", [(2, "1", "2")], id="white space around is dropped"),
        pytest.param('a,b\n"  1\n",2\n', [(2, "1", "2")], id="white space in quotes too"),
        pytest.param("a,b\n1 2,\u2028é😀\n", [(2, "1 2", "é😀")], id="any characters"),
        pytest.param("a,b\n1,2\n1,2\n", [(2, "1", "2"), (3, "1", "2")], id="alike"),
    ],
)
def test_csv_is_read(tmp_path: Path, content: str, expected: list[tuple[int, str, str]]) -> None:
    assert rows(tmp_path / "data.CSV", content) == [
        Row(index, line, {"a": a, "b": b}) for index, (line, a, b) in enumerate(expected)
    ]


def test_an_empty_cell_of_a_single_column_is_a_row_and_a_blank_line_none(tmp_path: Path) -> None:
    assert rows(tmp_path / "data.csv", 'a\n""\n\n1\n ""\n   \n') == [
        Row(0, 2, {"a": ""}),
        Row(1, 4, {"a": "1"}),
        Row(2, 5, {"a": '""'}),
    ]


def test_csv_is_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"\xef\xbb\xbfb,a\r\n1,2\r\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.read(path) == data.Data(path, "csv", ("b", "a"), 1, digest)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", f"data.csv: {NO_ROW}", id="empty"),
        pytest.param("a,b\n\n", f"data.csv: {NO_ROW}", id="header alone"),
        pytest.param(
            "a,b\n1,2\n\n1\n",
            "data.csv:4: 1 cells, and the header names 2;"
            " give every row a cell for each column, empty ones too",
            id="too few cells",
        ),
        pytest.param(
            'a,b\n"x\ny",2\n1,2, three,4\n',
            "data.csv:4: 4 cells, and the header names 2 ('three' has no column);"
            ' a comma inside a cell needs quotes around the cell: "like this, quoted"',
            id="too many cells, after a line break in quotes",
        ),
        pytest.param(
            'a,b\n1,2\n3,"4\n5,6\n',
            "data.csv:3: not CSV: unexpected end of data;"
            ' put a cell that holds quotes in quotes, and double them: "say ""hi"""',
            id="quote that is never closed",
        ),
        pytest.param(
            'a,b\n1,"2"3\n',
            "data.csv:2: not CSV: ',' expected after '\"';"
            ' put a cell that holds quotes in quotes, and double them: "say ""hi"""',
            id="text behind a quote",
        ),
        pytest.param(
            "\na,,b,a, b\n1,2,3,4,5\n",
            f"data.csv:2: column 2 has no name; {OWN_NAME}\n"
            f'data.csv:2: column 4 is a second "a"; {OWN_NAME}\n'
            f'data.csv:2: column 5 is a second "b"; {OWN_NAME}',
            id="bad header, every fault",
        ),
        pytest.param(
            b"a,b\n1,2\n3,caf\xe9\n",
            "data.csv:3: byte 0xe9 is not UTF-8 (the file may be Windows-1252 or Latin-1);"
            " save the file as UTF-8",
            id="not UTF-8",
        ),
        pytest.param(
            "a,b\n1,2\n".encode("utf-16"),
            "data.csv:1: byte 0xff is not UTF-8 (the file may be UTF-16); save the file as UTF-8",
            id="UTF-16, as Excel writes it",
        ),
    ],
)
def test_what_is_wrong_with_csv_is_said(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert refused(tmp_path / "data.csv", content) == message


def test_a_large_cell_is_read_and_a_huge_one_refused(tmp_path: Path) -> None:
    large = "x" * 200_000
    assert rows(tmp_path / "data.csv", f"a\n{large}\n") == [Row(0, 2, {"a": large})]
    huge = "x" * (data.LONGEST_CELL + 1)
    said = refused(tmp_path / "data.csv", f"a\n1\n{huge}\n")
    assert said.startswith("data.csv:3: not CSV: field larger than field limit")


@pytest.mark.parametrize("name", ["data.jsonl", "data.csv"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(errors.DataError, match=rf"^{path}: no such file; check the path$"):
        data.read(path)


# Round trips

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["\r", "\n", "\r\n", '"', '""', "a,b", " a ", "\ufeff", "\u2028", "😀", "<b>&amp;"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4), min_size=1, max_size=5)


def copied(path: Path, content: str) -> tuple[list[Mapping[str, Any]], list[Any], bytes]:
    """Give the rows of a file, those of its copy in a batch, and the copy."""
    path.write_bytes(content.encode())
    found = data.read(path)
    target = path.parent / "batch"
    target.mkdir()
    data.write_rows(found, target)
    written = (target / "data.jsonl").read_bytes()
    again = data.read(target / "data.jsonl")
    assert again.count == found.count
    return [row.fields for row in found], [row.fields for row in again], written


@given(OBJECTS, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))
def test_any_objects_come_back_from_json_lines(
    objects: list[dict[str, Any]], escaped: bool, end: str, mark: str
) -> None:
    lines = [json.dumps(one, ensure_ascii=escaped) + end for one in objects]
    with tempfile.TemporaryDirectory() as folder:
        found, again, written = copied(Path(folder) / "data.jsonl", mark + "".join(lines))
    assert found == again == objects
    assert written == "".join(line.removesuffix(end) + "\n" for line in lines).encode()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    # At the very beginning of a file it is a byte order mark.
    names = TEXT.filter(lambda text: bool(text.strip()) and not text.startswith("\ufeff"))
    header = draw(st.lists(names, min_size=1, max_size=4, unique_by=str.strip))
    # A single cell of white space alone is a blank line, unless it is quoted.
    cells = TEXT if len(header) > 1 else TEXT.filter(lambda text: not text or bool(text.strip()))
    row = st.lists(cells, min_size=len(header), max_size=len(header))
    return header, draw(st.lists(row, min_size=1, max_size=5))


def as_csv(cells: Sequence[str], end: str) -> str:
    # Not by the csv module, which before Python 3.13 leaves some line ends unquoted.
    special = re.compile(r'[",\r\n]')
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    if cells == [""]:
        return quoted[0] + end
    pairs = zip(cells, quoted, strict=True)
    return ",".join(safe if special.search(cell) else cell for cell, safe in pairs) + end


@given(tables(), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "\ufeff"]))
def test_any_cells_come_back_trimmed_from_csv(
    table: tuple[list[str], Sequence[Sequence[str]]], end: str, mark: str
) -> None:
    header, body = table
    content = mark + "".join(as_csv(cells, end) for cells in [header, *body])
    with tempfile.TemporaryDirectory() as folder:
        found, again, written = copied(Path(folder) / "data.csv", content)
        assert (Path(folder) / "batch" / "data.csv").read_bytes() == content.encode()
    expected = [
        {name.strip(): cell.strip() for name, cell in zip(header, row, strict=True)} for row in body
    ]
    assert found == again == expected
    assert written.count(b"\n") == len(body)


def test_rows_are_written_one_a_line_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b'\xef\xbb\xbf\r\n\n{"a":1,  "b": "\\u00e9"}\r\n \n{}\n{"a": 1e2}')
    data.write_rows(data.read(path), tmp_path)
    written = (tmp_path / "data.jsonl").read_bytes()
    assert written == b'{"a":1,  "b": "\\u00e9"}\n{}\n{"a": 1e2}\n'
    assert not (tmp_path / "data.csv").exists()


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv"])
def test_data_that_changed_meanwhile_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"a": 1}\n' if name == "mine.jsonl" else "a\n1\n")
    read = data.read(path)
    path.write_text('{"a": 2}\n' if name == "mine.jsonl" else "a\n2\n")
    message = rf"^{path}: the file changed while the batch was being made; run the command again$"
    with pytest.raises(errors.DataError, match=message):
        data.write_rows(read, tmp_path)
    assert not (tmp_path / "data.jsonl").exists()


def test_a_row_is_told_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a\n\n1\n")
    found = data.read(path)
    assert [found.where(row) for row in found] == [f"{path}:3"]


def test_a_pipe_is_refused_because_it_can_be_read_only_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.jsonl")
    with pytest.raises(errors.DataError, match=r"data\.jsonl: this is a pipe"):
        data.read(tmp_path / "data.jsonl")
