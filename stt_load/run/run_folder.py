"""The run folder while the run goes on: files that only grow, and `run.json`.

the disk takes a line        it is with the operating system at once: kill -9 loses none
it is full                   lines wait in memory and are tried again; if there is room in time, the run goes on
it stays full, or is broken,
or the folder has gone       the run ends, and the whole folder is copied to another place
"""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import gevent

from stt_load.audio.clip import Clip
from stt_load.clock import Clock
from stt_load.errors import ConfigError, WriteError
from stt_load.process.atomic_file import write_atomically
from stt_load.process.data_folder import rescue_folders
from stt_load.process.log import log
from stt_load.report.raw_files import (
    CLIP_WORDS,
    GPU_SAMPLES,
    HOST_SAMPLES,
    RAW_FILES,
    RUN,
    SAMPLE_FILES,
    SERVER_LOOKS,
    STAGES,
    UTTERANCES,
    part_name,
    parts_of,
)
from stt_load.run.raw_file import RawFile
from stt_load.sealed_lines import sealed, sealed_file
from stt_load.text.whole_characters import with_whole_characters

PATIENCE_S = 10.0
"""How long a disk may be full before the run ends."""
MEMORY_BYTES = 64 * 2**20
"""How much may wait in memory: some 40,000 utterances. Half of it ends the run, so that the rest holds what is still
being measured then; what finds no room even here is counted as lost."""

PART_S = 3_600.0
"""A soak begins a new part of its utterances every hour."""

_RETRY_PERIOD_S = 0.1
_DESCRIPTION_PERIOD_S = 1.0
_PASSES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.EINTR}
_OF_A_NAME = 1_000  # folders


