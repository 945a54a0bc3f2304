"""From the fields that a worker's page posts to the answer XML that the requester reads.

Source: recorded Answer documents, and
https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_QuestionFormAnswersDataStructureArticle.html

- ``assignmentId``, ``hitId`` and ``turkSubmitTo`` are the site's own and are dropped.
  ``workerId`` is documented as reserved too, but a posted one was recorded among the
  answers: it stays.
- Fields keep the order in which they were posted; empty ones stay, as an empty FreeText.
- Values of one name are joined with a bar, as in results of the requester website.
- The document has the newest recorded form: ASCII, on one line, other characters as numeric
  references. That keeps carriage returns, too, which a parser would otherwise turn into
  line feeds.
- What XML cannot hold at all (most control characters) becomes U+FFFD, so that one pasted
  character doesn't lose a worker's whole answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from lxml import etree

from turkbatch.server import questions, uploads

NAMESPACE: Final = f"{questions.SCHEMAS}2005-10-01/QuestionFormAnswers.xsd"
Fields = Sequence[tuple[str, str]]
"""Names and values in the order in which a browser posts them."""

_RESERVED: Final = {"assignmentId", "hitId", "turkSubmitTo"}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def document(
    fields: Fields, question: questions.Question, files: Sequence[uploads.File] = ()
) -> str:
    """Write the answer to a question.

    Parameters
    ----------
    fields : sequence of (str, str)
        As posted.
    question : questions.Question
        What was asked: a QuestionForm's selections have elements of their own.
    files : sequence of uploads.File
        Handed in with it.

    Returns
    -------
    str
        QuestionFormAnswers XML; empty if nothing was answered, since the schema has no
        document without answers.
    """
    values: dict[str, list[str]] = {}
    for name, value in fields:
        if name not in _RESERVED:
            values.setdefault(name, []).append(value)
    if question.kind is questions.Kind.FORM:
        answers = _form_answers(values, question)
    else:
        answers = [_answer(name, _element("FreeText", "|".join(v))) for name, v in values.items()]
    answers += [_answer(file.question_identifier, _file(file)) for file in files]
    if not answers:
        return ""
    return (
        '<?xml version="1.0" encoding="ASCII"?>'
        f'<QuestionFormAnswers xmlns="{NAMESPACE}">{"".join(answers)}</QuestionFormAnswers>'
    )


def file_bounds(question: questions.Question, identifier: str) -> tuple[int, int]:
    """Tell how large a file may be that answers a question.

    Parameters
    ----------
    question : questions.Question
        A QuestionForm.
    identifier : str
        QuestionIdentifier.

    Returns
    -------
    tuple of (int, int)
        The least and the most bytes; none fits (1, 0) where no file is asked for.
    """
    for one in question.root.iterfind("{*}Question"):
        wanted = one.find("{*}AnswerSpecification/{*}FileUploadAnswer")
        if one.findtext("{*}QuestionIdentifier") == identifier and wanted is not None:
            least = int(wanted.findtext("{*}MinFileSizeInBytes") or 1)
            return least, int(wanted.findtext("{*}MaxFileSizeInBytes") or 0)
    return 1, 0


def _file(file: uploads.File) -> str:
    size = _element("UploadedFileSizeInBytes", str(len(file.content)))
    return size + _element("UploadedFileKey", file.key)


def _form_answers(values: dict[str, list[str]], question: questions.Question) -> list[str]:
    namespaces = {"q": str(etree.QName(question.root).namespace)}
    options: dict[str, set[str]] = {}
    for element in question.root.iterfind("q:Question", namespaces):
        name = element.findtext("q:QuestionIdentifier", "", namespaces)
        if element.find("q:AnswerSpecification/q:SelectionAnswer", namespaces) is not None:
            found = element.iterfind(".//q:SelectionIdentifier", namespaces)
            options[name] = {option.text or "" for option in found}
    answers = []
    # A selection that nobody made is answered, too, by its identifier alone.
    for name in [*values, *(name for name in options if name not in values)]:
        if name in options:
            answers.append(_answer(name, _selection(values.get(name, []), options[name])))
        else:
            answers.append(_answer(name, _element("FreeText", "|".join(values[name]))))
    return answers


def _selection(chosen: Iterable[str], options: set[str]) -> str:
    values = list(chosen)
    parts = [_element("SelectionIdentifier", value) for value in values if value in options]
    # The text field beside the options has the question's name, like them.
    other = [value for value in values if value and value not in options]
    return "".join(parts) + (_element("OtherSelectionText", "|".join(other)) if other else "")


def _answer(name: str, content: str) -> str:
    return f"<Answer>{_element('QuestionIdentifier', name)}{content}</Answer>"


def _element(name: str, text: str) -> str:
    return f"<{name}>{escaped(text)}</{name}>" if text else f"<{name}/>"


def escaped(text: str) -> str:
    """Write a text as it stands in an answer.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    str
        ASCII; what XML cannot hold is replaced.
    """
    allowed = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    marked = "".join(_ESCAPED.get(character, character) for character in allowed)
    return marked.encode("ascii", "xmlcharrefreplace").decode()
