"""What nvidia-smi lists, and the GPU that follows from it."""

from __future__ import annotations

import pytest

from gpu_sidecar.devices import ComputeApp, Device, UnknownGpu, choose_gpu, parse_compute_apps, parse_devices

L4 = Device(0, "GPU-aaaa", "NVIDIA L4", 23034, "570.86.15")
H200 = Device(1, "GPU-bbbb", "NVIDIA H200", 143771, "570.86.15")


def test_devices_are_read_from_the_query() -> None:
    text = "0, GPU-aaaa, NVIDIA L4, 23034 MiB, 570.86.15\n1, GPU-bbbb, NVIDIA H200, 143771 MiB, 570.86.15\n"
    assert parse_devices(text) == [L4, H200]


def test_a_device_without_memory_of_its_own_is_still_a_device() -> None:
    assert parse_devices("0, GPU-aaaa, NVIDIA GB10, [N/A], 580.95") == [
        Device(0, "GPU-aaaa", "NVIDIA GB10", None, "580.95")
    ]


@pytest.mark.parametrize("text", ["", "No devices were found\n", "a, b, c, d, e\n", "0, GPU-aaaa\n"])
def test_other_text_lists_no_device(text: str) -> None:
    assert parse_devices(text) == []


def test_a_process_name_may_hold_spaces_and_commas() -> None:
    text = "12, /usr/bin/python3, GPU-aaaa\n13, /opt/a, b/serve it, GPU-bbbb\nno running processes found\n"
    assert parse_compute_apps(text) == [
        ComputeApp(12, "/usr/bin/python3", "GPU-aaaa"),
        ComputeApp(13, "/opt/a, b/serve it", "GPU-bbbb"),
    ]


@pytest.mark.parametrize("name", ["python", "python3", "/opt/venv/bin/python3.12"])
def test_the_gpu_of_a_python_process_is_chosen(name: str) -> None:
    choice = choose_gpu([L4, H200], [ComputeApp(7, "Xorg", "GPU-aaaa"), ComputeApp(42, name, "GPU-bbbb")])
    assert choice.device == H200
    assert choice.why == f"used by process 42 ({name})"
    assert not choice.is_guess


@pytest.mark.parametrize("name", ["/usr/lib/xorg/Xorg", "pythonista", "[Not Found]", "/opt/python3/bin/java"])
def test_without_a_python_process_device_0_is_a_guess(name: str) -> None:
    choice = choose_gpu([H200, L4], [ComputeApp(7, name, "GPU-bbbb")])
    assert (choice.device, choice.is_guess) == (L4, True)
    assert choice.why == "no python process seen on a GPU: took device 0 of 2"


def test_python_on_two_gpus_is_a_guess_that_says_so() -> None:
    apps = [ComputeApp(1, "python3", "GPU-bbbb"), ComputeApp(2, "python3", "GPU-aaaa")]
    choice = choose_gpu([L4, H200], apps)
    assert (choice.device, choice.is_guess) == (L4, True)
    assert choice.why == "used by process 2 (python3); python processes are on GPU 1 too: choose by index"


def test_the_index_asked_for_wins() -> None:
    choice = choose_gpu([L4, H200], [ComputeApp(42, "python3", "GPU-bbbb")], wanted=0)
    assert (choice.device, choice.why, choice.is_guess) == (L4, "asked for by index: 0", False)


def test_an_index_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownGpu, match=r"^there is no GPU 7 here: choose one of 0, 1$"):
        choose_gpu([L4, H200], [], wanted=7)


def test_no_device_is_no_choice() -> None:
    choice = choose_gpu([], [], wanted=3)
    assert (choice.device, choice.why) == (None, "nvidia-smi lists no GPU")
