"""What can go wrong, as one tree of exceptions.

::

    TurkbatchError
      InputError         the user's files; carries one Finding for each fault
        DefinitionError    properties or files of a definition directory
        DataError          the data: JSON Lines or CSV
        QuestionError      a template, or the question that it renders to
        AnswerError        an answer document that can't be read
      BatchError         not a batch, unknown format, locked, pinned elsewhere, wrong state
      RefusedError       the user said no, the cost is over --max-cost, the balance too small
      CredentialsError   none were found for an environment that needs them
      ServiceError       what MTurk answered, or that it did not
        NotFoundError      no such HIT, assignment, ...
        StateError         the HIT or assignment is not in a state that allows it
        DuplicateError     this unique request token was used before
        FundsError         the account can't pay for it
        ThrottledError     too many requests; retrying did not help
        FaultError         the service failed (5xx): the work may or may not be done
        UnreachableError   no reply: the work may or may not be done
      PartialError       some of many calls failed for good; the rest is on disk

Each class carries the exit code with which the command line ends. A message has four
parts: where, what was found, what was expected, what to do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

Severity = Literal["error", "warning", "note"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a check found in the user's files.

    Parameters
    ----------
    rule : str
        Name of the rule, in kebab case; what ``--ignore`` takes.
    file : str
        The file as the user knows it, such as ``definition/hitproperties.json``.
    found : str
        What is there, as one clause without a full stop.
    fix : str
        What to do about it, as one clause.
    line : int, optional
        Line of the file, counted from 1.
    why : str, optional
        Why it matters, for someone who has not met the rule before.
    severity : {"error", "warning", "note"}
        Errors are what MTurk, or turkbatch itself, would refuse.
    """

    rule: str
    file: str
    found: str
    fix: str
    line: int | None = None
    why: str = ""
    severity: Severity = "error"

    @property
    def where(self) -> str:
        """``file:line``, or the file alone."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.found}; {self.fix}" if self.fix else f"{self.where}: {self.found}"
        )


class TurkbatchError(Exception):
    """Base of every error that turkbatch raises on purpose."""

    exit_code: ClassVar[int] = 1


class InputError(TurkbatchError):
    """The user's files can't be used as they are; nothing was sent.

    Parameters
    ----------
    *findings : Finding
        Every fault that was found, so that one run mends them all.
    """

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class DefinitionError(InputError):
    """The definition directory, or a property in it, can't be used."""


class DataError(InputError):
    """The data file, or a row of it, can't be used."""


class QuestionError(InputError):
    """A template does not render to a question that MTurk would take."""


class AnswerError(InputError):
    """An answer document can't be read."""


class BatchError(TurkbatchError):
    """The directory is no batch, or not in a state that allows the command."""


class RefusedError(TurkbatchError):
    """Stopped before anything was sent: by the user, a limit, or the balance."""


class CredentialsError(TurkbatchError):
    """The environment needs AWS credentials and none were found."""


class ServiceError(TurkbatchError):
    """The service refused a request for good, or could not be reached.

    Parameters
    ----------
    message : str
        What happened and what to do.
    operation : str
        Name of the API operation, such as ``CreateHIT``.
    code : str
        The service's own code, such as ``AWS.MechanicalTurk.InsufficientFunds``.
    """

    exit_code: ClassVar[int] = 4
    outcome_unknown: ClassVar[bool] = False
    """Whether the work may have been done although no good reply came."""

    def __init__(self, message: str, *, operation: str = "", code: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        self.code = code


class NotFoundError(ServiceError):
    """The HIT, assignment, type or request does not exist, or is another requester's."""


class StateError(ServiceError):
    """The HIT or assignment is not in a state that allows the operation."""


class DuplicateError(ServiceError):
    """The unique request token was used before, so the work is done already.

    ``existing_id`` is the id of what the first call made, if the reply named it.
    """

    def __init__(
        self, message: str, *, operation: str = "", code: str = "", existing_id: str | None = None
    ) -> None:
        super().__init__(message, operation=operation, code=code)
        self.existing_id = existing_id


class FundsError(ServiceError):
    """The account can't pay for what was asked."""


class ThrottledError(ServiceError):
    """The service asked for fewer requests; nothing was done."""


class FaultError(ServiceError):
    """The service failed (5xx); whether the work was done is not known."""

    outcome_unknown = True


class UnreachableError(ServiceError):
    """No reply came; whether the work was done is not known."""

    outcome_unknown = True


class PartialError(TurkbatchError):
    """Some of many calls failed for good; what was done is on disk.

    Parameters
    ----------
    message : str
        What was being done, and how many of how many failed.
    failures : sequence of (str, Exception)
        What each failure was about (a row, a HIT id, a worker id), and why.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, failures: Iterable[tuple[str, Exception]] = ()) -> None:
        self.failures: Sequence[tuple[str, Exception]] = tuple(failures)
        lines = [message, *(f"  {subject}: {error}" for subject, error in self.failures)]
        super().__init__("\n".join(lines))
