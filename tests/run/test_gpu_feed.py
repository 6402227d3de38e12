"""Several sidecars of one run, read in a process of its own: gevent patches the one that it is used in."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from stand_in import DEADLINE_S, RunningSidecar, StandInSmi, dmon_row, environment_with_path, eventually, sidecar

pytestmark = pytest.mark.slow

FEED = """\
from gevent import monkey
monkey.patch_all()
import json, logging, sys, time
import gevent
from stt_load.clock import SteadyWallClock
from stt_load.run.gpu_feed import GpuFeed
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.sidecar.local import LocalSidecar

def say(what, value):
    print(json.dumps([what, value]), flush=True)

def start_local():
    local = LocalSidecar(gpu_id)
    say("token", local.token)
    return local

def write(row):
    if row.get("sm_pct") == 99:
        raise KeyError("of ours")
    say("row", row)

logging.basicConfig(level=logging.WARNING, format="%(message)s")
gpu_id, *places = sys.argv[1:]
wall_clock = SteadyWallClock.read(time.time, time.monotonic)
feed = GpuFeed(places, start_local, write, lambda news: say("news", news), wall_clock)
feed.announce(StageUpdate("r1", 0, 3, Phase.HOLD, 20, ()))
gevent.get_hub().threadpool.apply(sys.stdin.readline)
feed.stop()
say("end", None)
"""


class Feed:
    """The feed as it goes: what it wrote so far."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    def said(self, what: str) -> list[Any]:
        lines = self._output.read_text(encoding="utf-8").split("\n")[:-1]
        return [value for kind, value in map(json.loads, lines) if kind == what]

    def wait_for_rows(self, is_enough: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
        eventually(lambda: is_enough(self.said("row")))
        return self.said("row")

    def wait_until_reached(self, n: int) -> list[dict[str, Any]]:
        """Descriptions of the sidecars, once n of them have answered and said which GPUs they watch."""
        eventually(lambda: len(self.said("news")[-1:][0]["gpu"]) >= n if self.said("news") else False)
        return list(self.said("news")[-1]["sidecars"])

    def stop(self) -> str:
        """Its warnings."""
        _, warnings = self.process.communicate(timeout=DEADLINE_S)
        assert self.said("end") == [None], warnings.decode()
        return warnings.decode()


@contextmanager
def feeding(
    folder: Path, *places: str, gpu_id: str = "all", environment: dict[str, str] | None = None
) -> Iterator[Feed]:
    output = folder / "feed.jsonl"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", FEED, gpu_id, *places],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.PIPE,
        )
    with process:
        try:
            yield Feed(process, output)
        finally:
            process.kill()


@pytest.fixture
def other_smi(tmp_path: Path) -> Iterator[StandInSmi]:
    (tmp_path / "other").mkdir()
    stand_in = StandInSmi(tmp_path / "other")
    yield stand_in
    stand_in.close()


@contextmanager
def bare(smi: StandInSmi, port: int = 0) -> Iterator[RunningSidecar]:
    """One whose only samples are those that are fed to the stand-in, once it knows which GPUs it watches."""
    with sidecar(smi.environment, "--no-host", port=port) as running:
        eventually(lambda: running.get("/healthz").json()["gpus"])
        yield running


def stage_of(running: RunningSidecar) -> int | None:
    stage: int | None = running.get("/healthz").json()["stage"]["stage"]
    return stage


def test_two_sidecars_of_one_host_stay_two(smi: StandInSmi, other_smi: StandInSmi, tmp_path: Path) -> None:
    with bare(smi) as one, bare(other_smi) as other, feeding(tmp_path, one.url, other.url) as feed:
        feed.wait_until_reached(2)
        smi.feed(dmon_row(sm=10, fb=1000), dmon_row(sm=20, fb=1000))
        other_smi.feed(dmon_row(sm=30, fb=1000), dmon_row(sm=40, fb=1000))
        rows = feed.wait_for_rows(lambda rows: len(rows) == 4)
        feed.stop()
        news = feed.said("news")[-1]
    host = socket.gethostname()
    hosts = {row["sm_pct"]: row["host"] for row in rows}
    first, second = hosts[10], hosts[30]
    assert [hosts[20], hosts[40]] == [first, second]
    assert {first, second} in [{host, f"{host} at {url.removeprefix('http://')}"} for url in (one.url, other.url)]
    assert len({(row["host"], row["seq"]) for row in rows}) == 4
    assert [entry["host"] for entry in news["sidecars"]] == [gpu["host"] for gpu in news["gpu"]] == [first, second]


