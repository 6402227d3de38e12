"""Every upload API: one row each. `--dialect` takes their names beside those of the dialects.

An option is a field of the form under its own name; one that nobody set is not sent, so that the server's own default
holds, unless a default stands here. Sources:

upload-openai        OpenAI's API reference, "Create transcription", and the servers that copy it: vLLM, speaches,
                     WhisperLive with --enable_rest. It streams where it is asked to, in one of three shapes (`sse.py`).
upload-tingwu…       skygazer42/TingWu at 0e69172 (2026-02-20), `src/api/routes/transcribe.py`, `async_transcribe.py`.
                     Strictly serial: k uploads at once take k times as long, and /health waits behind them.
upload-parakeet      Shadowfita/parakeet-tdt-0.6b-v2-fastapi at 31c5652 (2026-01-09), `parakeet_service/routes.py`:
                     with `should_chunk` at its own default it answers 500. The fork by mulkeym at 0c7aad3 takes a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.dialects.options import DialectOption, parse_dialect_options
from stt_load.option_values import HTTP_SCHEMES, one_of, or_none, parse_number, parse_phrases, parse_yes_or_no

SAMPLE_RATE_HZ = 16_000  # of the WAV file; what all of these servers resample to


@dataclass(frozen=True, slots=True)
class UploadApi:
    """One upload API.

    `key_headers`: how the API key travels; None where there is none. `unconfirmed`: taken for true, never seen.
    """

    name: str
    summary: str
    default_url: str
    options: tuple[DialectOption, ...] = ()
    key_headers: Callable[[str], Mapping[str, str]] | None = None
    unconfirmed: tuple[str, ...] = ()

    @property
    def url_schemes(self) -> tuple[str, ...]:
        """What the server's URL may begin with."""
        return HTTP_SCHEMES

    @property
    def takes_key(self) -> bool:
        return self.key_headers is not None

    def facts(self) -> dict[str, str]:
        """What `stt-load dialects NAME` says of it, by label."""
        return {
            "audio": f"a WAV file, int16 mono, {SAMPLE_RATE_HZ} Hz",
            "a connection": "carries one request",
        }

    def parse_options(self, given: Sequence[str]) -> dict[str, Any]:
        """`KEY=VALUE` texts → the fields of the form. Raises ConfigError with every problem."""
        return parse_dialect_options(self.name, self.options, given)

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        return self.key_headers(api_key) if api_key and self.key_headers else {}


def _bearer(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _x_api_key(key: str) -> Mapping[str, str]:
    return {"x-api-key": key}


_OPENAI_OPTIONS = (
    DialectOption("model", "whisper-1", "the server's name of the model"),
    DialectOption("response_format", "json", "json, verbose_json or text", one_of("json", "verbose_json", "text")),
    DialectOption("stream", "false", "answer as server-sent events while it recognises", parse_yes_or_no),
    DialectOption("language", "", "ISO 639-1 code, as en", or_none()),
    DialectOption("prompt", "", "text that leads up to the speech", or_none()),
    DialectOption("temperature", "", "of sampling, 0 to 1", or_none(parse_number)),
    DialectOption("timestamp_granularities[]", "", "with verbose_json: word, segment or both", parse_phrases),
)
_TINGWU_OPTIONS = (
    DialectOption("with_speaker", "false", "tell speakers apart", parse_yes_or_no),
    DialectOption(
        "apply_hotword", "", "correct by the server's hotwords; the server's default is true", or_none(parse_yes_or_no)
    ),
)
_TINGWU_LLM_OPTIONS = (
    DialectOption("apply_llm", "", "polish by a language model", or_none(parse_yes_or_no)),
    DialectOption("llm_role", "", "what the language model is to do", or_none()),
)

UPLOAD_APIS: dict[str, UploadApi] = {
    row.name: row
    for row in (
        UploadApi(
            "upload-openai",
            "OpenAI's transcriptions and its likes: one file in, JSON, text or server-sent events out",
            "http://localhost:8000/v1/audio/transcriptions",
            _OPENAI_OPTIONS,
            _bearer,
        ),
        UploadApi(
            "upload-tingwu",
            "TingWu /transcribe: one file in, text and sentences out, one file after the other",
            "http://localhost:8000/api/v1/transcribe",
            (
                *_TINGWU_OPTIONS,
                *_TINGWU_LLM_OPTIONS,
                DialectOption("hotwords", "", "more hotwords, blanks between them", or_none()),
                DialectOption("asr_options", "", "a JSON object; a bad one is answered 400", or_none()),
            ),
            unconfirmed=("Timings in the answer (`meta.timings_ms`, `timings_ms`) are passed on where they come.",),
        ),
        UploadApi(
            "upload-tingwu-asr",
            "TingWu /asr: the shape of the Whisper ASR web service",
            "http://localhost:8000/api/v1/asr",
            (*_TINGWU_OPTIONS, DialectOption("file_type", "", "audio or video", or_none(one_of("audio", "video")))),
        ),
        UploadApi(
            "upload-tingwu-video",
            "TingWu /trans/video: a file whose sound is taken out first; clips are sent as WAV, which it reads too",
            "http://localhost:8000/api/v1/trans/video",
            (*_TINGWU_OPTIONS, *_TINGWU_LLM_OPTIONS),
            unconfirmed=("That a WAV file costs this server what a video of the same length would.",),
        ),
        UploadApi(
            "upload-parakeet",
            "Parakeet FastAPI /transcribe: one file in, one text out",
            "http://localhost:8000/transcribe",
            (
                DialectOption(
                    "should_chunk", "false", "cut long audio; the original answers 500 to true", parse_yes_or_no
                ),
                DialectOption("include_timestamps", "", "offsets of words and segments", or_none(parse_yes_or_no)),
            ),
            _x_api_key,
        ),
    )
}
