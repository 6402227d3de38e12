"""The one table that people read, as text cells: the console and the page print the same.

`metrics/figures.py` declares the columns. Latencies are seconds. A `*` behind a percentile says that n is too small to
be certain of it; behind a verdict, that it rests on such a percentile. A `?` behind a GPU figure, or `lost` in its
place: too much of the hold was not sampled.
"""

from __future__ import annotations

from collections.abc import Callable

from stt_load.metrics.figures import NOTHING, Figure, Place, TableColumn, in_table
from stt_load.metrics.quantiles import percentile, smallest_n
from stt_load.report.model import RunReport, StageReport
from stt_load.report.resources import resource_table
from stt_load.report.wording import at_callers, sampled, sampled_explanation

FEW = "*"

TableCell = Callable[[StageReport], str]


def table_cells(report: RunReport) -> dict[str, TableCell]:
    """The columns of the table from left to right: heading -> function that gives the cell of a stage."""
    return {
        "Conc": lambda stage: str(stage.users),
        **{column.heading: _table_cell(figure, column) for figure, column in in_table(report.kind)},
        "verdict": lambda stage: stage.mark,
    }


def _table_cell(figure: Figure, column: TableColumn) -> TableCell:
    def cell(stage: StageReport) -> str:
        if figure.unstreamed and not stage.figures.streamed:
            return figure.unstreamed if stage.figures.ok else NOTHING
        value = stage.value(figure, column.statistic)
        text = NOTHING if value is None else f"{value * column.factor:.{column.digits}f}"
        mark = FEW if figure.is_distribution and value is not None and _is_few(stage, figure, column) else ""
        return sampled(text + mark, stage.coverage_of(figure))

    return cell


def _is_few(stage: StageReport, figure: Figure, column: TableColumn) -> bool:
    """The column shows a percentile that n does not support."""
    p = percentile(column.statistic)
    return p is not None and not stage.figures.distributions[figure.name].supports(p)


def headings(report: RunReport) -> tuple[str, ...]:
    return tuple(table_cells(report))


def rows(report: RunReport) -> list[tuple[str, ...]]:
    """One row of text cells for each stage, in the order of `headings`."""
    return [tuple(cell(stage) for cell in table_cells(report).values()) for stage in report.stages]


def explanations(report: RunReport) -> list[str]:
    """The notes that a reader needs for this table, and no others."""
    lines = ["All times are in seconds.", *_meanings(report), *_what_was_sent(report)]
    if report.run.get("normaliser") and report.kind.is_transcribed:
        lines.append(f"WER is counted after {report.run['normaliser']}.")
    if any(cell.endswith(FEW) for line in rows(report) for cell in line):
        needed = " and ".join(f"p{p * 100:g} needs {smallest_n(p)}" for p in (0.50, 0.95))
        lines.append(f"{FEW} too few utterances to be certain: {needed}. Ask for more with --at-least.")
    resources = resource_table(report)
    every_row = (*rows(report), *(resources.rows if resources else ()))
    lines += sampled_explanation(cell for line in every_row for cell in line)
    reused = sum(stage.figures.clips_reused for stage in report.stages)
    if reused:
        utterances = "1 utterance" if reused == 1 else f"{reused} utterances"
        lines.append(f"Two callers spoke the same clip in {utterances}: foreign text between them can't be seen.")
    return lines


def _meanings(report: RunReport) -> list[str]:
    """One line for each time and speed of the table, in the words of its declaration."""
    explained = {
        column.heading.removesuffix(f" {column.statistic}"): figure.meaning
        for figure, column in in_table(report.kind)
        if figure.place in (Place.LATENCY, Place.SPEED)
    }
    return [f"{heading}: {meaning}." for heading, meaning in explained.items()]


_ENDED_BY = {
    "server": "The server decided when each utterance ended, so EOS includes the server's endpointing delay.",
    "client": "The client ended each utterance with a message as speech ended, so EOS has no endpointing delay of the "
    "server. Don't compare it with runs in which the server ends utterances.",
}


def _what_was_sent(report: RunReport) -> list[str]:
    if report.kind.is_paced:
        ended_by = _ENDED_BY.get(str(report.run.get("end")), "This run did not record who ended the utterances.")
        found = [(_span(report, value), sentence) for value, sentence in _SENT]
        return [ended_by, *filter(None, [" ".join(sentence.format(span) for span, sentence in found if span)])]
    ok = sum(stage.figures.ok for stage in report.stages)
    streamed = sum(stage.figures.streamed for stage in report.stages)
    if any(figure.unstreamed for figure, _ in in_table(report.kind)) and streamed < ok:
        return [f"{ok - streamed} of {ok} answers were not streamed: they have no first audio, gap or underruns."]
    return []


def foreign_warning(report: RunReport) -> str | None:
    """One line if some caller got another caller's words; None if not."""
    found = [(stage.users, int(n)) for stage in report.stages if (n := stage.figures.sums["foreign_text"])]
    if not found:
        return None
    places = ", ".join(f"{count} at {users}" for users, count in found)
    return f"messages carried another caller's words ({places} callers): the server mixes up its sessions"


def validity_lines(report: RunReport) -> list[str]:
    """One line for each broken condition, with advice. Stages that break it in the same way share the line."""
    broken: dict[tuple[str, str], list[int]] = {}
    for stage in report.stages:
        for finding in stage.broken:
            broken.setdefault((finding.detail, finding.advice), []).append(stage.users)
    return [
        f"{at_callers(users, report.kind)}: {detail}. {advice[0].upper()}{advice[1:]}."
        for (detail, advice), users in broken.items()
    ]


def _utterance(stage: StageReport) -> float | None:
    return stage.figures.utterance_s_mean


def _duty(stage: StageReport) -> float | None:
    return None if stage.duty_cycle is None else stage.duty_cycle * 100


def _late(stage: StageReport) -> float | None:
    share = stage.figures.late_frames
    return None if share is None else 100 * share


_SENT: tuple[tuple[Callable[[StageReport], float | None], str], ...] = (
    (_utterance, "The mean completed utterance sent {} s of audio."),
    (_duty, "Callers were sending for {} % of the hold."),
    (_late, "{} % of the frames went out over 10 ms late."),
)
"""Each sentence is left out where nothing was measured of it."""


def _span(report: RunReport, value: Callable[[StageReport], float | None]) -> str | None:
    """The smallest and largest value of all stages, `4.8–5.1`, or one number where they agree; None without any."""
    values = [number for stage in report.stages if (number := value(stage)) is not None]
    return "–".join(dict.fromkeys(f"{end:.1f}" for end in (min(values), max(values)))) if values else None
