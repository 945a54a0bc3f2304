"""Commands about definitions: ``new-definition``."""

from __future__ import annotations

from pathlib import Path

import click

from turkbatch.cli import options, output

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
