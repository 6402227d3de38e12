from __future__ import annotations

import pytest

from stt_load.errors import ConfigError, Outcome, Refusal
from stt_load.tts.speech_reader import TtsResult
from stt_load.tts_benchmark.benchmark_run import BenchmarkRun
from stt_load.tts_benchmark.gpu_watch import GpuWatch

NO_GPU = GpuWatch([], "r1")


class Voice:
    """Speaks until it is told to do something else: the n-th request from 0."""

    def __init__(self, **at: TtsResult | BaseException) -> None:
        self.heard: list[str] = []
        self._at = {int(name.removeprefix("at")): what for name, what in at.items()}

    def synthesise(self, text: str) -> TtsResult:
        self.heard.append(text)
        what = self._at.get(len(self.heard) - 1)
        if isinstance(what, BaseException):
            raise what
        return what or TtsResult(Outcome.OK, total_s=float(len(self.heard)), audio_s=1.0)


def run_of(voice: Voice, warm_up: int = 2, runs: int = 3) -> BenchmarkRun:
    return BenchmarkRun(voice.synthesise, {"a": "Hello.", "b": "Good morning."}, warm_up, runs)


def test_each_text_is_warmed_up_and_then_measured_by_itself() -> None:
    voice, told = Voice(), []
    run = run_of(voice)
    run.run(NO_GPU, lambda name, done, total: told.append((name, done, total)))
    assert voice.heard == ["Hello."] * 5 + ["Good morning."] * 5
    assert [text.name for text in run.done] == ["a", "b"]
    assert [s.total_s for s in run.done[0].results] == [3.0, 4.0, 5.0]
    assert told[0] == ("a", 0, 5) and told[-1] == ("b", 4, 5)
    assert run.done[0].vram_peak_mib is None


def test_an_interrupt_keeps_whole_requests() -> None:
    run = run_of(Voice(at8=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run.run(NO_GPU, lambda *_: None)
    assert [(text.name, len(text.results)) for text in run.done] == [("a", 3), ("b", 1)]


def test_a_text_that_was_only_warmed_up_is_not_there() -> None:
    run = run_of(Voice(at6=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run.run(NO_GPU, lambda *_: None)
    assert [text.name for text in run.done] == ["a"]


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        (Refusal.PARAMETERS, "check --url, --api and --dialect-option"),
        (Refusal.AUTH, "set STT_LOAD_TTS_API_KEY"),
        (Refusal.CAPACITY, "it is full: raise its limit"),
        (None, "check --url"),
    ],
)
def test_a_server_that_refuses_the_first_request_is_not_asked_again(refusal: Refusal | None, advice: str) -> None:
    voice = Voice(at0=TtsResult(Outcome.REFUSED, error="HTTP 404: no such voice", refusal=refusal))
    with pytest.raises(ConfigError, match=f"no such voice; .*{advice}"):
        run_of(voice).run(NO_GPU, lambda *_: None)
    assert len(voice.heard) == 1


def test_a_later_refusal_counts_and_the_rest_goes_on() -> None:
    run = run_of(Voice(at3=TtsResult(Outcome.REFUSED, error="HTTP 503")))
    run.run(NO_GPU, lambda *_: None)
    assert [text.errors for text in run.done] == [1, 0]
