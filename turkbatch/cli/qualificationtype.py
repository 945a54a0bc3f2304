"""Commands about qualification types: a directory each, as a batch is one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from turkbatch import errors
from turkbatch.cli import options, output, presenter

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

    from turkbatch import actions

commands = click.Group("qualificationtype")

LONGEST_SHOWN = 60
"""Characters of a property that are shown when it changes."""
LONGEST_BAR = 40


def _type_dir(function: click.decorators.FC) -> click.decorators.FC:
    return click.argument("type_dir", metavar="QUALIFICATIONTYPE_DIR", type=options.PATH)(function)


def _client(target: options.Target, type_dir: Path) -> MTurkClient:
    """Make the client: where a flag says, or where the type is if it is in one place alone."""
    from turkbatch import actions

    pins = actions.qualification_type_pins(type_dir)
    pin = pins[0] if len(pins) == 1 and not target.given else None
    return target.client(pin=pin)


@options.command(commands, "create-qualificationtype")
@click.argument("definition_dir", type=options.PATH)
@click.argument("save_dir", type=options.PATH, default=".")
@options.environment
@click.option(
    "--grade",
    type=options.PATH,
    metavar="ANSWERS",
    help="Score these answers with the definition's answer key; send and write nothing.",
)
def create_qualificationtype(
    definition_dir: Path, save_dir: Path, target: options.Target, grade: Path | None
) -> None:
    """Create a qualification type from DEFINITION_DIR, and print its directory.

    DEFINITION_DIR holds qualificationtypeproperties.json and, for a test, test.xml (or
    test.xml.j2 with data.jsonl or data.csv) and answerkey.xml. Run again, it does nothing;
    with other flags, or given a qualification type's directory, it makes the same type in
    one more environment.

    ANSWERS is a QuestionFormAnswers document, or CSV or JSON Lines with a line a worker and a
    column a question; several selections are separated by a vertical bar.

    \b
    Example:
      turkbatch create-qualificationtype definition . --local
      turkbatch create-qualificationtype definition --grade answers.csv
    """
    from turkbatch import actions

    if grade is not None:
        _show_grades(actions.grade_test(definition_dir, grade))
        return
    checked = actions.check_qualification_type(definition_dir)
    for finding in checked.findings:
        output.say(f"Warning: {finding} [{finding.rule}]")
    client = target.client()
    with output.Bar() as bar:
        made = actions.create_qualification_type(client, definition_dir, save_dir, progress=bar)
    output.data(str(made.type_dir))
    where = f"{made.name!r} is {made.qualification_type_id}"
    if made.created:
        output.say(f"Created: {where}.")
    elif made.adopted:
        output.say(f"Adopted: {where}, which is there already.")
    else:
        output.say(f"{where}; it was there already, and nothing was done.")
    if scores := made.checked.scores:
        output.say(
            f"The test grades {scores.questions} questions, to a score from {scores.lowest} to"
            f" {scores.highest}."
        )
    if made.differences:
        _show_changes(made.differences)
        output.say(
            "Warning: it differs from the definition; to bring it to that, run"
            f" `turkbatch update-qualificationtype {made.type_dir}`."
        )


def _show_grades(grades: Sequence[actions.Grade]) -> None:
    """Show each worker's score, and what the questions gave."""
    names = list(dict.fromkeys(name for one in grades for name in one.by_question))
    output.table(
        [
            [one.who, str(one.value), *(str(one.by_question.get(name, "")) for name in names)]
            for one in grades
        ],
        header=["answers", "score", *names],
        numbers=range(1, len(names) + 2),
    )


def _show_changes(changes: Sequence[actions.Change]) -> None:
    output.table(
        [(one.name, _short(one.before), _short(one.after)) for one in changes],
        header=["property", "now", "definition"],
        stderr=True,
    )


