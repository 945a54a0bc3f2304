"""Faults on demand: the ways in which a service fails, when a test wants them.

A plan is a text of rules and settings, separated by white space, commas or line breaks::

    CreateHITWithHITType:throttle@3     the third such call is throttled
    *:reset-after%0.05                  one reply in twenty is lost after the work
    GetHIT:500@2-4   GetHIT:503@10+     calls 2 to 4; every call from the tenth on
    lag=30  latency=0.05  rate=20  seed=7

=================  ============================================================
rule               ``OPERATION:KIND`` with nothing (every call), ``@N`` (the
                   N-th call since the plan was loaded), ``@N-M``, ``@N+``, or
                   ``%RATE`` (a share of the calls, 0 to 1). ``*`` is any
                   operation, and counts them all.
kind               what the client sees
``throttle``       400 ThrottlingException, "Rate exceeded"; nothing done
``500``            500 ServiceFault as JSON; nothing done
``503``            503 without JSON; nothing done
``reset-before``   the connection breaks, nothing done
``reset-after``    the work is done, the connection breaks before the reply
``hang-before``    no reply ever comes, nothing done
``hang-after``     the work is done, no reply ever comes
``funds``          400 InsufficientFunds; nothing done
``lag=SECONDS``    new HITs are listed so much later
``latency=S``      each reply takes so much longer
``rate=N``         more than N requests a second are throttled
``seed=N``         which calls a share falls on (default 0)
=================  ============================================================

The first rule that falls on a call decides. A plan is held in memory by the process that
serves, and can be changed while it runs.
"""

from __future__ import annotations

import collections
import dataclasses
import random
import re
import threading
import time
from collections.abc import Iterable
from typing import Final

KINDS: Final = (
    "throttle",
    "500",
    "503",
    "reset-before",
    "reset-after",
    "hang-before",
    "hang-after",
    "funds",
)
"""What a rule can do to a call."""

_RULE = re.compile(
    r"(?P<operation>\*|[A-Za-z]+):(?P<kind>[a-z0-9-]+)"
    r"(?:@(?P<first>[0-9]+)(?P<range>-(?P<last>[0-9]+)|\+)?|%(?P<share>[0-9.]+))?\Z"
)
_SETTING = re.compile(r"(lag|latency|rate|seed)=([0-9]+(?:\.[0-9]+)?)\Z")


