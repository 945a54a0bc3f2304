"""From one template and one row of data to the question that MTurk receives.

::

    template = question.load(Path("definition"), columns=["image_url"])
    template.render({"image_url": "https://..."}, where="data.jsonl:1").xml
"""

from __future__ import annotations

from turkbatch.question import lint, placeholders
from turkbatch.question.check import SIZE_LIMIT_BYTES
from turkbatch.question.template import QUESTION_FILES, Question, Template, load

__all__ = [
    "QUESTION_FILES",
    "SIZE_LIMIT_BYTES",
    "Question",
    "Template",
    "lint",
    "load",
    "placeholders",
]
