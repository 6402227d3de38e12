"""The lines of `stages.jsonl` by stage: when its phases began, and what was seen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from stt_load.capacity.arrivals import CallLoad

Transition = Mapping[str, Any]
"""A line of `stages.jsonl`."""

ENDED_EARLY = "ended early: "
"""The `reason` of a grace that began as soon as it was certain that an objective is missed starts with this; which one,
and by how much, comes behind."""

SPIKE_STAGE = 1
"""The stage of a spike: one before it, one after."""

FAILED = "failed"
"""The `reason` of the last line where the run had to end because this program or its machine failed."""


@dataclass(frozen=True, slots=True)
class StageTimeline:
    """The transitions of one stage, as `stages.jsonl` has them. `lines`: its own, and the first line after it."""

    stage: int
    lines: tuple[Transition, ...]

    @property
    def users(self) -> int:
        return int(self.lines[0]["users"])

    @property
    def load(self) -> CallLoad | None:
        """The calls of the stage, with --arrivals."""
        load = self.lines[0].get("load")
        return None if load is None else msgspec.convert(load, CallLoad)

    @property
    def calls_began(self) -> float | None:
        """When its calls began, wall clock; None without --arrivals, and where they never did."""
        return next((float(line["t"]) for line in self.lines if line.get("is_open")), None)

    @property
    def hold(self) -> Transition | None:
        return next((line for line in self.lines if line["phase"] == "hold"), None)

    @property
    def after(self) -> tuple[Transition, ...]:
        """The hold's line and what follows; empty where the hold never began."""
        return () if self.hold is None else self.lines[self.lines.index(self.hold) :]

    @property
    def hold_span(self) -> tuple[float, float] | None:
        """When the hold began and ended, wall clock; None where it never did either. Where the run was ended in it, it
        is over when the load was told to end: utterances in flight, and the last rows, come later."""
        if len(self.after) < 2:
            return None
        hold, line = self.after[:2]
        return float(hold["t"]), float(line.get("load_ended_at") or line["t"])

    @property
    def breach(self) -> str | None:
        """Which objective was certain to be missed when the hold ended for that reason; None where it did not."""
        reasons = (line.get("reason") or "" for line in self.lines if line["phase"] == "grace")
        return next((why.removeprefix(ENDED_EARLY) for why in reasons if why.startswith(ENDED_EARLY)), None)

    @property
    def has_settled(self) -> bool:
        """The stage went through all its phases."""
        return any(line["phase"] == "settle" and line["stage"] == self.stage for line in self.after)

    @property
    def is_over(self) -> bool:
        """The stage came to its end: a line after the grace says that every counted utterance had time to end."""
        return any(line["phase"] in ("settle", "done") or line["stage"] != self.stage for line in self.after)

    @property
    def workers(self) -> tuple[int, ...]:
        """Load workers at each transition from the hold on, but for `done`, when they have left already. Where as many
        were there each time and some of them have gone, or were silent for long, the last number is of those that
        stayed."""
        seen = [int(line["workers"]) for line in self._counting if line["phase"] != "done"]
        # A worker that was lost may have been replaced before the next line, and only `done` reports a loss in the last
        # phase of a run.
        lost = self.workers_lost
        return (*seen, max(seen[0] - lost, 0)) if lost and len(set(seen)) == 1 else tuple(seen)

    @property
    def workers_lost(self) -> int:
        """Load workers that have gone, or were silent for long, in hold and grace."""
        lost = [int(line.get("workers_lost") or delivery_of(line).get("workers_lost") or 0) for line in self._counting]
        return max(lost) - lost[0] if lost else 0

    @property
    def _counting(self) -> tuple[Transition, ...]:
        """The hold's line and what follows, without the next stage's where this one has settled: nothing is counted any
        more then. (`done` also tells of workers whose last rows have not come.)"""
        return tuple(line for line in self.after if line["stage"] == self.stage) if self.has_settled else self.after

    @property
    def stolen_cpu_pct(self) -> float | None:
        """CPU time that the host gave to others: the larger share of hold and grace, percent of all cores' time."""
        return self._largest_of_hold_and_grace("stolen_cpu_pct")

    @property
    def waiting_ports_pct(self) -> float | None:
        """Ephemeral ports of the master's machine that connections still held which had ended: the larger share at the
        end of hold and grace, percent."""
        return self._largest_of_hold_and_grace("waiting_ports_pct")

    @property
    def generator_cpu_pct(self) -> float | None:
        """The busiest generator process in hold and grace, percent of one core."""
        return self._largest_of_hold_and_grace("generator_cpu_pct")

    def _largest_of_hold_and_grace(self, key: str) -> float | None:
        """A line reports on the phase that ends there, so hold and grace are in the two lines after the hold's own."""
        seen = [line.get(key) for line in self.after[1:3]]
        return max((float(value) for value in seen if value is not None), default=None)

    @property
    def is_judged(self) -> bool:
        """There is something to judge: not where nobody was to speak, and not where somebody asked for another number
        of callers before these had arrived. (A ladder goes on to a hold, whoever has come by then.)"""
        return self.users > 0 and not self.is_passed_through

    @property
    def is_passed_through(self) -> bool:
        return self.hold is None and self.lines[-1]["stage"] != self.stage

    @property
    def length_s(self) -> float:
        """From its first line to the first after it."""
        return float(self.lines[-1]["t"]) - float(self.lines[0]["t"])

    def largest(self, key: str) -> int:
        return max((int(line.get(key) or 0) for line in self.lines if line["stage"] == self.stage), default=0)


def timelines_of(transitions: Sequence[Transition]) -> list[StageTimeline]:
    """One timeline for each stage in `stages.jsonl`, in the order in which they began."""
    timelines = []
    for stage in dict.fromkeys(int(line["stage"]) for line in transitions):
        places = [index for index, line in enumerate(transitions) if line["stage"] == stage]
        timelines.append(StageTimeline(stage, tuple(transitions[places[0] : places[-1] + 2])))
    return timelines


def delivery_of(line: Transition) -> Mapping[str, Any]:
    """What the last line says of rows that were sent and lost; nothing on every other line."""
    return line.get("delivery") or {}
