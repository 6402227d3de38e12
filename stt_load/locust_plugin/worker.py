"""The worker's part in Locust's life: callers that follow the master's sign, and rows that reach the master."""

from __future__ import annotations

import logging
import signal
import time
from typing import Any

import gevent
from gevent.lock import Semaphore

from stt_load.config import RunConfig, parse_options
from stt_load.locust_plugin.messages import DRAINED, HELLO, REPORT_KEY, SIGN_OPTION, make_station
from stt_load.run.caller_pool import CallerPool
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import Snapshot, WorkerReport
from stt_load.workloads.run_clips import choose_clips

log = logging.getLogger("stt_load")

MASTER_SILENCE_LIMIT_S = 10.0
_STOP_LIMIT_S = 2.0


class Worker:
    """One worker process. Its options come from the master, with the first users."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.station: CallerPool | None = None
        self._config: RunConfig | None = None  # what the station was made for
        self._run_id = ""
        self._sign: StageUpdate | None = None
        self._making = Semaphore()

    def on_init(self) -> None:
        self.environment.runner.send_message(HELLO, {})
        gevent.spawn(self._watch_master)

    def on_sign(self, text: str) -> None:
        self._sign = StageUpdate.from_json(text)
        if self.station is not None and self._sign.run_id == self._run_id:
            self.station.show(self._sign)

    def on_drain(self, is_cut: bool, limit_s: float) -> None:
        """Ends every utterance and hands the last rows over, in the order in which the master needs them."""
        if self.station is not None:
            self.station.drain(is_cut, limit_s)
        self._hand_over()

    def on_report(self, data: dict[str, Any]) -> None:
        report = self._report()
        if report is not None:
            data[REPORT_KEY] = report

    def on_signal(self, number: int) -> None:
        """Somebody ends this process: cut what is in flight, hand it over, leave."""
        log.warning("%s: this worker leaves", signal.Signals(number).name)
        gevent.spawn(self._leave)

    def ready_station(self) -> CallerPool:
        """The station for the current options, made when the first caller of a run asks for it.

        Clips are loaded in a real thread, so that heartbeats go on.
        """
        with self._making:
            options = vars(self.environment.parsed_options)
            config = parse_options(options)
            carried = options.get(SIGN_OPTION)
            run_id = StageUpdate.from_json(carried).run_id if carried else ""
            if self.station is None or (self._config, self._run_id) != (config, run_id):
                clips = gevent.get_hub().threadpool.apply(choose_clips, (config,))
                self.station = make_station(self.environment, config, clips)
                self._config, self._run_id = config, run_id
                if carried:
                    self.station.show(StageUpdate.from_json(carried))
                if self._sign is not None and self._sign.run_id == run_id:
                    self.station.show(self._sign)
            return self.station

    def _report(self) -> Snapshot | None:
        """What the master is owed. None before the first run."""
        sign = self._sign
        if self.station is not None and (sign is None or sign.run_id == self._run_id):
            return self.station.report()
        if sign is None:
            return None
        # No caller of this run has come here yet, or ever will: the conductor waits for our word all the same.
        return WorkerReport(sign.run_id).take(sign, None, time.monotonic())

    def _hand_over(self) -> None:
        report = self._report()
        self.environment.runner.send_message(DRAINED, {} if report is None else {REPORT_KEY: report})

    def _leave(self) -> None:
        if self.station is not None:
            self.station.drain(is_cut=True, limit_s=_STOP_LIMIT_S)
            self._hand_over()
        self.environment.runner.quit()

    def _watch_master(self) -> None:
        """Locust's own watch lets a worker load the server for a minute after its master has died."""
        runner = self.environment.runner
        while True:
            gevent.sleep(1.0)
            heard = runner.last_heartbeat_timestamp
            if heard and time.time() - heard > MASTER_SILENCE_LIMIT_S:
                log.error("no word from the master for %g s: this worker leaves", MASTER_SILENCE_LIMIT_S)
                self._leave()
                return
