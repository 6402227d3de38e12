"""What a run tells other systems while it goes on: an endpoint that Prometheus reads, and pushes to a collector."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stt_load.clock import SteadyWallClock
from stt_load.config import RunConfig
from stt_load.process.log import log
from stt_load.records import UtteranceRecord
from stt_load.run.cluster import Cluster
from stt_load.run.ledger import Ledger
from stt_load.run.live_stages import LiveStages
from stt_load.run.live_view import CALLER_STATES
from stt_load.run.stage_update import StageUpdate
from stt_load.telemetry.collector import collector_url
from stt_load.telemetry.counters import RunCounters
from stt_load.telemetry.exported import LiveFigures
from stt_load.telemetry.otlp import OtlpPush

if TYPE_CHECKING:
    from stt_load.telemetry.endpoint import MetricsEndpoint


class TelemetryFeed:
    """The figures of one run for other systems, from `start` to `stop`. Without an option that asks for them, it costs
    nothing. No system that reads or takes them costs the run more than a warning."""

    def __init__(
        self,
        run_id: str,
        config: RunConfig,
        environment: Mapping[str, str],
        update: Callable[[], StageUpdate],
        cluster: Cluster,
        ledger: Ledger,
        live: LiveStages,
        wall_clock: SteadyWallClock,
    ) -> None:
        """`update`: gives the newest stage update. Raises ConfigError where a part of it is not installed."""
        self._counters = RunCounters()
        self._run_id = run_id
        self._config = config
        self._update = update
        self._cluster = cluster
        self._ledger = ledger
        self._live = live
        self._parts: list[MetricsEndpoint | OtlpPush] = []
        if config.metrics is not None:
            # It brings prometheus_client, which no other run has to wait for when it starts.
            from stt_load.telemetry.endpoint import MetricsEndpoint

            self._parts.append(MetricsEndpoint(*config.metrics, self._figures))
        if config.otlp_endpoint is not None:
            url = collector_url(config.otlp_endpoint, environment)
            self._parts.append(OtlpPush(url, self._figures, wall_clock, time.monotonic))

    def add(self, record: UtteranceRecord) -> None:
        """Takes in a counted utterance that has ended."""
        if self._parts:
            self._counters.add(record)

    def start(self) -> None:
        for part in self._parts:
            try:
                part.start()
            except OSError as error:  # the port was free a moment ago
                log.warning("figures can't be served: %s; the run goes on without", error.strerror)

    def stop(self) -> None:
        """Pushes the last figures, and lets nobody read any more. To be called once the report is there."""
        for part in self._parts:
            part.stop()

    def _figures(self) -> LiveFigures:
        update, states = self._update(), self._ledger.caller_states()
        return LiveFigures(
            run_id=self._run_id,
            label=self._config.label,
            dialect=self._config.dialect,
            kind=self._config.kind,
            stage=update.stage,
            phase=str(update.phase),
            target=update.users,
            callers=self._ledger.on_the_line() if update.load else self._cluster.reached,
            # Each of them from the start: a series that comes and goes leaves gaps. The rest is between two utterances.
            states={state.name: states[state.name] for state in CALLER_STATES[:-1]},
            generator_cpu_pct=self._ledger.cpu_pct(),
            counters=self._counters,
            ended=self._live.judged_stages,
        )
