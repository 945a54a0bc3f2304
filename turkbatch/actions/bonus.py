"""``bonus-workers``: pay bonuses, each exactly once for ever.

A request token protects for 24 hours and a journal on one machine; what the service itself
lists as paid protects beyond both. So before anything is sent, each line is compared with
ListBonusPayments: equal bonuses (assignment, worker, amount and reason) are counted there
and here, and only what is missing is paid. The token follows from the line alone, so that
two machines with the same file pay once even in the same minute.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import errors, files, money
from turkbatch.actions import create, own_journals, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import bonuses, layout
from turkbatch.batch import data as batch_data
from turkbatch.batch.bonuses import Bonus
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.mturk.environments import Environment

Json = Mapping[str, Any]

COLUMNS = ("WorkerId", "AssignmentId", "BonusAmount", "Reason")
WORKER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""MTurk's own begin with an A and are capitals; a server of one's own has others, too."""
ASSIGNMENT_ID = re.compile(r"[A-Z0-9]{1,64}", re.ASCII)
FOLDER = "bonuses"


@dataclasses.dataclass(frozen=True)
class Payment:
    """A bonus that is still to be paid.

    Parameters
    ----------
    bonus : Bonus
        What is paid.
    number : int
        How many equal ones come before it.
    token : str
        Its ``UniqueRequestToken``.
    """

    bonus: Bonus
    number: int
    token: str


@dataclasses.dataclass(frozen=True)
class BonusPlan:
    """What would be paid: what a person is asked about.

    Parameters
    ----------
    payments : tuple of Payment
        What is still to be paid.
    already : int
        Bonuses that are paid already.
    environment : Environment
        Where.
    balance : Decimal or None
        USD that the account has; None if the service does not tell.
    batch_dir : Path or None
        The batch that they were computed from; None for a file's.
    unreviewed : int
        Assignments of that batch that are not reviewed: their bonus is not computed yet.
    capped : int
        Payments that are less than the wage, because of the cap.
    """

    payments: tuple[Payment, ...]
    already: int
    environment: Environment
    balance: Decimal | None
    batch_dir: Path | None = None
    unreviewed: int = 0
    capped: int = 0

    @property
    def amount(self) -> Decimal:
        """USD that go to workers."""
        return sum((one.bonus.amount for one in self.payments), start=Decimal(0))

    @property
    def fees(self) -> Decimal:
        """USD that go to MTurk: 20 %, at least a cent each (https://www.mturk.com/pricing)."""
        return sum(
            (money.fee(one.bonus.amount, assignments=1) for one in self.payments),
            start=Decimal(0),
        )

    @property
    def total(self) -> Decimal:
        """USD in all."""
        return self.amount + self.fees

    @property
    def affordable(self) -> bool:
        """Whether the balance, as far as it is known, covers the total."""
        return self.balance is None or self.balance >= self.total


@dataclasses.dataclass(frozen=True)
class PaidBonuses:
    """What came of paying.

    Parameters
    ----------
    paid : int
        Bonuses that this run paid.
    already : int
        Bonuses that were paid before.
    amount : Decimal
        USD that this run paid to workers.
    """

    paid: int
    already: int
    amount: Decimal


