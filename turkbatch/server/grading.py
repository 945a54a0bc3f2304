"""Qualification tests and their answer keys: held against each other, and scored. Pure.

For each question of the key, the option whose **set** of selections is exactly the worker's
gives its score; if none does, the question's DefaultScore (0 unless given). The sum is then
mapped to a qualification value.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_AnswerKeyDataStructureArticle.html. Choices where it leaves room:

- Halves are rounded up: 2.5 is 3, -2.5 is -2. How a scale mapping is rounded is not
  documented.
- Of ranges that overlap, and of options with the same selections, the first one holds.
- A test that is graded may ask for nothing but selections, as the article says; questions
  that the key leaves out count nothing.
- Values beyond 32 bits, which the schema's types can reach by sums, are cut to them.
"""

from __future__ import annotations

import dataclasses
import fractions
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from lxml import etree

from turkbatch.server import documents, question_forms, refusals

NAMESPACE: Final = f"{documents.SCHEMAS}2005-10-01/AnswerKey.xsd"
ANSWERS_NAMESPACE: Final = f"{documents.SCHEMAS}2005-10-01/QuestionFormAnswers.xsd"

_LEAST, _MOST = -(2**31), 2**31 - 1
_Mapping = Callable[[int], int]


@dataclasses.dataclass(frozen=True)
class KeyedQuestion:
    """What the answers to one question are worth.

    Parameters
    ----------
    identifier : str
        QuestionIdentifier.
    scores : Mapping
        Score by the exact set of selections.
    default : int
        Score of any other set.
    """

    identifier: str
    scores: Mapping[frozenset[str], int]
    default: int


@dataclasses.dataclass(frozen=True)
class Key:
    """An answer key.

    Parameters
    ----------
    questions : tuple of KeyedQuestion
        In their order.
    mapping : callable
        From the sum to the qualification value.
    """

    questions: tuple[KeyedQuestion, ...]
    mapping: _Mapping

    @property
    def highest_score(self) -> int:
        """The greatest sum that any answers reach, before the mapping."""
        return sum(max([*one.scores.values(), one.default]) for one in self.questions)


@dataclasses.dataclass(frozen=True)
class Grade:
    """What a worker's answers are worth.

    Parameters
    ----------
    scores : Mapping
        By QuestionIdentifier.
    total : int
        Their sum.
    value : int
        The qualification value.
    """

    scores: Mapping[str, int]
    total: int
    value: int


def check_test(test: str) -> list[question_forms.Asked]:
    """Read a qualification test.

    Parameters
    ----------
    test : str
        QuestionForm XML; other kinds of questions can't be tests.

    Returns
    -------
    list of question_forms.Asked
        Its questions.

    Raises
    ------
    Refusal
        ParameterValidationError for the first fault.
    """
    root = documents.parse(test, "Test")
    qualified = etree.QName(root)
    if (
        qualified.localname != "QuestionForm"
        or qualified.namespace not in question_forms.NAMESPACES
    ):
        raise refusals.xml_error(
            f"the root element '{qualified.localname}' in the namespace '{qualified.namespace}' "
            "is no QuestionForm, which a qualification test must be"
        )
    question_forms.check(root)
    return question_forms.asked(root)


def read_key(answer_key: str) -> Key:
    """Read an answer key by itself.

    Parameters
    ----------
    answer_key : str
        AnswerKey XML.

    Returns
    -------
    Key
        Ready for :func:`grade`.

    Raises
    ------
    Refusal
        ParameterValidationError for the first fault.
    """
    root = documents.parse(answer_key, "AnswerKey")
    if root.tag != f"{{{NAMESPACE}}}AnswerKey":
        raise refusals.xml_error(
            f"the root element '{documents.local_name(root)}' in the namespace "
            f"'{etree.QName(root).namespace}' is no AnswerKey of {NAMESPACE}"
        )
    documents.validate(root)
    questions = tuple(_keyed(question) for question in root.iterfind("{*}Question"))
    mapping = root.find("{*}QualificationValueMapping/*")
    return Key(questions, _mapping(mapping))


def check_key(answer_key: str, asked: list[question_forms.Asked]) -> Key:
    """Read an answer key and hold it against its test.

    Parameters
    ----------
    answer_key : str
        AnswerKey XML.
    asked : list of question_forms.Asked
        From :func:`check_test`.

    Returns
    -------
    Key
        Ready for :func:`grade`.

    Raises
    ------
    Refusal
        ParameterValidationError for the first question or selection that the test doesn't
        have, and for a test that can't be graded.
    """
    key = read_key(answer_key)
    for fault in disagreements(key, asked):
        raise refusals.xml_error(fault)
    return key


