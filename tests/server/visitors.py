"""People who visit the worker site over plain HTTP, each with a browser's cookies."""

from __future__ import annotations

import dataclasses
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message


@dataclasses.dataclass(frozen=True)
class Page:
    """What a visitor got, after all redirects."""

    status: int
    path: str
    text: str
    headers: Message


class Visitor:
    """One person's browser, without its scripts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path: str, **headers: str) -> Page:
        return self._send(path, None, headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Page:
        """Post what a form would, without its secret."""
        return self._send(path, urllib.parse.urlencode(fields).encode(), headers)

    def fill_in(self, page: str, fields: dict[str, str], to: str = "", **headers: str) -> Page:
        """Open a page, and post its form: to another path, if its action is one."""
        secret = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page).text)
        assert secret is not None, f"{page} has no form with a secret"
        return self.post(to or page, {"csrf_token": secret[1], **fields}, **headers)

    def sign_in(self, worker_id: str, password: str, wanted: str = "/hits") -> Page:
        fields = {"workerId": worker_id, "password": password, "next": wanted}
        return self.fill_in("/sign-in", fields)

    def _send(self, path: str, body: bytes | None, headers: dict[str, str]) -> Page:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, named)
        try:
            with self._opener.open(request, timeout=20) as reply:
                return _page(reply.status, reply.url, reply.read(), reply.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _page(error.code, error.url, error.read(), error.headers)


def _page(status: int, url: str, body: bytes, headers: Message) -> Page:
    return Page(status, urllib.parse.urlsplit(url).path, body.decode(), headers)
