"""Every figure that other systems get, declared once: Prometheus text and OTLP are made from `EXPORTED`.

Names follow OpenTelemetry's rule for Prometheus, so that a figure has one name whichever way it came:
`stt_load.eos_latency` with the unit `s` is `stt_load_eos_latency_seconds`, and what only grows ends in `_total`.
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#metric-metadata-1

The stage is a figure of its own, `stt_load_stage_info`, and no label of the others: their series go on when the stage
changes, and a query joins the two. The GPU sidecar does the same with the same labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stt_load.kinds import ALL_KINDS, CONVERSATIONS, IN_FRAMES, REQUESTS, STREAMS, TRANSCRIBED, LoadKind
from stt_load.report.model import StageReport, Verdict
from stt_load.telemetry.counters import RunCounters
from stt_load.telemetry.histogram import LatencyHistogram

Labels = Mapping[str, str]
Value = float | LatencyHistogram
Points = Iterable[tuple[Labels, Value]]


class Kind(StrEnum):
    """How a figure behaves. A counter and a histogram only grow while a run lasts."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """What is known of a run at one moment. `callers`: users that Locust has started, or with --arrivals callers on the
    line; `states`: callers by what they do. `ended`: the stages that are judged."""

    run_id: str
    label: str
    dialect: str
    kind: LoadKind
    stage: int
    phase: str
    target: int
    callers: int
    states: Mapping[str, int]
    generator_cpu_pct: float | None
    counters: RunCounters
    ended: Sequence[StageReport] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """One figure. `unit` is in UCUM, as OTLP wants it; `{…}` counts things. `read` gives its points: labels and value,
    none where it isn't known. `kinds`: the kinds of load that have it."""

    name: str
    kind: Kind
    unit: str
    help: str
    read: Callable[[LiveFigures], Points]
    kinds: frozenset[LoadKind] = field(default=ALL_KINDS)

    @property
    def otlp_name(self) -> str:
        return f"stt_load.{self.name}"

    @property
    def prometheus_name(self) -> str:
        unit = _UNIT_SUFFIXES.get(self.unit, "")
        return f"stt_load_{self.name}{unit}{'_total' if self.kind is Kind.COUNTER else ''}"


_UNIT_SUFFIXES = {"s": "_seconds", "1": "_ratio"}


def exported_of(kind: LoadKind) -> list[Exported]:
    """The figures that a run of this kind has."""
    return [row for row in EXPORTED if kind in row.kinds]


def _one(value: Callable[[LiveFigures], Value | None]) -> Callable[[LiveFigures], Points]:
    """A figure without labels."""

    def read(live: LiveFigures) -> Points:
        found = value(live)
        return [] if found is None else [({}, found)]

    return read


def _run_info(live: LiveFigures) -> Points:
    return [({"run_id": live.run_id, "label": live.label, "dialect": live.dialect, "kind": live.kind.name}, 1)]


def _stage_info(live: LiveFigures) -> Points:
    tag = {"run_id": live.run_id, "stage": str(live.stage), "users": str(live.target), "phase": live.phase}
    return [(tag, 1)]


def _states(live: LiveFigures) -> Points:
    return [({"state": state}, n) for state, n in sorted(live.states.items())]


def _outcomes(live: LiveFigures) -> Points:
    return [({"outcome": outcome}, n) for outcome, n in live.counters.outcomes.items()]


def _failures(live: LiveFigures) -> Points:
    return [({"outcome": outcome, "reason": reason}, n) for (outcome, reason), n in live.counters.failures.items()]


def _of_stages(value: Callable[[StageReport], bool]) -> Callable[[LiveFigures], Points]:
    def read(live: LiveFigures) -> Points:
        return [
            ({"stage": str(stage.figures.stage), "users": str(stage.users)}, int(value(stage))) for stage in live.ended
        ]

    return read


def _generator_cpu(live: LiveFigures) -> float | None:
    return None if live.generator_cpu_pct is None else live.generator_cpu_pct / 100


_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

EXPORTED = (
    Exported("run_info", _G, "", "What is run, as labels; always 1", _run_info),
    Exported("stage_info", _G, "", "The stage and phase that are on, as labels; always 1", _stage_info),
    Exported("stage", _G, "", "The stage that is on; the first one is 0", _one(lambda live: live.stage)),
    Exported("callers_target", _G, "{caller}", "Callers that the stage is to have", _one(lambda live: live.target)),
    Exported("callers", _G, "{caller}", "Callers that are there", _one(lambda live: live.callers)),
    Exported("caller_states", _G, "{caller}", "Callers by what they do", _states),
    Exported("utterances", _C, "{utterance}", "Utterances that began in a hold and have ended, by outcome", _outcomes),
    Exported(
        "failures", _C, "{utterance}", "Utterances that began in a hold and failed, by outcome and reason", _failures
    ),
    Exported(
        "eos_latency",
        _H,
        "s",
        "Completed utterances that began in a hold: end of speech to the message that completes the transcript",
        _one(lambda live: live.counters.headline),
        STREAMS,
    ),
    Exported(
        "voice_to_voice",
        _H,
        "s",
        "Completed turns that began in a hold: end of the caller's speech to the first audio of the answer",
        _one(lambda live: live.counters.headline),
        CONVERSATIONS,
    ),
    Exported(
        "request_duration",
        _H,
        "s",
        "Completed requests that began in a hold: first byte of the request to the last one of the answer",
        _one(lambda live: live.counters.headline),
        REQUESTS,
    ),
    Exported(
        "frames",
        _C,
        "{frame}",
        "Frames of audio, or pieces of text, of utterances that began in a hold",
        _one(lambda live: live.counters.frames),
        IN_FRAMES,
    ),
    Exported(
        "late_frames",
        _C,
        "{frame}",
        "Frames of such utterances that were handed over more than 10 ms after they were due",
        _one(lambda live: live.counters.frames_late),
        IN_FRAMES,
    ),
    Exported(
        "word_errors",
        _C,
        "{word}",
        "Words substituted, deleted or inserted in completed utterances that began in a hold",
        _one(lambda live: live.counters.word_errors),
        TRANSCRIBED,
    ),
    Exported(
        "reference_words",
        _C,
        "{word}",
        "Words of the references of the same utterances",
        _one(lambda live: live.counters.reference_words),
        TRANSCRIBED,
    ),
    Exported(
        "audio",
        _C,
        "s",
        "Audio of utterances that began in a hold",
        _one(lambda live: live.counters.audio_s),
    ),
    Exported(
        "generator_cpu",
        _G,
        "1",
        "Share of one core that the busiest load process uses",
        _one(_generator_cpu),
    ),
    Exported(
        "stage_valid",
        _G,
        "",
        "1 where the figures of a stage that has ended can be believed, else 0",
        _of_stages(lambda stage: stage.verdict.is_believable),
    ),
    Exported(
        "stage_passed",
        _G,
        "",
        "1 where a stage that has ended is valid and met every objective, else 0",
        _of_stages(lambda stage: stage.verdict is Verdict.PASS),
    ),
)
"""Another figure is another row."""
