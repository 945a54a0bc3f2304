"""Real people: who they are, their one-time links and passwords, and who may sign in.

Somebody is here because they were invited, which gives them a password by a one-time link, or
because a recruiting link led them here, which gives them none: who knows a participant's id
could otherwise take over an account by an address alone.

An invitation's token has 192 random bits and is stored as its SHA-256; it works once, and
until it expires. Passwords are stored by Argon2id, with parameters that a class of two hundred
can sign in by within seconds, and anew when those are raised. So many failures in a row lock
an account for a while: they are counted in the database before the password is looked at, so
that neither threads nor processes let anybody try more.

What concerns signing in goes by the machine's clock, which nobody moves for a simulation;
when somebody was last here by the server's own, as all else that people do.

Sources: https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html
(lengths, locking, the same answer for unknown ids), Password_Storage_Cheat_Sheet.html there.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import secrets
import string
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy
from sqlalchemy import func, select

from turkbatch.server import groups, lifecycle, schema, service, store, sweep, workforce

if TYPE_CHECKING:
    from argon2 import PasswordHasher

INVITED: Final = "invited"
"""The origin of those who were not led here by a recruiting link."""
FEWEST_CHARACTERS: Final = 10
MOST_BYTES: Final = 1_000
"""Of a password; more would only cost time."""
FAILURES: Final = 10
"""So many failed sign-ins in a row lock an account."""
LOCK_SECONDS: Final = 15 * 60
VALID_SECONDS: Final = 7 * 86_400
"""How long an invitation works unless it is said."""
LONGEST_VALID_SECONDS: Final = 365 * 86_400

PUBLIC_URL_SETTING: Final = "public_url"
"""Where a server that runs notes how people reach it."""

_DAY: Final = 86_400
_ALPHABET: Final = string.ascii_uppercase + string.digits
_PARTICIPANT: Final = re.compile(r"[^\x00-\x1f\x7f]{1,128}\Z")


class PeopleError(ValueError):
    """What was asked of somebody's account can't be done; the message is for who asked."""


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody with an account, or who came by a recruiting link.

    Parameters
    ----------
    worker_id : str
        As in the API.
    group : str
        Whose consent text and terms hold for them.
    origin : str
        ``invited``, or the provider who vouches for them.
    participant_id : str or None
        What the provider calls them; None for those who were invited.
    has_password : bool
        Whether they have set one.
    generation : int
        Raised to end all of their sessions.
    disabled : bool
        Whether they can't sign in.
    created_at : int
        Seconds since 1970, by the machine's clock.
    seen_at : int
        When they were last here, to the day, by the server's own clock.
    """

    worker_id: str
    group: str
    origin: str
    participant_id: str | None
    has_password: bool
    generation: int
    disabled: bool
    created_at: int
    seen_at: int


@dataclasses.dataclass(frozen=True)
class Overview:
    """Somebody in a list.

    Parameters
    ----------
    person : Person
        Who.
    state : str
        ``invited`` as long as there is no password, ``active``, ``locked`` or ``disabled``.
    open_assignments, finished_assignments : int
        Accepted ones, and those handed in.
    """

    person: Person
    state: str
    open_assignments: int
    finished_assignments: int


def find(served: service.Service | store.Store, worker_id: str) -> Person | None:
    """Look somebody up.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who.

    Returns
    -------
    Person or None
        None if nobody with an account, or from a recruiting link, has this id.
    """
    with service.store_of(served).read() as connection:
        return _find(connection, worker_id)


