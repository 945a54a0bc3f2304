"""How long work tells that it goes on: a callback that does nothing unless given."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then while an action works, from any thread."""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        """Tell how far a step is.

        Parameters
        ----------
        step : str
            What is being done, such as ``creating HITs``.
        done : int
            How many are done.
        total : int or None
            Of how many; None where that is not known.
        """


def silent(step: str, done: int, total: int | None) -> None:
    """Tell nobody."""
