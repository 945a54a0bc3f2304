"""The definition of a qualification type, checked wholly before anything is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from turkbatch import errors, files
from turkbatch.actions import pinned
from turkbatch.batch import data as batch_data
from turkbatch.batch import definition as batch_definition
from turkbatch.mturk import model
from turkbatch.qualification import answer_key, directory, layout
from turkbatch.qualification import definition as definitions
from turkbatch.question import check, document

MADE_FROM_FILES = frozenset({"Test", "AnswerKey"})
"""Parameters that have a file of their own."""


@dataclasses.dataclass(frozen=True)
class CheckedType:
    """A definition that MTurk would take.

    Parameters
    ----------
    definition : Definition
        What the directory holds.
    parameters : dict
        All parameters of ``CreateQualificationType``.
    findings : tuple of Finding
        Warnings.
    scores : Scores or None
        What the test can come out as; None without an answer key.
    """

    definition: definitions.Definition
    parameters: Mapping[str, Any]
    findings: tuple[errors.Finding, ...]
    scores: answer_key.Scores | None


def definition_dir_of(path: pinned.PathLike) -> Path:
    """Give the definition in a qualification type's directory; any other path as it is."""
    path = Path(path)
    return path / layout.DEFINITION if directory.is_one(path) else path


def check_qualification_type(definition_dir: pinned.PathLike) -> CheckedType:
    """Check the definition of a qualification type, without a request.

    Parameters
    ----------
    definition_dir : path
        A definition directory, or a qualification type's directory that holds one.

    Returns
    -------
    CheckedType

    Raises
    ------
    InputError
        With every fault: properties that the API does not take, a test or key against its
        schema, identifiers that the test does not have, a test without its duration.
    """
    read = definitions.read(definition_dir_of(definition_dir))
    findings = _property_faults(read)
    test, key = _documents(read, findings)
    scores = None
    if test is not None:
        found = _test_faults(read, test)
        findings += found
        if key is not None and not found:
            checked = answer_key.check(
                key, test, key_file=str(read.answer_key), test_file=_name(read.test)
            )
            findings += checked.findings
            scores = checked.scores
    faults = [one for one in findings if one.severity == "error"]
    if faults:
        raise errors.DefinitionError(*faults)
    texts = {name: text for name, text in (("Test", test), ("AnswerKey", key)) if text is not None}
    return CheckedType(read, {**read.properties, **texts}, tuple(findings), scores)


def _name(path: Path | None) -> str:
    return "" if path is None else path.name


def _property_faults(read: definitions.Definition) -> list[errors.Finding]:
    faults = model.check("CreateQualificationType", read.properties, without=MADE_FROM_FILES)
    if not faults:
        return list(
            definitions.faults(
                read, test=read.test is not None, answer_key=read.answer_key is not None
            )
        )
    return [
        errors.Finding(
            fault.rule,
            str(read.properties_path),
            f"{fault.name}: {fault.found}",
            f"write it to {layout.TEST if fault.name == 'Test' else layout.ANSWER_KEY}"
            if fault.name in MADE_FROM_FILES
            else fault.expected,
            line=None
            if fault.rule == "missing-property"
            else batch_definition.line_of(read.properties_path, fault.path),
            why="MTurk refuses the request otherwise",
        )
        for fault in faults
    ]


def _documents(
    read: definitions.Definition, findings: list[errors.Finding]
) -> tuple[str | None, str | None]:
    """Read the test and the key, rendering what is a template."""
    rows: Sequence[Mapping[str, object]] = ()
    try:
        if read.data is not None:
            rows = [row.fields for row in batch_data.read(read.data)]
    except errors.DataError as error:
        findings += error.findings
        return None, None
    texts: list[str | None] = []
    for path in (read.test, read.answer_key):
        try:
            texts.append(None if path is None else _text(path, rows))
        except errors.InputError as error:
            findings += error.findings
            texts.append(None)
    templates = [
        one
        for one in (read.test, read.answer_key)
        if one is not None and one.suffix == layout.TEMPLATE_SUFFIX
    ]
    if read.data is not None and not templates:
        findings.append(
            errors.Finding(
                "unused-data",
                str(read.data),
                "no template uses it",
                f"name the test {layout.TEST}{layout.TEMPLATE_SUFFIX}, or remove the data",
                severity="warning",
            )
        )
    return texts[0], texts[1]


def _text(path: Path, rows: Sequence[Mapping[str, object]]) -> str:
    """Give a document as it is sent."""
    if path.suffix == layout.TEMPLATE_SUFFIX:
        return document.render(path, rows)
    return files.read_text(path, errors.DefinitionError)


def _test_faults(read: definitions.Definition, test: str) -> list[errors.Finding]:
    assert read.test is not None, "there is a text of it"
    checked = check.question(test, file=str(read.test), line=None, template=read.test.name)
    if checked.findings or checked.kind == "QuestionForm":
        return list(checked.findings)
    return [
        errors.Finding(
            "wrong-root",
            str(read.test),
            f"is an {checked.kind}",
            "write a QuestionForm: MTurk takes nothing else for a test",
        )
    ]
