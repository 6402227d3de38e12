"""One utterance under a fake clock: ten frames of 100 ms, speech from 0.1 to 0.6 s. Times from the stream's start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fakes import (
    FRAME,
    RATE_HZ,
    START_S,
    FakeClock,
    PlayedUtterance,
    ScriptedTransport,
    clip,
    one_second,
    record_of,
    run_utterance,
    speak,
)
from msgspec import structs

from stt_load.audio.clip import Clip
from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import (
    CumulativeTranscript,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Final,
    Finished,
    Gauge,
    Ignored,
    Message,
    Partial,
    Ready,
    Reply,
    ServerError,
    TurnResumed,
)
from stt_load.dialects.parakeet import Parakeet
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import (
    ConnectionLost,
    DeadlineExceeded,
    Outcome,
    ProtocolError,
    Refusal,
    SttLoadError,
    UpgradeRefused,
)
from stt_load.records import UtteranceRecord
from stt_load.session.actions import Done, SessionRules, WaitUntil
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.outcomes import CLOSE_OUTCOMES
from stt_load.session.session import Session
from stt_load.session.transcript import ENDS_EARLIER, MOST_CHARACTERS, TEXTS_AT_ONCE, TEXTS_PER_S

TIMEOUT_S = 6.0
RULES = SessionRules(timeout_s=TIMEOUT_S)
QUEUED = '{"status":"queued"}'

Script = Sequence[tuple[float, Message | SttLoadError]]


def text(words: str) -> str:
    return json.dumps({"text": words})


def measured(spoken: PlayedUtterance) -> UtteranceRecord:
    return record_of(*spoken.session.measure(spoken.clock()), reference="some reference words")


def parakeet(*arrivals: tuple[float, Message | SttLoadError], **how: Any) -> tuple[UtteranceRecord, PlayedUtterance]:
    spoken = speak(Parakeet(), RULES, ScriptedTransport(FakeClock(), arrivals, **how))
    return measured(spoken), spoken


def all_sent() -> Session:
    """A session whose frames all went out on time."""
    session = Session(Parakeet(), one_second(Parakeet()), RULES, START_S)
    session.on_open(START_S)
    for k in range(10):
        session.schedule.on_sent(START_S + 0.1 * (k + 1))
    return session


@dataclass(frozen=True)
class Row:
    sentence: str
    script: Script
    outcome: Outcome
    ended_s: float
    eos_latency_s: float | None = None
    text: str = ""
    error: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


TRANSCRIPTS = (
    Row(
        "the answer came during the trailing silence: over when all audio is sent, stream-end latency negative",
        [(0.85, QUEUED), (0.95, text("hello"))],
        Outcome.OK,
        1.0,
        0.35,
        "hello",
        more={"stream_end_latency_s": -0.05, "first_partial_s": 0.85, "frames": 10, "audio_s": 1.0},
    ),
    Row(
        "the answer came after the last frame: over at once",
        [(0.9, QUEUED), (1.3, text("hello"))],
        Outcome.OK,
        1.3,
        0.7,
        "hello",
        more={"stream_end_latency_s": 0.3, "finalise_latency_s": None, "speech_s": 0.5},
    ),
    Row(
        "a pause in the clip makes two pieces; the first text starts, the last one ends",
        [(0.3, QUEUED), (0.4, text("one")), (0.9, QUEUED), (1.2, text("two"))],
        Outcome.OK,
        1.2,
        0.6,
        "one two",
        more={"first_partial_s": 0.3, "messages": [(0.4, "one"), (1.2, "two")]},
    ),
    Row(
        "every queued piece is waited for, and the empty one adds no latency",
        [(0.85, QUEUED), (0.9, QUEUED), (1.1, text("hello")), (1.4, text(""))],
        Outcome.OK,
        1.4,
        0.5,
        "hello",
    ),
    Row(
        "an empty piece first, then the words",
        [(0.85, QUEUED), (0.9, QUEUED), (1.1, text("")), (1.4, text("hello"))],
        Outcome.OK,
        1.4,
        0.8,
        "hello",
        more={"first_partial_s": 1.3},
    ),
    Row(
        "all words came early and the rest of the speech was answered with nothing: that answer completes it",
        [(0.3, QUEUED), (0.4, text("one")), (0.9, QUEUED), (1.2, text(""))],
        Outcome.OK,
        1.2,
        0.6,
        "one",
        more={"stream_end_latency_s": 0.2},
    ),
    Row(
        "a piece queued after the last frame may not be the last: a quiet period follows, which is no latency",
        [(1.5, QUEUED), (1.7, text("hello"))],
        Outcome.OK,
        3.7,
        1.1,
        "hello",
    ),
    Row(
        "and one more piece within the quiet period counts",
        [(1.5, QUEUED), (1.7, text("one")), (3.0, QUEUED), (3.2, text("two"))],
        Outcome.OK,
        5.2,
        2.6,
        "one two",
    ),
    Row(
        "a piece queued sooner after the end of speech than the server can notice it is a pause inside the clip",
        [(0.7, QUEUED), (0.75, text("one")), (2.5, QUEUED), (2.6, text("two"))],
        Outcome.OK,
        4.6,
        2.0,
        "one two",
    ),
    Row("a server that queues nothing is waited for quietly", [(1.2, text("hello"))], Outcome.OK, 3.2, 0.6, "hello"),
    Row(
        "the same text twice is a transcript of both",
        [(0.85, QUEUED), (0.9, text("hello")), (0.95, text("hello"))],
        Outcome.OK,
        1.0,
        0.35,
        "hello hello",
    ),
    Row(
        "a second answer after the utterance was over is not waited for",
        [(0.9, QUEUED), (1.2, text("hello")), (1.3, text("hello"))],
        Outcome.OK,
        1.2,
        0.6,
        "hello",
    ),
    Row(
        "unknown messages change nothing",
        [(0.2, '{"hello":1}'), (0.9, QUEUED), (1.2, text("hello")), (1.3, '{"hello":1}')],
        Outcome.OK,
        1.2,
        0.6,
        "hello",
    ),
    Row(
        "messages that say nothing don't put off the end of the quiet period",
        [(1.2, text("hello")), *((1.5 + 0.5 * k, '{"load":1}') for k in range(4))],
        Outcome.OK,
        3.2,
        0.6,
        "hello",
    ),
    Row(
        "only empty texts are no transcript",
        [(0.9, QUEUED), (1.2, text(""))],
        Outcome.NO_FINAL,
        3.2,
        error="the server ended the utterance without any text",
    ),
    Row(
        "nothing ever came",
        [],
        Outcome.TIMED_OUT,
        1.0 + TIMEOUT_S,
        error="no complete transcript within 6 s of the last frame",
    ),
    Row(
        "a queued piece never got its text",
        [(0.3, QUEUED), (0.4, text("one")), (0.9, QUEUED)],
        Outcome.TIMED_OUT,
        1.0 + TIMEOUT_S,
        text="one",
        error="no complete transcript within 6 s of the last frame; 1 pending segment(s) never got their text",
    ),
    Row(
        "no quiet makes a transcript complete whose words all came before the end of speech",
        [(0.3, QUEUED), (0.4, text("one"))],
        Outcome.TIMED_OUT,
        1.0 + TIMEOUT_S,
        text="one",
        error="no complete transcript within 6 s of the last frame; every text came before the end of speech",
    ),
    Row(
        "the server says that it failed",
        [(0.5, '{"error":"CUDA out of memory"}')],
        Outcome.SERVER_ERROR,
        0.5,
        error="CUDA out of memory",
        more={"frames": 4, "audio_s": 0.4},
    ),
    Row(
        "no JSON",
        [(1.2, '{"text": "an object without an en')],
        Outcome.PROTOCOL_ERROR,
        1.2,
        error="""not JSON: '{"text": "an object without an en'""",
    ),
    Row(
        "the transport met what is no websocket frame",
        [(0.5, ProtocolError("not a websocket frame: rsv"))],
        Outcome.PROTOCOL_ERROR,
        0.5,
        error="not a websocket frame: rsv",
    ),
)


@pytest.mark.parametrize("row", TRANSCRIPTS, ids=lambda row: row.sentence)
def test_a_conversation_becomes(row: Row) -> None:
    record, spoken = parakeet(*row.script)
    assert (record.outcome, record.error, record.text) == (row.outcome, row.error, row.text)
    assert spoken.clock() - START_S == pytest.approx(row.ended_s)
    assert record.duration_s == pytest.approx(row.ended_s)
    assert record.eos_latency_s == (None if row.eos_latency_s is None else pytest.approx(row.eos_latency_s))
    assert (record.stream_end_latency_s is None) == (row.eos_latency_s is None)
    for name, value in row.more.items():
        assert getattr(record, name) == (pytest.approx(value) if isinstance(value, float) else value), name
    assert spoken.transport.is_closed


# Clips that the server may cut before their end ---------------------------------------------------------------


def with_pause(pause_s: float) -> Clip:
    """Speech from 0.1 to 0.6 s with a pause from 0.3 s on."""
    samples = clip().samples.copy()
    samples[round(0.3 * RATE_HZ) : round((0.3 + pause_s) * RATE_HZ)] = 0
    return replace(clip(), samples=samples)


LONG_S = 8.5  # of speech without a pause: more than a Parakeet puts into one piece


@dataclass(frozen=True)
class Cut:
    sentence: str
    clip: Clip
    script: Script
    outcome: Outcome
    ended_s: float  # after the end of speech, as the script is
    eos_latency_s: float | None
    text: str


BEHIND = ((0.25, QUEUED), (0.5, text("one")))  # a piece that was queued when the last one of a clip would be
CUTS = (
    Cut("no pause, so the piece is the last one", with_pause(0.0), BEHIND, Outcome.OK, 0.5, 0.5, "one"),
    Cut("a pause too short for this server", with_pause(0.18), BEHIND, Outcome.OK, 0.5, 0.5, "one"),
    Cut(
        "a pause, and a server so far behind that it cuts there only now: what comes after the pause is waited for",
        with_pause(0.25),
        [*BEHIND, (1.5, QUEUED), (1.8, text("two"))],
        Outcome.OK,
        3.8,
        1.8,
        "one two",
    ),
    Cut(
        "a pause, and a server that keeps up and has cut there: nobody waits",
        with_pause(0.25),
        [(-0.05, QUEUED), (0.0, text("one")), (0.3, QUEUED), (0.5, text("two"))],
        Outcome.OK,
        0.5,
        0.5,
        "one two",
    ),
    Cut(
        "a pause that the server passed over: the segment may be the first of two, and the quiet period is no latency",
        with_pause(0.25),
        [(0.3, QUEUED), (0.5, text("one two"))],
        Outcome.OK,
        2.8,
        0.5,
        "one two",
    ),
    Cut(
        "a pause, and all segments cut before the speech has ended: more may come",
        with_pause(0.25),
        [(-0.3, QUEUED), (-0.2, text("one")), (0.1, QUEUED), (0.2, text("two"))],
        Outcome.OK,
        2.4,
        0.2,
        "one two",
    ),
    Cut(
        "a pause, and the connection is lost after a piece that may not be the last",
        with_pause(0.25),
        [*BEHIND, (0.6, ConnectionLost("reset"))],
        Outcome.DISCONNECTED,
        0.6,
        None,
        "one",
    ),
    Cut(
        "more speech than the server puts into one piece",
        clip(0.1, LONG_S, LONG_S),
        [*BEHIND, (1.5, QUEUED), (1.8, text("two"))],
        Outcome.OK,
        3.8,
        1.8,
        "one two",
    ),
)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.sentence)
def test_the_last_piece_is_known_only_of_a_clip_that_is_one_piece(cut: Cut) -> None:
    clock, end_s = FakeClock(), cut.clip.speech_end_s
    session = Session(Parakeet(), one_second(Parakeet(), cut.clip), RULES, clock())
    transport = ScriptedTransport(clock, [(end_s + at_s, what) for at_s, what in cut.script])
    run_utterance(session, transport, session.dialect)
    record = record_of(*session.measure(clock()))
    assert (record.outcome, record.text) == (cut.outcome, cut.text)
    assert clock() - START_S - end_s == pytest.approx(cut.ended_s)
    assert record.eos_latency_s == (None if cut.eos_latency_s is None else pytest.approx(cut.eos_latency_s))


# How connections end ---------------------------------------------------------------------------------------

ANSWERED = ((0.9, QUEUED), (1.2, text("hello")))
ENDS = (
    Row("normal close in mid-stream", [(0.5, ConnectionLost("bye", 1000))], Outcome.DISCONNECTED, 0.5, error="bye"),
    Row("going away in mid-stream", [(0.5, ConnectionLost("bye", 1001))], Outcome.DISCONNECTED, 0.5, error="bye"),
    Row("lost in mid-stream", [(0.5, ConnectionLost("reset"))], Outcome.DISCONNECTED, 0.5, error="reset"),
    Row("a code nobody knows", [(0.5, ConnectionLost("bye", 4999))], Outcome.DISCONNECTED, 0.5, error="bye"),
    Row("full before the first frame", [(0.05, ConnectionLost("full", 1013))], Outcome.REFUSED, 0.05, error="full"),
    Row("internal error", [(0.5, ConnectionLost("oops", 1011))], Outcome.SERVER_ERROR, 0.5, error="oops"),
    Row(
        "lost while a piece is owed",
        [(0.9, QUEUED), (1.2, ConnectionLost("reset"))],
        Outcome.DISCONNECTED,
        1.2,
        error="reset",
    ),
    Row(
        "even a normal close can't take back a queued piece",
        [(0.9, QUEUED), (1.2, ConnectionLost("bye", 1000))],
        Outcome.DISCONNECTED,
        1.2,
        error="bye",
    ),
    Row(
        "lost in the quiet period after a late piece: more might have come",
        [(1.5, QUEUED), (1.7, text("one")), (2.0, ConnectionLost("reset"))],
        Outcome.DISCONNECTED,
        2.0,
        text="one",
        error="reset",
    ),
    Row(
        "closed in good order in the quiet period: nothing more would have come",
        [(1.5, QUEUED), (1.7, text("one")), (2.0, ConnectionLost("bye", 1000))],
        Outcome.OK,
        2.0,
        1.1,
        text="one",
    ),
    Row(
        "a close frame without a code is in good order too",
        [(1.5, QUEUED), (1.7, text("one")), (2.0, ConnectionLost("bye", 1005))],
        Outcome.OK,
        2.0,
        1.1,
        text="one",
    ),
    Row(
        "lost after the words of a pause, the last words still unheard",
        [(0.3, QUEUED), (0.4, text("one")), (1.1, ConnectionLost("reset"))],
        Outcome.DISCONNECTED,
        1.1,
        text="one",
        error="reset",
    ),
    Row(
        "closed after the words of a pause, the last words still unheard",
        [(0.3, QUEUED), (0.4, text("one")), (1.1, ConnectionLost("bye", 1000))],
        Outcome.DISCONNECTED,
        1.1,
        text="one",
        error="bye",
    ),
    Row(
        "closed in good order without a word",
        [(1.3, ConnectionLost("bye", 1000))],
        Outcome.NO_FINAL,
        1.3,
        error="the server ended the utterance without any text",
    ),
)


@pytest.mark.parametrize("row", ENDS, ids=lambda row: row.sentence)
def test_a_connection_ends_and_so(row: Row) -> None:
    record, spoken = parakeet(*row.script)
    assert (record.outcome, record.error, record.text) == (row.outcome, row.error, row.text)
    assert spoken.clock() - START_S == pytest.approx(row.ended_s)
    assert record.eos_latency_s == (None if row.eos_latency_s is None else pytest.approx(row.eos_latency_s))
    loss = row.script[-1][1]
    assert isinstance(loss, ConnectionLost)
    assert record.close_code == loss.close_code


@pytest.mark.parametrize(("code", "outcome"), CLOSE_OUTCOMES.items())
def test_each_listed_close_code_in_mid_stream_has_its_outcome(code: int, outcome: Outcome) -> None:
    record, _ = parakeet((0.5, ConnectionLost("closed", code)))
    assert (record.outcome, record.close_code) == (outcome, code)


def test_a_transcript_that_was_complete_before_the_connection_was_lost_stays_complete() -> None:
    session = all_sent()
    session.on_message(START_S + 0.9, QUEUED)
    session.on_message(START_S + 0.95, text("hello"))
    session.on_fault(ConnectionLost("oops", 1011), START_S + 2.0)
    record = record_of(*session.measure(START_S + 1.0))
    assert (record.outcome, record.error, record.close_code) == (Outcome.OK, None, 1011)
    assert record.eos_latency_s == pytest.approx(0.35)


def test_what_the_server_said_before_it_left_is_read_when_a_frame_can_not_be_sent() -> None:
    record, spoken = parakeet(
        (0.95, QUEUED),
        (0.96, ConnectionLost("model crashed", 1011)),
        on_send={8: ConnectionLost("broken pipe")},
        send_takes_s=[0.0] * 7 + [0.2],
    )
    assert (record.outcome, record.error, record.close_code) == (Outcome.SERVER_ERROR, "model crashed", 1011)
    assert (0.95, "<", "SegmentPending") in spoken.seen
    assert spoken.stamp == "kernel"


def test_a_frame_that_can_not_be_sent_and_no_last_word_is_a_lost_connection() -> None:
    record, _ = parakeet(on_send={3: ConnectionLost("broken pipe")})
    assert (record.outcome, record.error, record.close_code) == (Outcome.DISCONNECTED, "broken pipe", 1006)
    assert record.frames == 3


REFUSALS = (
    (UpgradeRefused("HTTP 503 at the upgrade", 503), Outcome.REFUSED),
    (UpgradeRefused("no TCP connection"), Outcome.REFUSED),
    (DeadlineExceeded("no answer to the upgrade"), Outcome.TIMED_OUT),
    (ConnectionLost("reset"), Outcome.DISCONNECTED),
    (ProtocolError("a message of more than 1048576 bytes"), Outcome.PROTOCOL_ERROR),
)


@pytest.mark.parametrize(("fault", "outcome"), REFUSALS, ids=lambda value: str(value))
def test_a_caller_that_never_got_in_has_no_figures_but_its_wait(fault: SttLoadError, outcome: Outcome) -> None:
    record, spoken = parakeet(on_connect=fault, connect_takes_s=0.7)
    assert (record.outcome, record.error) == (outcome, str(fault))
    assert record.duration_s == pytest.approx(0.7)
    assert (record.connect_s, record.ready_s, record.eos_latency_s, record.frames) == (None, None, None, 0)
    assert spoken.transport.is_closed
    assert spoken.seen == [(0.7, "!", "")]


def test_a_server_that_stops_reading_is_given_up_at_the_deadline() -> None:
    record, spoken = parakeet(full=(0.55, 99.0))
    stopped = "the server stopped reading: a frame could not be handed over"
    assert (record.outcome, record.error, record.frames) == (Outcome.TIMED_OUT, stopped, 5)
    assert spoken.clock() - START_S == pytest.approx(1.0 + TIMEOUT_S)


def test_frames_that_the_kernel_did_not_take_follow_as_soon_as_it_does_and_were_late() -> None:
    record, spoken = parakeet((0.9, QUEUED), (1.2, text("hello")), full=(0.55, 0.83))
    assert [at_s for at_s, _ in spoken.transport.sent[5:8]] == pytest.approx([0.83, 0.83, 0.83])
    assert (record.outcome, record.frames, record.frames_late, record.frames_held_up) == (Outcome.OK, 10, 3, 3)
    assert record.pacing_lag_max_s == pytest.approx(0.23)
    assert record.stream_end_latency_s == pytest.approx(0.2)


def test_what_the_server_says_while_it_does_not_read_is_heard() -> None:
    record, _ = parakeet((0.7, '{"error":"CUDA out of memory"}'), full=(0.55, 99.0))
    assert (record.outcome, record.error, record.duration_s) == (
        Outcome.SERVER_ERROR,
        "CUDA out of memory",
        pytest.approx(0.7),
    )


@pytest.mark.parametrize(
    ("n_texts", "n_letters", "why"),
    [
        (TEXTS_AT_ONCE + 50, 5, f"more than {TEXTS_AT_ONCE} texts, and {TEXTS_PER_S} a second"),
        (2, MOST_CHARACTERS, f"texts of more than {MOST_CHARACTERS:,} characters"),
    ],
)
def test_a_server_that_says_more_than_anybody_can_say_breaks_the_protocol(
    n_texts: int, n_letters: int, why: str
) -> None:
    flood = [(0.5, text("x" * n_letters))] * n_texts
    record, _ = parakeet(*flood, (0.9, QUEUED), (1.3, text("hello")))
    assert (record.outcome, record.error) == (Outcome.PROTOCOL_ERROR, f"the server floods: {why}")
    assert len(record.messages) <= TEXTS_AT_ONCE + 0.5 * TEXTS_PER_S + 1


def test_a_server_that_names_ever_new_timings_breaks_the_protocol() -> None:
    timings = {f"step {n}": n for n in range(101)}
    record, _ = parakeet((0.5, json.dumps({"text": "hello", "timings_ms": timings})))
    assert (record.outcome, record.error) == (
        Outcome.PROTOCOL_ERROR,
        "the server floods: timings of more than 100 names",
    )


def test_an_interrupted_utterance_is_counted_apart_and_keeps_its_outcome() -> None:
    session = Session(Parakeet(), one_second(Parakeet()), RULES, START_S)
    session.on_open(START_S)
    session.interrupt("the run ended first")
    session.on_fault(ConnectionLost("reset"), START_S + 2.0)
    assert session.next_action(START_S) == Done(Outcome.INTERRUPTED)
    record = record_of(*session.measure(START_S + 0.3))
    assert (record.outcome, record.error) == (Outcome.INTERRUPTED, "the run ended first")


def test_an_utterance_that_is_measured_in_its_middle_is_interrupted() -> None:
    record = record_of(*all_sent().measure(START_S + 1.0))
    assert (record.outcome, record.frames, record.eos_latency_s) == (Outcome.INTERRUPTED, 10, None)


@pytest.mark.parametrize(("n_sent", "speech_s"), [(0, 0.0), (1, 0.0), (5, 0.4), (10, 0.5)])
def test_speech_is_what_was_sent_of_it(n_sent: int, speech_s: float) -> None:
    audio = one_second(Parakeet())  # of which 0.1 to 0.6 s is speech
    session = Session(Parakeet(), audio, RULES, START_S)
    session.on_open(START_S)
    assert session.schedule is not None
    for _ in range(n_sent):
        session.schedule.on_sent(session.schedule.next_due_s)
    session.interrupt("the run ended first")
    (result, *_) = session.measure(START_S + 1.0)
    assert result.speech_s == pytest.approx(speech_s)


def test_an_interruption_does_not_undo_an_outcome() -> None:
    _, spoken = parakeet(*ANSWERED)
    spoken.session.interrupt("the run ended first")
    assert spoken.session.next_action(spoken.clock()) == Done(Outcome.OK)


# Time -------------------------------------------------------------------------------------------------------


def test_frame_k_is_sent_when_the_microphone_has_heard_it_and_never_earlier() -> None:
    _, spoken = parakeet(*ANSWERED)
    assert [at_s for at_s, _ in spoken.transport.sent] == pytest.approx([0.1 * (k + 1) for k in range(10)])
    assert all(at_s >= 0.1 * (k + 1) - 1e-9 for k, (at_s, _) in enumerate(spoken.transport.sent))


def test_the_frames_are_the_clip_and_then_silence() -> None:
    _, spoken = parakeet(*ANSWERED)
    stream = b"".join(message for _, message in spoken.transport.sent if isinstance(message, bytes))
    assert len(stream) == 2 * 16_000
    assert stream[: 2 * 9_600] == clip().samples.astype("<i2").tobytes()
    assert set(stream[2 * 9_600 :]) == {0}


def test_our_own_lateness_is_kept_and_does_not_move_later_frames() -> None:
    """The third frame takes 250 ms: the fourth and fifth are late, the sixth is on time again."""
    record, spoken = parakeet(*ANSWERED, send_takes_s=[0.0, 0.0, 0.25, 0.0])
    sent_s = [at_s for at_s, _ in spoken.transport.sent]
    assert sent_s == pytest.approx([0.1, 0.2, 0.3, 0.55, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert record.pacing_lag_max_s == pytest.approx(0.25)
    assert record.pacing_lag_p99_s == pytest.approx(0.25)


def test_lateness_is_in_no_latency_but_the_one_from_the_last_frame() -> None:
    """Every frame is handed over 50 ms late: the end of speech stays on the schedule."""
    record, _ = parakeet(*ANSWERED, send_takes_s=[0.05])
    assert record.eos_latency_s == pytest.approx(0.6)
    assert record.stream_end_latency_s == pytest.approx(1.2 - 1.05)
    assert record.pacing_lag_max_s == pytest.approx(0.05)


def test_the_deadline_is_on_the_schedule_so_our_own_lateness_does_not_extend_it() -> None:
    record, spoken = parakeet(send_takes_s=[0.0] * 9 + [3.0])
    assert record.outcome == Outcome.TIMED_OUT
    assert spoken.clock() - START_S == pytest.approx(1.0 + TIMEOUT_S)


def test_a_text_that_arrived_after_the_deadline_is_too_late_however_soon_it_is_read() -> None:
    session = all_sent()
    session.on_message(START_S + 0.9, QUEUED)
    session.on_message(START_S + 1.0 + TIMEOUT_S + 0.001, text("too late"))
    assert session.next_action(START_S + 1.0 + TIMEOUT_S + 0.002) == Done(Outcome.TIMED_OUT)
    record = record_of(*session.measure(START_S + 9))
    assert (record.eos_latency_s, record.text) == (None, "too late")


def test_a_text_that_arrived_in_time_but_was_read_late_counts_from_its_arrival() -> None:
    """The last frame blocks until 1.8 s; the answer of 1.2 s was waiting in the kernel."""
    record, _ = parakeet(*ANSWERED, send_takes_s=[0.0] * 9 + [0.8])
    assert record.outcome == Outcome.OK
    assert record.eos_latency_s == pytest.approx(0.6)


def test_connecting_is_measured_and_the_stream_starts_after_it() -> None:
    record, spoken = parakeet((1.2, QUEUED), (1.6, text("hello")), connect_takes_s=0.3)
    assert record.connect_s == pytest.approx(0.3)
    assert record.ready_s == 0.0
    assert spoken.transport.sent[0][0] == pytest.approx(0.4)
    assert record.eos_latency_s == pytest.approx(1.6 - 0.3 - 0.6)


def test_a_random_phase_moves_the_whole_stream() -> None:
    rules = SessionRules(timeout_s=TIMEOUT_S, phase_s=0.07)
    spoken = speak(Parakeet(), rules, ScriptedTransport(FakeClock(), [(0.97, QUEUED), (1.27, text("hello"))]))
    record = measured(spoken)
    assert spoken.transport.sent[0][0] == pytest.approx(0.17)
    assert record.eos_latency_s == pytest.approx(0.6)
    assert record.ready_s == 0.0


def test_an_utterance_that_fails_before_its_random_phase_is_over_has_lasted_no_time() -> None:
    session = Session(Parakeet(), one_second(Parakeet()), structs.replace(RULES, phase_s=0.08), START_S)
    session.on_open(START_S)
    session.on_fault(ProtocolError("garbage"), START_S + 0.01)
    record = record_of(*session.measure(START_S + 0.01), reference="some reference words")
    assert (record.outcome, record.duration_s) == (Outcome.PROTOCOL_ERROR, 0.0)


def test_eos_latency_does_not_depend_on_the_trailing_silence_or_the_frames() -> None:
    """Two seconds of silence more: the answer at 1.2 s is the same latency."""
    clock = FakeClock()
    session = Session(Parakeet(), encode_clip(clip(), FRAME, 2.4, Parakeet()), RULES, clock())
    transport = ScriptedTransport(clock, ANSWERED)
    run_utterance(session, transport, session.dialect)
    record = record_of(*session.measure(clock()))
    assert record.eos_latency_s == pytest.approx(0.6)
    assert record.stream_end_latency_s == pytest.approx(1.2 - 3.0)
    assert clock() - START_S == pytest.approx(3.0)


def test_timings_of_the_server_are_passed_through() -> None:
    record, _ = parakeet((0.9, QUEUED), (1.2, '{"text":"hello","timings_ms":{"decode":12.5,"ok":true,"who":"x"}}'))
    assert record.server_ms == {"decode": 12.5}


def test_what_a_live_view_shows() -> None:
    session = Session(Parakeet(), one_second(Parakeet()), RULES, START_S)
    shown = [session.state]
    session.on_open(START_S)
    shown.append(session.state)
    for k in range(10):
        session.schedule.on_sent(START_S + 0.1 * (k + 1))
    shown.append(session.state)
    assert shown == ["connecting", "speaking", "waiting"]


# A server that greets, takes an end message and says which final is the last ---------------------------------


class Toy(Dialect):
    """Says `ready`, `part:…`, `final:…`, `last:…`, `so:…`, `turn`, `eager`, `resumed`, `gauge`, `ask`, `over`,
    `full:…`; is told `hello`, `begin`, `end` and `bye`. A frame is two messages."""

    capabilities = Capabilities(has_ready=True, ends=("client", "server"), quiet_s=2.0, answers_end=False)

    def connect(self, url: str) -> Connect:
        return Connect(url, first_messages=("hello",))

    def begin(self, length: AudioLength) -> Sequence[Message]:
        return (f"begin {length.frames}",)

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (pcm[:4], pcm[4:8])

    def finalise(self) -> Sequence[Message]:
        return ("end", "bye")

    def on_message(self, message: Message) -> Sequence[Event]:
        kind, _, words = str(message).partition(":")
        makes: dict[str, Event] = {
            "ready": Ready(),
            "part": Partial(words),
            "final": Final(words),
            "last": Final(words, is_last=True),
            "so": CumulativeTranscript(words),
            "so it is": CumulativeTranscript(words, is_last=True),
            "turn": EndOfTurn(),
            "eager": EagerEndOfTurn(),
            "resumed": TurnResumed(),
            "gauge": Gauge({"lag": 7.0}),
            "ask": Reply(("answer",)),
            "over": Finished(),
            "full": ServerError(words, Refusal.CAPACITY),
        }
        return (makes.get(kind, Ignored("unknown")),)

    def join(self, finals: Sequence[str]) -> str:
        return " ".join(finals).strip()

    @staticmethod
    def recognises(message: Message) -> bool:
        return False


class AnsweringToy(Toy):
    capabilities = structs.replace(Toy.capabilities, answers_end=True)


CLIENT = Settings(end="client")


def toy(*arrivals: tuple[float, Message | SttLoadError], **how: Any) -> tuple[UtteranceRecord, PlayedUtterance]:
    rules = SessionRules(timeout_s=TIMEOUT_S)
    spoken = speak(Toy(CLIENT), rules, ScriptedTransport(FakeClock(), arrivals, **how))
    return measured(spoken), spoken


def test_an_end_that_the_server_is_not_sure_of_completes_nothing() -> None:
    record, _ = toy((0.0, "ready"), (1.2, "final:hello"), (1.3, "eager"), (1.6, "resumed"), (2.0, "final:you"))
    assert (record.outcome, record.text, record.eos_latency_s) == (Outcome.OK, "hello you", pytest.approx(1.4))


def test_audio_waits_for_the_ready_message() -> None:
    record, spoken = toy((0.5, "ready"), (1.8, "last:hello"), connect_takes_s=0.2)
    assert (record.connect_s, record.ready_s) == (pytest.approx(0.2), pytest.approx(0.3))
    assert next(at_s for at_s, what in spoken.transport.sent if isinstance(what, bytes)) == pytest.approx(0.6)
    assert record.eos_latency_s == pytest.approx(1.8 - 0.5 - 0.6)
    assert record.duration_s == pytest.approx(1.3)


def test_the_first_messages_are_in_ready_and_not_in_connect() -> None:
    record, _ = toy((0.5, "ready"), (1.8, "last:hello"), connect_takes_s=0.2, send_takes_s=[0.1, 0.0])
    assert (record.connect_s, record.ready_s) == (pytest.approx(0.2), pytest.approx(0.3))


def test_why_a_server_leaves_is_read_when_a_first_message_can_not_be_sent() -> None:
    lost, why = ConnectionLost("broken pipe"), ConnectionLost("who are you", 4401)
    record, _ = toy((0.1, why), connect_takes_s=0.2, on_send={0: lost})
    assert (record.outcome, record.error, record.close_code) == (Outcome.REFUSED, "who are you", 4401)
    assert (record.connect_s, record.ready_s) == (pytest.approx(0.2), None)


def test_a_server_may_refuse_a_caller_in_its_own_words() -> None:
    record, _ = toy((0.1, "full:no place left"))
    assert (record.outcome, record.error, record.frames) == (Outcome.REFUSED, "no place left", 0)


def test_a_greeting_stamped_before_the_upgrade_was_read_does_not_make_ready_negative() -> None:
    record, _ = toy((0.1, "ready"), (1.8, "last:hello"), connect_takes_s=0.2)
    assert record.ready_s == 0.0
    assert record.eos_latency_s == pytest.approx(1.8 - 0.2 - 0.6)


def test_a_server_that_never_gets_ready_is_given_up() -> None:
    record, spoken = toy((0.3, "part:noise"))
    assert record.outcome == Outcome.TIMED_OUT
    assert record.error
    assert record.error.startswith("no ready message within 10 s of the upgrade: ")
    assert record.frames == 0
    assert spoken.clock() - START_S == pytest.approx(10.0)


def test_a_server_that_takes_long_to_get_ready_is_waited_for() -> None:
    rules = SessionRules(timeout_s=TIMEOUT_S, ready_timeout_s=60.0)
    spoken = speak(Toy(), rules, ScriptedTransport(FakeClock(), [(55.0, "ready"), (56.2, "last:hello")]))
    record = measured(spoken)
    assert (record.outcome, record.ready_s) == (Outcome.OK, pytest.approx(55.0))


def test_the_client_ends_the_audio_and_the_answer_to_that_is_timed() -> None:
    record, spoken = toy((0.0, "ready"), (1.4, "last:hello"), send_takes_s=[0.0] * 22 + [0.01])
    assert [message for _, message in spoken.transport.sent][-2:] == ["end", "bye"]
    assert record.outcome == Outcome.OK
    assert record.finalise_latency_s == pytest.approx(1.4 - 1.02)
    assert record.stream_end_latency_s == pytest.approx(0.4)
    assert record.pacing_lag_max_s == pytest.approx(0.0, abs=1e-9)
    assert (record.end, record.frames) == ("client", 10)


def test_partials_start_the_first_text_and_complete_nothing() -> None:
    record, spoken = toy((0.0, "ready"), (0.45, "part:hel"), (1.4, "last:hello"))
    assert record.first_partial_s == pytest.approx(0.35)
    assert record.eos_latency_s == pytest.approx(0.8)
    assert record.messages == [(1.4, "hello")]
    assert spoken.clock() - START_S == pytest.approx(1.4)


def test_an_empty_last_message_leaves_the_latency_with_the_last_words() -> None:
    record, _ = toy((0.0, "ready"), (1.2, "final:hello"), (1.9, "last:"))
    assert (record.outcome, record.text) == (Outcome.OK, "hello")
    assert record.eos_latency_s == pytest.approx(0.6)
    assert record.duration_s == pytest.approx(1.9)


def test_a_server_may_say_without_text_that_the_utterance_is_over() -> None:
    record, _ = toy((0.0, "ready"), (1.2, "final:hello"), (1.5, "over"))
    assert (record.outcome, record.duration_s) == (Outcome.OK, pytest.approx(1.5))


def test_over_without_any_text_is_no_final() -> None:
    record, _ = toy((0.0, "ready"), (1.5, "over"))
    assert record.outcome == Outcome.NO_FINAL


def test_finals_without_a_last_one_end_with_a_quiet_period() -> None:
    record, spoken = toy((0.0, "ready"), (1.2, "final:one"), (2.5, "final:two"))
    assert (record.outcome, record.text) == (Outcome.OK, "one two")
    assert spoken.clock() - START_S == pytest.approx(4.5)


def test_a_lost_connection_before_the_last_final_is_no_complete_transcript() -> None:
    record, _ = toy((0.0, "ready"), (0.7, "final:one"), (1.2, ConnectionLost("reset")))
    assert (record.outcome, record.text, record.eos_latency_s) == (Outcome.DISCONNECTED, "one", None)


def test_a_server_that_closes_in_good_order_after_its_answer_has_completed_it() -> None:
    record, _ = toy((0.0, "ready"), (1.2, "final:one"), (1.3, ConnectionLost("closed by the server with 1000", 1000)))
    assert (record.outcome, record.error, record.close_code) == (Outcome.OK, None, 1000)
    assert record.eos_latency_s == pytest.approx(0.6)


def test_an_answer_is_sent_at_once_whatever_the_clock_of_the_frames_says() -> None:
    _, spoken = toy((0.1, "ask"), (0.2, "ready"), (0.55, "ask"), (1.4, "last:hello"))
    assert [at_s for at_s, what in spoken.transport.sent if what == "answer"] == [
        pytest.approx(0.1),
        pytest.approx(0.55),
    ]


def test_a_frame_of_two_messages_is_one_frame_and_sent_when_the_second_is() -> None:
    record, spoken = toy((0.0, "ready"), (1.4, "last:hello"), send_takes_s=[0.0, 0.0, 0.01, 0.02, 0.0])
    assert (record.frames, sum(isinstance(what, bytes) for _, what in spoken.transport.sent)) == (10, 20)
    assert record.pacing_lag_max_s == pytest.approx(0.03)


def test_a_snapshot_takes_the_place_of_the_one_before_and_is_timed_where_it_says_something_new() -> None:
    record, spoken = toy((0.0, "ready"), (0.5, "so:some"), (1.2, "so:some words"), (1.9, "so:some words"))
    assert (record.outcome, record.text) == (Outcome.OK, "some words")
    assert record.eos_latency_s == pytest.approx(0.6)
    assert record.messages == [(1.2, "some words")]
    assert spoken.clock() - START_S == pytest.approx(3.2)  # two seconds after the last new one


def test_a_last_snapshot_that_repeats_settles_what_was_complete_before() -> None:
    record, _ = toy((0.0, "ready"), (1.2, "so:some words"), (1.9, "so it is:some words"))
    assert record.eos_latency_s == pytest.approx(0.6)
    assert (record.settled_latency_s, record.finalise_latency_s) == (pytest.approx(1.3), pytest.approx(0.9))


def test_a_snapshot_without_words_takes_back_those_before() -> None:
    record, _ = toy((0.0, "ready"), (0.5, "so:some"), (1.2, "so it is:"))
    assert (record.outcome, record.text) == (Outcome.NO_FINAL, "")


def test_the_end_of_a_turn_after_the_speech_settles_a_clip_that_gave_no_reason_to_end_one_earlier() -> None:
    arrivals = [(0.0, "ready"), (0.9, "final:hello"), (1.05, "turn")]
    record = measured(speak(Toy(), RULES, ScriptedTransport(FakeClock(), arrivals)))
    assert (record.outcome, record.duration_s) == (Outcome.OK, pytest.approx(1.05))
    assert (record.eos_latency_s, record.settled_latency_s) == (pytest.approx(0.3), pytest.approx(0.45))


def test_a_turn_that_ended_within_the_speech_settles_nothing() -> None:
    arrivals = [(0.0, "ready"), (0.4, "final:one"), (0.5, "turn"), (1.3, "final:two")]
    record = measured(speak(Toy(), RULES, ScriptedTransport(FakeClock(), arrivals)))
    assert (record.text, record.duration_s, record.settled_latency_s) == ("one two", pytest.approx(3.3), None)


def test_words_after_the_end_of_a_turn_are_waited_for_even_if_the_turn_ended_after_the_speech() -> None:
    """The server went on: it cut a turn while our silence was still being sent, and owes what it heard before."""
    arrivals = [(0.0, "ready"), (0.5, "final:one"), (0.7, "turn"), (0.9, "final:two"), (1.4, "final:three")]
    record = measured(speak(Toy(), RULES, ScriptedTransport(FakeClock(), arrivals)))
    assert (record.text, record.settled_latency_s) == ("one two three", None)


def spoken_to_its_endpointer(*arrivals: tuple[float, Message | SttLoadError], speech: Clip) -> UtteranceRecord:
    """The record of an utterance that a toy server ends by itself; it is ready at once."""
    clock = FakeClock()
    session = Session(Toy(), one_second(Toy(), speech), SessionRules(timeout_s=20.0), clock())
    transport = ScriptedTransport(clock, [(0.0, "ready"), *arrivals])
    run_utterance(session, transport, session.dialect)
    return record_of(*session.measure(clock()))


def long_with_pause() -> Clip:
    """Speech from 0.1 to 6.1 s with a pause of 1.5 s from 0.6 s on."""
    whole = clip(0.1, 6.1, 6.1)
    samples = whole.samples.copy()
    samples[round(0.6 * RATE_HZ) : round(2.1 * RATE_HZ)] = 0
    return replace(whole, samples=samples)


def test_a_server_that_is_as_late_with_the_last_piece_as_with_the_first_is_waited_for() -> None:
    """3.5 s behind, its first text comes while we speak, and its last one 3.9 s after, in the middle of a quiet that
    is longer than the quiet period."""
    record = spoken_to_its_endpointer((4.3, "final:one"), (10.0, "final:two"), speech=long_with_pause())
    assert (record.outcome, record.text) == (Outcome.OK, "one two")
    assert record.eos_latency_s == pytest.approx(3.9)
    late = spoken_to_its_endpointer((6.5, "final:one"), (12.1, "final:two"), speech=long_with_pause())
    assert (late.outcome, late.text, late.eos_latency_s) == (Outcome.OK, "one two", pytest.approx(6.0))


def test_snapshots_of_a_late_server_are_waited_for_too() -> None:
    record = spoken_to_its_endpointer((4.3, "so:one"), (10.0, "so:one two"), speech=long_with_pause())
    assert (record.outcome, record.text) == (Outcome.OK, "one two")


def test_a_server_that_is_not_late_is_not_waited_for_any_longer() -> None:
    record = spoken_to_its_endpointer((0.9, "final:one"), (6.4, "final:two"), speech=long_with_pause())
    assert (record.outcome, record.duration_s) == (Outcome.OK, pytest.approx(6.5 + 2.0))


def test_finals_that_all_came_before_the_end_of_speech_are_no_transcript_however_quiet_it_is() -> None:
    record, _ = toy((0.0, "ready"), (0.4, "final:one"))
    assert (record.outcome, record.eos_latency_s) == (Outcome.TIMED_OUT, None)
    assert record.error is not None
    assert record.error.endswith("every text came before the end of speech")


def test_where_all_words_came_before_the_end_of_speech_the_clip_seems_to_end_earlier() -> None:
    record, _ = toy((0.0, "ready"), (0.4, "final:Some reference words."))
    assert (record.outcome, record.eos_latency_s) == (Outcome.TIMED_OUT, None)
    assert record.error is not None
    assert record.error.endswith("every text came before the end of speech, " + ENDS_EARLIER)


@pytest.mark.parametrize("word", ["last:one", "so it is:one", "over"])
def test_a_server_that_says_it_is_done_before_the_speech_is_has_not_heard_all_of_it(word: str) -> None:
    record, _ = toy((0.0, "ready"), (0.3, "final:and"), (0.4, word), (1.4, "last:two"))
    assert (record.outcome, record.eos_latency_s) == (Outcome.OK, pytest.approx(0.8))
    cut_off, _ = toy((0.0, "ready"), (0.4, word), (0.5, ConnectionLost("bye", 1000)))
    assert cut_off.outcome == Outcome.DISCONNECTED


def test_an_orderly_close_that_nobody_asked_for_leaves_the_last_words_unheard() -> None:
    """Server and client: a server that is told of the end answers it by a close, another one just goes away."""
    arrivals = [(0.0, "ready"), (0.4, "final:one"), (1.1, ConnectionLost("bye", 1000))]
    rules = SessionRules(timeout_s=TIMEOUT_S)
    asked = measured(speak(AnsweringToy(CLIENT), rules, ScriptedTransport(FakeClock(), arrivals)))
    unasked = measured(speak(AnsweringToy(), rules, ScriptedTransport(FakeClock(), arrivals)))
    assert (asked.outcome, unasked.outcome) == (Outcome.OK, Outcome.DISCONNECTED)


def test_an_end_message_without_an_answer_is_told_from_no_text_at_all() -> None:
    rules = SessionRules(timeout_s=TIMEOUT_S)
    arrivals = [(0.0, "ready"), (1.4, "final:one")]
    record = measured(speak(AnsweringToy(CLIENT), rules, ScriptedTransport(FakeClock(), arrivals)))
    assert record.outcome == Outcome.TIMED_OUT
    assert record.error is not None
    assert record.error.endswith("texts came, but the end message was never answered")


def test_a_server_that_never_says_which_text_is_the_last_is_told_from_one_that_says_nothing() -> None:
    arrivals = [(0.0, "ready"), (0.4, "part:one")]
    record = measured(speak(Toy(), SessionRules(timeout_s=TIMEOUT_S), ScriptedTransport(FakeClock(), arrivals)))
    assert record.outcome == Outcome.TIMED_OUT
    assert record.error is not None
    assert record.error.endswith("texts came that may still change, but no last one")


def test_what_to_try_where_the_end_message_is_never_answered_is_told_by_the_dialect() -> None:
    """FunASR's Python server acknowledges the end since 1.4; one before sends its text and nothing more."""
    dialect = DIALECTS["funasr"].make(Settings(DIALECTS["funasr"].parse_options([]), "client"))
    final = '{"mode": "2pass-offline", "text": "hello", "wav_name": "w", "is_final": true}'
    record = measured(speak(dialect, RULES, ScriptedTransport(FakeClock(), [(1.1, final)])))
    assert record.outcome == Outcome.TIMED_OUT
    assert record.error
    assert "the end message was never answered (FunASR before 1.4 never answers it" in record.error
    assert "--dialect-option server=old" in record.error


