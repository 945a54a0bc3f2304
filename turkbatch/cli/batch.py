"""Commands about batches: from ``create-batch`` to ``delete-batch``, and ``demo``."""

from __future__ import annotations

import collections
import csv
import decimal
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from turkbatch import errors, money
from turkbatch.cli import options, output, presenter

if TYPE_CHECKING:
    from turkbatch import actions

commands = click.Group("batch")


def _checks(function: Callable[..., object]) -> Callable[..., object]:
    """Give a command the options that say how inputs are checked."""
    function = click.option(
        "--ignore",
        metavar="RULE",
        multiple=True,
        help="Leave out the warnings of a rule; can be given several times.",
    )(function)
    return click.option(
        "--allow-undefined", is_flag=True, help="Undefined names in Jinja2 render empty."
    )(function)


@options.command(commands, "create-batch")
@click.argument("definition_dir", type=options.PATH)
@click.argument("data_path", type=options.PATH)
@click.argument("save_dir", type=options.PATH, default=".")
@options.environment
@click.option(
    "--check-cost/--no-check-cost",
    "-c/-n",
    default=True,
    show_default=True,
    help="Show the cost and ask before anything is sent.",
)
@click.option("--yes", "-y", is_flag=True, help="The same as --no-check-cost.")
@click.option(
    "--batch-id",
    metavar="ID",
    help="Name the batch; run again with the same inputs, it goes on or does nothing.",
)
@click.option(
    "--max-cost",
    metavar="USD",
    help="Refuse if it costs more, or the cost can't be known exactly.",
)
@click.option("--dry-run", is_flag=True, help="Check and show the cost; send and write nothing.")
@click.option(
    "--exclude",
    type=options.PATH,
    multiple=True,
    metavar="BATCH_DIR",
    help="Keep the workers of an earlier batch out; can be given several times.",
)
@click.option(
    "--only",
    type=options.PATH,
    multiple=True,
    metavar="BATCH_DIR",
    help="Let only the workers of an earlier batch in; can be given several times.",
)
@click.option(
    "--max-hits-per-worker",
    type=click.IntRange(1),
    metavar="K",
    help="Keep workers out who have done K HITs of this batch, as save-batch or"
    " status-batch --watch finds them.",
)
@_checks
@options.concurrency
def create_batch(
    definition_dir: Path,
    data_path: Path,
    save_dir: Path,
    target: options.Target,
    check_cost: bool,
    yes: bool,
    batch_id: str | None,
    max_cost: str | None,
    dry_run: bool,
    exclude: tuple[Path, ...],
    only: tuple[Path, ...],
    max_hits_per_worker: int | None,
    allow_undefined: bool,
    ignore: tuple[str, ...],
    concurrency: int,
) -> None:
    """Publish one HIT for each row of DATA_PATH, and print the batch's directory.

    DEFINITION_DIR holds hittypeproperties.json, hitproperties.json and the question's
    template. DATA_PATH is JSON Lines or CSV. The batch directory is made in SAVE_DIR, here
    unless given. Everything is checked before the first request.

    \b
    Example:
      turkbatch create-batch definition data.jsonl . --local
    """
    from turkbatch import actions

    ask = check_cost and not yes
    place = target.environment()
    if dry_run:
        checked = _check(definition_dir, data_path, place.name, allow_undefined, ignore)
        _show_checked(checked)
        if checked.ok and checked.cost is not None:
            actions.check_limit(checked.cost, max_cost)
        raise SystemExit(presenter.DONE if checked.ok else presenter.REFUSED)

    def confirm(quote: actions.Quote) -> None:
        if ask or not quote.affordable:
            _show_quote(quote)
        if ask:
            output.agree(_question(quote))

    plan = None
    with output.Bar() as bar:
        # Before credentials are looked for: a slip in the data needs no account to be seen.
        if batch_id is None or not (save_dir / f"batch-{batch_id}").exists():
            plan = actions.plan_batch(
                definition_dir,
                data_path,
                environment=place.name,
                allow_undefined=allow_undefined,
                ignore=ignore,
                progress=bar,
            )
    _show_warnings(plan.findings if plan else ())
    screened = None
    if exclude or only or max_hits_per_worker is not None:
        screened = actions.Screening(exclude, only, max_hits_per_worker=max_hits_per_worker)
    client = target.client()
    with output.Bar() as bar:
        made = actions.create_batch(
            client,
            definition_dir,
            data_path,
            save_dir,
            batch_id=batch_id,
            max_cost=max_cost,
            allow_undefined=allow_undefined,
            screened=screened,
            plan=plan,
            confirm=confirm,
            announce=lambda path: output.data(str(path)),
            concurrency=concurrency,
            progress=bar,
        )
    _tell_created(made)


