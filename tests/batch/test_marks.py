"""The journal of what was judged in the browser."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import errors
from turkbatch.batch import marks
from turkbatch.batch.marks import Mark, Marks

IDS = ("1", "2", "3")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "marks.jsonl"


def reopened(path: Path) -> list[Mark]:
    opened = Marks(path)
    opened.close()
    return opened.all()


def test_marks_are_there_again_when_the_file_is_opened_again(path: Path) -> None:
    opened = Marks(path)
    opened.mark({"1": "h", "2": "h"}, "approve")
    opened.mark({"2": "h"}, "reject", "No.")
    opened.mark({"3": "i"}, "again")
    opened.close()
    assert reopened(path) == [
        Mark("1", "h", "approve"),
        Mark("2", "h", "reject", "No."),
        Mark("3", "i", "again"),
    ]


def test_undo_brings_back_what_was_there_before(path: Path) -> None:
    opened = Marks(path)
    opened.mark({"1": "h"}, "skip")
    opened.mark({"1": "h", "2": "h"}, "approve")
    opened.mark({"1": "h"}, "clear")
    assert opened.get("1") is None
    assert opened.undo() == ["1"]
    assert opened.undo() == ["1", "2"]
    assert opened.all() == [Mark("1", "h", "skip")]
    opened.close()
    again = Marks(path)
    assert again.undo() == ["1"]
    assert (again.undo(), again.can_undo, again.all()) == ([], False, [])
    again.close()


def test_what_was_sent_is_marked_no_more_and_cannot_be_undone(path: Path) -> None:
    opened = Marks(path)
    opened.mark({"1": "h", "2": "h"}, "approve")
    opened.sent(["1"])
    opened.sent([])
    assert opened.undo() == []
    opened.close()
    assert reopened(path) == [Mark("2", "h", "approve")]


def test_reasons_are_remembered_the_latest_first(path: Path) -> None:
    opened = Marks(path)
    for number, reason in enumerate(["a", "b", "a", "c"]):
        opened.mark({str(number): "h"}, "reject", reason)
    opened.undo()
    assert opened.feedback(2) == ["c", "a"]
    opened.close()


def test_a_torn_last_line_is_a_mark_that_was_never_shown(path: Path) -> None:
    opened = Marks(path)
    opened.mark({"1": "h"}, "approve")
    opened.close()
    path.write_bytes(path.read_bytes() + b'{"event": "mark", "act')
    assert reopened(path) == [Mark("1", "h", "approve")]


@pytest.mark.parametrize("line", ['{"event": "mark"}', '{"no": 1}', "[]"])
def test_a_damaged_line_is_named(path: Path, line: str) -> None:
    path.write_text(f'{line}\n{{"event": "undo"}}\n')
    with pytest.raises(errors.BatchError, match=r"marks\.jsonl:1: "):
        Marks(path)


def test_one_process_alone_marks_in_a_batch(path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom turkbatch.batch.marks import Marks\n"
        "marks = Marks(Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(errors.BatchError, match="is being reviewed in a browser already"):
            Marks(path)
        other.kill()
    Marks(path).close()


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("mark"), st.sets(st.sampled_from(IDS)), st.sampled_from(marks.ACTIONS)
            ),
            st.just(("undo",)),
            st.tuples(st.just("sent"), st.sets(st.sampled_from(IDS))),
        ),
        max_size=12,
    )
)
def test_what_is_read_is_what_was_held(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("marks") / "marks.jsonl"
    opened = Marks(path)
    for step in steps:
        match step:
            case ("mark", ids, action):
                opened.mark(dict.fromkeys(sorted(ids), "h"), action, "why")
            case ("undo",):
                opened.undo()
            case ("sent", ids):
                opened.sent(sorted(ids))
    opened.close()
    again = Marks(path)
    assert (again.all(), again.can_undo) == (opened.all(), opened.can_undo)
    assert again.feedback(5) == opened.feedback(5)
    again.close()
    for line in path.read_text().splitlines():
        assert json.loads(line)["event"] in {"mark", "undo", "sent"}
