"""A boto3 client for MTurk's API, with nothing left to configuration files.

botocore makes one attempt at each request: its own retrying gives up after some fifty
throttled calls, and knows nothing of what may be sent twice. Pacing, backing off and
repeating are in :mod:`turkbatch.mturk.calls` alone.

Two things that botocore does anew for each request took a fifth of a request's CPU, and are
given to it ready made: its name for itself, and times in the zone of this machine.
"""

from __future__ import annotations

import os
import platform
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import botocore.config
import botocore.session
import botocore.utils

from turkbatch import __version__, errors
from turkbatch.mturk import environments, faults

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

REGION = "us-east-1"
"""The only one that MTurk has."""
CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 30
CONNECTIONS = 32
"""Kept open at once; as many requests as can be in flight at most."""
USER_AGENT = f"turkbatch/{__version__} Boto3/{boto3.__version__} Python/{platform.python_version()}"
"""Given ready made; botocore adds its own version. It would put it together twice a request."""
EMBEDDED_URL = "http://embedded.localhost"
"""Never opened: the embedded server answers before a socket is asked for."""

_environments: weakref.WeakKeyDictionary[object, environments.Environment] = (
    weakref.WeakKeyDictionary()
)


def create(
    environment: environments.Environment,
    *,
    profile: str | None = None,
    timeout_seconds: float = READ_TIMEOUT_SECONDS,
) -> MTurkClient:
    """Make a client for an environment.

    Parameters
    ----------
    environment : Environment
        Where its requests go.
    profile : str, optional
        A profile of AWS's configuration files, for the credentials alone.
    timeout_seconds : float
        How long to wait for a reply.

    Returns
    -------
    MTurkClient
        A boto3 client, which gives times in UTC. For ``local``, the server is still to be
        attached.

    Raises
    ------
    CredentialsError
        If the environment needs credentials and boto3's chain finds none, or none of use.
    RefusedError
        If boto3 takes its URL for none.
    """
    # Nothing is verified on this machine; a key of the user's has no business in the request.
    key = "local" if environment.is_loopback and profile is None else None
    with faults.translated("mturk", environment):
        core = botocore.session.Session() if key is None else _session_without_files()
        session = boto3.Session(botocore_session=core, profile_name=profile, region_name=REGION)
        if key is None and session.get_credentials() is None:
            raise errors.CredentialsError(faults.no_credentials(environment))
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        client = _client(session, environment, key, timeout_seconds)
    _environments[client] = environment
    return client


def _session_without_files() -> botocore.session.Session:
    """Make a session that no profile, chosen or broken, can spoil: it needs none."""
    return botocore.session.Session(
        {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )


def _moment(value: float | str) -> datetime:
    """Read a time of a reply, in seconds since 1970 as MTurk gives it."""
    if isinstance(value, str):
        return botocore.utils.parse_timestamp(value)
    return datetime.fromtimestamp(value, UTC)


def _client(
    session: boto3.Session,
    environment: environments.Environment,
    key: str | None,
    timeout_seconds: float,
) -> MTurkClient:
    try:
        return session.client(
            "mturk",
            region_name=REGION,
            endpoint_url=environment.endpoint_url or EMBEDDED_URL,
            config=botocore.config.Config(
                retries={"total_max_attempts": 1},
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=timeout_seconds,
                max_pool_connections=CONNECTIONS,
                tcp_keepalive=True,
                user_agent=USER_AGENT,
                # Settings of the user's for other services; with an endpoint they are refused.
                use_fips_endpoint=False,
                use_dualstack_endpoint=False,
                # A proxy for the internet must not see what is said to this machine.
                proxies={} if environment.is_loopback else None,
            ),
            aws_access_key_id=key,
            aws_secret_access_key=key,
        )
    except ValueError as error:
        raise errors.RefusedError(
            f"{environment.place}: boto3 can't send to this URL ({error});"
            " give one such as http://127.0.0.1:8000"
        ) from error


def environment_of(client: MTurkClient) -> environments.Environment:
    """Tell where a client's requests go, whoever made it.

    Parameters
    ----------
    client : MTurkClient
        One of ours, or any boto3 client for ``mturk``.

    Returns
    -------
    Environment
    """
    known = _environments.get(client)
    return known if known is not None else environments.at(client.meta.endpoint_url)
