"""Callers who stream, over real sockets and in one loop, without Locust."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

import gevent
import msgspec
import pytest
from fakes import clip, record_of
from raw_server import DEADLINE_S, TEXT, frame, raw_server
from raw_server import Caller as Connection

from stt_load.config import RunConfig, parse_options
from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.workloads.stream import MORE_SILENCE_S, StreamWorkload
from stt_load.workloads.workload import Caller

CLIP = clip(0.0, 0.1, 0.1)  # seven frames of 96 ms with its silence
N_FRAMES = 7


def config(url: str, **options: Any) -> RunConfig:
    asked = {"stt_url": url, "trailing_silence": "0.5s", "timeout": f"{DEADLINE_S}s", **options}
    return parse_options(asked)


def say(connection: Connection, words: str) -> None:
    """Hears one utterance nearly to its end, and answers it as Parakeet does."""
    connection.read_audio(N_FRAMES - 1)
    connection.send(frame(TEXT, b'{"status":"queued"}'))
    connection.read_audio(1)
    connection.send(frame(TEXT, json.dumps({"text": words}).encode()))


def answer(connection: Connection) -> None:
    connection.upgrade()
    say(connection, "one")
    say(connection, "two")
    connection.wait_for_end()


def play(workload: StreamWorkload, caller: Caller, is_together: bool = True) -> UtteranceRecord:
    return record_of(*workload.new_attempt(caller, CLIP, is_together).run())


def eventually(is_so: Any) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not happen before the deadline"
        gevent.sleep(0.01)


@pytest.mark.parametrize(("connect_timeout", "timeout"), [("0.1s", "0.3s"), ("0.3s", "0.1s")])
def test_a_connection_may_take_as_long_as_the_longer_of_the_two_timeouts(connect_timeout: str, timeout: str) -> None:
    def keep_waiting(connection: Connection) -> None:
        connection.read_request()
        connection.wait_for_end()

    with raw_server(keep_waiting) as server:
        options = config(server.url, connect_timeout=connect_timeout, timeout=timeout)
        record = play(StreamWorkload(options, (CLIP,), NO_CREDENTIALS), Caller(0, 0, 1))
    assert (record.outcome, record.error) == (Outcome.TIMED_OUT, "no answer to the websocket upgrade in time")
    assert record.duration_s is not None and record.duration_s >= 0.3


def test_a_caller_keeps_its_connection_as_long_as_it_may() -> None:
    caller = Caller(0, 0, 1)
    with raw_server(answer) as server:
        workload = StreamWorkload(config(server.url, utterances_per_connection="2"), (CLIP,), NO_CREDENTIALS)
        first = play(workload, caller)
        kept = caller.connection
        second, third = play(workload, caller), play(workload, caller)
        assert len(server.callers) == 2
        caller.disconnect()
    assert [(r.outcome, r.text) for r in (first, second, third)] == [("ok", "one"), ("ok", "two"), ("ok", "one")]
    assert [r.connection_utterance for r in (first, second, third)] == [0, 1, 0]
    assert (first.connect_s is None, second.connect_s is None, third.connect_s is None) == (False, True, False)
    assert kept is not None
    assert caller.connection is None


def test_a_caller_that_had_to_wait_dials_anew() -> None:
    caller = Caller(0, 0, 1)
    with raw_server(answer) as server:
        workload = StreamWorkload(config(server.url, utterances_per_connection="2"), (CLIP,), NO_CREDENTIALS)
        play(workload, caller)
        caller.disconnect()
        caller.disconnect()  # nothing is left to be closed
        assert play(workload, caller).connection_utterance == 0
        assert len(server.callers) == 2
        caller.disconnect()


@pytest.mark.parametrize("is_together", [True, False])
def test_callers_start_in_lock_step_only_where_they_are_to(is_together: bool) -> None:
    """The microphone is switched on so long after the connection is open."""
    with raw_server(answer) as server:
        workload = StreamWorkload(config(server.url), (CLIP,), NO_CREDENTIALS)
        caller, same = Caller(0, 5, 1), Caller(0, 5, 1)
        phase_s = 0.0 if is_together else same.random.uniform(0.0, 0.096)
        assert play(workload, caller, is_together).connection_age_s == pytest.approx(phase_s, abs=1e-6)
    assert is_together or phase_s > 0.0


class Cut(BaseException):
    """What a caller's greenlet is killed with."""


