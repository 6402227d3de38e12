"""One clip as the body of a POST: multipart/form-data (RFC 7578) with a WAV file, made once for all callers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stt_load.audio.clip import Clip
from stt_load.audio.codec import Pcm, encode_wav
from stt_load.dialects.wire import as_texts

FILE_FIELD = "file"
_FOLDERS = re.compile(r"[/\\]+")  # of a clip's id: a server that saves the file must not look for them


@dataclass(frozen=True, slots=True)
class Form:
    """The body of a POST, and what it is said to be."""

    content_type: str
    body: bytes


def clip_form(clip: Clip, fields: Mapping[str, object]) -> Form:
    """The form with the clip as `file`, behind its `fields`: None leaves one out, a tuple repeats it."""
    wav = encode_wav(Pcm(clip.samples, clip.sample_rate_hz))
    # What must not occur in the body (RFC 2046 section 5.1.1) is made from it: nobody's file holds its own digest.
    boundary = f"stt-load-{hashlib.sha256(wav).hexdigest()[:32]}"
    parts = [_field(name, text) for name, value in fields.items() for text in as_texts(value)]
    parts.append(_file(f"{_FOLDERS.sub('-', clip.clip_id)}.wav", wav))
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    return Form(f"multipart/form-data; boundary={boundary}", body + b"--%b--\r\n" % boundary.encode())


def _field(name: str, text: str) -> bytes:
    return f'Content-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{text}'.encode()


def _file(name: str, data: bytes) -> bytes:
    head = f'Content-Disposition: form-data; name="{FILE_FIELD}"; filename="{_quoted(name)}"\r\n'
    return head.encode() + b"Content-Type: audio/wav\r\n\r\n" + data


def _quoted(text: str) -> str:
    """The text, quoted as browsers do it (WHATWG HTML, "multipart/form-data encoding algorithm")."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
