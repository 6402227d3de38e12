"""The one table that people read, as text cells: the console and the page print the same.

`metrics/figures.py` declares the columns. Latencies are seconds. A `*` behind a percentile or a WER says that n is too
small to be certain of it; behind a verdict, that nothing is missed, which so few utterances don't prove. `failed`: the
percentile falls on an utterance that did not complete. A `?` behind a GPU figure, or `lost` in its place: too much of
the hold was not sampled. A column without a figure in any stage is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container

from stt_load.metrics.bootstrap import MIN_CLUSTERS
from stt_load.metrics.figures import FAILED, NOTHING, Figure, Place, TableColumn, in_table
from stt_load.metrics.quantiles import percentile, smallest_n
from stt_load.metrics.slo import SloResult
from stt_load.report.model import RunReport, StageReport
from stt_load.report.resources import resource_table
from stt_load.report.wording import (
    at_callers,
    names_of,
    needed,
    sampled,
    sampled_explanation,
    stage_heading,
    utterances,
)

FEW = "*"
_PROOF_OF_A_STAGE = (
    "nothing is missed, but it takes more utterances to prove that at 95 %",
    "With --strict they do not pass.",
)
_PROOF_OF_A_SEARCH = ("one trial alone proves nothing at 95 %; that takes more utterances", "The repeats decide.")
UNSURE = "~"  # behind a heading: the end of speech is uncertain in some clips
FROM_END_OF_SPEECH = ("eos_latency", "settled_latency")
_WER = "WER%"
_REFUSED = "refused%"
_CALLS_TO_BE_SURE = 10

TableCell = Callable[[StageReport], str]


def columns(report: RunReport) -> dict[str, tuple[str, ...]]:
    """The columns of the table from left to right: heading -> its cell of each stage."""
    names = names_of(report.stages)
    cells: dict[str, TableCell] = {
        stage_heading(report.is_open_loop): lambda stage: names[stage.figures.stage],
        **{
            column.heading + _unsure(report, figure): table_cell(figure, column)
            for figure, column in in_table(report.kind)
        },
        "verdict": lambda stage: stage.mark,
    }
    filled = {heading: tuple(map(cell, report.stages)) for heading, cell in cells.items()}
    return {heading: column for heading, column in filled.items() if set(column) != {NOTHING}}


def columns_of(report: RunReport, places: Container[Place]) -> list[str]:
    """The headings of the columns with figures of these parts of the table."""
    shown = columns(report)
    return [column.heading for f, column in in_table(report.kind) if f.place in places and column.heading in shown]


def table_cell(figure: Figure, column: TableColumn) -> TableCell:
    """Makes the function that gives one column's cell of a stage, with its marks."""

    def cell(stage: StageReport) -> str:
        if figure.unstreamed and not stage.figures.streamed:
            return figure.unstreamed if stage.figures.ok else NOTHING
        value = stage.value(figure, column.statistic)
        if value is not None and math.isinf(value):
            return FAILED
        text = NOTHING if value is None else f"{value * column.factor:.{column.digits}f}"
        mark = FEW if value is not None and is_few(stage, figure, column.statistic) else ""
        return sampled(text + mark, stage.coverage_of(figure))

    return cell


def is_few(stage: StageReport, figure: Figure, statistic: str | None) -> bool:
    """Whether a cell gets FEW: n does not support the percentile, or does not bound the rate on either side."""
    p = percentile(statistic)
    if p is not None:
        return figure.is_distribution and not stage.figures.with_failed(figure).supports(p)
    estimate = stage.figures.estimates.get(figure.name)
    return estimate is not None and estimate.high is None


def _unsure(report: RunReport, figure: Figure) -> str:
    """The mark of a figure whose clock starts at an end of speech that is uncertain in some clips."""
    return UNSURE if figure.name in FROM_END_OF_SPEECH and _n_uncertain(report) else ""


def _n_uncertain(report: RunReport) -> int:
    return int((report.run.get("clips") or {}).get("uncertain_bounds") or 0)


def headings(report: RunReport) -> tuple[str, ...]:
    return tuple(columns(report))