def listed(served: service.Service | store.Store, *, group: str | None = None) -> list[Overview]:
    """List everybody.

    Parameters
    ----------
    served : Service or Store
        Where.
    group : str, optional
        Those of this group alone.

    Returns
    -------
    list of Overview
        By group and worker id.

    Raises
    ------
    PeopleError
        If there is no such group.
    """
    table, work = schema.people, schema.assignments
    mine = select(func.count()).where(work.c.worker_id == table.c.worker_id)
    query = select(
        table,
        mine.where(work.c.state == "Accepted").scalar_subquery().label("open"),
        mine.where(work.c.state.in_(lifecycle.VISIBLE_STATES)).scalar_subquery().label("finished"),
    ).order_by(table.c.group_name, table.c.worker_id)
    if group is not None:
        query = query.where(table.c.group_name == group)
    with sweep.reading(service.store_of(served)) as (connection, _):
        if group is not None:
            _check_group(connection, group)
        return [
            Overview(_person(row), _state(row), row.open, row.finished)
            for row in connection.execute(query)
        ]


def add(
    served: service.Service | store.Store,
    group: str,
    worker_ids: Sequence[str] = (),
    *,
    count: int = 0,
) -> list[Person]:
    """Make accounts, or none if one of them can't be made; :func:`invite` lets people in.

    Parameters
    ----------
    served : Service or Store
        Where.
    group : str
        A group that exists, or the default one.
    worker_ids : sequence of str
        The ids that people are to have. One that has an account without a password, in the
        same group, is left as it is; one that has worked here without an account goes on
        with what it has done.
    count : int
        How many more to make, with ids in MTurk's form.

    Returns
    -------
    list of Person
        In the order of the ids, those of new ids behind.

    Raises
    ------
    PeopleError
        If an id has another form, an account with a password or in another group, or belongs
        to a participant of a recruiting link; or if there is no such group. It names them all.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        if group == groups.DEFAULT:
            groups.ensure(connection, group)
        _check_group(connection, group)
        wanted = list(dict.fromkeys(worker_ids))
        reasons = [reason for one in wanted if (reason := _why_not(connection, one, group))]
        if reasons:
            raise PeopleError("\n".join(reasons))
        found = [_find(connection, one) or _make(connection, now, one, group) for one in wanted]
        for _ in range(count):
            found.append(_make(connection, now, new_worker_id(connection), group))
        return found


def invite(
    served: service.Service | store.Store, worker_id: str, *, valid_seconds: int = VALID_SECONDS
) -> str:
    """Make a one-time link's token, by which somebody sets a password; earlier ones end.

    A password that they have stays until they have set the new one.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who was invited.
    valid_seconds : int
        How long it works.

    Returns
    -------
    str
        32 letters, digits, ``-`` and ``_``; told this once.

    Raises
    ------
    PeopleError
        If there is nobody of this id, they came by a recruiting link, or are disabled; or if
        the time can't be one.
    """
    if not 0 < valid_seconds <= LONGEST_VALID_SECONDS:
        raise PeopleError(
            f"an invitation can be valid up to {LONGEST_VALID_SECONDS // _DAY} days, "
            f"not {valid_seconds:,} seconds"
        )
    token, now = secrets.token_urlsafe(24), int(time.time())
    database, table = service.store_of(served), schema.invitations
    database.make_private()
    with database.write() as connection:
        person = _known(connection, worker_id)
        if person.origin != INVITED:
            raise PeopleError(
                f"{worker_id} came by a recruiting link of {person.origin}, and signs in there; "
                "there is no password for such ids"
            )
        if person.disabled:
            raise PeopleError(f"{worker_id} is disabled; enable the account first")
        _end_invitations(connection, worker_id)
        connection.execute(
            table.insert(),
            {
                "token_hash": _token_hash(token),
                "worker_id": worker_id,
                "made_at": now,
                "expires_at": now + valid_seconds,
            },
        )
    return token


def invited(served: service.Service | store.Store, token: str) -> Person | None:
    """Tell whom an invitation is for, without using it up.

    Parameters
    ----------
    served : Service or Store
        Where.
    token : str
        From :func:`invite`.

    Returns
    -------
    Person or None
        None if it never was one, was used, has ended or expired, or is of somebody disabled.
    """
    with service.store_of(served).read() as connection:
        return _invited(connection, token)


def redeem(served: service.Service | store.Store, token: str, password: str) -> Person:
    """Set a password by an invitation, which is used up by it; sessions from before end.

    Parameters
    ----------
    served : Service or Store
        Where.
    token : str
        From :func:`invite`.
    password : str
        As :func:`check_new_password` wants it.

    Returns
    -------
    Person
        Who can sign in now.

    Raises
    ------
    PeopleError
        If the password can't be one; the invitation works on then. Or if the invitation
        doesn't work, or somebody else has used it at this moment.
    """
    check_new_password(password)
    if invited(served, token) is None:
        raise PeopleError(_USED_UP)
    hashed = _hash(password)  # outside of the transaction: it takes long on purpose
    table, now = schema.invitations, int(time.time())
    with service.store_of(served).write() as connection:
        person = _invited(connection, token)
        if person is None:
            raise PeopleError(_USED_UP)
        connection.execute(
            table.update().where(table.c.token_hash == _token_hash(token)), {"used_at": now}
        )
        return _set_password(connection, person, hashed)


def set_password(served: service.Service | store.Store, worker_id: str, password: str) -> Person:
    """Replace the password of somebody who has one; sessions from before end.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who; whoever asks has checked that it is they.
    password : str
        As :func:`check_new_password` wants it.

    Returns
    -------
    Person
        With the generation that new sessions have.

    Raises
    ------
    PeopleError
        If the password can't be one, or they have none, or are disabled.
    """
    check_new_password(password)
    hashed = _hash(password)
    with service.store_of(served).write() as connection:
        person = _known(connection, worker_id)
        if not person.has_password or person.disabled:
            raise PeopleError(f"{worker_id} has no password that could be changed")
        return _set_password(connection, person, hashed)


def check_new_password(password: str) -> None:
    """Refuse what can't be a password. Which characters it has is everybody's own affair.

    Parameters
    ----------
    password : str
        As it was typed.

    Raises
    ------
    PeopleError
        If it is too short or too long.
    """
    if len(password) < FEWEST_CHARACTERS:
        raise PeopleError(
            f"The password has {len(password)} characters; {FEWEST_CHARACTERS} are the fewest."
        )
    if len(password.encode(errors="surrogatepass")) > MOST_BYTES:
        raise PeopleError(f"The password is too long; {MOST_BYTES:,} bytes are the most.")


def check_password(
    served: service.Service | store.Store, worker_id: str, password: str
) -> Person | None:
    """Let somebody in by their password, or nobody; it takes the same time for unknown ids.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who they say they are.
    password : str
        What they typed.

    Returns
    -------
    Person or None
        None if it is wrong, there is no such account, or it is disabled or locked. Which of
        them is not told, as it would tell strangers who is here.
    """
    stored = _begin_attempt(served, worker_id)
    right = len(password.encode(errors="surrogatepass")) <= MOST_BYTES and _verify(
        stored or _stand_in(), password
    )
    if stored is None or not right:
        return None
    renewed = _hash(password) if _hasher().check_needs_rehash(stored) else stored
    return _succeed(served, worker_id, stored, renewed)


def set_disabled(served: service.Service | store.Store, worker_id: str, disabled: bool) -> Person:
    """Keep somebody out, or let them in again, also after too many failed sign-ins.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who.
    disabled : bool
        Whether they are out: then their sessions, visits and invitations end, and what they
        have accepted and not handed in is returned.

    Returns
    -------
    Person
        As they are now.

    Raises
    ------
    PeopleError
        If there is nobody of this id.
    """
    table = schema.people
    with sweep.writing(service.store_of(served)) as (connection, now):
        person = _known(connection, worker_id)
        if disabled and person.disabled:
            return person
        values: dict[str, Any] = {"disabled_at": None, "failed_sign_ins": 0, "locked_until": None}
        if disabled:
            values = {"disabled_at": int(time.time()), "generation": person.generation + 1}
            _end_invitations(connection, worker_id)
            give_back(connection, now, worker_id)
            _end_visits(connection, now, worker_id)
        connection.execute(table.update().where(table.c.worker_id == worker_id), values)
        return _known(connection, worker_id)


def arrive(
    connection: sqlalchemy.Connection, now: int, *, group: str, provider: str, participant_id: str
) -> Person:
    """Find the person that a provider's participant is, or make one.

    Their worker id is the participant's if it has the form of one and is nobody else's, nor
    has any history here; else one with the group's name before it.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        From :func:`sweep.writing`.
    now : int
        From there, too.
    group : str
        Of the link.
    provider : str
        Who vouches for the id.
    participant_id : str
        What the provider calls them: 1 to 128 characters.

    Returns
    -------
    Person
        The same one at each arrival; who is disabled is given, too.

    Raises
    ------
    PeopleError
        If the id can't be one, or there is no such group.
    """
    if not _PARTICIPANT.match(participant_id) or provider == INVITED:
        raise PeopleError("that is no participant's id: 1 to 128 characters are needed")
    _check_group(connection, group)
    table = schema.people
    known = connection.execute(
        table.select().where(
            table.c.group_name == group,
            table.c.origin == provider,
            table.c.participant_id == participant_id,
        )
    ).one_or_none()
    if known is not None:
        _see(connection, now, known.worker_id)
        return _known(connection, known.worker_id)
    worker_id = _id_for(connection, group, provider, participant_id)
    return _make(connection, now, worker_id, group, provider, participant_id)


def seen(served: service.Service | store.Store, worker_id: str) -> None:
    """Note that somebody was here today. Cheap: it writes once a day.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who; unknown ids are passed over.
    """
    database = service.store_of(served)
    with sweep.reading(database) as (connection, now):
        person = _find(connection, worker_id)
        if person is None or person.seen_at >= _day(now):
            return
    with sweep.writing(database) as (connection, now):
        _see(connection, now, worker_id)


def give_back(connection: sqlalchemy.Connection, now: int, worker_id: str) -> int:
    """Return all that somebody has accepted and not handed in.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        From :func:`sweep.writing`.
    now : int
        From there, too.
    worker_id : str
        Who.

    Returns
    -------
    int
        How many assignments it was.
    """
    table = schema.assignments
    query = select(table.c.assignment_id).where(
        table.c.worker_id == worker_id, table.c.state == "Accepted"
    )
    held = list(connection.scalars(query))
    for assignment_id in held:
        # One at a time: two may be of one HIT's requester, whose account moves with each.
        assignment = sweep.find_assignment(connection, assignment_id)
        assert assignment is not None, "it was listed above"
        hit = sweep.find_hit(connection, assignment.hit_id)
        assert hit is not None, "the database holds assignments of HITs alone"
        sweep.save(connection, [lifecycle.give_up(hit, assignment, now, "Returned")])
    return len(held)


def new_worker_id(connection: sqlalchemy.Connection) -> str:
    """Make a worker's id in MTurk's form that nobody has or had.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.

    Returns
    -------
    str
        ``A`` and 13 capital letters and digits.
    """
    while True:
        made = "A" + "".join(secrets.choice(_ALPHABET) for _ in range(13))
        if not workforce.is_taken(connection, made):
            return made


def token_url(public_url: str, token: str) -> str:
    """Give the address of an invitation.

    Parameters
    ----------
    public_url : str
        Where people reach the server.
    token : str
        From :func:`invite`.

    Returns
    -------
    str
        To be sent to the one whom it is for.
    """
    return f"{public_url.rstrip('/')}/invitations/{token}"


def note_public_url(served: service.Service | store.Store, url: str) -> None:
    """Write down how people reach the server, for links that are made while it runs.

    Parameters
    ----------
    served : Service or Store
        Where.
    url : str
        Its address, as others see it.
    """
    table = schema.settings
    if public_url(served) == url:
        return
    with service.store_of(served).write() as connection:
        connection.execute(table.delete().where(table.c.name == PUBLIC_URL_SETTING))
        connection.execute(table.insert(), {"name": PUBLIC_URL_SETTING, "value": url})


def public_url(served: service.Service | store.Store) -> str | None:
    """Tell how people reach the server, as it was last told when it ran.

    Parameters
    ----------
    served : Service or Store
        Where.

    Returns
    -------
    str or None
        None if it never was told.
    """
    table = schema.settings
    query = select(table.c.value).where(table.c.name == PUBLIC_URL_SETTING)
    with service.store_of(served).read() as connection:
        return connection.scalar(query)


_USED_UP: Final = (
    "This invitation does not work any more: it was used, replaced or has expired. "
    "Ask for a new one."
)


def _find(connection: sqlalchemy.Connection, worker_id: str) -> Person | None:
    table = schema.people
    row = connection.execute(table.select().where(table.c.worker_id == worker_id)).one_or_none()
    return None if row is None else _person(row)


def _known(connection: sqlalchemy.Connection, worker_id: str) -> Person:
    person = _find(connection, worker_id)
    if person is None:
        raise PeopleError(f'there is nobody of the id "{worker_id}"')
    return person


def _person(row: sqlalchemy.Row[Any]) -> Person:
    return Person(
        worker_id=row.worker_id,
        group=row.group_name,
        origin=row.origin,
        participant_id=row.participant_id,
        has_password=row.password_hash is not None,
        generation=row.generation,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
        seen_at=row.seen_at,
    )


def _state(row: sqlalchemy.Row[Any]) -> str:
    if row.disabled_at is not None:
        return "disabled"
    if row.locked_until is not None and row.locked_until > time.time():
        return "locked"
    return "invited" if row.origin == INVITED and row.password_hash is None else "active"


def _check_group(connection: sqlalchemy.Connection, name: str) -> None:
    table = schema.groups
    if connection.scalar(select(table.c.name).where(table.c.name == name)) is None:
        raise PeopleError(f'there is no group "{name}"; make it with: server group set {name}')


def _why_not(connection: sqlalchemy.Connection, worker_id: str, group: str) -> str | None:
    """Say why somebody can't be invited under an id."""
    if not workforce.is_of_form(worker_id):
        return (
            f"\"{worker_id}\" can't be a worker's id: take up to 64 letters, digits and ._-, "
            "beginning with a letter or digit"
        )
    person = _find(connection, worker_id)
    if person is None:
        return None
    if person.origin != INVITED:
        return f"{worker_id} is a participant of {person.origin} already, in {person.group}"
    if person.group != group:
        return f"{worker_id} is in the group {person.group} already"
    if person.has_password:
        return f"{worker_id} has a password already; a new one: server worker invite {worker_id}"
    return None


