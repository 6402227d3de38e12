"""Charts of a report as SVG text, drawn without a browser or a network. Needs the extra `report`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from stt_load.extras import install_command
from stt_load.report.model import RunReport, StageReport
from stt_load.report.wording import names_of

HOW_TO_GET_CHARTS = f"charts need altair and vl-convert: {install_command('report')}"
_WIDTH, _HEIGHT = 420, 220  # two abreast on a laptop
_LATE, _EARLY, _LIMIT = "#c2410c", "#1d4ed8", "#6b7280"


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `note`: a line below it. `is_wide`: it takes the whole width of the page."""

    title: str
    svg: str
    note: str = ""
    is_wide: bool = False

    @property
    def markup(self) -> Markup:
        """The SVG as part of a page."""
        return Markup(self.svg)


def draw_charts(report: RunReport) -> tuple[Chart, ...] | str:
    """Every chart that has something to show; a line that says why, where none can be drawn."""
    try:
        import altair
        import vl_convert
    except ImportError:
        return HOW_TO_GET_CHARTS
    # The embedded fonts and Vega come with vl-convert: nothing is fetched.
    drawn = []
    for title, draw in _CHARTS.items():
        chart = draw(altair, report)
        if chart is not None:
            try:
                svg = vl_convert.vegalite_to_svg(chart.to_dict())
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # no memory, thread or descriptor is left: a panic in Rust is no Exception
                return f"the charts can't be drawn: {str(error).partition(chr(10))[0]}"
            drawn.append(Chart(title, svg))
    return tuple(drawn)


def _latency(metric: str) -> Any:
    """A chart of a latency's p50 and p95 with their intervals, and the bounds that were set on it."""

    def draw(alt: Any, report: RunReport) -> Any:
        rows = [row for stage in report.stages for row in _latency_rows(stage, metric)]
        if not rows:
            return None
        colour = alt.Color("statistic:N", title=None, scale=alt.Scale(domain=["p50", "p95"], range=[_EARLY, _LATE]))
        base = _base(alt, rows)
        layers = [
            base.mark_rule(opacity=0.5).encode(_x(alt, report), alt.Y("low:Q"), alt.Y2("high:Q"), colour),
            base.mark_line(point=True).encode(_x(alt, report), alt.Y("value:Q", title="seconds"), colour),
        ]
        bounds = {r.slo.bound for s in report.stages for r in s.slos if r.slo.figure.name == metric}
        layers += [_limit(alt, [{"value": value} for value in sorted(bounds)])] if bounds else []
        layers += [_knee(alt, report, report.knee.holds)] if report.knee.holds else []
        return _sized(alt, layers)

    return draw


def _latency_rows(stage: StageReport, metric: str) -> list[dict[str, Any]]:
    values = stage.figures.distributions[metric]
    rows = []
    for name, p in (("p50", 0.50), ("p95", 0.95)):
        value, (low, high) = values.at(p), values.ci95(p)
        if value is not None:
            # An open end of the interval is drawn to the outermost value that was measured.
            low, high = (values.min if low is None else low), (values.max if high is None else high)
            rows.append({"users": stage.users, "statistic": name, "value": value, "low": low, "high": high})
    return rows


def _line(title: str, value: Callable[[StageReport], float | None], limit: float | None = None) -> Any:
    """A chart of one value a stage, with an optional limit."""

    def draw(alt: Any, report: RunReport) -> Any:
        rows = [{"users": stage.users, "value": value(stage)} for stage in report.stages]
        rows = [row for row in rows if row["value"] is not None]
        if not rows:
            return None
        y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=True))
        layers = [_base(alt, rows).mark_line(point=True, color=_EARLY).encode(_x(alt, report), y)]
        layers += [_limit(alt, [{"value": limit}])] if limit is not None else []
        return _sized(alt, layers)

    return draw


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _busy_mean(stage: StageReport, kind: str) -> float | None:
    """Mean load of the busiest device of this kind, if it was sampled well enough."""
    figures = stage.busiest(kind)
    return figures.busy.mean if figures and stage.is_covered(kind) else None


def _ages(alt: Any, report: RunReport) -> Any:
    """EOS latency p50 against the age of the connection, a line for each number of callers."""
    names = names_of(report.stages)
    rows = [
        {"age": figures.age_s_mean, "value": figures.eos_latency.at(0.50), "callers": names[stage.figures.stage]}
        for stage in report.stages
        for figures in stage.ages
    ]
    if not rows:
        return None
    x = alt.X("age:Q", title="age of the connection, seconds")
    y = alt.Y("value:Q", title="seconds", scale=alt.Scale(zero=True))
    colour = alt.Color("callers:N", sort=None)
    return _sized(alt, [_base(alt, rows).mark_line(point=True).encode(x, y, colour)])


_CHARTS: dict[str, Callable[[Any, RunReport], Any]] = {
    "EOS latency, p50 and p95 with 95 % interval": _latency("eos_latency"),
    "Total time of a request, p50 and p95 with 95 % interval": _latency("total"),
    "Time to first audio, p50 and p95 with 95 % interval": _latency("first_audio"),
    "Requests per second": _line("completed", lambda stage: stage.requests_per_s),
    "EOS latency p50 against the age of the connection": _ages,
    "Word error rate": _line("percent", lambda stage: _times(100, stage.figures.wer)),
    "Frames that the generator sent over 10 ms late": _line(
        "percent", lambda stage: _times(100, stage.figures.late_frames), limit=1.0
    ),
    "GPU utilisation, mean": _line("percent", lambda stage: _busy_mean(stage, "gpu")),
    "Server CPU, mean": _line("cores", lambda stage: _busy_mean(stage, "process")),
}


def _base(alt: Any, rows: list[dict[str, Any]]) -> Any:
    return alt.Chart(alt.Data(values=rows))


def _x(alt: Any, report: RunReport) -> Any:
    return alt.X("users:Q", title=report.kind.callers, scale=alt.Scale(zero=False))


def _limit(alt: Any, rows: list[dict[str, Any]]) -> Any:
    return _base(alt, rows).mark_rule(strokeDash=[4, 4], color=_LIMIT).encode(alt.Y("value:Q"))


def _knee(alt: Any, report: RunReport, stage: StageReport) -> Any:
    rows = [{"users": stage.users, "label": f"holds {stage.users}"}]
    rule = _base(alt, rows).mark_rule(color=_LIMIT).encode(_x(alt, report))
    label = _base(alt, rows).mark_text(align="right", dx=-4, color=_LIMIT)
    return rule + label.encode(_x(alt, report), alt.Text("label:N"), y=alt.value(8))


def _sized(alt: Any, layers: list[Any]) -> Any:
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT).configure_view(stroke=None)
