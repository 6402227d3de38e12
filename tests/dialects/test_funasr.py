"""What FunASR's 2-pass servers ask and answer, beyond what every dialect owes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fakes import first_arrival, open_websocket
from server_actions import actions_of, actions_on_segment, events_of
from websockets.sync.server import ServerConnection, serve

from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import EndOfTurn, Event, Final, Finished, Message, ServerError
from stt_load.dialects.funasr import FunAsr
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError
from stt_load.server.dialects.funasr import FunAsrServer
from stt_load.server.server_dialect import Close, FeedAudio, ServerAction, UpgradeRequest

FRAME = bytes(3_200)
LENGTH = AudioLength(frames=12, samples=19_200)
TEXT = "seven words"
DEADLINE_S = 20.0


def dialect(*options: str, end: End = "client") -> FunAsr:
    return FunAsr(Settings(DIALECTS["funasr"].parse_options(options), end))


def new_server(server: str = "python") -> FunAsrServer:
    return FunAsrServer(UpgradeRequest("/", {"server": server}, {"sec-websocket-protocol": "binary"}))


def config_of(client: FunAsr, length: AudioLength = LENGTH) -> Message:
    (config,) = client.begin(length)
    return config


def utterance(client: FunAsr, server: FunAsrServer) -> list[Event | ServerAction]:
    """What comes of an utterance of one frame: events and actions, but for the audio itself."""
    said = actions_of(server, config_of(client), FRAME, *client.finalise())
    return events_of(client, [action for action in said if not isinstance(action, FeedAudio)])


def test_the_config_says_everything_that_its_own_client_says() -> None:
    assert json.loads(config_of(dialect())) == {
        "mode": "2pass",
        "chunk_size": [5, 10, 5],
        "chunk_interval": 6,
        "encoder_chunk_look_back": 4,
        "decoder_chunk_look_back": 0,
        "audio_fs": 16_000,
        "wav_name": "stt-load",
        "wav_format": "pcm",
        "is_speaking": True,
        "hotwords": "",
        "itn": True,
    }


@pytest.mark.parametrize(
    ("sizes", "frame_samples", "interval"),
    [("5,10,5", 960, 10), ("5,10,5", 1_600, 6), ("8, 8, 4", 1_600, 5), ("5,10,5", 16_000, 1)],
)
def test_a_chunk_is_told_in_frames(sizes: str, frame_samples: int, interval: int) -> None:
    config = config_of(dialect(f"chunk_size={sizes}"), AudioLength(20, 20 * frame_samples))
    assert json.loads(config)["chunk_interval"] == interval


def test_options_reach_the_config() -> None:
    config = json.loads(config_of(dialect("mode=online", 'hotwords={"达摩院": 20}', "itn=false", "svs_lang=en")))
    assert (config["mode"], config["hotwords"], config["itn"]) == ("online", '{"达摩院": 20}', False)
    assert config["svs_lang"] == "en"


@pytest.mark.parametrize("sizes", ["", "10", "5,0,5", "5,10,x", "-5,10,5"])
def test_a_chunk_size_that_is_none_is_refused_with_an_example(sizes: str) -> None:
    with pytest.raises(ConfigError, match="write three whole numbers like 5,10,5"):
        dialect(f"chunk_size={sizes}")


def test_the_end_message_is_the_one_that_all_versions_understand() -> None:
    assert dialect().finalise() == ('{"is_speaking": false, "is_end": true}', b"")


def test_where_nobody_tells_the_end_a_quiet_period_has_to() -> None:
    assert dialect().capabilities.answers_end
    assert dialect("server=cpp").capabilities.answers_end
    assert not dialect("server=old").capabilities.answers_end


def test_python_acknowledges_the_end() -> None:
    assert utterance(dialect(), new_server()) == [Final(TEXT), Finished()]


def test_behind_the_last_words_there_is_an_empty_text_for_the_silence() -> None:
    server, client = new_server(), dialect()
    actions_of(server, config_of(client), FRAME)
    assert events_of(client, actions_on_segment(server)) == [Final(TEXT)]
    assert events_of(client, actions_of(server, *client.finalise(), spoken=None)) == [Final(""), Finished()]


def test_without_is_end_python_acknowledges_nothing() -> None:
    said = actions_of(new_server(), config_of(dialect()), '{"is_speaking": false}')
    assert events_of(dialect(), said) == [Final(TEXT)]


@pytest.mark.parametrize("server", ["python", "cpp"])
def test_the_cpp_server_says_it_in_the_last_message(server: str) -> None:
    """The C++ server is recognised by what it sends, with the option or without."""
    assert utterance(dialect(f"server={server}"), new_server("cpp")) == [Final(TEXT, is_last=True)]


def test_the_cpp_servers_last_message_may_be_empty() -> None:
    server, client = new_server("cpp"), dialect()
    actions_of(server, config_of(client), FRAME)
    assert events_of(client, actions_on_segment(server)) == [Final(TEXT)]
    assert events_of(client, actions_of(server, *client.finalise(), spoken=None)) == [Final("", is_last=True)]


def test_the_old_server_wants_a_frame_behind_the_end_message() -> None:
    server, client = new_server("old"), dialect("server=old")
    end_message, frame = client.finalise()
    assert actions_of(server, config_of(client), end_message) == []
    assert events_of(client, actions_of(server, frame)) == [Final(TEXT)]
    assert events_of(client, actions_of(server, FRAME, spoken=None)) == [Final("")]


@pytest.mark.parametrize("server", ["python", "cpp", "old"])
def test_mode_online_adds_up_whatever_the_server_calls_it(server: str) -> None:
    client = dialect("mode=online", f"server={server}")
    assert Final(TEXT, is_last=server == "cpp") in utterance(client, new_server(server))


def test_in_silence_that_flows_each_offline_text_ends_a_turn() -> None:
    server, client = new_server(), dialect(end="server")
    actions_of(server, config_of(client), FRAME)
    assert events_of(client, actions_on_segment(server)) == [Final(TEXT), EndOfTurn()]


def test_frames_before_the_config_are_dropped_and_the_acknowledgement_says_so() -> None:
    server, client = new_server(), dialect()
    assert actions_of(server, FRAME) == []
    said = events_of(client, actions_of(server, *client.finalise(), spoken=None))
    assert said == [ServerError("audio frame discarded: chunk_size is not configured")]


def test_an_unknown_mode_is_an_error_in_the_acknowledgement() -> None:
    server = new_server()
    end_message, _ = dialect().finalise()
    said = actions_of(server, '{"mode": "3pass", "chunk_size": [5, 10, 5]}', FRAME, end_message, spoken=None)
    assert events_of(dialect(), said)[-1] == ServerError("unsupported mode: '3pass'")


def test_a_decoder_that_died_is_an_error_in_the_acknowledgement() -> None:
    server, client = new_server(), dialect()
    actions_of(server, config_of(client), FRAME)
    assert server.on_failed() == ()
    *_, last = events_of(client, actions_of(server, *client.finalise(), spoken=None))
    assert last == ServerError("offline inference failed: the decoder died")


def test_broken_json_makes_the_cpp_server_deaf_and_is_nothing_to_python() -> None:
    assert actions_of(new_server("cpp"), "{", config_of(dialect()), FRAME, *dialect().finalise()) == []
    assert actions_of(new_server(), "{", config_of(dialect()), FRAME) == [FeedAudio(FRAME)]
    assert actions_of(new_server(), "1") == [Close(1000)]


@pytest.mark.parametrize(("server", "is_refused"), [("python", True), ("old", True), ("cpp", False)])
def test_python_refuses_a_client_that_offers_no_subprotocol(server: str, is_refused: bool) -> None:
    refusal = FunAsrServer(UpgradeRequest("/", {"server": server})).refuse()
    assert (refusal is not None) == is_refused


@contextmanager
def chooser() -> Iterator[str]:
    """The URL of a server that chooses the subprotocol it is offered, and sends its name."""

    def tell(connection: ServerConnection) -> None:
        connection.send(str(connection.subprotocol))

    with serve(tell, "127.0.0.1", 0, subprotocols=["binary"]) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join(DEADLINE_S)


def test_a_server_that_chooses_the_subprotocol_is_spoken_to() -> None:
    """The stand-in chooses none and is understood all the same: `test_stand_ins.py`."""
    with chooser() as url:
        transport = open_websocket(url, dialect(), DEADLINE_S)
        arrival = first_arrival(transport, DEADLINE_S)
        transport.close()
    assert arrival.message == "binary"
