"""``extract tabular`` and ``extract xml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from turkbatch.cli import options, output

commands = click.Group("extraction")


@commands.group("extract", context_settings=options.CONTEXT)
def extract() -> None:
    """Turn a batch's saved results into a table, or into XML files."""


@options.command(extract, "tabular")
@click.argument("source", metavar="BATCH_OR_CSV", type=options.PATH)
@click.argument("output_path", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "-f",
    "format_name",
    type=click.Choice(["jsonl", "json", "csv"]),
    help="How to write it.  [default: as OUTPUT_PATH's suffix says, else jsonl]",
)
@click.option(
    "--style",
    type=click.Choice(["amti", "requester"]),
    default="amti",
    show_default=True,
    help="amti's columns, or those of the requester website's results CSV.",
)
@click.option("--inputs", is_flag=True, help="Add the data row's fields, as Input.NAME.")
@click.option("--excel-safe", is_flag=True, help="Keep spreadsheets from running cells.")
def tabular(
    source: Path,
    output_path: Path,
    format_name: str | None,
    style: Literal["amti", "requester"],
    inputs: bool,
    excel_safe: bool,
) -> None:
    """Write one row for each assignment of BATCH_OR_CSV to OUTPUT_PATH (- for stdout).

    BATCH_OR_CSV is a batch directory whose results are saved, or a results file that was
    downloaded from the requester website.

    \b
    Example:
      turkbatch extract tabular batch-* results.csv --inputs
      turkbatch extract tabular batch-* Batch_1_batch_results.csv --style requester
    """
    from turkbatch import actions
    from turkbatch.actions import extract as action

    notes: dict[str, int] = {}

    def note(text: str) -> None:
        notes[text] = notes.get(text, 0) + 1

    chosen = next((one for one in action.FORMATS if one == format_name), None)
    with output.Bar() as bar:
        done = actions.extract_tabular(
            source,
            output_path,
            format=chosen,
            style=style,
            inputs=inputs,
            excel_safe=excel_safe,
            note=note,
            progress=bar,
        )
    for text, count in notes.items():
        output.say(f"Note: {text} ({count} times)")
    output.say(f"{done.assignments} assignments are in {output_path}.")


@options.command(extract, "xml")
@options.batch_dir
@click.argument("output_dir", type=options.PATH)
def xml(batch_dir: Path, output_dir: Path) -> None:
    """Write each saved answer of BATCH_DIR to an XML file of its own, below OUTPUT_DIR.

    \b
    Example:
      turkbatch extract xml batch-* answers
    """
    from turkbatch import actions

    with output.Bar() as bar:
        done = actions.extract_xml(batch_dir, output_dir, progress=bar)
    output.data(str(done.path))
    output.say(f"{done.assignments} answers are in {done.path}.")
