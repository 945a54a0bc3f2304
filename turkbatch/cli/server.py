"""``server run`` and the other commands of a server of one's own."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from turkbatch.cli import links, options, output, people

if TYPE_CHECKING:
    from turkbatch import actions

commands = click.Group("servers")


@commands.group("server", context_settings=options.CONTEXT)
def server() -> None:
    """Run MTurk's API on a server of your own, with simulated workers or real ones."""


server.add_command(people.worker)
server.add_command(people.group)
server.add_command(links.link)
_database, _named = options.server_database, options.named_database


@options.command(server, "run")
@_database
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="An address of this machine; any but loopback ones require keys.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any."
)
@click.option(
    "--fault",
    "faults",
    metavar="SPEC",
    multiple=True,
    help="Let something go wrong, such as CreateHITWithHITType:throttle@3 or latency=0.05.",
)
@click.option(
    "--require-keys",
    is_flag=True,
    help="Require requesters' keys on loopback, too: behind a proxy that others reach.",
)
@click.option(
    "--known-workers-only",
    is_flag=True,
    help="Refuse ids of workers who were never here; any id of a worker's form is one otherwise.",
)
@click.option(
    "--fees",
    type=click.Choice(["mturk", "none"]),
    default="mturk",
    show_default=True,
    help="Which fees HITs made from now on cost; your own crowd costs none.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that serve; one for each processor at most is of use.",
)
@click.option(
    "--public-url",
    metavar="URL",
    help="How others reach the server, if not by host and port, such as https://work.example.org.",
)
@click.option(
    "--tasks-url",
    metavar="URL",
    help="How others reach the port of task pages: by another host than the site's.",
)
@click.option(
    "--tasks-port",
    type=click.IntRange(0, 65535),
    help="The port of task pages; 0: any.  [default: the one after --port]",
)
@click.option(
    "--trusted-proxy",
    metavar="ADDRESS",
    help="The proxy's address, such as 127.0.0.1: it is believed who asks, and nobody else.",
)
@click.option(
    "--sign-ins-per-minute",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="From one address, where people need accounts; others wait.",
)
@click.option(
    "--crowd-elements",
    type=click.Choice(["local", "cdn"]),
    default="local",
    show_default=True,
    help="Where task pages get Crowd HTML Elements from: this server, or AWS as they say.",
)
def run(
    database: str | None,
    host: str,
    port: int,
    faults: tuple[str, ...],
    require_keys: bool,
    known_workers_only: bool,
    fees: Literal["mturk", "none"],
    processes: int,
    public_url: str | None,
    tasks_url: str | None,
    tasks_port: int | None,
    trusted_proxy: str | None,
    sign_ins_per_minute: int,
    crowd_elements: Literal["local", "cdn"],
) -> None:
    """Serve MTurk's API and a worker site until Ctrl-C, and print the address.

    Any program on boto3 can use it: give the address as endpoint_url, or in
    AWS_ENDPOINT_URL_MTURK. It shares its database with --local. In a browser the address is
    the worker site; on this machine alone one signs in as any worker. Where others can reach
    it, requests must be signed with a key from `server key add`, and people need accounts from
    `server worker add`; put a proxy that speaks HTTPS before it and have it pass on the Host
    header.

    \b
    Example:
      turkbatch server run --port 8765
      export AWS_ENDPOINT_URL_MTURK=http://127.0.0.1:8765
      turkbatch server run --require-keys --public-url https://work.example.org \
        --tasks-url https://tasks.example.net --trusted-proxy 127.0.0.1
    """
    from turkbatch import actions

    def ready(url: str) -> None:
        output.data(url)
        output.say(f"MTurk's API is at {url}; Ctrl-C ends it.")

    actions.run_server(
        _named(database),
        host=host,
        port=port,
        faults=faults,
        require_keys=require_keys,
        known_workers_only=known_workers_only,
        fees=fees,
        processes=processes,
        public_url=public_url,
        tasks_url=tasks_url,
        tasks_port=tasks_port,
        trusted_proxy=trusted_proxy,
        sign_ins_per_minute=sign_ins_per_minute,
        crowd_elements=crowd_elements,
        on_ready=ready,
    )


