"""Whether a change can be told from noise. Values in, values out.

    noise = t · s        a change that is larger is told; t is Student's, s the standard error of the change

    from repeats         s² = s_r² (1/m + 1/n), s_r: the scatter of m values before and n after around their own means
    from clips           of word errors: the same clips before and after, so that hard clips cancel out
    from each run        s² = s_before² + s_after², each from the utterances of its own run

The first that can be had is taken: repeats hold everything that differs from one run to the next. Two of a kind prove
nothing: together there must be MIN_DEGREES more results than sides. Repeats that agree to the last digit say nothing
either: counts do that by chance, as one error of 80 in each of two runs.

One comparison asks many questions, and with 40 of them at 5 % each, two changes would be told by chance. So the 5 %
are shared out among all of them (Bonferroni): in at most one comparison of twenty is any change told that is none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stt_load.metrics.bootstrap import MIN_CLUSTERS
from stt_load.metrics.caller_bootstrap import StandardError
from stt_load.metrics.clip_errors import ErrorCount
from stt_load.metrics.student_t import student_t

RISK = 0.05
"""How often one comparison as a whole may tell a change that is none."""

MIN_DEGREES = 2


class Basis(StrEnum):
    """What the noise was estimated from, as it is told."""

    REPEATS = "repeats"
    CLIPS = "clips"
    CALLERS = "callers"
    SPREAD = "spread"
    INTERVAL = "interval"


@dataclass(frozen=True, slots=True)
class Observation:
    """One measured value of one run or stage. `error`: how far it strays by itself; None where that isn't known.
    `basis`: what the error is from. `clips`: the word errors behind it, by clip."""

    value: float
    error: StandardError | None = None
    basis: Basis = Basis.CALLERS
    clips: Mapping[str, ErrorCount] | None = None
    is_few: bool = False  # too few utterances for this percentile
    interval: tuple[int, int | None] | None = None  # the 95 % interval of callers that a search found


@dataclass(frozen=True, slots=True)
class Change:
    """The difference of two values, after minus before. `error`: None where nothing says how far it strays."""

    value: float
    error: StandardError | None
    basis: Basis | None

    def noise(self, risk: float) -> float | None:
        """How large a change may be by chance, in the unit of the figure."""
        return None if self.error is None else student_t(1 - risk / 2, self.error.degrees) * self.error.value


def mean_of(observations: Sequence[Observation]) -> float:
    return statistics.fmean(observation.value for observation in observations)


def change_between(before: Sequence[Observation], after: Sequence[Observation]) -> Change:
    """The change from one side to the other. Each has one observation, or one for each repeat."""
    sides = (before, after)
    change = mean_of(after) - mean_of(before)
    if not all(math.isfinite(observation.value) for side in sides for observation in side):
        return Change(change if math.isfinite(change) else math.nan, None, None)
    repeated = _of_repeats(before, after)
    if repeated is not None and (repeated.value or not change):
        return Change(change, repeated, Basis.REPEATS)
    if all(observation.clips is not None for side in sides for observation in side):
        return _of_clips(_summed(before), _summed(after)) or Change(change, None, None)
    errors = [_of_mean(side) for side in sides]
    first, second = errors
    if first is None or second is None:
        return Change(change, None, None)
    return Change(change, _sum(first, second), after[0].basis)


def _of_repeats(before: Sequence[Observation], after: Sequence[Observation]) -> StandardError | None:
    degrees = len(before) + len(after) - 2
    if degrees < MIN_DEGREES:
        return None
    squares = math.fsum(
        (observation.value - mean) ** 2 for side in (before, after) for mean in [mean_of(side)] for observation in side
    )
    return StandardError(math.sqrt(squares / degrees * (1 / len(before) + 1 / len(after))), degrees)


def _of_mean(side: Sequence[Observation]) -> StandardError | None:
    """The standard error of the mean of these observations, from those of each."""
    errors = [observation.error for observation in side if observation.error is not None]
    if len(errors) < len(side):
        return None
    squares = math.fsum(error.value**2 for error in errors)
    return StandardError(math.sqrt(squares) / len(side), sum(error.degrees for error in errors))


def _sum(one: StandardError, other: StandardError) -> StandardError:
    """The error of a difference, with the degrees of freedom of Welch and Satterthwaite, rounded down."""
    squares = one.value**2 + other.value**2
    if not squares:
        return StandardError(0.0, one.degrees + other.degrees)
    degrees = squares**2 / (one.value**4 / one.degrees + other.value**4 / other.degrees)
    return StandardError(math.sqrt(squares), max(1, math.floor(degrees)))


def _summed(side: Sequence[Observation]) -> dict[str, ErrorCount]:
    total: dict[str, ErrorCount] = {}
    for observation in side:
        for clip_id, count in (observation.clips or {}).items():
            total[clip_id] = total.get(clip_id, ErrorCount()) + count
    return total


def _of_clips(before: Mapping[str, ErrorCount], after: Mapping[str, ErrorCount]) -> Change | None:
    """The change of an error rate over the clips that both completed, each weighing the same on both sides. The error
    is that of a ratio of sums (Cochran 1977, "Sampling techniques", section 2.11). None with too few clips."""
    common = [(before[clip_id], after[clip_id]) for clip_id in sorted(before) if clip_id in after]
    common = [(first, here) for first, here in common if here.length]
    k = len(common)
    if k < MIN_CLUSTERS:
        return None
    lengths = [here.length / here.utterances for _, here in common]
    extra = [here.errors / here.utterances - first.errors / first.utterances for first, here in common]
    rate = math.fsum(extra) / math.fsum(lengths)
    squares = math.fsum((more - rate * length) ** 2 for more, length in zip(extra, lengths, strict=True))
    error = math.sqrt(k / (k - 1) * squares) / math.fsum(lengths)
    return Change(rate, StandardError(error, k - 1), Basis.CLIPS)
