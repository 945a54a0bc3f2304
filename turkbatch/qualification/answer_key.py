"""An answer key held against its test: identifiers, and which values can be reached.

A key with a slip in an identifier is taken by MTurk without a word, and no worker can ever
get those points. Grading itself is the server's; here it is only asked what can come out.
Rules: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_AnswerKeyDataStructureArticle.html
"""

from __future__ import annotations

import dataclasses
import difflib
import fractions
import functools
import importlib.resources
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, cast

from lxml import etree

from turkbatch import errors

NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/AnswerKey.xsd"
)
SIZE_LIMIT_BYTES = 65_535
"""Of the key, and of the test, in UTF-8 (API, CreateQualificationType)."""
MOST_SUMS = 100_000
"""So many different sums of scores are followed; no real key comes near."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """What a test can come out as.

    Parameters
    ----------
    questions : int
        How many questions are graded.
    lowest, highest : int
        Values of the qualification that some set of answers leads to.
    """

    questions: int
    lowest: int
    highest: int


@dataclasses.dataclass(frozen=True)
class Checked:
    """What was found about a key.

    Parameters
    ----------
    findings : tuple of Finding
        Errors and warnings.
    scores : Scores or None
        None where there is an error.
    """

    findings: tuple[errors.Finding, ...]
    scores: Scores | None


@dataclasses.dataclass(frozen=True)
class _Question:
    """A question of the test, as far as a key can speak of it."""

    identifier: str
    selections: tuple[str, ...]
    least: int
    most: int
    required: bool
    gradable: bool


@dataclasses.dataclass(frozen=True)
class _Graded:
    """A question of the key: the score of each set of selections, and of all others."""

    identifier: str
    options: Mapping[frozenset[str], int]
    default: int
    line: int | None


class _LogEntry(Protocol):
    """An entry of lxml's error log, which its type stubs leave out."""

    message: str
    line: int


def check(key: str, test: str, *, key_file: str, test_file: str) -> Checked:
    """Check an answer key, and compute what scores its test can give.

    Parameters
    ----------
    key : str
        The AnswerKey document.
    test : str
        The QuestionForm document; it is known to be valid.
    key_file, test_file : str
        What to call them.

    Returns
    -------
    Checked
    """
    size = len(key.encode())
    if size > SIZE_LIMIT_BYTES:
        found = f"has {size:,} bytes"
        fix = f"MTurk takes at most {SIZE_LIMIT_BYTES:,}: shorten it"
        return Checked((errors.Finding("answer-key-too-large", key_file, found, fix),), None)
    try:
        root = _parsed(key)
    except etree.XMLSyntaxError as error:
        line = error.position[0] or 1
        message = re.sub(r", line \d+, column \d+.*$", "", error.msg or "empty", flags=re.DOTALL)
        found = f"not well-formed XML: {message}"
        return Checked(
            (errors.Finding("ill-formed-xml", key_file, found, "mend it", line=line),), None
        )
    structure = tuple(_structure(root, key_file))
    if structure:
        return Checked(structure, None)
    questions = {one.identifier: one for one in _questions(_parsed(test))}
    graded = [_graded(one) for one in root.iterfind("{*}Question")]
    findings = [
        *_identifiers(graded, questions, key_file, test_file),
        *_ungradable(questions.values(), key_file, test_file),
        *_numbers(root, key_file),
    ]
    if findings:
        return Checked(tuple(findings), None)
    sums = _sums(graded, questions)
    values = [_value(root, one) for one in sums]
    scores = Scores(len(graded), min(values), max(values))
    warnings = [
        *_left_out(graded, questions, key_file),
        *_mapping(root, max(sums), key_file),
        *_worthless(scores, key_file),
    ]
    return Checked(tuple(warnings), scores)


def _parsed(xml: str) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True
    )
    return etree.fromstring(xml.encode(), parser)


@functools.cache
def _schema() -> etree.XMLSchema:
    path = importlib.resources.files("turkbatch") / "schemas" / "AnswerKey-2005-10-01.xsd"
    return etree.XMLSchema(file=str(path))


