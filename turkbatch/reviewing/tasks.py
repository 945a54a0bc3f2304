"""The tasks, as the workers saw them, with their answers filled in.

An HTMLQuestion is shown in a frame on an origin of its own. A script of ours runs there before
all others: it puts the answers into the page's fields and keeps the page from sending
anything. The frame may not submit forms at all, which is the browser's own doing.

A QuestionForm is drawn in the page itself; of an ExternalQuestion, which is somewhere else and
can't be filled in, the address is shown.
"""

from __future__ import annotations

import dataclasses
import json
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import flask
import werkzeug

from turkbatch import errors
from turkbatch.reviewing import guard
from turkbatch.server import form_pages, questions, refusals, task_pages

if TYPE_CHECKING:
    from turkbatch.actions.review_desk import Desk, Item

FRAME_RIGHTS: Final = "allow-scripts allow-same-origin allow-popups"
"""What a task's frame may do: neither submit forms, nor lead elsewhere, nor open dialogs."""
_FILL: Final = Path(__file__).parent / "static" / "fill.js"
# What a page can begin with; our script comes after it, before everything else.
_BEGINNING: Final = re.compile(
    r"\ufeff?(?:\s|<!--.*?-->|<\?.*?>)*(?:<!doctype[^>]*>)?", re.IGNORECASE | re.DOTALL
)


@dataclasses.dataclass(frozen=True)
class Shown:
    """How an assignment's task is shown.

    Parameters
    ----------
    address : str
        Of the frame; empty where there is none.
    height : int
        In pixels; 0 for as much as there is.
    form : sequence of form_pages.Block
        A QuestionForm.
    values : mapping of str to sequence of str
        Its answers, by QuestionIdentifier.
    elsewhere : str
        Address of an ExternalQuestion.
    fault : str
        Why nothing can be shown.
    """

    address: str = ""
    height: int = 0
    form: Sequence[form_pages.Block] = ()
    values: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    elsewhere: str = ""
    fault: str = ""

    rights: str = FRAME_RIGHTS


def shown(desk: Desk, keys: guard.Guard, item: Item) -> Shown:
    """Tell how an assignment's task is shown.

    Parameters
    ----------
    desk : Desk
        Where it lies.
    keys : Guard
        What opens the frame's page.
    item : Item
        The assignment.

    Returns
    -------
    Shown
    """
    try:
        question = _question(desk, item.hit_id)
    except errors.TurkbatchError as error:
        return Shown(fault=str(error))
    except refusals.Refusal as refusal:
        return Shown(fault=str(refusal))
    if question.kind is questions.Kind.FORM:
        return Shown(form=form_pages.read(question.root), values=item.form_values)
    if question.kind is questions.Kind.EXTERNAL:
        # Not as accepted: the page there shall not take this for the worker.
        parameters = task_pages.query(item.hit_id, guard.origin(guard.TASKS_HOST))
        return Shown(elsewhere=task_pages.address(question, parameters))
    return Shown(address=_address(keys, item), height=max(question.frame_height, 0))


def _question(desk: Desk, hit_id: str) -> questions.Question:
    task = desk.task(hit_id)
    if task is None:
        raise errors.NotFoundError("the HIT is not there any more, and was not saved")
    return questions.parse(task.question)


def _address(keys: guard.Guard, item: Item) -> str:
    origin = guard.origin(guard.TASKS_HOST)
    path = f"{item.assignment_id}/{keys.task_key(item.assignment_id)}"
    parameters = task_pages.query(
        item.hit_id, origin, assignment_id=item.assignment_id, worker_id=item.worker_id
    )
    return f"{origin}/tasks/{urllib.parse.quote(path)}/page?{parameters}"


def add(app: flask.Flask, desk: Desk, keys: guard.Guard) -> None:
    """Add the pages of tasks to an application.

    Parameters
    ----------
    app : flask.Flask
        The application.
    desk : Desk
        Whose tasks.
    keys : Guard
        What opens them.
    """

    @app.get("/tasks/<assignment_id>/<key>/page")
    def task(assignment_id: str, key: str) -> flask.Response:
        item = _opened(desk, keys, assignment_id, key)
        try:
            question = _question(desk, item.hit_id)
        except (errors.TurkbatchError, refusals.Refusal) as error:
            flask.abort(404, str(error))
        if question.kind is not questions.Kind.HTML:
            flask.abort(404, "Only an HTMLQuestion has a page here.")
        page = task_pages.rewritten(question.content, base="/stand-ins/")
        response = flask.Response(
            _with_script(page, "answers.js"), content_type="text/html; charset=utf-8"
        )
        # Should it be opened without the frame, it may do no more than within.
        response.headers["Content-Security-Policy"] = (
            f"sandbox {FRAME_RIGHTS}; form-action 'none';"
            f" frame-ancestors {guard.origin(guard.PAGES_HOST)}"
        )
        return response

    @app.get("/tasks/<assignment_id>/<key>/answers.js")
    def answers_script(assignment_id: str, key: str) -> flask.Response:
        item = _opened(desk, keys, assignment_id, key)
        told = {
            "assignment": assignment_id,
            "site": guard.origin(guard.PAGES_HOST),
            "values": [[name, _texts(value)] for name, value in item.answers.items()],
        }
        script = _FILL.read_text(encoding="utf-8").rstrip().removesuffix(";")
        return flask.Response(
            f"{script}({json.dumps(told)});\n", content_type="text/javascript; charset=utf-8"
        )

    @app.get("/stand-ins/<name>")
    def stand_in(name: str) -> werkzeug.Response:
        if name not in task_pages.STAND_INS:
            flask.abort(404)
        path = Path(task_pages.__file__).parent / "static" / name
        return flask.send_file(path, mimetype="text/javascript")


ENDPOINTS: Final = frozenset({"task", "answers_script", "stand_in"})
"""What is there under the tasks' name, and nothing else."""


def _opened(desk: Desk, keys: guard.Guard, assignment_id: str, key: str) -> Item:
    item = desk.item(assignment_id)
    if item is None or not keys.opens_task(assignment_id, key):
        flask.abort(404)
    return item


def _with_script(page: str, name: str) -> str:
    """Have a page load a script before anything else.

    It stands behind a document type, without which the page would be drawn otherwise, and
    before ``<html>``, whose attributes browsers take all the same.
    """
    beginning = _BEGINNING.match(page)
    at = beginning.end() if beginning else 0
    return f'{page[:at]}<script src="{name}"></script>{page[at:]}'


def _texts(value: object) -> list[str]:
    """Give a field's values as texts: none where nothing was chosen, several of a list."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
