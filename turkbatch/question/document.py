"""A document that one template makes from all rows at once, such as a qualification test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from turkbatch import errors
from turkbatch.question import jinja as sandbox


def render(path: Path, rows: Sequence[Mapping[str, object]]) -> str:
    """Render an XML template with all rows of its data; values are escaped.

    Parameters
    ----------
    path : Path
        The template; what it includes is read from its directory alone.
    rows : sequence of mapping
        What the template sees as ``rows``, one object a line of the data.

    Returns
    -------
    str
        The document, not checked.

    Raises
    ------
    DefinitionError
        If the template is not valid, uses a name that is not there, or fails.
    """
    try:
        template = sandbox.JinjaTemplate(path.parent, path.name, autoescape=True)
        return template.fill({"rows": list(rows)})
    except jinja2.TemplateSyntaxError as error:
        found = f"not valid Jinja2: {(error.message or '').rstrip('.')}"
        raise errors.DefinitionError(
            errors.Finding(
                "template-syntax", str(path), found, "mend the template", line=error.lineno
            )
        ) from error
    # A template is a program of the user's, whose expressions can raise anything.
    except Exception as error:
        message = str(error).rstrip(".") or type(error).__name__
        fix = 'mend the template; it sees the data as "rows", one object a line'
        raise errors.DefinitionError(
            errors.Finding("template-error", str(path), f"fails: {message}", fix)
        ) from error
