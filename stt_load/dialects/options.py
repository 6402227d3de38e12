"""`--dialect-option KEY=VALUE`: from what was typed to values, for dialects, upload and TTS APIs alike.

The parsers of single values raise ValueError with what can be written instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stt_load.dialects.base import DialectOption
from stt_load.errors import ConfigError

_LONGEST_MS = 60_000  # of a silence or a delay that is asked for


def parse_option_texts(name: str, options: Sequence[DialectOption], given: Sequence[str]) -> dict[str, Any]:
    """Parsed values of all `options`, defaults filled in. `name`: whose they are. Raises ConfigError with every
    problem."""
    known = {option.key: option for option in options}
    texts = {key: option.default for key, option in known.items()}
    problems = []
    for text in given:
        key, separator, value = text.partition("=")
        if not separator or key not in known:
            problems.append(f"--dialect-option {text}: {_advice(name, known)}")
        else:
            texts[key] = value
    values: dict[str, Any] = {}
    for key, text in texts.items():
        try:
            values[key] = known[key].parse(text)
        except ValueError as error:
            problems.append(f"--dialect-option {key}={text}: {error}")
    if problems:
        raise ConfigError(problems)
    return values


def _advice(name: str, known: Mapping[str, DialectOption]) -> str:
    if not known:
        return f"{name} has no options"
    return f"{name} has {', '.join(f'{key}=…' for key in known)}: see `stt-load dialects {name}`"


# Parsers of values ---------------------------------------------------------------------------------------


def or_none(parse: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """For what isn't told to the server unless somebody sets them: nothing written is None."""
    return lambda text: parse(text) if text else None


def one_of(*names: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r} is not known: write {' or '.join(names)}")
        return text

    return parse


def whole_number(text: str) -> int:
    """Of either sign."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def rate_hz(text: str) -> int:
    """A sample rate at which speech is still speech."""
    rate = whole_number(text)
    if not 8_000 <= rate <= 48_000:
        raise ValueError(f"{text!r} is no rate of speech: write 8000 to 48000")
    return rate


def milliseconds(text: str) -> int:
    """Whole ones, none or more."""
    if not text.isdecimal() or int(text) > _LONGEST_MS:
        raise ValueError(f"{text!r} is no time: write whole milliseconds, 0 to {_LONGEST_MS}")
    return int(text)


def seconds(text: str) -> float:
    """None or more."""
    value = number(text)
    if not 0 <= value <= _LONGEST_MS / 1000:
        raise ValueError(f"{text!r} is no time: write seconds, 0 to {_LONGEST_MS // 1000}")
    return value


def number(text: str) -> float:
    """JSON has neither NaN nor infinity."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no number")
    return value


def yes_or_no(text: str) -> bool:
    """`true` or `false`."""
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r}: write true or false")
    return text.lower() == "true"


def phrases(text: str) -> tuple[str, ...]:
    """Words or phrases with commas between them."""
    return tuple(phrase.strip() for phrase in text.split(",") if phrase.strip())
