"""Commands about workers: qualifications, blocks, messages, bonuses."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from turkbatch import money
from turkbatch.cli import options, output, presenter

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch import actions
    from turkbatch.mturk.environments import Environment

R = TypeVar("R")

commands = click.Group("workers")

BLOCK_REASON = "Low-quality work, or suspected of spam."


def _workers(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the workers' ids, as arguments and from a file."""
    function = click.option(
        "--file",
        "-f",
        type=options.PATH,
        metavar="CSV",
        help="Ids from a CSV with a WorkerId column, or one a line.",
    )(function)
    return click.argument("ids", nargs=-1)(function)


def _qual(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that name a qualification type, as amti has them."""
    function = click.option(
        "--name", "-n", is_flag=True, help="What --qual says is a name, not an id."
    )(function)
    return click.option(
        "--qual",
        "-q",
        required=True,
        metavar="ID",
        help="The qualification type: its id, its directory, or @ and its name.",
    )(function)


def _all_ids(ids: tuple[str, ...], file: Path | None) -> list[str]:
    """Gather the ids of the command line and of the file."""
    from turkbatch import actions

    found = [one.strip() for one in ids if one.strip()]
    if file is not None:
        found += actions.read_worker_ids(file)
    if not found:
        raise click.UsageError("name workers, or a file of their ids with --file")
    return found


def _client(target: options.Target, qual: str) -> MTurkClient:
    """Make the client: where a flag says, or where a type's directory has its one type."""
    from turkbatch import actions

    path = Path(qual.removeprefix("@"))
    pins = actions.qualification_type_pins(path) if path.is_dir() and not target.given else ()
    return target.client(pin=pins[0] if len(pins) == 1 else None)


def _tell(done: actions.WorkersDone, verb: str) -> None:
    already = f", {len(done.already):,} were before" if done.already else ""
    workers = "1 worker" if len(done.done) == 1 else f"{len(done.done):,} workers"
    output.say(f"{workers} {verb} now{already}.")


@options.command(commands, "associate-qual")
@_workers
@_qual
@click.option("--integer-value", "-i", type=int, help="The score to grant.  [default: 1]")
@click.option("--notify", is_flag=True, help="Let the service write to the workers.")
@options.environment
@options.concurrency
def associate_qual(
    ids: tuple[str, ...],
    file: Path | None,
    qual: str,
    name: bool,
    integer_value: int | None,
    notify: bool,
    target: options.Target,
    concurrency: int,
) -> None:
    """Grant a qualification of your own to the workers IDS, or change their score.

    Who has it with this score already is left alone, and not written to again.

    \b
    Example:
      turkbatch associate-qual A2EXAMPLE --qual "Bilingual readers" --name -i 80
      turkbatch associate-qual --file workers.csv --qual qualification-type-* --notify
    """
    from turkbatch import actions

    workers = _all_ids(ids, file)
    client = _client(target, qual)
    type_id = actions.qualification_type_id(client, qual, is_name=name)
    with output.Bar() as bar:
        done = actions.associate_workers(
            client,
            workers,
            type_id,
            value=integer_value,
            notify=notify,
            concurrency=concurrency,
            progress=bar,
        )
    _tell(done, "granted the qualification")


@options.command(commands, "disassociate-qual")
@_workers
@_qual
@click.option("--reason", "-r", metavar="TEXT", help="What the workers are told.")
@options.environment
@options.concurrency
def disassociate_qual(
    ids: tuple[str, ...],
    file: Path | None,
    qual: str,
    name: bool,
    reason: str | None,
    target: options.Target,
    concurrency: int,
) -> None:
    """Take a qualification of your own from the workers IDS.

    \b
    Example:
      turkbatch disassociate-qual A2EXAMPLE --qual @Pilot --reason "The study is over."
    """
    from turkbatch import actions

    workers = _all_ids(ids, file)
    client = _client(target, qual)
    type_id = actions.qualification_type_id(client, qual, is_name=name)
    with output.Bar() as bar:
        done = actions.disassociate_workers(
            client, workers, type_id, reason=reason, concurrency=concurrency, progress=bar
        )
    _tell(done, "without the qualification")


@options.command(commands, "block-workers")
@_workers
@click.option(
    "--reason",
    "-r",
    metavar="TEXT",
    default=BLOCK_REASON,
    show_default=True,
    help="Why; the workers do not see it.",
)
@options.environment
@options.concurrency
def block_workers(
    ids: tuple[str, ...],
    file: Path | None,
    reason: str,
    target: options.Target,
    concurrency: int,
) -> None:
    """Keep the workers IDS from all of your HITs.

    A block counts against the worker's account. To keep people out of a batch, use
    create-batch --exclude.

    \b
    Example:
      turkbatch block-workers A2EXAMPLE --reason "Answers at random."
    """
    from turkbatch import actions

    workers = _all_ids(ids, file)
    client = target.client()
    with output.Bar() as bar:
        done = actions.block_workers(
            client, workers, reason=reason, concurrency=concurrency, progress=bar
        )
    _tell(done, "blocked")


@options.command(commands, "unblock-workers")
@_workers
@click.option("--reason", "-r", metavar="TEXT", help="Why; the workers do not see it.")
@options.environment
@options.concurrency
def unblock_workers(
    ids: tuple[str, ...],
    file: Path | None,
    reason: str | None,
    target: options.Target,
    concurrency: int,
) -> None:
    """Let the workers IDS in again.

    \b
    Example:
      turkbatch list-blocks > blocked.csv
      turkbatch unblock-workers --file blocked.csv
    """
    from turkbatch import actions

    workers = _all_ids(ids, file)
    client = target.client()
    with output.Bar() as bar:
        done = actions.unblock_workers(
            client, workers, reason=reason, concurrency=concurrency, progress=bar
        )
    _tell(done, "unblocked")


@options.command(commands, "list-blocks")
@options.environment
@options.as_json
def list_blocks(target: options.Target, as_json: bool) -> None:
    """List the workers whom you block, as a CSV that unblock-workers reads.

    \b
    Example:
      turkbatch list-blocks --local
    """
    from turkbatch import actions

    client = target.client()
    with output.Bar() as bar:
        blocks = actions.list_blocks(client, progress=bar)
    if as_json:
        listed = [{"WorkerId": one.worker_id, "Reason": one.reason} for one in blocks]
        output.document({"WorkerBlocks": listed})
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["WorkerId", "Reason"])
    writer.writerows((one.worker_id, one.reason) for one in blocks)
    output.data(text.getvalue().rstrip("\n"))


