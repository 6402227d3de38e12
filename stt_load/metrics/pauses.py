"""A server's patience: how many of the clips with a pause in their speech it cut early, by the length of the pause."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from stt_load.audio.paused import pause_in
from stt_load.metrics.figures import FIGURES_BY_NAME
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.utterance_value import utterance_value
from stt_load.records import UtteranceRecord

_DELAY = FIGURES_BY_NAME["endpointing_delay"]


@dataclass(frozen=True, slots=True)
class PauseFigures:
    """The utterances of a stage whose clip has a pause of `pause_s`; None: of those that are spoken as they are.

    `judged`: those of which it is known whether a turn was ended too early, `cut`: those where one was. `delay`: the
    endpointing delay, infinite where the turn was never ended.
    """

    pause_s: float | None
    judged: int
    cut: int
    delay: Distribution

    @property
    def cut_early_rate(self) -> float:
        return self.cut / self.judged


@dataclass(slots=True)
class _Tally:
    judged: int = 0
    cut: int = 0
    delays: array[float] = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class PauseTallies:
    """The pauses of one stage: `add` its utterances, `close` once."""

    _by_pause: dict[float | None, _Tally] = field(default_factory=dict)

    def add(self, records: Iterable[UtteranceRecord]) -> None:
        """Adds those that count."""
        for record in records:
            if record.turns is None or not record.is_counted:
                continue
            tally = self._by_pause.setdefault(pause_in(record.clip_id), _Tally())
            tally.judged += record.cut_early is not None
            tally.cut += record.cut_early or False
            delay_s = utterance_value(_DELAY, record)
            if delay_s is not None:
                tally.delays.append(delay_s)

    def close(self) -> tuple[PauseFigures, ...]:
        """Those with a pause, the shortest first, behind those without; nothing where no clip was given a pause."""
        if not any(self._by_pause):
            return ()
        return tuple(
            PauseFigures(pause_s, tally.judged, tally.cut, Distribution.of(tally.delays))
            for pause_s, tally in sorted(self._by_pause.items(), key=lambda item: item[0] or 0.0)
            if tally.judged
        )
