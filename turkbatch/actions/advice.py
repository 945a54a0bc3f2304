"""What is allowed in a definition's properties and still likely to be regretted."""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

from turkbatch import errors, money
from turkbatch.actions import pinned
from turkbatch.batch import definition as batch_definition
from turkbatch.batch import directory, layout

SECONDS_A_DAY = 86_400
MOST_TITLE_CHARACTERS = 128
MOST_DESCRIPTION_CHARACTERS = 2000
"""https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_HITDataStructureArticle.html"""

PLACEHOLDER_ID = re.compile(r"\$.*|[A-Z_]*_ID|<.*>|\{.*\}", re.ASCII)
"""What people leave where an id shall go."""


@dataclasses.dataclass(frozen=True)
class Wage:
    """What an hour of work shall be worth, and how long an assignment takes.

    Parameters
    ----------
    hourly : Decimal
        USD an hour.
    work_seconds : float
        What an assignment takes.
    source : str
        Where that is known from, such as ``--minutes``.
    """

    hourly: Decimal
    work_seconds: float
    source: str


def wage_of_pilot(hourly: Decimal, pilot_dir: pinned.PathLike) -> Wage:
    """Take the time that an assignment takes from a batch's saved results: the median.

    Raises
    ------
    BatchError
        If it is no batch, or nothing is saved of it.
    """
    batch = directory.open_batch(Path(pilot_dir))
    times = [
        (_moment(one["SubmitTime"]) - _moment(one["AcceptTime"])).total_seconds()
        for hit_id in batch.results.hit_ids()
        for one in batch.results.assignments(hit_id)
    ]
    if not times:
        raise errors.BatchError(
            f"{batch.path}: no assignments are saved, so nothing tells how long they took;"
            f" run `turkbatch save-batch {batch.path}`, or give --minutes"
        )
    source = f"the median of {len(times):,} assignments in {batch.path}"
    return Wage(hourly, statistics.median(times), source)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def on_wage(
    definition: batch_definition.Definition, cost: money.Cost, wage: Wage
) -> list[errors.Finding]:
    """Warn of a reward that is less than the wage for the time that the work takes.

    Parameters
    ----------
    definition, cost
        As for :func:`on_properties`.
    wage : Wage
        What is aimed at.

    Returns
    -------
    list of Finding
        ``low-wage``, or nothing.
    """
    hours = Decimal(wage.work_seconds) / 3600
    # Rounded up: half a cent less would be under the wage again.
    fair = (wage.hourly * hours).quantize(money.CENT, ROUND_CEILING)
    if cost.reward >= fair:
        return []
    paid = money.dollars(cost.reward / hours)
    return [
        _warning(
            definition,
            "low-wage",
            layout.HIT_TYPE_PROPERTIES,
            ("Reward",),
            found=(
                f"{money.dollars(cost.reward)} for {wage.work_seconds / 60:.1f} minutes"
                f" ({wage.source}) is {paid} an hour"
            ),
            fix=f"{money.dollars(fair)} makes {money.dollars(wage.hourly)} an hour",
            why="workers see the reward before they accept, and leave badly paid HITs alone",
        )
    ]


def on_properties(
    definition: batch_definition.Definition, cost: money.Cost
) -> list[errors.Finding]:
    """Warn of properties that MTurk takes and people regret.

    Parameters
    ----------
    definition : Definition
        Its properties hold against botocore's model.
    cost : Cost
        What the batch costs.

    Returns
    -------
    list of Finding
        Warnings.
    """
    return [
        *_times(definition),
        *_many_assignments(definition, cost),
        *_texts(definition),
        *_placeholders(definition),
    ]


def _warning(
    definition: batch_definition.Definition,
    rule: str,
    name: str,
    keys: tuple[str | int, ...],
    *,
    found: str,
    fix: str,
    why: str,
) -> errors.Finding:
    path = definition.path / name
    line = batch_definition.line_of(path, keys)
    return errors.Finding(rule, str(path), found, fix, line=line, why=why, severity="warning")


def _times(definition: batch_definition.Definition) -> Iterator[errors.Finding]:
    lifetime = definition.hit_properties["LifetimeInSeconds"]
    duration = definition.hit_type_properties["AssignmentDurationInSeconds"]
    if lifetime < duration:
        yield _warning(
            definition,
            "short-lifetime",
            layout.HIT_PROPERTIES,
            ("LifetimeInSeconds",),
            found=f"HITs are offered for {lifetime:,} seconds, and one may take {duration:,}",
            fix="offer them longer, for days rather than minutes",
            why="a HIT that one worker returns late is gone before another can accept it",
        )
    delay = definition.hit_type_properties.get("AutoApprovalDelayInSeconds")
    if delay is not None and delay < SECONDS_A_DAY:
        yield _warning(
            definition,
            "early-auto-approval",
            layout.HIT_TYPE_PROPERTIES,
            ("AutoApprovalDelayInSeconds",),
            found=f"work is approved by itself after {delay:,} seconds",
            fix=f"leave at least a day ({SECONDS_A_DAY:,})",
            why="what is approved is paid and can't be rejected any more",
        )


def _many_assignments(
    definition: batch_definition.Definition, cost: money.Cost
) -> Iterator[errors.Finding]:
    if cost.assignments_per_hit < money.MANY_ASSIGNMENTS:
        return
    fewer = money.cost(
        definition.hit_type_properties,
        {**definition.hit_properties, "MaxAssignments": money.MANY_ASSIGNMENTS - 1},
        hits=cost.hits,
    )
    yield _warning(
        definition,
        "many-assignments",
        layout.HIT_PROPERTIES,
        ("MaxAssignments",),
        found=(
            f"{cost.assignments_per_hit} assignments a HIT cost {money.dollars(cost.fee)} of fee"
            f" each, {money.dollars(cost.total)} in all"
        ),
        fix=(
            f"with {fewer.assignments_per_hit} the fee is {money.dollars(fewer.fee)} each and the"
            f" batch costs {money.dollars(fewer.total)}; a HIT can't grow from under"
            f" {money.MANY_ASSIGNMENTS} to more later"
        ),
        why=f"MTurk's fee doubles for HITs with {money.MANY_ASSIGNMENTS} or more assignments",
    )


def _texts(definition: batch_definition.Definition) -> Iterator[errors.Finding]:
    for name, rule, most in (
        ("Title", "long-title", MOST_TITLE_CHARACTERS),
        ("Description", "long-description", MOST_DESCRIPTION_CHARACTERS),
    ):
        length = len(definition.hit_type_properties[name])
        if length > most:
            yield _warning(
                definition,
                rule,
                layout.HIT_TYPE_PROPERTIES,
                (name,),
                found=f"{name} has {length:,} characters",
                fix=f"shorten it to {most:,}",
                why="MTurk's documentation allows no more, and workers skim",
            )


def _placeholders(definition: batch_definition.Definition) -> Iterator[errors.Finding]:
    required: list[dict[str, Any]] = definition.hit_type_properties.get(
        "QualificationRequirements", []
    )
    for index, requirement in enumerate(required):
        type_id = requirement["QualificationTypeId"]
        if PLACEHOLDER_ID.fullmatch(type_id):
            yield _warning(
                definition,
                "qualification-placeholder",
                layout.HIT_TYPE_PROPERTIES,
                ("QualificationRequirements", index, "QualificationTypeId"),
                found=f'"{type_id}" looks like a placeholder',
                fix="put the id of the qualification type there, or @ and its name",
                why="MTurk refuses a HIT type that requires a qualification which does not exist",
            )
