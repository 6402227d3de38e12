"""GPU samples while the run goes on: stage changes to the sidecar, samples from it into the run folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.queue import Empty, Queue

from stt_load.credentials import SIDECAR_TOKEN_VARIABLE
from stt_load.load.sign import Sign
from stt_load.local_sidecar import LocalSidecar
from stt_load.sidecar_client import SidecarClient

_PULL_PERIOD_S = 1.0


class GpuFeed:
    """One sidecar of one run, in a greenlet of its own so that a slow one delays nobody."""

    def __init__(self, where: str, gpu_id: int | None, write: Callable[[Mapping[str, Any]], None]) -> None:
        """`where`: a URL, or `local` for a sidecar that lives as long as this feed."""
        self._write = write
        self._stack = contextlib.ExitStack()
        if where == "local":
            where = self._stack.enter_context(LocalSidecar(gpu_id=gpu_id)).url
        self._client = SidecarClient(where, token=os.environ.get(SIDECAR_TOKEN_VARIABLE))
        self._signs: Queue[Sign] = Queue()
        self._greenlet = gevent.spawn(self._loop)

    def describe(self) -> dict[str, Any]:
        """The GPU that is watched, for `run.json`."""
        return self._client.describe()

    def announce(self, sign: Sign) -> None:
        self._signs.put(sign)

    def stop(self) -> None:
        """The last samples, then the end of a local sidecar."""
        self._greenlet.kill()
        self._tell_and_pull()
        self._stack.close()

    def _loop(self) -> None:
        while True:
            self._tell_and_pull()
            with contextlib.suppress(Empty):
                self._signs.peek(timeout=_PULL_PERIOD_S)  # a stage change is told at once

    def _tell_and_pull(self) -> None:
        while not self._signs.empty():
            sign = self._signs.get()
            self._client.announce(sign.run_id, sign.stage, sign.users, str(sign.phase))
        for sample in self._client.pull():
            self._write(sample)
