"""``server worker`` and ``server group``: the real people of our own server.

They get accounts by one-time links, are listed and kept out; all that is stored about one of
them can be written down, and taken away.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from turkbatch import connect, errors, files
from turkbatch.actions import pinned

if TYPE_CHECKING:
    from turkbatch.server import groups, people, store

PUBLIC_URL_VARIABLE = "TURKBATCH_PUBLIC_URL"
DEFAULT_URL = "http://127.0.0.1:8765"
"""Where ``server run`` is if nothing else is said."""
DEFAULT_GROUP = "everyone"
"""What :data:`turkbatch.server.groups.DEFAULT` is, known without loading the server."""
VALID_SECONDS = 7 * 86_400
INVITATION_COLUMNS = ("WorkerId", "Invitation", "ValidUntil")


@dataclasses.dataclass(frozen=True)
class Invitation:
    """A one-time link, at the one moment at which it is told.

    Parameters
    ----------
    worker_id : str
        For whom.
    link : str
        The address at which they set a password.
    valid_until : datetime
        In UTC.
    """

    worker_id: str
    link: str = dataclasses.field(repr=False)
    valid_until: datetime

    def as_json(self) -> dict[str, str]:
        """Give it as a JSON object."""
        until = self.valid_until.isoformat(timespec="seconds")
        return {"worker_id": self.worker_id, "link": self.link, "valid_until": until}


@dataclasses.dataclass(frozen=True)
class ServerWorker:
    """Somebody with an account on our own server, or from a recruiting link.

    Parameters
    ----------
    worker_id : str
        As in the API.
    group : str
        Whose consent text and terms hold.
    origin : str
        ``invited``, or the recruiting platform.
    state : str
        invited (no password yet), active, locked or disabled.
    last_seen : date
        ISO 8601, by the server's clock.
    open, finished : int
        Assignments accepted, and handed in.
    """

    worker_id: str
    group: str
    origin: str
    state: str
    last_seen: str
    open: int
    finished: int


@dataclasses.dataclass(frozen=True)
class ExportedWorker:
    """What was written down about one person.

    Parameters
    ----------
    worker_id : str
        Who.
    document : dict
        All that is stored, for JSON.
    files : tuple of Path
        Files that they handed in, if they were asked for.
    """

    worker_id: str
    document: dict[str, object]
    files: tuple[Path, ...]


@dataclasses.dataclass(frozen=True)
class ErasedWorkers:
    """Who was erased.

    Parameters
    ----------
    pseudonyms : Mapping
        What each worker id is now; told this once.
    elsewhere : Mapping
        Rows by table and column that still name one of them: requesters' own texts.
    overwritten : bool
        Whether the database's file holds nothing of them any more; a server that runs, and
        the next such command, try it again.
    """

    pseudonyms: Mapping[str, str]
    elsewhere: Mapping[str, int]
    overwritten: bool


@dataclasses.dataclass(frozen=True)
class ServerGroup:
    """A group of people on our own server.

    Parameters
    ----------
    name : str
        Its name.
    people : int
        How many are in it.
    retention_days : int or None
        Days without activity after which people are erased.
    records_addresses : bool
        Whether addresses and browsers are written down.
    consent_version : int or None
        Of the text that they agree to.
    consent : str or None
        The text.
    """

    name: str
    people: int
    retention_days: int | None
    records_addresses: bool
    consent_version: int | None
    consent: str | None


@contextlib.contextmanager
def _opened(database: str) -> Iterator[store.Store]:
    """Open a server's database; raise our errors in place of the server's own."""
    from turkbatch.server import erasure, groups, people, store

    try:
        with connect.open_service(database).store as opened:
            yield opened
    except store.StoreError as error:
        raise errors.ServiceError(str(error)) from error
    except (people.PeopleError, groups.GroupError, erasure.ErasureError) as error:
        raise errors.RefusedError(str(error)) from error


def add_server_workers(
    database: str,
    worker_ids: Sequence[str] = (),
    *,
    count: int = 0,
    group: str = DEFAULT_GROUP,
    valid_seconds: int = VALID_SECONDS,
    public_url: str | None = None,
) -> tuple[Invitation, ...]:
    """Make accounts on our own server, each with a one-time link to set a password by.

    Parameters
    ----------
    database : str
        The server's database.
    worker_ids : sequence of str
        The ids that people are to have. Who has no password yet gets a new link.
    count : int
        How many more to make, with ids of MTurk's form.
    group : str
        One that exists, or the default.
    valid_seconds : int
        How long the links work.
    public_url : str, optional
        How people reach the server; the variable's, the running server's, or its usual
        address if not given.

    Returns
    -------
    tuple of Invitation
        In the order of the ids.

    Raises
    ------
    RefusedError
        If an account can't be made; none is made then.
    """
    from turkbatch.server import people

    with _opened(database) as opened:
        added = people.add(opened, group, worker_ids, count=count)
        return _invite(opened, [one.worker_id for one in added], valid_seconds, public_url)


def invite_server_workers(
    database: str,
    worker_ids: Sequence[str],
    *,
    valid_seconds: int = VALID_SECONDS,
    public_url: str | None = None,
) -> tuple[Invitation, ...]:
    """Make new one-time links, also for those who have a password and forgot it.

    Parameters
    ----------
    database : str
        The server's database.
    worker_ids : sequence of str
        Who; their passwords stay until they have set new ones.
    valid_seconds, public_url
        As of :func:`add_server_workers`.

    Returns
    -------
    tuple of Invitation

    Raises
    ------
    RefusedError
        If somebody can't be invited.
    """
    with _opened(database) as opened:
        return _invite(opened, dict.fromkeys(worker_ids), valid_seconds, public_url)


def _invite(
    opened: store.Store, worker_ids: Iterable[str], valid_seconds: int, public_url: str | None
) -> tuple[Invitation, ...]:
    from turkbatch.server import people

    url = public_url or os.environ.get(PUBLIC_URL_VARIABLE) or people.public_url(opened)
    until = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) + valid_seconds, UTC)
    return tuple(
        Invitation(
            one,
            people.token_url(
                url or DEFAULT_URL, people.invite(opened, one, valid_seconds=valid_seconds)
            ),
            until,
        )
        for one in worker_ids
    )


def write_invitations(invitations: Sequence[Invitation], target: pinned.PathLike) -> Path:
    """Write one-time links into a CSV file that only its owner can read.

    Parameters
    ----------
    invitations : sequence of Invitation
        From :func:`add_server_workers`.
    target : path
        Replaced, if it exists.

    Returns
    -------
    Path
        The same.
    """
    path = Path(target)
    with files.replacing(path, private=True) as file:
        writer = csv.writer(file)
        writer.writerow(INVITATION_COLUMNS)
        writer.writerows(one.as_json().values() for one in invitations)
    return path


def list_server_workers(database: str, *, group: str | None = None) -> tuple[ServerWorker, ...]:
    """List the people of our own server.

    Parameters
    ----------
    database : str
        The server's database.
    group : str, optional
        Those of this group alone.

    Returns
    -------
    tuple of ServerWorker
        By group and worker id.

    Raises
    ------
    RefusedError
        If there is no such group.
    """
    from turkbatch.server import people

    with _opened(database) as opened:
        return tuple(_server_worker(one) for one in people.listed(opened, group=group))


def _server_worker(one: people.Overview) -> ServerWorker:
    return ServerWorker(
        worker_id=one.person.worker_id,
        group=one.person.group,
        origin=one.person.origin,
        state=one.state,
        last_seen=datetime.fromtimestamp(one.person.seen_at, UTC).date().isoformat(),
        open=one.open_assignments,
        finished=one.finished_assignments,
    )


def disable_server_workers(database: str, worker_ids: Sequence[str]) -> tuple[str, ...]:
    """Keep people out of our own server; what they have accepted is returned.

    Parameters
    ----------
    database : str
        The server's database.
    worker_ids : sequence of str
        Who.

    Returns
    -------
    tuple of str
        The same, each once.

    Raises
    ------
    RefusedError
        If one of them isn't there; those before are disabled.
    """
    return _set_disabled(database, worker_ids, True)


def enable_server_workers(database: str, worker_ids: Sequence[str]) -> tuple[str, ...]:
    """Let people in again who were disabled, or are locked after failed sign-ins.

    Parameters
    ----------
    database : str
        The server's database.
    worker_ids : sequence of str
        Who.

    Returns
    -------
    tuple of str
        The same, each once.

    Raises
    ------
    RefusedError
        If one of them isn't there; those before are enabled.
    """
    return _set_disabled(database, worker_ids, False)


def _set_disabled(database: str, worker_ids: Sequence[str], disabled: bool) -> tuple[str, ...]:
    from turkbatch.server import people

    with _opened(database) as opened:
        return tuple(
            people.set_disabled(opened, one, disabled).worker_id
            for one in dict.fromkeys(worker_ids)
        )


def export_server_worker(
    database: str, worker_id: str, *, files_dir: pinned.PathLike | None = None
) -> ExportedWorker:
    """Gather all that our own server stores about one person.

    Parameters
    ----------
    database : str
        The server's database.
    worker_id : str
        Who: anybody with an account, from a recruiting link, or who has worked there.
    files_dir : path, optional
        A directory for the files that they handed in, each under its key.

    Returns
    -------
    ExportedWorker

    Raises
    ------
    RefusedError
        If there is nobody of this id.
    """
    from turkbatch.server import erasure

    with _opened(database) as opened:
        document = erasure.export(opened, worker_id)
        written = []
        if files_dir is not None:
            folder = Path(files_dir)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file in erasure.files_of(opened, worker_id):
                # By its key: the name is whatever somebody's machine called it.
                path = folder / file.key
                path.touch(mode=0o600)
                path.write_bytes(file.content)
                written.append(path)
    return ExportedWorker(worker_id, document, tuple(written))


def write_export(exported: ExportedWorker, target: pinned.PathLike) -> Path:
    """Write what is stored about somebody into a JSON file that only its owner can read.

    Parameters
    ----------
    exported : ExportedWorker
        From :func:`export_server_worker`.
    target : path
        Replaced, if it exists.

    Returns
    -------
    Path
        The same.
    """
    path = Path(target)
    files.replace_json(path, exported.document, private=True)
    return path


def idle_server_workers(database: str, days: int, *, group: str | None = None) -> tuple[str, ...]:
    """List people who have done nothing for so many days, and have no open work.

    Parameters
    ----------
    database : str
        The server's database.
    days : int
        By the server's clock.
    group : str, optional
        Those of this group alone.

    Returns
    -------
    tuple of str
        Their worker ids.
    """
    from turkbatch.server import erasure

    with _opened(database) as opened:
        return tuple(erasure.idle(opened, days, group=group))


def erase_server_workers(
    database: str,
    worker_ids: Sequence[str],
    *,
    on_erased: Callable[[str, str], None] = lambda _, __: None,
) -> ErasedWorkers:
    """Erase people from our own server; their results stay, under pseudonyms.

    Parameters
    ----------
    database : str
        The server's database.
    worker_ids : sequence of str
        Who: anybody with an account, from a recruiting link, or who has worked there.
    on_erased : callable
        Told each worker id and its pseudonym, once that is done.

    Returns
    -------
    ErasedWorkers
        The only time that the pseudonyms are told.

    Raises
    ------
    RefusedError
        If one of them isn't there; nobody is erased then.
    """
    from turkbatch.server import erasure

    with _opened(database) as opened:
        done = erasure.erase(opened, *worker_ids, look_elsewhere=True, on_erased=on_erased)
        overwritten = erasure.overwrite(opened)
    return ErasedWorkers(done.pseudonyms, done.elsewhere, overwritten)


def set_server_group(
    database: str,
    name: str,
    *,
    consent: str | None = None,
    retention_days: int | None = None,
    records_addresses: bool | None = None,
) -> ServerGroup:
    """Make a group of people on our own server, or change what holds for one.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The group.
    consent : str, optional
        What its people agree to before they work; empty: nothing.
    retention_days : int, optional
        Days without activity after which they are erased; 0: never.
    records_addresses : bool, optional
        Whether addresses and browsers are written down.

    Returns
    -------
    ServerGroup
        What is not given stays as it was.

    Raises
    ------
    RefusedError
        If the name, the text or the days can't be.
    """
    from turkbatch.server import groups

    with _opened(database) as opened:
        made = groups.put(
            opened,
            name,
            consent=consent,
            retention_days=retention_days,
            records_addresses=records_addresses,
        )
        return _server_group(opened, made)


def list_server_groups(database: str) -> tuple[ServerGroup, ...]:
    """List the groups of people on our own server.

    Parameters
    ----------
    database : str
        The server's database.

    Returns
    -------
    tuple of ServerGroup
        By name.
    """
    from turkbatch.server import groups

    with _opened(database) as opened:
        return tuple(_server_group(opened, one) for one in groups.listed(opened))


def show_server_group(database: str, name: str) -> ServerGroup:
    """Look up a group of people on our own server.

    Parameters
    ----------
    database : str
        The server's database.
    name : str
        The group.

    Returns
    -------
    ServerGroup

    Raises
    ------
    RefusedError
        If there is none.
    """
    from turkbatch.server import groups

    with _opened(database) as opened:
        found = groups.find(opened, name)
        if found is None:
            raise errors.RefusedError(f'there is no group "{name}"; see: server group list')
        return _server_group(opened, found)


def _server_group(opened: store.Store, found: groups.Group) -> ServerGroup:
    from turkbatch.server import groups

    text = groups.consent_in_force(opened, found.name)
    return ServerGroup(
        name=found.name,
        people=found.people,
        retention_days=found.retention_days,
        records_addresses=found.records_addresses,
        consent_version=found.consent_version,
        consent=None if text is None else text.text,
    )
