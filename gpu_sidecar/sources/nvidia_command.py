"""What all commands of `nvidia-smi` that go on printing have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpu_sidecar.nvidia_smi_errors import describe_exit, is_driver_trouble


class NvidiaCommand:
    """The part of a ToolCommand that does not depend on what is asked for."""

    note = ""
    # Without it the first 16 GPUs are shown (`nvidia-smi dmon --help`); older drivers don't know it.
    environment: Mapping[str, str] = {"NVSMI_SHOW_ALL_DEVICES": "1"}

    def is_refusal(self, status: int, output: Sequence[str]) -> bool:
        return not is_driver_trouble(status, output)

    def describe_exit(self, status: int) -> str:
        return describe_exit(status)

    def ask_another(self, why: str) -> bool:
        return False


def gpu_option(only: Sequence[int]) -> list[str]:
    return ["-i", ",".join(str(index) for index in only)] if only else []
