"""Conversations over real sockets, with a server in a process of its own that says when it sent what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
import pytest
from fakes import clip as loud_clip
from fakes import record_of
from servers.start import start_phone_agent, start_talker

from stt_load.audio.clip import Clip
from stt_load.config import RunConfig, parse_options
from stt_load.credentials import NO_CREDENTIALS
from stt_load.errors import ConfigError, Outcome
from stt_load.kinds import CONVERSATION
from stt_load.records import UtteranceRecord
from stt_load.workloads.conversation import ConversationWorkload
from stt_load.workloads.workload import Caller

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
ROUNDING_S = 0.005  # of two clocks and a scheduler, beside what a record says of itself
CLIP = loud_clip()
SPEECH = Clip("c", "words", CLIP.samples.repeat(3)[: round(0.6 * 24_000)], 24_000, 0.0, 0.6)


def config_of(url: str, **more: Any) -> RunConfig:
    return parse_options({"dialect": "conversation-openai", "stt_url": url, "timeout": "60", **more})


def converse(config: RunConfig, callers: int) -> list[UtteranceRecord]:
    workload = ConversationWorkload(config, [SPEECH], NO_CREDENTIALS)
    attempts = [workload.new_attempt(Caller(0, number, 1), SPEECH, False) for number in range(callers)]
    greenlets = [gevent.spawn(lambda attempt=attempt: record_of(*attempt.run())) for attempt in attempts]
    gevent.joinall(greenlets, timeout=PATIENCE_S, raise_error=True)
    return [greenlet.value for greenlet in greenlets]


def truth_of(record: UtteranceRecord, truths: list[dict[str, Any]]) -> dict[str, Any]:
    """What the server did in the answer that the record has: the one with a chunk when its first audio came."""
    assert record.outcome == Outcome.OK, record.error
    assert record.stream_start_s is not None and record.voice_to_voice_s is not None
    arrived_s = record.stream_start_s + SPEECH.speech_end_s + record.voice_to_voice_s
    truth = min(truths, key=lambda truth: abs(truth["chunks"][0] - arrived_s))
    slack_s = 0.02 + ROUNDING_S + (record.arrival_late_s or 0.0)  # the server may be held up between stamp and send
    assert truth["chunks"][0] - ROUNDING_S <= arrived_s <= truth["chunks"][0] + slack_s
    return truth


def test_one_caller_and_then_forty_each_hear_what_the_server_sent_them_and_when(tmp_path: Path) -> None:
    """The answer halts for 0.8 s after 0.3 s of it, which came in half the time: a player runs dry once."""
    file = tmp_path / "truth.jsonl"
    flags = ("--first", "0.3", "--answer", "0.6", "--stall-at", "0.3", "--stall", "0.8", "--truth", str(file))
    with start_talker(*flags) as server:
        config = config_of(server.url)
        records = [*converse(config, 1), *converse(config, 40)]
    truths = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(truths) == 41
    for record in records:
        truth_of(record, truths)
        # 0.5 s of silence until the server has heard the end, and 0.3 s until it speaks; a frame is 0.1 s.
        assert record.voice_to_voice_s is not None and record.voice_to_voice_s >= 0.8 - 0.1
        assert record.answer_s == pytest.approx(0.6)
        assert record.underruns is not None and record.underruns >= 1
        assert record.gap_max_s is not None and record.gap_max_s >= 0.4


@pytest.mark.parametrize("who", ["server", "client"])
def test_callers_who_break_in_are_timed_until_the_server_has_stopped(who: str, tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    flags = ("--answer", "20", "--rtf", "0.9", "--stops-after", "0.3", "--truth", str(file))
    with start_talker(*flags) as server:
        records = converse(config_of(server.url, barge_in="0.3s", end=who), 10)
    truths = [json.loads(line) for line in file.read_text().splitlines()]
    for record in records:
        truth = truth_of(record, truths)
        assert record.barge_in_stop_s is not None and record.barge_in_stop_s >= 0.3
        # The server was told, or heard it, after the onset, and stopped 0.3 s later, by its own stamps.
        took_s = truth["done_s"] - truth["told_to_stop_s"]
        assert record.barge_in_stop_s >= took_s - 0.1 * 0.9 - ROUNDING_S


def test_agents_behind_a_telephone_are_timed_by_what_is_heard_of_them(tmp_path: Path) -> None:
    """They speak first for 0.3 s, and stop 0.3 s after they hear that they are spoken over, by their own stamps. Ten
    callers over each kind of line."""
    clip = Clip("c", "words", SPEECH.samples[: round(0.6 * 8_000)], 8_000, 0.0, 0.6)
    more = {"frame_ms": "20", "dialect_option": ["greeting=true"], "timeout": "60", "barge_in": "0.3s"}
    with ExitStack() as servers:
        greenlets = []
        for line in ("twilio", "audiosocket"):
            flags = ("--greeting", "0.3", "--answer", "20", "--stops-after", "0.3", "--truth", str(tmp_path / line))
            url = servers.enter_context(start_phone_agent(line, *flags)).url
            config = parse_options({"dialect": f"conversation-{line}", "stt_url": url, **more})
            workload = ConversationWorkload(config, [clip], NO_CREDENTIALS)
            attempts = [workload.new_attempt(Caller(0, number, 1), clip, False) for number in range(10)]
            greenlets += [gevent.spawn(lambda attempt=attempt: record_of(*attempt.run())) for attempt in attempts]
        gevent.joinall(greenlets, timeout=PATIENCE_S, raise_error=True)
    for record in (greenlet.value for greenlet in greenlets):
        assert record.outcome == Outcome.OK, record.error
        assert (record.early_answers, record.wer, record.text) == (0, None, "")
        assert record.voice_to_voice_s is not None and record.voice_to_voice_s >= 0.5 + 0.2 - 0.02 - ROUNDING_S
        assert record.barge_in_stop_s is not None and record.barge_in_stop_s >= 0.1 + 0.3 - 0.02 - ROUNDING_S
    for line in ("twilio", "audiosocket"):
        truths = [json.loads(text) for text in (tmp_path / line).read_text().splitlines()]
        took_s = [truth["ended_s"] - truth["told_to_stop_s"] for truth in truths if truth["told_to_stop_s"]]
        assert len(took_s) == 10, "an answer that follows is cut by the hang-up"
        assert min(took_s) >= 0.3 - ROUNDING_S


@pytest.fixture(scope="module", params=["ga", "beta"])
def quick_server(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A server that answers at once, and its protocol."""
    with start_talker("--protocol", request.param, "--first", "0", "--answer", "0.2") as server:
        yield server.url, request.param


