"""The declarations of figures: what is made of a row, and that a new row is seen everywhere.

STT_LOAD_REWRITE_GOLDEN=1 pytest tests/metrics/test_figures.py writes the table of docs/figures.md anew.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from made_run import made_run, utterance

from stt_load.errors import ConfigError
from stt_load.kinds import KINDS, STREAM, TTS, LoadKind
from stt_load.metrics import figures
from stt_load.metrics.figures import (
    DISTRIBUTED,
    FIGURES,
    SAMPLED_DEVICES,
    CsvColumn,
    Figure,
    Source,
    TableColumn,
    Unit,
    figures_markdown,
    in_table,
    slo_example,
)
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import parse_slo
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.records import UtteranceRecord
from stt_load.report.build import build_report
from stt_load.report.csv_file import FIXED_COLUMNS, csv_columns, stages_csv
from stt_load.report.json_file import summary_json
from stt_load.report.model import RunReport, StageReport
from stt_load.report.table import headings, rows

DOCUMENT = Path(__file__).parents[2] / "docs" / "figures.md"
each_figure = pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)


@pytest.fixture(scope="module")
def report() -> RunReport:
    made = made_run(ladder=(4,), per_stage=60, host=True)
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def test_no_name_field_column_or_heading_is_used_twice() -> None:
    for names in (
        [figure.name for figure in FIGURES],
        [figure.field for figure in FIGURES],
        [column.name for figure in FIGURES for column in figure.csv],
        [column.heading for figure in FIGURES for column in figure.table],
    ):
        assert len(set(names)) == len(names)


@each_figure
def test_its_source_knows_its_field(figure: Figure) -> None:
    if figure.source in DISTRIBUTED | {Source.SUM}:
        fields = {field.name for field in msgspec.structs.fields(UtteranceRecord)}
        assert figure.field in fields or hasattr(UtteranceRecord, figure.field)
    elif figure.source not in SAMPLED_DEVICES:
        owner = StageReport if figure.source is Source.RUN else StageFigures
        assert figure.field in owner.__dataclass_fields__ or hasattr(owner, figure.field)


@each_figure
def test_every_stage_has_a_value_of_it_or_says_that_it_has_none(figure: Figure, report: RunReport) -> None:
    (stage,) = report.stages
    measured = stage.measured(figure)
    if figure.is_distribution:
        assert isinstance(measured, Distribution)
        assert measured is stage.figures.distributions[figure.name]
    elif figure.source is Source.SUM:
        assert measured == stage.figures.sums[figure.name]
    else:
        assert measured is None or isinstance(measured, (Distribution, float, int))


@each_figure
def test_column_heading_field_and_objective_share_its_word(figure: Figure) -> None:
    """The words of the fixed columns, and the abbreviations of the field, stand for themselves."""
    word = figure.name.removesuffix("_latency")
    heading = {"audio_duration": "audio_dur", "requests_per_s": "req/s", "gpu_util": "gpu"}.get(figure.name, word)
    for column in figure.csv:
        assert column.name.startswith(word)
    for shown in figure.table:
        assert shown.heading.lower().replace(" ", "_").replace("%", "_").startswith(heading)
    if figure.source not in SAMPLED_DEVICES and figure.name != "audio_duration":
        assert figure.field.startswith(figure.name)


@each_figure
def test_an_objective_can_be_set_on_it_if_it_says_so(figure: Figure) -> None:
    if figure.has_slo:
        slo = parse_slo(slo_example(figure))
        assert slo.figure is figure
        assert (slo.statistic is not None) is figure.is_distribution
    else:
        with pytest.raises(ConfigError):
            parse_slo(f"{figure.name}<1")


@each_figure
def test_each_of_its_columns_has_the_value_of_the_stage_in_the_unit_of_its_name(
    figure: Figure, report: RunReport
) -> None:
    (stage,) = report.stages
    for column in figure.csv:
        cells = csv_columns(next(kind for kind in KINDS.values() if kind in figure.kinds))
        value, text = stage.value(figure, column.statistic), cells[column.name](stage)
        if value is None:
            assert text == ""
        else:
            assert float(text) == pytest.approx(value * column.factor, abs=0.51 * 10**-column.digits)
        is_percent_of_ratio = column.name.endswith("_pct") and figure.unit is Unit.RATIO
        is_milliseconds = column.name.endswith("_ms") and figure.unit is Unit.SECONDS
        assert column.factor == (100 if is_percent_of_ratio else 1000 if is_milliseconds else 1)


@each_figure
def test_a_statistic_is_shown_of_a_distribution_only(figure: Figure) -> None:
    many = figure.is_distribution or figure.source in SAMPLED_DEVICES or figure.name == "rtfx"
    for column in (*figure.csv, *figure.table):
        assert column.statistic is None or many
        assert column.statistic is not None or not figure.is_distribution


def test_the_json_has_every_figure_that_says_so(report: RunReport) -> None:
    (stage,) = json.loads(summary_json(report))["stages"]
    for figure in FIGURES:
        if figure.in_json:
            value = stage[figure.field]
            assert isinstance(value, dict) is (figure.is_distribution or figure.name == "rtfx")
    assert (stage["n"], stage["ok"], stage["eos_latency_s"]["n"]) == (60, 60, 60)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_of_load_shows_its_own_figures_only_and_can_be_judged_by_its_default_objectives(kind: LoadKind) -> None:
    assert in_table(kind)
    assert all(kind in figure.kinds for figure, _ in in_table(kind))
    assert all(kind in parse_slo(text).figure.kinds for text in kind.default_slos)
    places = [figure.place for figure, _ in in_table(kind)]
    assert places == sorted(places)


def test_the_columns_of_the_csv_are_those_of_the_contract_and_then_one_for_each_declaration() -> None:
    declared = {column.name for figure in FIGURES for column in figure.csv}
    of_kinds = {kind: list(csv_columns(kind)) for kind in KINDS.values()}
    assert set().union(*of_kinds.values()) == declared | {"concurrency", "stage", "verdict", "few_samples"}
    for kind, names in of_kinds.items():
        assert tuple(names[: len(FIXED_COLUMNS)]) == FIXED_COLUMNS
        others = {column.name for figure in FIGURES if kind not in figure.kinds for column in figure.csv}
        assert not (others - set(FIXED_COLUMNS)) & set(names)


_UNITS_IN_NAMES = {
    Unit.SECONDS: ("_s", "_ms"),
    Unit.RATIO: ("_pct",),
    Unit.PERCENT: ("_pct",),
    Unit.CORES: ("_cores",),
    Unit.MIB: ("_mib",),
    Unit.MIB_PER_MIN: ("_mib_per_min",),
    Unit.WATTS: ("_w",),
    Unit.JOULES: ("_j",),
    Unit.PER_SECOND: ("_per_s",),
    Unit.PER_MINUTE: ("_per_min",),
    Unit.SECONDS_PER_MIN: ("_s_per_min",),
    Unit.COUNT: ("",),
    Unit.FACTOR: ("",),
}


@each_figure
def test_the_name_of_a_column_ends_in_its_unit_but_for_the_fixed_ones(figure: Figure) -> None:
    for column in figure.csv:
        assert column.name.endswith(_UNITS_IN_NAMES[figure.unit]) or column.name in FIXED_COLUMNS


def test_a_new_figure_that_records_carry_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    stall = Figure(
        name="stall",
        field="stall_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="silence while playback waited for audio",
        kinds=frozenset({STREAM}),
        has_slo=True,
        csv=(CsvColumn("stall_p95", "p95", 3),),
        table=(TableColumn("stall p95", "p95", 2),),
    )
    monkeypatch.setattr(figures, "FIGURES", (*FIGURES, stall))
    made = made_run(ladder=(2,), per_stage=0)
    made.run["slos"] = ["stall:p50<250ms"]
    records = [utterance(0, 2, n, stall_s=n / 100) for n in range(100)]
    records += [utterance(0, 2, outcome="timed_out", stall_s=9.0, text="")]
    report = build_report(made.run, made.transitions, [records])

    (row,) = csv.DictReader(io.StringIO(stages_csv(report)))
    assert (list(row)[-1], row["stall_p95"]) == ("stall_p95", "0.950")  # the failed one is the latest
    (stage,) = json.loads(summary_json(report))["stages"]
    assert (stage["stall_s"]["p50"], stage["stall_s"]["n"]) == (0.49, 100)
    assert rows(report)[0][headings(report).index("stall p95")] == "0.95"
    (result,) = report.stages[0].slos
    assert (result.slo.figure, result.verdict, result.value) == (stall, "missed", 0.5)
    assert "`stall`" in figures_markdown()
    assert "stall p95" not in [column.heading for _, column in in_table(TTS)]


def test_a_stage_without_utterances_has_every_figure() -> None:
    empty = StageStats(0, 1).close()
    assert all(not distribution.n for distribution in empty.distributions.values())
    assert set(empty.sums.values()) == {0}


def test_the_document_has_the_table_of_today() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    generated = f"<!-- figures -->\n{figures_markdown()}<!-- /figures -->"
    updated = re.sub(r"<!-- figures -->.*<!-- /figures -->", lambda _: generated, text, flags=re.DOTALL)
    if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
        DOCUMENT.write_text(updated, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == updated
