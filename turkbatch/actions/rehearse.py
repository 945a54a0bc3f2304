"""``rehearse-batch``: the whole life of a batch with simulated workers, and no trace of it.

It is published on a server of its own, worked on, reviewed, saved, deleted and extracted by
the very functions that the commands call. What comes out is what those commands would give
if real workers behaved like these.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

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
    from turkbatch.browser import workers as browser_workers
    from turkbatch.server import crowd

T = TypeVar("T")

WORKERS = 10
ACCURACY = 0.9
BATCH_ID = "rehearsal"
RESULTS = "results.csv"
MOST_ROWS_NAMED = 20
"""Rows that a finding names one by one; one slip in a template would name them all."""
BROWSER_ROWS = 10
"""Rows whose HITs are done in a browser, unless told otherwise: each takes seconds."""
PATIENCE_SECONDS = 10.0
_ROWS = "results.jsonl"
_HEAD_START_SECONDS = 3600
"""What passes, if HITs live so long, between publishing and working: work takes time."""


@dataclasses.dataclass(frozen=True)
class Browser:
    """How much of a rehearsal is done in a real browser.

    Parameters
    ----------
    rows : int
        Of how many rows, spread over the data, all assignments are done there; 0 for every row.
    patience_seconds : float
        How long to wait for a page to load, for a script to make its fields, for a submission.

    Raises
    ------
    RefusedError
        If one is out of its bounds.
    """

    rows: int = BROWSER_ROWS
    patience_seconds: float = PATIENCE_SECONDS

    def __post_init__(self) -> None:
        if self.rows < 0 or not 0 < self.patience_seconds < float("inf"):
            raise errors.RefusedError(
                f"{self.rows} rows in a browser, {self.patience_seconds:g} seconds of patience:"
                " give 0 rows or more, and a time above 0"
            )


@dataclasses.dataclass(frozen=True)
class Unsubmitted:
    """An assignment that could not be done in the browser.

    Parameters
    ----------
    row : int
        Of the data, from 1.
    worker_id : str
        Whose it was.
    why : str
        As one clause.
    """

    row: int
    worker_id: str
    why: str


@dataclasses.dataclass(frozen=True)
class Browsed:
    """What was done in the browser.

    Parameters
    ----------
    rows, assignments : int
        How many rows, and how many of their assignments were submitted.
    unsubmitted : tuple of Unsubmitted
        The others that were begun.
    """

    rows: int
    assignments: int
    unsubmitted: tuple[Unsubmitted, ...]


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
    browsed : Browsed or None
        What was done in a browser, if it was asked for.
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
    browsed: Browsed | None = None

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
            "browser": None if self.browsed is None else dataclasses.asdict(self.browsed),
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
    browser: Browser | None = None,
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
    browser : Browser, optional
        Do HITs in a real browser, on the server's worker site, so that the pages' scripts run;
        without it pages are read as text. What they load from elsewhere is loaded.
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
        If the truth names a column or a field that isn't there, a share is none, or there is
        no browser.
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
        right = _right_answers(plan, batch, server, truth or {}, browser=browser)
        report, browsing = stage.work(batch, many, seed, manner, right, browser)
        worth = stage.wind_up(batch)
        rows = tuple(files.read_json_lines(server.directory / _ROWS))
        (server.directory / _ROWS).unlink()
        read = {hit_id: crowd.fields(server.served, hit_id) for hit_id in batch.hit_ids}
        stage.delete(batch)
    found = [*plan.findings, *admission.unmeetable(plan.definition)]
    found += _findings(plan, batch, report, many)
    if browsing is not None:
        found += _findings_of_browser(plan, batch, browsing, read, truth or {})
    shown = itertools.chain(*read.values(), *(browsing.fields.values() if browsing else ()))
    found += _findings_in(plan, rows, set(shown))
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
        browsed=None if browsing is None else _browsed(batch, browsing),
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
        browser: Browser | None,
    ) -> tuple[crowd.WorkReport, browser_workers.Workers | None]:
        from turkbatch.server import crowd

        step = "answering forms" if browser is None else "answering forms, some in a browser"

        def work(place: browser_workers.Workers | None) -> crowd.WorkReport:
            return crowd.work(
                self.server.served,
                hit_ids=batch.hit_ids,
                workers=workers,
                seed=seed,
                manner=manner,
                truth=truth,
                place=place,
                progress=lambda done, total: self.progress(step, done, total),
            )

        if browser is None:
            return work(None), None
        hit_ids = _spread(batch.hit_ids, browser.rows)
        wanted = browser

        def browse() -> tuple[crowd.WorkReport, browser_workers.Workers]:
            with self._browser(hit_ids, wanted.patience_seconds) as place:
                return work(place), place

        return _outside_of_loops(browse)

    @contextlib.contextmanager
    def _browser(
        self, hit_ids: Sequence[str], patience_seconds: float
    ) -> Iterator[browser_workers.Workers]:
        """Serve the worker site, and have a browser there."""
        from turkbatch.browser import chromium, workers
        from turkbatch.server import app

        served = self.server.served
        with app.running(served) as url, chromium.opened() as browser:
            place = workers.Workers(browser, served, url, hit_ids, patience_seconds)
            with contextlib.closing(place):
                yield place

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


def _spread(hit_ids: Sequence[str], count: int) -> list[str]:
    """Choose so many, from the first to the last; all for 0."""
    if not 0 < count < len(hit_ids):
        return list(hit_ids)
    if count == 1:
        return [hit_ids[0]]
    last = len(hit_ids) - 1
    return [hit_ids[round(number * last / (count - 1))] for number in range(count)]


def _outside_of_loops(work: Callable[[], T]) -> T:
    """Work where no event loop runs: a notebook has one, which Playwright would stumble over."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


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
    plan: check.Plan,
    batch: CreatedBatch,
    server: Throwaway,
    truth: Mapping[str, str],
    *,
    browser: Browser | None,
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
    # A script may make a field: that is told afterwards.
    for field, column in {} if browser is not None else missing.items():
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
        "give each row what the page is made of; a form that a script makes is seen with --browser"
        " alone, in the rows that it does",
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
                "see with --browser or preview-batch whether its script fills it",
                why="simulated workers run no scripts but in a browser",
                severity="note",
            )