@server.group("key", context_settings=options.CONTEXT)
def key() -> None:
    """Say who may ask a server that others can reach."""


@options.command(key, "add")
@click.argument("name")
@_database
@options.as_json
def add_key(name: str, database: str | None, as_json: bool) -> None:
    """Make a key for the requester NAME, and print access key and secret, this once.

    Several keys of one NAME are one requester, who sees only what is its own. The requester
    "default" has what was made without a key on a loopback address, and with --local.

    \b
    Example:
      turkbatch server key add lab-a >> ~/.aws/credentials
    """
    from turkbatch import actions

    made = actions.add_server_key(_named(database), name)
    if as_json:
        output.document(dataclasses.asdict(made))
    else:
        output.data(
            f"[{made.requester}]\n"
            f"aws_access_key_id = {made.access_key}\n"
            f"aws_secret_access_key = {made.secret}"
        )
    output.say(f"The secret is not shown again; give it to {made.requester} alone.")


@options.command(key, "list")
@_database
@options.as_json
def list_keys(database: str | None, as_json: bool) -> None:
    """List the keys, without their secrets.

    \b
    Example:
      turkbatch server key list
    """
    from turkbatch import actions

    found = actions.list_server_keys(_named(database))
    lines = [
        {
            "requester": one.requester,
            "access_key": one.access_key,
            "created": one.created.isoformat(timespec="seconds"),
        }
        for one in found
    ]
    if as_json:
        output.document({"keys": lines})
    else:
        output.table(
            [list(line.values()) for line in lines], header=("requester", "access key", "created")
        )


@options.command(key, "remove")
@click.argument("name")
@_database
def remove_key(name: str, database: str | None) -> None:
    """Remove all keys of the requester NAME, or the one access key NAME.

    What the requester has stays, and so do the other keys.

    \b
    Example:
      turkbatch server key remove lab-a
    """
    from turkbatch import actions

    for one in actions.remove_server_key(_named(database), name):
        output.say(f"{one.access_key} of {one.requester} is removed.")


@options.command(server, "work")
@click.argument("batch_dir", type=options.PATH, required=False)
@_database
@click.option("--workers", type=click.IntRange(1), default=10, show_default=True)
@click.option("--assignments", type=click.IntRange(1), help="Most assignments of each HIT.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same answers.")
@click.option(
    "--accuracy",
    type=click.FloatRange(0, 1),
    help="How often workers agree on an option.  [default: each chooses by chance]",
)
@options.spam
@options.speed
def work(
    batch_dir: Path | None,
    database: str | None,
    workers: int,
    assignments: int | None,
    seed: int,
    accuracy: float | None,
    spam: float,
    speed: float,
) -> None:
    """Have simulated workers answer the forms of BATCH_DIR's HITs, or of all open ones.

    They read the fields of the page that they are shown, and submit plausible values.

    \b
    Example:
      turkbatch server work batch-* --workers 5 --seed 1
      turkbatch server work batch-* --accuracy 0.9 --spam 0.2
    """
    from turkbatch import actions

    with output.Bar() as bar:
        done = actions.work_batch(
            _named(database),
            batch_dir,
            workers=workers,
            assignments=assignments,
            seed=seed,
            accuracy=accuracy,
            spam=spam,
            speed=speed,
            progress=bar,
        )
    for name in done.unfilled:
        output.say(f"Warning: nothing that the page would take was found for the field {name}.")
    if done.without_form:
        output.say(f"Warning: {len(done.without_form)} HITs ask for nothing that can be filled in.")
    if done.spammers:
        output.say(f"Workers who answered by chance: {', '.join(done.spammers)}.")
    output.say(f"{done.submitted} assignments submitted; {done.left} can still be accepted.")


