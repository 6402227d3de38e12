"""What every form of the report says of ends of turns: a server that cuts a known share at each length of pause."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from itertools import combinations, pairwise

import jsonschema
import pytest
from made_run import MadeRun, made_run
from rich.console import Console

from stt_load.report.build import build_report
from stt_load.report.charts.plane import PlaneLine, Point, draw_plane
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.console import print_report
from stt_load.report.endpointing_table import endpointing_table
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.markdown_file import report_markdown
from stt_load.report.model import RunReport
from stt_load.report.summary_schema import summary_schema_json

PAUSES_S = (None, 0.3, 0.6, 1.0)
CUT = {None: 0, 0.3: 0, 0.6: 50, 1.0: 100}  # percent
DELAYS_S = {1: 0.4, 10: 0.7}


def paused_run() -> MadeRun:
    """One caller and ten: of each length of pause 20 utterances a stage, of which the server cuts so many."""
    made = made_run((1, 10), per_stage=80, knee_at=100, hold_s=60.0, gpu=False)
    for number, record in enumerate(made.utterances):
        pause_s, nth = PAUSES_S[number % 4], number // 4 % 20
        record.clip_id += "" if pause_s is None else f"+pause{pause_s:g}s"
        record.endpointing_delay_s = DELAYS_S[record.users]
        record.cut_early = 100 * nth < CUT[pause_s] * 20
        record.turns, record.words_lost_at_cut = 1 + record.cut_early, int(record.cut_early)
    return made


def reported(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def printed(report: RunReport) -> str:
    output = io.StringIO()
    print_report(report, Console(file=output, width=100))
    return output.getvalue()


def test_the_table_has_the_share_that_was_cut_at_each_length_of_the_pause() -> None:
    table = endpointing_table(reported(paused_run()))
    assert table is not None
    assert table.headings == ("by callers", "1", "10")
    assert table.rows == (
        ("delay p50, s", "0.400", "0.700"),
        ("delay p95, s", "0.400", "0.700"),
        ("cut early, %", "37.5", "37.5"),
        ("several turns, %", "37.5", "37.5"),
        ("words lost", "30", "30"),
        ("never ended", "0", "0"),
        ("cut, no pause, %", "0.0 (n=20)", "0.0 (n=20)"),
        ("cut, 0.3 s pause, %", "0.0 (n=20)", "0.0 (n=20)"),
        ("cut, 0.6 s pause, %", "50.0 (n=20)", "50.0 (n=20)"),
        ("cut, 1 s pause, %", "100.0 (n=20)", "100.0 (n=20)"),
    )


def test_the_legend_tells_what_each_row_is_and_names_a_pause_of_the_run() -> None:
    table = endpointing_table(reported(paused_run()))
    assert table is not None
    assert "cut, 0.3 s pause: cut early of the clips with such a pause put into their speech." in table.notes
    told = " ".join(table.notes)
    for what in ("delay", "cut early", "several turns", "words lost", "never ended"):
        assert f"{what}: " in told


def test_every_form_of_the_report_has_it() -> None:
    report = reported(paused_run())
    told = (printed(report), report_markdown(report), report_html(report, draw_charts(report)))
    for text in told:
        assert "When the server ended turns" in text
        assert "cut, 0.6 s pause, %" in text
    summary = json.loads(summary_json(report))
    jsonschema.validate(summary, json.loads(summary_schema_json()))
    assert [(each["pause_s"], each["n"], each["cut_early_rate"]) for each in summary["stages"][1]["by_pause"]] == [
        (None, 20, 0.0),
        (0.3, 20, 0.0),
        (0.6, 20, 0.5),
        (1.0, 20, 1.0),
    ]
    assert summary["stages"][1]["by_pause"][0]["endpointing_delay_s"]["p95"] == 0.7


def test_the_charts_show_delay_and_cuts_and_one_against_the_other() -> None:
    charts = {chart.name: chart for chart in draw_charts(reported(paused_run()))}
    assert "Pause 1 s: 100 %, p95 0.40 s at 1, 100 %, p95 0.70 s at 10" in charts["delay-against-cuts"].description
    assert any("37.5 %" in line for tip in charts["endpointing"].tips for line in tip.lines)


def test_lines_that_all_end_at_the_top_have_their_names_below_the_heading_and_clear_of_each_other() -> None:
    lines = [PlaneLine(f"{length} s", [Point(0.4, 100.0, "1")]) for length in (0.3, 0.6, 1.0, 1.5)]
    drawn = draw_plane(lines, "delay", "cut", lines_are="pause", most_y=100.0)
    written = {text: float(y) for y, text in re.findall(r' y="([\d.]+)"[^>]*>([^<]+)</text>', drawn)}
    heights = [written["pause"], *(written[line.name] for line in reversed(lines))]
    assert all(below - above >= 13 for above, below in pairwise(heights)), heights


def test_a_run_whose_turns_all_ended_well_says_nothing_of_them_unless_an_objective_asks() -> None:
    made = made_run((1, 10))
    report = reported(made)
    assert endpointing_table(report) is None
    assert "When the server ended turns" not in printed(report)
    assert not {"endpointing", "delay-against-cuts"} & {chart.name for chart in draw_charts(report)}
    made.run["slos"] = ["endpointing_delay:p95<800ms"]
    table = endpointing_table(reported(made))
    assert table is not None
    assert table.rows[2] == ("cut early, %", "0.0", "0.0")


def test_a_server_that_tells_of_no_turns_has_no_table() -> None:
    made = made_run((1, 10))
    for record in made.utterances:
        record.turn_ends = record.speech_bounds = record.endpointing_delay_s = record.cut_early = record.turns = None
    report = reported(made)
    assert endpointing_table(report) is None
    assert "endpointing" not in {chart.name for chart in draw_charts(report)}


def test_a_turn_that_was_never_ended_is_later_than_any() -> None:
    made = made_run((1, 10))
    for record in made.utterances:
        record.endpointing_delay_s = None
    table = endpointing_table(reported(made))
    assert table is not None
    assert table.rows[0] == ("delay p50, s", "failed", "failed")
    assert ("never ended", *[str(sum(r.users == n for r in made.utterances)) for n in (1, 10)]) in table.rows


def _boxes(svg: str) -> list[tuple[str, float, float, float, float]]:
    """The words in the field of a plane, and what each covers, in pixels."""
    found = []
    for x, y, anchor, word in re.findall(
        r'<text x="([\d.-]+)" y="([\d.-]+)" class="label over" text-anchor="(\w+)">([^<]+)<', svg
    ):
        width = 6.5 * len(word)
        left = float(x) - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        found.append((word, left, float(y) - 10, left + width, float(y)))
    return found


@pytest.mark.parametrize("spread", [1.0, 0.1, 0.001])
def test_words_in_a_plane_lie_on_no_other_and_lines_are_told_apart_without_colour(spread: float) -> None:
    lines = [
        PlaneLine(
            str(users), [Point(1 + spread * users / 40, 30.0 - users / 10, ""), Point(2, 5 + users / 4, "")], users < 40
        )
        for users in (1, 5, 10, 20, 30, 40)
    ]
    *others, last = lines
    words = ["40: first text", "last"]
    named = replace(
        last, name="", points=[replace(p, word=w, is_needed=True) for p, w in zip(last.points, words, strict=True)]
    )
    svg = draw_plane([*others, named], "seconds", "percent")
    boxes = _boxes(svg)
    assert {word for word, *_ in boxes} == {"1", "5", "10", "20", "30", *words}
    for (_, left, top, right, bottom), (_, other_left, other_top, other_right, other_bottom) in combinations(boxes, 2):
        assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
    assert len(set(re.findall(r'<g stroke-dasharray="([^"]+)"', svg))) == 5  # and the last is solid
