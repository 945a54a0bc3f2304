"""A task's page as a worker's browser gets it: its address, its parameters, its scripts.

The scripts that pages load from AWS are answered by stand-ins of our own, so that a task can
be looked at without leaving the machine; their addresses are exchanged in script tags alone.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_ExternalQuestionArticle.html and ApiReference_HTMLQuestionArticle.html.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import Final, Literal

from turkbatch.server import questions

PREVIEW: Final = "ASSIGNMENT_ID_NOT_AVAILABLE"
"""The assignmentId of a page that was not accepted."""
# Left out on purpose: allow-modals, since a dialog at every turn, or one against leaving, holds a
# worker (Chromium shows none of a frame of another origin anyway), and allow-top-navigation with
# its variants, by which a page could lead the worker to one that passes for the site. After a
# submission the site's own page in the frame asks the page around it to go on.
FRAME_RIGHTS: Final = "allow-scripts allow-forms allow-same-origin allow-popups allow-downloads"
"""What a task's frame may do, on a site of its own."""
POLICY_WITHOUT_ORIGIN: Final = "sandbox allow-scripts allow-forms allow-popups allow-downloads"
"""Content-Security-Policy that gives a page an origin which nobody else has."""
STAND_INS: Final[Mapping[str, str]] = {
    "crowd-html-elements.js": "https://assets.crowd.aws/crowd-html-elements.js",
    "externalHIT_v1.js": "https://s3.amazonaws.com/mturk-public/externalHIT_v1.js",
}
"""Scripts that the server has in place of others: file name and the address it stands for."""

CrowdElements = Literal["local", "cdn"]
"""Where a page's Crowd HTML Elements come from: this server, or AWS as the page says."""

_SCRIPT_TAG: Final = re.compile(r"<script\b[^>]*>", re.IGNORECASE)
_CROWD: Final = "crowd-html-elements.js"


def rewritten(page: str, crowd_elements: CrowdElements = "local", base: str = "/") -> str:
    """Exchange the addresses of AWS's scripts.

    Parameters
    ----------
    page : str
        HTML.
    crowd_elements : {"local", "cdn"}
        "cdn" leaves the address of the Crowd HTML Elements as it is.
    base : str
        Where the stand-ins are, with a slash at its end.

    Returns
    -------
    str
        The page; all but its script tags as it was.
    """

    def exchange(tag: re.Match[str]) -> str:
        text = tag.group()
        for name, address in STAND_INS.items():
            if name == _CROWD and crowd_elements == "cdn":
                continue
            anywhere = re.escape(address.removeprefix("https:"))
            text = re.sub(rf"(?:https?:)?{anywhere}", base + name, text)
        return text

    return _SCRIPT_TAG.sub(exchange, page)


def query(
    hit_id: str, submit_to: str, *, assignment_id: str = PREVIEW, worker_id: str | None = None
) -> str:
    """Write the parameters that a task's page is given.

    Parameters
    ----------
    hit_id : str
        The HIT.
    submit_to : str
        Scheme and host to which answers are posted.
    assignment_id : str
        The accepted assignment.
    worker_id : str, optional
        Who accepted it; a preview has none.

    Returns
    -------
    str
        The query of an address, in the order that was seen in every saved page.
    """
    values = {"assignmentId": assignment_id, "hitId": hit_id}
    if worker_id is not None:
        values["workerId"] = worker_id
    return urllib.parse.urlencode(values | {"turkSubmitTo": submit_to})


def address(question: questions.Question, parameters: str, origin: str = "") -> str:
    """Tell where a frame finds a task's page.

    Parameters
    ----------
    question : questions.Question
        An HTMLQuestion or ExternalQuestion.
    parameters : str
        From :func:`query`.
    origin : str
        Where the server has the pages of HTMLQuestions.

    Returns
    -------
    str
        An address; the query that an ExternalURL has comes first.
    """
    if question.kind is questions.Kind.HTML:
        return f"{origin}/dynamic/hit?{parameters}"
    parts = urllib.parse.urlsplit(question.content)
    both = "&".join(filter(None, [parts.query, parameters]))
    return urllib.parse.urlunsplit(parts._replace(query=both))
