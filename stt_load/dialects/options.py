"""`--dialect-option KEY=VALUE`: what a dialect, an upload API or a TTS API declares, and how what was typed is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DialectOption:
    """One `--dialect-option KEY=VALUE`. `parse` raises ValueError with what can be written instead."""

    key: str
    default: str
    help: str
    parse: Callable[[str], Any] = str


def parse_dialect_options(name: str, options: Sequence[DialectOption], given: Sequence[str]) -> dict[str, Any]:
    """The parsed value of each of `options`, with defaults filled in, for the dialect or API `name`.

    Raises ConfigError with every problem.
    """
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
