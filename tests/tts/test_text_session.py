"""Texts under a fake clock, against servers that are late by exactly known amounts.

20 tokens a second: token k (from 0) is due at 0.05 (k + 1). "One two three four" is all out at 0.20."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fakes import START_S, FakeClock, FakeDriver, ScriptedTransport, record_of

from stt_load.credentials import Credentials
from stt_load.dialects.base import Settings
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, Outcome, Refusal, SttLoadError
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.advice import Advisor
from stt_load.tts.text_pieces import encode_text
from stt_load.tts.text_session import TextSession
from stt_load.tts.text_stream import SglangOmniSpeech, TextStreamDialect, VllmOmniSpeech
from stt_load.workloads.text_stream import TextStreamRequest
from stt_load.workloads.tts import tts_figures

TEXT, TOKENS_PER_S, LAST_DUE_S = "One two three four", 20.0, 0.20
FIRST_DUE_S = 0.05
START = '{"type":"audio.start","format":"pcm","sample_rate":24000}'
DONE = '{"type":"session.done","total_sentences":1}'
CONFIGURED = '{"type":"session.configured"}'


def audio(seconds: float, rate_hz: int = 24_000, channels: int = 1) -> bytes:
    return b"\x01\x00" * round(seconds * rate_hz * channels)


def feed(
    arrivals: Sequence[tuple[float, Message | SttLoadError]],
    kind: type[TextStreamDialect] = VllmOmniSpeech,
    rules: SessionRules | None = None,
    **transport: Any,
) -> tuple[UtteranceRecord, ScriptedTransport]:
    """One text, from the dial to the end. `arrivals`: seconds after the dial, which takes no time."""
    clock = FakeClock()
    connection = ScriptedTransport(clock, arrivals, **transport)
    dialect = kind(Settings({}, "client", Credentials("s3cret")))
    session = TextSession(dialect, encode_text(TEXT, dialect, TOKENS_PER_S), rules or SessionRules(5.0), clock())
    request = TextStreamRequest(
        CallerConnection(dialect, connection, "ws://server/ws", FakeDriver(clock)), session, None
    )
    result, sent = request.run(), request.sent
    figures = tts_figures(result, False, clock() - START_S)
    return record_of(figures, *([sent] if sent else [])), connection


def test_audio_is_timed_from_the_first_token_and_from_the_last() -> None:
    record, server = feed([(0.45, START), (0.45, audio(0.5)), (0.80, audio(0.5)), (0.80, DONE)])
    assert record.outcome == Outcome.OK, record.error
    assert record.first_audio_s == pytest.approx(0.45 - FIRST_DUE_S)
    assert record.after_text_s == pytest.approx(0.45 - LAST_DUE_S)
    assert record.total_s == pytest.approx(0.80 - FIRST_DUE_S)
    assert record.audio_s == pytest.approx(1.0)
    assert record.rtf == pytest.approx(0.75)
    assert (record.frames, record.text_s) == (4, pytest.approx(0.2))
    sent = [(at_s, json.loads(message)) for at_s, message in server.sent]
    assert [message["type"] for _, message in sent] == ["session.config", *4 * ["input.text"], "input.done"]
    assert [at_s for at_s, _ in sent] == pytest.approx([0.0, 0.05, 0.10, 0.15, 0.20, 0.20])
    assert "".join(message.get("text", "") for _, message in sent) == TEXT


def test_a_server_may_speak_before_the_text_has_ended() -> None:
    record, _ = feed([(0.12, START), (0.12, audio(1.0)), (0.90, DONE)])
    assert record.first_audio_s == pytest.approx(0.07)
    assert record.after_text_s == pytest.approx(-0.08)


def test_speech_that_halts_has_a_gap_an_underrun_and_a_stall_of_that_length() -> None:
    """A player begins with 0.1 s of audio: it runs dry 0.2 s after the first chunk, and the third comes 0.55 s after
    that."""
    record, _ = feed([(0.40, START), (0.40, audio(0.1)), (0.45, audio(0.1)), (1.15, audio(0.1)), (1.15, DONE)])
    assert record.gap_max_s == pytest.approx(0.70)
    assert (record.underruns, record.stall_s) == (1, pytest.approx(0.55))


def test_an_answer_in_one_piece_is_a_first_audio_too_because_the_text_was_not_whole() -> None:
    record, _ = feed([(0.79, START), (0.79, audio(2.0)), (0.80, DONE)])
    assert record.first_audio_s == pytest.approx(0.74)
    assert (record.gap_max_s, record.underruns) == (0.0, 0)


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2)])
def test_seconds_are_told_by_the_servers_own_format(rate_hz: int, channels: int) -> None:
    start = json.dumps({"type": "audio.start", "sample_rate": rate_hz, "channels": channels})
    record, _ = feed([(0.4, start), (0.4, audio(1.5, rate_hz, channels)), (0.5, DONE)])
    assert record.audio_s == pytest.approx(1.5)


def test_a_server_that_does_not_say_its_rate_speaks_at_24_khz_or_as_it_said_before() -> None:
    bare, told = '{"type":"audio.start","format":"pcm"}', START.replace("24000", "16000")
    record, _ = feed([(0.4, bare), (0.4, audio(0.5)), (0.5, DONE)])
    assert record.audio_s == pytest.approx(0.5)
    record, _ = feed([(0.4, told), (0.4, audio(0.5, 16_000)), (0.4, bare), (0.4, audio(0.5, 16_000)), (0.5, DONE)])
    assert record.audio_s == pytest.approx(1.0)


def test_a_server_that_is_done_before_it_is_configured_is_a_breach_of_the_protocol() -> None:
    record, _ = feed([(0.1, DONE)], kind=SglangOmniSpeech)
    assert (record.outcome, record.error) == (
        Outcome.PROTOCOL_ERROR,
        "the end of the speech came before any text was sent",
    )


def test_the_text_waits_for_a_server_that_says_when_it_is_configured() -> None:
    """Its first token is due 0.05 s after that, at 0.35."""
    record, server = feed([(0.30, CONFIGURED), (0.60, START), (0.60, audio(1.0)), (0.70, DONE)], kind=SglangOmniSpeech)
    assert record.first_audio_s == pytest.approx(0.25)
    assert [at_s for at_s, _ in server.sent][1] == pytest.approx(0.35)


def test_a_server_that_is_never_configured_is_given_up() -> None:
    record, _ = feed([], kind=SglangOmniSpeech, rules=SessionRules(5.0, ready_timeout_s=2.0))
    assert (record.outcome, record.error) == (
        Outcome.TIMED_OUT,
        "the server did not say within 2 s that it is configured",
    )
    assert "--api vllm-omni" in (Advisor().find_advice(record) or "")


def test_speech_that_does_not_end_is_given_up_so_long_after_the_last_token() -> None:
    record, _ = feed([(0.4, START), (0.4, audio(1.0))])
    assert (record.outcome, record.error) == (Outcome.TIMED_OUT, "the speech had not ended 5 s after the last token")
    assert record.duration_s == pytest.approx(5.2)
    assert (record.total_s, record.first_audio_s, record.after_text_s) == (None, None, None)


def test_tokens_that_our_own_side_sent_late_are_pacing_lag_and_count_against_the_server() -> None:
    """The config takes 0.13 s to be handed over: the tokens due at 0.05 and 0.10 go out at 0.13."""
    record, _ = feed([(0.40, START), (0.40, audio(1.0)), (0.50, DONE)], send_takes_s=(0.13, 0.0))
    assert record.pacing_lag_max_s == pytest.approx(0.08)
    assert (record.frames_late, record.late_runs) == (2, [(0, 2)])
    assert record.first_audio_s == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("arrivals", "outcome", "error"),
    [
        ([(0.4, '{"type":"error","message":"Generation failed: s3cret"}')], Outcome.SERVER_ERROR, "Generation failed"),
        ([(0.4, START), (0.4, "{")], Outcome.PROTOCOL_ERROR, "not JSON"),
        ([(0.4, DONE)], Outcome.NO_FINAL, "the answer holds no audio"),
        ([(0.4, START), (0.4, audio(1.0)), (0.5, ConnectionLost("gone"))], Outcome.DISCONNECTED, "gone"),
        ([(0.1, ConnectionLost("closed by the server with 1013", 1013))], Outcome.REFUSED, "closed by the server"),
        ([(0.03, audio(0.1))], Outcome.PROTOCOL_ERROR, "audio came before any text was sent"),
        ([(0.03, DONE)], Outcome.PROTOCOL_ERROR, "the end of the speech came before any text was sent"),
        ([(0.12, audio(0.1)), (0.13, DONE)], Outcome.PROTOCOL_ERROR, "the server ended the speech before the text had"),
        (
            [(0.4, START), (0.4, audio(0.1)), (0.5, START.replace("24000", "16000"))],
            Outcome.PROTOCOL_ERROR,
            "16,000 samples a second follow audio of 24,000",
        ),
    ],
)
def test_what_goes_wrong_has_its_outcome(
    arrivals: Sequence[tuple[float, Message | SttLoadError]], outcome: Outcome, error: str
) -> None:
    record, _ = feed(arrivals)
    assert record.outcome == outcome
    assert record.error is not None and record.error.startswith(error) and "s3cret" not in record.error
    assert record.total_s is None


def test_a_refused_config_is_a_refusal() -> None:
    record, _ = feed([(0.01, '{"type":"error","message":"Invalid session config: no such voice"}')])
    assert (record.outcome, record.refusal) == (Outcome.REFUSED, Refusal.PARAMETERS)


def test_a_server_that_hangs_up_in_mid_text_is_told_what_may_help() -> None:
    record, _ = feed([(0.0, CONFIGURED), (0.18, ConnectionLost("closed with 1000", 1000))], kind=SglangOmniSpeech)
    assert record.outcome == Outcome.DISCONNECTED
    assert record.error is not None and "tokens_per_message" in record.error


def test_a_text_that_is_cut_says_so_and_keeps_what_was_sent() -> None:
    clock = FakeClock()
    dialect = VllmOmniSpeech(Settings({}, "client"))
    session = TextSession(dialect, encode_text(TEXT, dialect, TOKENS_PER_S), SessionRules(5.0), clock())
    connection = CallerConnection(dialect, ScriptedTransport(clock), "ws://server/ws", FakeDriver(clock))
    request = TextStreamRequest(connection, session, None)
    session.on_open(clock())
    result = request.interrupt("the run ended first")
    assert (result.outcome, result.error) == (Outcome.INTERRUPTED, "the run ended first")
    assert request.sent is not None and request.sent.frames == 0
