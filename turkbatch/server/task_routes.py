"""What task pages get of the server: themselves, AWS's scripts, and the reception of answers.

==========================================  =========================================
``GET /dynamic/hit``                        an HTMLQuestion's page, as on the service
``POST /mturk/externalSubmit``              assignmentId and the answers
``GET /crowd-html-elements.js``, ...        stand-ins for AWS's scripts
==========================================  =========================================
"""

from __future__ import annotations

from typing import Any, Final

import flask

from turkbatch.server import access, doors, links, listings, questions, service, task_pages, worker

_CROWD: Final = "TURKBATCH_CROWD_ELEMENTS"


def add_pages(
    app: flask.Flask,
    blueprint: flask.Blueprint,
    served: service.Service,
    crowd_elements: task_pages.CrowdElements,
) -> None:
    """Add what task pages need to an application.

    Parameters
    ----------
    app : flask.Flask
        The application.
    blueprint : flask.Blueprint
        Of the site, with the stand-ins among its files.
    served : Service
        Whose HITs they are.
    crowd_elements : {"local", "cdn"}
        Where pages get the Crowd HTML Elements from.
    """
    app.config[_CROWD] = crowd_elements
    for name in task_pages.STAND_INS:
        app.add_url_rule(f"/{name}", f"stand_in {name}", _stand_in(name))

    @blueprint.get("/dynamic/hit")
    def dynamic_hit() -> flask.Response:
        question = questions.parse(worker.question(served, flask.request.args.get("hitId", "")))
        if question.kind is not questions.Kind.HTML:
            raise worker.WorkerError("Only an HTMLQuestion has a page here.")
        page = task_pages.rewritten(question.content, flask.current_app.config[_CROWD])
        reply = flask.Response(page, content_type="text/html; charset=utf-8")
        reply.headers["Content-Security-Policy"] = _task_policy()
        # Its address has the assignment's id.
        reply.headers["Referrer-Policy"] = "no-referrer"
        reply.headers["Cache-Control"] = "no-store"
        return reply

    @blueprint.post("/mturk/externalSubmit")
    def external_submit() -> str | tuple[str, int]:
        # Values in the address count, too: the documentation describes them.
        request = flask.request
        fields = [*request.args.items(multi=True), *request.form.items(multi=True)]
        assignment_id = dict(fields).get("assignmentId", "")
        if assignment_id in ("", task_pages.PREVIEW):
            raise worker.WorkerError(
                "There was a problem submitting your results for this HIT. "
                "It must be accepted first, and its assignmentId be sent along."
            )
        if access.is_guarded():
            return _submit_guarded(served, assignment_id, fields)
        # A page elsewhere, and a script, have no session: there the assignment's id, which
        # nobody else knows, stands for its worker.
        me = access.current() or worker.task(served, assignment_id).worker_id
        links.submit(served, assignment_id, me, fields)
        return flask.render_template("submitted.html", assignment_id=assignment_id)


def is_stand_in(endpoint: str) -> bool:
    """Tell whether a script is asked for that task pages load.

    Parameters
    ----------
    endpoint : str
        Of the request.

    Returns
    -------
    bool
    """
    return endpoint.startswith("stand_in ")


def _submit_guarded(
    served: service.Service, assignment_id: str, fields: list[tuple[str, str]]
) -> str | tuple[str, int]:
    task = worker.task(served, assignment_id)
    token = dict(fields).get(access.TOKEN_FIELD, "")
    fields = [field for field in fields if field[0] != access.TOKEN_FIELD]
    if access.may_submit(assignment_id, task.worker_id, token, own_origin=doors.own_origin()):
        links.submit(served, assignment_id, task.worker_id, fields)
        return flask.render_template("submitted.html", assignment_id=assignment_id)
    # Nothing is set here, such as a secret of a form: this was posted without the session, and
    # would replace it.
    page = flask.render_template(
        "resend.html", hit=listings.hit(served, task.hit_id), task=task, fields=fields
    )
    return page, 403


def _task_policy() -> str:
    """Write the policy of a task page: its own site, or an origin that nobody else has."""
    request = flask.request
    home = doors.known().of_site(request.host_url) if doors.at_task_door() else ""
    # Outside of the site's frame a page here would have the task pages' host to itself, and none
    # of the frame's limits.
    if home and request.headers.get("Sec-Fetch-Dest") in (None, "iframe"):
        return f"frame-ancestors {home}"
    return f"{task_pages.POLICY_WITHOUT_ORIGIN}; frame-ancestors {doors.own_origin()}"


def _stand_in(name: str) -> Any:  # noqa: ANN401, a view function is any callable
    def view() -> flask.Response:
        reply = flask.send_from_directory(
            flask.current_app.blueprints["site"].static_folder or "", name, max_age=0
        )
        # The sandbox makes a page's own origin another one.
        reply.headers["Access-Control-Allow-Origin"] = "*"
        return reply

    return view
