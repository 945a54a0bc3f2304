"""``server worker`` and ``server group``: the people of a server of one's own."""

from __future__ import annotations

import dataclasses
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import click

from turkbatch.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from turkbatch import actions

_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
ELSEWHERE = (
    "Nothing else tells whose a pseudonym is. Batch directories and tables that were saved before,"
    " and backups of the server, still hold the old ids: in files, replace each by its pseudonym"
    " (grep -rl OLD batch-ID | xargs sed -i 's/OLD/PSEUDONYM/g'); backups can only be deleted."
)


@click.group("worker", context_settings=options.CONTEXT)
def worker() -> None:
    """Give people accounts on a server that others can reach, and take care of what it knows."""


@click.group("group", context_settings=options.CONTEXT)
def group() -> None:
    """Say what groups of people agree to, and how long they are kept."""


def _ids(function: Callable[..., object]) -> Callable[..., object]:
    return click.argument("ids", nargs=-1)(function)


def _file(function: Callable[..., object]) -> Callable[..., object]:
    return click.option(
        "--file", "-f", metavar="CSV", type=options.PATH, help="Workers' ids, one a line or a CSV."
    )(function)


def _invitation(function: Callable[..., object]) -> Callable[..., object]:
    for option in (
        click.option(
            "--valid", default="7d", show_default=True, help="How long the links work: 7d, 12h."
        ),
        click.option(
            "--public-url",
            metavar="URL",
            help="How people reach the server.  [env: TURKBATCH_PUBLIC_URL; default: as server"
            " run was last told]",
        ),
        click.option(
            "--csv", "csv_file", metavar="FILE", type=options.PATH, help="Write the links to FILE."
        ),
    ):
        function = option(function)
    return function


