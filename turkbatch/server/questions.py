"""Question XML: parsed without trust, and held against its kind's structure.

Which kind it is, is decided by root element and namespace.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_HTMLQuestionArticle.html, ApiReference_ExternalQuestionArticle.html,
ApiReference_QuestionFormDataStructureArticle.html and ApiReference_SchemaLocationArticle.html.
"""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import re
import urllib.parse
from typing import Final

from lxml import etree

from turkbatch.server import documents, question_forms, refusals

MAX_BYTES: Final = documents.MAX_BYTES
SCHEMAS: Final = documents.SCHEMAS

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*\Z", re.ASCII)


class Kind(enum.Enum):
    """The three documents that a Question may be."""

    HTML = "HTMLQuestion"
    EXTERNAL = "ExternalQuestion"
    FORM = "QuestionForm"


_ROOTS: Final = {
    f"{{{SCHEMAS}2011-11-11/HTMLQuestion.xsd}}HTMLQuestion": Kind.HTML,
    f"{{{SCHEMAS}2006-07-14/ExternalQuestion.xsd}}ExternalQuestion": Kind.EXTERNAL,
    f"{{{SCHEMAS}2017-11-06/QuestionForm.xsd}}QuestionForm": Kind.FORM,
    f"{{{SCHEMAS}2005-10-01/QuestionForm.xsd}}QuestionForm": Kind.FORM,
}
_CHILDREN: Final = {
    Kind.HTML: ["HTMLContent", "FrameHeight"],
    Kind.EXTERNAL: ["ExternalURL", "FrameHeight"],
}


@dataclasses.dataclass(frozen=True)
class Question:
    """A question that passed the checks.

    Parameters
    ----------
    kind : Kind
        Which document it is.
    content : str
        The page (HTMLQuestion), the address (ExternalQuestion), or the XML (QuestionForm).
    frame_height : int
        In pixels; 0 fills the window.
    root : etree._Element
        The parsed document.
    """

    kind: Kind
    content: str
    frame_height: int
    root: etree._Element

    @property
    def may_have_files(self) -> bool:
        """Whether workers may be asked for files."""
        return self.kind is Kind.FORM


def parse(question: str) -> Question:
    """Read a question.

    Parameters
    ----------
    question : str
        The XML, as a requester sent it.

    Returns
    -------
    Question
        Its kind and content.

    Raises
    ------
    Refusal
        If it is too short, too long, not well-formed, or not of any kind's structure.
    """
    root = documents.parse(question, "Question")
    kind = _ROOTS.get(str(root.tag))
    if kind is None:
        raise refusals.xml_error(_unknown_root(root))
    if kind is Kind.FORM:
        return _form(question, root)
    return _framed(kind, root)


def _unknown_root(root: etree._Element) -> str:
    name = etree.QName(root)
    where = f"in the namespace '{name.namespace}'" if name.namespace else "without a namespace"
    return (
        f"the root element '{name.localname}' {where} is none of HTMLQuestion, ExternalQuestion "
        "and QuestionForm in their namespaces"
    )


def _framed(kind: Kind, root: etree._Element) -> Question:
    expected = [f"{{{etree.QName(root).namespace}}}{name}" for name in _CHILDREN[kind]]
    if [str(child.tag) for child in root] != expected or _stray_text(root):
        raise refusals.xml_error(
            f"{kind.value} must hold exactly {' and '.join(_CHILDREN[kind])}, in this order"
        )
    content, height = root
    for leaf in (content, height):
        if len(leaf):
            name = etree.QName(leaf).localname
            raise refusals.xml_error(f"{name} must hold text alone; put HTML in a CDATA section")
    if not _INTEGER.match(height.text or ""):
        raise refusals.xml_error(f"'{height.text or ''}' is no FrameHeight: an integer is needed")
    text = content.text or ""
    if kind is Kind.EXTERNAL:
        text = text.strip()
        _check_address(text)
    return Question(kind, text, int((height.text or "0").strip()), root)


def _form(question: str, root: etree._Element) -> Question:
    namespace = etree.QName(root).namespace
    allowed = {f"{{{namespace}}}Overview", f"{{{namespace}}}Question"}
    if not len(root) or any(str(child.tag) not in allowed for child in root) or _stray_text(root):
        raise refusals.xml_error("QuestionForm must hold Overview and Question elements alone")
    question_forms.check(root)
    return Question(Kind.FORM, question, 0, root)


def _stray_text(root: etree._Element) -> bool:
    return any((text or "").strip() for text in [root.text, *(child.tail for child in root)])


def _check_address(address: str) -> None:
    # The documentation allows https alone. On this server a page under development may come
    # from the same machine, where http is all that one usually has.
    try:
        parts = urllib.parse.urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        raise refusals.xml_error(f"'{address}' is no ExternalURL") from None
    if not host or re.search(r"\s", address):
        raise refusals.xml_error(f"'{address}' is no ExternalURL: a full address is needed")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise refusals.xml_error(f"the ExternalURL '{address}' must use https")


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine.

    Parameters
    ----------
    host : str
        A name or an address, without port and brackets.

    Returns
    -------
    bool
        True for localhost, names under it, and loopback addresses. Nothing is looked up.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
