"""The client against whole sidecars, against what is no sidecar, and a sidecar of its own."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from stand_in import (
    DEADLINE_S,
    StandInSmi,
    dmon_row,
    environment_with_path,
    eventually,
    is_running,
    sidecar,
)

from stt_load.errors import ConfigError, DeadlineExceeded, SttLoadError
from stt_load.sidecar_client import LocalSidecar, SidecarClient


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_samples_come_once_each_with_their_stage(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 0, 5, "hold")
        smi.feed(dmon_row(sm=40, fb=1800), dmon_row(sm=50, fb=1900))
        running.wait_for_samples(2)
        first = client.pull()
        client.announce("r1", 0, 5, "grace")
        smi.feed(dmon_row(sm=60, fb=2000))
        running.wait_for_samples(3)
        second, third = client.pull(), client.pull()
    assert [(row["sm_pct"], row["phase"]) for row in first] == [(40, "hold"), (50, "hold")]
    assert [(row["sm_pct"], row["phase"]) for row in second] == [(60, "grace")]
    assert third == []


def test_samples_from_before_the_first_contact_are_somebody_elses(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        client = SidecarClient(running.url)
        assert client.pull() == []
        smi.feed(dmon_row(sm=20, fb=1000))
        running.wait_for_samples(2)
        assert [row["sm_pct"] for row in client.pull()] == [20]


@pytest.mark.parametrize("ahead_s", [0.0, 30.0, -30.0])
def test_times_are_on_our_clock_whatever_the_sidecars_says(smi: StandInSmi, ahead_s: float) -> None:
    with sidecar(smi.environment, clock_ahead_s=ahead_s) as running:
        client = SidecarClient(running.url)
        client.describe()
        before = time.time()
        smi.feed(dmon_row(sm=40, fb=1800))
        running.wait_for_samples(1)
        (row,) = client.pull()
        after = time.time()
    offset_s, uncertainty_s = client.clock_offset_s, client.clock_uncertainty_s
    assert offset_s is not None
    assert uncertainty_s is not None
    assert offset_s == pytest.approx(ahead_s, abs=uncertainty_s + 0.001)
    assert before - uncertainty_s <= row["t"] <= after + uncertainty_s


def test_the_exchange_with_the_shortest_round_trip_is_kept(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        client = SidecarClient(running.url)
        uncertainties_s = []
        for _ in range(20):
            client.pull()
            uncertainties_s.append(client.clock_uncertainty_s)
    assert uncertainties_s == sorted(uncertainties_s, key=lambda s: -float(s or 0))


def test_a_restarted_sidecar_is_read_from_its_beginning_and_told_the_stage(smi: StandInSmi, free_port: int) -> None:
    with sidecar(smi.environment, port=free_port) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 3, 20, "hold")
        smi.feed(dmon_row(sm=10, fb=1000), dmon_row(sm=20, fb=1000))
        running.wait_for_samples(2)
        assert [row["seq"] for row in client.pull()] == [1, 2]
        running.process.kill()
        running.process.wait(DEADLINE_S)
    with sidecar(smi.environment, port=free_port) as running:
        smi.feed(dmon_row(sm=30, fb=1000))
        running.wait_for_samples(1)
        before_it_knew = client.pull()
        smi.feed(dmon_row(sm=40, fb=1000))
        running.wait_for_samples(2)
        after_it_knew = client.pull()
    assert [(row["seq"], row["sm_pct"], row["stage"]) for row in before_it_knew] == [(1, 30, None)]
    assert [(row["seq"], row["sm_pct"], row["stage"]) for row in after_it_knew] == [(2, 40, 3)]


def test_nobody_there_costs_one_warning_until_it_is_back(
    smi: StandInSmi, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{free_port}"
    client = SidecarClient(url)
    client.announce("r1", 0, 5, "hold")
    assert client.pull() == []
    assert client.describe()["why"] == f"no answer from the GPU sidecar at {url}"
    assert client.available is False
    assert warnings_of(caplog) == [f"GPU sidecar {url}: nobody answers there; no GPU figures until it is back"]
    caplog.clear()
    with sidecar(smi.environment, port=free_port) as running:
        client.pull()
        assert client.available is True
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        assert [row["stage"] for row in client.pull()] == [0]  # the announcement that was lost was made up for
    client.pull()
    client.pull()
    assert warnings_of(caplog) == [
        f"GPU sidecar {url}: back",
        f"GPU sidecar {url}: nobody answers there; no GPU figures until it is back",
    ]


def test_a_sidecar_that_never_answers_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = SidecarClient(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.05)
        client.announce("r1", 0, 5, "hold")
        assert client.pull() == []
    assert [line.partition(": ")[2] for line in warnings_of(caplog)] == [
        "no answer within 0.05 s; no GPU figures until it is back"
    ]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "<html>hello</html>", "what answers there is not a GPU sidecar"),
        (200, "[]", "what answers there is not a GPU sidecar"),
        (200, "{}", "what answers there is not a GPU sidecar"),
        (200, '{"clock": {"wall": "x", "mono": 1}, "boot": "b", "next": 0}', "could not convert"),
        (200, '{"clock": {"wall": 1, "mono": 1}, "boot": "b", "next": 0}', "its samples can't be read"),
        (
            200,
            '{"clock": {"wall": 1, "mono": 1}, "boot": "b", "next": 0, "samples": 3, "gpu": 3}',
            "its samples can't be read",
        ),
        (404, '{"error": "no such path"}', "it answered 404: no such path"),
        (302, "{}", "it answered 302"),
        (401, "", "it wants a token, or another one"),
    ],
)
def test_what_is_no_sidecar_is_named_and_never_raises(
    status: int, body: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(status, body) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert client.pull() == []
        assert client.available is False
        client.describe()
    assert words in warnings_of(caplog)[0]


@pytest.mark.parametrize("url", ["localhost:9550", "http://", "http://[::1", "gopher://x", "http://a b"])
def test_a_url_that_is_none_never_raises(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert SidecarClient(url).pull() == []
    assert len(warnings_of(caplog)) == 1


class answering:  # noqa: N801 - read as "with answering(404, ...)"
    """An HTTP server on loopback that says the same to everybody."""

    def __init__(self, status: int, body: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(DEADLINE_S)
        self._server.server_close()


def test_a_token_opens_a_guarded_sidecar(smi: StandInSmi, caplog: pytest.LogCaptureFixture) -> None:
    environment = {**smi.environment, "GPU_SIDECAR_TOKEN": "s3cret-überall"}
    with sidecar(environment) as running:
        assert SidecarClient(running.url, token="s3cret-überall").describe()["index"] == 1
        for token in (None, "wrong"):
            assert SidecarClient(running.url, token=token).describe()["index"] is None
    assert len(warnings_of(caplog)) == 2
    assert all("it wants a token, or another one" in line for line in warnings_of(caplog))
    assert not any("s3cret" in record.getMessage() for record in caplog.records)


def test_a_local_sidecar_runs_inside_its_block_only(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    monkeypatch.setenv("GPU_SIDECAR_TOKEN", "meant for another sidecar")
    monkeypatch.chdir("/")
    with LocalSidecar() as local:
        client = SidecarClient(local.url)
        assert client.describe()["uuid"] == "GPU-bbbb"
        sidecar_pid, dmon_pid = local.pid, smi.wait_for_dmon()
        assert sidecar_pid is not None
        assert is_running(sidecar_pid)
    assert not is_running(sidecar_pid)
    assert not is_running(dmon_pid)
    local.close()  # once more is fine


def test_a_local_sidecar_watches_the_gpu_asked_for(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with LocalSidecar(gpu_id=0) as local:
        assert SidecarClient(local.url).describe()["uuid"] == "GPU-aaaa"


def test_a_gpu_that_is_not_there_is_a_config_error(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with pytest.raises(ConfigError, match=r"^gpu_sidecar: there is no GPU 7 here: choose one of 0, 1$"):
        LocalSidecar(gpu_id=7).start()


def test_without_nvidia_smi_a_local_sidecar_passes_on_the_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with LocalSidecar() as local:
        description = SidecarClient(local.url).describe()
    assert (description["index"], description["why"]) == (None, "nvidia-smi is not on PATH")
    assert warnings_of(caplog) == ["gpu_sidecar: nvidia-smi is not on PATH: serving without GPU samples"]


def test_a_local_sidecar_that_does_not_come_up_in_time_is_stopped(
    smi: StandInSmi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    local = LocalSidecar(start_timeout_s=0.0)
    with pytest.raises(DeadlineExceeded, match=r"did not start within 0 s"):
        local.start()
    assert local.pid is None


def test_a_local_sidecar_that_breaks_is_explained(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    (smi.folder / "http").mkdir()
    (smi.folder / "http" / "__init__.py").write_text("raise SystemExit('a broken Python')")
    monkeypatch.setenv("PYTHONPATH", str(smi.folder))
    monkeypatch.chdir(smi.folder)  # `-m` looks here first
    with pytest.raises(SttLoadError, match=r"^the GPU sidecar ended at once \(exit 1\): a broken Python$"):
        LocalSidecar().start()


def test_a_fork_that_closes_its_copy_stops_nothing(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with LocalSidecar() as local:
        fork = os.fork()
        if fork == 0:
            local.close()
            os._exit(0)
        assert os.waitpid(fork, 0)[1] == 0
        assert SidecarClient(local.url).describe()["index"] == 1


UNDER_GEVENT = """\
from gevent import monkey
monkey.patch_all()
import json, sys
import gevent
from stt_load.sidecar_client import LocalSidecar, SidecarClient

ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.001)

