"""XML that others sent: parsed without trust, and held against its schema.

Nothing outside a document is ever read: no entity is resolved, no DTD loaded, no address
opened; a document with a DTD is refused as a whole. The schemas are turkbatch's own, written
from the API reference, in ``turkbatch/schemas``.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_XMLParameterValuesArticle.html, ApiReference_SchemaLocationArticle.html.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import threading
from collections.abc import Iterable
from typing import Final, cast

from lxml import etree

from turkbatch.server import refusals

MAX_BYTES: Final = 65_535
"""Of a question, a test or an answer key, white space counted (API model, CreateHIT)."""
SCHEMAS: Final = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
"""What the namespaces of all documents begin with."""

_NAMESPACE = re.compile(re.escape(SCHEMAS) + r"([0-9-]+)/([A-Za-z]+)\.xsd\Z")
# A schema object keeps the errors of its last document.
_validating = threading.Lock()


def parse(text: str, parameter: str) -> etree._Element:
    """Parse a document.

    Parameters
    ----------
    text : str
        The XML.
    parameter : str
        Under which it was sent, for the error.

    Returns
    -------
    etree._Element
        Its root, without comments and processing instructions.

    Raises
    ------
    Refusal
        If it is empty, too long, not well-formed, or has a document type declaration.
    """
    if not text:
        raise refusals.too_short(parameter, 1)
    if len(text.encode()) > MAX_BYTES:
        raise refusals.too_long(parameter, MAX_BYTES)
    # The parameter is text already: an encoding that its XML declaration names is not its own.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise refusals.xml_error(str(error.msg)) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise refusals.xml_error("a document type declaration is not allowed")
    return root


def validate(root: etree._Element) -> None:
    """Hold a document against the schema that its namespace names.

    Parameters
    ----------
    root : etree._Element
        In one of the service's namespaces.

    Raises
    ------
    Refusal
        ParameterValidationError with the first thing that the schema does not allow.
    """
    schema = _schema(str(etree.QName(root).namespace))
    with _validating:
        if schema.validate(root):
            return
        message = _first(schema)
    raise refusals.xml_error(_readable(message))


@functools.cache
def _schema(namespace: str) -> etree.XMLSchema:
    match = _NAMESPACE.match(namespace)
    assert match is not None, "callers have told the document by its namespace"
    version, document = match.groups()
    path = importlib.resources.files("turkbatch") / "schemas" / f"{document}-{version}.xsd"
    # By path, because the QuestionForm schemas include another file beside them.
    return etree.XMLSchema(file=str(path))


def _first(schema: etree.XMLSchema) -> str:
    entry = next(iter(cast("Iterable[object]", schema.error_log)), "")
    return str(entry)


def _readable(entry: str) -> str:
    """Leave a log entry's message, with names as the document has them."""
    return re.sub(r"\{[^}]*\}", "", re.sub(r"^.*?:ERROR:\w+:\w+: ", "", entry))


def local_name(element: etree._Element) -> str:
    """Tell an element's name without its namespace.

    Parameters
    ----------
    element : etree._Element
        Of any document.

    Returns
    -------
    str
        Such as ``Question``.
    """
    return str(etree.QName(element).localname)
