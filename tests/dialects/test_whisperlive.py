"""What WhisperLive is told and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from server_actions import events_of, untimed

from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, Settings
from stt_load.dialects.events import CumulativeTranscript, EndOfTurn, Ignored, Ready, ServerError, ServerWord
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.whisperlive import WhisperLive
from stt_load.errors import Refusal
from stt_load.server.dialects.whisperlive import WhisperLiveServer
from stt_load.server.server_dialect import (
    Close,
    FeedAudio,
    RecognisedSegment,
    ServerAction,
    UpgradeRefusal,
    UpgradeRequest,
)

SECOND = np.zeros(16_000, "<f4").tobytes()


def dialect(*options: str, key: str | None = None) -> WhisperLive:
    return WhisperLive(Settings(DIALECTS["whisperlive"].parse_options(options), "server", Credentials(key)))


def greeting(*options: str) -> str:
    (message,) = dialect(*options).connect("ws://server").first_messages
    assert isinstance(message, str)
    return message


def greeted(*options: str, **query: str) -> WhisperLiveServer:
    server = WhisperLiveServer(UpgradeRequest("/", query))
    assert events_of(dialect(), [*server.on_message(greeting(*options))]) == [Ready()]
    return server


def hear(server: WhisperLiveServer, seconds: float) -> list[ServerAction]:
    """Sends the server so much audio, in frames of 1 s."""
    return [action for _ in range(round(seconds)) for action in server.on_message(SECOND)]


def tell(server: WhisperLiveServer, text: str, start_s: float, end_s: float) -> None:
    server.on_text(RecognisedSegment(text, start_s, end_s, {}))


def passes(server: WhisperLiveServer, n_ticks: int) -> list[ServerAction]:
    return [action for _ in range(n_ticks) for action in server.on_tick()]


def segment(text: str, start: float, end: float, is_completed: bool) -> dict[str, object]:
    return {"start": f"{start:.3f}", "end": f"{end:.3f}", "text": text, "completed": is_completed}


def told(*segments: dict[str, object]) -> str:
    return json.dumps({"uid": "stt-load", "segments": segments})


def test_the_greeting_says_everything_that_the_server_asks_for() -> None:
    assert json.loads(greeting()) == {
        "uid": "stt-load",
        "language": "en",
        "task": "transcribe",
        "model": "small",
        "use_vad": True,
        "audio_format": "float32",
        "send_last_n_segments": 10,
        "same_output_threshold": 10,
        "no_speech_thresh": 0.45,
        "initial_prompt": None,
        "hotwords": None,
    }


def test_options_reach_the_greeting() -> None:
    said = json.loads(greeting("language=", "model=large-v3", "use_vad=false", "same_output_threshold=3"))
    assert said["language"] is None
    assert (said["model"], said["use_vad"], said["same_output_threshold"]) == ("large-v3", False, 3)


@pytest.mark.parametrize(("audio_format", "n_bytes"), [("float32", 4), ("int16", 2)])
def test_audio_goes_out_as_the_greeting_says(audio_format: str, n_bytes: int) -> None:
    (message,) = dialect(f"audio_format={audio_format}").encode(bytes(200))
    assert len(message) == 100 * n_bytes


def test_the_key_is_a_bearer() -> None:
    assert dialect(key="abc").connect("ws://server").headers == {"Authorization": "Bearer abc"}


def test_nothing_is_said_at_the_end() -> None:
    """END_OF_AUDIO would cut the last words off."""
    assert dialect().finalise() == ()
    assert dialect().capabilities.ends == ("server",)


def test_completed_segments_add_up_and_the_tail_is_one_slot() -> None:
    client = dialect("send_last_n_segments=1")
    client.on_message(told(segment(" one", 0.1, 0.5, is_completed=False)))
    client.on_message(
        told(segment(" one.", 0.1, 0.6, is_completed=True), segment(" two", 0.6, 0.9, is_completed=False))
    )
    events = client.on_message(told(segment(" two.", 0.6, 1.0, is_completed=True)))
    words = (ServerWord("one.", 0.1, 0.6), ServerWord("two.", 0.6, 1.0))
    assert events == (CumulativeTranscript("one. two.", words=words), EndOfTurn())


def test_a_completed_segment_that_is_told_again_ends_no_turn() -> None:
    client, done = dialect(), told(segment(" one", 0.0, 0.5, is_completed=True))
    client.on_message(done)
    assert untimed(client.on_message(done)) == [CumulativeTranscript("one")]


def test_segments_of_an_earlier_utterance_belong_to_it() -> None:
    client, earlier = dialect(), segment(" one", 0.0, 0.5, is_completed=True)
    client.on_message(told(earlier))
    client.begin(AudioLength(1, 1_600))
    later = client.on_message(told(earlier, segment(" two", 0.5, 0.9, is_completed=False)))
    assert later == (CumulativeTranscript("two", words=(ServerWord("two", 0.5, 0.9),)),)


def test_a_full_server_lets_callers_in_and_says_how_long_to_wait() -> None:
    full = events_of(dialect(), WhisperLiveServer(UpgradeRequest("/")).on_full())
    assert full == [ServerError("the server is full, for 5.0 min", Refusal.CAPACITY), Close(1000)]


@pytest.mark.parametrize("wrong", ["hello", b"\0\0", '{"uid": "1"}', "[]", greeting().replace("float32", "opus")])
def test_a_greeting_that_is_not_understood_is_answered_with_a_close_alone(wrong: str | bytes) -> None:
    assert [*WhisperLiveServer(UpgradeRequest("/")).on_message(wrong)] == [Close(1000)]


def test_a_key_is_shown_in_the_header_or_the_query() -> None:
    sent = dialect(key="abc").connect("ws://server").headers
    headers = {name.lower(): value for name, value in sent.items()}
    assert WhisperLiveServer(UpgradeRequest("/", {}, headers, "abc")).refuse() is None
    assert WhisperLiveServer(UpgradeRequest("/", {"token": "abc"}, {}, "abc")).refuse() is None
    assert WhisperLiveServer(UpgradeRequest("/", {}, {}, "abc")).refuse() == UpgradeRefusal(401, "Unauthorized\n")


def test_no_pass_with_less_than_a_second_to_work_on() -> None:
    server = greeted()
    list(server.on_message(SECOND[: len(SECOND) * 84 // 100]))
    tell(server, "one", 0.1, 0.7)
    assert passes(server, 100) == []


def test_every_pass_is_told_and_the_eleventh_repetition_completes() -> None:
    server, client = greeted(), dialect()
    hear(server, 2)
    tell(server, "one", 0.1, 0.7)
    events = events_of(client, passes(server, 20))
    assert untimed(events) == [CumulativeTranscript("one")] * 11 + [EndOfTurn()]


def test_a_lower_threshold_completes_sooner() -> None:
    server = greeted("same_output_threshold=3")
    hear(server, 2)
    tell(server, "one", 0.1, 0.7)
    assert EndOfTurn() in events_of(dialect(), passes(server, 4))


def test_a_later_segment_completes_the_one_before() -> None:
    server, client = greeted(), dialect()
    hear(server, 2)
    tell(server, "one", 0.1, 0.7)
    tell(server, "two", 0.8, 1.0)
    assert untimed(events_of(client, passes(server, 1))) == [CumulativeTranscript("one two")]


def test_of_a_backlog_the_oldest_is_dropped_without_a_word() -> None:
    server = greeted()
    hear(server, 47)
    tell(server, "too late", 1.0, 9.0)
    tell(server, "in time", 40.0, 44.0)
    assert untimed(events_of(dialect(), passes(server, 1))) == [CumulativeTranscript("in time")]


def test_end_of_audio_flushes_nothing() -> None:
    server = greeted()
    hear(server, 2)
    tell(server, "one", 0.1, 0.7)
    assert [*server.on_message(b"END_OF_AUDIO")] == [Close(1000)]


@pytest.mark.parametrize("wrong", ["END_OF_AUDIO", b"\0\0\0"])
def test_text_or_half_a_sample_ends_the_connection(wrong: str | bytes) -> None:
    assert [*greeted().on_message(wrong)] == [Close(1000)]


def test_after_its_time_the_caller_is_sent_away() -> None:
    server = greeted(max_connection_time="1")
    assert [type(action) for action in hear(server, 1)] == [FeedAudio]
    passes(server, 10)
    error, close = events_of(dialect(), hear(server, 1))
    assert isinstance(error, ServerError)
    assert close == Close(1000)


def kinds(events: Sequence[object]) -> list[type]:
    return [type(event) for event in events]


def test_troubles_are_told_apart() -> None:
    client = dialect()
    assert kinds(client.on_message('{"uid": "1", "status": "WARNING", "message": "slow"}')) == [Ignored]
    assert client.on_message('{"uid": "1", "status": "ERROR", "message": "no model"}') == (ServerError("no model"),)
    assert kinds(client.on_message('{"uid": "1", "language": "en", "language_prob": 0.9}')) == [Ignored]
