"""Finding a Chromium, and driving it by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from turkbatch import errors

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

VARIABLE: Final = "TURKBATCH_CHROMIUM"
"""Names the browser's program, in place of one that is looked for."""
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Small shared memory, as in a container, must not break a page.
_ARGUMENTS: Final = ("--disable-dev-shm-usage",)


@contextlib.contextmanager
def opened() -> Iterator[Browser]:
    """Run a browser without a window for as long as the block lasts.

    Yields
    ------
    Browser
        Playwright's.

    Raises
    ------
    RefusedError
        If Playwright's package or a Chromium is missing, or doesn't start.
    """
    try:
        from playwright import sync_api
    except ImportError as error:
        raise errors.RefusedError(
            "--browser needs Playwright, which is not installed;"
            " run: pip install 'turkbatch[browser]'"
        ) from error
    with sync_api.sync_playwright() as playwright:
        program = _program(playwright)
        try:
            browser = playwright.chromium.launch(
                executable_path=program, args=list(_ARGUMENTS), handle_sigterm=False
            )
        except sync_api.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise errors.RefusedError(
                f"{program}: the browser did not start ({reason});"
                f" name another by the variable {VARIABLE}"
            ) from error
        with contextlib.closing(browser):
            yield browser


def _program(playwright: Playwright) -> str:
    """Find the browser: the one that is named, Playwright's own, or the system's."""
    named = os.environ.get(VARIABLE)
    if named:
        if shutil.which(named) is None:
            raise errors.RefusedError(
                f"{VARIABLE}: {named} is no program; name the path of a Chromium"
            )
        return named
    own = playwright.chromium.executable_path
    if own and Path(own).exists():
        return own
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise errors.RefusedError(
        "--browser needs Chromium, which was not found; run: playwright install chromium,"
        f" or install your system's package chromium, or name its program by {VARIABLE}"
    )
