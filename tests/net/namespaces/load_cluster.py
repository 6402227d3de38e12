"""A load test over several machines: a master, workers, a recogniser and a GPU host, each a process on a host of its
own. Everything ends with the `with` block."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from network import Host, Network
from relay import Orders
from runs import (
    EASY_SLOS,
    LADDER,
    LOCUST,
    PATIENCE_S,
    STT_LOAD,
    THE_MACHINES,
    Run,
    rows,
    run_folder,
    summary,
    wait_for,
    wait_for_hold,
)
from servers.script import Script
from stand_in import StandInSmi

TEXT = "some words"  # what every clip says, and what the recogniser answers
DELAY_OF_SERVER_S = 0.2
MASTER_PORT = "5557"
SERVER_PORT = "9000"
SIDECAR_PORT = "9550"
_HERE = Path(__file__).parent
_SECRETS = {"STT_LOAD_CLUSTER_TOKEN": "a token for tests only", "GPU_SIDECAR_TOKEN": "another token for tests"}
_FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read().decode())"


class Member(Run):
    """A process of the load test, and the machine that it has for itself."""

    def __init__(self, host: Host, line: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(host.line(*line), folder, {**_SECRETS, **environment})
        self.host = host


@dataclass(frozen=True)
class Relay:
    """A relay that is running. `orders`: the file by which it is told what to do."""

    address: str
    orders: Path

    def order(self, **orders: Any) -> None:
        Orders(**orders).write(self.orders)


class LoadCluster:
    """The machines of one load test, and what has become of it. `folder`: where everything is written; `clips`: what
    the master and its workers play."""

    def __init__(self, folder: Path, clips: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.clips = clips
        self.results = folder / "results"
        self.workers: list[Member] = []
        self._stack = ExitStack()

    def __enter__(self) -> LoadCluster:
        with ExitStack() as stack:
            self.network = stack.enter_context(Network())
            self.master_host = self.network.host("master")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # who takes part -------------------------------------------------------------------------------------

    def start(self, *options: str, n_workers: int = 2) -> None:
        """The recogniser, the master and its workers. `options`: the master's."""
        self.start_server()
        self.start_master(*options, n_workers=n_workers)
        for _ in range(n_workers):
            self.start_worker()

    def start_server(self) -> None:
        """The recogniser, which counts what it has answered."""
        script = Script(text=TEXT, delay_s=DELAY_OF_SERVER_S)
        host = self.network.host("recogniser")
        line = [sys.executable, "-m", "servers.scripted", "--script", script.to_json()]
        self.server = self._run(
            host, [*line, "--host", host.address, "--port", SERVER_PORT], PYTHONPATH=str(_HERE.parents[1])
        )
        wait_for(lambda: "listening on" in self.server.output, "the recogniser", self.server)
        self.server_url = url_of(host.address)

    def start_relay(self, name: str, to: Host, port: str) -> Relay:
        """A relay to that port, on a host and at the same port of its own."""
        host = self.network.host(name)
        relay = Relay(host.address, self.folder / f"{name}.json")
        relay.order()
        line = [sys.executable, str(_HERE / "relay.py"), f"{host.address}:{port}", f"{to.address}:{port}"]
        process = self._run(host, [*line, str(relay.orders)])
        wait_for(lambda: "listening on" in process.output, "the relay", process)
        return relay

    def start_sidecar(self) -> StandInSmi:
        """The GPU host: a sidecar with a stand-in `nvidia-smi`."""
        folder = self.folder / "nvidia"
        folder.mkdir()
        smi = StandInSmi(folder)
        self._stack.callback(smi.close)
        host = self.network.host("gpu")
        line = [sys.executable, "-m", "gpu_sidecar", "--host", host.address, "--port", SIDECAR_PORT, "--gpu-id", "1"]
        self.sidecar = self._run(host, line, **smi.environment)
        wait_for(lambda: "listening on" in self.sidecar.output, "the sidecar", self.sidecar)
        self.sidecar_url = f"http://{host.address}:{SIDECAR_PORT}"
        return smi

    def start_master(self, *options: str, n_workers: int = 2) -> None:
        """It waits for so many workers."""
        host = self.master_host
        line = [*STT_LOAD, "run", "--master", "--master-bind-host", host.address, "--master-bind-port", MASTER_PORT]
        line += ["--expect-workers", str(n_workers), "--stt-url", self.server_url, "--clips", str(self.clips)]
        line += ["--settle", "0.5s", "--timeout", "5", "--results", str(self.results), *EASY_SLOS]
        self.master = self._run(host, [*line, *options])

    def start_worker(self, master: str | None = None, **environment: str) -> Member:
        """One more worker. `master`: the address at which it looks for its master."""
        host = self.network.host(f"worker-{len(self.workers)}")
        line = [*LOCUST, "-f", str(LADDER), "--worker", "--master-host", master or self.master_host.address]
        worker = self._run(host, [*line, "--master-port", MASTER_PORT], **environment)
        self.workers.append(worker)
        return worker

    def _run(self, host: Host, line: Sequence[str], **environment: str) -> Member:
        folder = self.folder / host.name
        folder.mkdir(exist_ok=True)
        return self._stack.enter_context(Member(host, line, folder, environment))

    # what is seen ---------------------------------------------------------------------------------------

    def wait_for_hold(self, stage: int) -> None:
        wait_for_hold(self.results, stage, self.master)

    def end(self) -> int:
        """The master's exit code, once it and every worker that is left have ended and left nothing running."""
        code = self.master.wait()
        for member in (self.master, *self.workers):
            member.wait()
            left = member.host.processes()
            wait_for(lambda host=member.host: not host.processes(), f"the end of {left} on {member.host.name}")  # type: ignore[misc]
        return code

    def answered(self) -> int:
        """How many utterances the recogniser has answered, as it says."""
        url = f"http://{self.server.host.address}:{SERVER_PORT}/healthz"
        line = self.server.host.line(sys.executable, "-c", _FETCH, url)
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        return int(json.loads(done.stdout)["utterances"])

    @property
    def utterances(self) -> list[dict]:
        return rows(run_folder(self.results) / "utterances.jsonl")

    @property
    def transitions(self) -> list[dict]:
        return rows(run_folder(self.results) / "stages.jsonl")

    @property
    def summary(self) -> dict:
        return summary(self.results)

    def broken(self) -> list[set[str]]:
        """The validity conditions that each stage broke, but for those that a busy machine breaks."""
        return [
            {found["condition"] for found in stage["validity"] if not found["is_met"]} - THE_MACHINES
            for stage in self.summary["stages"]
        ]

    def is_whole(self) -> bool:
        """Whether every utterance that a worker has ended is in the run folder, once."""
        delivery = self.transitions[-1]["delivery"]
        n = len(self.utterances)
        return bool(n == delivery["rows"] == sum(delivery["totals"].values()) and not delivery["missing_seq"])


