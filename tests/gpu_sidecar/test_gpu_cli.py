"""The sidecar as a process: what it starts, what it says, and that nothing is left when it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in import (
    DEADLINE_S,
    StandInSmi,
    dmon_row,
    environment_with_path,
    eventually,
    is_running,
    read_line,
    refusal,
    sidecar,
    start_sidecar,
)

# Starts a sidecar, says its process id and then its first line, and waits to be killed.
PARENT = """\
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "gpu_sidecar", "--port", "0", *sys.argv[1:]],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
print(child.pid, child.stdout.readline().decode().strip(), flush=True)
sys.stdin.read()
"""


def test_dmon_is_asked_for_the_chosen_gpu_at_the_chosen_interval(smi: StandInSmi) -> None:
    with sidecar(smi.environment, "--interval", "3"):
        smi.wait_for_dmon()
    assert smi.calls() == ["dmon -s um -d 3 -i 1"]


def test_the_gpu_asked_for_is_the_one_watched(smi: StandInSmi) -> None:
    with sidecar(smi.environment, "--gpu-id", "0") as running:
        smi.wait_for_dmon()
        health = running.get("/healthz").json()
    assert smi.calls() == ["dmon -s um -d 1 -i 0"]
    assert (health["gpu"]["name"], health["why"]) == ("NVIDIA L4", "asked for by index: 0")


def test_a_gpu_that_is_not_there_is_refused(smi: StandInSmi) -> None:
    code, lines = refusal(smi.environment, "--port", "0", "--gpu-id", "7")
    assert (code, lines) == (2, ["gpu_sidecar: there is no GPU 7 here: choose one of 0, 1"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_stop_leaves_no_dmon(smi: StandInSmi, number: signal.Signals) -> None:
    with sidecar(smi.environment) as running:
        dmon_pid = smi.wait_for_dmon()
        assert is_running(dmon_pid)
        running.process.send_signal(number)
        assert running.process.wait(DEADLINE_S) == 0
        assert not is_running(dmon_pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere dmon ends at its next line")
def test_kill_9_of_the_sidecar_leaves_no_dmon(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        dmon_pid = smi.wait_for_dmon()
        running.process.kill()
        eventually(lambda: not is_running(dmon_pid))


@pytest.mark.parametrize("with_pid", [False, True])
def test_kill_9_of_the_parent_ends_the_sidecar_and_dmon(smi: StandInSmi, with_pid: bool) -> None:
    script = PARENT.replace("*sys.argv[1:]", "*sys.argv[1:], str(os.getpid())") if with_pid else PARENT
    parent = subprocess.Popen(
        [sys.executable, "-c", script, "--exit-with-parent"],
        env=smi.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        sidecar_pid = int(read_line(parent).split()[0])
        dmon_pid = smi.wait_for_dmon()
        assert is_running(sidecar_pid)
        parent.kill()
        eventually(lambda: not is_running(sidecar_pid) and not is_running(dmon_pid))


def test_a_sidecar_whose_parent_is_another_than_it_was_told_ends_at_once(smi: StandInSmi) -> None:
    process = start_sidecar(smi.environment, "--port", "0", "--exit-with-parent", "1")
    try:
        process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == 0


def test_dmon_that_died_is_started_again_and_sampling_goes_on(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        subprocess.run(["kill", "-9", str(smi.wait_for_dmon())], check=True, timeout=DEADLINE_S)
        assert smi.wait_for_dmon(2)
        smi.feed(dmon_row(sm=20, fb=1000))
        assert [row["sm_pct"] for row in running.wait_for_samples(2)] == [10, 20]
        dmon = running.get("/healthz").json()["dmon"]
    assert dmon == {"alive": True, "restarts": 1, "complaint": ""}


def test_a_dmon_that_fails_is_reported_with_its_own_words(smi: StandInSmi) -> None:
    (smi.folder / "header").write_text("Failed to initialize NVML: Driver/library version mismatch\n")
    (smi.folder / "rows").unlink()
    with sidecar(smi.environment) as running:
        dmon = eventually(lambda: _if_dead(running.get("/healthz").json()["dmon"]))
    assert dmon["complaint"].startswith(("Failed to initialize NVML", "cat: "))


def test_a_row_cut_off_by_dmons_death_is_no_sample(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        smi.feed(dmon_row(sm=10, fb=1842), dmon_row(sm=20, fb=1842).rstrip("\n"))
        running.wait_for_samples(1)
        subprocess.run(["kill", "-9", str(smi.wait_for_dmon())], check=True, timeout=DEADLINE_S)
        smi.wait_for_dmon(2)
        smi.feed(dmon_row(sm=30, fb=1842))
        assert [row["sm_pct"] for row in running.wait_for_samples(2)] == [10, 30]


def test_without_nvidia_smi_there_is_one_warning_and_it_still_serves(tmp_path: Path) -> None:
    with sidecar(environment_with_path(str(tmp_path))) as running:
        health = running.get("/healthz").json()
        samples = running.get("/samples").json()["samples"]
        running.process.terminate()
        output, log = running.process.communicate(timeout=DEADLINE_S)
    assert (health["gpu"], health["why"]) == (None, "nvidia-smi is not on PATH")
    assert health["dmon"]["alive"] is False
    assert samples == []
    assert output == b""
    assert log.decode().splitlines() == [
        "gpu_sidecar: nvidia-smi is not on PATH: serving without GPU samples",
    ]


def test_an_nvidia_smi_that_fails_is_quoted(smi: StandInSmi) -> None:
    (smi.folder / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed: no driver.'\nexit 9\n")
    with sidecar(smi.environment) as running:
        health = running.get("/healthz").json()
    assert (health["gpu"], health["why"]) == (None, "nvidia-smi failed: NVIDIA-SMI has failed: no driver.")


def test_a_guessed_gpu_is_warned_of(smi: StandInSmi) -> None:
    (smi.folder / "apps").write_text("")
    with sidecar(smi.environment) as running:
        running.process.terminate()
        _, log = running.process.communicate(timeout=DEADLINE_S)
    assert log.decode().splitlines() == [
        "gpu_sidecar: no python process seen on a GPU: took device 0 of 2",
    ]


def test_a_port_in_use_gets_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, lines = refusal(environment_with_path(str(tmp_path)), "--port", port)
    advice = "choose another with --port (0 picks a free one)"
    assert (code, lines) == (
        2,
        [f"gpu_sidecar: can't listen on 127.0.0.1 port {port}: Address already in use; {advice}"],
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "http"], "argument --port: 'http' is not a whole number from 0 to 65535"),
        (["--port", "70000"], "argument --port: '70000' is not a whole number from 0 to 65535"),
        (["--interval", "0.5"], "argument --interval: '0.5' is not a whole number from 1 to 3600"),
        (["--gpu-id", "-1"], "argument --gpu-id: '-1' is not a whole number from 0 to 9999"),
        (["--token-file", "/no/such/file"], "can't read the token file /no/such/file: No such file or directory"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["--host", "no-such-host.invalid"], "--host no-such-host.invalid stands for no address"),
    ],
)
def test_bad_options_get_one_line(tmp_path: Path, options: list[str], words: str) -> None:
    code, lines = refusal(environment_with_path(str(tmp_path)), *options)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"gpu_sidecar: {words}")


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" \n")
    code, lines = refusal(environment_with_path(str(tmp_path)), "--token-file", str(tmp_path / "token"))
    assert (code, lines) == (2, [f"gpu_sidecar: the token file {tmp_path / 'token'} is empty"])


def _if_dead(dmon: dict[str, object]) -> dict[str, object]:
    return dmon if not dmon["alive"] and dmon["complaint"] else {}
