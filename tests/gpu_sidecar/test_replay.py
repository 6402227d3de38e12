from __future__ import annotations

from pathlib import Path

import pytest
from stand_in import eventually

from gpu_sidecar.recording_format import NotARecording, RecordingHeader, header_line, sample_line
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SourceConfig
from gpu_sidecar.sources.replay import ENDED, ReplayDiscovery, ReplaySource

ONE_DAY_S = 86_400.0
GPUS = ({"index": 1, "uuid": "GPU-b", "name": "NVIDIA L4", "memory_total_mib": 23034, "driver": "570"}, {"index": 0})
HEADER = RecordingHeader("gpu7", "b1", 100.0, GPUS, ({"name": "dmon", "kind": "gpu", "period_s": 2.0},))


def recording(path: Path, *samples: tuple[float, Sample]) -> Path:
    path.write_text(header_line(HEADER) + "".join(sample_line(sample, 100.0 + mono, mono) for mono, sample in samples))
    return path


def gpu_sample(sm: float, gpu: int = 0) -> Sample:
    return Sample("gpu", {"sm_pct": sm}, gpu)


def test_all_samples_are_played_in_order_and_then_it_says_that_it_ended(tmp_path: Path) -> None:
    samples = [gpu_sample(1), Sample("host", {"cpu_pct": 5}), gpu_sample(2, gpu=1)]
    played: list[Sample] = []
    path = recording(tmp_path / "r", *((0.01 * n, sample) for n, sample in enumerate(samples)))
    source = ReplaySource(SourceConfig(1.0, played.append, replay=path))
    source.start()
    status = eventually(lambda: source.status() if source.status().complaint else None)
    assert status is not None
    assert (status.name, status.period_s, status.is_alive, status.complaint) == ("replay", 2.0, False, ENDED)
    assert played == samples
    source.stop()


def test_a_sample_waits_for_its_time_and_a_stop_waits_for_nothing(tmp_path: Path) -> None:
    played: list[Sample] = []
    path = recording(tmp_path / "r", (0.0, gpu_sample(1)), (0.1, gpu_sample(2)), (ONE_DAY_S, gpu_sample(3)))
    source = ReplaySource(SourceConfig(1.0, played.append, replay=path))
    source.start()
    eventually(lambda: len(played) == 2)
    assert source.status().is_alive
    source.stop()
    assert not source.status().is_alive
    assert len(played) == 2


def test_a_gap_of_years_can_be_waited_for(tmp_path: Path) -> None:
    played: list[Sample] = []
    path = recording(tmp_path / "r", (0.0, gpu_sample(1)), (1e14, gpu_sample(2)))
    source = ReplaySource(SourceConfig(1.0, played.append, replay=path))
    source.start()
    eventually(lambda: played)
    assert source.status().is_alive
    source.stop()


def test_only_the_gpus_asked_for_are_played(tmp_path: Path) -> None:
    played: list[Sample] = []
    path = recording(tmp_path / "r", (0.0, gpu_sample(1)), (0.0, gpu_sample(2, gpu=1)), (0.0, Sample("host", {})))
    source = ReplaySource(SourceConfig(1.0, played.append, only=lambda: [1], replay=path))
    source.start()
    eventually(lambda: source.status().complaint)
    assert played == [gpu_sample(2, gpu=1), Sample("host", {})]
    source.stop()


def test_one_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    source = ReplaySource(SourceConfig(1.0, lambda sample: None, replay=recording(tmp_path / "r")))
    assert not source.status().is_alive
    source.stop()


def test_its_gpus_are_those_of_all_its_headers(tmp_path: Path) -> None:
    path = recording(tmp_path / "r", (0.0, gpu_sample(1)))
    with path.open("a") as file:
        file.write(header_line(RecordingHeader("gpu7", "b2", 200.0, ({"index": 3, "uuid": "GPU-d"},))))
    discovery = ReplayDiscovery(path)
    assert [(gpu.index, gpu.uuid) for gpu in discovery.gpu_choice.gpus] == [(0, ""), (1, "GPU-b"), (3, "GPU-d")]
    assert discovery.gpu_choice.gpus[1].memory_total_mib == 23034
    assert discovery.gpu_choice.why == "played from r"
    assert discovery.server_choice.pids == ()
    assert discovery.selects(gpu_sample(1, gpu=7))


@pytest.mark.parametrize("make", [ReplayDiscovery, lambda path: ReplaySource(SourceConfig(1.0, print, replay=path))])
def test_what_is_no_recording_is_refused_before_anything_starts(tmp_path: Path, make: type[ReplayDiscovery]) -> None:
    (tmp_path / "r").write_text("nothing of the kind\n")
    with pytest.raises(NotARecording):
        make(tmp_path / "r")
    with pytest.raises(NotARecording, match="not a regular file"):
        make(tmp_path)
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "missing")
