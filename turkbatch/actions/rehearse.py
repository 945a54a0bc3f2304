"""``rehearse-batch``: the whole life of a batch with simulated workers, and no trace of it.

It is published on a server of its own, worked on, reviewed, saved, deleted and extracted by
the very functions that the commands call. What comes out is what those commands would give
if real workers behaved like these.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import errors, files, money, question, tables
from turkbatch.actions import admission, check, pinned, throwaway
from turkbatch.actions.create import CreatedBatch, create_batch
from turkbatch.actions.delete import delete_batch
from turkbatch.actions.expire import expire_batch
from turkbatch.actions.extract import extract_tabular
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.review import review_batch
from turkbatch.actions.save import save_batch
from turkbatch.actions.status import status_batch
from turkbatch.batch import layout
from turkbatch.qualification import requirements

if TYPE_CHECKING:
    from turkbatch.actions.tally import Tally
    from turkbatch.actions.throwaway import Throwaway
    from turkbatch.server import crowd

WORKERS = 10
ACCURACY = 0.9
BATCH_ID = "rehearsal"
RESULTS = "results.csv"
MOST_ROWS_NAMED = 20
"""Rows that a finding names one by one; one slip in a template would name them all."""
_ROWS = "results.jsonl"
_HEAD_START_SECONDS = 3600
"""What passes, if HITs live so long, between publishing and working: work takes time."""


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """What came of a rehearsal.

    Parameters
    ----------
    rows : tuple of dict
        The table that ``extract tabular --inputs`` would give, one row for each assignment.
    hits, assignments : int
        How many there were, and how many assignments were submitted.
    left : int
        Assignments that nobody took.
    spammers : tuple of str
        Ids of the workers who answered by chance.
    cost : Cost
        What the batch costs if every assignment is done and approved.
    paid : Decimal
        USD that was paid here, fees included.
    average_work_seconds, median_work_seconds : float or None
        How long the simulated workers took.
    hourly_wage : Decimal or None
        USD an hour that the average one earned.
    findings : tuple of Finding
        What would be regretted with real workers.
    kept : Path or None
        The directory with the batch and its results, if it was asked for.
    """

    rows: tuple[Mapping[str, Any], ...]
    hits: int
    assignments: int
    left: int
    spammers: tuple[str, ...]
    cost: money.Cost
    paid: Decimal
    average_work_seconds: float | None
    median_work_seconds: float | None
    hourly_wage: Decimal | None
    findings: tuple[errors.Finding, ...]
    kept: Path | None

    def as_json(self) -> dict[str, Any]:
        """Give the documented JSON form; amounts are texts in USD."""
        return {
            "hits": self.hits,
            "assignments": self.assignments,
            "left": self.left,
            "spammers": list(self.spammers),
            "cost": {"total": str(self.cost.total), "exact": self.cost.exact},
            "paid": str(self.paid),
            "average_work_seconds": self.average_work_seconds,
            "median_work_seconds": self.median_work_seconds,
            "hourly_wage": None if self.hourly_wage is None else str(self.hourly_wage),
            "findings": [dataclasses.asdict(one) for one in self.findings],
            "kept": None if self.kept is None else str(self.kept),
            "rows": list(self.rows),
        }


def rehearse_batch(
    definition_dir: pinned.PathLike,
    data_path: pinned.PathLike,
    *,
    workers: int | None = None,
    seed: int = 0,
    accuracy: float = ACCURACY,
    spam: float = 0.0,
    speed: float = 1.0,
    truth: Mapping[str, str] | None = None,
    keep: pinned.PathLike | None = None,
    allow_undefined: bool = False,
    progress: Progress = silent,
) -> Rehearsal:
    """Live through a batch's whole life on a server that is thrown away.

    Parameters
    ----------
    definition_dir, data_path : path
        The definition directory; JSON Lines or CSV.
    workers : int, optional
        How many simulated workers there are; 10, or as many as a HIT has assignments.
    seed : int
        The same seed gives the same answers.
    accuracy : float
        How often a worker's answer is the right one, from 0 to 1; where nothing is known to
        be right, how often workers agree on an option.
    spam : float
        Share of workers who answer by chance within seconds, from 0 to 1.
    speed : float
        How many times as fast as usual they work.
    truth : mapping of str to str, optional
        By name of a field, the column of the data that holds the right answer to it.
    keep : path, optional
        A new or empty directory for the batch, its results and the server's database, which
        stays; otherwise nothing does.
    allow_undefined : bool
        Render undefined names empty.
    progress : Progress
        Told of every step.

    Returns
    -------
    Rehearsal

    Raises
    ------
    InputError
        If ``create-batch`` would refuse the definition or the data.
    RefusedError
        If the truth names a column or a field that isn't there, or a share is none.
    BatchError
        If the directory to keep holds anything already.
    """
    from turkbatch.server import crowd

    try:
        manner = crowd.Manner(accuracy=accuracy, spam=spam, speed=speed)
    except ValueError as error:
        raise errors.RefusedError(f"{error}") from error
    plan = check.plan_batch(
        definition_dir,
        data_path,
        environment="local",
        allow_undefined=allow_undefined,
        progress=progress,
    )
    _check_columns(plan, truth or {})
    place = None if keep is None else Path(keep)
    with throwaway.throwaway(place) as server:
        stage = _Stage(plan, server, progress)
        many = workers or max(WORKERS, plan.cost.assignments_per_hit)
        batch = stage.publish(many, allow_undefined=allow_undefined)
        right = _right_answers(plan, batch, server, truth or {})
        report = stage.work(batch, many, seed, manner, right)
        worth = stage.wind_up(batch)
        rows = tuple(files.read_json_lines(server.directory / _ROWS))
        (server.directory / _ROWS).unlink()
        asked = {name for hit_id in batch.hit_ids for name in crowd.fields(server.served, hit_id)}
        stage.delete(batch)
    found = [*plan.findings, *admission.unmeetable(plan.definition)]
    found += _findings(plan, batch, report, many)
    found += _findings_in(plan, rows, asked)
    return Rehearsal(
        rows,
        hits=len(batch.hit_ids),
        assignments=report.assignments,
        left=report.left,
        spammers=report.spammers,
        cost=plan.cost,
        paid=worth.paid,
        average_work_seconds=worth.average_work_seconds,
        median_work_seconds=worth.median_work_seconds,
        hourly_wage=worth.hourly_wage,
        findings=tuple(found),
        kept=place,
    )


@dataclasses.dataclass(frozen=True)
class _Stage:
    """The steps of a batch's life on a server of its own."""

    plan: check.Plan
    server: Throwaway
    progress: Progress

    def publish(self, workers: int, *, allow_undefined: bool) -> CreatedBatch:
        self.server.served.set_balance(int(self.plan.cost.total * 100) + 1)
        self._make_own_types(workers)
        batch = create_batch(
            self.server.client,
            self.plan.definition.path,
            self.plan.data.path,
            self.server.directory,
            batch_id=BATCH_ID,
            allow_undefined=allow_undefined,
            progress=self.progress,
        )
        lifetime = int(self.plan.definition.hit_properties["LifetimeInSeconds"])
        self.server.served.clock.advance(min(lifetime // 2, _HEAD_START_SECONDS))
        return batch

    def _make_own_types(self, workers: int) -> None:
        """Make the qualification types that are required by name, and give them to the crowd."""
        from turkbatch.server import crowd

        client = self.server.client
        for name, required in admission.by_type(self.plan.definition.hit_type_properties).items():
            if not name.startswith("@"):
                continue
            made = client.create_qualification_type(
                Name=name[1:], Description="For a rehearsal.", QualificationTypeStatus="Active"
            )
            fitting = admission.fitting(name, required)
            if fitting is None or name not in fitting.granted:
                continue
            value = fitting.granted[name]
            for number in range(1, workers + 1):
                client.associate_qualification_with_worker(
                    QualificationTypeId=made["QualificationType"]["QualificationTypeId"],
                    WorkerId=crowd.worker_id(number),
                    IntegerValue=1 if value is None else value,
                    SendNotification=False,
                )

    def work(
        self,
        batch: CreatedBatch,
        workers: int,
        seed: int,
        manner: crowd.Manner,
        truth: Mapping[str, Mapping[str, str]],
    ) -> crowd.WorkReport:
        from turkbatch.server import crowd

        return crowd.work(
            self.server.served,
            hit_ids=batch.hit_ids,
            workers=workers,
            seed=seed,
            manner=manner,
            truth=truth,
            progress=lambda done, total: self.progress("answering forms", done, total),
        )

    def wind_up(self, batch: CreatedBatch) -> Tally:
        client, path, progress = self.server.client, batch.batch_dir, self.progress
        review_batch(client, path, approve_all=True, progress=progress)
        expire_batch(client, path, progress=progress)
        save_batch(client, path, progress=progress)
        status = status_batch(client, path, progress=progress)
        for name in (_ROWS, RESULTS):
            extract_tabular(path, self.server.directory / name, inputs=True, progress=progress)
        return status.tally

    def delete(self, batch: CreatedBatch) -> None:
        delete_batch(self.server.client, batch.batch_dir, progress=self.progress)


def _check_columns(plan: check.Plan, truth: Mapping[str, str]) -> None:
    """Refuse a truth that is to come from a column that isn't there."""
    for field, column in truth.items():
        if column not in plan.data.columns:
            near = question.placeholders.did_you_mean(column, plan.data.columns)
            raise errors.RefusedError(
                f'--truth {column}={field}: {plan.data.path} has no column "{column}";'
                f" {near or 'it has ' + ', '.join(plan.data.columns)}"
            )


def _right_answers(
    plan: check.Plan, batch: CreatedBatch, server: Throwaway, truth: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Give the right answers of each HIT, by field, as texts."""
    from turkbatch.server import crowd

    if not truth:
        return {}
    missing = dict(truth)
    known: dict[str, None] = {}
    for hit_id in batch.hit_ids:
        for name in crowd.fields(server.served, hit_id):
            known[name] = None
            missing.pop(name, None)
        if not missing:
            break
    for field, column in missing.items():
        near = question.placeholders.did_you_mean(field, list(known))
        raise errors.RefusedError(
            f'--truth {column}={field}: no page has a field "{field}" that simulated workers'
            f" could fill in; {near or 'there are ' + ', '.join(known)}"
        )
    return {
        hit_id: {
            field: text
            for field, column in truth.items()
            if (text := _as_text(row.fields.get(column))) is not None
        }
        for hit_id, row in zip(batch.hit_ids, plan.data, strict=True)
    }


def _as_text(value: object) -> str | None:
    """Write a value of the data as an answer; None where nothing is known."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return "|".join(_as_text(one) or "" for one in value)
    return json.dumps(value, ensure_ascii=False)


def _findings(
    plan: check.Plan, batch: CreatedBatch, report: crowd.WorkReport, workers: int
) -> Iterator[errors.Finding]:
    """Tell what the workers could not do."""
    template = question.load(plan.definition.path, columns=plan.data.columns).file
    for name in report.unfilled:
        yield _warning(
            "unfillable-field",
            template,
            f'nothing was found that the field "{name}" takes',
            "check its pattern, its bounds and its options",
            "workers could not hand in the form",
        )
    rows = {hit_id: row for row, hit_id in enumerate(batch.hit_ids)}
    yield from _in_rows(
        plan,
        {rows[hit_id]: "the page asks for nothing" for hit_id in report.without_form},
        "empty-form",
        "give each row what the page is made of; a form that a script makes is not seen here",
        "workers would have nothing to answer and be paid for it",
    )
    untold: dict[int, list[str]] = collections.defaultdict(list)
    for hit_id, name in report.untold:
        untold[rows[hit_id]].append(f'"{name}"')
    yield from _in_rows(
        plan,
        {
            row: f"what is right for {' and '.join(names)} is nothing that could be answered there"
            for row, names in untold.items()
        },
        "truth-not-an-answer",
        "write it as an answer has it: the value of an option, several joined with |",
        "workers answered by chance there",
    )
    if report.out_of_time:
        yield _warning(
            "short-duration",
            str(plan.definition.path / layout.HIT_TYPE_PROPERTIES),
            f"{report.out_of_time} of {report.assignments} assignments took longer than"
            " AssignmentDurationInSeconds allows",
            "give several times what the work takes",
            "what is not handed in by then is lost, and the worker is not paid",
        )
    if workers < plan.cost.assignments_per_hit:
        yield _warning(
            "few-workers",
            str(plan.definition.path / layout.HIT_PROPERTIES),
            f"each HIT is for {plan.cost.assignments_per_hit} workers, and {workers} took part",
            f"give --workers {plan.cost.assignments_per_hit} to see all of it",
            "a worker does a HIT once",
        )
    required = plan.definition.hit_type_properties.get("QualificationRequirements", [])
    for name in requirements.names(required):
        if name in requirements.SYSTEM:
            continue
        yield errors.Finding(
            "own-qualification",
            str(plan.definition.path / layout.HIT_TYPE_PROPERTIES),
            f"{name} is required, which simulated workers were given",
            "give it to real ones first: turkbatch associate-qual",
            severity="note",
        )


def _findings_in(
    plan: check.Plan, rows: Sequence[Mapping[str, Any]], asked: set[str]
) -> Iterator[errors.Finding]:
    """Tell what the table shows: answers that had to be renamed, and such as hold nothing."""
    template = question.load(plan.definition.path, columns=plan.data.columns).file
    inputs = {f"{tables.INPUT_PREFIX}{name}" for name in plan.data.columns}
    others = {*tables.AMTI_COLUMNS, *tables.MORE_COLUMNS, *inputs}
    names = dict.fromkeys(name for row in rows for name in row if name not in others)
    for name in names:
        plain = name.removeprefix(tables.ANSWER_PREFIX)
        if plain != name and plain in others:
            yield _warning(
                "colliding-field",
                template,
                f'the field "{plain}" is named like a column of the results',
                f"rename it; the answers are in the column {name}",
                "scripts that read the table would take one for the other",
            )
        elif plain not in asked and all(row.get(name) in (None, "") for row in rows):
            yield errors.Finding(
                "always-empty",
                template,
                f'nobody had anything in the field "{name}"',
                "see with preview-batch whether its script fills it",
                why="simulated workers run no scripts",
                severity="note",
            )


def _in_rows(
    plan: check.Plan, found: Mapping[int, str], rule: str, fix: str, why: str
) -> Iterator[errors.Finding]:
    """Make a finding for each row, up to a number, and one for the rest."""
    wanted = (row for row in plan.data if row.index in found)
    for row in itertools.islice(wanted, MOST_ROWS_NAMED):
        yield _warning(rule, str(plan.data.path), found[row.index], fix, why, row.line)
    if len(found) > MOST_ROWS_NAMED:
        rest = f"the same in {len(found) - MOST_ROWS_NAMED:,} more rows"
        yield _warning(rule, str(plan.data.path), rest, fix, why)


def _warning(
    rule: str, file: str, found: str, fix: str, why: str, line: int | None = None
) -> errors.Finding:
    return errors.Finding(rule, file, found, fix, line=line, why=why, severity="warning")
