"""A form on a page in a browser: found as it is shown, and filled in as a worker would.

What is asked is read by :mod:`turkbatch.server.forms`, as simulated workers read it everywhere,
from a text that says what the page shows after its scripts have run.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from turkbatch.server import forms

if TYPE_CHECKING:
    from playwright.sync_api import ElementHandle, Frame, JSHandle

QUIET_SECONDS: Final = 0.2
"""How long no field may come or go before a page counts as complete."""
_ROUNDS: Final = 8
_PARTS: Final = 20
_SCRIPT: Final = Path(__file__).with_name("form.js")
_ACTION_SECONDS: Final = 2.0

State = Literal["ready", "disabled", "missing"]


@dataclasses.dataclass(frozen=True)
class _Control:
    """An element of the page that takes an answer."""

    number: int
    kind: str
    type: str
    name: str
    value: str


@dataclasses.dataclass(frozen=True)
class Done:
    """What came of filling in a form.

    Parameters
    ----------
    names : tuple of str
        Of the fields that asked something, as they came to light.
    refused : tuple of str
        Names of fields that did not take what the worker had for them.
    state : {"ready", "disabled", "missing"}
        Of the button that hands the form in.
    """

    names: tuple[str, ...]
    refused: tuple[str, ...]
    state: State


class Form:
    """What is asked on a page.

    Parameters
    ----------
    frame : Frame
        Where it is.
    patience_seconds : float
        How long to wait for a page's script to make fields.
    question_form : Form, optional
        A QuestionForm, which the site draws: what it asks is known from its XML.
    """

    def __init__(
        self, frame: Frame, patience_seconds: float, question_form: forms.Form | None = None
    ) -> None:
        self._frame = frame
        self._patience = patience_seconds
        self._asked = question_form
        selector = "body" if question_form is None else ".question-form"
        script = _SCRIPT.read_text(encoding="utf-8")
        self._page: JSHandle = frame.evaluate_handle(script, selector)
        self._answered: set[int] = set()
        self._names: dict[str, None] = {}
        self._refused: dict[str, None] = {}

    def fill(self, answer: Callable[[forms.Form], forms.Answers]) -> Done:
        """Fill in all fields, those too that appear on the way.

        Parameters
        ----------
        answer : callable
            Takes the fields that are new, tells what to do with them.

        Returns
        -------
        Done
        """
        self._rest(self._patience)
        for _ in range(_PARTS):
            self._fill_part(answer)
            state: State = self._ask("submitter")["state"]
            following = None if state == "ready" else self._ask("next")
            if following is None:
                break
            self._ask("press", following)
        return Done(tuple(self._names), tuple(self._refused), state)

    def _fill_part(self, answer: Callable[[forms.Form], forms.Answers]) -> None:
        for _ in range(_ROUNDS):
            new = self._new()
            if not new:
                return
            form = forms.Form(tuple(field for field, _ in new))
            for (field, controls), drawn in zip(new, answer(form).drawn, strict=True):
                self._names.update({field.name: None} if field.asks else {})
                self._answered.update(control.number for control in controls)
                if not drawn.unfilled and not self._do(controls, drawn):
                    self._refused[field.name] = None
            self._rest(QUIET_SECONDS * 2)

    def submit(self) -> None:
        """Press the button that hands it in."""
        found = self._ask("submitter")
        button = self._control(found["number"])
        from playwright import sync_api

        try:
            button.click(timeout=_ACTION_SECONDS * 1000, no_wait_after=True)
        except sync_api.TimeoutError:
            # Something lies over it, which a key would not mind.
            self._ask("press", found["number"])

    def complaints(self) -> str:
        """Tell what the page says is wrong with what was filled in."""
        from playwright import sync_api

        with contextlib.suppress(sync_api.Error):
            return " ".join(str(self._ask("complaints")).split())
        return ""

    def _new(self) -> list[tuple[forms.Field, Sequence[_Control]]]:
        """Find the fields that nobody has answered yet, with their elements."""
        found = self._ask("read")
        controls = [_Control(**one) for one in found["fields"]]
        asked = self._asked or forms.read_page(found["page"])
        by_name = self._asked is not None
        pairs = ((field, _of(field, controls, by_name=by_name)) for field in asked.fields)
        return [
            (field, its)
            for field, its in pairs
            if its and not any(one.number in self._answered for one in its)
        ]

    def _do(self, controls: Sequence[_Control], drawn: forms.Drawn) -> bool:
        """Do with a field what was decided; tell whether it took it."""
        from playwright import sync_api

        first = controls[0]
        try:
            if first.kind == "widget":
                [output] = drawn.output.values()
                return bool(self._ask("work", first.number, output))
            if first.type == "file":
                return self._hand_in(first, drawn.file_bytes)
            if all(_is_box(one) for one in controls):
                wanted = set(drawn.posted)
                return self._check_all(controls, wanted)
            if first.kind == "select":
                values = [value for _, value in drawn.posted]
                self._control(first.number).select_option(
                    values, timeout=_ACTION_SECONDS * 1000, force=True
                )
                return True
            return self._write(first, drawn.posted[0][1] if drawn.posted else "")
        except sync_api.Error:
            return False

    def _check_all(self, controls: Sequence[_Control], wanted: set[tuple[str, str]]) -> bool:
        # What is to be unchecked first: checking one button of a group unchecks another.
        on = [(one.name, one.value) in wanted for one in controls]
        kept = [
            (one, yes)
            for one, yes in sorted(zip(controls, on, strict=True), key=lambda pair: pair[1])
            if yes or not _is_radio(one)
        ]
        took = [bool(self._ask("check", one.number, yes)) for one, yes in kept]
        return all(took)

    def _write(self, control: _Control, text: str) -> bool:
        if self._ask("value", control.number) == text:
            return True
        if not text and control.type in ("range", "color"):
            return True  # it has always some value
        if control.kind == "crowd-slider" or control.type in ("range", "color"):
            self._ask("set", control.number, text)
            return True
        self._control(control.number).fill(text, timeout=_ACTION_SECONDS * 1000)
        return True

    def _hand_in(self, control: _Control, size: int) -> bool:
        file: Any = {"name": "rehearsal.txt", "mimeType": "text/plain", "buffer": b"x" * size}
        self._control(control.number).set_input_files(file, timeout=_ACTION_SECONDS * 1000)
        return True

    def _control(self, number: int) -> ElementHandle:
        found = self._page.evaluate_handle("(page, one) => page.control(one)", number).as_element()
        assert found is not None, "the page's script numbers elements alone"
        return found

    def _rest(self, seconds: float) -> None:
        quiet = QUIET_SECONDS * 1000
        self._page.evaluate(
            "(page, [quiet, patience]) => page.rest(quiet, patience)", [quiet, seconds * 1000]
        )

    def _ask(self, name: str, *arguments: object) -> Any:  # noqa: ANN401, whatever JSON can be
        return self._page.evaluate(
            "(page, [name, ...given]) => page[name](...given)", [name, *arguments]
        )


def _of(field: forms.Field, controls: Sequence[_Control], *, by_name: bool) -> Sequence[_Control]:
    """Find the elements of a field: by their marks, or in a QuestionForm by its name."""
    if not by_name:
        return [one for one in controls if str(one.number) in field.marks]
    named = [one for one in controls if one.name == field.name]
    # Beside the options there may be a text for another one.
    return [one for one in named if _is_box(one) or one.kind == "select"] or named


def _is_box(control: _Control) -> bool:
    boxes = ("crowd-checkbox", "crowd-toggle-button", "crowd-radio-button")
    return control.type in ("radio", "checkbox") or control.kind in boxes


def _is_radio(control: _Control) -> bool:
    return control.type == "radio" or control.kind == "crowd-radio-button"
