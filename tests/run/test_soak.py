"""A soak, from its first hour to its report: the real run, ledger, folder and report, and hours that take a second."""

from __future__ import annotations

import gc
import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from simulated_soak import play

from stt_load.cli.score import command as score
from stt_load.comparison.caller_values import read_caller_values
from stt_load.errors import ExitCode
from stt_load.metrics.drift import Axis, Drift, DriftVerdict
from stt_load.metrics.figures import FIGURES_BY_NAME
from stt_load.report.capacity_wording import headline
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.model import RunReport
from stt_load.report.raw_files import UTTERANCES, parts_of

PER_HOUR_S = 0.05
STEP_S = 720.0  # 7,200 times as fast as time
CALLERS = 3


def slowing(rng: random.Random, run_h: float, connection_h: float) -> float:
    return rng.uniform(0.3, 0.5) + PER_HOUR_S * run_h


@pytest.fixture(scope="module")
def soaked(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunReport, Path]:
    """The report and the folder of three hours on a server that gets slower."""
    run, code = play(tmp_path_factory.mktemp("results"), "3h", CALLERS, STEP_S, slowing)
    gc.unfreeze()
    assert code is ExitCode.FINE and run.live.ended is not None
    return run.live.ended, run.folder.path


def drift_of(report: RunReport, name: str, axis: Axis) -> Drift:
    (found,) = [drift for drift in report.drifts if (drift.name, drift.axis) == (name, axis)]
    return found


def test_its_drift_is_found_with_its_size(soaked: tuple[RunReport, Path]) -> None:
    report, _ = soaked
    latency = drift_of(report, "latency p50", Axis.RUN)
    assert latency.verdict is DriftVerdict.DRIFT
    assert latency.per_hour == pytest.approx(PER_HOUR_S, rel=0.1)
    assert drift_of(report, "latency p50", Axis.CONNECTION).verdict is DriftVerdict.NONE
    assert drift_of(report, "word error rate", Axis.RUN).verdict is DriftVerdict.NONE
    assert "; drift in " in headline(report) and latency.length_s == pytest.approx(10_800, rel=0.1)
    assert {chart.name for chart in draw_charts(report)} >= {"drift-run", "drift-connection"}


def test_every_reader_finds_every_hour(soaked: tuple[RunReport, Path]) -> None:
    report, folder = soaked
    parts = parts_of(folder / UTTERANCES)
    assert len(parts) in (3, 4)
    n = sum(path.read_bytes().count(b"\n") for path in parts)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["lines"][UTTERANCES] == n
    (stage,) = summary["stages"]
    values = read_caller_values(folder, "run", "stream", [FIGURES_BY_NAME["eos_latency"]])
    assert stage["n"] == len(values[0].callers) == report.stages[0].figures.n
    assert 0.9 * n < stage["n"] < n, "some begin before the hold, or after it"
    scored = CliRunner().invoke(score, [str(folder / UTTERANCES), "--json"])
    assert json.loads(scored.output)["rows"] == stage["n"]
    assert not [note for note in report.notes if UTTERANCES in note]
