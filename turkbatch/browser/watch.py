"""What goes wrong on a page in a browser, as its requester should hear of it."""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Dialog, Error, Page, Request, Response

# What Chromium says of things that are told otherwise.
_NOT_LOADED: Final = "Failed to load resource"
_NO_DIALOGS: Final = "Ignored call to '"
_LONGEST: Final = 300


@dataclasses.dataclass(frozen=True)
class Trouble:
    """One thing that went wrong.

    Parameters
    ----------
    rule : str
        Its kind: ``script-error``, ``console-error``, ``not-loaded``, ``dialog``.
    found : str
        What it is, as one clause.
    """

    rule: str
    found: str


class Watch:
    """Listens to a tab until it is told to stop.

    Parameters
    ----------
    tab : Page
        From before it goes anywhere.
    """

    def __init__(self, tab: Page) -> None:
        self._found: dict[Trouble, None] = {}
        self._unloaded: set[str] = set()
        self._listening = True
        tab.on("pageerror", self._script_failed)
        tab.on("console", self._told)
        tab.on("requestfailed", self._request_failed)
        tab.on("response", self._answered)
        tab.on("dialog", self._asked)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What was found, in the order of its happening; each thing once."""
        return tuple(self._found)

    def stop(self) -> None:
        """Take no notice of what happens from now on."""
        self._listening = False

    def note(self, rule: str, found: str) -> None:
        """Add something that was found.

        Parameters
        ----------
        rule, found : str
            As of :class:`Trouble`.
        """
        if self._listening:
            self._found[Trouble(rule, _short(found))] = None

    def _script_failed(self, error: Error) -> None:
        name = f"{error.name}: " if error.name and error.name not in error.message else ""
        self.note("script-error", f"a script failed: {name}{error.message}")

    def _told(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        text = message.text
        if text.startswith(_NOT_LOADED):
            # Frames of their own process tell of their first requests in this way alone.
            self._not_loaded(message.location["url"], text.removeprefix(_NOT_LOADED).strip(": "))
        elif text.startswith(_NO_DIALOGS):
            call = text.removeprefix(_NO_DIALOGS).partition("'")[0]
            self.note("dialog", f"a script called {call}, which shows nothing here")
        else:
            self.note("console-error", f"the page told the console: {text}")

    def _request_failed(self, request: Request) -> None:
        self._not_loaded(request.url, request.failure or "it failed")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self._not_loaded(response.url, f"status {response.status}")

    def _not_loaded(self, url: str, reason: str) -> None:
        # Aborted is what the page itself gave up, by going elsewhere.
        aside = "ERR_ABORTED" in reason or urllib.parse.urlsplit(url).path == "/favicon.ico"
        if url and not aside and url not in self._unloaded and self._listening:
            self._unloaded.add(url)
            self.note("not-loaded", f"{url} could not be loaded ({reason})")

    def _asked(self, dialog: Dialog) -> None:
        self.note("dialog", f'a script opened a dialog ({dialog.type}: "{dialog.message}")')
        dialog.accept()


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LONGEST else f"{one_line[: _LONGEST - 1]}…"
