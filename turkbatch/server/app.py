"""The service over HTTP: the API, a control page, and the worker site.

===========================  =======================================================
``POST /``                   the Requester API
``GET /turkbatch/info``      version, database, clock
``/turkbatch/faults``        GET, PUT (``{"plan": "GetHIT:500@1 lag=30"}``), DELETE
``/turkbatch/calls``         GET: calls of each operation; DELETE: count anew
``/turkbatch/notifications`` GET: the log of messages about events, ``?after=NUMBER``
``POST /mturk/accept``       hitId, workerId; for scripts: leads to the task's page
``POST /mturk/return``       assignmentId; for scripts
``GET /mturk/files/TOKEN``   a file that a worker handed in
all else                     the worker site, :mod:`turkbatch.server.site`
===========================  =======================================================

On a loopback address nobody has to say who asks, so only requests that name a loopback host
are answered: a web page elsewhere can't reach it by a name of its own that it points at this
machine. On any other address requests to the API must be signed with a requester's key, and
there is nothing else: the control page and the workers' pages don't know who asks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.metadata
import io
import signal
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Final

import flask
import werkzeug

from turkbatch.server import (
    courier,
    listener,
    notifying,
    protocol,
    questions,
    service,
    site,
    store,
    task_pages,
    uploads,
    worker,
)

_MAX_SUBMISSION_BYTES: Final = 8 * 1024 * 1024
_SHARED: Final = "TURKBATCH_SHARED"


class BindError(Exception):
    """The address can't be listened on."""


def create_app(
    served: service.Service, *, crowd_elements: task_pages.CrowdElements = "local"
) -> flask.Flask:
    """Make the WSGI application.

    Parameters
    ----------
    served : Service
        What answers.
    crowd_elements : {"local", "cdn"}
        Where task pages get the Crowd HTML Elements from: here, or AWS.

    Returns
    -------
    flask.Flask
        For :func:`serve`, or a test client.
    """
    app = flask.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_SUBMISSION_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = _MAX_SUBMISSION_BYTES
    app.before_request(functools.partial(_refuse_foreign, served))
    _add_api(app, served)
    _add_control(app, served)
    _add_worker_pages(app, served)
    site.add_pages(app, served, crowd_elements=crowd_elements)
    return app


