"""What the charts of a run show, and that everybody can tell it apart."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from made_run import made_run, made_speech, made_uploads
from made_search import HOLDS, made_search

from stt_load.errors import ConfigError
from stt_load.report.build import build_report
from stt_load.report.charts.chart import Chart
from stt_load.report.charts.palette import PALETTE
from stt_load.report.charts.png import chart_png, require_vl_convert
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.charts.scale import Scale, ticks, time_ticks
from stt_load.report.charts.svg import element, label
from stt_load.report.model import RunReport

TEXT_COLOURS = PALETTE.keys() - {"page", "card", "line"}


def report_of(made) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def charts_of(made) -> dict[str, Chart]:
    return {chart.name: chart for chart in draw_charts(report_of(made))}


def told(chart: Chart) -> str:
    return "\n".join(line for tip in chart.tips for line in tip.lines)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (made_run(host=True), "eos-latency error-rate wer distribution machine late-frames timeline"),
        (made_run(ladder=(1,), gpu=False), "eos-latency error-rate wer distribution late-frames timeline"),
        (made_uploads(), "rtf error-rate wer total distribution requests timeline"),
        (made_speech(), "rtf error-rate total first-audio distribution requests timeline"),
    ],
    ids=["a run with a GPU", "one stage without a GPU", "uploads", "speech"],
)
def test_a_run_has_the_charts_of_what_was_measured_and_no_others(made, names: str) -> None:
    assert list(charts_of(made)) == names.split()


def test_the_chart_beside_the_answer_has_the_intervals_and_the_objective() -> None:
    chart = charts_of(made_run(ladder=(1, 10)))["eos-latency"]
    assert "SLO p95 &lt; 1s" in chart.body
    assert chart.body.count("whisker") == 2 * 3  # stages, percentiles
    assert "10 callers: pass" in told(chart)


def test_a_percentile_that_falls_on_failed_utterances_is_no_number() -> None:
    """Where 83 % were refused, the few that were answered are fast: that says nothing good of the server."""
    made = made_run(ladder=(1, 40), per_stage=100, knee_at=100)
    for record in [record for record in made.utterances if record.stage == 1][:83]:
        record.outcome, record.eos_latency_s = "refused", None
    chart = charts_of(made)["eos-latency"]
    assert [told(chart).count(f"p{p} failed") for p in (50, 95, 99)] == [1, 1, 1]
    crossed = ET.fromstring(chart.svg(chart.body)).iterfind(".//{*}path[@class='cross']")
    assert sum(path.get("d").count("M") for path in crossed) == 3
    assert "83 refused" in told(charts_of(made)["error-rate"])


def test_a_stage_that_is_not_to_be_believed_is_hatched_in_every_chart_over_callers() -> None:
    made = made_run(ladder=(1, 10))
    for row in made.transitions:
        if row["stage"] == 1 and row["phase"] == "grace":
            row["generator_cpu_pct"] = 97.0
    for name, chart in charts_of(made).items():
        if name not in ("distribution", "timeline"):
            assert chart.body.count("band invalid") == 1, name
            assert "10 callers: invalid" in told(chart), name


def test_numbers_of_callers_that_lie_too_near_are_drawn_side_by_side() -> None:
    """A search tries 1 and 64, and then 60, 61 and 62."""
    chart = charts_of(made_run(ladder=(1, 64, 60, 62, 61), per_stage=20))["eos-latency"]
    assert "callers (not to scale)" in chart.body
    middles = [tip.at for tip in chart.tips]
    assert len(middles) == 5
    assert len({round(after - before) for before, after in itertools.pairwise(middles)}) == 1


def test_stages_with_as_many_callers_share_a_place_and_each_is_told() -> None:
    chart = charts_of(made_run(ladder=(10, 20, 10), per_stage=20))["eos-latency"]
    assert len(chart.tips) == 2
    assert "10 callers (stage 1)" in told(chart) and "10 callers (stage 3)" in told(chart)


def test_the_timeline_says_how_many_of_the_utterances_it_draws() -> None:
    made = made_run(ladder=(1, 2), per_stage=1_500, gpu=False)
    made.utterances[0].outcome = "timed_out"
    timeline = charts_of(made)["timeline"]
    assert "2,000 of 2,999 completed utterances and 1 failed utterance" in timeline.note
    assert timeline.body.count("h0") == 2_000


@pytest.mark.parametrize("made", [made_run(host=True), made_uploads(), made_speech()])
def test_every_chart_is_whole_xml_and_has_words_for_those_who_can_not_see_it(made) -> None:
    for chart in draw_charts(report_of(made)):
        root = ET.fromstring(str(chart.markup))
        assert root.get("aria-label").startswith(chart.title)
        assert "nan" not in chart.markup and "inf" not in chart.markup.replace("information", "")
        tips = root.findall(".//{*}g[@tabindex]")
        assert tips and all(tip.get("aria-label") for tip in tips)


def luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    r, g, b = (share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("colour", sorted(TEXT_COLOURS))
def test_a_colour_of_words_can_be_read_on_both_papers(colour: str) -> None:
    for place in (0, 1):
        for paper in ("page", "card"):
            light, dark = sorted((luminance(PALETTE[colour][place]), luminance(PALETTE[paper][place])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (colour, paper, place)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.031), (0, 97), (-0.4, 2.2), (0, 12_345), (0, 0)])
def test_ticks_are_few_and_hold_the_range(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= 8
    assert found == sorted(set(found))


@pytest.mark.parametrize("length_s", [0.5, 7, 61, 300, 4_000, 90_000, 1e9])
def test_ticks_of_time_are_few_however_long_it_is(length_s: float) -> None:
    found = time_ticks(length_s)
    assert found[0] == 0 and found[-1] <= length_s and 1 <= len(found) <= 9


def test_a_scale_draws_what_is_beyond_it_at_its_edge() -> None:
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (0, 5, 10, 99, math.inf, -3)] == [100, 50, 0, 0, 0, 100]


def test_text_and_attributes_can_not_become_markup() -> None:
    assert (
        label(0, 0, "<b>&\x1b[2J")
        == '<text x="0" y="0" class="label" text-anchor="start">&lt;b&gt;&amp;\\x1b[2J</text>'
    )
    assert element("g", aria_label='"<') == '<g aria-label="&#34;&lt;"/>'


def test_a_chart_becomes_a_picture_of_twice_its_size() -> None:
    chart = next(iter(charts_of(made_run(ladder=(1, 5), per_stage=20)).values()))
    picture = chart_png(chart)
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[start : start + 4], "big") for start in (16, 20))
    assert width == 2 * (chart.width + 24)
    assert height > 2 * chart.height
    long_title = chart_png(replace(chart, title="a word of a title " * 8))  # in lines: it would end at the edge
    assert int.from_bytes(long_title[20:24], "big") > height


@pytest.mark.parametrize("error", [ValueError, BaseException])  # a library in Rust panics with the latter
def test_a_picture_that_can_not_be_drawn_is_one_line(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise error("no thread is left\nin 100 lines")

    monkeypatch.setattr("vl_convert.svg_to_png", fail)
    with pytest.raises(ConfigError, match=r"^--png: eos-latency.png can't be drawn: no thread is left$"):
        chart_png(charts_of(made_run(ladder=(1,), per_stage=20))["eos-latency"])


def test_without_the_library_the_option_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(ConfigError, match=r"--png needs vl-convert: .*pip install"):
        require_vl_convert()


def test_what_a_search_found_stands_on_the_axis_of_callers() -> None:
    chart = charts_of(made_search())["eos-latency"]
    assert f"holds {HOLDS} (24 – 25)" in chart.body


def test_an_objective_far_above_everything_does_not_press_the_points_to_the_floor() -> None:
    made = made_run(ladder=(1, 5), per_stage=60)
    made.run["slos"] = ["eos_latency:p95<60s"]
    chart = charts_of(made)["eos-latency"]
    assert "↑ SLO p95 &lt; 60s" in chart.body
    assert 'class="bound"' not in chart.body


def test_the_percentile_that_an_objective_is_set_on_is_among_those_drawn() -> None:
    made = made_run(ladder=(1, 5), per_stage=60)
    made.run["slos"] = ["eos_latency:p90<1s"]
    chart = charts_of(made)["eos-latency"]
    assert chart.title == "EOS latency, p50, p90 and p99"
    assert "p90 0." in told(chart)
