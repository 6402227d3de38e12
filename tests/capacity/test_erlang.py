"""Erlang's loss formula against published tables."""

from __future__ import annotations

import math

import pytest

from stt_load.capacity.erlang import erlang_b

# Carrier Grade Voice Over IP, 2nd edition, appendix A "Table of Erlang B": erlangs to one digit by channels and share,
# https://www.globalspec.com/reference/55139/203279/appendix-a-table-of-erlang-b (read 2026-11-29).
PUBLISHED = [
    (2, 0.05, 0.4),
    (3, 0.05, 0.9),
    (4, 0.01, 0.9),
    (5, 0.02, 1.7),
    (5, 0.05, 2.2),
    (6, 0.04, 2.8),
    (7, 0.01, 2.5),
    (8, 0.05, 4.5),
    (9, 0.03, 4.7),
    (9, 0.001, 2.6),
    (10, 0.0001, 2.3),
]


@pytest.mark.parametrize(("places", "share", "erlangs"), PUBLISHED)
def test_a_published_load_has_the_share_that_its_column_says(places: int, share: float, erlangs: float) -> None:
    """The table has one digit, so the share lies between those of both ends of what rounds to it."""
    assert erlang_b(erlangs - 0.05, places) <= share <= erlang_b(erlangs + 0.05, places)


def test_the_worked_example_of_a_calculator_comes_out_to_three_digits() -> None:
    """15 lines and one call in a hundred blocked: 8.108 erlangs, says
    https://erlang.com/calculatormanual/howmuchtrafficcanatrunkgrouphandle.htm (read 2026-11-29)."""
    assert erlang_b(8.1075, 15) < 0.01 < erlang_b(8.1085, 15)


@pytest.mark.parametrize(("places", "erlangs"), [(1, 1.0), (3, 2.5), (12, 9.0), (40, 50.0)])
def test_the_recursion_is_the_formula(places: int, erlangs: float) -> None:
    """B = (a^n / n!) / sum of a^k / k!, k from 0 to n."""
    terms = [erlangs**k / math.factorial(k) for k in range(places + 1)]
    assert erlang_b(erlangs, places) == pytest.approx(terms[-1] / sum(terms))


def test_a_server_without_a_place_refuses_every_call_and_a_huge_one_hardly_any() -> None:
    assert erlang_b(3.0, 0) == 1.0
    assert erlang_b(0.0, 4) == 0.0
    assert erlang_b(1_000.0, 100_000) == pytest.approx(0.0)
