"""What stands in an HTML page: its tags with their places, and its scripts.

Read with Python's own tolerant parser, since pages come as people write them. It builds no
tree: where each tag stands is what is asked here.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"}
    | {"param", "source", "track", "wbr"}
)
"""Elements without an end tag (https://html.spec.whatwg.org/#void-elements)."""

_END_MAY_BE_LEFT_OUT = frozenset(
    {"html", "head", "body", "p", "li", "dt", "dd", "option", "optgroup", "rt", "rp"}
    | {"tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "caption"}
)
"""Elements whose end tag is optional (https://html.spec.whatwg.org/#optional-tags)."""

_FOREIGN = frozenset({"svg", "math"})
"""Elements whose insides follow XML's rules, where ``<path/>`` closes itself."""

_NOT_FIELDS = frozenset({"submit", "button", "reset", "image"})


@dataclasses.dataclass(frozen=True)
class Tag:
    """A start tag.

    Parameters
    ----------
    name : str
        In lower case.
    attributes : mapping of str to str
        Names in lower case; one without a value has the value ``""``.
    line : int
        Line of the page, counted from 1.
    start, end : int
        Positions in the page of its first character and after its last.
    within : tuple of str
        Names of the elements that it stands in, the outermost first.
    """

    name: str
    attributes: Mapping[str, str]
    line: int
    start: int
    end: int
    within: tuple[str, ...]

    def get(self, attribute: str) -> str:
        """Value of an attribute, empty where there is none."""
        return self.attributes.get(attribute, "")

    @property
    def type(self) -> str:
        """Its ``type``, as a browser reads it."""
        default = {"input": "text", "button": "submit"}.get(self.name, "")
        return self.get("type").strip().lower() or default

    @property
    def is_field(self) -> bool:
        """Whether it is posted with the form, given a name."""
        if self.name == "input":
            return self.type not in _NOT_FIELDS
        return self.name in {"select", "textarea"}

    @property
    def submits(self) -> bool:
        """Whether a click on it submits the form."""
        if self.name == "crowd-button":
            return self.get("form-action") == "submit"
        return self.name in {"input", "button"} and self.type in {"submit", "image"}


@dataclasses.dataclass(frozen=True)
class Fault:
    """A place where the page is not well-formed."""

    line: int
    found: str


class Page(HTMLParser):
    """A page, read once.

    Parameters
    ----------
    html : str
        The page.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.tags: list[Tag] = []
        self.ends: list[tuple[str, int]] = []
        """Name and position of each end tag."""
        self.scripts: list[str] = []
        """Text of each inline script, and of each event handler."""
        self.faults: list[Fault] = []
        self._open: list[tuple[str, int]] = []
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", html))]
        self.feed(html)
        self.close()
        self._report_unclosed(self._open)
        self.faults.sort(key=lambda fault: fault.line)

    def named(self, *names: str) -> Iterator[Tag]:
        """Yield the start tags of these names."""
        return (tag for tag in self.tags if tag.name in names)

    @property
    def script(self) -> str:
        """All inline scripts as one text."""
        return "\n".join(self.scripts)

    @property
    def has_crowd_form(self) -> bool:
        """Whether crowd-form, or the widget that brings its own, does the submitting."""
        return any(True for _ in self.named("crowd-form", "crowd-entity-annotation"))

    def line_of(self, position: int) -> int:
        """Line of a position, counted from 1."""
        return bisect.bisect_right(self._line_starts, position)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a start tag; called by the parser."""
        self._keep(tag, attrs)
        if tag not in _VOID:
            self._open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag such as ``<br/>``; called by the parser."""
        self._keep(tag, attrs)
        closes_itself = tag in _VOID or any(name in _FOREIGN for name, _ in self._open)
        if not closes_itself:
            found = f"<{tag}/> does not close itself in HTML"
            self.faults.append(Fault(self.getpos()[0], found))

    def handle_endtag(self, tag: str) -> None:
        """Match an end tag with what is open; called by the parser."""
        self.ends.append((tag, self._position()))
        line = self.getpos()[0]
        names = [name for name, _ in self._open]
        if tag in names:
            depth = len(names) - 1 - names[::-1].index(tag)
            self._report_unclosed(self._open[depth + 1 :])
            del self._open[depth:]
        elif tag not in _VOID and tag != "p":  # a stray </p> makes a paragraph, harmlessly
            self.faults.append(Fault(line, f"</{tag}> ends nothing that is open"))

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Read ``<![ ... >`` as a comment, as browsers do; the parser's own way can fail."""
        return self.parse_bogus_comment(i, report)

    def handle_data(self, data: str) -> None:
        """Keep the text of scripts; called by the parser."""
        if self._open and self._open[-1][0] == "script":
            self.scripts.append(data)

    def _position(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column

    def _keep(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in reversed(attrs)}
        start = self._position()
        end = start + len(self.get_starttag_text() or "")
        within = tuple(open_name for open_name, _ in self._open)
        self.tags.append(Tag(name, attributes, self.getpos()[0], start, end, within))
        self.scripts.extend(value for key, value in attributes.items() if key.startswith("on"))

    def _report_unclosed(self, elements: list[tuple[str, int]]) -> None:
        for name, opened in elements:
            if name not in _END_MAY_BE_LEFT_OUT:
                self.faults.append(Fault(opened, f"<{name}> is not closed"))
