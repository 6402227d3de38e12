"""A server's own metrics from their raw lines to every form of the report."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from made_run import made_run
from rich.console import Console

from stt_load.report.console import print_report
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.markdown_file import report_markdown
from stt_load.report.report_files import read_report
from stt_load.report.server_table import server_table


def folder_with_looks(folder: Path, wrong: list[dict[str, object]] | None = None) -> Path:
    made = made_run((1, 5), hold_s=10.0)
    metrics = ["queue", "done_total:rate", "absent"]
    made.run["server_metrics"] = {"metrics": metrics, "looks": 4, "failed": 1, "why": "x"}
    first, second = made.span(0)[0], made.span(1)[0]
    looks = [(first - 1, 99, 0), (first, 1, 10), (first + 4, 2, 30), (second, 7, 100)]
    made.server = wrong or [{"t": at_s, "values": {"queue": queue, "done_total": done}} for at_s, queue, done in looks]
    return made.write(folder)


def test_looks_become_a_row_for_each_metric_and_a_column_for_each_stage(tmp_path: Path) -> None:
    table = server_table(read_report(folder_with_looks(tmp_path / "run")))
    assert table is not None
    assert table.headings == ("metric, by callers", "1", "5")
    assert table.rows == (("queue", "1.5 / 2", "7 / 7"), ("done_total:rate", "5 / 5", "-"))


def test_every_form_of_the_report_has_them(tmp_path: Path) -> None:
    report = read_report(folder_with_looks(tmp_path / "run"))
    output = StringIO()
    print_report(report, Console(file=output, width=110))
    for text in (output.getvalue(), report_html(report, ()), report_markdown(report)):
        assert "What the server says of itself" in text
        assert "1.5 / 2" in text
        assert "own metrics failed: x" in text
    stages = json.loads(summary_json(report))["stages"]
    assert stages[0]["server_metrics"] == [
        {"metric": "queue", "reading": "value", "mean": 1.5, "max": 2, "looks": 2},
        {"metric": "done_total", "reading": "rate", "mean": 5.0, "max": 5.0, "looks": 2},
    ]


def test_a_run_that_asked_for_none_says_nothing_of_them(tmp_path: Path) -> None:
    report = read_report(made_run((1,)).write(tmp_path / "run"))
    assert server_table(report) is None
    assert "says of itself" not in report_html(report, ())


def test_a_line_that_is_no_look_is_damage(tmp_path: Path) -> None:
    wrong: list[dict[str, object]] = [{"t": "now", "values": {}}, {"t": 1.0}, {"t": 1.0, "values": {"queue": "many"}}]
    report = read_report(folder_with_looks(tmp_path / "run", wrong))
    assert any("server.jsonl" in note and "3" in note for note in report.notes)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.5, "1.5"), (999.6, "1k"), (1234.0, "1.23k"), (1.73e9, "1.73G"), (-2e6, "-2M")]
)
def test_a_large_number_has_a_prefix(tmp_path: Path, value: float, text: str) -> None:
    made = made_run((1,), hold_s=10.0)
    made.server = [{"t": made.span(0)[0], "values": {"queue": value}}]
    made.run["server_metrics"] = {"metrics": ["queue"], "looks": 1, "failed": 0}
    table = server_table(read_report(made.write(tmp_path / "run")))
    assert table is not None
    assert table.rows == (("queue", f"{text} / {text}"),)