class RunFolder:
    """Appends raw lines. Adding one never fails: `keep_up` says when the run had better end, `settle` that every line
    is in a file in the end.

    Every line is sealed (`sealed_lines.py`), so that a reader knows which of them are whole, missing or there twice.
    """

    def __init__(
        self,
        path: Path,
        more_files: Collection[str] = SAMPLE_FILES,
        clock: Clock = time.monotonic,
        part_s: float | None = None,
    ) -> None:
        """Opens every file that the run may need. `more_files`: those that not every run has. `part_s`: so many
        seconds of utterances are in each part of their file; None: it has one. Raises OSError."""
        self.path = path
        self._part_s = part_s
        self._part = 1
        self._part_began_s = clock()
        self.waited_s = 0.0  # how long lines have waited for a disk that was full, and then was not
        self._clock = clock
        names = (STAGES, UTTERANCES, *more_files)
        self._files = {name: RawFile(path / name) for name in names}
        self._n_lines: Counter[str] = Counter()
        self._n_lost = 0
        self._refusal: OSError | None = None  # why lines wait
        self._refused_s = 0.0  # since when
        self._description = b""  # what run.json should hold
        self._is_described = True
        self._described_s = 0.0

    @classmethod
    def create(
        cls,
        results: str,
        label: str,
        started_at: float,
        more_files: Collection[str] = SAMPLE_FILES,
        clock: Clock = time.monotonic,
        part_s: float | None = None,
    ) -> RunFolder:
        """Makes `results/<UTC time>-<label>`, numbered where that exists. Raises ConfigError where it can't."""
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started_at)) + f"-{label}"
        try:
            return cls(_make_folder(Path(results), name), more_files, clock, part_s)
        except OSError as error:
            line = f"--results: {Path(results) / name} can't be made ({error.strerror})"
            raise ConfigError(f"{line}: name a folder that you may write to") from error

    @property
    def n_lines(self) -> dict[str, int]:
        """How many lines each file was given, by its name."""
        return dict(self._n_lines)

    @property
    def has_every_line(self) -> bool:
        """Whoever reads the files finds all that they will ever have: no line waits for room on the disk."""
        return self._refusal is None or not self._files

    # what is written -----------------------------------------------------------------------------------

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Replaces `run.json` in one step. Raises ConfigError where that is not possible now: it is tried again."""
        text = with_whole_characters(json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False))
        self._description = sealed_file(text.encode())
        self._is_described = False
        self._write_description()

    def add_transition(self, transition: Mapping[str, Any]) -> None:
        self._append(STAGES, [_row({"seq": self._n_lines[STAGES], **transition})])

    def add_utterances(self, lines: bytes) -> None:
        """Adds whole rows, each with its line end."""
        if self._part_s is not None and (passed_s := self._clock() - self._part_began_s) >= self._part_s:
            self._begin_part(passed_s - passed_s % self._part_s)
        self._append(UTTERANCES, lines.splitlines())

    def add_sample(self, sample: Mapping[str, Any]) -> None:
        """Adds a sample of a sidecar. Those of GPUs have a file of their own, which a run without a GPU lacks."""
        self._append(GPU_SAMPLES if sample["kind"] == "gpu" else HOST_SAMPLES, [_row(sample)])

    def add_look(self, look: Mapping[str, Any]) -> None:
        """Adds what the server said of itself at one moment."""
        self._append(SERVER_LOOKS, [_row(look)])

    def add_clip_words(self, clips: Iterable[Clip]) -> None:
        """Adds when the words of these clips sound, in one piece: rows that the run has no time for are scored with it
        when the report is made."""
        lines = [
            {"clip_id": clip.clip_id, "words": [(word.text, word.start_s, word.end_s) for word in clip.words]}
            for clip in clips
            if clip.words
        ]
        self._append(CLIP_WORDS, [_row(line) for line in lines])

    # what becomes of it --------------------------------------------------------------------------------

    def keep_up(self) -> None:
        """Writes what waits, as far as that is possible now. To be called often. Raises WriteError where the run has to
        end: the folder has gone, or it takes no lines and that is not going to change in time."""
        self._write_waiting()
        if not all(file.is_there for file in self._files.values()):
            raise WriteError(f"{self.path} has been removed or renamed")
        if self._refusal is not None and self._is_final(self._refusal):
            raise WriteError(f"{self.path} can't be written: {self._refusal.strerror}")
        if not self._is_described and self._clock() - self._described_s >= _DESCRIPTION_PERIOD_S:
            with suppress(ConfigError):  # `settle` has the last word
                self._write_description()

    def settle(self) -> None:
        """Returns when every line is in its file. Where this folder does not take them, all of it is copied to another
        place, which is `path` then, and a WriteError says so."""
        try:
            self.keep_up()
            while self._refusal is not None:
                gevent.sleep(_RETRY_PERIOD_S)
                self.keep_up()
            if not self._is_described:
                self._write_description()
        except ConfigError as error:
            raise WriteError(f"{error}{self._move()}") from error
        if self._n_lost:
            raise WriteError(f"{self.path}: {self._n_lost:,} lines found no room on the disk or in memory: lost")

    def close(self) -> None:
        """Closes the files. Those that not every run has are removed where they are empty."""
        for name, file in self._files.items():
            if name in (*SAMPLE_FILES, SERVER_LOOKS, CLIP_WORDS) and file.is_empty and file.is_there:
                with suppress(OSError):
                    file.path.unlink()
            file.close()
        self._files = {}

    def discard(self) -> None:
        """Closes the files and removes the folder, in which nothing was measured yet."""
        self.close()
        _remove(self.path)

    # inside --------------------------------------------------------------------------------------------

    def _begin_part(self, later_s: float) -> None:
        """Begins the next part of the utterances, whose lines are numbered on. Where no file can be opened now, or
        lines wait for the last one, it goes on. `later_s`: how much later than that one it begins."""
        last = self._files.get(UTTERANCES)
        if last is None or last.waiting_bytes:
            return
        with suppress(OSError):
            self._files[UTTERANCES] = RawFile(self.path / part_name(self._part + 1))
            self._part += 1
            self._part_began_s += later_s
            last.close()

    @property
    def _waiting_bytes(self) -> int:
        return sum(file.waiting_bytes for file in self._files.values())

    def _append(self, name: str, rows: Sequence[bytes]) -> None:
        if name not in self._files:  # closed: too late for the report, whose books say that it is missing
            return
        lines = b"".join(sealed(row, number) + b"\n" for number, row in enumerate(rows, self._n_lines[name]))
        self._n_lines[name] += len(rows)
        if self._refusal is not None and name != STAGES and self._waiting_bytes + len(lines) > MEMORY_BYTES:
            self._n_lost += len(rows)
            return
        try:
            self._files[name].add(lines)
        except OSError as error:
            self._note(error)

    def _write_waiting(self) -> None:
        try:
            for file in self._files.values():
                file.write_waiting()
        except OSError as error:
            self._note(error)
            return
        if self._refusal is not None:
            waited_s, self._refusal = self._clock() - self._refused_s, None
            self.waited_s += waited_s
            log.warning("%s takes lines again after %.1f s: none is lost, the run goes on", self.path, waited_s)

    def _note(self, error: OSError) -> None:
        """Notes that a file takes no lines, for whatever reason."""
        if self._refusal is None:
            self._refused_s = self._clock()
            if error.errno in _PASSES:
                log.warning(
                    "%s can't be written: %s; lines wait in memory and are tried again for %g s",
                    *(self.path, error.strerror, PATIENCE_S),
                )
        self._refusal = error

    def _is_final(self, refusal: OSError) -> bool:
        is_late = self._clock() - self._refused_s >= PATIENCE_S
        return refusal.errno not in _PASSES or is_late or self._waiting_bytes > MEMORY_BYTES / 2

    def _write_description(self) -> None:
        self._described_s = self._clock()
        write_atomically(self.path / RUN, self._description)
        self._is_described = True

    def _move(self) -> str:
        """Copies everything to the first place that takes it. Returns what has come of it, as the end of a line."""
        own = () if self.path.exists() else (self.path.parent,)
        for place in chain(own, rescue_folders()):
            try:
                path = _make_folder(place, self.path.name)
                files = self._copied_to(path)
            except OSError as error:
                log.debug("%s takes it neither: %s", place, error)
                continue
            self.close()
            self.path, self._files, self._refusal = path, files, None
            lost = f"; {self._n_lost:,} lines are lost" if self._n_lost else ""
            return f"; everything measured is in {path}{lost}"
        n_lost = self._n_lost + sum(file.waiting_lines for file in self._files.values())
        lost = f"{n_lost:,} lines are lost; name another with --results" if n_lost else "no line is lost"
        return f", and no other place takes what was measured: {lost}"

    def _copied_to(self, path: Path) -> dict[str, RawFile]:
        """All files, in this folder too. Raises OSError, and leaves no folder, where they don't fit."""
        copies: dict[str, RawFile] = {}
        try:
            for name, file in self._files.items():
                copies[name] = file.copy_to(path / file.path.name)
            for number in range(1, self._part):
                with suppress(FileNotFoundError):  # it has gone with its folder: the report misses its lines
                    shutil.copyfile(self.path / part_name(number), path / part_name(number))
            (path / RUN).write_bytes(self._description)
        except OSError:
            for copy in copies.values():
                copy.close()
            _remove(path)
            raise
        return copies


def _make_folder(place: Path, name: str) -> Path:
    """Makes a folder of this name there, numbered where that exists. Raises OSError where it can't be made."""
    for path in (place / (name if n == 1 else f"{name}-{n}") for n in range(1, _OF_A_NAME)):
        with suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise FileExistsError(errno.EEXIST, "there are too many of this name", str(place / name))


def _remove(folder: Path) -> None:
    """Removes a run folder as far as that is possible: it needs no file descriptor, as `shutil.rmtree` does."""
    with suppress(OSError):
        for path in (*(folder / name for name in RAW_FILES), *parts_of(folder / UTTERANCES)):
            path.unlink(missing_ok=True)
        folder.rmdir()


def _row(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, allow_nan=False).encode()