@options.command(commands, "notify-workers")
@_workers
@click.option("--subject", "-s", metavar="TEXT", help="The subject.")
@click.option("--message", "-m", metavar="TEXT", help="The text.")
@click.option(
    "--message_file",
    "--message-file",
    type=options.PATH,
    metavar="FILE",
    help='The text; or JSON with "Subject" and "MessageText".',
)
@click.option("--again", is_flag=True, help="Write also to those who have this message.")
@options.environment
@options.concurrency
def notify_workers(
    ids: tuple[str, ...],
    file: Path | None,
    subject: str | None,
    message: str | None,
    message_file: Path | None,
    again: bool,
    target: options.Target,
    concurrency: int,
) -> None:
    """Write to the workers IDS, whose work you have reviewed before.

    Nobody gets the same message (subject and text) twice from this machine, whatever list
    they are on. The service names those whom it can't write to; they are listed.

    \b
    Example:
      turkbatch notify-workers --file workers.csv -s "A new study" --message-file letter.txt
    """
    from turkbatch import actions

    if (message is None) == (message_file is None):
        raise click.UsageError("give one of --message and --message-file")
    workers = _all_ids(ids, file)
    if message_file is not None:
        what = actions.read_message(message_file, subject)
    else:
        what = actions.message(subject, message)
    client = target.client()
    with output.Bar() as bar:
        done = actions.notify_workers(
            client, workers, what, again=again, concurrency=concurrency, progress=bar
        )
    _tell(done, "written to")


