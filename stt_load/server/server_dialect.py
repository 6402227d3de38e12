"""The server's side of a dialect, for one connection: messages and texts in, doings out. No socket, no clock.

A voice makes the embedded recogniser behave like the server that it stands in for, traps included: what it does
with an odd frame, a wrong end message, a pause. `room.py` does what it says.

    client ─ on_message ─▶ Hear ─▶ recogniser ─ on_cut, on_text ─▶ Say ─▶ client
                       └─▶ Flush ─▶ every text owed, then on_flushed
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stt_load.dialects.events import Message


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """Who knocks: the upgrade request. Header names are lower case. `key`: what the server was told to ask for."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer in place of the upgrade."""

    status: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class Hear:
    """Audio for the recogniser: int16 LE mono at the voice's `sample_rate_hz`."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Flush:
    """Recognise what was heard and not cut yet, then call `on_flushed`."""


@dataclass(frozen=True, slots=True)
class Forget:
    """What was heard and not cut yet is thrown away."""


@dataclass(frozen=True, slots=True)
class Say:
    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """The closing handshake, once everything said before is sent."""

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """TCP ends without a closing handshake: the client sees 1006."""


Doing = Hear | Flush | Forget | Say | Close | Drop


@dataclass(frozen=True, slots=True)
class Recognised:
    """A piece's text. `start_s`, `end_s`: where it lies in the audio heard since the connection (or the last
    `Forget`) began. `times_ms`: what recognising it took, by name."""

    text: str
    start_s: float
    end_s: float
    times_ms: Mapping[str, float]


class ServerDialect(ABC):
    """One server's manners. A piece is cut after `endpoint_s` of silence (None: only by `Flush`), or when it is
    `max_piece_s` long. `on_tick` is called every `tick_s` while the connection is open (None: never)."""

    path = "/ws"
    sample_rate_hz = 16_000
    endpoint_s: float | None = 0.25
    max_piece_s = 8.0
    tick_s: float | None = None

    def __init__(self, door: UpgradeRequest) -> None:
        self.door = door

    def refuse(self) -> Refusal | None:
        """Asked before the upgrade."""
        return None

    def on_full(self) -> Refusal | Sequence[Doing]:
        """A caller too many: refused before the upgrade, or told after it."""
        return Refusal(503, '{"error": "full"}')

    def on_open(self) -> Sequence[Doing]:
        """The upgrade is done: a greeting."""
        return ()

    @abstractmethod
    def on_message(self, message: Message) -> Iterable[Doing]:
        """Each doing is done before the next one is asked for: a generator sees what came of it."""

    def on_cut(self) -> Sequence[Doing]:
        """The recogniser has cut a piece: its text is owed."""
        return ()

    @abstractmethod
    def on_text(self, recognised: Recognised) -> Sequence[Doing]:
        """A piece's text, in the order of speech."""

    def on_flushed(self) -> Sequence[Doing]:
        """Every piece that was cut until the `Flush` has its text."""
        return ()

    def on_failed(self) -> Sequence[Doing]:
        """The recogniser died over a piece; its text never comes."""
        return (Close(1011, "internal error"),)

    def on_tick(self) -> Sequence[Doing]:
        return ()

    def on_closed(self) -> None:  # noqa: B027 - most have nothing to do then
        """The connection has ended, however."""
