"""What people see: tables, questions, progress. Data to stdout, talk to stderr."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from turkbatch import errors

if TYPE_CHECKING:
    from types import TracebackType

    import rich.console
    import rich.progress

    from turkbatch.mturk.environments import Environment

PLAIN_EVERY_SECONDS = 5.0
"""How often a plain line tells of progress where stderr is no terminal."""
WIDE = 10_000
"""Columns of a console that shall not wrap."""


def say(message: str) -> None:
    """Tell the user something, on standard error."""
    click.echo(message, err=True)


def data(text: str) -> None:
    """Give data, on standard output."""
    click.echo(text)
    sys.stdout.flush()


def document(value: Mapping[str, object]) -> None:
    """Give one JSON document, on standard output."""
    data(json.dumps(value, ensure_ascii=False, indent=2))


def clear() -> None:
    """Empty the terminal, if standard output is one."""
    if sys.stdout.isatty():
        click.clear()


def ask(question: str) -> str | None:
    """Ask on standard error and read a line of standard input; None at its end.

    Not :func:`click.prompt`, which writes to standard output, where data goes alone.
    """
    click.echo(f"{question} ", err=True, nl=False)
    line = sys.stdin.readline()
    if not line:
        click.echo("", err=True)
        return None
    return line.strip()


def agree(question: str, *, undone: str = "nothing was sent") -> None:
    """Ask for a yes.

    Parameters
    ----------
    question : str
        What it is about.
    undone : str
        What did not happen without it.

    Raises
    ------
    RefusedError
        At any other answer, or at the end of the input.
    """
    answer = ask(f"{question} [y/N]")
    if answer is None:
        raise errors.RefusedError(f"no answer; {undone}. Give --yes to agree beforehand")
    if answer.lower() not in {"y", "yes"}:
        raise errors.RefusedError(f"not agreed to; {undone}")


def site(environment: Environment) -> str:
    """Name the place in a question about money; nobody shall take live for another."""
    return {
        "live": "on the LIVE site, for REAL MONEY",
        "sandbox": "in MTurk's sandbox, where nothing is charged",
        "local": "on the embedded server",
    }.get(environment.name, f"on {environment.place}")


def console(*, stderr: bool = False) -> rich.console.Console:
    """Make a console: coloured and as wide as the terminal, or plain and never wrapped."""
    import rich.console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return rich.console.Console(file=stream, width=width, highlight=False, soft_wrap=width == WIDE)


def table(
    rows: Iterable[Sequence[str]],
    *,
    header: Sequence[str] = (),
    title: str | None = None,
    stderr: bool = False,
    numbers: Sequence[int] = (),
) -> None:
    """Show a table.

    Parameters
    ----------
    rows : iterable of sequence of str
        The cells; shown as they are, whatever brackets they hold.
    header : sequence of str
        Names of the columns.
    title : str, optional
        Above it.
    stderr : bool
        Whether it is talk; data otherwise.
    numbers : sequence of int
        Columns that are set to the right.
    """
    import rich.box
    import rich.markup
    import rich.table

    made = rich.table.Table(
        title=title,
        title_justify="left",
        show_header=bool(header),
        box=rich.box.SIMPLE,
        pad_edge=False,
    )
    rows = [list(row) for row in rows]
    for number in range(len(header) or max((len(row) for row in rows), default=0)):
        made.add_column(
            header[number] if header else "",
            justify="right" if number in numbers else "left",
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(rich.markup.escape(cell) for cell in row))
    console(stderr=stderr).print(made)


class Bar:
    """Progress on standard error: a bar on a terminal, a line now and then elsewhere.

    Used as a context manager, and given to an action as its ``progress``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, rich.progress.TaskID] = {}
        self._bar: rich.progress.Progress | None = None
        self._told = time.monotonic()

    def __enter__(self) -> Bar:
        if sys.stderr.isatty():
            self._bar = _rich_bar()
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, step: str, done: int, total: int | None) -> None:
        """Show how far a step is; see :class:`turkbatch.actions.progress.Progress`."""
        with self._lock:
            if self._bar is not None:
                self._draw(step, done, total)
            elif time.monotonic() - self._told >= PLAIN_EVERY_SECONDS:
                self._told = time.monotonic()
                of = "" if total is None else f" of {total}"
                say(f"{step}: {done}{of}")

    def _draw(self, step: str, done: int, total: int | None) -> None:
        assert self._bar is not None, "drawn on a terminal alone"
        if step not in self._tasks:
            self._tasks[step] = self._bar.add_task(step, total=total)
        self._bar.update(self._tasks[step], completed=done, total=total)


def _rich_bar() -> rich.progress.Progress:
    import rich.progress

    class Rate(rich.progress.ProgressColumn):
        """How many a second."""

        def render(self, task: rich.progress.Task) -> str:
            return f"{task.speed:,.0f}/s" if task.speed else ""

    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        Rate(),
        rich.progress.TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )
