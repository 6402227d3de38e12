"""The raw lines of a run folder. What is not as the run wrote it is left out and noted as damage: a line that was cut
off, a flipped bit, zeros after a power loss, a span that is missing, a line that is there twice, one of another run.
"""

from __future__ import annotations

import errno
import json
import math
import stat
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Generic

import msgspec

from stt_load.errors import ConfigError
from stt_load.plausible import error_line
from stt_load.report.damage import Damage, Flaw
from stt_load.report.raw_files import EVERY_PART, RAW_FILES, parts_of
from stt_load.report.raw_rows import Accept, Row
from stt_load.sealed_lines import BrokenSeal, count_numbered, line_number, mentions_seal, whole_lines_within
from stt_load.text.whole_characters import with_whole_characters

# Larger pieces take twice the time: their memory goes back to the system and is asked for again, piece after piece.
_AT_ONCE_BYTES = 256 * 1024
_LONGEST_LINE_BYTES = 16 * 1024 * 1024  # no utterance has so much text, and to score it would take minutes
_LOOKED_AT_BYTES = 1024 * 1024  # to see whether the lines of a file are sealed


class NotJson(ValueError):
    """A text is not JSON; the message says why."""


class RawLines(Generic[Row]):
    """The rows of one file and the parts that it goes on in (`parts_of`), some thousand at a time, as often as needed;
    none where it is absent. Raises ConfigError where it can't be read.

    `damage`: gets what there is to say about the file, complete when it has been read to its end. `kind`: of its rows.
    `accept`: what a row must be besides. `n_lines`: how many the run has written; None if that isn't known.
    """

    def __init__(self, path: Path, damage: Damage, kind: Any, accept: Accept[Row], n_lines: int | None = None) -> None:
        self._path = path
        self._damage = damage
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)
        self._accept = accept
        self._n_lines = n_lines
        # Of the pass that goes on:
        self._part = path.name  # that is being read, or all of them
        self._numbers = LineNumbers()
        self._unsealed: set[int] = set()  # hashes of the lines without a seal
        self._is_sealed = False

    def __iter__(self) -> Iterator[list[Row]]:
        parts = parts_of(self._path)
        for name in (EVERY_PART, *(part.name for part in parts)):
            self._damage.forget(name)
        self._numbers, self._unsealed = LineNumbers(), set()
        for part in parts:
            self._part = part.name
            yield from self._rows_of(part)
        self._part = self._path.name if len(parts) == 1 else EVERY_PART
        n_missing = self._numbers.missing(self._n_lines)
        if self._unsealed and self._n_lines is not None:  # the run has sealed them, and somebody wrote them anew
            self._note(Flaw.CHANGED)
            n_missing -= len(self._unsealed)
        if n_missing > 0:
            self._note(Flaw.MISSING, n=n_missing)

    def _rows_of(self, path: Path) -> Iterator[list[Row]]:
        """The rows of one part of the file, some thousand at a time."""
        n_before = 0
        try:
            with _open(path) as file:
                self._is_sealed = mentions_seal(file.read(_LOOKED_AT_BYTES))
                file.seek(0)
                for piece in _whole_lines(file):
                    n_lines = count_numbered(piece, self._numbers.next)
                    rows = None if n_lines is None else self._all_at_once(piece, n_lines, n_before)
                    if n_lines is None or rows is None:
                        lines = piece.split(b"\n")
                        rows, n_lines = self._one_by_one(lines, n_before), len(lines) - 1
                    yield rows
                    n_before += n_lines
        except FileNotFoundError:
            pass  # a run without a sidecar has no samples, one that was killed early no utterances
        except OSError as error:
            raise unreadable(path, error) from error

    def _all_at_once(self, piece: bytes, n_lines: int, n_before: int) -> list[Row] | None:
        """The rows of a piece whose lines are whole, in their places, and rows; None where one is no row."""
        try:
            parsed = self._decoder.decode_lines(piece)
        except (ValueError, RecursionError):
            return None
        if len(parsed) != n_lines:
            return None
        self._numbers.skip(n_lines)
        return self._accepted(parsed, n_before + 1)

    def _one_by_one(self, lines: Sequence[bytes], n_before: int) -> list[Row]:
        """The rows of a piece that may have any damage. Its last line has no end: there is none, or it is cut off."""
        rows: list[Row] = []
        for at, line in enumerate(lines, n_before + 1):
            if row := line.strip():  # a copy may end its lines with CRLF
                for whole in self._whole(row, at, is_last=at == n_before + len(lines)):
                    rows += self._parsed(whole, at, is_last=at == n_before + len(lines))
        return rows

    def _whole(self, line: bytes, at: int, *, is_last: bool) -> list[bytes]:
        """What is whole of a line and was not there before: the line, or those that are found within a damaged one."""
        try:
            if len(line) > _LONGEST_LINE_BYTES:
                raise BrokenSeal(f"it is longer than {_LONGEST_LINE_BYTES:,} bytes")
            number = line_number(line)
            if number is None and self._is_sealed:
                raise BrokenSeal("it has no checksum")
        except BrokenSeal as error:
            self._note(Flaw.CUT if is_last else Flaw.DAMAGED, f"line {at} ({error})")
            return [found for found in whole_lines_within(line) if self._is_new(found, line_number(found), at)]
        return [line] if self._is_new(line, number, at) else []

    def _is_new(self, line: bytes, number: int | None, at: int) -> bool:
        if number is not None:
            is_new = self._numbers.add(number)
        else:
            is_new = (key := hash(line)) not in self._unsealed
            self._unsealed.add(key)
        if not is_new:
            self._note(Flaw.TWICE, f"line {at}")
        return is_new

    def _parsed(self, line: bytes, at: int, *, is_last: bool) -> list[Row]:
        try:
            row = self._decoder.decode(line)
        except (ValueError, RecursionError):
            try:
                row = msgspec.convert(with_whole_characters(parse_json(line)), self._kind, str_keys=True)
            except NotJson as error:
                self._note(Flaw.CUT if is_last else Flaw.DAMAGED, f"line {at} (no JSON: {error})")
                return []
            except msgspec.ValidationError as error:
                self._note(Flaw.WRONG, f"line {at} ({error_line(error)})")
                return []
        return self._accepted([row], at)

    def _accepted(self, parsed: Iterable[Row], first: int) -> list[Row]:
        """What is accepted of the rows of the lines from `first` on."""
        rows = []
        for at, one in enumerate(parsed, first):
            row, objections = self._accept(one)
            for flaw, why in objections:
                self._note(flaw, f"line {at} ({why})")
            if row is not None:
                rows.append(row)
        return rows

    def _note(self, flaw: Flaw, first: str = "", n: int = 1) -> None:
        self._damage.note(self._part, flaw, first, n)