def _structure(root: etree._Element, file: str) -> Iterator[errors.Finding]:
    name = etree.QName(root)
    if name.localname != "AnswerKey" or name.namespace != NAMESPACE:
        yield errors.Finding(
            "wrong-root",
            file,
            f"the outermost element is <{name.localname}> in {name.namespace or 'no namespace'}",
            f'write <AnswerKey xmlns="{NAMESPACE}">',
        )
        return
    if root.getroottree().docinfo.internalDTD is not None:
        yield errors.Finding(
            "doctype-in-answer-key", file, "has a document type declaration", "remove it"
        )
        return
    schema = _schema()
    if not schema.validate(root):
        for entry in cast("Iterable[_LogEntry]", schema.error_log):
            message = re.sub(r"\{http[^}]*\}", "", entry.message).rstrip(".")
            yield errors.Finding(
                "wrong-structure",
                file,
                message,
                "follow the API reference's article AnswerKey",
                line=entry.line or None,
            )


def _text(element: etree._Element, path: str, default: str = "") -> str:
    found: str = element.findtext(path) or default
    return found.strip()


def _questions(test: etree._Element) -> Iterator[_Question]:
    for one in test.iter("{*}Question"):
        answer = one.find("{*}AnswerSpecification/{*}SelectionAnswer")
        selections = (
            ()
            if answer is None
            else tuple(
                element.text or ""
                for element in answer.iterfind("{*}Selections/{*}Selection/{*}SelectionIdentifier")
            )
        )
        other = answer is not None and answer.find("{*}Selections/{*}OtherSelection") is not None
        yield _Question(
            one.findtext("{*}QuestionIdentifier") or "",
            selections,
            1 if answer is None else int(_text(answer, "{*}MinSelectionCount", "1")),
            1 if answer is None else int(_text(answer, "{*}MaxSelectionCount", "1")),
            _text(one, "{*}IsRequired", "false") in {"true", "1"},
            answer is not None and not other,
        )


def _graded(question: etree._Element) -> _Graded:
    options = {
        frozenset(element.text or "" for element in option.iterfind("{*}SelectionIdentifier")): int(
            _text(option, "{*}AnswerScore")
        )
        for option in question.iterfind("{*}AnswerOption")
    }
    return _Graded(
        question.findtext("{*}QuestionIdentifier") or "",
        options,
        int(_text(question, "{*}DefaultScore", "0")),
        cast("int | None", question.sourceline),
    )


def _identifiers(
    graded: Iterable[_Graded], questions: Mapping[str, _Question], file: str, test_file: str
) -> Iterator[errors.Finding]:
    """Name every identifier of the key that the test does not have."""
    for one in graded:
        question = questions.get(one.identifier)
        if question is None:
            yield _unknown(
                f'grades the question "{one.identifier}", which {test_file} does not have',
                one.identifier,
                questions,
                file,
                one.line,
            )
            continue
        if not question.gradable:
            continue
        for selections in one.options:
            for name in sorted(selections.difference(question.selections)):
                yield _unknown(
                    f'question "{one.identifier}" has no selection "{name}"',
                    name,
                    question.selections,
                    file,
                    one.line,
                )
            if selections <= set(question.selections) and not _possible(selections, question):
                yield errors.Finding(
                    "impossible-answer",
                    file,
                    f'question "{one.identifier}" takes {question.least} to {question.most}'
                    f" selections, and an AnswerOption has {len(selections)}",
                    "mend the AnswerOption, or MaxSelectionCount in the test",
                    line=one.line,
                )


def _unknown(
    found: str, name: str, known: Iterable[str], file: str, line: int | None
) -> errors.Finding:
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    fix = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(names)}"
    return errors.Finding(
        "unknown-identifier",
        file,
        found,
        fix,
        line=line,
        why="nobody could ever get these points",
    )


def _ungradable(
    questions: Iterable[_Question], file: str, test_file: str
) -> Iterator[errors.Finding]:
    for one in questions:
        if not one.gradable:
            yield errors.Finding(
                "not-gradable",
                file,
                f'question "{one.identifier}" of {test_file} takes free text, a file or another'
                " selection",
                "make it a plain SelectionAnswer, or remove the key and grant requests by hand"
                " (review-qualificationrequests)",
                why="MTurk grades tests of selections alone",
            )


def _possible(selections: frozenset[str], question: _Question) -> bool:
    return question.least <= len(selections) <= question.most


