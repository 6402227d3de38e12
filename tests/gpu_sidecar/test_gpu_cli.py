"""The sidecar as a process: what it starts, what it says, and that nothing is left when it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from ports import free_port
from stand_in import (
    CHECKOUT,
    DEADLINE_S,
    OF_THE_CHECKOUT,
    RunningSidecar,
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

from gpu_sidecar.tool_path import not_found

# A dmon that says nothing for three periods is killed: a test that feeds it may take its time.
FED_BY_HAND = ("--no-host", "--interval", "60")

# Starts a sidecar, says its process id and then its first line, and waits to be killed.
PARENT = """\
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "gpu_sidecar", "--port", "0", *sys.argv[1:]],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
print(child.pid, child.stdout.readline().decode().strip(), flush=True)
sys.stdin.read()
"""


def test_dmon_is_asked_at_the_chosen_interval(smi: StandInSmi) -> None:
    with sidecar(smi.environment, "--interval", "3"):
        smi.wait_for_dmon()
    (call,) = smi.calls()
    assert call.startswith("dmon -s ")
    assert " -d 3" in call


def test_only_the_gpu_that_python_uses_is_watched(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        smi.feed(*(dmon_row(sm=sm, fb=1000, gpu=gpu) for sm, gpu in [(10, 0), (20, 1), (30, 0), (40, 1)]))
        rows = running.wait_for_samples(2)
        health = running.get("/healthz").json()
    assert [(row["gpu"], row["sm_pct"]) for row in rows] == [(1, 20), (1, 40)]
    assert [gpu["index"] for gpu in health["gpus"]] == [1]


@pytest.mark.parametrize("gpu_id", ["0", "GPU-aaaa"])
def test_the_gpu_asked_for_is_the_one_watched(smi: StandInSmi, gpu_id: str) -> None:
    with sidecar(smi.environment, *FED_BY_HAND, "--gpu-id", gpu_id) as running:
        smi.feed(dmon_row(sm=10, fb=1000, gpu=0), dmon_row(sm=20, fb=1000, gpu=1), dmon_row(sm=30, fb=1000, gpu=0))
        rows = running.wait_for_samples(2)
        health = running.get("/healthz").json()
    assert [row["sm_pct"] for row in rows] == [10, 30]
    assert ([gpu["name"] for gpu in health["gpus"]], health["is_guess"]) == (["NVIDIA L4"], False)


def test_all_gpus_can_be_watched_at_once(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND, "--gpu-id", "all") as running:
        smi.feed(dmon_row(sm=10, fb=1000, gpu=0), dmon_row(sm=20, fb=1000, gpu=1))
        assert [(row["gpu"], row["sm_pct"]) for row in running.wait_for_samples(2)] == [(0, 10), (1, 20)]
        text = running.get("/metrics").text
    assert text.count("\ngpu_sm_utilization_ratio{") == 2


def test_a_gpu_that_is_not_there_is_refused(smi: StandInSmi) -> None:
    code, lines = refusal(smi.environment, "--port", "0", "--gpu-id", "7")
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("gpu_sidecar: there is no GPU 7 here")


def test_an_nvidia_smi_that_hangs_keeps_nobody_from_listening_nor_from_stopping(smi: StandInSmi) -> None:
    (smi.folder / "nvidia-smi").write_text(f"#!/bin/sh\necho $$ >> '{smi.folder}/pids'\nexec sleep 600\n")
    with sidecar(smi.environment) as running:
        hanging_pid = smi.wait_for_dmon()
        health = running.get("/healthz").json()
        rows = running.wait_for_samples(1, kind="host")
        running.process.terminate()
        assert running.process.wait(DEADLINE_S) == 0
        assert not any(is_running(pid) for pid in smi.dmon_pids())
    assert hanging_pid
    assert (health["gpus"], health["why"]) == ([], "nvidia-smi has not answered yet")
    assert rows


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_to_stop_leaves_no_dmon(smi: StandInSmi, number: signal.Signals) -> None:
    with sidecar(smi.environment) as running:
        dmon_pid = smi.wait_for_dmon()
        assert is_running(dmon_pid)
        running.process.send_signal(number)
        assert running.process.wait(DEADLINE_S) == 0
        assert not is_running(dmon_pid)


# As nohup starts a program, and a script's `&`.
DEAF = """\
import signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD):
    signal.signal(number, signal.SIG_IGN)