class LineNumbers:
    """The numbers of the lines that have been there. They come in order but for damage, so only the gaps are kept."""

    def __init__(self) -> None:
        self.next = 0
        self._gaps: list[range] = []  # in order

    def skip(self, n: int) -> None:
        """Notes that the next `n` have been there."""
        self.next += n

    def add(self, number: int) -> bool:
        """Notes that this one has been there. False if it had been before."""
        if number >= self.next:
            self._gaps += [range(self.next, number)] if number > self.next else []
            self.next = number + 1
            return True
        place = bisect_right(self._gaps, number, key=lambda gap: gap.start) - 1
        if place < 0 or number not in self._gaps[place]:
            return False
        gap = self._gaps[place]
        parts = (range(gap.start, number), range(number + 1, gap.stop))
        self._gaps[place : place + 1] = [part for part in parts if part]
        return True

    def missing(self, n_lines: int | None) -> int:
        """How many are missing. `n_lines`: how many there should be; None if that isn't known."""
        return sum(map(len, self._gaps)) + max(0, (n_lines or 0) - self.next)


def parse_json(text: bytes) -> Any:
    """Any JSON value, with half of a character where one is. Raises NotJson with one line."""
    try:
        return json.loads(text.decode(), parse_constant=_finite, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise NotJson(f"byte {error.start + 1} is no UTF-8") from error
    except RecursionError as error:
        raise NotJson("nested too deep") from error
    except ValueError as error:
        raise NotJson(str(error)) from error


def read_bytes(path: Path) -> bytes:
    try:
        with _open(path) as file:
            return file.read()
    except OSError as error:
        raise unreadable(path, error) from error


def _open(path: Path) -> BinaryIO:
    """Raises OSError for a pipe and for a device too: a folder that somebody else has packed may hold one that never
    ends."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is a pipe or a device")
    return path.open("rb")


def unreadable(path: Path, error: OSError) -> ConfigError:
    """What is told of a file that can't be read. Where this process or the disk is at fault, no other folder is asked
    for."""
    has_machine_failed = error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
    hint = f"; is {path.parent} a run folder?" if path.name in RAW_FILES and not has_machine_failed else ""
    return ConfigError(f"{path} can't be read: {error.strerror}{hint}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number of JSON")
    return number


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces that end with a line; the last piece ends with the file."""
    rest: list[bytes] = []
    while piece := file.read(_AT_ONCE_BYTES):
        head, end, tail = piece.rpartition(b"\n")
        if end:
            yield b"".join([*rest, head, end])
            rest = [tail]
        else:
            rest.append(piece)
    if last := b"".join(rest):
        yield last
