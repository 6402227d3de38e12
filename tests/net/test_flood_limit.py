"""What a server may send: on average, at once, and after it was held up."""

from __future__ import annotations

import pytest
from fakes import FakeClock

from stt_load.errors import ProtocolError
from stt_load.net import flood_limit
from stt_load.net.flood_limit import BYTES, MESSAGES, FloodLimit


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(flood_limit.time, "monotonic", clock)
    return clock


def taken(limit: FloodLimit, most: int) -> int:
    """How many messages are taken at once, of `most`."""
    for n in range(most):
        try:
            limit.take_message()
        except ProtocolError:
            return n
    return most


def test_so_many_messages_come_at_once_and_no_more(clock: FakeClock) -> None:
    limit = FloodLimit()
    assert taken(limit, 5_000) == MESSAGES.at_first
    with pytest.raises(ProtocolError, match="more than 500 messages, pings, pongs and fragments a second"):
        limit.take_message()


@pytest.mark.parametrize(("per_s", "lasts_s"), [(490, 60.0), (1_000, 2.5), (10_000, 0.2)])
def test_who_keeps_below_the_limit_goes_on_and_others_end_the_sooner_the_more_they_send(
    clock: FakeClock, per_s: int, lasts_s: float
) -> None:
    limit = FloodLimit()
    n = 0
    while n < 60 * per_s and taken(limit, 1):
        n += 1
        clock.now_s += 1 / per_s
    assert n / per_s <= lasts_s
    assert per_s > MESSAGES.per_s or n == 60 * per_s


@pytest.mark.parametrize(("held_up_s", "at_once"), [(5.0, 2_500), (60.0, MESSAGES.most_at_once)])
def test_a_server_that_was_held_up_may_catch_up(clock: FakeClock, held_up_s: float, at_once: int) -> None:
    limit = FloodLimit()
    assert taken(limit, MESSAGES.at_first) == MESSAGES.at_first
    clock.now_s += held_up_s
    assert taken(limit, 50_000) == pytest.approx(at_once, abs=1)


def test_bytes_are_counted_apart(clock: FakeClock) -> None:
    limit = FloodLimit()
    limit.take_bytes(BYTES.at_first)
    assert taken(limit, 10) == 10
    with pytest.raises(ProtocolError, match="more than 4,194,304 bytes a second"):
        limit.take_bytes(1)
    clock.now_s += 1.0
    limit.take_bytes(BYTES.per_s - 1)
