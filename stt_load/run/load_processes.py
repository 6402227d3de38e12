"""How many processes of this machine play the callers of a run: a number, or `auto`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stt_load.calibration.host_probe import count_whole_cores, describe_host
from stt_load.calibration.machine import auto_processes, describe_cores
from stt_load.calibration.result import why_one_process_is_late
from stt_load.calibration.store import load as load_calibration
from stt_load.config import RunConfig
from stt_load.options import PlanKind

AUTO = "auto"
ALL_CORES = -1  # Locust's word for one process on every core
CHOICE_OPTION = "stt_processes"  # the sentence of LoadProcesses, as an option of Locust's that nobody can type
_MOST_PROCESSES_A_CORE = 16  # far more than can be on time: beyond it a number is mistyped


@dataclass(frozen=True, slots=True)
class LoadProcesses:
    """How many processes play callers, and a line that says why. With one, it is the process that leads the run too."""

    number: int
    note: str


def parse_processes(text: str) -> int | str:
    """`auto`, or a whole number from 1; -1 is Locust's word for every core. Raises ValueError, also for a number with
    which every process would be late, and the machine hardly answer."""
    if text == AUTO:
        return AUTO
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1 and number != ALL_CORES:
        raise ValueError(f"{text!r} is no number of processes: write a whole number from 1, or {AUTO}")
    cores = count_whole_cores()
    most = cores * _MOST_PROCESSES_A_CORE
    if number > most:
        raise ValueError(f"{number} processes would share {describe_cores(cores)}: write {most} at most, or {AUTO}")
    return number


def one_per_core_but_one() -> LoadProcesses:
    """What `auto` means on this machine: processor affinity and the CPU limit of a container count."""
    cores = count_whole_cores()
    number = auto_processes(cores)
    processes = "1 load process" if number == 1 else f"{number} load processes"
    left = ", one is left for everything else" if cores > 1 else ""
    return LoadProcesses(number, f"{processes} (auto): of {describe_cores(cores)} that may be used{left}")


def why_late(config: RunConfig, plan: PlanKind) -> str | None:
    """Why one process would be late with the largest stage of a run, one line; None where it would not be, where nobody
    knows how many callers will come, and where they don't speak at a pace."""
    most = {PlanKind.LADDER: config.most_callers, PlanKind.SEARCH: config.most_users}.get(plan)
    if most is None or not config.kind.is_paced:
        return None
    return why_one_process_is_late(load_calibration(describe_host()), most, config.frame_ms)


def processes_note(raw_options: Mapping[str, object], config: RunConfig, plan: PlanKind) -> str | None:
    """What a run says of how many processes play its callers; None where somebody gave the number, or nobody asked.
    `raw_options`: those of Locust."""
    choice = raw_options.get(CHOICE_OPTION)
    if choice is None:
        return None
    why = why_late(config, plan)
    return f"{choice}; {why}; --processes 1 overrules it" if why else str(choice)
