"""When each frame is due, and how late we were."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from stt_load.records import MAX_LAG_BUCKET_MS, Figures

LATE_S = 0.010  # our own lateness up to which a run is believed


class SentAudio(Figures, frozen=True, gc=False):
    """The frames of one utterance that were handed to the kernel, and how late. `audio_s`: their length."""

    frames: int
    audio_s: float
    pacing_lag_p99_s: float | None = None
    pacing_lag_max_s: float | None = None
    pacing_lag_counts: dict[int, int] | None = None
    frames_late: int = 0
    late_runs: list[tuple[int, int]] | None = None
    frames_held_up: int = 0
    frames_missed: int = 0


class Schedule:
    """The due time of each frame, on absolute deadlines (no drift), and how late each was handed over.

    `stream_start_s`: when the microphone is switched on, monotonic seconds. Frame k is due at
    `stream_start_s + (k+1)·frame_s`, the last one at `end_s`. `n_sent`: frames handed over; `next_due_s`: when the one
    after them is due. `last_sent_at_s`: when the latest was handed over, None before the first. `lags_s`: how late each
    was, seconds; below 0 where a clock was early by a hair.
    Attributes rather than properties: they are read and written for every frame of every caller.
    """

    __slots__ = (
        "_held_up_before",
        "_n_held_up",
        "_n_missed",
        "end_s",
        "frame_s",
        "lags_s",
        "last_sent_at_s",
        "n_frames",
        "n_sent",
        "next_due_s",
        "stream_start_s",
    )

    def __init__(self, stream_start_s: float, frame_s: float, n_frames: int) -> None:
        self.stream_start_s = stream_start_s
        self.frame_s = frame_s
        self.n_frames = n_frames
        self.end_s = stream_start_s + n_frames * frame_s
        self.n_sent = 0
        self.next_due_s = stream_start_s + frame_s
        self.last_sent_at_s: float | None = None
        self.lags_s = array("d")
        self._n_held_up = self._n_missed = 0
        self._held_up_before = 0  # the frame before which those that were held up are counted

    @property
    def is_all_sent(self) -> bool:
        return self.n_sent >= self.n_frames

    def on_sent(self, now_s: float) -> None:
        """The last byte of the next frame was with the kernel at `now_s`."""
        self.last_sent_at_s = now_s
        self.lags_s.append(now_s - self.next_due_s)
        self.n_sent = n_sent = self.n_sent + 1
        self.next_due_s = self.stream_start_s + (n_sent + 1) * self.frame_s

    def on_held_up(self, until_s: float) -> None:
        """The kernel has taken the next frame only at `until_s`: the server read nothing, or the network was slow. Call
        it before `on_sent`. Frames that are late by then are so for that."""
        n_due = self._n_overdue(until_s)
        self._n_held_up += max(0, n_due - max(self.n_sent, self._held_up_before))
        self._held_up_before = max(n_due, self._held_up_before)

    def on_ended(self, now_s: float) -> None:
        """No other frame is sent, though the kernel would take one. Those that are late by now were kept back by nobody
        but this process, as one that stood still until the server had left."""
        self._n_missed = max(0, self._n_overdue(now_s) - self.n_sent)

    def _n_overdue(self, now_s: float) -> int:
        """The number of the first frame that is not late yet."""
        return min(math.floor((now_s - LATE_S - self.stream_start_s) / self.frame_s), self.n_frames)

    def sent_audio(self) -> SentAudio:
        """What was sent so far, and how late."""
        n_sent = self.n_sent
        if not n_sent:
            return SentAudio(0, 0.0)
        # No arrays of numpy: some hundred floats are sorted sooner than its functions find their way into the cache.
        ranked_s = sorted(self.lags_s)
        worst_s = ranked_s[-1]
        return SentAudio(
            frames=n_sent,
            audio_s=n_sent * self.frame_s,
            pacing_lag_p99_s=max(0.0, ranked_s[math.ceil(0.99 * n_sent) - 1]),  # nearest rank
            pacing_lag_max_s=max(0.0, worst_s),
            pacing_lag_counts={1: n_sent} if worst_s <= 0.001 else _counts_by_ms(ranked_s),
            frames_missed=self._n_missed,
            **(self._lateness() if worst_s > LATE_S else {}),
        )

    def _lateness(self) -> dict[str, Any]:
        """The fields that only frames of more than `LATE_S` have."""
        late = [frame for frame, lag_s in enumerate(self.lags_s) if lag_s > LATE_S]
        runs: list[tuple[int, int]] = []
        began = 0
        for n, frame in enumerate(late, start=1):
            if n == len(late) or late[n] != frame + 1:
                runs.append((late[began], n - began))
                began = n
        return {"frames_late": len(late), "late_runs": runs, "frames_held_up": min(self._n_held_up, len(late))}


def _counts_by_ms(ranked_s: Sequence[float]) -> dict[int, int]:
    """How many frames were late by how much: a bucket of one millisecond each, named by its upper edge, so that 11 is
    more than 10 ms and at most 11. 1 also holds what was in time, `MAX_LAG_BUCKET_MS` + 1 whatever was later.
    `ranked_s`: seconds, the least first."""
    counts: dict[int, int] = {}
    first, last_edge_ms = 0, MAX_LAG_BUCKET_MS + 1
    while first < len(ranked_s):
        edge_ms = min(max(math.ceil(1_000 * ranked_s[first]), 1), last_edge_ms)
        after = len(ranked_s) if edge_ms == last_edge_ms else bisect_right(ranked_s, edge_ms / 1_000, first)
        after = max(after, first + 1)  # rounding may put the first a hair above its own edge
        counts[edge_ms] = counts.get(edge_ms, 0) + after - first
        first = after
    return counts
