"""Cuts a caller's audio into pieces to recognise, by energy. Bytes in, pieces out; no clock.

    level      ▁▁▁▁▂▅█▇▅▁▃▇█▆▅▁▁▁▁▁▁▁▁▁
    piece        ├pad─speech──────pad┤
                                    ▲ cut: 256 ms of silence, or 8 s of piece

The rules are Parakeet FastAPI's (silence of 250 ms or more, 120 ms of pad, 8 s at most), with three differences: a
window's energy decides instead of a neural network, the rest of a frame that is no multiple of a window is kept
for the next one instead of thrown away, and silence alone gives no piece.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 512
WINDOW_BYTES = 2 * WINDOW_SAMPLES
WINDOW_MS = 1000 * WINDOW_SAMPLES / SAMPLE_RATE_HZ
MIN_SILENCE_WINDOWS = 8  # 256 ms: the first multiple of a window that is at least 250 ms
PAD_WINDOWS = 4  # 128 ms
MAX_PIECE_WINDOWS = 250  # 8 s

# RMS of a window that counts as speech: -50 dBFS. Speech of TTS has its loud parts near -20 dBFS and its weakest
# sounds 25 to 35 dB under them; the pads hold those that fall below.
SPEECH_RMS = 32_768 * 10 ** (-50 / 20)


@dataclass(frozen=True, slots=True)
class Piece:
    """`pcm`: int16 LE mono 16 kHz. `waited_ms`: audio between the end of its speech and the cut."""

    pcm: bytes
    waited_ms: float

    @property
    def audio_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE_HZ


class Vad:
    """One caller's. Not thread-safe."""

    def __init__(self) -> None:
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

    def _step(self, window: bytes, is_speech: bool) -> Piece | None:
        if not self._piece:
            if not is_speech:
                self._before.append(window)
                return None
            self._piece = [*self._before]
            self._before.clear()
        self._piece.append(window)
        self._silent_windows = 0 if is_speech else self._silent_windows + 1
        if self._silent_windows < MIN_SILENCE_WINDOWS and len(self._piece) < MAX_PIECE_WINDOWS:
            return None
        return self._cut()

    def _cut(self) -> Piece:
        """The silence behind the pad stays, as the pad before what comes next."""
        windows, silent = self._piece, self._silent_windows
        surplus = max(0, silent - PAD_WINDOWS)
        kept = windows[: len(windows) - surplus]
        self._before.extend(windows[len(kept) :])
        self._piece, self._silent_windows = [], 0
        return Piece(b"".join(kept), silent * WINDOW_MS)


def speech_windows(data: bytes, n_windows: int) -> list[bool]:
    """Whether each of the first `n_windows` windows of int16 LE PCM is loud enough to be speech."""
    samples = np.frombuffer(data, dtype="<i2", count=n_windows * WINDOW_SAMPLES).reshape(n_windows, WINDOW_SAMPLES)
    mean_square = np.square(samples.astype(np.float32)).mean(axis=1)
    return [bool(value) for value in mean_square > SPEECH_RMS**2]
