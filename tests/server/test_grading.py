from __future__ import annotations

import re
from pathlib import Path

import pytest

from turkbatch.server import documents, grading, refusals

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "questionforms"

FORM = """<QuestionForm xmlns="{base}2017-11-06/QuestionForm.xsd">{questions}</QuestionForm>"""
QUESTION = """<Question><QuestionIdentifier>{name}</QuestionIdentifier>
<QuestionContent><Text>{name}?</Text></QuestionContent><AnswerSpecification>{answer}
</AnswerSpecification></Question>"""
SELECTION = """<SelectionAnswer><MaxSelectionCount>3</MaxSelectionCount><Selections>
<Selection><SelectionIdentifier>a</SelectionIdentifier><Text>A</Text></Selection>
<Selection><SelectionIdentifier>b</SelectionIdentifier><Text>B</Text></Selection>
<Selection><SelectionIdentifier>c</SelectionIdentifier><Text>C</Text></Selection>
{other}</Selections></SelectionAnswer>"""
KEY = """<AnswerKey xmlns="{base}2005-10-01/AnswerKey.xsd">
<Question><QuestionIdentifier>q1</QuestionIdentifier>
<AnswerOption><SelectionIdentifier>a</SelectionIdentifier><AnswerScore>10</AnswerScore>
</AnswerOption>
<AnswerOption><SelectionIdentifier>b</SelectionIdentifier>
<SelectionIdentifier>c</SelectionIdentifier><AnswerScore>5</AnswerScore></AnswerOption>
<DefaultScore>-1</DefaultScore></Question>
<Question><QuestionIdentifier>q2</QuestionIdentifier>
<AnswerOption><SelectionIdentifier>a</SelectionIdentifier><AnswerScore>3</AnswerScore>
</AnswerOption></Question>{mapping}</AnswerKey>"""
SCALE = "<ScaleMapping><SummedScoreMultiplier>{}</SummedScoreMultiplier></ScaleMapping>"
PERCENTAGE = "<PercentageMapping><MaximumSummedScore>{}</MaximumSummedScore></PercentageMapping>"
RANGE = """<RangeMapping><SummedScoreRange><InclusiveLowerBound>0</InclusiveLowerBound>
<InclusiveUpperBound>5</InclusiveUpperBound><QualificationValue>1</QualificationValue>
</SummedScoreRange><SummedScoreRange><InclusiveLowerBound>5</InclusiveLowerBound>
<InclusiveUpperBound>13</InclusiveUpperBound><QualificationValue>2</QualificationValue>
</SummedScoreRange><OutOfRangeQualificationValue>-7</OutOfRangeQualificationValue></RangeMapping>"""


def form(*answers: str) -> str:
    asked = [QUESTION.format(name=f"q{n}", answer=a) for n, a in enumerate(answers, start=1)]
    return FORM.format(base=documents.SCHEMAS, questions="".join(asked))


def key(mapping: str = "") -> str:
    inside = f"<QualificationValueMapping>{mapping}</QualificationValueMapping>" if mapping else ""
    return KEY.format(base=documents.SCHEMAS, mapping=inside)


TEST = form(SELECTION.format(other=""), SELECTION.format(other=""))


@pytest.mark.parametrize(
    ("chosen", "total"),
    [
        pytest.param({"q1": ["a"], "q2": ["a"]}, 13, id="all right"),
        pytest.param({"q1": ["c", "b"]}, 5, id="a set in any order"),
        pytest.param({"q1": ["b"]}, -1, id="part of a set is the default"),
        pytest.param({"q1": ["a", "b"], "q2": ["a", "b"]}, -1, id="more than an option"),
        pytest.param({}, -1, id="nothing"),
    ],
)
def test_answers_are_scored_by_exact_sets(chosen: dict[str, list[str]], total: int) -> None:
    graded = grading.grade(grading.check_key(key(), grading.check_test(TEST)), chosen)

    assert (graded.total, graded.value) == (total, total)


@pytest.mark.parametrize(
    ("mapping", "chosen", "value"),
    [
        pytest.param(PERCENTAGE.format(13), {"q1": ["a"]}, 77, id="10 of 13 are 76.9 percent"),
        pytest.param(PERCENTAGE.format(8), {"q1": ["b", "c"]}, 63, id="62.5 percent round up"),
        pytest.param(SCALE.format("0.1"), {"q1": ["b", "c"]}, 1, id="a half rounds up"),
        pytest.param(SCALE.format("-0.5"), {"q1": ["b", "c"]}, -2, id="also below zero"),
        pytest.param(SCALE.format("1E9"), {"q1": ["a"]}, 2**31 - 1, id="32 bits hold it"),
        pytest.param(RANGE, {"q1": ["b", "c"]}, 1, id="the first of two ranges"),
        pytest.param(RANGE, {"q1": ["a"], "q2": ["a"]}, 2, id="the upper bound is inside"),
        pytest.param(RANGE, {}, -7, id="no range"),
    ],
)
def test_sums_are_mapped_to_values(mapping: str, chosen: dict[str, list[str]], value: int) -> None:
    assert grading.grade(grading.read_key(key(mapping)), chosen).value == value


