"""Figures: what was measured, what it should be, and a table of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    work : str
        What was done.
    target : float or None
        What should be reached; None for what is only reported.
    reached : float
        What was.
    sense : {"at least", "at most"}
        Which side of the target is good.
    unit : str
        Behind the numbers: ``x`` for a ratio.
    detail : str
        The numbers behind it.
    """

    work: str
    target: float | None
    reached: float
    sense: Literal["at least", "at most"] = "at least"
    unit: str = "x"
    detail: str = ""

    @property
    def verdict(self) -> str:
        """``ok`` or ``short``; nothing where there is no target."""
        if self.target is None:
            return ""
        good = (
            self.reached >= self.target if self.sense == "at least" else self.reached <= self.target
        )
        return "ok" if good else "short"

    def cells(self) -> tuple[str, ...]:
        """Give the cells of its line."""
        target = "" if self.target is None else f"{self.sense} {self.target:g} {self.unit}"
        return self.work, target, f"{self.reached:.2f} {self.unit}", self.verdict, self.detail


def table(figures: Iterable[Figure]) -> str:
    """Lay figures out as a table in plain text."""
    lines = [("work", "target", "reached", "", "measured"), *(one.cells() for one in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
