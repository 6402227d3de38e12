"""When calls come and how long they last, for a whole stage: an open loop, made from the seed alone.

    ── opening ──▶│── calls that come at random ──────────────────────▶
    as many calls │ gaps between two calls: exponential, 1 / rate on average
    as would be on│ lengths: exponential, --call on average
    the line by   │
    now, spread   │
    evenly        │

Nothing that the server does moves a call. The schedule is the same in every process: each load worker makes the whole
of it and plays its share, and the report makes it once more to find the calls that nobody has played.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

_UNIT_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
_MOST_PER_S = 1_000.0
LONGEST_CALL_S = 1e6
AT_ONCE_PER_S = 1e6  # opening calls: more a second make no difference
_SIGMAS = 4.0  # above the mean: of a million moments, thirty have more callers


class CallRate(msgspec.Struct, frozen=True):
    """How many calls come: `per_s`, and as it was typed, `12/min`."""

    text: str
    per_s: float


class CallLoad(msgspec.Struct, frozen=True):
    """The calls of one stage. Plain values: it travels to workers, and is kept in stages.jsonl.

    `rate`: how many come, as it was typed. `mean_call_s`: how long they last on average. `opening_per_s`: how many of
    the opening calls come per second. `seed`, `stage`: what the schedule is drawn from.
    """

    rate: Annotated[str, Meta(max_length=40)]
    per_s: Annotated[float, Meta(gt=0, le=_MOST_PER_S)]
    mean_call_s: Annotated[float, Meta(gt=0, le=LONGEST_CALL_S)]
    opening_per_s: Annotated[float, Meta(gt=0, le=AT_ONCE_PER_S)]
    seed: Annotated[int, Meta(ge=0)]
    stage: Annotated[int, Meta(ge=0, le=10**6)]

    @property
    def erlangs(self) -> float:
        """The offered load: so many callers would be on the line on average, if none were refused."""
        return self.per_s * self.mean_call_s

    @property
    def users(self) -> int:
        """The same as a number of callers, rounded up."""
        return max(1, math.ceil(self.erlangs))

    @property
    def likely_peak(self) -> int:
        """More callers than these will hardly be on the line at once: what ports and files must suffice for."""
        return math.ceil(self.erlangs + _SIGMAS * math.sqrt(self.erlangs) + _SIGMAS)

    @property
    def opening_s(self) -> float:
        """How long the opening takes."""
        return self._n_opening(random.Random(self._source("opening"))) / self.opening_per_s

    def calls(self) -> Iterator[PlannedCall]:
        """Every call of the stage in the order in which they come, without an end."""
        opening, gaps, lengths = (random.Random(self._source(name)) for name in ("opening", "gaps", "lengths"))
        n, at_s = self._n_opening(opening), self.opening_s
        for ordinal in range(n):
            # An exponential time has no memory: whoever is on the line stays as long as somebody who has just come.
            began_s = ordinal / self.opening_per_s
            yield PlannedCall(ordinal, began_s, at_s - began_s + _exponential(lengths, self.mean_call_s))
        while True:
            at_s += _exponential(gaps, 1 / self.per_s)
            yield PlannedCall(n, at_s, _exponential(lengths, self.mean_call_s))
            n += 1

    def _n_opening(self, source: random.Random) -> int:
        """How many callers are on the line at a moment of a stage that has gone on for ever: a Poisson number, counted
        as the arrivals in a time in which `erlangs` come on average."""
        n, left = -1, self.erlangs
        while left >= 0:
            left -= _exponential(source, 1.0)
            n += 1
        return n

    def _source(self, name: str) -> str:
        """What a source of random numbers starts from; Python gives the same numbers for it in every version."""
        return f"{self.seed} {self.stage} {name}"


class PlannedCall(msgspec.Struct, frozen=True, gc=False):
    """One call. `at_s`: when it comes, from the moment at which calls begin. `length_s`: after so long the caller hangs
    up, or as soon as the utterance is over that is on then."""

    ordinal: int
    at_s: float
    length_s: float


def _exponential(source: random.Random, mean: float) -> float:
    return -mean * math.log(1.0 - source.random())


def parse_arrivals(text: str) -> tuple[CallRate, ...]:
    """The rates of the stages, in order: `6/min,12/min`. Raises ValueError."""
    return tuple(_parse_rate(part.strip()) for part in text.split(","))


def _parse_rate(text: str) -> CallRate:
    number, slash, unit = text.partition("/")
    try:
        per_s = float(number) / _UNIT_S[unit.strip()] if slash else math.nan
    except (ValueError, KeyError):
        per_s = math.nan
    if not 0 < per_s <= _MOST_PER_S:
        raise ValueError(f"{text!r} is no rate of calls: write 12/min, 0.5/s or 90/h, {_MOST_PER_S:g}/s at most")
    return CallRate(f"{float(number):g}/{unit.strip()}", per_s)
