"""The table of every metric that a sample can have. Parsers, JSON, Prometheus and, through `/healthz`, the load test's
report read it.

A tool's column without a row here is ignored; add its row to have it.
"""

from __future__ import annotations

from dataclasses import dataclass

GPU, HOST, PROCESS = "gpu", "host", "process"
"""Kinds of device. `process` is the server's whole process tree."""

BYTES_PER_MIB = 1024.0 * 1024.0

_PERCENT = 0.01
_MEGA = 1e6


@dataclass(frozen=True)
class Metric:
    """One metric. `field` is its name with the unit, `kind` says which devices have it.

    `exported` is the Prometheus name, in base units (ratio, bytes, hertz): exported value = `field` times `scale`.
    `dmon` is the header word of `nvidia-smi dmon`, `query` the property of `nvidia-smi --query-gpu`; "" where the
    tool doesn't have it.
    """

    field: str
    kind: str
    unit: str
    exported: str
    scale: float
    help: str
    dmon: str = ""
    query: str = ""


METRICS: tuple[Metric, ...] = (
    Metric("sm_pct", GPU, "%", "gpu_sm_utilization_ratio", _PERCENT, "Share of time with a kernel on the GPU", "sm", "utilization.gpu"),
    Metric("mem_pct", GPU, "%", "gpu_memory_utilization_ratio", _PERCENT, "Share of time with memory traffic", "mem", "utilization.memory"),
    Metric("enc_pct", GPU, "%", "gpu_encoder_utilization_ratio", _PERCENT, "Video encoder utilisation", "enc", "utilization.encoder"),
    Metric("dec_pct", GPU, "%", "gpu_decoder_utilization_ratio", _PERCENT, "Video decoder utilisation", "dec", "utilization.decoder"),
    Metric("jpg_pct", GPU, "%", "gpu_jpeg_utilization_ratio", _PERCENT, "JPEG decoder utilisation", "jpg", "utilization.jpeg"),
    Metric("ofa_pct", GPU, "%", "gpu_optical_flow_utilization_ratio", _PERCENT, "Optical flow utilisation", "ofa", "utilization.ofa"),
    Metric("fb_mib", GPU, "MiB", "gpu_memory_used_bytes", BYTES_PER_MIB, "Frame buffer memory in use", "fb", "memory.used"),
    Metric("bar1_mib", GPU, "MiB", "gpu_bar1_memory_used_bytes", BYTES_PER_MIB, "BAR1 memory in use", "bar1"),
    Metric("ccpm_mib", GPU, "MiB", "gpu_protected_memory_used_bytes", BYTES_PER_MIB, "Confidential-compute memory in use", "ccpm"),
    Metric("power_w", GPU, "W", "gpu_power_watts", 1.0, "Power draw", "pwr", "power.draw"),
    Metric("gpu_temp_c", GPU, "°C", "gpu_temperature_celsius", 1.0, "Temperature of the GPU", "gtemp", "temperature.gpu"),
    Metric("mem_temp_c", GPU, "°C", "gpu_memory_temperature_celsius", 1.0, "Temperature of the memory", "mtemp", "temperature.memory"),
    Metric("mem_clock_mhz", GPU, "MHz", "gpu_memory_clock_hertz", _MEGA, "Memory clock", "mclk", "clocks.current.memory"),
    Metric("gpu_clock_mhz", GPU, "MHz", "gpu_clock_hertz", _MEGA, "Processor clock", "pclk", "clocks.current.sm"),
    Metric("power_violation_pct", GPU, "%", "gpu_power_violation_ratio", _PERCENT, "Time held back by power", "pviol"),
    Metric("thermal_violation", GPU, "0 or 1", "gpu_thermal_violation", 1.0, "1 while held back by heat", "tviol"),
    Metric("throttle_reasons", GPU, "bits", "gpu_throttle_reasons", 1.0, "Why clocks are held back, bits of nvidia-smi", "", "clocks_throttle_reasons.active"),
    Metric("ecc_single_bit_errors", GPU, "", "gpu_ecc_single_bit_errors", 1.0, "Corrected ECC errors", "sbecc"),
    Metric("ecc_double_bit_errors", GPU, "", "gpu_ecc_double_bit_errors", 1.0, "Uncorrected ECC errors", "dbecc"),
    Metric("pcie_replay_errors", GPU, "", "gpu_pcie_replay_errors", 1.0, "PCIe replays", "pci"),
    Metric("pcie_rx_mb_per_s", GPU, "MB/s", "gpu_pcie_receive_bytes_per_second", _MEGA, "PCIe into the GPU", "rxpci"),
    Metric("pcie_tx_mb_per_s", GPU, "MB/s", "gpu_pcie_transmit_bytes_per_second", _MEGA, "PCIe out of the GPU", "txpci"),
    Metric("cpu_pct", HOST, "%", "host_cpu_utilization_ratio", _PERCENT, "Share of all cores of the host that is busy"),
    Metric("memory_used_mib", HOST, "MiB", "host_memory_used_bytes", BYTES_PER_MIB, "Memory of the host that can't be had without swapping"),
    Metric("cpu_cores", PROCESS, "cores", "server_cpu_cores", 1.0, "Cores that the server's processes keep busy"),
    Metric("rss_mib", PROCESS, "MiB", "server_memory_resident_bytes", BYTES_PER_MIB, "Resident memory of the server's processes; what two share counts twice"),
    Metric("processes", PROCESS, "", "server_processes", 1.0, "Processes of the server"),
    Metric("cpu_limit_cores", PROCESS, "cores", "server_cpu_limit_cores", 1.0, "CPU limit of the server's control group"),
    Metric("cpu_throttled_pct", PROCESS, "%", "server_cpu_throttled_ratio", _PERCENT, "Share of the periods of that limit in which the server was held back"),
)  # fmt: skip

_OLD_DMON_NAMES = {"temp": "gtemp"}
"""What drivers before 396 call it: header word -> the word of today."""

BY_DMON_NAME = {metric.dmon: metric for metric in METRICS if metric.dmon}
BY_DMON_NAME.update({old: BY_DMON_NAME[new] for old, new in _OLD_DMON_NAMES.items()})
BY_QUERY_NAME = {metric.query: metric for metric in METRICS if metric.query}
BY_FIELD = {metric.field: metric for metric in METRICS}
