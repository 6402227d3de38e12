"""Raw lines of a run folder → `RunReport`. No files, no clock: the same lines give the same report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.kinds import KINDS, STREAM
from stt_load.metrics.duty import DutyCycle
from stt_load.metrics.normaliser import titled
from stt_load.metrics.slo import Slo, SloResult, SloVerdict, judge, parse_slo
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.metrics.validity import Evidence, Finding, evaluate
from stt_load.records import UtteranceRecord
from stt_load.report.hold import Sample
from stt_load.report.late_scores import LateScores
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.sampling import Sampling
from stt_load.report.sizing import find_knee, run_verdict
from stt_load.report.tally import StageTally, Tally
from stt_load.report.wording import judged

Line = Mapping[str, Any]

_UTTERANCE_LIMIT_S = 120.0  # of runs that don't say theirs


@dataclass(frozen=True, slots=True)
class _Timeline:
    """What `stages.jsonl` says of one stage. `lines`: its own, and the first line after it."""

    stage: int
    lines: tuple[Line, ...]

    @property
    def users(self) -> int:
        return int(self.lines[0]["users"])

    @property
    def hold(self) -> Line | None:
        return next((line for line in self.lines if line["phase"] == "hold"), None)

    @property
    def after(self) -> tuple[Line, ...]:
        """The hold's line and what follows; empty where the hold never began."""
        return () if self.hold is None else self.lines[self.lines.index(self.hold) :]

    @property
    def hold_span(self) -> tuple[float, float] | None:
        """When the hold began and ended, wall clock; None where it never did either."""
        return (float(self.after[0]["t"]), float(self.after[1]["t"])) if len(self.after) > 1 else None

    @property
    def is_over(self) -> bool:
        """Something was written after the grace, so every counted utterance had its chance to end."""
        return any(line["phase"] in ("settle", "done") or line["stage"] != self.stage for line in self.after)

    @property
    def workers(self) -> tuple[int, ...]:
        """Load workers at each transition. On `done` they have been sent home; what it says of losses counts."""
        seen = [int(line["workers"]) for line in self.after if line["phase"] != "done"]
        lost = max((int(_delivery(line).get("workers_lost", 0)) for line in self.after), default=0)
        # A worker lost in the last phase of a run is seen nowhere but on `done`.
        return (*seen, seen[0] - lost) if lost and len(set(seen)) == 1 else tuple(seen)

    @property
    def stolen_cpu_pct(self) -> float | None:
        """As `generator_cpu_pct`: the larger of what was told of hold and grace."""
        seen = [line.get("stolen_cpu_pct") for line in self.after[1:3]]
        return max((float(value) for value in seen if value is not None), default=None)

    @property
    def generator_cpu_pct(self) -> float | None:
        """A line tells of the phase that ends there: hold and grace are told by the two lines after the hold."""
        seen = [line.get("generator_cpu_pct") for line in self.after[1:3]]
        return max((float(cpu) for cpu in seen if cpu is not None), default=None)

    def largest(self, key: str) -> int:
        return max((int(line.get(key) or 0) for line in self.lines if line["stage"] == self.stage), default=0)


def build_report(
    run: Mapping[str, Any],
    transitions: Sequence[Line],
    utterances: Iterable[Sequence[UtteranceRecord]],
    samples: Sequence[Sample] = (),
    notes: Iterable[str] = (),
) -> RunReport:
    """The whole report.

    `run`, `transitions`, `utterances`: the contents of the raw files, in their order; utterances some thousand at a
    time, since there may be a million. `samples`: of gpu.jsonl and host.jsonl.
    `notes`: what the reader of the files has to say of them, once they have been read. Raises ConfigError for an SLO
    that can't be read.
    """
    timelines = _timelines(transitions)
    tally = _tally(timelines, run, utterances)
    done = next((line for line in transitions if line["phase"] == "done"), None)
    lost = _rows_lost(done, tally.rows)
    kind = KINDS[run.get("kind", STREAM.name)]
    slos = [parse_slo(text) for text in run.get("slos", kind.default_slos)]
    sampling = Sampling(run, samples, transitions, {timeline.stage: timeline.hold_span for timeline in timelines})
    stages: list[StageReport] = []
    for timeline in timelines:
        first = stages[0].figures if stages else None
        stages.append(_stage_report(timeline, tally.stages[timeline.stage], first, slos, lost, sampling, kind.is_paced))
    knee = find_knee(stages)
    return RunReport(
        run=run,
        stages=tuple(stages),
        knee=knee,
        verdict=run_verdict(
            stages,
            knee,
            is_finished=done is not None,
            is_aborted=bool(done and done.get("aborted")),
        ),
        notes=(
            *_frame_note(run),
            *run.get("notes", ()),
            *notes,
            *_notes(done, tally.astray),
            *sampling.notes({timeline.stage: timeline.users for timeline in timelines}),
        ),
    )


