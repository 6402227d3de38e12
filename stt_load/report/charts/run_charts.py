"""Which charts a run has. `CHARTS` is the table: each row draws what the run has to show of one subject, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stt_load.metrics.drift import Axis
from stt_load.metrics.figures import FIGURES, FIGURES_BY_NAME, Figure, Unit, headline_of
from stt_load.metrics.quantiles import percentile
from stt_load.metrics.validity import LATE_LIMIT
from stt_load.report.charts.chart import Chart
from stt_load.report.charts.curves import ages_chart, distribution_chart
from stt_load.report.charts.delay_against_cuts import delay_against_cuts_chart
from stt_load.report.charts.errors_against_age import errors_against_age_chart
from stt_load.report.charts.over_age import age_chart
from stt_load.report.charts.over_callers import OverCallers, Span
from stt_load.report.charts.over_spike import spike_chart
from stt_load.report.charts.over_time import timeline_chart
from stt_load.report.charts.panel import Bound, Mark, Panel, Series
from stt_load.report.device import DEVICE_KINDS
from stt_load.report.endpointing_table import is_about_turns
from stt_load.report.figure_words import figure_title, figure_value, shown_percentiles
from stt_load.report.model import RunReport, StageReport
from stt_load.report.screen_table import is_about_screen
from stt_load.report.wording import bound

_HEADLINE_WIDTH = 520.0
_SMALL_PANEL = 50.0


def draw_charts(report: RunReport) -> tuple[Chart, ...]:
    """Every chart that has something to show."""
    return tuple(chart for draw in CHARTS for chart in draw(report))


def headline_figure(report: RunReport) -> Figure:
    """The figure that the answer is about: the time that this kind of load has as its headline, or, where no objective
    is set on that, the first figure with a value for each utterance that has one."""
    headline = headline_of(report.kind)
    bounded = [result.slo.figure for stage in report.stages[:1] for result in stage.slos]
    distributions = [figure for figure in bounded if figure.is_distribution]
    return headline if headline in distributions or not distributions else distributions[0]


def _tell(figure: Figure) -> Callable[[float], str]:
    return lambda value: figure_value(figure, value)


def _title(figure: Figure) -> str:
    title = figure_title(figure)
    return title[0].upper() + title[1:]


def _bounds(report: RunReport, figure: Figure, factor: float = 1.0) -> tuple[Bound, ...]:
    """The objectives on a figure, once each, as lines: `p95 < 1s`."""
    found = {result.slo.text: result.slo for stage in report.stages for result in stage.slos}
    return tuple(
        Bound(" ".join(filter(None, ("SLO", slo.statistic, bound(slo)))), slo.bound * factor)
        for slo in found.values()
        if slo.figure.name == figure.name
    )


def _percentiles(report: RunReport, figure: Figure, what: str = "") -> Panel | None:
    """Three percentiles over callers. Failed utterances are later than any bound, as for the objectives. `what` stands
    before the unit, where a chart has several such panels."""
    series = []
    for style, name in enumerate(shown_percentiles(report, figure)):
        p, marks = percentile(name) or 0.0, []
        for stage in report.stages:
            values = stage.figures.with_failed(figure)
            value, (low, high) = values.at(p), values.ci95(p)
            if value is not None:
                marks.append(Mark(stage, value, low, high, values.min, values.max))
        series.append(Series(name, tuple(marks), style))
    is_empty = not any(stage.figures.distributions[figure.name].n for stage in report.stages)
    unit = {Unit.SECONDS: "seconds", Unit.FACTOR: "factor"}.get(figure.unit, str(figure.unit))
    said = f"{what}, {unit}" if what else unit
    return None if is_empty else Panel(said, tuple(series), _tell(figure), _bounds(report, figure))


def _counts(stage: StageReport) -> Sequence[str]:
    figures = stage.figures
    return (f"{figures.n} utterances, {figures.errors} failed",)


def _headline(report: RunReport) -> Sequence[Chart]:
    figure = headline_figure(report)
    panel = _percentiles(report, figure)
    if panel is None:
        return ()
    layout = OverCallers(report, (panel,), _HEADLINE_WIDTH, has_verdicts=True, tell_stage=_counts, span=_held(report))
    return (layout.chart(*_named(report, figure), _HOW_TO_READ, is_headline=True),)


def _held(report: RunReport) -> Span | None:
    """What a search found: so many callers, and the interval."""
    answer = report.capacity
    if answer is None or answer.interval is None or not answer.holds:
        return None
    high = answer.interval.high
    largest = max(stage.users for stage in report.stages) if high is None else high
    until = "and more" if high is None else f"– {high}"
    return Span(f"holds {answer.holds} ({answer.interval.low} {until})", answer.interval.low, largest)


_HOW_TO_READ = (
    "Bars behind the points: 95 % intervals. Red: the stage fails; hatched, with hollow points: not to be believed. "
    "A cross: that percentile falls on utterances that failed."
)


def _named(report: RunReport, figure: Figure) -> tuple[str, str]:
    """Name and title of a chart of percentiles."""
    low, middle, high = shown_percentiles(report, figure)
    return figure.name.replace("_", "-"), f"{_title(figure)}, {low}, {middle} and {high}"


def _other_times(report: RunReport) -> Sequence[Chart]:
    """The other times and speeds that have an objective, or that a request has."""
    shown = {
        result.slo.figure.name for stage in report.stages for result in stage.slos if result.slo.figure.is_distribution
    }
    shown |= {"total", "first_audio", "first_text"}
    drawn = []
    for figure in FIGURES:
        if figure.name in shown and figure != headline_figure(report):
            panel = _percentiles(report, figure)
            if panel is not None:
                drawn.append(OverCallers(report, (panel,)).chart(*_named(report, figure)))
    return drawn


def _error_rate(report: RunReport) -> Sequence[Chart]:
    figure = FIGURES_BY_NAME["error_rate"]
    marks = _shares(report, "error_rate")
    if not marks:
        return ()
    panel = Panel(
        "percent", (_in_percent(Series("failed", marks)),), _percent, _bounds(report, figure, 100), is_bars=True
    )

    def outcomes(stage: StageReport) -> Sequence[str]:
        return [f"{n} {outcome}" for outcome, n in stage.figures.outcomes.items()]

    layout = OverCallers(report, (panel,), tell_stage=outcomes)
    return (layout.chart("error-rate", "Utterances that failed"),)


def _calls(report: RunReport) -> Sequence[Chart]:
    """Refused calls beside Erlang's formula, and how full the line was."""
    refused, expected, on_line = [], [], []
    for stage in report.stages:
        if stage.calls is None:
            continue
        on_line.append(Mark(stage, stage.calls.on_line_mean))
        if (estimate := stage.calls.refused_rate) is not None:
            refused.append(Mark(stage, estimate.value, estimate.low, estimate.high))
        if stage.erlang_b is not None:
            expected.append(Mark(stage, stage.erlang_b))
    if not refused:
        return ()
    series = (_in_percent(Series("refused", tuple(refused))), _in_percent(Series("formula", tuple(expected), 1)))
    bounds = _bounds(report, FIGURES_BY_NAME["refused"], 100)
    panels = (
        Panel("percent of calls", series, _percent, bounds),
        Panel(
            "callers on the line, mean", (Series("on the line", tuple(on_line)),), "{:.3g}".format, height=_SMALL_PANEL
        ),
    )

    def told(stage: StageReport) -> Sequence[str]:
        return [f"{stage.calls.erlangs:.3g} erlangs offered, {stage.calls.due} calls"] if stage.calls else []

    return (
        OverCallers(report, panels, tell_stage=told).chart("calls", "Calls that were refused, and by Erlang's formula"),
    )


