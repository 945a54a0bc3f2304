"""``review-batch --decisions`` and ``--undo``: the plan is shown, agreed to, and then sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors, money
from turkbatch.cli import output

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch import actions


def planned(
    client: MTurkClient,
    batch_dir: Path,
    decisions_path: Path | None,
    *,
    undo: bool,
    feedback: str,
    site: str,
    ask: bool,
    concurrency: int,
) -> tuple[actions.Decision, ...]:
    """Plan decisions, show the plan, and ask.

    Raises
    ------
    InputError
        With everything that is not clear.
    RefusedError
        If the user does not agree.
    """
    from turkbatch import actions

    with output.Bar() as bar:
        plan = actions.plan_decisions(
            client,
            batch_dir,
            decisions_path,
            undo=undo,
            feedback=feedback,
            concurrency=concurrency,
            progress=bar,
        )
    _show(plan)
    if plan.problems:
        raise errors.InputError(*plan.problems)
    if plan.decisions and ask:
        output.agree(_question(plan, site))
    return plan.decisions


def _show(plan: actions.DecisionPlan) -> None:
    rows = [
        ("to approve", f"{plan.count('approve'):,}"),
        ("to reject", f"{plan.count('reject'):,}"),
        ("rejections to turn back", f"{plan.count('override'):,}"),
        ("decided so already", f"{plan.already:,}"),
        ("rejections too old to turn back", f"{plan.late:,}"),
        ("submitted, and not decided on", f"{plan.untouched:,}"),
        ("not clear", f"{len(plan.problems):,}"),
        ("rewards", money.dollars(plan.rewards)),
        ("MTurk's fees", money.dollars(plan.fees)),
    ]
    always = {"to approve", "to reject", "rewards", "MTurk's fees"}
    shown = [(name, value) for name, value in rows if name in always or value != "0"]
    output.table(shown, stderr=True, numbers=[1])


def _question(plan: actions.DecisionPlan, site: str) -> str:
    parts = [
        f"{verb} {plan.count(action):,}{what}"
        for verb, action, what in (
            ("approve", "approve", ""),
            ("reject", "reject", ""),
            ("turn back", "override", " rejections"),
        )
        if plan.count(action)
    ]
    total = money.dollars(plan.rewards + plan.fees)
    said = " and ".join(parts)
    return f"{said[0].upper()}{said[1:]} {site}, which costs {total} with MTurk's fees?"