def rows(report: RunReport) -> list[tuple[str, ...]]:
    """One row of text cells for each stage, in the order of `headings`."""
    return list(zip(*columns(report).values(), strict=True))


def explanations(report: RunReport) -> list[str]:
    """The notes that a reader needs for this table, and no others."""
    lines = ["All times are in seconds.", *_open_loop(report), *_meanings(report), *_what_was_sent(report)]
    if report.run.get("normaliser") and report.kind.is_transcribed:
        language = report.run.get("language")  # a run of an older version has none
        lines += [f"Transcripts are scored as {language['told']}."] if language else []
        lines.append(f"WER is counted after {report.run['normaliser']}.")
    lines += [*_wer_intervals(report), *_from_nothing(report), *_few(report), *_failed(report), *_unproven(report)]
    if n_uncertain := _n_uncertain(report):
        of = f"{n_uncertain} of {report.run['clips']['n']} clips"
        lines.append(f"{UNSURE} where speech ends is uncertain in {of}, and the clock starts there: see the notes.")
    resources = resource_table(report)
    every_row = (*rows(report), *(resources.rows if resources else ()))
    lines += sampled_explanation(cell for line in every_row for cell in line)
    reused = sum(stage.figures.clips_reused for stage in report.stages)
    if reused:
        lines.append(
            f"Two callers spoke the same clip in {utterances(reused)}: foreign text between them can't be seen."
        )
    return lines


def _open_loop(report: RunReport) -> list[str]:
    """One line where a slow server got as much to do as a fast one; none for callers who wait, as usual."""
    if not report.is_open_loop:
        return []
    places = next((stage.places for stage in report.stages if stage.places), None)
    met = (
        f" It refused calls when {places} callers were on the line: Erlang B% is for so many places." if places else ""
    )
    return [f"An open loop: calls came at random, as many as ever, whatever the server did (docs/arrivals.md).{met}"]


def _wer_intervals(report: RunReport) -> list[str]:
    """One line with the 95 % interval of the WER of each stage that has one."""
    names = names_of(report.stages)
    figures = [
        (names[stage.figures.stage], stage.figures.wer_ci95_low, stage.figures.wer_ci95_high) for stage in report.stages
    ]
    known = [
        f"{100 * low:.1f}–{100 * high:.1f} at {name}"
        for name, low, high in figures
        if low is not None and high is not None
    ]
    kind = report.kind
    is_one = len(known) == 1 and known[0].endswith(" at 1")
    whom = "" if report.is_open_loop else f" {kind.caller if is_one else kind.callers}"
    return [f"95 % interval of WER%: {', '.join(known)}{whom}."] if known else []


def _from_nothing(report: RunReport) -> list[str]:
    """One line with what each stage told callers who never speak; none where every caller speaks."""
    names = names_of(report.stages)
    told = [
        f"{rate:.1f} words a minute at {names[stage.figures.stage]} ({stage.figures.silence.minutes:.1f} min sent)"
        for stage in report.stages
        if (rate := stage.figures.words_from_nothing) is not None
    ]
    return [f"{report.kind.callers.capitalize()} who never speak were told {', '.join(told)}."] if told else []


def _few(report: RunReport) -> list[str]:
    """One line about the marks of figures, if one of them has any."""
    figures = dict(list(columns(report).items())[:-1])
    marked = [heading for heading, cells in figures.items() if any(cell.endswith(FEW) for cell in cells)]
    is_of_percentile = set(marked) - {_WER, _REFUSED}
    enough = [f"p{p * 100:g} needs {smallest_n(p)}" for p in (0.50, 0.95)] if is_of_percentile else []
    enough += [f"WER needs {MIN_CLUSTERS} clips"] if _WER in marked else []
    lines = []
    if enough:
        *most, last = enough
        every = f"{', '.join(most)} and {last}" if most else last
        lines.append(f"{FEW} too few utterances to be certain: {every}. Ask for more with --at-least.")
    if _REFUSED in marked:
        lines.append(
            f"{FEW} behind {_REFUSED}: it takes a --hold of some {_CALLS_TO_BE_SURE} call lengths to bound it."
        )
    return lines


