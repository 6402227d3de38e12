"""The answer of a server that is only heard: a line tells neither that an answer begins nor that it has ended.

caller    ▂▅▇▅▂ end of speech
server           ────────▂▅▇▅▂──▂▅▇▅▂────────────────
                         ▲ the answer begins          ▲ quiet for `quiet_s`: it has ended
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import takewhile

from stt_load.conversation.answer import Answer, no_answer
from stt_load.conversation.line import PAUSE_S, Line, LineAudio, Sound
from stt_load.dialects.events import (
    Event,
    Message,
    PlaybackCleared,
    PlaybackMark,
    SilentAudio,
    SpeechAudio,
)
from stt_load.errors import Outcome
from stt_load.session.outcomes import Ending
from stt_load.tts.playback import PREBUFFER_S, AudioArrival, Playback, play_over_line

_SHORT_PAUSE_S = 0.5
"""Where the caller has spoken while something sounded, and has finished with that: sound after so much quiet is taken
for the answer to it."""


class HeardAnswer(Answer):
    """The answer of one turn over a line. `line_audio`: how the latest audio is made. `quiet_s`: of how much quiet a
    caller concludes that the answer has ended. `played`: the message that a mark was reached. `before`: the answer of
    the turn before in this call, of which silence may still be to be played, and marks to be reached. `skips_silence`:
    as in `Line`."""

    def __init__(
        self,
        line_audio: Callable[[], LineAudio],
        quiet_s: float,
        played: Callable[[str], Message],
        before: HeardAnswer | None = None,
        skips_silence: bool = False,
    ) -> None:
        super().__init__(line_audio().bytes_per_s)
        self._line_audio = line_audio
        self._quiet_s = quiet_s
        self._played = played
        self._line: Line = Line(-math.inf if before is None else before._line.empty_at_s, skips_silence)
        self._marks: list[tuple[float, str]] = [] if before is None else before._marks  # when each is reached
        self._n_greetings = 0
        self._sound: Sound | None = None  # with which the answer begins
        self._silent: list[AudioArrival] = []  # no part of the answer, unless sound follows
        self._stopped_at_s: float | None = None  # for a caller who broke in, and was answered since
        self._is_cleared = False  # what comes is no more of it

    def on_event(self, at_s: float, event: Event) -> bool:
        match event:
            case SpeechAudio(data):
                self._on_sound(at_s, data)
            case SilentAudio(data):
                self._line.play(at_s, len(data) / self._line_audio().bytes_per_s)
                if self._sound is not None:
                    self._silent.append(self._arrival(at_s, data))
            case PlaybackMark(name):
                self._marks.append((max(at_s, self._line.empty_at_s), name))
            case PlaybackCleared():
                self._on_clear(at_s)
            case _:
                return False
        return True

    def _on_sound(self, at_s: float, data: bytes) -> None:
        audio = self._line_audio()
        length_s, (from_s, to_s) = len(data) / audio.bytes_per_s, audio.sound_in(data)
        quiet_from_s, begins_s = self._line.quiet_from_s, max(at_s, self._line.empty_at_s) + from_s
        if begins_s >= self.said_over_at_s and quiet_from_s is not None and begins_s - quiet_from_s >= _SHORT_PAUSE_S:
            self._stopped_at_s = self._stopped_at_s or quiet_from_s
            return
        if quiet_from_s is not None and self._is_after_early(quiet_from_s, begins_s):
            self._line.cut()
        self._line.play(at_s, length_s, (from_s, to_s))
        sound = self._line.sounds[-1]
        if self._sound is None and sound.from_s >= self.speech_end_at_s:
            self._sound, self.first_heard_s = sound, sound.from_s
            self._bytes_per_s = audio.bytes_per_s
        if self._sound is not None and not self._is_cleared:
            self._arrivals += [*self._silent, self._arrival(at_s, data)]
            self._silent.clear()

    def _is_after_early(self, quiet_from_s: float, begins_s: float) -> bool:
        """Whether sound is none of the early one that fell silent before the caller had finished."""
        return quiet_from_s < self.speech_end_at_s <= begins_s and begins_s - quiet_from_s >= _SHORT_PAUSE_S

    def _arrival(self, at_s: float, data: bytes) -> AudioArrival:
        return AudioArrival(at_s - self.speech_end_at_s, len(data))

    def _on_clear(self, at_s: float) -> None:
        cleared_s = self._line.clear(at_s)
        self._marks = [(min(reached_s, at_s), name) for reached_s, name in self._marks]
        if self._sound is None or self._is_cleared:
            return
        self._is_cleared = cleared_s > 0
        if not self._sounds:  # none of it was heard
            self._sound = self.first_heard_s = None
            self._is_cleared = False
            self._arrivals.clear()

    def on_hang_up(self, at_s: float) -> Ending | None:
        if self.first_heard_s is None:
            when = "the caller had spoken" if at_s < self.speech_end_at_s else "it answered"
            return Ending(Outcome.DISCONNECTED, f"the server hung up before {when}")
        quiet_from_s = self._line.quiet_from_s
        unplayed_s = 0.0 if quiet_from_s is None else quiet_from_s - at_s
        if self.onset_s is None and unplayed_s > PREBUFFER_S:
            said = f"the server hung up {unplayed_s:.2f} s before its answer was played to the end"
            return Ending(Outcome.DISCONNECTED, said)
        if self.onset_s is not None:
            self._on_clear(at_s)
        return Ending(Outcome.OK)

    @property
    def n_early(self) -> int:
        if self.speech_end_at_s == math.inf:
            return 0
        n_before = sum(sound.from_s < self.speech_end_at_s for sound in self._line.sounds)
        return n_before - self._n_greetings

    @property
    def greeted_at_s(self) -> float | None:
        return None if self._line.quiet_from_s is None else self._line.quiet_from_s + PAUSE_S

    def end_greeting(self) -> float:
        self._n_greetings = len(self._line.sounds)
        return self._line.sounds[0].from_s

    def replies(self, now_s: float) -> Sequence[Message]:
        if not self._marks:
            return ()
        reached = [name for _, name in takewhile(lambda mark: mark[0] <= now_s, self._marks)]
        del self._marks[: len(reached)]
        return [self._played(name) for name in reached]

    @property
    def replies_at_s(self) -> float | None:
        return self._marks[0][0] if self._marks else None

    @property
    def over_at_s(self) -> float | None:
        quiet_from_s = self._line.quiet_from_s
        if self.first_heard_s is None or quiet_from_s is None:
            return None
        if self.onset_s is None:
            return quiet_from_s + self._quiet_s
        return self._stopped_at_s or max(quiet_from_s, self.onset_s) + PAUSE_S

    def breaks_in_at_s(self, heard_s: float) -> float | None:
        """None too in a pause of the answer: it may have ended."""
        quiet_from_s = self._line.quiet_from_s
        if self.first_heard_s is None or quiet_from_s is None:
            return None
        at_s = self.first_heard_s + heard_s
        return at_s if at_s < quiet_from_s else None

    @property
    def waited_since_s(self) -> float | None:
        return self.first_heard_s

    def missing(self, limit: str, at_s: float) -> str:
        if self.onset_s is not None:
            return f"the answer did not stop within {limit} of being spoken over"
        if self.first_heard_s is not None and self.first_heard_s <= at_s:
            return f"the answer had not ended within {limit} of its first sound"
        return no_answer(self.n_early, limit)

    @property
    def _barge_in_stop_s(self) -> float | None:
        onset_s, quiet_from_s = self.onset_s, self._line.quiet_from_s
        if onset_s is None or quiet_from_s is None or quiet_from_s <= onset_s:
            return None
        return quiet_from_s - onset_s

    @property
    def _answer_s(self) -> float:
        return sum(sound.to_s - sound.from_s - sound.idle_s for sound in self._sounds)

    @property
    def _playback(self) -> Playback:
        return play_over_line(self._arrivals, self._bytes_per_s)

    @property
    def _sounds(self) -> Sequence[Sound]:
        """Those of the answer."""
        sounds = self._line.sounds
        begins = next((place for place, sound in enumerate(sounds) if sound is self._sound), len(sounds))
        return sounds[begins:]
