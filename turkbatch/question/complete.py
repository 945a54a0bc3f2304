"""What the requester website adds to a layout, and the API does not.

On the website a layout may be the inside of a form alone. The site puts the form around it,
with the hidden field for the assignment's id, the submit button, and the script that fills
the field and says where to post. Each is added here when the layout lacks it; what a layout
has of its own is left alone, and one with a crowd-form lacks nothing.
"""

from __future__ import annotations

import re

from turkbatch import errors
from turkbatch.question.page import Page, Tag

FORM_OPENING = '<form name="mturk_form" id="mturk_form" method="post">'
FORM_CLOSING = "</form>"
HIDDEN_FIELD = '<input type="hidden" name="assignmentId" id="assignmentId" value="">'
SUBMIT_BUTTON = '<p><input type="submit" id="submitButton" value="Submit"></p>'
SCRIPT = r"""<script>
(function () {
  var asked = new URLSearchParams(window.location.search);
  var id = asked.get("assignmentId") || "", host = asked.get("turkSubmitTo") || "";
  var field = document.querySelector('[name="assignmentId"]'), form = field.form;
  if (!/^(https?:)?\/\//.test(host)) host = "https://www.mturk.com";
  field.value = id;
  form.setAttribute("method", "post");
  form.setAttribute("action", host.replace(/\/$/, "") + "/mturk/externalSubmit");
  if (id === "" || id === "ASSIGNMENT_ID_NOT_AVAILABLE")
    form.querySelectorAll('[type="submit"]').forEach(function (button) {
      button.disabled = true;
      button.value = "You must ACCEPT the HIT before you can submit the results.";
    });
})();
</script>
"""
"""Does what MTurk's externalHIT_v1.js does, without depending on its address."""

_MAKES_FORM = re.compile(r"""createElement\(\s*["']form["']|<form\b""", re.IGNORECASE)
_SUBMITS = re.compile(
    r"""\.\s*(?:submit|requestSubmit)\s*\(|type\\?=\\?["']?submit""", re.IGNORECASE
)
_ASSIGNMENT_ID = re.compile(r"assignmentId|turkSetAssignmentID")


def makes_form(page: Page) -> bool:
    """Whether a script of the page seems to build the form."""
    return bool(_MAKES_FORM.search(page.script))


def has_submit(page: Page) -> bool:
    """Whether the page can be submitted: by a control, crowd-form or a script."""
    return (
        page.has_crowd_form
        or any(tag.submits for tag in page.tags)
        or bool(_SUBMITS.search(page.script))
    )


def has_assignment_field(page: Page) -> bool:
    """Whether the page has the field for the assignment's id, or a script that makes it."""
    return any(tag.get("name") == "assignmentId" for tag in page.tags) or bool(
        re.search("assignmentId", page.script)
    )


def fills_assignment_id(page: Page) -> bool:
    """Whether a script of the page sees to the assignment's id."""
    return bool(_ASSIGNMENT_ID.search(page.script))


def complete(html: str, *, file: str) -> tuple[str, tuple[errors.Finding, ...]]:
    """Add to a layout what the requester website would.

    Parameters
    ----------
    html : str
        The layout.
    file : str
        Its file, as the user knows it.

    Returns
    -------
    (str, tuple of Finding)
        The layout with the additions, and one note for each of them.
    """
    page = Page(html)
    if page.has_crowd_form or makes_form(page):
        return html, ()
    form = next(page.named("form"), None)
    lacks_field = not has_assignment_field(page)
    lacks_submit = not has_submit(page)
    lacks_script = not fills_assignment_id(page)

    before = (FORM_OPENING if form is None else "") + (HIDDEN_FIELD if lacks_field else "")
    after = (SUBMIT_BUTTON if lacks_submit else "") + (FORM_CLOSING if form is None else "")
    start, body_end = _inside_body(page)
    end = body_end
    if form is not None:
        start, end = _inside_form(page, form)
        body_end = max(body_end, end)
    pieces = [html[:start], before, html[start:end], after, html[end:body_end]]
    completed = "".join([*pieces, SCRIPT if lacks_script else "", html[body_end:]])

    lacking = (
        (form is None, "the layout has no form", "one is put around it"),
        (lacks_field, "the layout has no field for the assignment's id", "a hidden one is added"),
        (lacks_submit, "the layout has no submit button", "one is added at its end"),
        (lacks_script, "no script fills in the assignment's id", "one is added at the end"),
    )
    return completed, tuple(_note(file, found, fix) for lacks, found, fix in lacking if lacks)


def _note(file: str, found: str, fix: str) -> errors.Finding:
    return errors.Finding(
        rule="completed-layout",
        file=file,
        found=found,
        why="the requester website adds it to a layout, but MTurk's API does not",
        fix=fix,
        severity="note",
    )


def _inside_form(page: Page, form: Tag) -> tuple[int, int]:
    ends = [position for name, position in page.ends if name == "form" and position >= form.end]
    return form.end, ends[0] if ends else _inside_body(page)[1]


def _inside_body(page: Page) -> tuple[int, int]:
    """Find where the body's content begins and ends, tagged or not."""
    body = next(page.named("body"), None)
    heads = [position + len("</head>") for name, position in page.ends if name == "head"]
    root = next(page.named("html"), None)
    doctype = re.match(r"\s*<!doctype[^>]*>", page.html, re.IGNORECASE)
    starts = [
        body.end if body else 0,
        heads[0] if heads else 0,
        root.end if root else 0,
        doctype.end() if doctype else 0,
    ]
    start = next(filter(None, starts), 0)
    ends = [position for name, position in page.ends if name in {"body", "html"}]
    return start, next((end for end in ends if end >= start), len(page.html))
