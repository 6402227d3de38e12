"""Cuts a caller's audio into pieces to recognise, by energy. Bytes in, pieces out; no clock.

    level      ▁▁▁▁▂▅█▇▅▁▃▇█▆▅▁▁▁▁▁▁▁▁▁
    piece        ├pad─speech──────pad┤
                                    ▲ cut: 256 ms of silence, or 8 s of piece, or flushed

The rules are Parakeet FastAPI's (silence of 250 ms or more, 120 ms of pad, 8 s at most), with three differences: a
window's energy decides instead of a neural network, the rest of a frame that is no multiple of a window is kept
for the next one instead of thrown away, and silence alone gives no piece.
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

# RMS of a window that counts as speech: -50 dBFS. Speech of TTS has its loud parts near -20 dBFS and its weakest
# sounds 25 to 35 dB under them; the pads hold those that fall below.
SPEECH_RMS = 32_768 * 10 ** (-50 / 20)


@dataclass(frozen=True, slots=True)
class Piece:
    """`pcm`: int16 LE mono 16 kHz. `waited_ms`: audio between the end of its speech and the cut. `start_s`: where it
    begins in all that was heard."""

    pcm: bytes
    waited_ms: float
    start_s: float = 0.0

    @property
    def audio_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE_HZ


class Vad:
    """One caller's. A piece is cut after `endpoint_s` of silence (None: never for that), in whole windows, or when
    it is `max_piece_s` long. Not thread-safe."""

    def __init__(self, endpoint_s: float | None = 0.25, max_piece_s: float = 8.0) -> None:
        self._min_silence_windows = math.inf if endpoint_s is None else math.ceil(1000 * endpoint_s / WINDOW_MS)
        self._max_windows = 1000 * max_piece_s / WINDOW_MS
        self._n_windows = 0
        self._rest = b""
        self._before: deque[bytes] = deque(maxlen=PAD_WINDOWS)
        self._piece: list[bytes] = []
        self._silent_windows = 0

    def feed(self, pcm: bytes) -> list[Piece]:
        """The pieces that end within `pcm`: an even number of bytes, of any length."""
        data = self._rest + pcm
        n_windows = len(data) // WINDOW_BYTES
        self._rest = data[n_windows * WINDOW_BYTES :]
        pieces = []
        for is_speech, start in zip(
            speech_windows(data, n_windows), range(0, n_windows * WINDOW_BYTES, WINDOW_BYTES), strict=True
        ):
            piece = self._step(data[start : start + WINDOW_BYTES], is_speech)
            if piece is not None:
                pieces.append(piece)
        return pieces

    def flush(self) -> Piece | None:
        """The piece that has begun, cut here; None where there is none. What comes next begins anew."""
        self._rest = b""
        piece = self._cut() if self._piece else None
        self._before.clear()
        return piece

    def _step(self, window: bytes, is_speech: bool) -> Piece | None:
        self._n_windows += 1
        if not self._piece:
            if not is_speech:
                self._before.append(window)
                return None
            self._piece = [*self._before]
            self._before.clear()
        self._piece.append(window)
        self._silent_windows = 0 if is_speech else self._silent_windows + 1
        if self._silent_windows < self._min_silence_windows and len(self._piece) < self._max_windows:
            return None
        return self._cut()

    def _cut(self) -> Piece:
        """The silence behind the pad stays, as the pad before what comes next."""
        windows, silent = self._piece, self._silent_windows
        surplus = max(0, silent - PAD_WINDOWS)
        kept = windows[: len(windows) - surplus]
        self._before.extend(windows[len(kept) :])
        self._piece, self._silent_windows = [], 0
        start_s = (self._n_windows - len(windows)) * WINDOW_MS / 1000
        return Piece(b"".join(kept), silent * WINDOW_MS, start_s)


def speech_windows(data: bytes, n_windows: int) -> list[bool]:
    """Whether each of the first `n_windows` windows of int16 LE PCM is loud enough to be speech."""
    samples = np.frombuffer(data, dtype="<i2", count=n_windows * WINDOW_SAMPLES).reshape(n_windows, WINDOW_SAMPLES)
    mean_square = np.square(samples.astype(np.float32)).mean(axis=1)
    return [bool(value) for value in mean_square > SPEECH_RMS**2]
