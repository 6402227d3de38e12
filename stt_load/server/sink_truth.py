"""The log of the sink, one JSON line an utterance: the truth that reported latencies are compared with.

text           the answer, unique to the utterance; null where the caller was gone before it was due
last_frame_s   kernel receive stamp of the read that completed its last binary frame; null where there was no frame
end_s          the same of the read that held its end message
text_sent_s    after the call that handed the answer's last byte to the kernel; null where there was none

Monotonic seconds, on Linux the same clock in every process of a machine.
"""

from __future__ import annotations

import json
from pathlib import Path

from stt_load.errors import ConfigError, WriteError


class SinkTruth:
    """Appends to a file at `flush`, and after `_BATCH` lines: a write for each line would make answers late. Raises
    ConfigError where the file can't be opened, WriteError where it takes no more."""

    _BATCH = 1_000

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--truth {path}: {error.strerror}; name a file that can be written") from None
        self._lines: list[str] = []

    def add(self, text: str | None, last_frame_s: float | None, end_s: float, text_sent_s: float | None) -> None:
        row = {"text": text, "last_frame_s": last_frame_s, "end_s": end_s, "text_sent_s": text_sent_s}
        self._lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        if len(self._lines) >= self._BATCH:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            try:
                self._file.write("".join(self._lines))
                self._file.flush()
            except OSError as error:
                raise WriteError(f"--truth {self._path}: {error.strerror}") from None
            self._lines.clear()
