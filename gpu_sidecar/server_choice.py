"""Finds the processes of the server under test by pid, by the port it listens on, or by its command line.

A search finds root processes; the server is these and all their descendants.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gpu_sidecar.proc import NO_PROC, Proc
from gpu_sidecar.processes import ProcessStat, ancestors_of, topmost, tree_of

# These hold the port of a container's server on the host. The server is another process, in another namespace.
_FORWARDERS = frozenset({"docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta"})
_INIT = 1
_NAMED_AT_MOST = 4
_UNSEEN = "run the sidecar as the same user or root, and in its pid namespace"
_PORTS = range(1, 65536)
_PIDS = range(1, 2**22 + 1)


@dataclass(frozen=True)
class ServerSelector:
    """How the user named the server. `kind` is `pid`, `port` or `name`, a regular expression for the command line."""

    kind: str
    value: str


@dataclass(frozen=True)
class ServerChoice:
    """The server's processes: the roots and all their descendants, sorted; empty while there are none.

    `why` explains the choice in one line. `name` is the name of the first root.
    """

    pids: tuple[int, ...]
    why: str
    name: str = ""


@dataclass(frozen=True)
class FoundRoots:
    """The result of a search. The roots are sorted, and none descends from another."""

    roots: tuple[int, ...]
    why: str


class RootSearch(Protocol):
    """One way to find the server."""

    def __call__(self, proc: Proc, parents: Mapping[int, int]) -> FoundRoots:
        """Looks for the server's roots. `parents` maps the pid of every process to its parent's."""


def parse_server_selector(text: str) -> ServerSelector:
    """Reads `pid:4242`, `port:8000` or `name:PATTERN`. Raises ValueError with one line."""
    kind, _, value = text.partition(":")
    check = _VALUE_CHECKS.get(kind)
    problem = check(value) if check else "give pid:N, port:N or name:PATTERN"
    if problem:
        raise ValueError(f"{text!r} is not a process: {problem}")
    return ServerSelector(kind, value)


def root_search(selector: ServerSelector) -> RootSearch:
    return _SEARCHES[selector.kind](selector.value)


class ServerTree:
    """Follows the server. It searches again while one of the roots is missing, and if told to search afresh."""

    def __init__(self, proc: Proc, search: RootSearch) -> None:
        self._proc, self._search = proc, search
        self._roots: tuple[ProcessStat, ...] = ()
        self._why = ""

    def update(self, is_afresh: bool = False) -> ServerChoice:
        if not self._proc.is_there():
            return ServerChoice((), NO_PROC)
        parents = self._proc.parents()
        if is_afresh or not self._roots or not all(self._is_left(root) for root in self._roots):
            found = self._search(self._proc, parents)
            self._why = found.why
            self._roots = _processes(self._proc, found.roots)
        name = self._roots[0].name if self._roots else ""
        return ServerChoice(tree_of((root.pid for root in self._roots), parents), self._why, name)

    def _is_left(self, root: ProcessStat) -> bool:
        stat = self._proc.process(root.pid)
        return stat is not None and stat.is_running and root.is_same(stat)


class _ByPid:
    """Finds the process with this pid. Pids are reused, so only the process that had it first counts."""

    def __init__(self, value: str) -> None:
        self._pid = int(value)
        self._first: ProcessStat | None = None

    def __call__(self, proc: Proc, parents: Mapping[int, int]) -> FoundRoots:
        stat = proc.process(self._pid)
        is_there = stat is not None and stat.is_running
        if self._first is None and is_there:
            self._first = stat
        if stat is not None and is_there and stat.is_same(self._first):
            return FoundRoots((self._pid,), f"asked for: {_names([stat])}")
        gone = f"process {self._pid} is gone" if self._first else f"there is no process {self._pid}"
        return FoundRoots((), f"{gone}: give the server's pid, or port:N or name:PATTERN, which find it again")


class _ByPort:
    """Finds the processes that listen on this port."""

    def __init__(self, value: str) -> None:
        self._port = int(value)

    def __call__(self, proc: Proc, parents: Mapping[int, int]) -> FoundRoots:
        inodes = proc.listening_inodes(self._port)
        if not inodes:
            return FoundRoots(
                (), f"nothing listens on port {self._port} here (in a container? give name:PATTERN or pid:N)"
            )
        holders = _processes(proc, proc.holders(inodes))
        servers = [stat for stat in holders if stat.name not in _FORWARDERS]
        if holders and not servers:
            why = f"{_names(holders)} only forwards port {self._port} to a container: give name:PATTERN or pid:N"
            return FoundRoots((), why)
        # A unit's socket is held by systemd too; in a container 1 may be the server itself.
        if any(stat.pid != _INIT for stat in servers):
            servers = [stat for stat in servers if stat.pid != _INIT]
        if not servers:
            return FoundRoots((), f"the process that listens on port {self._port} is hidden: {_UNSEEN}")
        return _found_roots(proc, servers, parents, f"listens on port {self._port}")


class _ByName:
    """Finds the processes whose command line matches a pattern.

    It never finds the sidecar, its ancestors or its children, nor a command line that contains `name:PATTERN` itself:
    that is another program that looks for the server, such as a worker of the load test.
    """

    def __init__(self, value: str) -> None:
        self._pattern = re.compile(value)
        self._own_option = f"name:{value}"

    def __call__(self, proc: Proc, parents: Mapping[int, int]) -> FoundRoots:
        own = os.getpid()
        ours = {own, *ancestors_of(own, parents), *tree_of([own], parents)}
        matching = [pid for pid in parents if pid not in ours and self._matches(proc.command_line(pid))]
        servers = [stat for stat in _processes(proc, matching) if stat.is_running]
        if not servers:
            return FoundRoots(
                (), f"no command line matches {self._pattern.pattern!r} (not started, or hidden: {_UNSEEN})"
            )
        return _found_roots(proc, servers, parents, f"command line matches {self._pattern.pattern!r}")

    def _matches(self, command_line: str) -> bool:
        return self._own_option not in command_line and self._pattern.search(command_line) is not None


class OnGpus:
    """Finds the servers that nvidia-smi has seen on the GPUs, if the user named none."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids

    def __call__(self, proc: Proc, parents: Mapping[int, int]) -> FoundRoots:
        servers = [stat for stat in _processes(proc, self._pids()) if stat.is_running]
        if not servers:
            return FoundRoots((), "no --server-process was given, and no known server is on a GPU")
        return _found_roots(proc, servers, parents, "on a GPU")


