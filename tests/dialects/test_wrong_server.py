"""Every dialect against every other server: no conversation passes for a transcript, and who speaks is recognised."""

from __future__ import annotations

import pytest
from virtual_time import VirtualCaller, sounds

from stt_load.dialects.base import Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.row import DialectRow
from stt_load.errors import Outcome, Refusal
from stt_load.records import UtteranceRecord
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.session.advice import find_cause

# They say something to whoever comes, so nobody takes them for another one.
SERVERS_THAT_GREET = {
    *("nemotron", "tingwu", "whisperlivekit", "openai-realtime", "vllm-realtime", "sglang"),
    *("assemblyai", "kyutai"),
}

# Who doesn't speak over websockets gets no further than the upgrade.
ROWS = [row for row in DIALECTS.values() if "ws" in row.url_schemes]
PAIRS = [(row, server) for row in ROWS for server in SERVER_DIALECTS if server != row.name]


def call(row: DialectRow, server: str) -> UtteranceRecord:
    dialect = row.make(Settings(end=row.capabilities.ends[0]))
    return VirtualCaller(dialect, SERVER_DIALECTS[server], 0.05).speak(
        sounds(dialect.capabilities.sample_rate_hz, (0.3, 1.2))
    )


@pytest.mark.parametrize(("row", "server"), PAIRS, ids=[f"{row.name}-at-{server}" for row, server in PAIRS])
def test_another_server_is_no_transcript_and_is_called_by_its_name_if_by_any(row: DialectRow, server: str) -> None:
    record = call(row, server)
    assert record.outcome != Outcome.OK
    assert record.error is not None
    assert record.other_dialects in ([], [server])
    _, _, named = record.error.partition("the server seems to speak ")
    assert named == (f"{server}: see --dialect" if record.other_dialects else "")
    cause = find_cause(record)
    assert cause is not None
    assert "dialect" in cause.advice(record) or record.refusal is not None
    assert not cause.needs_silence


@pytest.mark.parametrize("server", sorted(SERVERS_THAT_GREET))
def test_a_server_that_greets_is_recognised_by_all_that_it_lets_in(server: str) -> None:
    records = [call(row, server) for row in ROWS if row.name != server]
    let_in = [record.error or "" for record in records if record.connect_s is not None]
    assert let_in
    assert all(error.endswith(f"the server seems to speak {server}: see --dialect") for error in let_in)


@pytest.mark.parametrize(
    ("asked", "server"),
    [
        *(("deepgram", "parakeet"), ("deepgram", "vosk"), ("deepgram", "sherpa-onnx")),
        *(("parakeet", "deepgram"), ("parakeet", "speechmatics"), ("funasr", "assemblyai")),
    ],
)
def test_one_that_only_answers_is_recognised_by_its_answers(asked: str, server: str) -> None:
    assert (call(DIALECTS[asked], server).error or "").endswith(f"the server seems to speak {server}: see --dialect")


def test_a_refusal_at_the_upgrade_names_it_too() -> None:
    record = call(DIALECTS["vosk"], "funasr")
    assert (record.outcome, record.other_dialects, record.understood) == (Outcome.REFUSED, ["funasr"], None)


def test_a_refusal_in_another_language_names_it_too() -> None:
    record = call(DIALECTS["riva"], "sglang")
    assert (record.outcome, record.refusal) == (Outcome.REFUSED, Refusal.PARAMETERS)
    assert "sglang" in (record.error or "")
