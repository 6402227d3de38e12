"""Starts a GPU sidecar on this machine for the time of a run."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from stt_load.credentials import SIDECAR_TOKEN_VARIABLE
from stt_load.errors import ConfigError, DeadlineExceeded, SttLoadError
from stt_load.process.log import log

_STOP_S = 10.0  # the sidecar gives dmon five of them
_POLL_S = 0.02
_USAGE = 2  # the sidecar's exit code for bad input
_MAX_LOG_BYTES = 1024 * 1024


class LocalSidecar:
    """A sidecar on this machine, started on entering and always stopped on leaving.

    Raises ConfigError if the sidecar refuses its options, SttLoadError if it doesn't start. Only the process that
    started it can stop it: a fork that closes its copy does nothing.
    """

    def __init__(
        self, gpu_id: str | None = None, server_process: str | None = None, start_timeout_s: float = 60.0
    ) -> None:
        """`gpu_id` and `server_process` are the sidecar's options of these names; None leaves the choice to it.

        `token`: what the sidecar is to be shown. Every user of this machine reaches its port, and could tag its samples
        with another stage.
        """
        self.url = ""
        self.token = secrets.token_hex()
        self._gpu_id = gpu_id
        self._server_process = server_process
        self._start_timeout_s = start_timeout_s
        self._child: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._logged_bytes = 0
        self._owner_pid = os.getpid()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of a sidecar that ended by itself, negative for a signal; None while it runs, or has to."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Starts the sidecar and returns when it listens; then `url` is set. One that ended can be started again."""
        self._close_files()
        self._logged_bytes = 0
        # Files and not pipes: nobody has to read them for the child to go on.
        self._output, self._log_file = _scratch_file(), _scratch_file()
        self._owner_pid = os.getpid()
        self._child = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._log_file,
            env=_environment(self.token),
            start_new_session=True,  # Ctrl-C only reaches us: the last samples are pulled after it
        )
        try:
            self.url = self._await_url(self._child, self._output)
        except BaseException:
            self.close()
            raise
        self.pass_on_log()

    def close(self) -> None:
        """Stops the sidecar with SIGTERM, and if need be SIGKILL. May be called twice."""
        child, self._child = self._child, None
        if child is None or os.getpid() != self._owner_pid:
            return
        child.terminate()
        child.send_signal(signal.SIGCONT)  # one that was stopped ends only once it continues
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self.pass_on_log()
        self._close_files()

    def _close_files(self) -> None:
        for file in (self._output, self._log_file):
            if file is not None:
                file.close()

    def _command(self) -> list[str]:
        command = [sys.executable, "-P", "-m", "gpu_sidecar", "--port", "0", "--exit-with-parent", str(os.getpid())]
        for option, value in (("--gpu-id", self._gpu_id), ("--server-process", self._server_process)):
            if value is not None:
                command.append(f"{option}={value}")  # one word: a pattern may begin with a dash
        return command

    def _await_url(self, child: subprocess.Popen[bytes], output: IO[bytes]) -> str:
        deadline = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline:
            exit_code = child.poll()
            line, end, _ = _read_all(output).partition(b"\n")
            if end:
                return line.decode().removeprefix("listening on ")
            if exit_code is not None:
                raise self._explain(exit_code)
            time.sleep(_POLL_S)
        raise DeadlineExceeded(f"the GPU sidecar did not start within {self._start_timeout_s:g} s")

    def _explain(self, exit_code: int) -> SttLoadError:
        lines = self._unread_log()
        if exit_code == _USAGE and lines:
            return ConfigError(lines[-1])
        return SttLoadError(
            f"the GPU sidecar ended at once (exit {exit_code}): {lines[-1] if lines else 'it printed nothing'}"
        )

    def pass_on_log(self) -> None:
        """Logs what the sidecar has printed since the last call as warnings."""
        if self._log_file is not None and not self._log_file.closed:
            for line in self._unread_log():
                log.warning("%s", line)

    def _unread_log(self) -> list[str]:
        assert self._log_file is not None
        whole = _read_all(self._log_file)
        unread, self._logged_bytes = whole[self._logged_bytes :], len(whole)
        return unread.decode("utf-8", "replace").splitlines()


def _scratch_file() -> IO[bytes]:
    """A file without a name, in memory where the system can: a disk that is full must not keep the sidecar's URL."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("gpu-sidecar"), "w+b")
    return tempfile.TemporaryFile()


def _read_all(file: IO[bytes]) -> bytes:
    """The whole file, read without moving the position at which the child writes."""
    return os.pread(file.fileno(), _MAX_LOG_BYTES, 0)


def _environment(token: str) -> dict[str, str]:
    """Our environment with the gpu_sidecar that this process would import, and with this token."""
    found = importlib.util.find_spec("gpu_sidecar")
    if found is None or found.origin is None:
        raise ConfigError("the package gpu_sidecar is not installed beside stt_load: reinstall stt-load")
    places = [str(Path(found.origin).parent.parent), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(place for place in places if place)
    return {**os.environ, "PYTHONPATH": path, SIDECAR_TOKEN_VARIABLE: token}
