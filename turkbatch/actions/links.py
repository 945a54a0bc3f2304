"""``server link``: addresses that recruiting platforms send their participants to.

A link is made for HITs of our own server, and its report tells who came, what they did, and
what the platform is to pay, with files that the platform takes.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from turkbatch import connect, errors, files
from turkbatch.actions import people, pinned
from turkbatch.batch import directory

if TYPE_CHECKING:
    from turkbatch.server import link_reports, recruiting, service
    from turkbatch.server import links as visits

MAX_MINUTES = 60
Provider = Literal["prolific", "connect", "sona", "generic"]
REPORT_COLUMNS = (
    "Participant",
    "Session",
    "Study",
    "WorkerId",
    "Verified",
    "State",
    "Arrived",
    "Ended",
    "Done",
    "Waiting",
    "Approved",
    "Rejected",
    "Late",
    "Rewards",
    "Bonuses",
    "BonusesToWrite",
    "ApprovalFile",
    "Platform",
    "Notes",
    "Kept",
)
"""Of the file that :func:`write_link_report` writes, amounts in USD, ``Kept`` as JSON."""

_MEANINGS: Mapping[str, str] = {
    "completed": "did what the link asked for",
    "screened_out": "does not meet what the HITs require",
    "full": "found no place, or no HIT",
    "no_consent": "did not agree to the group's text",
}


@dataclasses.dataclass(frozen=True)
class ServerLink:
    """A recruiting link of our own server.

    Parameters
    ----------
    name, link_id : str
        What the requester calls it, and what its address has.
    provider, group : str
        The platform, and whose people its participants become.
    address : str
        To be given to the platform.
    is_open : bool
        Whether new participants are let in.
    places : int or None
        How many participants can be at work or done; None: any number.
    taken : int
        How many are.
    hits_each : int
        HITs of each participant, at most.
    max_minutes : int
        How long a place is kept.
    verify : str
        By what ids are proven: none, api or token.
    codes : Mapping
        By outcome.
    return_url : str
        Where participants go back.
    hits, hit_types : int
        How many of each the link leads to.
    steps : tuple of str
        What to set on the platform, one sentence each.
    warnings : tuple of str
        What will not go as it may be hoped.
    """

    name: str
    link_id: str
    provider: str
    group: str
    address: str
    is_open: bool
    places: int | None
    taken: int
    hits_each: int
    max_minutes: int
    verify: str
    codes: Mapping[str, str]
    return_url: str
    hits: int
    hit_types: int
    steps: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class SyncedLink:
    """What a look at the platform's submissions brought.

    Parameters
    ----------
    submissions : int
        How many it has.
    ended : tuple of str
        Participants whose places came back.
    credited : int
        Participants for whom credit was granted now.
    """

    submissions: int
    ended: tuple[str, ...]
    credited: int


@dataclasses.dataclass(frozen=True)
class LinkLine:
    """One visit in a report; times in UTC, amounts in USD.

    Parameters
    ----------
    participant, session, study, worker_id : str
        Who, as the platform and we call them.
    verified : str
        What proves it: nothing, api or token.
    state : str
        Where the visit is, or how it ended.
    arrived, ended : str
        ISO 8601; ``ended`` is empty while it has not.
    done, waiting, approved, rejected : int
        Assignments handed in, and what was decided about them.
    late : int
        Answers that came when the place was another's.
    rewards, bonuses, bonuses_to_write : Decimal
        For approved work; granted; and those that are in no file yet.
    approval_file : str
        Number of the file that has the approval.
    platform : str
        What the platform last said.
    notes : tuple of str
        What does not fit together.
    kept : Mapping
        Further parameters of the address that the link keeps.
    """

    participant: str
    session: str
    study: str
    worker_id: str
    verified: str
    state: str
    arrived: str
    ended: str
    done: int
    waiting: int
    approved: int
    rejected: int
    late: int
    rewards: Decimal
    bonuses: Decimal
    bonuses_to_write: Decimal
    approval_file: str
    platform: str
    notes: tuple[str, ...]
    kept: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class PaymentFile:
    """A file to pay by.

    Parameters
    ----------
    file_id : str
        Its number, by which it can be written again.
    kind : str
        ``approval`` or ``bonus``.
    lines : int
        How many.
    amount : Decimal
        All of it, in USD.
    written : str
        When, ISO 8601.
    """

    file_id: str
    kind: str
    lines: int
    amount: Decimal
    written: str


@dataclasses.dataclass(frozen=True)
class LinkReport:
    """Who came by a link, and what came of it.

    Parameters
    ----------
    link : ServerLink
        Which.
    lines : tuple of LinkLine
        In the order of arrival.
    never_came : tuple of dict
        What the platform has, and nobody came with: ``session``, ``participant``,
        ``status`` and ``code``.
    late_answers : tuple of dict
        ``participant``, ``hit_id``, ``assignment_id``, ``at`` and ``answer`` of each.
    files : tuple of PaymentFile
        Written for it so far.
    """

    link: ServerLink
    lines: tuple[LinkLine, ...]
    never_came: tuple[Mapping[str, str], ...]
    late_answers: tuple[Mapping[str, str], ...]
    files: tuple[PaymentFile, ...]

    def as_json(self) -> dict[str, object]:
        """Give it as one JSON object, with amounts as strings."""
        return {
            "link": self.link.name,
            "participants": [_shown(line) for line in self.lines],
            "never_came": list(self.never_came),
            "late_answers": list(self.late_answers),
            "files": [_shown(one) for one in self.files],
        }


@contextlib.contextmanager
def _opened(database: str) -> Iterator[service.Service]:
    """Open our own server; raise our errors in place of the server's own."""
    from turkbatch.server import groups, link_reports, provider_calls, recruiting, store

    try:
        served = connect.open_service(database)
        with served.store:
            yield served
    except (recruiting.LinkError, groups.GroupError, link_reports.PayoutError) as error:
        raise errors.RefusedError(str(error)) from error
    except provider_calls.Unreachable as error:
        raise errors.UnreachableError(f"{error}; nothing was changed") from error
    except store.StoreError as error:
        raise errors.ServiceError(str(error)) from error


