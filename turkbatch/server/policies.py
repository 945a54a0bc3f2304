"""Review policies: read from requests, and worked out on answers. Pure.

ScoreMyKnownAnswers/2011-09-01 scores one assignment by answers that are known;
SimplePlurality/2011-09-01 compares all assignments of a HIT with each other.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_ReviewPoliciesArticle.html, ApiReference_HITReviewPolicyDataStructureArticle.html.
Choices where they leave room:

- Shares and scores are cut to whole percents, as in the article's example.
- Of answers given equally often, the one that was given first is the plurality.
- Everybody who is not disregarded counts for the share of an answer, also who gave none.
- Without any agreed question the agreement of every worker is 100: nobody disagreed, and
  nobody is rejected for it. The service was seen to say so, too.
- A free text in which several values are joined with a bar counts as the set of them where
  several are expected.
- QuestionIds and QuestionIDs are the same, as table and examples have them.
- DisregardAssignmentIfRejected may be left out, and is then F.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lxml import etree

from turkbatch.server import documents, refusals

KNOWN_ANSWERS: Final = "ScoreMyKnownAnswers/2011-09-01"
PLURALITY: Final = "SimplePlurality/2011-09-01"
LONGEST_ANSWER: Final = 256
"""Longer answers are ignored by SimplePlurality."""

Answers = Mapping[str, tuple[str, ...]]
"""The values of each question that was answered."""
_YEAR_SECONDS: Final = 31_536_000


@dataclasses.dataclass(frozen=True)
class Extension:
    """When a HIT is to be given one more assignment.

    Parameters
    ----------
    below : int
        If a score is less than this.
    maximum : int
        MaxAssignments is not extended beyond it.
    seconds : int
        So long the HIT must last from then on; 0 leaves its expiration alone.
    """

    below: int
    maximum: int
    seconds: int


@dataclasses.dataclass(frozen=True)
class KnownAnswers:
    """The parameters of ScoreMyKnownAnswers.

    Parameters
    ----------
    key : Mapping
        The values expected of each question.
    approve_at, reject_below : int
        101 and 0: never.
    approve_reason, reject_reason : str or None
        Feedback that goes with it.
    extension : Extension or None
        None: never.
    """

    key: Mapping[str, frozenset[str]]
    approve_at: int
    approve_reason: str | None
    reject_below: int
    reject_reason: str | None
    extension: Extension | None


@dataclasses.dataclass(frozen=True)
class Plurality:
    """The parameters of SimplePlurality.

    Parameters
    ----------
    questions : tuple of str
        Which to compare.
    threshold : int
        An answer is agreed if its share is greater.
    disregards_rejected : bool
        Whether rejected work is left out.
    disregard_below : int
        Work with a lower score of known answers is left out.
    extension : Extension or None
        None: never.
    approve_at, reject_below : int
        101 and 0: never.
    reject_reason : str or None
        Feedback that goes with it.
    """

    questions: tuple[str, ...]
    threshold: int
    disregards_rejected: bool
    disregard_below: int
    extension: Extension | None
    approve_at: int
    reject_below: int
    reject_reason: str | None


@dataclasses.dataclass(frozen=True)
class Agreement:
    """What SimplePlurality found.

    Parameters
    ----------
    answers : Mapping
        Each question's plurality answer; None where nobody answered.
    shares : Mapping
        Its share, in percent.
    agreed : frozenset of str
        Questions on whose answer there is agreement.
    score : int
        Percentage of questions that are agreed.
    correct : Mapping
        How many agreed answers each assignment gave.
    """

    answers: Mapping[str, str | None]
    shares: Mapping[str, int]
    agreed: frozenset[str]
    score: int
    correct: Mapping[str, int]

    def worker_score(self, assignment_id: str) -> int:
        """Tell how far a worker agrees with the others.

        Parameters
        ----------
        assignment_id : str
            The worker's.

        Returns
        -------
        int
            Percent of the agreed questions.
        """
        return 100 * self.correct[assignment_id] // len(self.agreed) if self.agreed else 100


def parse(level: str, sent: Mapping[str, Any]) -> KnownAnswers | Plurality:
    """Read a review policy.

    Parameters
    ----------
    level : str
        Assignment or HIT.
    sent : Mapping
        AssignmentReviewPolicy or HITReviewPolicy of a request.

    Returns
    -------
    KnownAnswers or Plurality
        As the level has it.

    Raises
    ------
    Refusal
        ParameterValidationError for another policy, for parameters that it doesn't have, are
        missing, twice there, or out of bounds (texts unconfirmed).
    """
    wanted = KNOWN_ANSWERS if level == "Assignment" else PLURALITY
    if sent.get("PolicyName") != wanted:
        raise refusals.invalid_value("PolicyName", sent.get("PolicyName", ""))
    parameters = _Parameters(sent.get("Parameters", []))
    made = _known_answers(parameters) if level == "Assignment" else _plurality(parameters)
    parameters.refuse_others()
    return made


def answers_of(document: str | None) -> dict[str, tuple[str, ...]]:
    """Read the values that an answer holds.

    Parameters
    ----------
    document : str or None
        QuestionFormAnswers XML; empty for none.

    Returns
    -------
    dict
        Values by question, without outer white space; empty ones are left out.
    """
    if not document:
        return {}
    root = etree.fromstring(document.encode(), etree.XMLParser(resolve_entities=False))
    found = {}
    for answer in root.iterfind("{*}Answer"):
        values = [
            (element.text or "").strip()
            for element in answer
            if documents.local_name(element)
            in ("SelectionIdentifier", "OtherSelectionText", "FreeText")
        ]
        found[answer.findtext("{*}QuestionIdentifier") or ""] = tuple(filter(None, values))
    return found


def known(policy: KnownAnswers, answers: Answers) -> dict[str, bool]:
    """Tell which known answers a worker gave.

    Parameters
    ----------
    policy : KnownAnswers
        With the key.
    answers : Mapping
        Of one assignment.

    Returns
    -------
    dict
        Whether each known question was answered right.
    """
    return {
        question: _matches(expected, answers.get(question, ()))
        for question, expected in policy.key.items()
    }


def score(right: Mapping[str, bool]) -> int:
    """Work out the score of known answers.

    Parameters
    ----------
    right : Mapping
        From :func:`known`.

    Returns
    -------
    int
        Percent.
    """
    return 100 * sum(right.values()) // len(right)


def compare(policy: Plurality, given: Mapping[str, Answers]) -> Agreement:
    """Compare the assignments of a HIT.

    Parameters
    ----------
    policy : Plurality
        What to compare.
    given : Mapping
        Answers of each assignment that counts, in the order of submission.

    Returns
    -------
    Agreement
        The plurality answers, and who gave them.
    """
    votes = {
        question: {
            name: vote for name, answers in given.items() if (vote := _vote(answers, question))
        }
        for question in policy.questions
    }
    plurality = {question: _most_frequent(votes[question]) for question in policy.questions}
    counts = {
        question: sum(vote == plurality[question] for vote in votes[question].values())
        for question in policy.questions
    }
    total = len(given)
    agreed = frozenset(
        question
        for question in policy.questions
        if counts[question] and 100 * counts[question] > policy.threshold * total
    )
    return Agreement(
        answers=plurality,
        shares={q: 100 * counts[q] // total if total else 0 for q in policy.questions},
        agreed=agreed,
        score=100 * len(agreed) // len(policy.questions),
        correct={
            name: sum(votes[question].get(name) == plurality[question] for question in agreed)
            for name in given
        },
    )


def _matches(expected: frozenset[str], values: Sequence[str]) -> bool:
    if len(values) == 1 and len(expected) > 1:
        values = values[0].split("|")
    return frozenset(value.strip() for value in values) == expected


def _vote(answers: Answers, question: str) -> str | None:
    joined = "|".join(sorted(answers.get(question, ())))
    return joined if 0 < len(joined) <= LONGEST_ANSWER else None


def _most_frequent(votes: Mapping[str, str]) -> str | None:
    counted = collections.Counter(votes.values()).most_common(1)
    return counted[0][0] if counted else None


class _Parameters:
    """A policy's parameters, each to be asked for once."""

    def __init__(self, sent: Sequence[Mapping[str, Any]]) -> None:
        self._left: dict[str, Mapping[str, Any]] = {}
        for one in sent:
            key = one.get("Key", "")
            if key in self._left:
                raise refusals.invalid_value("PolicyParameter", key)
            self._left[key] = one

    def refuse_others(self) -> None:
        for key in self._left:
            raise refusals.invalid_value("PolicyParameter", key)

    def map(self, key: str) -> dict[str, frozenset[str]]:
        entries = self._take(key).get("MapEntries", [])
        found: dict[str, frozenset[str]] = {}
        for entry in entries:
            name, values = entry.get("Key", ""), entry.get("Values", [])
            if not 1 <= len(name.encode()) <= 255 or name in found or not values:
                raise refusals.invalid_value(key, name)
            found[name] = frozenset(value.strip() for value in values)
        if not found:
            raise refusals.missing_parameters(key)
        return found

    def values(self, *keys: str) -> list[str]:
        key = next((key for key in keys if key in self._left), keys[0])
        values: list[str] = self._take(key).get("Values", [])
        if not values:
            raise refusals.missing_parameters(key)
        return values

    def text(self, key: str) -> str | None:
        return self.values(key)[0] if key in self._left else None

    def flag(self, key: str) -> bool:
        value = self.text(key)
        if value not in (None, "T", "F", "true", "false"):
            raise refusals.invalid_value(key, value)
        return value in ("T", "true")

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        if key not in self._left and default is not None:
            return default
        value = self.values(key)[0].strip()
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            raise refusals.invalid_value(key, value)
        if not low <= int(value) <= high:
            raise refusals.invalid_value(key, value)
        return int(value)

    def has(self, key: str) -> bool:
        return key in self._left

    def _take(self, key: str) -> Mapping[str, Any]:
        if key not in self._left:
            raise refusals.missing_parameters(key)
        return self._left.pop(key)