def test_a_server_that_answers_the_end_is_waited_for_however_quiet_it_is() -> None:
    arrivals = [(0.0, "ready"), (0.9, "final:one"), (5.5, "last:two")]
    rules = SessionRules(timeout_s=TIMEOUT_S)
    spoken = speak(AnsweringToy(CLIENT), rules, ScriptedTransport(FakeClock(), arrivals))
    record = measured(spoken)
    assert (record.outcome, record.text) == (Outcome.OK, "one two")
    assert record.finalise_latency_s == pytest.approx(4.5)


def test_words_that_came_before_the_end_message_do_not_answer_it() -> None:
    record, _ = toy((0.0, "ready"), (0.9, "final:hello"))
    assert (record.outcome, record.finalise_latency_s) == (Outcome.OK, None)
    assert record.eos_latency_s == pytest.approx(0.3)


def test_gauges_are_kept_and_do_not_put_off_the_quiet_period() -> None:
    record, spoken = toy((0.0, "ready"), (1.2, "final:hello"), (2.0, "gauge"), (2.9, "gauge"))
    assert record.server_ms == {"lag": 7.0}
    assert spoken.clock() - START_S == pytest.approx(3.2)


def test_where_the_client_ends_the_audio_ends_with_the_frame_that_holds_the_end_of_speech() -> None:
    audio = encode_clip(clip(0.1, 0.55, 2.0), FRAME, 0.0, Toy(CLIENT))
    assert (len(audio.frames), audio.n_before_end, audio.length.samples) == (6, 6, 6 * 1_600)


