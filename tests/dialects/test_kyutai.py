"""What Kyutai's server is sent and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import msgpack
import numpy as np
import pytest
from fakes import first_arrival, open_websocket
from hypothesis import given
from hypothesis import strategies as st
from server_actions import events_of
from servers.start import start_stand_in

from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import (
    CumulativeTranscript,
    Event,
    Finished,
    Gauge,
    Ignored,
    Ready,
    ServerError,
    ServerWord,
    StillProcessing,
)
from stt_load.dialects.kyutai import STEP_SAMPLES, Kyutai, pack, unpack
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ProtocolError, Refusal
from stt_load.server.dialects.kyutai import DELAY_STEPS, KyutaiServer
from stt_load.server.server_dialect import Abort, Close, FeedAudio, RecognisedSegment, ServerAction, UpgradeRequest

URL = "ws://localhost:8080/api/asr-streaming"
STEP = bytes(2 * STEP_SAMPLES)
PATIENCE_S = 20.0


def dialect(*options: str, end: End = "client", key: str | None = None) -> Kyutai:
    return Kyutai(Settings(DIALECTS["kyutai"].parse_options(options), end, Credentials(key)))


def audio(steps: int) -> AudioLength:
    return AudioLength(steps, steps * STEP_SAMPLES)


def step(waiting: int = 0) -> bytes:
    return pack({"type": "Step", "step_idx": 400, "prs": [0.0] * 4, "buffered_pcm": waiting})


def word(text: str) -> bytes:
    return pack({"type": "Word", "text": text, "start_time": 0.5})


def test_audio_is_packed_as_single_floats() -> None:
    samples = np.array([0, 16_384, -32_768], "<i2")
    (sent,) = dialect().encode(samples.tobytes())
    assert isinstance(sent, bytes)
    assert unpack(sent) == {"type": "Audio", "pcm": [0.0, 0.5, -1.0]}
    assert sent.endswith(b"\x93" + b"\xca\x00\x00\x00\x00" + b"\xca\x3f\x00\x00\x00" + b"\xca\xbf\x80\x00\x00")


def test_frames_are_whole_steps() -> None:
    assert dialect().capabilities.frame_multiple_bytes == len(STEP)
    assert dialect().capabilities.sample_rate_hz == 24_000


def test_the_key_travels_in_the_servers_own_header() -> None:
    assert dialect(key="public_token").connect(URL).headers == {"kyutai-api-key": "public_token"}


def test_the_marker_bears_the_number_of_the_utterance() -> None:
    client = dialect()
    for number in (1, 2):
        client.begin(audio(10))
        assert [unpack(sent) for sent in client.finalise()] == [{"type": "Marker", "id": number}]


def test_silence_behind_the_end_is_paced_or_sent_in_one_burst() -> None:
    assert dialect().capabilities.flush_silence_s == 1.0
    burst = dialect("flush=burst", "delay=2.56")
    assert burst.capabilities.flush_silence_s == 0.0
    marker, *silence = burst.finalise()
    assert unpack(marker)["type"] == "Marker"
    assert silence == list(burst.encode(STEP)) * 39  # 3.06 s


def test_leading_silence_comes_before_the_first_utterance_of_a_connection() -> None:
    client = dialect("leading_silence=1")
    assert client.begin(audio(10)) == list(client.encode(STEP)) * 13
    assert client.begin(audio(10)) == []


@pytest.mark.parametrize("options", [(), ("leading_silence=0.16", "flush=burst")])
def test_the_last_step_of_all_that_was_sent_ends_the_utterance(options: tuple[str, ...]) -> None:
    client = dialect(*options)
    for _ in range(2):
        steps_sent = 5 + len(client.begin(audio(5))) + len(client.finalise()) - 1
        ends = [client.on_message(step())[1] for _ in range(steps_sent)]
        assert ends == [StillProcessing()] * (steps_sent - 1) + [Finished()]


def test_steps_that_are_not_ones_own_end_nothing() -> None:
    client = dialect("steps=false")
    client.begin(audio(1))
    assert client.on_message(step()) == (Gauge({"buffered_pcm": 0.0}),)


def test_what_waits_for_its_step_is_told_in_milliseconds() -> None:
    assert dialect().on_message(step(waiting=3 * STEP_SAMPLES))[0] == Gauge({"buffered_pcm": 240.0})


def test_words_are_told_as_the_transcript_so_far() -> None:
    client = dialect()
    client.begin(audio(1))
    assert [*client.on_message(word("seven")), *client.on_message(word("words"))] == [
        CumulativeTranscript("seven", words=(ServerWord("seven", 0.5),)),
        CumulativeTranscript("seven words", words=(ServerWord("seven", 0.5), ServerWord("words", 0.5))),
    ]
    client.begin(audio(1))
    assert client.on_message(word("that")) == (CumulativeTranscript("that", words=(ServerWord("that", 0.5),)),)


def test_a_marker_ends_nothing() -> None:
    assert isinstance(dialect().on_message(pack({"type": "Marker", "id": 1}))[0], Ignored)


@pytest.mark.parametrize(("why", "refusal"), [("no free channels", Refusal.CAPACITY), ("out of memory", None)])
def test_only_a_server_without_a_free_slot_refuses(why: str, refusal: Refusal | None) -> None:
    assert dialect().on_message(pack({"type": "Error", "message": why})) == (ServerError(why, refusal),)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
kinds = st.sampled_from(["Ready", "Step", "Word", "EndWord", "Marker", "Error", "Later"])


@given(kind=kinds | values, rest=st.dictionaries(st.sampled_from(["text", "id", "message", "buffered_pcm"]), values))
def test_whatever_is_packed_is_understood_ignored_or_blamed(kind: object, rest: dict[str, object]) -> None:
    message = msgpack.packb({"type": kind, **rest})
    Kyutai.recognises(message)
    try:
        events = dialect().on_message(message)
    except ProtocolError as error:
        assert "\n" not in str(error)
        return
    json.dumps([dict(event.server_ms) for event in events if isinstance(event, Gauge)], allow_nan=False)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd_to_be_blamed(message: bytes) -> None:
    Kyutai.recognises(message)
    try:
        dialect().on_message(message)
    except ProtocolError:
        return


# the server ---------------------------------------------------------------------------------------------------------


def new_server() -> KyutaiServer:
    return KyutaiServer(UpgradeRequest("/api/asr-streaming"))


def hear(server: KyutaiServer, steps: int) -> list[Event | ServerAction]:
    """The events for so many steps of audio, in messages of one step."""
    (message,) = dialect().encode(STEP)
    return events_of(dialect("steps=false"), [action for _ in range(steps) for action in server.on_message(message)])


def texts(heard: list[Event | ServerAction]) -> list[str]:
    return [event.text for event in heard if isinstance(event, CumulativeTranscript)]


def steps_in(heard: list[Event | ServerAction]) -> int:
    return sum(isinstance(event, Gauge) for event in heard)


def markers_in(heard: list[Event | ServerAction]) -> int:
    return sum(isinstance(event, Ignored) and event.why.startswith("Marker") for event in heard)


def test_the_voice_greets_and_steps_through_what_it_hears() -> None:
    server = new_server()
    assert events_of(dialect(), server.on_open()) == [Ready()]
    assert hear(server, 1) == [FeedAudio(STEP), Gauge({"buffered_pcm": 0.0})]


def test_short_messages_are_put_together_to_steps() -> None:
    server = new_server()
    (half,) = dialect().encode(STEP[:STEP_SAMPLES])
    assert [len(server.on_message(half)) for _ in range(4)] == [0, 2, 0, 2]


def test_no_step_is_made_while_a_text_is_owed_and_words_come_half_a_second_of_audio_late() -> None:
    server = new_server()
    assert steps_in(hear(server, 10)) == 10
    server.on_segment()
    assert steps_in(hear(server, 5)) == 0
    told = events_of(dialect("steps=false"), server.on_text(RecognisedSegment("seven words", 0.0, 0.8, {})))
    assert (steps_in(told), texts(told)) == (5, ["seven"])  # 1.2 s were heard: what was said until 0.72 s
    assert texts(hear(server, 1)) == ["words"]


def test_without_silence_behind_them_the_last_words_never_come() -> None:
    server = new_server()
    hear(server, 10)
    server.on_segment()
    server.on_text(RecognisedSegment("seven", 0.0, 0.8, {}))
    assert texts(hear(server, DELAY_STEPS - 1)) == []
    assert texts(hear(server, 1)) == ["seven"]


def test_a_marker_waits_for_steps_of_whoever_it_is() -> None:
    """The marker comes back with the last word of a caller who is alone, and before it beside another caller."""
    for neighbours, words_by_then in ((0, ["seven"]), (1, [])):
        server, others = new_server(), [new_server() for _ in range(neighbours)]
        hear(server, 10)
        server.on_segment()
        server.on_text(RecognisedSegment("seven", 0.0, 0.8, {}))
        assert server.on_message(pack({"type": "Marker", "id": 1})) == ()
        heard: list[Event | ServerAction] = []
        while not markers_in(heard):
            for other in others:
                hear(other, 1)
            heard += hear(server, 1)
        assert texts(heard) == words_by_then


def test_text_is_ignored_and_what_is_no_audio_ends_the_connection() -> None:
    assert new_server().on_message("hello") == ()
    for rubbish in (b"", b"\xff\xff", pack({"type": "Audio", "pcm": "x"}), pack({"type": "Marker"}), pack({})):
        assert new_server().on_message(rubbish) == (Abort(),)


def test_a_caller_without_a_slot_is_told_so_after_the_upgrade() -> None:
    error = ServerError("no free channels", Refusal.CAPACITY)
    assert events_of(dialect(), new_server().on_full()) == [error, Close()]


def test_the_second_caller_of_a_server_with_one_slot_is_refused_for_capacity() -> None:
    with start_stand_in("kyutai", "seven", "--max-callers", "1") as server:
        callers, greetings = [], []
        for _ in range(2):
            callers.append(open_websocket(server.url, dialect(), PATIENCE_S))
            greetings += dialect().on_message(first_arrival(callers[-1], PATIENCE_S).message)
        for caller in callers:
            caller.close()
    assert greetings == [Ready(), ServerError("no free channels", Refusal.CAPACITY)]
