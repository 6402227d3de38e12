"""What each fault is counted as."""

from __future__ import annotations

from pathlib import Path

import pytest

from stt_load.errors import (
    ConnectionLost,
    DeadlineExceeded,
    HandshakeFailed,
    Outcome,
    ProtocolError,
    Refusal,
    SttLoadError,
    TransportError,
    UpgradeRefused,
)
from stt_load.session.grpc_status import GrpcStatus
from stt_load.session.outcomes import (
    CLOSE_OUTCOMES,
    CLOSE_REFUSALS,
    ORDERLY_CLOSES,
    STATUS_MEANINGS,
    CloseMeaning,
    is_orderly,
    meaning_of_close,
    outcome_of_fault,
    refusal_of_fault,
)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (UpgradeRefused("HTTP 503", 503), Outcome.REFUSED),
        (DeadlineExceeded("no answer"), Outcome.TIMED_OUT),
        (ProtocolError("not JSON"), Outcome.PROTOCOL_ERROR),
        (HandshakeFailed("no TLS"), Outcome.REFUSED),
        (ConnectionLost("reset"), Outcome.DISCONNECTED),
        (ConnectionLost("oops", 1011), Outcome.SERVER_ERROR),
        (TransportError("of a kind that is still to be thought of"), Outcome.DISCONNECTED),
    ],
    ids=lambda value: str(value),
)
def test_a_fault_is_counted_as(fault: SttLoadError, outcome: Outcome) -> None:
    assert outcome_of_fault(fault) == outcome


def test_what_answers_with_something_else_is_there_unlike_what_answers_nothing() -> None:
    for fault, refusal in (
        (HandshakeFailed("no TLS"), Refusal.HANDSHAKE),
        (UpgradeRefused("no TCP connection"), Refusal.UNREACHABLE),
    ):
        assert (outcome_of_fault(fault), refusal_of_fault(fault)) == (Outcome.REFUSED, refusal)


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1012, 4999])
def test_a_close_that_blames_nobody_is_a_lost_connection(code: int) -> None:
    assert meaning_of_close(code) == CloseMeaning(Outcome.DISCONNECTED)


@pytest.mark.parametrize(
    ("code", "reason", "outcome", "refusal"),
    [
        (4000, "unauthorized", Outcome.REFUSED, Refusal.AUTH),
        (4001, "Invalid API key", Outcome.REFUSED, Refusal.AUTH),
        (3000, "token expired", Outcome.REFUSED, Refusal.AUTH),
        (4002, "Too many connections", Outcome.REFUSED, Refusal.CAPACITY),
        (4002, "rate limit exceeded", Outcome.REFUSED, Refusal.CAPACITY),
        (1008, "Too many concurrent sessions", Outcome.REFUSED, Refusal.CAPACITY),
        (1008, "bad key", Outcome.REFUSED, Refusal.AUTH),
        (1008, "unsupported audio encoding", Outcome.REFUSED, Refusal.PARAMETERS),
        (1008, "see the manual", Outcome.REFUSED, Refusal.AUTH),
        (4003, "bad model", Outcome.REFUSED, Refusal.PARAMETERS),
        (4004, "language not supported", Outcome.REFUSED, Refusal.PARAMETERS),
        (1006, "model crashed: out of memory", Outcome.SERVER_ERROR, None),
        (2000, "Internal error", Outcome.SERVER_ERROR, None),
        (4005, "recognition failed", Outcome.SERVER_ERROR, None),
        (4006, "idle timeout: too many seconds without audio", Outcome.DISCONNECTED, None),
        (4429, "", Outcome.REFUSED, Refusal.CAPACITY),
        (4999, "so long", Outcome.DISCONNECTED, None),
        (1001, "unauthorized", Outcome.DISCONNECTED, None),
        (1011, "keepalive ping timeout", Outcome.SERVER_ERROR, None),
    ],
)
def test_a_code_of_the_servers_own_is_known_by_its_reason(
    code: int, reason: str, outcome: Outcome, refusal: Refusal | None
) -> None:
    fault = ConnectionLost("closed", code, reason)
    assert (outcome_of_fault(fault), refusal_of_fault(fault)) == (outcome, refusal)


def test_a_close_is_orderly_without_a_code_but_not_with_the_code_that_stands_for_none_and_a_reason() -> None:
    assert is_orderly(1000)
    assert is_orderly(1000, "bye")
    assert is_orderly(1005)
    assert not is_orderly(1005, "model crashed")
    assert not is_orderly(1001)


def test_every_close_that_refuses_says_for_what() -> None:
    refused = {code for code, outcome in CLOSE_OUTCOMES.items() if outcome is Outcome.REFUSED}
    assert refused == CLOSE_REFUSALS.keys()


def test_no_close_is_both_in_good_order_and_somebodys_fault() -> None:
    assert not ORDERLY_CLOSES & CLOSE_OUTCOMES.keys()


def test_the_docs_say_what_each_status_of_grpc_means() -> None:
    text = (Path(__file__).parents[2] / "docs/dialects.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| status | outcome | what to do |")
    rows = [line.split("|") for line in table.partition("\n\n")[0].splitlines()[2:]]
    told = {name: outcome.strip() for _, names, outcome, *_ in rows for name in names.strip().split(", ")}
    other = told.pop("any other")
    assert other == f"`{Outcome.SERVER_ERROR}`"
    meant = {
        GrpcStatus(status).name: f"`{meaning.outcome}`" + (f", {meaning.refusal}" if meaning.refusal else "")
        for status, meaning in STATUS_MEANINGS.items()
        if status != GrpcStatus.OK
    }
    assert told == meant
