from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.qualification.conftest import form, key, keyed, question
from turkbatch.qualification import answer_key

CORPUS = ROOT.parent / "shared" / "corpus" / "questionforms"
TWO = form(question("q1"), question("q2"))


def _check(key_xml: str, test: str = TWO) -> answer_key.Checked:
    return answer_key.check(key_xml, test, key_file="answerkey.xml", test_file="test.xml")


def _rules(checked: answer_key.Checked) -> list[tuple[str, str]]:
    return [(one.severity, one.rule) for one in checked.findings]


def test_scores_are_those_that_answers_lead_to() -> None:
    checked = _check(key(keyed("q1", a=-1, b=2), keyed("q2", default=1, c=5)))
    assert checked == answer_key.Checked((), answer_key.Scores(2, 0, 7))


def test_a_default_counts_only_where_an_answer_is_left_for_it() -> None:
    every = keyed("q1", default=99, a=1, b=2, c=3)
    assert _check(key(every, keyed("q2", a=1))).scores == answer_key.Scores(2, 1, 4)


@pytest.mark.parametrize(
    ("mapping", "scores"),
    [
        pytest.param(
            "<PercentageMapping><MaximumSummedScore>8</MaximumSummedScore></PercentageMapping>",
            answer_key.Scores(2, 0, 100),
            id="percentage",
        ),
        pytest.param(
            "<ScaleMapping><SummedScoreMultiplier>0.5</SummedScoreMultiplier></ScaleMapping>",
            answer_key.Scores(2, 0, 4),
            id="scale",
        ),
        pytest.param(
            "<RangeMapping><SummedScoreRange><InclusiveLowerBound>5</InclusiveLowerBound>"
            "<InclusiveUpperBound>7</InclusiveUpperBound><QualificationValue>9"
            "</QualificationValue></SummedScoreRange><OutOfRangeQualificationValue>-1"
            "</OutOfRangeQualificationValue></RangeMapping>",
            answer_key.Scores(2, -1, 9),
            id="a range that is not the highest sum",
        ),
    ],
)
def test_a_mapping_turns_sums_into_scores(mapping: str, scores: answer_key.Scores) -> None:
    whole = f"<QualificationValueMapping>{mapping}</QualificationValueMapping>"
    assert _check(key(keyed("q1", a=3), keyed("q2", b=5), whole)).scores == scores


@pytest.mark.parametrize(
    ("key_xml", "test", "rule"),
    [
        pytest.param(key(keyed("q3", a=1)), TWO, "unknown-identifier", id="question"),
        pytest.param(key(keyed("q1", d=1)), TWO, "unknown-identifier", id="selection"),
        pytest.param(key(keyed("q1", a_b=1)), TWO, "impossible-answer", id="two of one"),
        pytest.param(
            key(keyed("q1", a=1)),
            form(
                "<Question><QuestionIdentifier>q1</QuestionIdentifier><QuestionContent><Text>Why?"
                "</Text></QuestionContent><AnswerSpecification><FreeTextAnswer/>"
                "</AnswerSpecification></Question>"
            ),
            "not-gradable",
            id="free text",
        ),
        pytest.param("<AnswerKey>", TWO, "ill-formed-xml", id="ill-formed"),
        pytest.param("<AnswerKey/>", TWO, "wrong-root", id="no namespace"),
        pytest.param(key("<Question/>"), TWO, "wrong-structure", id="schema"),
    ],
)
def test_a_key_that_does_not_fit_its_test_is_an_error(key_xml: str, test: str, rule: str) -> None:
    checked = _check(key_xml, test)
    assert {("error", rule)} == set(_rules(checked))
    assert checked.scores is None


def test_several_selections_can_be_scored_together() -> None:
    test = form(question("q1", extra="<MaxSelectionCount>2</MaxSelectionCount>"))
    assert _check(key(keyed("q1", a_b=4, a=1)), test).scores == answer_key.Scores(1, 0, 4)


def test_what_is_likely_a_slip_is_warned_of() -> None:
    mapping = (
        "<QualificationValueMapping><PercentageMapping><MaximumSummedScore>10"
        "</MaximumSummedScore></PercentageMapping></QualificationValueMapping>"
    )
    checked = _check(key(keyed("q1", a=5), mapping))
    assert _rules(checked) == [("warning", "not-graded"), ("warning", "wrong-maximum")]
    assert _rules(_check(key(keyed("q1", a=0), keyed("q2", b=0)))) == [("warning", "one-score")]


PAIRS = [
    ("SALT-NLP+multi-value/hit", "qual_questions.xml", "qual_answers.xml"),
    ("allenai+amti/examples/qualification-type/definition", "test.xml", "answerkey.xml"),
]


@pytest.mark.parametrize(("folder", "test", "answers"), PAIRS)
def test_published_keys_fit_their_tests(folder: str, test: str, answers: str) -> None:
    path: Path = CORPUS / folder
    if not path.is_dir():
        pytest.skip(f"the corpus of published tests is not at {CORPUS}")
    checked = _check((path / answers).read_text(), (path / test).read_text())
    assert [one for one in checked.findings if one.severity == "error"] == []
    assert checked.scores is not None
