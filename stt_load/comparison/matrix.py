"""A matrix: what a server made of each condition, in words wrong and in callers held.

Every condition has a folder with a ladder in it, which is read as every report is. So a matrix that was broken off can
be gone on with, and what was measured is printed anew from its runs alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stt_load.comparison.conditions import AXES, Condition
from stt_load.comparison.run_folder import NOT_OF_THE_FIGURES
from stt_load.errors import ConfigError, ExitCode
from stt_load.kinds import STREAM, LoadKind
from stt_load.metrics.figures import FIGURES_BY_NAME, headline_of
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.raw_files import RUN
from stt_load.report.report_files import read_report
from stt_load.report.table import is_few


@dataclass(frozen=True, slots=True)
class Step:
    """What was measured with so many callers. `wer`: a ratio. `latency_s`: the p95 of the headline, infinite where it
    falls on a failed utterance. `has_few`: too few clips bound the WER. `unmet`: the conditions that its run does not
    meet, by name. None: not measured."""

    users: int
    verdict: Verdict
    wer: float | None
    latency_s: float | None
    error_rate: float | None
    words_from_nothing: float | None
    has_few: bool
    unmet: tuple[str, ...]

    @classmethod
    def of(cls, stage: StageReport, kind: LoadKind) -> Step:
        figures = stage.figures
        return cls(
            stage.users,
            stage.verdict,
            figures.wer,
            stage.value(headline_of(kind), "p95"),
            figures.error_rate,
            figures.words_from_nothing,
            is_few(stage, FIGURES_BY_NAME["wer"], None),
            ("nothing was counted",) if stage.verdict is Verdict.EMPTY else tuple(f.condition for f in stage.broken),
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether the figures are not to be believed: they are where all that is missing is enough of them."""
        return bool(set(self.unmet) - {NOT_OF_THE_FIGURES})


@dataclass(frozen=True, slots=True)
class Row:
    """One condition. `folder`: its run; None where there is none yet that came to its end. `holds`: the callers that
    the server holds, 0 where not even the fewest; None where that can't be said. `is_most`: more were not tried."""

    condition: Condition
    folder: Path | None = None
    verdict: Verdict | None = None
    steps: tuple[Step, ...] = ()
    slos: tuple[str, ...] = ()
    callers: str = STREAM.callers
    holds: int | None = None
    is_most: bool = False

    @property
    def is_known(self) -> bool:
        """The run says how many callers the server holds."""
        return self.holds is not None

    def at(self, users: int) -> Step | None:
        """The last stage with so many callers; None where there is none."""
        return next((step for step in reversed(self.steps) if step.users == users), None)


@dataclass(frozen=True, slots=True)
class Matrix:
    """All conditions of one server. `folder`: where their runs are. `asked`: the options of all its runs, as they were
    typed."""

    folder: Path
    asked: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def varying(self) -> list[str]:
        """The options of which there are several values, in the order of `AXES`."""
        return [name for name in AXES if len({row.condition.values.get(name) for row in self.rows}) > 1]

    @property
    def users(self) -> list[int]:
        """The numbers of callers that were tried under any condition, from few to many."""
        return sorted({step.users for row in self.rows for step in row.steps})

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends, as a search does: with 3 where not even the fewest callers are held under some
        condition, with 4 where some run says nothing of that or is not there."""
        if any(not row.is_known for row in self.rows):
            return ExitCode.NOT_BELIEVABLE
        return ExitCode.SLO_MISSED if any(row.holds == 0 for row in self.rows) else ExitCode.FINE

    def find(self, values: Mapping[str, str]) -> Row | None:
        """The row of the condition with these values, among others that it has."""
        return next((row for row in self.rows if values.items() <= row.condition.values.items()), None)


def read_row(condition: Condition, place: Path) -> Row:
    """The row of a condition whose runs are in this folder: of the latest that came to its end, a later one that is
    believed before one that isn't."""
    reports = [(folder, report) for folder in _runs_in(place) if (report := _finished(folder)) is not None]
    reports.sort(key=lambda pair: (pair[1].verdict.is_believable, pair[0].name))
    if not reports:
        return Row(condition)
    folder, report = reports[-1]
    holds, breaks = report.knee.holds, report.knee.breaks
    is_known = holds is not None or (breaks is not None and breaks.verdict is Verdict.FAIL)
    return Row(
        condition,
        folder,
        report.verdict,
        tuple(Step.of(stage, report.kind) for stage in report.stages),
        tuple(dict.fromkeys(result.slo.text for stage in report.stages for result in stage.slos)),
        report.kind.callers,
        (0 if holds is None else holds.users) if is_known else None,
        is_most=breaks is None,
    )


def _runs_in(place: Path) -> Sequence[Path]:
    return sorted(path.parent for path in place.glob(f"*/{RUN}"))


def _finished(folder: Path) -> RunReport | None:
    """The report of a run; None of one that did not come to its end, or can't be read."""
    try:
        report = read_report(folder)
    except ConfigError:
        return None
    has_ended = report.run.get("ended_at") is not None and report.verdict not in (Verdict.ABORTED, Verdict.ERROR)
    return report if has_ended else None
