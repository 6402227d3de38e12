"""Results beside each other: every figure with its change against the first, and what is to be made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from stt_load.comparison.measures import HOLDS, Measure
from stt_load.comparison.noise import RISK, Basis, Change, Observation, change_between, mean_of
from stt_load.comparison.results import ALL_TEXTS, Result
from stt_load.comparison.targets import Target
from stt_load.errors import ConfigError, ExitCode
from stt_load.report.run_facts import FACTS

NO_CHANGE = "no change"

_VOID = {*(fact.name for fact in FACTS if fact.is_test), "texts", "words of the texts"}
"""Facts without which nothing can be compared, those of TTS result files among them: two results that differ in one of
them have measured different things."""


class Status(StrEnum):
    """How a value stands to its target."""

    STRETCH = "PASS+"  # the stretch target is met too
    PASS = "PASS"
    MISS = "MISS"


class FailOn(StrEnum):
    """What makes a comparison end with exit code 3."""

    TARGETS = "targets"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one result. `value` None: it was not measured. The rest is empty for the first result.

    `noise`: how large a change may be by chance; None where nothing tells that. `word`: `faster`, `no change` …; ""
    where it can't be told. `is_worse`: the change is one for the worse, and larger than the noise.
    """

    value: float | None
    is_few: bool = False
    interval: tuple[int, int | None] | None = None
    change: float | None = None
    noise: float | None = None
    basis: Basis | None = None
    word: str = ""
    is_worse: bool = False
    status: Status | None = None

    @property
    def is_regression(self) -> bool:
        """The change for the worse is certain. The spread of a result file says nothing of what differs from one minute
        to the next, so that its noise may be too small."""
        return self.is_worse and self.basis is not Basis.SPREAD


@dataclass(frozen=True, slots=True)
class Line:
    """One measure under one load, with a cell for each result. `load` None: it is about the whole run."""

    load: str | None
    measure: Measure
    cells: tuple[Cell, ...]
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact in which the results differ, with its value in each. `is_void`: they measured different things."""

    name: str
    values: tuple[str, ...]
    is_void: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two or more results. `box`: everything under the load `reference`, and what is about whole runs. `ladder`: the
    main figures under every other load that all have. `n_judged`: how many changes the risk is shared among."""

    results: tuple[Result, ...]
    reference: str | None
    box: tuple[Line, ...]
    ladder: tuple[Line, ...]
    differences: tuple[Difference, ...]
    n_judged: int

    @property
    def lines(self) -> tuple[Line, ...]:
        return (*self.box, *self.ladder)

    @property
    def first(self) -> Result:
        return self.results[0]

    @property
    def names(self) -> list[str]:
        """The label of each result, with a letter where two have the same."""
        labels = [result.label for result in self.results]
        return [label if labels.count(label) == 1 else f"{label} ({chr(65 + at)})" for at, label in enumerate(labels)]

    @property
    def is_ladder(self) -> bool:
        """The loads are numbers of callers, rather than texts."""
        return ALL_TEXTS not in self.first.loads

    @property
    def voids(self) -> tuple[Difference, ...]:
        return tuple(difference for difference in self.differences if difference.is_void)

    @property
    def is_believed(self) -> bool:
        return bool(self.box) and not any(result.doubts for result in self.results)

    def statuses(self, at: int) -> list[Status]:
        """How the result at this place stands to each target that can be judged."""
        return [status for line in self.lines if (status := line.cells[at].status) is not None]

    @property
    def has_judged_target(self) -> bool:
        """Some target could be judged of a result after the first."""
        return any(self.statuses(at) for at in range(1, len(self.results)))

    @property
    def regressions(self) -> list[Line]:
        return [line for line in self.lines if any(cell.is_regression for cell in line.cells)]

    @property
    def misses(self) -> list[Line]:
        """Targets that a result after the first misses."""
        return [line for line in self.lines if any(cell.status is Status.MISS for cell in line.cells[1:])]

    def exit_code(self, fail_on: Sequence[FailOn] = tuple(FailOn)) -> ExitCode:
        """What a command that prints this comparison ends with."""
        if not self.is_believed:
            return ExitCode.NOT_BELIEVABLE
        has_missed = FailOn.TARGETS in fail_on and self.misses
        has_regressed = FailOn.REGRESSION in fail_on and self.regressions
        return ExitCode.SLO_MISSED if has_missed or has_regressed else ExitCode.FINE


def compare(results: Sequence[Result], targets: Sequence[Target] = (), at: str | None = None) -> Comparison:
    """Compares results of one kind. `at`: the load of the box, a number of callers or a text; without it that of the
    targets, else the most callers that the first result holds. Raises ConfigError where they have no load in common."""
    reference = _reference(results, targets, at)
    names = list(results[0].loads) if reference is not None else []
    common = [name for name in names if all(name in result.loads for result in results)]
    box = [] if reference is None else list(_box(results, targets, reference))
    others = [name for name in common if name != reference]
    in_ladder = [measure for measure in results[0].measures if measure.in_ladder]
    ladder = [_line(results, name, measure, None) for name in others for measure in in_ladder]
    drafts = [*_measured(box), *(line for line in _measured(ladder) if any(cell.value for cell in line.cells))]
    n_judged = sum(_is_judged(results, line, place) for line in drafts for place in range(1, len(results)))
    lines = [_judged(results, line, RISK / max(1, n_judged)) for line in drafts]
    return Comparison(
        results=tuple(results),
        reference=reference,
        box=tuple(line for line in lines if line.load in (reference, None)),
        ladder=tuple(line for line in lines if line.load not in (reference, None)),
        differences=tuple(_differences(results)),
        n_judged=n_judged,
    )


