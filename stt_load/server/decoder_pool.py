"""Several decoding processes behind one queue, first come, first served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from stt_load.errors import SttLoadError
from stt_load.server.decoder import HEADER
from stt_load.server.language import LanguageModel

_EXIT_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a segment. `queue_ms`: from the cut to a free decoder; `decode_ms`: the decoding, as measured by the
    decoder."""

    text: str
    queue_ms: float
    decode_ms: float


class DecoderLost(SttLoadError):
    """The decoder died over a segment; another one takes its place."""

    def __init__(self) -> None:
        super().__init__("a decoder died over a segment of speech; what it wrote to standard error says why")


@dataclass(frozen=True, slots=True)
class _Job:
    pcm: bytes
    queued_s: float
    result: asyncio.Future[Decoded]


class DecoderPool:
    """The recogniser of the embedded server. Use as an async context manager: the processes live inside it, and none
    outlives it."""

    def __init__(self, model: LanguageModel, decoders: int, nice: int) -> None:
        self._command = [
            *(sys.executable, "-P", "-m", "stt_load.server.decoder"),  # no module of the current folder
            *(str(model.ngrams), str(model.pronunciations), str(nice)),
        ]
        self.decoders = decoders
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def queue_length(self) -> int:
        """How many segments no decoder has taken yet."""
        return self._jobs.qsize()

    async def __aenter__(self) -> DecoderPool:
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self.decoders)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def submit(self, pcm: bytes) -> asyncio.Future[Decoded]:
        """Queues int16 LE mono 16 kHz. If the future is cancelled before a decoder has taken the segment, it is not
        decoded. The future may fail with DecoderLost."""
        result: asyncio.Future[Decoded] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait(_Job(pcm, time.monotonic(), result))
        return result

    async def warm_up(self, rounds: int, pcm: bytes) -> None:
        """Has every decoder recognise `pcm` `rounds` times; the queue gives each of them its share."""
        for _ in range(rounds):
            await asyncio.gather(*(self.submit(pcm) for _ in range(self.decoders)))

    async def _run(self) -> None:
        """Keeps one decoder running: a process that dies is replaced."""
        while True:
            async with _process(self._command) as process:
                while process.returncode is None:
                    job = await self._jobs.get()
                    if job.result.cancelled():
                        continue
                    try:
                        decoded = await _decode(process, job)
                    except (OSError, ValueError, asyncio.IncompleteReadError):
                        if not job.result.done():
                            job.result.set_exception(DecoderLost())
                        print("a decoder died; starting another one", file=sys.stderr)
                        break
                    if not job.result.done():
                        job.result.set_result(decoded)


async def _decode(process: asyncio.subprocess.Process, job: _Job) -> Decoded:
    assert process.stdin is not None and process.stdout is not None
    queue_ms = (time.monotonic() - job.queued_s) * 1000
    process.stdin.write(HEADER.pack(len(job.pcm)) + job.pcm)
    await process.stdin.drain()
    answer = json.loads(await process.stdout.readuntil(b"\n"))
    return Decoded(answer["text"], queue_ms, answer["decode_ms"])


@contextlib.asynccontextmanager
async def _process(command: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    # In a group of its own: Ctrl-C in the terminal is for the server, which ends it.
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, process_group=0)
    try:
        yield process
    finally:
        # Killing loses nothing: the process writes no file.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _EXIT_PATIENCE_S)
