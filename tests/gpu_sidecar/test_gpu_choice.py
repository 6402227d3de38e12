"""What nvidia-smi lists, and the GPUs that follow from it."""

from __future__ import annotations

import pytest

from gpu_sidecar.gpu_choice import (
    ComputeApp,
    Gpu,
    GpuSelector,
    UnknownGpu,
    choose_gpus,
    gpu_of,
    parse_compute_apps,
    parse_gpu_selector,
    parse_gpus,
    parse_mig_parents,
)

L4 = Gpu(0, "GPU-aaaa", "NVIDIA L4", 23034, "570.86.15")
H200 = Gpu(1, "GPU-bbbb", "NVIDIA H200", 143771, "570.86.15")
BOTH = (L4, H200)
BY_PROCESS = GpuSelector()

# nvidia-smi -L of driver 535 (https://github.com/DataDog/datadog-agent/pull/33120, shortened), with a second GPU.
LISTING = """\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-aaaa)
  MIG 1g.10gb     Device  0: (UUID: MIG-feb88891-0321-5fef-9c87-d4af3b54259e)
  MIG 1g.10gb     Device  1: (UUID: MIG-a25704ba-3a06-5299-a795-fd7cf4d13973)
GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-bbbb)
  MIG 3g.40gb     Device  0: (UUID: MIG-50f1c4c9-1508-5e8d-bb06-d08145b22e01)
"""
MIG_ON_BOTH = parse_mig_parents(LISTING)


def python_on(gpu: Gpu, pid: int = 42, name: str = "/usr/bin/python3") -> ComputeApp:
    return ComputeApp(pid, name, gpu.uuid)


def test_devices_are_read_from_the_query() -> None:
    text = "0, GPU-aaaa, NVIDIA L4, 23034 MiB, 570.86.15\n1, GPU-bbbb, NVIDIA H200, 143771 MiB, 570.86.15\n"
    assert parse_gpus(text) == [L4, H200]


def test_a_device_without_memory_of_its_own_is_still_a_device() -> None:
    assert parse_gpus("0, GPU-aaaa, NVIDIA GB10, [N/A], 580.95") == [Gpu(0, "GPU-aaaa", "NVIDIA GB10", None, "580.95")]


def test_a_name_may_hold_commas() -> None:
    text = "0, GPU-aaaa, Odd, Name, 24564 MiB, 550.1\n"
    assert parse_gpus(text) == [Gpu(0, "GPU-aaaa", "Odd, Name", 24564, "550.1")]


def test_warnings_between_the_rows_are_no_devices() -> None:
    text = (
        "0, GPU-aaaa, NVIDIA L4, 23034 MiB, 570.86.15\n"
        "Unable to determine the device handle for GPU0000:02:00.0: Unknown Error\n"
        "[Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error]\n"
    )
    assert parse_gpus(text) == [L4]


@pytest.mark.parametrize("text", ["", "No devices were found\n", "a, b, c, d, e\n", "0, GPU-aaaa\n"])
def test_other_text_lists_no_device(text: str) -> None:
    assert parse_gpus(text) == []


def test_a_process_name_may_hold_spaces_and_commas_and_be_empty() -> None:
    text = (
        "12, /usr/bin/python3, GPU-aaaa\n13, /opt/a, b/serve it, GPU-bbbb\n14, , GPU-aaaa\nno running processes found\n"
    )
    assert parse_compute_apps(text) == [
        ComputeApp(12, "/usr/bin/python3", "GPU-aaaa"),
        ComputeApp(13, "/opt/a, b/serve it", "GPU-bbbb"),
        ComputeApp(14, "", "GPU-aaaa"),
    ]


@pytest.mark.parametrize(
    "text, selector",
    [
        (None, GpuSelector()),
        ("", GpuSelector()),
        ("all", GpuSelector(is_all=True)),
        ("none", GpuSelector(is_none=True)),
        ("0", GpuSelector(("0",))),
        ("0, 2,GPU-5d6f", GpuSelector(("0", "2", "GPU-5d6f"))),
        ("MIG-feb88891-0321", GpuSelector(("MIG-feb88891-0321",))),
        ("MIG-GPU-5d6f/7/0", GpuSelector(("MIG-GPU-5d6f/7/0",))),
    ],
)
def test_what_is_asked_for_is_read(text: str | None, selector: GpuSelector) -> None:
    assert parse_gpu_selector(text) == selector


