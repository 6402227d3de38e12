from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gpu_sidecar.metrics import METRICS
from gpu_sidecar.packed import columns, layout_of, pack, unpack
from gpu_sidecar.sample import Sample

FIELDS = st.sampled_from([metric.field for metric in METRICS])
VALUES = st.one_of(st.none(), st.integers(0, 2**53), st.floats(allow_nan=False, allow_infinity=False))
INDEXES = st.one_of(st.none(), st.integers(0, 99))
SAMPLES = st.builds(
    Sample, st.sampled_from(["gpu", "host", "process"]), st.dictionaries(FIELDS, VALUES), INDEXES, INDEXES
)


@given(SAMPLES, st.floats(0, 2e9), st.floats(0, 1e9))
def test_what_is_packed_comes_out_as_it_was(sample: Sample, wall: float, mono: float) -> None:
    assert unpack(layout_of(sample), pack(sample, wall, mono)) == (sample, wall, mono)


def test_whole_numbers_come_out_whole() -> None:
    sample = Sample("gpu", {"sm_pct": 45, "power_w": 71.5}, 0)
    unpacked, _, _ = unpack(layout_of(sample), pack(sample, 1.0, 1.0))
    assert {field: type(value) for field, value in unpacked.values.items()} == {"sm_pct": int, "power_w": float}


def test_what_is_no_finite_number_is_not_known() -> None:
    """JSON can't express such numbers."""
    sample = Sample("gpu", {"sm_pct": math.nan, "mem_pct": math.inf, "fb_mib": -math.inf, "power_w": None}, 0)
    unpacked, _, _ = unpack(layout_of(sample), pack(sample, 1.0, 1.0))
    assert set(unpacked.values.values()) == {None}


def test_columns_hold_the_known_values_in_their_order() -> None:
    samples = [Sample("gpu", {"sm_pct": sm, "fb_mib": fb}, 0) for sm, fb in [(1, 10), (None, 20), (3, None)]]
    packed = [pack(sample, 100.0, 5.0) for sample in samples]
    assert columns(layout_of(samples[0]), packed) == {"sm_pct": [1, 3], "fb_mib": [10, 20]}


def test_a_device_and_its_fields_make_the_layout() -> None:
    whole, mig = Sample("gpu", {"sm_pct": 1}, 0), Sample("gpu", {"sm_pct": 1}, 0, mig=1)
    assert layout_of(whole) == layout_of(Sample("gpu", {"sm_pct": None}, 0))
    assert layout_of(whole) != layout_of(mig)
    assert layout_of(whole) != layout_of(Sample("gpu", {"fb_mib": 1}, 0))
