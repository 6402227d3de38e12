"""Chooses which GPUs to watch, from the text that `nvidia-smi` prints, and says why.

The list of compute apps shows who uses a GPU; servers are known by their names (`known_servers.py`). In a container the
driver gives the pids of the host, and names that it can't look up there: `[Not Found]`, `[Insufficient Permissions]` or
`-`; often the list is empty (https://github.com/NVIDIA/nvidia-docker/issues/179, /1483). Then the choice is a guess,
and says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Callable  # noqa: UP035 - ProgramOf is made at run time

from gpu_sidecar.known_servers import is_known_server

GPU_QUERY = ("--query-gpu=index,uuid,name,memory.total,driver_version", "--format=csv,noheader")
APPS_QUERY = ("--query-compute-apps=pid,process_name,gpu_uuid", "--format=csv,noheader")
MIG_QUERY = ("-L",)

MIG_PREFIX = "MIG-"
ADVICE = "choose with --gpu-id"
SERVER_ADVICE = "choose with --server-process or --gpu-id"

ProgramOf = Callable[[int], int]
"""Maps a pid to a number that all processes of one program share."""

_HIDDEN = re.compile(r"-?|\[.*\]")
_APP_GPU = re.compile(r"(?:GPU|MIG)-\S+")
_LEADING_NUMBER = re.compile(r"[0-9]{1,9}")
_GPU_ID = re.compile(r"[0-9]{1,4}|(?:GPU|MIG)-[0-9A-Za-z/-]+")
_LISTED_UUID = re.compile(r"\(UUID: ([^)\s]+)\)")
# Drivers before R470 name a MIG device after its GPU: MIG-GPU-5d…/7/0 (NVIDIA MIG User Guide, "Device Enumeration").
_OLD_MIG_UUID = re.compile(r"MIG-(GPU-[^/]+)/.*")


@dataclass(frozen=True)
class Gpu:
    """One GPU of this host. `memory_total_mib` is None if the driver doesn't say."""

    index: int
    uuid: str
    name: str
    memory_total_mib: int | None
    driver: str


@dataclass(frozen=True)
class ComputeApp:
    """A process that holds memory on a GPU. `pid` is None where the driver hides it."""

    pid: int | None
    name: str
    gpu_uuid: str

    @property
    def is_hidden(self) -> bool:
        """True if the driver doesn't know its name: it may belong to another user, or its pid to another namespace."""
        return self.pid is None or _HIDDEN.fullmatch(self.name) is not None

    @property
    def is_server(self) -> bool:
        """True for Python and for the servers that are known by name."""
        return is_known_server(self.short_name)

    @property
    def short_name(self) -> str:
        """The name without its folders, and without the arguments that some programs leave in it."""
        first = self.name.partition(" ")[0].rsplit("/", 1)[-1]
        return first if is_known_server(first) else self.name.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class GpuSelector:
    """Which GPUs the user asked for: `ids` (indexes or UUIDs, of GPUs or MIG devices), all, none, or by process."""

    ids: tuple[str, ...] = ()
    is_all: bool = False
    is_none: bool = False

    @property
    def is_by_process(self) -> bool:
        return not (self.ids or self.is_all or self.is_none)


@dataclass(frozen=True)
class GpuChoice:
    """The GPUs that are watched, empty if there is none. `why` explains the choice in one line.

    `is_guess` is True if nothing pointed to these GPUs, so that the user should be told.
    """

    gpus: tuple[Gpu, ...]
    why: str
    is_guess: bool = False


class UnknownGpu(Exception):
    """The user asked for a GPU that this host doesn't have."""


def parse_gpu_selector(text: str | None) -> GpuSelector:
    """Reads `0`, `GPU-5d…`, `MIG-71…`, several with commas, `all` or `none`; empty means by process.

    Raises ValueError.
    """
    ids = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    if ids == ("all",):
        return GpuSelector(is_all=True)
    if ids == ("none",):
        return GpuSelector(is_none=True)
    for word in ids:
        if not _GPU_ID.fullmatch(word):
            raise ValueError(
                f"{word!r} is not a GPU: give indexes or UUIDs (GPU-… or MIG-…) with commas between them, all or none"
            )
    return GpuSelector(ids)


