"""A batch that is not published, looked at as its files are right now.

Each row that is looked at is rendered by the renderer of the upload and made a HIT on a
server that is thrown away; its page is what that server then has, and a submission goes
through it into the row that ``extract`` would make of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turkbatch import answers, errors, question, tables
from turkbatch.actions import check
from turkbatch.batch import data as batch_data
from turkbatch.batch import definition as batch_definition
from turkbatch.batch import layout, results
from turkbatch.mturk import calls

if TYPE_CHECKING:
    from turkbatch.actions.throwaway import Throwaway

STAND_IN_TYPE: Mapping[str, Any] = {
    "Title": "Preview",
    "Description": "Preview",
    "Reward": "0.01",
    "AssignmentDurationInSeconds": 86_400,
}
STAND_IN_HIT: Mapping[str, Any] = {"LifetimeInSeconds": 86_400}
"""Properties of a HIT whose own can't be used yet: its page can be looked at all the same."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """A row's HIT, as a worker meets it.

    Parameters
    ----------
    hit_id : str
        On the server that is thrown away.
    assignment_id, worker_id : str or None
        None in a preview.
    question : str
        The HIT's XML, as the server has it.
    """

    hit_id: str
    assignment_id: str | None
    worker_id: str | None
    question: str


@dataclasses.dataclass(frozen=True)
class Submission:
    """What a submission of a page became.

    Parameters
    ----------
    number : int
        From 1, in the order of submission.
    row : int
        Index of the data row.
    answer : str
        The answer XML, as the service has it.
    result : dict
        The row that ``extract tabular --inputs`` would give, before it is reviewed.
    own : tuple of str
        Which of its columns are this batch's own: inputs and answers.
    notes : tuple of str
        What was left out of it, and why.
    """

    number: int
    row: int
    answer: str
    result: Mapping[str, Any]
    own: tuple[str, ...]
    notes: tuple[str, ...]


class Draft:
    """A definition and its data, read again whenever a file changes.

    Safe to use from several threads.

    Parameters
    ----------
    definition_dir, data_path : Path
        The definition directory; JSON Lines or CSV.
    server : Throwaway
        Where HITs are made.
    allow_undefined : bool
        Render undefined names empty.
    """

    def __init__(
        self, definition_dir: Path, data_path: Path, server: Throwaway, *, allow_undefined: bool
    ) -> None:
        self.definition_dir = definition_dir
        self.data_path = data_path
        self._server = server
        self._service = calls.Calls(server.client)
        self._allow_undefined = allow_undefined
        self._lock = threading.RLock()
        self._checking = threading.Lock()
        self._checked: tuple[str, check.Checked] | None = None
        self._version = ""
        self._files: _Files | None = None
        self._hit_type_id: str | None = None
        self._previewed: dict[int, Shown] = {}
        self._accepted: dict[int, Shown] = {}
        self._rows: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self._submissions: list[Submission] = []

    def version(self) -> str:
        """Tell which state the files are in: another text after each change."""
        with self._lock:
            self._refresh()
            return self._version

    @property
    def faults(self) -> tuple[errors.Finding, ...]:
        """Why no row can be shown; empty if rows can."""
        with self._lock:
            return self._now().faults

    @property
    def rows(self) -> Sequence[batch_data.Row]:
        """The data."""
        with self._lock:
            return self._now().rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the data's fields."""
        with self._lock:
            data = self._now().data
            return () if data is None else data.columns

    @property
    def properties(self) -> Mapping[str, Any]:
        """The properties of the HIT type, as far as they can be read."""
        with self._lock:
            definition = self._now().definition
            return {} if definition is None else definition.hit_type_properties

    @property
    def submissions(self) -> Sequence[Submission]:
        """What was submitted so far."""
        with self._lock:
            return tuple(self._submissions)

    def findings(self) -> check.Checked:
        """Check the batch as it is now; long work, done once for each version."""
        with self._checking:
            version = self.version()
            if self._checked is None or self._checked[0] != version:
                checked = check.check_batch(
                    self.definition_dir, self.data_path, allow_undefined=self._allow_undefined
                )
                self._checked = (version, checked)
            return self._checked[1]

    def show(self, index: int, *, accepted: bool) -> Shown:
        """Make a row's HIT, if it isn't there, and perhaps accept it.

        Parameters
        ----------
        index : int
            Of the row.
        accepted : bool
            Whether it is accepted; the same assignment again until it is submitted.

        Returns
        -------
        Shown

        Raises
        ------
        InputError
            If the row can't be rendered, or nothing can.
        ServiceError
            If the server refuses the question.
        """
        with self._lock:
            known = self._accepted if accepted else self._previewed
            self._refresh()
            if index not in known:
                known[index] = self._make(index, accepted=accepted)
            return known[index]

    def question(self, hit_id: str) -> str:
        """Read the question of a HIT that was shown, as the server has it.

        Raises
        ------
        RefusedError
            If there is no such HIT.
        """
        from turkbatch.server import worker

        try:
            return worker.question(self._server.served, hit_id)
        except worker.WorkerError as error:
            raise errors.RefusedError(str(error)) from error

    def submit(
        self,
        fields: Sequence[tuple[str, str]],
        files: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> Submission:
        """Hand in a page.

        Parameters
        ----------
        fields : sequence of (str, str)
            Names and values as posted, ``assignmentId`` among them.
        files : mapping of str to (str, bytes), optional
            Names and contents of a QuestionForm's files, by QuestionIdentifier.

        Returns
        -------
        Submission

        Raises
        ------
        RefusedError
            If the service would refuse it: it was not accepted, or submitted before, or its
            time is over. The message is what the worker would be told.
        """
        from turkbatch.server import worker

        assignment_id = dict(fields).get("assignmentId", "")
        with self._lock:
            known = self._rows.get(assignment_id)
            if known is None:
                raise errors.RefusedError(
                    "There was a problem submitting your results for this HIT."
                    " It must be accepted first, and its assignmentId be sent along."
                )
            try:
                served = self._server.served
                task = worker.task(served, assignment_id)
                for identifier, (name, content) in (files or {}).items():
                    worker.upload(served, assignment_id, task.worker_id, identifier, name, content)
                worker.submit(served, assignment_id, task.worker_id, fields)
            except worker.WorkerError as error:
                self._forget(known[0], assignment_id)
                raise errors.RefusedError(str(error)) from error
            self._forget(known[0], assignment_id)
            made = self._result(task.hit_id, *known)
            self._submissions.append(made)
            return made

    def _forget(self, index: int, assignment_id: str) -> None:
        """Let the row be accepted anew."""
        shown = self._accepted.get(index)
        if shown is not None and shown.assignment_id == assignment_id:
            del self._accepted[index]

    def _result(self, hit_id: str, index: int, row: Mapping[str, Any]) -> Submission:
        hit = results.as_json(self._service.call("get_hit", HITId=hit_id)["HIT"])
        reply = self._service.call("list_assignments_for_hit", HITId=hit_id)
        assignment = results.as_json(reply["Assignments"][0])
        notes: list[str] = []
        answer = assignment.get("Answer", "")
        fields = answers.fields(answer, notes=notes.append)
        result = tables.amti_row(hit, assignment, fields=fields, row=row, inputs=True)
        every = {*tables.AMTI_COLUMNS, *tables.MORE_COLUMNS}
        own = tuple(name for name in result if name not in every)
        return Submission(len(self._submissions) + 1, index, answer, result, own, tuple(notes))

    def _make(self, index: int, *, accepted: bool) -> Shown:
        from turkbatch.server import crowd, worker

        files = self._now()
        if files.faults or files.template is None or files.data is None:
            raise errors.InputError(*files.faults)
        row = files.rows[index]
        made = files.template.render(
            row.fields, where=files.data.where(row), allow_undefined=self._allow_undefined
        )
        reply = self._service.call(
            "create_hit_with_hit_type",
            **{**files.hit_properties, "HITTypeId": self._type(files), "Question": made.xml},
        )
        hit_id: str = reply["HIT"]["HITId"]
        stored = worker.question(self._server.served, hit_id)
        if not accepted:
            return Shown(hit_id, None, None, stored)
        worker_id = crowd.worker_id(1)
        assignment_id = worker.accept(self._server.served, hit_id, worker_id)
        self._rows[assignment_id] = (index, row.fields)
        return Shown(hit_id, assignment_id, worker_id, stored)

    def _type(self, files: _Files) -> str:
        if self._hit_type_id is None:
            reply = self._service.call("create_hit_type", **files.hit_type_properties)
            self._hit_type_id = reply["HITTypeId"]
        assert self._hit_type_id is not None, "the service gave one"
        return self._hit_type_id

    def _now(self) -> _Files:
        if self._files is None:
            self._refresh()
        assert self._files is not None, "just read"
        return self._files

    def _refresh(self) -> None:
        """Read the files again if one has changed."""
        version = _signature(self.definition_dir, self.data_path)
        if version == self._version and self._files is not None:
            return
        self._version = version
        self._files = _read(self.definition_dir, self.data_path)
        self._hit_type_id = None
        self._previewed.clear()
        self._accepted.clear()


@dataclasses.dataclass(frozen=True)
class _Files:
    """What the files say, as far as they can be read."""

    definition: batch_definition.Definition | None
    data: batch_data.Data | None
    template: question.Template | None
    rows: Sequence[batch_data.Row]
    faults: tuple[errors.Finding, ...]
    hit_type_properties: Mapping[str, Any]
    hit_properties: Mapping[str, Any]


def _read(definition_dir: Path, data_path: Path) -> _Files:
    definition: batch_definition.Definition | None = None
    data: batch_data.Data | None = None
    template: question.Template | None = None
    rows: Sequence[batch_data.Row] = ()
    faults: list[errors.Finding] = []
    # Its faults are among the findings; the pages can be looked at all the same.
    with contextlib.suppress(errors.InputError):
        definition = batch_definition.read(definition_dir)
    try:
        data = batch_data.read(data_path)
        rows = tuple(data)
        template = question.load(definition_dir, columns=data.columns)
    except errors.InputError as error:
        faults += error.findings
    usable = definition is not None and not check.property_faults(definition)
    given = definition if usable else None
    return _Files(
        definition,
        data,
        template,
        rows,
        tuple(faults),
        # Nobody who looks has to qualify.
        _without(STAND_IN_TYPE if given is None else given.hit_type_properties),
        STAND_IN_HIT if given is None else given.hit_properties,
    )


def _without(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in properties.items() if name != "QualificationRequirements"
    }


def _signature(definition_dir: Path, data_path: Path) -> str:
    """Sum up what tells that a file changed, without reading any: it is asked every second."""
    found = [_stamp(data_path)]
    for folder, folders, names in os.walk(definition_dir, followlinks=True):
        folders[:] = sorted(
            name
            for name in folders
            if name not in batch_definition.SKIPPED and not name.startswith(layout.PREFIX)
        )
        found += [_stamp(Path(folder, name)) for name in sorted(names)]
    return hashlib.sha256("\n".join(found).encode(errors="surrogateescape")).hexdigest()[:16]


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return f"{path} is gone"
    return f"{path} {stat.st_mtime_ns} {stat.st_size} {stat.st_ino}"
