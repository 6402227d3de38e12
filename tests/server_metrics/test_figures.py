from __future__ import annotations

import pytest

from stt_load.server_metrics.choice import parse_server_metric
from stt_load.server_metrics.figures import Look, server_figures

LOOKS: list[Look] = [
    (10.0, {'run{gpu="0"}': 2.0, 'run{gpu="1"}': 4.0, "done_total": 100.0, "lat_sum": 10.0, "lat_count": 20.0}),
    (11.0, {'run{gpu="0"}': 3.0, 'run{gpu="1"}': 4.0, "done_total": 104.0, "lat_sum": 12.0, "lat_count": 24.0}),
    (14.0, {'run{gpu="0"}': 1.0, 'run{gpu="1"}': 1.0, "done_total": 110.0, "lat_sum": 18.0, "lat_count": 28.0}),
]


@pytest.mark.parametrize(
    ("sentence", "text", "looks", "mean", "largest"),
    [
        ("a gauge is added up over its series", "run", LOOKS, 5.0, 7.0),
        ("or is that of the largest one", "run:max", LOOKS, 3.0, 4.0),
        ("a rate is the growth over the whole time", "done_total:rate", LOOKS, 2.5, 4.0),
        ("a mean is that of what was observed meanwhile", "lat:mean", LOOKS, 1.0, 1.5),
        ("one look has a value", "run", LOOKS[:1], 6.0, 6.0),
        ("one look has no rate", "done_total:rate", LOOKS[:1], None, None),
        ("nothing was observed", "lat:mean", [LOOKS[0], (11.0, LOOKS[0][1])], None, None),
        (
            "a server that was restarted counts from zero",
            "done_total:rate",
            [LOOKS[0], (12.0, {"done_total": 6.0}), (14.0, {"done_total": 8.0})],
            2.0,
            3.0,
        ),
        (
            "a look that failed leaves a longer step",
            "done_total:rate",
            [LOOKS[0], (11.0, {}), LOOKS[2]],
            2.5,
            2.5,
        ),
        (
            "a series that comes late began at zero",
            "done_total:rate",
            [(10.0, {'done_total{a="1"}': 5.0}), (12.0, {'done_total{a="1"}': 5.0, 'done_total{a="2"}': 4.0})],
            2.0,
            2.0,
        ),
    ],
)
def test_a_metric_in_a_hold(
    sentence: str, text: str, looks: list[Look], mean: float | None, largest: float | None
) -> None:
    (figure,) = server_figures([parse_server_metric(text)], looks)
    assert (figure.mean, figure.max) == (mean, largest)


@pytest.mark.parametrize("text", ["run", "run:max", "done_total:rate", "lat:mean"])
def test_what_is_too_large_to_be_a_number_of_anything_is_left_out(text: str) -> None:
    huge = [(at_s, dict.fromkeys(values, -1.7e308 if at_s == 11.0 else 1.7e308)) for at_s, values in LOOKS]
    assert not server_figures([parse_server_metric(text)], huge)


def test_a_mean_over_next_to_nothing_is_none() -> None:
    looks: list[Look] = [(1.0, {"lat_sum": 0.0, "lat_count": 0.0}), (2.0, {"lat_sum": 1.0, "lat_count": 5e-324})]
    (figure,) = server_figures([parse_server_metric("lat:mean")], looks)
    assert (figure.mean, figure.max) == (None, None)


def test_a_metric_that_no_look_has_has_no_figure() -> None:
    assert not server_figures([parse_server_metric("absent"), parse_server_metric("run:mean")], LOOKS)
