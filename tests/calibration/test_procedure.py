"""A real calibration, as small as it can be: runs in processes of their own against the sink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stt_load.calibration import trial as trial_module
from stt_load.calibration.host_probe import probe_machine
from stt_load.calibration.procedure import CalibrationRequest, Thoroughness, calibrate
from stt_load.calibration.trial_figures import TrialFigures
from stt_load.errors import SttLoadError


@pytest.fixture
def leaves_nothing() -> Iterator[None]:
    """No process that wasn't there before: servers of other tests may run for the whole session."""
    before = set(psutil.Process().children(recursive=True))
    yield
    assert not set(psutil.Process().children(recursive=True)) - before


TINY = Thoroughness(hold_s=1.0, clips_s=(0.3, 0.5), resolution=0.5, repeats=1)


@pytest.mark.locust
@pytest.mark.usefixtures("leaves_nothing")
def test_a_tiny_calibration_finds_what_was_asked_for() -> None:
    trials: list[TrialFigures] = []
    three_cores = replace(probe_machine(), usable_cores=3, container_cpu_limit=None)
    found = calibrate(CalibrationRequest(None, True, 8, 100.0, TINY), three_cores, trials.append)
    assert 1 <= found.callers <= 8  # a machine that is busy may hold fewer
    assert (trials[0].callers, trials[0].processes) == (1, 1)
    assert trials[-1].callers == max(1, found.callers // 2)
    assert found.limited_by.name == "--max" or found.breaks is not None
    assert found.cpu_us_per_frame is not None and found.cpu_us_per_frame > 0
    assert found.process_memory_bytes > 10 * 2**20
    assert found.clock is not None and found.clock.n > 0
    together = [trial for trial in trials if trial.processes == 2]
    assert found.machine is not None and together[0].callers == min(2 * found.callers, 8)
    assert found.callers_of_machine == found.machine.callers <= together[0].callers
    assert found.clock.min <= found.clock.p50 <= found.clock.p99 <= found.clock.max


@pytest.mark.locust
@pytest.mark.usefixtures("leaves_nothing")
def test_a_run_that_can_not_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_SLO", "meant for other runs")
    trial_module.make_clips(tmp_path, 0.5, 0.8)
    with pytest.raises(SttLoadError, match="exit code 2: --stt-url: nothing answers") as caught:
        trial_module.run_trial(trial_module.TestBed(tmp_path, "ws://127.0.0.1:1/", None, 100.0, 1.0), 1)
    assert "\n" not in str(caught.value)
