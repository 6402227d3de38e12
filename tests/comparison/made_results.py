"""Results to be compared, made up from seeds, and the command that compares them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner
from made_run import MadeRun, made_run

from stt_load.cli import cli
from stt_load.errors import ConfigError, Outcome
from stt_load.tts.playback import Playback
from stt_load.tts.speech_reader import TtsResult
from stt_load.tts_benchmark.results import Benchmark, TextRuns, result_json, with_streaming_known

LADDER = (1, 10, 20)


@dataclass(frozen=True)
class Done:
    """What the command did: `errors` are the lines that it stopped with."""

    code: int
    printed: str
    errors: tuple[str, ...] = ()


def compared(*words: Any) -> Done:
    """Runs `stt-load compare` in this process."""
    done = CliRunner().invoke(cli, ["compare", *map(str, words)], standalone_mode=False)
    if isinstance(done.exception, ConfigError):
        return Done(int(done.exception.exit_code), done.stdout, done.exception.problems)
    if done.exception is not None:
        raise done.exception
    return Done(int(done.return_value), done.stdout)


def run_of(label: str, seed: int = 7, **more: Any) -> MadeRun:
    """A ladder of streams that holds 20 callers."""
    made = made_run(**{"ladder": LADDER, "per_stage": 60, "seed": seed, "gpu": False} | more)
    made.run["label"] = label
    return made


def tts_json(factor: float = 1.0, seed: int = 1, runs: int = 20, **configuration: Any) -> str:
    """The result file of a benchmark of two texts. `factor`: how much slower than the first server."""
    rng = random.Random(seed)

    def spoken(seconds: float) -> TtsResult:
        total_s = factor * seconds * rng.gauss(0.12, 0.01)
        heard = {"first_byte_s": total_s / 2, "audio_s": seconds, "gaps_s": (0.1, 0.3), "playback": Playback(0, 0.0)}
        return TtsResult(Outcome.OK, total_s=total_s, **heard)

    lengths_s = {"short": 3.5, "long": 15.0}
    texts = with_streaming_known(
        [
            TextRuns(name, f"A {name} text.", tuple(spoken(s) for _ in range(runs)), 9_000.0)
            for name, s in lengths_s.items()
        ]
    )
    known = {"gpu": "NVIDIA H200", "gpu_memory_gb": 140.4, "model": "m", "optimization": "fp32"} | configuration
    return result_json(Benchmark("tts_chatterbox", 1_800_000_000.0, 5, runs, known, texts))