@pytest.mark.parametrize("text", ["-1", "one", "0,all", "none,1", "0;1", "GPU-", "1.5", "99999", "cuda:0"])
def test_what_names_no_gpu_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^'.*' is not a GPU: give indexes or UUIDs \(GPU-… or MIG-…\) with"):
        parse_gpu_selector(text)


@pytest.mark.parametrize("name", ["python", "python3", "/opt/venv/bin/python3.12"])
def test_the_gpu_of_a_python_process_is_chosen(name: str) -> None:
    choice = choose_gpus(BOTH, [ComputeApp(7, "Xorg", "GPU-aaaa"), python_on(H200, name=name)], BY_PROCESS)
    assert (choice.gpus, choice.is_guess) == ((H200,), False)
    assert choice.why == f"GPU 1: {name.rsplit('/', 1)[-1]} (pid 42)"


def test_every_gpu_of_one_program_is_chosen_in_the_order_of_their_numbers() -> None:
    apps = [python_on(H200, 1), python_on(L4, 2), python_on(H200, 3), python_on(H200, 4)]
    choice = choose_gpus(BOTH, apps, BY_PROCESS, program_of=lambda pid: 1)
    assert (choice.gpus, choice.is_guess) == (BOTH, False)
    assert choice.why == "GPU 0: python3 (pid 2); GPU 1: python3 (pid 1) and 2 more"


def test_one_process_on_two_gpus_is_one_program() -> None:
    choice = choose_gpus(BOTH, [python_on(L4), python_on(H200)], BY_PROCESS)
    assert (choice.gpus, choice.is_guess) == (BOTH, False)


@pytest.mark.parametrize("server", ["/opt/tritonserver/bin/tritonserver", "moshi-server", "/usr/bin/python3"])
def test_of_several_programs_on_several_gpus_nobody_knows_which_is_the_server(server: str) -> None:
    """A notebook on another GPU than the server's."""
    apps = [ComputeApp(4100, server, "GPU-aaaa"), ComputeApp(9001, "/opt/conda/bin/python", "GPU-bbbb")]
    choice = choose_gpus(BOTH, apps, BY_PROCESS)
    assert (choice.gpus, choice.is_guess) == (BOTH, True)
    assert choice.why == (
        f"GPU 0: {server.rsplit('/', 1)[-1]} (pid 4100); GPU 1: python (pid 9001); any of these may be the server: "
        "choose with --server-process or --gpu-id"
    )


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("/usr/bin/python3 /app/server.py", "python3"),
        ("tritonserver --model-repository=/models", "tritonserver"),
        ("VLLM::EngineCore", "VLLM::EngineCore"),
        ("/opt/my programs/serve it", "serve it"),
        ("", ""),
    ],
)
def test_a_name_is_short_without_folders_and_arguments(name: str, short: str) -> None:
    assert ComputeApp(1, name, "GPU-aaaa").short_name == short


def test_a_process_whose_name_is_hidden_may_be_the_server_too() -> None:
    """The server runs in another container, and a notebook in this one."""
    apps = [ComputeApp(4100, "[Not Found]", "GPU-aaaa"), python_on(H200)]
    choice = choose_gpus(BOTH, apps, BY_PROCESS)
    assert (choice.gpus, choice.is_guess) == (BOTH, True)
    assert choice.why.startswith("GPU 0: [Not Found] (pid 4100); GPU 1: python3 (pid 42); any of these may be")


def test_several_programs_on_one_gpu_leave_no_doubt_about_the_gpu() -> None:
    choice = choose_gpus(BOTH, [python_on(H200, 1), ComputeApp(2, "tritonserver", "GPU-bbbb")], BY_PROCESS)
    assert (choice.gpus, choice.is_guess) == ((H200,), False)


