"""Whether a stage can be believed: the conditions, each with what was found and what to do about it.

A load test whose callers never arrived, whose audio was late or whose results were lost measures itself. `CONDITIONS`
is the table. What was not measured (None) does not break a condition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

PACING_LAG_P99_LIMIT_S = 0.010
ARRIVAL_LATE_LIMIT_S = 0.010
LATE_LIMIT = 0.01
"""The share of frames, or of arrivals, that may be late: so the p99 of their lag is judged."""

GENERATOR_CPU_LIMIT_PCT = 90.0
SPEAKS_THIS_DIALECT = "the server speaks this dialect"
STOLEN_WORTH_SAYING_PCT = 1.0
WAITING_PORTS_WORTH_SAYING_PCT = 50.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the load generator's own conduct during one stage."""

    users: int  # callers asked for
    users_reached: int | None  # callers there when the hold began; None: it never began
    workers: tuple[int, ...]  # load workers at each transition, from the hold to the end of the stage
    is_paced: bool  # audio is sent in frames, each due at its moment
    frames: int  # sent in counted utterances
    frames_late: int  # of them handed over more than PACING_LAG_P99_LIMIT_S after they were due
    frames_held_up: int  # of these, those that the kernel did not take sooner
    frames_missed: int  # of counted utterances, beside these: late when the utterance ended without them
    hold_frames: int  # that were due in the hold, of counted and other utterances
    hold_frames_late: int  # of these, handed over late, or missed
    pacing_lag_max_s: float | None
    arrivals: int  # completed utterances
    arrivals_late: int  # of them those whose answer may have arrived over ARRIVAL_LATE_LIMIT_S before its time
    arrival_late_max_s: float | None
    generator_cpu_pct: float | None  # the busiest generator process, percent of one core
    stolen_cpu_pct: float | None  # of all CPU time of the master's machine, taken by its host
    waiting_ports_pct: float | None  # of its ephemeral ports, held by connections that have ended
    rows_lost: int  # utterances that finished on a worker and are not in the file, and reports lost
    damage: str | None  # which raw files are not as the run wrote them, a clause; None where all are
    counted: int
    unended: int  # counted utterances cut off or never heard of again
    own_faults: int  # counted utterances that the load generator itself failed to play
    first_own_fault: str | None  # what was told of the first
    is_over: bool  # the stage came to its end: False where the run was killed in it
    other_dialect: str | None  # what says that the server speaks another dialect, a clause; None where nothing does
    misfit: str | None  # what is wrong with the transcripts of the quiet server; None: nothing, or not measured
    undecided: tuple[str, ...]  # objectives that these utterances can't decide, one clause each
    calls_due: int | None = None  # in the hold, by the schedule; None: not with --arrivals
    calls_not_started: int = 0  # of these


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one condition. `detail`: what was found, as a clause. `advice`: what to do where it is not met.
    `is_about_server`: it says nothing of the load generator, which sent what it should."""

    condition: str
    is_met: bool
    detail: str
    advice: str
    is_about_server: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `evaluate` returns whether the evidence meets it, and what was found, as a clause. `is_of_calls`:
    there is nothing to be met without --arrivals."""

    name: str
    evaluate: Callable[[Evidence], tuple[bool, str]]
    advice: str
    is_about_server: bool = False
    is_of_calls: bool = False


def _users_reached(evidence: Evidence) -> tuple[bool, str]:
    if evidence.calls_due is not None:
        return True, "does not apply: calls come and go"
    if evidence.users_reached is None:
        return False, f"the hold never began: the run ended before {evidence.users} callers had arrived"
    return (
        evidence.users_reached >= evidence.users,
        f"{evidence.users_reached} of {evidence.users} callers arrived before the hold",
    )


def _calls_started(evidence: Evidence) -> tuple[bool, str]:
    """A call that was left out is load that the server did not have: the slower the generator, the better the server
    would look."""
    due, missing = evidence.calls_due or 0, evidence.calls_not_started
    if not missing:
        return True, f"all {due} calls that were due in the hold began"
    return missing <= LATE_LIMIT * due, f"{missing} of {due} calls that were due in the hold did not begin in time"


