"""A machine and its limits, as values; `host_probe.py` reads them. None: the machine doesn't say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that this machine's connections get. None where the kernel doesn't tell.

    `ports`: the first and the last. `time_waits`: connections that have ended and still hold theirs.
    `reuses_time_wait`: net.ipv4.tcp_tw_reuse: 0 never, 1 always, 2 on loopback.
    """

    ports: tuple[int, int] | None
    time_waits: int | None
    reuses_time_wait: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine. The limits are those of this process; a run started from the same shell has the same ones."""

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
    tcp_memory_bytes: int | None  # of all TCP buffers together, from which on the kernel shrinks them
    send_buffer_bytes: int | None  # the most that one TCP socket may have
    somaxconn: int | None

    @property
    def whole_cores(self) -> int:
        """How many processes can be busy at the same time: usable cores within the container's limit."""
        return whole_cores(self.usable_cores, self.container_cpu_limit)


def whole_cores(usable: int, limit: float | None) -> int:
    """How many processes can be busy at the same time on so many usable cores. `limit`: that of a container, in cores;
    None: it has none."""
    return max(1, usable if limit is None else min(usable, int(limit)))


def count_ports(ports: tuple[int, int]) -> int:
    """The number of ports from the first to the last."""
    first, last = ports
    return last - first + 1


def describe_cores(number: float) -> str:
    """The number with its unit: `1 core`, `1.5 cores`."""
    return f"{number:g} core" if number == 1 else f"{number:g} cores"


def most_processes(whole_cores: int) -> int:
    """The most load processes that are worth trying on so many cores: on two of them both, where somebody asks for it;
    on more, one is left for everything else."""
    return max(min(2, whole_cores), whole_cores - 1)


def auto_processes(whole_cores: int) -> int:
    """How many load processes `--processes auto` starts on that many cores: one is left to the master, to the kernel's
    share of the work and to everything else. On two cores that is one, which leads the run too."""
    return max(1, whole_cores - 1)
