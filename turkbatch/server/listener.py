"""An HTTP/1.1 server for a WSGI application, a thread for each connection.

werkzeug's own development server closes each connection after one reply, which costs every
request a new one. This one keeps connections, sends each reply in one piece without delay,
and can break a connection the hard way, for the fault plan: the application does so by
calling ``environ["turkbatch.break"]`` or ``environ["turkbatch.hang"]``.
"""

from __future__ import annotations

import http.server
import io
import logging
import select
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_logger = logging.getLogger(__name__)

# Bodies beyond it are not even read; the application has smaller limits of its own.
_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_IDLE_SECONDS: Final = 120


class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A listening socket and the connections that came in through it.

    Parameters
    ----------
    host : str
        Address to bind.
    port : int
        Port to bind; 0 for any that is free.
    application : WSGI application
        What answers.
    """

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, host: str, port: int, application: WSGIApplication) -> None:
        self.application = application
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where clients find it."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}"

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which http.server does and may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(
        self,
        request: Any,  # noqa: ANN401, as in the standard library
        client_address: Any,  # noqa: ANN401, as in the standard library
    ) -> None:
        """Start a thread for a connection, and remember both for the end.

        Parameters
        ----------
        request : socket.socket
            The connection.
        client_address : tuple
            Where it comes from.
        """
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def process_request_thread(
        self,
        request: Any,  # noqa: ANN401, as in the standard library
        client_address: Any,  # noqa: ANN401, as in the standard library
    ) -> None:
        """Serve a connection to its end.

        Parameters
        ----------
        request : socket.socket
            The connection.
        client_address : tuple
            Where it comes from.
        """
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.pop(request, None)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what went wrong with a connection; one that the client broke is no error.

        Parameters
        ----------
        request : socket.socket
            The connection.
        client_address : tuple
            Where it comes from.
        """
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        _logger.log(level, "connection from %s failed", client_address, exc_info=True)
        del request

    def close(self) -> None:
        """Stop listening, break the connections that are open, and wait for their threads."""
        self.stopping.set()
        self.server_close()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            _shut(connection)
        for thread in connections.values():
            thread.join(timeout=10)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "turkbatch"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: Listener

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401, as in the standard library
        # http.server looks for do_GET and the like; every method goes to the application.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        _logger.debug("%s " + format, self.client_address[0], *args)

    def _serve(self) -> None:
        length = self._length()
        if length is None:
            return
        body = self.rfile.read(length)
        if len(body) < length:  # the client went away in the middle of its request
            self.close_connection = True
            return
        exchange = _Exchange()
        environ = self._environ(body, exchange)
        content = exchange.run(self.server.application, environ)
        match exchange.fault:
            case "break":
                self._break()
            case "hang":
                self._hang()
            case _:
                self._reply(exchange, content)

    def _length(self) -> int | None:
        text = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self.send_error(411, "Send a Content-Length")
        elif not (text.isascii() and text.isdigit()):
            self.send_error(400, "Content-Length is not a number")
        elif len(text) > 15 or int(text) > _MAX_BODY_BYTES:
            self.send_error(413, "The request is too large")
        else:
            return int(text)
        self.close_connection = True
        return None

    def _environ(self, body: bytes, exchange: _Exchange) -> WSGIEnvironment:
        path, _, query = self.path.partition("?")
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "turkbatch.break": lambda: setattr(exchange, "fault", "break"),
            "turkbatch.hang": lambda: setattr(exchange, "fault", "hang"),
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                environ[f"HTTP_{key}"] = value
        return environ

    def _reply(self, exchange: _Exchange, content: bytes) -> None:
        headers = list(exchange.headers)
        names = {name.lower() for name, _ in headers}
        if "content-length" not in names:
            headers.append(("Content-Length", str(len(content))))
        if "date" not in names:
            headers.append(("Date", self.date_time_string()))
        if self.close_connection:
            headers.append(("Connection", "close"))
        lines = [f"{self.protocol_version} {exchange.status}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        # In one piece: http.server itself would send the headers in a packet of their own.
        self.wfile.write(head + (b"" if self.command == "HEAD" else content))

    def _break(self) -> None:
        # Lingering for no time makes the system send a reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _hang(self) -> None:
        # Until the client gives up, or the server stops.
        while not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(65_536):
                break
        self.close_connection = True


class _Exchange:
    """One call of the application, and what it wants to be done with the connection."""

    def __init__(self) -> None:
        self.status = "500 Internal Server Error"
        self.headers: list[tuple[str, str]] = []
        self.fault: str | None = None

    def run(self, application: WSGIApplication, environ: WSGIEnvironment) -> bytes:
        pieces: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _error: object = None
        ) -> Any:  # noqa: ANN401, WSGI's own type is of no use here
            self.status, self.headers = status, headers
            return pieces.append

        start: StartResponse = start_response
        result: Iterable[bytes] = application(environ, start)
        try:
            pieces.extend(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        return b"".join(pieces)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        _logger.debug("a connection had ended by itself")
