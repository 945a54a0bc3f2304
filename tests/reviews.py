"""A review in the browser that runs beside its test, and who asks it over HTTP."""

from __future__ import annotations

import http.cookiejar
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import actions

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

PATIENCE_SECONDS = 30


class Asker:
    """Asks as a browser would, cookies and all, and as others might."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urllib.parse.urlsplit(url)
        self.site = f"{parts.scheme}://{parts.netloc}"
        self.port = parts.port
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )

    def ask(
        self,
        path: str,
        fields: dict[str, str] | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        """Get a page, or post fields; give the status that it came to, and the text."""
        own = {} if fields is None else {"Origin": self.site}
        request = urllib.request.Request(
            urllib.parse.urljoin(self.site, path),
            data=None if fields is None else urllib.parse.urlencode(fields).encode(),
            headers=own | (headers or {}),
        )
        try:
            with self._opener.open(request) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def enter(self) -> None:
        """Come in with the key."""
        status, text = self.ask(self.url)
        assert status == 200, text

    def mark(self, assignment_id: str, action: str, feedback: str = "") -> int:
        """Mark an assignment; give the status of the page that one comes to."""
        fields = {"of": "assignment", "id": assignment_id, "action": action, "feedback": feedback}
        return self.ask("/marks", fields)[0]

    def finish(self) -> None:
        """End the review."""
        self.ask("/finished", {})


class Running(Asker):
    """A review that is served in a thread."""

    def __init__(self, client: MTurkClient, batch: Path, **options: Any) -> None:
        self._told: queue.Queue[actions.ReviewAddress | Exception] = queue.Queue()
        self._result: actions.BrowserReview | None = None
        self._thread = threading.Thread(target=self._run, args=(client, batch, options))
        self._thread.start()
        address = self._told.get(timeout=PATIENCE_SECONDS)
        if isinstance(address, Exception):
            self._thread.join()
            raise address
        self.once = address.once
        super().__init__(address.url)

    def _run(self, client: MTurkClient, batch: Path, options: dict[str, Any]) -> None:
        try:
            self._result = actions.review_in_browser(
                client, batch, on_ready=self._told.put, **options
            )
        except Exception as error:
            self._told.put(error)

    def result(self) -> actions.BrowserReview:
        """Wait for its end; give what came of it."""
        self._thread.join(PATIENCE_SECONDS)
        assert self._result is not None, "it goes on"
        return self._result

    def end(self) -> None:
        """End it, if it goes on."""
        if self._thread.is_alive():
            self.enter()
            self.finish()
            self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
