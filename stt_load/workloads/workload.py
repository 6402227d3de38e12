"""What the callers of a run do with a clip, whatever kind of server it is: the contract between the station, which
knows whose turn it is, and the kinds of load. `streaming.py` is the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.records import UtteranceRecord
from stt_load.workloads.splitmix64 import SplitMix64


class Caller:
    """What the station knows of one Locust user. `keeps`: what its manner keeps for it between two turns."""

    __slots__ = ("begun_in_stage", "has_waited", "keeps", "ordinal", "random", "stage")

    def __init__(self, ordinal: int, seed: int) -> None:
        self.ordinal = ordinal
        self.random = SplitMix64(seed * 1_000_003 + ordinal)
        self.has_waited = True
        self.stage = -1
        self.begun_in_stage = 0
        self.keeps: object | None = None


class Attempt(Protocol):
    """One utterance of one caller."""

    @property
    def state(self) -> str:
        """What the caller does right now: connecting, speaking, waiting. For the live view."""
        ...

    def run(self, record: UtteranceRecord) -> None:
        """Says it and hears the answer. Every fault ends up in the turn; what the greenlet is killed with is raised."""
        ...

    def interrupt(self, why: str) -> None:
        """The run ends now."""
        ...

    def measure_into(self, record: UtteranceRecord) -> None:
        """Outcome and figures, once `run` is over, however it ended."""
        ...


class Workload(Protocol):
    """One kind of load, in one process. Made as `(config, clips, api_key)`."""

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        """What its callers speak, or have spoken. ConfigError where there is nothing."""
        ...

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> Attempt: ...

    def hang_up(self, caller: Caller) -> None:
        """The caller has to wait or leaves: nothing of it stays open."""
        ...


def new_workload(config: RunConfig, clips: Sequence[Clip], api_key: str | None) -> Workload:
    """The workload of this run's kind of load, as its row in `kinds` names it."""
    workload: Workload = config.kind.workload_class()(config, clips, api_key)
    return workload
