"""Raw lines of a run folder → `RunReport`. No files, no clock: the same lines give the same report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stt_load.audio.clip import ClipWord
from stt_load.capacity.call_tally import CallTally
from stt_load.capacity.caller_counts import CallerTally
from stt_load.errors import ConfigError
from stt_load.kinds import KINDS, STREAM
from stt_load.metrics.before_hold import BeforeHold
from stt_load.metrics.drift import Drift, DriftWatch
from stt_load.metrics.duty import DutyCycle
from stt_load.metrics.failures import FailureGroups
from stt_load.metrics.hold_frames import DueFrames, HoldFrames
from stt_load.metrics.normaliser import normaliser_titled
from stt_load.metrics.other_dialect import find_other_dialect
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.recovery import Recovery, SpikeWatch
from stt_load.metrics.slo import Slo, SloResult, SloVerdict, judge, parse_slo
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.metrics.transcript_fit import find_misfit
from stt_load.metrics.validity import ARRIVAL_LATE_LIMIT_S, Evidence, Finding, evaluate
from stt_load.options import Course
from stt_load.records import UtteranceRecord
from stt_load.report.aggregate import RunAggregate, StageAggregate
from stt_load.report.capacity_run import answer_of, decided, first_users, is_breach_of, is_search, knee_of, trial_of
from stt_load.report.course import course_of, course_verdict, way_up
from stt_load.report.damage import Damage, Flaw
from stt_load.report.device_samples import SampleRow
from stt_load.report.knee import find_knee, run_verdict, search_verdict
from stt_load.report.late_scores import LateScores
from stt_load.report.memory_drift import memory_drifts
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.raw_files import RUN, UTTERANCES
from stt_load.report.run_notes import notes_of_rows, notes_of_run, notes_of_stages
from stt_load.report.run_timeline import LateFrames, StageDots, run_span, run_timeline
from stt_load.report.sampling import Sampling
from stt_load.report.server_looks import figures_of_hold, looks_notes
from stt_load.report.stage_timeline import FAILED, SPIKE_STAGE, StageTimeline, Transition, delivery_of, timelines_of
from stt_load.report.wording import judged
from stt_load.report.worst_utterances import WorstUtterances
from stt_load.session.advice import Advisor

_UTTERANCE_LIMIT_S = 120.0  # for runs whose run.json lacks it


@dataclass(frozen=True, slots=True)
class _RunFacts:
    """What is the same for every stage of a run.

    `is_strict`: what nothing speaks against must be proven too. `is_search`: stages are trials.
    `rows_lost`: utterances that are not in the file.
    `damage`: which raw files are not as they were written; None where all are.
    `misfit`: what is wrong with the transcripts of the quiet server, None where nothing is. `other_dialect`: what says,
    in the first stage, that the server speaks another dialect; None where nothing does.
    """

    slos: tuple[Slo, ...]
    is_strict: bool
    is_search: bool
    is_paced: bool
    rows_lost: int
    damage: str | None
    misfit: str | None
    other_dialect: str | None

    def results(self, figures: StageFigures, breach: str | None) -> tuple[SloResult, ...]:
        """The objectives of a stage. `breach`: which one was certain to be missed in the middle of the hold."""
        results = (judge(slo, figures.estimate(slo.figure, slo.statistic)) for slo in self.slos)
        return tuple(
            decided(result, is_breach) if self.is_search or is_breach else result
            for result in results
            for is_breach in [is_breach_of(breach, result.slo)]
        )

    def left_open(self, results: Sequence[SloResult]) -> tuple[SloResult, ...]:
        """The objectives that these utterances had to decide, and don't. One that is missed for certain settles the
        stage, whatever another one can't decide."""
        if any(result.verdict is SloVerdict.MISSED for result in results):
            return ()
        return tuple(
            result
            for result in results
            if (result.is_open and not (self.is_search and result.value is not None))
            or (self.is_strict and result.is_unproven)
        )


