"""Pages of a batch as files, to show to those who have no server to look at.

::

    index.html            the rows, the findings (index-201.html: the rows from 201 on)
    row-1.html            a row's page
    pages/row-1.html      the task itself, in the frame of the page above
    assets/               style and script of the pages around it

The stand-ins for AWS's scripts are inside of each task's page: a frame without an origin may
load nothing from other files.
"""

from __future__ import annotations

import base64
import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from turkbatch import errors
from turkbatch.preview import site
from turkbatch.server import questions, task_pages

_FRAME_RIGHTS: Final = "allow-scripts allow-forms allow-modals allow-popups"
"""Files have no origin of their own to give to a task, so it gets none."""

_MARK: Final = "/turkbatch-stand-in/"

LINKS: Final = site.Links(
    index=lambda first: "index.html" if first == 1 else f"index-{first}.html",
    row=lambda number: f"row-{number}.html",
    assets="assets/",
    live=False,
)


def write(
    draft: site.Draft,
    title: str,
    directory: Path,
    progress: Callable[[int, int], None],
    *,
    crowd_elements: task_pages.CrowdElements = "local",
) -> Path:
    """Write the pages.

    Parameters
    ----------
    draft : Draft
        The batch.
    title : str
        What to call it.
    directory : Path
        An empty directory.
    progress : callable
        Told how many rows are written, and of how many, after each.
    crowd_elements : {"local", "cdn"}
        Where pages get the Crowd HTML Elements from.

    Returns
    -------
    Path
        Of the index, relative to the directory.
    """
    (directory / "pages").mkdir()
    shutil.copytree(Path(site.__file__).parent / "static", directory / "assets")
    count = len(draft.rows)
    # The context, not a request: templates are all that is wanted of the application.
    with site.pages().app_context():
        for first in range(1, max(count, 1) + 1, site.ROWS_A_PAGE):
            page = site.index_page(draft, title, LINKS, first)
            _write(directory / LINKS.index(first), page)
        for number in range(1, count + 1):
            frame = _frame(draft, number, directory, crowd_elements)
            page = site.row_page(draft, title, LINKS, number, accepted=False, frame=frame)
            _write(directory / LINKS.row(number), page)
            progress(number, count)
    return Path(LINKS.index(1))


def _frame(
    draft: site.Draft, number: int, directory: Path, crowd_elements: task_pages.CrowdElements
) -> site.Frame:
    """Write a row's task, and tell how it is shown."""
    try:
        shown = draft.show(number - 1, accepted=False)
    except errors.InputError as error:
        return site.Frame(faults=tuple(error.findings))
    question = questions.parse(shown.question)
    if question.kind is not questions.Kind.HTML:
        return site.framed(shown, "")
    name = f"pages/row-{number}.html"
    _write(directory / name, _with_stand_ins(question.content, crowd_elements))
    # No turkSubmitTo: there is nobody to submit to.
    address = f"{name}?assignmentId={task_pages.PREVIEW}&hitId={shown.hit_id}"
    return site.Frame(address, max(question.frame_height, 0), _FRAME_RIGHTS)


def _with_stand_ins(page: str, crowd_elements: task_pages.CrowdElements) -> str:
    page = task_pages.rewritten(page, crowd_elements, base=_MARK)
    for name in task_pages.STAND_INS:
        page = page.replace(_MARK + name, _as_address(name))
    return page


@functools.cache
def _as_address(name: str) -> str:
    """Write a stand-in as an address that holds the whole of it."""
    content = base64.b64encode(site.stand_in(name).read_bytes()).decode()
    return f"data:text/javascript;base64,{content}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
