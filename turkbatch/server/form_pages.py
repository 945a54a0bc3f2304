"""A QuestionForm as a page that the worker site draws itself, and what its answers must meet.

HITs and qualification tests have such forms. The service promises to check nothing; this site
holds answers against the form's constraints, so that a requester sees what they amount to:

- A question that is not required may be left empty, unless it demands a minimum length.
- An AnswerFormatRegex is met if it is found anywhere in the answer: those of the
  documentation bring their own anchors. One that Python can't read is not held against.
- A question of several selections counts the text of OtherSelection as one of them.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_QuestionFormDataStructureArticle.html.
"""

from __future__ import annotations

import dataclasses
import decimal
import html
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from lxml import etree

from turkbatch.server import answers, documents, question_forms

PieceKind = Literal[
    "title", "text", "list", "formatted", "link", "image", "audio", "video", "application"
]
Layout = Literal["radio", "checkbox", "select"]

_XHTML: Final = "http://www.w3.org/1999/xhtml"
_EMPTY_TAGS: Final = {"br", "hr", "img", "area", "col"}
_ATTRIBUTES: Final = frozenset(
    re.findall(
        r"\w+",
        "abbr accesskey align alt axis bgcolor border cellpadding cellspacing char"
        " charoff cite clear color cols colspan compact coords datetime dir face frame"
        " headers height href hreflang hspace id ismap lang longdesc name noshade nowrap"
        " rows rowspan rules scope shape size span src start summary tabindex title type"
        " usemap valign value vspace width",
    )
)
_ADDRESSES: Final = {"cite", "href", "longdesc", "src", "usemap"}
_SCHEMES: Final = {"http", "https", "ftp", "news", "nntp", "mailto", "gopher", "telnet", ""}


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of a question's content, or of a selection's.

    Parameters
    ----------
    kind : str
        What it is.
    text : str
        Its text; HTML for "formatted"; the alternative text of media.
    items : tuple of str
        Of a list.
    address : str
        Of media.
    width, height : str
        Of embedded media, if they are numbers.
    """

    kind: PieceKind
    text: str = ""
    items: tuple[str, ...] = ()
    address: str = ""
    width: str = ""
    height: str = ""


@dataclasses.dataclass(frozen=True)
class Text:
    """A text to be written.

    Parameters
    ----------
    default : str
        What stands there at first.
    lines : int
        Height of the field.
    numeric : bool
        Whether it must be a number.
    minimum, maximum : int or None
        Bounds of the number, included.
    min_length, max_length : int or None
        Bounds of its characters.
    formats : tuple of (str, str, bool)
        Expressions, what to say if they are not met, and whether case plays no part.
    """

    default: str = ""
    lines: int = 1
    numeric: bool = False
    minimum: int | None = None
    maximum: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    formats: tuple[tuple[str, str, bool], ...] = ()


@dataclasses.dataclass(frozen=True)
class Selection:
    """Something that can be chosen.

    Parameters
    ----------
    identifier : str
        SelectionIdentifier.
    piece : Piece
        What is shown.
    """

    identifier: str
    piece: Piece


@dataclasses.dataclass(frozen=True)
class Choice:
    """Selections to choose from.

    Parameters
    ----------
    selections : tuple of Selection
        In their order.
    least, most : int
        How many may be chosen.
    layout : {"radio", "checkbox", "select"}
        How they are drawn.
    rows : int
        Of a select: 1 opens, more is a list.
    other : Text or None
        A text that may be given beside them.
    """

    selections: tuple[Selection, ...]
    least: int
    most: int
    layout: Layout
    rows: int = 1
    other: Text | None = None


@dataclasses.dataclass(frozen=True)
class File:
    """A file to be handed in.

    Parameters
    ----------
    least, most : int
        Bytes.
    """

    least: int
    most: int


@dataclasses.dataclass(frozen=True)
class Block:
    """An overview, or a question.

    Parameters
    ----------
    content : tuple of Piece
        What is shown.
    identifier : str
        QuestionIdentifier; empty for an overview.
    heading : str
        DisplayName.
    required : bool
        Whether it must be answered.
    answer : Text or Choice or File or None
        None for an overview.
    """

    content: tuple[Piece, ...]
    identifier: str = ""
    heading: str = ""
    required: bool = False
    answer: Text | Choice | File | None = None

    @property
    def kind(self) -> str:
        """Which answer it takes: text, choice, file, or none."""
        return "none" if self.answer is None else type(self.answer).__name__.lower()


def read(root: etree._Element) -> list[Block]:
    """Read a form.

    Parameters
    ----------
    root : etree._Element
        That passed :func:`turkbatch.server.question_forms.check`.

    Returns
    -------
    list of Block
        Overviews and questions in their order.
    """
    return [
        _question(element)
        if documents.local_name(element) == "Question"
        else Block(tuple(_pieces(element)))
        for element in root
    ]


def faults(
    blocks: Sequence[Block], fields: answers.Fields, file_bytes: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Hold answers against a form.

    Parameters
    ----------
    blocks : sequence of Block
        The form.
    fields : sequence of (str, str)
        As posted.
    file_bytes : Mapping, optional
        Sizes of the files that were handed in, by QuestionIdentifier.

    Returns
    -------
    dict
        What is wrong, by QuestionIdentifier; empty if nothing is.
    """
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value.replace("\r\n", "\n"))
    found = {}
    for block in blocks:
        given = values.get(block.identifier, [])
        match block.answer:
            case Text() as text:
                fault = _text_fault(text, "|".join(given), required=block.required)
            case Choice() as choice:
                fault = _choice_fault(choice, given, required=block.required)
            case File() as file:
                size = (file_bytes or {}).get(block.identifier)
                fault = _file_fault(file, size, required=block.required)
            case None:
                continue
        if fault:
            found[block.identifier] = fault
    return found