def _measured(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines with something in them, and those that a target asks for."""
    return (line for line in lines if line.target or any(cell.value is not None for cell in line.cells))


def _reference(results: Sequence[Result], targets: Sequence[Target], at: str | None) -> str | None:
    """The load of the box; None where invalid stages leave nothing to compare."""
    first, *others = results
    common = [name for name in first.loads if all(name in other.loads for other in others)]
    if at is not None and at not in common:
        raise ConfigError(f"--at {at}: not every result has that; all have {', '.join(common) or 'nothing'}")
    if not common:
        if any(result.left_out or result.doubts for result in results):
            return None
        loads = "; ".join(f"{result.label} has {', '.join(result.loads)}" for result in results)
        what = "text" if ALL_TEXTS in first.loads else f"number of {first.callers}"
        raise ConfigError(f"the results have no {what} in common: {loads}")
    asked = [at] if at is not None else [load for target in targets for load in target.loads]
    for load in asked:
        if load in common:
            return load
    if asked:
        wanted, there = " or ".join(dict.fromkeys(asked)), ", ".join(common)
        raise ConfigError(f"the targets are for {wanted}, and all results have only {there}: --at says where to judge")
    if ALL_TEXTS in common:
        return ALL_TEXTS
    held = [name for name in common if int(name) <= (first.holds or 0)]
    return max(held, key=int) if held else min(common, key=int)


def _box(results: Sequence[Result], targets: Sequence[Target], load: str) -> Iterator[Line]:
    by_key = {target.measure.key: target for target in targets}
    holds = Measure("Holds", HOLDS)
    of_whole_runs = by_key.pop(holds.key, None)
    for measure in results[0].measures:
        yield _line(results, load, measure, by_key.pop(measure.key, None))
    for target in by_key.values():
        yield _line(results, load, target.measure, target)
    yield _line(results, None, holds, of_whole_runs)


def _line(results: Sequence[Result], load: str | None, measure: Measure, target: Target | None) -> Line:
    named = replace(measure, heading=target.measure.heading) if target and target.stretch else measure
    sides = [_side(result, load, measure) for result in results]
    return Line(load, named, tuple(map(_cell, sides)), target)


def _cell(side: tuple[Observation, ...]) -> Cell:
    if not side:
        return Cell(None)
    return Cell(mean_of(side), any(one.is_few for one in side), side[0].interval if len(side) == 1 else None)


def _side(result: Result, load: str | None, measure: Measure) -> tuple[Observation, ...]:
    observed = result.whole if load is None else result.loads[load].observed
    return observed.get(measure.key, ())


def _change(results: Sequence[Result], line: Line, at: int) -> Change | None:
    before, after = (_side(result, line.load, line.measure) for result in (results[0], results[at]))
    return change_between(before, after) if before and after else None


def _is_judged(results: Sequence[Result], line: Line, at: int) -> bool:
    """Whether this change takes a share of the risk. One of nothing at all, as between two runs without an error, can't
    be told by mistake (Tarone 1990, "A modified Bonferroni method for discrete data")."""
    change = _change(results, line, at)
    return change is not None and change.error is not None and change.value != 0


def _judged(results: Sequence[Result], line: Line, risk: float) -> Line:
    cells = [replace(line.cells[0], status=_status(line.cells[0], line.target))]
    for at in range(1, len(results)):
        cell = replace(line.cells[at], status=_status(line.cells[at], line.target))
        change = _change(results, line, at)
        if change is not None:
            told = _told(results, line, at, change, change.noise(risk))
            cell = replace(
                cell,
                change=change.value,
                noise=change.noise(risk),
                basis=change.basis,
                word=_word(line.measure, change.value, told),
                is_worse=told is True and line.measure.is_worse(change.value),
            )
        cells.append(cell)
    return replace(line, cells=tuple(cells))


def _told(results: Sequence[Result], line: Line, at: int, change: Change, noise: float | None) -> bool | None:
    """Whether the change is more than noise; None where nothing tells that."""
    if noise is not None:
        return abs(change.value) > noise
    if line.load is None and line.measure.figure is HOLDS:
        return _is_edge_moved(results[0], results[at])
    return None


def _is_edge_moved(before: Result, after: Result) -> bool | None:
    """Whether the one is proven to meet an objective with as many callers as the other misses it with for certain.
    None where no common stage says so, though the two hold different numbers of callers."""
    if before.holds == after.holds:
        return False
    common = [
        (load.objectives, after.loads[name].objectives) for name, load in before.loads.items() if name in after.loads
    ]
    verdicts = [({*first[slo]}, {*here[slo]}) for first, here in common for slo in first if slo in here]
    return True if ({True}, {False}) in verdicts or ({False}, {True}) in verdicts else None


def _word(measure: Measure, change: float, told: bool | None) -> str:
    if told is None:
        return ""
    if not told or not change:
        return NO_CHANGE
    return measure.words.higher if change > 0 else measure.words.lower


def _status(cell: Cell, target: Target | None) -> Status | None:
    if target is None or cell.value is None:
        return None
    if not target.target.is_met_by(cell.value):
        return Status.MISS
    return Status.STRETCH if target.stretch and target.stretch.is_met_by(cell.value) else Status.PASS


def _differences(results: Sequence[Result]) -> Iterator[Difference]:
    """What differs, void ones first. A fact that one result doesn't tell makes nothing void."""
    names = dict.fromkeys(name for result in results for name in result.facts)
    found = []
    for name in names:
        values = [result.facts.get(name, ()) for result in results]
        if len(set(values)) > 1 or any(len(value) > 1 for value in values):
            is_void = name in _VOID and all(values)
            found.append(Difference(name, tuple(" / ".join(value) or "not given" for value in values), is_void))
    yield from sorted(found, key=lambda difference: not difference.is_void)