@options.command(commands, "bonus-workers")
@click.argument("file", metavar="FILE", type=options.PATH)
@click.option(
    "--hourly-wage",
    metavar="USD",
    help="FILE is a batch: top its approved assignments up to this much an hour.",
)
@click.option(
    "--cap",
    metavar="USD",
    help="With --hourly-wage: top up by at most this much each."
    "  [default: three times the median time is paid]",
)
@click.option("--allow-repeats", is_flag=True, help="Equal lines mean as many bonuses.")
@click.option("--dry-run", is_flag=True, help="Show what would be paid; send nothing.")
@options.yes
@options.environment
@options.concurrency
def bonus_workers(
    file: Path,
    hourly_wage: str | None,
    cap: str | None,
    allow_repeats: bool,
    dry_run: bool,
    yes: bool,
    target: options.Target,
    concurrency: int,
) -> None:
    """Pay bonuses, each exactly once, whenever and wherever the command runs again.

    FILE is a CSV with WorkerId, AssignmentId, BonusAmount and Reason. What the service lists
    as paid (the same assignment, worker, amount and reason) is not paid again. With
    --hourly-wage, FILE is a batch's directory, and the bonuses are computed.

    \b
    Example:
      turkbatch bonus-workers bonuses.csv
      turkbatch bonus-workers --hourly-wage 15 batch-*
    """
    from turkbatch import actions

    if cap and not hourly_wage:
        raise click.UsageError("--cap goes with --hourly-wage")
    if hourly_wage and allow_repeats:
        raise click.UsageError("--allow-repeats is about a file's lines")
    with output.Bar() as bar:
        if hourly_wage:
            client = target.client(file)
            plan = actions.plan_hourly_wage(
                client, file, hourly_wage, cap=cap, concurrency=concurrency, progress=bar
            )
        else:
            client = target.client()
            plan = actions.plan_bonuses(
                client,
                file,
                allow_repeats=allow_repeats,
                concurrency=concurrency,
                progress=bar,
            )
    _show_bonuses(plan)
    if dry_run:
        return

    def confirm(plan: actions.BonusPlan) -> None:
        if not yes:
            output.agree(_bonus_question(plan))

    with output.Bar() as bar:
        done = actions.pay_bonuses(
            client, plan, confirm=confirm, concurrency=concurrency, progress=bar
        )
    output.say(
        f"{done.paid:,} bonuses paid now, {money.dollars(done.amount)} to workers;"
        f" {done.already:,} were paid before."
    )
    if plan.unreviewed:
        output.say(
            f"{plan.unreviewed} assignments are not reviewed; their bonus can be computed then."
        )
        raise SystemExit(presenter.WORK_LEFT)


def _show_bonuses(plan: actions.BonusPlan) -> None:
    rows = [
        ("bonuses to pay", f"{len(plan.payments):,}"),
        ("paid before", f"{plan.already:,}"),
        ("to workers", money.dollars(plan.amount)),
        ("MTurk's fees", money.dollars(plan.fees)),
        ("total", money.dollars(plan.total)),
    ]
    if plan.capped:
        rows.insert(1, ("  less than the wage, by the cap", f"{plan.capped:,}"))
    if plan.unreviewed:
        rows.append(("not reviewed yet", f"{plan.unreviewed:,}"))
    if plan.balance is not None:
        rows.append(("balance", money.dollars(plan.balance)))
    output.table(rows, stderr=True, numbers=[1])


def _site(environment: Environment) -> str:
    """Name the place in a question about money; nobody shall take live for another."""
    return {
        "live": "on the LIVE site, with REAL MONEY",
        "sandbox": "in MTurk's sandbox, where nothing is charged",
    }.get(environment.name, f"in {environment.place}")