def plan_bonuses(
    client: MTurkClient,
    path: pinned.PathLike,
    *,
    allow_repeats: bool = False,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> BonusPlan:
    """Read bonuses from a file and find which of them are not paid yet; send nothing.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client.
    path : path
        CSV (or JSON Lines) with ``WorkerId``, ``AssignmentId``, ``BonusAmount`` and
        ``Reason``; other columns are not looked at.
    allow_repeats : bool
        Whether lines that are equal mean as many bonuses.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the assignments asked about.

    Returns
    -------
    BonusPlan

    Raises
    ------
    DataError
        With every line that is not clear, or is there twice.
    PartialError
        If what was paid before can't be read: nothing may be guessed then.
    """
    wanted = _read(Path(path), allow_repeats=allow_repeats)
    service = calls.Calls(client, concurrency=concurrency)
    pin = service.environment.pin()
    state = bonuses.replay(files.read_log(_journal(pin)))
    # What the journal knows to be paid need not be asked about.
    asked = {one.assignment_id for one, count in wanted.items() if state.paid.get(one, 0) < count}
    there = listed(service, [{"AssignmentId": one} for one in sorted(asked)], progress)
    payments = [
        Payment(one, number, one.token(pin, number))
        for one, count in wanted.items()
        for number in range(max(there[one], state.paid.get(one, 0)), count)
    ]
    already = wanted.total() - len(payments)
    return BonusPlan(tuple(payments), already, service.environment, create.balance(service))


def _read(path: Path, *, allow_repeats: bool) -> collections.Counter[Bonus]:
    """Read a file's lines; counted, in their order."""
    data = batch_data.read(path)
    missing = [name for name in COLUMNS if name not in data.columns]
    if missing:
        raise errors.DataError(
            errors.Finding(
                "no-column",
                str(path),
                f"has no column {' and no column '.join(missing)}",
                f"give {', '.join(COLUMNS)}",
            )
        )
    lines: dict[Bonus, int] = {}
    counted: collections.Counter[Bonus] = collections.Counter()
    findings: list[errors.Finding] = []
    for row in data:
        made = _bonus(row, str(path))
        if isinstance(made, Bonus):
            counted[made] += 1
            if counted[made] > 1 and not allow_repeats:
                found = f"is the same bonus as line {lines[made]}"
                fix = "take one out; or give --allow-repeats to pay both"
                findings.append(
                    errors.Finding("repeated-bonus", str(path), found, fix, line=row.line)
                )
            lines.setdefault(made, row.line)
        else:
            findings += made
    if findings:
        raise errors.DataError(*findings)
    return counted


def _bonus(row: batch_data.Row, file: str) -> Bonus | list[errors.Finding]:
    """Make a bonus of a line, or say everything that is wrong with it."""
    worker, assignment, amount, reason = (
        "" if row.fields.get(name) is None else str(row.fields[name]).strip() for name in COLUMNS
    )
    faults = []
    if not WORKER_ID.fullmatch(worker):
        faults.append((f'WorkerId is "{worker}"', "an id such as A2EXAMPLE is expected"))
    if not ASSIGNMENT_ID.fullmatch(assignment):
        faults.append((f'AssignmentId is "{assignment}"', "capitals and digits are expected"))
    if not reason:
        faults.append(("Reason is empty", "say what the bonus is for; the worker is told"))
    value = Decimal(0)
    try:
        value = money.amount(amount.removeprefix("$"))
        if not value:
            faults.append((f'BonusAmount is "{amount}"', "it must be above 0"))
    except ValueError:
        faults.append((f'BonusAmount is "{amount}"', "dollars such as 0.25 are expected"))
    if faults:
        return [
            errors.Finding("unclear-bonus", file, found, fix, line=row.line)
            for found, fix in faults
        ]
    return Bonus(worker, assignment, value.quantize(money.CENT), reason)


def listed(
    service: calls.Calls, places: Sequence[Json], progress: Progress
) -> collections.Counter[Bonus]:
    """Count the bonuses that the service says are paid.

    Parameters
    ----------
    service : Calls
        Where to ask.
    places : sequence of dict
        ``{"AssignmentId": ...}`` or ``{"HITId": ...}`` each.
    progress : Progress
        Told of the places read.

    Raises
    ------
    PartialError
        If one can't be read.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ListBonusPaymentsOperation.html
    """
    counted: collections.Counter[Bonus] = collections.Counter()
    failures: list[tuple[str, Exception]] = []
    outcomes = service.each(lambda place: _payments(service, place), places)
    for read, outcome in enumerate(outcomes, 1):
        if outcome.error is not None:
            [(name, value)] = outcome.item.items()
            failures.append((f"{name.removesuffix('Id')} {value}", outcome.error))
            if isinstance(outcome.error, errors.UnreachableError | errors.CredentialsError):
                break
        counted.update(outcome.value or ())
        progress("reading bonuses paid before", read, len(places))
    if failures:
        raise errors.PartialError(
            "what was paid before could not be read, and nothing was sent:", failures
        )
    return counted


def _payments(service: calls.Calls, place: Json) -> list[Bonus]:
    pages = service.pages("list_bonus_payments", "BonusPayments", **place)
    return [
        Bonus(
            one["WorkerId"],
            one["AssignmentId"],
            Decimal(one["BonusAmount"]).quantize(money.CENT),
            one.get("Reason", ""),
        )
        for page in pages
        for one in page
    ]


def agree(plan: BonusPlan) -> None:
    """Agree to a plan without asking anyone."""


def pay_bonuses(
    client: MTurkClient,
    plan: BonusPlan,
    *,
    confirm: Callable[[BonusPlan], None] = agree,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> PaidBonuses:
    """Pay what is planned.

    Parameters
    ----------
    client : MTurkClient
        The client that the plan was made with.
    plan : BonusPlan
        What to pay.
    confirm : callable
        Given the plan before anything is spent; raises to refuse it.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of the bonuses paid.

    Returns
    -------
    PaidBonuses

    Raises
    ------
    RefusedError
        If the balance does not cover it; nothing was sent.
    PartialError
        With each bonus that was not paid, and why.

    Notes
    -----
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_SendBonusOperation.html
    """
    service = calls.Calls(client, concurrency=concurrency)
    if not plan.affordable and service.environment.name != "sandbox":
        assert plan.balance is not None, "an unknown balance counts as affordable"
        raise errors.RefusedError(
            f"the bonuses cost {money.dollars(plan.total)} with MTurk's fees, and the account in"
            f" {service.environment.place} has {money.dollars(plan.balance)}; add funds, or pay"
            " fewer lines"
        )
    if not plan.payments:
        return PaidBonuses(0, plan.already, Decimal(0))
    confirm(plan)
    with _written(plan) as log, service.finishing():
        payer = _Payer(service, log)
        paid, already = Decimal(0), plan.already
        count = 0
        failures: list[tuple[str, Exception]] = []
        for outcome in service.each(payer.pay, plan.payments):
            bonus = outcome.item.bonus
            if outcome.error is not None:
                failures.append((f"{bonus.worker_id}, {bonus.assignment_id}", outcome.error))
                if isinstance(outcome.error, _HOPELESS):
                    break
            elif outcome.value:
                paid += bonus.amount
                count += 1
            else:
                already += 1
            progress("paying bonuses", count, len(plan.payments))
    if failures:
        raise errors.PartialError(
            f"{count} of {len(plan.payments)} bonuses are paid, {already} were before;"
            f" {len(failures)} failed, and the same command pays what is left:",
            failures,
        )
    return PaidBonuses(count, already, paid)


_HOPELESS = (errors.UnreachableError, errors.CredentialsError, errors.FundsError)
"""Every further request would fail the same way."""


def _journal(pin: Mapping[str, str]) -> Path:
    digest = hashlib.sha256(json.dumps(dict(pin), sort_keys=True).encode()).hexdigest()
    return own_journals.path_of(FOLDER, digest)


@contextlib.contextmanager
def _written(plan: BonusPlan) -> Iterator[bonuses.Bonuses]:
    """Open the journal that a plan's payments are written to, alone."""
    if plan.batch_dir is None:
        with own_journals.opened(_journal(plan.environment.pin())) as log:
            yield bonuses.Bonuses(log)
        return
    from turkbatch.batch import directory

    batch = directory.open_batch(plan.batch_dir)
    with batch.locked(), contextlib.closing(files.Log(batch.path / layout.BONUSES)) as log:
        yield bonuses.Bonuses(log)


class _Payer:
    """Pays one bonus; called from many threads."""

    def __init__(self, service: calls.Calls, log: bonuses.Bonuses) -> None:
        self._service = service
        self._log = log

    def pay(self, payment: Payment) -> bool:
        """Pay a bonus; say whether this did it."""
        bonus = payment.bonus
        self._log.intend(bonus, payment.token)
        try:
            self._service.call(
                "send_bonus",
                WorkerId=bonus.worker_id,
                AssignmentId=bonus.assignment_id,
                BonusAmount=f"{bonus.amount:.2f}",
                Reason=bonus.reason,
                UniqueRequestToken=payment.token,
            )
        except errors.DuplicateError:
            self._log.found(bonus, payment.token)
            return False
        except errors.ServiceError as error:
            if error.outcome_unknown:
                raise
            if self._is_paid(payment):
                self._log.found(bonus, payment.token)
                return False
            self._log.refused(bonus, payment.token, error)
            raise
        self._log.paid(bonus, payment.token)
        return True

    def _is_paid(self, payment: Payment) -> bool:
        """Ask whether a refusal means that it was paid before: its text is not documented."""
        with contextlib.suppress(errors.ServiceError):
            found = _payments(self._service, {"AssignmentId": payment.bonus.assignment_id})
            return found.count(payment.bonus) > payment.number
        return False
