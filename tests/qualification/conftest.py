"""A definition of a qualification type with a test of two questions, changed as tests need."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

BASE = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"
Define = Callable[..., Path]


def question(identifier: str, selections: str = "a b c", *, extra: str = "") -> str:
    """Make a question of a QuestionForm; ``extra`` goes before its selections."""
    options = "".join(
        f"<Selection><SelectionIdentifier>{one}</SelectionIdentifier><Text>{one}</Text></Selection>"
        for one in selections.split()
    )
    return (
        f"<Question><QuestionIdentifier>{identifier}</QuestionIdentifier>"
        "<IsRequired>true</IsRequired><QuestionContent><Text>Which?</Text></QuestionContent>"
        f"<AnswerSpecification><SelectionAnswer>{extra}<Selections>{options}</Selections>"
        "</SelectionAnswer></AnswerSpecification></Question>"
    )


def form(*questions: str) -> str:
    """Make a QuestionForm."""
    return (
        f'<QuestionForm xmlns="{BASE}/2017-11-06/QuestionForm.xsd">'
        f"{''.join(questions)}</QuestionForm>"
    )


def keyed(identifier: str, default: int | None = None, **scores: int) -> str:
    """Make a question of an AnswerKey; ``a_b=2`` scores the two selections together."""
    options = "".join(
        "<AnswerOption>"
        + "".join(f"<SelectionIdentifier>{one}</SelectionIdentifier>" for one in names.split("_"))
        + f"<AnswerScore>{score}</AnswerScore></AnswerOption>"
        for names, score in scores.items()
    )
    other = "" if default is None else f"<DefaultScore>{default}</DefaultScore>"
    return (
        f"<Question><QuestionIdentifier>{identifier}</QuestionIdentifier>{options}{other}"
        "</Question>"
    )


def key(*parts: str) -> str:
    """Make an AnswerKey; the last part may be a mapping."""
    return f'<AnswerKey xmlns="{BASE}/2005-10-01/AnswerKey.xsd">{"".join(parts)}</AnswerKey>'


@pytest.fixture
def define(tmp_path: Path) -> Define:
    """Write a definition; properties by keyword, None leaves one out."""

    def write(
        name: str = "quality",
        *,
        test: str | None = None,
        answer_key: str | None = None,
        **changes: object,
    ) -> Path:
        path = tmp_path / name
        path.mkdir()
        properties: dict[str, object] = {
            "Name": "Colours",
            "Description": "Knows colours.",
            "QualificationTypeStatus": "Active",
            **({} if test is None else {"TestDurationInSeconds": 600}),
            **changes,
        }
        (path / "qualificationtypeproperties.json").write_text(
            json.dumps({name: value for name, value in properties.items() if value is not None})
        )
        if test is not None:
            (path / "test.xml").write_text(test)
        if answer_key is not None:
            (path / "answerkey.xml").write_text(answer_key)
        return path

    return write
