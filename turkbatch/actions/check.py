"""``check-batch``: everything that can be wrong with a batch, found before a request."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from turkbatch import errors, money, question
from turkbatch.actions import pinned
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
MOST_FINDINGS = 20


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
    largest_question_bytes : int
        Size of the largest question.
    """

    definition: batch_definition.Definition
    data: batch_data.Data
    cost: money.Cost
    findings: tuple[errors.Finding, ...]
    largest_question_bytes: int


def plan_batch(
    definition_dir: pinned.PathLike,
    data_path: pinned.PathLike,
    *,
    allow_undefined: bool = False,
    progress: Progress = silent,
) -> Plan:
    """Check a definition and its data wholly, and compute what they cost.

    Parameters
    ----------
    definition_dir : path
        The definition directory.
    data_path : path
        JSON Lines or CSV.
    allow_undefined : bool
        Render undefined names empty, with a warning a name.
    progress : Progress
        Told of each row that was rendered.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        With every fault that was found, if there is any.
    """
    definition, data, faults = _read(Path(definition_dir), Path(data_path))
    if definition is not None:
        faults += property_faults(definition)
    if definition is None or data is None:
        raise _gathered(faults)
    try:
        template = question.load(definition.path, columns=data.columns)
    except errors.InputError as error:
        raise _gathered([*faults, *error.findings]) from error
    rendered = _render_all(template, data, allow_undefined=allow_undefined, progress=progress)
    faults += rendered.faults
    if faults:
        raise _gathered(faults)
    cost = money.cost(definition.hit_type_properties, definition.hit_properties, hits=data.count)
    return Plan(definition, data, cost, tuple(rendered.warnings), rendered.largest)


def _gathered(faults: list[errors.Finding]) -> errors.InputError:
    return errors.InputError(*faults)


def _read(
    definition_dir: Path, data_path: Path
) -> tuple[batch_definition.Definition | None, batch_data.Data | None, list[errors.Finding]]:
    faults: list[errors.Finding] = []
    definition = data = None
    try:
        definition = batch_definition.read(definition_dir)
    except errors.InputError as error:
        faults += error.findings
    try:
        data = batch_data.read(data_path)
    except errors.InputError as error:
        faults += error.findings
    return definition, data, faults


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
class _Rendered:
    faults: list[errors.Finding] = dataclasses.field(default_factory=list)
    warnings: list[errors.Finding] = dataclasses.field(default_factory=list)
    largest: int = 0


def _render_all(
    template: question.Template,
    data: batch_data.Data,
    *,
    allow_undefined: bool,
    progress: Progress,
) -> _Rendered:
    """Render every row: what one of them would be refused for shall be known now."""
    done = _Rendered()
    undefined: dict[str, str] = {}
    for row in data:
        where = data.where(row)
        try:
            made = template.render(row.fields, where=where, allow_undefined=allow_undefined)
        except errors.InputError as error:
            done.faults += error.findings
            if len(done.faults) >= MOST_FINDINGS:
                break
            continue
        done.largest = max(done.largest, made.size)
        for name in made.undefined:
            undefined.setdefault(name, where)
        progress("checking rows", row.index + 1, data.count)
    done.warnings += [
        errors.Finding(
            "undefined-name",
            where,
            f'no "{name}", which the template uses; it renders empty',
            "add it to the data, or take it out of the template",
            severity="warning",
        )
        for name, where in undefined.items()
    ]
    return done
