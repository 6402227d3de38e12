"""What TingWu asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import pytest
from talks import answers, understood

from stt_load.dialects.base import AudioLength, Settings
from stt_load.dialects.events import Final, Ready, Reply
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.tingwu import TingWu
from stt_load.errors import ConfigError
from stt_load.server.dialects.tingwu import TingWuServer
from stt_load.server.server_dialect import Drop, Hear, UpgradeRequest

SPEAKING = '{"is_speaking": true}'
SILENT = '{"is_speaking": false}'
FRAME = bytes(3_200)
FINAL = Final("seven words", is_last=True)


def dialect(*options: str) -> TingWu:
    return TingWu(Settings(DIALECTS["tingwu"].parse_options(options), "client"))


def voice() -> TingWuServer:
    return TingWuServer(UpgradeRequest("/ws/realtime"))


@pytest.mark.parametrize(
    ("frame_samples", "interval"),
    [(320, 30), (1_600, 6), (9_600, 1), (19_200, 1)],
)
def test_the_interval_of_partials_is_told_in_frames(frame_samples: int, interval: int) -> None:
    (config,) = dialect().begin(AudioLength(frames=50, samples=50 * frame_samples))
    assert json.loads(config) == {"is_speaking": True, "mode": "2pass", "chunk_interval": interval}


def test_options_reach_the_config() -> None:
    asked = dialect("mode=offline", "hotwords=阿里 达摩院", "chunk_ms=1000")
    (config,) = asked.begin(AudioLength(frames=50, samples=80_000))
    expected = {"is_speaking": True, "mode": "offline", "chunk_interval": 10, "hotwords": "阿里 达摩院"}
    assert json.loads(config) == expected


def test_a_mode_without_a_transcript_is_refused() -> None:
    with pytest.raises(ConfigError, match="mode=online: 'online' is not known: write 2pass or offline"):
        dialect("mode=online")


def test_it_greets_and_wants_its_pings_answered() -> None:
    assert understood(dialect(), voice().on_open()) == [Ready()]
    assert understood(dialect(), voice().on_tick()) == [Reply(('{"type": "pong"}',))]
    assert answers(voice(), '{"type": "pong"}') == []


def test_the_end_message_is_answered_once_another_frame_comes() -> None:
    talking = voice()
    assert answers(talking, SPEAKING, FRAME, SILENT) == [Hear(FRAME)]
    assert understood(dialect(), answers(talking, b"")) == [Hear(b""), FINAL]


def test_what_the_dialect_sends_at_the_end_is_enough() -> None:
    talking = voice()
    answers(talking, SPEAKING, FRAME)
    assert understood(dialect(), answers(talking, *dialect().finalise())) == [Hear(b""), FINAL]


def test_silence_has_no_final() -> None:
    assert answers(voice(), SPEAKING, FRAME, SILENT, b"", spoken=None) == [Hear(FRAME), Hear(b"")]


def test_a_failed_pass_has_no_final() -> None:
    assert voice().on_failed() == ()


def test_without_a_config_every_frame_is_an_utterance() -> None:
    assert understood(dialect(), answers(voice(), FRAME, FRAME)) == [Hear(FRAME), FINAL, Hear(FRAME), FINAL]


def test_an_utterance_that_is_over_wants_another_config() -> None:
    talking = voice()
    answers(talking, SPEAKING, FRAME, SILENT, b"")
    assert understood(dialect(), answers(talking, FRAME)) == [Hear(FRAME), FINAL]
    assert answers(talking, SPEAKING, FRAME) == [Hear(FRAME)]


def test_mode_online_never_says_a_final() -> None:
    config = '{"is_speaking": true, "mode": "online"}'
    assert answers(voice(), config, FRAME, SILENT, b"") == [Hear(FRAME), Hear(b"")]


def test_json_that_is_no_object_ends_the_connection_and_broken_json_does_not() -> None:
    assert answers(voice(), "[]") == [Drop()]
    assert answers(voice(), "{") == []
