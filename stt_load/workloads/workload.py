"""What the callers of a run do with a clip, whatever kind of load it is: the contract between the caller pool, which
knows whose turn it is, and the workloads, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.credentials import Credentials
from stt_load.dialects.events import Message
from stt_load.records import Measured, UtteranceRecord
from stt_load.workloads.splitmix64 import SplitMix64

Show = Callable[[str], None]
"""Prints one line of a probe."""

Facts = list[tuple[str, str]]
"""Label and text of each thing that a probe has found."""

_SHOWN_CHARACTERS = 300


class Closable(Protocol):
    """A connection that can be given up."""

    def close(self) -> None: ...


@dataclass(slots=True)
class CallInProgress:
    """One call of an open loop, as its caller makes it. `ordinal`: its number in the stage. `late_s`: how long after it
    was due it began. `utterances`: how many have ended in it."""

    ordinal: int
    late_s: float
    utterances: int = 0

    def mark(self, record: UtteranceRecord) -> None:
        """Notes in a record which utterance of which call it is, and counts it."""
        record.call, record.call_utterance = self.ordinal, self.utterances
        record.call_late_s = None if self.utterances else self.late_s
        self.utterances += 1


class Caller:
    """One caller of this process: one Locust user.

    `ordinal`: 0-based, among the callers of its worker. `random`: its own numbers. `has_waited`: it was held back since
    its last utterance, so it arrives anew. `stage`, `begun_in_stage`: where it spoke last, and how many utterances it
    has begun there. `connection`: what its workload keeps open for it between two utterances. `call`: the call that it
    makes, with --arrivals.
    """

    __slots__ = ("begun_in_stage", "call", "connection", "has_waited", "ordinal", "random", "stage", "worker")

    def __init__(self, worker: int, ordinal: int, seed: int) -> None:
        self.worker = worker
        self.ordinal = ordinal
        self.random = SplitMix64(seed * 1_000_003 + ordinal)
        self.has_waited = True
        self.stage = -1
        self.begun_in_stage = 0
        self.connection: Closable | None = None
        self.call: CallInProgress | None = None

    @property
    def name(self) -> str:
        """How the log of --verbose calls it."""
        return f"worker {self.worker} caller {self.ordinal}"

    def disconnect(self) -> None:
        """The caller has to wait, or leaves: nothing of it stays open."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Attempt(Protocol):
    """One utterance of one caller."""

    @property
    def state(self) -> str:
        """What the caller does right now: connecting, speaking, waiting. For the live view."""
        ...

    def run(self) -> Measured:
        """Plays it from the dial to the last of the answer. Every fault is an outcome; what the caller's greenlet is
        killed with is raised, and so is what crashed: `interrupt` is owed then."""
        ...

    def interrupt(self, why: str) -> Measured:
        """`run` did not come to its end: what was measured by then, with the outcome `interrupted` unless it had
        another already."""
        ...


class Workload(Protocol):
    """One kind of load, in one process. Made as `(config, clips, credentials)`, with the silences among the clips."""

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        """What its callers speak, or have spoken. ConfigError where there is nothing."""
        ...

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> Attempt:
        """The caller's next utterance. `is_together`: callers are to begin at the same moment."""
        ...

    @classmethod
    def probe(cls, config: RunConfig, clip: Clip, credentials: Credentials, show: Show) -> Measured:
        """Plays one utterance in this thread, which waits, and shows every message with its time."""
        ...

    @classmethod
    def probe_facts(cls, config: RunConfig, record: UtteranceRecord) -> Facts:
        """What a probe has found, besides what it finds with every kind of load."""
        ...

    @classmethod
    def retry_options(cls, config: RunConfig, record: UtteranceRecord) -> Mapping[str, Any]:
        """Options by their keys, and their values, with which a probe that failed may come to a good end."""
        ...


def new_workload(config: RunConfig, clips: Sequence[Clip], credentials: Credentials) -> Workload:
    """The workload of this run's kind of load, as its row in `kinds` names it."""
    workload: Workload = config.kind.workload_class()(config, clips, credentials)
    return workload


def as_ms(seconds: float | None, explanation: str = "") -> str:
    """`620 ms` and the explanation, as a probe tells it; `none` alone for what was not measured."""
    return "none" if seconds is None else f"{1_000 * seconds:.0f} ms{explanation}"


AsSent = Callable[[Message], Message]
"""Gives a message that has just been sent as the server gets it."""


def shown_text(message: object) -> str:
    """The beginning of a message, as a probe shows it."""
    return f"{message!s:.{_SHOWN_CHARACTERS}}"
