"""What a server's message means, whichever server it came from. All frozen; none knows the time.

A server tells its text in one of two ways. `Final`s add up: each is the text of a segment and won't change. A
`CumulativeTranscript` is all text so far as the server has it now, and the next one replaces it. A dialect uses one way
or the other.

Structs rather than dataclasses: some are made for every message of every caller, in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from stt_load.errors import Refusal

Message = bytes | str
"""One message, as a websocket has them: bytes is a binary message, str a text message."""

HALF_CLOSE: Message = "half-close"
"""What a dialect sends over gRPC, whose messages are bytes, when it has nothing more to send: no message, but the end
of them."""


class Ready(msgspec.Struct, frozen=True, gc=False):
    """The server is ready for audio (only protocols with a ready message send it)."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """These messages have to be sent to the server at once."""

    messages: tuple[Message, ...]


class SegmentPending(msgspec.Struct, frozen=True, gc=False):
    """The server has cut a segment of speech and owes a `Final` for it."""


class ServerWord(msgspec.Struct, frozen=True, gc=False):
    """A word (or several, as a segment has them) with its times as the server tells them: seconds of the audio that
    this connection has carried. `end_s` is None where only the start is told."""

    text: str
    start_s: float
    end_s: float | None = None


class Partial(msgspec.Struct, frozen=True, gc=False):
    """Text that may still change, in place of the `Partial` before, or, `is_delta`, behind it. It says nothing of what
    was final before. `words`: their times, where the server tells them; the last one is enough."""

    text: str
    words: Sequence[ServerWord] = ()
    is_delta: bool = False


class Final(msgspec.Struct, frozen=True, gc=False):
    """Text that won't change. `is_last`: the protocol says that nothing follows for this utterance. `words`: those of
    this text with their times, where the server tells them."""

    text: str
    is_last: bool = False
    server_ms: Mapping[str, float] = {}
    words: Sequence[ServerWord] = ()


class CumulativeTranscript(msgspec.Struct, frozen=True, gc=False):
    """All text so far, which replaces all that was told before. `is_last`, `words` as in `Final`; all words so far, or
    none where the times that were told before still hold."""

    text: str
    is_last: bool = False
    server_ms: Mapping[str, float] = {}
    words: Sequence[ServerWord] = ()


class EndOfTurn(msgspec.Struct, frozen=True, gc=False):
    """The server's endpointer heard the end of a turn; the turn's text has been told. It may have cut mid-clip."""


class EagerEndOfTurn(msgspec.Struct, frozen=True, gc=False):
    """The server's endpointer takes a turn for ended before it is sure, so that an answer can be prepared. Either
    `EndOfTurn` follows or `TurnResumed`."""


class TurnResumed(msgspec.Struct, frozen=True, gc=False):
    """The turn of the latest `EagerEndOfTurn` goes on: the caller still speaks."""


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The protocol says, without text, that the utterance is over."""


class StillProcessing(msgspec.Struct, frozen=True, gc=False):
    """The server is still working on what was sent to it: it may say nothing for a while, but it isn't done."""


class Gauge(msgspec.Struct, frozen=True, gc=False):
    """Figures that the server tells about itself: lag, queue, timings, under the server's own names."""

    server_ms: Mapping[str, float]


class ServerError(msgspec.Struct, frozen=True, gc=False):
    """The server says that it failed, or, with `refusal`, that it would not take this caller."""

    message: str
    refusal: Refusal | None = None


class Remark(msgspec.Struct, frozen=True, gc=False):
    """The server says something that changes nothing by itself: an error that the utterance may get over, plain words
    where the protocol has none. It is told with the error of an utterance that comes to no good end."""

    text: str


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A message that changes nothing; kept so that `probe` can show it."""

    why: str


class SpeechFormat(msgspec.Struct, frozen=True, gc=False):
    """The server says how the audio that follows is made: int16 samples of all channels in turn."""

    rate_hz: int
    channels: int = 1


class SpeechAudio(msgspec.Struct, frozen=True, gc=False):
    """Audio that the server speaks. `answer`: the answer that it is a part of, where a server names its answers."""

    data: bytes
    answer: str = ""


class SilentAudio(msgspec.Struct, frozen=True, gc=False):
    """Audio that the server sends and in which nothing sounds, over a line that tells no more than that: a pause, or
    silence for comfort."""

    data: bytes


class PlaybackMark(msgspec.Struct, frozen=True, gc=False):
    """The server wants to be told when all audio that it sent before was played."""

    name: str


class PlaybackCleared(msgspec.Struct, frozen=True, gc=False):
    """The server takes back what it sent and was not played yet."""


class HungUp(msgspec.Struct, frozen=True, gc=False):
    """The server ends the call in good order."""


class AnswerBegins(msgspec.Struct, frozen=True, gc=False):
    """The server has begun to make an answer in speech; `answer` is its name."""

    answer: str


class AnswerEnded(msgspec.Struct, frozen=True, gc=False):
    """The server sends no more of an answer: it is whole, or was cancelled. `error`: why it failed; empty where it did
    not."""

    answer: str
    error: str = ""


class CallerHeard(msgspec.Struct, frozen=True, gc=False):
    """The server has heard the caller begin to speak."""


Event = (
    Ready
    | Reply
    | SegmentPending
    | Partial
    | Final
    | CumulativeTranscript
    | EndOfTurn
    | EagerEndOfTurn
    | TurnResumed
    | Finished
    | StillProcessing
    | Gauge
    | ServerError
    | Remark
    | Ignored
    | SpeechFormat
    | SpeechAudio
    | SilentAudio
    | PlaybackMark
    | PlaybackCleared
    | HungUp
    | AnswerBegins
    | AnswerEnded
    | CallerHeard
)

NEUTRAL_EVENTS = (Ignored, Remark, Gauge, Reply)
"""Events without news of the transcript: a quiet period goes on through them."""
