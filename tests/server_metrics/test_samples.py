from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from stt_load.server_metrics.choice import name_of
from stt_load.server_metrics.samples import MOST_SAMPLES, SampleLines, read_sample

TEXT = b"""\
# HELP queue Requests that wait
# TYPE queue gauge
queue{model="a b",gpu="0"} 3
queue{model="}",gpu="1"} 4 1700000000000
queue_length 9
other 1
requests_total 1e+06
"""


def kept(pieces: list[bytes], *names: str) -> list[str]:
    lines = SampleLines(names)
    return [line for piece in pieces for line in lines.take(piece)] + list(lines.rest())


@settings(max_examples=30)
@given(st.lists(st.integers(0, len(TEXT)), max_size=6).map(sorted))
def test_lines_are_whole_however_the_answer_is_cut(cuts: list[int]) -> None:
    edges = [0, *cuts, len(TEXT)]
    pieces = [TEXT[begin:end] for begin, end in pairwise(edges)]
    lines = TEXT.decode().splitlines()
    assert kept(pieces, "queue", "requests_total") == [lines[2], lines[3], lines[6]]


def test_the_last_line_may_have_no_end() -> None:
    assert kept([b"other 1\nqueue 3"], "queue") == ["queue 3"]


def test_more_series_than_anybody_reads_are_left_out() -> None:
    lines = SampleLines({"queue"})
    text = b"".join(b'queue{n="%d"} 1\n' % n for n in range(MOST_SAMPLES + 5))
    assert len(list(lines.take(text))) == MOST_SAMPLES
    assert lines.is_cut


def test_a_line_without_an_end_takes_no_memory() -> None:
    lines = SampleLines({"queue"})
    for _ in range(100):
        assert not list(lines.take(b"queue" + b"x" * 10_000))
    assert len(lines._tail) < 20_000
    assert list(lines.take(b"\nqueue 1\n")) == ["queue 1"]


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        ("queue 3", ("queue", 3.0)),
        ('queue{model="a b",gpu="0"} 3', ('queue{gpu="0",model="a b"}', 3.0)),
        ('queue{model="}"} 4 1700000000000', ('queue{model="}"}', 4.0)),
        ("requests_total 1e+06", ("requests_total", 1e6)),
        ("queue NaN", None),
        ("queue +Inf", None),
        ("queue", None),
        ("queue x", None),
        ('queue{model="a 3', None),
        ("queue{} {}", None),
    ],
)
def test_a_sample_is_read_or_left_out(line: str, sample: tuple[str, float] | None) -> None:
    assert read_sample(line) == sample


@settings(max_examples=20)
@given(st.text(st.characters(codec="utf-8"), max_size=20), st.floats(allow_nan=False, allow_infinity=False))
def test_what_a_server_with_prometheus_client_says_is_read_as_it_was(label: str, value: float) -> None:
    registry = CollectorRegistry()
    Gauge("queue", "Requests that wait", ["model"], registry=registry).labels(label).set(value)
    Counter("requests", "Requests", registry=registry).inc()
    samples = [read_sample(line) for line in kept([generate_latest(registry)], "queue", "requests_total")]
    assert [(name_of(series), got) for series, got in filter(None, samples)] == [
        ("queue", value),
        ("requests_total", 1.0),
    ]
