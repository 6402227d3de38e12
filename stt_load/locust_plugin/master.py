"""The master's listeners of Locust's events, which are those of a single process too: each opens, stops or closes the
run."""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gevent

from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig, parse_options
from stt_load.errors import ConfigError, ExitCode, WriteError
from stt_load.locust_plugin.arguments import find_task_problems, user_class_names
from stt_load.locust_plugin.cluster.admission import Admission, Terms
from stt_load.locust_plugin.cluster.agreement import reach_agreement
from stt_load.locust_plugin.cluster.messages import RECEIVED, REPORT_KEY, SERVERS_OPTION, UPDATE
from stt_load.locust_plugin.cluster.own_workers import end_workers, is_alive, own_workers
from stt_load.locust_plugin.cluster.worker_cluster import WorkerCluster, present_workers
from stt_load.locust_plugin.exits import exit_with
from stt_load.locust_plugin.local_pool import make_pool
from stt_load.options import PlanKind
from stt_load.process.log import log
from stt_load.run.caller_pool import CallerPool
from stt_load.run.cluster import Cluster
from stt_load.run.fault import fault_line
from stt_load.run.live_stages import LiveStages
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.named_servers import find_unnamed, named_servers
from stt_load.run.plan import Phase
from stt_load.run.preflight import find_problems, port_taken
from stt_load.run.real_thread import call_in_thread
from stt_load.run.run import Run, new_run_id, users_of_first_stage
from stt_load.run.single_process import SingleProcess
from stt_load.run.terms import describe_equipment, shared_options
from stt_load.run.worker_report import ReportMessage, WorkerReport
from stt_load.workloads.clip_progress import ClipsInterrupted, stop_making_clips

_CLOSE_LIMIT_S = 60.0
_LOOK_PERIOD_S = 0.5
_WAITING_TOLD_EVERY_S = 10.0


class WorkersGone(ConfigError):
    """There is no worker any more that a run could begin with."""

    exit_code = ExitCode.FAILED


class Watched(NamedTuple):
    """What people watch of a run, which outlasts it."""

    config: RunConfig
    live: LiveStages
    folder: Path


