"""Appends samples to the file of `--record`. `recording_format.py` has the format of its lines."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from gpu_sidecar.failures import in_words
from gpu_sidecar.recording_format import RecordingHeader, check_first_line, header_line, sample_line, stage_change_line
from gpu_sidecar.sample import Sample
from gpu_sidecar.timeline import StageChange

_log = logging.getLogger(__name__)

_MAX_HEADER_BYTES = 1024 * 1024


class Recorder:
    """Appends each line with one write, so that a killed sidecar loses half a line at most.

    If the disk is full or gone, it logs a warning and sampling goes on; it tries to write every further line, so that
    the recording resumes as soon as it can, and counts the lines that are missing in `n_lost`. If the file was moved or
    removed, it begins another one at its path. It calls `header` before each line and writes a changed header first.

    Creating one opens the file. Raises OSError if that fails, NotARecording if the file is something else.
    """

    def __init__(self, path: Path, header: Callable[[], RecordingHeader]) -> None:
        self._path = path
        self._header = header
        self._lock = threading.Lock()  # samples come from several threads
        self._written_header: RecordingHeader | None = None
        self._has_warned = False
        self._is_torn = False
        self.error = ""
        self.n_lines = 0
        self.n_lost = 0
        self._file = -1
        self._is_closed = False
        self._open()

    def add(self, sample: Sample, wall: float, mono: float) -> None:
        self._append(sample_line(sample, wall, mono))

    def add_stage_change(self, change: StageChange) -> None:
        self._append(stage_change_line(change))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._close_file()

    def _append(self, line: str) -> None:
        with self._lock:
            if self._is_closed:
                return
            try:
                header = self._header()
                if self._is_elsewhere():
                    self._open()
                if header != self._written_header:
                    self._write(header_line(header))
                    self._written_header = header
                self._write(line)
            except OSError as error:
                self._note_failure(error.strerror or str(error))
            except Exception as error:  # a line that can't be made must not cost the sample itself
                self._note_failure(in_words(error))
            else:
                self._note_success()

    def _open(self) -> None:
        """Opens the file, and makes it if need be. Raises OSError, or NotARecording if it is something else."""
        file = os.open(str(self._path), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._is_torn = _ends_torn(file)
        except BaseException:
            os.close(file)
            raise
        self._close_file()
        self._file, self._written_header = file, None

    def _is_elsewhere(self) -> bool:
        """True if the open file is not the one at the path any more: it was rotated, moved or removed."""
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._file))  # noqa: PTH116 - as cheap as it gets
        except FileNotFoundError:
            return True
        except OSError:
            return False  # nobody can look; the open file may be written to all the same

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _write(self, line: str) -> None:
        """Raises OSError if only a part could be written; the next line then starts on a new line."""
        content = ("\n" + line if self._is_torn else line).encode("utf-8")
        n_written = os.write(self._file, content)
        if n_written > 0:
            self._is_torn = n_written < len(content)
        if n_written < len(content):
            raise OSError(0, "only part of a line could be written")

    def _note_failure(self, why: str) -> None:
        self.n_lost += 1
        self.error = f"can't write to {self._path}: {why}"
        if not self._has_warned:
            _log.warning("recording: %s; sampling goes on", self.error)
        self._has_warned = True

    def _note_success(self) -> None:
        self.n_lines += 1
        self.error = ""
        if self._has_warned:
            _log.warning("recording: it goes on; %d lines are missing in all", self.n_lost)
        self._has_warned = False


def _ends_torn(file: int) -> bool:
    """True if a killed recorder left half a line at the end. Raises NotARecording if the file is something else."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        return False
    check_first_line(os.pread(file, _MAX_HEADER_BYTES, 0).partition(b"\n")[0].decode("utf-8", "replace"))
    return os.pread(file, 1, found.st_size - 1) != b"\n"
