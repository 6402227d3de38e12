"""Text to speech by a server over HTTP, and the table of every engine that clips can come from.

One request at a time: Chatterbox blocks its event loop while it speaks, so requests side by side only wait
for each other. What a server sent is kept by `library.py`, so it is asked once for each text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests

from stt_load.audio.codec import decode
from stt_load.errors import ClipError, ConfigError

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 120.0  # silence on the wire; Chatterbox sends nothing before the whole file is spoken
TOTAL_TIMEOUT_S = 300.0  # for one text
LARGEST_BODY_BYTES = 64 * 1024 * 1024  # about 20 minutes at 24 kHz
TRIES = 3
BACKOFF_S = 1.0  # before the second try; doubled before each further one

# Chatterbox reads 0 as "another voice each time".
_SEED = 1


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: everything besides the text that decides how a clip sounds. `url` is None for espeak."""

    engine: str
    url: str | None
    voice: str
    model: str | None = None

    def as_source(self) -> dict[str, str]:
        """For the manifest: keys with something to say, and no user name or password out of the URL."""
        said = {"engine": self.engine, "voice": self.voice, "model": self.model, "url": without_credentials(self.url)}
        return {key: value for key, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class EngineRow:
    """`body` makes the JSON to be posted; None for the engine inside this process, which has no `path` either.

    `default_url` None: one must be given. `path` is used where a URL comes without one.
    """

    name: str
    summary: str
    default_voice: str
    body: Callable[[str, Voice], dict[str, Any]] | None = None
    default_url: str | None = None
    path: str | None = None
    default_model: str | None = None


def _chatterbox_body(text: str, voice: Voice) -> dict[str, Any]:
    # https://github.com/devnen/Chatterbox-TTS-Server, models.py: CustomTTSRequest, read May 2026
    return {
        "text": text,
        "voice_mode": "predefined",
        "predefined_voice_id": voice.voice,
        "output_format": "wav",
        "seed": _SEED,
    }


def _openai_body(text: str, voice: Voice) -> dict[str, Any]:
    # https://platform.openai.com/docs/api-reference/audio/createSpeech
    return {"model": voice.model, "input": text, "voice": voice.voice, "response_format": "wav"}


ENGINES: dict[str, EngineRow] = {
    row.name: row
    for row in (
        EngineRow("espeak", "espeak-ng, embedded: needs no server", "en-us"),
        EngineRow(
            "chatterbox",
            "Chatterbox-TTS-Server, POST /tts",
            "Emily.wav",
            body=_chatterbox_body,
            default_url="http://localhost:8004/tts",
            path="/tts",
        ),
        EngineRow(
            "openai",
            "any server with OpenAI's POST /v1/audio/speech",
            "alloy",
            body=_openai_body,
            path="/v1/audio/speech",
            default_model="tts-1",
        ),
    )
}


def voice_of(engine: str, url: str | None = None, voice: str | None = None, model: str | None = None) -> Voice:
    """A checked Voice, with the engine's defaults filled in. ConfigError with every problem."""
    row = ENGINES.get(engine)
    if row is None:
        raise ConfigError(f"unknown TTS engine {engine!r}: choose one of {', '.join(ENGINES)}")
    if row.body is None:
        if url is not None or model is not None:
            raise ConfigError(f"{engine} is embedded: leave --url and --model out, or choose another engine")
        return Voice(engine, None, voice or row.default_voice)
    url = url or row.default_url
    if url is None:
        raise ConfigError(f"{engine} needs the URL of a server: --url http://HOST:PORT{row.path}")
    return Voice(engine, _with_path(url, row.path or ""), voice or row.default_voice, model or row.default_model)


def without_credentials(url: str | None) -> str | None:
    """The URL as it may be shown and kept."""
    if url is None:
        return None
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def speak_over_http(text: str, voice: Voice, api_key: str | None = None) -> bytes:
    """The audio file that the server makes of the text: whole, and known to be readable.

    Tries again, `TRIES` times in all, where the connection fails, the answer is 429 or 5xx, or the file is cut
    or unreadable; not where the server says that the request is wrong (other 4xx). Raises ConfigError.
    """
    body = ENGINES[voice.engine].body
    assert body is not None and voice.url is not None, "an embedded engine has no server"
    who = f"TTS server {without_credentials(voice.url)}"
    last_failure = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(BACKOFF_S * 2 ** (attempt - 1))
        try:
            data = _post(voice.url, body(text, voice), api_key)
            decode(data)
        except _TryAgain as failure:
            last_failure = str(failure)
        except ClipError as failure:
            last_failure = f"what it sent is no audio: {failure}"
        except _Refused as refusal:
            raise ConfigError(f"{who}: {refusal}; check --url, --voice and the text {_shortened(text, 60)!r}") from None
        else:
            return data
    raise ConfigError(f"{who}: {last_failure}, {TRIES} times; is it running and loaded? What is done so far is kept")


class _TryAgain(Exception):
    """It may go better next time."""


class _Refused(Exception):
    """It will not go better."""


def _post(url: str, body: Mapping[str, Any], api_key: str | None) -> bytes:
    """One request. Redirects are refused: a POST would arrive as a GET, and a key somewhere else."""
    with requests.Session() as session:
        session.trust_env = not _is_loopback(urlsplit(url))  # a proxy can't reach this machine's own servers
        try:
            with session.post(
                url,
                json=body,
                headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                stream=True,
                allow_redirects=False,
            ) as response:
                data = _read(response)
        except requests.RequestException as error:
            raise _TryAgain(_reason(error)) from None
    if response.status_code == 200:
        return data
    complaint = f"HTTP {response.status_code}: {_shortened(data.decode(errors='replace'), 200) or response.reason}"
    if response.status_code == 429 or response.status_code >= 500:
        raise _TryAgain(complaint)
    raise _Refused(complaint)


def _read(response: requests.Response) -> bytes:
    """The body, whole. `_TryAgain` where it takes too long or is larger than any clip."""
    deadline = time.monotonic() + TOTAL_TIMEOUT_S
    data = bytearray()
    for chunk in response.iter_content(65536):
        data += chunk
        if time.monotonic() > deadline:
            raise _TryAgain(f"the answer was not complete after {TOTAL_TIMEOUT_S:.0f} s")
        if len(data) > LARGEST_BODY_BYTES:
            raise _TryAgain(f"the answer is longer than {LARGEST_BODY_BYTES // 2**20} MiB")
    return bytes(data)


# What requests wraps in many layers, in words; the first that fits.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.ConnectTimeout, f"no connection within {CONNECT_TIMEOUT_S:.0f} s"),
    (requests.exceptions.ReadTimeout, f"connected, but silent for {READ_TIMEOUT_S:.0f} s"),
    (requests.exceptions.SSLError, "its TLS certificate is not valid here"),
    (requests.exceptions.ChunkedEncodingError, "the connection ended in the middle of the answer"),
    (requests.exceptions.ProxyError, "the proxy of the environment can't reach it"),
    (requests.exceptions.ConnectionError, "no connection"),
)


def _reason(error: requests.RequestException) -> str:
    return next((words for kind, words in _REASONS if isinstance(error, kind)), _shortened(str(error), 120))


def _with_path(url: str, path: str) -> str:
    """`http://host:8004` becomes `http://host:8004/tts`. ConfigError where it is no HTTP URL."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket left open
        is_good = False
    if not is_good:
        raise ConfigError(f"TTS server URL {url!r} is not of the form http://HOST:PORT{path}")
    return urlunsplit(parts._replace(path=path)) if parts.path in ("", "/") else url


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _shortened(text: str, most: int) -> str:
    """On one line, cut to `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