@dataclasses.dataclass(frozen=True)
class Rule:
    """What happens to which calls.

    Parameters
    ----------
    operation : str
        Its name in the API, or ``*``.
    kind : str
        One of :data:`KINDS`.
    first, last : int, optional
        The calls that it falls on, counted from 1; no last means all further ones.
    share : float, optional
        How many of the calls it falls on, instead.
    """

    operation: str
    kind: str
    first: int = 1
    last: int | None = None
    share: float | None = None

    def __str__(self) -> str:
        if self.share is not None:
            return f"{self.operation}:{self.kind}%{self.share:g}"
        if self.last is not None:
            span = f"@{self.first}" if self.first == self.last else f"@{self.first}-{self.last}"
        else:
            span = "" if self.first == 1 else f"@{self.first}+"
        return f"{self.operation}:{self.kind}{span}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is to go wrong.

    Parameters
    ----------
    rules : tuple of Rule
        The first that falls on a call decides.
    lag : float
        Seconds until a new HIT is listed.
    latency : float
        Seconds added to each reply.
    rate : float
        Requests a second that are served; 0 for no limit.
    seed : int
        For the rules with a share.
    """

    rules: tuple[Rule, ...] = ()
    lag: float = 0.0
    latency: float = 0.0
    rate: float = 0.0
    seed: int = 0

    def __str__(self) -> str:
        values = {"lag": self.lag, "latency": self.latency, "rate": self.rate, "seed": self.seed}
        settings = [f"{name}={value:g}" for name, value in values.items() if value]
        return " ".join([*map(str, self.rules), *settings])


def parse(spec: str | Iterable[str]) -> Plan:
    """Read a plan.

    Parameters
    ----------
    spec : str or iterable of str
        As this module's documentation has it.

    Returns
    -------
    Plan
        Empty for an empty text.

    Raises
    ------
    ValueError
        Naming the part that can't be read.
    """
    text = spec if isinstance(spec, str) else " ".join(spec)
    rules: list[Rule] = []
    settings: dict[str, float] = {}
    for part in re.split(r"[\s,;]+", text.strip()):
        if setting := _SETTING.match(part):
            settings[setting[1]] = float(setting[2])
        elif part:
            rules.append(_rule(part))
    seed = int(settings.pop("seed", 0))
    return Plan(tuple(rules), seed=seed, **settings)


def _rule(part: str) -> Rule:
    found = _RULE.match(part)
    if found is None:
        raise ValueError(
            f'"{part}" is no fault; write OPERATION:KIND, with @N or %RATE behind it, or one of '
            "lag=, latency=, rate=, seed="
        )
    operation, kind = found["operation"], found["kind"]
    if kind not in KINDS:
        raise ValueError(f'"{part}": no kind "{kind}"; there are {", ".join(KINDS)}')
    if found["share"] is not None:
        return Rule(operation, kind, share=_share(part, found["share"]))
    if found["first"] is None:
        return Rule(operation, kind)
    first = int(found["first"])
    last = None if found["range"] == "+" else int(found["last"] or first)
    if first < 1 or (last is not None and last < first):
        raise ValueError(f'"{part}": calls are counted from 1 upwards')
    return Rule(operation, kind, first, last)


def _share(part: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise ValueError(f'"{part}": a rate is a number from 0 to 1')
    return share


class Faults:
    """The plan in force, and a count of the calls.

    Safe to use from several threads.

    Parameters
    ----------
    spec : str or iterable of str
        A plan to begin with.
    """

    def __init__(self, spec: str | Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._calls: collections.Counter[str] = collections.Counter()
        self._plan = Plan()
        self.load(spec)

    @property
    def plan(self) -> Plan:
        """What is in force."""
        return self._plan

    def load(self, spec: str | Iterable[str]) -> Plan:
        """Put a plan in force instead of the one before; calls are counted anew for it.

        Parameters
        ----------
        spec : str or iterable of str
            As this module's documentation has it.

        Returns
        -------
        Plan
            As understood.

        Raises
        ------
        ValueError
            If it can't be read; the one before stays in force.
        """
        plan = parse(spec)
        with self._lock:
            self._plan = plan
            self._seen: collections.Counter[str] = collections.Counter()
            self._random = random.Random(plan.seed)
            self._tokens = max(plan.rate, 1.0)
            self._refilled = time.monotonic()
        return plan

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.load(())

    def calls(self) -> dict[str, int]:
        """Count the calls of each operation, failed ones included.

        Returns
        -------
        dict
            Name of the operation: calls since the start or :meth:`reset_calls`.
        """
        with self._lock:
            return dict(sorted(self._calls.items()))

    def reset_calls(self) -> None:
        """Count calls from 0 again; the plan's own counts go on."""
        with self._lock:
            self._calls.clear()

    def befalls(self, operation: str) -> str | None:
        """Count a call, and tell what is to happen to it.

        Parameters
        ----------
        operation : str
            Its name in the API.

        Returns
        -------
        str or None
            One of :data:`KINDS`, or None if nothing goes wrong.
        """
        with self._lock:
            self._calls[operation] += 1
            self._seen[operation] += 1
            self._seen["*"] += 1
            if not self._within_rate():
                return "throttle"
            fallen = [rule.kind for rule in self._plan.rules if self._falls(rule, operation)]
        return fallen[0] if fallen else None

    def _falls(self, rule: Rule, operation: str) -> bool:
        if rule.operation not in ("*", operation):
            return False
        if rule.share is not None:
            return self._random.random() < rule.share
        number = self._seen[rule.operation]
        return rule.first <= number and (rule.last is None or number <= rule.last)

    def _within_rate(self) -> bool:
        # A bucket that holds one second's worth, refilled evenly by the real clock.
        if not self._plan.rate:
            return True
        now = time.monotonic()
        refill = (now - self._refilled) * self._plan.rate
        self._tokens = min(self._tokens + refill, max(self._plan.rate, 1.0))
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