def _question(element: etree._Element) -> Block:
    content = element.find("{*}QuestionContent")
    answer = element.find("{*}AnswerSpecification/*")
    assert content is not None, "the schema demands it"
    assert answer is not None, "the schema demands it"
    return Block(
        content=tuple(_pieces(content)),
        identifier=element.findtext("{*}QuestionIdentifier") or "",
        heading=element.findtext("{*}DisplayName") or "",
        required=(element.findtext("{*}IsRequired") or "").strip() in ("true", "1"),
        answer=_answer(answer),
    )


def _answer(element: etree._Element) -> Text | Choice | File:
    match documents.local_name(element):
        case "FreeTextAnswer":
            return _text(element)
        case "SelectionAnswer":
            return _choice(element)
        case _:
            least = int(element.findtext("{*}MinFileSizeInBytes") or 1)
            return File(least, int(element.findtext("{*}MaxFileSizeInBytes") or 0))


def _text(element: etree._Element) -> Text:
    numeric = element.find("{*}Constraints/{*}IsNumeric")
    length = element.find("{*}Constraints/{*}Length")
    return Text(
        default=element.findtext("{*}DefaultText") or "",
        lines=int(element.findtext("{*}NumberOfLinesSuggestion") or 1),
        numeric=numeric is not None,
        minimum=_bound(numeric, "minValue"),
        maximum=_bound(numeric, "maxValue"),
        min_length=_bound(length, "minLength"),
        max_length=_bound(length, "maxLength"),
        formats=tuple(
            (
                one.get("regex", ""),
                one.get("errorText", "Invalid input supplied."),
                "i" in one.get("flags", ""),
            )
            for one in element.iterfind("{*}Constraints/{*}AnswerFormatRegex")
        ),
    )


def _bound(element: etree._Element | None, name: str) -> int | None:
    text = None if element is None else element.get(name)
    return None if text is None else int(text)


def _choice(element: etree._Element) -> Choice:
    selections = []
    for one in element.iterfind("{*}Selections/{*}Selection"):
        identifier, shown = one
        selections.append(Selection(identifier.text or "", next(_pieces([shown]))))
    other = element.find("{*}Selections/{*}OtherSelection")
    most = int(element.findtext("{*}MaxSelectionCount") or 1)
    style = element.findtext("{*}StyleSuggestion") or ""
    layout: Layout = "checkbox" if most > 1 else "radio"
    # A select holds text alone: pictures and the like are drawn beside buttons.
    plain = all(one.piece.kind == "text" for one in selections)
    if plain and style in ("list", "dropdown", "combobox", "multichooser"):
        layout = "select"
    elif style == "checkbox":
        layout = "checkbox"
    opens = most == 1 and style in ("dropdown", "combobox")
    return Choice(
        selections=tuple(selections),
        least=int(element.findtext("{*}MinSelectionCount") or 1),
        most=most,
        layout=layout,
        rows=1 if opens else max(2, min(len(selections), 8)),
        other=None if other is None else _text(other),
    )


def _pieces(content: etree._Element | Sequence[etree._Element]) -> Iterator[Piece]:
    for element in content:
        text = element.text or ""
        match documents.local_name(element):
            case "Title":
                yield Piece("title", text)
            case "Text":
                yield Piece("text", text)
            case "List":
                yield Piece("list", items=tuple(item.text or "" for item in element))
            case "FormattedContent":
                yield Piece("formatted", formatted(text))
            case "Binary":
                yield _media(element, "{*}MimeType", opens_apart=True)
            case "EmbeddedBinary":
                yield _media(element, "{*}EmbeddedMimeType", opens_apart=False)
            case "Application":
                address = element.findtext(".//{*}FlashMovieURL") or ""
                yield Piece("application", "Flash and Java do not run any more.", address=address)


