"""A network of its own: hosts with an address and a name each, on a bridge, made of Linux network namespaces.

A namespace lives as long as the process that holds it, and that one ends with the process that made it, `kill -9`
included: nothing is mounted, nothing has a name outside, the machine's own network is not touched, and as many networks
as one likes have the same addresses.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import psutil

_BRIDGE = "br0"
_DEADLINE_S = 30.0  # of every command here; none takes a tenth of it
# Says its name and holds its namespaces until its input ends: with its block, or with the process that holds the pipe.
_HOLD = 'hostname "$1" && ip link set lo up && echo ready && exec cat > /dev/null'


class Host:
    """A machine of the network."""

    def __init__(self, name: str, address: str, holder: subprocess.Popen[bytes], switch: Switch) -> None:
        self.name = name
        self.address = address
        self._holder = holder
        self._switch = switch

    def line(self, *command: str) -> list[str]:
        """The command line that runs `command` on this host; its process id is the command's."""
        return [*_entering(self._holder), *command]

    def processes(self) -> list[int]:
        """Process ids of whatever runs on this host, or has not been waited for."""
        spaces = {pid: _namespace_of(pid) for pid in psutil.pids()}
        here = spaces.get(self._holder.pid)
        return [pid for pid, space in spaces.items() if space == here and pid != self._holder.pid]

    def unplug(self) -> None:
        """Nothing goes in or out from now on, and nobody is told: connections stay, as when a switch fails."""
        self._switch.change(f"link set dev {self.name} nomaster")

    def plug_in(self) -> None:
        self._switch.change(f"link set dev {self.name} master {_BRIDGE}")

    def part_from(self, other: Host) -> None:
        """Nothing passes between these two from now on, and nobody is told; with others both still talk."""
        self._route("add", other)
        other._route("add", self)

    def join(self, other: Host) -> None:
        self._route("del", other)
        other._route("del", self)

    def _route(self, how: str, other: Host) -> None:
        _ip(self._holder, [f"route {how} blackhole {other.address}/32"])


class Switch:
    """The namespace with the bridge and one end of every host's cable, which has the host's name."""

    def __init__(self, holder: subprocess.Popen[bytes]) -> None:
        self._holder = holder
        self.change(f"link add name {_BRIDGE} type bridge", f"link set dev {_BRIDGE} up")

    def change(self, *lines: str) -> None:
        _ip(self._holder, lines)

    def connect(self, name: str, holder: subprocess.Popen[bytes]) -> None:
        self.change(
            f"link add name {name} type veth peer name eth0 netns {holder.pid}",
            f"link set dev {name} master {_BRIDGE} up",
        )


class Network:
    """Hosts on one bridge, made as they are asked for; all of it ends with the `with` block."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.holders: list[int] = []  # ids of the processes that hold its namespaces

    def __enter__(self) -> Network:
        with ExitStack() as stack:
            self._switch = Switch(self._hold(stack, "switch"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def host(self, name: str) -> Host:
        """A new host. `name`: up to 15 characters."""
        holder = self._hold(self._stack, name)
        address = f"10.213.0.{len(self.holders)}"
        self._switch.connect(name, holder)
        _ip(holder, [f"address add {address}/24 dev eth0", "link set dev eth0 up"])
        return Host(name, address, holder, self._switch)

    def _hold(self, stack: ExitStack, name: str) -> subprocess.Popen[bytes]:
        holder = stack.enter_context(_namespace(name))
        self.holders.append(holder.pid)
        return holder


@cache
def why_no_namespaces() -> str | None:
    """What stands in the way of making a network here, a clause; None where nothing does."""
    try:
        with Network() as network:
            network.host("tried")
    except (OSError, RuntimeError) as error:
        return str(error)
    return None


@contextmanager
def _namespace(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a network namespace, and a host name in it."""
    line = ["unshare", "--net", "--uts", "--", "sh", "-c", _HOLD, "sh", name]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe) as holder:
        assert holder.stdout is not None and holder.stderr is not None and holder.stdin is not None
        try:
            if holder.stdout.readline() != b"ready\n":
                raise RuntimeError(holder.stderr.read().decode(errors="replace").strip())
            yield holder
        finally:
            holder.stdin.close()
            holder.wait(_DEADLINE_S)


def _namespace_of(pid: int) -> str | None:
    """None where the process has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return None


def _entering(holder: subprocess.Popen[bytes]) -> list[str]:
    spaces = f"/proc/{holder.pid}/ns"
    return ["nsenter", f"--net={spaces}/net", f"--uts={spaces}/uts", "--"]


def _ip(holder: subprocess.Popen[bytes], lines: Sequence[str]) -> None:
    done = subprocess.run(
        [*_entering(holder), "ip", "-batch", "-"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
