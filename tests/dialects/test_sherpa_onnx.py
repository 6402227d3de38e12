"""What sherpa-onnx's streaming servers are told and answer, beyond what every dialect owes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from server_actions import actions_of, actions_on_segment, events_of

from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import CumulativeTranscript, EndOfTurn, Finished
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.sherpa_onnx import SherpaOnnx
from stt_load.errors import ProtocolError
from stt_load.server.dialects.sherpa_onnx import SherpaOnnxServer
from stt_load.server.server_dialect import Close, FeedAudio, SendMessage, ServerAction, UpgradeRequest

STEP = np.zeros(5_120, np.float32).tobytes()  # 320 ms
PYTHON = UpgradeRequest("/")
CPP = UpgradeRequest("/", {"server": "cpp"})
each_server = pytest.mark.parametrize("upgrade", [PYTHON, CPP], ids=["python", "cpp"])


def dialect(*options: str, end: End = "client") -> SherpaOnnx:
    return SherpaOnnx(Settings(DIALECTS["sherpa-onnx"].parse_options(options), end))


def said(actions: Sequence[ServerAction]) -> list[dict[str, object]]:
    return [json.loads(action.message) for action in actions if isinstance(action, SendMessage)]


def result(text: str, segment: int, **more: bool) -> str:
    return json.dumps({"text": text, "segment": segment, **more})


def test_audio_is_float32_between_minus_one_and_one() -> None:
    pcm = np.array([0, 16_384, -32_768], "<i2").tobytes()
    (message,) = dialect().encode(pcm)
    assert isinstance(message, bytes)
    assert np.frombuffer(message, "<f4").tolist() == [0.0, 0.5, -1.0]


def test_the_end_message_is_one_word() -> None:
    assert dialect().finalise() == ("Done",)


def test_the_rate_is_that_of_the_servers_model() -> None:
    assert dialect("sample_rate=8000").capabilities.sample_rate_hz == 8_000


def test_segments_add_up_in_their_order() -> None:
    client = dialect()
    for text, segment in (("one", 0), ("one two", 0), ("", 1), ("three", 1)):
        events = client.on_message(result(text, segment))
    assert events == (CumulativeTranscript("one two three"),)


def test_what_was_said_in_an_earlier_utterance_is_forgotten() -> None:
    client = dialect(end="server")
    client.on_message(result("one", 0))
    client.begin(AudioLength(1, 1_600))
    assert client.on_message(result("two", 1)) == (CumulativeTranscript("two"),)


def test_python_shows_an_endpoint_by_the_next_segment() -> None:
    client = dialect(end="server")
    client.on_message(result("one", 0))
    assert client.on_message(result("", 1)) == (CumulativeTranscript("one"), EndOfTurn())
    assert client.on_message(result("", 2)) == (CumulativeTranscript("one"),), "a segment of silence ends no turn"


def test_cpp_marks_an_endpoint_and_it_is_told_once() -> None:
    client = dialect(end="server")
    assert client.on_message(result("one", 0, is_final=True, is_eof=False)) == (
        CumulativeTranscript("one"),
        EndOfTurn(),
    )
    assert client.on_message(result("", 1, is_final=False, is_eof=False)) == (CumulativeTranscript("one"),)
    assert client.on_message(result("", 1, is_final=True, is_eof=False)) == (CumulativeTranscript("one"),)


def test_a_step_without_news_is_an_answer_whoever_ends_the_utterance() -> None:
    """Where all words came before the end of speech, the first such step after it confirms them."""
    for end in ("client", "server"):
        client = dialect(end=end)  # type: ignore[arg-type]
        client.on_message(result("one", 0))
        assert client.on_message(result("one", 0)) == (CumulativeTranscript("one"),)


def test_a_segment_without_a_number_is_the_servers_fault() -> None:
    with pytest.raises(ProtocolError, match="segment is not a number"):
        dialect().on_message('{"text": "one", "segment": "first"}')


@each_server
def test_every_step_is_told_changed_or_not(upgrade: UpgradeRequest) -> None:
    half = STEP[: len(STEP) // 2]
    server = SherpaOnnxServer(upgrade)
    assert [len(said(actions_of(server, frame))) for frame in (half, half, STEP + half, half)] == [0, 1, 1, 1]


@each_server
def test_done_is_answered_with_the_rest(upgrade: UpgradeRequest) -> None:
    events = events_of(dialect(), actions_of(SherpaOnnxServer(upgrade), "Done"))
    assert events == [
        CumulativeTranscript("seven words", is_last=upgrade is CPP),
        Finished() if upgrade is CPP else Close(1000),
    ]


@each_server
def test_an_endpoint_begins_the_next_segment(upgrade: UpgradeRequest) -> None:
    server, client = SherpaOnnxServer(upgrade), dialect(end="server")
    events = events_of(client, [*actions_on_segment(server), *actions_of(server, STEP)[1:]])
    assert EndOfTurn() in events
    assert said(actions_of(server, STEP))[0]["segment"] == 1


@each_server
def test_words_behind_an_endpoint_are_a_segment_of_their_own(upgrade: UpgradeRequest) -> None:
    server = SherpaOnnxServer(upgrade)
    events = events_of(dialect(), [*actions_on_segment(server), *actions_of(server, "Done")])
    assert CumulativeTranscript("seven words seven words", is_last=upgrade is CPP) in events


@each_server
def test_a_binary_done_is_audio(upgrade: UpgradeRequest) -> None:
    assert [type(action) for action in actions_of(SherpaOnnxServer(upgrade), b"Done")] == [FeedAudio]


def test_python_dies_of_half_a_sample_and_of_another_word() -> None:
    for wrong in (STEP[:-2], "done"):
        assert actions_of(SherpaOnnxServer(PYTHON), wrong) == [Close(1011, "internal error")]


def test_cpp_cuts_half_a_sample_off_and_overhears_another_word() -> None:
    assert actions_of(SherpaOnnxServer(CPP), b"\0\0\0\0\1\1") == [FeedAudio(b"\0\0")]
    assert actions_of(SherpaOnnxServer(CPP), "done") == []


def test_int16_sent_as_it_is_becomes_noise() -> None:
    """Two samples make one, and nothing says so: the words are gone."""
    tone = (8_000 * np.sin(np.arange(3_200) / 10)).astype("<i2")
    (heard,) = actions_of(SherpaOnnxServer(PYTHON), tone.tobytes())
    assert isinstance(heard, FeedAudio)
    assert len(heard.pcm) == tone.nbytes // 2
