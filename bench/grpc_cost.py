"""What a frame costs over gRPC, and what over a websocket: CPU of one process that plays the same clips, in turn.

    python bench/grpc_cost.py [--callers 200] [--repeats 5]

Each plays short utterances and long ones through the pacing loop, a greenlet a caller; the difference is what the
frames cost, and what is left of the short ones is dial, opening, session and close. The gRPC sink grants every frame
as grpcio's servers do; `quiet` is one that grants seldom, so that nothing is there to be read while a caller speaks.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import gevent
import numpy as np
from rig import CHECKOUT

from stt_load.audio.clip import Clip
from stt_load.clips.folder import load_folder, write_folder
from stt_load.config import parse_options
from stt_load.credentials import NO_CREDENTIALS
from stt_load.server.process import ServerProcess, start_sink_server
from stt_load.workloads.workload import Caller, Workload, new_workload

_RATE_HZ, _FRAME_MS = 16_000, 100
_SHORT_S, _LONG_S = 0.2, 8.2
_FRAMES = round((_LONG_S - _SHORT_S) * 1_000 / _FRAME_MS)
Cost = tuple[float, float]
"""The CPU of a frame and of a short utterance, µs."""


@contextmanager
def grpc_sink(*flags: str) -> Iterator[ServerProcess]:
    with ServerProcess([str(CHECKOUT / "bench/grpc_sink.py"), *flags]) as sink:
        yield sink


def measure(dialect: str, url: str, clips: Path, callers: int) -> Cost:
    given = {"stt_url": url, "dialect": dialect, "end": "client", "frame_ms": _FRAME_MS, "clips": "-"}
    loaded = load_folder(str(clips), _RATE_HZ).clips
    workload = new_workload(parse_options(given), loaded, NO_CREDENTIALS)
    short, long = sorted(loaded, key=lambda clip: clip.duration_s)
    short_us = min(_cpu_us(workload, short, callers) for _ in range(3))
    long_us = _cpu_us(workload, long, callers)
    return (long_us - short_us) / _FRAMES, short_us


def _cpu_us(workload: Workload, clip: Clip, callers: int) -> float:
    """CPU of one utterance of each caller, all at once."""

    def speak(caller: Caller) -> None:
        record = workload.new_attempt(caller, clip, False).run()
        assert record[0].outcome == "ok", record[0].error

    before_s = time.process_time()
    greenlets = [gevent.spawn(speak, Caller(0, ordinal, 1)) for ordinal in range(callers)]
    gevent.joinall(greenlets, raise_error=True)
    return 1e6 * (time.process_time() - before_s) / callers


@click.command()
@click.option("--callers", default=200)
@click.option("--repeats", default=5)
def main(callers: int, repeats: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    costs: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        clips = Path(folder) / "clips"
        _write_clips(clips)
        sinks = {
            "websocket": ("vosk", stack.enter_context(start_sink_server(0.0))),
            "grpc": ("riva-grpc", stack.enter_context(grpc_sink())),
            "grpc, quiet": ("riva-grpc", stack.enter_context(grpc_sink("--quiet"))),
        }
        for _, sink in sinks.values():
            os.sched_setaffinity(sink.pid, {cores[-1]})
        os.sched_setaffinity(0, {cores[0]})
        for _ in range(repeats):
            for name, (dialect, sink) in sinks.items():
                cost = measure(dialect, sink.url, clips, callers)
                costs.setdefault(name, []).append(cost)
                print(f"{name:12} {cost[0]:6.2f} µs a frame, {cost[1]:7.1f} µs an utterance without them", flush=True)
    medians = {
        name: tuple(statistics.median(column) for column in zip(*each, strict=True)) for name, each in costs.items()
    }
    for name, (frame_us, utterance_us) in medians.items():
        ratios = frame_us / medians["websocket"][0], utterance_us / medians["websocket"][1]
        print(f"{name:12} {ratios[0]:.2f} × a frame, {ratios[1]:.2f} × an utterance of the websocket's")
    print(json.dumps(medians))


def _write_clips(folder: Path) -> None:
    lengths_s = {"short": _SHORT_S, "long": _LONG_S}
    samples = {name: np.int16(6_000 * np.sin(np.arange(round(s * _RATE_HZ)) / 7.0)) for name, s in lengths_s.items()}
    clips = [Clip(name, "two words", pcm, _RATE_HZ, 0.0, len(pcm) / _RATE_HZ) for name, pcm in samples.items()]
    write_folder(folder, clips, {"engine": "bench"})


if __name__ == "__main__":
    main()
