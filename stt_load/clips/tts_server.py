"""Text to speech by a server over HTTP.

One request at a time: Chatterbox blocks its event loop while it speaks, so requests side by side only wait
for each other. What a server sent is kept by `library.py`, so it is asked once for each text.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from stt_load.audio.codec import decode
from stt_load.audio.containers import readable_text
from stt_load.credentials import Credentials
from stt_load.errors import ClipError, ConfigError
from stt_load.net.direct_session import DirectSession, HeadTooLong
from stt_load.option_values import is_loopback
from stt_load.session.http_status import fault_of_status
from stt_load.text.url_secrets import secrets_of_url, without_credentials
from stt_load.tts.engines import ENGINES, Voice

logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # its lines of DEBUG hold the URL as it is

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 120.0  # without any data; Chatterbox sends nothing before the whole file is spoken
TOTAL_TIMEOUT_S = 300.0  # for one text
LARGEST_BODY_BYTES = 64 * 1024 * 1024  # about 20 minutes at 24 kHz
TRIES = 3
BACKOFF_S = 1.0  # before the second try; doubled before each further one


def speak_over_http(text: str, voice: Voice, api_key: str | None = None) -> bytes:
    """The audio file that the server makes from the text, complete and readable.

    It tries up to `TRIES` times while the connection fails, the answer is 429 or 5xx, or the file is cut or unreadable,
    but not if the server says that the request is wrong (other 4xx). Raises ConfigError.
    """
    body = ENGINES[voice.engine].body
    assert body is not None and voice.url is not None, "an embedded engine has no server"
    who = f"TTS server {without_credentials(voice.url)}"
    hide = Credentials(api_key, url_secrets=tuple(secrets_of_url(voice.url))).hide
    last_failure = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(BACKOFF_S * 2 ** (attempt - 1))
        try:
            data, content_type = _post(voice.url, body(text, voice), api_key)
            decode(data)
        except _TryAgain as failure:
            last_failure = str(failure)
        except ClipError as failure:
            last_failure = f"it sent something that is not audio ({content_type or 'of no type'}): {failure}"
        except _Refused as refusal:
            raise ConfigError(
                f"{who}: {hide(str(refusal))}; check --url, --voice and the text {_shortened(text, 60)!r}"
            ) from None
        else:
            return data
    raise ConfigError(
        f"{who}: {hide(last_failure)}, {TRIES} times; is it running and loaded? What is done so far is kept"
    )


class _TryAgain(Exception):
    """The request failed and may succeed next time."""


class _Refused(Exception):
    """The server refused the request and would do so again."""


def _post(url: str, body: Mapping[str, Any], api_key: str | None) -> tuple[bytes, str]:
    """Sends one request; gives the body of its answer and its content type.

    Redirects are refused: they turn a POST into a GET and carry the key to another server.
    """
    with DirectSession() as session:
        session.trust_env = not is_loopback(
            urlsplit(url).hostname or ""
        )  # a proxy can't reach this machine's own servers
        try:
            with session.post(
                url,
                json=body,
                headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                stream=True,
            ) as response:
                data = _read(response)
        except HeadTooLong as error:
            raise _TryAgain(str(error)) from None
        except requests.RequestException as error:
            raise _TryAgain(_reason(error)) from None
    if response.status_code == 200 or (data and 200 < response.status_code < 300):
        return data, _shortened(response.headers.get("content-type", ""), 60)
    headers = {name.lower(): value for name, value in response.headers.items() if name.lower() != "content-encoding"}
    reason = str(fault_of_status(response.status_code, headers, data if readable_text(data) else b"", url))
    if response.status_code == 429 or response.status_code >= 500:
        raise _TryAgain(reason)
    raise _Refused(reason)


def _read(response: requests.Response) -> bytes:
    """The whole body. Raises `_TryAgain` if it takes too long or is larger than any clip."""
    deadline = time.monotonic() + TOTAL_TIMEOUT_S
    data = bytearray()
    try:
        while chunk := response.raw.read1(65536, decode_content=True):  # what is there: an answer may drip
            data += chunk
            if time.monotonic() > deadline:
                raise _TryAgain(f"the answer was not complete after {TOTAL_TIMEOUT_S:.0f} s")
            if len(data) > LARGEST_BODY_BYTES:
                raise _TryAgain(f"the answer is longer than {LARGEST_BODY_BYTES // 2**20} MiB")
    except urllib3.exceptions.ReadTimeoutError:
        raise _TryAgain(f"connected, but no data for {READ_TIMEOUT_S:.0f} s") from None
    except urllib3.exceptions.HTTPError:
        raise _TryAgain("the connection ended in the middle of the answer") from None
    return bytes(data)


# Plain texts for what requests wraps in many layers; the first that fits is used.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.ConnectTimeout, f"no connection within {CONNECT_TIMEOUT_S:.0f} s"),
    (requests.exceptions.ReadTimeout, f"connected, but no data for {READ_TIMEOUT_S:.0f} s"),
    (requests.exceptions.SSLError, "its TLS certificate is not valid here"),
    (requests.exceptions.ProxyError, "the proxy of the environment can't reach it"),
    (requests.exceptions.ConnectionError, "no connection"),
)


def _reason(error: requests.RequestException) -> str:
    return next((words for kind, words in _REASONS if isinstance(error, kind)), _shortened(str(error), 120))


def _shortened(text: str, most: int) -> str:
    """The text on one line, cut to `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