def disagreements(key: Key, asked: list[question_forms.Asked]) -> Iterator[str]:
    """Find where a key and its test contradict each other.

    Parameters
    ----------
    key : Key
        Of the test.
    asked : list of question_forms.Asked
        The test's questions.

    Yields
    ------
    str
        One fault.
    """
    by_identifier = {one.identifier: one for one in asked}
    for question in asked:
        if question.kind != "SelectionAnswer" or question.other:
            yield (
                f"question '{question.identifier}' of the Test asks for more than a selection, "
                "which an AnswerKey cannot grade"
            )
    for keyed in key.questions:
        if keyed.identifier not in by_identifier:
            yield f"the AnswerKey's question '{keyed.identifier}' is not in the Test"
            continue
        known = set(by_identifier[keyed.identifier].selections)
        for selection in sorted(set().union(*keyed.scores) - known):
            yield (
                f"the AnswerKey's selection '{selection}' is not among those of question "
                f"'{keyed.identifier}' in the Test"
            )


def grade(key: Key, chosen: Mapping[str, Collection[str]]) -> Grade:
    """Score answers.

    Parameters
    ----------
    key : Key
        Of the test.
    chosen : Mapping
        Selections by QuestionIdentifier; a question that is missing has none.

    Returns
    -------
    Grade
        The scores, their sum and the value.
    """
    scores = {
        one.identifier: one.scores.get(frozenset(chosen.get(one.identifier, ())), one.default)
        for one in key.questions
    }
    total = sum(scores.values())
    return Grade(scores, total, _cut(key.mapping(total)))


def chosen(answer: str) -> dict[str, list[str]]:
    """Read which selections an answer holds.

    Parameters
    ----------
    answer : str
        QuestionFormAnswers XML, or an empty string.

    Returns
    -------
    dict
        Selections by QuestionIdentifier.

    Raises
    ------
    Refusal
        ParameterValidationError, if it is no such document.
    """
    if not answer:
        return {}
    root = documents.parse(answer, "Answer")
    if root.tag != f"{{{ANSWERS_NAMESPACE}}}QuestionFormAnswers":
        raise refusals.xml_error(
            f"the root element '{documents.local_name(root)}' is no QuestionFormAnswers of "
            f"{ANSWERS_NAMESPACE}"
        )
    documents.validate(root)
    return {
        one.findtext("{*}QuestionIdentifier") or "": [
            selection.text or "" for selection in one.iterfind("{*}SelectionIdentifier")
        ]
        for one in root.iterfind("{*}Answer")
    }


def _keyed(question: etree._Element) -> KeyedQuestion:
    identifier = question.findtext("{*}QuestionIdentifier") or ""
    scores: dict[frozenset[str], int] = {}
    for option in question.iterfind("{*}AnswerOption"):
        selections = frozenset(
            element.text or "" for element in option.iterfind("{*}SelectionIdentifier")
        )
        scores.setdefault(selections, _integer(option, "AnswerScore"))
    return KeyedQuestion(identifier, scores, _integer(question, "DefaultScore"))


def _mapping(element: etree._Element | None) -> _Mapping:
    if element is None:
        return lambda total: total
    match documents.local_name(element):
        case "PercentageMapping":
            return _percentage(_integer(element, "MaximumSummedScore"))
        case "ScaleMapping":
            return _scale(float(element.findtext("{*}SummedScoreMultiplier") or "0"))
        case _:
            return _ranges(element)


def _percentage(maximum: int) -> _Mapping:
    if maximum <= 0:
        raise refusals.xml_error("MaximumSummedScore must be greater than 0")
    return lambda total: _rounded(fractions.Fraction(100 * total, maximum))


def _scale(multiplier: float) -> _Mapping:
    if not math.isfinite(multiplier):
        raise refusals.xml_error("SummedScoreMultiplier must be a finite number")
    # As a decimal fraction: 0.1 times 5 is a half, whatever binary makes of it.
    exact = fractions.Fraction(repr(multiplier))
    return lambda total: _rounded(exact * total)


def _ranges(element: etree._Element) -> _Mapping:
    ranges = [
        (
            _integer(one, "InclusiveLowerBound"),
            _integer(one, "InclusiveUpperBound"),
            _integer(one, "QualificationValue"),
        )
        for one in element.iterfind("{*}SummedScoreRange")
    ]
    outside = _integer(element, "OutOfRangeQualificationValue")

    def mapped(total: int) -> int:
        return next((value for low, high, value in ranges if low <= total <= high), outside)

    return mapped


def _rounded(number: fractions.Fraction) -> int:
    return math.floor(number + fractions.Fraction(1, 2))


def _cut(value: int) -> int:
    return max(_LEAST, min(_MOST, value))


def _integer(parent: etree._Element, name: str) -> int:
    return int((parent.findtext(f"{{*}}{name}") or "0").strip())
