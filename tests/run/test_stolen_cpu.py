from __future__ import annotations

from pathlib import Path

import pytest

from stt_load.run.stolen_cpu import StolenCpu


def test_it_is_the_share_of_all_cpu_time_since_the_last_look(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 800 0 0 0 10 0 0\ncpu0 1 1\n")
    stolen = StolenCpu(stat)
    stat.write_text("cpu  140 0 110 840 0 0 0 20 0 0\n")
    assert stolen.pct_since_last_call() == pytest.approx(10.0)
    assert stolen.pct_since_last_call() == 0.0


@pytest.mark.parametrize("content", [None, "", "cpu none\n"])
def test_a_kernel_that_does_not_tell_is_no_figure(content: str | None, tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    if content is not None:
        stat.write_text(content)
    assert StolenCpu(stat).pct_since_last_call() is None


def test_this_machine_is_read() -> None:
    share_pct = StolenCpu().pct_since_last_call()
    assert share_pct is None or 0.0 <= share_pct <= 100.0
