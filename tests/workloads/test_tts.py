from __future__ import annotations

from pathlib import Path

import pytest
from fakes import record_of
from servers.start import start_tts_server

from stt_load.config import parse_options
from stt_load.credentials import NO_CREDENTIALS
from stt_load.errors import ConfigError, Outcome
from stt_load.kinds import TTS
from stt_load.server.tts_requests import split
from stt_load.tts.playback import Playback
from stt_load.tts.speech_reader import TtsResult
from stt_load.workloads.run_clips import choose_clips
from stt_load.workloads.tts import TtsWorkload, tts_figures
from stt_load.workloads.workload import Caller

LONG = "This is the first sentence of a text, and long enough for a piece of its own, with some words more in it. " * 2


def test_a_run_without_clips_speaks_the_shipped_sentences(tmp_path: Path) -> None:
    clips = choose_clips(parse_options({"dialect": "tts-chatterbox"}))
    assert len(clips.clips) > 40
    assert len({clip.reference for clip in clips.clips}) == len(clips.clips)
    assert all(clip.duration_s > 1 for clip in clips.clips)
    assert all(len(split(clip.reference, 120)) > 1 for clip in clips.clips), "a server could stream none of it"


def test_an_attempt_becomes_a_record_and_the_server_is_known_by_what_it_did() -> None:
    with start_tts_server("--rtf", "0.03") as server:
        config = parse_options({"dialect": "tts-chatterbox", "stt_url": f"{server.http_url}/tts"})
        workload = TtsWorkload(config, (), NO_CREDENTIALS)
        records = []
        for text in ("Hello.", LONG, "Hello."):
            clip = choose_clips(config).clips[0]
            attempt = workload.new_attempt(Caller(0, 0, 1), type(clip)("c", text, clip.samples, 1_000, 0.0, 1.0), False)
            records.append(record_of(*attempt.run()))
    assert {record.outcome for record in records} == {Outcome.OK}
    assert {record.end for record in records} == {"client"}
    # The first one, of one piece, could as well be a file: which of the two it is taken for hangs on its times.
    assert records[1].first_audio_s is not None
    assert records[2].first_audio_s is not None
    assert records[1].gap_max_s is not None and records[1].underruns is not None
    assert all(record.rtf for record in records)


def test_an_attempt_that_is_cut_says_so() -> None:
    config = parse_options({"dialect": "tts-openai"})
    attempt = TtsWorkload(config, (), NO_CREDENTIALS).new_attempt(Caller(0, 0, 1), choose_clips(config).clips[0], False)
    record = record_of(*attempt.interrupt("the run ended first"))
    assert (record.outcome, record.error) == (Outcome.INTERRUPTED, "the run ended first")
    assert record.total_s is None


def test_the_objectives_of_a_run_are_those_of_its_kind() -> None:
    config = parse_options({"dialect": "tts-chatterbox"})
    assert config.kind is TTS
    assert [slo.text for slo in config.slos] == ["rtf:p95<1", "underruns<1", "error_rate<1%"]
    assert config.stt_url == "http://localhost:8004/tts"
    with pytest.raises(ConfigError) as caught:
        parse_options({"dialect": "tts-chatterbox", "slo": ["wer<8%"], "trailing_silence": "1", "stt_url": "ws://x/"})
    assert len(caught.value.problems) == 3


def test_a_verbose_run_logs_the_audio_as_it_came(caplog: pytest.LogCaptureFixture) -> None:
    with start_tts_server("--rtf", "0.03") as server:
        url = f"{server.http_url}/tts"
        config = parse_options({"dialect": "tts-chatterbox", "stt_url": url, "verbose": True})
        TtsWorkload(config, (), NO_CREDENTIALS).new_attempt(Caller(3, 7, 1), choose_clips(config).clips[0], False).run()
    assert caplog.messages
    assert all(line.startswith("worker 3 caller 7 english-01 ") for line in caplog.messages)
    assert all(line.endswith(" bytes of audio") for line in caplog.messages)


def test_a_probe_tells_what_came_and_what_it_comes_to() -> None:
    shown: list[str] = []
    with start_tts_server("--rtf", "0.03", "--ignores-stream") as server:
        config = parse_options({"dialect": "tts-chatterbox", "stt_url": f"{server.http_url}/tts"})
        record = record_of(*TtsWorkload.probe(config, choose_clips(config).clips[0], NO_CREDENTIALS, shown.append))
    assert record.is_ok
    assert shown[0] == "times are seconds from the first byte of the request"
    assert all(line.endswith(" bytes of audio") for line in shown[1:])
    facts = dict(TtsWorkload.probe_facts(config, record))
    assert facts["first audio"] == "the server sent a finished file"
    assert facts["audio"] == f"{record.audio_s:.2f} s"
    assert TtsWorkload.retry_options(config, record) == {}


def test_an_answer_that_was_not_streamed_has_no_gap_and_no_underrun() -> None:
    """It could have been: nothing said how long it would be. But all of it came at the end."""
    late = TtsResult(Outcome.OK, first_byte_s=2.9, total_s=3.0, audio_s=2.0, playback=Playback(1, 0.5))
    alone, of_a_stream = tts_figures(late, False, 3.1), tts_figures(late, True, 3.1)
    assert (alone.first_audio_s, alone.gap_max_s, alone.underruns, alone.stall_s) == (None,) * 4
    assert (of_a_stream.first_audio_s, of_a_stream.gap_max_s, of_a_stream.underruns) == (2.9, 0.0, 1)
