"""What is watched, while servers come and go and nvidia-smi answers, fails or hangs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import IDLE, LISTENING, WITH_CHILD, program
from stand_in import TWO_GPUS, StandInSmi, eventually, is_running

from gpu_sidecar import nvidia_smi
from gpu_sidecar.discovery import Discovery
from gpu_sidecar.gpu_choice import GpuSelector, UnknownGpu, parse_gpu_selector
from gpu_sidecar.metrics import GPU, HOST
from gpu_sidecar.nvidia_smi import NvidiaSmi, QueryFailed
from gpu_sidecar.proc import Proc
from gpu_sidecar.sample import Sample
from gpu_sidecar.server_choice import ServerSelector, parse_server_selector
from gpu_sidecar.tool_path import not_found

OFTEN_S = 0.05

# Notes that it was asked, and hangs in a child of its own.
HANGING = '#!/bin/sh\necho $$ >> "${0%/*}/asked"\nsleep 600\n'


class CountingSmi(StandInSmi):
    """An nvidia-smi that notes every query."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        script = folder / "nvidia-smi"
        script.write_text(script.read_text().replace("#!/bin/sh\n", f'#!/bin/sh\necho x >> "{folder}/asked"\n', 1))

    def n_questions(self) -> int:
        asked = self.folder / "asked"
        return len(asked.read_text().split()) if asked.exists() else 0


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingSmi]:
    stand_in = CountingSmi(tmp_path)
    monkeypatch.setenv("PATH", stand_in.environment["PATH"])
    yield stand_in
    stand_in.close()


@contextmanager
def watching(
    gpu: str = "", server: str = "", ask_again_s: float = OFTEN_S, proc: Proc | None = None
) -> Iterator[Discovery]:
    selector = parse_server_selector(server) if server else None
    discovery = Discovery(parse_gpu_selector(gpu), selector, proc, tree_period_s=OFTEN_S, ask_again_s=ask_again_s)
    discovery.start()
    try:
        yield discovery
    finally:
        discovery.stop()


def indexes(discovery: Discovery) -> list[int]:
    return [gpu.index for gpu in discovery.gpu_choice.gpus]


def put_apps(smi: StandInSmi, *apps: str) -> None:
    """Replaces the file in one step, so that nobody reads half of it."""
    new = smi.folder / "apps.new"
    new.write_text("".join(f"{app}\n" for app in apps))
    new.replace(smi.folder / "apps")


class CountingProc(Proc):
    n_looks = 0

    def is_there(self) -> bool:
        self.n_looks += 1
        return super().is_there()


def gpu_sample(index: int) -> Sample:
    return Sample(GPU, {}, gpu=index)


def test_the_python_process_on_a_gpu_tells_the_gpu_and_the_server(smi: CountingSmi) -> None:
    said: list[str] = []
    with program(WITH_CHILD, said=said) as server:
        put_apps(smi, f"{server.pid}, /usr/bin/python3, GPU-bbbb")
        with watching() as discovery:
            assert eventually(lambda: discovery.server_choice.pids) == tuple(sorted([server.pid, int(said[0])]))
            assert (indexes(discovery), discovery.gpu_choice.why) == ([1], f"GPU 1: python3 (pid {server.pid})")


def test_only_samples_of_chosen_gpus_are_wanted_and_all_others(smi: CountingSmi) -> None:
    discovery = Discovery(GpuSelector(("1",)), None)
    assert not discovery.selects(gpu_sample(1))  # nobody knows yet
    with watching("1") as discovery:
        eventually(lambda: discovery.gpu_choice.gpus)
        assert [discovery.selects(gpu_sample(index)) for index in (0, 1)] == [False, True]
        assert discovery.selects(Sample(HOST, {}))


