"""Who is signed in, how they came to be, and what that lets them do.

On a loopback address without accounts anybody signs in as any worker. Where the server is
*guarded* (see :class:`turkbatch.server.origins.Origins`) there are people instead, by password,
invitation or recruiting link:

- Sessions are signed cookies, by Flask. They end after a term, with the person's *generation*
  (which a new password and being disabled raise), and not with the server: the key is in the
  database, and so the same in all processes.
- Flask-Login keeps who it is, Flask-WTF a secret in every form (pages elsewhere can have a
  browser post one, but not read it), and Flask-Limiter how often an address may try. It counts
  in each process for itself; what locks an account is in its row, and shared.
- Answers are posted by requesters' pages, which have no session. A submission is recorded with
  the assignment's own token, which only the site's page around the task's frame knows, or when
  the worker's own session posts it from a page of the site.

Flask-Login, Flask-WTF and Flask-Limiter are chosen because each does one of these things, is
kept by those who keep Flask or close to them, and needs no tables of its own; argon2-cffi
hashes the passwords (:mod:`turkbatch.server.people`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import hmac
import importlib.util
import ipaddress
import secrets
import time
import urllib.parse
from collections.abc import Callable
from typing import Any, Final

import flask
import sqlalchemy
import werkzeug

from turkbatch.server import groups, people, schema, service, store

TOKEN_FIELD: Final = "turkbatchToken"
"""The field of a submission that carries the assignment's token."""

_EXTENSION: Final = "turkbatch access"
_SECRET_SETTING: Final = "session_secret"
_DAY: Final = 86_400
_INVITED_SECONDS: Final = 14 * _DAY
# Participants come anew by their platform's link.
_PARTICIPANT_SECONDS: Final = _DAY
_LIBRARIES: Final = ("flask_login", "flask_wtf", "flask_limiter", "argon2")
# What posts to these has no session, and other means to say who it is.
_WITHOUT_SECRET: Final = {"site.external_submit"}
# Pages that somebody who has not agreed yet may see, and answers begun before are recorded.
_WITHOUT_CONSENT: Final = {
    f"site.{name}"
    for name in (
        "account",
        "account_data",
        "consent",
        "dynamic_hit",
        "external_submit",
        "home",
        "invitation",
        "sign_in",
        "sign_out",
        "state",
        "static",
        "withdraw",
    )
}


@dataclasses.dataclass(frozen=True)
class _Guard:
    """What an application knows of its people."""

    served: service.Service
    is_guarded: bool
    key: bytes


# Set up


def guard(app: flask.Flask, served: service.Service, *, sign_ins_per_minute: int) -> None:
    """Have an application look at who asks, once all its pages are added.

    Parameters
    ----------
    app : flask.Flask
        With the pages of :func:`turkbatch.server.account_pages.add_pages`.
    served : Service
        Whose people they are.
    sign_ins_per_minute : int
        From one address: sign-ins, invitations, and arrivals by recruiting links, each.
    """
    key = _key(served.store)
    app.secret_key = key
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=_INVITED_SECONDS,
        # The term begins with the sign-in.
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    app.extensions[_EXTENSION] = _Guard(served, served.keys_demanded, key)
    app.jinja_env.globals.update(csrf_field=_csrf_field, csrf_meta=_csrf_meta)
    if served.keys_demanded and not missing_libraries():
        _add_sessions(app, served)
        _add_secrets(app)
        _add_limits(app, f"{sign_ins_per_minute} per minute")
    app.before_request(functools.partial(_consent_first, served))


@functools.cache
def missing_libraries() -> str:
    """Name what accounts need and is not installed; the API does without.

    Returns
    -------
    str
        Modules, with commas; empty if nothing is missing.
    """
    return ", ".join(name for name in _LIBRARIES if importlib.util.find_spec(name) is None)


