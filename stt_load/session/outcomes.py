"""What a fault makes of an utterance that was not complete by then."""

from __future__ import annotations

import re
from typing import NamedTuple

from stt_load.errors import (
    CallEnded,
    ConnectionLost,
    DeadlineExceeded,
    FailureReported,
    GeneratorFailure,
    HandshakeFailed,
    Outcome,
    ProtocolError,
    Refusal,
    SttLoadError,
    UpgradeRefused,
)
from stt_load.session.grpc_status import GrpcStatus

# RFC 6455 section 7.4.1 and the IANA registry. What is not listed counts as disconnected.
CLOSE_OUTCOMES: dict[int, Outcome] = {
    1008: Outcome.REFUSED,  # policy violation: what servers use for bad credentials
    1011: Outcome.SERVER_ERROR,  # internal error
    1013: Outcome.REFUSED,  # try again later: full
    1014: Outcome.SERVER_ERROR,  # bad gateway
    # By custom of several servers, 4000 and the HTTP status.
    4401: Outcome.REFUSED,  # credentials
    4403: Outcome.REFUSED,
    4429: Outcome.REFUSED,  # too many requests
    4500: Outcome.SERVER_ERROR,
    4503: Outcome.REFUSED,  # full
}
# The server says in good order that the utterance is over: 1000, or a close frame without a code (seen as 1005).
_NO_CODE = 1005
ORDERLY_CLOSES = frozenset({1000, _NO_CODE})

# What is not listed counts as disconnected. A lost connection has its close code to say more.
FAULT_OUTCOMES: dict[type[SttLoadError], Outcome] = {
    UpgradeRefused: Outcome.REFUSED,
    DeadlineExceeded: Outcome.TIMED_OUT,
    ProtocolError: Outcome.PROTOCOL_ERROR,
    FailureReported: Outcome.SERVER_ERROR,
    GeneratorFailure: Outcome.INTERRUPTED,
}


class Ending(NamedTuple):
    """How an utterance ended, and why in words where it did not end well. `is_own_fault`: by the load generator
    itself."""

    outcome: Outcome
    error: str | None = None
    refusal: Refusal | None = None
    is_own_fault: bool = False


# RFC 6455 section 7.4.1, and what servers use by custom.
CLOSE_REFUSALS: dict[int, Refusal] = {
    1008: Refusal.AUTH,
    1013: Refusal.CAPACITY,
    4401: Refusal.AUTH,
    4403: Refusal.AUTH,
    4429: Refusal.CAPACITY,
    4503: Refusal.CAPACITY,
}


def is_orderly(close_code: int, reason: str = "") -> bool:
    """Whether a close ends the utterance in good order. A frame that holds 1005, which no frame may, and gives a reason
    is none of those without a code."""
    return close_code in ORDERLY_CLOSES and not (close_code == _NO_CODE and reason)


def is_orderly_end(fault: ConnectionLost) -> bool:
    """Whether the server has ended the connection in good order."""
    if isinstance(fault, CallEnded):
        return fault.status == GrpcStatus.OK
    return is_orderly(fault.close_code, fault.reason)


class CloseMeaning(NamedTuple):
    """What a close, or the status of a gRPC call, says of the utterance that it cut."""

    outcome: Outcome
    refusal: Refusal | None = None


# Codes whose meaning RFC 6455 or IANA's registry has settled: the words beside them add nothing to it. What 1008 and
# 1013 refuse a caller for, servers say in the reason; every other code is the server's own.
_SETTLED_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1009, 1010, 1011, 1012, 1014})
# Words of the reason, in the order in which they decide.
CLOSE_REASONS: tuple[tuple[str, CloseMeaning], ...] = (
    (r"time.?out|timed out|\bidle\b|duration|session expired", CloseMeaning(Outcome.DISCONNECTED)),
    (
        r"unauthori[sz]ed|authenti|forbidden|credential|\bkey\b|api.?key|permission|denied"
        r"|(invalid|expired|missing|bad|wrong|no) token|token (is )?(invalid|expired|missing|wrong)",
        CloseMeaning(Outcome.REFUSED, Refusal.AUTH),
    ),
    (
        r"too many|capacity|overload|\bfull\b|\bbusy\b|rate.?limit|quota|no free|try again|concurren|unavailable"
        r"|max(imum)?\b.*\b(connections|sessions|clients|streams)|limit (was |is )?(reached|exceeded)",
        CloseMeaning(Outcome.REFUSED, Refusal.CAPACITY),
    ),
    (r"internal|crash|exception|out of memory", CloseMeaning(Outcome.SERVER_ERROR)),
    (
        r"\b(bad|invalid|unknown|unsupported|missing|no such|wrong)\b|not (supported|found|available|allowed)",
        CloseMeaning(Outcome.REFUSED, Refusal.PARAMETERS),
    ),
    (r"error|fail", CloseMeaning(Outcome.SERVER_ERROR)),
)


