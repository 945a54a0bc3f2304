from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import errors, files


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start Python on a script; it says something on standard output when it is ready."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


# Replacing


def test_replaced_text_is_written_as_it_is(tmp_path: Path) -> None:
    files.replace_text(tmp_path / "file", "a\r\nb\né")
    assert (tmp_path / "file").read_bytes() == "a\r\nb\né".encode()


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with files.replacing(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file", "home"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt("no")])
def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with files.replacing(path) as file:
            file.write("new")
            raise error

    with pytest.raises(type(error), match="no"):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file", "home"]


def test_a_file_killed_while_it_is_written_is_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    script = """
import pathlib, sys
from turkbatch import files
with files.replacing(pathlib.Path(sys.argv[1])) as file:
    file.write("new" * 100_000)
    file.flush()
    print("ready", flush=True)
    sys.stdin.read()
"""
    with child(script, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert path.read_text() == "old"


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8, 13])
def test_a_file_killed_at_any_moment_is_whole(tmp_path: Path, after: int) -> None:
    script = """
import itertools, pathlib, sys
from turkbatch import files
for number in itertools.count():
    files.replace_json(pathlib.Path(sys.argv[1]), [number] * 20_000)
    print(number, flush=True)
"""
    with child(script, tmp_path / "file") as process:
        assert process.stdout is not None
        for _ in range(after):
            said = int(process.stdout.readline())
        process.kill()
    content = json.loads((tmp_path / "file").read_text())
    assert content == [content[0]] * 20_000
    assert content[0] >= said


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_of_a_replaced_file_is_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    files.replace_text(path, "new")
    assert path.stat().st_mode & 0o777 == mode


def test_a_new_file_and_directory_have_the_modes_that_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.replace_text(tmp_path / "file", "new")
        with files.directory(tmp_path / "directory"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "directory").stat().st_mode & 0o777 == 0o750


def test_threads_that_write_new_files_leave_the_umask_alone(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: files.replace_text(tmp_path / f"{n:03}", ""), range(200)))
        after = os.umask(0o027)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob("[0-9]*")}
    assert (after, modes) == (0o027, {0o640})


def test_json_is_written_for_people_and_lines_for_programs(tmp_path: Path) -> None:
    files.replace_json(tmp_path / "one", {"a": ["é"]})
    files.replace_json(tmp_path / "short", {"a": ["é"]}, indent=None)
    files.replace_json_lines(tmp_path / "lines", [{"a": 1}, {"b": "\n\u2028"}])
    assert (tmp_path / "one").read_text() == '{\n  "a": [\n    "é"\n  ]\n}\n'
    assert (tmp_path / "short").read_text() == '{"a": ["é"]}\n'
    assert (tmp_path / "lines").read_text() == '{"a": 1}\n{"b": "\\n\u2028"}\n'


def test_half_a_character_from_the_service_is_kept_on_disk(tmp_path: Path) -> None:
    value = {"Answer": "a\ud83dé\\ud83d", "\udc00": "😀"}
    files.replace_json(tmp_path / "json", value)
    files.replace_json_lines(tmp_path / "lines", [value, value])
    with files.Log(tmp_path / "log") as log:
        log.append(value)
    assert json.loads((tmp_path / "json").read_text()) == value
    assert list(files.read_json_lines(tmp_path / "lines")) == [value, value]
    assert files.read_log(tmp_path / "log") == [value]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    script = """
import pathlib, resource, signal, sys
from turkbatch import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    files.replace_text(pathlib.Path(sys.argv[1]), "new" * 10_000)
except OSError as error:
    print(error.strerror)
"""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("old")
    with child(script, folder / "file") as process:
        assert process.communicate()[0] == "File too large\n"
    assert names(folder) == ["file"]
    assert (folder / "file").read_text() == "old"


# Together


def test_files_given_together_are_in_place_after_the_commit(tmp_path: Path) -> None:
    together = files.Together()
    for name in ("a", "b"):
        together.replace(f"{tmp_path}/deep/{name}", {"first": b"1", "second": b"2"})
    assert names(tmp_path / "deep" / "a") == [".first.tmp", ".second.tmp"]
    together.commit()
    for name in ("a", "b"):
        folder = tmp_path / "deep" / name
        assert {one: (folder / one).read_bytes() for one in names(folder)} == {
            "first": b"1",
            "second": b"2",
        }
    assert together.failed == {}


