"""People who work on the worker site through real HTTP sessions, each with cookies of its own.

They sign in, look at the list, accept, read the task's page, think, submit or return, and go
on, as a browser would: forms are posted with all their fields, a task's page posts its
answers without the site's cookies. When the server is away they try again, and find out by
the site's own pages what became of what they sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from typing import Final

import aiohttp
import lxml.html

PASSWORD: Final = "correct horse battery"
_AWAY_SECONDS: Final = 60
_AGAIN_SECONDS: Final = 0.2
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)

Fields = Mapping[str, str]


class LeftOut(Exception):  # noqa: N818, it is no fault of the site
    """The site refused in words, as it does when somebody else was quicker."""


@dataclasses.dataclass
class Record:
    """What a crowd has seen.

    Parameters
    ----------
    answers : dict
        What the site said it has: assignment to HIT, worker and answer.
    accepted : list of (str, str, str)
        Assignment, HIT and worker, each time that the site gave one.
    returned : set of str
        Assignments that the site said it took back.
    seconds : list of float
        How long each page took.
    breaks : int
        Requests to which there was no reply.
    """

    answers: dict[str, tuple[str, str, str]] = dataclasses.field(default_factory=dict)
    accepted: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    returned: set[str] = dataclasses.field(default_factory=set)
    seconds: list[float] = dataclasses.field(default_factory=list)
    breaks: int = 0

    def slow_seconds(self) -> float:
        """Tell the 95th percentile of a page."""
        ordered = sorted(self.seconds)
        return ordered[int(len(ordered) * 0.95)]


@dataclasses.dataclass(frozen=True)
class Page:
    """A reply of the site."""

    address: str
    status: int
    text: str

    @property
    def tree(self) -> lxml.html.HtmlElement:
        return lxml.html.fromstring(self.text, base_url=self.address)

    def form(self, ending: str) -> tuple[str, dict[str, str]] | None:
        """Find a form by how its address ends; give that and its fields."""
        for form in self.tree.forms:
            action = urllib.parse.urljoin(self.address, form.get("action") or self.address)
            if urllib.parse.urlsplit(action).path.endswith(ending):
                return action, {name: value or "" for name, value in form.fields.items() if name}
        return None

    def forms(self, ending: str) -> list[str]:
        """List the addresses of all forms whose address ends so."""
        actions = (
            urllib.parse.urljoin(self.address, one.get("action", "")) for one in self.tree.forms
        )
        return [one for one in actions if urllib.parse.urlsplit(one).path.endswith(ending)]


class Person:
    """One worker in one browser.

    Parameters
    ----------
    url : str
        The site.
    worker_id : str
        As whom to sign in.
    number : int
        Makes an address and a chance of its own.
    record : Record
        Where to write what happens.
    pause_seconds : (float, float)
        The shortest and the longest time for which the person thinks.
    """

    def __init__(
        self,
        url: str,
        worker_id: str,
        number: int,
        record: Record,
        pause_seconds: tuple[float, float],
    ) -> None:
        self.url, self.worker_id, self.record = url, worker_id, record
        self._chance = random.Random(number)
        self._pause_seconds = pause_seconds
        # As a proxy in front of the server would tell it.
        self._address = f"192.0.2.{number % 250 + 1}"

    async def live(self, until: float) -> None:
        """Work until a moment of :func:`time.monotonic`, and end what was begun."""
        async with self._browser():
            await self.sign_in()
            while time.monotonic() < until:
                with contextlib.suppress(LeftOut):
                    await self._work_once()

    async def sign_in(self) -> None:
        """Sign in; when the way was cut off in the middle, look whether it is done, or try anew."""
        page = await self._get("/hits")
        while not page.form("/sign-out"):
            action, fields = _found(page, "/sign-in")
            fields["workerId"] = self.worker_id
            if "password" in fields:
                fields["password"] = PASSWORD
            breaks = self.record.breaks
            page = await self._post(action, fields)
            if self.record.breaks > breaks:
                page = await self._get("/hits")
            assert page.status == 200, page.text

    async def _work_once(self) -> None:
        page = await self._get("/hits")
        offers = page.forms("/accept")
        await self._think()
        if not offers:
            return
        chosen = self._chance.choice(offers)
        action, fields = _found(page, urllib.parse.urlsplit(chosen).path)
        page = await self._post(action, fields)
        if page.status != 200:
            raise LeftOut(page.text)
        await self._do(page, hit_id=chosen.split("/")[-2])

    async def _do(self, page: Page, hit_id: str) -> None:
        """Do the assignment that a page shows."""
        assignment_id = urllib.parse.urlsplit(page.address).path.rsplit("/", 1)[-1]
        self.record.accepted.append((assignment_id, hit_id, self.worker_id))
        frame = page.tree.xpath("//iframe/@src")[0]
        await self._get(frame, cookies=False)
        await self._think()
        if self._chance.random() < 0.1:
            action, fields = _found(page, "/return")
            await self._post(action, fields)
            if await self._state(assignment_id) == "Returned":
                self.record.returned.add(assignment_id)
            return
        answer = f"{self.worker_id} {self._chance.random()}"
        await self._hand_in(page, frame, assignment_id, answer)
        if await self._state(assignment_id) == "Submitted":
            self.record.answers[assignment_id] = (hit_id, self.worker_id, answer)
        action, fields = _found(page, "/return")
        go_on = action.removesuffix("return") + "go-on"
        await self._post(go_on, fields)

    async def _hand_in(self, page: Page, frame: str, assignment_id: str, answer: str) -> None:
        given = urllib.parse.parse_qs(urllib.parse.urlsplit(frame).query)
        action = given["turkSubmitTo"][0] + "/mturk/externalSubmit"
        fields = {"assignmentId": assignment_id, "answer": answer}
        reply = await self._post(action, fields, cookies=False)
        again = reply.form("/mturk/externalSubmit") if reply.status == 403 else None
        if again is not None:
            # What the script of the page around does: it knows the assignment's token.
            action, fields = again
            fields["turkbatchToken"] = page.tree.xpath("//iframe/@data-token")[0]
            await self._post(action, fields, cookies=False)

    async def _state(self, assignment_id: str) -> str:
        page = await self._get(f"/assignments/{assignment_id}/state")
        return page.text.partition('"state":"')[2].partition('"')[0]

    async def _think(self) -> None:
        await asyncio.sleep(self._chance.uniform(*self._pause_seconds))

    # Requests

    @contextlib.asynccontextmanager
    async def _browser(self) -> AsyncIterator[None]:
        headers = {"X-Forwarded-For": self._address, "X-Forwarded-Proto": "http"}
        jar = aiohttp.CookieJar(unsafe=True)  # of an address instead of a name
        async with (
            aiohttp.ClientSession(cookie_jar=jar, headers=headers, timeout=_TIMEOUT) as own,
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), headers=headers, timeout=_TIMEOUT
            ) as bare,
        ):
            self._own, self._bare = own, bare
            yield

    async def _get(self, address: str, *, cookies: bool = True) -> Page:
        return await self._ask("GET", address, None, cookies=cookies)

    async def _post(self, address: str, fields: Fields, *, cookies: bool = True) -> Page:
        return await self._ask("POST", address, fields, cookies=cookies)

    async def _ask(
        self, method: str, address: str, fields: Fields | None, *, cookies: bool
    ) -> Page:
        session = self._own if cookies else self._bare
        address = urllib.parse.urljoin(self.url, address)
        while True:
            page, location = await self._ask_once(session, method, address, fields)
            if location is None:
                return page
            # What was asked for is done: if the server dies now, only the way on is repeated.
            method, address, fields = "GET", urllib.parse.urljoin(address, location), None

    async def _ask_once(
        self, session: aiohttp.ClientSession, method: str, address: str, fields: Fields | None
    ) -> tuple[Page, str | None]:
        deadline = time.monotonic() + _AWAY_SECONDS
        while True:
            began = time.monotonic()
            try:
                async with session.request(
                    method, address, data=fields, allow_redirects=False
                ) as reply:
                    page = Page(address, reply.status, await reply.text())
                    location = reply.headers.get("Location")
            except (aiohttp.ClientError, TimeoutError):
                # Killed on the way. What can be asked for twice is; a second accept gives the
                # same assignment, a second submission is refused, a return done stays so.
                self.record.breaks += 1
                assert time.monotonic() < deadline, f"the server stayed away from {address}"
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            self.record.seconds.append(time.monotonic() - began)
            assert page.status < 500, f"{method} {address}: {page.status}: {page.text}"
            return page, location


def _found(page: Page, ending: str) -> tuple[str, dict[str, str]]:
    found = page.form(ending)
    assert found is not None, f"{page.address} has no form for {ending}: {page.text}"
    return found


async def crowd(people: list[Person], seconds: float, *, coming_seconds: float = 0) -> None:
    """Let people work side by side for a time; they come one after another at its beginning."""
    until = time.monotonic() + seconds

    async def come(place: int, person: Person) -> None:
        await asyncio.sleep(coming_seconds * place / len(people))
        await person.live(until)

    async with asyncio.TaskGroup() as group:
        for place, person in enumerate(people):
            group.create_task(come(place, person))
