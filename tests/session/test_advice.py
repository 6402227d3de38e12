"""The advice on an utterance that failed follows its cause."""

from __future__ import annotations

from typing import Any

import pytest

from stt_load.errors import Refusal
from stt_load.records import UtteranceRecord
from stt_load.session.advice import REFUSAL_ADVICE, find_cause
from stt_load.session.transcript import ENDS_EARLIER


def failed(**changes: Any) -> UtteranceRecord:
    """A stream that timed out after all its audio had gone to a server that speaks the dialect."""
    facts = {"outcome": "timed_out", "end": "server", "frames": 20, "understood": True, **changes}
    clip_id = facts.pop("clip_id", "clip")
    return UtteranceRecord("run", 0, 0, 0, "hold", 1, clip_id, "words", **facts)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "--trailing-silence"),
        ({"error": f"every text came before the end of speech, {ENDS_EARLIER}"}, "clips show --bounds"),
        ({"understood": False}, "another dialect"),
        ({"understood": False, "frames": 0}, "another dialect"),
        ({"understood": False, "clip_id": "english-01+babble10+mulaw8k"}, "--end client"),
        ({"clip_id": "english-01+street5"}, "--end client"),
        ({"understood": False, "clip_id": "english-01+mulaw8k"}, "another dialect"),
        ({"understood": False, "outcome": "disconnected"}, "another dialect"),
        ({"outcome": "protocol_error", "error": "the server floods: more", "understood": False}, "what it repeats"),
        ({"other_dialects": ["vosk"]}, "--dialect vosk"),
        ({"other_dialects": ["vosk", "sherpa-onnx"]}, "--dialect vosk or sherpa-onnx"),
        ({"outcome": "refused", "understood": None}, "check the path of --stt-url"),
        ({"outcome": "refused", "refusal": "full", "understood": None}, "raise its limit"),
        ({"outcome": "refused", "refusal": "parameters", "understood": None}, "for: check the path of --stt-url"),
        ({"outcome": "refused", "refusal": "parameters"}, "for: see --dialect-option"),
        ({"outcome": "refused", "refusal": "parameters", "other_dialects": ["riva"]}, "--dialect riva"),
    ],
)
def test_the_cause_decides(changes: dict[str, Any], expected: str) -> None:
    record = failed(**changes)
    cause = find_cause(record)
    assert cause is not None
    assert expected in cause.advice(record)


def test_a_key_is_missed_by_the_name_that_its_kind_of_load_has() -> None:
    record = failed(kind="tts", refusal=Refusal.AUTH)
    cause = find_cause(record)
    assert cause is not None
    assert "set STT_LOAD_TTS_API_KEY on every worker" in cause.advice(record)


@pytest.mark.parametrize(
    "changes",
    [{"frames": 0}, {"end": "client"}, {"outcome": "server_error"}, {"outcome": "no_final"}, {"outcome": "ok"}],
)
def test_nothing_is_advised_where_nothing_is_known_to_help(changes: dict[str, Any]) -> None:
    assert find_cause(failed(**changes)) is None


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_kind_of_refusal_has_its_advice(refusal: Refusal) -> None:
    cause = find_cause(failed(outcome="refused", refusal=refusal, understood=None))
    assert cause is not None
    assert cause.advice(failed(refusal=refusal)) == REFUSAL_ADVICE[refusal].format(key_variable="STT_LOAD_API_KEY")
