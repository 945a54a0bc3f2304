"""The doors of an application: by which one a request came in, and where the others are.

The site and the API are at one port, task pages at another; see :mod:`turkbatch.server.origins`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import flask

from turkbatch.server import origins

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ORIGINS: Final = "TURKBATCH_ORIGINS"
_AT_TASK_DOOR: Final = "turkbatch.tasks"


def place(app: flask.Flask, where: origins.Origins) -> None:
    """Tell an application under which addresses it is reached, before it serves.

    Parameters
    ----------
    app : flask.Flask
        With the site's pages.
    where : origins.Origins
        The addresses.
    """
    app.config[_ORIGINS] = where
    # Cookies know no ports: servers beside each other would sign one another's workers out. And
    # with this prefix no other host of the same domain can set it.
    name = "__Host-turkbatch" if where.is_secure and where.guarded else f"turkbatch-{where.port}"
    app.config.update(
        SESSION_COOKIE_NAME=name, SESSION_COOKIE_SECURE=where.is_secure and where.guarded
    )


def known() -> origins.Origins:
    """Give what :func:`place` told the application that answers a request.

    Returns
    -------
    origins.Origins
    """
    return of(flask.current_app)


def of(app: flask.Flask) -> origins.Origins:
    """Give what :func:`place` told an application.

    Parameters
    ----------
    app : flask.Flask
        With the site's pages.

    Returns
    -------
    origins.Origins
    """
    found: origins.Origins = app.config[_ORIGINS]
    return found


def own_origin() -> str:
    """Name the site's origin as the request's browser sees it.

    Returns
    -------
    str
        Scheme and host.
    """
    return known().own(flask.request.host_url)


def task_origin() -> str:
    """Tell where the request's site has its task pages.

    Returns
    -------
    str
        Scheme and host; empty if nowhere of their own.
    """
    return known().of_tasks(flask.request.host_url)


def task_door(app: flask.Flask) -> WSGIApplication:
    """Make what answers at the port of task pages: they alone are there.

    Parameters
    ----------
    app : flask.Flask
        With the site's pages.

    Returns
    -------
    WSGI application
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[_AT_TASK_DOOR] = True
        return app(environ, start_response)

    return answer


def at_task_door() -> bool:
    """Tell whether a request came in by the port of task pages.

    Returns
    -------
    bool
    """
    return is_task_door(flask.request.environ)


def is_task_door(environ: WSGIEnvironment) -> bool:
    """Tell whether a request came in by the port of task pages.

    Parameters
    ----------
    environ : WSGI environment
        Of the request.

    Returns
    -------
    bool
    """
    return _AT_TASK_DOOR in environ