def test_in_a_recording_the_audio_goes_on_to_where_speech_has_ended_in_any_case() -> None:
    recorded = replace(clip(0.1, 0.55, 2.0), latest_end_s=0.63)
    audio = encode_clip(recorded, FRAME, 0.0, Toy(CLIENT))
    assert (len(audio.frames), audio.n_before_end) == (7, 7)


class Flushing(Toy):
    capabilities = structs.replace(Toy.capabilities, flush_silence_s=0.35)


def test_silence_that_the_server_needs_to_get_on_follows_the_end_message() -> None:
    audio = encode_clip(clip(), FRAME, 0.0, Flushing(CLIENT))
    assert (audio.n_before_end, len(audio.frames)) == (6, 10)
    transport = ScriptedTransport(FakeClock(), [(0.0, "ready"), (0.85, "last:hello")])
    session = Session(Flushing(CLIENT), audio, RULES, transport.clock())
    run_utterance(session, transport, session.dialect)
    sent = [what if isinstance(what, str) else "frame" for _, what in transport.sent]
    assert sent == ["hello", "begin 10", *["frame"] * 12, "end", "bye", *["frame"] * 4]


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (UpgradeRefused("HTTP 401 at the upgrade", 401), Refusal.AUTH),
        (UpgradeRefused("HTTP 503 at the upgrade", 503), Refusal.CAPACITY),
        (UpgradeRefused("no TCP connection"), Refusal.UNREACHABLE),
        (UpgradeRefused("HTTP 404 at the upgrade", 404), Refusal.PARAMETERS),
        (UpgradeRefused("HTTP 307 at the upgrade", 307), None),
        (UpgradeRefused("HTTP 502 at the upgrade", 502), None),
        (ConnectionLost("policy", 1008), Refusal.AUTH),
        (ConnectionLost("reset"), None),
    ],
)
def test_a_refusal_says_why_where_it_is_known(fault: SttLoadError, refusal: Refusal | None) -> None:
    record, _ = toy((0.1, fault))
    assert record.refusal == refusal