def _media(element: etree._Element, mime_type: str, *, opens_apart: bool) -> Piece:
    kinds: dict[str, PieceKind] = {"image": "image", "audio": "audio", "video": "video"}
    kind = kinds.get((element.findtext(f"{mime_type}/{{*}}Type") or "").strip().lower(), "link")
    sizes = [element.findtext(f"{{*}}{name}") or "" for name in ("Width", "Height")]
    width, height = (size if size.isascii() and size.isdigit() else "" for size in sizes)
    return Piece(
        "link" if opens_apart and kind != "image" else kind,
        element.findtext("{*}AltText") or "",
        address=(element.findtext("{*}DataURL") or "").strip(),
        width=width,
        height=height,
    )


def formatted(text: str) -> str:
    """Turn FormattedContent into HTML that can do nothing but look like something.

    Parameters
    ----------
    text : str
        XHTML that passed the check of its form.

    Returns
    -------
    str
        HTML of the subset's elements and attributes alone; links open apart.
    """
    root = documents.parse(
        f'<FormattedContent xmlns="{_XHTML}">{text}</FormattedContent>', "FormattedContent"
    )
    return _inner(root)


def _inner(element: etree._Element) -> str:
    parts = [html.escape(element.text or "", quote=False)]
    for child in element:
        if isinstance(child.tag, str):
            parts.append(_outer(child))
        parts.append(html.escape(child.tail or "", quote=False))
    return "".join(parts)


def _outer(element: etree._Element) -> str:
    name = documents.local_name(element)
    if name not in question_forms.FORMATTED_TAGS:
        return _inner(element)
    attributes = {
        str(key): str(value)
        for key, value in element.attrib.items()
        if str(key) in _ATTRIBUTES and (str(key) not in _ADDRESSES or _is_harmless(str(value)))
    }
    if "href" in attributes:
        attributes |= {"target": "_blank", "rel": "noopener noreferrer"}
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    if name in _EMPTY_TAGS:
        return f"<{name}{written}>"
    return f"<{name}{written}>{_inner(element)}</{name}>"


def _is_harmless(address: str) -> bool:
    # Browsers skip such characters before they look for a scheme.
    try:
        return urllib.parse.urlsplit(re.sub(r"[\x00-\x20]", "", address)).scheme in _SCHEMES
    except ValueError:
        return False


def _text_fault(text: Text, value: str, *, required: bool) -> str:
    if not value.strip():
        needed = required or bool(text.min_length)
        return "An answer is needed." if needed else ""
    if text.numeric and (fault := _number_fault(text, value)):
        return fault
    if text.min_length is not None and len(value) < text.min_length:
        return f"At least {text.min_length} characters are needed; there are {len(value)}."
    if text.max_length is not None and len(value) > text.max_length:
        return f"At most {text.max_length} characters fit; there are {len(value)}."
    for expression, message, ignore_case in text.formats:
        try:
            met = re.search(expression, value, re.IGNORECASE if ignore_case else 0)
        except (re.error, RecursionError, OverflowError):
            continue
        if not met:
            return message
    return ""


def _number_fault(text: Text, value: str) -> str:
    try:
        number = decimal.Decimal(value.strip())
    except decimal.InvalidOperation:
        return "A number is needed."
    if not number.is_finite():
        return "A number is needed."
    if text.minimum is not None and number < text.minimum:
        return f"A number of at least {text.minimum} is needed."
    if text.maximum is not None and number > text.maximum:
        return f"A number of at most {text.maximum} is needed."
    return ""


def _choice_fault(choice: Choice, given: Sequence[str], *, required: bool) -> str:
    known = {one.identifier for one in choice.selections}
    others = [value for value in given if value and value not in known]
    count = len(known.intersection(given)) + bool(others)
    if others and choice.other is None:
        return "Something was chosen that is not among the selections."
    if others and choice.other is not None:
        fault = _text_fault(choice.other, "|".join(others), required=False)
        if fault:
            return fault
    if count == 0:
        return "Choose one." if required else ""
    if not choice.least <= count <= choice.most:
        if choice.least == choice.most:
            return f"Choose {choice.least}; {count} are chosen."
        return f"Choose {choice.least} to {choice.most}; {count} are chosen."
    return ""


def _file_fault(file: File, size: int | None, *, required: bool) -> str:
    if size is None:
        return "A file is needed." if required else ""
    if not file.least <= size <= file.most:
        return f"The file must have {file.least} to {file.most} bytes; it has {size}."
    return ""
