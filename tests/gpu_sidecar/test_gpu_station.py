"""What is joined behind the door, in this process: the command line's tests have it in one of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from stand_in import StandInSmi, dmon_row, eventually

from gpu_sidecar import station as station_module
from gpu_sidecar.devices import UnknownGpu, parse_gpu_wanted
from gpu_sidecar.sources.registry import SOURCES
from gpu_sidecar.station import Service, Wanted
from gpu_sidecar.timeline import Tag


def wanted(gpu: str = "", record: Path | None = None) -> Wanted:
    return Wanted(parse_gpu_wanted(gpu), None, SOURCES["dmon"], period_s=60.0, has_host=False, record=record)


@contextmanager
def started(what: Wanted) -> Iterator[Service]:
    station = Service(what)
    station.start()
    try:
        yield station
    finally:
        station.stop()


@pytest.fixture(autouse=True)
def on_path(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])


@pytest.mark.parametrize(("asked_s", "host_s"), [(0.1, 1.0), (5.0, 5.0)])
def test_the_host_is_read_no_more_often_than_once_a_second(asked_s: float, host_s: float) -> None:
    what = replace(wanted(), row=SOURCES["query"], period_s=asked_s, has_host=True)
    periods = {status.name: status.period_s for status in Service(what).sidecar.sources()}
    assert periods == {"query": asked_s, "proc": host_s}


def test_an_unknown_gpu_is_refused_while_somebody_waits_to_hear_it(caplog: pytest.LogCaptureFixture) -> None:
    with started(wanted("7")) as station, pytest.raises(UnknownGpu):
        station.wait_for_gpus(threading.Event())
    assert caplog.records == []


def test_an_unknown_gpu_that_is_found_out_later_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(station_module, "_DECIDE_S", 0.0)
    station = Service(wanted("7"))
    station.wait_for_gpus(threading.Event())
    station.start()
    try:
        record = eventually(lambda: caplog.records)[0]
    finally:
        station.stop()
    assert record.getMessage() == f"{station.sidecar.gpus().why}: no GPU samples"


def test_a_stop_is_not_waited_for_while_gpus_are_asked_for(smi: StandInSmi) -> None:
    (smi.folder / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 600\n")
    stopping = threading.Event()
    stopping.set()
    with started(wanted("0")) as station:
        station.wait_for_gpus(stopping)
        assert station.sidecar.gpus().devices == ()


def test_a_new_run_looks_for_its_gpus_anew_and_the_recording_says_so(smi: StandInSmi, tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    with started(wanted(record=path)) as station:
        sidecar = station.sidecar
        eventually(lambda: [device.index for device in sidecar.gpus().devices] == [1])
        smi.feed(dmon_row(sm=10, fb=1, gpu=1))
        eventually(lambda: sidecar.timeline.n_taken == 1)
        (smi.folder / "apps").write_text("4343, /usr/bin/python3, GPU-aaaa\n")
        for stage in (0, 1):
            mark = sidecar.timeline.mark(Tag("r1", stage, 1, "hold"), 1.0, 1.0)
            assert mark is not None
            sidecar.on_mark(mark)
        eventually(lambda: [device.index for device in sidecar.gpus().devices] == [0])
        smi.feed(dmon_row(sm=20, fb=1, gpu=1), dmon_row(sm=30, fb=1, gpu=0))
        eventually(lambda: sidecar.timeline.n_taken == 2)
    found = [json.loads(line) for line in path.read_text().splitlines()]
    said = [[gpu["index"] for gpu in row["gpus"]] if "gpus" in row else row.get("sm_pct") for row in found]
    assert [each for each in said if each is not None] == [[1], 10, [0], 30]
