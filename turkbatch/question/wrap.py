"""From an HTML page to the HTMLQuestion that MTurk receives.

The page goes in one CDATA section, so nothing in it has to be escaped; a ``]]>`` of its
own is split over two sections, which a parser joins again.
"""

from __future__ import annotations

import re

HTML_QUESTION_NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
)

FRAME_HEIGHT_PIXELS = 0
"""0 has the frame fill the rest of the worker's window and follow its size, which suits any
page; a fixed height gives a second scroll bar (API, HTMLQuestion article)."""

_INVALID = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Not a Char of XML 1.0, https://www.w3.org/TR/xml/#charsets: control characters, lone
surrogates, U+FFFE and U+FFFF. No escape or reference lets a document hold them."""

_OPENING = f'<HTMLQuestion xmlns="{HTML_QUESTION_NAMESPACE}"><HTMLContent><![CDATA['
_CLOSING = f"]]></HTMLContent><FrameHeight>{FRAME_HEIGHT_PIXELS}</FrameHeight></HTMLQuestion>"


def html_question(html: str) -> str:
    """Wrap a page so that MTurk hosts it, every character as it is.

    Parameters
    ----------
    html : str
        The page; it holds no character that XML can't (see `invalid_character`).

    Returns
    -------
    str
        An HTMLQuestion document.
    """
    return f"{_OPENING}{html.replace(']]>', ']]]]><![CDATA[>')}{_CLOSING}"


def invalid_character(text: str) -> tuple[int, str] | None:
    """Find the first character that no XML document can hold.

    Returns
    -------
    (int, str) or None
        Its position, counted from 0, and its code point as ``U+000B``.
    """
    match = _INVALID.search(text)
    return None if match is None else (match.start(), f"U+{ord(match.group()):04X}")
