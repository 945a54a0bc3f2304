from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import turkbatch
from turkbatch import errors
from turkbatch.batch import data as batch_data
from turkbatch.batch import definition as definitions
from turkbatch.batch import directory, journal, layout, results
from turkbatch.batch.directory import Batch

PIN = {"environment": "sandbox", "endpoint_url": "https://example.org"}
Make = Callable[..., Batch]


@pytest.fixture
def make(tmp_path: Path, definition: Path, rows: Path) -> Make:
    """Make the directory of a batch of three rows."""

    def make(batch_id: str = "one", *, save_dir: Path = tmp_path, **options: Any) -> Batch:
        return directory.create(
            save_dir,
            batch_id,
            definitions.read(definition),
            batch_data.read(rows),
            pin=PIN,
            **options,
        )

    return make


@pytest.fixture
def amti(tmp_path: Path, definition: Path) -> Path:
    """A batch as amti leaves it after its upload."""
    path = tmp_path / "batch-6e8f"
    path.mkdir()
    (path / "README").write_text("Batch Directory\n")
    (path / "COMMIT").write_text("0123abc")
    (path / "BATCHID").write_text("6e8f")
    definition.rename(path / "definition")
    (path / "data.jsonl").write_text('{"word": "sky"}\n{"word": "grass"}\n')
    (path / "_INCOMPLETE").write_text('{"hittype_id": "3TYPE", "hit_ids": ["3B", "3A"]}')
    return path


def snapshot(path: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(path)): one.read_bytes()
        for one in sorted(path.rglob("*"))
        if one.is_file()
    }


# Creating


def test_a_new_batch_is_complete_but_for_its_hits(
    make: Make, tmp_path: Path, definition: Path, rows: Path
) -> None:
    batch = make("one", save_dir=tmp_path / "some" / "where", allow_undefined=True)
    path = tmp_path / "some" / "where" / "batch-one"
    info = json.loads((path / "batch.json").read_text())
    created = datetime.fromisoformat(info.pop("created"))
    assert timedelta(0) <= datetime.now(UTC) - created < timedelta(seconds=60)
    assert re.fullmatch("[0-9a-f]{32}", info.pop("nonce"))
    assert info == {
        "format": 1,
        "batch_id": "one",
        "pin": PIN,
        "rows": 3,
        "digests": {
            "definition": definitions.digest(definition),
            "data": batch_data.read(rows).digest,
        },
        "allow_undefined": True,
        "hit_type_id": None,
        "turkbatch": turkbatch.__version__,
        "qualifications": {},
        "screening": {},
    }
    assert snapshot(path) == {
        "BATCHID": b"one\n",
        "COMMIT": b"<none>\n",
        "README": layout.README_TEXT.encode(),
        "batch.json": (path / "batch.json").read_bytes(),
        "data.jsonl": rows.read_bytes(),
        **{f"definition/{name}": content for name, content in snapshot(definition).items()},
    }
    assert (batch.path, batch.batch_id) == (path, "one")
    assert directory.open_batch(path).info == batch.info


def test_two_batches_of_one_id_have_different_nonces(make: Make, tmp_path: Path) -> None:
    first = make("one", save_dir=tmp_path / "a").info
    second = make("one", save_dir=tmp_path / "b").info
    assert first is not None
    assert second is not None
    assert first.nonce != second.nonce


def test_a_batch_that_is_there_is_left_alone(make: Make, tmp_path: Path) -> None:
    make("one")
    before = snapshot(tmp_path)
    message = rf"^{tmp_path}/batch-one: is there already; choose another --batch-id$"
    with pytest.raises(errors.BatchError, match=message):
        make("one")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "reason"), [("file", "File exists"), ("file/below", "Not a directory")]
)
def test_a_save_dir_that_is_a_file_is_named(
    make: Make, tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "file").write_text("mine")
    message = (
        rf"^{tmp_path}/{name}: is no directory and can't be made one \({reason}\);"
        " name another SAVE_DIR$"
    )
    with pytest.raises(errors.BatchError, match=message):
        make("one", save_dir=tmp_path / name)


