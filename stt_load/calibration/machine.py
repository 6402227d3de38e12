"""What a machine is, and the limits that it sets: values, which `looking.py` reads. What isn't told is None."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """Limits are those of this process, which a run started from the same shell has too."""

    host: str
    architecture: str
    system: str
    cpu_model: str
    cores: int
    usable_cores: int  # that this process may run on
    container_cpu_limit: float | None  # cores; None: no limit
    descriptors: tuple[int, int]  # soft and hard limit
    ports: tuple[int, int] | None  # first and last ephemeral port
    time_waits: int | None
    reuses_time_wait: int | None  # net.ipv4.tcp_tw_reuse: 0 never, 1 always, 2 on loopback
    governors: tuple[str, ...]
    clock_source: str | None
    stolen_pct: float | None  # of all CPU time since boot
    has_kernel_stamps: bool
    tcp_memory_bytes: int | None  # of all TCP buffers together, where the kernel begins to press
    send_buffer_bytes: int | None  # the most that one TCP socket may have
    somaxconn: int | None

    @property
    def whole_cores(self) -> int:
        """On which processes can be busy at the same time: at least 1."""
        limit = self.container_cpu_limit
        return max(1, self.usable_cores if limit is None else min(self.usable_cores, int(limit)))


def in_cores(number: float) -> str:
    """`1 core`, `1.5 cores`."""
    return f"{number:g} core" if number == 1 else f"{number:g} cores"


def processes_on(whole_cores: int) -> int:
    """Load processes that so many cores can have: one core is left for the rest, unless that leaves a single one."""
    return max(min(2, whole_cores), whole_cores - 1)
