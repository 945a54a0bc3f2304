"""``check-batch``: everything that can be wrong with a batch, found before a request."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from turkbatch import errors, money, question
from turkbatch.actions import advice, pinned
from turkbatch.actions.progress import Progress, silent
from turkbatch.batch import data as batch_data
from turkbatch.batch import definition as batch_definition
from turkbatch.batch import layout
from turkbatch.mturk import model

QUESTION_MEMBERS = frozenset(
    {"HITTypeId", "Question", "UniqueRequestToken", "HITLayoutId", "HITLayoutParameters"}
)
"""Parameters of CreateHITWithHITType that are ours to give."""
ANNOTATION_ROOM = len(layout.annotation("x" * 64, "0" * 32, 10**9)) + 1
"""What our part of a HIT's annotation takes of its 255 characters, at most."""
MOST_ROW_FINDINGS = 20
"""Rows named before the rest is passed over; one slip in a template would name them all."""
NEAR_THE_LIMIT = 0.9
"""Share of MTurk's size limit from which on the largest question is warned of."""

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a check found.

    Parameters
    ----------
    findings : tuple of Finding
        Errors first, then warnings, then notes.
    rows : int or None
        Rows of the data; None if it can't be read.
    cost : Cost or None
        What the batch costs; None if the properties don't tell.
    largest_question_bytes : int
        Size of the largest question.
    placeholders : tuple of Placeholder
        Everything in a layout of the website that looks like one, taken or not.
    """

    findings: tuple[errors.Finding, ...]
    rows: int | None
    cost: money.Cost | None
    largest_question_bytes: int
    placeholders: tuple[question.placeholders.Placeholder, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether ``create-batch`` would take it."""
        return not any(one.severity == "error" for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Give the documented JSON form; amounts are texts in USD."""
        cost = self.cost
        return {
            "ok": self.ok,
            "rows": self.rows,
            "cost": None
            if cost is None
            else {
                "hits": cost.hits,
                "assignments_per_hit": cost.assignments_per_hit,
                "reward": str(cost.reward),
                "fee": str(cost.fee),
                "total": str(cost.total),
                "exact": cost.exact,
            },
            "largest_question_bytes": self.largest_question_bytes,
            "findings": [dataclasses.asdict(one) for one in self.findings],
            "placeholders": [dataclasses.asdict(one) for one in self.placeholders],
        }


@dataclasses.dataclass(frozen=True)
class Plan:
    """A batch that could be published as it is.

    Parameters
    ----------
    definition, data
        What goes in.
    cost : Cost
        What it costs if everything is approved.
    findings : tuple of Finding
        Warnings and notes.
    """

    definition: batch_definition.Definition
    data: batch_data.Data
    cost: money.Cost
    findings: tuple[errors.Finding, ...]


def check_batch(
    definition_dir: pinned.PathLike,
    data_path: pinned.PathLike,
    *,
    environment: str = "sandbox",
    allow_undefined: bool = False,
    ignore: Collection[str] = (),
    wage: advice.Wage | None = None,
    progress: Progress = silent,
) -> Checked:
    """Find everything that is wrong with a definition and its data, without a request.

    Parameters
    ----------
    definition_dir : path
        The definition directory.
    data_path : path
        JSON Lines or CSV.
    environment : str
        Where it would be published; a form that posts elsewhere is warned of.
    allow_undefined : bool
        Render undefined names empty, with a warning a name.
    ignore : collection of str
        Rules whose warnings and notes are not wanted; errors are never left out.
    wage : Wage, optional
        What an hour of work shall be worth; a reward below it is warned of.
    progress : Progress
        Told of each row that was rendered.

    Returns
    -------
    Checked
    """
    inspection = _inspect(
        Path(definition_dir), Path(data_path), environment, allow_undefined, progress
    )
    definition, cost = inspection.definition, inspection.cost
    if wage is not None and definition is not None and cost is not None:
        inspection.findings += advice.on_wage(definition, cost, wage)
    return Checked(
        inspection.sorted(ignore),
        None if inspection.data is None else inspection.data.count,
        cost,
        inspection.largest,
        inspection.placeholders,
    )


def plan_batch(
    definition_dir: pinned.PathLike,
    data_path: pinned.PathLike,
    *,
    environment: str = "sandbox",
    allow_undefined: bool = False,
    ignore: Collection[str] = (),
    progress: Progress = silent,
) -> Plan:
    """Check a definition and its data wholly, and compute what they cost.

    Parameters
    ----------
    definition_dir, data_path, environment, allow_undefined, ignore, progress
        As for :func:`check_batch`.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        With every error that was found, if there is any.
    """
    inspection = _inspect(
        Path(definition_dir), Path(data_path), environment, allow_undefined, progress
    )
    findings = inspection.sorted(ignore)
    faults = [one for one in findings if one.severity == "error"]
    if faults:
        raise errors.InputError(*faults)
    definition, data, cost = inspection.definition, inspection.data, inspection.cost
    assert definition is not None, "without a fault it was read"
    assert data is not None, "without a fault it was read"
    assert cost is not None, "without a fault it was computed"
    return Plan(definition, data, cost, findings)


@dataclasses.dataclass
class _Inspection:
    """What is known so far, and what was found."""

    definition: batch_definition.Definition | None = None
    data: batch_data.Data | None = None
    cost: money.Cost | None = None
    largest: int = 0
    placeholders: tuple[question.placeholders.Placeholder, ...] = ()
    findings: list[errors.Finding] = dataclasses.field(default_factory=list)

    def sorted(self, ignore: Collection[str]) -> tuple[errors.Finding, ...]:
        kept = [one for one in self.findings if one.severity == "error" or one.rule not in ignore]
        return tuple(sorted(kept, key=lambda one: _ORDER[one.severity]))


def _inspect(
    definition_dir: Path,
    data_path: Path,
    environment: str,
    allow_undefined: bool,
    progress: Progress,
) -> _Inspection:
    """Gather the findings of every part that can be looked at, whatever the others say."""
    seen = _Inspection()
    try:
        seen.definition = batch_definition.read(definition_dir)
    except errors.InputError as error:
        seen.findings += error.findings
    try:
        seen.data = batch_data.read(data_path)
    except errors.InputError as error:
        seen.findings += error.findings
    if seen.definition is not None:
        faults = property_faults(seen.definition)
        seen.findings += faults
        if not faults and seen.data is not None:
            seen.cost = money.cost(
                seen.definition.hit_type_properties,
                seen.definition.hit_properties,
                hits=seen.data.count,
            )
            seen.findings += advice.on_properties(seen.definition, seen.cost)
    if seen.definition is not None and seen.data is not None:
        _inspect_question(seen, seen.definition, seen.data, environment, allow_undefined, progress)
    return seen


def _inspect_question(
    seen: _Inspection,
    definition: batch_definition.Definition,
    data: batch_data.Data,
    environment: str,
    allow_undefined: bool,
    progress: Progress,
) -> None:
    try:
        template = question.load(definition.path, columns=data.columns)
    except errors.InputError as error:
        seen.findings += error.findings
        return
    seen.findings += template.notes
    if not template.file.endswith(".j2"):
        found = question.placeholders.scan(template.text, data.columns)
        seen.placeholders = tuple(found)
    seen.findings += question.lint.names(template, data.columns)
    rows = _render_all(template, data, allow_undefined=allow_undefined, progress=progress)
    seen.findings += rows.faults
    seen.findings += rows.undefined
    seen.largest = rows.largest
    if rows.first_page is not None:
        seen.findings += question.lint.page(
            rows.first_page, file=template.file, environment=environment
        )
    if rows.largest > NEAR_THE_LIMIT * question.SIZE_LIMIT_BYTES and not rows.faults:
        seen.findings.append(
            errors.Finding(
                "near-size-limit",
                rows.largest_where,
                f"the question has {rows.largest:,} of {question.SIZE_LIMIT_BYTES:,} bytes",
                "load large parts of the page from elsewhere",
                why="a slightly longer row would be refused",
                severity="warning",
            )
        )


def property_faults(definition: batch_definition.Definition) -> list[errors.Finding]:
    """Hold both property files against botocore's model of MTurk."""
    found = []
    for name, operation, properties, without in (
        (
            layout.HIT_TYPE_PROPERTIES,
            "CreateHITType",
            definition.hit_type_properties,
            frozenset[str](),
        ),
        (
            layout.HIT_PROPERTIES,
            "CreateHITWithHITType",
            definition.hit_properties,
            QUESTION_MEMBERS,
        ),
    ):
        path = definition.path / name
        for fault in model.check(operation, properties, without=without):
            line = batch_definition.line_of(path, fault.path)
            found.append(
                errors.Finding(
                    fault.rule,
                    str(path),
                    f"{fault.name}: {fault.found}",
                    fault.expected,
                    line=None if fault.rule == "missing-property" else line,
                    why="MTurk refuses the request otherwise",
                )
            )
    return found + _annotation_faults(definition)


def _annotation_faults(definition: batch_definition.Definition) -> list[errors.Finding]:
    annotation = definition.hit_properties.get("RequesterAnnotation", "")
    most = model.LENGTHS["RequesterAnnotation"] - ANNOTATION_ROOM
    if not isinstance(annotation, str) or not most < len(annotation) <= 255:
        return []
    path = definition.path / layout.HIT_PROPERTIES
    return [
        errors.Finding(
            "wrong-value",
            str(path),
            f"RequesterAnnotation: {len(annotation)} characters",
            f"at most {most} leave room for turkbatch's own mark",
            line=batch_definition.line_of(path, ("RequesterAnnotation",)),
        )
    ]


@dataclasses.dataclass
class _Rows:
    """What rendering every row brought to light."""

    faults: list[errors.Finding] = dataclasses.field(default_factory=list)
    undefined: list[errors.Finding] = dataclasses.field(default_factory=list)
    largest: int = 0
    largest_where: str = ""
    first_page: str | None = None


def _render_all(
    template: question.Template,
    data: batch_data.Data,
    *,
    allow_undefined: bool,
    progress: Progress,
) -> _Rows:
    """Render every row: what one of them would be refused for shall be known now."""
    seen = _Rows()
    undefined: dict[str, str] = {}
    for row in data:
        where = data.where(row)
        try:
            made = template.render(row.fields, where=where, allow_undefined=allow_undefined)
        except errors.InputError as error:
            seen.faults += error.findings
            if len(seen.faults) >= MOST_ROW_FINDINGS:
                break
            continue
        if seen.first_page is None:
            seen.first_page = made.html
        if made.size > seen.largest:
            seen.largest, seen.largest_where = made.size, where
        for name in made.undefined:
            undefined.setdefault(name, where)
        progress("checking rows", row.index + 1, data.count)
    seen.undefined = [
        errors.Finding(
            "undefined-name",
            where,
            f'no "{name}", which the template uses; it renders empty',
            "add it to the data, or take it out of the template",
            severity="warning",
        )
        for name, where in undefined.items()
    ]
    return seen
