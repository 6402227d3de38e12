"""What a fault makes of an utterance that was not complete by then."""

from __future__ import annotations

from typing import NamedTuple

from stt_load.errors import (
    ConnectionLost,
    DeadlineExceeded,
    FailureReported,
    Outcome,
    ProtocolError,
    Refusal,
    SttLoadError,
    UpgradeRefused,
)

# RFC 6455 section 7.4.1 and the IANA registry. What is not listed counts as disconnected.
CLOSE_OUTCOMES: dict[int, Outcome] = {
    1008: Outcome.REFUSED,  # policy violation: what servers use for bad credentials
    1011: Outcome.SERVER_ERROR,  # internal error
    1013: Outcome.REFUSED,  # try again later: full
    1014: Outcome.SERVER_ERROR,  # bad gateway
    4401: Outcome.REFUSED,  # credentials, by custom of several servers
}
# The server says in good order that the utterance is over: 1000, or a close frame without a code (seen as 1005).
ORDERLY_CLOSES = frozenset({1000, 1005})

# What is not listed counts as disconnected. A lost connection has its close code to say more.
FAULT_OUTCOMES: dict[type[SttLoadError], Outcome] = {
    UpgradeRefused: Outcome.REFUSED,
    DeadlineExceeded: Outcome.TIMED_OUT,
    ProtocolError: Outcome.PROTOCOL_ERROR,
    FailureReported: Outcome.SERVER_ERROR,
}


class Ending(NamedTuple):
    """How an utterance ended, and why in words where it did not end well."""

    outcome: Outcome
    error: str | None = None
    refusal: Refusal | None = None


def outcome_of_close(close_code: int) -> Outcome:
    return CLOSE_OUTCOMES.get(close_code, Outcome.DISCONNECTED)


def outcome_of_fault(fault: SttLoadError) -> Outcome:
    if isinstance(fault, ConnectionLost):
        return outcome_of_close(fault.close_code)
    return next((o for kind, o in FAULT_OUTCOMES.items() if isinstance(fault, kind)), Outcome.DISCONNECTED)


# RFC 6455 section 7.4.1, and what servers use by custom.
CLOSE_REFUSALS: dict[int, Refusal] = {
    1008: Refusal.AUTH,
    1013: Refusal.CAPACITY,
    4401: Refusal.AUTH,
}
# RFC 9110 section 15.
STATUS_REFUSALS: dict[int | None, Refusal] = {
    None: Refusal.UNREACHABLE,
    401: Refusal.AUTH,
    403: Refusal.AUTH,
    429: Refusal.CAPACITY,
    503: Refusal.CAPACITY,
}


def refusal_of_fault(fault: SttLoadError) -> Refusal | None:
    """Why a server refused the caller; None where the fault doesn't say so."""
    if isinstance(fault, UpgradeRefused):
        return STATUS_REFUSALS.get(fault.status)
    return CLOSE_REFUSALS.get(fault.close_code) if isinstance(fault, ConnectionLost) else None


def ending_of_request(fault: SttLoadError) -> Ending:
    """How a fault ends one HTTP request. A status that says nothing else refuses what was asked for."""
    refusal = None
    if isinstance(fault, UpgradeRefused):
        refusal = STATUS_REFUSALS.get(fault.status, Refusal.PARAMETERS)
    return Ending(outcome_of_fault(fault), str(fault), refusal)
