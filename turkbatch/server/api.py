"""The Requester API over HTTP: ``POST /``, before all pages.

It is a WSGI application of its own. Whoever calls it is known by the request's signature, so
it needs none of what pages do: routes, sessions, cookies, forms. Flask would add a quarter to
the work of a call.
"""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import werkzeug
from werkzeug import datastructures, wsgi

from turkbatch.server import protocol, service

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Refuse = Callable[["WSGIEnvironment"], werkzeug.Response | None]
"""Gives the reply to a request that is not to be answered, and None to others."""

# Longer bodies are not even read; the API refuses much shorter ones, in its own form.
_MAX_READ_BYTES: Final = 4 * protocol.MAX_BODY_BYTES
_TOO_MUCH: Final = b" " * (protocol.MAX_BODY_BYTES + 1)


def before(
    pages: WSGIApplication,
    served: service.Service,
    *,
    is_here: Callable[[WSGIEnvironment], bool],
    refuse: Refuse,
) -> WSGIApplication:
    """Put the API before an application.

    Parameters
    ----------
    pages : WSGI application
        Answers everything else.
    served : Service
        What answers calls.
    is_here : callable
        Whether the API is at the door by which a request came in.
    refuse : callable
        Who may not call.

    Returns
    -------
    WSGI application
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_call = environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/"
        if not is_call or not is_here(environ):
            return pages(environ, start_response)
        if (refusal := refuse(environ)) is not None:
            return refusal(environ, start_response)
        return _answered(served, environ, start_response)

    return answer


def _answered(
    served: service.Service, environ: WSGIEnvironment, start_response: StartResponse
) -> Sequence[bytes]:
    headers = dict(datastructures.EnvironHeaders(environ))
    try:
        reply = served.handle(headers, _body(environ), from_network=True)
    except service.Lost:
        reply = _broken(environ, "turkbatch.break")
    except service.Hang:
        reply = _broken(environ, "turkbatch.hang")
    phrase = http.HTTPStatus(reply.status).phrase
    start_response(f"{reply.status} {phrase}", list(reply.headers.items()))
    return [reply.body]


def _body(environ: WSGIEnvironment) -> bytes:
    try:
        return wsgi.get_input_stream(environ, max_content_length=_MAX_READ_BYTES).read()
    except werkzeug.exceptions.RequestEntityTooLarge:
        return _TOO_MUCH


def _broken(environ: WSGIEnvironment, fault: str) -> protocol.Reply:
    act = environ.get(fault)
    if act is not None:
        act()
    # For a server that knows nothing of it: as near as a WSGI application comes to silence.
    return protocol.Reply(503, {"Content-Length": "0"}, b"")
