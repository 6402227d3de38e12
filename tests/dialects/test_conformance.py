"""What every dialect owes, held against each row of DIALECTS and the conversations beside this file.

A dialect of another installed package is held against its own: `pytest THIS_FILE --conversations FOLDER` takes the
dialects that FOLDER has conversations of, in place of ours.

conversations/<dialect>/*.jsonl: the first line has `source`, `date`, and what comes of it (`outcome`, `transcript`,
perhaps `server_ms`, `eos_latency_s`, `end`, `options` as on the command line); each other line is a message of the
server (`server`, or `server_hex` where it is binary), `at_s` after the connection is open (audio follows at once, or
after the ready message; speech ends 0.6 s into it; where the server ends utterances audio ends at 1.0 s), with the
kinds of its events.
A line with `close` in place of a message is the server's closing frame with that code, one with `status` the end of a
gRPC call with the status of that name.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgpack
import pytest
from fakes import FakeClock, ScriptedTransport, record_of, speak
from hypothesis import example, given, note, settings
from hypothesis import strategies as st
from recorded import FOLDERS, OURS, Conversation, is_message, message_of, read_all

from stt_load.carriers import TCP
from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, Dialect, Settings
from stt_load.dialects.events import CumulativeTranscript, Event, Final, Gauge, Ignored, Message, Partial
from stt_load.dialects.protobuf import Field, encode
from stt_load.dialects.registry import DIALECTS, detect, find_dialect
from stt_load.dialects.row import DialectRow
from stt_load.dialects.wire import try_object
from stt_load.errors import ConfigError, Outcome, ProtocolError, SttLoadError
from stt_load.records import UtteranceRecord
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.session.actions import SessionRules

ALL = read_all()
HAPPY = [talk for talk in ALL if talk.ends_well]
ROWS = (
    list(DIALECTS.values()) if FOLDERS == [OURS] else [*map(find_dialect, dict.fromkeys(talk.dialect for talk in ALL))]
)


def is_text(message: Message) -> bool:
    return isinstance(message, str)


TRANSCRIBES_IN_PLAIN_TEXT = {"sherpa-onnx-offline"}
# Where any text is a transcript, no text is malformed; where messages are packed, an unknown one is packed too.
PROTOBUF = {"riva-grpc"}  # to which nothing at all is a message too: one that says nothing
PLAIN_TEXT = {talk.dialect for talk in ALL if any(message[:1] != "{" for message in talk.messages if is_text(message))}
PACKED = {talk.dialect for talk in ALL if not all(is_text(message) for message in talk.messages)}

each_dialect = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_dialect_with_a_stand_in = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name in SERVER_DIALECTS], ids=lambda row: row.name
)
each_strict_dialect = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name not in PLAIN_TEXT], ids=lambda row: row.name
)
each_dialect_with_a_key = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.takes_key], ids=lambda row: row.name
)
each_conversation = pytest.mark.parametrize("talk", ALL, ids=lambda talk: f"{talk.dialect}/{talk.name}")
each_strict_one = pytest.mark.parametrize(
    "talk", [talk for talk in ALL if talk.dialect not in PLAIN_TEXT], ids=lambda talk: f"{talk.dialect}/{talk.name}"
)
each_happy_one = pytest.mark.parametrize("talk", HAPPY, ids=lambda talk: f"{talk.dialect}/{talk.name}")
ROW_OF = {row.name: row for row in ROWS}


def fresh(talk: Conversation) -> Dialect:
    row = ROW_OF[talk.dialect]
    options = row.parse_options(talk.head.get("options", []))
    return row.make(Settings(options, talk.head.get("end", row.capabilities.ends[0])))


def kinds(dialect: Dialect, message: Message) -> list[str]:
    return [type(event).__name__ for event in dialect.on_message(message)]


def at(arrival: tuple[float, Message | SttLoadError]) -> float:
    return arrival[0]


def listen(talk: Conversation, *more: tuple[float, Message | SttLoadError]) -> UtteranceRecord:
    """The record of one utterance under a fake clock, with the messages of `talk` and `more`."""
    dialect = fresh(talk)
    rules = SessionRules(timeout_s=10.0)
    spoken = speak(dialect, rules, ScriptedTransport(FakeClock(), sorted([*talk.arrivals, *more], key=at)))
    return record_of(*spoken.session.measure(spoken.clock()))


@each_dialect
def test_there_is_a_conversation_that_ends_well_and_one_that_does_not(row: DialectRow) -> None:
    outcomes = [talk.ends_well for talk in ALL if talk.dialect == row.name]
    assert True in outcomes
    assert False in outcomes


@each_conversation
def test_a_conversation_names_its_source_and_date(talk: Conversation) -> None:
    assert talk.head["source"]
    assert datetime.date.fromisoformat(talk.head["date"])
    assert talk.dialect in ROW_OF


@each_conversation
def test_each_message_means_what_the_conversation_says(talk: Conversation) -> None:
    dialect = fresh(talk)
    said = [line["events"] for line in talk.lines if is_message(line)]
    assert [kinds(dialect, message) for message in talk.messages] == said


NO_TURNS = {"whisperlive"}  # a completed segment is a phrase of the model there


@each_conversation
def test_an_end_of_turn_of_the_servers_own_is_declared(talk: Conversation) -> None:
    dialect = fresh(talk)
    if dialect.settings.end == "server" and talk.dialect not in NO_TURNS:
        assert dialect.capabilities.turn_events or not any("EndOfTurn" in line.get("events", ()) for line in talk.lines)


@each_conversation
def test_the_utterance_comes_out_as_the_conversation_says(talk: Conversation) -> None:
    record = listen(talk)
    assert (record.outcome, record.text) == (talk.head["outcome"], talk.head["transcript"])
    assert record.server_ms == talk.head.get("server_ms")
    assert (record.eos_latency_s is not None) == (record.outcome == Outcome.OK)
    if "eos_latency_s" in talk.head:
        assert record.eos_latency_s == pytest.approx(talk.head["eos_latency_s"])


@each_dialect_with_a_stand_in
def test_the_first_answer_after_the_end_completes_words_that_all_came_before_it(row: DialectRow) -> None:
    """Quick servers say all words before the end of speech, and then again, or that nothing is left, or a last word:
    the first of these is the answer, in every dialect."""
    (talk,) = [talk for talk in ALL if (talk.dialect, talk.name) == (row.name, "words_before_the_end")]
    assert talk.ends_well
    assert "eos_latency_s" in talk.head


@each_happy_one
def test_what_comes_after_the_last_final_is_not_waited_for(talk: Conversation) -> None:
    last_s, _ = talk.arrivals[-1]
    assert listen(talk, (last_s + 0.01, talk.messages[-1])).text == talk.head["transcript"]


@each_happy_one
def test_a_text_that_comes_twice_leaves_an_utterance_that_ended_well(talk: Conversation) -> None:
    dialect = fresh(talk)
    at_s, text = next(
        (line["at_s"], message_of(line))
        for line in talk.lines
        if is_message(line) and any(tells(event) for event in dialect.on_message(message_of(line)))
    )
    once, twice = listen(talk), listen(talk, (at_s, text))
    assert twice.outcome == Outcome.OK
    assert set(twice.text.split()) == set(once.text.split())


def tells(event: Event) -> bool:
    return isinstance(event, (Final, CumulativeTranscript)) and bool(event.text)


@each_conversation
def test_two_clients_that_take_turns_do_not_hear_each_other(talk: Conversation) -> None:
    one, other = fresh(talk), fresh(talk)
    alone = fresh(talk)
    for message in talk.messages:
        expected = alone.on_message(message)
        assert one.on_message(message) == expected
        assert other.on_message(message) == expected


@each_strict_dialect
def test_an_unknown_message_changes_nothing(row: DialectRow) -> None:
    body = {"a key of a later version": 1}
    message = msgpack.packb(body) if row.name in PACKED else json.dumps(body)
    if row.name in PROTOBUF:
        message = encode(body, {77: Field("a key of a later version", "int32")})
    events = row.make(Settings()).on_message(message)
    assert events
    assert all(isinstance(event, Ignored) for event in events)


@each_strict_one
def test_half_a_message_or_one_with_rubbish_behind_is_the_servers_fault(talk: Conversation) -> None:
    for message in talk.messages:
        half = message[: len(message) // 2]
        more = message + b"}" if isinstance(message, bytes) else message + "}"
        for broken in (half, more):
            with pytest.raises(ProtocolError):
                fresh(talk).on_message(broken)


NOTHING = ["", "\n", b"", "{}"]
PLAIN_WORDS = ["pong", "Internal error: try later"]


@each_happy_one
def test_messages_that_say_nothing_change_nothing(talk: Conversation) -> None:
    """An empty one, an object without anything in it, and plain words where the protocol has none."""
    says_nothing = NOTHING if talk.dialect in TRANSCRIBES_IN_PLAIN_TEXT else NOTHING + PLAIN_WORDS
    alone = listen(talk)
    for message in says_nothing:
        disturbed = listen(talk, *((at_s, message) for at_s, _ in talk.arrivals))
        assert figures(disturbed) == figures(alone), message


def figures(record: UtteranceRecord) -> tuple[object, ...]:
    times_s = (record.eos_latency_s, record.settled_latency_s)
    return record.outcome, record.error, record.text, *(at_s and round(at_s, 4) for at_s in times_s)


def leaves(body: Any, *path: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Path and text of each text in a JSON value."""
    if isinstance(body, str):
        yield path, body
    for step, inner in body.items() if isinstance(body, dict) else enumerate(body if isinstance(body, list) else ()):
        yield from leaves(inner, *path, step)


