"""Sealed lines: every damage is seen, and what is whole within a damaged line is found."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from stt_load.sealed_lines import (
    BrokenSeal,
    count_numbered,
    is_as_written,
    is_whole_file,
    line_number,
    sealed,
    sealed_file,
    whole_lines_within,
)

ROWS = [b'{"worker":0,"counts":{"1":50},"text":"caf\xc3\xa9 {\\"a\\":1}"}', b'{"worker":1,"messages":[[1.5,"two"]]}']
LINES = [sealed(row, number) for number, row in enumerate(ROWS)]


def test_a_sealed_line_is_the_row_with_two_more_keys() -> None:
    assert json.loads(LINES[1]) == {**json.loads(ROWS[1]), "line": 1, "crc32": LINES[1][-10:-2].decode()}
    assert [line_number(line) for line in LINES] == [0, 1]


def test_lines_in_order_are_whole_at_a_glance() -> None:
    assert counted(LINES, 0) == 2
    assert counted(LINES[1:], 1) == 1
    assert count_numbered(b"", 5) == 0
    assert counted(LINES, 1) is None
    assert counted([*LINES, LINES[1]], 0) is None
    assert counted([LINES[0].replace(b"50", b"60"), LINES[1]], 0) is None
    assert counted(ROWS, 0) is None
    assert counted([*LINES, b""], 0) is None
    assert count_numbered(LINES[0], 0) is None  # its end is missing
    assert count_numbered(b"\n\n", 0) is None


def counted(lines: list[bytes], first: int) -> int | None:
    return count_numbered(b"".join(line + b"\n" for line in lines), first)


def test_a_line_without_a_seal_has_no_number() -> None:
    assert [line_number(line) for line in (*ROWS, b"", b"{}", b'"}')] == [None] * 5


def test_no_damage_leaves_a_line_whole() -> None:
    rng = random.Random(5)
    line = LINES[0]
    for place in range(len(line)):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[place] ^= 1 << bit
            assert seal_of(bytes(damaged)) is None
        assert seal_of(line[:place] + line[place + rng.randrange(1, 9) :]) is None
        assert seal_of(line[:place] + b"\0" * 4 + line[place:]) is None


def seal_of(line: bytes) -> int | None:
    try:
        return line_number(line)
    except BrokenSeal:
        return None


@pytest.mark.parametrize(
    ("damaged", "found"),
    [
        (LINES[0] + LINES[1], LINES),
        (LINES[0][:30] + LINES[1], LINES[1:]),
        (LINES[0] + LINES[1][:-4], LINES[:1]),
        (LINES[0][:-5] + b"\0\0\0" + LINES[1] + b"\0", LINES[1:]),
        (LINES[0][5:], []),
        (b'{"a":' * 1_000 + LINES[1], LINES[1:]),
        (b"", []),
    ],
)
def test_whole_lines_are_found_within_a_damaged_one(damaged: bytes, found: list[bytes]) -> None:
    assert whole_lines_within(damaged) == found


def test_a_seal_that_no_writer_makes_is_broken() -> None:
    with pytest.raises(BrokenSeal):
        line_number(LINES[0][:-10] + b'ffffffff"}')
    assert seal_of(sealed(b'{"a":1}', 10**13)) is None


def test_a_whole_file_is_told_from_one_that_was_changed() -> None:
    text = sealed_file(json.dumps({"slos": ["eos_latency:p95<1s"], "label": "é"}, indent=2).encode() + b"\n")
    assert json.loads(text)["slos"] == ["eos_latency:p95<1s"]
    assert is_whole_file(text)
    assert not is_whole_file(text.replace(b"<1s", b"<9s"))
    assert not is_whole_file(text[:-1])
    assert not is_whole_file(json.dumps(json.loads(text)).encode())
    assert [is_as_written(each) for each in (text, text.replace(b"<1s", b"<9s"), text[:-1])] == [True, False, False]
    earlier = b'{"label": "of an earlier version"}'
    assert (is_as_written(earlier), is_as_written(earlier, must_be_sealed=True)) == (True, False)
    assert not is_whole_file(earlier)


def test_no_flipped_bit_makes_a_sealed_file_one_of_an_earlier_version() -> None:
    text = sealed_file(json.dumps({"failure": None, "lines": {"stages.jsonl": 3}}, indent=2).encode())
    for at, bit in itertools.product(range(len(text)), range(8)):
        damaged = text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :]
        assert not is_as_written(damaged), damaged
