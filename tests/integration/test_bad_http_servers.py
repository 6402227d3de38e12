"""Servers of uploads and of text to speech that stall, flood, leave and break the protocol: one run in which every
second request meets a fault of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from bytes_of import wav
from runs import STT_LOAD, Run, assert_ends_with, rows, run_folder, summary
from servers.bad_http import FAULTS, HALF_OPEN, good
from servers.bad_vosk import ALL_AT_ONCE, bad_server, can_forget, unexplained

pytestmark = pytest.mark.locust

KINDS = {
    "upload": good(b"application/json", b'{"text": "some words"}'),
    "tts": good(b"audio/wav", wav(0.5)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_ends_its_own_request_and_no_other(kind: str, short_clips: Path, tmp_path: Path) -> None:
    faults, results = [*FAULTS, *(HALF_OPEN if can_forget() else ())], tmp_path / "results"
    with bad_server(faults, KINDS[kind]) as server:
        url = server.url.replace("ws://", "http://").removesuffix("/ws")
        upload = ["--stt-url", url, "--dialect", "upload-openai", "--clips", str(short_clips), "--slo", "wer<200%"]
        words = {"upload": ["run", *upload], "tts": ["tts", "--url", url]}[kind]
        line = [*STT_LOAD, *words, "--concurrency", str(2 * len(faults)), *ALL_AT_ONCE, "--results", str(results)]
        with Run(line, tmp_path) as run:
            assert_ends_with(3, run, results)
            run.wait_until_nothing_is_left()
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert len(utterances) == 2 * len(faults)
    assert unexplained(faults, utterances) == ([], [])
    (stage,) = summary(results)["stages"]
    assert sum(failure["n"] for failure in stage["failures"]) == stage["errors"] == len(faults)