def changed(body: dict[str, object], path: tuple[Any, ...], value: object) -> str:
    """The message with another value at the end of `path`; with nothing there for MISSING."""
    copy: Any = json.loads(json.dumps(body))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    if value is not MISSING:
        inner[path[-1]] = value
    elif isinstance(inner, dict):
        del inner[path[-1]]
    return json.dumps(copy)


MISSING = object()
ODD_TEXTS = [None, MISSING, 5, ["hello"], {"text": "hello"}, True]
IS_FINAL = {"completed", "is_final", "is_eof"}


def is_final(body: Any) -> bool:
    """Whether some part of a message says that its text won't change."""
    if isinstance(body, list):
        return any(map(is_final, body))
    return isinstance(body, dict) and any(
        (key in IS_FINAL and value is True) or is_final(value) for key, value in body.items()
    )


def interims(talk: Conversation) -> Iterator[tuple[float, dict[str, object], tuple[Any, ...]]]:
    """When a text came that may still change, its message, and where in it the text is. A diff is no whole message."""
    dialect = fresh(talk)
    for at_s, message in talk.arrivals:
        if isinstance(message, SttLoadError):
            continue
        body, events = try_object(message), dialect.on_message(message)
        told = [event.text for event in events if isinstance(event, Partial)]
        if not is_final(body) and body.get("type") != "diff" and body.get("event") != "EndOfTurn":
            told += [event.text for event in events if isinstance(event, CumulativeTranscript) and not event.is_last]
        for path, text in leaves(body):
            if text.strip() and any(text.strip() in whole for whole in told):
                yield at_s, body, path


