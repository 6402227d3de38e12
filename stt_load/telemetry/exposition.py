"""The answer to a scrape of Prometheus, in the format that the scraper asks for.

text 0.0.4, text 1.0.0, OpenMetrics     classic buckets; written by prometheus_client, which chooses among them
protobuf                                classic and native buckets, written here: the library has no such format

https://prometheus.io/docs/instrumenting/exposition_formats/: native histograms travel in protobuf only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from stt_load.telemetry.exported import Exported, Kind, Labels, LiveFigures, Value, exported_of
from stt_load.telemetry.histogram import LatencyHistogram
from stt_load.telemetry.protobuf_format import CONTENT_TYPE, asks_for_protobuf, encode_families


def answer(live: LiveFigures, accept: str) -> tuple[bytes, str]:
    """The body and its content type. `accept`: what the scraper takes (the header `Accept`)."""
    families = [(row, list(row.read(live))) for row in exported_of(live.kind)]
    if asks_for_protobuf(accept):
        return encode_families(families), CONTENT_TYPE
    try:
        encode, content_type = choose_encoder(accept)
    except (ValueError, TypeError):  # a version that is none
        encode, content_type = choose_encoder("")
    return encode(_Families(families)), content_type


class _Families(Collector):
    """What prometheus_client takes for a registry."""

    def __init__(self, families: Iterable[tuple[Exported, list[tuple[Labels, Value]]]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for row, points in self._families:
            if points:
                yield _family(row, points)


def _family(row: Exported, points: list[tuple[Labels, Value]]) -> Metric:
    names = list(points[0][0])
    if row.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(row.prometheus_name, row.help, labels=names)
        for labels, value in points:
            assert isinstance(value, LatencyHistogram)
            buckets = [("+Inf" if math.isinf(edge) else str(edge), float(n)) for edge, n in value.cumulative()]
            histogram.add_metric(list(labels.values()), buckets, value.sum_s)
        return histogram
    family = (CounterMetricFamily if row.kind is Kind.COUNTER else GaugeMetricFamily)(
        row.prometheus_name, row.help, labels=names
    )
    for labels, value in points:
        assert not isinstance(value, LatencyHistogram)
        family.add_metric(list(labels.values()), value)
    return family