def _make(
    connection: sqlalchemy.Connection,
    now: int,
    worker_id: str,
    group: str,
    origin: str = INVITED,
    participant_id: str | None = None,
) -> Person:
    connection.execute(
        schema.people.insert(),
        {
            "worker_id": worker_id,
            "group_name": group,
            "origin": origin,
            "participant_id": participant_id,
            "generation": 0,
            "failed_sign_ins": 0,
            "created_at": int(time.time()),
            "seen_at": _day(now),
        },
    )
    return _known(connection, worker_id)


def _id_for(
    connection: sqlalchemy.Connection, group: str, provider: str, participant_id: str
) -> str:
    candidates = [participant_id, f"{group}.{participant_id}"]
    candidates.append(f"{group[:20]}.{provider[:8]}.{_token_hash(participant_id)[:20]}")
    for one in candidates:
        if workforce.is_of_form(one) and not workforce.is_taken(connection, one):
            return one
    return new_worker_id(connection)


def _day(moment: int) -> int:
    return moment - moment % _DAY


def _see(connection: sqlalchemy.Connection, now: int, worker_id: str) -> None:
    table = schema.people
    connection.execute(
        table.update().where(table.c.worker_id == worker_id, table.c.seen_at < _day(now)),
        {"seen_at": _day(now)},
    )


