"""The machines of a run, as `run.json` describes them: that of each sidecar, where the server is, and the load's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

JsonObject = Mapping[str, Any]

HARDWARE = ("cpu_model", "cores", "container_cpu_limit")
"""What a machine is, but for its name, which a container has anew each time."""

GPU = ("name", "memory_total_mib", "driver")

_WORDS = {
    "cores": "{} cores",
    "container_cpu_limit": "CPU limit {} cores",
    "index": "GPU {}",
    "memory_total_mib": "{} MiB",
    "driver": "driver {}",
}
"""How a key is told whose value says too little by itself."""


def server_machines(run: JsonObject) -> list[JsonObject]:
    """The machine of each sidecar that answered, its `host` among the keys. Old sidecars tell nothing but that."""
    entries = run.get("sidecars") or ()
    return [{"host": entry["host"], **(entry.get("machine") or {})} for entry in entries if entry.get("host")]


def load_machines(run: JsonObject) -> list[JsonObject]:
    return list(run.get("hosts") or ())


def gpus(run: JsonObject) -> list[JsonObject]:
    """The GPUs that the sidecars watched."""
    return list(run.get("gpu") or ())


def in_words(about: JsonObject, keys: Sequence[str]) -> str:
    """These keys of a machine or a GPU on one line, as far as it has them: `gpu-box, EPYC 7763, 64 cores`."""
    return ", ".join(
        _WORDS.get(key, "{}").format(f"{value:g}" if isinstance(value, float) else value)
        for key in keys
        if (value := about.get(key)) not in (None, "")
    )