def test_what_nvidia_smi_warns_of_stands_in_the_run(smi: StandInSmi, tmp_path: Path) -> None:
    smi.list_gpus("WARNING: infoROM is corrupted at gpu 0000:67:00.0\n1, GPU-bbbb, NVIDIA H200, 143771 MiB, 570\n", 14)
    with bare(smi) as running, feeding(tmp_path, running.url) as feed:
        feed.wait_until_reached(1)
        smi.feed(dmon_row(sm=10, fb=1000))
        feed.wait_for_rows(len)
        feed.stop()
        (entry,) = feed.said("news")[-1]["sidecars"]
    assert entry["warnings"] == ["nvidia-smi: WARNING: infoROM is corrupted at gpu 0000:67:00.0"]


def test_one_sidecar_under_two_addresses_is_read_once(smi: StandInSmi, tmp_path: Path) -> None:
    with bare(smi) as running:
        port = running.url.rpartition(":")[2]
        places = [f"http://127.0.0.1:{port}", f"http://localhost:{port}"]
        with feeding(tmp_path, *places) as feed:
            eventually(lambda: any("read there" in str(entry) for entry in feed.said("news")[-1:]))
            smi.feed(dmon_row(sm=10, fb=1000))
            feed.wait_for_rows(len)
            warnings = feed.stop()
    assert [row["sm_pct"] for row in feed.said("row")] == [10]
    assert len(feed.said("news")[-1]["gpu"]) == 1
    assert len(warnings.splitlines()) == 1
    assert warnings.rstrip().endswith(": read once")


