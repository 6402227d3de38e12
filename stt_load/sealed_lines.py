"""Seals of raw lines: what is written with one is known, when it is read again, to be whole and to be there once.

A line is one JSON object. Its last two keys are its seal: its number in its file, from 0, and the CRC-32 of all bytes
before that key.

    {"run_id":"3f2a90c1d2e4","worker":0, … ,"line":17,"crc32":"5f1d0c2e"}

So a reader tells a line that was damaged (a flipped bit, a span that is missing, zeros after a power loss) from one
that was not, finds a whole line within a damaged one, and sees which lines are missing or there twice. `run.json` and
`summary.json` end with a CRC-32 too.
"""

from __future__ import annotations

import re
import zlib
from contextlib import suppress

SEAL_KEYS = frozenset({"line", "crc32"})

_MARK = b',"crc32":"'
_NUMBER = b',"line":'
_SEAL = re.compile(rb',"line":\d{1,12},"crc32":"[0-9a-f]{8}"}')
_SEAL_LENGTH = len(_MARK) + 8 + len(b'"}')
_MOST_DIGITS = 12
_FILE_MARK = b',\n  "crc32": "'
_CHECKSUM_AT_END = re.compile(rb'"[0-9a-f]{8}"\s*}\s*\Z')
_MOST_BEGINNINGS = 20  # tried before each seal within a damaged line: a row has few objects inside


class BrokenSeal(ValueError):
    """The bytes are not those that were sealed."""


def sealed(row: bytes, number: int) -> bytes:
    """The line of a row: a JSON object with a key at least, without its line end. `number`: of the line in its file."""
    body = b"%b%b%d" % (row[:-1], _NUMBER, number)
    return b'%b%b%08x"}' % (body, _MARK, zlib.crc32(body))


def line_number(line: bytes) -> int | None:
    """The number of a sealed line; None for a line without a seal. Raises BrokenSeal where the checksum is another."""
    body, seal = line[:-_SEAL_LENGTH], line[-_SEAL_LENGTH:]
    if not seal.startswith(_MARK):
        return None
    number = body.rpartition(_NUMBER)[2]
    if seal != b'%b%08x"}' % (_MARK, zlib.crc32(body)) or not (number.isdigit() and len(number) <= _MOST_DIGITS):
        raise BrokenSeal("its checksum is wrong")
    return int(number)


def count_numbered(text: bytes, first: int) -> int | None:
    """How many lines the text has, where all of them are whole and have the numbers from `first` on, without a gap;
    None where they are not. The quick question: no line is copied."""
    view, begin, number = memoryview(text), 0, first
    while begin < len(text):
        end = text.find(b"\n", begin)
        seal = b'%b%d%b%08x"}' % (_NUMBER, number, _MARK, zlib.crc32(view[begin : end - _SEAL_LENGTH]))
        if end < 0 or not text.endswith(seal, begin, end):
            return None
        begin, number = end + 1, number + 1
    return number - first


def mentions_seal(text: bytes) -> bool:
    """Whether something in the text looks like a seal: then all lines of the file have one."""
    return _MARK in text


def whole_lines_within(line: bytes) -> list[bytes]:
    """The sealed lines that stand whole within a damaged one: two that were glued together, one behind a torn one."""
    found = []
    began = 0
    for seal in _SEAL.finditer(line):
        part = line[began : seal.end()]
        began = seal.end()  # no line goes on behind a seal
        begins = [brace.start() for brace in re.finditer(rb'{"', part)]
        for begin in reversed(begins[-_MOST_BEGINNINGS:]):
            with suppress(BrokenSeal):
                line_number(part[begin:])
                found.append(part[begin:])
                break
    return found


def sealed_file(text: bytes) -> bytes:
    """The whole file of a JSON object that was written with an indent of 2."""
    body = text.rstrip().removesuffix(b"\n}")
    return b'%b%b%08x"\n}\n' % (body, _FILE_MARK, zlib.crc32(body))


def is_as_written(text: bytes, must_be_sealed: bool = False) -> bool:
    """Whether the file is as it was sealed, or of an earlier version, which sealed none. `must_be_sealed`: others that
    were written with it are, so that a seal that isn't there has got lost."""
    return is_whole_file(text) or (_lacks_seal(text) and not must_be_sealed)


def is_whole_file(text: bytes) -> bool:
    """Whether the file is as it was sealed; False for one without a seal."""
    body, mark, rest = text.rpartition(_FILE_MARK)
    return bool(mark) and rest == b'%08x"\n}\n' % zlib.crc32(body)


def _lacks_seal(text: bytes) -> bool:
    """Whether nothing in the file is a seal, nor was one: neither its key is there nor a checksum at the end."""
    return b'"crc32"' not in text and _CHECKSUM_AT_END.search(text) is None
