"""What a server's message means, whichever server it came from. All frozen; none knows the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ready:
    """The server is ready for audio (only protocols with a ready message send it)."""


@dataclass(frozen=True, slots=True)
class PieceQueued:
    """The server has cut a piece of speech and owes a `Final` for it."""


@dataclass(frozen=True, slots=True)
class Partial:
    """Text that may still change."""

    text: str


@dataclass(frozen=True, slots=True)
class Final:
    """Text that won't change. `is_last`: the protocol says that nothing follows for this utterance."""

    text: str
    is_last: bool = False
    server_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """The protocol says, without text, that the utterance is over."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server says that it failed. `is_refusal`: it would not take this caller (full, credentials)."""

    message: str
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that changes nothing; kept so that `probe` can show it."""

    why: str


Event = Ready | PieceQueued | Partial | Final | Finished | ServerError | Ignored
