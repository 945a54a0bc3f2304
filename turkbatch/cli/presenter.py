"""Errors on the screen, and exit codes: the only module that prints errors and exits."""

from __future__ import annotations

import errno
import os
import sys

import click

DONE = 0
REFUSED = 1
WORK_LEFT = 3
SERVICE_FAILED = 4
INTERRUPTED = 130

EXIT_CODES: dict[int, str] = {
    DONE: "done; running it again would change nothing",
    REFUSED: "refused before anything was sent",
    2: "the command line itself is wrong",
    WORK_LEFT: "done as far as it can be now; the same command will finish later",
    SERVICE_FAILED: "the service refused something for good, or could not be reached",
    INTERRUPTED: "interrupted; the same command goes on from there",
}
"""What each exit code means; the README's table is checked against these."""


DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO})
"""Errors of the disk, which are mended outside of turkbatch."""


class Commands(click.Group):
    """A command group that turns our errors into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; let no expected error out as a traceback."""
        # Late, as the logging below: `--help` and `--version` need neither.
        from turkbatch import errors

        try:
            return super().invoke(ctx)
        except errors.TurkbatchError as error:
            faults = error.findings if isinstance(error, errors.InputError) else (error,)
            for fault in faults:
                _show(f"Error: {fault}")
            _traceback_if_verbose()
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            _show(
                "\nInterrupted. What was done is on disk;"
                " the same command goes on from there (an upload: resume-batch)."
            )
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output has gone, such as `head`: that is no error of ours.
            # What is left in the buffer has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(DONE)
        except OSError as error:
            if error.errno not in DISK:
                raise
            where = f"{error.filename}: " if error.filename else ""
            _show(
                f"Error: {where}{error.strerror}; make room or mend it, then run the same"
                " command again: what was done before is on disk"
            )
            _traceback_if_verbose()
            ctx.exit(REFUSED)
        raise AssertionError("ctx.exit raises")


def _show(message: str) -> None:
    click.echo(message, err=True)


def _traceback_if_verbose() -> None:
    import logging
    import traceback

    if logging.getLogger("turkbatch").isEnabledFor(logging.DEBUG):
        _show(traceback.format_exc().rstrip())
