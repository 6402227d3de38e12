"""Which GPU to watch, and why: from the answers of two `nvidia-smi` queries, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

GPU_QUERY = ("--query-gpu=index,uuid,name,memory.total,driver_version", "--format=csv,noheader")
APPS_QUERY = ("--query-compute-apps=pid,process_name,gpu_uuid", "--format=csv,noheader")

_PYTHON = re.compile(r"python[0-9.]*")
_LEADING_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Device:
    """One GPU of this host. `memory_total_mib` is None where the driver doesn't say."""

    index: int
    uuid: str
    name: str
    memory_total_mib: int | None
    driver: str


@dataclass(frozen=True)
class ComputeApp:
    """A process that holds memory on a GPU. In a container its name may be hidden."""

    pid: int
    name: str
    gpu_uuid: str


@dataclass(frozen=True)
class GpuChoice:
    """`device` is None where there is no GPU to watch. `why` is one line for people.

    `is_guess`: nothing pointed to this GPU, so that somebody should be told.
    """

    device: Device | None
    why: str
    is_guess: bool = False


class UnknownGpu(Exception):
    """An index was asked for that this host doesn't have; one line."""


def parse_devices(csv: str) -> list[Device]:
    """Lines of `GPU_QUERY`: `0, GPU-5d…, NVIDIA H200, 143771 MiB, 570.86.15`. Other lines are left out."""
    devices = []
    for line in csv.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 5 and _LEADING_NUMBER.fullmatch(cells[0]):
            memory = _LEADING_NUMBER.match(cells[3])
            total_mib = int(memory.group()) if memory else None
            devices.append(Device(int(cells[0]), cells[1], cells[2], total_mib, cells[4]))
    return devices


def parse_compute_apps(csv: str) -> list[ComputeApp]:
    """Lines of `APPS_QUERY`: `4242, /usr/bin/python3, GPU-5d…`. A process name may hold commas itself."""
    apps = []
    for line in csv.splitlines():
        pid, _, rest = line.partition(",")
        name, _, gpu_uuid = rest.rpartition(",")
        if name and _LEADING_NUMBER.fullmatch(pid.strip()):
            apps.append(ComputeApp(int(pid), name.strip(), gpu_uuid.strip()))
    return apps


def choose_gpu(devices: Sequence[Device], apps: Sequence[ComputeApp], wanted: int | None = None) -> GpuChoice:
    """The GPU asked for, else the one that a python process uses, else device 0 as a guess.

    Raises UnknownGpu when `wanted` is not among the devices.
    """
    if not devices:
        return GpuChoice(None, "nvidia-smi lists no GPU")
    if wanted is not None:
        return GpuChoice(_device_of_index(devices, wanted), f"asked for by index: {wanted}")
    python_apps = [app for app in apps if _is_python(app)]
    used = [device for device in devices if any(app.gpu_uuid == device.uuid for app in python_apps)]
    if used:
        return _choose_used(used, python_apps)
    first = min(devices, key=lambda device: device.index)
    others = f" of {len(devices)}" if len(devices) > 1 else ""
    return GpuChoice(first, f"no python process seen on a GPU: took device {first.index}{others}", is_guess=True)


def _device_of_index(devices: Sequence[Device], index: int) -> Device:
    for device in devices:
        if device.index == index:
            return device
    known = ", ".join(str(device.index) for device in devices)
    raise UnknownGpu(f"there is no GPU {index} here: choose one of {known}")


def _choose_used(used: Sequence[Device], apps: Sequence[ComputeApp]) -> GpuChoice:
    device = used[0]
    app = next(app for app in apps if app.gpu_uuid == device.uuid)
    why = f"used by process {app.pid} ({app.name})"
    if len(used) > 1:
        also = ", ".join(str(other.index) for other in used[1:])
        return GpuChoice(device, f"{why}; python processes are on GPU {also} too: choose by index", is_guess=True)
    return GpuChoice(device, why)


def _is_python(app: ComputeApp) -> bool:
    return _PYTHON.fullmatch(app.name.rsplit("/", 1)[-1]) is not None
