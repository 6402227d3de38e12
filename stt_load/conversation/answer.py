"""What a server answers in one turn, and when the caller hears it.

`NamedAnswer` is for protocols that name their answers and say when one has ended; `HeardAnswer`
(`heard_answer.py`) for lines that carry nothing but sound.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from stt_load.dialects.events import (
    AnswerBegins,
    AnswerEnded,
    CallerHeard,
    Event,
    Message,
    SpeechAudio,
    SpeechFormat,
)
from stt_load.errors import Outcome
from stt_load.session.outcomes import Ending
from stt_load.tts.playback import AudioArrival, Playback, gaps_s, play

_BYTES_PER_SAMPLE = 2


class Answer(ABC):
    """The answer of one turn as it comes. Times are monotonic seconds.

    `speech_end_at_s`: when the caller has finished; infinity as long as it has not begun. What began before is no
    answer to what it said: it is counted, in `n_early`. `onset_s`: when the caller broke in; None where it did not.
    `said_over_at_s`: when it has finished with that. `first_heard_s`: when the caller hears the first of the answer.
    `ending`: how the turn ends for what became of its answer, None as long as nothing has.
    """

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self.speech_end_at_s = math.inf
        self.onset_s: float | None = None
        self.said_over_at_s = math.inf
        self.first_heard_s: float | None = None
        self.ending: Ending | None = None
        self._arrivals: list[AudioArrival] = []  # of its audio, seconds after the end of speech

    @abstractmethod
    def on_event(self, at_s: float, event: Event) -> bool:
        """Takes what the server sent, that arrived at `at_s`; whether it is anything of an answer."""

    def on_hang_up(self, at_s: float) -> Ending | None:
        """How a turn ends in which the server ends the call in good order; None where that is a fault."""
        return None

    @property
    @abstractmethod
    def n_early(self) -> int:
        """How many answers began before the caller had finished."""

    @property
    def greeted_at_s(self) -> float | None:
        """When the server has said what it says before the caller does; None as long as it hasn't begun to."""
        return None

    def end_greeting(self) -> float:
        """The caller has heard that, and says its clip now. Gives when it began."""
        raise NotImplementedError

    @property
    def is_ended(self) -> bool:
        """Whether the server has said that it sends no more of it."""
        return False

    def replies(self, now_s: float) -> Sequence[Message]:
        """What the server has to be told now of what it sent."""
        return ()

    @property
    def replies_at_s(self) -> float | None:
        """When it has to be told next."""
        return None

    @property
    @abstractmethod
    def over_at_s(self) -> float | None:
        """When the turn is over: all was heard, or, where the caller broke in, the server has stopped. None as long as
        nobody knows; what arrives may move it."""

    @abstractmethod
    def breaks_in_at_s(self, heard_s: float) -> float | None:
        """When a caller breaks in that wants to have heard so much of the answer; None as long as there is nothing to
        break in on."""

    @property
    @abstractmethod
    def waited_since_s(self) -> float | None:
        """Since when the caller waits for the end, where it has an answer; it may be yet to come, over a line."""

    @abstractmethod
    def missing(self, limit: str, at_s: float) -> str:
        """What the server still owed when the caller gave up, at that moment, in words."""

    @property
    @abstractmethod
    def _barge_in_stop_s(self) -> float | None:
        """From the first sound of a caller who broke in until the server had stopped; None where there was nothing to
        stop."""

    @property
    @abstractmethod
    def _answer_s(self) -> float:
        """How long its audio is."""

    @property
    def _playback(self) -> Playback:
        """What a caller would have suffered who hears it to its end."""
        return play(self._arrivals, self._bytes_per_s)

    def figures(self) -> dict[str, Any]:
        """Fields of the record, of an answer that was heard."""
        assert self.first_heard_s is not None
        playback = self._playback
        return {
            "voice_to_voice_s": self.first_heard_s - self.speech_end_at_s,
            "barge_in_stop_s": self._barge_in_stop_s,
            "answer_s": self._answer_s,
            "gap_max_s": max(gaps_s(self._arrivals), default=0.0),
            "underruns": playback.underruns,
            "stall_s": playback.stall_s,
        }


