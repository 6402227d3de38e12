"""`report.html`: one self-contained page, light or dark as the reader's system is. No script, nothing fetched.

`templates/report.html` is a list of blocks, and `templates/blocks/` has a file for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.report.capacity_wording import TRIALS_TITLE, headline, trial_table
from stt_load.report.charts.chart import Chart
from stt_load.report.course_tables import course_tables
from stt_load.report.endpointing_table import ENDPOINTING_TITLE, endpointing_table
from stt_load.report.failure_table import FAILURES_TITLE, failure_headings, failure_rows
from stt_load.report.key_figures import key_figures
from stt_load.report.model import RunReport, StageReport
from stt_load.report.page_templates import page_templates
from stt_load.report.resources import RESOURCES_TITLE, resource_table
from stt_load.report.screen_table import SCREEN_TITLE, screen_table
from stt_load.report.server_table import SERVER_TITLE, server_table
from stt_load.report.sidecars import Sidecars
from stt_load.report.table import explanations, headings, rows, stray_text
from stt_load.report.wording import at_callers, judged, names_of, title, utc, where_and_when
from stt_load.report.worst_table import worst_groups

_templates = page_templates()


def report_html(report: RunReport, charts: Sequence[Chart]) -> str:
    """Writes the whole page as text. `charts`: from `run_charts.draw_charts`."""
    return _templates.get_template("report.html").render(
        title=title(report),
        where=where_and_when(report),
        sentence=headline(report),
        verdict=report.verdict,
        key_figures=key_figures(report),
        worst=worst_groups(report),
        headings=headings(report),
        rows=list(zip(report.stages, rows(report), strict=True)),
        warnings=_warnings(report),
        stages=report.stages,
        judged=judged,
        at_callers=at_callers,
        names=names_of(report.stages),
        kind=report.kind,
        explanations=explanations(report),
        notes=report.notes,
        n_checks=sum(len(stage.findings) for stage in report.stages),
        n_broken=sum(len(stage.broken) for stage in report.stages),
        trials_title=TRIALS_TITLE,
        trials=trial_table(report),
        course_tables=course_tables(report),
        failures_title=FAILURES_TITLE,
        failure_headings=failure_headings(report.is_open_loop),
        failures=failure_rows(report),
        resources_title=RESOURCES_TITLE,
        resources=resource_table(report),
        server_title=SERVER_TITLE,
        server=server_table(report),
        endpointing_title=ENDPOINTING_TITLE,
        endpointing=endpointing_table(report),
        screen_title=SCREEN_TITLE,
        screen=screen_table(report),
        sidecars=Sidecars(report.run).described,
        facts=_facts(report),
        headline_chart=next((chart for chart in charts if chart.is_headline), None),
        charts=[chart for chart in charts if not chart.is_headline],
    )


def _warnings(report: RunReport) -> list[str]:
    return [*(f"{heading}: {line}" for heading, line in stray_text(report)), *_broken(report)]


def _broken(report: RunReport) -> list[str]:
    """One line for each broken condition, with advice. "Validity" has what was found at each stage."""
    broken: dict[tuple[str, str], list[StageReport]] = {}
    for stage in report.stages:
        for finding in stage.broken:
            broken.setdefault((finding.condition, finding.advice), []).append(stage)
    names, lines = names_of(report.stages), []
    for (condition, advice), stages in broken.items():
        details = {finding.detail for stage in stages for finding in stage.broken if finding.condition == condition}
        what = details.pop() if len(details) == 1 else f"{condition} is not met"
        users = [names[stage.figures.stage] for stage in stages]
        lines.append(f"Not valid {at_callers(users, report.kind)}: {what}. {advice[0].upper()}{advice[1:]}.")
    return lines


def _facts(report: RunReport) -> list[tuple[str, str]]:
    """The rows of "What was run": everything in `run.json` that fits on a line."""
    run = report.run
    times = [(key, utc(run[key])) for key in ("started_at", "ended_at") if run.get(key)]
    plain = [(key, str(run[key])) for key in ("dialect", "normaliser", "seed", "end") if run.get(key) is not None]
    nested = [(key, _inline(run[key])) for key in ("clips", "frame", "versions", "hosts", "gpu") if run.get(key)]
    return [*times, *plain, ("options", _options(run.get("options") or {})), *nested]


def _options(options: Mapping[str, object]) -> str:
    """The options that were set, as they are typed."""
    written = [
        f"--{name}" if value is True else f"--{name} {_inline(value)}"
        for name, value in options.items()
        if value not in (None, False, "", [], ())
    ]
    return " ".join(written)


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_inline(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list):
        return "; ".join(_inline(item) for item in value)
    return str(value)
