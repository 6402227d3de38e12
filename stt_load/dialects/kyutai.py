"""Kyutai's moshi-server: msgpack both ways, 24 kHz floats in, words out as the model hears them.

Server: kyutai-labs/moshi at e6a55d2 (2026-05-16), `rust/moshi-server/src/{asr,batched_asr,py_basr_module}.rs`, at
`/api/asr-streaming`; clients in delayed-streams-modeling at f6074cb (`scripts/stt_from_file_rust_server.py`) and unmute
(`unmute/stt/speech_to_text.py`). The server refuses whoever shows none of its `authorized_ids` with 401: as it comes,
the key is `public_token`.

What a client must know:

- The model steps through 1,920 samples (80 ms) of each caller, one queued message a step: shorter messages pile up.
- Words come `delay` behind the audio, so only if silence follows: 0.48 s for the 1B, 2.56 s for the 2.6B. Unmute sends
  it in one burst, which the server steps through faster than time passes; a microphone can't.
- A `Word` is final. They are told here as the transcript so far, since a word alone can't be judged.
- A `Marker` comes back after so many steps of the server, whoever they were for: with several callers before the last
  words. What does tell the end is that there is one `Step` for each step of this caller's own audio: the transcript
  is complete with the last one. Only models with extra heads send Steps (the 1B does, the 2.6B does not), and the
  server's Python module sends everybody's to everybody: `steps=false` leaves it to a quiet period.
- No free slot: msgpack `Error` after an upgrade that went well.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

import msgpack

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import (
    CumulativeTranscript,
    Event,
    Finished,
    Gauge,
    Ignored,
    Message,
    Ready,
    ServerError,
    ServerWord,
    StillProcessing,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import as_float32, numbers, shown, text_of, timed_words
from stt_load.errors import PlainWords, ProtocolError, Refusal
from stt_load.option_values import one_of, parse_seconds, parse_yes_or_no

SAMPLE_RATE_HZ = 24_000
STEP_SAMPLES = 1_920
STEP_S = STEP_SAMPLES / SAMPLE_RATE_HZ
NO_SLOT = "no free channels"
MESSAGE_TYPES = ("Ready", "Step", "Word", "EndWord", "Marker", "Error")
# A word is told when the pad token behind it shows that it has ended; and words follow the Step that they came of, so
# those of the very last one are not waited for.
_AFTER_DELAY_S = 0.5
_STALL_S = 10.0  # between two Steps: a server that stops for longer has not counted them as is thought here


class Kyutai(Dialect):
    """One slot of a server."""

    takes_key = True
    options = (
        DialectOption("delay", "0.5", "s that words come behind the audio: 2.56 for the 2.6B model", parse_seconds),
        DialectOption(
            "leading_silence", "0", "s of it, at once, before anything else: 1 for the 2.6B model", parse_seconds
        ),
        DialectOption("flush", "paced", "the silence after the end: paced, or in one burst", one_of("paced", "burst")),
        DialectOption("steps", "true", "Steps tell the end: false for the 2.6B and the Python module", parse_yes_or_no),
    )
    unconfirmed = (
        "read in the server's code and its clients, not run: no model was loaded",
        "one Step for every 80 ms of one's own audio, from the first; unmute's client counts on it too",
        f"{_AFTER_DELAY_S:g} s of silence beyond the delay are enough for the last word",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self._flush_s = self.option["delay"] + _AFTER_DELAY_S
        self.capabilities = Capabilities(
            sample_rate_hz=SAMPLE_RATE_HZ,
            encoding="float32 in msgpack",
            frame_multiple_bytes=2 * STEP_SAMPLES,
            has_ready=True,
            ends=("client", "server"),
            min_endpoint_s=math.inf,
            quiet_s=_STALL_S if self.option["steps"] else 3.0,
            min_trailing_silence_s=self._flush_s,
            trailing_silence_s=self._flush_s,
            flush_silence_s=self._flush_s if self.option["flush"] == "paced" else 0.0,
            answers_end=False,
            many_utterances=True,
        )
        self._words: list[str] = []
        self._timed: list[ServerWord] = []
        self._utterances = 0
        self._steps = 0
        self._steps_due = 0  # for all audio of the connection, the utterance being said included

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        return Connect(url, headers={"kyutai-api-key": key} if key else {})

    def begin(self, length: AudioLength) -> Sequence[Message]:
        lead = silence(self.option["leading_silence"]) if self._utterances == 0 else []
        self._words, self._timed = [], []
        self._utterances += 1
        self._steps_due += length.samples // STEP_SAMPLES + len(lead)
        self.audio_begun_s += len(lead) * STEP_S
        return lead

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (audio(pcm),)

    def finalise(self) -> Sequence[Message]:
        burst = silence(self._flush_s) if self.option["flush"] == "burst" else []
        self._steps_due += len(burst)
        self.audio_begun_s += len(burst) * STEP_S
        return (pack({"type": "Marker", "id": self._utterances}), *burst)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = unpack(message)
        match body.get("type"):
            case "Step":
                return self._on_step(body)
            case "Word":
                self._words.append(text_of(body, "text"))
                self._timed += timed_words([body], "text", "start_time", "stop_time")
                return (CumulativeTranscript(self.join(self._words), words=tuple(self._timed)),)
            case "Ready":
                return (Ready(),)
            case "EndWord" | "Marker" as kind:
                return (Ignored(f"{kind} {body.get('stop_time', body.get('id'))}"),)
            case "Error":
                why = text_of(body, "message")
                return (ServerError(why, Refusal.CAPACITY if why == NO_SLOT else None),)
        return (Ignored(f"unknown message with {', '.join(sorted(body)) or 'no keys'}"),)

    @staticmethod
    def recognises(message: Message) -> bool:
        try:
            return unpack(message).get("type") in MESSAGE_TYPES
        except ProtocolError:
            return False

    def _on_step(self, body: Mapping[str, object]) -> Sequence[Event]:
        """The model has heard 80 ms more of this caller."""
        self._steps += 1
        behind = numbers(body).get("buffered_pcm")  # samples that came in and wait for their step
        gauge = Gauge({} if behind is None else {"buffered_pcm": 1_000 * behind / SAMPLE_RATE_HZ})
        if not self.option["steps"]:
            return (gauge,)
        return (gauge, Finished() if 0 < self._steps_due <= self._steps else StillProcessing())


def audio(pcm: bytes) -> bytes:
    """The packed message of one step: 9.6 KB, five times what came in."""
    import numpy as np

    return pack({"type": "Audio", "pcm": np.frombuffer(as_float32(pcm), "<f4").tolist()})


@functools.cache
def silent_step() -> bytes:
    return audio(bytes(2 * STEP_SAMPLES))


def silence(seconds: float) -> list[Message]:
    """Silence in whole steps, one message each."""
    return [silent_step()] * math.ceil(seconds / STEP_S)


def pack(body: Mapping[str, object]) -> bytes:
    packed: bytes = msgpack.packb(body, use_single_float=True)
    return packed


def unpack(message: Message) -> dict[str, object]:
    """A msgpack map. Raises ProtocolError, one line, for anything else."""
    if isinstance(message, str):
        raise PlainWords(f"text where msgpack is spoken: {shown(message)}")
    try:
        body = msgpack.unpackb(message)
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolError(f"not msgpack: {shown(message)}") from error
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        raise ProtocolError(f"not a msgpack map: {shown(message)}")
    return body
