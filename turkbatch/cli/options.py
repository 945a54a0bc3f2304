"""Options that many commands share, and the client that they lead to."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch.mturk.environments import Environment

P = ParamSpec("P")
R = TypeVar("R")
Decorator = Callable[[Callable[P, R]], Callable[P, R]]

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
CONCURRENCY = 16
"""What :data:`turkbatch.mturk.calls.DEFAULT_CONCURRENCY` is, known without loading boto3."""

PATH = click.Path(path_type=Path)


def command(group: click.Group, name: str) -> Callable[[Callable[..., object]], click.Command]:
    """Add a command to a group; every command takes ``-h`` and ``-v``."""

    def decorate(function: Callable[..., object]) -> click.Command:
        return group.command(name, context_settings=CONTEXT)(verbose(function))

    return decorate


def verbose(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command ``-v``, which may stand before or after the command's name."""
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_log_everything,
        help="Log at DEBUG, and show tracebacks.",
    )(function)


def _log_everything(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        configure_log()


def configure_log() -> None:
    """Send the log of our own modules to standard error, at DEBUG."""
    import logging

    logger = logging.getLogger("turkbatch")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


def batch_dir(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the argument ``BATCH_DIR``."""
    return click.argument("batch_dir", type=PATH)(function)


def environment(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say where requests go, as one ``target``."""

    @click.option("--live", "-l", is_flag=True, help="MTurk's live site, where money is spent.")
    @click.option(
        "--local",
        is_flag=True,
        help="turkbatch's own embedded server; no account needed."
        "  [env: TURKBATCH_ENVIRONMENT=local]",
    )
    @click.option(
        "--endpoint-url",
        metavar="URL",
        help="A server of your own.  [env: AWS_ENDPOINT_URL_MTURK]",
    )
    @click.option("--profile", metavar="NAME", help="AWS profile with the credentials.")
    @functools.wraps(function)
    def wrapped(
        *args: object,
        live: bool,
        local: bool,
        endpoint_url: str | None,
        profile: str | None,
        **kwargs: Any,  # noqa: ANN401 - the command's other options
    ) -> R:
        if live and endpoint_url:
            raise click.UsageError("--live goes to MTurk's own site; leave --endpoint-url out")
        if sum((live, local, bool(endpoint_url))) > 1:
            raise click.UsageError("give one of --live, --local and --endpoint-url")
        target = Target(live, local, endpoint_url, profile)
        return function(*args, target=target, **kwargs)

    return wrapped


def concurrency(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command ``--concurrency``."""
    return click.option(
        "--concurrency",
        type=click.IntRange(1, 32),
        default=CONCURRENCY,
        show_default=True,
        help="Requests in flight at most.",
    )(function)


def yes(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command ``--yes``."""
    return click.option("--yes", "-y", is_flag=True, help="Answer yes to the question.")(function)


def as_json(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command ``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document instead of a table."
    )(function)


def server_database(function: Callable[..., object]) -> Callable[..., object]:
    """Give a command of our own server ``--database``; see :func:`named_database`."""
    return click.option(
        "--database",
        metavar="PATH|URL",
        help="The server's database: a path, or an SQLAlchemy URL.  [env: TURKBATCH_SERVER_DB;"
        " default: a file in your data folder]",
    )(function)


def named_database(database: str | None) -> str:
    """Say which database it is: the one that was given, the variable's, or the usual one."""
    from turkbatch import connect

    if database is None:
        return connect.default_database(os.environ)
    return database if "://" in database else str(Path(database).expanduser().absolute())


class Target:
    """Where the flags of a command line point, before a batch's pin is known."""

    def __init__(
        self, live: bool, local: bool, endpoint_url: str | None, profile: str | None
    ) -> None:
        self._live = live
        self._local = local
        self._endpoint_url = endpoint_url
        self._profile = profile

    @property
    def given(self) -> bool:
        """Whether a flag says where requests go."""
        return self._live or self._local or self._endpoint_url is not None

    def environment(
        self, batch_dir: Path | None = None, *, pin: Mapping[str, str] | None = None
    ) -> Environment:
        """Choose the environment, following a batch's or another pin; say what was overruled.

        Raises
        ------
        BatchError, RefusedError
            As :func:`turkbatch.mturk.environments.choose`.
        """
        from turkbatch import connect
        from turkbatch.batch import directory
        from turkbatch.mturk import environments

        if batch_dir is not None:
            info = directory.open_batch(batch_dir).info
            pin = None if info is None else info.pin
        choice = environments.choose(
            live=self._live,
            use_local=self._local,
            endpoint_url=self._endpoint_url,
            pin=pin,
            variables=os.environ,
            default_database=connect.default_database(os.environ),
        )
        for note in choice.notes:
            click.echo(f"Note: {note}", err=True)
        return choice.environment

    def client(
        self, batch_dir: Path | None = None, *, pin: Mapping[str, str] | None = None
    ) -> MTurkClient:
        """Make the client; see :meth:`environment`."""
        from turkbatch import connect

        return connect.client_for(self.environment(batch_dir, pin=pin), profile=self._profile)


spam = click.option(
    "--spam",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of workers who answer by chance, within seconds.",
)
"""How many of the simulated workers are of no use."""

speed = click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times as fast as usual they work.",
)
"""How long simulated workers seem to take."""
