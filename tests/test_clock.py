"""The wall clock of a run: read once, and carried on by the monotonic clock."""

from __future__ import annotations

from fakes import FakeClock

from stt_load.clock import SteadyWallClock


def test_moments_are_as_far_apart_as_they_were_though_the_wall_clock_is_set() -> None:
    wall, mono = FakeClock(), FakeClock()
    wall.now_s, mono.now_s = 1_700_000_000.0, 50.0
    clock = SteadyWallClock.read(wall, mono)
    began = clock.at(mono())
    wall.now_s -= 3600.0
    mono.now_s += 12.5
    assert (began, clock.at(mono()) - began) == (1_700_000_000.0, 12.5)
