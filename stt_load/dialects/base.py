"""The contract between a session and a dialect. A dialect has no clock, no socket and no other dialect.

One dialect object serves one connection. It turns PCM into messages and messages into events; the session
decides when to send, how long to wait and when the utterance is complete.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import msgspec

from stt_load.carriers import WEBSOCKET, Carrier
from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.dialects.events import Event, Ignored, Message, Remark
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import is_blank, shown
from stt_load.errors import PlainWords

End = Literal["client", "server"]
"""Who ends an utterance: the client by a message when speech ends, or the server's endpointer in the silence."""


class Capabilities(msgspec.Struct, frozen=True, gc=False):
    """What the session must know about a server to treat it fairly.

    `sample_rate_hz`: what the server expects. `encoding`: how, in words for people.
    `frame_multiple_bytes`: frames of int16 that are no multiple of this lose samples on the server.
    `frame_ms`: shorter or longer messages are an error to the server.
    `has_ready`: wait for `Ready` before audio.
    `ends`: who may end an utterance, the default first.
    `counts_segments`: every `SegmentPending` is answered by one `Final`; the utterance is complete when all are.
    `min_endpoint_s`: the server doesn't end a segment at less silence than this. A segment queued sooner after the end
    of speech is an earlier part of the clip, and a clip with such a pause may be cut there.
    `max_segment_s`: the server ends a segment after so much audio, pause or not.
    `quiet_s`: when all audio was sent, nothing is owed, and no message with news came for so long, nothing more comes.
    `min_trailing_silence_s`: where the server ends the utterance, less silence after the clip and it may never
    answer. `trailing_silence_s`: what is sent where nothing else was asked for.
    `flush_silence_s`: where the client ends the utterance, silence that has to follow the end message, or the
    server never gets to the last words.
    `answers_end`: the end message is answered by the last text, by a word that nothing more comes, or by an orderly
    close: a quiet period is neither needed nor believed then. `unanswered_end`: what to try where texts came and that
    answer never did.
    `many_utterances`: one connection may carry several, one after the other.
    `turn_events`: by which events the server tells of turns. One of them ends a turn: `EndOfTurn`, `SegmentPending`, or
    `Final` (which is no end of its own where it answers a pending segment); `EagerEndOfTurn` and `TurnResumed` may be
    among them. Empty where its protocol, as it was asked for, has no endpointer that tells.
    """

    sample_rate_hz: int = 16_000
    encoding: str = "int16"
    frame_multiple_bytes: int = 2
    frame_ms: tuple[float, float] = (0.0, math.inf)
    has_ready: bool = False
    ends: tuple[End, ...] = ("server",)
    counts_segments: bool = False
    min_endpoint_s: float = 0.2
    max_segment_s: float = math.inf
    quiet_s: float = 2.0
    min_trailing_silence_s: float = 0.0
    trailing_silence_s: float = 1.0
    flush_silence_s: float = 0.0
    answers_end: bool = True
    unanswered_end: str = ""
    many_utterances: bool = False
    turn_events: tuple[type[msgspec.Struct], ...] = ()

    @property
    def frame_lengths(self) -> str:
        """The lengths that `frame_ms` allows, in words; empty where it allows any."""
        shortest_ms, longest_ms = self.frame_ms
        if math.isinf(longest_ms):
            return f"{shortest_ms:g} ms or more" if shortest_ms else ""
        return f"{shortest_ms:g} ms" if shortest_ms == longest_ms else f"{shortest_ms:g} to {longest_ms:g} ms"


MessageLength = Callable[[bytes], int | None]
"""How many bytes the first message in what has arrived takes, at least one; None where too little of it is here to tell
that. Raises ProtocolError."""


class Connect(msgspec.Struct, frozen=True, gc=False):
    """How to open the connection. `first_messages` are sent as soon as it is open; `last_messages` before it is closed,
    over `CALL_WEBSOCKET` alone. `message_length`: over a carrier without messages of its own, as TCP is."""

    url: str
    headers: Mapping[str, str] = {}
    subprotocols: Sequence[str] = ()
    first_messages: Sequence[Message] = ()
    last_messages: Sequence[Message] = ()
    message_length: MessageLength | None = None


class AudioLength(msgspec.Struct, frozen=True, gc=False):
    """The length of one utterance, all silence included."""

    frames: int
    samples: int

    def frames_for(self, samples: float) -> int:
        """How many of its frames hold so many samples, at least one: for servers that count frames."""
        return max(1, round(samples * self.frames / self.samples))


