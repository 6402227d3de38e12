"""The master's part in Locust's life, and that of a single process: opens a run, leads it, closes it."""

from __future__ import annotations

import logging
import signal
import sys
import time
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

import gevent

from stt_load.audio.pool import shortage
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig, parse_options
from stt_load.errors import ConfigError, ExitCode, SttLoadError
from stt_load.locust_plugin.messages import DRAIN, REPORT_KEY, SIGN, SIGN_OPTION, make_station
from stt_load.metrics.normaliser import guess_normaliser
from stt_load.report.close import close_run
from stt_load.report.wording import callers
from stt_load.run import provenance
from stt_load.run.caller_pool import CallerPool
from stt_load.run.controller import Cluster, RunController
from stt_load.run.gpu_feed import Description, GpuFeed
from stt_load.run.ledger import Allowance, Ledger
from stt_load.run.live_view import LiveView
from stt_load.run.own_rows import take_own_rows
from stt_load.run.plan import FollowPlan, LadderPlan, Plan, Timing
from stt_load.run.preflight import find_problems, overload, port_taken
from stt_load.run.run_folder import RunFolder
from stt_load.run.stage_update import StageUpdate
from stt_load.sidecar.local import LocalSidecar
from stt_load.workloads.run_clips import choose_clips, utterance_limit_s

log = logging.getLogger("stt_load")

_ACK_SLACK_S = 5.0
_CLOSE_LIMIT_S = 60.0

# How much of its time may go into scoring; rows beyond that are scored when the report is made.
_SHARE_BESIDE_CALLERS = 0.1
_SHARE_OF_A_MASTER = 0.5


