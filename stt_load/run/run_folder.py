"""The run folder while the run goes on: files that only grow, and `run.json`."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from stt_load.atomic_file import write_atomically
from stt_load.errors import ConfigError
from stt_load.sealed_lines import sealed, sealed_file
from stt_load.whole_characters import with_whole_characters


class RunFolder:
    """Appends raw lines. Each is with the operating system before the call returns, so that kill -9 loses none.

    Every line is sealed (`sealed_lines.py`), so that a reader knows which of them are whole, missing or there twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, FileIO] = {}
        self._n_lines: Counter[str] = Counter()

    @classmethod
    def create(cls, results: str, label: str, started_at: float) -> RunFolder:
        """Makes `results/<UTC time>-<label>`, numbered where that exists. Raises ConfigError where it can't."""
        stem = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started_at)) + f"-{label}"
        for attempt in range(1, 1_000):
            path = Path(results) / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise ConfigError(
                    f"--results: {path} can't be made ({error.strerror}): name a folder that you may write to"
                ) from error
            return cls(path)
        raise ConfigError(f"--results: {results} is full of runs of this second")

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Replaces `run.json` in one step."""
        text = with_whole_characters(json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False))
        write_atomically(self.path / "run.json", sealed_file(text.encode()))

    @property
    def n_lines(self) -> dict[str, int]:
        """How many lines each file has, by its name."""
        return dict(self._n_lines)

    def add_transition(self, transition: Mapping[str, Any]) -> None:
        self._append("stages.jsonl", [_row({"seq": self._n_lines["stages.jsonl"], **transition})])

    def add_utterances(self, lines: bytes) -> None:
        """Adds whole rows, each with its line end."""
        self._append("utterances.jsonl", lines.splitlines())

    def add_sample(self, sample: Mapping[str, Any]) -> None:
        """Adds a sample of a sidecar. Those of GPUs have a file of their own, which a run without a GPU lacks."""
        name = "gpu.jsonl" if sample["kind"] == "gpu" else "host.jsonl"
        self._append(name, [_row(sample)])

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _append(self, name: str, rows: Iterable[bytes]) -> None:
        lines = [sealed(row, number) + b"\n" for number, row in enumerate(rows, self._n_lines[name])]
        if name not in self._files:
            self._files[name] = (self.path / name).open("ab", buffering=0)
        # One call for all of them, so that they are whole or not begun when the process is killed. The kernel may take
        # less at once (a disk that is nearly full), and then the rest needs another.
        rest = memoryview(b"".join(lines))
        while rest:
            rest = rest[self._files[name].write(rest) :]
        self._n_lines[name] += len(lines)


def _row(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, allow_nan=False).encode()
