"""The second table, "What it took": one row a stage and device, as text cells.

Console and page print the same columns, without those that are empty in the whole run. The page shows every device,
the console only those that a person looks for first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from stt_load.metrics.figures import NOTHING
from stt_load.report.device import KINDS, Device, DeviceFigures
from stt_load.report.model import WORKED_PCT, RunReport, StageReport
from stt_load.report.wording import sampled

TITLE = "What it took"
FIRST_HEADINGS = ("Conc", "device")

_CONSOLE_ROWS_AT_MOST = 24

Cell = Callable[[DeviceFigures], str | None]
Row = tuple[StageReport, DeviceFigures]


@dataclass(frozen=True, slots=True)
class Column:
    """`cell` gives None where the device can't tell. `says`: what the reader must know of it, "" if nothing."""

    heading: str
    cell: Cell
    says: str = ""


@dataclass(frozen=True, slots=True)
class ResourceTable:
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    explanations: tuple[str, ...]


def _number(value: Callable[[DeviceFigures], float | None], digits: int = 0) -> Cell:
    def cell(figures: DeviceFigures) -> str | None:
        number = value(figures)
        return None if number is None else f"{number:.{digits}f}"

    return cell


def _percent(ratio: Callable[[DeviceFigures], float | None]) -> Cell:
    def cell(figures: DeviceFigures) -> str | None:
        share = ratio(figures)
        return None if share is None else f"{share * 100:.0f}"

    return cell


def _busy(statistic: str) -> Cell:
    def cell(figures: DeviceFigures) -> str | None:
        kind, value = KINDS[figures.device.kind], figures.busy.statistic(statistic)
        return None if value is None else f"{value:.{kind.digits}f} {kind.unit}"

    return cell


_BUSY = Column("busy mean", _busy("mean"))
_COVERED = Column("covered%", _percent(lambda figures: figures.coverage), "covered: share of the hold with samples")

COLUMNS = (
    _BUSY,
    Column("busy p95", _busy("p95")),
    Column("memory mean", _number(lambda figures: figures.memory.mean), "memory: MiB"),
    Column("memory peak", _number(lambda figures: figures.memory.max)),
    Column(
        "growth /min",
        _number(lambda figures: figures.memory_growth_mib_per_min, 1),
        "growth: slope of the memory over the hold, MiB a minute",
    ),
    Column("power W", _number(lambda figures: figures.of("power_w").mean)),
    Column("energy J", _number(lambda figures: figures.energy_j), "energy: mean power times the length of the hold"),
    Column(
        "J per audio min",
        _number(lambda figures: figures.energy_per_audio_minute_j, 1),
        "per audio min: for each minute of audio that callers sent in the hold",
    ),
    Column(
        "throttled%",
        _percent(lambda figures: figures.throttled),
        "throttled: share of time in which power or heat held the clocks back",
    ),
    _COVERED,
)


def resource_table(report: RunReport, *, is_short: bool = False) -> ResourceTable | None:
    """None where nothing was to be sampled. `is_short`: as the console shows it."""
    every = [(stage, figures) for stage in report.stages for figures in stage.devices]
    every = [row for row in every if row[1].fields or row[1].coverage is not None]  # its hold began
    picked = _shortened(every) if is_short else every
    if not picked:
        return None
    known = {(figures.device.kind, column) for _, figures in every for column in COLUMNS if column.cell(figures)}
    shown = [
        column for column in COLUMNS if column is _BUSY or any((f.device.kind, column) in known for _, f in picked)
    ]
    names_hosts = len({figures.device.host for _, figures in every}) > 1
    rows = tuple(
        (str(stage.users), _name(figures.device, names_hosts), *(_text(column, figures, known) for column in shown))
        for stage, figures in picked
    )
    left_out = len(every) - len(picked)
    return ResourceTable(
        headings=(*FIRST_HEADINGS, *(column.heading for column in shown)),
        rows=rows,
        explanations=(
            _words(shown, {figures.device.kind for _, figures in picked}),
            *([f"{left_out} more {'row is' if left_out == 1 else 'rows are'} in report.html."] if left_out else []),
        ),
    )


def _words(shown: Iterable[Column], kinds: Set[str]) -> str:
    busy = ", ".join(f"{row.means} ({row.word})" for kind, row in KINDS.items() if kind in kinds)
    return "; ".join([f"Busy: {busy}", *(column.says for column in shown if column.says)]) + "."


def _text(column: Column, figures: DeviceFigures, known: set[tuple[str, Column]]) -> str:
    """`lost` only where other devices of its kind, or other stages, have a figure: else it can't tell anyhow."""
    text = column.cell(figures)
    if column is _COVERED or (column is not _BUSY and (figures.device.kind, column) not in known):
        return text or NOTHING
    return sampled(text or NOTHING, figures.coverage)


def _shortened(rows: list[Row]) -> list[Row]:
    """GPUs that worked, and the server; hosts where there is nothing else. Of many, only the busiest of each kind."""
    short = [row for row in rows if row[1].device.kind != "host" and not _is_idle(row)] or rows
    if len(short) > _CONSOLE_ROWS_AT_MOST:
        short = [(stage, figures) for stage, figures in short if figures is stage.busiest(figures.device.kind)]
    return short


def _is_idle(row: Row) -> bool:
    """A GPU without work in this hold, unless the main table shows it."""
    stage, figures = row
    is_gpu = figures.device.kind == "gpu"
    return is_gpu and (figures.busy.mean or 0.0) < WORKED_PCT and figures is not stage.busiest("gpu")


def _name(device: Device, names_host: bool) -> str:
    return f"{device.name} ({device.host})" if names_host and device.host else device.name
