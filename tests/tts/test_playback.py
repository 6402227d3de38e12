from __future__ import annotations

import pytest

from stt_load.tts.playback import PREBUFFER_S, AudioArrival, gaps_s, play

BYTES_PER_S = 48_000.0


def arrivals(*pairs: tuple[float, float]) -> list[AudioArrival]:
    """(when, seconds of audio)."""
    return [AudioArrival(at_s, round(audio_s * BYTES_PER_S)) for at_s, audio_s in pairs]


def test_audio_that_keeps_ahead_of_the_listener_never_runs_dry() -> None:
    playback = play(arrivals((1.0, 2.0), (2.5, 2.0), (4.9, 2.0)), BYTES_PER_S)
    assert (playback.underruns, playback.stall_s) == (0, 0.0)


def test_each_silence_of_the_player_is_counted_and_timed() -> None:
    playback = play(arrivals((1.0, 1.0), (2.5, 1.0), (3.2, 1.0), (5.0, 1.0)), BYTES_PER_S)
    assert playback.underruns == 2
    assert playback.stall_s == pytest.approx(0.5 + 0.5)


def test_playback_goes_on_from_the_stall_and_not_from_its_first_schedule() -> None:
    late_once = play(arrivals((0.0, 1.0), (3.0, 1.0), (3.9, 1.0), (4.8, 1.0)), BYTES_PER_S)
    assert (late_once.underruns, late_once.stall_s) == (1, pytest.approx(2.0))


def test_the_player_waits_for_its_buffer_before_it_begins() -> None:
    packets = [(0.02 * n, 0.01) for n in range(20)]  # half as fast as it is heard, until 0.4 s
    assert play(arrivals(*packets[:5]), BYTES_PER_S).underruns == 0
    begins_at_s = 0.02 * (PREBUFFER_S / 0.01 - 1)
    playback = play(arrivals(*packets, (2.0, 1.0)), BYTES_PER_S)
    assert playback.underruns >= 1
    assert playback.stall_s == pytest.approx(2.0 - begins_at_s - 0.2, abs=0.03)


def test_packets_of_one_piece_are_no_gaps() -> None:
    assert gaps_s(arrivals((0.0, 0.1), (0.002, 0.1), (0.5, 0.1), (0.504, 0.1))) == [pytest.approx(0.498)]
    assert gaps_s([]) == []
