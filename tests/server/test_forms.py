from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch.server import forms, questions

SEEDS = range(40)


def filled(page: str, seed: int = 1) -> list[tuple[str, str]]:
    return forms.fill(forms.read_page(page), random.Random(seed)).fields


def outputs(page: str) -> list[Any]:
    """What a crowd-form's single field holds, over many seeds."""
    found = []
    for seed in SEEDS:
        [(name, value)] = filled(f"<crowd-form>{page}</crowd-form>", seed)
        assert name == "taskAnswers"
        [answer] = json.loads(value)
        found.append(answer)
    return found


PLAIN = """<!DOCTYPE html><html><head><title>x</title></head><body>
<form action="/search"><input name="q"></form>
<form name="mturk_form" method="post">
  <input type="hidden" name="assignmentId" value="">
  <input type="hidden" name="csrf" value="abc">
  <input type="text" name="word" required><input name="off" disabled>
  <input type="radio" name="tone" value="warm"><input type="radio" name="tone" value="cold">
  <input type="checkbox" name="tags" value="1"><input type="checkbox" name="tags" value="2">
  <input type="checkbox" name="agree" required>
  <select name="size"><option value="">choose</option><option>small</option>
    <option value="L">large</option></select>
  <textarea name="why" required></textarea>
  <input type="file" name="photo">
  <fieldset disabled><input name="later"></fieldset>
  <template><input name="copy"></template><!-- <input name="comment"> -->
  <input type="reset" name="reset"><button name="go" value="1">Send</button>
  <input type="submit" name="other" value="2">
</form></body></html>"""


def test_a_plain_form_posts_what_a_browser_would() -> None:
    names, tones, sizes, tags = set(), set(), set(), set()
    for seed in SEEDS:
        fields = filled(PLAIN, seed)
        names |= {name for name, _ in fields}
        tones |= {value for name, value in fields if name == "tone"}
        sizes |= {value for name, value in fields if name == "size"}
        tags |= {value for name, value in fields if name == "tags"}
        fixed = [
            pair
            for pair in fields
            if pair[0] in ("assignmentId", "csrf", "agree", "photo", "go", "other")
        ]
        assert fixed == [
            ("assignmentId", ""),
            ("csrf", "abc"),
            ("agree", "on"),
            ("photo", ""),
            ("go", "1"),
        ]
        assert dict(fields)["word"]
        assert dict(fields)["why"].endswith(".")

    assert (tones, sizes, tags) == ({"warm", "cold"}, {"small", "L"}, {"1", "2"})
    assert names == {
        "assignmentId",
        "csrf",
        "word",
        "tone",
        "tags",
        "agree",
        "size",
        "why",
        "photo",
        "go",
    }


def test_a_layout_without_a_form_is_read_whole() -> None:
    page = "<input name=colour required><select name=n multiple><option>1<option>2</select>"
    fields = filled(f"<p>Name the colour</p>{page}")

    assert fields[0][0] == "colour"
    assert {name for name, _ in fields} <= {"colour", "n"}


def test_what_stands_in_a_field_already_stays() -> None:
    page = '<form><input name=a value="given"><textarea name=b>also\ngiven</textarea></form>'

    assert filled(page) == [("a", "given"), ("b", "also\ngiven")]


@pytest.mark.parametrize("page", ["", "   ", "<p>Only text</p>", "<form></form>", "\x00", "<!-- x"])
def test_a_page_without_fields_asks_nothing(page: str) -> None:
    form = forms.read_page(page)

    assert form.asks_nothing
    assert forms.fill(form, random.Random(1)).fields == []


def test_a_form_of_hidden_fields_asks_nothing() -> None:
    assert forms.read_page("<form><input type=hidden name=a value=b></form>").asks_nothing


def test_a_field_that_cannot_be_filled_is_named() -> None:
    page = '<form><input name="code" required pattern="(?=a)b"></form>'
    done = forms.fill(forms.read_page(page), random.Random(1))

    assert (done.fields, done.unfilled) == ([("code", "")], ("code",))


