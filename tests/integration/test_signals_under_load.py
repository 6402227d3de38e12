"""Told to end while callers come, speak and wait: by each signal, at each process, what was measured is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from runs import StartSink, broken_conditions, rows, run_folder, side_by_side, summary, wait_for_rows
from told_to_end import Case, cases, wait_for_phase

pytestmark = pytest.mark.locust

# What makes a run stay in this phase of its first stage.
STAYS_IN = {
    "ramp": ["--concurrency", "30", "--ramp-rate", "1", "--hold", "1s"],
    "hold": ["--concurrency", "3", "--hold", "600s"],
    "grace": ["--concurrency", "3", "--hold", "1s"],
}
ANSWER_S = {"ramp": 0.4, "hold": 0.4, "grace": 6.0}  # after the end of speech


@pytest.mark.parametrize("phase", STAYS_IN)
def test_a_signal_under_load_ends_a_run_with_5_and_every_row(start_sink: StartSink, tmp_path: Path, phase: str) -> None:
    url = start_sink(delay_s=ANSWER_S[phase]).url

    def play(case: Case) -> None:
        with ExitStack() as stack:
            run, worker = case.start(stack, ["--stt-url", url, *STAYS_IN[phase]])
            wait_for_phase(phase, case.results, run)
            if phase == "hold":
                wait_for_rows(case.results, 4, run)
            case.send(run, worker)
            case.assert_ended(run, worker, 4 if case.to == "worker" else 5)

    told = cases(phase, tmp_path)
    side_by_side([partial(play, case) for case in told])
    verdicts = {case.to: summary(case.results)["verdict"] for case in told}
    assert verdicts.pop("worker") == ("empty" if phase == "ramp" else "invalid")
    assert set(verdicts.values()) == {"aborted"}
    if phase == "ramp":
        assert {summary(case.results)["stages"][0]["n"] for case in told} == {0}
    else:
        assert "workers constant" in broken_conditions(told[-1].results)
        assert_no_answer_is_lost(told, tmp_path / "truth.jsonl")


def assert_no_answer_is_lost(told: Sequence[Case], truth: Path) -> None:
    """Who is cut off in the moment of the answer has it, or has it not."""
    together: Counter[str] = Counter()
    for case in told:
        outcomes = Counter(row["outcome"] for row in rows(run_folder(case.results) / "utterances.jsonl"))
        assert set(outcomes) == {"ok", "interrupted"}, case
        assert outcomes["interrupted"] <= 3, case
        together += outcomes
    answered = sum(row["text_sent_s"] is not None for row in rows(truth))
    assert together["ok"] <= answered <= together["ok"] + together["interrupted"]