@pytest.mark.parametrize("name", ["Xorg", "pythonista", "/opt/python3/bin/java"])
def test_without_a_known_server_whatever_is_on_a_gpu_is_a_guess(name: str) -> None:
    choice = choose_gpus(BOTH, [ComputeApp(7, name, "GPU-bbbb")], BY_PROCESS)
    assert (choice.gpus, choice.is_guess) == ((H200,), True)
    short = name.rsplit("/", 1)[-1]
    assert choice.why == f"GPU 1: {short} (pid 7); none is known to be a server: choose with --gpu-id"


def test_a_process_on_a_gpu_that_is_not_listed_is_told_and_all_are_a_guess() -> None:
    choice = choose_gpus(BOTH, [ComputeApp(31, "python3", "GPU-cccc")], BY_PROCESS)
    assert (choice.gpus, choice.is_guess) == (BOTH, True)
    assert choice.why == (
        "python3 (pid 31) is on GPU-cccc, which nvidia-smi doesn't list; watching all 2: choose with --gpu-id"
    )


def test_of_a_server_on_two_gpus_of_which_one_is_not_listed_the_other_is_a_guess() -> None:
    choice = choose_gpus(BOTH, [python_on(H200), ComputeApp(42, "python3", "GPU-cccc")], BY_PROCESS, server_pids={42})
    assert (choice.gpus, choice.is_guess) == ((H200,), True)
    assert "which nvidia-smi doesn't list; GPU 1: python3 (pid 42)" in choice.why


def test_a_process_whose_pid_is_hidden_still_shows_which_gpu_is_used() -> None:
    text = "[Insufficient Permissions], [Insufficient Permissions], GPU-bbbb\n[Not Supported]\n-, x, somewhere\n"
    apps = parse_compute_apps(text)
    assert apps == [ComputeApp(None, "[Insufficient Permissions]", "GPU-bbbb")]
    for server_pids in (None, {42}):
        choice = choose_gpus(BOTH, apps, BY_PROCESS, server_pids)
        assert (choice.gpus, choice.is_guess) == ((H200,), True)
        assert choice.why.startswith("GPU 1: [Insufficient Permissions] (pid hidden); ")


@pytest.mark.parametrize("name", ["[Not Found]", "[Insufficient Permissions]", "-", ""])
@pytest.mark.parametrize("server_pids", [None, {42}])
def test_where_a_container_hides_the_names_it_is_a_guess(name: str, server_pids: set[int] | None) -> None:
    choice = choose_gpus(BOTH, [ComputeApp(99, name, "GPU-bbbb")], BY_PROCESS, server_pids)
    assert (choice.gpus, choice.is_guess) == ((H200,), True)
    assert choice.why.startswith(f"GPU 1: {name or '-'} (pid 99); ")
    assert choice.why.endswith(": choose with --gpu-id")


@pytest.mark.parametrize("server_pids", [None, {42}])
def test_where_no_process_is_listed_all_are_a_guess(server_pids: set[int] | None) -> None:
    choice = choose_gpus(BOTH, [], BY_PROCESS, server_pids)
    assert (choice.gpus, choice.is_guess) == (BOTH, True)
    assert choice.why == (
        "nvidia-smi shows no process on a GPU (in a container it can't): watching all 2, choose with --gpu-id"
    )


def test_the_gpus_of_the_server_are_chosen_whatever_its_name() -> None:
    apps = [python_on(L4, 7), ComputeApp(43, "tritonserver", "GPU-bbbb")]
    choice = choose_gpus(BOTH, apps, BY_PROCESS, server_pids=(42, 43))
    assert (choice.gpus, choice.why, choice.is_guess) == ((H200,), "GPU 1: tritonserver (pid 43)", False)


def test_where_a_gateway_uses_no_gpu_that_of_a_known_server_is_a_guess() -> None:
    apps = [ComputeApp(3, "Xorg", "GPU-aaaa"), ComputeApp(7, "tritonserver", "GPU-bbbb")]
    choice = choose_gpus(BOTH, apps, BY_PROCESS, server_pids=(42, 43))
    assert (choice.gpus, choice.is_guess) == ((H200,), True)
    assert choice.why == (
        "the server (pid 42) and its children use no GPU; a known server does: GPU 1: tritonserver (pid 7): "
        "choose with --gpu-id"
    )


