"""Looking at a batch that is not published: its rows, their pages, what a submission becomes.

=============================  ===================================================
``GET /``                      index of the rows
``GET /rows/N``                the page of row N; ``?mode=accepted`` to fill it in
``GET /state``                 version of the files, count of submissions
``GET /findings``              what ``check-batch`` finds
``GET /submissions/N``         answer XML, and the row it would become
``GET /dynamic/hit``           an HTMLQuestion's page, as on the service
``POST /mturk/externalSubmit``  assignmentId and the answers
=============================  ===================================================

Task pages are shown in frames with an origin of their own: the other of the two names that
this machine has on the same port, so that one port is all that has to be forwarded from a
remote machine. Only requests that name a loopback host are answered: a web page elsewhere
can't reach this one by a name that it points at this machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import flask
import werkzeug

from turkbatch import errors
from turkbatch.server import form_pages, listener, questions, task_pages

ROWS_A_PAGE: Final = 200
_LONGEST_CELL: Final = 80
_MAX_SUBMISSION_BYTES: Final = 8 * 1024 * 1024
# Properties, what a person calls them, and what stands around them.
_LISTED: Final = (
    ("Title", "Title", "", ""),
    ("Description", "Description", "", ""),
    ("Keywords", "Keywords", "", ""),
    ("Reward", "Reward", "$", ""),
    ("AssignmentDurationInSeconds", "Time allotted", "", " seconds"),
)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src * data:;"
    " frame-src http: https:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Row(Protocol):
    """A row of the data."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its values by name."""


class Shown(Protocol):
    """A row's HIT, previewed or accepted."""

    @property
    def hit_id(self) -> str:
        """The HIT."""

    @property
    def assignment_id(self) -> str | None:
        """None in a preview."""

    @property
    def worker_id(self) -> str | None:
        """None in a preview."""

    @property
    def question(self) -> str:
        """The HIT's XML."""


class Submission(Protocol):
    """What a submission became."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def row(self) -> int:
        """Index of the data row."""

    @property
    def answer(self) -> str:
        """Answer XML."""

    @property
    def result(self) -> Mapping[str, Any]:
        """The row of the results."""

    @property
    def own(self) -> tuple[str, ...]:
        """Which of its columns are inputs and answers."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""


class Checked(Protocol):
    """What ``check-batch`` found."""

    @property
    def ok(self) -> bool:
        """Whether the batch could be published."""

    @property
    def findings(self) -> tuple[errors.Finding, ...]:
        """Errors first."""


class Draft(Protocol):
    """The batch; see :class:`turkbatch.actions.draft.Draft`."""

    @property
    def faults(self) -> tuple[errors.Finding, ...]:
        """Why no row can be shown."""

    @property
    def rows(self) -> Sequence[Row]:
        """The data."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its fields."""

    @property
    def properties(self) -> Mapping[str, Any]:
        """Of the HIT type."""

    @property
    def submissions(self) -> Sequence[Submission]:
        """So far."""

    def version(self) -> str:
        """Another text after each change."""

    def findings(self) -> Checked:
        """Check it."""

    def question(self, hit_id: str) -> str:
        """Read the XML of a HIT that was shown."""

    def show(self, index: int, *, accepted: bool) -> Shown:
        """Make a row's HIT."""

    def submit(
        self, fields: Sequence[tuple[str, str]], files: Mapping[str, tuple[str, bytes]]
    ) -> Submission:
        """Hand in a page, and a QuestionForm's files: names and contents by question."""


@dataclasses.dataclass(frozen=True)
class Links:
    """Where pages find one another: on the site, or among files.

    Parameters
    ----------
    index, row : callable
        Of a page of the index, by the number of its first row, and of a row, by its number.
    assets : str
        Where style and script are, with a slash at its end.
    live : bool
        Whether there is a server behind the pages.
    """

    index: Callable[[int], str]
    row: Callable[[int], str]
    assets: str
    live: bool


