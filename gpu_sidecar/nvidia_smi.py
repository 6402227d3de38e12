"""Asking nvidia-smi once: which GPUs there are, and who uses them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from gpu_sidecar.devices import (
    APPS_QUERY,
    GPU_QUERY,
    GpuChoice,
    choose_gpu,
    parse_compute_apps,
    parse_devices,
)

# Without persistence mode the driver is loaded anew for each call: seconds, on a host with many GPUs.
_QUERY_TIMEOUT_S = 20.0


class QueryFailed(Exception):
    """nvidia-smi gave no answer; one line with its own words."""


def find_gpu(wanted: int | None) -> tuple[str | None, GpuChoice]:
    """The path of nvidia-smi (None where there is nothing to tail) and the GPU to watch.

    Raises UnknownGpu when `wanted` is not among this host's GPUs.
    """
    executable = shutil.which("nvidia-smi")
    if executable is None:
        return None, GpuChoice(None, "nvidia-smi is not on PATH")
    try:
        devices = parse_devices(_ask(executable, GPU_QUERY))
    except QueryFailed as error:
        return None, GpuChoice(None, str(error))
    choice = choose_gpu(devices, parse_compute_apps(_ask_for_apps(executable)), wanted)
    return (executable if choice.device else None), choice


def _ask_for_apps(executable: str) -> str:
    """Empty where the driver can't list processes (some containers): then the choice is a guess, not an error."""
    try:
        return _ask(executable, APPS_QUERY)
    except QueryFailed:
        return ""


def _ask(executable: str, query: Sequence[str]) -> str:
    command = [executable, *query]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_QUERY_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise QueryFailed(f"nvidia-smi did not answer within {_QUERY_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise QueryFailed(f"nvidia-smi can't be run: {error.strerror}") from None
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        # It explains itself on stdout or stderr, depending on the fault.
        words = (text + done.stderr.decode("utf-8", "replace")).strip().splitlines()
        raise QueryFailed(f"nvidia-smi failed: {words[0] if words else f'exit {done.returncode}'}")
    return text