def test_a_crowd_form_posts_one_list_of_one_object_with_sorted_names() -> None:
    page = """<crowd-input name="word" required></crowd-input>
      <crowd-text-area name="about" required/>
      <crowd-checkbox name="sure" required>Sure</crowd-checkbox>
      <crowd-checkbox name="area" value="north">N</crowd-checkbox>
      <crowd-checkbox name="area" value="south">S</crowd-checkbox>
      <crowd-toggle-button name="on" value="lit"></crowd-toggle-button>
      <crowd-slider name="rate" min="1" max="5"></crowd-slider>
      <select name="size"><option>S<option>M</select>
      <input type="hidden" name="assignmentId" value="x">"""
    for answer in outputs(page):
        assert list(answer) == ["about", "area", "on", "rate", "size", "sure", "word"]
        assert answer["sure"] == {"on": True}
        assert list(answer["area"]) == ["north", "south"]
        assert set(map(type, answer["area"].values())) == {bool}
        assert list(answer["on"]) == ["lit"]
        assert 1 <= answer["rate"] <= 5
        assert answer["size"] in ("S", "M")


def test_an_empty_crowd_input_is_left_out() -> None:
    found = outputs('<crowd-input name="word"></crowd-input>')

    assert {} in found
    assert all(answer == {} or answer["word"] for answer in found)


@pytest.mark.parametrize(
    "page",
    [
        """<crowd-radio-group><crowd-radio-button name="tech" value="tech">T</crowd-radio-button>
           <crowd-radio-button name="art" value="art">A</crowd-radio-button></crowd-radio-group>""",
        """<crowd-radio-group><crowd-radio-button name="tech" value="tech">T
           <crowd-radio-button name="art" value="art">A</crowd-radio-group>""",
        """<crowd-radio-group><crowd-radio-button name="tech" value="tech"/>
           <crowd-radio-button name="art" value="art"/></crowd-radio-group>""",
    ],
    ids=["closed", "left open", "closed by a slash"],
)
def test_radio_buttons_of_a_group_exclude_each_other(page: str) -> None:
    found = outputs(page)

    assert {json.dumps(answer, sort_keys=True) for answer in found} == {
        '{"art": {"art": false}, "tech": {"tech": true}}',
        '{"art": {"art": true}, "tech": {"tech": false}}',
    }


def test_plain_radio_buttons_in_a_crowd_form_are_a_leaf_for_each_option() -> None:
    radios = "".join(f'<input type="radio" name="o" value="{v}" required>' for v in ("Yes", "No"))

    assert {json.dumps(answer["o"]) for answer in outputs(radios)} == {
        '{"Yes": true, "No": false}',
        '{"Yes": false, "No": true}',
    }


@pytest.mark.parametrize(
    "written",
    [
        '["red", "it\'s green"]',
        "['red', 'it\\'s green']",
        "['red',\n   \"it's green\",]",
        "[{'label': 'red'}, {'label': \"it's green\"}]",
        "red, it's green",
    ],
)
def test_categories_are_read_as_people_write_them(written: str) -> None:
    assert forms.choices_in(written) == ["red", "it's green"]


@pytest.mark.parametrize(
    ("element", "key"),
    [
        ("crowd-classifier", "label"),
        ("crowd-image-classifier", "label"),
        ("crowd-classifier-multi-select", "labels"),
        ("crowd-image-classifier-multi-select", "labels"),
        ("crowd-bounding-box", "boundingBoxes"),
        ("crowd-polygon", "polygons"),
        ("crowd-polyline", "polylines"),
        ("crowd-line", "lines"),
        ("crowd-keypoint", "keypoints"),
        ("crowd-semantic-segmentation", "labelMappings"),
        ("crowd-instance-segmentation", "instances"),
        ("crowd-entity-annotation", "entities"),
    ],
)
def test_widgets_use_the_labels_that_they_offer(element: str, key: str) -> None:
    attributes = "categories" if "classifier" in element else "labels"
    page = f"""<{element} name="w" {attributes}="['cat', 'dog']" text="Tom and Rex"></{element}>"""
    used = set()
    for answer in outputs(page):
        assert key in answer["w"]
        used |= set(re.findall("cat|dog", json.dumps(answer)))

    assert used == {"cat", "dog"}


