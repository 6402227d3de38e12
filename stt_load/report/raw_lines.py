"""The raw lines of a run folder. A run may have been killed in the middle of a line: what can't be read at the end of a
file is left out and noted, anything unreadable before the end is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec

from stt_load.errors import ConfigError
from stt_load.records import UtteranceRecord

ParsedLine = TypeVar("ParsedLine")

# Larger pieces take twice the time: their memory goes back to the system and is asked for again, piece after piece.
_AT_ONCE_BYTES = 256 * 1024


class RawLines(Generic[ParsedLine]):
    """The parsed lines of one file, some thousand at a time, as often as needed. Raises ConfigError at a bad line.

    `notes`: gets what there is to say about the file when it has been read to its end. `read_all`: lines → rows, fast.
    `read_one`: one line, where that has failed, and what to call it: it says what is wrong.
    """

    def __init__(
        self,
        path: Path,
        notes: list[str],
        read_all: Callable[[bytes], list[ParsedLine]],
        read_one: Callable[[bytes, str], ParsedLine],
    ) -> None:
        self._path = path
        self._notes = notes
        self._read_all = read_all
        self._read_one = read_one

    def __iter__(self) -> Iterator[list[ParsedLine]]:
        cut: ConfigError | None = None
        place = 0  # in bytes
        try:
            with self._path.open("rb") as file:
                for lines in _whole_lines(file):
                    if cut is not None and lines.strip():
                        raise cut
                    try:
                        rows = self._all_at_once(lines)
                    except ValueError:
                        rows, torn = self._one_by_one(lines, 1 + self._lines_before(place))
                        cut = cut or torn
                    place += len(lines)
                    yield rows
        except OSError as error:
            raise unreadable(self._path, error) from error
        note = f"{self._path.name}: the last line is cut off and left out"
        if cut is not None and note not in self._notes:
            self._notes.append(note)

    def _all_at_once(self, lines: bytes) -> list[ParsedLine]:
        """Parses all lines at once. ValueError if one of them is blank, or is not exactly one JSON value."""
        rows = self._read_all(lines)
        if len(rows) != lines.count(b"\n") + (not lines.endswith(b"\n")):
            raise ValueError
        return rows

    def _lines_before(self, place: int) -> int:
        with self._path.open("rb") as file:
            return file.read(place).count(b"\n")

    def _one_by_one(self, lines: bytes, number: int) -> tuple[list[ParsedLine], ConfigError | None]:
        """Parses line by line. The second value is the error of the last line, which counts if more lines follow."""
        rows: list[ParsedLine] = []
        cut: ConfigError | None = None
        for at, line in enumerate(lines.split(b"\n"), number):
            if not line.strip():
                continue
            if cut is not None:
                raise cut
            try:
                rows.append(self._read_one(line, f"{self._path}, line {at},"))
            except json.JSONDecodeError as error:
                cut = ConfigError(f"{self._path}, line {at}, is not JSON: {error}")
        return rows, cut


def read_objects(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Reads a whole file of JSON objects with any keys."""
    objects = msgspec.json.Decoder(dict[str, Any])
    return list(chain.from_iterable(RawLines(path, notes, objects.decode_lines, _object)))


def read_utterances(path: Path, notes: list[str]) -> RawLines[UtteranceRecord]:
    records = msgspec.json.Decoder(UtteranceRecord)
    return RawLines(path, notes, records.decode_lines, _utterance)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path} can't be read: {error.strerror}; is {path.parent} a run folder?")


def _object(line: bytes, where: str) -> dict[str, Any]:
    # Cut in mid-character, the last line has broken UTF-8: it is then no JSON either.
    row = json.loads(line.decode("utf-8", "replace"))
    if not isinstance(row, dict):
        raise ConfigError(f"{where} is no JSON object")
    return row


def _utterance(line: bytes, where: str) -> UtteranceRecord:
    try:
        return UtteranceRecord.from_row(_object(line, where))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where} is not an utterance: {error}") from error


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces that end with a line; the last piece ends with the file."""
    rest = b""
    while piece := file.read(_AT_ONCE_BYTES):
        head, end, tail = piece.rpartition(b"\n")
        if end:
            yield rest + head + end
            rest = tail
        else:
            rest += piece
    if rest:
        yield rest
