"""The service over HTTP: the API, a control page, and the worker site.

===========================  =======================================================
``POST /``                   the Requester API
``GET /turkbatch/health``    200 if the database answers, 503 if not; for proxies
``GET /turkbatch/info``      version, database, clock
``/turkbatch/faults``        GET, PUT (``{"plan": "GetHIT:500@1 lag=30"}``), DELETE
``/turkbatch/calls``         GET: calls of each operation; DELETE: count anew
``/turkbatch/notifications`` GET: the log of messages about events, ``?after=NUMBER``
``POST /mturk/accept``       hitId, workerId; for scripts: leads to the task's page
``POST /mturk/return``       assignmentId; for scripts
``GET /mturk/files/TOKEN``   a file that a worker handed in
all else                     the worker site, :mod:`turkbatch.server.site`
===========================  =======================================================

On a loopback address nobody has to say who asks. So only requests that name a loopback host
are answered, lest a web page elsewhere reach it by a name of its own that it points at this
machine; and none that a proxy passed on, which would open it to everybody.

Where keys are demanded, as on any other address, requests to the API must be signed with a
requester's key, people need accounts, and the control page is closed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.metadata
import io
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import flask
import sqlalchemy
import werkzeug
from sqlalchemy import exc

from turkbatch.server import (
    access,
    api,
    arrivals,
    courier,
    doors,
    erasure,
    listener,
    notifying,
    origins,
    people,
    questions,
    schema,
    service,
    site,
    store,
    task_pages,
    task_routes,
    uploads,
    worker,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_logger = logging.getLogger(__name__)

_MAX_SUBMISSION_BYTES: Final = 8 * 1024 * 1024
_SHARED: Final = "TURKBATCH_SHARED"


class BindError(Exception):
    """The address can't be listened on."""


def create_app(
    served: service.Service,
    *,
    crowd_elements: task_pages.CrowdElements = "local",
    sign_ins_per_minute: int = origins.SIGN_INS_PER_MINUTE,
) -> flask.Flask:
    """Make the WSGI application.

    Parameters
    ----------
    served : Service
        What answers.
    crowd_elements : {"local", "cdn"}
        Where task pages get the Crowd HTML Elements from: here, or AWS.
    sign_ins_per_minute : int
        From one address, as long as accounts are needed.

    Returns
    -------
    flask.Flask
        For :func:`serve`, or a test client.
    """
    app = flask.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_SUBMISSION_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = _MAX_SUBMISSION_BYTES
    app.before_request(functools.partial(_check_address, served))
    _add_control(app, served)
    _add_worker_pages(app, served)
    site.add_pages(app, served, crowd_elements=crowd_elements)
    app.register_blueprint(arrivals.blueprint(served))
    access.guard(app, served, sign_ins_per_minute=sign_ins_per_minute)
    app.wsgi_app = api.before(  # type: ignore[assignment, method-assign]
        app.wsgi_app,
        served,
        is_here=lambda environ: not doors.is_task_door(environ),
        refuse=lambda environ: _why_no_call(served, doors.of(app), environ),
    )
    return app


