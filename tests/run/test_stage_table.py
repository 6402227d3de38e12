"""The short table of stages: those that have ended as the report judges them, the current one as far as it has come."""

from __future__ import annotations

from pathlib import Path

from made_run import made_run, made_uploads, utterance

from stt_load.kinds import STREAM, UPLOAD
from stt_load.report.report_files import read_report
from stt_load.run.live_stages import LiveStages
from stt_load.run.plan import Phase
from stt_load.run.stage_table import NOW, RUNNING, stage_table
from stt_load.run.stage_update import StageUpdate


def test_stages_stand_from_the_first_to_the_one_that_is_on(tmp_path: Path) -> None:
    live = LiveStages(tmp_path)
    live.ended = read_report(made_run((1, 5), per_stage=80).write(tmp_path / "run"))
    live.announce(StageUpdate("run", 1, 1, Phase.HOLD, 5, ("w0",)))
    live.add(utterance(1, 5, eos_latency_s=0.25, frames=100, frames_late=1))
    live.add(utterance(1, 5, outcome="refused", eos_latency_s=None, frames=0, refusal="full"))
    for sm_pct in (40, 50):
        live.add_sample({"kind": "gpu", "host": "a", "gpu": 0, "stage": 1, "phase": "hold", "sm_pct": sm_pct})
    live.add_sample({"kind": "gpu", "host": "a", "gpu": 0, "stage": 1, "phase": "ramp", "sm_pct": 99})
    table = stage_table(live, STREAM)
    assert table.headings == ("callers", "verdict", "EOS p50", "EOS p95", "WER%", "n", "errors", "late%", "GPU%")
    first, now = table.rows
    assert (first.cells[0], first.cells[5], first.verdict) == ("1", "80", "pass")
    assert now.cells == ("5", NOW, "0.250", "0.250", "0.0", "2", "1", "1.0", "45")
    assert now.verdict == RUNNING

    live.close(live.ended)
    assert [row.cells[0] for row in stage_table(live, STREAM, is_over=True).rows] == ["1", "5"]
    assert RUNNING not in [row.verdict for row in stage_table(live, STREAM, is_over=True).rows]


def test_a_kind_of_load_has_the_columns_that_mean_something_to_it(tmp_path: Path) -> None:
    live = LiveStages(tmp_path)
    live.announce(StageUpdate("run", 1, 0, Phase.HOLD, 5, ("w0",)))
    live.close(read_report(made_uploads().write(tmp_path / "run")))
    table = stage_table(live, UPLOAD, is_over=True)
    assert table.headings == (UPLOAD.callers, "verdict", "total p50", "total p95", "WER%", "n", "errors")
    assert {len(row.cells) for row in table.rows} == {len(table.headings)}
