"""Bad input: one message that names the place, exit 1, nothing sent, nothing written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run
from turkbatch.server import service

Spoil = Callable[[Path, Path], None]


def _data(text: str | bytes) -> Spoil:
    def spoil(definition: Path, rows: Path) -> None:  # noqa: ARG001
        rows.write_bytes(text if isinstance(text, bytes) else text.encode())

    return spoil


def _property(file: str, **changes: object) -> Spoil:
    def spoil(definition: Path, rows: Path) -> None:  # noqa: ARG001
        path = definition / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=1))

    return spoil


def _without(file: str, name: str) -> Spoil:
    def spoil(definition: Path, rows: Path) -> None:  # noqa: ARG001
        path = definition / file
        value = json.loads(path.read_text())
        del value[name]
        path.write_text(json.dumps(value, indent=1))

    return spoil


def _file(name: str, text: str | None) -> Spoil:
    def spoil(definition: Path, rows: Path) -> None:  # noqa: ARG001
        if text is None:
            (definition / name).unlink()
        else:
            (definition / name).write_text(text)

    return spoil


def _question_xml(text: str) -> Spoil:
    def spoil(definition: Path, rows: Path) -> None:  # noqa: ARG001
        (definition / "question.html.j2").unlink()
        (definition / "question.xml.j2").write_text(text)

    return spoil


XHTML = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
    '2011-11-11/HTMLQuestion.xsd"><HTMLContent>{{ word }}</HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)

TYPE, HIT = "hittypeproperties.json", "hitproperties.json"
BAD = [
    pytest.param(_file(TYPE, None), rf"{TYPE}: no such file", id="missing file"),
    pytest.param(_file(HIT, "{"), rf"{HIT}:1: not JSON", id="properties that are no JSON"),
    pytest.param(_file(HIT, "[]"), rf"{HIT}: holds a list", id="properties that are no object"),
    pytest.param(_data(b'{"word": "\xff"}'), r"data.jsonl:1: byte 0xff is not UTF-8", id="latin"),
    pytest.param(_data('{"word": "a"}\n{"word"'), r"data.jsonl:2: not JSON", id="broken line"),
    pytest.param(_data('{"word": "a"}\n[1]\n'), r"data.jsonl:2: holds a list", id="no object"),
    pytest.param(_data("\n \n"), r"data.jsonl: there is no row", id="no data"),
    pytest.param(_property(TYPE, Titel="x"), r"Titel: unknown; did you mean Title", id="unknown"),
    pytest.param(_without(TYPE, "Reward"), r"Reward: no Reward; it is required", id="missing"),
    pytest.param(_property(TYPE, Reward=0.1), r"Reward: 0.1; a string is expected", id="number"),
    pytest.param(_property(TYPE, Reward="$1"), r"Reward: '\$1'; dollars", id="no amount"),
    pytest.param(_property(TYPE, Reward="-1"), r"Reward: '-1'; dollars", id="negative amount"),
    pytest.param(
        _property(HIT, MaxAssignments=True),
        r"MaxAssignments: true; a whole number is expected",
        id="boolean for a number",
    ),
    pytest.param(_property(HIT, MaxAssignments=0), r"MaxAssignments: 0; 1 to", id="zero"),
    pytest.param(_property(HIT, MaxAssignments=10**10), r"10000000000; 1 to", id="over the limit"),
    pytest.param(_property(HIT, LifetimeInSeconds=-1), r"-1; 30 to", id="negative number"),
    pytest.param(
        _property(HIT, Question="<x/>"), r"Question: unknown", id="what is not the user's to give"
    ),
    pytest.param(
        _file("question.html.j2", "{{ word"), r"question.html.j2:1: not valid Jinja2", id="syntax"
    ),
    pytest.param(
        _file("question.html.j2", "{{ wrod }}"),
        r'data.jsonl:1: no "wrod".*did you mean "word"',
        id="undefined name",
    ),
    pytest.param(_file("question.html", "x"), r"question", id="two question files"),
    pytest.param(_file("question.html.j2", None), r"question", id="no question file"),
    pytest.param(_question_xml("{{ word }}"), r"data.jsonl:1: .*not well-formed", id="no XML"),
    pytest.param(_question_xml("<a>{{ word }}</a>"), r"data.jsonl:1", id="wrong root"),
    pytest.param(
        _data(json.dumps({"word": "x" * 70_000})),
        r"data.jsonl:1: the question has 70,\d{3} bytes",
        id="over the size limit",
    ),
    pytest.param(
        _data('{"word": "a\\u0000b"}'), r"data.jsonl:1: .*U\+0000", id="what XML can't hold"
    ),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_bad_input_is_refused_with_one_message(
    run: Run,
    served: service.Service,
    mturk: str,
    definition: Path,
    rows: Path,
    spoil: Spoil,
    message: str,
) -> None:
    spoil(definition, rows)

    result = run("create-batch", definition, rows, "out", "--endpoint-url", mturk, "--yes", code=1)

    assert re.search(message, result.stderr)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert served.faults.calls() == {}
    assert not Path("out").exists()


def test_an_ampersand_in_a_verbatim_question_is_refused_with_the_remedy(
    run: Run, definition: Path, rows: Path
) -> None:
    _question_xml(XHTML)(definition, rows)
    rows.write_text('{"word": "salt & pepper"}\n')

    result = run("create-batch", definition, rows, ".", "--local", "--yes", code=1)

    assert re.search(r"data.jsonl:1: .*&amp;.*\{\{ word\|e \}\}", result.stderr)


@pytest.mark.parametrize("text", ["salt & pepper", "1 < 2", "🙂 ünïcode", "two\nlines", "]]>"])
def test_any_text_in_the_data_reaches_the_results(
    run: Run, definition: Path, rows: Path, text: str
) -> None:
    rows.write_text(json.dumps({"word": text}) + "\n")
    batch = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    run("server", "work", batch)
    run("save-batch", batch, code=3)
    run("extract", "tabular", batch, "out.jsonl", "--inputs")
    table = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["Input.word"] for row in table] == [text, text]


def test_all_faults_are_named_at_once(run: Run, definition: Path, rows: Path) -> None:
    _property(TYPE, Reward="free", Titel="x")(definition, rows)
    _property(HIT, MaxAssignments=0)(definition, rows)
    rows.write_text('{"word": "a"}\nnot json\n')
    result = run("create-batch", definition, rows, ".", "--local", "--yes", code=1)
    for part in ("Reward", "Titel", "MaxAssignments", "data.jsonl:2"):
        assert part in result.stderr


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda _: None, "no such directory", id="nothing there"),
        pytest.param(lambda path: path.mkdir(), "not a batch", id="another directory"),
        pytest.param(lambda path: path.write_text("x"), "is a file", id="a file"),
    ],
)
def test_what_is_no_batch_is_refused(
    run: Run, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "batch-x")
    assert message in run("status-batch", "batch-x", code=1).stderr


def test_a_batch_of_a_later_format_is_refused(run: Run, definition: Path, rows: Path) -> None:
    batch = Path(run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip())
    info = json.loads((batch / "batch.json").read_text())
    (batch / "batch.json").write_text(json.dumps(info | {"format": 999}))
    assert "later turkbatch" in run("status-batch", batch, code=1).stderr


def test_missing_credentials_are_explained(run: Run, definition: Path, rows: Path) -> None:
    result = run("create-batch", definition, rows, ".", "--yes", code=1)
    assert "AWS_ACCESS_KEY_ID" in result.stderr
    assert "--local" in result.stderr
    assert list(Path().glob("batch-*")) == []


def test_a_flag_that_contradicts_the_pin_is_refused(run: Run, definition: Path, rows: Path) -> None:
    batch = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    assert "was created in local" in run("status-batch", batch, "--live", code=1).stderr
    url = "http://127.0.0.1:9"
    assert "was created in local" in run("save-batch", batch, "--endpoint-url", url, code=1).stderr


def test_a_variable_never_contradicts_the_pin(
    run: Run, definition: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = run("create-batch", definition, rows, ".", "--local", "--yes").stdout.strip()
    monkeypatch.setenv("AWS_ENDPOINT_URL_MTURK", "http://127.0.0.1:9")
    assert "is not used" in run("status-batch", batch).stderr


def test_too_little_money_is_refused_before_anything_is_written(
    run: Run, served: service.Service, definition: Path, rows: Path
) -> None:
    served.set_balance(71)
    result = run("create-batch", definition, rows, ".", "--local", "--yes", code=1)
    assert "costs $0.72" in result.stderr
    assert "has $0.71" in result.stderr
    assert list(Path().glob("batch-*")) == []


def test_a_cost_over_the_limit_is_refused(run: Run, definition: Path, rows: Path) -> None:
    refused = run(
        "create-batch", definition, rows, ".", "--local", "-y", "--max-cost", ".71", code=1
    )
    assert "is no amount" in refused.stderr
    refused = run(
        "create-batch", definition, rows, ".", "--local", "-y", "--max-cost", "0.71", code=1
    )
    assert "more than --max-cost $0.71" in refused.stderr
    run("create-batch", definition, rows, ".", "--local", "-y", "--max-cost", "0.72")


def test_an_inexact_cost_is_refused_under_a_limit(run: Run, definition: Path, rows: Path) -> None:
    premium = {"QualificationTypeId": "2PREMIUMTYPE000000000000000000", "Comparator": "Exists"}
    _property(TYPE, QualificationRequirements=[premium])(definition, rows)
    result = run("create-batch", definition, rows, ".", "--local", "-y", "--max-cost", "9", code=1)
    assert "can't be known exactly" in result.stderr


def test_no_answer_at_the_prompt_means_no(run: Run, definition: Path, rows: Path) -> None:
    result = run("create-batch", definition, rows, ".", "--local", code=1)
    assert "for $0.72? [y/N]" in result.stderr
    assert "--yes" in result.stderr
    assert result.stdout == ""
    run("create-batch", definition, rows, ".", "--local", stdin="n\n", code=1)
    assert list(Path().glob("batch-*")) == []
    run("create-batch", definition, rows, ".", "--local", stdin="y\n")


def test_live_and_an_endpoint_of_ones_own_are_refused_together(
    run: Run, definition: Path, rows: Path
) -> None:
    url = "http://127.0.0.1:9"
    run("create-batch", definition, rows, ".", "--live", "--endpoint-url", url, code=2)


def test_an_unreachable_server_is_reported_with_exit_code_4(
    run: Run, definition: Path, rows: Path
) -> None:
    url = "http://127.0.0.1:9"
    result = run("create-batch", definition, rows, ".", "--endpoint-url", url, "-y", code=4)
    assert "no reply from custom (http://127.0.0.1:9)" in result.stderr