def _end_invitations(connection: sqlalchemy.Connection, worker_id: str) -> None:
    table = schema.invitations
    connection.execute(table.delete().where(table.c.worker_id == worker_id))


def _end_visits(connection: sqlalchemy.Connection, now: int, worker_id: str) -> None:
    """Give the places back that a participant holds; see :mod:`turkbatch.server.links`."""
    table = schema.visits
    connection.execute(
        table.update().where(table.c.worker_id == worker_id, table.c.state == "working"),
        {"state": "returned", "holds_until": None, "ended_at": now},
    )


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _invited(connection: sqlalchemy.Connection, token: str) -> Person | None:
    table = schema.invitations
    worker_id = connection.scalar(
        select(table.c.worker_id).where(
            table.c.token_hash == _token_hash(token),
            table.c.used_at.is_(None),
            table.c.expires_at > int(time.time()),
        )
    )
    person = None if worker_id is None else _find(connection, worker_id)
    return None if person is None or person.disabled else person


def _set_password(connection: sqlalchemy.Connection, person: Person, hashed: str) -> Person:
    table = schema.people
    connection.execute(
        table.update().where(table.c.worker_id == person.worker_id),
        {
            "password_hash": hashed,
            "generation": person.generation + 1,
            "failed_sign_ins": 0,
            "locked_until": None,
        },
    )
    return _known(connection, person.worker_id)


