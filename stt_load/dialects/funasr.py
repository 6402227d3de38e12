"""FunASR's 2-pass websocket: binary int16 PCM in, quick texts and one offline text a VAD segment out.

Server: modelscope/FunASR at 3c58cb5 (2026-08-21), `runtime/python/websocket/funasr_wss_server.py` and
`runtime/websocket/bin/websocket-server-2pass.cpp` (the Docker images); `runtime/docs/websocket_protocol.md`. Port
10095, TLS with a certificate of its own unless told otherwise: `wss://` and `--insecure`. No credentials. The Python
server was spoken to with its models replaced: this one, v1.3.20, and that of 2024-09-25 (d20c030).

What a client must know:

- The Python server offers the subprotocol `binary`, and under a newer websockets it answers 400 to a client that offers
  none. The C++ server chooses none, whatever is offered.
- The first message is the config. Without `chunk_size` every frame is dropped.
- It takes `60 * chunk_size[1]` ms at a time for a quick text, and counts `chunk_interval` frames for that: here the
  interval is what makes that much of the frames that are sent, as in its own client.
- `2pass-online` texts are bits to append, `2pass-offline` ones replace them: one for each segment that its VAD cut
  (0.8 s of silence, or 60 s), the last one empty where silence came last. In mode `online` the bits are all there is,
  and joined with blanks they break words that were cut; the C++ server calls them `2pass-online` there too.
- How the end is told (`server`). python (v1.4 and later): `"is_end": true` in the end message is acknowledged by a
  message with `is_end`, and with `error` where something failed; `is_final` is true of every offline text. cpp: the
  last message alone has `is_final`, perhaps with an empty text and then without `mode`. old: nobody tells. Python of
  v1.3 needs another frame behind the end message and says `is_final` of every offline text; before that it was false
  exactly in the last one. A quiet period has to do, and a server that falls behind by more loses its last words.
- `{"is_speaking": false, "is_end": true}` and an empty frame behind it end the stream on all of them.
- After the end, frames without a new config are answered with empty texts or bits of text, and an error of the empty
  frame would show in the next acknowledgement: one utterance a connection, as its own clients do.
- Broken JSON is ignored by Python; the C++ server never listens to that connection again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from msgspec import structs

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import EndOfTurn, Event, Final, Finished, Message, ServerError
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import parse_object, partial, text_of, try_object, unknown
from stt_load.option_values import one_of, or_none, parse_yes_or_no

RATE_HZ = 16_000
UNIT_SAMPLES = 960  # chunk_size counts 60 ms: the stride of Paraformer's encoder
KEYS_OF_CPP = frozenset({"slice_type", "stamp_sents"})
UNANSWERED_END = "FunASR before 1.4 never answers it, the C++ server otherwise: --dialect-option server=old or cpp"
QUIET_S = 5.0  # without an acknowledgement: the more, the later a server may be that is still understood


def chunk_sizes(text: str) -> list[int]:
    """Parses look-back, chunk and look-ahead of the streaming model."""
    sizes = text.split(",")
    if len(sizes) != 3 or not all(size.strip().isdecimal() for size in sizes) or int(sizes[1]) == 0:
        raise ValueError(f"{text!r}: write three whole numbers like 5,10,5")
    return [int(size) for size in sizes]


class FunAsr(Dialect):
    """One connection to a FunASR 2-pass server."""

    options = (
        DialectOption(
            "mode",
            "2pass",
            "2pass: quick texts, then an offline one a segment; offline: only those; online: only the quick ones",
            one_of("2pass", "offline", "online"),
        ),
        DialectOption(
            "server",
            "python",
            "how the end is told: python (v1.4 or later), cpp (the Docker images), old (Python before v1.4)",
            one_of("python", "cpp", "old"),
        ),
        DialectOption(
            "chunk_size", "5,10,5", "look-back, chunk and look-ahead of the quick texts, in 60 ms", chunk_sizes
        ),
        DialectOption("hotwords", "", 'words to listen for: word,word, or {"word": 20} for the C++ server'),
        DialectOption("itn", "true", "numbers in figures", parse_yes_or_no),
        DialectOption("svs_lang", "", "language of SenseVoice behind the C++ server: auto, zh, en, …", or_none()),
    )
    unconfirmed = (
        "the C++ server was read, never run: that is_final is in its last message alone, and mode may be missing there",
        "0.8 s of silence before its VAD cuts is the default of fsmn-vad",
        "the real VAD model was never given the empty frame behind the end message",
    )
    capabilities = Capabilities(
        ends=("client", "server"),
        min_endpoint_s=0.8,
        max_segment_s=60.0,
        min_trailing_silence_s=1.0,
        trailing_silence_s=1.5,
        turn_events=(Final,),
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        if self.option["server"] == "old":
            self.capabilities = structs.replace(self.capabilities, answers_end=False, quiet_s=QUIET_S)
        elif self.option["server"] == "python":
            self.capabilities = structs.replace(self.capabilities, unanswered_end=UNANSWERED_END)
        if self.option["mode"] == "online":  # which has no texts of segments
            self.capabilities = structs.replace(self.capabilities, turn_events=())

    def connect(self, url: str) -> Connect:
        return Connect(url, subprotocols=("binary",))

    def begin(self, length: AudioLength) -> Sequence[Message]:
        sizes = self.option["chunk_size"]
        config = {
            "mode": self.option["mode"],
            "chunk_size": sizes,
            "chunk_interval": length.frames_for(sizes[1] * UNIT_SAMPLES),
            "encoder_chunk_look_back": 4,  # as its client has them
            "decoder_chunk_look_back": 0,
            "audio_fs": RATE_HZ,
            "wav_name": "stt-load",
            "wav_format": "pcm",
            "is_speaking": True,
            "hotwords": self.option["hotwords"],
            "itn": self.option["itn"],
        }
        if self.option["svs_lang"] is not None:
            config["svs_lang"] = self.option["svs_lang"]
        return (json.dumps(config, ensure_ascii=False),)

    def finalise(self) -> Sequence[Message]:
        return (json.dumps({"is_speaking": False, "is_end": True}), b"")

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        if "error" in body:
            return (ServerError(str(body["error"])),)
        if body.get("is_end") is True:
            return (Finished(),)
        if "text" not in body:
            return (unknown(body),)
        is_last = self._is_last(body)
        if self.option["mode"] != "online" and body.get("mode", "offline") not in ("offline", "2pass-offline"):
            said = body["text"] if isinstance(body["text"], str) else ""
            interim = partial(said if said.strip() else "", is_delta=True)
            return (*interim, Finished()) if is_last else interim
        text = text_of(body, "text")
        if self.option["mode"] == "online":
            return (Final(text, is_last),)
        if self.settings.end == "server":
            return (Final(text, is_last), EndOfTurn())
        return (Final(text, is_last),)

    def _is_last(self, body: Mapping[str, object]) -> bool:
        is_cpp = self.option["server"] == "cpp" or "mode" not in body or not KEYS_OF_CPP.isdisjoint(body)
        return is_cpp and body.get("is_final") is True

    @staticmethod
    def recognises(message: Message) -> bool:
        return {"wav_name", "is_final"} <= try_object(message).keys()

    @staticmethod
    def recognises_refusal(said: str) -> bool:
        """It takes none but the subprotocol `binary`; this is how the library `websockets` words that."""
        return "missing subprotocol" in said
