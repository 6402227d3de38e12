"""What sherpa-onnx's non-streaming servers are told and answer, beyond what every dialect owes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from server_actions import actions_of, events_of

from stt_load.dialects.base import AudioLength, Settings
from stt_load.dialects.events import Final
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.sherpa_onnx_offline import SherpaOnnxOffline
from stt_load.errors import ProtocolError
from stt_load.server.dialects.sherpa_onnx_offline import SherpaOnnxOfflineServer
from stt_load.server.server_dialect import Close, DiscardAudio, FeedAudio, UpgradeRequest

AUDIO = np.full(1_600, 0.5, "<f4").tobytes()
HEARD = FeedAudio(np.full(1_600, 16_384, "<i2").tobytes())
DIED = Close(1011, "internal error")
PYTHON = UpgradeRequest("/")
CPP = UpgradeRequest("/", {"server": "cpp"})
each_server = pytest.mark.parametrize("upgrade", [PYTHON, CPP], ids=["python", "cpp"])


def dialect(*options: str) -> SherpaOnnxOffline:
    return SherpaOnnxOffline(Settings(DIALECTS["sherpa-onnx-offline"].parse_options(options), "client"))


def header(n_bytes: int = len(AUDIO), rate_hz: int = 16_000) -> bytes:
    return struct.pack("<ii", rate_hz, n_bytes)


def test_rate_and_length_come_before_the_audio() -> None:
    assert dialect().begin(AudioLength(frames=1, samples=1_600)) == (header(),)
    assert dialect("sample_rate=8000").begin(AudioLength(1, 800)) == (header(3_200, 8_000),)


def test_there_is_no_end_message() -> None:
    assert dialect().finalise() == ()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("hello there", "hello there"),
        ("<EMPTY>", ""),
        ("{not what it seems", "{not what it seems"),
        ('{"lang": "", "text": " hello ", "timestamps": [], "tokens": []}', "hello"),
    ],
)
def test_a_text_is_plain_or_in_json_and_the_last(message: str, text: str) -> None:
    assert dialect().on_message(message) == (Final(text, is_last=True),)


def test_a_binary_answer_is_the_servers_fault() -> None:
    with pytest.raises(ProtocolError, match="a binary message where a text was due"):
        dialect().on_message(b"hello")


def test_plain_text_is_nobody_elses_but_the_streaming_servers_last_word_is() -> None:
    assert not SherpaOnnxOffline.recognises("hello there")  # any server may say a word before it closes
    assert SherpaOnnxOffline.recognises("<EMPTY>")
    assert not SherpaOnnxOffline.recognises("Done!")
    assert not SherpaOnnxOffline.recognises('{"text": "hello there"}')


@each_server
def test_the_last_sample_brings_the_text(upgrade: UpgradeRequest) -> None:
    half = len(AUDIO) // 2
    server = SherpaOnnxOfflineServer(upgrade)
    assert actions_of(server, header(), AUDIO[:half]) == [DiscardAudio()]
    assert events_of(dialect(), actions_of(server, AUDIO[half:])) == [HEARD, Final("seven words", is_last=True)]


@each_server
def test_audio_may_ride_with_the_header_and_utterances_follow_each_other(upgrade: UpgradeRequest) -> None:
    server = SherpaOnnxOfflineServer(upgrade)
    once, again = (events_of(dialect(), actions_of(server, header(rate_hz=rate) + AUDIO)) for rate in (16_000, 8_000))
    assert once == again == [DiscardAudio(), HEARD, Final("seven words", is_last=True)]
    assert server.sample_rate_hz == 8_000


@each_server
def test_no_words_are_said_so(upgrade: UpgradeRequest) -> None:
    actions = actions_of(SherpaOnnxOfflineServer(upgrade), header(), AUDIO, spoken=None)
    assert events_of(dialect(), actions)[-1] == Final("", is_last=True)


def test_python_takes_done_for_audio_while_bytes_are_missing() -> None:
    server = SherpaOnnxOfflineServer(PYTHON)
    assert actions_of(server, header(), AUDIO[:-8], "Done") == [DiscardAudio()]
    assert actions_of(server, AUDIO[-4:])[0] != HEARD


def test_python_dies_of_too_many_bytes_a_short_header_and_another_word() -> None:
    assert actions_of(SherpaOnnxOfflineServer(PYTHON), header(), AUDIO + b"more")[1:] == [DIED]
    assert actions_of(SherpaOnnxOfflineServer(PYTHON), b"short") == [DIED]
    assert actions_of(SherpaOnnxOfflineServer(PYTHON), "hello") == [DIED]


def test_audio_without_a_header_is_taken_for_one() -> None:
    assert actions_of(SherpaOnnxOfflineServer(PYTHON), AUDIO) == [DIED]


def test_python_leaves_after_the_text_when_it_is_told_done() -> None:
    actions = actions_of(SherpaOnnxOfflineServer(PYTHON), header(), AUDIO, "Done")
    assert events_of(dialect(), actions)[-2:] == [Final("seven words", is_last=True), Close(1000)]


def test_cpp_leaves_at_once_when_it_is_told_done() -> None:
    server = SherpaOnnxOfflineServer(CPP)
    for message in (header(), AUDIO):
        list(server.on_message(message))
    assert list(server.on_message("Done")) == [Close(1000, "Done")], "the text is still owed"


def test_cpp_refuses_more_than_five_minutes() -> None:
    assert actions_of(SherpaOnnxOfflineServer(CPP), header(n_bytes=301 * 64_000)) == [
        Close(1009, "Payload is too large!")
    ]
