"""A spike, played for real: no calm around it, nobody cut off, and a server with a known queue behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import STT_LOAD, Run, StartSink, phases, rows, run_folder, summary

pytestmark = pytest.mark.locust

TAKES_S = 0.3


def test_a_spike_meets_a_server_at_work_and_its_backlog_is_told(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink(takes_s=TAKES_S).url, "--spike", "2,12,2"]
    line += ["--hold", "3s"]  # in less, a busy machine may not have sent the last audio of the spike
    line += ["--spike-hold", "2s", "--ramp-rate", "100", "--settle", "0s", "--results", str(results)]
    with Run([*line, "--slo", "eos_latency:p95<60s"], tmp_path) as run:
        run.wait()
    assert phases(results) == [
        *[(0, phase) for phase in ("ramp", "hold", "grace")],
        *[(1, phase) for phase in ("ramp", "hold")],
        *[(2, phase) for phase in ("ramp", "hold", "grace", "settle", "done")],
    ]
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert {row["outcome"] for row in utterances} == {"ok"}, "who leaves ends its utterance first"
    told = summary(results)["recovery"]
    spike = [row for row in utterances if row["stage"] == 1]
    assert told["in_spike"] == len(spike) and told["spike_errors"] == 0
    # Each answer takes so long, one after the other: who waits for n others waits that long at least.
    assert max(row["eos_latency_s"] for row in spike) > 4 * TAKES_S
    assert told["last_word_s"] >= (told["waiting"] - 1) * TAKES_S > 0
    assert told["recovery_s"] in (None, 0.0), "the objective is easy, and few utterances come after the spike"