gevent.spawn(tick)
with LocalSidecar() as local:
    ticks_of_start = ticks
    client = SidecarClient(local.url)
    announcing = [gevent.spawn(client.announce, "r1", 0, users, "hold") for users in range(5)]
    gevent.joinall([*announcing, gevent.spawn(client.pull)], timeout=30, raise_error=True)
    print(json.dumps([local.pid, client.available, ticks_of_start]), flush=True)
    if sys.argv[1] == "hang":
        sys.stdin.read()
"""


def start_under_gevent(smi: StandInSmi, how: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", UNDER_GEVENT, how]
    return subprocess.Popen(
        command, env=smi.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_it_works_under_gevent_and_lets_other_greenlets_run(smi: StandInSmi) -> None:
    with start_under_gevent(smi, "end") as process:
        output, log = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, log.decode()
    pid, available, ticks_of_start = json.loads(output)
    assert available is True
    assert ticks_of_start > 1
    assert not is_running(pid)


def test_kill_9_of_the_master_ends_its_local_sidecar_and_dmon(smi: StandInSmi) -> None:
    with start_under_gevent(smi, "hang") as process:
        assert process.stdout is not None
        pid = json.loads(process.stdout.readline())[0]
        dmon_pid = smi.wait_for_dmon()
        assert is_running(pid)
        process.kill()
        eventually(lambda: not is_running(pid) and not is_running(dmon_pid))


def test_several_sidecars_are_several_clients(smi: StandInSmi, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with (
        sidecar(smi.environment) as with_gpu,
        sidecar(environment_with_path(str(tmp_path / "empty"))) as without,
    ):
        clients = [SidecarClient(with_gpu.url), SidecarClient(without.url)]
        for client in clients:
            client.announce("r1", 0, 5, "hold")
        smi.feed(dmon_row(sm=40, fb=1800))
        with_gpu.wait_for_samples(1)
        assert [len(client.pull()) for client in clients] == [1, 0]
        assert [client.available for client in clients] == [True, True]
