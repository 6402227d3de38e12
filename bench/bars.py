"""A figure and the bar that it has to meet, and how a bench prints it.

Every bench prints one JSON object as its last line: {"bars": [{"name", "bar", "figure", "unit", "is_met"}, …]} and
whatever else belongs to it. `run_all.py` collects those.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of a bench.

    `bar` is the most that is allowed (the least if `is_least`), None for a figure without a bar. `figure` is the median
    of `repeats`; None if it could not be measured, then `note` says why. `spread` is the largest minus the smallest.
    """

    name: str
    bar: float | None
    figure: float | None
    unit: str
    is_met: bool | None
    spread: float | None = None
    repeats: tuple[float, ...] = ()
    note: str | None = None

    @classmethod
    def of(
        cls,
        name: str,
        repeats: Iterable[float | None],
        unit: str,
        bar: float | None,
        is_least: bool = False,
        note: str | None = None,
    ) -> Bar:
        found = tuple(value for value in repeats if value is not None)
        if not found:
            return cls(name, bar, None, unit, None if bar is None else False, note=note or "not measured")
        figure = statistics.median(found)
        is_met = None if bar is None else (figure >= bar if is_least else figure <= bar)
        return cls(name, bar, figure, unit, is_met, max(found) - min(found), found, note)


def print_bars(bars: Sequence[Bar], **more: Any) -> None:
    """Prints a table for people, then one line of JSON."""
    print(table(bar_row(asdict(bar)) for bar in bars), flush=True)
    print(json.dumps({"bars": [asdict(bar) for bar in bars], **more}, ensure_ascii=False))


HEADINGS = ("what", "figure", "spread", "n", "bar", "met")


def bar_row(bar: dict[str, Any]) -> tuple[str, ...]:
    """The cells of a bar in the table. Only name, figure, unit, bar and is_met must be there."""
    note = f" ({bar['note']})" if bar.get("note") else ""
    return (
        bar["name"] + note,
        "-" if bar["figure"] is None else f"{bar['figure']:.4g} {bar['unit']}",
        "-" if bar.get("spread") is None else f"{bar['spread']:.2g}",
        str(len(bar.get("repeats") or ()) or "-"),
        "-" if bar["bar"] is None else f"{bar['bar']:.4g}",
        _met(bar),
    )


def _met(bar: dict[str, Any]) -> str:
    """Whether the bar is met, or by which factor it is missed."""
    if bar["is_met"] is None:
        return "-"
    if bar["is_met"] or not bar["bar"] or bar["figure"] is None:
        return "yes" if bar["is_met"] else "no"
    return f"no: {bar['figure'] / bar['bar']:.2f} × the bar"


def table(rows: Iterable[Sequence[str]]) -> str:
    lines = [HEADINGS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    ruler = "-|-".join("-" * width for width in widths)
    return "\n".join(f"| {line} |" for line in (padded[0], ruler, *padded[1:]))
