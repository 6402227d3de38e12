"""What a collector gets of a run."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from collector import Collector
from live_figures import live_figures
from ports import free_port
from raw_server import Caller, raw_server

from stt_load.clock import SteadyWallClock
from stt_load.errors import ConfigError
from stt_load.telemetry import collector
from stt_load.telemetry.collector import check_otlp, collector_url
from stt_load.telemetry.exported import exported_of
from stt_load.telemetry.histogram import SCHEMA
from stt_load.telemetry.otlp import EXPORTERS_LOG, LastWords, OtlpPush

CLOCK = SteadyWallClock.read(time.time, time.monotonic)


@pytest.fixture
def receiver() -> Iterator[Collector]:
    with Collector() as made:
        yield made


def push_once(url: str) -> None:
    push = OtlpPush(url, live_figures, CLOCK)
    push.start()
    push.stop()


def test_a_push_has_every_figure_that_prometheus_gets(receiver: Collector) -> None:
    push_once(receiver.url)
    live = live_figures()
    assert set(receiver.metrics()) == {row.otlp_name for row in exported_of(live.kind)}
    histogram = receiver.metrics()["stt_load.eos_latency"].histogram.data_points[0]
    assert (histogram.count, histogram.min, histogram.max) == (6, 0.0005, 99.0)
    assert sum(histogram.bucket_counts) == 6
    utterances = receiver.metrics()["stt_load.utterances"].sum
    assert utterances.is_monotonic
    told = {point.attributes[0].value.string_value: point.as_int for point in utterances.data_points}
    assert (told["ok"], told["refused"], told["timed_out"]) == (6, 1, 0)


def test_a_push_says_who_it_is_from(receiver: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=speech")
    push_once(receiver.url)
    headers, request = receiver.pushes[-1]
    resource = {a.key: a.value.string_value for a in request.resource_metrics[0].resource.attributes}
    assert headers["x-tenant"] == "acme"
    assert {"service.name": "stt-load", "service.instance.id": "0123456789ab", "team": "speech"}.items() <= (
        resource.items()
    )


def test_native_buckets_are_pushed_where_the_standard_variable_asks(
    receiver: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram")
    push_once(receiver.url)
    point = receiver.metrics()["stt_load.eos_latency"].exponential_histogram.data_points[0]
    first, counts = live_figures().counters.headline.dense()
    assert (point.count, point.scale, point.zero_count) == (6, SCHEMA, 1)
    assert (point.positive.offset, list(point.positive.bucket_counts)) == (first - 1, counts)


@pytest.mark.parametrize(("fault", "why"), [("nobody listens", "Failed to export"), ("it answers 400", "400")])
def test_a_collector_that_takes_nothing_costs_one_warning(
    fault: str, why: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.01")
    with Collector(status=400) as refusing, caplog.at_level(logging.INFO):
        url = refusing.url if fault == "it answers 400" else f"http://127.0.0.1:{free_port()}/v1/metrics"
        push = OtlpPush(url, live_figures, CLOCK)
        for _ in range(3):
            push.push()
    (line,) = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert line.startswith(f"figures don't reach the OTLP collector {url}: ")
    assert why in line
    assert line.endswith("; the run goes on without")


def test_a_redirect_is_no_success(caplog: pytest.LogCaptureFixture) -> None:
    with Collector(status=307) as moved:
        push_once(moved.url)
    assert f"don't reach the OTLP collector {moved.url}: it answers 307, which sends elsewhere" in caplog.text
    assert len(moved.pushes) == 1


def test_an_answer_without_an_end_is_not_read_to_it() -> None:
    with Collector(answer_bytes=1 << 30) as talkative:
        push_once(talkative.url)
    assert len(talkative.pushes) == 1
    assert sum(talkative.written) < 1 << 28, "what the kernel has room for"


def test_an_answer_that_drips_is_not_waited_for() -> None:
    pushed, is_over = threading.Event(), threading.Event()

    def drip(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(400):  # for twenty seconds
            if pushed.wait(0.05):
                return
            caller.send(b" ")
        is_over.set()

    with raw_server(drip) as server:
        push_once(server.url.replace("ws", "http", 1))
        pushed.set()
    assert len(server.callers) == 1
    assert not is_over.is_set()


def test_a_collector_that_is_away_is_told_in_words_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """The exporter says it when it tries again, which is a second later, and nothing of it when it gives up."""
    last_words, exporter = LastWords(), EXPORTERS_LOG
    with last_words:
        exporter.warning("Transient error %s encountered", requests.ConnectionError("Connection refused"))
        exporter.error("Failed to export %s batch due to timeout, max retries or shutdown.", "metrics")
    assert last_words.text == "nothing answers there"
    with last_words:
        exporter.error("Failed to export %s batch code: %s", "metrics", 400)
    assert last_words.text == "Failed to export metrics batch code: 400"
    assert not caplog.records


def test_secrets_of_its_url_are_in_no_line(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.01")
    push = OtlpPush(f"http://me:password@127.0.0.1:{free_port()}/in?token=abcdefgh", live_figures, CLOCK)
    with caplog.at_level(logging.DEBUG, logger="stt_load"):
        push.push()
    assert "don't reach" in caplog.text
    assert "password" not in caplog.text
    assert "abcdefgh" not in caplog.text


def test_a_collector_that_is_back_is_told_once(receiver: Collector, caplog: pytest.LogCaptureFixture) -> None:
    figures: list[Any] = [None, live_figures(), live_figures()]  # the first can't be told
    push = OtlpPush(receiver.url, lambda: figures.pop(0), CLOCK)
    with caplog.at_level(logging.INFO, logger="stt_load"):
        for _ in range(3):
            push.push()
    assert [entry.getMessage().partition(":")[0] for entry in caplog.records if entry.name == "stt_load"] == [
        f"figures don't reach the OTLP collector {receiver.url.partition(':')[0]}",
        f"figures reach the OTLP collector {receiver.url.partition(':')[0]}",
    ]


@pytest.mark.parametrize(
    ("sentence", "given", "variables", "url"),
    [
        ("a collector gets the path of metrics", "http://c:4318", {}, "http://c:4318/v1/metrics"),
        ("a slash is no path", "http://c:4318/", {}, "http://c:4318/v1/metrics"),
        ("a path is taken as it is", "https://c/otlp/v1/metrics", {}, "https://c/otlp/v1/metrics"),
        ("env is a collector", "env", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:1/x"}, "http://e:1/x/v1/metrics"),
        (
            "env's own URL of metrics wins",
            "env",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:1", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:2/in"},
            "http://m:2/in",
        ),
    ],
)
def test_where_it_pushes_to(sentence: str, given: str, variables: dict[str, str], url: str) -> None:
    assert collector_url(given, variables) == url


def test_what_can_t_be_pushed_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="neither OTEL_EXPORTER_OTLP_METRICS_ENDPOINT nor"):
        check_otlp("env", {})
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics", None)
    with pytest.raises(ConfigError, match="is not installed: pip install"):
        collector.import_sdk()