def test_where_nobody_known_uses_a_gpu_the_first_one_is_a_guess() -> None:
    choice = choose_gpus(BOTH, [ComputeApp(3, "Xorg", "GPU-bbbb")], BY_PROCESS, server_pids=(42,))
    assert (choice.gpus, choice.is_guess) == ((L4,), True)
    assert choice.why == "the server (pid 42) and its children use no GPU; watching GPU 0: choose with --gpu-id"


def test_while_the_server_is_not_there_its_gpu_is_a_guess() -> None:
    choice = choose_gpus(BOTH, [python_on(L4, 7)], BY_PROCESS, server_pids=())
    assert (choice.gpus, choice.is_guess) == ((L4,), True)
    assert choice.why == "the server was not found: GPU 0: python3 (pid 7)"


@pytest.mark.parametrize(
    "ids, gpus",
    [
        (("0",), (L4,)),
        (("01",), (H200,)),
        (("GPU-bbbb",), (H200,)),
        (("1", "0"), BOTH),
        (("1", "GPU-bbbb"), (H200,)),
        (("MIG-50f1c4c9-1508-5e8d-bb06-d08145b22e01",), (H200,)),
    ],
)
def test_those_asked_for_win(ids: tuple[str, ...], gpus: tuple[Gpu, ...]) -> None:
    choice = choose_gpus(BOTH, [python_on(L4)], GpuSelector(ids), server_pids=(42,), mig_parents=MIG_ON_BOTH)
    assert (choice.gpus, choice.is_guess) == (gpus, False)
    assert choice.why == f"asked for: {', '.join(ids)}"


def test_all_are_all() -> None:
    choice = choose_gpus(BOTH, [], GpuSelector(is_all=True))
    assert (choice.gpus, choice.why, choice.is_guess) == (BOTH, "asked for: all 2", False)


@pytest.mark.parametrize("name", ["7", "GPU-cccc", "MIG-feb88891"])
def test_one_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    known = r"0 \(GPU-aaaa\), 1 \(GPU-bbbb\)"
    with pytest.raises(UnknownGpu, match=rf"^there is no GPU {name} here: choose from {known}$"):
        choose_gpus(BOTH, [], GpuSelector(("0", name)))


def test_no_device_is_no_choice() -> None:
    choice = choose_gpus([], [], GpuSelector(("3",)))
    assert (choice.gpus, choice.why) == ((), "nvidia-smi lists no GPU")


def test_mig_devices_are_listed_under_their_gpu() -> None:
    assert MIG_ON_BOTH == {
        "MIG-feb88891-0321-5fef-9c87-d4af3b54259e": "GPU-aaaa",
        "MIG-a25704ba-3a06-5299-a795-fd7cf4d13973": "GPU-aaaa",
        "MIG-50f1c4c9-1508-5e8d-bb06-d08145b22e01": "GPU-bbbb",
    }


@pytest.mark.parametrize("text", ["", "No devices found.\n", "  MIG 1g.10gb     Device  0: (UUID: MIG-x)\n", "GPU 0\n"])
def test_other_text_lists_no_mig_device(text: str) -> None:
    assert parse_mig_parents(text) == {}


def test_a_process_on_a_mig_device_uses_the_gpu_below_it() -> None:
    apps = [ComputeApp(42, "python3", "MIG-50f1c4c9-1508-5e8d-bb06-d08145b22e01")]
    choice = choose_gpus(BOTH, apps, BY_PROCESS, mig_parents=MIG_ON_BOTH)
    assert (choice.gpus, choice.why) == ((H200,), "GPU 1: python3 (pid 42)")


def test_the_mig_uuids_of_old_drivers_name_their_gpu() -> None:
    assert gpu_of("MIG-GPU-bbbb/7/0", {}) == "GPU-bbbb"
    assert gpu_of("GPU-bbbb", MIG_ON_BOTH) == "GPU-bbbb"
