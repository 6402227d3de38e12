"""The network between generator and sink: two hosts joined by a cable, as far as one machine can play that.

On loopback the kernel does the receiver's work inside the sender's `send`, so a frame costs the generator what it would
never cost it on a network. Here the sink lives in a network namespace of its own, at the other end of a pair of virtual
network cards (veth), and receive packet steering (RPS, Linux: Documentation/networking/scaling.rst) gives what arrives
at either end to the sink's core, as the interrupts of a real card would go to a core beside the generator's. That takes
root and iproute2; without them, it is loopback. BENCH_NETWORK=loopback asks for that.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_LIMIT_S = 10.0
_TW_REUSE = Path("/proc/sys/net/ipv4/tcp_tw_reuse")  # on loopback, the kernel's default is as good
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Network:
    """Where a sink listens. `namespace` is None on loopback."""

    sink_address: str
    namespace: str | None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Inside, processes that this thread starts, and sockets that it opens, belong to the sink's host."""
        if self.namespace is None:
            yield
            return
        theirs_path = Path("/run/netns") / self.namespace
        with Path("/proc/thread-self/ns/net").open("rb") as ours, theirs_path.open("rb") as theirs:
            _enter(theirs.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())


@cache
def why_loopback() -> str | None:
    """Says why the sink is on loopback; None where it is behind a pair of network cards."""
    if os.environ.get("BENCH_NETWORK") == "loopback":
        return "BENCH_NETWORK says so"
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    name = f"bench-{os.getpid()}-probe"
    made = _ip("netns", "add", name)
    if made.returncode != 0:
        return made.stderr.strip().splitlines()[-1] if made.stderr.strip() else "namespaces are not allowed"
    _ip("netns", "delete", name)
    return None


@contextmanager
def network(receiving_core: int) -> Iterator[Network]:
    """Joins this host with a new one for the sink, for the time of the block. Loopback where that can't be had.

    `receiving_core` does the kernel's work for all that arrives, at both ends.
    """
    if why_loopback() is not None:
        yield Network("127.0.0.1", None)
        return
    number = next(_numbers)
    name = f"bench-{os.getpid()}-{number}"
    ours, theirs = f"bg{os.getpid()}.{number}"[:15], f"bs{os.getpid()}.{number}"[:15]
    subnet = _free_subnet()
    with ExitStack() as undo:
        _must("netns", "add", name)
        undo.callback(_ip, "netns", "delete", name)  # takes its end of the pair along, and so ours
        _must("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        undo.callback(_ip, "link", "delete", ours)
        _must("address", "add", f"{subnet}.1/24", "dev", ours)
        _must("link", "set", ours, "up")
        _must("-netns", name, "address", "add", f"{subnet}.2/24", "dev", theirs)
        _must("-netns", name, "link", "set", theirs, "up")
        _must("-netns", name, "link", "set", "lo", "up")
        # Each connection keeps its port for a minute after its end: those of 4,000 callers would use up all of them.
        undo.callback(_TW_REUSE.write_text, _TW_REUSE.read_text())
        _TW_REUSE.write_text("1")
        _steer(ours, receiving_core)
        _steer(theirs, receiving_core, name)
        yield Network(f"{subnet}.2", name)


def _free_subnet() -> str:
    """The first three numbers of addresses that no card of this host has: another bench may be running."""
    taken = _ip("-brief", "address").stdout
    return next(subnet for subnet in (f"10.214.{third}" for third in range(256)) if f" {subnet}." not in taken)


def _steer(card: str, core: int, namespace: str | None = None) -> None:
    """Lets `core` alone do the work of what arrives at `card`."""
    line = ["sh", "-c", f"echo {1 << core:x} > /sys/class/net/{card}/queues/rx-0/rps_cpus"]
    inside = ["ip", "netns", "exec", namespace] if namespace is not None else []  # it mounts the /sys of that host
    subprocess.run([*inside, *line], check=True, timeout=_LIMIT_S)


def _ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=_LIMIT_S)


def _must(*words: str) -> None:
    done = _ip(*words)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _enter(namespace_fd: int) -> None:
    """setns(2), which Python has from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace_fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
