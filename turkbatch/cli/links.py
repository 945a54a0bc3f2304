"""``server link``: addresses for participants of recruiting platforms."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from turkbatch.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Callable

    from turkbatch import actions


@click.group("link", context_settings=options.CONTEXT)
def link() -> None:
    """Recruit participants from Prolific, Connect, SONA and others for HITs on your server."""


def _public_url(function: Callable[..., object]) -> Callable[..., object]:
    return click.option(
        "--public-url",
        metavar="URL",
        help="How participants reach the server.  [env: TURKBATCH_PUBLIC_URL; default: as server"
        " run was last told]",
    )(function)


@options.command(link, "add")
@click.argument("name")
@click.option(
    "--provider",
    type=click.Choice(["prolific", "connect", "sona", "generic"]),
    required=True,
    help="The platform; generic for any other.",
)
@click.option(
    "--batch", "batches", metavar="BATCH_DIR", type=options.PATH, multiple=True, help="Its HITs."
)
@click.option("--hit-type", "hit_types", metavar="ID", multiple=True, help="All HITs of a type.")
@click.option("--hit", "hits", metavar="ID", multiple=True, help="One HIT.")
@click.option("--group", metavar="NAME", help="Of the participants.  [default: NAME]")
@click.option(
    "--hits",
    "hits_each",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="HITs of each participant, at most.",
)
@click.option("--places", type=click.IntRange(1), help="Participants at work or done, at most.")
@click.option(
    "--max-minutes",
    type=click.IntRange(1, 60 * 24 * 60),
    default=60,
    show_default=True,
    help="How long a place is kept; the platform's maximum time and a little more.",
)
@click.option("--code", help="For who is done.  [default: a new one, likewise below]")
@click.option("--screened-out-code", metavar="CODE", help="For who can't do the HITs.")
@click.option("--full-code", metavar="CODE", help="For who finds no place or HIT.")
@click.option("--no-consent-code", metavar="CODE", help="For who does not agree.")
@click.option(
    "--return-url",
    metavar="TEMPLATE",
    help="Where participants go back, with {participant}, {study}, {session}, {code} and kept"
    " parameters in it.  [default: the platform's]",
)
@click.option("--id-parameter", metavar="NAME", help="Which holds the participant's id.")
@click.option("--study-parameter", metavar="NAME", help="Which holds the study's id.")
@click.option("--session-parameter", metavar="NAME", help="Which holds the session's id.")
@click.option("--keep", metavar="PARAM", multiple=True, help="Keep this parameter, too.")
@click.option(
    "--verify",
    type=click.Choice(["none", "api", "token"]),
    default="none",
    show_default=True,
    help="What proves the ids: the platform's API, or Prolific's signed token.",
)
@click.option(
    "--unreachable",
    type=click.Choice(["refuse", "admit"]),
    default="refuse",
    show_default=True,
    help="What to do with participants while the platform can't be asked.",
)
@click.option("--repeat", is_flag=True, help="Each session of a person is a visit of its own.")
@click.option("--api-token-file", metavar="FILE", type=options.PATH, help="Holds the API's token.")
@click.option("--provider-url", metavar="URL", help="Where the platform's API is, if elsewhere.")
@click.option("--study", metavar="ID", default="", help="The platform's study, for link sync.")
@click.option("--credit-url", metavar="URL", help="SONA's completion URL of the study.")
@_public_url
@options.server_database
@options.as_json
def add(
    name: str,
    provider: Literal["prolific", "connect", "sona", "generic"],
    batches: tuple[Path, ...],
    hit_types: tuple[str, ...],
    hits: tuple[str, ...],
    group: str | None,
    hits_each: int,
    places: int | None,
    max_minutes: int,
    code: str | None,
    screened_out_code: str | None,
    full_code: str | None,
    no_consent_code: str | None,
    return_url: str | None,
    id_parameter: str | None,
    study_parameter: str | None,
    session_parameter: str | None,
    keep: tuple[str, ...],
    verify: Literal["none", "api", "token"],
    unreachable: str,
    repeat: bool,
    api_token_file: Path | None,
    provider_url: str | None,
    study: str,
    credit_url: str | None,
    public_url: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make the link NAME, print the address for the platform, and say what to set there.

    Participants arrive by it with their id, become workers of the link's group, do its HITs,
    and are sent back with the code for how it ended.

    \b
    Example:
      turkbatch server link add colours --provider prolific --batch batch-colours \\
        --hits 5 --places 20 --public-url https://work.example.org
    """
    from turkbatch import actions

    made = actions.add_server_link(
        options.named_database(database),
        name,
        provider,
        batches=batches,
        hit_ids=hits,
        hit_type_ids=hit_types,
        group=group,
        hits_each=hits_each,
        places=places,
        max_minutes=max_minutes,
        codes={
            "completed": code,
            "screened_out": screened_out_code,
            "full": full_code,
            "no_consent": no_consent_code,
        },
        participant_parameter=id_parameter,
        study_parameter=study_parameter,
        session_parameter=session_parameter,
        keep=keep,
        return_url=return_url,
        verify=verify,
        admit_unproven=unreachable == "admit",
        repeat=repeat,
        api_token_file=api_token_file,
        provider_url=provider_url,
        study_id=study,
        credit_url=credit_url,
        public_url=public_url,
    )
    _tell(made, as_json)


