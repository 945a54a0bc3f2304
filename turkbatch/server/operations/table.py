"""The table of all operations, written from the code itself: ``OPERATIONS.md``.

Run ``python -m turkbatch.server.operations.table`` after any change of an operation's
docstring; a test fails as long as the file says something else.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from turkbatch.server import (
    answers,
    bounds,
    grading,
    lifecycle,
    notifying,
    operations,
    policies,
    qualifying,
    requirements,
)

FILE: Final = Path(__file__).parents[1] / "OPERATIONS.md"

_CHOOSING: Final = (
    lifecycle,
    answers,
    grading,
    requirements,
    qualifying,
    policies,
    notifying,
)
"""Modules whose own docstrings list choices, after the line that ends in a colon."""

_DIFFERENCES: Final = (
    "An account begins with 10,000.00 dollars as in the sandbox, but the money is really spent; "
    f"rewards and bonuses beyond {bounds.MAX_REWARD_CENTS // 100:,} dollars are refused.",
    "Any id of MTurk's form is a worker who exists, unless the service is told to know its "
    "workers (`known_workers_only`). People with an account here, or from a recruiting link, may "
    "have ids of another form, up to 64 letters, digits and `._-`; requests may name them.",
    "Who is erased has another WorkerId from then on, in answers, bonuses and blocks too.",
    "Locale, Masters, adult content and work done elsewhere are set by `worker.register`; "
    "nothing finds them out. Simulated workers pass for whatever system types require.",
    "HITs that require premium qualifications can't be made, since those types don't exist here.",
    "In the embedded server of `--local`, ids in the service's form pass for qualification types "
    "of other requesters (`foreign_types`), so that published definitions can be tried out.",
    "Layouts are made by `layouts.add`, not on a website.",
    "An ExternalQuestion may use http for this machine alone, for trying out.",
    "What is created is listed at once, unless the fault plan says otherwise; no operation is "
    "refused in the first seconds of a HIT.",
    "Requests are not throttled, and there are no daily limits, unless the fault plan says so.",
    "Nobody is mailed: messages to workers are for the worker's site, and notifications by Email "
    "are logged alone.",
    "Automatic approval happens at its own moment, not up to five minutes later.",
    "Review policies, ReviewStatus and HITs may be used on every HIT: there are none of the "
    "requester website's, which the API may not review.",
    "Errors that are only documented for the API before this one have its codes, in "
    "`TurkErrorCode`.",
)


def text() -> str:
    """Write the table.

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        "# The operations of the API",
        "",
        "Written by `python -m turkbatch.server.operations.table` from the docstrings of the code;",
        "don't edit it. *Unconfirmed* marks what no source says: a choice of this server's.",
        f"All {len(operations.TABLE)} operations of the API 2017-01-17 are here.",
        "",
        "## Operation by operation",
        "",
        "| operation | what it does | refusals | returns, choices and differences |",
        "| --- | --- | --- | --- |",
        *(_row(name) for name in sorted(operations.TABLE)),
        "",
        "Every operation also refuses what breaks the model (ValidationException), a body that is",
        "no JSON (SerializationException), and a key or signature that is wrong, where keys are",
        "demanded. Database trouble is a ServiceFault with status 500.",
        "",
        "## Choices",
        "",
    ]
    for module in _CHOOSING:
        lines += [f"### {_title(module)}", "", *_choices(module), ""]
    lines += ["## What is known to differ", "", *(f"- {one}" for one in _DIFFERENCES), ""]
    return "\n".join(lines)


def write() -> None:
    """Write the file anew."""
    FILE.write_text(text(), encoding="utf-8")


def _row(name: str) -> str:
    sections = _sections(operations.TABLE[name].carry_out)
    notes = [part for part in sections["Notes"] if not part.startswith("https://")]
    page = next((part for part in sections["Notes"] if part.startswith("https://")), "")
    cells = [
        f"[{name}]({page})",
        " ".join(sections["Summary"]),
        _bare(" ".join(sections["Raises"])).removeprefix("Refusal ") or "none",
        " ".join([_bare(" ".join(sections["Returns"])).removeprefix("dict "), *map(_bare, notes)]),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sections(function: object) -> dict[str, list[str]]:
    """Take a numpy docstring apart: lines by heading, the first paragraph as Summary."""
    lines = (inspect.getdoc(function) or "").splitlines()
    found: dict[str, list[str]] = {"Summary": [], "Returns": [], "Raises": [], "Notes": []}
    heading = "Summary"
    for number, line in enumerate(lines):
        under = lines[number + 1] if number + 1 < len(lines) else ""
        if under and set(under) == {"-"}:
            heading = line
        elif line.strip() and set(line) != {"-"}:
            found.setdefault(heading, []).append(line.strip())
    return found


def _bare(sentence: str) -> str:
    return re.sub(r":(?:func|mod|class):`([^`]*)`", _reference, sentence)


def _reference(match: re.Match[str]) -> str:
    own = {one.carry_out.__name__: name for name, one in operations.TABLE.items()}
    return own.get(match.group(1), f"`{match.group(1)}`")


def _title(module: ModuleType) -> str:
    summary = (inspect.getdoc(module) or "").splitlines()[0]
    return summary.partition(":")[0].removesuffix(".")


def _choices(module: ModuleType) -> Iterator[str]:
    """Give the list at the end of a module's docstring."""
    for line in (inspect.getdoc(module) or "").splitlines():
        if line.startswith(("- ", "  ")):
            yield line


if __name__ == "__main__":
    write()
