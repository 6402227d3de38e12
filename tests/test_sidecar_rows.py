"""Which figures of a sample are believed."""

from __future__ import annotations

import pytest

from stt_load.sidecar_rows import wrong_figures


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("sm_pct", [None, 0, 100, 0.5], [-1, 201, "5", True, [], 1e308, 10**400, float("nan")]),
        ("fb_mib", [None, 0, 81_920], [-1, 1e16, "-", {}]),
        ("gpu_temp_c", [-5, 0, 90], [-300, 1e16]),
    ],
)
def test_a_figure_is_null_or_a_number_that_its_unit_allows(name: str, right: list[object], wrong: list[object]) -> None:
    assert [value for value in right if wrong_figures({"t": 1.0, name: value})] == []
    assert [value for value in wrong if not wrong_figures({"t": 1.0, name: value})] == []


def test_tags_are_no_figures() -> None:
    assert wrong_figures({"t": 1.0, "host": "gpu", "stage": None, "phase": "hold"}) == []
