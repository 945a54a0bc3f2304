"""Whether a page will work as a form: what MTurk takes, but workers stumble over.

Everything here is a warning, since pages are programs and scripts can do what tags do not
show; a rule keeps quiet where a script seems to see to its matter. Lines are those of the
rendered page.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from collections.abc import Iterator, Sequence

from turkbatch import errors
from turkbatch.question import complete, placeholders
from turkbatch.question.page import Page, Tag
from turkbatch.question.template import Template

CROWD_SCRIPT = "crowd-html-elements.js"

CROWD_WIDGETS = frozenset(
    {
        "crowd-bounding-box",
        "crowd-classifier",
        "crowd-classifier-multi-select",
        "crowd-entity-annotation",
        "crowd-image-classifier",
        "crowd-image-classifier-multi-select",
        "crowd-instance-segmentation",
        "crowd-keypoint",
        "crowd-line",
        "crowd-polygon",
        "crowd-polyline",
        "crowd-semantic-segmentation",
    }
)
CROWD_INPUTS = frozenset(
    {
        "crowd-checkbox",
        "crowd-input",
        "crowd-radio-button",
        "crowd-slider",
        "crowd-text-area",
        "crowd-toggle-button",
    }
)
CROWD_ELEMENTS = (
    CROWD_WIDGETS
    | CROWD_INPUTS
    | {
        "crowd-alert",
        "crowd-badge",
        "crowd-button",
        "crowd-card",
        "crowd-fab",
        "crowd-form",
        "crowd-icon-button",
        "crowd-instructions",
        "crowd-modal",
        "crowd-radio-group",
        "crowd-tab",
        "crowd-tabs",
        "crowd-toast",
    }
)
"""Crowd HTML elements, from
https://docs.aws.amazon.com/sagemaker/latest/dg/sms-ui-template-reference.html."""

SUBMIT_HOSTS = {"live": "www.mturk.com", "sandbox": "workersandbox.mturk.com"}
"""Where a form posts to, by environment."""

_GROUPS = frozenset({"radio", "checkbox", "crowd-radio-button", "crowd-checkbox"})
"""Kinds of field of which several may have one name."""

_RESOURCES = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
    **dict.fromkeys(CROWD_WIDGETS, "src"),
}
"""The attribute by which an element loads something."""

_MAKES_FIELDS = re.compile(
    r"""createElement|innerHTML|\.html\s*\(|\.append|insertAdjacentHTML|(?<!\[)name\s*=\s*\\?["']"""
)
_MADE_FIELD = re.compile(
    r"""(?:<(?:input|select|textarea)\b[^>]*?(?<![\w-])name\s*=|\.name\s*=(?!=)"""
    r"""|setAttribute\(\s*["']name["']\s*,)"""
    r"""\s*(?:\\?(?P<quote>["'`])(?P<name>[\w.:-]+)\\?(?P=quote)(?!\s*\+))?""",
    re.IGNORECASE,
)
"""Where a script gives a field its name: a whole text, or something that it computes."""
_MOST_NAMED = 5

_SETS_TARGET = re.compile(r"turkSetAssignmentID|turkSubmitTo|\.action\b|[\"']action[\"']")


def page(html: str, *, file: str, environment: str) -> list[errors.Finding]:
    """Lint a rendered page.

    Parameters
    ----------
    html : str
        The page of an HTMLQuestion, as rendered for one row.
    file : str
        The template's file, as the user knows it.
    environment : {"live", "sandbox", "local", "custom"}
        Where the batch will be created.

    Returns
    -------
    list of Finding
        Warnings, and notes where a script may see to what tags do not show.
    """
    read = Page(html)
    rules = (
        _fields(read, file),
        _scripted_fields(read, file),
        _repetitions(read, file),
        _submit(read, file),
        _assignment_id(read, file),
        _ill_formed(read, file),
        _insecure(read, file),
        _target(read, file, environment),
        _crowd(read, file),
    )
    return [finding for rule in rules for finding in rule]


