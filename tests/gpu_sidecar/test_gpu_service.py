"""The service in this process; the tests of the command line run it in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stand_in import StandInSmi, dmon_row, eventually

from gpu_sidecar import service as service_module
from gpu_sidecar.discovery import Discovery
from gpu_sidecar.gpu_choice import UnknownGpu, parse_gpu_selector
from gpu_sidecar.nvidia_smi import NvidiaSmi
from gpu_sidecar.sample import Sample
from gpu_sidecar.server_choice import ServerTree
from gpu_sidecar.service import Service, ServiceConfig
from gpu_sidecar.sources.known_sources import SOURCES
from gpu_sidecar.timeline import StageChange, StageTag


def config(gpu: str = "", record: Path | None = None) -> ServiceConfig:
    return ServiceConfig(parse_gpu_selector(gpu), None, SOURCES["dmon"], period_s=60.0, has_host=False, record=record)


@contextmanager
def started(settings: ServiceConfig) -> Iterator[Service]:
    service = Service(settings)
    service.start()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(autouse=True)
def on_path(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])


@pytest.mark.parametrize(("asked_s", "host_s"), [(0.1, 1.0), (5.0, 5.0)])
def test_the_host_is_read_no_more_often_than_once_a_second(asked_s: float, host_s: float) -> None:
    settings = replace(config(), source=SOURCES["query"], period_s=asked_s, has_host=True)
    periods = {status.name: status.period_s for status in Service(settings).state.sources()}
    assert periods == {"query": asked_s, "proc": host_s}


def test_the_machine_is_described() -> None:
    machine = Service(config()).state.machine
    assert (machine["architecture"], machine["cores"]) == (platform.machine(), os.cpu_count())


@pytest.mark.parametrize(
    ("source", "period_s", "limit_s"), [("query", 0.1, 2.0), ("query", 5.0, 15.0), ("dmon", 1.0, 3.0)]
)
def test_a_source_says_how_long_it_may_be_quiet(source: str, period_s: float, limit_s: float) -> None:
    """Three periods, and two seconds: it is what /metrics and the report go by."""
    settings = replace(config(), source=SOURCES[source], period_s=period_s)
    (status,) = Service(settings).state.sources()
    assert status.limit_s == pytest.approx(limit_s)


def test_an_unknown_gpu_is_refused_while_somebody_waits_to_hear_it(caplog: pytest.LogCaptureFixture) -> None:
    with started(config("7")) as service, pytest.raises(UnknownGpu):
        service.wait_for_gpus(threading.Event())
    assert caplog.records == []


def test_an_unknown_gpu_that_is_found_out_later_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service_module, "_DECIDE_S", 0.0)
    service = Service(config("7"))
    service.wait_for_gpus(threading.Event())
    service.start()
    try:
        record = eventually(lambda: caplog.records)[0]
    finally:
        service.stop()
    assert record.getMessage() == f"{service.state.gpu_choice().why}: no GPU samples"


def test_a_stop_is_not_waited_for_while_gpus_are_asked_for(smi: StandInSmi) -> None:
    (smi.folder / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 600\n")
    stopping = threading.Event()
    stopping.set()
    with started(config("0")) as service:
        service.wait_for_gpus(stopping)
        assert service.state.gpu_choice().gpus == ()


def test_a_new_run_looks_for_its_gpus_anew_and_the_recording_says_so(smi: StandInSmi, tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    with started(config(record=path)) as service:
        state = service.state
        eventually(lambda: [gpu.index for gpu in state.gpu_choice().gpus] == [1])
        smi.feed(dmon_row(sm=10, fb=1, gpu=1))
        eventually(lambda: state.timeline.n_taken == 1)
        (smi.folder / "apps").write_text("4343, /usr/bin/python3, GPU-aaaa\n")
        for stage in (0, 1):
            change = state.timeline.change_stage(StageTag("r1", stage, 1, "hold"), 1.0, 1.0)
            assert change is not None
            state.on_stage_change(change)
        eventually(lambda: [gpu.index for gpu in state.gpu_choice().gpus] == [0])
        smi.feed(dmon_row(sm=20, fb=1, gpu=1), dmon_row(sm=30, fb=1, gpu=0))
        eventually(lambda: state.timeline.n_taken == 2)
    found = [json.loads(line) for line in path.read_text().splitlines()]
    said = [[gpu["index"] for gpu in row["gpus"]] if "gpus" in row else row.get("sm_pct") for row in found]
    assert [each for each in said if each is not None] == [[1], 10, [0], 30]


def test_only_a_new_run_looks_for_gpus_and_server_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    afresh: list[str | None] = []
    service = Service(config())
    timeline = service.state.timeline
    monkeypatch.setattr(Discovery, "rediscover", lambda _: afresh.append(timeline.tag.run_id))
    for run_id, stage in (("r1", 0), ("r1", 1), (None, None), ("r1", 2), ("r2", 0)):
        change = timeline.change_stage(StageTag(run_id, stage, 1, "hold"), 1.0, 1.0)
        assert change is not None
        service.state.on_stage_change(change)
    assert afresh == ["r1", "r2"]


def test_a_sample_that_cannot_be_kept_is_counted_and_told_and_the_next_one_comes(
    smi: StandInSmi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(config()) as service:
        timeline = service.state.timeline
        add = timeline.add

        def fail_once(sample: Sample, wall: float, mono: float) -> None:
            monkeypatch.setattr(timeline, "add", add)
            raise MemoryError

        monkeypatch.setattr(timeline, "add", fail_once)
        eventually(smi.dmon_pids)
        smi.feed(dmon_row(sm=10, fb=1), dmon_row(sm=20, fb=1))
        eventually(lambda: timeline.n_taken == 1)
        assert [tagged.sample.values["sm_pct"] for tagged in timeline.newest()] == [20]
        (warning,) = service.state.warnings()
        (status,) = service.state.sources()
    assert warning.startswith("1 samples were lost in the sidecar, the last by MemoryError:")
    assert service.state.failures.lost_samples == 1
    assert (status.restarts, status.gaps) == (0, ())


def test_gpus_and_server_are_still_followed_after_a_failure(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both threads of the discovery fail once, and look again a second later."""
    failed: set[str] = set()

    def once(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            name = threading.current_thread().name
            if name.startswith("watch-") and name not in failed:
                failed.add(name)
                raise RuntimeError(name)
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(ServerTree, "update", once(ServerTree.update))
    monkeypatch.setattr(NvidiaSmi, "query", once(NvidiaSmi.query))
    with started(config()) as service:
        eventually(lambda: [gpu.index for gpu in service.state.gpu_choice().gpus] == [1])
        service.state.on_stage_change(StageChange(StageTag("r1", 0, 1, "hold"), 1.0, 1.0))
        eventually(lambda: failed == {"watch-gpus", "watch-server"})
        smi.list_apps("4343, /usr/bin/python3, GPU-aaaa\n")
        eventually(lambda: [gpu.index for gpu in service.state.gpu_choice().gpus] == [0])
    assert {failure.where: failure.times for failure in service.state.failures.all()} == dict.fromkeys(failed, 1)