def test_the_highest_score_is_known() -> None:
    assert grading.read_key(key()).highest_score == 13


@pytest.mark.parametrize(
    ("test", "answer_key", "found"),
    [
        pytest.param(
            form(SELECTION.format(other="")), key(), "'q2' is not in the Test", id="no question"
        ),
        pytest.param(
            TEST.replace(">c<", ">d<"), key(), "'c' is not among those", id="no selection"
        ),
        pytest.param(
            form(SELECTION.format(other=""), "<FreeTextAnswer/>"),
            key(),
            "'q2' of the Test asks",
            id="free text can't be graded",
        ),
        pytest.param(
            form(SELECTION.format(other=""), SELECTION.format(other="<OtherSelection/>")),
            key(),
            "'q2' of the Test asks for more than a selection",
            id="nor a text beside options",
        ),
        pytest.param(TEST, key(PERCENTAGE.format(0)), "greater than 0", id="a share of nothing"),
        pytest.param(TEST, key(SCALE.format("INF")), "finite", id="an endless scale"),
        pytest.param(TEST, TEST, "is no AnswerKey", id="no key"),
        pytest.param(TEST, key("<Scale/>"), "'Scale': This element is not expected", id="schema"),
        pytest.param(
            f'<HTMLQuestion xmlns="{documents.SCHEMAS}2011-11-11/HTMLQuestion.xsd"/>',
            key(),
            "is no QuestionForm",
            id="a page is no test",
        ),
        pytest.param(TEST.replace(">c<", ">b<"), key(), "stands twice", id="two of one name"),
        pytest.param(TEST.replace(">3<", ">4<"), key(), "number of selections", id="too many"),
    ],
)
def test_what_does_not_fit_is_refused(test: str, answer_key: str, found: str) -> None:
    with pytest.raises(refusals.Refusal, match=re.escape(found)):
        grading.check_key(answer_key, grading.check_test(test))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("a <b>c</b>", None, id="allowed"),
        pytest.param("<div>c</div>", "'div' is not in the XHTML subset", id="element"),
        pytest.param('<p onclick="x">c</p>', "'onclick' is not allowed", id="event handler"),
        pytest.param("<p>", "well-formed", id="not closed"),
        pytest.param("&nbsp;", "well-formed", id="entity"),
    ],
)
def test_formatted_content_is_checked(content: str, found: str | None) -> None:
    text = f"<Overview><FormattedContent><![CDATA[{content}]]></FormattedContent></Overview>"
    test = TEST.replace("<Question>", f"{text}<Question>", 1)
    if found is None:
        assert len(grading.check_test(test)) == 2
    else:
        with pytest.raises(refusals.Refusal, match=found):
            grading.check_test(test)


def test_answers_are_read_from_their_document() -> None:
    answer = (
        f'<QuestionFormAnswers xmlns="{documents.SCHEMAS}2005-10-01/QuestionFormAnswers.xsd">'
        "<Answer><QuestionIdentifier>q1</QuestionIdentifier>"
        "<SelectionIdentifier>b</SelectionIdentifier><SelectionIdentifier>c</SelectionIdentifier>"
        "</Answer></QuestionFormAnswers>"
    )
    assert grading.chosen(answer) == {"q1": ["b", "c"]}
    assert grading.chosen("") == {}
    with pytest.raises(refusals.Refusal, match="is no QuestionFormAnswers"):
        grading.chosen(TEST)


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"published tests are not at {CORPUS}")
def test_published_tests_and_keys_fit() -> None:
    pairs = [
        (path, path.with_name(path.name.replace("answer_key", "questions")))
        for path in CORPUS.rglob("answer_key.xml")
    ]
    amti = CORPUS / "allenai+amti/examples/qualification-type/definition"
    pairs.append((amti / "answerkey.xml", amti / "test.xml"))
    for answer_key, test in pairs:
        asked = grading.check_test(test.read_text())
        assert grading.check_key(answer_key.read_text(), asked).highest_score == 100
