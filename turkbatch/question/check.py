"""Whether a rendered question is one that MTurk would take.

The document is parsed without entities, DTD or network, told from its root element and
namespace, and held against its schema in ``turkbatch/schemas``. What a schema can't say
(https, reserved parameters, counts that depend on one another) is checked here. Sources:
API reference, articles HTMLQuestion, ExternalQuestion and QuestionForm.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import ipaddress
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol, cast

from lxml import etree

from turkbatch import errors
from turkbatch.question import wrap

Kind = Literal["HTMLQuestion", "ExternalQuestion", "QuestionForm"]

SIZE_LIMIT_BYTES = 65_535
"""Of the whole Question string in UTF-8, wrapper and white space counted (API, CreateHIT)."""

_BASE = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"

NAMESPACES: dict[Kind, tuple[str, ...]] = {
    "HTMLQuestion": (wrap.HTML_QUESTION_NAMESPACE,),
    "ExternalQuestion": (f"{_BASE}/2006-07-14/ExternalQuestion.xsd",),
    "QuestionForm": (
        f"{_BASE}/2017-11-06/QuestionForm.xsd",
        f"{_BASE}/2005-10-01/QuestionForm.xsd",
    ),
}
"""The namespaces that each kind of question may have, the newest first."""

RESERVED_PARAMETERS = frozenset({"assignmentId", "hitId", "workerId", "turkSubmitTo"})
"""MTurk appends these to an ExternalURL itself."""

_QUOTED_LENGTH = 60


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a rendered question turned out to be.

    Parameters
    ----------
    kind : {"HTMLQuestion", "ExternalQuestion", "QuestionForm"} or None
        None where it is none of them.
    html : str or None
        The page of an HTMLQuestion.
    findings : tuple of Finding
        Every fault, none for a question that MTurk would take.
    """

    kind: Kind | None
    html: str | None
    findings: tuple[errors.Finding, ...]


class _LogEntry(Protocol):
    """An entry of lxml's error log, which its type stubs leave out."""

    message: str
    line: int


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a finding belongs: the row that was rendered, and the template that did it."""

    file: str
    line: int | None
    template: str
    field: str
    """The field that an advice names, for example."""

    def finding(
        self, rule: str, found: str, fix: str, *, why: str = "", at: int | None = None
    ) -> errors.Finding:
        where = f"line {at} of the rendered question: " if at else ""
        return errors.Finding(
            rule=rule, file=self.file, line=self.line, found=where + found, why=why, fix=fix
        )


def question(
    xml: str,
    *,
    file: str,
    line: int | None,
    template: str,
    suspects: Sequence[str] = (),
) -> Checked:
    """Check a rendered question's form, structure and size.

    Parameters
    ----------
    xml : str
        The question; it holds no character that XML can't.
    file, line : str, int or None
        The row that it was rendered from, which is where findings point.
    template : str
        The template's file, for the advice in findings.
    suspects : sequence of str
        Fields of the row that hold `&`, `<` or the end of a CDATA section.

    Returns
    -------
    Checked
        Its kind, its page and its faults.
    """
    place = _Place(file, line, template, suspects[0] if suspects else "name")
    oversize = tuple(size(xml, file=file, line=line))
    try:
        root = _parsed(xml)
    except etree.XMLSyntaxError as error:
        return Checked(None, None, (_ill_formed(xml, error, place), *oversize))
    kind = _kind(root)
    if kind is None:
        return Checked(None, None, (_unknown_root(root, place), *oversize))
    # One after the other: a schema can't be asked about entities, nor the rest about a
    # document that does not follow it.
    faults = (
        [*_doctype(root, place)]
        or [*_structure(root, place)]
        or [*_beyond_schema(kind, root, place)]
    )
    html = root.findtext("{*}HTMLContent") if kind == "HTMLQuestion" else None
    return Checked(kind, html, (*faults, *oversize))


def size(xml: str, *, file: str, line: int | None) -> Iterator[errors.Finding]:
    """Find whether a question is over MTurk's limit, which counts bytes after wrapping."""
    count = len(xml.encode(errors="surrogatepass"))
    if count > SIZE_LIMIT_BYTES:
        yield errors.Finding(
            rule="question-too-large",
            file=file,
            line=line,
            found=f"the question has {count:,} bytes, {count - SIZE_LIMIT_BYTES:,} more than"
            f" MTurk's limit of {SIZE_LIMIT_BYTES:,}",
            why="the limit counts the whole question, wrapper, white space and values included",
            fix="shorten the page or this row, or move scripts and images to https addresses",
        )