def test_a_connection_carries_many_turns(quick_server: tuple[str, str]) -> None:
    url, protocol = quick_server
    asked = [f"protocol={protocol}"]
    config = config_of(url, utterances_per_connection="2", end="client", dialect_option=asked)
    workload = ConversationWorkload(config, [SPEECH], NO_CREDENTIALS)
    caller = Caller(0, 0, 1)
    records = [record_of(*workload.new_attempt(caller, SPEECH, False).run()) for _ in range(2)]
    caller.disconnect()
    assert [record.outcome for record in records] == [Outcome.OK] * 2
    assert [record.connection_utterance for record in records] == [0, 1]
    assert records[1].connect_s is None


def test_a_probe_shows_the_conversation_and_what_it_comes_to(quick_server: tuple[str, str]) -> None:
    shown: list[str] = []
    url, protocol = quick_server
    config = config_of(url, dialect_option=[f"protocol={protocol}"], end="client")
    record = record_of(*ConversationWorkload.probe(config, SPEECH, NO_CREDENTIALS, shown.append))
    assert record.outcome == Outcome.OK, record.error
    assert any("AnswerEnded" in line for line in shown)
    assert not any("append" in line for line in shown)
    facts = dict(ConversationWorkload.probe_facts(config, record))
    assert facts["answer"] == "0.20 s of audio"


def test_a_server_that_speaks_the_other_protocol_refuses(quick_server: tuple[str, str]) -> None:
    url, protocol = quick_server
    other = "beta" if protocol == "ga" else "ga"
    config = config_of(url, dialect_option=[f"protocol={other}"], end="client")
    record = record_of(*ConversationWorkload.probe(config, SPEECH, NO_CREDENTIALS, lambda line: None))
    assert record.outcome == Outcome.REFUSED
    assert record.error is not None and "session.type" in record.error


def test_a_conversation_has_options_and_objectives_of_its_own() -> None:
    config = parse_options({"dialect": "conversation-openai", "barge_in": "1.5s"})
    assert config.kind is CONVERSATION
    assert (config.end, config.barge_in_s) == ("server", 1.5)
    assert [slo.text for slo in config.slos] == list(CONVERSATION.default_slos)
    for wrong, why in (
        ({"dialect": "parakeet", "barge_in": "1s"}, "means nothing with --dialect parakeet"),
        ({"dialect": "conversation-openai", "slo": "wer<8%"}, "a run of kind conversation has no wer"),
        ({"dialect": "conversation-openai", "trailing_silence": "2"}, "--trailing-silence: means nothing"),
        ({"dialect": "conversation-speaches", "end": "client"}, "can only have its utterances ended by server"),
        (
            {"dialect": "conversation-openai", "barge_in": "1s", "utterances_per_connection": "2"},
            "--barge-in: a connection ends with the answer",
        ),
    ):
        with pytest.raises(ConfigError, match=why):
            parse_options(wrong)
