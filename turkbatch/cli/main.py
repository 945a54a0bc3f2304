"""The command group, and the commands by the noun that they are about."""

from __future__ import annotations

import click

from turkbatch import __version__
from turkbatch.cli import (
    batch,
    definition,
    extract,
    options,
    presenter,
    qualificationtype,
    server,
    workers,
)


@click.group(cls=presenter.Commands, context_settings=options.CONTEXT)
@click.version_option(__version__, "--version", "-V", prog_name="turkbatch")
@options.verbose
def turkbatch() -> None:
    """Publish batches of HITs on Mechanical Turk, or on a server of your own.

    A batch is a directory: a definition and data become HITs, and every later step works
    from that directory. Requests go to MTurk's sandbox unless --live, --local or
    --endpoint-url is given.

    \b
    Example, with no account:
      turkbatch create-batch definition data.jsonl . --local
      turkbatch server work batch-*
      turkbatch review-batch batch-* --approve-all
      turkbatch save-batch batch-*
      turkbatch extract tabular batch-* results.csv
    """


for _group in (
    batch.commands,
    definition.commands,
    extract.commands,
    qualificationtype.commands,
    server.commands,
    workers.commands,
):
    for _command in _group.commands.values():
        turkbatch.add_command(_command)
