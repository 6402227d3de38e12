"""What a server's message means, whichever server it came from. All frozen; none knows the time.

A server tells its text in one of two ways. *Finals* add up: each is a piece that won't change. A *snapshot* is the
whole transcript as the server has it now, and the next one replaces it. A dialect uses one way or the other.

Structs rather than dataclasses: some are made for every message of every caller, in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stt_load.errors import Refusal

Message = bytes | str
"""One websocket message: bytes is a binary message, str a text message."""


class Ready(msgspec.Struct, frozen=True, gc=False):
    """The server is ready for audio (only protocols with a ready message send it)."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The server has to be answered with these, now."""

    messages: tuple[Message, ...]


class SegmentPending(msgspec.Struct, frozen=True, gc=False):
    """The server has cut a piece of speech and owes a `Final` for it."""


class Partial(msgspec.Struct, frozen=True, gc=False):
    """Text that may still change. Only the moment of the first one is measured."""

    text: str


class Final(msgspec.Struct, frozen=True, gc=False):
    """Text that won't change. `is_last`: the protocol says that nothing follows for this utterance."""

    text: str
    is_last: bool = False
    server_ms: Mapping[str, float] = {}


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """The whole transcript so far, in place of all that was told before. `is_last` as in `Final`."""

    text: str
    is_last: bool = False
    server_ms: Mapping[str, float] = {}


class EndOfTurn(msgspec.Struct, frozen=True, gc=False):
    """The server's endpointer heard the end of a turn; the turn's text has been told. It may have cut mid-clip."""


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The protocol says, without text, that the utterance is over."""


class AtWork(msgspec.Struct, frozen=True, gc=False):
    """The server is still at what was sent to it: there may be silence, but it isn't the end."""


class Gauge(msgspec.Struct, frozen=True, gc=False):
    """What the server says of itself besides texts: lag, queue, timings. Named with the server's own words."""

    server_ms: Mapping[str, float]


class ServerError(msgspec.Struct, frozen=True, gc=False):
    """The server says that it failed, or, with `refusal`, that it would not take this caller."""

    message: str
    refusal: Refusal | None = None


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A message that changes nothing; kept so that `probe` can show it."""

    why: str


Event = (
    Ready
    | Reply
    | SegmentPending
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
