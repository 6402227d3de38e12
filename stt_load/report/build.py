"""Raw lines of a run folder → `RunReport`. No files, no clock: the same lines give the same report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.kinds import KINDS, STREAM
from stt_load.metrics.duty import DutyCycle
from stt_load.metrics.normaliser import Normaliser, normaliser_titled
from stt_load.metrics.slo import Slo, SloResult, SloVerdict, judge, parse_slo
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.metrics.transcript_fit import find_misfit
from stt_load.metrics.validity import ARRIVAL_LATE_LIMIT_S, Evidence, Finding, evaluate
from stt_load.records import UtteranceRecord
from stt_load.report.aggregate import RunAggregate, StageAggregate
from stt_load.report.device_samples import SampleRow
from stt_load.report.knee import find_knee, run_verdict
from stt_load.report.late_scores import LateScores
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.sampling import Sampling
from stt_load.report.wording import judged

Transition = Mapping[str, Any]

_UTTERANCE_LIMIT_S = 120.0  # for runs whose run.json lacks it


@dataclass(frozen=True, slots=True)
class _Timeline:
    """The transitions of one stage, as `stages.jsonl` has them. `lines`: its own, and the first line after it."""

    stage: int
    lines: tuple[Transition, ...]

    @property
    def users(self) -> int:
        return int(self.lines[0]["users"])

    @property
    def hold(self) -> Transition | None:
        return next((line for line in self.lines if line["phase"] == "hold"), None)

    @property
    def after(self) -> tuple[Transition, ...]:
        """The hold's line and what follows; empty where the hold never began."""
        return () if self.hold is None else self.lines[self.lines.index(self.hold) :]

    @property
    def hold_span(self) -> tuple[float, float] | None:
        """When the hold began and ended, wall clock; None where it never did either."""
        return (float(self.after[0]["t"]), float(self.after[1]["t"])) if len(self.after) > 1 else None

    @property
    def is_over(self) -> bool:
        """The stage came to its end: a line after the grace says that every counted utterance had time to end."""
        return any(line["phase"] in ("settle", "done") or line["stage"] != self.stage for line in self.after)

    @property
    def workers(self) -> tuple[int, ...]:
        """Load workers at each transition. At `done` they have left already; the losses that it reports count."""
        seen = [int(line["workers"]) for line in self.after if line["phase"] != "done"]
        lost = max((int(_delivery(line).get("workers_lost", 0)) for line in self.after), default=0)
        # Only `done` reports a worker that was lost in the last phase of a run.
        return (*seen, seen[0] - lost) if lost and len(set(seen)) == 1 else tuple(seen)

    @property
    def stolen_cpu_pct(self) -> float | None:
        """CPU time that the host gave to others: the larger share of hold and grace, percent of all cores' time."""
        seen = [line.get("stolen_cpu_pct") for line in self.after[1:3]]
        return max((float(value) for value in seen if value is not None), default=None)

    @property
    def generator_cpu_pct(self) -> float | None:
        """The busiest generator process in hold and grace, percent of one core.

        A line reports on the phase that ends there, so hold and grace are in the two lines after the hold's own.
        """
        seen = [line.get("generator_cpu_pct") for line in self.after[1:3]]
        return max((float(cpu) for cpu in seen if cpu is not None), default=None)

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


@dataclass(frozen=True, slots=True)
class _Objectives:
    """What every stage is judged by. `is_strict`: what nothing speaks against must be proven too."""

    slos: tuple[Slo, ...]
    is_strict: bool

    def left_open(self, results: Sequence[SloResult]) -> tuple[SloResult, ...]:
        """The objectives that these utterances had to decide, and don't. One that is missed for certain settles the
        stage, whatever another one can't decide."""
        if any(result.verdict is SloVerdict.MISSED for result in results):
            return ()
        return tuple(result for result in results if result.is_open or (self.is_strict and result.is_unproven))


