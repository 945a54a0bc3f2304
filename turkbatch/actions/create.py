"""``create-batch`` and ``resume-batch``: every row becomes exactly one HIT.

The order of writes, and what holds if the process dies between any two of them:

1. The directory appears by one rename, with its nonce: nothing was asked for yet.
2. The HIT type is registered, then ``batch.json`` names it: registering equal properties
   again gives the same id.
3. A row's intent is on disk, then its HIT is asked for, then the outcome is on disk: an
   intent without an outcome is looked up by its annotation before it is sent again, with
   the same token.
4. When every row has its HIT, ``_INCOMPLETE`` is written for amti's sake; it says nothing
   that the journal does not.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import errors, money, question
from turkbatch.actions import owned, pinned, screening
from turkbatch.actions.check import Plan, plan_batch
from turkbatch.actions.progress import Progress, silent
from turkbatch.actions.settle import settle
from turkbatch.batch import data as batch_data
from turkbatch.batch import definition as batch_definition
from turkbatch.batch import directory, journal, layout
from turkbatch.mturk import calls, environments
from turkbatch.qualification import requirements

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.batch.directory import Batch


@dataclasses.dataclass(frozen=True)
class Quote:
    """What is about to be spent, and where: what a person is asked about.

    Parameters
    ----------
    plan : Plan
        The batch, checked.
    environment : Environment
        Where it would be published.
    balance : Decimal or None
        USD that the account has; None if the service does not tell.
    """

    plan: Plan
    environment: environments.Environment
    balance: Decimal | None

    @property
    def cost(self) -> money.Cost:
        """What the batch costs."""
        return self.plan.cost

    @property
    def affordable(self) -> bool:
        """Whether the balance, as far as it is known, covers the cost."""
        return self.balance is None or self.balance >= self.cost.total


@dataclasses.dataclass(frozen=True)
class CreatedBatch:
    """A batch that is published.

    Parameters
    ----------
    batch_dir : Path
        Its directory.
    batch_id : str
        Its id.
    hit_type_id : str
        The HIT type of its HITs.
    hit_ids : tuple of str
        The HITs, in the order of the rows.
    created : int
        How many HITs this run made; the others were there.
    adopted : int
        How many an interrupted run turned out to have made.
    """

    batch_dir: Path
    batch_id: str
    hit_type_id: str
    hit_ids: tuple[str, ...]
    created: int
    adopted: int


def agree(quote: Quote) -> None:
    """Agree to a quote without asking anyone."""


def unannounced(batch_dir: Path) -> None:
    """Tell nobody that the directory is there."""


def create_batch(
    client: MTurkClient,
    definition_dir: pinned.PathLike,
    data_path: pinned.PathLike,
    save_dir: pinned.PathLike = ".",
    *,
    batch_id: str | None = None,
    max_cost: Decimal | str | None = None,
    allow_undefined: bool = False,
    screened: screening.Screening | None = None,
    plan: Plan | None = None,
    confirm: Callable[[Quote], None] = agree,
    announce: Callable[[Path], None] = unannounced,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> CreatedBatch:
    """Publish one HIT for each row of the data, and never one more.

    Parameters
    ----------
    client : MTurkClient
        A boto3 client; the batch is pinned to where it goes.
    definition_dir, data_path : path
        The definition directory; JSON Lines or CSV.
    save_dir : path
        Where the batch directory is put.
    batch_id : str, optional
        Name the batch. If a batch of that id was made here from the same inputs, it
        is resumed, or nothing is done.
    max_cost : Decimal or str, optional
        USD. Refuse a batch that costs more, or whose cost can't be known exactly.
    allow_undefined : bool
        Render undefined names empty.
    screened : Screening, optional
        Who may take part; everyone, unless given.
    plan : Plan, optional
        What :func:`plan_batch` made of the same inputs, to spare checking them again.
        Inputs that changed since are refused.
    confirm : callable
        Given the quote before anything is spent; raises to refuse it.
    announce : callable
        Given the directory as soon as it is there.
    concurrency : int
        Requests in flight at most.
    progress : Progress
        Told of rows checked and HITs created.

    Returns
    -------
    CreatedBatch

    Raises
    ------
    InputError
        If the definition or the data can't be used; nothing was sent.
    RefusedError
        If it costs too much for ``max_cost`` or the balance; nothing was sent.
    BatchError
        If the id is taken by a batch of other inputs, or of another place.
    PartialError
        If the service refused some rows; what was made is on disk.

    Notes
    -----
    Calls GetAccountBalance, CreateHITType and CreateHITWithHITType:
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_CreateHITWithHITTypeOperation.html
    """
    save_dir = Path(save_dir)
    if batch_id is not None:
        directory.check_batch_id(batch_id)
        existing = save_dir / f"{layout.PREFIX}{batch_id}"
        if existing.exists():
            return _go_on(
                client,
                existing,
                Path(definition_dir),
                Path(data_path),
                screened,
                announce,
                concurrency,
                progress,
            )
    plan = plan_batch(definition_dir, data_path, allow_undefined=allow_undefined, progress=progress)
    check_limit(plan.cost, max_cost)
    service = calls.Calls(client, concurrency=concurrency)
    names = _names(plan.definition, service)
    rules = screened or screening.Screening()
    properties = requirements.replaced(plan.definition.hit_type_properties, names)
    screening.check(rules, len(properties.get("QualificationRequirements", [])), service)
    _check_money(service, plan, confirm)
    batch = directory.create(
        save_dir,
        batch_id or directory.new_batch_id(),
        plan.definition,
        plan.data,
        pin=service.environment.pin(),
        allow_undefined=allow_undefined,
        qualifications=names,
        screening=rules.as_json(),
    )
    with batch.locked():
        announce(batch.path)
        return _upload(batch, service, properties, progress)


def resume_batch(
    client: MTurkClient,
    batch_dir: pinned.PathLike,
    *,
    announce: Callable[[Path], None] = unannounced,
    concurrency: int = calls.DEFAULT_CONCURRENCY,
    progress: Progress = silent,
) -> CreatedBatch:
    """Go on with an interrupted upload; do nothing if it was complete.

    Raises
    ------
    BatchError
        If it is a batch of amti's, which keeps no journal to go on from.
    PartialError
        If the service refused some rows; what was made is on disk.
    """
    batch = pinned.opened(client, batch_dir)
    if batch.info is None:
        raise errors.BatchError(
            f"{batch.path}: amti made this batch, which keeps no record to go on from;"
            " create a new batch from the rows that have no HIT"
        )
    service = calls.Calls(client, concurrency=concurrency)
    with batch.locked():
        announce(batch.path)
        return _upload(batch, service, _resolved(batch, service), progress)


def _go_on(
    client: MTurkClient,
    path: Path,
    definition_dir: Path,
    data_path: Path,
    screened: screening.Screening | None,
    announce: Callable[[Path], None],
    concurrency: int,
    progress: Progress,
) -> CreatedBatch:
    """Resume a batch that was named again, if it is the same one."""
    batch = pinned.opened(client, path)
    inputs = {
        "definition": batch_definition.read(definition_dir).digest,
        "data": batch_data.read(data_path).digest,
    }
    if batch.info is None or dict(batch.info.digests) != inputs:
        known = {} if batch.info is None else batch.info.digests
        other = [name for name in inputs if known.get(name) != inputs[name]]
        raise errors.BatchError(
            f"{path}: was made from another {' and '.join(other)};"
            " choose another --batch-id for these inputs"
        )
    rules = None if screened is None else screened.as_json()
    known = {key: value for key, value in batch.info.screening.items() if key != "types"}
    if rules is not None and rules != known:
        raise errors.BatchError(
            f"{path}: was made with another --exclude, --only or --max-hits-per-worker; give the"
            " same ones, or choose another --batch-id"
        )
    return resume_batch(client, path, announce=announce, concurrency=concurrency, progress=progress)


def check_limit(cost: money.Cost, max_cost: Decimal | str | None) -> None:
    """Refuse what costs more than a limit in USD, or may.

    Raises
    ------
    RefusedError
        If it does, or the limit is no amount.
    """
    if max_cost is None:
        return
    try:
        limit = money.amount(str(max_cost))
    except ValueError as error:
        raise errors.RefusedError(f"--max-cost: {error}") from error
    if not cost.exact:
        raise errors.RefusedError(
            f"the cost is at least {money.dollars(cost.total)} but can't be known exactly:"
            f" {', '.join(cost.uncertain)} may have a price of its own; leave --max-cost out"
            " to accept that"
        )
    if cost.total > limit:
        raise errors.RefusedError(
            f"the batch costs {money.dollars(cost.total)}, more than --max-cost"
            f" {money.dollars(limit)}; nothing was sent"
        )


def _check_money(service: calls.Calls, plan: Plan, confirm: Callable[[Quote], None]) -> None:
    quote = Quote(plan, service.environment, balance(service))
    if not quote.affordable and service.environment.name != "sandbox":
        assert quote.balance is not None, "an unknown balance counts as affordable"
        raise errors.RefusedError(
            f"the batch costs {money.dollars(quote.cost.total)}, and the account in"
            f" {service.environment.place} has {money.dollars(quote.balance)};"
            " add funds, or publish fewer rows"
        )
    confirm(quote)


def balance(service: calls.Calls) -> Decimal | None:
    """Ask for the account's balance, in USD; None if the service does not tell."""
    try:
        reply = service.call("get_account_balance")
    except errors.ServiceError as error:
        if error.outcome_unknown or isinstance(error, errors.ThrottledError):
            raise
        return None
    text = reply.get("AvailableBalance")
    return None if text is None else Decimal(text)