def _workers_constant(evidence: Evidence) -> tuple[bool, str]:
    if len(set(evidence.workers)) <= 1:
        return True, f"{evidence.workers[0]} all the time" if evidence.workers else "not measured"
    seen = " → ".join(str(n) for n, _ in groupby(evidence.workers))
    return False, f"a load worker came, went or was silent for long: {seen} workers"


def _pacing_lag(evidence: Evidence) -> tuple[bool, str]:
    """The p99 over all frames of the stage is within the limit if at most 1 % of them are beyond it. That is exact,
    unlike a percentile of the utterances' own percentiles. All frames that were due in the hold are judged too: the
    counted utterances were measured beside them, and may have none of the late ones themselves."""
    if not evidence.is_paced:
        return True, "does not apply: requests are sent whole"
    if not (evidence.frames or evidence.hold_frames):
        return True, "not measured"
    missed, worst_ms = evidence.frames_missed, 1_000 * (evidence.pacing_lag_max_s or 0.0)
    late = (evidence.frames_late + missed) / max(evidence.frames + missed, 1)
    late_in_hold = evidence.hold_frames_late / max(evidence.hold_frames, 1)
    limit_ms = 1_000 * PACING_LAG_P99_LIMIT_S
    stolen_pct = evidence.stolen_cpu_pct or 0.0
    why = (
        f"; other virtual machines on the host took {stolen_pct:.0f} % of this machine's CPU time"
        if stolen_pct >= STOLEN_WORTH_SAYING_PCT
        else ""
    )
    if late <= LATE_LIMIT < late_in_hold:
        return False, (
            f"{100 * late_in_hold:.2f} % of the frames that were due in the hold were sent over {limit_ms:.0f} ms "
            f"late or never, those of utterances that began before it included{why}"
        )
    found = f"{100 * late:.2f} % of frames were sent over {limit_ms:.0f} ms late, the worst {worst_ms:.1f} ms"
    if late > LATE_LIMIT and (evidence.waiting_ports_pct or 0.0) >= WAITING_PORTS_WORTH_SAYING_PCT:
        found += (
            f", and {evidence.waiting_ports_pct:.0f} % of this machine's ephemeral ports were held by connections that "
            "had ended, so that each new one had to look long for a free port (sudo sysctl -w net.ipv4.tcp_tw_reuse=1, "
            "or --utterances-per-connection)"
        )
    if late > LATE_LIMIT and missed:
        found += f", and {missed} of them never: their connections had ended by then"
    if late > LATE_LIMIT and evidence.frames_held_up:
        share = evidence.frames_held_up / evidence.frames_late
        found += f", {100 * share:.0f} % of them because the connection took no more: the server did not read"
    return late <= LATE_LIMIT, f"{found}{why}"


def _arrivals(evidence: Evidence) -> tuple[bool, str]:
    """What the kernel stamped, in one piece, is exact however late it is read."""
    if not evidence.arrivals:
        return True, "not measured"
    if not evidence.arrivals_late:
        return True, f"all {evidence.arrivals} completing messages are timed to {1_000 * ARRIVAL_LATE_LIMIT_S:.0f} ms"
    late, worst_ms = evidence.arrivals_late / evidence.arrivals, 1_000 * (evidence.arrival_late_max_s or 0.0)
    limit_ms = 1_000 * ARRIVAL_LATE_LIMIT_S
    found = f"{evidence.arrivals_late} of {evidence.arrivals} completing messages may have come over {limit_ms:.0f} ms"
    return (
        late <= LATE_LIMIT,
        f"{found} before they were read, up to {worst_ms:.0f} ms, because this program was held up",
    )


def _generator_cpu(evidence: Evidence) -> tuple[bool, str]:
    cpu_pct = evidence.generator_cpu_pct
    if cpu_pct is None:
        return True, "not measured"
    return cpu_pct <= GENERATOR_CPU_LIMIT_PCT, f"the busiest load process used {cpu_pct:.0f} % of one core"


def _no_own_faults(evidence: Evidence) -> tuple[bool, str]:
    if not evidence.own_faults:
        return True, "it had what it needed"
    first = f": {evidence.first_own_fault}" if evidence.first_own_fault else ""
    return (
        False,
        f"the load generator failed to play {evidence.own_faults} of {evidence.counted} counted utterances{first}",
    )


def _no_rows_lost(evidence: Evidence) -> tuple[bool, str]:
    n = evidence.rows_lost
    return n == 0, f"{n} result{'' if n == 1 else 's'} of utterances got lost" if n else "none got lost"