def _short(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    if len(text) > LONGEST_SHOWN or "\n" in text:
        return f"({len(text.encode()):,} bytes)"
    return text


@options.command(commands, "update-qualificationtype")
@_type_dir
@options.environment
@click.option(
    "--definition",
    type=options.PATH,
    metavar="DEFINITION_DIR",
    help="Take this definition in place of the directory's own.",
)
@click.option("--dry-run", is_flag=True, help="Show what differs; send nothing.")
def update_qualificationtype(
    type_dir: Path, target: options.Target, definition: Path | None, dry_run: bool
) -> None:
    """Bring a qualification type to what its definition says, and show what changes.

    Edit the files in QUALIFICATIONTYPE_DIR/definition, or name another definition. MTurk
    never changes a type's name and keywords, and never takes a test away.

    \b
    Example:
      turkbatch update-qualificationtype qualification-type-* --dry-run
    """
    from turkbatch import actions

    client = _client(target, type_dir)

    def announce(changes: tuple[actions.Change, ...]) -> None:
        if changes:
            _show_changes(changes)

    done = actions.update_qualification_type(
        client, type_dir, definition, announce=announce, send=not dry_run
    )
    if not done.changes:
        output.say("Nothing differs; nothing was sent.")
    elif dry_run:
        output.say(f"{len(done.changes)} properties differ; nothing was sent.")
    else:
        output.say(f"{len(done.changes)} properties changed of {done.qualification_type_id}.")


@options.command(commands, "status-qualificationtype")
@_type_dir
@options.environment
@options.as_json
def status_qualificationtype(type_dir: Path, target: options.Target, as_json: bool) -> None:
    """Tell who holds a qualification, with which scores, and who asks for it.

    \b
    Example:
      turkbatch status-qualificationtype qualification-type-* --json
    """
    from turkbatch import actions

    client = _client(target, type_dir)
    with output.Bar() as bar:
        status = actions.status_qualification_type(client, type_dir, progress=bar)
    if as_json:
        output.document(status.as_json())
        return
    output.table(
        [
            ("qualification type", status.name),
            ("id", status.qualification_type_id),
            ("environment", status.environment),
            ("status", status.status),
            ("workers who hold it", f"{len(status.holders):,}"),
            ("workers who held it", f"{status.revoked:,}"),
            ("requests waiting", f"{status.requests:,}"),
        ]
    )
    if status.holders:
        most = max(status.histogram.values())
        output.table(
            [
                (score, f"{count:,}", "#" * max(1, round(LONGEST_BAR * count / most)))
                for score, count in status.histogram.items()
            ],
            header=["score", "workers", ""],
            numbers=[0, 1],
        )
        output.table(
            [
                (one.worker_id, "" if one.value is None else str(one.value), one.granted)
                for one in status.holders
            ],
            header=["worker", "score", "granted"],
            numbers=[1],
        )
    if status.requests:
        output.say(f"Requests wait: run `turkbatch review-qualificationrequests {type_dir}`.")


@options.command(commands, "delete-qualificationtype")
@_type_dir
@options.environment
def delete_qualificationtype(type_dir: Path, target: options.Target) -> None:
    """Delete a qualification type in one environment; its directory stays.

    MTurk waits for the HITs that use it, and keeps its name for up to 48 hours.

    \b
    Example:
      turkbatch delete-qualificationtype qualification-type-*
    """
    from turkbatch import actions

    client = _client(target, type_dir)
    done = actions.delete_qualification_type(client, type_dir)
    if done.deleted:
        output.say(f"{done.qualification_type_id} is deleted.")
    else:
        output.say(f"{done.qualification_type_id} was deleted before; nothing was done.")


@options.command(commands, "review-qualificationrequests")
@_type_dir
@options.environment
@click.option(
    "--decisions",
    type=options.PATH,
    metavar="FILE",
    help="Decide as FILE says: CSV or JSON Lines with WorkerId, Approve and Reject.",
)
@options.concurrency
def review_qualificationrequests(
    type_dir: Path, target: options.Target, decisions: Path | None, concurrency: int
) -> None:
    """Grant or refuse what workers ask for, one by one or as a file says.

    Each request is shown with the worker's answers. Answer g to grant (with a score, or
    without), r to refuse, s to skip, q to stop. In FILE, Approve holds an x or the score that
    is granted, Reject an x or what the worker is told.

    \b
    Example:
      turkbatch review-qualificationrequests qualification-type-* --decisions decisions.csv
    """
    from turkbatch import actions

    client = _client(target, type_dir)
    waiting = actions.qualification_requests(client, type_dir)
    if decisions is not None:
        verdicts = actions.read_verdicts(decisions, waiting)
        with output.Bar() as bar:
            done = actions.review_qualification_requests(
                client, type_dir, verdicts, concurrency=concurrency, progress=bar
            )
        already = f", {done.already} were decided on before" if done.already else ""
        output.say(f"{done.granted} granted, {done.refused} refused{already}.")
        left = len(waiting) - done.granted - done.refused
    else:
        left = _by_hand(client, type_dir, waiting)
    if left > 0:
        output.say(f"{left} requests are left to review.")
        raise SystemExit(presenter.WORK_LEFT)


def _by_hand(client: MTurkClient, type_dir: Path, waiting: Sequence[actions.Request]) -> int:
    """Ask about each request; give how many are left."""
    from turkbatch import actions

    left = len(waiting)
    for number, request in enumerate(waiting, 1):
        rows = [(f"answer: {name}", _cell(value)) for name, value in request.answers.items()]
        output.table(
            rows or [("", "(no test)")],
            title=f"Request {number} of {len(waiting)} by {request.worker_id}",
            stderr=True,
        )
        verdict = _asked(request)
        if verdict == "quit":
            break
        if isinstance(verdict, actions.Verdict):
            actions.review_qualification_requests(client, type_dir, [verdict])
            left -= 1
    return left


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _asked(request: actions.Request) -> actions.Verdict | str:
    """Ask what to do with a request: a verdict, "skip" or "quit"."""
    from turkbatch import actions

    while True:
        answer = output.ask("[g]rant, [r]efuse, [s]kip or [q]uit?")
        if answer is None:
            raise errors.RefusedError(
                "the input ended; what was decided is sent, the rest is as it was."
                " To decide without questions: --decisions FILE"
            )
        choice = answer.lower()[:1]
        if choice == "g":
            text = output.ask("With which score? (empty: none)") or ""
            if not text:
                return actions.Verdict(request.request_id, True)
            with contextlib.suppress(ValueError):
                return actions.Verdict(request.request_id, True, int(text))
            output.say("A score is a whole number.")
        elif choice == "r":
            reason = output.ask("Why? The worker is told (may be empty):") or ""
            return actions.Verdict(request.request_id, False, reason=reason)
        elif choice == "s":
            return "skip"
        elif choice == "q":
            return "quit"
