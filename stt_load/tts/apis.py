"""Every speech API that can be measured: one row each. What is sent, and which options there are, is decided here.

An option that nobody set is not sent, unless a default stands here, so that the server's own default holds. Sources:

tts-chatterbox   https://github.com/devnen/Chatterbox-TTS-Server, models.py and server.py: `stream` since May 2026,
                 older servers ignore it; ranges are not enforced there, so they are here.
tts-openai       https://platform.openai.com/docs/api-reference/audio/createSpeech, and what clones add to it.

Servers that take a text piece by piece, over a websocket, are in `tts/text_stream.py`.

Where these servers listen and how their voices are called is told in `tts/engines.py`, which makes clips with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.dialects.options import DialectOption, parse_dialect_options
from stt_load.option_values import HTTP_SCHEMES, number_from_to, one_of, or_none, parse_whole_number, parse_yes_or_no
from stt_load.tts.engines import ENGINES
from stt_load.tts.text_stream import TEXT_STREAM_APIS, TextStreamApi

Options = Mapping[str, Any]
"""The parsed value of each option that its API has; None where the server is to decide."""


@dataclass(frozen=True, slots=True)
class TtsApi:
    """One speech API.

    `body`: the JSON to be posted for a text.
    """

    name: str
    summary: str
    default_url: str
    options: tuple[DialectOption, ...]
    body: Callable[[str, Options], dict[str, Any]]
    unconfirmed: tuple[str, ...] = ()
    takes_key: bool = True

    @property
    def url_schemes(self) -> tuple[str, ...]:
        """What the server's URL may begin with."""
        return HTTP_SCHEMES

    def facts(self) -> dict[str, str]:
        """What `stt-load dialects NAME` says of it, by label."""
        return {"a connection": "carries one request"}

    def pace_of_text(self, tokens_per_s: float | None) -> None:
        """None: the text goes out whole. Raises ValueError where it is to be fed at a pace."""
        if tokens_per_s is not None:
            raise ValueError(f"{self.name} takes its text whole: leave it out")

    def parse_options(self, given: Sequence[str]) -> dict[str, Any]:
        """`KEY=VALUE` texts → Options. Raises ConfigError with every problem."""
        return parse_dialect_options(self.name, self.options, given)


def _seed(text: str) -> int:
    seed = parse_whole_number(text)
    if seed < 1:
        raise ValueError(f"{text!r} must be a whole number from 1: 0 is another voice each time")
    return seed


def _chatterbox_body(text: str, options: Options) -> dict[str, Any]:
    is_clone = options["voice_mode"] == "clone"
    renamed = {
        "text": text,
        "reference_audio_filename" if is_clone else "predefined_voice_id": options["voice"],
        "output_format": options["response_format"],
        "speed_factor": options["speed"],
    }
    same = {key: value for key, value in options.items() if key not in ("voice", "response_format", "speed")}
    return _without_none(renamed | same)


def _openai_body(text: str, options: Options) -> dict[str, Any]:
    return _without_none({"input": text, **options})


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


_CHATTERBOX = ENGINES["chatterbox"]
_OPENAI = ENGINES["openai"]
_OPENAI_FORMATS = ("wav", "pcm", "mp3", "opus", "flac", "aac")

TTS_APIS: dict[str, TtsApi | TextStreamApi] = {
    row.name: row
    for row in (
        TtsApi(
            "tts-chatterbox",
            "Chatterbox-TTS-Server, POST /tts: a text in, an audio file or a stream out",
            "http://localhost:8004/tts",
            (
                DialectOption(
                    "voice",
                    _CHATTERBOX.default_voice,
                    "a voice of the server, or with voice_mode=clone a reference file of it",
                    or_none(),
                ),
                DialectOption("voice_mode", "predefined", "predefined or clone", one_of("predefined", "clone")),
                DialectOption("response_format", "wav", "wav, opus or mp3", one_of("wav", "opus", "mp3")),
                DialectOption(
                    "stream", "true", "send audio piece by piece; servers before May 2026 ignore it", parse_yes_or_no
                ),
                DialectOption("seed", "1", "the same audio each time; never 0", _seed),
                DialectOption("split_text", "", "speak long texts in pieces", or_none(parse_yes_or_no)),
                DialectOption(
                    "chunk_size",
                    "",
                    "characters of a piece, 50 to 500",
                    or_none(number_from_to(50, 500, parse_whole_number)),
                ),
                DialectOption(
                    "speed",
                    "",
                    "0.25 to 4; the first request with another than 1 stalls for seconds",
                    or_none(number_from_to(0.25, 4)),
                ),
                DialectOption("temperature", "", "0 to 1.5", or_none(number_from_to(0, 1.5))),
                DialectOption("exaggeration", "", "0.25 to 2", or_none(number_from_to(0.25, 2))),
                DialectOption("cfg_weight", "", "0.2 to 1", or_none(number_from_to(0.2, 1))),
                DialectOption("language", "", "of the text, as the server calls it", or_none()),
            ),
            _chatterbox_body,
        ),
        TtsApi(
            "tts-openai",
            "OpenAI's POST /v1/audio/speech and its likes: a text in, an audio file, a stream or events out",
            "http://localhost:8000/v1/audio/speech",
            (
                DialectOption("model", _OPENAI.default_model or "", "the server's name of the model", or_none()),
                DialectOption("voice", _OPENAI.default_voice, "the server's name of the voice", or_none()),
                DialectOption(
                    "response_format",
                    "wav",
                    f"{', '.join(_OPENAI_FORMATS)}; how long aac is can't be told",
                    one_of(*_OPENAI_FORMATS),
                ),
                DialectOption(
                    "stream_format", "", "audio or sse; clones commonly ignore it", or_none(one_of("audio", "sse"))
                ),
                DialectOption("stream", "", "an addition of some clones", or_none(parse_yes_or_no)),
                DialectOption("speed", "", "0.25 to 4", or_none(number_from_to(0.25, 4))),
                DialectOption("seed", "", "an addition of some clones; never 0", or_none(_seed)),
                DialectOption("instructions", "", "how to speak", or_none()),
            ),
            _openai_body,
            unconfirmed=("Audio in events (stream_format=sse) is as the API reference has it.",),
        ),
        *TEXT_STREAM_APIS,
    )
}
