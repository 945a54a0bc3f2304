"""Commands about definitions: ``new-definition``, ``preview-batch``, ``rehearse-batch``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from turkbatch import money
from turkbatch.cli import options, output, presenter

if TYPE_CHECKING:
    from turkbatch import actions

commands = click.Group("definition")


def _list(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if not value:
        return
    from turkbatch import actions

    output.table([(one.name, one.description) for one in actions.starters()])
    ctx.exit()


@options.command(commands, "new-definition")
@click.argument("template")
@click.argument("directory", metavar="DIR", type=options.PATH)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Describe the templates, and write nothing.",
)
def new_definition(template: str, directory: Path) -> None:
    """Write a definition to begin from to DIR, with three rows of data.

    TEMPLATE is a kind of task, such as utterance-collection. Its NOTES explain every
    property; everything is there to be changed.

    \b
    Example:
      turkbatch new-definition --list
      turkbatch new-definition text-classification topics
    """
    from turkbatch import actions

    made = actions.new_definition(template, directory)
    output.data(str(directory))
    output.say(
        f"Read {made.definition_dir / 'NOTES'}, then try it:\n"
        f"  turkbatch check-batch {made.definition_dir} {made.data_path}"
    )


def _truth(
    ctx: click.Context,  # noqa: ARG001
    param: click.Parameter,  # noqa: ARG001
    given: tuple[str, ...],
) -> dict[str, str]:
    """Read ``COLUMN=FIELD``, or one name for both, into columns by field."""
    found: dict[str, str] = {}
    for text in given:
        column, equals, field = (part.strip() for part in text.partition("="))
        field = field if equals else column
        if not column or not field:
            raise click.BadParameter(f"{text!r}: give COLUMN=FIELD, such as label=sentiment")
        if field in found:
            raise click.BadParameter(f'the field "{field}" has one right answer: give it once')
        found[field] = column
    return found


@options.command(commands, "rehearse-batch")
@click.argument("definition_dir", type=options.PATH)
@click.argument("data_path", type=options.PATH)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Simulated workers.  [default: 10, or as many as a HIT has assignments]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same answers.")
@click.option(
    "--accuracy",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="How often an answer is right; without --truth, how often workers agree on an option.",
)
@options.spam
@options.speed
@click.option(
    "--truth",
    metavar="COLUMN=FIELD",
    multiple=True,
    callback=_truth,
    help="The column of the data with the right answer to a field; COLUMN alone if both have"
    " one name. Can be given several times.",
)
@click.option(
    "--browser",
    is_flag=True,
    help="Do HITs in a headless Chromium, so that the pages' scripts run; TURKBATCH_CHROMIUM"
    " names its program.",
)
@click.option(
    "--browser-rows",
    metavar="N",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="With --browser: how many rows, spread over the data, are done there; 0 for all.",
)
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="With --browser: how long to wait for a page, its scripts, and its submission.",
)
@click.option(
    "--keep",
    metavar="DIR",
    type=options.PATH,
    help="Leave the batch, results.csv and the server's database there.",
)
@click.option(
    "--format",
    "-f",
    "format_name",
    type=click.Choice(["table", "csv", "json", "jsonl"]),
    default="table",
    show_default=True,
    help="How to print the results: what matters, or all that extract tabular writes.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print results, times, cost and findings as JSON."
)
@click.option("--allow-undefined", is_flag=True, help="Undefined names in Jinja2 render empty.")
def rehearse_batch(
    definition_dir: Path,
    data_path: Path,
    workers: int | None,
    seed: int,
    accuracy: float,
    spam: float,
    speed: float,
    truth: Mapping[str, str],
    browser: bool,
    browser_rows: int,
    patience: float,
    keep: Path | None,
    format_name: str,
    as_json: bool,
    allow_undefined: bool,
) -> None:
    """Live through the batch's whole life with simulated workers, and print the results.

    It is published, worked on, reviewed, saved, deleted and extracted on a server that
    is made for it and thrown away: nothing is spent, sent or left behind. What would go
    wrong with real workers is told as well.

    \b
    Example:
      turkbatch rehearse-batch definition data.csv
      turkbatch rehearse-batch definition data.csv --truth label=sentiment --spam 0.2
      turkbatch rehearse-batch definition data.csv --browser --browser-rows 3
      turkbatch rehearse-batch definition data.csv --format csv > results.csv
    """
    from turkbatch import actions

    try:
        with output.Bar() as bar:
            done = actions.rehearse_batch(
                definition_dir,
                data_path,
                workers=workers,
                seed=seed,
                accuracy=accuracy,
                spam=spam,
                speed=speed,
                truth=truth,
                browser=actions.Browser(browser_rows, patience) if browser else None,
                keep=keep,
                allow_undefined=allow_undefined,
                progress=bar,
            )
    except KeyboardInterrupt:
        output.say("\nInterrupted; nothing was sent anywhere.")
        raise SystemExit(presenter.INTERRUPTED) from None
    if as_json:
        output.document(done.as_json())
        return
    _show_results(done, format_name)
    _tell_rehearsal(done)


def _show_results(done: actions.Rehearsal, format_name: str) -> None:
    from turkbatch import tables

    if format_name == "table":
        columns = _telling(done.rows)
        cells = [[tables.cell(name, row.get(name)) for name in columns] for row in done.rows]
        output.table(cells, header=columns)
        return
    formats: Mapping[str, tables.Format] = {"csv": "csv", "json": "json", "jsonl": "jsonl"}
    tables.write(lambda: done.rows, sys.stdout, formats[format_name])
    sys.stdout.flush()


def _telling(rows: tuple[Mapping[str, Any], ...]) -> list[str]:
    """Choose the columns that differ from batch to batch: workers, inputs and answers."""
    from turkbatch import tables

    rest = {*tables.AMTI_COLUMNS, *tables.MORE_COLUMNS} - {"WorkerId", "WorkTimeInSeconds"}
    return list(dict.fromkeys(name for row in rows for name in row if name not in rest))


def _tell_rehearsal(done: actions.Rehearsal) -> None:
    """Say what it came to, and what would be regretted."""
    wage = done.hourly_wage
    rows = [
        ("HITs", f"{done.hits:,}"),
        ("assignments", f"{done.assignments:,}"),
        ("assignments nobody took", f"{done.left:,}"),
        ("workers who answered by chance", ", ".join(done.spammers) or "none"),
        ("work time, median", _seconds(done.median_work_seconds)),
        ("work time, average", _seconds(done.average_work_seconds)),
        ("wage of these workers, an hour", "" if wage is None else money.dollars(wage)),
        (
            "cost of the batch" if done.cost.exact else "cost of the batch, at least",
            money.dollars(done.cost.total),
        ),
    ]
    if done.browsed is not None:
        rows.insert(3, ("done in a browser", f"{done.browsed.assignments:,}"))
    output.table(rows, stderr=True)
    for left in done.browsed.unsubmitted if done.browsed is not None else ():
        output.say(f"Row {left.row}, worker {left.worker_id}: not submitted; {left.why}.")
    for finding in done.findings:
        kind = "Note" if finding.severity == "note" else "Warning"
        output.say(f"{kind}: {finding} [{finding.rule}]")
    if done.kept is not None:
        output.say(f"The batch and its results are in {done.kept}.")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} s"


@options.command(commands, "preview-batch")
@click.argument("definition_dir", type=options.PATH)
@click.argument("data_path", type=options.PATH)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any."
)
@click.option(
    "--export",
    "export_dir",
    metavar="DIR",
    type=options.PATH,
    help="Write the pages as files to show to others, and end.",
)
@click.option(
    "--crowd-elements",
    type=click.Choice(["local", "cdn"]),
    default="local",
    show_default=True,
    help="Where pages get Crowd HTML Elements: turkbatch's own, or AWS's as the page says.",
)
@click.option("--allow-undefined", is_flag=True, help="Undefined names in Jinja2 render empty.")
def preview_batch(
    definition_dir: Path,
    data_path: Path,
    port: int,
    export_dir: Path | None,
    crowd_elements: Literal["local", "cdn"],
    allow_undefined: bool,
) -> None:
    """Show each row's page as a worker would get it, until Ctrl-C, and print the address.

    Nothing is published. What you submit there is shown as answer XML and as the row of
    results that it would become. A page is loaded anew when a file changes; the arrow keys
    lead from row to row.

    \b
    Example:
      turkbatch preview-batch definition data.csv --port 8000
      turkbatch preview-batch definition data.csv --export pages
    """
    from turkbatch import actions

    if export_dir is not None:
        with output.Bar() as bar:
            index = actions.export_preview(
                definition_dir,
                data_path,
                export_dir,
                allow_undefined=allow_undefined,
                crowd_elements=crowd_elements,
                progress=bar,
            )
        output.data(str(index))
        return

    def ready(url: str) -> None:
        output.data(url)
        output.say(f"The pages of {data_path} are at {url}; Ctrl-C ends it.")

    actions.preview_batch(
        definition_dir,
        data_path,
        port=port,
        allow_undefined=allow_undefined,
        crowd_elements=crowd_elements,
        on_ready=ready,
    )