def _left_out(
    graded: Iterable[_Graded], questions: Mapping[str, _Question], file: str
) -> Iterator[errors.Finding]:
    known = {one.identifier for one in graded}
    for name in questions:
        if name not in known:
            yield errors.Finding(
                "not-graded",
                file,
                f'does not grade the question "{name}"',
                "add it to the key, unless it is meant to count for nothing",
                severity="warning",
            )


def _sums(graded: Iterable[_Graded], questions: Mapping[str, _Question]) -> set[int]:
    """Give every sum of scores that some set of answers leads to."""
    sums = {0}
    for one in graded:
        question = questions[one.identifier]
        scores = set(one.options.values())
        if _other_answers(one, question):
            scores.add(one.default)
        sums = {total + score for total in sums for score in scores}
        if len(sums) > MOST_SUMS:
            sums = {min(sums), max(sums)}
    return sums


def _other_answers(graded: _Graded, question: _Question) -> bool:
    """Whether a worker can answer, or leave out, what no option speaks of."""
    if not question.required or question.least == 0:
        return True
    count = len(question.selections)
    sizes = range(question.least, min(question.most, count) + 1)
    return sum(math.comb(count, size) for size in sizes) > len(graded.options)


def _value(root: etree._Element, total: int) -> int:
    """Turn a sum of scores into the qualification's value."""
    percentage = root.findtext("{*}QualificationValueMapping//{*}MaximumSummedScore")
    if percentage is not None:
        return _rounded(fractions.Fraction(100 * total, int(percentage)))
    scale = root.findtext("{*}QualificationValueMapping//{*}SummedScoreMultiplier")
    if scale is not None:
        # As a decimal fraction: 0.1 times 5 is a half, whatever binary makes of it.
        return _rounded(total * fractions.Fraction(repr(float(scale))))
    outside = root.findtext("{*}QualificationValueMapping//{*}OutOfRangeQualificationValue")
    if outside is None:
        return total
    for one in root.iterfind("{*}QualificationValueMapping//{*}SummedScoreRange"):
        low, high = (int(_text(one, f"{{*}}Inclusive{side}Bound")) for side in ("Lower", "Upper"))
        if low <= total <= high:
            return int(_text(one, "{*}QualificationValue"))
    return int(outside)


def _rounded(number: fractions.Fraction) -> int:
    """Round halves up; how MTurk rounds them is not documented."""
    return math.floor(number + fractions.Fraction(1, 2))


def _numbers(root: etree._Element, file: str) -> Iterator[errors.Finding]:
    """Find numbers of the mapping that nothing can be computed with."""
    percentage = root.findtext("{*}QualificationValueMapping//{*}MaximumSummedScore")
    scale = root.findtext("{*}QualificationValueMapping//{*}SummedScoreMultiplier")
    if percentage is not None and int(percentage) <= 0:
        found = f"MaximumSummedScore is {int(percentage)}"
        yield errors.Finding("wrong-value", file, found, "it must be above 0")
    if scale is not None and not math.isfinite(float(scale)):
        found = f"SummedScoreMultiplier is {scale.strip()}"
        yield errors.Finding("wrong-value", file, found, "it must be a number such as 0.5")


def _mapping(root: etree._Element, highest: int, file: str) -> Iterator[errors.Finding]:
    percentage = root.findtext("{*}QualificationValueMapping//{*}MaximumSummedScore")
    if percentage is not None and int(percentage) != highest:
        yield errors.Finding(
            "wrong-maximum",
            file,
            f"MaximumSummedScore is {int(percentage)}, and the best answers add up to {highest}",
            f"write {highest}, so that they give 100",
            severity="warning",
        )
    ranges = sorted(
        (int(_text(one, "{*}InclusiveLowerBound")), int(_text(one, "{*}InclusiveUpperBound")))
        for one in root.iterfind("{*}QualificationValueMapping//{*}SummedScoreRange")
    )
    for (low, high), (after, _) in itertools.pairwise(ranges):
        if after <= high:
            yield errors.Finding(
                "overlapping-ranges",
                file,
                f"the range from {after} begins inside the one from {low} to {high}",
                "let each sum belong to one range",
                why="MTurk does not say which of the two holds",
                severity="warning",
            )


def _worthless(scores: Scores, file: str) -> Iterator[errors.Finding]:
    if scores.lowest == scores.highest:
        yield errors.Finding(
            "one-score",
            file,
            f"every set of answers gives {scores.highest}",
            "give right answers a score above the others",
            severity="warning",
        )
