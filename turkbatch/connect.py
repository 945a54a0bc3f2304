"""Clients for every environment: the one place where the service and our server meet."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from turkbatch import errors
from turkbatch.mturk import client as clients
from turkbatch.mturk import environments

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.server import service

DATABASE_NAME = "server.db"


def default_database(variables: Mapping[str, str]) -> str:
    """Name the embedded server's database.

    Parameters
    ----------
    variables : mapping of str to str
        The process's environment variables; ``TURKBATCH_SERVER_DB`` names a path or an
        SQLAlchemy URL.

    Returns
    -------
    str
        An absolute path, or a URL. Without the variable it is a file in the user's data
        folder.
    """
    named = variables.get(environments.DATABASE_VARIABLE)
    if named:
        return named if "://" in named else str(Path(named).expanduser().absolute())
    return str(platformdirs.user_data_path("turkbatch", appauthor=False) / DATABASE_NAME)


def open_service(database: str, *, foreign_types: bool = False) -> service.Service:
    """Open our own server on a database, made if missing.

    Parameters
    ----------
    database : str
        A path or a URL.
    foreign_types : bool
        Whether HITs may require qualification types that are only known to MTurk itself.

    Raises
    ------
    ServiceError
        If the database can't be opened, or was written by a later turkbatch.
    """
    # Late, because most commands never need the server, and SQLAlchemy is slow to load.
    from turkbatch.server import service, store

    try:
        if "://" not in database:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        return service.Service(store.Store.open(database), foreign_types=foreign_types)
    except (store.StoreError, OSError) as error:
        raise errors.ServiceError(f"the server's database can't be opened: {error}") from error


def client_for(environment: environments.Environment, *, profile: str | None = None) -> MTurkClient:
    """Make a boto3 client for an environment; see :func:`turkbatch.mturk.client.create`."""
    made = clients.create(environment, profile=profile)
    if environment.name == "local":
        from turkbatch.server import inprocess

        assert environment.database is not None, "a local environment has a database"
        # A definition that names its author's own qualification types can be tried out all the
        # same: simulated workers pass for holding them.
        inprocess.attach(made, open_service(environment.database, foreign_types=True))
    return made


def client(
    *,
    live: bool = False,
    local: bool = False,
    endpoint_url: str | None = None,
    profile: str | None = None,
    batch_dir: str | os.PathLike[str] | None = None,
) -> MTurkClient:
    """Make a boto3 client, chosen as the commands choose it.

    Parameters
    ----------
    live : bool
        MTurk's production site, where real money is spent.
    local : bool
        turkbatch's own embedded server; needs no account.
    endpoint_url : str, optional
        A server of one's own.
    profile : str, optional
        A profile of AWS's configuration files.
    batch_dir : path, optional
        A batch whose pin is followed.

    Returns
    -------
    MTurkClient
        For the sandbox, unless something says otherwise.

    Raises
    ------
    RefusedError, BatchError
        If what was asked contradicts itself, or the batch.
    CredentialsError
        If credentials are needed and none are found.
    """
    from turkbatch.batch import directory

    pin = None
    if batch_dir is not None:
        info = directory.open_batch(Path(batch_dir)).info
        pin = None if info is None else info.pin
    chosen = environments.choose(
        live=live,
        use_local=local,
        endpoint_url=endpoint_url,
        pin=pin,
        variables=os.environ,
        default_database=default_database(os.environ),
    )
    return client_for(chosen.environment, profile=profile)