def test_enough_files_are_put_in_place_without_a_commit(tmp_path: Path) -> None:
    together = files.Together()
    for number in range(together.GROUP + 1):
        together.replace(f"{tmp_path}/{number:03}", {"file": b""})
    there = [(tmp_path / f"{n:03}" / "file").exists() for n in range(together.GROUP + 1)]
    assert there == [True] * together.GROUP + [False]


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_files_replaced_together_keep_their_mode(tmp_path: Path, mode: int) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(mode)
    together = files.Together()
    together.replace(str(tmp_path), {"file": b"new", "other": b""})
    together.commit()
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_what_a_killed_process_left_beside_a_file_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    script = """
import sys
from turkbatch import files
files.Together().replace(sys.argv[1], {"file": b"long" * 100_000})
print("ready", flush=True)
sys.stdin.read()
"""
    with child(script, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert names(folder) == [".file.tmp"]
    together = files.Together()
    together.replace(str(folder), {"file": b"new"})
    together.commit()
    assert names(folder) == ["file"]
    assert (folder / "file").read_bytes() == b"new"


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_files_replaced_together_and_killed_at_any_moment_are_whole_and_in_order(
    tmp_path: Path, after: int
) -> None:
    script = """
import itertools, json, sys
from turkbatch import files
for number in itertools.count():
    together = files.Together()
    for folder in "abc":
        content = json.dumps([number] * 20_000).encode()
        together.replace(f"{sys.argv[1]}/{folder}", {"first": content, "second": content})
    together.commit()
    print(number, flush=True)
"""
    with child(script, tmp_path) as process:
        assert process.stdout is not None
        for _ in range(after):
            said = int(process.stdout.readline())
        process.kill()
    for folder in "abc":
        first, second = (
            json.loads((tmp_path / folder / one).read_text()) for one in ("first", "second")
        )
        assert (first, second) == ([first[0]] * 20_000, [second[0]] * 20_000)
        assert first[0] >= second[0] >= said


def test_a_disk_that_is_full_leaves_the_old_files_of_a_directory(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from turkbatch import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
together = files.Together()
try:
    together.replace(sys.argv[1], {"file": b"new", "other": b"new" * 10_000})
except OSError as error:
    print(error.strerror)
together.commit()
"""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("old")
    with child(script, folder) as process:
        assert process.communicate()[0] == "File too large\n"
    assert names(folder) == ["file"]
    assert (folder / "file").read_text() == "old"


def test_a_directory_that_cannot_be_put_in_place_is_named(tmp_path: Path) -> None:
    together = files.Together()
    together.replace(f"{tmp_path}/good", {"file": b"new"})
    together.replace(f"{tmp_path}/bad", {"file": b"new"})
    (tmp_path / "bad" / "file").mkdir()
    together.commit()
    assert isinstance(together.failed[f"{tmp_path}/bad"], IsADirectoryError)
    assert not (tmp_path / "bad" / ".file.tmp").exists()


# Directories


def test_a_directory_appears_whole(tmp_path: Path) -> None:
    with files.directory(tmp_path / "new") as work:
        (work / "a").write_text("1")
        (work / "b").mkdir()
        (work / "b" / "c").write_text("2")
        assert not (tmp_path / "new").exists()
    assert names(tmp_path) == ["home", "new"]
    assert (tmp_path / "new" / "b" / "c").read_text() == "2"


def test_a_directory_whose_block_raises_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with files.directory(tmp_path / "new") as work:
            (work / "a").write_text("1")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert names(tmp_path) == ["home"]


def test_a_directory_killed_while_it_is_made_is_not_there(tmp_path: Path) -> None:
    script = """
import pathlib, sys
from turkbatch import files
with files.directory(pathlib.Path(sys.argv[1])) as work:
    (work / "a").write_text("1")
    print("ready", flush=True)
    sys.stdin.read()
"""
    with child(script, tmp_path / "new") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["file", "empty directory", "directory"])
def test_a_directory_replaces_nothing(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "new"
    if kind == "file":
        there.write_text("mine")
    else:
        there.mkdir()
    if kind == "directory":
        (there / "mine").touch()
    with pytest.raises(FileExistsError, match="new"), files.directory(there) as work:
        (work / "a").write_text("1")
    assert names(tmp_path) == ["home", "new"]
    assert kind == "file" or names(there) == (["mine"] if kind == "directory" else [])


def test_of_two_that_make_one_directory_one_wins(tmp_path: Path) -> None:
    barrier = threading.Barrier(2, timeout=10)

    def make(name: str) -> str | None:
        try:
            with files.directory(tmp_path / "new") as work:
                (work / name).touch()
                barrier.wait()
        except OSError:
            return None
        return name

    with ThreadPoolExecutor(2) as pool:
        winners = [name for name in pool.map(make, ["a", "b"]) if name is not None]
    assert names(tmp_path) == ["home", "new"]
    assert names(tmp_path / "new") == winners


# Journals


def test_a_log_is_appended_to_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with files.Log(path) as log:
        log.append({"a": 1})
        log.append({"b": "é\n"}, {"c": None})
    with files.Log(path) as log:
        log.append({"d": 2})
    assert files.read_log(path) == [{"a": 1}, {"b": "é\n"}, {"c": None}, {"d": 2}]
    assert path.read_text() == '{"a": 1}\n{"b": "é\\n"}\n{"c": null}\n{"d": 2}\n'


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert files.read_log(tmp_path / "log") == []


def test_a_line_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    script = """
import itertools, pathlib, sys
from turkbatch import files
log = files.Log(pathlib.Path(sys.argv[1]))
for number in itertools.count():
    log.append({"number": number, "filler": "x" * 5_000})
    print(number, flush=True)
"""
    with child(script, tmp_path / "log") as process:
        assert process.stdout is not None
        for _ in range(50):
            said = int(process.stdout.readline())
        process.kill()
        said = max([said, *map(int, process.stdout.read().splitlines())])
    found = [record["number"] for record in files.read_log(tmp_path / "log")]
    assert found == list(range(len(found)))
    assert said in {found[-1], found[-1] - 1}


def test_threads_lose_no_line_and_mix_none(tmp_path: Path) -> None:
    def write(thread: int) -> None:
        for number in range(25):
            log.append({"thread": thread, "number": number, "filler": str(thread) * 3_000})

    with files.Log(tmp_path / "log") as log, ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    records = files.read_log(tmp_path / "log")
    assert {record["filler"] == str(record["thread"]) * 3_000 for record in records} == {True}
    for thread in range(16):
        numbers = [record["number"] for record in records if record["thread"] == thread]
        assert numbers == list(range(25))


def test_threads_that_append_at_once_share_an_fsync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, threads = tmp_path / "log", 20
    fsync, calls = os.fsync, []
    all_written = threading.Event()

    def counting(descriptor: int) -> None:
        calls.append(descriptor)
        # The first waits until every other thread has written its line.
        assert len(calls) > 1 or all_written.wait(30)
        fsync(descriptor)

    with files.Log(path) as log, ThreadPoolExecutor(threads) as pool:
        monkeypatch.setattr(os, "fsync", counting)
        done = [pool.submit(log.append, {"number": number}) for number in range(threads)]
        while path.read_bytes().count(b"\n") < threads:
            assert not any(future.done() for future in done)
        all_written.set()
        for future in done:
            future.result()
        monkeypatch.undo()
    # One for the first line, one for all the others; a third if the last came in between.
    assert 2 <= len(calls) <= 3
    assert len(files.read_log(path)) == threads


LINES = st.lists(
    st.dictionaries(
        st.text(max_size=3), st.text(max_size=5) | st.integers() | st.none(), max_size=3
    ),
    max_size=5,
)


@given(LINES, st.data())
def test_a_log_cut_anywhere_has_every_whole_line_and_goes_on(
    records: list[dict[str, object]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        with files.Log(path) as log:
            log.append(*records)
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        whole = records[: content[:cut].count(b"\n")]
        assert files.read_log(path) == whole
        with files.Log(path) as log:
            assert path.read_bytes() == content[: content.rfind(b"\n", 0, cut) + 1]
            log.append({"more": 1})
        assert files.read_log(path) == [*whole, {"more": 1}]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"a": 1', id="torn in the middle of the file"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\0\0\0\0\0\0\0", id="zeros, as a file system leaves them"),
        pytest.param(b'"a"', id="no object"),
        pytest.param(b'{"a": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"a": 1}{"a": 2}', id="two in one line"),
    ],
)
def test_a_log_damaged_before_its_last_line_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"a": 0}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(errors.BatchError, match=rf"^{path}:2: .* damaged; restore .*by hand$"):
        files.read_log(path)


def test_a_full_disk_leaves_no_half_line_in_a_log(tmp_path: Path) -> None:
    script = """
import pathlib, resource, signal, sys
from turkbatch import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
log = files.Log(pathlib.Path(sys.argv[1]))
written = 0
try:
    while True:
        log.append({"number": written, "filler": "x" * 700})
        written += 1
except OSError as error:
    print(error.strerror, written, flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.append({"number": written})
"""
    with child(script, tmp_path / "log") as process:
        assert process.stdout is not None
        said, _, written = process.stdout.readline().rpartition(" ")
        assert (said, int(written)) == ("File too large", 13)
        content = (tmp_path / "log").read_bytes()
        assert content.endswith(b'x"}\n')
        assert content.count(b"\n") == 13
        process.communicate("go on\n")
    assert [record["number"] for record in files.read_log(tmp_path / "log")] == list(range(14))


# Reading


Reader = Callable[[Path, type[errors.InputError]], object]


@pytest.mark.parametrize("read", [files.read_bytes, files.read_text, files.read_object])
@pytest.mark.parametrize("error", [errors.DataError, errors.DefinitionError])
def test_a_missing_file_is_named(
    tmp_path: Path, read: Reader, error: type[errors.InputError]
) -> None:
    with pytest.raises(error, match=rf"^{tmp_path}/none: no such file; check the path$"):
        read(tmp_path / "none", error)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(errors.DataError, match=rf"^{tmp_path}: this is a directory; name a file$"):
        files.read_bytes(tmp_path, errors.DataError)


def test_a_file_below_a_file_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = r"file/x: can't be read \(Not a directory\); check its permissions$"
    with pytest.raises(errors.DataError, match=found):
        files.read_bytes(tmp_path / "file" / "x", errors.DataError)


def test_text_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfa\r\n\xc3\xa9")
    assert files.read_text(tmp_path / "file", errors.DataError) == "a\r\né"


@pytest.mark.parametrize(
    ("content", "line", "byte", "likely"),
    [
        pytest.param(b"caf\xe9", 1, "e9", "Windows-1252 or Latin-1", id="first line"),
        pytest.param(b"a\nb\n\x93c\n", 3, "93", "Windows-1252 or Latin-1", id="third line"),
        pytest.param("a\n".encode("utf-16"), 1, "ff", "UTF-16", id="UTF-16"),
        pytest.param(b"a\xc3", 1, "c3", "Windows-1252 or Latin-1", id="cut off"),
    ],
)
def test_what_is_not_utf8_is_named_with_its_byte_and_line(
    tmp_path: Path, content: bytes, line: int, byte: str, likely: str
) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(errors.DataError, match="not UTF-8") as caught:
        files.read_text(tmp_path / "file", errors.DataError)
    assert str(caught.value) == (
        f"{tmp_path}/file:{line}: byte 0x{byte} is not UTF-8 (the file may be {likely});"
        " save the file as UTF-8"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            '{"a": 1,\n "b" 2}',
            "file:2: not JSON: Expecting ':' delimiter: line 2 column 6 (char 14); correct it",
            id="broken",
        ),
        pytest.param(
            "",
            "file:1: not JSON: Expecting value: line 1 column 1 (char 0); correct it",
            id="empty",
        ),
        pytest.param('{"a": NaN}', "file: not JSON: NaN is no JSON value; correct it", id="NaN"),
        pytest.param(
            '{"a": -Infinity}',
            "file: not JSON: -Infinity is no JSON value; correct it",
            id="infinity",
        ),
        pytest.param("[" * 100_000, "file: JSON nested too deep; flatten it", id="too deep"),
        *(
            pytest.param(
                text,
                f'file: holds {kind}; it must hold one JSON object, such as {{"Title": "..."}}',
                id=kind,
            )
            for text, kind in {
                "null": "null",
                "true": "true",
                "false": "false",
                "1.5": "a number",
                '"a"': "a string",
                "[{}]": "a list",
            }.items()
        ),
    ],
)
def test_what_is_no_json_object_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(errors.DefinitionError, match=str(tmp_path)) as caught:
        files.read_object(tmp_path / "file", errors.DefinitionError)
    assert str(caught.value) == f"{tmp_path}/{message}"


def test_an_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('\ufeff{"a": [1, 2.5, null, "é"]}')
    assert files.read_object(tmp_path / "file", errors.DataError) == {"a": [1, 2.5, None, "é"]}


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_json_has_no_nan(constant: str) -> None:
    with pytest.raises(ValueError, match=f"^{constant} is no JSON value$"):
        files.parse_json(f'{{"a": [{constant}]}}')


def test_lines_of_a_results_file_are_read_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('{"a": 1}\n\n{"b": "\u2028\x85"}')
    assert list(files.read_json_lines(tmp_path / "file")) == [{"a": 1}, {"b": "\u2028\x85"}]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param(b'{"a": ', "not JSON: Expecting value", id="torn"),
        pytest.param(b"[1]", "holds a list, not an object", id="no object"),
        pytest.param(b'{"a": "\xe9"}', "not JSON: 'utf-8' codec", id="not UTF-8"),
    ],
)
def test_a_damaged_results_file_is_named_with_its_line(
    tmp_path: Path, line: bytes, found: str
) -> None:
    (tmp_path / "file").write_bytes(b'{"a": 1}\n' + line + b"\n")
    with pytest.raises(errors.BatchError, match=rf"/file:2: {found}.*; restore the file from"):
        list(files.read_json_lines(tmp_path / "file"))


def test_a_log_whose_fsync_failed_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    log = files.Log(tmp_path / "log")
    log.append({"line": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output error"):
            log.append({"line": 2})
    with pytest.raises(OSError, match="could not be made durable"):
        log.append({"line": 3})
    with pytest.raises(OSError, match="could not be made durable"):
        log.close()


def test_a_private_file_is_never_anybody_elses(tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    path.write_text("old")
    path.chmod(0o644)
    with files.replacing(path, private=True) as file:
        file.write("new")
        assert [one.stat().st_mode & 0o777 for one in tmp_path.glob(".links*")] == [0o600]
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