def _files_whole(evidence: Evidence) -> tuple[bool, str]:
    """What was left out may have been the slowest utterance, and what was changed may be any figure."""
    return evidence.damage is None, evidence.damage or "every line is as it was written"


def _all_ended(evidence: Evidence) -> tuple[bool, str]:
    if not evidence.is_over:
        return False, "the run ended in the middle of this stage"
    if not evidence.unended:
        return True, f"all {evidence.counted} ended"
    return False, f"{evidence.unended} of {evidence.counted} counted utterances were cut off or never ended"


def _dialect_fits(evidence: Evidence) -> tuple[bool, str]:
    """A server of another kind answers nothing that was asked, whatever it holds."""
    return evidence.other_dialect is None, evidence.other_dialect or "nothing that the server sent says otherwise"


def _transcripts_fit(evidence: Evidence) -> tuple[bool, str]:
    if evidence.misfit is None:
        return True, "they do, or nothing says that they don't"
    return False, evidence.misfit


def _enough_samples(evidence: Evidence) -> tuple[bool, str]:
    if evidence.undecided:
        return False, "; ".join(evidence.undecided)
    return True, f"{evidence.counted} counted utterances"


_MORE_WORKERS = "use more load workers (a larger --processes, or more machines)"

CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "users reached",
        _users_reached,
        "let the ramp end by itself; where callers don't arrive, lower --ramp-rate, or " + _MORE_WORKERS,
    ),
    Condition(
        "workers constant",
        _workers_constant,
        "look at the log of that worker and at the network between it and the master, then run again",
    ),
    Condition(
        f"pacing lag p99 ≤ {PACING_LAG_P99_LIMIT_S * 1000:.0f} ms",
        _pacing_lag,
        _MORE_WORKERS + ", keep other work off this machine, or run the load on another machine than the server",
    ),
    Condition(
        f"arrival times within {ARRIVAL_LATE_LIMIT_S * 1000:.0f} ms",
        _arrivals,
        _MORE_WORKERS + ", keep other work off this machine, and run on Linux, whose kernel stamps what arrives",
    ),
    Condition(
        f"generator CPU ≤ {GENERATOR_CPU_LIMIT_PCT:.0f} %",
        _generator_cpu,
        _MORE_WORKERS + ", keep other work off this machine, or run the load on another machine than the server",
    ),
    Condition(
        "the load generator itself did not fail",
        _no_own_faults,
        "raise the limit that is named, use more load machines, or fewer callers; `stt-load doctor` shows the limits",
    ),
    Condition(
        "no rows lost",
        _no_rows_lost,
        "look for workers that died and for a full disk, then run again",
    ),
    Condition(
        "raw files whole",
        _files_whole,
        "look for a full disk, a machine that lost power or a file that somebody edited; "
        "copy the folder again, or run again",
    ),
    Condition(
        "counted utterances all ended",
        _all_ended,
        "let the stage end by itself, or lower --timeout: slow utterances are the first to be cut off",
    ),
    Condition(
        SPEAKS_THIS_DIALECT,
        _dialect_fits,
        "check --dialect and the path of --stt-url with `stt-load probe`; docs/dialects.md says how to add a dialect "
        "for a server of your own",
        is_about_server=True,
    ),
    Condition(
        "transcripts fit what was spoken",
        _transcripts_fit,
        "compare both texts with `stt-load probe`, and check the server's language and --clips; a model that is meant "
        "to be so bad needs an objective that allows it, such as --slo 'wer<90%'",
        is_about_server=True,
    ),
    Condition(
        "calls begun when they were due",
        _calls_started,
        _MORE_WORKERS + ", keep other work off this machine, and look for load workers that were lost",
        is_of_calls=True,
    ),
    Condition(
        "enough samples",
        _enough_samples,
        "ask for more utterances with --at-least, or use a longer --hold",
    ),
)


def evaluate(evidence: Evidence) -> tuple[Finding, ...]:
    """Evaluates every condition that the run can meet or not, in the order of the table."""
    return tuple(
        Finding(condition.name, *condition.evaluate(evidence), condition.advice, condition.is_about_server)
        for condition in CONDITIONS
        if evidence.calls_due is not None or not condition.is_of_calls
    )
