from __future__ import annotations

import pytest

from stt_load.metrics.clip_errors import ClipErrors, ErrorCount, error_limits, error_rate, wer_delta


def counts(**clips: tuple[int, int, int]) -> dict[str, ErrorCount]:
    return {clip_id: ErrorCount(*sums) for clip_id, sums in clips.items()}


def test_the_utterances_of_a_clip_are_summed() -> None:
    errors = ClipErrors()
    for clip_id, n, length in (("a", 1, 4), ("b", 0, 9), ("a", 2, 4)):
        errors.add(clip_id, n, length)
    assert errors.close() == counts(a=(3, 8, 2), b=(0, 9, 1))


def test_a_rate_is_of_sums_and_there_is_none_without_any_length() -> None:
    estimate = error_rate(counts(a=(3, 8, 2), b=(0, 9, 1)))
    assert (estimate.value, estimate.n, estimate.low, estimate.high) == (3 / 17, 3, None, None)
    assert error_rate({}) is None
    assert error_rate(counts(a=(2, 0, 1))) is None


def test_limits_are_the_same_however_the_clips_came() -> None:
    clips = counts(a=(3, 8, 2), b=(0, 9, 1), c=(1, 5, 1), d=(0, 7, 1), e=(2, 6, 1))
    assert error_limits(clips, 0.05) == error_limits(dict(reversed(clips.items())), 0.05)
    low, high = error_limits(clips, 0.05)
    assert low < 6 / 35 < high


def test_a_delta_is_over_common_clips_each_with_its_mean_utterance() -> None:
    here, first = counts(a=(4, 8, 2), b=(0, 9, 1)), counts(a=(1, 4, 1), c=(5, 5, 1))
    assert wer_delta(here, first).value == pytest.approx((2 - 1) / 4)
    assert wer_delta(here, here).value == 0
    assert wer_delta(here, counts(c=(5, 5, 1))) is None
