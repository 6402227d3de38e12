"""Callers as people write them by hand: one coroutine each, `websockets`, a sleep until the next frame is due.

    python bench/asyncio_client.py URL CALLERS SECONDS [--warm S] [--frame-ms MS] [--clip-s S]

What happened from `--warm` on is printed as JSON, as `c_loop.c` does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import time

import numpy as np
from websockets.asyncio.client import connect

BYTES_PER_MS = 32  # int16 at 16 kHz


class Counts:
    def __init__(self) -> None:
        self.has_begun = False
        self.lags_s: list[float] = []
        self.utterances = 0


async def call(url: str, counts: Counts, frame_s: float, n_frames: int, first_s: float) -> None:
    """Sends one utterance after another, each on a new connection."""
    loop = asyncio.get_running_loop()
    frame = os.urandom(round(1_000 * frame_s * BYTES_PER_MS))
    await asyncio.sleep(first_s)
    while True:
        async with connect(url, compression=None, open_timeout=None) as websocket:
            await websocket.send('{"config": {"sample_rate": 16000}}')
            start_s = loop.time() + random.uniform(0, frame_s)
            for number in range(n_frames):
                due_s = start_s + (number + 1) * frame_s
                await asyncio.sleep(due_s - loop.time())
                await websocket.send(frame)
                if counts.has_begun:
                    counts.lags_s.append(loop.time() - due_s)
            await websocket.send('{"eof" : 1}')
            json.loads(await websocket.recv())
            counts.utterances += counts.has_begun


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("callers", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--warm", type=float, default=0.0)
    parser.add_argument("--frame-ms", type=float, default=100.0)
    parser.add_argument("--clip-s", type=float, default=7.0)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    counts, frame_s = Counts(), options.frame_ms / 1_000
    n_frames = round(options.clip_s / frame_s)
    tasks = [
        asyncio.create_task(call(options.url, counts, frame_s, n_frames, random.uniform(0, options.clip_s)))
        for _ in range(options.callers)
    ]
    await asyncio.sleep(options.warm)
    counts.has_begun, begun_s, cpu_before_s = True, time.monotonic(), time.process_time()
    done, _ = await asyncio.wait(tasks, timeout=options.seconds - options.warm, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()
    took_s, used_s = time.monotonic() - begun_s, time.process_time() - cpu_before_s
    lags_ms = 1_000 * np.array(counts.lags_s or [0.0])
    p50, p99, largest = np.percentile(lags_ms, [50, 99, 100], method="inverted_cdf")
    frames = len(counts.lags_s)
    figures = {
        "frames": frames,
        "frames_per_s": frames / took_s,
        "utterances_per_s": counts.utterances / took_s,
        "cpu_us_per_frame": 1e6 * used_s / frames if frames else None,
        "lag_p50_ms": p50,
        "lag_p99_ms": p99,
        "lag_max_ms": largest,
    }
    print(json.dumps(figures), flush=True)
    os._exit(0)  # thousands of open connections need no farewell


if __name__ == "__main__":
    asyncio.run(main())