def test_a_server_that_speaks_another_dialect_is_recognised() -> None:
    record, _ = toy((0.1, QUEUED))
    assert record.error is not None
    assert record.error.endswith("the server seems to speak parakeet: see --dialect")


def test_a_server_that_quotes_the_key_is_not_quoted() -> None:
    why = UpgradeRefused("HTTP 401 at the upgrade: the key sesame is not known", 401)
    seen: list[object] = []

    def watch(at_s: float, direction: str, message: Message, events: Sequence[Event]) -> None:
        if direction != ">":
            seen.append(message)

    dialect = Toy(Settings(end="client", credentials=Credentials("sesame")))
    for arrival in ((0.0, why), (0.1, "full:sesame is not welcome")):
        transport = ScriptedTransport(FakeClock(), [arrival])
        session = Session(dialect, one_second(dialect), RULES, transport.clock())
        run_utterance(session, transport, session.dialect, watch)
        assert session.error is not None
        assert "***" in session.error
        assert "sesame" not in session.error
    assert len(seen) == 2
    assert "sesame" not in str(seen)


def test_where_the_server_ends_utterances_no_end_message_is_sent() -> None:
    rules = SessionRules(timeout_s=TIMEOUT_S)
    transport = ScriptedTransport(FakeClock(), [(0.0, "ready"), (1.2, "last:hello")])
    record = measured(speak(Toy(), rules, transport))
    assert [message for _, message in transport.sent if isinstance(message, str)] == ["hello", "begin 10"]
    assert record.finalise_latency_s is None