def add_server_link(
    database: str,
    name: str,
    provider: Provider,
    *,
    batches: Sequence[pinned.PathLike] = (),
    hit_ids: Sequence[str] = (),
    hit_type_ids: Sequence[str] = (),
    group: str | None = None,
    hits_each: int = 1,
    places: int | None = None,
    max_minutes: int = MAX_MINUTES,
    codes: Mapping[str, str | None] | None = None,
    participant_parameter: str | None = None,
    study_parameter: str | None = None,
    session_parameter: str | None = None,
    keep: Sequence[str] = (),
    return_url: str | None = None,
    verify: Literal["none", "api", "token"] = "none",
    admit_unproven: bool = False,
    repeat: bool = False,
    api_token_file: pinned.PathLike | None = None,
    provider_url: str | None = None,
    study_id: str = "",
    credit_url: str | None = None,
    public_url: str | None = None,
) -> ServerLink:
    """Make a link that leads a platform's participants to HITs of our own server.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        What to call it.
    provider : {"prolific", "connect", "sona", "generic"}
        The platform.
    batches : sequence of path
        Whose HITs it leads to: all that each has by now.
    hit_ids, hit_type_ids : sequence of str
        Further HITs, and types, of which those that are made later count, too.
    group : str, optional
        Of its participants; called like the link, if not given.
    hits_each : int
        HITs of each participant, at most.
    places : int, optional
        How many participants can be at work or done.
    max_minutes : int
        How long a place is kept for a participant at work.
    codes : Mapping, optional
        By outcome; made, where left out and the platform takes them.
    participant_parameter, study_parameter, session_parameter : str, optional
        In which parameters of the address the ids arrive.
    keep : sequence of str
        Further parameters to keep.
    return_url : str, optional
        Where participants go back, with ``{participant}``, ``{study}``, ``{session}``,
        ``{code}`` and kept parameters in it.
    verify : {"none", "api", "token"}
        By what ids are proven.
    admit_unproven : bool
        Whether to let participants in while the platform can't be asked.
    repeat : bool
        Whether each session of a person is a visit of its own.
    api_token_file : path, optional
        Holds the token of the platform's API.
    provider_url : str, optional
        Where the platform's API is.
    study_id : str
        Of the platform's study, if participants don't bring it along.
    credit_url : str, optional
        SONA's completion URL of the study.
    public_url : str, optional
        Where participants reach the server.

    Returns
    -------
    ServerLink

    Raises
    ------
    RefusedError
        If the settings contradict each other, or the server has no such HITs.
    InputError
        If the file of the token can't be read.
    """
    from turkbatch.server import recruiting

    token = None if api_token_file is None else _token(Path(api_token_file))
    work = [recruiting.Work("hit_type", one) for one in hit_type_ids]
    work += [recruiting.Work("hit", one) for one in hit_ids]
    for one in batches:
        work += [recruiting.Work("hit", hit) for hit in directory.open_batch(Path(one)).hit_ids()]
    with _opened(database) as served:
        settings = recruiting.settings_for(
            provider,
            codes=codes,
            participant_parameter=participant_parameter,
            study_parameter=study_parameter,
            session_parameter=session_parameter,
            return_url=return_url,
            api_url=provider_url,
            credit_url=credit_url,
            keep=tuple(keep),
            verify=verify,
            admit_unproven=admit_unproven,
            once=not repeat,
            api_token=token,
            study_id=study_id,
        )
        # The token lies in it from now on.
        served.store.make_private()
        made = recruiting.add(
            served,
            name,
            provider,
            settings,
            work=work,
            group=group,
            hits_each=hits_each,
            places=places,
            lease_seconds=max_minutes * 60,
        )
        return _shown_link(served, made, public_url)


