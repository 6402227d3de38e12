"""Names and counts of files in a line that people read."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 5  # of many


def first_few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def counted(names: Sequence[str], what: str) -> str:
    """`1 file is`, `2 files are`."""
    return f"1 {what} is" if len(names) == 1 else f"{len(names):,} {what}s are"
