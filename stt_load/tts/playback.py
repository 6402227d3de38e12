"""What a listener would have heard: pieces of audio as they came, played from the first one on.

arrivals   ▂▂▂      ▂▂▂            ▂▂▂
playing       ██████████████        ██████       the gap between is an underrun; its length is the stall
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

PREBUFFER_S = 0.1
"""A player begins once it holds so much audio: without that, the first packet of 20 ms would run dry at once. What
players do differs; 100 ms is what telephones call a large jitter buffer."""

SMALLEST_GAP_S = 0.005
"""Packets of one piece come closer together than this, pieces of a synthesiser don't."""


@dataclass(frozen=True, slots=True)
class AudioArrival:
    """Audio that came within a millisecond. `at_s`: from the first byte of the request."""

    at_s: float
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Playback:
    """What a listener would have suffered."""

    underruns: int  # how often the player had nothing left while more was to come
    stall_s: float  # how long it was silent for that, in all


def play(arrivals: Sequence[AudioArrival], bytes_per_s: float) -> Playback:
    """Plays what arrived, at `bytes_per_s`: of a compressed file the mean, since nothing says which byte holds which
    second."""
    held_s, empty_at_s = 0.0, None
    underruns, stall_s = 0, 0.0
    for arrival in arrivals:
        audio_s = arrival.n_bytes / bytes_per_s
        if empty_at_s is None:
            held_s += audio_s
            if held_s >= PREBUFFER_S:
                empty_at_s = arrival.at_s + held_s
            continue
        if arrival.at_s > empty_at_s:
            underruns += 1
            stall_s += arrival.at_s - empty_at_s
            empty_at_s = arrival.at_s
        empty_at_s += audio_s
    return Playback(underruns, stall_s)


def play_over_line(arrivals: Sequence[AudioArrival], bytes_per_s: float) -> Playback:
    """Plays what arrived at the pace of speech, as a telephone does: `PREBUFFER_S` behind what comes, and again so long
    behind after it ran dry. A player that only asks how much it holds would start with one large piece, and run dry
    whenever the next is a hair late."""
    empty_at_s = None
    underruns, stall_s = 0, 0.0
    for arrival in arrivals:
        audio_s, can_begin_s = arrival.n_bytes / bytes_per_s, arrival.at_s + PREBUFFER_S
        if empty_at_s is None:
            empty_at_s = can_begin_s
        elif arrival.at_s > empty_at_s:
            underruns += 1
            stall_s += can_begin_s - empty_at_s
            empty_at_s = can_begin_s
        empty_at_s += audio_s
    return Playback(underruns, stall_s)


def gaps_s(arrivals: Sequence[AudioArrival]) -> list[float]:
    """How long nothing came between two pieces of audio, seconds."""
    between = [later.at_s - earlier.at_s for earlier, later in pairwise(arrivals)]
    return [gap_s for gap_s in between if gap_s >= SMALLEST_GAP_S]