def _parsed(xml: str) -> etree._Element:
    # MTurk receives text, so a declared encoding means nothing: bytes of our own making
    # and a parser that is told so keep lxml from refusing such a declaration.
    return etree.fromstring(xml.encode(), _parser())


@functools.cache
def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=False,
    )


@functools.cache
def _schema(namespace: str) -> etree.XMLSchema:
    """Load the schema of a namespace; its last two parts are the file's name."""
    version, document = namespace.removesuffix(".xsd").split("/")[-2:]
    path = importlib.resources.files("turkbatch") / "schemas" / f"{document}-{version}.xsd"
    # By path, because the QuestionForm schemas include another file beside them.
    return etree.XMLSchema(file=str(path))


def _kind(root: etree._Element) -> Kind | None:
    name = etree.QName(root)
    for kind, namespaces in NAMESPACES.items():
        if name.localname == kind and name.namespace in namespaces:
            return kind
    return None


def _ill_formed(xml: str, error: etree.XMLSyntaxError, place: _Place) -> errors.Finding:
    line, column = error.position
    message = re.sub(r", line \d+, column \d+.*$", "", error.msg or "it is empty", flags=re.DOTALL)
    return place.finding(
        "ill-formed-xml",
        f"not well-formed XML: {message}{_excerpt(xml, line, column)}",
        _advice(message, place),
        why="MTurk parses the question and refuses one that is not well-formed",
        at=line or 1,
    )