_BROWSER_FIXES: Final[Mapping[str, tuple[str, str]]] = {
    "script-error": (
        "look at the row with preview-batch and the browser's console",
        "workers meet it, too",
    ),
    "console-error": (
        "look at the row with preview-batch and the browser's console",
        "workers meet it, too",
    ),
    "not-loaded": (
        "check the address, and that it can be reached from here",
        "workers would not have it",
    ),
    "dialog": (
        "show it in the page itself",
        "the worker site shows no dialogs of task pages",
    ),
    "slow-page": ("load less, or from nearer", "workers wait, or return the HIT"),
    "unfilled-field": (
        "see with preview-batch whether a worker could fill it in",
        "workers could not answer it",
    ),
    "no-submit-button": (
        'give the form <input type="submit"> or <crowd-button form-action="submit">',
        "workers could not hand it in",
    ),
    "submit-disabled": (
        "see what its script waits for when all fields are filled in",
        "workers could not hand it in",
    ),
    "submit-not-posted": (
        "see what keeps the form: its script, or a field that has to be filled in",
        "workers could not hand it in, and would not be paid",
    ),
    "submit-refused": (
        "have the form post assignmentId with the answers to turkSubmitTo + /mturk/externalSubmit",
        "workers could not hand it in, and would not be paid",
    ),
    "no-page": ("check the address of the question", "workers would see nothing"),
    "page-lost": ("keep the page where it is until it is handed in", "workers would lose work"),
}


def _browsed(batch: CreatedBatch, browsing: browser_workers.Workers) -> Browsed:
    rows = {hit_id: row for row, hit_id in enumerate(batch.hit_ids)}
    left = [Unsubmitted(rows[one.hit_id] + 1, one.worker_id, one.why) for one in browsing.left]
    return Browsed(len(browsing.hit_ids), browsing.submitted, tuple(left))


def _findings_of_browser(
    plan: check.Plan,
    batch: CreatedBatch,
    browsing: browser_workers.Workers,
    read: Mapping[str, Sequence[str]],
    truth: Mapping[str, str],
) -> Iterator[errors.Finding]:
    """Tell what went wrong in the browser, each thing once with all its rows."""
    rows = {hit_id: row for row, hit_id in enumerate(batch.hit_ids)}
    met: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for hit_id, trouble in browsing.troubles:
        met[trouble.rule, trouble.found].append(rows[hit_id])
    for (rule, found), where in met.items():
        fix, why = _BROWSER_FIXES[rule]
        yield _in_some_rows(plan, where, rule, found, fix, why)
    empty = [rows[hit_id] for hit_id, names in browsing.fields.items() if not names]
    if empty:
        yield _in_some_rows(
            plan,
            sorted(empty),
            "empty-form",
            "the page asks for nothing, with its scripts run",
            "give each row what the page is made of",
            "workers would have nothing to answer and be paid for it",
        )
    shown = {name: None for names in browsing.fields.values() for name in names}
    template = question.load(plan.definition.path, columns=plan.data.columns).file
    for name in shown:
        if any(name in names and name not in read[hit] for hit, names in browsing.fields.items()):
            yield errors.Finding(
                "script-made-field",
                template,
                f'the field "{name}" is made by a script',
                "rehearse with --browser-rows 0 to have it answered in every row",
                why="elsewhere pages are read as text, without their scripts",
                severity="note",
            )
    known = {*shown, *itertools.chain(*read.values())}
    for field, column in truth.items():
        if field not in known:
            near = question.placeholders.did_you_mean(field, list(known))
            yield _warning(
                "truth-without-field",
                template,
                f'no page has a field "{field}", to which {column} is the right answer',
                near or f"there are {', '.join(known)}",
                "workers answered by chance",
            )


def _in_some_rows(
    plan: check.Plan, where: Sequence[int], rule: str, found: str, fix: str, why: str
) -> errors.Finding:
    """Make one finding at the first of the rows, which names the others."""
    line = next(row.line for row in plan.data if row.index == where[0])
    others = [str(row + 1) for row in where[1:]]
    if others:
        named = ", ".join(others[:MOST_ROWS_NAMED])
        more = f" and {len(others) - MOST_ROWS_NAMED:,} more" * (len(others) > MOST_ROWS_NAMED)
        found += f", and the same in row{'s' * (len(others) > 1)} {named}{more}"
    return _warning(rule, str(plan.data.path), found, fix, why, line)


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