@each_happy_one
def test_an_interim_text_may_be_anything(talk: Conversation) -> None:
    """Null, missing, a number, a list: no text was told then, and the utterance goes on as it does without it."""
    alone = figures(listen(talk))
    for at_s, body, path in interims(talk):
        for odd in ODD_TEXTS:
            message = changed(body, path, odd)
            assert figures(listen(talk, (at_s - 1e-6, message))) == alone, message


def test_most_dialects_have_interim_texts() -> None:
    """So that the test above is none of nothing; the others tell finals alone."""
    without = {row.name for row in ROWS} - {talk.dialect for talk in HAPPY for _ in interims(talk)}
    assert without <= {"parakeet", "sherpa-onnx-offline", "kyutai", "acme"} | PROTOBUF


@each_happy_one
def test_a_final_text_is_judged(talk: Conversation) -> None:
    """A number or a list is the server's fault; null is the text of nothing."""
    dialect = fresh(talk)
    for message in talk.messages:
        body, events = try_object(message), dialect.on_message(message)
        told = {event.text for event in events if isinstance(event, Final) and event.text}
        for path in [path for path, text in leaves(body) if text.strip() in told and WORD_LISTS.isdisjoint(path)]:
            assert not any(tells(event) for event in fresh(talk).on_message(changed(body, path, None)))
            for odd in (5, ["hello"]):
                with pytest.raises(ProtocolError):
                    fresh(talk).on_message(changed(body, path, odd))


WORD_LISTS = {"words", "results", "result"}  # what finals say beside their text
MALFORMED = ["", "hello", "[]", "null", "1", '"text"', b"", b"\xff\xfe\x00", "[" * 100_000, "9" * 10_000]


