"""Reviewing a batch in a browser: its assignments, a task with its answers, marks, sending.

Under ``127.0.0.1``, for the browser that has come in with the key:

=============================  ===================================================
``GET /enter``                 ``?key=``: what the printed address leads to
``GET /``                      the assignments; ``?worker=``, ``?state=``, ``?page=``
``GET /assignments/ID``        one of them, with its task
``GET /hits/ID``               all of a HIT, side by side
``GET /workers``, ``/workers/ID``  who worked, and what else a worker answered
``POST /marks``                mark ``of`` an assignment, a HIT or a worker: ``id``, ``action``
``POST /undo``                 take back what was marked last
``POST /read``                 ask the service again
``GET /send``                  the marks held against the service, and what was sent
``POST /plan``, ``POST /send``  begin that, and begin to send
``POST /problems/clear``       take away the marks that can't be sent
``GET /reading``, ``GET /job``  how far either is
``POST /finish``               end
=============================  ===================================================

Under ``localhost`` are the tasks, see :mod:`turkbatch.reviewing.tasks`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import itertools
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, cast

import flask
import werkzeug

from turkbatch import errors
from turkbatch.reviewing import guard, tasks
from turkbatch.server import listener, task_pages

if TYPE_CHECKING:
    from turkbatch.actions.review_desk import Desk, Item
    from turkbatch.batch.marks import Action

ITEMS_A_PAGE: Final = 100
RECENT_REASONS: Final = 5
_LONGEST_CELL: Final = 120
_GRACE_SECONDS: Final = 5.0
"""How long the last page may take to arrive, at most, before the server ends."""
STATE_NAMES: Final = {
    "open": "open",
    "approve": "to approve",
    "reject": "to reject",
    "skip": "skipped",
    "again": "look again",
    "approved": "approved",
    "rejected": "rejected",
}
"""What a person calls the states of :mod:`turkbatch.actions.review_desk`."""
_FILTERS: Final = {"marked": "to approve or reject", **STATE_NAMES}


@dataclasses.dataclass(frozen=True)
class Filter:
    """Which assignments one goes through.

    Parameters
    ----------
    worker, state : str
        Of this worker, in this state alone; empty for all.
    """

    worker: str = ""
    state: str = ""

    @property
    def query(self) -> str:
        """What stands behind an address, with its question mark; empty for all."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if value}
        return f"?{urllib.parse.urlencode(given)}" if given else ""

    def after(self, address: str, **more: str) -> str:
        """Put it behind an address, with more parameters."""
        given = {**dataclasses.asdict(self), **more}
        query = urllib.parse.urlencode({name: value for name, value in given.items() if value})
        return f"{address}?{query}" if query else address


@dataclasses.dataclass(frozen=True)
class Site:
    """What the pages are made from.

    Parameters
    ----------
    desk : Desk
        What lies on the reviewer's desk.
    keys : Guard
        Who may see it.
    place : str
        Where decisions go, as a question about money names it.
    finish : callable
        Ends the server.
    """

    desk: Desk
    keys: guard.Guard
    place: str
    finish: Callable[[], None]


def create_app(site: Site) -> flask.Flask:
    """Make the WSGI application.

    Parameters
    ----------
    site : Site
        What it shows.

    Returns
    -------
    flask.Flask
        For :func:`serve`.
    """
    app = flask.Flask(__name__, static_url_path="/assets", static_folder="static")
    # QuestionForms are drawn as the worker site draws them.
    drawn = flask.Blueprint("drawn", task_pages.__name__, template_folder="templates")
    app.register_blueprint(drawn)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        moment=_moment, duration=_duration, value=_value, cell=_cell, dollars=_dollars
    )
    app.jinja_env.globals.update(state_names=STATE_NAMES, filters=_FILTERS)
    app.before_request(functools.partial(_check, site))
    app.after_request(_guarded)
    app.context_processor(lambda: {"desk": site.desk, "place": site.place})
    app.register_error_handler(werkzeug.exceptions.HTTPException, _http_error)
    app.register_error_handler(errors.TurkbatchError, _refused)
    _add_entrance(app, site)
    _add_lists(app, site.desk)
    _add_judging(app, site)
    _add_marking(app, site.desk)
    _add_sending(app, site.desk)
    _add_end(app, site)
    tasks.add(app, site.desk, site.keys)
    return app


