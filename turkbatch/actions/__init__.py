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
from turkbatch.actions.associate import (
    associate_workers,
    disassociate_workers,
    qualification_type_id,
)
from turkbatch.actions.block import Block, block_workers, list_blocks, unblock_workers
from turkbatch.actions.bonus import BonusPlan, PaidBonuses, Payment, pay_bonuses, plan_bonuses
from turkbatch.actions.check import Checked, Plan, check_batch, plan_batch
from turkbatch.actions.compensate import CompensatedWorkers, Compensation, compensate_workers
from turkbatch.actions.create import CreatedBatch, Quote, check_limit, create_batch, resume_batch
from turkbatch.actions.decisions import DecisionPlan
from turkbatch.actions.delete import DeletedBatch, delete_batch
from turkbatch.actions.demo import Demo, demo
from turkbatch.actions.expire import ExpiredBatch, expire_batch
from turkbatch.actions.extend import ExtendedBatch, ExtensionQuote, extend_batch
from turkbatch.actions.extract import Extracted, extract_tabular, extract_xml
from turkbatch.actions.grade import Grade, grade_test
from turkbatch.actions.links import (
    LinkLine,
    LinkReport,
    PaymentFile,
    ServerLink,
    SyncedLink,
    add_server_link,
    list_server_links,
    open_server_link,
    release_participant,
    report_server_link,
    show_server_link,
    sync_server_link,
    write_approvals,
    write_bonuses,
    write_link_report,
    write_payments_again,
)
from turkbatch.actions.new import NewDefinition, Starter, new_definition, starters
from turkbatch.actions.notify import Message, message, notify_workers, read_message
from turkbatch.actions.people import (
    ErasedWorkers,
    ExportedWorker,
    Invitation,
    ServerGroup,
    ServerWorker,
    add_server_workers,
    disable_server_workers,
    enable_server_workers,
    erase_server_workers,
    export_server_worker,
    idle_server_workers,
    invite_server_workers,
    list_server_groups,
    list_server_workers,
    set_server_group,
    show_server_group,
    write_export,
    write_invitations,
)
from turkbatch.actions.pool import Pool, WorkerScore, score_workers, screen_workers
from turkbatch.actions.preview import export_preview, preview_batch
from turkbatch.actions.progress import Progress
from turkbatch.actions.qualification_requests import (
    Request,
    ReviewedRequests,
    Verdict,
    qualification_requests,
    read_verdicts,
    review_qualification_requests,
)
from turkbatch.actions.qualification_status import Holder, TypeStatus, status_qualification_type
from turkbatch.actions.qualification_types import (
    Change,
    CreatedType,
    DeletedType,
    UpdatedType,
    create_qualification_type,
    delete_qualification_type,
    qualification_type_pins,
    update_qualification_type,
)
from turkbatch.actions.rehearse import (
    Browsed,
    Browser,
    Rehearsal,
    Unsubmitted,
    rehearse_batch,
)
from turkbatch.actions.repin import RepinnedBatch, repin_batch
from turkbatch.actions.review import (
    ReviewedBatch,
    Submission,
    Waiting,
    plan_decisions,
    review_batch,
    submissions,
)
from turkbatch.actions.review_web import BrowserReview, ReviewAddress, review_in_browser
from turkbatch.actions.save import SavedBatch, save_batch
from turkbatch.actions.screening import Screening, keep_screening
from turkbatch.actions.serve import (
    AccountLine,
    Ledger,
    NewServerKey,
    OwedLine,
    ServerClock,
    ServerKey,
    WorkDone,
    add_server_key,
    backup_server,
    list_server_keys,
    move_clock,
    remove_server_key,
    reset_server,
    restore_server,
    run_server,
    server_ledger,
    work_batch,
    write_ledger,
)
from turkbatch.actions.status import AssignmentCounts, BatchStatus, status_batch
from turkbatch.actions.tally import Tally
from turkbatch.actions.type_definitions import CheckedType, check_qualification_type
from turkbatch.actions.wage import plan_hourly_wage
from turkbatch.actions.worker_ids import WorkersDone, read_worker_ids
from turkbatch.batch.journal import Decision