def _names(definition: batch_definition.Definition, service: calls.Calls) -> Mapping[str, str]:
    """Give the ids that the names in a definition's requirements stand for."""

    def in_directory(path: str) -> str | None:
        beside = owned.id_in_directory(service, definition.path / path)
        return beside or owned.id_in_directory(service, Path(path))

    return requirements.resolve_names(
        requirements.names(definition.hit_type_properties.get("QualificationRequirements", [])),
        sandbox=service.environment.name == "sandbox",
        owned=lambda: owned.ids_by_name(service),
        in_directory=in_directory,
    )


def _resolved(batch: Batch, service: calls.Calls) -> Mapping[str, object]:
    """Give the HIT type's properties with the ids that were found when it was created."""
    assert batch.info is not None, "only a batch of ours is uploaded"
    properties = batch.definition.hit_type_properties
    ids = batch.info.qualifications
    asked = requirements.names(properties.get("QualificationRequirements", []))
    if not set(asked) <= set(ids):  # made by an earlier turkbatch, which recorded none
        ids = _names(batch.definition, service)
    return requirements.replaced(properties, ids)


def _upload(
    batch: Batch, service: calls.Calls, properties: Mapping[str, object], progress: Progress
) -> CreatedBatch:
    """Make the HITs that are missing. The caller holds the lock."""
    info = batch.info
    assert info is not None, "only a batch of ours is uploaded"
    state = batch.uploads()
    before = len(state.hits)
    adopted = 0
    if not state.complete(info.rows):
        if info.hit_type_id is None:
            properties = screening.prepare(batch, service, properties, progress)
            reply = service.call("create_hit_type", **properties)
            batch.update(hit_type_id=reply["HITTypeId"])
        journal_path = batch.path / layout.UPLOADS
        with contextlib.closing(journal.Uploads(journal_path)) as log, service.finishing():
            adopted = settle(batch, state, service, log, progress)
            state = batch.uploads()
            _make_rows(batch, state, service, log, progress)
        state = batch.uploads()
    hit_ids = [hit_id for hit_id in state.hit_ids(info.rows) if hit_id is not None]
    if not batch.incomplete and not batch.results.all_final(hit_ids):
        batch.write_marker(hit_ids)
    return CreatedBatch(
        batch.path,
        batch.batch_id,
        batch.hit_type_id or "",
        tuple(hit_ids),
        created=len(hit_ids) - before - adopted,
        adopted=adopted,
    )


