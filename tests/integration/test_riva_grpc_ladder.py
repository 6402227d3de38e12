"""A ladder over gRPC against a grpcio server: what the rows tell is what that received and when it answered."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from runs import EASY_SLOS, STT_LOAD, Run, assert_ends_with, rows, run_folder
from servers.riva_server import HeardCall, RivaScript
from servers.start import start_riva_server

from stt_load.clips.folder import load_folder

pytestmark = pytest.mark.locust

FRAME_BYTES = 640  # 20 ms
ON_ITS_WAY_S = 5.0  # on a busy machine; nothing takes a hundredth of it


def test_every_caller_of_every_stage_is_heard_whole_and_its_latency_is_the_servers(
    short_clips: Path, tmp_path: Path
) -> None:
    results, truth = tmp_path / "results", tmp_path / "truth.jsonl"
    clips = {clip.clip_id: clip for clip in load_folder(short_clips, 16_000).clips}
    ladder = ["--concurrency", "1,4", "--rounds", "1", "--frame-ms", "20", "--settle", "0s", "--results", str(results)]
    with start_riva_server("--truth", str(truth)) as server:
        asked = [*STT_LOAD, "run", "--dialect", "riva-grpc", "--stt-url", server.url, *ladder, *EASY_SLOS]
        with Run([*asked, "--slo", "wer<200%"], tmp_path, {"STT_LOAD_CLIPS": str(short_clips)}) as run:
            assert_ends_with(0, run, results)
    told = rows(run_folder(results) / "utterances.jsonl")
    assert [(row["outcome"], row["text"], row["end"]) for row in told] == [("ok", RivaScript().text, "client")] * 5
    assert [row["users"] for row in told] == [1] + [4] * 4
    assert all(row["stamp"] == "kernel" and row["connect_s"] is not None for row in told)
    heard = [msgspec.json.decode(line, type=HeardCall) for line in truth.read_bytes().splitlines()]
    sent = [clips[row["clip_id"]].samples.tobytes().ljust(row["frames"] * FRAME_BYTES, b"\0") for row in told]
    assert sorted(call.audio for call in heard) == sorted(sent)
    for row, audio in zip(told, sent, strict=True):
        arrived_s = row["stream_start_s"] + clips[row["clip_id"]].speech_end_s + row["eos_latency_s"]
        ways_s = [arrived_s - (call.sent_at_s or 0.0) for call in heard if call.audio == audio]
        assert any(0.0 <= way_s <= ON_ITS_WAY_S for way_s in ways_s)