def names(template: Template, columns: Sequence[str]) -> list[errors.Finding]:
    """Hold the names that a template uses against the fields of the data.

    Parameters
    ----------
    template : Template
        The template.
    columns : sequence of str
        Every field name of the data.

    Returns
    -------
    list of Finding
        ``unfilled-name`` for a name that no field fills, unless the template tests it or gives
        it a default; ``unused-field`` for the fields that nothing uses, those that may be
        misspelt apart.
    """
    used = template.names()
    unused = [column for column in columns if column not in used]
    unfilled = [name for name in used if name not in columns]
    near = {column: placeholders.did_you_mean(column, unfilled) for column in unused}
    return [
        *template.unfilled(columns),
        *(
            _unused([column], template.file, f"the template uses another name: {question}")
            for column, question in near.items()
            if question
        ),
        *_unused_for_no_reason([column for column in unused if not near[column]], template.file),
    ]


def _unused_for_no_reason(columns: Sequence[str], file: str) -> Iterator[errors.Finding]:
    if not columns:
        return
    fix = "nothing to do, if they are there for the results alone"
    if file.endswith(".j2") and not all(column.isidentifier() for column in columns):
        fix += "; Jinja2 finds names of letters, digits and _ alone"
    yield _unused(columns, file, fix)


def _unused(columns: Sequence[str], file: str, fix: str) -> errors.Finding:
    named = ", ".join(f'"{column}"' for column in columns)
    return _warning(
        "unused-field",
        file,
        None,
        f"nothing uses {'the field' if len(columns) == 1 else f'{len(columns)} fields:'} {named}",
        fix,
        "a field that nothing uses is kept with the results, but no worker sees it",
    )


def _warning(
    rule: str, file: str, line: int | None, found: str, fix: str, why: str
) -> errors.Finding:
    return errors.Finding(
        rule=rule, file=file, line=line, found=found, why=why, fix=fix, severity="warning"
    )


def _is_answer(tag: Tag) -> bool:
    """Whether a worker's answer can come from it."""
    if tag.get("name") in {"", "assignmentId"} or "disabled" in tag.attributes:
        return False
    return tag.is_field or tag.name in CROWD_INPUTS or tag.name in CROWD_WIDGETS


def _fields(page: Page, file: str) -> Iterator[errors.Finding]:
    if any(_is_answer(tag) for tag in page.tags):
        return
    found = "no field of the form has a name"
    fix = "give each input, select and textarea a name"
    why = "MTurk keeps the fields that have one, so nothing of an answer would come back"
    if _MAKES_FIELDS.search(page.script):
        yield dataclasses.replace(
            _warning("no-named-field", file, None, found, "see that the script names them", why),
            found="no field has a name as the page stands; its scripts may make them",
            severity="note",
        )
        return
    yield _warning("no-named-field", file, None, found, fix, why)


def _scripted_fields(page: Page, file: str) -> Iterator[errors.Finding]:
    """Name the fields that scripts make: they are none of the page's as it is served."""
    names = {found["name"] for found in _MADE_FIELD.finditer(page.script)}
    names -= {tag.get("name") for tag in page.tags}
    if not names:
        return
    plain = sorted(filter(None, names))
    named = ", ".join(f'"{name}"' for name in plain[:_MOST_NAMED])
    if len(plain) > _MOST_NAMED:
        named += f" and {len(plain) - _MOST_NAMED} more"
    computed = "fields whose names are computed" if None in names else ""
    yield dataclasses.replace(
        _warning(
            "scripted-fields",
            file,
            None,
            f"scripts make {' and '.join(filter(None, (named, computed)))}",
            "try the page in a browser, with preview-batch",
            "they come back as answers, but simulated workers run no scripts and leave them out",
        ),
        severity="note",
    )


def _repetitions(page: Page, file: str) -> Iterator[errors.Finding]:
    fields: dict[str, list[Tag]] = {}
    for tag in filter(_is_answer, page.tags):
        fields.setdefault(tag.get("name"), []).append(tag)
    for name, tags in fields.items():
        kinds = {tag.type if tag.name == "input" else tag.name for tag in tags}
        if len(tags) > 1 and not (len(kinds) == 1 and kinds <= _GROUPS):
            yield _warning(
                "repeated-field",
                file,
                tags[1].line,
                f'{len(tags)} fields are called "{name}"',
                "give each its own name",
                "MTurk joins the values of one name with |, or returns one of them alone",
            )