def test_a_server_that_starts_after_the_sidecar_is_found_with_its_gpu(smi: CountingSmi) -> None:
    said: list[str] = []
    with program(LISTENING, "0", said=said):
        port = said[0]
    with watching(server=f"port:{port}") as discovery:
        eventually(lambda: discovery.gpu_choice.is_guess)
        assert discovery.server_choice.pids == ()
        with program(LISTENING, port) as server:
            put_apps(smi, "7, python3, GPU-bbbb", f"{server.pid}, tritonserver, GPU-aaaa")
            eventually(lambda: indexes(discovery) == [0])
            assert discovery.server_choice.pids == (server.pid,)
            assert discovery.gpu_choice.why == f"GPU 0: tritonserver (pid {server.pid})"


def test_a_server_that_is_started_again_is_found_again_on_another_gpu(smi: CountingSmi) -> None:
    said: list[str] = []
    with program(LISTENING, "0", said=said) as first:
        put_apps(smi, f"{first.pid}, python3, GPU-aaaa")
        with watching(server=f"port:{said[0]}") as discovery:
            eventually(lambda: indexes(discovery) == [0])
            first.kill()
            eventually(lambda: not discovery.server_choice.pids)
            assert indexes(discovery) == [0]  # while it is away its GPU stays
            with program(LISTENING, said[0]) as second:
                put_apps(smi, f"{second.pid}, python3, GPU-bbbb")
                eventually(lambda: indexes(discovery) == [1])
                assert discovery.server_choice.pids == (second.pid,)


def test_a_server_that_is_back_is_asked_for_until_it_has_loaded_its_model(smi: CountingSmi) -> None:
    said: list[str] = []
    with program(LISTENING, "0", said=said) as first:
        put_apps(smi, f"{first.pid}, python3, GPU-aaaa", "7, python3, GPU-bbbb")
        with watching(server=f"port:{said[0]}") as discovery:
            eventually(lambda: indexes(discovery) == [0])
            first.kill()
            eventually(lambda: not discovery.server_choice.pids)
            put_apps(smi, "7, python3, GPU-bbbb")
            with program(LISTENING, said[0]) as second:
                eventually(lambda: discovery.server_choice.pids == (second.pid,))
                n = smi.n_questions()
                eventually(lambda: smi.n_questions() > n + 4)  # so one at least was about the second
                assert indexes(discovery) == [0]
                put_apps(smi, f"{second.pid}, python3, GPU-bbbb")
                eventually(lambda: indexes(discovery) == [1])


def test_another_python_process_takes_the_place_of_one_that_ended(smi: CountingSmi) -> None:
    with program(IDLE) as first, program(IDLE) as second, watching() as discovery:
        put_apps(smi, f"{first.pid}, python3, GPU-aaaa")
        eventually(lambda: discovery.server_choice.pids == (first.pid,))
        put_apps(smi)
        first.kill()
        eventually(lambda: not discovery.server_choice.pids)
        n = smi.n_questions()
        eventually(lambda: smi.n_questions() > n + 4)
        assert indexes(discovery) == [0]
        put_apps(smi, f"{second.pid}, python3, GPU-bbbb")
        eventually(lambda: indexes(discovery) == [1])
        eventually(lambda: discovery.server_choice.pids == (second.pid,))


def test_a_server_by_pid_that_ended_is_gone_and_says_so(smi: CountingSmi) -> None:
    with program(IDLE) as server, watching(server=f"pid:{server.pid}") as discovery:
        assert discovery.server_choice.pids == (server.pid,)
        server.kill()
        eventually(lambda: not discovery.server_choice.pids)
        assert discovery.server_choice.why.startswith(f"process {server.pid} is gone")


def test_a_guess_gives_way_to_knowledge_but_knowledge_to_no_guess_before_the_next_run(smi: CountingSmi) -> None:
    put_apps(smi)
    with program(IDLE) as server, watching() as discovery:
        eventually(lambda: discovery.gpu_choice.is_guess)
        assert indexes(discovery) == [0, 1]
        put_apps(smi, f"{server.pid}, python3, GPU-bbbb")
        eventually(lambda: discovery.server_choice.pids)
        assert indexes(discovery) == [1]
        put_apps(smi)
        server.kill()
        eventually(lambda: not discovery.server_choice.pids)
        assert indexes(discovery) == [1]
        discovery.rediscover()
        eventually(lambda: discovery.gpu_choice.is_guess)
        assert indexes(discovery) == [0, 1]