def _show_warnings(findings: Sequence[errors.Finding]) -> None:
    for finding in findings:
        if finding.severity == "warning":
            output.say(f"Warning: {finding} [{finding.rule}]")


def _cost_rows(cost: money.Cost) -> list[tuple[str, str]]:
    return [
        ("HITs", f"{cost.hits:,}"),
        ("assignments a HIT", f"{cost.assignments_per_hit:,}"),
        ("reward an assignment", money.dollars(cost.reward)),
        ("MTurk's fee an assignment", money.dollars(cost.fee)),
        ("rewards in all", money.dollars(cost.rewards)),
        ("fees in all", money.dollars(cost.fees)),
        ("total" if cost.exact else "total, at least", money.dollars(cost.total)),
    ]


def _show_quote(quote: actions.Quote) -> None:
    cost = quote.cost
    rows = _cost_rows(cost)
    if quote.balance is not None:
        rows.append(("balance", money.dollars(quote.balance)))
    output.table(rows, stderr=True, numbers=[1])
    if not cost.exact:
        output.say(
            f"Warning: {', '.join(cost.uncertain)} may have a price of its own for each"
            " assignment, which MTurk's API does not tell: the total is a lower bound."
        )
    if not quote.affordable:
        output.say("Warning: the balance does not cover the total.")


def _question(quote: actions.Quote) -> str:
    site = output.site(quote.environment)
    hits = "1 HIT" if quote.cost.hits == 1 else f"{quote.cost.hits:,} HITs"
    about = "" if quote.cost.exact else "at least "
    return f"Publish {hits} {site}, for {about}{money.dollars(quote.cost.total)}?"


def _tell_created(made: actions.CreatedBatch) -> None:
    if made.created or made.adopted:
        adopted = f", {made.adopted} found from an interrupted run" if made.adopted else ""
        output.say(f"{len(made.hit_ids)} HITs: {made.created} created now{adopted}.")
    else:
        output.say(f"All {len(made.hit_ids)} HITs were there already; nothing was done.")


@options.command(commands, "check-batch")
@click.argument("definition_dir", type=options.PATH)
@click.argument("data_path", type=options.PATH)
@options.environment
@click.option(
    "--hourly-wage",
    metavar="USD",
    type=click.FloatRange(0, min_open=True),
    help="Warn of a reward under this wage; needs --minutes or --pilot.",
)
@click.option(
    "--minutes",
    metavar="M",
    type=click.FloatRange(0, min_open=True),
    help="How long an assignment takes.",
)
@click.option(
    "--pilot",
    metavar="BATCH_DIR",
    type=options.PATH,
    help="A saved batch whose median work time is taken instead.",
)
@options.as_json
@_checks
def check_batch(
    definition_dir: Path,
    data_path: Path,
    target: options.Target,
    hourly_wage: float | None,
    minutes: float | None,
    pilot: Path | None,
    as_json: bool,
    allow_undefined: bool,
    ignore: tuple[str, ...],
) -> None:
    """Find everything that is wrong with a definition and its data; send nothing.

    Errors are what create-batch refuses; warnings are what is likely to be regretted, and
    can be left out by their rule's name. The flags only say where it would be published.

    \b
    Example:
      turkbatch check-batch definition data.jsonl
      turkbatch check-batch definition data.csv --hourly-wage 15 --minutes 1.5
    """
    wage = _wage(hourly_wage, minutes, pilot)
    place = target.environment().name
    checked = _check(definition_dir, data_path, place, allow_undefined, ignore, wage)
    if as_json:
        output.document(checked.as_json())
    else:
        _show_checked(checked)
    raise SystemExit(presenter.DONE if checked.ok else presenter.REFUSED)


