"""What is allowed in a definition's properties and still likely to be regretted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from turkbatch import errors, money
from turkbatch.batch import definition as batch_definition
from turkbatch.batch import layout

SECONDS_A_DAY = 86_400
MOST_TITLE_CHARACTERS = 128
MOST_DESCRIPTION_CHARACTERS = 2000
"""https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_HITDataStructureArticle.html"""

PLACEHOLDER_ID = re.compile(r"\$.*|[A-Z_]*_ID|<.*>|\{.*\}", re.ASCII)
"""What people leave where an id shall go."""


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
