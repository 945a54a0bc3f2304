"""``compensate-workers``: pay someone who worked and could not submit.

MTurk pays for assignments alone, so each such worker gets a HIT that nobody else sees, with
one button, which is approved as soon as it is submitted. It is a batch like any other, whose
id follows from the worker, the amount and the reason: running again makes no second one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors, files, money
from turkbatch.actions import create, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.screening import Screening
from turkbatch.batch import layout
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.mturk.environments import Environment

LIFETIME_SECONDS = 14 * 24 * 3600
DURATION_SECONDS = 3600

QUESTION = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>Compensation</title>
<script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script>
</head>
<body>
<form name="mturk_form" id="mturk_form" method="post">
<input type="hidden" name="assignmentId" id="assignmentId" value="">
<h1>Thank you for your work</h1>
<p>{{ reason }}</p>
<p>This HIT is for you alone. Accept it and press the button: that is all there is to do, and
it is paid at once.</p>
<label><input type="checkbox" name="received" value="yes" checked> I accept the payment.</label>
<p><input type="submit" id="submitButton" value="Submit"></p>
</form>
<script>turkSetAssignmentID();</script>
</body>
</html>
"""


@dataclasses.dataclass(frozen=True)
class Compensation:
    """What workers are paid, and what it costs: what a person is asked about.

    Parameters
    ----------
    worker_ids : tuple of str
        The workers, a HIT each.
    amount : Decimal
        USD each.
    reason : str
        What they are told.
    environment : Environment
        Where.
    balance : Decimal or None
        USD that the account has; None if the service does not tell.
    """

    worker_ids: tuple[str, ...]
    amount: Decimal
    reason: str
    environment: Environment
    balance: Decimal | None

    @property
    def total(self) -> Decimal:
        """USD in all, with MTurk's fees."""
        each = self.amount + money.fee(self.amount, assignments=1)
        return each * len(self.worker_ids)

    def batch_id(self, worker_id: str) -> str:
        """Name the batch of a worker's HIT."""
        content = [worker_id, f"{self.amount:.2f}", self.reason]
        digest = hashlib.sha256(json.dumps(content).encode(errors="surrogatepass"))
        return f"compensation-{digest.hexdigest()[:16]}"


@dataclasses.dataclass(frozen=True)
class CompensatedWorkers:
    """The HITs that were made.

    Parameters
    ----------
    batch_dirs : dict of str to Path
        The batch of each worker.
    created : int
        HITs that this run made; the others were there.
    """

    batch_dirs: dict[str, Path]
    created: int


def agree(plan: Compensation) -> None:
    """Agree to a compensation without asking anyone."""


def compensate_workers(
    client: MTurkClient,
    ids: Iterable[str],
    amount: Decimal | str,
    save_dir: pinned.PathLike = ".",
    *,
    reason: str,
    confirm: Callable[[Compensation], None] = agree,
    progress: Progress = silent,
) -> CompensatedWorkers:
    """Make a HIT for each of some workers, which pays them when they submit it.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    ids : iterable of str
        The workers.
    amount : Decimal or str
        USD each.
    save_dir : path
        Where the batch directories are put.
    reason : str
        What it is for; the workers are told.
    confirm : callable
        Given what it costs before anything is spent; raises to refuse it.
    progress : Progress
        Told of the HITs made.

    Returns
    -------
    CompensatedWorkers

    Raises
    ------
    RefusedError
        If the amount is none, the reason is empty, or the balance is too small.
    PartialError
        With each worker whose HIT could not be made, and why.
    """
    service = calls.Calls(client)
    plan = _planned(service, ids, amount, reason)
    folder = Path(save_dir)
    missing = [
        one
        for one in plan.worker_ids
        if not (folder / f"{layout.PREFIX}{plan.batch_id(one)}").exists()
    ]
    if missing:
        confirm(dataclasses.replace(plan, worker_ids=tuple(missing)))
    made: dict[str, Path] = {}
    created = 0
    failures: list[tuple[str, Exception]] = []
    for number, worker_id in enumerate(plan.worker_ids):
        progress("making HITs", number, len(plan.worker_ids))
        try:
            batch = _create(client, plan, worker_id, folder)
        except (errors.ServiceError, errors.PartialError, errors.BatchError) as error:
            failures.append((f"worker {worker_id}", error))
            continue
        made[worker_id] = batch.batch_dir
        created += batch.created
    if failures:
        raise errors.PartialError(
            f"{len(made)} of {len(plan.worker_ids)} HITs are there; {len(failures)} could not be"
            " made, and the same command tries them again:",
            failures,
        )
    return CompensatedWorkers(made, created)


def _planned(
    service: calls.Calls, ids: Iterable[str], amount: Decimal | str, reason: str
) -> Compensation:
    try:
        value = money.amount(str(amount)).quantize(money.CENT)
    except ValueError as error:
        raise errors.RefusedError(f"--amount: {error}") from error
    if not value or not reason.strip():
        raise errors.RefusedError("--amount must be above 0, and --reason must say something")
    plan = Compensation(
        tuple(dict.fromkeys(ids)), value, reason, service.environment, create.balance(service)
    )
    if (
        plan.balance is not None
        and plan.balance < plan.total
        and plan.environment.name != "sandbox"
    ):
        raise errors.RefusedError(
            f"it costs {money.dollars(plan.total)}, and the account in {plan.environment.place}"
            f" has {money.dollars(plan.balance)}; add funds"
        )
    return plan


def _create(
    client: MTurkClient, plan: Compensation, worker_id: str, folder: Path
) -> create.CreatedBatch:
    with tempfile.TemporaryDirectory() as work:
        definition, data = Path(work) / "definition", Path(work) / layout.DATA
        definition.mkdir()
        files.replace_json(
            definition / layout.HIT_TYPE_PROPERTIES,
            {
                "Title": "Compensation for work on an earlier HIT",
                "Description": "For one worker alone, who was told of it.",
                "Reward": f"{plan.amount:.2f}",
                "AssignmentDurationInSeconds": DURATION_SECONDS,
                "AutoApprovalDelayInSeconds": 0,
            },
        )
        files.replace_json(
            definition / layout.HIT_PROPERTIES,
            {"MaxAssignments": 1, "LifetimeInSeconds": LIFETIME_SECONDS},
        )
        files.replace_text(definition / "question.html.j2", QUESTION)
        files.replace_json_lines(data, [{"worker_id": worker_id, "reason": plan.reason}])
        return create.create_batch(
            client,
            definition,
            data,
            folder,
            batch_id=plan.batch_id(worker_id),
            screened=Screening(workers=(worker_id,)),
        )
