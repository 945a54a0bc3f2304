"""Where requests go: live, sandbox, local or a server of one's own.

A batch is pinned to the environment it was created in. The pin, the flags and the
environment variables are brought together here, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from turkbatch import errors

Name = Literal["live", "sandbox", "local", "custom"]

ENDPOINTS: Mapping[str, str] = {
    "live": "https://mturk-requester.us-east-1.amazonaws.com",
    "sandbox": "https://mturk-requester-sandbox.us-east-1.amazonaws.com",
}
"""MTurk's own endpoints: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/Welcome.html"""

WORKER_SITES: Mapping[str, str] = {
    "live": "https://worker.mturk.com",
    "sandbox": "https://workersandbox.mturk.com",
}

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_MTURK"
ENVIRONMENT_VARIABLE = "TURKBATCH_ENVIRONMENT"
DATABASE_VARIABLE = "TURKBATCH_SERVER_DB"

WAYS_ON = (
    "AWS's documentation says that MTurk closed on 2026-09-30. There are two ways on:"
    " --local runs everything on turkbatch's own embedded server, with no account;"
    " --endpoint-url URL (or AWS_ENDPOINT_URL_MTURK in .envrc) uses a server of your own,"
    " such as one started by `turkbatch server run`"
)
"""Said wherever an endpoint of AWS's can't be reached or is gone."""

_AWS_HOST = re.compile(
    r"mturk-requester(-sandbox)?(-fips)?\.([a-z0-9-]+\.)+(amazonaws\.com|api\.aws)\.?",
    re.IGNORECASE,
)
"""Every spelling that could reach AWS, the full stop of a complete name included."""
_SQL_USER = re.compile(r"\A[^:/?@]*(:[^@]*)?@")
_SQL_SECRET = re.compile(r"(user|username|passw(or)?d|sslpassword)=", re.IGNORECASE)
_LOOPBACK = re.compile(r"localhost|.*\.localhost|127(\.\d{1,3}){3}|::1", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Environment:
    """One place that answers MTurk's API.

    Parameters
    ----------
    name : {"live", "sandbox", "local", "custom"}
        ``local`` is the embedded server, ``custom`` a server behind a URL.
    endpoint_url : str, optional
        The URL, of all but ``local``.
    database : str, optional
        Path or SQLAlchemy URL of the embedded server's database, of ``local`` alone.
    """

    name: Name
    endpoint_url: str | None = None
    database: str | None = None

    @property
    def is_aws(self) -> bool:
        """Whether requests go to AWS, and so need an account."""
        return self.name in ENDPOINTS

    @property
    def is_loopback(self) -> bool:
        """Whether requests stay on this machine, and so need no credentials."""
        if self.name == "local":
            return True
        host = urlsplit(self.endpoint_url or "").hostname or ""
        return bool(_LOOPBACK.fullmatch(host))

    @property
    def place(self) -> str:
        """What the environment is, for people: ``custom (http://127.0.0.1:8000)``."""
        if self.name == "custom":
            return f"custom ({without_secrets(self.endpoint_url or '')})"
        if self.name == "local":
            return f"local ({without_secrets(self.database or '')})"
        return self.name

    def pin(self) -> dict[str, str]:
        """Give what a batch records: no user names, no passwords."""
        pin: dict[str, str] = {"environment": self.name}
        if self.endpoint_url:
            pin["endpoint_url"] = without_secrets(self.endpoint_url)
        if self.database:
            pin["database"] = without_secrets(self.database)
        return pin

    def same_place(self, pin: Mapping[str, str]) -> bool:
        """Whether a pin names this environment."""
        return self.pin() == dict(pin)


LIVE = Environment("live", ENDPOINTS["live"])
SANDBOX = Environment("sandbox", ENDPOINTS["sandbox"])


def local(database: str) -> Environment:
    """Name the embedded server on a database."""
    return Environment("local", database=database)


def at(url: str) -> Environment:
    """Name the environment behind a URL; AWS's own hosts are known as such.

    Raises
    ------
    RefusedError
        If it is no http or https URL with a host.
    """
    host = _host(url)
    if host is None:
        raise errors.RefusedError(
            f"--endpoint-url {without_secrets(url)}: not a URL of a server;"
            " give one such as http://127.0.0.1:8000"
        )
    if aws := _AWS_HOST.fullmatch(host):
        return SANDBOX if aws[1] else LIVE
    return Environment("custom", url.rstrip("/"))


def _host(url: str) -> str | None:
    """Give the host of an http or https URL that can be requested; None for any other."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:  # the port, or brackets of an IPv6 address
        return None
    return parts.hostname if usable else None


def without_secrets(url: str) -> str:
    """Take user name and password out of a URL; a path stays as it is."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    if scheme.lower() not in {"http", "https"}:
        # SQLAlchemy takes any character but "@" in a password, and both as options too.
        rest = _SQL_USER.sub("", rest)
        place, _, options = rest.partition("?")
        kept = [one for one in options.split("&") if one and not _SQL_SECRET.match(one)]
        rest = "?".join([place, "&".join(kept)]) if kept else place
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}{rest.removeprefix(authority)}"