def _word_errors(report: RunReport) -> Sequence[Chart]:
    marks = tuple(
        Mark(stage, stage.figures.wer, stage.figures.wer_ci95_low, stage.figures.wer_ci95_high)
        for stage in report.stages
        if stage.figures.wer is not None
    )
    if not marks:
        return ()
    panel = Panel(
        "percent", (_in_percent(Series("WER", marks)),), _percent, _bounds(report, FIGURES_BY_NAME["wer"], 100)
    )

    def scored(stage: StageReport) -> str:
        return f"n={stage.figures.wer_utterances}"

    layout = OverCallers(report, (panel,), under_tick=scored, tell_stage=lambda stage: [f"{scored(stage)} utterances"])
    return (layout.chart("wer", "Word error rate with 95 % interval; n: utterances"),)


def _in_percent(series: Series) -> Series:
    def times(value: float | None) -> float | None:
        return None if value is None else 100 * value

    marks = tuple(Mark(mark.stage, 100 * mark.value, times(mark.low), times(mark.high)) for mark in series.marks)
    return Series(series.name, marks, series.style)


def _percent(value: float) -> str:
    return f"{value:.3g} %"


def _machine(report: RunReport) -> Sequence[Chart]:
    """Load, memory and power of the busiest device of each kind, on one axis of callers."""
    panels = []
    found = {figures.device.kind for stage in report.stages for figures in stage.devices if figures.fields}
    for kind, row in DEVICE_KINDS.items():
        if kind == "host" and len(found) > 1:
            continue  # the server's own share says more
        unit = f"{row.word}, {row.unit}" if kind != "gpu" else "GPU, percent busy"
        panels.append(_device_panel(report, kind, row.busy, unit, ("mean", "p95"), 100.0 if row.unit == "%" else None))
        if kind != "host":
            panels.append(_device_panel(report, kind, row.memory, f"{row.word} memory, MiB", ("max",), None))
    panels.append(_device_panel(report, "gpu", "power_w", "GPU power, W", ("mean",), None))
    shown = [panel for panel in panels if panel is not None]
    if not shown:
        return ()
    return (OverCallers(report, shown).chart("machine", "Load, memory and power of the server"),)


