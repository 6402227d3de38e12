"""What an utterance costs beside its frames, and where: CPU of one process that plays short ones against the sink.

    python bench/utterance_cost.py [--callers 200] [--block 800] [--blocks 12] [--only connection]

An utterance here has five frames, so what is left is nearly all dial, upgrade, session, record, row and turn. Each
layer plays the same utterances with one more part of the program around them:

    connection  dial, upgrade, two frames, close: one after the other, without a session
    pacing      the pacing loop and the session, with a greenlet a caller
    pool        the same, and what a caller does around it: clip, record, row
    locust      the same under Locust's own users, with its statistics, the ledger and the raw file

The least of many blocks counts: what else runs on the machine only ever adds. Numbers of two checkouts are compared by
running this file in both, in turn.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import gevent
import numpy as np
from gevent import monkey
from locust.env import Environment

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet, load_folder, write_folder
from stt_load.config import parse_options
from stt_load.credentials import NO_CREDENTIALS
from stt_load.dialects.vosk import EOF
from stt_load.locust_plugin.local_pool import make_pool
from stt_load.locust_plugin.user import CallerUser
from stt_load.net.transport import Need
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.greenlet_driver import plain_socket
from stt_load.run.ledger import Ledger
from stt_load.run.plan import Phase
from stt_load.run.raw_file import RawFile
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport
from stt_load.server.process import start_sink_server
from stt_load.workloads.run_clips import dialect_of
from stt_load.workloads.workload import Caller, new_workload

_FRAMES, _FRAME_MS, _RATE_HZ = 5, 20, 16_000
_N_CLIPS = 50
Play = Callable[[int], int]
"""Plays so many utterances, or a few more; gives how many."""


class BenchUser(CallerUser):
    """Locust finds no users that are abstract."""


class Bench:
    """Every layer against one sink. `callers`: how many speak at a time."""

    def __init__(self, url: str, clips: ClipSet, callers: int) -> None:
        self.config = parse_options(
            {"stt_url": url, "dialect": "vosk", "end": "client", "frame_ms": _FRAME_MS, "clips": "-"}
        )
        self.clips = clips
        self.callers = callers
        self.update = StageUpdate("bench", 0, 0, Phase.HOLD, callers, ("bench",))

    @contextmanager
    def connection(self) -> Iterator[Play]:
        target = dialect_of(self.config).connect(self.config.stt_url)
        poll = monkey.get_original("select", "poll")

        def wait(transport: WebSocketTransport, need: Need | None) -> None:
            waiting = poll()
            waiting.register(transport.fileno(), 4 if need is Need.WRITABLE else 1)
            waiting.poll()

        def play(n: int) -> int:
            for _ in range(n):
                transport = WebSocketTransport(True, plain_socket)
                transport.dial(target)
                while (need := transport.advance()) is not None:
                    wait(transport, need)
                transport.send(target.first_messages[0])
                transport.send(EOF)
                while transport.receive() is None:
                    wait(transport, None)
                transport.close()
            return n

        yield play

    @contextmanager
    def pacing(self) -> Iterator[Play]:
        workload = new_workload(self.config, self.clips.clips, NO_CREDENTIALS)
        callers = [Caller(0, ordinal, 1) for ordinal in range(self.callers)]

        def speak(caller: Caller, n: int) -> None:
            for k in range(n):
                clip = self.clips.clips[(caller.ordinal + k) % _N_CLIPS]
                workload.new_attempt(caller, clip, False).run()

        yield partial(_play_at_once, speak, callers)

    @contextmanager
    def pool(self) -> Iterator[Play]:
        report = WorkerReport("bench")
        report.apply(self.update)
        runner = SimpleNamespace(client_id="bench", worker_index=0)
        environment = SimpleNamespace(runner=runner, events=SimpleNamespace(request=_Nobody()))
        pool = make_pool(environment, self.config, self.clips, report, True)
        callers = [pool.new_caller() for _ in range(self.callers)]

        def speak(caller: Caller, n: int) -> None:
            for _ in range(n):
                pool.take_turn(caller)
                gevent.sleep(0)

        def play(n: int) -> int:
            n = _play_at_once(speak, callers, n)
            while report.n_waiting:
                report.pop()
            return n

        yield play

    @contextmanager
    def locust(self) -> Iterator[Play]:
        with tempfile.TemporaryDirectory() as folder:
            report = WorkerReport("bench")
            report.apply(self.update)
            environment = Environment(user_classes=[BenchUser])
            runner: Any = environment.create_local_runner()
            runner.client_id, runner.worker_index = "bench", 0
            pool = make_pool(environment, self.config, self.clips, report, True)
            environment.stt_role = SimpleNamespace(ready_pool=lambda: pool)
            references = {clip.clip_id: clip.reference for clip in self.clips.clips}
            ledger = Ledger("bench", references, RawFile(Path(folder) / "rows").add)
            runner.start(self.callers, spawn_rate=100)

            def collect() -> None:
                """Takes all rows, as a single process does, but at once: here audio may wait."""
                ledger.accept("bench", pool.snapshot(), time.monotonic())
                ledger.take_rows("bench", map(WorkerReport.pop, [report] * report.n_waiting), time.monotonic())

            def play(n: int) -> int:
                began_with = report.total
                while report.total < began_with + n:
                    gevent.sleep(0.1)
                    collect()
                return report.total - began_with

            yield play
            pool.drain(is_cut=True, limit_s=5.0)
            collect()
            runner.quit()
            _check(ledger, environment)


def _play_at_once(speak: Callable[[Caller, int], None], callers: Sequence[Caller], n: int) -> int:
    each = -(-n // len(callers))
    gevent.joinall([gevent.spawn(speak, caller, each) for caller in callers], raise_error=True)
    return each * len(callers)


class _Nobody:
    def fire(self, **_: object) -> None: ...


def _check(ledger: Ledger, environment: Environment) -> None:
    """Every utterance was heard, has its row, and was counted by Locust."""
    counted, rows = environment.stats.total.num_requests, ledger.delivery()["rows"]
    told = rows - ledger.outcomes["interrupted"]
    if counted != told or ledger.outcomes["ok"] != told:
        raise RuntimeError(f"{rows} rows, {counted} requests of Locust's: {dict(ledger.outcomes)}")


def _short_clips(folder: Path) -> ClipSet:
    samples = np.int16(6_000 * np.sin(np.arange(_FRAMES * _FRAME_MS * _RATE_HZ // 1_000) / 7.0))
    length_s = len(samples) / _RATE_HZ
    clips = [Clip(f"hum-{n:03d}", f"some words {n}", samples, _RATE_HZ, 0.0, length_s) for n in range(_N_CLIPS)]
    write_folder(folder, clips, {"engine": "bench"})
    return load_folder(str(folder), _RATE_HZ)


def _cpu_s() -> tuple[float, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.process_time(), usage.ru_stime


@click.command()
@click.option("--callers", default=200)
@click.option("--block", default=800, help="Utterances that are measured together.")
@click.option("--blocks", default=12)
@click.option("--only", multiple=True, help="Of connection, pacing, pool, locust.")
def main(callers: int, block: int, blocks: int, only: tuple[str, ...]) -> None:
    cores = sorted(os.sched_getaffinity(0))
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, start_sink_server(0.0) as sink:
        os.sched_setaffinity(sink.pid, {cores[-1]})
        os.sched_setaffinity(0, {cores[0]})
        bench = Bench(sink.url, _short_clips(Path(folder) / "clips"), callers)
        for name in only or ("connection", "pacing", "pool", "locust"):
            with getattr(bench, name)() as play:
                costs = sorted(_block_cost(play, block) for _ in range(blocks))
            least, median = costs[0], costs[len(costs) // 2]
            figures[name] = {"least_us": least[0], "of_it_kernel_us": least[1], "median_us": median[0]}
            shown = f"{least[0]:6.1f} µs, {least[1]:6.1f} of it the kernel's; median {median[0]:6.1f}"
            print(f"{name:10}  {shown}", flush=True)
    print(json.dumps(figures))


def _block_cost(play: Play, n: int) -> tuple[float, float]:
    """CPU of an utterance in µs: all, and the kernel's part of it."""
    all_s, kernel_s = _cpu_s()
    n = play(n)
    now_s, now_kernel_s = _cpu_s()
    return 1e6 * (now_s - all_s) / n, 1e6 * (now_kernel_s - kernel_s) / n


if __name__ == "__main__":
    main()
