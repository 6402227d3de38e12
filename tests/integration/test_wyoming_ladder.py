"""A ladder over bare TCP against the real package's server: what the rows tell is what it received."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import EASY_SLOS, STT_LOAD, Run, assert_ends_with, rows, run_folder
from servers.wyoming_server import one_transcript, wyoming_server

from stt_load.clips.folder import load_folder

pytestmark = pytest.mark.locust

FRAME_BYTES = 640  # 20 ms


def test_every_caller_of_every_stage_is_heard_whole(short_clips: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    spoken = {clip.clip_id: clip.samples.tobytes() for clip in load_folder(short_clips, 16_000).clips}
    ladder = ["--concurrency", "1,4", "--rounds", "1", "--frame-ms", "20", "--settle", "0s", "--results", str(results)]
    with wyoming_server(one_transcript("seven words")) as server:
        asked = [*STT_LOAD, "run", "--dialect", "wyoming", "--stt-url", server.url, *ladder, *EASY_SLOS]
        with Run([*asked, "--slo", "wer<200%"], tmp_path, {"STT_LOAD_CLIPS": str(short_clips)}) as run:
            assert_ends_with(0, run, results)
    told = rows(run_folder(results) / "utterances.jsonl")
    assert [(row["outcome"], row["text"], row["end"]) for row in told] == [("ok", "seven words", "client")] * 5
    assert [row["users"] for row in told] == [1] + [4] * 4
    assert all(row["stamp"] == "kernel" and row["connect_s"] is not None for row in told)
    sent = sorted(spoken[row["clip_id"]].ljust(row["frames"] * FRAME_BYTES, b"\0") for row in told)
    assert sorted(heard.audio for heard in server.heard) == sent
