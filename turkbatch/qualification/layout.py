"""Every file name of a qualification type's directory, and the number of its format, once.

::

    qualification-type-$ID/
      definition/                     what the type is made from, edited at will
        qualificationtypeproperties.json   parameters of CreateQualificationType
        test.xml                      optional: the test, a QuestionForm
        test.xml.j2                   or Jinja2 that makes it from data.jsonl or data.csv
        answerkey.xml                 optional: how the test is graded
        answerkey.xml.j2              or Jinja2 that makes it from the same data
      qualificationtype-$ID.jsonl     the type as the service gave it, one such file an environment
      qualificationtype.json          the type's id in each environment; amti has no such file

The names, but for the last and the templates, are amti's.
"""

from __future__ import annotations

import re

FORMAT = 1
"""Raised by one with each change that an older turkbatch could not read."""

PREFIX = "qualification-type-"
DEFINITION = "definition"
TYPE = "qualificationtype.json"

PROPERTIES = "qualificationtypeproperties.json"
TEST = "test.xml"
ANSWER_KEY = "answerkey.xml"
TEMPLATE_SUFFIX = ".j2"
DATA_FILES = ("data.jsonl", "data.csv")

_REPLY = re.compile(r"qualificationtype-([A-Z0-9]{1,64})\.jsonl", re.ASCII)


def reply(type_id: str) -> str:
    """Name the file that holds the type as the service gave it."""
    return f"qualificationtype-{type_id}.jsonl"


def type_id_of(name: str) -> str | None:
    """Read the id out of such a file's name; None for any other file."""
    found = _REPLY.fullmatch(name)
    return None if found is None else found[1]
