"""CPU limits of control groups and what the kernel counts of them, from made-up folders of /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpu_sidecar.cgroup import CpuQuota, ServerQuota, group_folders, parse_counts, parse_limit, throttled_pct
from gpu_sidecar.proc import Proc
from gpu_sidecar.sources.host import HostReadings

V2 = "sys/fs/cgroup/box"
V1 = "sys/fs/cgroup/cpu,cpuacct/docker/f00"


def made_root(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def test_version_2_has_limit_and_counts_in_two_files(tmp_path: Path) -> None:
    files = {"proc/7/cgroup": "0::/box/inner\n", f"{V2}/cpu.max": "50000 100000\n", f"{V2}/inner/cpu.max": "max 100000"}
    root = made_root(tmp_path, {**files, f"{V2}/cpu.stat": "usage_usec 9\nnr_periods 100\nnr_throttled 10\n"})
    quota = ServerQuota(root)
    assert quota.take([7]) == {"cpu_limit_cores": 0.5, "cpu_throttled_pct": None}
    made_root(tmp_path, {f"{V2}/cpu.stat": "usage_usec 9\nnr_periods 110\nnr_throttled 14\n"})
    assert quota.take([7]) == {"cpu_limit_cores": 0.5, "cpu_throttled_pct": 40.0}
    assert quota.take([7])["cpu_throttled_pct"] is None  # no period has passed


def test_version_1_has_them_in_the_tree_of_its_controllers(tmp_path: Path) -> None:
    files = {"proc/7/cgroup": "4:cpu,cpuacct:/docker/f00\n3:cpuset:/\n", f"{V1}/cpu.cfs_quota_us": "150000\n"}
    root = made_root(tmp_path, {**files, f"{V1}/cpu.cfs_period_us": "100000\n", f"{V1}/cpu.stat": "nr_periods 1\n"})
    assert ServerQuota(root).take([7])["cpu_limit_cores"] == 1.5


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param({}, id="the process has ended"),
        pytest.param({"proc/7/cgroup": "0::/../f00\n"}, id="another container's group, which can't be seen from here"),
        pytest.param({"proc/7/cgroup": "0::/box\n", f"{V2}/cpu.max": "max 100000\n"}, id="a group without a limit"),
    ],
)
def test_without_a_limit_that_can_be_read_nothing_is_said(tmp_path: Path, groups: dict[str, str]) -> None:
    root = made_root(tmp_path, {"sys/fs/cgroup/cpu.max": "max 100000", **groups})
    nothing = {"cpu_limit_cores": None, "cpu_throttled_pct": None}
    assert ServerQuota(root).take([7]) == ServerQuota(root).take([]) == nothing


def test_a_server_that_moved_to_another_group_is_counted_from_there() -> None:
    before, now = CpuQuota("a", 1.0, 10, 1), CpuQuota("b", 1.0, 30, 9)
    assert throttled_pct(before, now) is throttled_pct(None, now) is throttled_pct(now, before) is None


def test_text_that_is_none_of_the_kernels_gives_nothing() -> None:
    assert parse_limit("") is parse_limit("max 100000") is parse_limit("-1 100000") is parse_limit("5 0") is None
    assert parse_counts("nr_periods x\nrubbish\n") == (0, 0)
    assert list(group_folders("rubbish\n\n3:memory:/\n")) == []


def test_a_sample_of_the_server_has_its_limit(tmp_path: Path) -> None:
    root = made_root(tmp_path, {f"proc/{os.getpid()}/cgroup": "0::/box\n", f"{V2}/cpu.max": "200000 100000\n"})
    readings = HostReadings(Proc(), lambda: [os.getpid()], ServerQuota(root))
    list(readings.take())
    (sample,) = (sample for sample in readings.take() if sample.kind == "process")
    assert sample.values["cpu_limit_cores"] == 2.0