def parse_gpus(csv: str) -> list[Gpu]:
    """Parses lines of `GPU_QUERY`: `0, GPU-5d…, NVIDIA H200, 143771 MiB, 570.86.15`. Other lines are ignored.

    A name may itself contain commas.
    """
    gpus = []
    for line in filter(is_gpu_row, csv.splitlines()):
        index, uuid, rest = line.split(",", 2)
        name, memory, driver = (cell.strip() for cell in rest.rsplit(",", 2))
        total = _LEADING_NUMBER.match(memory)
        gpus.append(Gpu(int(index), uuid.strip(), name, int(total.group()) if total else None, driver))
    return gpus


def is_gpu_row(line: str) -> bool:
    """True for a line of `GPU_QUERY` that describes a GPU with its index."""
    return line.count(",") >= 4 and _LEADING_NUMBER.fullmatch(line.partition(",")[0].strip()) is not None


def parse_compute_apps(csv: str) -> list[ComputeApp]:
    """Parses lines of `APPS_QUERY`: `4242, /usr/bin/python3, GPU-5d…`. A process name may itself contain commas.

    A pid that is hidden, `[Insufficient Permissions]`, counts if a GPU stands in its line.
    """
    apps = []
    for line in csv.splitlines():
        pid, _, rest = (cell.strip() for cell in line.partition(","))
        name, comma, gpu_uuid = (cell.strip() for cell in rest.rpartition(","))
        if comma and _LEADING_NUMBER.fullmatch(pid):
            apps.append(ComputeApp(int(pid), name, gpu_uuid))
        elif comma and _HIDDEN.fullmatch(pid) and _APP_GPU.fullmatch(gpu_uuid):
            apps.append(ComputeApp(None, name, gpu_uuid))
    return apps


def parse_mig_parents(listing: str) -> dict[str, str]:
    """Maps the UUID of each MIG device to the UUID of its GPU, from the output of `MIG_QUERY`:

    GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-7f…)
      MIG 1g.10gb     Device  0: (UUID: MIG-fe…)
    """
    parents, gpu_uuid = {}, ""
    for line in listing.splitlines():
        found = _LISTED_UUID.search(line)
        if found and line.startswith("GPU "):
            gpu_uuid = found.group(1)
        elif found and gpu_uuid and line.lstrip().startswith("MIG "):
            parents[found.group(1)] = gpu_uuid
    return parents


def gpu_of(uuid: str, mig_parents: Mapping[str, str]) -> str:
    """The UUID of the GPU that a MIG device is on. Any other UUID is returned unchanged."""
    old = _OLD_MIG_UUID.fullmatch(uuid)
    return old.group(1) if old else mig_parents.get(uuid, uuid)


def choose_gpus(
    gpus: Sequence[Gpu],
    apps: Iterable[ComputeApp],
    selector: GpuSelector,
    server_pids: Collection[int] | None = None,
    mig_parents: Mapping[str, str] | None = None,
    program_of: ProgramOf = lambda pid: pid,
) -> GpuChoice:
    """Chooses the GPUs asked for, else those of the server's processes, else those of known servers, else guesses.

    `server_pids` is None if the user named no server, and empty while the server isn't running. `program_of` says which
    processes belong together: several programs on different GPUs are a guess. Raises UnknownGpu if one of the GPUs
    asked for is not in `gpus`.
    """
    if not gpus:
        return GpuChoice((), "nvidia-smi lists no GPU")
    parents = mig_parents or {}
    if selector.is_all:
        return GpuChoice(tuple(gpus), f"asked for: all {len(gpus)}")
    if selector.ids:
        return GpuChoice(_gpus_of_ids(gpus, selector.ids, parents), f"asked for: {', '.join(selector.ids)}")
    on_gpus = [replace(app, gpu_uuid=gpu_of(app.gpu_uuid, parents)) for app in apps]
    if server_pids:
        return _choose_by_server(gpus, on_gpus, server_pids)
    choice = _choose_by_name(gpus, on_gpus, program_of)
    if server_pids is None:
        return choice
    return GpuChoice(choice.gpus, f"the server was not found: {choice.why}", is_guess=True)


