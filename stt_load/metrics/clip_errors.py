"""Errors of transcripts by clip, and the error rates of a stage that are made of them.

A clip with all its utterances is what the bootstrap draws, and what two stages have in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stt_load.metrics.bootstrap import RISK, Limits, error_rate_limits, paired_limits
from stt_load.metrics.estimates import Estimate, Exact, Resampled


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Errors against a reference of `length` words or characters, over `utterances`."""

    errors: int = 0
    length: int = 0
    utterances: int = 0

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(self.errors + other.errors, self.length + other.length, self.utterances + other.utterances)

    @property
    def rate(self) -> float | None:
        """Errors over length; None without any length."""
        return self.errors / self.length if self.length else None


class ClipErrors:
    """Errors of one kind, by clip: `add` those of each utterance, `close` once. The sums are lists: a million come."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[str, list[int]] = {}

    def add(self, clip_id: str, errors: int, length: int) -> None:
        """Adds one utterance. `length`: of its reference, in words or characters."""
        sums = self._sums.get(clip_id)
        if sums is None:
            self._sums[clip_id] = [errors, length, 1]
        else:
            sums[0] += errors
            sums[1] += length
            sums[2] += 1

    def close(self) -> dict[str, ErrorCount]:
        """The sums of each clip, by its id."""
        return {clip_id: ErrorCount(*sums) for clip_id, sums in self._sums.items()}


def error_rate(clips: Mapping[str, ErrorCount]) -> Resampled | None:
    """Errors over lengths, each summed over all clips; None without any length."""
    total = sum(clips.values(), ErrorCount())
    return None if total.rate is None else Resampled(total.rate, *error_limits(clips, RISK), total.utterances)


def error_limits(clips: Mapping[str, ErrorCount], risk: float) -> Limits:
    """One-sided limits of the same rate, each wrong with probability `risk`."""
    counts = [clips[clip_id] for clip_id in sorted(clips)]  # however the utterances came, the limits are the same
    return error_rate_limits(
        [count.errors for count in counts],
        [count.length for count in counts],
        [count.utterances for count in counts],
        risk,
    )


def wer_delta(here: Mapping[str, ErrorCount], first: Mapping[str, ErrorCount]) -> Estimate | None:
    """WER here minus WER on the first stage, over clips that both completed; None without such clips.

    Each clip weighs the same on both sides, however often either stage spoke it: a stage that happened to
    speak the hard clips more often is not worse for it. The first stage differs from itself by exactly nothing.
    """
    common = [(here[clip_id], first[clip_id]) for clip_id in sorted(here) if clip_id in first]
    lengths = [mine.length / mine.utterances for mine, _ in common]
    if not sum(lengths):
        return None
    if here is first:
        return Exact(0.0, sum(count.utterances for count in here.values()), compares=True)
    errors, errors_first = ([count.errors / count.utterances for count in side] for side in zip(*common, strict=True))
    utterances, utterances_first = (sum(count.utterances for count in side) for side in zip(*common, strict=True))
    value = (math.fsum(errors) - math.fsum(errors_first)) / sum(lengths)
    limits = paired_limits(errors, errors_first, lengths, utterances)
    return Resampled(value, *limits, min(utterances, utterances_first), compares=True)
