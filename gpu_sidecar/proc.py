"""Reads /proc. `processes.py` parses the text of its files.

Processes may end while they are read, and other users' processes hide some files: what can't be read is None, empty or
left out, and raises nothing. But where this process lacks what reading takes (a descriptor, memory), every method
raises OSError: a server must not pass for ended then.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from gpu_sidecar.processes import (
    CpuTicks,
    ProcessStat,
    parse_cpu_ticks,
    parse_listening_inodes,
    parse_memory_used_mib,
    parse_process_stat,
)

NO_PROC = "this host has no /proc: its CPU and processes can't be seen (Linux has one)"

# More than any file of one process or of memory; /proc/stat is longer on hosts with many cores, but its first line
# is all that is wanted.
_READ_BYTES = 16384

_OUR_OWN_LACK = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Proc:
    """The files of /proc, or of another `root` folder like it."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._parents: dict[int, int] = {}

    def is_there(self) -> bool:
        return self.cpu_ticks() is not None

    def cpu_ticks(self) -> CpuTicks | None:
        return parse_cpu_ticks(self._read("stat"))

    def memory_used_mib(self) -> float | None:
        return parse_memory_used_mib(self._read("meminfo"))

    def cpu_model(self) -> str | None:
        """The processor's name; None where the kernel doesn't say (many ARM machines)."""
        lines = (line.partition(":") for line in self._read("cpuinfo").splitlines())
        return next((value.strip() for name, _, value in lines if name.strip() == "model name"), None)

    def process(self, pid: int) -> ProcessStat | None:
        return parse_process_stat(self._read(f"{pid}/stat"))

    def command_line(self, pid: int) -> str:
        """The arguments of a process with blanks between them; empty for kernel threads and if it can't be read."""
        return self._read(f"{pid}/cmdline").replace("\0", " ").strip()

    def pids(self) -> list[int]:
        with _unless_we_lack_something(), os.scandir(self._root) as entries:
            return [int(entry.name) for entry in entries if entry.name.isdigit()]
        return []

    def parents(self) -> dict[int, int]:
        """Maps the pid of every process to the pid of its parent.

        Only new processes, and those whose parent has ended (they have another one then), are read, so with thousands
        of processes this costs little more than listing them. A pid that was reused since the last call keeps its old
        parent until that ends; the kernel reuses pids as late as it can.
        """
        now = set(self.pids())
        kept = {pid: parent for pid, parent in self._parents.items() if pid in now and (parent in now or not parent)}
        for pid in now - kept.keys():
            stat = self.process(pid)
            if stat is not None:
                kept[pid] = stat.ppid
        self._parents = kept
        return dict(kept)

    def listening_inodes(self, port: int) -> set[int]:
        """The inodes of sockets in this network namespace that listen on the port."""
        tables = (self._read_whole(f"net/{name}") for name in ("tcp", "tcp6"))
        return {inode for table in tables for inode in parse_listening_inodes(table, port)}

    def holders(self, inodes: Collection[int]) -> list[int]:
        """The processes that have one of the sockets open. Only root sees the sockets of other users' processes."""
        wanted = {f"socket:[{inode}]" for inode in inodes}
        return [pid for pid in self.pids() if any(target in wanted for target in self._open_files(pid))]

    def _open_files(self, pid: int) -> list[str]:
        """The targets of a process's descriptors; one that is closed meanwhile is left out."""
        found: list[str] = []
        with _unless_we_lack_something(), os.scandir(f"{self._root}/{pid}/fd") as entries:
            for entry in entries:
                with _unless_we_lack_something():
                    found.append(os.readlink(entry.path))  # noqa: PTH115 (Path's came with Python 3.9)
        return found

    def _read(self, name: str) -> str:
        """The beginning of a file. Python's file objects would cost twice as much, and this runs every second."""
        with _unless_we_lack_something():
            file = os.open(f"{self._root}/{name}", os.O_RDONLY)
            try:
                return os.read(file, _READ_BYTES).decode("utf-8", "replace")
            finally:
                os.close(file)
        return ""

    def _read_whole(self, name: str) -> str:
        with _unless_we_lack_something():
            return Path(self._root, name).read_bytes().decode("utf-8", "replace")
        return ""


@contextmanager
def _unless_we_lack_something() -> Iterator[None]:
    """Takes an OSError for a file that isn't there or isn't for us, but not if this process lacks something itself."""
    try:
        yield
    except OSError as error:
        if error.errno in _OUR_OWN_LACK:
            raise
