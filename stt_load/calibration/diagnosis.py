"""Finds out why a trial failed: the first of `CAUSES` that applies names the limit."""

from __future__ import annotations

from collections.abc import Callable

from stt_load.calibration.limits import (
    LONGER_QUEUE,
    MORE_CPU,
    MORE_TCP_MEMORY,
    Limit,
    run_descriptors,
)
from stt_load.calibration.machine import Machine, describe_cores, most_processes
from stt_load.calibration.trial_figures import DISTURBING_PCT, TrialFigures
from stt_load.net.own_faults import MORE_DESCRIPTORS, MORE_PORTS, REUSED_PORTS

_BUSY_PCT = 70.0  # of a core: work comes in bursts, so frames wait long before all of it is taken
_FULL_PCT = 85.0
_CROWDED = 0.75  # of all cores: two busy processes are often put on one
_FULL = 0.9  # of a container's share
_STOLEN_PCT = 2.0
_NO_DESCRIPTOR = "Too many open files"  # EMFILE, as the C library words it
_QUIET = "stop what else runs here (see `top`), and calibrate again"
_NO_PORT = "Cannot assign requested address"  # EADDRNOTAVAIL


def diagnose(trial: TrialFigures, machine: Machine) -> Limit:
    """What limited a trial that failed. The last cause always applies."""
    return next(limit for cause in CAUSES if (limit := cause(trial, machine)) is not None)


def _descriptors(trial: TrialFigures, machine: Machine) -> Limit | None:
    if not _has_error(trial, _NO_DESCRIPTOR):
        return None
    return Limit("file descriptors", f"none left of {run_descriptors(machine):,}", MORE_DESCRIPTORS)


def _ports(trial: TrialFigures, _: Machine) -> Limit | None:
    if not _has_error(trial, _NO_PORT):
        return None
    return Limit("ports", "no ephemeral port was free", f"{REUSED_PORTS}; {MORE_PORTS}")


def _container(trial: TrialFigures, machine: Machine) -> Limit | None:
    cores = machine.container_cpu_limit
    if cores is None or trial.generator.cpu_pct + (trial.sink_cpu_pct or 0.0) < 100 * _FULL * cores:
        return None
    detail = f"the generator and the sink used all that the container may, {describe_cores(cores)}"
    return Limit("container CPU limit", detail, MORE_CPU)


def _sink(trial: TrialFigures, _: Machine) -> Limit | None:
    cpu_pct = trial.sink_cpu_pct or 0.0
    if cpu_pct < max(_FULL_PCT, trial.generator.cpu_pct):
        return None
    detail = f"it used {cpu_pct:.0f} % of a core, the generator {trial.generator.cpu_pct:.0f} %"
    return Limit(
        "the sink", detail, "run `python -m stt_load.server.sink --host 0.0.0.0` on another machine and give --url"
    )


def _others(trial: TrialFigures, machine: Machine) -> Limit | None:
    others_pct = trial.others_cpu_pct
    taken_pct = trial.generator.cpu_pct + (trial.sink_cpu_pct or 0.0) + others_pct
    is_crowded = taken_pct >= 100 * _CROWDED * machine.cores
    if trial.generator.cpu_pct >= _FULL_PCT or others_pct < DISTURBING_PCT or not is_crowded:
        return None
    return Limit(
        "other work", f"it used {others_pct:.0f} % of a core; the machine has {describe_cores(machine.cores)}", _QUIET
    )


def _cpu(trial: TrialFigures, machine: Machine) -> Limit | None:
    if trial.generator.cpu_pct < _BUSY_PCT:
        return None
    processes = most_processes(machine.whole_cores)
    more = f"stt-load run … --processes {processes}" if processes > 1 else "use a machine with more cores"
    return Limit("CPU", f"one process used {trial.generator.cpu_pct:.0f} % of its core", more)


def _buffers(trial: TrialFigures, _: Machine) -> Limit | None:
    risen = [f"{name} rose by {n:,}" for name, n in trial.troubles.items() if n > 0]
    return Limit("kernel buffers", ", ".join(risen), f"{LONGER_QUEUE}; {MORE_TCP_MEMORY}") if risen else None


def _stolen(trial: TrialFigures, _: Machine) -> Limit | None:
    if trial.stolen_pct < _STOLEN_PCT:
        return None
    detail = f"the host gave {trial.stolen_pct:.0f} % of this machine's CPU to others"
    return Limit("stolen CPU", detail, "use a machine with dedicated cores")


def _server(trial: TrialFigures, _: Machine) -> Limit | None:
    if not trial.failed:
        return None
    return Limit("the server", trial.broken_by or "utterances failed", "look into its log for a limit of its own")


def _unknown(trial: TrialFigures, _: Machine) -> Limit | None:
    busiest_pct = max(trial.generator.cpu_pct, trial.sink_cpu_pct or 0.0)
    detail = f"{trial.broken_by}, although generator and sink each used {busiest_pct:.0f} % of a core at most"
    return Limit("pauses", detail, _QUIET)


def _has_error(trial: TrialFigures, text: str) -> bool:
    return any(text in error for error in trial.errors)


CAUSES: tuple[Callable[[TrialFigures, Machine], Limit | None], ...] = (
    _descriptors,
    _ports,
    _container,
    _sink,
    _others,
    _cpu,
    _buffers,
    _stolen,
    _server,
    _unknown,
)
