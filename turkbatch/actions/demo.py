"""``demo``: the main job end to end, as typed, on the embedded server."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from turkbatch import errors
from turkbatch.actions import new, pinned
from turkbatch.mturk import environments

STARTER = "utterance-collection"
BATCH_ID = "demo"

STEPS: Sequence[tuple[str, Sequence[str]]] = (
    (
        "Publish one HIT for each row of the data.",
        ("create-batch", "definition", "data.csv", ".", "--local", "--yes", "--batch-id", BATCH_ID),
    ),
    ("See how far it is.", ("status-batch", f"batch-{BATCH_ID}")),
    ("Have simulated workers answer the forms.", ("server", "work", f"batch-{BATCH_ID}")),
    ("Approve what they submitted.", ("review-batch", f"batch-{BATCH_ID}", "--approve-all", "-y")),
    ("Save the results into the batch directory.", ("save-batch", f"batch-{BATCH_ID}")),
    ("Close what is still open.", ("expire-batch", f"batch-{BATCH_ID}")),
    ("Take the HITs off the server.", ("delete-batch", f"batch-{BATCH_ID}")),
    (
        "Turn the results into one table.",
        ("extract", "tabular", f"batch-{BATCH_ID}", "results.csv", "--inputs"),
    ),
)
"""What the demo does, each step one command as a user would type it."""


@dataclasses.dataclass(frozen=True)
class Demo:
    """What the demo left.

    Parameters
    ----------
    directory : Path
        Where it ran: the definition, the batch, the table and the server's database.
    table : str
        The table, as CSV.
    """

    directory: Path
    table: str


def demo(
    directory: pinned.PathLike | None = None,
    *,
    tell: Callable[[str, Sequence[str]], None],
    show: Callable[[str], None],
) -> Demo:
    """Run the life of a batch: real commands, in processes of their own.

    Parameters
    ----------
    directory : path, optional
        Where to do it, and leave everything; a temporary directory, removed at the
        end, unless given.
    tell : callable
        Given what a step is for, and its command's arguments, before it runs.
    show : callable
        Given what the command printed.

    Returns
    -------
    Demo

    Raises
    ------
    BatchError
        If the directory is not empty.
    ServiceError
        If a step failed; the message is what it printed.
    """
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="turkbatch-demo-") as made:
            return _run(Path(made), tell, show)
    target = Path(directory)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise errors.BatchError(f"{target}: is there already; name an empty or a new directory")
    target.mkdir(parents=True, exist_ok=True)
    return _run(target, tell, show)


def _run(
    directory: Path,
    tell: Callable[[str, Sequence[str]], None],
    show: Callable[[str], None],
) -> Demo:
    new.new_definition(STARTER, directory)
    variables = _variables(directory)
    for what, arguments in STEPS:
        tell(what, arguments)
        done = subprocess.run(
            [sys.executable, "-m", "turkbatch", *arguments],
            cwd=directory,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        show(done.stdout)
        if done.returncode:
            raise errors.ServiceError(
                f"`turkbatch {' '.join(arguments)}` ended with exit code {done.returncode}"
            )
    return Demo(directory, (directory / "results.csv").read_text(encoding="utf-8"))


def _variables(directory: Path) -> dict[str, str]:
    """Give the commands a server of the demo's own, and no way to anyone else's."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in {environments.ENDPOINT_VARIABLE, environments.ENVIRONMENT_VARIABLE}
    }
    variables[environments.DATABASE_VARIABLE] = str((directory / "server.db").absolute())
    variables["PYTHONIOENCODING"] = "utf-8"
    return variables
