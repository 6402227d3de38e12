"""May this stage be believed? Each condition on its own line, with what to do about it.

A load test that can't keep its own promises (callers that never arrived, audio sent late, rows lost on the
way) measures itself. `CONDITIONS` is the table; a condition is a question to the evidence and an advice.

Evidence that was not gathered (None) does not break a condition: the line says "not measured".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PACING_LAG_P99_LIMIT_S = 0.010
GENERATOR_CPU_LIMIT_PCT = 90.0
STOLEN_WORTH_SAYING_PCT = 1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the generator's own conduct during one stage."""

    users: int  # callers asked for
    users_reached: int | None  # callers there when the hold began; None: it never began
    workers: tuple[int, ...]  # load workers at each transition, from the hold to the end of the stage
    is_paced: bool  # audio is sent in frames, each due at its moment
    frames: int  # sent in counted utterances
    frames_late: int  # of them handed over more than PACING_LAG_P99_LIMIT_S after they were due
    pacing_lag_max_s: float | None
    generator_cpu_pct: float | None  # the busiest generator process, percent of one core
    stolen_cpu_pct: float | None  # of all CPU time of the master's machine, taken by its host
    rows_lost: int  # utterances that finished on a worker and are not in the file, and reports lost
    counted: int
    unended: int  # counted utterances cut off or never heard of again
    is_over: bool  # the stage came to its end: False where the run was killed in it
    undecided: tuple[str, ...]  # objectives that these samples can't decide, one clause each


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition after looking: `detail` is what was seen, `advice` what to do where it is not met."""

    condition: str
    is_met: bool
    detail: str
    advice: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`evaluate` says whether the evidence meets the condition, and what was seen, in a few words."""

    name: str
    evaluate: Callable[[Evidence], tuple[bool, str]]
    advice: str


def _users_reached(evidence: Evidence) -> tuple[bool, str]:
    if evidence.users_reached is None:
        return False, f"the hold never began: {evidence.users} callers were not there in time"
    return (
        evidence.users_reached >= evidence.users,
        f"{evidence.users_reached} of {evidence.users} callers there",
    )


def _workers_constant(evidence: Evidence) -> tuple[bool, str]:
    if len(set(evidence.workers)) <= 1:
        return True, f"{evidence.workers[0]} all the time" if evidence.workers else "not measured"
    return False, "went " + " → ".join(str(workers) for workers in evidence.workers)


def _pacing_lag(evidence: Evidence) -> tuple[bool, str]:
    """The p99 over all frames of the stage is within the limit if at most 1 % of them are beyond it: exact, where a
    percentile of the utterances' own percentiles would not be."""
    if not evidence.is_paced:
        return True, "does not apply: whole files have no pace"
    if not evidence.frames:
        return True, "not measured"
    late, worst_ms = evidence.frames_late / evidence.frames, 1_000 * (evidence.pacing_lag_max_s or 0.0)
    limit_ms = 1_000 * PACING_LAG_P99_LIMIT_S
    stolen_pct = evidence.stolen_cpu_pct or 0.0
    why = (
        f"; the host took {stolen_pct:.0f} % of this machine's CPU away"
        if stolen_pct >= STOLEN_WORTH_SAYING_PCT
        else ""
    )
    return late <= 0.01, f"{late:.2%} of frames more than {limit_ms:.0f} ms late, the worst {worst_ms:.1f} ms{why}"


def _generator_cpu(evidence: Evidence) -> tuple[bool, str]:
    cpu_pct = evidence.generator_cpu_pct
    if cpu_pct is None:
        return True, "not measured"
    return cpu_pct <= GENERATOR_CPU_LIMIT_PCT, f"{cpu_pct:.0f} % of one core"


def _no_rows_lost(evidence: Evidence) -> tuple[bool, str]:
    return evidence.rows_lost == 0, f"{evidence.rows_lost} lost"


def _all_ended(evidence: Evidence) -> tuple[bool, str]:
    if not evidence.is_over:
        return False, "the run ended in the middle of this stage"
    return evidence.unended == 0, f"{evidence.unended} of {evidence.counted} cut off or never ended"


def _enough_samples(evidence: Evidence) -> tuple[bool, str]:
    if evidence.undecided:
        return False, "; ".join(evidence.undecided)
    return True, f"{evidence.counted} counted utterances"


CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "users reached",
        _users_reached,
        "give the ramp more time, or start more load workers",
    ),
    Condition(
        "workers constant",
        _workers_constant,
        "a load worker died or joined in the middle: read its log and run again",
    ),
    Condition(
        f"pacing lag p99 ≤ {PACING_LAG_P99_LIMIT_S * 1000:.0f} ms",
        _pacing_lag,
        "the generator sent audio late: use --processes, or another machine than the server's",
    ),
    Condition(
        f"generator CPU ≤ {GENERATOR_CPU_LIMIT_PCT:.0f} %",
        _generator_cpu,
        "the generator had no time to spare: use --processes, or keep the server off this machine",
    ),
    Condition(
        "no rows lost",
        _no_rows_lost,
        "results did not reach the run folder: look for lost workers and a full disk, and run again",
    ),
    Condition(
        "counted utterances all ended",
        _all_ended,
        "the slow ones are the first to be cut off: let the stage end by itself, or lower --timeout",
    ),
    Condition(
        "enough samples",
        _enough_samples,
        "ask for more with --at-least or a longer --hold",
    ),
)


def evaluate(evidence: Evidence) -> tuple[Finding, ...]:
    """Every condition of the table, met or not, in its order."""
    return tuple(
        Finding(condition.name, *condition.evaluate(evidence), advice=condition.advice) for condition in CONDITIONS
    )
