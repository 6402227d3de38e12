"""One run, from its folder to its report: made when it starts, gone when it is closed."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gevent

from stt_load.capacity.search import CapacitySearch
from stt_load.clips.doubts import bounds_note
from stt_load.clips.folder import ClipSet
from stt_load.clock import Clock, SteadyWallClock
from stt_load.config import RunConfig, url_note
from stt_load.errors import ConfigError, ExitCode
from stt_load.kinds import STREAM
from stt_load.metrics.language_guess import choose_language
from stt_load.option_values import is_near
from stt_load.options import Course, PlanKind
from stt_load.process.log import log
from stt_load.records import UtteranceRecord
from stt_load.report.knee import exit_code
from stt_load.report.publish import publish_failure, publish_report
from stt_load.report.raw_files import CLIP_WORDS, SAMPLE_FILES, SERVER_LOOKS
from stt_load.report.stage_timeline import FAILED
from stt_load.report.wording import callers
from stt_load.run.arrivals_plan import ArrivalsPlan
from stt_load.run.breach_watch import BreachWatch
from stt_load.run.caller_notes import caller_notes
from stt_load.run.cluster import Cluster
from stt_load.run.controller import RunController
from stt_load.run.fault import fault_line
from stt_load.run.gpu_feed import Description, GpuFeed
from stt_load.run.ledger import Allowance, Ledger
from stt_load.run.live_stages import LiveStages
from stt_load.run.live_view import LiveView
from stt_load.run.load_processes import CHOICE_OPTION, processes_note
from stt_load.run.own_quota import OwnQuota
from stt_load.run.plan import FollowPlan, LadderPlan, Plan, SpikePlan, StagedPlan, Timing
from stt_load.run.provenance import describe_run
from stt_load.run.real_thread import call_in_thread
from stt_load.run.run_folder import PART_S, RunFolder
from stt_load.run.search_stages import SearchStages, least_utterances
from stt_load.run.server_feed import ServerFeed
from stt_load.run.stage_update import StageUpdate
from stt_load.run.telemetry_feed import TelemetryFeed
from stt_load.sidecar.local import LocalSidecar
from stt_load.workloads.run_clips import utterance_limit_s

_GAPS_OF_PATIENCE = 10  # mean gaps between two calls: a longer one comes up once in 20,000


def new_run_id() -> str:
    return uuid.uuid4().hex[:12]


class Run:
    """A run that goes on. `start` it once, `drain` it when it is to end, and `close` it.

    `raw_options`: the options as they were given, for `run.json`. `plan`: what decides about its stages.
    `on_failure`: called once where the run has failed and its load has to stop. Raises ConfigError where its folder
    can't be made. `clock`: that by which it is led.

    `failure`: what has failed, one line; None while nothing has. `live`: what is known of the stages while the run goes
    on; once it is closed, it has its report.
    """

    def __init__(
        self,
        run_id: str,
        config: RunConfig,
        clips: ClipSet,
        cluster: Cluster,
        raw_options: Mapping[str, object],
        plan: PlanKind,
        on_failure: Callable[[], None],
        clock: Clock = time.monotonic,
    ) -> None:
        self.config = config
        self.cluster = cluster
        self._plan = plan
        self.is_aborted = False
        self.failure: str | None = None
        self._on_failure = on_failure
        self._clock = clock
        self._wall_clock = SteadyWallClock.read(time.time, clock)
        started_at = self._wall_clock.at(clock())
        self.folder = RunFolder.create(
            config.results,
            config.label,
            started_at,
            _more_files(config, clips),
            clock,
            part_s=PART_S if config.course is Course.SOAK else None,
        )
        self.live = LiveStages(self.folder.path, lambda: self.folder.has_every_line)
        references = {clip.clip_id: clip.reference for clip in clips.clips}
        choice = choose_language(config.language, references.values())
        self._n_callers = _largest_known(config, plan) or cluster.target
        self._clips = clips
        self._caller_notes = caller_notes(config, clips, cluster, self._n_callers)
        notes = [*self._caller_notes, *_bounds_notes(config, clips)]
        if note := url_note(raw_options.get("stt_url"), config):
            log.log(logging.INFO if raw_options.get("stt_url") else logging.WARNING, note)
            notes.insert(0, note)
        if note := processes_note(raw_options, config, plan):
            log.warning(note)
            notes.append(note)
        self._limit_s = utterance_limit_s(config, clips.clips)
        self._description = {
            **describe_run(run_id, config, raw_options, clips, choice, notes, started_at, plan),
            "load_processes": {"n": len(cluster.workers()), "auto": CHOICE_OPTION in raw_options},
            "utterance_limit_s": self._limit_s,
        }
        try:
            self.folder.write_run(self._description)
        except ConfigError as error:
            self.folder.discard()
            raise type(error)(f"{error}; name another folder with --results") from error
        if config.kind is STREAM:
            self.folder.add_clip_words(clips.clips)
        allowance = Allowance(clock, share=cluster.scoring_share)
        self.ledger = Ledger(
            run_id,
            references,
            self.folder.add_utterances,
            self._limit_s,
            choice.normaliser,
            allowance,
            self._wall_clock,
            self._on_counted,
            {clip.clip_id: clip.words for clip in clips.clips},
        )
        ends_early = config.aborts_on_fail or (plan is PlanKind.SEARCH and not config.has_whole_holds)
        self._breaches = BreachWatch(config.slos if ends_early else ())
        stages = self._make_plan(plan)
        self.controller = RunController(
            *(run_id, stages, cluster, self.ledger, self.folder),
            *(self._on_update, self._on_step, self.fail),
            self.live.is_read,
            self._breaches.breach,
            self._wall_clock,
            clock,
            is_near=is_near(config.stt_url),
        )
        self._gpu_feed = GpuFeed(
            config.gpu_sidecars,
            lambda: LocalSidecar(config.gpu_id, config.server_process),
            self._keep_sample,
            self._keep_description,
            self._wall_clock,
        )
        self._server_feed = ServerFeed(
            *(config.server_metrics, config.kept_server_metrics, config.insecure),
            *(self.folder.add_look, self._keep_description, self._wall_clock),
        )
        self._telemetry = TelemetryFeed(
            *(run_id, config, os.environ, lambda: self.controller.update, cluster, self.ledger, self.live),
            self._wall_clock,
        )
        callers_of_stages = [load.rate for load in config.call_loads] or list(map(str, config.concurrency))
        self.ladder = callers_of_stages if plan is PlanKind.LADDER else []
        self._view = (
            LiveView(self.ledger, self.live, config.kind, stages, self.ladder, has_panel=not config.verbose)
            if config.live
            else None
        )
        self._quota = OwnQuota()
        self._closing = gevent.Greenlet(self._close)

    def start(self) -> None:
        log.info("run folder: %s", self.folder.path)
        self._telemetry.start()
        self._server_feed.start()
        self.controller.start()

    @property
    def users(self) -> int | None:
        """How many users Locust should keep now; None once the plan has run through."""
        return None if self.controller.is_done else self.controller.plan.seats

    @property
    def is_closing(self) -> bool:
        """Its load has ended, and its report is being made or is there."""
        return bool(self._closing.started or self._closing.dead)

    def abort(self) -> None:
        """The run ends early: utterances in flight will be cut, and the report says so."""
        self.is_aborted = True

    def fail(self, error: Exception) -> None:
        """Ends a run of which something has failed: its load stops now, utterances in flight are cut, and what was
        measured is kept."""
        if self.failure is None:
            self._note_failure(error, "; the run ends")
            self._on_failure()

    def drain(self) -> None:
        """No utterance begins any more; those in flight end (or are cut, when the run is aborted or has failed)."""
        self.controller.stop_leading()
        try:
            self.cluster.drain(self.ledger, self.is_aborted or self.failure is not None, self._limit_s)
        except Exception as error:  # Locust would swallow it
            self._note_failure(error, "; the run ends")

    def close(self) -> ExitCode:
        """Closes the folder and writes the report; the exit code of the run. Whoever calls it again gets the same.

        It goes on in a greenlet of its own, even where the calling one is killed.
        """
        self._closing.start()
        code: ExitCode = self._closing.get()
        return code

    def _close(self) -> ExitCode:
        """Ends every part of the run, whatever has become of the others, and makes the report."""
        for part in (
            self._collect_rest,
            self._finish,
            self._gpu_feed.stop,
            self._server_feed.stop,
            self._close_view,
            self._settle,
            self.folder.close,
        ):
            self._try(part)
        code = self._publish()
        self._try(self._telemetry.stop)  # after the report, so that the last push has every verdict
        return code if self.failure is None else ExitCode.FAILED

    def _publish(self) -> ExitCode:
        # In a real thread: a million rows take seconds, and workers leave a master that is silent.
        try:
            report = call_in_thread(publish_report, self.folder.path, self.config.output)
            self.live.close(report)
            return exit_code(report)
        except Exception as error:
            self._note_failure(error, f"; what was measured is in {self.folder.path}")
        self._keep_description({"failure": self.failure})
        with suppress(Exception):
            self.live.close(call_in_thread(publish_failure, self.folder.path, self.failure))
        return ExitCode.FAILED

    def _try(self, part: Callable[[], None]) -> None:
        try:
            part()
        except Exception as error:
            self._note_failure(error)

    def _collect_rest(self) -> None:
        """Takes in rows of callers that outlasted the drain. Raises the fault that was met with one since the leading
        ended."""
        self.cluster.collect(self.ledger)
        if self.ledger.fault is not None and self.failure is None:
            raise self.ledger.fault

    def _finish(self) -> None:
        reason = FAILED if self.failure is not None else "aborted" if self.is_aborted else "stopped"
        self.controller.finish(reason, self.is_aborted)

    def _close_view(self) -> None:
        if self._view is not None:
            self._view.close()

    def _settle(self) -> None:
        """Brings everything to a disk, here or elsewhere; `run.json` has the last word."""
        if self.folder.waited_s:
            waited = f"the run folder took no lines for {self.folder.waited_s:.1f} s"
            self._description["notes"].append(f"{waited}: they waited in memory, and none got lost")
        self._description["notes"] += self.ledger.clock_notes()
        self._description["notes"] += self._quota.notes()
        self._description["hosts"][0] |= {"cpu_quota": self._quota.since_start()}
        ended_at = self._wall_clock.at(self._clock())
        self._keep_description({"ended_at": ended_at, "lines": self.folder.n_lines, "failure": self.failure})
        self._try(self.folder.settle)
        if self.failure != self._description["failure"]:
            self._keep_description({"failure": self.failure})

    def _note_failure(self, error: Exception, end: str = "") -> None:
        line = fault_line(error)
        self.failure = self.failure or line
        log.error("%s%s", line, end)
        log.debug("%s", line, exc_info=error)

    def _keep_sample(self, sample: Mapping[str, Any]) -> None:
        self.folder.add_sample(sample)
        self.live.add_sample(sample)

    def _make_plan(self, plan: PlanKind) -> Plan:
        if plan is PlanKind.FOLLOW:
            return FollowPlan(self.cluster.target)
        config = self.config
        timing = Timing(
            hold_s=config.hold_s,
            settle_s=config.settle_s,
            ramp_rate=config.ramp_rate,
            utterance_limit_s=self._limit_s + config.pause_s[1],
            at_least=least_utterances(config) if plan is PlanKind.SEARCH else config.at_least,
            rounds=config.rounds,
            is_together=config.arrival == "together",
        )
        if plan is PlanKind.LADDER and config.spike is not None:
            return SpikePlan(config.spike, timing, config.spike_hold_s)
        if config.arrivals:
            return self._make_arrivals_plan(timing)
        if plan is PlanKind.LADDER:
            return LadderPlan(config.concurrency, timing)
        search = CapacitySearch(**config.search_terms)
        return StagedPlan(SearchStages(search, config.kind, self.live.judged, self._tell), timing)

    def _make_arrivals_plan(self, timing: Timing) -> Plan:
        config, loads = self.config, self.config.call_loads
        rarest_s = max(1 / load.per_s for load in loads)
        patient = replace(timing, slack_s=timing.slack_s + _GAPS_OF_PATIENCE * rarest_s)
        warm_up_s = (config.call_s or 0.0) if config.warm_up_s is None else config.warm_up_s
        return ArrivalsPlan(loads, patient, warm_up_s, seats=len(self.cluster.workers()))

    def _on_update(self, update: StageUpdate) -> None:
        if self._plan is PlanKind.SEARCH and update.users > self._n_callers:
            self._note_more_callers(update.users)
        self._gpu_feed.announce(update)
        self.live.announce(update)
        if self._view is not None:
            self._view.announce(update)
        log.info("stage %d, %s: %s", update.stage + 1, callers(update.name, self.config.kind), update.phase)

    def _tell(self, line: str) -> None:
        log.info(line)
        if self._view is not None:
            self._view.say(line)

    def _note_more_callers(self, n_callers: int) -> None:
        """A search has come to more callers than ever before."""
        self._n_callers, before = n_callers, self._caller_notes
        self._caller_notes = caller_notes(self.config, self._clips, self.cluster, n_callers)
        others = [note for note in self._description["notes"] if note not in before]
        self._description["notes"] = [*others, *self._caller_notes]

    def _on_counted(self, record: UtteranceRecord) -> None:
        self.live.add(record)
        self._breaches.add(record)
        self._telemetry.add(record)

    def _on_step(self) -> None:
        if self._view is not None:
            self._view.refresh(self.controller.update)

    def _keep_description(self, news: Description | Mapping[str, Any]) -> None:
        self._description |= news
        with suppress(ConfigError):  # the folder tries again
            self.folder.write_run(self._description)  # at once: a run that is killed has it too


def users_of_first_stage(config: RunConfig, plan: PlanKind, n_workers: int) -> int:
    """Locust's users of the first stage of a run with a shape. `n_workers`: load processes that are there."""
    if config.arrivals:
        return max(1, n_workers)
    return config.first_users if plan is PlanKind.SEARCH else config.concurrency[0]


def _more_files(config: RunConfig, clips: ClipSet) -> tuple[str, ...]:
    """The raw files that not every run has."""
    return (
        *(SAMPLE_FILES if config.gpu_sidecars else ()),
        *((SERVER_LOOKS,) if config.server_metrics else ()),
        *((CLIP_WORDS,) if any(clip.words for clip in clips.clips) else ()),
    )


def _bounds_notes(config: RunConfig, clips: ClipSet) -> list[str]:
    note = bounds_note(clips) if config.kind.is_paced else None
    if note:
        log.warning(note)
    return [note] if note else []


def _largest_known(config: RunConfig, plan: PlanKind) -> int | None:
    """Callers of the largest stage that is known before the run; None where somebody says it as it goes on."""
    return {PlanKind.LADDER: config.most_callers, PlanKind.SEARCH: config.first_users}.get(plan)
