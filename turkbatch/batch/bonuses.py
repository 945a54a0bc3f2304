"""The journal of bonuses: what was about to be paid, and what came of it.

::

    {"event": "intent", "token": "...", "worker_id": "...", "assignment_id": "...",
     "amount": "1.25", "reason": "...", "time": "..."}
    {"event": "paid", "token": "...", ...}       a reply says so
    {"event": "found", "token": "...", ...}      it was paid before, which the service told
    {"event": "refused", "token": "...", "error": "...", ...}     nothing was paid

Those computed from a batch are in its ``bonuses.jsonl``; those that a file names, which
may be about many batches, are in the user's data folder, one file an environment.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from turkbatch import files
from turkbatch.batch import journal


@dataclasses.dataclass(frozen=True)
class Bonus:
    """A bonus: equal ones are told apart by nothing but their number.

    Parameters
    ----------
    worker_id, assignment_id : str
        Who is paid, and for which work.
    amount : Decimal
        USD, to the cent.
    reason : str
        What the worker is told.
    """

    worker_id: str
    assignment_id: str
    amount: Decimal
    reason: str

    def token(self, pin: Mapping[str, str], number: int) -> str:
        """Give the ``UniqueRequestToken`` of the n-th equal bonus, from 0.

        It follows from what is paid alone, so that every machine that reads the same line
        sends the same token.
        """
        content = [
            dict(pin),
            self.worker_id,
            self.assignment_id,
            f"{self.amount:.2f}",
            self.reason,
            number,
        ]
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@dataclasses.dataclass(frozen=True)
class BonusState:
    """What a journal says of bonuses.

    Parameters
    ----------
    paid : dict of Bonus to int
        How many times each surely was paid.
    open : dict of str to Bonus
        By token: sent, and no reply.
    """

    paid: Mapping[Bonus, int]
    open: Mapping[str, Bonus]


def replay(records: Iterable[Mapping[str, Any]]) -> BonusState:
    """Derive what was paid from a journal."""
    paid: dict[str, Bonus] = {}
    intents: dict[str, Bonus] = {}
    for record in records:
        token = record["token"]
        bonus = Bonus(
            record["worker_id"],
            record["assignment_id"],
            Decimal(record["amount"]),
            record["reason"],
        )
        if record["event"] == "intent":
            intents[token] = bonus
            continue
        intents.pop(token, None)
        if record["event"] in {"paid", "found"}:
            paid[token] = bonus
    return BonusState(
        collections.Counter(paid.values()),
        {token: one for token, one in intents.items() if token not in paid},
    )


class Bonuses:
    """The journal of bonuses, open for writing."""

    def __init__(self, log: files.Log) -> None:
        self._log = log

    def intend(self, bonus: Bonus, token: str) -> None:
        """Write down that a bonus is about to be paid."""
        self._append("intent", bonus, token)

    def paid(self, bonus: Bonus, token: str) -> None:
        """Write down that a bonus is paid."""
        self._append("paid", bonus, token)

    def found(self, bonus: Bonus, token: str) -> None:
        """Write down that a bonus turned out to be paid before."""
        self._append("found", bonus, token)

    def refused(self, bonus: Bonus, token: str, error: Exception) -> None:
        """Write down that the service refused, and so paid nothing."""
        self._append("refused", bonus, token, error=str(error))

    def _append(self, event: str, bonus: Bonus, token: str, **more: str) -> None:
        self._log.append(
            {
                "event": event,
                "token": token,
                "worker_id": bonus.worker_id,
                "assignment_id": bonus.assignment_id,
                "amount": f"{bonus.amount:.2f}",
                "reason": bonus.reason,
                **more,
                "time": journal.timestamp(),
            }
        )