def test_waiting_for_the_upgrade_has_a_deadline_of_its_own() -> None:
    session = Session(Toy(), one_second(Toy()), SessionRules(timeout_s=3.0, ready_timeout_s=7.0), START_S)
    assert session.next_action(START_S) == WaitUntil(START_S + 7.0)


def test_every_outcome_is_reached_by_a_test_of_this_file() -> None:
    reached = {row.outcome for row in (*TRANSCRIPTS, *ENDS)} | {Outcome.INTERRUPTED}
    assert reached == set(Outcome)


def test_a_watcher_sees_everything_in_order() -> None:
    _, spoken = parakeet((0.95, QUEUED), (1.2, text("hello")))
    assert spoken.seen[-4:] == [(0.9, ">", ""), (0.95, "<", "SegmentPending"), (1.0, ">", ""), (1.2, "<", "Final")]
    assert spoken.stamp == "kernel"


@pytest.mark.parametrize(
    ("late_s", "told_s"), [((None, None), None), ((0.3, None), None), ((None, 0.3), 0.3), ((0.5, 0.3), 0.3)]
)
def test_how_late_an_answer_may_be_is_that_of_the_message_that_completed_it(
    late_s: tuple[float | None, float | None], told_s: float | None
) -> None:
    session = all_sent()
    first, last = [START_S + 1.1, START_S + 1.3]
    session.on_message(first, QUEUED, late_s[0])
    session.on_message(last, text("some words"), late_s[1])
    session.next_action(START_S + 60.0)
    record = record_of(*session.measure(START_S + 60.0))
    assert (record.outcome, record.arrival_late_s) == (Outcome.OK, told_s)
