"""The arithmetic of a deployment: replicas, what they cost, and every step of it as a line for people.

    full       what one replica of yours holds: K, changed for your callers' duty cycle and for another machine
    planned    full × (1 − headroom)
    replicas   ⌈demand / planned⌉

More callers, more headroom or a larger duty cycle never need fewer replicas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stt_load.errors import ConfigError
from stt_load.report.wording import callers
from stt_load.sizing.amounts import Price
from stt_load.sizing.duty import BUSY, busy_streams, equal_callers
from stt_load.sizing.replica import Replica, Unusable

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Demand:
    """What is to be served. Of `callers` (for uploads and text to speech: requests at once) and `rate_per_s` one is
    given, the other None. `headroom`: the share of each replica that stays free. `duty`: the share of a call in which
    a caller of yours sends audio; None: as in the test. `price`: of one replica."""

    callers: int | None
    rate_per_s: float | None = None
    headroom: float = 0.2
    duty: float | None = None
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Speed:
    """How many times as much another machine holds: the middle, and the ends of its interval, None where nothing
    bounds it. `told`: which ratio it
    is, as a clause. `latency`: how many times as long the other machine takes, by percentile."""

    factor: float
    low: float | None
    high: float | None
    told: str
    latency: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What to deploy.

    `full`, `planned`: what one replica holds, and is planned for, in the unit of the demand. `planned_at_once`: the
    same in callers or requests at once. `fewest`, `most`: replicas at the ends of the interval of a ratio; None
    without one. `audio_hours_per_h`: hours of audio that the demand brings in an hour. `cost_*`: None without a price.
    """

    demand: Demand
    unit: str
    full: float
    planned: float
    planned_at_once: float
    replicas: int
    fewest: int | None
    most: int | None
    gpus: int | None
    audio_hours_per_h: float | None
    cost_per_h: float | None
    cost_per_audio_h: float | None
    steps: tuple[str, ...]

    @property
    def wanted(self) -> float:
        """The demand in its unit."""
        return _wanted(self.demand)

    @property
    def left_without_one(self) -> float:
        """What the other replicas hold at full load while one is away."""
        return (self.replicas - 1) * self.full


def check_demand(replica: Replica, demand: Demand) -> list[str]:
    """What can't be asked of this kind of load, a line each."""
    problems = []
    if (demand.callers is None) == (demand.rate_per_s is None):
        problems.append("give --callers N" + ("" if replica.is_paced else " or --rate N/s, one of the two"))
    if replica.is_paced and demand.rate_per_s is not None:
        problems.append("--rate: callers who speak have no rate of requests: give --callers")
    if not replica.is_paced and demand.duty is not None:
        problems.append("--duty: is not defined for whole files and texts, which are sent at once: leave it out")
    return problems


def plan_deployment(replica: Replica, demand: Demand, speed: Speed | None = None) -> Deployment:
    """The deployment for a demand. `speed`: of the machine that is to be sized, where it is not the replica's own.

    Raises ConfigError for a demand that this kind of load doesn't have, Unusable where the run doesn't say enough.
    """
    if problems := check_demand(replica, demand):
        raise ConfigError(problems)
    tested, steps = _full_load(replica, demand)
    unit = _unit(replica, demand)
    full = tested * (speed.factor if speed else 1.0)
    planned = full * (1 - demand.headroom)
    wanted = _wanted(demand)
    replicas = _replicas(wanted, planned)
    if speed:
        steps.append(f"the other machine holds {speed.factor:.2f} times as much ({speed.told}): {full:.1f} {unit}")
    steps += [
        f"{100 * demand.headroom:g} % of each replica stays free (--headroom): "
        f"{full:.4g} × {1 - demand.headroom:.4g} = {planned:.4g} {unit} for each",
        f"{wanted:g} {unit} / {planned:.4g} = {wanted / planned:.2f}, rounded up: {_count(replicas)}",
    ]
    audio = _audio_hours_per_h(replica, demand)
    cost = None if demand.price is None else replicas * demand.price.per_hour
    return Deployment(
        demand=demand,
        unit=unit,
        full=full,
        planned=planned,
        planned_at_once=planned if demand.rate_per_s is None else replica.holds * planned / tested,
        replicas=replicas,
        fewest=_replicas(wanted, planned / speed.factor * speed.high) if speed and speed.high else None,
        most=_replicas(wanted, planned / speed.factor * speed.low) if speed and speed.low else None,
        gpus=math.ceil(replicas * replica.gpus - _ROUNDING) if replica.gpus and not speed else None,
        audio_hours_per_h=audio,
        cost_per_h=cost,
        cost_per_audio_h=cost / audio if cost is not None and audio else None,
        steps=tuple(steps),
    )


def _full_load(replica: Replica, demand: Demand) -> tuple[float, list[str]]:
    """What the tested replica holds, in the unit of the demand, and how that follows."""
    held = f"one replica holds {callers(replica.holds, replica.kind)} (K): {replica.source}"
    if demand.rate_per_s is not None:
        if replica.requests_per_s is None:
            raise Unusable("the run has no figure of requests per second: give --callers")
        at = callers(replica.at_users, replica.kind)
        return replica.requests_per_s, [held, f"with {at} it completes {replica.requests_per_s:.3g} requests a second"]
    if not replica.is_paced:
        return replica.holds, [held]
    steps = [held, *_duty_steps(replica, demand.duty)]
    if demand.duty is None or replica.duty is None:
        return replica.holds, steps
    full = equal_callers(replica.holds, replica.duty, demand.duty)
    if not full:
        raise Unusable(f"at a duty cycle of {demand.duty:.0%} not even one caller is as little load as the test's")
    return float(full), steps


def _duty_steps(replica: Replica, duty: float | None) -> Iterator[str]:
    if replica.duty is None:
        yield "how much of the time the test's callers sent audio is not known: yours are taken to be like them"
        return
    tested = replica.holds
    busy = busy_streams(tested, replica.duty)
    yield (
        f"a caller of the test sent audio {100 * replica.duty:.1f} % of the time: {tested * replica.duty:.1f} streams "
        f"at once on average, and at most {busy} in {100 * BUSY:.0f} % of moments"
    )
    if duty is None:
        yield "yours are taken to send as much (give --duty where they don't)"
        return
    full = equal_callers(tested, replica.duty, duty)
    yield (
        f"yours send audio {100 * duty:g} % of the time (--duty): {full} of them are no more load, {full * duty:.1f} "
        f"streams on average and at most {busy_streams(full, duty)} in {100 * BUSY:.0f} % of moments"
    )


def _unit(replica: Replica, demand: Demand) -> str:
    return replica.kind.callers if demand.rate_per_s is None else "requests/s"


def _wanted(demand: Demand) -> float:
    return float(demand.callers if demand.callers is not None else demand.rate_per_s or 0)


def _replicas(wanted: float, planned: float) -> int:
    return max(1, math.ceil(wanted / planned - _ROUNDING))


def _count(replicas: int) -> str:
    return f"{replicas} replica{'' if replicas == 1 else 's'}"


def _audio_hours_per_h(replica: Replica, demand: Demand) -> float | None:
    """Hours of audio in an hour. Of requests at once it is those that a full replica completes, in proportion."""
    if replica.is_paced:
        duty = replica.duty if demand.duty is None else demand.duty
        return None if duty is None else (demand.callers or 0) * duty
    if replica.audio_s is None:
        return None
    if demand.rate_per_s is not None:
        return demand.rate_per_s * replica.audio_s
    if replica.requests_per_s is None:
        return None
    return (demand.callers or 0) / replica.at_users * replica.requests_per_s * replica.audio_s
