"""The conditions of a matrix: every value of every option that makes callers hard, each with every other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

from stt_load.comparison.tables import shortened
from stt_load.options import OPTIONS

AXES = ("speed", "join", "pause-in-speech", "silence-callers", "level", "noise", "snr", "codec")
"""The options that are walked, by name, in the order in which a condition names them."""

_CLEAN = "clean"
_NOTHING = {"none", _CLEAN, "0%", "0"}
_LONGEST_LABEL = 50


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `values`: by option of `AXES`, what it is there, as it was typed."""

    values: Mapping[str, str]

    @property
    def is_clean(self) -> bool:
        """Nothing is done to the clips, and every caller speaks."""
        return all(value in _NOTHING for value in self.options().values())

    @property
    def label(self) -> str:
        """Its name in those of folders."""
        return shortened(re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(self.values.values())), _LONGEST_LABEL).strip("-…")

    def in_words(self) -> str:
        """Its options, as they are typed."""
        return " ".join(f"--{name} {value}" for name, value in self.values.items())

    def options(self) -> dict[str, str]:
        """The options of a run under this condition, by key. No noise is heard where speech is clean."""
        given = {name.replace("-", "_"): value for name, value in self.values.items()}
        if given.get("snr") == _CLEAN:
            given.pop("noise", None)
        return given


def conditions_of(options: Mapping[str, str | None]) -> list[Condition]:
    """Every condition of these options, by option key: their values, of which some have several with commas between
    them. Those that come to the same are one."""
    axes = _axes(options)
    found: dict[tuple[tuple[str, str], ...], Condition] = {}
    for values in product(*axes.values()):
        condition = Condition(dict(zip(axes, values, strict=True)))
        found.setdefault(tuple(condition.options().items()), condition)
    return list(found.values())


def repeated_values(options: Mapping[str, str | None]) -> list[str]:
    """One line for each option of which a value is empty, or means the same as another one. What can't be read at all
    is told by whoever reads it."""
    parse = {option.name: option.parse for option in OPTIONS}
    lines = []
    for name, values in _axes(options).items():
        text = ",".join(values)
        if not all(values):
            lines.append(f"--{name}: {text!r} has an empty value: leave a comma out")
            continue
        with suppress(ValueError):
            meant = [parse[name](value) for value in values]
            if len(set(meant)) < len(meant):
                lines.append(f"--{name}: {text!r} names one thing twice: once is enough")
    return lines


def _axes(options: Mapping[str, str | None]) -> dict[str, list[str]]:
    """The values of each option of `AXES` that was given, as they were typed."""
    return {
        name: [value.strip() for value in text.split(",")]
        for name in AXES
        if (text := options.get(name.replace("-", "_")))
    }