def test_entities_are_words_of_the_text() -> None:
    text = "Tom and Rex, running"
    page = f"""<crowd-entity-annotation name="e" text="{text}" labels="['x']">"""
    words = set()
    for seed in SEEDS:
        [(_, value)] = filled(page, seed)  # it brings its own crowd-form
        for entity in json.loads(value)[0]["e"]["entities"]:
            words.add(text[entity["startOffset"] : entity["endOffset"]])

    assert words == {"Tom", "and", "Rex", "running"}


def test_an_exclusive_category_stands_alone() -> None:
    page = """<crowd-classifier-multi-select name="w" categories="['a', 'b']"
      exclusion-category="{ text: 'None of these' }"></crowd-classifier-multi-select>"""
    found = [answer["w"]["labels"] for answer in outputs(page)]

    assert ["None of these"] in found
    assert all(one == ["None of these"] or set(one) <= {"a", "b"} for one in found)


def test_flattened_answers_have_a_field_for_each_leaf() -> None:
    page = """<crowd-form answer-format="flatten-objects">
      <crowd-classifier name="kind" categories="['one']"></crowd-classifier>
      <crowd-bounding-box name="boxes" labels="['cat']"></crowd-bounding-box>
      <crowd-checkbox name="ok" required></crowd-checkbox></crowd-form>"""
    fields = dict(filled(page))
    boxes = json.loads(fields.pop("boxes.boundingBoxes"))

    assert {box["label"] for box in boxes} == {"cat"}
    assert fields == {
        "boxes.inputImageProperties.height": "480",
        "boxes.inputImageProperties.width": "640",
        "kind.label": "one",
        "ok.on": "true",
    }


def test_a_widget_without_labels_is_named() -> None:
    page = '<crowd-form><crowd-classifier name="w"></crowd-classifier></crowd-form>'
    done = forms.fill(forms.read_page(page), random.Random(1))

    assert (done.fields, done.unfilled) == ([("taskAnswers", "[{}]")], ("w",))


def test_a_real_layout_with_elements_left_open_is_read() -> None:
    """As a published tutorial has it: single quotes, and the classifier never closed."""
    page = """<crowd-form answer-format="flatten-objects"><!-- a "comment" -->
     <crowd-classifier header="Choose" name="divergent"
      categories="['completely unrelated',
                   'mostly the same meaning, except for some details']">
    <classification-target><p><img src="x.png"></p></classification-target>
    <full-instructions header="Guidelines">Rate <strong>1</strong><br></full-instructions>
    <short-instructions>Rate.</short-instructions></crowd-form>"""
    found = {value for seed in SEEDS for _, value in filled(page, seed)}

    assert found == {"completely unrelated", "mostly the same meaning, except for some details"}
    assert {name for name, _ in filled(page)} == {"divergent.label"}


QUESTION_FORM = f"""<QuestionForm xmlns="{questions.SCHEMAS}2017-11-06/QuestionForm.xsd">
<Overview><Text>Hello</Text></Overview>
<Question><QuestionIdentifier>one</QuestionIdentifier><IsRequired>true</IsRequired>
  <QuestionContent><Text>Which?</Text></QuestionContent><AnswerSpecification><SelectionAnswer>
  <Selections><Selection><SelectionIdentifier>a</SelectionIdentifier><Text>A</Text></Selection>
  <Selection><SelectionIdentifier>b</SelectionIdentifier><Text>B</Text></Selection></Selections>
  </SelectionAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>two</QuestionIdentifier>
  <QuestionContent><Text>Which two?</Text></QuestionContent><AnswerSpecification>
  <SelectionAnswer><MinSelectionCount>2</MinSelectionCount>
  <MaxSelectionCount>2</MaxSelectionCount>
  <Selections><Selection><SelectionIdentifier>a</SelectionIdentifier><Text>A</Text></Selection>
  <Selection><SelectionIdentifier>b</SelectionIdentifier><Text>B</Text></Selection>
  <Selection><SelectionIdentifier>c</SelectionIdentifier><Text>C</Text></Selection></Selections>
  </SelectionAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>age</QuestionIdentifier><IsRequired>true</IsRequired>
  <QuestionContent><Text>Age?</Text></QuestionContent><AnswerSpecification><FreeTextAnswer>
  <Constraints><IsNumeric minValue="18" maxValue="20"/></Constraints></FreeTextAnswer>
  </AnswerSpecification></Question></QuestionForm>"""


