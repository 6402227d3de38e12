"""The numbers of the lines that were read, in whatever order."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from stt_load.report.raw_lines import LineNumbers, NotJson, parse_json


@given(st.lists(st.integers(0, 30), max_size=40), st.none() | st.integers(0, 40))
def test_every_number_is_new_once_and_what_never_came_is_missing(numbers: list[int], n_lines: int | None) -> None:
    seen = LineNumbers()
    came: set[int] = set()
    for number in numbers:
        assert seen.add(number) == (number not in came)
        came.add(number)
    expected = max([-1, *came]) + 1 if n_lines is None else max([n_lines - 1, *came]) + 1
    assert seen.missing(n_lines) == expected - len(came)


def test_numbers_that_were_read_together_are_no_gap() -> None:
    seen = LineNumbers()
    seen.skip(1_000)
    assert not seen.add(999)
    assert seen.add(1_002)
    assert seen.missing(1_003) == 2


@pytest.mark.parametrize(
    "text", [b"", b"{", b"NaN", b"1e999", b"-Infinity", b"\xff", b"[" * 100_000, b"1" + b"0" * 5_000]
)
def test_what_is_no_json_is_told_in_one_line(text: bytes) -> None:
    with pytest.raises(NotJson) as caught:
        parse_json(text)
    assert "\n" not in str(caught.value)
