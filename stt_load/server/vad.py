"""Cuts a caller's audio into segments of speech, by energy. Bytes in, segments out; no clock.

    level      ▁▁▁▁▂▅█▇▅▁▃▇█▆▅▁▁▁▁▁▁▁▁▁
    segment      ├pad─speech──────pad┤
                                    ▲ cut: 256 ms of silence, or a segment of 8 s, or a flush

The rules are Parakeet FastAPI's (silence of 250 ms or more, 120 ms of pad, 8 s at most), with three differences: a
window's energy decides instead of a neural network, the rest of a frame that is no multiple of a window is kept
for the next one instead of thrown away, and silence alone gives no segment.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 512
WINDOW_BYTES = 2 * WINDOW_SAMPLES
WINDOW_MS = 1000 * WINDOW_SAMPLES / SAMPLE_RATE_HZ
PAD_WINDOWS = 4  # 128 ms

# RMS from which a window counts as speech: -50 dBFS. Speech of TTS has its loud parts near -20 dBFS and its weakest
# sounds 25 to 35 dB under them; the pads hold those that fall below.
SPEECH_RMS = 32_768 * 10 ** (-50 / 20)


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """Speech to be recognised as one. `pcm`: int16 LE mono 16 kHz. `waited_ms`: audio between the end of its speech and
    the cut. `start_s`: where it begins in all audio fed so far."""

    pcm: bytes
    waited_ms: float
    start_s: float = 0.0

    @property
    def audio_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        return self.start_s + self.audio_s


class Vad:
    """The voice activity detector of one caller. A segment is cut after `endpoint_s` of silence, in whole windows
    (None: no silence ends it), or when it is `max_segment_s` long. Not thread-safe."""

    def __init__(self, endpoint_s: float | None = 0.25, max_segment_s: float = 8.0) -> None:
        self._min_silence_windows = math.inf if endpoint_s is None else math.ceil(1000 * endpoint_s / WINDOW_MS)
        self._max_windows = 1000 * max_segment_s / WINDOW_MS
        self._n_windows = 0
        self._rest = b""
        self._before: deque[bytes] = deque(maxlen=PAD_WINDOWS)
        self._segment: list[bytes] = []
        self._silent_windows = 0

    def feed(self, pcm: bytes) -> list[SpeechSegment]:
        """Takes audio, an even number of bytes of any length, and returns the segments that end in it."""
        data = self._rest + pcm
        n_windows = len(data) // WINDOW_BYTES
        self._rest = data[n_windows * WINDOW_BYTES :]
        segments = []
        for is_speech, start in zip(
            speech_windows(data, n_windows), range(0, n_windows * WINDOW_BYTES, WINDOW_BYTES), strict=True
        ):
            segment = self._step(data[start : start + WINDOW_BYTES], is_speech)
            if segment is not None:
                segments.append(segment)
        return segments

    def flush(self) -> SpeechSegment | None:
        """Cuts the segment that has begun; None where there is none. The next audio begins anew."""
        self._rest = b""
        segment = self._cut() if self._segment else None
        self._before.clear()
        return segment

    def _step(self, window: bytes, is_speech: bool) -> SpeechSegment | None:
        self._n_windows += 1
        if not self._segment:
            if not is_speech:
                self._before.append(window)
                return None
            self._segment = [*self._before]
            self._before.clear()
        self._segment.append(window)
        self._silent_windows = 0 if is_speech else self._silent_windows + 1
        if self._silent_windows < self._min_silence_windows and len(self._segment) < self._max_windows:
            return None
        return self._cut()

    def _cut(self) -> SpeechSegment:
        """Cuts behind the pad. The silence that follows it stays, as the pad before the next segment."""
        windows, silent = self._segment, self._silent_windows
        surplus = max(0, silent - PAD_WINDOWS)
        kept = windows[: len(windows) - surplus]
        self._before.extend(windows[len(kept) :])
        self._segment, self._silent_windows = [], 0
        start_s = (self._n_windows - len(windows)) * WINDOW_MS / 1000
        return SpeechSegment(b"".join(kept), silent * WINDOW_MS, start_s)


def speech_windows(data: bytes, n_windows: int) -> list[bool]:
    """Whether each of the first `n_windows` windows of int16 LE PCM is loud enough to be speech."""
    samples = np.frombuffer(data, dtype="<i2", count=n_windows * WINDOW_SAMPLES).reshape(n_windows, WINDOW_SAMPLES)
    mean_square = np.square(samples.astype(np.float32)).mean(axis=1)
    return [bool(value) for value in mean_square > SPEECH_RMS**2]
