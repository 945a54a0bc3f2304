"""Under which addresses people reach the server, and under which its task pages.

Task pages are what requesters write, and nobody looks at them before a worker does. They are
therefore on another *site* than the worker site, which is more than another port: browsers
share cookies between ports, let pages of one site send each other's, and may run them in one
process. On loopback the two names of the machine are two sites: the site at 127.0.0.1 has its
task pages at localhost, and the other way round. Behind a proxy they have a host of their own,
``--tasks-url``; without one they are sent with a policy that gives them an origin which nobody
else has, where some of them don't work (no cookies, no storage).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import urllib.parse
from typing import Final

from turkbatch.server import questions

SIGN_INS_PER_MINUTE: Final = 60
"""From one address, unless told otherwise: a room full of people may share one."""
# Loopback addresses that the name localhost leads to; 127.0.0.2 is none of them.
_NAMED_LOCALHOST = {"127.0.0.1", "::1"}


@dataclasses.dataclass(frozen=True)
class Origins:
    """Where the site and its task pages are.

    Parameters
    ----------
    public_url : str
        Of the site and the API: scheme and host, and a port if it is not the scheme's.
    guarded : bool
        Whether people need accounts, and requests signatures.
    bound : str
        The numeric address that is listened on.
    port : int
        The port that is listened on.
    tasks_port : int, optional
        The port of task pages, if there is one.
    tasks_url : str, optional
        How others reach that port.
    """

    public_url: str
    guarded: bool
    bound: str
    port: int
    tasks_port: int | None = None
    tasks_url: str | None = None

    @property
    def is_secure(self) -> bool:
        """Whether people come by HTTPS."""
        return self.public_url.startswith("https:")

    @property
    def has_people(self) -> bool:
        """Whether there is a worker site: passwords don't go over the net in the clear."""
        return not self.guarded or self.is_secure or questions.is_loopback(name(self.public_url))

    def knows(self, host: str, *, at_task_door: bool = False) -> bool:
        """Tell whether a door is open under a name.

        A web page elsewhere can have a name of its own lead to this machine (DNS rebinding),
        and would pass for this site; it can't choose what the browser says as Host.

        Parameters
        ----------
        host : str
            A request's Host header.
        at_task_door : bool
            Whether it came in by the port of task pages.

        Returns
        -------
        bool
        """
        try:
            found = (urllib.parse.urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        told = (self.tasks_url or "") if at_task_door else self.public_url
        return questions.is_loopback(found) or (self.guarded and found == name(told) != "")

    def own(self, host_url: str) -> str:
        """Name the site's origin as a request's browser sees it.

        Parameters
        ----------
        host_url : str
            Scheme and host of the request.

        Returns
        -------
        str
            Without a slash at its end.
        """
        asked = urllib.parse.urlsplit(host_url)
        # A proxy may not have said that it was asked by HTTPS.
        if self.guarded and asked.netloc.lower() == urllib.parse.urlsplit(self.public_url).netloc:
            return self.public_url
        return host_url.rstrip("/")

    def of_tasks(self, host_url: str) -> str:
        """Name the origin of task pages that a page of the site shows.

        Parameters
        ----------
        host_url : str
            Scheme and host of the request for that page.

        Returns
        -------
        str
            Empty if task pages have none of their own.
        """
        if self.tasks_url is not None:
            return self.tasks_url
        return self._other_name(host_url, self.tasks_port)

    def of_site(self, host_url: str) -> str:
        """Name the site whose frames may show a task page.

        Parameters
        ----------
        host_url : str
            Scheme and host of the request for the task page, at the door for task pages.

        Returns
        -------
        str
            Empty if the page is not where task pages belong: nobody's frames may show it.
        """
        if self.tasks_url is None:
            return self._other_name(host_url, self.port)
        return self.public_url if host_url.rstrip("/").lower() == self.tasks_url else ""

    def _other_name(self, host_url: str, port: int | None) -> str:
        apart = self.tasks_port is not None and not self.guarded
        if not apart or self.bound not in _NAMED_LOCALHOST:
            return ""
        literal = f"[{self.bound}]" if ":" in self.bound else self.bound
        asked = urllib.parse.urlsplit(host_url).hostname
        if asked == "localhost":
            return f"http://{literal}:{port}"
        return f"http://localhost:{port}" if asked == self.bound else ""


@dataclasses.dataclass(frozen=True)
class Exposure:
    """How others reach a server that is about to listen.

    Parameters
    ----------
    public_url : str, optional
        From :func:`checked`; where the server listens, if not given.
    tasks_url : str, optional
        From :func:`checked`; how others reach the port of task pages.
    tasks_port : int, optional
        That port; the one after the server's, if not given.
    trusted_proxy : str, optional
        A numeric address, whose word is taken for who asks.
    sign_ins_per_minute : int
        From one address, as long as accounts are needed.
    """

    public_url: str | None = None
    tasks_url: str | None = None
    tasks_port: int | None = None
    trusted_proxy: str | None = None
    sign_ins_per_minute: int = SIGN_INS_PER_MINUTE


def name(url: str) -> str:
    """Give the host's name in an address.

    Parameters
    ----------
    url : str
        An address.

    Returns
    -------
    str
        In small letters; empty if there is none.
    """
    return (urllib.parse.urlsplit(url).hostname or "").lower()


def checked(url: str, option: str) -> str:
    """Look at an address that others are to use.

    Parameters
    ----------
    url : str
        As it was given.
    option : str
        Which option gave it.

    Returns
    -------
    str
        Scheme and host, in small letters, as browsers write an origin.

    Raises
    ------
    ValueError
        If it is none, or has more to it.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f'{option}: "{url}" is no address: {error}') from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f'{option}: "{url}" is no address of a server; write it as https://work.example.org'
        )
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(
            f'{option}: "{url}" has more than a host; the site needs a host of its own, '
            f"such as https://{parts.hostname}"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.lower()
    scheme = parts.scheme.lower()
    usual = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" if port in (None, usual) else f"{scheme}://{host}:{port}"


def exposure(
    *,
    public_url: str | None,
    tasks_url: str | None,
    tasks_port: int | None,
    trusted_proxy: str | None,
    sign_ins_per_minute: int,
) -> Exposure:
    """Look at all that says how others reach a server.

    Parameters
    ----------
    public_url, tasks_url : str or None
        For :func:`checked`.
    tasks_port : int or None
        As of :class:`Exposure`.
    trusted_proxy : str or None
        A numeric address.
    sign_ins_per_minute : int
        As of :class:`Exposure`.

    Returns
    -------
    Exposure

    Raises
    ------
    ValueError
        If an address is none, or task pages would be where the site is.
    """
    public = None if public_url is None else checked(public_url, "--public-url")
    tasks = None if tasks_url is None else checked(tasks_url, "--tasks-url")
    _check_apart(public, tasks)
    proxy = None if trusted_proxy is None else _checked_proxy(trusted_proxy)
    return Exposure(public, tasks, tasks_port, proxy, sign_ins_per_minute)


def _check_apart(public_url: str | None, tasks_url: str | None) -> None:
    if tasks_url is None:
        return
    if public_url is None:
        raise ValueError("--tasks-url: needs --public-url, the address of the site itself")
    if name(public_url) == name(tasks_url):
        raise ValueError(
            f"--tasks-url: {name(tasks_url)} is the site's own host, whose cookies task pages "
            "could set and send; give them another host, best one of another domain"
        )
    if public_url.startswith("https:") and not tasks_url.startswith("https:"):
        raise ValueError(
            f"--tasks-url: {tasks_url} is not HTTPS, and browsers load no such frame into "
            "a page that is"
        )


def _checked_proxy(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError as error:
        raise ValueError(
            f'--trusted-proxy: "{address}" is no numeric address; give the one that the proxy '
            "connects from, such as 127.0.0.1"
        ) from error
