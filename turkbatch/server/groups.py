"""Groups of people: what they agree to, how long they are kept, what is noted of their visits.

Everybody who has an account, or came by a recruiting link, is in one group. A group's consent
text has a number, which rises with each change of the text; who agreed to which is kept. Its
newest text is in force, and an empty one ends it.
"""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any, Final

import sqlalchemy
from sqlalchemy import func, select

from turkbatch.server import schema, service, store, sweep

DEFAULT: Final = "everyone"
"""The group of those who are added without naming one; it is made when it is needed."""
LONGEST_TEXT: Final = 100_000
"""Characters of a consent text."""
LONGEST_RETENTION_DAYS: Final = 36_500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)


class GroupError(ValueError):
    """What was asked of a group can't be done; the message is for who asked."""


@dataclasses.dataclass(frozen=True)
class Group:
    """What holds for a group of people.

    Parameters
    ----------
    name : str
        Its name.
    created_at : int
        Seconds since 1970, by the machine's clock.
    retention_days : int or None
        Days without activity after which people are erased; None: never.
    records_addresses : bool
        Whether addresses and browsers are written down.
    consent_version : int or None
        Of the text in force, if there is one.
    people : int
        How many are in it.
    """

    name: str
    created_at: int
    retention_days: int | None
    records_addresses: bool
    consent_version: int | None
    people: int


@dataclasses.dataclass(frozen=True)
class Consent:
    """A text that people agree to.

    Parameters
    ----------
    group : str
        Whose people.
    version : int
        Its number, from 1.
    text : str
        As it was given, without outer white space.
    """

    group: str
    version: int
    text: str


def put(
    served: service.Service | store.Store,
    name: str,
    *,
    consent: str | None = None,
    retention_days: int | None = None,
    records_addresses: bool | None = None,
) -> Group:
    """Make a group, or change what holds for one.

    Parameters
    ----------
    served : Service or Store
        Where.
    name : str
        Up to 64 letters, digits and ``._-``.
    consent : str, optional
        The text to agree to; a new version if it differs from the one in force. Empty: none
        from now on.
    retention_days : int, optional
        Days without activity after which people are erased; 0: never.
    records_addresses : bool, optional
        Whether addresses and browsers are written down. What was written before stays.

    Returns
    -------
    Group
        As it is now. What is not given stays as it was; a new group has none of it.

    Raises
    ------
    GroupError
        If the name, the text or the days can't be.
    """
    _check(name, consent, retention_days)
    values: dict[str, Any] = {}
    if retention_days is not None:
        values["retention_days"] = retention_days or None
    if records_addresses is not None:
        values["records_addresses"] = int(records_addresses)
    table = schema.groups
    with sweep.writing(service.store_of(served)) as (connection, now):
        ensure(connection, name)
        if values:
            connection.execute(table.update().where(table.c.name == name), values)
        if consent is not None:
            _put_consent(connection, name, consent.strip(), now)
        return _groups(connection, name)[0]


def ensure(connection: sqlalchemy.Connection, name: str) -> None:
    """Make a group unless there is one of this name.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    name : str
        Of a group's form.
    """
    table = schema.groups
    if connection.scalar(select(table.c.name).where(table.c.name == name)) is None:
        connection.execute(
            table.insert(), {"name": name, "created_at": int(time.time()), "records_addresses": 0}
        )


def find(served: service.Service | store.Store, name: str) -> Group | None:
    """Look up a group.

    Parameters
    ----------
    served : Service or Store
        Where.
    name : str
        Its name.

    Returns
    -------
    Group or None
        None if there is none.
    """
    with service.store_of(served).read() as connection:
        return next(iter(_groups(connection, name)), None)


def listed(served: service.Service | store.Store) -> list[Group]:
    """List all groups.

    Parameters
    ----------
    served : Service or Store
        Where.

    Returns
    -------
    list of Group
        By name.
    """
    with service.store_of(served).read() as connection:
        return _groups(connection)


def consent_in_force(served: service.Service | store.Store, name: str) -> Consent | None:
    """Read what a group's people agree to now.

    Parameters
    ----------
    served : Service or Store
        Where.
    name : str
        The group.

    Returns
    -------
    Consent or None
        None if they need not agree to anything.
    """
    with service.store_of(served).read() as connection:
        return _in_force(connection, name)


def consent_of(served: service.Service | store.Store, name: str, version: int) -> Consent | None:
    """Read a consent text of any version, for who asks later what was agreed to.

    Parameters
    ----------
    served : Service or Store
        Where.
    name : str
        The group.
    version : int
        The text's number.

    Returns
    -------
    Consent or None
        None if there never was one.
    """
    with service.store_of(served).read() as connection:
        return _consent(connection, name, version)