class Master:
    """Listens to Locust's events. One at a time there may be a run: `conductor` is None between runs."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.conductor: RunController | None = None
        self._config: RunConfig | None = None
        self._clips: ClipSet | None = None
        self._clips_key: tuple[object, ...] = ()
        self._folder: RunFolder | None = None
        self._run: dict[str, Any] = {}
        self._feed: GpuFeed | None = None
        self._view: LiveView | None = None
        self._station: CallerPool | None = None
        self._acks: set[str] = set()
        self._is_aborted = False

    # before the load -----------------------------------------------------------------------------------

    def on_init(self) -> None:
        """Refuse bad input before any load. Leaves the process with 2 where there is some."""
        options = self.environment.parsed_options
        try:
            if self.environment.web_ui is not None:
                taken = port_taken("--web-port", options.web_host, options.web_port)
                if taken:
                    raise ConfigError(taken)
            if self.environment.web_ui is None or options.autostart:
                self._prepare()  # otherwise options are still to be typed: looked at when the run starts
        except ConfigError as error:
            for line in error.problems:
                print(f"error: {line}", file=sys.stderr)
            sys.exit(ExitCode.USAGE)

    def on_test_start(self) -> None:
        try:
            self._prepare()
            self._open_run()
        except ConfigError as error:
            for line in error.problems:
                log.error(line)
            self.environment.process_exit_code = int(ExitCode.USAGE)
            gevent.spawn(self._leave if self.environment.web_ui is None else self.environment.runner.stop)

    def _prepare(self) -> None:
        raw = vars(self.environment.parsed_options)
        config = parse_options(raw)
        problems = find_problems(config)
        if problems:
            raise ConfigError(problems)
        key = (config.clips, config.tts_url, config.dialect)
        if self._clips is None or key != self._clips_key:
            self._clips, self._clips_key = choose_clips(config), key
        self._config = config

    def _open_run(self) -> None:
        assert self._config is not None and self._clips is not None
        config, clips = self._config, self._clips
        run_id, started_at = uuid.uuid4().hex[:12], time.time()
        self._is_aborted = False
        self._acks = set()
        self._folder = RunFolder.create(config.results, config.label, started_at)
        references = {clip.clip_id: clip.reference for clip in clips.clips}
        guess = guess_normaliser(references.values())
        notes = [*self._notes(), *guess.notes]
        raw = vars(self.environment.parsed_options)
        limit_s = utterance_limit_s(config, clips.clips)
        self._run = provenance.describe_run(run_id, config, raw, clips, guess.normaliser, notes, started_at)
        self._run["utterance_limit_s"] = limit_s
        self._folder.write_run(self._run)
        allowance = Allowance(time.monotonic, share=_SHARE_BESIDE_CALLERS if self._is_single else _SHARE_OF_A_MASTER)
        ledger = Ledger(run_id, references, self._folder.add_utterances, limit_s, guess.normaliser, allowance)
        cluster = self._cluster(ledger)
        self.conductor = RunController(
            run_id, self._plan(), cluster, ledger, self._folder, self._on_change, self._on_look
        )
        if config.gpu_sidecars:
            self._feed = self._make_feed(config, self._folder)
        if config.live:
            ladder = config.concurrency if self._has_shape else ()
            self._view = LiveView(self.conductor, ladder, has_panel=not config.verbose)
        log.info("run folder: %s", self._folder.path)
        self.conductor.start()

    def _make_feed(self, config: RunConfig, folder: RunFolder) -> GpuFeed:
        def start_local() -> LocalSidecar:
            return LocalSidecar(config.gpu_id, config.server_process)

        def keep_description(description: Description) -> None:
            self._run |= description
            folder.write_run(self._run)  # at once: a run that is killed has it too

        return GpuFeed(config.gpu_sidecars, start_local, folder.add_sample, keep_description)

    def _notes(self) -> list[str]:
        assert self._config is not None and self._clips is not None
        callers = max(self._config.concurrency) if self._has_shape else self.environment.runner.target_user_count
        n_workers = max(1, len(self._workers()))
        lines = [shortage(len(self._clips.clips), callers, n_workers), overload(self._config, callers, n_workers)]
        notes = [line for line in lines if line]
        for line in notes:
            log.warning(line)
        return notes

    def _plan(self) -> Plan:
        assert self._config is not None and self._clips is not None
        config = self._config
        if not self._has_shape:
            return FollowPlan(int(self.environment.runner.target_user_count))
        timing = Timing(
            hold_s=config.hold_s,
            settle_s=config.settle_s,
            ramp_rate=config.ramp_rate,
            utterance_limit_s=utterance_limit_s(config, self._clips.clips) + config.pause_s[1],
            at_least=config.at_least,
            rounds=config.rounds,
            is_together=config.arrival == "together",
        )
        return LadderPlan(config.concurrency, timing)

    def ready_station(self) -> CallerPool:
        """For a single process, which is its own worker."""
        if self._station is None:
            raise ConfigError("the run could not start: see the lines above")
        return self._station

    # the cluster ---------------------------------------------------------------------------------------

    @property
    def _has_shape(self) -> bool:
        return self.environment.shape_class is not None

    @property
    def _is_single(self) -> bool:
        return not hasattr(self.environment.runner, "clients")

    def _workers(self) -> Sequence[str]:
        runner = self.environment.runner
        if self._is_single:
            return (runner.client_id,)
        present = [c.id for c in runner.clients.all if c.state != "missing"]
        return sorted(present, key=runner.get_worker_index)

    def _cluster(self, ledger: Ledger) -> Cluster:
        runner = self.environment.runner
        if not self._is_single:
            return Cluster(runner, self._workers, self._tell, collect=lambda: None)
        assert self._config is not None and self._clips is not None
        station = make_station(self.environment, self._config, self._clips)
        self._station = station

        return Cluster(runner, self._workers, station.show, partial(take_own_rows, station, ledger, runner.client_id))

    def _tell(self, sign: StageUpdate) -> None:
        # Twice: the message reaches those who are there, the option rides on every spawn message and so reaches
        # those who join later.
        setattr(self.environment.parsed_options, SIGN_OPTION, sign.to_json())
        self.environment.runner.send_message(SIGN, {"sign": sign.to_json()})

    def on_hello(self, client_id: str) -> None:
        """A worker that has just come asks where we are."""
        if self.conductor is not None and self.conductor.sign is not None:
            self.environment.runner.send_message(SIGN, {"sign": self.conductor.sign.to_json()}, client_id)

    def on_worker_report(self, client_id: str, data: dict[str, Any]) -> None:
        if self.conductor is not None and REPORT_KEY in data:
            self.conductor.ledger.accept(client_id, data[REPORT_KEY], time.monotonic())
            gevent.sleep(0)  # the conductor has its turn even while reports queue up: Locust's listener never yields

    def on_drained(self, client_id: str, data: dict[str, Any]) -> None:
        self.on_worker_report(client_id, data)
        self._acks.add(client_id)

    def _on_change(self, sign: StageUpdate) -> None:
        if self._feed is not None:
            self._feed.announce(sign)
        if self._view is not None:
            self._view.announce(sign)
        log.info("stage %d, %s: %s", sign.stage + 1, callers(sign.users), sign.phase)

    def _on_look(self) -> None:
        if self._view is not None:
            self._view.look()

    # the end -------------------------------------------------------------------------------------------

    def on_test_stopping(self) -> None:
        """No utterance begins any more; those in flight end (or are cut, when the run is aborted)."""
        if self.conductor is None or self._config is None or self._clips is None:
            return
        self.conductor.stop_leading()
        limit_s = utterance_limit_s(self._config, self._clips.clips)
        if self._station is not None:
            self._station.drain(self._is_aborted, limit_s)
            self.conductor.collect()
            return
        self.environment.runner.send_message(DRAIN, {"is_cut": self._is_aborted, "limit_s": limit_s})
        deadline_s = time.monotonic() + _ACK_SLACK_S + (0.0 if self._is_aborted else limit_s)
        while set(self._workers()) - self._acks and time.monotonic() < deadline_s:
            gevent.sleep(0.05)

    def on_test_stop(self) -> None:
        """Every row is here: close the folder, write the report, settle the exit code."""
        if self.conductor is None or self._folder is None:
            return
        folder, self._folder = self._folder, None
        # In a greenlet of its own: Locust kills the one that comes here when the last worker has quit.
        gevent.spawn(self._close, self.conductor, folder).join()

    def _close(self, conductor: RunController, folder: RunFolder) -> None:
        conductor.finish("aborted" if self._is_aborted else "stopped", self._is_aborted)
        if self._feed is not None:
            self._feed.stop()
            self._feed = None
        if self._view is not None:
            self._view.close()
            self._view = None
        self._station = None
        folder.write_run({**self._run, "ended_at": time.time()})
        folder.close()
        assert self._config is not None
        code = ExitCode.FAILED  # what Locust swallows of a listener must not end with 0
        try:
            # In a real thread: a million rows take seconds, and workers leave a master that is silent.
            code = gevent.get_hub().threadpool.apply(close_run, (folder.path, self._config.output))
        except SttLoadError as error:
            log.error("%s; what was measured is in %s", error, folder.path)
        finally:
            self.environment.process_exit_code = int(code)
            self.conductor = None

    def on_quitting(self) -> None:
        """Locust is about to settle its exit code: not before the run is closed, whoever closes it."""
        if self.conductor is None:
            return
        if not self._is_aborted:
            self.environment.runner.stop()
        deadline_s = time.monotonic() + _CLOSE_LIMIT_S
        while self.conductor is not None and time.monotonic() < deadline_s:
            gevent.sleep(0.05)

    def on_signal(self, number: int) -> None:
        """SIGTERM or Ctrl-C: the summary is still written. Repeated, it leaves at once: on the third, since a terminal
        may send the first one twice."""
        if self._is_aborted:
            signal.signal(number, signal.SIG_DFL)
            return
        self._is_aborted = True
        log.warning("%s: ending the run; repeat it to leave at once", signal.Signals(number).name)
        gevent.spawn(self._leave)

    def _leave(self) -> None:
        self.environment.runner.quit()
        if self.environment.web_ui is not None:
            self.environment.web_ui.stop()