@options.command(link, "list")
@_public_url
@options.server_database
@options.as_json
def list_all(public_url: str | None, database: str | None, as_json: bool) -> None:
    """List the links, and how many places are taken.

    \b
    Example:
      turkbatch server link list
    """
    from turkbatch import actions

    found = actions.list_server_links(options.named_database(database), public_url=public_url)
    if as_json:
        output.document({"links": [dataclasses.asdict(one) for one in found]})
        return
    output.table(
        [
            [
                one.name,
                one.provider,
                "open" if one.is_open else "closed",
                f"{one.taken} of {one.places}" if one.places else str(one.taken),
                one.verify,
                one.address,
            ]
            for one in found
        ],
        header=("link", "platform", "state", "places", "verified by", "address"),
    )


@options.command(link, "show")
@click.argument("name")
@_public_url
@options.server_database
@options.as_json
def show(name: str, public_url: str | None, database: str | None, as_json: bool) -> None:
    """Print the address of the link NAME again, and say again what to set on the platform.

    \b
    Example:
      turkbatch server link show colours
    """
    from turkbatch import actions

    found = actions.show_server_link(options.named_database(database), name, public_url=public_url)
    _tell(found, as_json)


@options.command(link, "close")
@click.argument("name")
@options.server_database
def close(name: str, database: str | None) -> None:
    """Let nobody new in by the link NAME; those at work finish.

    \b
    Example:
      turkbatch server link close colours
    """
    from turkbatch import actions

    found = actions.open_server_link(options.named_database(database), name, is_open=False)
    output.say(f"{found.name} is closed; who comes now is told that there is no place.")


@options.command(link, "open")
@click.argument("name")
@options.server_database
def reopen(name: str, database: str | None) -> None:
    """Let participants in by the link NAME again.

    \b
    Example:
      turkbatch server link open colours
    """
    from turkbatch import actions

    found = actions.open_server_link(options.named_database(database), name)
    output.say(f"{found.name} is open.")


@options.command(link, "release")
@click.argument("name")
@click.argument("participant")
@options.server_database
def release(name: str, participant: str, database: str | None) -> None:
    """Take the place and the HIT of PARTICIPANT back, who will not finish.

    \b
    Example:
      turkbatch server link release colours 60d9aadeb86739de712faee0
    """
    from turkbatch import actions

    actions.release_participant(options.named_database(database), name, participant)
    output.say(f"{participant}'s place is free again; what was handed in is kept.")


@options.command(link, "sync")
@click.argument("name")
@options.server_database
@options.as_json
def sync(name: str, database: str | None, as_json: bool) -> None:
    """Ask the platform who has gone, and give their places back.

    It needs the link's API token. The running server asks by itself, at most every half
    minute, when a place or a HIT is missing. For SONA it asks again for credit that was not
    granted.

    \b
    Example:
      turkbatch server link sync colours
    """
    from turkbatch import actions

    found = actions.sync_server_link(options.named_database(database), name)
    if as_json:
        output.document(dataclasses.asdict(found))
    output.say(
        f"{found.submissions} submissions on the platform; {len(found.ended)} places came back"
        + (f": {', '.join(found.ended)}." if found.ended else ".")
    )
    if found.credited:
        output.say(f"Credit was granted to {found.credited} participants.")


