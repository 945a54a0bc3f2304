"""The pages of recruiting links: where participants arrive, go on, and are sent back.

==========================================  ===========================================
``GET /join/LINKID?...``                    the address that a platform opens
``POST /join/LINKID?...``                   the same, for who is signed in with an account
``GET /visits/ID``                          the way: welcome, the next HIT, or the end
``POST /visits/ID/begin``                   from the welcome to the first HIT
``GET, POST /visits/ID/leave``              give the place back
``POST /visits/ID/resume``                  go on after that, or when the time was over
``POST /visits/ID/qualifications/TYPEID``   ask for what the HITs require
==========================================  ===========================================

The ids leave the address bar at once: an arrival is answered by a redirect. Nothing is stored
of who comes with no id, or one that is not of the platform's form, as previews have.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import re
import urllib.parse
from typing import Any, Final

import flask
import werkzeug

from turkbatch.server import (
    access,
    links,
    people,
    provider_calls,
    providers,
    recruiting,
    service,
    submissions,
    visits,
    worker,
)

_logger = logging.getLogger(__name__)

RETURN_SECONDS: Final = 15
"""After which the end page goes back to the platform by itself."""
_TOKEN: Final = "prolific_token"
# Of links and visits; some databases can't even be asked for what is no text.
_ID: Final = re.compile("[0-9a-f]{32}")
_LONGEST_EXTRA: Final = 1_000
_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " frame-ancestors 'none'; form-action 'self'"
)


def blueprint(served: service.Service) -> flask.Blueprint:
    """Make the pages.

    Parameters
    ----------
    served : Service
        Whose links they are.

    Returns
    -------
    flask.Blueprint
        For an application that has the worker site.
    """
    pages = flask.Blueprint("recruiting", __name__, template_folder="templates")
    pages.after_request(_guarded)
    pages.register_error_handler(links.NotAdmitted, _not_admitted)
    for rule, name, view, methods in (
        ("/join/<link_id>", "join", _join, ["GET", "POST"]),
        ("/visits/<visit_id>", "way", _way, ["GET"]),
        ("/visits/<visit_id>/begin", "begin", _begin, ["POST"]),
        ("/visits/<visit_id>/leave", "leave", _leave, ["GET", "POST"]),
        ("/visits/<visit_id>/resume", "resume", _resume, ["POST"]),
        ("/visits/<visit_id>/qualifications/<type_id>", "ask", _ask, ["POST"]),
    ):
        # Extensions ask a view for its name.
        own = functools.update_wrapper(functools.partial(view, served), view)
        pages.add_url_rule(rule, name, own, methods=methods)
    return pages


_Page = str | tuple[str, int] | flask.Response | werkzeug.Response


# Arriving


def _join(served: service.Service, link_id: str) -> _Page:
    request = flask.request
    # What looks ahead is no participant: scanners of links, and browsers that load beforehand.
    if request.method == "HEAD":
        return flask.Response(status=200)
    if "prefetch" in request.headers.get("Sec-Purpose", ""):
        return flask.Response(status=503)
    # Elsewhere a link's name finds it, too, which is no secret.
    if not _ID.fullmatch(link_id):
        return _told("unknown", 404)
    try:
        link = recruiting.find(served, link_id)
    except recruiting.LinkError:
        return _told("unknown", 404)
    arrival = _arrival(link)
    if not arrival.participant_id:
        return _told("missing", 400, link=link)
    if not _is_real(link, arrival):
        return _told("preview", 200, link=link)
    if request.method == "GET" and _has_account(served):
        # Somebody else's page could lead there, and so sign people out of their accounts.
        return _told("account", 200, link=link)
    return _arrived(served, link, arrival)


def _has_account(served: service.Service) -> bool:
    me = access.current()
    person = None if me is None else people.find(served, me)
    return person is not None and person.has_password


def _arrived(served: service.Service, link: recruiting.Link, arrival: links.Arrival) -> _Page:
    known = links.of_session(served, link.link_id, arrival.participant_id, arrival.session_id)
    if known is not None and access.current() == known.worker_id:
        # The same browser again: a signed token would be too old by now, and is not needed.
        found = links.resume(served, known.visit_id)
    else:
        try:
            arrival = _proven(served, link, arrival, is_known=known is not None)
        except provider_calls.Unproven as error:
            return _told("unproven", 403, link=link, why=str(error))
        except provider_calls.Unreachable as error:
            _logger.warning("link %s: %s", link.name, error)
            if not link.settings.admit_unproven:
                return _told("unreachable", 503, link=link)
        submissions.refresh_if_full(served, link)
        found, person = links.arrive(served, link.link_id, arrival)
        access.sign_in(person)
    return flask.redirect(flask.url_for("recruiting.way", visit_id=found.visit_id), 303)


def _arrival(link: recruiting.Link) -> links.Arrival:
    given, own = flask.request.args, link.settings

    def value(parameter: str) -> str:
        if not parameter:
            return ""
        return providers.normal(link.provider, given.get(parameter, "").strip()[:128])

    return links.Arrival(
        participant_id=value(own.participant_parameter),
        study_id=value(own.study_parameter),
        session_id=value(own.session_parameter),
        extras={name: given[name][:_LONGEST_EXTRA] for name in own.keep if name in given},
        address=flask.request.remote_addr,
        browser=flask.request.headers.get("User-Agent", "")[:_LONGEST_EXTRA],
    )


def _is_real(link: recruiting.Link, arrival: links.Arrival) -> bool:
    given = (arrival.participant_id, arrival.study_id, arrival.session_id)
    return all(providers.looks_real(link.provider, one) for one in given if one)


def _proven(
    served: service.Service, link: recruiting.Link, arrival: links.Arrival, *, is_known: bool
) -> links.Arrival:
    match link.settings.verify:
        case "none":
            return arrival
        case "api":
            provider_calls.look_up(link, arrival, is_known=is_known)
        case "token":
            given, own = flask.request.args, link.settings
            named = (own.participant_parameter, own.study_parameter, own.session_parameter)
            parameters = {name: given[name] for name in (*named, *own.keep) if name in given}
            # Not the name that the request has: whoever sends it can write any.
            host = urllib.parse.urlsplit(served.public_url).hostname or ""
            token = given.get(_TOKEN, "")
            provider_calls.check_token(link, token, arrival, parameters, host)
    return dataclasses.replace(arrival, verified=link.settings.verify)


# The way


def _way(served: service.Service, visit_id: str) -> _Page:
    step = _mine(served, visit_id)
    if not step.visit.is_open:
        return _end(served, step)
    asked = access.consent_wanted(served)
    if asked is not None:
        return asked
    if not step.has_begun:
        link = _link(served, step.visit)
        return flask.render_template("link_welcome.html", link=link, step=step, minutes=_minutes)
    if step.assignment_id is None:
        step = _proceed(served, step.visit)
    if step.assignment_id is not None:
        return flask.redirect(
            flask.url_for("site.assignment", assignment_id=step.assignment_id), 303
        )
    if step.visit.is_open:
        link = _link(served, step.visit)
        return flask.render_template("link_qualify.html", link=link, step=step)
    return _end(served, step)


def _begin(served: service.Service, visit_id: str) -> _Page:
    step = _mine(served, visit_id)
    if step.visit.is_open:
        asked = access.consent_wanted(served)
        if asked is not None:
            return asked
        step = _proceed(served, step.visit)
        if step.visit.is_open and step.assignment_id is None:
            link = _link(served, step.visit)
            return flask.render_template("link_qualify.html", link=link, step=step)
    return _to_way(visit_id)


def _proceed(served: service.Service, visit: visits.Visit) -> links.Step:
    step = links.proceed(served, visit.visit_id, may_run_out=False)
    if step.out_of_work and submissions.refresh(served, _link(served, visit)):
        # Somebody who went may have held what this one can do.
        step = links.proceed(served, visit.visit_id, may_run_out=False)
    if step.out_of_work:
        step = links.proceed(served, visit.visit_id)
    return step


def _leave(served: service.Service, visit_id: str) -> _Page:
    step = _mine(served, visit_id)
    if flask.request.method == "GET" and step.visit.is_open:
        link = _link(served, step.visit)
        return flask.render_template("link_leave.html", link=link, step=step)
    if flask.request.method == "POST":
        links.leave(served, visit_id)
    return _to_way(visit_id)


def _resume(served: service.Service, visit_id: str) -> _Page:
    _mine(served, visit_id)
    if not links.resume(served, visit_id).is_open:
        flask.flash("There is no place any more.")
    return _to_way(visit_id)


def _ask(served: service.Service, visit_id: str, type_id: str) -> _Page:
    step = _mine(served, visit_id)
    if not step.visit.is_open:
        return _to_way(visit_id)
    offered = {one.qualification_type_id: one for one in links.proceed(served, visit_id).wanted}
    if type_id in offered and offered[type_id].has_test:
        worker.take_test(served, type_id, step.visit.worker_id)
        return flask.redirect(flask.url_for("site.show_test", type_id=type_id), 303)
    if type_id in offered:
        worker.request_qualification(served, type_id, step.visit.worker_id)
    return _begin(served, visit_id)


def _end(served: service.Service, step: links.Step) -> str:
    visit, link = step.visit, _link(served, step.visit)
    if visit.state == "completed":
        visit = submissions.ask_for_credit(served, link, visit)
    back = recruiting.return_address(
        link,
        visit.state,
        participant=visit.participant_id,
        study=visit.study_id,
        session=visit.session_id,
        kept={name: str(visit.extras.get(name, "")) for name in link.settings.keep},
    )
    return flask.render_template(
        "link_end.html",
        link=link,
        visit=visit,
        done=step.done,
        code=recruiting.code_after(link, visit.state),
        back="" if visit.credit == "granted" else back,
        return_seconds=RETURN_SECONDS,
        can_resume=visit.state in visits.RESUMABLE,
    )


# What is the same for all


def _mine(served: service.Service, visit_id: str) -> links.Step:
    me = access.current()
    found = links.find(served, visit_id) if _ID.fullmatch(visit_id) else None
    # The same words for both: which visits there are is nobody's business.
    if found is None or me is None or found.worker_id != me:
        raise links.NotAdmitted(
            "This page is for the participant whose visit it is. Open the study on the platform "
            "again, and follow its link."
        )
    return links.look(served, visit_id)


def _link(served: service.Service, visit: visits.Visit) -> recruiting.Link:
    return recruiting.find(served, visit.link_id)


def _to_way(visit_id: str) -> werkzeug.Response:
    return flask.redirect(flask.url_for("recruiting.way", visit_id=visit_id), 303)


def _minutes(link: recruiting.Link) -> int:
    return max(1, link.lease_seconds // 60)


def _told(what: str, status: int, **more: Any) -> tuple[str, int]:  # noqa: ANN401, for a template
    return flask.render_template("link_told.html", what=what, **more), status


def _not_admitted(error: Exception) -> tuple[str, int]:
    return _told("not_admitted", 403, why=str(error))


def _guarded(response: flask.Response) -> flask.Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    # No other site is told where participants come from. With "no-referrer" browsers would post
    # the pages' own forms with the origin "null", as forged ones come.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers["Cache-Control"] = "no-store"
    return response
