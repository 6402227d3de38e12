"""What the samples of one hold say of a device, counted by hand."""

import random

import pytest

from stt_load.report.device import Device
from stt_load.report.device_samples import SampledHold, by_device, device_of, measure

HOLD = SampledHold((1_000.0, 1_060.0), audio_s=120.0)
GPU = Device("h", "gpu", 0)
EVERY_SECOND = [1_000.5 + second for second in range(60)]


def rows(**columns: object) -> list[dict[str, object]]:
    """A sample a second; a column is a value or a list of them."""
    return [
        {"t": t, "seq": n, **{k: v[n] if isinstance(v, list) else v for k, v in columns.items()}}
        for n, t in enumerate(EVERY_SECOND)
    ]


def test_every_number_of_a_sample_gets_its_figures_and_nothing_else_does() -> None:
    samples = rows(sm_pct=[*[10] * 57, 90, 90, 100], power_w=None, name="text", flag=True, invented_mib=3, run_id="r")
    figures = measure(GPU, samples, HOLD, 1.5)
    assert set(figures.fields) == {"sm_pct", "invented_mib"}
    assert (figures.busy.n, figures.busy.at(0.95), figures.busy.max) == (60, 10, 100)
    assert figures.coverage == 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "12", None, [1], True])
def test_what_is_no_quantity_is_left_out(value: object) -> None:
    assert "sm_pct" not in measure(GPU, [{"t": 1_001.0, "sm_pct": value}], HOLD, 1.5).fields


def test_energy_is_mean_power_times_the_hold_and_is_shared_out_over_the_audio() -> None:
    figures = measure(GPU, rows(power_w=[100, 200] * 30), HOLD, 1.5)
    assert figures.energy_j == 150 * 60
    assert figures.energy_per_audio_minute_j == 150 * 60 / 2


@pytest.mark.parametrize("audio_s", [0.0, None])
def test_without_audio_there_is_no_energy_for_a_minute_of_it(audio_s: float | None) -> None:
    figures = measure(GPU, rows(power_w=100), SampledHold(HOLD.span, audio_s), 1.5)
    assert (figures.energy_j, figures.energy_per_audio_minute_j) == (6_000, None)


def test_power_that_was_known_for_a_part_of_the_hold_gives_no_energy() -> None:
    samples = rows(power_w=[100] * 50 + [None] * 10, sm_pct=5)
    figures = measure(GPU, samples, HOLD, 1.5)
    assert figures.coverage == 1.0
    assert figures.energy_j is None
    assert figures.of("power_w").mean == 100


@pytest.mark.parametrize(
    ("columns", "throttled"),
    [
        ({}, None),
        ({"power_violation_pct": None, "thermal_violation": None, "throttle_reasons": None}, None),
        ({"power_violation_pct": 25}, 0.25),
        ({"power_violation_pct": 250}, 1.0),
        ({"power_violation_pct": 10, "thermal_violation": [0, 1] * 30}, 0.55),
        ({"throttle_reasons": 0x1 | 0x2 | 0x10 | 0x100}, 0.0),
        ({"throttle_reasons": [0x4, 0x1] * 30}, 0.5),
        ({"throttle_reasons": 0x8}, 1.0),
        ({"throttle_reasons": 0x20}, 1.0),
        ({"throttle_reasons": 0x40 | 0x1}, 1.0),
        ({"throttle_reasons": 0x80}, 1.0),
        ({"throttle_reasons": [None] * 30 + [0x4] * 30}, 1.0),
    ],
)
def test_the_share_of_time_throttled(columns: dict[str, object], throttled: float | None) -> None:
    assert measure(GPU, rows(sm_pct=1, **columns), HOLD, 1.5).throttled == pytest.approx(throttled)


def test_bits_have_no_mean() -> None:
    assert measure(GPU, rows(throttle_reasons=4), HOLD, 1.5).fields == {}


@pytest.mark.parametrize(("kind", "field"), [("gpu", "fb_mib"), ("process", "rss_mib"), ("host", "memory_used_mib")])
def test_a_leak_shows_as_a_slope(kind: str, field: str) -> None:
    rng = random.Random(1)
    leaking = [5_000 + 2 * second / 60 + rng.uniform(-0.01, 0.01) for second in range(60)]
    figures = measure(Device("h", kind), rows(**{field: leaking}), HOLD, 1.5)
    assert figures.memory_growth_mib_per_min == pytest.approx(2.0, abs=0.05)
    assert figures.memory.max == pytest.approx(5_002, abs=0.1)


def test_steady_memory_has_no_slope_and_few_samples_have_none_that_is_known() -> None:
    assert measure(GPU, rows(fb_mib=5_000), HOLD, 1.5).memory_growth_mib_per_min == pytest.approx(0.0)
    assert measure(GPU, rows(fb_mib=5_000)[::7][:9], HOLD, 1.5).memory_growth_mib_per_min is None
    at_once = [{"t": 1_001.0, "fb_mib": n} for n in range(20)]
    assert measure(GPU, at_once, HOLD, 1.5).memory_growth_mib_per_min is None


def test_a_few_seconds_have_no_slope_a_minute() -> None:
    settling = rows(fb_mib=[5_000 + second for second in range(60)])
    assert measure(GPU, settling[:20], HOLD, 1.5).memory_growth_mib_per_min is None
    assert measure(GPU, settling[:21], HOLD, 1.5).memory_growth_mib_per_min == pytest.approx(60.0)


def test_a_hold_that_never_ended_has_figures_and_no_coverage() -> None:
    figures = measure(GPU, rows(sm_pct=5, power_w=100), None, 1.5)
    assert (figures.busy.mean, figures.coverage, figures.energy_j) == (5, None, None)


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ({"gpu": 3}, "GPU 3"),
        ({"kind": "gpu", "gpu": 0, "mig": 1}, "GPU 0 MIG 1"),
        ({"kind": "process", "gpu": None}, "server"),
        ({"kind": "host", "gpu": None}, "host"),
    ],
)
def test_a_device_has_a_name_for_people(sample: dict[str, object], name: str) -> None:
    device = device_of(sample)
    assert device is not None and device.name == name


def test_samples_are_put_together_by_device_in_the_order_of_the_tables() -> None:
    samples = [
        {"host": host, "kind": kind, "gpu": gpu, "mig": mig}
        for host in ("b", "a")
        for kind, gpu, mig in (
            ("host", None, None),
            ("process", None, None),
            ("gpu", 1, None),
            ("gpu", 0, 2),
            ("gpu", 0, None),
            ("abacus", None, None),
        )
    ]
    names = [f"{device.host} {device.name}" for device in by_device(samples)]
    assert names == [f"{host} {name}" for host in "ab" for name in ("GPU 0", "GPU 0 MIG 2", "GPU 1", "server", "host")]
