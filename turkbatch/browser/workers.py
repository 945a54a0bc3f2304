"""Simulated workers who do HITs in a browser, on the worker site over HTTP.

Each signs in, opens the HIT, accepts it, fills in what the page shows, presses its button, and
waits until the service has the answer. What is answered is what the crowd decides
(:mod:`turkbatch.server.crowd`).
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from turkbatch.browser import filling, watch
from turkbatch.server import crowd, forms, questions, service, worker

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Frame, Page, Request, Route

_MOST_CONTEXTS: Final = 20
_GIVE_UP_AFTER: Final = 3
"""Assignments that fail, before any succeeded, until the rest is not tried."""
_SITE_SECONDS: Final = 30.0
_SUBMITS: Final = re.compile(r"(/mturk/externalSubmit|/assignments/[^/?]+/submit)(\?|$)")


@dataclasses.dataclass(frozen=True)
class Left:
    """An assignment that stayed unsubmitted.

    Parameters
    ----------
    hit_id, worker_id : str
        Whose.
    why : str
        As one clause.
    """

    hit_id: str
    worker_id: str
    why: str


class _Undoable(Exception):  # noqa: N818, it is expected
    """A page can't be handed in: of which kind, and why."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(why)
        self.rule = rule


class Workers:
    """The browser's users; a place for :func:`turkbatch.server.crowd.work`.

    Parameters
    ----------
    browser : Browser
        From :func:`turkbatch.browser.chromium.opened`.
    served : Service
        The server behind the site.
    url : str
        Where the site is.
    hit_ids : sequence of str
        Which HITs are done here.
    patience_seconds : float
        How long to wait for a page to load, for a script to make fields, for a submission to
        be sent and for its reply.
    """

    def __init__(
        self,
        browser: Browser,
        served: service.Service,
        url: str,
        hit_ids: Sequence[str],
        patience_seconds: float,
    ) -> None:
        self._browser = browser
        self._served = served
        self._url = url
        self.hit_ids = frozenset(hit_ids)
        self._patience = patience_seconds
        self._contexts: collections.OrderedDict[str, BrowserContext] = collections.OrderedDict()
        self._succeeded = False
        self.troubles: dict[tuple[str, watch.Trouble], None] = {}
        """By HIT, what was wrong with its page; each thing once."""
        self.left: list[Left] = []
        """Assignments that could not be done."""
        self.fields: dict[str, dict[str, None]] = {}
        """By HIT whose page was looked at, the names of the fields that it showed."""
        self.submitted = 0
        """How many assignments were done."""

    def has(self, hit_id: str) -> bool:
        """Tell whether a HIT is done here."""
        return hit_id in self.hit_ids

    def do(self, errand: crowd.Errand) -> str | None:
        """Do an assignment in the browser.

        Parameters
        ----------
        errand : crowd.Errand
            Which, and how.

        Returns
        -------
        str or None
            The assignment; None if it stays unsubmitted, of which :attr:`left` tells more.

        Raises
        ------
        worker.WorkerError
            If the worker may not accept it.
        """
        if not self._succeeded and len(self.left) >= _GIVE_UP_AFTER:
            why = f"not tried: the first {_GIVE_UP_AFTER} could not be done"
            self.left.append(Left(errand.hit_id, errand.worker_id, why))
            return None
        with self._tab(errand.worker_id) as tab:
            seen = watch.Watch(tab)
            try:
                return self._visit(tab, seen, errand)
            finally:
                seen.stop()
                for one in seen.troubles:
                    self.troubles[errand.hit_id, one] = None

    def close(self) -> None:
        """Close the workers' windows."""
        while self._contexts:
            self._contexts.popitem()[1].close()

    def _visit(self, tab: Page, seen: watch.Watch, errand: crowd.Errand) -> str | None:
        from playwright import sync_api

        assignment_id = self._accept(tab, errand)
        why = "the page went away while it was filled in"
        try:
            self._work(tab, seen, errand, assignment_id)
        except _Undoable as undoable:
            why = str(undoable)
            seen.note(undoable.rule, why)
        except sync_api.Error as error:
            seen.note("page-lost", f"{why} ({error.message.splitlines()[0]})")
        else:
            self._succeeded = True
            self.submitted += 1
            return assignment_id
        seen.stop()
        self.left.append(Left(errand.hit_id, errand.worker_id, why))
        # What the page may have sent too late has the last word.
        with contextlib.suppress(worker.WorkerError):
            worker.return_hit(self._served, assignment_id, errand.worker_id)
        return None

    def _accept(self, tab: Page, errand: crowd.Errand) -> str:
        """Preview the HIT and accept it; give the assignment's id."""
        from playwright import sync_api

        with contextlib.suppress(sync_api.TimeoutError):
            tab.goto(f"{self._url}/hits/{errand.hit_id}", timeout=self._patience * 1000)
        button = tab.get_by_role("button", name="Accept", exact=True)
        if button.count() == 0:
            # The site asks what the crowd passes for: see crowd.work().
            assignment_id = errand.accept()
            tab.goto(f"{self._url}/assignments/{assignment_id}", wait_until="commit")
            return assignment_id
        button.click(no_wait_after=True)
        tab.wait_for_url(re.compile(r"/assignments/[^/]+$"), wait_until="commit")
        return tab.url.rsplit("/", 1)[1]

    def _work(self, tab: Page, seen: watch.Watch, errand: crowd.Errand, assignment_id: str) -> None:
        frame, asked = self._task(tab, seen, errand.question)
        form = filling.Form(frame, self._patience, asked)
        done = form.fill(errand.answer)
        self.fields.setdefault(errand.hit_id, {}).update(dict.fromkeys(done.names))
        for name in done.refused:
            seen.note("unfilled-field", f'the field "{name}" did not take what was filled in')
        if done.state == "missing":
            raise _Undoable("no-submit-button", "there is no button that hands in the page")
        if done.state == "disabled":
            raise _Undoable("submit-disabled", "the button that hands in the page stays disabled")
        self._submit(tab, form, assignment_id)

    def _task(
        self, tab: Page, seen: watch.Watch, question: questions.Question
    ) -> tuple[Frame, forms.Form | None]:
        """Wait for the task's page; a QuestionForm is in the site's own."""
        from playwright import sync_api

        try:
            tab.wait_for_load_state("load", timeout=self._patience * 1000)
        except sync_api.TimeoutError:
            seen.note("slow-page", f"the page took longer than {self._patience:g} s to load")
        if question.kind is questions.Kind.FORM:
            return tab.main_frame, forms.read(question)
        frame = tab.wait_for_selector("iframe.task", state="attached")
        inside = None if frame is None else frame.content_frame()
        if inside is None:
            raise _Undoable("no-page", "the task's page did not load")
        with contextlib.suppress(sync_api.TimeoutError):
            inside.wait_for_load_state("domcontentloaded", timeout=self._patience * 1000)
        return inside, None

    def _submit(self, tab: Page, form: filling.Form, assignment_id: str) -> None:
        from playwright import sync_api

        wait, said = self._patience * 1000, ""
        try:
            with tab.expect_response(lambda one: _hands_in(one.request), timeout=2 * wait) as reply:
                self._post(tab, form)
            status = f"status {reply.value.status}"
            if reply.value.status >= 400:
                said = _said(reply.value.frame, wait)
        except sync_api.TimeoutError:
            status = f"no reply within {self._patience:g} s"
        if worker.task(self._served, assignment_id).state != "Submitted":
            raise _Undoable("submit-refused", f"what was posted was refused ({status}){said}")

    def _post(self, tab: Page, form: filling.Form) -> None:
        """Press the button, and wait until the page has sent its answers."""
        from playwright import sync_api

        try:
            with tab.expect_request(_hands_in, timeout=self._patience * 1000):
                form.submit()
        except sync_api.TimeoutError as error:
            said = form.complaints()
            raise _Undoable(
                "submit-not-posted",
                f"the page was handed in, and nothing was posted within {self._patience:g} s"
                + (f" (it says: {said})" if said else ""),
            ) from error

    @contextlib.contextmanager
    def _tab(self, worker_id: str) -> Iterator[Page]:
        """Open a tab in a worker's own window."""
        tab = self._context(worker_id).new_page()
        tab.set_default_timeout(max(self._patience, _SITE_SECONDS) * 1000)
        try:
            yield tab
        finally:
            tab.close()

    def _context(self, worker_id: str) -> BrowserContext:
        found = self._contexts.pop(worker_id, None)
        if found is None:
            while len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.popitem(last=False)[1].close()
            found = self._browser.new_context(viewport={"width": 1280, "height": 900})
            found.route(_SUBMITS, self._send)
            self._sign_in(found, worker_id)
        self._contexts[worker_id] = found
        return found

    def _sign_in(self, context: BrowserContext, worker_id: str) -> None:
        reply = context.request.post(f"{self._url}/sign-in", form={"workerId": worker_id})
        assert reply.ok, f"nobody is refused here, but {worker_id} was: {reply.status}"

    def _send(self, route: Route) -> None:
        """Have answers go here, even from a page that names MTurk's own address."""
        parts = urllib.parse.urlsplit(route.request.url)
        if f"{parts.scheme}://{parts.netloc}" == self._url:
            route.continue_()
            return
        there = parts._replace(
            scheme="http", netloc=urllib.parse.urlsplit(self._url).netloc
        ).geturl()
        # Headers of the site that was meant would be taken for those of a foreign page.
        kind = route.request.headers.get("content-type", "application/x-www-form-urlencoded")
        route.fulfill(
            response=route.fetch(
                url=there, method=route.request.method, headers={"content-type": kind}
            )
        )


def _hands_in(request: Request) -> bool:
    path = urllib.parse.urlsplit(request.url).path
    return request.method == "POST" and _SUBMITS.search(path) is not None


def _said(frame: Frame, wait_milliseconds: float) -> str:
    """Read what the site shows in place of its thanks, once it shows it."""
    from playwright import sync_api

    found = frame.locator("[role=alert], .fault")
    with contextlib.suppress(sync_api.Error):
        found.first.wait_for(state="attached", timeout=wait_milliseconds)
        return f": {' '.join(' '.join(found.all_inner_texts()).split())}"
    return ""
