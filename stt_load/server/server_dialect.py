"""The server's side of a dialect, for one connection: messages and texts in, actions out. No socket, no clock.

A server dialect makes the embedded recogniser behave like the server that it stands in for, traps included: what it
does with an odd frame, a wrong end message, a pause. `server_session.py` carries the actions out.

    client ─ on_message ─▶ FeedAudio ─▶ recogniser ─ on_segment, on_text ─▶ SendMessage ─▶ client
                       └─▶ Flush ─▶ every text owed, then on_flushed
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stt_load.dialects.events import Message


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """The HTTP request that asks for a websocket. Header names are in lower case. `key`: the API key that the server
    was told to ask for, None for no key."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class UpgradeRefusal:
    """An HTTP response in place of the upgrade."""

    status: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class FeedAudio:
    """Gives audio to the recogniser: int16 LE mono at the dialect's `sample_rate_hz`."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Flush:
    """Has the recogniser take the audio that no segment holds yet; `on_flushed` is called after its text."""


@dataclass(frozen=True, slots=True)
class DiscardAudio:
    """Throws away the audio that no segment holds yet."""


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Sends one message to the client: text for a str, else binary."""

    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Begins the closing handshake, after everything that was sent before it."""

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Abort:
    """Ends TCP without a closing handshake: the client sees 1006."""


ConnectionAction = SendMessage | Close | Abort
"""An action on the connection alone."""

ServerAction = FeedAudio | Flush | DiscardAudio | ConnectionAction


@dataclass(frozen=True, slots=True)
class RecognisedSegment:
    """The text of one segment of speech. `start_s`, `end_s`: where it lies in the audio since the connection, the
    file or the last `DiscardAudio` began. `times_ms`: how long its recognition took, by step."""

    text: str
    start_s: float
    end_s: float
    times_ms: Mapping[str, float]


class ServerDialect(ABC):
    """One connection as a certain server handles it.

    A segment is cut after `endpoint_s` of silence (None: only by `Flush`), or when it is `max_segment_s` long.
    `on_tick` is called every `tick_s` while the connection is open (None: never).
    """

    path = "/ws"
    sample_rate_hz = 16_000
    endpoint_s: float | None = 0.25
    max_segment_s = 8.0
    tick_s: float | None = None

    def __init__(self, request: UpgradeRequest) -> None:
        self.request = request

    def refuse(self) -> UpgradeRefusal | None:
        """Decides before the upgrade; None lets the client in."""
        return None

    def on_full(self) -> UpgradeRefusal | Sequence[ConnectionAction]:
        """Turns away a client beyond the server's capacity: before the upgrade, or by messages after it."""
        return UpgradeRefusal(503, '{"error": "full"}')

    def on_open(self) -> Sequence[ServerAction]:
        """Greets the client once the upgrade is done."""
        return ()

    @abstractmethod
    def on_message(self, message: Message) -> Iterable[ServerAction]:
        """Each action is carried out before the next one is asked for: a generator sees what came of it."""

    def on_segment(self) -> Sequence[ServerAction]:
        """The endpointer or a `Flush` has cut a segment: its text is owed from now on."""
        return ()

    @abstractmethod
    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        """The text of a segment is here. Texts come in the order of speech."""

    def on_flushed(self) -> Sequence[ServerAction]:
        """Every segment that was cut before the `Flush` or by it has its text."""
        return ()

    def on_failed(self) -> Sequence[ServerAction]:
        """The decoder died over a segment; its text never comes."""
        return (Close(1011, "internal error"),)

    def on_tick(self) -> Sequence[ServerAction]:
        """`tick_s` seconds have passed since the last call."""
        return ()

    def on_closed(self) -> None:  # noqa: B027 - most have nothing to do then
        """The connection has ended, in whatever way."""