def serve(
    served: service.Service,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    crowd_elements: task_pages.CrowdElements = "local",
    processes: int = 1,
    public_url: str | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until interrupted (Ctrl-C) or terminated.

    Parameters
    ----------
    served : Service
        What answers.
    host : str
        An address of this machine. Any but loopback ones need requesters' keys.
    port : int
        0 for any that is free. Task pages are on the next one, or any if that is taken.
    crowd_elements : {"local", "cdn"}
        Where task pages get the Crowd HTML Elements from: here, or AWS.
    processes : int
        How many processes serve. With more than one there are no faults and no counts.
    public_url : str, optional
        How others reach the server, for links in replies; the address, if not given.
    on_ready : callable, optional
        Told the URL once it is being listened on.

    Raises
    ------
    BindError
        If the address is not this machine's, or taken; if keys are demanded, and there are
        none; or if the processes don't stay.
    """
    server = _listener(served, host, port, crowd_elements)
    served.public_url = public_url or server.url

    def work() -> None:
        with _terminated(server), _task_door(served, server):
            if processes == 1 and on_ready is not None:
                on_ready(server.url)
            # What a process before this one did not get to deliver.
            courier.wake(served.store)
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever(poll_interval=0.1)

    with server:
        if processes == 1:
            work()
        else:
            _serve_by_many(served, server, work, processes, on_ready)


def _serve_by_many(
    served: service.Service,
    server: listener.Listener,
    work: Callable[[], None],
    count: int,
    on_ready: Callable[[str], None] | None,
) -> None:
    from turkbatch.server import processes

    assert isinstance(server.application, flask.Flask)
    server.application.config[_SHARED] = True
    # Connections to a database are no good in another process than their own.
    served.store.close()
    if on_ready is not None:
        on_ready(server.url)
    try:
        processes.serve(count, work)
    except processes.ProcessError as error:
        raise BindError(str(error)) from error


@contextlib.contextmanager
def running(
    served: service.Service | store.Store,
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    crowd_elements: task_pages.CrowdElements = "local",
) -> Iterator[str]:
    """Serve from a thread for as long as the block lasts.

    Parameters
    ----------
    served : Service or Store
        What answers.
    port : int
        0 for any that is free.
    host : str
        A loopback address.
    crowd_elements : {"local", "cdn"}
        Where task pages get the Crowd HTML Elements from: here, or AWS.

    Yields
    ------
    str
        The URL, for ``endpoint_url``.

    Raises
    ------
    BindError
        If the address is not this machine's own, or taken.
    """
    if isinstance(served, store.Store):
        served = service.Service(served)
    server = _listener(served, host, port, crowd_elements)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        with _task_door(served, server):
            yield server.url
    finally:
        server.shutdown()
        thread.join()
        server.close()


def _task_door(
    served: service.Service, server: listener.Listener
) -> contextlib.AbstractContextManager[None]:
    # Where keys are demanded there are no workers' pages.
    return contextlib.nullcontext() if served.keys_demanded else site.task_door(server)


def _listener(
    served: service.Service,
    host: str,
    port: int,
    crowd_elements: task_pages.CrowdElements = "local",
) -> listener.Listener:
    if not questions.is_loopback(host):
        served.keys_demanded = True
    if served.keys_demanded:
        _need_a_key(served, host)
    try:
        made = listener.Listener(host, port, create_app(served, crowd_elements=crowd_elements))
        served.public_url = made.url
        return made
    except OSError as error:
        raise BindError(f"{host}:{port} can't be listened on: {error.strerror}") from error


def _need_a_key(served: service.Service, host: str) -> None:
    from turkbatch.server import keys  # late: botocore's signer is slow to load

    if not keys.listed(served.store):
        raise BindError(
            f"{host}: whoever asks here needs a requester's key, and there is none yet; make one "
            "with: turkbatch server key add NAME"
        )


@contextlib.contextmanager
def _terminated(server: listener.Listener) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return

    def stop(_number: int, _frame: object) -> None:
        # From another thread: shutdown waits for the loop that this handler interrupts.
        threading.Thread(target=server.shutdown, daemon=True).start()

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


# Where keys are demanded, all that asks for none is open only if an address that nobody can
# guess leads to it. Workers' pages, where anyone passes for any worker, are not.
_OPEN_TO_ALL: Final = {"api", "uploaded_file"}
# What is in the memory of a process, and so not the same for all that serve.
_OF_ONE_PROCESS: Final = {
    "show_faults",
    "load_faults",
    "clear_faults",
    "show_calls",
    "reset_calls",
}


def _refuse_foreign(served: service.Service) -> flask.Response | None:
    if flask.current_app.config.get(_SHARED) and flask.request.endpoint in _OF_ONE_PROCESS:
        return flask.Response("Several processes serve here; each would have its own.\n", 409)
    if served.keys_demanded:
        if flask.request.endpoint in _OPEN_TO_ALL:
            return None
        return flask.Response("Beyond loopback this server answers its API alone.\n", 403)
    host = flask.request.headers.get("Host", "")
    with contextlib.suppress(ValueError):
        name = urllib.parse.urlsplit(f"//{host}").hostname
        if name and questions.is_loopback(name):
            return None
    return flask.Response("This server answers under loopback names alone.\n", 403)


def _add_api(app: flask.Flask, served: service.Service) -> None:
    @app.post("/")
    def api() -> flask.Response:
        request = flask.request
        try:
            body = request.get_data()
        except werkzeug.exceptions.RequestEntityTooLarge:
            body = b" " * (protocol.MAX_BODY_BYTES + 1)  # refused below in the API's own form
        try:
            reply = served.handle(dict(request.headers), body, from_network=True)
        except service.Lost:
            return _broken("turkbatch.break")
        except service.Hang:
            return _broken("turkbatch.hang")
        return flask.Response(reply.body, reply.status, dict(reply.headers))


def _broken(fault: str) -> flask.Response:
    act = flask.request.environ.get(fault)
    if act is not None:
        act()
    # For a server that knows nothing of it: as near as a WSGI application comes to silence.
    return flask.Response(b"", 503)


def _add_control(app: flask.Flask, served: service.Service) -> None:
    @app.get("/turkbatch/info")
    def info() -> dict[str, object]:
        return {
            "version": _version(),
            "database": served.store.database,
            "clock": served.clock.now().isoformat(),
            "clock_offset_seconds": served.clock.offset().total_seconds(),
        }

    @app.get("/turkbatch/notifications")
    def show_notifications() -> dict[str, object]:
        after = flask.request.args.get("after", 0, type=int)
        found = notifying.log(served.store, after=after)
        return {"notifications": [dataclasses.asdict(one) for one in found]}

    @app.get("/turkbatch/faults")
    def show_faults() -> dict[str, object]:
        return {"plan": str(served.faults.plan)}

    @app.put("/turkbatch/faults")
    def load_faults() -> tuple[dict[str, object], int] | dict[str, object]:
        sent = flask.request.get_json(force=True, silent=True)
        plan = sent.get("plan") if isinstance(sent, dict) else None
        if not isinstance(plan, str):
            return {"error": 'send {"plan": "OPERATION:KIND@N ..."}'}, 400
        try:
            return {"plan": str(served.faults.load(plan))}
        except ValueError as error:
            return {"error": str(error)}, 400

    @app.delete("/turkbatch/faults")
    def clear_faults() -> dict[str, object]:
        served.faults.clear()
        return {"plan": ""}

    @app.get("/turkbatch/calls")
    def show_calls() -> dict[str, int]:
        return served.faults.calls()

    @app.delete("/turkbatch/calls")
    def reset_calls() -> dict[str, int]:
        served.faults.reset_calls()
        return served.faults.calls()


def _add_worker_pages(app: flask.Flask, served: service.Service) -> None:
    @app.post("/mturk/accept")
    def accept() -> werkzeug.Response:
        form = flask.request.form
        hit_id, worker_id = form.get("hitId", ""), form.get("workerId", "")
        assignment_id = worker.accept(served, hit_id, worker_id)
        question = questions.parse(worker.task(served, assignment_id).question)
        query = task_pages.query(
            hit_id,
            flask.request.host_url.rstrip("/"),
            assignment_id=assignment_id,
            worker_id=worker_id,
        )
        return flask.redirect(task_pages.address(question, query), 303)

    @app.post("/mturk/return")
    def return_hit() -> str:
        assignment_id = flask.request.form.get("assignmentId", "")
        holder = worker.task(served, assignment_id).worker_id
        worker.return_hit(served, assignment_id, holder)
        return _page("Returned", "<p>The HIT was returned.</p>")

    @app.get("/mturk/files/<token>")
    def uploaded_file(token: str) -> flask.Response:
        file = uploads.behind_link(served.store, token)
        if file is None:
            return flask.Response("This link is good no more.\n", 404, mimetype="text/plain")
        return flask.send_file(
            io.BytesIO(file.content),
            mimetype="application/octet-stream",
            as_attachment=True,
            download_name=file.name,
        )


def _page(title: str, body: str) -> str:
    return f'<!DOCTYPE html><html lang="en"><title>{title}</title><h1>{title}</h1>{body}</html>'


def _version() -> str:
    try:
        return importlib.metadata.version("turkbatch")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
