"""A search from its command, with workers, as short as one can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import STT_LOAD, Run, StartSink, assert_ends_with, phases, summary, two_processes

pytestmark = pytest.mark.locust

SHORT = ["--max", "1", "--repeats", "1", "--hold", "300ms", "--settle", "0", "--arrival", "together"]


def test_a_search_with_workers_ends_with_its_answer(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    options = ["--stt-url", start_sink().url, *SHORT, "--slo", "error_rate<1%", "--results", str(results)]
    with Run([*STT_LOAD, "find", *options, *two_processes()], tmp_path) as run:
        assert_ends_with(0, run, results)
        output = run.output
    assert "trial 1: 1 caller: " in output
    answer = summary(results)
    assert answer["knee"]["sentence"] in " ".join(output.split())
    assert (answer["run"]["plan"], answer["run"]["label"]) == ("search", "find")
    if answer["exit_code"] == 0:  # else this machine was too busy, and the search says so
        assert answer["knee"]["sentence"].startswith("holds at least 1 caller at error_rate < 1%: 1 passed")
        assert answer["capacity"]["why_over"] == "the largest number of callers that was to be tried passed"
    assert phases(results)[-1][1] == "done"