def list_server_links(database: str, *, public_url: str | None = None) -> tuple[ServerLink, ...]:
    """List the links of our own server.

    Parameters
    ----------
    database : str
        The server's database.
    public_url : str, optional
        Where participants reach the server.

    Returns
    -------
    tuple of ServerLink
        By name.
    """
    from turkbatch.server import recruiting

    with _opened(database) as served:
        found = recruiting.listed(served)
        return tuple(_shown_link(served, one, public_url) for one in found)


def show_server_link(database: str, name: str, *, public_url: str | None = None) -> ServerLink:
    """Look up a link of our own server.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The link.
    public_url : str, optional
        Where participants reach the server.

    Returns
    -------
    ServerLink

    Raises
    ------
    RefusedError
        If there is none.
    """
    from turkbatch.server import recruiting

    with _opened(database) as served:
        return _shown_link(served, recruiting.find(served, name), public_url)


def open_server_link(database: str, name: str, *, is_open: bool = True) -> ServerLink:
    """Let new participants in by a link, or no more; those at work finish.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The link.
    is_open : bool
        Which.

    Returns
    -------
    ServerLink
        As it is now.

    Raises
    ------
    RefusedError
        If there is none.
    """
    from turkbatch.server import recruiting

    with _opened(database) as served:
        return _shown_link(served, recruiting.set_open(served, name, is_open), None)


def release_participant(database: str, name: str, participant: str) -> int:
    """Take back the place and the HIT of a participant who will not finish.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The link.
    participant : str
        As the platform calls them.

    Returns
    -------
    int
        How many visits were ended.

    Raises
    ------
    RefusedError
        If there is no such link, or the participant is not at work.
    """
    from turkbatch.server import links, providers, recruiting

    with _opened(database) as served:
        link = recruiting.find(served, name)
        ended = links.release(served, link.link_id, providers.normal(link.provider, participant))
    if not ended:
        raise errors.RefusedError(
            f"{name}: the participant {participant} is not at work; "
            f"`turkbatch server link report {name}` lists who is"
        )
    return len(ended)


def sync_server_link(database: str, name: str) -> SyncedLink:
    """Ask the platform what became of a link's submissions; places of those who went come back.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        A link with an API token, or with SONA's address for credit.

    Returns
    -------
    SyncedLink

    Raises
    ------
    RefusedError
        If there is no such link, or it has no means to ask.
    UnreachableError
        If the platform does not answer.
    """
    from turkbatch.server import recruiting, submissions

    with _opened(database) as served:
        link = recruiting.find(served, name)
        if not (submissions.studies_with_token(link) or link.settings.credit_url):
            raise errors.RefusedError(
                f"{name}: there is no API token to ask {link.provider.title} with; "
                "`server link report --platform FILE` takes what it exports instead"
            )
        found = submissions.sync(served, link)
    ended = tuple(one.participant_id for one in found.ended)
    return SyncedLink(len(found.submissions), ended, found.credited)