def _tally(
    timelines: Sequence[_Timeline], run: Mapping[str, Any], utterances: Iterable[Sequence[UtteranceRecord]]
) -> Tally:
    stages = {
        timeline.stage: StageTally(
            StageStats(timeline.stage, timeline.users),
            DutyCycle(timeline.users, *timeline.hold_span) if timeline.hold_span else None,
        )
        for timeline in timelines
    }
    tally = Tally(stages)
    limit_s = float(run.get("utterance_limit_s") or _UTTERANCE_LIMIT_S)
    tally.add(utterances, LateScores(titled(str(run.get("normaliser", ""))), limit_s))
    return tally


def _timelines(transitions: Sequence[Line]) -> list[_Timeline]:
    """One per stage that `stages.jsonl` knows, in the order in which they began."""
    timelines = []
    for stage in dict.fromkeys(int(line["stage"]) for line in transitions):
        places = [index for index, line in enumerate(transitions) if line["stage"] == stage]
        timelines.append(_Timeline(stage, tuple(transitions[places[0] : places[-1] + 2])))
    return timelines


def _delivery(line: Line) -> Mapping[str, Any]:
    return line.get("delivery") or {}


def _rows_lost(done: Line | None, rows: int) -> int:
    """Utterances that some worker finished and the file lacks, plus worker reports that never came."""
    delivery = _delivery(done or {})
    finished = max(sum(delivery.get("totals", {}).values()), delivery.get("rows", 0))
    return max(int(finished) - rows, 0) + int(delivery.get("missing_seq", 0))


def _stage_report(
    timeline: _Timeline,
    tally: StageTally,
    first: StageFigures | None,
    slos: Sequence[Slo],
    lost: int,
    sampling: Sampling,
    is_paced: bool,
) -> StageReport:
    figures = tally.stats.close(first)
    results = tuple(judge(slo, figures.measured(slo.figure), figures.without(slo.figure)) for slo in slos)
    evidence = _evidence(timeline, figures, results, lost, is_paced)
    findings = evaluate(evidence)
    span = timeline.hold_span
    duty = tally.duty.close() if tally.duty and is_paced else None
    # A file is sent in no time, so no share of the hold is: its audio is what the requests of the hold held.
    sent_s = None if is_paced else figures.sums["audio"]
    audio_s = duty * timeline.users * (span[1] - span[0]) if span and duty is not None else sent_s
    return StageReport(
        figures=figures,
        verdict=_verdict(figures, findings, results),
        findings=findings,
        slos=results,
        devices=sampling.devices(timeline.stage, audio_s),
        hold_span=span,
        duty_cycle=duty,
        workers=evidence.workers[0] if evidence.workers else None,
        users_reached=evidence.users_reached,
        generator_cpu_pct=evidence.generator_cpu_pct,
        ages=tally.ages.close(),
    )


def _evidence(
    timeline: _Timeline, figures: StageFigures, results: Sequence[SloResult], lost: int, is_paced: bool
) -> Evidence:
    ended = figures.n - figures.interrupted
    counted = max(figures.n, timeline.largest("begun"))
    is_missed = any(result.verdict is SloVerdict.MISSED for result in results)
    undecided = [judged(result) for result in results if result.verdict is SloVerdict.UNDECIDED]
    return Evidence(
        users=timeline.users,
        users_reached=None if timeline.hold is None else int(timeline.hold["reached"]),
        workers=timeline.workers,
        is_paced=is_paced,
        frames=int(figures.sums["frames"]),
        frames_late=int(figures.sums["frames_late"]),
        pacing_lag_max_s=figures.pacing_lag_max_s,
        generator_cpu_pct=timeline.generator_cpu_pct,
        stolen_cpu_pct=timeline.stolen_cpu_pct,
        rows_lost=max(lost, timeline.largest("ended") - figures.n),
        counted=counted,
        unended=counted - ended,
        is_over=timeline.is_over,
        # One objective missed for certain settles the stage: what another one can't decide is no matter.
        undecided=() if is_missed else tuple(undecided),
    )


def _verdict(figures: StageFigures, findings: Sequence[Finding], results: Sequence[SloResult]) -> Verdict:
    """Validity is judged first: a figure that can't be believed misses nothing and meets nothing."""
    if not figures.n:
        return Verdict.EMPTY
    if not all(finding.is_met for finding in findings):
        return Verdict.INVALID
    return Verdict.FAIL if any(result.verdict is SloVerdict.MISSED for result in results) else Verdict.PASS


def _frame_note(run: Mapping[str, Any]) -> list[str]:
    note = (run.get("frame") or {}).get("note")
    return [note] if note else []


def _notes(done: Line | None, astray: int) -> list[str]:
    notes = []
    if done is None:
        notes.append("the run was killed: stages.jsonl has no `done` line, and what was in flight is missing")
    workers_lost = _delivery(done or {}).get("workers_lost", 0)
    if workers_lost:
        notes.append(f"load workers lost during the run: {workers_lost}")
    if astray:
        notes.append(f"utterances that belong to no stage of stages.jsonl, and are left out: {astray}")
    return notes
