"""dmon text in every layout, and what must not be read as a sample; then the real command line, on a stand-in."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stand_in import StandInSmi, dmon_row, eventually

from gpu_sidecar.metrics import BY_DMON_NAME, BY_QUERY_NAME, GPU, METRICS
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SourceConfig
from gpu_sidecar.sources.dmon import DmonParser, DmonSource
from gpu_sidecar.sources.row_shape import parse_number
from gpu_sidecar.sources.tail import TailTiming

TEXTS = Path(__file__).parent / "dmon"
NAMES_OF_TODAY = sorted(metric.dmon for metric in METRICS if metric.dmon)


def samples_of(text: str) -> list[Sample]:
    parser = DmonParser()
    return [sample for line in text.split("\n") if (sample := parser.feed(line)) is not None]


def gpu(index: int, mig: int | None = None, **values: float | None) -> Sample:
    return Sample(GPU, values, index, mig)


# The first sample of each text and how many there are. Layouts (names, order, widths, units) are those of public dmon
# output: `-s um` before and after jpg, ofa and ccpm came, `-s puc` of a driver before that, `-s pucm`, `-s pcut`, and
# `-s pucvmet -o DT`, with `--gpm-metrics`. The numbers are ours. For a GPU in MIG mode dmon's help says which columns
# are empty; a `mig` column is what we would expect, and unconfirmed.
FIRST: dict[str, tuple[int, Sample]] = {
    "um_old.txt": (2, gpu(0, sm_pct=45, mem_pct=32, enc_pct=0, dec_pct=0, fb_mib=1842, bar1_mib=5)),
    "um_new.txt": (2, gpu(
        0, sm_pct=45, mem_pct=32, enc_pct=0, dec_pct=0, jpg_pct=None, ofa_pct=None, fb_mib=1842, bar1_mib=5,
        ccpm_mib=0,
    )),
    "puc_old_crlf.txt": (2, gpu(
        0, power_w=35, gpu_temp_c=62, mem_temp_c=None, sm_pct=98, mem_pct=57, enc_pct=0, dec_pct=0,
        mem_clock_mhz=5000, gpu_clock_mhz=1590,
    )),
    "pucm_8_gpus.txt": (16, gpu(
        0, power_w=60, gpu_temp_c=30, mem_temp_c=40, sm_pct=10, mem_pct=0, enc_pct=0, dec_pct=0, jpg_pct=0,
        ofa_pct=0, mem_clock_mhz=1593, gpu_clock_mhz=1275, fb_mib=400, bar1_mib=4, ccpm_mib=0,
    )),
    "pcut.txt": (2, gpu(
        0, power_w=365, gpu_temp_c=55, mem_temp_c=None, mem_clock_mhz=12481, gpu_clock_mhz=2415, sm_pct=99,
        mem_pct=58, enc_pct=0, dec_pct=0, jpg_pct=0, ofa_pct=0, pcie_rx_mb_per_s=21846,
        pcie_tx_mb_per_s=6849,
    )),
    "pucvmet_dt.txt": (2, gpu(
        0, power_w=130, gpu_temp_c=37, mem_temp_c=38, sm_pct=66, mem_pct=17, enc_pct=1, dec_pct=2,
        jpg_pct=None, ofa_pct=None, mem_clock_mhz=877, gpu_clock_mhz=1530, power_violation_pct=3,
        thermal_violation=1, fb_mib=4198, bar1_mib=5, ccpm_mib=0, ecc_single_bit_errors=None,
        ecc_double_bit_errors=4, pcie_replay_errors=6, pcie_rx_mb_per_s=248, pcie_tx_mb_per_s=34,
    )),
    "puc_gpm.txt": (2, gpu(
        0, power_w=56, gpu_temp_c=30, mem_temp_c=28, sm_pct=12, mem_pct=3, enc_pct=0, dec_pct=0, jpg_pct=0,
        ofa_pct=0, mem_clock_mhz=1593, gpu_clock_mhz=210,
    )),
    "pum_mig_enabled.txt": (1, gpu(
        0, power_w=87, gpu_temp_c=33, mem_temp_c=34, sm_pct=None, mem_pct=None, enc_pct=None, dec_pct=None,
        jpg_pct=None, ofa_pct=None, fb_mib=36537, bar1_mib=7, ccpm_mib=0,
    )),
    "um_mig_column.txt": (4, gpu(0, sm_pct=None, mem_pct=None, fb_mib=36537)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.name for path in TEXTS.iterdir()))
def test_each_column_is_found_by_its_header(name: str) -> None:
    samples = samples_of((TEXTS / name).read_bytes().decode())
    assert (len(samples), samples[0]) == FIRST[name]


def test_every_column_of_the_table_is_read() -> None:
    header = "# gpu " + " ".join(NAMES_OF_TODAY)
    row = "3 " + " ".join(str(at) for at in range(len(NAMES_OF_TODAY)))
    (sample,) = samples_of(f"{header}\n{row}")
    assert sample == gpu(3, **{BY_DMON_NAME[name].field: at for at, name in enumerate(NAMES_OF_TODAY)})


def test_drivers_before_396_call_the_temperature_temp() -> None:
    """The layout of driver 390; the numbers are ours."""
    text = """\