def test_one_that_is_away_is_named_and_one_that_comes_late_is_told_the_stage(smi: StandInSmi, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        port = late.getsockname()[1]
        urls = [f"http://127.0.0.1:{mute.getsockname()[1]}", f"http://127.0.0.1:{port}"]
        with feeding(tmp_path, *urls) as feed:
            eventually(lambda: feed.said("news"))
            late.close()
            with bare(smi, port) as running:
                eventually(lambda: stage_of(running) == 3)
                feed.wait_until_reached(1)
                smi.feed(dmon_row(sm=10, fb=1000))
                (row,) = feed.wait_for_rows(len)
                feed.stop()
                left_with = stage_of(running)
    away, there = feed.said("news")[-1]["sidecars"]
    assert (row["stage"], row["users"], row["phase"]) == (3, 20, "hold")
    assert (away["host"], away["why"]) == (None, "no answer within 2 s")
    assert there["host"] == socket.gethostname()
    assert left_with is None  # what comes after the run is nobody's


def test_one_that_wants_a_token_is_named_with_that(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    guarded = ("--token-file", str(tmp_path / "token"))
    with sidecar(environment_with_path(str(tmp_path)), *guarded) as running, feeding(tmp_path, running.url) as feed:
        eventually(lambda: "it wants its own token" in str(feed.said("news")[-1:]))
        feed.stop()
    (entry,) = feed.said("news")[-1]["sidecars"]
    assert (entry["host"], entry["why"]) == (None, "it wants its own token: set GPU_SIDECAR_TOKEN to that")


def test_the_last_samples_are_fetched_before_the_end(smi: StandInSmi, tmp_path: Path) -> None:
    with bare(smi) as running, feeding(tmp_path, running.url) as feed:
        eventually(lambda: stage_of(running) == 3)
        smi.feed(*(dmon_row(sm=n, fb=1000) for n in range(50)))
        eventually(lambda: running.get("/healthz").json()["samples"] == 50)
        feed.stop()
    assert [row["sm_pct"] for row in feed.said("row")] == list(range(50))


def test_an_error_costs_the_samples_of_its_moment_alone(smi: StandInSmi, tmp_path: Path) -> None:
    with bare(smi) as running, feeding(tmp_path, running.url) as feed:
        feed.wait_until_reached(1)
        smi.feed(dmon_row(99, 1_024))  # which the run can't take
        eventually(lambda: smi.feed(dmon_row(10, 1_024)) or feed.said("row"))
        told = [line for line in feed.stop().splitlines() if "of ours" in line]
    (line,) = told
    assert line.startswith(f"GPU sidecar {running.url}: samples are lost: KeyError: 'of ours' (")


def test_a_local_one_that_can_not_start_costs_a_warning_and_no_other(smi: StandInSmi, tmp_path: Path) -> None:
    with bare(smi) as running, feeding(tmp_path, "local", running.url, gpu_id="nonsense") as feed:
        eventually(lambda: stage_of(running) == 3)
        smi.feed(dmon_row(sm=10, fb=1000))
        feed.wait_for_rows(len)
        eventually(lambda: "nonsense" in str(feed.said("news")[-1:]))
        warnings = feed.stop()
    assert "no samples from the GPU sidecar local" in warnings
    assert "nonsense" in warnings


def test_a_local_one_brings_samples_and_ends_with_the_feed(smi: StandInSmi, tmp_path: Path) -> None:
    with feeding(tmp_path, "local", environment=smi.environment) as feed:
        feed.wait_until_reached(2)
        smi.wait_for_dmon()
        smi.feed(dmon_row(sm=10, fb=1000))
        kinds = {"gpu", "host"}
        rows = feed.wait_for_rows(lambda rows: {row["kind"] for row in rows} >= kinds)
        feed.stop()
    assert {row["stage"] for row in rows if row["kind"] == "gpu"} == {3}
    url = feed.said("news")[-1]["sidecars"][0]["url"]
    with pytest.raises(ConnectionRefusedError), socket.socket() as probe:
        probe.connect(("127.0.0.1", int(url.rpartition(":")[2])))


def test_a_local_one_that_is_killed_is_started_again_and_told_the_stage(smi: StandInSmi, tmp_path: Path) -> None:
    with feeding(tmp_path, "local", environment=smi.environment) as feed:
        feed.wait_until_reached(2)
        smi.wait_for_dmon()
        smi.feed(dmon_row(sm=10, fb=1000))
        feed.wait_for_rows(lambda rows: gpu_rows(rows))
        killed = Path(f"/proc/{feed.process.pid}/task/{feed.process.pid}/children").read_text().split()
        for pid in killed:
            os.kill(int(pid), signal.SIGKILL)
        smi.wait_for_dmon(2)
        smi.feed(*(dmon_row(sm=20, fb=1000) for _ in range(3)))
        eventually(lambda: stage_at(feed) == 3)
        smi.feed(dmon_row(sm=30, fb=1000))
        rows = gpu_rows(feed.wait_for_rows(lambda rows: gpu_rows(rows)[-1]["sm_pct"] == 30))
        warnings = feed.stop()
    assert len(killed) == 1
    assert (rows[0]["sm_pct"], rows[-1]["stage"]) == (10, 3)
    assert len({row["boot"] for row in rows}) == 2
    assert len({row["host"] for row in rows}) == 1
    assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
    assert "the local GPU sidecar ended (exit code -9): starting it again" in warnings.splitlines()


def gpu_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["kind"] == "gpu"]


def stage_at(feed: Feed) -> int | None:
    """The stage that the sidecar knows which answers now at the address that the feed told last."""
    url = feed.said("news")[-1]["sidecars"][0]["url"]
    headers = {"Authorization": f"Bearer {feed.said('token')[-1]}"}
    try:
        stage: int | None = requests.get(f"{url}/healthz", headers=headers, timeout=DEADLINE_S).json()["stage"]["stage"]
    except requests.ConnectionError:
        return None
    return stage
