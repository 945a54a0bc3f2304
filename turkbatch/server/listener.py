"""An HTTP server for a WSGI application: waitress, with a way to break connections.

waitress reads whole requests in one thread and hands them to a pool of others, so that slow
clients hold nobody up; it keeps connections, bounds headers and bodies, and needs no
compiler nor another process. For the fault plan an application can call
``environ["turkbatch.break"]``, and the connection is reset instead of a reply, or
``environ["turkbatch.hang"]``, and there is no reply for as long as the client waits (two
minutes at most). ``environ["turkbatch.forwarded"]`` names what tells that a proxy which is not
trusted has passed a request on.

Of what a proxy says only ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are taken, and only from
the one address that is trusted; waitress does it, because it looks at where a connection comes
from, which middleware such as Werkzeug's ProxyFix does not. ``X-Forwarded-Host`` is not taken:
signatures of requests cover Host, so a proxy must pass that on as it is anyway.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from waitress import channel, server, task, wasyncore

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

# Bodies beyond it are not even read; the application has smaller limits of its own.
_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_IDLE_SECONDS: Final = 120
_BACKLOG: Final = 128
_CONNECTIONS: Final = 1000
# As many requests are worked on at a time. Most of them wait: for the database's lock, or
# for the latency that a fault plan asks for.
_THREADS: Final = 40
_END_SECONDS: Final = 10
# What proxies add to the requests that they pass on.
_PROXY_HEADERS: Final = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_CF_CONNECTING_IP")
_PROXY_PREFIX: Final = "HTTP_X_FORWARDED_"


class Listener:
    """A listening socket and the connections that come in through it.

    Clients can connect from the beginning; they are answered by :meth:`serve_forever`, which
    may be called in another process than the one that made the listener.

    Parameters
    ----------
    host : str
        Address to bind.
    port : int
        Port to bind; 0 for any that is free.
    application : WSGI application
        What answers.
    trusted_proxy : str, optional
        The numeric address of a proxy whose word is taken for who asks, and by which scheme.

    Raises
    ------
    OSError
        If the address can't be bound.
    """

    def __init__(
        self,
        host: str,
        port: int,
        application: WSGIApplication,
        *,
        trusted_proxy: str | None = None,
    ) -> None:
        self.application = application
        self._trusted_proxy = trusted_proxy
        self._socket = _bound(host, port)
        host_bound, port_bound, *_ = self._socket.getsockname()
        self.server_address = (str(host_bound), int(port_bound))
        """What was bound, as numbers."""
        self._lock = threading.Lock()
        # What wakes the loop; None while there is none.
        self._trigger: Any = None
        self._stopping = False
        self._ended = threading.Event()
        self._ended.set()

    @property
    def url(self) -> str:
        """Where clients find it."""
        host, port = self.server_address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def serve_forever(self, poll_interval: float = 1) -> None:
        """Answer until :meth:`shutdown` is called, or the process is interrupted.

        Parameters
        ----------
        poll_interval : float
            How long to wait at most before looking around, in seconds; requests and a
            shutdown are seen at once.
        """
        with self._lock:
            if self._stopping:
                return
            sockets: dict[int, Any] = {}
            made = self._waitress(sockets)
            self._trigger = made.trigger.pull_trigger
            self._ended.clear()
        try:
            while sockets and not self._stopping:
                wasyncore.loop(timeout=poll_interval, use_poll=True, map=sockets, count=1)
        finally:
            # Threads that still answer wake the loop when they are done, so they come first:
            # a closed socket's number may be another file's by then.
            made.task_dispatcher.shutdown(timeout=_END_SECONDS)
            with self._lock:
                self._trigger = None
                wasyncore.close_all(sockets)
            self._ended.set()

    def shutdown(self) -> None:
        """Make :meth:`serve_forever` return, and wait until it has; breaks connections."""
        with self._lock:
            self._stopping = True
            if self._trigger is not None:
                self._trigger()
        self._ended.wait()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _waitress(self, sockets: dict[int, Any]) -> Any:  # noqa: ANN401, its trigger is typed wrongly
        # It warns of every request that waits for a thread.
        queue_logger = logging.getLogger("waitress.queue")
        if not queue_logger.handlers:
            queue_logger.addHandler(logging.NullHandler())
        made = server.create_server(
            self.application,
            map=sockets,
            sockets=[self._socket],
            server_name=self.server_address[0],
            ident="turkbatch",
            threads=_THREADS,
            connection_limit=_CONNECTIONS,
            backlog=_BACKLOG,
            channel_timeout=_IDLE_SECONDS,
            max_request_body_size=_MAX_BODY_BYTES,
            recv_bytes=65_536,
            # Clients that go away in the middle are no trouble of ours.
            log_socket_errors=False,
            clear_untrusted_proxy_headers=True,
            **_trusting(self._trusted_proxy),
        )
        assert isinstance(made, server.TcpWSGIServer)
        made.channel_class = _Channel
        return made


def _trusting(proxy: str | None) -> dict[str, Any]:
    if proxy is None:
        return {}
    return {
        "trusted_proxy": proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
    }


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


class _Task(task.WSGITask):
    """One request; no reply is sent once a fault has been asked for."""

    fault: Literal["break", "hang"] | None = None

    def get_environment(self) -> WSGIEnvironment:
        environ = super().get_environment()
        # Before what is not to be trusted is cleared away.
        trusted = environ["REMOTE_ADDR"] == self.channel.server.adj.trusted_proxy
        environ["turkbatch.forwarded"] = "" if trusted else _marks_of_proxy(environ)
        environ["turkbatch.break"] = lambda: setattr(self, "fault", "break")
        environ["turkbatch.hang"] = lambda: setattr(self, "fault", "hang")
        return environ

    def write(self, data: bytes) -> None:
        if self.fault is None:
            super().write(data)

    def finish(self) -> None:
        if self.fault is None:
            super().finish()
        elif self.fault == "break":
            # Lingering for no time makes the system send a reset instead of an orderly end.
            connection = self.channel.socket
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_on_finish = True


def _marks_of_proxy(environ: WSGIEnvironment) -> str:
    """Name what says that a proxy passed a request on; empty if nothing does."""
    found = [
        name.removeprefix("HTTP_").replace("_", "-").title()
        for name in environ
        if name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIX)
    ]
    # nginx, unless told otherwise, adds no header, but asks in this version; browsers don't.
    if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        found.append("HTTP/1.0")
    return ", ".join(sorted(found))


class _Channel(channel.HTTPChannel):
    task_class = _Task
