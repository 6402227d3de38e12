"""One side of a comparison: a run folder or a TTS result file as values, or several of them as repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from stt_load.comparison.measures import Measure
from stt_load.comparison.noise import Observation
from stt_load.metrics.slo import Slo

T = TypeVar("T")

Observations = Mapping[str, tuple[Observation, ...]]
"""Key of a measure -> what was observed of it; one for each stage or file. Nothing where it was not measured."""

ALL_TEXTS = "all texts"


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured under one load. `name`: the number of callers, or the name of the text.

    `objectives`: by what the user wrote, of each stage whether it is proven to be met (True), missed for certain
    (False) or neither (None).
    """

    name: str
    observed: Observations
    objectives: Mapping[str, tuple[bool | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """One side. `what`: the kind of result, in words; only results of one kind are compared. `measures`: its box.

    `loads`: by name, those that can be believed. `whole`: figures of the whole run. `facts`: what was run on what, by
    name. `left_out`: why a stage is not compared, a line each. `doubts`: why the whole is not to be believed. `notes`:
    what else there is to say. `started_at`: seconds since 1970; None if not known. `holds`: the callers that it holds.
    """

    label: str
    paths: tuple[str, ...]
    what: str
    caller: str
    callers: str
    measures: tuple[Measure, ...]
    loads: Mapping[str, Load]
    whole: Observations
    facts: Mapping[str, tuple[str, ...]]
    hardware: str
    started_at: float | None = None
    slos: tuple[Slo, ...] = ()
    left_out: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> int | None:
        """The callers that it holds, the fewest of its repeats; None where that isn't known."""
        return min((int(observation.value) for observation in self.whole.get("holds", ())), default=None)


def merged(repeats: Sequence[Result]) -> Result:
    """Several results of the same thing as one. It keeps the name, the date and the objectives of the first."""
    first = repeats[0]
    if len(repeats) == 1:
        return first
    names = list(dict.fromkeys(name for result in repeats for name in result.loads))
    facts = list(dict.fromkeys(name for result in repeats for name in result.facts))
    return replace(
        first,
        paths=tuple(path for result in repeats for path in result.paths),
        loads={name: _merged_load([r.loads[name] for r in repeats if name in r.loads]) for name in names},
        whole=_joined([result.whole for result in repeats]),
        facts={name: tuple(dict.fromkeys(v for r in repeats for v in r.facts.get(name, ()))) for name in facts},
        left_out=tuple(line for result in repeats for line in result.left_out),
        doubts=tuple(line for result in repeats for line in result.doubts),
        notes=tuple(line for result in repeats for line in result.notes),
    )


def merged_loads(loads: Sequence[Load]) -> dict[str, Load]:
    """Stages by their number of callers; those with as many are repeats."""
    return {
        name: _merged_load([load for load in loads if load.name == name])
        for name in dict.fromkeys(load.name for load in loads)
    }


def _merged_load(loads: Sequence[Load]) -> Load:
    return Load(
        loads[0].name,
        _joined([load.observed for load in loads]),
        _joined([load.objectives for load in loads]),
    )


def _joined(sides: Sequence[Mapping[str, tuple[T, ...]]]) -> dict[str, tuple[T, ...]]:
    keys = dict.fromkeys(key for observed in sides for key in observed)
    return {key: tuple(one for observed in sides for one in observed.get(key, ())) for key in keys}
