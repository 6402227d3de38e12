"""What WhisperLiveKit is told and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import pytest
from server_actions import actions_of, events_of

from stt_load.credentials import Credentials
from stt_load.dialects.base import End, Settings
from stt_load.dialects.events import CumulativeTranscript, Ignored, Ready, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.whisperlivekit import WhisperLiveKit
from stt_load.errors import ProtocolError, Refusal
from stt_load.server.dialects.whisperlivekit import WhisperLiveKitServer
from stt_load.server.server_dialect import (
    Abort,
    Close,
    FeedAudio,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    UpgradeRefusal,
    UpgradeRequest,
)

URL = "ws://server/asr"
FRAME = bytes(3_200)


def dialect(*options: str, end: End = "client", key: str | None = None) -> WhisperLiveKit:
    return WhisperLiveKit(Settings(DIALECTS["whisperlivekit"].parse_options(options), end, Credentials(key)))


def new_server(**query: str) -> WhisperLiveKitServer:
    return WhisperLiveKitServer(UpgradeRequest("/asr", query))


def piece(text: str, start_s: float, end_s: float) -> RecognisedSegment:
    return RecognisedSegment(text, start_s, end_s, {})


def line(text: str | None, speaker: int = 1) -> dict[str, object]:
    return {"speaker": speaker, "text": text, "start": "0:00:00.00", "end": "0:00:01.00"}


def update(*lines: dict[str, object], **more: object) -> str:
    return json.dumps({"status": "active_transcription", "lines": lines, **more})


def texts(actions: Sequence[ServerAction]) -> list[str]:
    events = events_of(dialect(), actions)
    return [event.text for event in events if isinstance(event, CumulativeTranscript)]


def test_only_what_was_asked_for_is_in_the_query() -> None:
    assert dialect().connect(URL).url == URL
    client = dialect("language=en", "mode=diff", "target_language=fr").connect(URL + "?pcm=1").url
    assert parse_qs(urlsplit(client).query) == {
        "pcm": ["1"],
        "language": ["en"],
        "mode": ["diff"],
        "target_language": ["fr"],
    }


def test_the_key_is_a_bearer() -> None:
    assert dialect(key="abc").connect(URL).headers == {"Authorization": "Bearer abc"}


def test_an_empty_frame_ends_the_audio() -> None:
    assert dialect().finalise() == (b"",)


def test_lines_and_buffers_make_the_transcript_and_silence_is_no_line() -> None:
    message = update(
        line(" One."), line(None, speaker=-2), line(" Two"), buffer_diarization="three", buffer_transcription=" four"
    )
    assert dialect().on_message(message) == (CumulativeTranscript("One. Two three four"),)


def test_lags_are_told_in_milliseconds_beside_the_words_that_are_not_new() -> None:
    client = dialect()
    client.on_message(update(line("one")))
    assert client.on_message(update(line("one"), remaining_time_transcription=1.5, extra=3)) == (
        CumulativeTranscript("one", server_ms={"remaining_time_transcription": 1_500.0}),
    )


def test_a_line_without_its_text_keeps_the_one_it_had_and_a_buffer_without_text_is_empty() -> None:
    client = dialect()
    client.on_message(update(line("one"), buffer_transcription="two"))
    assert client.on_message(update(line(None), buffer_transcription=None)) == (CumulativeTranscript("one"),)
    assert client.on_message(update(line("one two"), line(None))) == (CumulativeTranscript("one two"),)
    assert client.on_message('{"lines": null}') == (Ignored("an update without lines"),)


def test_what_the_buffers_hold_in_the_end_is_the_last_word() -> None:
    client = dialect()
    client.on_message(update(line("one"), buffer_transcription="two"))
    assert client.on_message('{"type": "ready_to_stop"}') == (CumulativeTranscript("one two", is_last=True),)


def test_a_line_that_grew_behind_another_is_not_told_twice() -> None:
    client = dialect("mode=diff")
    client.on_message('{"type": "snapshot", "seq": 1, "lines": []}')
    for number, (n_lines, text) in enumerate([(1, "One."), (2, "Two"), (2, "Two and three")], start=2):
        diff = {"type": "diff", "seq": number, "n_lines": n_lines, "new_lines": [line(text)]}
        events = client.on_message(json.dumps(diff))
    assert events == (CumulativeTranscript("One. Two and three"),)


def test_lines_that_left_in_front_are_dropped() -> None:
    client = dialect("mode=diff")
    client.on_message(json.dumps({"type": "snapshot", "lines": [line("One."), line("Two.")]}))
    assert client.on_message('{"type": "diff", "n_lines": 1, "lines_pruned": 1}') == (CumulativeTranscript("Two."),)


@pytest.mark.parametrize("diff", ['{"type": "diff"}', '{"type": "diff", "n_lines": 3, "new_lines": []}'])
def test_a_diff_that_does_not_fit_is_the_servers_fault(diff: str) -> None:
    with pytest.raises(ProtocolError, match="a diff"):
        dialect("mode=diff").on_message(diff)


def test_a_server_that_wants_containers_is_no_server_for_us() -> None:
    assert events_of(dialect(), new_server(pcm_input="0").on_open()) == [
        ServerError("the server wants a file's container: start it with --pcm-input", Refusal.PARAMETERS)
    ]
    assert events_of(dialect(), new_server().on_open()) == [Ready()]


def test_a_language_that_it_does_not_know_is_an_error_and_a_close() -> None:
    error, close = events_of(dialect(), new_server(language="tlh").on_open())
    assert error == ServerError("language 'tlh' is not supported", Refusal.PARAMETERS)
    assert close == Close(4400, "invalid session parameters")


def test_a_wrong_key_is_refused_before_the_upgrade() -> None:
    assert WhisperLiveKitServer(
        UpgradeRequest("/asr", {}, {"authorization": "Bearer wrong"}, "right")
    ).refuse() == UpgradeRefusal(403)
    assert WhisperLiveKitServer(UpgradeRequest("/asr", {}, {"authorization": "Bearer right"}, "right")).refuse() is None
    assert WhisperLiveKitServer(UpgradeRequest("/asr", {"token": "right"}, {}, "right")).refuse() is None


def test_an_update_comes_for_the_lag_alone_and_none_without_news() -> None:
    server = new_server()
    actions_of(server, FRAME)
    assert len([*server.on_tick(), *server.on_tick()]) == 1
    actions_of(server, FRAME)
    assert len(server.on_tick()) == 1


def test_audio_behind_the_end_is_ignored_and_the_connection_stays() -> None:
    server = new_server()
    actions = actions_of(server, FRAME, b"", FRAME)
    assert actions.count(FeedAudio(FRAME)) == 1
    assert actions[-1] == SendMessage('{"type": "ready_to_stop"}')
    assert texts(actions) == ["seven words", "seven words"]


def test_a_text_frame_drops_the_connection() -> None:
    assert actions_of(new_server(), "stop") == [Abort()]


@pytest.mark.parametrize("mode", ["full", "diff"])
def test_a_line_grows_until_a_long_pause(mode: str) -> None:
    server, client = new_server(mode=mode), dialect(f"mode={mode}")
    pieces = [piece("one", 0.0, 1.0), piece("two", 1.5, 2.0), piece("three", 8.0, 9.0), piece("four", 9.5, 10.0)]
    events = [event for spoken in pieces for event in events_of(client, server.on_text(spoken))]
    assert [event.text for event in events if isinstance(event, CumulativeTranscript)] == [
        "one",
        "one two",
        "one two three",
        "one two three four",
    ]