class NamedAnswer(Answer):
    """The answer of a server that names its answers, and says when one has ended. `rate_hz`: at which it speaks.
    `is_cancelled`: a caller who breaks in cancels the answer by a message; else the server says that it hears it."""

    def __init__(self, rate_hz: int, is_cancelled: bool) -> None:
        super().__init__(float(_BYTES_PER_SAMPLE * rate_hz))
        self._is_cancelled = is_cancelled
        self._early: set[str] = set()  # answers that began before the caller had finished
        self._name: str | None = None  # of the one that answers this turn
        self._ended_at_s: float | None = None  # the server sends no more of it
        self._heard_to_s: float | None = None  # a player has played all of it
        self._heard_at_s: float | None = None  # the server said that it hears a caller who breaks in

    def on_event(self, at_s: float, event: Event) -> bool:
        match event:
            case SpeechAudio(data, answer):
                self._on_audio(at_s, data, answer)
            case AnswerBegins(answer):
                self._name_answer(at_s, answer)
            case AnswerEnded(answer, error):
                self._on_ended(at_s, answer, error)
            case CallerHeard() if self.onset_s is not None and at_s >= self.onset_s:
                self._heard_at_s = self._heard_at_s or at_s
            case SpeechFormat(rate_hz, channels):
                self._bytes_per_s = float(_BYTES_PER_SAMPLE * rate_hz * channels)
            case _:
                return False
        return True

    def _name_answer(self, at_s: float, answer: str) -> None:
        """Finds out whether an answer is one to what was said, or began before the caller had finished."""
        if answer in self._early or answer == self._name:
            return
        if at_s < self.speech_end_at_s:
            self._early.add(answer)
        elif self._name is None:
            self._name = answer

    def _on_audio(self, at_s: float, data: bytes, answer: str) -> None:
        self._name_answer(at_s, answer)
        if answer == self._name and data and self._ended_at_s is None:
            self.first_heard_s = self.first_heard_s or at_s
            self._arrivals.append(AudioArrival(at_s - self.speech_end_at_s, len(data)))

    def _on_ended(self, at_s: float, answer: str, error: str) -> None:
        self._name_answer(at_s, answer)
        if answer != self._name or self._ended_at_s is not None:
            return
        if error:
            self.ending = Ending(Outcome.SERVER_ERROR, error)
        elif self.first_heard_s is None:
            self.ending = Ending(Outcome.NO_FINAL, "the server answered without speech")
        self._ended_at_s = at_s
        if self.first_heard_s is not None:
            self._heard_to_s = self.first_heard_s + self._answer_s + self._playback.stall_s

    @property
    def n_early(self) -> int:
        return len(self._early)

    @property
    def is_ended(self) -> bool:
        return self._ended_at_s is not None

    @property
    def over_at_s(self) -> float | None:
        return self._heard_to_s if self.onset_s is None else self._stopped_at_s

    def breaks_in_at_s(self, heard_s: float) -> float | None:
        if self.first_heard_s is None:
            return None
        at_s = self.first_heard_s + heard_s
        return None if self._heard_to_s is not None and at_s >= self._heard_to_s else at_s

    @property
    def waited_since_s(self) -> float | None:
        return self._ended_at_s

    def missing(self, limit: str, at_s: float) -> str:
        if self.onset_s is not None:
            told = "stop" if self._ended_at_s is None else "say that it hears the caller"
            return f"the server did not {told} within {limit} of being spoken over"
        if self._heard_to_s is not None:
            return f"the answer could not be heard within {limit} of its end"
        if self.first_heard_s is not None:
            return f"the answer had not ended {limit} after the end of speech"
        return no_answer(self.n_early, limit)

    @property
    def _stopped_at_s(self) -> float | None:
        """When the server had stopped for a caller who broke in: it has told so, and no audio came after that. None as
        long as it hasn't, or where nobody broke in."""
        onset_s, ended_s = self.onset_s, self._ended_at_s
        if onset_s is None or ended_s is None:
            return None
        if self._is_cancelled:
            return max(onset_s, ended_s)
        told_s = self._heard_at_s if self._heard_at_s is not None else ended_s if ended_s > onset_s else None
        last_audio_s = self.speech_end_at_s + self._arrivals[-1].at_s
        return None if told_s is None else max(told_s, last_audio_s, onset_s)

    @property
    def _barge_in_stop_s(self) -> float | None:
        """None too where the caller broke in on an answer that had been sent, of which a client's word stops
        nothing."""
        onset_s, stopped_s, ended_s = self.onset_s, self._stopped_at_s, self._ended_at_s
        if onset_s is None or stopped_s is None or (self._is_cancelled and ended_s is not None and ended_s <= onset_s):
            return None
        return stopped_s - onset_s

    @property
    def _answer_s(self) -> float:
        return sum(arrival.n_bytes for arrival in self._arrivals) / self._bytes_per_s


def no_answer(n_early: int, limit: str) -> str:
    """What a server owed that has not answered."""
    if n_early:
        return f"the server answered before the caller had finished, and not within {limit} after that"
    return f"no answer within {limit} of the end of speech"
