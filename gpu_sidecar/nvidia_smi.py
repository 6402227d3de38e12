"""Asks nvidia-smi which GPUs there are and which processes use them. Samples come from `sources/`."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass

from gpu_sidecar.child_process import OutputTooLong, read_to_end, signal_session, spawn, tied_to_us
from gpu_sidecar.gpu_choice import (
    APPS_QUERY,
    GPU_QUERY,
    MIG_PREFIX,
    MIG_QUERY,
    ComputeApp,
    Gpu,
    GpuSelector,
    is_gpu_row,
    parse_compute_apps,
    parse_gpus,
    parse_mig_parents,
)
from gpu_sidecar.nvidia_smi_errors import describe_exit, is_away, reason_of
from gpu_sidecar.tool_path import find_tool, not_found

# Without persistence mode the driver is loaded anew for each call: seconds, on a host with many GPUs.
QUERY_TIMEOUT_S = 20.0
_END_S = 1.0
_MAX_OUTPUT_BYTES = 4 * 1024 * 1024  # thousands of processes take a tenth of it


class QueryFailed(Exception):
    """nvidia-smi gave no answer; the text is one line, if possible in its own words."""


@dataclass(frozen=True)
class GpuInventory:
    """The GPUs of this host and the processes on them. `mig_parents` maps the UUID of a MIG device to its GPU's, and is
    empty if no MIG device is in use. `warnings`: what nvidia-smi printed beside them."""

    gpus: list[Gpu]
    apps: list[ComputeApp]
    mig_parents: dict[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Output:
    """What one query printed, and its exit status."""

    text: str
    status: int

    @property
    def reason(self) -> str:
        """Why it failed, in its own words if it has any."""
        return reason_of(self.text.splitlines()) or describe_exit(self.status)

    @property
    def words(self) -> str:
        """The first line of a list of GPUs that is no row of a GPU in use; "" if there is none."""
        lines = (line.strip() for line in self.text.splitlines())
        return next((line for line in lines if line and (is_away(line) or not is_gpu_row(line))), "")


class NvidiaSmi:
    """Runs one query at a time, from one thread. `stop`, from any thread, ends the query and refuses later ones."""

    def __init__(self, timeout_s: float = QUERY_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # of _child: a stop must not slip between starting it and noting it
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def query(self, selector: GpuSelector) -> GpuInventory:
        """Lists GPUs and processes. Raises QueryFailed if the GPUs can't be listed.

        One GPU that is broken makes nvidia-smi fail (exit codes 14 and 15), and the rows of the others are good: they
        count. Some containers can't list processes; then the list is empty.
        """
        executable = find_tool("nvidia-smi")
        if executable is None:
            raise QueryFailed(not_found("nvidia-smi"))
        listed = self._run(executable, *GPU_QUERY)
        gpus = parse_gpus(listed.text)
        if listed.status != 0 and not gpus:
            raise QueryFailed(f"nvidia-smi failed: {listed.reason}")
        apps: list[ComputeApp] = []
        with suppress(QueryFailed):
            apps = parse_compute_apps(self._run(executable, *APPS_QUERY).text)
        mig_parents: dict[str, str] = {}
        if any(uuid.startswith(MIG_PREFIX) for uuid in (*selector.ids, *(app.gpu_uuid for app in apps))):
            with suppress(QueryFailed):
                mig_parents = parse_mig_parents(self._run(executable, *MIG_QUERY).text)
        warnings = (f"nvidia-smi: {listed.words}",) if gpus and listed.words else ()
        return GpuInventory(gpus, apps, mig_parents, warnings)

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            child = self._child
        if child is not None:
            _kill(child)

    def _run(self, *command: str) -> _Output:
        child = self._spawn(command)
        try:
            out, errors = read_to_end(child, self._timeout_s, _MAX_OUTPUT_BYTES)
        except subprocess.TimeoutExpired:
            raise QueryFailed(f"nvidia-smi did not answer within {self._timeout_s:g} s") from None
        except OutputTooLong:
            raise QueryFailed(f"nvidia-smi printed more than {_MAX_OUTPUT_BYTES >> 20} MiB") from None
        finally:
            _kill(child)
            with suppress(subprocess.TimeoutExpired):
                child.wait(_END_S)
        # It explains itself on stdout or stderr, depending on the fault.
        return _Output((out + b"\n" + errors).decode("utf-8", "replace"), child.returncode)

    def _spawn(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_stopped:
                raise QueryFailed("stopped")
            # Stuck in a broken driver it can't even be killed: no second one is sent after it.
            if self._child is not None and self._child.poll() is None:
                raise QueryFailed("nvidia-smi hangs and can't be killed: look at the driver's messages (dmesg)")
            try:
                self._child = spawn(tied_to_us(command), stderr=subprocess.PIPE)
            except OSError as error:
                raise QueryFailed(f"nvidia-smi can't be run: {error.strerror}") from None
            return self._child


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        signal_session(child, signal.SIGKILL)
