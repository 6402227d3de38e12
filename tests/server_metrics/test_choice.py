from __future__ import annotations

import pytest

from stt_load.server_metrics.choice import Reading, ServerMetric, parse_server_metric
from stt_load.server_metrics.known import KNOWN_METRICS, every_known


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("queue_length", ServerMetric("queue_length")),
        ("requests_total:rate", ServerMetric("requests_total", Reading.RATE)),
        ("vllm:num_requests_running", ServerMetric("vllm:num_requests_running")),
        ("vllm:e2e_request_latency_seconds:mean", ServerMetric("vllm:e2e_request_latency_seconds", Reading.MEAN)),
        ("gpu:max", ServerMetric("gpu", Reading.MAX)),
        ("rate", ServerMetric("rate")),
    ],
)
def test_a_metric_is_named_with_how_it_is_read(text: str, metric: ServerMetric) -> None:
    assert parse_server_metric(text) == metric
    assert str(metric) == text


@pytest.mark.parametrize("text", ["", "9lives", "a b", 'gpu{index="0"}', "queue-length", "x" * 300])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write NAME, or NAME with one of :max, :rate, :mean"):
        parse_server_metric(text)


def test_no_known_metric_is_known_twice() -> None:
    names = [metric.name for metrics in KNOWN_METRICS.values() for metric in metrics]
    assert len(names) == len(set(names)) == len(every_known())