def report_server_link(
    database: str,
    name: str,
    *,
    platform_file: pinned.PathLike | None = None,
    public_url: str | None = None,
) -> LinkReport:
    """Match who came by a link, finished and is owed what, and what the platform says.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The link.
    platform_file : path, optional
        A CSV that the platform exported: taken over first, as :func:`sync_server_link` does.
    public_url : str, optional
        Where participants reach the server.

    Returns
    -------
    LinkReport

    Raises
    ------
    RefusedError
        If there is no such link.
    DataError
        If the file can't be read, or lacks a column.
    """
    from turkbatch.server import link_reports, links, recruiting

    with _opened(database) as served:
        link = recruiting.find(served, name)
        if platform_file is not None:
            told = _read_platform(Path(platform_file), link)
            links.reconcile(served, link, told, proves=False)
        found = link_reports.report(served, link)
        return _shown_report(found, _shown_link(served, link, public_url))


def write_link_report(report: LinkReport, target: pinned.PathLike) -> Path:
    """Write a report into a CSV file, one visit a line.

    Parameters
    ----------
    report : LinkReport
        From :func:`report_server_link`.
    target : path
        Replaced, if it exists.

    Returns
    -------
    Path
        The same.
    """
    path = Path(target)
    with files.replacing(path) as file:
        writer = csv.writer(file)
        writer.writerow(REPORT_COLUMNS)
        for line in report.lines:
            kept = json.dumps(line.kept, ensure_ascii=False) if line.kept else ""
            cells = dataclasses.asdict(line) | {"notes": "; ".join(line.notes), "kept": kept}
            writer.writerow(cells.values())
    return path


def write_approvals(database: str, name: str, target: pinned.PathLike) -> PaymentFile | None:
    """Write who is done and approved into a file that the platform takes, each once.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The link.
    target : path
        A file that does not exist.

    Returns
    -------
    PaymentFile or None
        None if there is nobody new; no file is written then.

    Raises
    ------
    RefusedError
        If there is no such link, or something is at the path.
    """
    from turkbatch.server import link_reports

    return _write_payout(database, name, target, link_reports.approve)


def write_bonuses(
    database: str, name: str, target: pinned.PathLike, *, with_rewards: bool = False
) -> PaymentFile | None:
    """Write bonuses that were granted here into a file that the platform takes, each once.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The link.
    target : path
        A file that does not exist.
    with_rewards : bool
        Whether rewards of approved assignments are paid by it, too.

    Returns
    -------
    PaymentFile or None
        None if there is nothing new; no file is written then.

    Raises
    ------
    RefusedError
        If there is no such link, or something is at the path.
    """
    from turkbatch.server import link_reports

    def pay(served: service.Service, link: recruiting.Link) -> link_reports.Payout | None:
        return link_reports.pay(served, link, with_rewards=with_rewards)

    return _write_payout(database, name, target, pay)


def write_payments_again(
    database: str, name: str, file_id: str, target: pinned.PathLike
) -> PaymentFile:
    """Write a file of approvals or bonuses once more, if it was lost.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The link.
    file_id : str
        Its number, as the report lists it.
    target : path
        A file that does not exist.

    Returns
    -------
    PaymentFile

    Raises
    ------
    RefusedError
        If there is no such link or file, or something is at the path.
    """
    from turkbatch.server import link_reports

    def find(served: service.Service, link: recruiting.Link) -> link_reports.Payout:
        return link_reports.again(served, link, file_id)

    written = _write_payout(database, name, target, find)
    assert written is not None, "what is not there was refused"
    return written


def _write_payout(
    database: str,
    name: str,
    target: pinned.PathLike,
    choose: Callable[[service.Service, recruiting.Link], link_reports.Payout | None],
) -> PaymentFile | None:
    from turkbatch.server import recruiting

    path = Path(target)
    # Before anything is recorded: the file there may be one that is still to be uploaded.
    if path.exists():
        raise errors.RefusedError(f"{path}: is there already; name another file")
    if not path.parent.is_dir():
        raise errors.RefusedError(f"{path}: there is no directory {path.parent}")
    with _opened(database) as served:
        link = recruiting.find(served, name)
        payout = choose(served, link)
    if payout is None:
        return None
    # It is in the database by now. If the power fails here, the report lists it by its
    # number, and it is written again by that; nothing is ever in two files.
    files.replace_text(path, _payment_text(link, payout))
    return _payment_file(payout)