@options.command(link, "report")
@click.argument("name")
@click.option("--csv", "csv_file", metavar="FILE", type=options.PATH, help="Write it to FILE.")
@click.option(
    "--platform",
    "platform_file",
    metavar="FILE",
    type=options.PATH,
    help="Take over the CSV that the platform exported first, as link sync does.",
)
@click.option(
    "--approvals",
    metavar="FILE",
    type=options.PATH,
    help="Write who is done and approved to FILE, for the platform; each once.",
)
@click.option(
    "--bonuses",
    metavar="FILE",
    type=options.PATH,
    help="Write bonuses granted here to FILE, for the platform; each once.",
)
@click.option("--with-rewards", is_flag=True, help="Pay rewards of approved work by it as well.")
@click.option(
    "--again",
    metavar="FILE_ID",
    help="Write the file of this number once more, to --approvals or --bonuses.",
)
@options.server_database
@options.as_json
def report(
    name: str,
    csv_file: Path | None,
    platform_file: Path | None,
    approvals: Path | None,
    bonuses: Path | None,
    with_rewards: bool,
    again: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Tell who came by the link NAME, what they finished and are owed, and what does not fit.

    What is written to a file for the platform is written once; what is new goes into the next
    file. A lost file is written again by its number, which the report lists.

    \b
    Example:
      turkbatch server link report colours --approvals approve.txt --bonuses bonuses.csv
    """
    from turkbatch import actions

    if again is not None and (approvals is None) == (bonuses is None):
        raise click.UsageError("--again writes one file: give one of --approvals and --bonuses")
    if with_rewards and bonuses is None:
        raise click.UsageError("--with-rewards goes with --bonuses FILE")
    named = options.named_database(database)
    # Before the files, which leave out whom the platform has decided on.
    actions.report_server_link(named, name, platform_file=platform_file)
    if again is not None:
        target = approvals or bonuses
        assert target is not None, "one of them is given"
        _tell_file(actions.write_payments_again(named, name, again, target), target)
    elif approvals is not None:
        _tell_file(actions.write_approvals(named, name, approvals), approvals)
    if again is None and bonuses is not None:
        paid = actions.write_bonuses(named, name, bonuses, with_rewards=with_rewards)
        _tell_file(paid, bonuses)
    found = actions.report_server_link(named, name)
    if csv_file is not None:
        path = actions.write_link_report(found, csv_file)
        output.say(f"{len(found.lines)} visits are in {path}.")
    if as_json:
        output.document(found.as_json())
    elif csv_file is None:
        _show(found)


def _tell(made: actions.ServerLink, as_json: bool) -> None:
    if as_json:
        output.document(dataclasses.asdict(made))
    else:
        output.data(made.address)
    for step in made.steps:
        output.say(step)
    for warning in made.warnings:
        output.say(f"Warning: {warning}")


def _tell_file(written: actions.PaymentFile | None, target: Path) -> None:
    if written is None:
        output.say(f"There is nothing new; {target} was not written.")
        return
    output.say(
        f"{target}: {written.lines} lines, {written.amount:.2f} USD, file {written.file_id} "
        f"({written.kind}). It is not written again but by --again {written.file_id}."
    )


def _show(found: actions.LinkReport) -> None:
    output.table(
        [
            [
                one.participant,
                one.state,
                one.verified,
                *map(str, (one.done, one.waiting, one.approved, one.rejected)),
                *(f"{value:.2f}" for value in (one.rewards, one.bonuses)),
                one.platform,
                "; ".join(one.notes),
            ]
            for one in found.lines
        ],
        header=(
            "participant",
            "state",
            "verified by",
            "done",
            "waiting",
            "approved",
            "rejected",
            "rewards",
            "bonuses",
            "platform",
            "notes",
        ),
        numbers=range(3, 9),
    )
    for one in found.never_came:
        output.say(
            f"{one['participant']} ({one['session']}) is {one['status']} on the platform and never "
            "came here."
        )
    for file in found.files:
        output.say(
            f"File {file.file_id} ({file.kind}): {file.lines} lines, {file.amount:.2f} USD,"
            f" {file.written}."
        )
    owed = sum((one.bonuses_to_write for one in found.lines), Decimal())
    if owed:
        output.say(f"Bonuses of {owed:.2f} USD are in no file yet; --bonuses FILE writes them.")
    if found.link.verify == "none" and found.lines:
        output.say("Nothing proves the participants' ids: they were taken from addresses.")
