"""What a microphone hears in one turn: the caller's speech, silence, and perhaps its speech again, over the answer.

    frames  ── ▂▅▇▅▂ ─────────────────── ▂▅▇▅▂ ──────
            the clip   silence          spoken over

A microphone stays on while the server speaks: a server that detects turns hears silence, and the caller break in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from stt_load.session.encoded_clip import EncodedClip
from stt_load.session.prepared_message import PreparedMessage

Frame = Sequence[PreparedMessage]
LONGEST_TURN_S = 900.0


class MicrophoneFrames(Sequence[Frame]):
    """The frames of one turn, with no end to their silence. `silence`: the frame of it."""

    __slots__ = ("_audio", "_first_loud", "_first_place", "_from", "_n_frames", "_silence", "onset_s")

    def __init__(self, audio: EncodedClip, silence: Frame) -> None:
        self._audio = audio
        self._silence = silence
        frame_s, speech_start_s = audio.rule.frame_s, audio.clip.speech_start_s
        self._first_loud = int(speech_start_s / frame_s)  # the frame in which its speech begins
        self.onset_s = speech_start_s - self._first_loud * frame_s  # and how far into that frame
        self._n_frames = len(audio.frames) + round(LONGEST_TURN_S / frame_s)
        self._from = 0  # the frame in which the caller says `_first_place` of its clip
        self._first_place = 0

    def __len__(self) -> int:
        return self._n_frames

    @overload
    def __getitem__(self, number: int) -> Frame: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Frame]: ...

    def __getitem__(self, number: int | slice) -> Frame | Sequence[Frame]:
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(self._n_frames))]
        frames, place = self._audio.frames, number - self._from + self._first_place
        return frames[place] if self._first_place <= place < len(frames) else self._silence

    def keep_silent(self) -> None:
        """The caller says nothing before it is told to."""
        self._from = self._n_frames

    def speak(self, number: int) -> None:
        """The caller says its clip, from the frame with this number on."""
        self._from = number

    def speak_over(self, number: int) -> None:
        """The caller says its clip again, from its first sound, in the frame with this number and those after it."""
        self._from, self._first_place = number, self._first_loud