def _wage(hourly: float | None, minutes: float | None, pilot: Path | None) -> actions.Wage | None:
    from turkbatch import actions

    if hourly is None and minutes is None and pilot is None:
        return None
    if hourly is None or (minutes is None) == (pilot is None):
        raise click.UsageError("--hourly-wage goes with one of --minutes and --pilot")
    # By way of its text: 7.3 as a binary fraction is a little more.
    amount = decimal.Decimal(str(hourly))
    if pilot is not None:
        return actions.wage_of_pilot(amount, pilot)
    assert minutes is not None, "one of the two was given"
    return actions.Wage(amount, minutes * 60, "--minutes")


def _check(
    definition_dir: Path,
    data_path: Path,
    environment: str,
    allow_undefined: bool,
    ignore: tuple[str, ...],
    wage: actions.Wage | None = None,
) -> actions.Checked:
    from turkbatch import actions

    with output.Bar() as bar:
        return actions.check_batch(
            definition_dir,
            data_path,
            environment=environment,
            allow_undefined=allow_undefined,
            ignore=ignore,
            wage=wage,
            progress=bar,
        )


def _show_checked(checked: actions.Checked) -> None:
    """Show findings, errors first, each with its rule, its reason and what to do."""
    for finding in checked.findings:
        output.data(f"{finding.where}: {finding.severity} [{finding.rule}] {finding.found}")
        for more in filter(None, (finding.why, finding.fix)):
            output.data(f"    {more}")
    for line in _placeholder_lines(checked):
        output.data(line)
    counts = collections.Counter(finding.severity for finding in checked.findings)
    found = ", ".join(f"{counts[name]} {name}s" for name in ("error", "warning", "note"))
    output.data(f"{found}; the largest question has {checked.largest_question_bytes:,} bytes")
    if checked.cost is not None:
        output.table(_cost_rows(checked.cost), numbers=[1])


MOST_LINES_NAMED = 5
"""Line numbers named for one kind of placeholder; --json has them all."""


def _placeholder_lines(checked: actions.Checked) -> Iterator[str]:
    """Sum up what was taken for a placeholder, and what was not, with the reason."""
    places: dict[str, list[int]] = {}
    for one in checked.placeholders:
        what = f"${{{one.name}}}: {one.reason}" if one.taken else f"left as it is: {one.reason}"
        places.setdefault(what, []).append(one.line)
    for what, lines in places.items():
        more = len(lines) - MOST_LINES_NAMED
        named = ", ".join(map(str, lines[:MOST_LINES_NAMED]))
        rest = f" and {more} more" if more > 0 else ""
        yield f"{what}, line{'s' if len(lines) > 1 else ''} {named}{rest}"


@options.command(commands, "resume-batch")
@options.batch_dir
@options.environment
@options.concurrency
def resume_batch(batch_dir: Path, target: options.Target, concurrency: int) -> None:
    """Go on with an interrupted upload of BATCH_DIR; no row gets a second HIT.

    \b
    Example:
      turkbatch resume-batch batch-3f2a
    """
    from turkbatch import actions

    client = target.client(batch_dir)
    with output.Bar() as bar:
        made = actions.resume_batch(client, batch_dir, concurrency=concurrency, progress=bar)
    _tell_created(made)