# gpu   pwr  temp    sm   mem   enc   dec  mclk  pclk    fb  bar1
# Idx     W     C     %     %     %     %   MHz   MHz    MB    MB
    0     -    50    91    66     0     0  3504  1784  3945     2
"""
    (sample,) = samples_of(text)
    assert (sample.values["gpu_temp_c"], sample.values["power_w"], sample.values["sm_pct"]) == (50, None, 91)


def test_every_gpu_has_its_own_rows() -> None:
    samples = samples_of((TEXTS / "pucm_8_gpus.txt").read_text())
    assert [sample.gpu for sample in samples] == [*range(8), *range(8)]
    assert [sample.values["fb_mib"] for sample in samples[:8]] == [400 + index for index in range(8)]


def test_a_mig_row_is_of_its_part_of_the_gpu() -> None:
    samples = samples_of((TEXTS / "um_mig_column.txt").read_text())
    assert [(sample.gpu, sample.mig) for sample in samples] == [(0, None), (0, 0), (0, 3), (1, None)]


def test_a_mig_row_of_who_knows_which_part_is_not_taken_for_the_whole() -> None:
    assert samples_of("# gpu mig sm\n# Idx Idx %\n0 1g.10gb 45") == []


def test_without_a_header_the_columns_are_gpu_sm_mem_fb() -> None:
    assert DmonParser().feed("    0   45   32   1842") == gpu(0, sm_pct=45, mem_pct=32, fb_mib=1842)


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


def test_a_header_may_come_again_and_change() -> None:
    text = "# gpu sm fb\n0 10 100\n# gpu sm fb\n# Idx % MB\n0 20 200\n# gpu fb sm\n0 300 30\n"
    assert [(s.values["sm_pct"], s.values["fb_mib"]) for s in samples_of(text)] == [(10, 100), (20, 200), (30, 300)]


@pytest.mark.parametrize("cell", ["-", "N/A", "nan", "inf", "1e3", "15-39", "٤٥", "9" * 5000])
def test_a_cell_that_is_no_number_is_none(cell: str) -> None:
    assert samples_of(f"# gpu sm fb\n0 {cell} 1842") == [gpu(0, sm_pct=None, fb_mib=1842)]


def test_a_column_without_a_row_in_the_table_shifts_nothing() -> None:
    assert samples_of("# gpu novel sm fb\n2 99 45 1842") == [gpu(2, sm_pct=45, fb_mib=1842)]


def test_a_table_without_a_column_of_ours_gives_nothing() -> None:
    assert samples_of("# gpu pid type\n# Idx # C/G\n0 4242 7") == []


def test_a_row_torn_at_a_cell_gives_nothing() -> None:
    row = "    0   45   32   0   0   1842   5"
    parser = DmonParser()
    parser.feed("# gpu sm mem enc dec fb bar1")
    torn = [parser.feed(row[:cut]) for cut in range(row.rindex("5"))]
    assert torn == [None] * len(torn)


@pytest.mark.parametrize("rest", ["mem fb", "# mem fb"])
def test_a_header_cut_in_two_is_put_together(rest: str) -> None:
    assert samples_of(f"# gpu sm\n{rest}\n# Idx % % MB\n0 45 32 1842") == [gpu(0, sm_pct=45, mem_pct=32, fb_mib=1842)]


@pytest.mark.parametrize(
    "header",
    [
        "# gpu sm m\nem fb\n# Idx % % MB",
        "# gpu sm\n# Idx % % MB",
        "pu fb mem sm\n# Idx MB % %",
        "# gpu sm mem fb # gpu sm mem fb\n# Idx % % MB",
        "# gpu sm mem mem\n# Idx % % MB",
    ],
)
def test_after_a_torn_header_there_is_nothing_until_a_whole_one(header: str) -> None:
    rows = "0 45 32 1842\n0 46 32 1842"
    assert samples_of(f"# gpu sm mem fb\n{header}\n{rows}") == []
    assert len(samples_of(f"{header}\n{rows}\n# gpu sm mem fb\n{rows}")) == 2


# Layouts as a driver might make them: columns of the table and others, in any order. Every cell of a text is another
# number of the same width, so that a number says which column and row it came from.
@st.composite
def dmon_texts(draw: st.DrawFn) -> tuple[list[str], dict[int, tuple[str, int]]]:
    """Lines, and for each number its field ("" if it is none of ours) and GPU."""
    known = draw(st.lists(st.sampled_from(NAMES_OF_TODAY), min_size=1, unique=True))
    other = draw(st.lists(st.sampled_from(["novel", "smutil", "gpu2", "nvlrx"]), unique=True))
    names = draw(st.permutations([*known, *other]))
    heading = [["#", "gpu", *names], ["#", "Idx", *("%" for _ in names)]]
    lines, truth = [], {}
    for _ in range(draw(st.integers(1, 2))):
        lines += [" ".join(words) for words in heading]
        for index in range(draw(st.integers(1, 3))):
            cells = []
            for name in names:
                value = 10_000 + len(truth)
                truth[value] = (BY_DMON_NAME[name].field if name in BY_DMON_NAME else "", index)
                cells.append(str(value))
            lines.append(f"    {index} " + "  ".join(cells))
    return lines, truth


Truth = dict[int, tuple[str, int]]


def assert_true(samples: Sequence[Sample], truth: Truth, also: Sequence[str] = ()) -> None:
    """Checks that every value is where the text has it. `also`: what a cut may have left of a number."""
    for sample in samples:
        for field, value in sample.values.items():
            assert truth.get(int(value or 0)) == (field, sample.gpu) or str(value) in also, (field, value)


@given(dmon_texts(), st.sampled_from(["", "\r", "  \r"]))
def test_every_number_of_any_layout_comes_to_its_own_field(text: tuple[list[str], Truth], ending: str) -> None:
    lines, truth = text
    samples = samples_of("\n".join(line + ending for line in lines))
    assert_true(samples, truth)
    assert sum(len(sample.values) for sample in samples) == sum(field != "" for field, _ in truth.values())


@given(dmon_texts(), st.integers(0), st.sampled_from(["newline", "rest lost", "line lost", "newline lost", "twice"]))
@example((["# gpu rxpci txpci", "# Idx % %", "    0 10000 10001"], {}), 8, "newline")
def test_a_text_that_is_torn_anywhere_puts_nothing_in_a_wrong_column(
    text: tuple[list[str], Truth], at: int, damage: str
) -> None:
    lines, truth = text
    whole = "\n".join(lines) + "\n"
    at %= len(whole)
    line_start, line_end = whole.rfind("\n", 0, at) + 1, whole.index("\n", at)
    torn = {
        "newline": whole[:at] + "\n" + whole[at:],
        "rest lost": whole[:at] + whole[line_end:],
        "line lost": whole[:line_start] + whole[line_end + 1 :],
        "newline lost": whole[:line_end] + whole[line_end + 1 :],
        "twice": whole[:line_end] + whole[line_start:],
    }[damage]
    left = whole[line_start:at].split()[-1:]
    assert_true(samples_of(torn), truth, also=left)


@given(dmon_texts(), st.randoms(use_true_random=False))
def test_rows_in_any_order_and_headers_between_them_change_nothing(
    text: tuple[list[str], Truth], chance: random.Random
) -> None:
    (header, units, *rest), truth = text
    pieces = [f"{header}\n{units}", *(line for line in rest if not line.startswith("#")), "", "--- --- ---"]
    chance.shuffle(pieces)
    samples = samples_of("\n".join([header, units, *pieces]))
    assert_true(samples, truth)
    assert len(samples) == sum(piece.startswith("  ") for piece in pieces)


WORDS = st.sampled_from(["#", "gpu", "Idx", "sm", "mem", "fb", "mig", "%", "0", "1", "45", "-", "N/A", "0x4", "1e9"])
GARBAGE = st.one_of(
    st.text(), st.lists(WORDS, max_size=6).map(" ".join), st.binary().map(lambda b: b.decode("latin-1"))
)


@given(st.lists(GARBAGE))
def test_garbage_raises_nothing_and_no_value_is_made_up(lines: list[str]) -> None:
    parser = DmonParser()
    for line in lines:
        sample = parser.feed(line)
        if sample is not None:
            there = [parse_number(cell) for cell in line.split()]
            assert all(value in there for value in sample.values.values())
            assert sample.gpu in there


SOON = TailTiming(first_restart_s=0.01, last_restart_s=0.01, least_quiet_s=3600.0)


def dmon(samples: list[Sample], period_s: float = 1.0, **config: Any) -> DmonSource:
    return DmonSource(SourceConfig(period_s, samples.append, **config), timing=SOON)


@pytest.fixture
def on_path(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> StandInSmi:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    return smi


@pytest.mark.parametrize(
    ("period_s", "only", "call"),
    [
        (1.0, [], "dmon -s pucvmet -d 1"),
        (3.0, [1], "dmon -s pucvmet -d 3 -i 1"),
        (0.2, [0, 1], "dmon -s pucvmet -d 1 -i 0,1"),
    ],
)
def test_dmon_is_asked_for_everything_of_the_chosen_gpus(
    on_path: StandInSmi, period_s: float, only: list[int], call: str
) -> None:
    samples: list[Sample] = []
    source = dmon(samples, period_s, only=lambda: only)
    source.start()
    try:
        on_path.feed(dmon_row(sm=10, fb=1000))
        eventually(lambda: samples)
    finally:
        source.stop()
    assert on_path.calls() == [call]
    assert (samples[0].gpu, samples[0].values["sm_pct"], samples[0].values["fb_mib"]) == (1, 10, 1000)


def test_groups_that_the_driver_refuses_are_dropped_for_good(on_path: StandInSmi) -> None:
    on_path.refuse("pucvmet", "pucm")
    samples: list[Sample] = []
    source = dmon(samples)
    source.start()
    try:
        on_path.feed(dmon_row(sm=10, fb=1000))
        eventually(lambda: samples)
        assert (source.status().restarts, source.status().gaps) == (0, ())
        os.kill(on_path.wait_for_dmon(), signal.SIGKILL)
        assert on_path.wait_for_dmon(2)
        on_path.feed(dmon_row(sm=20, fb=1000))
        eventually(lambda: len(samples) == 2)
        (gap,) = source.status().gaps
    finally:
        source.stop()
    assert on_path.calls() == ["dmon -s um -d 1", "dmon -s um -d 1"]
    assert gap.why == "dmon died: killed by signal 9"


def test_a_row_that_comes_in_pieces_is_one_sample(on_path: StandInSmi) -> None:
    samples: list[Sample] = []
    source = dmon(samples)
    source.start()
    try:
        row = dmon_row(sm=10, fb=1000)
        on_path.feed(dmon_row(sm=9, fb=999), row[:20])
        eventually(lambda: samples)
        on_path.feed(row[20:])
        eventually(lambda: len(samples) == 2)
    finally:
        source.stop()
    assert [(s.values["sm_pct"], s.values["fb_mib"]) for s in samples] == [(9, 999), (10, 1000)]


NOT_SUPPORTED = "Not supported on the device(s)\nFailed to process command line\n"


def test_where_dmon_is_refused_for_good_the_query_is_used_and_said_once(
    on_path: StandInSmi, caplog: pytest.LogCaptureFixture
) -> None:
    on_path.refuse("dmon", saying=NOT_SUPPORTED, status=3)
    samples: list[Sample] = []
    source = dmon(samples)
    source.start()
    try:
        for n in (1, 2):
            pid = on_path.wait_for_dmon(n)
            on_path.feed("0, " + ", ".join(["412"] * len(BY_QUERY_NAME)) + "\n")
            eventually(lambda n=n: len(samples) == n)
            os.kill(pid, signal.SIGKILL)
        status = source.status()
    finally:
        source.stop()
    note = "dmon: Not supported on the device(s); query is used instead"
    assert (status.name, status.note, status.complaint) == ("query", note, "")
    assert samples[0].values["fb_mib"] == 412
    assert all(call.endswith("-lms 1000") for call in on_path.calls())
    assert caplog.messages.count(note) == 1


def test_after_trouble_of_the_driver_dmon_is_asked_for_everything_again(on_path: StandInSmi) -> None:
    words = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    on_path.refuse("dmon", saying=f"{words}\n", status=9)
    samples: list[Sample] = []
    source = dmon(samples)
    source.start()
    try:
        eventually(lambda: source.status().gaps)
        on_path.refuse()
        on_path.wait_for_dmon()
        on_path.feed(dmon_row(sm=10, fb=1000))
        eventually(lambda: samples)
        (gap,) = source.status().gaps
    finally:
        source.stop()
    assert on_path.calls() == ["dmon -s pucvmet -d 1"]
    assert gap.why == f"dmon died: {words}"


def test_dmon_is_told_to_show_all_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer drivers show 16 of 20 GPUs otherwise."""
    script = "#!/bin/sh\nprintf '    0 %s 0 0\\n' $NVSMI_SHOW_ALL_DEVICES; exec sleep 600\n"
    (tmp_path / "nvidia-smi").write_text(script)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    samples: list[Sample] = []
    source = dmon(samples)
    source.start()
    try:
        eventually(lambda: samples)
    finally:
        source.stop()
    assert samples[0].values["sm_pct"] == 1


