"""The worker site: what a worker finds, previews, accepts, submits, and has earned.

What is posted must come from the site's own origin: a page elsewhere must not be able to act
for whoever is signed in. Who that is, and how they came to be, is :mod:`turkbatch.server.access`.

Task pages are requesters', and on another site (:mod:`turkbatch.server.origins`), in a frame that
lets them do what a task needs: they can reach neither the site nor the API. What they may do is
post their answers, as on the service.

==========================================  =========================================
``GET /``                                   to the list
``GET /hits``                               list and search
``GET /hits/HITID``                         preview
``POST /hits/HITID/accept``                 accept
``GET /assignments/ID``                     the task
``GET /assignments/ID/state``               state and seconds left, for the countdown
``POST /assignments/ID/return``             give it back; with ``skip`` accept the next one
``POST /assignments/ID/submit``             a QuestionForm
``POST /assignments/ID/go-on``              what comes after a submission
``POST /auto-accept``                       accept the next HIT after a submission, or don't
``GET /history``                            assignments and earnings
``GET /qualifications``, ``POST ../ID``     what can be asked for; ask
``GET, POST /tests/TYPEID``                 take a qualification test
``GET /messages``                           what the worker was told
``GET /mturk/preview``                      ``?hitId=`` or ``?groupId=``, as on the service
==========================================  =========================================
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Sequence
from typing import Final

import flask
import werkzeug

from turkbatch.server import (
    access,
    account_pages,
    answers,
    doors,
    form_pages,
    links,
    listings,
    people,
    questions,
    service,
    task_pages,
    task_routes,
    worker,
)

_POLICY: Final = (
    "default-src 'self'; img-src * data: blob:; media-src *; frame-src *; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors "
)
# The pages that a task's frame shows after a submission; no other is ever in a frame.
_FRAMED: Final = "site.external_submit"
# Where nobody is signed in, or nothing is asked of whom it is.
_OPEN_ENDPOINTS: Final = {
    f"site.{name}"
    for name in (
        "dynamic_hit",
        "external_submit",
        "home",
        "invitation",
        "sign_in",
        "static",
    )
}
_PREVIEWS: Final = {"site.preview", "site.preview_of_group"}
_STATES: Final = ("Accepted", "Submitted", "Approved", "Rejected", "Returned", "Abandoned")


@dataclasses.dataclass(frozen=True)
class TaskView:
    """A task as a page of the site shows it; what ``_task.html`` draws.

    Parameters
    ----------
    frame_address : str
        Of an HTMLQuestion or ExternalQuestion; empty for a QuestionForm.
    frame_height : int
        In pixels; 0 fills the window.
    form : sequence of form_pages.Block
        A QuestionForm.
    """

    frame_address: str = ""
    frame_height: int = 0
    form: Sequence[form_pages.Block] = ()


def task_view(question: questions.Question, parameters: str, origin: str = "") -> TaskView:
    """Look at a question as a page shows it.

    Parameters
    ----------
    question : questions.Question
        Of any kind.
    parameters : str
        From :func:`turkbatch.server.task_pages.query`.
    origin : str
        Where the pages of HTMLQuestions are.

    Returns
    -------
    TaskView
        For ``_task.html``.
    """
    if question.kind is questions.Kind.FORM:
        return TaskView(form=form_pages.read(question.root))
    address = task_pages.address(question, parameters, origin)
    return TaskView(address, max(question.frame_height, 0))


def add_pages(
    app: flask.Flask,
    served: service.Service,
    *,
    crowd_elements: task_pages.CrowdElements = "local",
) -> None:
    """Add the site to an application.

    Parameters
    ----------
    app : flask.Flask
        The application.
    served : Service
        Whose HITs it shows.
    crowd_elements : {"local", "cdn"}
        Where pages get the Crowd HTML Elements from.
    """
    blueprint = flask.Blueprint(
        "site",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/site",
    )
    app.jinja_env.filters.update(dollars=_dollars, duration=_duration, moment=_moment)
    app.before_request(_keep_origins_apart)
    app.register_error_handler(worker.WorkerError, _refused)
    app.register_error_handler(werkzeug.exceptions.HTTPException, _http_error)
    blueprint.before_request(_signed_in)
    blueprint.after_request(_guarded)
    app.context_processor(_context)
    task_routes.add_pages(app, blueprint, served, crowd_elements)
    _add_entrance(blueprint)
    account_pages.add_pages(blueprint, served)
    _add_hits(blueprint, served)
    _add_assignments(blueprint, served)
    _add_own_pages(blueprint, served)
    _add_qualifications(blueprint, served)
    app.register_blueprint(blueprint)


def _preview_page(served: service.Service, hit_id: str) -> str:
    me = access.current()
    hit = listings.hit(served, hit_id, me)
    if me is None and hit.guards_preview:
        raise worker.WorkerError("Sign in to see this HIT: it is for qualified workers alone.")
    if me is not None and not worker.may(served, hit_id, me, "Preview"):
        raise worker.WorkerError(f"You do not meet the qualification requirements of HIT {hit_id}.")
    parameters = task_pages.query(hit_id, doors.own_origin())
    question = questions.parse(worker.question(served, hit_id))
    return flask.render_template(
        "preview.html",
        hit=hit,
        task=task_view(question, parameters, doors.task_origin()),
        requirements=worker.requirements_of(served, hit_id, me) if me else (),
        next_hit_id=listings.next_hit(served, me, hit_id) if me else None,
    )


def _refused(error: Exception) -> tuple[str, int]:
    return _sorry("This can't be done", str(error)), 400


# Who asks, and from where


def _keep_origins_apart() -> flask.Response | None:
    request = flask.request
    if doors.at_task_door():
        endpoint = request.endpoint or ""
        if endpoint != "site.dynamic_hit" and not task_routes.is_stand_in(endpoint):
            return flask.Response("Only task pages are here.\n", 404, mimetype="text/plain")
        # One that a page installs would answer for all pages of this host, other requesters' too.
        if "Service-Worker" in request.headers:
            return flask.Response("No service workers here.\n", 403, mimetype="text/plain")
        return None
    origin = request.headers.get("Origin")
    # Answers come from wherever a task's page is.
    open_to_all = request.endpoint == "site.external_submit"
    if request.method == "POST" and origin not in (None, doors.own_origin()) and not open_to_all:
        return flask.Response("This was posted by a page of another site.\n", 403)
    return None


def _me() -> str:
    found = access.current()
    assert found is not None, "nobody gets here without signing in"
    return found


def _signed_in() -> werkzeug.Response | None:
    request = flask.request
    is_open = request.endpoint in _OPEN_ENDPOINTS
    if request.endpoint in _PREVIEWS:
        is_open = not access.is_guarded()  # strangers have no business there
    if is_open or access.current() is not None:
        return None
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/hits"
    return flask.redirect(flask.url_for("site.sign_in", next=wanted), 303)


def _guarded(response: flask.Response) -> flask.Response:
    if flask.request.endpoint == "site.dynamic_hit":
        return response  # not a page of the site
    around = "'self'" if flask.request.endpoint == _FRAMED else "'none'"
    response.headers.setdefault("Content-Security-Policy", _POLICY + around)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if flask.request.endpoint != "site.static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _context() -> dict[str, object]:
    return {
        "me": access.current(),
        "has_account": access.is_person(),
        "came_by_link": access.came_by_link(),
        "fewest_characters": people.FEWEST_CHARACTERS,
        "auto_accept": bool(flask.session.get("auto_accept")),
        "frame_rights": task_pages.FRAME_RIGHTS,
    }


# Pages


def _add_entrance(blueprint: flask.Blueprint) -> None:
    @blueprint.get("/")
    def home() -> werkzeug.Response:
        return flask.redirect(flask.url_for("site.hits"), 303)


def _add_hits(blueprint: flask.Blueprint, served: service.Service) -> None:
    @blueprint.get("/hits")
    def hits() -> str | werkzeug.Response:
        # Who came by a recruiting link does the link's HITs, one after the other.
        way = _way(served)
        if way is not None:
            return flask.redirect(way, 303)
        wanted = flask.request.args
        search, least = wanted.get("search", ""), wanted.get("reward", "")
        qualified_only = "qualified" in wanted
        page = listings.open_hits(
            served,
            _me(),
            search=search,
            least_cents=_cents(least),
            qualified_only=qualified_only,
            after=_number(wanted.get("after", "")),
        )
        filters = {"search": search, "reward": least}
        if qualified_only:
            filters["qualified"] = "on"
        return flask.render_template(
            "hits.html",
            page=page,
            filters=filters,
            now=listings.current_time(served),
            held=listings.history(served, _me(), state="Accepted")[0],
        )

    @blueprint.get("/mturk/preview")
    def preview_of_group() -> str:
        wanted = flask.request.args
        group_id = wanted.get("groupId", "")
        return _preview_page(served, wanted.get("hitId") or worker.any_of_group(served, group_id))

    @blueprint.get("/hits/<hit_id>")
    def preview(hit_id: str) -> str:
        return _preview_page(served, hit_id)

    @blueprint.post("/hits/<hit_id>/accept")
    def accept(hit_id: str) -> werkzeug.Response:
        assignment_id = links.accept(served, hit_id, _me())
        return flask.redirect(flask.url_for("site.assignment", assignment_id=assignment_id), 303)


def _add_assignments(blueprint: flask.Blueprint, served: service.Service) -> None:
    @blueprint.get("/assignments/<assignment_id>")
    def assignment(assignment_id: str) -> str:
        task = _own_task(served, assignment_id)
        return _assignment_page(served, task)

    @blueprint.get("/assignments/<assignment_id>/state")
    def state(assignment_id: str) -> dict[str, object]:
        task = _own_task(served, assignment_id)
        left = max(task.deadline - listings.current_time(served), 0)
        return {"state": task.state, "secondsLeft": left}

    @blueprint.post("/assignments/<assignment_id>/return")
    def give_back(assignment_id: str) -> werkzeug.Response:
        task = _own_task(served, assignment_id)
        worker.return_hit(served, assignment_id, _me())
        way = _way(served, assignment_id)
        if way is not None:
            return flask.redirect(way, 303)
        if "skip" in flask.request.form:
            following = listings.next_hit(served, _me(), task.hit_id)
            if following is not None:
                with contextlib.suppress(worker.WorkerError):
                    made = links.accept(served, following, _me())
                    return flask.redirect(flask.url_for("site.assignment", assignment_id=made), 303)
            flask.flash("The HIT was returned; there is no other in its group.")
        else:
            flask.flash("The HIT was returned.")
        return flask.redirect(flask.url_for("site.hits"), 303)

    @blueprint.post("/assignments/<assignment_id>/submit")
    def submit(assignment_id: str) -> tuple[str, int] | werkzeug.Response:
        task = _own_task(served, assignment_id)
        question = questions.parse(task.question)
        if question.kind is not questions.Kind.FORM:
            raise worker.WorkerError("This HIT's answers are posted by its own page.")
        blocks = form_pages.read(question.root)
        fields, files = _posted(blocks)
        sizes = {name: len(content) for name, (_, content) in files.items()}
        found = form_pages.faults(blocks, fields, sizes)
        if found and task.state == "Accepted":
            return _assignment_page(served, task, fields, found), 422
        for identifier, (name, content) in files.items():
            worker.upload(served, assignment_id, _me(), identifier, name, content)
        links.submit(served, assignment_id, _me(), fields)
        return flask.redirect(_following(served, assignment_id), 303)

    @blueprint.post("/assignments/<assignment_id>/go-on")
    def go_on(assignment_id: str) -> werkzeug.Response:
        # Asked for by the page around a task's frame: what posts the answers themselves may
        # come from another site, and then has no session.
        if _own_task(served, assignment_id).state == "Accepted":
            return flask.redirect(
                flask.url_for("site.assignment", assignment_id=assignment_id), 303
            )
        return flask.redirect(_following(served, assignment_id), 303)

    @blueprint.post("/auto-accept")
    def auto_accept() -> werkzeug.Response:
        flask.session["auto_accept"] = "on" in flask.request.form.getlist("auto_accept")
        return flask.redirect(access.local(flask.request.form.get("next", "/hits")), 303)


def _assignment_page(
    served: service.Service,
    task: worker.Task,
    fields: answers.Fields = (),
    faults: dict[str, str] | None = None,
) -> str:
    hit = listings.hit(served, task.hit_id)
    if task.state != "Accepted":
        return flask.render_template("ended.html", hit=hit, task=task)
    parameters = task_pages.query(
        task.hit_id, doors.own_origin(), assignment_id=task.assignment_id, worker_id=task.worker_id
    )
    return flask.render_template(
        "assignment.html",
        hit=hit,
        assignment=task,
        task=task_view(questions.parse(task.question), parameters, doors.task_origin()),
        seconds_left=max(task.deadline - listings.current_time(served), 0),
        values=_by_name(fields) if faults else None,
        faults=faults or {},
        token=access.token_of(task.assignment_id) if access.is_guarded() else "",
        visit_id=links.visit_of(served, task.worker_id, task.assignment_id),
    )


def _own_task(served: service.Service, assignment_id: str) -> worker.Task:
    task = worker.task(served, assignment_id)
    if task.worker_id != _me():
        raise worker.WorkerError(f"Worker {_me()} has no assignment {assignment_id}.")
    return task


def _way(served: service.Service, assignment_id: str | None = None) -> str | None:
    """Tell where somebody who came by a recruiting link goes on; None for all others."""
    visit_id = links.visit_of(served, _me(), assignment_id)
    return None if visit_id is None else flask.url_for("recruiting.way", visit_id=visit_id)


def _following(served: service.Service, assignment_id: str) -> str:
    """Accept the next HIT, if that is wanted; tell where to go on."""
    me = _me()
    way = _way(served, assignment_id)
    if way is not None:
        return way
    flask.flash("The HIT was submitted.")
    hit_id = worker.task(served, assignment_id).hit_id
    if flask.session.get("auto_accept"):
        following = listings.next_hit(served, me, hit_id)
        if following is not None:
            # Somebody else may have been quicker.
            with contextlib.suppress(worker.WorkerError):
                made = links.accept(served, following, me)
                return flask.url_for("site.assignment", assignment_id=made)
        flask.flash("There are no more HITs in this group.")
    return flask.url_for("site.hits")


def _add_own_pages(blueprint: flask.Blueprint, served: service.Service) -> None:
    @blueprint.get("/history")
    def history() -> str:
        wanted = flask.request.args
        state = wanted.get("state", "")
        before = _number(wanted.get("before", "")) or None
        works, following = listings.history(
            served, _me(), before=before, state=state if state in _STATES else ""
        )
        return flask.render_template(
            "history.html",
            works=works,
            following=following,
            state=state,
            states=_STATES,
            earnings=listings.earnings(served, _me()),
            standing=worker.standing(served, _me()),
        )

    @blueprint.get("/messages")
    def messages() -> str:
        return flask.render_template("messages.html", messages=worker.messages(served, _me()))


def _add_qualifications(blueprint: flask.Blueprint, served: service.Service) -> None:
    @blueprint.get("/qualifications")
    def qualifications() -> str:
        found = worker.qualifications(served, _me())
        return flask.render_template("qualifications.html", qualifications=found)

    @blueprint.post("/qualifications/<type_id>")
    def request_qualification(type_id: str) -> werkzeug.Response:
        _tell(worker.request_qualification(served, type_id, _me()))
        return flask.redirect(flask.url_for("site.qualifications"), 303)

    @blueprint.post("/tests/<type_id>")
    def take_test(type_id: str) -> str | tuple[str, int] | werkzeug.Response:
        # The first post has no request and begins the test.
        request_id = flask.request.args.get("request", "")
        if not request_id:
            worker.take_test(served, type_id, _me())
            return flask.redirect(flask.url_for("site.show_test", type_id=type_id), 303)
        blocks, (fields, files) = _test_posted(served, type_id, request_id)
        sizes = {name: len(content) for name, (_, content) in files.items()}
        found = form_pages.faults(blocks, fields, sizes)
        if found:
            return _test_page(served, type_id, fields, found), 422
        _tell(worker.submit_test(served, request_id, _me(), fields, files))
        way = _way(served)
        if way is not None:
            return flask.redirect(way, 303)
        return flask.redirect(flask.url_for("site.qualifications"), 303)

    @blueprint.get("/tests/<type_id>")
    def show_test(type_id: str) -> str:
        return _test_page(served, type_id)


def _test_posted(
    served: service.Service, type_id: str, request_id: str
) -> tuple[list[form_pages.Block], tuple[list[tuple[str, str]], dict[str, tuple[str, bytes]]]]:
    test = listings.running_test(served, type_id, _me())
    if test is None or test.request_id != request_id:
        raise worker.WorkerError("This test was handed in before, or its time is over.")
    blocks = form_pages.read(questions.parse(test.question).root)
    return blocks, _posted(blocks)


def _test_page(
    served: service.Service,
    type_id: str,
    fields: answers.Fields = (),
    faults: dict[str, str] | None = None,
) -> str:
    test = listings.running_test(served, type_id, _me())
    if test is None:
        raise worker.WorkerError("You are not taking this test.")
    return flask.render_template(
        "test.html",
        test=test,
        form=form_pages.read(questions.parse(test.question).root),
        seconds_left=max(test.deadline - listings.current_time(served), 0),
        values=_by_name(fields) if faults else None,
        faults=faults or {},
    )


def _tell(request: worker.Request) -> None:
    if request.state == "Granted":
        value = "" if request.value is None else f" Its value is {request.value}."
        flask.flash(f"The qualification was granted.{value}")
    else:
        flask.flash("The qualification was asked for; its requester decides.")


# What is posted


def _posted(
    blocks: Sequence[form_pages.Block],
) -> tuple[list[tuple[str, str]], dict[str, tuple[str, bytes]]]:
    """Read a form's fields, in the form's order, and its files by question."""
    request = flask.request
    fields, files = [], {}
    for block in blocks:
        name = block.identifier
        if isinstance(block.answer, form_pages.File):
            given = request.files.get(name)
            if given is not None and given.filename:
                files[name] = (given.filename, given.read())
        elif block.answer is not None:
            values = request.form.getlist(name)
            if isinstance(block.answer, form_pages.Choice):
                values = [value for value in values if value]
            fields += [(name, value) for value in values]
    return fields, files


def _by_name(fields: answers.Fields) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _cents(text: str) -> int:
    try:
        return min(max(round(float(text) * 100), 0), 10**9)
    except (ValueError, OverflowError):
        return 0


# What is shown


def _http_error(
    error: werkzeug.exceptions.HTTPException,
) -> werkzeug.exceptions.HTTPException | tuple[str, int]:
    if error.code is None or error.code < 400:  # a redirect
        return error
    if isinstance(error, werkzeug.exceptions.RequestEntityTooLarge):
        text = "This is more than a HIT's answers may be; nothing was recorded."
        return _sorry("Too large", text), 413
    if isinstance(error, werkzeug.exceptions.TooManyRequests):
        text = "Too many tries came from your address. Wait a minute, and try again."
        return _sorry("Too many tries", text), 429
    return _sorry(error.name, str(error.description)), error.code


def _sorry(title: str, text: str) -> str:
    return flask.render_template("sorry.html", title=title, text=text, me=access.current())


def _dollars(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02}"


def _duration(seconds: int) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length and (seconds % length == 0 or seconds >= 3 * length):
            count = round(seconds / length)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    if seconds >= 60:
        minutes, rest = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        parts = ((hours, "h"), (minutes, "min"), (rest if not hours else 0, "s"))
        return " ".join(f"{count} {unit}" for count, unit in parts if count)
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _moment(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