def build_report(
    run: Mapping[str, Any],
    transitions: Sequence[Transition],
    utterances: Iterable[Sequence[UtteranceRecord]],
    samples: Sequence[SampleRow] = (),
    damage: Damage | None = None,
    looks: Sequence[Mapping[str, Any]] = (),
    clip_words: Sequence[Mapping[str, Any]] = (),
) -> RunReport:
    """Builds the whole report.

    `run`, `transitions`, `utterances`: the contents of the raw files, in their order; utterances some thousand at a
    time, since there may be a million. `samples`: the lines of gpu.jsonl and host.jsonl. `damage`: what the readers of
    the files have left out; None where nothing was. It is complete once the utterances have been read. `looks`: the
    lines of server.jsonl. `clip_words`: those of words.jsonl.
    """
    damage = Damage() if damage is None else damage
    timelines = timelines_of(transitions)
    normaliser = normaliser_titled(str(run.get("normaliser", "")))
    done = next((line for line in transitions if line["phase"] == "done"), None)
    kind = KINDS[run.get("kind", STREAM.name)]
    slos = _slos(run.get("slos", kind.default_slos), damage)
    late = LateScores(normaliser, float(run.get("utterance_limit_s") or _UTTERANCE_LIMIT_S), _words_of(run, clip_words))
    aggregate = _aggregate(timelines, run, utterances, late, slos)
    if aggregate.without_stage:
        damage.note(UTTERANCES, Flaw.NO_STAGE, n=aggregate.without_stage)
    if surplus := _surplus(done, aggregate.rows):
        damage.note(UTTERANCES, Flaw.SURPLUS, n=surplus)
    judged_ones = [timeline for timeline in timelines if timeline.is_judged]
    sampling = Sampling(run, samples, transitions, {timeline.stage: timeline.hold_span for timeline in judged_ones})
    figures: list[StageFigures] = []
    for timeline in judged_ones:
        figures.append(aggregate.stages[timeline.stage].stats.close(figures[0] if figures else None))
    samples_of = [aggregate.stages[timeline.stage].transcripts for timeline in judged_ones]
    facts = _RunFacts(
        slos=slos,
        is_strict=bool(run.get("strict")),
        is_search=is_search(run),
        is_paced=kind.is_paced,
        rows_lost=_rows_lost(done, aggregate.rows),
        damage=damage.clause(is_finished=done is not None),
        misfit=find_misfit(list(zip(figures, samples_of, strict=True)), slos, normaliser),
        other_dialect=find_other_dialect(figures[0]) if figures else None,
    )
    stages = [
        _stage_report(timeline, aggregate.stages[timeline.stage], closed, facts, sampling)
        for timeline, closed in zip(judged_ones, figures, strict=True)
    ]
    places = max((stage.calls.places or 0 for stage in stages if stage.calls), default=0)
    stages = [
        replace(stage, server=figures_of_hold(run, looks, stage.hold_span), places=places or None) for stage in stages
    ]
    is_aborted = bool(done and done.get("aborted"))
    failure = run.get("failure")
    is_cut_short = bool(stages) and (is_aborted or done is None or done.get("reason") == FAILED)
    ended_at = (stages[-1].rate or stages[-1].users) if is_cut_short else None
    answer = answer_of(run, stages)
    knee = knee_of(answer, stages, ended_at) if answer else find_knee(way_up(run, stages), ended_at=ended_at)
    recovery = _recovery(aggregate, timelines)
    return RunReport(
        run=run,
        stages=tuple(stages),
        knee=knee,
        verdict=run_verdict(
            stages,
            search_verdict(answer, first_users(run)) if answer else course_verdict(run, stages, knee, recovery),
            is_finished=done is not None,
            is_aborted=is_aborted,
            has_failed=bool(failure),
        ),
        notes=(
            *notes_of_run(run, damage),
            *notes_of_rows(done, aggregate),
            *notes_of_stages(done, timelines, stages, kind),
            *looks_notes(run),
            *sampling.notes({timeline.stage: timeline.users for timeline in judged_ones}),
        ),
        timeline=replace(
            run_timeline(
                timelines, {n: stage.dots for n, stage in aggregate.stages.items()}, aggregate.late_frames, samples
            ),
            on_line=tuple(point for stage in stages if stage.calls for point in stage.calls.on_line),
        ),
        capacity=answer,
        recovery=recovery,
        drifts=_drifts(aggregate, judged_ones, samples),
    )


