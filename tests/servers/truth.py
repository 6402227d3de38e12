"""The truth log: what the scripted recogniser heard and sent, and when, one JSON line an utterance.

caller, utterance     0-based; a caller is a request for the websocket, in order of arrival
first_frame_s         receipt of its first frame, of its last frame, and of its last frame with speech:
last_frame_s          monotonic seconds, on Linux the same clock in every process of a machine
speech_frame_s
text_begun_s          before the call that handed its last text to the kernel, and after it: the text left
text_sent_s           between the two, mostly at once. null: never sent
…_at                  the same moments on the wall clock, seconds since 1970
text                  the texts that were sent, joined by blanks; null where there were none
sent_to               the caller who got them
fault                 what was done to it, null for nothing
frames, pcm_bytes     received; without websocket headers
key                   `audio_key` of what was heard
stamp                 receipts are the "kernel"'s stamps, or the times of the "read"
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from servers.script import KEY_BYTES, audio_key, loud_span
from stt_load.errors import ConfigError
from stt_load.server.vad import SAMPLE_RATE_HZ


@dataclass(slots=True)
class Utterance:
    """One utterance as it is heard and answered. Times: monotonic seconds."""

    caller: int
    utterance: int
    stamp: str
    first_frame_s: float | None = None
    last_frame_s: float | None = None
    speech_frame_s: float | None = None
    text_begun_s: float | None = None
    text_sent_s: float | None = None
    text: str | None = None
    sent_to: int | None = None
    fault: str | None = None
    frames: int = 0
    pcm_bytes: int = 0
    key: str | None = None
    _onset: bytes = b""  # from the first loud sample, until there is enough of it for the key
    _speech_samples: int = 0
    _silent_samples: int = 0

    @property
    def speech_s(self) -> float:
        """Seconds of audio since its onset."""
        return self._speech_samples / SAMPLE_RATE_HZ

    @property
    def silence_s(self) -> float:
        """Seconds of audio since its last loud sample; 0 before its first one."""
        return self._silent_samples / SAMPLE_RATE_HZ if self.speech_frame_s is not None else 0.0

    def receive(self, pcm: bytes, received_s: float) -> None:
        """Takes one frame."""
        if self.first_frame_s is None:
            self.first_frame_s = received_s
        self.last_frame_s = received_s
        self.frames += 1
        self.pcm_bytes += len(pcm)
        span = loud_span(pcm)
        n_samples = len(pcm) // 2
        if span is None and self.speech_frame_s is None:
            return
        if self.speech_frame_s is None and span is not None:
            pcm = pcm[2 * span[0] :]
        if span is not None:
            self.speech_frame_s = received_s
            self._silent_samples = n_samples - span[1]
        else:
            self._silent_samples += n_samples
        self._speech_samples += len(pcm) // 2
        if len(self._onset) < KEY_BYTES:
            self._onset += pcm

    def identify(self) -> str | None:
        """The key of the audio so far."""
        self.key = audio_key(self._onset)
        return self.key


class TruthLog:
    """Appends lines to a file; without a path it keeps nothing. ConfigError where the file can't be written."""

    def __init__(self, path: Path | None) -> None:
        self._sink: TextIO | None = None
        if path is not None:
            try:
                self._sink = path.open("a", encoding="utf-8", buffering=1)
            except OSError as error:
                raise ConfigError(f"--truth {path}: {error.strerror}; name a file that can be written") from None

    def write(self, utterance: Utterance) -> None:
        if self._sink is None:
            return
        wall_minus_monotonic_s = time.time() - time.monotonic()
        row: dict[str, object] = {}
        for name in Utterance.__slots__:
            if name.startswith("_"):
                continue
            value = getattr(utterance, name)
            row[name] = value
            if name.endswith("_s"):
                row[name.removesuffix("_s") + "_at"] = None if value is None else value + wall_minus_monotonic_s
        self._sink.write(json.dumps(row, ensure_ascii=False) + "\n")