def build_report(
    run: Mapping[str, Any],
    transitions: Sequence[Transition],
    utterances: Iterable[Sequence[UtteranceRecord]],
    samples: Sequence[SampleRow] = (),
    notes: Iterable[str] = (),
) -> RunReport:
    """Builds the whole report.

    `run`, `transitions`, `utterances`: the contents of the raw files, in their order; utterances some thousand at a
    time, since there may be a million. `samples`: the lines of gpu.jsonl and host.jsonl. `notes`: remarks of the reader
    of the files, complete once they have been read. Raises ConfigError for an SLO that can't be read.
    """
    timelines = _timelines(transitions)
    normaliser = normaliser_titled(str(run.get("normaliser", "")))
    aggregate = _aggregate(timelines, run, utterances, normaliser)
    done = next((line for line in transitions if line["phase"] == "done"), None)
    lost = _rows_lost(done, aggregate.rows)
    kind = KINDS[run.get("kind", STREAM.name)]
    slos = tuple(parse_slo(text) for text in run.get("slos", kind.default_slos))
    objectives = _Objectives(slos, is_strict=bool(run.get("strict")))
    judged_ones = [timeline for timeline in timelines if timeline.is_judged]
    sampling = Sampling(run, samples, transitions, {timeline.stage: timeline.hold_span for timeline in judged_ones})
    figures: list[StageFigures] = []
    for timeline in judged_ones:
        figures.append(aggregate.stages[timeline.stage].stats.close(figures[0] if figures else None))
    samples_of = [aggregate.stages[timeline.stage].transcripts for timeline in judged_ones]
    misfit = find_misfit(list(zip(figures, samples_of, strict=True)), slos, normaliser)
    stages = [
        _stage_report(
            timeline,
            aggregate.stages[timeline.stage],
            closed,
            objectives,
            lost,
            misfit,
            sampling,
            is_paced=kind.is_paced,
        )
        for timeline, closed in zip(judged_ones, figures, strict=True)
    ]
    is_aborted = bool(done and done.get("aborted"))
    is_cut_short = bool(stages) and (is_aborted or done is None)
    knee = find_knee(stages, ended_at=stages[-1].users if is_cut_short else None)
    return RunReport(
        run=run,
        stages=tuple(stages),
        knee=knee,
        verdict=run_verdict(
            stages,
            knee,
            is_finished=done is not None,
            is_aborted=is_aborted,
        ),
        notes=(
            *_frame_note(run),
            *run.get("notes", ()),
            *notes,
            *_notes(done, aggregate),
            *_calms(timelines),
            *sampling.notes({timeline.stage: timeline.users for timeline in judged_ones}),
        ),
    )


def _aggregate(
    timelines: Sequence[_Timeline],
    run: Mapping[str, Any],
    utterances: Iterable[Sequence[UtteranceRecord]],
    normaliser: Normaliser,
) -> RunAggregate:
    stages = {
        timeline.stage: StageAggregate(
            StageStats(timeline.stage, timeline.users),
            DutyCycle(timeline.users, *timeline.hold_span) if timeline.hold_span else None,
        )
        for timeline in timelines
    }
    aggregate = RunAggregate(stages)
    limit_s = float(run.get("utterance_limit_s") or _UTTERANCE_LIMIT_S)
    aggregate.add(utterances, LateScores(normaliser, limit_s))
    return aggregate


def _timelines(transitions: Sequence[Transition]) -> list[_Timeline]:
    """One timeline for each stage in `stages.jsonl`, in the order in which they began."""
    timelines = []
    for stage in dict.fromkeys(int(line["stage"]) for line in transitions):
        places = [index for index, line in enumerate(transitions) if line["stage"] == stage]
        timelines.append(_Timeline(stage, tuple(transitions[places[0] : places[-1] + 2])))
    return timelines


def _delivery(line: Transition) -> Mapping[str, Any]:
    return line.get("delivery") or {}


def _rows_lost(done: Transition | None, rows: int) -> int:
    """How many finished utterances are missing from the file, plus how many worker reports never came."""
    delivery = _delivery(done or {})
    finished = max(sum(delivery.get("totals", {}).values()), delivery.get("rows", 0))
    return max(int(finished) - rows, 0) + int(delivery.get("missing_seq", 0))


