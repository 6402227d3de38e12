"""What can go wrong, in one tree, and what the process says about it when it ends.

SttLoadError
├── ConfigError            the user asked for something that can't be done; carries every problem at once
│   └── WriteError         a file that is right can't be written: its disk is full or broken, its folder gone
├── ClipError              a clip or manifest can't be used
├── ProtocolError          the server sent something its protocol doesn't allow
│   └── PlainWords         a text message in plain words, where the protocol has none
├── FailureReported           the server says that it failed: HTTP 5xx, or an event that says so
└── TransportError         the connection itself
    ├── UpgradeRefused     an HTTP answer that refuses the upgrade or the request, or no TCP connection
    │   └── HandshakeFailed  something answers, but neither TLS nor HTTP nor a websocket comes about
    ├── ConnectionLost     ended by the peer or the network; carries the close code if there was one
    │   └── CallEnded      a gRPC call that the server has ended; carries its status
    ├── DeadlineExceeded   a wait with a deadline met it
    └── GeneratorFailure   this machine lacked something of its own: a port, a descriptor, memory
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import ClassVar

from stt_load.text.printable import printable


class Outcome(StrEnum):
    """How an utterance ended. Exactly one per utterance."""

    OK = "ok"  # the transcript was completed
    NO_FINAL = "no_final"  # the server ended the utterance in good order without any transcript
    SERVER_ERROR = "server_error"  # the server said that it failed (error message, close 1011)
    PROTOCOL_ERROR = "protocol_error"  # the server sent something its protocol doesn't allow
    REFUSED = "refused"  # the server would not take the caller (full, credentials, nobody listening)
    DISCONNECTED = "disconnected"  # the connection ended before the transcript was complete
    TIMED_OUT = "timed_out"  # the transcript was not complete at the deadline
    INTERRUPTED = "interrupted"  # cut by the end of the run, or by a fault of our own; never an error of the server


class Refusal(StrEnum):
    """Why a server would not take a caller, as far as it says."""

    CAPACITY = "full"
    AUTH = "auth"  # credentials missing or wrong
    PARAMETERS = "parameters"  # it doesn't do what was asked: model, language, rate
    UNREACHABLE = "unreachable"  # nobody listens there
    HANDSHAKE = "handshake"  # something answers, but the handshake of TLS or of the websocket doesn't come about


class ExitCode(IntEnum):
    """What the process tells its caller. The numbers are a contract with CI systems."""

    FINE = 0  # the run can be believed and every SLO was met
    FAILED = 1  # the program itself failed
    USAGE = 2  # bad input; nothing was started
    SLO_MISSED = 3  # the run can be believed and an SLO was missed
    NOT_BELIEVABLE = 4  # the run can't be believed: see the validity lines
    ABORTED = 5  # ended early by a signal; the summary is written all the same


LISTED_OF_A_KIND = 5
LISTED_IN_ALL = 50
_NAMED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\d[\d.,]*|\S+\.\w+")


def _kind(problem: str) -> str:
    """What a problem is, without what it is about: the file or line in front, and names and numbers within."""
    about, colon, rest = problem.partition(": ")
    return _NAMED.sub("…", (rest if colon else about).partition(": ")[0].partition(" (")[0])


class SttLoadError(Exception):
    """The root of every error that this package raises on purpose. `exit_code`: of a command that it ends."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class ConfigError(SttLoadError):
    """Bad input. `problems` holds one line each, every one saying what is wrong and what to do."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))

    @property
    def lines(self) -> list[str]:
        """The problems as they are shown: `LISTED_OF_A_KIND` of each kind, then how many more like them there are."""
        counts = Counter(_kind(problem) for problem in self.problems)
        seen: Counter[str] = Counter()
        lines = []
        for problem in self.problems:
            kind = _kind(problem)
            seen[kind] += 1
            if seen[kind] <= LISTED_OF_A_KIND:
                lines.append(printable(problem))
            if seen[kind] == LISTED_OF_A_KIND < counts[kind]:
                lines.append(f"… and {counts[kind] - LISTED_OF_A_KIND:,} more like these")
        more = len(lines) - LISTED_IN_ALL
        return lines if more <= 0 else [*lines[:LISTED_IN_ALL], f"… and {more:,} more problems"]


class WriteError(ConfigError):
    """A file can't be written, though nothing was asked for that can't be done: the disk is full, broken or read-only,
    or its folder has gone."""

    exit_code = ExitCode.FAILED


class ClipError(SttLoadError):
    """A clip or a manifest can't be used; the message is one line with the file's name."""

    exit_code = ExitCode.USAGE


class ProtocolError(SttLoadError):
    """The server sent something that its protocol doesn't allow."""


class PlainWords(ProtocolError):
    """The server sent plain words where its protocol has none: a sign of life, or why it is about to close."""


class FailureReported(SttLoadError):
    """The server says that it failed: HTTP 5xx, or an event that says so."""


class TransportError(SttLoadError):
    """The connection failed."""


class UpgradeRefused(TransportError):
    """The server would not open the websocket, or take the request.

    `status` is the HTTP status, or None where no HTTP answer came (nobody listening, TCP dropped).
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class HandshakeFailed(UpgradeRefused):
    """Something answers there, but the handshake of TLS or of the websocket doesn't come about."""


class ConnectionLost(TransportError):
    """The connection ended. `close_code` is the websocket close code, 1006 where there was no close frame;
    `reason` the words beside it, none as a rule. `at_s`: when the close frame arrived, monotonic seconds; None where
    there was none."""

    def __init__(self, message: str, close_code: int = 1006, reason: str = "", at_s: float | None = None) -> None:
        self.close_code = close_code
        self.reason = reason
        self.at_s = at_s
        super().__init__(message)


class StreamEnded(ConnectionLost):
    """The server has ended a connection over TCP between two messages, in the way of TCP."""


class CallEnded(ConnectionLost):
    """The server has ended a gRPC call. `status`: its number, 0 for OK. `was_taken`: it had said something before."""

    def __init__(self, message: str, status: int, at_s: float | None = None, was_taken: bool = False) -> None:
        self.status = status
        self.was_taken = was_taken
        super().__init__(message, at_s=at_s)


class DeadlineExceeded(TransportError):
    """A wait met its deadline; the message names the wait."""


class GeneratorFailure(TransportError):
    """The load generator lacked something of its own: a port, a file descriptor, memory, a name server. Nothing was
    learned of the server."""