@dataclass(frozen=True, slots=True)
class Settings:
    """What a dialect is made with. `options`: the parsed value of every option that its class declares.

    `codec`: one of the dialect's `codecs`, in which audio is sent; None: as int16. Of the credentials a dialect sends
    the API key; own headers of the user are sent whatever the dialect sends.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    end: End = "server"
    credentials: Credentials = NO_CREDENTIALS
    codec: str | None = None

    @property
    def api_key(self) -> str | None:
        return self.credentials.api_key


TELEPHONE_RATE_HZ = 8_000
TELEPHONE_FRAME_MS = 20  # what every telephone system sends at a time

DEFAULTS = Settings()


class Dialect(ABC):
    """One server's protocol, for one connection. What most servers have in common is here; a dialect overrides the
    rest.

    `carrier`: what carries its messages. `options`: every `--dialect-option` it knows. `takes_key`: there are servers
    of this kind that want an API key. `codecs`: those of a telephone (`--codec`) that the server takes on the wire,
    with its word for each. `unconfirmed`: what it takes for true of the server and nobody has seen, one line each.
    """

    carrier: ClassVar[Carrier] = WEBSOCKET
    takes_key: ClassVar[bool] = False
    codecs: ClassVar[Mapping[str, str]] = MappingProxyType({})
    options: ClassVar[tuple[DialectOption, ...]] = ()
    unconfirmed: ClassVar[tuple[str, ...]] = ()
    audio_begun_s = 0.0
    """Seconds of audio of all utterances that began on this connection: servers count the times of words on. What a
    dialect sends beside them, it adds."""
    capabilities: Capabilities
    """May depend on options, as a sample rate does; then it is set in `__init__`."""

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        self.settings = settings
        defaults, given = _defaults(type(self)), settings.options
        # Those of a run are complete: all its connections share them.
        self.option = given if len(given) == len(defaults) else defaults | dict(given)

    def encoding(self, of_int16: str) -> str:
        """The server's word for what is sent to it. `of_int16`: where that is int16."""
        return of_int16 if self.settings.codec is None else self.codecs[self.settings.codec]

    def rate_hz(self, of_int16: int) -> int:
        """The rate of what is sent. `of_int16`: where that is int16."""
        return of_int16 if self.settings.codec is None else TELEPHONE_RATE_HZ

    def connect(self, url: str) -> Connect:
        """Where and how to dial. Credentials come from `settings`."""
        return Connect(url)

    def begin(self, length: AudioLength) -> Sequence[Message]:
        """A new utterance begins on this connection: forget the last one. What to send before its first frame."""
        return ()

    def encode(self, pcm: bytes) -> Sequence[Message]:
        """One frame of int16 LE mono PCM, or of the codec of its settings, as this server's message (or messages, if it
        wants several). Depends on nothing but the frame and the options: a frame is encoded once and sent by every
        caller."""
        return (pcm,)

    def encode_nth(self, n: int, pcm: bytes) -> Sequence[Message]:
        """Does what `encode` does, for a server that numbers what it receives: `n` frames of this utterance were sent
        before."""
        return self.encode(pcm)

    def finalise(self) -> Sequence[Message]:
        """Messages that tell the server that the speech has ended; empty where the protocol has none."""
        return ()

    def read(self, message: Message) -> Sequence[Event]:
        """What a message means, be it one that no protocol has: an empty one, plain words. Those don't end an
        utterance: what is right may follow, or the close that explains them. Raises ProtocolError for the rest."""
        if is_blank(message):
            return (Ignored("an empty message"),)
        try:
            return self.on_message(message)
        except PlainWords:
            return (Remark(shown(message)),)

    def read_between(self, arrived_s: float, message: Message) -> Sequence[Event]:
        """Does what `read` does with a message that came between two utterances: the server may say it again, or be
        owed an answer to it."""
        return self.read(message)

    @abstractmethod
    def on_message(self, message: Message) -> Sequence[Event]:
        """What the message means. Raises ProtocolError where the protocol doesn't allow it."""

    def on_end(self) -> Sequence[Event]:
        """All audio was sent, and the server has ended the connection in good order: what that says of the text."""
        return ()

    def join(self, finals: Sequence[str]) -> str:
        """The transcript from the texts of the `Final` events, in order of arrival."""
        return " ".join(text for text in finals if text)

    def lengths(self, finals: Sequence[str]) -> Sequence[int]:
        """How many characters of the transcript the first, the first two, … of these texts are. What overrides `join`
        overrides this, unless both come to the same: a server may end a turn behind each of ten thousand texts, so one
        `join` for each of them takes too long."""
        of_text = (len(text) for text in finals)
        return list(accumulate(of_text, lambda before, more: before + more + (1 if before and more else 0)))

    @staticmethod
    @abstractmethod
    def recognises(message: Message) -> bool:
        """True for a message that this server sends and hardly any other does. Never raises."""

    @staticmethod
    def recognises_refusal(said: str) -> bool:
        """True for what this server says, and hardly any other, when it doesn't open a connection. `said`: the status
        and its reason in one line."""
        return False


@functools.cache
def _defaults(kind: type[Dialect]) -> dict[str, Any]:
    """The default of every option, parsed once: a dialect is made for every connection."""
    return {option.key: option.parse(option.default) for option in kind.options}