def _bonus_question(plan: actions.BonusPlan) -> str:
    bonuses = "1 bonus" if len(plan.payments) == 1 else f"{len(plan.payments):,} bonuses"
    return f"Pay {bonuses} {_site(plan.environment)}, which costs {money.dollars(plan.total)}?"


@options.command(commands, "screen-workers")
@click.argument("batch_dir", type=options.PATH)
@click.option(
    "--score", required=True, metavar="COLUMN", help="Numbers, or true and false, of the results."
)
@click.option("--at-least", required=True, type=float, metavar="X", help="The least mean score.")
@click.option(
    "--grant", required=True, metavar="NAME", help="The qualification type; made if missing."
)
@click.option("--dry-run", is_flag=True, help="Show the scores; grant nothing.")
@options.environment
@options.concurrency
def screen_workers(
    batch_dir: Path,
    score: str,
    at_least: float,
    grant: str,
    dry_run: bool,
    target: options.Target,
    concurrency: int,
) -> None:
    """Turn a pilot's saved results into a pool: grant NAME to who did well in BATCH_DIR.

    A worker's score is the mean of COLUMN over the worker's assignments. Another batch then
    requires "@NAME". For scores of your own, give a CSV with WorkerId in place of BATCH_DIR.
    The scores are printed as a CSV.

    \b
    Example:
      turkbatch screen-workers batch-pilot --score correct --at-least 0.8 --grant "Good eyes"
    """
    from turkbatch import actions

    scores = actions.score_workers(batch_dir, score)
    chosen = [one.worker_id for one in scores if one.score >= at_least]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["WorkerId", "Score", "Assignments", "Chosen"])
    writer.writerows(
        (one.worker_id, f"{one.score:g}", one.assignments, "x" if one.score >= at_least else "")
        for one in scores
    )
    output.data(text.getvalue().rstrip("\n"))
    output.say(f"{len(chosen)} of {len(scores)} workers have {at_least:g} or more.")
    if dry_run:
        return
    client = target.client(batch_dir if batch_dir.is_dir() else None)
    with output.Bar() as bar:
        pool = actions.screen_workers(client, chosen, grant, concurrency=concurrency, progress=bar)
    output.say(f"{pool.granted} were granted {grant!r} now, {pool.already} were before.")


@options.command(commands, "compensate-workers")
@_workers
@click.option("--amount", required=True, metavar="USD", help="What each worker is paid.")
@click.option("--reason", "-r", required=True, metavar="TEXT", help="What the workers are told.")
@click.option(
    "--save-dir",
    type=options.PATH,
    default=".",
    show_default=True,
    help="Where the batch directories are put.",
)
@options.yes
@options.environment
def compensate_workers(
    ids: tuple[str, ...],
    file: Path | None,
    amount: str,
    reason: str,
    save_dir: Path,
    yes: bool,
    target: options.Target,
) -> None:
    """Pay the workers IDS, who worked and could not submit: a HIT each, for them alone.

    Who presses its one button is paid at once. The batch directories are printed; tell the
    workers to look for the HIT. Running again makes no second HIT.

    \b
    Example:
      turkbatch compensate-workers A2EXAMPLE --amount 2.50 --reason "The page did not load."
    """
    from turkbatch import actions

    workers = _all_ids(ids, file)
    client = target.client()

    def confirm(plan: actions.Compensation) -> None:
        if not yes:
            hits = "1 HIT" if len(plan.worker_ids) == 1 else f"{len(plan.worker_ids):,} HITs"
            output.agree(
                f"Make {hits} of {money.dollars(plan.amount)} {_site(plan.environment)}, for"
                f" {money.dollars(plan.total)} with MTurk's fees?"
            )

    with output.Bar() as bar:
        done = actions.compensate_workers(
            client, workers, amount, save_dir, reason=reason, confirm=confirm, progress=bar
        )
    for path in done.batch_dirs.values():
        output.data(str(path))
    output.say(f"{done.created} HITs made now, {len(done.batch_dirs) - done.created} before.")
