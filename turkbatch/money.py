"""US dollars as Decimal, MTurk's fees, and what a batch costs.

The rules are those of MTurk's pricing page (https://www.mturk.com/pricing), in force
since 2015-07-21: 20 % of the reward, 40 % where a HIT has ten or more assignments, a
further 5 % for Masters, at least $0.01 an assignment. The parts of an assignment's
fee are added, then rounded half up to the cent.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

CENT = Decimal("0.01")
BASE_RATE = Decimal("0.20")
MANY_ASSIGNMENTS = 10
"""From this many assignments a HIT on, the fee doubles."""
MANY_ASSIGNMENTS_RATE = Decimal("0.20")
MASTERS_RATE = Decimal("0.05")
MINIMUM_FEE = CENT
AMOUNT = re.compile(r"[0-9]+\.?[0-9]{0,2}", re.ASCII)
"""What MTurk takes as an amount: digits, at most two decimals, no sign, no symbol."""

MASTERS = frozenset(
    {"2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6", "@Masters"}
)
"""The Masters qualification, in production and in the sandbox, and our name for it."""

FREE_SYSTEM_TYPES = frozenset(
    {
        "00000000000000000040",  # Worker_NumberHITsApproved
        "00000000000000000060",  # Worker_Adult
        "00000000000000000071",  # Worker_Locale
        "000000000000000000L0",  # Worker_PercentAssignmentsApproved
    }
)
"""System qualifications that cost nothing."""

OWN_TYPE = re.compile(r"3[A-Z0-9]{20,}|@.+", re.ASCII)
"""What the id of a qualification type of a requester's own looks like, or our name for one.

Premium qualifications are types of MTurk's own, whose ids begin with 2 or are padded
with zeros; their prices (from $0.05 an assignment) are published nowhere in the API.
"""


def amount(text: str) -> Decimal:
    """Read an amount in US dollars, exactly as MTurk takes it.

    Raises
    ------
    ValueError
        If it is not digits with at most two decimals.
    """
    if not AMOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is no amount in dollars such as 0.25")
    return Decimal(text)


def dollars(value: Decimal) -> str:
    """Show an amount, such as ``$1,234.50``."""
    return f"${value:,.2f}"


def fee(reward: Decimal, *, assignments: int, masters: bool = False) -> Decimal:
    """Compute MTurk's fee for one assignment, in USD.

    Parameters
    ----------
    reward : Decimal
        USD an assignment.
    assignments : int
        ``MaxAssignments`` of the HIT; ten or more cost double.
    masters : bool
        Whether a Masters qualification is required.

    Returns
    -------
    Decimal
        USD, rounded half up to the cent, and at least one cent.
    """
    rate = BASE_RATE
    if assignments >= MANY_ASSIGNMENTS:
        rate += MANY_ASSIGNMENTS_RATE
    if masters:
        rate += MASTERS_RATE
    return max(MINIMUM_FEE, (reward * rate).quantize(CENT, ROUND_HALF_UP))


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a batch costs if every assignment is done and approved.

    Parameters
    ----------
    hits, assignments_per_hit : int
        How many HITs, and ``MaxAssignments`` of each.
    reward, fee : Decimal
        USD an assignment.
    uncertain : tuple of str
        Qualification type ids that may carry a price of their own. If there are
        any, :attr:`total` is a lower bound.
    """

    hits: int
    assignments_per_hit: int
    reward: Decimal
    fee: Decimal
    uncertain: tuple[str, ...] = ()

    @property
    def assignments(self) -> int:
        """All assignments of the batch."""
        return self.hits * self.assignments_per_hit

    @property
    def rewards(self) -> Decimal:
        """USD that go to workers."""
        return self.reward * self.assignments

    @property
    def fees(self) -> Decimal:
        """USD that go to MTurk."""
        return self.fee * self.assignments

    @property
    def total(self) -> Decimal:
        """USD in all; a lower bound unless :attr:`exact`."""
        return self.rewards + self.fees

    @property
    def exact(self) -> bool:
        """Whether the total is known to the cent."""
        return not self.uncertain


def cost(
    hit_type_properties: Mapping[str, Any], hit_properties: Mapping[str, Any], *, hits: int
) -> Cost:
    """Compute what a batch costs.

    Parameters
    ----------
    hit_type_properties : mapping
        Parameters of ``CreateHITType``, already checked: ``Reward`` and, if there
        are any, ``QualificationRequirements``.
    hit_properties : mapping
        Parameters of ``CreateHITWithHITType``: ``MaxAssignments`` (1 if absent).
    hits : int
        How many HITs.

    Returns
    -------
    Cost
    """
    reward = amount(hit_type_properties["Reward"])
    assignments: int = hit_properties.get("MaxAssignments", 1)
    required: Sequence[Mapping[str, Any]] = hit_type_properties.get("QualificationRequirements", [])
    ids = [str(requirement["QualificationTypeId"]) for requirement in required]
    return Cost(
        hits=hits,
        assignments_per_hit=assignments,
        reward=reward,
        fee=fee(reward, assignments=assignments, masters=bool(MASTERS.intersection(ids))),
        uncertain=tuple(sorted({name for name in ids if _may_cost(name)})),
    )


def _may_cost(type_id: str) -> bool:
    known = type_id in MASTERS or type_id in FREE_SYSTEM_TYPES
    return not known and not OWN_TYPE.fullmatch(type_id)
