"""Recorded dmon text of several drivers, and what must not be read as a sample."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_sidecar.columns import COLUMNS
from gpu_sidecar.dmon import DmonParser, GpuSample


def samples_of(text: str) -> list[GpuSample]:
    parser = DmonParser()
    return [sample for line in text.splitlines() if (sample := parser.feed(line)) is not None]


def test_without_a_header_the_columns_are_gpu_sm_mem_fb() -> None:
    sample = DmonParser().feed("    0   45   32   1842")
    assert sample is not None
    assert (sample.gpu, sample.sm_pct, sample.mem_pct, sample.fb_mib) == (0, 45, 32, 1842)


@pytest.mark.parametrize(
    "line",
    [
        "# gpu   sm   mem    fb",
        "# Idx    %     %    MB",
        "#Date       Time        gpu     sm",
        "",
        "   \t ",
        "-------------------------",
        "---- ---- ---- ----",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "    0   45   32",
        "    0   45   32   1842   7",
        "    -   45   32   1842",
        "   -1   45   32   1842",
        "   0x0   45   32   1842",
    ],
)
def test_what_is_not_a_row_gives_nothing(line: str) -> None:
    assert DmonParser().feed(line) is None


# Layouts as drivers print them: `-s um` and `-s pucvmet -o DT`, newest and older.
LAYOUTS = [
    (
        "# gpu    sm   mem   enc   dec    fb  bar1\n"
        "# Idx     %     %     %     %    MB    MB\n"
        "    0    45    32     0     0  1842     5\n",
        {"sm_pct": 45, "mem_pct": 32, "enc_pct": 0, "dec_pct": 0, "fb_mib": 1842, "bar1_mib": 5},
    ),
    (
        "# gpu     fb   bar1   ccpm     sm    mem    enc    dec    jpg    ofa \n"
        "# Idx     MB     MB     MB      %      %      %      %      %      % \n"
        "    0   1842      5      0     45     32      0      0      -      - \n",
        {
            "fb_mib": 1842, "bar1_mib": 5, "ccpm_mib": 0, "sm_pct": 45, "mem_pct": 32,
            "enc_pct": 0, "dec_pct": 0, "jpg_pct": None, "ofa_pct": None,
        },
    ),
    (
        "# gpu    pwr  gtemp  mtemp     sm    mem    enc    dec    jpg    ofa   mclk   pclk     fb   bar1   ccpm \n"
        "# Idx      W      C      C      %      %      %      %      %      %    MHz    MHz     MB     MB     MB \n"
        "    0    294     81      -     98     57      0      0      0      0  13365   1897  90538      4      0 \n",
        {
            "power_w": 294, "gpu_temp_c": 81, "mem_temp_c": None, "sm_pct": 98, "mem_pct": 57, "enc_pct": 0,
            "dec_pct": 0, "jpg_pct": 0, "ofa_pct": 0, "mem_clock_mhz": 13365, "gpu_clock_mhz": 1897,
            "fb_mib": 90538, "bar1_mib": 4, "ccpm_mib": 0,
        },
    ),
    (
        "#Date        Time         gpu    pwr  gtemp  mtemp     sm    mem  pviol  tviol     fb  sbecc  dbecc    pci"
        "  rxpci  txpci\n"
        "#YYYYMMDD    HH:MM:SS     Idx      W      C      C      %      %      %   bool     MB   errs   errs   errs"
        "   MB/s   MB/s\n"
        " 20260629    04:12:44       0    130     37     37     66     17      0      1   4198      -      0      0"
        "    248     34\n",
        {
            "power_w": 130, "gpu_temp_c": 37, "mem_temp_c": 37, "sm_pct": 66, "mem_pct": 17,
            "power_violation_pct": 0, "thermal_violation": 1, "fb_mib": 4198, "ecc_single_bit_errors": None,
            "ecc_double_bit_errors": 0, "pcie_replay_errors": 0, "pcie_rx_mb_per_s": 248, "pcie_tx_mb_per_s": 34,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), LAYOUTS)
def test_each_column_is_found_by_its_header(text: str, values: dict[str, float | None]) -> None:
    assert samples_of(text) == [GpuSample(0, values)]


def test_every_column_of_the_table_is_read() -> None:
    names = [column.dmon for column in COLUMNS]
    header = "# gpu " + " ".join(names)
    row = "3 " + " ".join(str(number) for number in range(len(names)))
    (sample,) = samples_of(f"{header}\n{row}")
    assert sample == GpuSample(3, {column.field: number for number, column in enumerate(COLUMNS)})


def test_a_header_may_come_again_and_change() -> None:
    text = "# gpu sm fb\n0 10 100\n# gpu sm fb\n0 20 200\n# gpu fb sm\n0 300 30\n"
    assert [(s.sm_pct, s.fb_mib) for s in samples_of(text)] == [(10, 100), (20, 200), (30, 300)]


@pytest.mark.parametrize("cell", ["-", "N/A", "nan", "inf", "1e3", "15-39", "٤٥", "9" * 5000])
def test_a_cell_that_is_no_number_is_none(cell: str) -> None:
    (sample,) = samples_of(f"# gpu sm fb\n0 {cell} 1842")
    assert (sample.sm_pct, sample.fb_mib) == (None, 1842)


def test_a_column_without_a_row_in_the_table_shifts_nothing() -> None:
    assert samples_of("# gpu novel sm fb\n2 99 45 1842") == [GpuSample(2, {"sm_pct": 45, "fb_mib": 1842})]


def test_carriage_returns_are_no_part_of_a_cell() -> None:
    assert samples_of("# gpu sm fb\r\n0 45 1842\r\n") == [GpuSample(0, {"sm_pct": 45, "fb_mib": 1842})]


def test_a_row_torn_at_a_cell_gives_nothing() -> None:
    row = "    0   45   32   0   0   1842   5"
    parser = DmonParser()
    parser.feed("# gpu sm mem enc dec fb bar1")
    torn = [parser.feed(row[:cut]) for cut in range(row.rindex("5"))]
    assert torn == [None] * len(torn)


@given(
    st.lists(st.one_of(st.text(), st.from_regex(r"# ?gpu( [a-z]{1,4}){0,5}"), st.from_regex(r"( [0-9-]{1,5}){0,6}")))
)
def test_nothing_raises_and_every_value_is_a_number_or_none(lines: list[str]) -> None:
    parser = DmonParser()
    for line in lines:
        sample = parser.feed(line)
        if sample is not None:
            assert all(value is None or isinstance(value, int | float) for value in sample.values.values())
