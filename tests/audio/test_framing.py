"""A clip as frames: nothing lost, nothing added but silence."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import clip
from hypothesis import given
from hypothesis import strategies as st

from stt_load.audio.clip import Clip
from stt_load.audio.framing import choose_frame, cut_frames


@pytest.mark.parametrize(
    ("asked_ms", "rate_hz", "multiple_bytes", "samples", "note"),
    [
        (100, 16_000, 2, 1_600, None),
        (96, 16_000, 1_024, 1_536, None),
        (32, 16_000, 1_024, 512, None),
        (
            100,
            16_000,
            1_024,
            1_536,
            "frames are 96 ms instead of 100 ms: the server takes multiples of 1024 bytes, so 64 of every 1600 samples "
            "would be lost or late",
        ),
        (
            20,
            16_000,
            1_024,
            512,
            "frames are 32 ms instead of 20 ms: the server takes multiples of 1024 bytes, so 320 of every 320 samples "
            "would be lost or late",
        ),
        (20, 8_000, 2, 160, None),
        (0.01, 16_000, 2, 1, "any"),
    ],
)
def test_the_frame_gives_way_and_not_the_audio(
    asked_ms: float, rate_hz: int, multiple_bytes: int, samples: int, note: str | None
) -> None:
    rule = choose_frame(asked_ms, rate_hz, multiple_bytes)
    assert rule.samples == samples
    assert (rule.note is None) == (note is None)
    if note not in (None, "any"):
        assert rule.note == note


@given(
    asked_ms=st.floats(0.1, 5_000),
    rate_hz=st.sampled_from([8_000, 16_000, 24_000, 48_000]),
    multiple=st.integers(1, 2_000),
)
def test_a_frame_is_always_what_the_server_takes_whole(asked_ms: float, rate_hz: int, multiple: int) -> None:
    rule = choose_frame(asked_ms, rate_hz, 2 * multiple)
    assert rule.frame_bytes % (2 * multiple) == 0
    assert rule.frame_bytes > 0
    assert rule.samples <= max(multiple, round(asked_ms * rate_hz / 1_000))
    assert rule.frame_ms == pytest.approx(1_000 * rule.frame_s)


@given(n_samples=st.integers(0, 5_000), samples=st.integers(1, 800), silence_s=st.floats(0, 0.5))
def test_frames_joined_are_the_clip_and_silence(n_samples: int, samples: int, silence_s: float) -> None:
    rule = choose_frame(1_000 * samples / 16_000, 16_000, 2)
    audio = (np.arange(n_samples) % 30_000 + 1).astype(np.int16)
    frames = cut_frames(Clip("clip", "words", audio, 16_000, 0.0, 0.0), rule, silence_s)
    stream = b"".join(frames)
    assert {len(frame) for frame in frames} <= {rule.frame_bytes}
    assert stream[: 2 * n_samples] == audio.astype("<i2").tobytes()
    assert not any(stream[2 * n_samples :])
    wanted = n_samples + round(silence_s * 16_000)
    assert wanted <= len(stream) // 2 < wanted + rule.samples


def test_samples_are_little_endian_whatever_the_array_is() -> None:
    big_endian = np.array([1, -2], ">i2")
    frames = cut_frames(Clip("clip", "words", big_endian, 16_000, 0.0, 0.0), choose_frame(0.125, 16_000, 2), 0.0)
    assert frames == [b"\x01\x00\xfe\xff"]


def test_a_clip_at_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="clip clip is at 16000 Hz, frames are cut at 8000"):
        cut_frames(clip(), choose_frame(100, 8_000, 2), 0.0)