def test_what_is_cut_in_the_middle_keeps_what_was_measured_by_then() -> None:
    caller, has_heard = Caller(0, 0, 1), threading.Event()

    def listen(connection: Connection) -> None:
        connection.upgrade()
        connection.read_audio(1)
        has_heard.set()
        connection.wait_for_end()

    with raw_server(listen) as server:
        attempt = StreamWorkload(config(server.url), (CLIP,), NO_CREDENTIALS).new_attempt(caller, CLIP, True)
        assert attempt.state == "connecting"
        records: list[UtteranceRecord] = []

        def talk() -> None:
            try:
                attempt.run()
            except Cut:
                records.append(record_of(*attempt.interrupt("the run ended first")))
                caller.disconnect()

        greenlet = gevent.spawn(talk)
        eventually(has_heard.is_set)
        assert attempt.state in ("speaking", "waiting")
        greenlet.kill(Cut, timeout=DEADLINE_S)
    (record,) = records
    assert (record.outcome, record.error) == (Outcome.INTERRUPTED, "the run ended first")
    assert record.frames >= 1 and record.audio_s == pytest.approx(record.frames * 0.096)
    assert record.connect_s is not None and record.stream_start_s is not None and record.connection_age_s is not None
    assert record.pacing_lag_max_s is not None
    assert (record.eos_latency_s, record.text) == (None, "")


def test_nobody_listening_is_an_outcome_and_no_connection_is_kept_open() -> None:
    caller = Caller(0, 0, 1)
    with raw_server(answer) as server:
        url = server.url
    record = play(StreamWorkload(config(url), (CLIP,), NO_CREDENTIALS), caller)
    assert (record.outcome, record.frames, record.stream_start_s) == (Outcome.REFUSED, 0, None)
    caller.disconnect()


def test_a_verbose_run_logs_every_message_with_its_caller_clip_and_time(caplog: pytest.LogCaptureFixture) -> None:
    with raw_server(answer) as server, caplog.at_level(logging.INFO, "stt_load.messages"):
        play(StreamWorkload(config(server.url, verbose=True), (CLIP,), Credentials("s3cret")), Caller(3, 7, 1))
    assert all(line.startswith("worker 3 caller 7 clip ") for line in caplog.messages)
    assert sum("3072 bytes" in line for line in caplog.messages) == N_FRAMES
    assert any(line.endswith('s from end of speech < {"text": "one"}') for line in caplog.messages)


def test_a_probe_shows_every_message_but_not_every_frame() -> None:
    shown: list[str] = []
    with raw_server(answer) as server:
        asked = config(server.url)
        record = record_of(*StreamWorkload.probe(asked, CLIP, NO_CREDENTIALS, shown.append))
    assert (record.outcome, record.text, record.stamp) == (Outcome.OK, "one", "kernel")
    told = [line.split(maxsplit=1)[1] for line in shown[1:]]
    assert told == [
        "> first frame sent",
        "> end of speech sent",
        '< {"status":"queued"}   (SegmentPending)',
        f"> last frame sent, {N_FRAMES} in all",
        '< {"text": "one"}   (Final)',
    ]
    facts = dict(StreamWorkload.probe_facts(asked, record))
    assert facts["EOS latency"].endswith(" ms")
    assert "the server notices 0.5 s of silence" in facts["end of utterance"]


def test_more_silence_is_tried_where_a_server_that_speaks_the_dialect_may_still_wait_for_it() -> None:
    asked = config("ws://localhost:1/")
    timed_out = UtteranceRecord(
        *("r", 0, 0, 0, "probe", 1, "c", ""), outcome="timed_out", end="server", frames=20, understood=True
    )
    silence_s = asked.trailing_silence_s + MORE_SILENCE_S
    assert StreamWorkload.retry_options(asked, timed_out) == {"trailing_silence": f"{silence_s:g}s"}
    for changes in ({"outcome": "refused"}, {"end": "client"}, {"frames": 0}, {"understood": False}):
        assert StreamWorkload.retry_options(asked, msgspec.structs.replace(timed_out, **changes)) == {}


def test_the_one_other_dialect_is_tried_without_the_options_of_this_one() -> None:
    asked = config("ws://localhost:1/")
    record = UtteranceRecord("r", 0, 0, 0, "probe", 1, "c", "", outcome="timed_out", other_dialects=["vosk"])
    options = StreamWorkload.retry_options(asked, record)
    assert (options["dialect"], options["dialect_option"]) == ("vosk", ())
    undecided = msgspec.structs.replace(record, other_dialects=["vosk", "sherpa-onnx"])
    assert StreamWorkload.retry_options(asked, undecided) == {}


def test_clips_come_at_the_rate_that_the_server_takes() -> None:
    clips = StreamWorkload.choose_clips(config("ws://localhost:1/", dialect="kyutai", trailing_silence=None))
    assert {found.sample_rate_hz for found in clips.clips} == {24_000}
