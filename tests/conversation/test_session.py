"""Turns under a fake clock, against servers that are late and deaf by exactly known amounts.

The clip's speech is from 0.1 to 0.6 s, in frames of 100 ms. The server is ready at 0.02: the stream starts then, and
the speech ends at 0.62. Arrivals are seconds after the dial."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from fakes import FRAME, START_S, FakeClock, FakeDriver, ScriptedTransport, clip, record_of

from stt_load.conversation.microphone import MicrophoneFrames
from stt_load.conversation.realtime import RealtimeConversation
from stt_load.conversation.session import Turn, TurnRules
from stt_load.credentials import Credentials
from stt_load.dialects.base import End, Settings
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, Outcome, SttLoadError
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.records import UtteranceRecord
from stt_load.session.encoded_clip import encode_clip

READY_S, SPEECH_END_S = 0.02, 0.62
RATE_HZ = 16_000
UPDATED = '{"type":"session.updated"}'
HEARD = '{"type":"input_audio_buffer.speech_started"}'


def begun(name: str = "r1") -> str:
    return json.dumps({"type": "response.created", "response": {"id": name}})


def audio(seconds: float, name: str = "r1") -> str:
    pcm = base64.b64encode(b"\x01\x00" * round(seconds * RATE_HZ)).decode()
    return json.dumps({"type": "response.output_audio.delta", "response_id": name, "delta": pcm})


def done(name: str = "r1", status: str = "completed") -> str:
    return json.dumps({"type": "response.done", "response": {"id": name, "status": status}})


Arrivals = Sequence[tuple[float, Message | SttLoadError]]


def converse(
    arrivals: Arrivals, end: End = "server", barge_in_s: float | None = None, **transport: Any
) -> tuple[UtteranceRecord, ScriptedTransport]:
    """One turn, from the dial to its end."""
    clock = FakeClock()
    connection = ScriptedTransport(clock, [(READY_S, UPDATED), *arrivals], **transport)
    dialect = RealtimeConversation(Settings({"sample_rate": RATE_HZ}, end, Credentials("s3cret")))
    encoded = encode_clip(clip(), FRAME, 0.0, dialect)
    (silent,) = dialect.encode(bytes(FRAME.frame_bytes))
    frames = MicrophoneFrames(encoded, (dialect.carrier.prepared_class()(silent),))
    turn = Turn(dialect, encoded, frames, TurnRules(5.0, barge_in_s=barge_in_s), clock())
    caller = CallerConnection(dialect, connection, "ws://server/v1/realtime", FakeDriver(clock))
    caller.run(turn)
    return record_of(*turn.measure(clock()), caller.latest_use), connection


def sent_by(connection: ScriptedTransport) -> list[tuple[float, dict[str, Any]]]:
    return [(round(at_s, 6), json.loads(message)) for at_s, message in connection.sent]


def test_the_answer_is_timed_from_the_end_of_speech_on_the_schedule() -> None:
    record, _ = converse([(1.00, begun()), (1.12, audio(0.5)), (1.30, audio(0.5)), (1.40, done())])
    assert record.outcome == Outcome.OK, record.error
    assert record.voice_to_voice_s == pytest.approx(1.12 - SPEECH_END_S)
    assert (record.answer_s, record.early_answers) == (pytest.approx(1.0), 0)
    assert (record.underruns, record.gap_max_s) == (0, pytest.approx(0.18))
    assert (record.barge_in_stop_s, record.ready_s) == (None, pytest.approx(READY_S))


def test_the_caller_listens_to_the_end_with_its_microphone_on() -> None:
    """A second of audio that came at 1.12 is heard at 2.12: the first frame after that ends the turn."""
    record, connection = converse([(1.00, begun()), (1.12, audio(1.0)), (1.13, done())])
    frames = [at_s for at_s, message in sent_by(connection) if message["type"] == "input_audio_buffer.append"]
    assert frames == pytest.approx([READY_S + 0.1 * number for number in range(1, len(frames) + 1)])
    assert 2.12 - 0.1 <= frames[-1] <= 2.22
    assert record.audio_s == pytest.approx(0.1 * len(frames))
    assert record.speech_s == pytest.approx(0.5)


def test_an_answer_that_halts_has_a_gap_an_underrun_and_a_stall_of_that_length() -> None:
    """0.1 s of audio came at 1.0: a player is empty at 1.1, and the rest comes at 1.7."""
    record, _ = converse([(0.9, begun()), (1.0, audio(0.1)), (1.7, audio(0.3)), (1.7, done())])
    assert record.gap_max_s == pytest.approx(0.7)
    assert (record.underruns, record.stall_s) == (1, pytest.approx(0.6))


def test_audio_of_an_answer_that_the_server_has_ended_is_no_part_of_it() -> None:
    record, _ = converse([(1.0, begun()), (1.0, audio(0.5)), (1.1, done()), (1.4, audio(0.5))])
    assert (record.answer_s, record.gap_max_s, record.underruns) == (pytest.approx(0.5), 0.0, 0)


def test_an_answer_that_began_before_the_caller_had_finished_is_counted_and_not_timed() -> None:
    record, _ = converse(
        [
            (0.30, begun("r0")),
            (0.40, audio(0.2, "r0")),
            (0.70, audio(0.2, "r0")),
            (0.71, done("r0", "cancelled")),
            (1.00, begun("r1")),
            (1.22, audio(0.2, "r1")),
            (1.30, done("r1")),
        ]
    )
    assert record.outcome == Outcome.OK, record.error
    assert (record.early_answers, record.voice_to_voice_s) == (1, pytest.approx(0.6))
    assert record.answer_s == pytest.approx(0.2)


def test_a_client_that_ends_its_turn_says_so_with_the_frame_that_ends_the_speech() -> None:
    record, connection = converse([(0.80, begun()), (0.92, audio(0.2)), (0.95, done())], end="client")
    told = [(at_s, message["type"]) for at_s, message in sent_by(connection) if "append" not in message["type"]]
    assert told[1:] == [
        (READY_S, "input_audio_buffer.clear"),
        (SPEECH_END_S, "input_audio_buffer.commit"),
        (SPEECH_END_S, "response.create"),
    ]
    assert (record.end, record.voice_to_voice_s) == ("client", pytest.approx(0.3))


def test_a_caller_who_breaks_in_is_timed_until_the_server_has_told_and_its_last_audio_is_there() -> None:
    """First audio at 1.02, and 0.5 s later the caller speaks: the frame that begins at 1.52 has its first sound. The
    server hears it at 1.80, and its last audio is there at 2.02."""
    record, connection = converse(
        [
            *[(0.90, begun()), (1.02, audio(3.0)), (1.80, HEARD)],
            *[(2.02, audio(0.1)), (2.10, done("r1", "cancelled"))],
        ],
        barge_in_s=0.5,
    )
    assert record.outcome == Outcome.OK, record.error
    assert record.barge_in_stop_s == pytest.approx(2.02 - 1.52)
    frames = [(at_s, message) for at_s, message in sent_by(connection) if message["type"].endswith("append")]
    loud = [at_s for at_s, message in frames if not message["audio"].startswith("AAAA")]
    assert min(at_s for at_s in loud if at_s > 1.0) == pytest.approx(1.62)
    assert "response.cancel" not in [message["type"] for _, message in sent_by(connection)]


def test_a_client_that_breaks_in_cancels_the_answer_and_is_timed_until_that_is_done() -> None:
    record, connection = converse(
        [(0.90, begun()), (1.02, audio(3.0)), (1.90, audio(0.1)), (1.97, done("r1", "cancelled"))],
        end="client",
        barge_in_s=0.5,
    )
    assert record.barge_in_stop_s == pytest.approx(1.97 - 1.52)
    (cancelled_s,) = [at_s for at_s, message in sent_by(connection) if message["type"] == "response.cancel"]
    assert 1.52 <= cancelled_s <= 1.63


def test_a_server_that_goes_on_to_the_end_has_stopped_no_sooner() -> None:
    record, _ = converse(
        [(0.90, begun()), (1.02, audio(3.0)), (3.50, audio(0.1)), (3.52, done())],
        barge_in_s=0.5,
    )
    assert record.barge_in_stop_s == pytest.approx(2.0)


def test_an_answer_that_was_there_at_once_stops_when_the_server_says_that_it_hears_the_caller() -> None:
    record, _ = converse([(0.90, begun()), (1.02, audio(3.0)), (1.03, done()), (1.77, HEARD)], barge_in_s=0.5)
    assert record.barge_in_stop_s == pytest.approx(0.25)


def test_a_client_that_breaks_in_on_an_answer_that_was_there_at_once_stops_nothing() -> None:
    record, connection = converse([(0.90, begun()), (1.02, audio(3.0)), (1.03, done())], end="client", barge_in_s=0.5)
    assert (record.outcome, record.barge_in_stop_s) == (Outcome.OK, None)
    assert "response.cancel" not in [message["type"] for _, message in sent_by(connection)]


def test_the_end_of_another_answer_ends_nothing() -> None:
    record, _ = converse([(0.90, begun()), (1.02, audio(0.5)), (1.10, done("r9")), (1.20, audio(0.5)), (1.21, done())])
    assert record.answer_s == pytest.approx(1.0)


def test_nobody_breaks_in_on_an_answer_that_is_heard_sooner() -> None:
    record, _ = converse([(0.90, begun()), (1.02, audio(0.3)), (1.03, done())], barge_in_s=0.5)
    assert (record.outcome, record.barge_in_stop_s) == (Outcome.OK, None)


@pytest.mark.parametrize(
    ("arrivals", "outcome", "error"),
    [
        ([], Outcome.TIMED_OUT, "no answer within 5 s of the end of speech"),
        ([(1.0, begun()), (1.1, audio(0.1))], Outcome.TIMED_OUT, "the answer had not ended 5 s after"),
        ([(0.3, begun())], Outcome.TIMED_OUT, "the server answered before the caller had finished"),
        ([(1.0, begun()), (1.1, done())], Outcome.NO_FINAL, "the server answered without speech"),
        ([(1.0, begun()), (1.1, done("r1", "failed"))], Outcome.SERVER_ERROR, "the answer failed: no reason given"),
        ([(1.0, '{"type":"error","error":{"type":"server_error","message":"s3cret"}}')], Outcome.SERVER_ERROR, ""),
        ([(1.0, begun()), (1.1, "{")], Outcome.PROTOCOL_ERROR, "not JSON"),
        ([(1.0, ConnectionLost("gone"))], Outcome.DISCONNECTED, "gone"),
        (
            [
                (0.9, '{"type":"error","error":{"type":"invalid_request_error","message":"a hint"}}'),
                (1.0, ConnectionLost("gone")),
            ],
            Outcome.DISCONNECTED,
            "gone; the server said before: a hint",
        ),
    ],
)
def test_what_goes_wrong_has_its_outcome(arrivals: Arrivals, outcome: Outcome, error: str) -> None:
    record, _ = converse(arrivals)
    assert record.outcome == outcome
    assert record.error is not None and record.error.startswith(error) and "s3cret" not in record.error
    assert (record.voice_to_voice_s, record.underruns) == (None, None)


def test_a_server_that_does_not_stop_is_given_up() -> None:
    arrivals = [(0.9, begun()), *[(1.02 + 0.2 * number, audio(0.2)) for number in range(60)]]
    record, _ = converse(arrivals, barge_in_s=0.5)
    assert record.outcome == Outcome.TIMED_OUT
    assert record.error == "the server did not stop within 5 s of being spoken over"


def test_frames_that_our_own_side_sent_late_are_pacing_lag_and_count_against_the_server() -> None:
    record, _ = converse([(1.00, begun()), (1.12, audio(0.2)), (1.40, done())], send_takes_s=(0.0, 0.0, 0.0, 0.15, 0.0))
    assert (record.frames_late, record.late_runs) == (2, [(2, 2)])
    assert record.voice_to_voice_s == pytest.approx(0.5)


def test_a_turn_that_is_cut_says_so() -> None:
    clock = FakeClock()
    dialect = RealtimeConversation(Settings({"sample_rate": RATE_HZ}))
    encoded = encode_clip(clip(), FRAME, 0.0, dialect)
    turn = Turn(dialect, encoded, MicrophoneFrames(encoded, ()), TurnRules(), clock())
    turn.on_open(START_S)
    turn.interrupt("the run ended first")
    record = record_of(*turn.measure(clock()))
    assert (record.outcome, record.error) == (Outcome.INTERRUPTED, "the run ended first")