def _key(database: store.Store) -> bytes:
    """Read the key of all sessions, made once."""
    table = schema.settings
    wanted = sqlalchemy.select(table.c.value).where(table.c.name == _SECRET_SETTING)
    with database.read() as connection:
        found = connection.scalar(wanted)
    if found is None:
        with database.write() as connection:
            found = connection.scalar(wanted)
            if found is None:  # another process may have been faster
                found = secrets.token_hex(32)
                row = {"name": _SECRET_SETTING, "value": found}
                connection.execute(table.insert(), row)
    return bytes.fromhex(found)


class _User:
    """A person as Flask-Login wants one."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, person: people.Person) -> None:
        self.person = person

    def get_id(self) -> str:
        # Flask-Login's own advice for ending sessions: what changes is part of the id.
        return f"{self.person.generation}:{self.person.worker_id}"


def _add_sessions(app: flask.Flask, served: service.Service) -> None:
    import flask_login  # type: ignore[import-untyped]

    manager = flask_login.LoginManager(app)
    # It would sign people out when their address changes, as telephones' do, and put a trace of
    # address and browser into the cookie.
    manager.session_protection = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(user_id: str) -> _User | None:
        generation, _, worker_id = user_id.partition(":")
        until = flask.session.get("until")
        if not isinstance(until, int) or until < time.time():
            return None
        person = people.find(served, worker_id)
        if person is None or person.disabled or str(person.generation) != generation:
            return None
        if person.seen_at < served.clock.now().timestamp() - _DAY:
            people.seen(served, worker_id)
        return _User(person)


def _add_secrets(app: flask.Flask) -> None:
    import flask_wtf.csrf  # type: ignore[import-untyped]

    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,  # checked below, where it is known what is exempt
        WTF_CSRF_TIME_LIMIT=None,  # a task may take longer than any; it ends with the session
        # By Referer, which some browsers are told to leave out. The site looks at Origin.
        WTF_CSRF_SSL_STRICT=False,
    )
    protection = flask_wtf.csrf.CSRFProtect(app)

    @app.before_request
    def check_secret() -> None:
        if flask.request.endpoint in _WITHOUT_SECRET:
            return
        try:
            protection.protect()
        except flask_wtf.csrf.CSRFError:
            raise werkzeug.exceptions.BadRequest(
                "This came from a page that is too old, or not of this site. Nothing was done; "
                "load the page anew, and try again."
            ) from None


def _add_limits(app: flask.Flask, limit: str) -> None:
    import flask_limiter

    limiter = flask_limiter.Limiter(
        _address,
        app=app,
        storage_uri="memory://",
        headers_enabled=True,
        # What counts is that someone tries, not whether it works.
        strategy="moving-window",
    )
    for endpoint, methods in (
        ("site.sign_in", ["POST"]),
        ("site.invitation", ["POST"]),
        ("recruiting.join", ["GET", "POST"]),
    ):
        if endpoint in app.view_functions:
            app.view_functions[endpoint] = limiter.limit(limit, methods=methods)(
                _named(app.view_functions[endpoint], endpoint)
            )


def _named(view: Callable[..., Any], endpoint: str) -> Callable[..., Any]:
    # Limits are kept by a function's name, which a partial one does not have.
    def look(**values: Any) -> Any:  # noqa: ANN401, as a view takes and gives it
        return view(**values)

    look.__name__ = look.__qualname__ = endpoint
    return look


def _address() -> str:
    """Tell whose tries are counted together: who has one IPv6 address has 2^64 of them."""
    given = flask.request.remote_addr or ""
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return given
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return given


# Who it is


def is_guarded() -> bool:
    """Tell whether people need accounts here.

    Returns
    -------
    bool
    """
    return _guard().is_guarded


def current() -> str | None:
    """Name the worker who is signed in.

    Returns
    -------
    str or None
        A worker's id.
    """
    if is_guarded():
        person = _person()
        return None if person is None else person.worker_id
    found = flask.session.get("worker")
    return found if isinstance(found, str) else None


def is_person() -> bool:
    """Tell whether whoever is signed in has more than an id, which anybody could have named.

    Returns
    -------
    bool
    """
    return current() is not None and (is_guarded() or bool(flask.session.get("person")))


def came_by_link() -> bool:
    """Tell whether whoever is signed in is a participant, who does what a link has for them.

    Returns
    -------
    bool
    """
    if not is_person():
        return False
    if is_guarded():
        person = _person()
        return person is not None and person.origin != people.INVITED
    return bool(flask.session.get("participant"))


def sign_in(person: people.Person) -> None:
    """Begin a session for somebody; what this browser's session held before is gone.

    Parameters
    ----------
    person : people.Person
        Who has shown that it is they.
    """
    flask.session.clear()
    participant = person.origin != people.INVITED
    if not is_guarded():
        flask.session.update(worker=person.worker_id, person=True, participant=participant)
        return
    import flask_login

    term = _PARTICIPANT_SECONDS if participant else _INVITED_SECONDS
    flask_login.login_user(_User(person))
    del flask.session["_id"]  # made of address and browser
    flask.session["until"] = int(time.time()) + term
    flask.session.permanent = True


def sign_out() -> None:
    """End the session in this browser."""
    if is_guarded():
        import flask_login

        flask_login.logout_user()
    flask.session.clear()


def token_of(assignment_id: str) -> str:
    """Make what authorises the submission of one assignment.

    Parameters
    ----------
    assignment_id : str
        Of whoever is shown it.

    Returns
    -------
    str
        Can't be guessed, and is the same each time.
    """
    return hmac.new(_guard().key, f"submit {assignment_id}".encode(), hashlib.sha256).hexdigest()


def may_submit(assignment_id: str, worker_id: str, token: str, *, own_origin: str) -> bool:
    """Tell whether a post may hand in an assignment.

    Parameters
    ----------
    assignment_id, worker_id : str
        What, and whose it is.
    token : str
        As it was posted; empty, if none was.
    own_origin : str
        Of the site.

    Returns
    -------
    bool
        Without accounts always: the assignment's id, which nobody else knows, is enough.
    """
    if not is_guarded():
        return True
    if hmac.compare_digest(token_of(assignment_id).encode(), token.encode(errors="replace")):
        return True
    # A page elsewhere on the same site would send the session, too.
    return flask.request.headers.get("Origin") == own_origin and current() == worker_id


def local(address: str) -> str:
    """Give an address of this site, whatever was asked for.

    Parameters
    ----------
    address : str
        Where somebody wants to go on.

    Returns
    -------
    str
        A path, with its query.
    """
    parts = urllib.parse.urlsplit(address.replace("\\", "/"))
    inside = not parts.scheme and not parts.netloc and address.startswith("/")
    return address if inside else "/hits"


def _guard() -> _Guard:
    found: _Guard = flask.current_app.extensions[_EXTENSION]
    return found


def _person() -> people.Person | None:
    import flask_login

    user = flask_login.current_user
    return user.person if user.is_authenticated else None


def _csrf_field() -> str:
    """Draw the hidden field that every form of the site has where there are accounts."""
    return _drawn("field") if is_guarded() else ""


def _csrf_meta() -> str:
    """Draw where the site's script finds the secret."""
    return _drawn("meta") if is_guarded() and current() is not None else ""


def _drawn(macro: str) -> str:
    import flask_wtf.csrf

    drawn: str = flask.get_template_attribute("_secret.html", macro)(flask_wtf.csrf.generate_csrf())
    return drawn


def _consent_first(served: service.Service) -> werkzeug.Response | None:
    request = flask.request
    if request.blueprint != "site" or request.endpoint in _WITHOUT_CONSENT:
        return None
    return consent_wanted(served)


def consent_wanted(served: service.Service) -> werkzeug.Response | None:
    """Lead somebody to what their group asks them to agree to, before all else.

    Parameters
    ----------
    served : Service
        Whose groups they are.

    Returns
    -------
    werkzeug.Response or None
        None if nobody is signed in, or has nothing to agree to.
    """
    # Ids that are no people's have no group.
    me = current() if is_person() else None
    if me is None or groups.pending_consent(served, me) is None:
        return None
    wanted = flask.request.full_path.rstrip("?") if flask.request.method == "GET" else "/hits"
    return flask.redirect(flask.url_for("site.consent", next=wanted), 303)
