"""`nvidia-smi --query-gpu`: columns by their header, properties that a driver refuses or has renamed."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in import StandInSmi, eventually

from gpu_sidecar.metrics import BY_QUERY_NAME, GPU
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SourceConfig
from gpu_sidecar.sources.query import QueryCommand, QueryParser, QuerySource
from gpu_sidecar.sources.row_shape import parse_number
from gpu_sidecar.sources.tail import TailTiming

OLD_NAME, NEW_NAME = "clocks_throttle_reasons.active", "clocks_event_reasons.active"

# Header and rows as drivers 535 and later print them (asked for the old name, too); numbers are ours.
TEXT = f"""\
index, utilization.gpu [%], utilization.memory [%], memory.used [MiB], power.draw [W], temperature.gpu, \
temperature.memory, clocks.current.memory [MHz], clocks.current.sm [MHz], {NEW_NAME}
0, 45, 32, 1842, 71.25, 37, [N/A], 9751, 1695, 0x0000000000000004
1, [Not Supported], [Unknown Error], 9000, [N/A], 41, 52, 1593, 1275, 0x00000000000000A0
"""


def samples_of(text: str) -> list[Sample]:
    parser = QueryParser()
    return [sample for line in text.split("\n") if (sample := parser.feed(line)) is not None]


@pytest.mark.parametrize("name", [OLD_NAME, NEW_NAME])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_each_column_is_found_by_its_header(name: str, ending: str) -> None:
    first, second = samples_of(TEXT.replace(NEW_NAME, name).replace("\n", ending))
    assert first == Sample(
        GPU,
        {
            "sm_pct": 45, "mem_pct": 32, "fb_mib": 1842, "power_w": 71.25, "gpu_temp_c": 37, "mem_temp_c": None,
            "mem_clock_mhz": 9751, "gpu_clock_mhz": 1695, "throttle_reasons": 0x4,
        },
        gpu=0,
    )  # fmt: skip
    assert second.gpu == 1
    assert (second.values["sm_pct"], second.values["mem_pct"], second.values["power_w"]) == (None, None, None)
    assert second.values["throttle_reasons"] == 0xA0


def test_every_property_of_the_table_is_read() -> None:
    header = "index, " + ", ".join(f"{name} [unit]" for name in BY_QUERY_NAME)
    row = "3, " + ", ".join(str(at) for at in range(len(BY_QUERY_NAME)))
    (sample,) = samples_of(f"{header}\n{row}")
    assert sample == Sample(GPU, {metric.field: at for at, metric in enumerate(BY_QUERY_NAME.values())}, gpu=3)


@pytest.mark.parametrize(
    "text",
    [
        "0, 45, 32",
        "index, memory.used [MiB]\n0",
        "index, memory.used [MiB]\n0, 1, 2",
        "index, memory.used [MiB]\n[N/A], 1",
        "index, memory.used [MiB], memory.used [MiB]\n0, 1, 2",
        "index, memory.used [MiB]\nUnable to determine the device handle for GPU0: GPU is lost",
        "No devices were found",
    ],
)
def test_what_is_not_a_row_gives_nothing(text: str) -> None:
    assert samples_of(text) == []


CELLS = st.sampled_from(["index", "memory.used [MiB]", "power.draw [W]", "0", "1", "7.5", "0x4", "[N/A]", ""])


@given(st.lists(st.one_of(st.text(), st.lists(CELLS, max_size=4).map(", ".join))))
def test_garbage_raises_nothing_and_no_value_is_made_up(lines: list[str]) -> None:
    parser = QueryParser()
    for line in lines:
        sample = parser.feed(line)
        if sample is not None:
            there = [parse_number(cell.strip()) for cell in line.split(",")]
            assert all(value in there for value in sample.values.values())


@given(st.integers(0, len(TEXT) - 1))
def test_a_text_that_is_torn_anywhere_puts_nothing_in_a_wrong_column(at: int) -> None:
    """A number that the cut went through may have become shorter; nothing else."""
    whole = {(sample.gpu, field): value for sample in samples_of(TEXT) for field, value in sample.values.items()}
    left = parse_number(TEXT[:at].replace("\n", ",").split(",")[-1].strip())
    for torn in (TEXT[:at], TEXT[:at] + "\n" + TEXT[at:]):
        for sample in samples_of(torn):
            assert all(whole.get((sample.gpu, f)) == v or v == left for f, v in sample.values.items())


def test_it_asks_for_the_table_at_the_period_of_the_chosen_gpus() -> None:
    command = QueryCommand(0.1).argv([0, 2])
    assert command == [
        "nvidia-smi",
        "--query-gpu=index," + ",".join(BY_QUERY_NAME),
        "--format=csv,nounits",
        "-lms",
        "100",
        "-i",
        "0,2",
    ]


def refusal(name: str) -> str:
    return f'Field "{name}" is not a valid field to query.'


def test_a_renamed_property_is_asked_for_by_its_new_name_and_then_not_at_all() -> None:
    command = QueryCommand(1.0)
    assert command.ask_less([refusal(OLD_NAME), "", "hm"])
    assert OLD_NAME not in command.argv([])[1]
    assert NEW_NAME in command.argv([])[1]
    assert command.ask_less([refusal(NEW_NAME)])
    assert NEW_NAME not in command.argv([])[1]
    assert not command.ask_less([refusal(NEW_NAME)])


def test_a_tool_that_ends_for_another_reason_is_asked_for_the_same_later() -> None:
    command = QueryCommand(1.0)
    before = command.argv([])
    assert not command.ask_less(["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."])
    assert not command.ask_less([refusal("index")])
    assert command.argv([]) == before


def test_what_an_old_driver_refuses_is_left_out_for_good(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    refused = ["utilization.jpeg", "utilization.ofa", "temperature.memory"]
    smi.refuse(*refused)
    left = [name for name in BY_QUERY_NAME if name not in refused]
    samples: list[Sample] = []
    timing = TailTiming(first_restart_s=0.01, last_restart_s=0.01, least_quiet_s=3600.0)
    source = QuerySource(SourceConfig(0.1, samples.append), timing=timing)
    source.start()
    try:
        for n in (1, 2):
            smi.wait_for_dmon(n)
            smi.feed("1, " + ", ".join(str(n + at) for at in range(len(left))) + "\n")
            eventually(lambda n=n: len(samples) == n)
            os.kill(smi.wait_for_dmon(n), signal.SIGKILL)
        eventually(lambda: source.status().restarts == 2)
        status = source.status()
    finally:
        source.stop()
    fields = [BY_QUERY_NAME[name].field for name in left]
    assert [dict(sample.values) for sample in samples] == [{f: n + at for at, f in enumerate(fields)} for n in (1, 2)]
    assert set(smi.calls()) == {f"--query-gpu=index,{','.join(left)} --format=csv,nounits -lms 100"}
    assert status.gaps[0].why == "query died: killed by signal 9"


HEADER = "index, utilization.gpu [%], memory.used [MiB], power.draw [W]\n"


@pytest.mark.parametrize(
    ("row", "fault", "values"),
    [
        ("0, [GPU is lost], [GPU is lost], [GPU is lost]", "[GPU is lost]", (None, None, None)),
        # Drivers print 0 for the memory of a GPU that they can't reach: nobody has measured that.
        ("0, [GPU requires reset], 0, [GPU requires reset]", "[GPU requires reset]", (None, None, None)),
        ("0, [Unknown Error], [Unknown Error], [Unknown Error]", "[Unknown Error]", (None, None, None)),
        ("0, [Not Supported], [N/A], [N/A]", "[Not Supported]", (None, None, None)),
        ("0, [Unknown Error], 412, [N/A]", "", (None, 412, None)),
        ("0, [Unknown Error], 0, [GPU is lost]", "[GPU is lost]", (None, None, None)),
        ("0, 0, 0, 0", "", (0, 0, 0)),
    ],
)
def test_what_is_said_in_place_of_figures_is_kept_and_no_figure_is(
    row: str, fault: str, values: tuple[float | None, ...]
) -> None:
    (sample,) = samples_of(HEADER + row)
    assert (sample.fault, tuple(sample.values.values())) == (fault, values)
