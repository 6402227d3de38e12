"""A server in a process of its own, for the demo, calibration and the bench: started, waited for and ended."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from stt_load.errors import ConfigError, SttLoadError

_ANNOUNCEMENT = b"listening on "
_STT_LOAD = ("-m", "stt_load")


class ServerFailed(SttLoadError):
    """The server ended, or said nothing in time; the message carries the last line of its standard error."""


class ServerProcess:
    """`[sys.executable, "-P", *arguments, "--exit-with-parent"]`, listening once the constructor returns.

    The server must print `listening on URL` first, and end when its standard input does: then
    `kill -9` of this process takes it along. Raises ConfigError where it calls its input bad (exit 2), else
    ServerFailed; nothing is left running then. Use as a context manager, or call `stop`.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        start_deadline_s: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - read after the process has ended
        self._process = subprocess.Popen(
            [sys.executable, "-P", *arguments, "--exit-with-parent"],  # no module of the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # A group of its own: Ctrl-C in the terminal leaves it to its starter when the server ends.
            process_group=0,
            env=None if environment is None else {**os.environ, **environment},
        )
        try:
            self.url = self._read_announcement(time.monotonic() + start_deadline_s)
        except BaseException:
            self.stop(patience_s=0.0)
            raise

    @property
    def http_url(self) -> str:
        """`http://HOST:PORT`, for /healthz and /timings."""
        return f"http://{urlsplit(self.url).netloc}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def stderr(self) -> str:
        """The text that it has written to its standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def stop(self, patience_s: float = 5.0) -> int:
        """SIGTERM, SIGKILL after `patience_s`; returns the exit code (negative: the signal). May be called again."""
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._errors.close()

    def _read_announcement(self, deadline_s: float) -> str:
        assert self._process.stdout is not None
        pipe, line = self._process.stdout.fileno(), b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([pipe], [], [], max(0.0, deadline_s - time.monotonic()))
            if not readable:
                raise ServerFailed(f"the server was not ready in time{self._last_words()}")
            data = os.read(pipe, 1)  # no further than the line: nothing else is expected
            if not data:
                code = self._process.wait()
                if code == 2:
                    raise ConfigError([line.removeprefix("error: ") for line in self.stderr.splitlines()])
                raise ServerFailed(f"the server ended with exit code {code}{self._last_words()}")
            line += data
        if not line.startswith(_ANNOUNCEMENT):
            raise ServerFailed(f"not a server's first line: {line!r}")
        return line.removeprefix(_ANNOUNCEMENT).decode().strip()

    def _last_words(self) -> str:
        lines = self.stderr.splitlines()
        return f": {lines[-1]}" if lines else ""


def start_embedded_server(*flags: str, start_deadline_s: float = 60.0) -> ServerProcess:
    """Starts `stt-load serve --port 0 FLAGS`: the recogniser, or with --tts the TTS server."""
    return ServerProcess([*_STT_LOAD, "serve", "--port", "0", *flags], start_deadline_s)


def start_sink_server(
    delay_s: float = 0.3, text: str = "some words", truth: Path | None = None, host: str = "127.0.0.1"
) -> ServerProcess:
    """Starts `python -m stt_load.server.sink` on a free port: vosk's dialect, thousands of callers, no recogniser."""
    arguments = ["-m", "stt_load.server.sink", "--host", host, "--port", "0", "--delay", str(delay_s), "--text", text]
    return ServerProcess(arguments + (["--truth", str(truth)] if truth is not None else []))
