"""What FunASR's realtime_ws asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import pytest
from talks import answers, cut, understood

from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import EndOfTurn, Event, Finished, Ignored, Partial, ServerError, Snapshot
from stt_load.dialects.funasr_realtime import FunAsrRealtime
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError, Refusal
from stt_load.server.dialects.funasr_realtime import FunAsrRealtimeServer
from stt_load.server.server_dialect import Close, Doing, Forget, Hear, UpgradeRequest

FRAME = bytes(3_200)
LENGTH = AudioLength(frames=12, samples=19_200)
STARTED = '{"event": "started"}'
STOPPED = '{"event": "stopped"}'
TEXT = "seven words"


def dialect(*options: str, end: End = "client") -> FunAsrRealtime:
    return FunAsrRealtime(Settings(DIALECTS["funasr-realtime"].parse_options(options), end))


def voice(**query: str) -> FunAsrRealtimeServer:
    return FunAsrRealtimeServer(UpgradeRequest("/", query))


def result(*sentences: str, partial: str = "", is_final: bool = False) -> str:
    told = [{"text": text, "start": 0, "end": 100} for text in sentences]
    return json.dumps(
        {"sentences": told, "partial": partial, "partial_start_ms": 0, "duration_ms": 100, "is_final": is_final}
    )


def meaning(asked: FunAsrRealtime, *messages: str) -> list[Event]:
    return [event for message in messages for event in asked.on_message(message)]


def without_results(doings: list[Event | Doing]) -> list[Event | Doing]:
    return [doing for doing in doings if not isinstance(doing, (Hear, Forget, Ignored))]


def test_start_comes_behind_what_is_asked_for() -> None:
    assert dialect().begin(LENGTH) == ("START",)
    asked = dialect("language=English", "hotwords=kappa,lambda wave")
    assert asked.begin(LENGTH) == ("LANGUAGE:English", "HOTWORDS:kappa,lambda wave", "START")


def test_the_end_message_is_chosen() -> None:
    assert dialect().finalise() == ("STOP",)
    assert dialect("end_message=COMMIT").finalise() == ("COMMIT",)
    with pytest.raises(ConfigError, match="write STOP or COMMIT"):
        dialect("end_message=END")


def test_a_partial_that_has_all_words_is_not_the_transcript() -> None:
    said = meaning(dialect(), STARTED, result(partial=TEXT), result(TEXT, is_final=True), STOPPED)
    assert said[1:] == [Partial(TEXT), Snapshot(TEXT, is_last=True), Finished()]


def test_locked_sentences_replace_those_told_before() -> None:
    said = meaning(dialect(), STARTED, result("seven"), result("seven", "words", partial="that"))
    assert said[1:] == [Snapshot("seven"), Snapshot("seven words"), Partial("that")]


def test_where_the_server_decides_each_further_sentence_ends_a_turn() -> None:
    said = meaning(dialect(end="server"), STARTED, result("seven"), result("seven"), result("seven", "words"))
    assert said[1:] == [Snapshot("seven"), EndOfTurn(), Snapshot("seven"), Snapshot("seven words"), EndOfTurn()]


def test_the_next_utterance_does_not_hear_the_end_of_the_one_before() -> None:
    asked = dialect()
    meaning(asked, STARTED, result(TEXT, is_final=True))
    asked.begin(LENGTH)
    assert all(isinstance(event, Ignored) for event in meaning(asked, STOPPED, result(TEXT)))
    assert meaning(asked, STARTED, result(partial="that"))[1:] == [Partial("that")]


def test_an_utterance_is_answered_by_a_result_and_a_word_that_it_is_over() -> None:
    said = without_results(understood(dialect(), answers(voice(), "START", FRAME, "STOP")))
    assert said == [Snapshot(TEXT, is_last=True), Finished()]


def test_audio_before_start_and_after_stop_is_thrown_away() -> None:
    talking = voice()
    assert answers(talking, FRAME) == []
    answers(talking, "START", FRAME, "STOP")
    assert answers(talking, FRAME) == []


def test_stop_without_audio_only_says_stopped() -> None:
    asked = dialect()
    assert without_results(understood(asked, answers(voice(), "START", "STOP"))) == [Finished()]


def test_commands_are_taken_in_any_case_and_others_ignored() -> None:
    assert without_results(understood(dialect(), answers(voice(), " start\n", FRAME, "stop", "bye")))[-1] == Finished()


def test_commit_is_for_servers_that_leave_the_end_to_the_client() -> None:
    (error,) = without_results(understood(dialect(), answers(voice(), "START", FRAME, "COMMIT")))
    assert error == ServerError("COMMIT requires --endpoint-mode client", Refusal.PARAMETERS)


def test_commit_ends_an_utterance_and_not_the_session() -> None:
    asked, talking = dialect("end_message=COMMIT"), voice(endpoint_mode="client")
    assert talking.endpoint_s is None
    for spoken in (("START", FRAME, "COMMIT"), (FRAME, "COMMIT")):
        assert without_results(understood(asked, answers(talking, *spoken))) == [Snapshot(TEXT, is_last=True)]


def test_commit_before_start_is_an_error() -> None:
    (error,) = understood(dialect(), answers(voice(endpoint_mode="client"), "COMMIT"))
    assert error == ServerError("Session is not active; send START first", Refusal.PARAMETERS)


def test_results_come_as_audio_does() -> None:
    """The first with 0.48 s, the next with 0.96 s more: a locked sentence isn't told before."""
    asked, talking = dialect(end="server"), voice()
    understood(asked, answers(talking, "START"))
    n_results = [len(answers(talking, FRAME)) - 1 for _ in range(16)]
    assert n_results == [0] * 4 + [1] + [0] * 9 + [1] + [0]
    assert cut(talking) == []
    told = understood(asked, answers(talking, *[FRAME] * 10))
    assert without_results(told) == [Snapshot(TEXT), EndOfTurn()]


def test_start_forgets_what_was_heard() -> None:
    talking = voice()
    answers(talking, "START", FRAME)
    cut(talking)
    said = without_results(understood(dialect(), answers(talking, "START", FRAME, "STOP", spoken=None)))
    assert said == [Snapshot("", is_last=True), Finished()]


def test_an_odd_number_of_bytes_ends_the_connection_in_good_order() -> None:
    assert answers(voice(), "START", b"\0")[-1] == Close(1000)