def _known_answers(parameters: _Parameters) -> KnownAnswers:
    return KnownAnswers(
        key=parameters.map("AnswerKey"),
        approve_at=parameters.number("ApproveIfKnownAnswerScoreIsAtLeast", 0, 101, 101),
        approve_reason=parameters.text("ApproveReason"),
        reject_below=parameters.number("RejectIfKnownAnswerScoreIsLessThan", 0, 101, 0),
        reject_reason=parameters.text("RejectReason"),
        extension=_extension(
            parameters, "ExtendIfKnownAnswerScoreIsLessThan", 101, maximum=5, seconds=0
        ),
    )


def _plurality(parameters: _Parameters) -> Plurality:
    questions = tuple(dict.fromkeys(parameters.values("QuestionIds", "QuestionIDs")))
    if len(questions) > 15:
        raise refusals.invalid_value("QuestionIds", f"{len(questions)} questions")
    return Plurality(
        questions=questions,
        threshold=parameters.number("QuestionAgreementThreshold", 0, 100),
        disregards_rejected=parameters.flag("DisregardAssignmentIfRejected"),
        disregard_below=parameters.number(
            "DisregardAssignmentIfKnownAnswerScoreIsLessThan", 0, 100, 0
        ),
        extension=_extension(parameters, "ExtendIfHITAgreementScoreIsLessThan", 100),
        approve_at=parameters.number("ApproveIfWorkerAgreementScoreIsAtLeast", 0, 100, 101),
        reject_below=parameters.number("RejectIfWorkerAgreementScoreIsLessThan", 0, 100, 0),
        reject_reason=parameters.text("RejectReason"),
    )


def _extension(
    parameters: _Parameters,
    condition: str,
    high: int,
    *,
    maximum: int | None = None,
    seconds: int | None = None,
) -> Extension | None:
    if not parameters.has(condition):
        parameters.number("ExtendMaximumAssignments", 2, 25, 5)
        parameters.number("ExtendMinimumTimeInSeconds", 0, _YEAR_SECONDS, 0)
        return None
    return Extension(
        below=parameters.number(condition, 0, high),
        maximum=parameters.number("ExtendMaximumAssignments", 2, 25, maximum),
        seconds=parameters.number("ExtendMinimumTimeInSeconds", 0, _YEAR_SECONDS, seconds),
    )
