"""Forty callers of a server whose patience is known, and which loses a word at each cut: a run says exactly that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import EASY_SLOS, STT_LOAD, Run, assert_ends_with, rows, run_folder, summary
from servers.known_words import texts_by_sound
from servers.start import start_stand_in

from stt_load.audio.derived import derive
from stt_load.audio.paused import Paused, pause_in
from stt_load.clips.library import default_clips

pytestmark = pytest.mark.locust

PATIENCE_S = 0.6
CALLERS = 40


def test_forty_callers_of_a_server_that_cuts_and_loses_a_known_amount(tmp_path: Path) -> None:
    clips = [clip for pause_s in (0.3, 1.0) for clip in derive(default_clips(16_000).clips, (Paused(pause_s),))]
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps(texts_by_sound(clips, n_lost=1)))
    results = tmp_path / "results"
    flags = ["--texts", str(texts), "--endpoint", str(PATIENCE_S)]
    with start_stand_in("parakeet", "unknown", *flags) as server:
        options = [
            "--stt-url",
            server.url,
            "--pause-in-speech",
            "0.3,1",
            "--concurrency",
            str(CALLERS),
            "--rounds",
            "1",
        ]
        with Run([*STT_LOAD, "run", *options, *EASY_SLOS, "--settle", "0", "--results", str(results)], tmp_path) as run:
            assert_ends_with(0, run, results)
    found = rows(run_folder(results) / "utterances.jsonl")
    assert [row["outcome"] for row in found] == ["ok"] * CALLERS
    for row in found:
        is_cut = pause_in(row["clip_id"]) == 1.0
        assert (row["cut_early"], row["turns"]) == (is_cut, 1 + is_cut), row
        assert row["words_lost_at_cut"] == row["deletions"] == int(is_cut), row
        assert row["endpointing_delay_s"] > PATIENCE_S - 0.1, row  # no frame is sent early
    n_cut = sum(row["cut_early"] for row in found)
    (stage,) = summary(results)["stages"]
    assert (stage["cut_early_rate"], stage["split_rate"]) == (n_cut / CALLERS, n_cut / CALLERS)
    assert (stage["words_lost_at_cut"], stage["turns_left_open"]) == (n_cut, 0)
    assert {each["pause_s"]: each["cut_early_rate"] for each in stage["by_pause"]} == {0.3: 0.0, 1.0: 1.0}
    assert 0 < n_cut < CALLERS
