"""``extract tabular --style requester``, and results files of the website as its input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch import tables

LAYOUT = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form answer-format="flatten-objects">
  <p>${word}</p>
  <crowd-input name="utterance" required></crowd-input>
  <crowd-checkbox name="sure"></crowd-checkbox>
  <crowd-classifier name="category" categories="['a', 'b']" header="Which?"></crowd-classifier>
</crowd-form>
"""


@pytest.fixture
def batch(run: Run, definition: Path, tmp_path: Path) -> str:
    """A batch of a website's layout, worked on, reviewed and saved."""
    (definition / "question.html.j2").unlink()
    (definition / "question.html").write_text(LAYOUT)
    data = tmp_path / "data.csv"
    data.write_text('word,unused\n"a, ""b""",1\nemoji 🦆,2\n', encoding="utf-8")
    made = run("create-batch", definition, data, ".", "--local", "--yes").stdout.strip()
    run("server", "work", made)
    run("review-batch", made, "--approve-all", "--yes")
    run("save-batch", made, code=None)
    return made


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_batch_has_the_websites_columns_cells_and_line_ends(run: Run, batch: str) -> None:
    run("extract", "tabular", batch, "out.csv", "--style", "requester")
    first = Path("out.csv").read_bytes().split(b"\r\n")[0].decode()
    answers = ["Answer.category.label", "Answer.sure.on", "Answer.utterance"]
    columns = [
        *tables.REQUESTER_COLUMNS,
        "Input.word",
        "Input.unused",
        *answers,
        "Approve",
        "Reject",
    ]
    assert first == ",".join(f'"{name}"' for name in columns)
    table = rows_of("out.csv")
    assert [row["Input.word"] for row in table] == ['a, "b"', 'a, "b"', "emoji 🦆", "emoji 🦆"]
    assert {row["Reward"] for row in table} == {"$0.10"}
    assert {row["Answer.sure.on"] for row in table} <= {"true", "false"}
    per_worker = [row["WorkerId"] for row in table]
    assert [row["LifetimeApprovalRate"] for row in table] == [
        f"100% ({per_worker.count(name)}/{per_worker.count(name)})" for name in per_worker
    ]  # fmt: skip
    assert {(row["Approve"], row["Reject"]) for row in table} == {("", "")}


def test_file_of_another_name_is_csv_in_the_websites_style(run: Run, batch: str) -> None:
    run("extract", "tabular", batch, "results", "--style", "requester")
    assert Path("results").read_text(encoding="utf-8").startswith('"HITId","HITTypeId"')


def test_results_file_of_the_website_is_extracted_like_a_batch(run: Run, batch: str) -> None:
    run("extract", "tabular", batch, "site.csv", "--style", "requester")
    run("extract", "tabular", "site.csv", "from_site.jsonl", "--inputs")
    run("extract", "tabular", batch, "from_batch.jsonl", "--inputs")
    read = [
        [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]
        for name in ("from_site.jsonl", "from_batch.jsonl")
    ]
    # The website's file knows whole seconds.
    whole = [
        [{key: _seconds(value) for key, value in row.items()} for row in rows] for rows in read
    ]
    assert whole[0] == whole[1]

    run("extract", "tabular", "site.csv", "again.csv", "--style", "requester")
    assert Path("again.csv").read_bytes() == Path("site.csv").read_bytes()


def _seconds(value: object) -> object:
    return value.partition(".")[0] if isinstance(value, str) and value.endswith("+00:00") else value


def test_crowd_form_that_posts_one_object_is_left_whole_as_on_the_website(
    run: Run, definition: Path, rows: Path
) -> None:
    (definition / "question.html.j2").write_text(
        LAYOUT.replace(' answer-format="flatten-objects"', "").replace("${word}", "{{ word }}")
    )
    batch = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    run("server", "work", batch)
    run("save-batch", batch, code=3)
    run("extract", "tabular", batch, "site.csv", "--style", "requester")
    answers = [name for name in rows_of("site.csv")[0] if name.startswith("Answer.")]
    assert answers == ["Answer.taskAnswers"]
    run("extract", "tabular", "site.csv", "out.jsonl")
    first = json.loads(Path("out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert {"utterance", "category.label", "sure.on"} <= set(first)


def test_file_that_is_no_results_file_is_refused(run: Run, rows: Path) -> None:
    result = run("extract", "tabular", rows, "out.csv", code=1)
    assert 'no column "AssignmentId"' in result.stderr
    assert not Path("out.csv").exists()
