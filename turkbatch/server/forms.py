"""Reading the form of a task's page, and filling it in as a worker might.

Works on the page's text alone: scripts don't run, so fields that a script adds are not
seen. Pages are read as forgivingly as a browser reads them: crowd elements left open or
closed by a slash, lists of categories in JSON or in single quotes.

What is posted follows the page's kind:

- a plain form: one field for each control, as a browser posts them;
- ``crowd-form``: one field ``taskAnswers``, a JSON list of one object with the names in
  order;
- ``crowd-form answer-format="flatten-objects"``: one field for each leaf of that object,
  named by the path with dots; lists are leaves, as JSON.

A worker can know the right answer to a field (:class:`Knowledge`) and give it, as often as
is asked for. What is right is written as the results have it: the value of an option, several
joined with a bar, the text of a text field, the JSON of a widget that draws on an image.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/sms-ui-template-reference.html and
results of batches that used them.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from lxml import etree

from turkbatch.server import inputs, questions

Style = Literal["plain", "task-answers", "flatten"]

_CROWD_TEXT: Final = {"crowd-input", "crowd-text-area"}
_CROWD_BOXES: Final = {"crowd-checkbox", "crowd-toggle-button"}
_NEVER_SHOWN: Final = {"template", "noscript", "script", "style", "datalist"}
_BUTTONS: Final = {"button", "reset", "submit", "image"}
# How often a field that may stay empty is filled in.
_DILIGENCE: Final = 0.85
_IMAGE: Final = {"height": 480, "width": 640}
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off", ""})
# How often a worker who is to be wrong draws anew, where that was right by accident.
_ATTEMPTS: Final = 30
_FILE_BYTES: Final = 20
MARK: Final = "data-turkbatch"
"""Attribute by which elements are known again: who made the page's text gives each a mark."""
IMAGE_SIZE: Final = "data-turkbatch-image"
"""Attribute of a widget with its picture's width and height, such as ``640x480``."""
# A transparent picture of one pixel.
_PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5Er"
    "kJggg=="
)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What a worker did with one field.

    Parameters
    ----------
    posted : tuple of (str, str)
        Names and values of a plain form.
    output : dict
        What it adds to a crowd-form's object.
    unfilled : tuple of str
        Names for which no value was found that the page would take.
    file_bytes : int
        Size of the file that is handed in, where one is asked for.
    """

    posted: tuple[tuple[str, str], ...] = ()
    output: dict[str, object] = dataclasses.field(default_factory=dict)
    unfilled: tuple[str, ...] = ()
    file_bytes: int = 0


def _unknowable(_truth: str) -> None:
    """Tell that nothing in particular can be answered."""


@dataclasses.dataclass(frozen=True)
class Field:
    """Something on the page that a worker fills in, or that is posted anyway.

    Parameters
    ----------
    name : str
        Under which it is posted.
    draw : callable
        Takes a random.Random, gives what the worker did.
    asks : bool
        False for hidden fields and the like, which say nothing about the worker.
    know : callable
        Takes the right answer, gives what a worker did who knows it; None if it is nothing
        that could be answered here.
    choice : bool
        Whether it offers what can be answered, so that workers may agree on it.
    marks : tuple of str
        Of the elements that it was read from, where these have any (:data:`MARK`).
    """

    name: str
    draw: Callable[[random.Random], Drawn]
    asks: bool = True
    know: Callable[[str], Drawn | None] = _unknowable
    choice: bool = False
    marks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Form:
    """The form of a page.

    Parameters
    ----------
    fields : tuple of Field
        In the order of the page.
    style : {"plain", "task-answers", "flatten"}
        How it posts them.
    """

    fields: tuple[Field, ...]
    style: Style = "plain"

    @property
    def asks_nothing(self) -> bool:
        """Whether there is nothing on it that a worker could fill in."""
        return not any(field.asks for field in self.fields)


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a worker does with a form.

    Parameters
    ----------
    drawn : tuple of Drawn
        One for each field of the form, in its order.
    unfilled, untold : tuple of str
        As of :class:`Filled`.
    """

    drawn: tuple[Drawn, ...]
    unfilled: tuple[str, ...]
    untold: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Filled:
    """A form that was filled in.

    Parameters
    ----------
    fields : list of (str, str)
        As posted.
    unfilled : tuple of str
        Names for which no value was found that the page would take.
    untold : tuple of str
        Names whose right answer is nothing that could be answered there.
    """

    fields: list[tuple[str, str]]
    unfilled: tuple[str, ...]
    untold: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """What a worker knows who looks closely.

    Parameters
    ----------
    truth : mapping of str to str
        The right answers that are known, by name.
    accuracy : float
        How often a field is answered right, from 0 to 1.
    opinion : str, optional
        Where a field offers its answers and none is known to be right, workers with the same
        opinion hold the same one for right. Without it each has an opinion of their own.
    """

    truth: Mapping[str, str] = dataclasses.field(default_factory=dict)
    accuracy: float = 1.0
    opinion: str | None = None

    def right(self, field: Field) -> Drawn | None:
        """Tell what a worker who is right does with a field; None if that is not known."""
        if field.name in self.truth:
            return field.know(self.truth[field.name])
        if self.opinion is None or not field.choice:
            return None
        digest = hashlib.sha256(f"{field.name}\n{self.opinion}".encode()).digest()
        return field.draw(random.Random(digest))