def _slos(texts: Iterable[str], damage: Damage) -> tuple[Slo, ...]:
    """The objectives of run.json; one that can't be read is left out."""
    slos = []
    for text in texts:
        try:
            slos.append(parse_slo(text))
        except ConfigError as error:
            damage.note(RUN, Flaw.VALUE, f"`slos`: {error}")
    return tuple(slos)


def _aggregate(
    timelines: Sequence[StageTimeline],
    run: Mapping[str, Any],
    utterances: Iterable[Sequence[UtteranceRecord]],
    late: LateScores,
    slos: Sequence[Slo],
) -> RunAggregate:
    advisor = Advisor()
    kind, is_soak = KINDS[run.get("kind", STREAM.name)], course_of(run) is Course.SOAK
    stages = {
        timeline.stage: StageAggregate(
            StageStats(timeline.stage, timeline.users, failures=FailureGroups(advisor.find_advice)),
            DutyCycle(_most_callers(timeline), *timeline.hold_span) if timeline.hold_span else None,
            HoldFrames(*timeline.hold_span) if timeline.hold_span else None,
            BeforeHold(*timeline.hold_span) if timeline.hold_span else None,
            WorstUtterances(kind.headline),
            StageDots.of(timeline.stage, len(timelines)),
            CallerTally(slos) if is_search(run) else None,
            drift=DriftWatch(float(timeline.hold["t"])) if is_soak and timeline.hold else None,
            calls=_call_tally(timeline),
        )
        for timeline in timelines
    }
    aggregate = RunAggregate(
        stages,
        LateFrames(*run_span(timelines)),
        advisor,
        spike=SpikeWatch(SPIKE_STAGE, slos) if course_of(run) is Course.SPIKE else None,
    )
    aggregate.add(utterances, late)
    return aggregate


def _words_of(
    run: Mapping[str, Any], clip_words: Sequence[Mapping[str, Any]]
) -> Mapping[str, Sequence[ClipWord]] | None:
    """Clip id → when its words sound; None for a run of an earlier version, of which nobody knows that."""
    if (run.get("clips") or {}).get("with_words") is None:
        return None
    return {line["clip_id"]: [ClipWord(*word) for word in line["words"]] for line in clip_words}


def _recovery(aggregate: RunAggregate, timelines: Sequence[StageTimeline]) -> Recovery | None:
    """What came after a spike; None where there was none, or the hold after it never ended."""
    after = next((each.hold_span for each in timelines if each.stage > SPIKE_STAGE and each.hold_span), None)
    return aggregate.spike.close(after[1]) if aggregate.spike is not None and after else None


def _drifts(
    aggregate: RunAggregate, timelines: Sequence[StageTimeline], samples: Sequence[SampleRow]
) -> tuple[Drift, ...]:
    """How the figures of a soak change, and the memory of its server; also where it was killed in its hold. Empty for
    any other run."""
    found: list[Drift] = []
    for timeline in timelines:
        watch = aggregate.stages[timeline.stage].drift
        if watch is not None:
            ended = timeline.hold_span[1] if timeline.hold_span else math.inf
            found += [*watch.close(), *memory_drifts(samples, (watch.began, ended))]
    return tuple(found)


def _most_callers(timeline: StageTimeline) -> int:
    """Callers among whom the audio of a stage is shared out: with --arrivals nobody knows how many there will be."""
    return timeline.load.likely_peak if timeline.load else timeline.users


def _call_tally(timeline: StageTimeline) -> CallTally | None:
    if timeline.load is None or timeline.calls_began is None or timeline.hold_span is None:
        return None
    return CallTally(timeline.load, timeline.calls_began, timeline.hold_span)


def _rows_lost(done: Transition | None, rows: int) -> int:
    """How many finished utterances are missing from the file, plus how many worker reports never came."""
    delivery = delivery_of(done or {})
    finished = max(sum(delivery.get("totals", {}).values()), delivery.get("rows", 0))
    return max(int(finished) - rows, 0) + int(delivery.get("missing_seq", 0))


def _surplus(done: Transition | None, rows: int) -> int:
    """How many utterances are in the file that no worker has finished: a report of a worker was taken twice."""
    totals = delivery_of(done or {}).get("totals")
    return max(rows - sum(totals.values()), 0) if totals else 0


