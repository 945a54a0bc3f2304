"""The API's operations: a module for each resource, a function for each operation.

:data:`TABLE` has all of them. What each does, refuses and chooses is in its docstring, from which
``OPERATIONS.md`` is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from turkbatch.server.operations import (
    account,
    assignments,
    bonuses,
    hit_types,
    hits,
    notifications,
    qualification_types,
    qualifications,
    review_policies,
    workers,
)
from turkbatch.server.operations.call import Call, Fees

__all__ = ["TABLE", "Call", "Fees", "Operation"]


@dataclasses.dataclass(frozen=True)
class Operation:
    """How an operation is carried out.

    Parameters
    ----------
    carry_out : callable
        Takes a Call, gives the members of the output.
    writes : bool
        Whether it changes anything, and needs the database for itself.
    """

    carry_out: Callable[[Call], dict[str, object]]
    writes: bool


TABLE: Final = {
    "AcceptQualificationRequest": Operation(
        qualifications.accept_qualification_request, writes=True
    ),
    "ApproveAssignment": Operation(assignments.approve_assignment, writes=True),
    "AssociateQualificationWithWorker": Operation(
        qualifications.associate_qualification_with_worker, writes=True
    ),
    "CreateAdditionalAssignmentsForHIT": Operation(
        hits.create_additional_assignments_for_hit, writes=True
    ),
    "CreateHIT": Operation(hits.create_hit, writes=True),
    "CreateHITType": Operation(hit_types.create_hit_type, writes=True),
    "CreateHITWithHITType": Operation(hits.create_hit_with_hit_type, writes=True),
    "CreateQualificationType": Operation(
        qualification_types.create_qualification_type, writes=True
    ),
    "CreateWorkerBlock": Operation(workers.create_worker_block, writes=True),
    "DeleteHIT": Operation(hits.delete_hit, writes=True),
    "DeleteQualificationType": Operation(
        qualification_types.delete_qualification_type, writes=True
    ),
    "DeleteWorkerBlock": Operation(workers.delete_worker_block, writes=True),
    "DisassociateQualificationFromWorker": Operation(
        qualifications.disassociate_qualification_from_worker, writes=True
    ),
    "GetAccountBalance": Operation(account.get_account_balance, writes=False),
    "GetAssignment": Operation(assignments.get_assignment, writes=False),
    "GetFileUploadURL": Operation(assignments.get_file_upload_url, writes=True),
    "GetHIT": Operation(hits.get_hit, writes=False),
    "GetQualificationScore": Operation(qualifications.get_qualification_score, writes=False),
    "GetQualificationType": Operation(qualification_types.get_qualification_type, writes=False),
    "ListAssignmentsForHIT": Operation(assignments.list_assignments_for_hit, writes=False),
    "ListBonusPayments": Operation(bonuses.list_bonus_payments, writes=False),
    "ListHITs": Operation(hits.list_hits, writes=False),
    "ListHITsForQualificationType": Operation(
        qualification_types.list_hits_for_qualification_type, writes=False
    ),
    "ListQualificationRequests": Operation(
        qualifications.list_qualification_requests, writes=False
    ),
    "ListQualificationTypes": Operation(qualification_types.list_qualification_types, writes=False),
    "ListReviewPolicyResultsForHIT": Operation(
        review_policies.list_review_policy_results_for_hit, writes=False
    ),
    "ListReviewableHITs": Operation(hits.list_reviewable_hits, writes=False),
    "ListWorkerBlocks": Operation(workers.list_worker_blocks, writes=False),
    "ListWorkersWithQualificationType": Operation(
        qualifications.list_workers_with_qualification_type, writes=False
    ),
    "NotifyWorkers": Operation(workers.notify_workers, writes=True),
    "RejectAssignment": Operation(assignments.reject_assignment, writes=True),
    "RejectQualificationRequest": Operation(
        qualifications.reject_qualification_request, writes=True
    ),
    "SendBonus": Operation(bonuses.send_bonus, writes=True),
    "SendTestEventNotification": Operation(notifications.send_test_event_notification, writes=True),
    "UpdateExpirationForHIT": Operation(hits.update_expiration_for_hit, writes=True),
    "UpdateHITReviewStatus": Operation(hits.update_hit_review_status, writes=True),
    "UpdateHITTypeOfHIT": Operation(hits.update_hit_type_of_hit, writes=True),
    "UpdateNotificationSettings": Operation(
        notifications.update_notification_settings, writes=True
    ),
    "UpdateQualificationType": Operation(
        qualification_types.update_qualification_type, writes=True
    ),
}
"""By the operation's name in the API."""