from gpu_sidecar.cli import main
sys.exit(main())
"""


def test_ctrl_c_in_the_middle_of_an_import_ends_it_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "ipaddress.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        OF_THE_CHECKOUT, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as sidecar:
        assert sidecar.stdout is not None
        assert sidecar.stdout.readline() == "importing\n"
        sidecar.send_signal(signal.SIGINT)
        said = sidecar.communicate(timeout=DEADLINE_S)
    assert (sidecar.returncode, said) == (0, ("", ""))


def test_signals_that_were_ignored_at_the_start_do_not_end_it_and_sigterm_does(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND, program=[sys.executable, "-c", DEAF]) as running:
        dmon_pid = smi.wait_for_dmon()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            running.process.send_signal(number)
        smi.feed(dmon_row(sm=10, fb=1000))
        assert len(running.wait_for_samples(1)) == 1
        subprocess.run(["kill", "-9", str(dmon_pid)], check=True, timeout=DEADLINE_S)
        source = eventually(lambda: with_gap(running.get("/healthz").json()["sources"][0]))
        assert source["gaps"][0]["why"] == "dmon died: killed by signal 9", "children are waited for all the same"
        dmon_pid = smi.wait_for_dmon(2)
        running.process.terminate()
        assert running.process.wait(DEADLINE_S) == 0
        assert not is_running(dmon_pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it ends when the driver answers")
def test_kill_9_of_the_sidecar_leaves_no_nvidia_smi_that_hangs(smi: StandInSmi) -> None:
    (smi.folder / "nvidia-smi").write_text(f"#!/bin/sh\necho $$ >> '{smi.folder}/pids'\nexec sleep 600\n")
    with sidecar(smi.environment) as running:
        hanging_pid = smi.wait_for_dmon()
        running.process.kill()
        eventually(lambda: not is_running(hanging_pid))


def test_kill_9_of_a_deaf_sidecar_leaves_no_dmon(smi: StandInSmi) -> None:
    with sidecar(smi.environment, program=[sys.executable, "-c", DEAF]) as running:
        dmon_pid = smi.wait_for_dmon()
        running.process.kill()
        eventually(lambda: not is_running(dmon_pid))


def test_a_second_signal_leaves_at_once_and_no_dmon(smi: StandInSmi) -> None:
    """A dmon that ignores SIGTERM would be waited for."""
    (smi.folder / "header").write_text("")
    script = smi.folder / "nvidia-smi"
    script.write_text(script.read_text().replace("dmon*) ", "dmon*) trap '' TERM; "))
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        dmon_pid = smi.wait_for_dmon()
        running.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(0.5)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(4.0) == 0  # dmon has five seconds
        eventually(lambda: not is_running(dmon_pid))


# Its stdout and stderr are what the first word says.
WITH_STREAMS = """\
import os, socket, sys
from pathlib import Path
kind = sys.argv.pop(1)
reader, writer = os.pipe()
if kind == "closed":
    os.closerange(0, 3)