@pytest.mark.parametrize("which", ["definition", "data"])
def test_inputs_that_changed_meanwhile_leave_nothing(
    tmp_path: Path, definition: Path, rows: Path, which: str
) -> None:
    inputs = definitions.read(definition), batch_data.read(rows)
    changed = definition / "NOTES" if which == "definition" else rows
    changed.write_text('{"word": "other"}\n')
    save_dir = tmp_path / "batches"
    with pytest.raises(errors.InputError, match="changed while the batch was being made"):
        directory.create(save_dir, "one", *inputs, pin=PIN)
    assert list(save_dir.iterdir()) == []


@pytest.mark.parametrize("batch_id", ["a", "1", "2026-03-01_x.y", "A" * 64])
def test_ids_that_can_be_names(batch_id: str) -> None:
    directory.check_batch_id(batch_id)


@pytest.mark.parametrize(
    "batch_id", ["", ".", "..", "-a", "_a", "a/b", "../a", "a b", "a\n", "é", "A" * 65, "a;b", "٣"]
)
def test_ids_that_can_be_no_names_are_refused(make: Make, tmp_path: Path, batch_id: str) -> None:
    before = snapshot(tmp_path)
    message = rf"^--batch-id {re.escape(repr(batch_id))}: an id has 1 to 64 letters"
    with pytest.raises(errors.BatchError, match=message):
        make(batch_id)
    assert snapshot(tmp_path) == before


def test_new_ids_are_their_own() -> None:
    ids = {directory.new_batch_id() for _ in range(100)}
    assert len(ids) == 100
    for batch_id in ids:
        directory.check_batch_id(batch_id)


# The commit


def git(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", path, "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_commit_of_the_definition_is_named(tmp_path: Path, definition: Path) -> None:
    assert directory.commit_of(definition) == "<none>"
    git(tmp_path, "init", "--quiet")
    assert directory.commit_of(definition) == "<none>"
    git(tmp_path, "add", "definition")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "elsewhere").write_text("not committed")
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert directory.commit_of(definition) == commit
    (definition / "NOTES").write_text("not committed")
    assert directory.commit_of(definition) == f"{commit} (dirty)"
    git(tmp_path, "add", "definition")
    assert directory.commit_of(definition) == f"{commit} (dirty)"
    git(tmp_path, "commit", "--quiet", "--message", "Note")
    (definition / "NOTES").write_text("changed")
    assert directory.commit_of(definition).endswith(" (dirty)")


def test_without_git_there_is_no_commit(
    definition: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert directory.commit_of(definition) == "<none>"


# Opening


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("none", "no such directory; name a batch directory, such as batch-*"),
        ("file", "is a file; name a batch directory, such as batch-*"),
        (
            "empty",
            "not a batch (it has no file BATCHID); name a directory that create-batch has made",
        ),
    ],
)
def test_what_is_no_batch_is_refused(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.BatchError, match=name) as caught:
        directory.open_batch(tmp_path / name)
    assert str(caught.value) == f"{tmp_path}/{name}: {found}"


def test_a_directory_is_ours_before_its_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_text('{"format": 99}')
    with pytest.raises(errors.BatchError, match="not a batch"):
        directory.open_batch(tmp_path)