def read(question: questions.Question) -> Form:
    """Find the fields of a question.

    Parameters
    ----------
    question : questions.Question
        Of any kind.

    Returns
    -------
    Form
        For an ExternalQuestion a form of one text field ``answer``: its page is somebody
        else's and is not fetched.
    """
    match question.kind:
        case questions.Kind.HTML:
            return read_page(question.content)
        case questions.Kind.FORM:
            return Form(tuple(_question_form(question.root)))
        case questions.Kind.EXTERNAL:
            return Form((_text_field(inputs.Text("answer", required=True)),))


def read_page(page: str) -> Form:
    """Find the fields of an HTML page.

    Parameters
    ----------
    page : str
        Its source.

    Returns
    -------
    Form
        Without fields if there are none.
    """
    parser = etree.HTMLParser(
        encoding="utf-8",
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    text = page.encode(errors="replace")
    root = etree.fromstring(text, parser) if text.strip() else None
    if root is None:
        return Form(())
    scope, style = _scope(root)
    return Form(tuple(_fields(scope, crowd=style != "plain")), style)


def fill(form: Form, chance: random.Random, *, knowledge: Knowledge | None = None) -> Filled:
    """Fill in a form.

    Parameters
    ----------
    form : Form
        From :func:`read`.
    chance : random.Random
        The same one gives the same answers.
    knowledge : Knowledge, optional
        What is right; without it every answer is a guess.

    Returns
    -------
    Filled
        What the page would post.
    """
    answers = answer(form, chance, knowledge=knowledge)
    return Filled(_posted(form, answers.drawn), answers.unfilled, answers.untold)


def answer(form: Form, chance: random.Random, *, knowledge: Knowledge | None = None) -> Answers:
    """Decide what to do with each field of a form.

    Parameters
    ----------
    form : Form
        From :func:`read`.
    chance : random.Random
        The same one gives the same answers.
    knowledge : Knowledge, optional
        What is right; without it every answer is a guess.

    Returns
    -------
    Answers
        For :func:`fill`, or for whoever fills in the page itself.
    """
    known = knowledge or Knowledge()
    drawn = tuple(_answer(field, chance, known) for field in form.fields)
    unfilled = tuple(name for one in drawn for name in one.unfilled)
    untold = tuple(
        field.name
        for field in form.fields
        if field.name in known.truth and known.right(field) is None
    )
    return Answers(drawn, unfilled, untold)


def _posted(form: Form, drawn: Sequence[Drawn]) -> list[tuple[str, str]]:
    """Put answers together as the form posts them."""
    if form.style == "plain":
        return [pair for one in drawn for pair in one.posted]
    merged: dict[str, object] = {}
    for one in drawn:
        for name, value in one.output.items():
            before = merged.get(name)
            # The same name twice: one object with a key for each value.
            both = isinstance(before, dict) and isinstance(value, dict)
            merged[name] = {**before, **value} if both else value  # type: ignore[dict-item]
    whole = dict(sorted(merged.items()))
    if form.style == "task-answers":
        return [("taskAnswers", _json([whole]))]
    return sorted(_leaves(whole))


def _answer(field: Field, chance: random.Random, knowledge: Knowledge) -> Drawn:
    guess = field.draw(chance)
    right = knowledge.right(field)
    if right is None:
        return guess
    if chance.random() < knowledge.accuracy:
        return right
    for _ in range(_ATTEMPTS):
        if guess != right:
            break
        guess = field.draw(chance)
    return guess


def choices_in(text: str) -> list[str]:
    """Read a list as it is written in a crowd element's attribute.

    Parameters
    ----------
    text : str
        JSON, or the same in single quotes; items may be objects with a ``label``.

    Returns
    -------
    list of str
        Empty if it holds none.
    """
    items = _literal(text)
    if not isinstance(items, list):
        quoted = re.findall(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", text)
        items = [one or other for one, other in quoted] or text.strip(" []\n\t").split(",")
    labels = [item.get("label", "") if isinstance(item, dict) else item for item in items]
    return [str(label).strip() for label in labels if str(label).strip()]


def _literal(text: str) -> object:
    for parse in (json.loads, ast.literal_eval):
        try:
            found: object = parse(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found
    return None


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# Where the form is


def _scope(root: etree._Element) -> tuple[etree._Element, Style]:
    crowd_form = next(root.iter("crowd-form"), None)
    if crowd_form is not None:
        flat = crowd_form.get("answer-format", "").strip().lower() == "flatten-objects"
        style: Style = "flatten" if flat else "task-answers"
        # Ill-nested tags may have closed it early; a browser's parser is more patient.
        return (crowd_form if any(_fields(crowd_form, crowd=True)) else root), style
    if any(_is_widget(element) for element in root.iter()):
        return root, "task-answers"  # crowd-entity-annotation brings its own form
    form = next(iter(sorted(root.iter("form"), key=_unlikeliness)), None)
    if form is not None and any(_fields(form, crowd=False)):
        return form, "plain"
    return root, "plain"  # the requester website adds the form to its layouts


def _is_widget(element: etree._Element) -> bool:
    return element.tag in _WIDGETS


def _unlikeliness(form: etree._Element) -> int:
    names = f"{form.get('action', '')} {form.get('name', '')} {form.get('id', '')}"
    holds_id = any(one.get("name") == "assignmentId" for one in form.iter("input"))
    return 0 if holds_id or "externalSubmit" in names or "mturk_form" in names else 1


# Fields


def _fields(scope: etree._Element, *, crowd: bool) -> Iterator[Field]:
    """Find the fields, those of one name together at the place of the first."""
    for field, elements in _with_elements(scope, crowd=crowd):
        marks = tuple(element.get(MARK, "") for element in elements if MARK in element.attrib)
        yield dataclasses.replace(field, marks=marks)


def _with_elements(
    scope: etree._Element, *, crowd: bool
) -> Iterator[tuple[Field, Sequence[etree._Element]]]:
    done: set[object] = set()
    clicked = False
    for element in scope.iter():
        tag = str(element.tag)
        if not _is_asked(element, scope):
            continue
        name = element.get("name") or ""
        if tag == "crowd-radio-button":
            group = _group_of(element, scope)
            if group not in done:
                done.add(group)
                buttons = _members(scope, group)
                yield _crowd_radio(buttons), buttons
        elif crowd and tag in _WIDGETS:
            yield _widget(element), [element]
        elif not name:
            continue
        elif tag in _CROWD_TEXT:
            yield _text_field(_crowd_text(element)), [element]
        elif tag in _CROWD_BOXES:
            yield _crowd_box(element), [element]
        elif tag == "crowd-slider":
            yield _slider(element), [element]
        elif tag == "select":
            yield _select(element), [element]
        elif tag == "textarea":
            yield _text_field(_textarea(element)), [element]
        elif tag == "input" and (kind := _kind(element)) in ("radio", "checkbox"):
            if (kind, name) not in done:
                done.add((kind, name))
                same = [e for e in scope.iter("input") if _kind(e) == kind]
                same = [e for e in same if e.get("name") == name]
                yield _options(kind, name, same), same
        elif tag in ("input", "button") and _kind(element) in _BUTTONS:
            # A browser posts the button that was clicked, and no other.
            if not clicked and _kind(element) == "submit":
                clicked = True
                yield _fixed(name, element.get("value", "")), [element]
        elif tag == "input":
            yield _input(element, scope), [element]


def _is_asked(element: etree._Element, scope: etree._Element) -> bool:
    if "disabled" in element.attrib:
        return False
    for ancestor in element.iterancestors():
        if ancestor.tag in _NEVER_SHOWN:
            return False
        if ancestor.tag == "fieldset" and "disabled" in ancestor.attrib:
            return False
        if ancestor is scope:
            break
    return True


def _kind(element: etree._Element) -> str:
    default = "submit" if element.tag == "button" else "text"
    return (element.get("type") or default).strip().lower()


def _fixed(name: str, value: str) -> Field:
    drawn = Drawn(((name, value),), {name: value} if value and name != "assignmentId" else {})
    return Field(name, lambda _: drawn, asks=False)


def _input(element: etree._Element, scope: etree._Element) -> Field:
    name, kind = element.get("name", ""), _kind(element)
    if kind == "file":
        # A file is never sent: the service doesn't store what externalSubmit is given.
        chosen = Drawn(((name, ""),), file_bytes=_FILE_BYTES)
        return Field(name, lambda _: chosen, asks=False)
    if kind == "hidden" or "readonly" in element.attrib:
        return _fixed(name, element.get("value", ""))
    listed = element.get("list")
    options = [
        option.get("value") or _content(option)
        for datalist in scope.getroottree().iter("datalist")
        if listed and datalist.get("id") == listed
        for option in datalist.iter("option")
    ]
    return _text_field(
        inputs.Text(
            name,
            kind=kind,
            required="required" in element.attrib,
            minimum=element.get("min"),
            maximum=element.get("max"),
            step=element.get("step"),
            min_length=_number(element.get("minlength")),
            max_length=_number(element.get("maxlength")),
            pattern=element.get("pattern"),
            suggestions=tuple(option for option in options if option),
            value=element.get("value", ""),
        )
    )


def _textarea(element: etree._Element) -> inputs.Text:
    return inputs.Text(
        element.get("name", ""),
        kind="textarea",
        required="required" in element.attrib,
        min_length=_number(element.get("minlength")),
        max_length=_number(element.get("maxlength")),
        value=_content(element),
    )


def _crowd_text(element: etree._Element) -> inputs.Text:
    long = element.tag == "crowd-text-area"
    return inputs.Text(
        element.get("name", ""),
        kind="textarea" if long else (element.get("type") or "text").strip().lower(),
        required="required" in element.attrib,
        minimum=element.get("min"),
        maximum=element.get("max"),
        step=element.get("step"),
        min_length=_number(element.get("min-length")),
        max_length=_number(element.get("max-length")),
        pattern=element.get("allowed-pattern"),
        value=element.get("value", ""),
    )


def _text_field(text: inputs.Text) -> Field:
    def draw(chance: random.Random) -> Drawn:
        skipped = not text.required and chance.random() > _DILIGENCE
        value = text.value if skipped or text.value else inputs.draw(text, chance)
        if value is None:
            return Drawn(((text.name, ""),), unfilled=(text.name,))
        return written(value)

    def written(value: str) -> Drawn:
        # A crowd-form leaves an empty text out; a plain form posts it.
        return Drawn(((text.name, value),), {text.name: value} if value else {})

    def know(truth: str) -> Drawn | None:
        return written(truth) if inputs.fits(text, truth) else None

    return Field(text.name, draw, know=know)


def _select(element: etree._Element) -> Field:
    options = [option for option in element.iter("option") if "disabled" not in option.attrib]
    values = [option.get("value", _content(option)) for option in options]
    name, required = element.get("name", ""), "required" in element.attrib
    # An empty first option says "choose one"; nobody who works leaves it there.
    chosen = [value for value in values if value]
    if "multiple" in element.attrib:
        return _several(name, chosen, required=required, plain=True)
    # What is right may be known by what the worker reads.
    shown = {_content(option): value for option, value in zip(options, values, strict=True)}
    return _one(name, chosen or values, required=True, as_text=True, shown=shown)


def _options(kind: str, name: str, elements: Sequence[etree._Element]) -> Field:
    values = [e.get("value", "on") for e in elements if "disabled" not in e.attrib]
    required = any("required" in e.attrib for e in elements)
    if kind == "radio":
        return _one(name, values, required=required)
    return _several(name, values, required=required)


def _one(
    name: str,
    values: Sequence[str],
    *,
    required: bool,
    as_text: bool = False,
    shown: Mapping[str, str] | None = None,
) -> Field:
    def draw(chance: random.Random) -> Drawn:
        if not values:
            return Drawn(unfilled=(name,) if required else ())
        skipped = not required and chance.random() > 0.97
        return chosen(None if skipped else chance.choice(values))

    def chosen(one: str | None) -> Drawn:
        posted = () if one is None else ((name, one),)
        if as_text:
            return Drawn(posted, {name: one} if one is not None else {})
        # Inside a crowd-form a radio button is a leaf for each option.
        return Drawn(posted, {name: {value: value == one for value in values}})

    def know(truth: str) -> Drawn | None:
        one = _meant(truth, {**(shown or {}), **{value: value for value in values}})
        return None if one is None else chosen(one)

    return Field(name, draw, know=know, choice=True)


def _several(name: str, values: Sequence[str], *, required: bool, plain: bool = False) -> Field:
    def draw(chance: random.Random) -> Drawn:
        some = [value for value in values if chance.random() < 0.4]
        if values and not some and (required or chance.random() < _DILIGENCE):
            some = [chance.choice(values)]
        return chosen(some)

    def chosen(some: Sequence[str]) -> Drawn:
        posted = tuple((name, value) for value in some)
        if plain:
            return Drawn(posted, {name: list(some)} if some else {})
        return Drawn(posted, {name: {value: value in some for value in values}})

    def know(truth: str) -> Drawn | None:
        some = _all_meant(truth, values)
        return None if some is None else chosen(some)

    return Field(name, draw, know=know, choice=True)


def _crowd_box(element: etree._Element) -> Field:
    name, value = element.get("name", ""), element.get("value") or "on"
    required = "required" in element.attrib

    def draw(chance: random.Random) -> Drawn:
        return checked(required or chance.random() < 0.5)

    def checked(yes: bool) -> Drawn:
        return Drawn(((name, value),) if yes else (), {name: {value: yes}})

    def know(truth: str) -> Drawn | None:
        some = _all_meant(truth, [value])
        return None if some is None else checked(bool(some))

    return Field(name, draw, know=know, choice=True)


def _meant(truth: str, options: Mapping[str, str]) -> str | None:
    """Find the option that is meant, whatever its case."""
    if truth in options:
        return options[truth]
    wanted = truth.strip().casefold()
    return next((one for text, one in options.items() if text.strip().casefold() == wanted), None)


def _all_meant(truth: str, values: Sequence[str]) -> list[str] | None:
    """Find the options that are meant, of which none may be; None if one is unknown."""
    if len(values) == 1 and truth.strip().casefold() in _TRUE | _FALSE:
        return list(values) if truth.strip().casefold() in _TRUE else []
    options = {value: value for value in values}
    found = [_meant(part, options) for part in truth.split("|") if part.strip()]
    if None in found:
        return None
    return [value for value in values if value in found]


def _group_of(button: etree._Element, scope: etree._Element) -> object:
    for ancestor in button.iterancestors():
        if ancestor.tag == "crowd-radio-group":
            return ancestor
        if ancestor is scope:
            break
    return ("crowd-radio-button", button.get("name"))


def _members(scope: etree._Element, group: object) -> list[etree._Element]:
    return [
        button
        for button in scope.iter("crowd-radio-button")
        if _group_of(button, scope) == group and "disabled" not in button.attrib
    ]


def _crowd_radio(buttons: Sequence[etree._Element]) -> Field:
    given = [(button.get("name") or "", button.get("value") or "on") for button in buttons]
    named = [(name, value) for name, value in given if name]

    def draw(chance: random.Random) -> Drawn:
        return chosen(chance.randrange(len(named))) if named else Drawn()

    def chosen(which: int) -> Drawn:
        output: dict[str, dict[str, bool]] = {}
        for number, (name, value) in enumerate(named):
            output.setdefault(name, {})[value] = number == which
        return Drawn((named[which],), dict(output))

    def know(truth: str) -> Drawn | None:
        # Buttons without a value of their own are told apart by their names.
        numbers = {
            text: str(number)
            for number, button in reversed(list(enumerate(named)))
            for text in button
        }
        which = _meant(truth, numbers)
        return None if which is None else chosen(int(which))

    return Field(
        named[0][0] if named else "", draw, asks=bool(named), know=know, choice=bool(named)
    )


def _slider(element: etree._Element) -> Field:
    text = inputs.Text(
        element.get("name", ""),
        kind="range",
        required=True,
        minimum=element.get("min"),
        maximum=element.get("max"),
        step=element.get("step"),
    )

    def draw(chance: random.Random) -> Drawn:
        return moved(inputs.draw(text, chance) or "0")

    def moved(value: str) -> Drawn:
        number = float(value)
        shown = int(number) if number.is_integer() else number
        return Drawn(((text.name, value),), {text.name: shown})

    def know(truth: str) -> Drawn | None:
        return moved(truth.strip()) if inputs.fits(text, truth.strip()) else None

    return Field(text.name, draw, know=know, choice=True)


# Widgets: each gives the object that the element puts under its name


def _widget(element: etree._Element) -> Field:
    make = _WIDGETS[str(element.tag)]
    name = element.get("name") or "annotatedResult"

    def draw(chance: random.Random) -> Drawn:
        output = make(element, chance)
        return Drawn(unfilled=(name,)) if output is None else put(output)

    def put(output: dict[str, Any]) -> Drawn:
        return Drawn(((name, _json(output)),), {name: output})

    def know(truth: str) -> Drawn | None:
        output = _told(element, truth)
        return None if output is None else put(output)

    return Field(name, draw, know=know, choice=make in _CLASSIFIERS)


def _told(element: etree._Element, truth: str) -> dict[str, Any] | None:
    """Give the output of a widget for the right answer: categories, or the output itself."""
    make = _WIDGETS[str(element.tag)]
    labels = _labels(element)
    if make is _classifier:
        label = _meant(truth, {label: label for label in labels})
        return None if label is None else {"label": label}
    if make is _multi_classifier:
        exclusive = choices_in((element.get("exclusion-category") or "").partition(":")[2])
        chosen = _all_meant(truth, [*labels, *exclusive])
        return {"labels": chosen} if chosen else None
    given = _literal(truth)
    return given if isinstance(given, dict) else None


def _labels(element: etree._Element) -> list[str]:
    return choices_in(element.get("categories") or element.get("labels") or "")


def _classifier(element: etree._Element, chance: random.Random) -> dict[str, Any] | None:
    labels = _labels(element)
    return {"label": chance.choice(labels)} if labels else None


def _multi_classifier(element: etree._Element, chance: random.Random) -> dict[str, Any] | None:
    labels = _labels(element)
    exclusive = choices_in((element.get("exclusion-category") or "").partition(":")[2])
    if exclusive and chance.random() < 0.1:
        return {"labels": exclusive[:1]}
    chosen = [label for label in labels if chance.random() < 0.4]
    return {"labels": chosen or [chance.choice(labels)]} if labels else None


def _boxes(element: etree._Element, chance: random.Random) -> dict[str, Any] | None:
    image = _image(element)

    def box(label: str) -> dict[str, Any]:
        width = chance.randint(min(20, image["width"]), min(200, image["width"]))
        height = chance.randint(min(20, image["height"]), min(200, image["height"]))
        left = chance.randint(0, image["width"] - width)
        top = chance.randint(0, image["height"] - height)
        return {"height": height, "label": label, "left": left, "top": top, "width": width}

    return _drawn_on_image(element, chance, "boundingBoxes", box)


def _outlines(kind: str, fewest: int, most: int) -> _Make:
    def make(element: etree._Element, chance: random.Random) -> dict[str, Any] | None:
        def outline(label: str) -> dict[str, Any]:
            corners = [_point(element, chance) for _ in range(chance.randint(fewest, most))]
            return {"label": label, "vertices": corners}

        return _drawn_on_image(element, chance, kind, outline)

    return make


def _keypoints(element: etree._Element, chance: random.Random) -> dict[str, Any] | None:
    return _drawn_on_image(
        element, chance, "keypoints", lambda label: {"label": label, **_point(element, chance)}
    )


def _segmentation(element: etree._Element, chance: random.Random) -> dict[str, Any] | None:
    labels = _labels(element)
    picture = {"inputImageProperties": _image(element), "labeledImage": {"pngImageData": _PIXEL}}
    colors = {label: f"#{chance.randrange(0x1000000):06x}" for label in labels}
    if element.tag == "crowd-instance-segmentation":
        picture["instances"] = [{"color": color, "label": label} for label, color in colors.items()]
    else:
        picture["labelMappings"] = {label: {"color": color} for label, color in colors.items()}
    return picture if labels else None


def _entities(element: etree._Element, chance: random.Random) -> dict[str, Any] | None:
    labels = _labels(element)
    words = list(re.finditer(r"\w+", element.get("text") or ""))
    if not labels:
        return None
    chosen = sorted(chance.sample(range(len(words)), min(len(words), chance.randint(1, 3))))
    return {
        "entities": [
            {
                "endOffset": words[number].end(),
                "label": chance.choice(labels),
                "startOffset": words[number].start(),
            }
            for number in chosen
        ]
    }


def _drawn_on_image(
    element: etree._Element,
    chance: random.Random,
    kind: str,
    shape: Callable[[str], dict[str, Any]],
) -> dict[str, Any] | None:
    labels = _labels(element)
    if not labels:
        return None
    shapes = [shape(chance.choice(labels)) for _ in range(chance.randint(1, 3))]
    return {kind: shapes, "inputImageProperties": _image(element)}


def _image(element: etree._Element) -> dict[str, int]:
    """Tell a picture's size, where somebody has seen it."""
    width, _, height = element.get(IMAGE_SIZE, "").partition("x")
    if width.isdigit() and height.isdigit():
        return {"height": int(height), "width": int(width)}
    return dict(_IMAGE)


def _point(element: etree._Element, chance: random.Random) -> dict[str, int]:
    image = _image(element)
    return {"x": chance.randrange(image["width"]), "y": chance.randrange(image["height"])}


_Make = Callable[[etree._Element, random.Random], dict[str, Any] | None]
_WIDGETS: Final[dict[str, _Make]] = {
    "crowd-classifier": _classifier,
    "crowd-classifier-multi-select": _multi_classifier,
    "crowd-image-classifier": _classifier,
    "crowd-image-classifier-multi-select": _multi_classifier,
    "crowd-bounding-box": _boxes,
    "crowd-polygon": _outlines("polygons", 3, 6),
    "crowd-polyline": _outlines("polylines", 2, 6),
    "crowd-line": _outlines("lines", 2, 2),
    "crowd-keypoint": _keypoints,
    "crowd-semantic-segmentation": _segmentation,
    "crowd-instance-segmentation": _segmentation,
    "crowd-entity-annotation": _entities,
}
_CLASSIFIERS: Final = (_classifier, _multi_classifier)


# QuestionForm


def _question_form(root: etree._Element) -> Iterator[Field]:
    names = {"q": str(etree.QName(root).namespace)}
    for question in root.iterfind("q:Question", names):
        name = question.findtext("q:QuestionIdentifier", "", names)
        required = question.findtext("q:IsRequired", "false", names).strip() in ("true", "1")
        free = question.find("q:AnswerSpecification/q:FreeTextAnswer", names)
        selection = question.find("q:AnswerSpecification/q:SelectionAnswer", names)
        if free is not None:
            yield _text_field(_free_text(name, free, names, required=required))
        elif selection is not None:
            yield _selection(name, selection, names)
        elif (file := question.find("q:AnswerSpecification/q:FileUploadAnswer", names)) is not None:
            yield _upload(name, file, names)


def _upload(name: str, answer: etree._Element, names: dict[str, str]) -> Field:
    least = _number(answer.findtext("q:MinFileSizeInBytes", "", names)) or 0
    most = _number(answer.findtext("q:MaxFileSizeInBytes", "", names)) or _FILE_BYTES
    # Files don't travel among a form's fields: whoever can, hands one in.
    chosen = Drawn(file_bytes=max(least, min(most, _FILE_BYTES)))
    return Field(name, lambda _: chosen, asks=False)


def _free_text(
    name: str, answer: etree._Element, names: dict[str, str], *, required: bool
) -> inputs.Text:
    numeric = answer.find("q:Constraints/q:IsNumeric", names)
    length = answer.find("q:Constraints/q:Length", names)
    format_ = answer.find("q:Constraints/q:AnswerFormatRegex", names)
    lines = _number(answer.findtext("q:NumberOfLinesSuggestion", "1", names)) or 1
    return inputs.Text(
        name,
        kind="number" if numeric is not None else "textarea" if lines > 1 else "text",
        required=required or length is not None,
        minimum=None if numeric is None else numeric.get("minValue"),
        maximum=None if numeric is None else numeric.get("maxValue"),
        min_length=None if length is None else _number(length.get("minLength")),
        max_length=None if length is None else _number(length.get("maxLength")),
        pattern=None if format_ is None else format_.get("regex"),
        value=answer.findtext("q:DefaultText", "", names),
    )


def _selection(name: str, answer: etree._Element, names: dict[str, str]) -> Field:
    options = [option.text or "" for option in answer.iterfind(".//q:SelectionIdentifier", names)]
    least = _number(answer.findtext("q:MinSelectionCount", "1", names)) or 0
    most = _number(answer.findtext("q:MaxSelectionCount", "1", names)) or 1

    def draw(chance: random.Random) -> Drawn:
        ceiling = min(most, len(options))
        count = chance.randint(min(max(least, 1), ceiling), ceiling)
        return chosen(chance.sample(options, count))

    def chosen(some: Sequence[str]) -> Drawn:
        return Drawn(tuple((name, option) for option in options if option in some))

    def know(truth: str) -> Drawn | None:
        some = _all_meant(truth, options)
        return None if some is None or not least <= len(some) <= most else chosen(some)

    return Field(name, draw, know=know, choice=True)


def _content(element: etree._Element) -> str:
    return "".join(_texts(element.itertext())).strip()


def _texts(pieces: Iterable[object]) -> Iterator[str]:
    for piece in pieces:
        yield str(piece)


def _number(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
