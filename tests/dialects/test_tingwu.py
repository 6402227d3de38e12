"""What TingWu asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import pytest
from server_actions import actions_of, events_of

from stt_load.dialects.base import AudioLength, Settings
from stt_load.dialects.events import Final, Ready, Reply
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.tingwu import TingWu
from stt_load.errors import ConfigError
from stt_load.server.dialects.tingwu import TingWuServer
from stt_load.server.server_dialect import Abort, FeedAudio, UpgradeRequest

SPEAKING = '{"is_speaking": true}'
SILENT = '{"is_speaking": false}'
FRAME = bytes(3_200)
FINAL = Final("seven words", is_last=True)


def dialect(*options: str) -> TingWu:
    return TingWu(Settings(DIALECTS["tingwu"].parse_options(options), "client"))


def new_server() -> TingWuServer:
    return TingWuServer(UpgradeRequest("/ws/realtime"))


@pytest.mark.parametrize(
    ("frame_samples", "interval"),
    [(320, 30), (1_600, 6), (9_600, 1), (19_200, 1)],
)
def test_the_interval_of_partials_is_told_in_frames(frame_samples: int, interval: int) -> None:
    (config,) = dialect().begin(AudioLength(frames=50, samples=50 * frame_samples))
    assert json.loads(config) == {"is_speaking": True, "mode": "2pass", "chunk_interval": interval}


def test_options_reach_the_config() -> None:
    client = dialect("mode=offline", "hotwords=阿里 达摩院", "chunk_ms=1000")
    (config,) = client.begin(AudioLength(frames=50, samples=80_000))
    expected = {"is_speaking": True, "mode": "offline", "chunk_interval": 10, "hotwords": "阿里 达摩院"}
    assert json.loads(config) == expected


def test_a_mode_without_a_transcript_is_refused() -> None:
    with pytest.raises(ConfigError, match="mode=online: 'online' is not known: write 2pass or offline"):
        dialect("mode=online")


def test_it_greets_and_wants_its_pings_answered() -> None:
    assert events_of(dialect(), new_server().on_open()) == [Ready()]
    assert events_of(dialect(), new_server().on_tick()) == [Reply(('{"type": "pong"}',))]
    assert actions_of(new_server(), '{"type": "pong"}') == []


def test_the_end_message_is_answered_once_another_frame_comes() -> None:
    server = new_server()
    assert actions_of(server, SPEAKING, FRAME, SILENT) == [FeedAudio(FRAME)]
    assert events_of(dialect(), actions_of(server, b"")) == [FeedAudio(b""), FINAL]


def test_what_the_dialect_sends_at_the_end_is_enough() -> None:
    server = new_server()
    actions_of(server, SPEAKING, FRAME)
    assert events_of(dialect(), actions_of(server, *dialect().finalise())) == [FeedAudio(b""), FINAL]


def test_silence_has_no_final() -> None:
    assert actions_of(new_server(), SPEAKING, FRAME, SILENT, b"", spoken=None) == [FeedAudio(FRAME), FeedAudio(b"")]


def test_a_failed_pass_has_no_final() -> None:
    assert new_server().on_failed() == ()


def test_without_a_config_every_frame_is_an_utterance() -> None:
    assert events_of(dialect(), actions_of(new_server(), FRAME, FRAME)) == [
        FeedAudio(FRAME),
        FINAL,
        FeedAudio(FRAME),
        FINAL,
    ]


def test_an_utterance_that_is_over_wants_another_config() -> None:
    server = new_server()
    actions_of(server, SPEAKING, FRAME, SILENT, b"")
    assert events_of(dialect(), actions_of(server, FRAME)) == [FeedAudio(FRAME), FINAL]
    assert actions_of(server, SPEAKING, FRAME) == [FeedAudio(FRAME)]


def test_mode_online_never_says_a_final() -> None:
    config = '{"is_speaking": true, "mode": "online"}'
    assert actions_of(new_server(), config, FRAME, SILENT, b"") == [FeedAudio(FRAME), FeedAudio(b"")]


def test_json_that_is_no_object_ends_the_connection_and_broken_json_does_not() -> None:
    assert actions_of(new_server(), "[]") == [Abort()]
    assert actions_of(new_server(), "{") == []