def test_a_failing_nvidia_smi_takes_nothing_away(smi: CountingSmi) -> None:
    with watching("1") as discovery:
        eventually(lambda: discovery.gpu_choice.gpus)
        (smi.folder / "nvidia-smi").write_text(
            '#!/bin/sh\necho x >> "${0%/*}/failed"; echo "Driver/library version mismatch"; exit 18\n'
        )
        discovery.rediscover()
        eventually(lambda: len(read(smi.folder / "failed").split()) > 1)  # so the first failure has been taken
        assert indexes(discovery) == [1]


def test_what_is_known_is_not_asked_for_again_until_a_run_begins(smi: CountingSmi) -> None:
    proc = CountingProc()
    with program(IDLE) as server:
        put_apps(smi, f"{server.pid}, python3, GPU-bbbb")
        with watching(server=f"pid:{server.pid}", proc=proc) as discovery:
            eventually(lambda: discovery.gpu_choice.gpus)
            questions_of_one_look = smi.n_questions()
            n_looks = proc.n_looks
            eventually(lambda: proc.n_looks > n_looks + 5)  # more often than nvidia-smi might have been asked
            assert smi.n_questions() == questions_of_one_look
            discovery.rediscover()
            eventually(lambda: smi.n_questions() == 2 * questions_of_one_look)


def test_without_gpus_nvidia_smi_is_not_asked(smi: CountingSmi) -> None:
    with program(IDLE) as server, watching("none", f"pid:{server.pid}") as discovery:
        assert discovery.wait_until_decided(0)
        assert (discovery.gpu_choice.gpus, discovery.gpu_choice.why) == ((), "no GPU was asked for")
        assert discovery.server_choice.pids == (server.pid,)
    assert smi.n_questions() == 0


def test_a_gpu_that_is_not_there_is_told_at_the_start(smi: CountingSmi) -> None:
    with watching("7") as discovery:
        with pytest.raises(UnknownGpu, match="there is no GPU 7 here"):
            discovery.wait_until_decided(30)
        assert (discovery.gpu_choice.gpus, discovery.gpu_choice.why[:20]) == ((), "there is no GPU 7 he")


def test_without_nvidia_smi_there_is_no_gpu_and_samples_of_another_vendors_tool_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with watching() as discovery:
        assert discovery.wait_until_decided(30)
        assert (discovery.gpu_choice.gpus, discovery.gpu_choice.why) == ((), not_found("nvidia-smi"))
        assert discovery.selects(gpu_sample(3))
    with watching("1") as discovery:
        assert discovery.wait_until_decided(30)
        assert [discovery.selects(gpu_sample(index)) for index in (0, 1)] == [False, True]
    assert caplog.messages == [f"{not_found('nvidia-smi')}: no GPU samples"] * 2


def test_while_nvidia_smi_hangs_the_server_is_found_and_stop_leaves_nothing(smi: CountingSmi) -> None:
    (smi.folder / "nvidia-smi").write_text(HANGING)
    with program(IDLE) as server, watching(server=f"pid:{server.pid}") as discovery:
        pid = int(eventually(lambda: read(smi.folder / "asked")))
        sleeping = eventually(lambda: [child for child, parent in Proc().parents().items() if parent == pid])
        assert discovery.server_choice.pids == (server.pid,)
        assert not discovery.wait_until_decided(0)
        assert discovery.gpu_choice.why == "nvidia-smi has not answered yet"
    # Its own child is waited for; the child's child is only killed, and dies in its own time on a busy machine.
    eventually(lambda: not [left for left in (pid, *sleeping) if is_running(left)])


