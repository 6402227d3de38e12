"""The command line of a tool, which asks for less if the tool refuses it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from gpu_sidecar.nvidia_smi_errors import reason_of
from gpu_sidecar.sample import Sample

_log = logging.getLogger(__name__)


class Parse(Protocol):
    """Returns a line's sample or None. Called with the lines in order; no line may make it raise."""

    def __call__(self, line: str, /) -> Sample | None: ...


class ToolCommand(Protocol):
    """The command of one source. It lives as long as the source, so that it never asks again for what was refused."""

    @property
    def name(self) -> str:
        """What is run now, in a word."""

    @property
    def note(self) -> str:
        """What is run in another way than was asked for, and why; "" if nothing is."""

    @property
    def header(self) -> str:
        """The first characters of a line that is the header of the output."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that the tool needs."""

    def argv(self, only: Sequence[int]) -> Sequence[str]:
        """The command line that samples these GPUs; all GPUs if there are none."""

    def make_parser(self) -> Parse:
        """A parser for one run of the command."""

    def is_refusal(self, status: int, output: Sequence[str]) -> bool:
        """True if the tool, which ended with this exit status and output and without a sample, refused the command."""

    def describe_exit(self, status: int) -> str:
        """What this exit status of the tool means."""

    def ask_less(self, output: Sequence[str]) -> bool:
        """Called when the command was refused; `output` is what the tool printed.

        True if `argv` now asks for less and should be tried at once. It must be False some time, or the tool would be
        started again for ever.
        """

    def ask_another(self, why: str) -> bool:
        """Called when the tool doesn't give what is needed. True if `argv` now asks another one."""


class FirstAccepted:
    """Commands of several tools, of which the first that works is used; after the last one, the first again."""

    def __init__(self, *commands: ToolCommand) -> None:
        self._commands = commands
        self._at = 0
        self._said: set[str] = set()
        self.note = ""

    @property
    def name(self) -> str:
        return self._now.name

    @property
    def header(self) -> str:
        return self._now.header

    @property
    def environment(self) -> Mapping[str, str]:
        return self._now.environment

    def argv(self, only: Sequence[int]) -> Sequence[str]:
        return self._now.argv(only)

    def make_parser(self) -> Parse:
        return self._now.make_parser()

    def is_refusal(self, status: int, output: Sequence[str]) -> bool:
        return self._now.is_refusal(status, output)

    def describe_exit(self, status: int) -> str:
        return self._now.describe_exit(status)

    def ask_less(self, output: Sequence[str]) -> bool:
        return self._now.ask_less(output) or self._take_next(reason_of(output))

    def ask_another(self, why: str) -> bool:
        return self._at + 1 < len(self._commands) and self._take_next(why)

    @property
    def _now(self) -> ToolCommand:
        return self._commands[self._at]

    def _take_next(self, why: str) -> bool:
        refused = self._now
        self._at = (self._at + 1) % len(self._commands)
        self.note = f"{refused.name}: {why or 'it gave nothing'}; {self._now.name} is used instead" if self._at else ""
        if self.note and self.note not in self._said:
            _log.warning("%s", self.note)
            self._said.add(self.note)
        return self._at > 0
