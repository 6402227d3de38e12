"""A worker's listeners of Locust's events: callers that follow the master's stage updates, and rows that reach it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import Semaphore

from stt_load.config import parse_options
from stt_load.errors import ConfigError, ExitCode
from stt_load.locust_plugin.arguments import find_task_problems, user_class_names
from stt_load.locust_plugin.cluster.joining import find_equipment, refusal_lines
from stt_load.locust_plugin.cluster.messages import DRAINED, HELLO, REPORT_KEY, SERVERS_OPTION, UPDATE_OPTION
from stt_load.locust_plugin.exits import exit_with
from stt_load.locust_plugin.local_pool import make_pool
from stt_load.process.log import log
from stt_load.run.caller_pool import CallerPool
from stt_load.run.lease import ABSENCE_LIMIT_S, LEASE_S
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.named_servers import find_unnamed
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport
from stt_load.workloads.clip_progress import stop_making_clips

_LOOK_PERIOD_S = 1.0
_UNHEARD_S = 3.0  # after which messages of the master's may have got lost
_STOP_LIMIT_S = 2.0
_RECEIVED_LIMIT_S = 5.0


class Worker:
    """One worker process. Its options come from the master, with the first users.

    `report` is its part of the newest run that it has heard of; `pool` plays the callers of that run, once there are
    any.
    """

    def __init__(self, environment: Any, clips: LoadedClips | None = None) -> None:
        self.environment = environment
        self.clips = clips or LoadedClips()
        self.report = WorkerReport("")
        self._token = ""
        self._has_ladder = True
        self.pool: CallerPool | None = None
        self._making = Semaphore()
        self._received = Event()
        self._is_leaving = False
        self._heard_s: float | None = None  # when the master's newest heartbeat came
        self._heard_over: int | None = None  # and over which connection

    def on_init(self) -> None:
        """Says hello to the master. Leaves the process with 2 where its environment leaves callers nothing to do."""
        if problems := find_task_problems(self.environment):
            exit_with(problems)
        self._say_hello()
        gevent.spawn(self._watch_master)

    def on_heartbeat(self) -> None:
        """The master lives. Where it was silent, it is asked which stage is on now."""
        was_silent = self._silence_s() > _UNHEARD_S
        self._heard_s, self._heard_over = time.monotonic(), self.environment.runner.client.connection
        if was_silent:
            self._say_hello()

    def on_terms(self, options: dict[str, Any]) -> None:
        """The master asks what this worker has for a run with these options."""
        self.environment.runner.send_message(*find_equipment(options, self.clips))

    def on_refused(self, problems: Sequence[str]) -> None:
        """The master doesn't take this worker any more: it plays no caller and leaves with 2."""
        for line in refusal_lines(problems):
            log.error("%s", line)
        self.environment.process_exit_code = int(ExitCode.USAGE)
        gevent.spawn(self._leave)

    def on_update(self, update: str, token: str, has_ladder: bool) -> None:
        """The master says which stage is on, `update` as JSON, and what is to be shown with reports about it."""
        self._has_ladder = has_ladder
        news = StageUpdate.from_json(update)
        if news.run_id != self.report.run_id:
            self.report, self.pool, self._token = WorkerReport(news.run_id), None, token
        if self.pool is not None:
            self.pool.apply(news)
            self.pool.resume()
        else:
            self.report.apply(news)

    def on_drain(self, is_cut: bool, limit_s: float, token: str) -> None:
        """Ends every utterance and sends the last rows, in the order in which the master needs them."""
        if self.pool is not None:
            self.pool.drain(is_cut, limit_s)
        self._send_last_report(token)

    def on_report(self, data: dict[str, Any]) -> None:
        """Locust is about to send its own report: ours travels with it."""
        data.update(self._take_report())

    def on_received(self) -> None:
        """The master has the last rows."""
        self._received.set()

    def on_signal(self, number: signal.Signals) -> None:
        """Somebody ends this process: what is in flight is cut, and its rows are sent."""
        log.warning("%s: this worker leaves", number.name)
        self._leave()

    def ready_pool(self) -> CallerPool:
        """The callers for the current options, made when the first caller of a run asks for them."""
        with self._making:
            options = vars(self.environment.parsed_options)
            config = parse_options(options)
            if problems := find_unnamed(config, options.get(SERVERS_OPTION, {}), os.environ):
                raise ConfigError(problems)
            if options.get(UPDATE_OPTION):
                self.on_update(**options[UPDATE_OPTION])
            if self.pool is None or self.pool.config != config:
                self.pool = make_pool(self.environment, config, self.clips.of(config), self.report, self._has_ladder)
            return self.pool

    def _say_hello(self) -> None:
        self.environment.runner.send_message(HELLO, {"user_classes": user_class_names(self.environment)})

    def _take_report(self) -> dict[str, Any]:
        """What the master is owed; nothing before the first run.

        A worker without callers reports too: the controller waits for every worker's word.
        """
        if self.report.update is None:
            return {}
        message = self.pool.take_report() if self.pool is not None else self.report.take(None, time.monotonic())
        return {REPORT_KEY: message.to_plain() | {"token": self._token}}

    def _send_last_report(self, token: str) -> None:
        self.environment.runner.send_message(DRAINED, self._take_report() | {"token": token})

    def _leave(self) -> None:
        """Ends this process, once the master has the rows of what was cut."""
        if self._is_leaving:
            return
        self._is_leaving = True
        stop_making_clips()
        if self.pool is not None:
            self.pool.drain(is_cut=True, limit_s=_STOP_LIMIT_S)
            self._received.clear()
            self._send_last_report(self._token)
            if self.environment.runner.client.connection is not None:
                self._received.wait(_RECEIVED_LIMIT_S)
        self.environment.runner.quit()

    def _watch_master(self) -> None:
        """Stops the callers when the lease is over, and leaves a master that is gone. A process that was stopped hears
        nothing meanwhile: so the time until it leaves is counted in looks."""
        silent_looks = 0
        while not self._is_master_gone(silent_looks):
            if silent_looks == 1:
                log.warning("no word from the master for %g s: the callers stop until it is heard again", LEASE_S)
                if self.pool is not None:
                    self.pool.pause()
            gevent.sleep(_LOOK_PERIOD_S)
            silent_looks = silent_looks + 1 if self._silence_s() > LEASE_S else 0
        log.error("no word from the master for %.0f s: this worker leaves", self._silence_s())
        self.environment.process_exit_code = int(ExitCode.FAILED)
        self._leave()

    def _is_master_gone(self, silent_looks: int) -> bool:
        """Whether a master that was silent in the last so many looks, with the lease over, is waited for no longer. One
        whose connection is closed has ended, and there may be another one in its place, which doesn't know us."""
        is_absent = silent_looks * _LOOK_PERIOD_S >= ABSENCE_LIMIT_S - LEASE_S
        return is_absent or (silent_looks > 0 and self.environment.runner.client.connection != self._heard_over)

    def _silence_s(self) -> float:
        """How long the master has not been heard; 0 before its first word."""
        return 0.0 if self._heard_s is None else time.monotonic() - self._heard_s
