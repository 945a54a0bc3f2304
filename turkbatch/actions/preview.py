"""``preview-batch``: look at a batch that is not published, as workers would see it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from turkbatch import errors, files
from turkbatch.actions import draft, pinned, throwaway
from turkbatch.actions.progress import Progress, silent

CrowdElements = Literal["local", "cdn"]
PORT = 8000
"""amti's."""


def preview_batch(
    definition_dir: pinned.PathLike,
    data_path: pinned.PathLike,
    *,
    port: int = PORT,
    allow_undefined: bool = False,
    crowd_elements: CrowdElements = "local",
    on_ready: Callable[[str], None],
) -> None:
    """Serve the pages of a batch on this machine until interrupted.

    A page is loaded anew when a file changes. What is submitted there goes through a server
    that is thrown away, and is shown as the row of results that it would become.

    Parameters
    ----------
    definition_dir, data_path : path
        The definition directory; JSON Lines or CSV.
    port : int
        0 for any that is free.
    allow_undefined : bool
        Render undefined names empty.
    crowd_elements : {"local", "cdn"}
        Where pages get the Crowd HTML Elements from: ours, or AWS as they say.
    on_ready : callable
        Given the URL once it answers.

    Raises
    ------
    InputError
        If one of the two is not there at all.
    ServiceError
        If the port can't be listened on.
    """
    from turkbatch.preview import site

    with _draft(definition_dir, data_path, allow_undefined=allow_undefined) as (made, title):
        site.serve(site.create_app(made, title, crowd_elements=crowd_elements), port, on_ready)


def export_preview(
    definition_dir: pinned.PathLike,
    data_path: pinned.PathLike,
    output_dir: pinned.PathLike,
    *,
    allow_undefined: bool = False,
    crowd_elements: CrowdElements = "local",
    progress: Progress = silent,
) -> Path:
    """Write the pages of a batch as files, which need no server.

    Parameters
    ----------
    definition_dir, data_path, allow_undefined, crowd_elements
        As for :func:`preview_batch`.
    output_dir : path
        A directory that is not there yet, or is empty.
    progress : Progress
        Told of each row.

    Returns
    -------
    Path
        The index.

    Raises
    ------
    InputError
        If nothing can be shown.
    BatchError
        If the directory holds anything already, or can't be written.
    """
    from turkbatch.preview import export

    target = Path(output_dir)
    with (
        _draft(definition_dir, data_path, allow_undefined=allow_undefined) as (made, title),
        _new(target) as work,
    ):
        if made.faults:
            raise errors.InputError(*made.faults)
        index = export.write(
            made,
            title,
            work,
            lambda done, total: progress("writing pages", done, total),
            crowd_elements=crowd_elements,
        )
    return target / index


@contextlib.contextmanager
def _draft(
    definition_dir: pinned.PathLike, data_path: pinned.PathLike, *, allow_undefined: bool
) -> Iterator[tuple[draft.Draft, str]]:
    definition, data = Path(definition_dir), Path(data_path)
    missing = [
        errors.Finding("not-there", str(path), f"there is no such {kind}", "check the path")
        for path, kind, there in (
            (definition, "directory", definition.is_dir()),
            (data, "file", data.is_file()),
        )
        if not there
    ]
    if missing:
        raise errors.InputError(*missing)
    with throwaway.throwaway() as server:
        made = draft.Draft(definition, data, server, allow_undefined=allow_undefined)
        yield made, f"{definition.resolve().name}, {data.name}"


@contextlib.contextmanager
def _new(target: Path) -> Iterator[Path]:
    """Build a directory that appears whole."""
    try:
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        if target.exists():
            raise errors.BatchError(f"{target}: is there already; name an empty or a new directory")
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.directory(target) as work:
            yield work
    except OSError as error:
        raise errors.BatchError(f"{target}: can't be written ({error.strerror})") from error