def _submit(page: Page, file: str) -> Iterator[errors.Finding]:
    if not complete.has_submit(page):
        yield _warning(
            "no-submit",
            file,
            None,
            "nothing on the page submits the form",
            'add <input type="submit" id="submitButton" value="Submit">',
            "a worker could not hand in the work",
        )


def _assignment_id(page: Page, file: str) -> Iterator[errors.Finding]:
    if page.has_crowd_form:
        return
    has_id = any(tag.get("id") == "assignmentId" for tag in page.tags)
    if not complete.has_assignment_field(page):
        found = "the form has no place for the assignment's id"
    elif "turkSetAssignmentID" in page.script and not (has_id or "assignmentId" in page.script):
        found = 'turkSetAssignmentID finds no element with the id "assignmentId"'
    else:
        return
    yield _warning(
        "no-assignment-id",
        file,
        None,
        found,
        f"add {complete.HIDDEN_FIELD} to the form, and turkSetAssignmentID() or a script like it",
        "MTurk takes no submission without it",
    )


def _ill_formed(page: Page, file: str) -> Iterator[errors.Finding]:
    if page.faults:
        first, *rest = page.faults
        more = f", and {len(rest)} more of the kind" if rest else ""
        yield _warning(
            "ill-formed-html",
            file,
            first.line,
            first.found + more,
            "mend the tags",
            "browsers guess what was meant, each in its way",
        )


def _insecure(page: Page, file: str) -> Iterator[errors.Finding]:
    for tag in page.tags:
        address = tag.get(_RESOURCES.get(tag.name, "")).strip()
        is_link = tag.name == "link" and "stylesheet" not in tag.get("rel").lower()
        if address.lower().startswith("http:") and not is_link:
            yield _warning(
                "insecure-resource",
                file,
                tag.line,
                f"<{tag.name}> loads {address}",
                "use an https address",
                "MTurk shows the page on its own https site, where browsers block http",
            )


def _target(page: Page, file: str, environment: str) -> Iterator[errors.Finding]:
    if page.has_crowd_form or _SETS_TARGET.search(page.script):
        return  # the target is set from turkSubmitTo, whatever the page says
    for form in page.named("form"):
        host = _host(form.get("action"))
        if host != SUBMIT_HOSTS.get(environment, ""):
            yield _warning(
                "wrong-submit-site",
                file,
                form.line,
                f'the form posts to "{form.get("action")}"',
                "call turkSetAssignmentID(), which takes the site from turkSubmitTo",
                f"work on a HIT of the {environment} environment is handed in elsewhere",
            )


def _host(address: str) -> str | None:
    try:
        return urllib.parse.urlsplit(address.strip()).hostname
    except ValueError:
        return None


def _crowd(page: Page, file: str) -> Iterator[errors.Finding]:
    crowd = [tag for tag in page.tags if tag.name.startswith("crowd-")]
    for tag in crowd:
        if tag.name not in CROWD_ELEMENTS:
            near = placeholders.did_you_mean(tag.name, CROWD_ELEMENTS)
            yield _warning(
                "unknown-crowd-element",
                file,
                tag.line,
                f"there is no <{tag.name}>",
                near or "use one of the Crowd HTML elements",
                "browsers show nothing for an element that they do not know",
            )
        if tag.name == "crowd-entity-annotation" and "crowd-form" in tag.within:
            yield _warning(
                "entity-annotation-in-form",
                file,
                tag.line,
                "<crowd-entity-annotation> stands in a <crowd-form>",
                "take the <crowd-form> away",
                "it brings a form of its own, and would not submit in another",
            )
    if crowd and CROWD_SCRIPT not in page.html:
        yield _warning(
            "no-crowd-script",
            file,
            crowd[0].line,
            f"<{crowd[0].name}> is used, but {CROWD_SCRIPT} is not loaded",
            'add <script src="https://assets.crowd.aws/crowd-html-elements.js"></script>',
            "without it, crowd elements show nothing and submit nothing",
        )
