"""sherpa-onnx, streaming: binary float32 PCM in, the text of the present segment out after every decoding step.

Servers: k2-fsa/sherpa-onnx at 634265c (2026-08-08), read, and Python's run with its model replaced. Two servers speak
this, told apart by what they say:

    Python, python-api-examples/streaming_server.py          {"text", "segment"} …            then it closes
    C++, sherpa-onnx/csrc/online-websocket-server-impl.cc    {"text", …, "is_final", "is_eof"} … then bare Done!

Their own client is `online-websocket-client-decode-file.py`. Port 6006, any path; the text `Done` ends the stream.

What a client must know:

- The audio is float32 at the model's rate, 16,000 Hz as a rule, and nothing says so: int16 is decoded as noise.
- A text holds all of its segment and the next one replaces it; segments add up. An endpoint (1.2 s of silence after
  words, 20 s of speech) begins the next segment. In C++ it is `is_final`; in Python it shows in the next message.
- After `Done` both add silence of their own (0.3 s in Python, 0.8 s in C++) and decode it: part of the latency.
- Python closes after the last text. C++ marks it `is_eof`, sends `Done!`, which is no JSON, and waits to be left.
- A full Python server answers 503 or, with newer versions of `websockets`, ends TCP without any HTTP answer.
- Python: send nothing after `Done`, it delays the close; any other text, or half a sample, is a close with 1011.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Dialect, Settings
from stt_load.dialects.events import CumulativeTranscript, EndOfTurn, Event, Finished, Ignored, Message, ServerWord
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import as_float32, is_plausible, parse_object, text_of, try_object, unknown
from stt_load.errors import ProtocolError
from stt_load.option_values import parse_rate_hz

DONE = "Done"
DONE_ANSWERED = "Done!"
_KEYS_OF_BOTH = {"text", "segment"}
_KEYS_OF_CPP = {"is_final", "is_eof", "tokens"}
_WORD_BEGINS = "\u2581"  # where a model's tokens keep it


class SherpaOnnx(Dialect):
    """One connection to a streaming server, Python or C++."""

    options = (DialectOption("sample_rate", "16000", "Hz, of the server's model (its --sample-rate)", parse_rate_hz),)
    unconfirmed = (
        "the C++ server was read, not run: is_final at an endpoint, is_eof on the last text, then Done!",
        "the timestamps of tokens count from the start_time of their segment",
        "endpointing can be turned off (--use-endpoint=0): then only --end client ends an utterance",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = Capabilities(
            sample_rate_hz=self.option["sample_rate"],
            encoding="float32",
            ends=("client", "server"),
            min_endpoint_s=1.2,
            quiet_s=5.0,
            max_segment_s=20.0,
            min_trailing_silence_s=1.2,
            trailing_silence_s=2.5,
            many_utterances=settings.end == "server",
            turn_events=(EndOfTurn,),
        )
        self._segments: dict[int, str] = {}
        self._timed: dict[int, Sequence[ServerWord]] = {}

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._segments.clear()
        self._timed.clear()
        return ()

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (as_float32(pcm),)

    def finalise(self) -> Sequence[Message]:
        return (DONE,)

    def on_message(self, message: Message) -> Sequence[Event]:
        if message == DONE_ANSWERED:
            return (Finished(),)
        body = parse_object(message)
        if not body.keys() >= _KEYS_OF_BOTH:
            return (unknown(body),)
        if not (isinstance(body["text"], str) or body.get("is_final") is True or body.get("is_eof") is True):
            return (Ignored("a step without text"),)
        text, segment = text_of(body, "text"), body["segment"]
        if not isinstance(segment, int):
            raise ProtocolError(f"segment is not a number: {segment!r:.80}")
        is_turn_over = self._is_turn_over(body, text, segment)
        self._segments[segment] = text
        whole = self.join([text for _, text in sorted(self._segments.items())])
        if timed := _timed(body):
            self._timed[segment] = timed
        words = tuple(word for _, timed in sorted(self._timed.items()) for word in timed)
        told = CumulativeTranscript(whole, is_last=body.get("is_eof") is True, words=words)
        return (told, EndOfTurn()) if is_turn_over and not told.is_last else (told,)

    def _is_turn_over(self, body: Mapping[str, object], text: str, segment: int) -> bool:
        """C++ marks an endpoint; in Python the first message of the segment behind it shows it. Silence ends
        segments too, but no turns."""
        if "is_final" in body:
            return body["is_final"] is True and bool(text)
        return segment not in self._segments and bool(self._segments.get(segment - 1))

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        return message == DONE_ANSWERED or body.keys() == _KEYS_OF_BOTH or body.keys() >= _KEYS_OF_BOTH | _KEYS_OF_CPP


def _timed(body: Mapping[str, object]) -> Sequence[ServerWord]:
    """The words of a segment with their starts, in C++: `tokens` are pieces of words, of which the first of each begins
    with a blank, and `timestamps` their seconds behind the segment's `start_time`."""
    tokens, times, start_s = body.get("tokens"), body.get("timestamps"), body.get("start_time")
    if not isinstance(tokens, list) or not isinstance(times, list) or not isinstance(start_s, (int, float)):
        return ()
    words: list[tuple[str, float]] = []
    for token, at_s in zip(tokens, times, strict=False):
        if not isinstance(token, str) or not is_plausible(at_s):
            return ()
        if words and token[:1] not in (" ", _WORD_BEGINS):
            words[-1] = words[-1][0] + token, words[-1][1]
        else:
            words.append((token.strip(f" {_WORD_BEGINS}"), start_s + at_s))
    return [ServerWord(text, at_s) for text, at_s in words]
