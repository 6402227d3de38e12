"""The script of the scripted recogniser: what it answers, when, and how it fails. Values only; everything is seeded.

A script is chosen whole before the server starts and is the same for all callers; `faulty_ratio` and `loss`
choose callers and utterances by lot. Lots depend on seed, caller and utterance alone, never on timing.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Literal, Self

import numpy as np

from stt_load.errors import ConfigError

UNKNOWN_CLIP = "unknown clip"


class Fault(StrEnum):
    """The fault that faulty callers meet. A script has one at most."""

    # at the upgrade
    REFUSE = "refuse"  # `status` instead of the upgrade
    NO_UPGRADE = "no_upgrade"  # TCP is accepted, the upgrade never answered
    # after `fault_after_s` of audio, in the middle of the stream
    RESET = "reset"  # TCP RST
    CLOSE = "close"  # close frame with `close_code`, between two messages
    CLOSE_MID_MESSAGE = "close_mid_message"  # the first fragment of a text, then the close frame with `close_code`
    CUT_FRAME = "cut_frame"  # half of a text frame, then FIN: no close code arrives (1006)
    SLOW_READER = "slow_reader"  # stops reading
    # when the text is due
    STALL = "stall"  # nothing is sent, not even `queued`
    WRONG_JSON = "wrong_json"  # half a JSON object
    HUGE_TEXT = "huge_text"  # a text frame of 64 MiB
    TWICE = "twice"  # the same text again
    EMPTY_FIRST = "empty_first"  # one more piece, with an empty text, before the first
    LEAK = "leak"  # to the oldest open session, as the original Parakeet server does


AT_UPGRADE = frozenset({Fault.REFUSE, Fault.NO_UPGRADE})
MID_STREAM = frozenset({Fault.RESET, Fault.CLOSE, Fault.CLOSE_MID_MESSAGE, Fault.CUT_FRAME, Fault.SLOW_READER})


@dataclass(frozen=True, slots=True)
class Script:
    """`text` may name {utterance} and {caller}, both 0-based and spelled out, and {reference}: the text that
    `references` holds for the audio heard, by `audio_key`.

    An utterance is complete once its speech (by level) was followed by `endpoint_s` of silence. Its text is due
    `delay_s` after the last frame of the stream was received, trailing silence included, or after the last frame
    with speech in it (`delay_from`). Every frame that arrives before that moves the first kind on: so
    `delay_s` has to be longer than a frame, and the stream has to stop.

    `pieces`: the words of the text are spread over so many messages. They are due together, or, with `mid_clip`,
    all but the last one after each second of speech. `queued`: `{"status":"queued"}` for each of them.
    """

    text: str = "utterance {utterance} of caller {caller}"
    references: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.3
    delay_from: Literal["last_frame", "speech_end"] = "last_frame"
    endpoint_s: float = 0.25
    pieces: int = 1
    mid_clip: bool = False
    queued: bool = True
    loss: float = 0.0  # probability that an utterance's texts are never sent
    fault: Fault | None = None
    faulty_ratio: float = 1.0  # of callers
    fault_after_s: float = 0.5  # of audio
    status: int = 503
    close_code: int = 1011
    seed: int = 0
    takes_s: float = 0.0  # for each text once it is due, one after the other, whoever waits: a queue
    places: int | None = None  # callers at once; the next one is refused with `status`

    def __post_init__(self) -> None:
        problems = [
            f"script: {name} is {value!r}: {wanted}"
            for name, value, is_good, wanted in (
                ("delay_s", self.delay_s, self.delay_s >= 0, "give 0 or more"),
                ("takes_s", self.takes_s, self.takes_s >= 0, "give 0 or more"),
                ("pieces", self.pieces, self.pieces >= 1, "give 1 or more"),
                ("loss", self.loss, 0 <= self.loss <= 1, "give 0 to 1"),
                ("faulty_ratio", self.faulty_ratio, 0 <= self.faulty_ratio <= 1, "give 0 to 1"),
                ("status", self.status, 400 <= self.status <= 599, "give 400 to 599"),
                (
                    "delay_from",
                    self.delay_from,
                    self.delay_from in ("last_frame", "speech_end"),
                    "last_frame or speech_end",
                ),
            )
            if not is_good
        ]
        try:
            self.text_of(0, 0, None)
        except (LookupError, ValueError):
            problems.append(f"script: text is {self.text!r}: it may name {{caller}}, {{utterance}} and {{reference}}")
        if problems:
            raise ConfigError(problems)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, content: str) -> Self:
        """Reads what `to_json` wrote. Raises ConfigError for anything but an object of these fields."""
        try:
            values = json.loads(content)
            if values.get("fault") is not None:
                values["fault"] = Fault(values["fault"])
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            names = ", ".join(f.name for f in fields(cls))
            raise ConfigError(f"script: {error}; a JSON object of {names}") from None

    def is_faulty(self, caller: int) -> bool:
        return self.fault is not None and _lot(self.seed, "fault", caller) < self.faulty_ratio

    def is_lost(self, caller: int, utterance: int) -> bool:
        return _lot(self.seed, "loss", caller, utterance) < self.loss

    def text_of(self, caller: int, utterance: int, key: str | None) -> str:
        return self.text.format(
            caller=spelled(caller),
            utterance=spelled(utterance),
            reference=self.references.get(key or "", UNKNOWN_CLIP),
        )

    def texts_of(self, text: str) -> list[str]:
        """The words of `text` in `pieces` parts; the last ones are empty where there are fewer words."""
        return [" ".join(part) for part in np.array_split(text.split(), self.pieces)]


def _lot(*where: object) -> float:
    """A number from 0 to 1, the same for the same arguments in every process."""
    return random.Random(repr(where)).random()


# Audio is known by its first second after the onset, so that any silence before it doesn't matter.
KEY_BYTES = 2 * 16_000
_LOUD = 200  # of int16: what is quieter is silence


def audio_key(pcm: bytes) -> str | None:
    """A key that identifies a clip (int16 LE mono 16 kHz), however it is cut into frames and whatever silence surrounds
    it. None where nothing is loud. Bit-exact: resampled or lossy audio has another key."""
    loud = loud_span(pcm)
    if loud is None:
        return None
    return hashlib.sha256(pcm[2 * loud[0] :][:KEY_BYTES].ljust(KEY_BYTES, b"\0")).hexdigest()[:16]


def sound_key(pcm: bytes) -> str:
    """A key of all that sounds in a piece of audio, from its first loud sample to its last: whatever silence surrounds
    it. Bit-exact, as `audio_key` is."""
    first, after = loud_span(pcm) or (0, 0)
    return hashlib.sha256(pcm[2 * first : 2 * after]).hexdigest()[:16]


def loud_span(pcm: bytes) -> tuple[int, int] | None:
    """(first loud sample, the one after the last); None where all is silence."""
    level = np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32))
    loud = np.flatnonzero(level > _LOUD)
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else None


_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_LARGE = ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))


def spelled(number: int) -> str:
    """A whole number from 0 to 999,999,999 in English words: no text normaliser has an opinion on those."""
    for size, name in _LARGE:
        if number >= size:
            rest = number % size
            return f"{spelled(number // size)} {name}" + (f" {spelled(rest)}" if rest else "")
    if number < len(_SMALL):
        return _SMALL[number]
    return _TENS[number // 10] + (f" {_SMALL[number % 10]}" if number % 10 else "")