def _device_panel(
    report: RunReport, kind: str, field: str, unit: str, statistics: Sequence[str], most: float | None
) -> Panel | None:
    """One field of the samples of the busiest device of a kind, where enough of the hold was sampled."""
    series = []
    for style, statistic in enumerate(statistics):
        marks = []
        for stage in report.stages:
            device = stage.busiest(kind)
            value = device.of(field).statistic(statistic) if device and stage.is_covered(kind) else None
            if value is not None:
                marks.append(Mark(stage, value))
        series.append(Series({"max": "peak"}.get(statistic, statistic), tuple(marks), style))

    def tell(value: float) -> str:
        return f"{value:,.4g} ({unit})" if value < 10_000 else f"{value:,.0f} ({unit})"

    if not any(one.marks for one in series):
        return None
    return Panel(unit, tuple(series), tell, height=_SMALL_PANEL, most=most)


def _endpointing(report: RunReport) -> Sequence[Chart]:
    """How late the server ends turns, and how many of them too early."""
    if not is_about_turns(report):
        return ()
    shares = (("cut", "cut_early_rate"), ("split", "split_rate"))
    series = tuple(_in_percent(Series(told, _shares(report, name), style)) for style, (told, name) in enumerate(shares))
    bounds = [bound for _, name in shares for bound in _bounds(report, FIGURES_BY_NAME[name], 100)]
    delay = _percentiles(report, FIGURES_BY_NAME["endpointing_delay"])
    panels = [
        *([delay] if delay else []),
        Panel("percent cut early, and split into turns", series, _percent, tuple(bounds)),
    ]
    return (OverCallers(report, panels).chart("endpointing", "Ends of turns: how late, and how many too early"),)


