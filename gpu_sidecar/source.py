"""The samples' source: `nvidia-smi dmon` as a child process, read line by line, started again when it dies.

Another source (a recording, another vendor's tool) is another class with `start`, `stop` and `status`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from gpu_sidecar.answers import SourceStatus
from gpu_sidecar.dmon import DmonParser, GpuSample

_log = logging.getLogger(__name__)

_FIRST_RESTART_S = 1.0
_LAST_RESTART_S = 30.0
_STOP_S = 5.0
_COMPLAINT_CHARACTERS = 200

# Runs in front of dmon in its own process, so that dmon ends when we are killed. Done here and not with
# preexec_fn, which may hang in a process that has threads. PR_SET_PDEATHSIG (1) watches the *thread* that
# started the child: `_run` starts it and lives as long as the source. Where there is no prctl, dmon ends at
# its next line, by SIGPIPE: Python ignores that signal and exec would hand the ignoring on.
_TIE_TO_PARENT = """\
import os, signal, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
except (ImportError, OSError, AttributeError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])
"""


class DmonSource:
    """Hands every sample to `on_sample`, in its own thread, from `start` to `stop`.

    `-s um`: utilisation and memory, which every driver has. dmon's period is whole seconds.
    """

    def __init__(
        self, executable: str, gpu_index: int, interval_s: int, on_sample: Callable[[GpuSample], None]
    ) -> None:
        self._command = [executable, "dmon", "-s", "um", "-d", str(interval_s), "-i", str(gpu_index)]
        self._on_sample = on_sample
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # of _child: a stop must not slip between starting it and noting it
        self._child: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._complaint = ""
        self._thread = threading.Thread(target=self._run, name="dmon", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends dmon and the thread; returns when both are gone."""
        self._stopping.set()
        with self._lock:
            child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
        self._thread.join(_STOP_S)

    def status(self) -> SourceStatus:
        child = self._child
        is_alive = child is not None and child.poll() is None
        return SourceStatus(alive=is_alive, restarts=self._restarts, complaint=self._complaint)

    def _run(self) -> None:
        pause_s = _FIRST_RESTART_S
        while not self._stopping.is_set():
            has_worked = self._read_one_child()
            if has_worked:
                pause_s = _FIRST_RESTART_S
            if self._stopping.is_set():
                return
            _log.warning("dmon ended (%s); starting it again in %.0f s", self._complaint or "no word", pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, _LAST_RESTART_S)
            self._restarts += 1

    def _read_one_child(self) -> bool:
        """Runs one dmon to its end; True if it gave a sample."""
        child = self._spawn()
        if child is None or child.stdout is None:
            return False
        parser, has_worked = DmonParser(), False
        with child.stdout:
            for line in child.stdout:
                if not line.endswith(b"\n"):
                    break  # cut off by its death: its last number may be half a number
                text = line.decode("utf-8", "replace")
                sample = parser.feed(text)
                if sample is not None:
                    has_worked = True
                    self._on_sample(sample)
                elif text.strip() and not text.lstrip().startswith("#"):
                    self._complaint = text.strip()[:_COMPLAINT_CHARACTERS]
        child.wait()
        return has_worked

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        # -I -S: nothing of the user's Python set-up is wanted, and it starts in a third of the time.
        tied = [sys.executable, "-I", "-S", "-c", _TIE_TO_PARENT, str(os.getpid()), *self._command]
        with self._lock:
            if self._stopping.is_set():
                return None
            try:
                # A session of its own: Ctrl-C is for us to handle, and dmon ends with us in any case.
                self._child = subprocess.Popen(
                    tied,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                self._complaint = f"can't be run: {error.strerror}"
                return None
            return self._child


class NoSource:
    """For a host without a GPU: nothing to start, nothing to stop, never a sample."""

    def start(self) -> None:
        return

    def stop(self) -> None:
        return

    def status(self) -> SourceStatus:
        return SourceStatus(alive=False, restarts=0, complaint="")