def pending_consent(served: service.Service | store.Store, worker_id: str) -> Consent | None:
    """Tell what somebody has still to agree to.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who.

    Returns
    -------
    Consent or None
        The text in force in their group, unless their last word on it was that they agree.
    """
    table = schema.consents
    with service.store_of(served).read() as connection:
        text = _in_force(connection, _group_of(connection, worker_id) or "")
        if text is None:
            return None
        last_word = (
            select(table.c.agreed)
            .where(
                table.c.worker_id == worker_id,
                table.c.group_name == text.group,
                table.c.version == text.version,
            )
            .order_by(table.c.sequence.desc())
            .limit(1)
        )
        return None if connection.scalar(last_word) else text


def record(
    served: service.Service | store.Store,
    worker_id: str,
    version: int,
    agreed: bool,
    *,
    address: str | None = None,
    browser: str | None = None,
) -> None:
    """Write down that somebody agrees to their group's text, or does not, or no longer.

    Parameters
    ----------
    served : Service or Store
        Where.
    worker_id : str
        Who.
    version : int
        Of the text that they were shown.
    agreed : bool
        What they said to it.
    address, browser : str, optional
        Where they said it from; forgotten unless the group records it.

    Raises
    ------
    GroupError
        If there is no such person, or their group has no such text.
    """
    with sweep.writing(service.store_of(served)) as (connection, now):
        name = _group_of(connection, worker_id)
        if name is None:
            raise GroupError(f"there is nobody of the id {worker_id}")
        if _consent(connection, name, version) is None:
            raise GroupError(f"the group {name} has no consent text of version {version}")
        noted = _groups(connection, name)[0].records_addresses
        connection.execute(
            schema.consents.insert(),
            {
                "worker_id": worker_id,
                "group_name": name,
                "version": version,
                "agreed": int(agreed),
                "at": now,
                "address": address if noted else None,
                "browser": browser if noted else None,
            },
        )


def records_addresses(connection: sqlalchemy.Connection, name: str) -> bool:
    """Tell whether addresses and browsers of a group's people are written down.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    name : str
        The group.

    Returns
    -------
    bool
        False, too, if there is no such group.
    """
    table = schema.groups
    return bool(connection.scalar(select(table.c.records_addresses).where(table.c.name == name)))


def _check(name: str, consent: str | None, retention_days: int | None) -> None:
    if not _NAME.match(name):
        raise GroupError(
            f'"{name}" can\'t name a group: take up to 64 letters, digits and ._-, '
            "beginning with a letter or digit"
        )
    if consent is not None and len(consent) > LONGEST_TEXT:
        raise GroupError(
            f"the consent text has {len(consent):,} characters; {LONGEST_TEXT:,} are the most"
        )
    if consent is not None and "\0" in consent:
        raise GroupError("the consent text holds a character that is no text (NUL)")
    if retention_days is not None and not 0 <= retention_days <= LONGEST_RETENTION_DAYS:
        raise GroupError(
            f"{retention_days} days can't be a term: 1 to {LONGEST_RETENTION_DAYS:,} can, "
            "and 0 for no term"
        )


def _put_consent(connection: sqlalchemy.Connection, name: str, text: str, now: int) -> None:
    newest = _newest(connection, name)
    if text == ("" if newest is None else newest.text):
        return
    connection.execute(
        schema.consent_texts.insert(),
        {
            "group_name": name,
            "version": 1 if newest is None else newest.version + 1,
            "text": text,
            "recorded_at": now,
        },
    )


def _newest(connection: sqlalchemy.Connection, name: str) -> Consent | None:
    table = schema.consent_texts
    query = select(table.c.group_name, table.c.version, table.c.text)
    query = query.where(table.c.group_name == name).order_by(table.c.version.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Consent(*row)


def _in_force(connection: sqlalchemy.Connection, name: str) -> Consent | None:
    newest = _newest(connection, name)
    return newest if newest is not None and newest.text else None


def _consent(connection: sqlalchemy.Connection, name: str, version: int) -> Consent | None:
    table = schema.consent_texts
    query = select(table.c.group_name, table.c.version, table.c.text).where(
        table.c.group_name == name, table.c.version == version, table.c.text != ""
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Consent(*row)


def _group_of(connection: sqlalchemy.Connection, worker_id: str) -> str | None:
    table = schema.people
    found = connection.scalar(select(table.c.group_name).where(table.c.worker_id == worker_id))
    return None if found is None else str(found)


def _groups(connection: sqlalchemy.Connection, name: str | None = None) -> list[Group]:
    table, members = schema.groups, schema.people
    count = select(func.count()).where(members.c.group_name == table.c.name).scalar_subquery()
    query = select(table, count.label("people")).order_by(table.c.name)
    if name is not None:
        query = query.where(table.c.name == name)
    found = []
    for row in connection.execute(query).all():
        text = _in_force(connection, row.name)
        found.append(
            Group(
                row.name,
                row.created_at,
                row.retention_days,
                bool(row.records_addresses),
                None if text is None else text.version,
                row.people,
            )
        )
    return found