@options.command(server, "clock")
@click.argument("shift", required=False)
@_database
def clock(shift: str | None, database: str | None) -> None:
    """Tell the server's time, or move it forward by SHIFT: +2d, "+1h 30m", +90s.

    What comes due on the way happens: expiry, auto-approval, abandonment.

    \b
    Example:
      turkbatch server clock +2d
    """
    from turkbatch import actions
    from turkbatch.server import clock as clocks

    seconds = 0.0
    if shift is not None:
        try:
            seconds = clocks.parse_shift(shift)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="SHIFT") from error
    told = actions.move_clock(_named(database), seconds)
    output.data(told.now.isoformat(timespec="seconds"))
    output.say(f"The server's clock is {told.ahead_seconds:,.0f} seconds ahead.")


@options.command(server, "reset")
@_database
def reset(database: str | None) -> None:
    """Empty the server: no HITs, no work, the clock as it is. A copy is saved first.

    \b
    Example:
      turkbatch server reset
    """
    from turkbatch import actions

    named = _named(database)
    backup = actions.reset_server(named)
    output.say(f"{named} is empty now; what it held is in {backup}.")


@options.command(server, "backup")
@click.argument("file", type=options.PATH)
@_database
def backup(file: Path, database: str | None) -> None:
    """Copy the server's database into FILE, while it runs.

    FILE is an SQLite database, whatever the server's is, and holds the requesters' keys: only
    you can read it.

    \b
    Example:
      turkbatch server backup mturk-2026-11-22.db
    """
    from turkbatch import actions

    output.data(str(actions.backup_server(_named(database), file)))


@options.command(server, "restore")
@click.argument("file", type=options.PATH)
@_database
def restore(file: Path, database: str | None) -> None:
    """Replace all that is on the server by the backup in FILE. A copy is saved first.

    The database may be of another kind than the one that was copied: so a server moves from
    SQLite to PostgreSQL.

    \b
    Example:
      turkbatch server restore mturk-2026-11-22.db --database postgresql://me@localhost/mturk
    """
    from turkbatch import actions

    named = _named(database)
    replaced = actions.restore_server(named, file)
    output.say(f"The server holds what {file} holds; what it held before is in {replaced}.")


_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@options.command(server, "ledger")
@_database
@click.option("--since", type=_DATE, help="Count what was approved or granted from then on.")
@click.option("--until", type=_DATE, help="Count what was approved or granted before then.")
@click.option("--csv", "csv_file", metavar="FILE", type=options.PATH, help="Write workers to FILE.")
@options.as_json
def ledger(
    database: str | None,
    since: datetime | None,
    until: datetime | None,
    csv_file: Path | None,
    as_json: bool,
) -> None:
    """Tell who is owed what: rewards of approved work, and bonuses, for each worker.

    On a server of your own the paying is done elsewhere. Balances are of all time.

    \b
    Example:
      turkbatch server ledger --since 2026-11-01 --until 2026-12-01 --csv november.csv
    """
    from turkbatch import actions

    found = actions.server_ledger(_named(database), since=since, until=until)
    if csv_file is not None:
        output.say(f"{len(found.workers)} workers are in {actions.write_ledger(found, csv_file)}.")
    if as_json:
        output.document(found.as_json())
    elif csv_file is None:
        output.table(
            [_cells(line) for line in found.workers],
            header=("requester", "worker", "assignments", "rewards", "bonuses", "total", "fees"),
            numbers=range(2, 7),
        )
        output.table(
            [_cells(line) for line in found.accounts],
            header=("requester", "available", "held", "paid", "fees", "deposited"),
            numbers=range(1, 6),
        )


def _cells(line: actions.OwedLine | actions.AccountLine) -> list[str]:
    return [
        f"{value:.2f}" if isinstance(value, Decimal) else str(value)
        for value in dataclasses.astuple(line)
    ]
