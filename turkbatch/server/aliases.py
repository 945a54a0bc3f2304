"""Replacing somebody's ids in texts: in answers, reasons, feedback, and JSON. Pure.

Many pages post the worker's id along with the answers, within addresses or JSON, too; an id is
found there in the forms that it takes. One of fewer than six characters is replaced only
where a whole field holds it, and its name says that it is an id: "7" is more often an answer
than a person.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from turkbatch.server import answers

DISTINCT: Final = 6
"""Ids of fewer characters are words and numbers that texts are full of."""
_ID_FIELD: Final = re.compile(
    r"worker|participant|prolific|annotator|subject|user|sona|survey_code|pid|[a-z]I[dD]\b"
    r"|(?:^|[^A-Za-z])(?i:id)(?:$|[^A-Za-z])"
)
_ANSWER: Final = re.compile(
    r"(<QuestionIdentifier>([^<]*)</QuestionIdentifier><(?:FreeText|OtherSelectionText)>)([^<]*)"
)


class Aliases:
    """What takes the place of somebody's ids in texts.

    Parameters
    ----------
    names : Mapping
        The new name of each id.

    Attributes
    ----------
    distinct : list of str
        Those of the ids that are replaced wherever they stand, the longest first.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._whole = dict(names)
        self._short = {answers.escaped(n): new for n, new in names.items() if len(n) < DISTINCT}
        # The longest first, since one may begin with another.
        self.distinct = sorted((n for n in names if len(n) >= DISTINCT), key=len, reverse=True)
        every = "|".join(f"({'|'.join(map(re.escape, _spelled(n)))})" for n in self.distinct)
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{every})(?![A-Za-z0-9])", re.IGNORECASE)

    def in_column(self, name: str, text: str) -> str:
        """Give the text of a column, an answer or another, that names none of them."""
        return self.in_answer(text) if name == "answer" else self.in_text(text)

    def in_text(self, text: str) -> str:
        """Give a text that names none of them."""
        if not self.distinct:
            return text
        return self._pattern.sub(self._in_its_place, text)

    def in_answer(self, document: str) -> str:
        """Give QuestionFormAnswers XML, or another text, that names none of them."""
        if not self._short:
            return self.in_text(document)
        return self.in_text(_ANSWER.sub(self._whole_field, document))

    def in_json(self, document: str) -> str:
        """Give JSON whose texts name none of them."""

        def clean(value: Any) -> Any:  # noqa: ANN401, JSON
            match value:
                case dict():
                    return {key: clean(inner) for key, inner in value.items()}
                case list():
                    return [clean(inner) for inner in value]
                case str():
                    return self.in_text(value) if len(value) >= DISTINCT else value
            return value

        before = json.loads(document)
        after = clean(before)
        return document if after == before else json.dumps(after, separators=(",", ":"))

    def _in_its_place(self, found: re.Match[str]) -> str:
        assert found.lastindex is not None, "each name is a group"
        return self._whole[self.distinct[found.lastindex - 1]]

    def _whole_field(self, found: re.Match[str]) -> str:
        start, name, value = found.groups()
        if value in self._short and _ID_FIELD.search(name):
            return start + answers.escaped(self._short[value])
        return found.group()


def _spelled(name: str) -> list[str]:
    """List the forms of an id in texts: as it is, in XML, in JSON, in JSON in XML, in addresses."""
    in_json = json.dumps(name)[1:-1]
    forms = [name, answers.escaped(name), in_json, answers.escaped(in_json)]
    return list(dict.fromkeys([*forms, urllib.parse.quote(name, safe="")]))
