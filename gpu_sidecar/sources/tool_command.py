"""The command line of a tool, which asks for less if the tool refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ToolCommand(Protocol):
    """The command of one source. It lives as long as the source, so that it never asks again for what was refused."""

    def argv(self) -> Sequence[str]: ...

    def ask_less(self, output: Sequence[str]) -> bool:
        """Called when the tool has ended without a sample; `output` is what it printed.

        True if `argv` now asks for less and should be tried at once. It must be False some time, or the tool would be
        started again for ever.
        """
        ...


class FallbackCommands:
    """A list of commands, of which the first that the tool accepts is used; after the last one, the first again."""

    def __init__(self, *commands: Sequence[str]) -> None:
        self._commands = commands
        self._at = 0

    def argv(self) -> Sequence[str]:
        return self._commands[self._at]

    def ask_less(self, output: Sequence[str]) -> bool:
        self._at = (self._at + 1) % len(self._commands)
        return self._at > 0
