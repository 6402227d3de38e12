"""Texts over real sockets, to a server in a process of its own that says when it sent each chunk: by the same clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gevent
import pytest
from fakes import record_of
from servers.start import start_speech_stream

from stt_load.audio.clip import Clip
from stt_load.config import RunConfig, parse_options
from stt_load.credentials import NO_CREDENTIALS
from stt_load.errors import ConfigError, Outcome, Refusal
from stt_load.option_values import completed_by
from stt_load.records import UtteranceRecord
from stt_load.tts.apis import TTS_APIS
from stt_load.tts.playback import AudioArrival, play
from stt_load.tts.text_pieces import tokens_of
from stt_load.workloads.tts import TtsWorkload, speech_client, texts_to_speak
from stt_load.workloads.workload import Caller

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
ROUNDING_S = 0.1  # of two processes on a busy machine; test_text_session.py has the clock to itself, and is exact
SHORT = "One two three. Four five six."


def config_of(url: str, like: str, *options: str, **more: Any) -> RunConfig:
    given = {"dialect": f"tts-{like}-omni", "stt_url": url, "timeout": "60", "dialect_option": list(options), **more}
    return parse_options(given)


def truths(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_timed_as_sent(record: UtteranceRecord, truth: dict[str, Any], frame_s: float) -> None:
    """The first audio of the record lies where the server sent it."""
    assert record.outcome == Outcome.OK, record.error
    assert record.stream_start_s is not None and record.first_audio_s is not None and record.total_s is not None
    arrived_s = record.stream_start_s + frame_s + record.first_audio_s
    before_s, after_s = truth["chunks"][0]
    slack_s = ROUNDING_S + (record.arrival_late_s or 0.0)
    assert before_s - ROUNDING_S <= arrived_s <= after_s + slack_s
    assert truth["chunks"][-1][0] <= record.stream_start_s + frame_s + record.total_s
    assert record.audio_s == pytest.approx(0.1 * len(truth["chunks"]))
    assert record.text_s is not None and record.after_text_s is not None
    after_text_s = record.first_audio_s - (record.text_s - frame_s)
    assert record.after_text_s == pytest.approx(after_text_s)


def test_forty_listeners_at_once_each_hear_what_the_server_sent_them_and_when(tmp_path: Path) -> None:
    """The speech halts for 0.8 s after 0.5 s of it, which came in half the time: a player runs dry for that."""
    truth_file = tmp_path / "truth.jsonl"
    flags = ("--like", "vllm", "--first", "0.3", "--stall-at", "0.5", "--stall", "0.8", "--word", "0.1")
    with start_speech_stream(*flags, "--truth", str(truth_file)) as server:
        config = config_of(server.url, "vllm", tokens_per_second="50")
        workload = TtsWorkload(config, (), NO_CREDENTIALS)
        clips = texts_to_speak(config).clips[:40]
        attempts = [workload.new_attempt(Caller(0, n, 1), clip, False) for n, clip in enumerate(clips)]
        callers = [gevent.spawn(lambda attempt=attempt: record_of(*attempt.run())) for attempt in attempts]
        gevent.joinall(callers, timeout=PATIENCE_S, raise_error=True)
    by_text = {truth["text"]: truth for truth in truths(truth_file)}
    assert len(by_text) == 40
    for clip, caller in zip(clips, callers, strict=True):
        record, truth = caller.value, by_text[clip.reference]
        assert_timed_as_sent(record, truth, 0.02)
        assert record.frames == len(tokens_of(clip.reference))
        # The pause as the server made it, by its own stamps.
        sent = [AudioArrival(before_s, 4_800) for before_s, _ in truth["chunks"]]
        stall_s = play(sent, 48_000).stall_s
        assert stall_s > 0.1 and record.underruns >= 1
        assert record.gap_max_s >= 0.4


@pytest.mark.parametrize(("like", "granularity"), [("vllm", "sentence"), ("sglang", "sentence")])
def test_a_server_that_speaks_by_the_sentence_begins_before_the_text_has_ended(
    tmp_path: Path, like: str, granularity: str
) -> None:
    truth_file = tmp_path / "truth.jsonl"
    with start_speech_stream("--like", like, "--first", "0.05", "--rtf", "0.1", "--truth", str(truth_file)) as server:
        config = config_of(server.url, like, f"split_granularity={granularity}", tokens_per_second="4")
        shown: list[str] = []
        clip = Clip("c", SHORT, texts_to_speak(config).clips[0].samples, 1_000, 0.0, 1.0)
        record = record_of(*TtsWorkload.probe(config, clip, NO_CREDENTIALS, shown.append))
    (truth,) = truths(truth_file)
    assert truth["text"] == SHORT
    assert_timed_as_sent(record, truth, 0.25)
    # It began with the first sentence, which was whole while tokens were still to come.
    assert truth["chunks"][0][0] < truth["done_s"]
    assert any("audio.start" in line for line in shown)


def test_sglang_hangs_up_on_tokens_that_come_while_it_speaks_and_fewer_messages_help() -> None:
    text = "Hello. " + "word " * 30
    with start_speech_stream("--like", "sglang", "--first", "0.5", "--word", "0.05", "--rtf", "0.1") as server:
        results = {}
        for at_once in ("1", "10"):
            api = TTS_APIS["tts-sglang-omni"]
            options = api.parse_options([f"tokens_per_message={at_once}"])
            url = completed_by(api.default_url, server.url)
            client = speech_client(api, url, options, 100.0, PATIENCE_S, NO_CREDENTIALS, True, PATIENCE_S)
            results[at_once] = client.synthesise(text)
    assert results["1"].outcome is Outcome.DISCONNECTED
    assert "tokens_per_message" in (results["1"].error or "")
    assert results["10"].outcome is Outcome.OK, results["10"].error


@pytest.mark.parametrize("like", ["vllm", "sglang"])
def test_a_config_or_a_sentence_that_fails_has_its_outcome(like: str) -> None:
    api = TTS_APIS[f"tts-{like}-omni"]
    found = []
    with start_speech_stream("--like", like, "--first", "0", "--rtf", "0.1", "--fails-at", "six") as server:
        for voice in ("nobody", "somebody"):
            options = api.parse_options([f"voice={voice}"])
            client = speech_client(api, server.url, options, 100.0, PATIENCE_S, NO_CREDENTIALS, True, PATIENCE_S)
            found.append(client.synthesise(SHORT))
    assert (found[0].outcome, found[0].refusal) == (Outcome.REFUSED, Refusal.PARAMETERS)
    assert "nobody" in (found[0].error or "")
    assert (found[1].outcome, found[1].total_s) == (Outcome.SERVER_ERROR, None)
    assert "Generation failed" in (found[1].error or "")


def test_options_that_mean_nothing_to_a_server_are_refused() -> None:
    with pytest.raises(ConfigError, match="tts-openai takes its text whole: leave it out"):
        parse_options({"dialect": "tts-openai", "tokens_per_second": "30"})
    with pytest.raises(ConfigError, match="means nothing with --dialect parakeet"):
        parse_options({"dialect": "parakeet", "tokens_per_second": "30"})
    with pytest.raises(ConfigError, match="must begin with ws:// or wss://"):
        parse_options({"dialect": "tts-vllm-omni", "stt_url": "http://localhost:8000"})
    assert parse_options({"dialect": "tts-vllm-omni", "stt_url": "ws://box:1"}).stt_url == (
        "ws://box:1/v1/audio/speech/stream"
    )
    assert parse_options({"dialect": "tts-vllm-omni"}).tokens_per_s == 30.0
