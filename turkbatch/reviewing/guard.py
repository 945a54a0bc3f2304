"""Who may see the pages: the browser that came in with the key, and nobody else.

Everybody on the machine can reach a loopback address, and so can every page that a browser
shows. Therefore:

- The pages are there under ``127.0.0.1`` alone, the tasks under ``localhost`` alone, so that
  a task's scripts run on an origin that has nothing of the reviewer's. Requests under any
  other name are refused: a name of someone else's can be pointed at this machine.
- The address that is printed holds a key, which becomes a cookie that no script can read and
  that is sent with nothing that another site begins.
- What changes anything must come from a page of this origin.
- The address of a task's page holds a key of its own, good for that assignment alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import urllib.parse
from typing import Final

import flask

PAGES_HOST: Final = "127.0.0.1"
TASKS_HOST: Final = "localhost"
ENTRANCE: Final = "/enter"
_KEY_BYTES: Final = 24


class Guard:
    """The keys of one run, and who has shown one."""

    def __init__(self) -> None:
        self.key = secrets.token_urlsafe(_KEY_BYTES)
        """Opens the pages, as often as it is shown."""
        self._session = secrets.token_urlsafe(_KEY_BYTES)
        self._of_tasks = secrets.token_bytes(_KEY_BYTES)
        self._tickets: set[str] = set()

    def ticket(self) -> str:
        """Make a key that opens the pages once.

        For a browser that is started: its command line can be read by everybody.
        """
        made = secrets.token_urlsafe(_KEY_BYTES)
        self._tickets.add(made)
        return made

    def opens(self, key: str) -> bool:
        """Tell whether a key opens the pages; a ticket is used up by it."""
        if key in self._tickets:
            self._tickets.discard(key)
            return True
        return _same(key, self.key)

    def admit(self, response: flask.Response) -> None:
        """Give the browser that gets a response the cookie."""
        response.set_cookie(_cookie(), self._session, httponly=True, samesite="Strict")

    def knows(self) -> bool:
        """Tell whether the present request brings the cookie."""
        return _same(flask.request.cookies.get(_cookie(), ""), self._session)

    def task_key(self, assignment_id: str) -> str:
        """Make the key of the page of an assignment's task."""
        return hmac.new(self._of_tasks, assignment_id.encode(), hashlib.sha256).hexdigest()

    def opens_task(self, assignment_id: str, key: str) -> bool:
        """Tell whether a key opens the page of an assignment's task."""
        return _same(key, self.task_key(assignment_id))


def port() -> int:
    """Tell the port under which the present request came, which a tunnel may have changed."""
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(f"//{flask.request.host}").port or 80
    return 80


def origin(host: str) -> str:
    """Name one of the two origins as the present request's browser sees it."""
    return f"http://{host}:{port()}"


def host_name() -> str:
    """Tell the name under which the present request came, without its port."""
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(f"//{flask.request.host}").hostname or ""
    return ""


def is_own_post() -> bool:
    """Tell whether a page of this origin sent the present request."""
    return flask.request.headers.get("Origin") == origin(PAGES_HOST)


def _cookie() -> str:
    # Cookies know no ports: each port has a name of its own, so that two reviews get along.
    return f"turkbatch-review-{port()}"


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