def _choose_by_server(gpus: Sequence[Gpu], apps: Sequence[ComputeApp], pids: Collection[int]) -> GpuChoice:
    used = [app for app in apps if app.pid in pids]
    if used:
        return _choice_of(gpus, used)
    hidden = [app for app in apps if app.is_hidden]
    if not apps or hidden:
        return _guess(gpus, hidden, "one may be the server")
    # A gateway that hands its work to another program, or a server that uses the CPU.
    reason = f"the server (pid {min(pids)}) and its children use no GPU"
    others = [app for app in apps if app.is_server and _gpus_of_apps(gpus, [app])]
    if others:
        do = "a known server does" if len(others) == 1 else "known servers do"
        why = f"{reason}; {do}: {_who(gpus, others)}: {ADVICE}"
        return GpuChoice(_gpus_of_apps(gpus, others), why, is_guess=True)
    return GpuChoice((gpus[0],), f"{reason}; watching GPU {gpus[0].index}: {ADVICE}", is_guess=True)


def _choose_by_name(gpus: Sequence[Gpu], apps: Sequence[ComputeApp], program_of: ProgramOf) -> GpuChoice:
    if not any(app.is_server for app in apps):
        return _guess(gpus, apps, "none is known to be a server")
    # One whose name is hidden may be the server as well.
    candidates = [app for app in apps if app.is_server or app.is_hidden]
    choice = _choice_of(gpus, candidates)
    programs = {app.gpu_uuid if app.pid is None else program_of(app.pid) for app in candidates}
    if choice.is_guess or len(choice.gpus) < 2 or len(programs) < 2:
        return choice
    return replace(choice, why=f"{choice.why}; any of these may be the server: {SERVER_ADVICE}", is_guess=True)


def _choice_of(gpus: Sequence[Gpu], used: Sequence[ComputeApp]) -> GpuChoice:
    """The GPUs that these processes use; a guess where one of their GPUs is not listed."""
    listed = {gpu.uuid for gpu in gpus}
    away = [app for app in used if app.gpu_uuid not in listed]
    if not away:
        return GpuChoice(_gpus_of_apps(gpus, used), _who(gpus, used))
    lost = f"{_named(away[0])} is on {away[0].gpu_uuid}, which nvidia-smi doesn't list"
    held = _gpus_of_apps(gpus, used)
    shown = _who(gpus, used) if held else f"watching all {len(gpus)}"
    return GpuChoice(held or tuple(gpus), f"{lost}; {shown}: {ADVICE}", is_guess=True)


def _guess(gpus: Sequence[Gpu], apps: Sequence[ComputeApp], trouble: str) -> GpuChoice:
    """A guess: the GPUs with any process on them, else all GPUs."""
    held = _gpus_of_apps(gpus, apps)
    if held:
        return GpuChoice(held, f"{_who(gpus, apps)}; {trouble}: {ADVICE}", is_guess=True)
    why = "nvidia-smi shows no process on a GPU (in a container it can't)"
    return GpuChoice(tuple(gpus), f"{why}: watching all {len(gpus)}, {ADVICE}", is_guess=True)


def _gpus_of_apps(gpus: Iterable[Gpu], apps: Iterable[ComputeApp]) -> tuple[Gpu, ...]:
    uuids = {app.gpu_uuid for app in apps}
    return tuple(gpu for gpu in gpus if gpu.uuid in uuids)


def _who(gpus: Iterable[Gpu], apps: Sequence[ComputeApp]) -> str:
    """Who uses which GPU, as `GPU 0: python3 (pid 42); GPU 1: [Not Found] (pid 7) and 2 more`."""
    parts = []
    for gpu in gpus:
        here = [app for app in apps if app.gpu_uuid == gpu.uuid]
        if here:
            more = f" and {len(here) - 1} more" if len(here) > 1 else ""
            parts.append(f"GPU {gpu.index}: {_named(here[0])}{more}")
    return "; ".join(parts)


def _named(app: ComputeApp) -> str:
    return f"{app.short_name or '-'} (pid {'hidden' if app.pid is None else app.pid})"


def _gpus_of_ids(gpus: Sequence[Gpu], ids: Iterable[str], mig_parents: Mapping[str, str]) -> tuple[Gpu, ...]:
    by_id = {gpu.uuid: gpu for gpu in gpus}
    by_id.update({str(gpu.index): gpu for gpu in gpus})
    chosen = set()
    for name in ids:
        gpu = by_id.get(str(int(name)) if name.isdigit() else gpu_of(name, mig_parents))
        if gpu is None:
            known = ", ".join(f"{gpu.index} ({gpu.uuid})" for gpu in gpus)
            raise UnknownGpu(f"there is no GPU {name} here: choose from {known}")
        chosen.add(gpu)
    return tuple(gpu for gpu in gpus if gpu in chosen)
