from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Define = Callable[..., Path]


@pytest.fixture
def define(tmp_path: Path) -> Define:
    """Write a definition directory from file names and texts."""

    def write(files: dict[str, str]) -> Path:
        directory = tmp_path / "definition"
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        return directory

    return write
