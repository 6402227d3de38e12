"""The protobuf format of Prometheus: the one in which native histograms travel.

Messages are those of https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto, each
`MetricFamily` with its length before it. The handful of fields that are needed is written here: the encoding
(https://protobuf.dev/programming-guides/encoding/) takes twenty lines, a generated module would take a dependency.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise

from stt_load.telemetry.exported import Exported, Kind, Labels, Value
from stt_load.telemetry.histogram import SCHEMA, ZERO_THRESHOLD_S, LatencyHistogram

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

_FORMAT = "application/vnd.google.protobuf"
_TYPES = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.HISTOGRAM: 4}
_VALUES = {Kind.COUNTER: 3, Kind.GAUGE: 2, Kind.HISTOGRAM: 7}  # the field of `Metric` that holds the value


def asks_for_protobuf(accept: str) -> bool:
    """Whether the scraper prefers it: Prometheus names it first where it takes native histograms."""
    return accept.split(",")[0].partition(";")[0].strip() == _FORMAT


def encode_families(families: Iterable[tuple[Exported, Sequence[tuple[Labels, Value]]]]) -> bytes:
    """Each figure with its points, those without any left out."""
    return b"".join(_delimited(_family(row, points)) for row, points in families if points)


def _family(row: Exported, points: Sequence[tuple[Labels, Value]]) -> bytes:
    head = _text(1, row.prometheus_name) + _text(2, row.help) + _number(3, _TYPES[row.kind])
    return head + b"".join(_message(4, _metric(row, labels, value)) for labels, value in points)


def _metric(row: Exported, labels: Labels, value: Value) -> bytes:
    pairs = b"".join(_message(1, _text(1, name) + _text(2, text)) for name, text in labels.items())
    content = _histogram(value) if isinstance(value, LatencyHistogram) else _double(1, value)
    return pairs + _message(_VALUES[row.kind], content)


def _histogram(value: LatencyHistogram) -> bytes:
    classic = [_number(1, n) + _double(2, edge) for edge, n in value.cumulative()]
    first, counts = value.dense()
    deltas = [after - before for before, after in pairwise([0, *counts])]
    span = _signed(1, first) + _number(2, len(counts))
    return b"".join(
        [
            *(_number(1, value.n), _double(2, value.sum_s)),
            *(_message(3, bucket) for bucket in classic),
            *(_signed(5, SCHEMA), _double(6, ZERO_THRESHOLD_S), _number(7, value.zero)),
            # A span without a bucket says that the histogram is native, as long as it has no values.
            *(_message(12, span), *(_signed(13, delta) for delta in deltas)),
        ]
    )


# The encoding: each field is its number and wire type, then its value -----------------------------------


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _signed(field: int, value: int) -> bytes:
    return _number(field, value << 1 if value >= 0 else (-value << 1) - 1)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _delimited(content)


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _delimited(content: bytes) -> bytes:
    return _varint(len(content)) + content