_SEARCHES: Mapping[str, Callable[[str], RootSearch]] = {"pid": _ByPid, "port": _ByPort, "name": _ByName}


def _found_roots(proc: Proc, stats: Iterable[ProcessStat], parents: Mapping[int, int], why: str) -> FoundRoots:
    roots = topmost([stat.pid for stat in stats], parents)
    return FoundRoots(tuple(roots), f"{why}: {_names(_processes(proc, roots))}")


def _processes(proc: Proc, pids: Iterable[int]) -> tuple[ProcessStat, ...]:
    """The processes that still exist."""
    return tuple(stat for stat in map(proc.process, pids) if stat is not None)


def _names(stats: Iterable[ProcessStat]) -> str:
    """Names processes, as `python3 (pid 42), python3 (pid 43) and 3 more`."""
    names = [f"{stat.name} (pid {stat.pid})" for stat in stats]
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _number_check(allowed: range, what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        is_good = value.isascii() and value.isdigit() and len(value) <= 9 and int(value) in allowed
        return "" if is_good else f"{what} from {allowed[0]} to {allowed[-1]}"

    return check


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        return f"not a regular expression ({error})"
    return "" if value else "the pattern is empty"


_VALUE_CHECKS: Mapping[str, Callable[[str], str]] = {
    "pid": _number_check(_PIDS, "a pid is a number"),
    "port": _number_check(_PORTS, "a port is a number"),
    "name": _check_pattern,
}
