"""What must be the same in two runs so that one says something about the other, and on which machine each was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stt_load.report.machines import GPU, gpus, in_words, load_machines, server_machines

Identity = dict[str, Any]
_LONGEST = 60


def differences(one: Identity, other: Identity, places: tuple[str, str]) -> list[str]:
    """A line for each thing that differs. What only one side knows says nothing. `places`: names of the sides."""
    first, second = places
    return [
        f"{name}: {_shortened(one[name])} in {first}, {_shortened(other[name])} in {second}"
        for name in one
        if name in other and None not in (one[name], other[name]) and one[name] != other[name]
    ]


def machine_of(run: Mapping[str, Any]) -> Identity:
    """The machine of the server where a sidecar was there, and the one that made the load: from `run.json`."""
    return {
        "server": server_machines(run),
        "gpus": [{key: gpu.get(key) for key in GPU} for gpu in gpus(run)],
        "load": next(iter(load_machines(run)), {}),
    }


def machine_lines(machine: Identity, cpu_limit: float | None) -> list[str]:
    """Lines for people. `cpu_limit`: of the server's control group, in cores."""
    limit = "" if cpu_limit is None else f", CPU limit {cpu_limit:g} cores"
    lines = [f"server: {_machine(server)}{limit}" for server in machine["server"]]
    lines += [f"GPU: {in_words(gpu, GPU)}" for gpu in machine["gpus"]]
    if not lines:
        lines.append("server: its machine is not known, since no sidecar was there (--gpu-sidecar)")
    return [*lines, f"load: {_machine(machine['load'])}"]


def _machine(about: Mapping[str, Any]) -> str:
    return in_words(about, ("host", "cpu_model", "architecture", "cores", "container_cpu_limit")) or "not known"


def _shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