def test_a_newer_format_is_refused_before_anything_else_is_read(make: Make) -> None:
    batch = make()
    (batch.path / "batch.json").write_text('{"format": 2, "unheard": "of"}')
    message = (
        rf"^{batch.path}/batch\.json: format 2 was written by a later turkbatch \(this is"
        rf" {turkbatch.__version__}, which knows format 1\); install that one$"
    )
    with pytest.raises(errors.BatchError, match=message):
        directory.open_batch(batch.path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("{", r"batch\.json:1: not JSON: .*; restore it from a copy$", id="torn"),
        pytest.param("", r"batch\.json:1: not JSON: .*; restore it from a copy$", id="empty"),
        pytest.param("[]", r"batch\.json: holds a list; .*; restore it from a copy$", id="list"),
        pytest.param("{}", r"batch\.json: names no format; restore it", id="no format"),
        pytest.param('{"format": "1"}', "names no format; restore it", id="format is a text"),
        pytest.param(
            '{"format": 1, "batch_id": "a"}',
            r"batch\.json: incomplete \(.*'nonce'.*\); restore it from a copy$",
            id="incomplete",
        ),
    ],
)
def test_a_damaged_description_is_refused(make: Make, content: str, found: str) -> None:
    batch = make()
    (batch.path / "batch.json").write_text(content)
    with pytest.raises(errors.BatchError, match=found):
        directory.open_batch(batch.path)


def test_what_a_later_version_added_within_the_format_is_passed_over(make: Make) -> None:
    batch = make()
    path = batch.path / "batch.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
    assert directory.open_batch(batch.path).info == batch.info


def test_changes_of_the_description_are_on_disk(make: Make) -> None:
    batch = make()
    before = batch.info
    assert before is not None
    batch.update(hit_type_id="3TYPE")
    expected = dataclasses.replace(before, hit_type_id="3TYPE")
    assert batch.info == expected == directory.open_batch(batch.path).info
    assert batch.hit_type_id == "3TYPE"


# What a batch says


def test_a_batch_gives_what_went_in(make: Make, rows: Path, definition: Path) -> None:
    batch = directory.open_batch(make().path)
    read = definitions.read(definition)
    assert batch.definition == dataclasses.replace(read, path=batch.definition_dir)
    assert list(batch.data) == list(batch_data.read(rows))
    assert (batch.hit_ids(), batch.rows_of_hits(), batch.incomplete) == ([], {}, False)
    assert (batch.uploads(), batch.reviews(), batch.deleted(), batch.extension()) == (
        journal.UploadState({}, {}),
        journal.ReviewState({}, {}),
        set(),
        None,
    )


def test_hits_are_in_the_order_of_their_rows(make: Make) -> None:
    batch = make()
    log = journal.Uploads(batch.path / "uploads.jsonl")
    log.created(2, "3A")
    log.created(0, "3C")
    log.close()
    assert list(batch.rows_of_hits().items()) == [("3C", 0), ("3A", 2)]
    assert batch.hit_ids() == ["3C", "3A"]


def test_the_marker_is_amtis_and_goes(make: Make) -> None:
    batch = make()
    batch.update(hit_type_id="3TYPE")
    batch.write_marker(["3B", "3A"])
    before = batch.incomplete
    marker = json.loads((batch.path / "_INCOMPLETE").read_text())
    assert marker == {"hittype_id": "3TYPE", "hit_ids": ["3B", "3A"]}
    batch.remove_marker()
    assert (before, batch.incomplete) == (True, False)
    assert not (batch.path / "hits.json").exists()
    batch.remove_marker()


# amti's


def test_a_batch_of_amtis_is_opened(amti: Path) -> None:
    batch = directory.open_batch(amti)
    assert (batch.batch_id, batch.info, batch.hit_type_id) == ("6e8f", None, "3TYPE")
    assert list(batch.rows_of_hits().items()) == [("3B", 0), ("3A", 1)]
    assert (batch.hit_ids(), batch.incomplete) == (["3B", "3A"], True)
    assert [row.fields for row in batch.data] == [{"word": "sky"}, {"word": "grass"}]
    assert batch.definition.max_assignments == 2
    assert batch.uploads() == journal.UploadState({}, {})


