"""The CPU limit of the load machine's own container, from a made-up /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from stt_load.run.own_quota import OwnQuota


def made_root(root: Path, counts: str | None) -> Path:
    files = {"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "50000 100000\n"}
    for name, text in {**files, "sys/fs/cgroup/box/cpu.stat": counts}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_text(text)
    return root


def stat(periods: int, throttled: int, throttled_usec: int) -> str:
    return f"nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {throttled_usec}\n"


def test_only_what_the_run_brought_is_told(tmp_path: Path) -> None:
    quota = OwnQuota(made_root(tmp_path, stat(1_000, 900, 5_000_000)))
    made_root(tmp_path, stat(1_200, 950, 5_500_000))
    assert quota.since_start() == {"nr_periods": 200, "nr_throttled": 50, "throttled_usec": 500_000}
    (note,) = quota.notes()
    assert "held it back in 25 % of the limit's periods" in note


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(stat(5, 5, 9), stat(5, 5, 9), id="no period has passed"),
        pytest.param(stat(0, 0, 0), stat(1_000, 9, 9_000), id="less than a hundredth of them was cut short"),
        pytest.param(None, stat(9, 9, 9), id="the counters were not there at the start"),
    ],
)
def test_a_limit_that_does_no_harm_is_no_note(tmp_path: Path, before: str | None, after: str) -> None:
    quota = OwnQuota(made_root(tmp_path, before))
    made_root(tmp_path, after)
    assert quota.notes() == []


def test_a_machine_without_a_limit_tells_nothing(tmp_path: Path) -> None:
    assert OwnQuota(tmp_path).since_start() is None
