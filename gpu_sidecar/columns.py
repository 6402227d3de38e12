"""Every dmon column that we know: one row each. The parser, the JSON and the Prometheus text read this table.

`nvidia-smi dmon` names its columns in a header whose set and order differ between drivers, cards and `-s`
groups. A column without a row here is left out; to have it, add its row.
"""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024.0 * 1024.0
_PERCENT = 0.01
_MEGA = 1e6


@dataclass(frozen=True)
class Column:
    """`dmon` is the header's word, `field` our name with its unit.

    The Prometheus metric counts in base units (ratio, bytes, hertz): value = `field` times `metric_scale`.
    """

    dmon: str
    field: str
    metric: str
    metric_scale: float
    help: str


COLUMNS: tuple[Column, ...] = (
    Column("sm", "sm_pct", "gpu_sm_utilization_ratio", _PERCENT, "Share of time with a kernel on the GPU"),
    Column("mem", "mem_pct", "gpu_memory_utilization_ratio", _PERCENT, "Share of time with memory traffic"),
    Column("enc", "enc_pct", "gpu_encoder_utilization_ratio", _PERCENT, "Video encoder utilisation"),
    Column("dec", "dec_pct", "gpu_decoder_utilization_ratio", _PERCENT, "Video decoder utilisation"),
    Column("jpg", "jpg_pct", "gpu_jpeg_utilization_ratio", _PERCENT, "JPEG decoder utilisation"),
    Column("ofa", "ofa_pct", "gpu_optical_flow_utilization_ratio", _PERCENT, "Optical flow utilisation"),
    Column("fb", "fb_mib", "gpu_memory_used_bytes", _MIB, "Frame buffer memory in use"),
    Column("bar1", "bar1_mib", "gpu_bar1_memory_used_bytes", _MIB, "BAR1 memory in use"),
    Column("ccpm", "ccpm_mib", "gpu_protected_memory_used_bytes", _MIB, "Confidential-compute memory in use"),
    Column("pwr", "power_w", "gpu_power_watts", 1.0, "Power draw"),
    Column("gtemp", "gpu_temp_c", "gpu_temperature_celsius", 1.0, "Temperature of the GPU"),
    Column("mtemp", "mem_temp_c", "gpu_memory_temperature_celsius", 1.0, "Temperature of the memory"),
    Column("mclk", "mem_clock_mhz", "gpu_memory_clock_hertz", _MEGA, "Memory clock"),
    Column("pclk", "gpu_clock_mhz", "gpu_clock_hertz", _MEGA, "Processor clock"),
    Column("pviol", "power_violation_pct", "gpu_power_violation_ratio", _PERCENT, "Time held back by power"),
    Column("tviol", "thermal_violation", "gpu_thermal_violation", 1.0, "1 while held back by heat"),
    Column("sbecc", "ecc_single_bit_errors", "gpu_ecc_single_bit_errors", 1.0, "Corrected ECC errors"),
    Column("dbecc", "ecc_double_bit_errors", "gpu_ecc_double_bit_errors", 1.0, "Uncorrected ECC errors"),
    Column("pci", "pcie_replay_errors", "gpu_pcie_replay_errors", 1.0, "PCIe replays"),
    Column("rxpci", "pcie_rx_mb_per_s", "gpu_pcie_receive_bytes_per_second", _MEGA, "PCIe into the GPU"),
    Column("txpci", "pcie_tx_mb_per_s", "gpu_pcie_transmit_bytes_per_second", _MEGA, "PCIe out of the GPU"),
)

BY_DMON_NAME = {column.dmon: column for column in COLUMNS}
