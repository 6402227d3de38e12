"""What people type as shares, prices and rates."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stt_load.sizing.amounts import (
    Price,
    parse_callers,
    parse_duty,
    parse_headroom,
    parse_price,
    parse_rate_per_s,
    parse_share,
)


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0.2", 0.2), (" 0 % ", 0.0), ("100%", 1.0), ("1", 1.0)])
def test_a_share_is_percent_or_a_part_of_one(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("1.10/h", Price(1.10)),
        ("$1.10/h", Price(1.10, "$")),
        ("1.10 EUR / h", Price(1.10, "EUR")),
        ("€2/h", Price(2.0, "€")),
    ],
)
def test_a_price_is_that_of_an_hour(text: str, price: Price) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize(("text", "per_s"), [("12/s", 12.0), ("600/min", 10.0), ("0.5 / s", 0.5)])
def test_a_rate_says_in_what_time(text: str, per_s: float) -> None:
    assert parse_rate_per_s(text) == pytest.approx(per_s)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_share, "120%"),
        (parse_share, "20"),
        (parse_share, "-1%"),
        (parse_share, "20%%"),
        (parse_share, "a fifth"),
        (parse_share, "nan"),
        (parse_headroom, "100%"),
        (parse_duty, "0"),
        (parse_price, "1.10"),
        (parse_price, "0/h"),
        (parse_price, "-1/h"),
        (parse_price, "1.10/month"),
        (parse_price, "1,10/h"),
        (parse_rate_per_s, "12"),
        (parse_rate_per_s, "0/s"),
        (parse_rate_per_s, "12/fortnight"),
        (parse_rate_per_s, f"{10**10}/s"),
        (parse_callers, f"{10**10}"),
        (parse_callers, "0"),
    ],
)
def test_what_is_none_is_told_with_what_to_write(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"write|greater than zero|not a number|a whole number|than there can be"):
        parse(text)


@pytest.mark.parametrize(
    ("price", "amount", "told"),
    [(Price(1.0), 22.0, "22.00"), (Price(1.0, "$"), 1234.5, "$1,234.50"), (Price(1.0, "EUR"), 0.0042, "EUR 0.0042")],
)
def test_small_amounts_have_more_digits(price: Price, amount: float, told: str) -> None:
    assert price.told(amount) == told