def _excerpt(xml: str, line: int, column: int) -> str:
    """Quote the text around a place, as far as it stands in that line."""
    lines = xml.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    start = max(0, column - 1 - _QUOTED_LENGTH // 2)
    text = lines[line - 1][start : start + _QUOTED_LENGTH].strip()
    return f" at `{text}`" if text else ""


def _advice(message: str, place: _Place) -> str:
    escaped = f"{{{{ {place.field}|e }}}}"
    if "Entity" in message:
        return (
            f"in {place.template}, write & as &amp; outside of CDATA, and {escaped} where a field"
            " may hold & or <"
        )
    if "CDATA" in message or "]]>" in message:
        return f"in {place.template}, end each <![CDATA[ with one ]]>; {escaped} escapes a field"
    return f"mend {place.template}; {escaped} escapes a field that may hold & or <"


def _unknown_root(root: etree._Element, place: _Place) -> errors.Finding:
    name = etree.QName(root)
    for kind, namespaces in NAMESPACES.items():
        if name.localname == kind:
            found = f'"{name.namespace}"' if name.namespace else "no namespace"
            return place.finding(
                "wrong-namespace",
                f"<{kind}> is in {found}",
                f'write <{kind} xmlns="{namespaces[0]}">',
                why="MTurk tells by the namespace what a question is",
                at=_line(root),
            )
    return place.finding(
        "wrong-root",
        f"the outermost element is <{name.localname}>",
        "make it <HTMLQuestion>, <ExternalQuestion> or <QuestionForm> with its namespace; a plain"
        " page goes in a question.html.j2, which is wrapped for you",
        why="MTurk takes no other kind of question",
        at=_line(root),
    )


def _line(element: etree._Element) -> int | None:
    return cast("int | None", element.sourceline)


def _doctype(root: etree._Element, place: _Place) -> Iterator[errors.Finding]:
    if root.getroottree().docinfo.internalDTD is not None:
        yield place.finding(
            "doctype-in-question",
            "the question has a document type declaration of its own",
            "remove the <!DOCTYPE ...> before the first element; a page's own goes in its CDATA",
            why="entities that it declares are not read, here or by MTurk",
        )


def _structure(root: etree._Element, place: _Place) -> Iterator[errors.Finding]:
    schema = _schema(etree.QName(root).namespace or "")
    if schema.validate(root):
        return
    for entry in cast("Iterable[_LogEntry]", schema.error_log):
        yield place.finding(
            "wrong-structure",
            _in_words(entry.message),
            _structural_advice(entry.message),
            why="MTurk refuses a question that does not follow its schema",
            at=entry.line or _line(root),
        )


_SAYINGS: tuple[tuple[str, str], ...] = (
    (
        r"^Element '(\w+)': This element is not expected\. Expected is \( (\w+) \)\.$",
        r"<\1> stands where <\2> has to",
    ),
    (
        r"^Element '(\w+)': This element is not expected\. Expected is one of \( (.+) \)\.$",
        r"<\1> stands where one of \2 has to",
    ),
    (r"^Element '(\w+)': This element is not expected\.$", r"<\1> has no place here"),
    (
        r"^Element '(\w+)': Missing child element\(s\)\. Expected is \( (\w+) \)\.$",
        r"<\1> lacks a <\2>",
    ),
    (
        r"^Element '(\w+)': Missing child element\(s\)\. Expected is one of \( (.+) \)\.$",
        r"<\1> lacks one of \2",
    ),
    (
        r"^Element '(\w+)': Element content is not allowed, .*$",
        r"<\1> holds elements, but takes text alone",
    ),
    (
        r"^Element '(\w+)': Character content other than whitespace is not allowed .*$",
        r"<\1> holds text, but takes elements alone",
    ),
    (
        r"^Element '(\w+)', attribute '(\w+)': The attribute '\w+' is not allowed\.$",
        r'<\1> takes no attribute "\2"',
    ),
    (
        r"^Element '(\w+)': The attribute '(\w+)' is required but missing\.$",
        r'<\1> lacks the attribute "\2"',
    ),
    (
        r"^Element '(\w+)': Duplicate key-sequence \['(.*)'\] in unique .*$",
        r'the identifier "\2" is used for several questions',
    ),
    (
        r"^Element '(\w+)'(?:, attribute '\w+')?:"
        r" (?:\[facet [^]]*\] )?The value '(.*?)' .*{(.+)}\.$",
        r'<\1> is "\2", which is none of \3',
    ),
    (
        r"^Element '(\w+)': (?:\[facet [^]]*\] )?"
        r"'?(?:The value )?'?(.*?)' is not a valid value of the atomic type 'xs:(\w+)'\.$",
        r'<\1> is "\2", which is no \3',
    ),
    (
        r"^Element '(\w+)': \[facet 'pattern'\] The value '(.*?)' is not accepted .*$",
        r'<\1> is "\2", which does not begin with http:// or https://',
    ),
)
"""libxml2's messages, namespaces taken off, and how we say them."""


def _in_words(message: str) -> str:
    """Say a schema validator's message as one would to the author of the question."""
    plain = re.sub(r"\{http[^}]*\}", "", message).strip()
    for pattern, saying in _SAYINGS:
        words, count = re.subn(pattern, saying, plain, flags=re.DOTALL)
        if count:
            return words
    return plain.rstrip(".")


def _structural_advice(message: str) -> str:
    if "HTMLContent" in message and "Element content" in message:
        return "put the page between <![CDATA[ and ]]>"
    return "follow the order and types of the API reference's article on this question"


def _beyond_schema(kind: Kind, root: etree._Element, place: _Place) -> Iterator[errors.Finding]:
    if kind == "ExternalQuestion":
        yield from _external_url(root, place)
    if kind == "QuestionForm":
        for answer in root.iter("{*}SelectionAnswer"):
            yield from _selection(answer, place)
        for content in root.iter("{*}FormattedContent"):
            yield from _formatted_content(content, place)


def _external_url(root: etree._Element, place: _Place) -> Iterator[errors.Finding]:
    text = (root.findtext("{*}ExternalURL") or "").strip()
    url = _split(text)
    secure = url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname))
    if not (secure and url.hostname):
        yield place.finding(
            "insecure-url",
            f'the ExternalURL is "{text}"',
            "give a whole address that begins with https://",
            why="MTurk shows the page in a frame of its own https site, where browsers block"
            " anything else (http is taken for this machine alone, for trying out)",
        )
    given = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    for name in sorted(RESERVED_PARAMETERS.intersection(given)):
        yield place.finding(
            "reserved-parameter",
            f'the ExternalURL has a parameter "{name}"',
            "rename it",
            why="MTurk appends a parameter of this name itself",
        )