def test_a_batch_that_amti_saved_has_the_hits_of_its_results(amti: Path) -> None:
    (amti / "_INCOMPLETE").unlink()
    with results.Results(amti / "results").saving() as saving:
        saving.save({"HITId": "3B"}, [])
        saving.save({"HITId": "3A"}, [])
    batch = directory.open_batch(amti)
    assert list(batch.rows_of_hits().items()) == [("3A", None), ("3B", None)]
    assert (batch.hit_type_id, batch.incomplete) == (None, False)


def test_the_order_of_amtis_hits_outlives_its_marker(amti: Path) -> None:
    directory.open_batch(amti).remove_marker()
    batch = directory.open_batch(amti)
    assert not (amti / "_INCOMPLETE").exists()
    assert list(batch.rows_of_hits().items()) == [("3B", 0), ("3A", 1)]
    assert (batch.hit_type_id, batch.incomplete) == ("3TYPE", False)
    batch.remove_marker()
    assert batch.hit_ids() == ["3B", "3A"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("", "_INCOMPLETE:1: not JSON", id="empty"),
        pytest.param("[]", "_INCOMPLETE: holds a list", id="list"),
        pytest.param("{}", '_INCOMPLETE: names no list "hit_ids"; restore it', id="no ids"),
        pytest.param('{"hit_ids": "3A"}', 'names no list "hit_ids"; restore it', id="a text"),
        pytest.param('{"hit_ids": [1]}', 'names no list "hit_ids"; restore it', id="numbers"),
    ],
)
def test_a_damaged_marker_is_refused(amti: Path, content: str, found: str) -> None:
    (amti / "_INCOMPLETE").write_text(content)
    with pytest.raises(errors.BatchError, match=found):
        directory.open_batch(amti).hit_ids()


# The lock

HOLD = """
import pathlib, sys
from turkbatch.batch import directory
with directory.open_batch(pathlib.Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def hold(batch: Batch) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, batch.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def take(batch: Batch) -> None:
    with batch.locked():
        pass


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_a_second_process_is_refused_until_the_first_ends(make: Make, end: str) -> None:
    batch = make()
    with hold(batch) as process:
        message = (
            rf"^{batch.path}: process {process.pid} is working on this batch;"
            " wait for it to end, or end it$"
        )
        with pytest.raises(errors.BatchError, match=message):
            take(batch)
        if end == "kill":
            process.kill()
        else:
            process.communicate()
    take(batch)


def test_a_lock_is_freed_by_an_error(make: Make) -> None:
    batch = make()

    def fail() -> None:
        with batch.locked():
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    take(batch)


def test_one_process_does_not_lock_twice(make: Make) -> None:
    batch = make()
    with batch.locked():
        message = f"process {os.getpid()} is working on this batch"
        with pytest.raises(errors.BatchError, match=message):
            take(batch)
    take(batch)


def test_a_batch_that_is_gone_can_not_be_locked(make: Make, tmp_path: Path) -> None:
    batch = make()
    batch.path.rename(tmp_path / "moved")
    message = r"batch-one: can't be written \(No such file or directory\); check its permissions$"
    with pytest.raises(errors.BatchError, match=message):
        take(batch)


def test_locks_of_different_batches_are_their_own(make: Make) -> None:
    with make("one").locked(), make("two").locked():
        pass


@pytest.mark.parametrize("name", ["uploads.jsonl", "reviews.jsonl", "changes.jsonl"])
def test_a_journal_line_that_says_nothing_is_refused_by_name(make: Make, name: str) -> None:
    batch = make()
    (batch.path / name).write_text('{"event": "done"}\n')
    with pytest.raises(errors.BatchError, match=rf"{name}: a line lacks what it should say"):
        (batch.uploads(), batch.reviews(), batch.deleted())


def test_what_a_killed_process_was_writing_is_swept_away(make: Make) -> None:
    batch = make()
    left = batch.path / ".batch.json.0a1b.tmp"
    left.write_text("half")
    with batch.locked():
        assert not left.exists()
