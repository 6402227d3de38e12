"""A sidecar of this machine: how it starts, ends and fails."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from stand_in import DEADLINE_S, StandInSmi, eventually, is_running

from stt_load.errors import ConfigError, DeadlineExceeded, SttLoadError
from stt_load.sidecar.client import SidecarClient
from stt_load.sidecar.local import LocalSidecar

WITHOUT_SMI = "nvidia-smi is not on PATH, nor in /usr/local/nvidia/bin, /usr/lib/wsl/lib"


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def uuids_watched(local: LocalSidecar) -> list[str]:
    client = SidecarClient(local.url, local.token)
    return eventually(lambda: client.check() and [gpu["uuid"] for gpu in client.describe_gpus()]) or []


def test_a_local_sidecar_runs_inside_its_block_only(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    monkeypatch.setenv("GPU_SIDECAR_TOKEN", "meant for another sidecar")
    monkeypatch.chdir("/")
    with LocalSidecar() as local:
        assert uuids_watched(local) == ["GPU-bbbb"]
        sidecar_pid, dmon_pid = local.pid, smi.wait_for_dmon()
        assert sidecar_pid is not None
        assert is_running(sidecar_pid)
    assert not is_running(sidecar_pid)
    assert not is_running(dmon_pid)
    local.close()  # once more is fine


def test_a_local_sidecar_is_told_a_stage_by_its_own_run_only(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users of the machine reach its port too, and one that listens there later is shown no token of ours."""
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    monkeypatch.setenv("GPU_SIDECAR_TOKEN", "meant for another sidecar")
    with LocalSidecar(gpu_id="none") as local:
        assert SidecarClient(local.url, local.token).check()
        for token in (None, "meant for another sidecar"):
            stranger = SidecarClient(local.url, token)
            stranger.announce("theirs", 7, 7, "hold")
            assert not stranger.available


def test_a_local_sidecar_that_was_killed_can_be_started_again(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with LocalSidecar() as local:
        assert (local.exit_code, local.pid is None) == (None, False)
        os.kill(local.pid or 0, signal.SIGKILL)
        assert eventually(lambda: local.exit_code) == -signal.SIGKILL
        local.start()
        assert local.exit_code is None
        assert uuids_watched(local) == ["GPU-bbbb"]
    assert local.exit_code is None


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files in memory are Linux's")
def test_a_local_sidecar_needs_no_room_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with LocalSidecar(gpu_id="none") as local:
        assert SidecarClient(local.url, local.token).check()


def test_a_local_sidecar_that_was_stopped_ends_like_any_other(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its time to end in order, and leaves no dmon."""
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with LocalSidecar() as local:
        child, dmon_pid = local._child, smi.wait_for_dmon()
        assert child is not None
        child.send_signal(signal.SIGSTOP)
    assert child.returncode == 0
    assert not is_running(dmon_pid)


def test_a_local_sidecar_watches_the_gpu_asked_for(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with LocalSidecar(gpu_id="0,GPU-bbbb") as local:
        assert uuids_watched(local) == ["GPU-aaaa", "GPU-bbbb"]


def test_a_local_sidecar_that_is_to_watch_no_gpu_asks_for_none(
    smi: StandInSmi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    (smi.folder / "gpus").unlink()  # a question would fail, and be warned of
    with LocalSidecar(gpu_id="none", server_process=f"pid:{os.getpid()}") as local:
        client = SidecarClient(local.url, local.token)
        kinds: set[str] = set()
        eventually(lambda: kinds.update(row["kind"] for row in client.pull()) or kinds == {"host", "process"})
        assert client.describe()["why"] == "no GPU was asked for"
    assert smi.calls() == []
    assert warnings_of(caplog) == []


def test_a_local_sidecar_looks_after_the_process_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        LocalSidecar(server_process=f"port:{listening.getsockname()[1]}") as local,
    ):
        client = SidecarClient(local.url, local.token)
        assert client.check()
        server = client.describe()["server"]
    assert os.getpid() in server["pids"]


def test_a_gateway_without_a_gpu_leads_to_the_known_server_that_uses_one(
    smi: StandInSmi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It hands its work to a process that is none of its children."""
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    smi.list_apps("3, /usr/lib/xorg/Xorg, GPU-aaaa\n4100, /opt/tritonserver/bin/tritonserver, GPU-bbbb\n")
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        LocalSidecar(server_process=f"port:{listening.getsockname()[1]}") as local,
    ):
        assert uuids_watched(local) == ["GPU-bbbb"]
        client = SidecarClient(local.url, local.token)
        assert client.check()
        entry = client.describe()
        eventually(lambda: local.pass_on_log() or warnings_of(caplog))
    assert entry["is_guess"] is True
    assert "and its children use no GPU; a known server does: GPU 1: tritonserver (pid 4100)" in entry["why"]
    assert warnings_of(caplog) == [f"gpu_sidecar: {entry['why']}"]


def test_a_pattern_may_begin_with_a_dash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with LocalSidecar(gpu_id="none", server_process="name:--no such option") as local:
        client = SidecarClient(local.url, local.token)
        assert client.check()
        assert client.describe()["server"]["pids"] == []


def test_a_gpu_that_is_not_there_is_a_config_error(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", smi.environment["PATH"])
    with pytest.raises(ConfigError, match=r"^gpu_sidecar: there is no GPU 7 here: choose from 0 "):
        LocalSidecar(gpu_id="7").start()


def test_without_nvidia_smi_a_local_sidecar_passes_on_the_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with LocalSidecar() as local:
        client = SidecarClient(local.url, local.token)
        eventually(lambda: client.check() and client.describe()["why"] == WITHOUT_SMI)
        local.pass_on_log()
        local.pass_on_log()
        assert client.describe_gpus() == []
    assert warnings_of(caplog) == [f"gpu_sidecar: {WITHOUT_SMI}: no GPU samples"]


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


# Under gevent, as in a run: the Popen of the standard library notices by itself that a fork is no parent.
FORKING = """\
from gevent import monkey
monkey.patch_all()
import os
import gevent
from stt_load.sidecar.client import SidecarClient
from stt_load.sidecar.local import LocalSidecar

with LocalSidecar(gpu_id="none") as local:
    fork = os.fork()
    if fork == 0:
        local.close()
        os._exit(0)
    os.waitpid(fork, 0)
    client = SidecarClient(local.url, local.token)
    client.check()
    while client.available and not client.pull():
        gevent.sleep(0.02)
    print(client.available)
"""


def test_a_fork_that_closes_its_copy_stops_nothing(smi: StandInSmi) -> None:
    command = [sys.executable, "-c", FORKING]
    done = subprocess.run(command, env=smi.environment, capture_output=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stdout) == (0, b"True\n"), done.stderr.decode()


UNDER_GEVENT = """\
from gevent import monkey
monkey.patch_all()
import json, sys
import gevent
from stt_load.sidecar.local import LocalSidecar
from stt_load.sidecar.client import SidecarClient

ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.001)

gevent.spawn(tick)
with LocalSidecar() as local:
    ticks_of_start = ticks
    client = SidecarClient(local.url, local.token)
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