def _stage_report(
    timeline: StageTimeline,
    aggregate: StageAggregate,
    figures: StageFigures,
    facts: _RunFacts,
    sampling: Sampling,
) -> StageReport:
    calls = aggregate.calls.close() if aggregate.calls else None
    if calls is not None and calls.refused_rate is not None:
        figures = replace(figures, estimates={**figures.estimates, "refused": calls.refused_rate})
    results = facts.results(figures, timeline.breach)
    left_open = facts.left_open(results)
    due = aggregate.hold_frames.close() if aggregate.hold_frames else DueFrames()
    evidence = _evidence(timeline, figures, due, left_open, facts)
    if calls is not None:
        evidence = replace(evidence, calls_due=calls.due, calls_not_started=calls.not_started)
    findings = evaluate(evidence)
    span = timeline.hold_span
    duty = aggregate.duty.close() if aggregate.duty and facts.is_paced else None
    # A whole file has no share of the hold: the audio is what the requests of the hold carried.
    sent_s = None if facts.is_paced else figures.sums["audio"]
    audio_s = duty * _most_callers(timeline) * (span[1] - span[0]) if span and duty is not None else sent_s
    verdict = _verdict(figures, findings, results)
    has_trial = facts.is_search and timeline.has_settled
    counts = aggregate.callers.close() if aggregate.callers and has_trial else {}
    return StageReport(
        figures=figures,
        verdict=verdict,
        findings=findings,
        slos=results,
        left_open=left_open,
        devices=sampling.devices(timeline.stage, audio_s),
        hold_span=span,
        duty_cycle=duty if timeline.load is None else None,
        workers=evidence.workers[0] if evidence.workers else None,
        users_reached=evidence.users_reached,
        generator_cpu_pct=evidence.generator_cpu_pct,
        ages=aggregate.ages.close(),
        by_pause=aggregate.pauses.close(),
        slowest=aggregate.worst.slowest,
        most_wrong=aggregate.worst.most_wrong,
        breach=timeline.breach,
        before_hold=aggregate.before_hold.close() if aggregate.before_hold else Distribution(),
        trial=trial_of(timeline.users, verdict, results, counts) if has_trial else None,
        load=timeline.load,
        calls=calls,
    )


def _evidence(
    timeline: StageTimeline,
    figures: StageFigures,
    due: DueFrames,
    undecided: Sequence[SloResult],
    facts: _RunFacts,
) -> Evidence:
    ended = figures.n - figures.interrupted
    late = figures.distributions["arrival_late"]
    counted = max(figures.n, timeline.largest("begun"))
    return Evidence(
        users=timeline.users,
        users_reached=None if timeline.hold is None else int(timeline.hold["reached"]),
        workers=timeline.workers,
        is_paced=facts.is_paced or figures.sums["frames"] > 0,  # a text may be fed in pieces
        frames=int(figures.sums["frames"]),
        frames_late=int(figures.sums["frames_late"]),
        frames_held_up=figures.frames_held_up,
        frames_missed=figures.frames_missed,
        hold_frames=due.frames,
        hold_frames_late=due.late,
        pacing_lag_max_s=figures.pacing_lag_max_s,
        arrivals=figures.ok,
        arrivals_late=sum(late_s > ARRIVAL_LATE_LIMIT_S for late_s in late.values),
        arrival_late_max_s=late.max,
        generator_cpu_pct=timeline.generator_cpu_pct,
        stolen_cpu_pct=timeline.stolen_cpu_pct,
        waiting_ports_pct=timeline.waiting_ports_pct,
        rows_lost=max(facts.rows_lost, timeline.largest("ended") - figures.n),
        damage=facts.damage,
        counted=counted,
        unended=counted - ended - figures.own_faults,
        own_faults=figures.own_faults,
        first_own_fault=figures.first_own_fault,
        is_over=timeline.is_over,
        other_dialect=facts.other_dialect,
        misfit=facts.misfit,
        undecided=tuple(judged(result) for result in undecided),
    )


def _verdict(figures: StageFigures, findings: Sequence[Finding], results: Sequence[SloResult]) -> Verdict:
    """Validity is judged first: a figure that can't be believed misses nothing and meets nothing."""
    if not figures.n:
        return Verdict.EMPTY
    if not all(finding.is_met for finding in findings):
        return Verdict.INVALID
    return Verdict.FAIL if any(result.verdict is SloVerdict.MISSED for result in results) else Verdict.PASS
