"""What the kernel's files say: copies of real ones, and text that is none."""

from __future__ import annotations

import pytest

from stt_load.calibration.kernel_text import (
    QuotaCounts,
    cgroup_folders,
    cpu_quota,
    model_name,
    quota_counts,
    stolen_pct,
    tcp_counters,
    time_waits,
    whole_numbers,
)

SOCKSTAT = """sockets: used 312
TCP: inuse 14 orphan 2 tw 4711 alloc 20 mem 3
UDP: inuse 3 mem 1
"""
NETSTAT = """TcpExt: SyncookiesSent PruneCalled ListenOverflows TCPMemoryPressures
TcpExt: 9 3 86 0
IpExt: InNoRoutes InTruncatedPkts
IpExt: 1 2
"""


def test_numbers_are_taken_from_a_file_of_numbers_only() -> None:
    assert whole_numbers("32768\t60999\n") == (32768, 60999)
    assert whole_numbers("4096 lots") == ()
    assert whole_numbers("") == ()


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("150000 100000\n", 1.5),  # version 2
        ("max 100000\n", None),
        ("200000\n 100000\n", 2.0),  # version 1, its two files joined
        ("-1\n 100000\n", None),
        ("100000 0", None),
        (" ", None),
    ],
)
def test_a_quota_is_cores(text: str, cores: float | None) -> None:
    assert cpu_quota(text) == cores


@pytest.mark.parametrize(
    ("stat", "counts"),
    [
        ("usage_usec 5\nnr_periods 10\nnr_throttled 4\nthrottled_usec 250000\n", QuotaCounts(10, 4, 0.25)),  # version 2
        ("nr_periods 10\nnr_throttled 4\nthrottled_time 250000000\n", QuotaCounts(10, 4, 0.25)),  # version 1
        ("usage_usec 5\n", None),
        ("nr_periods ten\nnr_throttled 4\n", None),
        ("", None),
    ],
)
def test_the_kernel_counts_how_often_a_quota_was_used_up(stat: str, counts: QuotaCounts | None) -> None:
    assert quota_counts(stat) == counts


def test_limits_of_groups_around_ours_count_too() -> None:
    assert list(cgroup_folders("0::/system.slice/run.service\n"))[:3] == [
        "sys/fs/cgroup/system.slice/run.service",
        "sys/fs/cgroup/system.slice",
        "sys/fs/cgroup",
    ]


def test_the_first_version_has_a_tree_for_each_group_of_controllers() -> None:
    own = "12:memory:/docker/f00\n4:cpu,cpuacct:/docker/f00\n3:cpuset:/docker/f00\n"
    assert list(cgroup_folders(own)) == [
        "sys/fs/cgroup/cpu,cpuacct/docker/f00",
        "sys/fs/cgroup/cpu,cpuacct/docker",
        "sys/fs/cgroup/cpu,cpuacct",
    ]


def test_a_path_out_of_the_tree_is_not_followed() -> None:
    assert next(cgroup_folders("0::/../../init\n")) == "sys/fs/cgroup/init"


def test_waiting_ports_are_counted() -> None:
    assert time_waits(SOCKSTAT) == 4711
    assert time_waits("UDP: inuse 3 mem 1\n") is None
    assert time_waits("TCP: inuse 3 tw\n") is None


def test_stolen_time_is_a_share_of_all_time() -> None:
    assert stolen_pct("cpu  60 0 20 100 10 5 0 5 0 0\ncpu0 1 2\n") == pytest.approx(2.5)
    assert stolen_pct("cpu 0 0 0 0 0 0 0 0") == 0.0
    assert stolen_pct("cpu 1 2 3\n") is None
    assert stolen_pct("") is None


def test_stolen_time_between_two_texts_is_a_share_of_the_time_between_them() -> None:
    before, after = "cpu  60 0 20 100 10 5 0 5 0 0\n", "cpu  90 0 30 120 20 5 0 35 0 0\n"
    assert stolen_pct(after, before) == pytest.approx(30.0)
    assert stolen_pct(after, after) == 0.0
    assert stolen_pct(after, "") is None


def test_troubles_are_found_by_name_as_far_as_the_kernel_has_them() -> None:
    assert tcp_counters(NETSTAT) == {"TCPMemoryPressures": 0, "PruneCalled": 3, "ListenOverflows": 86}
    assert tcp_counters("TcpExt: A B\nTcpExt: 1\n") == {}
    assert tcp_counters("") == {}


def test_the_processor_has_a_name_or_none() -> None:
    assert model_name("processor\t: 0\nmodel name\t: AMD EPYC 7B13\n") == "AMD EPYC 7B13"
    assert model_name("CPU implementer\t: 0x41\n") is None
