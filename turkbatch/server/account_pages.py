"""The pages for signing in, and about oneself.

===================================  ====================================================
``GET, POST /sign-in``               by password; on loopback as whom
``POST /sign-out``                   ends the session in this browser
``GET, POST /invitations/TOKEN``     whom it is for; sets the password, and uses it up
``GET, POST /consent``               what the group asks to agree to
``GET /account``, ``POST ../password``   whose it is; a new password
``GET /account/data``                all that is known of the person, as a file
``POST /account/withdraw``           erases it
===================================  ====================================================

Who is signed in, and what that lets them do, is :mod:`turkbatch.server.access`.
"""

from __future__ import annotations

import flask
import werkzeug

from turkbatch.server import access, erasure, groups, links, people, service, worker


def add_pages(blueprint: flask.Blueprint, served: service.Service) -> None:
    """Add the pages for signing in, and about oneself.

    Parameters
    ----------
    blueprint : flask.Blueprint
        Of the site.
    served : Service
        Whose people they are.
    """
    _add_entrance(blueprint, served)
    _add_invitation(blueprint, served)
    _add_consent(blueprint, served)
    _add_account(blueprint, served)


def _add_entrance(blueprint: flask.Blueprint, served: service.Service) -> None:
    @blueprint.route("/sign-in", methods=["GET", "POST"], endpoint="sign_in")
    def entrance() -> str | tuple[str, int] | werkzeug.Response:
        wanted = access.local(flask.request.values.get("next", "/hits"))
        given = flask.request.form.get("workerId", "").strip()
        if flask.request.method == "GET":
            return _entrance(wanted, "", "")
        fault = (_by_password if access.is_guarded() else _as_anybody)(served, given)
        if fault:
            return _entrance(wanted, given, fault), 422
        return flask.redirect(wanted, 303)

    @blueprint.post("/sign-out", endpoint="sign_out")
    def leave() -> werkzeug.Response:
        access.sign_out()
        return flask.redirect(flask.url_for("site.sign_in"), 303)


def _entrance(wanted: str, given: str, fault: str) -> str:
    return flask.render_template(
        "sign_in.html", next=wanted, given=given, fault=fault, guarded=access.is_guarded()
    )


def _by_password(served: service.Service, given: str) -> str:
    person = people.check_password(served, given, flask.request.form.get("password", ""))
    if person is None:
        return (
            "That is not the id and the password of an account that is open. After too many "
            "wrong passwords an account is closed for some minutes."
        )
    access.sign_in(person)
    return ""


def _as_anybody(served: service.Service, given: str) -> str:
    person = people.find(served, given)
    if person is not None and person.has_password:
        return f"{given} has a password, and can't be taken by anybody else here."
    if person is not None and person.disabled:
        return f"{given} is disabled."
    try:
        worker.register(served, given)
    except worker.WorkerError as error:
        return str(error)
    flask.session.clear()
    flask.session["worker"] = given
    return ""


def _add_invitation(blueprint: flask.Blueprint, served: service.Service) -> None:
    # The token is used up by a post: programs that look at mail follow its links.
    @blueprint.route("/invitations/<token>", methods=["GET", "POST"])
    def invitation(token: str) -> str | tuple[str, int] | werkzeug.Response:
        person = people.invited(served, token)
        if person is None:
            return _ended_invitation(), 404
        if flask.request.method == "GET":
            return flask.render_template("invitation.html", person=person, fault="")
        try:
            redeemed = people.redeem(served, token, _new_password())
        except people.PeopleError as error:
            if people.invited(served, token) is None:
                return _ended_invitation(), 404
            page = flask.render_template("invitation.html", person=person, fault=str(error))
            return page, 422
        if access.is_guarded():
            access.sign_in(redeemed)
        else:
            flask.flash("The password is set. It is asked for where the server needs accounts.")
        return flask.redirect(flask.url_for("site.hits"), 303)


def _ended_invitation() -> str:
    return flask.render_template(
        "sorry.html",
        title="This invitation is used up",
        text="It worked once, or its time is over, or a newer one took its place. Sign in with "
        "the password that you chose, or ask whoever sent it for another one.",
    )


def _new_password() -> str:
    form = flask.request.form
    if form.get("password", "") != form.get("again", ""):
        raise people.PeopleError("The two passwords differ.")
    return form.get("password", "")


def _add_consent(blueprint: flask.Blueprint, served: service.Service) -> None:
    @blueprint.route("/consent", methods=["GET", "POST"])
    def consent() -> str | tuple[str, int] | werkzeug.Response:
        wanted = access.local(flask.request.values.get("next", "/hits"))
        me = access.current()
        if me is None:
            return flask.redirect(flask.url_for("site.sign_in", next=wanted), 303)
        pending = groups.pending_consent(served, me)
        if pending is None:
            return flask.redirect(wanted, 303)
        form = flask.request.form
        # What was agreed to is what was shown, and not what came into force meanwhile.
        if form.get("version") != str(pending.version) or "answer" not in form:
            return flask.render_template("consent.html", consent=pending, next=wanted)
        agreed = form["answer"] == "agree"
        groups.record(
            served,
            me,
            pending.version,
            agreed,
            address=flask.request.remote_addr,
            browser=flask.request.headers.get("User-Agent"),
        )
        return flask.redirect(wanted, 303) if agreed else _declined(served, me)


def _declined(served: service.Service, me: str) -> str | werkzeug.Response:
    address = links.declined(served, me)
    if address is not None:
        return flask.redirect(address, 303)
    access.sign_out()
    return flask.render_template("declined.html")


def _add_account(blueprint: flask.Blueprint, served: service.Service) -> None:
    @blueprint.get("/account")
    def account() -> str:
        return _account_page(served)

    @blueprint.post("/account/password")
    def change_password() -> str | tuple[str, int] | werkzeug.Response:
        me = _me()
        known = people.check_password(served, me, flask.request.form.get("old", ""))
        if known is None:
            return _account_page(served, "That is not the password that you have now."), 422
        try:
            changed = people.set_password(served, me, _new_password())
        except people.PeopleError as error:
            return _account_page(served, str(error)), 422
        access.sign_in(changed)
        flask.flash("The password is changed, and every other session is over.")
        return flask.redirect(flask.url_for("site.account"), 303)

    @blueprint.get("/account/data")
    def account_data() -> flask.Response:
        found = erasure.export(served, _me())
        reply = flask.jsonify(found)
        reply.headers["Content-Disposition"] = f'attachment; filename="{_me()}.json"'
        return reply

    @blueprint.post("/account/withdraw")
    def withdraw() -> str | tuple[str, int]:
        if flask.request.form.get("sure") != "yes":
            return _account_page(served, withdrawing="Tick that you are sure."), 422
        erasure.erase(served, _me())
        access.sign_out()
        return flask.render_template("withdrawn.html")


def _account_page(served: service.Service, fault: str = "", withdrawing: str = "") -> str:
    person = people.find(served, _me())
    group = None if person is None else groups.find(served, person.group)
    agreed = None
    if group is not None and group.consent_version is not None:
        agreed = groups.consent_of(served, group.name, group.consent_version)
    return flask.render_template(
        "account.html", person=person, consent=agreed, fault=fault, withdrawing=withdrawing
    )


def _me() -> str:
    found = access.current()
    assert found is not None, "nobody gets here without signing in"
    return found