else:
    stream = os.open("/dev/full", os.O_WRONLY) if kind == "full disk" else writer
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    if kind == "no reader":
        os.close(reader)
    else:
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
from gpu_sidecar.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("kind", ["closed", "full disk", "no reader", "full pipe"])
def test_it_samples_and_answers_whatever_its_stdout_and_stderr_are(smi: StandInSmi, kind: str) -> None:
    smi.list_apps("")  # so that it has a warning to print
    port = free_port()
    command = [sys.executable, "-c", WITH_STREAMS, kind, "--port", str(port), *FED_BY_HAND]
    with subprocess.Popen(command, env=smi.environment) as process:
        running = RunningSidecar(f"http://127.0.0.1:{port}", process)
        try:
            smi.wait_for_dmon()
            smi.feed(dmon_row(sm=10, fb=1000))
            eventually(lambda: answers(running))
            assert len(running.wait_for_samples(1)) == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()


def answers(running: RunningSidecar) -> bool:
    try:
        return running.get("/healthz").ok
    except requests.ConnectionError:
        return False


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


def test_dmon_that_died_is_started_again_and_the_gap_is_told(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        subprocess.run(["kill", "-9", str(smi.wait_for_dmon())], check=True, timeout=DEADLINE_S)
        assert smi.wait_for_dmon(2)
        smi.feed(dmon_row(sm=20, fb=1000))
        first, second = running.wait_for_samples(2)
        source = eventually(lambda: with_closed_gap(running.get("/healthz").json()["sources"][0]))
    assert [first["sm_pct"], second["sm_pct"]] == [10, 20]
    assert (source["is_alive"], source["restarts"]) == (True, 1)
    (gap,) = source["gaps"]
    assert first["t"] - 1 < gap["began"] < gap["ended"] < second["t"] + 1
    assert gap["why"]


def test_a_dmon_that_fails_is_reported_with_its_own_words(smi: StandInSmi) -> None:
    (smi.folder / "header").write_text("Failed to initialize NVML: Driver/library version mismatch\n")
    (smi.folder / "rows").unlink()
    with sidecar(smi.environment, "--no-host") as running:
        complaint = eventually(lambda: running.get("/healthz").json()["sources"][0]["complaint"])
    assert complaint.startswith(("Failed to initialize NVML", "cat: "))


def test_without_nvidia_smi_there_is_one_warning_and_it_still_serves(tmp_path: Path) -> None:
    with sidecar(environment_with_path(str(tmp_path)), "--no-host") as running:
        health = eventually(lambda: with_reason(running.get("/healthz").json()))
        samples = running.get("/samples").json()["samples"]
        running.process.terminate()
        output, log = running.process.communicate(timeout=DEADLINE_S)
    assert (health["gpus"], health["why"], health["sources"]) == ([], not_found("nvidia-smi"), [])
    assert samples == []
    assert output == b""
    assert log.decode().splitlines() == [f"gpu_sidecar: {not_found('nvidia-smi')}: no GPU samples"]


def test_an_nvidia_smi_that_fails_is_quoted(smi: StandInSmi) -> None:
    (smi.folder / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed: no driver.'\nexit 9\n")
    with sidecar(smi.environment) as running:
        health = eventually(lambda: with_reason(running.get("/healthz").json()))
    assert (health["gpus"], health["why"]) == ([], "nvidia-smi failed: NVIDIA-SMI has failed: no driver.")


def test_a_guessed_gpu_is_warned_of(smi: StandInSmi) -> None:
    (smi.folder / "apps").write_text("")
    with sidecar(smi.environment) as running:
        health = eventually(lambda: with_reason(running.get("/healthz").json()))
        running.process.terminate()
        _, log = running.process.communicate(timeout=DEADLINE_S)
    assert (len(health["gpus"]), health["is_guess"]) == (2, True)
    assert log.decode().splitlines() == [f"gpu_sidecar: {health['why']}"]


def test_a_recording_is_what_was_served_and_survives_a_kill(smi: StandInSmi, tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    with sidecar(smi.environment, *FED_BY_HAND, "--record", str(path)) as running:
        smi.feed(dmon_row(sm=10, fb=1000), dmon_row(sm=20, fb=1000))
        rows = running.wait_for_samples(2)
        running.post_stage(run_id="r1", stage=0, users=1, phase="hold")
        assert running.get("/healthz").json()["recording"] == {"lines": 3, "lost": 0, "complaint": ""}
        running.process.kill()
        running.process.wait(DEADLINE_S)
    header, *samples, change = (json.loads(line) for line in path.read_text().splitlines())
    assert ([gpu["uuid"] for gpu in header["gpus"]], header["sources"][0]["name"]) == (["GPU-bbbb"], "dmon")
    assert [(row["t"], row["gpu"], row["sm_pct"]) for row in samples] == [(row["t"], 1, row["sm_pct"]) for row in rows]
    assert change["mark"]["run_id"] == "r1"


def test_a_recording_is_played_with_its_gpus_and_its_spacing(smi: StandInSmi, tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    with sidecar(smi.environment, *FED_BY_HAND, "--record", str(path)) as running:
        for sm in (10, 20, 30):
            smi.feed(dmon_row(sm=sm, fb=1000))
            recorded = running.wait_for_samples(sm // 10)
        gpus = running.get("/healthz").json()["gpus"]
    with sidecar(environment_with_path(str(tmp_path / "no programs")), "--replay", str(path)) as running:
        played = running.wait_for_samples(3)
        health = eventually(lambda: when_ended(running.get("/healthz").json()))
        assert running.samples("host") == [], "this host is not the one of the recording"
    assert [row["sm_pct"] for row in played] == [10, 20, 30]
    assert played[2]["mono"] - played[0]["mono"] >= recorded[2]["mono"] - recorded[0]["mono"] - 0.001
    assert (health["gpus"], health["why"]) == (gpus, "played from recording.jsonl")
    (source,) = health["sources"]
    assert (source["name"], source["is_alive"], source["complaint"]) == ("replay", False, "the recording ended")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_a_full_disk_costs_the_recording_and_no_sample(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND, "--record", "/dev/full") as running:
        smi.feed(dmon_row(sm=10, fb=1000), dmon_row(sm=20, fb=1000))
        assert len(running.wait_for_samples(2)) == 2
        recording = running.get("/healthz").json()["recording"]
        running.process.terminate()
        _, log = running.process.communicate(timeout=DEADLINE_S)
    complaint = "can't write to /dev/full: No space left on device"
    assert recording == {"lines": 0, "lost": 2, "complaint": complaint}
    assert log.decode().splitlines() == [f"gpu_sidecar: recording: {complaint}; sampling goes on"]


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
        (
            ["--interval", "0.5"],
            "--interval 0.5 is not possible with --source dmon: give a whole number of seconds from 1",
        ),
        (["--record", "/no/such/folder/r"], "can't open the recording /no/such/folder/r: No such file or directory"),
        (["--replay", "/no/such/file"], "can't open the recording /no/such/file: No such file or directory"),
        (["--replay", __file__], f"{__file__} was not written by --record: its first line is not a header"),
        (["--record", __file__], f"{__file__} was not written by --record: its first line is not a header"),
        (["--host", "no-such-host.invalid"], "--host no-such-host.invalid has no address"),
    ],
)
def test_what_cannot_be_done_gets_one_line(tmp_path: Path, options: list[str], words: str) -> None:
    code, lines = refusal(environment_with_path(str(tmp_path)), "--port", "0", *options)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"gpu_sidecar: {words}")


def with_reason(health: dict[str, Any]) -> dict[str, Any]:
    """Empty until nvidia-smi has answered."""
    return {} if health["why"] == "nvidia-smi has not answered yet" else health


def when_ended(health: dict[str, Any]) -> dict[str, Any]:
    return health if health["sources"][0]["complaint"] else {}


def with_gap(source: dict[str, Any]) -> dict[str, Any]:
    return source if source["gaps"] else {}


def with_closed_gap(source: dict[str, Any]) -> dict[str, Any]:
    return source if source["gaps"] and source["gaps"][-1]["ended"] is not None else {}
