"""Targets: what a result is to reach, and what would be better still (stretch). A file of TOML, or a run's objectives.

streams = 1                        where they are judged: callers, or streams, of a ladder; or
text = "short"                     the text of a result file

[TTFC]                             the word in the box
metric = "first_audio:mean"        a figure and its statistic, as objectives name it; or `holds`
target = "<= 400 ms"
stretch = "<= 300 ms"              may be left out
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from stt_load.comparison.measures import Measure, measure_named
from stt_load.comparison.run_folder import measure_of
from stt_load.errors import ConfigError
from stt_load.metrics.figures import Unit
from stt_load.metrics.slo import BOUND_UNITS, Slo
from stt_load.report.raw_lines import read_bytes
from stt_load.report.wording import bound

_UNITS = BOUND_UNITS | {Unit.MIB: {"MiB": 1.0, "GiB": 1_024.0, "GB": 1_024.0}, Unit.PERCENT: {"%": 1.0}}
_PLACES = ("callers", "streams", "text")
_KEYS = ("metric", "target", "stretch")
_BOUND = re.compile(r"\s*(?P<sign><=|>=|<|>)\s*(?P<number>\d+(\.\d+)?)\s*(?P<unit>[A-Za-z%]*)\s*")
_SUFFIX = ".toml"
_SIGNS = {"<=": "≤", ">=": "≥"}


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound. `amount`: as the user wrote it. `value`: the same in base units, as in `slo.py`."""

    sign: str
    amount: str
    value: float

    @property
    def text(self) -> str:
        return f"{self.sign} {self.amount}"

    def is_met_by(self, value: float) -> bool:
        match self.sign:
            case "<":
                return value < self.value
            case "<=":
                return value <= self.value
            case ">":
                return value > self.value
            case _:
                return value >= self.value


@dataclass(frozen=True, slots=True)
class Target:
    """One row of targets. `load`: where it is judged, the name of a load; None where the comparison decides that."""

    measure: Measure
    target: Bound
    stretch: Bound | None = None
    loads: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Both bounds as the box shows them: `≤400 ms`, or `≤400/300 ms`."""
        number, _, unit = self.target.amount.partition(" ")
        second = f"/{self.stretch.amount.partition(' ')[0]}" if self.stretch else ""
        return f"{_SIGNS.get(self.target.sign, self.target.sign)}{number}{second}{unit and ' '}{unit}"


def shipped() -> dict[str, str]:
    """The target files that come with the program: name -> text."""
    folder = files("stt_load.comparison") / "shipped_targets"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(_SUFFIX)), key=lambda entry: entry.name)
    return {entry.name.removesuffix(_SUFFIX): entry.read_text(encoding="utf-8") for entry in found}


def read_targets(name: str) -> tuple[Target, ...]:
    """The targets of a file, or of a shipped one by its name. Raises ConfigError with every problem."""
    known = shipped()
    if name in known:
        return parse_targets(known[name], name)
    path = Path(name)
    if not path.exists():
        raise ConfigError(f"--targets {name}: there is no such file; stt-load comes with {', '.join(known)}")
    try:
        text = read_bytes(path).decode("utf-8", errors="replace")
    except ConfigError as error:
        raise ConfigError(f"--targets {name}: {error}") from error
    return parse_targets(text, name)


def parse_targets(text: str, source: str) -> tuple[Target, ...]:
    """The targets of the text of a file. `source`: its name, for the error."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"--targets {source}: it is not TOML: {error}") from error
    loads = tuple(str(document[place]) for place in _PLACES if place in document)
    targets: list[Target] = []
    problems: list[str] = []
    for heading, entry in document.items():
        if heading in (*_PLACES, "title"):
            continue
        try:
            target = _target(heading, entry, loads)
            if any(other.measure.key == target.measure.key for other in targets):
                raise ValueError(f"{target.measure.key} has a target already")
            targets.append(target)
        except ValueError as error:
            problems.append(f"--targets {source}: [{heading}]: {error}")
    if not targets and not problems:
        problems.append(f"--targets {source}: it has no target; `--print-targets chatterbox` shows how to write one")
    if problems:
        raise ConfigError(problems)
    return tuple(targets)


def _target(heading: str, entry: Any, loads: tuple[str, ...]) -> Target:
    if not isinstance(entry, Mapping):
        raise ValueError("write a table with `metric` and `target`")
    unknown = [key for key in entry if key not in _KEYS]
    if unknown:
        raise ValueError(f"there is no key {', '.join(map(repr, unknown))}; it can have {', '.join(_KEYS)}")
    missing = [key for key in ("metric", "target") if key not in entry]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    measure = measure_named(str(entry["metric"]), heading)
    target = _bound(str(entry["target"]), measure)
    stretch = _bound(str(entry["stretch"]), measure) if "stretch" in entry else None
    if stretch is not None and stretch.sign[0] != target.sign[0]:
        raise ValueError(f"target {target.text!r} and stretch {stretch.text!r} must point the same way")
    if stretch is not None and stretch.value != target.value and not target.is_met_by(stretch.value):
        raise ValueError(f"stretch {stretch.text!r} is easier than target {target.text!r}: exchange them")
    return Target(measure, target, stretch, loads)


def _bound(text: str, measure: Measure) -> Bound:
    units = _UNITS.get(measure.figure.unit, {str(measure.figure.unit): 1.0})
    match = _BOUND.fullmatch(text)
    factor = units.get(match["unit"]) if match else None
    if match is None or factor is None:
        example = f"<= 10 {next(iter(units))}".strip()
        raise ValueError(f"{text!r} can't be read: write a sign, a number and a unit, like {example!r}")
    unit = f" {match['unit']}" if match["unit"] else ""
    return Bound(match["sign"], f"{match['number']}{unit}", float(match["number"]) * factor)


def targets_of(slos: Sequence[Slo]) -> tuple[Target, ...]:
    """The objectives of a run as targets."""
    return tuple(_objectives(slos))


def _objectives(slos: Sequence[Slo]) -> Iterator[Target]:
    for slo in slos:
        sign, _, amount = bound(slo).partition(" ")
        yield Target(measure_of(slo), Bound(sign, amount, slo.bound))
