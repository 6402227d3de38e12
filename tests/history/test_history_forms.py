"""The history as tables, page and CSV."""

import csv
import io
import re
from dataclasses import replace
from datetime import datetime

import pytest
from control_sequences import OBEYED, PLANT
from rich.console import Console
from rows import run, stage

from stt_load.history.console import print_history
from stt_load.history.csv_file import history_csv
from stt_load.history.figures import FIGURES
from stt_load.history.page import history_html
from stt_load.history.reader import History
from stt_load.history.series import series_of
from stt_load.report.model import Verdict

RUNS = (
    *(run(at, stages=[stage(p95_s=0.5 + 0.01 * at), stage(40, Verdict.FAIL, float("inf"))]) for at in range(6)),
    run(6, holds=None, verdict=Verdict.INVALID, stages=[stage(verdict=Verdict.INVALID)]),
    run(7, label="uploads", kind="upload", stages=[stage(energy_j=None)]),
)
HISTORY = History(RUNS, ("bad: can't be read",))


def console_text(history: History, width: int = 120) -> str:
    file = io.StringIO()
    print_history(
        history, series_of(history.runs), Console(file=file, width=width, force_terminal=True, color_system=None)
    )
    return file.getvalue()


def test_each_series_is_a_table_newest_first_and_what_can_not_be_read_is_named() -> None:
    uploads, nightly = series_of(RUNS)
    assert (uploads.name, len(nightly.runs)) == ("uploads · parakeet at gpu-box:8000 · 1 × NVIDIA H200 · uploads", 7)
    text = console_text(HISTORY)
    assert "p95, WER, errors and energy at 20 callers" in text
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("2026-")]
    assert [row[-1] for row in rows] == ["run-7", *(f"run-{at}" for at in reversed(range(7)))]
    assert rows[1][2:5] == ["invalid", "-", "-"]
    assert rows[2][2:] == ["fail", "20", "0.550", "5.0", "0.0", "500", "run-5"]
    assert "- bad: can't be read" in text


def test_the_csv_has_a_number_in_every_metric_and_a_time_that_is_read_as_one() -> None:
    rows = list(csv.DictReader(io.StringIO(history_csv(series_of(RUNS)))))
    assert [row["run"] for row in rows] == ["run-0", "run-1", "run-2", "run-3", "run-4", "run-5", "run-7"]
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    assert times == sorted(times)
    assert all(float(row[name]) >= 0 for row in rows[:-1] for name in [figure.column for figure in FIGURES])
    assert rows[-1]["energy_per_audio_minute_j"] == ""
    assert len({row["branch"] for row in rows}) == 2


@pytest.mark.parametrize("sign", "=+-@")
def test_no_text_in_the_csv_is_a_formula_or_a_second_line(sign: str) -> None:
    label = f"{sign}cmd|' /C calc'!A0\n\x1b[31mred"
    (row,) = csv.DictReader(io.StringIO(history_csv(series_of([run(label=label)]))))
    assert row["label"] == f"'{sign}cmd|' /C calc'!A0\\n\\x1b[31mred"
    assert row["branch"].startswith(f"'{sign}cmd")


def test_the_page_is_one_file_with_a_chart_for_each_figure() -> None:
    page = history_html(HISTORY, series_of(RUNS))
    assert "<script" not in page
    assert not re.search(r"(src|href)=[\"'](?!#)", page)
    assert page.count("<figure>") == 5  # the series of one run has none
    assert "Left out" in page
    assert "failed" not in page


def test_texts_of_other_machines_command_no_terminal_and_become_no_markup() -> None:
    planted = tuple(replace(one, label=f"<b>{PLANT}", server=f"[bold]{PLANT}") for one in RUNS)
    history = History(planted, (f"bad{PLANT}",))
    page = history_html(history, series_of(planted))
    assert not OBEYED.search(page)
    assert "<b>" not in page
    assert not OBEYED.search(console_text(history).replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\n", ""))
