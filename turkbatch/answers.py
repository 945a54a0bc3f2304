"""What a worker submitted: from MTurk's QuestionFormAnswers XML to names and values.

Nothing is lost on the way: order, repeated names, white space at either end, an empty
answer as against a missing one, and text in which a worker typed an entity. Both notations
that were recorded from MTurk are read (UTF-8 on several lines, ASCII with character
references on one), with any prefix. A document type declaration is refused, since it is
where entity bombs are.

::

    <QuestionFormAnswers xmlns="...">
      <Answer>
        <QuestionIdentifier>comment</QuestionIdentifier>
        <FreeText>A caf&#233;</FreeText>
      </Answer>
    </QuestionFormAnswers>

Source: API reference, article QuestionFormAnswers.
"""

from __future__ import annotations

import dataclasses
import json
import xml.parsers.expat
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, NoReturn, TypeVar

import xmltodict
from lxml import etree

from turkbatch import errors

Kind = Literal["text", "selection", "file"]

_Value = TypeVar("_Value")

Fields = dict[str, str | list[str] | None]

TASK_ANSWERS = "taskAnswers"
"""The one field in which a crowd-form without ``answer-format`` posts all its answers."""

OTHER_TEXT_SUFFIX = ".OtherSelectionText"
SIZE_SUFFIX = ".UploadedFileSizeInBytes"

NOT_ANSWERS = {"doNotRedirect": "browser scripts of some workers add it"}
"""Fields that no form has, and where they come from (as amti, which drops them too)."""

_OUT_OF_THE_ORDINARY = frozenset({TASK_ANSWERS, *NOT_ANSWERS})
"""Names whose answers are more, or less, than a column of that name."""

