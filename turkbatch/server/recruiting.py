"""Recruiting links: the addresses that platforms send their participants to.

A link leads to HITs, or to all HITs of a type, up to a number for each participant. It has a
group, whose people its participants become, places, and a code for each way in which a visit
can end. What participants do is in :mod:`turkbatch.server.links`.

A link's settings are JSON in the database, with the token of the platform's API among them:
whoever reads the database can use it, as with requesters' keys.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import secrets
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import sqlalchemy
from sqlalchemy import select

from turkbatch.server import (
    groups,
    providers,
    requirements,
    schema,
    service,
    store,
    sweep,
    workforce,
)

LEASE_SECONDS: Final = 3600
"""How long a participant keeps a place, unless the link says otherwise."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
_PARAMETER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z", re.ASCII)
_FILLED: Final = ("participant", "study", "session", "code")

Kind = Literal["hit", "hit_type"]


class LinkError(ValueError):
    """What was asked of a link can't be done; the message is for who asked."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What a link leads to.

    Parameters
    ----------
    kind : {"hit", "hit_type"}
        One HIT, or all of a type: those that are made later, too.
    id : str
        Its id.
    """

    kind: Kind
    id: str


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a link's address and its visits depend on.

    Parameters
    ----------
    participant_parameter, study_parameter, session_parameter : str
        In which parameters of the address the ids arrive; empty for one that does not.
    keep : tuple of str
        Further parameters that are kept with a visit.
    codes : Mapping
        By outcome; one without a code ends with a text alone.
    return_url : str
        Where participants go back, with names in braces; empty for nowhere.
    verify : {"none", "api", "token"}
        By what ids are proven.
    admit_unproven : bool
        Whether participants are let in, unproven, while the platform can't be asked.
    once : bool
        Whether a person takes part once, whatever sessions they come with.
    api_token : str or None
        For the platform's API; secret.
    api_url : str
        Where the platform's API is.
    study_id : str
        Of the platform's study or project, where its participants don't bring it along.
    credit_url : str
        Where the platform is asked to credit a participant, with ``{participant}``; empty
        if participants go back by themselves.
    """

    participant_parameter: str
    study_parameter: str = ""
    session_parameter: str = ""
    keep: tuple[str, ...] = ()
    codes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    return_url: str = ""
    verify: providers.Verify = "none"
    admit_unproven: bool = False
    once: bool = True
    api_token: str | None = dataclasses.field(default=None, repr=False)
    api_url: str = ""
    study_id: str = ""
    credit_url: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass(frozen=True)
class Link:
    """A recruiting link.

    Parameters
    ----------
    link_id : str
        Part of its address.
    name : str
        What the requester calls it.
    group : str
        Whose people its participants become.
    provider : Provider
        The platform.
    created_at, closed_at : int
        Seconds since 1970, by the server's clock; None while it is open.
    places : int or None
        How many participants can be at work or done; None: any number.
    hits_each : int
        How many HITs a participant does at most.
    lease_seconds : int
        How long a place is kept for someone at work.
    settings : Settings
        The rest.
    synced_at : int or None
        When the platform was last asked for its submissions, by the machine's clock.
    """

    link_id: str
    name: str
    group: str
    provider: providers.Provider
    created_at: int
    closed_at: int | None
    places: int | None
    hits_each: int
    lease_seconds: int
    settings: Settings
    synced_at: int | None


def add(
    served: service.Service | store.Store,
    name: str,
    provider: str,
    settings: Settings,
    *,
    work: Sequence[Work],
    group: str | None = None,
    hits_each: int = 1,
    places: int | None = None,
    lease_seconds: int = LEASE_SECONDS,
) -> Link:
    """Make a link.

    Parameters
    ----------
    served : Service or Store
        Where.
    name : str
        One that no other link has.
    provider : str
        Name of the platform.
    settings : Settings
        Complete, with codes; see :func:`settings_for`.
    work : sequence of Work
        What its participants do.
    group : str, optional
        The group of its participants; called like the link, if not given.
    hits_each : int
        HITs of each participant, at most.
    places : int, optional
        How many participants can be at work or done.
    lease_seconds : int
        How long a place is kept for someone at work.

    Returns
    -------
    Link
        Open.

    Raises
    ------
    LinkError
        If the name is taken or can't be one, the settings contradict each other, or the
        server has no such work.
    """
    made_of = providers.BY_NAME[provider]
    for kind, one in (("link", name), ("group", group or name)):
        if not _NAME.match(one):
            raise LinkError(
                f'"{one}" can\'t name a {kind}: take up to 64 letters, digits and ._-, '
                "beginning with a letter or digit"
            )
    _check(made_of, settings)
    if not work:
        raise LinkError("a link needs work: name a batch, a HIT or a HIT type")
    link_id = secrets.token_hex(16)
    row = {
        "link_id": link_id,
        "name": name,
        "group_name": group or name,
        "provider": provider,
        "places": places,
        "hits_each": hits_each,
        "lease_seconds": lease_seconds,
        "settings": json.dumps(dataclasses.asdict(settings)),
    }
    with sweep.writing(service.store_of(served)) as (connection, now):
        taken = select(schema.links.c.link_id).where(schema.links.c.name == name)
        if connection.scalar(taken) is not None:
            raise LinkError(f'there is a link "{name}" already; take another name')
        _check_work(connection, work)
        groups.ensure(connection, group or name)
        connection.execute(schema.links.insert(), row | {"created_at": now})
        rows = [{"link_id": link_id, "kind": one.kind, "id": one.id} for one in dict.fromkeys(work)]
        connection.execute(schema.link_work.insert(), rows)
        return _by(connection, schema.links.c.link_id == link_id)[0]


def settings_for(
    provider: str,
    *,
    codes: Mapping[str, str | None] | None = None,
    participant_parameter: str | None = None,
    study_parameter: str | None = None,
    session_parameter: str | None = None,
    return_url: str | None = None,
    api_url: str | None = None,
    credit_url: str | None = None,
    **rest: Any,  # noqa: ANN401, other fields of Settings
) -> Settings:
    """Complete settings by what the platform usually has, and by codes of its form.

    Parameters
    ----------
    provider : str
        Name of the platform.
    codes : Mapping, optional
        By outcome; None or missing ones are made, where the platform takes them.
    participant_parameter, study_parameter, session_parameter, return_url, api_url, credit_url
        As of :class:`Settings`; the platform's own, if not given.
    **rest
        Other fields of :class:`Settings`.

    Returns
    -------
    Settings

    Raises
    ------
    LinkError
        If ``credit_url`` is none of the platform's.
    """
    made_of = providers.BY_NAME[provider]
    given = {name: code for name, code in (codes or {}).items() if code}
    made = {name: providers.new_code(made_of) for name in made_of.outcomes if name not in given}
    asked, back = "", made_of.return_url
    if credit_url is not None:
        try:
            asked, back = providers.credit_urls(credit_url)
        except ValueError as error:
            raise LinkError(f"the address for credit can't be used: {error}") from error
    return Settings(
        participant_parameter=_chosen(participant_parameter, made_of.participant),
        study_parameter=_chosen(study_parameter, made_of.study),
        session_parameter=_chosen(session_parameter, made_of.session),
        codes={name: (given | made)[name] for name in providers.OUTCOMES if name in given | made},
        return_url=_chosen(return_url, back),
        api_url=_chosen(api_url, made_of.api_url).rstrip("/"),
        credit_url=asked,
        **rest,
    )


def find(served: service.Service | store.Store, name: str) -> Link:
    """Look up a link by its name, or by its id.

    Parameters
    ----------
    served : Service or Store
        Where.
    name : str
        Either.

    Returns
    -------
    Link
        Open or closed.

    Raises
    ------
    LinkError
        If there is none.
    """
    table = schema.links
    with service.store_of(served).read() as connection:
        found = _by(connection, (table.c.name == name) | (table.c.link_id == name))
    if not found:
        raise LinkError(f'there is no link "{name}"; `turkbatch server link list` lists them')
    return found[0]


def find_in(connection: sqlalchemy.Connection, link_id: str) -> Link | None:
    """Look up a link within a transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    link_id : str
        Its id.

    Returns
    -------
    Link or None
        None if there is none.
    """
    return next(iter(_by(connection, schema.links.c.link_id == link_id)), None)


def listed(served: service.Service | store.Store) -> list[Link]:
    """List all links.

    Parameters
    ----------
    served : Service or Store
        Where.

    Returns
    -------
    list of Link
        By name.
    """
    with service.store_of(served).read() as connection:
        return _by(connection, sqlalchemy.true())


def work_of(served: service.Service | store.Store, link: Link) -> list[Work]:
    """List what a link leads to.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Which.

    Returns
    -------
    list of Work
        HITs, then types.
    """
    table = schema.link_work
    query = (
        select(table.c.kind, table.c.id)
        .where(table.c.link_id == link.link_id)
        .order_by(table.c.kind, table.c.id)
    )
    with service.store_of(served).read() as connection:
        return [Work(kind, one) for kind, one in connection.execute(query)]


def set_open(served: service.Service | store.Store, name: str, is_open: bool) -> Link:
    """Let new participants in from now on, or no more; those at work go on either way.

    Parameters
    ----------
    served : Service or Store
        Where.
    name : str
        The link.
    is_open : bool
        Which.

    Returns
    -------
    Link
        As it is now.

    Raises
    ------
    LinkError
        If there is none.
    """
    link = find(served, name)
    table = schema.links
    with sweep.writing(service.store_of(served)) as (connection, now):
        changed = table.update().where(table.c.link_id == link.link_id)
        if not is_open:
            # When it was closed first is kept.
            changed = changed.where(table.c.closed_at.is_(None))
        connection.execute(changed.values(closed_at=None if is_open else now))
        return _by(connection, table.c.link_id == link.link_id)[0]


def address(link: Link, base_url: str) -> str:
    """Write the address to give to the platform.

    Parameters
    ----------
    link : Link
        Which.
    base_url : str
        Where participants reach the server.

    Returns
    -------
    str
        With the platform's placeholders, which are not quoted: it looks for them as they are.
    """
    own = link.settings
    named = (own.participant_parameter, own.study_parameter, own.session_parameter)
    pairs = [
        f"{parameter}={placeholder}"
        for parameter, placeholder in zip(named, link.provider.placeholders, strict=True)
        if parameter and placeholder
    ]
    bare = f"{base_url.rstrip('/')}/join/{link.link_id}"
    return f"{bare}?{'&'.join(pairs)}" if pairs else bare


def code_after(link: Link, outcome: str) -> str:
    """Give the code that a visit ends with.

    Parameters
    ----------
    link : Link
        Which.
    outcome : str
        How it ended: a state of a visit.

    Returns
    -------
    str
        Empty if there is none for it.
    """
    return link.settings.codes.get(outcome, "")


def return_address(
    link: Link, outcome: str, *, participant: str, study: str, session: str, kept: Mapping[str, str]
) -> str:
    """Write where a participant goes back when a visit has ended.

    Parameters
    ----------
    link : Link
        Which.
    outcome : str
        How it ended.
    participant, study, session : str
        As they arrived.
    kept : Mapping
        Further parameters that were kept.

    Returns
    -------
    str
        Empty if there is no way back by an address after this outcome.
    """
    code, template = code_after(link, outcome), link.settings.return_url
    if not template:
        return ""
    # Without a code of its own only who completed goes back by it: the same address after
    # another outcome would say that they did.
    if not code and (outcome != "completed" or "code" in providers.template_fields(template)):
        return ""
    values = {name: kept.get(name, "") for name in link.settings.keep}
    own = {"participant": participant, "study": study, "session": session, "code": code}
    return providers.fill(template, values | own)


def new_visit_id() -> str:
    """Make the id of a visit.

    Returns
    -------
    str
        128 random bits: it is in the address of what a participant sees.
    """
    return secrets.token_hex(16)


def unattainable(served: service.Service | store.Store, link: Link) -> list[str]:
    """List the system qualifications that a link's HITs require and newcomers lack.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Which.

    Returns
    -------
    list of str
        Ids of system types that guard acceptance.
    """
    types = schema.hit_types
    query = select(types.c.requirements).where(
        types.c.hit_type_id.in_(_types_of(link.link_id)), types.c.requirements != "[]"
    )
    with service.store_of(served).read() as connection:
        stored = [json.loads(one) for one in connection.scalars(query)]
        newcomer = workforce.standing(connection, "")
    unmet = [one for each in stored for one in requirements.unmet(newcomer, each, "Accept")]
    named = {one["QualificationTypeId"] for one in unmet}
    return sorted(named & set(requirements.SYSTEM_TYPES))


def note_sync(served: service.Service | store.Store, link: Link, *, every_seconds: int) -> bool:
    """Claim the next look at the platform's submissions.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Whose.
    every_seconds : int
        Not more often than that, from however many processes.

    Returns
    -------
    bool
        Whether it is the caller's to do.
    """
    table, moment = schema.links, int(time.time())
    claim = (
        table.update()
        .where(
            table.c.link_id == link.link_id,
            table.c.synced_at.is_(None) | (table.c.synced_at <= moment - every_seconds),
        )
        .values(synced_at=moment)
    )
    with service.store_of(served).write() as connection:
        return bool(connection.execute(claim).rowcount)


def _types_of(link_id: str) -> sqlalchemy.CompoundSelect[Any]:
    work, hits = schema.link_work, schema.hits
    own = select(work.c.id).where(work.c.link_id == link_id)
    through_hits = select(hits.c.hit_type_id).where(
        hits.c.hit_id.in_(own.where(work.c.kind == "hit"))
    )
    return own.where(work.c.kind == "hit_type").union(through_hits)


def _chosen(given: str | None, usual: str) -> str:
    return usual if given is None else given


def _by(connection: sqlalchemy.Connection, which: sqlalchemy.ColumnElement[bool]) -> list[Link]:
    query = schema.links.select().where(which).order_by(schema.links.c.name)
    return [_link(row) for row in connection.execute(query)]


def _link(row: sqlalchemy.Row[Any]) -> Link:
    return Link(
        link_id=row.link_id,
        name=row.name,
        group=row.group_name,
        provider=providers.BY_NAME[row.provider],
        created_at=row.created_at,
        closed_at=row.closed_at,
        places=row.places,
        hits_each=row.hits_each,
        lease_seconds=row.lease_seconds,
        settings=_settings(json.loads(row.settings)),
        synced_at=row.synced_at,
    )


def _settings(stored: dict[str, Any]) -> Settings:
    return Settings(**stored | {"keep": tuple(stored["keep"])})


def _check(provider: providers.Provider, settings: Settings) -> None:
    _check_parameters(settings)
    _check_codes(settings)
    _check_return(settings)
    if settings.verify not in provider.verifies:
        raise LinkError(
            f"{provider.title} proves no ids by {settings.verify}; "
            f"it can be asked for {' or '.join(provider.verifies)}"
        )
    if settings.verify == "api" and not settings.api_token:
        raise LinkError("ids are looked up with an API token; give the file that holds it")
    missing = [name for name in ("jwt", "cryptography") if importlib.util.find_spec(name) is None]
    if settings.verify == "token" and missing:
        raise LinkError(
            f"signed tokens need {' and '.join(missing)}; install what they need with: "
            "pip install 'turkbatch[people]'"
        )
    if "prolific_token" in settings.keep:
        raise LinkError("prolific_token is a proof, which is looked at and not kept")
    if settings.api_url and not _is_address(settings.api_url):
        raise LinkError(f"{settings.api_url} is no address of an API: https://... is needed")


def _check_parameters(settings: Settings) -> None:
    named = [settings.participant_parameter, settings.study_parameter, settings.session_parameter]
    every = [name for name in [*named, *settings.keep] if name]
    if not settings.participant_parameter:
        raise LinkError("without a parameter for the participant's id nobody could be told apart")
    for name in every:
        if not _PARAMETER.match(name):
            raise LinkError(f'"{name}" names no parameter: take letters, digits and _')
    doubled = sorted({name for name in every if every.count(name) > 1})
    if doubled:
        raise LinkError(f"the parameter {doubled[0]} is named twice; each has one meaning")


def _check_codes(settings: Settings) -> None:
    for outcome, code in settings.codes.items():
        if not _CODE.match(code):
            raise LinkError(f'"{code}" is no code: take up to 64 letters, digits, - and _')
        shared = [name for name, other in settings.codes.items() if other.lower() == code.lower()]
        if len(shared) > 1:
            raise LinkError(
                f'"{code}" is the code of {" and of ".join(shared)}: the platform could not tell '
                "them apart; give each outcome its own"
            )
        assert outcome in providers.OUTCOMES, "settings_for and the command line know no others"


def _check_return(settings: Settings) -> None:
    if not settings.return_url:
        return
    if not _is_address(settings.return_url):
        raise LinkError(f"{settings.return_url} is no address to return to: https://... is needed")
    try:
        unknown = providers.template_fields(settings.return_url) - {*_FILLED, *settings.keep}
    except ValueError as error:
        raise LinkError(f"{settings.return_url}: {error}") from error
    if unknown:
        raise LinkError(
            f"{settings.return_url}: nothing is known of {{{sorted(unknown)[0]}}}; there are "
            f"{', '.join(_FILLED)}, and what is kept"
        )


def _is_address(text: str) -> bool:
    parts = urllib.parse.urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not re.search(r"\s", text)


def _check_work(connection: sqlalchemy.Connection, work: Iterable[Work]) -> None:
    columns = {"hit": schema.hits.c.hit_id, "hit_type": schema.hit_types.c.hit_type_id}
    for kind, column in columns.items():
        wanted = [one.id for one in work if one.kind == kind]
        # So many at a time, since databases bound how many values a statement has.
        for start in range(0, len(wanted), 500):
            some = wanted[start : start + 500]
            there = set(connection.scalars(select(column).where(column.in_(some))))
            missing = [one for one in some if one not in there]
            if missing:
                name = "HIT" if kind == "hit" else "HIT type"
                raise LinkError(
                    f"this server has no {name} {missing[0]}; links lead to what it has: "
                    "was the batch made on this database?"
                )
