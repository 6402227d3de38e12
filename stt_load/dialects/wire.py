"""What dialects share: JSON read with care, PCM in the forms that servers want, queries of URLs.

A text that may still change may be anything: `interim_text` takes what is there, and a message without text says
nothing. A text that won't change is judged: `text_of` takes a text, or null for "nothing was heard", and nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from stt_load.dialects.events import Event, Ignored, Message, Partial, ServerWord
from stt_load.errors import PlainWords, ProtocolError
from stt_load.text.whole_characters import with_whole_characters

RATES_HZ = range(4_000, 192_001)
"""Sample rates at which a server may speak."""

_CHARACTERS_SHOWN = 80
_LIMIT_MS = 1e12
_MISSING = object()
_JSON = ("{", "[")  # what objects and lists begin with
_QUICK = msgspec.json.Decoder()


def shown(what: object) -> str:
    """The beginning of a message, or of what was read from it, as an error shows it."""
    if isinstance(what, (str, bytes)):
        return repr(what[:_CHARACTERS_SHOWN])
    return str(what)[:_CHARACTERS_SHOWN]


def is_blank(message: Message) -> bool:
    """Whether nothing is in a message, or nothing but blanks and line ends: servers and gateways send such a one now
    and then, as a sign of life."""
    return not message or message.isspace()


def parse_object(message: Message) -> dict[str, object]:
    """A JSON object. Raises PlainWords for a text that doesn't even begin like JSON, ProtocolError for anything else;
    one line each."""
    if isinstance(message, str) and message[:1] not in _JSON and message.lstrip()[:1] not in _JSON:
        raise PlainWords(f"plain words: {shown(message)}")
    try:
        body = _read(message)
    except (ValueError, RecursionError) as error:  # too many brackets end in recursion
        raise ProtocolError(f"not JSON: {shown(message)}") from error
    if not isinstance(body, dict):
        raise ProtocolError(f"not a JSON object: {shown(message)}")
    return body


def _read(message: Message) -> Any:
    """Reads JSON with the quick reader. What that refuses though servers send it (half of an emoji, NaN) is read by
    Python's reader, which takes ten times as long."""
    try:
        return _QUICK.decode(message)
    except ValueError:
        return with_whole_characters(json.loads(message))


def try_object(message: Message) -> dict[str, object]:
    """The JSON object of a text message, or {} where it is none: for `recognises`, which never raises."""
    try:
        return parse_object(message) if isinstance(message, str) else {}
    except ProtocolError:
        return {}


def text_of(body: Mapping[str, object], key: str) -> str:
    """The text under `key` that won't change, without blanks around it; null is an empty one. Raises ProtocolError
    where there is none, or something else."""
    value = body.get(key, _MISSING)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ProtocolError(f"{key} is not a text: {shown(body)}")
    return value.strip()


def interim_text(body: object, *path: str | int) -> str:
    """The text that may still change, at the end of `path`, without blanks around it; an empty one where there is
    anything else on the way or at its end."""
    value = value_at(body, *path)
    return value.strip() if isinstance(value, str) else ""


def value_at(body: object, *path: str | int) -> object:
    """What is at the end of `path` (keys of objects, places in lists); None where it leads nowhere."""
    value = body
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def partial(text: str, words: Sequence[ServerWord] = (), is_delta: bool = False) -> tuple[Event, ...]:
    """The events of a text that may still change, with the times of its words, as `Partial` has them."""
    return (Partial(text, words, is_delta),) if text else (Ignored("an interim message without text"),)


def timed_words(words: object, text: str, start: str, end: str, per_s: float = 1.0) -> tuple[ServerWord, ...]:
    """The words in a list of objects with these keys, whose times are in so many units a second. What is no word with a
    time is left out: times make figures beside the transcript, and no message is wrong for them."""
    if not isinstance(words, list):
        return ()
    return tuple(
        ServerWord(str(word[text]), word[start] / per_s, word[end] / per_s if is_plausible(word.get(end)) else None)
        for word in words
        if isinstance(word, dict) and isinstance(word.get(text), str) and is_plausible(word.get(start))
    )


def last_of(words: object) -> object:
    """The last in a list, as a list: all that is wanted of the words of an interim text."""
    return words[-1:] if isinstance(words, list) else None


def child(body: Mapping[str, object], key: str) -> dict[str, object]:
    """The object under `key`, {} where there is none. Raises ProtocolError where it is something else."""
    value = body.get(key, {})
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ProtocolError(f"{key} is not an object: {shown(body)}")
    return value


def children(body: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """The objects in the list under `key`, [] where there is none. Raises ProtocolError for anything else."""
    value = body.get(key, [])
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ProtocolError(f"{key} is not a list of objects: {shown(body)}")
    return value


def unknown(body: Mapping[str, object]) -> Ignored:
    """The event for a message that the protocol, as far as it was read, doesn't have."""
    return Ignored(f"unknown message with {', '.join(sorted(body)) or 'no keys'}")


def numbers(values: object) -> dict[str, float]:
    """The plausible numbers of an object, for `server_ms`; {} for anything else."""
    if not isinstance(values, Mapping):
        return {}
    return {str(name): float(value) for name, value in values.items() if is_plausible(value)}


def is_plausible(value: object) -> bool:
    """True for numbers that can be kept: JSON as Python reads it has NaN, Infinity and integers beyond any float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LIMIT_MS < value < _LIMIT_MS


# Numpy is imported where it is used: who only asks for the dialects, as each command does, doesn't wait for it.


def as_float32(pcm: bytes) -> bytes:
    """int16 LE → float32 LE in [-1, 1): divided by 32,768, as the servers' own clients do."""
    import numpy as np

    return (np.frombuffer(pcm, dtype="<i2").astype("<f4") / 32_768).tobytes()


def as_int16(pcm: bytes) -> bytes:
    """float32 LE → int16 LE; what lies beyond the range, or is not a number, is cut down to it. Raises ValueError for a
    part of a sample."""
    import numpy as np

    samples = np.clip(np.nan_to_num(np.frombuffer(pcm, dtype="<f4")), -1.0, 1.0)
    return bytes(np.minimum(np.rint(samples * 32_768), 32_767).astype("<i2").tobytes())


def as_base64(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode("ascii")


def with_query(url: str, parameters: Mapping[str, object]) -> str:
    """`url` with these parameters. None leaves one out, a tuple repeats it for each of its values. What the URL has
    already stays as it is."""
    parts = urlsplit(url)
    said = parse_qsl(parts.query, keep_blank_values=True)
    named = {name for name, _ in said}
    more = [(name, text) for name, value in parameters.items() for text in as_texts(value) if name not in named]
    return urlunsplit(parts._replace(query=urlencode([*said, *more]))) if more else url


def as_texts(value: object) -> tuple[str, ...]:
    """A value as queries and forms write it: None not at all, a tuple once for each of its values."""
    if isinstance(value, tuple):
        return tuple(str(each) for each in value)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return () if value is None else (str(value),)