def _begin_attempt(served: service.Service | store.Store, worker_id: str) -> str | None:
    """Count an attempt as failed before it is made; give the hash to hold it against."""
    table, now = schema.people, int(time.time())
    with service.store_of(served).read() as connection:
        # Strangers' guesses of ids write nothing.
        if _find(connection, worker_id) is None:
            return None
    with service.store_of(served).write() as connection:
        row = connection.execute(table.select().where(table.c.worker_id == worker_id)).one_or_none()
        if row is None or row.password_hash is None or row.disabled_at is not None:
            return None
        if row.locked_until is not None and row.locked_until > now:
            return None
        failures = 1 if row.locked_until is not None else row.failed_sign_ins + 1
        connection.execute(
            table.update().where(table.c.worker_id == worker_id),
            {
                "failed_sign_ins": failures,
                "locked_until": now + LOCK_SECONDS if failures >= FAILURES else None,
            },
        )
        return str(row.password_hash)


def _succeed(
    served: service.Service | store.Store, worker_id: str, stored: str, renewed: str
) -> Person | None:
    """Take an attempt's failure back, unless the password was changed during it."""
    table = schema.people
    with sweep.writing(service.store_of(served)) as (connection, now):
        done = connection.execute(
            table.update().where(
                table.c.worker_id == worker_id,
                table.c.password_hash == stored,
                table.c.disabled_at.is_(None),
            ),
            {"password_hash": renewed, "failed_sign_ins": 0, "locked_until": None},
        )
        if not done.rowcount:
            return None
        _see(connection, now, worker_id)
        return _find(connection, worker_id)


@functools.cache
def _hasher() -> PasswordHasher:
    try:
        import argon2  # late: only a site where people sign in needs it
    except ImportError as error:
        raise PeopleError(
            "accounts need argon2-cffi; install it with: pip install 'turkbatch[people]'"
        ) from error
    # OWASP's least. The library's own defaults take seven times the work and four threads,
    # which would hold up everybody's pages when many sign in at once.
    return argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


# Each takes 19 MiB and a processor for as long as it lasts.
_HASHING: Final = threading.BoundedSemaphore(2)


def _hash(password: str) -> str:
    with _HASHING:
        return _hasher().hash(password.encode(errors="surrogatepass"))


@functools.cache
def _stand_in() -> str:
    """Make a hash that no password has, to be as busy with unknown ids as with known ones."""
    return _hash(secrets.token_urlsafe(32))


def _verify(hashed: str, password: str) -> bool:
    from argon2 import exceptions

    hasher = _hasher()
    try:
        with _HASHING:
            return hasher.verify(hashed, password.encode(errors="surrogatepass"))
    except (exceptions.VerificationError, exceptions.InvalidHashError):
        return False
