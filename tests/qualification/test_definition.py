from __future__ import annotations

import pytest

from tests.qualification.conftest import Define, form, key, keyed, question
from turkbatch import actions, errors

TEST = form(question("q1"))


def test_a_definition_becomes_the_parameters_of_the_request(define: Define) -> None:
    path = define(test=TEST, answer_key=key(keyed("q1", a=1)))
    checked = actions.check_qualification_type(path)
    assert checked.parameters == {
        "Name": "Colours",
        "Description": "Knows colours.",
        "QualificationTypeStatus": "Active",
        "TestDurationInSeconds": 600,
        "Test": TEST,
        "AnswerKey": key(keyed("q1", a=1)),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"TestDurationInSeconds": None}, "no TestDurationInSeconds", id="duration"),
        pytest.param({"AutoGranted": True}, "AutoGranted is true, and there is a", id="granted"),
        pytest.param({"TestDurationInSeconds": "60"}, "a whole number is expected", id="type"),
        pytest.param({"QualificationTypeStatus": "On"}, "one of Active, Inactive", id="status"),
        pytest.param({"Tset": 1}, "Tset: unknown", id="unknown"),
        pytest.param({"Test": "<x/>"}, "Test: unknown; write it to test.xml", id="test inline"),
        pytest.param({"RetryDelayInSeconds": -1}, "RetryDelayInSeconds: negative", id="delay"),
        pytest.param({"Name": " "}, "Name: empty", id="name"),
    ],
)
def test_what_mturk_refuses_is_found_before(
    define: Define, changes: dict[str, object], message: str
) -> None:
    path = define(test=TEST, **changes)
    with pytest.raises(errors.DefinitionError, match=message):
        actions.check_qualification_type(path)


def test_a_test_is_a_question_form(define: Define) -> None:
    external = (
        '<ExternalQuestion xmlns="http://mechanicalturk.amazonaws.com/'
        'AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd"><ExternalURL>'
        "https://example.com</ExternalURL><FrameHeight>0</FrameHeight></ExternalQuestion>"
    )
    path = define(test=external)
    with pytest.raises(errors.DefinitionError, match="is an ExternalQuestion; write a Question"):
        actions.check_qualification_type(path)


def test_a_key_without_a_test_is_refused(define: Define) -> None:
    path = define(answer_key=key(keyed("q1", a=1)))
    with pytest.raises(errors.DefinitionError, match="there is an answer key and no test"):
        actions.check_qualification_type(path)


def test_faults_of_all_files_are_told_at_once(define: Define) -> None:
    path = define(test=TEST, answer_key=key(keyed("q2", a=1)), QualificationTypeStatus="x")
    with pytest.raises(errors.DefinitionError) as caught:
        actions.check_qualification_type(path)
    assert [one.rule for one in caught.value.findings] == ["wrong-value", "unknown-identifier"]


def test_a_template_makes_a_question_of_each_row(define: Define) -> None:
    path = define(TestDurationInSeconds=60)
    loop = "{% for row in rows %}"
    body = question("q{{ loop.index }}").replace("Which?", "{{ row.text }}")
    (path / "test.xml.j2").write_text(form(loop, body, "{% endfor %}"))
    (path / "answerkey.xml.j2").write_text(
        key(loop, keyed("q{{ loop.index }}", a=1).replace(">a<", ">{{ row.right }}<"), "{%endfor%}")
    )
    (path / "data.csv").write_text('text,right\n"Salt & pepper <here>",a\nSecond,c\n')
    checked = actions.check_qualification_type(path)
    assert "<Text>Salt &amp; pepper &lt;here&gt;</Text>" in checked.parameters["Test"]
    assert checked.scores is not None
    assert (checked.scores.questions, checked.scores.highest) == (2, 2)


def test_a_template_that_fails_names_itself(define: Define) -> None:
    path = define(TestDurationInSeconds=60)
    (path / "test.xml.j2").write_text("{{ row.text }}")
    with pytest.raises(errors.DefinitionError, match=r"test\.xml\.j2: fails: .*row"):
        actions.check_qualification_type(path)


def test_a_file_that_is_there_twice_is_refused(define: Define) -> None:
    path = define(test=TEST)
    (path / "test.xml.j2").write_text(TEST)
    with pytest.raises(errors.DefinitionError, match=r"holds test\.xml and test\.xml\.j2"):
        actions.check_qualification_type(path)


def test_answers_are_graded_offline(define: Define) -> None:
    path = define(
        test=form(question("q1"), question("q2")),
        answer_key=key(keyed("q1", a=1, b=-1), keyed("q2", default=2, c=3)),
    )
    (path.parent / "answers.csv").write_text("WorkerId,q1,q2\nA1,a,c\nA2,b,a\n")
    grades = actions.grade_test(path, path.parent / "answers.csv")
    assert [(one.who, one.value, dict(one.by_question)) for one in grades] == [
        ("A1", 4, {"q1": 1, "q2": 3}),
        ("A2", 1, {"q1": -1, "q2": 2}),
    ]
    (path.parent / "answers.csv").write_text("WorkerId,q1\nA1,x\n")
    with pytest.raises(errors.AnswerError, match='question "q1" has no selection "x"'):
        actions.grade_test(path, path.parent / "answers.csv")
