"""Commands about workers: qualifications, blocks, messages, bonuses."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from turkbatch.cli import options, output

if TYPE_CHECKING:
    from turkbatch import actions

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
    client = target.client()
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
    client = target.client()
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