_ROOT = "QuestionFormAnswers"
_NAME = "QuestionIdentifier"
_VALUES: dict[str, Kind] = {
    "FreeText": "text",
    "SelectionIdentifier": "selection",
    "UploadedFileKey": "file",
}
_OTHER_TEXT = "OtherSelectionText"
_SIZE = "UploadedFileSizeInBytes"
_KINDS: dict[str, Kind] = {**_VALUES, _OTHER_TEXT: "selection", _SIZE: "file"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer, as it stands in the document.

    Parameters
    ----------
    name : str
        The question's identifier: of a form, the name of the field.
    values : tuple of str
        The text, the identifiers of what was selected, or the key of an uploaded file.
        None at all where nothing was selected.
    kind : {"text", "selection", "file"}
        Which of these they are.
    other_text : str or None
        What was typed beside the selections.
    size_bytes : int or None
        Size of the uploaded file.
    """

    name: str
    values: tuple[str, ...]
    kind: Kind
    other_text: str | None = None
    size_bytes: int | None = None


def parse(xml: str, *, where: str = "answer") -> tuple[Answer, ...]:
    """Read an answer document, in order and without loss.

    Parameters
    ----------
    xml : str
        What MTurk gives as an assignment's ``Answer``; an assignment without answers may
        have an empty string.
    where : str
        What to call the document in an error, such as ``assignments.jsonl:3``.

    Returns
    -------
    tuple of Answer
        One for each ``Answer`` element, so a name may come several times.

    Raises
    ------
    AnswerError
        When the document is not well-formed, declares a document type, or is no
        QuestionFormAnswers.
    """
    if not xml.strip():
        return ()
    texts = _free_texts(xml)
    if texts is not None:
        return tuple(Answer(name, (text,), "text") for name, text in texts)
    document = _document(xml, where)
    if set(document) != {_ROOT}:
        _refuse(where, f"the outermost element is <{next(iter(document))}>, not <{_ROOT}>")
    content = document[_ROOT]
    elements = content.get("Answer", []) if isinstance(content, Mapping) else []
    return tuple(_answer(element, number, where) for number, element in enumerate(elements, 1))


def fields(
    xml: str,
    *,
    notes: Callable[[str], None] | None = None,
    where: str = "answer",
    take_apart: bool = True,
) -> Fields:
    """Turn an answer document into columns.

    Parameters
    ----------
    xml : str
        As for `parse`.
    notes : callable, optional
        Told, in one clause, of each answer that was left out.
    where : str
        As for `parse`.
    take_apart : bool
        Whether a crowd-form's ``taskAnswers`` is taken apart; the website leaves it whole.

    Returns
    -------
    dict of str to str, list of str or None
        In the order of the document. A name that came several times, or several selections,
        give a list; a selection in which nothing was chosen gives None. What was typed beside
        selections is the column ``NAME.OtherSelectionText``, an uploaded file its key, and its
        size ``NAME.UploadedFileSizeInBytes``. A crowd-form's ``taskAnswers`` is taken apart
        into the columns that ``answer-format="flatten-objects"`` would have given.

    Raises
    ------
    AnswerError
        As for `parse`.
    """
    texts = _free_texts(xml)
    if texts is not None:
        alone: Fields = dict(texts)
        if len(alone) == len(texts) and _OUT_OF_THE_ORDINARY.isdisjoint(alone):
            return alone
    gathered: dict[str, list[str]] = {}
    for answer in parse(xml, where=where):
        if answer.name in NOT_ANSWERS:
            if notes is not None:
                notes(f'"{answer.name}" is no answer and was left out: {NOT_ANSWERS[answer.name]}')
            continue
        for name, values in _columns(answer, take_apart):
            gathered.setdefault(name, []).extend(values)
    return {name: _alone(values) for name, values in gathered.items()}


def _alone(values: list[str]) -> str | list[str] | None:
    if len(values) > 1:
        return values
    return values[0] if values else None


def flattened(fields: Mapping[str, str | None]) -> Fields:
    """Take a crowd-form's ``taskAnswers`` apart among fields that are read already.

    Parameters
    ----------
    fields : mapping of str to str or None
        By name, as a results file of the requester website has them.

    Returns
    -------
    dict of str to str, list of str or None
        As `fields` gives them.
    """
    gathered: dict[str, list[str]] = {}
    for name, value in fields.items():
        answer = Answer(name, () if value is None else (value,), "text")
        for column, values in _columns(answer, take_apart=True):
            gathered.setdefault(column, []).extend(values)
    return {name: _alone(values) for name, values in gathered.items()}


def _columns(answer: Answer, take_apart: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns of one answer."""
    if take_apart and answer.name == TASK_ANSWERS and answer.kind == "text":
        leaves = [_crowd_leaves(value) for value in answer.values]
        if all(leaf is not None for leaf in leaves):
            yield from (pair for leaf in leaves for pair in leaf or [])
            return
    yield answer.name, list(answer.values)
    if answer.other_text is not None:
        yield answer.name + OTHER_TEXT_SUFFIX, [answer.other_text]
    if answer.size_bytes is not None:
        yield answer.name + SIZE_SUFFIX, [str(answer.size_bytes)]


class _Digits(str):
    """A number of a JSON document, as it was written there."""

    __slots__ = ()


def _crowd_leaves(text: str) -> list[tuple[str, list[str]]] | None:
    """Take a crowd-form's JSON apart, or return None where it is not what crowd-form posts.

    It is an array of one object (of several, should MTurk ever give them), whose leaves are
    named by their path, joined with dots; arrays are not taken apart, as on the website.
    """
    try:
        value = json.loads(
            text, parse_int=_Digits, parse_float=_Digits, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        return None
    objects = value if isinstance(value, list) else [value]
    if not objects or not all(isinstance(item, dict) for item in objects):
        return None
    return [leaf for item in objects for leaf in _leaves(item, "")]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _leaves(value: object, path: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(value, dict) and (value or not path):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else key)
    elif value is None:
        yield path, []
    else:
        yield path, [value if isinstance(value, str) else _json(value)]


def _json(value: object) -> str:
    """Write JSON as a browser would: no blanks, and numbers with the digits they came with."""
    if isinstance(value, _Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _free_texts(text: str) -> list[tuple[str, str]] | None:
    """Read a document that holds nothing but free text; None if it holds anything else.

    Nearly all do, and lxml reads such a one in a tenth of the time. What is out of the
    ordinary, faults included, is left to the way that tells all about it.
    """
    if "<!" in text:  # a document type, which could hold a bomb; a comment, a CDATA section
        return None
    try:
        root = etree.fromstring(text.strip().encode(), _UNDECLARED)
    except (etree.XMLSyntaxError, UnicodeEncodeError):
        return None
    namespace = root.tag.removesuffix(_ROOT)
    if root.tag != namespace + _ROOT:
        return None
    outer, inner, free = (namespace + tag for tag in ("Answer", _NAME, "FreeText"))
    found = []
    for answer in root:
        if answer.tag != outer or len(answer) != 2:
            return None
        name, value = answer
        if name.tag != inner or value.tag != free or len(name) or len(value):
            return None
        found.append((name.text or "", value.text or ""))
    return found


# In a str, the encoding that a document declares means nothing.
_UNDECLARED: Final = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True)


class _Expat:
    """Makes expat parsers that refuse a document type declaration.

    xmltodict refuses entity declarations by itself, but not the declaration that holds them.
    """

    @staticmethod
    def ParserCreate(  # noqa: N802 - the name that xmltodict calls
        encoding: str | None, namespace_separator: str | None
    ) -> xml.parsers.expat.XMLParserType:
        parser = xml.parsers.expat.ParserCreate(encoding, namespace_separator)
        parser.StartDoctypeDeclHandler = _refuse_doctype
        return parser


def _refuse_doctype(*_: object) -> NoReturn:
    raise ValueError("it has a document type declaration")


def _local(_path: object, key: str, value: _Value) -> tuple[str, _Value]:
    """Take the namespace off an element's name: only what is in it tells answers apart."""
    return key.rpartition(" ")[2], value


def _document(text: str, where: str) -> Mapping[str, object]:
    try:
        # A declared encoding means nothing in a str: xmltodict encodes it as UTF-8 and has
        # the parser read it as that.
        document: Mapping[str, object] = xmltodict.parse(
            text.lstrip(),  # nothing may stand before a declaration, but copies get indented
            expat=_Expat,
            process_namespaces=True,
            namespace_separator=" ",
            xml_attribs=False,
            strip_whitespace=False,
            force_list=("Answer", _NAME, *_KINDS),
            postprocessor=_local,
        )
    except xml.parsers.expat.ExpatError as error:
        _refuse(where, f"it is not well-formed XML: {error}", error)
    except (ValueError, UnicodeEncodeError) as error:
        _refuse(where, f"it can't be read: {error}", error)
    return document


def _answer(element: object, number: int, where: str) -> Answer:
    parts = element if isinstance(element, Mapping) else {}
    names = parts.get(_NAME, [])
    if len(names) != 1:
        _refuse(where, f"<Answer> number {number} has {len(names)} <{_NAME}>, not one")
    unknown = set(parts) - {_NAME, "#text", *_KINDS}
    kinds = {_KINDS[tag] for tag in parts if tag in _KINDS} or {"selection"}
    if unknown or len(kinds) > 1:
        tags = ", ".join(f"<{tag}>" for tag in parts if tag not in {_NAME, "#text"})
        _refuse(where, f"<Answer> number {number} holds {tags}, which is no kind of answer")
    values = [_text(part, where) for tag in _VALUES for part in parts.get(tag, [])]
    other = [_text(part, where) for part in parts.get(_OTHER_TEXT, [])]
    size = [_text(part, where) for part in parts.get(_SIZE, [])]
    return Answer(
        name=_text(names[0], where),
        values=tuple(values),
        kind=kinds.pop(),
        other_text="".join(other) if other else None,
        size_bytes=_size(size[0], where) if size else None,
    )


def _text(part: object, where: str) -> str:
    if isinstance(part, Mapping):
        _refuse(where, f"an answer's text holds elements: {', '.join(map(str, part))}")
    return "" if part is None else str(part)


def _size(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        _refuse(where, f"<{_SIZE}> is {text!r}, which is no number", error)


def _refuse(where: str, found: str, cause: Exception | None = None) -> NoReturn:
    file, colon, line = where.rpartition(":")
    numbered = bool(colon) and line.isdecimal()
    raise errors.AnswerError(
        errors.Finding(
            rule="unreadable-answer",
            file=file if numbered else where,
            line=int(line) if numbered else None,
            found=found,
            fix="save the results again, or mend the answer by hand",
        )
    ) from cause