def test_an_nvidia_smi_that_hangs_for_too_long_is_ended_and_said_to(smi: CountingSmi) -> None:
    (smi.folder / "nvidia-smi").write_text(HANGING)
    asking = NvidiaSmi(timeout_s=0.2)
    with pytest.raises(QueryFailed, match=r"^nvidia-smi did not answer within 0.2 s$"):
        asking.query(GpuSelector())
    asked = read(smi.folder / "asked")
    eventually(lambda: not asked or not is_running(int(asked)))


def test_an_nvidia_smi_that_prints_without_an_end_is_ended_and_said_to(smi: CountingSmi) -> None:
    (smi.folder / "nvidia-smi").write_text("#!/bin/sh\nexec yes\n")
    with pytest.raises(QueryFailed, match=r"^nvidia-smi printed more than 4 MiB$"):
        NvidiaSmi().query(GpuSelector())


def test_while_one_hangs_that_cannot_be_killed_no_second_one_is_started(
    smi: CountingSmi, monkeypatch: pytest.MonkeyPatch
) -> None:
    (smi.folder / "nvidia-smi").write_text(f"#!/bin/sh\necho $$ >> '{smi.folder}/started'; exec sleep 600\n")
    monkeypatch.setattr(nvidia_smi, "_END_S", 0.01)
    asking = NvidiaSmi(timeout_s=0.5)
    with monkeypatch.context() as broken_driver:
        broken_driver.setattr(nvidia_smi, "signal_session", lambda *_: None)  # no test can hang in a driver
        for why in ("did not answer within", "hangs and can't be killed"):
            with pytest.raises(QueryFailed, match=why):
                asking.query(GpuSelector())
    (pid,) = eventually(lambda: read(smi.folder / "started").splitlines())
    asking.stop()
    eventually(lambda: not is_running(int(pid)))


