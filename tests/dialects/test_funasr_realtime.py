"""What FunASR's realtime_ws asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import pytest
from server_actions import actions_of, actions_on_segment, events_of

from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import CumulativeTranscript, EndOfTurn, Event, Finished, Ignored, Partial, ServerError
from stt_load.dialects.funasr_realtime import FunAsrRealtime
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError, Refusal
from stt_load.server.dialects.funasr_realtime import FunAsrRealtimeServer
from stt_load.server.server_dialect import Close, DiscardAudio, FeedAudio, ServerAction, UpgradeRequest

FRAME = bytes(3_200)
LENGTH = AudioLength(frames=12, samples=19_200)
STARTED = '{"event": "started"}'
STOPPED = '{"event": "stopped"}'
TEXT = "seven words"


def dialect(*options: str, end: End = "client") -> FunAsrRealtime:
    return FunAsrRealtime(Settings(DIALECTS["funasr-realtime"].parse_options(options), end))


def new_server(**query: str) -> FunAsrRealtimeServer:
    return FunAsrRealtimeServer(UpgradeRequest("/", query))


def result(*sentences: str, partial: str = "", is_final: bool = False) -> str:
    told = [{"text": text, "start": 0, "end": 100} for text in sentences]
    return json.dumps(
        {"sentences": told, "partial": partial, "partial_start_ms": 0, "duration_ms": 100, "is_final": is_final}
    )


def meaning(client: FunAsrRealtime, *messages: str) -> list[Event]:
    return [event for message in messages for event in client.on_message(message)]


def without_results(actions: list[Event | ServerAction]) -> list[Event | ServerAction]:
    return [action for action in actions if not isinstance(action, (FeedAudio, DiscardAudio, Ignored))]


def test_start_comes_behind_what_is_asked_for() -> None:
    assert dialect().begin(LENGTH) == ("START",)
    client = dialect("language=English", "hotwords=kappa,lambda wave")
    assert client.begin(LENGTH) == ("LANGUAGE:English", "HOTWORDS:kappa,lambda wave", "START")


def test_the_end_message_is_chosen() -> None:
    assert dialect().finalise() == ("STOP",)
    assert dialect("end_message=COMMIT").finalise() == ("COMMIT",)
    with pytest.raises(ConfigError, match="write STOP or COMMIT"):
        dialect("end_message=END")


def test_a_partial_that_has_all_words_is_not_the_transcript() -> None:
    said = meaning(dialect(), STARTED, result(partial=TEXT), result(TEXT, is_final=True), STOPPED)
    assert said[1:] == [Partial(TEXT), CumulativeTranscript(TEXT, is_last=True), Finished()]


def test_locked_sentences_replace_those_told_before() -> None:
    said = meaning(dialect(), STARTED, result("seven"), result("seven", "words", partial="that"))
    assert said[1:] == [CumulativeTranscript("seven"), CumulativeTranscript("seven words"), Partial("that")]


def test_where_the_server_decides_each_further_sentence_ends_a_turn() -> None:
    said = meaning(dialect(end="server"), STARTED, result("seven"), result("seven"), result("seven", "words"))
    assert said[1:] == [
        CumulativeTranscript("seven"),
        EndOfTurn(),
        CumulativeTranscript("seven"),
        CumulativeTranscript("seven words"),
        EndOfTurn(),
    ]


def test_the_next_utterance_does_not_hear_the_end_of_the_one_before() -> None:
    client = dialect()
    meaning(client, STARTED, result(TEXT, is_final=True))
    client.begin(LENGTH)
    assert all(isinstance(event, Ignored) for event in meaning(client, STOPPED, result(TEXT)))
    assert meaning(client, STARTED, result(partial="that"))[1:] == [Partial("that")]


def test_an_utterance_is_answered_by_a_result_and_a_word_that_it_is_over() -> None:
    said = without_results(events_of(dialect(), actions_of(new_server(), "START", FRAME, "STOP")))
    assert said == [CumulativeTranscript(TEXT, is_last=True), Finished()]


def test_audio_before_start_and_after_stop_is_thrown_away() -> None:
    server = new_server()
    assert actions_of(server, FRAME) == []
    actions_of(server, "START", FRAME, "STOP")
    assert actions_of(server, FRAME) == []


def test_stop_without_audio_only_says_stopped() -> None:
    client = dialect()
    assert without_results(events_of(client, actions_of(new_server(), "START", "STOP"))) == [Finished()]


def test_commands_are_taken_in_any_case_and_others_ignored() -> None:
    assert (
        without_results(events_of(dialect(), actions_of(new_server(), " start\n", FRAME, "stop", "bye")))[-1]
        == Finished()
    )


def test_commit_is_for_servers_that_leave_the_end_to_the_client() -> None:
    (error,) = without_results(events_of(dialect(), actions_of(new_server(), "START", FRAME, "COMMIT")))
    assert error == ServerError("COMMIT requires --endpoint-mode client", Refusal.PARAMETERS)


def test_commit_ends_an_utterance_and_not_the_session() -> None:
    client, server = dialect("end_message=COMMIT"), new_server(endpoint_mode="client")
    assert server.endpoint_s is None
    for spoken in (("START", FRAME, "COMMIT"), (FRAME, "COMMIT")):
        assert without_results(events_of(client, actions_of(server, *spoken))) == [
            CumulativeTranscript(TEXT, is_last=True)
        ]


def test_commit_before_start_is_an_error() -> None:
    (error,) = events_of(dialect(), actions_of(new_server(endpoint_mode="client"), "COMMIT"))
    assert error == ServerError("Session is not active; send START first", Refusal.PARAMETERS)


def test_results_come_as_audio_does() -> None:
    """The first result comes with 0.48 s of audio and the next with 0.96 s more: no locked sentence is told before."""
    client, server = dialect(end="server"), new_server()
    events_of(client, actions_of(server, "START"))
    n_results = [len(actions_of(server, FRAME)) - 1 for _ in range(16)]
    assert n_results == [0] * 4 + [1] + [0] * 9 + [1] + [0]
    assert actions_on_segment(server) == []
    told = events_of(client, actions_of(server, *[FRAME] * 10))
    assert without_results(told) == [CumulativeTranscript(TEXT), EndOfTurn()]


def test_start_forgets_what_was_heard() -> None:
    server = new_server()
    actions_of(server, "START", FRAME)
    actions_on_segment(server)
    said = without_results(events_of(dialect(), actions_of(server, "START", FRAME, "STOP", spoken=None)))
    assert said == [CumulativeTranscript("", is_last=True), Finished()]


def test_an_odd_number_of_bytes_ends_the_connection_in_good_order() -> None:
    assert actions_of(new_server(), "START", b"\0")[-1] == Close(1000)