def _make_rows(
    batch: Batch,
    state: journal.UploadState,
    service: calls.Calls,
    log: journal.Uploads,
    progress: Progress,
) -> None:
    """Ask for the HIT of every row that has none."""
    info = batch.info
    assert info is not None, "only a batch of ours is uploaded"
    maker = _Maker(batch, service, log)
    todo = (row for row in batch.data if row.index not in state.hits)
    done = len(state.hits)
    failures: list[tuple[str, Exception]] = []
    progress("creating HITs", done, info.rows)
    for outcome in service.each(maker.make, todo, stop_at_error=True):
        if outcome.error is not None:
            failures.append((f"row {outcome.item.index + 1}", outcome.error))
            continue
        done += 1
        progress("creating HITs", done, info.rows)
    if failures:
        raise errors.PartialError(_what_is_left(batch, failures), failures[:1])


def _what_is_left(batch: Batch, failures: Sequence[tuple[str, Exception]]) -> str:
    assert batch.info is not None, "only a batch of ours is uploaded"
    state = batch.uploads()
    left = [row + 1 for row in range(batch.info.rows) if row not in state.hits]
    return (
        f"{len(state.hits)} of {batch.info.rows} HITs are created and on disk;"
        f" rows left: {ranges(left)}. Run `turkbatch resume-batch {batch.path}`"
        f" once the cause is mended. {len(failures)} failed, the first:"
    )


def ranges(numbers: Iterable[int]) -> str:
    """Write ascending numbers shortly: ``1-3, 7, 9-12``."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


class _Maker:
    """Makes the HIT of one row; called from many threads."""

    def __init__(self, batch: Batch, service: calls.Calls, log: journal.Uploads) -> None:
        assert batch.info is not None, "only a batch of ours is uploaded"
        self._batch = batch
        self._info = batch.info
        self._service = service
        self._log = log
        self._template = question.load(batch.definition_dir, columns=batch.data.columns)
        self._properties = dict(batch.definition.hit_properties)
        self._annotation = str(self._properties.pop("RequesterAnnotation", ""))

    def make(self, row: batch_data.Row) -> str:
        """Ask for a row's HIT, and write down what came of it; return its id."""
        made = self._template.render(
            row.fields,
            where=self._batch.data.where(row),
            allow_undefined=self._info.allow_undefined,
        )
        token = layout.token(self._info.nonce, row.index)
        mark = layout.annotation(self._batch.batch_id, self._info.nonce, row.index)
        self._log.intend(row.index, token, self._service.service_time)
        try:
            reply = self._service.call(
                "create_hit_with_hit_type",
                HITTypeId=self._info.hit_type_id,
                Question=made.xml,
                UniqueRequestToken=token,
                RequesterAnnotation=f"{self._annotation} {mark}".strip(),
                **self._properties,
            )
        except errors.DuplicateError as error:
            if error.existing_id is None:
                raise
            self._log.adopted(row.index, error.existing_id)
            return error.existing_id
        except errors.ServiceError as error:
            if not error.outcome_unknown:
                self._log.refused(row.index, error)
            raise
        hit_id: str = reply["HIT"]["HITId"]
        self._log.created(row.index, hit_id)
        return hit_id