def _payment_text(link: recruiting.Link, payout: link_reports.Payout) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    is_prolific = link.provider.name == "prolific"
    # Prolific takes a submission's id for either; it is of one study, a participant's is not.
    ids = [
        line.session_id if is_prolific and line.session_id else line.participant_id
        for line in payout.lines
    ]
    if payout.kind == "bonus":
        if not is_prolific:
            writer.writerow(["id", "amount"])
        for id_, line in zip(ids, payout.lines, strict=True):
            writer.writerow([id_, f"{_dollars(line.amount_cents):.2f}"])
    elif link.provider.name == "connect":
        writer.writerow(["participantId", "assignmentId", "message"])
        writer.writerows([line.participant_id, line.session_id, ""] for line in payout.lines)
    else:
        writer.writerows([one] for one in ids)
    return out.getvalue()


def _token(path: Path) -> str:
    text = files.read_text(path, errors.DataError).strip()
    if not text or re.search(r"\s", text):
        raise errors.DataError(
            errors.Finding(
                "no-token",
                str(path),
                "holds no API token" if not text else "holds more than an API token",
                "put the token alone into it",
            )
        )
    return text


_ALIASES: Mapping[str, tuple[str, ...]] = {
    "session_id": ("submissionid", "sessionid", "assignmentid"),
    "participant_id": ("participantid", "connectid", "surveycode", "sonaid"),
    "study_id": ("studyid", "projectid"),
    "status": ("status", "assignmentstatus", "creditstatus"),
    "code": ("completioncode", "enteredcode", "studycode"),
}


def _read_platform(path: Path, link: recruiting.Link) -> list[visits.Submission]:
    """Read what a platform exported, whatever it calls its columns in this year."""
    from turkbatch.server import links, providers

    text = files.read_text(path, errors.DataError)
    rows = csv.DictReader(io.StringIO(text, newline=""))
    by_plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in rows.fieldnames or [] if name}
    columns = {
        field: next((by_plain[one] for one in names if one in by_plain), None)
        for field, names in _ALIASES.items()
    }
    needed = ["participant_id", "status"]
    if link.settings.session_parameter:
        needed.append("session_id")
    missing = [field for field in needed if columns[field] is None]
    if missing:
        words = {"participant_id": "Participant id", "session_id": "Submission id"}
        wanted = ", ".join(words.get(one, "Status") for one in missing)
        raise errors.DataError(
            errors.Finding(
                "missing-column",
                str(path),
                f"has no column {wanted}",
                f"give the CSV that {link.provider.title} exports for the study",
                line=1,
            )
        )

    def cell(row: Mapping[str, str | None], field: str) -> str:
        column = columns[field]
        return (row.get(column) or "").strip() if column else ""

    return [
        links.Submission(
            session_id=providers.normal(link.provider, cell(row, "session_id")),
            participant_id=providers.normal(link.provider, cell(row, "participant_id")),
            study_id=cell(row, "study_id"),
            status=cell(row, "status"),
            code="" if cell(row, "code").upper() == "NOCODE" else cell(row, "code"),
        )
        for row in rows
        if cell(row, "participant_id")
    ]


def _shown_link(
    served: service.Service, link: recruiting.Link, public_url: str | None
) -> ServerLink:
    from turkbatch.server import links, recruiting
    from turkbatch.server import people as server_people

    url = public_url or os.environ.get(people.PUBLIC_URL_VARIABLE)
    url = url or server_people.public_url(served) or people.DEFAULT_URL
    work = recruiting.work_of(served, link)
    taken = links.places_taken(served, link)
    return ServerLink(
        name=link.name,
        link_id=link.link_id,
        provider=link.provider.name,
        group=link.group,
        address=recruiting.address(link, url),
        is_open=link.closed_at is None,
        places=link.places,
        taken=taken,
        hits_each=link.hits_each,
        max_minutes=link.lease_seconds // 60,
        verify=link.settings.verify,
        codes=dict(link.settings.codes),
        # SONA's has a secret in it, as far as an address can keep one.
        return_url="" if link.settings.credit_url else link.settings.return_url,
        hits=sum(one.kind == "hit" for one in work),
        hit_types=sum(one.kind == "hit_type" for one in work),
        steps=tuple(_steps(link)),
        warnings=tuple(_warnings(served, link)),
    )


