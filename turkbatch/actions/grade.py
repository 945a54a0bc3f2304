"""``create-qualificationtype --grade``: score answers offline, to try an answer key.

It is our own server's grader that scores them, so what is seen here is what a worker who
takes the test on it gets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from turkbatch import answers, errors, files
from turkbatch.actions import pinned, type_definitions
from turkbatch.batch import data as batch_data
from turkbatch.qualification import layout

SEPARATOR = "|"
"""Between several selections, as the requester website joins them."""
WHO = ("WorkerId", "worker_id")


@dataclasses.dataclass(frozen=True)
class Grade:
    """What a set of answers is worth.

    Parameters
    ----------
    who : str
        The worker, or where the answers are from.
    value : int
        The score: the value that the qualification would get.
    by_question : dict of str to int
        What each question of the key gave, before the key's mapping.
    """

    who: str
    value: int
    by_question: Mapping[str, int]


def grade_test(definition_dir: pinned.PathLike, answers_path: pinned.PathLike) -> tuple[Grade, ...]:
    """Score answers with a definition's answer key; nothing is sent.

    Parameters
    ----------
    definition_dir : path
        The definition of a qualification type, or its directory.
    answers_path : path
        A QuestionFormAnswers document (``.xml``); or CSV or JSON Lines with a line for each
        worker: ``WorkerId``, if there is one, and a column for each question.

    Returns
    -------
    tuple of Grade
        In the order of the file.

    Raises
    ------
    InputError
        If the definition has no answer key, or the answers can't be read.
    """
    from turkbatch.server import grading

    checked = type_definitions.check_qualification_type(definition_dir)
    if "AnswerKey" not in checked.parameters:
        raise errors.DefinitionError(
            errors.Finding(
                "no-answer-key",
                str(checked.definition.path),
                f"there is no {layout.ANSWER_KEY}",
                "add one, or grant requests by hand (review-qualificationrequests)",
            )
        )
    key = grading.read_key(checked.parameters["AnswerKey"])
    asked = grading.check_test(checked.parameters["Test"])
    known = {one.identifier: one.selections for one in asked}
    grades = []
    for where, who, chosen in _answers(Path(answers_path)):
        _refuse_unknown(where, chosen, known)
        graded = grading.grade(key, chosen)
        grades.append(Grade(who, graded.value, graded.scores))
    return tuple(grades)


def _answers(path: Path) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    """Give where each set of answers stands, whose it is, and what was chosen."""
    if path.suffix.lower() == ".xml":
        found: dict[str, list[str]] = {}
        for one in answers.parse(files.read_text(path, errors.AnswerError), where=str(path)):
            found.setdefault(one.name, []).extend(one.values)
        yield str(path), path.name, found
        return
    data = batch_data.read(path)
    for row in data:
        who = next((str(row.fields[name]) for name in WHO if row.fields.get(name)), "")
        chosen = {name: _selections(value) for name, value in row.fields.items() if name not in WHO}
        yield data.where(row), who or f"line {row.line}", chosen


def _selections(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    text = "" if value is None else str(value)
    return [one.strip() for one in text.split(SEPARATOR) if one.strip()]


def _refuse_unknown(
    where: str, chosen: Mapping[str, Collection[str]], known: Mapping[str, Collection[str]]
) -> None:
    """Refuse answers to a question of the test that name no selection of it."""
    wrong = [
        f'question "{name}" has no selection "{one}"'
        for name, selections in chosen.items()
        for one in selections
        if name in known and one not in known[name]
    ]
    if not set(known).intersection(chosen):
        wrong = [f"answers none of the questions {', '.join(known)}"]
    if wrong:
        raise errors.AnswerError(
            *(
                errors.Finding("unknown-answer", where, one, "write the test's own identifiers")
                for one in wrong
            )
        )