def url_of(address: str) -> str:
    """The URL of the recogniser at this address, or of a relay to it."""
    return f"ws://{address}:{SERVER_PORT}/ws"


@dataclass(frozen=True)
class Ended:
    """A load test that is over. `cluster`: its files, and what its processes said. `code`: the master's exit code.
    `answered`: how many utterances the recogniser has answered. `took_s`: from the last fault to the end."""

    cluster: LoadCluster
    code: int
    answered: int
    took_s: float


Scene = Callable[[LoadCluster], None]
MakeCluster = Callable[[str], LoadCluster]


class Scenes:
    """Load tests that go on at the same time, since most of each is waiting. A scene starts one and does to it what is
    to be done; then it is waited for, and nothing of it may be left running."""

    def __init__(self, make_cluster: MakeCluster, *scenes: Scene) -> None:
        self._make_cluster = make_cluster
        with ThreadPoolExecutor(len(scenes)) as pool:
            self._played = {scene: pool.submit(self._play, scene) for scene in scenes}

    def ended(self, scene: Scene) -> Ended:
        """What has come of this one. Raises what it raised."""
        return self._played[scene].result()

    def _play(self, scene: Scene) -> Ended:
        with self._make_cluster(scene.__name__) as cluster:
            scene(cluster)
            since_s = time.monotonic()
            code = cluster.end()
            took_s = time.monotonic() - since_s
            print(f"{scene.__name__}: exit code {code}, {took_s:.1f} s after the last fault")
            return Ended(cluster, code, cluster.answered(), took_s)
