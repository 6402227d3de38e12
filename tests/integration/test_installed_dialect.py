"""A dialect of another package in a probe and in a whole run, over real sockets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from acme import WORDS, acme_server, install_package
from runs import EASY_SLOS, STT_LOAD, Run, assert_ends_with, rows, run_folder

pytestmark = pytest.mark.locust


def test_it_is_spoken_by_a_probe_and_by_every_caller_of_a_run(short_clips: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(install_package(tmp_path / "acme")), "STT_LOAD_CLIPS": str(short_clips)}
    results = tmp_path / "results"
    with acme_server() as url:
        asked = ["--dialect", "acme", "--stt-url", url]
        with Run([*STT_LOAD, "probe", *asked], tmp_path, environment) as probe:
            assert probe.wait() == 0, probe.output
        assert f'"words": "{WORDS}"' in probe.output
        ladder = ["--concurrency", "2", "--rounds", "2", "--processes", "2", "--results", str(results)]
        with Run(
            [*STT_LOAD, "run", *asked, *ladder, *EASY_SLOS, "--slo", "wer<200%"],
            tmp_path,
            {**os.environ, **environment},
        ) as run:
            assert_ends_with(0, run, results)
    described = json.loads((run_folder(results) / "run.json").read_text(encoding="utf-8"))
    assert described["versions"]["acme-stt"] == "1.0"
    told = [(row["outcome"], row["text"]) for row in rows(run_folder(results) / "utterances.jsonl")]
    assert told == [("ok", WORDS)] * 4
