"""`--dialect-option KEY=VALUE`: from what was typed to values, for dialects and upload APIs alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.dialects.base import DialectOption
from stt_load.errors import ConfigError


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
