"""The second table, "Resource usage": one row for each stage and device, as text cells.

Console and page print the same columns, without those that are empty in the whole run. The page shows every device,
the console only those that a person looks for first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from stt_load.metrics.figures import NOTHING
from stt_load.report.device import DEVICE_KINDS, Device, DeviceFigures
from stt_load.report.model import WORKED_PCT, RunReport, StageReport
from stt_load.report.text_table import TextTable
from stt_load.report.wording import names_of, sampled, stage_heading

RESOURCES_TITLE = "Resource usage"
KEY_HEADINGS = ("Conc", "device")
"""The columns that say which stage and device a row is about."""

_CONSOLE_ROWS_AT_MOST = 24

ResourceCell = Callable[[DeviceFigures], str | None]
StageDevice = tuple[StageReport, DeviceFigures]


@dataclass(frozen=True, slots=True)
class ResourceColumn:
    """One column. `cell` gives None where the device doesn't report it. `note` explains it below the table.

    `made_of`: what must be in the samples: `busy`, `memory` (as in DeviceKind), or a figure of the device.
    """

    heading: str
    cell: ResourceCell
    note: str = ""
    made_of: str = "busy"

    def coverage(self, figures: DeviceFigures) -> float | None:
        kind = DEVICE_KINDS[figures.device.kind]
        return figures.coverage_of({"busy": kind.busy, "memory": kind.memory}.get(self.made_of, self.made_of))


def _number(value: Callable[[DeviceFigures], float | None], digits: int = 0, factor: float = 1.0) -> ResourceCell:
    def cell(figures: DeviceFigures) -> str | None:
        number = value(figures)
        return None if number is None else f"{number * factor:.{digits}f}"

    return cell


def _busy(statistic: str) -> ResourceCell:
    def cell(figures: DeviceFigures) -> str | None:
        kind, value = DEVICE_KINDS[figures.device.kind], figures.busy.statistic(statistic)
        return None if value is None else f"{value:.{kind.digits}f} {kind.unit}"

    return cell


_BUSY = ResourceColumn("busy mean", _busy("mean"))
_COVERED = ResourceColumn(
    "covered%",
    _number(lambda figures: figures.coverage, factor=100),
    "covered: share of the hold in which busy was sampled",
)

RESOURCE_COLUMNS = (
    _BUSY,
    ResourceColumn("busy p95", _busy("p95")),
    ResourceColumn(
        "CPU limit",
        _number(lambda figures: figures.of("cpu_limit_cores").max, 2),
        "CPU limit: cores that the server's control group may use",
        "cpu_limit_cores",
    ),
    ResourceColumn(
        "held back%",
        _number(lambda figures: figures.of("cpu_throttled_pct").mean),
        "held back: share of the periods of its CPU limit in which the server had to wait",
        "cpu_throttled_pct",
    ),
    ResourceColumn("memory mean", _number(lambda figures: figures.memory.mean), "memory: MiB in use", "memory"),
    ResourceColumn("memory peak", _number(lambda figures: figures.memory.max), made_of="memory"),
    ResourceColumn(
        "growth /min",
        _number(lambda figures: figures.memory_growth_mib_per_min, 1),
        "growth: slope of the memory over the hold, MiB a minute",
        "memory",
    ),
    ResourceColumn("power W", _number(lambda figures: figures.of("power_w").mean), made_of="power_w"),
    ResourceColumn(
        "energy J",
        _number(lambda figures: figures.energy_j),
        "energy: mean power times the length of the hold",
        "power_w",
    ),
    ResourceColumn(
        "J per audio min",
        _number(lambda figures: figures.energy_per_audio_minute_j, 1),
        "J per audio min: energy for each minute of audio that callers sent in the hold",
        "power_w",
    ),
    ResourceColumn(
        "throttled%",
        _number(lambda figures: figures.throttled, factor=100),
        "throttled: share of time in which power or heat held the clocks back",
        "throttled",
    ),
    _COVERED,
)


def resource_table(report: RunReport, *, is_short: bool = False) -> TextTable | None:
    """The table; None if nothing was to be sampled. `is_short`: as the console shows it."""
    every = [(stage, figures) for stage in report.stages for figures in stage.devices]
    every = [row for row in every if row[1].fields or row[1].coverage is not None]  # its hold began
    picked = _shortened(every) if is_short else every
    if not picked:
        return None
    reported = {(f.device.kind, column) for _, f in every for column in RESOURCE_COLUMNS if column.cell(f)}
    shown = [
        column
        for column in RESOURCE_COLUMNS
        if column is _BUSY or any((f.device.kind, column) in reported for _, f in picked)
    ]
    names_hosts = len({figures.device.host for _, figures in every}) > 1
    names = names_of(report.stages)
    rows = tuple(
        (
            names[stage.figures.stage],
            _name(figures.device, names_hosts),
            *(_text(column, figures, reported) for column in shown),
        )
        for stage, figures in picked
    )
    left_out = len(every) - len(picked)
    return TextTable(
        headings=(stage_heading(report.is_open_loop), *KEY_HEADINGS[1:], *(column.heading for column in shown)),
        rows=rows,
        notes=(
            *_column_notes(shown, {figures.device.kind for _, figures in picked}),
            *([f"{left_out} more {'row is' if left_out == 1 else 'rows are'} in report.html."] if left_out else []),
        ),
    )


def _column_notes(shown: Iterable[ResourceColumn], kinds: Set[str]) -> list[str]:
    busy = ", ".join(f"{row.means} ({row.word})" for kind, row in DEVICE_KINDS.items() if kind in kinds)
    return [f"{note}." for note in (f"busy: {busy}", *(column.note for column in shown)) if note]


def _text(column: ResourceColumn, figures: DeviceFigures, reported: set[tuple[str, ResourceColumn]]) -> str:
    """The cell. It says `lost` only if devices of this kind report the column elsewhere in the run."""
    text = column.cell(figures)
    if column is _COVERED or (column is not _BUSY and (figures.device.kind, column) not in reported):
        return text or NOTHING
    return sampled(text or NOTHING, column.coverage(figures))


def _shortened(rows: list[StageDevice]) -> list[StageDevice]:
    """GPUs that worked, and the server; hosts if there is nothing else. Of many, only the busiest of each kind."""
    short = [row for row in rows if row[1].device.kind != "host" and not _is_idle(row)] or rows
    if len(short) > _CONSOLE_ROWS_AT_MOST:
        short = [(stage, figures) for stage, figures in short if figures is stage.busiest(figures.device.kind)]
    return short


def _is_idle(row: StageDevice) -> bool:
    """It is a GPU without work in this hold, and not the one that the main table shows."""
    stage, figures = row
    is_gpu = figures.device.kind == "gpu"
    return is_gpu and (figures.busy.mean or 0.0) < WORKED_PCT and figures is not stage.busiest("gpu")


def _name(device: Device, names_host: bool) -> str:
    return f"{device.name} ({device.host})" if names_host and device.host else device.name