@options.command(commands, "status-batch")
@options.batch_dir
@options.environment
@options.as_json
@click.option("--watch", is_flag=True, help="Show it again and again, until all is reviewed.")
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=30,
    show_default=True,
    help="With --watch: how often.",
)
@options.concurrency
def status_batch(
    batch_dir: Path,
    target: options.Target,
    as_json: bool,
    watch: bool,
    every: float,
    concurrency: int,
) -> None:
    """Tell how far BATCH_DIR is: its HITs and assignments, money and times.

    Approved and rejected, money and work times come from the saved results, and for some HITs
    from the service: save-batch brings them up to date.

    \b
    Example:
      turkbatch status-batch batch-* --json
      turkbatch status-batch batch-* --watch
    """
    from turkbatch import actions
    from turkbatch.cli import status as view

    if watch and as_json:
        raise click.UsageError("--json is one document; call it as often as you like")
    client = target.client(batch_dir)
    while True:
        with output.Bar() as bar:
            status = actions.status_batch(
                client,
                batch_dir,
                most_fetched=view.MOST_FETCHED,
                concurrency=concurrency,
                progress=bar,
            )
        if as_json:
            output.document(status.as_json())
            break
        if watch:
            output.clear()
        view.show(status, batch_dir)
        if status.over or not watch:
            break
        actions.keep_screening(client, batch_dir, concurrency=concurrency)
        time.sleep(every)
    if status.unknown:
        raise SystemExit(presenter.SERVICE_FAILED)


@options.command(commands, "save-batch")
@options.batch_dir
@options.environment
@options.concurrency
def save_batch(batch_dir: Path, target: options.Target, concurrency: int) -> None:
    """Save what there is of BATCH_DIR's results, at any time.

    Ends with exit code 3 while HITs are open or work is not reviewed, 0 once all is final.

    \b
    Example:
      turkbatch save-batch batch-*
    """
    from turkbatch import actions

    client = target.client(batch_dir)
    with output.Bar() as bar:
        saved = actions.save_batch(client, batch_dir, concurrency=concurrency, progress=bar)
    output.say(f"{saved.assignments} assignments of {saved.hits} HITs are saved in {batch_dir}.")
    if not saved.final:
        left = [
            f"{saved.open_hits} HITs are open" if saved.open_hits else "",
            f"{saved.unreviewed} assignments are not reviewed" if saved.unreviewed else "",
            f"{saved.missing_rows} rows have no HIT yet" if saved.missing_rows else "",
        ]
        output.say(f"More may come: {', '.join(filter(None, left))}. Save again later.")
        raise SystemExit(presenter.WORK_LEFT)


@options.command(commands, "extend-batch")
@options.batch_dir
@options.environment
@click.option("--assignments", type=click.IntRange(1), help="More assignments for each HIT.")
@click.option(
    "--hours",
    type=click.FloatRange(0, 8760, min_open=True),
    help="Hours added to each HIT's expiration, or to now where that is past.",
)
@options.yes
@options.concurrency
def extend_batch(
    batch_dir: Path,
    target: options.Target,
    assignments: int | None,
    hours: float | None,
    yes: bool,
    concurrency: int,
) -> None:
    """Give every HIT of BATCH_DIR more assignments, more time, or both.

    If it is interrupted, the same command finishes it and adds nothing twice. MTurk never
    lets a HIT grow from under ten assignments to ten or more.

    \b
    Example:
      turkbatch extend-batch batch-* --assignments 2 --hours 24
    """
    from turkbatch import actions

    if assignments is None and hours is None:
        raise click.UsageError("give --assignments, --hours or both")

    def confirm(quote: actions.ExtensionQuote) -> None:
        if quote.cost and not yes:
            output.agree(
                f"Add {quote.assignments} assignments to each of {quote.hits} HITs"
                f" {output.site(quote.environment)}, for {money.dollars(quote.cost)}?"
            )

    client = target.client(batch_dir)
    with output.Bar() as bar:
        done = actions.extend_batch(
            client,
            batch_dir,
            assignments=assignments or 0,
            hours=hours or 0,
            confirm=confirm,
            concurrency=concurrency,
            progress=bar,
        )
    already = f", {done.already} were before" if done.already else ""
    deleted = f"; {done.deleted} are deleted and stay so" if done.deleted else ""
    output.say(f"{done.extended} HITs extended now{already}{deleted}.")


