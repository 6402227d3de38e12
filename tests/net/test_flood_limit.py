"""What a server may send: on average, at once, and after it was held up."""

from __future__ import annotations

import pytest
from fakes import FakeClock

from stt_load.errors import ProtocolError
from stt_load.net.flood_limit import Flood, FloodLimit

TEN_A_SECOND = Flood("messages", per_s=10, at_first=20, most_at_once=100)


def sent_before_it_floods(limit: FloodLimit, most: int) -> int:
    """How many messages are taken, of `most`."""
    for n in range(most):
        try:
            limit.take()
        except ProtocolError:
            return n
    return most


def test_so_many_come_at_once_and_no_more() -> None:
    limit = FloodLimit(TEN_A_SECOND, FakeClock())
    assert sent_before_it_floods(limit, 1_000) == 20
    with pytest.raises(ProtocolError, match=r"^the server floods: more than 10 messages a second$"):
        limit.take()


@pytest.mark.parametrize(("per_s", "lasts_s"), [(9, 600), (11, 25), (1_000, 1)])
def test_who_keeps_below_the_limit_goes_on_for_ever_and_others_end(per_s: int, lasts_s: int) -> None:
    clock = FakeClock()
    limit = FloodLimit(TEN_A_SECOND, clock)
    n = 0
    while n < 600 * per_s and sent_before_it_floods(limit, 1):
        n += 1
        clock.now_s += 1 / per_s
    assert n / per_s <= lasts_s
    assert per_s > 10 or n == 600 * per_s


@pytest.mark.parametrize(("held_up_s", "at_once"), [(5.0, 50), (60.0, 100)])
def test_a_server_that_was_held_up_may_catch_up(held_up_s: float, at_once: int) -> None:
    clock = FakeClock()
    limit = FloodLimit(TEN_A_SECOND, clock)
    assert sent_before_it_floods(limit, 20) == 20
    clock.now_s += held_up_s
    assert sent_before_it_floods(limit, 1_000) == at_once


def test_what_comes_in_pieces_is_counted_by_its_size() -> None:
    limit = FloodLimit(TEN_A_SECOND, FakeClock())
    limit.take(15)
    with pytest.raises(ProtocolError):
        limit.take(15)
