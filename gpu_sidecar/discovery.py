"""Finds the GPUs and processes to watch, in threads of its own, and again while things change.

The server's processes are looked for every 10 s; `server_choice.py` says how. nvidia-smi is asked at the start, by
`rediscover`, and while there is a reason: the server has other processes than last time, samples are missing, or the
last answer was empty or a guess. It is asked every 30 s at most. It may hang: only its own thread waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from gpu_sidecar.failures import FailureLog
from gpu_sidecar.gpu_choice import GpuChoice, GpuSelector, UnknownGpu, choose_gpus
from gpu_sidecar.lasting_thread import LastingThread
from gpu_sidecar.metrics import GPU
from gpu_sidecar.nvidia_smi import NvidiaSmi, QueryFailed
from gpu_sidecar.nvidia_smi_errors import is_away
from gpu_sidecar.proc import Proc
from gpu_sidecar.sample import Sample
from gpu_sidecar.server_choice import OnGpus, ServerChoice, ServerSelector, ServerTree, root_search

_log = logging.getLogger(__name__)

TREE_PERIOD_S = 10.0
ASK_AGAIN_S = 30.0
_JOIN_S = 5.0


class Discovery:
    """Finds the GPUs and the server's processes, and follows them.

    `gpu_choice` and `server_choice` hold the present choices. They may change at any time and may be read from any
    thread.
    """

    def __init__(
        self,
        gpu: GpuSelector,
        server: ServerSelector | None,
        proc: Proc | None = None,
        tree_period_s: float = TREE_PERIOD_S,
        ask_again_s: float = ASK_AGAIN_S,
        failures: FailureLog | None = None,
    ) -> None:
        self.gpu_choice = GpuChoice((), "nvidia-smi has not answered yet")
        self.server_choice = ServerChoice((), "not looked for yet")
        self._selector, self._has_server_selector = gpu, server is not None
        self._tree_period_s, self._ask_again_s = tree_period_s, ask_again_s
        self._smi = NvidiaSmi()
        self.warnings: tuple[str, ...] = ()  # what nvidia-smi printed beside its last answer
        self._answer = self.gpu_choice  # the result of the last query, adopted or not
        self._is_doubted = False
        self._known_pids: tuple[int, ...] = ()  # of known servers on any GPU, as nvidia-smi saw them last
        self._proc = proc or Proc()
        search = root_search(server) if server else OnGpus(lambda: self._known_pids)
        self._tree = ServerTree(self._proc, search)
        self._unknown: UnknownGpu | None = None
        self._has_listed_gpus = False
        self._usable: frozenset[str] = frozenset()  # the UUIDs of GPUs that can be used, as nvidia-smi lists them

        self._stopping = threading.Event()
        self._decided = threading.Event()
        self._again = threading.Event()  # for the server's thread, which passes it on
        self._gpus_again = threading.Event()
        self._server_bell, self._gpu_bell = threading.Event(), threading.Event()
        self._failures = failures or FailureLog()
        self._threads = [self._lasting("watch-server", self._follow_server)]
        if gpu.is_none:
            self.gpu_choice = GpuChoice((), "no GPU was asked for")
            self._decided.set()
        else:
            self._threads.append(self._lasting("watch-gpus", self._follow_gpus))

    def start(self) -> None:
        """Looks for the server at once, which takes milliseconds. nvidia-smi may take longer and is not waited for."""
        try:
            self._look_for_server()
        except Exception as error:
            self._failures.note("watch-server", error)  # its thread looks again
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops all threads and returns when they have ended, even if nvidia-smi hangs."""
        self._stopping.set()
        self._smi.stop()
        self._server_bell.set()
        self._gpu_bell.set()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _lasting(self, name: str, work: Callable[[], None]) -> LastingThread:
        return LastingThread(name, work, self._failures, self._stopping)

    def rediscover(self) -> None:
        """Soon looks for server and GPUs afresh. The result replaces what was known, whatever it is."""
        self._again.set()
        self._server_bell.set()

    def doubt(self) -> None:
        """Soon asks nvidia-smi again: its GPUs may be others than they were."""
        self._is_doubted = True
        self._gpu_bell.set()

    def indexes(self) -> tuple[int, ...]:
        """The GPUs that should be sampled now; empty if it can't be said, or if another vendor's tool lists them."""
        chosen = tuple(gpu.index for gpu in self.gpu_choice.gpus)
        return chosen or tuple(int(word) for word in self._selector.ids if word.isdigit())

    def wait_until_decided(self, timeout_s: float) -> bool:
        """True if nvidia-smi has answered, or can't be asked, within the timeout.

        Raises UnknownGpu if it doesn't have one of the GPUs that were asked for.
        """
        is_decided = self._decided.wait(timeout_s)
        if self._unknown is not None:
            raise self._unknown
        return is_decided

    def selects(self, sample: Sample) -> bool:
        """True if the sample should be kept: those of chosen GPUs, and all that are not of a GPU.

        If nvidia-smi lists no GPU, samples come from another vendor's tool: then it keeps those of the indexes asked
        for, or all.
        """
        if sample.kind != GPU:
            return True
        if self._has_listed_gpus:
            return any(gpu.index == sample.gpu for gpu in self.gpu_choice.gpus)
        return self._decided.is_set() and (not self._selector.ids or str(sample.gpu) in self._selector.ids)

    def _follow_server(self) -> None:
        while not self._stopping.is_set():
            self._server_bell.wait(self._tree_period_s)
            self._server_bell.clear()
            self._look_for_server()

    def _look_for_server(self) -> None:
        is_again = self._again.is_set()
        self._again.clear()
        before = self.server_choice
        try:
            # Those on GPUs are looked up afresh always: that costs nothing, and nvidia-smi may know others by now.
            self.server_choice = self._tree.update(is_afresh=is_again or not self._has_server_selector)
        except Exception:  # raised again: what was asked for meanwhile must not be lost with it
            if is_again:
                self.rediscover()
            raise
        if self._has_server_selector and not self.server_choice.pids and self.server_choice.why != before.why:
            _log.warning("%s", self.server_choice.why)
        if is_again:
            self._gpus_again.set()
        if is_again or self.server_choice.pids != before.pids:
            self._gpu_bell.set()

    def _follow_gpus(self) -> None:
        while not self._stopping.is_set():
            is_again = self._gpus_again.is_set()
            self._gpus_again.clear()
            self._is_doubted = False
            pids, asked_at = self.server_choice.pids, time.monotonic()
            try:
                choice = self._choose(pids)
            except QueryFailed as error:
                choice, is_again = GpuChoice((), str(error)), False
            except Exception:  # as above
                if is_again:
                    self._gpus_again.set()
                raise
            self._take(choice, is_again)
            self._wait_for_reason(pids, asked_at)

    def _choose(self, pids: tuple[int, ...]) -> GpuChoice:
        inventory = self._smi.query(self._selector)
        self._has_listed_gpus = bool(inventory.gpus)
        self._usable = frozenset(gpu.uuid for gpu in inventory.gpus if not is_away(gpu.name))
        self._note_warnings(inventory.warnings)
        known = {app.pid for app in inventory.apps if app.is_server and app.pid is not None}
        self._known_pids = tuple(sorted(known))
        self._unknown = None
        server_pids = pids if self._has_server_selector else None
        try:
            return choose_gpus(
                inventory.gpus, inventory.apps, self._selector, server_pids, inventory.mig_parents, self._program_of
            )
        except UnknownGpu as error:
            self._unknown = error
            return GpuChoice((), str(error))

    def _program_of(self, pid: int) -> int:
        """The session of a process: what was started together is one program.

        A pid that isn't here is a program of its own, and so is one whose session began outside this container (0).
        """
        stat = self._proc.process(pid)
        return (stat and stat.session) or pid

    def _note_warnings(self, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            if warning not in self.warnings:
                _log.warning("%s", warning)
        self.warnings = warnings

    def _take(self, choice: GpuChoice, is_again: bool) -> None:
        """Adopts the choice, unless it is a guess or empty and a known one is in use.

        Within a run the server may be away or still loading its model, and will be back; a GPU that is lost stays
        chosen, so that it is missed. A new run starts afresh.
        """
        if self._stopping.is_set():
            return
        before, self._answer = self.gpu_choice, choice
        if not is_again and _is_known(choice) and _is_known(before):
            # As they were described before: now they may be called "[GPU is lost]".
            lost = {gpu.uuid: gpu for gpu in before.gpus if gpu.uuid not in self._usable}
            by_uuid = {**{gpu.uuid: gpu for gpu in choice.gpus}, **lost}
            choice = replace(choice, gpus=tuple(sorted(by_uuid.values(), key=lambda gpu: gpu.index)))
        if is_again or _is_known(choice) or not _is_known(before):
            self.gpu_choice = choice
        self._decided.set()
        # Whoever waits for the decision reports an unknown GPU.
        if self.gpu_choice.why != before.why and not _is_known(self.gpu_choice) and self._unknown is None:
            _log.warning(
                "%s", self.gpu_choice.why if self.gpu_choice.gpus else f"{self.gpu_choice.why}: no GPU samples"
            )
        self._server_bell.set()

    def _wait_for_reason(self, asked_for: tuple[int, ...], asked_at: float) -> None:
        """Waits until nvidia-smi should be asked again."""
        while not (self._stopping.is_set() or self._gpus_again.is_set()):
            rest_s = asked_at + self._ask_again_s - time.monotonic()
            if rest_s <= 0 and not self._is_settled(asked_for):
                return
            self._gpu_bell.wait(rest_s if rest_s > 0 else None)
            self._gpu_bell.clear()

    def _is_settled(self, asked_for: tuple[int, ...]) -> bool:
        if self._is_doubted or not _is_known(self._answer):
            return False
        return not self._selector.is_by_process or self.server_choice.pids == asked_for


def _is_known(choice: GpuChoice) -> bool:
    return bool(choice.gpus) and not choice.is_guess