@each_strict_dialect
@pytest.mark.parametrize("message", MALFORMED, ids=lambda message: repr(message)[:20])
def test_a_malformed_message_is_blamed_on_the_server_in_one_line(row: DialectRow, message: str | bytes) -> None:
    if message == b"" and row.name in PROTOBUF:
        pytest.skip("no bytes are a message of Protocol Buffers")
    with pytest.raises(ProtocolError) as caught:
        row.make(Settings()).on_message(message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
known_keys = st.sampled_from(
    sorted({"timings_ms", *(key for talk in ALL for message in talk.messages for key in try_object(message))})
)


@settings(max_examples=300)
@example('{"text":"x","timings_ms":{"a":NaN,"b":Infinity,"c":-Infinity,"d":true,"e":"1"}}')
@example('{"text":"x","timings_ms":{"a":1' + "0" * 400 + "}}")
@given(message=st.text() | st.binary() | st.dictionaries(known_keys, json_values).map(json.dumps))
def test_whatever_comes_is_understood_ignored_or_blamed(message: str | bytes) -> None:
    """Nothing but ProtocolError is raised, and what comes out can be kept as a line of JSON. Each message is for all
    dialects: to make one up takes far longer than to read it."""
    for row in ROWS:
        note(row.name)  # which stands with a message that fails
        read_whatever_it_is(row, message)


def read_whatever_it_is(row: DialectRow, message: str | bytes) -> None:
    try:
        events = row.make(Settings()).on_message(message)
    except ProtocolError:
        return
    for event in events:
        if isinstance(event, (Final, CumulativeTranscript)):
            json.dumps([event.text, dict(event.server_ms)], allow_nan=False)
        elif isinstance(event, Gauge):
            json.dumps(dict(event.server_ms), allow_nan=False)


@each_dialect
def test_a_frame_is_encoded_the_same_by_every_connection(row: DialectRow) -> None:
    pcm = bytes(range(256)) * 4
    dialect, other = row.make(Settings()), row.make(Settings(credentials=Credentials("key")))
    assert dialect.encode_nth(3, pcm) == dialect.encode_nth(3, pcm) == other.encode_nth(3, pcm)


@each_dialect
def test_the_row_tells_what_the_dialect_can(row: DialectRow) -> None:
    dialect = row.make(Settings())
    assert row.capabilities == dialect.capabilities
    assert urlsplit(row.default_url).scheme in row.url_schemes
    target = dialect.connect(row.default_url)
    assert urlsplit(target.url).scheme in row.url_schemes
    assert (target.message_length is not None) == (dialect.carrier is TCP)
    is_told = dialect.finalise() or dialect.begin(AudioLength(10, 16_000))  # some are told the length before the audio
    assert is_told if "client" in row.capabilities.ends else not dialect.finalise()
    assert row.capabilities.frame_multiple_bytes % 2 == 0


@each_dialect_with_a_key
def test_without_a_key_no_credentials_are_sent(row: DialectRow) -> None:
    with_key = row.make(Settings(credentials=Credentials("secret"))).connect(row.default_url)
    without = row.make(Settings()).connect(row.default_url)
    assert "secret" in repr(with_key)
    assert "secret" not in with_key.url  # which stands in reports
    assert with_key != without


@each_dialect
def test_a_key_is_not_shown_by_what_is_printed_of_the_dialect_and_its_settings(row: DialectRow) -> None:
    settings = Settings(row.parse_options([]), credentials=Credentials("secret"))
    assert "secret" not in f"{settings!r} {row.make(settings)!r}"


@each_dialect
def test_options_are_told_with_help_and_a_default_that_parses(row: DialectRow) -> None:
    assert set(row.parse_options([])) == {option.key for option in row.options}
    assert all(option.help for option in row.options)
    with pytest.raises(ConfigError, match="no such key=1"):
        row.parse_options(["no such key=1"])


@each_dialect
@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "1e999", "99999999", "", "x", "false", "{}"])
def test_an_odd_value_of_an_option_is_refused_or_can_be_spoken_with(row: DialectRow, text: str) -> None:
    for option in row.options:
        try:
            values = row.parse_options([f"{option.key}={text}"])
        except ConfigError as error:
            assert str(error).startswith(f"--dialect-option {option.key}={text}: ")
            continue
        for end in row.make(Settings(values)).capabilities.ends:
            dialect = row.make(Settings(values, end))
            assert dialect.capabilities.trailing_silence_s >= dialect.capabilities.min_trailing_silence_s >= 0
            target = dialect.connect(row.default_url)
            said = [*target.first_messages, *dialect.begin(AudioLength(10, 16_000)), *dialect.finalise()]
            assert not any("NaN" in message or "Infinity" in message for message in said if isinstance(message, str))


@each_happy_one
def test_what_a_server_says_first_is_known_from_everybody_elses(talk: Conversation) -> None:
    """A greeting, or the first answer. A text alone in its object is what two servers say, and plain words anybody."""
    (first, *_) = talk.messages
    if talk.dialect not in TRANSCRIBES_IN_PLAIN_TEXT and try_object(first).keys() != {"text"}:
        assert ROW_OF[talk.dialect].dialect.recognises(first)


@each_conversation
def test_somebody_elses_messages_are_told_from_ones_own(talk: Conversation) -> None:
    """A whole conversation names its server. One that failed, or is in plain words, may name none, but never another
    server alone."""
    rows = DIALECTS | ROW_OF
    detected = [name for name, row in rows.items() if any(row.dialect.recognises(message) for message in talk.messages)]
    assert [name for name in detected if name in DIALECTS] == detect(talk.messages)
    for message in talk.messages:
        assert detect([message]) in ([], [talk.dialect] if talk.dialect in DIALECTS else [])
    may_be_unknown = not talk.ends_well or talk.dialect in TRANSCRIBES_IN_PLAIN_TEXT
    assert talk.dialect in detected or (may_be_unknown and not detected)