__all__ = [
    "AccountLine",
    "AssignmentCounts",
    "BatchStatus",
    "Block",
    "BonusPlan",
    "Browsed",
    "Browser",
    "BrowserReview",
    "Change",
    "Checked",
    "CheckedType",
    "CompensatedWorkers",
    "Compensation",
    "CreatedBatch",
    "CreatedType",
    "Decision",
    "DecisionPlan",
    "DeletedBatch",
    "DeletedType",
    "Demo",
    "ErasedWorkers",
    "ExpiredBatch",
    "ExportedWorker",
    "ExtendedBatch",
    "ExtensionQuote",
    "Extracted",
    "Grade",
    "Holder",
    "Invitation",
    "Ledger",
    "LinkLine",
    "LinkReport",
    "Message",
    "NewDefinition",
    "NewServerKey",
    "OwedLine",
    "PaidBonuses",
    "Payment",
    "PaymentFile",
    "Plan",
    "Pool",
    "Progress",
    "Quote",
    "Rehearsal",
    "RepinnedBatch",
    "Request",
    "ReviewAddress",
    "ReviewedBatch",
    "ReviewedRequests",
    "SavedBatch",
    "Screening",
    "ServerClock",
    "ServerGroup",
    "ServerKey",
    "ServerLink",
    "ServerWorker",
    "Starter",
    "Submission",
    "SyncedLink",
    "Tally",
    "TypeStatus",
    "Unsubmitted",
    "UpdatedType",
    "Verdict",
    "Wage",
    "Waiting",
    "WorkDone",
    "WorkerScore",
    "WorkersDone",
    "add_server_key",
    "add_server_link",
    "add_server_workers",
    "associate_workers",
    "backup_server",
    "block_workers",
    "check_batch",
    "check_limit",
    "check_qualification_type",
    "compensate_workers",
    "create_batch",
    "create_qualification_type",
    "delete_batch",
    "delete_qualification_type",
    "demo",
    "disable_server_workers",
    "disassociate_workers",
    "enable_server_workers",
    "erase_server_workers",
    "expire_batch",
    "export_preview",
    "export_server_worker",
    "extend_batch",
    "extract_tabular",
    "extract_xml",
    "grade_test",
    "idle_server_workers",
    "invite_server_workers",
    "keep_screening",
    "list_blocks",
    "list_server_groups",
    "list_server_keys",
    "list_server_links",
    "list_server_workers",
    "message",
    "move_clock",
    "new_definition",
    "notify_workers",
    "open_server_link",
    "pay_bonuses",
    "plan_batch",
    "plan_bonuses",
    "plan_decisions",
    "plan_hourly_wage",
    "preview_batch",
    "qualification_requests",
    "qualification_type_id",
    "qualification_type_pins",
    "read_message",
    "read_verdicts",
    "read_worker_ids",
    "rehearse_batch",
    "release_participant",
    "remove_server_key",
    "repin_batch",
    "report_server_link",
    "reset_server",
    "restore_server",
    "resume_batch",
    "review_batch",
    "review_in_browser",
    "review_qualification_requests",
    "run_server",
    "save_batch",
    "score_workers",
    "screen_workers",
    "server_ledger",
    "set_server_group",
    "show_server_group",
    "show_server_link",
    "starters",
    "status_batch",
    "status_qualification_type",
    "submissions",
    "sync_server_link",
    "unblock_workers",
    "update_qualification_type",
    "wage_of_pilot",
    "work_batch",
    "write_approvals",
    "write_bonuses",
    "write_export",
    "write_invitations",
    "write_ledger",
    "write_link_report",
    "write_payments_again",
]
