"""What a server's message means, whichever server it came from. All frozen; none knows the time.

A server tells its text in one of two ways. *Finals* add up: each is a piece that won't change. A *snapshot* is the
whole transcript as the server has it now, and the next one replaces it. A dialect uses one way or the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stt_load.errors import Refusal

Message = bytes | str
"""One websocket message: bytes is a binary message, str a text message."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The server is ready for audio (only protocols with a ready message send it)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The server has to be answered with these, now."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class PieceQueued:
    """The server has cut a piece of speech and owes a `Final` for it."""


@dataclass(frozen=True, slots=True)
class Partial:
    """Text that may still change. Only the moment of the first one is measured."""

    text: str


@dataclass(frozen=True, slots=True)
class Final:
    """Text that won't change. `is_last`: the protocol says that nothing follows for this utterance."""

    text: str
    is_last: bool = False
    server_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole transcript so far, in place of all that was told before. `is_last` as in `Final`."""

    text: str
    is_last: bool = False
    server_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The server's endpointer heard the end of a turn; the turn's text has been told. It may have cut mid-clip."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The protocol says, without text, that the utterance is over."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """The server is still at what was sent to it: there may be silence, but it isn't the end."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """What the server says of itself besides texts: lag, queue, timings. Named with the server's own words."""

    server_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server says that it failed, or, with `refusal`, that it would not take this caller."""

    message: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that changes nothing; kept so that `probe` can show it."""

    why: str


Event = (
    Ready
    | Reply
    | PieceQueued
    | Partial
    | Final
    | Snapshot
    | EndOfTurn
    | Finished
    | AtWork
    | Gauge
    | ServerError
    | Ignored
)

SAYS_NOTHING_NEW = (Ignored, Gauge, Reply)
"""Events that don't put off a quiet period."""