def test_a_question_form_is_answered_by_its_specification() -> None:
    form = forms.read(questions.parse(QUESTION_FORM))
    found = [forms.fill(form, random.Random(seed)).fields for seed in SEEDS]

    assert {dict(fields)["one"] for fields in found} == {"a", "b"}
    assert {dict(fields)["age"] for fields in found} == {"18", "19", "20"}
    assert {tuple(v for n, v in fields if n == "two") for fields in found} == {
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    }


def test_an_external_question_gets_one_answer() -> None:
    question = questions.parse(
        f'<ExternalQuestion xmlns="{questions.SCHEMAS}2006-07-14/ExternalQuestion.xsd">'
        "<ExternalURL>https://example.com/</ExternalURL><FrameHeight>0</FrameHeight>"
        "</ExternalQuestion>"
    )
    [(name, value)] = forms.fill(forms.read(question), random.Random(1)).fields

    assert name == "answer"
    assert re.fullmatch("[a-z ]+", value)


ANSWERABLE = """<crowd-form><crowd-classifier name="sort" categories="['Cat', 'Dog']">
</crowd-classifier><crowd-classifier-multi-select name="parts" categories="['leg', 'tail']"
exclusion-category="{ text: 'none' }"></crowd-classifier-multi-select>
<crowd-bounding-box name="boxes" labels="['x']"></crowd-bounding-box>
<crowd-radio-group><crowd-radio-button name="up">U</crowd-radio-button>
<crowd-radio-button name="down">D</crowd-radio-button></crowd-radio-group>
<crowd-checkbox name="sure">Sure</crowd-checkbox><crowd-slider name="level" max="9"></crowd-slider>
<input type="radio" name="tone" value="warm"><input type="radio" name="tone" value="cold">
<select name="size"><option value="">?</option><option value="L">large</option></select>
<crowd-input name="word" max-length="5"></crowd-input></crowd-form>"""


@pytest.mark.parametrize(
    ("name", "truth", "output"),
    [
        pytest.param("sort", "dog", {"label": "Dog"}, id="category, in any case"),
        pytest.param("parts", "tail|leg", {"labels": ["leg", "tail"]}, id="several categories"),
        pytest.param("parts", "none", {"labels": ["none"]}, id="the exclusive category"),
        pytest.param("boxes", '{"boundingBoxes": []}', {"boundingBoxes": []}, id="a widget's JSON"),
        pytest.param("up", "down", {"on": False}, id="another button of the group"),
        pytest.param("sure", "yes", {"on": True}, id="a box that is checked"),
        pytest.param("sure", "0", {"on": False}, id="a box that is not"),
        pytest.param("level", "7", 7, id="a slider"),
        pytest.param("tone", "cold", {"warm": False, "cold": True}, id="a radio button"),
        pytest.param("size", "large", "L", id="an option by what it shows"),
        pytest.param("word", "blue", "blue", id="a text"),
    ],
)
def test_a_worker_who_knows_answers_what_is_right(name: str, truth: str, output: object) -> None:
    form = forms.read_page(ANSWERABLE)
    for seed in SEEDS:
        filled = forms.fill(
            form, random.Random(seed), knowledge=forms.Knowledge(truth={name: truth})
        )
        [(_, value)] = filled.fields
        assert (json.loads(value)[0][name], filled.untold) == (output, ())


