"""What the other end of a telephone line hears: audio is played in the order in which it came, as soon as it can be.

arrivals  ▂▂▂▂▂▂▂▂▂▂▂      ▂▂          ▂ ▂ ▂ ▂ ▂
playing   ▂▂▅▅▅▅▂▂▅▅▅▅▅▂▂ ▅▅▅▅          ▅▅▅▅▅▅▅▅▅      two sounds: the pause between them is long enough
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SOUND_LEVEL = 512
"""From which value of int16 a sample sounds (36 dB below full scale): above the noise of a quiet line, below the
consonant with which a word begins."""

PAUSE_S = 1.0
"""Sound that follows sooner is the same: people, and synthesisers, pause so long between two sentences, and a server
takes longer to answer."""

_MOST_LATE_S = 0.5  # a stream in which nothing comes for longer has halted, and is not late
_PIECE_S = 0.020  # what is looked at for sound
_QUIET_HIGH_BYTES = bytes(high for high in range(256) if min(high, 255 - high) < SOUND_LEVEL // 256)


def _mulaw_magnitude(code: int) -> int:
    """What a byte of µ-law is as a sample, without its sign (G.711)."""
    inverted = ~code & 0x7F
    return (((inverted & 0x0F) << 3) + 0x84 << (inverted >> 4)) - 0x84


@dataclass(frozen=True, slots=True)
class LineAudio:
    """How a line carries audio: `sample_bytes` for each sample, of which the last one tells whether it sounds: it does
    not where it is one of `quiet`."""

    rate_hz: int
    sample_bytes: int
    quiet: bytes

    @property
    def bytes_per_s(self) -> float:
        return float(self.rate_hz * self.sample_bytes)

    def has_sound(self, data: bytes) -> bool:
        return bool(data[self.sample_bytes - 1 :: self.sample_bytes].translate(None, self.quiet))

    def sound_in(self, data: bytes) -> tuple[float, float]:
        """From when to when audio that has sound sounds, seconds from its beginning, in steps of 20 ms."""
        step = round(self.rate_hz * _PIECE_S) * self.sample_bytes
        if len(data) <= step:
            return 0.0, len(data) / self.bytes_per_s
        places = range(0, len(data), step)
        first = next(place for place in places if self.has_sound(data[place : place + step]))
        last = next(place for place in reversed(places) if self.has_sound(data[place : place + step]))
        return first / self.bytes_per_s, min(last + step, len(data)) / self.bytes_per_s


def mulaw_audio(rate_hz: int) -> LineAudio:
    """µ-law."""
    return LineAudio(rate_hz, 1, bytes(code for code in range(256) if _mulaw_magnitude(code) < SOUND_LEVEL))


def int16_audio(rate_hz: int) -> LineAudio:
    """int16 LE: it sounds where its high byte is neither near 0 nor near -1."""
    return LineAudio(rate_hz, 2, _QUIET_HIGH_BYTES)


@dataclass(slots=True, eq=False)
class Sound:
    """Sound without a pause, as it is heard. Monotonic seconds. `idle_s`: for how long of it there was nothing to
    play."""

    from_s: float
    to_s: float
    idle_s: float = 0.0


class Line:
    """The end of a line at which it is heard. `sounds`: in order, with pauses of `PAUSE_S` at least between them, or a
    clear. `quiet_from_s`: when the latest ends, as far as is known; None before the first. `empty_at_s`: when all that
    has come is played. `skips_silence`: silence that comes at once behind what was late is not played, up to that
    lateness: otherwise a server that sends silence all the time would be heard later for the rest of a call."""

    def __init__(self, empty_at_s: float = -math.inf, skips_silence: bool = False) -> None:
        self.sounds: list[Sound] = []
        self.quiet_from_s: float | None = None
        self.empty_at_s = empty_at_s
        self._skips_silence = skips_silence
        self._late_s = 0.0  # for how long nothing was there to play, and no silence has made up for it
        self._idle_s = 0.0  # since the latest sound
        self._is_cut = False

    def play(self, at_s: float, length_s: float, sound: tuple[float, float] | None = None) -> None:
        """Takes audio that came at `at_s`. `sound`: from when to when it sounds, seconds from its beginning."""
        start_s = max(at_s, self.empty_at_s)
        idle_s = start_s - self.empty_at_s
        self._idle_s += idle_s
        if sound is None and self._skips_silence:
            skipped_s = min(self._late_s, start_s - at_s, length_s)
            self._late_s, length_s = self._late_s - skipped_s, length_s - skipped_s
        self._late_s = min(self._late_s + idle_s, _MOST_LATE_S) if idle_s <= _MOST_LATE_S else 0.0
        self.empty_at_s = start_s + length_s
        if sound is None:
            return
        from_s, to_s = start_s + sound[0], start_s + sound[1]
        if self.sounds and not self._is_cut and from_s - self.sounds[-1].to_s < PAUSE_S:
            self.sounds[-1].to_s = to_s
            self.sounds[-1].idle_s += self._idle_s
        else:
            self.sounds.append(Sound(from_s, to_s))
            self._is_cut = False
        self._idle_s, self.quiet_from_s = 0.0, to_s

    def cut(self) -> None:
        """What sounds next is another sound, whatever the pause."""
        self._is_cut = True

    def clear(self, at_s: float) -> float:
        """Throws away what is not played yet; gives how long that was, seconds."""
        cleared_s = max(0.0, self.empty_at_s - at_s)
        self.empty_at_s = min(self.empty_at_s, at_s)
        while self.sounds and self.sounds[-1].from_s >= at_s:
            self.sounds.pop()
        if self.sounds:
            self.sounds[-1].to_s = min(self.sounds[-1].to_s, at_s)
        self.quiet_from_s = self.sounds[-1].to_s if self.sounds else None
        self.cut()
        return cleared_s
