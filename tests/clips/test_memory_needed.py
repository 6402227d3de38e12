"""Whether the clips of a run fit into memory, said before they are made."""

from __future__ import annotations

import pytest

from stt_load.clips.memory_needed import find_shortage, needed_bytes
from stt_load.config import parse_options

HOUR_BYTES = 3_600 * 16_000 * 2


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        ({}, 2 * 0.1),  # as a clip and as frames
        ({"silence-callers": "10%"}, 4 * 0.1),
        ({"join": "1h"}, 2 * 1),
        ({"join": "60s"}, 2 * 50 / 60),  # as many as there are clips
        ({"join": "10h"}, 2 * 10),
        ({"join": "10h,none"}, 2 * 10.1),
        ({"join": "10h", "codec": "opus"}, (2 + 25) * 10),
        ({"join": "10h", "noise": "street"}, (2 + 55) * 10),
        ({"join": "10h", "level": "-30,-40"}, (4 + 25) * 10),
        ({"pause-in-speech": "1h"}, 2 * (50 + 0.1)),
    ],
)
def test_what_clips_take_is_known_by_their_options(options: dict[str, str], hours: float) -> None:
    config = parse_options({name.replace("-", "_"): value for name, value in options.items()})
    assert needed_bytes(config, 50, 360.0, 16_000) == pytest.approx(hours * HOUR_BYTES)


def test_a_clip_that_does_not_fit_is_refused_with_both_figures() -> None:
    config = parse_options({"join": "1000h"})
    assert find_shortage(config, 50, 360.0, 16_000, 20e9) == (
        "--join: the clips would take 230.4 GB of memory in each load process, and 20.0 GB are free: "
        "name a shorter time, or fewer variants"
    )
    assert find_shortage(parse_options({"join": "1h"}), 50, 360.0, 16_000, 20e9) is None


def test_the_longest_time_of_two_options_is_blamed() -> None:
    config = parse_options({"join": "60s", "pause_in_speech": "90h"})
    assert str(find_shortage(config, 50, 360.0, 16_000, 1e9)).startswith("--pause-in-speech: ")
    assert str(find_shortage(parse_options({}), 50, 360e6, 16_000, 1e9)).startswith("--clips: ")