def meaning_of_close(close_code: int, reason: str = "") -> CloseMeaning:
    """What a close with this code and reason means: by its words where the code leaves that open, else by the code."""
    if close_code not in _SETTLED_CODES and reason:
        for words, meaning in CLOSE_REASONS:
            if re.search(words, reason, re.IGNORECASE):
                return meaning
    return CloseMeaning(CLOSE_OUTCOMES.get(close_code, Outcome.DISCONNECTED), CLOSE_REFUSALS.get(close_code))


# Statuses of gRPC calls; those that are not listed say that the server failed. NOT_FOUND is a function or a model,
# UNIMPLEMENTED the path. Servers end a call that takes too long by ABORTED or OUT_OF_RANGE.
STATUS_MEANINGS: dict[int, CloseMeaning] = {
    GrpcStatus.OK: CloseMeaning(Outcome.DISCONNECTED),
    GrpcStatus.CANCELLED: CloseMeaning(Outcome.DISCONNECTED),
    GrpcStatus.INVALID_ARGUMENT: CloseMeaning(Outcome.REFUSED, Refusal.PARAMETERS),
    GrpcStatus.NOT_FOUND: CloseMeaning(Outcome.REFUSED, Refusal.PARAMETERS),
    GrpcStatus.PERMISSION_DENIED: CloseMeaning(Outcome.REFUSED, Refusal.AUTH),
    GrpcStatus.RESOURCE_EXHAUSTED: CloseMeaning(Outcome.REFUSED, Refusal.CAPACITY),
    GrpcStatus.FAILED_PRECONDITION: CloseMeaning(Outcome.REFUSED, Refusal.PARAMETERS),
    GrpcStatus.ABORTED: CloseMeaning(Outcome.DISCONNECTED),
    GrpcStatus.OUT_OF_RANGE: CloseMeaning(Outcome.DISCONNECTED),
    GrpcStatus.UNIMPLEMENTED: CloseMeaning(Outcome.REFUSED, Refusal.PARAMETERS),
    GrpcStatus.UNAVAILABLE: CloseMeaning(Outcome.REFUSED, Refusal.CAPACITY),
    GrpcStatus.UNAUTHENTICATED: CloseMeaning(Outcome.REFUSED, Refusal.AUTH),
}


def _meaning_of_end(fault: ConnectionLost) -> CloseMeaning:
    """What the end of a connection means, by its close code and reason, or by the status of its call."""
    if isinstance(fault, CallEnded):
        if fault.was_taken and fault.status == GrpcStatus.UNAVAILABLE:  # it went away: a restart, an age limit
            return CloseMeaning(Outcome.DISCONNECTED)
        return STATUS_MEANINGS.get(fault.status, CloseMeaning(Outcome.SERVER_ERROR))
    return meaning_of_close(fault.close_code, fault.reason)


def outcome_of_fault(fault: SttLoadError) -> Outcome:
    if isinstance(fault, ConnectionLost):
        return _meaning_of_end(fault).outcome
    return next((o for kind, o in FAULT_OUTCOMES.items() if isinstance(fault, kind)), Outcome.DISCONNECTED)


# RFC 9110 section 15. Any other 4xx refuses what was asked for; a redirect and a 5xx say nothing of why.
STATUS_REFUSALS: dict[int | None, Refusal] = {
    None: Refusal.UNREACHABLE,
    401: Refusal.AUTH,
    402: Refusal.AUTH,
    403: Refusal.AUTH,
    407: Refusal.AUTH,
    429: Refusal.CAPACITY,
    503: Refusal.CAPACITY,
}


def refusal_of_status(status: int | None) -> Refusal | None:
    """Why a server refused a request, as far as the status of its answer says; `status` is None where none came."""
    is_about_request = status is not None and 400 <= status < 500
    return STATUS_REFUSALS.get(status, Refusal.PARAMETERS if is_about_request else None)


def refusal_of_fault(fault: SttLoadError) -> Refusal | None:
    """Why a server refused the caller; None where the fault doesn't say so."""
    if isinstance(fault, HandshakeFailed):
        return Refusal.HANDSHAKE
    if isinstance(fault, UpgradeRefused):
        return refusal_of_status(fault.status)
    return _meaning_of_end(fault).refusal if isinstance(fault, ConnectionLost) else None


def ending_of_request(fault: SttLoadError) -> Ending:
    """How a fault ends one HTTP request."""
    return Ending(
        outcome_of_fault(fault), str(fault), refusal_of_fault(fault), is_own_fault=isinstance(fault, GeneratorFailure)
    )
