"""``review-batch``: one by one in the terminal, all at once, from a file, or in the browser."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from turkbatch import errors, money
from turkbatch.cli import options, output, presenter

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch import actions

commands = click.Group("review")


@options.command(commands, "review-batch")
@options.batch_dir
@options.environment
@click.option("--approve-all", "-a", is_flag=True, help="Approve everything that is submitted.")
@click.option(
    "--mark-file-path",
    "-m",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    help="Where marked assignments go, one JSON object a line.  [default: standard output]",
)
@click.option(
    "--decisions",
    type=options.PATH,
    metavar="FILE",
    help="Approve and reject as FILE says: the website's results CSV, or JSON Lines.",
)
@click.option(
    "--feedback",
    metavar="TEXT",
    help="With --decisions: the reason where FILE rejects with an x alone.",
)
@click.option(
    "--undo",
    is_flag=True,
    help="Turn rejections back: all of the batch, or those that FILE approves.",
)
@click.option("--web", is_flag=True, help="Judge in the browser, beside the task as it was seen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="With --web: the port; any unless given.",
)
@click.option("--worker", metavar="ID", help="With --web: begin with the work of this worker.")
@click.option("--no-open", is_flag=True, help="With --web: print the address, open no browser.")
@options.yes
@options.concurrency
def review_batch(
    batch_dir: Path,
    target: options.Target,
    approve_all: bool,
    mark_file_path: TextIO,
    decisions: Path | None,
    feedback: str | None,
    undo: bool,
    web: bool,
    port: int | None,
    worker: str | None,
    no_open: bool,
    yes: bool,
    concurrency: int,
) -> None:
    """Approve or reject what workers submitted for BATCH_DIR, one by one or all at once.

    Each assignment is shown beside the data that its HIT was made from. Answer a to accept,
    r to reject (with a reason, which the worker is told), s to skip, m to mark it for later,
    q to stop. Work on HITs that are still open can be reviewed too.

    A file of decisions has the columns AssignmentId, Approve and Reject: an x, or a text for
    the worker. Nothing is sent until all of it is clear. Rejected work can be approved for 30
    days after its submission, with --undo.

    With --web, a page of this machine's own shows each task with the answers filled in. What
    you judge there is kept in BATCH_DIR at once, and sent when you say so.

    \b
    Example:
      turkbatch review-batch batch-* --approve-all
      turkbatch review-batch batch-* --web
      turkbatch review-batch batch-* --decisions Batch_1_batch_results.csv
    """
    from turkbatch import actions
    from turkbatch.cli import decisions as from_file
    from turkbatch.mturk import client as clients

    if approve_all and (decisions or undo):
        raise click.UsageError("give --approve-all, or --decisions and --undo")
    if feedback and not decisions:
        raise click.UsageError("--feedback goes with --decisions")
    if web and (approve_all or decisions or undo or yes):
        raise click.UsageError("with --web, decisions are made and agreed to in the browser alone")
    if not web and (port is not None or worker or no_open):
        raise click.UsageError("--port, --worker and --no-open go with --web")
    client = target.client(batch_dir)
    if web:
        _in_browser(client, batch_dir, port or 0, worker or "", not no_open, concurrency)
        return
    if decisions or undo:
        chosen = from_file.planned(
            client,
            batch_dir,
            decisions,
            undo=undo,
            feedback=feedback or "",
            site=output.site(clients.environment_of(client)),
            ask=not yes,
            concurrency=concurrency,
        )
        _review(client, batch_dir, chosen, concurrency)
        return
    with output.Bar() as bar:
        found = actions.submissions(client, batch_dir, concurrency=concurrency, progress=bar)
    waiting = found.submissions
    if approve_all:
        _review(client, batch_dir, _all_approved(waiting, ask=not yes), concurrency)
        found.raise_failures()
        return
    left = 0
    for number, submission in enumerate(waiting, 1):
        _show_submission(submission, number, len(waiting))
        decision = _decided(submission, mark_file_path)
        if decision is None:
            left += 1
        elif isinstance(decision, str):
            left += len(waiting) - number + 1
            break
        else:
            _review(client, batch_dir, [decision], concurrency)
    if not waiting:
        # An interrupted review may still have decisions whose outcome is not known.
        _review(client, batch_dir, [], concurrency)
    found.raise_failures()
    if left:
        output.say(f"{left} of {len(waiting)} submissions are left to review.")
        raise SystemExit(presenter.WORK_LEFT)


def _in_browser(
    client: MTurkClient,
    batch_dir: Path,
    port: int,
    worker: str,
    opens: bool,
    concurrency: int,
) -> None:
    """Serve the pages, and tell what was done there."""
    from turkbatch import actions

    with contextlib.ExitStack() as shown:
        bar = shown.enter_context(output.Bar())

        def ready(address: actions.ReviewAddress) -> None:
            shown.close()
            output.data(address.url)
            output.say(
                f"Review {batch_dir} in the browser at this address, which is for you alone;"
                " Finish there, or Ctrl-C, ends it."
            )
            if opens and sys.stdout.isatty():
                _open_browser(address.once)

        done = actions.review_in_browser(
            client,
            batch_dir,
            port=port,
            worker=worker,
            concurrency=concurrency,
            on_ready=ready,
            progress=bar,
        )
    _tell_browser_review(done)


def _open_browser(url: str) -> None:
    import os
    import threading
    import webbrowser

    with contextlib.suppress(webbrowser.Error):
        found = webbrowser.get()
        # One that runs in the terminal would take it over, unless it is wanted so.
        if type(found) is not webbrowser.GenericBrowser or "BROWSER" in os.environ:
            # Some return only when they end, and nothing is served before this returns.
            threading.Thread(target=found.open, args=(url,), daemon=True).start()


def _tell_browser_review(done: actions.BrowserReview) -> None:
    turned = f", {done.overridden} rejections turned back" if done.overridden else ""
    output.say(f"{done.approved} approved, {done.rejected} rejected{turned}.")
    for assignment_id, status in done.contradicted.items():
        output.say(f"Warning: {assignment_id}: {status}.")
    if done.marked:
        output.say(f"{done.marked} decisions are marked and not sent; --web shows them again.")
    if done.failures:
        raise errors.PartialError(
            f"{len(done.failures)} HITs could not be read, or decisions were refused:",
            done.failures,
        )
    if done.open:
        output.say(f"{done.open} submissions are left to review.")
    if done.open or done.marked:
        raise SystemExit(presenter.WORK_LEFT)


QUIT = "quit"
CHOICES = {
    "a": "approve",
    "accept": "approve",
    "approve": "approve",
    "y": "approve",
    "yes": "approve",
    "r": "reject",
    "reject": "reject",
    "s": "skip",
    "skip": "skip",
    "n": "skip",
    "m": "mark",
    "mark": "mark",
    "q": QUIT,
    "quit": QUIT,
}


def _decided(submission: actions.Submission, marks: TextIO) -> actions.Decision | str | None:
    """Ask what to do with a submission: a decision, None to leave it, QUIT to stop."""
    from turkbatch import actions

    while True:
        answer = output.ask("[a]ccept, [r]eject, [s]kip, [m]ark or [q]uit?")
        if answer is None:
            raise errors.RefusedError(
                "the input ended; what was decided is sent, the rest is as it was."
                " To approve everything without questions: --approve-all --yes"
            )
        choice = CHOICES.get(answer.lower())
        if choice == "approve":
            return actions.Decision(submission.assignment_id, "approve")
        if choice == "reject":
            reason = output.ask("Why? The worker is told:")
            if reason:
                return actions.Decision(submission.assignment_id, "reject", reason)
            output.say("A rejection needs a reason.")
        elif choice == "mark":
            reason = output.ask("Why?") or ""
            record = {
                "assignment_id": submission.assignment_id,
                "action": "mark",
                "reason": reason,
            }
            click.echo(json.dumps(record, ensure_ascii=False), file=marks)
            marks.flush()
            return None
        elif choice == "skip":
            return None
        elif choice == QUIT:
            return QUIT


def _show_submission(submission: actions.Submission, number: int, total: int) -> None:
    assignment = submission.assignment
    row = submission.row or {}
    lines = [(f"data: {name}", _cell(value)) for name, value in row.items()]
    lines += [(f"answer: {name}", _cell(value)) for name, value in submission.answers.items()]
    output.table(
        lines or [("", "(no answers)")],
        title=(
            f"Assignment {number} of {total}: {submission.assignment_id}"
            f" by {assignment['WorkerId']}, {money.dollars(money.amount(submission.reward))}"
        ),
        stderr=True,
    )


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _all_approved(
    waiting: Sequence[actions.Submission], *, ask: bool
) -> Iterator[actions.Decision]:
    from turkbatch import actions

    if waiting and ask:
        total = sum((money.amount(one.reward) for one in waiting), start=money.amount("0"))
        output.agree(
            f"Approve {len(waiting)} assignments, which pays {money.dollars(total)}"
            " and MTurk's fees?"
        )
    return (actions.Decision(one.assignment_id, "approve") for one in waiting)


def _review(
    client: MTurkClient,
    batch_dir: Path,
    decisions: Iterable[actions.Decision],
    concurrency: int,
) -> None:
    """Send decisions and tell what came of them."""
    from turkbatch import actions

    with output.Bar() as bar:
        done = actions.review_batch(
            client, batch_dir, decisions=decisions, concurrency=concurrency, progress=bar
        )
    turned = f", {done.overridden} rejections turned back" if done.overridden else ""
    already = f", {done.already} were decided before" if done.already else ""
    output.say(f"{done.approved} approved, {done.rejected} rejected{turned}{already}.")
    for assignment_id, status in done.contradicted.items():
        output.say(f"Warning: {assignment_id} is {status} at the service, and stays so.")
