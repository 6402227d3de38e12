from __future__ import annotations

import pytest

from stt_load.errors import ConfigError, Outcome, Refusal
from stt_load.tts.answer import Spoken
from stt_load.tts_benchmark.gpu_watch import GpuWatch
from stt_load.tts_benchmark.measuring import Measuring

NO_GPU = GpuWatch([], "r1")


class Voice:
    """Speaks until it is told to do something else: the n-th request from 0."""

    def __init__(self, **at: Spoken | BaseException) -> None:
        self.heard: list[str] = []
        self._at = {int(name.removeprefix("at")): what for name, what in at.items()}

    def speak(self, text: str) -> Spoken:
        self.heard.append(text)
        what = self._at.get(len(self.heard) - 1)
        if isinstance(what, BaseException):
            raise what
        return what or Spoken(Outcome.OK, total_s=float(len(self.heard)), audio_s=1.0)


def measured(voice: Voice, warm_up: int = 2, runs: int = 3) -> Measuring:
    return Measuring(voice.speak, {"a": "Hello.", "b": "Good morning."}, warm_up, runs)


def test_each_text_is_warmed_up_and_then_measured_by_itself() -> None:
    voice, told = Voice(), []
    measuring = measured(voice)
    measuring.run(NO_GPU, lambda name, done, total: told.append((name, done, total)))
    assert voice.heard == ["Hello."] * 5 + ["Good morning."] * 5
    assert [text.name for text in measuring.done] == ["a", "b"]
    assert [s.total_s for s in measuring.done[0].spoken] == [3.0, 4.0, 5.0]
    assert told[0] == ("a", 0, 5) and told[-1] == ("b", 4, 5)
    assert measuring.done[0].vram_peak_mib is None


def test_an_interrupt_keeps_whole_requests() -> None:
    measuring = measured(Voice(at8=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        measuring.run(NO_GPU, lambda *_: None)
    assert [(text.name, len(text.spoken)) for text in measuring.done] == [("a", 3), ("b", 1)]


def test_a_text_that_was_only_warmed_up_is_not_there() -> None:
    measuring = measured(Voice(at6=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        measuring.run(NO_GPU, lambda *_: None)
    assert [text.name for text in measuring.done] == ["a"]


def test_a_server_that_refuses_the_first_request_is_not_asked_again() -> None:
    voice = Voice(at0=Spoken(Outcome.REFUSED, error="HTTP 404: no such voice", refusal=Refusal.PARAMETERS))
    with pytest.raises(ConfigError, match="no such voice"):
        measured(voice).run(NO_GPU, lambda *_: None)
    assert len(voice.heard) == 1


def test_a_later_refusal_counts_and_the_rest_goes_on() -> None:
    measuring = measured(Voice(at3=Spoken(Outcome.REFUSED, error="HTTP 503")))
    measuring.run(NO_GPU, lambda *_: None)
    assert [text.errors for text in measuring.done] == [1, 0]
