"""The command group, and where each command is.

What ``--help`` shows stands here, so that it loads none of the commands; a command's module
is loaded when it is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from turkbatch import __version__
from turkbatch.cli import options, presenter

SECTIONS: Mapping[str, str] = {
    "batch": "Batches",
    "review": "Batches",
    "definition": "Before a batch",
    "extract": "Results",
    "qualificationtype": "Qualification types",
    "workers": "Workers",
    "server": "A server of your own",
}
"""The heading under which the commands of a module are shown, in this order."""

COMMANDS: Mapping[str, tuple[str, str]] = {
    "create-batch": (
        "batch",
        "Publish one HIT for each row of DATA_PATH, and print the batch's directory.",
    ),
    "check-batch": (
        "batch",
        "Find everything that is wrong with a definition and its data; send nothing.",
    ),
    "resume-batch": (
        "batch",
        "Go on with an interrupted upload of BATCH_DIR; no row gets a second HIT.",
    ),
    "status-batch": (
        "batch",
        "Tell how far BATCH_DIR is: its HITs and assignments, money and times.",
    ),
    "review-batch": (
        "review",
        "Approve or reject what workers submitted for BATCH_DIR, one by one or all at once.",
    ),
    "save-batch": (
        "batch",
        "Save what there is of BATCH_DIR's results, at any time.",
    ),
    "extend-batch": (
        "batch",
        "Give every HIT of BATCH_DIR more assignments, more time, or both.",
    ),
    "expire-batch": (
        "batch",
        "Close BATCH_DIR's HITs: nobody new can accept them; who is at work may finish.",
    ),
    "delete-batch": (
        "batch",
        "Take BATCH_DIR's HITs off the service; the directory and its results stay.",
    ),
    "repin-batch": (
        "batch",
        "Tell BATCH_DIR where its server is now: another --endpoint-url, or --local database.",
    ),
    "demo": (
        "batch",
        "Run a batch's whole life on the embedded server, in under a minute.",
    ),
    "new-definition": (
        "definition",
        "Write a definition to begin from to DIR, with three rows of data.",
    ),
    "rehearse-batch": (
        "definition",
        "Live through the batch's whole life with simulated workers, and print the results.",
    ),
    "preview-batch": (
        "definition",
        "Show each row's page as a worker would get it, until Ctrl-C, and print the address.",
    ),
    "extract": (
        "extract",
        "Turn a batch's saved results into a table, or into XML files.",
    ),
    "create-qualificationtype": (
        "qualificationtype",
        "Create a qualification type from DEFINITION_DIR, and print its directory.",
    ),
    "update-qualificationtype": (
        "qualificationtype",
        "Bring a qualification type to what its definition says, and show what changes.",
    ),
    "status-qualificationtype": (
        "qualificationtype",
        "Tell who holds a qualification, with which scores, and who asks for it.",
    ),
    "delete-qualificationtype": (
        "qualificationtype",
        "Delete a qualification type in one environment; its directory stays.",
    ),
    "review-qualificationrequests": (
        "qualificationtype",
        "Grant or refuse what workers ask for, one by one or as a file says.",
    ),
    "associate-qual": (
        "workers",
        "Grant a qualification of your own to the workers IDS, or change their score.",
    ),
    "disassociate-qual": (
        "workers",
        "Take a qualification of your own from the workers IDS.",
    ),
    "block-workers": (
        "workers",
        "Keep the workers IDS from all of your HITs.",
    ),
    "unblock-workers": (
        "workers",
        "Let the workers IDS in again.",
    ),
    "list-blocks": (
        "workers",
        "List the workers whom you block, as a CSV that unblock-workers reads.",
    ),
    "notify-workers": (
        "workers",
        "Write to the workers IDS, whose work you have reviewed before.",
    ),
    "bonus-workers": (
        "workers",
        "Pay bonuses, each exactly once, whenever and wherever the command runs again.",
    ),
    "screen-workers": (
        "workers",
        "Turn a pilot's saved results into a pool: grant NAME to who did well in BATCH_DIR.",
    ),
    "compensate-workers": (
        "workers",
        "Pay the workers IDS, who worked and could not submit: a HIT each, for them alone.",
    ),
    "server": (
        "server",
        "Run MTurk's API on a server of your own, with simulated workers or real ones.",
    ),
}
"""Each command's module, and the first sentence of its help; a test compares."""


class LazyCommands(presenter.Commands):
    """A group whose commands are loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command; None if there is no such."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"turkbatch.cli.{COMMANDS[cmd_name][0]}")
        commands: click.Group = module.commands
        return commands.commands[cmd_name]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed, or name the nearest one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, 1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Show the commands by what they are about."""
        for heading in dict.fromkeys(SECTIONS.values()):
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (name, text)
                        for name, (module, text) in COMMANDS.items()
                        if SECTIONS[module] == heading
                    ]
                )


@click.group(cls=LazyCommands, context_settings=options.CONTEXT)
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
