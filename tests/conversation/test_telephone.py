"""Calls under a fake clock, to voice agents that are late and deaf by exactly known amounts, over both kinds of line.

The caller's speech is from 0.1 to 0.6 s, in frames of 20 ms, and the stream starts with the connection, at 0. Arrivals
are seconds after that."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from fakes import START_S, FakeClock, FakeDriver, FakePoller, ScriptedTransport, record_of

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule
from stt_load.audio.line_codecs import MULAW
from stt_load.conversation.audiosocket import AUDIO_KINDS, CALL, ERROR, HANG_UP, message_length, packet
from stt_load.conversation.line import SOUND_LEVEL, int16_audio, mulaw_audio
from stt_load.conversation.microphone import MicrophoneFrames
from stt_load.conversation.registry import CONVERSATIONS
from stt_load.conversation.session import Turn, TurnRules
from stt_load.conversation.telephone import TelephoneDialect
from stt_load.dialects.base import Settings
from stt_load.dialects.events import HungUp, PlaybackCleared, PlaybackMark, ServerError, SilentAudio, SpeechAudio
from stt_load.errors import ConfigError, ConnectionLost, Outcome, ProtocolError, StreamEnded, SttLoadError
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.in_flight import InFlight, Opening
from stt_load.pacing.pacer import Pacer
from stt_load.records import UtteranceRecord
from stt_load.session.advice import Advisor
from stt_load.session.encoded_clip import encode_clip

RATE_HZ, FRAME_S, SPEECH_END_S = 8_000, 0.02, 0.6
FRAME = FrameRule(asked_ms=20, samples=160, sample_rate_hz=RATE_HZ)
SPEECH = Clip("c", "words", np.resize(np.array([8_000, -8_000], np.int16), 4_800), RATE_HZ, 0.1, SPEECH_END_S)
TWILIO, AUDIOSOCKET = "conversation-twilio", "conversation-audiosocket"
Arrivals = Sequence[tuple[float, Any]]


def loud(seconds: float) -> bytes:
    return np.resize(np.array([8_000, -8_000], "<i2"), round(seconds * RATE_HZ)).tobytes()


def silent(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE_HZ))


def media(pcm: bytes) -> str:
    """A message of any length, as an agent sends it to Twilio."""
    payload = base64.b64encode(MULAW.encode(np.frombuffer(pcm, "<i2"))).decode()
    return json.dumps({"event": "media", "streamSid": "MZ1", "media": {"payload": payload}})


def mark(name: str) -> str:
    return json.dumps({"event": "mark", "streamSid": "MZ1", "mark": {"name": name}})


CLEAR = json.dumps({"event": "clear", "streamSid": "MZ1"})


def paced(at_s: float, pcm: bytes) -> list[tuple[float, bytes]]:
    """Frames at the pace of speech, as an agent sends them to Asterisk."""
    frames = [pcm[place : place + 320] for place in range(0, len(pcm), 320)]
    return [(at_s + FRAME_S * number, packet(0x10, frame)) for number, frame in enumerate(frames)]


def dialect_of(name: str, *options: str) -> TelephoneDialect:
    row = CONVERSATIONS[name]
    dialect = row.make(Settings(row.parse_options(options)))
    assert isinstance(dialect, TelephoneDialect)
    return dialect


def turn_of(dialect: TelephoneDialect, barge_in_s: float | None = None) -> Turn:
    encoded = encode_clip(SPEECH, FRAME, 0.0, dialect)
    silence = tuple(map(dialect.carrier.prepared_class(), dialect.encode(bytes(FRAME.frame_bytes))))
    return Turn(dialect, encoded, MicrophoneFrames(encoded, silence), TurnRules(5.0, barge_in_s=barge_in_s), START_S)


def call(
    name: str, arrivals: Iterable[tuple[float, Any]], *options: str, barge_in_s: float | None = None
) -> tuple[UtteranceRecord, ScriptedTransport]:
    """One call of one turn, from the dial to its end."""
    clock = FakeClock()
    transport = ScriptedTransport(clock, sorted(arrivals, key=lambda arrival: arrival[0]))
    dialect = dialect_of(name, *options)
    turn = turn_of(dialect, barge_in_s)
    caller = CallerConnection(dialect, transport, "ws://server/", FakeDriver(clock), utterances=2)
    caller.run(turn)
    return record_of(*turn.measure(clock()), caller.latest_use), transport


def told(transport: ScriptedTransport, event: str) -> list[tuple[float, str]]:
    """When what was sent of one kind: its whole text."""
    return [(at_s, text) for at_s, text in transport.sent if isinstance(text, str) and f'"event": "{event}"' in text]


def test_an_answer_is_heard_from_its_first_sound_and_has_ended_when_it_was_quiet_for_two_seconds() -> None:
    record, transport = call(TWILIO, [(1.1, media(loud(1.0)))])
    assert record.outcome == Outcome.OK, record.error
    assert (record.voice_to_voice_s, record.answer_s) == (pytest.approx(0.5), pytest.approx(1.0))
    assert (record.underruns, record.early_answers, record.ready_s) == (0, 0, 0.0)
    assert (record.text, record.wer) == ("", None)
    frames = [at_s for at_s, _ in told(transport, "media")]
    assert frames == pytest.approx([FRAME_S * number for number in range(1, len(frames) + 1)])
    assert frames[-1] == pytest.approx(1.1 + 1.0 + 2.0, abs=FRAME_S)


def test_silence_that_a_server_sends_for_comfort_is_no_answer_and_no_part_of_one() -> None:
    answer = loud(0.5) + silent(0.3) + loud(0.2)
    record, _ = call(AUDIOSOCKET, paced(0.0, silent(1.1) + answer + silent(3.0)))
    assert record.outcome == Outcome.OK, record.error
    assert (record.voice_to_voice_s, record.answer_s) == (pytest.approx(0.5), pytest.approx(1.0))
    assert (record.underruns, record.gap_max_s, record.early_answers) == (0, pytest.approx(FRAME_S), 0)


@pytest.mark.parametrize(
    ("arrivals", "voice_to_voice_s"),
    [
        ([(1.1, media(silent(0.3) + loud(0.5) + silent(0.2)))], 0.8),  # silence at the head of the answer
        ([(1.0, media(silent(1.0))), (1.1, media(loud(0.5)))], 1.4),  # behind what is still played
    ],
)
def test_the_first_sound_is_heard_when_it_is_played(arrivals: Arrivals, voice_to_voice_s: float) -> None:
    record, _ = call(TWILIO, arrivals)
    assert (record.voice_to_voice_s, record.answer_s) == (pytest.approx(voice_to_voice_s), pytest.approx(0.5))


def test_an_answer_that_halts_has_a_gap_an_underrun_and_a_stall_of_that_length() -> None:
    """A player begins 0.1 s behind, at 1.1, is empty at 1.3, and begins again at 1.8."""
    record, _ = call(AUDIOSOCKET, [*paced(1.0, loud(0.2)), *paced(1.7, loud(0.3))])
    assert record.gap_max_s == pytest.approx(0.52)
    assert (record.underruns, record.stall_s) == (1, pytest.approx(0.5))
    assert record.answer_s == pytest.approx(0.5)


def test_an_early_answer_that_fell_silent_while_the_caller_spoke_is_not_the_one_that_follows_in_half_a_second() -> None:
    """Over AudioSocket nothing takes back what was sent. The early one ends at 0.5, the other begins at 1.0."""
    record, _ = call(AUDIOSOCKET, [*paced(0.3, loud(0.2)), *paced(1.0, loud(0.5))])
    assert record.outcome == Outcome.OK, record.error
    assert (record.early_answers, record.voice_to_voice_s) == (1, pytest.approx(0.4))
    record, _ = call(AUDIOSOCKET, [*paced(0.3, loud(0.4)), *paced(1.3, loud(0.5))])
    assert record.outcome == Outcome.TIMED_OUT, "it goes on where the caller has finished, after a pause between words"


def test_silence_that_was_held_up_delays_no_answer_over_audiosocket() -> None:
    """Frames of 0.3 s come together, at 0.8, and the answer begins in time, at 1.0."""
    arrivals = [(0.8 if 0.5 < at_s < 0.8 else at_s, frame) for at_s, frame in paced(0.0, silent(1.0))]
    record, _ = call(AUDIOSOCKET, [*arrivals, *paced(1.0, loud(0.5) + silent(3.0))])
    assert record.voice_to_voice_s == pytest.approx(0.4, abs=FRAME_S)
    # What comes at once after nothing came is the head of an answer.
    record, _ = call(AUDIOSOCKET, [(1.0, packet(0x10, silent(0.02)))] * 20 + [(1.0, packet(0x10, loud(0.5)))])
    assert record.voice_to_voice_s == pytest.approx(0.8)


def test_large_pieces_that_come_at_the_pace_of_speech_and_a_hair_late_are_no_underruns() -> None:
    arrivals = [(1.0 + 0.1 * number + 0.03 * (number % 2), media(loud(0.1))) for number in range(10)]
    record, _ = call(TWILIO, arrivals)
    assert (record.underruns, record.answer_s) == (0, pytest.approx(1.0))


def test_quiet_that_is_long_enough_ends_an_answer_and_the_options_say_how_long() -> None:
    arrivals = [(1.0, media(loud(0.2))), (2.5, media(loud(0.2)))]
    assert call(TWILIO, arrivals)[0].answer_s == pytest.approx(0.4)
    assert call(TWILIO, arrivals, "quiet_ms=1200")[0].answer_s == pytest.approx(0.2)


def test_a_mark_comes_back_when_what_was_sent_before_it_is_played() -> None:
    arrivals = [(0.5, mark("nothing before")), (1.1, media(loud(1.0))), (1.1, mark("100 %")), (1.2, mark("next"))]
    _, transport = call(TWILIO, arrivals)
    marks = [(at_s, json.loads(text)["mark"]["name"]) for at_s, text in told(transport, "mark")]
    assert [name for _, name in marks] == ["nothing before", "100 %", "next"]
    assert marks[0][0] == pytest.approx(0.5)
    for at_s, _ in marks[1:]:
        assert 2.1 - 1e-6 <= at_s <= 2.1 + FRAME_S + 1e-6


def test_a_clear_ends_what_is_played_and_brings_its_marks_back_at_once() -> None:
    record, transport = call(TWILIO, [(1.1, media(loud(3.0))), (1.1, mark("a")), (1.5, CLEAR)])
    assert record.answer_s == pytest.approx(0.4)
    assert [at_s for at_s, _ in told(transport, "mark")] == pytest.approx([1.5])


def test_a_clear_of_an_answer_that_nobody_heard_leaves_the_next_one_to_be_timed() -> None:
    arrivals = [(1.0, media(silent(1.0) + loud(0.5))), (1.2, CLEAR), (1.6, media(loud(0.5)))]
    record, _ = call(TWILIO, arrivals)
    assert (record.voice_to_voice_s, record.answer_s) == (pytest.approx(1.0), pytest.approx(0.5))


def test_over_twilio_an_answer_that_is_spoken_over_stops_with_the_clear() -> None:
    """First sound at 1.0, and 0.5 s later the caller speaks. The answer to that, at 3.5, is another one."""
    arrivals = [(1.0, media(loud(5.0))), (1.9, CLEAR), (3.5, media(loud(1.0)))]
    record, transport = call(TWILIO, arrivals, barge_in_s=0.5)
    assert record.outcome == Outcome.OK, record.error
    assert (record.barge_in_stop_s, record.voice_to_voice_s) == (pytest.approx(0.4), pytest.approx(0.4))
    said = [(at_s, json.loads(text)["media"]["payload"]) for at_s, text in told(transport, "media")]
    quiet = base64.b64encode(MULAW.encode(np.zeros(160, np.int16))).decode()
    assert min(at_s for at_s, payload in said if at_s > 1.0 and payload != quiet) == pytest.approx(1.52)
    assert transport.is_closed


def test_over_audiosocket_an_answer_that_is_spoken_over_stops_with_its_last_sound() -> None:
    record, _ = call(AUDIOSOCKET, paced(1.0, loud(0.9) + silent(3.0)), barge_in_s=0.5)
    assert record.outcome == Outcome.OK, record.error
    assert record.barge_in_stop_s == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("name", "arrivals"),
    [
        (TWILIO, [(1.0, media(loud(5.0))), (1.9, CLEAR), (2.6, media(loud(3.0)))]),
        (AUDIOSOCKET, [*paced(1.0, loud(0.9)), *paced(2.6, loud(3.0))]),
    ],
)
def test_a_quick_answer_to_a_caller_who_broke_in_is_not_the_one_that_it_broke_in_on(
    name: str, arrivals: Arrivals
) -> None:
    """It has finished with that at 2.0, and is answered at 2.6."""
    record, _ = call(name, arrivals, barge_in_s=0.5)
    assert (record.outcome, record.barge_in_stop_s) == (Outcome.OK, pytest.approx(0.4))


def test_sound_after_a_clear_has_not_stopped() -> None:
    record, _ = call(TWILIO, [(1.0, media(loud(5.0))), (1.7, CLEAR), (1.8, media(loud(0.4)))], barge_in_s=0.5)
    assert record.barge_in_stop_s == pytest.approx(2.2 - 1.5)


def test_nobody_breaks_in_on_an_answer_that_is_quiet_by_then() -> None:
    record, transport = call(AUDIOSOCKET, paced(1.0, loud(0.3) + silent(3.0)), barge_in_s=0.5)
    assert (record.outcome, record.barge_in_stop_s) == (Outcome.OK, None)
    assert not transport.is_closed


def test_a_server_that_does_not_stop_is_given_up() -> None:
    record, _ = call(AUDIOSOCKET, paced(1.0, loud(9.0)), barge_in_s=0.5)
    assert record.outcome == Outcome.TIMED_OUT
    assert record.error == "the answer did not stop within 5 s of being spoken over"


def test_a_caller_waits_for_the_greeting_in_silence_where_it_is_told_to() -> None:
    """It is sure that the greeting has ended a second later, at 2.2: its speech ends at 2.8."""
    greeting = [(0.2, media(loud(1.0)))]
    record, transport = call(TWILIO, [*greeting, (3.3, media(loud(0.5)))], "greeting=true")
    assert record.outcome == Outcome.OK, record.error
    assert record.ready_s == pytest.approx(0.2)
    assert record.voice_to_voice_s == pytest.approx(0.5, abs=FRAME_S)
    assert (record.early_answers, record.speech_s) == (0, pytest.approx(0.5))
    quiet = base64.b64encode(MULAW.encode(np.zeros(160, np.int16))).decode()
    assert all(quiet in text for at_s, text in told(transport, "media") if at_s < 2.2)
    # Without the option it is an answer that came too early.
    record, _ = call(TWILIO, [*greeting, (2.5, media(loud(0.5)))])
    assert (record.early_answers, record.voice_to_voice_s) == (1, pytest.approx(1.9))


def test_a_greeting_that_never_comes_is_given_up() -> None:
    record, _ = call(TWILIO, [], "greeting=true")
    assert (record.outcome, record.early_answers) == (Outcome.TIMED_OUT, 0)
    assert record.error == "no greeting was heard to its end within 10 s of the connection"
    assert "leave greeting=true out" in (Advisor().find_advice(record) or "")


CLOSED = ConnectionLost("closed by the server with 1000", 1000)


@pytest.mark.parametrize(
    ("name", "arrivals", "outcome", "error"),
    [
        (TWILIO, [], Outcome.TIMED_OUT, "no answer within 5 s of the end of speech"),
        (TWILIO, [(0.3, media(loud(0.2)))], Outcome.TIMED_OUT, "the server answered before the caller had finished"),
        (TWILIO, [(1.0, media(loud(9.0)))], Outcome.TIMED_OUT, "the answer had not ended within 5 s of its first"),
        (TWILIO, [(1.0, media(silent(9.0) + loud(1.0)))], Outcome.TIMED_OUT, "no answer within 5 s of the end of spee"),
        (TWILIO, [(1.0, CLOSED)], Outcome.DISCONNECTED, "the server hung up before it answered"),
        (TWILIO, [(0.4, CLOSED)], Outcome.DISCONNECTED, "the server hung up before the caller had spoken"),
        (TWILIO, [(1.0, media(loud(2.0))), (1.5, CLOSED)], Outcome.DISCONNECTED, "the server hung up 1.50 s before"),
        (TWILIO, [(1.0, media(loud(0.5))), (1.5, CLOSED)], Outcome.OK, ""),
        (TWILIO, [(1.0, media(loud(0.5))), (1.5, ConnectionLost("reset"))], Outcome.DISCONNECTED, "reset"),
        (TWILIO, [(1.0, '{"event":"media","media":{"payload":"?"}}')], Outcome.PROTOCOL_ERROR, "media without a"),
        (AUDIOSOCKET, [(1.0, packet(HANG_UP, b""))], Outcome.DISCONNECTED, "the server hung up before it answered"),
        (AUDIOSOCKET, [*paced(1.0, loud(0.5)), (1.5, packet(HANG_UP, b""))], Outcome.OK, ""),
        (AUDIOSOCKET, [*paced(1.0, loud(0.5)), (1.5, StreamEnded("closed"))], Outcome.OK, ""),
        (AUDIOSOCKET, [(1.0, packet(ERROR, b"\x04"))], Outcome.SERVER_ERROR, "the server sent an error (04)"),
        (AUDIOSOCKET, [(1.0, packet(0x03, b"5"))], Outcome.PROTOCOL_ERROR, "a message of type 0x03, at which Asterisk"),
        (AUDIOSOCKET, [(1.0, packet(0x10, b""))], Outcome.PROTOCOL_ERROR, "audio of no length, at which Asterisk"),
    ],
)
def test_how_a_call_ends_has_its_outcome(name: str, arrivals: Arrivals, outcome: Outcome, error: str) -> None:
    record, transport = call(name, arrivals)
    assert record.outcome == outcome, record.error
    assert (record.error or "").startswith(error)
    assert transport.is_closed, "nothing more can be said in a call that was hung up, or failed"


def test_another_turn_of_the_call_goes_on_without_another_start() -> None:
    clock = FakeClock()
    arrivals: list[tuple[float, str | SttLoadError]] = [(1.1, media(loud(0.5))), (4.7, media(loud(0.5)))]
    transport, dialect = ScriptedTransport(clock, arrivals), dialect_of(TWILIO, "greeting=false")
    caller = CallerConnection(dialect, transport, "ws://server/", FakeDriver(clock), utterances=2)
    turns = [turn_of(dialect), turn_of(dialect)]
    caller.run(turns[0])
    assert caller.prepare_reuse()
    caller.run(turns[1])
    assert [record_of(*turn.measure(clock())).outcome for turn in turns] == [Outcome.OK] * 2
    assert len(told(transport, "start")) == len(told(transport, "connected")) == 1


def test_silence_that_an_answer_ends_in_is_played_before_the_next_one_and_its_mark_comes_back_then() -> None:
    """The first turn is over at 3.6, when 4 s of silence are played until 5.6. The speech of the second ends at 4.2."""
    clock = FakeClock()
    arrivals = [(1.1, media(loud(0.5) + silent(4.0))), (1.1, mark("end")), (4.5, media(loud(0.5)))]
    transport, dialect = ScriptedTransport(clock, arrivals), dialect_of(TWILIO)
    caller = CallerConnection(dialect, transport, "ws://server/", FakeDriver(clock), utterances=2)
    caller.run(turn_of(dialect))
    assert caller.prepare_reuse()
    turn = turn_of(dialect)
    caller.run(turn)
    record = record_of(*turn.measure(clock()))
    assert record.voice_to_voice_s == pytest.approx(5.6 - 3.6 - SPEECH_END_S, abs=FRAME_S)
    ((marked_s, _),) = told(transport, "mark")
    assert marked_s == pytest.approx(5.6, abs=FRAME_S)


def test_a_mark_that_comes_between_two_turns_is_answered_in_the_next() -> None:
    clock = FakeClock()
    arrivals = [(1.1, media(loud(0.5))), (5.0, mark("a")), (8.0, media(loud(0.5)))]
    transport, dialect = ScriptedTransport(clock, arrivals), dialect_of(TWILIO)
    caller = CallerConnection(dialect, transport, "ws://server/", FakeDriver(clock), utterances=2)
    caller.run(turn_of(dialect))
    clock.move_to(START_S + 6.0)
    assert caller.prepare_reuse()
    caller.run(turn_of(dialect))
    assert len(told(transport, "mark")) == 1


def test_a_call_that_was_hung_up_between_two_turns_is_over() -> None:
    clock = FakeClock()
    arrivals = [*paced(1.0, loud(0.5)), (5.0, packet(HANG_UP, b""))]
    dialect = dialect_of(AUDIOSOCKET)
    transport = ScriptedTransport(clock, arrivals)
    caller = CallerConnection(dialect, transport, "tcp://server", FakeDriver(clock), utterances=2)
    caller.run(turn_of(dialect))
    clock.move_to(START_S + 6.0)
    assert not caller.prepare_reuse()
    assert transport.is_closed


@pytest.mark.parametrize("name", [TWILIO, AUDIOSOCKET])
@pytest.mark.parametrize("n_callers", [1, 40])
def test_what_was_set_is_measured_for_one_caller_and_for_forty(name: str, n_callers: int) -> None:
    """Each caller has an agent that answers, and stops when it is spoken over, later than that of the one before."""
    clock = FakeClock()
    pacer, playing = Pacer(FakePoller(clock), clock), []
    for number in range(n_callers):
        answered_s = SPEECH_END_S + 0.3 + 0.01 * number
        stopped_s = answered_s + 0.5 + 0.2 + 0.02 * number
        if name == TWILIO:
            arrivals: Arrivals = [(answered_s, media(loud(5.0))), (stopped_s, CLEAR)]
        else:
            arrivals = paced(answered_s, loud(stopped_s - answered_s))
        dialect = dialect_of(name)
        transport = ScriptedTransport(clock, arrivals)
        opening = Opening(START_S + 5.0, dialect.connect("ws://server/").first_messages)
        playing.append(InFlight(turn_of(dialect, barge_in_s=0.5), transport, opening))
    for in_flight in playing:
        pacer.add(in_flight)
    while not all(in_flight.is_done for in_flight in playing):
        pacer.run_round()
    for number, in_flight in enumerate(playing):
        assert isinstance(in_flight.session, Turn)
        record = record_of(*in_flight.session.measure(clock()))
        assert record.outcome == Outcome.OK, record.error
        assert record.voice_to_voice_s == pytest.approx(0.3 + 0.01 * number)
        # The caller breaks in with the first whole frame: up to one later.
        assert 0.2 + 0.02 * number - FRAME_S - 1e-6 <= (record.barge_in_stop_s or 0) <= 0.2 + 0.02 * number + 1e-6


def test_what_comes_over_the_wire_is_understood() -> None:
    twilio, asterisk = dialect_of(TWILIO), dialect_of(AUDIOSOCKET)
    assert twilio.read(mark("m")) == (PlaybackMark("m"),)
    assert twilio.read(CLEAR) == (PlaybackCleared(),)
    assert [type(twilio.read(media(pcm))[0]) for pcm in (loud(0.02), silent(0.02))] == [SpeechAudio, SilentAudio]
    assert asterisk.read(packet(HANG_UP, b"")) == (HungUp(),)
    assert asterisk.read(packet(ERROR, b"")) == (ServerError("the server sent an error"),)
    assert asterisk.read(packet(0x12, loud(0.02))) == (SpeechAudio(loud(0.02)),)
    assert asterisk.line_audio.rate_hz == 16_000
    with pytest.raises(ProtocolError):
        twilio.read('{"event":"media"}')


def test_asterisk_tells_the_call_first_and_frames_of_the_rate_that_was_asked_for() -> None:
    dialect, other = dialect_of(AUDIOSOCKET), dialect_of(AUDIOSOCKET, "sample_rate=16000")
    (first,), (again,) = (dialect.connect("tcp://x:1").first_messages for _ in range(2))
    assert isinstance(first, bytes)
    assert (first[:3], len(first)) == (bytes([CALL, 0, 16]), 19)
    assert first != again, "a call has a UUID of its own"
    assert dialect.encode(b"\x01\x02") == (b"\x10\x00\x02\x01\x02",)
    assert other.encode(b"\x01\x02") == (b"\x12\x00\x02\x01\x02",)
    assert (other.capabilities.sample_rate_hz, AUDIO_KINDS[192_000]) == (16_000, 0x18)
    assert [message_length(bytes.fromhex(begun)) for begun in ("", "1001", "100140", "000000")] == [None, None, 323, 3]
    with pytest.raises(ConfigError, match="no rate of AudioSocket"):
        dialect_of(AUDIOSOCKET, "sample_rate=11025")


def test_sound_is_told_from_silence_at_one_level_in_both_codecs() -> None:
    every = np.arange(256, dtype=np.uint8).tobytes()
    decoded = np.abs(MULAW.decode(every).astype(int))
    assert [mulaw_audio(RATE_HZ).has_sound(bytes([code])) for code in range(256)] == list(decoded >= SOUND_LEVEL)
    samples = np.array([0, 511, -512, 512, -513, 32_767, -32_768], "<i2")
    assert [int16_audio(RATE_HZ).has_sound(sample.tobytes()) for sample in samples] == [False] * 3 + [True] * 4
    pcm = silent(0.05) + loud(0.03) + silent(0.1)
    assert int16_audio(RATE_HZ).sound_in(pcm) == (pytest.approx(0.04), pytest.approx(0.08))
