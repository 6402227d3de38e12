"""The report as Markdown, and the summary of a CI job."""

import os
from pathlib import Path

import pytest
from made_run import made_run, utterance

from stt_load.report.build import build_report
from stt_load.report.markdown_file import escaped, report_markdown
from stt_load.report.publish import publish_report
from stt_load.report.step_summary import STEP_SUMMARY_VARIABLE, append_step_summary

ESCAPED = [
    ("plain words, 1.5 %", "plain words, 1.5 %"),
    ("a|b", r"a\|b"),
    ("<img src=x>", r"\<img src=x\>"),
    ("[link](https://x)", "\\[link\\](https:\u200b//x)"),
    ("@everybody, see www.x.org", "@\u200beverybody, see www\u200b.x.org"),
    ("ws://127.0.0.1:8000/ws", "ws://127.0.0.1:8000/ws"),
    ("eos_latency:p95<1s", r"eos_latency:p95\<1s"),
    ("_so_ __init__ a_", r"\_so\_ \_\_init\_\_ a\_"),
    ("see #12", "see \\#\u200b12"),
    ("two\nlines", r"two\\nlines"),
]


@pytest.mark.parametrize(("text", "markdown"), ESCAPED)
def test_texts_of_others_are_no_markup_and_call_nobody(text: str, markdown: str) -> None:
    assert escaped(text) == markdown


def test_every_row_of_a_table_has_as_many_cells_as_its_heading() -> None:
    made = made_run(ladder=(1, 2), per_stage=6)
    made.utterances[-1] = utterance(1, 2, outcome="refused", error="a|b\\|c | d", refusal="full")
    lines = report_markdown(build_report(made.run, made.transitions, [made.utterances], made.samples)).splitlines()
    widths = [line.replace(r"\\", "").replace(r"\|", "").count("|") for line in lines if line.startswith("|")]
    assert len(set(widths[:4])) == len(set(widths[4:7])) == 1
    assert "## stt-load: made\\-up" not in lines[0]


def test_a_job_summary_gets_each_report_behind_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, summary = made_run(ladder=(1,), per_stage=6).write(tmp_path / "run"), tmp_path / "summary.md"
    summary.write_text("from the step before\n", encoding="utf-8")
    monkeypatch.setenv(STEP_SUMMARY_VARIABLE, str(summary))
    publish_report(folder)
    text = summary.read_text(encoding="utf-8")
    assert text == f"from the step before\n{(folder / 'report.md').read_text(encoding='utf-8')}\n"


def test_a_job_summary_does_not_grow_beyond_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv(STEP_SUMMARY_VARIABLE, str(summary))
    for _ in range(3):
        append_step_summary("x" * 400_000, os.environ)
    assert summary.stat().st_size == 800_002
    assert "larger than 1 MiB" in caplog.text


def test_a_job_summary_that_can_not_be_written_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = made_run(ladder=(1,), per_stage=6).write(tmp_path / "run")
    monkeypatch.setenv(STEP_SUMMARY_VARIABLE, str(tmp_path))
    publish_report(folder)
    assert "Is a directory" in caplog.text