def _failed(report: RunReport) -> list[str]:
    """One line about percentiles that fall on failed utterances, if one does."""
    if not any(FAILED in column for column in columns(report).values()):
        return []
    return [f"{FAILED}: the utterance at that percentile did not complete; it counts as later than any other."]


def _unproven(report: RunReport) -> list[str]:
    """One line that says for `pass*` which objectives are not proven, and about how many utterances would do that."""
    names = names_of(report.stages)
    open_: dict[str, list[tuple[str, SloResult]]] = {}
    for stage in report.stages:
        for result in stage.unproven:
            open_.setdefault(result.slo.text, []).append((names[stage.figures.stage], result))
    clauses = [
        f"{text} {at_callers([name for name, _ in found], report.kind)} "
        f"({needed(max((result for _, result in found), key=lambda result: result.n_needed or 0))})"
        for text, found in open_.items()
    ]
    if not clauses:
        return []
    meaning, then = _PROOF_OF_A_SEARCH if report.capacity else _PROOF_OF_A_STAGE
    return [f"pass{FEW}: {meaning}: {'; '.join(clauses)}. {then}"]


def _meanings(report: RunReport) -> list[str]:
    """One line for each time and speed of the table, in the words of its declaration."""
    shown = columns(report)
    explained = {
        column.heading.removesuffix(f" {column.statistic}"): figure.meaning
        for figure, column in in_table(report.kind)
        if figure.place in (Place.HEADLINE, Place.LATENCY, Place.SPEED)
        and column.heading + _unsure(report, figure) in shown
    }
    return [f"{heading}: {meaning}." for heading, meaning in explained.items()]


_ENDED_BY = {
    "server": "The server decided when each utterance ended, so EOS includes the server's endpointing delay.",
    "client": "The client ended each utterance with a message as speech ended, so EOS has no endpointing delay of the "
    "server. Don't compare it with runs in which the server ends utterances.",
}
_TURN_ENDED_BY = {
    "server": "The server heard when each caller had finished, so voice to voice includes its endpointing delay.",
    "client": "The client said when each caller had finished, so voice to voice has no endpointing delay of the "
    "server. Don't compare it with runs in which the server hears that.",
}


def _what_was_sent(report: RunReport) -> list[str]:
    if report.kind.is_paced:
        words = _ENDED_BY if report.kind.is_transcribed else _TURN_ENDED_BY
        ended_by = words.get(str(report.run.get("end")), "This run did not record who ended the utterances.")
        found = [(_span(report, value), sentence) for value, sentence in _SENT]
        return [ended_by, *filter(None, [" ".join(sentence.format(span) for span, sentence in found if span)])]
    ok = sum(stage.figures.ok for stage in report.stages)
    streamed = sum(stage.figures.streamed for stage in report.stages)
    if any(figure.unstreamed for figure, _ in in_table(report.kind)) and streamed < ok:
        return [f"{ok - streamed} of {ok} answers were not streamed: they have no first audio, gap or underruns."]
    return []


_STRAY_TEXT = (
    ("Foreign text", "foreign_text", "another caller's words", "the server mixes up its sessions"),
    (
        "Late text",
        "late_text",
        "the caller's own words of an earlier utterance",
        "the server repeats itself, or answers one utterance with another",
    ),
)
"""Heading, figure, what the messages are, and what that says of the server."""


def stray_text(report: RunReport) -> list[tuple[str, str]]:
    """Heading and line for each kind of text that some caller got and that does not belong to what it spoke then."""
    found = []
    names = names_of(report.stages)
    for heading, figure, words, why in _STRAY_TEXT:
        counts = [(n, names[stage.figures.stage]) for stage in report.stages if (n := stage.figures.sums[figure])]
        if counts:
            places = [f"{n:.0f} {at_callers([name], report.kind)}" for n, name in counts]
            found.append((heading, f"messages carried {words} ({', '.join(places)}): {why}"))
    return found


def validity_lines(report: RunReport) -> list[str]:
    """One line for each broken condition, with advice. Stages that break it in the same way share the line."""
    names = names_of(report.stages)
    broken: dict[tuple[str, str], list[str]] = {}
    for stage in report.stages:
        for finding in stage.broken:
            broken.setdefault((finding.detail, finding.advice), []).append(names[stage.figures.stage])
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
