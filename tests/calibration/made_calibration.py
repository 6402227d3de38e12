"""Trials, machines and calibrations with chosen figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stt_load.calibration.limits import Limit
from stt_load.calibration.machine import Machine
from stt_load.calibration.result import Calibration, ClockError
from stt_load.calibration.trial_figures import ProcessUsage, TrialFigures
from stt_load.metrics.quantiles import Distribution

GOOD_TRIAL = TrialFigures(
    callers=1_000,
    reached=1_000,
    hold_s=8.0,
    utterances=1_300,
    failed=0,
    frames=80_000,
    frames_late=0,
    lag_max_s=0.004,
    generator=ProcessUsage(cpu_s=4.0, cpu_pct=50.0, memory_bytes=100 * 2**20),
    frames_in_hold=78_000,
    sink_cpu_pct=20.0,
    others_cpu_pct=3.0,
    stolen_pct=0.0,
)

GOOD_MACHINE = Machine(
    host="load-1",
    architecture="x86_64",
    system="Linux 6.8",
    cpu_model="AMD EPYC",
    cores=8,
    usable_cores=8,
    container_cpu_limit=None,
    descriptors=(1_024, 1_048_576),
    ports=(32_768, 60_999),
    time_waits=12,
    reuses_time_wait=1,
    governors=("performance",),
    clock_source="tsc",
    stolen_pct=0.0,
    has_kernel_stamps=True,
    tcp_memory_bytes=2 * 2**30,
    send_buffer_bytes=4 * 2**20,
    somaxconn=4_096,
)


FOUND = Calibration(
    host={
        key: getattr(GOOD_MACHINE, key) for key in ("host", "architecture", "cpu_model", "cores", "container_cpu_limit")
    },
    versions={"stt-load": "0.1.0"},
    made_at="2026-11-21T12:00:00+00:00",
    sink="own",
    frame_ms=100.0,
    hold_s=8.0,
    is_quick=False,
    whole_cores=8,
    callers=3_000,
    breaks=3_200,
    limited_by=Limit("CPU", "one process took 97 % of its core", "stt-load run … --processes 7"),
    cpu_us_per_frame=28.0,
    cpu_pct_per_caller=0.028,
    memory_bytes_per_caller=14_000.0,
    process_memory_bytes=90 * 2**20,
    others_cpu_pct=3.0,
    clock=ClockError.of(1_500, Distribution.of([0.0001, 0.0002, 0.0004])),
    trials=({"callers": 1},),
)


def found(**other: Any) -> Calibration:
    return replace(FOUND, **other)


def trial(**other: Any) -> TrialFigures:
    return replace(GOOD_TRIAL, **other)


def machine(**other: Any) -> Machine:
    return replace(GOOD_MACHINE, **other)


def busy(cpu_pct: float) -> ProcessUsage:
    return ProcessUsage(cpu_s=cpu_pct / 100 * 8.0, cpu_pct=cpu_pct, memory_bytes=100 * 2**20)
