"""What AssemblyAI asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from server_actions import actions_of, actions_on_segment, events_of

from stt_load.credentials import Credentials
from stt_load.dialects.assemblyai import VERSION, AssemblyAI
from stt_load.dialects.base import End, Settings
from stt_load.dialects.events import EndOfTurn, Final, Finished, Gauge, Partial, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ProtocolError, Refusal
from stt_load.server.dialects.assemblyai import AssemblyAIServer
from stt_load.server.server_dialect import Close, FeedAudio, SendMessage, UpgradeRequest

URL = "wss://streaming.assemblyai.com/v3/ws"
FRAME = bytes(3_200)  # 100 ms at 16 kHz


def dialect(*options: str, end: End = "server", key: str | None = None) -> AssemblyAI:
    return AssemblyAI(Settings(DIALECTS["assemblyai"].parse_options(options), end, Credentials(key)))


def turn(order: int, text: str, *, end: bool = False, formatted: bool = False) -> str:
    told = {"turn_order": order, "transcript": text, "end_of_turn": end, "turn_is_formatted": formatted}
    return json.dumps({"type": "Turn", **told})


def test_what_is_not_set_is_left_to_the_server() -> None:
    assert dialect().connect(URL).url == (
        f"{URL}?sample_rate=16000&encoding=pcm_s16le&speech_model=universal-streaming-english&format_turns=true"
    )


def test_options_reach_the_query() -> None:
    told = dialect("min_turn_silence=160", "max_turn_silence=2400", "keyterms=kappa,lambda", "heartbeat=true")
    query = parse_qs(urlsplit(told.connect(URL).url).query)
    assert (query["min_turn_silence"], query["max_turn_silence"]) == (["160"], ["2400"])
    assert (query["keyterms_prompt"], query["session_heartbeat"]) == (['["kappa", "lambda"]'], ["true"])


def test_the_key_is_the_whole_header() -> None:
    assert dialect(key="abc").connect(URL).headers == {"AssemblyAI-Version": VERSION, "Authorization": "abc"}


@pytest.mark.parametrize(("finish", "message"), [("terminate", "Terminate"), ("force", "ForceEndpoint")])
def test_the_end_message_is_chosen(finish: str, message: str) -> None:
    assert [json.loads(sent) for sent in dialect(f"finish={finish}").finalise()] == [{"type": message}]


def test_only_a_session_that_is_terminated_carries_one_utterance() -> None:
    assert not dialect(end="client").capabilities.many_utterances
    assert dialect("finish=force", end="client").capabilities.many_utterances
    assert dialect().capabilities.many_utterances


def test_the_words_of_a_turn_count_once_and_its_end_when_it_is_formatted() -> None:
    client = dialect()
    assert client.on_message(turn(0, "seven")) == (Partial("seven"),)
    assert client.on_message(turn(0, "seven words", end=True)) == [Final("seven words")]
    assert client.on_message(turn(0, "Seven words.", end=True, formatted=True)) == [EndOfTurn()]
    assert client.on_message(turn(1, "that", end=True)) == [Final("that")]


@pytest.mark.parametrize("formatted", [True, False])
def test_an_end_that_is_told_once_is_both(formatted: bool) -> None:
    client = dialect(f"format_turns={formatted}")
    assert client.on_message(turn(0, "seven", end=True, formatted=formatted)) == [Final("seven"), EndOfTurn()]


def test_the_first_words_show_before_they_are_final() -> None:
    early = {"type": "Turn", "turn_order": 0, "transcript": "", "words": [{"text": "seven"}, {"text": "wor"}]}
    assert dialect().on_message(json.dumps(early)) == (Partial("seven wor"),)


def test_a_turn_of_no_order_is_the_servers_fault() -> None:
    with pytest.raises(ProtocolError, match="a Turn without turn_order"):
        dialect().on_message('{"type": "Turn", "transcript": "seven", "end_of_turn": true}')


def test_a_heartbeat_tells_milliseconds() -> None:
    beat = {"type": "Heartbeat", "total_audio_received_ms": 900, "total_duration_ms": 950, "realtime_factor": 1.0}
    gauge = Gauge({"total_audio_received_ms": 900.0, "total_duration_ms": 950.0})
    assert dialect().on_message(json.dumps(beat)) == (gauge,)


@pytest.mark.parametrize(
    ("code", "refusal"),
    [(4001, Refusal.AUTH), (3009, Refusal.CAPACITY), (3006, Refusal.PARAMETERS), (3005, None), (None, None)],
)
def test_an_error_refuses_by_its_code(code: int | None, refusal: Refusal | None) -> None:
    error = {"type": "Error", "error_code": code, "error": "no"}
    assert dialect().on_message(json.dumps(error)) == (ServerError("no", refusal),)


# the server ---------------------------------------------------------------------------------------------------------


def new_server(**query: str) -> AssemblyAIServer:
    return AssemblyAIServer(UpgradeRequest("/v3/ws", query))


def test_the_voice_tells_an_end_twice_where_formatting_was_asked_for() -> None:
    assert len(actions_on_segment(new_server())) == 1
    twice = actions_on_segment(new_server(format_turns="true"))
    texts = [json.loads(say.message)["transcript"] for say in twice if isinstance(say, SendMessage)]
    assert texts == ["seven words", "Seven words."]
    assert events_of(dialect(), twice) == [Final("seven words"), EndOfTurn()]


def test_force_endpoint_ends_the_turn_and_nothing_more() -> None:
    assert events_of(dialect("format_turns=false"), actions_of(new_server(), '{"type": "ForceEndpoint"}')) == [
        Final("seven words"),
        EndOfTurn(),
    ]


def test_terminate_is_answered_by_the_last_turn_and_a_close() -> None:
    actions = actions_of(new_server(format_turns="true"), FRAME, '{"type": "Terminate"}')
    assert events_of(dialect(), actions) == [FeedAudio(FRAME), Final("seven words"), EndOfTurn(), Finished(), Close()]


@pytest.mark.parametrize("audio_ms", [20, 49, 1_001])
def test_a_message_of_less_than_50_or_more_than_1000_ms_ends_the_session(audio_ms: int) -> None:
    error, close = actions_of(new_server(), bytes(32 * audio_ms))
    assert events_of(dialect(), [error]) == [ServerError("Audio chunk duration violation")]
    assert isinstance(close, Close)
    assert close.code == 3_007


@pytest.mark.parametrize("audio_ms", [50, 1_000])
def test_a_message_of_50_to_1000_ms_is_heard(audio_ms: int) -> None:
    assert actions_of(new_server(), bytes(32 * audio_ms)) == [FeedAudio(bytes(32 * audio_ms))]


def test_a_caller_too_many_is_told_so_after_the_upgrade() -> None:
    assert events_of(dialect(), new_server().on_full())[0] == ServerError(
        "Too many concurrent sessions", Refusal.CAPACITY
    )


def test_a_turn_ends_after_as_much_silence_as_was_asked_for() -> None:
    assert new_server(min_turn_silence="160").endpoint_s == 0.16
    assert new_server().endpoint_s == 0.4
