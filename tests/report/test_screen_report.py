from __future__ import annotations

from made_run import MadeRun, made_run
from msgspec.structs import replace

from stt_load.records import OnScreen, ScreenChange
from stt_load.report.build import build_report
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.html import report_html
from stt_load.report.markdown_file import report_markdown
from stt_load.report.model import RunReport
from stt_load.report.screen_table import SCREEN_TITLE, screen_table

INTERIM: list[ScreenChange] = [(700, 0, "please", 0), (900, 6, " send", 0)]


def report_of(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def with_screens(changes: list[ScreenChange]) -> MadeRun:
    """Two stages: with 8 callers every text is a second older, and one word in ten of the first text is wrong."""
    made = made_run(ladder=(1, 8))
    for record in made.utterances:
        later_s = float(record.stage)
        record.screen = OnScreen(
            changes,
            words_taken_back=2 + record.stage,
            audio_age_s=0.3 + later_s,
            audio_age_max_s=0.9 + later_s,
            first_partial_errors=record.stage,
            first_partial_words=10,
            first_partial_age_s=0.2 + later_s,
            first_final_errors=0,
            first_final_words=10,
            first_final_age_s=0.4 + later_s,
            word_time_off_s=-0.04,
            word_time_error_s=0.04,
            word_time_error_max_s=0.1,
            word_time_drift_s=-0.02,
        )
        record.speech_s, record.messages = 4.0, [(4.8, record.text)]
    return made


def test_what_was_on_the_screen_is_a_table_with_a_column_for_each_stage() -> None:
    table = screen_table(report_of(with_screens(INTERIM)))
    assert table is not None
    rows = {heading: cells for heading, *cells in table.rows}
    assert rows["age p50, s"] == ["0.300", "1.300"]
    assert rows["oldest p95, s"] == ["0.900", "1.900"]
    assert rows["taken back p50, /s"] == ["0.50", "0.75"]
    assert rows["first text WER, %"] == ["0.0", "10.0"]
    assert rows["first text age p50, s"] == ["0.200", "1.200"]
    assert rows["first final age p50, s"] == ["0.400", "1.400"]
    assert rows["word times p50, ms"] == ["40", "40"]
    assert rows["drift, ms"] == ["-20", "-20"]
    assert "drift, ms per min of connection" not in rows  # no connection carried two utterances
    assert len(table.notes) == 4


def test_a_server_that_shows_only_final_texts_has_neither_table_nor_chart() -> None:
    report = report_of(with_screens([(4_800, 0, "please send me", 0)]))
    assert screen_table(report) is None
    assert "errors-against-age" not in [chart.name for chart in draw_charts(report)]
    assert SCREEN_TITLE not in report_html(report, draw_charts(report))


def test_an_objective_on_the_screen_shows_it_whatever_the_server_does() -> None:
    made = with_screens([(4_800, 0, "please send me", 0)])
    made.run["slos"] = ["audio_age:p95<800ms"]
    report = report_of(made)
    assert screen_table(report) is not None
    assert [str(stage.slos[0].verdict) for stage in report.stages] == ["met", "missed"]


def test_the_chart_tells_how_right_each_text_is_and_how_soon() -> None:
    report = report_of(with_screens(INTERIM))
    (chart,) = [chart for chart in draw_charts(report) if chart.name == "errors-against-age"]
    assert "8: first text 10.0 % after 1.20 s, first final 0.0 % after 1.40 s, last " in chart.description
    assert "1: first text 0.0 % after 0.20 s" in chart.description
    assert chart.body.count('class="points"') == 2
    assert chart.body.count("first final") == 1  # said once, at the line of most callers


def test_a_chart_shows_over_callers_how_old_words_are_how_many_are_taken_back_and_how_wrong_their_times() -> None:
    (chart,) = [chart for chart in draw_charts(report_of(with_screens(INTERIM))) if chart.name == "screen"]
    for said in ("age of words, seconds", "words taken back, 1/s", "times of words off, seconds"):
        assert said in chart.body


def test_a_chart_shows_over_callers_what_was_told_to_those_who_never_speak() -> None:
    made = with_screens(INTERIM)
    assert not [chart for chart in draw_charts(report_of(made)) if chart.name == "words-from-nothing"]
    silent = [
        replace(record, reference="", text="thank you", words_from_nothing=2, audio_s=30.0)
        for record in made.utterances
    ]
    made.utterances += silent
    (chart,) = [chart for chart in draw_charts(report_of(made)) if chart.name == "words-from-nothing"]
    assert "words per minute" in chart.body
    assert [line for tip in chart.tips for line in tip.lines if line.startswith("told 4.00/min")]


def test_the_page_and_the_markdown_have_the_table() -> None:
    report = report_of(with_screens(INTERIM))
    assert f"<h2>{SCREEN_TITLE}</h2>" in report_html(report, draw_charts(report)).replace("&#39;", "'")
    assert SCREEN_TITLE in report_markdown(report)


def test_rows_without_a_screen_as_older_versions_wrote_them_have_no_figure_of_it() -> None:
    made = with_screens(INTERIM)
    made.utterances = [replace(record, screen=None) for record in made.utterances]
    figures = report_of(made).stages[0].figures
    assert (figures.distributions["audio_age"].n, figures.first_partial_wer, figures.screens.interim) == (0, None, 0)
