"""What nvidia-smi says when it fails: which line to tell, and whether asking for less would help."""

from __future__ import annotations

import pytest

from gpu_sidecar.nvidia_smi_errors import describe_exit, is_driver_trouble, reason_of

MISMATCH = ["Failed to initialize NVML: Driver/library version mismatch", "NVML library version: 535.161"]
NO_DRIVER = ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that …"]
UNSUPPORTED = ["Not supported on the device(s)", "Failed to process command line"]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (MISMATCH, MISMATCH[0]),
        (UNSUPPORTED, UNSUPPORTED[0]),
        (["", "  ", *MISMATCH], MISMATCH[0]),
        (["WARNING: infoROM is corrupted at gpu 0000:67:00.0", *UNSUPPORTED], UNSUPPORTED[0]),
        (["WARNING: infoROM is corrupted at gpu 0000:67:00.0"], "WARNING: infoROM is corrupted at gpu 0000:67:00.0"),
        ([], ""),
    ],
)
def test_the_first_line_that_is_no_warning_is_the_reason(output: list[str], reason: str) -> None:
    assert reason_of(output) == reason


@pytest.mark.parametrize(
    ("status", "output", "is_trouble"),
    [
        (18, [], True),
        (9, [], True),
        (15, [], True),
        (255, MISMATCH, True),
        (1, NO_DRIVER, True),
        (1, ["Unable to determine the device handle for GPU0000:02:00.0: GPU is lost"], True),
        (3, UNSUPPORTED, False),
        (2, ["Invalid combination of input arguments."], False),
        (1, [], False),
    ],
)
def test_trouble_of_the_driver_is_no_refusal_of_the_command(status: int, output: list[str], is_trouble: bool) -> None:
    assert is_driver_trouble(status, output) is is_trouble


def test_an_exit_status_is_told_with_its_meaning() -> None:
    assert describe_exit(15) == "exit status 15 (a GPU has fallen off the bus, or can't be reached)"
    assert describe_exit(77) == "exit status 77"
