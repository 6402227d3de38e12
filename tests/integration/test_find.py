"""A search from its command, with workers, against a server that holds one caller."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import STT_LOAD, Run, StartSink, assert_ends_with, phases, summary, two_processes

pytestmark = pytest.mark.locust

SHORT = ["--max", "2", "--repeats", "1", "--hold", "300ms", "--settle", "0", "--arrival", "together"]


def test_a_search_with_workers_ends_with_its_answer(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    url = start_sink(holds=1).url
    options = ["--stt-url", url, *SHORT, "--slo", "error_rate<1%", "--results", str(results)]
    with Run([*STT_LOAD, "find", *options, *two_processes()], tmp_path) as run:
        assert_ends_with(0, run, results)
        output = run.output
    assert "trial 1: 1 caller: " in output
    answer = summary(results)
    assert answer["knee"]["sentence"] in " ".join(output.split())
    assert (answer["run"]["plan"], answer["run"]["label"]) == ("search", "find")
    if answer["exit_code"] == 0:  # else this machine was too busy, and the search says so
        assert {stage["users"] for stage in answer["stages"]} == {1, 2}
        assert (answer["capacity"]["holds"], answer["capacity"]["limited_by"]) == (1, ["errors"])
        assert answer["knee"]["sentence"].startswith("holds 1 caller (1")
        assert "1 passed 1 of 1, 2 failed 1 of 1" in answer["knee"]["sentence"]
    assert phases(results)[-1][1] == "done"
