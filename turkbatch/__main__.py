"""``python -m turkbatch``, and what the ``turkbatch`` command calls."""

from __future__ import annotations

from turkbatch.cli import main as cli


def main() -> None:
    """Run the command line and exit with its code."""
    cli.turkbatch()


if __name__ == "__main__":
    main()