def serve(
    make_app: Callable[[Callable[[], None]], flask.Flask],
    port: int,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until interrupted, or until the application ends it.

    Parameters
    ----------
    make_app : callable
        Given what ends the server; makes the application.
    port : int
        0 for any that is free.
    on_ready : callable
        Told the URL, with no path, once it is being listened on.

    Raises
    ------
    ServiceError
        If the port is taken, or may not be used.
    """
    ends: list[Callable[[], None]] = []

    def end() -> None:
        # Not in the thread that answers: the server waits for it.
        threading.Thread(target=ends[0], daemon=True).start()

    try:
        server = listener.Listener(guard.PAGES_HOST, port, make_app(end))
    except (OSError, OverflowError) as error:
        raise errors.ServiceError(
            f"port {port} can't be listened on ({error}); give another --port, 0 for any"
        ) from error
    ends.append(server.shutdown)
    with server, contextlib.suppress(KeyboardInterrupt):
        on_ready(server.url)
        server.serve_forever(poll_interval=0.1)


# Who may come in


def _check(site: Site) -> werkzeug.Response | None:
    host = guard.host_name()
    is_task = flask.request.endpoint in tasks.ENDPOINTS
    if host == guard.TASKS_HOST:
        return None if is_task else _plain(f"The pages are at {guard.origin(guard.PAGES_HOST)}.")
    if host != guard.PAGES_HOST:
        return _plain("This is there under its own address alone.")
    if is_task:
        # Here its scripts could act as the reviewer.
        return _plain("Tasks are not there under this name.")
    if flask.request.endpoint == "enter":
        return None
    if not site.keys.knows():
        return _plain(
            "Open the address that `turkbatch review-batch --web` printed: it holds the key."
        )
    if flask.request.method != "GET" and not guard.is_own_post():
        return _plain("This was not sent by a page of this site; nothing was done.")
    return None


def _plain(text: str) -> flask.Response:
    return flask.Response(f"{text}\n", 403, content_type="text/plain; charset=utf-8")


def _guarded(response: flask.Response) -> flask.Response:
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        f" img-src * data:; media-src *; frame-src {guard.origin(guard.TASKS_HOST)};"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_entrance(app: flask.Flask, site: Site) -> None:
    @app.get(guard.ENTRANCE)
    def enter() -> werkzeug.Response:
        if not site.keys.opens(flask.request.args.get("key", "")):
            return _plain("This key opens nothing any more; take the address that was printed.")
        target = _filter(flask.request.args).after("/")
        # A page, not a redirection: what another program's link began brings no cookie with
        # it, what this page begins does.
        response = flask.make_response(flask.render_template("enter.html", target=target))
        site.keys.admit(response)
        return response


# Lists


def _filter(given: Mapping[str, str]) -> Filter:
    state = given.get("state", "")
    return Filter(given.get("worker", ""), state if state in _FILTERS else "")


def _add_lists(app: flask.Flask, desk: Desk) -> None:
    @app.get("/")
    def index() -> str:
        # Before the list: what arrives between the two is then on the page that comes after.
        reading = desk.reading
        chosen = _filter(flask.request.args)
        everything = desk.items(worker=chosen.worker)
        found = desk.items(worker=chosen.worker, state=chosen.state)
        return flask.render_template(
            "index.html",
            reading=reading,
            chosen=chosen,
            counts=desk.counts(everything),
            count=len(found),
            **_paged(found),
        )

    @app.get("/workers")
    def workers() -> str:
        found = desk.workers()
        return flask.render_template("workers.html", count=len(found), **_paged(found))

    @app.get("/workers/<path:worker_id>")
    def worker(worker_id: str) -> str:
        summary = desk.worker(worker_id)
        if summary is None:
            flask.abort(404, f"No work of {worker_id} is in this batch, as far as it is read.")
        return flask.render_template(
            "worker.html",
            worker=summary,
            chosen=Filter(worker=worker_id),
            reasons=desk.recent_feedback(RECENT_REASONS),
            **_paged(desk.items(worker=worker_id)),
        )

    @app.get("/reading")
    def reading() -> dict[str, object]:
        told = desk.reading
        return {
            "running": told.running,
            "text": _reading_text(desk),
            "done": told.done,
            "total": told.total,
        }


def _paged(found: Sequence[object]) -> dict[str, object]:
    """Take the page that was asked for."""
    last = max(0, (len(found) - 1) // ITEMS_A_PAGE)
    page = min(max(0, flask.request.args.get("page", 0, type=int)), last)
    begin = page * ITEMS_A_PAGE
    return {
        "found": found[begin : begin + ITEMS_A_PAGE],
        "first": begin + 1,
        "before": page - 1 if page else None,
        "after": page + 1 if page < last else None,
    }


def _reading_text(desk: Desk) -> str:
    told = desk.reading
    return f"{told.done:,} of {told.total:,} HITs are read."


# One assignment, or all of a HIT


def _add_judging(app: flask.Flask, site: Site) -> None:
    desk = site.desk

    @app.get("/assignments/<assignment_id>")
    def assignment(assignment_id: str) -> str:
        item = _found(desk, assignment_id)
        chosen = _filter(flask.request.args)
        return flask.render_template(
            "assignment.html",
            item=item,
            task=tasks.shown(desk, site.keys, item),
            chosen=chosen,
            worker=desk.worker(item.worker_id),
            siblings=len(desk.of_hit(item.hit_id)),
            reasons=desk.recent_feedback(RECENT_REASONS),
            **_neighbours(desk, item, chosen),
        )

    @app.get("/hits/<hit_id>")
    def hit(hit_id: str) -> str:
        items = desk.of_hit(hit_id)
        if not items:
            flask.abort(404, f"No work on {hit_id} is in this batch, as far as it is read.")
        chosen = _filter(flask.request.args)
        among = list(dict.fromkeys(one.hit_id for one in _matching(desk, chosen)))
        before, after = _around(desk.hit_ids(), hit_id, set(among))
        at = flask.request.args.get("at", "")
        return flask.render_template(
            "hit.html",
            items=items,
            hit_id=hit_id,
            at=at if any(one.assignment_id == at for one in items) else items[0].assignment_id,
            shown=[tasks.shown(desk, site.keys, one) for one in items],
            compared=compared([one.answers for one in items]),
            chosen=chosen,
            before=before,
            after=after,
            reasons=desk.recent_feedback(RECENT_REASONS),
        )


def _found(desk: Desk, assignment_id: str) -> Item:
    item = desk.item(assignment_id)
    if item is None:
        flask.abort(404, f"{assignment_id} is not in this batch, as far as it is read.")
    return item


def _matching(desk: Desk, chosen: Filter) -> list[Item]:
    return desk.items(worker=chosen.worker, state=chosen.state)


def _neighbours(desk: Desk, item: Item, chosen: Filter) -> dict[str, object]:
    ids = [one.assignment_id for one in desk.items()]
    matching = [one.assignment_id for one in _matching(desk, chosen)]
    before, after = _around(ids, item.assignment_id, set(matching))
    place = matching.index(item.assignment_id) + 1 if item.assignment_id in matching else None
    return {"before": before, "after": after, "place": place, "count": len(matching)}


def _around(ids: Sequence[str], here: str, matching: set[str]) -> tuple[str | None, str | None]:
    """Name what comes before and after, among what matches; the place itself need not."""
    at = ids.index(here)
    before = next((one for one in reversed(ids[:at]) if one in matching), None)
    after = next((one for one in ids[at + 1 :] if one in matching), None)
    return before, after


@dataclasses.dataclass(frozen=True)
class Compared:
    """One field of several assignments.

    Parameters
    ----------
    name : str
        The field.
    cells : sequence of (bool, object, int)
        Of each assignment: whether it has the field, its value, and how many have the same.
    """

    name: str
    cells: Sequence[tuple[bool, object, int]]

    @property
    def unanimous(self) -> bool:
        """Whether all have the same."""
        return all(same == len(self.cells) for _, _, same in self.cells)


def compared(answers: Sequence[Mapping[str, object]]) -> list[Compared]:
    """Lay answers side by side, field by field, and count who agrees with whom."""
    names = dict.fromkeys(itertools.chain.from_iterable(answers))
    return [Compared(name, list(_cells(name, answers))) for name in names]


def _cells(
    name: str, answers: Sequence[Mapping[str, object]]
) -> Iterator[tuple[bool, object, int]]:
    written = [json.dumps(one[name]) if name in one else None for one in answers]
    for one, text in zip(answers, written, strict=True):
        yield text is not None, one.get(name), 0 if text is None else written.count(text)


# Marks


def _add_marking(app: flask.Flask, desk: Desk) -> None:
    @app.post("/marks")
    def marks() -> werkzeug.Response:
        form = flask.request.form
        action = form.get("action", "")
        if action not in ("approve", "reject", "skip", "again", "clear"):
            flask.abort(400, f"{action!r} is nothing that can be done to an assignment.")
        chosen = _filter(form)
        items = _meant(desk, form)
        marked = desk.mark(items, cast("Action", action), form.get("feedback", ""))
        if not marked:
            flask.abort(409, "Nothing of it can be decided so any more; nothing was marked.")
        return flask.redirect(_next(desk, form, items, chosen), 303)

    @app.post("/undo")
    def undo() -> werkzeug.Response:
        changed = desk.undo()
        chosen = _filter(flask.request.form)
        if len(changed) == 1 and desk.item(changed[0]) is not None:
            return flask.redirect(chosen.after(f"/assignments/{changed[0]}"), 303)
        there = [item for item in map(desk.item, changed) if item is not None]
        if there and len({one.hit_id for one in there}) == 1:
            return flask.redirect(chosen.after(f"/hits/{there[0].hit_id}"), 303)
        if there and len({one.worker_id for one in there}) == 1:
            return flask.redirect(f"/workers/{there[0].worker_id}", 303)
        return flask.redirect(chosen.after("/"), 303)

    @app.post("/read")
    def read() -> werkzeug.Response:
        desk.read()
        return flask.redirect("/", 303)


def _meant(desk: Desk, form: Mapping[str, str]) -> list[Item]:
    """Find the assignments that a form is about; of a HIT or a worker, the undecided ones."""
    named = form.get("id", "")
    match form.get("of"):
        case "assignment":
            return [_found(desk, named)]
        case "hit":
            found = desk.of_hit(named)
        case "worker":
            found = desk.items(worker=named)
        case _:
            flask.abort(400, "A mark is of an assignment, a HIT or a worker.")
    return [one for one in found if desk.state(one) == "open"]


def _next(desk: Desk, form: Mapping[str, str], items: list[Item], chosen: Filter) -> str:
    """Tell where one goes on after marking."""
    if form.get("of") == "worker":
        return f"/workers/{urllib.parse.quote(form.get('id', ''))}"
    here = items[0]
    if form.get("view") == "hit":
        return _next_column(desk, here, chosen)
    if form.get("action") == "clear":
        return chosen.after(f"/assignments/{here.assignment_id}")
    wanted = dataclasses.replace(chosen, state=chosen.state or "open")
    ids = [one.assignment_id for one in desk.items()]
    matching = {one.assignment_id for one in _matching(desk, wanted)} - {here.assignment_id}
    before, after = _around(ids, here.assignment_id, matching)
    following = after or next((one for one in ids if one in matching), before)
    if following is None:
        return chosen.after("/", done="1")
    return chosen.after(f"/assignments/{following}")


def _next_column(desk: Desk, here: Item, chosen: Filter) -> str:
    columns = desk.of_hit(here.hit_id)
    at = next(n for n, one in enumerate(columns) if one.assignment_id == here.assignment_id)
    onward = [*columns[at + 1 :], *columns[:at]]
    following = next((one for one in onward if desk.state(one) == "open"), here)
    return chosen.after(f"/hits/{here.hit_id}", at=following.assignment_id)


# Sending


def _add_sending(app: flask.Flask, desk: Desk) -> None:
    @app.get("/send")
    def sending() -> str:
        return flask.render_template("send.html", job=desk.job, marks=desk.to_send())

    @app.post("/plan")
    def plan() -> werkzeug.Response:
        desk.plan()
        return flask.redirect("/send", 303)

    @app.post("/send")
    def send() -> werkzeug.Response:
        desk.send()
        return flask.redirect("/send", 303)

    @app.post("/problems/clear")
    def clear_problems() -> werkzeug.Response:
        desk.clear_problems()
        desk.plan()
        return flask.redirect("/send", 303)

    @app.get("/job")
    def job() -> dict[str, object]:
        told = desk.job
        if told is None:
            return {"running": False, "text": ""}
        of = "" if told.total is None else f" of {told.total:,}"
        text = f"{told.step}: {told.done:,}{of}" if told.step else "beginning"
        return {
            "running": told.running,
            "text": text,
            "done": told.done,
            "total": told.total,
        }


def _add_end(app: flask.Flask, site: Site) -> None:
    once = threading.Lock()

    def end() -> None:
        if once.acquire(blocking=False):
            site.finish()

    @app.post("/finish")
    def finish() -> str:
        # The page itself says when it has arrived; the clock is for a browser that does not.
        timer = threading.Timer(_GRACE_SECONDS, end)
        timer.daemon = True
        timer.start()
        return flask.render_template("finished.html", marks=site.desk.to_send())

    @app.post("/finished")
    def finished() -> tuple[str, int]:
        end()
        return "", 204


# How things are written


def _moment(value: datetime.datetime) -> str:
    return f"{value.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _value(value: object) -> str:
    """Write an answer, or a value of the data."""
    if value is None:
        return "(nothing chosen)"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False)


def _cell(answers: Mapping[str, object]) -> str:
    """Write answers on one line, as far as they fit."""
    text = "; ".join(f"{name}: {' '.join(_value(one).split())}" for name, one in answers.items())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _dollars(amount: Decimal | str) -> str:
    exact = Decimal(amount)
    return f"${exact:,.2f}" if exact == round(exact, 2) else f"${exact:,f}"


def _refused(error: errors.TurkbatchError) -> tuple[str, int]:
    return flask.render_template("refused.html", text=str(error)), 409


def _http_error(error: werkzeug.exceptions.HTTPException) -> tuple[str, int]:
    text = error.description or error.name
    return flask.render_template("refused.html", text=text), error.code or 500