# Shows rows of the first two GPUs, whatever it is asked for; as a query those that it is asked for.
FIRST_TWO = """\
#!/bin/sh
case "$*" in
  dmon*) while :; do echo "    0 5 5 1000"; echo "    1 5 5 1001"; sleep 0.02; done ;;
  *)
    for last; do :; done
    echo "index, memory.used [MiB]"
    while :; do for gpu in $(echo "$last" | tr , " "); do echo "$gpu, 777"; done; sleep 0.02; done ;;
esac
"""


def test_where_dmon_shows_too_few_gpus_the_query_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "nvidia-smi").write_text(FIRST_TWO)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    samples: list[Sample] = []
    timing = TailTiming(quiet_periods=1.0, least_quiet_s=1.0)
    source = DmonSource(SourceConfig(1.0, samples.append, only=lambda: (1, 2)), timing=timing)
    source.start()
    try:
        eventually(lambda: {1, 2} <= {sample.gpu for sample in samples if sample.values.get("fb_mib") == 777})
        status = source.status()
    finally:
        source.stop()
    note = "dmon: it prints no row of GPU 2; query is used instead"
    assert (status.name, status.note) == ("query", note)
    assert caplog.messages.count(note) == 1


def test_a_row_of_dashes_is_a_gpu_without_figures() -> None:
    text = (TEXTS / "um_new.txt").read_text().splitlines()
    (sample,) = samples_of("\n".join([*text[:2], "    0" + "      -" * 9]))
    assert (sample.has_values, sample.fault) == (False, "")