def _split(url: str) -> urllib.parse.SplitResult:
    """Take an address apart; one that can't be, such as ``https://[``, has no parts."""
    try:
        return urllib.parse.urlsplit(url)
    except ValueError:
        return urllib.parse.urlsplit("")


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _selection(answer: etree._Element, place: _Place) -> Iterator[errors.Finding]:
    """Check the counts and identifiers of one SelectionAnswer against each other."""
    path = "{*}Selections/{*}Selection/{*}SelectionIdentifier"
    identifiers = [element.text or "" for element in answer.findall(path)]
    most = int(answer.findtext("{*}MaxSelectionCount") or 1)
    least = int(answer.findtext("{*}MinSelectionCount") or 1)
    style = answer.findtext("{*}StyleSuggestion")
    choices = len(identifiers) + len(answer.findall("{*}Selections/{*}OtherSelection"))
    faults = [
        (least > most, f"MinSelectionCount is {least}, above MaxSelectionCount, which is {most}"),
        (most > choices, f"MaxSelectionCount is {most}, but there are {choices} selections"),
        (
            most > 1 and style in {"radiobutton", "dropdown"},
            f"MaxSelectionCount is {most}, but a {style} takes one",
        ),
        (
            len(set(identifiers)) < len(identifiers),
            "several selections of one question have the same SelectionIdentifier",
        ),
    ]
    for wrong, found in faults:
        if wrong:
            yield place.finding(
                "wrong-structure", found, "mend the SelectionAnswer", at=_line(answer)
            )


_XHTML = "http://www.w3.org/1999/xhtml"

_FORMATTED_TAGS = frozenset(
    re.findall(
        r"\w+",
        "p h1 h2 h3 h4 h5 h6 ul ol dl pre hr blockquote center table"
        " a br img map area i b u s strike big small font sub sup em strong code q cite ins del"
        " li dt dd caption col colgroup thead tfoot tbody tr th td",
    )
)
"""Tags of the XHTML subset in FormattedContent (API, article FormattedContent)."""


def _formatted_content(content: etree._Element, place: _Place) -> Iterator[errors.Finding]:
    """Check the page fragment in a FormattedContent, which MTurk parses as XML again."""
    fragment = f'<FormattedContent xmlns="{_XHTML}">{content.text or ""}</FormattedContent>'
    try:
        root = _parsed(fragment)
    except etree.XMLSyntaxError as error:
        message = re.sub(r", line \d+, column \d+.*$", "", error.msg or "", flags=re.DOTALL)
        yield place.finding(
            "wrong-structure",
            f"FormattedContent is not well-formed XHTML: {message}",
            "close every tag and write & as &amp; in it",
            at=_line(content),
        )
        return
    tags = {etree.QName(element).localname for element in root.iterdescendants(etree.Element)}
    for tag in sorted(tags - _FORMATTED_TAGS):
        yield place.finding(
            "wrong-structure",
            f"FormattedContent holds <{tag}>, which its XHTML subset does not have",
            "use the tags of the API reference's article FormattedContent",
            at=_line(content),
        )
