"""The contract between a session and a dialect. A dialect has no clock, no socket and no other dialect.

One dialect object serves one connection. It turns PCM into messages and messages into events; the session
decides when to send, how long to wait and when the utterance is complete.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from stt_load.dialects.events import Event

Message = bytes | str
"""One websocket message: bytes is a binary message, str a text message."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the session must know of a server to play it fairly.

    `sample_rate_hz`: what the server expects.
    `frame_multiple_bytes`: frames that are no multiple of this lose samples on the server.
    `has_ready`: wait for `Ready` before audio.
    `ends`: who may end an utterance, the default first.
    `counts_pieces`: every `PieceQueued` is answered by one `Final`; the utterance is complete when all are.
    `min_endpoint_s`: the server doesn't cut at less silence than this: a piece queued sooner after the end of
    speech is a part of the clip, and a clip with such a pause may be cut there.
    `max_piece_s`: it cuts after so much audio, pause or not.
    `quiet_s`: with nothing owed and no message that says anything for so long after all audio was sent, nothing
    more comes.
    `min_trailing_silence_s`: less silence after the clip and the server may never answer.
    """

    sample_rate_hz: int = 16_000
    frame_multiple_bytes: int = 2
    has_ready: bool = False
    ends: tuple[Literal["client", "server"], ...] = ("server",)
    counts_pieces: bool = False
    min_endpoint_s: float = 0.2
    max_piece_s: float = math.inf
    quiet_s: float = 2.0
    min_trailing_silence_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Connect:
    """How to open the connection. `first_messages` are sent as soon as it is open."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocols: Sequence[str] = ()
    first_messages: Sequence[Message] = ()


class Dialect(Protocol):
    """One server's protocol, for one connection."""

    capabilities: Capabilities

    def connect(self, url: str) -> Connect:
        """Where and how to dial. Credentials come from the options the dialect was made with."""
        ...

    def encode(self, pcm: bytes) -> Message:
        """One frame of int16 LE mono PCM as this server's message. Depends on nothing but `pcm`."""
        ...

    def finalise(self) -> Sequence[Message]:
        """Messages that tell the server that the audio has ended; empty where the protocol has none."""
        ...

    def on_message(self, message: Message) -> Sequence[Event]:
        """What the message means. Raises ProtocolError where the protocol doesn't allow it."""
        ...

    def join(self, finals: Sequence[str]) -> str:
        """The transcript from the texts of the `Final` events, in order of arrival."""
        ...