def from_pin(pin: Mapping[str, str], variables: Mapping[str, str]) -> Environment:
    """Turn a batch's pin back into an environment.

    A password that the pin leaves out is taken from the variable that names the same
    place: ``TURKBATCH_SERVER_DB`` or ``AWS_ENDPOINT_URL_MTURK``.
    """
    name = pin.get("environment")
    if name == "live":
        return LIVE
    if name == "sandbox":
        return SANDBOX
    if name == "local" and "database" in pin:
        return local(_with_secrets(pin["database"], variables.get(DATABASE_VARIABLE, "")))
    if name == "custom" and "endpoint_url" in pin:
        # By at(), so that a pin written by hand is no way to the live site.
        return at(_with_secrets(pin["endpoint_url"], variables.get(ENDPOINT_VARIABLE, "")))
    raise errors.BatchError(f"batch.json: {dict(pin)!r} is no pin that this turkbatch knows")


def _with_secrets(place: str, variable: str) -> str:
    same = without_secrets(variable).rstrip("/") == place.rstrip("/")
    return variable if variable and same else place


@dataclasses.dataclass(frozen=True)
class Choice:
    """An environment and what should be said about how it was chosen."""

    environment: Environment
    notes: tuple[str, ...] = ()


def choose(
    *,
    live: bool = False,
    use_local: bool = False,
    endpoint_url: str | None = None,
    pin: Mapping[str, str] | None = None,
    variables: Mapping[str, str],
    default_database: str,
) -> Choice:
    """Choose where requests go: flag, then pin, then variables, then the sandbox.

    Parameters
    ----------
    live, use_local, endpoint_url
        The flags ``--live``, ``--local`` and ``--endpoint-url``.
    pin : mapping, optional
        What the batch recorded. A batch made by amti has none.
    variables : mapping of str to str
        The process's environment variables.
    default_database : str
        The embedded server's database, unless the pin names one.

    Returns
    -------
    Choice

    Raises
    ------
    RefusedError
        If flags contradict each other, or a URL would reach the live site without ``--live``.
    BatchError
        If a flag contradicts the pin, or the batch is live and ``--live`` is missing.
    """
    flagged = _from_flags(
        live=live, use_local=use_local, endpoint_url=endpoint_url, database=default_database
    )
    notes: tuple[str, ...] = ()
    if pin is not None:
        environment = from_pin(pin, variables)
        _check_flag(flagged, environment, endpoint_url)
        notes = _overruled(environment, variables, default_database)
    elif flagged is not None:
        environment = flagged
        if live and variables.get(ENDPOINT_VARIABLE):
            notes = (f"--live was given: {ENDPOINT_VARIABLE} is not used",)
    else:
        environment = _from_variables(variables, default_database)
    if environment.name == "live" and not live:
        kind = errors.RefusedError if pin is None else errors.BatchError
        raise kind("this goes to the live site, where real money is spent: give --live to mean it")
    return Choice(environment, notes)


def _from_flags(
    *, live: bool, use_local: bool, endpoint_url: str | None, database: str
) -> Environment | None:
    given = [
        name
        for name, value in (
            ("--live", live),
            ("--local", use_local),
            ("--endpoint-url", endpoint_url),
        )
        if value
    ]
    if len(given) > 1:
        raise errors.RefusedError(f"{' and '.join(given)} name different places; give one of them")
    if endpoint_url:
        return at(endpoint_url)
    if use_local:
        return local(database)
    return LIVE if live else None


def _check_flag(flagged: Environment | None, pinned: Environment, endpoint_url: str | None) -> None:
    if flagged is None:
        return
    agrees = flagged.name == pinned.name and (
        endpoint_url is None or flagged.same_place(pinned.pin())
    )
    if not agrees:
        raise errors.BatchError(
            f"this batch was created in {pinned.place}, and the flag asks for {flagged.place};"
            " leave the flag out (or see `turkbatch repin-batch --help`"
            " if a server of your own moved)"
        )


def _overruled(pinned: Environment, variables: Mapping[str, str], database: str) -> tuple[str, ...]:
    """Name the variables that ask for another place than the batch's."""
    notes = []
    url = variables.get(ENDPOINT_VARIABLE)
    if url and without_secrets(url).rstrip("/") != pinned.pin().get("endpoint_url"):
        notes.append(f"{ENDPOINT_VARIABLE} is not used: this batch is pinned to {pinned.place}")
    name = variables.get(ENVIRONMENT_VARIABLE)
    if name and not url and name != pinned.name:
        notes.append(f"{ENVIRONMENT_VARIABLE} is not used: this batch is pinned to {pinned.place}")
    place = pinned.pin().get("database")
    if variables.get(DATABASE_VARIABLE) and place and without_secrets(database) != place:
        notes.append(f"{DATABASE_VARIABLE} is not used: this batch is pinned to {pinned.place}")
    return tuple(notes)


def _from_variables(variables: Mapping[str, str], database: str) -> Environment:
    if url := variables.get(ENDPOINT_VARIABLE):
        return at(url)
    name = variables.get(ENVIRONMENT_VARIABLE) or "sandbox"
    if name == "local":
        return local(database)
    if name == "sandbox":
        return SANDBOX
    raise errors.RefusedError(
        f"{ENVIRONMENT_VARIABLE}={name}: it can be local or sandbox;"
        " the live site is reached by --live alone"
    )
