"""Every file name of a batch directory, and the number of its format, once.

::

    batch-$ID/
      README          what this directory is, for someone who finds it
      COMMIT          commit of the repository that held the definition, or <none>
      BATCHID         the batch's id
      batch.json      format, nonce, pin, HIT type id, times, version, digests of the inputs
      definition/     a copy of the definition, whole
      data.jsonl      one row a HIT; where the input was a CSV, that too, as data.csv
      uploads.jsonl   journal: what was asked for, and what came of it
      reviews.jsonl   journal of approvals and rejections
      marks.jsonl     journal of what was judged in the browser, and is not sent yet
      changes.jsonl   journal of expiries, extensions and deletions
      bonuses.jsonl   journal of bonuses that were computed from the batch
      screening.jsonl   journal of who was kept out of the batch, or let in
      _INCOMPLETE     amti's marker: uploaded, and not yet wholly saved
      hits.json       amti's batches alone: what _INCOMPLETE said, once all is saved
      results/hit-$HITID/hit.jsonl, assignments.jsonl
"""

from __future__ import annotations

import re

FORMAT = 1
"""Raised by one with each change that an older turkbatch could not read."""

PREFIX = "batch-"
README = "README"
COMMIT = "COMMIT"
BATCHID = "BATCHID"
BATCH = "batch.json"
DEFINITION = "definition"
DATA = "data.jsonl"
DATA_CSV = "data.csv"
UPLOADS = "uploads.jsonl"
REVIEWS = "reviews.jsonl"
MARKS = "marks.jsonl"
CHANGES = "changes.jsonl"
BONUSES = "bonuses.jsonl"
SCREENING = "screening.jsonl"
INCOMPLETE = "_INCOMPLETE"
HITS = "hits.json"
RESULTS = "results"
HIT_PREFIX = "hit-"
HIT = "hit.jsonl"
ASSIGNMENTS = "assignments.jsonl"
LOCK = ".lock"

HIT_TYPE_PROPERTIES = "hittypeproperties.json"
HIT_PROPERTIES = "hitproperties.json"
NOTES = "NOTES"

BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""Ids that are safe in a directory's name, a shell and an annotation."""

README_TEXT = """\
This directory is a batch of HITs on Amazon Mechanical Turk or a server that speaks its
API, made by turkbatch. It describes itself: every later step works from these files.

  BATCHID         the batch's id
  COMMIT          the commit of the repository that the definition came from
  batch.json      where the batch was published, when, and from what
  definition/     what was asked: the template of the question and its properties
  data.jsonl      one line a HIT: what the template was filled with
  results/        what came back: a directory a HIT, with the HIT and its assignments
  *.jsonl         journals of what was sent and what came of it; never edit them

  turkbatch status-batch DIR      how far it is
  turkbatch review-batch DIR      approve or reject what workers submitted
  turkbatch save-batch DIR        fetch the results into results/
  turkbatch extract tabular DIR FILE      the results as one table

Do not delete this directory while the file _INCOMPLETE is in it: results are missing.
"""


def annotation(batch_id: str, nonce: str, row: int) -> str:
    """Say in a HIT's ``RequesterAnnotation`` which row of which batch it is.

    ``batch=`` is what amti writes, for scripts that look for it; what we go by is
    the nonce, which no other batch has, whatever its id.
    """
    return f"batch={batch_id} turkbatch={nonce}:{row}"


ANNOTATION = re.compile(r"turkbatch=([0-9a-f]{32}):([0-9]+)(?![0-9])")


def row_of(annotation: str, nonce: str) -> int | None:
    """Tell which row a HIT was made for; None if it is not of this batch."""
    for found in ANNOTATION.finditer(annotation):
        if found[1] == nonce:
            return int(found[2])
    return None


def token(nonce: str, row: int) -> str:
    """Give the ``UniqueRequestToken`` of a row: the same whenever it is asked for."""
    return f"{nonce}-{row}"
