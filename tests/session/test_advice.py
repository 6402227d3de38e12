"""The advice on an utterance that failed follows its cause."""

from __future__ import annotations

from typing import Any

import pytest

from stt_load.errors import Refusal
from stt_load.records import UtteranceRecord
from stt_load.session.advice import REFUSAL_ADVICE, Advisor, find_cause
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
        ({"understood": False}, "--trailing-silence"),  # it may have said nothing because it waits for an end
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
    [
        {"frames": 0},
        {"end": "client"},
        {"kind": "conversation"},
        {"outcome": "server_error"},
        {"outcome": "no_final"},
        {"outcome": "ok"},
    ],
)
def test_nothing_is_advised_where_nothing_is_known_to_help(changes: dict[str, Any]) -> None:
    assert find_cause(failed(**changes)) is None


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_kind_of_refusal_has_its_advice(refusal: Refusal) -> None:
    cause = find_cause(failed(outcome="refused", refusal=refusal, understood=None))
    assert cause is not None
    assert cause.advice(failed(refusal=refusal)) == REFUSAL_ADVICE[refusal].format(key_variable="STT_LOAD_API_KEY")


@pytest.mark.parametrize(
    ("completed", "failed_clip", "expected"),
    [
        ([], "clip", "many servers end an utterance only after more silence"),
        (["clip"], "clip", "it falls behind"),
        (["another"], "clip", "it falls behind"),  # silence is as long behind all of them
        (["clip"], "clip+babble10", "takes the noise"),  # what hides the end in one may not be in the other
        (["clip+babble10"], "clip", "only after more silence"),
        (["clip+babble10"], "another+street5", "it falls behind"),
    ],
)
def test_a_server_that_heard_the_end_of_others_is_too_slow_and_not_without_silence(
    completed: list[str], failed_clip: str, expected: str
) -> None:
    advisor = Advisor()
    for clip_id in completed:
        advisor.note(failed(outcome="ok", clip_id=clip_id))
    assert expected in (advisor.find_advice(failed(clip_id=failed_clip)) or "")


def test_an_utterance_whose_end_the_server_need_not_hear_says_nothing_of_silence() -> None:
    advisor, silent = Advisor(), failed(outcome="ok")
    silent.reference = ""
    for record in (failed(), failed(outcome="ok", end="client"), silent):
        advisor.note(record)
    assert "more silence" in (advisor.find_advice(failed()) or "")
