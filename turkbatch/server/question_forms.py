"""QuestionForm documents: what they ask, and what their schema can't say about them.

Used for HITs and for qualification tests.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_QuestionFormDataStructureArticle.html, ApiReference_FormattedContentXHTMLArticle.html.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from turkbatch.server import documents, refusals

NAMESPACES: Final = (
    f"{documents.SCHEMAS}2017-11-06/QuestionForm.xsd",
    f"{documents.SCHEMAS}2005-10-01/QuestionForm.xsd",
)
_XHTML: Final = "http://www.w3.org/1999/xhtml"
FORMATTED_TAGS: Final = frozenset(
    re.findall(
        r"\w+",
        "p h1 h2 h3 h4 h5 h6 ul ol dl pre hr blockquote center table"
        " a br img map area i b u s strike big small font sub sup em strong code q cite ins del"
        " li dt dd caption col colgroup thead tfoot tbody tr th td",
    )
)
_FORBIDDEN_ATTRIBUTE: Final = re.compile(r"on|style\Z|class\Z")


@dataclasses.dataclass(frozen=True)
class Asked:
    """One question of a form.

    Parameters
    ----------
    identifier : str
        QuestionIdentifier.
    kind : str
        FreeTextAnswer, SelectionAnswer or FileUploadAnswer.
    selections : tuple of str
        SelectionIdentifiers, in their order.
    other : bool
        Whether a text may be given beside them.
    """

    identifier: str
    kind: str
    selections: tuple[str, ...]
    other: bool


def check(root: etree._Element) -> None:
    """Hold a form against its schema and the rules beyond it.

    Parameters
    ----------
    root : etree._Element
        Named QuestionForm, in one of :data:`NAMESPACES`.

    Raises
    ------
    Refusal
        ParameterValidationError for the first fault.
    """
    documents.validate(root)
    for fault in _faults(root):
        raise refusals.xml_error(fault)
    for content in root.iter("{*}FormattedContent"):
        _check_formatted(content)


def asked(root: etree._Element) -> list[Asked]:
    """List a form's questions.

    Parameters
    ----------
    root : etree._Element
        A form that passed :func:`check`.

    Returns
    -------
    list of Asked
        In their order.
    """
    return [_asked(question) for question in root.iterfind("{*}Question")]


def _asked(question: etree._Element) -> Asked:
    answer = question.find("{*}AnswerSpecification/*")
    assert answer is not None, "the schema demands one"
    path = "{*}Selections/{*}Selection/{*}SelectionIdentifier"
    return Asked(
        identifier=question.findtext("{*}QuestionIdentifier") or "",
        kind=documents.local_name(answer),
        selections=tuple(element.text or "" for element in answer.iterfind(path)),
        other=answer.find("{*}Selections/{*}OtherSelection") is not None,
    )


def _faults(root: etree._Element) -> Iterator[str]:
    for question in root.iterfind("{*}Question"):
        answer = question.find("{*}AnswerSpecification/{*}SelectionAnswer")
        if answer is None:
            continue
        one = _asked(question)
        where = f"in question '{one.identifier}'"
        least = int(answer.findtext("{*}MinSelectionCount") or 1)
        most = int(answer.findtext("{*}MaxSelectionCount") or 1)
        choices = len(one.selections) + one.other
        if len(set(one.selections)) < len(one.selections):
            yield f"a SelectionIdentifier stands twice {where}"
        if least > most:
            yield f"MinSelectionCount is above MaxSelectionCount {where}"
        if most > choices:
            yield f"MaxSelectionCount is above the number of selections {where}"
        style = answer.findtext("{*}StyleSuggestion")
        if most > 1 and style in ("radiobutton", "dropdown"):
            yield f"a {style} takes one selection, not {most}, {where}"


def _check_formatted(content: etree._Element) -> None:
    fragment = f'<FormattedContent xmlns="{_XHTML}">{content.text or ""}</FormattedContent>'
    try:
        root = documents.parse(fragment, "FormattedContent")
    except refusals.Refusal as refusal:
        raise refusals.xhtml_error(refusal.message) from None
    for element in root.iterdescendants():
        if not isinstance(element.tag, str):  # an entity that nobody declared
            raise refusals.xhtml_error("an entity is not defined")
        name = documents.local_name(element)
        if name not in FORMATTED_TAGS:
            raise refusals.xhtml_error(f"the element '{name}' is not in the XHTML subset")
        for attribute in map(str, element.attrib):
            if _FORBIDDEN_ATTRIBUTE.match(attribute):
                raise refusals.xhtml_error(f"the attribute '{attribute}' is not allowed")