@pytest.mark.parametrize(
    ("name", "truth"),
    [("sort", "Fox"), ("parts", "leg|wing"), ("boxes", "left"), ("word", "yellow"), ("level", "x")],
)
def test_a_truth_that_cannot_be_answered_is_told_and_guessed(name: str, truth: str) -> None:
    form = forms.read_page(ANSWERABLE)
    known = forms.Knowledge(truth={name: truth})
    told = forms.fill(form, random.Random(3), knowledge=known)

    assert told == forms.Filled(forms.fill(form, random.Random(3)).fields, (), (name,))


def test_answers_are_right_as_often_as_asked_and_wrong_otherwise() -> None:
    form = forms.read_page(ANSWERABLE)
    for accuracy, least, most in ((0.0, 0, 0), (0.75, 120, 180), (1.0, 200, 200)):
        known = forms.Knowledge(truth={"sort": "Cat"}, accuracy=accuracy)
        found = [
            forms.fill(form, random.Random(seed), knowledge=known).fields for seed in range(200)
        ]
        right = sum(json.loads(value)[0]["sort"]["label"] == "Cat" for [(_, value)] in found)
        assert least <= right <= most


def test_workers_of_one_opinion_agree_on_choices_and_not_on_texts() -> None:
    form = forms.read_page(PLAIN)
    known = forms.Knowledge(opinion="a HIT")
    answers = [
        dict(forms.fill(form, random.Random(seed), knowledge=known).fields) for seed in SEEDS
    ]

    assert len({(one.get("tone"), one.get("size"), one.get("tags")) for one in answers}) == 1
    assert len({one["word"] for one in answers}) > 10


@given(
    st.text(alphabet=st.sampled_from("<>/='\" abcdfinmoprtuw-[]{}&;"), max_size=200), st.integers()
)
def test_no_page_is_too_broken_to_read(soup: str, seed: int) -> None:
    page = f"<crowd-form>{soup}<input name=x {soup}><crowd-classifier categories={soup!r}>"

    for name, value in filled(page, seed):
        assert isinstance(name + value, str)


def test_fields_know_the_marks_of_their_elements() -> None:
    page = """<input type="radio" name="tone" value="warm" data-turkbatch="0">
      <input name="word" data-turkbatch="1"><input type="radio" name="tone" data-turkbatch="2">
      <crowd-radio-group><crowd-radio-button name="up" data-turkbatch="3"></crowd-radio-button>
      <crowd-radio-button name="down" data-turkbatch="4"></crowd-radio-button></crowd-radio-group>
      <input name="plain">"""
    found = {field.name: field.marks for field in forms.read_page(page).fields}

    assert found == {"tone": ("0", "2"), "word": ("1",), "up": ("3", "4"), "plain": ()}


def test_a_picture_that_was_seen_has_its_own_size() -> None:
    page = """<crowd-form><crowd-keypoint name="k" labels="['a']" data-turkbatch-image="7x3">
      </crowd-keypoint></crowd-form>"""
    for seed in SEEDS:
        [(_, value)] = filled(page, seed)
        drawn = json.loads(value)[0]["k"]
        assert drawn["inputImageProperties"] == {"height": 3, "width": 7}
        assert all(point["x"] < 7 and point["y"] < 3 for point in drawn["keypoints"])


def test_a_file_that_is_asked_for_has_a_size_that_fits() -> None:
    upload = (
        "<QuestionForm xmlns='http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
        "2005-10-01/QuestionForm.xsd'><Question><QuestionIdentifier>f</QuestionIdentifier>"
        "<QuestionContent><Text>File?</Text></QuestionContent><AnswerSpecification>"
        "<FileUploadAnswer><MaxFileSizeInBytes>900</MaxFileSizeInBytes><MinFileSizeInBytes>300"
        "</MinFileSizeInBytes></FileUploadAnswer></AnswerSpecification></Question></QuestionForm>"
    )
    form = forms.read(questions.parse(upload))
    answers = forms.answer(form, random.Random(1))

    assert [one.file_bytes for one in answers.drawn] == [300]
    assert forms.fill(form, random.Random(1)).fields == []