def serve(
    served: service.Service,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    crowd_elements: task_pages.CrowdElements = "local",
    processes: int = 1,
    exposure: origins.Exposure | None = None,
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
    exposure : origins.Exposure, optional
        How others reach the server, if not where it listens.
    on_ready : callable, optional
        Told the URL once it is being listened on.

    Raises
    ------
    BindError
        If the address is not this machine's, or taken; if keys are demanded, and there are
        none; or if the processes don't stay.
    """
    doors = _Doors(served, host, port, crowd_elements, exposure or origins.Exposure())

    def work() -> None:
        terms = erasure.keeping_terms(served.store)
        with _terminated(doors.site), doors.tasks_served(), terms:
            if processes == 1 and on_ready is not None:
                on_ready(doors.site.url)
            # What a process before this one did not get to deliver.
            courier.wake(served.store)
            with contextlib.suppress(KeyboardInterrupt):
                doors.site.serve_forever(poll_interval=0.1)

    with contextlib.closing(doors):
        people.note_public_url(served, served.public_url)
        if processes == 1:
            work()
        else:
            _serve_by_many(served, doors.site, work, processes, on_ready)


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
    exposure: origins.Exposure | None = None,
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
    exposure : origins.Exposure, optional
        How others reach the server, if not where it listens.

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
    doors = _Doors(served, host, port, crowd_elements, exposure or origins.Exposure())
    with contextlib.closing(doors), doors.tasks_served(), _in_a_thread(doors.site):
        yield doors.site.url


class _Doors:
    """The sockets of one server: its own, and the one of task pages.

    Both are bound at once, so that processes which are forked afterwards share them.
    """

    def __init__(
        self,
        served: service.Service,
        host: str,
        port: int,
        crowd_elements: task_pages.CrowdElements,
        exposure: origins.Exposure,
    ) -> None:
        if not questions.is_loopback(host):
            served.keys_demanded = True
        if served.keys_demanded:
            _need_a_key(served, host)
        self._exposure = exposure
        application = create_app(
            served,
            crowd_elements=crowd_elements,
            sign_ins_per_minute=exposure.sign_ins_per_minute,
        )
        self.site = self._bound(host, port, application)
        self.tasks: listener.Listener | None = None
        served.public_url = exposure.public_url or self.site.url
        try:
            # Without an address of their own, guarded task pages are where the site is.
            if not served.keys_demanded or exposure.tasks_url is not None:
                self.tasks = self._tasks_door(host, application)
        except BindError:
            self.site.close()
            raise
        where = self._origins(served)
        doors.place(application, where)
        if where.guarded and where.has_people and (missing := access.missing_libraries()):
            _logger.warning("%s", _WITHOUT_LIBRARIES.format(missing))

    def _tasks_door(self, host: str, application: flask.Flask) -> listener.Listener:
        behind = doors.task_door(application)
        following = (self.site.server_address[1] + 1) % 65_536
        wanted = self._exposure.tasks_port
        try:
            return self._bound(host, following if wanted is None else wanted, behind)
        except BindError:
            if wanted is not None or self._exposure.tasks_url is not None:
                raise  # whoever named it counts on it
        return self._bound(host, 0, behind)

    def _bound(self, host: str, port: int, application: WSGIApplication) -> listener.Listener:
        try:
            return listener.Listener(
                host, port, application, trusted_proxy=self._exposure.trusted_proxy
            )
        except OSError as error:
            raise BindError(f"{host}:{port} can't be listened on: {error.strerror}") from error

    def _origins(self, served: service.Service) -> origins.Origins:
        address, port = self.site.server_address
        return origins.Origins(
            public_url=served.public_url,
            guarded=served.keys_demanded,
            bound=address,
            port=port,
            tasks_port=None if self.tasks is None else self.tasks.server_address[1],
            tasks_url=self._exposure.tasks_url,
        )

    def tasks_served(self) -> contextlib.AbstractContextManager[None]:
        """Serve task pages from a thread for as long as the block lasts."""
        return contextlib.nullcontext() if self.tasks is None else _in_a_thread(self.tasks)

    def close(self) -> None:
        """Stop listening."""
        self.site.close()
        if self.tasks is not None:
            self.tasks.close()


@contextlib.contextmanager
def _in_a_thread(door: listener.Listener) -> Iterator[None]:
    thread = threading.Thread(
        target=door.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        door.shutdown()
        thread.join()


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


# What is told to anybody, under any name: it is nothing, signed, or behind an address that
# nobody can guess.
_OPEN_TO_ALL: Final = {"health", "uploaded_file"}
# What people with accounts get, where those are needed. The control page and what is there
# for scripts alone are not: they don't know who asks.
_FOR_PEOPLE: Final = {"site", "recruiting"}
# What is in the memory of a process, and so not the same for all that serve.
_OF_ONE_PROCESS: Final = {
    "show_faults",
    "load_faults",
    "clear_faults",
    "show_calls",
    "reset_calls",
}


def _check_address(served: service.Service) -> flask.Response | None:
    """Refuse what is not there for whoever asks from there, under that name."""
    request = flask.request
    if flask.current_app.config.get(_SHARED) and request.endpoint in _OF_ONE_PROCESS:
        return flask.Response("Several processes serve here; each would have its own.\n", 409)
    where = doors.known()
    passed_on = request.environ.get("turkbatch.forwarded", "")
    if served.keys_demanded:
        if passed_on:
            _warn_of_proxy(passed_on)
        if request.endpoint in _OPEN_TO_ALL:
            return None
        return _why_closed(where)
    if request.endpoint == "health":
        return None
    return _why_closed_to_strangers(where, request.environ)


def _why_no_call(
    served: service.Service, where: origins.Origins, environ: WSGIEnvironment
) -> flask.Response | None:
    """Refuse calls of the API from where there are none; guarded, signatures alone decide."""
    if not served.keys_demanded:
        return _why_closed_to_strangers(where, environ)
    if passed_on := environ.get("turkbatch.forwarded", ""):
        _warn_of_proxy(passed_on)
    return None


def _why_closed_to_strangers(
    where: origins.Origins, environ: WSGIEnvironment
) -> flask.Response | None:
    passed_on = environ.get("turkbatch.forwarded", "")
    if passed_on:
        return flask.Response(_BEHIND_A_PROXY.format(passed_on), 403, mimetype="text/plain")
    if where.knows(environ.get("HTTP_HOST", ""), at_task_door=doors.is_task_door(environ)):
        return None
    return flask.Response("This server answers under loopback names alone.\n", 403)


@functools.cache
def _warn_of_proxy(found: str) -> None:
    _logger.warning(
        "requests come through a proxy (%s) that is not trusted, so all count as one address's; "
        "name the address that it connects from: --trusted-proxy ADDRESS",
        found,
    )


_BEHIND_A_PROXY: Final = (
    "This came through a proxy ({}), and there anybody could use this server without an account "
    "or a key. Run it with --require-keys, --public-url and --trusted-proxy.\n"
)


_WITHOUT_LIBRARIES: Final = (
    "people's accounts need {}, so there is no worker site; install what they need with: "
    "pip install 'turkbatch[people]'"
)


def _why_closed(where: origins.Origins) -> flask.Response | None:
    request = flask.request
    endpoint = request.endpoint or ""
    for_people = request.blueprint in _FOR_PEOPLE or task_routes.is_stand_in(endpoint)
    if not where.has_people:
        text = (
            "Beyond loopback this server answers its API alone. For a worker site put a proxy "
            "that speaks HTTPS before it, and run it with --public-url https://NAME.\n"
        )
    elif missing := access.missing_libraries():
        text = _WITHOUT_LIBRARIES.format(missing) + "\n"
    elif endpoint and not for_people:
        text = "This is closed where requests must be signed.\n"
    elif not where.knows(request.headers.get("Host", ""), at_task_door=doors.at_task_door()):
        text = f"This server's address is {where.public_url}\n"
    else:
        return None
    return flask.Response(text, 403, mimetype="text/plain")


def _add_control(app: flask.Flask, served: service.Service) -> None:
    @app.get("/turkbatch/health")
    def health() -> tuple[dict[str, str], int]:
        try:
            with served.store.read() as connection:
                connection.execute(sqlalchemy.select(schema.settings.c.name).limit(1)).all()
        except exc.SQLAlchemyError:
            _logger.exception("the database does not answer")
            return {"status": "database out of reach"}, 503
        return {"status": "ok"}, 200

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
