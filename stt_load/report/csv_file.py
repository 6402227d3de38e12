"""`stages.csv`: one row a stage. The first thirteen column names are a contract; new columns go to the end.

Latencies are seconds, `*_pct` percent (0 to 100), memory MiB. `audio_duration_s` is the audio of the mean
utterance. GPU columns are those of the busiest GPU, and empty where a GPU was sampled in less than 90 % of the hold;
server and host columns likewise. What was not measured is an empty cell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from stt_load.metrics.quantiles import Distribution
from stt_load.report.device import DeviceFigures
from stt_load.report.model import RunReport, StageReport

Cell = Callable[[StageReport], str]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _latency(metric: str, statistic: str) -> Cell:
    return lambda stage: _number(stage.figures.latencies[metric].statistic(statistic), 4)


def _factor(name: str, statistic: str) -> Cell:
    def cell(stage: StageReport) -> str:
        values: Distribution = getattr(stage.figures, name)
        return _number(values.statistic(statistic), 4)

    return cell


def _interval(end: int) -> Cell:
    return lambda stage: _number(stage.figures.latencies["eos_latency"].ci95(0.95)[end], 4)


def _percent(name: str) -> Cell:
    def cell(stage: StageReport) -> str:
        return _number(_share(getattr(stage.figures, name)), 2)

    return cell


def _milliseconds(name: str) -> Cell:
    def cell(stage: StageReport) -> str:
        value: float | None = getattr(stage.figures, name)
        return _number(None if value is None else value * 1000, 2)

    return cell


def _figure(name: str, digits: int = 0) -> Cell:
    return lambda stage: _number(getattr(stage.figures, name), digits)


def _seen(name: str, digits: int = 0) -> Cell:
    return lambda stage: _number(getattr(stage, name), digits)


def _device(kind: str, value: Callable[[DeviceFigures], float | None], digits: int) -> Cell:
    """Of the busiest device of this kind, where it was sampled well enough to say anything."""

    def cell(stage: StageReport) -> str:
        figures = stage.busiest(kind)
        return _number(value(figures) if figures and stage.is_covered(kind) else None, digits)

    return cell


def _of(kind: str, field: str, statistic: str, digits: int) -> Cell:
    return _device(kind, lambda figures: figures.of(field).statistic(statistic), digits)


def _share(value: float | None) -> float | None:
    return None if value is None else value * 100


COLUMNS: dict[str, Cell] = {
    "concurrency": lambda stage: str(stage.users),
    "eos_p50": _latency("eos_latency", "p50"),
    "eos_p95": _latency("eos_latency", "p95"),
    "eos_mean": _latency("eos_latency", "mean"),
    "stream_end_p50": _latency("stream_end_latency", "p50"),
    "stream_end_p95": _latency("stream_end_latency", "p95"),
    "stream_end_mean": _latency("stream_end_latency", "mean"),
    "audio_duration_s": _figure("utterance_s_mean", 3),
    "wer_pct": _percent("wer"),
    "gpu_util_p95": _of("gpu", "sm_pct", "p95", 1),
    "gpu_util_mean": _of("gpu", "sm_pct", "mean", 1),
    "vram_peak_mib": _of("gpu", "fb_mib", "max", 0),
    "vram_mean_mib": _of("gpu", "fb_mib", "mean", 1),
    # The thirteen above are fixed.
    "stage": lambda stage: str(stage.figures.stage),
    "verdict": lambda stage: str(stage.verdict),
    "few_samples": lambda stage: str(int(stage.is_few)),
    "n": _figure("n"),
    "ok": _figure("ok"),
    "errors": _figure("errors"),
    "interrupted": _figure("interrupted"),
    "error_rate_pct": _percent("error_rate"),
    "eos_p99": _latency("eos_latency", "p99"),
    "eos_min": _latency("eos_latency", "min"),
    "eos_max": _latency("eos_latency", "max"),
    "eos_p95_ci95_low": _interval(0),
    "eos_p95_ci95_high": _interval(1),
    "stream_end_p99": _latency("stream_end_latency", "p99"),
    "finalise_p50": _latency("finalise_latency", "p50"),
    "finalise_p95": _latency("finalise_latency", "p95"),
    "first_partial_p50": _latency("first_partial", "p50"),
    "first_partial_p95": _latency("first_partial", "p95"),
    "connect_p50": _latency("connect", "p50"),
    "connect_p95": _latency("connect", "p95"),
    "ready_p95": _latency("ready", "p95"),
    "wer_all_pct": _percent("wer_all"),
    "wer_delta_pct": _percent("wer_delta"),
    "cer_pct": _percent("cer"),
    "foreign_text": _figure("foreign_text"),
    "clips": _figure("clips"),
    "clips_reused": _figure("clips_reused"),
    "audio_s": _figure("audio_s", 1),
    "speech_s": _figure("speech_s", 1),
    "duty_cycle_pct": lambda stage: _number(_share(stage.duty_cycle), 1),
    "hold_s": _seen("hold_s", 1),
    "users_reached": _seen("users_reached"),
    "workers": _seen("workers"),
    "pacing_lag_p99_ms": _milliseconds("pacing_lag_p99_s"),
    "pacing_lag_max_ms": _milliseconds("pacing_lag_max_s"),
    "generator_cpu_pct": _seen("generator_cpu_pct", 0),
    "gpu_coverage_pct": lambda stage: _number(_share(stage.coverage("gpu")), 1),
    "gpu_power_mean_w": _of("gpu", "power_w", "mean", 1),
    "gpu_energy_j": _device("gpu", lambda figures: figures.energy_j, 0),
    "gpu_throttled_pct": _device("gpu", lambda figures: _share(figures.throttled), 1),
    "gpu_memory_growth_mib_per_min": _device("gpu", lambda figures: figures.memory_growth_mib_per_min, 2),
    "streams_per_gpu": _seen("streams_per_gpu", 2),
    "server_cpu_mean": _of("process", "cpu_cores", "mean", 3),
    "server_cpu_p95": _of("process", "cpu_cores", "p95", 3),
    "server_memory_peak_mib": _of("process", "rss_mib", "max", 1),
    "host_cpu_mean_pct": _of("host", "cpu_pct", "mean", 1),
    # Of uploads; empty in a run of callers who speak, as most latencies above are in a run of uploads.
    "total_p50": _latency("total", "p50"),
    "total_p95": _latency("total", "p95"),
    "total_p99": _latency("total", "p99"),
    "total_mean": _latency("total", "mean"),
    "first_text_p50": _latency("first_text", "p50"),
    "first_text_p95": _latency("first_text", "p95"),
    "rtf_p50": _factor("rtf", "p50"),
    "rtf_p95": _factor("rtf", "p95"),
    "rtf_mean": _factor("rtf", "mean"),
    "rtfx_p50": _factor("rtfx", "p50"),
    "rtfx_mean": _factor("rtfx", "mean"),
    "requests_per_s": _seen("requests_per_s", 3),
    # Of speech that was streamed.
    "first_audio_p50": _latency("first_audio", "p50"),
    "first_audio_p95": _latency("first_audio", "p95"),
    "first_audio_p99": _latency("first_audio", "p99"),
    "first_audio_mean": _latency("first_audio", "mean"),
    "gap_max_p95": _latency("gap_max", "p95"),
    "gap_max_max": _latency("gap_max", "max"),
    "underruns": _figure("underruns"),
    "streamed": lambda stage: str(stage.figures.latencies["first_audio"].n),
}


def stages_csv(report: RunReport) -> str:
    """The whole file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for stage in report.stages:
        writer.writerow(cell(stage) for cell in COLUMNS.values())
    return text.getvalue()
