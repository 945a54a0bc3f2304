"""The verbs of turkbatch, for notebooks and scripts: one plain function each.

A boto3 client goes in (see :func:`turkbatch.client`), with paths or strings; a small
frozen dataclass comes out. Nothing here prints, asks or exits::

    import turkbatch
    from turkbatch import actions

    client = turkbatch.client(local=True)
    batch = actions.create_batch(client, "definition", "data.jsonl", ".")
    print(actions.status_batch(client, batch.batch_dir).hit_status_counts)
"""

from __future__ import annotations

from turkbatch.actions.advice import Wage, wage_of_pilot
from turkbatch.actions.check import Checked, Plan, check_batch, plan_batch
from turkbatch.actions.create import CreatedBatch, Quote, check_limit, create_batch, resume_batch
from turkbatch.actions.decisions import DecisionPlan
from turkbatch.actions.delete import DeletedBatch, delete_batch
from turkbatch.actions.demo import Demo, demo
from turkbatch.actions.expire import ExpiredBatch, expire_batch
from turkbatch.actions.extend import ExtendedBatch, ExtensionQuote, extend_batch
from turkbatch.actions.extract import Extracted, extract_tabular, extract_xml
from turkbatch.actions.new import NewDefinition, Starter, new_definition, starters
from turkbatch.actions.progress import Progress
from turkbatch.actions.repin import RepinnedBatch, repin_batch
from turkbatch.actions.review import (
    ReviewedBatch,
    Submission,
    Waiting,
    plan_decisions,
    review_batch,
    submissions,
)
from turkbatch.actions.save import SavedBatch, save_batch
from turkbatch.actions.serve import (
    ServerClock,
    WorkDone,
    move_clock,
    reset_server,
    run_server,
    work_batch,
)
from turkbatch.actions.status import AssignmentCounts, BatchStatus, status_batch
from turkbatch.actions.tally import Tally
from turkbatch.batch.journal import Decision

__all__ = [
    "AssignmentCounts",
    "BatchStatus",
    "Checked",
    "CreatedBatch",
    "Decision",
    "DecisionPlan",
    "DeletedBatch",
    "Demo",
    "ExpiredBatch",
    "ExtendedBatch",
    "ExtensionQuote",
    "Extracted",
    "NewDefinition",
    "Plan",
    "Progress",
    "Quote",
    "RepinnedBatch",
    "ReviewedBatch",
    "SavedBatch",
    "ServerClock",
    "Starter",
    "Submission",
    "Tally",
    "Wage",
    "Waiting",
    "WorkDone",
    "check_batch",
    "check_limit",
    "create_batch",
    "delete_batch",
    "demo",
    "expire_batch",
    "extend_batch",
    "extract_tabular",
    "extract_xml",
    "move_clock",
    "new_definition",
    "plan_batch",
    "plan_decisions",
    "repin_batch",
    "reset_server",
    "resume_batch",
    "review_batch",
    "run_server",
    "save_batch",
    "starters",
    "status_batch",
    "submissions",
    "wage_of_pilot",
    "work_batch",
]