@options.command(commands, "expire-batch")
@options.batch_dir
@options.environment
@options.concurrency
def expire_batch(batch_dir: Path, target: options.Target, concurrency: int) -> None:
    """Close BATCH_DIR's HITs: nobody new can accept them; who is at work may finish.

    \b
    Example:
      turkbatch expire-batch batch-*
    """
    from turkbatch import actions

    client = target.client(batch_dir)
    with output.Bar() as bar:
        done = actions.expire_batch(client, batch_dir, concurrency=concurrency, progress=bar)
    output.say(f"{done.expired} HITs expired now, {done.already} were closed before.")


@options.command(commands, "delete-batch")
@options.batch_dir
@options.environment
@click.option("--expire", is_flag=True, help="Expire first what is still open.")
@options.concurrency
def delete_batch(batch_dir: Path, target: options.Target, expire: bool, concurrency: int) -> None:
    """Take BATCH_DIR's HITs off the service; the directory and its results stay.

    Refused while any result is not saved.

    \b
    Example:
      turkbatch delete-batch batch-*
    """
    from turkbatch import actions

    client = target.client(batch_dir)
    with output.Bar() as bar:
        done = actions.delete_batch(
            client, batch_dir, expire_open=expire, concurrency=concurrency, progress=bar
        )
    output.say(f"{done.deleted} HITs deleted now, {done.already} were gone before.")
    if not done.final:
        output.say(
            f"{done.still_worked_on} HITs are closed, but someone is still at work on them;"
            " delete again later."
        )
        raise SystemExit(presenter.WORK_LEFT)


@options.command(commands, "repin-batch")
@options.batch_dir
@options.environment
def repin_batch(batch_dir: Path, target: options.Target) -> None:
    """Tell BATCH_DIR where its server is now: another --endpoint-url, or --local database.

    A pin moves between servers of your own, never to or from MTurk's sites.

    \b
    Example:
      turkbatch repin-batch batch-3f2a --endpoint-url http://127.0.0.1:9000
    """
    from turkbatch import actions

    moved = actions.repin_batch(batch_dir, target.environment())
    output.say(f"{batch_dir} was in {_place(moved.before)}, and is now in {_place(moved.now)}.")


def _place(pin: Mapping[str, str]) -> str:
    return pin.get("endpoint_url") or pin.get("database") or pin["environment"]


DEMO_COLUMNS = frozenset({"WorkerId", "AssignmentStatus", "utterance"})
"""What of the demo's table is shown, beside its inputs."""


@options.command(commands, "demo")
@click.argument("directory", metavar="[DIR]", type=options.PATH, required=False)
def demo(directory: Path | None) -> None:
    """Run a batch's whole life on the embedded server, in under a minute.

    Everything is left in DIR; without it, in a temporary directory that is removed.

    \b
    Example:
      turkbatch demo
    """
    from turkbatch import actions

    def tell(what: str, arguments: Sequence[str]) -> None:
        output.data(f"\n# {what}\n$ turkbatch {' '.join(arguments)}")

    done = actions.demo(directory, tell=tell, show=lambda text: output.data(text.rstrip()))
    rows = list(csv.DictReader(io.StringIO(done.table)))
    shown = [name for name in rows[0] if name.startswith("Input.") or name in DEMO_COLUMNS]
    output.data("\nA part of results.csv:")
    output.table([[row[name] for name in shown] for row in rows], header=shown)
    if directory is not None:
        output.say(f"\nEverything is in {done.directory}.")
