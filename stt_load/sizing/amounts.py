"""Parsers of the amounts that `stt-load size` takes: each returns the value, or raises ValueError."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stt_load.option_values import parse_number, parse_number_above_zero, whole_number_from

_MOST = 10**9  # Kubernetes counts replicas in 32 bits
_PRICE = re.compile(r"(?P<before>[^\d\s.,/-]{0,3})\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<behind>[^\d\s.,/-]{0,3})\s*/\s*h")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|min)")


@dataclass(frozen=True, slots=True)
class Price:
    """What one replica costs in an hour. `currency` is what the user wrote beside the number, `""` if nothing."""

    per_hour: float
    currency: str = ""

    def told(self, amount: float) -> str:
        """An amount in this currency, with as many digits as a small one needs: `$17.60`, `EUR 0.0042`."""
        digits = 2 if amount >= 1 else 4
        blank = " " if self.currency.isalpha() else ""
        return f"{self.currency}{blank}{amount:,.{digits}f}"


def parse_callers(text: str) -> int:
    """Callers at once, from 1."""
    callers = whole_number_from(1)(text)
    if callers > _MOST:
        raise ValueError(f"{text!r} is more than there can be")
    return callers


def parse_share(text: str) -> float:
    """A share of a whole, `20%` or `0.2`: from 0 to 1, both included."""
    number, percent, rest = text.strip().partition("%")
    share = parse_number(number) / (100 if percent else 1)
    if rest or not 0 <= share <= 1:
        raise ValueError(f"{text!r} is no share: write 0% to 100%, or 0 to 1")
    return share


def parse_headroom(text: str) -> float:
    """The share of a replica that stays free: less than all of it."""
    share = parse_share(text)
    if share > 0.95:
        raise ValueError(f"{text!r} leaves almost nothing of a replica: write 0% to 95%")
    return share


def parse_duty(text: str) -> float:
    """The share of a call in which a caller sends audio: above 0."""
    share = parse_share(text)
    if share < 0.01:
        raise ValueError(f"{text!r} is a caller who hardly speaks: write 1% to 100%, or 0.01 to 1")
    return share


def parse_price(text: str) -> Price:
    """`1.10/h`, with a currency before or behind the number if you like: `$1.10/h`, `1.10 EUR/h`."""
    match = _PRICE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no price of an hour: write 1.10/h, or $1.10/h")
    return Price(parse_number_above_zero(match["number"]), match["before"] or match["behind"])


def parse_rate_per_s(text: str) -> float:
    """Requests per second, `12/s` or `600/min`."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no rate: write 12/s or 600/min")
    rate_per_s = parse_number_above_zero(match[1]) / (60 if match[2] == "min" else 1)
    if rate_per_s > _MOST:
        raise ValueError(f"{text!r} is more than there can be")
    return rate_per_s
