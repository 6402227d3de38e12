"""Pushes the figures of a run to an OpenTelemetry collector (OTLP over HTTP, protobuf), every few seconds and once more
at the end.

The exporter of `opentelemetry-sdk` does the encoding and the sending. Its own meters, readers and threads are not used:
a histogram of theirs has to be told each value when it happens, in the loop that takes rows in, and ours has been told
already. Under Locust the exporter's socket gives way to other greenlets while it waits.

What the standard variables say of the exporter holds here too: OTEL_EXPORTER_OTLP_HEADERS, …_COMPRESSION, …_TIMEOUT,
…_CERTIFICATE, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION.
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import requests
from gevent.event import Event

from stt_load import __version__
from stt_load.clock import Clock, SteadyWallClock
from stt_load.process.log import log
from stt_load.telemetry.collector import import_sdk
from stt_load.telemetry.collector_session import CollectorSession
from stt_load.telemetry.exported import Exported, Kind, Labels, LiveFigures, Value, exported_of
from stt_load.telemetry.histogram import BOUNDS_S, SCHEMA, LatencyHistogram
from stt_load.text.url_secrets import HIDDEN, secrets_of_url, without_credentials

EXPORTERS_LOG = logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter")

PUSH_PERIOD_S = 5.0
END_LIMIT_S = 5.0
"""How long the end of a run waits for the last push."""

_TIMEOUT_VARIABLES = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_AGGREGATION_VARIABLE = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
_EXPONENTIAL = "base2_exponential_bucket_histogram"


class OtlpPush:
    """Pushes what `read` returns. A collector that doesn't take it costs one warning, and each time that it comes back
    one line more; the run goes on."""

    def __init__(
        self, url: str, read: Callable[[], LiveFigures], wall_clock: SteadyWallClock, clock: Clock = time.monotonic
    ) -> None:
        """`url`: as `collector_url` gives it. Raises ConfigError where opentelemetry-sdk is not installed."""
        self._sdk = import_sdk()
        self._url = url
        self._read = read
        self._wall_clock = wall_clock
        self._clock = clock
        self._begun_ns = self._now_ns()
        self._is_exponential = os.environ.get(_AGGREGATION_VARIABLE) == _EXPONENTIAL
        self._why = LastWords()
        # A push that fails is tried again for as long; then the next one, which has newer figures, is due.
        timeout_s = None if any(map(os.environ.get, _TIMEOUT_VARIABLES)) else PUSH_PERIOD_S
        self._exporter = self._sdk.OTLPMetricExporter(endpoint=url, timeout=timeout_s, session=CollectorSession())
        self._made_resource: Any = None
        self._is_failing = False
        self._is_over = Event()
        self._greenlet = gevent.Greenlet(self._push_on)

    def start(self) -> None:
        self._greenlet.start()

    def stop(self) -> None:
        """Pushes once more and ends, within END_LIMIT_S."""
        self._is_over.set()
        if self._is_failing:
            self._exporter.shutdown()  # it may be about to try again: nobody waits for that
        self._greenlet.join(END_LIMIT_S)
        if not self._greenlet.dead:
            self._greenlet.kill(block=False)
            self._note(is_taken=False, why=f"the last push took longer than {END_LIMIT_S:g} s")

    def push(self) -> None:
        """Sends the figures of now. Whatever goes wrong costs them, and never the run."""
        try:
            with self._why:
                result = self._exporter.export(self._data(self._read()))
            self._note(result is self._sdk.MetricExportResult.SUCCESS, self._why.text)
        except Exception as error:
            self._note(is_taken=False, why=str(error) or type(error).__name__)

    def _push_on(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._is_over.wait(PUSH_PERIOD_S)
            self.push()

    def _note(self, is_taken: bool, why: str) -> None:
        if is_taken is not self._is_failing:
            return
        self._is_failing = not is_taken
        shown = without_credentials(self._url)
        if is_taken:
            log.info("figures reach the OTLP collector %s again", shown)
            return
        for secret in secrets_of_url(self._url):  # an exception quotes the path and its parameters
            why = why.replace(secret, HIDDEN)
        log.warning("figures don't reach the OTLP collector %s: %s; the run goes on without", shown, why)

    def _now_ns(self) -> int:
        return int(self._wall_clock.at(self._clock()) * 1e9)

    # the figures as the SDK has them -------------------------------------------------------------------

    def _data(self, live: LiveFigures) -> Any:
        sdk, now_ns = self._sdk, self._now_ns()
        metrics = [
            sdk.Metric(row.otlp_name, row.help, row.unit, self._points(row, points, now_ns))
            for row in exported_of(live.kind)
            if (points := list(row.read(live)))
        ]
        scope = sdk.ScopeMetrics(sdk.InstrumentationScope("stt_load", __version__), metrics, "")
        return sdk.MetricsData([sdk.ResourceMetrics(self._resource(live.run_id), [scope], "")])

    def _resource(self, run_id: str) -> Any:
        """Who pushes. It is made once: that takes as long as the rest of a push."""
        if self._made_resource is None:
            name = os.environ.get("OTEL_SERVICE_NAME", "stt-load")
            known = {"service.name": name, "service.version": __version__, "service.instance.id": run_id}
            self._made_resource = self._sdk.Resource.create(known)
        return self._made_resource

    def _points(self, row: Exported, points: Sequence[tuple[Labels, Value]], now_ns: int) -> Any:
        sdk = self._sdk
        cumulative = sdk.AggregationTemporality.CUMULATIVE
        if row.kind is not Kind.HISTOGRAM:
            numbers = [sdk.NumberDataPoint(dict(labels), self._begun_ns, now_ns, value) for labels, value in points]
            return sdk.Gauge(numbers) if row.kind is Kind.GAUGE else sdk.Sum(numbers, cumulative, is_monotonic=True)
        make = self._exponential if self._is_exponential else self._explicit
        histogram = sdk.ExponentialHistogram if self._is_exponential else sdk.Histogram
        return histogram(
            [make(dict(labels), value, now_ns) for labels, value in points if isinstance(value, LatencyHistogram)],
            cumulative,
        )

    def _explicit(self, labels: Any, value: LatencyHistogram, now_ns: int) -> Any:
        return self._sdk.HistogramDataPoint(
            *(labels, self._begun_ns, now_ns, value.n, value.sum_s),
            *(tuple(value.classic), BOUNDS_S, value.least_s, value.max_s),
        )

    def _exponential(self, labels: Any, value: LatencyHistogram, now_ns: int) -> Any:
        sdk = self._sdk
        first, counts = value.dense()
        return sdk.ExponentialHistogramDataPoint(
            *(labels, self._begun_ns, now_ns, value.n, value.sum_s, SCHEMA, value.zero),
            *(sdk.Buckets(first - 1, counts), sdk.Buckets(0, ()), 0, value.least_s, value.max_s),
        )


class LastWords(logging.Filter):
    """Holds back what the exporter logs while it sends, a warning for each attempt, and keeps why it failed: the last
    line, or in our words that nobody answers, which the last line doesn't say."""

    def __init__(self) -> None:
        super().__init__()
        self.text = "it gave no reason"
        self._is_away = False

    def filter(self, entry: logging.LogRecord) -> bool:
        if any(isinstance(value, requests.ConnectionError) for value in entry.args or ()):
            self._is_away = True
        redirects = [value for value in entry.args or () if isinstance(value, requests.TooManyRedirects)]
        self.text = "nothing answers there" if self._is_away else str(*redirects) or entry.getMessage()
        return False

    def __enter__(self) -> None:
        self._is_away = False
        EXPORTERS_LOG.addFilter(self)

    def __exit__(self, *_: object) -> None:
        EXPORTERS_LOG.removeFilter(self)