def _shares(report: RunReport, name: str) -> tuple[Mark, ...]:
    return tuple(
        Mark(stage, estimate.value, estimate.low, estimate.high)
        for stage in report.stages
        if (estimate := stage.figures.estimates.get(name)) is not None and estimate.value is not None
    )


def _patience(report: RunReport) -> Sequence[Chart]:
    chart = delay_against_cuts_chart(report)
    return () if chart is None else (chart,)


def _screen(report: RunReport) -> Sequence[Chart]:
    """How good is what is there so soon, then how old words are, how many are taken back, how wrong their times."""
    if not is_about_screen(report):
        return ()
    against = errors_against_age_chart(report)
    found = (_percentiles(report, FIGURES_BY_NAME[name], what) for name, what in _OF_SCREEN)
    panels = [panel for panel in found if panel is not None]
    over = [OverCallers(report, panels).chart("screen", "On the caller's screen")] if panels else []
    return [*([] if against is None else [against]), *over]


_OF_SCREEN = (("audio_age", "age of words"), ("flicker", "words taken back"), ("word_time_error", "times of words off"))


def _words_from_nothing(report: RunReport) -> Sequence[Chart]:
    """What callers who never speak were told."""
    figure = FIGURES_BY_NAME["words_from_nothing"]
    marks = _shares(report, figure.name)
    if not marks:
        return ()
    panel = Panel("words per minute", (Series("told", marks),), _tell(figure), _bounds(report, figure), is_bars=True)
    return (OverCallers(report, (panel,)).chart("words-from-nothing", "Words told to callers who never speak"),)


def _late_frames(report: RunReport) -> Sequence[Chart]:
    marks = tuple(
        Mark(stage, stage.figures.late_frames) for stage in report.stages if stage.figures.late_frames is not None
    )
    if not marks:
        return ()
    limit = Bound(f"limit {100 * LATE_LIMIT:g} %", 100 * LATE_LIMIT)
    panel = Panel("percent", (_in_percent(Series("late", marks)),), _percent, (limit,))
    return (OverCallers(report, (panel,)).chart("late-frames", "Frames that the generator sent over 10 ms late"),)


def _requests(report: RunReport) -> Sequence[Chart]:
    marks = tuple(Mark(stage, stage.requests_per_s) for stage in report.stages if stage.requests_per_s is not None)
    if not marks:
        return ()
    panel = Panel("per second", (Series("requests", marks),), lambda value: f"{value:.2f}/s")
    return (OverCallers(report, (panel,)).chart("requests", "Requests per second"),)


def _ages(report: RunReport) -> Sequence[Chart]:
    chart = ages_chart(report)
    return () if chart is None else (chart,)


def _distribution(report: RunReport) -> Sequence[Chart]:
    figure = headline_of(report.kind)
    chart = distribution_chart(
        report, figure, _title(figure), [(one.name, one.value) for one in _bounds(report, figure)]
    )
    return () if chart is None else (chart,)


def _timeline(report: RunReport) -> Sequence[Chart]:
    figure = headline_of(report.kind)
    chart = timeline_chart(report, _title(figure), [(one.name, one.value) for one in _bounds(report, figure)])
    return () if chart is None else (chart,)


def _spike(report: RunReport) -> Sequence[Chart]:
    figure = headline_of(report.kind)
    chart = spike_chart(report, _title(figure), [(one.name, one.value) for one in _bounds(report, figure)])
    return () if chart is None else (chart,)


def _drift(report: RunReport) -> Sequence[Chart]:
    charts = (age_chart(report.drifts, axis) for axis in Axis)
    return [chart for chart in charts if chart is not None]


CHARTS: tuple[Callable[[RunReport], Sequence[Chart]], ...] = (
    _headline,
    _spike,
    _drift,
    _error_rate,
    _calls,
    _word_errors,
    _other_times,
    _distribution,
    _machine,
    _requests,
    _endpointing,
    _patience,
    _screen,
    _words_from_nothing,
    _late_frames,
    _ages,
    _timeline,
)
"""Every chart, in the order of the page."""