def _stage_report(
    timeline: _Timeline,
    aggregate: StageAggregate,
    figures: StageFigures,
    objectives: _Objectives,
    lost: int,
    misfit: str | None,
    sampling: Sampling,
    *,
    is_paced: bool,
) -> StageReport:
    results = tuple(judge(slo, figures.estimate(slo.figure, slo.statistic)) for slo in objectives.slos)
    left_open = objectives.left_open(results)
    evidence = _evidence(timeline, figures, left_open, lost, misfit, is_paced)
    findings = evaluate(evidence)
    span = timeline.hold_span
    duty = aggregate.duty.close() if aggregate.duty and is_paced else None
    # A whole file has no share of the hold: the audio is what the requests of the hold carried.
    sent_s = None if is_paced else figures.sums["audio"]
    audio_s = duty * timeline.users * (span[1] - span[0]) if span and duty is not None else sent_s
    return StageReport(
        figures=figures,
        verdict=_verdict(figures, findings, results),
        findings=findings,
        slos=results,
        left_open=left_open,
        devices=sampling.devices(timeline.stage, audio_s),
        hold_span=span,
        duty_cycle=duty,
        workers=evidence.workers[0] if evidence.workers else None,
        users_reached=evidence.users_reached,
        generator_cpu_pct=evidence.generator_cpu_pct,
        ages=aggregate.ages.close(),
    )


def _evidence(
    timeline: _Timeline,
    figures: StageFigures,
    undecided: Sequence[SloResult],
    lost: int,
    misfit: str | None,
    is_paced: bool,
) -> Evidence:
    ended = figures.n - figures.interrupted
    late = figures.distributions["arrival_late"]
    counted = max(figures.n, timeline.largest("begun"))
    return Evidence(
        users=timeline.users,
        users_reached=None if timeline.hold is None else int(timeline.hold["reached"]),
        workers=timeline.workers,
        is_paced=is_paced,
        frames=int(figures.sums["frames"]),
        frames_late=int(figures.sums["frames_late"]),
        pacing_lag_max_s=figures.pacing_lag_max_s,
        arrivals=figures.ok,
        arrivals_late=sum(late_s > ARRIVAL_LATE_LIMIT_S for late_s in late.values),
        arrival_late_max_s=late.max,
        generator_cpu_pct=timeline.generator_cpu_pct,
        stolen_cpu_pct=timeline.stolen_cpu_pct,
        rows_lost=max(lost, timeline.largest("ended") - figures.n),
        counted=counted,
        unended=counted - ended,
        is_over=timeline.is_over,
        ok=figures.ok,
        other_dialects=tuple(figures.other_dialects),
        misfit=misfit,
        undecided=tuple(judged(result) for result in undecided),
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


def _calms(timelines: Sequence[_Timeline]) -> list[str]:
    """What happened to the number of callers that is no stage to be judged."""
    calms = " and ".join(f"{timeline.length_s:.0f} s" for timeline in timelines if not timeline.users)
    passed = ", ".join(str(timeline.users) for timeline in timelines if timeline.users and not timeline.is_judged)
    return [
        *([f"the number of callers was 0 for {calms}: that is not judged"] if calms else []),
        *(
            [f"numbers of callers that were changed again before all had arrived are not judged: {passed}"]
            if passed
            else []
        ),
    ]


def _notes(done: Transition | None, aggregate: RunAggregate) -> list[str]:
    notes = []
    if done is None:
        notes.append("the run was killed: utterances that were in flight then are missing")
    workers_lost = _delivery(done or {}).get("workers_lost", 0)
    if workers_lost:
        notes.append(f"load workers lost during the run: {workers_lost}")
    if aggregate.without_stage:
        notes.append(f"utterances left out because stages.jsonl does not have their stage: {aggregate.without_stage}")
    if aggregate.tagged:
        notes.append(
            f"transcripts with tags of the model in them, like <|en|>, which were taken out before scoring: "
            f"{aggregate.tagged}"
        )
    return notes
