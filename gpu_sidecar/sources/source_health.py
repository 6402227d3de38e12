"""Keeps what is wrong with a source: its last complaint, its gaps, and the GPUs that have no figures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from gpu_sidecar.metrics import GPU
from gpu_sidecar.sources.base import Moment, SampleGap
from gpu_sidecar.sources.gap_log import WHOLE, GapLog, GapOf

_log = logging.getLogger(__name__)


class SourceHealth:
    """The health of one source, told by the thread that samples and read by any other.

    `on_gap` is called when a gap begins. The reason of a gap is logged, of a GPU only the first time.
    """

    def __init__(self, on_gap: Callable[[], None]) -> None:
        self._on_gap = on_gap
        self._lock = threading.Lock()  # for all below
        self._gaps = GapLog()
        self._last_message = ""
        self._faults: dict[int, str] = {}
        self._started = self._last_sample = Moment(0.0, 0.0)
        self._last_figures: dict[int, Moment] = {}
        self._warned_of: set[str] = set()

    @property
    def gaps(self) -> tuple[SampleGap, ...]:
        with self._lock:
            return self._gaps.all()

    @property
    def last_message(self) -> str:
        with self._lock:
            return self._last_message

    def complaint(self, wanted: Collection[int]) -> str:
        """The faults of these GPUs (of all if there are none), else the last message; "" if nothing is wrong."""
        with self._lock:
            faults = [fault for gpu, fault in self._faults.items() if not wanted or gpu in wanted]
            return "; ".join(faults) or self._last_message

    def last_figures(self, gpu: int) -> Moment | None:
        """When the GPU had figures last; None if it never had any."""
        with self._lock:
            return self._last_figures.get(gpu)

    def note_start(self, now: Moment) -> None:
        """Notes that sampling begins: so do the gaps of what never gives a sample."""
        with self._lock:
            self._started = self._last_sample = now

    def note_message(self, text: str) -> None:
        """Notes a line of the tool that is no sample; "" once what was wrong has been got over."""
        with self._lock:
            self._last_message = text

    def note_sample(self, now: Moment) -> None:
        with self._lock:
            self._last_sample = now
            self._gaps.end(WHOLE, now)

    def note_figures(self, gpu: int, now: Moment) -> None:
        """Notes a sample in which the GPU has figures: whatever was wrong with it is over."""
        with self._lock:
            self._last_figures[gpu] = now
            self._faults.pop(gpu, None)
            self._gaps.end(GapOf(GPU, gpu), now)

    def note_fault(self, gpu: int, fault: str) -> None:
        """Notes what the tool says in place of the GPU's figures."""
        with self._lock:
            self._faults[gpu] = f"GPU {gpu}: {fault}"

    def begin_gap(self, why: str) -> None:
        """Begins a gap of the whole source, since its last sample."""
        with self._lock:
            is_new = self._gaps.begin(WHOLE, self._last_sample, why)
        if is_new:
            _log.warning("%s; starting it again until it works", why.rstrip("."))
            self._on_gap()

    def begin_gap_of(self, gpu: int, why: str) -> None:
        """Begins a gap of one GPU, since its last figures."""
        with self._lock:
            since = self._last_figures.get(gpu, self._started)
            is_new = self._gaps.begin(GapOf(GPU, gpu), since, why)
            line = f"GPU {gpu}: {why}"
            is_said = line in self._warned_of
            self._warned_of.add(line)
            self._faults[gpu] = line
        if is_new and not is_said:
            _log.warning("%s", line)
        if is_new:
            self._on_gap()