SITE: Final = Links(
    index=lambda first: "/" if first == 1 else f"/?from={first}",
    row=lambda number: f"/rows/{number}",
    assets="/assets/",
    live=True,
)


def create_app(
    draft: Draft, title: str, *, crowd_elements: task_pages.CrowdElements = "local"
) -> flask.Flask:
    """Make the WSGI application.

    Parameters
    ----------
    draft : Draft
        The batch.
    title : str
        What to call it.
    crowd_elements : {"local", "cdn"}
        Where pages get the Crowd HTML Elements from.

    Returns
    -------
    flask.Flask
        For :func:`serve`, or a test client.
    """
    app = pages()
    app.config["MAX_CONTENT_LENGTH"] = _MAX_SUBMISSION_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = _MAX_SUBMISSION_BYTES
    app.before_request(_refuse_foreign_host)
    app.register_error_handler(werkzeug.exceptions.HTTPException, _http_error)
    _add_pages(app, draft, title)
    _add_facts(app, draft)
    _add_tasks(app, draft, crowd_elements)
    return app


def pages() -> flask.Flask:
    """Make an application that has the templates, and no addresses yet."""
    app = flask.Flask(__name__, static_url_path="/assets", static_folder="static")
    # QuestionForms are drawn as the worker site draws them.
    drawn = flask.Blueprint("drawn", task_pages.__name__, template_folder="templates")
    app.register_blueprint(drawn)
    app.json = flask.json.provider.DefaultJSONProvider(app)
    app.json.sort_keys = False  # columns have an order
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def serve(app: flask.Flask, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    app : flask.Flask
        From :func:`create_app`.
    port : int
        0 for any that is free.
    on_ready : callable
        Told the URL once it is being listened on.

    Raises
    ------
    ServiceError
        If the port is taken, or may not be used.
    """
    try:
        server = listener.Listener("127.0.0.1", port, app)
    except (OSError, OverflowError) as error:
        raise errors.ServiceError(
            f"port {port} can't be listened on ({error}); give another --port, 0 for any"
        ) from error
    with server, contextlib.suppress(KeyboardInterrupt):
        on_ready(server.url)
        server.serve_forever(poll_interval=0.1)


def index_page(draft: Draft, title: str, links: Links, first: int = 1) -> str:
    """Draw a page of the index.

    Parameters
    ----------
    draft : Draft
        The batch.
    title : str
        What to call it.
    links : Links
        Where the other pages are.
    first : int
        Number of the first row that is on it.

    Returns
    -------
    str
        HTML.
    """
    count = len(draft.rows)
    first = min(max(first, 1), max(count, 1))
    last = min(first + ROWS_A_PAGE - 1, count)
    return flask.render_template(
        "index.html",
        title=title,
        links=links,
        version=draft.version(),
        faults=draft.faults,
        findings=() if links.live else draft.findings().findings,
        properties=_told(draft.properties),
        columns=draft.columns,
        rows=[
            (number, [_cell(draft.rows[number - 1].fields.get(name)) for name in draft.columns])
            for number in range(first, last + 1)
        ],
        count=count,
        before=max(1, first - ROWS_A_PAGE) if first > 1 else None,
        after=last + 1 if last < count else None,
    )


def row_page(
    draft: Draft, title: str, links: Links, number: int, *, accepted: bool, frame: Frame
) -> str:
    """Draw the page of a row.

    Parameters
    ----------
    draft : Draft
        The batch.
    title : str
        What to call it.
    links : Links
        Where the other pages are.
    number : int
        Of the row, from 1.
    accepted : bool
        Whether the HIT is accepted.
    frame : Frame
        The task, as :func:`framed` gives it.

    Returns
    -------
    str
        HTML.
    """
    fields = draft.rows[number - 1].fields
    return flask.render_template(
        "row.html",
        title=title,
        links=links,
        version=draft.version(),
        number=number,
        count=len(draft.rows),
        accepted=accepted,
        frame=frame,
        fields=[(name, _text(value)) for name, value in fields.items()],
        properties=_told(draft.properties),
        submissions=len(draft.submissions),
        findings=() if links.live else draft.findings().findings,
    )


@dataclasses.dataclass(frozen=True)
class Frame:
    """How a task is shown.

    Parameters
    ----------
    address : str
        Of the frame; empty where there is none.
    height : int
        In pixels; 0 for as much as there is.
    rights : str
        What the frame may do.
    faults : tuple of Finding
        Why there is none.
    form : sequence of form_pages.Block
        A QuestionForm, which has no page of its own.
    action : str
        Where the form is posted to; empty in a preview.
    """

    address: str = ""
    height: int = 0
    rights: str = ""
    faults: tuple[errors.Finding, ...] = ()
    form: Sequence[form_pages.Block] = ()
    action: str = ""


def framed(shown: Shown, origin: str) -> Frame:
    """Tell how a row's task is shown on the site.

    Parameters
    ----------
    shown : Shown
        The row's HIT.
    origin : str
        Scheme and host that task pages have for themselves.

    Returns
    -------
    Frame
    """
    question = questions.parse(shown.question)
    assignment_id = shown.assignment_id or ""
    if question.kind is questions.Kind.FORM:
        query = urllib.parse.urlencode({"assignmentId": assignment_id, "hitId": shown.hit_id})
        action = f"/mturk/externalSubmit?{query}" if assignment_id else ""
        return Frame(form=form_pages.read(question.root), action=action)
    query = task_pages.query(
        shown.hit_id,
        origin,
        assignment_id=assignment_id or task_pages.PREVIEW,
        worker_id=shown.worker_id,
    )
    address = task_pages.address(question, query, origin)
    height = max(question.frame_height, 0)
    return Frame(address, height, task_pages.FRAME_RIGHTS)


def stand_in(name: str) -> Path:
    """Find the file that stands in for a script of AWS's."""
    return Path(task_pages.__file__).parent / "static" / name


def _add_pages(app: flask.Flask, draft: Draft, title: str) -> None:
    @app.get("/")
    def index() -> flask.Response:
        draft.version()  # reads what changed
        first = flask.request.args.get("from", 1, type=int)
        return _guarded(index_page(draft, title, SITE, first))

    @app.get("/rows/<int:number>")
    def row(number: int) -> flask.Response:
        draft.version()
        if not 1 <= number <= len(draft.rows):
            flask.abort(404, f"There is no row {number}: the data has {len(draft.rows)}.")
        accepted = flask.request.args.get("mode") == "accepted"
        frame = _frame(draft, number, accepted=accepted)
        return _guarded(row_page(draft, title, SITE, number, accepted=accepted, frame=frame))


def _frame(draft: Draft, number: int, *, accepted: bool) -> Frame:
    try:
        return framed(draft.show(number - 1, accepted=accepted), _other_origin())
    except errors.InputError as error:
        return Frame(faults=tuple(error.findings))
    except errors.ServiceError as error:
        fault = errors.Finding("refused", f"row {number}", f"the service refuses it: {error}", "")
        return Frame(faults=(fault,))


def _add_facts(app: flask.Flask, draft: Draft) -> None:
    @app.get("/state")
    def state() -> dict[str, object]:
        return {"version": draft.version(), "submissions": len(draft.submissions)}

    @app.get("/findings")
    def findings() -> dict[str, object]:
        checked = draft.findings()
        found = [{"where": one.where, **dataclasses.asdict(one)} for one in checked.findings]
        return {"ok": checked.ok, "findings": found}

    @app.get("/submissions/<int:number>")
    def submission(number: int) -> dict[str, object]:
        if not 1 <= number <= len(draft.submissions):
            flask.abort(404, f"There is no submission {number}.")
        return _as_json(draft.submissions[number - 1])


def _as_json(made: Submission) -> dict[str, object]:
    return {
        "number": made.number,
        "row": made.row + 1,
        "answer": made.answer,
        "result": dict(made.result),
        "own": list(made.own),
        "notes": list(made.notes),
    }


def _add_tasks(app: flask.Flask, draft: Draft, crowd_elements: task_pages.CrowdElements) -> None:
    @app.get("/dynamic/hit")
    def dynamic_hit() -> flask.Response:
        try:
            question = questions.parse(draft.question(flask.request.args.get("hitId", "")))
        except errors.RefusedError as error:
            flask.abort(404, str(error))
        if question.kind is not questions.Kind.HTML:
            flask.abort(404, "Only an HTMLQuestion has a page here.")
        page = task_pages.rewritten(question.content, crowd_elements, base="/stand-ins/")
        response = flask.Response(page, content_type="text/html; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/stand-ins/<name>")
    def stand_ins(name: str) -> werkzeug.Response:
        if name not in task_pages.STAND_INS:
            flask.abort(404)
        return flask.send_file(stand_in(name), mimetype="text/javascript")

    @app.route("/mturk/externalSubmit", methods=["GET", "POST"])
    def external_submit() -> tuple[str, int]:
        # Values in the address count, too: the documentation describes them.
        request = flask.request
        fields = [*request.args.items(multi=True), *request.form.items(multi=True)]
        try:
            made = draft.submit(fields, _files_of_form(draft, fields))
        except errors.RefusedError as error:
            return flask.render_template("refused.html", text=str(error)), 400
        lines = [(name, _text(value)) for name, value in made.result.items()]
        return flask.render_template(
            "submitted.html",
            made=made,
            own=[line for line in lines if line[0] in made.own],
            rest=[line for line in lines if line[0] not in made.own],
        ), 200


def _files_of_form(
    draft: Draft, fields: Sequence[tuple[str, str]]
) -> Mapping[str, tuple[str, bytes]]:
    """Read a QuestionForm's files; refuse what the worker site would not take for it."""
    hit_id = dict(fields).get("hitId", "")
    with contextlib.suppress(errors.RefusedError):
        question = questions.parse(draft.question(hit_id))
        if question.kind is questions.Kind.FORM:
            blocks = form_pages.read(question.root)
            files = {
                block.identifier: (given.filename, given.read())
                for block in blocks
                if isinstance(block.answer, form_pages.File)
                and (given := flask.request.files.get(block.identifier)) is not None
                and given.filename
            }
            sizes = {name: len(content) for name, (_, content) in files.items()}
            found = form_pages.faults(blocks, fields, sizes)
            if found:
                told = " ".join(f"{name}: {fault}" for name, fault in found.items())
                flask.abort(400, f"{told} Go back and mend it; nothing was submitted.")
            return files
    return {}


def _told(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Choose what a worker is told about a HIT before accepting it."""
    required = [
        str(one.get("QualificationTypeId", ""))
        for one in properties.get("QualificationRequirements", [])
        if isinstance(one, dict)
    ]
    shown = [
        (label, before + _text(properties[name]) + after)
        for name, label, before, after in _LISTED
        if name in properties
    ]
    return [*shown, ("Requirements", ", ".join(required))] if required else shown


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return str(flask.json.dumps(value, ensure_ascii=False))


def _cell(value: object) -> str:
    text = " ".join(_text(value).split())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _guarded(page: str) -> flask.Response:
    response = flask.Response(page)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


def _other_origin() -> str:
    """Name this server as task pages do: by the other name of this machine."""
    host = urllib.parse.urlsplit(flask.request.host_url)
    other = "127.0.0.1" if host.hostname == "localhost" else "localhost"
    return f"http://{other}:{host.port or 80}"


def _refuse_foreign_host() -> flask.Response | None:
    host = flask.request.headers.get("Host", "")
    with contextlib.suppress(ValueError):
        name = urllib.parse.urlsplit(f"//{host}").hostname
        if name and questions.is_loopback(name):
            return None
    return flask.Response("This page is there under loopback names alone.\n", 403)


def _http_error(error: werkzeug.exceptions.HTTPException) -> tuple[str, int]:
    text = error.description or error.name
    return flask.render_template("refused.html", text=text), error.code or 500