def test_its_own_words_say_why_nvidia_smi_failed(smi: CountingSmi) -> None:
    (smi.folder / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed because'; echo more; exit 9\n")
    with pytest.raises(QueryFailed, match=r"^nvidia-smi failed: NVIDIA-SMI has failed because$"):
        NvidiaSmi().query(GpuSelector())


def test_a_stopped_one_asks_no_more(smi: CountingSmi) -> None:
    asking = NvidiaSmi()
    asking.stop()
    with pytest.raises(QueryFailed, match=r"^stopped$"):
        asking.query(GpuSelector())


def test_mig_devices_are_looked_up_only_where_there_are_some(smi: CountingSmi) -> None:
    listing = "GPU 1: NVIDIA H200 (UUID: GPU-bbbb)\\n  MIG 1g.18gb     Device  0: (UUID: MIG-1111)\\n"
    script = smi.folder / "nvidia-smi"
    script.write_text(
        script.read_text().replace('case "$*" in\n', f"case \"$*\" in\n  -L) printf '{listing}'; exit ;;\n")
    )
    assert NvidiaSmi().query(GpuSelector()).mig_parents == {}
    assert NvidiaSmi().query(GpuSelector(("MIG-1111",))).mig_parents == {"MIG-1111": "GPU-bbbb"}
    put_apps(smi, "42, python3, MIG-1111")
    assert NvidiaSmi().query(GpuSelector()).mig_parents == {"MIG-1111": "GPU-bbbb"}
    with watching() as discovery:
        eventually(lambda: indexes(discovery) == [1])


def test_a_watch_that_was_never_started_can_be_stopped() -> None:
    Discovery(GpuSelector(), ServerSelector("port", "8000")).stop()


def read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def test_good_rows_count_though_nvidia_smi_fails_and_its_words_are_told_once(
    smi: CountingSmi, caplog: pytest.LogCaptureFixture
) -> None:
    words = "Unable to determine the device handle for GPU0000:02:00.0: Unknown Error"
    broken = "[Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error]"
    smi.list_gpus(f"{TWO_GPUS}{words}\n{broken}\n", status=15)
    smi.list_apps(f"{words}\n4242, python3, GPU-bbbb\n", status=15)
    with watching() as discovery:
        assert eventually(lambda: indexes(discovery)) == [1]
        assert discovery.gpu_choice.why == "GPU 1: python3 (pid 4242)"
        n = smi.n_questions()
        discovery.rediscover()
        eventually(lambda: smi.n_questions() >= n + 2)
        assert discovery.warnings == (f"nvidia-smi: {words}",)
    assert caplog.messages == [f"nvidia-smi: {words}"]


def test_nvidia_smi_without_a_good_row_is_told_by_its_first_line(smi: CountingSmi) -> None:
    smi.list_gpus("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535\n", status=18)
    with watching() as discovery:
        assert discovery.wait_until_decided(30)
        assert discovery.gpu_choice.why == (
            "nvidia-smi failed: Failed to initialize NVML: Driver/library version mismatch"
        )


def test_nvidia_smi_that_fails_without_a_word_is_told_by_its_exit_status(smi: CountingSmi) -> None:
    smi.list_gpus("", status=9)
    with watching() as discovery:
        assert discovery.wait_until_decided(30)
        assert discovery.gpu_choice.why == "nvidia-smi failed: exit status 9 (the NVIDIA driver is not loaded)"


def test_what_is_doubted_is_asked_again(smi: CountingSmi) -> None:
    put_apps(smi, "4242, python3, GPU-bbbb")
    with watching("1") as discovery:
        eventually(lambda: indexes(discovery) == [1])
        n = smi.n_questions()
        discovery.doubt()
        eventually(lambda: smi.n_questions() > n)


def test_processes_of_one_session_are_one_program_and_of_two_sessions_are_not(smi: CountingSmi) -> None:
    said: list[str] = []
    with program(WITH_CHILD, said=said) as server, program(IDLE) as notebook:
        put_apps(smi, f"{server.pid}, python3, GPU-aaaa", f"{said[0]}, python3, GPU-bbbb")
        with watching() as discovery:
            eventually(lambda: indexes(discovery) == [0, 1])
            assert not discovery.gpu_choice.is_guess
        put_apps(smi, f"{server.pid}, python3, GPU-aaaa", f"{notebook.pid}, python3, GPU-bbbb")
        with watching() as discovery:
            eventually(lambda: indexes(discovery) == [0, 1])
            assert discovery.gpu_choice.is_guess


def test_the_gpus_to_sample_are_the_chosen_ones_or_those_asked_for_while_none_is_known(smi: CountingSmi) -> None:
    assert Discovery(parse_gpu_selector("2,GPU-bbbb"), None).indexes() == (2,)
    assert Discovery(parse_gpu_selector(""), None).indexes() == ()
    with watching("GPU-bbbb") as discovery:
        assert eventually(discovery.indexes) == (1,)


@pytest.mark.parametrize("asked_for", ["", "all"])
@pytest.mark.parametrize("is_listed", [False, True], ids=["listed no more", "listed as lost"])
def test_a_gpu_that_is_lost_in_a_run_stays_chosen_so_that_it_is_missed(
    smi: CountingSmi, is_listed: bool, asked_for: str
) -> None:
    put_apps(smi, "42, python3, GPU-aaaa", "42, python3, GPU-bbbb")
    with watching(asked_for) as discovery:
        eventually(lambda: indexes(discovery) == [0, 1])
        left, lost = TWO_GPUS.splitlines()
        row = f"1, {lost.split(', ')[1]}, [GPU is lost], [GPU is lost], [GPU is lost]"
        smi.list_gpus(f"{left}\n{row if is_listed else ''}\n", status=15)
        put_apps(smi, "42, python3, GPU-aaaa")
        n = smi.n_questions()
        discovery.doubt()
        eventually(lambda: smi.n_questions() >= n + 4 or discovery.doubt())
        assert indexes(discovery) == [0, 1]
        assert discovery.gpu_choice.gpus[1].name == "NVIDIA H200"
        discovery.rediscover()  # a new run
        seen = [0, 1] if asked_for == "all" and is_listed else [0]
        eventually(lambda: indexes(discovery) == seen)
