"""Plausible values for text fields, within the bounds that a page sets.

A value that breaks the field's own rules (type, bounds, length, pattern) is never given:
a browser would not let a worker post it.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import math
import random
import re
import string
from collections.abc import Callable, Iterator
from typing import Any, Final

_VOCABULARY: Final = """
    about after again always animal another answer apple because before between blue book both
    bright build careful change city clear close cloud common country course dark different
    early evening every example family field first forest friend garden good great green happy
    heavy house idea interesting kind large later light little long look maybe meaning moment
    money morning mountain music name never next number often old open other paper people
    perhaps picture place plain point question quiet rain reason red river road round school
    sentence short simple slow small something sound story strong summer sure table think time
    tree true useful usual voice water weather white wide winter word work world yellow young
"""
_WORDS: Final = tuple(_VOCABULARY.split())
_ATTEMPTS: Final = 30
_MOST_REPEATS: Final = 8
_FIRST_DAY: Final = datetime.date(2020, 1, 1)


@dataclasses.dataclass(frozen=True)
class Text:
    """A field that takes a text.

    Parameters
    ----------
    name : str
        Under which it is posted.
    kind : str
        Its type in HTML, or ``textarea``.
    required : bool
        Whether it must not be empty.
    minimum, maximum, step : str, optional
        Attributes of numbers and dates, as written.
    min_length, max_length : int, optional
        In characters.
    pattern : str, optional
        A regular expression for the whole value.
    suggestions : tuple of str
        Values that the page offers.
    value : str
        What stands there already.
    """

    name: str
    kind: str = "text"
    required: bool = False
    minimum: str | None = None
    maximum: str | None = None
    step: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    suggestions: tuple[str, ...] = ()
    value: str = ""


def draw(text: Text, chance: random.Random) -> str | None:
    """Think of a value.

    Parameters
    ----------
    text : Text
        The field.
    chance : random.Random
        The same one gives the same value.

    Returns
    -------
    str or None
        None if no value was found that the page would take.
    """
    for candidate in _candidates(text, chance):
        if fits(text, candidate):
            return candidate
    return None


def _candidates(text: Text, chance: random.Random) -> Iterator[str]:
    if text.suggestions:
        yield chance.choice(text.suggestions)
    make = _KINDS.get(text.kind, _words)
    yield _cut(text, make(text, chance))
    if text.pattern:
        for _ in range(_ATTEMPTS):
            sample = _sample_pattern(text.pattern, chance)
            if sample is None:
                return
            yield sample


def fits(text: Text, value: str) -> bool:
    """Tell whether a browser would let a worker post a value.

    Parameters
    ----------
    text : Text
        The field.
    value : str
        What is written there.

    Returns
    -------
    bool
        As far as length, pattern and being a number go.
    """
    if text.min_length is not None and len(value) < text.min_length:
        return False
    if text.max_length is not None and len(value) > text.max_length:
        return False
    if not value:
        return not text.required
    if text.kind in ("number", "range") and _as_number(value) is None:
        return False
    if not text.pattern:
        return True
    try:
        return re.fullmatch(text.pattern, value) is not None
    except re.error:
        return True  # a browser ignores a pattern that it can't read


def _cut(text: Text, value: str) -> str:
    return value if text.max_length is None else value[: text.max_length].strip() or value[:1]


def _words(text: Text, chance: random.Random) -> str:
    words = chance.sample(_WORDS, chance.randint(1, 3))
    while len(" ".join(words)) < (text.min_length or 0):
        words.append(chance.choice(_WORDS))
    return " ".join(words)


def _sentences(text: Text, chance: random.Random) -> str:
    sentences: list[str] = []
    count = chance.randint(1, 2)
    while len(sentences) < count or len(" ".join(sentences)) < (text.min_length or 0):
        words = chance.sample(_WORDS, chance.randint(4, 9))
        sentences.append(f"{' '.join(words).capitalize()}.")
    return " ".join(sentences)


def _numeral(text: Text, chance: random.Random) -> str:
    low, high = _as_number(text.minimum), _as_number(text.maximum)
    if low is None:
        low = 0.0 if high is None or high >= 0 else high - 100
    if high is None:
        high = max(low + 100, 100.0)
    step = _as_number(text.step) or 1.0
    if step <= 0 or high < low:
        return f"{low:g}"
    value = low + step * chance.randint(0, min(int((high - low) / step + 1e-9), 10**6))
    return str(int(value)) if float(value).is_integer() else f"{value:.10g}"


def _day(text: Text, chance: random.Random) -> str:
    try:
        first = datetime.date.fromisoformat(text.minimum or "")
    except ValueError:
        first = _FIRST_DAY
    try:
        last = datetime.date.fromisoformat(text.maximum or "")
    except ValueError:
        last = max(first, _FIRST_DAY) + datetime.timedelta(days=1_500)
    span = max((last - first).days, 0)
    return (first + datetime.timedelta(days=chance.randint(0, span))).isoformat()


def _hour(_text: Text, chance: random.Random) -> str:
    return f"{chance.randrange(24):02}:{chance.randrange(60):02}"


def _address(_text: Text, chance: random.Random) -> str:
    return f"https://www.example.com/{chance.choice(_WORDS)}/{chance.choice(_WORDS)}"


def _mail(_text: Text, chance: random.Random) -> str:
    return f"{chance.choice(_WORDS)}.{chance.choice(_WORDS)}@example.com"


def _telephone(_text: Text, chance: random.Random) -> str:
    return f"555-01{chance.randrange(100):02}"


def _as_number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_KINDS: Final[dict[str, Callable[[Text, random.Random], str]]] = {
    "number": _numeral,
    "range": _numeral,
    "textarea": _sentences,
    "date": _day,
    "datetime-local": lambda text, chance: f"{_day(text, chance)}T{_hour(text, chance)}",
    "month": lambda text, chance: _day(text, chance)[:7],
    "week": lambda _text, chance: f"{chance.randint(2020, 2024)}-W{chance.randint(1, 52):02}",
    "time": _hour,
    "url": _address,
    "email": _mail,
    "tel": _telephone,
    "color": lambda _text, chance: f"#{chance.randrange(0x1000000):06x}",
}


# Patterns: Python reads its own regular expressions into a tree; walking it makes a sample.
# The parser is not public, so whatever goes wrong here means "no sample" and nothing worse.


def _sample_pattern(pattern: str, chance: random.Random) -> str | None:
    try:
        tree = importlib.import_module("re._parser").parse(pattern)
        return _Sampler(chance).of(tree)
    except (ImportError, AttributeError, re.error, RecursionError, LookupError, ValueError):
        return None


class _Sampler:
    """Walks the tree of a regular expression and makes up a text that it matches."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._groups: dict[int, str] = {}

    def of(self, tree: Any) -> str:  # noqa: ANN401, the parser's tree has no public type
        return "".join(self._piece(str(kind), value) for kind, value in tree)

    def _piece(self, kind: str, value: Any) -> str:  # noqa: ANN401, as above
        match kind:
            case "LITERAL":
                return chr(value)
            case "ANY":
                return self._chance.choice(string.ascii_lowercase)
            case "NOT_LITERAL":
                return self._other_than({chr(value)})
            case "IN":
                return self._one_of(value)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, inner = value
                most = min(int(most), int(least) + _MOST_REPEATS)
                return "".join(self.of(inner) for _ in range(self._chance.randint(least, most)))
            case "SUBPATTERN":
                text = self.of(value[-1])
                if value[0] is not None:
                    self._groups[value[0]] = text
                return text
            case "ATOMIC_GROUP":
                return self.of(value)
            case "BRANCH":
                return self.of(self._chance.choice(value[1]))
            case "GROUPREF":
                return self._groups.get(value, "")
            case _:  # anchors and conditions: the result is held against the pattern anyway
                return ""

    def _one_of(self, members: Any) -> str:  # noqa: ANN401, as above
        characters: set[str] = set()
        negated = False
        for kind, value in members:
            match str(kind):
                case "NEGATE":
                    negated = True
                case "LITERAL":
                    characters.add(chr(value))
                case "RANGE":
                    low, high = value
                    characters.update(map(chr, range(low, min(high, low + 300) + 1)))
                case "CATEGORY":
                    characters.update(_CATEGORIES.get(str(value), ""))
        return self._other_than(characters) if negated else self._pick(characters)

    def _other_than(self, characters: set[str]) -> str:
        return self._pick(set(string.ascii_letters + string.digits + " .,-_") - characters)

    def _pick(self, characters: set[str]) -> str:
        return self._chance.choice(sorted(characters))


_CATEGORIES: Final = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": string.ascii_letters,
    "CATEGORY_NOT_WORD": " .,-",
    "CATEGORY_NOT_SPACE": string.ascii_letters + string.digits,
}