class Master:
    """Listens to Locust's events. There is one `run` at a time, and none between two."""

    def __init__(
        self,
        environment: Any,
        admission: Admission | None = None,
        clips: LoadedClips | None = None,
        plan: PlanKind = PlanKind.LADDER,
    ) -> None:
        """`plan`: that of a run with a shape."""
        self.environment = environment
        self._plan_of_shape = plan
        options = environment.parsed_options  # as the command line and the environment have them: nobody has typed yet
        setattr(options, SERVERS_OPTION, named_servers(vars(options)))
        self.run: Run | None = None
        self.latest: Watched | None = None  # what is shown of this run, or of the last one
        self.is_started = False  # somebody at the web UI has started a run, which may still be prepared
        self.why_refused: tuple[str, ...] = ()  # why that run could not start after all, a line each
        self._admission = admission or Admission()
        self._clips = clips or LoadedClips()
        self._left_out: set[str] = set()  # workers whose reports make no sense, each told once
        self._is_leaving = False
        self._sharing: set[str] = set()  # workers among which Locust has shared the callers
        self._has_begun = False
        self._is_preparing = False  # its clips are being made or read
        self._is_asked_to_start = False  # Locust has been told how many users a run begins with

    # before the load -----------------------------------------------------------------------------------

    def on_init(self) -> None:
        """Refuses bad input before any load. Leaves the process with 2 where there is some, with 5 where it was told to
        end meanwhile."""
        options = self.environment.parsed_options
        if getattr(options, "processes", None):
            workers = own_workers()
            atexit.register(end_workers, workers)  # before Locust waits for them
            gevent.spawn(self._watch_workers, workers, options.processes)
        try:
            if problems := find_task_problems(self.environment):
                raise ConfigError(problems)
            if self.environment.web_ui is not None:
                taken = port_taken("--web-port", options.web_host, options.web_port)
                if taken:
                    raise ConfigError(taken)
            if self.environment.web_ui is None or options.autostart:
                self._settle_terms(*self._prepare())
                if self._has_workers:
                    gevent.spawn(self._tell_of_waiting, options.expect_workers)
            else:
                self._admission.open(None)  # options are still to be typed: checked when the run starts
        except ClipsInterrupted as interrupted:
            print(interrupted, file=sys.stderr)
            sys.exit(ExitCode.ABORTED)
        except ConfigError as error:
            exit_with(error.lines, error.exit_code)

    def _watch_workers(self, workers: Sequence[int], n_wanted: int) -> None:
        """Ends this process where a worker of --processes ends before the run: Locust would wait for it for ever."""
        while sum(map(is_alive, workers)) >= n_wanted:
            gevent.sleep(_LOOK_PERIOD_S)
            if self._has_begun or self._is_leaving:
                return
        log.error("a worker of --processes ended before the run began: see the lines above")
        self._leave(ExitCode.FAILED)

    def _tell_of_waiting(self, n_expected: int) -> None:
        """Says now and then that workers are still to come: Locust waits for them without a word that is shown."""
        while True:
            gevent.sleep(_WAITING_TOLD_EVERY_S)
            if self._has_begun or self._is_leaving:
                return
            n_here, n_refused = len(present_workers(self.environment.runner)), len(self._admission.refused)
            refused = f", {n_refused} refused" if n_refused else ""
            log.warning("%d of %d workers are here%s; the run waits for the others", n_here, n_expected, refused)

    def on_test_start(self) -> None:
        """Opens the run. Where that can't be done, it raises GreenletExit, so that Locust starts no user either."""
        self._has_begun = True
        try:
            config, clips = self._prepare()
            self._settle_terms(config, clips)
            if self._has_workers:
                reach_agreement(self._admission, self.environment.runner, lambda: self._is_leaving)
            if self._is_leaving:
                raise ClipsInterrupted("interrupted before its workers were ready: no run was started")
            self.run = self._open_run(config, clips)
            self.latest = Watched(config, self.run.live, self.run.folder.path)
            self.run.start()
        except ConfigError as error:
            self._refuse(error)
            if isinstance(error, ClipsInterrupted):
                self.environment.process_exit_code = int(ExitCode.ABORTED)
                gevent.spawn(self._leave)
                raise gevent.GreenletExit from error
            self._stop_load()
            raise gevent.GreenletExit from error
        except Exception as error:  # Locust would swallow it, and play callers of no run for ever
            self._refuse(WriteError(f"the run could not start: {fault_line(error)}"))
            log.debug("the run could not start", exc_info=error)
            self._stop_load()
            raise gevent.GreenletExit from error

    def _refuse(self, error: ConfigError) -> None:
        self.is_started, self.why_refused = False, tuple(error.lines)
        for line in error.lines:
            log.error(line)
        self.environment.process_exit_code = int(error.exit_code)

    def _stop_load(self) -> None:
        """Stops the load in a greenlet of its own, since whoever calls this may be one that is stopped with it."""
        gevent.spawn(self._leave if self.environment.web_ui is None else self.environment.runner.stop)

    def _prepare(self) -> tuple[RunConfig, ClipSet]:
        """Raises ConfigError with everything that would make a run with these options pointless."""
        options = vars(self.environment.parsed_options)
        config = parse_options(options)
        problems = [
            *find_task_problems(self.environment),
            *find_problems(config),
            *find_unnamed(config, options[SERVERS_OPTION], os.environ),
        ]
        if problems:
            raise ConfigError(problems)
        self._is_preparing = True
        try:
            clips = self._clips.of(config)
        finally:
            self._is_preparing = False
        if self._is_leaving:  # heard when there was no clip left that could have been stopped
            raise ClipsInterrupted("interrupted when its clips were ready: no run was started")
        return config, clips

    def _settle_terms(self, config: RunConfig, clips: ClipSet) -> None:
        """Tells the admission what a run with this configuration takes: workers are held against it from now on."""
        if not self._has_workers:
            return
        equipment = call_in_thread(describe_equipment, config, clips.clips, os.environ)
        options = vars(self.environment.parsed_options)
        shared = shared_options(options) | {SERVERS_OPTION: options[SERVERS_OPTION]}
        self._admission.open(Terms(shared, equipment, clips.source))

    @property
    def _has_workers(self) -> bool:
        """Whether callers are played elsewhere; otherwise this process is its own worker."""
        return hasattr(self.environment.runner, "clients")

    @property
    def _plan(self) -> PlanKind:
        """Where there is no shape, somebody at the web UI decides."""
        return PlanKind.FOLLOW if self.environment.shape_class is None else self._plan_of_shape

    def _open_run(self, config: RunConfig, clips: ClipSet) -> Run:
        run_id, environment = new_run_id(), self.environment
        cluster: Cluster = WorkerCluster(environment, secrets.token_hex(16))
        if not self._has_workers:
            pool = make_pool(environment, config, clips, WorkerReport(run_id), self._plan is not PlanKind.FOLLOW)
            cluster = SingleProcess(pool, environment.runner, environment.runner.client_id)
        options = vars(environment.parsed_options)
        return Run(run_id, config, clips, cluster, options, self._plan, self._on_failure)

    def _on_failure(self) -> None:
        """The run has failed: its load stops, whether there is a shape that would end it or not."""
        self.environment.process_exit_code = int(ExitCode.FAILED)
        self._stop_load()

    # while it goes on ----------------------------------------------------------------------------------

    def ready_pool(self) -> CallerPool:
        """The callers of a single process, which is its own worker. Raises ConfigError where no run could start."""
        match self.run:
            case Run(cluster=SingleProcess(pool=pool)):
                return pool
        raise ConfigError("the run could not start: see the lines above")

    def tick(self) -> tuple[int, float] | None:
        """What Locust asks a shape: how many users there should be now, and how many may come a second. None ends the
        test."""
        if self.run is None:
            try:
                config = parse_options(vars(self.environment.parsed_options))
                if self._has_workers and self._is_asked_to_start and self.environment.process_exit_code is None:
                    # Locust starts no test where no worker is there, and takes the stage for done. Without workers it
                    # asks again while the run is still being prepared.
                    raise WorkersGone("no worker is there any more: no run was started")
            except ConfigError as error:  # typed into the web UI, or WorkersGone
                self._is_asked_to_start = False
                self._refuse(error)
                return None
            self._is_asked_to_start = True
            n_workers = len(present_workers(self.environment.runner)) if self._has_workers else 1
            return users_of_first_stage(config, self._plan, n_workers), config.ramp_rate
        self._is_asked_to_start = False
        if self._has_workers and self.run.controller.update.phase is Phase.RAMP:
            self._share_callers_anew()
        users = self.run.users
        return None if users is None else (users, self.run.config.ramp_rate)

    def _share_callers_anew(self) -> None:
        """Has Locust share the callers among the workers that are there now. It does by itself where their number
        changes; with as many as before, a stage would wait for those of a worker that is gone."""
        workers = set(present_workers(self.environment.runner))
        if workers != self._sharing:
            self._sharing = workers
            self.environment.runner.shape_last_tick = None

    def on_hello(self, client_id: str, user_classes: Sequence[str]) -> None:
        """A worker that has just come says whom it can start, and asks which stage is on. One that lacks a user class
        is refused: Locust would wait for its users."""
        lacking = [name for name in user_class_names(self.environment) if name not in user_classes]
        if lacking:
            why = f"its locustfile has no class {', '.join(lacking)}: start it with that of the master (-f)"
            self.environment.runner.send_message(*self._admission.refuse(client_id, [why]), client_id)
            return
        match self.run:
            case Run(cluster=WorkerCluster() as cluster, controller=controller):
                self.environment.runner.send_message(UPDATE, cluster.update_message(controller.update), client_id)

    def on_worker_report(self, client_id: str, data: object) -> None:
        """A report of one of the workers. Without the token of this run it is of another one, and left out."""
        if self.run is None or not isinstance(data, dict) or REPORT_KEY not in data:
            return
        try:
            message = ReportMessage.from_plain(data[REPORT_KEY])
        except ValueError as error:
            if client_id not in self._left_out:
                self._left_out.add(client_id)
                log.warning("reports of worker %s make no sense and are left out: %s", client_id, error)
            return
        if self._is_of_this_run(message.token):
            self.run.ledger.accept(client_id, message.snapshot, time.monotonic(), message.rows)
            gevent.sleep(0)  # the controller has its turn even while reports queue up: Locust's listener never yields

    def on_drained(self, client_id: str, data: object) -> None:
        """None of this worker's utterances is in flight any more."""
        self.on_worker_report(client_id, data)
        if self.run is not None and isinstance(data, dict) and self._is_of_this_run(data.get("token")):
            self.run.ledger.drained.add(client_id)
        self.environment.runner.send_message(RECEIVED, {}, client_id)

    def _is_of_this_run(self, token: object) -> bool:
        """Whether a worker has shown what this run has handed out."""
        match self.run:
            case Run(cluster=WorkerCluster() as cluster):
                return token == cluster.token
        return False

    # the end -------------------------------------------------------------------------------------------

    def on_test_stopping(self) -> None:
        """Locust is about to stop its users: the utterances in flight come first."""
        self.is_started = False
        if self.run is not None:
            self.run.drain()

    def on_test_stop(self) -> None:
        """Every row is here: closes the run and settles the exit code."""
        if self.run is not None:
            # In a greenlet of its own: Locust kills the one that comes here when the last worker has quit.
            gevent.spawn(self._close, self.run).join()

    def _close(self, run: Run) -> None:
        self.environment.process_exit_code = int(run.close())
        if self.run is run:
            self.run = None

    def on_quitting(self) -> None:
        """Locust is about to settle its exit code: not before the run is closed, whoever closes it."""
        if self.run is None:
            return
        if not self._is_leaving:
            self.environment.runner.stop()
        deadline_s = time.monotonic() + _CLOSE_LIMIT_S
        while self.run is not None and time.monotonic() < deadline_s:
            gevent.sleep(0.05)
        if self.run is not None:
            path = self.run.folder.path
            log.error("the report is not ready after %g s: make it with `stt-load report %s`", _CLOSE_LIMIT_S, path)
            self.environment.process_exit_code = int(ExitCode.FAILED)

    def on_signal(self, number: signal.Signals) -> None:
        """Ends the run at the first ending signal; the report is still written. A second one leaves at once, and is not
        heard here."""
        self._is_leaving = True
        if self._is_preparing:
            log.warning("%s: no run is started; repeat it to leave at once", number.name)
            stop_making_clips()
            return
        if self.run is None:
            what = "no run is on, leaving"
        elif self.run.is_closing:
            what = "the run has ended, and its report is being made"
        else:
            what = "ending the run"
            self.run.abort()
        log.warning("%s: %s; repeat it to leave at once", number.name, what)
        self._leave()

    def _leave(self, code: ExitCode = ExitCode.ABORTED) -> None:
        """Ends this process. `code`: what it ends with where no run has begun."""
        if self.environment.web_ui is None and self.run is None and self.environment.process_exit_code is None:
            # The run may be about to be opened, by a greenlet that Locust kills now: nobody else would settle it.
            self.environment.process_exit_code = int(code)
        self.environment.runner.quit()
        if self.environment.web_ui is not None:
            self.environment.web_ui.stop()
        elif not self._has_begun:  # Locust waits for workers, and for nothing else: gevent hands this to its greenlet
            sys.exit(code)
