"""Runs whose output nobody reads: rows and report are whole, and the exit code is the run's."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest
from runs import EASY_SLOS, STT_LOAD, Run, StartSink, assert_ends_with, rows, run_folder

from stt_load.report.report_files import WRITERS

pytestmark = pytest.mark.locust

WAYS = {
    "closed": ">&- 2>&-",
    "full": "> /dev/full 2>&1",
    "read for two lines": "2>&1 | head -n 2",
}


def test_whatever_becomes_of_the_output_a_run_ends_as_it_would(start_sink: StartSink, tmp_path: Path) -> None:
    url = start_sink().url
    with ExitStack() as stack:
        runs = []
        for way, redirection in WAYS.items():
            results = tmp_path / way
            line = [*STT_LOAD, "run", "--stt-url", url, "--concurrency", "1,2", "--rounds", "1", "--settle", "0s"]
            command = f"set -o pipefail; {shlex.join([*line, *EASY_SLOS, '--results', str(results)])} {redirection}"
            runs.append((stack.enter_context(Run(["bash", "-c", command], tmp_path)), results))
        for run, results in runs:
            run.note_family()
            assert_ends_with(0, run, results)
            run.wait_until_nothing_is_left()
            folder = run_folder(results)
            assert all((folder / name).stat().st_size for name in WRITERS)
            done = rows(folder / "stages.jsonl")[-1]
            assert (done["phase"], done["delivery"]["rows"]) == ("done", 3)
            assert len(rows(folder / "utterances.jsonl")) == 3