def _steps(link: recruiting.Link) -> Iterator[str]:
    title, minutes = link.provider.title, link.lease_seconds // 60
    own = link.settings
    match link.provider.name:
        case "prolific":
            yield "Prolific: give the address as the study's link; ids come by URL parameters."
            yield f"Prolific: set the maximum allowed time to {minutes} minutes at most."
        case "connect":
            yield "Connect: give the address as the project's link; Connect appends the ids."
            yield "Connect: end the project by a completion code."
        case "sona":
            yield "SONA: give the address as the Study URL of an online external study."
        case _:
            yield f"Have the platform fill the participant's id in as {own.participant_parameter}."
    for outcome, code in own.codes.items():
        yield f"{title}: {code} is the code of who {_MEANINGS[outcome]} ({outcome})."
    unnamed = [one for one in _MEANINGS if one not in own.codes]
    if own.codes and unnamed:
        yield f"There is no code for {', '.join(unnamed)}: those are told to return it."
    if own.credit_url:
        yield "SONA: the server asks for each credit itself, as soon as the answers are stored."


def _warnings(served: service.Service, link: recruiting.Link) -> Iterator[str]:
    from turkbatch.server import recruiting

    if link.settings.verify == "none":
        yield (
            "Nothing proves that who arrives is the participant whose id is in the address: ids "
            "can be made up or passed on."
        )
    elif link.settings.admit_unproven:
        yield "While the platform can't be asked, participants are let in unproven."
    if link.provider.name == "sona" and not link.settings.credit_url:
        yield "Without --credit-url nobody is credited by itself; report --approvals lists them."
    lacking = recruiting.unattainable(served, link)
    if lacking:
        yield (
            f"The HITs require {', '.join(lacking)}, which newcomers lack; they will be screened "
            "out. Make the batch without, and let the platform choose people."
        )


def _shown_report(found: link_reports.Report, link: ServerLink) -> LinkReport:
    return LinkReport(
        link=link,
        lines=tuple(_line(one) for one in found.lines),
        never_came=tuple(
            {
                "session": one.session_id,
                "participant": one.participant_id,
                "status": one.status,
                "code": one.code,
            }
            for one in found.strangers
        ),
        late_answers=tuple(
            {
                "participant": one.visit.participant_id,
                "hit_id": late.hit_id,
                "assignment_id": late.assignment_id,
                "at": _moment(late.at),
                "answer": late.answer,
            }
            for one in found.lines
            for late in one.late
        ),
        files=tuple(_payment_file(one) for one in found.payouts),
    )


def _line(one: link_reports.Line) -> LinkLine:
    visit = one.visit
    return LinkLine(
        participant=visit.participant_id,
        session=visit.session_id,
        study=visit.study_id,
        worker_id=visit.worker_id,
        verified=visit.verified,
        state=visit.state,
        arrived=_moment(visit.arrived_at),
        ended="" if visit.ended_at is None else _moment(visit.ended_at),
        done=one.done,
        waiting=one.waiting,
        approved=one.approved,
        rejected=one.rejected,
        late=len(one.late),
        rewards=_dollars(one.rewards_cents),
        bonuses=_dollars(one.bonus_cents),
        bonuses_to_write=_dollars(one.unwritten_cents),
        approval_file=one.approval_file or "",
        platform=one.platform_status or "",
        notes=one.notes,
        # Beside them are notes of ours, which are no parameters.
        kept={name: value for name, value in visit.extras.items() if isinstance(value, str)},
    )


def _payment_file(payout: link_reports.Payout) -> PaymentFile:
    return PaymentFile(
        payout.file_id,
        payout.kind,
        len(payout.lines),
        _dollars(payout.amount_cents),
        _moment(payout.written_at),
    )


def _shown(line: LinkLine | PaymentFile) -> dict[str, Any]:
    return {
        name: f"{value:.2f}" if isinstance(value, Decimal) else value
        for name, value in dataclasses.asdict(line).items()
    }


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