@options.command(worker, "add")
@_ids
@click.option("--count", type=click.IntRange(0, 10_000), default=0, help="So many new ids more.")
@_file
@click.option(
    "--group", "group_name", metavar="NAME", default="everyone", show_default=True, help="Whose."
)
@_invitation
@options.server_database
@options.as_json
def add(
    ids: tuple[str, ...],
    count: int,
    file: Path | None,
    group_name: str,
    valid: str,
    public_url: str | None,
    csv_file: Path | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make accounts for IDS, and print each one's id and one-time link, this once.

    The link asks for a password. Who has not used theirs gets a new one by the same command;
    who forgot the password, by `server worker invite`.

    \b
    Example:
      turkbatch server worker add anna ben --group lab
      turkbatch server worker add --count 20 --csv links.csv
    """
    from turkbatch import actions

    wanted = _wanted(ids, file)
    if not wanted and not count:
        raise click.UsageError("give IDS, --file or --count")
    made = actions.add_server_workers(
        options.named_database(database),
        wanted,
        count=count,
        group=group_name,
        valid_seconds=_seconds(valid),
        public_url=public_url,
    )
    _tell(made, csv_file, as_json)


@options.command(worker, "invite")
@_ids
@_file
@_invitation
@options.server_database
@options.as_json
def invite(
    ids: tuple[str, ...],
    file: Path | None,
    valid: str,
    public_url: str | None,
    csv_file: Path | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make new one-time links for IDS, who have accounts: for a password that was forgotten.

    The old password works until the new one is set; links from before end.

    \b
    Example:
      turkbatch server worker invite anna --valid 2d
    """
    from turkbatch import actions

    made = actions.invite_server_workers(
        options.named_database(database),
        _some(ids, file),
        valid_seconds=_seconds(valid),
        public_url=public_url,
    )
    _tell(made, csv_file, as_json)


def _tell(made: Sequence[actions.Invitation], csv_file: Path | None, as_json: bool) -> None:
    from turkbatch import actions

    if csv_file is not None:
        output.say(f"{len(made)} links are in {actions.write_invitations(made, csv_file)}.")
    if as_json:
        output.document({"invitations": [one.as_json() for one in made]})
    elif csv_file is None:
        for one in made:
            output.data(f"{one.worker_id} {one.link}")
    if made:
        output.say(
            f"Each link works once, until {made[0].valid_until:%Y-%m-%d %H:%M} UTC, and is not"
            " shown again; give it to its worker alone."
        )
        if urllib.parse.urlsplit(made[0].link).hostname in _THIS_MACHINE:
            output.say(
                "The links lead to this machine alone; for others, say by --public-url how they"
                " reach the server."
            )


@options.command(worker, "list")
@click.option("--group", "group_name", metavar="NAME", help="Those of this group alone.")
@options.server_database
@options.as_json
def list_workers(group_name: str | None, database: str | None, as_json: bool) -> None:
    """List the people of the server: account, last visit, and work.

    \b
    Example:
      turkbatch server worker list --group lab
    """
    from turkbatch import actions

    found = actions.list_server_workers(options.named_database(database), group=group_name)
    if as_json:
        output.document({"workers": [dataclasses.asdict(one) for one in found]})
    else:
        output.table(
            [[str(value) for value in dataclasses.astuple(one)] for one in found],
            header=("worker", "group", "origin", "state", "last seen", "open", "finished"),
            numbers=(5, 6),
        )


@options.command(worker, "disable")
@_ids
@_file
@options.server_database
def disable(ids: tuple[str, ...], file: Path | None, database: str | None) -> None:
    """Keep IDS out: sessions and links end, and what they have accepted is returned.

    \b
    Example:
      turkbatch server worker disable anna
    """
    from turkbatch import actions

    for one in actions.disable_server_workers(options.named_database(database), _some(ids, file)):
        output.say(f"{one} is disabled.")


@options.command(worker, "enable")
@_ids
@_file
@options.server_database
def enable(ids: tuple[str, ...], file: Path | None, database: str | None) -> None:
    """Let IDS in again, who were disabled, or locked after failed sign-ins.

    \b
    Example:
      turkbatch server worker enable anna
    """
    from turkbatch import actions

    for one in actions.enable_server_workers(options.named_database(database), _some(ids, file)):
        output.say(f"{one} can sign in again.")


@options.command(worker, "export")
@click.argument("worker_id", metavar="ID")
@click.option(
    "--output", "target", metavar="FILE", type=options.PATH, help="Where to; else it is printed."
)
@click.option(
    "--files", "files_dir", metavar="DIR", type=options.PATH, help="Write uploaded files there."
)
@options.server_database
def export(
    worker_id: str, target: Path | None, files_dir: Path | None, database: str | None
) -> None:
    """Give all that the server stores about the worker ID, as one JSON document.

    \b
    Example:
      turkbatch server worker export anna --output anna.json --files anna-files
    """
    from turkbatch import actions

    found = actions.export_server_worker(
        options.named_database(database), worker_id, files_dir=files_dir
    )
    if files_dir is not None:
        output.say(f"{len(found.files)} files are in {files_dir}.")
    if target is None:
        output.document(found.document)
    else:
        output.say(f"What is stored about {worker_id} is in {actions.write_export(found, target)}.")


@options.command(worker, "erase")
@_ids
@_file
@click.option(
    "--idle-days", type=click.IntRange(1), help="Those who have done nothing for so many days."
)
@click.option("--group", "group_name", metavar="NAME", help="With --idle-days: of this group.")
@options.yes
@options.server_database
@options.as_json
def erase(
    ids: tuple[str, ...],
    file: Path | None,
    idle_days: int | None,
    group_name: str | None,
    yes: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Erase the people IDS; their results stay, under pseudonyms that are printed this once.

    What they hold is returned. It can't be undone.

    \b
    Example:
      turkbatch server worker erase anna
      turkbatch server worker erase --idle-days 365 --yes
    """
    from turkbatch import actions

    named = options.named_database(database)
    wanted = _whom(named, ids, file, idle_days, group_name)
    if not wanted:
        output.say("There is nobody to erase.")
        return
    if not yes:
        who = wanted[0] if len(wanted) == 1 else f"these {len(wanted)} people"
        output.say("\n".join(wanted))
        output.agree(f"Erase {who} for good?", undone="nobody was erased")

    def erased(worker_id: str, pseudonym: str) -> None:
        # At once: whatever happens to the rest, this pseudonym is told nowhere else.
        if not as_json:
            output.data(f"{worker_id} {pseudonym}")

    done = actions.erase_server_workers(named, wanted, on_erased=erased)
    if as_json:
        output.document(dataclasses.asdict(done))
    output.say(ELSEWHERE)
    for place, rows in done.elsewhere.items():
        output.say(
            f"Warning: {rows} rows of {place} name one of them still, as requesters wrote it."
        )
    if not done.overwritten:
        output.say(
            "Warning: old contents could not be overwritten in the database's file yet; a server"
            " that runs does it later, or the next command of this kind."
        )


@options.command(group, "set")
@click.argument("name")
@click.option(
    "--consent", metavar="FILE", type=options.PATH, help="A text that people must agree to."
)
@click.option("--no-consent", is_flag=True, help="Ask for no agreement any more.")
@click.option(
    "--retention-days",
    type=click.IntRange(0, 36_500),
    help="Erase who did nothing for so many days; 0: nobody.",
)
@click.option(
    "--record-addresses/--no-record-addresses",
    default=None,
    help="Whether to store from which address and browser people come; not, unless it is said.",
)
@options.server_database
def set_group(
    name: str,
    consent: Path | None,
    no_consent: bool,
    retention_days: int | None,
    record_addresses: bool | None,
    database: str | None,
) -> None:
    """Make the group NAME, or change what holds for its people. What is not given stays.

    A changed consent text is a new version, to which everybody is asked to agree anew. It is
    shown as it is, with its line breaks.

    \b
    Example:
      turkbatch server group set lab --consent consent.md --retention-days 365
    """
    from turkbatch import actions, errors, files

    if no_consent and consent is not None:
        raise click.UsageError("give one of --consent and --no-consent")
    text = "" if no_consent else None
    if consent is not None:
        text = files.read_text(consent, errors.DataError)
        if not text.strip():
            raise click.UsageError(f"{consent} is empty; to ask for nothing, give --no-consent")
    made = actions.set_server_group(
        options.named_database(database),
        name,
        consent=text,
        retention_days=retention_days,
        records_addresses=record_addresses,
    )
    output.table(_facts(made))


@options.command(group, "list")
@options.server_database
@options.as_json
def list_groups(database: str | None, as_json: bool) -> None:
    """List the groups, and what holds for their people.

    \b
    Example:
      turkbatch server group list
    """
    from turkbatch import actions

    found = actions.list_server_groups(options.named_database(database))
    if as_json:
        output.document({"groups": [dataclasses.asdict(one) for one in found]})
    else:
        output.table(
            [[value for _, value in _facts(one)] for one in found],
            header=("group", "people", "consent", "kept for", "addresses"),
            numbers=(1,),
        )


@options.command(group, "show")
@click.argument("name")
@options.server_database
@options.as_json
def show_group(name: str, database: str | None, as_json: bool) -> None:
    """Show what holds for the people of the group NAME, and the text that they agree to.

    \b
    Example:
      turkbatch server group show lab
    """
    from turkbatch import actions

    found = actions.show_server_group(options.named_database(database), name)
    if as_json:
        output.document(dataclasses.asdict(found))
        return
    output.table(_facts(found))
    if found.consent is not None:
        output.data(found.consent)


def _facts(found: actions.ServerGroup) -> list[tuple[str, str]]:
    version, days = found.consent_version, found.retention_days
    return [
        ("group", found.name),
        ("people", str(found.people)),
        ("consent", "none" if version is None else f"version {version}"),
        ("kept for", "ever" if days is None else f"{days} days"),
        ("addresses", "recorded" if found.records_addresses else "not recorded"),
    ]


def _seconds(valid: str) -> int:
    from turkbatch.server import clock

    try:
        return int(clock.parse_shift(valid))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--valid") from error


def _wanted(ids: tuple[str, ...], file: Path | None) -> tuple[str, ...]:
    from turkbatch import actions

    return tuple(dict.fromkeys([*ids, *(actions.read_worker_ids(file) if file else ())]))


def _some(ids: tuple[str, ...], file: Path | None) -> tuple[str, ...]:
    wanted = _wanted(ids, file)
    if not wanted:
        raise click.UsageError("give IDS or --file")
    return wanted


def _whom(
    database: str,
    ids: tuple[str, ...],
    file: Path | None,
    idle_days: int | None,
    group_name: str | None,
) -> tuple[str, ...]:
    from turkbatch import actions

    if group_name is not None and idle_days is None:
        raise click.UsageError("--group goes with --idle-days")
    if idle_days is None:
        return _some(ids, file)
    if ids or file is not None:
        raise click.UsageError("give either IDS or --idle-days")
    return actions.idle_server_workers(database, idle_days, group=group_name)
